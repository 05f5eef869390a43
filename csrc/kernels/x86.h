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
} scaling;

static inline scaling scaling_of(uint64_t sum, int bits)
{
    scaling s;

    s.right = bbans_bit_length(sum) - bits;
    s.count = _mm_cvtsi32_si128(s.right < 0 ? -s.right : s.right);
    return s;
}

/* The quotient floor(x / f) comes from doubles, whose bits are built and read
 * as integers: 2^52 + v has the bits of v < 2^52 as its fraction, 2^84 + 2^32 v
 * those of v.  Every head here is 8 f <= x < f 2^(63 - r) (x >= 2^31, and a
 * spill leaves x >= f 2^(31 - r)), so with r >= 12 the quotient y = x / f is in
 * [8, 2^51).  To the nearest, x rounds with an error of at most 2^-53 x and the
 * division adds 2^-53 y (1 + 2^-52): below 1/4 each, together below 1/2. Adding
 * 2^52 - 1 rounds y - 1 to an integer with an error of at most 1/2 more.  So
 * the result q is an integer less than 1 away from y - 1: floor(y) - 1 or
 * floor(y).  With x - q f in [0, 2 f), in 32 bits, it is known which. */
#define BBANS_QUOTIENT_PREC_MIN 12

/* MXCSR rounds to the nearest, as the bounds above need. */
static inline int bbans_rounds_to_nearest(void)
{
    return (_mm_getcsr() & 0x6000) == 0;
}

/* The value as computed so far, whatever -ffast-math would like to reorder. */
#ifdef BBANS_EMULATE
#define BBANS_IN_THIS_ORDER(v) ((void)(v))
#else
#define BBANS_IN_THIS_ORDER(v) __asm__("" : "+v"(v))
#endif

/* An array is in memory, whatever the compiler knows of it. */
#define BBANS_FROM_MEMORY(array) __asm__("" : "+m"(array))

#define STATE_PAIRS (BBANS_STATES_MAX / 2)

/* Bits 0 .. n - 1. */
static inline uint64_t bbans_first_bits(size_t n)
{
    return n < 64 ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
}

/* The bits of all four numbers of 64 bits; the sum of four, or of eight of 32.
 */
BBANS_TARGET("avx2") static inline uint64_t bbans_or_of_4(__m256i v)
{
    const __m128i two =
        _mm_or_si128(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));

    return (uint64_t)_mm_cvtsi128_si64(
        _mm_or_si128(two, _mm_unpackhi_epi64(two, two)));
}

BBANS_TARGET("avx2") static inline uint64_t bbans_sum_of_4(__m256i v)
{
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(v),
                                      _mm256_extracti128_si256(v, 1));

    return (uint64_t)_mm_cvtsi128_si64(
        _mm_add_epi64(two, _mm_unpackhi_epi64(two, two)));
}

BBANS_TARGET("avx2") static inline uint32_t bbans_sum_of_8(__m256i v)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v),
                                 _mm256_extracti128_si256(v, 1));

    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(
        _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

/* Byte shuffles that move the 32-bit elements of a mask's bits to the front. */
#define W(k) 4 * (k), 4 * (k) + 1, 4 * (k) + 2, 4 * (k) + 3
static const uint8_t bbans_compressed[16][16] = {
    {W(0), W(0), W(0), W(0)}, {W(0), W(0), W(0), W(0)},
    {W(1), W(0), W(0), W(0)}, {W(0), W(1), W(0), W(0)},
    {W(2), W(0), W(0), W(0)}, {W(0), W(2), W(0), W(0)},
    {W(1), W(2), W(0), W(0)}, {W(0), W(1), W(2), W(0)},
    {W(3), W(0), W(0), W(0)}, {W(0), W(3), W(0), W(0)},
    {W(1), W(3), W(0), W(0)}, {W(0), W(1), W(3), W(0)},
    {W(2), W(3), W(0), W(0)}, {W(0), W(2), W(3), W(0)},
    {W(1), W(2), W(3), W(0)}, {W(0), W(1), W(2), W(3)}};
#undef W
#endif
#endif
