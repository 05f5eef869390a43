/* Networks in integers: what is one, and how it runs.  docs/maths.md, "Networks
 * in integers".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_network.h"

#define NONE UINT32_MAX

/* CHUNK elements are widened at a time.  Windows that do not lie in a row are
 * copied to a block of PATCH_BYTES, for kernels to read them from the first
 * cache; but of TILE windows at least, since kernels take several at once.
 * Devices have no such cache, and little stack. */
#ifdef BBANS_PORTABLE
#define CHUNK 32
#define TILE 1
#define PATCH_BYTES 0
#else
#define CHUNK 256
#define TILE 12
#define PATCH_BYTES 16384
#endif

/* ---- What is a network --------------------------------------------------- */

/* What the operations use of a node. */
static const struct {
    unsigned inputs, factors;
    int weights, first;
} uses[] = {[BBANS_OP_INPUT] = {.inputs = 0},
            [BBANS_OP_AFFINE] = {.inputs = 1, .weights = 1},
            [BBANS_OP_SUM] = {.inputs = 2, .factors = 2},
            [BBANS_OP_SCALE] = {.inputs = 1, .factors = 1},
            [BBANS_OP_PRODUCT] = {.inputs = 2, .factors = 1},
            [BBANS_OP_CONCAT] = {.inputs = 2},
            [BBANS_OP_SLICE] = {.inputs = 1, .first = 1},
            [BBANS_OP_SHUFFLE] = {.inputs = 1, .first = 1},
            [BBANS_OP_RESHAPE] = {.inputs = 1}};

static int unused_are_0(const bbans_node *node)
{
    unsigned k;

    for (k = 0; k < 2; k++)
        if ((k >= uses[node->op].inputs && node->input[k] != 0) ||
            (k >= uses[node->op].factors && node->factor[k] != 0) ||
            (!uses[node->op].weights &&
             (node->kernel[k] | node->stride[k] | node->pad[k]) != 0))
            return 0;
    return (uses[node->op].factors > 0 || node->shift == 0) &&
           (uses[node->op].first || node->first == 0) &&
           (uses[node->op].weights || node->weight_type == 0);
}

static int shape_is_valid(const bbans_node *node)
{
    uint64_t n = node->height;

    if (node->height < 1 || node->width < 1 || node->channels < 1)
        return 0;
    n *= node->width; /* each below 2^32; then at most 2^24 before the next */
    return n <= BBANS_TENSOR_MAX && n * node->channels <= BBANS_TENSOR_MAX;
}

static int same_shape(const bbans_node *a, const bbans_node *b)
{
    return a->height == b->height && a->width == b->width &&
           a->channels == b->channels;
}

static int same_range(const bbans_node *a, const bbans_node *b)
{
    return a->low == b->low && a->high == b->high;
}

/* Along one axis: all windows, the first and the last suffice, have a part of
 * the `size` elements. */
static int windows_are_valid(const bbans_node *node, unsigned axis,
                             uint32_t size, uint32_t windows)
{
    return node->kernel[axis] >= 1 && node->stride[axis] >= 1 &&
           node->kernel[axis] > node->pad[axis] &&
           (uint64_t)(windows - 1) * node->stride[axis] <
               (uint64_t)size + node->pad[axis];
}

static uint32_t magnitude(int32_t v)
{
    return v < 0 ? 0u - (uint32_t)v : (uint32_t)v;
}

/* No sum of the row overflows: |bias| + sum |w| max |a| < 2^31. */
static int row_is_valid(const bbans_node *node, size_t row, size_t length,
                        uint32_t largest)
{
    const int8_t *w8 = (const int8_t *)node->weight + row * length;
    const int16_t *w16 = (const int16_t *)node->weight + row * length;
    uint64_t sum = 0; /* at most 2^20 2^15; with |a| <= 2^15 below 2^51 */
    size_t k;

    if (node->multiplier[row] < 0 || node->multiplier[row] >> 24 != 0 ||
        node->row_shift[row] < 1 || node->row_shift[row] > 62)
        return 0;
    for (k = 0; k < length; k++)
        sum += magnitude(node->weight_type == BBANS_I8 ? w8[k] : w16[k]);
    return magnitude(node->bias[row]) + sum * largest < (uint64_t)1 << 31;
}

