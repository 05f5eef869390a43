/* A frozen hidden Markov model whose states emit vectors of integers:
 * docs/maths.md, "Hidden Markov models of vectors".
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_mixture.h"
#include "bbans_chain.h"
#include "bbans_conditionals.h"

/* Masses of vectors are m 2^e, 2^31 <= m < 2^32; that of the likeliest state
 * becomes one of EMITTING_BITS. */
#define MANTISSA_BITS 32
#define EMITTING_BITS 28

typedef struct {
    uint64_t mantissa;
    int64_t exponent;
} mass;

/* What the scratch holds behind what the chain needs, for every state: the mass
 * of the elements so far, and for the predictive distribution how far they are
 * from where they were expected, and where the next one is. */
typedef struct {
    mass *of_state;      /* [states] */
    bbans_vector *moved; /* [states] */
    int64_t *location;   /* [states] */
} desk;

static desk desk_of(const bbans_gaussian_hmm *model, const bbans_stream *s)
{
    const bbans_hmm *chain = &model->chain;
    desk d;

    d.of_state = (mass *)(void *)(bbans_chain_column(chain, s) + chain->stride);
    d.moved = (bbans_vector *)(void *)(d.of_state + chain->states);
    d.location = (int64_t *)(void *)(d.moved + chain->states);
    return d;
}

static size_t scratch_bytes(size_t states)
{
    const size_t bytes =
        12 * bbans_states_stride(states) +
        states * (sizeof(mass) + sizeof(bbans_vector) + sizeof(int64_t));

    return (bytes + BBANS_ALIGNMENT - 1) / BBANS_ALIGNMENT * BBANS_ALIGNMENT;
}

static const int64_t *observed_at(const bbans_gaussian_hmm *model,
                                  const bbans_stream *s)
{
    return (const int64_t *)s->x + s->t * model->channels;
}

static const int64_t *location_of(const bbans_gaussian_hmm *model, size_t state)
{
    return model->location + state * model->channels;
}

static bbans_conditionals conditionals_of(const bbans_gaussian_hmm *model,
                                          size_t state)
{
    const size_t n = model->channels;
    bbans_conditionals c;

    c.family = model->family;
    c.lower = model->lower == NULL ? NULL : model->lower + state * n * (1 + n);
    c.scale = model->scale + state * n;
    c.n = n;
    c.leak = BBANS_CUT_LEAK;
    return c;
}

/* ---- Masses of vectors --------------------------------------------------- */

static const mass whole = {(uint64_t)1 << (MANTISSA_BITS - 1), 0};

static int64_t locate(const bbans_conditionals *c, size_t i, int64_t mean,
                      const bbans_vector *moved)
{
    return c->lower == NULL
               ? mean
               : bbans_affine_row(mean, c->lower + i * (1 + c->n), moved, i);
}

/* Multiply by the mass of element i, as the schedule codes it. */
static void weigh(mass *m, const bbans_conditionals *c, size_t i,
                  int64_t location, int64_t value)
{
    const bbans_place place = bbans_place_of(location, c->scale[i], c->leak);
    const bbans_bin bin = bbans_bin_of_value(&place, value);
    const bbans_span span = bbans_cut_span(
        bbans_span_of_bin(c->family, &place, bin.q), BBANS_CUT_BITS);
    const uint64_t product = m->mantissa * (span.end - span.start);
    const int down = bbans_bit_length(product) - MANTISSA_BITS;

    m->mantissa = product >> down;
    m->exponent += down - (BBANS_FAMILY_PREC - BBANS_CUT_BITS);
    m->exponent -= bin.low_bits;
}

/* A mass next to that of the likeliest state, whose exponent this is. */
static uint32_t share_of(const mass *m, int64_t most)
{
    const int64_t down = MANTISSA_BITS - EMITTING_BITS + most - m->exponent;

    return down < MANTISSA_BITS ? (uint32_t)(m->mantissa >> down) : 0;
}

/* As the filter takes them, zeros beyond the last state. */
static void put_shares(const bbans_hmm *chain, const mass *m, uint32_t *share)
{
    int64_t most = m->exponent;
    size_t k;

    for (k = 1; k < chain->states; k++)
        if (m[k].exponent > most)
            most = m[k].exponent;
    for (k = 0; k < chain->states; k++)
        share[k] = share_of(m + k, most);
    for (; k < chain->stride; k++)
        share[k] = 0;
}

