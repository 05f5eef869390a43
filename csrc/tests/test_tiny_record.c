/* The device's coder of records gives the bytes of the library's, both ways,
 * takes the model files that it takes, and answers damage with a status.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "bbans_tiny.h"
#include "check.h"

#include <string.h>

#define FILE_MAX (1 << 20)
#define RECORD_MAX 200
#define CONTEXTS 3000

static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    CHECK(memory != NULL);
    return memory;
}

/* A copy of exactly its size, so that a sanitizer sees what reads past it. */
static uint8_t *copy_of(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = allocate(n);

    if (n > 0)
        memcpy(copy, bytes, n);
    return copy;
}

/* ---- Model files --------------------------------------------------------- */

typedef struct {
    size_t states, symbols, order;
    size_t
        branch; /* most children of a context; 2: all contexts are of zeros */
    unsigned prec;
    int kind, listed, ends;
} shape;

typedef struct {
    uint8_t bytes[FILE_MAX];
    size_t n, tables; /* where the masses begin */
} file;

static void put(file *f, uint64_t value, size_t width)
{
    CHECK(f->n + width <= sizeof f->bytes);
    bbans_store(f->bytes + f->n, value, width);
    f->n += width;
}

static void random_row(uint32_t *mass, size_t n, unsigned prec)
{
    const uint32_t kind = below(3);
    uint32_t spare = ((uint32_t)1 << prec) - (uint32_t)n;
    size_t k;

    for (k = 0; k < n; k++) {
        uint32_t more = 0;

        if (kind == 1 && below(8) == 0)
            more = below(spare + 1);
        else if (kind == 2)
            more = below(spare / (uint32_t)(n - k) * 2 + 1);
        mass[k] = 1 + (more < spare ? more : spare);
        spare -= mass[k] - 1;
    }
    mass[below((uint32_t)n)] += spare;
}

static void put_row(file *f, size_t n, unsigned prec)
{
    uint32_t mass[BBANS_TINY_STATES];
    size_t k;

    random_row(mass, n, prec);
    for (k = 0; k < n; k++)
        put(f, mass[k], 4);
}

static void put_emission(file *f, const shape *s)
{
    static uint32_t mass[BBANS_TINY_STATES][260];
    size_t i, x;

    for (i = 0; i < s->states; i++)
        random_row(mass[i], s->symbols, s->prec);
    for (x = 0; x < s->symbols; x++)
        for (i = 0; i < s->states; i++) {
            if (x > 0)
                mass[i][x] += mass[i][x - 1];
            put(f, mass[i][x], 4);
        }
}

/* A rising choice of at most `most` of 0 .. from - 1; how many there are. */
static size_t choose(uint16_t *chosen, size_t most, size_t from)
{
    size_t n = 0, k;

    for (k = 0; k < from; k++)
        if (n < most && below((uint32_t)from) < 2 * most)
            chosen[n++] = (uint16_t)k;
    return n;
}

