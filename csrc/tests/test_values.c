/* Mixtures, counts, ranges and values of a family: exact inverses in both
 * orders on any message, and under the range coder, of ordinary and extreme
 * parameters; refusals that change nothing.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

#define LANES 5
#define N 12
#define K 3
#define CAP (64 + 10 * N)

typedef struct {
    bbans_message msg;
    uint64_t head[LANES];
    uint32_t tail[CAP];
} owned;

static void random_message(owned *m, size_t lanes, size_t words)
{
    size_t i;

    CHECK(bbans_message_init(&m->msg, m->head, lanes, m->tail, CAP) ==
          BBANS_OK);
    m->msg.tail_len = words;
    for (i = 0; i < words; i++)
        m->tail[i] = (uint32_t)random_bits();
    for (i = 0; i < lanes; i++) {
        const unsigned top = 31 + below(32);

        m->head[i] =
            ((uint64_t)1 << top) | (random_bits() & (((uint64_t)1 << top) - 1));
        if (below(8) == 0)
            m->head[i] = below(2) ? ((uint64_t)1 << 63) - 1 : (uint64_t)1 << 31;
    }
    CHECK(bbans_message_check(&m->msg) == BBANS_OK);
}

static int same(const owned *a, const owned *b)
{
    return a->msg.tail_len == b->msg.tail_len &&
           memcmp(a->head, b->head, a->msg.lanes * sizeof *a->head) == 0 &&
           memcmp(a->tail, b->tail, a->msg.tail_len * sizeof *a->tail) == 0;
}

static void copy(owned *to, const owned *from)
{
    *to = *from;
    to->msg.head = to->head;
    to->msg.tail = to->tail;
}

/* ---- Laws with random parameters ----------------------------------------- */

typedef enum {
    RANGE,
    MIXTURE,
    GEOMETRIC,
    BINOMIAL,
    BETA_BINOMIAL,
    POISSON,
    LOCATION_SCALE,
    LAWS
} law_kind;

typedef struct {
    law_kind kind;
    bbans_family family;
    size_t components;
    int weight_type;
    uint32_t weight[N * K], a[N], b[N], trials[N];
    double share[N * K], real_at[N * K];
    int64_t at[N * K], low, high;
    int32_t by[N * K];
    int real;
} law;

static int64_t random_i64(void)
{
    const int64_t v = (int64_t)(random_bits() >> 1) >> below(63);

    return below(2) ? v : -1 - v;
}

static uint32_t random_rate(void)
{
    const uint32_t v = (uint32_t)(random_bits() >> 32) >> below(32);

    return v == 0 ? 1 : v;
}

static law random_law(void)
{
    static const int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1,       0,
                                   1,         INT64_MAX - 1, INT64_MAX};
    law l;
    size_t i;

    memset(&l, 0, sizeof l);
    l.kind = (law_kind)below(LAWS);
    CHECK(bbans_family_init(&l.family, (int)below(3)) == BBANS_OK);
    l.components = 1 + below(K);
    l.real = (int)below(2);
    l.weight_type = below(2) ? BBANS_U32 : BBANS_F64;
    switch (below(4)) {
    case 0: l.low = INT64_MIN, l.high = INT64_MAX; break;
    case 1: l.low = ends[below(7)], l.high = ends[below(7)]; break;
    case 2: l.low = random_i64(), l.high = random_i64(); break;
    default:
        l.low = random_i64() / 2;
        l.high = l.low + (int64_t)below(below(2) ? 300 : 20000);
    }
    if (l.low > l.high) {
        const int64_t low = l.low;

        l.low = l.high;
        l.high = low;
    }
    for (i = 0; i < N * K; i++) {
        l.weight[i] = below(3) == 0 ? 0 : 1 + below(1u << below(26));
        if (i % l.components == 0 && l.weight[i] == 0)
            l.weight[i] = 1;
        l.share[i] = 1.0 / (double)l.components;
        l.at[i] = below(4) == 0 ? random_i64() / 2 : random_i64() / (1 << 30);
        l.real_at[i] = (double)(l.at[i] / 65536);
        if (below(4) == 0) /* on the support, of which it may be far */
            l.at[i] = l.low > -((int64_t)1 << 45) && l.low < (int64_t)1 << 45
                          ? l.low * 65536
                          : 0;
        l.by[i] = below(3) == 0
                      ? BBANS_SCALE_MIN + (int32_t)below(BBANS_SCALE_MAX -
                                                         BBANS_SCALE_MIN + 1)
                      : (int32_t)below(2560) - 256;
    }
    for (i = 0; i < N; i++) {
        l.a[i] = random_rate();
        l.b[i] = random_rate();
        l.trials[i] = l.kind == BETA_BINOMIAL
                          ? below(BBANS_BETA_TRIALS_MAX + 1) >> below(13)
                          : below(BBANS_TRIALS_MAX + 1) >> below(19);
        if (i > 0 && below(2) == 0) { /* like the one before */
            l.a[i] = l.a[i - 1];
            l.b[i] = l.b[i - 1];
            l.trials[i] = l.trials[i - 1];
        }
    }
    return l;
}

