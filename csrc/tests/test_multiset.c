/* Sets and permutations against plain ones, on any message and of any values;
 * refusals.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

#define LANES_MAX 3

/* A message of `room` more words than it has: no array is larger than needed.
 */
static bbans_message message_of(size_t lanes, size_t words, size_t room)
{
    uint64_t *head = malloc(lanes * sizeof *head);
    uint32_t *tail = malloc((words + room + 1) * sizeof *tail);
    bbans_message msg;
    size_t i;

    CHECK(head != NULL && tail != NULL);
    CHECK(bbans_message_init(&msg, head, lanes, tail, words + room) ==
          BBANS_OK);
    msg.tail_len = words;
    for (i = 0; i < words; i++)
        tail[i] = (uint32_t)random_bits();
    for (i = 0; words > 0 && i < lanes; i++)
        head[i] = ((uint64_t)1 << 31 | random_bits() >> 33) << below(32);
    CHECK(bbans_message_check(&msg) == BBANS_OK);
    return msg;
}

static bbans_message copy_of(const bbans_message *from)
{
    bbans_message msg = message_of(from->lanes, 0, from->tail_cap);

    memcpy(msg.head, from->head, from->lanes * sizeof *msg.head);
    memcpy(msg.tail, from->tail, from->tail_len * sizeof *msg.tail);
    msg.tail_len = from->tail_len;
    return msg;
}

static int same(const bbans_message *a, const bbans_message *b)
{
    return a->tail_len == b->tail_len &&
           memcmp(a->head, b->head, a->lanes * sizeof *a->head) == 0 &&
           (a->tail_len == 0 ||
            memcmp(a->tail, b->tail, a->tail_len * sizeof *a->tail) == 0);
}

static void drop(bbans_message *msg)
{
    free(msg->head);
    free(msg->tail);
}

