/* Fuzz containers: any bytes as a file, their checksums made right or not, any
 * bytes as the data of a block, and any bytes through a round trip, as bytes,
 * under a model, and as an array of any type.
 *
 * SPDX-License-Identifier: MIT */
#include "../files/bbans_files.h"
#include "blocks.h"

#define N_MOST ((size_t)1 << 10)

const size_t fuzz_size_most = 360;

static uint64_t digest; /* of all that an instruction set has decoded */

/* ---- Checksums that are right -------------------------------------------- */

/* Behind `end`, of what is since `start`, if there is room. */
static void put_crc(bbans_cursor *c, uint8_t *start, uint32_t crc)
{
    if (c->status == BBANS_OK && (size_t)(c->end - c->at) >= CHECKSUM_BYTES)
        bbans_store(start + (c->at - start), crc, CHECKSUM_BYTES);
    (void)bbans_take(c, CHECKSUM_BYTES);
}

static void mend_header(bbans_cursor *c, uint8_t *start)
{
    const unsigned element = start[5] & 127u, coder = start[6] & 3u;

    (void)bbans_take(c, 7);
    if (element == BBANS_ELEMENT_DATETIME || element == BBANS_ELEMENT_TIMEDELTA)
        (void)bbans_take(c, UNIT_BYTES);
    if (coder == 3)
        (void)bbans_take(c, LINE_BYTES - FINGERPRINT_BYTES);
    if (coder == 2) {
        size_t name = (size_t)bbans_take(c, 1);

        for (; name > 0; name--)
            (void)bbans_take(c, 1);
    }
    if (coder > 0)
        (void)bbans_take(c, FINGERPRINT_BYTES);
    if (c->status == BBANS_OK)
        put_crc(c, start, bbans_crc32(0, start, (size_t)(c->at - start)));
}

static void mend_end(bbans_cursor *c, uint8_t *start, int is_array,
                     uint64_t blocks)
{
    uint64_t n;

    if (is_array)
        for (n = bbans_take_number(c); n > 0 && c->status == BBANS_OK; n--)
            (void)bbans_take_number(c);
    for (n = bbans_take_number(c); n > 1 && c->status == BBANS_OK; n--)
        (void)bbans_take_number(c);
    if (c->status == BBANS_OK)
        put_crc(c, start,
                bbans_record_crc(blocks, start, (size_t)(c->at - start)));
    (void)bbans_take_number(c); /* of one byte, it reads as well forward */
}

/* Of all parts that look like some. */
static void mend(uint8_t *file, size_t size)
{
    bbans_cursor c = bbans_cursor_of(file, file + size);

    while (c.status == BBANS_OK && c.end - c.at > 11) {
        uint8_t *start = file + (c.at - file);
        const int is_array = (start[5] & 127) >= BBANS_ELEMENT_UINT8;
        uint64_t blocks = 0, n = 1;

        mend_header(&c, start);
        while (c.status == BBANS_OK && n > 0) {
            start = file + (c.at - file);
            n = bbans_take_number(&c);
            if (n == 0)
                break;
            (void)bbans_take(&c, 1);
            for (n = bbans_take_number(&c); n > 0 && c.status == BBANS_OK; n--)
                (void)bbans_take(&c, 1);
            n = 1;
            if (c.status == BBANS_OK)
                put_crc(
                    &c, start,
                    bbans_record_crc(blocks, start, (size_t)(c.at - start)));
            blocks++;
        }
        if (c.status == BBANS_OK)
            mend_end(&c, start, is_array, blocks);
    }
}

/* ---- A model ------------------------------------------------------------- */

#define STATES 3
#define SYMBOLS 4 /* a, b, c, d */

