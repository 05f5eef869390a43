/* What the prediction leaves, as decisions under mixed contexts:
 * docs/maths.md, "Signals".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_signal_residual.h"

#include "../distributions/bbans_logits.h"

#if defined(__GNUC__) || defined(__clang__)
#define INLINED __attribute__((always_inline))
#else
#define INLINED
#endif

enum {
    DEPTH = 5, /* of the tree of bins */
    LEAVES = 1 << DEPTH,
    BEYOND = LEAVES / 2 - 1, /* the last bin of either side has no end... */
    REACH = 221,             /* ... and begins so many units from the middle */
    CLASSES = 48,            /* quarters of octaves of the middle scale */
    SETS = CLASSES / 4,      /* of weights */
    SCALES = 64,             /* quarters of octaves of the other scales */
    CELLS = 4096,            /* contexts of a kind, at most */
    KEPT = 1024,             /* rows that the first kind may need */
    FEW = 2,                 /* contexts, their mean taken */
    SOME = 8,
    MANY = 16,
    SEEN_MAX = 511, /* counted in a row */
    SHARES = 128,
    SEEN_FIRST = 20, /* what a row's first entries count */
    SEEN_COPIED = 2, /* and those copied from another row */
    FAST = 2,        /* scales take so many bits of each residual */
    MIDDLE = 3,
    SLOW = 6,
    HALVES = 7, /* and halves of a bin */
    STREAMS = BBANS_SIGNAL_LANES_MAX,
    STREAMS_FAST = 2,
    STREAM_STEPS = 4096, /* of a stream, at least, if there is a second */
    MODE_BITS = 2,
    SCALE_BITS = 6,
    SCALE_MAX = BBANS_SIGNAL_MU_BITS + 31, /* |v - mu| < 2^32 */
    SCALE_STEPS = 32, /* of which a channel's first scale is the mean */
    ESCAPE_BITS = 5
};

/* Units of a bin, and where it begins. */
static const uint8_t bin_bits[BEYOND + 1] = {0, 0, 0, 1, 1, 1, 2, 2,
                                             2, 3, 3, 3, 4, 5, 7, 0};
static const uint8_t bin_first[BEYOND + 1] = {
    0, 1, 2, 3, 5, 7, 9, 13, 17, 21, 29, 37, 45, 61, 93, REACH};

/* Magnitudes of up to 24 units. */
static const uint8_t magnitude[25] = {0, 1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 5, 5,
                                      6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 6, 7};

/* Rows lie one behind the other, in the order of their first use; index says
 * which is a context's, 0: none. */
typedef struct {
    unsigned contexts; /* kinds of them: FEW, SOME or MANY */
    unsigned bits;     /* of values of few kinds; 0: of residuals */
    uint32_t seen;     /* values, for these bits */
    uint32_t rows, rows_max;
    int32_t rate;
    uint16_t share[2][SEEN_MAX + 1]; /* of a row that counts so many, at depths
                                        0 and 1, and below */
    uint16_t kinds[LEAVES];          /* a first row of few kinds */
    uint16_t half[LEAVES][2];        /* of a bin of one unit; of several */
    uint16_t prior[CLASSES][LEAVES]; /* entry 0: whether it is there */
    uint8_t bin[REACH + 1];          /* on either side of the middle */
    int32_t *weight;                 /* [SETS][LEAVES][contexts] */
    uint16_t *index;                 /* [contexts][CELLS] */
    uint16_t *row;                   /* [rows_max][LEAVES] */
} residuals;

typedef struct {
    uint64_t fast, middle, slow; /* means of |residual|, in 2^-8 */
    int64_t before, before_that; /* values */
    int64_t residual[2];         /* the last ones */
    uint64_t history, mean;      /* of values of few kinds */
    uint32_t run;
} stream;

/* A value in work. */
typedef struct {
    bbans_mixed mixed;
    uint16_t spare[MANY][LEAVES];
    bbans_span span;
    uint32_t leaf;
    unsigned k;   /* a unit is 2^k values */
    int64_t half; /* of it */
    int64_t mu, middle;
} value_in_work;

/* ---- Workspace ------------------------------------------------------------
 */

static unsigned contexts_of(int level)
{
    return level < 1 ? MANY : level < 4 ? FEW : level < 7 ? SOME : MANY;
}

