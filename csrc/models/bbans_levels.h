/* A template: states of several numbers, levels or chains, in one schedule:
 * docs/maths.md, "Hierarchical hidden Markov models" and "Factorial hidden
 * Markov models".  What includes it defines
 *
 *   MODEL        its struct, which has levels, symbols, states, place, prec,
 *                initial, initial_cdf, transition_cdf, emission_cdf, into and
 *                ones as bbans_hierarchy has
 *   TYPE         its number in files
 *
 * before it, and after it the functions declared below, and its public ones, by
 * those that end in _of_levels.  States are uint16_t [levels], observations
 * symbol numbers, the belief the weights predicted, the record those filtered.
 *
 * SPDX-License-Identifier: MIT */

#define POSTERIOR_BITS 26

/* How many states lead level l, for each of which it has rows of masses: 1 if
 * there is nothing above it. */
static size_t above(size_t levels, const size_t *states, size_t l);

/* How many rows of emissions there are. */
static size_t emitting_states(size_t levels, const size_t *states);

/* Fill place from place[1] on, and what else a model has of the kind; place[0]
 * is 1.  Returns how many words weights take. */
static size_t put_places(MODEL *m);

/* Words of put_tables. */
static uint64_t words_of_tables(const MODEL *m);

/* The tables that only such a model has, from the masses of each level and of
 * emissions; returns where they end. */
static uint32_t *put_tables(MODEL *m, const uint32_t *const *initial,
                            const uint32_t *const *transition,
                            const uint32_t *emission, uint32_t *out);

/* Belief and record after symbol x. */
static void filter_symbol(const MODEL *m, bbans_stream *s, size_t x);

/* The masses with which the states of level l lead to its next one; without one
 * (z = NULL) they count alike. */
static const uint32_t *into_state(const MODEL *m, const uint16_t *z, size_t l);

/* The running sums for level l, given s->z as far as it is known, and the state
 * before. */
static const uint32_t *prior_row(const MODEL *m, const bbans_stream *s,
                                 size_t l);

/* The running sums for the symbol, given s->z. */
static const uint32_t *emission_row(const MODEL *m, const bbans_stream *s);

/* The predictive distribution: the sum of the weights predicted, and given it
 * the edge below symbol x, 0 for the first and 2^prec beyond the last.  The sum
 * is asked for first. */
static uint64_t predicted_sum(const MODEL *m, const bbans_stream *s);
static uint32_t predictive_edge(const MODEL *m, const bbans_stream *s,
                                uint64_t sum, size_t x);

/* ---- Sizes --------------------------------------------------------------- */

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static int sizes_are_valid(size_t levels, const size_t *states, size_t symbols)
{
    size_t l, joint = 1;

    if (levels < 1 || levels > BBANS_LEVELS_MAX || symbols < 1 ||
        symbols > BBANS_SYMBOLS_MAX)
        return 0;
    for (l = 0; l < levels; l++) {
        if (states[l] < 1 || states[l] > BBANS_STATES_MAX / joint)
            return 0;
        joint *= states[l];
    }
    return 1;
}

static size_t all_states(size_t levels, const size_t *states)
{
    size_t l, joint = 1;

    for (l = 0; l < levels; l++)
        joint *= states[l];
    return joint;
}

static size_t most_states(size_t levels, const size_t *states)
{
    size_t l, most = 1;

    for (l = 0; l < levels; l++)
        if (states[l] > most)
            most = states[l];
    return most;
}

/* Rows of masses, and all of these: below 2^29 + 2^24. */
static uint64_t count_masses(size_t levels, const size_t *states,
                             size_t symbols, uint64_t *rows)
{
    uint64_t masses;
    size_t l;

    *rows = emitting_states(levels, states);
    masses = *rows * symbols;
    for (l = 0; l < levels; l++) {
        const uint64_t of_level =
            (uint64_t)above(levels, states, l) * (1 + states[l]);

        *rows += of_level;
        masses += of_level * states[l];
    }
    return masses;
}

static uint64_t mass_count_of_levels(size_t levels, const size_t *states,
                                     size_t symbols)
{
    uint64_t rows;

    return sizes_are_valid(levels, states, symbols)
               ? count_masses(levels, states, symbols, &rows)
               : 0;
}

