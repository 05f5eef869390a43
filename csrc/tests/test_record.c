/* Records: round trips within arrays of just the size asked for, what is
 * stored, and any bytes as a message.
 *
 * SPDX-License-Identifier: MIT */
#include "record_model.h"

#define SIZE_MOST 700

static unsigned n_stored, n_coded;

/* Any bytes, or such as the model knows. */
static size_t random_record(const record_model *m, uint8_t *record)
{
    const bbans_model *model = &m->model;
    const size_t data = model->symbols - (size_t)model->ends;
    const size_t most = 1 + below(below(4) == 0 ? SIZE_MOST - 4 : 30);
    const uint32_t strange = below(4) == 0 ? below(300) : UINT32_MAX;
    size_t n = 0;

    while (n + 1 < most) {
        const uint32_t value =
            (uint32_t)bbans_model_value(model, below((uint32_t)data));
        size_t k = 1;

        if (n == strange || model->kind != BBANS_KIND_TEXT ||
            model->values == NULL)
            record[n] = (uint8_t)(n == strange ? random_bits() : value);
        else
            CHECK(bbans_utf8_encode(&value, 1, record + n, 4, &k) == BBANS_OK);
        n += k;
    }
    return n;
}

/* In arrays of their own, so that the sanitizer sees what is beyond. */
static bbans_status decode(const bbans_model *model, const uint8_t *bytes,
                           size_t n_bytes, size_t cap, size_t *n,
                           const uint8_t *expected)
{
    const size_t work_bytes = bbans_record_work_bytes(model);
    uint8_t *given = allocate(n_bytes), *record = allocate(cap);
    void *work = allocate(work_bytes);
    bbans_status status;

    if (n_bytes > 0)
        memcpy(given, bytes, n_bytes);
    status =
        bbans_record_decode(model, n_bytes > 0 ? given : NULL, n_bytes,
                            cap > 0 ? record : NULL, cap, n, work, work_bytes);
    if (status == BBANS_OK) {
        CHECK(*n <= cap);
        CHECK(expected == NULL || memcmp(record, expected, *n) == 0);
    }
    free(given);
    free(record);
    free(work);
    return status;
}

static void test_round_trips(void)
{
    int trial;

    for (trial = 0; trial < SOME(3000); trial++) {
        uint8_t record[SIZE_MOST];
        size_t n, size, decoded, cap;
        uint8_t *bytes;
        record_model m;
        void *work;

        make_record_model(&m, below(RECORD_KINDS), (int)below(2));
        n = random_record(&m, record);
        cap = bbans_record_bound(n);
        bytes = allocate(cap);
        size = bbans_record_work_bytes(&m.model);
        work = allocate(size);
        CHECK(bbans_record_encode(&m.model, n > 0 ? record : NULL, n, bytes,
                                  cap, &decoded, work, size) == BBANS_OK);
        free(work);
        size = decoded;
        CHECK(size <= n + 1);
        if (size > 0 && bytes[0] == BBANS_RECORD_STORED) {
            CHECK(size == n + 1 && memcmp(bytes + 1, record, n) == 0);
            n_stored++;
        } else {
            n_coded++;
        }
        CHECK(decode(&m.model, bytes, size, n, &decoded, record) == BBANS_OK);
        CHECK(decoded == n);
        CHECK(decode(&m.model, bytes, size, n + 9, &decoded, record) ==
              BBANS_OK);
        CHECK(decoded == n);
        cap = n > 0 ? below((uint32_t)n) : 0;
        if (n > 0)
            CHECK(decode(&m.model, bytes, size, cap, &decoded, record) ==
                  BBANS_ERR_CAPACITY);
        CHECK(decoded > cap || n == 0);
        CHECK(decoded <= n);
        free(bytes);
        free_record_model(&m);
    }
    CHECK(n_stored > SOME(100) && n_coded > SOME(1000));
}

/* Characters of all lengths in UTF-8, equally likely: their symbols are coded.
 */
