/* The message, its tables and its wire format: exact inverses on any state, and
 * refusals that change nothing.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

#define LANES 5
#define CAP 64

typedef struct {
    bbans_message msg;
    uint64_t head[LANES];
    uint32_t tail[CAP];
} owned;

static void random_message(owned *m, size_t lanes)
{
    size_t i;

    CHECK(bbans_message_init(&m->msg, m->head, lanes, m->tail, CAP) ==
          BBANS_OK);
    m->msg.tail_len = below(3) == 0 ? 0 : below(CAP / 2);
    if (lanes > 1 && m->msg.tail_len < 2 * lanes)
        m->msg.tail_len = 2 * lanes;
    for (i = 0; i < m->msg.tail_len; i++)
        m->tail[i] = (uint32_t)random_bits();
    for (i = 0; i < lanes; i++) {
        const unsigned least = lanes > 1 || m->msg.tail_len > 0 ? 31 : 0;
        const unsigned top = least + below(63 - least);

        m->head[i] =
            ((uint64_t)1 << top) | (random_bits() & (((uint64_t)1 << top) - 1));
        if (below(8) == 0) /* the ends of the range */
            m->head[i] =
                below(2) ? ((uint64_t)1 << 63) - 1 : (uint64_t)1 << least;
    }
    CHECK(bbans_message_check(&m->msg) == BBANS_OK);
}

static int same(const owned *a, const owned *b)
{
    return a->msg.tail_len == b->msg.tail_len &&
           memcmp(a->head, b->head, a->msg.lanes * sizeof *a->head) == 0 &&
           memcmp(a->tail, b->tail, a->msg.tail_len * sizeof *a->tail) == 0;
}

static void copy(owned *to, const owned *from)
{
    *to = *from;
    to->msg.head = to->head;
    to->msg.tail = to->tail;
}

static uint32_t random_total(void)
{
    static const uint32_t edges[] = {
        1, 2, 3, 255, 256, 65535, 65536, BBANS_TOTAL_MAX - 1, BBANS_TOTAL_MAX};

    return below(3) == 0 ? edges[below(9)]
                         : 1 + (uint32_t)(random_bits() % BBANS_TOTAL_MAX) /
                                   (1u << below(28));
}

static void test_inverses(void)
{
    int trial;

    for (trial = 0; trial < 200000; trial++) {
        const size_t lanes = below(2) ? 1 : LANES;
        const uint32_t total = random_total();
        uint32_t start[LANES], freq[LANES], slot[LANES];
        owned m, before;
        size_t i;

        random_message(&m, lanes);
        copy(&before, &m);
        for (i = 0; i < lanes; i++) {
            start[i] = below(total);
            freq[i] = 1 + below(total - start[i]);
        }
        CHECK(bbans_message_push(&m.msg, start, freq, total) == BBANS_OK);
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        CHECK(bbans_message_peek(&m.msg, slot, total) == BBANS_OK);
        for (i = 0; i < lanes; i++)
            CHECK(slot[i] - start[i] < freq[i]);
        CHECK(bbans_message_advance(&m.msg, start, freq, total) == BBANS_OK);
        CHECK(same(&m, &before));

        CHECK(bbans_message_peek(&m.msg, slot, total) == BBANS_OK);
        for (i = 0; i < lanes; i++) {
            start[i] = below(slot[i] + 1);
            freq[i] = slot[i] - start[i] + 1 + below(total - slot[i]);
        }
        CHECK(bbans_message_advance(&m.msg, start, freq, total) == BBANS_OK);
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        CHECK(bbans_message_push(&m.msg, start, freq, total) == BBANS_OK);
        CHECK(same(&m, &before));
    }
}

static void test_arrays(void)
{
    static const uint32_t cdf[2][5] = {{0, 1, 2, 200, 256},
                                       {0, 60, 70, 255, 256}};
    bbans_table table;
    int trial;

    table.cdf = cdf[0];
    table.rows = 2;
    table.symbols = 4;
    table.prec = 8;
    CHECK(bbans_table_check(&table) == BBANS_OK);
    for (trial = 0; trial < 20000; trial++) {
        const size_t lanes = below(2) ? 1 : LANES;
        const size_t n = below(16);
        uint32_t row[16], symbol[16], again[16], weight[16][3];
        owned m, before;
        size_t i;

        random_message(&m, lanes);
        copy(&before, &m);
        for (i = 0; i < n; i++) {
            row[i] = below(2);
            symbol[i] = below(4);
            weight[i][0] = below(1000);
            weight[i][1] = 1 + below(1u << 27);
            weight[i][2] = below(3);
        }
        CHECK(bbans_message_push_symbols(&m.msg, &table, row, symbol, n) == 0);
        CHECK(bbans_message_pop_symbols(&m.msg, &table, row, again, n) == 0);
        CHECK(same(&m, &before) && memcmp(symbol, again, 4 * n) == 0);

        CHECK(bbans_message_push_uniform(&m.msg, 4, symbol, n) == 0);
        CHECK(bbans_message_pop_uniform(&m.msg, 4, again, n) == 0);
        CHECK(same(&m, &before) && memcmp(symbol, again, 4 * n) == 0);

        /* A pop that runs dry leaves the message as it was. */
        if (bbans_message_pop_weighted(&m.msg, weight[0], 3, symbol, n) == 0)
            CHECK(bbans_message_push_weighted(&m.msg, weight[0], 3, symbol,
                                              n) == 0);
        CHECK(same(&m, &before));
    }
}

