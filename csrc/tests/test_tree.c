/* Latent trees: tables that are refused, and exact inverses over any message.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"
#include "costs.h"

#include <string.h>

#define NODES_MAX 12
#define STATES_MAX 20
#define SYMBOLS_MAX 6
#define ROWS 7
#define TABLES_MAX                                                             \
    (12 * NODES_MAX + 2 * STATES_MAX * (1 + NODES_MAX * STATES_MAX) +          \
     4 * STATES_MAX * SYMBOLS_MAX * NODES_MAX)

/* Tables at an address that nothing is aligned to. */
typedef struct {
    size_t nodes, states, columns, n_bytes;
    uint32_t parent[NODES_MAX], column[NODES_MAX], symbols[NODES_MAX];
    uint8_t bytes[TABLES_MAX + 1];
} tables;

static uint8_t *put(uint8_t *at, uint64_t value, size_t n)
{
    bbans_store(at, value, n);
    return at + n;
}

/* `least` or more, and the sum `total`, none of them all of it. */
static uint8_t *put_row(uint8_t *at, size_t n, uint32_t total, uint32_t least,
                        size_t n_bytes)
{
    uint32_t left = total;
    size_t k;

    for (k = 0; k + 1 < n; k++) {
        const uint32_t others = least * (uint32_t)(n - k - 1);
        uint32_t mass = least + below(left - others - least + 1);

        if (mass == total)
            mass--;
        at = put(at, mass, n_bytes);
        left -= mass;
    }
    return put(at, left, n_bytes);
}

/* Of 15 bits. */
static uint8_t *put_states(uint8_t *at, size_t states)
{
    const uint32_t first = states > 1 ? 1 + below((1 << 15) - 1) : 0;

    if (states == 1)
        return put(at, 1 << 15, 2);
    return put_row(put(at, first, 2), states - 1, (1 << 15) - first, 0, 2);
}

static void make(tables *t, unsigned prec)
{
    uint8_t *at = t->bytes + 1;
    uint32_t way[NODES_MAX];
    size_t i, z, deep = 1;

    t->nodes = 1 + below(NODES_MAX);
    t->states = 1 + below(STATES_MAX);
    t->columns = 0;
    for (i = 0; i < t->nodes; i++) {
        if (i > 0)
            deep = 1 + below((uint32_t)deep);
        t->parent[i] = i == 0 ? UINT32_MAX : way[deep - 1];
        way[i == 0 ? 0 : deep++] = (uint32_t)i;
        t->column[i] = UINT32_MAX;
        if (i + 1 == t->nodes || below(3) > 0)
            t->column[i] = (uint32_t)t->columns++;
    }
    for (i = 0; i < t->columns; i++) {
        t->symbols[i] = 1 + below(SYMBOLS_MAX);
        at = put(at, t->symbols[i], 4);
    }
    for (i = 0; i < t->nodes; i++)
        at = put(at, t->parent[i], 4);
    for (i = 0; i < t->nodes; i++)
        at = put(at, t->column[i], 4);
    for (i = 0; i < 1 + (t->nodes - 1) * t->states; i++)
        at = put_states(at, t->states);
    for (i = 0; i < t->columns; i++)
        for (z = 0; z < t->states; z++)
            at = put_row(at, t->symbols[i], (uint32_t)1 << prec, 1, 4);
    t->n_bytes = (size_t)(at - t->bytes) - 1;
}

static bbans_status init(bbans_tree *tree, const tables *t, unsigned prec,
                         void **memory)
{
    const size_t bytes = bbans_tree_bytes(t->nodes, t->states, t->columns,
                                          t->bytes + 1, t->n_bytes);

    CHECK(bytes > 0);
    *memory = malloc(bytes);
    CHECK(*memory != NULL);
    CHECK(bbans_tree_init(tree, t->nodes, t->states, t->columns, prec, 2, 50,
                          t->bytes + 1, t->n_bytes, *memory,
                          bytes - 1) == BBANS_ERR_CAPACITY);
    return bbans_tree_init(tree, t->nodes, t->states, t->columns, prec, 2, 50,
                           t->bytes + 1, t->n_bytes, *memory, bytes);
}

/* Whatever is on the message: rows that are popped, pushed again, leave it as
 * it was; and rows that are encoded decode. */
static void inverses(bbans_state_space *space)
{
    const size_t words =
        bbans_sequence_tail_words(space, ROWS) + ROWS * space->pop_words + 200;
    const size_t work_bytes = bbans_sequence_work_bytes(space, ROWS, ROWS);
    const size_t x_bytes = ROWS * space->observation_bytes;
    uint32_t *tail = malloc(4 * words), before[100];
    void *work = malloc(work_bytes);
    int32_t *x = malloc(x_bytes), *y = malloc(x_bytes);
    uint64_t head, first;
    bbans_message msg;
    size_t i;

    CHECK(tail != NULL && work != NULL && x != NULL && y != NULL);
    CHECK(bbans_message_init(&msg, &head, 1, tail, words) == BBANS_OK);
    for (i = 0; i < 100; i++)
        tail[i] = before[i] = (uint32_t)random_bits();
    msg.tail_len = 100;
    head = first = BBANS_HEAD_MIN | random_bits() >> 2;
    CHECK(bbans_sequence_pop(space, &msg, x, ROWS, work, work_bytes) ==
          BBANS_OK);
    CHECK(bbans_sequence_push(space, &msg, x, ROWS, work, work_bytes) ==
          BBANS_OK);
    CHECK(msg.tail_len == 100 && head == first);
    CHECK(memcmp(tail, before, sizeof before) == 0);
    CHECK(bbans_sequence_encode(space, x, ROWS, work, work_bytes, &msg) ==
          BBANS_OK);
    CHECK(bbans_sequence_decode(space, &msg, y, ROWS, work, work_bytes) ==
          BBANS_OK);
    CHECK(memcmp(x, y, x_bytes) == 0);
    check_costs(space, x, ROWS);
    x[below((uint32_t)(x_bytes / 4))] = below(2) ? -1 : SYMBOLS_MAX;
    CHECK(bbans_sequence_push(space, &msg, x, ROWS, work, work_bytes) ==
          BBANS_ERR_SYMBOL);
    free(tail);
    free(work);
    free(x);
    free(y);
}

