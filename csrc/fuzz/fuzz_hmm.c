/* Fuzz hidden Markov models: the input makes one, dense or sparse, and a
 * sequence.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"

#define FEW_STATES 20
#define SPARSE 25 /* from here on few transitions make a sparse matrix */
#define SYMBOLS_MOST 12
#define LENGTH_MOST 16

const size_t fuzz_size_most = 400;

/* Forward messages and posteriors are those of one step after the other. */
static void filters(const bbans_hmm *hmm, const uint32_t *x, size_t n)
{
    uint32_t *predicted = fuzz_copy(hmm->initial, 4 * hmm->stride);
    uint32_t *step = fuzz_copy(hmm->initial, 4 * hmm->stride);
    uint32_t *filtered = fuzz_memory(4 * hmm->stride * n);
    uint32_t *alone = fuzz_memory(4 * hmm->stride);
    uint32_t *edge = fuzz_memory(4 * (hmm->stride + 1));
    uint32_t start, freq, found, start_found, freq_found;
    size_t t;

    CHECK(bbans_hmm_filter(hmm, predicted, x, n, filtered) == BBANS_OK);
    for (t = 0; t < n; t++) {
        CHECK(bbans_hmm_predict(hmm, step, x[t], &start, &freq) == BBANS_OK);
        CHECK(bbans_hmm_predict_find(hmm, step, start + freq / 2, &found,
                                     &start_found, &freq_found) == BBANS_OK);
        CHECK(found == x[t] && start == start_found && freq == freq_found);
        CHECK(bbans_hmm_filter_masses(hmm, bbans_emitting(hmm, x[t]), step,
                                      alone) == BBANS_OK);
        CHECK(fuzz_same(alone, filtered + t * hmm->stride, 4 * hmm->stride));
        CHECK(bbans_hmm_posterior(hmm, alone, x[t] % (hmm->states + 1), edge) ==
              BBANS_OK);
        CHECK(edge[0] == 0 && edge[hmm->stride] > 0);
    }
    CHECK(fuzz_same(step, predicted, 4 * hmm->stride));
    free(predicted);
    free(step);
    free(filtered);
    free(alone);
    free(edge);
}

/* Weights that no filter makes give useless numbers, but no more. */
static void any_weights(fuzz_input *in, const bbans_hmm *hmm)
{
    uint32_t *predicted = fuzz_memory(4 * hmm->stride);
    uint32_t *filtered = fuzz_memory(4 * hmm->stride);
    uint32_t *edge = fuzz_memory(4 * (hmm->stride + 1));
    const uint32_t slot = fuzz_below(in, (uint32_t)1 << hmm->prec);
    const uint32_t x = fuzz_below(in, (uint32_t)hmm->symbols);
    uint32_t start, freq, found = 0;
    bbans_status status;
    size_t i;

    for (i = 0; i < hmm->stride; i++)
        predicted[i] = (uint32_t)(fuzz_bits(in, 4) << fuzz_below(in, 32));
    status = bbans_hmm_predict(hmm, predicted, x, &start, &freq);
    CHECK(status == BBANS_OK || status == BBANS_ERR_TOTAL);
    status =
        bbans_hmm_predict_find(hmm, predicted, slot, &found, &start, &freq);
    CHECK(status == BBANS_OK || status == BBANS_ERR_TOTAL ||
          status == BBANS_ERR_INTERVAL);
    CHECK(status != BBANS_OK || found < hmm->symbols);
    CHECK(bbans_hmm_posterior(hmm, predicted, x % (hmm->states + 1), edge) ==
          BBANS_OK);
    CHECK(bbans_hmm_filter(hmm, predicted, &x, 1, filtered) == BBANS_OK);
    free(predicted);
    free(filtered);
    free(edge);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const size_t kind = fuzz_below(&in, 256);
    const size_t states =
        kind < 224 ? 1 + kind % FEW_STATES : SPARSE + kind % 16;
    const size_t symbols = 1 + fuzz_below(&in, SYMBOLS_MOST);
    const unsigned prec = 6 + fuzz_below(&in, BBANS_PREC_MAX - 5);
    const size_t start_length = 1 + fuzz_below(&in, LENGTH_MOST);
    const size_t n = fuzz_below(&in, LENGTH_MOST + 1);
    const size_t rows = 1 + 2 * states,
                 memory_bytes = bbans_hmm_bytes(states, symbols);
    uint32_t *mass = fuzz_memory(4 * states * (1 + states + symbols));
    uint32_t *x = fuzz_memory(4 * n), *row = mass;
    void *memory = fuzz_memory(memory_bytes);
    bbans_hmm hmm;
    size_t i, isa;

    for (i = 0; i < n; i++) /* symbol number `symbols` is none */
        x[i] = fuzz_below(&in, (uint32_t)symbols + (i == 3));
    for (i = 0; i < rows; i++) {
        const size_t columns = i <= states ? states : symbols;

        fuzz_masses(&in, row, columns, (uint32_t)1 << prec);
        row += columns;
    }
    CHECK(bbans_hmm_init(&hmm, states, symbols, prec, start_length, mass,
                         mass + states, mass + states * (1 + states), memory,
                         memory_bytes) == BBANS_OK);
    fuzz_engine(&in, &hmm.space, x, n);
    FUZZ_EACH_ISA(isa)
    {
        fuzz_input rest = in;

        if (n <= 3 || x[3] < symbols)
            filters(&hmm, x, n);
        any_weights(&rest, &hmm);
    }
    free(mass);
    free(x);
    free(memory);
    return 0;
}
