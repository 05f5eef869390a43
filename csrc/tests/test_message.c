/* The message, its tables and its bytes: exact inverses on any state, and
 * refusals that change nothing.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

#define HEAD_MIN ((uint64_t)1 << 31)
#define HEAD_MAX (((uint64_t)1 << 63) - 1)

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

    for (trial = 0; trial < SOME(200000); trial++) {
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
        CHECK(bbans_message_push_intervals(&m.msg, start, freq, total) ==
              BBANS_OK);
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
        CHECK(bbans_message_push_intervals(&m.msg, start, freq, total) ==
              BBANS_OK);
        CHECK(same(&m, &before));
    }
}

/* Arrays of uint32_t under one of these laws. */
static bbans_status push_symbols(bbans_message *msg, const bbans_table *table,
                                 const uint32_t *row, const uint32_t *symbol,
                                 size_t n)
{
    bbans_distribution d;

    CHECK(bbans_distribution_init_symbols(&d, table,
                                          bbans_array_of(row, BBANS_U32)) == 0);
    return bbans_message_push(msg, &d, symbol, BBANS_U32, n);
}

static bbans_status pop_symbols(bbans_message *msg, const bbans_table *table,
                                const uint32_t *row, uint32_t *symbol, size_t n)
{
    bbans_distribution d;

    CHECK(bbans_distribution_init_symbols(&d, table,
                                          bbans_array_of(row, BBANS_U32)) == 0);
    return bbans_message_pop(msg, &d, symbol, BBANS_U32, n);
}

static bbans_status push_uniform(bbans_message *msg, uint32_t total,
                                 const uint32_t *value, size_t n)
{
    bbans_distribution d;

    CHECK(bbans_distribution_init_uniform(&d, total) == BBANS_OK);
    return bbans_message_push(msg, &d, value, BBANS_U32, n);
}

static bbans_status pop_uniform(bbans_message *msg, uint32_t total,
                                uint32_t *value, size_t n)
{
    bbans_distribution d;

    CHECK(bbans_distribution_init_uniform(&d, total) == BBANS_OK);
    return bbans_message_pop(msg, &d, value, BBANS_U32, n);
}

static bbans_status push_weighted(bbans_message *msg, const uint32_t *weight,
                                  size_t symbols, const uint32_t *symbol,
                                  size_t n)
{
    bbans_distribution d;

    CHECK(bbans_distribution_init_weighted(
              &d, bbans_array_of(weight, BBANS_U32), symbols) == BBANS_OK);
    return bbans_message_push(msg, &d, symbol, BBANS_U32, n);
}

static bbans_status pop_weighted(bbans_message *msg, const uint32_t *weight,
                                 size_t symbols, uint32_t *symbol, size_t n)
{
    bbans_distribution d;

    CHECK(bbans_distribution_init_weighted(
              &d, bbans_array_of(weight, BBANS_U32), symbols) == BBANS_OK);
    return bbans_message_pop(msg, &d, symbol, BBANS_U32, n);
}

static void test_arrays(void)
{
    static const uint32_t cdf[2][5] = {{0, 1, 2, 200, 256},
                                       {0, 60, 70, 255, 256}};
    bbans_table table = {0};
    int trial;

    table.cdf = cdf[0];
    table.rows = 2;
    table.symbols = 4;
    table.prec = 8;
    CHECK(bbans_table_check(&table) == BBANS_OK);
    for (trial = 0; trial < SOME(20000); trial++) {
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
        CHECK(push_symbols(&m.msg, &table, row, symbol, n) == 0);
        CHECK(pop_symbols(&m.msg, &table, row, again, n) == 0);
        CHECK(same(&m, &before) && memcmp(symbol, again, 4 * n) == 0);

        CHECK(push_uniform(&m.msg, 4, symbol, n) == 0);
        CHECK(pop_uniform(&m.msg, 4, again, n) == 0);
        CHECK(same(&m, &before) && memcmp(symbol, again, 4 * n) == 0);

        /* A pop that runs dry leaves the message as it was. */
        if (pop_weighted(&m.msg, weight[0], 3, symbol, n) == 0)
            CHECK(push_weighted(&m.msg, weight[0], 3, symbol, n) == 0);
        CHECK(same(&m, &before));
    }
}

