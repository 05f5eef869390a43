/* NEON kernels of networks; equal to network_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

#define INLINED __attribute__((always_inline))
#define ROWS 4
#define ITEMS 4
#define WIDTH 16

typedef struct {
    int16x8_t low, high;
} sixteen;

INLINED static inline sixteen load(const int16_t *p)
{
    const sixteen v = {vld1q_s16(p), vld1q_s16(p + 8)};

    return v;
}

INLINED static inline sixteen load_bytes(const int8_t *p)
{
    const int8x16_t w = vld1q_s8(p);
    const sixteen v = {vmovl_s8(vget_low_s8(w)), vmovl_high_s8(w)};

    return v;
}

INLINED static inline int32x4_t add_products(int32x4_t sum, sixteen v,
                                             sixteen w)
{
    sum = vmlal_s16(sum, vget_low_s16(v.low), vget_low_s16(w.low));
    sum = vmlal_high_s16(sum, v.low, w.low);
    sum = vmlal_s16(sum, vget_low_s16(v.high), vget_low_s16(w.high));
    return vmlal_high_s16(sum, v.high, w.high);
}

/* R(v, shift) of two products, clipped: SRSHL by -shift rounds as R does, in
 * more than 64 bits. */
INLINED static inline int64x2_t requantised(const bbans_node *node, int64x2_t v,
                                            int64x2_t shift)
{
    const int64x2_t low = vdupq_n_s64(node->low);
    const int64x2_t high = vdupq_n_s64(node->high);

    v = vrshlq_s64(v, vnegq_s64(shift));
    v = vbslq_s64(vcgtq_s64(low, v), low, v);
    return vbslq_s64(vcgtq_s64(v, high), high, v);
}

/* Four rows, of which `rows` are there. */
INLINED static inline void store(const bbans_node *node, size_t row,
                                 size_t rows, int32x4_t sum, void *out,
                                 size_t at)
{
    int32_t total[ROWS], result[ROWS];
    size_t r;

    vst1q_s32(total, sum);
    for (r = 0; r < rows; r += 2) {
        const size_t s = r + 1 < rows ? r + 1 : r;
        const int64_t product[2] = {(int64_t)(total[r] + node->bias[row + r]) *
                                        node->multiplier[row + r],
                                    (int64_t)(total[s] + node->bias[row + s]) *
                                        node->multiplier[row + s]};
        const int64_t shift[2] = {node->row_shift[row + r],
                                  node->row_shift[row + s]};

        vst1_s32(result + r, vmovn_s64(requantised(node, vld1q_s64(product),
                                                   vld1q_s64(shift))));
    }
    for (r = 0; r < rows; r++)
        if (bbans_is_short(node))
            ((int16_t *)out)[at + r] = (int16_t)result[r];
        else
            ((int32_t *)out)[at + r] = result[r];
}

/* Rows row .. of which `rows` are there on `items` windows. */
INLINED static inline void run_windows(const bbans_node *node, int type,
                                       size_t row, size_t rows, size_t length,
                                       const int16_t *a, size_t items,
                                       void *out, size_t at)
{
    const int8_t *w8[ROWS];
    const int16_t *w16[ROWS];
    int32x4_t sum[ROWS][ITEMS];
    size_t i, r, k;

    BBANS_UNROLLED
    for (r = 0; r < ROWS; r++) {
        const size_t first = (row + (r < rows ? r : 0)) * length;

        w8[r] = (const int8_t *)node->weight + first;
        w16[r] = (const int16_t *)node->weight + first;
        BBANS_UNROLLED
        for (i = 0; i < items; i++)
            sum[r][i] = vdupq_n_s32(0);
    }
    for (k = 0; k + WIDTH <= length; k += WIDTH) {
        sixteen v[ITEMS];

        BBANS_UNROLLED
        for (i = 0; i < items; i++)
            v[i] = load(a + i * length + k);
        BBANS_UNROLLED
        for (r = 0; r < ROWS; r++) {
            const sixteen w =
                type == BBANS_I8 ? load_bytes(w8[r] + k) : load(w16[r] + k);

            BBANS_UNROLLED
            for (i = 0; i < items; i++)
                sum[r][i] = add_products(sum[r][i], v[i], w);
        }
    }
    BBANS_UNROLLED
    for (i = 0; i < items; i++) {
        int32_t rest[ROWS] = {0};

        for (r = 0; r < ROWS; r++) {
            size_t j;

            for (j = k; j < length; j++)
                rest[r] += (type == BBANS_I8 ? w8[r][j] : w16[r][j]) *
                           a[i * length + j];
        }
        store(node, row, rows,
              vaddq_s32(vld1q_s32(rest),
                        vpaddq_s32(vpaddq_s32(sum[0][i], sum[1][i]),
                                   vpaddq_s32(sum[2][i], sum[3][i]))),
              out, at + i * node->channels);
    }
}

INLINED static inline void run_type(const bbans_node *node, int type,
                                    size_t length, const int16_t *a, size_t n,
                                    void *out)
{
    size_t row, i;

    for (row = 0; row < node->channels; row += ROWS) {
        const size_t left = node->channels - row;
        const size_t rows = left < ROWS ? left : ROWS;

        for (i = 0; i + ITEMS <= n; i += ITEMS)
            run_windows(node, type, row, rows, length, a + i * length, ITEMS,
                        out, i * node->channels + row);
        for (; i < n; i++)
            run_windows(node, type, row, rows, length, a + i * length, 1, out,
                        i * node->channels + row);
    }
}

static void affine(const bbans_node *node, size_t length, const int16_t *a,
                   size_t n, void *out)
{
    if (node->weight_type == BBANS_I8)
        run_type(node, BBANS_I8, length, a, n, out);
    else
        run_type(node, BBANS_I16, length, a, n, out);
}

static void combine(const bbans_node *node, const int32_t *a, const int32_t *b,
                    size_t n, int32_t *out)
{
    const int64x2_t shift = vdupq_n_s64(node->shift);
    size_t i;

    for (i = 0; i + 2 <= n; i += 2) {
        const int32x2_t u = vld1_s32(a + i), v = vld1_s32(b + i);
        const int32x2_t x = node->op == BBANS_OP_PRODUCT ? vmul_s32(u, v) : u;

        vst1_s32(out + i, vmovn_s64(requantised(
                              node,
                              vmlal_n_s32(vmull_n_s32(x, node->factor[0]), v,
                                          node->factor[1]),
                              shift)));
    }
    bbans_network_portable.combine(node, a + i, b + i, n - i, out + i);
}

const bbans_network_kernels bbans_network_neon = {.affine = affine,
                                                  .combine = combine};
#endif
