/* How a group of floats becomes integers: docs/maths.md, "Floats".
 *
 * Conversions are compared by what a sample would take; all of it is in
 * integers, so that the choice is the same everywhere.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_floats.h"

#include "../signals/bbans_signals.h"

#ifndef BBANS_DECODER_ONLY
#define SAMPLE_MAX 4096
#define SAMPLE_MIN 256
#define SAMPLE_ALL 65536 /* of all groups, if these have more than the least   \
                          */
#define SPAN_STEPS 256
#define LENGTHS 65
#define NEVER (UINT64_MAX / 2)

#define DECIMALS_MAX 22   /* 5^22 < 2^52 */
#define PROBES 64         /* to see whether a step deserves the sample */
#define STEP_BITS 3       /* between powers of 2 that are tried */
#define EXCEPTION_BITS 10 /* besides its own */
#define KIND_BITS 40      /* of a value that recurs, to be learned */

typedef struct {
    bbans_float_type type;
    uint64_t bits[SAMPLE_MAX], value[SAMPLE_MAX], sorted[SAMPLE_MAX];
    int32_t moved[SAMPLE_MAX];
    uint8_t good[SAMPLE_MAX];
    size_t n, span;      /* spans follow each other without a gap */
    size_t finite;       /* how many are numbers */
    uint64_t kinds_cost; /* of what is coded by its kinds */
    int top;             /* exponent of the largest */
} sample;

size_t bbans_float_find_bytes(void)
{
    return sizeof(sample);
}

/* ---- Samples ---------------------------------------------------------------
 */

static void sort(uint64_t *v, size_t n) /* Shell's, by Ciura's gaps */
{
    static const size_t gaps[] = {1750, 701, 301, 132, 57, 23, 10, 4, 1};
    size_t k, i;

    for (k = 0; k < sizeof gaps / sizeof *gaps; k++)
        for (i = gaps[k]; i < n; i++) {
            const uint64_t x = v[i];
            size_t j = i;

            for (; j >= gaps[k] && v[j - gaps[k]] > x; j -= gaps[k])
                v[j] = v[j - gaps[k]];
            v[j] = x;
        }
}

/* What values take that recur, each of which is learned once. */
static void see_kinds(sample *s)
{
    uint64_t cost = 0, kinds = 0;
    size_t i, from = 0;

    memcpy(s->sorted, s->bits, s->n * sizeof *s->sorted);
    sort(s->sorted, s->n);
    for (i = 1; i <= s->n; i++)
        if (i == s->n || s->sorted[i] != s->sorted[from]) {
            const uint32_t count = (uint32_t)(i - from);

            cost += count * (uint64_t)(bbans_signal_log2((uint32_t)s->n) -
                                       bbans_signal_log2(count));
            kinds++;
            from = i;
        }
    s->kinds_cost = kinds * 4 > s->n ? NEVER : cost + 256 * KIND_BITS * kinds;
}

static void take_sample(sample *s, const bbans_floats *floats, size_t group)
{
    const size_t width = floats->type.width, groups = floats->groups;
    const size_t steps = floats->n / groups;
    size_t want = SAMPLE_ALL / groups, spans, k, i;

    if (want > SAMPLE_MAX)
        want = SAMPLE_MAX;
    if (want < SAMPLE_MIN)
        want = SAMPLE_MIN;
    if (floats->level < 4 && want > SAMPLE_MAX / 4)
        want = SAMPLE_MAX / 4;
    s->type = floats->type;
    s->span = steps <= want ? steps : SPAN_STEPS;
    spans = steps <= want ? 1 : want / SPAN_STEPS;
    s->n = spans * s->span;
    s->finite = 0;
    s->top = 0;
    for (k = 0; k < spans; k++) {
        const size_t from =
            spans == 1
                ? 0
                : (size_t)((uint64_t)(steps - s->span) * k / (spans - 1));

        for (i = 0; i < s->span; i++) {
            const uint64_t bits = bbans_bits_load(
                floats->data + ((from + i) * groups + group) * width, width);
            const uint64_t magnitude = bits & s->type.magnitudes;

            s->bits[k * s->span + i] = bits;
            if (magnitude < s->type.end) {
                const int biased = (int)(magnitude >> s->type.fraction);

                if (biased > s->top)
                    s->top = biased;
                s->finite++;
            }
        }
    }
    s->top -= s->type.bias;
    see_kinds(s);
}

