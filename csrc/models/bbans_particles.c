/* Particle filters of models whose laws are given by callbacks: docs/maths.md,
 * "Particle filters".
 *
 * x_t is coded under the mean of its laws over the particles, dimension by
 * dimension: what is coded so far weighs the particles.  So a step borrows
 * nothing, and its intervals, which the filter lists on the way, are its
 * record. Laws whose mean is none of the library's are coded by bits back:
 * which particle's law codes x_t is the latent, and the particles are the
 * record.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_particles.h"

static const bbans_particles *filter_of(const bbans_state_space *model)
{
    return (const bbans_particles *)(const void *)model;
}

/* ---- The scratch --------------------------------------------------------- */

/* Of n particles, d latents and up to m symbols. */
typedef struct {
    uint64_t *head, *sum;     /* [d n] of draws; [m] of the mean of symbols */
    int64_t *drawn, *before;  /* [d n]                                      */
    int64_t *same;            /* [n] an observed value, for each particle   */
    void *work;               /* of callbacks                               */
    bbans_component *part;    /* [n]                                        */
    bbans_masses mass, total; /* [n] of a dimension, of all                 */
    bbans_masses ahead, kept; /* [n] of what is seen before moves           */
    uint32_t *tail;           /* [8 d n + 1] of draws                       */
    uint32_t *weight, *ancestor; /* [n]                                     */
    uint32_t *row;               /* [m]                                     */
} desk;

#define WORDS_MAX BBANS_CDF_WORDS /* of any law */

/* Take `count` elements of `size` bytes; without memory only count. */
static void *take(uint8_t *memory, size_t *used, size_t count, size_t size)
{
    const size_t at = *used;

    *used += (count * size + 7) / 8 * 8;
    return memory == NULL ? NULL : memory + at;
}

static bbans_masses take_masses(uint8_t *memory, size_t *used, size_t n)
{
    bbans_masses x;

    x.mantissa = (uint32_t *)take(memory, used, n, sizeof *x.mantissa);
    x.exponent = (int32_t *)take(memory, used, n, sizeof *x.exponent);
    return x;
}

/* Lay the desk out in memory, or nowhere (NULL); returns its bytes. */
static size_t lay_out(const bbans_particles *f, void *memory, desk *k)
{
    const size_t n = f->particles, all = n * f->model.latents;
    uint8_t *at = (uint8_t *)memory;
    size_t used = 0;

    k->head = (uint64_t *)take(at, &used, all, sizeof *k->head);
    k->sum = (uint64_t *)take(at, &used, f->model.symbols, sizeof *k->sum);
    k->drawn = (int64_t *)take(at, &used, all, sizeof *k->drawn);
    k->before = (int64_t *)take(at, &used, all, sizeof *k->before);
    k->same = (int64_t *)take(at, &used, n, sizeof *k->same);
    k->work = take(at, &used, f->model.work_bytes, 1);
    k->part = (bbans_component *)take(at, &used, f->model.symbols > 0 ? 0 : n,
                                      sizeof *k->part);
    k->mass = take_masses(at, &used, n);
    k->total = take_masses(at, &used, n);
    k->ahead = take_masses(at, &used, n);
    k->kept = take_masses(at, &used, n);
    k->tail = (uint32_t *)take(at, &used, WORDS_MAX * all + 1, sizeof *k->tail);
    k->weight = (uint32_t *)take(at, &used, n, sizeof *k->weight);
    k->ancestor = (uint32_t *)take(at, &used, n, sizeof *k->ancestor);
    k->row = (uint32_t *)take(at, &used, f->model.symbols, sizeof *k->row);
    return used;
}

static desk desk_of(const bbans_particles *f, const bbans_stream *s)
{
    desk k;

    (void)lay_out(f, s->scratch, &k);
    return k;
}

/* ---- Particles ----------------------------------------------------------- */

/* The belief: [d][n] particles.  Before step 0 there are none. */
static int64_t *particles_of(const bbans_stream *s)
{
    return (int64_t *)s->belief;
}

