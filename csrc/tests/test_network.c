/* Networks in integers: any network against its definition, element by element;
 * batches of any size; files; and what is refused.
 *
 * SPDX-License-Identifier: MIT */
#include "models/bbans_network.h"
#include "check.h"

#include <string.h>

#define NODES 16
#define ELEMENTS 600
#define ITEMS 29
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

static int32_t between(int32_t low, int32_t high)
{
    return (int32_t)(low + (int64_t)(random_bits() %
                                     (uint64_t)((int64_t)high - low + 1)));
}

static void random_range(bbans_node *node)
{
    static const int32_t low[] = {0, -128, INT16_MIN, INT32_MIN, -70000, 5};
    static const int32_t high[] = {255, 127, INT16_MAX, INT32_MAX, 9, 5};
    const unsigned k = below(6);

    node->low = low[k];
    node->high = high[k];
}

/* ---- Any network --------------------------------------------------------- */

static const bbans_node *any_short(const nodes *net, uint32_t *i)
{
    do
        *i = below((uint32_t)net->nodes);
    while (!bbans_is_short(net->node + *i));
    return net->node + *i;
}

static const bbans_node *any(const nodes *net, uint32_t *i)
{
    *i = below((uint32_t)net->nodes);
    return net->node + *i;
}

static void copy_shape(bbans_node *node, const bbans_node *a)
{
    node->height = a->height;
    node->width = a->width;
    node->channels = a->channels;
}

static void copy_range(bbans_node *node, const bbans_node *a)
{
    node->low = a->low;
    node->high = a->high;
}

static void random_factor(bbans_node *node, unsigned k)
{
    node->factor[k] = between(-(1 << 24) + 1, (1 << 24) - 1) >> below(20);
    node->shift = 1 + below(62);
}

/* Rows whose sums are up to the bound, or anything below it. */
static void random_rows(nodes *net, const bbans_node *a, bbans_node *node)
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
static uint32_t random_windows(bbans_node *node, unsigned axis, uint32_t size)
{
    uint32_t most;

    node->kernel[axis] = 1 + below(size < 4 ? size + 1 : 4);
    node->stride[axis] = 1 + below(3);
    node->pad[axis] = below(node->kernel[axis]);
    most = (size + node->pad[axis] - 1) / node->stride[axis] + 1;
    return 1 + below(most);
}

static int random_affine(nodes *net, bbans_node *node)
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
static int random_node(nodes *net, bbans_node *node)
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

static void random_network(nodes *net, bbans_network *network)
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

/* ---- The definition ------------------------------------------------------ */

static int64_t tensor[NODES][ELEMENTS];

static int64_t rounded(const bbans_node *node, int64_t v, unsigned shift)
{
    const int64_t divisor = (int64_t)1 << shift;
    int64_t q;

    v += divisor / 2;
    q = v / divisor - (v % divisor < 0);
    return q < node->low ? node->low : q > node->high ? node->high : q;
}

static int64_t element(const bbans_node *a, const int64_t *t, int64_t y,
                       int64_t x, size_t channel)
{
    if (y < 0 || y >= a->height || x < 0 || x >= a->width)
        return 0;
    return t[((size_t)y * a->width + (size_t)x) * a->channels + channel];
}

static int64_t affine(const bbans_node *node, const bbans_node *a,
                      const int64_t *t, size_t y, size_t x, size_t row)
{
    int64_t sum = node->bias[row];
    size_t at = row * node->kernel[0] * node->kernel[1] * a->channels, i, j, k;

    for (i = 0; i < node->kernel[0]; i++)
        for (j = 0; j < node->kernel[1]; j++)
            for (k = 0; k < a->channels; k++, at++)
                sum +=
                    (node->weight_type == BBANS_I8
                         ? ((const int8_t *)node->weight)[at]
                         : ((const int16_t *)node->weight)[at]) *
                    element(
                        a, t, (int64_t)(y * node->stride[0] + i) - node->pad[0],
                        (int64_t)(x * node->stride[1] + j) - node->pad[1], k);
    CHECK(sum >= -INT32_MAX && sum <= INT32_MAX);
    return rounded(node, sum * node->multiplier[row], node->row_shift[row]);
}

static int64_t defined(const nodes *net, const bbans_node *node, size_t y,
                       size_t x, size_t c)
{
    const bbans_node *a = net->node + node->input[0];
    const bbans_node *b = net->node + node->input[1];
    const int64_t *ta = tensor[node->input[0]], *tb = tensor[node->input[1]];
    const size_t at = (y * node->width + x) * node->channels + c;
    const size_t r = node->first;

    switch (node->op) {
    case BBANS_OP_AFFINE: return affine(node, a, ta, y, x, c);
    case BBANS_OP_SUM:
        return rounded(node,
                       ta[at] * node->factor[0] + tb[at] * node->factor[1],
                       node->shift);
    case BBANS_OP_SCALE:
        return rounded(node, ta[at] * node->factor[0], node->shift);
    case BBANS_OP_PRODUCT:
        return rounded(node, ta[at] * tb[at] * node->factor[0], node->shift);
    case BBANS_OP_CONCAT:
        return c < a->channels
                   ? element(a, ta, (int64_t)y, (int64_t)x, c)
                   : element(b, tb, (int64_t)y, (int64_t)x, c - a->channels);
    case BBANS_OP_SLICE: return element(a, ta, (int64_t)y, (int64_t)x, r + c);
    case BBANS_OP_SHUFFLE:
        return element(a, ta, (int64_t)(y / r), (int64_t)(x / r),
                       (c * r + y % r) * r + x % r);
    default: return ta[at];
    }
}