static void test_inverses(void)
{
    static tables t;
    int trial;

    for (trial = 0; trial < 200; trial++) {
        const unsigned prec = 3 + below(26);
        bbans_tree tree;
        void *memory;

        make(&t, prec);
        CHECK(init(&tree, &t, prec, &memory) == BBANS_OK);
        tree.space.predictive = trial % 2;
        inverses(&tree.space);
        free(memory);
    }
}

/* A chain 0 .. 3 of two states, with a value at each node. */
static void make_chain(tables *t)
{
    uint8_t *at = t->bytes + 1;
    size_t i;

    t->nodes = t->columns = 4;
    t->states = 2;
    for (i = 0; i < 4; i++)
        at = put(at, 2, 4);
    for (i = 0; i < 4; i++)
        at = put(at, i == 0 ? UINT32_MAX : i - 1, 4);
    for (i = 0; i < 4; i++)
        at = put(at, i, 4);
    for (i = 0; i < 14; i++)
        at = put(at, 1 << 14, 2);
    for (i = 0; i < 16; i++)
        at = put(at, 1 << 9, 4);
    t->n_bytes = (size_t)(at - t->bytes) - 1;
}

static void test_refusals(void)
{
    static const struct {
        size_t at, n;
        uint32_t value;
        bbans_status status;
    } cases[] = {{16, 4, UINT32_MAX, BBANS_OK},
                 {16, 4, 0, BBANS_ERR_TABLE}, /* no root */
                 {20, 4, 1, BBANS_ERR_TABLE}, /* its own parent */
                 {24, 4, 0, BBANS_OK},        /* 1 and 2 are children of 0 */
                 {28, 4, 0, BBANS_OK},
                 {28, 4, 4, BBANS_ERR_TABLE},
                 {28, 4, UINT32_MAX, BBANS_ERR_TABLE}, /* two roots */
                 {32, 4, 1, BBANS_ERR_TABLE},          /* column 1 twice */
                 {32, 4, 4, BBANS_ERR_TABLE},
                 {32, 4, UINT32_MAX, BBANS_ERR_TABLE}, /* column 0 nowhere */
                 {48, 4, 1u << 15, BBANS_ERR_TABLE},   /* all of a row */
                 {48, 2, 1, BBANS_ERR_TABLE},          /* no sum of 2^15 */
                 {48, 4, 1 | 0x7FFFu << 16, BBANS_OK},
                 {76, 4, 0, BBANS_ERR_TABLE},
                 {76, 4, 1 << 10, BBANS_ERR_TABLE},
                 {80, 4, UINT32_MAX, BBANS_ERR_TABLE}};
    static tables t;
    bbans_tree tree;
    void *memory;
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        make_chain(&t);
        (void)put(t.bytes + 1 + cases[i].at, cases[i].value, cases[i].n);
        CHECK(init(&tree, &t, 10, &memory) == cases[i].status);
        free(memory);
    }
    /* Node 3 hangs at node 1, which is done with once node 2 hangs at 0. */
    make_chain(&t);
    (void)put(t.bytes + 1 + 24, 0, 4);
    (void)put(t.bytes + 1 + 28, 1, 4);
    CHECK(init(&tree, &t, 10, &memory) == BBANS_ERR_TABLE);
    free(memory);
    CHECK(bbans_tree_bytes(4, 2, 4, t.bytes + 1, t.n_bytes - 1) == 0);
    CHECK(bbans_tree_bytes(4, 2, 5, t.bytes + 1, t.n_bytes) == 0);
    CHECK(bbans_tree_bytes(0, 2, 4, t.bytes + 1, t.n_bytes) == 0);
    CHECK(bbans_tree_bytes(4, BBANS_STATES_MAX + 1, 4, t.bytes + 1,
                           t.n_bytes) == 0);
    CHECK(bbans_tree_bytes(4, 2, 4, NULL, t.n_bytes) == 0);
    (void)put(t.bytes + 1, 0, 4);
    CHECK(bbans_tree_bytes(4, 2, 4, t.bytes + 1, t.n_bytes) == 0);
}

/* The status of a file of kind bytes, of a tree of one column. */
static bbans_status write_of_bytes(uint32_t symbols)
{
    static uint64_t memory[1 << 12];
    uint8_t table[20 + 4 * 300], file[1 << 11], *at = table;
    bbans_tree tree;
    size_t n;

    at = put(at, symbols, 4);
    at = put(at, UINT32_MAX, 4); /* no parent, column 0 */
    at = put(at, 0, 4);
    at = put_row(put_states(at, 1), symbols, 1 << 12, 1, 4);
    CHECK(bbans_tree_init(&tree, 1, 1, 1, 12, 2, 50, table,
                          (size_t)(at - table), memory,
                          sizeof memory) == BBANS_OK);
    return bbans_model_write(&tree.space, BBANS_KIND_BYTES, NULL, 0, file,
                             sizeof file, &n);
}

int main(void)
{
    bbans_isa_use(BBANS_ISA_BEST);
    test_inverses();
    test_refusals();
    CHECK(write_of_bytes(256) == BBANS_OK);
    CHECK(write_of_bytes(257) == BBANS_ERR_SYMBOL);
    printf("test_tree: ok\n");
    return 0;
}
