/* Model files and containers: round trips, every cut, every flipped bit, and
 * damage that the checksums do not show.
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
                       int alphabet)
{
    const size_t width = !is_listed(alphabet) ? 0 : alphabet == TEXT ? 4 : 8;
    file f;
    uint8_t *at;
    size_t i;

    f.n = 24 + width * symbols + 4 * states * (1 + states + symbols) + 4;
    f.bytes = at = allocate(f.n);
    memcpy(at,
           "\x89"
           "bbm\2\1",
           6);
    at[6] = (uint8_t)below(2);
    at[7] = (uint8_t)kinds[alphabet];
    at[8] = (uint8_t)prec;
    at[9] = (uint8_t)is_listed(alphabet);
    at[10] = at[11] = 0;
    bbans_store(at + 12, states, 4);
    bbans_store(at + 16, symbols, 4);
    bbans_store(at + 20, 1 + below(12), 4);
    at += 24;
    for (i = 0; i < symbols; i++, at += width)
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
    CHECK(bbans_writer_work_bytes(model, 1, 1) == 0);
    CHECK(bbans_model_build(model, memory, n) == BBANS_OK);
    return memory;
}

/* Tables made in place are those made from masses elsewhere. */
static void test_in_place(file f, int alphabet)
{
    bbans_model model;
    void *memory = build(&model, f), *other;
    const bbans_hmm *built = &model.frozen.hmm;
    const size_t K = built->states, M = model.symbols, n = K * (1 + K + M);
    const uint8_t *masses = f.bytes + f.n - 4 - 4 * n;
    const size_t size = bbans_hmm_bytes(K, M);
    uint32_t *mass = allocate(4 * n);
    bbans_hmm hmm;
    size_t i;

    for (i = 0; i < n; i++)
        mass[i] = (uint32_t)bbans_load(masses + 4 * i, 4);
    other = allocate(size);
    CHECK(bbans_hmm_init(&hmm, K, M, f.bytes[8], f.bytes[20], mass, mass + K,
                         mass + K + K * K, other, size) == BBANS_OK);
    CHECK(memcmp(bbans_align(memory), bbans_align(other),
                 size - (BBANS_ALIGNMENT - 1)) == 0);
    CHECK(hmm.floor == built->floor && hmm.stride == built->stride);
    CHECK(hmm.space.tail_length == built->space.tail_length);
    CHECK(built->space.predictive == f.bytes[6]);
    CHECK(model.kind == kinds[alphabet] && model.width == 1);
    for (i = 0; i < M; i++) {
        CHECK(bbans_model_value(&model, i) == value_of(alphabet, i));
        CHECK(bbans_model_symbol(&model, value_of(alphabet, i)) == i);
        CHECK(!is_listed(alphabet) ||
              bbans_model_symbol(&model, value_of(alphabet, i) + 1) == M);
    }
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
        {BYTES, 5, 1, 4, BBANS_ERR_VERSION},
        {BYTES, 6, 1, 2, BBANS_ERR_VERSION},
        {BYTES, 7, 1, 3, BBANS_ERR_VERSION},
        {BYTES, 9, 1, 2, BBANS_ERR_VERSION},
        {BYTES, 10, 1, 1, BBANS_ERR_VERSION},
        {BYTES, 11, 1, 1, BBANS_ERR_VERSION},
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
    file many = make_model(1, 257, 12, INTEGERS);
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(status_with(files[cases[i].alphabet], cases[i].at, cases[i].n,
                          cases[i].value) == cases[i].status);
    CHECK(status_with(many, 7, 1, BBANS_KIND_INTEGERS) == BBANS_OK);
    CHECK(status_with(many, 7, 1, BBANS_KIND_BYTES) == BBANS_ERR_CORRUPT);
    free(many.bytes);
}

