/* IconoCLaSM for a frozen HMM, and how a sequence becomes one message:
 * docs/maths.md, sections 1 and 7.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

/* The tail must hold this much before bits back may start from it. */
#define START_MIN ((uint64_t)1 << 40)

/* Whether the sequence is coded by the schedule or by the range coder alone. */
#define FLAG_TOTAL 16
#define FLAG_SCHEDULE 15 /* [0, 15) schedule, [15, 16) range coder */

/* The workspace, cut up: rows of `stride` words. */
typedef struct {
    uint32_t *predicted;   /* weights of the next state               */
    uint32_t *edge;        /* [2 rows] posterior weights, running sums */
    uint32_t *checkpoints; /* [blocks] predicted weights, block starts */
    uint32_t *filtered;    /* [block] filtered weights                */
    size_t block;          /* symbols per block                       */
} workspace;

static size_t n_blocks(size_t n, size_t block)
{
    return n / block + (n % block != 0);
}

size_t bbans_sequence_tail_words(size_t n)
{
    return 2 * n + 8;
}

/* Rows of `stride` words; SIZE_MAX if they cannot be counted. */
static size_t work_rows(size_t n, size_t block)
{
    const size_t blocks = block < n ? n_blocks(n, block) : 0;
    const size_t kept = block < n ? block : n;

    return n > SIZE_MAX / 4 ? SIZE_MAX : 3 + blocks + (kept > 0 ? kept : 1);
}

size_t bbans_sequence_work_bytes(const bbans_hmm *hmm, size_t n, size_t block)
{
    size_t rows;

    if (hmm == NULL)
        return 0;
    rows = work_rows(n, block > 0 ? block : 1);
    return rows > (SIZE_MAX - BBANS_ALIGNMENT) / 4 / hmm->stride
               ? 0
               : 4 * hmm->stride * rows + (BBANS_ALIGNMENT - 1);
}

/* Use the largest block that fits: rows >= 3 + block + ceil(n / block). */
static bbans_status cut_workspace(const bbans_hmm *hmm, size_t n, void *work,
                                  size_t work_bytes, workspace *ws)
{
    const size_t rows =
        work_bytes < BBANS_ALIGNMENT
            ? 0
            : (work_bytes - (BBANS_ALIGNMENT - 1)) / (4 * hmm->stride);
    size_t block = rows;

    while (block > 0 && work_rows(n, block) > rows) {
        /* A block too large by its checkpoints shrinks by as much. */
        const size_t others = 3 + (block < n ? n_blocks(n, block) : 0);

        block = others < rows ? rows - others : 0;
    }
    if (block == 0)
        return BBANS_ERR_CAPACITY;
    ws->block = block;
    ws->predicted = (uint32_t *)bbans_align(work);
    ws->edge = ws->predicted + hmm->stride + 15; /* edge + 1 is aligned */
    ws->checkpoints = ws->predicted + 3 * hmm->stride;
    ws->filtered =
        ws->checkpoints + (block < n ? n_blocks(n, block) : 0) * hmm->stride;
    return BBANS_OK;
}

/* Decoding keeps one filtered message. */
static bbans_status cut_small_workspace(const bbans_hmm *hmm, void *work,
                                        size_t work_bytes, workspace *ws)
{
    return cut_workspace(hmm, 1, work, work_bytes, ws);
}

static void start_filter(const bbans_hmm *hmm, workspace *ws)
{
    memcpy(ws->predicted, hmm->initial, hmm->stride * sizeof *hmm->initial);
}

/* n steps from ws->predicted on; the symbols have been checked. */
static void filter(const bbans_hmm *hmm, workspace *ws, const uint32_t *x,
                   size_t n, uint32_t *filtered)
{
    (void)bbans_hmm_filter(hmm, ws->predicted, x, n, filtered);
}

/* Run the filter over x_1 .. x_n, one block of messages at a time; the last
 * block's messages and the checkpoints remain. */
