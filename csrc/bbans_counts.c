/* Counts: binomial, beta-binomial and Poisson values, under rows of integer
 * weights that are made on the way.  docs/maths.md, section 11.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_located.h"
#include "bbans_values.h"

/* 8 standard deviations and more on each side of the mean: h of window_of. */
#define HALF_MAX (8 * 256 + 12)
#define WINDOW_MAX (2 * HALF_MAX + 1)
#define COUNT_WORDS 5

typedef enum { BINOMIAL, BETA_BINOMIAL, POISSON } law_kind;

/* a, b: units of 2^-32 of p, or of 2^-16 of alpha and beta, or of the mean. */
typedef struct {
    uint32_t trials, a, b;
} rates;

/* Rows of parameters, and the row of weights of one value. */
typedef struct {
    law_kind kind;
    const uint32_t *trials;
    const void *a, *b;
    int a_type, b_type;

    int is_open;
    rates rates;
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
static number times_ratio(number x, uint64_t a, uint64_t b)
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

/* P(k + 1) / P(k) = a / b, for k and k + 1 in the support. */
static void ratio_after(const counts *c, uint64_t k, uint64_t *a, uint64_t *b)
{
    const rates *r = &c->rates;
    const uint64_t one = c->kind == BINOMIAL ? (uint64_t)1 << 32 : 65536;

    switch (c->kind) {
    case BINOMIAL: /* (n - k) p / ((k + 1) (1 - p)), below 2^50 each */
        *a = (r->trials - k) * r->a;
        *b = (k + 1) * (one - r->a);
        return;
    case BETA_BINOMIAL: /* (n - k) (k + alpha) / ((k + 1) (n - 1 - k + beta)) */
        *a = (r->trials - k) * (k * one + r->a);
        *b = (k + 1) * ((r->trials - 1 - k) * one + r->b);
        return;
    default: /* mean / (k + 1) */ *a = r->a; *b = (k + 1) * one;
    }
}

static void window_of(counts *c)
{
    const rates *r = &c->rates;
    uint64_t mean = r->a >> 16, variance = mean;
    int64_t half;

    c->most = c->kind == POISSON ? INT64_MAX : (int64_t)r->trials;
    if (c->kind == BINOMIAL) { /* trials < 2^18, so variance < 2^16 */
        mean = (uint64_t)r->trials * r->a >> 32;
        variance = (uint64_t)r->trials * r->a >> 24; /* below 2^26 */
        variance = variance * (0xFFFFFFFF - r->a) >> 40;
    }
    /* 2^((bl(v) + 1) / 2) is more than the root of v + 1, or equal. */
    half = ((int64_t)8 << ((bbans_bit_length(variance) + 1) / 2)) + 12;
    c->first = (int64_t)mean > half ? (int64_t)mean - half : 0;
    c->last = (int64_t)mean + half;
    if (c->kind == BETA_BINOMIAL) {
        c->first = 0;
        c->last = c->most;
    }
    if (c->last > c->most)
        c->last = c->most;
    c->n = (size_t)(c->last - c->first) + 1;
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

static bbans_status read_rate(const counts *c, const void *array, int type,
                              size_t i, uint32_t *rate)
{
    if (type == BBANS_U32)
        *rate = ((const uint32_t *)array)[i];
    else if (c->kind == BINOMIAL)
        return bbans_fix_probabilities(bbans_real_at(array, type, i), type, 1,
                                       rate);
    else
        return bbans_fix_rates(bbans_real_at(array, type, i), type, 1, rate);
    return *rate > 0 ? BBANS_OK : BBANS_ERR_SYMBOL;
}

/* The weights of value i, those of the value before if it has the same
 * parameters. */
static bbans_status open_row(counts *c, size_t i)
{
    const uint32_t most =
        c->kind == BINOMIAL ? BBANS_TRIALS_MAX : BBANS_BETA_TRIALS_MAX;
    rates r = {0, 0, 1};
    bbans_status status = read_rate(c, c->a, c->a_type, i, &r.a);

    if (status == BBANS_OK && c->kind == BETA_BINOMIAL)
        status = read_rate(c, c->b, c->b_type, i, &r.b);
    if (status != BBANS_OK)
        return status;
    if (c->kind != POISSON)
        r.trials = c->trials[i];
    if (r.trials > most)
        return BBANS_ERR_SYMBOL;
    if (c->is_open && memcmp(&r, &c->rates, sizeof r) == 0)
        return BBANS_OK;
    c->rates = r;
    c->is_open = 1;
    window_of(c);
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

static void push_far(bbans_lane *lane, uint64_t far, uint64_t most)
{
    const int level = bbans_bit_length(far + 1) - 1;

    bbans_lane_push_below(lane, far + 1 - ((uint64_t)1 << level),
                          last_of_level(most, level));
    bbans_lane_push_below(lane, (uint64_t)level,
                          (uint64_t)bbans_bit_length(most + 1) - 1);
}

static uint64_t pop_far(bbans_lane *lane, uint64_t most)
{
    const int level = (int)bbans_lane_pop_below(
        lane, (uint64_t)bbans_bit_length(most + 1) - 1);

    return ((uint64_t)1 << level) - 1 +
           bbans_lane_pop_below(lane, last_of_level(most, level));
}

static bbans_status counts_push(void *model, size_t i, bbans_lane *lane,
                                int64_t value)
{
    counts *c = (counts *)model;
    const bbans_status status = open_row(c, i);
    uint32_t start, freq;
    size_t k;

    if (status != BBANS_OK)
        return status;
    if (value < 0 || value > c->most)
        return BBANS_ERR_SYMBOL;
    if (value < c->first) {
        k = 0;
        push_far(lane, (uint64_t)(c->first - 1 - value),
                 (uint64_t)(c->first - 1));
    } else if (value > c->last) {
        k = c->n + 1;
        push_far(lane, (uint64_t)(value - c->last - 1),
                 (uint64_t)(c->most - c->last - 1));
    } else {
        k = (size_t)(value - c->first) + 1;
    }
    (void)bbans_kernel.rows->row_interval(c->weight, BBANS_U32, c->n + 2, k,
                                          &start, &freq);
    bbans_lane_push(lane, start, freq, c->total);
    return BBANS_OK;
}

static bbans_status counts_pop(void *model, size_t i, bbans_lane *lane,
                               int64_t *value)
{
    counts *c = (counts *)model;
    const bbans_status status = open_row(c, i);
    uint32_t slot, start;
    size_t k;

    if (status != BBANS_OK)
        return status;
    slot = bbans_lane_take_slot(lane, c->total);
    k = bbans_kernel.rows->find(c->weight, c->n + 2, slot, &start);
    bbans_lane_put_rest(lane, slot, start, c->weight[k]);
    if (k == 0)
        *value =
            c->first - 1 - (int64_t)pop_far(lane, (uint64_t)(c->first - 1));
    else if (k == c->n + 1)
        *value = c->last + 1 +
                 (int64_t)pop_far(lane, (uint64_t)(c->most - c->last - 1));
    else
        *value = c->first + (int64_t)k - 1;
    return BBANS_OK;
}

static int rate_type_is_valid(int type)
{
    return bbans_is_real(type) || type == BBANS_U32;
}

static bbans_status open_counts(counts *c, bbans_each *each, law_kind kind,
                                const uint32_t *trials, const void *a,
                                int a_type, const void *b, int b_type, size_t n)
{
    if (n > 0 && (a == NULL || (kind == BETA_BINOMIAL && b == NULL) ||
                  (kind != POISSON && trials == NULL)))
        return BBANS_ERR_NULL;
    if (!rate_type_is_valid(a_type) || !rate_type_is_valid(b_type))
        return BBANS_ERR_TYPE;
    c->kind = kind;
    c->trials = trials;
    c->a = a;
    c->a_type = a_type;
    c->b = b;
    c->b_type = b_type;
    c->is_open = 0;
    each->push = counts_push;
    each->pop = counts_pop;
    each->model = c;
    each->words = kind == BETA_BINOMIAL ? 1 : COUNT_WORDS;
    return BBANS_OK;
}

static bbans_status push_counts(bbans_message *msg, law_kind kind,
                                const uint32_t *trials, const void *a,
                                int a_type, const void *b, int b_type,
                                const void *value, int value_type, size_t n)
{
    counts c;
    bbans_each each;
    const bbans_status status =
        open_counts(&c, &each, kind, trials, a, a_type, b, b_type, n);

    return status != BBANS_OK
               ? status
               : bbans_push_each(msg, &each, value, value_type, n);
}

static bbans_status pop_counts(bbans_message *msg, law_kind kind,
                               const uint32_t *trials, const void *a,
                               int a_type, const void *b, int b_type,
                               void *value, int value_type, size_t n)
{
    counts c;
    bbans_each each;
    const bbans_status status =
        open_counts(&c, &each, kind, trials, a, a_type, b, b_type, n);

    return status != BBANS_OK
               ? status
               : bbans_pop_each(msg, &each, value, value_type, n);
}

bbans_status
bbans_message_push_binomial(bbans_message *msg, const uint32_t *trials,
                            const void *probability, int probability_type,
                            const void *value, int value_type, size_t n)
{
    return push_counts(msg, BINOMIAL, trials, probability, probability_type,
                       NULL, BBANS_U32, value, value_type, n);
}

bbans_status bbans_message_pop_binomial(bbans_message *msg,
                                        const uint32_t *trials,
                                        const void *probability,
                                        int probability_type, void *value,
                                        int value_type, size_t n)
{
    return pop_counts(msg, BINOMIAL, trials, probability, probability_type,
                      NULL, BBANS_U32, value, value_type, n);
}

bbans_status bbans_message_push_beta_binomial(bbans_message *msg,
                                              const uint32_t *trials,
                                              const void *alpha, int alpha_type,
                                              const void *beta, int beta_type,
                                              const void *value, int value_type,
                                              size_t n)
{
    return push_counts(msg, BETA_BINOMIAL, trials, alpha, alpha_type, beta,
                       beta_type, value, value_type, n);
}

bbans_status bbans_message_pop_beta_binomial(bbans_message *msg,
                                             const uint32_t *trials,
                                             const void *alpha, int alpha_type,
                                             const void *beta, int beta_type,
                                             void *value, int value_type,
                                             size_t n)
{
    return pop_counts(msg, BETA_BINOMIAL, trials, alpha, alpha_type, beta,
                      beta_type, value, value_type, n);
}

bbans_status bbans_message_push_poisson(bbans_message *msg, const void *mean,
                                        int mean_type, const void *value,
                                        int value_type, size_t n)
{
    return push_counts(msg, POISSON, NULL, mean, mean_type, NULL, BBANS_U32,
                       value, value_type, n);
}

bbans_status bbans_message_pop_poisson(bbans_message *msg, const void *mean,
                                       int mean_type, void *value,
                                       int value_type, size_t n)
{
    return pop_counts(msg, POISSON, NULL, mean, mean_type, NULL, BBANS_U32,
                      value, value_type, n);
}