static int affine_is_valid(const bbans_node *node, const bbans_node *a)
{
    const uint32_t low = magnitude(a->low), high = magnitude(a->high);
    uint64_t length = node->kernel[0];
    size_t row;

    length *= node->kernel[1];
    if (!bbans_is_short(a) ||
        !windows_are_valid(node, 0, a->height, node->height) ||
        !windows_are_valid(node, 1, a->width, node->width) ||
        (node->weight_type != BBANS_I8 && node->weight_type != BBANS_I16) ||
        length > BBANS_AFFINE_LENGTH_MAX ||
        length * a->channels > BBANS_AFFINE_LENGTH_MAX ||
        node->weight == NULL || node->bias == NULL ||
        node->multiplier == NULL || node->row_shift == NULL)
        return 0;
    for (row = 0; row < node->channels; row++)
        if (!row_is_valid(node, row, (size_t)length * a->channels,
                          low > high ? low : high))
            return 0;
    return 1;
}

static int shuffle_is_valid(const bbans_node *node, const bbans_node *a)
{
    const uint64_t r = node->first;

    return r >= 1 && r <= BBANS_TENSOR_MAX && node->height == r * a->height &&
           node->width == r * a->width &&
           a->channels == r * r * node->channels && same_range(node, a);
}

static int32_t least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t most(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

static int node_is_valid(const bbans_node *nodes, size_t i)
{
    const bbans_node *node = nodes + i, *a, *b;
    unsigned k;

    if (node->op < BBANS_OP_INPUT || node->op > BBANS_OP_RESHAPE ||
        !shape_is_valid(node) || node->low > node->high || !unused_are_0(node))
        return 0;
    for (k = 0; k < uses[node->op].inputs; k++)
        if (node->input[k] >= i)
            return 0;
    for (k = 0; k < uses[node->op].factors; k++)
        if (magnitude(node->factor[k]) >> 24 != 0 || node->shift < 1 ||
            node->shift > 62)
            return 0;
    a = nodes + node->input[0]; /* itself, for the first; then not read */
    b = nodes + node->input[1];
    switch (node->op) {
    case BBANS_OP_INPUT: return 1;
    case BBANS_OP_AFFINE: return affine_is_valid(node, a);
    case BBANS_OP_SUM: return same_shape(node, a) && same_shape(node, b);
    case BBANS_OP_SCALE: return same_shape(node, a);
    case BBANS_OP_PRODUCT:
        return same_shape(node, a) && same_shape(node, b) &&
               bbans_is_short(a) && bbans_is_short(b);
    case BBANS_OP_CONCAT:
        return node->height == a->height && node->height == b->height &&
               node->width == a->width && node->width == b->width &&
               node->channels == (uint64_t)a->channels + b->channels &&
               node->low == least(a->low, b->low) &&
               node->high == most(a->high, b->high);
    case BBANS_OP_SLICE:
        return node->height == a->height && node->width == a->width &&
               (uint64_t)node->first + node->channels <= a->channels &&
               same_range(node, a);
    case BBANS_OP_SHUFFLE: return shuffle_is_valid(node, a);
    default:
        return bbans_node_elements(node) == bbans_node_elements(a) &&
               same_range(node, a);
    }
}

/* ---- Where tensors are --------------------------------------------------- */

static size_t element_bytes(const bbans_node *node)
{
    return bbans_is_short(node) ? sizeof(int16_t) : sizeof(int32_t);
}

static size_t tensor_bytes(const bbans_node *node)
{
    const size_t bytes = bbans_node_elements(node) * element_bytes(node);

    return (bytes + BBANS_ALIGNMENT - 1) / BBANS_ALIGNMENT * BBANS_ALIGNMENT;
}

/* A RESHAPE's tensor is that of its input: all such have one root, in use up
 * to node `last`. */
static void find_uses(bbans_network *network, bbans_node *node)
{
    uint32_t i;
    unsigned k;

    for (i = 0; i < network->nodes; i++) {
        bbans_node *const own = node + i;

        own->own.root =
            own->op == BBANS_OP_RESHAPE ? node[own->input[0]].own.root : i;
        own->own.last = i;
        for (k = 0; k < uses[own->op].inputs; k++)
            node[node[own->input[k]].own.root].own.last = i;
    }
    for (i = 0; i < network->outputs; i++)
        node[node[network->output[i]].own.root].own.last = NONE;
}

/* Each tensor gets the lowest place that is free from when it is made until it
 * was last read.  Those in use are a list, in the order of their places. */
static void place_tensors(bbans_network *network, bbans_node *node)
{
    uint32_t first = NONE, i;

    for (i = 0; i < network->nodes; i++) {
        const size_t bytes = tensor_bytes(node + i);
        uint32_t *link = &first, *gap = NULL;
        uint64_t place = 0; /* in all at most 2^10 tensors of 2^26 bytes */

        if (node[i].own.root != i)
            continue;
        while (*link != NONE) {
            bbans_node *const used = node + *link;

            if (used->own.last < i) {
                *link = used->own.next;
                continue;
            }
            if (gap == NULL && used->own.place - place >= bytes)
                gap = link; /* stays: *used does */
            if (gap == NULL)
                place = used->own.place + tensor_bytes(used);
            link = &used->own.next;
        }
        if (gap == NULL)
            gap = link;
        node[i].own.place = place;
        node[i].own.next = *gap;
        *gap = i;
        if (network->tensor_bytes < place + bytes)
            network->tensor_bytes = place + bytes;
    }
}

/* Do the windows lie in a row, one after the other, as the elements do?  Those
 * of dense layers do, and single elements. */
static int windows_are_in_place(const bbans_node *node, const bbans_node *a)
{
    const int whole = node->height == 1 && node->width == 1 &&
                      node->kernel[0] == a->height &&
                      node->kernel[1] == a->width;
    const int single = node->height == a->height && node->width == a->width &&
                       node->kernel[0] == 1 && node->kernel[1] == 1 &&
                       node->stride[0] == 1 && node->stride[1] == 1;

    return (node->pad[0] | node->pad[1]) == 0 && (whole || single);
}

/* How many windows of this many elements a kernel gets at once. */
static size_t windows_at_once(size_t length)
{
    const size_t n = PATCH_BYTES / (2 * length) / TILE * TILE;

    return n < TILE ? TILE : n;
}

bbans_status bbans_network_init(bbans_network *network, bbans_node *node,
                                size_t nodes, const uint32_t *output,
                                size_t outputs)
{
    bbans_network net;
    size_t i;

    if (network == NULL || node == NULL || output == NULL)
        return BBANS_ERR_NULL;
    if (nodes < 1 || nodes > BBANS_NODES_MAX || outputs < 1 ||
        outputs > BBANS_NETWORK_OUTPUTS_MAX)
        return BBANS_ERR_SIZE;
    memset(&net, 0, sizeof net);
    net.node = node;
    net.nodes = nodes;
    net.outputs = outputs;
    for (i = 0; i < nodes; i++) {
        if (!node_is_valid(node, i))
            return BBANS_ERR_TABLE;
        if (node[i].op == BBANS_OP_INPUT) {
            if (net.inputs == BBANS_NETWORK_INPUTS_MAX)
                return BBANS_ERR_SIZE;
            net.input[net.inputs++] = (uint32_t)i;
        }
        if (node[i].op == BBANS_OP_AFFINE) {
            const size_t length = bbans_node_length(node + i, node);
            const uint64_t bytes =
                2 * (uint64_t)length * windows_at_once(length) + BBANS_SLACK;

            net.products += (uint64_t)length * bbans_node_elements(node + i);
            if (!windows_are_in_place(node + i, node + node[i].input[0]) &&
                bytes > net.patch_bytes)
                net.patch_bytes = bytes;
        }
    }
    for (i = 0; i < outputs; i++) {
        if (output[i] >= nodes)
            return BBANS_ERR_TABLE;
        net.output[i] = output[i];
    }
    net.patch_bytes = (net.patch_bytes + BBANS_ALIGNMENT - 1) /
                      BBANS_ALIGNMENT * BBANS_ALIGNMENT;
    find_uses(&net, node);
    place_tensors(&net, node);
    *network = net;
    return BBANS_OK;
}

/* ---- Running it ---------------------------------------------------------- */

/* A run on some items: tensors are [items][height][width][channels]. */
typedef struct {
    const bbans_network *network;
    const bbans_array *input;
    int32_t *const *output;
    int16_t *patches;
    uint8_t *tensors;
    size_t first, items; /* of the caller's */
} run;

static void *tensor(const run *r, size_t i)
{
    const bbans_node *node = r->network->node;

    return r->tensors + (size_t)node[node[i].own.root].own.place * r->items;
}

static const bbans_node *input_of(const run *r, const bbans_node *node,
                                  unsigned k)
{
    return r->network->node + node->input[k];
}

/* Elements as they are, or widened to scratch [n]. */
static const int32_t *read(const void *tensor, int is_short, size_t first,
                           size_t n, int32_t *scratch)
{
    const int16_t *from = (const int16_t *)tensor + first;
    size_t i;

    if (!is_short)
        return (const int32_t *)tensor + first;
    for (i = 0; i < n; i++)
        scratch[i] = from[i];
    return scratch;
}

static void write(void *tensor, int is_short, size_t first, size_t n,
                  const int32_t *value)
{
    int16_t *to = (int16_t *)tensor + first;
    size_t i;

    if (is_short)
        for (i = 0; i < n; i++)
            to[i] = (int16_t)value[i];
    else
        memcpy((int32_t *)tensor + first, value, n * sizeof *value);
}

/* Elements first .. first + n - 1 of an input, clipped to the node's range.
 * Returns whether they were within it.  What is common is for compilers to
 * vectorise. */
static int clip_elements(const bbans_node *node, const bbans_array *input,
                         size_t first, size_t n, int32_t *clipped)
{
    const int32_t low = node->low, high = node->high;
    int64_t value[CHUNK];
    int32_t other = 0;
    size_t i;

#define CLIP(c_type)                                                           \
    do {                                                                       \
        const c_type *v = (const c_type *)input->data + first;                 \
        for (i = 0; i < n; i++) {                                              \
            const int32_t from = v[i], up = from < low ? low : from;           \
            clipped[i] = up > high ? high : up;                                \
            other |= clipped[i] ^ from;                                        \
        }                                                                      \
        return other == 0;                                                     \
    } while (0)
    switch (input->type) {
    case BBANS_U8: CLIP(uint8_t);
    case BBANS_U16: CLIP(uint16_t);
    case BBANS_I8: CLIP(int8_t);
    case BBANS_I16: CLIP(int16_t);
    case BBANS_I32: CLIP(int32_t);
    default: break;
    }
#undef CLIP
    bbans_array_read_values(input->data, input->type, first, n, value);
    for (i = 0; i < n; i++) {
        const int64_t from = value[i];

        clipped[i] = (int32_t)(from < low ? low : from > high ? high : from);
        /* What U64 has beyond INT64_MAX was read as negative. */
        other |= clipped[i] != from || (from < 0 && input->type == BBANS_U64);
    }
    return other == 0;
}

/* Returns whether all elements are within the input's range. */
static int take_input(const run *r, const bbans_node *node, void *out,
                      const bbans_array *input)
{
    const size_t each = bbans_node_elements(node), n = r->items * each;
    int32_t clipped[CHUNK];
    size_t i, count;
    int all = 1;

    for (i = 0; i < n; i += count) {
        count = n - i < CHUNK ? n - i : CHUNK;
        all &= clip_elements(node, input, r->first * each + i, count, clipped);
        write(out, bbans_is_short(node), i, count, clipped);
    }
    return all;
}

static void give_output(const run *r, size_t k)
{
    const size_t i = r->network->output[k];
    const bbans_node *node = r->network->node + i;
    const size_t each = bbans_node_elements(node), n = r->items * each;
    int32_t *out = r->output[k] + r->first * each;
    const int32_t *from = read(tensor(r, i), bbans_is_short(node), 0, n, out);

    if (from != out)
        memcpy(out, from, n * sizeof *out);
}

/* Parts of windows are short.  They are copied in whole pieces, whose end the
 * next part writes over, and which read beyond the tensor: BBANS_SLACK follows
 * either. */
#define PIECE 8

static int16_t *put_zeros(int16_t *to, size_t n)
{
    size_t i;

    for (i = 0; i < n; i += PIECE)
        memset(to + i, 0, PIECE * sizeof *to);
    return to + n;
}

static int16_t *put_elements(int16_t *to, const int16_t *from, size_t n)
{
    size_t i;

    for (i = 0; i < n; i += PIECE)
        memcpy(to + i, from + i, PIECE * sizeof *to);
    return to + n;
}

/* Copy the window of an AFFINE that begins at row y - pad and column x - pad of
 * `map`; some columns are inside. */
static int16_t *put_window(const bbans_node *node, const bbans_node *a,
                           const int16_t *map, size_t y, size_t x, int16_t *to)
{
    const size_t channels = a->channels, wide = node->kernel[1];
    const size_t before = x < node->pad[1] ? node->pad[1] - x : 0;
    const size_t left = a->width + node->pad[1] - x; /* up to the edge */
    const size_t behind = left < wide ? wide - left : 0;
    const size_t n = (wide - before - behind) * channels;
    const size_t end = y + node->kernel[0];

    for (; y < end; y++) {
        if (y < node->pad[0] || y - node->pad[0] >= a->height) {
            to = put_zeros(to, wide * channels);
            continue;
        }
        to = put_zeros(to, before * channels);
        to = put_elements(
            to,
            map + ((y - node->pad[0]) * a->width + x + before - node->pad[1]) *
                      channels,
            n);
        to = put_zeros(to, behind * channels);
    }
    return to;
}

/* Copy n windows, those of all items counted in a row. */
static void put_windows(const bbans_node *node, const bbans_node *a,
                        const int16_t *from, size_t first, size_t n,
                        int16_t *to)
{
    size_t i;

    for (i = first; i < first + n; i++) {
        const size_t x = i % node->width, row = i / node->width;
        const size_t y = row % node->height, item = row / node->height;

        to = put_window(node, a, from + item * bbans_node_elements(a),
                        y * node->stride[0], x * node->stride[1], to);
    }
}

static void run_affine(const run *r, const bbans_node *node, uint8_t *out)
{
    const bbans_node *a = input_of(r, node, 0);
    const int16_t *from = (const int16_t *)tensor(r, node->input[0]);
    const size_t length = bbans_node_length(node, r->network->node);
    const size_t n = r->items * node->height * node->width;
    const size_t at_once = windows_at_once(length);
    const int in_place = windows_are_in_place(node, a);
    size_t i, count;

    for (i = 0; i < n; i += count) {
        count = n - i < at_once ? n - i : at_once;
        if (!in_place)
            put_windows(node, a, from, i, count, r->patches);
        bbans_kernel.network->affine(node, length,
                                     in_place ? from + i * length : r->patches,
                                     count, out);
        out += count * node->channels * element_bytes(node);
    }
}

static void run_combine(const run *r, const bbans_node *node, void *out)
{
    const bbans_node *a = input_of(r, node, 0);
    const uint32_t second = node->input[node->op != BBANS_OP_SCALE];
    const bbans_node *b = r->network->node + second;
    const void *from_a = tensor(r, node->input[0]), *from_b = tensor(r, second);
    const size_t n = r->items * bbans_node_elements(node);
    int32_t wide_a[CHUNK], wide_b[CHUNK], result[CHUNK];
    size_t i, count;

    for (i = 0; i < n; i += count) {
        count = n - i < CHUNK ? n - i : CHUNK;
        bbans_kernel.network->combine(
            node, read(from_a, bbans_is_short(a), i, count, wide_a),
            read(from_b, bbans_is_short(b), i, count, wide_b), count, result);
        write(out, bbans_is_short(node), i, count, result);
    }
}

/* Channels first .. first + n - 1 of a become channels at .. of the node, whose
 * range has that of a. */
static void copy_channels(const run *r, const bbans_node *node, unsigned k,
                          size_t first, size_t at, size_t n, void *out)
{
    const bbans_node *a = input_of(r, node, k);
    const void *from = tensor(r, node->input[k]);
    const size_t pixels = r->items * node->height * node->width;
    const size_t size = element_bytes(node);
    size_t p, c;

    for (p = 0; p < pixels; p++, first += a->channels, at += node->channels)
        if (element_bytes(a) == size)
            memcpy((uint8_t *)out + at * size,
                   (const uint8_t *)from + first * size, n * size);
        else
            for (c = 0; c < n; c++)
                ((int32_t *)out)[at + c] = ((const int16_t *)from)[first + c];
}

#define SHUFFLE(type)                                                          \
    do {                                                                       \
        const type *from = (const type *)tensor(r, node->input[0]);            \
        type *to = (type *)out;                                                \
        for (y = 0; y < rows; y++)                                             \
            for (i = 0; i < s; i++)                                            \
                for (x = 0; x < a->width; x++)                                 \
                    for (j = 0; j < s; j++)                                    \
                        for (c = 0; c < node->channels; c++)                   \
                            *to++ = from[(y * a->width + x) * a->channels +    \
                                         (c * s + i) * s + j];                 \
    } while (0)

static void run_shuffle(const run *r, const bbans_node *node, void *out)
{
    const bbans_node *a = input_of(r, node, 0);
    const size_t s = node->first, rows = r->items * a->height;
    size_t x, y, i, j, c;

    if (bbans_is_short(node))
        SHUFFLE(int16_t);
    else
        SHUFFLE(int32_t);
}

/* Returns whether all inputs are within their ranges. */
static int run_nodes(const run *r)
{
    const bbans_network *network = r->network;
    const bbans_array *input = r->input;
    int all = 1;
    size_t i;

    for (i = 0; i < network->nodes; i++) {
        const bbans_node *node = network->node + i;
        void *out = tensor(r, i);

        switch (node->op) {
        case BBANS_OP_INPUT: all &= take_input(r, node, out, input++); break;
        case BBANS_OP_AFFINE: run_affine(r, node, out); break;
        case BBANS_OP_CONCAT:
            copy_channels(r, node, 0, 0, 0, input_of(r, node, 0)->channels,
                          out);
            copy_channels(r, node, 1, 0, input_of(r, node, 0)->channels,
                          input_of(r, node, 1)->channels, out);
            break;
        case BBANS_OP_SLICE:
            copy_channels(r, node, 0, node->first, 0, node->channels, out);
            break;
        case BBANS_OP_SHUFFLE: run_shuffle(r, node, out); break;
        case BBANS_OP_RESHAPE: break; /* in place */
        default: run_combine(r, node, out); break;
        }
    }
    for (i = 0; i < network->outputs; i++)
        give_output(r, i);
    return all;
}

/* What workspace holds besides tensors. */
static uint64_t common_bytes(const bbans_network *network)
{
    return BBANS_ALIGNMENT + network->patch_bytes + BBANS_SLACK;
}

size_t bbans_network_work_bytes(const bbans_network *network, size_t items)
{
    uint64_t bytes;

    if (network == NULL || items > SIZE_MAX / network->tensor_bytes)
        return 0;
    bytes = common_bytes(network);
    if (bytes > SIZE_MAX - items * network->tensor_bytes)
        return 0;
    return (size_t)(bytes + items * network->tensor_bytes);
}

static run run_of(const bbans_network *network, const bbans_array *input,
                  void *work, int32_t *const *output)
{
    run r;

    r.network = network;
    r.input = input;
    r.output = output;
    r.patches = (int16_t *)bbans_align(work);
    r.tensors = (uint8_t *)r.patches + network->patch_bytes;
    r.first = 0;
    r.items = 1;
    return r;
}

bbans_status bbans_network_run(const bbans_network *network,
                               const bbans_array *input, size_t items,
                               void *work, size_t work_bytes,
                               int32_t *const *output)
{
    size_t k, at_once;
    run r;

    if (network == NULL || input == NULL || work == NULL || output == NULL)
        return BBANS_ERR_NULL;
    for (k = 0; k < network->inputs; k++) {
        if (input[k].data == NULL && items > 0)
            return BBANS_ERR_NULL;
        if (!bbans_type_is_valid(input[k].type))
            return BBANS_ERR_TYPE;
    }
    for (k = 0; k < network->outputs; k++)
        if (output[k] == NULL && items > 0)
            return BBANS_ERR_NULL;
    if (work_bytes < common_bytes(network) ||
        work_bytes - common_bytes(network) < network->tensor_bytes)
        return BBANS_ERR_CAPACITY;
    at_once =
        (size_t)((work_bytes - common_bytes(network)) / network->tensor_bytes);
    r = run_of(network, input, work, output);
    for (; r.first < items; r.first += r.items) {
        r.items = items - r.first < at_once ? items - r.first : at_once;
        if (!run_nodes(&r))
            return BBANS_ERR_SYMBOL;
    }
    return BBANS_OK;
}

void bbans_network_forward(const bbans_network *network,
                           const bbans_array *input, void *work,
                           int32_t *const *output)
{
    const run r = run_of(network, input, work, output);

    (void)run_nodes(&r);
}
