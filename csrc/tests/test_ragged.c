/* Ragged tables: arrays are the intervals that they list, value by value; exact
 * inverses in both orders on any message, with many escapes and without;
 * refusals that change nothing; ranges with ends of their own; positions of the
 * range coder.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

#define LANES_MAX 19
#define N 300
#define ROWS 6
#define SYMBOLS 40
#define CAP (64 + 5 * N)

typedef struct {
    bbans_message msg;
    uint64_t head[LANES_MAX];
    uint32_t tail[CAP];
} owned;

static void random_message(owned *m, size_t lanes, size_t words)
{
    size_t i;

    CHECK(bbans_message_init(&m->msg, m->head, lanes, m->tail, CAP) ==
          BBANS_OK);
    m->msg.tail_len = words;
    for (i = 0; i < words; i++)
        m->tail[i] = (uint32_t)random_bits();
    for (i = 0; i < lanes; i++)
        m->head[i] = ((uint64_t)1 << 31) | random_bits() >> (1 + below(32));
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

/* ---- Tables -------------------------------------------------------------- */

typedef struct {
    bbans_ragged ragged;
    uint32_t cdf[ROWS * (SYMBOLS + 1)], symbols[ROWS];
    int64_t offset[ROWS];
    uint64_t memory[ROWS * (sizeof(bbans_ragged_row) / 8 + 128)];
} table;

static int64_t random_i64(void)
{
    const int64_t v = (int64_t)(random_bits() >> 1) >> below(63);

    return below(2) ? v : -1 - v;
}

/* Edges that rise from 0 to 2^prec. */
static void random_edges(uint32_t *edge, uint32_t symbols, unsigned prec)
{
    uint32_t left = ((uint32_t)1 << prec) - symbols, k;

    edge[0] = 0;
    for (k = 1; k < symbols; k++) {
        const uint32_t more = below(2) ? left >> below(20) : left / 2;

        edge[k] = edge[k - 1] + 1 + more;
        left -= more;
    }
    edge[symbols] = (uint32_t)1 << prec;
}

static void random_table(table *t, int escape)
{
    const unsigned prec = 6 + below(23);
    const size_t rows = 1 + below(ROWS);
    uint32_t *edge = t->cdf;
    size_t i;

    for (i = 0; i < rows; edge += t->symbols[i++] + 1) {
        t->symbols[i] = 1 + below(SYMBOLS);
        t->offset[i] = random_i64();
        if (t->offset[i] > INT64_MAX - SYMBOLS)
            t->offset[i] = INT64_MAX - (int64_t)t->symbols[i];
        random_edges(edge, t->symbols[i], prec);
    }
    CHECK(bbans_ragged_bytes(t->symbols, rows, prec) <= sizeof t->memory);
    CHECK(bbans_ragged_init(&t->ragged, prec, escape, t->cdf, t->symbols,
                            t->offset, rows, t->memory,
                            sizeof t->memory) == BBANS_OK);
}

/* Any value that the row has. */
static int64_t value_of(const table *t, size_t row)
{
    const uint32_t inside = t->symbols[row] - (uint32_t)t->ragged.escape;

    if (t->ragged.escape && (inside == 0 || below(4) == 0)) {
        if (below(4) == 0)
            return below(2) ? INT64_MIN : INT64_MAX;
        return below(2) ? random_i64() : t->offset[row] - below(2);
    }
    return t->offset[row] + (int64_t)below(inside);
}

/* ---- Arrays -------------------------------------------------------------- */

