/* Autoregressive models: their files, damage to them that the checksum does not
 * show, and what they code.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"

#include <string.h>

#define N 200 /* symbols of a sequence */

static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    CHECK(memory != NULL);
    return memory;
}

/* ---- Files --------------------------------------------------------------- */

typedef struct {
    uint8_t *bytes;
    size_t n, tree; /* where the counts of the tree begin */
} file;

static void put(file *f, uint64_t value, size_t width)
{
    bbans_store(f->bytes + f->n, value, width);
    f->n += width;
}

static void put_row(file *f, size_t n, unsigned prec)
{
    uint32_t spare = ((uint32_t)1 << prec) - (uint32_t)n;
    size_t k;

    for (k = 0; k < n; k++) {
        const uint32_t more = k + 1 < n ? below(spare / 4 + 1) : spare;

        put(f, 1 + more, 4);
        spare -= more;
    }
}

/* Running sums of the masses of some rows, symbol by symbol. */
static void put_sums(file *f, size_t rows, size_t n, unsigned prec)
{
    const size_t at = f->n;
    uint32_t *sum = allocate(4 * rows * n);
    size_t i, k;

    for (i = 0; i < rows; i++) {
        uint32_t below_k = 0;

        f->n = at;
        put_row(f, n, prec);
        for (k = 0; k < n; k++) {
            below_k += (uint32_t)bbans_load(f->bytes + at + 4 * k, 4);
            sum[k * rows + i] = below_k;
        }
    }
    f->n = at;
    for (i = 0; i < rows * n; i++)
        put(f, sum[i], 4);
    free(sum);
}

/* A rising choice of at most `most` of the numbers below `from`. */
static uint32_t choose(uint32_t most, uint32_t from, uint32_t *chosen)
{
    uint32_t n = 0, k;

    for (k = 0; k < from && n < most; k++)
        if (below(3) == 0)
            chosen[n++] = k;
    return n;
}

static void fix_checksum(file f)
{
    bbans_store(f.bytes + f.n - 4, bbans_crc32(0, f.bytes, f.n - 4), 4);
}

#define MOST 2000

typedef struct {
    uint32_t contexts, entries;
    uint32_t child[MOST + 1], first[MOST + 1], label[MOST], back_off[MOST];
    uint32_t symbol[8 * MOST], sum[8 * MOST];
} tree;

static file begin_model(uint32_t states, uint32_t symbols, unsigned prec)
{
    uint32_t i;
    file f;

    f.bytes = allocate(1 << 20);
    memcpy(f.bytes,
           "\x89"
           "bbm\3\2\0\0",
           8);
    f.n = 8;
    put(&f, prec, 4); /* the alphabet is 0 .. symbols - 1 */
    put(&f, states, 4);
    put(&f, symbols, 4);
    put(&f, 1 + below(12), 4);
    put_row(&f, states, prec);
    for (i = 0; i < states; i++)
        put_row(&f, states, prec);
    put_sums(&f, states, symbols, prec);
    f.tree = f.n;
    return f;
}

static void put_tree(file *f, const tree *t)
{
    uint32_t k;

    put(f, t->contexts, 4);
    put(f, t->entries, 4);
    for (k = 0; k <= t->contexts; k++)
        put(f, t->child[k], 4);
    for (k = 0; k <= t->contexts; k++)
        put(f, t->first[k], 4);
    for (k = 0; k < t->contexts; k++)
        put(f, t->label[k], 2);
    for (k = 0; k < t->entries; k++)
        put(f, t->symbol[k], 2);
    for (k = 0; k < t->entries; k++)
        put(f, t->sum[k], 2);
    for (k = 0; k < t->contexts; k++)
        put(f, t->back_off[k] - 1, 1);
    while (f->n % 4 != 0)
        put(f, 0, 1);
    f->n += 4;
    fix_checksum(*f);
}

