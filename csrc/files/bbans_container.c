/* Containers: docs/format.md, section 3.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#define VERSION 1
#define HEADER_BYTES 20
#define CHECKSUM_BYTES 4
#define METHOD_BYTES 1
#define BLOCK_OVERHEAD 12 /* lengths of 3 and 4 bytes, method, checksum   */
#define END_OVERHEAD 6    /* 0, number of axes, checksum                  */

static const uint8_t magic[4] = {0x89, 'b', 'b', 'z'};

/* ---- Elements ------------------------------------------------------------ */

size_t bbans_element_bytes(int element)
{
    switch (element) {
    case BBANS_ELEMENT_BYTES:
    case BBANS_ELEMENT_UTF8:
    case BBANS_ELEMENT_UINT8:
    case BBANS_ELEMENT_INT8: return 1;
    case BBANS_ELEMENT_UINT16:
    case BBANS_ELEMENT_INT16: return 2;
    case BBANS_ELEMENT_CHARACTERS:
    case BBANS_ELEMENT_UINT32:
    case BBANS_ELEMENT_INT32: return 4;
    case BBANS_ELEMENT_UINT64:
    case BBANS_ELEMENT_INT64: return 8;
    default: return 0;
    }
}

static int is_signed(int element)
{
    return element >= BBANS_ELEMENT_UINT8 && (element & 1) != 0;
}

/* Elements are arrays of the machine's own integers, and need no alignment. */
static void put_native(uint8_t *to, uint64_t bits, size_t width)
{
    const uint16_t half = (uint16_t)bits;
    const uint32_t word = (uint32_t)bits;

    switch (width) {
    case 1: *to = (uint8_t)bits; break;
    case 2: memcpy(to, &half, width); break;
    case 4: memcpy(to, &word, width); break;
    default: memcpy(to, &bits, width); break;
    }
}

/* Two's complement of `width` bytes to that of 8. */
static uint64_t extended(uint64_t bits, size_t width)
{
    const uint64_t sign = (uint64_t)1 << (8 * width - 1);

    return ((bits & (sign | (sign - 1))) ^ sign) - sign;
}

/* Is the value one of the element's type? */
static int fits(int element, int64_t value)
{
    const size_t width = bbans_element_bytes(element);

    if (is_signed(element))
        return extended((uint64_t)value, width) == (uint64_t)value;
    if (element == BBANS_ELEMENT_CHARACTERS)
        return value >= 0 && value <= BBANS_CODE_POINT_MAX;
    return value >= 0 && (width == 8 || (uint64_t)value >> (8 * width) == 0);
}

/* ---- Lengths ------------------------------------------------------------- */

/* A record's checksum holds its place, so that no two can change theirs. */
static uint32_t record_crc(uint64_t index, const uint8_t *bytes, size_t n_bytes)
{
    uint8_t place[8];

    bbans_store(place, index, sizeof place);
    return bbans_crc32(bbans_crc32(0, place, sizeof place), bytes, n_bytes);
}

/* Does the shape hold this many symbols? */
static int shape_holds(const uint64_t *shape, size_t axes, uint64_t symbols)
{
    uint64_t product = 1;
    size_t i;

    for (i = 0; i < axes; i++)
        if (shape[i] == 0)
            return symbols == 0;
    for (i = 0; i < axes; i++) { /* no factor is 0: the product only grows */
        if (shape[i] > symbols / product)
            return 0;
        product *= shape[i];
    }
    return product == symbols;
}

/* ---- Workspace ----------------------------------------------------------- */

/* The workspace: symbols, the message's tail, and what the sequence needs. */
typedef struct {
    uint32_t *symbol;
    uint64_t head;
    bbans_message msg;
    void *rest;
    size_t rest_bytes;
} block_work;

static uint64_t first_bytes(size_t n, size_t tail_words)
{
    return ((uint64_t)n + tail_words + 1) / 2 * 8;
}