static void filter_all(const bbans_hmm *hmm, workspace *ws, const uint32_t *x,
                       size_t n)
{
    const size_t stride = hmm->stride;
    size_t t;

    start_filter(hmm, ws);
    for (t = 0; t < n; t += ws->block) {
        if (ws->block < n)
            memcpy(ws->checkpoints + t / ws->block * stride, ws->predicted,
                   stride * sizeof *ws->predicted);
        filter(hmm, ws, x + t, n - t < ws->block ? n - t : ws->block,
               ws->filtered);
    }
}

/* z <- Q(z | x_1 .. x_t, next) */
static size_t pop_state(const bbans_hmm *hmm, workspace *ws, bbans_lane *lane,
                        const uint32_t *filtered, size_t next)
{
    uint32_t *edge = ws->edge;
    const uint32_t total = bbans_kernel.posterior(
        filtered, bbans_into(hmm, next), hmm->stride, edge);
    const uint32_t slot = bbans_lane_take_slot(lane, total);
    const size_t z = bbans_kernel.rank(edge + 1, hmm->states, slot);

    bbans_lane_put_rest(lane, slot, edge[z], edge[z + 1] - edge[z]);
    return z;
}

/* z -> Q(z | x_1 .. x_t, next) */
static bbans_status push_state(const bbans_hmm *hmm, workspace *ws,
                               bbans_lane *lane, size_t z, size_t next)
{
    uint32_t start, freq;
    const uint32_t total = bbans_kernel.interval(
        ws->filtered, bbans_into(hmm, next), hmm->stride, z, &start, &freq);

    if (freq == 0) /* no sender can have popped it */
        return BBANS_ERR_CORRUPT;
    bbans_lane_push(lane, start, freq, total);
    return BBANS_OK;
}

static void push_entry(bbans_lane *lane, const uint32_t *row, size_t k,
                       unsigned prec)
{
    bbans_lane_push_bits(lane, row[k], row[k + 1] - row[k], prec);
}

static size_t pop_entry(bbans_lane *lane, const uint32_t *row, size_t symbols,
                        unsigned prec)
{
    const size_t k =
        bbans_kernel.rank(row + 1, symbols, bbans_slot_bits(lane->x, prec));

    bbans_lane_advance_bits(lane, row[k], row[k + 1] - row[k], prec);
    return k;
}

/* The sender's schedule; filter_all has run. */
static void push_schedule(const bbans_hmm *hmm, workspace *ws, bbans_lane *lane,
                          const uint32_t *x, size_t n)
{
    const size_t K = hmm->states, M = hmm->symbols, stride = hmm->stride;
    const unsigned prec = hmm->prec;
    size_t first = n > 0 ? (n - 1) / ws->block * ws->block : 0, t, z, z_next;

    if (n == 0)
        return;
    z = pop_state(hmm, ws, lane, ws->filtered + (n - 1 - first) * stride, K);
    for (t = n; t-- > 1;) { /* x[t] is x_t+1 of the paper */
        push_entry(lane, hmm->emission_cdf + z * (M + 1), x[t], prec);
        if (t == first) { /* filtered messages of the block before */
            first -= ws->block;
            memcpy(ws->predicted, ws->checkpoints + first / ws->block * stride,
                   stride * sizeof *ws->predicted);
            filter(hmm, ws, x + first, ws->block, ws->filtered);
        }
        z_next = z;
        z = pop_state(hmm, ws, lane, ws->filtered + (t - 1 - first) * stride,
                      z_next);
        push_entry(lane, hmm->transition_cdf + z * (K + 1), z_next, prec);
    }
    push_entry(lane, hmm->emission_cdf + z * (M + 1), x[0], prec);
    push_entry(lane, hmm->initial_cdf, z, prec);
}

