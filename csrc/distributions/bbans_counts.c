/* Counts: binomial, negative binomial and such values, under rows of integer
 * weights that are made on the way.  docs/maths.md, "Mixtures, counts and
 * ranges".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_family.h"
#include "bbans_values.h"

/* 8 standard deviations and more on each side of the mean: half_of. */
#define VARIANCE_MAX 65535
#define HALF_MAX (8 * 256 + 12)
#define WINDOW_MAX (2 * HALF_MAX + 1)
#define COUNT_WORDS 5

typedef enum { BINOMIAL, BETA_BINOMIAL, POISSON, NEGATIVE_BINOMIAL } law_kind;

/* a, b: units of 2^-32 of p, or of 2^-16 of alpha and beta, of the mean, or of
 * r; then b is p. */
typedef struct {
    uint32_t trials, a, b;
} count_rates;

/* The row of weights of one value. */
typedef struct {
    law_kind kind;
    int is_open;
    count_rates rates;
    int64_t first, last, most; /* the window; the support is 0 .. most */
    size_t n;                  /* of the window */
    /* Of what is below the window, each value in it, and what is above. */
    uint32_t weight[WINDOW_MAX + 2], total;
} counts;

/* ---- Weights ------------------------------------------------------------- */

/* The positive number m 2^e, 2^31 <= m < 2^32. */
typedef struct {
    uint32_t m;
    int32_t e;
} number;

/* x a / b, from below by less than 1 part in 2^28: a and b lose less than 2^-31
 * of theirs, the quotient, above 2^30, less than 2^-30, its last bit 2^-32. */
static inline number times_ratio(number x, uint64_t a, uint64_t b)
{
    const int shift_a = bbans_bit_length(a) - 32;
    const int shift_b = bbans_bit_length(b) - 32;
    const uint64_t quotient =
        (uint64_t)x.m * bbans_scaled(a, shift_a) / bbans_scaled(b, shift_b);
    const int shift = bbans_bit_length(quotient) - 32;

    x.m = bbans_scaled(quotient, shift);
    x.e += shift_a - shift_b + shift;
    return x;
}

#define ONE ((uint64_t)1 << 32) /* of p */

/* P(k + 1) / P(k) = a / b, for k and k + 1 in the support; a negative
 * binomial's is that times 1 - p. */
static inline void ratio_after(const counts *c, uint64_t k, uint64_t *a,
                               uint64_t *b)
{
    const count_rates *r = &c->rates;

    switch (c->kind) {
    case BINOMIAL: /* (n - k) p / ((k + 1) (1 - p)), below 2^50 each */
        *a = (r->trials - k) * r->a;
        *b = (k + 1) * (ONE - r->a);
        return;
    case BETA_BINOMIAL: /* (n - k) (k + alpha) / ((k + 1) (n - 1 - k + beta)) */
        *a = (r->trials - k) * (k * 65536 + r->a);
        *b = (k + 1) * ((r->trials - 1 - k) * 65536 + r->b);
        return;
    case NEGATIVE_BINOMIAL: /* (k + r) / (k + 1) */
        *a = k * 65536 + r->a;
        *b = (k + 1) * 65536;
        return;
    default: /* mean / (k + 1) */ *a = r->a; *b = (k + 1) * 65536;
    }
}

/* 2^((bl(v) + 1) / 2) is more than the root of v + 1, or equal. */
static int64_t half_of(uint64_t variance)
{
    return ((int64_t)8 << ((bbans_bit_length(variance) + 1) / 2)) + 12;
}

/* A window of `half` on each side of the mean, and of `reach` more above it. */
static void set_window(counts *c, uint64_t mean, int64_t half, int64_t reach)
{
    c->first = (int64_t)mean > half ? (int64_t)mean - half : 0;
    c->last = (int64_t)mean + half + reach;
    if (c->last > c->most)
        c->last = c->most;
}

/* The mean is r (1 - p) / p, the variance 1 / p of that, and the tail falls as
 * (1 - p)^k in the end: by e^-12 over the reach.  Returns whether the variance
 * is not too large. */
static int set_negative_binomial(counts *c)
{
    const count_rates *r = &c->rates;
    const uint64_t mean = r->a * (ONE - r->b) / r->b >> 16;
    uint64_t variance;

    if (mean > VARIANCE_MAX) /* below 2^16: mean << 32 is below 2^48 */
        return 0;
    variance = (mean << 32) / r->b;
    if (variance > VARIANCE_MAX)
        return 0;
    set_window(c, mean, half_of(variance), (int64_t)((12 * ONE) / r->b));
    return 1;
}

