/* Private to csrc/: what a state space model gives to the schedule, and what
 * the schedule gives to it.  docs/maths.md has both.
 *
 * A model with an engine begins with a bbans_state_space, whose sizes say how
 * wide its states z, its observations x and what it knows are.  To the schedule
 * they are bytes.
 *
 *   belief  what is known after x_1 .. x_t-1: from it the filter goes on
 *   record  what step t leaves for Q and for the conditionals of step t
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_STATE_SPACE_H
#define BBANS_STATE_SPACE_H

#include "bbans_internal.h"

/* One sequence on its way through the schedule, at step t: x[t] is x_t+1 of the
 * paper.  Memory is aligned to 8, scratch to BBANS_ALIGNMENT. */
typedef struct {
    bbans_lane lane;
    void *scratch; /* [scratch_bytes] the engine's own, never read first      */
    void *belief;  /* [belief_bytes] before x[t]; after a step of the filter,
                      after it                                                */
    void *record;  /* [record_bytes] of step t, and of the step before        */
    const void *record_before;
    void *z, *z_before; /* [state_bytes] z_t, NULL behind the last step; z_t-1,
                           NULL before the first                              */
    const void *x;      /* the sequence: what is known of it, up to x[t] or
                           x[t - 1]                                           */
    void *out;          /* the same, where x[t] is popped to                  */
    size_t t;
    bbans_status status; /* an engine sets it to BBANS_ERR_CORRUPT where no
                            sender can have been                              */

    /* The schedule's own. */
    bbans_message *msg;
    size_t length,
        body; /* observations; those before `body` are in bits back */
    size_t block, first; /* records kept at a time, and the first of them     */
    uint8_t *states, *records, *checkpoints;
} bbans_stream;

/* Each function takes n sequences that are at the same step t, and codes for
 * all of them.  bbans_steps.h makes most of them from a model's conditionals.
 */
typedef void bbans_engine_step(const bbans_state_space *model,
                               bbans_stream *const *s, size_t n);

typedef struct bbans_engine {
    /* The belief before x[0]. */
    void (*start)(const bbans_state_space *model, void *belief);
    /* Whether all n observations can be coded; NULL: all can. */
    int (*accepts)(const bbans_state_space *model, const void *x, size_t n);
    /* Put into the record what the conditionals of step t need of the belief;
     * NULL: nothing.  It comes before all others of a step. */
    bbans_engine_step *predict;
    /* Belief and record after x[t]. */
    bbans_engine_step *filter;
    /* The sender's step: x[t] -> P(x_t | z_t), z_t-1 <- Q(z_t-1 | .., z_t), z_t
     * -> P(z_t | z_t-1).  Behind the last step, z_T-1 <- Q alone. */
    bbans_engine_step *push;
    /* The receiver's, which undoes it and filters. */
    bbans_engine_step *pop;
    /* x[t] under P(x_t | x_1 .. x_t-1), first in first out, of one sequence.
     * Both filter as well. */
    void (*encode)(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc);
    bbans_status (*decode)(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec);
} bbans_engine;

#endif
