/* Counts: binomial, negative binomial and such values, by Peizer and Pratt's z,
 * or under rows of integer weights that are made on the way.  docs/maths.md,
 * "Mixtures, counts and ranges".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_near_normal.h"
#include "bbans_values.h"

/* DEVIATIONS and more on each side of the mean: half_of. */
#define DEVIATIONS 8
#define NEAR_DEVIATIONS 6
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

/* The law of one value, and its row of weights if it is not near normal. */
typedef struct {
    law_kind kind;
    int is_open, is_near, is_weighed;
    count_rates rates;
    int64_t first, last, most; /* the window; the support is 0 .. most */
    bbans_near_normal near;
    size_t n; /* of the window */
    /* Of what is below the window, each value in it, and what is above. */
    uint32_t weight[WINDOW_MAX + 2], total;
} counts;

#define ONE ((uint64_t)1 << 32) /* of p */

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

/* ---- Windows ------------------------------------------------------------- */

/* 2^((bl(v) + 1) / 2) is more than the root of v + 1, or equal. */
static int64_t half_of(uint64_t variance, int deviations)
{
    return ((int64_t)deviations << ((bbans_bit_length(variance) + 1) / 2)) + 12;
}

/* A window on each side of the mean, and `reach` more above it. */
static void set_window(counts *c, uint64_t mean, uint64_t variance,
                       int64_t reach)
{
    const int64_t half =
        half_of(variance, c->is_near ? NEAR_DEVIATIONS : DEVIATIONS);

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
    c->is_near = r->a >= 4 << 16 && mean >= 8;
    set_window(c, mean, variance, (int64_t)((12 * ONE) / r->b));
    return 1;
}

/* Whether there is a window that is not too wide. */
static int window_of(counts *c)
{
    const count_rates *r = &c->rates;
    uint64_t mean, variance;

    c->is_near = 0;
    c->most = c->kind == POISSON || c->kind == NEGATIVE_BINOMIAL
                  ? INT64_MAX
                  : (int64_t)r->trials;
    switch (c->kind) {
    case BINOMIAL: /* trials < 2^18, so variance < 2^16 */
        mean = (uint64_t)r->trials * r->a;
        variance = mean >> 24; /* below 2^26 */
        variance = variance * (0xFFFFFFFF - r->a) >> 40;
        c->is_near =
            mean >= 4 * ONE && (uint64_t)r->trials * (ONE - r->a) >= 4 * ONE;
        set_window(c, mean >> 32, variance, 0);
        break;
    case BETA_BINOMIAL:
        c->first = 0;
        c->last = c->most;
        break;
    case NEGATIVE_BINOMIAL:
        if (!set_negative_binomial(c))
            return 0;
        break;
    default:
        mean = r->a >> 16;
        c->is_near = mean >= 4;
        set_window(c, mean, mean, 0);
    }
    if (c->last - c->first >= WINDOW_MAX)
        return 0;
    c->n = (size_t)(c->last - c->first) + 1;
    return 1;
}

/* ---- Laws that are near normal ------------------------------------------- */

#define OCTAVES(n) ((n) * (1 << 24))

/* The root of 2^(v / 2^24) < 2^17, in 2^-16. */
static int32_t root_of_power(int32_t v)
{
    const int e = v >> 25;
    const uint32_t m =
        bbans_between(bbans_power_cells, ((uint32_t)v & 0x1FFFFFF) >> 2, 15);

    return (int32_t)(m >> (8 - e));
}

/* N is the number of trials, V = (N + 1/6) p q, and z = 0 at (N + 1/3) p + 1/3
 * - 0.02 (q - 1/2) / (N + 1), of lower edges k = S + 1/2. */
static void near_binomial(bbans_near_normal *near, const count_rates *r)
{
    const uint64_t n = r->trials;
    const int32_t log_p = bbans_log2_24(r->a);
    const int32_t log_q = bbans_log2_24(ONE - r->a);
    const int32_t log_n = bbans_log2_24(2 * n);
    const uint32_t q = 65536 - (r->a >> 16);

    near->p = r->a >> 16;
    near->trials = r->trials;
    near->centre =
        21845 + (int64_t)((3 * n + 1) * r->a / 3 >> 16) -
        bbans_floor_shift(((int64_t)q - 32768) *
                              (BBANS_HUNDREDTHS / ((int32_t)r->trials + 1)),
                          16);
    near->x = log_n + log_p - OCTAVES(32);
    near->y = log_n + log_q - OCTAVES(32);
    near->v = bbans_log2_24(6 * n + 1) - bbans_log2_24(6) + log_p + log_q -
              OCTAVES(64);
    near->deviation = root_of_power(near->v);
    near->skew = ((int64_t)q - near->p) / 6;
}

