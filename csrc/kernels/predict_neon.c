/* Linear prediction with NEON.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

static int64_t dot(const int32_t *a, const int32_t *b, size_t n)
{
    int64x2_t sum0 = vdupq_n_s64(0), sum1 = sum0;
    size_t i;

    for (i = 0; i + 4 <= n; i += 4) {
        const int32x4_t u = vld1q_s32(a + i), v = vld1q_s32(b + i);

        sum0 = vmlal_s32(sum0, vget_low_s32(u), vget_low_s32(v));
        sum1 = vmlal_high_s32(sum1, u, v);
    }
    return vaddvq_s64(vaddq_s64(sum0, sum1)) +
           bbans_predict_portable.dot(a + i, b + i, n - i);
}

static void fir(const int32_t *coefficient, size_t taps, const int32_t *value,
                size_t n, int64_t *sum)
{
    size_t i, t;

    for (t = 0; t + 8 <= n; t += 8) {
        int64x2_t s0 = vld1q_s64(sum + t), s1 = vld1q_s64(sum + t + 2);
        int64x2_t s2 = vld1q_s64(sum + t + 4), s3 = vld1q_s64(sum + t + 6);

        for (i = 0; i < taps; i++) {
            const int32x4_t c = vdupq_n_s32(coefficient[i]);
            const int32x4_t u = vld1q_s32(value + t + i);
            const int32x4_t v = vld1q_s32(value + t + i + 4);

            s0 = vmlal_s32(s0, vget_low_s32(u), vget_low_s32(c));
            s1 = vmlal_high_s32(s1, u, c);
            s2 = vmlal_s32(s2, vget_low_s32(v), vget_low_s32(c));
            s3 = vmlal_high_s32(s3, v, c);
        }
        vst1q_s64(sum + t, s0);
        vst1q_s64(sum + t + 2, s1);
        vst1q_s64(sum + t + 4, s2);
        vst1q_s64(sum + t + 6, s3);
    }
    bbans_predict_portable.fir(coefficient, taps, value + t, n - t, sum + t);
}

static uint32_t adapt(int32_t *w, const int16_t *h, size_t n, int32_t g)
{
    const int16x8_t rate = vdupq_n_s16((int16_t)g);
    int32x4_t sum0 = vdupq_n_s32(0), sum1 = sum0;
    size_t i;

    for (i = 0; i < n; i += 8) {
        const int16x8_t before = vld1q_s16(h + i), next = vld1q_s16(h + i + 1);
        const int32x4_t w0 = vmlal_s16(vld1q_s32(w + i), vget_low_s16(before),
                                       vget_low_s16(rate));
        const int32x4_t w1 = vmlal_high_s16(vld1q_s32(w + i + 4), before, rate);

        vst1q_s32(w + i, w0);
        vst1q_s32(w + i + 4, w1);
        sum0 = vmlal_s16(sum0, vshrn_n_s32(w0, 16), vget_low_s16(next));
        sum1 = vmlal_s16(sum1, vshrn_n_s32(w1, 16), vget_high_s16(next));
    }
    return (uint32_t)vaddvq_s32(vaddq_s32(sum0, sum1));
}

/* Rows of 9 times 4: 33 and what is not wanted. */
#define QUADS ((BBANS_COVARIANCES_MAX + 3) / 4)
#define BLOCK_MAX 32

static void covariances(const int32_t *x, size_t nx, const int32_t *y,
                        size_t ny, const uint8_t *shift, size_t block,
                        size_t steps, int64_t *sum)
{
    const size_t rows = nx < ny ? nx : ny, quads = (ny + 3) / 4;
    int64_t total[BBANS_COVARIANCES_MAX][4 * QUADS];
    int32_t part[BLOCK_MAX + 2 * BBANS_COVARIANCES_MAX + 8]; /* of y */
    size_t k, i, j;

    memset(total, 0, rows * sizeof *total);
    memset(part, 0, sizeof part);
    for (k = 0; k < steps; k += block, shift++) {
        const size_t n = steps - k < block ? steps - k : block;
        const int64x2_t count = vdupq_n_s64(*shift);
        int64x2_t row[2 * QUADS];

        memcpy(part, y + k, (n + ny) * sizeof *y);
        for (j = 0; j < 2 * quads; j++)
            row[j] = vdupq_n_s64(0);
        for (i = 0; i < n; i++) {
            const int32x4_t v = vdupq_n_s32(x[k + i]);

            for (j = 0; j < quads; j++) {
                const int32x4_t u = vld1q_s32(part + i + 4 * j);

                row[2 * j] =
                    vmlal_s32(row[2 * j], vget_low_s32(u), vget_low_s32(v));
                row[2 * j + 1] = vmlal_high_s32(row[2 * j + 1], u, v);
            }
        }
        for (i = 0; i < rows; i++) {
            const int32x4_t gone = vdupq_n_s32(x[k + i]);
            const int32x4_t come = vdupq_n_s32(x[k + n + i]);
            const int32_t *before = part + i, *after = before + n;

            for (j = 0; 4 * j + i < ny; j++) {
                const int32x4_t u = vld1q_s32(after + 4 * j);
                const int32x4_t v = vld1q_s32(before + 4 * j);
                int64_t *to = total[i] + 4 * j;
                int64x2_t r0 = row[2 * j], r1 = row[2 * j + 1];

                vst1q_s64(to, vaddq_s64(vld1q_s64(to), vshlq_s64(r0, count)));
                vst1q_s64(to + 2,
                          vaddq_s64(vld1q_s64(to + 2), vshlq_s64(r1, count)));
                r0 = vmlal_s32(r0, vget_low_s32(u), vget_low_s32(come));
                r1 = vmlal_high_s32(r1, u, come);
                row[2 * j] = vmlsl_s32(r0, vget_low_s32(v), vget_low_s32(gone));
                row[2 * j + 1] = vmlsl_high_s32(r1, v, gone);
            }
        }
    }
    for (i = 0; i < rows; i++)
        for (j = i; j < ny; j++)
            sum[i * ny + j] += total[i][j - i];
}

const bbans_predict_kernels bbans_predict_neon = {dot, fir, adapt, covariances};
#endif