static const int64_t *moved_of(const bbans_stream *s, const int64_t *z)
{
    return s->t == 0 ? NULL : z;
}

static bbans_status draw(const bbans_particles *f, const bbans_stream *s,
                         const desk *k, const bbans_distribution *law)
{
    const size_t all = f->particles * f->model.latents;
    bbans_status status;

    if (law->words > WORDS_MAX)
        return BBANS_ERR_SIZE;
    status = bbans_public_draw(law, f->key,
                               bbans_step_stream(s->t, BBANS_STREAM_DRAW),
                               k->drawn, BBANS_I64, all, k->head, k->tail);
    if (status == BBANS_OK)
        memcpy(particles_of(s), k->drawn, all * sizeof *k->drawn);
    return status;
}

/* Draw particles by their total masses. */
static void resample(const bbans_particles *f, const bbans_stream *s,
                     const desk *k, unsigned use)
{
    const size_t n = f->particles, all = n * f->model.latents;
    const uint64_t number =
        bbans_public_number(f->key, bbans_step_stream(s->t, use), 0);
    int64_t *z = particles_of(s);
    size_t i, j;

    bbans_masses_weigh(k->total, n, k->weight);
    bbans_resample_points(k->weight, n, number, n, k->ancestor);
    for (i = 0; i < all; i += n)
        for (j = 0; j < n; j++)
            k->drawn[i + j] = z[i + k->ancestor[j]];
    memcpy(z, k->drawn, all * sizeof *z);
}

/* ---- The mean of laws ---------------------------------------------------- */

/* A step's x, dimension by dimension: its intervals, or where it is popped. */
typedef struct {
    const int64_t *x;
    int64_t *out; /* the same, or NULL: x is known */
    bbans_intervals *list;
    bbans_source *from;
} coded;

/* floor(m 2^(e + 32)), 1 at least if m > 0; masses are at most 1. */
static uint64_t fraction_of(uint32_t m, int32_t e)
{
    const uint64_t q = e > -32   ? (uint64_t)m << (e + 32)
                       : e > -64 ? m >> (-32 - e)
                                 : 0;

    return m > 0 && q == 0 ? 1 : q;
}

/* The sum of the particles' masses of each symbol, up to 2^28 2^32, as a row of
 * weights that sum to up to 2^27 + m < 2^28.  Sets *symbols and *total. */
static bbans_status sum_rows(const bbans_particles *f, const desk *k,
                             const bbans_distribution *law, size_t *symbols,
                             uint32_t *total)
{
    const size_t n = f->particles;
    uint64_t sum = 0;
    size_t v, i;
    int shift;

    *symbols = law->limit;
    if (law->limit < 1 || law->limit > f->model.symbols)
        return BBANS_ERR_SIZE;
    for (v = 0; v < *symbols; v++) {
        bbans_status status;

        for (i = 0; i < n; i++)
            k->same[i] = (int64_t)v;
        status = bbans_distribution_masses(law, k->same, BBANS_I64, n,
                                           k->mass.mantissa, k->mass.exponent);
        if (status != BBANS_OK)
            return status;
        k->sum[v] = 0;
        for (i = 0; i < n; i++)
            k->sum[v] += k->weight[i] *
                         fraction_of(k->mass.mantissa[i], k->mass.exponent[i]);
        sum += k->sum[v];
    }
    shift = bbans_bit_length(sum) - 27;
    *total = 0;
    for (v = 0; v < *symbols; v++) {
        k->row[v] = (uint32_t)(k->sum[v] >> (shift > 0 ? shift : 0));
        if (k->row[v] == 0 && k->sum[v] > 0)
            k->row[v] = 1;
        *total += k->row[v];
    }
    return *total > 0 ? BBANS_OK : BBANS_ERR_TOTAL;
}