/* Whether there is a window that is not too wide. */
static int window_of(counts *c)
{
    const count_rates *r = &c->rates;
    uint64_t mean, variance;

    c->most = c->kind == POISSON || c->kind == NEGATIVE_BINOMIAL
                  ? INT64_MAX
                  : (int64_t)r->trials;
    switch (c->kind) {
    case BINOMIAL: /* trials < 2^18, so variance < 2^16 */
        mean = (uint64_t)r->trials * r->a >> 32;
        variance = (uint64_t)r->trials * r->a >> 24; /* below 2^26 */
        variance = variance * (0xFFFFFFFF - r->a) >> 40;
        set_window(c, mean, half_of(variance), 0);
        break;
    case BETA_BINOMIAL:
        c->first = 0;
        c->last = c->most;
        break;
    case NEGATIVE_BINOMIAL:
        if (!set_negative_binomial(c))
            return 0;
        break;
    default: mean = r->a >> 16; set_window(c, mean, half_of(mean), 0);
    }
    if (c->last - c->first >= WINDOW_MAX)
        return 0;
    c->n = (size_t)(c->last - c->first) + 1;
    return 1;
}

/* Weights 1 + floor(P (2^28 - n - 2) / sum of P) of the window, and 1 for what
 * is beyond it on either side. */
static void weigh_window(counts *c)
{
    const uint64_t slots = BBANS_TOTAL_MAX - 2 - (uint32_t)c->n;
    int32_t e[WINDOW_MAX], top = 0;
    uint32_t *w = c->weight + 1;
    uint64_t sum = 0;
    number x;
    size_t i;

    x.m = (uint32_t)1 << 31;
    x.e = 0;
    for (i = 0;; i++) {
        uint64_t a, b;

        w[i] = x.m;
        e[i] = x.e;
        top = x.e > top ? x.e : top;
        if (i + 1 == c->n)
            break;
        ratio_after(c, (uint64_t)c->first + i, &a, &b);
        x = times_ratio(x, a, b);
        if (c->kind == NEGATIVE_BINOMIAL)
            x = times_ratio(x, ONE - c->rates.b, ONE);
    }
    for (i = 0; i < c->n; i++) {
        w[i] = top - e[i] < 32 ? w[i] >> (top - e[i]) : 0;
        sum += w[i];
    }
    c->total = 0;
    for (i = 0; i < c->n; i++) {
        w[i] = 1 + (uint32_t)(slots * w[i] / sum);
        c->total += w[i];
    }
    c->weight[0] = c->first > 0;
    c->weight[c->n + 1] = c->last < c->most;
    c->total += c->weight[0] + c->weight[c->n + 1];
}

/* ---- Parameters ---------------------------------------------------------- */

/* The arrays of parameters: trials, and the two rates. */
enum { TRIALS, A, B };

static bbans_status read_rate(const bbans_distribution *d, law_kind kind,
                              int which, size_t i, uint32_t *rate)
{
    const int is_probability =
        kind == (which == A ? BINOMIAL : NEGATIVE_BINOMIAL);
    const void *array = d->array[which].data;
    const int type = d->array[which].type;

    if (type == BBANS_U32)
        *rate = ((const uint32_t *)array)[i];
    else if (is_probability)
        return bbans_probabilities_fix(bbans_real_at(array, type, i), type, 1,
                                       rate);
    else
        return bbans_rates_fix(bbans_real_at(array, type, i), type, 1, rate);
    return *rate > 0 ? BBANS_OK : BBANS_ERR_SYMBOL;
}

/* The weights of value i, those of the value before if it has the same
 * parameters. */
static bbans_status open_row(counts *c, const bbans_distribution *d, size_t i)
{
    const uint32_t most =
        c->kind == BINOMIAL ? BBANS_TRIALS_MAX : BBANS_BETA_TRIALS_MAX;
    count_rates r = {0, 0, 1};
    bbans_status status = read_rate(d, c->kind, A, i, &r.a);

    if (status == BBANS_OK && d->array[B].type != 0)
        status = read_rate(d, c->kind, B, i, &r.b);
    if (status != BBANS_OK)
        return status;
    if (d->array[TRIALS].type != 0)
        r.trials = ((const uint32_t *)d->array[TRIALS].data)[i];
    if (r.trials > most)
        return BBANS_ERR_SYMBOL;
    if (c->is_open && memcmp(&r, &c->rates, sizeof r) == 0)
        return BBANS_OK;
    c->rates = r;
    c->is_open = window_of(c);
    if (!c->is_open)
        return BBANS_ERR_SYMBOL;
    weigh_window(c);
    return BBANS_OK;
}

/* ---- Values -------------------------------------------------------------- */

/* How far beyond the window, 0 .. most < 2^63: its bit length, and all bits but
 * the first. */
static uint64_t last_of_level(uint64_t most, int level)
{
    const uint64_t all = ((uint64_t)1 << level) - 1;

    return most - all < all ? most - all : all;
}

static void list_far(bbans_intervals *to, uint64_t far, uint64_t most)
{
    const int level = bbans_bit_length(far + 1) - 1;

    bbans_list_below(to, (uint64_t)level,
                     (uint64_t)bbans_bit_length(most + 1) - 1);
    bbans_list_below(to, far + 1 - ((uint64_t)1 << level),
                     last_of_level(most, level));
}

