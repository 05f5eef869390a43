/* NEON kernels of messages with several lanes, and of rows of weights; equal to
 * lanes_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

#define PREC_MIN 12

static inline uint64x2_t load(const void *p)
{
    return vreinterpretq_u64_u32(vld1q_u32((const uint32_t *)p));
}

static inline uint64x2_t product(uint64x2_t a, uint64x2_t b)
{
    return vmull_u32(vmovn_u64(a), vmovn_u64(b));
}

/* FPCR rounds to the nearest, as the bounds below need. */
static inline int rounds_to_nearest(void)
{
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return (fpcr & 0xc00000) == 0;
}

/* The quotient y = x / f < 2^(63 - r) <= 2^51 comes from doubles: the
 * conversion of x and the division add errors of at most 1/4 each, rounding to
 * an integer 1/2. So q, one less than that integer, is less than 1 away from y
 * - 1: floor(y) - 1 or floor(y), and x - q f in [0, 2 f) tells which.  y >= 8,
 * as in all messages of several lanes. */
uint32_t *bbans_k_push_neon(uint64_t *head, const bbans_span *span, size_t n,
                            unsigned prec, uint32_t *top)
{
    const uint64x2_t low = vdupq_n_u64(0xffffffff), one = vdupq_n_u64(1);
    const uint64x2_t total = vdupq_n_u64((uint64_t)1 << prec);
    const int64x2_t r = vdupq_n_s64((int64_t)prec);
    const int64x2_t to_limit = vdupq_n_s64(63 - (int64_t)prec);

    if (prec < PREC_MIN || !rounds_to_nearest())
        return bbans_k_push_portable(head, span, n, prec, top);
    if (n % 2 != 0) {
        n--;
        top = bbans_k_push_portable(head + n, span + n, 1, prec, top);
    }
    while (n > 0) {
        uint64x2_t s, start, f, x, spill, q, rest;

        n -= 2;
        s = load(span + n);
        start = vandq_u64(s, low);
        f = vsubq_u64(vshrq_n_u64(s, 32), start);
        x = vld1q_u64(head + n);
        spill = vcgeq_u64(x, vshlq_u64(f, to_limit));
        *top = (uint32_t)vgetq_lane_u64(x, 1);
        top += vgetq_lane_u64(spill, 1) & 1;
        *top = (uint32_t)vgetq_lane_u64(x, 0);
        top += vgetq_lane_u64(spill, 0) & 1;
        x = vbslq_u64(spill, vshrq_n_u64(x, 32), x);

        q = vsubq_u64(
            vcvtnq_u64_f64(vdivq_f64(vcvtq_f64_u64(x), vcvtq_f64_u64(f))), one);
        rest = vandq_u64(vsubq_u64(x, product(q, f)), low);
        rest =
            vaddq_u64(rest, vandq_u64(vcgeq_u64(rest, f), vsubq_u64(total, f)));
        vst1q_u64(head + n, vaddq_u64(vshlq_u64(q, r), vaddq_u64(rest, start)));
    }
    return top;
}

uint32_t *bbans_k_push_symbols_neon(uint64_t *head, const uint32_t *edge,
                                    const uint32_t *symbol, size_t n,
                                    unsigned prec, uint32_t *top)
{
    return bbans_push_in_parts(bbans_k_push_neon, head, edge, symbol, n, prec,
                               top);
}

const uint32_t *bbans_k_advance_neon(uint64_t *head, const bbans_span *span,
                                     size_t n, unsigned prec,
                                     const uint32_t *top)
{
    const uint64x2_t low = vdupq_n_u64(0xffffffff);
    const uint64x2_t mask = vdupq_n_u64(((uint64_t)1 << prec) - 1);
    const int64x2_t right = vdupq_n_s64(-(int64_t)prec);
    size_t i, j;

    for (i = 0; i + 2 <= n; i += 2) {
        const uint64x2_t s = load(span + i), x = vld1q_u64(head + i);
        const uint64x2_t start = vandq_u64(s, low);
        const uint64x2_t f = vsubq_u64(vshrq_n_u64(s, 32), start);
        const uint64x2_t q = vshlq_u64(x, right);
        /* f q = f (q mod 2^32) + (f floor(q / 2^32)) 2^32 */
        const uint64x2_t fq = vaddq_u64(
            product(f, q), vshlq_n_u64(product(f, vshrq_n_u64(q, 32)), 32));

        vst1q_u64(head + i,
                  vaddq_u64(fq, vsubq_u64(vandq_u64(x, mask), start)));
        for (j = i; j < i + 2; j++) {
            const uint64_t refill = head[j] < BBANS_HEAD_MIN;

            head[j] = refill ? head[j] << 32 | top[-1] : head[j];
            top -= refill;
        }
    }
    return bbans_k_advance_portable(head + i, span + i, n - i, prec, top);
}

/* `bad` is not 0 for weights of 2^29 or more, before the 1 is added: conversion
 * saturates, so p is looked at by its bits, and -1 and less are above, as
 * unsigned.
 */
uint64_t bbans_k_weigh_neon(const void *weight, int type, size_t n, uint32_t *w)
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
    rest = bbans_k_weigh_portable((const uint8_t *)weight + 4 * k, type, n - k,
                                  w + k); /* k = 0 for F64 */
    if (vmaxvq_u32(bad) != 0 || rest == UINT64_MAX)
        return UINT64_MAX;
    return rest + vaddvq_u64(sum);
}

uint32_t bbans_k_most_neon(const uint32_t *v, size_t n)
{
    uint32x4_t most = vdupq_n_u32(0);
    uint32_t rest;
    size_t i;

    for (i = 0; i + 4 <= n; i += 4)
        most = vmaxq_u32(most, vld1q_u32(v + i));
    rest = bbans_k_most_portable(v + i, n - i);
    return vmaxvq_u32(most) > rest ? vmaxvq_u32(most) : rest;
}

#define BLOCK 64

uint64_t bbans_k_weigh_one_neon(const void *weight, int type, size_t n,
                                size_t k, uint32_t *start, uint32_t *freq)
{
    const size_t size = type == BBANS_F64 ? 8 : 4;
    uint64_t sum = 0;
    uint32_t w[BLOCK];
    size_t i, j;
    int bad = 0;

    for (i = 0; i < n; i += BLOCK) {
        const uint64_t part =
            bbans_k_weigh_neon((const uint8_t *)weight + i * size, type,
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
size_t bbans_k_find_neon(const uint32_t *w, size_t n, uint32_t slot,
                         uint32_t *start)
{
    uint32_t before = 0;
    size_t k;

    for (k = 0; k + 4 <= n; k += 4) {
        const uint32_t four = vaddvq_u32(vld1q_u32(w + k));

        if (slot - before < four)
            break;
        before += four;
    }
    k += bbans_k_find_portable(w + k, n - k, slot - before, start);
    *start += before;
    return k;
}
#endif
