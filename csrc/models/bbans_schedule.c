/* IconoCLaSM for any state space model with an engine, and how a sequence
 * becomes one message: docs/maths.md, "What is coded" and "A sequence as one
 * message".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_state_space.h"

/* Whether the sequence is coded by the schedule or by the range coder alone. */
#define FLAG_TOTAL 16
#define FLAG_SCHEDULE 15 /* [0, 15) schedule, [15, 16) range coder */

/* Words of tail beside those of the observations: heads and ends. */
#define SPARE_WORDS 16

#define NO_MARK SIZE_MAX

/* Whether there are latents. */
static int has_schedule(const bbans_state_space *model)
{
    return model->engine->pop_all != NULL;
}

/* Whether messages of their own are range coded as a whole. */
static int is_predictive(const bbans_state_space *model)
{
    return model->predictive || !has_schedule(model);
}

/* p + i elements, where p may be NULL if nothing is read there. */
static const void *element(const bbans_state_space *model, const void *x,
                           size_t i)
{
    return i == 0 ? x : (const uint8_t *)x + i * model->observation_bytes;
}

static void *place(const bbans_state_space *model, void *x, size_t i)
{
    return i == 0 ? x : (uint8_t *)x + i * model->observation_bytes;
}

size_t bbans_sequence_tail_words(const bbans_state_space *model, size_t n)
{
    if (model == NULL || n > (SIZE_MAX / 4 - SPARE_WORDS) / model->push_words)
        return 0;
    return model->push_words * n + SPARE_WORDS;
}

/* ---- The workspace ------------------------------------------------------- */

static size_t n_blocks(size_t n, size_t block)
{
    return block < n ? n / block + (n % block != 0) : 0;
}

/* Bytes beside records and checkpoints.  One record is to spare: of the step
 * whose block is left, and where the range coder's steps go. */
static size_t fixed_bytes(const bbans_state_space *model)
{
    return model->scratch_bytes + model->belief_bytes + 2 * model->state_bytes +
           model->record_bytes + (BBANS_ALIGNMENT - 1);
}

static int exceeds(size_t n, size_t each, size_t limit)
{
    return each > 0 && n > limit / each;
}

/* For records of `block` steps, and the belief before each block; SIZE_MAX if
 * it cannot be counted. */
static size_t kept_bytes(const bbans_state_space *model, size_t n, size_t block)
{
    const size_t kept = block < n ? block : n > 0 ? n : 1;
    const size_t blocks = n_blocks(n, block);
    const size_t limit = SIZE_MAX / 4;

    if (exceeds(kept, model->record_bytes, limit) ||
        exceeds(blocks, model->belief_bytes, limit))
        return SIZE_MAX;
    return kept * model->record_bytes + blocks * model->belief_bytes;
}

size_t bbans_sequence_work_bytes(const bbans_state_space *model, size_t n,
                                 size_t block)
{
    size_t kept;

    if (model == NULL)
        return 0;
    if (model->record_bytes == 0) /* then they are all kept */
        block = SIZE_MAX;
    kept = kept_bytes(model, n, block > 0 ? block : 1);
    return kept == SIZE_MAX ? 0 : fixed_bytes(model) + kept;
}

/* Use the largest block that fits. */
static bbans_status cut_workspace(const bbans_state_space *model, size_t n,
                                  void *work, size_t work_bytes,
                                  bbans_stream *s)
{
    const size_t fixed = fixed_bytes(model);
    size_t room, block;
    uint8_t *at = (uint8_t *)bbans_align(work);

    if (work_bytes < fixed)
        return BBANS_ERR_CAPACITY;
    room = work_bytes - fixed;
    block = model->record_bytes == 0 ? SIZE_MAX : room / model->record_bytes;
    while (block > 0 && kept_bytes(model, n, block) > room) {
        /* A block too large by its checkpoints shrinks by as much. */
        const size_t others = n_blocks(n, block) * model->belief_bytes;
        const size_t fits =
            others < room ? (room - others) / model->record_bytes : 0;

        block = fits < block ? fits : block - 1;
    }
    if (block == 0)
        return BBANS_ERR_CAPACITY;
    s->block = block;
    s->scratch = at;
    s->belief = at += model->scratch_bytes;
    s->records = at += model->belief_bytes;
    s->checkpoints = at += ((block < n ? block
                             : n > 0   ? n
                                       : 1) +
                            1) *
                           model->record_bytes;
    s->states = at + n_blocks(n, block) * model->belief_bytes;
    return BBANS_OK;
}

