/* The rANS stack: docs/maths.md, section 3.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

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
    case BBANS_ERR_CORRUPT: return "data is damaged";
    case BBANS_ERR_SIZE: return "a count is outside its limits";
    case BBANS_ERR_TRUNCATED: return "data ends early";
    case BBANS_ERR_FORMAT: return "not a file of this format";
    case BBANS_ERR_VERSION: return "format version or code is not known";
    case BBANS_ERR_MODEL: return "data was coded with another model";
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

static size_t room(const bbans_message *msg)
{
    return msg->tail_cap - msg->tail_len;
}

static void push_one(bbans_message *msg, size_t i, uint32_t start,
                     uint32_t freq, uint32_t total)
{
    bbans_lane lane = bbans_lane_of(msg, i);

    bbans_lane_push(&lane, start, freq, total);
    bbans_put_lane(msg, i, &lane);
}

/* Unchanged message and ERR_UNDERFLOW if the tail runs dry. */
static bbans_status advance_one(bbans_message *msg, size_t i, uint32_t start,
                                uint32_t freq, uint32_t total)
{
    bbans_lane lane = bbans_lane_of(msg, i);

    bbans_lane_advance(&lane, start, freq, total);
    if (bbans_lane_is_dry(&lane, msg->lanes))
        return BBANS_ERR_UNDERFLOW;
    bbans_put_lane(msg, i, &lane);
    return BBANS_OK;
}

bbans_status bbans_message_push(bbans_message *msg, const uint32_t *start,
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
    if (room(msg) < msg->lanes)
        return BBANS_ERR_CAPACITY;
    for (i = msg->lanes; i-- > 0;)
        push_one(msg, i, start[i], freq[i], total);
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
    if (room(msg) < msg->lanes)
        return BBANS_ERR_CAPACITY;
    for (i = 0; i < msg->lanes; i++) {
        const bbans_status status =
            advance_one(msg, i, start[i], freq[i], total);

        if (status != BBANS_OK) {
            while (i-- > 0) /* push is the exact inverse */
                push_one(msg, i, start[i], freq[i], total);
            return status;
        }
    }
    return BBANS_OK;
}

/* The array functions below differ only in how symbol i gets its interval.  A
 * failed pop is undone by the pushes that invert it. */

static const uint32_t *row_of(const bbans_table *table, const uint32_t *row,
                              size_t i)
{
    return table->cdf + (row == NULL ? 0 : row[i]) * (table->symbols + 1);
}

static int rows_are_valid(const bbans_table *table, const uint32_t *row,
                          size_t n)
{
    size_t i;

    for (i = 0; row != NULL && i < n; i++)
        if (row[i] >= table->rows)
            return 0;
    return 1;
}

static void push_symbols(bbans_message *msg, const bbans_table *table,
                         const uint32_t *row, const uint32_t *symbol, size_t n)
{
    while (n-- > 0) {
        const uint32_t *edge = row_of(table, row, n) + symbol[n];
        bbans_lane lane = bbans_lane_of(msg, n % msg->lanes);

        bbans_lane_push_bits(&lane, edge[0], edge[1] - edge[0], table->prec);
        bbans_put_lane(msg, n % msg->lanes, &lane);
    }
}

bbans_status bbans_message_push_symbols(bbans_message *msg,
                                        const bbans_table *table,
                                        const uint32_t *row,
                                        const uint32_t *symbol, size_t n)
{
    size_t i;

    if (msg == NULL || table == NULL || (symbol == NULL && n > 0))
        return BBANS_ERR_NULL;
    if (!rows_are_valid(table, row, n))
        return BBANS_ERR_SYMBOL;
    for (i = 0; i < n; i++)
        if (symbol[i] >= table->symbols)
            return BBANS_ERR_SYMBOL;
    if (room(msg) < n)
        return BBANS_ERR_CAPACITY;
    push_symbols(msg, table, row, symbol, n);
    return BBANS_OK;
}

bbans_status bbans_message_pop_symbols(bbans_message *msg,
                                       const bbans_table *table,
                                       const uint32_t *row, uint32_t *symbol,
                                       size_t n)
{
    size_t i;

    if (msg == NULL || table == NULL || (symbol == NULL && n > 0))
        return BBANS_ERR_NULL;
    if (!rows_are_valid(table, row, n))
        return BBANS_ERR_SYMBOL;
    for (i = 0; i < n; i++) {
        const uint32_t total = (uint32_t)1 << table->prec;
        const uint32_t slot = bbans_slot(msg->head[i % msg->lanes], total);
        const uint32_t *edge;
        bbans_status status;

        symbol[i] =
            (uint32_t)bbans_table_find(table, row == NULL ? 0 : row[i], slot);
        edge = row_of(table, row, i) + symbol[i];
        status =
            advance_one(msg, i % msg->lanes, edge[0], edge[1] - edge[0], total);
        if (status != BBANS_OK) {
            push_symbols(msg, table, row, symbol, i);
            return status;
        }
    }
    return BBANS_OK;
}

