/* Fuzz latent trees: the input makes one, and rows.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"

#define NODES_MOST 7
#define STATES_MOST 5
#define SYMBOLS_MOST 5
#define LENGTH_MOST 8
#define PREC 12
#define TABLES_MOST                                                            \
    (12 * NODES_MOST + 2 * STATES_MOST * (1 + NODES_MOST * STATES_MOST) +      \
     4 * STATES_MOST * SYMBOLS_MOST * NODES_MOST)

const size_t fuzz_size_most = 400;

static uint8_t *put(uint8_t *at, uint64_t value, size_t n)
{
    bbans_store(at, value, n);
    return at + n;
}

/* Masses of n_bytes each; those of states may be 0, but none is all of 2^15
 * where there are several. */
static uint8_t *put_row(fuzz_input *in, uint8_t *at, size_t n, uint32_t total,
                        uint32_t less, size_t n_bytes)
{
    uint32_t mass[STATES_MOST + SYMBOLS_MOST];
    size_t k;

    fuzz_masses(in, mass, n, total + less * (uint32_t)n);
    for (k = 0; k < n; k++)
        mass[k] -= less;
    for (k = 0; less > 0 && n > 1 && k < n; k++)
        if (mass[k] == total) {
            mass[k]--;
            mass[(k + 1) % n]++;
            break;
        }
    for (k = 0; k < n; k++)
        at = put(at, mass[k], n_bytes);
    return at;
}

typedef struct {
    size_t nodes, states, columns;
    uint32_t symbols[NODES_MOST];
} shape;

/* A parent is the node before, or one above that. */
static uint8_t *put_tree(fuzz_input *in, uint8_t *at, shape *s)
{
    uint32_t way[NODES_MOST], parent[NODES_MOST], column[NODES_MOST];
    size_t deep = 1, i;

    s->nodes = 1 + fuzz_below(in, NODES_MOST);
    s->states = 1 + fuzz_below(in, STATES_MOST);
    s->columns = 0;
    for (i = 0; i < s->nodes; i++) {
        if (i > 0)
            deep = 1 + fuzz_below(in, (uint32_t)deep);
        parent[i] = i == 0 ? UINT32_MAX : way[deep - 1];
        way[i == 0 ? 0 : deep++] = (uint32_t)i;
        column[i] = UINT32_MAX;
        if (i + 1 == s->nodes || fuzz_below(in, 3) > 0)
            column[i] = (uint32_t)s->columns++;
    }
    for (i = 0; i < s->columns; i++) {
        s->symbols[i] = 1 + fuzz_below(in, SYMBOLS_MOST);
        at = put(at, s->symbols[i], 4);
    }
    for (i = 0; i < s->nodes; i++)
        at = put(at, parent[i], 4);
    for (i = 0; i < s->nodes; i++)
        at = put(at, column[i], 4);
    return at;
}

static size_t put_tables(fuzz_input *in, uint8_t *tables, shape *s)
{
    uint8_t *at = put_tree(in, tables, s);
    size_t i, z;

    for (i = 0; i < 1 + (s->nodes - 1) * s->states; i++)
        at = put_row(in, at, s->states, 1 << 15, 1, 2);
    for (i = 0; i < s->columns; i++)
        for (z = 0; z < s->states; z++)
            at = put_row(in, at, s->symbols[i], 1 << PREC, 0, 4);
    return (size_t)(at - tables);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const size_t start_length = 1 + fuzz_below(&in, LENGTH_MOST);
    const unsigned start_bits = fuzz_below(&in, 200);
    const int damaged = fuzz_below(&in, 8) == 0;
    const size_t n = fuzz_below(&in, LENGTH_MOST + 1);
    uint8_t room[TABLES_MOST], *tables;
    shape s;
    const size_t n_tables = put_tables(&in, room, &s);
    size_t memory_bytes, i;
    bbans_status status;
    bbans_tree tree;
    void *memory;
    int32_t *x;

    if (damaged)
        room[fuzz_below(&in, (uint32_t)n_tables)] = (uint8_t)fuzz_bits(&in, 1);
    tables = fuzz_copy(room, n_tables);
    memory_bytes =
        bbans_tree_bytes(s.nodes, s.states, s.columns, tables, n_tables);
    memory = fuzz_memory(memory_bytes);
    x = fuzz_memory(4 * n * s.columns);
    for (i = 0; i < n * s.columns; i++) /* one in a while is out of range */
        x[i] = (int32_t)fuzz_below(&in, s.symbols[i % s.columns]) -
               (i == 5 && fuzz_below(&in, 8) == 1);
    status =
        bbans_tree_init(&tree, s.nodes, s.states, s.columns, PREC, start_length,
                        start_bits, tables, n_tables, memory, memory_bytes);
    CHECK(status == BBANS_OK || damaged);
    if (status == BBANS_OK)
        fuzz_engine(&in, &tree.space, x, n);
    free(tables);
    free(memory);
    free(x);
    return 0;
}