static uint32_t rows_of(unsigned contexts)
{
    return contexts == FEW ? 6144 : contexts == SOME ? 8192 : 16384;
}

size_t bbans_residual_bytes(uint64_t n, int level)
{
    const unsigned contexts = contexts_of(level);
    const uint64_t used =
        n < rows_of(MANY) / contexts ? n * contexts + 1 : rows_of(contexts);
    const uint64_t rows = used < rows_of(contexts) ? used : rows_of(contexts);

    return sizeof(residuals) + 8 + BBANS_ALIGNMENT +
           (size_t)(4 * SETS * LEAVES * contexts + 2 * CELLS * contexts +
                    2 * LEAVES * rows);
}

unsigned bbans_residual_lanes(size_t steps, int level)
{
    return contexts_of(level) == FEW && steps >= STREAMS_FAST * STREAM_STEPS
               ? STREAMS_FAST
               : 1;
}

/* Nothing seen, of residuals or of values of so many bits. */
static void forget(residuals *c, unsigned bits)
{
    uint32_t i;

    c->bits = bits;
    c->seen = 0;
    c->rows = 1;
    for (i = 0; i < SETS * LEAVES * c->contexts; i++)
        c->weight[i] = 65536 / (int32_t)c->contexts;
    for (i = 0; i < LEAVES; i++)
        c->half[i][0] = c->half[i][1] = 0x8000;
    memset(c->index, 0, CELLS * c->contexts * sizeof *c->index);
}

static void begin(void *work, unsigned contexts)
{
    residuals *c = (residuals *)work;
    uint8_t *rest = (uint8_t *)work + (sizeof *c + 7) / 8 * 8;
    uint32_t i, bin = 0;

    c->contexts = contexts;
    c->rows_max = rows_of(contexts);
    c->weight = (int32_t *)(void *)rest;
    rest += 4 * SETS * LEAVES * contexts;
    c->index = (uint16_t *)(void *)rest;
    rest += 2 * CELLS * contexts;
    c->row = (uint16_t *)bbans_align(rest);
    for (i = 0; i <= SEEN_MAX; i++) {
        const uint32_t n = i < SHARES ? i : SHARES - 1;
        const uint32_t half = i / 2 < SHARES ? i / 2 : SHARES - 1;

        c->share[0][i] = (uint16_t)(0x20000 / (2 * n + 3));
        c->share[1][i] = (uint16_t)(0x20000 / (2 * half + 3));
    }
    for (i = 0; i <= REACH; i++) {
        bin += bin < BEYOND && i == bin_first[bin + 1];
        c->bin[i] = (uint8_t)bin;
    }
    memset(c->prior, 0, sizeof c->prior);
    memset(c->kinds, 0, sizeof c->kinds);
    forget(c, 0);
}

/* ---- Contexts --------------------------------------------------------------
 */

static inline int limited(int64_t v, int low, int high)
{
    return v < low ? low : v > high ? high : (int)v;
}

/* 4 log2(v) of v >= 4, linear in each octave. */
static inline int quarters(uint64_t v)
{
    const uint64_t u = v < 4 ? 4 : v;
    const int octave = bbans_bit_length(u) - 1;

    return 4 * octave + (int)(u >> (octave - 2) & 3);
}

/* The leaf of what lies d from the middle. */
static inline uint32_t leaf_of(const residuals *c, const value_in_work *q,
                               int64_t d)
{
    const int64_t units = bbans_floor_shift(d + q->half, q->k);
    const int64_t sign = bbans_sign(units);
    const int64_t from = units ^ sign;

    return (LEAVES / 2 | c->bin[from < REACH ? from : REACH]) ^
           ((LEAVES - 1) & (uint32_t)sign);
}

/* Shares of a logistic distribution in which |residual| has the mean of its
 * class: 308 is 128 log2(e) / 0.6. */
