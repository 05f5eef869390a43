/* Factorial hidden Markov models in the schedule: docs/maths.md, "Factorial
 * hidden Markov models".
 *
 * Weights of all states together have a place each, in rows of place[first[1]]
 * for the first group of chains; what is beyond its states in a row counts
 * nothing, since no mass of emission or of what leads there is more than 0.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_state_space.h"

#define MODEL bbans_factorial
#define TYPE BBANS_MODEL_FACTORIAL
#include "bbans_levels.h"

/* ---- The tables ---------------------------------------------------------- */

/* Chains are in one group as long as it has no more states: a matrix of them
 * all takes no more products than its factors then, with what is padded, and
 * rounds once. */
#define GROUP_STATES 32

/* States of group g, and in a row of weights. */
static size_t group_states(const bbans_factorial *m, size_t g)
{
    size_t l, states = 1;

    for (l = m->first[g]; l < m->first[g + 1]; l++)
        states *= m->states[l];
    return states;
}

static size_t above(size_t levels, const size_t *states, size_t l)
{
    (void)levels;
    (void)states;
    (void)l;
    return 1;
}

static size_t emitting_states(size_t levels, const size_t *states)
{
    return all_states(levels, states);
}

static size_t put_places(bbans_factorial *m)
{
    size_t l, group = 1;

    for (l = 0; l < m->levels; l++) {
        if (l > 0 && group * m->states[l] > GROUP_STATES) {
            if (m->groups == 0)
                m->place[l] = round_up(m->place[l], 8);
            m->first[++m->groups] = l;
            group = 1;
        }
        group *= m->states[l];
        m->place[l + 1] = m->place[l] * m->states[l];
    }
    if (m->groups == 0)
        m->place[m->levels] = round_up(m->place[m->levels], 8);
    m->first[++m->groups] = m->levels;
    m->stride = round_up(m->place[m->levels], 16);
    return m->stride;
}

/* Words of a group's masses at 15 bits. */
static uint64_t words_of_pairs(const bbans_factorial *m, size_t g)
{
    const uint64_t n = group_states(m, g), row = m->place[m->first[1]];

    return g == 0 ? row / 2 * row : (n + 1) / 2 * n;
}

static uint64_t words_of_tables(const bbans_factorial *m)
{
    uint64_t words = m->stride * (2 * (uint64_t)m->symbols + 2);
    size_t g;

    for (g = 0; g < m->groups; g++)
        words += words_of_pairs(m, g);
    return words;
}

/* The place of the weight of a state of all chains; z gets those of each. */
static size_t place_of(const bbans_factorial *m, size_t state, size_t *z)
{
    size_t l, place = 0;

    for (l = 0; l < m->levels; l++) {
        z[l] = state % m->states[l];
        place += z[l] * m->place[l];
        state /= m->states[l];
    }
    return place;
}

/* The weights before the first observation. */
static uint32_t *put_initial(const bbans_factorial *m,
                             const uint32_t *const *first, uint32_t *out)
{
    const size_t all = all_states(m->levels, m->states);
    size_t z[BBANS_LEVELS_MAX], i, l;

    memset(out, 0, m->stride * sizeof *out);
    for (i = 0; i < all; i++) {
        const size_t place = place_of(m, i, z);
        uint64_t w = (uint64_t)1 << BBANS_JOINT_BITS;

        for (l = m->levels; l-- > 0;)
            w = w * first[l][z[l]] >> m->prec;
        out[place] = (uint32_t)w + 1;
    }
    return out + m->stride;
}

/* out[symbol][stride] of mass[state][symbol]. */
static uint32_t *put_emitting(const bbans_factorial *m, const uint32_t *mass,
                              uint32_t *out)
{
    const size_t all = all_states(m->levels, m->states);
    size_t z[BBANS_LEVELS_MAX], i, x;

    memset(out, 0, m->symbols * m->stride * sizeof *out);
    for (i = 0; i < all; i++, mass += m->symbols) {
        const size_t place = place_of(m, i, z);

        for (x = 0; x < m->symbols; x++)
            out[x * m->stride + place] = mass[x];
    }
    return out + m->symbols * m->stride;
}

/* The mass at 15 bits with which state `before` of a group leads to `next`. */
static uint32_t group_mass(const bbans_factorial *m, size_t g,
                           const uint32_t *const *transition, size_t before,
                           size_t next)
{
    uint64_t w = (uint64_t)1 << m->prec;
    size_t l, place = group_states(m, g);

    if (before >= place || next >= place)
        return 0;
    for (l = m->first[g + 1]; l-- > m->first[g];) {
        const size_t K = m->states[l];

        place /= K;
        w = w * transition[l][before / place % K * K + next / place % K] >>
            m->prec;
    }
    return bbans_to_15_bits((uint32_t)w, m->prec);
}

static uint32_t *put_pairs(const bbans_factorial *m, size_t g,
                           const uint32_t *const *transition, uint32_t *out)
{
    const size_t n = g == 0 ? m->place[m->first[1]] : group_states(m, g);
    const size_t pairs = (n + 1) / 2;
    size_t next, k;

    for (next = 0; next < n; next++)
        for (k = 0; k < pairs; k++)
            out[g == 0 ? k * n + next : next * pairs + k] =
                group_mass(m, g, transition, 2 * k, next) |
                group_mass(m, g, transition, 2 * k + 1, next) << 16;
    return out + n * pairs;
}

