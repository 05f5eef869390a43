/* Fuzz autoregressive hidden Markov models: the input makes one, with contexts,
 * valid ones or any, and a sequence.
 *
 * SPDX-License-Identifier: MIT */
#include "contexts.h"
#include "engine.h"

#define STATES_MOST 10
#define SYMBOLS_MOST 9
#define LENGTH_MOST 20

const size_t fuzz_size_most = 400;

/* Some number is another one: most are refused then. */
static void damage(fuzz_input *in, const bbans_contexts *c)
{
    const struct {
        const uint8_t *bytes;
        size_t n;
    } arrays[] = {{c->children, 4 * (c->contexts + 1)},
                  {c->first, 4 * (c->contexts + 1)},
                  {c->label, 2 * c->contexts},
                  {c->symbol, 2 * c->entries},
                  {c->sum, 2 * c->entries},
                  {c->back_off, c->contexts}};
    const unsigned which = fuzz_below(in, 6);

    if (arrays[which].n > 0)
        ((uint8_t *)(uintptr_t)arrays[which]
             .bytes)[fuzz_below(in, (uint32_t)arrays[which].n)] =
            (uint8_t)fuzz_bits(in, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const size_t states = 1 + fuzz_below(&in, STATES_MOST);
    const uint32_t symbols = 1 + fuzz_below(&in, SYMBOLS_MOST);
    const unsigned prec = 4 + fuzz_below(&in, BBANS_CONTEXT_BITS - 3);
    const size_t start_length = 1 + fuzz_below(&in, LENGTH_MOST);
    const size_t n = fuzz_below(&in, LENGTH_MOST + 1);
    const int damaged = (int)fuzz_below(&in, 8) == 0;
    const size_t rows = 1 + 2 * states;
    const size_t memory_bytes = bbans_hmm_bytes(states, symbols);
    uint32_t *mass = fuzz_memory(4 * states * (1 + states + symbols));
    uint32_t *x = fuzz_memory(4 * n), *row = mass;
    void *memory = fuzz_memory(memory_bytes);
    bbans_contexts contexts;
    bbans_hmm hmm;
    size_t i;

    for (i = 0; i < n; i++)
        x[i] = fuzz_below(&in, symbols);
    contexts = fuzz_contexts(&in, symbols);
    if (damaged)
        damage(&in, &contexts);
    for (i = 0; i < rows; i++) {
        const size_t columns = i <= states ? states : symbols;

        fuzz_masses(&in, row, columns, (uint32_t)1 << prec);
        row += columns;
    }
    CHECK(bbans_hmm_init(&hmm, states, symbols, prec, start_length, mass,
                         mass + states, mass + states * (1 + states), memory,
                         memory_bytes) == BBANS_OK);
    if (bbans_hmm_set_contexts(&hmm, &contexts) == BBANS_OK)
        fuzz_engine(&in, &hmm.space, x, n);
    else
        CHECK(damaged);
    fuzz_contexts_free(&contexts);
    free(mass);
    free(x);
    free(memory);
    return 0;
}
