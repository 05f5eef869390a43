/* What the coders for devices share: arithmetic without quotients of 64 bits.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_TINY_INTERNAL_H
#define BBANS_TINY_INTERNAL_H

#include "../bbans_tiny.h"

#define WINDOW_BITS 63
#define WINDOW ((uint64_t)1 << WINDOW_BITS)
#define RANGE_MIN ((uint64_t)1 << 55)
#define FILTER_BITS 32
#define SHORT_MAX 32767u

static inline unsigned bit_length(uint64_t v)
{
    uint32_t w = (uint32_t)(v >> 32 != 0 ? v >> 32 : v);
    unsigned n = v >> 32 != 0 ? 32 : 0, step;

    for (step = 16; step > 0; step /= 2)
        if (w >> step != 0) {
            w >>= step;
            n += step;
        }
    return n + w;
}

/* v >> n for 0 <= n < 32, from shifts of 32 bits. */
static inline uint64_t shifted(uint64_t v, unsigned n)
{
    const uint32_t hi = (uint32_t)(v >> 32), lo = (uint32_t)v;

    if (n == 0)
        return v;
    return (uint64_t)(hi >> n) << 32 | (lo >> n | hi << (32 - n));
}

/* v 2^-right, below 2^32; |right| < 32 */
static inline uint32_t scaled(uint64_t v, int right)
{
    return right >= 0 ? (uint32_t)shifted(v, (unsigned)right)
                      : (uint32_t)v << -right;
}

/* The floor of predicted weights, 2^min(12, 18 - bl(K - 1)). */
static inline uint32_t floor_of(uint32_t states)
{
    const unsigned bits = bit_length(states - 1u);

    return (uint32_t)1 << (bits <= 6 ? 12 : 18 - bits);
}

/* The compiler makes one load of these where the machine can, so a call, which
 * it prefers when it optimises for size, would be longer. */
#ifdef __GNUC__
#define LOAD static inline __attribute__((always_inline))
#else
#define LOAD static inline
#endif

LOAD uint32_t load_word(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 |
           (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

LOAD uint32_t load_half(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8;
}

#endif
