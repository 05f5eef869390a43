/* The rANS stack: docs/maths.md, "The message".
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

const char *bbans_status_text(int status)
{
    switch (status) {
    case BBANS_OK: return "no error";
    case BBANS_ERR_NULL: return "a required pointer is NULL";
    case BBANS_ERR_PRECISION: return "precision is outside 1 to 28 bits";
    case BBANS_ERR_INTERVAL: return "interval is empty, or not the slot's";
    case BBANS_ERR_CAPACITY: return "an array is too small";
    case BBANS_ERR_UNDERFLOW: return "message has too few bits left";
    case BBANS_ERR_TOTAL: return "total is outside 1 to 2^28";
    case BBANS_ERR_STATE: return "heads, lanes or lengths are not a message";
    case BBANS_ERR_TABLE: return "table does not rise strictly from 0 to 2^r";
    case BBANS_ERR_SYMBOL: return "symbol or row is outside the table";
    case BBANS_ERR_CORRUPT:
        return "data is damaged, or length, mode, model or lanes differ";
    case BBANS_ERR_SIZE: return "a count is outside its limits";
    case BBANS_ERR_TRUNCATED: return "data ends early";
    case BBANS_ERR_FORMAT: return "not a file of this format";
    case BBANS_ERR_VERSION: return "format version or code is not known";
    case BBANS_ERR_WRONG_MODEL: return "data was coded with another model";
    case BBANS_ERR_TYPE: return "no type of elements for this array";
    default: return "unknown status code";
    }
}

bbans_status bbans_message_init(bbans_message *msg, uint64_t *head,
                                size_t lanes, uint32_t *tail, size_t tail_cap)
{
    size_t i;

    if (msg == NULL || head == NULL || (tail == NULL && tail_cap > 0))
        return BBANS_ERR_NULL;
    if (lanes == 0)
        return BBANS_ERR_STATE;
    for (i = 0; i < lanes; i++)
        head[i] = lanes == 1 ? 1 : BBANS_HEAD_MIN;
    msg->head = head;
    msg->tail = tail;
    msg->lanes = lanes;
    msg->tail_len = 0;
    msg->tail_cap = tail_cap;
    return BBANS_OK;
}

bbans_status bbans_message_check(const bbans_message *msg)
{
    size_t i;

    if (msg == NULL || msg->head == NULL ||
        (msg->tail == NULL && msg->tail_cap > 0))
        return BBANS_ERR_NULL;
    if (msg->lanes == 0 || msg->tail_len > msg->tail_cap)
        return BBANS_ERR_STATE;
    for (i = 0; i < msg->lanes; i++) {
        const int small = msg->head[i] < BBANS_HEAD_MIN;

        if (msg->head[i] > BBANS_HEAD_MAX ||
            (small && (msg->lanes > 1 || msg->tail_len > 0)))
            return BBANS_ERR_STATE;
    }
    return BBANS_OK;
}

bbans_status bbans_message_push_intervals(bbans_message *msg,
                                          const uint32_t *start,
                                          const uint32_t *freq, uint32_t total)
{
    size_t i;

    if (msg == NULL || start == NULL || freq == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    for (i = 0; i < msg->lanes; i++)
        if (!bbans_interval_is_valid(start[i], freq[i], total))
            return BBANS_ERR_INTERVAL;
    if (bbans_room(msg) < msg->lanes)
        return BBANS_ERR_CAPACITY;
    for (i = msg->lanes; i-- > 0;)
        bbans_push_one(msg, i, start[i], freq[i], total);
    return BBANS_OK;
}

bbans_status bbans_message_peek(const bbans_message *msg, uint32_t *slot,
                                uint32_t total)
{
    size_t i;

    if (msg == NULL || slot == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    for (i = 0; i < msg->lanes; i++)
        slot[i] = bbans_slot(msg->head[i], total);
    return BBANS_OK;
}

bbans_status bbans_message_advance(bbans_message *msg, const uint32_t *start,
                                   const uint32_t *freq, uint32_t total)
{
    size_t i;

    if (msg == NULL || start == NULL || freq == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    for (i = 0; i < msg->lanes; i++)
        if (!bbans_interval_is_valid(start[i], freq[i], total) ||
            bbans_slot(msg->head[i], total) - start[i] >= freq[i])
            return BBANS_ERR_INTERVAL;
    if (bbans_room(msg) < msg->lanes)
        return BBANS_ERR_CAPACITY;
    for (i = 0; i < msg->lanes; i++) {
        const bbans_status status =
            bbans_advance_one(msg, i, start[i], freq[i], total);

        if (status != BBANS_OK) {
            while (i-- > 0) /* push is the exact inverse */
                bbans_push_one(msg, i, start[i], freq[i], total);
            return status;
        }
    }
    return BBANS_OK;
}

/* ---- Spans, for arrays under totals of 2^prec ---------------------------- */

void bbans_push_spans(bbans_message *msg, size_t first, const bbans_span *span,
                      size_t n, unsigned prec)
{
    size_t above = bbans_lane_above(msg, first, n);

    if (msg->lanes == 1) {
        bbans_lane lane = bbans_lane_of(msg, 0);

        while (n-- > 0)
            bbans_lane_push_bits(&lane, span[n].start,
                                 span[n].end - span[n].start, prec);
        bbans_put_lane(msg, 0, &lane);
        return;
    }
    while (n > 0) {
        const size_t run = above < n ? above : n;
        const uint32_t *top;

        if (bbans_room(msg) < run) { /* undoing pops from a full tail */
            n--;
            above--;
            bbans_push_one(msg, above, span[n].start,
                           span[n].end - span[n].start, (uint32_t)1 << prec);
        } else {
            n -= run;
            above -= run;
            top = bbans_kernel.lanes->push(msg->head + above, span + n, run,
                                           prec, msg->tail + msg->tail_len);
            msg->tail_len = (size_t)(top - msg->tail);
        }
        if (above == 0)
            above = msg->lanes;
    }
}

size_t bbans_advance_run(bbans_message *msg, size_t lane,
                         const bbans_span *span, size_t n, unsigned prec)
{
    const uint32_t *top = msg->tail + msg->tail_len;
    size_t i;

    if (msg->tail_len >= n) {
        top = bbans_kernel.lanes->advance(msg->head + lane, span, n, prec, top);
        msg->tail_len = (size_t)(top - msg->tail);
        return n;
    }
    for (i = 0; i < n; i++)
        if (bbans_advance_one(msg, lane + i, span[i].start,
                              span[i].end - span[i].start,
                              (uint32_t)1 << prec) != BBANS_OK)
            break;
    return i;
}
