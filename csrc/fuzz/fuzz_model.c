/* Fuzz model files, of all types but context mixers: any bytes as a file.
 *
 * SPDX-License-Identifier: MIT */
#include "models.h"

#define HEAD 40

const size_t fuzz_size_most = 1700;

/* What is coded, and then a file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= HEAD + 4) {
        const fuzz_input in = fuzz_begin(data + 1, HEAD - 1);

        fuzz_random(data[0]);
        fuzz_model_file(&in, data + HEAD, size - HEAD);
    }
    return 0;
}

/* ---- Files that are right, but for their checksums ----------------------- */

static uint8_t *put_row(uint8_t *at, size_t n, uint32_t total)
{
    size_t k;

    for (k = 0; k + 1 < n; k++, total -= 2)
        at = put(at, 2, 4);
    return put(at, total, 4);
}

/* Two states, three symbols, 10 bits; of type 2 with two contexts. */
static size_t make_hmm(uint8_t *file, int type)
{
    static const uint8_t tree[] = {
        2, 0, 0, 0, 1, 0, 0, 0,                 /* contexts, entries  */
        1, 0, 0, 0, 2, 0, 0, 0, 2,   0,   0, 0, /* children           */
        0, 0, 0, 0, 0, 0, 0, 0, 1,   0,   0, 0, /* first              */
        0, 0, 1, 0, 2, 0, 7, 0, 255, 127,       /* labels, the entry,
                                                   back-offs          */
        0, 0};
    uint8_t *at = file;
    size_t i;

    memcpy(at,
           "\x89"
           "bbm\3",
           5);
    at = put(at + 5, (uint64_t)type, 1);
    at = put(at, below(2), 1);
    at = put(at, BBANS_KIND_INTEGERS, 1);
    at = put(at, 10, 1);
    at = put(at, 1, 1);
    at = put(at, 0, 2);
    at = put(at, 2, 4);
    at = put(at, 3, 4);
    at = put(at, 5, 4);
    for (i = 0; i < 3; i++)
        at = put(at, 7 * i, 8);
    for (i = 0; i < 3; i++)
        at = put_row(at, 2, 1024);
    if (type == BBANS_MODEL_HMM) {
        for (i = 0; i < 2; i++)
            at = put_row(at, 3, 1024);
    } else {
        for (i = 0; i < 6; i++)
            at = put(at, i < 4 ? 2 * (1 + i / 2) : 1024, 4);
        memcpy(at, tree, sizeof tree);
        at += sizeof tree;
    }
    return (size_t)(at - file) + 4;
}

/* The same, packed: of any bits, with as many contexts as they may tell of. */
static size_t make_packed(uint8_t *file, int type)
{
    const size_t plain = make_hmm(file, type);
    const size_t contexts = 1 + below(200), entries = below(500);
    size_t n = 40 + below(200), at = 28, i;

    file[10] = 1;
    put(file + 24, plain, 4);
    if (type == BBANS_MODEL_ARHMM) {
        put(file + 24,
            48 + 4 * 12 + 8 +
                (8 * (contexts + 1) + 3 * contexts + 4 * entries + 3) / 4 * 4 +
                4,
            4);
        put(file + 28, contexts, 4);
        put(file + 32, entries, 4);
        at = 36;
    }
    for (i = at; i < n; i++)
        file[i] = (uint8_t)random_bits();
    return n;
}

/* Two levels, or chains, of three and two states; four symbols, 10 bits. */
static size_t make_levels(uint8_t *file, int type)
{
    const int chains = type == BBANS_MODEL_FACTORIAL;
    const size_t above = chains ? 1 : 2, emitting = chains ? 3 * 2 : 3;
    uint8_t *at = file;
    size_t i;

    memcpy(at,
           "\x89"
           "bbm\3\0\0\0\12\0\0\0",
           12);
    at[5] = (uint8_t)type;
    at = put(at + 12, 2, 4);
    at = put(at, 4, 4);
    at = put(at, 5, 4);
    at = put(at, 3, 4);
    at = put(at, 2, 4);
    for (i = 0; i < above * (1 + 3); i++)
        at = put_row(at, 3, 1024);
    for (i = 0; i < 1 + 2; i++)
        at = put_row(at, 2, 1024);
    for (i = 0; i < emitting; i++)
        at = put_row(at, 4, 1024);
    return (size_t)(at - file) + 4;
}