static bbans_status init(const law *l, bbans_distribution *d)
{
    const int exact = l->weight_type == BBANS_U32;

    switch (l->kind) {
    case RANGE: return bbans_distribution_init_range(d, l->low, l->high);
    case MIXTURE:
        return bbans_distribution_init_mixture(
            d, &l->family, l->components,
            bbans_array_of(exact ? (const void *)l->weight
                                 : (const void *)l->share,
                           l->weight_type),
            bbans_array_of(l->real ? (const void *)l->real_at
                                   : (const void *)l->at,
                           l->real ? BBANS_F64 : BBANS_I64),
            bbans_array_of(l->by, BBANS_I32), l->low, l->high);
    case GEOMETRIC:
        return bbans_distribution_init_geometric(
            d, bbans_array_of(l->by, BBANS_I32));
    case BINOMIAL:
        return bbans_distribution_init_binomial(
            d, l->trials, bbans_array_of(l->a, BBANS_U32));
    case BETA_BINOMIAL:
        return bbans_distribution_init_beta_binomial(
            d, l->trials, bbans_array_of(l->a, BBANS_U32),
            bbans_array_of(l->b, BBANS_U32));
    case LOCATION_SCALE:
        return bbans_distribution_init_location_scale(
            d, &l->family,
            bbans_array_of(l->real ? (const void *)l->real_at
                                   : (const void *)l->at,
                           l->real ? BBANS_F64 : BBANS_I64),
            bbans_array_of(l->by, BBANS_I32));
    default:
        return bbans_distribution_init_poisson(d,
                                               bbans_array_of(l->a, BBANS_U32));
    }
}

static bbans_status push(const law *l, bbans_message *msg, const void *value,
                         int type, size_t n)
{
    bbans_distribution d;
    const bbans_status status = init(l, &d);

    return status != BBANS_OK ? status
                              : bbans_message_push(msg, &d, value, type, n);
}

static bbans_status pop(const law *l, bbans_message *msg, void *value, int type,
                        size_t n)
{
    bbans_distribution d;
    const bbans_status status = init(l, &d);

    return status != BBANS_OK ? status
                              : bbans_message_pop(msg, &d, value, type, n);
}

/* Any value that the law has. */
static int64_t value_of(const law *l, size_t i)
{
    int64_t low = 0, high = INT64_MAX, v;

    if (l->kind == RANGE || l->kind == MIXTURE) {
        low = l->low;
        high = l->high;
    } else if (l->kind == BINOMIAL || l->kind == BETA_BINOMIAL) {
        high = l->trials[i];
    }
    if (below(4) == 0)
        return below(2) ? low : high;
    v = random_i64();
    if (below(2) && l->kind == MIXTURE && !l->real)
        v = l->at[i * l->components] / 65536 + (int64_t)below(64) - 32;
    if (v < low || v > high) {
        const uint64_t most = (uint64_t)high - (uint64_t)low;
        uint64_t u = random_bits() >> below(64);

        u = most == UINT64_MAX ? u : u % (most + 1);
        v = (int64_t)((uint64_t)low + u);
    }
    return v;
}

