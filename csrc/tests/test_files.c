/* Checksums, UTF-8 and model files: round trips, every cut, every flipped bit,
 * and damage that the checksums do not show.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"

#include <string.h>

static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    CHECK(memory != NULL);
    return memory;
}

/* Bytes of their exact size, so that a sanitizer sees what reads past them. */
static uint8_t *copy_of(const uint8_t *bytes, size_t n)
{
    uint8_t *copy = allocate(n);

    if (n > 0)
        memcpy(copy, bytes, n);
    return copy;
}

/* ---- Checksums, UTF-8 ---------------------------------------------------- */

static void test_checksums(void)
{
    static const struct {
        size_t n;
        uint8_t start[8];
    } known[] = {{0, {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14}},
                 {3, {0xae, 0x4b, 0x32, 0x80, 0xe5, 0x6e, 0x2f, 0xaf}},
                 {55, {0x46, 0x3e, 0xb2, 0x8e, 0x72, 0xf8, 0x2e, 0x0a}},
                 {56, {0xda, 0x2a, 0xe4, 0xd6, 0xb3, 0x67, 0x48, 0xf2}},
                 {63, {0x29, 0xaf, 0x26, 0x86, 0xfd, 0x53, 0x37, 0x4a}},
                 {64, {0xfd, 0xea, 0xb9, 0xac, 0xf3, 0x71, 0x03, 0x62}},
                 {119, {0xda, 0x18, 0x79, 0x7e, 0xd7, 0xc3, 0xa7, 0x77}},
                 {120, {0xf5, 0x2b, 0x23, 0xdb, 0x1f, 0xbb, 0x6d, 0xed}},
                 {1000, {0xa8, 0xaf, 0x09, 0x9b, 0xf2, 0xe8, 0x78, 0x60}}};
    uint8_t bytes[1000], digest[32];
    size_t i;

    CHECK(bbans_crc32(0, (const uint8_t *)"123456789", 9) == 0xCBF43926);
    CHECK(bbans_crc32(bbans_crc32(0, (const uint8_t *)"1234", 4),
                      (const uint8_t *)"56789", 5) == 0xCBF43926);
    for (i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)i;
    for (i = 0; i < sizeof known / sizeof *known; i++) {
        bbans_sha256(bytes, known[i].n, digest);
        CHECK(memcmp(digest, known[i].start, 8) == 0);
    }
}

static void test_utf8(void)
{
    static const char *const wrong[] = {
        "\x80",         "\xC1\xBF",     "\xE0\x9F\xBF",     "\xF0\x8F\xBF\xBF",
        "\xED\xA0\x80", "\xED\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xC2",         "\xE1\x80",     "\xF1\x80\x80",     "\xC2\x41",
        "\xE1\x80\x41", "\xFF"};
    uint32_t c, back[2];
    uint8_t bytes[8];
    size_t i, n, n_bytes;

    for (c = 0; c <= BBANS_CODE_POINT_MAX; c++) {
        const uint32_t pair[2] = {c, 'x'};
        bbans_status status;

        CHECK(bbans_utf8_encode(pair, 2, bytes, 5, &n_bytes) == BBANS_OK);
        CHECK(n_bytes == (c < 0x80      ? 2u
                          : c < 0x800   ? 3u
                          : c < 0x10000 ? 4u
                                        : 5u));
        status = bbans_utf8_decode(bytes, n_bytes, back, 2, &n);
        if (c >= 0xD800 && c < 0xE000)
            CHECK(status == BBANS_ERR_SYMBOL);
        else
            CHECK(status == BBANS_OK && n == 2 && memcmp(back, pair, 8) == 0);
    }
    CHECK(bbans_utf8_encode(&c, 1, bytes, 8, &n_bytes) == BBANS_ERR_SYMBOL);
    CHECK(bbans_utf8_encode(&c, 1, bytes, 8, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_utf8_encode(NULL, 1, bytes, 8, &n_bytes) == BBANS_ERR_NULL);
    CHECK(bbans_utf8_encode(&c, 1, NULL, 8, &n_bytes) == BBANS_ERR_NULL);
    CHECK(bbans_utf8_encode(NULL, 0, NULL, 0, &n_bytes) == BBANS_OK);
    c = 0x800;
    CHECK(bbans_utf8_encode(&c, 1, bytes, 2, &n_bytes) == BBANS_ERR_CAPACITY);
    CHECK(bbans_utf8_decode((const uint8_t *)"ab", 2, back, 1, &n) ==
          BBANS_ERR_CAPACITY);
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        uint8_t *exact = copy_of((const uint8_t *)wrong[i], strlen(wrong[i]));

        CHECK(bbans_utf8_decode(exact, strlen(wrong[i]), NULL, 0, &n) ==
              BBANS_ERR_SYMBOL);
        free(exact);
    }
}