/* Levels of contexts, each context with a few children and entries. */
static file make_model(uint32_t states, uint32_t symbols, unsigned prec,
                       unsigned order)
{
    static tree t;
    uint32_t end = 1, chosen[8], i, k, n;
    unsigned depth = 0;
    file f = begin_model(states, symbols, prec);

    t.contexts = 1;
    t.entries = 0;
    t.label[0] = t.first[0] = 0;
    for (k = 0; k < t.contexts; k++) {
        if (k == end) { /* the first of the next level */
            depth++;
            end = t.contexts;
        }
        t.back_off[k] = 1 + below(255);
        n = k == 0 ? 0 : choose(8, symbols, chosen);
        if (n == 0)
            t.back_off[k] = 256;
        for (i = 0; i < n; i++) {
            t.symbol[t.entries] = chosen[i];
            t.sum[t.entries] =
                (i == 0 ? 0 : t.sum[t.entries - 1]) + 1 + below(65535 / 8);
            t.entries++;
        }
        t.first[k + 1] = t.entries;
        t.child[k] = t.contexts;
        n = depth < order ? choose(3, symbols + 1, chosen) : 0;
        for (i = 0; i < n && t.contexts < MOST; i++)
            t.label[t.contexts++] = chosen[i];
    }
    t.child[t.contexts] = t.contexts;
    put_tree(&f, &t);
    return f;
}

#define LENGTH 3000

/* As of training: the contexts that occur twice or more in a sequence, and
 * what follows them how often. */
static file make_counts(uint32_t symbols, unsigned order, unsigned prec)
{
    static uint32_t x[LENGTH], at[MOST][2],
        times[(BBANS_ORDER_MAX + 1) * LENGTH];
    static tree t;
    uint32_t end = 1, depth = 0, k, i, y, n = LENGTH;
    file f = begin_model(1 + below(3), symbols, prec);

    for (i = 0; i < LENGTH; i++) {
        x[i] = below(4) ? (i < 2 ? 0 : 5 * x[i - 1] + x[i - 2] + 1) % symbols
                        : below(below(symbols) + 1);
        times[i] = i;
    }
    t.contexts = 1;
    t.entries = t.label[0] = t.first[0] = 0;
    at[0][0] = 0; /* of context k: times[at[k][0]] .. times[at[k][1] - 1] */
    at[0][1] = LENGTH;
    for (k = 0; k < t.contexts; k++) {
        uint32_t sum = 0;

        if (k == end) {
            depth++;
            end = t.contexts;
        }
        for (y = 0; k > 0 && y < symbols; y++) {
            uint32_t count = 0;

            for (i = at[k][0]; i < at[k][1]; i++)
                count += x[times[i]] == y;
            if (count > 0 && t.entries < 8 * MOST) {
                t.symbol[t.entries] = y;
                t.sum[t.entries++] = sum += count;
            }
        }
        t.first[k + 1] = t.entries;
        t.back_off[k] = sum == 0 ? 256 : 1 + 250 / sum;
        t.child[k] = t.contexts;
        for (y = 0; depth < order && y < symbols; y++) {
            const uint32_t begin = n;

            for (i = at[k][0]; i < at[k][1]; i++)
                if (times[i] > depth && x[times[i] - 1 - depth] == y)
                    times[n++] = times[i];
            if (n - begin < 2 || t.contexts == MOST) {
                n = begin;
                continue;
            }
            at[t.contexts][0] = begin;
            at[t.contexts][1] = n;
            t.label[t.contexts++] = y;
        }
    }
    t.child[t.contexts] = t.contexts;
    put_tree(&f, &t);
    return f;
}

/* A copy of exactly its size, so that a sanitizer sees what reads past it. */
static file copy_of(file f, size_t n)
{
    file g = f;

    g.n = n;
    g.bytes = allocate(n);
    if (n > 0)
        memcpy(g.bytes, f.bytes, n);
    return g;
}

static bbans_status build(bbans_model *model, file f, void **memory)
{
    bbans_status status = bbans_model_parse(model, f.bytes, f.n);

    *memory = NULL;
    if (status == BBANS_OK) {
        const size_t n = bbans_model_bytes(model);

        *memory = allocate(n);
        CHECK(bbans_model_build(model, *memory, n - 1) == BBANS_ERR_CAPACITY);
        status = bbans_model_build(model, *memory, n);
    }
    return status;
}

/* What was read is written again. */
static void test_write(const bbans_model *model, file f)
{
    uint8_t *bytes = allocate(f.n);
    size_t n;

    CHECK(bbans_model_write(&model->frozen->space, model->kind, NULL,
                            model->ends, bytes, f.n, &n) == BBANS_OK);
    CHECK(n == f.n && memcmp(bytes, f.bytes, n) == 0);
    free(bytes);
}

/* ---- Coding -------------------------------------------------------------- */

