/* Steps of chains side by side, portable: this file defines the results.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

static void pair(const uint32_t *w, size_t rows, size_t n, unsigned shift,
                 uint32_t *out)
{
    size_t i, j;

    for (i = 0; i < rows; i += 2, w += 2 * n, out += n)
        for (j = 0; j < n; j++) {
            out[j] = bbans_short_weight(w[j], shift);
            if (i + 1 < rows)
                out[j] |= bbans_short_weight(w[n + j], shift) << 16;
        }
}

static void narrow(const uint32_t *w, size_t n, unsigned shift, uint32_t *out)
{
    size_t i;

    for (i = 0; i < n / 2; i++)
        out[i] = bbans_short_weight(w[2 * i], shift) |
                 bbans_short_weight(w[2 * i + 1], shift) << 16;
}

static void multiply(const uint32_t *c, size_t rows, const uint32_t *x,
                     size_t pairs, size_t n, uint32_t least, uint32_t *out)
{
    size_t i, j, k, v;

    for (i = 0; i < rows; i++, c += pairs, out += n)
        for (j = 0; j < n; j += 8) {
            uint32_t sum[8] = {0};

            for (k = 0; k < pairs; k++)
                for (v = 0; v < 8; v++) {
                    const uint32_t p = x[k * n + j + v];

                    sum[v] += (c[k] & 0xffff) * (p & 0xffff) +
                              (c[k] >> 16) * (p >> 16);
                }
            for (v = 0; v < 8; v++)
                out[j + v] = sum[v] > least ? sum[v] : least;
        }
}

const bbans_factors_kernels bbans_factors_portable = {
    .pair = pair, .narrow = narrow, .multiply = multiply};