/* For sizes that are valid; returns how many words weights take. */
static size_t lay_out(MODEL *m, size_t levels, const size_t *states,
                      size_t symbols)
{
    memset(m, 0, sizeof *m);
    m->levels = levels;
    m->symbols = symbols;
    memcpy(m->states, states, levels * sizeof *states);
    m->place[0] = 1;
    return put_places(m);
}

/* Words of the arrays before the running sums. */
static uint64_t words_of_arrays(const MODEL *m)
{
    const size_t *states = m->states;
    uint64_t words = words_of_tables(m) + most_states(m->levels, states);
    size_t l;

    for (l = 0; l < m->levels; l++)
        words += (uint64_t)above(m->levels, states, l) * states[l] * states[l];
    return words;
}

static size_t bytes_of_levels(size_t levels, const size_t *states,
                              size_t symbols)
{
    MODEL m;
    uint64_t rows, bytes;

    if (states == NULL || !sizes_are_valid(levels, states, symbols))
        return 0;
    (void)lay_out(&m, levels, states, symbols);
    bytes = words_of_arrays(&m) + count_masses(levels, states, symbols, &rows);
    bytes = 4 * (bytes + rows) + (BBANS_ALIGNMENT - 1);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* At the end of the running sums, as bbans_hmm_masses has it. */
static uint32_t *masses_of_levels(void *memory, size_t levels,
                                  const size_t *states, size_t symbols)
{
    MODEL m;
    uint64_t rows;

    (void)lay_out(&m, levels, states, symbols);
    (void)count_masses(levels, states, symbols, &rows);
    return (uint32_t *)bbans_align(memory) + words_of_arrays(&m) + rows;
}

/* ---- The tables ---------------------------------------------------------- */

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
    return bbans_rows_are_complete(mass, emitting_states(levels, states),
                                   symbols, prec);
}

/* The matrices of a level with their rows and columns exchanged; returns where
 * they end. */
static uint32_t *put_into(const MODEL *m, size_t l, const uint32_t *mass,
                          uint32_t *out)
{
    const size_t K = m->states[l];
    size_t a;

    for (a = above(m->levels, m->states, l); a > 0; a--, mass += K * K)
        out = bbans_put_transposed(out, mass, K, K, K);
    return out;
}

static void put_masses(MODEL *m, const uint32_t *mass, void *memory)
{
    const size_t levels = m->levels, *states = m->states;
    const size_t ones = most_states(levels, states);
    const uint32_t *initial[BBANS_LEVELS_MAX], *transition[BBANS_LEVELS_MAX];
    uint32_t *word = (uint32_t *)bbans_align(memory);
    size_t l;

    for (l = 0; l < levels; l++) {
        const size_t rows = above(levels, states, l);

        initial[l] = mass;
        transition[l] = mass += rows * states[l];
        mass += rows * states[l] * states[l];
    }
    word = put_tables(m, initial, transition, mass, word);
    m->ones = word;
    for (l = 0; l < ones; l++)
        *word++ = 1;
    for (l = 0; l < levels; l++) {
        m->into[l] = word;
        word = put_into(m, l, transition[l], word);
    }
    /* Last, and in the order of the masses: see masses_of_levels. */
    for (l = 0; l < levels; l++) {
        const size_t rows = above(levels, states, l);

        m->initial_cdf[l] = word;
        word = bbans_put_cdf(word, initial[l], rows, states[l]);
        m->transition_cdf[l] = word;
        word = bbans_put_cdf(word, transition[l], rows * states[l], states[l]);
    }
    m->emission_cdf = word;
    (void)bbans_put_cdf(word, mass, emitting_states(levels, states),
                        m->symbols);
}

/* ---- The scratch --------------------------------------------------------- */

/* Words: two arrays of weights, for the levels of a step in turn, or sums of 64
 * bits; weights g of each level but the last (docs/maths.md); running sums of a
 * level's weights. */
static uint32_t *weights_in(const bbans_stream *s)
{
    return (uint32_t *)s->scratch;
}

static size_t words_of_levels(const MODEL *m)
{
    size_t l, words = 0;

    for (l = 1; l < m->levels; l++)
        words += m->place[l];
    return words;
}

static uint32_t *levels_in(const MODEL *m, const bbans_stream *s)
{
    return weights_in(s) + 2 * m->place[m->levels];
}

static uint32_t *edge_in(const MODEL *m, const bbans_stream *s)
{
    return levels_in(m, s) + words_of_levels(m);
}

