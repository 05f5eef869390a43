/* Elements of a channel to values of 31 bits, and back: docs/maths.md,
 * "Signals".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_signals.h"

#include "../files/bbans_files.h"

#define KIND_BITS 3
#define ORDER_BITS 2
#define SHIFT_BITS 6
#define MOST_MAX ((uint64_t)2 * BBANS_SIGNAL_VALUE_MAX)

/* ---- Gaps between the distinct values -------------------------------------
 */

/* A gap less 1 is a class: 0 to 7 itself, then [8, 16), [16, 32), .., and in
 * the last one any.  Of each pair of gaps before it, by class, a table of
 * edges, which move towards those of the class that was seen. */
#define CLASSES 16
#define EXACT 8
#define FAMILIAR 4 /* classes of gaps before */
#define EDGE_BITS 16
#define RATE_FIRST 2
#define RATE_LAST 6

typedef struct {
    uint32_t edge[CLASSES + 1], seen;
} gap_table;

typedef struct {
    gap_table table[FAMILIAR * FAMILIAR];
    unsigned before;
} gap_model;

static void start_gaps(gap_model *m)
{
    size_t i;
    unsigned k;

    memset(m, 0, sizeof *m);
    for (i = 0; i < FAMILIAR * FAMILIAR; i++) {
        gap_table *table = m->table + i;

        /* Halves: a half of all gaps are 1. */
        for (k = 1; k < CLASSES; k++)
            table->edge[k] =
                ((uint32_t)1 << EDGE_BITS) - ((uint32_t)1 << (EDGE_BITS - k));
        table->edge[CLASSES] = (uint32_t)1 << EDGE_BITS;
    }
}

/* Edges keep 1 apart: edge[k] >= k, and with a = edge[k] - k, of which the
 * part 2^-rate is taken, rounded down, two neighbours' a differ by d - 1, and
 * what is taken of them by less than (d - 1) 2^-rate + 1; so too from above. */
static void see_class(gap_model *m, unsigned class)
{
    gap_table *table = m->table + m->before;
    const unsigned rate = RATE_FIRST + table->seen / 4 < RATE_LAST
                              ? RATE_FIRST + table->seen / 4
                              : RATE_LAST;
    const uint32_t all = (uint32_t)1 << EDGE_BITS;
    unsigned k;

    for (k = 1; k < CLASSES; k++) {
        uint32_t *edge = table->edge + k;

        if (k <= class)
            *edge -= (*edge - k) >> rate;
        else
            *edge += (all - (CLASSES - k) - *edge) >> rate;
    }
    table->seen += table->seen < 4 * RATE_LAST;
    m->before = m->before % FAMILIAR * FAMILIAR +
                (class < FAMILIAR ? class : FAMILIAR - 1);
}

static uint32_t interval_start(const gap_table *table, unsigned class)
{
    return table->edge[class] << (BBANS_SIGNAL_PREC - EDGE_BITS);
}

static uint32_t interval_freq(const gap_table *table, unsigned class)
{
    return (table->edge[class + 1] - table->edge[class])
           << (BBANS_SIGNAL_PREC - EDGE_BITS);
}

static unsigned class_bits(unsigned class)
{
    return class < EXACT ? 0 : class - EXACT + 3;
}

static uint64_t take_gap(gap_model *m, bbans_signal_source *s)
{
    const gap_table *table = m->table + m->before;
    const uint32_t slot =
        bbans_source_slot(s, 0) >> (BBANS_SIGNAL_PREC - EDGE_BITS);
    unsigned class = 0, bits;
    uint64_t gap;

    while (table->edge[class + 1] <= slot)
        class ++;
    bbans_source_advance(s, 0, interval_start(table, class),
                         interval_freq(table, class));
    bits = class_bits(class);
    if (class == CLASSES - 1)
        gap = bbans_source_number(s);
    else
        gap = class < EXACT
                  ? class
                  : ((uint64_t)1 << bits) + bbans_source_bits(s, 0, bits);
    see_class(m, class);
    return gap;
}

/* ---- Parameters -----------------------------------------------------------
 */

static int has_divisor(const bbans_transform *transform)
{
    return transform->kind == BBANS_SIGNAL_OFFSET ||
           transform->kind == BBANS_SIGNAL_RANKS ||
           transform->kind == BBANS_SIGNAL_WRAPPED;
}

static int has_shift(const bbans_transform *transform)
{
    return transform->kind == BBANS_SIGNAL_LOW_BITS ||
           transform->kind == BBANS_SIGNAL_WRAPPED;
}

static void set_range(bbans_transform *transform)
{
    const uint32_t half = transform->most / 2 + transform->most % 2;

    transform->range.low = -(int32_t)half;
    transform->range.high = (int32_t)(transform->most - half);
}