/* Level by level. */
static void put_contexts(file *f, const shape *s)
{
    static uint32_t children[CONTEXTS + 1], first[CONTEXTS + 1];
    static uint16_t label[CONTEXTS], symbol[32 * CONTEXTS], sum[32 * CONTEXTS];
    static uint8_t back_off[CONTEXTS], depth[CONTEXTS];
    size_t contexts = 1, entries = 0, k, i;

    label[0] = depth[0] = 0;
    children[0] = 1;
    for (k = 0; k < contexts; k++) {
        const int leaf = depth[k] == s->order ||
                         (k > 0 && label[k] == s->symbols) ||
                         contexts + s->branch > CONTEXTS;
        size_t n =
            k > 0 ? choose(symbol + entries, 1 + below(31), s->symbols) : 0;
        uint32_t weights = 0;

        first[k] = (uint32_t)entries;
        back_off[k] = (uint8_t)(n > 0 ? below(255) : 255);
        for (i = 0; i < n; i++) {
            weights += 1 + below(below(4) ? 9 : 1900);
            sum[entries++] = (uint16_t)weights;
        }
        n = leaf ? 0 : choose(label + contexts, s->branch, s->symbols + 1);
        if (!leaf && s->branch == 2) { /* back to a one, or the beginning */
            n = 2;
            label[contexts] = depth[k] + 1 == BBANS_ORDER_MAX;
            label[contexts + 1] = (uint16_t)s->symbols;
        }
        for (i = 0; i < n; i++)
            depth[contexts++] = (uint8_t)(depth[k] + 1);
        children[k + 1] = (uint32_t)contexts;
    }
    first[k] = (uint32_t)entries;
    put(f, contexts, 4);
    put(f, entries, 4);
    for (k = 0; k <= contexts; k++)
        put(f, children[k], 4);
    for (k = 0; k <= contexts; k++)
        put(f, first[k], 4);
    for (k = 0; k < contexts; k++)
        put(f, label[k], 2);
    for (k = 0; k < entries; k++)
        put(f, symbol[k], 2);
    for (k = 0; k < entries; k++)
        put(f, sum[k], 2);
    for (k = 0; k < contexts; k++)
        put(f, back_off[k], 1);
}

static void make_file(file *f, const shape *s)
{
    const size_t values = s->symbols - (size_t)s->ends;
    size_t i, spare = 256 - values;
    uint32_t value = 0;

    memcpy(f->bytes,
           "\x89"
           "bbm\3\2",
           6);
    f->n = 6;
    put(f, below(2), 1); /* records are coded alike in both modes */
    put(f, (unsigned)s->kind, 1);
    put(f, s->prec, 1);
    put(f, s->listed != 0, 1);
    put(f, 0, 1);
    put(f, s->ends != 0, 1);
    put(f, s->states, 4);
    put(f, s->symbols, 4);
    put(f, 1 + below(12), 4);
    for (i = 0; s->listed && i < values; i++, value++) {
        const uint32_t gap = below((uint32_t)spare / 4 + 1);

        value += gap;
        spare -= gap;
        put(f, value, 8);
    }
    f->tables = f->n;
    for (i = 0; i <= s->states; i++)
        put_row(f, s->states, s->prec);
    put_emission(f, s);
    put_contexts(f, s);
    while (f->n % 4 != 0)
        put(f, 0, 1);
    put(f, bbans_crc32(0, f->bytes, f->n), 4);
}

/* ---- Both coders --------------------------------------------------------- */

typedef struct {
    bbans_model model;
    bbans_tiny_model tiny;
    void *memory, *work;
    size_t work_bytes;
} coders;

/* Whether the library takes a file; the device's coder must agree. */
static int build(coders *c, const uint8_t *bytes, size_t n)
{
    bbans_status status = bbans_model_parse(&c->model, bytes, n);
    const bbans_status tiny = bbans_tiny_model_init(&c->tiny, bytes, n);

    c->memory = c->work = NULL;
    if (status == BBANS_OK) {
        const size_t memory_bytes = bbans_model_bytes(&c->model);

        c->memory = allocate(memory_bytes);
        status = bbans_model_build(&c->model, c->memory, memory_bytes);
    }
    if (status == BBANS_OK) {
        c->work_bytes = bbans_record_work_bytes(&c->model);
        c->work = allocate(c->work_bytes);
        if (c->model.type != BBANS_MODEL_ARHMM)
            CHECK(tiny == BBANS_ERR_VERSION);
        else if (c->model.frozen->hmm.states > BBANS_TINY_STATES)
            CHECK(tiny == BBANS_ERR_SIZE);
        else if (c->model.kind == BBANS_KIND_INTEGERS ||
                 (c->model.kind == BBANS_KIND_TEXT && c->model.values != NULL))
            CHECK(tiny == BBANS_ERR_SYMBOL);
        else
            CHECK(tiny == BBANS_OK);
    } else {
        CHECK(tiny != BBANS_OK);
    }
    return tiny == BBANS_OK;
}

