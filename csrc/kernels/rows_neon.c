/* NEON kernels of rows of weights; equal to rows_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

/* `bad` is not 0 for weights of 2^29 or more, before the 1 is added: conversion
 * saturates, so p is looked at by its bits, and -1 and less are above, as
 * unsigned.
 */
static uint64_t row_sum(const void *weight, int type, size_t n, uint32_t *w)
{
    uint32x4_t bad = vdupq_n_u32(0);
    uint64x2_t sum = vdupq_n_u64(0);
    uint64_t rest;
    size_t k = 0;

    for (; type != BBANS_F64 && k + 4 <= n; k += 4) {
        uint32x4_t v = vld1q_u32((const uint32_t *)weight + k);

        if (type == BBANS_F32) {
            const uint32x4_t size = vandq_u32(v, vdupq_n_u32(0x7fffffff));

            bad = vorrq_u32(bad, vcgeq_u32(size, vdupq_n_u32(0x40800000)));
            v = vreinterpretq_u32_s32(
                vcvtq_s32_f32(vmulq_n_f32(vreinterpretq_f32_u32(v), 0x1p27f)));
        }
        bad = vorrq_u32(bad, vshrq_n_u32(v, 29));
        if (type == BBANS_F32)
            v = vaddq_u32(v, vdupq_n_u32(1));
        sum = vpadalq_u32(sum, v);
        vst1q_u32(w + k, v);
    }
    rest = bbans_rows_portable.row_sum((const uint8_t *)weight + 4 * k, type,
                                       n - k, w + k); /* k = 0 for F64 */
    if (vmaxvq_u32(bad) != 0 || rest == UINT64_MAX)
        return UINT64_MAX;
    return rest + vaddvq_u64(sum);
}

#define BLOCK 64

static uint64_t row_interval(const void *weight, int type, size_t n, size_t k,
                             uint32_t *start, uint32_t *freq)
{
    const size_t size = type == BBANS_F64 ? 8 : 4;
    uint64_t sum = 0;
    uint32_t w[BLOCK];
    size_t i, j;
    int bad = 0;

    for (i = 0; i < n; i += BLOCK) {
        const uint64_t part = row_sum((const uint8_t *)weight + i * size, type,
                                      n - i < BLOCK ? n - i : BLOCK, w);

        if (k - i < BLOCK && k < n) {
            *start = (uint32_t)sum;
            for (j = 0; j < k - i; j++) /* compilers vectorise it */
                *start += w[j];
            *freq = w[k - i];
        }
        bad |= part == UINT64_MAX;
        sum += part;
    }
    return bad ? UINT64_MAX : sum;
}

/* Four at a time until the slot is among them. */
static size_t find(const uint32_t *w, size_t n, uint32_t slot, uint32_t *start)
{
    uint32_t before = 0;
    size_t k;

    for (k = 0; k + 4 <= n; k += 4) {
        const uint32_t four = vaddvq_u32(vld1q_u32(w + k));

        if (slot - before < four)
            break;
        before += four;
    }
    k += bbans_rows_portable.find(w + k, n - k, slot - before, start);
    *start += before;
    return k;
}

const bbans_rows_kernels bbans_rows_neon = {
    .row_sum = row_sum,
    .row_interval = row_interval,
    .find = find,
    .row_intervals = bbans_each_row_interval,
    .weigh_rows = bbans_each_row_sum,
    .find_in_row = bbans_find_without_sums};
#endif