static bbans_status code_symbol(const bbans_particles *f, const desk *k,
                                const bbans_distribution *law, const coded *c,
                                size_t i)
{
    uint32_t total, slot, start = 0;
    size_t symbols, v;
    bbans_status status = sum_rows(f, k, law, &symbols, &total);

    if (status != BBANS_OK)
        return status;
    if (c->out == NULL) {
        if (c->x[i] < 0 || (uint64_t)c->x[i] >= symbols || k->row[c->x[i]] == 0)
            return BBANS_ERR_SYMBOL;
        for (v = 0; v < (size_t)c->x[i]; v++)
            start += k->row[v];
        bbans_list(c->list, start, k->row[v], total);
        return BBANS_OK;
    }
    slot = bbans_source_take(c->from, total);
    for (v = 0; slot - start >= k->row[v]; v++)
        start += k->row[v];
    bbans_source_put(c->from, slot, start, k->row[v], total);
    c->out[i] = (int64_t)v;
    return BBANS_OK;
}

static bbans_status code_real(const bbans_particles *f, const desk *k,
                              const bbans_distribution *law, const coded *c,
                              size_t i)
{
    bbans_mixture mixture;
    bbans_status status;
    bbans_cdf cdf;
    size_t j;

    if (!bbans_is_location_scale(law))
        return BBANS_ERR_TYPE;
    mixture.family = *(const bbans_family *)law->form;
    mixture.components = f->particles;
    mixture.part = k->part;
    mixture.total = 0;
    for (j = 0; j < f->particles; j++)
        mixture.total += k->weight[j];
    status = bbans_mixture_open(&mixture, law->array[0], law->array[1], 0,
                                k->weight, &cdf);
    if (status != BBANS_OK)
        return status;
    if (c->out == NULL)
        return bbans_cdf_list(c->list, &cdf, c->x[i]);
    c->out[i] = bbans_cdf_find(c->from, &cdf);
    return BBANS_OK;
}

/* Multiply the total masses by those of a value. */
static bbans_status observe(const bbans_particles *f, const desk *k,
                            const bbans_distribution *law, int64_t x)
{
    const size_t n = f->particles;
    bbans_status status;
    size_t i;

    for (i = 0; i < n; i++)
        k->same[i] = x;
    status = bbans_distribution_masses(law, k->same, BBANS_I64, n,
                                       k->mass.mantissa, k->mass.exponent);
    if (status == BBANS_OK)
        bbans_masses_multiply(k->total, k->mass, n);
    return status;
}

/* Code x under the mean of the particles' laws, and set their total masses. */
static bbans_status code(const bbans_particles *f, const desk *k,
                         const bbans_distribution *law, const coded *c)
{
    const size_t n = f->particles;
    size_t i;

    bbans_masses_start(k->total, n);
    for (i = 0; i < f->model.observed; i++) {
        const bbans_distribution part = bbans_distribution_from(law, i * n);
        bbans_status status;
        coded one = *c;

        if (c->list != NULL) {
            one.list = c->list + i;
            one.list->n = 0;
        }
        bbans_masses_weigh(k->total, n, k->weight);
        status = f->model.symbols > 0 ? code_symbol(f, k, &part, &one, i)
                                      : code_real(f, k, &part, &one, i);
        if (status == BBANS_OK && c->from != NULL)
            status = c->from->status;
        if (status != BBANS_OK)
            return status;
        status = observe(f, k, &part, c->x[i]);
        if (status != BBANS_OK)
            return status;
    }
    return BBANS_OK;
}

/* ---- Laws without a mean ------------------------------------------------- */

/* The particles' weights given all of x. */
static bbans_status weigh(const bbans_particles *f, const desk *k,
                          const bbans_distribution *law, const int64_t *x)
{
    bbans_status status = BBANS_OK;
    size_t i;

    bbans_masses_start(k->total, f->particles);
    for (i = 0; status == BBANS_OK && i < f->model.observed; i++) {
        const bbans_distribution part =
            bbans_distribution_from(law, i * f->particles);

        status = observe(f, k, &part, x[i]);
    }
    bbans_masses_weigh(k->total, f->particles, k->weight);
    return status;
}

