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
#define SAMPLE_ALL                                                             \
    65536 /* of all groups, if these have more than the least                  \
           */
#define SPAN_STEPS 256
#define CLASSES 256
#define NEVER BBANS_FOUND_NONE
#define HALF ((uint64_t)1 << 63)

#define DECIMALS_MAX 22     /* 5^22 < 2^52 */
#define PROBES 64           /* to see whether a step deserves the sample */
#define STEP_BITS 3         /* between powers of 2 that are tried */
#define ROUNDED_MAX 24      /* of them                            */
#define POWERS 62           /* of 2, below the largest float */
#define COARSE_FRACTION 10  /* of types that are searched for usual steps */
#define STEP_SAMPLE 16      /* floats, at least, to find other steps */
#define STEP_QUOTIENT 65536 /* between differences */
#define STARTS 4            /* of guesses at a step, by its smallest ones */
#define FRACTION_DEPTH 96   /* more than fractions of 63 bits have */
#define EXCEPTION_BITS 10   /* besides its own */
#define KIND_BITS 40        /* of a value that recurs, to be learned */

typedef struct {
    bbans_float_type type;
    uint64_t bits[SAMPLE_MAX], value[SAMPLE_MAX], sorted[SAMPLE_MAX];
    uint64_t gap[SAMPLE_MAX];
    int32_t moved[SAMPLE_MAX];
    uint8_t good[SAMPLE_MAX];
    size_t n, span;      /* spans follow each other without a gap */
    size_t finite;       /* how many are numbers */
    uint64_t kinds_cost; /* of what is coded by its kinds */
    int top;             /* exponent of the largest */
    uint64_t middle;     /* bits of the median      */
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

    for (i = 0; i < s->n; i++)
        s->sorted[i] = bbans_float_order(&s->type, s->bits[i]) + HALF;
    sort(s->sorted, s->n);
    s->middle = bbans_float_bits(&s->type, s->sorted[s->n / 2] - HALF);
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

/* The class of a number by its length and the next two bits; from three bits
 * on, the rest are as long as they are. */
static inline size_t class_of(uint64_t v)
{
    const int length = bbans_bit_length(v);

    return length < 3
               ? (size_t)v
               : 4 * (size_t)(length - 2) + (size_t)(v >> (length - 3)) - 4;
}

static uint64_t classes_cost(const uint32_t *count)
{
    uint64_t cost = bbans_signal_information(count, CLASSES);
    size_t i;

    for (i = 8; i < CLASSES; i++)
        cost += 256 * (uint64_t)count[i] * (i / 4 - 1);
    return cost;
}

/* Of its integers: their distances from `middle`, from the one before, from the
 * line through the two before, and so on. */
#define DIFFERENCES 7

static uint64_t integers_cost(const sample *s, uint64_t middle)
{
    uint32_t count[DIFFERENCES][CLASSES];
    uint64_t last[DIFFERENCES] = {0}, best = NEVER;
    size_t i, k;

    memset(count, 0, sizeof count);
    for (i = 0; i < s->n; i++) {
        const size_t at = i % s->span;
        uint64_t v = s->value[i] - middle;

        for (k = 0; k < DIFFERENCES; k++) {
            const uint64_t before = last[k];

            last[k] = v;
            count[k][class_of(bbans_zigzag(v))]++;
            if (k < at)
                v -= before;
        }
    }
    for (k = 0; k < DIFFERENCES; k++) {
        const uint64_t cost = classes_cost(count[k]);

        best = cost < best ? cost : best;
    }
    return best;
}

static uint64_t moved_cost(const sample *s)
{
    uint32_t count[CLASSES] = {0};
    size_t i;

    for (i = 0; i < s->n; i++)
        count[class_of(bbans_zigzag((uint64_t)(int64_t)s->moved[i]))]++;
    return classes_cost(count);
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

/* The integer of the median. */
static uint64_t middle_of(const sample *s, const bbans_conversion *c)
{
    int32_t moved;
    uint64_t d;

    return bbans_convert(&s->type, c, s->middle, &d, &moved) ? d : 0;
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
    cost = integers_cost(s, middle_of(s, &c));
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
    return exceptions_cost(s, bad) + integers_cost(s, middle_of(s, c)) +
           256 * raw;
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
    cost = integers_cost(s, middle_of(s, c));
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

/* A coarser one is not as good by more than this part of the best. */
#define COARSE_PART 50

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

/* Steps of types that are too coarse for find_steps. */
static void find_usual(sample *s, candidate *best)
{
    static const uint64_t dens[] = {3, 60, 127, 255, 1023};
    size_t k;

    for (k = 0; k < sizeof dens / sizeof *dens; k++) {
        bbans_conversion c;
        int clean;

        bbans_conversion_set(&c, 1, dens[k], 0);
        consider(best, &c, ratio_cost(s, &c, &clean));
    }
}

/* How small a power of 2 is that a float is a multiple of; it is not 0. */
static int last_bit(const bbans_float_type *type, uint64_t magnitude)
{
    uint64_t m;
    int e = bbans_float_parts(type, magnitude, &m);

    for (; (m & 1) == 0; m >>= 1)
        e++;
    return e;
}

/* Multiples of the power of 2 of which all are multiples, and of that of which
 * all but a few are. */
static void find_powers(sample *s, candidate *best)
{
    uint32_t count[POWERS] = {0};
    size_t i, sum = 0, few;
    int k, clean;

    for (i = 0; i < s->n; i++) {
        const uint64_t magnitude = s->bits[i] & s->type.magnitudes;

        if (magnitude == 0 || magnitude >= s->type.end)
            continue;
        /* below the bits of the largest, as far as integers go */
        k = last_bit(&s->type, magnitude) - (s->top - POWERS + 1);
        count[k > 0 ? k : 0]++;
        sum++;
    }
    few = sum / 64;
    sum = 0;
    for (k = 0; k < POWERS && sum <= few; k++) {
        bbans_conversion c;

        if (count[k] == 0)
            continue;
        if (k > 0 && (sum == 0 || sum + count[k] > few)) {
            bbans_conversion_set(&c, 1, 1, s->top - POWERS + 1 + k);
            consider(best, &c, ratio_cost(s, &c, &clean));
        }
        sum += count[k];
    }
}

/* a b / c to the nearest; 0 if that is 2^62 or more */
static uint64_t scaled(uint64_t a, uint64_t b, uint64_t c)
{
    const bbans_quotient by = bbans_quotient_by(c);
    bbans_ratio ratio;
    int drop;

    if (a == 0 || b == 0)
        return 0;
    ratio = bbans_ratio_of(a, b, &by);
    drop = -ratio.e;
    if (drop < 2 || drop > 64)
        return 0;
    return ((ratio.q >> (drop - 1)) + 1) >> 1;
}

static int is_less(uint64_t a, uint64_t b, uint64_t c,
                   uint64_t d) /* a/b, c/d */
{
    const bbans_wide ad = bbans_product(a, d), cb = bbans_product(c, b);

    return ad.high < cb.high || (ad.high == cb.high && ad.low < cb.low);
}

/* About the largest g of which two numbers are multiples that are each off by
 * `off` at most; 0 if that is nothing but what they are off by. */
static uint64_t common_step(uint64_t a, uint64_t b, uint64_t off)
{
    while (b > 16 * off) {
        const uint64_t quotient = (a + b / 2) / b;
        const uint64_t rest =
            a > quotient * b ? a - quotient * b : quotient * b - a;

        if (quotient > STEP_QUOTIENT)
            return 0;
        if (rest <= off * (1 + quotient))
            return b;
        a = b;
        b = rest;
        off *= 2;
    }
    return 0;
}

typedef struct {
    uint64_t x, d; /* x / d */
} fraction;

/* The fraction of least numerator and denominator from a to b, a <= b, by their
 * continued fractions. */
static fraction simplest(fraction a, fraction b)
{
    uint64_t whole[FRACTION_DEPTH];
    fraction result;
    int depth = 0;

    for (;; depth++) {
        const uint64_t floor_a = a.x / a.d;
        fraction next;

        whole[depth] = floor_a;
        if (floor_a * a.d == a.x)
            break;
        if (b.x / b.d > floor_a) {
            whole[depth]++;
            break;
        }
        if (depth == FRACTION_DEPTH - 1)
            break;
        next.x = b.d;
        next.d = b.x - floor_a * b.d;
        b.x = a.d;
        b.d = a.x - floor_a * a.d;
        a = next;
    }
    result.x = whole[depth];
    result.d = 1;
    while (depth-- > 0) {
        const uint64_t x = result.x;

        result.x = whole[depth] * x + result.d;
        result.d = x;
    }
    return result;
}

/* The interval of a step, narrowed to where it makes multiples of x[n], the
 * least first, that are off by `off` at most, or with off = 0 by so many half
 * units of their last bits.  Returns of how many it could. */
static size_t narrow(const sample *s, const uint64_t *x, size_t n, uint64_t off,
                     uint64_t slack, fraction *low, fraction *high)
{
    size_t i, good = 0;

    for (i = 0; i < n; i++) {
        const uint64_t d = scaled(x[i], low->d, low->x);
        const int below = bbans_bit_length(x[i]) - 1 - s->type.fraction;
        const uint64_t t =
            off > 0 ? off
                    : slack * (below > 1 ? (uint64_t)1 << (below - 1) : 1);

        if (d == 0 || t >= x[i] || d != scaled(x[i], high->d, high->x))
            continue; /* which multiple it is, is not known */
        if (is_less(x[i] + t, d, low->x, low->d) ||
            is_less(high->x, high->d, x[i] - t, d))
            continue; /* it is none */
        if (is_less(low->x, low->d, x[i] - t, d)) {
            low->x = x[i] - t;
            low->d = d;
        }
        if (is_less(x[i] + t, d, high->x, high->d)) {
            high->x = x[i] + t;
            high->d = d;
        }
        good++;
    }
    return good;
}

/* From the interval of a step, in units of 2^unit, the conversion. */
static void set_step(bbans_conversion *c, fraction low, fraction high, int unit)
{
    const int up = bbans_bit_length(low.x) - bbans_bit_length(low.d);
    const int more = bbans_bit_length(high.x) - bbans_bit_length(high.d);
    const int by = up < more ? up : more;
    fraction step;

    if (by > 0) {
        low.d <<= by;
        high.d <<= by;
        unit += by;
    }
    step = simplest(low, high);
    for (; (step.x & 1) == 0; unit++)
        step.x >>= 1;
    for (; (step.d & 1) == 0; unit--)
        step.d >>= 1;
    bbans_conversion_set(c, step.x, step.d, unit);
}

/* Multiples of any step: the differences between neighbours in size have one in
 * common, which large multiples make exact. */
static void find_steps(sample *s, candidate *best)
{
    const int unit = s->top - 61; /* x below 2^62 */
    const uint64_t off = (uint64_t)1 << (62 - s->type.fraction);
    uint64_t g[STARTS];
    size_t i, n = 0, gaps = 0, k;

    for (i = 0; i < s->n; i++) {
        const uint64_t magnitude = s->bits[i] & s->type.magnitudes;
        uint64_t m;
        int e;

        if (magnitude == 0 || magnitude >= s->type.end)
            continue;
        e = bbans_float_parts(&s->type, magnitude, &m) - unit;
        m = e >= 0 ? m << e : e > -64 ? m >> -e : 0;
        if (m == 0)
            continue;
        s->value[n] = m;
        s->sorted[n++] = s->bits[i] > s->type.magnitudes ? HALF - m : HALF + m;
    }
    if (n < STEP_SAMPLE || s->type.fraction < 7)
        return;
    sort(s->value, n);
    sort(s->sorted, n);
    for (i = 1; i < n; i++)
        if (s->sorted[i] - s->sorted[i - 1] > 16 * off)
            s->gap[gaps++] = s->sorted[i] - s->sorted[i - 1];
    if (gaps < 2)
        return;
    sort(s->gap, gaps);
    for (k = 0; k < STARTS; k++) {
        g[k] = s->gap[gaps * k / (2 * STARTS)];
        for (i = 1; i < 8 && g[k] > 0; i++)
            g[k] = common_step(s->gap[(gaps - 1) * i / 7], g[k], off);
    }
    for (i = 0; i < n; i++)
        s->gap[i] = s->sorted[i] - s->sorted[0];
    for (k = 0; k < STARTS; k++) {
        size_t slack;

        for (slack = 1; slack <= 4; slack += 3) {
            fraction low, high;
            bbans_conversion c;
            int clean;

            if (g[k] < 32 * off || (k > 0 && g[k] == g[k - 1]))
                continue;
            low.x = g[k] - 2 * off;
            high.x = g[k] + 2 * off;
            low.d = high.d = 1;
            (void)narrow(s, s->gap, n, slack * off, 0, &low, &high);
            if (2 * narrow(s, s->value, n, 0, slack, &low, &high) <= n)
                continue;
            set_step(&c, low, high, unit);
            if (may_be_ratio(s, &c)) {
                consider(best, &c, ratio_cost(s, &c, &clean));
                return; /* values are overwritten */
            }
        }
    }
}

/* 2^e from that of the largest float down; coarse[0] is the first that is
 * nearly as good. */
static void find_rounded(sample *s, candidate *best, candidate *coarse)
{
    const int least = 1 - s->type.bias - s->type.fraction;
    /* Below the last bit of the largest there is little left. */
    const int most = s->type.fraction + 8;
    candidate all[ROUNDED_MAX];
    size_t n = 0, i;
    int down;

    for (down = 1; down <= most && n < ROUNDED_MAX; down += STEP_BITS) {
        bbans_conversion *c = &all[n].c;
        size_t zeros = 0, tiny = 0;

        memset(c, 0, sizeof *c);
        c->e = s->top - down < least ? least : s->top - down;
        for (i = 0; i < s->n; i++) {
            const uint64_t bits = s->bits[i];

            zeros += bits == 0;
            tiny += bits > 0 && bits <= s->type.magnitudes &&
                    (int64_t)(bits >> s->type.fraction) <
                        (int64_t)c->e + s->type.bias;
        }
        c->kind = zeros > 4 * tiny ? BBANS_CONVERT_ZERO : BBANS_CONVERT_ROUNDED;
        all[n].cost = rounded_cost(s, c);
        consider(best, c, all[n].cost);
        n++;
        if (c->e == least)
            break;
    }
    for (i = 0; i < n && all[i].cost > best->cost + best->cost / COARSE_PART;)
        i++;
    *coarse = i < n ? all[i] : *best;
}

void bbans_float_find(bbans_found found[BBANS_FOUND],
                      const bbans_floats *floats, size_t group, void *work)
{
    sample *s = (sample *)work;
    const uint64_t steps = floats->n / floats->groups;
    candidate best[BBANS_FOUND];
    size_t k;

    take_sample(s, floats, group);
    memset(best, 0, sizeof best);
    best[BBANS_CONVERT_ORDER].c.kind = BBANS_CONVERT_ORDER;
    best[BBANS_CONVERT_ORDER].cost = order_cost(s);
    best[BBANS_CONVERT_RATIO].cost = best[BBANS_CONVERT_ROUNDED].cost = NEVER;
    best[BBANS_FOUND_COARSE].cost = NEVER;
    if (s->finite > 0) {
        find_rounded(s, best + BBANS_CONVERT_ROUNDED,
                     best + BBANS_FOUND_COARSE);
        find_powers(s, best + BBANS_CONVERT_RATIO);
        find_decimals(s, best + BBANS_CONVERT_RATIO);
        if (s->type.fraction <= COARSE_FRACTION)
            find_usual(s, best + BBANS_CONVERT_RATIO);
        find_steps(s, best + BBANS_CONVERT_RATIO);
    }
    for (k = 0; k < BBANS_FOUND; k++) {
        found[k].c = best[k].c;
        found[k].bits = best[k].cost >= NEVER
                            ? NEVER
                            : best[k].cost / s->n * steps +
                                  best[k].cost % s->n * steps / s->n;
    }
}
#endif /* BBANS_DECODER_ONLY */