static void check_inverses(void)
{
    owned m, before;
    int64_t value[N], found[N];
    size_t i;
    unsigned round;

    for (round = 0; round < SOME(20000); round++) {
        const law l = random_law();
        const size_t lanes = below(2) ? 1 : LANES, n = below(N + 1);

        random_message(&m, lanes, below(64));
        copy(&before, &m);
        for (i = 0; i < N; i++)
            value[i] = value_of(&l, i);
        CHECK(push(&l, &m.msg, value, BBANS_I64, n) == BBANS_OK);
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        CHECK(pop(&l, &m.msg, found, BBANS_I64, n) == BBANS_OK);
        CHECK(memcmp(found, value, n * sizeof *value) == 0);
        CHECK(same(&m, &before));
        {
            const bbans_status status = pop(&l, &m.msg, found, BBANS_I64, n);

            if (status == BBANS_OK)
                CHECK(push(&l, &m.msg, found, BBANS_I64, n) == BBANS_OK);
            else /* dry; or the slots of a bin beyond int64_t */
                CHECK((status == BBANS_ERR_UNDERFLOW && lanes > 1) ||
                      (status == BBANS_ERR_SYMBOL && l.kind == LOCATION_SCALE));
        }
        CHECK(same(&m, &before));
    }
}

/* Values that a type does not hold, or the support not; parameters that are
 * none. */
static void check_refusals(void)
{
    static const int types[] = {BBANS_U8, BBANS_U16, BBANS_U32,
                                BBANS_I8, BBANS_I16, BBANS_I32};
    owned m, before;
    int64_t value[N];
    unsigned round;
    size_t i;

    for (round = 0; round < SOME(5000); round++) {
        law l = random_law();
        const size_t lanes = below(2) ? 1 : LANES, bad = below(N);
        bbans_status status;

        random_message(&m, lanes, 60);
        copy(&before, &m);
        status = pop(&l, &m.msg, value, types[below(6)], N);
        if (status != BBANS_OK)
            CHECK(same(&m, &before));
        copy(&m, &before);
        for (i = 0; i < N; i++)
            value[i] = value_of(&l, i);
        if (l.kind == RANGE || l.kind == MIXTURE) {
            if (l.low == INT64_MIN)
                continue;
            value[bad] = l.low - 1;
        } else if (l.kind == LOCATION_SCALE) {
            continue; /* it has every value */
        } else {
            value[bad] = -1;
        }
        CHECK(push(&l, &m.msg, value, BBANS_I64, N) == BBANS_ERR_SYMBOL);
        CHECK(same(&m, &before));
        value[bad] = value_of(&l, bad);
        CHECK(push(&l, &m.msg, value, BBANS_U64, N) == BBANS_ERR_TYPE);
        CHECK(push(&l, &m.msg, NULL, BBANS_I64, N) == BBANS_ERR_NULL);
        CHECK(push(&l, NULL, value, BBANS_I64, N) == BBANS_ERR_NULL);
        l.by[bad * l.components] = BBANS_SCALE_MAX + 1;
        l.by[bad] = BBANS_SCALE_MIN - 1;
        l.a[bad] = 0;
        if (l.kind == RANGE) {
            l.low = 1;
            l.high = 0;
            CHECK(push(&l, &m.msg, value, BBANS_I64, N) == BBANS_ERR_SIZE);
            CHECK(pop(&l, &m.msg, value, BBANS_I64, N) == BBANS_ERR_SIZE);
        } else {
            CHECK(push(&l, &m.msg, value, BBANS_I64, N) == BBANS_ERR_SYMBOL);
            CHECK(same(&m, &before));
            status = pop(&l, &m.msg, value, BBANS_I64, N);
            CHECK(status == BBANS_ERR_SYMBOL ||
                  (status == BBANS_ERR_UNDERFLOW && lanes > 1));
        }
        CHECK(same(&m, &before));
    }
}

