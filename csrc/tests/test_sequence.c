/* Range coder and HMM sequences: round trips under hostile models, the same
 * bytes for every workspace, and damage that is never fatal.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"
#include "costs.h"

#include <math.h>
#include <string.h>

static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    CHECK(memory != NULL);
    return memory;
}

static void test_range_coder(void)
{
    int trial;

    for (trial = 0; trial < 20000; trial++) {
        const size_t n = below(40);
        uint32_t start[40], freq[40], total[40];
        uint8_t scratch[200];
        uint32_t tail[64];
        uint64_t head;
        bbans_message msg;
        bbans_range_encoder enc;
        bbans_range_decoder dec;
        size_t i;

        CHECK(bbans_message_init(&msg, &head, 1, tail, 64) == BBANS_OK);
        CHECK(bbans_range_encoder_init(&enc, scratch, sizeof scratch) ==
              BBANS_OK);
        for (i = 0; i < n; i++) {
            total[i] = 1 + below(1u << (1 + below(28)));
            start[i] = below(total[i]);
            freq[i] =
                below(2) ? total[i] - start[i] : 1 + below(total[i] - start[i]);
            CHECK(bbans_range_encode_interval(&enc, start[i], freq[i],
                                              total[i]) == BBANS_OK);
        }
        CHECK(bbans_range_finish(&enc, &msg) == BBANS_OK);
        CHECK(bbans_message_check(&msg) == BBANS_OK);
        CHECK(bbans_range_decoder_init(&dec, &msg) == BBANS_OK);
        for (i = 0; i < n; i++) {
            uint32_t slot;

            CHECK(bbans_range_slot(&dec, total[i], &slot) == BBANS_OK);
            CHECK(slot - start[i] < freq[i]);
            CHECK(bbans_range_advance(&dec, start[i], freq[i], total[i]) ==
                  BBANS_OK);
        }
        CHECK(bbans_range_check(&dec) == BBANS_OK);
    }
}

/* The largest fraction is in what the division of the range by N leaves over,
 * unless N is a power of two; the smallest is in the first slot. */