static size_t scratch_bytes(const MODEL *m)
{
    const size_t words = 2 * m->place[m->levels] + words_of_levels(m) +
                         most_states(m->levels, m->states) + 1;

    return 4 * round_up(words, 16);
}

/* ---- The conditionals ---------------------------------------------------- */

static const uint16_t *state_of(const void *z)
{
    return (const uint16_t *)z;
}

static void start(const bbans_state_space *model, void *belief)
{
    const MODEL *m = (const MODEL *)(const void *)model;

    memcpy(belief, m->initial, model->belief_bytes);
}

/* Scale sums of 64 bits. */
static void fit(const uint64_t *sum, size_t n, uint32_t *out)
{
    uint64_t total = 0;
    int shift;
    size_t i;

    for (i = 0; i < n; i++)
        total += sum[i];
    shift = bbans_bit_length(total) - BBANS_JOINT_BITS;
    for (i = 0; i < n; i++)
        out[i] = bbans_scaled(sum[i], shift);
}

/* The weights g of each level given the next state: those above are summed
 * over. */
static void sum_levels(const MODEL *m, bbans_stream *s,
                       const uint32_t *g[BBANS_LEVELS_MAX])
{
    const uint16_t *z = state_of(s->z);
    uint64_t *sum = (uint64_t *)s->scratch;
    uint32_t *out = levels_in(m, s);
    size_t l = m->levels - 1;

    g[l] = (const uint32_t *)s->record_before;
    for (; l > 0; l--, out += m->place[l + 1]) {
        /* Rows that are no multiple of 8 are short. */
        const bbans_levels_kernels *kernels =
            m->place[l] % 8 == 0 ? BBANS_LEVELS : &bbans_levels_portable;

        kernels->combine(into_state(m, z, l), g[l], m->states[l], m->place[l],
                         sum);
        fit(sum, m->place[l], out);
        g[l - 1] = out;
    }
}

/* Running sums of the weights of the states of level l, given those of lower
 * levels, which are at `place`; returns their total, 0 where these cannot
 * be. */
static uint32_t weigh(const MODEL *m, size_t l, const uint32_t *g,
                      const uint16_t *z, size_t place, uint32_t *edge)
{
    const uint32_t *into = into_state(m, z, l);
    const size_t K = m->states[l], step = m->place[l];
    uint64_t total = 0;
    int shift;
    size_t k;

    for (k = 0; k < K; k++) /* sum g < 2^31 and A <= 2^28 */
        total += (uint64_t)g[k * step + place] * into[k];
    shift = bbans_bit_length(total) - POSTERIOR_BITS;
    edge[0] = 0;
    for (k = 0; k < K; k++)
        edge[k + 1] =
            edge[k] +
            bbans_scaled((uint64_t)g[k * step + place] * into[k], shift);
    return edge[K];
}

/* What the sender popped last goes first. */
static void push_posterior(const MODEL *m, bbans_stream *s)
{
    const uint16_t *z = state_of(s->z_before);
    const uint32_t *g[BBANS_LEVELS_MAX];
    uint32_t *edge = edge_in(m, s);
    size_t l, place = 0;

    sum_levels(m, s, g);
    for (l = 0; l < m->levels; l++)
        place += z[l] * m->place[l];
    for (l = m->levels; l-- > 0;) {
        uint32_t total;

        place -= z[l] * m->place[l];
        total = weigh(m, l, g[l], state_of(s->z), place, edge);
        if (edge[z[l]] == edge[z[l] + 1]) { /* no sender can have popped it */
            s->status = BBANS_ERR_CORRUPT;
            return;
        }
        bbans_lane_push(&s->lane, edge[z[l]], edge[z[l] + 1] - edge[z[l]],
                        total);
    }
}

static void pop_prior(const MODEL *m, bbans_stream *s)
{
    uint16_t *z = (uint16_t *)s->z;
    size_t l;

    for (l = m->levels; l-- > 0;)
        z[l] = (uint16_t)bbans_pop_entry(&s->lane, prior_row(m, s, l),
                                         m->states[l], m->prec);
}

