/* Weights of states in several levels with NEON; equal to levels_portable.c bit
 * for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

static void observe(const uint32_t *predicted, const uint32_t *emitting,
                    size_t width, size_t n, uint32_t *filtered)
{
    uint64x2_t sum = vdupq_n_u64(0);
    int64x2_t left;
    size_t i, j;

    for (i = 0; i < n; i += width)
        for (j = 0; j < width; j += 4) {
            const uint32x4_t p = vld1q_u32(predicted + i + j);
            const uint32x4_t b = vld1q_u32(emitting + j);

            sum = vmlal_u32(sum, vget_low_u32(p), vget_low_u32(b));
            sum = vmlal_high_u32(sum, p, b);
        }
    /* A left shift by a negative count is a right shift. */
    left = vdupq_n_s64(BBANS_JOINT_BITS - bbans_bit_length(vaddvq_u64(sum)));
    for (i = 0; i < n; i += width)
        for (j = 0; j < width; j += 4) {
            const uint32x4_t p = vld1q_u32(predicted + i + j);
            const uint32x4_t b = vld1q_u32(emitting + j);
            const uint64x2_t low = vmull_u32(vget_low_u32(p), vget_low_u32(b));
            const uint64x2_t high = vmull_high_u32(p, b);

            vst1q_u32(filtered + i + j,
                      vcombine_u32(vmovn_u64(vshlq_u64(low, left)),
                                   vmovn_u64(vshlq_u64(high, left))));
        }
}

static void contract(const uint32_t *c, size_t c_stride, size_t rows,
                     const uint32_t *x, size_t terms, size_t n, uint32_t *out,
                     size_t out_stride, unsigned shift, uint32_t more)
{
    const int64x2_t left = vdupq_n_s64(-(int64_t)shift);
    const uint32x4_t plus = vdupq_n_u32(more);
    size_t i, j, k;

    for (i = 0; i < rows; i++, c += c_stride, out += out_stride)
        for (j = 0; j < n; j += 4) {
            uint64x2_t low = vdupq_n_u64(0), high = low;

            for (k = 0; k < terms; k++) {
                const uint32x4_t v = vld1q_u32(x + k * n + j);
                const uint32x4_t a = vdupq_n_u32(c[k]);

                low = vmlal_u32(low, vget_low_u32(v), vget_low_u32(a));
                high = vmlal_high_u32(high, v, a);
            }
            vst1q_u32(out + j,
                      vaddq_u32(vcombine_u32(vmovn_u64(vshlq_u64(low, left)),
                                             vmovn_u64(vshlq_u64(high, left))),
                                plus));
        }
}

static void combine(const uint32_t *c, const uint32_t *x, size_t terms,
                    size_t n, uint64_t *sum)
{
    size_t j, k;

    for (j = 0; j < n; j += 4) {
        uint64x2_t low = vdupq_n_u64(0), high = low;

        for (k = 0; k < terms; k++) {
            const uint32x4_t v = vld1q_u32(x + k * n + j);
            const uint32x4_t a = vdupq_n_u32(c[k]);

            low = vmlal_u32(low, vget_low_u32(v), vget_low_u32(a));
            high = vmlal_high_u32(high, v, a);
        }
        vst1q_u64(sum + j, low);
        vst1q_u64(sum + j + 2, high);
    }
}

const bbans_levels_kernels bbans_levels_neon = {
    .observe = observe, .contract = contract, .combine = combine};
#endif
