/* A frozen VAE of one level or several in the schedule: docs/maths.md, "VAEs
 * and deep state space models".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_latent.h"

/* Steps do not depend on each other: there is nothing to believe, nor to
 * record, since posteriors see x.  Levels count from 0 here. */

/* ---- Conditionals -------------------------------------------------------- */

/* What depends on levels l and up: the level below, or the observation. */
static void take_from(const bbans_vae *m, bbans_desk *desk, const int64_t *z,
                      size_t l)
{
    size_t k = m->order == BBANS_ORDER_MARKOV ? l + 1 : m->levels;

    while (k-- > l)
        bbans_desk_add_latents(desk, z + m->first[k]);
}

/* Q of level l: given x and the levels above it, or in a Markov chain what is
 * below it. */
static bbans_latent_law posterior(const bbans_vae *m, const bbans_stream *s,
                                  const int32_t *x, const int64_t *z, size_t l)
{
    bbans_desk desk = bbans_desk_of(&m->base, s);

    if (m->order == BBANS_ORDER_MARKOV && l > 0) {
        bbans_desk_add_latents(&desk, z + m->first[l - 1]);
    } else {
        bbans_desk_add(&desk, x);
        if (m->order != BBANS_ORDER_MARKOV)
            take_from(m, &desk, z, l + 1);
    }
    return bbans_desk_law(&desk, l, 0);
}

/* P of level l given the levels above it. */
static bbans_latent_law prior(const bbans_vae *m, const bbans_stream *s,
                              const int64_t *z, size_t l)
{
    bbans_desk desk = bbans_desk_of(&m->base, s);

    if (l + 1 == m->levels)
        return bbans_standard_law(&desk, m->first[l + 1] - m->first[l]);
    take_from(m, &desk, z, l + 1);
    return bbans_desk_law(&desk, m->levels + l, 1);
}

static const int32_t *likelihood(const bbans_vae *m, const bbans_stream *s,
                                 const int64_t *z)
{
    bbans_desk desk = bbans_desk_of(&m->base, s);

    take_from(m, &desk, z, 0);
    return bbans_desk_run(&desk, 2 * m->levels - 1);
}

/* ---- Levels on the lane -------------------------------------------------- */

static void note(bbans_stream *s, bbans_status status)
{
    if (status != BBANS_OK)
        s->status = status;
}

static void push_level(const bbans_vae *m, bbans_stream *s,
                       bbans_latent_law law, const int64_t *z, size_t l)
{
    note(s, bbans_latent_push(&law, &s->lane, z + m->first[l]));
}

static void pop_level(const bbans_vae *m, bbans_stream *s, bbans_latent_law law,
                      int64_t *z, size_t l)
{
    note(s, bbans_latent_pop(&law, &s->lane, z + m->first[l]));
}

/* ---- The engine ---------------------------------------------------------- */

static int is_markov(const bbans_vae *m)
{
    return m->order == BBANS_ORDER_MARKOV;
}

static void start(const bbans_state_space *model, void *belief)
{
    (void)model, (void)belief;
}

/* The prior of a Markov chain's first level is itself bits back: levels above
 * are borrowed from the message, and returned. */
static void pop_prior(const bbans_vae *m, bbans_stream *s)
{
    int64_t *z = (int64_t *)s->z;
    size_t l = m->levels - 1;

    pop_level(m, s, prior(m, s, z, l), z, l);
    while (l-- > 0) {
        pop_level(m, s, prior(m, s, z, l), z, l);
        if (is_markov(m))
            push_level(m, s, posterior(m, s, NULL, z, l + 1), z, l + 1);
    }
}

static void pop_likelihood(const bbans_vae *m, bbans_stream *s)
{
    const int64_t *z = (const int64_t *)s->z;
    int32_t *x = bbans_popped(&m->base, s);

    bbans_head_pop(&m->base.head, likelihood(m, s, z), &s->lane, x);
}

/* Of step t - 1. */
static void push_posterior(const bbans_vae *m, bbans_stream *s)
{
    const int32_t *x = bbans_observed(&m->base, s, s->t - 1);
    const int64_t *z = (const int64_t *)s->z_before;
    size_t l = 0;

    push_level(m, s, posterior(m, s, x, z, l), z, l);
    while (!is_markov(m) && ++l < m->levels)
        push_level(m, s, posterior(m, s, x, z, l), z, l);
}

/* The modes of all levels. */
static void find_modes(const bbans_vae *m, const bbans_stream *s,
                       const int32_t *x, int64_t *z)
{
    size_t i;

    for (i = 0; i < m->levels; i++) {
        const size_t l = is_markov(m) ? i : m->levels - 1 - i;
        const bbans_latent_law law = posterior(m, s, x, z, l);

        bbans_latent_mode(&law, m->base.start_shift, z + m->first[l]);
    }
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const bbans_vae *m = (const bbans_vae *)(const void *)model;
    int64_t *z = bbans_state_in(&m->base, s, BBANS_STATE_CODED);
    int64_t *mode = bbans_state_in(&m->base, s, BBANS_STATE_MODE);
    int32_t *x = bbans_popped(&m->base, s);
    bbans_status status = BBANS_OK;
    size_t l = m->levels;

    while (l-- > 0 && status == BBANS_OK) {
        const bbans_latent_law law = prior(m, s, z, l);

        status = bbans_latent_decode(&law, m->base.start_shift, dec,
                                     z + m->first[l]);
    }
    if (status == BBANS_OK)
        status = bbans_head_decode(&m->base.head, likelihood(m, s, z), dec, x);
    if (status != BBANS_OK)
        return status;
    find_modes(m, s, x, mode);
    return memcmp(z, mode, model->state_bytes) == 0 ? BBANS_OK
                                                    : BBANS_ERR_CORRUPT;
}

