/* Where words of 16 bits go between the states of eight lanes and memory:
 * indices for byte shuffles, by a mask of lanes.  Those from 128 on give zeros.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_BYTES_WORDS_H
#define BBANS_BYTES_WORDS_H

#include "bbans_kernels.h"

#if defined(BBANS_HAVE_X86) || defined(BBANS_HAVE_NEON)

#define BIT(m, k) ((m) >> (k)&1)
#define BELOW(m, k)                                                            \
    (((k) > 0 ? BIT(m, 0) : 0) + ((k) > 1 ? BIT(m, 1) : 0) +                   \
     ((k) > 2 ? BIT(m, 2) : 0) + ((k) > 3 ? BIT(m, 3) : 0) +                   \
     ((k) > 4 ? BIT(m, 4) : 0) + ((k) > 5 ? BIT(m, 5) : 0) +                   \
     ((k) > 6 ? BIT(m, 6) : 0))
#define T(m, k)                                                                \
    BIT(m, k) ? 2 * BELOW(m, k) : 0x80, BIT(m, k) ? 2 * BELOW(m, k) + 1 : 0x80
#define TAKE(m)                                                                \
    {                                                                          \
        T(m, 0), T(m, 1), T(m, 2), T(m, 3), T(m, 4), T(m, 5), T(m, 6), T(m, 7) \
    }
#define ALL_4(f, m) f(m), f(m + 1), f(m + 2), f(m + 3)
#define ALL_16(f, m)                                                           \
    ALL_4(f, m), ALL_4(f, m + 4), ALL_4(f, m + 8), ALL_4(f, m + 12)
#define ALL_64(f, m)                                                           \
    ALL_16(f, m), ALL_16(f, m + 16), ALL_16(f, m + 32), ALL_16(f, m + 48)
#define ALL_256(f) ALL_64(f, 0), ALL_64(f, 64), ALL_64(f, 128), ALL_64(f, 192)

/* Which of the next words goes to each lane. */
static const uint8_t bbans_words_taken[256][16] = {ALL_256(TAKE)};

/* Whether each lane in turn is in the mask m of those that keep their word: the
 * others move forward. */
#define GIVE_8(m, a, b, c, d, e, f, g, h)                                      \
    [m] = {2 * a, 2 * a + 1, 2 * b, 2 * b + 1, 2 * c, 2 * c + 1,               \
           2 * d, 2 * d + 1, 2 * e, 2 * e + 1, 2 * f, 2 * f + 1,               \
           2 * g, 2 * g + 1, 2 * h, 2 * h + 1},
#define GIVE_7(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_8(m, b, c, d, e, f, g, h, 7) GIVE_8(m + 128, a, b, c, d, e, f, g, h)
#define GIVE_6(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_7(m, b, c, d, e, f, g, h, 6) GIVE_7(m + 64, a, b, c, d, e, f, g, h)
#define GIVE_5(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_6(m, b, c, d, e, f, g, h, 5) GIVE_6(m + 32, a, b, c, d, e, f, g, h)
#define GIVE_4(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_5(m, b, c, d, e, f, g, h, 4) GIVE_5(m + 16, a, b, c, d, e, f, g, h)
#define GIVE_3(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_4(m, b, c, d, e, f, g, h, 3) GIVE_4(m + 8, a, b, c, d, e, f, g, h)
#define GIVE_2(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_3(m, b, c, d, e, f, g, h, 2) GIVE_3(m + 4, a, b, c, d, e, f, g, h)
#define GIVE_1(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_2(m, b, c, d, e, f, g, h, 1) GIVE_2(m + 2, a, b, c, d, e, f, g, h)
static const uint8_t bbans_words_given[256][16] = {
    GIVE_1(0, 0, 0, 0, 0, 0, 0, 0, 0) GIVE_1(1, 0, 0, 0, 0, 0, 0, 0, 0)};

#undef BIT
#undef BELOW
#undef T
#undef TAKE
#undef ALL_4
#undef ALL_16
#undef ALL_64
#undef ALL_256
#undef GIVE_1
#undef GIVE_2
#undef GIVE_3
#undef GIVE_4
#undef GIVE_5
#undef GIVE_6
#undef GIVE_7
#undef GIVE_8

#endif
#endif