/* ---- Model files --------------------------------------------------------- */

typedef struct {
    uint8_t *bytes;
    size_t n;
} file;

static void fix_checksum(file f)
{
    bbans_store(f.bytes + f.n - 4, bbans_crc32(0, f.bytes, f.n - 4), 4);
}

static void put_row(uint8_t **at, size_t n, unsigned prec)
{
    uint32_t spare = ((uint32_t)1 << prec) - (uint32_t)n;
    size_t k;

    for (k = 0; k < n; k++) {
        const uint32_t more = k + 1 < n ? below(spare / 4 + 1) : spare;

        bbans_store(*at, 1 + more, 4);
        spare -= more;
        *at += 4;
    }
}

/* All alphabets that there are; the values of those that are listed. */
enum { BYTES, INTEGERS, TEXT, SOME_BYTES, SOME_INTEGERS, ALPHABETS };

static const int kinds[ALPHABETS] = {BBANS_KIND_BYTES, BBANS_KIND_INTEGERS,
                                     BBANS_KIND_TEXT, BBANS_KIND_BYTES,
                                     BBANS_KIND_INTEGERS};

static int is_listed(int alphabet)
{
    return alphabet >= TEXT;
}

static int64_t value_of(int alphabet, size_t k)
{
    return alphabet == TEXT            ? (int64_t)(0x61 + 37 * k)
           : alphabet == SOME_BYTES    ? (int64_t)(3 + 8 * k)
           : alphabet == SOME_INTEGERS ? (int64_t)(10 * k) - 40
                                       : (int64_t)k;
}

static file make_model(size_t states, size_t symbols, unsigned prec,
                       int alphabet, int ends)
{
    const size_t width = !is_listed(alphabet) ? 0 : alphabet == TEXT ? 4 : 8;
    const size_t values = symbols - (size_t)ends;
    file f;
    uint8_t *at;
    size_t i;

    f.n = 24 + width * values + 4 * states * (1 + states + symbols) + 4;
    f.bytes = at = allocate(f.n);
    memcpy(at,
           "\x89"
           "bbm\3\1",
           6);
    at[6] = (uint8_t)below(2);
    at[7] = (uint8_t)kinds[alphabet];
    at[8] = (uint8_t)prec;
    at[9] = (uint8_t)is_listed(alphabet);
    at[10] = 0;
    at[11] = (uint8_t)ends;
    bbans_store(at + 12, states, 4);
    bbans_store(at + 16, symbols, 4);
    bbans_store(at + 20, 1 + below(12), 4);
    at += 24;
    for (i = 0; i < values; i++, at += width)
        bbans_store(at, (uint64_t)value_of(alphabet, i), width);
    put_row(&at, states, prec);
    for (i = 0; i < states; i++)
        put_row(&at, states, prec);
    for (i = 0; i < states; i++)
        put_row(&at, symbols, prec);
    fix_checksum(f);
    return f;
}