static const uint16_t *prior_of(residuals *c, unsigned class)
{
    uint16_t *row = c->prior[class];
    const int64_t mean = (int64_t)((9 + 2 * (class & 3)) << (class >> 2)) >> 3;
    int64_t edge[LEAVES + 1];
    uint32_t i, depth;

    if (row[0] != 0)
        return row;
    row[0] = 1;
    edge[0] = 0;
    edge[LEAVES] = (int64_t)1 << BBANS_PREC_MAX;
    for (i = 1; i < LEAVES; i++) {
        const int64_t first = i < LEAVES / 2
                                  ? -(int64_t)bin_first[LEAVES / 2 - i]
                                  : bin_first[i - LEAVES / 2];
        const int64_t at = (2 * first - 1) * 128 * 308;

        edge[i] = bbans_mass_of_one(
            (int32_t)limited(at / mean, -BBANS_LOGIT_MAX, BBANS_LOGIT_MAX));
    }
    for (depth = 0; depth < DEPTH; depth++)
        for (i = 0; i < (uint32_t)1 << depth; i++) {
            const int64_t *e = edge + (i << (DEPTH - depth));
            const size_t reach = (size_t)LEAVES >> depth;
            const int64_t p = ((e[reach] - e[reach / 2] + 2048) * 65536) /
                              (e[reach] - e[0] + 4096);

            row[((uint32_t)1 << depth) + i] = (uint16_t)limited(p, 64, 65472);
        }
    return row;
}

/* Alike for the kinds there are, leaves 0 .. kinds - 1 of 2^bits. */
static void spread(uint16_t *row, unsigned bits, uint32_t kinds)
{
    uint32_t i, depth;

    for (depth = 0; depth < bits; depth++)
        for (i = 0; i < (uint32_t)1 << depth; i++) {
            const uint32_t half = (uint32_t)1 << (bits - depth - 1);
            const int64_t left = (int64_t)kinds - 2 * half * i;
            const int64_t p = left <= half       ? 0
                              : left >= 2 * half ? 0x8000
                                                 : (left - half) * 65536 / left;

            row[((uint32_t)1 << depth) + i] = (uint16_t)limited(p, 64, 65472);
        }
}

static inline uint16_t *copied(uint16_t *row, const uint16_t *first,
                               uint16_t seen)
{
    memcpy(row, first, LEAVES * sizeof *row);
    row[0] = seen;
    return row;
}

/* Returns a context's row, which begins like `first` if it is new. */
static inline uint16_t *row_of(residuals *c, unsigned kind, uint32_t context,
                               const uint16_t *first, uint16_t seen)
{
    uint16_t *at = c->index + CELLS * kind + context;

    if (*at == 0) {
        *at = (uint16_t)c->rows++;
        copied(c->row + LEAVES * *at, first, seen);
    }
    return c->row + LEAVES * *at;
}

/* Rows of all contexts, of which the first one's is given if it is new, and
 * then gives new ones what they begin with.  When no room is left what these
 * learn is forgotten. */
INLINED static inline void find_rows(residuals *c, value_in_work *q,
                                     const uint32_t *context, unsigned contexts,
                                     const uint16_t *given)
{
    uint16_t *first = row_of(c, 0, context[0], given, SEEN_FIRST);
    unsigned i;

    q->mixed.row[0] = first;
    for (i = 1; i < contexts; i++)
        q->mixed.row[i] = c->rows < c->rows_max - KEPT ||
                                  c->index[CELLS * i + context[i]] != 0
                              ? row_of(c, i, context[i], first, SEEN_COPIED)
                              : copied(q->spare[i], first, SEEN_COPIED);
    for (i = 0; i < contexts; i++) {
        const uint32_t n = q->mixed.row[i][0];

        q->mixed.share[0][i] = c->share[0][n];
        q->mixed.share[1][i] = c->share[1][n];
        q->mixed.row[i][0] = (uint16_t)(n + (n < SEEN_MAX));
    }
    q->mixed.vectors = contexts / BBANS_MIXED_WIDTH;
    q->mixed.rate = c->rate;
}

