/* Hidden Markov models of vectors: round trips, damage, files, and what is
 * refused.  The stored vectors are in test_golden.c.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"
#include "costs.h"

#include <string.h>

#define LENGTH 200
#define PREC 20

typedef struct {
    bbans_gaussian_hmm model;
    size_t states, channels;
    uint32_t *initial, *transition;
    int64_t *location;
    int32_t *scale, *lower;
    void *memory;
} fixture;

static void put_row(uint32_t *row, size_t n)
{
    uint32_t left = (uint32_t)1 << PREC;
    size_t i;

    for (i = 0; i + 1 < n; i++)
        left -= row[i] = 1 + below(((uint32_t)1 << PREC) / (uint32_t)n - 1);
    row[i] = left;
}

static bbans_status init(fixture *f, int full)
{
    return bbans_gaussian_hmm_init(
        &f->model, f->states, f->channels, PREC, 3, f->initial, f->transition,
        f->location, f->scale, full ? f->lower : NULL, f->memory,
        bbans_gaussian_hmm_bytes(f->states, f->channels));
}

static fixture make(size_t states, size_t channels, int full)
{
    const size_t n = states * channels;
    fixture f;
    size_t i, j;

    f.states = states;
    f.channels = channels;
    f.initial = (uint32_t *)malloc(states * sizeof *f.initial);
    f.transition = (uint32_t *)malloc(states * states * sizeof *f.transition);
    f.location = (int64_t *)malloc(n * sizeof *f.location);
    f.scale = (int32_t *)malloc(n * sizeof *f.scale);
    f.lower = (int32_t *)malloc(n * (1 + channels) * sizeof *f.lower);
    f.memory = malloc(bbans_gaussian_hmm_bytes(states, channels));
    CHECK(f.initial != NULL && f.transition != NULL && f.location != NULL &&
          f.scale != NULL && f.lower != NULL && f.memory != NULL);
    put_row(f.initial, states);
    for (i = 0; i < states; i++)
        put_row(f.transition + i * states, states);
    for (i = 0; i < n; i++) {
        f.location[i] = (int64_t)below(1 << 22) - (1 << 21);
        f.scale[i] = (int32_t)below(1400) - 200;
        f.lower[i * (1 + channels)] = 6;
        for (j = 0; j < channels; j++)
            f.lower[i * (1 + channels) + 1 + j] =
                j < i % channels ? (int32_t)below(1 << 30) - (1 << 29) : 0;
    }
    CHECK(init(&f, full) == BBANS_OK);
    return f;
}

static void drop(fixture *f)
{
    free(f->initial);
    free(f->transition);
    free(f->location);
    free(f->scale);
    free(f->lower);
    free(f->memory);
}

/* Near the means of states that last a while, with outliers, some of them as
 * far as can be. */
static void draw(const fixture *f, int64_t *x)
{
    const size_t D = f->channels;
    size_t t, i, z = 0;

    for (t = 0; t < LENGTH; t++) {
        if (below(9) == 0)
            z = below((uint32_t)f->states);
        for (i = 0; i < D; i++, x++) {
            *x = f->location[z * D + i] / 65536 + (int64_t)below(9) - 4;
            if (below(60) == 0)
                *x = (int64_t)(random_bits() >> (1 + below(62)));
            if (below(200) == 0)
                *x = INT64_MIN + (int64_t)below(2);
        }
    }
}