/* The law of dimension i for a particle. */
static bbans_distribution law_of(const bbans_particles *f,
                                 const bbans_distribution *law, size_t i,
                                 size_t particle)
{
    return bbans_distribution_from(law, i * f->particles + particle);
}

static bbans_status pop_under(const bbans_particles *f, bbans_stream *s,
                              const bbans_distribution *law, size_t particle,
                              bbans_source *from, int64_t *x)
{
    bbans_status status = BBANS_OK;
    bbans_message msg;
    size_t i;

    msg.head = &from->lane.x;
    msg.tail = from->lane.tail;
    msg.tail_len = from->lane.tail_len;
    msg.lanes = 1;
    msg.tail_cap = from->dec == NULL ? s->msg->tail_cap : 0;
    for (i = 0; status == BBANS_OK && i < f->model.observed; i++) {
        const bbans_distribution one = law_of(f, law, i, particle);

        status = from->dec == NULL
                     ? bbans_message_pop(&msg, &one, x + i, BBANS_I64, 1)
                     : bbans_range_decode(from->dec, &one, x + i, BBANS_I64, 1);
    }
    from->lane.tail_len = msg.tail_len;
    return status;
}

/* The first particle of the greatest weight: the range coder, which cannot
 * borrow, takes it. */
static size_t heaviest(const uint32_t *weight, size_t n)
{
    size_t i, best = 0;

    for (i = 1; i < n; i++)
        if (weight[i] > weight[best])
            best = i;
    return best;
}

/* Pop x through a particle, and give back what chose it. */
static bbans_status pop_through(const bbans_particles *f, bbans_stream *s,
                                const desk *k, const bbans_distribution *law,
                                bbans_source *from, int64_t *x)
{
    const uint32_t n = (uint32_t)f->particles;
    const uint32_t i = bbans_source_take(from, n);
    bbans_status status;

    bbans_source_put(from, i, i, 1, n);
    status = from->status;
    if (status == BBANS_OK)
        status = pop_under(f, s, law, i, from, x);
    if (status == BBANS_OK)
        status = weigh(f, k, law, x);
    if (status != BBANS_OK)
        return status;
    if (from->dec != NULL)
        return i == heaviest(k->weight, n) ? BBANS_OK : BBANS_ERR_CORRUPT;
    if (k->weight[i] == 0) /* no sender can have popped it */
        return BBANS_ERR_CORRUPT;
    bbans_push_weighted(&from->lane, k->weight,
                        bbans_weights_before(k->weight, n), i);
    return BBANS_OK;
}

/* ---- A step -------------------------------------------------------------- */

static bbans_status move_particles(const bbans_particles *f, bbans_stream *s)
{
    const desk k = desk_of(f, s);
    bbans_distribution law;
    bbans_status status =
        f->model.prior(f->model.user, s->t, moved_of(s, particles_of(s)),
                       f->particles, k.work, &law);

    return status == BBANS_OK ? draw(f, s, &k, &law) : status;
}

/* Particles that look ahead have not moved yet. */
static void predict(const bbans_state_space *model, bbans_stream *s)
{
    const bbans_particles *f = filter_of(model);

    if (s->status == BBANS_OK && f->model.lookahead == NULL)
        s->status = move_particles(f, s);
}

/* Multiply the total masses by those of the moved particles. */
static bbans_status weigh_moves(const bbans_particles *f, const desk *k,
                                const bbans_distribution *law, const int64_t *z)
{
    const size_t n = f->particles;
    bbans_status status = BBANS_OK;
    size_t i;

    for (i = 0; status == BBANS_OK && i < f->model.latents; i++) {
        const bbans_distribution part = bbans_distribution_from(law, i * n);

        status = bbans_distribution_masses(&part, z + i * n, BBANS_I64, n,
                                           k->mass.mantissa, k->mass.exponent);
        if (status == BBANS_OK)
            bbans_masses_multiply(k->total, k->mass, n);
    }
    return status;
}