static size_t make_lgssm(uint8_t *file)
{
    const size_t words = bbans_lgssm_step_words(1, 2);
    uint8_t *at = file;
    size_t i;

    memcpy(at,
           "\x89"
           "bbm\3\3\0\0\1\0\0\0",
           12);
    at = put(at + 12, 1, 4);
    at = put(at, 2, 4);
    at = put(at, 3, 4);
    at = put(at, 50, 4);
    at = put(at, 1, 4);
    for (i = 0; i < 3; i++)
        at = put(at, 65536 * i, 8);
    for (i = 0; i < words; i++)
        at = put(at, 6, 4);
    return (size_t)(at - file) + 4;
}

static size_t make_gaussian_hmm(uint8_t *file)
{
    const uint32_t states = 3, channels = 2;
    uint8_t *at = file;
    uint32_t i, j;

    memcpy(at,
           "\x89"
           "bbm\3\x9\0\0\xa\0\0\0",
           12);
    at = put(at + 12, states, 4);
    at = put(at, channels, 4);
    at = put(at, 2, 4);
    at = put(at, 1, 4);
    for (i = 0; i < 1 + states; i++)
        at = put_row(at, states, 1024);
    for (i = 0; i < states * channels; i++)
        at = put(at, (uint64_t)100000 * i, 8);
    for (i = 0; i < states * channels; i++)
        at = put(at, 200 * i, 4);
    for (i = 0; i < states * channels; i++)
        for (j = 0; j <= i % channels; j++)
            at = put(at, j == 0 ? 6 : below(1 << 30), 4);
    return (size_t)(at - file) + 4;
}

/* A node's operation, those it takes, its shape and its range; what is left is
 * 0. */
static uint8_t *put_node(uint8_t *at, uint32_t operation, uint32_t a,
                         uint32_t b, uint32_t channels, uint32_t most)
{
    const uint32_t word[8] = {operation, a, b, 1, 1, channels, 0 - most, most};
    size_t i;

    for (i = 0; i < 20; i++)
        at = put(at, i < 8 ? word[i] : 0, 4);
    return at;
}

/* A dense layer over one INPUT, or two, with small weights. */
static uint8_t *put_network(uint8_t *at, uint32_t first, uint32_t second,
                            uint32_t gives, uint32_t most)
{
    const uint32_t nodes = second > 0 ? 4 : 2, takes = first + second;
    uint8_t *affine;
    uint32_t i;

    at = put(at, nodes, 4);
    at = put(at, 1, 4);
    at = put(at, 4 * (3 + nodes * 20 + 1) + 9 * gives + takes * gives, 4);
    at = put_node(at, BBANS_OP_INPUT, 0, 0, first, 50);
    if (second > 0) {
        at = put_node(at, BBANS_OP_INPUT, 0, 0, second, 50);
        at = put_node(at, BBANS_OP_CONCAT, 0, 1, takes, 50);
    }
    affine = at;
    at = put_node(at, BBANS_OP_AFFINE, nodes - 2, 0, gives, most);
    for (i = 8; i < 12; i++) /* kernels and strides of 1, bytes of weights */
        put(affine + 4 * i, 1, 4);
    put(affine + 4 * 14, 1, 4);
    at = put(at, nodes - 1, 4);
    for (i = 0; i < gives; i++)
        at = put(at, below(1000), 4);
    for (i = 0; i < gives; i++)
        at = put(at, 100, 4);
    for (i = 0; i < gives; i++)
        at = put(at, 8, 1);
    for (i = 0; i < takes * gives; i++)
        at = put(at, random_bits(), 1);
    return at;
}

/* The fields before the networks, of two values of any law; returns how many
 * numbers the likelihood puts out. */
static uint32_t put_latent(uint8_t *file, int type, uint32_t levels)
{
    static const uint32_t heads[][6] = {/* to the family, and outputs */
                                        {0, 0, 1, 0, 0, 2},
                                        {1, 0, 4, 0, 0, 10},
                                        {2, 0, 40, 2, 1, 12},
                                        {3, 0, 9, 0, 0, 4}};
    const uint32_t *head = heads[below(4)];
    uint8_t *at = file + 12;
    size_t i;

    memcpy(file,
           "\x89"
           "bbm\3\0\0\0",
           8);
    file[5] = (uint8_t)type;
    put(file + 8, levels, 4);
    at = put(at, 2, 4);
    for (i = 0; i < 5; i++)
        at = put(at, head[i], 4);
    at = put(at, below(16), 4);
    at = put(at, 1 + below(3), 4);
    at = put(at, 10, 4);
    at = put(at, below(16), 4);
    (void)put(at, 0, 4);
    return head[5];
}

#define NETWORKS 56 /* where they begin */

