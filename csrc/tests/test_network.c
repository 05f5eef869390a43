/* Networks in integers: any network against its definition, element by element;
 * batches of any size; files; and what is refused.
 *
 * SPDX-License-Identifier: MIT */
#include "random_network.h"

#define ITEMS 29

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

/* A picture of 4 x 5 in 3 channels, convolved to 2 x 3 in 2, and a vector. */
typedef struct {
    bbans_node node[4];
    int8_t weight[2][3][3][3];
    int32_t bias[2], multiplier[2];
    uint8_t shift[2];
    uint32_t output[2];
} small;

static void make_small(small *s)
{
    static const small zero;

    *s = zero;
    s->node[0].op = s->node[2].op = BBANS_OP_INPUT;
    s->node[0].height = 4;
    s->node[0].width = 5;
    s->node[0].channels = 3;
    s->node[0].high = 255;
    s->node[1].op = BBANS_OP_AFFINE;
    s->node[1].height = 2;
    s->node[1].width = 3;
    s->node[1].channels = 2;
    s->node[1].low = -9;
    s->node[1].high = INT16_MAX;
    s->node[1].kernel[0] = s->node[1].kernel[1] = 3;
    s->node[1].stride[0] = s->node[1].stride[1] = 2;
    s->node[1].pad[0] = s->node[1].pad[1] = 1;
    s->node[1].weight_type = BBANS_I8;
    s->node[1].weight = s->weight;
    s->node[1].bias = s->bias;
    s->node[1].multiplier = s->multiplier;
    s->node[1].row_shift = s->shift;
    s->shift[0] = 1;
    s->shift[1] = 62;
    s->node[2].height = 2;
    s->node[2].width = 3;
    s->node[2].channels = 2;
    s->node[2].low = INT16_MIN;
    s->node[2].high = INT16_MAX;
    s->node[3] = s->node[2];
    s->node[3].op = BBANS_OP_PRODUCT;
    s->node[3].input[0] = 1;
    s->node[3].input[1] = 2;
    s->node[3].factor[0] = -1;
    s->node[3].shift = 1;
    s->output[0] = 3;
    s->output[1] = 1;
}

static bbans_status init_small(small *s)
{
    bbans_network network;

    return bbans_network_init(&network, s->node, 4, s->output, 2);
}

#define REFUSED(...)                                                           \
    do {                                                                       \
        small s;                                                               \
        bbans_node *const node = s.node;                                       \
        make_small(&s);                                                        \
        CHECK(init_small(&s) == BBANS_OK);                                     \
        __VA_ARGS__;                                                           \
        (void)node;                                                            \
        CHECK(init_small(&s) == BBANS_ERR_TABLE);                              \
    } while (0)
#define TAKEN(...)                                                             \
    do {                                                                       \
        small s;                                                               \
        bbans_node *const node = s.node;                                       \
        make_small(&s);                                                        \
        __VA_ARGS__;                                                           \
        (void)node;                                                            \
        CHECK(init_small(&s) == BBANS_OK);                                     \
    } while (0)