static void pop_likelihood(const MODEL *m, bbans_stream *s)
{
    const size_t x =
        bbans_pop_entry(&s->lane, emission_row(m, s), m->symbols, m->prec);

    ((uint32_t *)s->out)[s->t] = (uint32_t)x;
    filter_symbol(m, s, x);
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const MODEL *m = (const MODEL *)(const void *)model;
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
static int accepts(const bbans_state_space *model, const void *x, size_t n)
{
    const MODEL *m = (const MODEL *)(const void *)model;
    const uint32_t *symbol = (const uint32_t *)x;
    size_t t;

    for (t = 0; t < n; t++)
        if (symbol[t] >= m->symbols)
            return 0;
    return 1;
}

static uint32_t symbol_of(const bbans_stream *s)
{
    return ((const uint32_t *)s->x)[s->t];
}

static void filter(const MODEL *m, bbans_stream *s)
{
    filter_symbol(m, s, symbol_of(s));
}

static void push_prior(const MODEL *m, bbans_stream *s)
{
    size_t l;

    for (l = 0; l < m->levels; l++)
        bbans_push_entry(&s->lane, prior_row(m, s, l), state_of(s->z)[l],
                         m->prec);
}

/* The lowest level first.  A state that is popped has a weight, so there are
 * some above it: the total is never 0. */
static void pop_posterior(const MODEL *m, bbans_stream *s)
{
    const uint32_t *g[BBANS_LEVELS_MAX];
    uint16_t *z = (uint16_t *)s->z_before;
    uint32_t *edge = edge_in(m, s);
    size_t l, place = 0;

    sum_levels(m, s, g);
    for (l = 0; l < m->levels; l++) {
        const uint32_t total = weigh(m, l, g[l], state_of(s->z), place, edge);
        const uint32_t slot = bbans_lane_take_slot(&s->lane, total);
        const size_t k = bbans_kernel.hmm->rank(edge + 1, m->states[l], slot);

        bbans_lane_put_rest(&s->lane, slot, edge[k], edge[k + 1] - edge[k]);
        z[l] = (uint16_t)k;
        place += k * m->place[l];
    }
}
static void push_likelihood(const MODEL *m, bbans_stream *s)
{
    bbans_push_entry(&s->lane, emission_row(m, s), symbol_of(s), m->prec);
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const MODEL *m = (const MODEL *)(const void *)model;
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

/* ---- The model ----------------------------------------------------------- */

static const bbans_engine engine = {
    .type = TYPE,
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

/* Two states of all levels may be popped before what is pushed pays for them,
 * and weights have 26 bits. */
static unsigned start_bits(const MODEL *m)
{
    const size_t joint = all_states(m->levels, m->states);
    const unsigned bits = 28 + 2 * (unsigned)bbans_bit_length(joint - 1);

    return bits > 40 ? bits : 40;
}

static void set_space(MODEL *m, size_t start_length, size_t weight_bytes)
{
    bbans_state_space *space = &m->space;

    space->engine = &engine;
    space->observation_bytes = sizeof(uint32_t);
    space->state_bytes = BBANS_LEVELS_MAX * sizeof(uint16_t);
    space->belief_bytes = space->record_bytes = weight_bytes;
    space->scratch_bytes = scratch_bytes(m);
    space->start_length = start_length;
    space->start_bits = start_bits(m);
    space->push_words = 1 + m->levels; /* each number a word at most */
    space->pop_words = m->levels;
    space->predictive = 0;
}

static bbans_status init_of_levels(MODEL *model, size_t levels,
                                   const size_t *states, size_t symbols,
                                   unsigned prec, size_t start_length,
                                   const uint32_t *mass, void *memory,
                                   size_t memory_bytes)
{
    size_t weights;

    if (model == NULL || states == NULL || mass == NULL || memory == NULL)
        return BBANS_ERR_NULL;
    if (prec < 1 || prec > BBANS_PREC_MAX)
        return BBANS_ERR_PRECISION;
    if (bytes_of_levels(levels, states, symbols) == 0 || start_length < 1 ||
        start_length > BBANS_START_MAX)
        return BBANS_ERR_SIZE;
    if (memory_bytes < bytes_of_levels(levels, states, symbols))
        return BBANS_ERR_CAPACITY;
    if (!masses_are_complete(levels, states, symbols, prec, mass))
        return BBANS_ERR_TABLE;
    weights = lay_out(model, levels, states, symbols);
    model->prec = prec;
    put_masses(model, mass, memory);
    set_space(model, start_length, 4 * weights);
    return BBANS_OK;
}

#undef MODEL
#undef TYPE
