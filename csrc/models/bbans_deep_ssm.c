/* A frozen deep state space model in the schedule: docs/maths.md, "VAEs and
 * deep state space models".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_latent.h"

/* The belief is h_t-1; the record that and h_t. */

enum { UPDATE, PRIOR, LIKELIHOOD, POSTERIOR };

/* ---- Conditionals -------------------------------------------------------- */

static size_t latents_of(const bbans_deep_ssm *m)
{
    return m->base.space.state_bytes / sizeof(int64_t);
}

static const int32_t *state_before(const bbans_stream *s)
{
    return (const int32_t *)s->record;
}

/* Of a record. */
static const int32_t *state_after(const bbans_deep_ssm *m, const void *record)
{
    return (const int32_t *)record + m->hidden;
}

/* P(z_t | z_t-1), or P(z_1). */
static bbans_latent_law prior(const bbans_deep_ssm *m, const bbans_stream *s,
                              const int64_t *z_before)
{
    bbans_desk desk = bbans_desk_of(&m->base, s);

    if (z_before == NULL)
        return bbans_standard_law(&desk, latents_of(m));
    bbans_desk_add_latents(&desk, z_before);
    return bbans_desk_law(&desk, PRIOR, 1);
}

/* Q(z_t | h_t, z_t+1), or without z_t+1, with zeros. */
static bbans_latent_law posterior(const bbans_deep_ssm *m,
                                  const bbans_stream *s, const int32_t *h,
                                  const int64_t *z)
{
    bbans_desk desk = bbans_desk_of(&m->base, s);

    if (z == NULL)
        z = memset(bbans_state_in(&m->base, s, BBANS_STATE_NONE), 0,
                   m->base.space.state_bytes);
    bbans_desk_add(&desk, h);
    bbans_desk_add_latents(&desk, z);
    return bbans_desk_law(&desk, POSTERIOR, 0);
}

/* P(x_t | z_t, h_t-1). */
static const int32_t *likelihood(const bbans_deep_ssm *m, const bbans_stream *s,
                                 const int64_t *z)
{
    bbans_desk desk = bbans_desk_of(&m->base, s);

    bbans_desk_add_latents(&desk, z);
    bbans_desk_add(&desk, state_before(s));
    return bbans_desk_run(&desk, LIKELIHOOD);
}

/* ---- The engine ---------------------------------------------------------- */

static const bbans_deep_ssm *deep_of(const bbans_state_space *model)
{
    return (const bbans_deep_ssm *)(const void *)model;
}

static void note(bbans_stream *s, bbans_status status)
{
    if (status != BBANS_OK)
        s->status = status;
}

static void start(const bbans_state_space *model, void *belief)
{
    memset(belief, 0, model->belief_bytes);
}

static void keep_state(const bbans_deep_ssm *m, bbans_stream *s)
{
    memcpy(s->record, s->belief, m->hidden * sizeof(int32_t));
}

static void predict(const bbans_state_space *model, bbans_stream *s)
{
    keep_state(deep_of(model), s);
}

/* After keep_state. */
static void filter(const bbans_deep_ssm *m, bbans_stream *s)
{
    bbans_desk desk = bbans_desk_of(&m->base, s);
    const size_t bytes = m->hidden * sizeof(int32_t);
    const int32_t *h;

    bbans_desk_add(&desk, bbans_observed(&m->base, s, s->t));
    bbans_desk_add(&desk, state_before(s));
    h = bbans_desk_run(&desk, UPDATE);
    memcpy(s->belief, h, bytes);
    memcpy((int32_t *)s->record + m->hidden, h, bytes);
}

static void pop_prior(const bbans_deep_ssm *m, bbans_stream *s)
{
    const bbans_latent_law law = prior(m, s, (const int64_t *)s->z_before);

    note(s, bbans_latent_pop(&law, &s->lane, (int64_t *)s->z));
}

static void pop_likelihood(const bbans_deep_ssm *m, bbans_stream *s)
{
    bbans_head_pop(&m->base.head, likelihood(m, s, (const int64_t *)s->z),
                   &s->lane, bbans_popped(&m->base, s));
    filter(m, s);
}

static void push_posterior(const bbans_deep_ssm *m, bbans_stream *s)
{
    const bbans_latent_law law = posterior(
        m, s, state_after(m, s->record_before), (const int64_t *)s->z);

    note(s, bbans_latent_push(&law, &s->lane, (const int64_t *)s->z_before));
}

/* The mode of Q(z_t | h_t). */
static void find_mode(const bbans_deep_ssm *m, const bbans_stream *s,
                      const int32_t *h, int64_t *z)
{
    const bbans_latent_law law = posterior(m, s, h, NULL);

    bbans_latent_mode(&law, m->base.start_shift, z);
}

