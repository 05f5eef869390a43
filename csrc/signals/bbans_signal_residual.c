/* What the prediction leaves, as decisions under mixed contexts:
 * docs/maths.md, "Signals".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_signal_residual.h"

#include "bbans_residual_core.h"

enum {
    SETS = BBANS_CLASSES / 4, /* of weights */
    SCALES = 64,              /* quarters of octaves of the other scales */
    CELLS = 4096,             /* contexts of a kind, at most */
    KEPT = 1024,              /* rows that the first kind may need */
    SHARES = 128,
    FAST = 2, /* scales take so many bits of each residual */
    MIDDLE = 3,
    SLOW = 6,
    STREAMS = BBANS_SIGNAL_LANES_MAX,
    STREAMS_FAST = 2,
    STREAM_STEPS = 4096, /* of a stream, at least, if there is a second */
    MODE_BITS = 2,
    SCALE_BITS = 6,
    SCALE_MAX = BBANS_SIGNAL_MU_BITS + 31, /* |v - mu| < 2^32 */
    SCALE_STEPS = 32 /* of which a channel's first scale is the mean */
};

/* Magnitudes of up to 24 units. */
static const uint8_t magnitude[25] = {0, 1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5,
                                      6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7};

typedef struct {
    uint64_t fast, middle, slow; /* means of |residual|, in 2^-8 */
    int64_t before, before_that; /* values */
    int64_t residual[2];         /* the last ones */
    uint64_t history, mean;      /* of values of few kinds */
    uint32_t run;
} stream;

/* ---- Workspace ------------------------------------------------------------
 */

static unsigned contexts_of(int level)
{
    return level < 1   ? BBANS_MANY
           : level < 4 ? BBANS_FEW
           : level < 7 ? BBANS_SOME
                       : BBANS_MANY;
}

static uint32_t rows_of(unsigned contexts)
{
    return contexts == BBANS_FEW ? 6144 : contexts == BBANS_SOME ? 8192 : 16384;
}

static bbans_residuals_size size_of(unsigned contexts, uint32_t rows)
{
    bbans_residuals_size size;

    size.contexts = contexts;
    size.sets = SETS;
    size.cells = CELLS;
    size.kept = KEPT;
    size.rows = rows;
    return size;
}

size_t bbans_residual_bytes(uint64_t n, int level)
{
    const unsigned contexts = contexts_of(level);
    const uint64_t used = n < rows_of(BBANS_MANY) / contexts
                              ? n * contexts + 1
                              : rows_of(contexts);
    const bbans_residuals_size size = size_of(
        contexts,
        (uint32_t)(used < rows_of(contexts) ? used : rows_of(contexts)));

    return bbans_residuals_bytes(&size);
}

static void begin(void *work, unsigned contexts)
{
    const bbans_residuals_size size = size_of(contexts, rows_of(contexts));

    bbans_residuals_begin(work, &size, SHARES);
}

unsigned bbans_residual_lanes(size_t steps, int level)
{
    return contexts_of(level) == BBANS_FEW &&
                   steps >= STREAMS_FAST * STREAM_STEPS
               ? STREAMS_FAST
               : 1;
}

/* ---- Contexts --------------------------------------------------------------
 */