/* Decoding keeps the records of two steps. */
static bbans_status cut_small_workspace(const bbans_state_space *model,
                                        void *work, size_t work_bytes,
                                        bbans_stream *s)
{
    return cut_workspace(model, 1, work, work_bytes, s);
}

static void start_filter(const bbans_state_space *model, bbans_stream *s)
{
    model->engine->start(model, s->belief);
    s->t = 0;
}

/* Without latents no step is before the start. */
static void start_all(const bbans_state_space *model, bbans_group *g)
{
    size_t i;

    for (i = 0; i < g->n; i++)
        start_filter(model, &g->stream[i]);
}

#ifndef BBANS_DECODER_ONLY
static void filter_all(const bbans_state_space *model, bbans_group *g)
{
    if (has_schedule(model))
        model->engine->filter_all(model, g);
    else
        start_all(model, g);
}

static void push_all(const bbans_state_space *model, bbans_group *g)
{
    if (has_schedule(model))
        model->engine->push_all(model, g);
}
#endif /* BBANS_DECODER_ONLY */

static void pop_all(const bbans_state_space *model, bbans_group *g)
{
    if (has_schedule(model))
        model->engine->pop_all(model, g);
    else
        start_all(model, g);
}

static void predict(const bbans_state_space *model, bbans_stream *s)
{
    if (model->engine->predict != NULL)
        model->engine->predict(model, s);
}

/* ---- The range coder ----------------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
/* The upper half of the tail is the encoder's scratch, the lower half takes the
 * result, which is no longer. */
static void start_range_encoder(bbans_message *msg, bbans_range_encoder *enc)
{
    const size_t half = msg->tail_cap / 2;

    (void)bbans_range_encoder_init(enc, (uint8_t *)(msg->tail + half),
                                   4 * (msg->tail_cap - half));
}

/* x[t] .. x[end - 1], on from the belief. */
static void range_encode(const bbans_state_space *model, bbans_stream *s,
                         size_t t, size_t end, bbans_range_encoder *enc)
{
    s->record = bbans_record_at(model, s, 0);
    for (s->t = t; s->t < end && s->status == BBANS_OK; s->t++) {
        predict(model, s);
        model->engine->encode(model, s, enc);
    }
}
#endif /* BBANS_DECODER_ONLY */

/* Those from s->mark on must hold too little to start bits back from. */
static bbans_status range_decode(const bbans_state_space *model,
                                 bbans_stream *s, size_t t, size_t end,
                                 bbans_range_decoder *dec)
{
    bbans_status status = BBANS_OK;

    s->record = bbans_record_at(model, s, 0);
    for (s->t = t; s->t < end && status == BBANS_OK; s->t++) {
        if (s->t == s->mark)
            (void)bbans_range_mark(dec, model->start_bits);
        predict(model, s);
        status = s->status != BBANS_OK ? s->status
                                       : model->engine->decode(model, s, dec);
    }
    return status;
}

/* ---- What observations take ---------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
/* Of the workspace, bytes in which one observation is range coded: the upper
 * half of a message's tail, as above, in whole units of 8. */
static size_t costs_scratch_bytes(const bbans_state_space *model)
{
    return (bbans_sequence_tail_words(model, 1) + 3) / 4 * 8;
}

size_t bbans_sequence_costs_bytes(const bbans_state_space *model)
{
    const size_t work = bbans_sequence_work_bytes(model, 1, 1);
    const size_t scratch = costs_scratch_bytes(model);

    return work == 0 || scratch == 0 || work > SIZE_MAX - scratch
               ? 0
               : scratch + work;
}
#endif /* BBANS_DECODER_ONLY */

/* ---- A sequence as a message of its own ---------------------------------- */

/* I >= 2^start_bits: enough for bits back to start from. */
static int can_start(const bbans_state_space *model, const bbans_lane *lane)
{
    const size_t need = model->start_bits;
    const size_t have = (size_t)bbans_bit_length(lane->x);

    return lane->tail_len > need / 32 || 32 * lane->tail_len + have > need;
}

static size_t body_of(const bbans_state_space *model, size_t n)
{
    return !is_predictive(model) && n > model->start_length
               ? n - model->start_length
               : 0;
}

