/* Fuzz network files: any bytes as a file, with the checksum made right.  What
 * is read is written again to the same bytes, and runs alike by all kernels, an
 * item at a time or several.  With libFuzzer by -fsanitize=fuzzer, else over
 * the files it is given, or with none over files that it makes and damages
 * itself: make fuzz.
 *
 * SPDX-License-Identifier: MIT */
#include "../tests/random_network.h"

#define SIZE_MOST ((size_t)1 << 16)
#define MEMORY_MOST ((size_t)1 << 22)
#define PRODUCTS_MOST ((uint64_t)1 << 20)
#define ITEMS 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned built;

static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    CHECK(memory != NULL);
    return memory;
}

static int32_t *tensor(const bbans_node *node)
{
    return allocate(ITEMS * sizeof(int32_t) * bbans_node_elements(node));
}

/* Every buffer is of exactly its size, for the sanitizer to see its ends. */
static void run(const bbans_network *network)
{
    const size_t bytes = bbans_network_work_bytes(network, ITEMS);
    bbans_array input[BBANS_NETWORK_INPUTS_MAX];
    int32_t *in[BBANS_NETWORK_INPUTS_MAX];
    int32_t *all[BBANS_NETWORK_OUTPUTS_MAX], *one[BBANS_NETWORK_OUTPUTS_MAX];
    void *work = allocate(bytes);
    size_t i, k, n;
    int isa;

    for (k = 0; k < network->inputs; k++) {
        const bbans_node *node = network->node + network->input[k];
        const int64_t width = (int64_t)node->high - node->low + 1;

        n = bbans_node_elements(node);
        in[k] = tensor(node);
        for (i = 0; i < ITEMS * n; i++)
            in[k][i] = (int32_t)(node->low +
                                 (int64_t)(random_bits() % (uint64_t)width));
        input[k] = bbans_array_of(in[k], BBANS_I32);
    }
    for (k = 0; k < network->outputs; k++) {
        all[k] = tensor(network->node + network->output[k]);
        one[k] = tensor(network->node + network->output[k]);
    }
    bbans_isa_use(BBANS_ISA_PORTABLE);
    CHECK(bbans_network_run(network, input, ITEMS, work, bytes, all) ==
          BBANS_OK);
    FOR_EACH_ISA(isa)
    {
        CHECK(bbans_network_run(network, input, ITEMS, work,
                                bbans_network_work_bytes(network, 1),
                                one) == BBANS_OK);
        for (k = 0; k < network->outputs; k++) {
            const bbans_node *node = network->node + network->output[k];

            n = ITEMS * bbans_node_elements(node);
            CHECK(memcmp(all[k], one[k], n * sizeof(int32_t)) == 0);
            for (i = 0; i < n; i++)
                CHECK(all[k][i] >= node->low && all[k][i] <= node->high);
        }
    }
    for (k = 0; k < network->inputs; k++)
        free(in[k]);
    for (k = 0; k < network->outputs; k++) {
        free(all[k]);
        free(one[k]);
    }
    free(work);
}

static void write_again(const bbans_network *network, const uint8_t *file,
                        size_t n)
{
    uint8_t *again = allocate(n);
    size_t used;

    CHECK(bbans_network_write(network, again, n, &used) == BBANS_OK);
    CHECK(used == n && memcmp(again, file, n) == 0);
    free(again);
}

static int is_small(const bbans_network *network)
{
    const size_t bytes = bbans_network_work_bytes(network, ITEMS);
    size_t i, elements = 0;

    for (i = 0; i < network->nodes; i++)
        elements += bbans_node_elements(network->node + i);
    return bytes > 0 && bytes <= MEMORY_MOST && elements <= MEMORY_MOST &&
           network->products <= PRODUCTS_MOST;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bbans_network_file network;
    uint8_t *file;

    if (size < 4 || size > SIZE_MOST)
        return 0;
    file = allocate(size);
    memcpy(file, data, size);
    bbans_store(file + size - 4, bbans_crc32(0, file, size - 4), 4);
    if (bbans_network_parse(&network, file, size) == BBANS_OK) {
        const size_t n = bbans_network_memory_bytes(&network);
        void *memory = allocate(n);

        CHECK(n > 0 && n <= 2 * size + 1000);
        if (bbans_network_build(&network, memory, n) == BBANS_OK) {
            built++;
            write_again(network.network, file, size);
            if (is_small(network.network))
                run(network.network);
        }
        free(memory);
    }
    free(file);
    return 0;
}

#ifndef LIBFUZZER
static size_t make_file(uint8_t *file)
{
    static nodes net;
    bbans_network network;
    size_t n;

    do
        random_network(&net, &network);
    while (bbans_network_write(&network, file, SIZE_MOST, &n) != BBANS_OK);
    return n;
}

static void over_file(const char *name)
{
    static uint8_t data[SIZE_MOST];
    FILE *file = fopen(name, "rb");

    CHECK(file != NULL);
    (void)LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
    (void)fclose(file);
}

/* Mostly in what says what a network is: weights may be anything. */
static void damage(uint8_t *file, size_t n)
{
    static const uint8_t bytes[] = {0, 1, 2, 3, 9, 0x7f, 0x80, 0xff};
    const size_t end = below(4) == 0 || n < 600 ? n : 600;

    file[below((uint32_t)end)] =
        below(2) ? (uint8_t)random_bits() : bytes[below(sizeof bytes)];
}

int main(int argc, char **argv)
{
    static uint8_t file[SIZE_MOST];
    int i, change;

    for (i = 1; i < argc; i++)
        over_file(argv[i]);
    for (i = 0; argc == 1 && i < 30000; i++) {
        size_t n = make_file(file);

        for (change = (int)below(4); change > 0; change--)
            damage(file, n);
        if (below(8) == 0)
            n -= below((uint32_t)n);
        (void)LLVMFuzzerTestOneInput(file, n);
    }
    CHECK(argc > 1 || built > 6000);
    printf("fuzz_network: ok, %u networks\n", built);
    return 0;
}
#endif
