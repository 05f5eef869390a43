/* Private to csrc/: logits and logarithms, in units of 2^-7 of log2, as the
 * parameters of distributions: docs/maths.md, "Heads".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_LOGITS_H
#define BBANS_LOGITS_H

#include "../bbans_internal.h"

#define BBANS_LOGIT_MAX 3071
#define BBANS_LOGIT_BITS 7

/* The logarithms of rates, 2^-14 to 2^14. */
#define BBANS_LOG_RATE_MAX (14 << BBANS_LOGIT_BITS)

extern const uint32_t bbans_unlikely[BBANS_LOGIT_MAX + 1]; /* 2^28 / (1 +
                                                              2^(i / 128)) */
extern const uint32_t bbans_exp2[1 << BBANS_LOGIT_BITS]; /* 2^(30 + i / 128) */

/* LOGIT_ZERO + the logit of (i + 1/2) / 2^12: between -1664 and 1664. */
#define BBANS_LOGIT_CELLS 12
#define BBANS_LOGIT_ZERO 2048
extern const uint16_t bbans_logit_above[1 << BBANS_LOGIT_CELLS];

static inline int32_t bbans_limited(int32_t v, int32_t limit)
{
    return v < -limit ? -limit : v > limit ? limit : v;
}

/* P(1) in units of 2^-28: that of 0 for the opposite logit, to the last bit. */
static inline uint32_t bbans_mass_of_one(int32_t logit)
{
    const int32_t l = bbans_limited(logit, BBANS_LOGIT_MAX);
    const uint32_t mass = bbans_unlikely[l < 0 ? -l : l];

    return l < 0 ? mass : ((uint32_t)1 << BBANS_PREC_MAX) - mass;
}

/* A weight of 2^20 2^(-below / 128), rounded, 1 at least. */
static inline uint32_t bbans_weight_below(uint32_t below)
{
    const uint32_t unit = 1u << BBANS_LOGIT_BITS;
    const uint32_t octaves = below / unit + (below % unit != 0);
    const unsigned shift = 10 + (octaves < 21 ? octaves : 21);
    const uint32_t weight =
        (bbans_exp2[(0u - below) % unit] + (1u << (shift - 1))) >> shift;

    return weight > 1 ? weight : 1;
}

/* 2^(16 + log / 128), rounded. */
static inline uint32_t bbans_rate_of(int32_t log)
{
    const uint32_t above =
        (uint32_t)(bbans_limited(log, BBANS_LOG_RATE_MAX) + BBANS_LOG_RATE_MAX);
    const unsigned shift = 28 - (above >> BBANS_LOGIT_BITS);

    return (bbans_exp2[above & ((1u << BBANS_LOGIT_BITS) - 1)] +
            (1u << shift >> 1)) >>
           shift;
}

#endif