static void test_underflow_is_undone(void)
{
    static const uint32_t cdf[] = {0, 1, 256};
    uint32_t symbol[200];
    bbans_table table = {0};
    owned m, before;

    table.cdf = cdf;
    table.rows = 1;
    table.symbols = 2;
    table.prec = 8;
    CHECK(bbans_message_init(&m.msg, m.head, 3, m.tail, CAP) == BBANS_OK);
    m.head[1] = UINT64_C(0x123456789abcdef);
    copy(&before, &m);
    CHECK(pop_uniform(&m.msg, 256, symbol, 200) == BBANS_ERR_UNDERFLOW);
    CHECK(same(&m, &before));
    CHECK(pop_symbols(&m.msg, &table, NULL, symbol, 200) ==
          BBANS_ERR_UNDERFLOW);
    CHECK(same(&m, &before));
}

/* ---- Arrays over many lanes, against docs/maths.md, "The message" as it
 * stands */

#define MANY 1000 /* lanes */
#define N_MAX 2200
#define SYMBOLS_MAX 40

typedef struct {
    bbans_message msg;
    uint64_t head[MANY];
    uint32_t tail[4 * N_MAX];
} many;

static void many_copy(many *to, const many *from)
{
    *to = *from;
    to->msg.head = to->head;
    to->msg.tail = to->tail;
}

static int many_same(const many *a, const many *b)
{
    return a->msg.tail_len == b->msg.tail_len &&
           memcmp(a->head, b->head, 8 * a->msg.lanes) == 0 &&
           memcmp(a->tail, b->tail, 4 * a->msg.tail_len) == 0;
}

static void many_init(many *m, size_t lanes)
{
    size_t i;

    memset(m, 0, sizeof *m);
    CHECK(bbans_message_init(&m->msg, m->head, lanes, m->tail, 4 * N_MAX) ==
          BBANS_OK);
    for (i = 0; i < lanes; i++) {
        m->head[i] = random_bits() >> (1 + below(32));
        if (m->head[i] < (uint64_t)1 << 31)
            m->head[i] |= (uint64_t)1 << 31;
        if (below(8) == 0)
            m->head[i] = below(2) ? ((uint64_t)1 << 63) - 1 : (uint64_t)1 << 31;
    }
    m->msg.tail_len = below(3) * 700;
    for (i = 0; i < m->msg.tail_len; i++)
        m->tail[i] = (uint32_t)random_bits();
}

static void push_as_defined(many *m, size_t i, uint32_t start, uint32_t freq,
                            uint32_t total)
{
    const uint64_t q = ((uint64_t)1 << 31) / total;
    uint64_t *x = m->head + i % m->msg.lanes;

    if (*x >> 32 >= freq * q) {
        m->tail[m->msg.tail_len++] = (uint32_t)*x;
        *x >>= 32;
    }
    *x = *x / freq * total + *x % freq + start;
    if (*x < (uint64_t)1 << 31 && m->msg.tail_len > 0)
        *x = *x << 32 | m->tail[--m->msg.tail_len];
}

static const int types[] = {BBANS_U8, BBANS_U16, BBANS_U32, BBANS_U64,
                            BBANS_I8, BBANS_I16, BBANS_I32, BBANS_I64};

/* Elements of any type, from and to 32-bit words. */
static void put(void *array, int type, size_t i, uint64_t value)
{
    switch (type < 0 ? -type : type) {
    case 1: ((uint8_t *)array)[i] = (uint8_t)value; return;
    case 2: ((uint16_t *)array)[i] = (uint16_t)value; return;
    case 4: ((uint32_t *)array)[i] = (uint32_t)value; return;
    default: ((uint64_t *)array)[i] = value;
    }
}

static uint64_t get(const void *array, int type, size_t i)
{
    switch (type < 0 ? -type : type) {
    case 1: return ((const uint8_t *)array)[i];
    case 2: return ((const uint16_t *)array)[i];
    case 4: return ((const uint32_t *)array)[i];
    default: return ((const uint64_t *)array)[i];
    }
}

enum { TABLE, INDEXED, UNIFORM, BERNOULLI, WEIGHTED, KINDS };

/* One array of any kind, pushed and popped. */
typedef struct {
    int kind, type, row_type;
    bbans_table table;
    uint32_t cdf[3 * (SYMBOLS_MAX + 1)], total, one[N_MAX];
    uint16_t index[3 << 10];
    uint32_t weight[N_MAX][3];
    uint64_t row[N_MAX];
    size_t n;
} job;

