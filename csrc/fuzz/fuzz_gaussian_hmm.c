/* Fuzz hidden Markov models of vectors: the input makes one, of any means and
 * covariances, and a sequence of any numbers.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"

#define STATES_MOST 5
#define CHANNELS_MOST 4
#define LENGTH_MOST 8

const size_t fuzz_size_most = 400;

/* In 2^-16, below 2^46 either side of 0. */
static int64_t take_location(fuzz_input *in)
{
    return fuzz_value(in) % ((int64_t)1 << 46);
}

static int32_t take_scale(fuzz_input *in)
{
    return BBANS_SCALE_MIN +
           (int32_t)fuzz_below(in, BBANS_SCALE_MAX - BBANS_SCALE_MIN + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const size_t states = 1 + fuzz_below(&in, STATES_MOST);
    const size_t channels = 1 + fuzz_below(&in, CHANNELS_MOST);
    const unsigned prec = 4 + fuzz_below(&in, BBANS_PREC_MAX - 3);
    const size_t start_length = 1 + fuzz_below(&in, LENGTH_MOST);
    const size_t n = fuzz_below(&in, LENGTH_MOST + 1), p = states * channels;
    const int full = (int)fuzz_below(&in, 2), odd = (int)fuzz_below(&in, 16);
    const size_t memory_bytes = bbans_gaussian_hmm_bytes(states, channels);
    uint32_t *initial = fuzz_memory(4 * states);
    uint32_t *transition = fuzz_memory(4 * states * states);
    int64_t *location = fuzz_memory(8 * p), *x = fuzz_memory(8 * n * channels);
    int32_t *scale = fuzz_memory(4 * p);
    int32_t *lower = fuzz_memory(4 * p * (1 + channels)), *at = lower;
    void *memory = fuzz_memory(memory_bytes);
    bbans_gaussian_hmm model;
    bbans_status status;
    size_t i, j;

    for (i = 0; i < p; i++) {
        location[i] = take_location(&in);
        scale[i] = take_scale(&in);
        *at++ = (int32_t)fuzz_below(&in, 101) - 40;
        for (j = 0; j < channels; j++)
            *at++ = j < i % channels ? (int32_t)(uint32_t)fuzz_bits(&in, 4) : 0;
    }
    if (odd == 0) /* most of these are refused */
        lower[p * (1 + channels) - 1] = (int32_t)(uint32_t)fuzz_bits(&in, 4);
    else if (odd == 1)
        scale[p - 1] = (int32_t)(uint32_t)fuzz_bits(&in, 4);
    for (i = 0; i < n * channels; i++)
        x[i] = fuzz_value(&in);
    fuzz_masses(&in, initial, states, (uint32_t)1 << prec);
    for (i = 0; i < states; i++)
        fuzz_masses(&in, transition + i * states, states, (uint32_t)1 << prec);
    status = bbans_gaussian_hmm_init(
        &model, states, channels, prec, start_length, initial, transition,
        location, scale, full ? lower : NULL, memory, memory_bytes);
    CHECK(status == BBANS_OK || (odd < 2 && status == BBANS_ERR_TABLE));
    if (status == BBANS_OK)
        fuzz_engine(&in, &model.space, x, n);
    free(initial);
    free(transition);
    free(location);
    free(scale);
    free(lower);
    free(memory);
    free(x);
    return 0;
}