/* What is written is what was read. */
static void test_model_write(file f, int alphabet)
{
    bbans_model model;
    void *memory = build(&model, f);
    const bbans_state_space *space = &model.frozen.space;
    int64_t *value = allocate(8 * model.symbols), *given;
    uint8_t *bytes = allocate(f.n);
    size_t k, n;

    for (k = 0; k < model.symbols; k++)
        value[k] = value_of(alphabet, k);
    given = is_listed(alphabet) ? value : NULL;
    CHECK(bbans_model_write(space, model.kind, given, bytes, f.n, &n) ==
          BBANS_OK);
    CHECK(n == f.n && memcmp(bytes, f.bytes, n) == 0);
    for (k = 0; k < f.n; k += 7)
        CHECK(bbans_model_write(space, model.kind, given, bytes, k, &n) ==
                  BBANS_ERR_CAPACITY &&
              n == f.n);
    CHECK(bbans_model_write(space, 3, given, bytes, f.n, &n) ==
          BBANS_ERR_SYMBOL);
    CHECK(bbans_model_write(space, BBANS_KIND_TEXT, NULL, bytes, f.n, &n) ==
          BBANS_ERR_SYMBOL);
    if (given != NULL && model.symbols > 1) {
        /* the same modulo 2^32; beyond the kind; not rising */
        value[0] += INT64_C(1) << 32;
        CHECK(bbans_model_write(space, model.kind, given, bytes, f.n, &n) ==
              BBANS_ERR_SYMBOL);
        value[0] -= INT64_C(1) << 32;
        value[model.symbols - 1] += 2 * BBANS_CODE_POINT_MAX;
        CHECK(
            bbans_model_write(space, model.kind, given, bytes, f.n, &n) ==
            (model.kind == BBANS_KIND_INTEGERS ? BBANS_OK : BBANS_ERR_SYMBOL));
        value[model.symbols - 1] = value[0];
        CHECK(bbans_model_write(space, model.kind, given, bytes, f.n, &n) ==
              BBANS_ERR_SYMBOL);
    }
    free(memory);
    free(value);
    free(bytes);
}

/* ---- Containers ---------------------------------------------------------- */

/* A hash of all containers, the same on every machine.  It is FNV-1: a CRC of
 * what ends with its own CRC says nothing of what comes before. */
static uint32_t all_bytes;

static void store_native(void *data, size_t i, size_t width, int64_t value)
{
    const uint8_t byte = (uint8_t)value;
    const uint16_t half = (uint16_t)value;
    const uint32_t word = (uint32_t)value;

    memcpy((uint8_t *)data + i * width,
           width == 1   ? (const void *)&byte
           : width == 2 ? (const void *)&half
           : width == 4 ? (const void *)&word
                        : (const void *)&value,
           width);
}

/* Decode with workspace and output of exact size. */
static bbans_status decompress(const bbans_model *model, const uint8_t *bytes,
                               size_t n_bytes, bbans_reader *reader,
                               uint8_t **data, size_t *n)
{
    bbans_status status = bbans_container_check(reader, bytes, n_bytes);
    size_t work_bytes;
    void *work;

    *data = NULL;
    if (status != BBANS_OK)
        return status;
    work_bytes = bbans_reader_work_bytes(model, reader->longest);
    work = allocate(work_bytes);
    *data = allocate((size_t)reader->symbols *
                     bbans_element_bytes(reader->element));
    status = bbans_decompress(model, bytes, n_bytes, work, work_bytes, *data,
                              (size_t)reader->symbols, n);
    free(work);
    return status;
}

/* Read it as a stream that comes byte by byte. */
static void test_stream(const uint8_t *bytes, size_t n_bytes)
{
    bbans_reader reader;
    size_t at, used, have = 0;

    while (bbans_reader_begin(&reader, bytes, have, &used) ==
           BBANS_ERR_TRUNCATED)
        have = used;
    for (at = used; !reader.ended; at += used) {
        bbans_block block;
        uint8_t *exact;
        bbans_status status;

        for (have = 0;; have = used) {
            exact = copy_of(bytes + at, have);
            status = bbans_reader_next(&reader, exact, have, &block, &used);
            free(exact);
            if (status != BBANS_ERR_TRUNCATED)
                break;
            CHECK(used > have && at + used <= n_bytes);
        }
        CHECK(status == BBANS_OK && used == have);
    }
    CHECK(at == n_bytes);
}

