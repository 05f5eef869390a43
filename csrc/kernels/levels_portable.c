/* Weights of states in several levels, portable: this file defines the results.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

static void observe(const uint32_t *predicted, const uint32_t *emitting,
                    size_t width, size_t n, uint32_t *filtered)
{
    uint64_t sum = 0;
    int shift;
    size_t i, j;

    for (i = 0; i < n; i += width)
        for (j = 0; j < width; j++)
            sum += (uint64_t)predicted[i + j] * emitting[j];
    shift = bbans_bit_length(sum) - BBANS_JOINT_BITS;
    for (i = 0; i < n; i += width)
        for (j = 0; j < width; j++)
            filtered[i + j] =
                bbans_scaled((uint64_t)predicted[i + j] * emitting[j], shift);
}

static void contract(const uint32_t *c, size_t c_stride, size_t rows,
                     const uint32_t *x, size_t terms, size_t n, uint32_t *out,
                     size_t out_stride, unsigned shift, uint32_t more)
{
    size_t i, j, k, v;

    for (i = 0; i < rows; i++, c += c_stride, out += out_stride)
        for (j = 0; j < n; j += 8) {
            uint64_t sum[8] = {0};

            for (k = 0; k < terms; k++)
                for (v = 0; v < 8; v++)
                    sum[v] += (uint64_t)c[k] * x[k * n + j + v];
            for (v = 0; v < 8; v++)
                out[j + v] = (uint32_t)(sum[v] >> shift) + more;
        }
}

static void combine(const uint32_t *c, const uint32_t *x, size_t terms,
                    size_t n, uint64_t *sum)
{
    size_t j, k;

    for (j = 0; j < n; j++)
        sum[j] = 0;
    for (k = 0; k < terms; k++)
        for (j = 0; j < n; j++)
            sum[j] += (uint64_t)c[k] * x[k * n + j];
}

const bbans_levels_kernels bbans_levels_portable = {
    .observe = observe, .contract = contract, .combine = combine};