/* What is known of a value before it, if it is of a channel with this range. */
BBANS_INLINED static inline void expect(bbans_residuals *c, const stream *s,
                                        bbans_residual *q,
                                        const bbans_signal_range *range,
                                        unsigned wide, unsigned contexts)
{
    const int middle = bbans_quarters(s->middle) - 4 * MIDDLE;
    const int fast = bbans_quarters(s->fast) - 4 * FAST;
    const int slow = bbans_quarters(s->slow) - 4 * SLOW;
    uint32_t context[BBANS_MANY], class, octave, f, w, now, step, regime;
    uint32_t phase;
    int64_t level;

    q->k =
        middle < BBANS_CLASSES ? 0 : (unsigned)(middle - BBANS_CLASSES + 4) / 4;
    q->half = (int64_t)(((uint64_t)1 << q->k) >> 1);
    q->middle = bbans_floor_shift(q->mu + 128, 8);
    phase = (uint32_t)((uint64_t)(q->mu + 128) & 255);
    class =
        (uint32_t)bbans_within(middle - 4 * (int)q->k, 0, BBANS_CLASSES - 1);
    f = (uint32_t)bbans_within(fast - 4 * (int)q->k, 0, SCALES - 1);
    w = (uint32_t)bbans_within(slow - 4 * (int)q->k, 0, SCALES - 1);
    octave = class / 4;
    regime = class < 28 ? 0 : class < 40 ? 1 : 2;
    now = bbans_leaf_of(c, q, s->before - q->middle);
    step = bbans_leaf_of(c, q, s->before - s->before_that);
    level = q->middle - range->low;
    context[0] = f / 2 * (SCALES / 2) + w / 2;
    context[1] = (step * BBANS_LEAVES + now) * 3 + regime;
    if (contexts >= BBANS_SOME) {
        const uint32_t last = bbans_leaf_of(c, q, s->residual[0]);
        uint32_t size[2], negative[2], i;

        for (i = 0; i < 2; i++) {
            const int64_t r = s->residual[i];
            const uint64_t units = (uint64_t)(r < 0 ? -r : r) >> q->k;

            size[i] = magnitude[units < 24 ? units : 24];
            negative[i] = r < 0;
        }
        context[2] =
            ((size[0] * 8 + size[1]) * 4 + negative[0] * 2 + negative[1]) *
                SETS +
            octave;
        context[3] = ((uint32_t)level & 15) * SETS + octave;
        context[4] = w * 5 + (q->k > 0 ? 4 : phase >> 6);
        context[5] = last * BBANS_CLASSES + class;
        context[6] = now * 64 + octave * 4 + (q->k > 0 ? 3 : phase >> 6);
        context[7] =
            (uint32_t)bbans_within(bbans_floor_shift(level, wide), 0, 63) *
                SETS +
            octave;
        if (contexts >= BBANS_MANY) {
            const uint32_t old =
                bbans_leaf_of(c, q, s->before_that - q->middle);
            const uint32_t second = bbans_leaf_of(c, q, s->residual[1]);
            const unsigned fine = wide < 2 ? 0 : wide - 2;

            context[8] = (now * BBANS_LEAVES + old) * 4 +
                         (class / 8 < 3 ? class / 8 : 3);
            context[9] = (last * BBANS_LEAVES + second) * 3 + regime;
            context[10] = (phase >> 5) * BBANS_CLASSES + class;
            context[11] = (last * BBANS_LEAVES + now) * 3 + regime;
            context[12] = f / 2 * BBANS_CLASSES + class;
            context[13] = (last * BBANS_LEAVES + step) * 3 + regime;
            context[14] =
                (uint32_t)bbans_within(bbans_floor_shift(level, fine), 0, 255) *
                    SETS +
                octave;
            context[15] = (f / 4 * 24 + class / 2) * 8 + w / 8;
        }
    }
    q->mixed.weight = c->weight + octave * BBANS_LEAVES * contexts;
    bbans_find_rows(c, q, context, contexts, bbans_prior_of(c, class));
}

/* The same of a value of few kinds. */
BBANS_INLINED static inline void expect_kind(bbans_residuals *c,
                                             const stream *s, bbans_residual *q,
                                             unsigned contexts)
{
    const unsigned bits = c->bits;
    const unsigned values = contexts == BBANS_FEW ? 6 / bits : 1;
    const uint32_t last = (uint32_t)s->history & ((1u << bits) - 1);
    uint32_t context[BBANS_MANY], i;

    for (i = 0; i < contexts; i++) {
        const unsigned n = (i + 1) * values * bits;

        /* The last values; what is known of more than 12 bits is a part. */
        context[i] =
            n <= 12 ? (uint32_t)s->history & ((1u << n) - 1)
                    : (uint32_t)((s->history &
                                  (((uint64_t)1 << (n < 60 ? n : 60)) - 1)) *
                                     0x9E3779B97F4A7C15u >>
                                 52);
    }
    if (contexts >= BBANS_SOME) {
        context[6] = (s->run < 127 ? s->run : 127) << bits | last;
        context[7] = (uint32_t)(s->mean >> (7 + bits)) << bits | last;
    }
    q->mixed.weight = c->weight;
    bbans_find_rows(c, q, context, contexts, c->kinds);
}