/* The limit of the binomial as p goes to 0 and N p is the mean. */
static void near_poisson(bbans_near_normal *near, const count_rates *r)
{
    near->centre = 21845 + (int64_t)r->a;
    near->v = bbans_log2_24(r->a) - OCTAVES(16);
    near->x = near->v + OCTAVES(1);
    near->deviation = root_of_power(near->v);
    near->skew = 65536 / 6;
}

/* Of k + r trials fewer than r are successes where there are k failures or
 * more: S = r - 1/2, T = k + 1/2, and d and the root of V are divided by p. */
static void near_negative_binomial(bbans_near_normal *near,
                                   const count_rates *r)
{
    const uint64_t q = ONE - r->b;
    const uint64_t mean = r->a * q / r->b; /* below 2^33 */
    const uint64_t over_p = ((uint64_t)1 << 48) / r->b;
    const int32_t log_p = bbans_log2_24(r->b), log_q = bbans_log2_24(q);

    near->p = r->b >> 16;
    near->successes = r->a;
    near->centre = (int64_t)(mean + 43690 + /* over_p is below 2^25 */
                             BBANS_HUNDREDTHS * (over_p - 65536) / r->a) -
                   (int64_t)(((uint64_t)1 << 48) / (3 * (uint64_t)r->b));
    near->x = bbans_log2_24(r->a - 32768) - log_p + OCTAVES(32);
    near->y = log_q - OCTAVES(15 + 32);
    near->v = log_q - log_p - bbans_log2_24(6) - OCTAVES(16);
    near->deviation = root_of_power(bbans_log2_24(mean) - log_p + OCTAVES(16));
    near->skew = ((int64_t)(2 * over_p) - 65536) / 6;
}

/* The law, once its window is known. */
static void set_near_normal(counts *c)
{
    bbans_near_normal *near = &c->near;

    memset(near, 0, sizeof *near);
    near->first = (int32_t)c->first;
    near->last = (int32_t)c->last;
    near->low = c->first > 0;
    near->high = c->last < c->most;
    near->slots = BBANS_TOTAL_MAX - (uint32_t)c->n - near->low - near->high;
    if (c->kind == BINOMIAL)
        near_binomial(near, &c->rates);
    else if (c->kind == POISSON)
        near_poisson(near, &c->rates);
    else
        near_negative_binomial(near, &c->rates);
}

/* ---- Rows of weights ----------------------------------------------------- */

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

static int is_probability(law_kind kind, int which)
{
    return kind == (which == A ? BINOMIAL : NEGATIVE_BINOMIAL);
}

static bbans_status read_rate(const bbans_distribution *d, law_kind kind,
                              int which, size_t i, uint32_t *rate)
{
    const void *array = d->array[which].data;
    const int type = d->array[which].type;

    if (type == BBANS_U32)
        *rate = ((const uint32_t *)array)[i];
    else if (is_probability(kind, which))
        return bbans_probabilities_fix(bbans_real_at(array, type, i), type, 1,
                                       rate);
    else
        return bbans_rates_fix(bbans_real_at(array, type, i), type, 1, rate);
    return *rate > 0 ? BBANS_OK : BBANS_ERR_SYMBOL;
}

static bbans_status read_rates(const counts *c, const bbans_distribution *d,
                               size_t i, count_rates *r)
{
    bbans_status status = read_rate(d, c->kind, A, i, &r->a);

    r->trials = 0;
    r->b = 1;
    if (status == BBANS_OK && d->array[B].type != 0)
        status = read_rate(d, c->kind, B, i, &r->b);
    if (d->array[TRIALS].type != 0)
        r->trials = ((const uint32_t *)d->array[TRIALS].data)[i];
    return status;
}

/* The law of these parameters, or that of the value before if it has the same.
 */
static bbans_status open_law(counts *c, const count_rates *r)
{
    if (r->trials >
        (c->kind == BINOMIAL ? BBANS_TRIALS_MAX : BBANS_BETA_TRIALS_MAX))
        return BBANS_ERR_SYMBOL;
    if (c->is_open && memcmp(r, &c->rates, sizeof *r) == 0)
        return BBANS_OK;
    c->rates = *r;
    c->is_weighed = 0;
    c->is_open = window_of(c);
    if (!c->is_open)
        return BBANS_ERR_SYMBOL;
    if (c->is_near)
        set_near_normal(c);
    return BBANS_OK;
}

