/* Private to kernels/: slots of contexts and matches, one by one.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_MIXING_SLOTS_H
#define BBANS_MIXING_SLOTS_H

#include "../distributions/bbans_logits.h"

/* log2(v) in 2^-7, between powers of two as straight as a float's bits. */
static inline int32_t bbans_mix_log(uint32_t v)
{
    const unsigned whole = bbans_floor_log2(v);

    return (int32_t)((whole << 7) + (v << 7 >> whole)) - (1 << 7);
}

/* The logit of (p + 1/2) / 2^12 by these: between -1663 and 1663. */
static inline int32_t bbans_mix_logit(uint16_t slot)
{
    const uint32_t p = slot >> 4, not_p = 4095 - p;

    return bbans_mix_log(2 * p | 1) - bbans_mix_log(2 * not_p | 1);
}

/* p + (p' - p) share, p' being that of the bit, rounded: in 0 .. 2^12 - 1. */
static inline uint16_t bbans_mix_learned(uint16_t slot, uint32_t bit)
{
    const int32_t p = slot >> 4, to = bit ? 4095 : 0;
    const unsigned seen = bbans_mix_seen(slot);
    const int32_t step = (to - p) * bbans_mix_share[seen] + 0x80;

    return bbans_mix_slot((uint32_t)(p + bbans_floor_of(step, 8)),
                          seen + (seen < BBANS_MIX_SEEN_MOST));
}

/* What the weights learn from: (bit - P(1)) rate, |error| < 2^15. */
static inline int32_t bbans_mix_error(uint32_t bit, uint32_t ones, int32_t rate)
{
    return bbans_floor_of(
        ((int32_t)(bit << 16) - (int32_t)((ones + (1 << 11)) >> 12)) * rate, 8);
}

/* A match is right until the first decision that it did not expect. */
static inline void bbans_mix_learn_matches(bbans_mix *m, unsigned half)
{
    unsigned i;

    for (i = 0; i < m->matches; i++) {
        const unsigned expected = m->expected[i];
        unsigned below = BBANS_MIX_DECISIONS;
        unsigned right = expected < BBANS_MIX_NONE;

        while (right && below-- > 0) {
            right = expected >> below == half >> below;
            *m->match[i] = bbans_mix_learned(*m->match[i], right);
        }
    }
}

#endif