static bbans_distribution distribution_of(const job *j)
{
    bbans_distribution d;
    bbans_status status;

    switch (j->kind) {
    case TABLE:
        status = bbans_distribution_init_symbols(&d, &j->table,
                                                 bbans_array_of(NULL, 0));
        break;
    case INDEXED:
        status = bbans_distribution_init_symbols(
            &d, &j->table, bbans_array_of(j->row, j->row_type));
        break;
    case UNIFORM: status = bbans_distribution_init_uniform(&d, j->total); break;
    case BERNOULLI:
        status = bbans_distribution_init_bernoulli(&d, j->table.prec, j->one);
        break;
    default:
        status = bbans_distribution_init_weighted(
            &d, bbans_array_of(j->weight, BBANS_U32), 3);
    }
    CHECK(status == BBANS_OK);
    return d;
}

static int push_job(many *m, const job *j, const void *symbol, size_t n)
{
    const bbans_distribution d = distribution_of(j);

    return bbans_message_push(&m->msg, &d, symbol, j->type, n);
}

static int pop_job(many *m, const job *j, void *symbol, size_t n)
{
    const bbans_distribution d = distribution_of(j);

    return bbans_message_pop(&m->msg, &d, symbol, j->type, n);
}

/* How many symbols are valid at i, and the interval of one. */
static uint32_t alphabet(const job *j)
{
    return j->kind == UNIFORM     ? j->total
           : j->kind == BERNOULLI ? 2
           : j->kind == WEIGHTED  ? 3
                                  : (uint32_t)j->table.symbols;
}

static void interval(const job *j, size_t i, uint32_t symbol, uint32_t *start,
                     uint32_t *freq, uint32_t *total)
{
    const uint32_t *edge = j->cdf;
    uint32_t k;

    *total = (uint32_t)1 << j->table.prec;
    switch (j->kind) {
    case UNIFORM: *start = symbol, *freq = 1, *total = j->total; return;
    case BERNOULLI:
        *start = symbol ? *total - j->one[i] : 0;
        *freq = symbol ? j->one[i] : *total - j->one[i];
        return;
    case WEIGHTED:
        *start = *total = 0;
        for (k = 0; k < 3; k++) {
            *start += k < symbol ? j->weight[i][k] : 0;
            *total += j->weight[i][k];
        }
        *freq = j->weight[i][symbol];
        return;
    case INDEXED:
        edge += get(j->row, j->row_type, i) * (j->table.symbols + 1);
        break;
    default: break;
    }
    *start = edge[symbol];
    *freq = edge[symbol + 1] - *start;
}

static void random_job(job *j)
{
    const unsigned prec = 1 + below(BBANS_PREC_MAX);
    const uint32_t slots = (uint32_t)1 << prec;
    const uint32_t most = slots < SYMBOLS_MAX ? slots : SYMBOLS_MAX;
    size_t r, k, i;

    memset(j, 0, sizeof *j);
    j->kind = (int)below(KINDS);
    j->type = types[below(8)];
    j->row_type = types[below(8)];
    j->n = below(N_MAX + 1);
    j->table.cdf = j->cdf;
    j->table.prec = prec;
    j->table.rows = 3;
    j->table.symbols = 1 + below(most);
    for (r = 0; r < 3; r++) {
        uint32_t *edge = j->cdf + r * (j->table.symbols + 1);

        for (k = 0; k < j->table.symbols; k++) { /* room for all that follow */
            const uint32_t last =
                slots - (uint32_t)(j->table.symbols - k) + (k == 0);

            edge[k + 1] = edge[k] + 1 + below(last - edge[k]) / (1 + below(9));
        }
        edge[j->table.symbols] = slots;
    }
    CHECK(bbans_table_check(&j->table) == BBANS_OK);
    if (below(3) != 0) {
        const unsigned bits = below(2) ? 0 : 1 + below(10);
        const size_t words = bbans_table_index_words(&j->table, bits);

        CHECK(words <= 3 << 10 || bits == 0);
        if (words <= 3 << 10)
            CHECK(bbans_table_index(&j->table, bits, j->index, words) ==
                  BBANS_OK);
    }
    /* Values of a uniform distribution must fit the type. */
    j->total = below(2) ? 1u << below(8) : 1 + below(127);
    if (j->type != BBANS_U8 && j->type != BBANS_I8 && below(2))
        j->total = below(2) ? 1u << below(16) : 1 + below(32767);
    for (i = 0; i < j->n; i++) {
        put(j->row, j->row_type, i, below(3));
        j->one[i] = below(2) ? 1 + below(slots - 1) : below(2) ? 1 : slots - 1;
        j->weight[i][0] = below(1u << below(28));
        j->weight[i][1] = 1 + below(1u << 27);
        j->weight[i][2] = below(2);
    }
}

