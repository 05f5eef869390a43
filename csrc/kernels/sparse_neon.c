/* The filter over sparse transitions with NEON; equal to sparse_portable.c bit
 * for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

static void weigh(const uint32_t *predicted, const uint32_t *emitting,
                  size_t stride, uint32_t *filtered, int16_t *m)
{
    const uint16x4_t most = vdup_n_u16(BBANS_SHORT_MAX);
    uint64x2_t sum = vdupq_n_u64(0);
    int64x2_t left;
    size_t i;

    for (i = 0; i < stride; i += 4) {
        const uint32x4_t p = vld1q_u32(predicted + i);
        const uint32x4_t b = vld1q_u32(emitting + i);

        sum = vmlal_u32(sum, vget_low_u32(p), vget_low_u32(b));
        sum = vmlal_high_u32(sum, p, b);
    }
    /* A left shift by a negative count is a right shift. */
    left = vdupq_n_s64(BBANS_FILTER_BITS - bbans_bit_length(vaddvq_u64(sum)));
    for (i = 0; i < stride; i += 4) {
        const uint32x4_t p = vld1q_u32(predicted + i);
        const uint32x4_t b = vld1q_u32(emitting + i);
        const uint64x2_t low = vmull_u32(vget_low_u32(p), vget_low_u32(b));
        const uint64x2_t high = vmull_high_u32(p, b);
        const uint32x4_t w = vcombine_u32(vmovn_u64(vshlq_u64(low, left)),
                                          vmovn_u64(vshlq_u64(high, left)));

        vst1q_u32(filtered + i, w);
        vst1_s16(m + i, vreinterpret_s16_u16(vmin_u16(
                            vrshrn_n_u32(vshrq_n_u32(w, 16), 1), most)));
    }
}

static void predict(const bbans_sparse *sparse, const int16_t *m, size_t stride,
                    uint32_t least, uint32_t *predicted)
{
    const uint32x4_t floor = vdupq_n_u32(least);
    const int16_t *mass = sparse->mass;
    uint32_t k = 0;
    size_t b;

    for (b = 0; b < stride / 8; b++, predicted += 8) {
        int32x4_t low = vdupq_n_s32(0), high = low;

        for (; k < sparse->first[b + 1]; k++, mass += 16) {
            const int16_t *w = m + 2 * sparse->pair[k];
            const int16x8x2_t a = vld2q_s16(mass); /* of either state */

            low = vmlal_n_s16(low, vget_low_s16(a.val[0]), w[0]);
            low = vmlal_n_s16(low, vget_low_s16(a.val[1]), w[1]);
            high = vmlal_n_s16(high, vget_high_s16(a.val[0]), w[0]);
            high = vmlal_n_s16(high, vget_high_s16(a.val[1]), w[1]);
        }
        vst1q_u32(predicted, vmaxq_u32(vreinterpretq_u32_s32(low), floor));
        vst1q_u32(predicted + 4, vmaxq_u32(vreinterpretq_u32_s32(high), floor));
    }
}

const bbans_sparse_kernels bbans_sparse_neon = {.weigh = weigh,
                                                .predict = predict};
#endif
