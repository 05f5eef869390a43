/* NEON kernels of messages with several lanes; equal to lanes_portable.c
 * bit for bit.
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
static uint32_t *push(uint64_t *head, const bbans_span *span, size_t n,
                      unsigned prec, uint32_t *top)
{
    const uint64x2_t low = vdupq_n_u64(0xffffffff), one = vdupq_n_u64(1);
    const uint64x2_t total = vdupq_n_u64((uint64_t)1 << prec);
    const int64x2_t r = vdupq_n_s64((int64_t)prec);
    const int64x2_t to_limit = vdupq_n_s64(63 - (int64_t)prec);

    if (prec < PREC_MIN || !rounds_to_nearest())
        return bbans_lanes_portable.push(head, span, n, prec, top);
    if (n % 2 != 0) {
        n--;
        top = bbans_lanes_portable.push(head + n, span + n, 1, prec, top);
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

static uint32_t *push_symbols(uint64_t *head, const uint32_t *edge,
                              const uint32_t *symbol, size_t n, unsigned prec,
                              uint32_t *top)
{
    return bbans_push_in_parts(push, head, edge, symbol, n, prec, top);
}

static const uint32_t *advance(uint64_t *head, const bbans_span *span, size_t n,
                               unsigned prec, const uint32_t *top)
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
    return bbans_lanes_portable.advance(head + i, span + i, n - i, prec, top);
}

static uint32_t max_u32(const uint32_t *v, size_t n)
{
    uint32x4_t most = vdupq_n_u32(0);
    uint32_t rest;
    size_t i;

    for (i = 0; i + 4 <= n; i += 4)
        most = vmaxq_u32(most, vld1q_u32(v + i));
    rest = bbans_lanes_portable.max_u32(v + i, n - i);
    return vmaxvq_u32(most) > rest ? vmaxvq_u32(most) : rest;
}

const bbans_lanes_kernels bbans_lanes_neon = {.push = push,
                                              .advance = advance,
                                              .max_u32 = max_u32,
                                              .push_symbols = push_symbols};
#endif
