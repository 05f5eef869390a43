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

/* A component: its location and 1/2, the steps of t, and its weight. */
typedef struct {
    uint32_t middle, down, shift, weight;
} bbans_blend_part;

/* At a location from the first value, any.  With a scale 2^(shift - 12) 2^16 /
 * down, t of the distance `most` is 2^30 or more, and 2^31 at most: beyond all
 * octaves.  What is further than 2^14 values is as if there: 2^30 less 2^28 is
 * more than `most`. */
static inline bbans_blend_part
bbans_blend_part_of(int64_t location, int32_t scale, uint32_t weight)
{
    const int64_t end = (int64_t)1 << 30;
    const uint32_t above = (uint32_t)(scale - BBANS_SCALE_MIN);
    const int64_t at = location < -end ? -end : location > end ? end : location;
    bbans_blend_part part;

    part.middle = (uint32_t)at + 0x8000;
    part.down = bbans_scale_powers[2 * (above & 255)] >> 10;
    part.shift = above >> 8;
    part.weight = weight;
    return part;
}

static inline uint32_t bbans_blend_most(uint32_t shift)
{
    return (uint32_t)1 << (shift + 10);
}

/* Weight times what the component has below value u from the first. */
static inline uint64_t bbans_blend_below(const bbans_family *family,
                                         const bbans_blend_part *part,
                                         uint32_t u)
{
    const int64_t at = (int64_t)u * 65536 - bbans_signed32(part->middle);
    const uint64_t most = bbans_blend_most(part->shift);
    const uint64_t size = (uint64_t)(at < 0 ? -at : at);
    /* 31, 17 and 5 bits */
    const uint64_t t = ((size < most ? size : most) * part->down
                        << (BBANS_BLEND_POINT - 20)) >>
                       part->shift;
    const uint64_t s = bbans_survival(family, t, BBANS_BLEND_POINT);

    return part->weight * (at < 0 ? s : ((uint64_t)1 << 32) - s);
}

/* ---- Of one value -------------------------------------------------------- */

/* n of these, and up to a multiple of 4 of weight 0.  Each number of 64 bits,
 * of which kernels take the halves for two edges. */
typedef struct bbans_blend {
    uint64_t middle[BBANS_BLEND]; /* in both halves */
    uint64_t most[BBANS_BLEND];   /* a distance without mass, in both */
    uint64_t down[BBANS_BLEND], shift[BBANS_BLEND], weight[BBANS_BLEND];
    size_t n;
    bbans_family family;
} bbans_blend;

static inline void bbans_blend_set(bbans_blend *parts, size_t k,
                                   bbans_blend_part part)
{
    const uint32_t most = bbans_blend_most(part.shift);

    parts->middle[k] = (uint64_t)part.middle << 32 | part.middle;
    parts->most[k] = (uint64_t)most << 32 | most;
    parts->down[k] = part.down;
    parts->shift[k] = part.shift;
    parts->weight[k] = part.weight;
}

static inline bbans_blend_part bbans_blend_get(const bbans_blend *parts,
                                               size_t k)
{
    bbans_blend_part part;

    part.middle = (uint32_t)parts->middle[k];
    part.down = (uint32_t)parts->down[k];
    part.shift = (uint32_t)parts->shift[k];
    part.weight = (uint32_t)parts->weight[k];
    return part;
}

/* ---- Of values side by side ---------------------------------------------- */

#define BBANS_BLENDS 8

/* Component k of value i is element i of row k. */
typedef struct bbans_blends {
    uint32_t middle[BBANS_BLEND][BBANS_BLENDS];
    uint32_t down[BBANS_BLEND][BBANS_BLENDS];
    uint32_t shift[BBANS_BLEND][BBANS_BLENDS];
    uint32_t weight[BBANS_BLEND][BBANS_BLENDS];
    uint32_t total[BBANS_BLENDS]; /* of the weights */
    size_t n;
    uint32_t values; /* of the support */
    bbans_family family;
} bbans_blends;

static inline void bbans_blends_set(bbans_blends *parts, size_t k, size_t i,
                                    bbans_blend_part part)
{
    parts->middle[k][i] = part.middle;
    parts->down[k][i] = part.down;
    parts->shift[k][i] = part.shift;
    parts->weight[k][i] = part.weight;
}

static inline bbans_blend_part bbans_blends_get(const bbans_blends *parts,
                                                size_t k, size_t i)
{
    bbans_blend_part part;

    part.middle = parts->middle[k][i];
    part.down = parts->down[k][i];
    part.shift = parts->shift[k][i];
    part.weight = parts->weight[k][i];
    return part;
}

/* How a guess sees a family: as a ramp, from -t to t of this many units, as far
 * as where 5/64 of the mass is left, which is close for the three of the
 * library. */
static inline float bbans_blend_ramp(const bbans_family *family)
{
    const float t = (float)family->quantile[BBANS_QUANTILES / 32 * 5];

    return t < 1 ? 1 : t;
}

#endif