/* ---- The range coder ----------------------------------------------------- */

#define BYTES (8 + 3 * N * 32)

static bbans_range_encoder encoder_of(uint8_t *bytes)
{
    bbans_range_encoder enc;

    CHECK(bbans_range_encoder_init(&enc, bytes, BYTES) == BBANS_OK);
    return enc;
}

/* Arrays of two laws, and between them one with a value at fault, which leaves
 * the encoder as it was. */
static void check_range_codes(void)
{
    uint8_t bytes[BYTES], other[BYTES];
    int64_t value[2][N], found[N], refused[N];
    bbans_range_encoder enc, without;
    bbans_interval list[8 * N];
    bbans_range_decoder dec, before;
    bbans_distribution d[2];
    owned m, again;
    unsigned round;
    size_t i, k, at, listed;

    for (round = 0; round < SOME(20000); round++) {
        const law l[2] = {random_law(), random_law()};
        const size_t n = 1 + below(N), bad = below((uint32_t)n);

        enc = encoder_of(bytes);
        without = encoder_of(other);
        for (k = 0; k < 2; k++) {
            CHECK(init(&l[k], &d[k]) == BBANS_OK);
            for (i = 0; i < N; i++)
                value[k][i] = value_of(&l[k], i);
            memcpy(refused, value[k], sizeof refused);
            refused[bad] = l[k].kind == RANGE || l[k].kind == MIXTURE
                               ? l[k].low - (l[k].low > INT64_MIN)
                               : -1;
            if (l[k].kind != LOCATION_SCALE && refused[bad] != INT64_MIN) {
                CHECK(bbans_range_encode(&enc, &d[k], refused, BBANS_I64, n) ==
                      BBANS_ERR_SYMBOL);
                CHECK(enc.len == without.len && enc.low == without.low &&
                      enc.range == without.range);
                CHECK(memcmp(bytes, other, enc.len) == 0);
                CHECK(bbans_distribution_list(&d[k], refused, BBANS_I64, n,
                                              NULL, 0, &listed,
                                              &at) == BBANS_ERR_SYMBOL);
                CHECK(at == bad);
            }
            CHECK(bbans_distribution_list(&d[k], value[k], BBANS_I64, n, NULL,
                                          0, &listed, &at) == BBANS_OK);
            CHECK(bbans_range_encode(&enc, &d[k], value[k], BBANS_I64, n) ==
                  BBANS_OK);
            CHECK(bbans_distribution_list(&d[k], value[k], BBANS_I64, n, list,
                                          n * d[k].words, &listed,
                                          &at) == BBANS_OK);
            for (i = 0; i < listed; i++)
                CHECK(bbans_range_encode_interval(&without, list[i].start,
                                                  list[i].freq,
                                                  list[i].total) == BBANS_OK);
            if (listed > 0)
                CHECK(bbans_distribution_list(&d[k], value[k], BBANS_I64, n,
                                              list, listed - 1, &listed,
                                              &at) == BBANS_ERR_CAPACITY);
        }
        random_message(&m, 1, 0);
        random_message(&again, 1, 0);
        CHECK(bbans_range_finish(&enc, &m.msg) == BBANS_OK);
        CHECK(bbans_range_finish(&without, &again.msg) == BBANS_OK);
        CHECK(same(&m, &again));
        CHECK(bbans_range_encode(&enc, &d[0], value[0], BBANS_I64, n) ==
              BBANS_ERR_STATE);
        CHECK(bbans_range_decoder_init(&dec, &m.msg) == BBANS_OK);
        for (k = 0; k < 2; k++) {
            CHECK(bbans_range_decode(&dec, &d[k], found, BBANS_I64, n) ==
                  BBANS_OK);
            CHECK(memcmp(found, value[k], n * sizeof *found) == 0);
        }
        CHECK(bbans_range_check(&dec) == BBANS_OK);

        /* Anything else is decoded to something, or refused. */
        random_message(&m, 1, below(12));
        CHECK(bbans_range_decoder_init(&dec, &m.msg) == BBANS_OK);
        before = dec;
        if (bbans_range_decode(&dec, &d[0], found, BBANS_I64, n) != BBANS_OK)
            CHECK(memcmp(&dec, &before, sizeof dec) == 0);
    }
}

