#ifndef BBANS_SIGNAL_STANDIN_H
#define BBANS_SIGNAL_STANDIN_H
#include "bbans_signal_predict.h"
size_t bbans_residual_bytes(uint64_t n, int level);
unsigned bbans_residual_lanes(size_t steps, int level);
size_t bbans_residual_steps(size_t steps);
int bbans_residual_is_direct(const bbans_signal_range *range);
#ifndef BBANS_DECODER_ONLY
void bbans_residual_begin(void *work, uint64_t n, int level, bbans_sink *sink);
void bbans_residual_encode(void *work, bbans_sink *sink,
                           const bbans_signal_values *x,
                           const bbans_signal_range *range, const int64_t *mu,
                           unsigned lanes);
#endif
void bbans_residual_resume(void *work, uint64_t n, bbans_source *source);
void bbans_residual_decode(void *work, bbans_source *source,
                           bbans_signal_values *x,
                           const bbans_signal_range *range,
                           const bbans_prediction *p, unsigned lanes,
                           void *predictor_memory);
#endif