static uint32_t take_most(bbans_signal_source *s, uint64_t limit)
{
    const uint64_t most = bbans_source_number(s);

    if (most <= limit)
        return (uint32_t)most;
    s->bad = 1;
    return 0;
}

static void take_ranks(const bbans_transform *transform, bbans_signal_source *s,
                       uint64_t *rank)
{
    gap_model m;
    uint32_t i;

    start_gaps(&m);
    rank[0] = 0;
    for (i = 0; i < transform->most; i++)
        rank[i + 1] = rank[i] + 1 + take_gap(&m, s); /* mod 2^64 */
}

void bbans_transform_take(bbans_transform *transform, bbans_signal_source *s,
                          size_t steps, uint64_t *rank)
{
    unsigned i;

    memset(transform, 0, sizeof *transform);
    transform->divisor = 1;
    transform->kind = (int)bbans_source_bits(s, 0, KIND_BITS);
    if (transform->kind >= BBANS_SIGNAL_KINDS) {
        s->bad = 1;
        transform->kind = BBANS_SIGNAL_CONSTANT;
    }
    if (transform->kind == BBANS_SIGNAL_LINE) {
        transform->base = bbans_source_number(s);
        return;
    }
    transform->order = (unsigned)bbans_source_bits(s, 0, ORDER_BITS);
    if (transform->order > steps) {
        s->bad = 1;
        transform->order = 0;
    }
    for (i = 0; i < transform->order; i++)
        transform->first[i] = (i > 0 ? transform->first[i - 1] : 0) +
                              bbans_unzigzag(bbans_source_number(s));
    transform->base = bbans_unzigzag(bbans_source_number(s));
    if (has_divisor(transform))
        transform->divisor = bbans_source_number(s) + 1; /* mod 2^64 */
    if (has_shift(transform))
        transform->shift = (unsigned)bbans_source_bits(s, 0, SHIFT_BITS);
    if (transform->kind == BBANS_SIGNAL_RANKS)
        transform->most = take_most(s, steps - 1);
    else if (transform->kind != BBANS_SIGNAL_CONSTANT)
        transform->most = take_most(s, MOST_MAX);
    if (transform->kind == BBANS_SIGNAL_RANKS)
        take_ranks(transform, s, rank);
    set_range(transform);
}

/* ---- Differences ----------------------------------------------------------
 */

/* The differences of order 0 .. order - 1 that end at the last element. */
typedef struct {
    uint64_t last[BBANS_SIGNAL_DIFFERENCES];
    unsigned order;
} sums;

static void start_sums(sums *s, const bbans_transform *transform)
{
    uint64_t difference[BBANS_SIGNAL_DIFFERENCES];
    unsigned i, k;

    memcpy(difference, transform->first, sizeof difference);
    s->order = transform->order;
    for (k = 0; k < s->order; k++) {
        s->last[k] = difference[s->order - 1 - k];
        for (i = 0; i + 1 < s->order - k; i++)
            difference[i] = difference[i + 1] - difference[i];
    }
}

/* The element after the last, by its difference of the full order. */
static inline uint64_t next_element(sums *s, uint64_t difference)
{
    unsigned k;

    for (k = s->order; k-- > 0;)
        difference = s->last[k] += difference;
    return difference;
}

/* ---- Values to elements ---------------------------------------------------
 */

static int put_element(uint8_t *to, uint64_t bits, size_t width, int is_signed)
{
    bbans_element_put(to, bits, width);
    if (width == 8)
        return 1;
    return is_signed ? bbans_element_extend(bits, width) == bits
                     : bits >> (8 * width) == 0;
}

/* The difference that a value stands for. */
static inline uint64_t difference_of(const bbans_transform *transform,
                                     uint32_t u, const uint64_t *rank,
                                     bbans_signal_source *s, unsigned lane)
{
    switch (transform->kind) {
    case BBANS_SIGNAL_OFFSET: return transform->base + transform->divisor * u;
    case BBANS_SIGNAL_RANKS:
        return transform->base + transform->divisor * rank[u];
    case BBANS_SIGNAL_WRAPPED:
        return transform->base +
               transform->divisor *
                   (u & (((uint64_t)1 << transform->shift) - 1));
    case BBANS_SIGNAL_LOW_BITS:
        return transform->base + ((uint64_t)u << transform->shift) +
               bbans_source_bits(s, lane, transform->shift);
    default: return transform->base;
    }
}

