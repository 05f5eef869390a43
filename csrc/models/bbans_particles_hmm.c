/* Particle filters of finite models: docs/maths.md, "Particle filters".
 *
 * What the particles predict are weights of the next state: how many moved
 * there, or the sum of their transitions (adapted).  These are the record, from
 * which all else follows: x_t is coded under their mean, as the predictive
 * distribution of a bbans_hmm; adapted, with z_t borrowed within the step.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_particles.h"

static const bbans_particles *filter_of(const bbans_state_space *model)
{
    return (const bbans_particles *)(const void *)model;
}

/* ---- The scratch --------------------------------------------------------- */

typedef struct {
    uint64_t *head;     /* [n] of draws                     */
    uint64_t *sum;      /* [states + 1] of transitions      */
    uint32_t *tail;     /* [n + 1] of draws                 */
    uint32_t *moved;    /* [n] particles                   */
    uint32_t *filtered; /* [states] weights given x_t   */
} desk;

static desk desk_of(const bbans_particles *f, const bbans_stream *s)
{
    desk k;

    k.head = (uint64_t *)s->scratch;
    k.sum = k.head + f->particles;
    k.tail = (uint32_t *)(k.sum + f->hmm->states + 1);
    k.moved = k.tail + f->particles + 1;
    k.filtered = k.moved + f->particles;
    return k;
}

static size_t scratch_bytes(const bbans_particles *f)
{
    const size_t bytes =
        sizeof(uint64_t) * (f->particles + f->hmm->states + 1) +
        sizeof(uint32_t) * (2 * f->particles + 1 + f->hmm->states);

    return (bytes + BBANS_ALIGNMENT - 1) / BBANS_ALIGNMENT * BBANS_ALIGNMENT;
}

/* ---- What the particles predict ------------------------------------------ */

/* The belief: [n] states, rising.  Before step 0 there are none. */
static uint32_t *particles_of(const bbans_stream *s)
{
    return (uint32_t *)s->belief;
}

static uint32_t *predicted_of(const bbans_stream *s)
{
    return (uint32_t *)s->record;
}

/* How many particles move to each state. */
static void count_moves(const bbans_particles *f, bbans_stream *s,
                        uint32_t *weight)
{
    const bbans_hmm *hmm = f->hmm;
    const desk k = desk_of(f, s);
    bbans_distribution law;
    bbans_table table;
    size_t i;

    memset(&table, 0, sizeof table);
    table.cdf = s->t == 0 ? hmm->initial_cdf : hmm->transition_cdf;
    table.rows = s->t == 0 ? 1 : hmm->states;
    table.symbols = hmm->states;
    table.prec = hmm->prec;
    (void)bbans_distribution_init_symbols(
        &law, &table,
        bbans_array_of(s->t == 0 ? NULL : particles_of(s), BBANS_U32));
    (void)bbans_public_draw(&law, f->key,
                            bbans_step_stream(s->t, BBANS_STREAM_DRAW), k.moved,
                            BBANS_U32, f->particles, k.head, k.tail);
    memset(weight, 0, hmm->stride * sizeof *weight);
    for (i = 0; i < f->particles; i++)
        weight[k.moved[i]]++;
}

/* sum[z] = the sum over particles of the edges of their transitions, below
 * 2^16 2^28; particles in the same state come in a row. */
static void sum_edges(const bbans_particles *f, const bbans_stream *s,
                      uint64_t *sum)
{
    const uint32_t *state = particles_of(s);
    const size_t states = f->hmm->states;
    size_t i, j, z;

    memset(sum, 0, (states + 1) * sizeof *sum);
    for (i = 0; i < f->particles; i = j) {
        const uint32_t *edge = f->hmm->transition_cdf + state[i] * (states + 1);

        for (j = i + 1; j < f->particles && state[j] == state[i]; j++)
            ;
        for (z = 1; z <= states; z++)
            sum[z] += (uint64_t)(uint32_t)(j - i) * edge[z];
    }
}