static void test_container_damage(const bbans_model *model,
                                  const uint8_t *bytes, size_t n_bytes)
{
    bbans_reader reader;
    uint8_t *data, *copy;
    size_t i, n;

    for (i = 0; i < n_bytes; i++) {
        copy = copy_of(bytes, i);
        CHECK(decompress(model, copy, i, &reader, &data, &n) ==
              BBANS_ERR_TRUNCATED);
        CHECK(data == NULL);
        free(copy);
    }
    copy = copy_of(bytes, n_bytes);
    for (i = 0; i < 8 * n_bytes; i++) {
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK(decompress(model, copy, n_bytes, &reader, &data, &n) != BBANS_OK);
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    /* Blocks changed under a checksum that is right again: data or a status. */
    for (i = 0; i < 50; i++) {
        bbans_block block;
        size_t at, used;
        uint64_t index = 0;

        memcpy(copy, bytes, n_bytes);
        CHECK(bbans_reader_begin(&reader, copy, n_bytes, &at) == BBANS_OK);
        for (;; at += used, index++) {
            CHECK(bbans_reader_next(&reader, copy + at, n_bytes - at, &block,
                                    &used) == BBANS_OK);
            if (reader.ended)
                break;
            {
                uint8_t place[8];
                const size_t past = at + used - 4;
                const size_t start = (size_t)(block.bytes - copy);

                if (block.n_bytes > 0)
                    copy[start + below((uint32_t)block.n_bytes)] ^=
                        (uint8_t)(1u << below(8));
                if (below(8) == 0) /* another method */
                    copy[start - (block.n_bytes < 128 ? 2 : 3)] =
                        (uint8_t)below(4);
                bbans_store(place, index, 8);
                bbans_store(
                    copy + past,
                    bbans_crc32(bbans_crc32(0, place, 8), copy + at, past - at),
                    4);
            }
        }
        (void)decompress(model, copy, n_bytes, &reader, &data, &n);
        free(data);
    }
    /* One block damaged: the others can be saved. */
    memcpy(copy, bytes, n_bytes);
    CHECK(bbans_container_check(&reader, copy, n_bytes) == BBANS_OK);
    if (reader.blocks > 1) {
        bbans_block block;
        uint64_t good = 0, bad = 0;
        const uint64_t blocks = reader.blocks;
        size_t at, used;

        CHECK(bbans_reader_begin(&reader, copy, n_bytes, &at) == BBANS_OK);
        CHECK(bbans_reader_next(&reader, copy + at, n_bytes - at, &block,
                                &used) == BBANS_OK);
        copy[at + used - 1] ^= 1;
        CHECK(bbans_reader_begin(&reader, copy, n_bytes, &at) == BBANS_OK);
        for (; !reader.ended; at += used) {
            const bbans_status status = bbans_reader_next(
                &reader, copy + at, n_bytes - at, &block, &used);

            CHECK(used > 0);
            good += status == BBANS_OK && !reader.ended;
            bad += status == BBANS_ERR_CORRUPT;
        }
        CHECK(good == blocks - 1 && bad == 1);
    }
    free(copy);
}

static void test_container(bbans_model *model, int element, size_t n,
                           size_t block, int predictive)
{
    const size_t width = bbans_element_bytes(element);
    const size_t cap = bbans_compress_bound(element, n, block);
    const size_t longest = n < block ? n : block;
    const size_t work_bytes = bbans_writer_work_bytes(model, longest, 3);
    uint8_t *data = allocate(n * width), *bytes = allocate(cap), *back;
    void *work = allocate(work_bytes);
    bbans_reader reader;
    size_t i, n_bytes, n_back;

    model->frozen.space.predictive = predictive;
    check_state = n + 1; /* for all_bytes */
    for (i = 0; i < n; i++) {
        int64_t value;

        do /* what the element's type can hold */
            value = bbans_model_value(
                model, below(3) ? below((uint32_t)model->symbols) : 3);
        while (value < 0 && (element < 16 || element % 2 == 0));
        store_native(data, i, width, value);
    }
    CHECK(bbans_compress(model, element, data, n, block, work, work_bytes,
                         bytes, cap, &n_bytes) == BBANS_OK);
    CHECK(n_bytes <= cap);
    bytes = realloc(bytes, n_bytes);
    CHECK(bytes != NULL);
    CHECK(bbans_compress(model, element, data, n, block, work, work_bytes,
                         bytes, n_bytes - 1, &i) == BBANS_ERR_CAPACITY);
    CHECK(bbans_compress(model, element, data, n, block, work, work_bytes,
                         bytes, n_bytes, &i) == BBANS_OK);
    CHECK(i == n_bytes);
    if (n > 0)
        CHECK(bbans_compress(model, element, data, n, block, work, 7, bytes,
                             n_bytes, &i) == BBANS_ERR_CAPACITY);
    CHECK(bbans_compress(model, element, data, n, block, work, work_bytes,
                         bytes, n_bytes, &i) == BBANS_OK);

    CHECK(decompress(model, bytes, n_bytes, &reader, &back, &n_back) ==
          BBANS_OK);
    CHECK(reader.element == element && n_back == n);
    CHECK(reader.axes == 1 && reader.shape[0] == n);
    CHECK(memcmp(back, data, n * width) == 0);
    free(back);
    {
        const size_t need = bbans_reader_work_bytes(model, reader.longest);
        void *small = allocate(need);

        back = allocate(n * width);
        if (n > 0)
            CHECK(bbans_decompress(model, bytes, n_bytes, small, need, back,
                                   n - 1, &n_back) == BBANS_ERR_CAPACITY);
        free(back);
        free(small);
    }
    test_stream(bytes, n_bytes);
    for (i = 0; i < n_bytes; i++)
        all_bytes = all_bytes * 16777619 ^ bytes[i];
    test_container_damage(model, bytes, n_bytes);
    free(data);
    free(bytes);
    free(work);
}

/* A container of at most one block, all checksums right, whatever is in it. */
static file crafted(const bbans_model *model, int element, const uint8_t *block,
                    size_t n_block, const uint8_t *end, size_t n_end)
{
    file f;
    uint8_t place[8] = {0};
    size_t at;

    f.bytes = allocate(20 + n_block + 4 + n_end + 4);
    memcpy(f.bytes,
           "\x89"
           "bbz\1",
           5);
    f.bytes[5] = (uint8_t)element;
    f.bytes[6] = f.bytes[7] = 0;
    memcpy(f.bytes + 8, model->fingerprint, 8);
    bbans_store(f.bytes + 16, bbans_crc32(0, f.bytes, 16), 4);
    at = 20;
    if (n_block > 0) {
        memcpy(f.bytes + at, block, n_block);
        bbans_store(f.bytes + at + n_block,
                    bbans_crc32(bbans_crc32(0, place, 8), block, n_block), 4);
        at += n_block + 4;
        place[0] = 1;
    }
    memcpy(f.bytes + at, end, n_end);
    bbans_store(f.bytes + at + n_end,
                bbans_crc32(bbans_crc32(0, place, 8), end, n_end), 4);
    f.n = at + n_end + 4;
    return f;
}

static void test_crafted(const bbans_model *index, const bbans_model *integers)
{
    static const struct {
        int element;
        const char *block, *end;
        size_t n_block, n_end;
        bbans_status check, decompress;
    } cases[] = {
#define CASE(element, block, end, check, decompress)                           \
    {element, block, end, sizeof block - 1, sizeof end - 1, check, decompress}
        CASE(0, "\1\2\1\5", "\0\1\1", BBANS_OK, BBANS_OK),
        /* the length not in its shortest form; impossible; unknown method */
        CASE(0, "\x81\0\2\1\5", "\0\1\1", BBANS_ERR_CORRUPT, BBANS_OK),
        CASE(0,
             "\1\2\x29"
             "12345678901234567890123456789012345678901",
             "\0\1\1", BBANS_ERR_CORRUPT, BBANS_OK),
        CASE(0, "\x81\x80\x40\0\1\1", "\0\1\x81\x80\x40", BBANS_ERR_CORRUPT,
             BBANS_OK),
        CASE(0, "\1\3\1\5", "\0\1\1", BBANS_ERR_VERSION, BBANS_OK),
        /* stored: too short; no character */
        CASE(0, "\2\2\1\5", "\0\1\2", BBANS_OK, BBANS_ERR_CORRUPT),
        CASE(2, "\1\2\4\0\0\x10\0", "\0\1\1", BBANS_OK, BBANS_OK),
        CASE(2, "\1\2\4\0\0\x11\0", "\0\1\1", BBANS_OK, BBANS_ERR_CORRUPT),
        CASE(23,
             "\1\2\x08"
             "12345678",
             "\0\0", BBANS_OK, BBANS_OK),
        /* a shape of 2^64, of 33 axes; not that of a text; too small */
        CASE(16, "", "\0\2\x80\x80\x80\x80\x10\x80\x80\x80\x80\x10",
             BBANS_ERR_CORRUPT, BBANS_OK),
        CASE(16, "",
             "\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
             "\0\0\0\0\0\0\0\0\0\0\0",
             BBANS_ERR_CORRUPT, BBANS_OK),
        CASE(0, "", "\0\2\0\0", BBANS_ERR_CORRUPT, BBANS_OK),
        CASE(16, "\2\2\2\5\5", "\0\1\1", BBANS_ERR_CORRUPT, BBANS_OK),
    };
    static const uint64_t wraps[] = {(uint64_t)0 - 40};
    int64_t low[9];
    uint8_t block[115];
    uint64_t work[300];
    bbans_reader reader;
    uint8_t *data, bytes[100];
    size_t i, k, n;
    file f;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        f = crafted(index, cases[i].element, (const uint8_t *)cases[i].block,
                    cases[i].n_block, (const uint8_t *)cases[i].end,
                    cases[i].n_end);
        CHECK(bbans_container_check(&reader, f.bytes, f.n) == cases[i].check);
        if (cases[i].check == BBANS_OK) {
            CHECK(decompress(index, f.bytes, f.n, &reader, &data, &n) ==
                  cases[i].decompress);
            free(data);
        }
        free(f.bytes);
    }

    /* The longest message that may be: there is room for all of it. */
    block[0] = 10;
    block[1] = BBANS_METHOD_ICONOCLASM;
    block[2] = 112;
    for (k = 0; k < 100; k++) {
        for (i = 3; i < sizeof block; i++)
            block[i] = (uint8_t)(1 + below(255));
        f = crafted(index, 0, block, sizeof block, (const uint8_t *)"\0\1\12",
                    3);
        CHECK(decompress(index, f.bytes, f.n, &reader, &data, &n) ==
              BBANS_ERR_CORRUPT);
        free(data);
        free(f.bytes);
    }

    /* What follows the end is refused by both that read the whole. */
    f = crafted(index, 0, NULL, 0, (const uint8_t *)"\0\1\0", 3);
    memcpy(bytes, f.bytes, f.n);
    bytes[f.n] = 0;
    CHECK(bbans_decompress(index, bytes, f.n, work, sizeof work, NULL, 0, &n) ==
          BBANS_OK);
    CHECK(bbans_container_check(&reader, bytes, f.n + 1) == BBANS_ERR_CORRUPT);
    CHECK(bbans_decompress(index, bytes, f.n + 1, work, sizeof work, NULL, 0,
                           &n) == BBANS_ERR_CORRUPT);
    free(f.bytes);

    /* Values that their type does not hold: -40 as uint8, 2^64 - 40 as -40. */
    for (i = 0; i < 9; i++)
        low[i] = -40;
    CHECK(bbans_writer_work_bytes(integers, 9, 9) <= sizeof work);
    CHECK(bbans_compress(integers, BBANS_ELEMENT_INT64, low, 9, 9, work,
                         sizeof work, bytes, 100, &n) == BBANS_OK);
    bytes[5] = BBANS_ELEMENT_UINT8;
    bbans_store(bytes + 16, bbans_crc32(0, bytes, 16), 4);
    CHECK(decompress(integers, bytes, n, &reader, &data, &n) ==
          BBANS_ERR_CORRUPT);
    free(data);
    CHECK(bbans_compress(integers, BBANS_ELEMENT_UINT64, wraps, 1, 9, work,
                         sizeof work, bytes, 100, &n) == BBANS_ERR_SYMBOL);
}