static bbans_status check_call(const bbans_state_space *model,
                               const bbans_message *msg, const void *x,
                               size_t n, const void *work)
{
    if (model == NULL || msg == NULL || (x == NULL && n > 0) || work == NULL)
        return BBANS_ERR_NULL;
    return msg->lanes == 1 ? BBANS_OK : BBANS_ERR_STATE;
}

/* A message shrinks when popped from, but a damaged one can grow by the words
 * that pushes of states may move. */
static int room_is_short(const bbans_state_space *model,
                         const bbans_message *msg, size_t n)
{
    return (msg->tail_cap - msg->tail_len) / model->pop_words < n;
}

#ifndef BBANS_DECODER_ONLY
static int accepts(const bbans_state_space *model, const void *x, size_t n)
{
    return model->engine->accepts == NULL ||
           model->engine->accepts(model, x, n);
}

bbans_status bbans_sequence_costs(const bbans_state_space *model, const void *x,
                                  size_t n, uint64_t *cost, void *work,
                                  size_t work_bytes)
{
    uint32_t log2_range = BBANS_RANGE_LOG2;
    bbans_range_encoder enc;
    bbans_status status;
    bbans_stream s;
    size_t t, scratch;

    if (model == NULL || work == NULL || ((x == NULL || cost == NULL) && n > 0))
        return BBANS_ERR_NULL;
    if (!accepts(model, x, n))
        return BBANS_ERR_SYMBOL;
    scratch = costs_scratch_bytes(model);
    if (scratch == 0 || work_bytes < scratch)
        return BBANS_ERR_CAPACITY;
    status = cut_small_workspace(model, (uint8_t *)work + scratch,
                                 work_bytes - scratch, &s);
    if (status != BBANS_OK)
        return status;
    s.x = x;
    s.out = NULL;
    s.status = BBANS_OK;
    start_filter(model, &s);
    (void)bbans_range_encoder_init(&enc, (uint8_t *)work, scratch);
    for (t = 0; t < n && s.status == BBANS_OK; t++) {
        range_encode(model, &s, t, t + 1, &enc);
        cost[t] = bbans_range_take_cost(&enc, &log2_range);
    }
    return s.status;
}

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
/* Check that n observations can become a message, and make a stream of them. */
static bbans_status start_encoding(const bbans_state_space *model,
                                   bbans_stream *s, const void *x, size_t n,
                                   void *work, size_t work_bytes,
                                   bbans_message *msg)
{
    bbans_status status = check_call(model, msg, x, n, work);
    size_t words;

    if (status == BBANS_OK && !accepts(model, x, n))
        status = BBANS_ERR_SYMBOL;
    if (status != BBANS_OK)
        return status;
    s->x = x;
    s->out = NULL;
    s->length = n;
    s->body = body_of(model, n);
    s->msg = msg;
    s->status = BBANS_OK;
    status = cut_workspace(model, s->body, work, work_bytes, s);
    if (status != BBANS_OK)
        return status;
    words = bbans_sequence_tail_words(model, n);
    return words == 0 || msg->tail_cap < words ? BBANS_ERR_CAPACITY : BBANS_OK;
}

/* The start into the message; then the schedule starts from it if it can, else
 * all is range coded and no step is left. */
static void encode_start(const bbans_state_space *model, bbans_stream *s)
{
    bbans_range_encoder enc;

    start_range_encoder(s->msg, &enc);
    range_encode(model, s, s->body, s->length, &enc);
    (void)bbans_range_finish(&enc, s->msg);
    s->lane = bbans_lane_of(s->msg, 0);
    if (s->body == 0 || can_start(model, &s->lane))
        return;
    start_filter(model, s);
    start_range_encoder(s->msg, &enc);
    range_encode(model, s, 0, s->length, &enc);
    (void)bbans_range_finish(&enc, s->msg);
    s->lane = bbans_lane_of(s->msg, 0);
    push_flag(&s->lane, 0);
    s->body = 0;
}

/* The first of a group that failed, or BBANS_OK. */
static bbans_status outcome_of(const bbans_group *g, size_t *failed)
{
    for (*failed = 0; *failed < g->n; ++*failed)
        if (g->stream[*failed].status != BBANS_OK)
            return g->stream[*failed].status;
    return BBANS_OK;
}

