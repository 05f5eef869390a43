/* Private to csrc/: IconoCLaSM, docs/maths.md, "What is coded".  A template:
 * compiled with a model's own functions, so that a lane stays in registers over
 * a step. What includes it defines before it, for its own MODEL and one
 * sequence,
 *
 *   start            the belief before x[0], as in bbans_engine
 *   PREDICT          optional: what puts into the record of step t what its
 *                    conditionals need of the belief
 *   filter           belief and record after x[t]
 *   ADVANCE, weigh, weigh_popped
 *                    optional: `filter` in halves, so that what of it only the
 *                    next step needs does not delay the rest of this one.  The
 *                    record after x[t], pushed or popped; and ADVANCE(model, s,
 *                    n), s being pointers to n streams: their beliefs after the
 *                    step before
 *   push_prior, pop_prior
 *                    z_t under P(z_t | z_t-1), or P(z_1) for z_before = NULL
 *   push_posterior, pop_posterior
 *                    z_t-1 under Q(z_t-1 | x_1 .. x_t-1, z_t), from the record
 *                    before; without z_t for z = NULL
 *   push_likelihood, pop_likelihood
 *                    x[t] under P(x_t | z_t, x_1 .. x_t-1); the pop filters
 * too, if there is no ADVANCE
 *
 * all of them static, or macros for such, and all but `start` of pointers to
 * a const MODEL and a bbans_stream.  It gets filter_all, push_all and pop_all
 * for its bbans_engine.
 *
 * SPDX-License-Identifier: MIT */

static const MODEL *model_of(const bbans_state_space *space)
{
    return (const MODEL *)(const void *)space;
}

/* States take turns in two places. */
static void go_to(const bbans_state_space *model, bbans_stream *s, size_t t)
{
    uint8_t *even = s->states, *odd = s->states + model->state_bytes;

    s->t = t;
    s->z = t == s->body ? NULL : t % 2 == 0 ? even : odd;
    s->z_before = t == 0 ? NULL : t % 2 == 0 ? odd : even;
}

static int has_step(const bbans_stream *s, size_t t)
{
    return t < s->body && s->status == BBANS_OK;
}

static size_t longest_body(const bbans_group *g)
{
    size_t i, most = 0;

    for (i = 0; i < g->n; i++)
        if (g->stream[i].body > most)
            most = g->stream[i].body;
    return most;
}

#ifdef ADVANCE
/* The beliefs before step t, which is not the first, of those that get to it.
 */
static void advance_all(const bbans_state_space *model, bbans_group *g,
                        size_t t)
{
    bbans_stream *due[BBANS_BATCH];
    size_t i, n = 0;

    for (i = 0; i < g->n; i++)
        if (t > 0 && has_step(&g->stream[i], t - 1))
            due[n++] = &g->stream[i];
    if (n > 0)
        ADVANCE(model_of(model), due, n);
}
#endif

#ifndef BBANS_DECODER_ONLY
static uint8_t *record_of(const bbans_state_space *model, const bbans_stream *s,
                          size_t t)
{
    return bbans_record_at(model, s, 1 + t - s->first);
}

static uint8_t *checkpoint_of(const bbans_state_space *model,
                              const bbans_stream *s)
{
    return s->checkpoints + s->first / s->block * model->belief_bytes;
}

static void filter_step(const bbans_state_space *model, bbans_stream *s)
{
    s->record = record_of(model, s, s->t);
#ifdef PREDICT
    PREDICT(model_of(model), s);
#endif
    filter(model_of(model), s);
}

/* Go to step t of the filter, before which the belief is known. */
static void start_filter_step(const bbans_state_space *model, bbans_stream *s,
                              size_t t)
{
    s->t = t;
    if (t - s->first == s->block)
        s->first = t;
    if (t == s->first && s->block < s->body)
        memcpy(checkpoint_of(model, s), s->belief, model->belief_bytes);
}