/* Weights that sum to 2^27 and one for each state at most. */
static void sum_transitions(const bbans_particles *f, bbans_stream *s,
                            uint32_t *weight)
{
    const bbans_hmm *hmm = f->hmm;
    const size_t n = s->t == 0 ? 1 : f->particles;
    const int shift = (int)hmm->prec + bbans_bit_length(n) - 27;
    const desk k = desk_of(f, s);
    size_t z;

    if (s->t == 0)
        for (z = 0; z <= hmm->states; z++)
            k.sum[z] = hmm->initial_cdf[z];
    else
        sum_edges(f, s, k.sum);
    for (z = 0; z < hmm->states; z++) {
        const uint32_t w =
            (uint32_t)((k.sum[z + 1] - k.sum[z]) >> (shift > 0 ? shift : 0));

        weight[z] = w > 0 ? w : 1;
    }
}

static void predict(const bbans_state_space *model, bbans_stream *s)
{
    const bbans_particles *f = filter_of(model);

    (f->adapted ? sum_transitions : count_moves)(f, s, predicted_of(s));
}

/* The weights of z_t given x_t, below 2^28 together; returns their sum. */
static uint32_t weigh(const bbans_particles *f, const uint32_t *predicted,
                      size_t x, uint32_t *filtered)
{
    const uint32_t *emitting = bbans_emitting(f->hmm, x);
    uint64_t sum = 0;
    uint32_t total = 0;
    size_t z;
    int shift;

    for (z = 0; z < f->hmm->states; z++)
        sum += (uint64_t)predicted[z] * emitting[z];
    shift = bbans_bit_length(sum) - 28;
    if (shift < 0)
        shift = 0;
    for (z = 0; z < f->hmm->states; z++) {
        filtered[z] =
            (uint32_t)(((uint64_t)predicted[z] * emitting[z]) >> shift);
        total += filtered[z];
    }
    return total;
}

static void resample(const bbans_particles *f, bbans_stream *s,
                     const uint32_t *filtered)
{
    const uint64_t number = bbans_public_number(
        f->key, bbans_step_stream(s->t, BBANS_STREAM_RESAMPLE), 0);

    bbans_resample_points(filtered, f->hmm->states, number, f->particles,
                          particles_of(s));
}

static void filter_by(const bbans_particles *f, bbans_stream *s, size_t x)
{
    const desk k = desk_of(f, s);

    (void)weigh(f, predicted_of(s), x, k.filtered);
    resample(f, s, k.filtered);
}

/* ---- Coding -------------------------------------------------------------- */

static const uint32_t *emission_of(const bbans_particles *f, size_t z)
{
    return f->hmm->emission_cdf + z * (f->hmm->symbols + 1);
}

static void start(const bbans_state_space *model, void *belief)
{
    memset(belief, 0, model->belief_bytes);
}

static uint32_t pop_mean(const bbans_particles *f, bbans_stream *s)
{
    const uint32_t slot = bbans_slot_bits(s->lane.x, f->hmm->prec);
    uint32_t x, first, freq;

    bbans_hmm_find(f->hmm, predicted_of(s), slot, &x, &first, &freq);
    bbans_lane_advance_bits(&s->lane, first, freq, f->hmm->prec);
    return x;
}

static uint32_t pop_through_state(const bbans_particles *f, bbans_stream *s)
{
    const uint32_t *weight = predicted_of(s);
    const size_t z = bbans_pop_weighted(
        &s->lane, weight, bbans_weights_before(weight, f->hmm->states));
    const uint32_t *edge = emission_of(f, z);
    const desk k = desk_of(f, s);
    const size_t x = bbans_kernel.hmm->rank(
        edge + 1, f->hmm->symbols, bbans_slot_bits(s->lane.x, f->hmm->prec));
    uint32_t total;

    bbans_lane_advance_bits(&s->lane, edge[x], edge[x + 1] - edge[x],
                            f->hmm->prec);
    total = weigh(f, weight, x, k.filtered);
    if (k.filtered[z] == 0) /* no sender can have popped it */
        s->status = BBANS_ERR_CORRUPT;
    else
        bbans_push_weighted(&s->lane, k.filtered, total, z);
    return (uint32_t)x;
}

static void pop_likelihood(const bbans_particles *f, bbans_stream *s)
{
    const uint32_t x = f->adapted ? pop_through_state(f, s) : pop_mean(f, s);

    ((uint32_t *)s->out)[s->t] = x;
    filter_by(f, s, x);
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const bbans_particles *f = filter_of(model);
    const uint32_t total = (uint32_t)1 << f->hmm->prec;
    uint32_t *x = (uint32_t *)s->out + s->t, slot, first, freq;
    bbans_status status = bbans_range_slot(dec, total, &slot);

    if (status != BBANS_OK)
        return status;
    bbans_hmm_find(f->hmm, predicted_of(s), slot, x, &first, &freq);
    status = bbans_range_advance(dec, first, freq, total);
    filter_by(f, s, *x);
    return status;
}

