/* Private to signals/ and grids/: residuals, or values of few kinds, as
 * decisions under mixed contexts.  What the contexts are is the caller's.
 * docs/maths.md, "Signals".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_RESIDUAL_CORE_H
#define BBANS_RESIDUAL_CORE_H

#include "bbans_signals.h"

#include "../distributions/bbans_logits.h"

#if defined(__GNUC__) || defined(__clang__)
#define BBANS_INLINED __attribute__((always_inline))
#else
#define BBANS_INLINED
#endif

enum {
    BBANS_DEPTH = 5, /* of the tree of bins */
    BBANS_LEAVES = 1 << BBANS_DEPTH,
    BBANS_BEYOND =
        BBANS_LEAVES / 2 - 1, /* the last bin of either side has no end... */
    BBANS_REACH = 221,        /* ... and begins so many units from the middle */
    BBANS_CLASSES = 48,       /* quarters of octaves of the scale */
    BBANS_FEW = 2,            /* contexts, their mean taken */
    BBANS_SOME = 8,
    BBANS_MANY = 16,
    BBANS_SEEN_MAX = 511,  /* counted in a row */
    BBANS_SEEN_FIRST = 20, /* what a row's first entries count */
    BBANS_SEEN_COPIED = 2, /* and those copied from another row */
    BBANS_HALVES = 7,      /* halves of a bin learn 2^-7 of the way */
    BBANS_ESCAPE_BITS = 5
};

/* Units of a bin, and where it begins. */
static const uint8_t bbans_bin_bits[BBANS_BEYOND + 1] = {
    0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 5, 7, 0};
static const uint8_t bbans_bin_first[BBANS_BEYOND + 1] = {
    0, 1, 2, 3, 5, 7, 9, 13, 17, 21, 29, 37, 45, 61, 93, BBANS_REACH};

/* What there is room for. */
typedef struct {
    unsigned contexts; /* kinds of them: FEW, SOME or MANY     */
    uint32_t sets;     /* of weights                           */
    uint32_t cells;    /* contexts of a kind                   */
    uint32_t kept;     /* rows that the first kind may need    */
    uint32_t rows;     /* at most 2^16; one of them is no row  */
} bbans_residuals_size;

/* Rows lie one behind the other, in the order of their first use; index says
 * which is a context's, 0: none. */
typedef struct {
    bbans_residuals_size size;
    unsigned bits; /* of values of few kinds; 0: of residuals */
    uint32_t seen; /* values, for these bits */
    uint32_t rows;
    int32_t rate;
    uint16_t share[2][BBANS_SEEN_MAX + 1]; /* of a row that counts so many, at
                                        depths 0 and 1, and below */
    uint16_t kinds[BBANS_LEAVES];          /* a first row of few kinds */
    uint16_t half[BBANS_LEAVES][2]; /* of a bin of one unit; of several */
    uint16_t prior[BBANS_CLASSES]
                  [BBANS_LEAVES]; /* entry 0: whether it is there */
    uint8_t bin[BBANS_REACH + 1]; /* on either side of the middle */
    int32_t *weight;              /* [sets][LEAVES][contexts] */
    uint16_t *index;              /* [contexts][cells] */
    uint16_t *row;                /* [rows][LEAVES] */
} bbans_residuals;

/* A value in work. */
typedef struct {
    bbans_mixed mixed;
    uint16_t spare[BBANS_MANY][BBANS_LEAVES];
    bbans_span span;
    uint32_t leaf;
    unsigned k;   /* a unit is 2^k values */
    int64_t half; /* of it */
    int64_t mu, middle;
} bbans_residual;

static inline size_t bbans_residuals_bytes(const bbans_residuals_size *size)
{
    return sizeof(bbans_residuals) + 8 + BBANS_ALIGNMENT +
           4 * (size_t)size->sets * BBANS_LEAVES * size->contexts +
           2 * (size_t)size->cells * size->contexts +
           2 * (size_t)BBANS_LEAVES * size->rows;
}