static void test_what_is_refused(void)
{
    size_t k;

    REFUSED(node[0].op = 0);
    REFUSED(node[0].op = 10);
    REFUSED(node[0].op = -1);
    REFUSED(node[0].height = 0);
    REFUSED(node[0].width = 0);
    REFUSED(node[0].channels = 0);
    REFUSED(node[2].high = -32769);
    REFUSED(node[0].height = node[0].width = 1u << 16);
    REFUSED(node[0].channels = UINT32_MAX);
    REFUSED(s.output[1] = 4);
    /* What has no use must be 0. */
    REFUSED(node[0].input[0] = 1);
    REFUSED(node[1].input[1] = 1);
    REFUSED(node[1].factor[0] = 1);
    REFUSED(node[3].factor[1] = 1);
    REFUSED(node[1].shift = 1);
    REFUSED(node[3].first = 1);
    REFUSED(node[3].kernel[1] = 1);
    REFUSED(node[3].stride[0] = 1);
    REFUSED(node[3].pad[1] = 1);
    REFUSED(node[3].weight_type = BBANS_I8);
    /* Nodes take those before them. */
    REFUSED(node[3].input[1] = 3);
    REFUSED(node[3].input[1] = UINT32_MAX);
    REFUSED(node[1].input[0] = 1);
    /* Windows. */
    for (k = 0; k < 2; k++) {
        REFUSED(node[1].kernel[k] = 0);
        REFUSED(node[1].stride[k] = 0);
        REFUSED(node[1].pad[k] = 3);
        REFUSED(node[1].kernel[k] = UINT32_MAX);
        REFUSED(node[1].stride[k] = k == 0 ? 5 : 3);
        TAKEN(node[1].stride[k] = k == 0 ? 4 : 2);
        REFUSED(node[1].stride[k] = UINT32_MAX);
    }
    REFUSED(node[1].weight_type = 0);
    REFUSED(node[1].weight_type = BBANS_I32);
    REFUSED(node[1].weight = NULL);
    REFUSED(node[1].bias = NULL);
    REFUSED(node[1].multiplier = NULL);
    REFUSED(node[1].row_shift = NULL);
    /* Ranges that are not short. */
    REFUSED(node[0].high = 32768);
    REFUSED(node[2].low = -32769);
    TAKEN(node[3].low = INT32_MIN);
    /* Rows. */
    for (k = 0; k < 2; k++) {
        REFUSED(s.multiplier[k] = -1);
        REFUSED(s.multiplier[k] = 1 << 24);
        TAKEN(s.multiplier[k] = (1 << 24) - 1);
        REFUSED(s.shift[k] = 0);
        REFUSED(s.shift[k] = 63);
        /* At the bound of the proof, and one beyond. */
        TAKEN(s.bias[k] = INT32_MAX);
        TAKEN(s.bias[k] = -INT32_MAX);
        REFUSED(s.bias[k] = INT32_MIN);
        TAKEN(s.weight[k][2][2][2] = -128; s.bias[k] = INT32_MAX - 128 * 255);
        REFUSED(s.weight[k][2][2][2] = -128;
                s.bias[k] = INT32_MAX - 128 * 255 + 1);
        REFUSED(s.weight[k][0][0][0] = 1; node[0].low = -256;
                s.bias[k] = INT32_MAX - 255);
    }
    /* Factors. */
    REFUSED(node[3].shift = 0);
    REFUSED(node[3].shift = 63);
    REFUSED(node[3].factor[0] = 1 << 24);
    REFUSED(node[3].factor[0] = -(1 << 24));
    TAKEN(node[3].factor[0] = 1 - (1 << 24));
    REFUSED(node[3].channels = 1);
    REFUSED(node[2].width = 2);
    TAKEN(node[3].op = BBANS_OP_SUM; node[3].factor[1] = 1);
    REFUSED(node[3].op = BBANS_OP_SUM; node[3].channels = 1);
    TAKEN(node[3].op = BBANS_OP_SCALE; node[3].input[1] = 0);
    REFUSED(node[3].op = BBANS_OP_SCALE; node[3].input[1] = 0;
            node[3].height = 1);
}

/* Node 3 of the small network, of these numbers, on the node of 2 x 3 x 2, or
 * two. */
#define MOVES(status, the_op, h, w, c, the_first)                              \
    do {                                                                       \
        small s;                                                               \
        make_small(&s);                                                        \
        s.node[3].op = (the_op);                                               \
        s.node[3].height = (h);                                                \
        s.node[3].width = (w);                                                 \
        s.node[3].channels = (c);                                              \
        s.node[3].first = (the_first);                                         \
        s.node[3].factor[0] = 0;                                               \
        s.node[3].shift = 0;                                                   \
        s.node[3].input[0] = 2;                                                \
        s.node[3].input[1] = (the_op) == BBANS_OP_CONCAT;                      \
        CHECK(init_small(&s) == (status));                                     \
        s.node[3].high--;                                                      \
        CHECK(init_small(&s) == BBANS_ERR_TABLE);                              \
    } while (0)