/* Whatever is carried into the bytes before the array is taken back. */
static void check_carries(void)
{
    static const int64_t carrying[2] = {((int64_t)1 << 28) - 1, -1};
    uint8_t bytes[BYTES], before[BYTES];
    bbans_distribution d;
    int64_t value;
    unsigned round, i, carried = 0;

    CHECK(bbans_distribution_init_uniform(&d, BBANS_TOTAL_MAX) == BBANS_OK);
    for (round = 0; round < 20; round++) {
        bbans_range_encoder enc = encoder_of(bytes), same_enc;

        CHECK(bbans_range_encode_interval(&enc, 1, 1, 3) == BBANS_OK);
        for (i = 0; i < 12 + round; i++) /* 1/3 + 1/9 + .. comes near 1/2 */
            CHECK(bbans_range_encode_interval(&enc, 1, 1, 3) == BBANS_OK);
        for (value = 0; value < 3; value++) {
            int64_t pair[2] = {0, -1};

            pair[0] = value * (carrying[0] / 2);
            memcpy(before, bytes, sizeof before);
            same_enc = enc;
            CHECK(bbans_range_encode(&enc, &d, pair, BBANS_I64, 1) == BBANS_OK);
            carried += memcmp(bytes, before, same_enc.len) != 0;
            memcpy(bytes, before, sizeof before);
            enc = same_enc;
            CHECK(bbans_range_encode(&enc, &d, pair, BBANS_I64, 2) ==
                  BBANS_ERR_SYMBOL);
            CHECK(memcmp(bytes, before, enc.len) == 0);
            CHECK(enc.len == same_enc.len && enc.low == same_enc.low &&
                  enc.range == same_enc.range);
        }
    }
    CHECK(carried > 0);
}

static void check_range_refusals(void)
{
    const int64_t value[2] = {0, 0};
    uint8_t bytes[BYTES];
    uint32_t word;
    bbans_range_encoder enc = encoder_of(bytes);
    bbans_range_decoder dec;
    bbans_distribution d;
    size_t at, listed;
    owned m;

    CHECK(bbans_distribution_init_range(&d, INT64_MIN, INT64_MAX) == BBANS_OK);
    CHECK(bbans_range_encode(NULL, &d, value, BBANS_I64, 1) == BBANS_ERR_NULL);
    CHECK(bbans_range_encode(&enc, NULL, value, BBANS_I64, 1) ==
          BBANS_ERR_NULL);
    CHECK(bbans_range_encode(&enc, &d, NULL, BBANS_I64, 1) == BBANS_ERR_NULL);
    CHECK(bbans_range_encode(&enc, &d, NULL, BBANS_I64, 0) == BBANS_OK);
    CHECK(bbans_range_encode(&enc, &d, value, BBANS_U64, 1) == BBANS_ERR_TYPE);
    CHECK(bbans_distribution_list(&d, value, BBANS_I64, 1, NULL, 0, NULL,
                                  &at) == BBANS_ERR_NULL);
    enc.cap = 23; /* of 24 bytes */
    CHECK(bbans_range_encode(&enc, &d, value, BBANS_I64, 2) ==
          BBANS_ERR_CAPACITY);
    enc.cap = 24;
    CHECK(bbans_range_encode(&enc, &d, value, BBANS_I64, 2) == BBANS_OK);
    random_message(&m, 1, 0);
    CHECK(bbans_range_finish(&enc, &m.msg) == BBANS_OK);
    CHECK(bbans_range_decoder_init(&dec, &m.msg) == BBANS_OK);
    CHECK(bbans_range_decode(NULL, &d, &word, BBANS_U32, 1) == BBANS_ERR_NULL);
    CHECK(bbans_range_decode(&dec, &d, &word, BBANS_F32, 1) == BBANS_ERR_TYPE);
    CHECK(bbans_distribution_init_uniform(&d, 257) == BBANS_OK);
    CHECK(bbans_range_decode(&dec, &d, &word, BBANS_U8, 1) == BBANS_ERR_TYPE);
    CHECK(bbans_distribution_init_uniform(NULL, 2) == BBANS_ERR_NULL);
    CHECK(bbans_distribution_init_uniform(&d, 0) == BBANS_ERR_TOTAL);
    CHECK(bbans_distribution_init_bernoulli(&d, 29, &word) ==
          BBANS_ERR_PRECISION);
    CHECK(bbans_distribution_init_weighted(&d, bbans_array_of(&word, BBANS_I32),
                                           1) == BBANS_ERR_TYPE);
    CHECK(bbans_distribution_init_bernoulli(&d, 8, NULL) == BBANS_OK);
    CHECK(bbans_distribution_list(&d, value, BBANS_I64, 1, NULL, 0, &listed,
                                  &at) == BBANS_ERR_NULL);
}