static void test_underflow_is_undone(void)
{
    static const uint32_t cdf[] = {0, 1, 256};
    uint32_t symbol[200];
    bbans_table table;
    owned m, before;

    table.cdf = cdf;
    table.rows = 1;
    table.symbols = 2;
    table.prec = 8;
    CHECK(bbans_message_init(&m.msg, m.head, 3, m.tail, CAP) == BBANS_OK);
    m.head[1] = UINT64_C(0x123456789abcdef);
    copy(&before, &m);
    CHECK(bbans_message_pop_uniform(&m.msg, 256, symbol, 200) ==
          BBANS_ERR_UNDERFLOW);
    CHECK(same(&m, &before));
    CHECK(bbans_message_pop_symbols(&m.msg, &table, NULL, symbol, 200) ==
          BBANS_ERR_UNDERFLOW);
    CHECK(same(&m, &before));
}

static void test_refusals(void)
{
    static const uint32_t bad_cdf[] = {0, 7, 7, 16};
    static const uint32_t zero = 0, one = 1;
    uint32_t symbol[CAP + 1] = {0};
    uint64_t head;
    uint32_t word;
    bbans_table table;
    owned m, before;
    int status;

    for (status = 0; status >= -15; status--)
        CHECK(bbans_status_text(status)[0] != 'u');
    CHECK(bbans_status_text(-16)[0] == 'u');
    random_message(&m, 1);
    copy(&before, &m);
    CHECK(bbans_message_push(NULL, &zero, &one, 4) == BBANS_ERR_NULL);
    CHECK(bbans_message_push(&m.msg, &zero, &zero, 4) == BBANS_ERR_INTERVAL);
    CHECK(bbans_message_push(&m.msg, &one, &one, 1) == BBANS_ERR_INTERVAL);
    CHECK(bbans_message_push(&m.msg, &zero, &one, 0) == BBANS_ERR_TOTAL);
    CHECK(bbans_message_push(&m.msg, &zero, &one, BBANS_TOTAL_MAX + 1) ==
          BBANS_ERR_TOTAL);
    CHECK(bbans_message_push_uniform(&m.msg, 2, symbol, CAP + 1) ==
          BBANS_ERR_CAPACITY);
    symbol[0] = 2;
    CHECK(bbans_message_push_uniform(&m.msg, 2, symbol, 1) == BBANS_ERR_SYMBOL);
    CHECK(bbans_message_push_weighted(&m.msg, &zero, 1, &zero, 1) ==
          BBANS_ERR_TOTAL);
    CHECK(same(&m, &before));
    table.cdf = bad_cdf;
    table.rows = 1;
    table.symbols = 3;
    table.prec = 4;
    CHECK(bbans_table_check(&table) == BBANS_ERR_TABLE);
    table.prec = 29;
    CHECK(bbans_table_check(&table) == BBANS_ERR_PRECISION);
    CHECK(bbans_message_init(&m.msg, &head, 0, &word, 1) == BBANS_ERR_STATE);
}

static void test_wire(void)
{
    int trial;

    for (trial = 0; trial < 20000; trial++) {
        const size_t lanes = below(2) ? 1 : LANES;
        uint8_t bytes[4 * CAP + 8 * LANES];
        size_t n, size, i;
        owned m, back;

        random_message(&m, lanes);
        CHECK(bbans_wire_size(&m.msg, &size) == BBANS_OK);
        CHECK(size == 0 || bbans_wire_write(&m.msg, bytes, size - 1, &n) ==
                               BBANS_ERR_CAPACITY);
        CHECK(bbans_wire_write(&m.msg, bytes, size, &n) == BBANS_OK &&
              n == size);
        CHECK(bbans_message_init(&back.msg, back.head, lanes, back.tail, CAP) ==
              BBANS_OK);
        CHECK(bbans_wire_read(&back.msg, bytes, n) == BBANS_OK);
        CHECK(same(&m, &back));

        /* Any bytes that do not end in 0 are exactly one message. */
        n = below(40);
        for (i = 0; i < n; i++)
            bytes[i] = (uint8_t)random_bits();
        CHECK(bbans_message_init(&back.msg, back.head, 1, back.tail, CAP) ==
              BBANS_OK);
        if (n > 0 && bytes[n - 1] == 0) {
            CHECK(bbans_wire_read(&back.msg, bytes, n) == BBANS_ERR_CORRUPT);
        } else {
            uint8_t again[40];

            CHECK(bbans_wire_read(&back.msg, bytes, n) == BBANS_OK);
            CHECK(bbans_message_check(&back.msg) == BBANS_OK);
            CHECK(bbans_wire_write(&back.msg, again, 40, &size) == BBANS_OK);
            CHECK(size == n && memcmp(bytes, again, n) == 0);
        }
    }
}

/* An empty array may be NULL. */
static void test_nothing(void)
{
    uint64_t head = 0;
    bbans_message msg;
    size_t n = 1;

    CHECK(bbans_message_init(&msg, &head, 1, NULL, 0) == BBANS_OK);
    CHECK(bbans_wire_read(&msg, NULL, 0) == BBANS_OK && head == 0);
    CHECK(bbans_wire_write(&msg, NULL, 0, &n) == BBANS_OK && n == 0);
    CHECK(bbans_message_push_uniform(&msg, 2, NULL, 0) == BBANS_OK);
    CHECK(bbans_message_pop_uniform(&msg, 2, NULL, 0) == BBANS_OK);
}

int main(void)
{
    test_nothing();
    test_inverses();
    test_arrays();
    test_underflow_is_undone();
    test_refusals();
    test_wire();
    printf("test_message: ok\n");
    return 0;
}
