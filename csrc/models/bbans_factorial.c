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

static const uint32_t *into_state(const bbans_factorial *m, const uint16_t *z,
                                  size_t l);
static const uint32_t *prior_row(const bbans_factorial *m,
                                 const bbans_stream *s, size_t l);

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

/* Sizes, groups and places, for sizes that are valid. */
static void lay_out(bbans_factorial *m, size_t levels, const size_t *states,
                    size_t symbols)
{
    size_t l, group = 1;

    m->levels = levels;
    m->symbols = symbols;
    m->groups = 0;
    m->place[0] = 1;
    for (l = 0; l < levels; l++) {
        m->states[l] = states[l];
        if (l > 0 && group * states[l] > GROUP_STATES) {
            if (m->groups == 0)
                m->place[l] = round_up(m->place[l], 8);
            m->first[++m->groups] = l;
            group = 1;
        }
        group *= states[l];
        m->place[l + 1] = m->place[l] * states[l];
    }
    if (m->groups == 0)
        m->place[levels] = round_up(m->place[levels], 8);
    m->first[0] = 0;
    m->first[++m->groups] = levels;
    m->stride = round_up(m->place[levels], 16);
}

static size_t all_states(size_t levels, const size_t *states)
{
    size_t l, joint = 1;

    for (l = 0; l < levels; l++)
        joint *= states[l];
    return joint;
}

/* Rows of masses, and all of these: below 2^29. */
static uint64_t count_masses(size_t levels, const size_t *states,
                             size_t symbols, uint64_t *rows)
{
    uint64_t masses;
    size_t l;

    *rows = all_states(levels, states);
    masses = *rows * symbols;
    for (l = 0; l < levels; l++) {
        *rows += 1 + states[l];
        masses += (uint64_t)states[l] * (1 + states[l]);
    }
    return masses;
}

uint64_t bbans_factorial_mass_count(size_t chains, const size_t *states,
                                    size_t symbols)
{
    uint64_t rows;

    return sizes_are_valid(chains, states, symbols)
               ? count_masses(chains, states, symbols, &rows)
               : 0;
}

/* Words of a group's masses at 15 bits. */
static uint64_t words_of_pairs(const bbans_factorial *m, size_t g)
{
    const uint64_t n = group_states(m, g), row = m->place[m->first[1]];

    return g == 0 ? row / 2 * row : (n + 1) / 2 * n;
}

/* Words of the arrays before the running sums. */
static uint64_t words_of_arrays(const bbans_factorial *m)
{
    uint64_t words = m->stride * (2 * (uint64_t)m->symbols + 2);
    size_t i;

    for (i = 0; i < m->groups; i++)
        words += words_of_pairs(m, i);
    for (i = 0; i < m->levels; i++)
        words += (uint64_t)m->states[i] * m->states[i];
    return words + most_states(m->levels, m->states);
}

size_t bbans_factorial_bytes(size_t chains, const size_t *states,
                             size_t symbols)
{
    bbans_factorial m;
    uint64_t rows, words;

    if (states == NULL || !sizes_are_valid(chains, states, symbols))
        return 0;
    lay_out(&m, chains, states, symbols);
    words = count_masses(chains, states, symbols, &rows);
    words += rows + words_of_arrays(&m);
    words = 4 * words + (BBANS_ALIGNMENT - 1);
    return words > SIZE_MAX ? 0 : (size_t)words;
}

/* At the end of the running sums, as bbans_hmm_masses has it. */
uint32_t *bbans_factorial_masses(void *memory, size_t chains,
                                 const size_t *states, size_t symbols)
{
    bbans_factorial m;
    uint64_t rows;

    lay_out(&m, chains, states, symbols);
    (void)count_masses(chains, states, symbols, &rows);
    return (uint32_t *)bbans_align(memory) + words_of_arrays(&m) + rows;
}