/* The receiver's schedule; leaves the predicted weights of step n + 1. */
static bbans_status pop_schedule(const bbans_hmm *hmm, workspace *ws,
                                 bbans_lane *lane, uint32_t *x, size_t n)
{
    const size_t K = hmm->states, M = hmm->symbols;
    const unsigned prec = hmm->prec;
    bbans_status status;
    size_t t, z, z_last;

    start_filter(hmm, ws);
    if (n == 0)
        return BBANS_OK;
    z = pop_entry(lane, hmm->initial_cdf, K, prec);
    for (t = 0;; t++) {
        x[t] =
            (uint32_t)pop_entry(lane, hmm->emission_cdf + z * (M + 1), M, prec);
        filter(hmm, ws, x + t, 1, ws->filtered);
        if (t + 1 == n)
            return push_state(hmm, ws, lane, z, K);
        z_last = z;
        z = pop_entry(lane, hmm->transition_cdf + z_last * (K + 1), K, prec);
        status = push_state(hmm, ws, lane, z_last, z);
        if (status != BBANS_OK)
            return status;
    }
}

static bbans_status check_call(const bbans_hmm *hmm, const bbans_message *msg,
                               const uint32_t *symbol, size_t n,
                               const void *work)
{
    if (hmm == NULL || msg == NULL || (symbol == NULL && n > 0) || work == NULL)
        return BBANS_ERR_NULL;
    return msg->lanes == 1 ? BBANS_OK : BBANS_ERR_STATE;
}

/* A message shrinks when popped from, but a damaged one can grow by the word
 * that each push of a state may move. */
static int room_is_short(const bbans_message *msg, size_t n)
{
    return msg->tail_cap - msg->tail_len < n;
}

static int symbols_are_valid(const bbans_hmm *hmm, const uint32_t *symbol,
                             size_t n)
{
    size_t t;

    for (t = 0; t < n; t++)
        if (symbol[t] >= hmm->symbols)
            return 0;
    return 1;
}

/* Range code `sequences` runs of symbols, x[offset[0]] .. x[offset[sequences] -
 * 1], into *msg.  The first goes on from the predicted weights in the
 * workspace, the others start anew.  The upper half of the tail is the scratch,
 * at least 4 bytes a symbol, the lower half takes the result, which is no
 * longer. */
static void range_encode(const bbans_hmm *hmm, workspace *ws, const uint32_t *x,
                         const uint64_t *offset, size_t sequences,
                         bbans_message *msg)
{
    const size_t n = (size_t)(offset[sequences] - offset[0]);
    const size_t half = bbans_sequence_tail_words(n) / 2;
    bbans_range_encoder enc;
    size_t k, t;

    (void)bbans_range_encoder_init(&enc, (uint8_t *)(msg->tail + half),
                                   4 * half);
    for (k = 0; k < sequences; k++) {
        if (k > 0)
            start_filter(hmm, ws);
        for (t = (size_t)offset[k]; t < offset[k + 1]; t++) {
            uint32_t start, freq;

            (void)bbans_hmm_predict(hmm, ws->predicted, x[t], &start, &freq);
            (void)bbans_range_encode(&enc, start, freq,
                                     (uint32_t)1 << hmm->prec);
            filter(hmm, ws, x + t, 1, ws->edge);
        }
    }
    (void)bbans_range_finish(&enc, msg);
}

static bbans_status range_decode(const bbans_hmm *hmm, workspace *ws,
                                 const bbans_message *msg, uint32_t *x,
                                 const uint64_t *offset, size_t sequences)
{
    const uint32_t total = (uint32_t)1 << hmm->prec;
    bbans_range_decoder dec;
    bbans_status status = bbans_range_decoder_init(&dec, msg);
    size_t k, t;

    for (k = 0; k < sequences; k++) {
        if (k > 0)
            start_filter(hmm, ws);
        for (t = (size_t)offset[k]; t < offset[k + 1]; t++) {
            uint32_t slot, start, freq;

            if (status == BBANS_OK)
                status = bbans_range_slot(&dec, total, &slot);
            if (status != BBANS_OK)
                return status;
            (void)bbans_hmm_predict_find(hmm, ws->predicted, slot, x + t,
                                         &start, &freq);
            status = bbans_range_advance(&dec, start, freq, total);
            filter(hmm, ws, x + t, 1, ws->edge);
        }
    }
    return status == BBANS_OK ? bbans_range_check(&dec) : status;
}

/* Is there enough for bits back to start from? */
static int can_start(const bbans_lane *lane)
{
    return lane->tail_len > 0 || lane->x >= START_MIN;
}

