/* Fuzz model files: any bytes as a file, with the checksum made right.  What is
 * read is written again to the same bytes, and codes.  With libFuzzer by
 * -fsanitize=fuzzer, else over the files it is given, or with none over files
 * that it makes and damages itself: make fuzz.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "../tests/check.h"

#include <string.h>

#define SIZE_MOST ((size_t)1 << 16)
#define MEMORY_MOST ((size_t)1 << 26)
#define WORK_MOST ((size_t)1 << 24)
#define PRODUCTS_MOST ((uint64_t)1 << 22)
#define STEPS 9
#define MIXER_NUMBERS                                                          \
    (BBANS_MIXER_SETS * BBANS_MIXER_INPUTS +                                   \
     BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS)
#define FILE_MOST (2 * MIXER_NUMBERS + 2000)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned built, tried;

static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    CHECK(memory != NULL);
    return memory;
}

static int has_networks(const bbans_model *model)
{
    return model->type == BBANS_MODEL_VAE ||
           model->type == BBANS_MODEL_DEEP_SSM;
}

/* Observations that the model takes. */
static void draw(const bbans_model *model, uint8_t *x, size_t x_bytes)
{
    const bbans_head *head = &model->frozen->vae.base.head;
    const bbans_tree *tree = &model->frozen->tree;
    size_t i;

    for (i = 0; i < x_bytes; i++)
        x[i] = (uint8_t)random_bits();
    for (i = 0; model->symbols > 0 && i < STEPS; i++)
        ((uint32_t *)(void *)x)[i] = below((uint32_t)model->symbols);
    if (model->type == BBANS_MODEL_TREE)
        for (i = 0; i < x_bytes / sizeof(int32_t); i++)
            ((int32_t *)(void *)x)[i] =
                (int32_t)below(tree->symbols[i % tree->columns]);
    if (!has_networks(model))
        return;
    for (i = 0; i < x_bytes / sizeof(int32_t); i++)
        ((int32_t *)(void *)x)[i] =
            (int32_t)(head->low +
                      (int64_t)(random_bits() % (uint64_t)((int64_t)head->high -
                                                           head->low + 1)));
}

/* A few bytes can be networks that take long, or much memory. */
static int is_small(const bbans_model *model)
{
    const bbans_state_space *space = &model->frozen->space;
    const bbans_latent_model *latent = &model->frozen->vae.base;
    const size_t work_bytes = bbans_sequence_work_bytes(space, STEPS, STEPS);
    size_t i;

    if (work_bytes == 0 || work_bytes > WORK_MOST ||
        space->push_words + space->pop_words > WORK_MOST / STEPS / 4)
        return 0;
    if (!has_networks(model))
        return 1;
    for (i = 0; i < latent->networks; i++)
        if (latent->network[i].products > PRODUCTS_MOST)
            return 0;
    return 1;
}

static void code(const bbans_model *model)
{
    const bbans_state_space *space = &model->frozen->space;
    const size_t words = bbans_sequence_tail_words(space, STEPS) +
                         STEPS * space->pop_words; /* decoding may take */
    const size_t work_bytes = bbans_sequence_work_bytes(space, STEPS, STEPS);
    const size_t x_bytes = STEPS * space->observation_bytes;
    uint8_t *x = allocate(x_bytes), *y = allocate(x_bytes);
    uint32_t *tail = allocate(4 * words);
    void *work = allocate(work_bytes);
    bbans_message msg;
    uint64_t head;

    draw(model, x, x_bytes);
    CHECK(bbans_message_init(&msg, &head, 1, tail, words) == BBANS_OK);
    CHECK(bbans_sequence_encode(space, x, STEPS, work, work_bytes, &msg) ==
          BBANS_OK);
    CHECK(bbans_sequence_decode(space, &msg, y, STEPS, work, work_bytes) ==
          BBANS_OK);
    CHECK(memcmp(x, y, x_bytes) == 0);
    free(x);
    free(y);
    free(tail);
    free(work);
}

static void write_again(const bbans_model *model, const uint8_t *file, size_t n)
{
    int64_t *value = allocate(8 * model->symbols);
    uint8_t *again = allocate(n);
    size_t i, used;

    for (i = 0; i < model->symbols; i++)
        value[i] = bbans_model_value(model, i);
    CHECK(bbans_model_write(&model->frozen->space, model->kind,
                            model->values == NULL ? NULL : value, model->ends,
                            again, n, &used) == BBANS_OK);
    CHECK(used == n && memcmp(again, file, n) == 0);
    free(value);
    free(again);
}