/* All of the group, which have been started.  After an error *failed is which.
 */
static bbans_status encode_all(const bbans_state_space *model, bbans_group *g,
                               size_t *failed)
{
    bbans_status status;
    size_t i;

    filter_all(model, g);
    for (i = 0; i < g->n; i++)
        encode_start(model, &g->stream[i]);
    status = outcome_of(g, failed);
    if (status != BBANS_OK)
        return status;
    push_all(model, g);
    for (i = 0; i < g->n; i++) {
        bbans_stream *s = &g->stream[i];

        if (s->body > 0)
            push_flag(&s->lane, 1);
        bbans_put_lane(s->msg, 0, &s->lane);
    }
    return outcome_of(g, failed);
}
#endif /* BBANS_DECODER_ONLY */

static bbans_status start_decoding(const bbans_state_space *model,
                                   bbans_stream *s, bbans_message *msg, void *x,
                                   size_t n, void *work, size_t work_bytes)
{
    bbans_status status = check_call(model, msg, x, n, work);

    if (status == BBANS_OK)
        status = cut_small_workspace(model, work, work_bytes, s);
    if (status != BBANS_OK)
        return status;
    if (room_is_short(model, msg, n))
        return BBANS_ERR_CAPACITY;
    s->x = s->out = x;
    s->length = n;
    s->body = body_of(model, n);
    s->msg = msg;
    s->mark = NO_MARK;
    s->status = BBANS_OK;
    s->lane = bbans_lane_of(msg, 0);
    if (s->body > 0 && !pop_flag(&s->lane)) {
        s->mark = s->body;
        s->body = 0;
    }
    return BBANS_OK;
}