/* Returns a hash of the messages, the same on every machine. */
static uint32_t test_messages(const bbans_hmm *model)
{
    bbans_hmm copy = *model, *const hmm = &copy; /* in either mode */
    const size_t cap = bbans_sequence_tail_words(&hmm->space, N);
    const size_t full = bbans_sequence_work_bytes(&hmm->space, N, N);
    const size_t blocks = bbans_sequence_work_bytes(&hmm->space, N, 15);
    const size_t small = bbans_sequence_work_bytes(&hmm->space, 1, 1);
    uint32_t *x = allocate(4 * N), *y = allocate(4 * N);
    uint32_t *tail = allocate(4 * cap);
    void *work = allocate(full), *narrow = allocate(small);
    void *some = allocate(blocks);
    uint8_t *bytes = allocate(4 * cap);
    size_t i, n, length;
    uint64_t head;
    const uint32_t zero = 0;
    uint32_t hash = 0;
    bbans_message msg;
    int predictive;

    for (i = 0; i < N; i++)
        x[i] = below(3) ? below((uint32_t)hmm->symbols) : 0;
    CHECK(bbans_message_init(&msg, &head, 1, tail, cap) == BBANS_OK);
    for (predictive = 0; predictive <= 1; predictive++) {
        hmm->space.predictive = predictive;
        CHECK(bbans_sequence_encode(&hmm->space, x, N, work, full, &msg) ==
              BBANS_OK);
        CHECK(bbans_message_write(&msg, bytes, 4 * cap, &length) == BBANS_OK);
        for (i = 0; i < length; i++)
            hash = hash * 16777619 ^ bytes[i];
        CHECK(bbans_sequence_decode(&hmm->space, &msg, y, N, narrow, small) ==
              BBANS_OK);
        CHECK(memcmp(x, y, 4 * N) == 0);
        /* in blocks, the same */
        CHECK(bbans_sequence_encode(&hmm->space, x, N, some, blocks, &msg) ==
              BBANS_OK);
        CHECK(bbans_message_write(&msg, (uint8_t *)y, 4 * N, &n) == BBANS_OK);
        CHECK(n == length && memcmp(bytes, y, n) == 0);
        for (i = 0; i < 20; i++) { /* damage: an answer or a status */
            bytes[below((uint32_t)length)] ^= (uint8_t)(1u << below(8));
            if (bbans_message_read(&msg, bytes, length) == BBANS_OK)
                (void)bbans_sequence_decode(&hmm->space, &msg, y, N, narrow,
                                            small);
            if (bbans_message_read(&msg, bytes, length) == BBANS_OK) {
                const bbans_status status = bbans_sequence_decode_until(
                    &hmm->space, &msg, y, N, &zero, &n, narrow, small);

                CHECK((status == BBANS_ERR_STATE) == !predictive);
            }
        }
    }
    CHECK(hmm->space.predictive);
    { /* to the last symbol, which occurs nowhere before it */
        const uint32_t last = (uint32_t)hmm->symbols - 1;

        for (n = 0; n + 1 < N && x[n] != last;)
            n++;
        x[n++] = last;
        CHECK(bbans_sequence_encode(&hmm->space, x, n, work, full, &msg) ==
              BBANS_OK);
        CHECK(bbans_sequence_decode_until(&hmm->space, &msg, y, n - 1, &last,
                                          &i, narrow,
                                          small) == BBANS_ERR_CAPACITY);
        CHECK(bbans_sequence_encode(&hmm->space, x, n, work, full, &msg) ==
              BBANS_OK);
        CHECK(bbans_sequence_decode_until(&hmm->space, &msg, y, n, &last, &i,
                                          narrow, small) == BBANS_OK);
        CHECK(i == n && memcmp(x, y, 4 * n) == 0);
    }
    free(x);
    free(y);
    free(tail);
    free(work);
    free(narrow);
    free(some);
    free(bytes);
    return hash;
}

/* ---- Damage -------------------------------------------------------------- */

static void test_cuts(file f)
{
    bbans_model model;
    size_t n;

    for (n = 0; n < f.n; n++) {
        file cut = copy_of(f, n);

        CHECK(bbans_model_parse(&model, cut.bytes, n) == BBANS_ERR_TRUNCATED);
        free(cut.bytes);
    }
}

/* Under a right checksum: refused, or a model that codes.  Whatever the tree
 * says, nothing outside of it is read: the sanitizers look. */
