/* Steps of chains side by side with NEON; equal to factors_portable.c bit for
 * bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

/* A left shift by a negative count is a right shift. */
static inline uint32x4_t short_weights(const uint32_t *w, unsigned shift)
{
    return vminq_u32(vrshlq_u32(vld1q_u32(w), vdupq_n_s32(-(int32_t)shift)),
                     vdupq_n_u32(BBANS_SHORT_MAX));
}

static void pair(const uint32_t *w, size_t rows, size_t n, unsigned shift,
                 uint32_t *out)
{
    size_t i, j;

    for (i = 0; i + 1 < rows; i += 2, w += 2 * n, out += n)
        for (j = 0; j < n; j += 4)
            vst1q_u32(out + j,
                      vsliq_n_u32(short_weights(w + j, shift),
                                  short_weights(w + n + j, shift), 16));
    for (j = 0; i < rows && j < n; j += 4)
        vst1q_u32(out + j, short_weights(w + j, shift));
}

static void narrow(const uint32_t *w, size_t n, unsigned shift, uint32_t *out)
{
    size_t i;

    for (i = 0; i < n; i += 8)
        vst1q_u32(out + i / 2,
                  vreinterpretq_u32_u16(vcombine_u16(
                      vmovn_u32(short_weights(w + i, shift)),
                      vmovn_u32(short_weights(w + i + 4, shift)))));
}

static void multiply(const uint32_t *c, size_t rows, const uint32_t *x,
                     size_t pairs, size_t n, uint32_t least, uint32_t *out)
{
    const uint32x4_t floor = vdupq_n_u32(least);
    size_t i, j, k;

    for (i = 0; i < rows; i++, c += pairs, out += n)
        for (j = 0; j < n; j += 8) {
            uint32x4_t low = vdupq_n_u32(0), high = low;

            for (k = 0; k < pairs; k++) {
                const uint16_t *from =
                    (const uint16_t *)(const void *)(x + k * n + j);
                const uint16x8x2_t p = vld2q_u16(from); /* of either state */
                const uint16_t first = (uint16_t)c[k];
                const uint16_t second = (uint16_t)(c[k] >> 16);

                low = vmlal_n_u16(low, vget_low_u16(p.val[0]), first);
                low = vmlal_n_u16(low, vget_low_u16(p.val[1]), second);
                high = vmlal_n_u16(high, vget_high_u16(p.val[0]), first);
                high = vmlal_n_u16(high, vget_high_u16(p.val[1]), second);
            }
            vst1q_u32(out + j, vmaxq_u32(low, floor));
            vst1q_u32(out + j + 4, vmaxq_u32(high, floor));
        }
}

const bbans_factors_kernels bbans_factors_neon = {
    .pair = pair, .narrow = narrow, .multiply = multiply};
#endif