/* Resample by what was seen ahead, move by the proposal, and resample by what
 * both had wrong. */
static bbans_status propose(const bbans_particles *f, bbans_stream *s,
                            const desk *k, const int64_t *x)
{
    const size_t n = f->particles, all = n * f->model.latents;
    const bbans_particle_model *m = &f->model;
    int64_t *z = particles_of(s);
    const int64_t *from = moved_of(s, k->before);
    bbans_distribution law;
    bbans_status status;
    size_t i, j;

    resample(f, s, k, BBANS_STREAM_RESAMPLE);
    for (j = 0; j < n; j++) {
        k->ahead.mantissa[j] = k->total.mantissa[k->ancestor[j]];
        k->ahead.exponent[j] = k->total.exponent[k->ancestor[j]];
    }
    memcpy(k->before, z, all * sizeof *z);
    status = m->proposal(m->user, s->t, from, x, n, k->work, &law);
    if (status == BBANS_OK)
        status = draw(f, s, k, &law);
    if (status != BBANS_OK)
        return status;
    /* Of the proposal while its parameters are at hand. */
    bbans_masses_start(k->total, n);
    status = weigh_moves(f, k, &law, z);
    memcpy(k->kept.mantissa, k->total.mantissa, n * sizeof *k->kept.mantissa);
    memcpy(k->kept.exponent, k->total.exponent, n * sizeof *k->kept.exponent);
    bbans_masses_start(k->total, n);
    if (status == BBANS_OK)
        status = m->prior(m->user, s->t, from, n, k->work, &law);
    if (status == BBANS_OK)
        status = weigh_moves(f, k, &law, z);
    if (status == BBANS_OK)
        status = m->likelihood(m->user, s->t, z, n, k->work, &law);
    for (i = 0; status == BBANS_OK && i < m->observed; i++) {
        const bbans_distribution part = bbans_distribution_from(&law, i * n);

        status = observe(f, k, &part, x[i]);
    }
    if (status != BBANS_OK)
        return status;
    bbans_masses_divide(k->total, k->kept, n);
    bbans_masses_divide(k->total, k->ahead, n);
    resample(f, s, k, BBANS_STREAM_CORRECT);
    return BBANS_OK;
}

/* The laws of x[t] that it is coded under, of these particles. */
static bbans_status open_laws(const bbans_particles *f, const bbans_stream *s,
                              const desk *k, const int64_t *z,
                              bbans_distribution *law)
{
    const bbans_particle_model *m = &f->model;

    return m->lookahead == NULL
               ? m->likelihood(m->user, s->t, z, f->particles, k->work, law)
               : m->lookahead(m->user, s->t, moved_of(s, z), f->particles,
                              k->work, law);
}

/* With x[t] and the total masses of the particles at hand. */
static bbans_status finish(const bbans_particles *f, bbans_stream *s,
                           const desk *k, const int64_t *x)
{
    if (f->model.lookahead != NULL)
        return propose(f, s, k, x);
    resample(f, s, k, BBANS_STREAM_RESAMPLE);
    return BBANS_OK;
}

static bbans_status decode_step(const bbans_particles *f, bbans_stream *s,
                                bbans_source *from)
{
    int64_t *x = (int64_t *)s->out + s->t * f->model.observed;
    const desk k = desk_of(f, s);
    const coded c = {x, x, NULL, from};
    bbans_distribution law;
    bbans_status status = open_laws(f, s, &k, particles_of(s), &law);

    if (status == BBANS_OK)
        status = f->model.borrows ? pop_through(f, s, &k, &law, from, x)
                                  : code(f, &k, &law, &c);
    return status == BBANS_OK ? finish(f, s, &k, x) : status;
}

/* ---- The engine ---------------------------------------------------------- */

static void start(const bbans_state_space *model, void *belief)
{
    memset(belief, 0, model->belief_bytes);
}

