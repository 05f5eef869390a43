/* Models whose states are several numbers: round trips with each instruction
 * set, any bytes as messages, files, and what is refused.  A template: what
 * includes it defines OF(), the name of the model's struct, to which the end of
 * a function's name is put, TYPE, and how many rows of masses a level and the
 * emissions have, rows_of_level and rows_of_emissions.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"
#include "costs.h"

#include <string.h>

#define LENGTH 300
#define SYMBOLS 7
#define START 13
#define BELOW 60 /* bytes of a message that is there */

typedef struct {
    OF() model;
    uint32_t *mass;
    size_t n_masses;
    void *memory;
    size_t memory_bytes;
} fixture;

static void *allocate(size_t n)
{
    void *memory = malloc(n);

    CHECK(memory != NULL);
    return memory;
}

/* Rows from flat to all that can be on one entry. */
static uint32_t *put_row(uint32_t *mass, size_t n, unsigned prec)
{
    uint32_t spare = ((uint32_t)1 << prec) - (uint32_t)n;
    const unsigned kind = below(3);
    size_t k;

    for (k = 0; k < n; k++) {
        const uint32_t more = kind == 0   ? spare / (uint32_t)(n - k)
                              : kind == 1 ? below(spare / 2 + 1)
                                          : 0;

        mass[k] = 1 + more;
        spare -= more;
    }
    mass[below((uint32_t)n)] += spare;
    return mass + n;
}

static fixture make(size_t levels, const size_t *states, unsigned prec)
{
    fixture f;
    uint32_t *mass;
    size_t l, i;

    f.n_masses = (size_t)OF(_mass_count)(levels, states, SYMBOLS);
    f.memory_bytes = OF(_bytes)(levels, states, SYMBOLS);
    f.mass = mass = (uint32_t *)allocate(4 * f.n_masses);
    f.memory = allocate(f.memory_bytes);
    for (l = 0; l < levels; l++)
        for (i = 0; i < rows_of_level(levels, states, l); i++)
            mass = put_row(mass, states[l], prec);
    for (i = 0; i < rows_of_emissions(levels, states); i++)
        mass = put_row(mass, SYMBOLS, prec);
    CHECK(mass == f.mass + f.n_masses);
    CHECK(OF(_init)(&f.model, levels, states, SYMBOLS, prec, START, f.mass,
                    f.memory, f.memory_bytes) == BBANS_OK);
    return f;
}

static void clear(fixture *f)
{
    free(f->mass);
    free(f->memory);
}

/* Both modes with each instruction set, whatever records are kept; and over a
 * message that is there. */
static void test_model(size_t levels, const size_t *states, unsigned prec)
{
    fixture f = make(levels, states, prec);
    bbans_state_space *space = &f.model.space;
    const size_t words = bbans_sequence_tail_words(space, LENGTH);
    const size_t cap = words + LENGTH * space->pop_words;
    const size_t least = bbans_sequence_work_bytes(space, LENGTH, 7);
    const size_t most = bbans_sequence_work_bytes(space, LENGTH, LENGTH);
    uint32_t *tail = (uint32_t *)allocate(4 * cap);
    uint8_t *bytes = (uint8_t *)allocate(4 * cap);
    uint8_t *first[2] = {(uint8_t *)allocate(4 * cap),
                         (uint8_t *)allocate(4 * cap)};
    size_t n_first[2] = {0, 0};
    uint32_t x[LENGTH], y[LENGTH];
    void *work = allocate(most);
    uint64_t head;
    bbans_message msg;
    size_t i, n_bytes;
    int isa, predictive, trial;

    for (i = 0; i < LENGTH; i++)
        x[i] = below(below(4) ? SYMBOLS : 2);
    FOR_EACH_ISA(isa)
    {
        for (predictive = 0; predictive < 2; predictive++) {
            space->predictive = predictive;
            CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
            CHECK(bbans_sequence_encode(space, x, LENGTH, work,
                                        isa % 2 ? least : most,
                                        &msg) == BBANS_OK);
            CHECK(bbans_message_write(&msg, bytes, 4 * cap, &n_bytes) ==
                  BBANS_OK);
            if (n_first[predictive] == 0) {
                memcpy(first[predictive], bytes, n_bytes);
                n_first[predictive] = n_bytes;
            }
            CHECK(n_bytes == n_first[predictive]);
            CHECK(memcmp(bytes, first[predictive], n_bytes) == 0);
            CHECK(bbans_sequence_decode(space, &msg, y, LENGTH, work, most) ==
                  BBANS_OK);
            CHECK(memcmp(x, y, sizeof x) == 0);
        }
        for (i = 0; i < BELOW; i++)
            bytes[i] = (uint8_t)(random_bits() | 1);
        CHECK(bbans_message_read(&msg, bytes, BELOW) == BBANS_OK);
        CHECK(bbans_sequence_push(space, &msg, x, LENGTH, work, least) ==
              BBANS_OK);
        CHECK(bbans_sequence_pop(space, &msg, y, LENGTH, work, least) ==
              BBANS_OK);
        CHECK(memcmp(x, y, sizeof x) == 0);
        CHECK(bbans_message_write(&msg, bytes + BELOW, 4 * cap - BELOW,
                                  &n_bytes) == BBANS_OK);
        CHECK(n_bytes == BELOW && memcmp(bytes, bytes + BELOW, BELOW) == 0);
    }
    check_costs(space, x, LENGTH);
    for (trial = 0; trial < 60; trial++) { /* any bytes */
        for (i = 0; i < 100; i++)
            bytes[i] = (uint8_t)random_bits();
        bytes[99] |= 1;
        space->predictive = trial % 2;
        CHECK(bbans_message_read(&msg, bytes, 100) == BBANS_OK);
        (void)bbans_sequence_decode(space, &msg, y, 1 + below(LENGTH), work,
                                    most);
    }
    x[3] = SYMBOLS;
    CHECK(bbans_sequence_encode(space, x, LENGTH, work, most, &msg) ==
          BBANS_ERR_SYMBOL);
    free(tail);
    free(bytes);
    free(first[0]);
    free(first[1]);
    free(work);
    clear(&f);
}