static void test_damage(file f, size_t *refused, size_t *taken)
{
    static const uint8_t telling[] = {0, 1, 2, 0x7f, 0x80, 0xff};
    const size_t end = f.n - 4;
    file g = copy_of(f, f.n);
    bbans_model model;
    void *memory;
    int change;

    for (change = 1 + (int)below(3); change > 0; change--) {
        const size_t at = below(4)
                              ? f.tree + 8 + below((uint32_t)(end - f.tree - 8))
                              : f.tree + below((uint32_t)(end - f.tree));

        if (below(2))
            g.bytes[at] = telling[below(sizeof telling)];
        else
            g.bytes[at] ^= (uint8_t)(1u << below(8));
    }
    fix_checksum(g);
    if (build(&model, g, &memory) == BBANS_OK) {
        ++*taken;
        test_write(&model, g);
        (void)test_messages(&model.frozen->hmm);
    } else {
        ++*refused;
        CHECK(memory == NULL || model.frozen == NULL);
    }
    free(memory);
    free(g.bytes);
}

/* Counts beyond the bytes that are there, and beyond all limits. */
static void test_counts(file f)
{
    static const uint32_t counts[] = {0, 1, 1u << 24, (1u << 24) + 1,
                                      UINT32_MAX};
    bbans_model model;
    void *memory;
    size_t i, k;

    for (k = 0; k < 2; k++)
        for (i = 0; i < sizeof counts / sizeof *counts; i++) {
            file g = copy_of(f, f.n);

            memory = NULL;
            bbans_store(g.bytes + f.tree + 4 * k, counts[i], 4);
            fix_checksum(g);
            CHECK(memcmp(g.bytes, f.bytes, f.n) == 0 ||
                  build(&model, g, &memory) < 0);
            free(memory);
            free(g.bytes);
        }
}

/* ---- The packed form ----------------------------------------------------- */

/* What is packed is unpacked to the byte, and bytes that are damaged are
 * refused: the sanitizers look that nothing beyond the memory is touched. */
static void test_pack(file f, size_t *packed_bytes, uint32_t *hash)
{
    size_t cap, room, n, m, i;
    uint8_t *packed, *plain;
    bbans_model model;

    CHECK(bbans_model_pack(f.bytes, f.n, NULL, 0, &cap) == BBANS_ERR_CAPACITY);
    packed = allocate(cap);
    CHECK(bbans_model_pack(f.bytes, f.n, packed, cap - 1, &n) ==
              BBANS_ERR_CAPACITY &&
          n == cap);
    if (bbans_model_pack(f.bytes, f.n, packed, cap, &n) != BBANS_OK) {
        CHECK(f.n < 2000); /* else it is shorter */
        free(packed);
        return;
    }
    CHECK(n < f.n);
    *packed_bytes += n;
    for (i = 0; i < n; i++)
        *hash = *hash * 16777619 ^ packed[i];
    CHECK(bbans_model_parse(&model, packed, n) == BBANS_ERR_STATE);
    CHECK(bbans_model_pack(packed, n, NULL, 0, &m) == BBANS_ERR_STATE);
    CHECK(bbans_model_unpack(f.bytes, f.n, NULL, 0, &m) == BBANS_ERR_STATE);
    CHECK(bbans_model_unpack(packed, n, NULL, 0, &room) == BBANS_ERR_CAPACITY);
    plain = allocate(room);
    CHECK(bbans_model_unpack(packed, n, plain, room - 1, &m) ==
              BBANS_ERR_CAPACITY &&
          m == room);
    CHECK(bbans_model_unpack(packed, n, plain, room, &m) == BBANS_OK);
    CHECK(m == f.n && memcmp(plain, f.bytes, m) == 0);
    for (i = 0; i < 100; i++) {
        uint8_t *other = allocate(n);
        const size_t at = below(5) ? below((uint32_t)n) : below(36);
        bbans_status status;

        memcpy(other, packed, n);
        other[at] ^= (uint8_t)(1 + below(255));
        status = bbans_model_unpack(other, n, NULL, 0, &m);
        if (status == BBANS_ERR_CAPACITY && m < 1 << 24) {
            uint8_t *to = allocate(m);

            /* of the last bits not all matter */
            if (bbans_model_unpack(other, n, to, m, &m) == BBANS_OK)
                CHECK(at > n - 10 && m == f.n && memcmp(to, f.bytes, m) == 0);
            free(to);
        } else {
            CHECK(status != BBANS_OK);
        }
        free(other);
    }
    for (i = 0; i < n; i += 1 + n / 50) { /* cut short */
        uint8_t *cut = allocate(i);

        memcpy(cut, packed, i);
        CHECK(bbans_model_unpack(cut, i, plain, room, &m) != BBANS_OK);
        free(cut);
    }
    free(packed);
    free(plain);
}

