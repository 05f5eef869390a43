#ifndef BBANS_SIGNAL_STANDIN_H
#define BBANS_SIGNAL_STANDIN_H
#include "bbans_signals.h"
typedef struct {
    size_t steps;
} bbans_prediction;
size_t bbans_prediction_bytes(size_t steps);
void bbans_prediction_init(bbans_prediction *p, size_t steps, void *memory);
size_t bbans_prediction_steps(size_t steps);
size_t bbans_prediction_fit_bytes(size_t steps, int level);
void bbans_prediction_fit(bbans_prediction *p, const bbans_signal_values *x,
                          const bbans_signal_range *range, unsigned lanes,
                          int level, void *work);
void bbans_prediction_mu(const bbans_prediction *p,
                         const bbans_signal_values *x, size_t channel,
                         unsigned lanes, int64_t *mu);
#ifndef BBANS_DECODER_ONLY
void bbans_prediction_put(const bbans_prediction *p,
                          const bbans_signal_values *x, size_t channel,
                          bbans_sink *sink);
void bbans_residual_encode(bbans_sink *sink, const bbans_signal_values *x,
                           const bbans_signal_range *range, const int64_t *mu,
                           size_t beside, unsigned lanes, int level,
                           void *work);
#endif
void bbans_prediction_take(bbans_prediction *p, const bbans_signal_values *x,
                           size_t channel, bbans_source *s);
size_t bbans_prediction_beside(const bbans_prediction *p);
size_t bbans_residual_steps(size_t steps, int level);
size_t bbans_residual_bytes(size_t steps, int level);
unsigned bbans_residual_lanes(size_t steps, int level);
void bbans_residual_decode(bbans_source *s, bbans_signal_values *x,
                           const bbans_signal_range *range,
                           const bbans_prediction *p, size_t beside,
                           unsigned lanes, void *work);
#endif
