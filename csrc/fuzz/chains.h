/* Models of several chains of states, one above the other or side by side: the
 * input makes one, and a sequence.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FUZZ_CHAINS_H
#define BBANS_FUZZ_CHAINS_H

#include "engine.h"

#define CHAINS_MOST 4
#define STATES_MOST 6 /* of a chain */
#define ALL_MOST 40   /* of all of them together */
#define SYMBOLS_MOST 5
#define LENGTH_MOST 12

/* How many states each has; returns how many chains. */
static inline size_t take_states(fuzz_input *in, size_t *states)
{
    const size_t chains = 1 + fuzz_below(in, CHAINS_MOST);
    size_t all = 1, l;

    for (l = 0; l < chains; l++) {
        states[l] = 1 + fuzz_below(in, STATES_MOST);
        if (all * states[l] > ALL_MOST)
            states[l] = 1;
        all *= states[l];
    }
    return chains;
}

static inline uint32_t *take_rows(fuzz_input *in, uint32_t *mass, size_t rows,
                                  size_t n, unsigned prec)
{
    for (; rows > 0; rows--, mass += n)
        fuzz_masses(in, mass, n, (uint32_t)1 << prec);
    return mass;
}

/* Masses of initial states and transitions, a chain after the other; of levels
 * there is a matrix for each state of the level above. */
static inline uint32_t *take_chains(fuzz_input *in, uint32_t *mass,
                                    size_t chains, const size_t *states,
                                    unsigned prec, int levels)
{
    size_t l;

    for (l = 0; l < chains; l++) {
        const size_t above = levels && l + 1 < chains ? states[l + 1] : 1;

        mass = take_rows(in, mass, above * (1 + states[l]), states[l], prec);
    }
    return mass;
}

#endif
