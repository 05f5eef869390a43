/* Network files, and networks within model files: docs/format.md, "Network
 * file".
 *
 * SPDX-License-Identifier: MIT */
#include "../models/bbans_network.h"
#include "bbans_files.h"

#define VERSION 1
#define HEADER 8 /* magic, version and three zeros */
#define NETWORK_BYTES ((sizeof(bbans_network) + 7) / 8 * 8)

static const uint8_t magic[4] = {0x89, 'b', 'b', 'n'};

/* The words of 32 bits of a network, and those of a node in order. */
enum { NODES, OUTPUTS, BYTES, COUNTS };
enum {
    WORD_OP,
    WORD_INPUT,
    WORD_SHAPE = WORD_INPUT + 2,
    WORD_RANGE = WORD_SHAPE + 3,
    WORD_KERNEL = WORD_RANGE + 2,
    WORD_STRIDE = WORD_KERNEL + 2,
    WORD_PAD = WORD_STRIDE + 2,
    WORD_WEIGHT = WORD_PAD + 2,
    WORD_FACTOR,
    WORD_SHIFT = WORD_FACTOR + 2,
    WORD_FIRST,
    WORD_RESERVED,
    WORDS
};

static uint32_t word(const uint8_t *bytes, size_t i)
{
    return (uint32_t)bbans_load(bytes + 4 * i, 4);
}

static int32_t number(const uint8_t *bytes, size_t i)
{
    return bbans_signed32(word(bytes, i));
}

static const uint8_t *record(const uint8_t *bytes, size_t i)
{
    return bytes + 4 * (COUNTS + WORDS * i);
}

/* ---- Reading ------------------------------------------------------------- */

/* The weights of an AFFINE's record, as far as they are within limits; else 0.
 * They need not be right: bbans_network_init checks everything. */
static uint64_t weights_of(const uint8_t *bytes, size_t i)
{
    const uint8_t *r = record(bytes, i);
    const uint32_t a = word(r, WORD_INPUT);
    uint64_t n = word(r, WORD_KERNEL);

    if (a >= i || word(r, WORD_WEIGHT) < 1 || word(r, WORD_WEIGHT) > 2)
        return 0;
    n *= word(r, WORD_KERNEL + 1);
    if (n > BBANS_AFFINE_LENGTH_MAX)
        return 0;
    n *= word(record(bytes, a), WORD_SHAPE + 2);
    if (n > BBANS_AFFINE_LENGTH_MAX ||
        word(r, WORD_SHAPE + 2) > BBANS_TENSOR_MAX)
        return 0;
    return n * word(r, WORD_SHAPE + 2);
}

/* Bias, multiplier, shift. */
#define ROW_BYTES 9

static uint64_t aligned(uint64_t n)
{
    return (n + 7) / 8 * 8;
}

/* Memory for the nodes; and for what is wider than a byte of an AFFINE. */
static uint64_t nodes_memory(uint64_t nodes)
{
    return aligned(nodes * sizeof(bbans_node));
}

static uint64_t rows_memory(uint64_t rows, uint64_t weights, size_t size)
{
    return aligned(8 * rows + (size == 2 ? 2 * weights : 0));
}

const uint8_t *bbans_take_network(bbans_cursor *c, uint64_t *memory_bytes)
{
    const uint8_t *bytes = c->at;
    const size_t left = (size_t)(c->end - c->at);
    uint32_t nodes, outputs, whole;
    uint64_t n, memory;
    size_t i;

    *memory_bytes = 0;
    nodes = (uint32_t)bbans_take(c, 4);
    outputs = (uint32_t)bbans_take(c, 4);
    whole = (uint32_t)bbans_take(c, 4);
    if (c->status != BBANS_OK)
        return NULL;
    c->status = BBANS_ERR_CORRUPT;
    if (nodes < 1 || nodes > BBANS_NODES_MAX || outputs < 1 ||
        outputs > BBANS_NETWORK_OUTPUTS_MAX)
        return NULL;
    n = 4 * (COUNTS + WORDS * (uint64_t)nodes + outputs);
    if (whole < n)
        return NULL;
    if (left < whole) {
        c->status = BBANS_ERR_TRUNCATED;
        return NULL;
    }
    memory = nodes_memory(nodes);
    for (i = 0; i < nodes; i++) {
        const uint8_t *r = record(bytes, i);

        if (word(r, WORD_OP) == BBANS_OP_AFFINE) {
            const uint64_t rows = word(r, WORD_SHAPE + 2);
            const uint64_t weights = weights_of(bytes, i);
            const uint32_t size = word(r, WORD_WEIGHT);

            if (weights == 0)
                return NULL;
            n += ROW_BYTES * rows + size * weights; /* 2^10 times 2^46 */
            memory += rows_memory(rows, weights, size);
        } else if (word(r, WORD_WEIGHT) != 0) {
            return NULL;
        }
        if (word(r, WORD_RESERVED) != 0)
            return NULL;
    }
    if (whole != n)
        return NULL;
    c->status = BBANS_OK;
    c->at = bytes + whole;
    *memory_bytes = memory;
    return bytes;
}

