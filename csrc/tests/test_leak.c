/* Laws without a leak: whatever the message, a pop gives a value that has a
 * mass, and a push refuses the others.  And messages that start from data.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

#define LANES 6
#define N 40
#define K 3
#define CAP (400 + 10 * N)

typedef struct {
    bbans_message msg;
    uint64_t head[LANES];
    uint32_t tail[CAP];
} owned;

static void copy(owned *to, const owned *from)
{
    *to = *from;
    to->msg.head = to->head;
    to->msg.tail = to->tail;
}

static int same(const owned *a, const owned *b)
{
    return a->msg.tail_len == b->msg.tail_len &&
           memcmp(a->head, b->head, a->msg.lanes * sizeof *a->head) == 0 &&
           memcmp(a->tail, b->tail, a->msg.tail_len * sizeof *a->tail) == 0;
}

/* With runs of the first and of the last slot among the random ones. */
static void random_message(owned *m, size_t lanes)
{
    size_t i;

    CHECK(bbans_message_init(&m->msg, m->head, lanes, m->tail, CAP) ==
          BBANS_OK);
    m->msg.tail_len = 400;
    for (i = 0; i < 400; i++)
        m->tail[i] =
            i % 3 ? (uint32_t)random_bits() : (uint32_t) - (int)below(2);
    for (i = 0; i < lanes; i++) {
        const unsigned top = 31 + below(32);
        const uint64_t mask = ((uint64_t)1 << top) - 1;
        const uint64_t kinds[] = {random_bits() & mask, 0, mask};

        m->head[i] = ((uint64_t)1 << top) | kinds[below(3)];
    }
    CHECK(bbans_message_check(&m->msg) == BBANS_OK);
}

/* ---- Laws ---------------------------------------------------------------- */

/* Heavy: all of the mass beyond 4 scales lies in the last cell, before 2^16. */
static uint32_t heavy_survival[2050 + 256 * BBANS_OCTAVES_MAX];
static uint32_t heavy_quantile[BBANS_QUANTILES];

static void make_heavy(bbans_family *family)
{
    const size_t size = sizeof heavy_survival / sizeof *heavy_survival;
    size_t i;

    for (i = 0; i < size - 2; i++)
        heavy_survival[i] = ((uint32_t)1 << 28) +
                            (i < 1024 ? (uint32_t)(1024 - i) * 1835008 : 0);
    heavy_survival[0] = (uint32_t)1 << 31;
    memset(family, 0, sizeof *family);
    family->survival = heavy_survival;
    family->octaves = BBANS_OCTAVES_MAX;
    CHECK(bbans_family_quantiles(family, heavy_quantile) == BBANS_OK);
}

typedef struct {
    bbans_family family;
    size_t components; /* 0: values under a family, not a mixture */
    int64_t at[N * K], low, high;
    int32_t by[N * K];
    uint32_t weight[N * K];
    double scales; /* beyond which a component has no mass */
} law;

static law random_law(void)
{
    /* S < 2^-32, and a bin of a 16th of the distance more. */
    static const double scales[] = {7.0, 24.0, 24.0, 65536.0};
    const unsigned kind = below(4);
    law l;
    size_t i;

    memset(&l, 0, sizeof l);
    if (kind < 3)
        CHECK(bbans_family_init(&l.family, (int)kind) == BBANS_OK);
    else
        make_heavy(&l.family);
    l.family.leakless = 1;
    l.scales = scales[kind];
    l.components = below(K + 1);
    l.low = INT64_MIN;
    l.high = INT64_MAX;
    for (i = 0; i < N * K; i++) {
        const int64_t edge = ((int64_t)1 << 62) - 1;

        l.at[i] = (int64_t)(random_bits() >> 2) >> below(62);
        l.at[i] = below(16) == 0 ? edge : l.at[i];
        l.at[i] = below(2) ? -l.at[i] : l.at[i];
        l.by[i] =
            below(2) ? (int32_t)below(2800) - 256
                     : BBANS_SCALE_MAX - (int32_t)below(below(2) ? 700 : 15104);
        /* Light ones could share a stretch, uniform from one to the other. */
        l.weight[i] = 1 + below(1000);
    }
    return l;
}

static bbans_distribution distribution_of(const law *l)
{
    bbans_distribution d;

    CHECK((l->components == 0
               ? bbans_distribution_init_location_scale(
                     &d, &l->family, bbans_array_of(l->at, BBANS_I64),
                     bbans_array_of(l->by, BBANS_I32))
               : bbans_distribution_init_mixture(
                     &d, &l->family, l->components,
                     bbans_array_of(l->weight, BBANS_U32),
                     bbans_array_of(l->at, BBANS_I64),
                     bbans_array_of(l->by, BBANS_I32), l->low, l->high)) ==
          BBANS_OK);
    return d;
}