/* Of bytes; made once. */
static const bbans_model *fixed_model(void)
{
    static const uint32_t initial[STATES] = {2048, 1024, 1024};
    static const uint32_t transition[STATES * STATES] = {
        3000, 1000, 96, 1000, 2096, 1000, 1, 1, 4094};
    static const uint32_t emission[STATES * SYMBOLS] = {
        4093, 1, 1, 1, 1024, 1024, 1024, 1024, 10, 20, 30, 4036};
    static const int64_t value[SYMBOLS] = {'a', 'b', 'c', 'd'};
    static uint8_t file[400];
    static bbans_model model;
    const size_t size = bbans_hmm_bytes(STATES, SYMBOLS);
    void *memory;
    bbans_hmm hmm;
    size_t n;

    if (bbans_model_is_built(&model))
        return &model;
    memory = fuzz_memory(size);
    CHECK(bbans_hmm_init(&hmm, STATES, SYMBOLS, 12, 3, initial, transition,
                         emission, memory, size) == BBANS_OK);
    CHECK(bbans_model_write(&hmm.space, BBANS_KIND_BYTES, value, 0, file,
                            sizeof file, &n) == BBANS_OK);
    free(memory);
    CHECK(bbans_model_parse(&model, file, n) == BBANS_OK);
    n = bbans_model_bytes(&model);
    CHECK(bbans_model_build(&model, fuzz_memory(n), n) == BBANS_OK);
    return &model;
}

/* Take the model for the one that the file names, whichever that is. */
static const bbans_model *named_model(bbans_reader *reader)
{
    const bbans_model *model = fixed_model();

    if (reader->coder != BBANS_CODER_MODEL)
        return NULL;
    CHECK(bbans_model_fingerprint(model, reader->fingerprint) == BBANS_OK);
    return model;
}

/* ---- What is read -------------------------------------------------------- */

/* Decode with workspace and output of exact size, for the sanitizer to see
 * their ends. */
static bbans_status decode(bbans_reader *reader, const bbans_block *block)
{
    const bbans_model *model = named_model(reader);
    const size_t work_bytes = bbans_reader_work_bytes(reader, model);
    const size_t width = bbans_element_bytes(reader->element);
    bbans_status status = BBANS_ERR_CAPACITY;
    void *work, *out;

    if (work_bytes > FUZZ_WORK_MOST) /* for a block that was longer */
        return status;
    work = fuzz_work(work_bytes > 0 ? work_bytes : 8);
    out = fuzz_memory(block->elements * width);
    status = bbans_reader_decode(reader, block, model, work, work_bytes, out,
                                 block->elements);
    digest = fuzz_digest(digest, &status, sizeof status);
    if (status == BBANS_OK)
        digest = fuzz_digest(digest, out, block->elements * width);
    free(out);
    return status;
}

/* All that can be saved, and each block that is found from the end. */
static void as_file(const uint8_t *data, size_t size)
{
    bbans_reader reader;
    bbans_block block;
    bbans_status status;
    uint64_t element = 0;
    size_t at, used;
    int k;

    status = bbans_reader_begin(&reader, data, size, &at);
    while (status == BBANS_OK && (at < size || !reader.ended)) {
        status =
            bbans_reader_next(&reader, data + at, size - at, &block, &used);
        CHECK(used <= size - at || status == BBANS_ERR_TRUNCATED);
        if (status == BBANS_OK && block.elements > 0 &&
            block.elements <= N_MOST)
            (void)decode(&reader, &block);
        at += used;
        if (used > 0 && status == BBANS_ERR_CORRUPT) /* go on behind it */
            status = BBANS_OK;
    }
    for (k = 0; k < 5; k++) {
        if (bbans_container_find(&reader, data, size, element, &at) != BBANS_OK)
            break;
        CHECK(at < size);
        status = bbans_reader_next(&reader, data + at, size - at, &block, &at);
        if (status == BBANS_OK && block.elements <= N_MOST)
            (void)decode(&reader, &block);
        element = element * 2 + block.elements;
    }
}

