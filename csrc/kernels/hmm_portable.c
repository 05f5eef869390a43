/* The portable kernels: they define the results of all others.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

static uint32_t scaled(uint64_t v, int shift)
{
    return (uint32_t)(shift >= 0 ? v >> shift : v << -shift);
}

/* min(32767, (w + 2^16) >> 17) without passing 32 bits */
static int16_t narrow(uint32_t w)
{
    const uint32_t m = ((w >> 16) + 1) >> 1;

    return (int16_t)(m < BBANS_SHORT_MAX ? m : BBANS_SHORT_MAX);
}

/* sum m_i <= 2^15 + K/2 <= 34816 and Ah < 2^15: partial sums are below 2^31.
 * Inner products of 16-bit factors are a form that compilers vectorise. */
static void predict(const bbans_hmm *hmm, const uint32_t *filtered,
                    uint32_t *predicted)
{
    const size_t stride = hmm->stride;
    int16_t m[BBANS_STATES_MAX];
    size_t i, j;

    for (i = 0; i < stride; i++)
        m[i] = narrow(filtered[i]);
    for (j = 0; j < stride; j++) {
        const int16_t *column = hmm->short_columns + j * stride;
        uint32_t sum = 0;

        for (i = 0; i < stride; i++)
            sum += (uint32_t)(m[i] * column[i]);
        predicted[j] = sum > hmm->floor ? sum : hmm->floor;
    }
}

void bbans_k_filter_portable(const bbans_hmm *hmm, size_t symbol,
                             uint32_t *predicted, uint32_t *filtered)
{
    const size_t stride = hmm->stride;
    const uint32_t *emitting = hmm->emitting + symbol * stride;
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
    predict(hmm, filtered, predicted);
}

uint32_t bbans_k_posterior_portable(const uint32_t *filtered,
                                    const uint32_t *into, size_t stride,
                                    uint32_t *edge)
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
    return edge[stride];
}

size_t bbans_k_rank_portable(const uint32_t *edge, size_t n, uint32_t slot)
{
    return bbans_bisect(edge, &n, slot, 0);
}
