/* A frozen hidden Markov model in the schedule, autoregressive or not:
 * docs/maths.md, "The frozen HMM" to "The predictive distribution", and
 * "Emissions that depend on earlier symbols".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_chain.h"

/* Observations are symbol numbers.  The belief is the weights predicted
 * [stride], the record the weights filtered [stride]. */

static const uint32_t *symbols_of(const bbans_stream *s)
{
    return (const uint32_t *)s->x;
}

/* Masses of what is observed are needed with contexts alone. */
static size_t scratch_bytes(const bbans_hmm *hmm)
{
    const size_t rows = hmm->contexts == NULL ? 2 : 3;

    return 4 * rows * hmm->stride;
}

static void start(const bbans_state_space *model, void *belief)
{
    const bbans_hmm *hmm = (const bbans_hmm *)(const void *)model;

    memcpy(belief, hmm->initial, hmm->stride * sizeof *hmm->initial);
}

/* The masses with which the states emit x[t]; with contexts they have been put
 * into the scratch. */
static const uint32_t *emitting_of(const bbans_hmm *hmm, const bbans_stream *s)
{
    return hmm->contexts == NULL ? bbans_emitting(hmm, symbols_of(s)[s->t])
                                 : bbans_chain_column(hmm, s);
}

/* In contexts in which x[t] is placed. */
static void filter_placed(const bbans_hmm *hmm, bbans_stream *s,
                          const bbans_path *path)
{
    bbans_context_column(hmm, path, symbols_of(s)[s->t],
                         bbans_chain_column(hmm, s));
    bbans_chain_filter(hmm, s, bbans_chain_column(hmm, s));
}

/* The precision that a symbol is coded with. */
static unsigned emission_bits(const bbans_hmm *hmm)
{
    return hmm->contexts == NULL ? hmm->prec : BBANS_CONTEXT_BITS;
}

static const uint32_t *emission_row(const bbans_hmm *hmm, const bbans_stream *s)
{
    return hmm->emission_cdf + bbans_state_of(s->z) * (hmm->symbols + 1);
}

static void pop_likelihood(const bbans_hmm *hmm, bbans_stream *s)
{
    const uint32_t *edge = emission_row(hmm, s);
    uint32_t *x = (uint32_t *)s->out;
    uint32_t first, freq;
    bbans_path path;

    if (hmm->contexts == NULL) {
        const size_t k =
            bbans_pop_entry(&s->lane, edge, hmm->symbols, hmm->prec);

        x[s->t] = (uint32_t)k;
        return;
    }
    bbans_kernel.hmm->walk(hmm, x, s->t, &path);
    bbans_context_find(hmm, &path, edge, NULL,
                       bbans_slot_bits(s->lane.x, BBANS_CONTEXT_BITS), x + s->t,
                       &first, &freq);
    bbans_lane_advance_bits(&s->lane, first, freq, BBANS_CONTEXT_BITS);
    bbans_context_column(hmm, &path, x[s->t], bbans_chain_column(hmm, s));
}

static void weigh_popped(const bbans_hmm *hmm, bbans_stream *s)
{
    bbans_chain_weigh(hmm, s, emitting_of(hmm, s));
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const bbans_hmm *hmm = (const bbans_hmm *)(const void *)model;
    const uint32_t *predicted = (const uint32_t *)s->belief;
    const uint32_t total = (uint32_t)1 << emission_bits(hmm);
    uint32_t *x = (uint32_t *)s->out + s->t;
    uint32_t slot, first, freq;
    bbans_path path;
    bbans_status status = bbans_range_slot(dec, total, &slot);

    if (status != BBANS_OK)
        return status;
    if (hmm->contexts == NULL) {
        bbans_hmm_find(hmm, predicted, slot, x, &first, &freq);
        /* First, so that it need not wait for whether the coder takes a word.
         */
        bbans_chain_filter(hmm, s, bbans_emitting(hmm, *x));
        return bbans_range_advance(dec, first, freq, total);
    }
    bbans_kernel.hmm->walk(hmm, symbols_of(s), s->t, &path);
    bbans_context_find(hmm, &path, NULL, predicted, slot, x, &first, &freq);
    status = bbans_range_advance(dec, first, freq, total);
    filter_placed(hmm, s, &path);
    return status;
}

#ifndef BBANS_DECODER_ONLY
static int accepts(const bbans_state_space *model, const void *x, size_t n)
{
    const bbans_hmm *hmm = (const bbans_hmm *)(const void *)model;
    const uint32_t *symbol = (const uint32_t *)x;
    size_t t;

    for (t = 0; t < n; t++)
        if (symbol[t] >= hmm->symbols)
            return 0;
    return 1;
}