static bbans_status push(const law *l, bbans_message *msg, const int64_t *value,
                         size_t n)
{
    const bbans_distribution d = distribution_of(l);

    return bbans_message_push(msg, &d, value, BBANS_I64, n);
}

static bbans_status pop(const law *l, bbans_message *msg, int64_t *value,
                        size_t n)
{
    const bbans_distribution d = distribution_of(l);

    return bbans_message_pop(msg, &d, value, BBANS_I64, n);
}

static double scale_of(int32_t by)
{
    double scale = 1.0;
    int32_t i;

    for (i = by; i >= 256; i -= 256)
        scale *= 2.0;
    for (; i < 0; i += 256)
        scale /= 2.0;
    return 2.0 * scale; /* at most */
}

/* Whether the value is about where one of its components has a mass. */
static int is_near(const law *l, size_t i, int64_t value)
{
    const size_t n = l->components == 0 ? 1 : l->components;
    size_t k;

    for (k = i * n; k < (i + 1) * n; k++) {
        const double off = (double)value - (double)l->at[k] / 65536.0;
        const double reach = 2.0 + 1.0625 * l->scales * scale_of(l->by[k]) *
                                       (l->components ? 2 : 1);

        if (off < reach && off > -reach)
            return 1;
    }
    return 0;
}

static void check_pops(void)
{
    owned m, before;
    int64_t value[N], again[N];
    unsigned round;
    size_t i;

    for (round = 0; round < SOME(4000); round++) {
        const law l = random_law();
        const size_t lanes = 1 + below(LANES);

        bbans_isa_use((int)below(3));
        random_message(&m, lanes);
        copy(&before, &m);
        CHECK(pop(&l, &m.msg, value, N) == BBANS_OK);
        for (i = 0; i < N; i++)
            CHECK(is_near(&l, i, value[i]));
        CHECK(push(&l, &m.msg, value, N) == BBANS_OK);
        CHECK(same(&m, &before));
        CHECK(push(&l, &m.msg, value, N) == BBANS_OK);
        CHECK(pop(&l, &m.msg, again, N) == BBANS_OK);
        CHECK(memcmp(value, again, sizeof value) == 0);
        CHECK(same(&m, &before));
    }
}

/* One value in the way of being far out. */
static void check_refusals(void)
{
    owned m, before;
    int64_t value[N];
    unsigned round, refused = 0;

    for (round = 0; round < SOME(4000); round++) {
        const law l = random_law();
        const size_t lanes = 1 + below(LANES), bad = below(N);
        bbans_status status;
        int64_t far;

        bbans_isa_use((int)below(3));
        random_message(&m, lanes);
        CHECK(pop(&l, &m.msg, value, N) == BBANS_OK);
        copy(&before, &m);
        far = (int64_t)(random_bits() >> 2) >> below(62);
        value[bad] += value[bad] < 0 ? far : -far; /* never beyond 64 bits */
        status = push(&l, &m.msg, value, N);
        CHECK(is_near(&l, bad, value[bad]) || status == BBANS_ERR_SYMBOL);
        if (status == BBANS_OK) {
            int64_t popped[N];

            CHECK(pop(&l, &m.msg, popped, N) == BBANS_OK);
            CHECK(memcmp(value, popped, sizeof value) == 0);
        } else {
            CHECK(status == BBANS_ERR_SYMBOL);
            refused++;
        }
        CHECK(same(&m, &before));
    }
    CHECK(refused > SOME(1000) && refused < SOME(4000));
}

/* Every slot of a law, as spans: they partition all, and none is empty. */
static void check_spans(void)
{
    bbans_family family;
    unsigned prec, round;

    for (round = 0; round < SOME(300); round++) {
        const law l = random_law();
        uint32_t slot = 0, n_spans = 0;

        family = l.family;
        prec = 24 + below(5);
        if (l.at[0] <= -((int64_t)1 << 46) || l.at[0] >= (int64_t)1 << 46)
            continue;
        while (slot >> prec == 0 && n_spans++ < 20000) {
            uint32_t start, freq, again, width;
            int64_t first, sign;
            uint64_t low;
            unsigned bits, low_bits;

            CHECK(bbans_family_find(&family, l.at[0], l.by[0], prec, slot,
                                    &start, &freq, &first, &sign,
                                    &bits) == BBANS_OK);
            CHECK(start == slot && freq > 0);
            CHECK(is_near(&l, 0, first) || l.components > 1);
            CHECK(bbans_family_span(&family, l.at[0], l.by[0], prec, first,
                                    &again, &width, &low,
                                    &low_bits) == BBANS_OK);
            CHECK(again == start && width == freq && low == 0 &&
                  low_bits == bits);
            slot += freq;
        }
        CHECK(slot == (uint32_t)1 << prec);
    }
}

