/* Linear Gaussian models: round trips, damage, and what is refused.  The stored
 * vectors are in test_golden.c.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"
#include "costs.h"

#include <string.h>

#define LENGTH 300
#define STEPS 3

typedef struct {
    bbans_lgssm model;
    int64_t *offset;
    int32_t *word;
} fixture;

/* Rows of coefficients around `size` in units of 2^-30. */
static int32_t *put_matrix(int32_t *word, size_t rows, size_t columns,
                           int32_t size)
{
    size_t i, j;

    for (i = 0; i < rows; i++) {
        *word++ = 6;
        for (j = 0; j < columns; j++)
            *word++ = (i == j ? size : size / 8) - (int32_t)below(1 << 20);
    }
    return word;
}

static int32_t *put_scales(int32_t *word, size_t n, int32_t scale)
{
    size_t i;

    for (i = 0; i < n; i++)
        *word++ = scale + (int32_t)below(64);
    return word;
}

/* The numbers are those of no float model: any Q decodes. */
static fixture make(size_t n, size_t p, int family)
{
    const size_t words = bbans_lgssm_step_words(n, p);
    fixture f;
    int32_t *word;
    size_t i;

    f.offset = (int64_t *)malloc(STEPS * (n + p) * sizeof *f.offset);
    f.word = word = (int32_t *)malloc(STEPS * words * sizeof *f.word);
    CHECK(words > 0 && f.offset != NULL && f.word != NULL);
    for (i = 0; i < STEPS * (n + p); i++)
        f.offset[i] = (int64_t)below(1 << 22) - (1 << 21);
    for (i = 0; i < STEPS; i++) {
        word = put_matrix(word, n, n, 900000000); /* A */
        word = put_matrix(word, n, n, 300000000); /* J */
        word = put_matrix(word, p, n, 800000000); /* C */
        word = put_matrix(word, n, p, 400000000); /* K */
        word = put_matrix(word, 2 * p, p, 200000000);
        word = put_matrix(word, n, n, 200000000);
        word = put_scales(word, n, 700);
        word = put_scales(word, n, 600);
        word = put_scales(word, p, 500);
        word = put_scales(word, p, 900);
        word = put_scales(word, n, 650);
    }
    CHECK(word == f.word + STEPS * words);
    CHECK(bbans_lgssm_init(&f.model, n, p, STEPS, family, 12, 64, f.offset,
                           f.word) == BBANS_OK);
    return f;
}

/* A walk with outliers, some of them as far as can be. */
static void draw(int64_t *x, size_t count)
{
    int64_t level = 0;
    size_t i;

    for (i = 0; i < count; i++) {
        level += (int64_t)below(21) - 10;
        x[i] = level;
        if (below(60) == 0)
            x[i] = (int64_t)(random_bits() >> (1 + below(62)));
        if (below(200) == 0)
            x[i] = INT64_MIN + (int64_t)below(2);
    }
}