static void forget(coders *c)
{
    free(c->memory);
    free(c->work);
}

/* What both make of some bytes; the record in `record`. */
static bbans_status decode(coders *c, const uint8_t *bytes, size_t n_bytes,
                           uint8_t *record, size_t cap, size_t *n)
{
    uint8_t *copy = copy_of(bytes, n_bytes), *other = allocate(cap);
    size_t n_other;
    const bbans_status status = bbans_record_decode(
        &c->model, bytes, n_bytes, record, cap, n, c->work, c->work_bytes);

    CHECK(bbans_tiny_record_decode(&c->tiny, copy, n_bytes, other, cap,
                                   &n_other) == status);
    if (status == BBANS_OK)
        CHECK(n_other == *n && memcmp(other, record, *n) == 0);
    if (status == BBANS_ERR_CAPACITY)
        CHECK(n_other > cap && n_other == *n);
    free(copy);
    free(other);
    return status;
}

static void check_record(coders *c, const uint8_t *record, size_t n)
{
    uint8_t bytes[RECORD_MAX + BBANS_RECORD_ROOM], back[RECORD_MAX];
    uint8_t *copy = copy_of(record, n), *code = allocate(n + 1);
    size_t n_bytes, n_code, n_back, i;

    CHECK(n <= RECORD_MAX);
    CHECK(bbans_record_encode(&c->model, record, n, bytes, sizeof bytes,
                              &n_bytes, c->work, c->work_bytes) == BBANS_OK);
    CHECK(bbans_tiny_record_encode(&c->tiny, copy, n, code, n + 1, &n_code) ==
          BBANS_OK);
    CHECK(n_code == n_bytes && memcmp(code, bytes, n_bytes) == 0);
    CHECK(bbans_tiny_record_encode(&c->tiny, copy, n, code, n, &n_code) ==
          BBANS_ERR_CAPACITY);
    free(copy);
    free(code);
    CHECK(decode(c, bytes, n_bytes, back, n, &n_back) == BBANS_OK);
    CHECK(n_back == n && memcmp(back, record, n) == 0);
    if (n > 0)
        CHECK(decode(c, bytes, n_bytes, back, below((uint32_t)n), &n_back) ==
              BBANS_ERR_CAPACITY);
    /* A code with a zero byte more, without its last, or with another bit. */
    bytes[n_bytes] = 0;
    (void)decode(c, bytes, n_bytes + 1, back, sizeof back, &n_back);
    for (i = 0; i < 6 && n_bytes > 0; i++) {
        const size_t cut = n_bytes - below(2);

        if (cut > 0)
            bytes[below((uint32_t)cut)] ^= (uint8_t)(1u << below(8));
        (void)decode(c, bytes, cut, back, sizeof back, &n_back);
    }
}

/* Bytes of any kind, and what random bytes decode to: that is likely. */
static void check_records(coders *c, size_t count)
{
    uint8_t record[RECORD_MAX] = {0}, bytes[RECORD_MAX];
    size_t i, k, n;

    check_record(c, record, 0);
    for (i = 0; i < count; i++) {
        const size_t n_bytes = below(below(4) ? 12 : RECORD_MAX);

        for (k = 0; k < n_bytes; k++)
            bytes[k] = (uint8_t)below(256);
        (void)decode(c, bytes, n_bytes, record, sizeof record, &n);
        if (n > sizeof record || below(4) == 0) {
            n = below(sizeof record);
            for (k = 0; k < n; k++)
                record[k] = (uint8_t)bbans_model_value(
                    &c->model, below((uint32_t)(c->model.symbols) -
                                     (unsigned)c->model.ends));
        }
        if (n > 0 && below(8) == 0) /* perhaps of no symbol */
            record[below((uint32_t)n)] = (uint8_t)below(256);
        check_record(c, record, n);
    }
}

/* ---- Damage to files ----------------------------------------------------- */

