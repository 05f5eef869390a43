/* Private to signals/: linear prediction of one channel, and what adapts to
 * what it leaves.  docs/maths.md, "Signals".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_SIGNAL_PREDICT_H
#define BBANS_SIGNAL_PREDICT_H

#include "bbans_signals.h"

#define BBANS_PREDICT_ORDER 32 /* lags of the channel itself, at most       */
#define BBANS_PREDICT_REFS 8   /* channels before it that help to predict   */
#define BBANS_PREDICT_REACH 8  /* their lags are -reach .. reach, at most   */
#define BBANS_PREDICT_ASIDE 72 /* coefficients of references, at most       */
#define BBANS_PREDICT_TAPS (BBANS_PREDICT_ORDER + BBANS_PREDICT_ASIDE)

/* Coefficients are below 2^COEFFICIENT_BITS in units of 2^-shift, where MU_BITS
 * <= shift <= SHIFT_MAX. */
#define BBANS_PREDICT_COEFFICIENT_BITS 25
#define BBANS_PREDICT_SHIFT_MAX 24
#define BBANS_PREDICT_SPREAD 8 /* the first taps have a precision each */

/* |mu| <= MU_MAX. */
#define BBANS_MU_MAX ((int64_t)1 << (30 + BBANS_SIGNAL_MU_BITS))

/* Stages that adapt, each to what the ones before it leave. */
#define BBANS_ADAPT_KINDS 5 /* 0: none */
#define BBANS_ADAPT_STAGES 4
#define BBANS_ADAPT_STEPS 512  /* of fewer none: to begin costs too much */
#define BBANS_ADAPT_ORDER 1024 /* at most */
#define BBANS_ADAPT_ROOM 512   /* steps of history before it moves */

typedef struct {
    size_t piece;     /* with which it begins */
    int64_t constant; /* in 2^-MU_BITS, a multiple of 2^drop */
    unsigned drop;
    unsigned order, shift;
    int has_refs;
    int32_t *coefficient; /* [order], then [reach * 2 + 1] of each reference;
                             each in units of 2^-precision */
    uint8_t *precision;
} bbans_predict_segment;

/* Lags of a reference rise from -reach; coefficients are stored so. */
typedef struct {
    size_t steps, segments;
    unsigned refs, reach;
    size_t ref[BBANS_PREDICT_REFS];
    unsigned kind, scale; /* of adaptation; what it sees is in 2^(scale-8) */
    bbans_predict_segment *segment; /* [pieces] */
    int32_t *coefficients;          /* [pieces][TAPS] */
    uint8_t *precisions;            /* [pieces][TAPS] */
} bbans_prediction;

/* One stage: w [order] in 2^-30, history of the last `order` inputs at
 * input[at - order .. at - 1]. */
typedef struct {
    int32_t weight[BBANS_ADAPT_ORDER];
    int16_t input[BBANS_ADAPT_ORDER + BBANS_ADAPT_ROOM];
    size_t order, at;
    int64_t energy;
    int32_t rate, predicted;
    int32_t share; /* of its prediction that counts, in 2^-16 */
} bbans_adapt_stage;

typedef struct {
    bbans_adapt_stage stage[BBANS_ADAPT_STAGES];
    size_t stages;
} bbans_adapt;

/* The state of one stream. */
typedef struct {
    const bbans_prediction *prediction;
    const bbans_signal_values *values;
    const int32_t *value; /* of the channel */
    size_t first;         /* step of the stream */
    size_t next, segment; /* the step that needs another segment */
    size_t order, refs, width;
    unsigned shift;
    int64_t constant;                   /* in 2^-shift */
    int64_t mu;                         /* before adaptation */
    int32_t own[BBANS_PREDICT_ORDER];   /* that of lag 1 is the last one */
    int32_t aside[BBANS_PREDICT_ASIDE]; /* of t - reach first */
    const int32_t *beside[BBANS_PREDICT_REFS];
    bbans_adapt *adapt; /* NULL: none */
} bbans_predictor;

static inline size_t bbans_pieces(size_t steps)
{
    return steps / BBANS_SIGNAL_PIECE + (steps % BBANS_SIGNAL_PIECE != 0);
}