int bbans_transform_undo(const bbans_transform *transform,
                         const bbans_line *line, bbans_signal_source *s,
                         unsigned lanes, const int32_t *value, size_t steps,
                         const uint64_t *rank, int element, uint8_t *to,
                         size_t stride)
{
    const size_t width = bbans_element_bytes(element);
    const int is_signed = bbans_element_is_signed(element);
    const int32_t low = transform->range.low;
    const int has_values = transform->kind >= BBANS_SIGNAL_OFFSET;
    int fits = 1;
    sums last;
    size_t t;

    if (transform->kind == BBANS_SIGNAL_LINE) {
        for (t = 0; t < steps; t++)
            fits &=
                put_element(to + t * stride,
                            line->start + (transform->base + t) * line->step,
                            width, is_signed);
        return fits;
    }
    for (t = 0; t < transform->order; t++)
        fits &=
            put_element(to + t * stride, transform->first[t], width, is_signed);
    start_sums(&last, transform);
    for (; t < steps; t++) {
        /* low <= v <= high < 2^30 + 1: the difference is below 2^32 */
        const uint32_t u = has_values ? (uint32_t)((int64_t)value[t] - low) : 0;
        const uint64_t difference =
            difference_of(transform, u, rank, s, (unsigned)(t & (lanes - 1)));

        fits &= put_element(to + t * stride, next_element(&last, difference),
                            width, is_signed);
    }
    return fits;
}

#ifndef BBANS_DECODER_ONLY
/* ---- Parameters on their way out ------------------------------------------
 */

static void put_gap(gap_model *m, bbans_sink *sink, uint64_t gap)
{
    const gap_table *table = m->table + m->before;
    const unsigned length = (unsigned)bbans_bit_length(gap);
    unsigned class = gap < EXACT ? (unsigned)gap : EXACT + length - 4, bits;

    if (class > CLASSES - 1)
        class = CLASSES - 1;
    bits = class_bits(class);
    bbans_sink_step(sink, 0, interval_start(table, class),
                    interval_freq(table, class));
    if (class == CLASSES - 1)
        bbans_sink_number(sink, gap);
    else if (bits > 0)
        bbans_sink_bits(sink, 0, gap - ((uint64_t)1 << bits), bits);
    see_class(m, class);
}

/* ---- Elements to differences -----------------------------------------------
 */

typedef struct {
    uint64_t *difference; /* [steps] */
    uint64_t *table;      /* [steps] the distinct ones, sorted */
    uint64_t *scratch;    /* [steps] */
} workspace;

static workspace workspace_of(void *work, size_t steps)
{
    workspace w;

    w.difference = (uint64_t *)work;
    w.table = w.difference + steps;
    w.scratch = w.table + steps;
    return w;
}

static void load(const uint8_t *data, int element, size_t stride, size_t steps,
                 uint64_t *to)
{
    const size_t width = bbans_element_bytes(element);
    const int is_signed = bbans_element_is_signed(element);
    size_t t;

    for (t = 0; t < steps; t++) {
        const uint64_t bits = bbans_element_get(data + t * stride, width);

        to[t] = is_signed ? bbans_element_extend(bits, width) : bits;
    }
}

/* In place; the first `order` become as the one after them. */
static void take_differences(uint64_t *x, size_t steps, unsigned order)
{
    unsigned k;
    size_t t;

    for (k = 1; k <= order; k++)
        for (t = steps; t-- > k;)
            x[t] -= x[t - 1];
    for (t = 0; t < order; t++)
        x[t] = order < steps ? x[order] : 0;
}

/* How far they lie apart: base the least of them, and most. */
static uint64_t spread(const uint64_t *x, size_t steps, uint64_t *base)
{
    int64_t low = 0, high = 0; /* from x[0] on */
    size_t t;

    for (t = 1; t < steps; t++) {
        const int64_t v = bbans_signed(x[t] - x[0]);

        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    *base = x[0] + (uint64_t)low;
    return (uint64_t)high - (uint64_t)low;
}

/* What divides all x - base. */
static uint64_t common_divisor(const uint64_t *x, size_t steps, uint64_t base)
{
    uint64_t d = 0;
    size_t t;

    for (t = 0; t < steps && d != 1; t++) {
        uint64_t a = x[t] - base, b = d;

        if (d > 1 && a % d == 0)
            continue;
        while (b != 0) {
            const uint64_t rest = a % b;

            a = b;
            b = rest;
        }
        d = a;
    }
    return d > 0 ? d : 1;
}

/* Division of multiples alone: a shift, and the odd part's inverse mod 2^64. */
typedef struct {
    unsigned shift;
    uint64_t inverse;
} exact;

static exact exact_of(uint64_t divisor)
{
    exact e = {0, 0};
    int i;

    while (divisor % 2 == 0) {
        divisor /= 2;
        e.shift++;
    }
    e.inverse = divisor; /* right in 3 bits, then in 6, 12, .. */
    for (i = 0; i < 5; i++)
        e.inverse *= 2 - divisor * e.inverse;
    return e;
}

static inline uint64_t quotient(exact e, uint64_t multiple)
{
    return (multiple >> e.shift) * e.inverse;
}

/* ---- Distinct values -------------------------------------------------------
 */

static void sift_down(uint64_t *x, size_t i, size_t n)
{
    const uint64_t v = x[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= n)
            break;
        child += child + 1 < n && x[child + 1] > x[child];
        if (x[child] <= v)
            break;
        x[i] = x[child];
        i = child;
    }
    x[i] = v;
}