/* ---- Both ways -------------------------------------------------------------
 */

static inline void see(stream *s, const bbans_residual *q, int64_t v)
{
    const int64_t off = v * 256 - q->mu;
    const uint64_t a = (uint64_t)(off < 0 ? -off : off);

    s->fast += a - (s->fast >> FAST);
    s->middle += a - (s->middle >> MIDDLE);
    s->slow += a - (s->slow >> SLOW);
    s->before_that = s->before;
    s->before = v;
    s->residual[1] = s->residual[0];
    s->residual[0] = v - q->middle;
}

static inline void see_kind(stream *s, unsigned bits, uint32_t kind)
{
    s->run = kind == (s->history & ((1u << bits) - 1)) ? s->run + 1 : 0;
    s->history = s->history << bits | kind;
    s->mean += ((uint64_t)kind << 9) - (s->mean >> 4);
}

/* |residual| is about 2^octave in 2^-8. */
static void start_streams(stream *s, unsigned octave)
{
    unsigned i;

    memset(s, 0, STREAMS * sizeof *s);
    for (i = 0; i < STREAMS; i++) {
        s[i].fast = (uint64_t)1 << (octave + FAST);
        s[i].middle = (uint64_t)1 << (octave + MIDDLE);
        s[i].slow = (uint64_t)1 << (octave + SLOW);
    }
}

/* Bits below which a channel's range has 64 steps or fewer. */
static unsigned wide_of(const bbans_signal_range *range)
{
    const int bits = bbans_bit_length(bbans_range_width(range));

    return bits > 6 ? (unsigned)bits - 6 : 0;
}

/* What a channel is coded as: its values' bits, or 0. */
static void prepare(bbans_residuals *c, const bbans_signal_range *range)
{
    const unsigned bits =
        range->direct ? (unsigned)bbans_bit_length(bbans_range_width(range))
                      : 0;

    if (bits != c->bits)
        bbans_residuals_forget(c, bits);
    if (bits > 0)
        bbans_kinds_spread(c->kinds, bits, bbans_range_width(range) + 1);
    if (c->seen == 0)
        c->rate = 126;
}

/* ---- Decoding --------------------------------------------------------------
 */

void bbans_residual_resume(void *work, bbans_signal_source *s)
{
    const uint32_t mode = bbans_source_raw(s, 0, MODE_BITS);

    s->bad |= mode > 2;
    begin(work, mode == 0 ? BBANS_FEW : mode == 1 ? BBANS_SOME : BBANS_MANY);
}

/* Of each of n streams, value[0], value[length], ... */
BBANS_INLINED static inline void
decode_step(bbans_residuals *c, bbans_signal_source *s, int32_t *value,
            size_t t, size_t length, const bbans_signal_range *range,
            unsigned wide, bbans_predictor *predictor, stream *streams,
            unsigned n, unsigned contexts)
{
    bbans_residual q[STREAMS];
    uint32_t slot[STREAMS];
    unsigned i;

    for (i = 0; i < n; i++) {
        q[i].mu = bbans_predict_at(predictor + i, i * length + t);
        expect(c, streams + i, q + i, range, wide, contexts);
        slot[i] = bbans_source_slot(s, i);
    }
    bbans_decide_all(q, n, BBANS_DEPTH, contexts, 1, slot);
    for (i = 0; i < n; i++) {
        const int32_t v = bbans_take_rest(c, q + i, s, i, range);

        value[i * length] = v;
        bbans_predict_seen(predictor + i, i * length + t, v);
        see(streams + i, q + i, v);
        bbans_residuals_seen(c);
    }
}

