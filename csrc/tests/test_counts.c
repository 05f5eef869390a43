/* Counts: their intervals tile the slots, whatever the parameters, so that the
 * distribution function rises as docs/maths.md says; groups of values are what
 * one value after another would be, on every machine.  Kernels of mixtures.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"
#include "distributions/bbans_blend.h"

#include <math.h>

#define N 300 /* more than a group */

enum { BINOMIAL, POISSON, NEGATIVE_BINOMIAL, KINDS };

/* Parameters of N values, and values about their means. */
typedef struct {
    int kind, real;
    uint32_t trials[N], a[N], b[N];
    double real_a[N], real_b[N];
    int64_t value[N];
} array;

/* Of every order of magnitude alike. */
static double magnitude(double low, double high)
{
    return low * pow(high / low, (double)below(1u << 20) / (1 << 20));
}

static uint32_t fixed(double v, double unit)
{
    const double units = floor(v * unit);

    return units < 1 ? 1 : units > 4294967295.0 ? UINT32_MAX : (uint32_t)units;
}

/* About a mean, if possible: laws of both kinds, and their border. */
static void draw_parameters(array *x, size_t i, double mean)
{
    double p = magnitude(0.004, 1), deviation;

    if (below(2) == 0)
        p = 1 - p;
    switch (x->kind) {
    case BINOMIAL:
        x->trials[i] = (uint32_t)(mean / (p + 1e-6)) & BBANS_TRIALS_MAX;
        x->a[i] = fixed(p, 4294967296.0);
        mean = x->trials[i] * p;
        deviation = sqrt(mean);
        break;
    case POISSON:
        x->a[i] = fixed(mean, 65536);
        deviation = sqrt(mean);
        break;
    default:
        x->a[i] = fixed(mean * p / (1 - p + 1e-9), 65536);
        x->b[i] = fixed(p, 4294967296.0);
        mean = x->a[i] / 65536.0 * (1 - p) / p;
        deviation = sqrt(mean / p);
    }
    x->real_a[i] = x->a[i] / (x->kind == BINOMIAL ? 4294967296.0 : 65536);
    x->real_b[i] = x->b[i] / 4294967296.0;
    x->value[i] = (int64_t)(mean + deviation * ((int)below(2001) - 1000) / 300);
    if (below(50) == 0)
        x->value[i] = (int64_t)(random_bits() >> 1 >> below(63));
    if (x->value[i] < 0)
        x->value[i] = 0;
    if (x->kind == BINOMIAL && x->value[i] > x->trials[i])
        x->value[i] = x->trials[i];
}

static bbans_distribution law_of(const array *x)
{
    const bbans_array a = x->real ? bbans_array_of(x->real_a, BBANS_F64)
                                  : bbans_array_of(x->a, BBANS_U32);
    const bbans_array b = x->real ? bbans_array_of(x->real_b, BBANS_F64)
                                  : bbans_array_of(x->b, BBANS_U32);
    bbans_distribution d;
    bbans_status status;

    if (x->kind == BINOMIAL)
        status = bbans_distribution_init_binomial(&d, x->trials, a);
    else if (x->kind == POISSON)
        status = bbans_distribution_init_poisson(&d, a);
    else
        status = bbans_distribution_init_negative_binomial(&d, a, b);
    CHECK(status == BBANS_OK);
    return d;
}

/* Whether the law of value i is not too wide; if so, value 0 can be listed. */
static int is_valid(const array *x)
{
    const bbans_distribution d = law_of(x);
    const int64_t zero = 0;
    size_t n, at;

    return bbans_distribution_list(&d, &zero, BBANS_I64, 1, NULL, 0, &n, &at) ==
           BBANS_OK;
}

/* Values from 0 on have intervals one after another, from 0 to the total, those
 * below and above the window one together. */
static void check_tiles(const array *x)
{
    const bbans_distribution d = law_of(x);
    bbans_interval list[9];
    uint32_t end = 0, total = 0;
    int64_t v, most = x->kind == BINOMIAL ? (int64_t)x->trials[0] : INT64_MAX;
    size_t n, at;

    /* what is below the window is its first interval */
    for (v = 0;; v++) {
        CHECK(bbans_distribution_list(&d, &v, BBANS_I64, 1, list, 9, &n, &at) ==
              BBANS_OK);
        CHECK(list[0].freq >= 1 && list[0].start <= end);
        CHECK(total == 0 || list[0].total == total);
        total = list[0].total;
        if (list[0].start == end)
            end += list[0].freq;
        else /* still below */
            CHECK(list[0].start == 0 && list[0].freq == end);
        CHECK(end <= total);
        if (v == most || end == total)
            break;
    }
    CHECK(end == total);
}