static size_t heaviest_of(const uint32_t *weight, size_t n)
{
    size_t k, heaviest = 0;

    for (k = 1; k < n; k++)
        if (weight[k] > weight[heaviest])
            heaviest = k;
    return heaviest;
}

/* Of a vector that is known, in state k, as far as its share may be above 0
 * where `most` is an exponent of another: a mass falls from element to element.
 */
static mass mass_of(const bbans_gaussian_hmm *model, size_t k, const int64_t *x,
                    int64_t most)
{
    const bbans_conditionals c = conditionals_of(model, k);
    const int64_t *mean = location_of(model, k);
    bbans_vector moved;
    mass m = whole;
    size_t i;

    moved.large = 0; /* for compilers */
    for (i = 0; i < c.n && m.exponent >= most - EMITTING_BITS; i++) {
        const int64_t location = locate(&c, i, mean[i], &moved);

        weigh(&m, &c, i, location, x[i]);
        if (c.lower != NULL)
            bbans_put_element(&moved, i, bbans_point_of(x[i]) - location);
    }
    return m;
}

/* The state that is expected goes first, so that the others are soon left. */
static void weigh_vector(const bbans_gaussian_hmm *model,
                         const uint32_t *predicted, mass *m, const int64_t *x)
{
    const size_t states = model->chain.states;
    const size_t first = heaviest_of(predicted, states);
    int64_t most = -((int64_t)1 << 32); /* below all */
    size_t k;

    m[first] = mass_of(model, first, x, most);
    most = m[first].exponent;
    for (k = 0; k < states; k++) {
        if (k != first)
            m[k] = mass_of(model, k, x, most);
        if (m[k].exponent > most)
            most = m[k].exponent;
    }
}

/* ---- The engine ---------------------------------------------------------- */

static void start(const bbans_state_space *model, void *belief)
{
    const bbans_hmm *chain =
        &((const bbans_gaussian_hmm *)(const void *)model)->chain;

    memcpy(belief, chain->initial, chain->stride * sizeof *chain->initial);
}

/* x[t], which has been weighed. */
static void filter_weighed(const bbans_gaussian_hmm *model, bbans_stream *s)
{
    uint32_t *column = bbans_chain_column(&model->chain, s);

    put_shares(&model->chain, desk_of(model, s).of_state, column);
    bbans_chain_filter(&model->chain, s, column);
}

static void filter(const bbans_gaussian_hmm *model, bbans_stream *s)
{
    weigh_vector(model, (const uint32_t *)s->belief, desk_of(model, s).of_state,
                 observed_at(model, s));
    filter_weighed(model, s);
}

static void pop_prior(const bbans_gaussian_hmm *model, bbans_stream *s)
{
    bbans_chain_pop_prior(&model->chain, s);
}

static void push_posterior(const bbans_gaussian_hmm *model, bbans_stream *s)
{
    bbans_chain_push_posterior(&model->chain, s);
}

static void pop_likelihood(const bbans_gaussian_hmm *model, bbans_stream *s)
{
    const size_t z = bbans_state_of(s->z);
    const bbans_conditionals c = conditionals_of(model, z);
    int64_t location[BBANS_LATENTS_MAX];

    memcpy(location, location_of(model, z), c.n * sizeof *location);
    if (bbans_pop_conditionals(&s->lane, &c, location,
                               (int64_t *)s->out + s->t * c.n) != BBANS_OK)
        s->status = BBANS_ERR_CORRUPT;
    filter(model, s);
}

/* ---- The predictive distribution ----------------------------------------- */

/* Element i given those before it and the past: a mixture over the states that
 * have a weight. */
typedef struct {
    bbans_mixture mixture;
    bbans_cdf cdf;
    bbans_component part[BBANS_COMPONENTS_MAX];
} element_law;

static void start_vector(const bbans_gaussian_hmm *model, const desk *d)
{
    size_t k;

    for (k = 0; k < model->chain.states; k++)
        d->of_state[k] = whole;
}

/* Weights given the past and the elements so far.  The likeliest state has 2^27
 * or more of 2^28, and every predicted weight is positive, so the sum is. */
static void weights_of(const bbans_gaussian_hmm *model, const bbans_stream *s,
                       const desk *d, uint32_t *weight)
{
    const uint32_t *predicted = (const uint32_t *)s->belief;
    uint32_t *share = bbans_chain_column(&model->chain, s);
    uint64_t sum = 0; /* below 2^31 2^28 */
    size_t k;
    int shift;

    put_shares(&model->chain, d->of_state, share);
    for (k = 0; k < model->chain.states; k++)
        sum += (uint64_t)predicted[k] * share[k];
    shift = bbans_bit_length(sum) - BBANS_PREC_MAX;
    for (k = 0; k < model->chain.states; k++)
        weight[k] = bbans_scaled((uint64_t)predicted[k] * share[k], shift);
}