static void test_moves(void)
{
    const bbans_status bad = BBANS_ERR_TABLE;

    MOVES(BBANS_OK, BBANS_OP_CONCAT, 2, 3, 4, 0);
    MOVES(bad, BBANS_OP_CONCAT, 2, 3, 3, 0);
    MOVES(bad, BBANS_OP_CONCAT, 3, 2, 4, 0);
    MOVES(BBANS_OK, BBANS_OP_SLICE, 2, 3, 1, 1);
    MOVES(bad, BBANS_OP_SLICE, 2, 3, 2, 1);
    MOVES(bad, BBANS_OP_SLICE, 2, 2, 1, 1);
    MOVES(bad, BBANS_OP_SLICE, 2, 3, 1, UINT32_MAX);
    MOVES(BBANS_OK, BBANS_OP_SHUFFLE, 2, 3, 2, 1);
    MOVES(bad, BBANS_OP_SHUFFLE, 2, 3, 2, 0);
    MOVES(bad, BBANS_OP_SHUFFLE, 4, 6, 1, 2);
    MOVES(bad, BBANS_OP_SHUFFLE, 2, 3, 2, UINT32_MAX);
    MOVES(BBANS_OK, BBANS_OP_RESHAPE, 1, 1, 12, 0);
    MOVES(bad, BBANS_OP_RESHAPE, 1, 1, 11, 0);
}

static void test_counts(void)
{
    static bbans_node node[BBANS_NODES_MAX + 1];
    static uint32_t output[BBANS_NETWORK_OUTPUTS_MAX + 1];
    bbans_network network;
    size_t i;

    for (i = 0; i <= BBANS_NODES_MAX; i++) {
        node[i].op =
            i < BBANS_NETWORK_INPUTS_MAX ? BBANS_OP_INPUT : BBANS_OP_RESHAPE;
        node[i].height = node[i].width = node[i].channels = 1;
    }
    CHECK(bbans_network_init(&network, node, BBANS_NODES_MAX, output,
                             BBANS_NETWORK_OUTPUTS_MAX) == BBANS_OK);
    CHECK(network.inputs == BBANS_NETWORK_INPUTS_MAX);
    CHECK(bbans_network_init(&network, node, BBANS_NODES_MAX + 1, output, 1) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_network_init(&network, node, 0, output, 1) == BBANS_ERR_SIZE);
    CHECK(bbans_network_init(&network, node, 9, output, 0) == BBANS_ERR_SIZE);
    CHECK(bbans_network_init(&network, node, 9, output,
                             BBANS_NETWORK_OUTPUTS_MAX + 1) == BBANS_ERR_SIZE);
    node[BBANS_NETWORK_INPUTS_MAX].op = BBANS_OP_INPUT;
    CHECK(bbans_network_init(&network, node, 99, output, 1) == BBANS_ERR_SIZE);
    CHECK(bbans_network_init(NULL, node, 1, output, 1) == BBANS_ERR_NULL);
    CHECK(bbans_network_init(&network, NULL, 1, output, 1) == BBANS_ERR_NULL);
    CHECK(bbans_network_init(&network, node, 1, NULL, 1) == BBANS_ERR_NULL);
}

/* ---- Running ------------------------------------------------------------- */

/* The identity on 0 .. 200. */
static void identity(bbans_network *network, bbans_node node[2])
{
    static const uint32_t output[1] = {1};

    memset(node, 0, 2 * sizeof *node);
    node[0].op = BBANS_OP_INPUT;
    node[0].height = node[0].width = 1;
    node[0].channels = 3;
    node[0].low = -3;
    node[0].high = 200;
    node[1] = node[0];
    node[1].op = BBANS_OP_SCALE;
    node[1].factor[0] = 2;
    node[1].shift = 1;
    CHECK(bbans_network_init(network, node, 2, output, 1) == BBANS_OK);
}

#define RUNS(status, c_type, type, x)                                          \
    do {                                                                       \
        const c_type v[6] = {0, 1, 100, 2, (x), 3};                            \
        const bbans_array given = bbans_array_of(v, (type));                   \
        CHECK(bbans_network_run(&network, &given, 2, work, bytes, output) ==   \
              (status));                                                       \
        if ((status) == BBANS_OK)                                              \
            CHECK(result[2] == 100 && result[4] == (int32_t)(x) &&             \
                  result[5] == 3);                                             \
    } while (0)

