/* A template: states of several numbers, levels or chains, in one schedule:
 * docs/maths.md, "Hierarchical hidden Markov models" and "Factorial hidden
 * Markov models".  A MODEL has levels, states, place, symbols, prec, initial
 * and emission_cdf as bbans_hierarchy has; states are uint16_t [levels],
 * observations symbol numbers, the belief the weights predicted, the record
 * those filtered. What includes it declares before it
 *
 *   into_state   the masses with which the states of level l lead to its next
 *                one; without one (z = NULL) they count alike
 *   prior_row    the running sums for level l, given z as far as it is known,
 *                and the state before
 *
 * SPDX-License-Identifier: MIT */

#define POSTERIOR_BITS 26

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

static size_t most_states(size_t levels, const size_t *states)
{
    size_t l, most = 1;

    for (l = 0; l < levels; l++)
        if (states[l] > most)
            most = states[l];
    return most;
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
#endif /* BBANS_DECODER_ONLY */

/* Two states of all levels may be popped before what is pushed pays for them,
 * and weights have 26 bits. */
static unsigned start_bits(const MODEL *m)
{
    size_t l, joint = 1;
    unsigned bits;

    for (l = 0; l < m->levels; l++)
        joint *= m->states[l];
    bits = 28 + 2 * (unsigned)bbans_bit_length(joint - 1);
    return bits > 40 ? bits : 40;
}

/* Fill m->space, but for its engine; weights take these bytes. */
static void set_space(MODEL *m, size_t start_length, size_t weight_bytes)
{
    bbans_state_space *space = &m->space;

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