/* Bits of value 0 by its law, in doubles. */
static double bits_of_law(const array *x)
{
    const double v = (double)x->value[0], a = x->real_a[0], b = x->real_b[0];
    const double n = (double)x->trials[0];
    double log_p;

    if (x->kind == BINOMIAL)
        log_p = lgamma(n + 1) - lgamma(v + 1) - lgamma(n - v + 1) + v * log(a) +
                (n - v) * log1p(-a);
    else if (x->kind == POISSON)
        log_p = v * log(a) - a - lgamma(v + 1);
    else
        log_p = lgamma(v + a) - lgamma(v + 1) - lgamma(a) + a * log(b) +
                v * log1p(-b);
    return -log_p / log(2);
}

/* Values that are not rare have the masses of their law, also where it is taken
 * for near normal. */
static void check_masses(void)
{
    static array x;
    unsigned round, checked = 0;

    for (round = 0; round < SOME(20000); round++) {
        uint32_t mantissa;
        int32_t exponent;
        bbans_distribution d;
        double bits;

        x.kind = (int)(round % KINDS);
        x.real = 0;
        draw_parameters(&x, 0, magnitude(8, 4000));
        d = law_of(&x);
        if (bbans_distribution_masses(&d, x.value, BBANS_I64, 1, &mantissa,
                                      &exponent) != BBANS_OK ||
            mantissa == 0)
            continue;
        bits = bits_of_law(&x);
        /* At the ends of the support the tail beyond is added; near them, with
         * a mean of 8, the law is least near normal: 0.017 bits off here. */
        if (bits < 10 && x.value[0] > 0 &&
            (x.kind != BINOMIAL || x.value[0] < (int64_t)x.trials[0])) {
            CHECK(fabs(log2(mantissa) + exponent + bits) < 0.02);
            checked++;
        }
    }
    CHECK(checked > SOME(20000) / 4);
}

static void check_all_tiles(void)
{
    static array x;
    unsigned round;

    for (round = 0; round < SOME(300); round++) {
        x.kind = (int)(round % KINDS);
        draw_parameters(&x, 0, magnitude(0.5, below(8) == 0 ? 60000 : 400));
        if (is_valid(&x))
            check_tiles(&x);
    }
}

/* ---- Groups -------------------------------------------------------------- */

typedef struct {
    bbans_message msg;
    uint64_t head[64];
    uint32_t tail[16 * N];
} owned;

static void fill(owned *m, size_t lanes, size_t words)
{
    size_t i;

    m->msg = (bbans_message){m->head, m->tail, lanes, words, 16 * N};
    for (i = 0; i < lanes; i++)
        m->head[i] = BBANS_HEAD_MIN + (random_bits() >> 2);
    for (i = 0; i < words; i++)
        m->tail[i] = (uint32_t)random_bits();
}

static void copy(owned *to, const owned *from)
{
    *to = *from;
    to->msg.head = to->head;
    to->msg.tail = to->tail;
}

static int are_same(const owned *a, const owned *b)
{
    return a->msg.tail_len == b->msg.tail_len &&
           memcmp(a->head, b->head, a->msg.lanes * sizeof *a->head) == 0 &&
           memcmp(a->tail, b->tail, a->msg.tail_len * sizeof *a->tail) == 0;
}

/* Of each of the values alone, the last first. */
static void push_alone(owned *m, const array *x, size_t n)
{
    static array one;

    while (n-- > 0) {
        bbans_interval list[9];
        bbans_distribution d;
        size_t k, at;

        one.kind = x->kind;
        one.real = x->real;
        one.trials[0] = x->trials[n];
        one.a[0] = x->a[n];
        one.b[0] = x->b[n];
        one.real_a[0] = x->real_a[n];
        one.real_b[0] = x->real_b[n];
        d = law_of(&one);
        CHECK(bbans_distribution_list(&d, x->value + n, BBANS_I64, 1, list, 9,
                                      &k, &at) == BBANS_OK);
        while (k-- > 0)
            bbans_push_one(&m->msg, n % m->msg.lanes, list[k].start,
                           list[k].freq, list[k].total);
    }
}