/* 0 if that is more than SIZE_MAX. */
static size_t total_bytes(size_t n, size_t tail_words, size_t rest)
{
    const uint64_t first = first_bytes(n, tail_words);

    if (rest == 0 || first > SIZE_MAX - rest)
        return 0;
    return (size_t)first + rest;
}

static bbans_status cut_work(void *work, size_t work_bytes, size_t n,
                             size_t tail_words, block_work *w)
{
    const uint64_t first = first_bytes(n, tail_words);

    if (work_bytes < first)
        return BBANS_ERR_CAPACITY;
    w->symbol = (uint32_t *)work;
    w->rest = (uint8_t *)work + first;
    w->rest_bytes = work_bytes - (size_t)first;
    return bbans_message_init(&w->msg, &w->head, 1, w->symbol + n, tail_words);
}

/* A hidden Markov model, and built. */
static int is_built(const bbans_model *model)
{
    return model->frozen.space.engine != NULL && model->symbols > 0;
}

static int method_of(const bbans_model *model)
{
    return model->frozen.space.predictive ? BBANS_METHOD_PREDICTIVE
                                          : BBANS_METHOD_ICONOCLASM;
}

/* ---- Writing ------------------------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
static uint64_t get_native(const uint8_t *from, size_t width)
{
    uint16_t half;
    uint32_t word;
    uint64_t wide;

    switch (width) {
    case 1: return *from;
    case 2: memcpy(&half, from, width); return half;
    case 4: memcpy(&word, from, width); return word;
    default: memcpy(&wide, from, width); return wide;
    }
}

size_t bbans_writer_work_bytes(const bbans_model *model, size_t block,
                               size_t kept)
{
    if (model == NULL || !is_built(model) || block > BBANS_BLOCK_MAX)
        return 0;
    return total_bytes(
        block, bbans_sequence_tail_words(&model->frozen.space, block),
        bbans_sequence_work_bytes(&model->frozen.space, block, kept));
}

/* Can this model code such elements at all? */
static int model_takes(const bbans_model *model, int element)
{
    switch (element) {
    case BBANS_ELEMENT_BYTES:
    case BBANS_ELEMENT_UTF8: return model->kind == BBANS_KIND_BYTES;
    case BBANS_ELEMENT_CHARACTERS: return model->kind == BBANS_KIND_TEXT;
    default:
        return model->kind != BBANS_KIND_TEXT &&
               bbans_element_bytes(element) > 0;
    }
}