/* Memory, aligned to 8, behind a prediction for so many steps. */
size_t bbans_prediction_bytes(size_t steps);
void bbans_prediction_init(bbans_prediction *p, size_t steps, void *memory);

/* The first reference, or BBANS_SIGNAL_NONE. */
size_t bbans_prediction_beside(const bbans_prediction *p);

/* Whatever is read, the prediction can be used afterwards. */
void bbans_prediction_take(bbans_prediction *p, const bbans_signal_values *x,
                           size_t channel, bbans_signal_source *s);

/* A stream of a channel: steps first .. */
size_t bbans_predictor_bytes(const bbans_prediction *p, unsigned lanes);
void bbans_predictor_begin(bbans_predictor *q, const bbans_prediction *p,
                           const bbans_signal_values *x, size_t channel,
                           unsigned lane, unsigned lanes, void *memory);
void bbans_predictor_load(bbans_predictor *q, size_t t);
void bbans_adapt_seen(bbans_predictor *q, int64_t residual);

#ifndef BBANS_DECODER_ONLY
size_t bbans_prediction_steps(size_t steps);
size_t bbans_prediction_fit_bytes(size_t steps, int level);
void bbans_prediction_fit(bbans_prediction *p, const bbans_signal_values *x,
                          const bbans_signal_range *range, unsigned lanes,
                          int level, void *work);
/* mu of all steps; memory as for predictors. */
void bbans_prediction_mu(const bbans_prediction *p,
                         const bbans_signal_values *x, size_t channel,
                         unsigned lanes, int64_t *mu, void *memory);
/* The same of steps first .. first + n - 1, of one stream, to mu [n]; what
 * adapts starts there. */
void bbans_prediction_part(const bbans_prediction *p,
                           const bbans_signal_values *x, size_t channel,
                           size_t first, size_t n, int64_t *mu, void *memory);
void bbans_prediction_put(const bbans_prediction *p,
                          const bbans_signal_values *x, size_t channel,
                          bbans_sink *sink);
#endif /* BBANS_DECODER_ONLY */

static inline int64_t bbans_mu_limited(int64_t mu)
{
    return mu > BBANS_MU_MAX    ? BBANS_MU_MAX
           : mu < -BBANS_MU_MAX ? -BBANS_MU_MAX
                                : mu;
}

/* q->mu, and what is expected of its residual. */
static inline int64_t bbans_adapted(const bbans_predictor *q)
{
    int64_t sum = 0;
    size_t i;

    if (q->adapt == NULL)
        return q->mu;
    for (i = 0; i < q->adapt->stages; i++)
        sum += (int64_t)q->adapt->stage[i].predicted * q->adapt->stage[i].share;
    sum = bbans_floor_shift(sum, 16);
    return bbans_mu_limited(q->mu + sum * ((int64_t)1 << q->prediction->scale));
}

/* mu of step t, in 2^-8; steps come in order. */
static inline int64_t bbans_predict_at(bbans_predictor *q, size_t t)
{
    const size_t seen = t - q->first;
    size_t n, i;
    int64_t sum;

    if (t == q->next)
        bbans_predictor_load(q, t);
    n = seen < q->order ? seen : q->order;
    sum = q->constant +
          bbans_kernel.predict->dot(q->own + BBANS_PREDICT_ORDER - n,
                                    q->value + t - n, n);
    for (i = 0; i < q->refs; i++)
        sum += bbans_kernel.predict->dot(q->aside + i * q->width,
                                         q->beside[i] + t, q->width);
    q->mu = bbans_mu_limited(
        bbans_floor_shift(sum, q->shift - BBANS_SIGNAL_MU_BITS));
    return bbans_adapted(q);
}

/* To be called with what step t was, before the next. */
static inline void bbans_predict_seen(bbans_predictor *q, size_t t, int32_t v)
{
    (void)t;
    if (q->adapt != NULL)
        bbans_adapt_seen(q, ((int64_t)v * (1 << BBANS_SIGNAL_MU_BITS)) - q->mu);
}

#endif