static void check_groups(void)
{
    static const size_t lanes[] = {1, 3, 8, 64};
    static array x;
    static owned m, before, alone;
    int64_t found[N];
    bbans_distribution d;
    size_t n = 1 + below(N), i;

    x.kind = (int)below(KINDS);
    x.real = (int)below(2);
    for (i = 0; i < N; i++)
        draw_parameters(&x, i, magnitude(2, below(8) == 0 ? 60000 : 400));
    /* what is too wide becomes the first that is not */
    for (i = 0; i < N; i++) {
        static array one;

        one.kind = x.kind;
        one.trials[0] = x.trials[i];
        one.a[0] = x.a[i];
        one.b[0] = x.b[i];
        if (is_valid(&one))
            continue;
        x.a[i] = 65536 * 5;
        x.b[i] = 1u << 30;
        x.real_a[i] = 5;
        x.real_b[i] = 0.25;
        x.value[i] = below(40);
    }
    d = law_of(&x);
    fill(&m, lanes[below(4)], 4 + below(N));
    copy(&before, &m);
    copy(&alone, &m);
    CHECK(bbans_message_push(&m.msg, &d, x.value, BBANS_I64, n) == BBANS_OK);
    push_alone(&alone, &x, n);
    CHECK(are_same(&m, &alone));
    CHECK(bbans_message_pop(&m.msg, &d, found, BBANS_I64, n) == BBANS_OK);
    CHECK(memcmp(found, x.value, n * sizeof *found) == 0);
    CHECK(are_same(&m, &before));

    /* a value that there is not, or a type that does not hold all, or too few
     * words, in the middle of a group */
    i = below((uint32_t)n);
    x.value[i] = -1;
    CHECK(bbans_message_push(&m.msg, &d, x.value, BBANS_I64, n) ==
          BBANS_ERR_SYMBOL);
    CHECK(are_same(&m, &before));
    if (bbans_message_pop(&m.msg, &d, found, below(2) ? BBANS_U8 : BBANS_I64,
                          n) != BBANS_OK)
        CHECK(are_same(&m, &before));
}

/* ---- Mixtures ------------------------------------------------------------ */

/* What components have below a value, anywhere about them: the same on every
 * machine, and of one component what its family has. */
static void check_mixtures(void)
{
    static bbans_blend parts; /* 0 beyond those that are set */
    const uint32_t u = below(2) ? below(4096) : below(300);
    uint64_t sum[2], same[2];
    int64_t location = 0;
    int32_t scale = 0;
    size_t k;

    CHECK(bbans_family_init(&parts.family, (int)below(3)) == BBANS_OK);
    parts.n = 1 + below(BBANS_BLEND);
    for (k = 0; k < (parts.n + 3) / 4 * 4; k++) {
        const uint32_t weight =
            k < parts.n ? below(BBANS_TOTAL_MAX / BBANS_BLEND) : 0;

        location = bbans_signed(random_bits()) >> (below(2) ? 36 : below(64));
        scale = BBANS_SCALE_MIN + (int32_t)below(BBANS_BLEND_SCALES);
        bbans_blend_set(&parts, k, location, scale, weight);
    }
    BBANS_LAWS->mixture_pair(&parts, u, sum);
    bbans_laws_portable.mixture_pair(&parts, u, same);
    CHECK(sum[0] == same[0] && sum[1] == same[1] && sum[0] <= sum[1]);
    if (location > -((int64_t)1 << 40) && location < (int64_t)1 << 40) {
        /* below the value at a distance, at a point of 2^-20 or less */
        const bbans_place place = bbans_place_of(location, scale, 0);
        const uint64_t coarse =
            bbans_below(&parts.family, &place,
                        ((int64_t)u - place.origin) * 65536 - place.below);
        uint64_t fine;

        bbans_blend_set(&parts, 0, location, scale, 1);
        fine = bbans_blend_below(&parts, 0, u);
        /* a unit of t, where S falls fastest, for t below 2^-20 of it */
        CHECK(fine < coarse + 4096 && coarse < fine + 4096);
    }
}

int main(void)
{
    int isa;
    unsigned round;

    check_all_tiles();
    check_masses();
    FOR_EACH_ISA(isa)
    {
        for (round = 0; round < SOME(40); round++)
            check_groups();
        for (round = 0; round < SOME(20000); round++)
            check_mixtures();
    }
    printf("test_counts: ok\n");
    return 0;
}