static void test_ends_of_the_range(void)
{
    static const uint32_t totals[] = {
        1, 2, 3, 5, 7, 640, 65535, 1u << 28, (1u << 28) - 1};
    uint32_t tail[2] = {UINT32_MAX, UINT32_MAX}, slot = 99;
    uint64_t head = ((uint64_t)1 << 63) - 1;
    bbans_range_decoder dec, before;
    bbans_message msg;
    size_t i;

    CHECK(bbans_message_init(&msg, &head, 1, tail, 2) == BBANS_OK);
    msg.tail_len = 2;
    CHECK(bbans_range_decoder_init(&dec, &msg) == BBANS_OK);
    before = dec;
    for (i = 0; i < sizeof totals / sizeof *totals; i++) {
        const uint32_t total = totals[i];
        const int coded = (total & (total - 1)) == 0;

        CHECK(bbans_range_slot(&dec, total, &slot) ==
              (coded ? BBANS_OK : BBANS_ERR_CORRUPT));
        CHECK(!coded || slot == total - 1);
        if (!coded)
            CHECK(bbans_range_advance(&dec, total - 1, 1, total) ==
                  BBANS_ERR_INTERVAL);
        if (total > 1)
            CHECK(bbans_range_advance(&dec, 0, total - 1, total) ==
                  BBANS_ERR_INTERVAL);
        CHECK(memcmp(&dec, &before, sizeof dec) == 0);
    }
    CHECK(bbans_range_slot(&dec, 0, &slot) == BBANS_ERR_TOTAL);
    CHECK(bbans_range_slot(&dec, (1u << 28) + 1, &slot) == BBANS_ERR_TOTAL);
    CHECK(bbans_range_advance(&dec, 0, 1, 0) == BBANS_ERR_TOTAL);
    CHECK(bbans_range_advance(&dec, 0, 0, 2) == BBANS_ERR_INTERVAL);
    CHECK(bbans_range_advance(&dec, 1, 2, 2) == BBANS_ERR_INTERVAL);
    CHECK(bbans_range_slot(NULL, 2, &slot) == BBANS_ERR_NULL);
    CHECK(bbans_range_slot(&dec, 2, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_range_advance(NULL, 0, 1, 2) == BBANS_ERR_NULL);
    CHECK(bbans_range_check(NULL) == BBANS_ERR_NULL);
    CHECK(bbans_range_decoder_init(NULL, &msg) == BBANS_ERR_NULL);
    CHECK(bbans_range_decoder_init(&dec, NULL) == BBANS_ERR_NULL);
    msg.lanes = 2;
    CHECK(bbans_range_decoder_init(&dec, &msg) == BBANS_ERR_STATE);
    msg.lanes = 1;
    head = 0;
    msg.tail_len = 0;
    CHECK(bbans_range_decoder_init(&dec, &msg) == BBANS_ERR_CORRUPT);
    head = 1; /* the empty fraction */
    CHECK(bbans_range_decoder_init(&dec, &msg) == BBANS_OK);
    for (i = 0; i < sizeof totals / sizeof *totals; i++)
        CHECK(bbans_range_slot(&dec, totals[i], &slot) == BBANS_OK &&
              slot == 0);
    CHECK(bbans_range_check(&dec) == BBANS_OK);
}

static void test_range_refusals(void)
{
    uint8_t scratch[8];
    uint32_t tail[4];
    uint64_t head;
    bbans_range_encoder enc, before;
    bbans_message msg;
    int i;

    CHECK(bbans_message_init(&msg, &head, 1, tail, 4) == BBANS_OK);
    CHECK(bbans_range_encoder_init(NULL, scratch, 8) == BBANS_ERR_NULL);
    CHECK(bbans_range_encoder_init(&enc, NULL, 8) == BBANS_ERR_NULL);
    CHECK(bbans_range_encoder_init(&enc, scratch, 8) == BBANS_OK);
    before = enc;
    CHECK(bbans_range_encode_interval(NULL, 0, 1, 2) == BBANS_ERR_NULL);
    CHECK(bbans_range_encode_interval(&enc, 0, 1, 0) == BBANS_ERR_TOTAL);
    CHECK(bbans_range_encode_interval(&enc, 0, 1, BBANS_TOTAL_MAX + 1) ==
          BBANS_ERR_TOTAL);
    CHECK(bbans_range_encode_interval(&enc, 0, 0, 2) == BBANS_ERR_INTERVAL);
    CHECK(bbans_range_encode_interval(&enc, 1, 2, 2) == BBANS_ERR_INTERVAL);
    CHECK(bbans_range_encode_interval(&enc, 2, 1, 2) == BBANS_ERR_INTERVAL);
    CHECK(bbans_range_encode_interval(&enc, UINT32_MAX, 2, 2) ==
          BBANS_ERR_INTERVAL);
    CHECK(memcmp(&enc, &before, sizeof enc) == 0);
    /* Of 28 bits each; 4 bytes may be written as long as they have room. */
    for (i = 0; enc.cap - enc.len >= 4; i++)
        CHECK(bbans_range_encode_interval(&enc, 5, 1, BBANS_TOTAL_MAX) ==
              BBANS_OK);
    CHECK(i == 2);
    before = enc;
    CHECK(bbans_range_encode_interval(&enc, 5, 1, BBANS_TOTAL_MAX) ==
          BBANS_ERR_CAPACITY);
    CHECK(memcmp(&enc, &before, sizeof enc) == 0);
}

static void random_row(uint32_t *mass, size_t n, unsigned prec)
{
    uint32_t spare = ((uint32_t)1 << prec) - (uint32_t)n;
    const uint32_t kind = below(3); /* peaked, flat, anything */
    size_t k;

    for (k = 0; k < n; k++) {
        const uint32_t more = kind == 0 ? 0
                              : kind == 1
                                  ? spare / (uint32_t)(n - k)
                                  : below(spare / (uint32_t)(n - k) * 2 + 1);

        mass[k] = 1 + (more < spare ? more : spare);
        spare -= mass[k] - 1;
    }
    mass[below((uint32_t)n)] += spare;
}

/* -log2 of what the predictive distribution gives each symbol, to a unit. */
static void test_costs(bbans_hmm *hmm, const uint32_t *x, size_t n)
{
    const size_t work_bytes = bbans_sequence_costs_bytes(&hmm->space);
    uint32_t *predicted = allocate(4 * hmm->stride), start, freq;
    uint32_t found, first, width;
    uint32_t *filtered = allocate(4 * hmm->stride);
    uint64_t *cost = allocate((n + 1) * sizeof *cost);
    void *work = allocate(work_bytes);
    size_t t;

    check_costs(&hmm->space, x, n);
    cost[n] = 12345;
    CHECK(bbans_sequence_costs(&hmm->space, x, n, cost, work, work_bytes) ==
          BBANS_OK);
    CHECK(cost[n] == 12345);
    memcpy(predicted, hmm->initial, 4 * hmm->stride);
    for (t = 0; t < n; t++) {
        CHECK(bbans_hmm_predict(hmm, predicted, x[t], &start, &freq) ==
              BBANS_OK);
        CHECK(bbans_hmm_predict_find(hmm, predicted, start + freq - 1, &found,
                                     &first, &width) == BBANS_OK);
        CHECK(found == x[t] && first == start && width == freq);
        CHECK(fabs((double)cost[t] - 65536 * (hmm->prec - log2((double)freq))) <
              1.01);
        CHECK(bbans_hmm_filter(hmm, predicted, x + t, 1, filtered) == BBANS_OK);
    }
    predicted[0] = UINT32_MAX; /* what no filter makes */
    CHECK(bbans_hmm_predict_find(hmm, predicted, 0, &found, &first, &width) ==
          BBANS_ERR_TOTAL);
    memset(predicted, 0, 4 * hmm->states); /* those behind count for nothing */
    CHECK(bbans_hmm_predict_find(hmm, predicted, 0, &found, &first, &width) ==
          BBANS_ERR_TOTAL);
    CHECK(bbans_sequence_costs(&hmm->space, NULL, 0, NULL, work, work_bytes) ==
          BBANS_OK);
    CHECK(bbans_sequence_costs(&hmm->space, x, n, NULL, work, work_bytes) ==
          (n > 0 ? BBANS_ERR_NULL : BBANS_OK));
    CHECK(bbans_sequence_costs(&hmm->space, x, n, cost, NULL, work_bytes) ==
          BBANS_ERR_NULL);
    CHECK(bbans_sequence_costs(NULL, x, n, cost, work, work_bytes) ==
          BBANS_ERR_NULL);
    CHECK(bbans_sequence_costs_bytes(NULL) == 0);
    free(predicted);
    free(filtered);
    free(cost);
    free(work);
}

static void test_sequences(size_t states, size_t symbols, unsigned prec,
                           size_t start_length)
{
    const size_t n_max = 300, cap = 3 * n_max + 16; /* words */
    uint32_t *initial = allocate(4 * states);
    uint32_t *transition = allocate(4 * states * states);
    uint32_t *emission = allocate(4 * states * symbols);
    const size_t memory_bytes = bbans_hmm_bytes(states, symbols);
    void *memory = allocate(memory_bytes);
    uint32_t *x = allocate(4 * n_max), *y = allocate(4 * n_max);
    uint32_t *tail = allocate(4 * cap);
    uint8_t *bytes = allocate(4 * cap), *again = allocate(4 * cap);
    uint64_t head;
    bbans_message msg;
    bbans_hmm hmm;
    size_t i, n;

    random_row(initial, states, prec);
    for (i = 0; i < states; i++) {
        random_row(transition + i * states, states, prec);
        random_row(emission + i * symbols, symbols, prec);
    }
    CHECK(bbans_hmm_init(&hmm, states, symbols, prec, start_length, initial,
                         transition, emission, memory,
                         memory_bytes - 1) == BBANS_ERR_CAPACITY);
    CHECK(bbans_hmm_init(&hmm, states, symbols, prec, start_length, initial,
                         transition, emission, memory,
                         memory_bytes) == BBANS_OK);
    CHECK(bbans_sequence_tail_words(&hmm.space, n_max) + n_max == cap);
    for (n = 0; n <= n_max; n = n * 3 / 2 + 1) {
        const size_t full = bbans_sequence_work_bytes(&hmm.space, n, n);
        size_t block, length = 0, size;

        hmm.space.predictive = below(3) == 0;
        for (i = 0; i < n; i++)
            x[i] = below(4) ? below((uint32_t)symbols) : 0;
        for (block = n > 0 ? n : 1; block > 0; block /= 3) {
            const size_t work_bytes =
                bbans_sequence_work_bytes(&hmm.space, n, block);
            void *work = allocate(work_bytes);

            CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
            CHECK(bbans_sequence_encode(&hmm.space, x, n, work, work_bytes,
                                        &msg) == BBANS_OK);
            CHECK(bbans_message_check(&msg) == BBANS_OK);
            CHECK(bbans_message_write(&msg, again, 4 * cap, &size) == BBANS_OK);
            CHECK(length == 0 ||
                  (length == size && memcmp(bytes, again, size) == 0));
            length = size;
            memcpy(bytes, again, size);
            free(work);
        }
        {
            const size_t work_bytes =
                bbans_sequence_work_bytes(&hmm.space, 1, 1);
            void *work = allocate(work_bytes > full ? work_bytes : full);
            int damage;

            CHECK(bbans_sequence_decode(&hmm.space, &msg, y, n, work,
                                        work_bytes) == BBANS_OK);
            CHECK(memcmp(x, y, 4 * n) == 0);
            test_costs(&hmm, x, n);

            /* Whatever the bytes are: an answer or a status, inside bounds. */
            for (damage = 0; damage < 8; damage++) {
                memcpy(again, bytes, length);
                again[below((uint32_t)length)] ^= (uint8_t)(1u << below(8));
                CHECK(bbans_message_init(&msg, &head, 1, tail, cap) ==
                      BBANS_OK);
                if (bbans_message_read(&msg, again, length - below(2)) ==
                    BBANS_OK)
                    (void)bbans_sequence_decode(&hmm.space, &msg, y, n, work,
                                                work_bytes);
            }

            CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
            head = random_bits() >> 1;
            {
                const uint64_t before = head;

                CHECK(bbans_sequence_push(&hmm.space, &msg, x, n, work, full) ==
                      BBANS_OK);
                CHECK(bbans_sequence_pop(&hmm.space, &msg, y, n, work,
                                         work_bytes) == BBANS_OK);
                CHECK(memcmp(x, y, 4 * n) == 0);
                CHECK(head == before && msg.tail_len == 0);
            }
            free(work);
        }
    }
    { /* empty sequences, and arrays that may be NULL */
        static const uint64_t offset[] = {0, 0, 0};
        const size_t work_bytes = bbans_sequence_work_bytes(&hmm.space, 1, 1);
        void *work = allocate(work_bytes);
        uint64_t ends[3];
        size_t failed;

        CHECK(bbans_batch_encode(&hmm.space, NULL, offset, 2, work, work_bytes,
                                 &msg, bytes, 80, ends, &failed) == BBANS_OK);
        CHECK(ends[2] == 2);
        CHECK(bbans_batch_decode(&hmm.space, bytes, ends, NULL, offset, 2, work,
                                 work_bytes, &msg, &failed) == BBANS_OK);
        CHECK(bbans_batch_encode(&hmm.space, NULL, offset, 2, work, work_bytes,
                                 &msg, NULL, 0, ends,
                                 &failed) == BBANS_ERR_CAPACITY);
        free(work);
    }
    if (symbols < 10) { /* a refusal names itself and changes nothing */
        const size_t work_bytes = bbans_sequence_work_bytes(&hmm.space, 1, 1);
        void *work = allocate(work_bytes);

        x[0] = (uint32_t)symbols;
        head = 77;
        msg.tail_len = 0;
        CHECK(bbans_sequence_encode(&hmm.space, x, 1, work, work_bytes, &msg) ==
              BBANS_ERR_SYMBOL);
        CHECK(bbans_sequence_push(&hmm.space, &msg, x, 1, work, work_bytes) ==
              BBANS_ERR_SYMBOL);
        CHECK(bbans_sequence_costs(&hmm.space, x, 1, &head, work, work_bytes) ==
              BBANS_ERR_SYMBOL);
        CHECK(bbans_sequence_encode(&hmm.space, y, 1, work, work_bytes - 1,
                                    &msg) == BBANS_ERR_CAPACITY);
        CHECK(head == 77 && msg.tail_len == 0);
        free(work);
    }
    free(initial);
    free(transition);
    free(emission);
    free(memory);
    free(x);
    free(y);
    free(tail);
    free(bytes);
    free(again);
}

/* A batch is its sequences one by one, however many take turns; packed, they
 * come back too; and what is wrong with one names it. */
static void test_batches(size_t states, size_t symbols, size_t start_length)
{
    enum { N = 11, LONGEST = 150, ALL = N * LONGEST };
    const size_t cap = 4 * ALL + 16; /* words */
    const size_t memory_bytes = bbans_hmm_bytes(states, symbols);
    uint32_t *initial = allocate(4 * states);
    uint32_t *transition = allocate(4 * states * states);
    uint32_t *emission = allocate(4 * states * symbols);
    uint32_t *tail = allocate(4 * cap), *x = allocate(4 * ALL);
    uint32_t *y = allocate(4 * ALL);
    uint8_t *bytes = allocate(8 * ALL + 40 * N), *one = allocate(4 * cap);
    void *memory = allocate(memory_bytes), *work;
    uint64_t offset[N + 1] = {0}, ends[N + 1], head;
    size_t i, k, size, failed, turns, work_bytes, full;
    bbans_message msg;
    bbans_hmm hmm;

    random_row(initial, states, 16);
    for (i = 0; i < states; i++) {
        random_row(transition + i * states, states, 16);
        random_row(emission + i * symbols, symbols, 16);
    }
    CHECK(bbans_hmm_init(&hmm, states, symbols, 16, start_length, initial,
                         transition, emission, memory,
                         memory_bytes) == BBANS_OK);
    for (k = 0; k < N; k++) /* the first is the longest, or empty */
        offset[k + 1] = offset[k] + (k == 0          ? below(2) * LONGEST
                                     : below(4) == 0 ? below(4)
                                                     : below(LONGEST));
    for (i = 0; i < offset[N]; i++)
        x[i] = below((uint32_t)symbols);
    full = bbans_sequence_work_bytes(&hmm.space, LONGEST, LONGEST);
    work_bytes = full * BBANS_BATCH;
    work = allocate(work_bytes);
    CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
    for (turns = 0; turns < 3; turns++) {
        const size_t given =
            turns == 0   ? bbans_sequence_work_bytes(&hmm.space, LONGEST, 13)
            : turns == 1 ? full
                         : work_bytes;

        hmm.space.predictive = (int)below(2);
        CHECK(bbans_batch_encode(&hmm.space, x, offset, N, work, given, &msg,
                                 bytes, 8 * ALL + 40 * N, ends,
                                 &failed) == BBANS_OK);
        CHECK(ends[0] == 0);
        for (k = 0; k < N; k++) {
            CHECK(bbans_sequence_encode(&hmm.space, x + offset[k],
                                        (size_t)(offset[k + 1] - offset[k]),
                                        work, full, &msg) == BBANS_OK);
            CHECK(bbans_message_write(&msg, one, 4 * cap, &size) == BBANS_OK);
            CHECK(ends[k + 1] - ends[k] == size);
            CHECK(memcmp(bytes + ends[k], one, size) == 0);
        }
        memset(y, 0xff, 4 * ALL);
        CHECK(bbans_batch_decode(
                  &hmm.space, bytes, ends, y, offset, N, work,
                  turns < 2 ? bbans_sequence_work_bytes(&hmm.space, 1, 1)
                            : work_bytes,
                  &msg, &failed) == BBANS_OK);
        CHECK(memcmp(x, y, 4 * (size_t)offset[N]) == 0);
        CHECK(bbans_batch_encode(&hmm.space, x, offset, N, work, given, &msg,
                                 bytes, (size_t)ends[N] - 1, ends,
                                 &failed) == BBANS_ERR_CAPACITY);
    }
    for (k = 1; k <= N; k++) { /* from one sequence on, of any length */
        hmm.space.predictive = k % 3 == 0;
        memset(y, 0xff, 4 * ALL);
        CHECK(bbans_packed_encode(&hmm.space, x, offset, k, work, work_bytes,
                                  &msg) == BBANS_OK);
        CHECK(bbans_message_check(&msg) == BBANS_OK);
        CHECK(bbans_packed_decode(&hmm.space, &msg, y, offset, k, work,
                                  work_bytes) == BBANS_OK);
        CHECK(memcmp(x, y, 4 * (size_t)offset[k]) == 0);
    }
    for (k = 0; k < N; k++) {
        const size_t at = (size_t)offset[k];
        uint32_t kept;

        if (offset[k + 1] == offset[k])
            continue;
        kept = x[at];
        x[at] = (uint32_t)symbols;
        CHECK(bbans_batch_encode(&hmm.space, x, offset, N, work, work_bytes,
                                 &msg, bytes, 8 * ALL + 40 * N, ends,
                                 &failed) == BBANS_ERR_SYMBOL);
        CHECK(failed == k);
        CHECK(bbans_packed_encode(&hmm.space, x, offset, N, work, work_bytes,
                                  &msg) == BBANS_ERR_SYMBOL);
        x[at] = kept;
    }
    offset[0] = 1;
    CHECK(bbans_batch_encode(&hmm.space, x, offset, N, work, work_bytes, &msg,
                             bytes, 8 * ALL + 40 * N, ends,
                             &failed) == BBANS_ERR_SIZE);
    CHECK(failed == 0);
    offset[0] = 0;
    offset[3] = offset[2] - 1;
    if (offset[2] > 0)
        CHECK(bbans_packed_encode(&hmm.space, x, offset, N, work, work_bytes,
                                  &msg) == BBANS_ERR_SIZE);
    free(initial);
    free(transition);
    free(emission);
    free(tail);
    free(x);
    free(y);
    free(bytes);
    free(one);
    free(memory);
    free(work);
}

int main(void)
{
    int trial;

    test_range_coder();
    test_ends_of_the_range();
    test_range_refusals();
    for (trial = 0; trial < 60; trial++) {
        test_sequences(1 + below(40), 1 + below(40), 6 + below(23),
                       1 + below(30));
        test_sequences(1 + below(3), 1 + below(3), 2 + below(27),
                       1 + below(30));
    }
    for (trial = 0; trial < 12; trial++)
        test_batches(1 + below(20), 1 + below(20), 1 + below(40));
    test_sequences(1, 1, 1, 1);
    test_sequences(64, 64, 24, 9);
    test_sequences(130, 300, 16, 9);
    printf("test_sequence: ok\n");
    return 0;
}