static void push_listed(owned *m, const bbans_distribution *d,
                        const int64_t *value, size_t n)
{
    uint32_t start[LANES_MAX], freq[LANES_MAX];
    bbans_interval list[5];
    size_t k, lane, at, listed;

    while (n-- > 0) {
        bbans_distribution one = *d;

        if (one.array[0].data != NULL)
            one.array[0].data = (const uint8_t *)one.array[0].data + n;
        CHECK(bbans_distribution_list(&one, value + n, BBANS_I64, 1, list, 5,
                                      &listed, &at) == BBANS_OK);
        for (k = listed; k-- > 0;) {
            for (lane = 0; lane < m->msg.lanes; lane++) {
                const int here = lane == n % m->msg.lanes;

                start[lane] = here ? list[k].start : 0;
                freq[lane] = here ? list[k].freq : list[k].total;
            }
            CHECK(bbans_message_push_intervals(&m->msg, start, freq,
                                               list[k].total) == BBANS_OK);
        }
    }
}

static void check_arrays(void)
{
    static const size_t all_lanes[] = {1, 2, 5, 8, 16, 19};
    static int64_t value[N], found[N];
    static uint8_t row[N];
    static owned m, before, listed;
    static table t;
    bbans_distribution d;
    unsigned round;
    size_t i;

    for (round = 0; round < 800; round++) {
        const size_t lanes = all_lanes[below(6)], n = below(N + 1);
        const int with_rows = below(8) > 0;
        bbans_status status;

        random_table(&t, (int)below(2));
        for (i = 0; i < n; i++) {
            row[i] = (uint8_t)(with_rows ? below((uint32_t)t.ragged.rows) : 0);
            value[i] = value_of(&t, row[i]);
        }
        CHECK(bbans_distribution_init_ragged(
                  &d, &t.ragged,
                  bbans_array_of(with_rows ? row : NULL, BBANS_U8)) ==
              BBANS_OK);
        CHECK(d.words == (t.ragged.escape ? 5 : 1));
        random_message(&m, lanes, below(64));
        copy(&before, &m);
        copy(&listed, &m);
        CHECK(bbans_message_push(&m.msg, &d, value, BBANS_I64, n) == BBANS_OK);
        push_listed(&listed, &d, value, n);
        CHECK(same(&m, &listed));
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        CHECK(bbans_message_pop(&m.msg, &d, found, BBANS_I64, n) == BBANS_OK);
        CHECK(n == 0 || memcmp(found, value, n * sizeof *value) == 0);
        CHECK(same(&m, &before));
        status = bbans_message_pop(&m.msg, &d, found, BBANS_I64, n);
        if (status == BBANS_OK)
            CHECK(bbans_message_push(&m.msg, &d, found, BBANS_I64, n) ==
                  BBANS_OK);
        else
            CHECK(status == BBANS_ERR_UNDERFLOW && lanes > 1);
        CHECK(same(&m, &before));
        /* What a type does not hold is refused. */
        status = bbans_message_pop(&m.msg, &d, found, BBANS_I8, n);
        if (status != BBANS_OK)
            CHECK(same(&m, &before));
        copy(&m, &before);
        if (n == 0)
            continue;
        if (!t.ragged.escape) {
            const size_t bad = below((uint32_t)n);
            const size_t r = row[bad];

            value[bad] = below(2) ? t.offset[r] + (int64_t)t.symbols[r]
                                  : t.offset[r] - 1;
            if (t.offset[r] > INT64_MIN)
                CHECK(bbans_message_push(&m.msg, &d, value, BBANS_I64, n) ==
                      BBANS_ERR_SYMBOL);
            value[bad] = t.offset[r];
            CHECK(same(&m, &before));
        }
        m.msg.tail_cap = m.msg.tail_len + n * d.words - 1;
        CHECK(bbans_message_push(&m.msg, &d, value, BBANS_I64, n) ==
              BBANS_ERR_CAPACITY);
        m.msg.tail_cap = CAP;
        CHECK(bbans_message_push(&m.msg, &d, value, BBANS_U64, n) ==
              BBANS_ERR_TYPE);
        CHECK(bbans_message_push(&m.msg, &d, value, BBANS_F64, n) ==
              BBANS_ERR_TYPE);
        if (with_rows) {
            const size_t bad = below((uint32_t)n);

            row[bad] = (uint8_t)t.ragged.rows;
            CHECK(bbans_message_push(&m.msg, &d, value, BBANS_I64, n) ==
                  BBANS_ERR_SYMBOL);
            CHECK(same(&m, &before));
            status = bbans_message_pop(&m.msg, &d, found, BBANS_I64, n);
            CHECK(status == BBANS_ERR_SYMBOL || status == BBANS_ERR_UNDERFLOW);
        }
        CHECK(same(&m, &before));
    }
}