/* Several axes, refusals, and another model. */
static void test_writer(const bbans_model *model, const bbans_model *other)
{
    static const int64_t values[6] = {0, 1, 2, 2, 1, 0};
    static const uint64_t shape[3] = {2, 1, 3}, wrong[2] = {2, 2};
    static const uint64_t empty[2] = {0, UINT64_C(1) << 40};
    const size_t work_bytes = bbans_writer_work_bytes(model, 6, 6);
    void *work = allocate(work_bytes);
    uint8_t bytes[200];
    bbans_writer writer, before;
    bbans_reader reader;
    int64_t back[6], outside = (int64_t)model->symbols;
    size_t at, n;

    CHECK(model->kind == BBANS_KIND_BYTES && model->values == NULL);
    CHECK(bbans_writer_begin(&writer, model, 3, bytes, 200, &n) ==
          BBANS_ERR_SYMBOL);
    CHECK(bbans_writer_begin(&writer, model, BBANS_ELEMENT_CHARACTERS, bytes,
                             200, &n) == BBANS_ERR_SYMBOL);
    CHECK(bbans_writer_begin(&writer, model, BBANS_ELEMENT_INT64, bytes, 19,
                             &n) == BBANS_ERR_CAPACITY);
    CHECK(n == 20);
    CHECK(bbans_writer_begin(&writer, model, BBANS_ELEMENT_INT64, bytes, 20,
                             &at) == BBANS_OK);
    CHECK(bbans_writer_end(&writer, empty, 2, bytes + at, 200 - at, &n) ==
          BBANS_OK);
    CHECK(bbans_container_check(&reader, bytes, at + n) == BBANS_OK);
    CHECK(reader.axes == 2 && memcmp(reader.shape, empty, sizeof empty) == 0);
    before = writer;
    CHECK(bbans_writer_block(&writer, &outside, 1, work, work_bytes, bytes + at,
                             200 - at, &n) == BBANS_ERR_SYMBOL);
    CHECK(bbans_writer_block(&writer, values, 0, work, work_bytes, bytes + at,
                             200 - at, &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_block(&writer, values, 6, work, work_bytes, bytes + at,
                             7, &n) == BBANS_ERR_CAPACITY);
    CHECK(n > 7 && memcmp(&before, &writer, sizeof writer) == 0);
    CHECK(bbans_writer_block(&writer, values, 6, work, work_bytes, bytes + at,
                             n, &n) == BBANS_OK);
    at += n;
    CHECK(bbans_writer_end(&writer, wrong, 2, bytes + at, 200 - at, &n) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_writer_end(&writer, NULL, 0, bytes + at, 200 - at, &n) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_writer_end(&writer, shape, 3, bytes + at, 8, &n) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_writer_end(&writer, shape, 3, bytes + at, n, &n) == BBANS_OK);
    CHECK(bbans_container_check(&reader, bytes, at + n) == BBANS_OK);
    CHECK(reader.axes == 3 && memcmp(reader.shape, shape, sizeof shape) == 0);
    free(work);

    work = allocate(bbans_reader_work_bytes(model, 6));
    CHECK(bbans_decompress(other, bytes, at + n, work,
                           bbans_reader_work_bytes(model, 6), back, 6,
                           &n) == BBANS_ERR_MODEL);
    free(work);
    memcpy(bytes,
           "\x89"
           "bbm",
           4);
    CHECK(bbans_container_check(&reader, bytes, 20) == BBANS_ERR_FORMAT);
    CHECK(bbans_container_check(&reader, bytes, 2) == BBANS_ERR_TRUNCATED);
}

/* Text must be UTF-8, both ways. */
static void test_text(const bbans_model *bytes256)
{
    static const uint8_t good[] = {'a', 0xCF, 0x80, 'b'}, bad[] = {'a', 0xCF};
    const size_t work_bytes = bbans_writer_work_bytes(bytes256, 4, 4);
    void *work = allocate(work_bytes);
    uint8_t out[100], back[4];
    bbans_writer writer;
    size_t at, n, used;

    CHECK(bbans_compress(bytes256, BBANS_ELEMENT_UTF8, bad, 2, 1, work,
                         work_bytes, out, 100, &n) == BBANS_ERR_SYMBOL);
    CHECK(bbans_compress(bytes256, BBANS_ELEMENT_UTF8, good, 4, 2, work,
                         work_bytes, out, 100, &n) == BBANS_OK);
    CHECK(bbans_decompress(bytes256, out, n, work, work_bytes, back, 4, &n) ==
          BBANS_OK);
    CHECK(n == 4 && memcmp(back, good, 4) == 0);
    CHECK(bbans_writer_begin(&writer, bytes256, BBANS_ELEMENT_UTF8, out, 100,
                             &at) == BBANS_OK);
    CHECK(bbans_writer_block(&writer, bad, 2, work, work_bytes, out + at,
                             100 - at, &used) == BBANS_OK);
    at += used;
    CHECK(bbans_writer_end(&writer, &writer.symbols, 1, out + at, 100 - at,
                           &used) == BBANS_OK);
    CHECK(bbans_decompress(bytes256, out, at + used, work, work_bytes, back, 4,
                           &n) == BBANS_ERR_CORRUPT);
    free(work);
}

/* 0 where the bound exceeds SIZE_MAX, and not one symbol before. */
static void test_bounds(void)
{
    const size_t ends = 20 + 6 + 9, most = (SIZE_MAX - ends) / (1 + 12);

    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT8, 0, 1) == ends);
    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT16, 10, 4) ==
          ends + 20 + 3 * 12);
    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT8, most, 1) ==
          ends + 13 * most);
    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT8, most + 1, 1) == 0);
    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT8, 5, 0) == 0);
    CHECK(bbans_compress_bound(99, 5, 1) == 0);
}