/* What is known of a value before it, if it is of a channel with this range. */
INLINED static inline void expect(residuals *c, const stream *s,
                                  value_in_work *q,
                                  const bbans_signal_range *range,
                                  unsigned wide, unsigned contexts)
{
    const int middle = quarters(s->middle) - 4 * MIDDLE;
    const int fast = quarters(s->fast) - 4 * FAST;
    const int slow = quarters(s->slow) - 4 * SLOW;
    uint32_t context[MANY], class, octave, f, w, now, step, regime;
    uint32_t phase;
    int64_t level;

    q->k = middle < CLASSES ? 0 : (unsigned)(middle - CLASSES + 4) / 4;
    q->half = (int64_t)(((uint64_t)1 << q->k) >> 1);
    q->middle = bbans_floor_shift(q->mu + 128, 8);
    phase = (uint32_t)((uint64_t)(q->mu + 128) & 255);
    class = (uint32_t)limited(middle - 4 * (int)q->k, 0, CLASSES - 1);
    f = (uint32_t)limited(fast - 4 * (int)q->k, 0, SCALES - 1);
    w = (uint32_t)limited(slow - 4 * (int)q->k, 0, SCALES - 1);
    octave = class / 4;
    regime = class < 28 ? 0 : class < 40 ? 1 : 2;
    now = leaf_of(c, q, s->before - q->middle);
    step = leaf_of(c, q, s->before - s->before_that);
    level = q->middle - range->low;
    context[0] = f / 2 * (SCALES / 2) + w / 2;
    context[1] = (step * LEAVES + now) * 3 + regime;
    if (contexts >= SOME) {
        const uint32_t last = leaf_of(c, q, s->residual[0]);
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
        context[5] = last * CLASSES + class;
        context[6] = now * 64 + octave * 4 + (q->k > 0 ? 3 : phase >> 6);
        context[7] =
            (uint32_t)limited(bbans_floor_shift(level, wide), 0, 63) * SETS +
            octave;
        if (contexts >= MANY) {
            const uint32_t old = leaf_of(c, q, s->before_that - q->middle);
            const uint32_t second = leaf_of(c, q, s->residual[1]);
            const unsigned fine = wide < 2 ? 0 : wide - 2;

            context[8] =
                (now * LEAVES + old) * 4 + (class / 8 < 3 ? class / 8 : 3);
            context[9] = (last * LEAVES + second) * 3 + regime;
            context[10] = (phase >> 5) * CLASSES + class;
            context[11] = (last * LEAVES + now) * 3 + regime;
            context[12] = f / 2 * CLASSES + class;
            context[13] = (last * LEAVES + step) * 3 + regime;
            context[14] =
                (uint32_t)limited(bbans_floor_shift(level, fine), 0, 255) *
                    SETS +
                octave;
            context[15] = (f / 4 * 24 + class / 2) * 8 + w / 8;
        }
    }
    q->mixed.weight = c->weight + octave * LEAVES * contexts;
    find_rows(c, q, context, contexts, prior_of(c, class));
}

/* The same of a value of few kinds. */
INLINED static inline void expect_kind(residuals *c, const stream *s,
                                       value_in_work *q, unsigned contexts)
{
    const unsigned bits = c->bits;
    const unsigned values = contexts == FEW ? 6 / bits : 1;
    const uint32_t last = (uint32_t)s->history & ((1u << bits) - 1);
    uint32_t context[MANY], i;

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
    if (contexts >= SOME) {
        context[6] = (s->run < 127 ? s->run : 127) << bits | last;
        context[7] = (uint32_t)(s->mean >> (7 + bits)) << bits | last;
    }
    q->mixed.weight = c->weight;
    find_rows(c, q, context, contexts, c->kinds);
}

/* ---- Both ways -------------------------------------------------------------
 */

/* The mean of two probabilities decides. */
INLINED static inline void decide(value_in_work *q, unsigned depth,
                                  unsigned below, int decode, uint32_t given,
                                  uint32_t *node)
{
    bbans_mixed *m = &q->mixed;
    uint32_t left = q->span.end - q->span.start;
    const uint32_t ones = ((uint32_t)m->row[0][*node] + m->row[1][*node]) << 11;
    const uint32_t zeros = bbans_zeros_of(left, (uint32_t)2 << below, ones);
    const uint32_t bit =
        decode ? given - q->span.start >= zeros : given >> below & 1;
    unsigned i;

    bbans_take_half(&q->span.start, &left, zeros, bit);
    q->span.end = q->span.start + left;
    for (i = 0; i < FEW; i++)
        bbans_learn(m->row[i] + *node, m->share[depth - below > 2][i], bit);
    *node = 2 * *node + bit;
}

