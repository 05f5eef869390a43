/* Any network, for tests.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_TESTS_RANDOM_NETWORK_H
#define BBANS_TESTS_RANDOM_NETWORK_H

#include "../models/bbans_network.h"
#include "check.h"

#include <string.h>

#define NODES 16
#define ELEMENTS 600
#define LENGTH 300

/* A network and its arrays. */
typedef struct {
    bbans_node node[NODES];
    size_t nodes;
    uint32_t output[3];
    int8_t w8[NODES][8192];
    int16_t w16[NODES][8192];
    int32_t bias[NODES][64], multiplier[NODES][64];
    uint8_t shift[NODES][64];
} nodes;

static inline int32_t between(int32_t low, int32_t high)
{
    return (int32_t)(low + (int64_t)(random_bits() %
                                     (uint64_t)((int64_t)high - low + 1)));
}

static inline void random_range(bbans_node *node)
{
    static const int32_t low[] = {0, -128, INT16_MIN, INT32_MIN, -70000, 5};
    static const int32_t high[] = {255, 127, INT16_MAX, INT32_MAX, 9, 5};
    const unsigned k = below(6);

    node->low = low[k];
    node->high = high[k];
}

static inline const bbans_node *any_short(const nodes *net, uint32_t *i)
{
    do
        *i = below((uint32_t)net->nodes);
    while (!bbans_is_short(net->node + *i));
    return net->node + *i;
}

static inline const bbans_node *any(const nodes *net, uint32_t *i)
{
    *i = below((uint32_t)net->nodes);
    return net->node + *i;
}

static inline void copy_shape(bbans_node *node, const bbans_node *a)
{
    node->height = a->height;
    node->width = a->width;
    node->channels = a->channels;
}

static inline void copy_range(bbans_node *node, const bbans_node *a)
{
    node->low = a->low;
    node->high = a->high;
}

static inline void random_factor(bbans_node *node, unsigned k)
{
    node->factor[k] = between(-(1 << 24) + 1, (1 << 24) - 1) >> below(20);
    node->shift = 1 + below(62);
}

/* Rows whose sums are up to the bound, or anything below it. */
static inline void random_rows(nodes *net, const bbans_node *a,
                               bbans_node *node)
{
    const size_t n = net->nodes;
    const size_t length = bbans_node_length(node, net->node);
    const int64_t largest =
        -(int64_t)a->low > a->high ? -(int64_t)a->low : (int64_t)a->high;
    size_t row, k;

    node->weight_type = below(2) ? BBANS_I8 : BBANS_I16;
    for (row = 0; row < node->channels; row++) {
        int64_t left = INT32_MAX;

        for (k = 0; k < length; k++) {
            const int64_t top = node->weight_type == BBANS_I8 ? 128 : 32768;
            const int64_t room = largest == 0 ? top : left / largest;
            const int64_t most = room < top ? room : top;
            const int32_t v = most == 0 || below(4) == 0
                                  ? (int32_t)-most
                                  : between((int32_t)-most, (int32_t)most - 1) /
                                        (length > 20 ? 1 << below(9) : 1);

            net->w8[n][row * length + k] = (int8_t)v;
            net->w16[n][row * length + k] = (int16_t)v;
            left -= (v < 0 ? -(int64_t)v : v) * largest;
        }
        net->bias[n][row] = below(2) ? (int32_t)left : -(int32_t)left;
        if (below(2))
            net->bias[n][row] = between((int32_t)-left, (int32_t)left);
        net->multiplier[n][row] = between(0, (1 << 24) - 1) >> below(24);
        net->shift[n][row] = (uint8_t)(1 + below(below(2) ? 62 : 30));
    }
    if (node->weight_type == BBANS_I8)
        node->weight = net->w8[n];
    else
        node->weight = net->w16[n];
    node->bias = net->bias[n];
    node->multiplier = net->multiplier[n];
    node->row_shift = net->shift[n];
}

