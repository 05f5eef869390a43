/* Containers: round trips, every cut, every flipped bit, damage that checksums
 * do not show, parts end to end, seeking; and the stored vectors.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"
#include "files/bbans_files.h"

#include <string.h>

typedef struct {
    const uint8_t *bytes;
    size_t n;
} golden_bytes;

typedef struct {
    const char *name;
    golden_bytes file, data; /* elements as in files */
    int element, unit;
    uint32_t multiplier;
    unsigned axis;
    int model;          /* -1: none             */
    int codecs;         /* some part names one  */
    size_t axes, write; /* write 0: not by us   */
    uint64_t shape[3];
} golden_file;

/* A file of tests/vectors/files. */
typedef struct {
    const char *name;
    golden_bytes file;
    size_t n;       /* elements                             */
    uint32_t crc;   /* of their bytes, as in files          */
    int model;      /* -1: none                             */
    int is_refused; /* it takes what the C library has not  */
} golden_kept;

typedef struct {
    golden_bytes packed, plain; /* a model file in both forms */
} golden_packed;

typedef struct {
    golden_bytes file;
    size_t records;
    uint32_t crc; /* of all records, each behind its length in 8 bytes */
} golden_records;

typedef struct {
    const char *name;
    golden_bytes file;
    bbans_status status;
} golden_damaged;

#include "container_vectors.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

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

/* For the elements alone, at the default level. */
static size_t work_bytes_of(const bbans_model *model, int element, size_t block,
                            size_t kept)
{
    const bbans_content content = bbans_content_of(element);

    return bbans_writer_work_bytes(model, &content, BBANS_LEVEL_DEFAULT, block,
                                   kept);
}

/* ---- Models -------------------------------------------------------------- */

typedef struct {
    bbans_model model;
    uint8_t *file;
    void *memory;
} loaded;

static void load(loaded *m, const uint8_t *bytes, size_t n)
{
    m->file = copy_of(bytes, n);
    CHECK(bbans_model_parse(&m->model, m->file, n) == BBANS_OK);
    CHECK(work_bytes_of(&m->model, BBANS_ELEMENT_BYTES, 1, 1) == 0);
    n = bbans_model_bytes(&m->model);
    m->memory = allocate(n);
    CHECK(bbans_model_build(&m->model, m->memory, n) == BBANS_OK);
}

static void unload(loaded *m)
{
    free(m->file);
    free(m->memory);
}

static void fill_rows(uint32_t *mass, size_t rows, size_t n, unsigned prec)
{
    size_t i, k;

    for (i = 0; i < rows; i++) {
        uint32_t spare = ((uint32_t)1 << prec) - (uint32_t)n;

        for (k = 0; k < n; k++) {
            const uint32_t more = k + 1 < n ? below(spare / 4 + 1) : spare;

            *mass++ = 1 + more;
            spare -= more;
        }
    }
}

/* What symbol k stands for: rising, some negative if they may be. */
static int64_t value_of(int kind, size_t k)
{
    return kind == BBANS_KIND_BYTES  ? (int64_t)k
           : kind == BBANS_KIND_TEXT ? (int64_t)(0x61 + 37 * k)
                                     : (int64_t)(10 * k) - 40;
}

/* A model of symbols that are listed or not, of which the last may be the end
 * of a record. */
static void make_model(loaded *m, size_t states, size_t symbols, int kind,
                       int is_listed, int ends)
{
    const unsigned prec = 12;
    const size_t n = states * (1 + states + symbols);
    const size_t size = bbans_hmm_bytes(states, symbols);
    uint32_t *mass = allocate(4 * n);
    int64_t *value = allocate(8 * symbols);
    void *memory = allocate(size);
    uint8_t *file = allocate(100 + 8 * symbols + 4 * n);
    bbans_hmm hmm;
    size_t k, n_bytes;

    fill_rows(mass, 1 + states, states, prec);
    fill_rows(mass + states * (1 + states), states, symbols, prec);
    for (k = 0; k < symbols; k++)
        value[k] = value_of(kind, k);
    CHECK(bbans_hmm_init(&hmm, states, symbols, prec, 7, mass, mass + states,
                         mass + states * (1 + states), memory,
                         size) == BBANS_OK);
    CHECK(bbans_model_write(&hmm.space, kind, is_listed ? value : NULL, ends,
                            file, 100 + 8 * symbols + 4 * n,
                            &n_bytes) == BBANS_OK);
    load(m, file, n_bytes);
    free(mass);
    free(value);
    free(memory);
    free(file);
}

/* ---- Reading and writing ------------------------------------------------- */

/* A hash of all containers, the same on every machine.  It is FNV-1: a CRC of
 * what ends with its own CRC says nothing of what comes before. */
static uint32_t all_bytes;