/* A number of some bytes gets another value, and the checksum is right. */
static void damage(uint8_t *bytes, size_t n, size_t tables)
{
    static const uint32_t values[] = {0, 1, 255, 256, 65535, UINT32_MAX};
    const size_t width = (size_t)1 << below(3);
    size_t at = 5 + below((uint32_t)n - 9);

    if (below(3) == 0)
        at = 5 + below((uint32_t)tables);
    if (at + width > n - 4)
        at = n - 4 - width;
    if (below(2))
        bbans_store(bytes + at, values[below(6)], width);
    else
        bytes[at] = (uint8_t)(bytes[at] + (below(2) ? 1 : below(256)));
    bbans_store(bytes + n - 4, bbans_crc32(0, bytes, n - 4), 4);
}

static void test_damage(const file *f, size_t trials)
{
    size_t i, taken = 0;

    for (i = 0; i < trials; i++) {
        const size_t n = below(8) ? f->n : below((uint32_t)f->n + 1);
        uint8_t *copy = copy_of(f->bytes, n);
        coders c;

        if (n == f->n)
            damage(copy, n, f->tables);
        if (build(&c, copy, n)) {
            taken++;
            check_records(&c, 2);
        }
        forget(&c);
        free(copy);
    }
    CHECK(taken < trials);
}

static void test_shape(size_t states, size_t symbols, unsigned prec,
                       size_t order, int kind, int listed, int ends)
{
    static file f;
    shape s;
    coders c;

    s.states = states;
    s.symbols = symbols;
    s.order = order;
    s.branch = order > 5 ? 3 : 8;
    s.prec = prec;
    s.kind = kind;
    s.listed = listed;
    s.ends = ends;
    make_file(&f, &s);
    CHECK(build(&c, f.bytes, f.n));
    check_records(&c, 30);
    forget(&c);
    test_damage(&f, f.n > 20000 ? 20 : 100);
}

/* Each byte of a file, by itself, and what the sums of rows do not show. */
static void test_each_byte(void)
{
    static const uint8_t changes[] = {1, 255, 128, 0};
    static file f;
    const shape s = {2, 3, 2, 8, 9, BBANS_KIND_BYTES, 1, 1};
    uint8_t *copy;
    size_t at, i;
    coders c;

    make_file(&f, &s);
    for (at = 5; at + 4 < f.n; at++)
        for (i = 0; i < sizeof changes; i++) {
            copy = copy_of(f.bytes, f.n);
            copy[at] = (uint8_t)(changes[i] > 0 ? copy[at] + changes[i] : 0);
            bbans_store(copy + f.n - 4, bbans_crc32(0, copy, f.n - 4), 4);
            (void)build(&c, copy, f.n);
            forget(&c);
            free(copy);
        }
    copy = copy_of(f.bytes, f.n);
    bbans_store(copy + f.tables, (uint32_t)1 << s.prec, 4);
    bbans_store(copy + f.tables + 4, 0, 4);
    bbans_store(copy + f.n - 4, bbans_crc32(0, copy, f.n - 4), 4);
    CHECK(!build(&c, copy, f.n));
    forget(&c);
    free(copy);
}

/* Contexts have 16 symbols, and not more; records go through all. */
static void test_depth(void)
{
    static file f;
    shape s = {3, 3, BBANS_ORDER_MAX, 2, 12, BBANS_KIND_BYTES, 0, 1};
    uint8_t zeros[RECORD_MAX] = {0};
    size_t n;
    coders c;

    for (n = 0; n < RECORD_MAX; n += 16 + below(2))
        zeros[n] = 1;

    make_file(&f, &s);
    CHECK(build(&c, f.bytes, f.n));
    for (n = 0; n <= RECORD_MAX; n += 1 + n / 20)
        check_record(&c, zeros, n);
    forget(&c);
    s.order++;
    make_file(&f, &s);
    CHECK(!build(&c, f.bytes, f.n));
    forget(&c);
}

/* The code of a record of one byte, in 63 bits: the length, then [start, end)
 * of 2^24. */
