/* Hierarchical hidden Markov models in the schedule: docs/maths.md,
 * "Hierarchical hidden Markov models".
 *
 * Weights of all states together have a place each, in rows of `stride` for the
 * lowest level; what is beyond its states in a row counts nothing, since no
 * mass of emission or of what leads there is more than 0.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_state_space.h"

#define MODEL bbans_hierarchy

static const uint32_t *into_state(const bbans_hierarchy *m, const uint16_t *z,
                                  size_t l);
static const uint32_t *prior_row(const bbans_hierarchy *m,
                                 const bbans_stream *s, size_t l);

#include "bbans_levels.h"

/* ---- The tables ---------------------------------------------------------- */

/* States of the level above; the last has one state above it. */
static size_t above(size_t levels, const size_t *states, size_t l)
{
    return l + 1 < levels ? states[l + 1] : 1;
}

/* Rows of masses, and all of these: below 2^29 + 2^24. */
static uint64_t count_masses(size_t levels, const size_t *states,
                             size_t symbols, uint64_t *rows)
{
    uint64_t masses = (uint64_t)states[0] * symbols;
    size_t l;

    *rows = states[0];
    for (l = 0; l < levels; l++) {
        const uint64_t of_level =
            (uint64_t)above(levels, states, l) * (1 + states[l]);

        *rows += of_level;
        masses += of_level * states[l];
    }
    return masses;
}

uint64_t bbans_hierarchy_mass_count(size_t levels, const size_t *states,
                                    size_t symbols)
{
    uint64_t rows;

    return sizes_are_valid(levels, states, symbols)
               ? count_masses(levels, states, symbols, &rows)
               : 0;
}

/* Words of the arrays before the running sums. */
static uint64_t words_of_arrays(size_t levels, const size_t *states,
                                size_t symbols)
{
    const uint64_t stride = round_up(states[0], 8);
    uint64_t words, weights = stride, into = 0;
    size_t l;

    for (l = 0; l < levels; l++) {
        into += (uint64_t)above(levels, states, l) * states[l] * states[l];
        weights *= l == 0 ? 1 : states[l];
    }
    words = weights + stride * (above(levels, states, 0) * states[0] + symbols);
    return words + most_states(levels, states) + into;
}