/* Of one value, or of one of each stream in turns. */
INLINED static inline void decide_all(value_in_work *q, unsigned streams,
                                      unsigned depth, unsigned contexts,
                                      int decode, const uint32_t *given)
{
    uint32_t node[STREAMS];
    unsigned below, i;

    if (contexts != FEW) {
        for (i = 0; i < streams; i++)
            if (decode)
                q[i].leaf = BBANS_RESIDUAL->decode(&q[i].mixed, depth, given[i],
                                                   &q[i].span);
            else
                BBANS_RESIDUAL->encode(&q[i].mixed, depth, q[i].leaf,
                                       &q[i].span);
        return;
    }
    for (i = 0; i < streams; i++) {
        node[i] = 1;
        q[i].span.start = 0;
        q[i].span.end = (uint32_t)1 << BBANS_SIGNAL_PREC;
    }
    for (below = depth; below-- > 0;)
        for (i = 0; i < streams; i++)
            decide(q + i, depth, below, decode, decode ? given[i] : q[i].leaf,
                   node + i);
    for (i = 0; i < streams; i++)
        q[i].leaf = node[i] - ((uint32_t)1 << depth);
}

/* In which half of a wide bin, of the slots that are left. */
INLINED static inline uint32_t halve(residuals *c, value_in_work *q, int decode,
                                     uint32_t given)
{
    uint16_t *p = c->half[q->leaf] + (q->k > 0);
    uint32_t left = q->span.end - q->span.start;
    const uint32_t zeros = bbans_zeros_of(left, 1, (uint32_t)*p << 12);
    const uint32_t bit = decode ? given - q->span.start >= zeros : given;

    bbans_take_half(&q->span.start, &left, zeros, bit);
    q->span.end = q->span.start + left;
    bbans_learn(p, (uint32_t)1 << (16 - HALVES), bit);
    return bit;
}

static inline void remember(residuals *c)
{
    c->seen++;
    if (c->seen % 256 == 0 && c->seen < (uint32_t)1 << 31)
        c->rate = 16 + (int32_t)(110 * 256 / (256 + c->seen));
}

static inline void see(stream *s, const value_in_work *q, int64_t v)
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
static void prepare(residuals *c, const bbans_signal_range *range)
{
    const unsigned bits =
        range->direct ? (unsigned)bbans_bit_length(bbans_range_width(range))
                      : 0;

    if (bits != c->bits)
        forget(c, bits);
    if (bits > 0)
        spread(c->kinds, bits, bbans_range_width(range) + 1);
    if (c->seen == 0)
        c->rate = 126;
}

/* ---- Decoding --------------------------------------------------------------
 */

void bbans_residual_resume(void *work, bbans_signal_source *s)
{
    const uint32_t mode = bbans_source_raw(s, 0, MODE_BITS);

    s->bad |= mode > 2;
    begin(work, mode == 0 ? FEW : mode == 1 ? SOME : MANY);
}

/* From the leaf on. */
INLINED static inline int32_t take_rest(residuals *c, value_in_work *q,
                                        bbans_signal_source *s, unsigned lane,
                                        const bbans_signal_range *range)
{
    const int64_t sign = -(int64_t)(q->leaf < LEAVES / 2);
    const uint32_t bin = (q->leaf ^ (uint32_t)sign) & BEYOND;
    int64_t units = bin_first[bin], off = 0, v;
    unsigned bits = bin_bits[bin] + q->k;

    if (bin == BEYOND) {
        bbans_source_advance(s, lane, q->span.start,
                             q->span.end - q->span.start);
        bits = bbans_source_raw(s, lane, ESCAPE_BITS);
        units +=
            (int64_t)((uint64_t)1 << bits | bbans_source_bits(s, lane, bits)) -
            1;
        if (units >> (33 - q->k) != 0) {
            s->bad = 1;
            units = 0;
        }
        off = (int64_t)bbans_source_bits(s, lane, q->k);
    } else {
        if (bits > 0)
            off = halve(c, q, 1, bbans_source_slot(s, lane));
        bbans_source_advance(s, lane, q->span.start,
                             q->span.end - q->span.start);
        if (bits > 1) {
            off <<= bits - 1;
            off |= bits <= 29 ? (int64_t)bbans_source_raw(s, lane, bits - 1)
                              : (int64_t)bbans_source_bits(s, lane, bits - 1);
        }
    }
    /* Below 2^33 + 2^38, either side mirrors the other. */
    units = units * ((int64_t)1 << q->k) + off;
    v = q->middle - q->half + (units ^ sign);
    if (v < range->low || v > range->high) {
        s->bad = 1;
        v = v < range->low ? range->low : range->high;
    }
    return (int32_t)v;
}

