/* Edges of values under laws, which the others equal.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_near_normal.h"

static void near_edges(const struct bbans_near_normals *laws, const int32_t *k,
                       size_t n, uint32_t *edge)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const bbans_near_normal law = bbans_near_normals_get(laws, i);

        edge[i] = bbans_near_normal_edge(&law, k[i]);
    }
}

const bbans_laws_kernels bbans_laws_portable = {.near_edges = near_edges};
