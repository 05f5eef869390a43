/* Fuzz messages: intervals pushed and popped on any heads and words, messages
 * as bytes and of bytes, seeded ones, sets, permutations and uniform values.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "fuzz.h"

#define LANES_MOST 40
#define ROUNDS_MOST 6
#define VALUES_MOST 60

const size_t fuzz_size_most = 500;

static size_t take_lanes(fuzz_input *in)
{
    return fuzz_below(in, 2) ? 1 : 1 + fuzz_below(in, LANES_MOST);
}

static uint32_t take_total(fuzz_input *in)
{
    const uint32_t total = 1 + fuzz_below(in, BBANS_TOTAL_MAX);

    return fuzz_below(in, 2) ? total : (uint32_t)1 << total % 29;
}

/* Intervals of a total, for each lane; one in a while is none. */
typedef struct {
    uint32_t total, start[LANES_MOST], freq[LANES_MOST];
    int valid;
} intervals;

static intervals take_intervals(fuzz_input *in, size_t lanes)
{
    intervals v;
    size_t i;

    v.total = take_total(in);
    v.valid = 1;
    for (i = 0; i < lanes; i++) {
        v.start[i] = fuzz_below(in, v.total);
        v.freq[i] = 1 + fuzz_below(in, v.total - v.start[i]);
    }
    if (fuzz_below(in, 16) == 1) {
        i = fuzz_below(in, (uint32_t)lanes);
        v.start[i] = (uint32_t)fuzz_bits(in, 4);
        v.freq[i] = (uint32_t)fuzz_bits(in, 4);
        v.valid = v.freq[i] > 0 && v.start[i] < v.total &&
                  v.freq[i] <= v.total - v.start[i];
    }
    return v;
}

/* Push some, then pop them; then pop what no one pushed, and push it back. */
static uint64_t push_and_pop(fuzz_input *in)
{
    const size_t lanes = take_lanes(in),
                 rounds = 1 + fuzz_below(in, ROUNDS_MOST);
    const int cramped = fuzz_below(in, 8) == 1;
    fuzz_message m =
        fuzz_message_of(in, lanes, fuzz_below(in, 20), lanes * (rounds + 1));
    const size_t cap = m.msg.tail_cap;
    intervals v[ROUNDS_MOST];
    uint32_t slot[LANES_MOST];
    uint64_t digest = 0;
    size_t pushed, i, k;

    if (cramped)
        m.msg.tail_cap = m.msg.tail_len + lanes;
    for (pushed = 0; pushed < rounds; pushed++) {
        bbans_status status;

        v[pushed] = take_intervals(in, lanes);
        digest = fuzz_digest(digest, m.msg.head, 8 * lanes);
        status = bbans_message_push_intervals(&m.msg, v[pushed].start,
                                              v[pushed].freq, v[pushed].total);
        CHECK(v[pushed].valid ? status == BBANS_OK ||
                                    (cramped && status == BBANS_ERR_CAPACITY)
                              : status == BBANS_ERR_INTERVAL ||
                                    status == BBANS_ERR_CAPACITY);
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        if (status != BBANS_OK)
            break;
    }
    m.msg.tail_cap = cap;
    for (k = pushed; k-- > 0;) {
        CHECK(bbans_message_peek(&m.msg, slot, v[k].total) == BBANS_OK);
        for (i = 0; i < lanes; i++)
            CHECK(slot[i] >= v[k].start[i] &&
                  slot[i] - v[k].start[i] < v[k].freq[i]);
        CHECK(bbans_message_advance(&m.msg, v[k].start, v[k].freq,
                                    v[k].total) == BBANS_OK);
    }
    CHECK(fuzz_is_kept(&m));
    v[0] = take_intervals(in, lanes);
    CHECK(bbans_message_peek(&m.msg, slot, v[0].total) == BBANS_OK);
    if (fuzz_below(in, 4) > 0)
        for (i = 0; i < lanes; i++)
            if (slot[i] < v[0].start[i] ||
                slot[i] - v[0].start[i] >= v[0].freq[i])
                v[0].start[i] = slot[i], v[0].freq[i] = 1;
    if (bbans_message_advance(&m.msg, v[0].start, v[0].freq, v[0].total) ==
        BBANS_OK) {
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        CHECK(bbans_message_push_intervals(&m.msg, v[0].start, v[0].freq,
                                           v[0].total) == BBANS_OK);
    }
    CHECK(fuzz_is_kept(&m));
    fuzz_message_free(&m);
    return digest;
}

/* What is read is written again, to the byte. */
static uint64_t bytes_of(fuzz_input *in)
{
    const size_t lanes = take_lanes(in), n = in->left;
    fuzz_input none = fuzz_begin(NULL, 0);
    fuzz_message m = fuzz_message_of(&none, lanes, 0, n / 4);
    uint8_t *bytes = fuzz_copy(in->at, n), *again = fuzz_memory(n);
    const bbans_status status = bbans_message_read(&m.msg, bytes, n);
    size_t n_again;

    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
    if (status == BBANS_OK) {
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        CHECK(bbans_message_size(&m.msg, &n_again) == BBANS_OK && n_again == n);
        CHECK(bbans_message_write(&m.msg, again, n, &n_again) == BBANS_OK);
        CHECK(n_again == n && fuzz_same(again, bytes, n));
    }
    fuzz_message_free(&m);
    free(bytes);
    free(again);
    return 0;
}

