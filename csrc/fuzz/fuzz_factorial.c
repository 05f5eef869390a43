/* Fuzz factorial hidden Markov models.
 *
 * SPDX-License-Identifier: MIT */
#include "chains.h"

const size_t fuzz_size_most = 300;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    size_t states[CHAINS_MOST];
    const size_t chains = take_states(&in, states);
    const size_t symbols = 1 + fuzz_below(&in, SYMBOLS_MOST);
    const unsigned prec = 6 + fuzz_below(&in, BBANS_PREC_MAX - 5);
    const size_t start_length = 1 + fuzz_below(&in, LENGTH_MOST);
    const size_t n = fuzz_below(&in, LENGTH_MOST + 1);
    const size_t memory_bytes = bbans_factorial_bytes(chains, states, symbols);
    const size_t n_masses =
        (size_t)bbans_factorial_mass_count(chains, states, symbols);
    uint32_t *mass = fuzz_memory(4 * n_masses);
    uint32_t *x = fuzz_memory(4 * n), *end;
    void *memory = fuzz_memory(memory_bytes);
    bbans_factorial model;
    size_t i, all = 1;

    for (i = 0; i < n; i++) /* symbol number `symbols` is none */
        x[i] = fuzz_below(&in, (uint32_t)symbols + (i == 3));
    end = take_chains(&in, mass, chains, states, prec, 0);
    for (i = 0; i < chains; i++)
        all *= states[i];
    end = take_rows(&in, end, all, symbols, prec);
    CHECK(end == mass + n_masses);
    CHECK(bbans_factorial_init(&model, chains, states, symbols, prec,
                               start_length, mass, memory,
                               memory_bytes) == BBANS_OK);
    fuzz_engine(&in, &model.space, x, n);
    free(mass);
    free(x);
    free(memory);
    return 0;
}
