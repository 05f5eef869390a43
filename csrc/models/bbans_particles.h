/* Private to csrc/: what particle filters share: docs/maths.md, "Particle
 * filters".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_PARTICLES_H
#define BBANS_PARTICLES_H

#include "../distributions/bbans_mixture.h"
#include "bbans_state_space.h"

/* A step has streams of its own, for what it draws and for where its particles
 * are resampled, before they move and after. */
enum { BBANS_STREAM_DRAW, BBANS_STREAM_RESAMPLE, BBANS_STREAM_CORRECT };

static inline uint64_t bbans_step_stream(size_t t, unsigned use)
{
    return 4 * (uint64_t)t + use;
}

/* Numbers m 2^e, of 2^31 <= m < 2^32, or both 0. */
typedef struct {
    uint32_t *mantissa;
    int32_t *exponent;
} bbans_masses;

void bbans_masses_start(bbans_masses x, size_t n);
void bbans_masses_multiply(bbans_masses x, bbans_masses by, size_t n);
/* By 0: 0. */
void bbans_masses_divide(bbans_masses x, bbans_masses by, size_t n);

/* As weights of a sum of up to BBANS_TOTAL_MAX, rounded down, of which the
 * largest is not 0; all alike if all masses are 0. */
void bbans_masses_weigh(bbans_masses x, size_t n, uint32_t *weight);

/* bbans_resample without its checks; points >= 1. */
void bbans_resample_points(const uint32_t *weight, size_t n, uint64_t number,
                           size_t points, uint32_t *ancestor);

/* Code by weights, of a sum of up to BBANS_TOTAL_MAX: the sum of the first n,
 * and the pop and the push of an entry of weight > 0 under all of them. */
static inline uint32_t bbans_weights_before(const uint32_t *weight, size_t n)
{
    uint32_t sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += weight[i];
    return sum;
}

static inline size_t bbans_pop_weighted(bbans_lane *lane,
                                        const uint32_t *weight, uint32_t total)
{
    const uint32_t slot = bbans_lane_take_slot(lane, total);
    uint32_t start = 0;
    size_t i;

    for (i = 0; slot - start >= weight[i]; i++)
        start += weight[i];
    bbans_lane_put_rest(lane, slot, start, weight[i]);
    return i;
}

static inline void bbans_push_weighted(bbans_lane *lane, const uint32_t *weight,
                                       uint32_t total, size_t i)
{
    bbans_lane_push(lane, bbans_weights_before(weight, i), weight[i], total);
}

#endif