static void *build(bbans_model *model, file f)
{
    size_t n;
    void *memory;

    CHECK(bbans_model_parse(model, f.bytes, f.n) == BBANS_OK);
    n = bbans_model_bytes(model);
    memory = allocate(n);
    CHECK(bbans_model_build(model, memory, n - 1) == BBANS_ERR_CAPACITY);
    CHECK(bbans_model_build(model, memory, n) == BBANS_OK);
    return memory;
}

/* Tables made in place are those made from masses elsewhere. */
static void test_in_place(file f, int alphabet)
{
    bbans_model model;
    void *memory = build(&model, f), *other;
    const bbans_hmm *built = &model.frozen->hmm;
    const size_t K = built->states, M = model.symbols, n = K * (1 + K + M);
    const uint8_t *masses = f.bytes + f.n - 4 - 4 * n;
    const size_t size = bbans_hmm_bytes(K, M);
    uint32_t *mass = allocate(4 * n);
    /* behind the bbans_frozen */
    uint8_t *tables = (uint8_t *)memory + (sizeof(bbans_frozen) + 7) / 8 * 8;
    bbans_hmm hmm;
    size_t i;

    for (i = 0; i < n; i++)
        mass[i] = (uint32_t)bbans_load(masses + 4 * i, 4);
    other = allocate(size);
    CHECK(bbans_hmm_init(&hmm, K, M, f.bytes[8], f.bytes[20], mass, mass + K,
                         mass + K + K * K, other, size) == BBANS_OK);
    CHECK(memcmp(bbans_align(tables), bbans_align(other),
                 size - (BBANS_ALIGNMENT - 1)) == 0);
    CHECK(hmm.floor == built->floor && hmm.stride == built->stride);
    CHECK(hmm.space.start_length == built->space.start_length);
    CHECK(built->space.predictive == f.bytes[6]);
    CHECK(model.kind == kinds[alphabet] && model.width == 1);
    CHECK(model.ends == f.bytes[11]);
    for (i = 0; i < M - f.bytes[11]; i++) {
        CHECK(bbans_model_value(&model, i) == value_of(alphabet, i));
        CHECK(bbans_model_symbol(&model, value_of(alphabet, i)) == i);
        CHECK(!is_listed(alphabet) ||
              bbans_model_symbol(&model, value_of(alphabet, i) + 1) == M);
    }
    for (; i < M; i++) { /* the end of a record */
        CHECK(bbans_model_value(&model, i) == -1);
        CHECK(bbans_model_symbol(&model, value_of(alphabet, i)) == M);
    }
    CHECK(bbans_model_symbol(&model, -1) == M || alphabet == SOME_INTEGERS);
    CHECK(bbans_model_symbol(&model, INT64_MIN) == M);
    CHECK(bbans_model_symbol(&model, INT64_MAX) == M);
    free(memory);
    free(other);
    free(mass);
}