int main(void)
{
    static const int arrays[] = {BBANS_ELEMENT_UINT8,  BBANS_ELEMENT_INT8,
                                 BBANS_ELEMENT_UINT16, BBANS_ELEMENT_INT16,
                                 BBANS_ELEMENT_UINT32, BBANS_ELEMENT_INT32,
                                 BBANS_ELEMENT_UINT64, BBANS_ELEMENT_INT64};
    file files[ALPHABETS], bytes256 = make_model(2, 256, 12, BYTES);
    bbans_model models[ALPHABETS], text;
    void *memories[ALPHABETS], *memory;
    size_t i, k;

    test_checksums();
    test_utf8();
    test_bounds();
    for (k = 0; k < ALPHABETS; k++) {
        size_t trial;

        for (trial = 0; trial < 40; trial++) {
            file f =
                make_model(1 + below(40), 1 + below(30), 6 + below(23), (int)k);

            test_in_place(f, (int)k);
            test_model_write(f, (int)k);
            free(f.bytes);
        }
        check_state = k + 1; /* for all_bytes */
        files[k] = make_model(3, 7, 10, (int)k);
        test_model_damage(files[k], files[k].n - 4 - 4 * 3 * (1 + 3 + 7));
        memories[k] = build(&models[k], files[k]);
        for (i = 0; k != TEXT && i < sizeof arrays / sizeof *arrays; i++)
            test_container(&models[k], arrays[i], 7 * i + k, 19, i % 3 == 2);
    }
    test_container(&models[BYTES], BBANS_ELEMENT_BYTES, 300, 150, 0);
    test_container(&models[BYTES], BBANS_ELEMENT_BYTES, 0, 150, 0);
    test_container(&models[SOME_BYTES], BBANS_ELEMENT_BYTES, 50, 9, 1);
    test_container(&models[TEXT], BBANS_ELEMENT_CHARACTERS, 50, 9, 0);
    test_container(&models[BYTES], BBANS_ELEMENT_BYTES, 20, 1, 0);
    CHECK(all_bytes == 0xce9a05e4);
    test_model_fields(files);
    test_crafted(&models[BYTES], &models[SOME_INTEGERS]);
    test_writer(&models[BYTES], &models[INTEGERS]);
    memory = build(&text, bytes256);
    test_text(&text);
    free(memory);
    free(bytes256.bytes);
    for (k = 0; k < ALPHABETS; k++) {
        free(memories[k]);
        free(files[k].bytes);
    }
    printf("test_files: ok\n");
    return 0;
}