static void test_characters(void)
{
    static const uint32_t points[16] = {
        0,      0x7F,   0x80,    0x7FF,   0x800,   0xFFF,   0x1000,   0xD7FF,
        0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0xFFFFF, 0x100000, 0x10FFFF};
    const uint32_t total = (uint32_t)1 << RECORD_PREC;
    const size_t hmm_bytes = bbans_hmm_bytes(1, 16);
    uint8_t record[64], bytes[64 + BBANS_RECORD_ROOM];
    uint32_t mass[18];
    size_t n, size, decoded, i;
    record_model m;
    void *work;

    memset(&m, 0, sizeof m);
    m.memory = allocate(hmm_bytes);
    mass[0] = mass[1] = total;
    for (i = 0; i < 16; i++) {
        mass[2 + i] = total / 16;
        bbans_store(m.values + 4 * i, points[i], 4);
    }
    CHECK(bbans_hmm_init(&m.frozen.hmm, 1, 16, RECORD_PREC, 1, mass, mass + 1,
                         mass + 2, m.memory, hmm_bytes) == BBANS_OK);
    m.model.type = BBANS_MODEL_HMM;
    m.model.kind = BBANS_KIND_TEXT;
    m.model.symbols = 16;
    m.model.values = m.values;
    m.model.frozen = &m.frozen;
    CHECK(bbans_utf8_encode(points, 16, record, sizeof record, &n) == BBANS_OK);
    size = bbans_record_work_bytes(&m.model);
    work = allocate(size);
    CHECK(bbans_record_encode(&m.model, record, n, bytes, sizeof bytes, &i,
                              work, size) == BBANS_OK);
    free(work);
    CHECK(n == 48 && i <= 11); /* 16 times 4 bits, and the length */
    CHECK(decode(&m.model, bytes, i, n, &decoded, record) == BBANS_OK);
    CHECK(decoded == n);
    free_record_model(&m);
}

/* What is a record, and not stored, is written so. */
static void test_any_bytes(void)
{
    unsigned refused = 0, taken = 0;
    int trial;

    for (trial = 0; trial < SOME(20000); trial++) {
        uint8_t bytes[40], record[200], again[216];
        size_t n_bytes = below(12), n, size, i;
        bbans_status status;
        record_model m;
        void *work;

        make_record_model(&m, below(RECORD_KINDS), (int)below(2));
        for (i = 0; i < n_bytes; i++)
            bytes[i] = (uint8_t)random_bits();
        size = bbans_record_work_bytes(&m.model);
        work = allocate(size);
        status = bbans_record_decode(&m.model, bytes, n_bytes, record,
                                     sizeof record, &n, work, size);
        CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT ||
              (status == BBANS_ERR_CAPACITY && n > sizeof record));
        refused += status != BBANS_OK;
        if (status == BBANS_OK && (n_bytes == 0 || bytes[0] != 0xFF)) {
            CHECK(bbans_record_encode(&m.model, record, n, again,
                                      bbans_record_bound(n), &i, work,
                                      size) == BBANS_OK);
            CHECK(i == n_bytes && memcmp(bytes, again, i) == 0);
            taken++;
        }
        free(work);
        free_record_model(&m);
    }
    CHECK(refused > SOME(1000) && taken > SOME(500));
}