static void test_model(size_t states, size_t channels, int full)
{
    fixture f = make(states, channels, full);
    const bbans_gaussian_hmm *m = &f.model;
    const size_t cap = 3 * bbans_sequence_tail_words(&m->space, LENGTH);
    const size_t most = bbans_sequence_work_bytes(&m->space, LENGTH, LENGTH);
    int64_t *x = (int64_t *)malloc(LENGTH * channels * sizeof *x);
    int64_t *y = (int64_t *)malloc(LENGTH * channels * sizeof *y);
    uint32_t *tail = (uint32_t *)malloc(cap * sizeof *tail);
    uint8_t *bytes = (uint8_t *)malloc(4 * cap + 8);
    uint8_t *again = (uint8_t *)malloc(4 * cap + 8);
    uint32_t *weights =
        (uint32_t *)malloc((1 + LENGTH) * m->chain.stride * sizeof *weights);
    void *work = malloc(most);
    size_t lengths[] = {0, 1, 3, 4, 20, LENGTH}, k, n_bytes, n_again;
    uint64_t head, start;
    bbans_message msg;
    int predictive;

    CHECK(x != NULL && y != NULL && tail != NULL && bytes != NULL &&
          again != NULL && weights != NULL && work != NULL);
    draw(&f, x);
    for (k = 0; k < sizeof lengths / sizeof *lengths; k++)
        for (predictive = 0; predictive < 2; predictive++) {
            const size_t length = lengths[k];

            f.model.space.predictive = predictive;
            CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
            CHECK(bbans_sequence_encode(&m->space, x, length, work, most,
                                        &msg) == BBANS_OK);
            CHECK(bbans_message_write(&msg, bytes, 4 * cap + 8, &n_bytes) ==
                  BBANS_OK);
            /* Fewer weights kept, the same bytes. */
            CHECK(bbans_sequence_encode(&m->space, x, length, work,
                                        bbans_sequence_work_bytes(
                                            &m->space, length, 1 + below(30)),
                                        &msg) == BBANS_OK);
            CHECK(bbans_message_write(&msg, again, 4 * cap + 8, &n_again) ==
                  BBANS_OK);
            CHECK(n_again == n_bytes && memcmp(bytes, again, n_bytes) == 0);
            memset(y, 1, LENGTH * channels * sizeof *y);
            CHECK(bbans_sequence_decode(
                      &m->space, &msg, y, length, work,
                      bbans_sequence_work_bytes(&m->space, 1, 1)) == BBANS_OK);
            CHECK(memcmp(x, y, length * channels * sizeof *x) == 0);
        }
    check_costs(&f.model.space, x, LENGTH);
    /* The bare schedule restores what was there. */
    CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
    head = start = random_bits() >> 2 | (uint64_t)1 << 60;
    CHECK(bbans_sequence_push(&m->space, &msg, x, LENGTH, work, most) ==
          BBANS_OK);
    CHECK(bbans_sequence_pop(&m->space, &msg, y, LENGTH, work, most) ==
          BBANS_OK);
    CHECK(memcmp(x, y, LENGTH * channels * sizeof *x) == 0);
    CHECK(head == start && msg.tail_len == 0);
    /* Weights that are never all zero. */
    memcpy(weights, m->chain.initial, m->chain.stride * sizeof *weights);
    CHECK(bbans_gaussian_hmm_filter(m, weights, x, LENGTH,
                                    weights + m->chain.stride) == BBANS_OK);
    for (k = 0; k < LENGTH; k++)
        CHECK(
            bbans_predicted_sum(weights + (1 + k) * m->chain.stride, states) >>
                31 ==
            1);
    /* What no encoder wrote decodes to something or is refused. */
    for (k = 0; k < 200; k++) {
        f.model.space.predictive = (int)(k % 2);
        n_bytes = below(400);
        for (n_again = 0; n_again < n_bytes; n_again++)
            bytes[n_again] = (uint8_t)(1 + below(255));
        CHECK(bbans_message_read(&msg, bytes, n_bytes) == BBANS_OK);
        (void)bbans_sequence_decode(&m->space, &msg, y, 1 + k % 100, work,
                                    most);
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
    CHECK(bbans_sequence_push(&m->space, &msg, x, 40, work, 0) ==
          BBANS_ERR_CAPACITY);
    msg.lanes = 2;
    CHECK(bbans_sequence_encode(&m->space, x, 40, work, most, &msg) ==
          BBANS_ERR_STATE);
    drop(&f);
    free(x);
    free(y);
    free(tail);
    free(bytes);
    free(again);
    free(weights);
    free(work);
}

static void test_refusals(void)
{
    fixture f = make(3, 2, 1);
    bbans_gaussian_hmm *m = &f.model;
    const size_t bytes = bbans_gaussian_hmm_bytes(3, 2);

    CHECK(bbans_gaussian_hmm_bytes(0, 1) == 0);
    CHECK(bbans_gaussian_hmm_bytes(1, 0) == 0);
    CHECK(bbans_gaussian_hmm_bytes(65, 1) == 0);
    CHECK(bbans_gaussian_hmm_bytes(1, 65) == 0);
    CHECK(bbans_gaussian_hmm_init(m, 3, 65, PREC, 3, f.initial, f.transition,
                                  f.location, f.scale, NULL, f.memory,
                                  bytes) == BBANS_ERR_SIZE);
    CHECK(bbans_gaussian_hmm_init(m, 3, 2, 29, 3, f.initial, f.transition,
                                  f.location, f.scale, NULL, f.memory,
                                  bytes) == BBANS_ERR_PRECISION);
    CHECK(bbans_gaussian_hmm_init(m, 3, 2, PREC, 0, f.initial, f.transition,
                                  f.location, f.scale, NULL, f.memory,
                                  bytes) == BBANS_ERR_SIZE);
    CHECK(bbans_gaussian_hmm_init(m, 3, 2, PREC, 3, f.initial, f.transition,
                                  f.location, f.scale, NULL, f.memory,
                                  bytes - 1) == BBANS_ERR_CAPACITY);
    CHECK(bbans_gaussian_hmm_init(m, 3, 2, PREC, 3, NULL, f.transition,
                                  f.location, f.scale, NULL, f.memory,
                                  bytes) == BBANS_ERR_NULL);
    CHECK(bbans_gaussian_hmm_init(m, 3, 2, PREC - 1, 3, f.initial, f.transition,
                                  f.location, f.scale, NULL, f.memory,
                                  bytes) == BBANS_ERR_TABLE);
    f.lower[3] = 61; /* a shift */
    CHECK(init(&f, 1) == BBANS_ERR_TABLE);
    CHECK(init(&f, 0) == BBANS_OK);
    f.lower[3] = -40;
    CHECK(init(&f, 1) == BBANS_OK);
    f.lower[3 + 2] = 1; /* of the second channel on itself */
    CHECK(init(&f, 1) == BBANS_ERR_TABLE);
    f.lower[3 + 2] = 0;
    f.location[5] = (int64_t)1 << 46;
    CHECK(init(&f, 1) == BBANS_ERR_TABLE);
    f.location[5] = -(((int64_t)1 << 46) - 1);
    CHECK(init(&f, 1) == BBANS_OK);
    f.scale[4] = BBANS_SCALE_MAX + 1;
    CHECK(init(&f, 1) == BBANS_ERR_TABLE);
    drop(&f);
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
static void test_file(size_t K, size_t D, int full)
{
    fixture f = make(K, D, full);
    const size_t size = 28 + 4 * K * (1 + K) + 12 * K * D +
                        (full ? 2 * K * D * (1 + D) : 0) + 4;
    uint8_t *bytes = (uint8_t *)malloc(size + 1);
    uint8_t *again = (uint8_t *)malloc(size);
    const bbans_gaussian_hmm *built;
    size_t i, n_bytes, taken = 0;
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
    memory = build(&model, bytes, size);
    CHECK(memory != NULL && model.type == BBANS_MODEL_GAUSSIAN_HMM);
    CHECK(model.width == D && model.symbols == 0 && model.predictive == 1);
    built = &model.frozen->gaussian_hmm;
    CHECK(built->chain.states == K && built->channels == D);
    CHECK(built->chain.prec == PREC && built->space.start_length == 3);
    CHECK(built->space.predictive == 1 && (built->lower != NULL) == full);
    CHECK(memcmp(built->location, f.location, 8 * K * D) == 0);
    CHECK(memcmp(built->scale, f.scale, 4 * K * D) == 0);
    CHECK(!full || memcmp(built->lower, f.lower, 4 * K * D * (1 + D)) == 0);
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
    drop(&f);
    free(bytes);
    free(again);
}

/* The largest numbers of every kind: sanitizers see what overflows. */
static void test_limits(void)
{
    fixture f = make(64, 64, 1);
    const bbans_gaussian_hmm *m = &f.model;
    const size_t cap = 2 * bbans_sequence_tail_words(&m->space, 4);
    const size_t work_bytes = bbans_sequence_work_bytes(&m->space, 4, 4);
    uint32_t *tail = (uint32_t *)malloc(cap * sizeof *tail);
    void *work = malloc(work_bytes);
    static int64_t x[4 * 64], y[4 * 64];
    uint64_t head;
    bbans_message msg;
    size_t i, j;
    int shift;

    CHECK(tail != NULL && work != NULL);
    for (i = 0; i < 4 * 64; i++)
        x[i] = i % 2 == 0 ? INT64_MAX : INT64_MIN;
    for (i = 0; i < 64 * 64; i++) {
        f.location[i] = (((int64_t)1 << 46) - 1) * (i % 3 == 0 ? 1 : -1);
        f.scale[i] = i % 5 == 0 ? BBANS_SCALE_MIN : BBANS_SCALE_MAX;
    }
    for (shift = -40; shift <= 60; shift += 20) {
        for (i = 0; i < 64 * 64; i++) {
            f.lower[i * 65] = shift;
            for (j = 0; j < i % 64; j++)
                f.lower[i * 65 + 1 + j] = (i + j) % 2 ? INT32_MIN : INT32_MAX;
        }
        CHECK(init(&f, 1) == BBANS_OK);
        f.model.space.predictive = shift % 40 == 0;
        CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
        CHECK(bbans_sequence_encode(&m->space, x, 4, work, work_bytes, &msg) ==
              BBANS_OK);
        CHECK(bbans_sequence_decode(&m->space, &msg, y, 4, work, work_bytes) ==
              BBANS_OK);
        CHECK(memcmp(x, y, sizeof x) == 0);
    }
    drop(&f);
    free(tail);
    free(work);
}

int main(void)
{
    int isa;

    FOR_EACH_ISA(isa)
    {
        test_model(1, 1, 0);
        test_model(2, 1, 1);
        test_model(4, 6, 0);
        test_model(4, 6, 1);
        test_model(17, 3, 1);
    }
    test_refusals();
    test_file(1, 1, 0);
    test_file(3, 2, 0);
    test_file(2, 3, 1);
    test_limits();
    printf("test_gaussian_hmm: ok\n");
    return 0;
}