/* ---- What a sample takes, in 2^-8 bits -------------------------------------
 */

static uint64_t lengths_cost(const uint32_t *count)
{
    uint64_t cost = bbans_signal_information(count, LENGTHS);
    size_t i;

    for (i = 2; i < LENGTHS; i++)
        cost += 256 * (uint64_t)count[i] * (i - 1);
    return cost;
}

/* Of its integers: their distances from the first, from the one before, or from
 * the line through the two before. */
static uint64_t integers_cost(const sample *s)
{
    uint32_t count[3][LENGTHS];
    uint64_t best = NEVER;
    size_t i, k;

    memset(count, 0, sizeof count);
    for (i = 0; i < s->n; i++) {
        const size_t at = i % s->span;
        const uint64_t v = s->value[i];
        const uint64_t one = at > 0 ? v - s->value[i - 1] : v - s->value[0];
        const uint64_t two =
            at > 1 ? one - (s->value[i - 1] - s->value[i - 2]) : one;

        count[0][bbans_bit_length(bbans_zigzag(v - s->value[0]))]++;
        count[1][bbans_bit_length(bbans_zigzag(one))]++;
        count[2][bbans_bit_length(bbans_zigzag(two))]++;
    }
    for (k = 0; k < 3; k++) {
        const uint64_t cost = lengths_cost(count[k]);

        best = cost < best ? cost : best;
    }
    return best;
}

static uint64_t moved_cost(const sample *s)
{
    uint32_t count[LENGTHS] = {0};
    size_t i;

    for (i = 0; i < s->n; i++)
        count[bbans_bit_length(bbans_zigzag((uint64_t)(int64_t)s->moved[i]))]++;
    return lengths_cost(count);
}

/* Integers of a conversion; what has none is like the one before.  Returns how
 * many have none. */
static size_t convert_sample(sample *s, const bbans_conversion *c)
{
    size_t i, bad = 0;

    for (i = 0; i < s->n; i++) {
        s->good[i] = (uint8_t)bbans_convert(&s->type, c, s->bits[i],
                                            &s->value[i], &s->moved[i]);
        if (!s->good[i]) {
            s->value[i] = i > 0 ? s->value[i - 1] : 0;
            bad++;
        }
    }
    return bad;
}

static uint64_t exceptions_cost(const sample *s, size_t bad)
{
    const size_t other = s->n - s->finite; /* recur, mostly */

    return 256 *
           ((bad - other) * (uint64_t)(8 * s->type.width + EXCEPTION_BITS) +
            other);
}

static uint64_t order_cost(sample *s)
{
    bbans_conversion c;
    uint64_t cost;
    size_t bad;

    c.kind = BBANS_CONVERT_ORDER;
    bad = convert_sample(s, &c);
    cost = integers_cost(s);
    return exceptions_cost(s, bad) +
           (cost < s->kinds_cost ? cost : s->kinds_cost);
}

static uint64_t rounded_cost(sample *s, const bbans_conversion *c)
{
    const size_t bad = convert_sample(s, c);
    uint64_t raw = 0;
    size_t i;

    for (i = 0; i < s->n; i++)
        if (s->good[i])
            raw += (uint64_t)bbans_rounded_bits(&s->type, c, s->value[i],
                                                s->bits[i]);
    return exceptions_cost(s, bad) + integers_cost(s) + 256 * raw;
}