static void test_types_of_inputs(void)
{
    int32_t result[6], *const output[1] = {result};
    bbans_network network;
    bbans_node node[2];
    bbans_array input;
    size_t bytes;
    void *work;

    identity(&network, node);
    bytes = bbans_network_work_bytes(&network, 2);
    work = malloc(bytes);
    CHECK(work != NULL);
    RUNS(BBANS_OK, uint8_t, BBANS_U8, 200);
    RUNS(BBANS_OK, uint16_t, BBANS_U16, 200);
    RUNS(BBANS_OK, uint32_t, BBANS_U32, 200);
    RUNS(BBANS_OK, uint64_t, BBANS_U64, 200);
    RUNS(BBANS_OK, int8_t, BBANS_I8, -3);
    RUNS(BBANS_OK, int16_t, BBANS_I16, -3);
    RUNS(BBANS_OK, int32_t, BBANS_I32, -3);
    RUNS(BBANS_OK, int64_t, BBANS_I64, -3);
    RUNS(BBANS_ERR_SYMBOL, uint8_t, BBANS_U8, 201);
    RUNS(BBANS_ERR_SYMBOL, uint16_t, BBANS_U16, 201);
    RUNS(BBANS_ERR_SYMBOL, uint32_t, BBANS_U32, UINT32_MAX);
    RUNS(BBANS_ERR_SYMBOL, uint64_t, BBANS_U64, UINT64_MAX); /* not -1 */
    RUNS(BBANS_ERR_SYMBOL, uint64_t, BBANS_U64, (uint64_t)1 << 32);
    RUNS(BBANS_ERR_SYMBOL, int8_t, BBANS_I8, -4);
    RUNS(BBANS_ERR_SYMBOL, int16_t, BBANS_I16, -4);
    RUNS(BBANS_ERR_SYMBOL, int32_t, BBANS_I32, INT32_MIN);
    RUNS(BBANS_ERR_SYMBOL, int64_t, BBANS_I64, INT64_MIN);
    RUNS(BBANS_ERR_TYPE, float, BBANS_F32, 1);
    RUNS(BBANS_ERR_TYPE, uint8_t, 3, 1);
    input = bbans_array_of(NULL, BBANS_U8);
    CHECK(bbans_network_run(&network, &input, 1, work, bytes, output) ==
          BBANS_ERR_NULL);
    CHECK(bbans_network_run(&network, &input, 0, work, bytes, output) ==
          BBANS_OK);
    bytes = bbans_network_work_bytes(&network, 1);
    CHECK(bbans_network_run(&network, &input, 0, work, bytes - 1, output) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_network_work_bytes(&network, SIZE_MAX) == 0);
    CHECK(bbans_network_work_bytes(&network, SIZE_MAX / 64) == 0);
    CHECK(bbans_network_work_bytes(NULL, 1) == 0);
    free(work);
}

/* A chain of layers needs room for two tensors, however long it is. */
static void test_tensors_share_memory(void)
{
    static const uint32_t output[1] = {999};
    static bbans_node node[1000];
    bbans_network network;
    size_t i;

    for (i = 0; i < 1000; i++) {
        node[i].op = i == 0 ? BBANS_OP_INPUT : BBANS_OP_SCALE;
        node[i].height = node[i].width = 1;
        node[i].channels = 1024;
        node[i].high = 255;
        node[i].input[0] = (uint32_t)(i == 0 ? 0 : i - 1);
        node[i].factor[0] = i > 0;
        node[i].shift = i > 0;
    }
    CHECK(bbans_network_init(&network, node, 1000, output, 1) == BBANS_OK);
    CHECK(network.tensor_bytes == 2 * 2048);
}

int main(void)
{
    test_any_network();
    test_what_is_refused();
    test_moves();
    test_counts();
    test_types_of_inputs();
    test_tensors_share_memory();
    printf("test_network: ok\n");
    return 0;
}