static void test_refusals(void)
{
    uint8_t record[4] = {0}, bytes[20], work[1 << 14];
    size_t n = 3, size, cap = bbans_record_bound(3);
    bbans_model none;
    bbans_status status;
    record_model m;

    make_record_model(&m, 0, 0);
    size = bbans_record_work_bytes(&m.model);
    CHECK(size > 0 && size <= sizeof work && cap == 3 + BBANS_RECORD_ROOM);
    CHECK(bbans_record_bound(SIZE_MAX) == 0);
#define ENCODE(model, record, bytes, cap, n, work, size)                       \
    bbans_record_encode(model, record, 3, bytes, cap, n, work, size)
    CHECK(ENCODE(NULL, record, bytes, cap, &n, work, size) == BBANS_ERR_NULL);
    CHECK(ENCODE(&m.model, NULL, bytes, cap, &n, work, size) == BBANS_ERR_NULL);
    CHECK(ENCODE(&m.model, record, NULL, cap, &n, work, size) ==
          BBANS_ERR_NULL);
    CHECK(ENCODE(&m.model, record, bytes, cap, NULL, work, size) ==
          BBANS_ERR_NULL);
    CHECK(ENCODE(&m.model, record, bytes, cap, &n, NULL, size) ==
          BBANS_ERR_NULL);
    CHECK(ENCODE(&m.model, record, bytes, cap - 1, &n, work, size) ==
          BBANS_ERR_CAPACITY);
    CHECK(ENCODE(&m.model, record, bytes, cap, &n, work, size - 1) ==
          BBANS_ERR_CAPACITY);
    CHECK(ENCODE(&m.model, record, bytes, cap, &n, work, size) == BBANS_OK);
#define DECODE(model, bytes, record, cap, n, work, size)                       \
    bbans_record_decode(model, bytes, 2, record, cap, n, work, size)
    bytes[0] = BBANS_RECORD_STORED;
    CHECK(DECODE(NULL, bytes, record, 4, &n, work, size) == BBANS_ERR_NULL);
    CHECK(DECODE(&m.model, NULL, record, 4, &n, work, size) == BBANS_ERR_NULL);
    CHECK(DECODE(&m.model, bytes, NULL, 4, &n, work, size) == BBANS_ERR_NULL);
    CHECK(DECODE(&m.model, bytes, record, 4, NULL, work, size) ==
          BBANS_ERR_NULL);
    CHECK(DECODE(&m.model, bytes, record, 4, &n, NULL, size) == BBANS_ERR_NULL);
    CHECK(DECODE(&m.model, bytes, record, 4, &n, work, size - 1) ==
          BBANS_ERR_CAPACITY);
    CHECK(n == 0);
    CHECK(DECODE(&m.model, bytes, record, 4, &n, work, size) == BBANS_OK);
    CHECK(n == 1);
    /* One byte is not there either; none are, where there are none. */
    CHECK(bbans_record_encode(&m.model, NULL, 1, bytes, cap, &n, work, size) ==
          BBANS_ERR_NULL);
    CHECK(bbans_record_decode(&m.model, NULL, 1, record, 4, &n, work, size) ==
          BBANS_ERR_NULL);
    CHECK(bbans_record_decode(&m.model, bytes, 1, NULL, 1, &n, work, size) ==
          BBANS_ERR_NULL);
    status = bbans_record_decode(&m.model, NULL, 0, NULL, 0, &n, work, size);
    CHECK(status == BBANS_ERR_CORRUPT || status == BBANS_ERR_CAPACITY);
    none = m.model;
    none.kind = BBANS_KIND_INTEGERS;
    CHECK(bbans_record_work_bytes(&none) == 0);
    CHECK(ENCODE(&none, record, bytes, cap, &n, work, size) ==
          BBANS_ERR_SYMBOL);
    CHECK(DECODE(&none, bytes, record, 4, &n, work, size) == BBANS_ERR_SYMBOL);
    none = m.model;
    none.frozen = NULL;
    CHECK(bbans_record_work_bytes(&none) == 0);
    CHECK(DECODE(&none, bytes, record, 4, &n, work, size) == BBANS_ERR_SYMBOL);
    CHECK(bbans_record_work_bytes(NULL) == 0);
    free_record_model(&m);
}

int main(void)
{
    int isa;

    FOR_EACH_ISA(isa)
    test_round_trips();
    test_characters();
    test_any_bytes();
    test_refusals();
    printf("test_record: ok, %u coded, %u stored\n", n_coded, n_stored);
    return 0;
}