#ifdef ADVANCE
/* Several sequences together. */
static void filter_group(const bbans_state_space *model, bbans_group *g)
{
    const size_t most = longest_body(g);
    size_t t, i;

    for (t = 0; t <= most; t++) {
        advance_all(model, g, t);
        for (i = 0; i < g->n; i++) {
            bbans_stream *s = &g->stream[i];

            if (!has_step(s, t))
                continue;
            start_filter_step(model, s, t);
            s->record = record_of(model, s, t);
            weigh(model_of(model), s);
        }
    }
}
#endif

static void filter_all(const bbans_state_space *model, bbans_group *g)
{
    const size_t most = longest_body(g);
    size_t t, i;

    for (i = 0; i < g->n; i++) {
        start(model, g->stream[i].belief);
        g->stream[i].first = 0;
    }
#ifdef ADVANCE
    if (g->n > 1) {
        filter_group(model, g);
        return;
    }
#endif
    for (t = 0; t < most; t++)
        for (i = 0; i < g->n; i++)
            if (has_step(&g->stream[i], t)) {
                start_filter_step(model, &g->stream[i], t);
                filter_step(model, &g->stream[i]);
            }
}

/* Back to the block of records before step t; that of step t itself is spared.
 */
static void filter_block_before(const bbans_state_space *model, bbans_stream *s)
{
    const size_t t = s->t;

    memcpy(bbans_record_at(model, s, 0), s->record, model->record_bytes);
    s->first -= s->block;
    memcpy(s->belief, checkpoint_of(model, s), model->belief_bytes);
    for (s->t = s->first; s->t < t; s->t++)
        filter_step(model, s);
    s->record = bbans_record_at(model, s, 0);
}

static void push_step(const bbans_state_space *model, bbans_stream *s, size_t t)
{
    go_to(model, s, t);
    s->record = record_of(model, s, t);
    push_likelihood(model_of(model), s);
    if (t > 0) {
        if (t == s->first)
            filter_block_before(model, s);
        s->record_before = record_of(model, s, t - 1);
        pop_posterior(model_of(model), s);
    }
    push_prior(model_of(model), s);
}

static void push_all(const bbans_state_space *model, bbans_group *g)
{
    size_t t = longest_body(g), i;

    for (i = 0; i < g->n; i++) {
        bbans_stream *s = &g->stream[i];

        if (s->body == 0)
            continue;
        go_to(model, s, s->body); /* z_T <- Q(z_T | x_1 .. x_T) */
        s->record_before = record_of(model, s, s->body - 1);
        pop_posterior(model_of(model), s);
    }
    while (t-- > 0)
        for (i = 0; i < g->n; i++)
            if (has_step(&g->stream[i], t))
                push_step(model, &g->stream[i], t);
}
#endif /* BBANS_DECODER_ONLY */

/* z_t, whose records take turns. */
static void pop_state(const bbans_state_space *model, bbans_stream *s, size_t t)
{
    go_to(model, s, t);
    s->record = bbans_record_at(model, s, t % 2);
    s->record_before = bbans_record_at(model, s, 1 - t % 2);
    if (t == s->body)
        return;
#ifdef PREDICT
    PREDICT(model_of(model), s);
#endif
    pop_prior(model_of(model), s);
}

/* What comes after x[t] of its step. */
static void pop_rest(const bbans_state_space *model, bbans_stream *s, size_t t)
{
#ifdef ADVANCE
    weigh_popped(model_of(model), s);
#endif
    pop_state(model, s, t + 1);
    push_posterior(model_of(model), s);
}

static void pop_all(const bbans_state_space *model, bbans_group *g)
{
    const size_t most = longest_body(g);
    size_t t, i;

    for (i = 0; i < g->n; i++) {
        start(model, g->stream[i].belief);
        pop_state(model, &g->stream[i], 0);
    }
    for (t = 0; t < most; t++) {
        for (i = 0; i < g->n; i++)
            if (has_step(&g->stream[i], t))
                pop_likelihood(model_of(model), &g->stream[i]);
#ifdef ADVANCE
        advance_all(model, g, t);
#endif
        for (i = 0; i < g->n; i++)
            if (has_step(&g->stream[i], t))
                pop_rest(model, &g->stream[i], t);
    }
#ifdef ADVANCE
    advance_all(model, g, most);
#endif
}
