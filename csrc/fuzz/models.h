/* What is done with a model file, whatever is in it: it is read, written again
 * to the same bytes, packed and unpacked, and codes as all models do.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FUZZ_MODELS_H
#define BBANS_FUZZ_MODELS_H

#include "engine.h"

#define MEMORY_MOST ((size_t)1 << 22)
#define WORK_MOST ((size_t)1 << 18)
#define PRODUCTS_MOST ((uint64_t)1 << 12)
#define STEPS 5

static inline int has_networks(const bbans_model *model)
{
    return model->type == BBANS_MODEL_VAE ||
           model->type == BBANS_MODEL_DEEP_SSM;
}

/* Observations that the model takes. */
static inline void draw_observations(const bbans_model *model, uint8_t *x,
                                     size_t n, size_t x_bytes)
{
    const bbans_head *head = &model->frozen->vae.base.head;
    const bbans_tree *tree = &model->frozen->tree;
    size_t i;

    for (i = 0; i < x_bytes; i++)
        x[i] = (uint8_t)random_bits();
    for (i = 0; model->symbols > 0 && i < n; i++)
        ((uint32_t *)(void *)x)[i] = below((uint32_t)model->symbols);
    if (model->type == BBANS_MODEL_TREE)
        for (i = 0; i < x_bytes / sizeof(int32_t); i++)
            ((int32_t *)(void *)x)[i] =
                (int32_t)below(tree->symbols[i % tree->columns]);
    if (!has_networks(model))
        return;
    for (i = 0; i < x_bytes / sizeof(int32_t); i++)
        ((int32_t *)(void *)x)[i] =
            (int32_t)(head->low +
                      (int64_t)(random_bits() % (uint64_t)((int64_t)head->high -
                                                           head->low + 1)));
}

/* A few bytes can be networks that take long, or much memory. */
static inline int is_small(const bbans_model *model)
{
    const bbans_state_space *space = &model->frozen->space;
    const bbans_latent_model *latent = &model->frozen->vae.base;
    const size_t work_bytes = bbans_sequence_work_bytes(space, STEPS, STEPS);
    size_t i;

    if (work_bytes == 0 || work_bytes > WORK_MOST ||
        space->push_words + space->pop_words > WORK_MOST / STEPS / 4)
        return 0;
    if (!has_networks(model))
        return 1;
    for (i = 0; i < latent->networks; i++)
        if (latent->network[i].products > PRODUCTS_MOST)
            return 0;
    return 1;
}

static inline void code(const fuzz_input *in, const bbans_model *model)
{
    bbans_frozen frozen = *model->frozen;
    bbans_state_space *space = &frozen.space;
    const size_t n = 1 + (size_t)random_bits() % STEPS;
    const size_t x_bytes = n * space->observation_bytes;
    uint8_t *x = fuzz_memory(x_bytes);

    draw_observations(model, x, n, x_bytes);
    fuzz_engine(in, space, x, n);
    free(x);
}

static inline void write_again(const bbans_model *model, const uint8_t *file,
                               size_t n)
{
    int64_t *value = fuzz_memory(8 * model->symbols);
    uint8_t *again = fuzz_memory(n);
    size_t i, used;

    for (i = 0; i < model->symbols; i++)
        value[i] = bbans_model_value(model, i);
    CHECK(bbans_model_write(&model->frozen->space, model->kind,
                            model->values == NULL ? NULL : value, model->ends,
                            again, n, &used) == BBANS_OK);
    CHECK(used == n && fuzz_same(again, file, n));
    free(value);
    free(again);
}

/* Bytes of the packed form, whose checksum is that of what comes out. */
static inline void unpack(const uint8_t *file, size_t size)
{
    size_t n;

    if (bbans_model_unpack(file, size, NULL, 0, &n) == BBANS_ERR_CAPACITY &&
        n <= MEMORY_MOST) {
        uint8_t *plain = fuzz_memory(n);

        (void)bbans_model_unpack(file, size, plain, n, &n);
        free(plain);
    }
}

/* What can be packed comes back. */
static inline void pack(const uint8_t *file, size_t size)
{
    size_t cap, n, m;
    uint8_t *packed, *plain;

    if (bbans_model_pack(file, size, NULL, 0, &cap) != BBANS_ERR_CAPACITY)
        return;
    packed = fuzz_memory(cap);
    if (bbans_model_pack(file, size, packed, cap, &n) == BBANS_OK) {
        CHECK(bbans_model_unpack(packed, n, NULL, 0, &m) == BBANS_ERR_CAPACITY);
        plain = fuzz_memory(m);
        CHECK(bbans_model_unpack(packed, n, plain, m, &m) == BBANS_OK);
        CHECK(m == size && fuzz_same(plain, file, size));
        free(plain);
    }
    free(packed);
}

/* A file, whose checksum is made right; `in` is for what it codes. */
static inline void fuzz_model_file(const fuzz_input *in, const uint8_t *data,
                                   size_t size)
{
    uint8_t *file = fuzz_copy(data, size);
    bbans_model model;

    bbans_store(file + size - 4, bbans_crc32(0, file, size - 4), 4);
    unpack(file, size);
    if (bbans_model_parse(&model, file, size) == BBANS_OK &&
        bbans_model_bytes(&model) <= MEMORY_MOST) {
        const size_t n = bbans_model_bytes(&model);
        void *memory = fuzz_memory(n);

        if (bbans_model_build(&model, memory, n) == BBANS_OK) {
            write_again(&model, file, size);
            pack(file, size);
            if (is_small(&model))
                code(in, &model);
        }
        free(memory);
    }
    free(file);
}

static inline uint8_t *put(uint8_t *at, uint64_t value, size_t n)
{
    bbans_store(at, value, n);
    return at + n;
}

#endif