static void check_weights(void)
{
    static const double nan_ish[] = {-1.0, 2.5, 1e300};
    owned m, before;
    law l;
    int64_t value[N] = {0};
    size_t i;

    do
        l = random_law();
    while (l.kind != MIXTURE || l.low > 0 || l.high < 0);
    random_message(&m, 1, 30);
    copy(&before, &m);
    l.weight_type = BBANS_U32;
    memset(l.weight, 0, sizeof l.weight);
    CHECK(push(&l, &m.msg, value, BBANS_I64, N) == BBANS_ERR_TOTAL);
    l.weight[0] = BBANS_TOTAL_MAX;
    CHECK(push(&l, &m.msg, value, BBANS_I64, 1) == BBANS_OK);
    copy(&m, &before);
    l.weight[0]++;
    CHECK(push(&l, &m.msg, value, BBANS_I64, 1) == BBANS_ERR_TOTAL);
    CHECK(pop(&l, &m.msg, value, BBANS_I64, 1) == BBANS_ERR_TOTAL);
    l.weight_type = BBANS_F64;
    for (i = 0; i < 3; i++) {
        l.share[0] = nan_ish[i];
        CHECK(push(&l, &m.msg, value, BBANS_I64, 1) == BBANS_ERR_TOTAL);
    }
    CHECK(same(&m, &before));
    l.components = BBANS_COMPONENTS_MAX + 1;
    CHECK(push(&l, &m.msg, value, BBANS_I64, 1) == BBANS_ERR_SIZE);
    l.components = 0;
    CHECK(push(&l, &m.msg, value, BBANS_I64, 1) == BBANS_ERR_SIZE);
}

