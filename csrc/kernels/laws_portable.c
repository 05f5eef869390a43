/* Edges of values under laws, which the others equal.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_near_normal.h"
#include "../distributions/bbans_blend.h"

static void near_edges(const struct bbans_near_normals *laws, const int32_t *k,
                       size_t n, uint32_t *edge)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const bbans_near_normal law = bbans_near_normals_get(laws, i);

        edge[i] = bbans_near_normal_edge(&law, k[i]);
    }
}

static void mixture_pair(const struct bbans_blend *parts, uint32_t u,
                         uint64_t sum[2])
{
    size_t k;

    sum[0] = sum[1] = 0; /* up to 2^28 2^32 */
    for (k = 0; k < parts->n; k++) {
        const bbans_blend_part part = bbans_blend_get(parts, k);

        sum[0] += bbans_blend_below(&parts->family, &part, u);
        sum[1] += bbans_blend_below(&parts->family, &part, u + 1);
    }
}

static void mixture_edges(const struct bbans_blends *parts, const uint32_t *u,
                          uint64_t *sum)
{
    size_t i, k;

    for (i = 0; i < BBANS_BLENDS; i++) {
        sum[i] = 0;
        for (k = 0; k < parts->n; k++) {
            const bbans_blend_part part = bbans_blends_get(parts, k, i);

            sum[i] += bbans_blend_below(&parts->family, &part, u[i]);
        }
    }
}

/* Bisection on ramps instead of the family. */
static void mixture_guess(const struct bbans_blends *parts,
                          const uint32_t *slot, uint32_t *u, float *rise)
{
    const float ramp = bbans_blend_ramp(&parts->family);
    float slope[BBANS_BLEND], middle[BBANS_BLEND], weight[BBANS_BLEND];
    size_t i, k;

    for (i = 0; i < BBANS_BLENDS; i++) {
        /* twice the weight below, less the total */
        const float total = (float)parts->total[i];
        const float want = total * ((float)slot[i] * 0x1p-27f - 1);
        uint32_t low = 0, high = parts->values;
        float before = -total, behind = total;

        for (k = 0; k < parts->n; k++) {
            const bbans_blend_part part = bbans_blends_get(parts, k, i);

            /* t, in 2^-16, is the distance in 2^-16 by down 2^(-4 - shift) */
            slope[k] = (float)part.down * 4096 /
                       (ramp * (float)((uint32_t)1 << part.shift));
            middle[k] = (float)bbans_signed32(part.middle) * 0x1p-16f;
            weight[k] = (float)part.weight;
        }
        while (high - low > 1) {
            const uint32_t half = low + (high - low) / 2;
            float sum = 0;

            for (k = 0; k < parts->n; k++) {
                const float z = ((float)half - middle[k]) * slope[k];

                sum += weight[k] * (z < -1 ? -1 : z > 1 ? 1 : z);
            }
            if (sum <= want) {
                low = half;
                before = sum;
            } else {
                high = half;
                behind = sum;
            }
        }
        u[i] = low;
        rise[i] = (behind - before) / total * 0x1p27f;
    }
}

const bbans_laws_kernels bbans_laws_portable = {.near_edges = near_edges,
                                                .mixture_pair = mixture_pair,
                                                .mixture_edges = mixture_edges,
                                                .mixture_guess = mixture_guess};