/* ---- What is refused ----------------------------------------------------- */

/* Arrays of little-endian numbers. */
typedef struct {
    uint8_t children[4 * 20], first[4 * 20], label[2 * 20], symbol[2 * 4];
    uint8_t sum[2 * 4], back_off[20];
} arrays;

/* A path of contexts, the last of which has two entries. */
static bbans_contexts make_path(arrays *a, size_t contexts)
{
    bbans_contexts c = {0};
    size_t k;

    memset(a, 0, sizeof *a);
    for (k = 0; k <= contexts; k++) {
        bbans_store(a->children + 4 * k, k < contexts ? k + 1 : k, 4);
        bbans_store(a->first + 4 * k, k < contexts ? 0 : 2, 4);
        a->back_off[k] = k + 1 < contexts ? 255 : 99;
    }
    bbans_store(a->symbol + 2, 2, 2);
    bbans_store(a->sum, 5, 2);
    bbans_store(a->sum + 2, 9, 2);
    c.contexts = contexts;
    c.entries = 2;
    c.children = a->children;
    c.first = a->first;
    c.label = a->label;
    c.symbol = a->symbol;
    c.sum = a->sum;
    c.back_off = a->back_off;
    return c;
}

static void test_refusals(void)
{
    static const uint32_t mass[9] = {4, 2, 1, 1, 4, 4, 4, 2, 2};
    arrays a;
    bbans_contexts c = make_path(&a, 2), d;
    const struct {
        uint8_t *place;
        uint32_t value;
        size_t width;
        bbans_status status;
    } changes[] = {
        {a.children, 0, 4, BBANS_ERR_TABLE},
        {a.children, 2, 4, BBANS_ERR_TABLE},
        {a.children + 4, 1, 4, BBANS_ERR_TABLE},
        {a.children + 4, 3, 4, BBANS_ERR_TABLE},
        {a.children + 8, 1, 4, BBANS_ERR_TABLE},
        {a.children + 8, 3, 4, BBANS_ERR_TABLE},
        {a.first, 1, 4, BBANS_ERR_TABLE},
        {a.first + 4, 1, 4, BBANS_ERR_TABLE}, /* the empty one has none */
        {a.first + 8, 1, 4, BBANS_ERR_TABLE},
        {a.first + 8, 3, 4, BBANS_ERR_TABLE},
        {a.label, 1, 2, BBANS_ERR_TABLE},
        {a.label + 2, 3, 2, BBANS_OK}, /* the beginning */
        {a.label + 2, 4, 2, BBANS_ERR_TABLE},
        {a.symbol, 1, 2, BBANS_OK},
        {a.symbol, 2, 2, BBANS_ERR_TABLE},
        {a.symbol + 2, 1, 2, BBANS_OK},
        {a.symbol + 2, 3, 2, BBANS_ERR_TABLE},
        {a.sum, 0, 2, BBANS_ERR_TABLE},
        {a.sum, 1, 2, BBANS_OK},
        {a.sum, 8, 2, BBANS_OK},
        {a.sum, 9, 2, BBANS_ERR_TABLE},
        {a.sum + 2, 65535, 2, BBANS_OK},
        {a.back_off, 254, 1, BBANS_ERR_TABLE}, /* without entries, 256 */
        {a.back_off + 1, 255, 1, BBANS_ERR_TABLE},
        {a.back_off + 1, 254, 1, BBANS_OK},
        {a.back_off + 1, 0, 1, BBANS_OK},
    };
    const size_t n = bbans_hmm_bytes(1, 3);
    void *memory = allocate(n);
    bbans_hmm hmm;
    size_t k;

#define SET(c) bbans_hmm_set_contexts(&hmm, c)
    CHECK(bbans_hmm_init(&hmm, 1, 3, 2, 1, mass, mass, mass + 1, memory, n) ==
          BBANS_OK);
    CHECK(SET(&c) == BBANS_OK);
    for (k = 0; k < sizeof changes / sizeof *changes; k++) {
        bbans_store(changes[k].place, changes[k].value, changes[k].width);
        CHECK(SET(&c) == changes[k].status);
        (void)make_path(&a, 2);
    }
    CHECK(bbans_hmm_set_contexts(NULL, &c) == BBANS_ERR_NULL);
    CHECK(SET(NULL) == BBANS_ERR_NULL);
#define WITHOUT(array) (d = c, d.array = NULL, SET(&d))
    CHECK(WITHOUT(children) == BBANS_ERR_NULL);
    CHECK(WITHOUT(first) == BBANS_ERR_NULL);
    CHECK(WITHOUT(label) == BBANS_ERR_NULL);
    CHECK(WITHOUT(symbol) == BBANS_ERR_NULL);
    CHECK(WITHOUT(sum) == BBANS_ERR_NULL);
    CHECK(WITHOUT(back_off) == BBANS_ERR_NULL);
    bbans_store(a.first + 8, 1, 4);
    c.entries = 1;
    CHECK(SET(&c) == BBANS_OK);
    CHECK(WITHOUT(symbol) == BBANS_ERR_NULL);
    CHECK(WITHOUT(sum) == BBANS_ERR_NULL);
    bbans_store(a.first + 8, 0, 4); /* no entries: no arrays of them */
    a.back_off[1] = 255;
    c.entries = 0;
    c.symbol = c.sum = NULL;
    CHECK(SET(&c) == BBANS_OK);
    c.contexts = 0;
    CHECK(SET(&c) == BBANS_ERR_SIZE);
    c = make_path(&a, 2);
    c.contexts = BBANS_CONTEXTS_MAX + 1;
    CHECK(SET(&c) == BBANS_ERR_SIZE);
    c = make_path(&a, 2);
    c.entries = BBANS_CONTEXTS_MAX + 1;
    CHECK(SET(&c) == BBANS_ERR_SIZE);
    c = make_path(&a, 1 + BBANS_ORDER_MAX);
    CHECK(SET(&c) == BBANS_OK);
    c = make_path(&a, 2 + BBANS_ORDER_MAX);
    CHECK(SET(&c) == BBANS_ERR_TABLE);
    CHECK(bbans_hmm_init(&hmm, 1, 3, 25, 1, (const uint32_t[]){1u << 25},
                         (const uint32_t[]){1u << 25},
                         (const uint32_t[]){1u << 24, 1u << 23, 1u << 23},
                         memory, n) == BBANS_OK);
    c = make_path(&a, 2);
    CHECK(SET(&c) == BBANS_ERR_PRECISION);
    free(memory);
}

