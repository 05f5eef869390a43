/* Fuzz distributions: values under laws of any kind, on messages of any heads
 * and words.  What is pushed is popped, what is popped is pushed back, what is
 * refused changes nothing, intervals are those that a message codes, and all
 * instruction sets do the same.
 *
 * SPDX-License-Identifier: MIT */
#include "laws.h"

#define VALUES_MOST 20
#define LANES_MOST 20

const size_t fuzz_size_most = 500;

typedef struct {
    const fuzz_law *law;
    const int64_t *value;
    uint64_t digest;
} test;

static void digest(test *t, const void *data, size_t n)
{
    t->digest = fuzz_digest(t->digest, data, n);
}

/* The intervals, one after the other, are what a lane of its own pushes. */
static bbans_status list(test *t)
{
    const bbans_distribution *d = &t->law->distribution;
    const size_t n = t->law->n, cap = n * d->words;
    bbans_interval *interval = fuzz_memory(cap * sizeof *interval);
    size_t n_intervals = 0, counted = 0, at = n, i;
    const bbans_status status = bbans_distribution_list(
        d, t->value, BBANS_I64, n, interval, cap, &n_intervals, &at);

    CHECK(bbans_distribution_list(d, t->value, BBANS_I64, n, NULL, 0, &counted,
                                  &at) == status);
    digest(t, &status, sizeof status);
    if (status == BBANS_OK) {
        CHECK(counted == n_intervals && n_intervals <= cap);
        for (i = 0; i < n_intervals; i++)
            CHECK(interval[i].freq > 0 && interval[i].total > 0 &&
                  interval[i].start < interval[i].total &&
                  interval[i].freq <= interval[i].total - interval[i].start);
        digest(t, interval, n_intervals * sizeof *interval);
    } else {
        CHECK(at < n);
    }
    free(interval);
    return status;
}

/* A value has a mass if it can be coded. */
static void masses(test *t, bbans_status status)
{
    const size_t n = t->law->n;
    uint32_t *mantissa = fuzz_memory(4 * n);
    int32_t *exponent = fuzz_memory(4 * n);
    size_t i;

    if (bbans_distribution_masses(&t->law->distribution, t->value, BBANS_I64, n,
                                  mantissa, exponent) == BBANS_OK) {
        for (i = 0; status == BBANS_OK && i < n; i++)
            CHECK(mantissa[i] >> 31 == 1 && exponent[i] <= -31);
        digest(t, mantissa, 4 * n);
        digest(t, exponent, 4 * n);
    }
    free(mantissa);
    free(exponent);
}

static void push(test *t, fuzz_input *in, bbans_status listed)
{
    const bbans_distribution *d = &t->law->distribution;
    const size_t n = t->law->n, lanes = 1 + fuzz_below(in, LANES_MOST);
    fuzz_message m =
        fuzz_message_of(in, lanes, fuzz_below(in, 8), n * d->words + 1);
    int64_t *back = fuzz_memory(8 * n);
    const bbans_status status =
        bbans_message_push(&m.msg, d, t->value, BBANS_I64, n);

    CHECK((status == BBANS_OK) == (listed == BBANS_OK));
    CHECK(bbans_message_check(&m.msg) == BBANS_OK);
    if (status == BBANS_OK) {
        digest(t, m.msg.head, 8 * lanes);
        digest(t, m.msg.tail, 4 * m.msg.tail_len);
        CHECK(bbans_message_pop(&m.msg, d, back, BBANS_I64, n) == BBANS_OK);
        CHECK(fuzz_same(back, t->value, 8 * n));
    }
    CHECK(fuzz_is_kept(&m));
    fuzz_message_free(&m);
    free(back);
}

/* With less room: refused, or done. */
static void push_cramped(test *t, fuzz_input *in)
{
    const bbans_distribution *d = &t->law->distribution;
    fuzz_message m =
        fuzz_message_of(in, 1 + fuzz_below(in, LANES_MOST), 2,
                        fuzz_below(in, (uint32_t)(t->law->n * d->words) + 1));

    if (bbans_message_push(&m.msg, d, t->value, BBANS_I64, t->law->n) !=
        BBANS_OK)
        CHECK(fuzz_is_kept(&m));
    fuzz_message_free(&m);
}

static void pop(test *t, fuzz_input *in)
{
    static const int types[] = {BBANS_I64, BBANS_I64, BBANS_I32, BBANS_U16};
    const bbans_distribution *d = &t->law->distribution;
    const size_t n = t->law->n, lanes = 1 + fuzz_below(in, LANES_MOST);
    const int type = types[fuzz_below(in, 4)];
    fuzz_message m =
        fuzz_message_of(in, lanes, fuzz_below(in, 60), n * d->words + 1);
    uint8_t *back = fuzz_memory(bbans_type_bytes(type) * n);
    const bbans_status status = bbans_message_pop(&m.msg, d, back, type, n);

    digest(t, &status, sizeof status);
    CHECK(bbans_message_check(&m.msg) == BBANS_OK);
    if (status == BBANS_OK) {
        digest(t, back, bbans_type_bytes(type) * n);
        CHECK(bbans_message_push(&m.msg, d, back, type, n) == BBANS_OK);
    }
    CHECK(fuzz_is_kept(&m));
    fuzz_message_free(&m);
    free(back);
}

static void draw(test *t, fuzz_input *in)
{
    const bbans_distribution *d = &t->law->distribution;
    const size_t n = t->law->n;
    int64_t *value = fuzz_memory(8 * n);
    uint64_t *head = fuzz_memory(8 * n);
    uint32_t *tail = fuzz_memory(4 * (n * d->words + 1));
    const bbans_status status = bbans_public_draw(
        d, fuzz_bits(in, 8), fuzz_bits(in, 8), value, BBANS_I64, n, head, tail);

    digest(t, &status, sizeof status);
    if (status == BBANS_OK)
        digest(t, value, 8 * n);
    free(value);
    free(head);
    free(tail);
}

static uint64_t law_of(fuzz_input *in)
{
    const unsigned what = fuzz_below(in, 32);
    bbans_status status;
    fuzz_law law;
    int64_t *value;
    test t;

    fuzz_law_make(&law, in, fuzz_below(in, VALUES_MOST + 1));
    value = fuzz_law_values(&law, in);
    t.law = &law;
    t.value = value;
    t.digest = 0;
    status = list(&t);
    push(&t, in, status);
    if (what & 1)
        push_cramped(&t, in);
    if (what & 2)
        masses(&t, status);
    if (what & 4)
        draw(&t, in);
    pop(&t, in);
    free(value);
    fuzz_law_free(&law);
    return t.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_two_isas(law_of, data, size);
    return 0;
}