static void read_record(bbans_node *node, const uint8_t *r)
{
    unsigned k;

    memset(node, 0, sizeof *node);
    node->op = (int)word(r, WORD_OP);
    node->height = word(r, WORD_SHAPE);
    node->width = word(r, WORD_SHAPE + 1);
    node->channels = word(r, WORD_SHAPE + 2);
    node->low = number(r, WORD_RANGE);
    node->high = number(r, WORD_RANGE + 1);
    for (k = 0; k < 2; k++) {
        node->input[k] = word(r, WORD_INPUT + k);
        node->kernel[k] = word(r, WORD_KERNEL + k);
        node->stride[k] = word(r, WORD_STRIDE + k);
        node->pad[k] = word(r, WORD_PAD + k);
        node->factor[k] = number(r, WORD_FACTOR + k);
    }
    node->weight_type = -(int)word(r, WORD_WEIGHT); /* BBANS_I8, BBANS_I16 */
    node->shift = word(r, WORD_SHIFT);
    node->first = word(r, WORD_FIRST);
}

static int16_t weight16(const uint8_t *bytes)
{
    const int32_t v = (int32_t)bbans_load(bytes, 2);

    return (int16_t)(v - (v >> 15 << 16));
}

/* The arrays of an AFFINE, from `from` in the file: what is wider than a byte
 * is copied to `to`.  Both move past them. */
static void read_rows(bbans_node *node, size_t weights, const uint8_t **from,
                      uint8_t **to)
{
    const size_t rows = node->channels, size = (size_t)-node->weight_type;
    int32_t *words = (int32_t *)(void *)*to;
    int16_t *w16 = (int16_t *)(void *)(words + 2 * rows);
    size_t i;

    for (i = 0; i < 2 * rows; i++)
        words[i] = number(*from, i);
    node->bias = words;
    node->multiplier = words + rows;
    node->row_shift = *from + 8 * rows;
    *from += ROW_BYTES * rows;
    node->weight = *from;
    if (size == sizeof *w16) {
        for (i = 0; i < weights; i++)
            w16[i] = weight16(*from + 2 * i);
        node->weight = w16;
    }
    *from += size * weights;
    *to += rows_memory(rows, weights, size);
}

bbans_status bbans_read_network(bbans_network *network, const uint8_t *bytes,
                                void *memory)
{
    const size_t nodes = word(bytes, NODES), outputs = word(bytes, OUTPUTS);
    bbans_node *node = (bbans_node *)memory;
    uint8_t *to = (uint8_t *)memory + nodes_memory(nodes);
    const uint8_t *from = record(bytes, nodes);
    uint32_t output[BBANS_NETWORK_OUTPUTS_MAX];
    size_t i;

    for (i = 0; i < outputs; i++, from += 4)
        output[i] = word(from, 0);
    for (i = 0; i < nodes; i++) {
        read_record(node + i, record(bytes, i));
        if (node[i].op == BBANS_OP_AFFINE)
            read_rows(node + i, (size_t)weights_of(bytes, i), &from, &to);
    }
    return bbans_network_init(network, node, nodes, output, outputs) == BBANS_OK
               ? BBANS_OK
               : BBANS_ERR_CORRUPT;
}

/* ---- Files of their own -------------------------------------------------- */

/* The network of a file, all of it. */
static const uint8_t *take_file(const uint8_t *bytes, size_t n_bytes,
                                bbans_status *status, uint64_t *memory_bytes)
{
    bbans_cursor c = bbans_cursor_of(bytes + HEADER, bytes + n_bytes);
    const uint8_t *network = bbans_take_network(&c, memory_bytes);

    (void)bbans_take(&c, CHECKSUM_BYTES);
    if (c.status == BBANS_OK && c.at != c.end)
        c.status = BBANS_ERR_CORRUPT;
    *status = c.status;
    return network;
}