/* Between steps nothing is borrowed. */
static void pop_prior(const bbans_particles *f, bbans_stream *s)
{
    (void)f, (void)s;
}

#define push_posterior pop_prior

#ifndef BBANS_DECODER_ONLY
#define push_prior pop_prior
#define pop_posterior pop_prior

static uint32_t symbol_of(const bbans_stream *s)
{
    return ((const uint32_t *)s->x)[s->t];
}

static int accepts(const bbans_state_space *model, const void *x, size_t n)
{
    const bbans_particles *f = filter_of(model);

    return n == 0 ||
           bbans_array_is_below(x, BBANS_U32, 0, n, (uint32_t)f->hmm->symbols);
}

static void filter(const bbans_particles *f, bbans_stream *s)
{
    filter_by(f, s, symbol_of(s));
}

static void push_likelihood(const bbans_particles *f, bbans_stream *s)
{
    const uint32_t *weight = predicted_of(s), x = symbol_of(s);
    const desk k = desk_of(f, s);
    const uint32_t *edge;
    uint32_t first, freq;
    size_t z;

    if (!f->adapted) {
        (void)bbans_hmm_predict(f->hmm, weight, x, &first, &freq);
        bbans_lane_push_bits(&s->lane, first, freq, f->hmm->prec);
        return;
    }
    z = bbans_pop_weighted(&s->lane, k.filtered,
                           weigh(f, weight, x, k.filtered));
    edge = emission_of(f, z);
    bbans_lane_push_bits(&s->lane, edge[x], edge[x + 1] - edge[x],
                         f->hmm->prec);
    bbans_push_weighted(&s->lane, weight,
                        bbans_weights_before(weight, f->hmm->states), z);
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_particles *f = filter_of(model);
    uint32_t first, freq;

    (void)bbans_hmm_predict(f->hmm, predicted_of(s), symbol_of(s), &first,
                            &freq);
    (void)bbans_range_encode_interval(enc, first, freq,
                                      (uint32_t)1 << f->hmm->prec);
    filter(f, s);
}
#endif /* BBANS_DECODER_ONLY */

#define MODEL bbans_particles
#define PREDICT(f, s) predict(&(f)->space, s)
#include "bbans_steps.h"
#undef PREDICT
#undef MODEL

static const bbans_engine engine = {
    .start = start,
    .predict = predict,
#ifndef BBANS_DECODER_ONLY
    .accepts = accepts,
    .filter_all = filter_all,
    .push_all = push_all,
    .encode = encode,
#endif /* BBANS_DECODER_ONLY */
    .pop_all = pop_all,
    .decode = decode,
};

bbans_status bbans_particles_init_hmm(bbans_particles *filter,
                                      const bbans_hmm *hmm, size_t particles,
                                      uint64_t key, int adapted,
                                      size_t start_length)
{
    bbans_state_space *space;

    if (filter == NULL || hmm == NULL)
        return BBANS_ERR_NULL;
    if (hmm->contexts != NULL || particles < 1 ||
        particles > BBANS_PARTICLES_MAX || start_length < 1 ||
        start_length > BBANS_START_MAX)
        return BBANS_ERR_SIZE;
    memset(filter, 0, sizeof *filter);
    filter->hmm = hmm;
    filter->adapted = adapted != 0;
    filter->particles = particles;
    filter->key = key;
    space = &filter->space;
    space->engine = &engine;
    space->observation_bytes = sizeof(uint32_t);
    space->state_bytes = 0;
    space->belief_bytes = sizeof(uint32_t) * (particles + particles % 2);
    space->record_bytes = sizeof(uint32_t) * hmm->stride;
    space->scratch_bytes = scratch_bytes(filter);
    space->start_length = start_length;
    space->start_bits = filter->adapted ? 40 : 0; /* of what z_t borrows */
    space->push_words = 2;
    space->pop_words = 1;
    return BBANS_OK;
}