/* ---- Messages that start from data --------------------------------------- */

static void check_seeds(void)
{
    uint8_t bytes[600], back[600];
    uint64_t ones[LANES], zeros[LANES];
    owned m, before;
    size_t i, k, n, size;

    for (i = 0; i < 2000; i++) {
        const size_t lanes = 1 + below(LANES), least = (31 * lanes + 3) / 4;
        const law l = random_law();
        int64_t value[N];

        n = least + below(below(2) ? 5 : 500);
        for (k = 0; k < n; k++)
            bytes[k] = i == 0 ? 0 : (uint8_t)random_bits();
        CHECK(bbans_message_init(&m.msg, m.head, lanes, m.tail, CAP) ==
              BBANS_OK);
        CHECK(bbans_message_seed(&m.msg, bytes, least - 1) ==
              BBANS_ERR_UNDERFLOW);
        m.msg.tail_cap = (8 * n - 62 * lanes) / 32;
        CHECK(bbans_message_seed(&m.msg, bytes, n) == BBANS_ERR_CAPACITY);
        m.msg.tail_cap++;
        CHECK(m.msg.tail_cap <= n / 4 + 1);
        CHECK(bbans_message_seed(&m.msg, bytes, n) == BBANS_OK);
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        CHECK(m.msg.tail_len == m.msg.tail_cap);
        m.msg.tail_cap = CAP;
        copy(&before, &m);
        CHECK(bbans_message_unseed(&m.msg, back, n - 1, &size) ==
                  BBANS_ERR_CAPACITY &&
              size == n);
        CHECK(bbans_message_unseed(&m.msg, back, n, &size) == BBANS_OK);
        CHECK(size == n && memcmp(bytes, back, n) == 0 && same(&m, &before));
        /* Under a few values the same data come back. */
        if (pop(&l, &m.msg, value, 3) == BBANS_OK)
            CHECK(push(&l, &m.msg, value, 3) == BBANS_OK);
        CHECK(same(&m, &before));
        /* Only what a seed makes is taken for one. */
        m.tail[0] = 0;
        CHECK(bbans_message_unseed(&m.msg, back, n, &size) ==
              BBANS_ERR_CORRUPT);
        m.tail[0] = before.tail[0] == 1 ? 2 : before.tail[0] / 2;
        CHECK(bbans_message_unseed(&m.msg, back, n, &size) ==
              BBANS_ERR_CORRUPT);
        copy(&m, &before);
        m.head[below((uint32_t)lanes)] >>= 1;
        CHECK(bbans_message_unseed(&m.msg, back, n, &size) ==
              BBANS_ERR_CORRUPT);
        m.msg.tail_len = 0;
        CHECK(bbans_message_unseed(&m.msg, back, n, &size) ==
              BBANS_ERR_CORRUPT);
    }
    /* Every bit of a head but its first is one of the data. */
    memset(bytes, 0xFF, sizeof bytes);
    CHECK(bbans_message_init(&m.msg, ones, LANES, m.tail, CAP) == BBANS_OK);
    CHECK(bbans_message_seed(&m.msg, bytes, 60) == BBANS_OK);
    memset(bytes, 0, sizeof bytes);
    m.msg.head = zeros;
    CHECK(bbans_message_seed(&m.msg, bytes, 60) == BBANS_OK);
    for (i = 0; i < LANES; i++)
        CHECK(ones[i] == ((uint64_t)1 << 63) - 1 && zeros[i] == (uint64_t)1
                                                                    << 62);
    CHECK(bbans_message_seed(NULL, bytes, 60) == BBANS_ERR_NULL);
    CHECK(bbans_message_seed(&m.msg, NULL, 60) == BBANS_ERR_NULL);
    CHECK(bbans_message_unseed(NULL, bytes, 60, &n) == BBANS_ERR_NULL);
    CHECK(bbans_message_unseed(&m.msg, bytes, 60, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_message_unseed(&m.msg, NULL, 60, &n) == BBANS_ERR_NULL);
    m.msg.lanes = 0;
    CHECK(bbans_message_seed(&m.msg, bytes, 60) == BBANS_ERR_STATE);
}

int main(void)
{
    check_pops();
    check_refusals();
    check_spans();
    check_seeds();
    puts("test_leak: ok");
    return 0;
}
