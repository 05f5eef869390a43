/* Private to csrc/: a Markov chain of states by its tables, where states are
 * uint32_t, and belief and record begin with the weights [stride] predicted and
 * filtered: docs/maths.md, "The frozen HMM".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_CHAIN_H
#define BBANS_CHAIN_H

#include "bbans_state_space.h"

static inline size_t bbans_state_of(const void *z)
{
    return *(const uint32_t *)z;
}

/* The scratch begins with running sums [2 rows] of posterior weights, of which
 * the second is aligned, and the masses [stride] with which states emit what is
 * observed. */
static inline uint32_t *bbans_chain_column(const bbans_hmm *hmm,
                                           const bbans_stream *s)
{
    return (uint32_t *)s->scratch + 2 * hmm->stride;
}

/* By the masses [stride] with which states emit x[t]. */
static inline void bbans_chain_filter(const bbans_hmm *hmm, bbans_stream *s,
                                      const uint32_t *emitting)
{
    bbans_hmm_step(hmm, emitting, (uint32_t *)s->belief, (uint32_t *)s->record);
}

/* Its halves: the record after x[t]; and the beliefs of n streams after the
 * steps before.  Sparse transitions leave nothing worth being late. */
static inline void bbans_chain_weigh(const bbans_hmm *hmm, bbans_stream *s,
                                     const uint32_t *emitting)
{
    if (hmm->sparse.first != NULL)
        bbans_chain_filter(hmm, s, emitting);
    else
        bbans_kernel.hmm->weigh((uint32_t *)s->belief, emitting, hmm->stride,
                                (uint32_t *)s->record);
}

static inline void bbans_chain_advance(const bbans_hmm *hmm,
                                       bbans_stream *const *s, size_t n)
{
    uint32_t *predicted[BBANS_BATCH];
    size_t i;

    if (hmm->sparse.first != NULL)
        return;
    for (i = 0; i < n; i++)
        predicted[i] = (uint32_t *)s[i]->belief;
    bbans_kernel.hmm->predict(hmm, predicted, n);
}

/* The running sums of P(z_t | z_t-1), or of P(z_1). */
static inline const uint32_t *bbans_chain_row(const bbans_hmm *hmm,
                                              const bbans_stream *s)
{
    return s->z_before == NULL
               ? hmm->initial_cdf
               : hmm->transition_cdf +
                     bbans_state_of(s->z_before) * (hmm->states + 1);
}

/* The masses A_ij of z_t, NULL without one. */
static inline const uint32_t *bbans_chain_into(const bbans_hmm *hmm,
                                               const bbans_stream *s)
{
    return s->z == NULL ? NULL : bbans_into(hmm, bbans_state_of(s->z));
}

static inline void bbans_chain_pop_prior(const bbans_hmm *hmm, bbans_stream *s)
{
    *(uint32_t *)s->z = (uint32_t)bbans_pop_entry(
        &s->lane, bbans_chain_row(hmm, s), hmm->states, hmm->prec);
}

static inline void bbans_chain_push_posterior(const bbans_hmm *hmm,
                                              bbans_stream *s)
{
    uint32_t first, freq;
    const uint32_t total = bbans_kernel.hmm->interval(
        (const uint32_t *)s->record_before, bbans_chain_into(hmm, s),
        hmm->stride, bbans_state_of(s->z_before), &first, &freq);

    if (freq == 0) /* no sender can have popped it */
        s->status = BBANS_ERR_CORRUPT;
    else
        bbans_lane_push(&s->lane, first, freq, total);
}

#ifndef BBANS_DECODER_ONLY
static inline void bbans_chain_push_prior(const bbans_hmm *hmm, bbans_stream *s)
{
    bbans_push_entry(&s->lane, bbans_chain_row(hmm, s), bbans_state_of(s->z),
                     hmm->prec);
}

static inline void bbans_chain_pop_posterior(const bbans_hmm *hmm,
                                             bbans_stream *s)
{
    uint32_t *edge = (uint32_t *)s->scratch + 15;
    const uint32_t total = bbans_kernel.hmm->posterior(
        (const uint32_t *)s->record_before, bbans_chain_into(hmm, s),
        hmm->stride, edge);
    const uint32_t slot = bbans_lane_take_slot(&s->lane, total);
    const size_t z = bbans_kernel.hmm->rank(edge + 1, hmm->states, slot);

    bbans_lane_put_rest(&s->lane, slot, edge[z], edge[z + 1] - edge[z]);
    *(uint32_t *)s->z_before = (uint32_t)z;
}
#endif /* BBANS_DECODER_ONLY */

/* What the schedule starts from: docs/maths.md, "A sequence as one message". */
#define BBANS_CHAIN_START_BITS 40

#endif