/* ---- The range coder ----------------------------------------------------- */

#define PARTS 6
#define PART (N / PARTS)

/* Parts of an array, each found again from its position, in any order. */
static void check_positions(void)
{
    static uint8_t bytes[8 + 4 * 5 * N];
    static int64_t value[N], found[N];
    static owned m;
    static table t;
    bbans_range_position at[PARTS], there;
    bbans_range_encoder enc;
    bbans_range_decoder dec, before;
    bbans_distribution d;
    unsigned round;
    size_t i, k, refused;

    for (round = 0; round < 500; round++) {
        random_table(&t, (int)below(2));
        CHECK(bbans_distribution_init_ragged(
                  &d, &t.ragged, bbans_array_of(NULL, 0)) == BBANS_OK);
        for (i = 0; i < N; i++) /* often one that adds nothing */
            value[i] = round % 3 > 0 ? value_of(&t, 0) : t.offset[0];
        CHECK(bbans_range_encoder_init(&enc, bytes, sizeof bytes) == BBANS_OK);
        for (k = 0; k < PARTS; k++) {
            CHECK(bbans_range_tell(&enc, &at[k]) == BBANS_OK);
            CHECK(bbans_range_encode(&enc, &d, value + k * PART, BBANS_I64,
                                     PART) == BBANS_OK);
        }
        random_message(&m, 1, 0);
        CHECK(bbans_range_finish(&enc, &m.msg) == BBANS_OK);
        CHECK(bbans_range_tell(&enc, &there) == BBANS_ERR_STATE);
        CHECK(bbans_range_decoder_init(&dec, &m.msg) == BBANS_OK);
        for (i = 0; i < 3 * PARTS; i++) {
            k = i < PARTS ? i : below(PARTS);
            if (i >= PARTS)
                CHECK(bbans_range_seek(&dec, &at[k]) == BBANS_OK);
            CHECK(bbans_range_tell_decoded(&dec, &there) == BBANS_OK);
            CHECK(there.bytes == at[k].bytes && there.low == at[k].low &&
                  there.range == at[k].range);
            CHECK(bbans_range_decode(&dec, &d, found, BBANS_I64, PART) ==
                  BBANS_OK);
            CHECK(memcmp(found, value + k * PART, PART * sizeof *found) == 0);
            CHECK(k < PARTS - 1 || bbans_range_check(&dec) == BBANS_OK);
        }
        before = dec;
        there.low = (uint64_t)1 << 63;
        CHECK(bbans_range_seek(&dec, &there) == BBANS_ERR_STATE);
        there = at[1];
        there.range = 0;
        CHECK(bbans_range_seek(&dec, &there) == BBANS_ERR_STATE);
        there = at[1];
        there.bytes = SIZE_MAX;
        CHECK(bbans_range_seek(&dec, &there) == BBANS_ERR_STATE);
        there = at[1];
        there.range = (uint64_t)1 << 55; /* of four, one at most is inside */
        for (k = refused = 0; k < 4; k++) {
            there.low = at[1].low ^ (uint64_t)k << 61;
            if (bbans_range_seek(&dec, &there) == BBANS_ERR_CORRUPT)
                refused++;
            else
                dec = before;
        }
        CHECK(refused >= 3);
        CHECK(memcmp(&dec, &before, sizeof dec) == 0);
    }
    CHECK(bbans_range_tell(NULL, &there) == BBANS_ERR_NULL);
    CHECK(bbans_range_tell_decoded(&dec, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_range_seek(&dec, NULL) == BBANS_ERR_NULL);
}

/* ---- Ranges -------------------------------------------------------------- */

static void check_ranges(void)
{
    static int64_t low[N], high[N], value[N], found[N];
    static owned m, before;
    bbans_distribution d;
    unsigned round;
    size_t i;

    for (round = 0; round < 500; round++) {
        const size_t lanes = below(2) ? 1 : 5, n = 1 + below(N);

        for (i = 0; i < n; i++) {
            low[i] = below(8) == 0 ? INT64_MIN : random_i64();
            high[i] = below(8) == 0 ? INT64_MAX : random_i64();
            if (low[i] > high[i]) {
                const int64_t other = low[i];

                low[i] = high[i];
                high[i] = other;
            }
            value[i] = below(2) ? low[i] : high[i];
        }
        CHECK(bbans_distribution_init_ranges(&d, bbans_array_of(low, BBANS_I64),
                                             bbans_array_of(high, BBANS_I64)) ==
              BBANS_OK);
        random_message(&m, lanes, 64);
        copy(&before, &m);
        CHECK(bbans_message_push(&m.msg, &d, value, BBANS_I64, n) == BBANS_OK);
        CHECK(bbans_message_pop(&m.msg, &d, found, BBANS_I64, n) == BBANS_OK);
        CHECK(memcmp(found, value, n * sizeof *value) == 0);
        CHECK(same(&m, &before));
        i = below((uint32_t)n);
        if (high[i] < INT64_MAX) {
            value[i] = high[i] + 1;
            CHECK(bbans_message_push(&m.msg, &d, value, BBANS_I64, n) ==
                  BBANS_ERR_SYMBOL);
            low[i] = value[i];
            CHECK(bbans_message_push(&m.msg, &d, value, BBANS_I64, n) ==
                  BBANS_ERR_SYMBOL);
            CHECK(bbans_message_pop(&m.msg, &d, found, BBANS_I64, n) !=
                  BBANS_OK);
        }
        CHECK(same(&m, &before));
    }
    CHECK(bbans_distribution_init_ranges(&d, bbans_array_of(low, BBANS_I32),
                                         bbans_array_of(high, BBANS_I64)) ==
          BBANS_ERR_TYPE);
    CHECK(bbans_distribution_init_ranges(NULL, bbans_array_of(low, BBANS_I64),
                                         bbans_array_of(high, BBANS_I64)) ==
          BBANS_ERR_NULL);
}

/* ---- Tables that are none ------------------------------------------------ */

static void check_tables(void)
{
    static uint64_t memory[256];
    static const uint32_t cdf[] = {0, 3, 16, 0, 16}, symbols[] = {2, 1};
    const int64_t offset[] = {INT64_MAX - 2, INT64_MIN + 1};
    const int64_t beyond[] = {INT64_MAX - 1, 0}, alone[] = {0, INT64_MIN};
    const uint32_t none[] = {0, 1}, many[] = {17, 1};
    uint32_t edge[5];
    bbans_ragged r;
    bbans_distribution d;
    size_t k;

#define INIT(prec, cdf, symbols, offset, rows, bytes)                          \
    bbans_ragged_init(&r, prec, 1, cdf, symbols, offset, rows, memory, bytes)
    CHECK(INIT(4, cdf, symbols, offset, 2, sizeof memory) == BBANS_OK);
    CHECK(INIT(4, cdf, symbols, NULL, 2, bbans_ragged_bytes(symbols, 2, 4)) ==
          BBANS_OK);
    CHECK(INIT(4, cdf, symbols, NULL, 2,
               bbans_ragged_bytes(symbols, 2, 4) - 1) == BBANS_ERR_CAPACITY);
    CHECK(INIT(0, cdf, symbols, NULL, 2, sizeof memory) == BBANS_ERR_PRECISION);
    CHECK(INIT(29, cdf, symbols, NULL, 2, sizeof memory) ==
          BBANS_ERR_PRECISION);
    CHECK(INIT(4, cdf, symbols, NULL, 0, sizeof memory) == BBANS_ERR_SIZE);
    CHECK(INIT(4, cdf, none, NULL, 2, sizeof memory) == BBANS_ERR_SIZE);
    CHECK(INIT(4, cdf, many, NULL, 2, sizeof memory) == BBANS_ERR_SIZE);
    CHECK(INIT(4, cdf, symbols, beyond, 2, sizeof memory) == BBANS_ERR_SIZE);
    CHECK(INIT(4, cdf, symbols, alone, 2, sizeof memory) == BBANS_ERR_SIZE);
    CHECK(bbans_ragged_init(&r, 4, 0, cdf, symbols, alone, 2, memory,
                            sizeof memory) == BBANS_OK);
    CHECK(INIT(4, NULL, symbols, NULL, 2, sizeof memory) == BBANS_ERR_NULL);
    CHECK(INIT(4, cdf, NULL, NULL, 2, sizeof memory) == BBANS_ERR_NULL);
    CHECK(bbans_ragged_init(NULL, 4, 0, cdf, symbols, NULL, 2, memory,
                            sizeof memory) == BBANS_ERR_NULL);
    for (k = 0; k < 5; k++) { /* one edge at fault */
        memcpy(edge, cdf, sizeof edge);
        edge[k] = k == 1 ? 0 : edge[k] + 1;
        CHECK(INIT(4, edge, symbols, NULL, 2, sizeof memory) ==
              BBANS_ERR_TABLE);
    }
    CHECK(bbans_ragged_bytes(NULL, 2, 4) == 0);
    CHECK(bbans_ragged_bytes(symbols, 2, 29) == 0);
    CHECK(INIT(4, cdf, symbols, offset, 2, sizeof memory) == BBANS_OK);
    CHECK(bbans_distribution_init_ragged(&d, &r, bbans_array_of(cdf, 3)) ==
          BBANS_ERR_TYPE);
    CHECK(bbans_distribution_init_ragged(NULL, &r, bbans_array_of(NULL, 0)) ==
          BBANS_ERR_NULL);
    CHECK(bbans_distribution_init_ragged(&d, NULL, bbans_array_of(NULL, 0)) ==
          BBANS_ERR_NULL);
}

/* Rows of more symbols than the index counts to. */
static void check_wide_rows(void)
{
    enum { MANY = 70000 };
    static uint32_t cdf[MANY + 1], tail[8];
    static uint64_t memory[64];
    const uint32_t symbols = MANY;
    uint64_t head = 1;
    bbans_ragged r;
    bbans_distribution d;
    bbans_message msg;
    int32_t value, found;
    uint32_t k;

    for (k = 0; k < MANY; k++)
        cdf[k] = 2 * k;
    cdf[MANY] = (uint32_t)1 << 20;
    CHECK(bbans_ragged_init(&r, 20, 0, cdf, &symbols, NULL, 1, memory,
                            sizeof memory) == BBANS_OK);
    CHECK(bbans_distribution_init_ragged(&d, &r, bbans_array_of(NULL, 0)) ==
          BBANS_OK);
    CHECK(bbans_message_init(&msg, &head, 1, tail, 8) == BBANS_OK);
    for (k = 0; k < 1000; k++) {
        value = k == 0 ? MANY - 1 : (int32_t)below(MANY);
        CHECK(bbans_message_push(&msg, &d, &value, BBANS_I32, 1) == BBANS_OK);
        CHECK(bbans_message_pop(&msg, &d, &found, BBANS_I32, 1) == BBANS_OK);
        CHECK(found == value && head == 1);
    }
}

int main(void)
{
    int isa;

    FOR_EACH_ISA(isa)
    check_arrays();
    check_positions();
    check_ranges();
    check_tables();
    check_wide_rows();
    return 0;
}
