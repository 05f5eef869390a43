/* A model that codes records, for tests: of any kind, with or without an end.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_TESTS_RECORD_MODEL_H
#define BBANS_TESTS_RECORD_MODEL_H

#include "bbans_internal.h"
#include "check.h"

#include <string.h>

#define RECORD_KINDS 5 /* bytes, listed bytes, UTF-8, characters, few bytes */
#define RECORD_PREC 20

static inline void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    CHECK(memory != NULL);
    return memory;
}

/* A model and what it points to. */
typedef struct {
    bbans_model model;
    bbans_frozen frozen;
    uint8_t values[8 * 64];
    void *memory;
} record_model;

/* Some symbols are likely. */
static inline void random_row(uint32_t *mass, size_t n)
{
    uint32_t spare = ((uint32_t)1 << RECORD_PREC) - (uint32_t)n;
    size_t k;

    for (k = 0; k < n; k++)
        mass[k] = 1;
    for (; spare > 0; spare -= spare / 2 + 1)
        mass[below((uint32_t)n)] += spare / 2 + 1;
}

static inline void list_values(record_model *m, int kind)
{
    const size_t n = kind == BBANS_KIND_TEXT ? 4 : 8;
    const size_t listed = m->model.symbols - (size_t)m->model.ends;
    uint64_t value = kind == BBANS_KIND_TEXT ? 60 : 0;
    size_t k;

    for (k = 0; k < listed; k++) {
        bbans_store(m->values + n * k, value, n);
        value +=
            1 + (kind == BBANS_KIND_TEXT && k > 20 ? below(5000) : below(4));
    }
    m->model.values = m->values;
}

static inline void make_record_model(record_model *m, unsigned kind, int ends)
{
    static const size_t symbols[RECORD_KINDS] = {256, 40, 256, 40, 3};
    const size_t states = 1 + below(20), M = symbols[kind] + (size_t)ends;
    uint32_t *mass = allocate(4 * states * (1 + states + M)), *row = mass;
    const size_t n = bbans_hmm_bytes(states, M);
    size_t i;

    memset(&m->model, 0, sizeof m->model);
    m->memory = allocate(n);
    for (i = 0; i < 1 + states; i++, row += states)
        random_row(row, states);
    for (i = 0; i < states; i++, row += M)
        random_row(row, M);
    CHECK(bbans_hmm_init(&m->frozen.hmm, states, M, RECORD_PREC, 1, mass,
                         mass + states, mass + states * (1 + states), m->memory,
                         n) == BBANS_OK);
    free(mass);
    m->model.type = BBANS_MODEL_HMM;
    m->model.kind = kind / 2 == 1 ? BBANS_KIND_TEXT : BBANS_KIND_BYTES;
    m->model.ends = ends;
    m->model.width = 1;
    m->model.symbols = M;
    m->model.frozen = &m->frozen;
    if (kind % 2 == 1)
        list_values(m, m->model.kind);
}

static inline void free_record_model(record_model *m)
{
    free(m->memory);
}

#endif