static uint64_t find_far(bbans_source *from, uint64_t most)
{
    const int level =
        (int)bbans_find_below(from, (uint64_t)bbans_bit_length(most + 1) - 1);

    return ((uint64_t)1 << level) - 1 +
           bbans_find_below(from, last_of_level(most, level));
}

static void list_weighted(bbans_intervals *to, const counts *c, size_t k)
{
    bbans_interval *at = &to->at[to->n++];

    (void)bbans_kernel.rows->row_interval(c->weight, BBANS_U32, c->n + 2, k,
                                          &at->start, &at->freq);
    at->total = c->total;
}

static bbans_status counts_list(const bbans_distribution *d, void *scratch,
                                size_t i, int64_t value, bbans_intervals *to)
{
    counts *c = (counts *)scratch;
    const bbans_status status = open_row(c, d, i);

    if (status != BBANS_OK)
        return status;
    if (value < 0 || value > c->most)
        return BBANS_ERR_SYMBOL;
    if (value < c->first) {
        list_weighted(to, c, 0);
        list_far(to, (uint64_t)(c->first - 1 - value),
                 (uint64_t)(c->first - 1));
    } else if (value > c->last) {
        list_weighted(to, c, c->n + 1);
        list_far(to, (uint64_t)(value - c->last - 1),
                 (uint64_t)(c->most - c->last - 1));
    } else {
        list_weighted(to, c, (size_t)(value - c->first) + 1);
    }
    return BBANS_OK;
}

static bbans_status counts_find(const bbans_distribution *d, void *scratch,
                                size_t i, bbans_source *from, int64_t *value)
{
    counts *c = (counts *)scratch;
    const bbans_status status = open_row(c, d, i);
    uint32_t slot, start;
    size_t k;

    if (status != BBANS_OK)
        return status;
    slot = bbans_source_take(from, c->total);
    k = bbans_kernel.rows->find(c->weight, c->n + 2, slot, &start);
    bbans_source_put(from, slot, start, c->weight[k], c->total);
    if (k == 0)
        *value =
            c->first - 1 - (int64_t)find_far(from, (uint64_t)(c->first - 1));
    else if (k == c->n + 1)
        *value = c->last + 1 +
                 (int64_t)find_far(from, (uint64_t)(c->most - c->last - 1));
    else
        *value = c->first + (int64_t)k - 1;
    return BBANS_OK;
}

static bbans_status counts_code(const bbans_distribution *d,
                                const struct bbans_call *call, law_kind kind)
{
    static const bbans_value_coder values = {counts_list, counts_find};
    counts c;

    c.kind = kind;
    c.is_open = 0;
    return bbans_code_values(d, call, &values, &c);
}

static bbans_status binomial_code(const bbans_distribution *d,
                                  const struct bbans_call *call)
{
    return counts_code(d, call, BINOMIAL);
}

static bbans_status beta_binomial_code(const bbans_distribution *d,
                                       const struct bbans_call *call)
{
    return counts_code(d, call, BETA_BINOMIAL);
}

static bbans_status poisson_code(const bbans_distribution *d,
                                 const struct bbans_call *call)
{
    return counts_code(d, call, POISSON);
}

static bbans_status negative_binomial_code(const bbans_distribution *d,
                                           const struct bbans_call *call)
{
    return counts_code(d, call, NEGATIVE_BINOMIAL);
}

static int rate_type_is_valid(int type)
{
    return bbans_is_real(type) || type == BBANS_U32;
}

bbans_status bbans_distribution_init_binomial(bbans_distribution *distribution,
                                              const uint32_t *trials,
                                              bbans_array probability)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (!rate_type_is_valid(probability.type))
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = binomial_code;
    distribution->array[TRIALS] = bbans_array_of(trials, BBANS_U32);
    distribution->array[A] = probability;
    distribution->words = COUNT_WORDS;
    return BBANS_OK;
}

bbans_status
bbans_distribution_init_beta_binomial(bbans_distribution *distribution,
                                      const uint32_t *trials, bbans_array alpha,
                                      bbans_array beta)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (!rate_type_is_valid(alpha.type) || !rate_type_is_valid(beta.type))
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = beta_binomial_code;
    distribution->array[TRIALS] = bbans_array_of(trials, BBANS_U32);
    distribution->array[A] = alpha;
    distribution->array[B] = beta;
    distribution->words = 1;
    return BBANS_OK;
}

bbans_status bbans_distribution_init_poisson(bbans_distribution *distribution,
                                             bbans_array mean)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (!rate_type_is_valid(mean.type))
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = poisson_code;
    distribution->array[A] = mean;
    distribution->words = COUNT_WORDS;
    return BBANS_OK;
}

bbans_status
bbans_distribution_init_negative_binomial(bbans_distribution *distribution,
                                          bbans_array successes,
                                          bbans_array probability)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (!rate_type_is_valid(successes.type) ||
        !rate_type_is_valid(probability.type))
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = negative_binomial_code;
    distribution->array[A] = successes;
    distribution->array[B] = probability;
    distribution->words = COUNT_WORDS;
    return BBANS_OK;
}