static void sort(uint64_t *x, size_t n)
{
    size_t i;

    for (i = n / 2; i-- > 0;)
        sift_down(x, i, n);
    for (i = n; i-- > 1;) {
        const uint64_t top = x[0];

        x[0] = x[i];
        x[i] = top;
        sift_down(x, 0, i);
    }
}

/* In place; returns how many there are. */
static size_t sort_distinct(uint64_t *x, size_t n)
{
    size_t i, k = 0;

    sort(x, n);
    for (i = 0; i < n; i++)
        if (i == 0 || x[i] != x[i - 1])
            x[k++] = x[i];
    return k;
}

/* Which of 0 .. most there are: a bit for each, and the bits before each word.
 */
typedef struct {
    const uint64_t *table; /* sorted */
    uint64_t *bits;        /* NULL: look into the table */
    uint32_t *before;
    size_t n;
} distinct;

static unsigned ones(uint64_t v)
{
#if defined(__GNUC__) || defined(__clang__)
    return (unsigned)__builtin_popcountll(v);
#else
    unsigned n = 0;

    for (; v != 0; v &= v - 1)
        n++;
    return n;
#endif
}

static unsigned lowest_one(uint64_t v)
{
    return bbans_floor_log2(v & (0 - v));
}

static void list_bits(distinct *d, size_t words, uint64_t *table)
{
    size_t i;

    d->n = 0;
    for (i = 0; i < words; i++) {
        uint64_t left;

        d->before[i] = (uint32_t)d->n;
        for (left = d->bits[i]; left != 0; left &= left - 1)
            table[d->n++] = 64 * (uint64_t)i + lowest_one(left);
    }
}

/* Is there room for the words, and half of it for what is before each? */
static int has_bits(size_t steps, uint64_t most)
{
    return most / 64 < steps / 2 &&
           (most / 64 + 1) + (most / 64 + 1) / 2 + 1 <= steps;
}

/* The distinct ones of what differences are multiples of, at most `most`. */
static distinct find_distinct(const workspace *w, size_t steps, uint64_t base,
                              exact e, uint64_t most)
{
    distinct d;
    size_t t;

    d.table = w->table;
    d.bits = NULL;
    d.before = NULL;
    if (has_bits(steps, most)) {
        const size_t words = (size_t)(most / 64) + 1;

        d.bits = w->scratch;
        d.before = (uint32_t *)(void *)(d.bits + words);
        memset(d.bits, 0, 8 * words);
        for (t = 0; t < steps; t++) {
            const uint64_t u = quotient(e, w->difference[t] - base);

            d.bits[u / 64] |= (uint64_t)1 << u % 64;
        }
        list_bits(&d, words, w->table);
        return d;
    }
    for (t = 0; t < steps; t++)
        w->table[t] = quotient(e, w->difference[t] - base);
    d.n = sort_distinct(w->table, steps);
    return d;
}

static inline uint32_t rank_of(const distinct *d, uint64_t u)
{
    size_t low = 0, n = d->n;

    if (d->bits != NULL)
        return d->before[u / 64] +
               ones(d->bits[u / 64] & (((uint64_t)1 << u % 64) - 1));
    while (n > 1) { /* table[low] <= u */
        const size_t half = n / 2;

        low += d->table[low + half] <= u ? half : 0;
        n -= half;
    }
    return (uint32_t)low;
}

#define SAMPLE 256
#define SAMPLE_FEW 224 /* more: not worth sorting */

static size_t kinds_in_sample(const workspace *w, size_t steps)
{
    uint64_t sample[SAMPLE];
    const size_t n = steps < SAMPLE ? steps : SAMPLE;
    size_t i;

    for (i = 0; i < n; i++)
        sample[i] = w->difference[i * (steps / n)];
    return sort_distinct(sample, n) * SAMPLE / n;
}

/* ---- What a transform would cost -------------------------------------------
 */

#define PIECES 16
#define PIECE 512
#define PREDICTORS 3 /* differences of order 1 to 3 */
#define LENGTHS 65

/* The sum of n log2(total / n) over counts, in 2^-8 bits. */
uint64_t bbans_signal_information(const uint32_t *count, size_t n)
{
    uint64_t cost = 0, total = 0;
    size_t i;

    for (i = 0; i < n; i++)
        total += count[i];
    for (i = 0; i < n; i++)
        if (count[i] > 0)
            cost += count[i] * (uint64_t)(bbans_signal_log2((uint32_t)total) -
                                          bbans_signal_log2(count[i]));
    return cost;
}

/* In 2^-8 bits, of all steps: what a part of them costs by the best of simple
 * predictors, if each residual is coded by its length and then its bits. */