/* The first symbol that cannot be coded. */
static size_t fault_of(const job *j, const void *symbol)
{
    const bbans_distribution d = distribution_of(j);
    size_t at, listed;

    CHECK(bbans_distribution_list(&d, symbol, j->type, j->n, NULL, 0, &listed,
                                  &at) == BBANS_ERR_SYMBOL);
    return at;
}

/* The range coder takes the same array, as its intervals from the first on. */
static void check_range_code(const job *j, const void *symbol)
{
    static uint8_t bytes[4 * N_MAX], expected[4 * N_MAX];
    static uint64_t again[N_MAX];
    const bbans_distribution d = distribution_of(j);
    uint32_t start, freq, total;
    bbans_range_encoder enc, one_by_one;
    bbans_range_decoder dec;
    static many m;
    size_t i;

    CHECK(bbans_range_encoder_init(&enc, bytes, sizeof bytes) == BBANS_OK);
    CHECK(bbans_range_encoder_init(&one_by_one, expected, sizeof expected) ==
          BBANS_OK);
    CHECK(bbans_range_encode(&enc, &d, symbol, j->type, j->n) == BBANS_OK);
    for (i = 0; i < j->n; i++) {
        interval(j, i, (uint32_t)get(symbol, j->type, i), &start, &freq,
                 &total);
        CHECK(bbans_range_encode_interval(&one_by_one, start, freq, total) ==
              BBANS_OK);
    }
    CHECK(enc.len == one_by_one.len && enc.low == one_by_one.low &&
          enc.range == one_by_one.range);
    CHECK(memcmp(bytes, expected, enc.len) == 0);
    many_init(&m, 1);
    CHECK(bbans_range_finish(&enc, &m.msg) == BBANS_OK);
    CHECK(bbans_range_decoder_init(&dec, &m.msg) == BBANS_OK);
    CHECK(bbans_range_decode(&dec, &d, again, j->type, j->n) == BBANS_OK);
    CHECK(bbans_range_check(&dec) == BBANS_OK);
    for (i = 0; i < j->n; i++)
        CHECK(get(symbol, j->type, i) == get(again, j->type, i));
}