static int masses_are_complete(size_t levels, const size_t *states,
                               size_t symbols, unsigned prec,
                               const uint32_t *mass)
{
    size_t l;

    for (l = 0; l < levels; l++) {
        const size_t rows = 1 + states[l];

        if (!bbans_rows_are_complete(mass, rows, states[l], prec))
            return 0;
        mass += rows * states[l];
    }
    return bbans_rows_are_complete(mass, all_states(levels, states), symbols,
                                   prec);
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

static void put_tables(bbans_factorial *m, const uint32_t *mass, void *memory)
{
    const size_t *states = m->states;
    const uint32_t *initial[BBANS_LEVELS_MAX], *transition[BBANS_LEVELS_MAX];
    const size_t ones = most_states(m->levels, states);
    uint32_t *word = (uint32_t *)bbans_align(memory);
    size_t i;

    for (i = 0; i < m->levels; i++) {
        initial[i] = mass;
        transition[i] = mass += states[i];
        mass += states[i] * states[i];
    }
    m->initial = word;
    m->emitting = word = put_initial(m, initial, word);
    m->emission_sums = word = put_emitting(m, mass, word);
    word = bbans_put_sums(word, m->emitting, m->symbols, m->stride);
    for (i = 0; i < m->groups; i++) {
        m->pairs[i] = word;
        word = put_pairs(m, i, transition, word);
    }
    m->ones = word;
    for (i = 0; i < ones; i++)
        *word++ = 1;
    for (i = 0; i < m->levels; i++) {
        m->into[i] = word;
        word = bbans_put_transposed(word, transition[i], states[i], states[i],
                                    states[i]);
    }
    /* Last, and in the order of the masses: see bbans_factorial_masses. */
    for (i = 0; i < m->levels; i++) {
        m->initial_cdf[i] = word;
        word = bbans_put_cdf(word, initial[i], 1, states[i]);
        m->transition_cdf[i] = word;
        word = bbans_put_cdf(word, transition[i], states[i], states[i]);
    }
    m->emission_cdf = word;
    (void)bbans_put_cdf(word, mass, all_states(m->levels, states), m->symbols);
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

static void pop_likelihood(const bbans_factorial *m, bbans_stream *s)
{
    const size_t x =
        bbans_pop_entry(&s->lane, emission_row(m, s), m->symbols, m->prec);

    ((uint32_t *)s->out)[s->t] = (uint32_t)x;
    filter_symbol(m, s, x);
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

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const bbans_factorial *m = (const bbans_factorial *)(const void *)model;
    const uint64_t sum = predicted_sum(m, s);
    const uint32_t total = (uint32_t)1 << m->prec;
    uint32_t slot, first = 0, end = total;
    bbans_status status = bbans_range_slot(dec, total, &slot);
    size_t lo = 0, hi = m->symbols;

    if (status != BBANS_OK)
        return status;
    while (hi - lo > 1) { /* first <= slot < end, the edges of lo and hi */
        const size_t mid = lo + (hi - lo) / 2;
        const uint32_t edge = predictive_edge(m, s, sum, mid);

        if (edge <= slot) {
            lo = mid;
            first = edge;
        } else {
            hi = mid;
            end = edge;
        }
    }
    status = bbans_range_advance(dec, first, end - first, total);
    ((uint32_t *)s->out)[s->t] = (uint32_t)lo;
    filter_symbol(m, s, lo);
    return status;
}

#ifndef BBANS_DECODER_ONLY
static void filter(const bbans_factorial *m, bbans_stream *s)
{
    filter_symbol(m, s, symbol_of(s));
}

static void push_likelihood(const bbans_factorial *m, bbans_stream *s)
{
    bbans_push_entry(&s->lane, emission_row(m, s), symbol_of(s), m->prec);
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_factorial *m = (const bbans_factorial *)(const void *)model;
    const uint64_t sum = predicted_sum(m, s);
    const uint32_t x = symbol_of(s);
    const uint32_t first = predictive_edge(m, s, sum, x);

    (void)bbans_range_encode_interval(enc, first,
                                      predictive_edge(m, s, sum, x + 1) - first,
                                      (uint32_t)1 << m->prec);
    filter_symbol(m, s, x);
}
#endif /* BBANS_DECODER_ONLY */

#include "bbans_steps.h"
#undef MODEL

static const bbans_engine engine = {
    .type = BBANS_MODEL_FACTORIAL,
    .start = start,
#ifndef BBANS_DECODER_ONLY
    .accepts = accepts,
    .filter_all = filter_all,
    .push_all = push_all,
    .encode = encode,
#endif /* BBANS_DECODER_ONLY */
    .pop_all = pop_all,
    .decode = decode,
};

bbans_status bbans_factorial_init(bbans_factorial *model, size_t chains,
                                  const size_t *states, size_t symbols,
                                  unsigned prec, size_t start_length,
                                  const uint32_t *mass, void *memory,
                                  size_t memory_bytes)
{
    if (model == NULL || states == NULL || mass == NULL || memory == NULL)
        return BBANS_ERR_NULL;
    if (prec < 1 || prec > BBANS_PREC_MAX)
        return BBANS_ERR_PRECISION;
    if (bbans_factorial_bytes(chains, states, symbols) == 0 ||
        start_length < 1 || start_length > BBANS_START_MAX)
        return BBANS_ERR_SIZE;
    if (memory_bytes < bbans_factorial_bytes(chains, states, symbols))
        return BBANS_ERR_CAPACITY;
    if (!masses_are_complete(chains, states, symbols, prec, mass))
        return BBANS_ERR_TABLE;
    memset(model, 0, sizeof *model);
    lay_out(model, chains, states, symbols);
    model->prec = prec;
    put_tables(model, mass, memory);
    model->space.engine = &engine;
    set_space(model, start_length, 4 * model->stride);
    return BBANS_OK;
}