static uint64_t estimate(const bbans_transform *transform,
                         const uint64_t *difference, size_t steps,
                         const distinct *d)
{
    const exact e = exact_of(transform->divisor);
    const size_t pieces = steps > PIECES * PIECE ? PIECES : 1;
    const size_t length = pieces > 1 ? PIECE : steps;
    uint32_t count[PREDICTORS][LENGTHS] = {{0}};
    uint64_t least = UINT64_MAX, part = 0;
    size_t i, t, k;

    for (i = 0; i < pieces; i++) {
        const size_t first = i * ((steps - length) / PIECES);
        uint64_t last[PREDICTORS] = {0};

        for (t = first; t < first + length; t++) {
            uint64_t v = quotient(e, difference[t] - transform->base);

            v = d != NULL ? rank_of(d, v) : v >> transform->shift;
            for (k = 0; k < PREDICTORS; k++) {
                const uint64_t before = last[k];

                last[k] = v;
                v -= before;
                if (t >= first + PREDICTORS)
                    count[k][bbans_bit_length(bbans_zigzag(v))]++;
            }
            part += t >= first + PREDICTORS;
        }
    }
    for (k = 0; k < PREDICTORS; k++) {
        uint64_t cost = bbans_signal_information(count[k], LENGTHS);

        for (i = 2; i < LENGTHS; i++)
            cost += 256 * (uint64_t)count[k][i] * (i - 1);
        least = cost < least ? cost : least;
    }
    part = part > 0 ? part : 1; /* and bits below are all raw */
    return (least / part + 256 * (uint64_t)transform->shift) * steps +
           least % part * steps / part;
}

/* Of few kinds of values, by their frequencies: in 2^-8 bits. */
#define KINDS_FEW 32

static uint64_t entropy(const bbans_transform *transform, const workspace *w,
                        size_t steps, const distinct *d)
{
    const exact e = exact_of(transform->divisor);
    uint32_t count[KINDS_FEW] = {0};
    size_t t;

    for (t = 0; t < steps; t++)
        count[rank_of(d, quotient(e, w->difference[t] - transform->base))]++;
    return bbans_signal_information(count, d->n);
}

/* About what the table of the distinct ones takes, in 2^-8 bits. */
static uint64_t table_cost(const distinct *d)
{
    uint64_t cost = 0;
    size_t i, next = 0;

    for (i = 1; i < d->n; i++) {
        const uint64_t gap = d->table[i] - d->table[i - 1];

        next += gap == 1;
        cost += gap == 1 ? 0 : 512 * (uint64_t)bbans_bit_length(gap);
    }
    if (next > 0)
        cost += next * (uint64_t)(bbans_signal_log2((uint32_t)d->n) -
                                  bbans_signal_log2((uint32_t)next));
    return cost;
}

/* ---- Wraps */

/* Values of which only the lowest bits were kept: which multiples of 2^bits are
 * lost is for the encoder to guess, such that second differences are small. */
#define WRAP_BITS_MIN 3
#define WRAP_BITS_MAX 28
#define TURNS 2 /* multiples either side, of a path of least cost */
#define STATES (2 * TURNS + 1)
#define WINDOW 2048
#define AHEAD 64
#define FAR_BITS 6    /* so many turns are suspect: 2^6 */
#define LEVEL_PATHS 4 /* from here on, and of as many steps as have room: */
#define PATH_MIN 8192 /* WINDOW STATES^2 bytes in 8 a step                */

/* Near the last one, near where the last two lead, along a path. */
enum { UNWRAP_STAY, UNWRAP_GO, UNWRAP_PATH, UNWRAP_WAYS };

/* Each the multiple that is nearest to the last one, or to where the last two
 * lead. */
static void unwrap_near(uint64_t *u, size_t steps, unsigned bits, int go)
{
    const uint64_t unit = (uint64_t)1 << bits;
    size_t t;

    for (t = 1; t < steps; t++) {
        const uint64_t next = go && t > 1 ? 2 * u[t - 1] - u[t - 2] : u[t - 1];

        u[t] += (next - u[t] + unit / 2) & ~(unit - 1);
    }
}

/* log2(8 + |d|) in 2^-8, of a difference that is off by multiples. */
static void list_costs(uint64_t d, unsigned bits, uint32_t *cost)
{
    uint64_t k;

    d -= (uint64_t)(4 * TURNS) << bits;
    for (k = 0; k <= 8 * TURNS; k++) {
        const uint64_t v = d + (k << bits), a = v >> 63 != 0 ? 0 - v : v;

        cost[k] =
            bbans_signal_log2((uint32_t)(a >> 31 == 0 ? a + 8 : 1u << 31));
    }
}

/* The path of least cost through a window's steps, the first two of which are
 * as they are; choice [n][STATES][STATES]. */
