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

#endif
