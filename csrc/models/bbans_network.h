/* Private to csrc/: networks as models use them.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_NETWORK_H
#define BBANS_NETWORK_H

#include "../bbans_internal.h"

/* Elements of a tensor, and weights of a row of an AFFINE. */
static inline size_t bbans_node_elements(const bbans_node *node)
{
    return (size_t)node->height * node->width * node->channels;
}

static inline size_t bbans_node_length(const bbans_node *node,
                                       const bbans_node *nodes)
{
    return (size_t)node->kernel[0] * node->kernel[1] *
           nodes[node->input[0]].channels;
}

/* Run a network on one item, whose elements, of any type but U64, are first
 * clipped to the ranges of their INPUTs.  Trusts its arguments: `work` has
 * bbans_network_work_bytes(network, 1) bytes, of any alignment. */
void bbans_network_forward(const bbans_network *network,
                           const bbans_array *input, void *work,
                           int32_t *const *output);

#endif