static void test_model(size_t n, size_t p, int family)
{
    fixture f = make(n, p, family);
    const bbans_lgssm *m = &f.model;
    const size_t cap = 3 * bbans_sequence_tail_words(&m->space, LENGTH);
    const size_t most = bbans_sequence_work_bytes(&m->space, LENGTH, LENGTH);
    int64_t *x = (int64_t *)malloc(LENGTH * p * sizeof *x);
    int64_t *y = (int64_t *)malloc(LENGTH * p * sizeof *y);
    uint32_t *tail = (uint32_t *)malloc(cap * sizeof *tail);
    uint8_t *bytes = (uint8_t *)malloc(4 * cap + 8);
    uint8_t *again = (uint8_t *)malloc(4 * cap + 8);
    void *work = malloc(most);
    size_t lengths[] = {0, 1, 12, 13, 40, LENGTH}, k, n_bytes, n_again;
    uint64_t head, start;
    bbans_message msg;
    int predictive;

    CHECK(x != NULL && y != NULL && tail != NULL && bytes != NULL &&
          again != NULL && work != NULL);
    draw(x, LENGTH * p);
    for (k = 0; k < sizeof lengths / sizeof *lengths; k++)
        for (predictive = 0; predictive < 2; predictive++) {
            const size_t length = lengths[k];
            const size_t block = 1 + below(30);

            f.model.space.predictive = predictive;
            CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
            CHECK(bbans_sequence_encode(&m->space, x, length, work, most,
                                        &msg) == BBANS_OK);
            CHECK(bbans_message_write(&msg, bytes, 4 * cap + 8, &n_bytes) ==
                  BBANS_OK);
            /* Fewer means kept, the same bytes. */
            CHECK(bbans_sequence_encode(
                      &m->space, x, length, work,
                      bbans_sequence_work_bytes(&m->space, length, block),
                      &msg) == BBANS_OK);
            CHECK(bbans_message_write(&msg, again, 4 * cap + 8, &n_again) ==
                  BBANS_OK);
            CHECK(n_again == n_bytes && memcmp(bytes, again, n_bytes) == 0);
            memset(y, 1, LENGTH * p * sizeof *y);
            CHECK(bbans_sequence_decode(
                      &m->space, &msg, y, length, work,
                      bbans_sequence_work_bytes(&m->space, 1, 1)) == BBANS_OK);
            CHECK(memcmp(x, y, length * p * sizeof *x) == 0);
        }
    check_costs(&f.model.space, x, LENGTH);
    /* The bare schedule restores what was there. */
    CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
    head = start = random_bits() >> 2 | (uint64_t)1 << 60;
    CHECK(bbans_sequence_push(&m->space, &msg, x, LENGTH, work, most) ==
          BBANS_OK);
    CHECK(bbans_sequence_pop(&m->space, &msg, y, LENGTH, work, most) ==
          BBANS_OK);
    CHECK(memcmp(x, y, LENGTH * p * sizeof *x) == 0);
    CHECK(head == start && msg.tail_len == 0);
    /* What no encoder wrote decodes to something or is refused. */
    for (k = 0; k < 300; k++) {
        f.model.space.predictive = (int)(k % 2);
        n_bytes = below(400);
        for (n_again = 0; n_again < n_bytes; n_again++)
            bytes[n_again] = (uint8_t)(1 + below(255));
        CHECK(bbans_message_read(&msg, bytes, n_bytes) == BBANS_OK);
        (void)bbans_sequence_decode(&m->space, &msg, y, 1 + k, work, most);
    }
    /* Too little room, and lanes. */
    f.model.space.predictive = 0;
    CHECK(bbans_message_init(&msg, &head, 1, tail,
                             bbans_sequence_tail_words(&m->space, 40) - 1) ==
          BBANS_OK);
    CHECK(bbans_sequence_encode(&m->space, x, 40, work, most, &msg) ==
          BBANS_ERR_CAPACITY);
    msg.tail_cap = 40 * m->space.pop_words - 1;
    CHECK(bbans_sequence_decode(&m->space, &msg, y, 40, work, most) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_sequence_pop(&m->space, &msg, y, 40, work, most) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_sequence_push(&m->space, &msg, x, 40, work, 0) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_sequence_push(&m->space, &msg, x, 40, work, most) ==
          BBANS_ERR_CAPACITY);
    msg.lanes = 2;
    CHECK(bbans_sequence_encode(&m->space, x, 40, work, most, &msg) ==
          BBANS_ERR_STATE);
    /* What is refused of a model. */
    f.word[0] = 61; /* a shift */
    CHECK(bbans_lgssm_init(&f.model, n, p, STEPS, family, 12, 64, f.offset,
                           f.word) == BBANS_ERR_TABLE);
    f.word[0] = -40;
    CHECK(bbans_lgssm_init(&f.model, n, p, STEPS, family, 12, 64, f.offset,
                           f.word) == BBANS_OK);
    f.offset[0] = (int64_t)1 << 46;
    CHECK(bbans_lgssm_init(&f.model, n, p, STEPS, family, 12, 64, f.offset,
                           f.word) == BBANS_ERR_TABLE);
    CHECK(bbans_lgssm_init(&f.model, n, 65, STEPS, family, 12, 64, f.offset,
                           f.word) == BBANS_ERR_SIZE);
    free(f.offset);
    free(f.word);
    free(x);
    free(y);
    free(tail);
    free(bytes);
    free(again);
    free(work);
}

/* Parse and build a file; the memory, or NULL for what is refused. */
static void *build(bbans_model *model, const uint8_t *bytes, size_t n_bytes)
{
    size_t n;
    void *memory;

    if (bbans_model_parse(model, bytes, n_bytes) != BBANS_OK)
        return NULL;
    n = bbans_model_bytes(model);
    memory = malloc(n);
    CHECK(memory != NULL);
    CHECK(bbans_model_build(model, memory, n - 1) == BBANS_ERR_CAPACITY);
    if (bbans_model_build(model, memory, n) == BBANS_OK)
        return memory;
    CHECK(model->frozen == NULL);
    free(memory);
    return NULL;
}