static void test_refused(void)
{
    const size_t states[3] = {3, 2, 4}, many[3] = {64, 64, 2};
    size_t none[3] = {3, 0, 4};
    fixture f = make(3, states, 12);
    OF() m;

#define INIT(levels, states, symbols, prec, start, bytes)                      \
    OF(_init)(&m, levels, states, symbols, prec, start, f.mass, f.memory, bytes)
    CHECK(INIT(3, states, SYMBOLS, 12, 1, f.memory_bytes) == BBANS_OK);
    CHECK(INIT(3, NULL, SYMBOLS, 12, 1, f.memory_bytes) == BBANS_ERR_NULL);
    CHECK(INIT(3, states, SYMBOLS, 0, 1, f.memory_bytes) ==
          BBANS_ERR_PRECISION);
    CHECK(INIT(3, states, SYMBOLS, 29, 1, f.memory_bytes) ==
          BBANS_ERR_PRECISION);
    CHECK(INIT(0, states, SYMBOLS, 12, 1, f.memory_bytes) == BBANS_ERR_SIZE);
    CHECK(INIT(9, states, SYMBOLS, 12, 1, f.memory_bytes) == BBANS_ERR_SIZE);
    CHECK(INIT(3, states, 0, 12, 1, f.memory_bytes) == BBANS_ERR_SIZE);
    CHECK(INIT(3, states, SYMBOLS, 12, 0, f.memory_bytes) == BBANS_ERR_SIZE);
    CHECK(INIT(3, none, SYMBOLS, 12, 1, f.memory_bytes) == BBANS_ERR_SIZE);
    CHECK(INIT(3, many, SYMBOLS, 12, 1, f.memory_bytes) == BBANS_ERR_SIZE);
    CHECK(INIT(3, states, SYMBOLS, 12, 1, f.memory_bytes - 1) ==
          BBANS_ERR_CAPACITY);
    CHECK(INIT(3, states, SYMBOLS, 13, 1, f.memory_bytes) == BBANS_ERR_TABLE);
    f.mass[f.n_masses - 1] += 1;
    CHECK(INIT(3, states, SYMBOLS, 12, 1, f.memory_bytes) == BBANS_ERR_TABLE);
    f.mass[f.n_masses - 1] -= 1;
    f.mass[0] += f.mass[1];
    f.mass[1] = 0;
    CHECK(INIT(3, states, SYMBOLS, 12, 1, f.memory_bytes) == BBANS_ERR_TABLE);
#undef INIT
    CHECK(OF(_bytes)(2, many, SYMBOLS) > 0);
    CHECK(OF(_bytes)(3, many, SYMBOLS) == 0);
    CHECK(OF(_bytes)(1, NULL, SYMBOLS) == 0);
    clear(&f);
}