static size_t code_of_one(uint32_t start, uint32_t end, uint8_t *bytes)
{
    uint64_t range = UINT64_C(255) << 54, low, mask = UINT64_MAX >> 1, value;
    size_t n = 0;

    range >>= 1; /* of T + 1 = 2 the bits are 0, 1, 0 */
    low = range;
    range >>= 1;
    low += (range >> 24) * start;
    range = (range >> 24) * (end - start);
    do { /* the shortest fraction in the interval */
        value = (low + mask) & ~mask;
        mask >>= 1;
    } while (value - low >= range);
    for (value <<= 1; value != 0; value <<= 8)
        bytes[n++] = (uint8_t)(value >> 56);
    return n;
}

/* No encoder writes codes that are longer than the record and a byte, or that
 * were on the way. */
static void test_long_codes(void)
{
    static file f;
    const uint32_t masses[] = {1, 1 << 7, 1 << 22}; /* of bytes 0, 1, 2 */
    const uint32_t total = 1 << 24;
    uint8_t bytes[16], record[1];
    uint32_t x, sum = 0, start = 0, end;
    size_t n;
    coders c;

    memcpy(f.bytes,
           "\x89"
           "bbm\3\2",
           6);
    f.n = 6;
    put(&f, 1 << 8, 2);
    put(&f, 24, 4);
    put(&f, 1, 4);
    put(&f, 256, 4);
    put(&f, 1, 4);
    put(&f, total, 4);
    put(&f, total, 4);
    for (x = 0; x < 256; x++) {
        sum += x < 3 ? masses[x] : 1 << 15;
        put(&f, x < 255 ? sum : total, 4);
    }
    put(&f, 1, 8); /* one context, no entries */
    put(&f, 1, 4);
    put(&f, 1, 4);
    put(&f, 0, 8);
    put(&f, 0, 2);
    put(&f, 255, 2);
    put(&f, bbans_crc32(0, f.bytes, f.n), 4);
    CHECK(build(&c, f.bytes, f.n));
    for (x = 0, sum = 0; x < 3; x++, start = end) {
        sum += masses[x];
        end = x + 1 + (uint32_t)((uint64_t)sum * (total - 256) >> 24);
        n = code_of_one(start, end, bytes);
        CHECK((n <= 2) == (x != 1)); /* that of 0 is long on the way */
        CHECK(decode(&c, bytes, n, record, 1, &n) ==
              (x == 2 ? BBANS_OK : BBANS_ERR_CORRUPT));
        record[0] = (uint8_t)x;
        check_record(&c, record, 1);
    }
    forget(&c);
}

