/* Decisions under mixed contexts with NEON; equal to residual_portable.c bit
 * for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_logits.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

#define RESIDUAL
#define INLINED __attribute__((always_inline))
#ifdef __clang__ /* unrolls loops over one vector or two by itself */
#define UNROLLED
#else
#define UNROLLED BBANS_UNROLLED
#endif

typedef struct {
    uint16x8_t p[2];
    int32x4_t logit[4], weight[4];
    int32_t mixed;
} mixed_node;

INLINED static inline void load_node(mixed_node *x, const bbans_mixed *m,
                                     int vectors, uint32_t node)
{
    const int32x4_t zero = vdupq_n_s32(BBANS_LOGIT_ZERO);
    const int32_t *weight =
        m->weight + node * BBANS_MIXED_WIDTH * (uint32_t)vectors;
    int v;

    x->mixed = 0;
    UNROLLED
    for (v = 0; v < vectors; v++) {
        uint16_t *const *row = m->row + BBANS_MIXED_WIDTH * v;
        uint16x8_t p = vdupq_n_u16(row[0][node]), above;
        int32x4_t sum;

#define ABOVE(k) bbans_logit_above[row[k][node] >> (16 - BBANS_LOGIT_CELLS)]
        above = vdupq_n_u16(ABOVE(0));
#define SET(k)                                                                 \
    p = vsetq_lane_u16(row[k][node], p, k);                                    \
    above = vsetq_lane_u16(ABOVE(k), above, k)
        SET(1);
        SET(2);
        SET(3);
        SET(4);
        SET(5);
        SET(6);
        SET(7);
#undef SET
#undef ABOVE
        x->p[v] = p;
        x->logit[2 * v] = vsubq_s32(
            vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(above))), zero);
        x->logit[2 * v + 1] =
            vsubq_s32(vreinterpretq_s32_u32(vmovl_high_u16(above)), zero);
        x->weight[2 * v] = vld1q_s32(weight + BBANS_MIXED_WIDTH * v);
        x->weight[2 * v + 1] = vld1q_s32(weight + BBANS_MIXED_WIDTH * v + 4);
        sum = vmulq_s32(x->weight[2 * v], x->logit[2 * v]);
        sum = vmlaq_s32(sum, x->weight[2 * v + 1], x->logit[2 * v + 1]);
        x->mixed += bbans_floor_16(vaddvq_s32(sum));
    }
}

INLINED static inline void learn_node(const mixed_node *x, const bbans_mixed *m,
                                      int vectors, const uint16_t *share,
                                      uint32_t node, uint32_t bit,
                                      int32_t error)
{
    const int32x4_t rounding = vdupq_n_s32(0x8000);
    const int32x4_t most = vdupq_n_s32(BBANS_MIXED_LIMIT);
    const int32x4_t scaled = vdupq_n_s32(error * m->rate);
    const uint16x8_t flip = vdupq_n_u16((uint16_t)(0u - bit));
    int32_t *weight = m->weight + node * BBANS_MIXED_WIDTH * (uint32_t)vectors;
    int v;

    UNROLLED
    for (v = 0; v < 2 * vectors; v++) {
        int32x4_t w = vaddq_s32(
            x->weight[v],
            vshrq_n_s32(vmlaq_s32(rounding, scaled, x->logit[v]), 16));

        w = vmaxq_s32(vminq_s32(w, most), vnegq_s32(most));
        vst1q_s32(weight + 4 * v, w);
    }
    UNROLLED
    for (v = 0; v < vectors; v++) {
        uint16_t *const *row = m->row + BBANS_MIXED_WIDTH * v;
        const uint16x8_t s = vld1q_u16(share + BBANS_MIXED_WIDTH * v);
        uint16x8_t q = veorq_u16(x->p[v], flip);

        q = vsubq_u16(
            q, vshrn_high_n_u32(
                   vshrn_n_u32(vmull_u16(vget_low_u16(q), vget_low_u16(s)), 16),
                   vmull_high_u16(q, s), 16));
        q = veorq_u16(q, flip);
        row[0][node] = vgetq_lane_u16(q, 0);
        row[1][node] = vgetq_lane_u16(q, 1);
        row[2][node] = vgetq_lane_u16(q, 2);
        row[3][node] = vgetq_lane_u16(q, 3);
        row[4][node] = vgetq_lane_u16(q, 4);
        row[5][node] = vgetq_lane_u16(q, 5);
        row[6][node] = vgetq_lane_u16(q, 6);
        row[7][node] = vgetq_lane_u16(q, 7);
    }
}

/* x, or y where bit is 1. */
INLINED static inline void choose_node(mixed_node *x, const mixed_node *y,
                                       int vectors, uint32_t bit)
{
    const uint32x4_t mask = vdupq_n_u32(0u - bit);
    const uint16x8_t half = vreinterpretq_u16_u32(mask);
    int v;

    UNROLLED
    for (v = 0; v < vectors; v++)
        x->p[v] = vbslq_u16(half, y->p[v], x->p[v]);
    UNROLLED
    for (v = 0; v < 2 * vectors; v++) {
        x->logit[v] = vbslq_s32(mask, y->logit[v], x->logit[v]);
        x->weight[v] = vbslq_s32(mask, y->weight[v], x->weight[v]);
    }
    x->mixed ^= (x->mixed ^ y->mixed) & -(int32_t)bit;
}

#include "residual_vectors.h"

const bbans_residual_kernels bbans_residual_neon = {encode, decode};
#endif