#ifndef BBANS_DECODER_ONLY
static void filter(const bbans_vae *m, bbans_stream *s)
{
    (void)m, (void)s;
}

static void push_prior(const bbans_vae *m, bbans_stream *s)
{
    int64_t *z = (int64_t *)s->z;
    size_t l;

    for (l = 0; l < m->levels; l++) {
        if (is_markov(m) && l + 1 < m->levels)
            pop_level(m, s, posterior(m, s, NULL, z, l + 1), z, l + 1);
        push_level(m, s, prior(m, s, z, l), z, l);
    }
}

/* Of step t - 1. */
static void pop_posterior(const bbans_vae *m, bbans_stream *s)
{
    const int32_t *x = bbans_observed(&m->base, s, s->t - 1);
    int64_t *z = (int64_t *)s->z_before;
    size_t l = is_markov(m) ? 1 : m->levels;

    while (l-- > 0)
        pop_level(m, s, posterior(m, s, x, z, l), z, l);
}

static void push_likelihood(const bbans_vae *m, bbans_stream *s)
{
    const int32_t *x = bbans_observed(&m->base, s, s->t);
    const int64_t *z = (const int64_t *)s->z;

    bbans_head_push(&m->base.head, likelihood(m, s, z), &s->lane, x);
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_vae *m = (const bbans_vae *)(const void *)model;
    const int32_t *x = bbans_observed(&m->base, s, s->t);
    int64_t *z = bbans_state_in(&m->base, s, BBANS_STATE_CODED);
    size_t l = m->levels;

    find_modes(m, s, x, z);
    while (l-- > 0) {
        const bbans_latent_law law = prior(m, s, z, l);

        bbans_latent_encode(&law, m->base.start_shift, enc, z + m->first[l]);
    }
    bbans_head_encode(&m->base.head, likelihood(m, s, z), enc, x);
}
#endif /* BBANS_DECODER_ONLY */

#define MODEL bbans_vae
#include "bbans_steps.h"
#undef MODEL

static const bbans_engine engine = {
    .type = BBANS_MODEL_VAE,
    .start = start,
#ifndef BBANS_DECODER_ONLY
    .accepts = bbans_latent_accepts,
    .filter_all = filter_all,
    .push_all = push_all,
    .encode = encode,
#endif /* BBANS_DECODER_ONLY */
    .pop_all = pop_all,
    .decode = decode,
};

/* ---- Initialisation ------------------------------------------------------ */

static uint64_t latents_of(const bbans_vae *m, size_t l)
{
    return m->first[l + 1] - m->first[l];
}

/* Does network i take levels `low` and up, behind `before` other inputs? */
static int takes_from(const bbans_vae *m, size_t i, size_t before, size_t low)
{
    const bbans_network *network = m->base.network + i;
    const size_t end = is_markov(m) && low < m->levels ? low + 1 : m->levels;
    size_t l;

    if (network->inputs != before + (end - low))
        return 0;
    for (l = low; l < end; l++)
        if (bbans_network_takes(network, before + (end - 1 - l)) !=
            latents_of(m, l))
            return 0;
    return 1;
}

static int posterior_fits(const bbans_vae *m, size_t l)
{
    const bbans_network *network = m->base.network + l;

    if (is_markov(m) && l > 0)
        return network->inputs == 1 &&
               bbans_network_takes(network, 0) == latents_of(m, l - 1);
    return network->inputs > 0 &&
           bbans_network_takes(network, 0) == m->base.head.width &&
           takes_from(m, l, 1, is_markov(m) ? m->levels : l + 1);
}

static int prior_fits(const bbans_vae *m, size_t l)
{
    const size_t i = m->levels + l;

    return takes_from(m, i, 0, l + 1) &&
           bbans_network_gives(m->base.network + i) == 2 * latents_of(m, l);
}

static int networks_fit(const bbans_vae *m)
{
    const size_t last = 2 * m->levels - 1;
    size_t l;

    for (l = 0; l < m->levels; l++)
        if (!posterior_fits(m, l) || (l + 1 < m->levels && !prior_fits(m, l)))
            return 0;
    return takes_from(m, last, 0, 0) &&
           bbans_network_gives(m->base.network + last) ==
               bbans_head_outputs(&m->base.head);
}

bbans_status bbans_vae_init(bbans_vae *model, const bbans_head *head,
                            size_t levels, int order, unsigned grid,
                            size_t start_length, unsigned start_bits,
                            unsigned start_shift, const bbans_network *network)
{
    const bbans_latent_parameters p = {
        head, grid, start_length, start_bits, start_shift, network, 2 * levels};
    bbans_status status;
    bbans_vae m;
    size_t l;

    if (model == NULL)
        return BBANS_ERR_NULL;
    if (levels < 1 || levels > BBANS_LEVELS_MAX)
        return BBANS_ERR_SIZE;
    if (order != BBANS_ORDER_MARKOV && order != BBANS_ORDER_TOP_DOWN)
        return BBANS_ERR_TABLE;
    memset(&m, 0, sizeof m);
    status = bbans_latent_init(&m.base, &p);
    if (status != BBANS_OK)
        return status;
    m.levels = levels;
    m.order = order;
    for (l = 0; l < levels; l++) {
        const uint64_t outputs = bbans_network_gives(network + l);

        if (outputs % 2 != 0)
            return BBANS_ERR_TABLE;
        m.first[l + 1] = m.first[l] + (size_t)(outputs / 2);
    }
    if (!networks_fit(&m))
        return BBANS_ERR_TABLE;
    status = bbans_latent_set_space(&m.base, &engine, m.first[levels], 0, 0);
    if (status == BBANS_OK)
        *model = m;
    return status;
}
