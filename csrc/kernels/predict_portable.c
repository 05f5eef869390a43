/* Linear prediction, portable: this file defines the results.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

static int64_t dot(const int32_t *a, const int32_t *b, size_t n)
{
    int64_t sum = 0;
    size_t i;

    for (i = 0; i < n; i++)
        sum += (int64_t)a[i] * b[i];
    return sum;
}

static void fir(const int32_t *coefficient, size_t taps, const int32_t *value,
                size_t n, int64_t *sum)
{
    size_t i, t;

    for (t = 0; t < n; t++) {
        int64_t s = 0;

        for (i = 0; i < taps; i++)
            s += (int64_t)coefficient[i] * value[t + i];
        sum[t] += s;
    }
}

/* Modulo 2^32, in whatever order. */
static uint32_t adapt(int32_t *w, const int16_t *h, size_t n, int32_t g)
{
    uint32_t sum = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        w[i] = bbans_signed32((uint32_t)w[i] + (uint32_t)(g * h[i]));
        sum += (uint32_t)((int32_t)bbans_floor_shift(w[i], 16) * h[i + 1]);
    }
    return sum;
}

static void covariances(const int32_t *x, size_t nx, const int32_t *y,
                        size_t ny, const uint8_t *shift, size_t block,
                        size_t steps, int64_t *sum)
{
    int64_t row[BBANS_COVARIANCES_MAX];
    size_t k, i, j;

    for (k = 0; k < steps; k += block, shift++) {
        const size_t n = steps - k < block ? steps - k : block;
        int64_t *to = sum;

        for (j = 0; j < ny; j++)
            row[j] = 0;
        for (i = 0; i < n; i++)
            for (j = 0; j < ny; j++)
                row[j] += (int64_t)x[k + i] * y[k + i + j];
        for (i = 0; i < nx && i < ny; i++, to += ny + 1) {
            const int64_t gone = x[k + i], come = x[k + n + i];
            const int32_t *before = y + k + i, *after = before + n;

            for (j = 0; j < ny - i; j++) {
                to[j] += row[j] * ((int64_t)1 << *shift);
                row[j] += come * after[j] - gone * before[j];
            }
        }
    }
}

const bbans_predict_kernels bbans_predict_portable = {dot, fir, adapt,
                                                      covariances};