/* Nothing seen, of residuals or of values of so many bits. */
static inline void bbans_residuals_forget(bbans_residuals *c, unsigned bits)
{
    uint32_t i;

    c->bits = bits;
    c->seen = 0;
    c->rows = 1;
    for (i = 0; i < c->size.sets * BBANS_LEAVES * c->size.contexts; i++)
        c->weight[i] = 65536 / (int32_t)c->size.contexts;
    for (i = 0; i < BBANS_LEAVES; i++)
        c->half[i][0] = c->half[i][1] = 0x8000;
    memset(c->index, 0, c->size.cells * c->size.contexts * sizeof *c->index);
}

/* An entry that has counted n goes 1 / (n + 1.5) of its way, n < shares. */
static inline void bbans_residuals_begin(void *work,
                                         const bbans_residuals_size *size,
                                         uint32_t shares)
{
    bbans_residuals *c = (bbans_residuals *)work;
    uint8_t *rest = (uint8_t *)work + (sizeof *c + 7) / 8 * 8;
    uint32_t i, bin = 0;

    c->size = *size;
    c->weight = (int32_t *)(void *)rest;
    rest += 4 * (size_t)size->sets * BBANS_LEAVES * size->contexts;
    c->index = (uint16_t *)(void *)rest;
    rest += 2 * (size_t)size->cells * size->contexts;
    c->row = (uint16_t *)bbans_align(rest);
    for (i = 0; i <= BBANS_SEEN_MAX; i++) {
        const uint32_t n = i < shares ? i : shares - 1;
        const uint32_t half = i / 2 < shares ? i / 2 : shares - 1;

        c->share[0][i] = (uint16_t)(0x20000 / (2 * n + 3));
        c->share[1][i] = (uint16_t)(0x20000 / (2 * half + 3));
    }
    for (i = 0; i <= BBANS_REACH; i++) {
        bin += bin < BBANS_BEYOND && i == bbans_bin_first[bin + 1];
        c->bin[i] = (uint8_t)bin;
    }
    memset(c->prior, 0, sizeof c->prior);
    memset(c->kinds, 0, sizeof c->kinds);
    bbans_residuals_forget(c, 0);
}

static inline int bbans_within(int64_t v, int low, int high)
{
    return v < low ? low : v > high ? high : (int)v;
}

/* 4 log2(v) of v >= 4, linear in each octave. */
static inline int bbans_quarters(uint64_t v)
{
    const uint64_t u = v < 4 ? 4 : v;
    const int octave = (int)bbans_floor_log2(u);

    return 4 * octave + (int)(u >> (octave - 2) & 3);
}

/* The leaf of what lies d from the middle. */
static inline uint32_t bbans_leaf_of(const bbans_residuals *c,
                                     const bbans_residual *q, int64_t d)
{
    const int64_t units = bbans_floor_shift(d + q->half, q->k);
    const int64_t sign = bbans_sign(units);
    const int64_t from = units ^ sign;

    return (BBANS_LEAVES / 2 |
            c->bin[from < BBANS_REACH ? from : BBANS_REACH]) ^
           ((BBANS_LEAVES - 1) & (uint32_t)sign);
}

/* Shares of a logistic distribution in which |residual| has the mean of its
 * class: 308 is 128 log2(e) / 0.6. */
static inline const uint16_t *bbans_prior_of(bbans_residuals *c, unsigned class)
{
    uint16_t *row = c->prior[class];
    const int64_t mean = (int64_t)((9 + 2 * (class & 3)) << (class >> 2)) >> 3;
    int64_t edge[BBANS_LEAVES + 1];
    uint32_t i, depth;

    if (row[0] != 0)
        return row;
    row[0] = 1;
    edge[0] = 0;
    edge[BBANS_LEAVES] = (int64_t)1 << BBANS_PREC_MAX;
    for (i = 1; i < BBANS_LEAVES; i++) {
        const int64_t first =
            i < BBANS_LEAVES / 2
                ? -(int64_t)bbans_bin_first[BBANS_LEAVES / 2 - i]
                : bbans_bin_first[i - BBANS_LEAVES / 2];
        const int64_t at = (2 * first - 1) * 128 * 308;

        edge[i] = bbans_mass_of_one((int32_t)bbans_within(
            at / mean, -BBANS_LOGIT_MAX, BBANS_LOGIT_MAX));
    }
    for (depth = 0; depth < BBANS_DEPTH; depth++)
        for (i = 0; i < (uint32_t)1 << depth; i++) {
            const int64_t *e = edge + (i << (BBANS_DEPTH - depth));
            const size_t reach = (size_t)BBANS_LEAVES >> depth;
            const int64_t p = ((e[reach] - e[reach / 2] + 2048) * 65536) /
                              (e[reach] - e[0] + 4096);

            row[((uint32_t)1 << depth) + i] =
                (uint16_t)bbans_within(p, 64, 65472);
        }
    return row;
}

