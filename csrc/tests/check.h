/* A check that names the line, and a generator for test inputs.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_TESTS_CHECK_H
#define BBANS_TESTS_CHECK_H

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

static uint64_t check_state = 1;

/* xorshift64*: Vigna, ACM TOMS 42(4), 2016. */
static uint64_t random_bits(void)
{
    check_state ^= check_state >> 12;
    check_state ^= check_state << 25;
    check_state ^= check_state >> 27;
    return check_state * UINT64_C(2685821657736338717);
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)((random_bits() >> 32) * n >> 32);
}

#endif
