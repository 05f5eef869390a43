/* Fuzz linear Gaussian state space models: any numbers that are in range, which
 * need be those of no float model, and a sequence of any numbers.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"

#define LATENTS_MOST 4
#define STEPS_MOST 3
#define LENGTH_MOST 8

const size_t fuzz_size_most = 500;

/* Rows of a shift and coefficients: half of them as of matrices of about 1. */
static int32_t *take_matrix(fuzz_input *in, int32_t *word, size_t rows,
                            size_t columns)
{
    size_t i, j;

    for (i = 0; i < rows; i++) {
        const unsigned kind = fuzz_below(in, 256);

        *word++ = kind < 128 ? 6 : (int32_t)(kind - 128) % 101 - 40;
        for (j = 0; j < columns; j++)
            *word++ = (int32_t)(uint32_t)(fuzz_bits(in, 1 + kind % 4) << 24);
    }
    return word;
}

static int32_t *take_scales(fuzz_input *in, int32_t *word, size_t n)
{
    for (; n > 0; n--)
        *word++ =
            BBANS_SCALE_MIN +
            (int32_t)fuzz_below(in, BBANS_SCALE_MAX - BBANS_SCALE_MIN + 1);
    return word;
}

/* A, J, C, K, of predictions and starts, then scales: docs/format.md. */
static int32_t *take_step(fuzz_input *in, int32_t *word, size_t n, size_t p)
{
    word = take_matrix(in, word, n, n);
    word = take_matrix(in, word, n, n);
    word = take_matrix(in, word, p, n);
    word = take_matrix(in, word, n, p);
    word = take_matrix(in, word, 2 * p, p);
    word = take_matrix(in, word, n, n);
    return take_scales(in, word, 3 * n + 2 * p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const size_t latents = 1 + fuzz_below(&in, LATENTS_MOST);
    const size_t observed = 1 + fuzz_below(&in, LATENTS_MOST);
    const size_t steps = 1 + fuzz_below(&in, STEPS_MOST);
    const size_t n = fuzz_below(&in, LENGTH_MOST + 1);
    const size_t start_length = 1 + fuzz_below(&in, LENGTH_MOST);
    const unsigned start_bits = fuzz_below(&in, 300);
    const int noise = (int)fuzz_below(&in, 3);
    const size_t words = bbans_lgssm_step_words(latents, observed);
    const size_t offsets = steps * (latents + observed);
    int64_t *offset = fuzz_memory(8 * offsets);
    int32_t *word = fuzz_memory(4 * words * steps), *at = word;
    int64_t *x = fuzz_memory(8 * observed * n);
    bbans_lgssm model;
    bbans_status status;
    int damaged;
    size_t i;

    for (i = 0; i < n * observed; i++)
        x[i] = fuzz_value(&in);
    for (i = 0; i < offsets; i++)
        offset[i] = fuzz_value(&in) % ((int64_t)1 << 46);
    for (i = 0; i < steps; i++)
        at = take_step(&in, at, latents, observed);
    CHECK(at == word + words * steps);
    damaged = fuzz_below(&in, 16) == 1;
    if (damaged)
        word[fuzz_below(&in, (uint32_t)(words * steps))] =
            (int32_t)(uint32_t)fuzz_bits(&in, 4);
    status = bbans_lgssm_init(&model, latents, observed, steps, noise,
                              start_length, start_bits, offset, word);
    CHECK(status == BBANS_OK || (damaged && status == BBANS_ERR_TABLE));
    if (status == BBANS_OK)
        fuzz_engine(&in, &model.space, x, n);
    free(offset);
    free(word);
    free(x);
    return 0;
}