static void push_flag(bbans_lane *lane, int schedule)
{
    if (schedule)
        bbans_lane_push(lane, 0, FLAG_SCHEDULE, FLAG_TOTAL);
    else
        bbans_lane_push(lane, FLAG_SCHEDULE, FLAG_TOTAL - FLAG_SCHEDULE,
                        FLAG_TOTAL);
}

static int pop_flag(bbans_lane *lane)
{
    const int schedule = bbans_slot(lane->x, FLAG_TOTAL) < FLAG_SCHEDULE;

    if (schedule)
        bbans_lane_advance(lane, 0, FLAG_SCHEDULE, FLAG_TOTAL);
    else
        bbans_lane_advance(lane, FLAG_SCHEDULE, FLAG_TOTAL - FLAG_SCHEDULE,
                           FLAG_TOTAL);
    return schedule;
}

bbans_status bbans_sequence_push(const bbans_hmm *hmm, bbans_message *msg,
                                 const uint32_t *symbol, size_t n, void *work,
                                 size_t work_bytes)
{
    bbans_status status = check_call(hmm, msg, symbol, n, work);
    bbans_lane lane;
    workspace ws;

    if (status == BBANS_OK && !symbols_are_valid(hmm, symbol, n))
        status = BBANS_ERR_SYMBOL;
    if (status == BBANS_OK)
        status = cut_workspace(hmm, n, work, work_bytes, &ws);
    if (status != BBANS_OK)
        return status;
    if ((msg->tail_cap - msg->tail_len) / 2 < n + 1)
        return BBANS_ERR_CAPACITY;
    filter_all(hmm, &ws, symbol, n);
    lane = bbans_lane_of(msg, 0);
    push_schedule(hmm, &ws, &lane, symbol, n);
    bbans_put_lane(msg, 0, &lane);
    return BBANS_OK;
}

bbans_status bbans_sequence_pop(const bbans_hmm *hmm, bbans_message *msg,
                                uint32_t *symbol, size_t n, void *work,
                                size_t work_bytes)
{
    bbans_status status = check_call(hmm, msg, symbol, n, work);
    bbans_lane lane;
    workspace ws;

    if (status == BBANS_OK)
        status = cut_small_workspace(hmm, work, work_bytes, &ws);
    if (status != BBANS_OK)
        return status;
    if (room_is_short(msg, n))
        return BBANS_ERR_CAPACITY;
    lane = bbans_lane_of(msg, 0);
    status = pop_schedule(hmm, &ws, &lane, symbol, n);
    bbans_put_lane(msg, 0, &lane);
    return status;
}

bbans_status bbans_sequence_encode(const bbans_hmm *hmm, const uint32_t *symbol,
                                   size_t n, int predictive, void *work,
                                   size_t work_bytes, bbans_message *msg)
{
    bbans_status status = check_call(hmm, msg, symbol, n, work);
    const int flagged =
        !predictive && status == BBANS_OK && n > hmm->tail_length;
    const size_t body = flagged ? n - hmm->tail_length : 0;
    const uint64_t tail[] = {body, n}, all[] = {0, n};
    bbans_lane lane;
    workspace ws;

    if (status == BBANS_OK && !symbols_are_valid(hmm, symbol, n))
        status = BBANS_ERR_SYMBOL;
    if (status == BBANS_OK)
        status = cut_workspace(hmm, body, work, work_bytes, &ws);
    if (status != BBANS_OK)
        return status;
    if (msg->tail_cap < bbans_sequence_tail_words(n))
        return BBANS_ERR_CAPACITY;
    filter_all(hmm, &ws, symbol, body);
    range_encode(hmm, &ws, symbol, tail, 1, msg);
    if (!flagged)
        return BBANS_OK;
    lane = bbans_lane_of(msg, 0);
    if (can_start(&lane)) {
        push_schedule(hmm, &ws, &lane, symbol, body);
        push_flag(&lane, 1);
    } else {
        start_filter(hmm, &ws);
        range_encode(hmm, &ws, symbol, all, 1, msg);
        lane = bbans_lane_of(msg, 0);
        push_flag(&lane, 0);
    }
    bbans_put_lane(msg, 0, &lane);
    return BBANS_OK;
}

