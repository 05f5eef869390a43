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
#define TYPE BBANS_MODEL_HIERARCHY
#include "bbans_levels.h"

/* ---- The tables ---------------------------------------------------------- */

static size_t above(size_t levels, const size_t *states, size_t l)
{
    return l + 1 < levels ? states[l + 1] : 1;
}

static size_t emitting_states(size_t levels, const size_t *states)
{
    (void)levels;
    return states[0];
}

static size_t put_places(bbans_hierarchy *m)
{
    size_t l;

    m->place[1] = m->stride = round_up(m->states[0], 8);
    for (l = 1; l < m->levels; l++)
        m->place[l + 1] = m->place[l] * m->states[l];
    return m->place[m->levels];
}

static uint64_t words_of_tables(const bbans_hierarchy *m)
{
    const uint64_t rows =
        (uint64_t)above(m->levels, m->states, 0) * m->states[0] + m->symbols;

    return m->place[m->levels] + m->stride * rows;
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

static uint32_t *put_tables(bbans_hierarchy *m, const uint32_t *const *initial,
                            const uint32_t *const *transition,
                            const uint32_t *emission, uint32_t *out)
{
    const size_t K = m->states[0];

    m->initial = out;
    put_initial(m, initial, out);
    m->lowest = out += m->place[m->levels];
    out = put_padded(m, transition[0], above(m->levels, m->states, 0) * K, out);
    m->emitting = out;
    return bbans_put_transposed(out, emission, K, m->symbols, m->stride);
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

static const uint32_t *into_state(const bbans_hierarchy *m, const uint16_t *z,
                                  size_t l)
{
    return z == NULL
               ? m->ones
               : m->into[l] + (state_above(m, z, l) * m->states[l] + z[l]) *
                                  m->states[l];
}

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

/* The predicted weights of the lowest level alone; returns their sum, below
 * 2^31 + 2^12. */
static uint64_t predicted_sum(const bbans_hierarchy *m, const bbans_stream *s)
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

/* floor(sum_i p_i C_i[x] / sum_i p_i); sum p < 2^32 and C <= 2^28. */
static uint32_t predictive_edge(const bbans_hierarchy *m, const bbans_stream *s,
                                uint64_t sum, size_t x)
{
    const uint32_t *lowest = edge_in(m, s), *edge = m->emission_cdf + x;
    uint64_t below = 0;
    size_t k;

    for (k = 0; k < m->states[0]; k++, edge += m->symbols + 1)
        below += (uint64_t)lowest[k] * *edge;
    return (uint32_t)(below / sum);
}

/* ---- The public functions: bbans_levels.h -------------------------------- */

uint64_t bbans_hierarchy_mass_count(size_t levels, const size_t *states,
                                    size_t symbols)
{
    return mass_count_of_levels(levels, states, symbols);
}

size_t bbans_hierarchy_bytes(size_t levels, const size_t *states,
                             size_t symbols)
{
    return bytes_of_levels(levels, states, symbols);
}

uint32_t *bbans_hierarchy_masses(void *memory, size_t levels,
                                 const size_t *states, size_t symbols)
{
    return masses_of_levels(memory, levels, states, symbols);
}

bbans_status bbans_hierarchy_init(bbans_hierarchy *model, size_t levels,
                                  const size_t *states, size_t symbols,
                                  unsigned prec, size_t start_length,
                                  const uint32_t *mass, void *memory,
                                  size_t memory_bytes)
{
    return init_of_levels(model, levels, states, symbols, prec, start_length,
                          mass, memory, memory_bytes);
}