static void test_model_damage(file f, size_t masses)
{
    bbans_model model;
    size_t i, n, k;

    for (n = 0; n < f.n; n++) {
        uint8_t *cut = copy_of(f.bytes, n);

        CHECK(bbans_model_parse(&model, cut, n) == BBANS_ERR_TRUNCATED);
        free(cut);
    }
    for (i = 0; i < 8 * f.n; i++) {
        f.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK(bbans_model_parse(&model, f.bytes, f.n) != BBANS_OK);
        f.bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    { /* one byte too many */
        uint8_t *longer = allocate(f.n + 1);

        memcpy(longer, f.bytes, f.n);
        longer[f.n] = 0;
        CHECK(bbans_model_parse(&model, longer, f.n + 1) == BBANS_ERR_CORRUPT);
        free(longer);
    }
    /* with the checksum right: refused, or a model to its letter */
    for (k = 0; k < 2000; k++) {
        file g;
        const size_t at = below((uint32_t)(f.n - 4));

        g.n = f.n;
        g.bytes = copy_of(f.bytes, f.n);
        g.bytes[at] ^= (uint8_t)(1u << below(8));
        fix_checksum(g);
        if (bbans_model_parse(&model, g.bytes, g.n) == BBANS_OK) {
            const size_t size = bbans_model_bytes(&model);
            void *memory = allocate(size);
            const bbans_status status = bbans_model_build(&model, memory, size);

            /* a single bit in a mass breaks its row's sum */
            CHECK(status ==
                  (at >= masses || at == 8 ? BBANS_ERR_CORRUPT : BBANS_OK));
            free(memory);
        }
        free(g.bytes);
    }
}

/* What bytes at a place, under a right checksum, are refused as. */
static bbans_status status_with(file f, size_t at, size_t n, uint64_t value)
{
    bbans_model model;
    bbans_status status;
    file g;

    g.n = f.n;
    g.bytes = copy_of(f.bytes, f.n);
    bbans_store(g.bytes + at, value, n);
    fix_checksum(g);
    status = bbans_model_parse(&model, g.bytes, g.n);
    free(g.bytes);
    return status;
}

static void test_model_fields(const file *files)
{
    static const struct {
        int alphabet;
        size_t at, n;
        uint64_t value;
        bbans_status status;
    } cases[] = {
        {BYTES, 5, 1, 0, BBANS_ERR_VERSION},
        {BYTES, 5, 1, 255, BBANS_ERR_VERSION},
        {BYTES, 6, 1, 2, BBANS_ERR_VERSION},
        {BYTES, 7, 1, 3, BBANS_ERR_VERSION},
        {BYTES, 9, 1, 2, BBANS_ERR_VERSION},
        {BYTES, 4, 1, 2, BBANS_ERR_VERSION},
        {BYTES, 10, 1, 1, BBANS_ERR_STATE}, /* packed */
        {BYTES, 10, 1, 2, BBANS_ERR_VERSION},
        {BYTES, 11, 1, 1, BBANS_OK},
        {BYTES, 11, 1, 2, BBANS_ERR_VERSION},
        {SOME_BYTES, 11, 1, 1, BBANS_ERR_CORRUPT}, /* a value too many */
        {BYTES, 6, 1, 1, BBANS_OK},
        {BYTES, 7, 1, BBANS_KIND_INTEGERS, BBANS_OK},
        {BYTES, 7, 1, BBANS_KIND_TEXT, BBANS_ERR_CORRUPT}, /* not listed */
        {SOME_INTEGERS, 8, 1, 0, BBANS_ERR_CORRUPT},
        {SOME_INTEGERS, 8, 1, 29, BBANS_ERR_CORRUPT},
        {SOME_INTEGERS, 12, 4, 0, BBANS_ERR_CORRUPT},
        {SOME_INTEGERS, 12, 4, 4097, BBANS_ERR_CORRUPT},
        {SOME_INTEGERS, 16, 4, 0, BBANS_ERR_CORRUPT},
        {SOME_INTEGERS, 16, 4, 65537, BBANS_ERR_CORRUPT},
        {SOME_INTEGERS, 20, 4, 0, BBANS_ERR_CORRUPT},
        {SOME_INTEGERS, 20, 4, 65536, BBANS_ERR_CORRUPT},
        /* the first value, above the second, and the same */
        {SOME_INTEGERS, 24, 8, 1000, BBANS_ERR_CORRUPT},
        {SOME_INTEGERS, 24, 8, (uint64_t)0 - 30, BBANS_ERR_CORRUPT},
        /* negative ones are no bytes */
        {SOME_INTEGERS, 7, 1, BBANS_KIND_BYTES, BBANS_ERR_CORRUPT},
        /* the last of 7, and one too far */
        {SOME_BYTES, 24 + 6 * 8, 8, 255, BBANS_OK},
        {SOME_BYTES, 24 + 6 * 8, 8, 256, BBANS_ERR_CORRUPT},
        {TEXT, 24 + 6 * 4, 4, BBANS_CODE_POINT_MAX, BBANS_OK},
        {TEXT, 24 + 6 * 4, 4, BBANS_CODE_POINT_MAX + 1, BBANS_ERR_CORRUPT},
    };
    file many = make_model(1, 257, 12, INTEGERS, 0);
    file ends = make_model(1, 257, 12, INTEGERS, 1);
    file utf8 = make_model(1, 256, 12, INTEGERS, 0);
    file one = make_model(1, 1, 12, INTEGERS, 0);
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(status_with(files[cases[i].alphabet], cases[i].at, cases[i].n,
                          cases[i].value) == cases[i].status);
    CHECK(status_with(many, 7, 1, BBANS_KIND_INTEGERS) == BBANS_OK);
    CHECK(status_with(many, 7, 1, BBANS_KIND_BYTES) == BBANS_ERR_CORRUPT);
    CHECK(status_with(many, 7, 1, BBANS_KIND_TEXT) == BBANS_ERR_CORRUPT);
    CHECK(status_with(ends, 7, 1, BBANS_KIND_BYTES) == BBANS_OK);
    CHECK(status_with(ends, 7, 1, BBANS_KIND_TEXT) == BBANS_OK);
    CHECK(status_with(utf8, 7, 1, BBANS_KIND_TEXT) == BBANS_OK);
    CHECK(status_with(one, 11, 1, 1) == BBANS_ERR_CORRUPT); /* but the end */
    free(many.bytes);
    free(ends.bytes);
    free(utf8.bytes);
    free(one.bytes);
}

/* Kept or not, it is the start of the SHA-256 of all but the checksum. */
static void test_fingerprint(file f)
{
    uint8_t digest[32], found[8];
    bbans_model model;

    CHECK(bbans_model_parse(&model, f.bytes, f.n) == BBANS_OK);
    CHECK(!model.named);
    bbans_sha256(f.bytes, f.n - 4, digest);
    CHECK(bbans_model_fingerprint(&model, found) == BBANS_OK);
    CHECK(memcmp(found, digest, 8) == 0);
    CHECK(bbans_model_name(&model) == BBANS_OK && model.named);
    CHECK(memcmp(model.fingerprint, digest, 8) == 0);
    memset(found, 0, sizeof found);
    CHECK(bbans_model_fingerprint(&model, found) == BBANS_OK);
    CHECK(memcmp(found, digest, 8) == 0);
    CHECK(bbans_model_fingerprint(NULL, found) == BBANS_ERR_NULL);
    CHECK(bbans_model_fingerprint(&model, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_model_name(NULL) == BBANS_ERR_NULL);
}

/* What is written is what was read. */
static void test_model_write(file f, int alphabet)
{
    bbans_model model;
    void *memory = build(&model, f);
    const bbans_state_space *space = &model.frozen->space;
    int64_t *value = allocate(8 * model.symbols), *given;
    uint8_t *bytes = allocate(f.n);
    size_t k, n;

    for (k = 0; k < model.symbols; k++)
        value[k] = value_of(alphabet, k);
    given = is_listed(alphabet) ? value : NULL;
    CHECK(bbans_model_write(space, model.kind, given, model.ends, bytes, f.n,
                            &n) == BBANS_OK);
    CHECK(n == f.n && memcmp(bytes, f.bytes, n) == 0);
    for (k = 0; k < f.n; k += 7)
        CHECK(bbans_model_write(space, model.kind, given, model.ends, bytes, k,
                                &n) == BBANS_ERR_CAPACITY &&
              n == f.n);
    CHECK(bbans_model_write(space, 3, given, 0, bytes, f.n, &n) ==
          BBANS_ERR_SYMBOL);
    CHECK(bbans_model_write(space, BBANS_KIND_TEXT, NULL, 0, bytes, f.n, &n) ==
          BBANS_ERR_SYMBOL);
    if (given != NULL && model.symbols > 1 && !model.ends) {
        /* the same modulo 2^32; beyond the kind; not rising */
        value[0] += INT64_C(1) << 32;
        CHECK(bbans_model_write(space, model.kind, given, model.ends, bytes,
                                f.n, &n) == BBANS_ERR_SYMBOL);
        value[0] -= INT64_C(1) << 32;
        value[model.symbols - 1] += 2 * BBANS_CODE_POINT_MAX;
        CHECK(
            bbans_model_write(space, model.kind, given, model.ends, bytes, f.n,
                              &n) ==
            (model.kind == BBANS_KIND_INTEGERS ? BBANS_OK : BBANS_ERR_SYMBOL));
        value[model.symbols - 1] = value[0];
        CHECK(bbans_model_write(space, model.kind, given, model.ends, bytes,
                                f.n, &n) == BBANS_ERR_SYMBOL);
    }
    free(memory);
    free(value);
    free(bytes);
}

/* One byte that is not there, of all kinds of files; and none. */
static void test_nothing(void)
{
    bbans_network_file network;
    bbans_records records;
    bbans_reader reader;
    bbans_model model;
    bbans_block block;
    size_t n;

    CHECK(bbans_model_parse(&model, NULL, 1) == BBANS_ERR_NULL);
    CHECK(bbans_network_parse(&network, NULL, 1) == BBANS_ERR_NULL);
    CHECK(bbans_records_open(&records, NULL, 1) == BBANS_ERR_NULL);
    CHECK(bbans_reader_begin(&reader, NULL, 1, &n) == BBANS_ERR_NULL);
    CHECK(bbans_reader_next(&reader, NULL, 1, &block, &n) == BBANS_ERR_NULL);
    CHECK(bbans_reader_resume(&reader, NULL, 1, 1, &n) == BBANS_ERR_NULL);
    CHECK(bbans_container_check(&reader, NULL, 1) == BBANS_ERR_NULL);
    CHECK(bbans_container_find(&reader, NULL, 1, 0, &n) == BBANS_ERR_NULL);
    CHECK(bbans_utf8_decode(NULL, 1, NULL, 0, &n) == BBANS_ERR_NULL);
    CHECK(bbans_model_parse(&model, NULL, 0) == BBANS_ERR_TRUNCATED);
    CHECK(bbans_network_parse(&network, NULL, 0) == BBANS_ERR_TRUNCATED);
    CHECK(bbans_records_open(&records, NULL, 0) == BBANS_ERR_TRUNCATED);
    CHECK(bbans_reader_begin(&reader, NULL, 0, &n) == BBANS_ERR_TRUNCATED);
    CHECK(bbans_container_check(&reader, NULL, 0) == BBANS_ERR_TRUNCATED);
    CHECK(bbans_utf8_decode(NULL, 0, NULL, 0, &n) == BBANS_OK && n == 0);
}

int main(void)
{
    file files[ALPHABETS];
    size_t k;

    test_checksums();
    test_utf8();
    test_nothing();
    for (k = 0; k < ALPHABETS; k++) {
        size_t trial;

        for (trial = 0; trial < 40; trial++) {
            const int ends = (int)below(2);
            file f = make_model(1 + below(40), 1 + below(30) + (size_t)ends,
                                6 + below(23), (int)k, ends);

            test_in_place(f, (int)k);
            test_model_write(f, (int)k);
            free(f.bytes);
        }
        files[k] = make_model(3, 7, 10, (int)k, 0);
        test_model_damage(files[k], files[k].n - 4 - 4 * 3 * (1 + 3 + 7));
    }
    test_model_fields(files);
    test_fingerprint(files[0]);
    for (k = 0; k < ALPHABETS; k++)
        free(files[k].bytes);
    printf("test_files: ok\n");
    return 0;
}