static void test_many_lanes(void)
{
    static const size_t lane_counts[] = {1, 2, 3, 7, 8, 64, 200, MANY};
    static many m, before, expected;
    static job j;
    static uint64_t symbol[N_MAX], again[N_MAX];
    int trial;

    for (trial = 0; trial < SOME(1500); trial++) {
        const size_t lanes = lane_counts[below(8)];
        uint32_t start, freq, total, bad;
        size_t i, at;

        random_job(&j);
        many_init(&m, lanes);
        many_copy(&before, &m);
        for (i = 0; i < j.n; i++) {
            uint32_t k = below(alphabet(&j));

            if (j.kind == WEIGHTED && j.weight[i][k] == 0)
                k = 1;
            put(symbol, j.type, i, k);
        }
        many_copy(&expected, &m);
        for (i = j.n; i-- > 0;) {
            interval(&j, i, (uint32_t)get(symbol, j.type, i), &start, &freq,
                     &total);
            push_as_defined(&expected, i, start, freq, total);
        }
        CHECK(push_job(&m, &j, symbol, j.n) == BBANS_OK);
        CHECK(many_same(&m, &expected));
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        memset(again, 0, sizeof again);
        CHECK(pop_job(&m, &j, again, j.n) == BBANS_OK);
        CHECK(many_same(&m, &before));
        for (i = 0; i < j.n; i++)
            CHECK(get(symbol, j.type, i) == get(again, j.type, i));
        check_range_code(&j, symbol);

        /* Bits back: a pop first.  One that runs dry changes nothing, and
         * writes nothing past a tail that has no more room than the pop needs.
         */
        {
            const size_t cap =
                m.msg.tail_len + (j.kind == UNIFORM || j.kind == WEIGHTED);
            uint32_t *exact = malloc(4 * cap + (cap == 0));

            CHECK(exact != NULL);
            memcpy(exact, m.tail, 4 * m.msg.tail_len);
            m.msg.tail = exact;
            m.msg.tail_cap = cap;
            i = pop_job(&m, &j, again, j.n) == BBANS_OK;
            CHECK(i || lanes > 1);
            CHECK(bbans_message_check(&m.msg) == BBANS_OK);
            memcpy(m.tail, exact, 4 * m.msg.tail_len);
            free(exact);
            m.msg.tail = m.tail;
            m.msg.tail_cap = before.msg.tail_cap;
            if (i)
                CHECK(push_job(&m, &j, again, j.n) == BBANS_OK);
        }
        CHECK(many_same(&m, &before));

        /* A push that is refused late changes nothing either. */
        if (j.n == 0)
            continue;
        at = below((uint32_t)j.n);
        bad = alphabet(&j) + below(3);
        if (bad < 100 || (j.type != BBANS_I8 && j.type != BBANS_U8)) {
            put(symbol, j.type, at, bad);
            CHECK(push_job(&m, &j, symbol, j.n) == BBANS_ERR_SYMBOL);
            CHECK(many_same(&m, &before));
            CHECK(fault_of(&j, symbol) == at);
        }
        put(symbol, j.type, at, j.type < 0 ? UINT64_MAX - below(3) : 0);
        if (j.type < 0)
            CHECK(push_job(&m, &j, symbol, j.n) == BBANS_ERR_SYMBOL);
        CHECK(many_same(&m, &before));
        put(j.row, j.row_type, at, 3);
        j.one[at] = below(2) ? 0 : (uint32_t)1 << j.table.prec;
        j.weight[at][1] = BBANS_TOTAL_MAX + 1 - below(2) * j.weight[at][0];
        put(symbol, j.type, at, 0);
        j.weight[at][0] = j.weight[at][1] > BBANS_TOTAL_MAX;
        if (j.kind == INDEXED || j.kind == BERNOULLI) {
            CHECK(push_job(&m, &j, symbol, j.n) == BBANS_ERR_SYMBOL);
            CHECK(pop_job(&m, &j, again, j.n) != BBANS_OK);
            CHECK(many_same(&m, &before));
        } else if (j.kind == WEIGHTED && j.weight[at][0] > 0) {
            CHECK(push_job(&m, &j, symbol, j.n) == BBANS_ERR_TOTAL);
            CHECK(pop_job(&m, &j, again, j.n) != BBANS_OK);
            CHECK(many_same(&m, &before));
        }
    }
}

/* Rows longer than what is weighed at once. */
static void test_long_rows(void)
{
    enum { K = 10000 };
    static uint32_t weight[3][K];
    static many m, before;
    const uint32_t symbol[3] = {K - 1, 0, 4096};
    uint32_t again[3];
    uint8_t bytes[12];
    bbans_distribution d;
    bbans_range_encoder enc;
    bbans_range_decoder dec;
    static many one;
    size_t i, k;

    for (i = 0; i < 3; i++)
        for (k = 0; k < K; k++)
            weight[i][k] = 1 + below(20000);
    many_init(&one, 1);
    many_init(&m, 2);
    m.msg.tail_len = 10;
    many_copy(&before, &m);
    CHECK(push_weighted(&m.msg, weight[0], K, symbol, 3) == BBANS_OK);
    CHECK(pop_weighted(&m.msg, weight[0], K, again, 3) == BBANS_OK);
    CHECK(many_same(&m, &before) && memcmp(symbol, again, 12) == 0);
    CHECK(pop_weighted(&m.msg, weight[0], K, again, 3) == BBANS_OK);
    CHECK(push_weighted(&m.msg, weight[0], K, again, 3) == BBANS_OK);
    CHECK(many_same(&m, &before));
    CHECK(bbans_distribution_init_weighted(
              &d, bbans_array_of(weight, BBANS_U32), K) == BBANS_OK);
    CHECK(bbans_range_encoder_init(&enc, bytes, sizeof bytes) == BBANS_OK);
    CHECK(bbans_range_encode(&enc, &d, symbol, BBANS_U32, 3) == BBANS_OK);
    CHECK(bbans_range_finish(&enc, &one.msg) == BBANS_OK);
    CHECK(bbans_range_decoder_init(&dec, &one.msg) == BBANS_OK);
    CHECK(bbans_range_decode(&dec, &d, again, BBANS_U32, 3) == BBANS_OK);
    CHECK(memcmp(symbol, again, 12) == 0);
    weight[1][9999] = BBANS_TOTAL_MAX;
    CHECK(push_weighted(&m.msg, weight[0], K, symbol, 3) == BBANS_ERR_TOTAL);
    CHECK(pop_weighted(&m.msg, weight[0], K, again, 3) == BBANS_ERR_TOTAL);
    CHECK(many_same(&m, &before));
}