static void store_native(uint8_t *data, size_t i, size_t width, uint64_t value)
{
    const uint8_t byte = (uint8_t)value;
    const uint16_t half = (uint16_t)value;
    const uint32_t word = (uint32_t)value;

    memcpy(data + i * width,
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
    work_bytes = bbans_reader_work_bytes(reader, model);
    work = allocate(work_bytes);
    *data = allocate((size_t)reader->elements *
                     bbans_element_bytes(reader->element));
    status = bbans_decompress(model, bytes, n_bytes, work, work_bytes, *data,
                              (size_t)reader->elements, n);
    free(work);
    return status;
}

/* What can be known of a file without its blocks' data is what they say. */
static void test_skip(const uint8_t *bytes, size_t n_bytes)
{
    bbans_reader reader, skipping;
    bbans_block block, skipped;
    size_t at, used, passed;

    CHECK(bbans_reader_begin(&reader, bytes, n_bytes, &at) == BBANS_OK);
    skipping = reader;
    for (; at < n_bytes || !reader.ended; at += used) {
        enum { HEAD = 10 };
        size_t have = n_bytes - at;

        CHECK(bbans_reader_next(&reader, bytes + at, have, &block, &used) ==
              BBANS_OK);
        if (block.elements > 0 && have > HEAD)
            have = HEAD;
        CHECK(bbans_reader_skip(&skipping, bytes + at, have, &skipped,
                                &passed) == BBANS_OK);
        CHECK(passed == used && skipped.bytes == NULL);
        CHECK(skipped.elements == block.elements &&
              skipped.n_bytes == block.n_bytes &&
              skipped.method == block.method);
    }
    skipping.need = reader.need; /* which only the data say */
    CHECK(memcmp(&reader, &skipping, sizeof reader) == 0);
}

/* Read it as a stream that comes byte by byte. */
static void test_stream(const uint8_t *bytes, size_t n_bytes)
{
    bbans_reader reader;
    size_t at, used, have = 0;

    test_skip(bytes, n_bytes);

    while (bbans_reader_begin(&reader, bytes, have, &used) ==
           BBANS_ERR_TRUNCATED) {
        CHECK(used > have);
        have = used;
    }
    for (at = used; at < n_bytes || !reader.ended; at += used) {
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

/* Each element by its number, decoded with the block that it is in. */
static void test_find(const bbans_model *model, const uint8_t *bytes,
                      size_t n_bytes, const uint8_t *data, size_t n,
                      size_t step)
{
    bbans_reader reader;
    size_t i, at, used, width;

    for (i = 0; i < n; i += step) {
        bbans_block block;
        size_t work_bytes;
        void *work, *out;

        CHECK(bbans_container_find(&reader, bytes, n_bytes, i, &at) ==
              BBANS_OK);
        CHECK(reader.elements <= i);
        used = (size_t)reader.elements;
        width = bbans_element_bytes(reader.element);
        CHECK(bbans_reader_next(&reader, bytes + at, n_bytes - at, &block,
                                &at) == BBANS_OK);
        CHECK(i - used < block.elements);
        work_bytes = bbans_reader_work_bytes(&reader, model);
        work = allocate(work_bytes);
        out = allocate(block.elements * width);
        CHECK(bbans_reader_decode(&reader, &block, model, work, work_bytes, out,
                                  block.elements) == BBANS_OK);
        CHECK(memcmp(out, data + used * width, block.elements * width) == 0);
        free(work);
        free(out);
    }
    CHECK(bbans_container_find(&reader, bytes, n_bytes, n, &at) ==
          BBANS_ERR_SIZE);
    CHECK(reader.elements == n);
    if (n == 0)
        return;
    /* From there on it reads as from the front, to the end. */
    CHECK(bbans_container_find(&reader, bytes, n_bytes, n / 2, &at) ==
          BBANS_OK);
    for (; at < n_bytes || !reader.ended; at += used) {
        bbans_block block;

        CHECK(bbans_reader_next(&reader, bytes + at, n_bytes - at, &block,
                                &used) == BBANS_OK);
    }
    CHECK(reader.elements == n);
}

/* Blocks changed under a checksum that is right again: data or a status. */
static void test_silent_damage(const bbans_model *model, uint8_t *copy,
                               size_t n_bytes)
{
    bbans_reader reader;
    bbans_block block;
    uint64_t index = 0;
    uint8_t *data;
    size_t at, used, n;

    CHECK(bbans_reader_begin(&reader, copy, n_bytes, &at) == BBANS_OK);
    for (;; at += used, index++) {
        uint8_t place[8];
        uint8_t *record = copy + at, *from;
        size_t past;

        CHECK(bbans_reader_next(&reader, record, n_bytes - at, &block, &used) ==
              BBANS_OK);
        if (reader.ended)
            break;
        from = copy + (block.bytes - copy);
        past = used - 4;
        if (block.n_bytes > 0)
            from[below((uint32_t)block.n_bytes)] ^= (uint8_t)(1u << below(8));
        if (below(8) == 0) /* another method */
            from[block.n_bytes < 128 ? -2 : -3] = (uint8_t)below(8);
        bbans_store(place, index, 8);
        bbans_store(record + past,
                    bbans_crc32(bbans_crc32(0, place, 8), record, past), 4);
    }
    (void)decompress(model, copy, n_bytes, &reader, &data, &n);
    free(data);
}

/* The first block damaged, in its number of elements or in its checksum: the
 * others can be saved. */
static void test_salvage(uint8_t *copy, size_t n_bytes, int first)
{
    bbans_reader reader;
    bbans_block block;
    uint64_t good = 0, bad = 0, blocks;
    size_t at, used;

    CHECK(bbans_container_check(&reader, copy, n_bytes) == BBANS_OK);
    blocks = reader.blocks;
    if (blocks < 2)
        return;
    CHECK(bbans_reader_begin(&reader, copy, n_bytes, &at) == BBANS_OK);
    CHECK(bbans_reader_next(&reader, copy + at, n_bytes - at, &block, &used) ==
          BBANS_OK);
    if (first) /* more than there were */
        copy[at] = (uint8_t)(copy[at] | (copy[at] + 1));
    else
        copy[at + used - 1] ^= 1;
    CHECK(bbans_reader_begin(&reader, copy, n_bytes, &at) == BBANS_OK);
    for (; !reader.ended; at += used) {
        const bbans_status status =
            bbans_reader_next(&reader, copy + at, n_bytes - at, &block, &used);

        CHECK(used > 0);
        good += status == BBANS_OK && !reader.ended;
        bad += status == BBANS_ERR_CORRUPT;
    }
    CHECK(good == blocks - 1 && bad == 1);
}

/* How many blocks of a container can be read, whatever else is in it. */
static uint64_t count_readable(const uint8_t *bytes, size_t n_bytes)
{
    bbans_reader reader, before;
    bbans_block block;
    uint64_t n = 0;
    size_t at, used;

    CHECK(bbans_reader_begin(&reader, bytes, n_bytes, &at) == BBANS_OK);
    while (at < n_bytes) {
        before = reader;
        if (bbans_reader_next(&reader, bytes + at, n_bytes - at, &block,
                              &used) == BBANS_OK) {
            n += block.elements > 0;
            at += used;
            continue;
        }
        reader = before;
        if (bbans_reader_resume(&reader, bytes + at + 1, n_bytes - at - 1, 1,
                                &used) != BBANS_OK)
            break;
        CHECK(reader.blocks >= before.blocks);
        at += 1 + used;
    }
    return n;
}

/* A byte behind the header damaged, put in or left out: all other blocks can be
 * found. */
static void test_resume(uint8_t *copy, size_t n_bytes)
{
    uint8_t *const shifted = malloc(n_bytes + 1);
    const uint64_t blocks = count_readable(copy, n_bytes);
    bbans_reader reader;
    size_t first, i;

    CHECK(bbans_reader_begin(&reader, copy, n_bytes, &first) == BBANS_OK);
    for (i = first; i < n_bytes; i += 1 + n_bytes / 40) {
        copy[i] ^= 1 << i % 8;
        CHECK(count_readable(copy, n_bytes) + 1 >= blocks);
        copy[i] ^= 1 << i % 8;
        memcpy(shifted, copy, i);
        memcpy(shifted + i + 1, copy + i, n_bytes - i);
        shifted[i] = 7;
        CHECK(count_readable(shifted, n_bytes + 1) + 1 >= blocks);
        memcpy(shifted + i, copy + i + 1, n_bytes - i - 1);
        CHECK(count_readable(shifted, n_bytes - 1) + 1 >= blocks);
    }
    CHECK(bbans_reader_resume(&reader, copy + first, 3, 0, &i) ==
          BBANS_ERR_TRUNCATED);
    CHECK(bbans_reader_resume(NULL, copy, n_bytes, 1, &i) == BBANS_ERR_NULL);
    CHECK(bbans_reader_resume(&reader, NULL, 1, 1, &i) == BBANS_ERR_NULL);
    CHECK(bbans_reader_resume(&reader, copy, 1, 1, NULL) == BBANS_ERR_NULL);
    free(shifted);
}

static void test_damage(const bbans_model *model, const uint8_t *bytes,
                        size_t n_bytes)
{
    bbans_reader reader;
    uint8_t *data, *copy;
    size_t i, n, at;

    for (i = 0; i < n_bytes; i++) {
        copy = copy_of(bytes, i);
        CHECK(decompress(model, copy, i, &reader, &data, &n) ==
              BBANS_ERR_TRUNCATED);
        CHECK(data == NULL);
        CHECK(bbans_container_find(&reader, copy, i, 0, &at) != BBANS_OK);
        free(copy);
    }
    copy = copy_of(bytes, n_bytes);
    for (i = 0; i < 8 * n_bytes; i++) {
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
        CHECK(decompress(model, copy, n_bytes, &reader, &data, &n) != BBANS_OK);
        (void)bbans_container_find(&reader, copy, n_bytes, i, &at);
        copy[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    for (i = 0; i < 50; i++) {
        memcpy(copy, bytes, n_bytes);
        test_silent_damage(model, copy, n_bytes);
    }
    for (i = 0; i < 2; i++) {
        memcpy(copy, bytes, n_bytes);
        test_salvage(copy, n_bytes, (int)i);
    }
    memcpy(copy, bytes, n_bytes);
    test_resume(copy, n_bytes);
    free(copy);
}

/* Dates are of 25 seconds. */
static bbans_content content_of(int element)
{
    bbans_content content = bbans_content_of(element);

    if (element == BBANS_ELEMENT_DATETIME ||
        element == BBANS_ELEMENT_TIMEDELTA) {
        content.unit = BBANS_UNIT_SECOND;
        content.multiplier = 25;
    }
    return content;
}

static bbans_status begin(bbans_writer *writer, const bbans_model *model,
                          int element, int level, uint8_t *bytes, size_t cap,
                          size_t *n_bytes)
{
    const bbans_content content = bbans_content_of(element);

    return bbans_writer_begin(writer, model, &content, level, bytes, cap,
                              n_bytes);
}

static bbans_status compress(const bbans_model *model, int element,
                             const uint8_t *data, size_t n, size_t block,
                             uint8_t *bytes, size_t cap, size_t *n_bytes)
{
    const bbans_content content = content_of(element);
    const size_t work_bytes =
        work_bytes_of(model, element, n < block ? n : block, 3);
    void *work = allocate(work_bytes);
    const bbans_status status =
        bbans_compress(model, &content, data, n, block, BBANS_LEVEL_DEFAULT,
                       work, work_bytes, bytes, cap, n_bytes);

    free(work);
    return status;
}

/* n elements that a model of `symbols` symbols knows, as long as they fit. */
static uint8_t *draw_elements(int element, int kind, size_t symbols, size_t n)
{
    const size_t width = bbans_element_bytes(element);
    uint8_t *data = allocate(n * width);
    size_t i;

    check_state = n + 1; /* for all_bytes */
    for (i = 0; i < n; i++) {
        int64_t value;

        do /* what the element's type can hold */
            value = value_of(kind, below(3) ? below((uint32_t)symbols) : 3);
        while (value < 0 &&
               (element < 16 ||
                (element % 2 == 0 && element != BBANS_ELEMENT_TIMEDELTA)));
        store_native(data, i, width, (uint64_t)value);
    }
    return data;
}

static void test_container(const bbans_model *model, int kind, size_t symbols,
                           int element, size_t n, size_t block)
{
    const size_t width = bbans_element_bytes(element);
    const size_t cap = bbans_compress_bound(element, n, block);
    const bbans_content content = content_of(element);
    uint8_t *data = draw_elements(element, kind, symbols, n);
    uint8_t *bytes = allocate(cap), *back;
    bbans_reader reader;
    size_t i, n_bytes, n_back;

    CHECK(compress(model, element, data, n, block, bytes, cap, &n_bytes) ==
          BBANS_OK);
    CHECK(n_bytes <= cap);
    bytes = realloc(bytes, n_bytes);
    CHECK(bytes != NULL);
    CHECK(compress(model, element, data, n, block, bytes, n_bytes - 1, &i) ==
          BBANS_ERR_CAPACITY);
    if (n > 0)
        CHECK(bbans_compress(model, &content, data, n, block, 5, &reader, 7,
                             bytes, n_bytes, &i) == BBANS_ERR_CAPACITY);
    CHECK(compress(model, element, data, n, block, bytes, n_bytes, &i) ==
          BBANS_OK);
    CHECK(i == n_bytes);

    CHECK(decompress(model, bytes, n_bytes, &reader, &back, &n_back) ==
          BBANS_OK);
    CHECK(reader.element == element && n_back == n && !reader.big_endian);
    CHECK(reader.axes == 1 && reader.shape[0] == n && reader.parts == 1);
    CHECK(reader.unit == content.unit && reader.axis == 0 &&
          reader.multiplier == content.multiplier);
    CHECK(n == 0 || memcmp(back, data, n * width) == 0);
    free(back);
    if (n > 0) {
        const size_t need = bbans_reader_work_bytes(&reader, model);
        void *small = allocate(need);

        back = allocate(n * width);
        CHECK(bbans_decompress(model, bytes, n_bytes, small, need, back, n - 1,
                               &n_back) == BBANS_ERR_CAPACITY);
        CHECK(n_back == 0);
        free(back);
        free(small);
    }
    test_stream(bytes, n_bytes);
    test_find(model, bytes, n_bytes, data, n, 1);
    for (i = 0; i < n_bytes; i++)
        all_bytes = all_bytes * 16777619 ^ bytes[i];
    test_damage(model, bytes, n_bytes);
    free(data);
    free(bytes);
}

/* ---- Grids and floats ---------------------------------------------------- */

/* A picture that moves, in each band a little different: a value for each i. */
static uint64_t picture(const bbans_grid *grid, size_t i)
{
    const size_t row = grid->columns * grid->bands;
    const size_t frame = i / (row * grid->rows), y = i / row % grid->rows;
    const size_t x = i / grid->bands % grid->columns, band = i % grid->bands;

    return 40 + (x + 3 * frame) * 2 + y * 3 + band * 11 + below(4);
}

/* The bits of a float of small integers, of any type: not rounded. */
static uint64_t float_bits(int element, uint64_t value)
{
    static const int fraction[] = {10, 23, 52, 7, 3, 2};
    static const uint64_t bias[] = {15, 127, 1023, 127, 7, 15};
    const int type = element - BBANS_ELEMENT_FLOAT16;
    int top = 0;

    if (value == 0)
        return 0;
    while (value >> top > 1)
        top++;
    value ^= (uint64_t)1 << top;
    value = fraction[type] >= top ? value << (fraction[type] - top)
                                  : value >> (top - fraction[type]);
    return ((bias[type] + (uint64_t)top) << fraction[type]) + value;
}

static uint8_t *draw_grid(int element, const bbans_grid *grid, size_t n)
{
    const int type = element & ~BBANS_ELEMENT_BIG_ENDIAN;
    const size_t width = bbans_element_bytes(element);
    uint8_t *data = allocate(n * width);
    size_t i;

    check_state = n + 1;
    for (i = 0; i < n; i++) {
        uint64_t value = picture(grid, i);

        if (type == BBANS_ELEMENT_BOOL)
            value = value / 32 % 2;
        else if (type >= BBANS_ELEMENT_FLOAT16)
            value = float_bits(type, value);
        store_native(data, i, width, value);
    }
    return data;
}

/* What bbans_compress makes of the shape. */
static void check_shape(const bbans_reader *reader, const bbans_content *c,
                        size_t n)
{
    const bbans_grid *const grid = &c->grid;
    uint64_t shape[4];
    size_t axes = 0;

    if (grid->rows == 0) {
        shape[axes++] = c->channels > 1 ? n / c->channels : n;
        if (c->channels > 1)
            shape[axes++] = c->channels;
    } else {
        const size_t rows = n / grid->columns / grid->bands;
        const int whole = rows % grid->rows == 0 && rows > grid->rows;

        if (whole)
            shape[axes++] = rows / grid->rows;
        shape[axes++] = whole ? grid->rows : rows;
        shape[axes++] = grid->columns;
        if (grid->bands > 1)
            shape[axes++] = grid->bands;
    }
    CHECK(reader->axes == axes && memcmp(reader->shape, shape, 8 * axes) == 0);
}

/* Compress with workspace and room of exact size; to be freed. */
static uint8_t *compressed(const bbans_content *content, const uint8_t *data,
                           size_t n, size_t block, int level, size_t *n_bytes)
{
    const size_t cap = bbans_compress_bound(content->element, n, block);
    const size_t work_bytes =
        bbans_writer_work_bytes(NULL, content, level, n < block ? n : block, 1);
    void *work = allocate(work_bytes);
    uint8_t *bytes = allocate(cap);
    size_t again;

    CHECK(work_bytes > 0);
    if (n > 0)
        CHECK(bbans_compress(NULL, content, data, n, block, level, work, 7,
                             bytes, cap, n_bytes) == BBANS_ERR_CAPACITY);
    CHECK(bbans_compress(NULL, content, data, n, block, level, work, work_bytes,
                         bytes, cap, n_bytes) == BBANS_OK);
    bytes = realloc(bytes, *n_bytes);
    CHECK(bytes != NULL);
    CHECK(bbans_compress(NULL, content, data, n, block, level, work, work_bytes,
                         bytes, *n_bytes - 1, &again) == BBANS_ERR_CAPACITY);
    CHECK(again == 0);
    CHECK(bbans_compress(NULL, content, data, n, block, level, work, work_bytes,
                         bytes, *n_bytes, &again) == BBANS_OK);
    CHECK(again == *n_bytes);
    free(work);
    return bytes;
}

/* Round trip of a grid, or of channels; `most` bytes suffice for it. */
static void test_array(bbans_content content, size_t n, size_t block, int level,
                       unsigned methods, size_t most, int damage)
{
    const int type = content.element & ~BBANS_ELEMENT_BIG_ENDIAN;
    const size_t width = bbans_element_bytes(type);
    const bbans_grid flat = {16, 16, 1, 0};
    uint8_t *data = draw_grid(content.element,
                              content.grid.rows > 0 ? &content.grid : &flat, n);
    bbans_reader reader;
    uint8_t *bytes, *back;
    size_t n_bytes, n_back;

    bytes = compressed(&content, data, n, block, level, &n_bytes);
    CHECK(n_bytes <= most);
    CHECK(decompress(NULL, bytes, n_bytes, &reader, &back, &n_back) ==
          BBANS_OK);
    CHECK(n_back == n && (n == 0 || memcmp(back, data, n * width) == 0));
    CHECK(reader.element == type &&
          reader.big_endian == (type != content.element) &&
          reader.coder == BBANS_CODER_NONE);
    CHECK(methods == 0 || (reader.methods & methods) != 0);
    check_shape(&reader, &content, n);
    free(back);
    test_find(NULL, bytes, n_bytes, data, n, 1 + n / 20);
    if (damage) {
        test_stream(bytes, n_bytes);
        test_damage(NULL, bytes, n_bytes);
    }
    free(bytes);
    free(data);
}

static void test_grids(void)
{
    static const int elements[] = {16, 17, 18, 19,  20,  21,
                                   22, 23, 24, 146, 150, 151};
    static const bbans_grid grids[] = {{24, 32, 1, 0}, {9, 8, 3, 0},
                                       {1, 40, 1, 0},  {30, 1, 2, 0},
                                       {8, 8, 1, 3},   {1, 1, 1, 0}};
    size_t i, k;
    int level;

    for (i = 0; i < COUNT(elements); i++)
        for (k = 0; k < COUNT(grids); k++) {
            const bbans_grid *const grid = &grids[k];
            const size_t row = grid->columns * grid->bands;
            const size_t frame = grid->rows * row;
            bbans_content content = bbans_content_of(elements[i]);

            content.grid = *grid;
            level = 1 + 4 * (int)((i + k) % 3);
            test_array(content, 7 * frame, 4 * frame, level, 0, SIZE_MAX, 0);
            test_array(content, 2 * frame + row, 2 * frame + row, level, 0,
                       SIZE_MAX, 0);
            test_array(content, 3 * row, row, level, 0, SIZE_MAX, 0);
            test_array(content, 0, frame, 5, 0, SIZE_MAX, 0);
        }
    { /* it is a grid that is written, and short */
        bbans_content content = bbans_content_of(BBANS_ELEMENT_UINT8);

        content.grid.rows = content.grid.columns = 48;
        content.grid.bands = 1;
        test_array(content, 3 * 48 * 48, 2 * 48 * 48, 5,
                   1u << BBANS_METHOD_GRID, 3 * 48 * 48 * 3 / 8, 0);
        content.grid.rows = content.grid.columns = 12;
        test_array(content, 4 * 144, 2 * 144, 5, 1u << BBANS_METHOD_GRID,
                   SIZE_MAX, 1);
    }
}

static void test_floats(void)
{
    static const int elements[] = {27, 28, 29, 30, 31, 32, 155, 156, 157};
    static const bbans_grid grid = {12, 10, 1, 0};
    size_t i, channels;
    int level;

    for (i = 0; i < COUNT(elements); i++) {
        bbans_content content = bbans_content_of(elements[i]);

        for (level = 1; level <= 9; level += 4) {
            for (channels = 0; channels < 4; channels += 1 + channels / 2) {
                content.channels = channels;
                test_array(content, 600, 300, level, 1u << BBANS_METHOD_FLOAT,
                           SIZE_MAX, 0);
                test_array(content, 6, 600, level, 0, SIZE_MAX, 0);
                test_array(content, 0, 600, level, 0, SIZE_MAX, 0);
            }
            content.channels = 0;
            content.grid = grid;
            test_array(content, 360, 240, level, 1u << BBANS_METHOD_FLOAT,
                       SIZE_MAX, 0);
            memset(&content.grid, 0, sizeof content.grid);
        }
    }
    for (i = 0; i < 3; i++) { /* and what is damaged */
        bbans_content content = bbans_content_of(elements[i + (i > 1)]);

        content.channels = i == 1;
        if (i == 2)
            content.grid = grid;
        test_array(content, 240, 120, 5, 1u << BBANS_METHOD_FLOAT, SIZE_MAX, 1);
    }
}

/* A piece, with a signal or floats; returns where it ends. */
static uint8_t *put_piece(uint8_t *at, int code, size_t n, const void *data,
                          const uint8_t *head, size_t n_head)
{
    const int element = code & 63;
    static uint64_t work[1 << 20];
    uint8_t block[2000];
    size_t size;

    if (element >= BBANS_ELEMENT_FLOAT16)
        CHECK(bbans_float_compress(element, 1, NULL, data, n, 5, block,
                                   sizeof block, &size, work,
                                   sizeof work) == BBANS_OK);
    else
        CHECK(
            bbans_signal_compress(element == 8 ? BBANS_ELEMENT_INT32 : element,
                                  NULL, data, n / 3, 3, 5, block, sizeof block,
                                  &size, work, sizeof work) == BBANS_OK);
    *at++ = (uint8_t)code;
    at += bbans_put_uvarint(at, n);
    at += bbans_put_uvarint(at, n_head + size);
    if (n_head > 0)
        memcpy(at, head, n_head);
    memcpy(at + n_head, block, size);
    return at + n_head + size;
}

/* Bytes and numbers of a file, in any order; and what is damaged of them. */
static void test_pieces(void)
{
    enum { N = 24 };
    static const uint8_t plain[] = {0, 3, 3, 'a', 'b', 'c'};
    static const uint8_t coded[] = {1, 40, 3, 1, 40, 'a'}; /* a run */
    static const size_t n = 3 + 40 + 2 * N + 3 * N + 8 * N;
    uint8_t block[4000], channels = 3, *at = block;
    int16_t half[N];
    int32_t word[N];
    uint64_t wide[N], need;
    uint8_t *out = allocate(n), *exact;
    size_t i, k, size;
    void *work;

    for (i = 0; i < N; i++) {
        half[i] = (int16_t)(500 * i - 3000);
        word[i] = (int32_t)(i * 20000) - 300000;
        wide[i] = float_bits(BBANS_ELEMENT_FLOAT64, 10 + 3 * i);
    }
    memcpy(at, plain, sizeof plain);
    at += sizeof plain;
    at =
        put_piece(at, BBANS_ELEMENT_INT16 | 0x80 | 0x40, N, half, &channels, 1);
    at = put_piece(at, 8, N, word, NULL, 0);
    memcpy(at, coded, sizeof coded);
    at += sizeof coded;
    at = put_piece(at, BBANS_ELEMENT_FLOAT64, N, wide, NULL, 0);
    size = (size_t)(at - block);
    exact = copy_of(block, size);
    CHECK(bbans_pieces_check(exact, size, n, &need) == BBANS_OK);
    work = allocate((size_t)need);
    CHECK(bbans_pieces_decode(exact, size, out, n, work, (size_t)need) ==
          BBANS_OK);
    CHECK(memcmp(out, "abc", 3) == 0);
    for (i = 0; i < N; i++) { /* N / 3 steps of 3 channels */
        const uint8_t *const value = out + 3 + 2 * i;
        const unsigned bits = (uint16_t)half[3 * (i % 8) + i / 8];

        CHECK(value[0] == bits >> 8 && value[1] == (bits & 255));
        CHECK(bbans_load(out + 3 + 2 * N + 3 * i, 3) ==
              ((uint32_t)word[i] & 0xffffff));
        CHECK(bbans_load(out + n - 8 * (N - i), 8) == wide[i]);
    }
    for (i = 0; i < 40; i++)
        CHECK(out[3 + 5 * N + i] == 'a');
    CHECK(bbans_pieces_decode(exact, size, out, n, work, (size_t)need - 1) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_pieces_check(exact, size, n + 1, &need) == BBANS_ERR_CORRUPT);
    CHECK(bbans_pieces_check(exact, size, n - 1, &need) == BBANS_ERR_CORRUPT);
    for (k = 0; k < size; k++)
        CHECK(bbans_pieces_check(block, k, n, &need) == BBANS_ERR_CORRUPT);
    free(work);
    for (k = 0; k < 2000; k++) {
        bbans_status status;

        memcpy(exact, block, size);
        for (i = 0; i <= below(2); i++)
            exact[below((uint32_t)size)] ^= (uint8_t)(1u << below(8));
        status = bbans_pieces_check(exact, size, n, &need);
        CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT ||
              status == BBANS_ERR_VERSION);
        work = allocate((size_t)need);
        if (status == BBANS_OK)
            status =
                bbans_pieces_decode(exact, size, out, n, work, (size_t)need);
        CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT ||
              status == BBANS_ERR_VERSION);
        free(work);
    }
    free(exact);
    free(out);
}

/* Grids that there are none of, and what cannot have one. */
static void test_wrong_grids(void)
{
    static const bbans_grid wrong[] = {{1, 0, 1, 0},
                                       {1, 1, 0, 0},
                                       {1, SIZE_MAX, SIZE_MAX, 0},
                                       {1, SIZE_MAX / 2 + 1, 2, 0},
                                       {1, BBANS_BLOCK_MAX, 2, 0}};
    static uint64_t work[1 << 18];
    const size_t work_bytes = sizeof work;
    static const uint8_t data[64];
    uint8_t out[300];
    bbans_content content;
    bbans_writer writer;
    bbans_reader reader;
    size_t i, n, at, length;

    for (i = 0; i < COUNT(wrong); i++) {
        const int element =
            i % 2 ? BBANS_ELEMENT_FLOAT32 : BBANS_ELEMENT_UINT16;

        content = bbans_content_of(element);
        content.grid = wrong[i];
        CHECK(bbans_writer_begin(&writer, NULL, &content, 5, out, 300, &n) ==
              BBANS_ERR_SIZE);
        CHECK(bbans_compress(NULL, &content, data, 8, 8, 5, work, work_bytes,
                             out, 300, &n) == BBANS_ERR_SIZE);
        CHECK(bbans_writer_work_bytes(NULL, &content, 5, 8, 1) == 0);
    }
    content = bbans_content_of(BBANS_ELEMENT_UINT8);
    content.grid.rows = 2;
    content.grid.columns = 4;
    content.grid.bands = 2;
    content.channels = 8; /* both */
    CHECK(bbans_writer_begin(&writer, NULL, &content, 5, out, 300, &n) ==
          BBANS_ERR_SIZE);
    content.channels = 0;
    content.has_line = 1; /* which grids have not */
    CHECK(bbans_writer_begin(&writer, NULL, &content, 5, out, 300, &at) ==
          BBANS_OK);
    CHECK(at == 11);
    for (n = 1; n < 24; n++) /* no rows */
        CHECK(n % 8 == 0 ||
              bbans_writer_block(&writer, data, n, work, work_bytes, out + at,
                                 300 - at, &length) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_block(&writer, data, 24, work, work_bytes, out + at,
                             300 - at, &length) == BBANS_OK);
    at += length;
    /* Of a stream the shape is what the caller says. */
    CHECK(bbans_writer_end(&writer, (const uint64_t[3]){3, 2, 4}, 3, &length,
                           out + at, 300 - at, &n) == BBANS_OK);
    CHECK(bbans_container_check(&reader, out, at + n) == BBANS_OK);
    CHECK(reader.axes == 3 && reader.coder == BBANS_CODER_NONE);
    content = bbans_content_of(BBANS_ELEMENT_BYTES); /* bytes have no rows */
    content.grid.rows = content.grid.columns = content.grid.bands = 1;
    CHECK(bbans_compress(NULL, &content, data, 64, 64, 5, work, work_bytes, out,
                         300, &n) == BBANS_ERR_SIZE);
    content = bbans_content_of(BBANS_ELEMENT_BFLOAT16 | 128);
    CHECK(bbans_writer_begin(&writer, NULL, &content, 5, out, 300, &n) ==
          BBANS_ERR_SYMBOL);
}

/* A line is one of three steps or more, of integers that signals hold. */
static void test_line(void)
{
    static const int16_t x[] = {5, 100, 2, 200, -1, 300};
    bbans_content content = bbans_content_of(BBANS_ELEMENT_INT16);
    size_t n;

    content.channels = 2; /* the first one has a line */
    for (n = 0; n <= 6; n++) {
        content.has_line = 9;
        bbans_content_set_line(&content, x, n);
        CHECK(content.has_line == (n == 6));
    }
    CHECK(content.line[0] == 5 && content.line[1] == UINT64_MAX - 2);
    content.channels = 1;
    bbans_content_set_line(&content, x, 6);
    CHECK(!content.has_line);
    content = bbans_content_of(BBANS_ELEMENT_BYTES);
    bbans_content_set_line(&content, "abcdef", 6);
    CHECK(!content.has_line);
}

/* No model takes floats, nor has a part of them such blocks. */
static void test_floats_and_models(const bbans_model *model)
{
    const bbans_content content = bbans_content_of(BBANS_ELEMENT_FLOAT64);
    bbans_writer writer;
    bbans_reader reader;
    bbans_block block;
    uint8_t out[60], byte = 1;
    uint64_t work[2000], value;
    size_t n;

    CHECK(bbans_writer_begin(&writer, model, &content, 5, out, 60, &n) ==
          BBANS_ERR_SYMBOL);
    memset(&reader, 0, sizeof reader);
    reader.coder = BBANS_CODER_MODEL;
    CHECK(bbans_model_fingerprint(model, reader.fingerprint) == BBANS_OK);
    reader.element = BBANS_ELEMENT_INT64;
    reader.longest = 1;
    reader.methods = 1u << BBANS_METHOD_MODEL;
    CHECK(bbans_reader_work_bytes(&reader, model) <= sizeof work);
    block.method = BBANS_METHOD_MODEL;
    block.elements = 1;
    block.bytes = &byte;
    block.n_bytes = 1;
    CHECK(bbans_reader_decode(&reader, &block, model, work, sizeof work, &value,
                              1) == BBANS_OK);
    reader.element = BBANS_ELEMENT_FLOAT64;
    CHECK(bbans_reader_decode(&reader, &block, model, work, sizeof work, &value,
                              1) == BBANS_ERR_CORRUPT);
}

/* ---- Refusals ------------------------------------------------------------ */

/* Several axes, refusals, and another model. */
static void test_writer(const bbans_model *model, const bbans_model *other)
{
    static const int64_t values[6] = {0, 10, 20, 20, 10, 0};
    static const uint64_t shape[3] = {2, 1, 3}, wrong[2] = {2, 2};
    static const uint64_t empty[2] = {0, UINT64_C(1) << 40};
    static const uint64_t beyond[2] = {0, UINT64_C(1) << 61};
    const int element = BBANS_ELEMENT_INT64 + BBANS_ELEMENT_BIG_ENDIAN;
    const size_t work_bytes = work_bytes_of(model, element, 6, 6);
    void *work = allocate(work_bytes);
    uint8_t bytes[200];
    bbans_writer writer, before;
    bbans_reader reader;
    int64_t back[6], outside = 5;
    size_t at, n, block[2];

    CHECK(model->kind == BBANS_KIND_INTEGERS);
    CHECK(begin(&writer, model, 3, 5, bytes, 200, &n) == BBANS_ERR_SYMBOL);
    CHECK(begin(&writer, model, BBANS_ELEMENT_CHARACTERS, 5, bytes, 200, &n) ==
          BBANS_ERR_SYMBOL);
    CHECK(begin(&writer, model, element, 0, bytes, 200, &n) == BBANS_ERR_SIZE);
    CHECK(begin(&writer, model, element, 10, bytes, 200, &n) == BBANS_ERR_SIZE);
    CHECK(begin(&writer, model, element, 5, bytes, 18, &n) ==
          BBANS_ERR_CAPACITY);
    CHECK(n == 19);
    CHECK(begin(&writer, model, element, 5, bytes, 19, &at) == BBANS_OK);
    CHECK(bbans_writer_end(&writer, beyond, 2, NULL, bytes + at, 200 - at,
                           &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_end(&writer, empty, 2, NULL, bytes + at, 200 - at, &n) ==
          BBANS_OK);
    CHECK(bbans_container_check(&reader, bytes, at + n) == BBANS_OK);
    CHECK(reader.axes == 2 && memcmp(reader.shape, empty, sizeof empty) == 0);
    CHECK(reader.big_endian && reader.element == BBANS_ELEMENT_INT64);
    before = writer;
    CHECK(bbans_writer_block(&writer, &outside, 1, work, work_bytes, bytes + at,
                             200 - at, &n) == BBANS_ERR_SYMBOL);
    CHECK(bbans_writer_block(&writer, values, 0, work, work_bytes, bytes + at,
                             200 - at, &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_block(&writer, values, BBANS_BLOCK_MAX / 8 + 1, work,
                             work_bytes, bytes + at, 200 - at,
                             &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_block(&writer, values, 4, work, work_bytes, bytes + at,
                             7, &n) == BBANS_ERR_CAPACITY);
    CHECK(n > 7 && memcmp(&before, &writer, sizeof writer) == 0);
    CHECK(bbans_writer_block(&writer, values, 4, work, work_bytes, bytes + at,
                             n, &block[0]) == BBANS_OK);
    at += block[0];
    CHECK(bbans_writer_block(&writer, values, 5, work, work_bytes, bytes + at,
                             200 - at, &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_block(&writer, values + 4, 2, work, work_bytes,
                             bytes + at, 200 - at, &block[1]) == BBANS_OK);
    at += block[1];
    CHECK(bbans_writer_block(&writer, values, 2, work, work_bytes, bytes + at,
                             200 - at, &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_end(&writer, wrong, 2, block, bytes + at, 200 - at,
                           &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_end(&writer, NULL, 0, block, bytes + at, 200 - at, &n) ==
          BBANS_ERR_SIZE);
    block[1]++;
    CHECK(bbans_writer_end(&writer, shape, 3, block, bytes + at, 200 - at,
                           &n) == BBANS_ERR_SIZE);
    block[1]--;
    CHECK(bbans_writer_end(&writer, shape, 3, block, bytes + at, 8, &n) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_writer_end(&writer, shape, 3, block, bytes + at, n, &n) ==
          BBANS_OK);
    CHECK(bbans_container_check(&reader, bytes, at + n) == BBANS_OK);
    CHECK(reader.axes == 3 && memcmp(reader.shape, shape, sizeof shape) == 0);
    CHECK(reader.blocks == 2 && reader.longest == 4);
    free(work);

    n += at;
    work = allocate(bbans_reader_work_bytes(&reader, model));
    CHECK(bbans_decompress(other, bytes, n, work,
                           bbans_reader_work_bytes(&reader, model), back, 6,
                           &at) == BBANS_ERR_WRONG_MODEL);
    CHECK(bbans_decompress(NULL, bytes, n, work,
                           bbans_reader_work_bytes(&reader, model), back, 6,
                           &at) == BBANS_ERR_WRONG_MODEL);
    CHECK(bbans_decompress(model, bytes, n, work,
                           bbans_reader_work_bytes(&reader, model), back, 6,
                           &at) == BBANS_OK);
    CHECK(memcmp(back, values, sizeof values) == 0);
    free(work);
}

/* Kinds of data that a model is not for, and values that a type does not hold.
 */
static void test_types(const loaded *models)
{
    static const uint64_t wraps[] = {(uint64_t)0 - 40};
    const bbans_model *integers = &models[BBANS_KIND_INTEGERS].model;
    int64_t low[9];
    uint8_t bytes[100], *data = (uint8_t *)low;
    bbans_reader reader;
    size_t i, n;
    int kind;

    for (kind = 0; kind < 3; kind++) {
        const bbans_model *model = &models[kind].model;

        memset(low, kind == BBANS_KIND_TEXT ? 'a' : 0, sizeof low);
        for (i = 0; i < 4; i++) {
            static const int elements[] = {
                BBANS_ELEMENT_BYTES, BBANS_ELEMENT_UTF8,
                BBANS_ELEMENT_CHARACTERS, BBANS_ELEMENT_INT16};
            const int takes = kind == BBANS_KIND_TEXT    ? i == 2
                              : kind == BBANS_KIND_BYTES ? i != 2
                                                         : i == 0 || i == 3;

            if (i == 2) {
                const uint32_t a = 'a';

                memcpy(low, &a, sizeof a);
            }
            CHECK(compress(model, elements[i], data, 1, 1, bytes, 100, &n) ==
                  (takes ? BBANS_OK : BBANS_ERR_SYMBOL));
            if (i == 2)
                memset(low, kind == BBANS_KIND_TEXT ? 'a' : 0, sizeof low);
        }
    }
    /* -40 as uint8; 2^64 - 40 as -40. */
    for (i = 0; i < 9; i++)
        low[i] = -40;
    CHECK(compress(integers, BBANS_ELEMENT_INT64, data, 9, 9, bytes, 100, &n) ==
          BBANS_OK);
    bytes[5] = BBANS_ELEMENT_UINT8;
    bbans_store(bytes + 15, bbans_crc32(0, bytes, 15), 4);
    CHECK(decompress(integers, bytes, n, &reader, &data, &n) ==
          BBANS_ERR_CORRUPT);
    free(data);
    /* 10 as a boolean. */
    for (i = 0; i < 9; i++)
        low[i] = 10;
    data = (uint8_t *)low;
    CHECK(compress(integers, BBANS_ELEMENT_INT64, data, 9, 9, bytes, 100, &n) ==
          BBANS_OK);
    bytes[5] = BBANS_ELEMENT_BOOL;
    bbans_store(bytes + 15, bbans_crc32(0, bytes, 15), 4);
    CHECK(decompress(integers, bytes, n, &reader, &data, &n) ==
          BBANS_ERR_CORRUPT);
    free(data);
    CHECK(compress(integers, BBANS_ELEMENT_UINT64, (const uint8_t *)wraps, 1, 9,
                   bytes, 100, &n) == BBANS_ERR_SYMBOL);
}

/* A block whose message has the end of a record, as no encoder writes it: one
 * that takes symbols for what they stand for makes it. */
static void test_ends(void)
{
    int kind, is_listed;

    for (kind = 0; kind < 3; kind++)
        for (is_listed = 0; is_listed < 2; is_listed++) {
            const size_t symbols =
                kind == BBANS_KIND_TEXT && !is_listed ? 257 : 8;
            int16_t x[60];
            uint8_t bytes[300], *data;
            bbans_model twin;
            bbans_reader reader;
            loaded m;
            size_t i, n, used;

            make_model(&m, 1, symbols, kind, is_listed, 1);
            CHECK(m.model.ends && m.model.symbols == symbols);
            CHECK(bbans_model_symbol(&m.model, (int64_t)symbols - 1) >=
                  symbols - 1); /* not found, or not the end */
            twin = m.model;
            twin.kind = BBANS_KIND_INTEGERS;
            twin.values = NULL;
            twin.ends = 0;
            for (i = 0; i < 60; i++)
                x[i] = (int16_t)(symbols - 1);
            CHECK(compress(&twin, BBANS_ELEMENT_INT16, (const uint8_t *)x, 60,
                           60, bytes, 300, &n) == BBANS_OK);
            CHECK(decompress(&twin, bytes, n, &reader, &data, &used) ==
                  BBANS_OK);
            CHECK(reader.methods == 1u << BBANS_METHOD_MODEL);
            free(data);
            CHECK(decompress(&m.model, bytes, n, &reader, &data, &used) ==
                  BBANS_ERR_CORRUPT);
            free(data);
            if (kind == BBANS_KIND_INTEGERS && !is_listed)
                CHECK(compress(&m.model, BBANS_ELEMENT_INT16,
                               (const uint8_t *)x, 60, 60, bytes, 300,
                               &n) == BBANS_ERR_SYMBOL);
            unload(&m);
        }
}

/* Text by its UTF-8, in blocks that end within characters. */
static void test_utf8(void)
{
    static const uint8_t text[] = "n\xC3\xA9 \xE6\xBC\xA2 \xF0\x9F\x98\x80";
    static const uint8_t wrong[] = "n\xC3";
    const size_t n_text = sizeof text - 1;
    int ends;

    for (ends = 0; ends < 2; ends++) {
        uint8_t bytes[600], *data;
        bbans_reader reader;
        loaded m;
        size_t block, n, n_data;

        make_model(&m, 2, 256 + (size_t)ends, BBANS_KIND_TEXT, 0, ends);
        for (block = 1; block <= n_text; block++) {
            CHECK(compress(&m.model, BBANS_ELEMENT_UTF8, text, n_text, block,
                           bytes, 600, &n) == BBANS_OK);
            CHECK(decompress(&m.model, bytes, n, &reader, &data, &n_data) ==
                  BBANS_OK);
            CHECK(reader.element == BBANS_ELEMENT_UTF8 && n_data == n_text &&
                  memcmp(data, text, n_text) == 0);
            free(data);
        }
        CHECK(compress(&m.model, BBANS_ELEMENT_UTF8, wrong, sizeof wrong - 1, 9,
                       bytes, 600, &n) == BBANS_ERR_SYMBOL);
        CHECK(compress(&m.model, BBANS_ELEMENT_BYTES, text, n_text, 9, bytes,
                       600, &n) == BBANS_ERR_SYMBOL);
        CHECK(compress(&m.model, BBANS_ELEMENT_UINT8, text, n_text, 9, bytes,
                       600, &n) == BBANS_ERR_SYMBOL);
        CHECK(compress(&m.model, BBANS_ELEMENT_CHARACTERS, text, 1, 9, bytes,
                       600, &n) == BBANS_ERR_SYMBOL);
        unload(&m);
    }
}

/* Blocks hold whole steps of a model, written and read. */
static void test_rows(const bbans_model *model)
{
    static const int64_t values[4] = {1, 2, 3, 4};
    const size_t work_bytes = work_bytes_of(model, BBANS_ELEMENT_INT64, 4, 4);
    void *work = allocate(work_bytes);
    uint8_t bytes[200], place[8] = {0}, *data;
    bbans_reader reader;
    bbans_writer writer;
    size_t at, n, used;

    CHECK(model->width == 2);
    CHECK(begin(&writer, model, BBANS_ELEMENT_INT64, 5, bytes, 200, &at) ==
          BBANS_OK);
    CHECK(bbans_writer_block(&writer, values, 3, work, work_bytes, bytes + at,
                             200 - at, &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_block(&writer, values, 4, work, work_bytes, bytes + at,
                             200 - at, &n) == BBANS_OK);
    /* The same data, said to be of 3 elements. */
    bytes[at] = 3;
    bbans_store(bytes + at + n - 4,
                bbans_crc32(bbans_crc32(0, place, 8), bytes + at, n - 4), 4);
    at += n;
    writer.elements = 3;
    CHECK(bbans_writer_end(&writer, &writer.elements, 1, &n, bytes + at,
                           200 - at, &used) == BBANS_OK);
    CHECK(decompress(model, bytes, at + used, &reader, &data, &n) ==
          BBANS_ERR_CORRUPT);
    free(data);
    free(work);
}

/* What a header can say of an array. */
static void test_contents(void)
{
    static const int64_t values[4] = {1, INT64_MIN, 3, 4};
    static const uint64_t shape[2] = {2, 2};
    static const uint8_t no_truth[2] = {1, 2};
    size_t work_bytes = work_bytes_of(NULL, BBANS_ELEMENT_DATETIME, 4, 1);
    void *work = allocate(work_bytes);
    uint8_t out[200];
    int64_t back[4];
    bbans_content content;
    bbans_reader reader;
    bbans_writer writer;
    size_t at, n, lengths[2];
    int k;

    for (k = 0; k < 8; k++) { /* each is wrong in one way */
        content = bbans_content_of(BBANS_ELEMENT_TIMEDELTA);
        content.unit = k == 0 ? -1 : k == 1 ? BBANS_UNIT_ATTOSECOND + 1 : 7;
        content.multiplier = k == 2 ? 0 : k == 3 ? 0x80000000u : 25;
        content.axis = k == 4 ? BBANS_AXES_MAX : 0;
        if (k == 5)
            content.unit = BBANS_UNIT_GENERIC;
        if (k == 6)
            content.element = BBANS_ELEMENT_INT64; /* has no unit */
        if (k == 7)
            content.element = BBANS_ELEMENT_BOOL | BBANS_ELEMENT_BIG_ENDIAN;
        CHECK(bbans_writer_begin(&writer, NULL, &content, 5, out, 200, &n) ==
              (k == 4 ? BBANS_ERR_SIZE : BBANS_ERR_SYMBOL));
    }
    content = bbans_content_of(BBANS_ELEMENT_UTF8);
    content.axis = 1;
    CHECK(bbans_writer_begin(&writer, NULL, &content, 5, out, 200, &n) ==
          BBANS_ERR_SIZE);
    content = bbans_content_of(BBANS_ELEMENT_UINT8);
    content.axis = 1;
    CHECK(bbans_compress(NULL, &content, values, 4, 4, 5, work, work_bytes, out,
                         200, &n) == BBANS_ERR_SIZE);
    CHECK(bbans_compress(NULL, NULL, values, 4, 4, 5, work, work_bytes, out,
                         200, &n) == BBANS_ERR_NULL);
    CHECK(bbans_writer_work_bytes(NULL, NULL, 5, 1, 1) == 0);
    CHECK(bbans_writer_work_bytes(NULL, &content, 0, 1, 1) == 0);
    CHECK(bbans_writer_work_bytes(NULL, &content, 10, 1, 1) == 0);
    CHECK(compress(NULL, BBANS_ELEMENT_BOOL, no_truth, 1, 1, out, 200, &n) ==
          BBANS_OK);
    CHECK(compress(NULL, BBANS_ELEMENT_BOOL, no_truth, 2, 2, out, 200, &n) ==
          BBANS_ERR_SYMBOL);

    content =
        bbans_content_of(BBANS_ELEMENT_TIMEDELTA | BBANS_ELEMENT_BIG_ENDIAN);
    content.unit = BBANS_UNIT_NANOSECOND;
    content.multiplier = INT32_MAX;
    content.axis = 1;
    content.channels = 2;
    CHECK(bbans_writer_begin(&writer, NULL, &content, 5, out, 15, &n) ==
          BBANS_ERR_CAPACITY);
    CHECK(n == 16);
    CHECK(bbans_writer_begin(&writer, NULL, &content, 5, out, 16, &at) ==
          BBANS_OK);
    CHECK(bbans_writer_block(&writer, values, 3, work, work_bytes, out + at,
                             200 - at, &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_block(&writer, values, 2, work, work_bytes, out + at,
                             200 - at, &lengths[0]) == BBANS_OK);
    at += lengths[0];
    CHECK(bbans_writer_block(&writer, values + 2, 2, work, work_bytes, out + at,
                             200 - at, &lengths[1]) == BBANS_OK);
    at += lengths[1];
    CHECK(bbans_writer_end(&writer, &writer.elements, 1, lengths, out + at,
                           200 - at, &n) == BBANS_ERR_SIZE); /* no axis 1 */
    CHECK(bbans_writer_end(&writer, shape, 2, lengths, out + at, 200 - at,
                           &n) == BBANS_OK);
    CHECK(bbans_container_check(&reader, out, at + n) == BBANS_OK);
    CHECK(reader.element == BBANS_ELEMENT_TIMEDELTA && reader.big_endian &&
          reader.unit == BBANS_UNIT_NANOSECOND &&
          reader.multiplier == INT32_MAX && reader.axis == 1);
    if (bbans_reader_work_bytes(&reader, NULL) > work_bytes) {
        work_bytes = bbans_reader_work_bytes(&reader, NULL);
        free(work);
        work = allocate(work_bytes);
    }
    CHECK(bbans_decompress(NULL, out, at + n, work, work_bytes, back, 4, &n) ==
          BBANS_OK);
    CHECK(n == 4 && memcmp(back, values, sizeof back) == 0);

    /* Steps of 2 in blocks of 1. */
    content.channels = 0;
    CHECK(bbans_writer_begin(&writer, NULL, &content, 5, out, 200, &at) ==
          BBANS_OK);
    for (k = 0; k < 2; k++, at += lengths[k - 1])
        CHECK(bbans_writer_block(&writer, values + k, 1, work, work_bytes,
                                 out + at, 200 - at, &lengths[k]) == BBANS_OK);
    CHECK(bbans_writer_end(&writer, (const uint64_t[2]){1, 2}, 2, lengths,
                           out + at, 200 - at, &n) == BBANS_ERR_SIZE);
    CHECK(bbans_writer_end(&writer, (const uint64_t[2]){2, 1}, 2, lengths,
                           out + at, 200 - at, &n) == BBANS_OK);
    free(work);
}

/* Text must be UTF-8, both ways; characters must be code points. */
static void test_text(void)
{
    static const uint8_t good[] = {'a', 0xCF, 0x80, 'b'}, bad[] = {'a', 0xCF};
    const uint32_t point = BBANS_CODE_POINT_MAX + 1;
    const size_t work_bytes =
        work_bytes_of(NULL, BBANS_ELEMENT_CHARACTERS, 4, 4);
    void *work = allocate(work_bytes);
    uint8_t out[100], back[4];
    bbans_writer writer;
    size_t at, n, used;

    CHECK(compress(NULL, BBANS_ELEMENT_UTF8, bad, 2, 1, out, 100, &n) ==
          BBANS_ERR_SYMBOL);
    CHECK(compress(NULL, BBANS_ELEMENT_UTF8, good, 4, 2, out, 100, &n) ==
          BBANS_OK); /* a character in two blocks */
    CHECK(bbans_decompress(NULL, out, n, work, work_bytes, back, 4, &n) ==
          BBANS_OK);
    CHECK(n == 4 && memcmp(back, good, 4) == 0);
    CHECK(begin(&writer, NULL, BBANS_ELEMENT_UTF8, BBANS_LEVEL_DEFAULT, out,
                100, &at) == BBANS_OK);
    CHECK(bbans_writer_block(&writer, bad, 2, work, work_bytes, out + at,
                             100 - at, &used) == BBANS_OK);
    at += used;
    CHECK(bbans_writer_end(&writer, &writer.elements, 1, &used, out + at,
                           100 - at, &n) == BBANS_OK);
    CHECK(bbans_decompress(NULL, out, at + n, work, work_bytes, back, 4, &n) ==
          BBANS_ERR_CORRUPT);
    CHECK(compress(NULL, BBANS_ELEMENT_CHARACTERS, (const uint8_t *)&point, 1,
                   1, out, 100, &n) == BBANS_ERR_SYMBOL);
    free(work);
}

/* Levels differ, and each is decoded: up to 2 by the byte coder, then under
 * mixed contexts. */
static void test_levels(void)
{
    enum { N = 40000 };
    uint8_t *data = allocate(N), *bytes, *back;
    const size_t cap = bbans_compress_bound(BBANS_ELEMENT_BYTES, N, N);
    const bbans_content content = bbans_content_of(BBANS_ELEMENT_BYTES);
    bbans_reader reader;
    size_t i, n, size[BBANS_LEVEL_MAX + 1];
    int level;

    bytes = allocate(cap);
    for (i = 0; i < N; i++) /* the byte before tells much, those before more */
        data[i] = (uint8_t)(i < 3 ? i
                                  : data[i - 1] * 5u + data[i - 3] % 2u +
                                        (below(8) == 0 ? below(3) : 0));
    for (level = 1; level <= BBANS_LEVEL_MAX; level++) {
        const size_t work_bytes =
            bbans_writer_work_bytes(NULL, &content, level, N, 1);
        void *work = allocate(work_bytes);

        CHECK(bbans_compress(NULL, &content, data, N, N, level, work,
                             work_bytes - 1, bytes, cap,
                             &size[level]) == BBANS_ERR_CAPACITY);
        CHECK(bbans_compress(NULL, &content, data, N, N, level, work,
                             work_bytes, bytes, cap, &size[level]) == BBANS_OK);
        CHECK(decompress(NULL, bytes, size[level], &reader, &back, &n) ==
              BBANS_OK);
        CHECK(n == N && memcmp(back, data, N) == 0);
        CHECK((reader.methods == 1u << BBANS_METHOD_MIXING) ==
              (level >= BBANS_MIXING_LEVEL_MIN));
        free(back);
        free(work);
    }
    CHECK(size[3] < size[2] && size[5] < size[3] && size[9] < size[2]);
    free(data);
    free(bytes);
}

/* Blocks under mixed contexts: of bytes and of both forms of text, the
 * workspace that they say they need, and damage that their checksums do not
 * show. */
static void test_mixing(void)
{
    static const int elements[] = {BBANS_ELEMENT_BYTES, BBANS_ELEMENT_UTF8,
                                   BBANS_ELEMENT_CHARACTERS};
    enum { N = 400, AT = 11 + 2 + 1 + 1 }; /* where the block is */
    uint32_t points[N];
    uint8_t letters[N], bytes[5 * N], *back;
    size_t i, k, n, size, n_back;

    for (i = 0; i < N; i++)
        points[i] = letters[i] = (uint8_t)('a' + i % 7);
    for (i = 0; i < 3; i++) {
        const size_t width = bbans_element_bytes(elements[i]);
        const uint8_t *data = width == 1 ? letters : (const uint8_t *)points;
        bbans_reader reader;

        CHECK(compress(NULL, elements[i], data, N, N, bytes, sizeof bytes,
                       &size) == BBANS_OK);
        CHECK(decompress(NULL, bytes, size, &reader, &back, &n_back) ==
              BBANS_OK);
        CHECK(n_back == N && memcmp(back, data, N * width) == 0);
        CHECK(reader.methods == 1u << BBANS_METHOD_MIXING);
        CHECK(bbans_reader_work_bytes(&reader, NULL) == reader.need);
        free(back);
    }
    for (i = 0; i < N; i++) /* little to learn: the byte coder's is shorter */
        points[i] = below(4);
    for (i = 0; i < 3; i++) {
        const size_t width = bbans_element_bytes(elements[i]);
        uint8_t few[N];
        bbans_reader reader;

        for (k = 0; k < N; k++)
            few[k] = (uint8_t)points[k];
        CHECK(compress(NULL, elements[i],
                       width == 1 ? few : (const uint8_t *)points, N, N, bytes,
                       sizeof bytes, &size) == BBANS_OK);
        CHECK(decompress(NULL, bytes, size, &reader, &back, &n_back) ==
              BBANS_OK);
        CHECK(n_back == N);
        CHECK(width > 1 || reader.methods == 1u << BBANS_METHOD_BYTES);
        free(back);
    }
    CHECK(compress(NULL, BBANS_ELEMENT_BYTES, letters, N, N, bytes,
                   sizeof bytes, &size) == BBANS_OK);
    CHECK(bbans_load(bytes + AT - 4, 2) == (N % 128 | 128 | N / 128 << 8));
    CHECK(bytes[AT - 2] == BBANS_METHOD_MIXING);
    n = bytes[AT - 1];
    for (k = 0; k < 5; k++) { /* another n, rows, places, line; and the code */
        uint8_t *bad = copy_of(bytes, size);
        bbans_reader reader;
        bbans_status status;

        bad[AT + (k == 0 ? 0 : k + 1)] ^= k == 0 ? 1 : 0x40;
        bbans_store(bad + AT + n, bbans_record_crc(0, bad + 11, AT - 11 + n),
                    4);
        status = decompress(NULL, bad, size, &reader, &back, &n_back);
        CHECK(status == BBANS_ERR_CORRUPT || (k > 2 && status == BBANS_OK));
        free(back);
        free(bad);
    }
}

/* 0 where the bound exceeds SIZE_MAX, and not one element before. */
static void test_bounds(void)
{
    const size_t ends = 69, each = 17;
    const size_t most = (SIZE_MAX - ends) / (1 + each);

    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT8, 0, 1) == ends);
    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT16, 10, 4) ==
          ends + 20 + 3 * each);
    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT8, most, 1) ==
          ends + (1 + each) * most);
    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT8, most + 1, 1) == 0);
    CHECK(bbans_compress_bound(BBANS_ELEMENT_UINT8, 5, 0) == 0);
    CHECK(bbans_compress_bound(99, 5, 1) == 0);
    CHECK(bbans_element_bytes(BBANS_ELEMENT_BIG_ENDIAN) == 0);
    CHECK(bbans_element_bytes(BBANS_ELEMENT_BIG_ENDIAN + 17) == 0);
    CHECK(bbans_element_bytes(BBANS_ELEMENT_BIG_ENDIAN + 18) == 2);
    CHECK(bbans_element_bytes(274) == 0);
    CHECK(work_bytes_of(NULL, 18, BBANS_BLOCK_MAX / 2, 1) > 0);
    CHECK(work_bytes_of(NULL, 18, BBANS_BLOCK_MAX / 2 + 1, 1) == 0);
}

/* ---- Parts --------------------------------------------------------------- */

/* Files end to end are a file; their arrays lie along the first axis. */
static void test_parts(const bbans_model *model)
{
    enum { PARTS = 5, N = 100 };
    const int element = BBANS_ELEMENT_INT16;
    const size_t width = 2, cap = PARTS * (N * width + 400);
    uint8_t *data = draw_elements(element, model->kind, 7, PARTS * N);
    uint8_t *bytes = allocate(cap), *back;
    bbans_reader reader;
    size_t i, n, at = 0, total = 0;

    for (i = 0; i < PARTS; i++) {
        const size_t part = i == 2 ? 0 : N - i; /* an empty one among them */

        CHECK(compress(i % 2 ? model : NULL, element, data + width * total,
                       part, 7 + i, bytes + at, cap - at, &n) == BBANS_OK);
        at += n;
        total += part;
    }
    CHECK(decompress(model, bytes, at, &reader, &back, &n) == BBANS_OK);
    CHECK(n == total && memcmp(back, data, n * width) == 0);
    CHECK(reader.parts == PARTS && reader.axes == 1 &&
          reader.shape[0] == total);
    free(back);
    bytes = realloc(bytes, at);
    CHECK(bytes != NULL);
    test_stream(bytes, at);
    test_find(model, bytes, at, data, total, 3);
    free(data);
    free(bytes);
}

/* Bytes and text in UTF-8 follow each other, and are checked as what they are;
 * code points among them are for those who read by blocks. */
static void test_bytes_and_text(void)
{
    static const uint8_t cut[] = {0xCF, 'a', 0xCF, 0x80};
    static const int elements[] = {BBANS_ELEMENT_BYTES, BBANS_ELEMENT_UTF8,
                                   BBANS_ELEMENT_BYTES,
                                   BBANS_ELEMENT_CHARACTERS};
    static const size_t from[] = {0, 2, 0, 0}, many[] = {1, 2, 4, 0};
    uint8_t bytes[400], *back;
    bbans_reader reader;
    size_t i, n, at = 0;

    for (i = 0; i < 4; i++) {
        CHECK(compress(NULL, elements[i], cut + from[i], many[i], 2, bytes + at,
                       sizeof bytes - at, &n) == BBANS_OK);
        at += n;
        if (i < 3) {
            CHECK(decompress(NULL, bytes, at, &reader, &back, &n) == BBANS_OK);
            CHECK(reader.parts == i + 1 && reader.element == elements[i]);
            CHECK(n >= many[i] &&
                  memcmp(back + n - many[i], cut + from[i], many[i]) == 0);
            free(back);
            test_stream(bytes, at);
        } else {
            CHECK(bbans_container_check(&reader, bytes, at) == BBANS_OK);
            CHECK(decompress(NULL, bytes, at, &reader, &back, &n) ==
                  BBANS_ERR_TYPE);
            free(back);
        }
    }
    /* A part of text is UTF-8 by itself. */
    CHECK(compress(NULL, BBANS_ELEMENT_BYTES, cut, 1, 1, bytes, 400, &n) ==
          BBANS_OK);
    bytes[5] = BBANS_ELEMENT_UTF8;
    bbans_store(bytes + 7, bbans_crc32(0, bytes, 7), 4);
    CHECK(decompress(NULL, bytes, n, &reader, &back, &n) == BBANS_ERR_CORRUPT);
    free(back);
}

/* ---- Signals of noise ---------------------------------------------------- */

/* A block of a signal with any bytes is values or a status. */
static void test_signal_noise(void)
{
    int trial;

    for (trial = 0; trial < SOME(3000); trial++) {
        static const int elements[] = {16, 17, 18, 21, 22, 23};
        const int element = elements[below(6)];
        const size_t width = bbans_element_bytes(element);
        const size_t n_bytes = below(300);
        uint8_t *bytes = allocate(n_bytes), *out;
        bbans_reader reader;
        bbans_block block;
        bbans_status status;
        size_t i, work_bytes;
        void *work;

        memset(&reader, 0, sizeof reader);
        reader.element = element;
        reader.methods = 1u << BBANS_METHOD_SIGNAL;
        block.method = BBANS_METHOD_SIGNAL;
        block.elements = (n_bytes + width - 1) / width + below(20);
        if (block.elements == 0)
            block.elements = 1;
        reader.longest = block.elements;
        for (i = 0; i < n_bytes; i++)
            bytes[i] = (uint8_t)(i == 0               ? 1 + below(2)
                                 : i < 3 && below(4)  ? below(4)
                                 : i == 3 && below(4) ? 1 + below(48)
                                 : i < 6 && below(4)  ? below(4)
                                                      : below(256));
        block.bytes = bytes;
        block.n_bytes = n_bytes;
        work_bytes = bbans_reader_work_bytes(&reader, NULL);
        work = allocate(work_bytes);
        out = allocate(block.elements * width);
        status = bbans_reader_decode(&reader, &block, NULL, work, work_bytes,
                                     out, block.elements);
        CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
        free(bytes);
        free(work);
        free(out);
    }
}

/* ---- Stored vectors ------------------------------------------------------ */

static uint8_t *native_of(const golden_file *file, size_t *n)
{
    const size_t width = bbans_element_bytes(file->element);
    uint8_t *data = allocate(file->data.n);
    size_t i;

    *n = file->data.n / width;
    for (i = 0; i < *n; i++)
        store_native(data, i, width,
                     bbans_load(file->data.bytes + i * width, width));
    return data;
}

/* We write what is stored. */
static void write_vector(const golden_file *file, const bbans_model *model,
                         const uint8_t *data, size_t n)
{
    const size_t width = bbans_element_bytes(file->element);
    bbans_content content = bbans_content_of(file->element);
    /* Up to level 2 the byte coder codes bytes and text. */
    const int level = model == NULL && file->element < BBANS_ELEMENT_UINT8
                          ? 2
                          : BBANS_LEVEL_DEFAULT;
    const size_t work_bytes =
        bbans_writer_work_bytes(model, &content, level, file->write, 2);
    void *work = allocate(work_bytes);
    uint8_t *bytes = allocate(file->file.n + 100);
    size_t lengths[10], done, part, at, used, blocks = 0;
    bbans_writer writer;

    content.unit = file->unit;
    content.multiplier = file->multiplier;
    content.axis = file->axis;
    CHECK(bbans_writer_begin(&writer, model, &content, level, bytes,
                             file->file.n, &at) == BBANS_OK);
    for (done = 0; done < n; done += part, at += lengths[blocks++]) {
        part = n - done < file->write ? n - done : file->write;
        CHECK(blocks < COUNT(lengths));
        CHECK(bbans_writer_block(&writer, data + done * width, part, work,
                                 work_bytes, bytes + at, file->file.n - at,
                                 &lengths[blocks]) == BBANS_OK);
    }
    CHECK(bbans_writer_end(&writer, file->shape, file->axes, lengths,
                           bytes + at, file->file.n - at, &used) == BBANS_OK);
    CHECK(at + used == file->file.n &&
          memcmp(bytes, file->file.bytes, file->file.n) == 0);
    free(work);
    free(bytes);
}

/* Each start of a header, by itself. */
static void cut_header(const golden_file *file)
{
    bbans_reader reader;
    size_t i, n, used;

    CHECK(bbans_reader_begin(&reader, file->file.bytes, file->file.n, &n) ==
          BBANS_OK);
    for (i = 0; i < n; i++) {
        uint8_t *start = copy_of(file->file.bytes, i);

        CHECK(bbans_reader_begin(&reader, start, i, &used) ==
              BBANS_ERR_TRUNCATED);
        CHECK(used > i && used <= n);
        free(start);
    }
}

static void read_vector(const golden_file *file, const bbans_model *model)
{
    bbans_reader reader;
    uint8_t *data, *back;
    bbans_status status;
    size_t n, n_back;

    status = decompress(model, file->file.bytes, file->file.n, &reader, &back,
                        &n_back);
    if (file->codecs)
        CHECK(status == BBANS_ERR_WRONG_MODEL && reader.name[0] != 0);
    else if (status == BBANS_ERR_TYPE) /* code points among other parts */
        CHECK(reader.parts > 1 && reader.element <= BBANS_ELEMENT_CHARACTERS);
    else {
        CHECK(status == BBANS_OK);
        data = native_of(file, &n);
        CHECK(n_back == n && (n == 0 || memcmp(back, data, file->data.n) == 0));
        CHECK(reader.element == (file->element & 127) &&
              reader.big_endian == file->element >> 7);
        CHECK(reader.unit == file->unit && reader.axis == file->axis &&
              reader.multiplier == file->multiplier);
        CHECK(reader.axes == file->axes &&
              memcmp(reader.shape, file->shape, 8 * file->axes) == 0);
        test_find(model, file->file.bytes, file->file.n, data, n, 1);
        /* Text of a vector is coded given the byte before, which levels that
         * have the byte coder for text do not try. */
        if (file->write > 0 &&
            (model != NULL || file->element != BBANS_ELEMENT_UTF8))
            write_vector(file, model, data, n);
        free(data);
    }
    test_stream(file->file.bytes, file->file.n);
    cut_header(file);
    free(back);
}

static void test_vectors(void)
{
    loaded models[COUNT(golden_models)];
    size_t i;

    for (i = 0; i < COUNT(golden_models); i++)
        load(&models[i], golden_models[i].bytes, golden_models[i].n);
    for (i = 0; i < COUNT(golden_files); i++)
        read_vector(&golden_files[i],
                    golden_files[i].model < 0
                        ? NULL
                        : &models[golden_files[i].model].model);
    for (i = 0; i < COUNT(golden_damageds); i++) {
        const golden_damaged *d = &golden_damageds[i];
        uint8_t *exact = copy_of(d->file.bytes, d->file.n), *back;
        bbans_reader reader;
        size_t n;

        CHECK(decompress(NULL, exact, d->file.n, &reader, &back, &n) ==
              d->status);
        free(exact);
        free(back);
    }
    for (i = 0; i < COUNT(golden_models); i++)
        if (models[i].model.width > 1)
            test_rows(&models[i].model);
    for (i = 0; i < COUNT(golden_models); i++)
        unload(&models[i]);
}

/* The checksum of elements as they are in files. */
static uint32_t crc_of(const uint8_t *native, size_t n, size_t width)
{
    uint8_t *data = allocate(n * width);
    uint32_t crc;
    size_t i, k;

    for (i = 0; i < n; i++) {
        const uint64_t value =
            width == 1   ? native[i]
            : width == 2 ? ((const uint16_t *)(const void *)native)[i]
            : width == 4 ? ((const uint32_t *)(const void *)native)[i]
                         : ((const uint64_t *)(const void *)native)[i];

        for (k = 0; k < width; k++)
            data[i * width + k] = (uint8_t)(value >> 8 * k);
    }
    crc = bbans_crc32(0, data, n * width);
    free(data);
    return crc;
}

/* Each kind of file that the library has ever written, at once and as a stream.
 * What tables and codecs of the user take is not here. */
static void test_kept(void)
{
    loaded models[COUNT(golden_kept_models)];
    size_t i, n;

    for (i = 0; i < COUNT(golden_kept_models); i++)
        load(&models[i], golden_kept_models[i].bytes, golden_kept_models[i].n);
    for (i = 0; i < COUNT(golden_kepts); i++) {
        const golden_kept *kept = &golden_kepts[i];
        bbans_reader reader;
        uint8_t *data;
        const bbans_status status =
            decompress(kept->model < 0 ? NULL : &models[kept->model].model,
                       kept->file.bytes, kept->file.n, &reader, &data, &n);

        if (kept->is_refused)
            CHECK(status == BBANS_ERR_WRONG_MODEL ||
                  status == BBANS_ERR_VERSION);
        else
            CHECK(status == BBANS_OK && n == kept->n &&
                  crc_of(data, n, bbans_element_bytes(reader.element)) ==
                      kept->crc);
        if (status == BBANS_OK)
            test_stream(kept->file.bytes, kept->file.n);
        free(data);
    }
    for (i = 0; i < COUNT(golden_kept_models); i++)
        unload(&models[i]);
}

/* Load a model of either form. */
static void load_any(loaded *m, const uint8_t *bytes, size_t n)
{
    size_t cap = 0;
    uint8_t *plain;

    if (bbans_model_unpack(bytes, n, NULL, 0, &cap) != BBANS_ERR_CAPACITY) {
        load(m, bytes, n);
        return;
    }
    plain = allocate(cap);
    CHECK(bbans_model_unpack(bytes, n, plain, cap, &n) == BBANS_OK);
    load(m, plain, n);
    free(plain);
}

static void test_kept_models(void)
{
    size_t i, n, cap;

    for (i = 0; i < COUNT(golden_packeds); i++) {
        const golden_bytes packed = golden_packeds[i].packed;
        const golden_bytes plain = golden_packeds[i].plain;
        uint8_t *got;

        CHECK(bbans_model_unpack(packed.bytes, packed.n, NULL, 0, &cap) ==
              BBANS_ERR_CAPACITY);
        got = allocate(cap);
        CHECK(bbans_model_unpack(packed.bytes, packed.n, got, cap, &n) ==
              BBANS_OK);
        CHECK(n == plain.n && memcmp(got, plain.bytes, n) == 0);
        free(got);
        CHECK(bbans_model_pack(plain.bytes, plain.n, NULL, 0, &cap) ==
              BBANS_ERR_CAPACITY);
        got = allocate(cap);
        CHECK(bbans_model_pack(plain.bytes, plain.n, got, cap, &n) == BBANS_OK);
        CHECK(n == packed.n && memcmp(got, packed.bytes, n) == 0);
        free(got);
    }
}

static void test_kept_records(void)
{
    size_t i, k, n, size;

    for (i = 0; i < COUNT(golden_record_files); i++) {
        const golden_records *kept = &golden_record_files[i];
        bbans_record_group groups[9];
        bbans_records file;
        uint32_t crc = 0;
        loaded m;
        void *work;

        CHECK(bbans_records_open(&file, kept->file.bytes, kept->file.n) ==
              BBANS_OK);
        CHECK(bbans_records_scan(&file, kept->file.bytes, kept->file.n, groups,
                                 COUNT(groups)) == BBANS_OK);
        CHECK(file.records == kept->records && !file.cut && file.lost == 0);
        if (file.model != NULL)
            load_any(&m, file.model, file.model_bytes);
        else
            load_any(&m, golden_records_models[0].bytes,
                     golden_records_models[0].n);
        size = bbans_record_work_bytes(&m.model);
        work = allocate(size);
        for (k = 0; k < kept->records; k++) {
            uint8_t record[8 + 500] = {0};

            CHECK(bbans_records_get(&file, k, &m.model, record + 8, 500, &n,
                                    work, size) == BBANS_OK);
            record[0] = (uint8_t)n;
            record[1] = (uint8_t)(n >> 8);
            crc = bbans_crc32(crc, record, 8 + n);
        }
        CHECK(crc == kept->crc);
        free(work);
        unload(&m);
    }
}

int main(void)
{
    static const int arrays[] = {
        BBANS_ELEMENT_UINT8,    BBANS_ELEMENT_INT8,   BBANS_ELEMENT_UINT16,
        BBANS_ELEMENT_INT16,    BBANS_ELEMENT_UINT32, BBANS_ELEMENT_INT32,
        BBANS_ELEMENT_UINT64,   BBANS_ELEMENT_INT64,  BBANS_ELEMENT_DATETIME,
        BBANS_ELEMENT_TIMEDELTA};
    loaded models[3];
    size_t i;
    int k;

    test_pieces();
    test_bounds();
    test_levels();
    test_mixing();
    test_grids();
    test_floats();
    test_wrong_grids();
    test_contents();
    test_text();
    test_bytes_and_text();
    for (k = 0; k < 3; k++) {
        check_state = (uint64_t)k + 1; /* for all_bytes */
        make_model(&models[k], 3, 7, k, k != BBANS_KIND_BYTES, 0);
    }
    for (k = 0; k < 2; k++)
        for (i = 0; i < COUNT(arrays); i++)
            test_container(&models[k].model, k, 7, arrays[i], 7 * i + (size_t)k,
                           19);
    test_container(&models[1].model, 1, 7, BBANS_ELEMENT_BYTES, 300, 150);
    test_container(&models[1].model, 1, 7, BBANS_ELEMENT_BYTES, 0, 150);
    test_container(&models[1].model, 1, 7, BBANS_ELEMENT_UTF8, 20, 1);
    test_container(&models[2].model, 2, 7, BBANS_ELEMENT_CHARACTERS, 50, 9);
    test_container(NULL, 1, 7, BBANS_ELEMENT_BYTES, 150, 70);
    test_container(NULL, 0, 7, BBANS_ELEMENT_INT32, 50, 40);
    test_container(NULL, 2, 200, BBANS_ELEMENT_CHARACTERS, 30, 9);
    CHECK(all_bytes == 0xd7393c11);
    test_types(models);
    test_ends();
    test_utf8();
    test_writer(&models[0].model, &models[1].model);
    test_line();
    test_floats_and_models(&models[0].model);
    test_parts(&models[0].model);
    test_signal_noise();
    test_vectors();
    test_kept();
    test_kept_models();
    test_kept_records();
    for (k = 0; k < 3; k++)
        unload(&models[k]);
    printf("test_container: ok\n");
    return 0;
}
