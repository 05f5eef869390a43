/* IconoCLaSM for a frozen HMM, and how a sequence becomes one message:
 * docs/maths.md, sections 1 and 7.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

/* The tail must hold this much before bits back may start from it. */
#define START_BITS 40
#define START_MIN ((uint64_t)1 << START_BITS)
#define NO_MARK SIZE_MAX

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
    uint32_t *column;      /* of an autoregressive model: the masses  */
    uint32_t *row;         /* of a symbol; [symbols] R of its context */
    uint32_t *below;       /* [symbols + 1] its running sums          */
} workspace;

static size_t n_blocks(size_t n, size_t block)
{
    return n / block + (n % block != 0);
}

#ifndef BBANS_DECODER_ONLY
size_t bbans_sequence_tail_words(size_t n)
{
    return 2 * n + 8;
}
#endif /* BBANS_DECODER_ONLY */

/* For the column, the row and the running sums of a context. */
static size_t context_rows(const bbans_hmm *hmm)
{
    return hmm->contexts == NULL
               ? 0
               : 1 + (2 * hmm->symbols + hmm->stride) / hmm->stride;
}

/* Rows of `stride` words; SIZE_MAX if they cannot be counted. */
static size_t work_rows(const bbans_hmm *hmm, size_t n, size_t block)
{
    const size_t blocks = block < n ? n_blocks(n, block) : 0;
    const size_t kept = block < n ? block : n;

    return n > SIZE_MAX / 4
               ? SIZE_MAX
               : 3 + context_rows(hmm) + blocks + (kept > 0 ? kept : 1);
}

size_t bbans_sequence_work_bytes(const bbans_hmm *hmm, size_t n, size_t block)
{
    size_t rows;

    if (hmm == NULL)
        return 0;
    rows = work_rows(hmm, n, block > 0 ? block : 1);
    return rows > (SIZE_MAX - BBANS_ALIGNMENT) / 4 / hmm->stride
               ? 0
               : 4 * hmm->stride * rows + (BBANS_ALIGNMENT - 1);
}

/* Use the largest block that fits: rows >= 3 + block + ceil(n / block), and a
 * context's. */