/* Of multiples; *clean: all are, and near. */
static uint64_t ratio_cost(sample *s, const bbans_conversion *c, int *clean)
{
    const size_t bad = convert_sample(s, c);
    uint64_t cost;
    size_t i;

    *clean = bad == s->n - s->finite;
    for (i = 0; i < s->n && *clean; i++)
        *clean = s->moved[i] <= 8 && s->moved[i] >= -8;
    cost = integers_cost(s);
    return exceptions_cost(s, bad) + moved_cost(s) +
           (cost < s->kinds_cost ? cost : s->kinds_cost);
}

/* ---- Conversions -----------------------------------------------------------
 */

/* Are most of a few floats multiples? */
static int may_be_ratio(const sample *s, const bbans_conversion *c)
{
    const size_t probes = s->n < PROBES ? s->n : PROBES;
    size_t i, good = 0, finite = 0;

    for (i = 0; i < probes; i++) {
        const uint64_t bits = s->bits[s->n * i / probes];
        int32_t moved;
        uint64_t d;

        if ((bits & s->type.magnitudes) >= s->type.end)
            continue;
        finite++;
        good += (size_t)bbans_convert(&s->type, c, bits, &d, &moved);
    }
    return 2 * good > finite;
}

typedef struct {
    bbans_conversion c;
    uint64_t cost;
} candidate;

static void consider(candidate *best, const bbans_conversion *c, uint64_t cost)
{
    if (cost < best->cost) {
        best->c = *c;
        best->cost = cost;
    }
}

/* Decimals of k digits behind the point: multiples of 1 / 5^k 2^-k. */
static void find_decimals(sample *s, candidate *best)
{
    uint64_t den = 1;
    int k, clean = 0;

    for (k = 0; k <= DECIMALS_MAX && !clean; k++, den *= 5) {
        bbans_conversion c;

        bbans_conversion_set(&c, 1, den, -k);
        if (may_be_ratio(s, &c))
            consider(best, &c, ratio_cost(s, &c, &clean));
    }
}

/* 2^e from that of the largest float down. */
static void find_rounded(sample *s, candidate *best)
{
    const int least = 1 - s->type.bias - s->type.fraction;
    /* Below the last bit of the largest there is little left. */
    int down, most = s->type.fraction + 8;
    bbans_conversion c;
    size_t i;

    memset(&c, 0, sizeof c);
    for (down = 1; down <= most; down += STEP_BITS) {
        size_t zeros = 0, tiny = 0;

        c.e = s->top - down;
        if (c.e < least)
            c.e = least;
        for (i = 0; i < s->n; i++) {
            const uint64_t bits = s->bits[i];

            zeros += bits == 0;
            tiny += bits > 0 && bits <= s->type.magnitudes &&
                    (int64_t)(bits >> s->type.fraction) <
                        (int64_t)c.e + s->type.bias;
        }
        c.kind = zeros > 4 * tiny ? BBANS_CONVERT_ZERO : BBANS_CONVERT_ROUNDED;
        consider(best, &c, rounded_cost(s, &c));
        if (c.e == least)
            break;
    }
}

uint64_t bbans_float_find(bbans_conversion *found, const bbans_floats *floats,
                          size_t group, unsigned kinds, void *work)
{
    sample *s = (sample *)work;
    const uint64_t steps = floats->n / floats->groups;
    candidate best;

    take_sample(s, floats, group);
    memset(&best, 0, sizeof best);
    best.c.kind = BBANS_CONVERT_ORDER;
    best.c.fine = 1;
    best.cost =
        (kinds & 1u << BBANS_CONVERT_ORDER) != 0 ? order_cost(s) : NEVER;
    if ((kinds & 1u << BBANS_CONVERT_ROUNDED) != 0)
        find_rounded(s, &best);
    if ((kinds & 1u << BBANS_CONVERT_RATIO) != 0)
        find_decimals(s, &best);
    *found = best.c;
    if (best.cost >= NEVER)
        return NEVER;
    return best.cost / s->n * steps + best.cost % s->n * steps / s->n;
}
#endif /* BBANS_DECODER_ONLY */
