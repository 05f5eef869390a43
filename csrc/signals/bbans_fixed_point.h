/* Private to signals/ and grids/: the arithmetic of fits, in integers.
 * docs/maths.md, "Signals".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FIXED_POINT_H
#define BBANS_FIXED_POINT_H

#include "../bbans_internal.h"

#ifndef BBANS_DECODER_ONLY
/* Fixed point: ONE is 1. */
#define BBANS_ONE_BITS 60
#define BBANS_ONE ((int64_t)1 << BBANS_ONE_BITS)

/* floor(a b / 2^60); |a|, |b| <= 2^61.  In halves of 30 bits: a_1 b_0 + a_0 b_1
 * is below 2^62. */
static inline int64_t bbans_fixed_product(int64_t a, int64_t b)
{
#ifdef __SIZEOF_INT128__
    return (int64_t)((__extension__(__int128) a * b) >> BBANS_ONE_BITS);
#else
    const int64_t mask = ((int64_t)1 << 30) - 1;
    const int64_t a1 = bbans_floor_shift(a, 30), a0 = a & mask;
    const int64_t b1 = bbans_floor_shift(b, 30), b0 = b & mask;

    return a1 * b1 +
           bbans_floor_shift(a1 * b0 + a0 * b1 + ((a0 * b0) >> 30), 30);
#endif
}

static inline unsigned bbans_bits_of(uint64_t v)
{
    return v == 0 ? 0 : (unsigned)bbans_bit_length(v);
}

static inline uint64_t bbans_size_of(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

/* log2(v) in 2^-16, less up to 2^-12; v >= 1. */
static inline int64_t bbans_fixed_log2(uint64_t v)
{
    const unsigned bits = bbans_bits_of(v);
    uint64_t m = bits > 32 ? v >> (bits - 32) : v << (32 - bits);
    int64_t log = (int64_t)(bits - 1);
    unsigned i;

    for (i = 0; i < 12; i++) { /* m in [1, 2), of 31 bits */
        m = (m * m) >> 31;
        log *= 2;
        if (m >> 32 != 0) {
            log++;
            m >>= 1;
        }
    }
    return log * 16;
}

/* v 2^shift, rounded down; what does not fit is the greatest. */
static inline int64_t bbans_shifted(int64_t v, int shift)
{
    if (shift <= 0)
        return bbans_floor_shift(v, shift < -62 ? 63 : (unsigned)-shift);
    if ((int)bbans_bits_of(bbans_size_of(v)) + shift > 62)
        return v < 0 ? -((int64_t)1 << 62) : (int64_t)1 << 62;
    return v * ((int64_t)1 << shift);
}

static inline uint64_t bbans_root(uint64_t v) /* floor(sqrt(v)) */
{
    uint64_t r = 0, bit = (uint64_t)1 << 62;

    while (bit > v)
        bit >>= 2;
    for (; bit != 0; bit >>= 2) {
        if (v >= r + bit) {
            v -= r + bit;
            r = (r >> 1) + bit;
        } else {
            r >>= 1;
        }
    }
    return r;
}

/* 2^91 / sqrt(m), m of 62 or 63 bits, to 60 bits: sqrt(m) = r + d, where d is
 * (m - r^2) / 2 r to 2^-32, and 1 / (r + d) is 1 / r - d / r^2 to 2^-60 of it.
 */
static inline int64_t bbans_inverse_root(uint64_t m)
{
    const uint64_t r = bbans_root(m); /* 2^30.5 .. 2^31.5 */
    const uint64_t d = ((m - r * r) << 28) / r, one = (uint64_t)1 << 62;
    const uint64_t inverse = ((one / r) << 29) + (((one % r) << 29) / r);

    return (int64_t)(inverse - (((inverse / r) * d) >> 29));
}

#endif /* BBANS_DECODER_ONLY */

#endif