BBANS_INLINED static inline void
decode_residuals(bbans_residuals *c, bbans_signal_source *s,
                 bbans_signal_values *x, const bbans_signal_range *range,
                 const bbans_prediction *p, unsigned lanes, void *memory,
                 unsigned contexts)
{
    int32_t *value = bbans_signal_channel(x, range->channel);
    const size_t length = (x->steps + lanes - 1) / lanes;
    const unsigned wide = wide_of(range);
    bbans_predictor predictor[STREAMS];
    stream streams[STREAMS];
    unsigned i, octave, n = lanes;
    size_t t;

    octave = bbans_source_raw(s, 0, SCALE_BITS);
    if (octave > SCALE_MAX) {
        s->bad = 1;
        octave = SCALE_MAX;
    }
    start_streams(streams, octave);
    for (i = 0; i < lanes; i++)
        bbans_predictor_begin(predictor + i, p, x, range->channel, i, lanes,
                              memory);
    for (t = 0; t < length; t++) {
        while ((n - 1) * length + t >= x->steps)
            n--;
        if (n == lanes)
            decode_step(c, s, value + t, t, length, range, wide, predictor,
                        streams, lanes, contexts);
        else
            decode_step(c, s, value + t, t, length, range, wide, predictor,
                        streams, n, contexts);
    }
}

static void decode_kinds(bbans_residuals *c, bbans_signal_source *s,
                         bbans_signal_values *x,
                         const bbans_signal_range *range, unsigned lanes)
{
    int32_t *value = bbans_signal_channel(x, range->channel);
    const uint32_t kinds = bbans_range_width(range) + 1;
    const size_t length = (x->steps + lanes - 1) / lanes;
    stream streams[STREAMS];
    bbans_residual q;
    unsigned i;
    size_t t;

    start_streams(streams, 0);
    for (t = 0; t < length; t++)
        for (i = 0; i < lanes && i * length + t < x->steps; i++) {
            const uint32_t slot = bbans_source_slot(s, i);

            expect_kind(c, streams + i, &q, c->size.contexts);
            bbans_decide_all(&q, 1, c->bits, c->size.contexts, 1, &slot);
            bbans_source_advance(s, i, q.span.start, q.span.end - q.span.start);
            if (q.leaf >= kinds) {
                s->bad = 1;
                q.leaf = kinds - 1;
            }
            value[i * length + t] = range->low + (int32_t)q.leaf;
            see_kind(streams + i, c->bits, q.leaf);
            bbans_residuals_seen(c);
        }
}

void bbans_residual_decode(void *work, bbans_signal_source *s,
                           bbans_signal_values *x,
                           const bbans_signal_range *range,
                           const bbans_prediction *p, unsigned lanes,
                           void *memory)
{
    bbans_residuals *c = (bbans_residuals *)work;
    size_t t;

    if (range->low == range->high) {
        for (t = 0; t < x->steps; t++)
            bbans_signal_channel(x, range->channel)[t] = range->low;
        return;
    }
    prepare(c, range);
    if (c->bits > 0)
        decode_kinds(c, s, x, range, lanes);
    else if (c->size.contexts == BBANS_FEW && lanes == STREAMS_FAST)
        decode_residuals(c, s, x, range, p, STREAMS_FAST, memory, BBANS_FEW);
    else if (c->size.contexts == BBANS_FEW)
        decode_residuals(c, s, x, range, p, lanes, memory, BBANS_FEW);
    else if (c->size.contexts == BBANS_SOME)
        decode_residuals(c, s, x, range, p, lanes, memory, BBANS_SOME);
    else
        decode_residuals(c, s, x, range, p, lanes, memory, BBANS_MANY);
}

/* ---- Encoding --------------------------------------------------------------
 */

#ifndef BBANS_DECODER_ONLY
size_t bbans_residual_steps(size_t steps)
{
    return 5 * steps + 4;
}

void bbans_residual_begin(void *work, int level, bbans_sink *sink)
{
    const unsigned contexts = contexts_of(level);

    bbans_sink_bits(sink, 0,
                    contexts == BBANS_FEW    ? 0
                    : contexts == BBANS_SOME ? 1
                                             : 2,
                    MODE_BITS);
    begin(work, contexts);
}