/* P(z_t) of what is coded plainly: given the mode of Q(z_t-1 | h_t-1). */
static bbans_latent_law plain_prior(const bbans_deep_ssm *m,
                                    const bbans_stream *s, int64_t *scratch)
{
    if (s->t == 0)
        return prior(m, s, NULL);
    find_mode(m, s, state_before(s), scratch);
    return prior(m, s, scratch);
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const bbans_deep_ssm *m = deep_of(model);
    int64_t *z = bbans_state_in(&m->base, s, BBANS_STATE_CODED);
    int64_t *mode = bbans_state_in(&m->base, s, BBANS_STATE_MODE);
    const bbans_latent_law law = plain_prior(m, s, mode);
    bbans_status status =
        bbans_latent_decode(&law, m->base.start_shift, dec, z);

    if (status == BBANS_OK)
        status = bbans_head_decode(&m->base.head, likelihood(m, s, z), dec,
                                   bbans_popped(&m->base, s));
    if (status != BBANS_OK)
        return status;
    filter(m, s);
    find_mode(m, s, state_after(m, s->record), mode);
    return memcmp(z, mode, model->state_bytes) == 0 ? BBANS_OK
                                                    : BBANS_ERR_CORRUPT;
}

#ifndef BBANS_DECODER_ONLY
static void push_prior(const bbans_deep_ssm *m, bbans_stream *s)
{
    const bbans_latent_law law = prior(m, s, (const int64_t *)s->z_before);

    note(s, bbans_latent_push(&law, &s->lane, (const int64_t *)s->z));
}

static void pop_posterior(const bbans_deep_ssm *m, bbans_stream *s)
{
    const bbans_latent_law law = posterior(
        m, s, state_after(m, s->record_before), (const int64_t *)s->z);

    note(s, bbans_latent_pop(&law, &s->lane, (int64_t *)s->z_before));
}

static void push_likelihood(const bbans_deep_ssm *m, bbans_stream *s)
{
    bbans_head_push(&m->base.head, likelihood(m, s, (const int64_t *)s->z),
                    &s->lane, bbans_observed(&m->base, s, s->t));
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_deep_ssm *m = deep_of(model);
    int64_t *z = bbans_state_in(&m->base, s, BBANS_STATE_CODED);
    bbans_latent_law law;

    filter(m, s);
    find_mode(m, s, state_after(m, s->record), z);
    law = plain_prior(m, s, bbans_state_in(&m->base, s, BBANS_STATE_MODE));
    bbans_latent_encode(&law, m->base.start_shift, enc, z);
    bbans_head_encode(&m->base.head, likelihood(m, s, z), enc,
                      bbans_observed(&m->base, s, s->t));
}
#endif /* BBANS_DECODER_ONLY */

#define MODEL bbans_deep_ssm
#define PREDICT keep_state
#include "bbans_steps.h"
#undef PREDICT
#undef MODEL

static const bbans_engine engine = {
    .type = BBANS_MODEL_DEEP_SSM,
    .start = start,
    .predict = predict,
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

/* Does it take a, and b unless that is 0, and give this many? */
static int fits(const bbans_network *network, uint64_t a, uint64_t b,
                uint64_t gives)
{
    return network->inputs == 1u + (b > 0) &&
           bbans_network_takes(network, 0) == a &&
           (b == 0 || bbans_network_takes(network, 1) == b) &&
           bbans_network_gives(network) == gives;
}

bbans_status bbans_deep_ssm_init(bbans_deep_ssm *model, const bbans_head *head,
                                 unsigned grid, size_t start_length,
                                 unsigned start_bits, unsigned start_shift,
                                 const bbans_network *network)
{
    const bbans_latent_parameters p = {
        head,        grid,    start_length,           start_bits,
        start_shift, network, BBANS_DEEP_SSM_NETWORKS};
    uint64_t n, hidden;
    bbans_status status;
    bbans_deep_ssm m;

    if (model == NULL)
        return BBANS_ERR_NULL;
    memset(&m, 0, sizeof m);
    status = bbans_latent_init(&m.base, &p);
    if (status != BBANS_OK)
        return status;
    hidden = bbans_network_gives(network + UPDATE);
    n = bbans_network_gives(network + PRIOR) / 2;
    if (n == 0 || !fits(network + UPDATE, head->width, hidden, hidden) ||
        !fits(network + PRIOR, n, 0, 2 * n) ||
        !fits(network + LIKELIHOOD, n, hidden, bbans_head_outputs(head)) ||
        !fits(network + POSTERIOR, hidden, n, 2 * n))
        return BBANS_ERR_TABLE;
    m.hidden = (size_t)hidden;
    status = bbans_latent_set_space(&m.base, &engine, n, hidden, 2 * hidden);
    if (status == BBANS_OK)
        *model = m;
    return status;
}