/* Fill tensor[] from those of INPUTs. */
static void run_by_definition(const nodes *net)
{
    size_t i, y, x, c;

    for (i = 0; i < net->nodes; i++) {
        const bbans_node *node = net->node + i;
        int64_t *to = tensor[i];

        if (node->op == BBANS_OP_INPUT)
            continue;
        for (y = 0; y < node->height; y++)
            for (x = 0; x < node->width; x++)
                for (c = 0; c < node->channels; c++)
                    *to++ = defined(net, node, y, x, c);
    }
}

/* ---- Tests --------------------------------------------------------------- */

static int32_t in[NODES][ITEMS * ELEMENTS], out[3][ITEMS * ELEMENTS];
static int32_t again[3][ITEMS * ELEMENTS], expected[3][ITEMS * ELEMENTS];

static const int32_t *in_of(size_t i, size_t item, const bbans_node *node)
{
    return in[i] + item * bbans_node_elements(node);
}

static void random_inputs(const nodes *net, const bbans_network *network)
{
    size_t i, k, item;

    for (item = 0; item < ITEMS; item++) {
        size_t input = 0;

        for (i = 0; i < net->nodes; i++) {
            const bbans_node *node = net->node + i;
            const size_t n = bbans_node_elements(node);

            if (node->op != BBANS_OP_INPUT)
                continue;
            CHECK(network->input[input] == i);
            for (k = 0; k < n; k++) {
                const int32_t v = below(3) == 0 ? node->low
                                  : below(2) == 0
                                      ? node->high
                                      : between(node->low, node->high);

                tensor[i][k] = in[input][item * n + k] = v;
            }
            input++;
        }
        run_by_definition(net);
        for (k = 0; k < network->outputs; k++) {
            const size_t from = network->output[k];
            const size_t n = bbans_node_elements(net->node + from);

            for (i = 0; i < n; i++)
                expected[k][item * n + i] = (int32_t)tensor[from][i];
        }
    }
}

static void check_outputs(const bbans_network *network,
                          int32_t result[3][ITEMS * ELEMENTS], size_t first,
                          size_t items)
{
    size_t k;

    for (k = 0; k < network->outputs; k++) {
        const size_t n =
            bbans_node_elements(network->node + network->output[k]);

        CHECK(memcmp(result[k], expected[k] + first * n,
                     items * n * sizeof(int32_t)) == 0);
    }
}

/* With exactly the workspace for `at_once` items. */
static void run_in(const bbans_network *network, size_t items, size_t at_once,
                   int32_t *const *output)
{
    const size_t bytes = bbans_network_work_bytes(network, at_once);
    bbans_array input[NODES];
    void *work = malloc(bytes);
    size_t k;

    CHECK(work != NULL && bytes > 0);
    for (k = 0; k < network->inputs; k++)
        input[k] = bbans_array_of(in[k], BBANS_I32);
    CHECK(bbans_network_run(network, input, items, work, bytes, output) ==
          BBANS_OK);
    free(work);
}

static void run_forward(const bbans_network *network, size_t item)
{
    int32_t *const output[3] = {again[0], again[1], again[2]};
    void *work = malloc(bbans_network_work_bytes(network, 1));
    bbans_array input[NODES];
    size_t k;

    CHECK(work != NULL);
    for (k = 0; k < network->inputs; k++)
        input[k] = bbans_array_of(
            in_of(k, item, network->node + network->input[k]), BBANS_I32);
    bbans_network_forward(network, input, work, output);
    check_outputs(network, again, item, 1);
    free(work);
}

static void write_and_read(const bbans_network *network)
{
    int32_t *const output[3] = {again[0], again[1], again[2]};
    uint8_t *bytes, *second;
    bbans_network_file file;
    void *memory;
    size_t n, used;

    CHECK(bbans_network_write(network, (uint8_t *)again, 0, &n) ==
          BBANS_ERR_CAPACITY);
    bytes = malloc(n);
    second = malloc(n);
    CHECK(bytes != NULL && second != NULL);
    CHECK(bbans_network_write(network, bytes, n, &used) == BBANS_OK);
    CHECK(used == n);
    CHECK(bbans_network_parse(&file, bytes, n) == BBANS_OK);
    n = bbans_network_memory_bytes(&file);
    memory = malloc(n);
    CHECK(memory != NULL);
    CHECK(bbans_network_build(&file, memory, n - 1) == BBANS_ERR_CAPACITY);
    CHECK(file.network == NULL);
    CHECK(bbans_network_build(&file, memory, n) == BBANS_OK);
    run_in(file.network, ITEMS, 7, output);
    check_outputs(file.network, again, 0, ITEMS);
    CHECK(bbans_network_write(file.network, second, used, &n) == BBANS_OK);
    CHECK(n == used && memcmp(bytes, second, n) == 0);
    free(memory);
    free(bytes);
    free(second);
}

static void test_any_network(void)
{
    static nodes net;
    int32_t *const output[3] = {out[0], out[1], out[2]};
    bbans_network network;
    int isa, trial;

    for (trial = 0; trial < 600; trial++) {
        random_network(&net, &network);
        random_inputs(&net, &network);
        FOR_EACH_ISA(isa)
        {
            run_in(&network, ITEMS, 1 + below(ITEMS + 5), output);
            check_outputs(&network, out, 0, ITEMS);
            run_in(&network, 1, 1, output);
            check_outputs(&network, out, 0, 1);
            run_forward(&network, below(ITEMS));
        }
        write_and_read(&network);
    }
}

int main(void)
{
    test_any_network();
    printf("test_network: ok\n");
    return 0;
}
