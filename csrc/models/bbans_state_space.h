/* Private to csrc/: what a state space model gives to the schedule, and what
 * the schedule gives to it.  docs/maths.md has both.
 *
 * A model with an engine begins with a bbans_state_space, whose sizes say how
 * wide its states z, its observations x and what it knows are.  To the schedule
 * they are bytes.
 *
 *   belief  what is known after x_1 .. x_t-1: from it the filter goes on
 *   record  what step t leaves for Q and for the conditionals of step t
 * Both may be of no bytes, where Q needs x_t alone.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_STATE_SPACE_H
#define BBANS_STATE_SPACE_H

#include "../bbans_internal.h"

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
    size_t length, body; /* observations; `body` of them are in bits back     */
    size_t mark; /* see range_decode                                    */
    size_t block, first; /* records kept at a time, and the first of them     */
    uint8_t *states, *records, *checkpoints;
} bbans_stream;

/* Record i of those kept; the first is to spare. */
static inline uint8_t *bbans_record_at(const bbans_state_space *model,
                                       const bbans_stream *s, size_t i)
{
    return s->records + i * model->record_bytes;
}

/* Sequences that take turns, step by step: while one waits for a result, the
 * processor works for the others. */
typedef struct {
    bbans_stream stream[BBANS_BATCH];
    size_t n;
} bbans_group;

typedef struct bbans_engine {
    int type; /* of the models that it codes, in files; 0: in none */
    /* The belief before x[0]. */
    void (*start)(const bbans_state_space *model, void *belief);
    /* Put into the record what the conditionals of step t need of the belief;
     * NULL: nothing. */
    void (*predict)(const bbans_state_space *model, bbans_stream *s);
#ifndef BBANS_DECODER_ONLY
    /* Whether all n observations can be coded; NULL: all can. */
    int (*accepts)(const bbans_state_space *model, const void *x, size_t n);
    /* Of bbans_steps.h, all or none.  None: there are no latents, so that all
     * is range coded, as in the predictive mode.
     * Filter x_1 .. x_body of each; the last block's records and the
     * checkpoints remain. */
    void (*filter_all)(const bbans_state_space *model, bbans_group *g);
    /* After it, the schedule from the last symbol to the first. */
    void (*push_all)(const bbans_state_space *model, bbans_group *g);
    /* x[t] under P(x_t | x_1 .. x_t-1), first in first out, after `predict`;
     * and the step of the filter. */
    void (*encode)(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc);
#endif /* BBANS_DECODER_ONLY */
    /* Of bbans_steps.h, or NULL.  The inverse of push_all; the belief after
     * x_body remains. */
    void (*pop_all)(const bbans_state_space *model, bbans_group *g);
    /* The inverse of encode. */
    bbans_status (*decode)(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec);
} bbans_engine;

#endif