bbans_status bbans_writer_begin(bbans_writer *writer, const bbans_model *model,
                                int element, uint8_t *bytes, size_t cap,
                                size_t *n_bytes)
{
    if (writer == NULL || model == NULL || bytes == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (!is_built(model))
        return BBANS_ERR_STATE;
    if (!model_takes(model, element))
        return BBANS_ERR_SYMBOL;
    *n_bytes = HEADER_BYTES;
    if (cap < HEADER_BYTES)
        return BBANS_ERR_CAPACITY;
    memcpy(bytes, magic, sizeof magic);
    bytes[4] = VERSION;
    bytes[5] = (uint8_t)element;
    bytes[6] = bytes[7] = 0;
    memcpy(bytes + 8, model->fingerprint, sizeof model->fingerprint);
    bbans_store(bytes + 16, bbans_crc32(0, bytes, 16), CHECKSUM_BYTES);
    writer->model = model;
    writer->element = element;
    writer->blocks = writer->symbols = 0;
    return BBANS_OK;
}

/* Numbers of the elements in the alphabet. */
static bbans_status to_symbols(const bbans_model *model, int element,
                               const uint8_t *data, size_t n, uint32_t *symbol)
{
    const size_t width = bbans_element_bytes(element);
    size_t i;

    for (i = 0; i < n; i++) {
        uint64_t bits = get_native(data + i * width, width);
        size_t x = model->symbols;

        if (is_signed(element))
            bits = extended(bits, width);
        if (is_signed(element) || bits >> 63 == 0) /* else in no alphabet */
            x = bbans_model_symbol(model, bbans_signed(bits));
        if (x == model->symbols)
            return BBANS_ERR_SYMBOL;
        symbol[i] = (uint32_t)x;
    }
    return BBANS_OK;
}

bbans_status bbans_writer_block(bbans_writer *writer, const void *data,
                                size_t n, void *work, size_t work_bytes,
                                uint8_t *bytes, size_t cap, size_t *n_bytes)
{
    const uint8_t *from = (const uint8_t *)data;
    size_t width, length, size, at, i;
    int method;
    bbans_status status;
    block_work w;

    if (writer == NULL || data == NULL || work == NULL || bytes == NULL ||
        n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (n < 1 || n > BBANS_BLOCK_MAX)
        return BBANS_ERR_SIZE;
    width = bbans_element_bytes(writer->element);
    status = cut_work(
        work, work_bytes, n,
        bbans_sequence_tail_words(&writer->model->frozen.space, n), &w);
    if (status == BBANS_OK)
        status = to_symbols(writer->model, writer->element, from, n, w.symbol);
    if (status == BBANS_OK)
        status = bbans_sequence_encode(&writer->model->frozen.space, w.symbol,
                                       n, w.rest, w.rest_bytes, &w.msg);
    if (status != BBANS_OK)
        return status;
    (void)bbans_wire_size(&w.msg, &length);
    method = method_of(writer->model);
    if (length > n * width) {
        length = n * width;
        method = BBANS_METHOD_STORED;
    }
    *n_bytes = bbans_uvarint_bytes(n) + METHOD_BYTES +
               bbans_uvarint_bytes(length) + length + CHECKSUM_BYTES;
    if (cap < *n_bytes)
        return BBANS_ERR_CAPACITY;
    at = bbans_put_uvarint(bytes, n);
    bytes[at++] = (uint8_t)method;
    at += bbans_put_uvarint(bytes + at, length);
    if (method != BBANS_METHOD_STORED)
        (void)bbans_wire_write(&w.msg, bytes + at, length, &size);
    else
        for (i = 0; i < n; i++)
            bbans_store(bytes + at + i * width,
                        get_native(from + i * width, width), width);
    at += length;
    bbans_store(bytes + at, record_crc(writer->blocks, bytes, at),
                CHECKSUM_BYTES);
    writer->blocks++;
    writer->symbols += n;
    return BBANS_OK;
}

bbans_status bbans_writer_end(bbans_writer *writer, const uint64_t *shape,
                              size_t axes, uint8_t *bytes, size_t cap,
                              size_t *n_bytes)
{
    size_t i, at = 0;

    if (writer == NULL || (shape == NULL && axes > 0) || bytes == NULL ||
        n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (axes > BBANS_AXES_MAX ||
        (axes != 1 && writer->element < BBANS_ELEMENT_UINT8) ||
        !shape_holds(shape, axes, writer->symbols))
        return BBANS_ERR_SIZE;
    *n_bytes = END_OVERHEAD;
    for (i = 0; i < axes; i++) {
        if (shape[i] >> 63 != 0)
            return BBANS_ERR_SIZE;
        *n_bytes += bbans_uvarint_bytes(shape[i]);
    }
    if (cap < *n_bytes)
        return BBANS_ERR_CAPACITY;
    bytes[at++] = 0;
    bytes[at++] = (uint8_t)axes;
    for (i = 0; i < axes; i++)
        at += bbans_put_uvarint(bytes + at, shape[i]);
    bbans_store(bytes + at, record_crc(writer->blocks, bytes, at),
                CHECKSUM_BYTES);
    return BBANS_OK;
}

size_t bbans_compress_bound(int element, size_t n, size_t block)
{
    const size_t width = bbans_element_bytes(element);
    const size_t ends = HEADER_BYTES + END_OVERHEAD + BBANS_UVARINT_BYTES;

    if (width == 0 || block == 0 ||
        n > (SIZE_MAX - ends) / (width + BLOCK_OVERHEAD))
        return 0;
    return ends + n * width + (n / block + (n % block != 0)) * BLOCK_OVERHEAD;
}

bbans_status bbans_compress(const bbans_model *model, int element,
                            const void *data, size_t n, size_t block,
                            void *work, size_t work_bytes, uint8_t *bytes,
                            size_t cap, size_t *n_bytes)
{
    const uint64_t shape[1] = {n};
    const size_t width = bbans_element_bytes(element);
    bbans_writer writer;
    bbans_status status;
    size_t done, part, used;

    if (n_bytes == NULL || (data == NULL && n > 0))
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (block < 1 || block > BBANS_BLOCK_MAX)
        return BBANS_ERR_SIZE;
    status = bbans_writer_begin(&writer, model, element, bytes, cap, &used);
    if (status == BBANS_OK && element == BBANS_ELEMENT_UTF8)
        status = bbans_utf8_decode((const uint8_t *)data, n, NULL, 0, &part);
    for (done = 0; status == BBANS_OK && done < n; done += part) {
        size_t n_block;

        part = n - done < block ? n - done : block;
        status = bbans_writer_block(
            &writer, (const uint8_t *)data + done * width, part, work,
            work_bytes, bytes + used, cap - used, &n_block);
        used += n_block;
    }
    if (status == BBANS_OK) {
        status = bbans_writer_end(&writer, shape, 1, bytes + used, cap - used,
                                  &part);
        used += part;
    }
    if (status == BBANS_OK)
        *n_bytes = used;
    return status;
}
#endif /* BBANS_DECODER_ONLY */

/* ---- Reading ------------------------------------------------------------- */

bbans_status bbans_reader_begin(bbans_reader *reader, const uint8_t *bytes,
                                size_t n_bytes, size_t *n_used)
{
    bbans_status status;

    if (reader == NULL || n_used == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    *n_used = HEADER_BYTES;
    status = bbans_check_start(bytes, n_bytes, magic, VERSION);
    if (status != BBANS_OK)
        return status;
    if (n_bytes < HEADER_BYTES)
        return BBANS_ERR_TRUNCATED;
    if (bbans_crc32(0, bytes, 16) != bbans_load(bytes + 16, CHECKSUM_BYTES))
        return BBANS_ERR_CORRUPT;
    if (bbans_element_bytes(bytes[5]) == 0 || bytes[6] != 0 || bytes[7] != 0)
        return BBANS_ERR_VERSION;
    memset(reader, 0, sizeof *reader);
    reader->element = bytes[5];
    memcpy(reader->fingerprint, bytes + 8, sizeof reader->fingerprint);
    return BBANS_OK;
}

/* After the 0 at bytes[0]. */
static bbans_status read_end(bbans_reader *reader, const uint8_t *bytes,
                             size_t n_bytes, size_t *at)
{
    uint64_t axes, shape[BBANS_AXES_MAX];
    bbans_status status = bbans_take_uvarint(bytes, n_bytes, at, &axes);
    size_t i;

    if (status == BBANS_OK && axes > BBANS_AXES_MAX)
        status = BBANS_ERR_CORRUPT;
    for (i = 0; status == BBANS_OK && i < axes; i++)
        status = bbans_take_uvarint(bytes, n_bytes, at, &shape[i]);
    if (status != BBANS_OK)
        return status;
    if (n_bytes - *at < CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    if (record_crc(reader->blocks, bytes, *at) !=
            bbans_load(bytes + *at, CHECKSUM_BYTES) ||
        !shape_holds(shape, (size_t)axes, reader->symbols) ||
        (axes != 1 && reader->element < BBANS_ELEMENT_UINT8))
        return BBANS_ERR_CORRUPT;
    *at += CHECKSUM_BYTES;
    reader->axes = (size_t)axes;
    memcpy(reader->shape, shape, (size_t)axes * sizeof *shape);
    reader->ended = 1;
    return BBANS_OK;
}

bbans_status bbans_reader_next(bbans_reader *reader, const uint8_t *bytes,
                               size_t n_bytes, bbans_block *block,
                               size_t *n_used)
{
    uint64_t n, length = 0;
    size_t at = 0;
    bbans_status status;

    if (reader == NULL || block == NULL || n_used == NULL ||
        (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    *n_used = 0;
    block->symbols = block->n_bytes = 0;
    block->bytes = NULL;
    block->method = 0;
    if (reader->ended)
        return BBANS_ERR_STATE;
    status = bbans_take_uvarint(bytes, n_bytes, &at, &n);
    if (status == BBANS_OK && n == 0) {
        status = read_end(reader, bytes, n_bytes, &at);
        if (status == BBANS_OK)
            *n_used = at;
        else if (status == BBANS_ERR_TRUNCATED)
            *n_used = n_bytes + 1;
        return status;
    }
    if (status == BBANS_OK && at == n_bytes)
        status = BBANS_ERR_TRUNCATED;
    if (status == BBANS_OK) {
        block->method = bytes[at++];
        status = bbans_take_uvarint(bytes, n_bytes, &at, &length);
    }
    /* A symbol takes at most two words, and a message eight more. */
    if (status == BBANS_OK && (n > BBANS_BLOCK_MAX || length > 8 * n + 32))
        status = BBANS_ERR_CORRUPT;
    if (status == BBANS_ERR_TRUNCATED)
        *n_used = n_bytes + 1;
    if (status != BBANS_OK)
        return status;
    if (n_bytes - at < length + CHECKSUM_BYTES) {
        *n_used = at + (size_t)length + CHECKSUM_BYTES;
        return BBANS_ERR_TRUNCATED;
    }
    block->symbols = (size_t)n;
    block->bytes = bytes + at;
    block->n_bytes = (size_t)length;
    at += (size_t)length;
    if (record_crc(reader->blocks, bytes, at) !=
        bbans_load(bytes + at, CHECKSUM_BYTES))
        status = BBANS_ERR_CORRUPT;
    else if (block->method > BBANS_METHOD_STORED)
        status = BBANS_ERR_VERSION;
    *n_used = at + CHECKSUM_BYTES;
    reader->blocks++;
    reader->symbols += n;
    if (block->symbols > reader->longest)
        reader->longest = block->symbols;
    return status;
}

/* A message of at most 8 n + 32 bytes, and room for a word a symbol. */
static size_t decoder_tail_words(size_t n)
{
    return 3 * n + 9;
}

size_t bbans_reader_work_bytes(const bbans_model *model, size_t block)
{
    if (model == NULL || !is_built(model) || block > BBANS_BLOCK_MAX)
        return 0;
    return total_bytes(block, decoder_tail_words(block),
                       bbans_sequence_work_bytes(&model->frozen.space, 1, 1));
}

static bbans_status copy_stored(int element, const bbans_block *block,
                                uint8_t *to)
{
    const size_t width = bbans_element_bytes(element);
    size_t i;

    if (block->n_bytes != block->symbols * width)
        return BBANS_ERR_CORRUPT;
    for (i = 0; i < block->symbols; i++) {
        const uint64_t bits = bbans_load(block->bytes + i * width, width);

        if (element == BBANS_ELEMENT_CHARACTERS && bits > BBANS_CODE_POINT_MAX)
            return BBANS_ERR_CORRUPT;
        put_native(to + i * width, bits, width);
    }
    return BBANS_OK;
}

bbans_status bbans_reader_decode(const bbans_reader *reader,
                                 const bbans_block *block,
                                 const bbans_model *model, void *work,
                                 size_t work_bytes, void *data, size_t cap)
{
    uint8_t *to = (uint8_t *)data;
    const size_t n = block == NULL ? 0 : block->symbols;
    size_t width, i;
    bbans_status status;
    block_work w;

    if (reader == NULL || block == NULL || model == NULL || work == NULL ||
        block->bytes == NULL || data == NULL)
        return BBANS_ERR_NULL;
    if (!is_built(model))
        return BBANS_ERR_STATE;
    if (memcmp(reader->fingerprint, model->fingerprint,
               sizeof model->fingerprint) != 0)
        return BBANS_ERR_MODEL;
    if (cap < n)
        return BBANS_ERR_CAPACITY;
    if (block->method == BBANS_METHOD_STORED)
        return copy_stored(reader->element, block, to);
    if (block->method != method_of(model))
        return BBANS_ERR_CORRUPT;
    status = cut_work(work, work_bytes, n, decoder_tail_words(n), &w);
    if (status == BBANS_OK)
        status = bbans_wire_read(&w.msg, block->bytes, block->n_bytes);
    if (status == BBANS_OK)
        status = bbans_sequence_decode(&model->frozen.space, &w.msg, w.symbol,
                                       n, w.rest, w.rest_bytes);
    if (status != BBANS_OK)
        return status;
    width = bbans_element_bytes(reader->element);
    for (i = 0; i < n; i++) {
        const int64_t value = bbans_model_value(model, w.symbol[i]);

        if (!fits(reader->element, value))
            return BBANS_ERR_CORRUPT;
        put_native(to + i * width, (uint64_t)value, width);
    }
    return BBANS_OK;
}

bbans_status bbans_container_check(bbans_reader *reader, const uint8_t *bytes,
                                   size_t n_bytes)
{
    size_t at;
    bbans_status status = bbans_reader_begin(reader, bytes, n_bytes, &at);

    while (status == BBANS_OK && !reader->ended) {
        bbans_block block;
        size_t used;

        status =
            bbans_reader_next(reader, bytes + at, n_bytes - at, &block, &used);
        at += used;
    }
    if (status == BBANS_OK && at < n_bytes)
        return BBANS_ERR_CORRUPT;
    return status;
}

bbans_status bbans_decompress(const bbans_model *model, const uint8_t *bytes,
                              size_t n_bytes, void *work, size_t work_bytes,
                              void *data, size_t cap, size_t *n)
{
    uint8_t *to = (uint8_t *)data;
    size_t at, done = 0;
    bbans_reader reader;
    bbans_status status;

    if (n == NULL || model == NULL || (data == NULL && cap > 0))
        return BBANS_ERR_NULL;
    *n = 0;
    status = bbans_reader_begin(&reader, bytes, n_bytes, &at);
    if (status == BBANS_OK && memcmp(reader.fingerprint, model->fingerprint,
                                     sizeof model->fingerprint) != 0)
        return BBANS_ERR_MODEL;
    while (status == BBANS_OK && !reader.ended) {
        bbans_block block;
        size_t used;

        status =
            bbans_reader_next(&reader, bytes + at, n_bytes - at, &block, &used);
        at += used;
        if (status != BBANS_OK || reader.ended)
            break;
        status = bbans_reader_decode(
            &reader, &block, model, work, work_bytes,
            to + done * bbans_element_bytes(reader.element), cap - done);
        done += block.symbols;
    }
    if (status == BBANS_OK && at < n_bytes)
        status = BBANS_ERR_CORRUPT;
    if (status == BBANS_OK && reader.element == BBANS_ELEMENT_UTF8 &&
        bbans_utf8_decode(to, done, NULL, 0, &at) != BBANS_OK)
        status = BBANS_ERR_CORRUPT;
    if (status == BBANS_OK)
        *n = done;
    return status;
}