/* Arguments that are missing, and files that are others. */
static void test_statuses(void)
{
    static file f;
    const shape s = {2, 4, 2, 3, 10, BBANS_KIND_BYTES, 0, 0};
    bbans_tiny_model model, before;
    uint8_t byte[2];
    size_t n, at, k;

    make_file(&f, &s);
    CHECK(bbans_tiny_model_init(NULL, f.bytes, f.n) == BBANS_ERR_NULL);
    CHECK(bbans_tiny_model_open(NULL, f.bytes, f.n) == BBANS_ERR_NULL);
    CHECK(bbans_tiny_model_init(&model, NULL, f.n) == BBANS_ERR_NULL);
    CHECK(bbans_tiny_model_open(&model, f.bytes, f.n) == BBANS_OK);
    CHECK(bbans_tiny_record_decode(NULL, byte, 1, byte, 1, &n) ==
          BBANS_ERR_NULL);
    CHECK(bbans_tiny_record_decode(&model, NULL, 1, byte, 1, &n) ==
          BBANS_ERR_NULL);
    CHECK(bbans_tiny_record_decode(&model, byte, 1, NULL, 1, &n) ==
          BBANS_ERR_NULL);
    CHECK(bbans_tiny_record_decode(&model, byte, 1, byte, 1, NULL) ==
          BBANS_ERR_NULL);
    CHECK(bbans_tiny_record_encode(NULL, byte, 1, byte, 2, &n) ==
          BBANS_ERR_NULL);
    CHECK(bbans_tiny_record_encode(&model, NULL, 1, byte, 2, &n) ==
          BBANS_ERR_NULL);
    CHECK(bbans_tiny_record_encode(&model, byte, 1, NULL, 2, &n) ==
          BBANS_ERR_NULL);
    CHECK(bbans_tiny_record_encode(&model, byte, 1, byte, 2, NULL) ==
          BBANS_ERR_NULL);
    f.bytes[f.n - 1] ^= 1; /* the checksum: only the full check sees it */
    before = model;
    CHECK(bbans_tiny_model_open(&model, f.bytes, f.n) == BBANS_OK);
    CHECK(bbans_tiny_model_init(&model, f.bytes, f.n) == BBANS_ERR_CORRUPT);
    CHECK(memcmp(&model, &before, sizeof model) == 0);
    f.bytes[f.n - 1] ^= 1;
    for (n = 0; n < f.n; n++) {
        CHECK(bbans_tiny_model_init(&model, f.bytes, n) == BBANS_ERR_TRUNCATED);
        CHECK(bbans_tiny_model_open(&model, f.bytes, n) == BBANS_ERR_TRUNCATED);
    }
    CHECK(bbans_tiny_model_open(&model, NULL, 0) == BBANS_ERR_TRUNCATED);
    at = f.tables + 4 * 2 * (1 + 2 + 4); /* how many contexts and entries */
    for (k = 0; k < 2; k++, at += 4) {
        const uint32_t count = (uint32_t)bbans_load(f.bytes + at, 4);

        bbans_store(f.bytes + at, BBANS_CONTEXTS_MAX, 4);
        CHECK(bbans_tiny_model_open(&model, f.bytes, f.n) ==
              BBANS_ERR_TRUNCATED);
        bbans_store(f.bytes + at, BBANS_CONTEXTS_MAX + 1, 4);
        CHECK(bbans_tiny_model_open(&model, f.bytes, f.n) == BBANS_ERR_CORRUPT);
        bbans_store(f.bytes + at, count, 4);
    }
    f.bytes[4] = 2;
    CHECK(bbans_tiny_model_init(&model, f.bytes, f.n) == BBANS_ERR_VERSION);
    f.bytes[4] = 3;
    f.bytes[10] = 1; /* packed */
    CHECK(bbans_tiny_model_init(&model, f.bytes, f.n) == BBANS_ERR_VERSION);
    f.bytes[10] = 0;
    f.bytes[0] = 0;
    CHECK(bbans_tiny_model_init(&model, f.bytes, f.n) == BBANS_ERR_FORMAT);
}

int main(void)
{
    int trial;

    test_statuses();
    test_depth();
    test_long_codes();
    for (trial = 0; trial < 3; trial++)
        test_each_byte();
    for (trial = 0; trial < 40; trial++) {
        const int ends = (int)below(2), listed = (int)below(2);
        const size_t symbols = 1 + below(30) + (unsigned)ends;
        const unsigned prec = 8 + below(17);
        const size_t order = below(5) ? below(5) : 16;

        test_shape(1 + below(below(2) ? 4 : BBANS_TINY_STATES), symbols, prec,
                   order, BBANS_KIND_BYTES, listed, ends);
    }
    test_shape(16, 256, 24, 4, BBANS_KIND_BYTES, 0, 0);
    test_shape(16, 257, 24, 5, BBANS_KIND_TEXT, 0, 1);
    test_shape(BBANS_TINY_STATES, 256, 16, 2, BBANS_KIND_TEXT, 0, 0);
    test_shape(1, 1, 1, 3, BBANS_KIND_BYTES, 1, 0);
    test_shape(1, 2, 1, 16, BBANS_KIND_BYTES, 0, 1);
    test_shape(2, 2, 15, 1, BBANS_KIND_BYTES, 0, 0);
    printf("test_tiny_record: ok\n");
    return 0;
}