static void pop_likelihood(const bbans_particles *f, bbans_stream *s)
{
    bbans_source from;

    memset(&from, 0, sizeof from);
    from.lane = s->lane;
    if (s->status == BBANS_OK)
        s->status = decode_step(f, s, &from);
    s->lane = from.lane;
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    bbans_source from;

    memset(&from, 0, sizeof from);
    from.dec = dec;
    return decode_step(filter_of(model), s, &from);
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

static const int64_t *observation_of(const bbans_particles *f,
                                     const bbans_stream *s)
{
    return (const int64_t *)s->x + s->t * f->model.observed;
}

/* x[t] has a mass under a particle; the weights are set. */
static bbans_status weigh_observed(const bbans_particles *f,
                                   const bbans_stream *s, const desk *k,
                                   const int64_t *z, bbans_distribution *law)
{
    bbans_status status = open_laws(f, s, k, z, law);
    size_t i;

    if (status == BBANS_OK)
        status = weigh(f, k, law, observation_of(f, s));
    for (i = 0; status == BBANS_OK && k->total.mantissa[i] == 0;)
        if (++i == f->particles)
            return BBANS_ERR_SYMBOL;
    return status;
}

static bbans_status filter_observed(const bbans_particles *f, bbans_stream *s)
{
    const int64_t *x = observation_of(f, s);
    int64_t *z = particles_of(s);
    const desk k = desk_of(f, s);
    const coded c = {x, NULL, (bbans_intervals *)s->record, NULL};
    bbans_distribution law;
    bbans_status status;

    if (f->model.borrows) {
        memcpy(s->record, z, f->space.record_bytes);
        status = weigh_observed(f, s, &k, z, &law);
    } else {
        status = open_laws(f, s, &k, z, &law);
        if (status == BBANS_OK)
            status = code(f, &k, &law, &c);
    }
    return status == BBANS_OK ? finish(f, s, &k, x) : status;
}

static void filter(const bbans_particles *f, bbans_stream *s)
{
    if (s->status == BBANS_OK)
        s->status = filter_observed(f, s);
}

static void push_list(bbans_lane *lane, const bbans_intervals *list)
{
    size_t k = list->n;

    while (k-- > 0)
        bbans_lane_push(lane, list->at[k].start, list->at[k].freq,
                        list->at[k].total);
}

static bbans_status list_under(const bbans_particles *f,
                               const bbans_distribution *law, size_t particle,
                               const int64_t *x, size_t i,
                               bbans_intervals *list)
{
    const bbans_distribution one = law_of(f, law, i, particle);
    size_t at;

    return bbans_distribution_list(&one, x + i, BBANS_I64, 1, list->at,
                                   BBANS_INTERVALS_MAX, &list->n, &at);
}

/* Pop which particle's law codes x, and push x and the particle. */
static bbans_status push_through(const bbans_particles *f, bbans_stream *s)
{
    const int64_t *z = (const int64_t *)s->record;
    const uint32_t n = (uint32_t)f->particles;
    const desk k = desk_of(f, s);
    bbans_distribution law;
    bbans_intervals list;
    size_t particle, i;
    bbans_status status = weigh_observed(f, s, &k, z, &law);

    if (status != BBANS_OK)
        return status;
    particle = bbans_pop_weighted(&s->lane, k.weight,
                                  bbans_weights_before(k.weight, n));
    for (i = f->model.observed; status == BBANS_OK && i-- > 0;) {
        status = list_under(f, &law, particle, observation_of(f, s), i, &list);
        if (status == BBANS_OK)
            push_list(&s->lane, &list);
    }
    bbans_lane_push(&s->lane, (uint32_t)particle, 1, n);
    return status;
}

static void push_likelihood(const bbans_particles *f, bbans_stream *s)
{
    const bbans_intervals *list = (const bbans_intervals *)s->record;
    size_t i = f->model.observed;

    if (f->model.borrows)
        s->status = push_through(f, s);
    else
        while (i-- > 0)
            push_list(&s->lane, list + i);
}

static void encode_list(bbans_range_encoder *enc, const bbans_intervals *list)
{
    size_t k;

    for (k = 0; k < list->n; k++)
        (void)bbans_range_encode_interval(enc, list->at[k].start,
                                          list->at[k].freq, list->at[k].total);
}

static bbans_status encode_through(const bbans_particles *f, bbans_stream *s,
                                   bbans_range_encoder *enc)
{
    const desk k = desk_of(f, s);
    bbans_distribution law;
    bbans_intervals list;
    size_t particle, i;
    bbans_status status = weigh_observed(f, s, &k, particles_of(s), &law);

    if (status != BBANS_OK)
        return status;
    particle = heaviest(k.weight, f->particles);
    (void)bbans_range_encode_interval(enc, (uint32_t)particle, 1,
                                      (uint32_t)f->particles);
    for (i = 0; status == BBANS_OK && i < f->model.observed; i++) {
        status = list_under(f, &law, particle, observation_of(f, s), i, &list);
        if (status == BBANS_OK)
            encode_list(enc, &list);
    }
    return status == BBANS_OK ? finish(f, s, &k, observation_of(f, s)) : status;
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_particles *f = filter_of(model);
    const bbans_intervals *list = (const bbans_intervals *)s->record;
    size_t i;

    if (s->status == BBANS_OK)
        s->status = f->model.borrows ? encode_through(f, s, enc)
                                     : filter_observed(f, s);
    if (s->status != BBANS_OK || f->model.borrows)
        return;
    for (i = 0; i < f->model.observed; i++)
        encode_list(enc, list + i);
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
    .filter_all = filter_all,
    .push_all = push_all,
    .encode = encode,
#endif /* BBANS_DECODER_ONLY */
    .pop_all = pop_all,
    .decode = decode,
};

/* Whether the desk's bytes can be counted. */
static int is_small(const bbans_particle_model *model, size_t particles)
{
    return model->latents >= 1 && model->latents <= BBANS_DIMENSIONS_MAX &&
           model->observed >= 1 && model->observed <= BBANS_DIMENSIONS_MAX &&
           model->symbols <= BBANS_SYMBOLS_MAX && particles >= 1 &&
           particles <= BBANS_PARTICLES_MAX &&
           model->latents <= SIZE_MAX / 256 / particles &&
           model->work_bytes <= SIZE_MAX / 4;
}

bbans_status bbans_particles_init(bbans_particles *filter,
                                  const bbans_particle_model *model,
                                  size_t particles, uint64_t key,
                                  size_t start_length)
{
    bbans_state_space *space;
    desk k;

    if (filter == NULL || model == NULL || model->prior == NULL ||
        model->likelihood == NULL ||
        (model->lookahead == NULL) != (model->proposal == NULL))
        return BBANS_ERR_NULL;
    if (!is_small(model, particles) || start_length < 1 ||
        start_length > BBANS_START_MAX)
        return BBANS_ERR_SIZE;
    filter->model = *model;
    filter->hmm = NULL;
    filter->adapted = model->lookahead != NULL;
    filter->particles = particles;
    filter->key = key;
    space = &filter->space;
    space->engine = &engine;
    space->observation_bytes = sizeof(int64_t) * model->observed;
    space->state_bytes = 0;
    space->belief_bytes = sizeof(int64_t) * particles * model->latents;
    space->record_bytes = model->borrows
                              ? space->belief_bytes
                              : sizeof(bbans_intervals) * model->observed;
    space->scratch_bytes = (lay_out(filter, NULL, &k) + BBANS_ALIGNMENT - 1) /
                           BBANS_ALIGNMENT * BBANS_ALIGNMENT;
    space->start_length = start_length;
    space->start_bits = model->borrows ? 48 : 0; /* of what a step borrows */
    /* Those of x, and a particle; twice, as the range coder has half of the
     * tail. */
    space->push_words = model->symbols > 0 && !model->borrows
                            ? 2 * model->observed
                            : 2 * (BBANS_INTERVALS_MAX * model->observed + 1);
    space->pop_words = 1;
    space->predictive = 0;
    return BBANS_OK;
}