static void open_element(const bbans_gaussian_hmm *model, const bbans_stream *s,
                         const desk *d, size_t i, element_law *law)
{
    uint32_t weight[BBANS_COMPONENTS_MAX];
    int64_t location[BBANS_COMPONENTS_MAX];
    int32_t scale[BBANS_COMPONENTS_MAX];
    size_t k, n = 0;

    weights_of(model, s, d, weight);
    law->mixture.total = 0;
    for (k = 0; k < model->chain.states; k++) {
        const bbans_conditionals c = conditionals_of(model, k);

        d->location[k] = locate(&c, i, location_of(model, k)[i], d->moved + k);
        if (weight[k] == 0)
            continue;
        location[n] = d->location[k];
        scale[n] = c.scale[i];
        law->mixture.total += weight[k];
        weight[n++] = weight[k];
    }
    law->mixture.family = *model->family;
    law->mixture.components = n;
    law->mixture.part = law->part;
    (void)bbans_mixture_open(&law->mixture, bbans_array_of(location, BBANS_I64),
                             bbans_array_of(scale, BBANS_I32), 0, weight,
                             &law->cdf);
}

static void weigh_element(const bbans_gaussian_hmm *model, const desk *d,
                          size_t i, int64_t value)
{
    size_t k;

    for (k = 0; k < model->chain.states; k++) {
        const bbans_conditionals c = conditionals_of(model, k);

        weigh(d->of_state + k, &c, i, d->location[k], value);
        bbans_put_element(d->moved + k, i,
                          bbans_point_of(value) - d->location[k]);
    }
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const bbans_gaussian_hmm *m =
        (const bbans_gaussian_hmm *)(const void *)model;
    int64_t *x = (int64_t *)s->out + s->t * m->channels;
    const desk d = desk_of(m, s);
    bbans_source from;
    element_law law;
    size_t i;

    memset(&from, 0, sizeof from);
    from.dec = dec;
    from.status = BBANS_OK;
    start_vector(m, &d);
    for (i = 0; i < m->channels; i++) {
        open_element(m, s, &d, i, &law);
        x[i] = bbans_cdf_find(&from, &law.cdf);
        if (from.status != BBANS_OK)
            return from.status;
        weigh_element(m, &d, i, x[i]);
    }
    filter_weighed(m, s);
    return BBANS_OK;
}

#ifndef BBANS_DECODER_ONLY
static void push_prior(const bbans_gaussian_hmm *model, bbans_stream *s)
{
    bbans_chain_push_prior(&model->chain, s);
}

static void pop_posterior(const bbans_gaussian_hmm *model, bbans_stream *s)
{
    bbans_chain_pop_posterior(&model->chain, s);
}

/* Nothing here fails: with a leak, every value has a mass. */
static void push_likelihood(const bbans_gaussian_hmm *model, bbans_stream *s)
{
    const size_t z = bbans_state_of(s->z);
    const bbans_conditionals c = conditionals_of(model, z);
    int64_t location[BBANS_LATENTS_MAX];

    memcpy(location, location_of(model, z), c.n * sizeof *location);
    (void)bbans_push_conditionals(&s->lane, &c, location,
                                  observed_at(model, s));
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_gaussian_hmm *m =
        (const bbans_gaussian_hmm *)(const void *)model;
    const int64_t *x = observed_at(m, s);
    const desk d = desk_of(m, s);
    element_law law;
    size_t i, k;

    start_vector(m, &d);
    for (i = 0; i < m->channels; i++) {
        bbans_intervals list;

        open_element(m, s, &d, i, &law);
        list.n = 0;
        (void)bbans_cdf_list(&list, &law.cdf, x[i]);
        for (k = 0; k < list.n; k++)
            (void)bbans_range_encode_interval(
                enc, list.at[k].start, list.at[k].freq, list.at[k].total);
        weigh_element(m, &d, i, x[i]);
    }
    filter_weighed(m, s);
}
#endif /* BBANS_DECODER_ONLY */

#define MODEL bbans_gaussian_hmm
#include "bbans_steps.h"
#undef MODEL

static const bbans_engine engine = {
    .type = BBANS_MODEL_GAUSSIAN_HMM,
    .start = start,
#ifndef BBANS_DECODER_ONLY
    .filter_all = filter_all,
    .push_all = push_all,
    .encode = encode,
#endif /* BBANS_DECODER_ONLY */
    .pop_all = pop_all,
    .decode = decode,
};