/* Of one level, or two, in either order. */
static size_t make_vae(uint8_t *file)
{
    const uint32_t levels = 1 + below(2), top_down = below(2);
    const uint32_t gives = put_latent(file, BBANS_MODEL_VAE, levels);
    uint8_t *at = file + NETWORKS;

    put(file + NETWORKS - 4, top_down, 4);
    if (levels == 1) {
        at = put_network(at, 2, 0, 2 * 3, 1000000);
        at = put_network(at, 3, 0, gives, 1000000);
    } else if (top_down) {
        at = put_network(at, 2, 2, 2 * 3, 1000000);
        at = put_network(at, 2, 0, 2 * 2, 1000000);
        at = put_network(at, 2, 0, 2 * 3, 1000000);
        at = put_network(at, 2, 3, gives, 1000000);
    } else {
        at = put_network(at, 2, 0, 2 * 3, 1000000);
        at = put_network(at, 3, 0, 2 * 2, 1000000);
        at = put_network(at, 2, 0, 2 * 3, 1000000);
        at = put_network(at, 3, 0, gives, 1000000);
    }
    return (size_t)(at - file) + 4;
}

/* Two latents, a state of three numbers. */
static size_t make_deep_ssm(uint8_t *file)
{
    const uint32_t gives = put_latent(file, BBANS_MODEL_DEEP_SSM, 0);
    uint8_t *at = file + NETWORKS;

    at = put_network(at, 2, 3, 3, 50);
    at = put_network(at, 2, 0, 2 * 2, 1000000); /* of the z before */
    at = put_network(at, 2, 3, gives, 1000000);
    at = put_network(at, 3, 2, 2 * 2, 1000000);
    return (size_t)(at - file) + 4;
}

/* Four nodes of three states, and three columns. */
static size_t make_tree(uint8_t *file)
{
    static const uint32_t symbols[] = {2, 4, 3},
                          column[] = {2, UINT32_MAX, 0, 1};
    const uint32_t parent[] = {UINT32_MAX, 0, below(2), 0};
    const uint32_t numbers[] = {4, 3, 3, 1 + below(3), 30 + below(40)};
    uint8_t *at = file;
    size_t i, k;

    memcpy(at,
           "\x89"
           "bbm\3\7\0\0",
           8);
    at = put(at + 8, 10, 4); /* bits, and no more codes */
    for (i = 0; i < 5; i++)
        at = put(at, numbers[i], 4);
    for (i = 0; i < 3; i++)
        at = put(at, symbols[i], 4);
    for (i = 0; i < 4; i++)
        at = put(at, parent[i], 4);
    for (i = 0; i < 4; i++)
        at = put(at, column[i], 4);
    for (i = 0; i < 10; i++) {
        const uint32_t first = below(1 << 15), next = below((1 << 15) - first);

        at = put(at, first, 2);
        at = put(at, next, 2);
        at = put(at, (1 << 15) - first - next, 2);
    }
    for (i = 0; i < 3; i++)
        for (k = 0; k < 3; k++)
            at = put_row(at, symbols[i], 1024);
    return (size_t)(at - file) + 4;
}

size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    static const int types[] = {
        BBANS_MODEL_HMM,          BBANS_MODEL_ARHMM,     BBANS_MODEL_HMM,
        BBANS_MODEL_ARHMM,        BBANS_MODEL_LGSSM,     BBANS_MODEL_VAE,
        BBANS_MODEL_TREE,         BBANS_MODEL_HIERARCHY, BBANS_MODEL_DEEP_SSM,
        BBANS_MODEL_GAUSSIAN_HMM, BBANS_MODEL_FACTORIAL};
    const int type = types[k % 11];
    uint8_t *file = data + HEAD;
    size_t i;

    fuzz_random(k);
    for (i = 0; i < HEAD; i++)
        data[i] = (uint8_t)random_bits();
    CHECK(cap >= HEAD + 1600);
    return HEAD + (type == BBANS_MODEL_VAE            ? make_vae(file)
                   : type == BBANS_MODEL_DEEP_SSM     ? make_deep_ssm(file)
                   : type == BBANS_MODEL_TREE         ? make_tree(file)
                   : type == BBANS_MODEL_HIERARCHY    ? make_levels(file, type)
                   : type == BBANS_MODEL_FACTORIAL    ? make_levels(file, type)
                   : type == BBANS_MODEL_LGSSM        ? make_lgssm(file)
                   : type == BBANS_MODEL_GAUSSIAN_HMM ? make_gaussian_hmm(file)
                   : k % 11 < 2                       ? make_packed(file, type)
                                                      : make_hmm(file, type));
}