/* Parse and build a file; the memory, or NULL for what is refused. */
static void *build(bbans_model *model, const uint8_t *bytes, size_t n_bytes)
{
    void *memory;
    size_t n;

    if (bbans_model_parse(model, bytes, n_bytes) != BBANS_OK)
        return NULL;
    n = bbans_model_bytes(model);
    memory = allocate(n);
    CHECK(bbans_model_build(model, memory, n - 1) == BBANS_ERR_CAPACITY);
    if (bbans_model_build(model, memory, n) == BBANS_OK)
        return memory;
    free(memory);
    return NULL;
}

/* What is written is read again; every cut and flipped bit is refused, and with
 * the checksum made right is refused, or a model to its letter. */
static void test_file(size_t levels, const size_t *states)
{
    static const int64_t value[SYMBOLS] = {-9, -1, 0, 3, 4, 5, 1000};
    fixture f = make(levels, states, 10);
    const size_t size = 24 + 4 * levels + 8 * SYMBOLS + 4 * f.n_masses + 4;
    uint8_t *bytes = (uint8_t *)allocate(size + 1);
    uint8_t *again = (uint8_t *)allocate(size);
    int64_t values[SYMBOLS];
    size_t i, k, n_bytes, taken = 0;
    bbans_model model;
    void *memory;

    f.model.space.predictive = 1;
    CHECK(bbans_model_write(&f.model.space, BBANS_KIND_BYTES, value, 0, bytes,
                            size, &n_bytes) == BBANS_ERR_SYMBOL);
    CHECK(bbans_model_write(&f.model.space, BBANS_KIND_INTEGERS, value, 0,
                            bytes, size - 1, &n_bytes) == BBANS_ERR_CAPACITY);
    CHECK(n_bytes == size);
    CHECK(bbans_model_write(&f.model.space, BBANS_KIND_INTEGERS, value, 0,
                            bytes, size, &n_bytes) == BBANS_OK);
    memory = build(&model, bytes, size);
    CHECK(memory != NULL && model.type == TYPE);
    CHECK(model.symbols == SYMBOLS && model.width == 1);
    CHECK(bbans_model_value(&model, 6) == 1000);
    CHECK(model.frozen->space.predictive == 1);
    CHECK(model.frozen->space.start_length == START);
    free(memory);
    for (i = 0; i < size; i++) {
        uint8_t *cut = (uint8_t *)allocate(i + 1);

        memcpy(cut, bytes, i);
        CHECK(bbans_model_parse(&model, cut, i) == BBANS_ERR_TRUNCATED);
        free(cut);
    }
    bytes[size] = 0;
    CHECK(bbans_model_parse(&model, bytes, size + 1) == BBANS_ERR_CORRUPT);
    for (i = 0; i < 8 * (size - 4); i++) {
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK(bbans_model_parse(&model, bytes, size) != BBANS_OK);
        bbans_store(bytes + size - 4, bbans_crc32(0, bytes, size - 4), 4);
        memory = build(&model, bytes, size);
        if (memory != NULL) {
            for (k = 0; k < model.symbols; k++)
                values[k] = bbans_model_value(&model, k);
            CHECK(bbans_model_write(&model.frozen->space, model.kind, values,
                                    model.ends, again, size,
                                    &n_bytes) == BBANS_OK);
            CHECK(n_bytes == size && memcmp(again, bytes, size) == 0);
            taken++;
        }
        free(memory);
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        bbans_store(bytes + size - 4, bbans_crc32(0, bytes, size - 4), 4);
    }
    CHECK(taken > 16); /* the mode, the start length, what symbols stand for */
    free(bytes);
    free(again);
    clear(&f);
}

static void test_all(void)
{
    static const struct {
        size_t levels, states[BBANS_LEVELS_MAX];
    } cases[] = {{1, {1}},          {1, {5}},     {2, {8, 8}},
                 {2, {3, 17}},      {2, {17, 3}}, {3, {2, 3, 4}},
                 {4, {1, 2, 1, 3}}, {2, {64, 2}}, {8, {2, 2, 2, 2, 2, 2, 2, 2}},
                 {3, {16, 1, 3}},   {2, {33, 9}}, {4, {3, 11, 5, 2}}};
    static const unsigned precs[] = {10, 24, 28};
    size_t i, k;

    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        for (k = 0; k < sizeof precs / sizeof *precs; k++)
            test_model(cases[i].levels, cases[i].states, precs[k]);
    test_refused();
    test_file(1, cases[1].states);
    test_file(3, cases[5].states);
}
