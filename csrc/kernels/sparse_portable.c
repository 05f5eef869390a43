/* The filter over sparse transitions, portable: this file defines the results.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* Bounds as in hmm_portable.c, of which this is the filter without products
 * that are 0. */
static void weigh(const uint32_t *predicted, const uint32_t *emitting,
                  size_t stride, uint32_t *filtered, int16_t *m)
{
    uint64_t sum = 0;
    int shift;
    size_t i;

    for (i = 0; i < stride; i++)
        sum += (uint64_t)predicted[i] * emitting[i];
    shift = bbans_bit_length(sum) - BBANS_FILTER_BITS;
    for (i = 0; i < stride; i++) {
        const uint32_t w =
            bbans_scaled((uint64_t)predicted[i] * emitting[i], shift);
        const uint32_t narrow = ((w >> 16) + 1) >> 1;

        filtered[i] = w;
        m[i] = (int16_t)(narrow < BBANS_SHORT_MAX ? narrow : BBANS_SHORT_MAX);
    }
}

static void predict(const bbans_sparse *sparse, const int16_t *m, size_t stride,
                    uint32_t least, uint32_t *predicted)
{
    const int16_t *mass = sparse->mass;
    uint32_t k = 0;
    size_t b, v;

    for (b = 0; b < stride / 8; b++, predicted += 8) {
        uint32_t sum[8] = {0};

        for (; k < sparse->first[b + 1]; k++, mass += 16) {
            const int16_t *w = m + 2 * sparse->pair[k];

            for (v = 0; v < 8; v++)
                sum[v] +=
                    (uint32_t)(mass[2 * v] * w[0] + mass[2 * v + 1] * w[1]);
        }
        for (v = 0; v < 8; v++)
            predicted[v] = sum[v] > least ? sum[v] : least;
    }
}

const bbans_sparse_kernels bbans_sparse_portable = {.weigh = weigh,
                                                    .predict = predict};