bbans_status bbans_network_parse(bbans_network_file *file, const uint8_t *bytes,
                                 size_t n_bytes)
{
    uint64_t memory_bytes;
    uint8_t digest[32];
    bbans_status status;

    if (file == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    status = bbans_check_start(bytes, n_bytes, magic, VERSION);
    if (status != BBANS_OK)
        return status;
    if (n_bytes < HEADER)
        return BBANS_ERR_TRUNCATED;
    if (bbans_load(bytes + START_BYTES, HEADER - START_BYTES) != 0)
        return BBANS_ERR_CORRUPT;
    (void)take_file(bytes, n_bytes, &status, &memory_bytes);
    if (status != BBANS_OK)
        return status;
    if (!bbans_checksum_matches(bytes, n_bytes - CHECKSUM_BYTES))
        return BBANS_ERR_CORRUPT;
    memset(file, 0, sizeof *file);
    bbans_sha256(bytes, n_bytes - CHECKSUM_BYTES, digest);
    memcpy(file->fingerprint, digest, sizeof file->fingerprint);
    file->bytes = bytes;
    file->n_bytes = n_bytes;
    return BBANS_OK;
}

size_t bbans_network_memory_bytes(const bbans_network_file *file)
{
    bbans_status status;
    uint64_t bytes;

    if (file == NULL || file->bytes == NULL)
        return 0;
    (void)take_file(file->bytes, file->n_bytes, &status, &bytes);
    bytes += NETWORK_BYTES;
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

bbans_status bbans_network_build(bbans_network_file *file, void *memory,
                                 size_t memory_bytes)
{
    bbans_network *network = (bbans_network *)memory;
    const uint8_t *bytes;
    bbans_status status;
    uint64_t need;

    if (file == NULL || memory == NULL || file->bytes == NULL)
        return BBANS_ERR_NULL;
    bytes = take_file(file->bytes, file->n_bytes, &status, &need);
    need += NETWORK_BYTES;
    if (need > SIZE_MAX)
        return BBANS_ERR_SIZE;
    if (memory_bytes < need)
        return BBANS_ERR_CAPACITY;
    status =
        bbans_read_network(network, bytes, (uint8_t *)memory + NETWORK_BYTES);
    if (status == BBANS_OK)
        file->network = network;
    return status;
}

/* ---- Writing ------------------------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
static uint64_t row_bytes(const bbans_network *network, const bbans_node *node)
{
    return ROW_BYTES + (uint64_t)-node->weight_type *
                           bbans_node_length(node, network->node);
}

uint64_t bbans_network_bytes(const bbans_network *network)
{
    uint64_t n =
        4 * (COUNTS + WORDS * (uint64_t)network->nodes + network->outputs);
    size_t i;

    for (i = 0; i < network->nodes; i++)
        if (network->node[i].op == BBANS_OP_AFFINE)
            n += network->node[i].channels *
                 row_bytes(network, network->node + i);
    return n;
}

static uint8_t *put(uint8_t *to, uint32_t value)
{
    bbans_store(to, value, 4);
    return to + 4;
}

static uint8_t *put_pair(uint8_t *to, const uint32_t pair[2])
{
    return put(put(to, pair[0]), pair[1]);
}

static uint8_t *put_record(uint8_t *to, const bbans_node *node)
{
    to = put_pair(put(to, (uint32_t)node->op), node->input);
    to = put(put(put(to, node->height), node->width), node->channels);
    to = put(put(to, (uint32_t)node->low), (uint32_t)node->high);
    to =
        put_pair(put_pair(put_pair(to, node->kernel), node->stride), node->pad);
    to = put(to, (uint32_t)-node->weight_type);
    to = put(put(to, (uint32_t)node->factor[0]), (uint32_t)node->factor[1]);
    return put(put(put(to, node->shift), node->first), 0);
}

static uint8_t *put_rows(uint8_t *to, const bbans_node *node, size_t length)
{
    const size_t rows = node->channels, weights = rows * length;
    const int16_t *w16 = (const int16_t *)node->weight;
    size_t i;

    for (i = 0; i < rows; i++)
        to = put(to, (uint32_t)node->bias[i]);
    for (i = 0; i < rows; i++)
        to = put(to, (uint32_t)node->multiplier[i]);
    memcpy(to, node->row_shift, rows);
    to += rows;
    if (node->weight_type == BBANS_I8) {
        memcpy(to, node->weight, weights);
        return to + weights;
    }
    for (i = 0; i < weights; i++, to += 2)
        bbans_store(to, (uint16_t)w16[i], 2);
    return to;
}

uint8_t *bbans_put_network(uint8_t *to, const bbans_network *network)
{
    const bbans_node *node = network->node;
    size_t i;

    to = put(to, (uint32_t)network->nodes);
    to = put(to, (uint32_t)network->outputs);
    to = put(to, (uint32_t)bbans_network_bytes(network));
    for (i = 0; i < network->nodes; i++)
        to = put_record(to, node + i);
    for (i = 0; i < network->outputs; i++)
        to = put(to, network->output[i]);
    for (i = 0; i < network->nodes; i++)
        if (node[i].op == BBANS_OP_AFFINE)
            to = put_rows(to, node + i, bbans_node_length(node + i, node));
    return to;
}

bbans_status bbans_network_write(const bbans_network *network, uint8_t *bytes,
                                 size_t cap, size_t *n_bytes)
{
    uint64_t n;
    size_t end;

    if (network == NULL || bytes == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    n = HEADER + bbans_network_bytes(network) + CHECKSUM_BYTES;
    if (n > UINT32_MAX)
        return BBANS_ERR_SIZE;
    *n_bytes = (size_t)n;
    if (cap < n)
        return BBANS_ERR_CAPACITY;
    memcpy(bytes, magic, sizeof magic);
    bbans_store(bytes + sizeof magic, VERSION, HEADER - sizeof magic);
    end = (size_t)(bbans_put_network(bytes + HEADER, network) - bytes);
    bbans_store(bytes + end, bbans_crc32(0, bytes, end), CHECKSUM_BYTES);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */
