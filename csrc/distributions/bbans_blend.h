/* Private to csrc/: components of a mixture, side by side, as kernels take
 * them: docs/maths.md, "Mixtures, counts and ranges".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_BLEND_H
#define BBANS_BLEND_H

#include "bbans_family.h"

/* Components with scales below 2^8, on a narrow support, of a family of 2
 * octaves at most.  Distances count in 2^-16, locations from the first value,
 * which is less than 2^12 from all others. */
#define BBANS_BLEND 64
#define BBANS_BLEND_SCALES (20 << 8) /* from 2^-12 on */
#define BBANS_BLEND_OCTAVES 2
#define BBANS_BLEND_POINT 25

/* n of these, and up to a multiple of 4 of weight 0.  Each number of 64 bits,
 * of which kernels take the halves for two values. */
typedef struct bbans_blend {
    uint64_t middle[BBANS_BLEND]; /* location and 1/2, in both halves */
    uint64_t most[BBANS_BLEND];   /* a distance without mass, in both */
    uint64_t down[BBANS_BLEND], shift[BBANS_BLEND], weight[BBANS_BLEND];
    size_t n;
    bbans_family family;
} bbans_blend;

/* Component k at a location from the first value, any.  With a scale 2^(shift -
 * 12) 2^16 / down, t of the distance `most` is 2^30 or more, and 2^31 at most:
 * beyond all octaves.  What is further than 2^14 values is as if there: 2^30
 * less 2^28 is more than `most`. */
static inline void bbans_blend_set(bbans_blend *parts, size_t k,
                                   int64_t location, int32_t scale,
                                   uint32_t weight)
{
    const int64_t end = (int64_t)1 << 30;
    const uint32_t above = (uint32_t)(scale - BBANS_SCALE_MIN);
    const int64_t at = location < -end ? -end : location > end ? end : location;
    const uint32_t middle = (uint32_t)at + 0x8000;
    const uint32_t most = (uint32_t)1 << ((above >> 8) + 10);

    parts->middle[k] = (uint64_t)middle << 32 | middle;
    parts->most[k] = (uint64_t)most << 32 | most;
    parts->down[k] = bbans_scale_powers[2 * (above & 255)] >> 10;
    parts->shift[k] = above >> 8;
    parts->weight[k] = weight;
}

/* Weight times what component k has below value u from the first. */
static inline uint64_t bbans_blend_below(const bbans_blend *parts, size_t k,
                                         uint32_t u)
{
    const int64_t at =
        (int64_t)u * 65536 - bbans_signed32((uint32_t)parts->middle[k]);
    const uint64_t most = parts->most[k] >> 32;
    const uint64_t size = (uint64_t)(at < 0 ? -at : at);
    /* 31, 17 and 5 bits */
    const uint64_t t = ((size < most ? size : most) * parts->down[k]
                        << (BBANS_BLEND_POINT - 20)) >>
                       parts->shift[k];
    const uint64_t s = bbans_survival(&parts->family, t, BBANS_BLEND_POINT);

    return parts->weight[k] * (at < 0 ? s : ((uint64_t)1 << 32) - s);
}

#endif
