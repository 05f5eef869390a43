/* What observations take, against the message that they become.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_TESTS_COSTS_H
#define BBANS_TESTS_COSTS_H

#include "bbans_internal.h"
#include "check.h"

#include <string.h>

/* A fraction in an interval of a width is no longer than the logarithm of its
 * inverse; and seldom much shorter, unless what comes last has the lowest
 * intervals. */
#define COSTS_LAST 32

static inline int costs_are_bits(const uint64_t *cost, size_t n, size_t bits)
{
    uint64_t sum = 0, before = 0;
    size_t t;

    for (t = 0; t < n; t++) {
        sum += cost[t];
        before += t + COSTS_LAST < n ? cost[t] : 0;
    }
    return (uint64_t)bits << 16 < sum + ((uint64_t)1 << 16) + 1 &&
           before < ((uint64_t)bits + 24) << 16;
}

/* Of n observations, as the predictive mode codes them; of fewer, the same. */
static inline void check_costs(bbans_state_space *space, const void *x,
                               size_t n)
{
    const size_t least = bbans_sequence_costs_bytes(space);
    const size_t work_bytes = bbans_sequence_work_bytes(space, n, n);
    const size_t words = bbans_sequence_tail_words(space, n);
    const int mode = space->predictive;
    uint64_t *cost = (uint64_t *)malloc((n + 1) * sizeof *cost);
    uint64_t *again = (uint64_t *)malloc((n + 1) * sizeof *again);
    uint32_t *tail = (uint32_t *)malloc(words * sizeof *tail);
    void *work = malloc(least), *encoding = malloc(work_bytes);
    bbans_message msg;
    uint64_t head;

    CHECK(least > 0 && words > 0);
    CHECK(cost != NULL && again != NULL && tail != NULL && work != NULL &&
          encoding != NULL);
    CHECK(bbans_sequence_costs(space, x, n, cost, work, least - 1) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_sequence_costs(space, x, n, cost, work, least) == BBANS_OK);
    space->predictive = 1;
    CHECK(bbans_message_init(&msg, &head, 1, tail, words) == BBANS_OK);
    CHECK(bbans_sequence_encode(space, x, n > 0, encoding,
                                bbans_sequence_work_bytes(space, 1, 1) - 1,
                                &msg) == BBANS_ERR_CAPACITY);
    CHECK(bbans_sequence_encode(space, x, n, encoding, work_bytes, &msg) ==
          BBANS_OK);
    CHECK(costs_are_bits(
        cost, n, 32 * msg.tail_len + (size_t)bbans_bit_length(head) - 1));
    CHECK(bbans_sequence_costs(space, x, n / 2, again, work, least) ==
          BBANS_OK);
    CHECK(memcmp(cost, again, n / 2 * sizeof *cost) == 0);
    space->predictive = mode;
    free(cost);
    free(again);
    free(tail);
    free(work);
    free(encoding);
}

#endif