static uint32_t *put_tables(bbans_factorial *m, const uint32_t *const *initial,
                            const uint32_t *const *transition,
                            const uint32_t *emission, uint32_t *out)
{
    size_t g;

    m->initial = out;
    m->emitting = out = put_initial(m, initial, out);
    m->emission_sums = out = put_emitting(m, emission, out);
    out = bbans_put_sums(out, m->emitting, m->symbols, m->stride);
    for (g = 0; g < m->groups; g++) {
        m->pairs[g] = out;
        out = put_pairs(m, g, transition, out);
    }
    return out;
}

/* ---- The filter ---------------------------------------------------------- */

/* Of sums below 2^31 before the first group, and of sums of products at 15 bits
 * from then on. */
#define FIRST_SHIFT (BBANS_JOINT_BITS - 15)
#define SHIFT 15

/* The floor, 2^-24 of the sum of all: docs/maths.md. */
#define LEAST ((uint32_t)1 << 6)

/* One group of a step but the first, whose states are rows of n weights: those
 * of states before become those of next ones.  `pairs` has room for one more
 * row than there are weights, at most half of them. */
static void step_group(const bbans_factorial *m, size_t g, unsigned shift,
                       const uint32_t *before, uint32_t *pairs, uint32_t *after)
{
    const size_t rows = group_states(m, g), n = m->place[m->first[g]];
    size_t i;

    for (i = 0; i < m->place[m->levels]; i += rows * n) {
        BBANS_FACTORS->pair(before + i, rows, n, shift, pairs);
        BBANS_FACTORS->multiply(m->pairs[g], rows, pairs, (rows + 1) / 2, n, 0,
                                after + i);
    }
}

static void filter_symbol(const bbans_factorial *m, bbans_stream *s, size_t x)
{
    const size_t weights = m->place[m->levels], row = m->place[m->first[1]];
    uint32_t *predicted = (uint32_t *)s->belief;
    uint32_t *filtered = (uint32_t *)s->record;
    uint32_t *after = weights_in(s), *pairs = after + weights;
    const uint32_t *before = filtered;
    unsigned shift = FIRST_SHIFT;
    size_t g;

    BBANS_LEVELS->observe(predicted, m->emitting + x * m->stride, weights,
                          weights, filtered);
    for (g = m->groups; g-- > 1; before = after, shift = SHIFT)
        step_group(m, g, shift, before, pairs, after);
    /* The first group, of which the weights are the factors of rows of masses;
     * and the floor. */
    BBANS_FACTORS->narrow(before, weights, shift, pairs);
    BBANS_FACTORS->multiply(pairs, weights / row, m->pairs[0], row / 2, row,
                            LEAST, predicted);
}

/* ---- The conditionals ---------------------------------------------------- */

static const uint32_t *into_state(const bbans_factorial *m, const uint16_t *z,
                                  size_t l)
{
    return z == NULL ? m->ones : m->into[l] + z[l] * m->states[l];
}

static const uint32_t *prior_row(const bbans_factorial *m,
                                 const bbans_stream *s, size_t l)
{
    return s->z_before == NULL
               ? m->initial_cdf[l]
               : m->transition_cdf[l] +
                     state_of(s->z_before)[l] * (m->states[l] + 1);
}

static const uint32_t *emission_row(const bbans_factorial *m,
                                    const bbans_stream *s)
{
    size_t l, state = 0;

    for (l = m->levels; l-- > 0;)
        state = state * m->states[l] + state_of(s->z)[l];
    return m->emission_cdf + state * (m->symbols + 1);
}

/* sum_z p_z C_z,x, below 2^60. */
static uint64_t below_edge(const bbans_factorial *m, const bbans_stream *s,
                           size_t x)
{
    return bbans_kernel.hmm->dot((const uint32_t *)s->belief,
                                 m->emission_sums + x * m->stride, m->stride);
}

static uint64_t predicted_sum(const bbans_factorial *m, const bbans_stream *s)
{
    return below_edge(m, s, m->symbols) >> m->prec;
}

static uint32_t predictive_edge(const bbans_factorial *m, const bbans_stream *s,
                                uint64_t sum, size_t x)
{
    return (uint32_t)(below_edge(m, s, x) / sum);
}

/* ---- The public functions: bbans_levels.h -------------------------------- */

uint64_t bbans_factorial_mass_count(size_t chains, const size_t *states,
                                    size_t symbols)
{
    return mass_count_of_levels(chains, states, symbols);
}

size_t bbans_factorial_bytes(size_t chains, const size_t *states,
                             size_t symbols)
{
    return bytes_of_levels(chains, states, symbols);
}

uint32_t *bbans_factorial_masses(void *memory, size_t chains,
                                 const size_t *states, size_t symbols)
{
    return masses_of_levels(memory, chains, states, symbols);
}

bbans_status bbans_factorial_init(bbans_factorial *model, size_t chains,
                                  const size_t *states, size_t symbols,
                                  unsigned prec, size_t start_length,
                                  const uint32_t *mass, void *memory,
                                  size_t memory_bytes)
{
    return init_of_levels(model, chains, states, symbols, prec, start_length,
                          mass, memory, memory_bytes);
}