/* Files: what is written is read again; every cut and flipped bit is refused,
 * and with the checksum made right is refused, or a model to its letter. */
static void test_file(size_t n, size_t p, int family)
{
    fixture f = make(n, p, family);
    const bbans_lgssm *built;
    const size_t size =
        32 + STEPS * (8 * (n + p) + 4 * bbans_lgssm_step_words(n, p)) + 4;
    uint8_t *bytes = (uint8_t *)malloc(size + 1);
    uint8_t *again = (uint8_t *)malloc(size);
    size_t i, n_bytes, taken = 0;
    const int64_t values[1] = {0};
    bbans_model model;
    void *memory;

    CHECK(bytes != NULL && again != NULL);
    f.model.space.predictive = 1;
    CHECK(bbans_model_write(&f.model.space, BBANS_KIND_INTEGERS, NULL, 0, bytes,
                            size - 1, &n_bytes) == BBANS_ERR_CAPACITY);
    CHECK(n_bytes == size);
    CHECK(bbans_model_write(&f.model.space, BBANS_KIND_INTEGERS, NULL, 0, bytes,
                            size, &n_bytes) == BBANS_OK);
    CHECK(n_bytes == size);
    CHECK(bbans_model_write(&f.model.space, BBANS_KIND_BYTES, NULL, 0, again,
                            size, &n_bytes) == BBANS_ERR_SYMBOL);
    CHECK(bbans_model_write(&f.model.space, BBANS_KIND_INTEGERS, values, 0,
                            again, size, &n_bytes) == BBANS_ERR_SYMBOL);
    memory = build(&model, bytes, size);
    built = &model.frozen->lgssm;
    CHECK(memory != NULL && model.type == BBANS_MODEL_LGSSM);
    CHECK(model.width == p && model.symbols == 0 && model.predictive == 1);
    CHECK(built->latents == n && built->observed == p);
    CHECK(built->steps == STEPS && built->noise_family == family);
    CHECK(built->space.start_length == 12 && built->space.start_bits == 64);
    CHECK(built->space.predictive == 1);
    CHECK(memcmp(built->offset, f.offset, STEPS * (n + p) * 8) == 0);
    CHECK(memcmp(built->word, f.word, STEPS * built->step_words * 4) == 0);
    free(memory);
    for (i = 0; i < size; i++) {
        uint8_t *cut = (uint8_t *)malloc(i + 1);

        CHECK(cut != NULL);
        memcpy(cut, bytes, i);
        CHECK(bbans_model_parse(&model, cut, i) == BBANS_ERR_TRUNCATED);
        free(cut);
    }
    bytes[size] = 0;
    CHECK(bbans_model_parse(&model, bytes, size + 1) == BBANS_ERR_CORRUPT);
    for (i = 0; i < 8 * size; i++) {
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK(bbans_model_parse(&model, bytes, size) != BBANS_OK);
        if (i / 8 + 4 < size) {
            const uint32_t crc = bbans_crc32(0, bytes, size - 4);
            const uint64_t kept = bbans_load(bytes + size - 4, 4);

            bbans_store(bytes + size - 4, crc, 4);
            memory = build(&model, bytes, size);
            if (memory != NULL) {
                CHECK(bbans_model_write(&model.frozen->space, model.kind, NULL,
                                        model.ends, again, size,
                                        &n_bytes) == BBANS_OK);
                CHECK(memcmp(again, bytes, size) == 0);
                taken++;
            }
            free(memory);
            bbans_store(bytes + size - 4, kept, 4);
        }
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    CHECK(taken > size / 2);
    free(f.offset);
    free(f.word);
    free(bytes);
    free(again);
}

/* The largest numbers of every kind: sanitizers see what overflows. */
static void test_limits(void)
{
    fixture f = make(64, 64, BBANS_LAPLACE);
    const bbans_lgssm *m = &f.model;
    const size_t words = STEPS * m->step_words;
    const size_t cap = 2 * bbans_sequence_tail_words(&m->space, 4);
    const size_t work_bytes = bbans_sequence_work_bytes(&m->space, 4, 4);
    uint32_t *tail = (uint32_t *)malloc(cap * sizeof *tail);
    void *work = malloc(work_bytes);
    static int64_t x[4 * 64], y[4 * 64];
    uint64_t head;
    bbans_message msg;
    size_t i;
    int sign, shift;

    CHECK(tail != NULL && work != NULL);
    for (i = 0; i < 4 * 64; i++)
        x[i] = i % 2 == 0 ? INT64_MAX : INT64_MIN;
    for (i = 0; i < STEPS * 128; i++)
        f.offset[i] = (((int64_t)1 << 46) - 1) * (i % 3 == 0 ? 1 : -1);
    for (sign = 0; sign < 2; sign++)
        for (shift = -40; shift <= 60; shift += 20) {
            for (i = 0; i < words; i++)
                if (f.word[i] > 1000000 || f.word[i] == INT32_MIN)
                    f.word[i] = sign ? INT32_MIN : INT32_MAX;
                else if (f.word[i] < 100)
                    f.word[i] = shift;
            CHECK(bbans_lgssm_init(&f.model, 64, 64, STEPS, BBANS_LAPLACE, 1,
                                   64, f.offset, f.word) == BBANS_OK);
            CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
            CHECK(bbans_sequence_encode(&m->space, x, 4, work, work_bytes,
                                        &msg) == BBANS_OK);
            CHECK(bbans_sequence_decode(&m->space, &msg, y, 4, work,
                                        work_bytes) == BBANS_OK);
            CHECK(memcmp(x, y, sizeof x) == 0);
        }
    free(f.offset);
    free(f.word);
    free(tail);
    free(work);
}

/* The value in a slot has the interval that it was found in, at any precision;
 * some far out are none, beyond 64 bits. */
static void test_spans(void)
{
    int trial, tested = 0;

    for (trial = 0; trial < 20000; trial++) {
        const unsigned prec = 24 + below(5);
        const unsigned leakless = below(2);
        const int64_t far = (int64_t)(random_bits() >> (3 + below(50)));
        const int64_t location = below(2) ? far : -far;
        const int32_t scale = (int32_t)below(12000) - 3000;
        const uint32_t slot = (uint32_t)(random_bits() >> (64 - prec));
        uint32_t start, freq, found, width;
        int64_t first, sign, value;
        uint64_t low, back;
        unsigned low_bits, bits;
        bbans_family family;

        CHECK(bbans_family_init(&family, (int)below(3)) == BBANS_OK);
        family.leakless = leakless;
        if (bbans_family_find(&family, location, scale, prec, slot, &start,
                              &freq, &first, &sign, &low_bits) != BBANS_OK)
            continue;
        CHECK(slot - start < freq);
        low = low_bits > 0 ? random_bits() >> (64 - low_bits) : 0;
        value = (int64_t)((uint64_t)first + (uint64_t)sign * low);
        if (sign > 0 ? value < first : value > first)
            continue;
        CHECK(bbans_family_span(&family, location, scale, prec, value, &found,
                                &width, &back, &bits) == BBANS_OK);
        CHECK(found == start && width == freq);
        CHECK(back == low && bits == low_bits);
        tested++;
    }
    CHECK(tested > 10000);
}

/* Nowhere for one of the results. */
static void test_span_of_nothing(void)
{
    uint32_t start, freq;
    uint64_t low;
    unsigned bits;
    bbans_family f;

    CHECK(bbans_family_init(&f, BBANS_GAUSSIAN) == BBANS_OK);
    CHECK(bbans_family_span(&f, 0, 0, 24, 5, NULL, &freq, &low, &bits) ==
          BBANS_ERR_NULL);
    CHECK(bbans_family_span(&f, 0, 0, 24, 5, &start, NULL, &low, &bits) ==
          BBANS_ERR_NULL);
    CHECK(bbans_family_span(&f, 0, 0, 24, 5, &start, &freq, NULL, &bits) ==
          BBANS_ERR_NULL);
    CHECK(bbans_family_span(&f, 0, 0, 24, 5, &start, &freq, &low, NULL) ==
          BBANS_ERR_NULL);
}

int main(void)
{
    (void)bbans_isa_use(BBANS_ISA_BEST);
    test_model(1, 1, BBANS_GAUSSIAN);
    test_model(4, 1, BBANS_GAUSSIAN);
    test_model(2, 3, BBANS_LOGISTIC);
    test_model(5, 2, BBANS_LAPLACE);
    test_file(2, 3, BBANS_LOGISTIC);
    test_limits();
    test_spans();
    test_span_of_nothing();
    printf("test_lgssm: ok\n");
    return 0;
}