/* Bytes of the packed form, whose checksum is that of what comes out. */
static void unpack(const uint8_t *file, size_t size)
{
    size_t n;

    if (bbans_model_unpack(file, size, NULL, 0, &n) == BBANS_ERR_CAPACITY &&
        n <= MEMORY_MOST) {
        uint8_t *plain = allocate(n);

        (void)bbans_model_unpack(file, size, plain, n, &n);
        tried++;
        free(plain);
    }
}

/* What can be packed comes back. */
static void pack(const uint8_t *file, size_t size)
{
    size_t cap, n, m;
    uint8_t *packed, *plain;

    if (bbans_model_pack(file, size, NULL, 0, &cap) != BBANS_ERR_CAPACITY)
        return;
    packed = allocate(cap);
    if (bbans_model_pack(file, size, packed, cap, &n) == BBANS_OK) {
        CHECK(bbans_model_unpack(packed, n, NULL, 0, &m) == BBANS_ERR_CAPACITY);
        plain = allocate(m);
        CHECK(bbans_model_unpack(packed, n, plain, m, &m) == BBANS_OK);
        CHECK(m == size && memcmp(plain, file, size) == 0);
        free(plain);
    }
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *file;
    bbans_model model;

    if (size < 4 || size > SIZE_MOST)
        return 0;
    file = allocate(size);
    memcpy(file, data, size);
    bbans_store(file + size - 4, bbans_crc32(0, file, size - 4), 4);
    unpack(file, size);
    if (bbans_model_parse(&model, file, size) == BBANS_OK &&
        bbans_model_bytes(&model) <= MEMORY_MOST) {
        const size_t n = bbans_model_bytes(&model);
        void *memory = allocate(n);

        if (bbans_model_build(&model, memory, n) == BBANS_OK) {
            built++;
            write_again(&model, file, size);
            pack(file, size);
            if (is_small(&model))
                code(&model);
        }
        free(memory);
    }
    free(file);
    return 0;
}

#ifndef LIBFUZZER
static uint8_t *put(uint8_t *at, uint64_t value, size_t n)
{
    bbans_store(at, value, n);
    return at + n;
}

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

/* An INPUT, and a dense layer over it with small weights. */
static uint8_t *put_network(uint8_t *at, uint32_t takes, uint32_t gives)
{
    const uint32_t rows = 9 * gives, weights = takes * gives;
    uint32_t i;

    at = put(at, 2, 4);
    at = put(at, 1, 4);
    at = put(at, 4 * (3 + 2 * 20 + 1) + rows + weights, 4);
    at = put(put(at, BBANS_OP_INPUT, 4), 0, 8);
    at = put(at, 1, 4);
    at = put(at, 1, 4);
    at = put(at, takes, 4);
    at = put(at, (uint64_t)0 - 50, 4);
    at = put(at, 50, 4);
    for (i = 8; i < 20; i++)
        at = put(at, 0, 4);
    at = put(put(at, BBANS_OP_AFFINE, 4), 0, 8);
    at = put(at, 1, 4);
    at = put(at, 1, 4);
    at = put(at, gives, 4);
    at = put(at, (uint64_t)0 - 1000000, 4);
    at = put(at, 1000000, 4);
    for (i = 8; i < 20; i++) /* kernels and strides of 1, bytes of weights */
        at = put(at, i < 12 || i == 14, 4);
    at = put(at, 1, 4);
    for (i = 0; i < gives; i++)
        at = put(at, below(1000), 4);
    for (i = 0; i < gives; i++)
        at = put(at, 100, 4);
    for (i = 0; i < gives; i++)
        at = put(at, 8, 1);
    for (i = 0; i < weights; i++)
        at = put(at, random_bits(), 1);
    return at;
}