int main(void)
{
    size_t refused = 0, taken = 0, packed = 0, counted = 0;
    uint32_t trial, hash = 0, packed_hash = 0;
    int i;

    for (trial = 0; trial < 60; trial++) {
        const uint32_t states = 1 + below(20);
        const uint32_t symbols = 1 + below(trial < 50 ? 12 : 300);
        const unsigned prec = 9 + below(16);
        const unsigned order = trial % 10 == 0 ? 16 : below(5);
        const file f = make_model(states, symbols, prec, order);
        bbans_model model;
        void *memory;

        CHECK(build(&model, f, &memory) == BBANS_OK);
        test_write(&model, f);
        hash = hash * 16777619 ^ test_messages(&model.frozen->hmm);
        free(memory);
        if (trial < 10)
            test_cuts(f);
        test_counts(f);
        for (i = 0; i < 60; i++)
            test_damage(f, &refused, &taken);
        free(f.bytes);
    }
    CHECK(refused > 1000 && taken > 200);
    CHECK(hash == 0xb2caf14f);
    for (trial = 0; trial < 40; trial++) {
        const uint32_t states = 1 + below(4);
        const uint32_t symbols = 2 + below(trial % 2 ? 8 : 40);
        const unsigned prec = 8 + below(17);
        file f = make_model(states, symbols, prec, trial % 6);

        test_pack(f, &packed, &packed_hash);
        free(f.bytes);
    }
    CHECK(packed > 10000);
    for (trial = 0; trial < 8; trial++) {
        file f = trial == 7 ? make_model(1, 1100, 16, 3) /* no flags: gaps */
                            : make_counts(2 + 5 * trial, 1 + trial, 12);

        test_pack(f, trial == 7 ? &packed : &counted, &packed_hash);
        free(f.bytes);
    }
    CHECK(counted > 1000);
    CHECK(packed_hash == 0x6d51530a); /* the same bytes on every machine */
    test_refusals();
    printf("test_contexts: ok, %u files refused, %u taken\n", (unsigned)refused,
           (unsigned)taken);
    return 0;
}