static void place(const bbans_hmm *hmm, bbans_stream *s)
{
    const uint32_t *x = symbols_of(s);
    bbans_path path;

    if (hmm->contexts == NULL)
        return;
    bbans_kernel.hmm->walk(hmm, x, s->t, &path);
    bbans_kernel.hmm->place(&path, x[s->t]);
    bbans_context_column(hmm, &path, x[s->t], bbans_chain_column(hmm, s));
}

static void filter(const bbans_hmm *hmm, bbans_stream *s)
{
    place(hmm, s);
    bbans_chain_filter(hmm, s, emitting_of(hmm, s));
}

static void weigh(const bbans_hmm *hmm, bbans_stream *s)
{
    place(hmm, s);
    bbans_chain_weigh(hmm, s, emitting_of(hmm, s));
}

static void push_likelihood(const bbans_hmm *hmm, bbans_stream *s)
{
    const uint32_t *x = symbols_of(s), *edge = emission_row(hmm, s) + x[s->t];
    uint32_t first = edge[0], end = edge[1];

    if (hmm->contexts != NULL) {
        bbans_path path;

        bbans_kernel.hmm->walk(hmm, x, s->t, &path);
        bbans_kernel.hmm->place(&path, x[s->t]);
        bbans_context_interval(hmm, &path, x[s->t], &first, &end);
    }
    bbans_lane_push_bits(&s->lane, first, end - first, emission_bits(hmm));
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_hmm *hmm = (const bbans_hmm *)(const void *)model;
    const uint32_t *x = symbols_of(s);
    const uint32_t total = (uint32_t)1 << emission_bits(hmm);
    uint32_t first, freq, end;
    bbans_path path;

    (void)bbans_hmm_predict(hmm, (const uint32_t *)s->belief, x[s->t], &first,
                            &freq);
    if (hmm->contexts == NULL) {
        (void)bbans_range_encode_interval(enc, first, freq, total);
        bbans_chain_filter(hmm, s, bbans_emitting(hmm, x[s->t]));
        return;
    }
    end = first + freq;
    bbans_kernel.hmm->walk(hmm, x, s->t, &path);
    bbans_kernel.hmm->place(&path, x[s->t]);
    bbans_context_interval(hmm, &path, x[s->t], &first, &end);
    (void)bbans_range_encode_interval(enc, first, end - first, total);
    filter_placed(hmm, s, &path);
}
#endif /* BBANS_DECODER_ONLY */

#define MODEL bbans_hmm
#define ADVANCE bbans_chain_advance
#define push_prior bbans_chain_push_prior
#define pop_prior bbans_chain_pop_prior
#define push_posterior bbans_chain_push_posterior
#define pop_posterior bbans_chain_pop_posterior
#include "bbans_steps.h"
#undef MODEL
#undef ADVANCE

static const bbans_engine engine = {
    .type = BBANS_MODEL_HMM,
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

/* Fill hmm->space, but for its mode and start length. */
static void set_engine(bbans_hmm *hmm)
{
    bbans_state_space *space = &hmm->space;

    space->engine = &engine;
    space->observation_bytes = sizeof(uint32_t);
    space->state_bytes = sizeof(uint64_t); /* aligned to 8 */
    space->belief_bytes = 4 * hmm->stride;
    space->record_bytes = 4 * hmm->stride;
    space->scratch_bytes = scratch_bytes(hmm);
    space->start_bits = BBANS_CHAIN_START_BITS;
    space->push_words = 2; /* x and z; popped, what a push of z may move */
    space->pop_words = 1;
}

bbans_status bbans_hmm_init(bbans_hmm *hmm, size_t states, size_t symbols,
                            unsigned prec, size_t start_length,
                            const uint32_t *initial, const uint32_t *transition,
                            const uint32_t *emission, void *memory,
                            size_t memory_bytes)
{
    const bbans_status status =
        bbans_hmm_fill(hmm, states, symbols, prec, start_length, initial,
                       transition, emission, memory, memory_bytes);

    if (status == BBANS_OK)
        set_engine(hmm);
    return status;
}

bbans_status bbans_hmm_set_contexts(bbans_hmm *hmm,
                                    const bbans_contexts *contexts)
{
    bbans_status status;

    if (hmm == NULL)
        return BBANS_ERR_NULL;
    if (hmm->prec > BBANS_CONTEXT_BITS)
        return BBANS_ERR_PRECISION;
    status = bbans_contexts_check(contexts, hmm->symbols);
    if (status != BBANS_OK)
        return status;
    hmm->contexts = contexts;
    set_engine(hmm); /* its scratch grows */
    return BBANS_OK;
}