static void push_uniform(bbans_message *msg, uint32_t total,
                         const uint32_t *value, size_t n)
{
    while (n-- > 0)
        push_one(msg, n % msg->lanes, value[n], 1, total);
}

bbans_status bbans_message_push_uniform(bbans_message *msg, uint32_t total,
                                        const uint32_t *value, size_t n)
{
    size_t i;

    if (msg == NULL || (value == NULL && n > 0))
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    for (i = 0; i < n; i++)
        if (value[i] >= total)
            return BBANS_ERR_SYMBOL;
    if (room(msg) < n)
        return BBANS_ERR_CAPACITY;
    push_uniform(msg, total, value, n);
    return BBANS_OK;
}

bbans_status bbans_message_pop_uniform(bbans_message *msg, uint32_t total,
                                       uint32_t *value, size_t n)
{
    size_t i;

    if (msg == NULL || (value == NULL && n > 0))
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    if (n > 0 && room(msg) < 1)
        return BBANS_ERR_CAPACITY;
    for (i = 0; i < n; i++) {
        bbans_status status;

        value[i] = bbans_slot(msg->head[i % msg->lanes], total);
        status = advance_one(msg, i % msg->lanes, value[i], 1, total);
        if (status != BBANS_OK) {
            push_uniform(msg, total, value, i);
            return status;
        }
    }
    return BBANS_OK;
}

/* Sum of a row of weights, 0 if it is not a valid total. */
static uint32_t weight_total(const uint32_t *weight, size_t symbols)
{
    uint64_t sum = 0;
    size_t k;

    for (k = 0; k < symbols; k++) {
        sum += weight[k];
        if (sum > BBANS_TOTAL_MAX)
            return 0;
    }
    return (uint32_t)sum;
}

static void push_weighted(bbans_message *msg, const uint32_t *weight,
                          size_t symbols, const uint32_t *symbol, size_t n)
{
    while (n-- > 0) {
        const uint32_t *w = weight + n * symbols;
        uint32_t start = 0;
        size_t k;

        for (k = 0; k < symbol[n]; k++)
            start += w[k];
        push_one(msg, n % msg->lanes, start, w[k], weight_total(w, symbols));
    }
}

bbans_status bbans_message_push_weighted(bbans_message *msg,
                                         const uint32_t *weight, size_t symbols,
                                         const uint32_t *symbol, size_t n)
{
    size_t i;

    if (msg == NULL || ((weight == NULL || symbol == NULL) && n > 0))
        return BBANS_ERR_NULL;
    for (i = 0; i < n; i++) {
        const uint32_t *w = weight + i * symbols;

        if (weight_total(w, symbols) == 0)
            return BBANS_ERR_TOTAL;
        if (symbol[i] >= symbols)
            return BBANS_ERR_SYMBOL;
        if (w[symbol[i]] == 0)
            return BBANS_ERR_INTERVAL;
    }
    if (room(msg) < n)
        return BBANS_ERR_CAPACITY;
    push_weighted(msg, weight, symbols, symbol, n);
    return BBANS_OK;
}

bbans_status bbans_message_pop_weighted(bbans_message *msg,
                                        const uint32_t *weight, size_t symbols,
                                        uint32_t *symbol, size_t n)
{
    size_t i;

    if (msg == NULL || ((weight == NULL || symbol == NULL) && n > 0))
        return BBANS_ERR_NULL;
    for (i = 0; i < n; i++)
        if (weight_total(weight + i * symbols, symbols) == 0)
            return BBANS_ERR_TOTAL;
    if (n > 0 && room(msg) < 1)
        return BBANS_ERR_CAPACITY;
    for (i = 0; i < n; i++) {
        const uint32_t *w = weight + i * symbols;
        const uint32_t total = weight_total(w, symbols);
        const uint32_t slot = bbans_slot(msg->head[i % msg->lanes], total);
        uint32_t start = 0, k = 0;
        bbans_status status;

        while (slot - start >= w[k])
            start += w[k++];
        symbol[i] = k;
        status = advance_one(msg, i % msg->lanes, start, w[k], total);
        if (status != BBANS_OK) {
            push_weighted(msg, weight, symbols, symbol, i);
            return status;
        }
    }
    return BBANS_OK;
}