/* Of each of n streams, value[0], value[length], ... */
INLINED static inline void
decode_step(residuals *c, bbans_signal_source *s, int32_t *value, size_t t,
            size_t length, const bbans_signal_range *range, unsigned wide,
            bbans_predictor *predictor, stream *streams, unsigned n,
            unsigned contexts)
{
    value_in_work q[STREAMS];
    uint32_t slot[STREAMS];
    unsigned i;

    for (i = 0; i < n; i++) {
        q[i].mu = bbans_predict_at(predictor + i, i * length + t);
        expect(c, streams + i, q + i, range, wide, contexts);
        slot[i] = bbans_source_slot(s, i);
    }
    decide_all(q, n, DEPTH, contexts, 1, slot);
    for (i = 0; i < n; i++) {
        const int32_t v = take_rest(c, q + i, s, i, range);

        value[i * length] = v;
        bbans_predict_seen(predictor + i, i * length + t, v);
        see(streams + i, q + i, v);
        remember(c);
    }
}

INLINED static inline void
decode_residuals(residuals *c, bbans_signal_source *s, bbans_signal_values *x,
                 const bbans_signal_range *range, const bbans_prediction *p,
                 unsigned lanes, void *memory, unsigned contexts)
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

static void decode_kinds(residuals *c, bbans_signal_source *s,
                         bbans_signal_values *x,
                         const bbans_signal_range *range, unsigned lanes)
{
    int32_t *value = bbans_signal_channel(x, range->channel);
    const uint32_t kinds = bbans_range_width(range) + 1;
    const size_t length = (x->steps + lanes - 1) / lanes;
    stream streams[STREAMS];
    value_in_work q;
    unsigned i;
    size_t t;

    start_streams(streams, 0);
    for (t = 0; t < length; t++)
        for (i = 0; i < lanes && i * length + t < x->steps; i++) {
            const uint32_t slot = bbans_source_slot(s, i);

            expect_kind(c, streams + i, &q, c->contexts);
            decide_all(&q, 1, c->bits, c->contexts, 1, &slot);
            bbans_source_advance(s, i, q.span.start, q.span.end - q.span.start);
            if (q.leaf >= kinds) {
                s->bad = 1;
                q.leaf = kinds - 1;
            }
            value[i * length + t] = range->low + (int32_t)q.leaf;
            see_kind(streams + i, c->bits, q.leaf);
            remember(c);
        }
}

void bbans_residual_decode(void *work, bbans_signal_source *s,
                           bbans_signal_values *x,
                           const bbans_signal_range *range,
                           const bbans_prediction *p, unsigned lanes,
                           void *memory)
{
    residuals *c = (residuals *)work;
    size_t t;

    if (range->low == range->high) {
        for (t = 0; t < x->steps; t++)
            bbans_signal_channel(x, range->channel)[t] = range->low;
        return;
    }
    prepare(c, range);
    if (c->bits > 0)
        decode_kinds(c, s, x, range, lanes);
    else if (c->contexts == FEW && lanes == STREAMS_FAST)
        decode_residuals(c, s, x, range, p, STREAMS_FAST, memory, FEW);
    else if (c->contexts == FEW)
        decode_residuals(c, s, x, range, p, lanes, memory, FEW);
    else if (c->contexts == SOME)
        decode_residuals(c, s, x, range, p, lanes, memory, SOME);
    else
        decode_residuals(c, s, x, range, p, lanes, memory, MANY);
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
                    contexts == FEW    ? 0
                    : contexts == SOME ? 1
                                       : 2,
                    MODE_BITS);
    begin(work, contexts);
}