/* Windows along one axis; returns how many. */
static inline uint32_t random_windows(bbans_node *node, unsigned axis,
                                      uint32_t size)
{
    uint32_t most;

    node->kernel[axis] = 1 + below(size < 4 ? size + 1 : 4);
    node->stride[axis] = 1 + below(3);
    node->pad[axis] = below(node->kernel[axis]);
    most = (size + node->pad[axis] - 1) / node->stride[axis] + 1;
    return 1 + below(most);
}

static inline int random_affine(nodes *net, bbans_node *node)
{
    const bbans_node *a = any_short(net, node->input);
    const unsigned kind = below(3);

    random_range(node);
    node->height = node->width = 1;
    node->kernel[0] = node->kernel[1] = 1;
    node->stride[0] = node->stride[1] = 1;
    if (kind == 0) { /* dense */
        node->kernel[0] = a->height;
        node->kernel[1] = a->width;
    } else if (kind == 1) {
        node->height = a->height;
        node->width = a->width;
    } else {
        node->height = random_windows(node, 0, a->height);
        node->width = random_windows(node, 1, a->width);
    }
    node->channels = 1 + below(20);
    if (bbans_node_length(node, net->node) > LENGTH)
        return 0;
    random_rows(net, a, node);
    return 1;
}

/* Make a node; 0 if these numbers do not fit. */
static inline int random_node(nodes *net, bbans_node *node)
{
    const bbans_node *a, *b;

    memset(node, 0, sizeof *node);
    node->op = net->nodes == 0 ? BBANS_OP_INPUT : 1 + (int)below(9);
    switch (node->op) {
    case BBANS_OP_INPUT:
        node->height = 1 + below(6);
        node->width = 1 + below(6);
        node->channels = 1 + below(9);
        random_range(node);
        if (net->nodes == 0)
            node->low = -(node->high = INT16_MAX);
        return 1;
    case BBANS_OP_AFFINE: return random_affine(net, node);
    case BBANS_OP_SUM:
    case BBANS_OP_PRODUCT:
        a = node->op == BBANS_OP_SUM ? any(net, node->input)
                                     : any_short(net, node->input);
        b = node->op == BBANS_OP_SUM ? any(net, node->input + 1)
                                     : any_short(net, node->input + 1);
        copy_shape(node, a);
        random_range(node);
        random_factor(node, 0);
        if (node->op == BBANS_OP_SUM)
            random_factor(node, 1);
        return a->height == b->height && a->width == b->width &&
               a->channels == b->channels;
    case BBANS_OP_SCALE:
        copy_shape(node, any(net, node->input));
        random_range(node);
        random_factor(node, 0);
        return 1;
    case BBANS_OP_CONCAT:
        a = any(net, node->input);
        b = any(net, node->input + 1);
        copy_shape(node, a);
        node->channels += b->channels;
        node->low = a->low < b->low ? a->low : b->low;
        node->high = a->high > b->high ? a->high : b->high;
        return a->height == b->height && a->width == b->width;
    case BBANS_OP_SLICE:
        a = any(net, node->input);
        copy_shape(node, a);
        copy_range(node, a);
        node->first = below(a->channels);
        node->channels = 1 + below(a->channels - node->first);
        return 1;
    case BBANS_OP_SHUFFLE:
        a = any(net, node->input);
        copy_range(node, a);
        node->first = 1 + below(3);
        node->height = a->height * node->first;
        node->width = a->width * node->first;
        node->channels = a->channels / node->first / node->first;
        return node->channels * node->first * node->first == a->channels;
    default:
        a = any(net, node->input);
        copy_range(node, a);
        node->height = 1;
        node->width = below(2) ? a->channels : a->width;
        node->channels = (uint32_t)(bbans_node_elements(a) / node->width);
        return 1;
    }
}

static inline void random_network(nodes *net, bbans_network *network)
{
    const size_t n = 1 + below(NODES);
    size_t k;

    net->nodes = 0;
    while (net->nodes < n)
        if (random_node(net, net->node + net->nodes) &&
            bbans_node_elements(net->node + net->nodes) <= ELEMENTS)
            net->nodes++;
    for (k = 0; k < 3; k++)
        net->output[k] = below((uint32_t)n);
    CHECK(bbans_network_init(network, net->node, n, net->output,
                             1 + below(3)) == BBANS_OK);
}

#endif