static bbans_status cut_workspace(const bbans_hmm *hmm, size_t n, void *work,
                                  size_t work_bytes, workspace *ws)
{
    const size_t rows =
        work_bytes < BBANS_ALIGNMENT
            ? 0
            : (work_bytes - (BBANS_ALIGNMENT - 1)) / (4 * hmm->stride);
    size_t block = rows;

    while (block > 0 && work_rows(hmm, n, block) > rows) {
        /* A block too large by its checkpoints shrinks by as much. */
        const size_t others =
            3 + context_rows(hmm) + (block < n ? n_blocks(n, block) : 0);

        block = others < rows ? rows - others : 0;
    }
    if (block == 0)
        return BBANS_ERR_CAPACITY;
    ws->block = block;
    ws->predicted = (uint32_t *)bbans_align(work);
    ws->edge = ws->predicted + hmm->stride + 15; /* edge + 1 is aligned */
    ws->column = ws->predicted + 3 * hmm->stride;
    ws->row = ws->column + hmm->stride;
    ws->below = ws->row + hmm->symbols;
    ws->checkpoints = ws->column + context_rows(hmm) * hmm->stride;
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

/* One filter step, from ws->predicted: x[t] of a sequence x, which has been
 * checked; in the context of a row, or of one to be found (NULL). */
static void filter(const bbans_hmm *hmm, workspace *ws, const uint32_t *x,
                   size_t t, const uint32_t *row, uint32_t beta,
                   uint32_t *filtered)
{
    const uint32_t *emitting = ws->column;

    if (hmm->contexts != NULL)
        bbans_context_column(hmm, x, t, row, beta, ws->column);
    else
        emitting = bbans_emitting(hmm, x[t]);
    bbans_kernel.hmm->filter(hmm, emitting, ws->predicted, filtered);
}

/* One sequence on its way through the schedule, a step at a time: the steps of
 * several can take turns, so that none waits for another's results. */
typedef struct {
    workspace ws;
    bbans_lane lane;
    const uint32_t *x; /* [n] what is pushed                       */
    uint32_t *decoded; /* [n] what is popped                       */
    size_t n;
    size_t t;     /* symbols filtered, then those left to push; or popped */
    size_t first; /* symbol of the first message kept                     */
    size_t z;     /* state                                                */
} stream;

#ifndef BBANS_DECODER_ONLY
/* The sender's way, part 1: filter x_1 .. x_n.  The last block's messages and
 * the checkpoints remain. */
static void start_filtering(const bbans_hmm *hmm, stream *s, const uint32_t *x,
                            size_t n)
{
    start_filter(hmm, &s->ws);
    s->x = x;
    s->n = n;
    s->t = s->first = 0;
}

static void filter_step(const bbans_hmm *hmm, stream *s)
{
    workspace *ws = &s->ws;
    const size_t stride = hmm->stride;

    if (s->t - s->first == ws->block)
        s->first = s->t;
    if (s->t == s->first && ws->block < s->n)
        memcpy(ws->checkpoints + s->t / ws->block * stride, ws->predicted,
               stride * sizeof *ws->predicted);
    filter(hmm, ws, s->x, s->t, NULL, 0,
           ws->filtered + (s->t - s->first) * stride);
    s->t++;
}

/* z <- Q(z | x_1 .. x_t, next) */
static size_t pop_state(const bbans_hmm *hmm, workspace *ws, bbans_lane *lane,
                        const uint32_t *filtered, size_t next)
{
    uint32_t *edge = ws->edge;
    const uint32_t total = bbans_kernel.hmm->posterior(
        filtered, bbans_into(hmm, next), hmm->stride, edge);
    const uint32_t slot = bbans_lane_take_slot(lane, total);
    const size_t z = bbans_kernel.hmm->rank(edge + 1, hmm->states, slot);

    bbans_lane_put_rest(lane, slot, edge[z], edge[z + 1] - edge[z]);
    return z;
}
#endif /* BBANS_DECODER_ONLY */

/* z -> Q(z | x_1 .. x_t, next) */
static bbans_status push_state(const bbans_hmm *hmm, workspace *ws,
                               bbans_lane *lane, size_t z, size_t next)
{
    uint32_t start, freq;
    const uint32_t total = bbans_kernel.hmm->interval(
        ws->filtered, bbans_into(hmm, next), hmm->stride, z, &start, &freq);

    if (freq == 0) /* no sender can have popped it */
        return BBANS_ERR_CORRUPT;
    bbans_lane_push(lane, start, freq, total);
    return BBANS_OK;
}

#ifndef BBANS_DECODER_ONLY
static void push_entry(bbans_lane *lane, const uint32_t *row, size_t k,
                       unsigned prec)
{
    bbans_lane_push_bits(lane, row[k], row[k + 1] - row[k], prec);
}

/* x[t] -> P(x[t] | z, x[0] .. x[t - 1]) */
static void push_symbol(const bbans_hmm *hmm, workspace *ws, bbans_lane *lane,
                        const uint32_t *x, size_t t, size_t z)
{
    const uint32_t *edge = hmm->emission_cdf + z * (hmm->symbols + 1);

    if (hmm->contexts != NULL) {
        uint32_t start = edge[x[t]], end = edge[x[t] + 1];
        const uint32_t beta = bbans_context_row(hmm, x, t, ws->row);
        const uint32_t total =
            bbans_context_interval(hmm, ws->row, beta, x[t], &start, &end);

        bbans_lane_push(lane, start, end - start, total);
        return;
    }
    push_entry(lane, edge, x[t], hmm->prec);
}
#endif /* BBANS_DECODER_ONLY */

static size_t pop_entry(bbans_lane *lane, const uint32_t *row, size_t symbols,
                        unsigned prec)
{
    const size_t k = bbans_kernel.hmm->rank(row + 1, symbols,
                                            bbans_slot_bits(lane->x, prec));

    bbans_lane_advance_bits(lane, row[k], row[k + 1] - row[k], prec);
    return k;
}

/* x[t] <- P(x[t] | z, x[0] .. x[t - 1]), and the step of the filter. */
static void pop_symbol(const bbans_hmm *hmm, workspace *ws, bbans_lane *lane,
                       uint32_t *x, size_t t, size_t z)
{
    const uint32_t *edge = hmm->emission_cdf + z * (hmm->symbols + 1);
    uint32_t beta = 0;

    if (hmm->contexts != NULL) {
        uint32_t slot, start, freq;

        beta = bbans_context_row(hmm, x, t, ws->row);
        slot = bbans_lane_take_slot(
            lane, bbans_context_total(hmm, ws->row, beta, ws->below));
        bbans_context_find(hmm, edge, NULL, ws->below, beta, slot, x + t,
                           &start, &freq);
        bbans_lane_put_rest(lane, slot, start, freq);
    } else {
        x[t] = (uint32_t)pop_entry(lane, edge, hmm->symbols, hmm->prec);
    }
    filter(hmm, ws, x, t, ws->row, beta, ws->filtered);
}

#ifndef BBANS_DECODER_ONLY
/* The sender's way, part 2: the schedule from the last symbol to the first. */
static void start_pushing(const bbans_hmm *hmm, stream *s)
{
    if (s->n > 0)
        s->z = pop_state(hmm, &s->ws, &s->lane,
                         s->ws.filtered + (s->n - 1 - s->first) * hmm->stride,
                         hmm->states);
}

static void push_step(const bbans_hmm *hmm, stream *s)
{
    const size_t K = hmm->states, stride = hmm->stride;
    const size_t t = --s->t, z_next = s->z; /* x[t] is x_t+1 of the paper */
    workspace *ws = &s->ws;

    push_symbol(hmm, ws, &s->lane, s->x, t, z_next);
    if (t == 0) {
        push_entry(&s->lane, hmm->initial_cdf, z_next, hmm->prec);
        return;
    }
    if (t == s->first) { /* filtered messages of the block before */
        size_t k;

        s->first -= ws->block;
        memcpy(ws->predicted, ws->checkpoints + s->first / ws->block * stride,
               stride * sizeof *ws->predicted);
        for (k = 0; k < ws->block; k++)
            filter(hmm, ws, s->x, s->first + k, NULL, 0,
                   ws->filtered + k * stride);
    }
    s->z = pop_state(hmm, ws, &s->lane,
                     ws->filtered + (t - 1 - s->first) * stride, z_next);
    push_entry(&s->lane, hmm->transition_cdf + s->z * (K + 1), z_next,
               hmm->prec);
}
#endif /* BBANS_DECODER_ONLY */

/* The receiver's way; it leaves the predicted weights of step n + 1. */
static void start_popping(const bbans_hmm *hmm, stream *s, uint32_t *x,
                          size_t n)
{
    start_filter(hmm, &s->ws);
    s->decoded = x;
    s->n = n;
    s->t = 0;
    if (n > 0)
        s->z = pop_entry(&s->lane, hmm->initial_cdf, hmm->states, hmm->prec);
}

static bbans_status pop_step(const bbans_hmm *hmm, stream *s)
{
    const size_t K = hmm->states, z = s->z;

    pop_symbol(hmm, &s->ws, &s->lane, s->decoded, s->t++, z);
    s->z = s->t < s->n ? pop_entry(&s->lane, hmm->transition_cdf + z * (K + 1),
                                   K, hmm->prec)
                       : K;
    return push_state(hmm, &s->ws, &s->lane, z, s->z);
}

/* Both ways for one sequence. */
#ifndef BBANS_DECODER_ONLY
static void filter_all(const bbans_hmm *hmm, stream *s, const uint32_t *x,
                       size_t n)
{
    start_filtering(hmm, s, x, n);
    while (s->t < n)
        filter_step(hmm, s);
}

static void push_all(const bbans_hmm *hmm, stream *s)
{
    start_pushing(hmm, s);
    while (s->t > 0)
        push_step(hmm, s);
}
#endif /* BBANS_DECODER_ONLY */

static bbans_status pop_all(const bbans_hmm *hmm, stream *s, uint32_t *x,
                            size_t n)
{
    bbans_status status = BBANS_OK;

    start_popping(hmm, s, x, n);
    while (s->t < n && status == BBANS_OK)
        status = pop_step(hmm, s);
    return status;
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

#ifndef BBANS_DECODER_ONLY
static int symbols_are_valid(const bbans_hmm *hmm, const uint32_t *symbol,
                             size_t n)
{
    size_t t;

    for (t = 0; t < n; t++)
        if (symbol[t] >= hmm->symbols)
            return 0;
    return 1;
}

/* x[t] to the range coder, and the step of the filter. */
static void range_push(const bbans_hmm *hmm, workspace *ws,
                       bbans_range_encoder *enc, const uint32_t *x, size_t t)
{
    uint32_t total = (uint32_t)1 << hmm->prec, beta = 0, start, freq;

    (void)bbans_hmm_predict(hmm, ws->predicted, x[t], &start, &freq);
    if (hmm->contexts != NULL) {
        uint32_t end = start + freq;

        beta = bbans_context_row(hmm, x, t, ws->row);
        total = bbans_context_interval(hmm, ws->row, beta, x[t], &start, &end);
        freq = end - start;
    }
    (void)bbans_range_encode(enc, start, freq, total);
    filter(hmm, ws, x, t, ws->row, beta, ws->edge);
}

/* Range code `sequences` runs of symbols, x[offset[0]] .. x[offset[sequences] -
 * 1], into *msg.  The first goes on from the predicted weights in the
 * workspace, in the sequence that begins at x[begin]; the others start anew.
 * The upper half of the tail is the scratch, at least 4 bytes a symbol, the
 * lower half takes the result, which is no longer. */
static void range_encode(const bbans_hmm *hmm, workspace *ws, const uint32_t *x,
                         size_t begin, const uint64_t *offset, size_t sequences,
                         bbans_message *msg)
{
    const size_t n = (size_t)(offset[sequences] - offset[0]);
    const size_t half = bbans_sequence_tail_words(n) / 2;
    bbans_range_encoder enc;
    size_t k, t;

    (void)bbans_range_encoder_init(&enc, (uint8_t *)(msg->tail + half),
                                   4 * half);
    for (k = 0; k < sequences; k++) {
        if (k > 0) {
            start_filter(hmm, ws);
            begin = (size_t)offset[k];
        }
        for (t = (size_t)offset[k] - begin; t < offset[k + 1] - begin; t++)
            range_push(hmm, ws, &enc, x + begin, t);
    }
    (void)bbans_range_finish(&enc, msg);
}
#endif /* BBANS_DECODER_ONLY */

/* x[t] from the range coder, and the step of the filter. */
static bbans_status range_pop(const bbans_hmm *hmm, workspace *ws,
                              bbans_range_decoder *dec, uint32_t *x, size_t t)
{
    uint32_t total = (uint32_t)1 << hmm->prec, beta = 0, slot, start, freq;
    bbans_status status;

    if (hmm->contexts != NULL) {
        beta = bbans_context_row(hmm, x, t, ws->row);
        total = bbans_context_total(hmm, ws->row, beta, ws->below);
    }
    status = bbans_range_slot(dec, total, &slot);
    if (status != BBANS_OK)
        return status;
    if (hmm->contexts == NULL)
        (void)bbans_hmm_predict_find(hmm, ws->predicted, slot, x + t, &start,
                                     &freq);
    else
        bbans_context_find(hmm, NULL, ws->predicted, ws->below, beta, slot,
                           x + t, &start, &freq);
    status = bbans_range_advance(dec, start, freq, total);
    filter(hmm, ws, x, t, ws->row, beta, ws->edge);
    return status;
}

/* Those from symbol `mark` on must hold too little to start bits back from. */
static bbans_status range_decode(const bbans_hmm *hmm, workspace *ws,
                                 const bbans_message *msg, uint32_t *x,
                                 size_t begin, const uint64_t *offset,
                                 size_t sequences, size_t mark)
{
    bbans_range_decoder dec;
    bbans_status status = bbans_range_decoder_init(&dec, msg);
    size_t k, t;

    for (k = 0; k < sequences; k++) {
        if (k > 0) {
            start_filter(hmm, ws);
            begin = (size_t)offset[k];
        }
        for (t = (size_t)offset[k] - begin; t < offset[k + 1] - begin; t++) {
            if (begin + t == mark)
                (void)bbans_range_mark(&dec, START_BITS);
            if (status == BBANS_OK)
                status = range_pop(hmm, ws, &dec, x + begin, t);
            if (status != BBANS_OK)
                return status;
        }
    }
    return status == BBANS_OK ? bbans_range_check(&dec) : status;
}

/* Is there enough for bits back to start from? */
static int can_start(const bbans_lane *lane)
{
    return lane->tail_len > 0 || lane->x >= START_MIN;
}

#ifndef BBANS_DECODER_ONLY
static void push_flag(bbans_lane *lane, int schedule)
{
    if (schedule)
        bbans_lane_push(lane, 0, FLAG_SCHEDULE, FLAG_TOTAL);
    else
        bbans_lane_push(lane, FLAG_SCHEDULE, FLAG_TOTAL - FLAG_SCHEDULE,
                        FLAG_TOTAL);
}
#endif /* BBANS_DECODER_ONLY */

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

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_sequence_push(const bbans_hmm *hmm, bbans_message *msg,
                                 const uint32_t *symbol, size_t n, void *work,
                                 size_t work_bytes)
{
    bbans_status status = check_call(hmm, msg, symbol, n, work);
    stream s;

    if (status == BBANS_OK && !symbols_are_valid(hmm, symbol, n))
        status = BBANS_ERR_SYMBOL;
    if (status == BBANS_OK)
        status = cut_workspace(hmm, n, work, work_bytes, &s.ws);
    if (status != BBANS_OK)
        return status;
    if ((msg->tail_cap - msg->tail_len) / 2 < n + 1)
        return BBANS_ERR_CAPACITY;
    filter_all(hmm, &s, symbol, n);
    s.lane = bbans_lane_of(msg, 0);
    push_all(hmm, &s);
    bbans_put_lane(msg, 0, &s.lane);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_sequence_pop(const bbans_hmm *hmm, bbans_message *msg,
                                uint32_t *symbol, size_t n, void *work,
                                size_t work_bytes)
{
    bbans_status status = check_call(hmm, msg, symbol, n, work);
    stream s;

    if (status == BBANS_OK)
        status = cut_small_workspace(hmm, work, work_bytes, &s.ws);
    if (status != BBANS_OK)
        return status;
    if (room_is_short(msg, n))
        return BBANS_ERR_CAPACITY;
    s.lane = bbans_lane_of(msg, 0);
    status = pop_all(hmm, &s, symbol, n);
    bbans_put_lane(msg, 0, &s.lane);
    return status;
}

/* A sequence as a message of its own, for one or for several taking turns: of
 * n symbols, those before `body` are coded by the schedule. */
typedef struct {
    stream s;
    const uint32_t *x;
    size_t n, body, mark;
    bbans_message *msg;
    bbans_status status;
} job;

static size_t body_of(const bbans_hmm *hmm, size_t n, int predictive)
{
    return !predictive && n > hmm->tail_length ? n - hmm->tail_length : 0;
}

#ifndef BBANS_DECODER_ONLY
static bbans_status start_encoding(const bbans_hmm *hmm, job *j,
                                   const uint32_t *x, size_t n, int predictive,
                                   void *work, size_t work_bytes,
                                   bbans_message *msg)
{
    bbans_status status = check_call(hmm, msg, x, n, work);

    if (status == BBANS_OK && !symbols_are_valid(hmm, x, n))
        status = BBANS_ERR_SYMBOL;
    if (status != BBANS_OK)
        return status;
    j->x = x;
    j->n = n;
    j->body = body_of(hmm, n, predictive);
    j->msg = msg;
    status = cut_workspace(hmm, j->body, work, work_bytes, &j->s.ws);
    if (status != BBANS_OK)
        return status;
    if (msg->tail_cap < bbans_sequence_tail_words(n))
        return BBANS_ERR_CAPACITY;
    start_filtering(hmm, &j->s, x, j->body);
    return BBANS_OK;
}

/* The tail into the message; then the schedule starts from it if it can, else
 * all is range coded and no step is left. */
static void encode_tail(const bbans_hmm *hmm, job *j)
{
    const uint64_t tail[] = {j->body, j->n}, all[] = {0, j->n};
    stream *s = &j->s;

    range_encode(hmm, &s->ws, j->x, 0, tail, 1, j->msg);
    s->lane = bbans_lane_of(j->msg, 0);
    if (j->body == 0)
        return;
    if (can_start(&s->lane)) {
        start_pushing(hmm, s);
        return;
    }
    start_filter(hmm, &s->ws);
    range_encode(hmm, &s->ws, j->x, 0, all, 1, j->msg);
    s->lane = bbans_lane_of(j->msg, 0);
    push_flag(&s->lane, 0);
    s->t = j->body = 0;
}

static void finish_encoding(job *j)
{
    if (j->body > 0)
        push_flag(&j->s.lane, 1);
    bbans_put_lane(j->msg, 0, &j->s.lane);
}
#endif /* BBANS_DECODER_ONLY */

static bbans_status start_decoding(const bbans_hmm *hmm, job *j,
                                   bbans_message *msg, uint32_t *x, size_t n,
                                   int predictive, void *work,
                                   size_t work_bytes)
{
    bbans_status status = check_call(hmm, msg, x, n, work);

    if (status == BBANS_OK)
        status = cut_small_workspace(hmm, work, work_bytes, &j->s.ws);
    if (status != BBANS_OK)
        return status;
    if (room_is_short(msg, n))
        return BBANS_ERR_CAPACITY;
    j->n = n;
    j->body = body_of(hmm, n, predictive);
    j->msg = msg;
    j->mark = NO_MARK;
    j->s.lane = bbans_lane_of(msg, 0);
    if (j->body > 0 && !pop_flag(&j->s.lane)) {
        j->mark = j->body;
        j->body = 0;
    }
    start_popping(hmm, &j->s, x, j->body);
    return BBANS_OK;
}

/* After the last step: the tail. */
static bbans_status finish_decoding(const bbans_hmm *hmm, job *j)
{
    const uint64_t tail[] = {j->body, j->n};

    bbans_put_lane(j->msg, 0, &j->s.lane);
    if (j->body > 0 && !can_start(&j->s.lane))
        return BBANS_ERR_CORRUPT;
    return range_decode(hmm, &j->s.ws, j->msg, j->s.decoded, 0, tail, 1,
                        j->mark);
}

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_sequence_encode(const bbans_hmm *hmm, const uint32_t *symbol,
                                   size_t n, int predictive, void *work,
                                   size_t work_bytes, bbans_message *msg)
{
    job j;
    const bbans_status status =
        start_encoding(hmm, &j, symbol, n, predictive, work, work_bytes, msg);

    if (status != BBANS_OK)
        return status;
    while (j.s.t < j.body)
        filter_step(hmm, &j.s);
    encode_tail(hmm, &j);
    while (j.s.t > 0)
        push_step(hmm, &j.s);
    finish_encoding(&j);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_sequence_decode_until(const bbans_hmm *hmm,
                                         bbans_message *msg, uint32_t *symbol,
                                         size_t cap, uint32_t last, size_t *n,
                                         void *work, size_t work_bytes)
{
    bbans_status status = check_call(hmm, msg, symbol, cap, work);
    bbans_range_decoder dec;
    workspace ws;
    size_t t = 0;

    if (n == NULL)
        return BBANS_ERR_NULL;
    if (status == BBANS_OK)
        status = cut_small_workspace(hmm, work, work_bytes, &ws);
    if (status == BBANS_OK)
        status = bbans_range_decoder_init(&dec, msg);
    if (status != BBANS_OK)
        return status;
    start_filter(hmm, &ws);
    do {
        if (t == cap)
            return BBANS_ERR_CAPACITY;
        status = range_pop(hmm, &ws, &dec, symbol, t);
        if (status != BBANS_OK)
            return status;
    } while (symbol[t++] != last);
    *n = t;
    return bbans_range_check(&dec);
}

bbans_status bbans_sequence_decode(const bbans_hmm *hmm, bbans_message *msg,
                                   uint32_t *symbol, size_t n, int predictive,
                                   void *work, size_t work_bytes)
{
    job j;
    bbans_status status =
        start_decoding(hmm, &j, msg, symbol, n, predictive, work, work_bytes);

    while (status == BBANS_OK && j.s.t < j.body)
        status = pop_step(hmm, &j.s);
    return status == BBANS_OK ? finish_decoding(hmm, &j) : status;
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

static size_t longest_of(const uint64_t *offset, size_t n)
{
    size_t k, longest = 0;

    for (k = 0; k < n; k++)
        if (offset[k + 1] - offset[k] > longest)
            longest = (size_t)(offset[k + 1] - offset[k]);
    return longest;
}

/* Up to BBANS_BATCH sequences take turns, step by step: while one waits for a
 * result, the processor works for the others.  Each has a part of the workspace
 * and of the scratch message's tail. */
typedef struct {
    job jobs[BBANS_BATCH];
    bbans_message msg[BBANS_BATCH];
    uint64_t head[BBANS_BATCH];
    size_t n, work_bytes;
} turns;

/* One takes all if there is no room for `work_need` bytes (0: too many to
 * count) and `tail_need` words for two. */
static void share_out(turns *all, size_t n, size_t work_bytes, size_t work_need,
                      const bbans_message *msg, size_t tail_need)
{
    size_t g;

    work_need = (work_need + 63) / 64 * 64;
    all->n = n < BBANS_BATCH ? n : BBANS_BATCH;
    if (work_need == 0 || work_bytes / work_need < all->n)
        all->n = work_need == 0 ? 1 : work_bytes / work_need;
    if (msg->tail_cap / tail_need < all->n)
        all->n = msg->tail_cap / tail_need;
    if (all->n == 0)
        all->n = 1;
    all->work_bytes = all->n == 1 ? work_bytes : work_need;
    for (g = 0; g < all->n; g++) {
        const size_t cap = msg->tail_cap / all->n;

        (void)bbans_message_init(&all->msg[g], &all->head[g], 1,
                                 AT(msg->tail, g * cap), cap);
    }
}

static void *part_of(void *work, const turns *all, size_t g)
{
    return (uint8_t *)work + g * all->work_bytes;
}

static size_t longest_body(const turns *all, size_t group)
{
    size_t g, most = 0;

    for (g = 0; g < group; g++)
        if (all->jobs[g].body > most)
            most = all->jobs[g].body;
    return most;
}

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_batch_encode(const bbans_hmm *hmm, const uint32_t *symbol,
                                const uint64_t *offset, size_t n,
                                int predictive, void *work, size_t work_bytes,
                                bbans_message *msg, uint8_t *bytes, size_t cap,
                                uint64_t *byte_offset, size_t *failed)
{
    bbans_status status = check_offsets(offset, n);
    size_t k, g, t, longest, most, used = 0, written;
    turns all;

    if (byte_offset == NULL || failed == NULL || (bytes == NULL && cap > 0))
        return BBANS_ERR_NULL;
    *failed = 0;
    if (status == BBANS_OK)
        status = check_call(hmm, msg, symbol, (size_t)offset[n], work);
    if (status != BBANS_OK)
        return status;
    longest = longest_of(offset, n);
    share_out(&all, n, work_bytes,
              bbans_sequence_work_bytes(hmm, longest, longest), msg,
              bbans_sequence_tail_words(longest));
    byte_offset[0] = 0;
    for (k = 0; k < n; k += all.n) {
        const size_t group = n - k < all.n ? n - k : all.n;

        for (g = 0; g < group; g++) {
            *failed = k + g;
            status = start_encoding(
                hmm, &all.jobs[g], AT(symbol, offset[k + g]),
                (size_t)(offset[k + g + 1] - offset[k + g]), predictive,
                part_of(work, &all, g), all.work_bytes, &all.msg[g]);
            if (status != BBANS_OK)
                return status;
        }
        most = longest_body(&all, group);
        for (t = 0; t < most; t++)
            for (g = 0; g < group; g++)
                if (t < all.jobs[g].body)
                    filter_step(hmm, &all.jobs[g].s);
        for (g = 0; g < group; g++)
            encode_tail(hmm, &all.jobs[g]);
        for (t = most; t-- > 0;)
            for (g = 0; g < group; g++)
                if (t < all.jobs[g].s.t)
                    push_step(hmm, &all.jobs[g].s);
        for (g = 0; g < group; g++) {
            *failed = k + g;
            finish_encoding(&all.jobs[g]);
            status = bbans_wire_write(&all.msg[g], AT(bytes, used), cap - used,
                                      &written);
            if (status != BBANS_OK)
                return status;
            used += written;
            byte_offset[k + g + 1] = used;
        }
    }
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_batch_decode(const bbans_hmm *hmm, const uint8_t *bytes,
                                const uint64_t *byte_offset, uint32_t *symbol,
                                const uint64_t *offset, size_t n,
                                int predictive, void *work, size_t work_bytes,
                                bbans_message *msg, size_t *failed)
{
    bbans_status status = check_offsets(offset, n);
    bbans_status outcome[BBANS_BATCH];
    size_t k, g, t, most;
    turns all;

    if (failed == NULL)
        return BBANS_ERR_NULL;
    *failed = 0;
    if (status == BBANS_OK)
        status = check_offsets(byte_offset, n);
    if (status == BBANS_OK)
        status = check_call(hmm, msg, symbol, (size_t)offset[n], work);
    if (status != BBANS_OK)
        return status;
    share_out(&all, n, work_bytes, bbans_sequence_work_bytes(hmm, 1, 1), msg,
              longest_of(byte_offset, n) / 4 + longest_of(offset, n) + 1);
    for (k = 0; k < n; k += all.n) {
        const size_t group = n - k < all.n ? n - k : all.n;

        for (g = 0; g < group; g++) {
            job *j = &all.jobs[g];

            j->s.t = j->body = 0;
            outcome[g] = bbans_wire_read(
                &all.msg[g], AT(bytes, byte_offset[k + g]),
                (size_t)(byte_offset[k + g + 1] - byte_offset[k + g]));
            if (outcome[g] == BBANS_OK)
                outcome[g] = start_decoding(
                    hmm, j, &all.msg[g], AT(symbol, offset[k + g]),
                    (size_t)(offset[k + g + 1] - offset[k + g]), predictive,
                    part_of(work, &all, g), all.work_bytes);
        }
        most = longest_body(&all, group);
        for (t = 0; t < most; t++)
            for (g = 0; g < group; g++)
                if (outcome[g] == BBANS_OK && t < all.jobs[g].body)
                    outcome[g] = pop_step(hmm, &all.jobs[g].s);
        for (g = 0; g < group; g++) {
            *failed = k + g;
            if (outcome[g] == BBANS_OK)
                outcome[g] = finish_decoding(hmm, &all.jobs[g]);
            if (outcome[g] != BBANS_OK)
                return outcome[g];
        }
    }
    return BBANS_OK;
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

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_packed_encode(const bbans_hmm *hmm, const uint32_t *symbol,
                                 const uint64_t *offset, size_t n, void *work,
                                 size_t work_bytes, bbans_message *msg)
{
    bbans_status status = check_offsets(offset, n);
    size_t k, first;
    stream s;

    if (status != BBANS_OK)
        return status;
    status = check_call(hmm, msg, symbol, (size_t)offset[n], work);
    if (status == BBANS_OK &&
        !symbols_are_valid(hmm, symbol, (size_t)offset[n]))
        status = BBANS_ERR_SYMBOL;
    if (status != BBANS_OK)
        return status;
    status = cut_workspace(hmm, longest_of(offset, n), work, work_bytes, &s.ws);
    if (status != BBANS_OK)
        return status;
    if (msg->tail_cap < bbans_sequence_tail_words((size_t)offset[n]))
        return BBANS_ERR_CAPACITY;
    first = first_of_tail(hmm, offset, n);
    start_filter(hmm, &s.ws);
    range_encode(hmm, &s.ws, symbol, (size_t)offset[first], offset + first,
                 n - first, msg);
    if (first == 0)
        return BBANS_OK;
    s.lane = bbans_lane_of(msg, 0);
    if (can_start(&s.lane)) {
        for (k = first; k-- > 0;) {
            filter_all(hmm, &s, symbol + offset[k],
                       (size_t)(offset[k + 1] - offset[k]));
            push_all(hmm, &s);
        }
        push_flag(&s.lane, 1);
    } else {
        start_filter(hmm, &s.ws);
        range_encode(hmm, &s.ws, symbol, 0, offset, n, msg);
        s.lane = bbans_lane_of(msg, 0);
        push_flag(&s.lane, 0);
    }
    bbans_put_lane(msg, 0, &s.lane);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_packed_decode(const bbans_hmm *hmm, bbans_message *msg,
                                 uint32_t *symbol, const uint64_t *offset,
                                 size_t n, void *work, size_t work_bytes)
{
    bbans_status status = check_offsets(offset, n);
    size_t k, first, mark = NO_MARK;
    stream s;

    if (status != BBANS_OK)
        return status;
    status = check_call(hmm, msg, symbol, (size_t)offset[n], work);
    if (status == BBANS_OK)
        status = cut_small_workspace(hmm, work, work_bytes, &s.ws);
    if (status != BBANS_OK)
        return status;
    if (room_is_short(msg, (size_t)offset[n]))
        return BBANS_ERR_CAPACITY;
    first = first_of_tail(hmm, offset, n);
    if (first > 0) {
        s.lane = bbans_lane_of(msg, 0);
        if (pop_flag(&s.lane)) {
            for (k = 0; k < first && status == BBANS_OK; k++)
                status = pop_all(hmm, &s, symbol + offset[k],
                                 (size_t)(offset[k + 1] - offset[k]));
            if (status == BBANS_OK && !can_start(&s.lane))
                status = BBANS_ERR_CORRUPT;
        } else {
            mark = (size_t)offset[first];
            first = 0;
        }
        bbans_put_lane(msg, 0, &s.lane);
        if (status != BBANS_OK)
            return status;
    }
    start_filter(hmm, &s.ws);
    return range_decode(hmm, &s.ws, msg, symbol, (size_t)offset[first],
                        offset + first, n - first, mark);
}
