/* A check that names the line, a generator for test inputs, and the kernels of
 * this machine one after the other.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_TESTS_CHECK_H
#define BBANS_TESTS_CHECK_H

#include "bbans.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                       \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

/* Of n random trials: fewer where each takes long, in an emulator or without
 * optimisation. */
#ifndef CHECK_SHARE
#define CHECK_SHARE 1
#endif
#define SOME(n) (((n) + CHECK_SHARE - 1) / CHECK_SHARE)

static uint64_t check_state = 1;

/* With CHECK_INPUT, a fuzzer's input, of which each random number takes its
 * highest 16 bits while it lasts. */
#ifdef CHECK_INPUT
static const uint8_t *check_input;
static size_t check_left;
#define CHECK_LIKELY(condition) ((void)(condition))
#else
#define CHECK_LIKELY(condition) CHECK(condition) /* of random numbers */
#endif

/* xorshift64*: Vigna, ACM TOMS 42(4), 2016. */
static inline uint64_t random_bits(void)
{
    uint64_t bits;

    check_state ^= check_state >> 12;
    check_state ^= check_state << 25;
    check_state ^= check_state >> 27;
    bits = check_state * UINT64_C(2685821657736338717);
#ifdef CHECK_INPUT
    if (check_left >= 2) {
        bits = bits >> 16 | (uint64_t)*check_input++ << 56;
        bits |= (uint64_t)*check_input++ << 48;
        check_left -= 2;
    }
#endif
    return bits;
}

static inline uint32_t below(uint32_t n)
{
    return (uint32_t)((random_bits() >> 32) * n >> 32);
}

/* Puts into use the next instruction set after `isa` that this machine and
 * build have; BBANS_ISA_BEST if there is none. */
static inline int next_isa(int isa)
{
    do
        isa++;
    while (isa < BBANS_ISA_BEST && bbans_isa_name(isa) == NULL);
    if (isa < BBANS_ISA_BEST)
        bbans_isa_use(isa);
    return isa;
}

#define FOR_EACH_ISA(isa)                                                      \
    for ((isa) = next_isa(-1); (isa) < BBANS_ISA_BEST; (isa) = next_isa(isa))

#endif
