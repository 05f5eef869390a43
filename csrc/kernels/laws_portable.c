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
        sum[0] += bbans_blend_below(parts, k, u);
        sum[1] += bbans_blend_below(parts, k, u + 1);
    }
}

const bbans_laws_kernels bbans_laws_portable = {.near_edges = near_edges,
                                                .mixture_pair = mixture_pair};
