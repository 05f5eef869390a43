/* Private to csrc/: small inline pieces that more than one file needs.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_INTERNAL_H
#define BBANS_INTERNAL_H

#include "bbans.h"

#include <string.h>

#define BBANS_HEAD_MIN ((uint64_t)1 << 31)
#define BBANS_HEAD_MAX (((uint64_t)1 << 63) - 1)

/* floor(2^31 / N): heads in [N q, N q 2^32) code total N without loss. */
static inline uint64_t bbans_quota(uint32_t total)
{
    return BBANS_HEAD_MIN / total;
}

/* A head of its own, the tail by reference: what one lane's steps change. */
typedef struct {
    uint64_t x;
    uint32_t *tail;
    size_t tail_len;
} bbans_lane;

/* Docs/maths.md section 3.  The caller has checked the interval and that the
 * tail has room for one word. */
static inline void bbans_lane_push(bbans_lane *lane, uint32_t start,
                                   uint32_t freq, uint32_t total)
{
    uint64_t x = lane->x;

    if (x >> 32 >= freq * bbans_quota(total)) { /* x >= f q 2^32 */
        lane->tail[lane->tail_len++] = (uint32_t)x;
        x >>= 32;
    }
    /* x < f q 2^32, so floor(x / f) N < q 2^32 N <= 2^63. */
    x = x / freq * total + x % freq + start;
    if (x < BBANS_HEAD_MIN && lane->tail_len > 0)
        x = x << 32 | lane->tail[--lane->tail_len];
    lane->x = x;
}

static inline uint32_t bbans_slot(uint64_t x, uint32_t total)
{
    if (x >> 32 >= total * bbans_quota(total))
        x >>= 32;
    return (uint32_t)(x % total);
}

/* Pop the interval that holds the slot; the tail has room for one word. */
static inline void bbans_lane_advance(bbans_lane *lane, uint32_t start,
                                      uint32_t freq, uint32_t total)
{
    uint64_t x = lane->x;

    if (x >> 32 >= total * bbans_quota(total)) { /* x >= N q 2^32 */
        lane->tail[lane->tail_len++] = (uint32_t)x;
        x >>= 32;
    }
    x = x / total * freq + x % total - start;
    if (x < BBANS_HEAD_MIN && lane->tail_len > 0)
        x = x << 32 | lane->tail[--lane->tail_len];
    lane->x = x;
}

/* One lane keeps a small head; in more lanes it means that the tail ran dry. */
static inline int bbans_lane_is_dry(const bbans_lane *lane, size_t lanes)
{
    return lanes > 1 && lane->x < BBANS_HEAD_MIN;
}

#endif