static void test_refusals(void)
{
    static const uint32_t bad_cdf[] = {0, 7, 7, 16};
    static const uint32_t zero = 0, one = 1;
    uint32_t symbol[CAP + 1] = {0};
    uint64_t head;
    uint32_t word;
    bbans_table table = {0};
    owned m, before;
    int status;

    for (status = 0; status >= -16; status--)
        CHECK(bbans_status_text(status)[0] != 'u');
    CHECK(bbans_status_text(-17)[0] == 'u');
    random_message(&m, 1);
    copy(&before, &m);
    CHECK(bbans_message_push_intervals(NULL, &zero, &one, 4) == BBANS_ERR_NULL);
    CHECK(bbans_message_push_intervals(&m.msg, &zero, &zero, 4) ==
          BBANS_ERR_INTERVAL);
    CHECK(bbans_message_push_intervals(&m.msg, &one, &one, 1) ==
          BBANS_ERR_INTERVAL);
    CHECK(bbans_message_push_intervals(&m.msg, &zero, &one, 0) ==
          BBANS_ERR_TOTAL);
    CHECK(bbans_message_push_intervals(&m.msg, &zero, &one,
                                       BBANS_TOTAL_MAX + 1) == BBANS_ERR_TOTAL);
    CHECK(push_uniform(&m.msg, 2, symbol, CAP + 1) == BBANS_ERR_CAPACITY);
    symbol[0] = 2;
    CHECK(push_uniform(&m.msg, 2, symbol, 1) == BBANS_ERR_SYMBOL);
    CHECK(push_weighted(&m.msg, &zero, 1, &zero, 1) == BBANS_ERR_TOTAL);
    CHECK(same(&m, &before));
    table.cdf = bad_cdf;
    table.rows = 1;
    table.symbols = 3;
    table.prec = 4;
    CHECK(bbans_table_check(&table) == BBANS_ERR_TABLE);
    table.prec = 29;
    CHECK(bbans_table_check(&table) == BBANS_ERR_PRECISION);
    CHECK(bbans_message_init(&m.msg, &head, 0, &word, 1) == BBANS_ERR_STATE);
    CHECK(bbans_message_init(NULL, &head, 1, &word, 1) == BBANS_ERR_NULL);
    CHECK(bbans_message_init(&m.msg, NULL, 1, &word, 1) == BBANS_ERR_NULL);
    CHECK(bbans_message_init(&m.msg, &head, 1, NULL, 1) == BBANS_ERR_NULL);
}

static void test_bytes(void)
{
    int trial;

    for (trial = 0; trial < SOME(20000); trial++) {
        const size_t lanes = below(2) ? 1 : LANES;
        uint8_t bytes[4 * CAP + 8 * LANES];
        size_t n, size, i;
        owned m, back;

        random_message(&m, lanes);
        CHECK(bbans_message_size(&m.msg, &size) == BBANS_OK);
        CHECK(size == 0 || bbans_message_write(&m.msg, bytes, size - 1, &n) ==
                               BBANS_ERR_CAPACITY);
        CHECK(bbans_message_write(&m.msg, bytes, size, &n) == BBANS_OK &&
              n == size);
        CHECK(bbans_message_init(&back.msg, back.head, lanes, back.tail, CAP) ==
              BBANS_OK);
        CHECK(bbans_message_read(&back.msg, bytes, n) == BBANS_OK);
        CHECK(same(&m, &back));

        /* Any bytes that do not end in 0 are exactly one message. */
        n = below(40);
        for (i = 0; i < n; i++)
            bytes[i] = (uint8_t)random_bits();
        CHECK(bbans_message_init(&back.msg, back.head, 1, back.tail, CAP) ==
              BBANS_OK);
        if (n > 0 && bytes[n - 1] == 0) {
            CHECK(bbans_message_read(&back.msg, bytes, n) == BBANS_ERR_CORRUPT);
        } else {
            uint8_t again[40];

            CHECK(bbans_message_read(&back.msg, bytes, n) == BBANS_OK);
            CHECK(bbans_message_check(&back.msg) == BBANS_OK);
            CHECK(bbans_message_write(&back.msg, again, 40, &size) == BBANS_OK);
            CHECK(size == n && memcmp(bytes, again, n) == 0);
        }
    }
}

