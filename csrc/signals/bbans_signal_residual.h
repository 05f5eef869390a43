/* Private to signals/: what the prediction leaves of a channel, or a channel of
 * few kinds of values, as decisions under mixed contexts.  docs/maths.md,
 * "Signals".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_SIGNAL_RESIDUAL_H
#define BBANS_SIGNAL_RESIDUAL_H

#include "bbans_signal_predict.h"

#define BBANS_DIRECT_KINDS 32 /* at most, to be coded as they are */

/* What has been learned goes on from channel to channel of a block.  It lies in
 * `work`, of a block with n values in all; level 0: any. */
size_t bbans_residual_bytes(uint64_t n, int level);

/* The lanes of a message: each has a stream, ceil(steps / lanes) steps of each
 * channel but the last stream, which has what is left. */
unsigned bbans_residual_lanes(size_t steps, int level);

/* Whether a channel's values may be coded as they are. */
static inline int bbans_residual_may_be_direct(const bbans_signal_range *range)
{
    return bbans_range_width(range) < BBANS_DIRECT_KINDS;
}

/* Before the first channel; the channel's values.  x has room for them, and for
 * what the prediction needs in `memory`; p, mu may be NULL for a direct one. */
void bbans_residual_resume(void *work, bbans_signal_source *s);
void bbans_residual_decode(void *work, bbans_signal_source *s,
                           bbans_signal_values *x,
                           const bbans_signal_range *range,
                           const bbans_prediction *p, unsigned lanes,
                           void *memory);

#ifndef BBANS_DECODER_ONLY
/* Steps of a channel, at most. */
size_t bbans_residual_steps(size_t steps);

void bbans_residual_begin(void *work, int level, bbans_sink *sink);
void bbans_residual_encode(void *work, bbans_sink *sink,
                           const bbans_signal_values *x,
                           const bbans_signal_range *range, const int64_t *mu,
                           unsigned lanes);
#endif /* BBANS_DECODER_ONLY */

#endif