static void unwrap_window(uint64_t *u, size_t n, unsigned bits, uint8_t *choice)
{
    const uint32_t far = UINT32_MAX / 4;
    uint32_t cost[STATES][STATES], next[STATES][STATES], f[8 * TURNS + 1];
    unsigned i, j, k, before = TURNS, at = TURNS;
    size_t t;

    for (i = 0; i < STATES; i++)
        for (j = 0; j < STATES; j++)
            cost[i][j] = i == TURNS && j == TURNS ? 0 : far;
    for (t = 2; t < n; t++) {
        uint32_t least = UINT32_MAX;

        list_costs(u[t] - 2 * u[t - 1] + u[t - 2], bits, f);
        for (j = 0; j < STATES; j++)
            for (k = 0; k < STATES; k++) {
                uint8_t *chosen = choice + (t * STATES + j) * STATES + k;
                /* With i, k - 2 j + i turns, and 4 TURNS more. */
                const uint32_t *turned = f + (4 * TURNS + k - 2 * j);
                uint32_t best = UINT32_MAX;

                for (i = 0; i < STATES; i++)
                    if (cost[i][j] + turned[i] < best) {
                        best = cost[i][j] + turned[i];
                        *chosen = (uint8_t)i;
                    }
                next[j][k] = best;
                least = best < least ? best : least;
            }
        for (j = 0; j < STATES; j++)
            for (k = 0; k < STATES; k++) {
                const uint32_t c = next[j][k] - least;

                cost[j][k] = c < far ? c : far;
            }
    }
    for (j = 0; j < STATES; j++)
        for (k = 0; k < STATES; k++)
            if (cost[j][k] < cost[before][at]) {
                before = j;
                at = k;
            }
    for (t = n; t-- > 2;) {
        const unsigned first = choice[(t * STATES + before) * STATES + at];

        u[t] += ((uint64_t)at << bits) - ((uint64_t)TURNS << bits);
        at = before;
        before = first;
    }
}

/* Window by window: what is chosen of a window's end is forgotten. */
static void unwrap_path(uint64_t *u, size_t steps, unsigned bits,
                        uint8_t *choice)
{
    uint64_t end[AHEAD];
    size_t n;

    while (steps > 2) {
        n = steps < WINDOW ? steps : WINDOW;
        memcpy(end, u + n - (n < AHEAD ? n : AHEAD),
               sizeof *end * (n < AHEAD ? n : AHEAD));
        unwrap_window(u, n, bits, choice);
        if (n == steps)
            return;
        memcpy(u + n - AHEAD, end, sizeof end);
        u += n - AHEAD - 2;
        steps -= n - AHEAD - 2;
    }
}

/* From differences of order 0 to u [steps], from 0 to at most *most; returns 0
 * if they are too far apart. */
static int unwrap(const bbans_transform *transform, const workspace *w,
                  size_t steps, uint64_t *most)
{
    const exact e = exact_of(transform->divisor);
    const uint64_t unit = (uint64_t)1 << transform->shift;
    uint64_t *u = w->table, low;
    size_t t;

    for (t = 0; t < steps; t++)
        u[t] = quotient(e, w->difference[t] - transform->base);
    if (transform->way != UNWRAP_PATH)
        unwrap_near(u, steps, transform->shift, transform->way == UNWRAP_GO);
    else
        unwrap_path(u, steps, transform->shift, (uint8_t *)w->scratch);
    *most = spread(u, steps, &low) + (low & (unit - 1));
    low &= ~(unit - 1);
    for (t = 0; t < steps; t++)
        u[t] -= low;
    return *most <= MOST_MAX;
}

/* Do values jump by more than a half of 2^bits, which is about as far as they
 * go? */
static int may_be_wrapped(const workspace *w, size_t steps, uint64_t base,
                          uint64_t divisor, uint64_t most)
{
    const unsigned bits = (unsigned)bbans_bit_length(most);
    const exact e = exact_of(divisor);
    uint64_t before = 0;
    size_t t, jumps = 0;

    if (bits < WRAP_BITS_MIN || bits > WRAP_BITS_MAX ||
        most < ((uint64_t)1 << bits) - ((uint64_t)1 << bits) / 8)
        return 0;
    for (t = 0; t < steps; t++) {
        const uint64_t u = quotient(e, w->difference[t] - base);

        jumps += t > 0 && (u > before ? u - before : before - u) >> (bits - 1);
        before = u;
    }
    return jumps > steps / 4096 + 1;
}

/* ---- The choice
 * -------------------------------------------------------------- */

typedef struct {
    uint64_t best, other;
} costs;

static void propose(bbans_transforms *ways, costs *c,
                    const bbans_transform *transform, uint64_t cost)
{
    if (cost < c->best) {
        c->other = c->best;
        ways->other = ways->best;
        c->best = cost;
        ways->best = *transform;
    } else if (cost < c->other) {
        c->other = cost;
        ways->other = *transform;
    }
}