/* The law of value i, with its weights if it has any. */
static bbans_status open_value(counts *c, const bbans_distribution *d, size_t i)
{
    count_rates r;
    bbans_status status = read_rates(c, d, i, &r);

    if (status == BBANS_OK)
        status = open_law(c, &r);
    if (status == BBANS_OK && !c->is_near && !c->is_weighed) {
        weigh_window(c);
        c->is_weighed = 1;
    }
    return status;
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
    const int level = (int)bbans_floor_log2(far + 1);

    bbans_list_below(to, (uint64_t)level, bbans_floor_log2(most + 1));
    bbans_list_below(to, far + 1 - ((uint64_t)1 << level),
                     last_of_level(most, level));
}

static uint64_t find_far(bbans_source *from, uint64_t most)
{
    const int level = (int)bbans_find_below(from, bbans_floor_log2(most + 1));

    return ((uint64_t)1 << level) - 1 +
           bbans_find_below(from, last_of_level(most, level));
}

/* Interval k - first + 1 of what is below the window, its values, and what is
 * above. */
static void list_inside(bbans_intervals *to, const counts *c, int64_t k)
{
    bbans_interval *at = &to->at[to->n];
    bbans_span span;

    if (c->is_near) {
        span = bbans_near_normal_span(&c->near, (int32_t)k);
        bbans_list(to, span.start, span.end - span.start, BBANS_TOTAL_MAX);
        return;
    }
    (void)bbans_kernel.rows->row_interval(c->weight, BBANS_U32, c->n + 2,
                                          (size_t)(k - c->first + 1),
                                          &at->start, &at->freq);
    at->total = c->total;
    to->n++;
}

static int64_t find_inside(bbans_source *from, const counts *c)
{
    uint32_t slot, start;
    size_t k;

    if (c->is_near) {
        bbans_span span;
        int32_t value;

        slot = bbans_source_take(from, BBANS_TOTAL_MAX);
        value = bbans_near_normal_guess(&c->near, slot);
        span = bbans_near_normal_span(&c->near, value);
        value = bbans_near_normal_search(&c->near, slot, value, &span);
        bbans_source_put(from, slot, span.start, span.end - span.start,
                         BBANS_TOTAL_MAX);
        return value;
    }
    slot = bbans_source_take(from, c->total);
    k = bbans_kernel.rows->find(c->weight, c->n + 2, slot, &start);
    bbans_source_put(from, slot, start, c->weight[k], c->total);
    return c->first + (int64_t)k - 1;
}

static bbans_status counts_list(const bbans_distribution *d, void *scratch,
                                size_t i, int64_t value, bbans_intervals *to)
{
    counts *c = (counts *)scratch;
    const bbans_status status = open_value(c, d, i);

    if (status != BBANS_OK)
        return status;
    if (value < 0 || value > c->most)
        return BBANS_ERR_SYMBOL;
    if (value < c->first) {
        list_inside(to, c, c->first - 1);
        list_far(to, (uint64_t)(c->first - 1 - value),
                 (uint64_t)(c->first - 1));
    } else if (value > c->last) {
        list_inside(to, c, c->last + 1);
        list_far(to, (uint64_t)(value - c->last - 1),
                 (uint64_t)(c->most - c->last - 1));
    } else {
        list_inside(to, c, value);
    }
    return BBANS_OK;
}

static bbans_status counts_find(const bbans_distribution *d, void *scratch,
                                size_t i, bbans_source *from, int64_t *value)
{
    counts *c = (counts *)scratch;
    const bbans_status status = open_value(c, d, i);

    if (status != BBANS_OK)
        return status;
    *value = find_inside(from, c);
    if (*value < c->first)
        *value =
            c->first - 1 - (int64_t)find_far(from, (uint64_t)(c->first - 1));
    else if (*value > c->last)
        *value = c->last + 1 +
                 (int64_t)find_far(from, (uint64_t)(c->most - c->last - 1));
    return BBANS_OK;
}

/* ---- Groups of values ---------------------------------------------------- */

#define GROUP BBANS_VALUE_GROUP

/* The rates `which` of values i .. i + n - 1, in place or fixed; NULL if any is
 * out of range. */
static const uint32_t *read_group(const counts *c, const bbans_distribution *d,
                                  int which, size_t i, size_t n,
                                  uint32_t *fixed)
{
    const bbans_array array = d->array[which];
    bbans_status status;

    if (array.type == BBANS_U32)
        return (const uint32_t *)array.data + i;
    status =
        is_probability(c->kind, which)
            ? bbans_probabilities_fix(bbans_real_at(array.data, array.type, i),
                                      array.type, n, fixed)
            : bbans_rates_fix(bbans_real_at(array.data, array.type, i),
                              array.type, n, fixed);
    return status == BBANS_OK ? fixed : NULL;
}