/* Alike for the kinds there are, leaves 0 .. kinds - 1 of 2^bits. */
static inline void bbans_kinds_spread(uint16_t *row, unsigned bits,
                                      uint32_t kinds)
{
    uint32_t i, depth;

    for (depth = 0; depth < bits; depth++)
        for (i = 0; i < (uint32_t)1 << depth; i++) {
            const uint32_t half = (uint32_t)1 << (bits - depth - 1);
            const int64_t left = (int64_t)kinds - 2 * half * i;
            const int64_t p = left <= half       ? 0
                              : left >= 2 * half ? 0x8000
                                                 : (left - half) * 65536 / left;

            row[((uint32_t)1 << depth) + i] =
                (uint16_t)bbans_within(p, 64, 65472);
        }
}

static inline uint16_t *bbans_row_copied(uint16_t *row, const uint16_t *first,
                                         uint16_t seen)
{
    unsigned i;

    row[0] = seen;
    for (i = 1; i < BBANS_LEAVES; i++)
        row[i] = first[i];
    return row;
}

/* Returns a context's row, which begins like `first` if it is new. */
static inline uint16_t *bbans_row_of(bbans_residuals *c, unsigned kind,
                                     uint32_t context, const uint16_t *first,
                                     uint16_t seen)
{
    uint16_t *at = c->index + (size_t)c->size.cells * kind + context;

    if (*at == 0) {
        *at = (uint16_t)c->rows++;
        bbans_row_copied(c->row + (size_t)BBANS_LEAVES * *at, first, seen);
    }
    return c->row + (size_t)BBANS_LEAVES * *at;
}

/* Rows of all contexts, of which the first one's is given if it is new, and
 * then gives new ones what they begin with.  When no room is left what these
 * learn is forgotten. */
BBANS_INLINED static inline void
bbans_find_rows(bbans_residuals *c, bbans_residual *q, const uint32_t *context,
                unsigned contexts, const uint16_t *given)
{
    uint16_t *first = bbans_row_of(c, 0, context[0], given, BBANS_SEEN_FIRST);
    unsigned i;

    q->mixed.row[0] = first;
    for (i = 1; i < contexts; i++)
        q->mixed.row[i] =
            c->rows < c->size.rows - c->size.kept ||
                    c->index[(size_t)c->size.cells * i + context[i]] != 0
                ? bbans_row_of(c, i, context[i], first, BBANS_SEEN_COPIED)
                : bbans_row_copied(q->spare[i], first, BBANS_SEEN_COPIED);
    for (i = 0; i < contexts; i++) {
        const uint32_t n = q->mixed.row[i][0];

        q->mixed.share[0][i] = c->share[0][n];
        q->mixed.share[1][i] = c->share[1][n];
        q->mixed.row[i][0] = (uint16_t)(n + (n < BBANS_SEEN_MAX));
    }
    q->mixed.vectors = contexts / BBANS_MIXED_WIDTH;
    q->mixed.rate = c->rate;
}

/* The mean of two probabilities decides. */
BBANS_INLINED static inline void bbans_decide(bbans_residual *q, unsigned depth,
                                              unsigned below, int decode,
                                              uint32_t given, uint32_t *node)
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
    for (i = 0; i < BBANS_FEW; i++)
        bbans_learn(m->row[i] + *node, m->share[depth - below > 2][i], bit);
    *node = 2 * *node + bit;
}