/* Several lanes: 8 bytes each, in [2^31, 2^63), above whole words. */
static void test_bytes_of_lanes(void)
{
    static const uint64_t good[] = {HEAD_MIN, HEAD_MAX};
    static const uint64_t bad[] = {0, HEAD_MIN - 1, HEAD_MAX + 1, UINT64_MAX};
    uint8_t bytes[8 * LANES + 8];
    owned m;
    size_t i, k, n;

    CHECK(bbans_message_init(&m.msg, m.head, LANES, m.tail, 1) == BBANS_OK);
    for (i = 0; i < LANES; i++)
        for (k = 0; k < 6; k++) {
            const uint64_t head = k < 2 ? good[k] : bad[k - 2];
            size_t lane;

            for (lane = 0; lane < LANES; lane++)
                m.head[lane] = lane == i ? head : HEAD_MIN + lane;
            CHECK(bbans_message_write(&m.msg, bytes, sizeof bytes, &n) ==
                      BBANS_OK &&
                  n == 8 * LANES);
            m.head[i] = 1;
            CHECK(bbans_message_read(&m.msg, bytes, n) ==
                  (k < 2 ? BBANS_OK : BBANS_ERR_CORRUPT));
            CHECK(m.head[i] == (k < 2 ? head : 1));
        }
    memset(bytes, 0x40, sizeof bytes);
    for (n = 0; n <= sizeof bytes; n++) {
        const bbans_status status = bbans_message_read(&m.msg, bytes, n);

        if (n < 8 * LANES || n % 4 != 0)
            CHECK(status == BBANS_ERR_CORRUPT);
        else if (n == 8 * LANES + 8)
            CHECK(status == BBANS_ERR_CAPACITY);
        else
            CHECK(status == BBANS_OK && m.msg.tail_len == (n - 8 * LANES) / 4);
    }
    m.msg.tail_len = 0;
    CHECK(bbans_message_write(&m.msg, bytes, 8 * LANES - 1, &n) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_message_write(&m.msg, NULL, 8 * LANES, &n) == BBANS_ERR_NULL);
    CHECK(bbans_message_write(NULL, bytes, sizeof bytes, &n) == BBANS_ERR_NULL);
    CHECK(bbans_message_size(&m.msg, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_message_read(NULL, bytes, 8 * LANES) == BBANS_ERR_NULL);
    CHECK(bbans_message_read(&m.msg, NULL, 8 * LANES) == BBANS_ERR_NULL);
    m.msg.lanes = 0;
    CHECK(bbans_message_read(&m.msg, bytes, 0) == BBANS_ERR_CORRUPT);
}

/* An index changes the time that pops take, and nothing else. */
static void test_index(void)
{
    enum { ROWS = 3, M = 300 };
    uint32_t cdf[ROWS * (M + 1)], symbol[CAP], again[CAP];
    uint8_t row[CAP];
    uint16_t index[ROWS << 12];
    bbans_table table = {cdf, ROWS, M, 16, 0, NULL}, indexed;
    owned m, other;
    bbans_distribution plain, quick;
    unsigned bits;
    size_t i, k;

    for (i = 0; i < ROWS; i++) {
        uint32_t *edge = cdf + i * (M + 1);

        edge[0] = 0;
        for (k = 1; k < M; k++)
            edge[k] = edge[k - 1] + 1 + (below(40) == 0 ? below(2000) : 0);
        CHECK(edge[M - 1] < 1u << 16);
        edge[M] = 1u << 16;
    }
    CHECK(bbans_table_check(&table) == BBANS_OK);
    for (bits = 1; bits <= 12; bits++) {
        const size_t words = bbans_table_index_words(&table, bits);

        CHECK(words == (size_t)ROWS << bits);
        indexed = table;
        memset(index, 0xff, sizeof index);
        CHECK(bbans_table_index(&indexed, bits, index, words - 1) ==
              BBANS_ERR_CAPACITY);
        CHECK(indexed.index == NULL);
        CHECK(bbans_table_index(&indexed, bits, index, words) == BBANS_OK);
        CHECK(indexed.index == index && indexed.index_bits == bits);
        for (i = 0; i < words; i++) {
            const uint32_t *edge = cdf + (i >> bits) * (M + 1);
            const uint32_t slot = (uint32_t)(i & (((size_t)1 << bits) - 1))
                                  << (16 - bits);

            CHECK(edge[index[i]] <= slot && slot < edge[index[i] + 1]);
        }
        random_message(&m, LANES);
        copy(&other, &m);
        for (i = 0; i < CAP; i++)
            row[i] = (uint8_t)below(ROWS);
        CHECK(bbans_distribution_init_symbols(
                  &plain, &table, bbans_array_of(row, BBANS_U8)) == BBANS_OK);
        CHECK(bbans_distribution_init_symbols(
                  &quick, &indexed, bbans_array_of(row, BBANS_U8)) == BBANS_OK);
        CHECK(bbans_message_pop(&m.msg, &plain, symbol, BBANS_U32, 9) ==
              bbans_message_pop(&other.msg, &quick, again, BBANS_U32, 9));
        CHECK(same(&m, &other));
    }
    CHECK(bbans_table_index_words(NULL, 4) == 0);
    CHECK(bbans_table_index(NULL, 4, index, 100) == BBANS_ERR_NULL);
    CHECK(bbans_table_index(&table, 4, NULL, 100) == BBANS_ERR_NULL);
    table.symbols = ((size_t)1 << 16) + 1;
    CHECK(bbans_table_index_words(&table, 4) == 0);
    CHECK(bbans_table_index(&table, 4, index, 100) == BBANS_ERR_SIZE);
}

/* A negative number is no symbol, however many symbols there are. */
static void test_signed_symbols(void)
{
    static const int16_t negative16 = -1;
    static const int32_t negative32 = -1;
    static const int64_t negative64 = -1;
    static const int8_t negative8 = -1;
    static const uint32_t totals[] = {
        2,     127,   128,   129,   255,    256,     32767,          32768,
        32769, 65535, 65536, 65537, 100000, 1 << 27, BBANS_TOTAL_MAX};
    bbans_distribution d;
    owned m, before;
    size_t i;

    random_message(&m, 1);
    m.msg.tail_len = 0;
    copy(&before, &m);
    for (i = 0; i < sizeof totals / sizeof *totals; i++) {
        CHECK(bbans_distribution_init_uniform(&d, totals[i]) == BBANS_OK);
        CHECK(bbans_message_push(&m.msg, &d, &negative8, BBANS_I8, 1) ==
              BBANS_ERR_SYMBOL);
        CHECK(bbans_message_push(&m.msg, &d, &negative16, BBANS_I16, 1) ==
              BBANS_ERR_SYMBOL);
        CHECK(bbans_message_push(&m.msg, &d, &negative32, BBANS_I32, 1) ==
              BBANS_ERR_SYMBOL);
        CHECK(bbans_message_push(&m.msg, &d, &negative64, BBANS_I64, 1) ==
              BBANS_ERR_SYMBOL);
    }
    CHECK(same(&m, &before));
}

/* An empty array may be NULL. */
static void test_nothing(void)
{
    uint64_t head = 0;
    bbans_message msg;
    size_t n = 1;

    CHECK(bbans_message_init(&msg, &head, 1, NULL, 0) == BBANS_OK);
    CHECK(bbans_message_read(&msg, NULL, 0) == BBANS_OK && head == 0);
    CHECK(bbans_message_write(&msg, NULL, 0, &n) == BBANS_OK && n == 0);
    CHECK(push_uniform(&msg, 2, NULL, 0) == BBANS_OK);
    CHECK(pop_uniform(&msg, 2, NULL, 0) == BBANS_OK);
}

int main(void)
{
    int isa, tested = 0;

    FOR_EACH_ISA(isa)
    {
        test_nothing();
        test_inverses();
        test_arrays();
        test_underflow_is_undone();
        test_many_lanes();
        test_long_rows();
        test_refusals();
        test_bytes();
        test_bytes_of_lanes();
        test_index();
        test_signed_symbols();
        tested++;
    }
    printf("test_message: ok, with %d kinds of kernels\n", tested);
    return 0;
}