static void check_rounding(void)
{
    const double x[] = {0.0, 1.0, 0.5, 1e-30, 65536.0, 65535.99999, 0.75};
    const double bad[] = {-1.0, 65537.0, 1e300};
    uint32_t u[7];
    size_t i;

    CHECK(bbans_rates_fix(x, BBANS_F64, 7, u) == BBANS_OK);
    CHECK(u[0] == 1 && u[1] == 65536 && u[2] == 32768 && u[3] == 1);
    CHECK(u[4] == UINT32_MAX && u[5] == UINT32_MAX && u[6] == 49152);
    CHECK(bbans_probabilities_fix(x, BBANS_F64, 4, u) == BBANS_OK);
    CHECK(u[0] == 1 && u[1] == UINT32_MAX && u[2] == 1u << 31 && u[3] == 1);
    CHECK(bbans_probabilities_fix(x, BBANS_F64, 5, u) == BBANS_ERR_SYMBOL);
    for (i = 0; i < 3; i++)
        CHECK(bbans_rates_fix(bad + i, BBANS_F64, 1, u) == BBANS_ERR_SYMBOL);
    CHECK(bbans_rates_fix(x, BBANS_U32, 1, u) == BBANS_ERR_TYPE);
    CHECK(bbans_rates_fix(NULL, BBANS_F64, 1, u) == BBANS_ERR_NULL);
    CHECK(bbans_rates_fix(x, BBANS_F64, 1, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_rates_fix(NULL, BBANS_F64, 0, NULL) == BBANS_OK);
}

/* The counts of a beta-binomial with alpha = beta = 1 are equally likely, and
 * those of a binomial with p = 1/2 and two trials as 1 : 2 : 1, to 2^-12 of a
 * symbol: weights are whole numbers. */
static void check_counts(void)
{
    const uint32_t two = 2, half = 1u << 31;
    const uint32_t one = 1u << 16;
    bbans_distribution d;
    uint32_t trials, k;
    owned m;

    for (trials = 1; trials < 40; trials++)
        for (k = 0; k <= trials; k++) {
            random_message(&m, 1, 0);
            m.head[0] = (uint64_t)1 << 40;
            CHECK(bbans_distribution_init_beta_binomial(
                      &d, &trials, bbans_array_of(&one, BBANS_U32),
                      bbans_array_of(&one, BBANS_U32)) == BBANS_OK);
            CHECK(bbans_message_push(&m.msg, &d, &k, BBANS_U32, 1) == BBANS_OK);
            CHECK(m.msg.tail_len == 0);
            CHECK(m.head[0] >> 20 >= (((uint64_t)trials + 1) << 20) - 256);
            CHECK(m.head[0] >> 20 <= (((uint64_t)trials + 1) << 20) + 256);
        }
    for (k = 0; k <= 2; k++) {
        random_message(&m, 1, 0);
        m.head[0] = (uint64_t)1 << 40;
        CHECK(bbans_distribution_init_binomial(
                  &d, &two, bbans_array_of(&half, BBANS_U32)) == BBANS_OK);
        CHECK(bbans_message_push(&m.msg, &d, &k, BBANS_U32, 1) == BBANS_OK);
        CHECK(m.head[0] >> 20 >= ((uint64_t)(k == 1 ? 2 : 4) << 20) - 256);
        CHECK(m.head[0] >> 20 <= ((uint64_t)(k == 1 ? 2 : 4) << 20) + 256);
    }
}

/* x 2^16, halves away from 0, below 2^46; what is larger, or no number, is
 * refused. */
static void check_locations(void)
{
    static const struct {
        double x;
        int64_t fixed;
    } good[] = {{0.0, 0},
                {1.0, 65536},
                {-1.5, -98304},
                {0.5 / 65536, 1},
                {-0.5 / 65536, -1},
                {0.4999999 / 65536, 0},
                {2.5 / 65536, 3},
                {1e-300, 0},
                {70368744177663.0, ((int64_t)1 << 62) - 65536},
                {-70368744177663.0, 65536 - ((int64_t)1 << 62)}};
    static const double bad[] = {70368744177664.0,
                                 -70368744177664.0,
                                 1e15,
                                 1e16,
                                 1e17,
                                 1e18,
                                 1e20,
                                 1e300};
    int64_t fixed;
    uint64_t bits;
    size_t i;

    for (i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK(bbans_locations_fix(&good[i].x, BBANS_F64, 1, &fixed) ==
              BBANS_OK);
        CHECK(fixed == good[i].fixed);
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(bbans_locations_fix(bad + i, BBANS_F64, 1, &fixed) ==
              BBANS_ERR_SYMBOL);
    for (bits = 0x7ff; bits <= 0xfff; bits += 0x800) {
        const uint64_t infinite = bits << 52, nan = infinite | 1;

        CHECK(bbans_locations_fix(&infinite, BBANS_F64, 1, &fixed) ==
              BBANS_ERR_SYMBOL);
        CHECK(bbans_locations_fix(&nan, BBANS_F64, 1, &fixed) ==
              BBANS_ERR_SYMBOL);
    }
    CHECK(bbans_locations_fix(NULL, BBANS_F64, 1, &fixed) == BBANS_ERR_NULL);
    CHECK(bbans_locations_fix(bad, BBANS_F64, 1, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_locations_fix(bad, BBANS_I64, 1, &fixed) == BBANS_ERR_TYPE);
}

/* Made from its table, the quantiles of the library's own families come out,
 * but for the interpolation within a cell. */
static void check_quantiles(void)
{
    static uint32_t quantile[BBANS_QUANTILES];
    int which;
    size_t i;

    for (which = 0; which < 3; which++) {
        bbans_family family, own;

        CHECK(bbans_family_init(&family, which) == BBANS_OK);
        own = family;
        own.quantile = NULL;
        CHECK(bbans_family_quantiles(&own, quantile) == BBANS_OK);
        for (i = 0; i < BBANS_QUANTILES; i++)
            CHECK(quantile[i] + 8 - family.quantile[i] <= 16);
        CHECK(bbans_family_check(&own) == BBANS_OK);
        CHECK(bbans_family_quantiles(&own, NULL) == BBANS_ERR_NULL);
    }
}

/* Of S(t) = 2^31 / (1 + t), of which each octave of cells beyond t = 8 is used.
 */
static void check_far_quantiles(void)
{
    enum { OCTAVES = 7, CELLS = 2050 + 256 * OCTAVES };
    static uint32_t survival[CELLS], quantile[BBANS_QUANTILES];
    bbans_family family = {survival, NULL, OCTAVES, 0};
    size_t i;

    for (i = 0; i + 2 < CELLS; i++) {
        const size_t octave = i < 2048 ? 0 : (i - 2048) / 256;
        const double t =
            i < 2048 ? (double)i / 256
                     : (double)(8u << octave) *
                           (1 + (double)(i - 2048 - 256 * octave) / 256);

        survival[i] = (uint32_t)(2147483648.0 / (1 + t));
    }
    CHECK(bbans_family_quantiles(&family, quantile) == BBANS_OK);
    for (i = 1; i < BBANS_QUANTILES; i++) {
        const double t = 1024.0 / (double)i - 1;
        const double found = (double)quantile[i] / 65536;

        CHECK(found - t < (1 + t) / 1024 && t - found < (1 + t) / 1024);
    }
}

/* A pop of values of a family for which the message holds too little leaves it
 * as it was. */
static void check_underflow(void)
{
    enum { LONG = 600 };
    static int64_t at[LONG], value[LONG];
    static int32_t by[LONG];
    size_t i, lanes, words;
    bbans_distribution d;
    bbans_family family;

    CHECK(bbans_family_init(&family, BBANS_GAUSSIAN) == BBANS_OK);
    CHECK(bbans_distribution_init_location_scale(
              &d, &family, bbans_array_of(at, BBANS_I64),
              bbans_array_of(by, BBANS_I32)) == BBANS_OK);
    for (i = 0; i < LONG; i++) {
        at[i] = (int64_t)below(1u << 24);
        by[i] = (int32_t)below(3000);
    }
    for (lanes = 1; lanes <= LANES; lanes += LANES - 1)
        for (words = 0; words <= 60; words += 1 + below(9)) {
            owned m, before;

            random_message(&m, lanes, words);
            copy(&before, &m);
            CHECK(bbans_message_pop(&m.msg, &d, value, BBANS_I64, LONG) !=
                  BBANS_OK);
            CHECK(same(&m, &before));
        }
}

int main(void)
{
    check_counts();
    check_locations();
    check_quantiles();
    check_far_quantiles();
    check_underflow();
    check_inverses();
    check_refusals();
    check_range_codes();
    check_carries();
    check_range_refusals();
    check_weights();
    check_rounding();
    puts("test_values: ok");
    return 0;
}