/* Of one value, or of one of each stream in turns. */
BBANS_INLINED static inline void
bbans_decide_all(bbans_residual *q, unsigned streams, unsigned depth,
                 unsigned contexts, int decode, const uint32_t *given)
{
    uint32_t node[BBANS_SIGNAL_LANES_MAX];
    unsigned below, i;

    if (contexts != BBANS_FEW) {
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
            bbans_decide(q + i, depth, below, decode,
                         decode ? given[i] : q[i].leaf, node + i);
    for (i = 0; i < streams; i++)
        q[i].leaf = node[i] - ((uint32_t)1 << depth);
}

/* In which half of a wide bin, of the slots that are left. */
BBANS_INLINED static inline uint32_t
bbans_halve(bbans_residuals *c, bbans_residual *q, int decode, uint32_t given)
{
    uint16_t *p = c->half[q->leaf] + (q->k > 0);
    uint32_t left = q->span.end - q->span.start;
    const uint32_t zeros = bbans_zeros_of(left, 1, (uint32_t)*p << 12);
    const uint32_t bit = decode ? given - q->span.start >= zeros : given;

    bbans_take_half(&q->span.start, &left, zeros, bit);
    q->span.end = q->span.start + left;
    bbans_learn(p, (uint32_t)1 << (16 - BBANS_HALVES), bit);
    return bit;
}

static inline void bbans_residuals_seen(bbans_residuals *c)
{
    c->seen++;
    if (c->seen % 256 == 0 && c->seen < (uint32_t)1 << 31)
        c->rate = 16 + (int32_t)(110 * 256 / (256 + c->seen));
}

/* From the leaf on. */
BBANS_INLINED static inline int32_t
bbans_take_rest(bbans_residuals *c, bbans_residual *q, bbans_signal_source *s,
                unsigned lane, const bbans_signal_range *range)
{
    const int64_t sign = -(int64_t)(q->leaf < BBANS_LEAVES / 2);
    const uint32_t bin = (q->leaf ^ (uint32_t)sign) & BBANS_BEYOND;
    int64_t units = bbans_bin_first[bin], off = 0, v;
    unsigned bits = bbans_bin_bits[bin] + q->k;

    if (bin == BBANS_BEYOND) {
        bbans_source_advance(s, lane, q->span.start,
                             q->span.end - q->span.start);
        bits = bbans_source_raw(s, lane, BBANS_ESCAPE_BITS);
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
            off = bbans_halve(c, q, 1, bbans_source_slot(s, lane));
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

#ifndef BBANS_DECODER_ONLY
BBANS_INLINED static inline void bbans_put_rest(bbans_residuals *c,
                                                bbans_residual *q,
                                                bbans_sink *sink, unsigned lane,
                                                int64_t r)
{
    const int64_t sign = -(int64_t)(q->leaf < BBANS_LEAVES / 2);
    const uint32_t bin = (q->leaf ^ (uint32_t)sign) & BBANS_BEYOND;
    const unsigned bits = bbans_bin_bits[bin] + q->k;
    const int64_t from = (r + q->half) ^ sign;

    if (bin == BBANS_BEYOND) {
        const uint64_t units = (uint64_t)(from >> q->k) - BBANS_REACH + 1;
        const unsigned n = bbans_floor_log2(units);

        bbans_sink_step(sink, lane, q->span.start, q->span.end - q->span.start);
        bbans_sink_bits(sink, lane, n, BBANS_ESCAPE_BITS);
        bbans_sink_bits(sink, lane, units - ((uint64_t)1 << n), n);
        bbans_sink_bits(sink, lane,
                        (uint64_t)from & (((uint64_t)1 << q->k) - 1), q->k);
        return;
    }
    if (bits > 0) {
        const uint64_t off =
            (uint64_t)(from - ((int64_t)bbans_bin_first[bin] << q->k));

        bbans_halve(c, q, 0, (uint32_t)(off >> (bits - 1)));
        bbans_sink_step(sink, lane, q->span.start, q->span.end - q->span.start);
        bbans_sink_bits(sink, lane, off & (((uint64_t)1 << (bits - 1)) - 1),
                        bits - 1);
    } else {
        bbans_sink_step(sink, lane, q->span.start, q->span.end - q->span.start);
    }
}

#endif /* BBANS_DECODER_ONLY */

#endif
