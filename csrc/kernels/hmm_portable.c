/* The portable kernels: they define the results of all others.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* min(32767, (w + 2^16) >> 17) without passing 32 bits */
static uint32_t narrow(uint32_t w)
{
    const uint32_t m = ((w >> 16) + 1) >> 1;

    return m < BBANS_SHORT_MAX ? m : BBANS_SHORT_MAX;
}

static void weigh(uint32_t *predicted, const uint32_t *emitting, size_t stride,
                  uint32_t *filtered)
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
        filtered[i] = bbans_scaled((uint64_t)predicted[i] * emitting[i], shift);
    for (i = 0; i < stride / 2; i++)
        predicted[i] = narrow(filtered[2 * i]) | narrow(filtered[2 * i + 1])
                                                     << 16;
}

/* sum m_i <= 2^15 + K/2 <= 34816 and Ah < 2^15: partial sums are below 2^31.
 * Inner products of 16-bit factors are a form that compilers vectorise. */
static void predict_one(const bbans_hmm *hmm, uint32_t *predicted)
{
    const size_t stride = hmm->stride;
    int16_t m[BBANS_STATES_MAX];
    size_t i, j;

    for (i = 0; i < stride; i += 2) {
        m[i] = (int16_t)(predicted[i / 2] & BBANS_SHORT_MAX);
        m[i + 1] = (int16_t)(predicted[i / 2] >> 16);
    }
    for (j = 0; j < stride; j++) {
        const int16_t *column = hmm->short_columns + j * stride;
        uint32_t sum = 0;

        for (i = 0; i < stride; i++)
            sum += (uint32_t)(m[i] * column[i]);
        predicted[j] = sum > hmm->floor ? sum : hmm->floor;
    }
}

static void predict(const bbans_hmm *hmm, uint32_t *const *predicted, size_t n)
{
    size_t q;

    for (q = 0; q < n; q++)
        predict_one(hmm, predicted[q]);
}

static void filter(const bbans_hmm *hmm, const uint32_t *emitting,
                   uint32_t *predicted, uint32_t *filtered)
{
    weigh(predicted, emitting, hmm->stride, filtered);
    predict_one(hmm, predicted);
}

static uint64_t product(const uint32_t *filtered, const uint32_t *into,
                        size_t i)
{
    return (uint64_t)filtered[i] * (into == NULL ? 1 : into[i]);
}

/* sum W < 2^32 and A <= 2^28: below 2^60. */
static int posterior_shift(const uint32_t *filtered, const uint32_t *into,
                           size_t stride)
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < stride; i++)
        sum += product(filtered, into, i);
    return bbans_bit_length(sum) - BBANS_POSTERIOR_BITS;
}

static uint32_t posterior(const uint32_t *filtered, const uint32_t *into,
                          size_t stride, uint32_t *edge)
{
    const int shift = posterior_shift(filtered, into, stride);
    size_t i;

    edge[0] = 0;
    for (i = 0; i < stride; i++)
        edge[i + 1] = edge[i] + bbans_scaled(product(filtered, into, i), shift);
    return edge[stride];
}

static uint32_t interval(const uint32_t *filtered, const uint32_t *into,
                         size_t stride, size_t i, uint32_t *start,
                         uint32_t *freq)
{
    const int shift = posterior_shift(filtered, into, stride);
    uint32_t below = 0, rest = 0;
    size_t k;

    for (k = 0; k < i; k++)
        below += bbans_scaled(product(filtered, into, k), shift);
    for (; k < stride; k++)
        rest += bbans_scaled(product(filtered, into, k), shift);
    *start = below;
    *freq = bbans_scaled(product(filtered, into, i), shift);
    return below + rest;
}

static uint64_t dot(const uint32_t *weight, const uint32_t *value,
                    size_t stride)
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < stride; i++)
        sum += (uint64_t)weight[i] * value[i];
    return sum;
}

static uint32_t short_dot(const int16_t *weight, const int16_t *value,
                          size_t stride)
{
    uint32_t sum = 0;
    size_t i;

    for (i = 0; i < stride; i++) /* the sum of weights is below 2^15 */
        sum += (uint32_t)(weight[i] * value[i]);
    return sum;
}

static void upper_weights(const uint32_t *weight, size_t stride, int16_t *h)
{
    size_t i;

    for (i = 0; i < stride; i++)
        h[i] = (int16_t)(weight[i] >> 17);
}

#include "guess.h"

static size_t below(const uint8_t *number, size_t n, uint32_t other,
                    size_t *hit)
{
    const size_t all = n;
    size_t lo;

    *hit = 0;
    if (n == 0)
        return 0;
    lo = bbans_bisect_numbers(number, &n, other, 1);
    lo += bbans_load_le16(number + 2 * lo) < other;
    *hit = lo < all && bbans_load_le16(number + 2 * lo) == other;
    return lo;
}

#define CONTEXTS
#include "contexts.h"

static size_t rank(const uint32_t *edge, size_t n, uint32_t slot)
{
    return bbans_bisect(edge, &n, slot, 0);
}

const bbans_hmm_kernels bbans_hmm_portable = {.filter = filter,
                                              .weigh = weigh,
                                              .predict = predict,
                                              .posterior = posterior,
                                              .interval = interval,
                                              .dot = dot,
                                              .guess = guess,
                                              .walk = walk,
                                              .place = place,
                                              .rank = rank};