bbans_status bbans_sequence_decode(const bbans_hmm *hmm, bbans_message *msg,
                                   uint32_t *symbol, size_t n, int predictive,
                                   void *work, size_t work_bytes)
{
    bbans_status status = check_call(hmm, msg, symbol, n, work);
    uint64_t rest[] = {0, n};
    workspace ws;

    if (status == BBANS_OK)
        status = cut_small_workspace(hmm, work, work_bytes, &ws);
    if (status != BBANS_OK)
        return status;
    if (room_is_short(msg, n))
        return BBANS_ERR_CAPACITY;
    start_filter(hmm, &ws);
    if (!predictive && n > hmm->tail_length) {
        bbans_lane lane = bbans_lane_of(msg, 0);

        if (pop_flag(&lane)) {
            rest[0] = n - hmm->tail_length;
            status = pop_schedule(hmm, &ws, &lane, symbol, (size_t)rest[0]);
            if (status == BBANS_OK && !can_start(&lane))
                status = BBANS_ERR_CORRUPT;
        }
        bbans_put_lane(msg, 0, &lane);
        if (status != BBANS_OK)
            return status;
    }
    return range_decode(hmm, &ws, msg, symbol, rest, 1);
}

/* ---- Many sequences ------------------------------------------------------ */

static bbans_status check_offsets(const uint64_t *offset, size_t n)
{
    size_t k;

    if (offset == NULL)
        return BBANS_ERR_NULL;
    for (k = 0; k < n; k++)
        if (offset[k + 1] < offset[k] || offset[k + 1] > SIZE_MAX / 8)
            return BBANS_ERR_SIZE;
    return offset[0] == 0 ? BBANS_OK : BBANS_ERR_SIZE;
}

/* p + i where p may be NULL if nothing is read there: NULL + 0 is undefined. */
#define AT(p, i) ((i) == 0 ? (p) : (p) + (i))

bbans_status bbans_batch_encode(const bbans_hmm *hmm, const uint32_t *symbol,
                                const uint64_t *offset, size_t n,
                                int predictive, void *work, size_t work_bytes,
                                bbans_message *msg, uint8_t *bytes, size_t cap,
                                uint64_t *byte_offset, size_t *failed)
{
    bbans_status status = check_offsets(offset, n);
    size_t k, used = 0, written;

    if (byte_offset == NULL || failed == NULL || (bytes == NULL && cap > 0))
        return BBANS_ERR_NULL;
    *failed = 0;
    if (status != BBANS_OK)
        return status;
    byte_offset[0] = 0;
    for (k = 0; k < n; k++) {
        *failed = k;
        status = bbans_sequence_encode(hmm, AT(symbol, offset[k]),
                                       (size_t)(offset[k + 1] - offset[k]),
                                       predictive, work, work_bytes, msg);
        if (status == BBANS_OK)
            status =
                bbans_wire_write(msg, AT(bytes, used), cap - used, &written);
        if (status != BBANS_OK)
            return status;
        used += written;
        byte_offset[k + 1] = used;
    }
    return BBANS_OK;
}

bbans_status bbans_batch_decode(const bbans_hmm *hmm, const uint8_t *bytes,
                                const uint64_t *byte_offset, uint32_t *symbol,
                                const uint64_t *offset, size_t n,
                                int predictive, void *work, size_t work_bytes,
                                bbans_message *msg, size_t *failed)
{
    bbans_status status = check_offsets(offset, n);
    size_t k;

    if (failed == NULL || msg == NULL)
        return BBANS_ERR_NULL;
    *failed = 0;
    if (status == BBANS_OK)
        status = check_offsets(byte_offset, n);
    for (k = 0; k < n && status == BBANS_OK; k++) {
        *failed = k;
        status = bbans_wire_read(msg, AT(bytes, byte_offset[k]),
                                 (size_t)(byte_offset[k + 1] - byte_offset[k]));
        if (status == BBANS_OK)
            status = bbans_sequence_decode(hmm, msg, AT(symbol, offset[k]),
                                           (size_t)(offset[k + 1] - offset[k]),
                                           predictive, work, work_bytes);
    }
    return status;
}