/* A VAE of one level, or two: two values, of any law. */
static size_t make_vae(uint8_t *file)
{
    static const uint32_t heads[][6] = {/* to the family, and outputs */
                                        {0, 0, 1, 0, 0, 2},
                                        {1, 0, 4, 0, 0, 10},
                                        {2, 0, 40, 2, 1, 12},
                                        {3, 0, 9, 0, 0, 4}};
    const uint32_t *head = heads[below(4)], levels = 1 + below(2);
    uint8_t *at = file;
    size_t i;

    memcpy(at,
           "\x89"
           "bbm\3\4\0\0",
           8);
    at = put(at + 8, levels, 4);
    at = put(at, 2, 4);
    for (i = 0; i < 5; i++)
        at = put(at, head[i], 4);
    at = put(at, below(16), 4);
    at = put(at, 1 + below(3), 4);
    at = put(at, 10, 4);
    at = put(at, below(16), 4);
    at = put(at, 0, 4);
    at = put_network(at, 2, 2 * 3);
    if (levels == 2) {
        at = put_network(at, 3, 2 * 2);
        at = put_network(at, 2, 2 * 3);
    }
    at = put_network(at, 3, head[5]);
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

/* A slot, and behind it those below, of whom some are there. */
static uint8_t *put_slots(uint8_t *at, unsigned mask)
{
    unsigned k;

    for (k = 1; k < BBANS_MIXER_SLOTS; k++)
        if (mask >> k & 1)
            at = put(at, below(1 << 16) & 0xFFF7, 2);
    return at;
}

/* A prior of 64 places, some of them free. */
static size_t make_mixer(uint8_t *file)
{
    static const unsigned masks[] = {2, 6, 10, 14, 0x2E, 0xFFFE};
    const uint32_t numbers[] = {6 + below(3), 6 + below(3), 6 + below(3),
                                1 + below(127), 0};
    const unsigned rows = 1 + below(20);
    uint8_t *at = file, *from;
    size_t i;

    memcpy(at,
           "\x89"
           "bbm\3\10\1\1\6\0\0\0",
           12);
    for (at += 12, i = 0; i < 5; i++)
        at = put(at, numbers[i], 4);
    at = put(at, rows, 4) + 4;
    for (i = 0; i < MIXER_NUMBERS; i++)
        at = put(at, below(4) == 0 ? random_bits() & 0xFFFF : 3000, 2);
    for (from = at, i = 0; i < rows; i++) {
        const unsigned mask = masks[below(6)];

        at = put(at, below(3), 1);
        at = put(at, 1 + below(UINT16_MAX), 2);
        at = put_slots(put(at, mask, 2), mask);
    }
    put(file + 36, (uint64_t)(at - from), 4);
    return (size_t)(at - file) + 4;
}

/* The same, packed: one whose rows find their places, and are shorter so. */
static size_t make_packed_mixer(uint8_t *file)
{
    static uint8_t plain[FILE_MOST], packed[1 << 23];
    bbans_status status;
    size_t n, used;

    do {
        n = make_mixer(plain);
        bbans_store(plain + n - 4, bbans_crc32(0, plain, n - 4), 4);
        status = bbans_model_pack(plain, n, packed, sizeof packed, &used);
    } while (status == BBANS_ERR_SIZE);
    CHECK(status == BBANS_OK);
    memcpy(file, packed, used);
    return used;
}

static void over_file(const char *name)
{
    static uint8_t data[SIZE_MOST];
    FILE *file = fopen(name, "rb");

    CHECK(file != NULL);
    (void)LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    static uint8_t file[FILE_MOST];
    int i, change;

    for (i = 1; i < argc; i++)
        over_file(argv[i]);
    for (i = 0; argc == 1 && i < 90000; i++) {
        static const int types[] = {
            BBANS_MODEL_HMM,          BBANS_MODEL_ARHMM,
            BBANS_MODEL_LGSSM,        BBANS_MODEL_VAE,
            BBANS_MODEL_TREE,         BBANS_MODEL_HIERARCHY,
            BBANS_MODEL_GAUSSIAN_HMM, BBANS_MODEL_FACTORIAL};
        const int type = types[i % 8];
        size_t n = i % 101 == 0                       ? make_mixer(file)
                   : i % 101 == 1                     ? make_packed_mixer(file)
                   : type == BBANS_MODEL_VAE          ? make_vae(file)
                   : type == BBANS_MODEL_TREE         ? make_tree(file)
                   : type == BBANS_MODEL_HIERARCHY    ? make_levels(file, type)
                   : type == BBANS_MODEL_FACTORIAL    ? make_levels(file, type)
                   : type == BBANS_MODEL_LGSSM        ? make_lgssm(file)
                   : type == BBANS_MODEL_GAUSSIAN_HMM ? make_gaussian_hmm(file)
                   : i % 16 < 8                       ? make_packed(file, type)
                                                      : make_hmm(file, type);

        for (change = (int)below(4); change > 0; change--)
            file[below((uint32_t)n)] =
                below(2) ? (uint8_t)random_bits()
                         : (uint8_t) "\0\1\2\3\x7f\x80\xff"[below(7)];
        if (below(8) == 0)
            n -= below((uint32_t)n);
        (void)LLVMFuzzerTestOneInput(file, n);
    }
    CHECK(argc > 1 || (built > 12000 && tried > 8000));
    printf("fuzz_model: ok, %u models, %u packed ones\n", built, tried);
    return 0;
}
#endif