/* What is known of a group's values: which of them have laws that are near
 * normal, one by one. */
typedef struct {
    const uint32_t *trials, *a, *b;
    uint32_t fixed[2][GROUP];
} rates_of_group;

static int open_group(rates_of_group *g, const counts *c,
                      const bbans_distribution *d, size_t i, size_t n)
{
    const uint32_t *trials = (const uint32_t *)d->array[TRIALS].data;

    g->trials = d->array[TRIALS].type != 0 ? trials + i : NULL;
    g->a = read_group(c, d, A, i, n, g->fixed[0]);
    g->b = NULL;
    if (d->array[B].type == 0)
        return g->a != NULL;
    g->b = read_group(c, d, B, i, n, g->fixed[1]);
    return g->a != NULL && g->b != NULL;
}

/* Open the law of a group's i-th value; whether it is near normal. */
static int is_near(counts *c, const rates_of_group *g, size_t i)
{
    const count_rates r = {g->trials != NULL ? g->trials[i] : 0, g->a[i],
                           g->b != NULL ? g->b[i] : 1};

    return r.a > 0 && r.b > 0 && open_law(c, &r) == BBANS_OK && c->is_near;
}

#define LAWS BBANS_NEAR_NORMALS

/* Laws side by side, the group's values that they are of, and what is coded, or
 * guessed to be, with its edges. */
typedef struct {
    bbans_near_normals laws;
    size_t n, at[LAWS];
    int32_t value[LAWS], next[LAWS];
    uint32_t start[LAWS], end[LAWS];
} row_of_laws;

static void add_law(row_of_laws *row, const counts *c, size_t at, int32_t value)
{
    bbans_near_normals_set(&row->laws, row->n, &c->near);
    row->at[row->n] = at;
    row->value[row->n] = value;
    row->next[row->n++] = value + 1;
}

static void set_edges(row_of_laws *row)
{
    BBANS_LAWS->near_edges(&row->laws, row->value, row->n, row->start);
    BBANS_LAWS->near_edges(&row->laws, row->next, row->n, row->end);
}

static void counts_locate(const bbans_distribution *d, void *scratch, size_t i,
                          size_t n, const int64_t *value, bbans_span *span,
                          uint8_t *easy)
{
    counts *c = (counts *)scratch;
    rates_of_group g;
    row_of_laws row;
    size_t k, m;

    if (!open_group(&g, c, d, i, n))
        return;
    memset(&row, 0, sizeof row);
    for (k = 0; k < n; k++) {
        if (is_near(c, &g, k) && value[k] >= c->first && value[k] <= c->last)
            add_law(&row, c, k, (int32_t)value[k]);
        if (row.n < LAWS && k + 1 < n)
            continue;
        set_edges(&row);
        for (m = 0; m < row.n; m++) {
            span[row.at[m]].start = row.start[m];
            span[row.at[m]].end = row.end[m];
            bbans_set_easy(easy, row.at[m]);
        }
        row.n = 0;
    }
}

static void counts_search(const bbans_distribution *d, void *scratch, size_t i,
                          size_t n, const uint32_t *slot, int64_t *value,
                          bbans_span *span, uint8_t *easy)
{
    counts *c = (counts *)scratch;
    rates_of_group g;
    row_of_laws row;
    size_t k, m;

    if (!open_group(&g, c, d, i, n))
        return;
    memset(&row, 0, sizeof row);
    for (k = 0; k < n; k++) {
        if (is_near(c, &g, k))
            add_law(&row, c, k, bbans_near_normal_guess(&c->near, slot[k]));
        if (row.n < LAWS && k + 1 < n)
            continue;
        set_edges(&row);
        for (m = 0; m < row.n; m++) {
            const bbans_near_normal law = bbans_near_normals_get(&row.laws, m);
            const size_t at = row.at[m];
            bbans_span *s = span + at;

            s->start = row.start[m];
            s->end = row.end[m];
            value[at] =
                bbans_near_normal_search(&law, slot[at], row.value[m], s);
            if (value[at] >= law.first && value[at] <= law.last)
                bbans_set_easy(easy, at);
        }
        row.n = 0;
    }
}

static bbans_status counts_code(const bbans_distribution *d,
                                const struct bbans_call *call, law_kind kind)
{
    static const bbans_value_coder values = {counts_list, counts_find};
    static const bbans_group_coder groups = {counts_locate, counts_search};
    counts c;

    c.kind = kind;
    c.is_open = 0;
    return bbans_code_groups(d, call, &values,
                             kind == BETA_BINOMIAL ? NULL : &groups, &c);
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
