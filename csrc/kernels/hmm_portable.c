/* The portable kernels: they define the results of all others.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

static uint32_t scaled(uint64_t v, int shift)
{
    return (uint32_t)(shift >= 0 ? v >> shift : v << -shift);
}

/* min(32767, (w + 2^16) >> 17) without passing 32 bits */
static int32_t narrow(uint32_t w)
{
    const uint32_t m = ((w >> 16) + 1) >> 1;

    return (int32_t)(m < BBANS_SHORT_MAX ? m : BBANS_SHORT_MAX);
}

/* sum m_i <= 2^15 + K/2 <= 34816 and Ah < 2^15: partial sums are below 2^31. */
static void predict(uint32_t *predicted, const int16_t *transition_15,
                    size_t stride, uint32_t floor, const uint32_t *filtered)
{
    size_t i, j;

    memset(predicted, 0, stride * sizeof *predicted);
    for (i = 0; i < stride; i += 2) {
        const int16_t *row = transition_15 + i * stride;
        const int32_t m0 = narrow(filtered[i]), m1 = narrow(filtered[i + 1]);

        if ((m0 | m1) == 0)
            continue;
        for (j = 0; j < stride; j++)
            predicted[j] += (uint32_t)(m0 * row[2 * j] + m1 * row[2 * j + 1]);
    }
    for (j = 0; j < stride; j++)
        predicted[j] = predicted[j] > floor ? predicted[j] : floor;
}

void bbans_k_filter_portable(uint32_t *predicted, const uint32_t *emitting,
                             const int16_t *transition_15, size_t stride,
                             uint32_t floor, uint32_t *filtered)
{
    uint64_t sum = 0;
    int shift;
    size_t i;

    /* sum p < 2^31 and B <= 2^28: below 2^59.  p is positive and so is B within
     * the states, so the sum is; beyond them B is 0. */
    for (i = 0; i < stride; i++)
        sum += (uint64_t)predicted[i] * emitting[i];
    shift = bbans_bit_length(sum) - BBANS_FILTER_BITS;
    for (i = 0; i < stride; i++)
        filtered[i] = scaled((uint64_t)predicted[i] * emitting[i], shift);
    predict(predicted, transition_15, stride, floor, filtered);
}

void bbans_k_posterior_portable(const uint32_t *filtered, const uint32_t *into,
                                size_t stride, uint32_t *edge)
{
    uint64_t sum = 0;
    int shift;
    size_t i;

    /* sum W < 2^32 and A <= 2^28: below 2^60. */
    for (i = 0; i < stride; i++)
        sum += (uint64_t)filtered[i] * (into == NULL ? 1 : into[i]);
    shift = bbans_bit_length(sum) - BBANS_POSTERIOR_BITS;
    edge[0] = 0;
    for (i = 0; i < stride; i++)
        edge[i + 1] =
            edge[i] +
            scaled((uint64_t)filtered[i] * (into == NULL ? 1 : into[i]), shift);
}

size_t bbans_k_rank_portable(const uint32_t *edge, size_t n, uint32_t slot)
{
    size_t lo = 0;

    while (n > 0) { /* edge[lo - 1] <= slot < edge[lo + n] */
        const size_t half = n / 2;

        if (edge[lo + half] <= slot) {
            lo += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return lo;
}