/* After the last step: the start. */
static bbans_status finish_decoding(const bbans_state_space *model,
                                    bbans_stream *s)
{
    bbans_range_decoder dec;

    bbans_put_lane(s->msg, 0, &s->lane);
    if (s->status != BBANS_OK)
        return s->status;
    if (s->body > 0 && !can_start(model, &s->lane))
        return BBANS_ERR_CORRUPT;
    s->status = bbans_range_decoder_init(&dec, s->msg);
    if (s->status == BBANS_OK)
        s->status = range_decode(model, s, s->body, s->length, &dec);
    return s->status == BBANS_OK ? bbans_range_check(&dec) : s->status;
}

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_sequence_push(const bbans_state_space *model,
                                 bbans_message *msg, const void *x, size_t n,
                                 void *work, size_t work_bytes)
{
    bbans_status status = check_call(model, msg, x, n, work);
    bbans_stream *s;
    size_t words;
    bbans_group g;

    s = &g.stream[0];
    g.n = 1;
    if (status == BBANS_OK && !has_schedule(model))
        status = BBANS_ERR_STATE;
    if (status == BBANS_OK && !accepts(model, x, n))
        status = BBANS_ERR_SYMBOL;
    if (status == BBANS_OK)
        status = cut_workspace(model, n, work, work_bytes, s);
    if (status != BBANS_OK)
        return status;
    words = bbans_sequence_tail_words(model, n);
    if (words == 0 || msg->tail_cap - msg->tail_len < words)
        return BBANS_ERR_CAPACITY;
    s->x = x;
    s->msg = msg;
    s->body = n;
    s->status = BBANS_OK;
    filter_all(model, &g);
    if (s->status != BBANS_OK)
        return s->status;
    s->lane = bbans_lane_of(msg, 0);
    push_all(model, &g);
    bbans_put_lane(msg, 0, &s->lane);
    return s->status;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_sequence_pop(const bbans_state_space *model,
                                bbans_message *msg, void *x, size_t n,
                                void *work, size_t work_bytes)
{
    bbans_status status = check_call(model, msg, x, n, work);
    bbans_stream *s;
    bbans_group g;

    s = &g.stream[0];
    g.n = 1;
    if (status == BBANS_OK && !has_schedule(model))
        status = BBANS_ERR_STATE;
    if (status == BBANS_OK)
        status = cut_small_workspace(model, work, work_bytes, s);
    if (status != BBANS_OK)
        return status;
    if (room_is_short(model, msg, n))
        return BBANS_ERR_CAPACITY;
    s->x = s->out = x;
    s->msg = msg;
    s->body = n;
    s->status = BBANS_OK;
    s->lane = bbans_lane_of(msg, 0);
    pop_all(model, &g);
    bbans_put_lane(msg, 0, &s->lane);
    return s->status;
}

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_sequence_encode(const bbans_state_space *model,
                                   const void *x, size_t n, void *work,
                                   size_t work_bytes, bbans_message *msg)
{
    bbans_status status;
    size_t failed;
    bbans_group g;

    g.n = 1;
    status = start_encoding(model, &g.stream[0], x, n, work, work_bytes, msg);
    return status == BBANS_OK ? encode_all(model, &g, &failed) : status;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_sequence_decode(const bbans_state_space *model,
                                   bbans_message *msg, void *x, size_t n,
                                   void *work, size_t work_bytes)
{
    bbans_status status;
    bbans_group g;

    g.n = 1;
    status = start_decoding(model, &g.stream[0], msg, x, n, work, work_bytes);
    if (status != BBANS_OK)
        return status;
    pop_all(model, &g);
    return finish_decoding(model, &g.stream[0]);
}

bbans_status bbans_sequence_decode_until(const bbans_state_space *model,
                                         bbans_message *msg, void *x,
                                         size_t cap, const void *last,
                                         size_t *n, void *work,
                                         size_t work_bytes)
{
    bbans_status status = check_call(model, msg, x, cap, work);
    bbans_range_decoder dec;
    bbans_stream s;
    size_t t = 0;

    if (n == NULL || last == NULL)
        return BBANS_ERR_NULL;
    if (status == BBANS_OK && !is_predictive(model))
        status = BBANS_ERR_STATE;
    if (status == BBANS_OK)
        status = cut_small_workspace(model, work, work_bytes, &s);
    if (status == BBANS_OK)
        status = bbans_range_decoder_init(&dec, msg);
    if (status != BBANS_OK)
        return status;
    s.x = s.out = x;
    s.msg = msg;
    s.mark = NO_MARK;
    s.status = BBANS_OK;
    start_filter(model, &s);
    do {
        if (t == cap)
            return BBANS_ERR_CAPACITY;
        status = range_decode(model, &s, t, t + 1, &dec);
        if (status != BBANS_OK)
            return status;
    } while (memcmp(element(model, x, t++), last, model->observation_bytes) !=
             0);
    *n = t;
    return bbans_range_check(&dec);
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

static size_t length_of(const uint64_t *offset, size_t k)
{
    return (size_t)(offset[k + 1] - offset[k]);
}

static size_t longest_of(const uint64_t *offset, size_t n)
{
    size_t k, longest = 0;

    for (k = 0; k < n; k++)
        if (length_of(offset, k) > longest)
            longest = length_of(offset, k);
    return longest;
}

/* A group, each of which has a part of the workspace and of the scratch
 * message's tail. */
typedef struct {
    bbans_group g;
    bbans_message msg[BBANS_BATCH];
    uint64_t head[BBANS_BATCH];
    size_t n, work_bytes;
} turns;

/* p + i bytes or words, where p may be NULL if nothing is there: NULL + 0 is
 * undefined. */
#define AT(p, i) ((i) == 0 ? (p) : (p) + (i))

/* One takes all if there is no room for `work_need` bytes (0: too many to
 * count) and `tail_need` words for two. */
static void share_out(turns *all, size_t n, size_t work_bytes, size_t work_need,
                      const bbans_message *msg, size_t tail_need)
{
    size_t i;

    work_need = (work_need + 63) / 64 * 64;
    all->n = n < BBANS_BATCH ? n : BBANS_BATCH;
    if (work_need == 0 || work_bytes / work_need < all->n)
        all->n = work_need == 0 ? 1 : work_bytes / work_need;
    if (tail_need == 0 || msg->tail_cap / tail_need < all->n)
        all->n = tail_need == 0 ? 1 : msg->tail_cap / tail_need;
    if (all->n == 0)
        all->n = 1;
    all->work_bytes = all->n == 1 ? work_bytes : work_need;
    for (i = 0; i < all->n; i++) {
        const size_t cap = msg->tail_cap / all->n;

        (void)bbans_message_init(&all->msg[i], &all->head[i], 1,
                                 AT(msg->tail, i * cap), cap);
    }
}

static void *part_of(void *work, const turns *all, size_t i)
{
    return (uint8_t *)work + i * all->work_bytes;
}

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_batch_encode(const bbans_state_space *model, const void *x,
                                const uint64_t *offset, size_t n, void *work,
                                size_t work_bytes, bbans_message *msg,
                                uint8_t *bytes, size_t cap,
                                uint64_t *byte_offset, size_t *failed)
{
    bbans_status status = check_offsets(offset, n);
    size_t k, i, longest, used = 0, written;
    turns all;

    if (byte_offset == NULL || failed == NULL || (bytes == NULL && cap > 0))
        return BBANS_ERR_NULL;
    *failed = 0;
    if (status == BBANS_OK)
        status = check_call(model, msg, x, (size_t)offset[n], work);
    if (status != BBANS_OK)
        return status;
    longest = longest_of(offset, n);
    share_out(&all, n, work_bytes,
              bbans_sequence_work_bytes(model, longest, longest), msg,
              bbans_sequence_tail_words(model, longest));
    byte_offset[0] = 0;
    for (k = 0; k < n; k += all.n) {
        all.g.n = n - k < all.n ? n - k : all.n;
        for (i = 0; i < all.g.n; i++) {
            *failed = k + i;
            status =
                start_encoding(model, &all.g.stream[i],
                               element(model, x, (size_t)offset[k + i]),
                               length_of(offset, k + i), part_of(work, &all, i),
                               all.work_bytes, &all.msg[i]);
            if (status != BBANS_OK)
                return status;
        }
        status = encode_all(model, &all.g, &i);
        *failed = k + i;
        if (status != BBANS_OK)
            return status;
        for (i = 0; i < all.g.n; i++) {
            *failed = k + i;
            status = bbans_message_write(&all.msg[i], AT(bytes, used),
                                         cap - used, &written);
            if (status != BBANS_OK)
                return status;
            used += written;
            byte_offset[k + i + 1] = used;
        }
    }
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_batch_decode(const bbans_state_space *model,
                                const uint8_t *bytes,
                                const uint64_t *byte_offset, void *x,
                                const uint64_t *offset, size_t n, void *work,
                                size_t work_bytes, bbans_message *msg,
                                size_t *failed)
{
    bbans_status status = check_offsets(offset, n);
    size_t k, i;
    turns all;

    if (failed == NULL)
        return BBANS_ERR_NULL;
    *failed = 0;
    if (status == BBANS_OK)
        status = check_offsets(byte_offset, n);
    if (status == BBANS_OK)
        status = check_call(model, msg, x, (size_t)offset[n], work);
    if (status != BBANS_OK)
        return status;
    share_out(&all, n, work_bytes, bbans_sequence_work_bytes(model, 1, 1), msg,
              longest_of(byte_offset, n) / 4 +
                  model->pop_words * longest_of(offset, n) + 1);
    for (k = 0; k < n; k += all.n) {
        all.g.n = n - k < all.n ? n - k : all.n;
        for (i = 0; i < all.g.n; i++) {
            bbans_stream *s = &all.g.stream[i];

            status =
                bbans_message_read(&all.msg[i], AT(bytes, byte_offset[k + i]),
                                   length_of(byte_offset, k + i));
            if (status == BBANS_OK)
                status = start_decoding(model, s, &all.msg[i],
                                        place(model, x, (size_t)offset[k + i]),
                                        length_of(offset, k + i),
                                        part_of(work, &all, i), all.work_bytes);
            *failed = k + i;
            if (status != BBANS_OK && i == 0)
                return status;
            if (status != BBANS_OK) { /* those before it come first */
                all.g.n = i;
                break;
            }
        }
        pop_all(model, &all.g);
        for (i = 0; i < all.g.n; i++) {
            const bbans_status outcome =
                finish_decoding(model, &all.g.stream[i]);

            if (outcome != BBANS_OK) {
                *failed = k + i;
                return outcome;
            }
        }
        if (status != BBANS_OK)
            return status;
    }
    return BBANS_OK;
}

/* The sequences from the result on are range coded: the fewest at the end that
 * hold c symbols together; 0 if all do not hold more, or in the predictive
 * mode. */
static size_t first_of_start(const bbans_state_space *model,
                             const uint64_t *offset, size_t n)
{
    size_t k = is_predictive(model) ? 0 : n;

    while (k > 0 && offset[n] - offset[k] < model->start_length)
        k--;
    return k;
}

#ifndef BBANS_DECODER_ONLY
/* Sequences k .. n - 1, each from its start. */
static void range_encode_each(const bbans_state_space *model, bbans_stream *s,
                              const void *x, const uint64_t *offset, size_t k,
                              size_t n, bbans_message *msg)
{
    bbans_range_encoder enc;

    start_range_encoder(msg, &enc);
    for (; k < n; k++) {
        s->x = element(model, x, (size_t)offset[k]);
        start_filter(model, s);
        range_encode(model, s, 0, length_of(offset, k), &enc);
    }
    (void)bbans_range_finish(&enc, msg);
    s->lane = bbans_lane_of(msg, 0);
}

bbans_status bbans_packed_encode(const bbans_state_space *model, const void *x,
                                 const uint64_t *offset, size_t n, void *work,
                                 size_t work_bytes, bbans_message *msg)
{
    bbans_status status = check_offsets(offset, n);
    size_t k, first, words;
    bbans_stream *s;
    bbans_group g;

    s = &g.stream[0];
    g.n = 1;
    if (status != BBANS_OK)
        return status;
    status = check_call(model, msg, x, (size_t)offset[n], work);
    if (status == BBANS_OK && !accepts(model, x, (size_t)offset[n]))
        status = BBANS_ERR_SYMBOL;
    if (status != BBANS_OK)
        return status;
    status = cut_workspace(model, longest_of(offset, n), work, work_bytes, s);
    if (status != BBANS_OK)
        return status;
    words = bbans_sequence_tail_words(model, (size_t)offset[n]);
    if (words == 0 || msg->tail_cap < words)
        return BBANS_ERR_CAPACITY;
    first = first_of_start(model, offset, n);
    s->msg = msg;
    s->status = BBANS_OK;
    range_encode_each(model, s, x, offset, first, n, msg);
    if (first == 0 || s->status != BBANS_OK)
        return s->status;
    if (can_start(model, &s->lane)) {
        for (k = first; k-- > 0;) {
            s->x = element(model, x, (size_t)offset[k]);
            s->body = length_of(offset, k);
            filter_all(model, &g);
            push_all(model, &g);
        }
        push_flag(&s->lane, 1);
    } else {
        range_encode_each(model, s, x, offset, 0, n, msg);
        push_flag(&s->lane, 0);
    }
    bbans_put_lane(msg, 0, &s->lane);
    return s->status;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_packed_decode(const bbans_state_space *model,
                                 bbans_message *msg, void *x,
                                 const uint64_t *offset, size_t n, void *work,
                                 size_t work_bytes)
{
    bbans_status status = check_offsets(offset, n);
    bbans_range_decoder dec;
    size_t k, first, marked = NO_MARK;
    bbans_stream *s;
    bbans_group g;

    s = &g.stream[0];
    g.n = 1;
    if (status != BBANS_OK)
        return status;
    status = check_call(model, msg, x, (size_t)offset[n], work);
    if (status == BBANS_OK)
        status = cut_small_workspace(model, work, work_bytes, s);
    if (status != BBANS_OK)
        return status;
    if (room_is_short(model, msg, (size_t)offset[n]))
        return BBANS_ERR_CAPACITY;
    first = first_of_start(model, offset, n);
    s->msg = msg;
    s->status = BBANS_OK;
    if (first > 0) {
        s->lane = bbans_lane_of(msg, 0);
        if (pop_flag(&s->lane)) {
            for (k = 0; k < first && s->status == BBANS_OK; k++) {
                s->x = s->out = place(model, x, (size_t)offset[k]);
                s->body = length_of(offset, k);
                pop_all(model, &g);
            }
            if (s->status == BBANS_OK && !can_start(model, &s->lane))
                s->status = BBANS_ERR_CORRUPT;
        } else {
            marked = first;
            first = 0;
        }
        bbans_put_lane(msg, 0, &s->lane);
        if (s->status != BBANS_OK)
            return s->status;
    }
    status = bbans_range_decoder_init(&dec, msg);
    for (k = first; k < n && status == BBANS_OK; k++) {
        s->x = s->out = place(model, x, (size_t)offset[k]);
        s->mark = NO_MARK;
        if (k == marked)
            (void)bbans_range_mark(&dec, model->start_bits);
        start_filter(model, s);
        status = range_decode(model, s, 0, length_of(offset, k), &dec);
    }
    return status == BBANS_OK ? bbans_range_check(&dec) : status;
}