INLINED static inline void put_rest(residuals *c, value_in_work *q,
                                    bbans_sink *sink, unsigned lane, int64_t r)
{
    const int64_t sign = -(int64_t)(q->leaf < LEAVES / 2);
    const uint32_t bin = (q->leaf ^ (uint32_t)sign) & BEYOND;
    const unsigned bits = bin_bits[bin] + q->k;
    const int64_t from = (r + q->half) ^ sign;

    if (bin == BEYOND) {
        const uint64_t units = (uint64_t)(from >> q->k) - REACH + 1;
        const unsigned n = (unsigned)bbans_bit_length(units) - 1;

        bbans_sink_step(sink, lane, q->span.start, q->span.end - q->span.start);
        bbans_sink_bits(sink, lane, n, ESCAPE_BITS);
        bbans_sink_bits(sink, lane, units - ((uint64_t)1 << n), n);
        bbans_sink_bits(sink, lane,
                        (uint64_t)from & (((uint64_t)1 << q->k) - 1), q->k);
        return;
    }
    if (bits > 0) {
        const uint64_t off =
            (uint64_t)(from - ((int64_t)bin_first[bin] << q->k));

        halve(c, q, 0, (uint32_t)(off >> (bits - 1)));
        bbans_sink_step(sink, lane, q->span.start, q->span.end - q->span.start);
        bbans_sink_bits(sink, lane, off & (((uint64_t)1 << (bits - 1)) - 1),
                        bits - 1);
    } else {
        bbans_sink_step(sink, lane, q->span.start, q->span.end - q->span.start);
    }
}

INLINED static inline void
encode_step(residuals *c, bbans_sink *sink, const int32_t *value,
            const int64_t *mu, size_t length, const bbans_signal_range *range,
            unsigned wide, stream *streams, unsigned n, unsigned contexts)
{
    value_in_work q[STREAMS];
    unsigned i;

    for (i = 0; i < n; i++) {
        q[i].mu = mu[i * length];
        expect(c, streams + i, q + i, range, wide, contexts);
        q[i].leaf = leaf_of(c, q + i, value[i * length] - q[i].middle);
    }
    decide_all(q, n, DEPTH, contexts, 0, NULL);
    for (i = 0; i < n; i++) {
        const int32_t v = value[i * length];

        put_rest(c, q + i, sink, i, v - q[i].middle);
        see(streams + i, q + i, v);
        remember(c);
    }
}

INLINED static inline void encode_residuals(residuals *c, bbans_sink *sink,
                                            const bbans_signal_values *x,
                                            const bbans_signal_range *range,
                                            const int64_t *mu, unsigned lanes,
                                            unsigned octave, unsigned contexts)
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

static void encode_kinds(residuals *c, bbans_sink *sink,
                         const bbans_signal_values *x,
                         const bbans_signal_range *range, unsigned lanes)
{
    const int32_t *value = bbans_signal_channel(x, range->channel);
    const size_t length = (x->steps + lanes - 1) / lanes;
    stream streams[STREAMS];
    value_in_work q;
    unsigned i;
    size_t t;

    start_streams(streams, 0);
    for (t = 0; t < length; t++)
        for (i = 0; i < lanes && i * length + t < x->steps; i++) {
            q.leaf = (uint32_t)(value[i * length + t] - range->low);
            expect_kind(c, streams + i, &q, c->contexts);
            decide_all(&q, 1, c->bits, c->contexts, 0, NULL);
            bbans_sink_step(sink, i, q.span.start, q.span.end - q.span.start);
            see_kind(streams + i, c->bits, q.leaf);
            remember(c);
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
    return (unsigned)bbans_bit_length(sum / n + 8) - 1;
}

void bbans_residual_encode(void *work, bbans_sink *sink,
                           const bbans_signal_values *x,
                           const bbans_signal_range *range, const int64_t *mu,
                           unsigned lanes)
{
    residuals *c = (residuals *)work;
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
    if (c->contexts == FEW && lanes == STREAMS_FAST)
        encode_residuals(c, sink, x, range, mu, STREAMS_FAST, octave, FEW);
    else if (c->contexts == FEW)
        encode_residuals(c, sink, x, range, mu, lanes, octave, FEW);
    else if (c->contexts == SOME)
        encode_residuals(c, sink, x, range, mu, lanes, octave, SOME);
    else
        encode_residuals(c, sink, x, range, mu, lanes, octave, MANY);
}
#endif /* BBANS_DECODER_ONLY */