static void as_block(const uint8_t *data, size_t size)
{
    static const int elements[] = {0,  1,  2,  16, 17, 18, 19, 20, 21, 22,
                                   23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
    static const int methods[] = {BBANS_METHOD_STORED, BBANS_METHOD_BYTES,
                                  BBANS_METHOD_MIXING, BBANS_METHOD_MODEL,
                                  BBANS_METHOD_SIGNAL, BBANS_METHOD_GRID,
                                  BBANS_METHOD_PIECES};
    const size_t n_methods = sizeof methods / sizeof *methods;
    bbans_reader reader;
    bbans_block block;
    bbans_status status;
    uint8_t *exact;

    if (size < 4)
        return;
    memset(&reader, 0, sizeof reader);
    reader.element = elements[data[0] % 20];
    block.method = methods[data[1] % n_methods];
    if (reader.element >= BBANS_ELEMENT_FLOAT16 && data[1] % n_methods > 2)
        block.method = BBANS_METHOD_FLOAT;
    if (block.method == BBANS_METHOD_MODEL)
        reader.coder = BBANS_CODER_MODEL;
    block.elements = 1 + data[2];
    block.n_bytes = block.elements * bbans_element_bytes(reader.element);
    if (block.n_bytes > size - 4) /* as a reader has made sure */
        block.n_bytes = size - 4;
    exact = fuzz_memory(block.n_bytes);
    memcpy(exact, data + 4, block.n_bytes);
    block.bytes = exact;
    reader.longest = block.elements;
    reader.methods = 1u << block.method;
    if (block.method == BBANS_METHOD_MIXING)
        reader.need = bbans_mixing_decoder_bytes(exact, block.n_bytes);
    status = decode(&reader, &block);
    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
    free(exact);
}

/* ---- What is written ------------------------------------------------------
 */

/* Through a container, in blocks of `block` bytes, under a model or none. */
static uint8_t *as_data(const bbans_model *model, const uint8_t *data,
                        size_t size, size_t block, int level, size_t *n_bytes)
{
    const size_t cap = bbans_compress_bound(BBANS_ELEMENT_BYTES, size, block);
    const bbans_content content = bbans_content_of(BBANS_ELEMENT_BYTES);
    size_t work_bytes = bbans_writer_work_bytes(model, &content, level,
                                                size < block ? size : block, 1);
    uint8_t *bytes = fuzz_memory(cap), *back = fuzz_memory(size);
    void *work = fuzz_work(work_bytes > 0 ? work_bytes : 8);
    bbans_reader reader;
    size_t n;

    CHECK(bbans_compress(model, &content, data, size, block, level, work,
                         work_bytes, bytes, cap, n_bytes) == BBANS_OK);
    CHECK(bbans_container_check(&reader, bytes, *n_bytes) == BBANS_OK);
    work_bytes = bbans_reader_work_bytes(&reader, model);
    work = fuzz_work(work_bytes > 0 ? work_bytes : 8);
    CHECK(bbans_decompress(model, bytes, *n_bytes, work, work_bytes, back, size,
                           &n) == BBANS_OK);
    CHECK(n == size && fuzz_same(back, data, n));
    free(back);
    return bytes;
}

/* The same with two bits of each byte, as the model knows no more. */
static uint8_t *as_symbols(const uint8_t *data, size_t size, size_t block,
                           int level, size_t *n_bytes)
{
    uint8_t *symbols = fuzz_memory(size), *bytes;
    size_t i;

    for (i = 0; i < size; i++)
        symbols[i] = (uint8_t)('a' + data[i] % SYMBOLS);
    bytes = as_data(fixed_model(), symbols, size, block, level, n_bytes);
    free(symbols);
    return bytes;
}

/* As an array of any type, of channels along any axis or of pixels in rows;
 * what it is and how it is cut comes first in the data. */
static uint8_t *as_array(const uint8_t *data, size_t size, size_t *n_bytes)
{
    bbans_content content = bbans_content_of(16 + data[0] % 17);
    const size_t width = bbans_element_bytes(content.element);
    const size_t step = 1u + data[1] % 4;
    const size_t steps = (size - 4) / width / step;
    const int level = fuzz_level(data[3]);
    size_t n, block, cap, work_bytes, back, i;
    uint8_t *bytes, *exact;
    bbans_reader reader;
    void *work;

    if (data[1] > 127) {
        content.grid.rows = 1u + data[3] % 5;
        content.grid.columns = step;
        content.grid.bands = 1;
        if (step == 4 && data[3] % 2) /* or pixels of two values */
            content.grid.columns = content.grid.bands = 2;
        content.grid.period = data[3] % 3 ? 0 : 2u + data[3] % 4;
    } else {
        content.channels = data[1] < 16 ? 0 : step;
        content.axis = content.channels > 1 && data[3] > 127;
    }
    if (content.element == BBANS_ELEMENT_DATETIME ||
        content.element == BBANS_ELEMENT_TIMEDELTA) {
        content.unit = data[2] % (BBANS_UNIT_ATTOSECOND + 1);
        content.multiplier = content.unit > 0 ? 1u + data[3] : 1;
    }
    if (width > 1 && data[2] > 127 && content.element != BBANS_ELEMENT_BFLOAT16)
        content.element |= BBANS_ELEMENT_BIG_ENDIAN;
    n = steps * step;
    block = step * (1u + data[2] % 64);
    exact = fuzz_memory(n * width);
    for (i = 0; i < n * width; i++)
        exact[i] = content.element == BBANS_ELEMENT_BOOL ? data[4 + i] & 1
                                                         : data[4 + i];
    cap = bbans_compress_bound(content.element, n, block);
    work_bytes = bbans_writer_work_bytes(NULL, &content, level,
                                         n < block ? n : block, 1);
    bytes = fuzz_memory(cap);
    work = fuzz_work(work_bytes > 0 ? work_bytes : 8);
    CHECK(bbans_compress(NULL, &content, exact, n, block, level, work,
                         work_bytes, bytes, cap, n_bytes) == BBANS_OK);
    CHECK(bbans_container_check(&reader, bytes, *n_bytes) == BBANS_OK);
    CHECK(reader.elements == n && reader.axis == content.axis &&
          reader.unit == content.unit);
    work_bytes = bbans_reader_work_bytes(&reader, NULL);
    work = fuzz_work(work_bytes > 0 ? work_bytes : 8);
    memset(exact, 0, n * width);
    CHECK(bbans_decompress(NULL, bytes, *n_bytes, work, work_bytes, exact, n,
                           &back) == BBANS_OK);
    for (i = 0; i < n * width; i++)
        CHECK(exact[i] == (reader.element == BBANS_ELEMENT_BOOL
                               ? data[4 + i] & 1
                               : data[4 + i]));
    free(exact);
    return bytes;
}

/* ---- The target ---------------------------------------------------------- */

static void test(fuzz_input in, unsigned what)
{
    uint8_t *file = fuzz_copy(in.at, in.left);
    size_t n_bytes;

    if (what == 0) {
        as_block(in.at, in.left);
    } else if (what == 1) {
        const size_t block = 1 + in.left / 3;
        const int level = fuzz_level((uint32_t)in.left);

        free(in.left % 2 ? as_data(NULL, in.at, in.left, block, level, &n_bytes)
                         : as_symbols(in.at, in.left, block, level, &n_bytes));
    } else if (what == 2 && in.left >= 4) {
        uint8_t *bytes = as_array(in.at, in.left, &n_bytes);

        digest = fuzz_digest(digest, bytes, n_bytes);
        bytes[5 + in.at[1] % (n_bytes - 5)] ^= in.at[2];
        mend(bytes, n_bytes);
        as_file(bytes, n_bytes);
        free(bytes);
    } else {
        if (what > 3)
            mend(file, in.left);
        as_file(file, in.left);
    }
    free(file);
}

static uint64_t digest_of(fuzz_input *in)
{
    const unsigned what = fuzz_below(in, 8);

    digest = 0;
    test(*in, what);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_two_isas(digest_of, data, size);
    return 0;
}

/* A file of bytes or of an array; or what files are made of. */
size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    uint8_t plain[240], *file;
    uint32_t symbols;
    size_t size, block, n_bytes, i;
    int level;

    fuzz_random(k);
    size = 5 + below(sizeof plain - 5);
    symbols = 1 + below(256);
    for (i = 0; i < size; i++) /* small numbers first: forms of signals */
        plain[i] = (uint8_t)below(i < 10 && below(3) ? 20 : symbols);
    data[0] = (uint8_t)below(8);
    if (data[0] < 3) {
        memcpy(data + 1, plain, size);
        return 1 + size;
    }
    block = 1 + below(300);
    level = fuzz_level(below(256));
    file = k % 2 == 0   ? as_array(plain, size, &n_bytes)
           : k % 4 == 1 ? as_data(NULL, plain, size, block, level, &n_bytes)
                        : as_symbols(plain, size, block, level, &n_bytes);
    if (n_bytes > cap - 1)
        n_bytes = cap - 1;
    memcpy(data + 1, file, n_bytes);
    free(file);
    return 1 + n_bytes;
}
