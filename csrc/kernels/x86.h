/* What the x86 kernels share.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_X86_H
#define BBANS_X86_H

#include "../bbans_internal.h"

#ifdef BBANS_HAVE_X86
#include <immintrin.h>

/* The shift by bit_length(sum) - bits, to the right or to the left: of the two
 * counts one is 0. */
typedef struct {
    __m128i right, left;
} shifts;

static inline shifts shifts_of(uint64_t sum, int bits)
{
    const int shift = bbans_bit_length(sum) - bits;
    shifts s;

    s.right = _mm_cvtsi32_si128(shift > 0 ? shift : 0);
    s.left = _mm_cvtsi32_si128(shift < 0 ? -shift : 0);
    return s;
}

/* The value as computed so far, whatever -ffast-math would like to reorder. */
#define BBANS_IN_THIS_ORDER(v) __asm__("" : "+x"(v))

#define STATE_PAIRS (BBANS_STATES_MAX / 2)
#endif
#endif