/* The ways to code the differences of this order, which w has. */
static void consider_wraps(bbans_transforms *ways, costs *c, const workspace *w,
                           size_t steps, const bbans_transform *offset,
                           int level)
{
    static const bbans_transform none = {
        BBANS_SIGNAL_OFFSET, 0, {0}, 0, 1, 0, 0, 0, 0, {0, 0, 0, 0}};
    bbans_transform transform = *offset;
    int way;

    transform.kind = BBANS_SIGNAL_WRAPPED;
    transform.shift = (unsigned)bbans_bit_length(offset->most);
    for (way = 0; way < UNWRAP_WAYS; way++) {
        uint64_t most, cost;

        if (way == UNWRAP_PATH && (level < LEVEL_PATHS || steps < PATH_MIN))
            continue;
        transform.way = way;
        if (!unwrap(&transform, w, steps, &most))
            continue;
        transform.most = (uint32_t)most;
        cost = estimate(&none, w->table, steps, NULL);
        /* After a spike they may run away, which a part does not show. */
        if (most >> (transform.shift + FAR_BITS) != 0)
            cost += cost / 8;
        propose(ways, c, &transform, cost);
    }
}

static void consider(bbans_transforms *ways, costs *c, const workspace *w,
                     size_t steps, bbans_transform *transform, int level)
{
    const uint64_t width = spread(w->difference, steps, &transform->base);
    uint64_t most, divisor, cost, few_cost = UINT64_MAX;
    bbans_transform few;
    distinct d;

    divisor = common_divisor(w->difference, steps, transform->base);
    most = width / divisor;
    transform->spread = most;
    transform->divisor = divisor;
    transform->shift = 0;
    transform->kind = BBANS_SIGNAL_OFFSET;
    if (most > MOST_MAX) {
        transform->kind = BBANS_SIGNAL_LOW_BITS;
        transform->divisor = 1;
        transform->shift = (unsigned)bbans_bit_length(width) - 31;
    }
    transform->most = (uint32_t)(transform->kind == BBANS_SIGNAL_OFFSET
                                     ? most
                                     : width >> transform->shift);
    cost = estimate(transform, w->difference, steps, NULL);
    if (level > 0 && transform->order == 0 &&
        transform->kind == BBANS_SIGNAL_OFFSET &&
        may_be_wrapped(w, steps, transform->base, divisor, most))
        consider_wraps(ways, c, w, steps, transform, level);
    if (!has_bits(steps, most) && kinds_in_sample(w, steps) > SAMPLE_FEW) {
        propose(ways, c, transform, cost);
        return;
    }
    d = find_distinct(w, steps, transform->base, exact_of(divisor), most);
    if (d.n <= KINDS_FEW) {
        few = *transform;
        few.divisor = divisor;
        few_cost = entropy(&few, w, steps, &d);
    }
    if (d.n + most / 8 > most) { /* nearly all between there are */
        propose(ways, c, transform, cost < few_cost ? cost : few_cost);
        return;
    }
    propose(ways, c, transform, cost);
    transform->kind = BBANS_SIGNAL_RANKS;
    transform->divisor = divisor;
    transform->shift = 0;
    transform->most = (uint32_t)(d.n - 1);
    cost = estimate(transform, w->difference, steps, &d);
    cost = cost < few_cost ? cost : few_cost;
    /* Ranks are bent where few values occur: of few kinds it does not matter.
     * What is far from all others, as where a value is missing, harms a fit
     * more than is seen here. */
    if (d.n < most / 64)
        cost -= cost / 8;
    else if (d.n > 2 * KINDS_FEW)
        cost += cost / 64;
    propose(ways, c, transform, cost + table_cost(&d));
}

/* Are all differences of this order the same? */
static int is_regular(const uint64_t *x, size_t steps, unsigned order,
                      uint64_t *difference)
{
    static const uint64_t binomial[4][4] = {
        {1, 0, 0, 0}, {1, 1, 0, 0}, {1, 2, 1, 0}, {1, 3, 3, 1}};
    size_t t;
    unsigned k;

    for (t = order; t < steps; t++) {
        uint64_t d = 0;

        for (k = 0; k <= order; k++)
            d +=
                (k % 2 == 0 ? 1 : ~(uint64_t)0) * binomial[order][k] * x[t - k];
        if (t > order && d != *difference)
            return 0;
        *difference = d;
    }
    return steps > order;
}

/* Is it a part of the line, or one element there? */
static int is_on_line(const bbans_transform *transform, const bbans_line *line,
                      uint64_t x, size_t steps)
{
    const uint64_t past = x - line->start;

    return line->step != 0 && past % line->step == 0 && past >> 63 == 0 &&
           (steps == 1 ||
            (transform->order == 1 && transform->base == line->step));
}