static void write_and_read(const fuzz_message *m)
{
    fuzz_message other;
    fuzz_input none = fuzz_begin(NULL, 0);
    uint8_t *bytes;
    size_t n;

    CHECK(bbans_message_size(&m->msg, &n) == BBANS_OK);
    bytes = fuzz_memory(n);
    CHECK(bbans_message_write(&m->msg, bytes, n, &n) == BBANS_OK);
    other = fuzz_message_of(&none, m->msg.lanes, 0, n / 4);
    CHECK(bbans_message_read(&other.msg, bytes, n) == BBANS_OK);
    CHECK(other.msg.tail_len == m->msg.tail_len);
    CHECK(fuzz_same(other.msg.tail, m->msg.tail, 4 * m->msg.tail_len));
    CHECK(fuzz_same(other.msg.head, m->msg.head, 8 * m->msg.lanes));
    fuzz_message_free(&other);
    free(bytes);
}

/* Data come back from what was seeded with them; and what gives data is seeded
 * from them. */
static uint64_t seeded(fuzz_input *in)
{
    const size_t lanes = take_lanes(in);
    fuzz_message m = fuzz_message_of(in, lanes, fuzz_below(in, 9), 0), other;
    fuzz_input none = fuzz_begin(NULL, 0);
    const size_t n = in->left, cap = 4 * m.msg.tail_len + 8 * lanes;
    uint8_t *bytes = fuzz_copy(in->at, n), *back = fuzz_memory(cap + n);
    size_t n_back;
    bbans_status status;

    write_and_read(&m);
    status = bbans_message_unseed(&m.msg, back, cap, &n_back);
    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
    if (status == BBANS_OK) {
        other = fuzz_message_of(&none, lanes, 0, n_back / 4 + 1);
        CHECK(bbans_message_seed(&other.msg, back, n_back) == BBANS_OK);
        CHECK(other.msg.tail_len == m.msg.tail_len);
        CHECK(fuzz_same(other.msg.tail, m.msg.tail, 4 * m.msg.tail_len));
        CHECK(fuzz_same(other.msg.head, m.msg.head, 8 * lanes));
        fuzz_message_free(&other);
    }
    fuzz_message_free(&m);
    m = fuzz_message_of(&none, lanes, 0, n / 4 + 1);
    status = bbans_message_seed(&m.msg, bytes, n);
    CHECK((status == BBANS_ERR_UNDERFLOW) == (4 * n < 31 * lanes));
    if (status == BBANS_OK) {
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        CHECK(bbans_message_unseed(&m.msg, back, n, &n_back) == BBANS_OK);
        CHECK(n_back == n && fuzz_same(back, bytes, n));
    }
    fuzz_message_free(&m);
    free(bytes);
    free(back);
    return 0;
}

static int compare(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

/* Values in any order come back rising, an order as it was. */
static uint64_t sets(fuzz_input *in)
{
    const size_t lanes = take_lanes(in), n = fuzz_below(in, VALUES_MOST);
    const uint32_t total = take_total(in);
    const size_t set_bytes = bbans_multiset_work_bytes(n);
    const size_t order_bytes = bbans_permutation_work_bytes(n);
    fuzz_message m = fuzz_message_of(in, lanes, fuzz_below(in, 30), 2 * n + 2);
    uint32_t *value = fuzz_memory(4 * n), *back = fuzz_memory(4 * n);
    uint32_t *sorted;
    void *work = fuzz_memory(set_bytes);
    void *order_work = fuzz_memory(order_bytes);
    bbans_distribution uniform;
    bbans_status status;
    uint64_t digest = 0;
    size_t i;

    CHECK(bbans_distribution_init_uniform(&uniform, total) == BBANS_OK);
    for (i = 0; i < n; i++)
        value[i] =
            fuzz_below(in, total < 9 ? total : fuzz_below(in, total) + 1);
    sorted = fuzz_copy(value, 4 * n);
    qsort(sorted, n, 4, compare);
    status = bbans_multiset_push(&m.msg, &uniform, value, BBANS_U32, n, work,
                                 set_bytes);
    if (status == BBANS_OK) {
        digest = fuzz_digest(digest, m.msg.head, 8 * lanes);
        CHECK(bbans_multiset_pop(&m.msg, &uniform, back, BBANS_U32, n, work,
                                 set_bytes) == BBANS_OK);
        CHECK(fuzz_same(back, sorted, 4 * n));
        CHECK(fuzz_is_kept(&m));
        for (i = 0; i < n; i++)
            value[i] = (uint32_t)i;
        for (i = n; i > 1; i--) {
            const size_t other = fuzz_below(in, (uint32_t)i);
            const uint32_t v = value[other];

            value[other] = value[i - 1];
            value[i - 1] = v;
        }
        if (n > 0 && fuzz_below(in, 8) == 1)
            value[0] = fuzz_below(in, (uint32_t)n + 2);
        status =
            bbans_permutation_push(&m.msg, value, n, order_work, order_bytes);
        CHECK(status == BBANS_OK || status == BBANS_ERR_SYMBOL);
        if (status == BBANS_OK) {
            CHECK(bbans_permutation_pop(&m.msg, back, n) == BBANS_OK);
            CHECK(fuzz_same(back, value, 4 * n));
        }
        CHECK(fuzz_is_kept(&m));
    } else {
        CHECK(status == BBANS_ERR_UNDERFLOW && lanes > 1);
    }
    fuzz_message_free(&m);
    free(value);
    free(back);
    free(sorted);
    free(work);
    free(order_work);
    return digest;
}

/* What the first byte says. */
static uint64_t one_of_all(fuzz_input *in)
{
    static const fuzz_test tests[] = {push_and_pop, bytes_of, seeded, sets};

    return tests[fuzz_below(in, 4)](in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_two_isas(one_of_all, data, size);
    return 0;
}