static void set_engine(bbans_gaussian_hmm *model)
{
    bbans_state_space *space = &model->space;

    space->engine = &engine;
    space->observation_bytes = sizeof(int64_t) * model->channels;
    space->state_bytes = sizeof(uint64_t); /* aligned to 8 */
    space->belief_bytes = 4 * model->chain.stride;
    space->record_bytes = 4 * model->chain.stride;
    space->scratch_bytes = scratch_bytes(model->chain.states);
    space->start_bits = BBANS_CHAIN_START_BITS;
    /* The state, and the elements; half of it is scratch of the range coder. */
    space->push_words = 2 * (1 + BBANS_CDF_WORDS * model->channels);
    space->pop_words = 1; /* what a push of z may move */
}

/* ---- Initialisation ------------------------------------------------------ */

size_t bbans_gaussian_hmm_bytes(size_t states, size_t channels)
{
    return states > BBANS_COMPONENTS_MAX || channels < 1 ||
                   channels > BBANS_LATENTS_MAX
               ? 0
               : bbans_hmm_bytes(states, 1);
}

static int elements_are_valid(const int64_t *location, const int32_t *scale,
                              size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (location[i] < -BBANS_LOCATION_MAX ||
            location[i] > BBANS_LOCATION_MAX || scale[i] < BBANS_SCALE_MIN ||
            scale[i] > BBANS_SCALE_MAX)
            return 0;
    return 1;
}

/* Rows of one state: each has a shift, and no numbers but of elements before
 * its own. */
static int rows_are_lower(const int32_t *row, size_t channels)
{
    size_t i, j;

    if (!bbans_shifts_are_valid(row, channels, channels))
        return 0;
    for (i = 0; i < channels; i++, row += 1 + channels)
        for (j = i; j < channels; j++)
            if (row[1 + j] != 0)
                return 0;
    return 1;
}

bbans_status
bbans_gaussian_hmm_init(bbans_gaussian_hmm *model, size_t states,
                        size_t channels, unsigned prec, size_t start_length,
                        const uint32_t *initial, const uint32_t *transition,
                        const int64_t *location, const int32_t *scale,
                        const int32_t *lower, void *memory, size_t memory_bytes)
{
    uint32_t sure[BBANS_COMPONENTS_MAX]; /* the states' one symbol */
    bbans_gaussian_hmm m;
    bbans_status status;
    size_t k;

    if (model == NULL || location == NULL || scale == NULL)
        return BBANS_ERR_NULL;
    if (prec < 1 || prec > BBANS_PREC_MAX)
        return BBANS_ERR_PRECISION;
    if (bbans_gaussian_hmm_bytes(states, channels) == 0)
        return BBANS_ERR_SIZE;
    if (!elements_are_valid(location, scale, states * channels))
        return BBANS_ERR_TABLE;
    for (k = 0; k < states; k++) {
        if (lower != NULL &&
            !rows_are_lower(lower + k * channels * (1 + channels), channels))
            return BBANS_ERR_TABLE;
        sure[k] = (uint32_t)1 << prec;
    }
    memset(&m, 0, sizeof m);
    status = bbans_hmm_fill(&m.chain, states, 1, prec, start_length, initial,
                            transition, sure, memory, memory_bytes);
    if (status != BBANS_OK)
        return status;
    m.channels = channels;
    m.family = bbans_family_of(BBANS_GAUSSIAN);
    m.location = location;
    m.scale = scale;
    m.lower = lower;
    m.space.start_length = start_length;
    set_engine(&m);
    *model = m;
    return BBANS_OK;
}

bbans_status bbans_gaussian_hmm_filter(const bbans_gaussian_hmm *model,
                                       uint32_t *predicted, const int64_t *x,
                                       size_t n, uint32_t *filtered)
{
    mass m[BBANS_COMPONENTS_MAX];
    uint32_t column[BBANS_COMPONENTS_MAX];
    size_t t;

    if (model == NULL || predicted == NULL ||
        ((x == NULL || filtered == NULL) && n > 0))
        return BBANS_ERR_NULL;
    for (t = 0; t < n; t++) {
        weigh_vector(model, predicted, m, x + t * model->channels);
        put_shares(&model->chain, m, column);
        bbans_hmm_step(&model->chain, column, predicted,
                       filtered + t * model->chain.stride);
    }
    return BBANS_OK;
}