void bbans_transform_choose(bbans_transforms *ways, const uint8_t *data,
                            int element, size_t stride, size_t steps,
                            const bbans_line *line, int level, void *work)
{
    const workspace w = workspace_of(work, steps);
    bbans_transform transform;
    costs c = {UINT64_MAX, UINT64_MAX};
    uint64_t *x = w.difference;
    unsigned order;

    memset(&transform, 0, sizeof transform);
    transform.divisor = 1;
    ways->best.kind = ways->other.kind = BBANS_SIGNAL_KINDS;
    load(data, element, stride, steps, x);
    for (order = 0; order <= BBANS_SIGNAL_DIFFERENCES; order++) {
        transform.order = order;
        if (is_regular(x, steps, order, &transform.base)) {
            memcpy(transform.first, x, order * sizeof *x);
            if (line != NULL && is_on_line(&transform, line, x[0], steps)) {
                transform.kind = BBANS_SIGNAL_LINE;
                transform.base = (x[0] - line->start) / line->step;
            }
            ways->best = transform;
            return;
        }
    }
    for (order = 0; order <= BBANS_SIGNAL_DIFFERENCES; order++) {
        transform.order = order;
        if (order > 0) {
            if (order > 1)
                load(data, element, stride, steps, x);
            memcpy(transform.first, x, order * sizeof *x);
            take_differences(x, steps, order);
        }
        /* Linear prediction finds differences too: they are for what is wide,
         * or of few kinds. */
        if (order == 0 ||
            (level > 0 && ways->best.kind == BBANS_SIGNAL_LOW_BITS) ||
            (level > 0 && order == 1 &&
             kinds_in_sample(&w, steps) <= KINDS_FEW))
            consider(ways, &c, &w, steps, &transform, level);
        else if (order > 0)
            break;
    }
}

void bbans_transform_do(bbans_transform *transform, const uint8_t *data,
                        int element, size_t stride, size_t steps,
                        int32_t *value, void *work)
{
    const workspace w = workspace_of(work, steps);
    const exact e = exact_of(transform->divisor);
    const uint64_t width =
        transform->kind == BBANS_SIGNAL_RANKS ? transform->spread : 0;
    int32_t low;
    distinct d;
    size_t t;

    set_range(transform);
    low = transform->range.low;
    load(data, element, stride, steps, w.difference);
    take_differences(w.difference, steps, transform->order);
    if (transform->kind == BBANS_SIGNAL_RANKS) {
        d = find_distinct(&w, steps, transform->base, e, width);
        for (t = 0; t < steps; t++)
            value[t] =
                low + (int32_t)rank_of(
                          &d, quotient(e, w.difference[t] - transform->base));
        return;
    }
    if (transform->kind == BBANS_SIGNAL_WRAPPED) {
        uint64_t most;

        (void)unwrap(transform, &w, steps, &most);
        for (t = 0; t < steps; t++)
            value[t] = (int32_t)((int64_t)w.table[t] + low);
        return;
    }
    for (t = 0; t < steps; t++)
        value[t] = (int32_t)((int64_t)(quotient(e, w.difference[t] -
                                                       transform->base) >>
                                       transform->shift) +
                             low);
}

void bbans_transform_put(const bbans_transform *transform, bbans_sink *sink,
                         size_t steps, const void *work)
{
    const uint64_t *table = (const uint64_t *)work + steps;
    gap_model m;
    unsigned i;
    uint32_t k;

    bbans_sink_bits(sink, 0, (uint64_t)transform->kind, KIND_BITS);
    if (transform->kind == BBANS_SIGNAL_LINE) {
        bbans_sink_number(sink, transform->base);
        return;
    }
    bbans_sink_bits(sink, 0, transform->order, ORDER_BITS);
    for (i = 0; i < transform->order; i++)
        bbans_sink_number(sink,
                          bbans_zigzag(transform->first[i] -
                                       (i > 0 ? transform->first[i - 1] : 0)));
    bbans_sink_number(sink, bbans_zigzag(transform->base));
    if (has_divisor(transform))
        bbans_sink_number(sink, transform->divisor - 1);
    if (has_shift(transform))
        bbans_sink_bits(sink, 0, transform->shift, SHIFT_BITS);
    if (transform->kind != BBANS_SIGNAL_CONSTANT)
        bbans_sink_number(sink, transform->most);
    start_gaps(&m);
    for (k = 0; transform->kind == BBANS_SIGNAL_RANKS && k < transform->most;
         k++)
        put_gap(&m, sink, table[k + 1] - table[k] - 1);
}

/* The bits below the values of BBANS_SIGNAL_LOW_BITS. */
void bbans_transform_put_low(const bbans_transform *transform, bbans_sink *sink,
                             unsigned lanes, size_t steps, const void *work)
{
    const uint64_t *difference = (const uint64_t *)work;
    size_t t;

    for (t = transform->order; t < steps; t++)
        bbans_sink_bits(sink, (unsigned)(t & (lanes - 1)),
                        difference[t] - transform->base, transform->shift);
}
#endif /* BBANS_DECODER_ONLY */
