/* What the x86 kernels share.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_X86_H
#define BBANS_X86_H

#include "../bbans_internal.h"

#ifdef BBANS_HAVE_X86
#include <immintrin.h>

/* Scaling by 2^(bits - bit_length(sum)): one shift by `count` of every product,
 * nearly always to the right, so that each loop exists for either direction. */
typedef struct {
    __m128i count;
    int right; /* negative: to the left */
} scale;

static inline scale scale_of(uint64_t sum, int bits)
{
    scale s;

    s.right = bbans_bit_length(sum) - bits;
    s.count = _mm_cvtsi32_si128(s.right < 0 ? -s.right : s.right);
    return s;
}

#define STATE_PAIRS (BBANS_STATES_MAX / 2)
#endif
#endif