/* The sequences from the result on are range coded: the fewest at the end that
 * hold c symbols together; 0 if all do not hold more. */
static size_t first_of_tail(const bbans_hmm *hmm, const uint64_t *offset,
                            size_t n)
{
    size_t k = n;

    while (k > 0 && offset[n] - offset[k] < hmm->tail_length)
        k--;
    return k;
}

bbans_status bbans_packed_encode(const bbans_hmm *hmm, const uint32_t *symbol,
                                 const uint64_t *offset, size_t n, void *work,
                                 size_t work_bytes, bbans_message *msg)
{
    bbans_status status = check_offsets(offset, n);
    size_t k, first, longest = 0;
    bbans_lane lane;
    workspace ws;

    if (status != BBANS_OK)
        return status;
    status = check_call(hmm, msg, symbol, (size_t)offset[n], work);
    if (status == BBANS_OK &&
        !symbols_are_valid(hmm, symbol, (size_t)offset[n]))
        status = BBANS_ERR_SYMBOL;
    if (status != BBANS_OK)
        return status;
    for (k = 0; k < n; k++)
        if (offset[k + 1] - offset[k] > longest)
            longest = (size_t)(offset[k + 1] - offset[k]);
    status = cut_workspace(hmm, longest, work, work_bytes, &ws);
    if (status != BBANS_OK)
        return status;
    if (msg->tail_cap < bbans_sequence_tail_words((size_t)offset[n]))
        return BBANS_ERR_CAPACITY;
    first = first_of_tail(hmm, offset, n);
    start_filter(hmm, &ws);
    range_encode(hmm, &ws, symbol, offset + first, n - first, msg);
    if (first == 0)
        return BBANS_OK;
    lane = bbans_lane_of(msg, 0);
    if (can_start(&lane)) {
        for (k = first; k-- > 0;) {
            const size_t length = (size_t)(offset[k + 1] - offset[k]);

            filter_all(hmm, &ws, symbol + offset[k], length);
            push_schedule(hmm, &ws, &lane, symbol + offset[k], length);
        }
        push_flag(&lane, 1);
    } else {
        start_filter(hmm, &ws);
        range_encode(hmm, &ws, symbol, offset, n, msg);
        lane = bbans_lane_of(msg, 0);
        push_flag(&lane, 0);
    }
    bbans_put_lane(msg, 0, &lane);
    return BBANS_OK;
}

bbans_status bbans_packed_decode(const bbans_hmm *hmm, bbans_message *msg,
                                 uint32_t *symbol, const uint64_t *offset,
                                 size_t n, void *work, size_t work_bytes)
{
    bbans_status status = check_offsets(offset, n);
    size_t k, first;
    workspace ws;

    if (status != BBANS_OK)
        return status;
    status = check_call(hmm, msg, symbol, (size_t)offset[n], work);
    if (status == BBANS_OK)
        status = cut_small_workspace(hmm, work, work_bytes, &ws);
    if (status != BBANS_OK)
        return status;
    if (room_is_short(msg, (size_t)offset[n]))
        return BBANS_ERR_CAPACITY;
    first = first_of_tail(hmm, offset, n);
    if (first > 0) {
        bbans_lane lane = bbans_lane_of(msg, 0);

        if (pop_flag(&lane)) {
            for (k = 0; k < first && status == BBANS_OK; k++)
                status = pop_schedule(hmm, &ws, &lane, symbol + offset[k],
                                      (size_t)(offset[k + 1] - offset[k]));
            if (status == BBANS_OK && !can_start(&lane))
                status = BBANS_ERR_CORRUPT;
        } else {
            first = 0;
        }
        bbans_put_lane(msg, 0, &lane);
        if (status != BBANS_OK)
            return status;
    }
    start_filter(hmm, &ws);
    return range_decode(hmm, &ws, msg, symbol, offset + first, n - first);
}
