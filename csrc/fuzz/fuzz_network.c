/* Fuzz network files: any bytes as a file, with the checksum made right.  What
 * is read is written again to the same bytes, and runs alike by all kernels, an
 * item at a time or several.
 *
 * SPDX-License-Identifier: MIT */
#include "../tests/random_network.h"
#include "fuzz.h"

#define MEMORY_MOST ((size_t)1 << 16)
#define PRODUCTS_MOST ((uint64_t)1 << 15)
#define ITEMS 3

const size_t fuzz_size_most = 4096;

static int32_t *tensor(const bbans_node *node)
{
    return fuzz_memory(ITEMS * sizeof(int32_t) * bbans_node_elements(node));
}

/* Every buffer is of exactly its size, for the sanitizer to see its ends. */
static void run(const bbans_network *network)
{
    const size_t bytes = bbans_network_work_bytes(network, ITEMS);
    bbans_array input[BBANS_NETWORK_INPUTS_MAX];
    int32_t *in[BBANS_NETWORK_INPUTS_MAX];
    int32_t *all[BBANS_NETWORK_OUTPUTS_MAX], *one[BBANS_NETWORK_OUTPUTS_MAX];
    void *work = fuzz_memory(bytes);
    size_t i, k, n;
    size_t isa;

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
    CHECK(fuzz_use_isa(0));
    CHECK(bbans_network_run(network, input, ITEMS, work, bytes, all) ==
          BBANS_OK);
    FUZZ_EACH_ISA(isa)
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
    uint8_t *again = fuzz_memory(n);
    size_t used;

    CHECK(bbans_network_write(network, again, n, &used) == BBANS_OK);
    CHECK(used == n && fuzz_same(again, file, n));
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

/* A seed of the values of inputs, and a file. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bbans_network_file network;
    uint8_t *file;

    if (size < 5)
        return 0;
    fuzz_random(data[0]);
    size--;
    file = fuzz_copy(data + 1, size);
    bbans_store(file + size - 4, bbans_crc32(0, file, size - 4), 4);
    if (bbans_network_parse(&network, file, size) == BBANS_OK) {
        const size_t n = bbans_network_memory_bytes(&network);
        void *memory = fuzz_memory(n);

        CHECK(n > 0 && n <= 2 * size + 1000);
        if (bbans_network_build(&network, memory, n) == BBANS_OK) {
            write_again(network.network, file, size);
            if (is_small(network.network))
                run(network.network);
        }
        free(memory);
    }
    free(file);
    return 0;
}

size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    static nodes net;
    bbans_network network;
    size_t n;

    fuzz_random(k);
    data[0] = (uint8_t)k;
    do
        random_network(&net, &network);
    while (bbans_network_write(&network, data + 1, cap - 1, &n) != BBANS_OK);
    return n + 1;
}