BBANS_INLINED static inline void
encode_step(bbans_residuals *c, bbans_sink *sink, const int32_t *value,
            const int64_t *mu, size_t length, const bbans_signal_range *range,
            unsigned wide, stream *streams, unsigned n, unsigned contexts)
{
    bbans_residual q[STREAMS];
    unsigned i;

    for (i = 0; i < n; i++) {
        q[i].mu = mu[i * length];
        expect(c, streams + i, q + i, range, wide, contexts);
        q[i].leaf = bbans_leaf_of(c, q + i, value[i * length] - q[i].middle);
    }
    bbans_decide_all(q, n, BBANS_DEPTH, contexts, 0, NULL);
    for (i = 0; i < n; i++) {
        const int32_t v = value[i * length];

        bbans_put_rest(c, q + i, sink, i, v - q[i].middle);
        see(streams + i, q + i, v);
        bbans_residuals_seen(c);
    }
}

BBANS_INLINED static inline void
encode_residuals(bbans_residuals *c, bbans_sink *sink,
                 const bbans_signal_values *x, const bbans_signal_range *range,
                 const int64_t *mu, unsigned lanes, unsigned octave,
                 unsigned contexts)
{
    const int32_t *value = bbans_signal_channel(x, range->channel);
    const size_t length = (x->steps + lanes - 1) / lanes;
    const unsigned wide = wide_of(range);
    stream streams[STREAMS];
    unsigned n = lanes;
    size_t t;

    start_streams(streams, octave);
    for (t = 0; t < length; t++) {
        while ((n - 1) * length + t >= x->steps)
            n--;
        if (n == lanes)
            encode_step(c, sink, value + t, mu + t, length, range, wide,
                        streams, lanes, contexts);
        else
            encode_step(c, sink, value + t, mu + t, length, range, wide,
                        streams, n, contexts);
    }
}

static void encode_kinds(bbans_residuals *c, bbans_sink *sink,
                         const bbans_signal_values *x,
                         const bbans_signal_range *range, unsigned lanes)
{
    const int32_t *value = bbans_signal_channel(x, range->channel);
    const size_t length = (x->steps + lanes - 1) / lanes;
    stream streams[STREAMS];
    bbans_residual q;
    unsigned i;
    size_t t;

    start_streams(streams, 0);
    for (t = 0; t < length; t++)
        for (i = 0; i < lanes && i * length + t < x->steps; i++) {
            q.leaf = (uint32_t)(value[i * length + t] - range->low);
            expect_kind(c, streams + i, &q, c->size.contexts);
            bbans_decide_all(&q, 1, c->bits, c->size.contexts, 0, NULL);
            bbans_sink_step(sink, i, q.span.start, q.span.end - q.span.start);
            see_kind(streams + i, c->bits, q.leaf);
            bbans_residuals_seen(c);
        }
}

/* The octave of the mean of the first residuals, in 2^-8. */
static unsigned first_scale(const int32_t *value, const int64_t *mu,
                            size_t steps)
{
    const size_t n = steps < SCALE_STEPS ? steps : SCALE_STEPS;
    uint64_t sum = 0;
    size_t t;

    for (t = 0; t < n; t++) {
        const int64_t off = (int64_t)value[t] * 256 - mu[t];

        sum += (uint64_t)(off < 0 ? -off : off);
    }
    return bbans_floor_log2(sum / n + 8);
}

void bbans_residual_encode(void *work, bbans_sink *sink,
                           const bbans_signal_values *x,
                           const bbans_signal_range *range, const int64_t *mu,
                           unsigned lanes)
{
    bbans_residuals *c = (bbans_residuals *)work;
    unsigned octave;

    if (range->low == range->high)
        return;
    prepare(c, range);
    if (c->bits > 0) {
        encode_kinds(c, sink, x, range, lanes);
        return;
    }
    octave = first_scale(bbans_signal_channel(x, range->channel), mu, x->steps);
    bbans_sink_bits(sink, 0, octave, SCALE_BITS);
    if (c->size.contexts == BBANS_FEW && lanes == STREAMS_FAST)
        encode_residuals(c, sink, x, range, mu, STREAMS_FAST, octave,
                         BBANS_FEW);
    else if (c->size.contexts == BBANS_FEW)
        encode_residuals(c, sink, x, range, mu, lanes, octave, BBANS_FEW);
    else if (c->size.contexts == BBANS_SOME)
        encode_residuals(c, sink, x, range, mu, lanes, octave, BBANS_SOME);
    else
        encode_residuals(c, sink, x, range, mu, lanes, octave, BBANS_MANY);
}
#endif /* BBANS_DECODER_ONLY */
