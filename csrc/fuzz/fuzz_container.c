/* Fuzz containers: any bytes as a file, any bytes as the data of a block, any
 * header with a right checksum, and any bytes through a round trip, as bytes
 * and as an array.  With libFuzzer by -fsanitize=fuzzer, else
 * over the files it is given, or with none over files that it makes and damages
 * itself: make fuzz.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "../tests/check.h"

#include <string.h>

#define N_MAX ((size_t)1 << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    CHECK(memory != NULL);
    return memory;
}

/* Decode with workspace and output of exact size, for the sanitizer to see
 * their ends. */
static bbans_status decode(const bbans_reader *reader, const bbans_block *block)
{
    const size_t work_bytes = bbans_reader_work_bytes(reader, NULL);
    const size_t width = bbans_element_bytes(reader->element);
    void *work = allocate(work_bytes), *out = allocate(block->elements * width);
    const bbans_status status = bbans_reader_decode(
        reader, block, NULL, work, work_bytes, out, block->elements);

    free(work);
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
        if (status == BBANS_OK && block.elements > 0 && block.elements <= N_MAX)
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
        if (status == BBANS_OK && block.elements <= N_MAX)
            (void)decode(&reader, &block);
        element = element * 2 + block.elements;
    }
}

static void as_block(const uint8_t *data, size_t size)
{
    static const int elements[] = {0,  1,  2,  16, 17, 18, 19, 20, 21, 22,
                                   23, 24, 25, 26, 27, 28, 29, 30, 31, 32};
    static const int methods[] = {BBANS_METHOD_STORED, BBANS_METHOD_BYTES,
                                  BBANS_METHOD_MIXING, BBANS_METHOD_SIGNAL,
                                  BBANS_METHOD_GRID};
    bbans_reader reader;
    bbans_block block;
    bbans_status status;
    uint8_t *exact;

    if (size < 4)
        return;
    memset(&reader, 0, sizeof reader);
    reader.element = elements[data[0] % 20];
    block.method = methods[data[1] % 5];
    if (reader.element >= BBANS_ELEMENT_FLOAT16 && data[1] % 5 > 2)
        block.method = BBANS_METHOD_FLOAT;
    block.elements = 1 + data[2];
    block.n_bytes = block.elements * bbans_element_bytes(reader.element);
    if (block.n_bytes > size - 4) /* as a reader has made sure */
        block.n_bytes = size - 4;
    exact = allocate(block.n_bytes);
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

/* Through a container, in blocks of `block` bytes. */
static uint8_t *as_data(const uint8_t *data, size_t size, size_t block,
                        int level, size_t *n_bytes)
{
    const size_t cap = bbans_compress_bound(BBANS_ELEMENT_BYTES, size, block);
    const bbans_content content = bbans_content_of(BBANS_ELEMENT_BYTES);
    size_t work_bytes = bbans_writer_work_bytes(NULL, &content, level,
                                                size < block ? size : block, 1);
    uint8_t *bytes = allocate(cap), *back = allocate(size);
    void *work = allocate(work_bytes);
    bbans_reader reader;
    size_t n;

    CHECK(bbans_compress(NULL, &content, data, size, block, level, work,
                         work_bytes, bytes, cap, n_bytes) == BBANS_OK);
    free(work);
    CHECK(bbans_container_check(&reader, bytes, *n_bytes) == BBANS_OK);
    work_bytes = bbans_reader_work_bytes(&reader, NULL);
    work = allocate(work_bytes);
    CHECK(bbans_decompress(NULL, bytes, *n_bytes, work, work_bytes, back, size,
                           &n) == BBANS_OK);
    CHECK(n == size && (n == 0 || memcmp(back, data, n) == 0));
    free(work);
    free(back);
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
    const int level = 1 + data[3] % 9;
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
    exact = allocate(n * width);
    for (i = 0; i < n * width; i++)
        exact[i] = content.element == BBANS_ELEMENT_BOOL ? data[4 + i] & 1
                                                         : data[4 + i];
    cap = bbans_compress_bound(content.element, n, block);
    work_bytes = bbans_writer_work_bytes(NULL, &content, level,
                                         n < block ? n : block, 1);
    bytes = allocate(cap);
    work = allocate(work_bytes);
    CHECK(bbans_compress(NULL, &content, exact, n, block, level, work,
                         work_bytes, bytes, cap, n_bytes) == BBANS_OK);
    free(work);
    CHECK(bbans_container_check(&reader, bytes, *n_bytes) == BBANS_OK);
    CHECK(reader.elements == n && reader.axis == content.axis &&
          reader.unit == content.unit);
    work_bytes = bbans_reader_work_bytes(&reader, NULL);
    work = allocate(work_bytes);
    memset(exact, 0, n * width);
    CHECK(bbans_decompress(NULL, bytes, *n_bytes, work, work_bytes, exact, n,
                           &back) == BBANS_OK);
    for (i = 0; i < n * width; i++)
        CHECK(exact[i] == (reader.element == BBANS_ELEMENT_BOOL
                               ? data[4 + i] & 1
                               : data[4 + i]));
    free(work);
    free(exact);
    return bytes;
}

/* A header that says something else, under a right checksum. */
static void as_header(uint8_t *bytes, size_t n_bytes, size_t at, uint8_t byte)
{
    bbans_reader reader;
    size_t n;

    if (bbans_reader_begin(&reader, bytes, n_bytes, &n) != BBANS_OK || n < 11)
        return;
    bytes[5 + at % (n - 9)] = byte;
    bbans_store(bytes + n - 4, bbans_crc32(0, bytes, n - 4), 4);
    as_file(bytes, n_bytes);
}

/* As elements of a signal, of any type, channels and level. */
static void as_signal(const uint8_t *data, size_t size)
{
    const int element = BBANS_ELEMENT_UINT8 + (size > 0 ? data[0] % 8 : 0);
    const size_t width = bbans_element_bytes(element);
    const size_t channels = size > 1 ? 1 + data[1] % 5 : 1;
    const int level = size > 2 ? 1 + data[2] % 9 : 1;
    const size_t n = size / width / channels * channels;
    size_t cap, n_bytes, need;
    uint8_t *block, *back;
    void *work;

    if (n == 0)
        return;
    need = bbans_signal_encoder_bytes(element, n / channels, channels, level);
    cap = bbans_signal_bound(element, n);
    block = allocate(cap);
    back = allocate(n * width);
    work = allocate(need);
    CHECK(bbans_signal_compress(element, NULL, data, n / channels, channels,
                                level, block, cap, &n_bytes, work,
                                need) == BBANS_OK);
    free(work);
    need = bbans_signal_decoder_bytes(n);
    work = allocate(need);
    CHECK(bbans_signal_decompress(element, NULL, block, n_bytes, back, n, work,
                                  need) == BBANS_OK);
    CHECK(memcmp(back, data, n * width) == 0);
    block[n_bytes / 2] ^= (uint8_t)(1u << size % 8);
    (void)bbans_signal_decompress(element, NULL, block, n_bytes, back, n, work,
                                  need);
    free(work);
    free(back);
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t n_bytes;

    if (size > N_MAX)
        return 0;
    as_file(data, size);
    as_block(data, size);
    as_signal(data, size);
    free(as_data(data, size, 1 + size / 3, 1 + (int)(size % 9), &n_bytes));
    if (size >= 4) {
        uint8_t *bytes = as_array(data, size, &n_bytes);

        as_header(bytes, n_bytes, data[1], data[2]);
        free(bytes);
    }
    return 0;
}

#ifndef LIBFUZZER
static void file(const char *name)
{
    FILE *f = fopen(name, "rb");
    uint8_t *data = allocate(N_MAX);

    CHECK(f != NULL);
    LLVMFuzzerTestOneInput(data, fread(data, 1, N_MAX, f));
    fclose(f);
    free(data);
}

int main(int argc, char **argv)
{
    uint8_t data[700];
    int i, k;

    for (i = 1; i < argc; i++)
        file(argv[i]);
    for (k = 0; k < 3000 && argc == 1; k++) {
        const size_t size = below(sizeof data);
        const uint32_t symbols = 1 + below(256);
        uint8_t *bytes;
        size_t n, n_bytes;

        for (n = 0; n < size; n++) /* small numbers first: forms of signals */
            data[n] = (uint8_t)below(n < 10 && below(3) ? 20 : symbols);
        LLVMFuzzerTestOneInput(data, size);
        bytes = as_data(data, size, 1 + below(300), 5, &n_bytes);
        for (n = below(4); n > 0; n--)
            bytes[below((uint32_t)n_bytes)] ^= (uint8_t)(1u << below(8));
        as_file(bytes, n_bytes - (below(4) ? 0 : below((uint32_t)n_bytes)));
        free(bytes);
    }
    printf("fuzz_container: ok\n");
    return 0;
}
#endif