size_t bbans_hierarchy_bytes(size_t levels, const size_t *states,
                             size_t symbols)
{
    uint64_t rows, bytes;

    if (states == NULL || !sizes_are_valid(levels, states, symbols))
        return 0;
    bytes = 4 * (words_of_arrays(levels, states, symbols) +
                 count_masses(levels, states, symbols, &rows)) +
            (BBANS_ALIGNMENT - 1);
    bytes += 4 * rows;
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* At the end of the running sums, as bbans_hmm_masses has it. */
uint32_t *bbans_hierarchy_masses(void *memory, size_t levels,
                                 const size_t *states, size_t symbols)
{
    uint64_t rows;

    (void)count_masses(levels, states, symbols, &rows);
    return (uint32_t *)bbans_align(memory) +
           words_of_arrays(levels, states, symbols) + rows;
}

static int masses_are_complete(size_t levels, const size_t *states,
                               size_t symbols, unsigned prec,
                               const uint32_t *mass)
{
    size_t l;

    for (l = 0; l < levels; l++) {
        const size_t rows = above(levels, states, l) * (1 + states[l]);

        if (!bbans_rows_are_complete(mass, rows, states[l], prec))
            return 0;
        mass += rows * states[l];
    }
    return bbans_rows_are_complete(mass, states[0], symbols, prec);
}

/* The weights before the first observation, from the last level down.  Level l
 * has the masses first[l]. */
static void put_initial(const bbans_hierarchy *m, const uint32_t *const *first,
                        uint32_t *out)
{
    const size_t top = m->levels - 1;
    size_t i, l;

    for (i = 0; i < m->place[m->levels]; i++) {
        size_t z = i / m->place[top];
        uint64_t w;

        if (i % m->stride >= m->states[0]) {
            out[i] = 0;
            continue;
        }
        w = (uint64_t)first[top][z] << (BBANS_JOINT_BITS - m->prec);
        for (l = top; l-- > 0;) {
            const size_t up = z;

            z = i / m->place[l] % (l == 0 ? m->stride : m->states[l]);
            w = w * first[l][up * m->states[l] + z] >> m->prec;
        }
        out[i] = (uint32_t)w + 1;
    }
}

/* Each level's matrices [above][before][next] with their rows and columns
 * exchanged; returns where they end. */
static uint32_t *put_into(const bbans_hierarchy *m, size_t l,
                          const uint32_t *mass, uint32_t *out)
{
    const size_t K = m->states[l];
    size_t a;

    for (a = above(m->levels, m->states, l); a > 0; a--, mass += K * K)
        out = bbans_put_transposed(out, mass, K, K, K);
    return out;
}

static uint32_t *put_padded(const bbans_hierarchy *m, const uint32_t *mass,
                            size_t rows, uint32_t *out)
{
    const size_t K = m->states[0];
    size_t i;

    memset(out, 0, rows * m->stride * sizeof *out);
    for (i = 0; i < rows; i++, mass += K, out += m->stride)
        memcpy(out, mass, K * sizeof *mass);
    return out;
}

static void put_tables(bbans_hierarchy *m, const uint32_t *mass, void *memory)
{
    const size_t levels = m->levels, *states = m->states;
    const uint32_t *initial[BBANS_LEVELS_MAX], *transition[BBANS_LEVELS_MAX];
    uint32_t *word = (uint32_t *)bbans_align(memory);
    const size_t ones = most_states(levels, states);
    size_t l;

    for (l = 0; l < levels; l++) {
        const size_t rows = above(levels, states, l);

        initial[l] = mass;
        transition[l] = mass += rows * states[l];
        mass += rows * states[l] * states[l];
    }
    m->initial = word;
    put_initial(m, initial, word);
    m->lowest = word += m->place[levels];
    word = put_padded(m, transition[0], above(levels, states, 0) * states[0],
                      word);
    m->emitting = word;
    word = bbans_put_transposed(word, mass, states[0], m->symbols, m->stride);
    m->ones = word;
    for (l = 0; l < ones; l++)
        *word++ = 1;
    for (l = 0; l < levels; l++) {
        m->into[l] = word;
        word = put_into(m, l, transition[l], word);
    }
    /* Last, and in the order of the masses: see bbans_hierarchy_masses. */
    for (l = 0; l < levels; l++) {
        const size_t rows = above(levels, states, l);

        m->initial_cdf[l] = word;
        word = bbans_put_cdf(word, initial[l], rows, states[l]);
        m->transition_cdf[l] = word;
        word = bbans_put_cdf(word, transition[l], rows * states[l], states[l]);
    }
    m->emission_cdf = word;
    (void)bbans_put_cdf(word, mass, states[0], m->symbols);
}

/* ---- The conditionals ---------------------------------------------------- */

/* The state above level l; above the last there is 0. */
static size_t state_above(const bbans_hierarchy *m, const uint16_t *z, size_t l)
{
    return l + 1 < m->levels ? z[l + 1] : 0;
}

/* One level of a step: the weights of its states before become those of its
 * next ones, whose level above has taken its step. */
static void step_level(const bbans_hierarchy *m, size_t l,
                       const uint32_t *before, uint32_t *after)
{
    const size_t K = m->states[l], n = m->place[l];
    const size_t n_above = above(m->levels, m->states, l);
    size_t i;

    for (i = 0; i < m->place[m->levels] / m->place[l + 1]; i++)
        BBANS_LEVELS->contract(m->into[l] + i % n_above * K * K, K, K,
                               before + i * m->place[l + 1], K, n,
                               after + i * m->place[l + 1], n, m->prec, 0);
}

/* The lowest level, of which the weights are the factors of rows of masses;
 * and the floor. */
static void step_lowest(const bbans_hierarchy *m, const uint32_t *before,
                        uint32_t *after)
{
    const size_t n = m->stride, K = m->states[0];
    const size_t n_above = above(m->levels, m->states, 0);
    const size_t rows = m->place[m->levels] / (n * n_above);
    size_t a;

    for (a = 0; a < n_above; a++)
        BBANS_LEVELS->contract(before + a * n, n_above * n, rows,
                               m->lowest + a * K * n, K, n, after + a * n,
                               n_above * n, m->prec, 1);
}

static void filter_symbol(const bbans_hierarchy *m, bbans_stream *s, size_t x)
{
    uint32_t *predicted = (uint32_t *)s->belief;
    uint32_t *filtered = (uint32_t *)s->record, *after = weights_in(s);
    const uint32_t *before = filtered;
    size_t l;

    BBANS_LEVELS->observe(predicted, m->emitting + x * m->stride, m->stride,
                          m->place[m->levels], filtered);
    for (l = m->levels; l-- > 1;) {
        step_level(m, l, before, after);
        before = after;
        after =
            weights_in(s) + (before == weights_in(s) ? m->place[m->levels] : 0);
    }
    step_lowest(m, before, predicted);
}

/* The masses with which the states of level l lead to its next one; without
 * one (NULL) they count alike. */
static const uint32_t *into_state(const bbans_hierarchy *m, const uint16_t *z,
                                  size_t l)
{
    return z == NULL
               ? m->ones
               : m->into[l] + (state_above(m, z, l) * m->states[l] + z[l]) *
                                  m->states[l];
}

/* The running sums for level l, given the state above, and the one before. */
static const uint32_t *prior_row(const bbans_hierarchy *m,
                                 const bbans_stream *s, size_t l)
{
    const size_t K = m->states[l];
    const size_t up = state_above(m, state_of(s->z), l);

    return s->z_before == NULL
               ? m->initial_cdf[l] + up * (K + 1)
               : m->transition_cdf[l] +
                     (up * K + state_of(s->z_before)[l]) * (K + 1);
}

static const uint32_t *emission_row(const bbans_hierarchy *m,
                                    const bbans_stream *s)
{
    return m->emission_cdf + state_of(s->z)[0] * (m->symbols + 1);
}

static void pop_likelihood(const bbans_hierarchy *m, bbans_stream *s)
{
    const size_t x =
        bbans_pop_entry(&s->lane, emission_row(m, s), m->symbols, m->prec);

    ((uint32_t *)s->out)[s->t] = (uint32_t)x;
    filter_symbol(m, s, x);
}

/* The predicted weights of the lowest level alone; returns their sum, below
 * 2^31 + 2^12. */
static uint64_t predict_lowest(const bbans_hierarchy *m, bbans_stream *s)
{
    const uint32_t *predicted = (const uint32_t *)s->belief;
    uint32_t *lowest = edge_in(m, s);
    size_t i, k;

    memset(lowest, 0, m->states[0] * sizeof *lowest);
    for (i = 0; i < m->place[m->levels]; i += m->stride)
        for (k = 0; k < m->states[0]; k++)
            lowest[k] += predicted[i + k];
    return bbans_predicted_sum(lowest, m->states[0]);
}

static uint32_t predictive_edge(const bbans_hierarchy *m, const bbans_stream *s,
                                uint64_t sum, size_t x)
{
    return bbans_predictive_edge(edge_in(m, s), m->states[0], sum,
                                 m->emission_cdf, m->symbols, x);
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const bbans_hierarchy *m = (const bbans_hierarchy *)(const void *)model;
    const uint64_t sum = predict_lowest(m, s);
    const uint32_t total = (uint32_t)1 << m->prec;
    uint32_t slot, first;
    bbans_status status = bbans_range_slot(dec, total, &slot);
    size_t x;

    if (status != BBANS_OK)
        return status;
    x = bbans_predictive_find(edge_in(m, s), m->states[0], sum, m->emission_cdf,
                              m->symbols, slot);
    first = predictive_edge(m, s, sum, x);
    status = bbans_range_advance(
        dec, first, predictive_edge(m, s, sum, x + 1) - first, total);
    ((uint32_t *)s->out)[s->t] = (uint32_t)x;
    filter_symbol(m, s, x);
    return status;
}

#ifndef BBANS_DECODER_ONLY
static void filter(const bbans_hierarchy *m, bbans_stream *s)
{
    filter_symbol(m, s, symbol_of(s));
}

static void push_likelihood(const bbans_hierarchy *m, bbans_stream *s)
{
    bbans_push_entry(&s->lane, emission_row(m, s), symbol_of(s), m->prec);
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_hierarchy *m = (const bbans_hierarchy *)(const void *)model;
    const uint64_t sum = predict_lowest(m, s);
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
    .type = BBANS_MODEL_HIERARCHY,
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

bbans_status bbans_hierarchy_init(bbans_hierarchy *model, size_t levels,
                                  const size_t *states, size_t symbols,
                                  unsigned prec, size_t start_length,
                                  const uint32_t *mass, void *memory,
                                  size_t memory_bytes)
{
    size_t l;

    if (model == NULL || states == NULL || mass == NULL || memory == NULL)
        return BBANS_ERR_NULL;
    if (prec < 1 || prec > BBANS_PREC_MAX)
        return BBANS_ERR_PRECISION;
    if (bbans_hierarchy_bytes(levels, states, symbols) == 0 ||
        start_length < 1 || start_length > BBANS_START_MAX)
        return BBANS_ERR_SIZE;
    if (memory_bytes < bbans_hierarchy_bytes(levels, states, symbols))
        return BBANS_ERR_CAPACITY;
    if (!masses_are_complete(levels, states, symbols, prec, mass))
        return BBANS_ERR_TABLE;
    model->levels = levels;
    model->symbols = symbols;
    model->prec = prec;
    model->stride = round_up(states[0], 8);
    model->place[0] = 1;
    for (l = 0; l < levels; l++) {
        model->states[l] = states[l];
        model->place[l + 1] =
            model->place[l] * (l == 0 ? model->stride : states[l]);
    }
    put_tables(model, mass, memory);
    model->space.engine = &engine;
    set_space(model, start_length, 4 * model->place[levels]);
    return BBANS_OK;
}