static int by_value(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* ---- Plain -------------------------------------------------------------- */

/* An interval of the first lane; the others get all slots. */
static void first_lane(size_t lanes, uint32_t *start, uint32_t *freq, size_t i,
                       size_t n, uint32_t total)
{
    size_t k;

    for (k = 0; k < lanes; k++) {
        start[k] = k == 0 ? (uint32_t)i : 0;
        freq[k] = k == 0 ? (uint32_t)n : total;
    }
}

/* docs/maths.md, "Sets", of values that are sorted in place. */
static bbans_status plain_push(bbans_message *msg, const bbans_distribution *d,
                               int64_t *value, size_t n)
{
    uint32_t slot[LANES_MAX], start[LANES_MAX], freq[LANES_MAX];
    bbans_status status = BBANS_OK;
    size_t k, first, last;
    int64_t v;

    qsort(value, n, sizeof *value, by_value);
    for (k = n; k > 0; k--) {
        CHECK(bbans_message_peek(msg, slot, (uint32_t)k) == BBANS_OK);
        v = value[slot[0]];
        for (first = slot[0]; first > 0 && value[first - 1] == v;)
            first--;
        for (last = slot[0]; last + 1 < k && value[last + 1] == v;)
            last++;
        first_lane(msg->lanes, start, freq, first, last + 1 - first,
                   (uint32_t)k);
        status = bbans_message_advance(msg, start, freq, (uint32_t)k);
        if (status != BBANS_OK)
            return status;
        memmove(value + last, value + last + 1, (k - last - 1) * sizeof v);
        CHECK(bbans_message_push(msg, d, &v, BBANS_I64, 1) == BBANS_OK);
    }
    return status;
}

/* ---- Values of all kinds ------------------------------------------------ */

static int64_t any_value(void)
{
    return (int64_t)random_bits();
}

static void fill(int64_t *value, size_t n, unsigned kind)
{
    const int64_t at = any_value() / 4;
    size_t i;

    for (i = 0; i < n; i++)
        switch (kind) {
        case 0: value[i] = any_value(); break;
        case 1: value[i] = at; break;
        case 2: value[i] = (int64_t)below(7) - 3; break;
        case 3: value[i] = at + (int64_t)i; break;
        case 4: value[i] = at - (int64_t)(i / 3); break;
        case 5: /* towards a point: each half as near as the one before it */
            value[i] = (int64_t)((uint64_t)INT64_MAX >> (i % 63));
            break;
        case 6: value[i] = below(2) ? INT64_MIN : INT64_MAX; break;
        default: /* few far apart, each with many beside it */
            value[i] = ((int64_t)below(4) << 60) + (int64_t)below(1000);
        }
}

#define KINDS 8

/* Into the message and back; the values as a sorted array. */
static void there_and_back(const bbans_message *start, int64_t *value, size_t n)
{
    const size_t work_bytes = bbans_multiset_work_bytes(n);
    bbans_message msg = copy_of(start), plain = copy_of(start);
    int64_t *back = malloc((n + 1) * sizeof *back);
    void *work = malloc(work_bytes);
    bbans_distribution d;
    bbans_status status;

    CHECK(back != NULL && work != NULL);
    CHECK(bbans_distribution_init_range(&d, INT64_MIN, INT64_MAX) == BBANS_OK);
    memcpy(back, value, n * sizeof *value);
    status =
        bbans_multiset_push(&msg, &d, value, BBANS_I64, n, work, work_bytes);
    CHECK(status == plain_push(&plain, &d, back, n));
    if (status == BBANS_OK) {
        CHECK(same(&msg, &plain));
        CHECK(bbans_multiset_pop(&msg, &d, back, BBANS_I64, n, work,
                                 work_bytes) == BBANS_OK);
        qsort(value, n, sizeof *value, by_value);
        CHECK(n == 0 || memcmp(back, value, n * sizeof *value) == 0);
        CHECK(same(&msg, start));
    } else {
        CHECK(status == BBANS_ERR_UNDERFLOW && msg.lanes > 1);
    }
    free(back);
    free(work);
    drop(&msg);
    drop(&plain);
}

static void test_against_plain(void)
{
    static const size_t sizes[] = {0, 1, 2, 3, 63, 64, 65, 129, 700, 3000};
    size_t i, lanes;
    unsigned kind;

    for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (kind = 0; kind < KINDS; kind++)
            for (lanes = 1; lanes <= LANES_MAX; lanes++) {
                const size_t n = sizes[i];
                bbans_message msg = message_of(
                    lanes, below(3) == 0 ? 0 : below(9), (3 + 1) * n + 9);
                int64_t *value = malloc((n + 1) * sizeof *value);

                CHECK(value != NULL);
                fill(value, n, kind);
                there_and_back(&msg, value, n);
                free(value);
                drop(&msg);
            }
}

/* Depth and memory stay within bounds whatever the order of the values, at
 * sizes that a plain list is too slow for. */
static void test_many(void)
{
    const size_t n = 40000, work_bytes = bbans_multiset_work_bytes(n);
    int64_t *value = malloc(n * sizeof *value),
            *back = malloc(n * sizeof *back);
    void *work = malloc(work_bytes);
    bbans_distribution d;
    unsigned kind;

    CHECK(value != NULL && back != NULL && work != NULL);
    CHECK(work_bytes <= 34 * n);
    CHECK(bbans_distribution_init_range(&d, INT64_MIN, INT64_MAX) == BBANS_OK);
    for (kind = 0; kind < KINDS; kind++) {
        bbans_message start = message_of(1, 5, 4 * n), msg = copy_of(&start);

        fill(value, n, kind);
        CHECK(bbans_multiset_push(&msg, &d, value, BBANS_I64, n, work,
                                  work_bytes) == BBANS_OK);
        CHECK(bbans_multiset_pop(&msg, &d, back, BBANS_I64, n, work,
                                 work_bytes) == BBANS_OK);
        CHECK(same(&msg, &start));
        qsort(value, n, sizeof *value, by_value);
        CHECK(memcmp(back, value, n * sizeof *value) == 0);
        drop(&start);
        drop(&msg);
    }
    free(value);
    free(back);
    free(work);
}

static void shuffle(int64_t *value, size_t n)
{
    for (; n > 1; n--) {
        const size_t j = below((uint32_t)n);
        const int64_t v = value[n - 1];

        value[n - 1] = value[j];
        value[j] = v;
    }
}

/* Any message is that of some set: popped from anything, and pushed again. */
static void test_hostile_messages(void)
{
    bbans_family gaussian;
    bbans_distribution d[4];
    const int64_t location = (int64_t)5 << 16;
    const int32_t scale = 256 * 20;
    const uint32_t weight[] = {5, 0, 3, 1};
    unsigned round;

    CHECK(bbans_family_init(&gaussian, BBANS_GAUSSIAN) == BBANS_OK);
    CHECK(bbans_distribution_init_range(d, 0, 1000) == BBANS_OK);
    CHECK(bbans_distribution_init_uniform(d + 1, 3) == BBANS_OK);
    CHECK(bbans_distribution_init_location_scale(
              d + 2, &gaussian, bbans_array_of(&location, BBANS_I64),
              bbans_array_of(&scale, BBANS_I32)) == BBANS_OK);
    CHECK(bbans_distribution_init_weighted(
              d + 3, bbans_array_of(weight, BBANS_U32), 4) == BBANS_OK);
    for (round = 0; round < 400; round++) {
        const bbans_distribution *law = d + round % 4;
        const size_t n = below(300), work_bytes = bbans_multiset_work_bytes(n);
        bbans_message start = message_of(1, below(60), 6 * n + 9);
        bbans_message msg = copy_of(&start);
        int64_t *value = malloc((n + 1) * sizeof *value);
        void *work = malloc(work_bytes);
        bbans_status status;
        size_t i;

        CHECK(value != NULL && work != NULL);
        status = bbans_multiset_pop(&msg, law, value, BBANS_I64, n, work,
                                    work_bytes);
        CHECK(bbans_message_check(&msg) == BBANS_OK);
        if (status == BBANS_OK) {
            for (i = 1; i < n; i++)
                CHECK(value[i - 1] <= value[i]);
            shuffle(value, n);
            CHECK(bbans_multiset_push(&msg, law, value, BBANS_I64, n, work,
                                      work_bytes) == BBANS_OK);
            CHECK(same(&msg, &start));
        } else { /* no value has the lowest slot of a Gaussian */
            CHECK(status == BBANS_ERR_SYMBOL && law == d + 2);
        }
        free(value);
        free(work);
        drop(&start);
        drop(&msg);
    }
}

static void test_types(void)
{
    const uint8_t symbols[] = {3, 0, 3, 1};
    uint8_t back[4];
    const uint64_t wide[] = {3, 0, 3, 1};
    bbans_message msg = message_of(1, 0, 64), other = message_of(1, 0, 64);
    bbans_distribution d;
    uint64_t work[1100 / 8];

    CHECK(bbans_multiset_work_bytes(4) <= sizeof work);
    CHECK(bbans_distribution_init_uniform(&d, 4) == BBANS_OK);
    CHECK(bbans_multiset_push(&msg, &d, symbols, BBANS_U8, 4, work,
                              sizeof work) == BBANS_OK);
    CHECK(bbans_multiset_push(&other, &d, wide, BBANS_U64, 4, work,
                              sizeof work) == BBANS_OK);
    CHECK(same(&msg, &other));
    CHECK(bbans_multiset_pop(&msg, &d, back, BBANS_U8, 4, work, sizeof work) ==
          BBANS_OK);
    CHECK(memcmp(back, "\0\1\3\3", 4) == 0);
    drop(&msg);
    drop(&other);
}

static void test_refusals(void)
{
    const int64_t value[] = {1, 2, 9};
    int64_t back[3];
    int8_t narrow[3];
    bbans_message msg = message_of(1, 3, 12), before = copy_of(&msg);
    bbans_distribution d, wide;
    uint64_t work[1100 / 8];

    CHECK(bbans_distribution_init_range(&d, 0, 5) == BBANS_OK);
    CHECK(bbans_distribution_init_uniform(&wide, 300) == BBANS_OK);
    CHECK(bbans_multiset_work_bytes((size_t)BBANS_TOTAL_MAX + 1) == 0);
    CHECK(bbans_multiset_push(NULL, &d, value, BBANS_I64, 3, work,
                              sizeof work) == BBANS_ERR_NULL);
    CHECK(bbans_multiset_push(&msg, NULL, value, BBANS_I64, 3, work,
                              sizeof work) == BBANS_ERR_NULL);
    CHECK(bbans_multiset_push(&msg, &d, NULL, BBANS_I64, 3, work,
                              sizeof work) == BBANS_ERR_NULL);
    CHECK(bbans_multiset_push(&msg, &d, value, BBANS_I64, 3, NULL, 0) ==
          BBANS_ERR_NULL);
    CHECK(bbans_multiset_push(&msg, &d, value, BBANS_U64, 3, work,
                              sizeof work) == BBANS_ERR_TYPE);
    CHECK(bbans_multiset_push(&msg, &d, value, BBANS_F64, 3, work,
                              sizeof work) == BBANS_ERR_TYPE);
    CHECK(bbans_multiset_push(&msg, &d, value, BBANS_I64,
                              (size_t)BBANS_TOTAL_MAX + 1, work,
                              sizeof work) == BBANS_ERR_SIZE);
    CHECK(bbans_multiset_push(&msg, &d, value, BBANS_I64, 3, work, 99) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_multiset_push(&msg, &d, value, BBANS_I64, 3, work,
                              sizeof work) == BBANS_ERR_SYMBOL);
    msg.tail_cap = msg.tail_len + 3;
    CHECK(bbans_multiset_push(&msg, &d, value, BBANS_I64, 2, work,
                              sizeof work) == BBANS_ERR_CAPACITY);
    CHECK(bbans_multiset_pop(&msg, &d, back, BBANS_I64, 2, work, sizeof work) ==
          BBANS_ERR_CAPACITY);
    msg.tail_cap = before.tail_cap;
    CHECK(bbans_multiset_pop(&msg, &d, back, BBANS_U64, 3, work, sizeof work) ==
          BBANS_ERR_TYPE);
    CHECK(bbans_multiset_pop(&msg, &wide, narrow, BBANS_I8, 3, work,
                             sizeof work) == BBANS_ERR_TYPE);
    CHECK(same(&msg, &before));
    CHECK(bbans_distribution_init_range(&d, 1000, 2000) == BBANS_OK);
    CHECK(bbans_multiset_pop(&msg, &d, narrow, BBANS_I8, 3, work,
                             sizeof work) == BBANS_ERR_SYMBOL);
    drop(&msg);
    drop(&before);
}

/* ---- Permutations ------------------------------------------------------- */

static void push_permutation(bbans_message *msg, const uint32_t *p, size_t n,
                             bbans_status expected)
{
    const size_t work_bytes = bbans_permutation_work_bytes(n);
    void *work = malloc(work_bytes + 1);

    CHECK(work != NULL && work_bytes == 8 * n);
    CHECK(bbans_permutation_push(msg, p, n, work, work_bytes) == expected);
    free(work);
}

static void test_permutations(void)
{
    size_t round, i;

    for (round = 0; round < 300; round++) {
        const size_t n = below(200), lanes = 1 + below(LANES_MAX);
        bbans_message start =
            message_of(lanes, lanes == 1 ? below(9) : 40, n + 1);
        bbans_message msg = copy_of(&start);
        uint32_t *p = malloc((n + 1) * sizeof *p);
        uint32_t *back = malloc((n + 1) * sizeof *back);
        uint8_t *seen = calloc(n + 1, 1);

        CHECK(p != NULL && back != NULL && seen != NULL);
        CHECK(bbans_permutation_pop(&msg, p, n) == BBANS_OK);
        for (i = 0; i < n; i++)
            CHECK(p[i] < n && !seen[p[i]]++);
        push_permutation(&msg, p, n, BBANS_OK);
        CHECK(same(&msg, &start));
        push_permutation(&msg, p, n, BBANS_OK);
        CHECK(bbans_permutation_pop(&msg, back, n) == BBANS_OK);
        CHECK(n == 0 || memcmp(back, p, n * sizeof *p) == 0);
        CHECK(same(&msg, &start));
        free(p);
        free(back);
        free(seen);
        drop(&start);
        drop(&msg);
    }
}

/* The definition: for i = 1 .. n - 1 a slot j of i + 1, then a[i] = a[j], and
 * a[j] = i. */
static void test_what_a_permutation_is(void)
{
    bbans_message start = message_of(1, 4, 12), msg = copy_of(&start);
    uint32_t plain[7], p[7], slot, one = 1, i;

    for (i = 0; i < 7; i++) {
        CHECK(bbans_message_peek(&start, &slot, i + 1) == BBANS_OK);
        CHECK(bbans_message_advance(&start, &slot, &one, i + 1) == BBANS_OK);
        plain[i] = plain[slot];
        plain[slot] = i;
    }
    CHECK(bbans_permutation_pop(&msg, p, 7) == BBANS_OK);
    CHECK(memcmp(p, plain, sizeof p) == 0 && same(&msg, &start));
    drop(&start);
    drop(&msg);
}

static void test_refused_permutations(void)
{
    static const uint32_t twice[] = {0, 2, 2}, beyond[] = {0, 1, 3};
    const uint32_t good[] = {2, 0, 1};
    bbans_message msg = message_of(1, 2, 8), before = copy_of(&msg);
    bbans_message dry = message_of(2, 0, 8);
    uint32_t p[60], work[6];

    push_permutation(&msg, twice, 3, BBANS_ERR_SYMBOL);
    push_permutation(&msg, beyond, 3, BBANS_ERR_SYMBOL);
    push_permutation(&msg, NULL, 3, BBANS_ERR_NULL);
    push_permutation(NULL, good, 3, BBANS_ERR_NULL);
    CHECK(bbans_permutation_work_bytes((size_t)BBANS_TOTAL_MAX + 1) == 0);
    CHECK(bbans_permutation_push(&msg, good, (size_t)BBANS_TOTAL_MAX + 1, work,
                                 sizeof work) == BBANS_ERR_SIZE);
    CHECK(bbans_permutation_push(&msg, good, 3, work, 23) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_permutation_push(&msg, good, 3, NULL, 24) == BBANS_ERR_NULL);
    CHECK(bbans_permutation_pop(&msg, p, (size_t)BBANS_TOTAL_MAX + 1) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_permutation_pop(&msg, NULL, 3) == BBANS_ERR_NULL);
    msg.tail_cap = msg.tail_len;
    CHECK(bbans_permutation_push(&msg, good, 3, work, sizeof work) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_permutation_pop(&msg, p, 3) == BBANS_ERR_CAPACITY);
    CHECK(same(&msg, &before));
    CHECK(bbans_permutation_pop(&dry, p, 60) == BBANS_ERR_UNDERFLOW);
    drop(&msg);
    drop(&before);
    drop(&dry);
}

/* ---- Stored bytes: two cases of tests/vectors/sets_v1.json --------------- */

static void start_at_one(bbans_message *msg)
{
    const uint8_t one = 1;

    CHECK(bbans_message_read(msg, &one, 1) == BBANS_OK);
}

static void expect_bytes(const bbans_message *msg, const uint8_t *expected,
                         size_t n)
{
    uint8_t bytes[64];
    size_t written;

    CHECK(bbans_message_write(msg, bytes, sizeof bytes, &written) == BBANS_OK);
    CHECK(written == n && memcmp(bytes, expected, n) == 0);
}

static void test_stored_bytes(void)
{
    static const int64_t value[] = {3,  -1, 3, -1, 1, 6,  -2, -3, -2, -3,
                                    -1, -2, 6, -2, 2, -1, -1, -3, 1,  1};
    static const uint8_t set[] = {0x4c, 0x55, 0xcd, 0x84, 0x56, 0x2e,
                                  0xae, 0x4b, 0x8e, 0x2e, 0xd0, 0x09};
    static const uint32_t order[] = {9, 11, 3, 7, 4, 5, 6, 12, 0, 10, 8, 1, 2};
    static const uint8_t permutation[] = {0xb9, 0x6a, 0x57, 0x3f, 0x02};
    const size_t n = sizeof value / sizeof *value;
    const size_t work_bytes = bbans_multiset_work_bytes(n);
    void *work = malloc(work_bytes);
    bbans_message msg = message_of(1, 0, 64);
    bbans_distribution law;

    CHECK(work != NULL);
    start_at_one(&msg);
    CHECK(bbans_distribution_init_range(&law, -3, 90) == BBANS_OK);
    CHECK(bbans_multiset_push(&msg, &law, value, BBANS_I64, n, work,
                              work_bytes) == BBANS_OK);
    expect_bytes(&msg, set, sizeof set);
    start_at_one(&msg);
    push_permutation(&msg, order, sizeof order / sizeof *order, BBANS_OK);
    expect_bytes(&msg, permutation, sizeof permutation);
    free(work);
    drop(&msg);
}

int main(void)
{
    test_stored_bytes();
    test_against_plain();
    test_many();
    test_hostile_messages();
    test_types();
    test_refusals();
    test_permutations();
    test_what_a_permutation_is();
    test_refused_permutations();
    puts("test_multiset: ok");
    return 0;
}
