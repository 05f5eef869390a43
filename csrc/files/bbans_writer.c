/* Containers on their way out: docs/format.md, "Container".
 *
 * SPDX-License-Identifier: MIT */
#include "../bytes/bbans_bytes_internal.h"
#include "bbans_files.h"

#ifndef BBANS_DECODER_ONLY
#define HEADER_BYTES (START_BYTES + 2 + CHECKSUM_BYTES)
#define METHOD_BYTES 1
#define LENGTH_BYTES 4 /* of uvarints up to 2^24 and a record's overhead */
#define BLOCK_BYTES (2 * LENGTH_BYTES + METHOD_BYTES + CHECKSUM_BYTES)
/* A 0, two numbers, the only axis, a checksum, and two lengths. */
#define END_BYTES (1 + 1 + 4 * BBANS_UVARINT_BYTES + CHECKSUM_BYTES)
#define LEVEL_ORDER_1 4  /* from here on the byte coder may take order 1 */
#define MIXING_SCRATCH 8 /* behind its block */
#define BYTES_TRIED_MAX ((size_t)1 << 15) /* which may be too few to learn */

static size_t header_bytes(const bbans_model *model, int element, int has_line)
{
    return HEADER_BYTES +
           (bbans_element_has_unit(element) ? (size_t)UNIT_BYTES : 0) +
           (model != NULL ? FINGERPRINT_BYTES
            : has_line    ? LINE_BYTES
                          : 0);
}

/* ---- Workspace ----------------------------------------------------------- */

/* Of the byte coder: its own, the elements as they are in files, and the block
 * that it makes.  The message of a model, if there was one, is not needed then.
 */
static uint64_t bytes_work_bytes(size_t n_bytes)
{
    return (uint64_t)bbans_bytes_encoder_bytes(n_bytes) + n_bytes +
           bbans_bytes_bound(n_bytes);
}

static uint64_t aligned(uint64_t bytes) /* to 8 */
{
    return (bytes + 7) & ~(uint64_t)7;
}

/* Of mixed contexts: their block, the elements, and what the coder takes, or
 * the byte coder. */
static uint64_t mixing_work_bytes(size_t n_bytes, int level)
{
    const uint64_t own = (uint64_t)bbans_mixing_encoder_bytes(n_bytes, level);
    const uint64_t block = (uint64_t)n_bytes + MIXING_SCRATCH;
    const uint64_t bytes =
        n_bytes > BYTES_TRIED_MAX ? n_bytes : bytes_work_bytes(n_bytes);

    return block + (own + n_bytes > bytes ? own + n_bytes : bytes);
}

static int is_for_arrays(int method)
{
    return method == BBANS_METHOD_SIGNAL || method == BBANS_METHOD_GRID ||
           method == BBANS_METHOD_FLOAT;
}

/* What codes the blocks: BBANS_METHOD_..., of arrays of no channels BYTES. */
static int own_method(const bbans_model *model, int element, size_t channels,
                      const bbans_grid *grid, int level)
{
    const int type = element & ~BBANS_ELEMENT_BIG_ENDIAN;

    if (model != NULL)
        return BBANS_METHOD_MODEL;
    if (bbans_element_is_float(type))
        return BBANS_METHOD_FLOAT;
    if (type >= BBANS_ELEMENT_UINT8 && grid->rows > 0)
        return BBANS_METHOD_GRID;
    if (type >= BBANS_ELEMENT_UINT8)
        return channels > 0 ? BBANS_METHOD_SIGNAL : BBANS_METHOD_BYTES;
    return level >= BBANS_MIXING_LEVEL_MIN ? BBANS_METHOD_MIXING
                                           : BBANS_METHOD_BYTES;
}

/* Elements of a row; 0 if they are too many for a block. */
static size_t row_elements(const bbans_grid *grid)
{
    return grid->columns == 0 || grid->bands == 0 ||
                   grid->columns > BBANS_BLOCK_MAX / grid->bands
               ? 0
               : grid->columns * grid->bands;
}

/* The grid of a block of n elements, which may end within the first frame, or
 * before a period does: as if there were no more. */
static bbans_grid grid_of_block(const bbans_grid *grid, size_t n)
{
    const size_t row = row_elements(grid);
    bbans_grid block = *grid;

    if (row == 0 || n < row)
        return block;
    if (block.rows > n / row)
        block.rows = n / row;
    if (block.rows > 0 && block.period >= n / row / block.rows)
        block.period = 0;
    return block;
}

static const bbans_grid *grid_or_none(const bbans_grid *grid)
{
    return grid->rows > 0 ? grid : NULL;
}

/* Of signals, grids and floats: how long a block may get. */
static uint64_t array_bound(int method, int element, size_t n)
{
    const int type = bbans_element_integer(element);

    return method == BBANS_METHOD_FLOAT  ? bbans_float_bound(element, n)
           : method == BBANS_METHOD_GRID ? bbans_grid_bound(type, n)
                                         : bbans_signal_bound(type, n);
}

/* Of them: the block stays while the byte coder makes another, or elements are
 * made what they are in files. */
static uint64_t array_work_bytes(int method, int element, size_t channels,
                                 const bbans_grid *grid, int level, size_t n)
{
    const int type = bbans_element_integer(element);
    const bbans_grid block = grid_of_block(grid, n);
    const uint64_t own =
        method == BBANS_METHOD_FLOAT
            ? bbans_float_encoder_bytes(element, channels, grid_or_none(&block),
                                        n, level)
        : method == BBANS_METHOD_GRID
            ? bbans_grid_encoder_bytes(type, &block, n, level)
            : bbans_signal_encoder_bytes(type, n / channels, channels, level);
    const size_t n_bytes = n * bbans_element_bytes(type);
    const uint64_t bytes =
        method == BBANS_METHOD_FLOAT ? n_bytes : bytes_work_bytes(n_bytes);

    return own == 0 ? 0
                    : aligned(array_bound(method, element, n)) +
                          (bytes > own ? bytes : own);
}

size_t bbans_writer_work_bytes(const bbans_model *model,
                               const bbans_content *content, int level,
                               size_t n, size_t kept)
{
    uint64_t bytes, message = 0;
    size_t width;
    int method;

    if (content == NULL || level < 1 || level > BBANS_LEVEL_MAX)
        return 0;
    width = bbans_element_bytes(content->element);
    if (width == 0 || n > BBANS_BLOCK_MAX / width)
        return 0;
    method = own_method(model, content->element, content->channels,
                        &content->grid, level);
    if (n > 0 && is_for_arrays(method)) {
        bytes = array_work_bytes(method,
                                 content->element & ~BBANS_ELEMENT_BIG_ENDIAN,
                                 content->channels, &content->grid, level, n);
        return bytes > SIZE_MAX ? 0 : (size_t)bytes;
    }
    if (model != NULL) {
        if (!bbans_model_is_built(model))
            return 0;
        message = bbans_block_encode_bytes(model, n, kept);
        if (message == 0)
            return 0;
    }
    bytes = method == BBANS_METHOD_MIXING ? mixing_work_bytes(n * width, level)
                                          : bytes_work_bytes(n * width);
    bytes = bytes > message ? bytes : message;
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* ---- Blocks -------------------------------------------------------------- */

/* What a block becomes. */
typedef struct {
    int method;
    size_t n_bytes;
    const uint8_t *bytes; /* of the byte coder */
    bbans_block_message message;
} coded_block;

/* Elements as they are in files. */
static void put_elements(const uint8_t *data, size_t n, size_t width,
                         uint8_t *to)
{
    size_t i;

    if (bbans_element_is_native(width))
        memcpy(to, data, n * width);
    else
        for (i = 0; i < n * width; i += width)
            bbans_store(to + i, bbans_element_get(data + i, width), width);
}

/* The shorter of a block of the byte coder and the elements themselves. */
static bbans_status code_bytes(const uint8_t *data, size_t n, size_t width,
                               int order, void *work, size_t work_bytes,
                               coded_block *c)
{
    const size_t size = n * width, bound = bbans_bytes_bound(size);
    uint8_t *const elements = (uint8_t *)work;
    uint8_t *const out = elements + size, *const rest = out + bound;
    bbans_status status;

    put_elements(data, n, width, elements);
    status =
        bbans_bytes_compress(elements, size, order, out, bound, &c->n_bytes,
                             rest, work_bytes - (size_t)(rest - elements));
    c->method = BBANS_METHOD_BYTES;
    c->bytes = out;
    if (status == BBANS_OK && c->n_bytes >= size) {
        c->method = BBANS_METHOD_STORED;
        c->n_bytes = size;
        c->bytes = elements;
    }
    return status;
}

/* The shortest of a block of mixed contexts and, of few bytes, one of the byte
 * coder, and the elements. */
static bbans_status code_mixing(const bbans_writer *writer, const uint8_t *data,
                                size_t n, size_t width, void *work,
                                size_t work_bytes, coded_block *c)
{
    const size_t size = n * width;
    uint8_t *const out = (uint8_t *)work;
    uint8_t *const elements = out + size + MIXING_SCRATCH;
    const size_t left = work_bytes - (size_t)(elements - out);
    size_t n_bytes = size;
    bbans_status status;

    put_elements(data, n, width, elements);
    status = bbans_mixing_compress(
        elements, size, writer->level, BBANS_MIXING_LINE_FIND, out,
        size + MIXING_SCRATCH, &n_bytes, elements + size, left - size);
    c->method = BBANS_METHOD_STORED;
    c->n_bytes = size;
    c->bytes = elements;
    if (status == BBANS_ERR_CAPACITY) /* it would be longer */
        status = BBANS_OK;
    if (status == BBANS_OK && size <= BYTES_TRIED_MAX)
        status = code_bytes(data, n, width, 1, elements, left, c);
    if (status == BBANS_OK && n_bytes < size && n_bytes <= c->n_bytes) {
        c->method = BBANS_METHOD_MIXING;
        c->n_bytes = n_bytes;
        c->bytes = out;
    }
    return status;
}

static bbans_status code_array(const bbans_writer *writer, int method,
                               const uint8_t *data, size_t n, uint8_t *out,
                               size_t cap, size_t *size, uint8_t *work,
                               size_t work_bytes)
{
    const int type = bbans_element_integer(writer->element);
    const bbans_grid grid = grid_of_block(&writer->grid, n);

    if (method == BBANS_METHOD_FLOAT)
        return bbans_float_compress(writer->element, writer->channels,
                                    grid_or_none(&grid), data, n, writer->level,
                                    out, cap, size, work, work_bytes);
    if (method == BBANS_METHOD_GRID)
        return bbans_grid_compress(type, &grid, data, n, writer->level, out,
                                   cap, size, work, work_bytes);
    return bbans_signal_compress(type, writer->has_line ? writer->line : NULL,
                                 data, n / writer->channels, writer->channels,
                                 writer->level, out, cap, size, work,
                                 work_bytes);
}

/* The shortest of a block of the method, one of the byte coder, and the
 * elements.  Where the method gains much, fast levels do not try the bytes; of
 * floats its planes are what the byte coder makes of them. */
static bbans_status code_best(const bbans_writer *writer, int method,
                              const uint8_t *data, size_t n, size_t width,
                              uint8_t *work, size_t work_bytes, coded_block *c)
{
    const size_t bound = (size_t)array_bound(method, writer->element, n);
    uint8_t *const rest = work + aligned(bound);
    const size_t rest_bytes = work_bytes - (size_t)(rest - work);
    bbans_status status;
    size_t size;

    status = code_array(writer, method, data, n, work, bound, &size, rest,
                        rest_bytes);
    c->n_bytes = SIZE_MAX;
    if (status == BBANS_OK && method == BBANS_METHOD_FLOAT) {
        if (size > n * width) {
            put_elements(data, n, width, rest);
            c->method = BBANS_METHOD_STORED;
            c->n_bytes = n * width;
            c->bytes = rest;
        }
    } else if (status == BBANS_OK &&
               (writer->level >= LEVEL_ORDER_1 || size > n * width / 4 * 3))
        status = code_bytes(data, n, width, writer->level >= LEVEL_ORDER_1,
                            rest, rest_bytes, c);
    if (status == BBANS_OK && size <= c->n_bytes) {
        c->method = method;
        c->n_bytes = size;
        c->bytes = work;
    }
    return status;
}

static bbans_status code_block(const bbans_writer *writer, const uint8_t *data,
                               size_t n, void *work, size_t work_bytes,
                               coded_block *c)
{
    const size_t width = bbans_element_bytes(writer->element);
    const int method =
        own_method(writer->model, writer->element, writer->channels,
                   &writer->grid, writer->level);
    const int is_array = is_for_arrays(method);
    const uint64_t need =
        is_array ? array_work_bytes(method, writer->element, writer->channels,
                                    &writer->grid, writer->level, n)
        : method == BBANS_METHOD_MIXING
            ? mixing_work_bytes(n * width, writer->level)
            : bytes_work_bytes(n * width);
    bbans_status status;

    if (need == 0)
        return BBANS_ERR_SIZE; /* of a grid, say */
    if (work_bytes < need)
        return BBANS_ERR_CAPACITY;
    if (!bbans_elements_are_valid(writer->element, data, n))
        return BBANS_ERR_SYMBOL;
    if (writer->model != NULL) {
        status = bbans_block_encode(writer->model, writer->element, data, n,
                                    work, work_bytes, &c->message);
        if (status != BBANS_OK)
            return status;
        c->method = BBANS_METHOD_MODEL;
        (void)bbans_message_size(&c->message.msg, &c->n_bytes);
        if (c->n_bytes <= n * width)
            return BBANS_OK;
    }
    if (is_array)
        return code_best(writer, method, data, n, width, (uint8_t *)work,
                         work_bytes, c);
    if (method == BBANS_METHOD_MIXING)
        return code_mixing(writer, data, n, width, work, work_bytes, c);
    return code_bytes(data, n, width, writer->level >= LEVEL_ORDER_1, work,
                      work_bytes, c);
}

/* ---- A part -------------------------------------------------------------- */

static uint64_t element_at(int element, const void *data, size_t i)
{
    const size_t width = bbans_element_bytes(element);
    const uint64_t bits =
        bbans_element_get((const uint8_t *)data + i * width, width);

    return bbans_element_is_signed(bbans_element_integer(element))
               ? bbans_element_extend(bits, width)
               : bits;
}

void bbans_content_set_line(bbans_content *content, const void *data, size_t n)
{
    const int element = content->element & ~BBANS_ELEMENT_BIG_ENDIAN;
    uint64_t x[3];
    size_t i;

    content->has_line = 0;
    if (own_method(NULL, element, content->channels, &content->grid, 0) !=
            BBANS_METHOD_SIGNAL ||
        bbans_element_bytes(element) == 0 || n / 3 < content->channels)
        return;
    for (i = 0; i < 3; i++)
        x[i] = element_at(element, data, i * content->channels);
    content->has_line = x[1] != x[0] && x[2] - x[1] == x[1] - x[0];
    content->line[0] = x[0];
    content->line[1] = x[1] - x[0];
}

bbans_status bbans_writer_begin(bbans_writer *writer, const bbans_model *model,
                                const bbans_content *content, int level,
                                uint8_t *bytes, size_t cap, size_t *n_bytes)
{
    uint8_t *at = bytes;
    int type, has_line, coder;

    if (writer == NULL || content == NULL || bytes == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    type = content->element & ~BBANS_ELEMENT_BIG_ENDIAN;
    *n_bytes = 0;
    if (model != NULL && !bbans_model_is_built(model))
        return BBANS_ERR_STATE;
    if (level < 1 || level > BBANS_LEVEL_MAX ||
        content->axis >= BBANS_AXES_MAX ||
        (content->axis > 0 && type < BBANS_ELEMENT_UINT8) ||
        (content->grid.rows > 0 &&
         (content->channels > 0 || row_elements(&content->grid) == 0)))
        return BBANS_ERR_SIZE;
    if (bbans_element_bytes(content->element) == 0 || content->unit < 0 ||
        content->unit > BBANS_UNIT_ATTOSECOND ||
        !bbans_unit_is_valid(type, content->unit, content->multiplier) ||
        (model != NULL && !bbans_model_takes(model, type)))
        return BBANS_ERR_SYMBOL;
    has_line = content->has_line &&
               own_method(model, type, content->channels, &content->grid,
                          level) == BBANS_METHOD_SIGNAL;
    *n_bytes = header_bytes(model, type, has_line);
    if (cap < *n_bytes)
        return BBANS_ERR_CAPACITY;
    memcpy(at, bbans_container_magic, sizeof bbans_container_magic);
    at += sizeof bbans_container_magic;
    *at++ = CONTAINER_VERSION;
    *at++ = (uint8_t)content->element;
    coder = model != NULL ? BBANS_CODER_MODEL
            : has_line    ? BBANS_CODER_LINE
                          : BBANS_CODER_NONE;
    *at++ = (uint8_t)((unsigned)coder | content->axis << AXIS_SHIFT);
    if (bbans_element_has_unit(type)) {
        *at++ = (uint8_t)content->unit;
        bbans_store(at, content->multiplier, UNIT_BYTES - 1);
        at += UNIT_BYTES - 1;
    }
    if (model != NULL) {
        (void)bbans_model_fingerprint(model, at); /* it has been built */
        at += FINGERPRINT_BYTES;
    }
    if (has_line) {
        bbans_store(at, content->line[0], LINE_BYTES / 2);
        bbans_store(at + LINE_BYTES / 2, content->line[1], LINE_BYTES / 2);
        at += LINE_BYTES;
    }
    bbans_store(at, bbans_crc32(0, bytes, (size_t)(at - bytes)),
                CHECKSUM_BYTES);
    memset(writer, 0, sizeof *writer);
    writer->model = model;
    writer->element = type;
    writer->level = level;
    writer->axis = content->axis;
    writer->channels = content->channels;
    writer->grid = content->grid;
    writer->has_line = has_line;
    memcpy(writer->line, content->line, sizeof writer->line);
    writer->bytes = *n_bytes;
    return BBANS_OK;
}

/* n elements are whole steps, or whole rows. */
static int steps_are_whole(size_t channels, const bbans_grid *grid, size_t n)
{
    const size_t step = grid->rows > 0 ? row_elements(grid) : channels;

    return grid->rows > 0 ? step > 0 && n % step == 0
                          : step == 0 || n % step == 0;
}

/* All blocks but the last have the same length, in whole steps. */
static int length_is_valid(const bbans_writer *writer, size_t n)
{
    const size_t width = bbans_element_bytes(writer->element);

    return n >= 1 && n <= BBANS_BLOCK_MAX / width &&
           steps_are_whole(writer->channels, &writer->grid, n) &&
           (writer->model == NULL || n % writer->model->width == 0) &&
           (writer->blocks == 0 ||
            (n <= writer->block &&
             writer->elements == writer->blocks * writer->block));
}

bbans_status bbans_writer_block(bbans_writer *writer, const void *data,
                                size_t n, void *work, size_t work_bytes,
                                uint8_t *bytes, size_t cap, size_t *n_bytes)
{
    uint8_t *at = bytes;
    bbans_status status;
    coded_block c;
    size_t size;

    if (writer == NULL || data == NULL || work == NULL || bytes == NULL ||
        n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (!length_is_valid(writer, n))
        return BBANS_ERR_SIZE;
    status = code_block(writer, (const uint8_t *)data, n, work, work_bytes, &c);
    if (status != BBANS_OK)
        return status;
    *n_bytes = bbans_uvarint_bytes(n) + METHOD_BYTES +
               bbans_uvarint_bytes(c.n_bytes) + c.n_bytes + CHECKSUM_BYTES;
    if (cap < *n_bytes)
        return BBANS_ERR_CAPACITY;
    at += bbans_put_uvarint(at, n);
    *at++ = (uint8_t)c.method;
    at += bbans_put_uvarint(at, c.n_bytes);
    if (c.method == BBANS_METHOD_MODEL)
        (void)bbans_message_write(&c.message.msg, at, c.n_bytes, &size);
    else
        memcpy(at, c.bytes, c.n_bytes);
    at += c.n_bytes;
    bbans_store(at,
                bbans_record_crc(writer->blocks, bytes, (size_t)(at - bytes)),
                CHECKSUM_BYTES);
    if (writer->blocks++ == 0)
        writer->block = n;
    writer->elements += n;
    writer->bytes += *n_bytes;
    return BBANS_OK;
}

/* Bytes of a whole block of our own. */
static size_t block_bytes(const uint8_t *block)
{
    bbans_cursor c = bbans_cursor_of(block, block + BLOCK_BYTES);
    size_t n;

    (void)bbans_take_number(&c);
    (void)bbans_take(&c, METHOD_BYTES);
    n = (size_t)bbans_take_number(&c);
    return (size_t)(c.at - block) + n + CHECKSUM_BYTES;
}

/* The index, of lengths that the caller has kept or, without, of those that the
 * blocks say; with to == NULL, only its bytes. */
static size_t put_index(const bbans_writer *writer, const size_t *length,
                        const uint8_t *block, uint8_t *to)
{
    size_t n = 0, i;

    for (i = 0; i + 1 < writer->blocks; i++) {
        const size_t bytes = length == NULL ? block_bytes(block) : length[i];

        if (to != NULL)
            (void)bbans_put_uvarint(to + n, bytes);
        n += bbans_uvarint_bytes(bytes);
        if (length == NULL)
            block += bytes;
    }
    return n;
}

static bbans_status put_end(const bbans_writer *writer, const uint64_t *shape,
                            size_t axes, const size_t *length,
                            const uint8_t *blocks, uint8_t *bytes, size_t cap,
                            size_t *n_bytes)
{
    const int is_array = writer->element >= BBANS_ELEMENT_UINT8;
    const size_t width = bbans_element_bytes(writer->element);
    uint8_t *at = bytes;
    size_t i, n = 1 + CHECKSUM_BYTES;

    if (bbans_shape_elements(shape, axes, width) != writer->elements ||
        (axes != 1 && !is_array) ||
        !bbans_axis_is_valid(shape, axes, writer->axis, writer->block))
        return BBANS_ERR_SIZE;
    if (is_array)
        n += bbans_uvarint_bytes(axes);
    for (i = 0; is_array && i < axes; i++)
        n += bbans_uvarint_bytes(shape[i]);
    n += bbans_uvarint_bytes(writer->blocks);
    n += put_index(writer, length, blocks, NULL);
    *n_bytes = n + bbans_uvarint_bytes(n);
    *n_bytes += bbans_uvarint_bytes(writer->bytes + *n_bytes);
    if (cap < *n_bytes)
        return BBANS_ERR_CAPACITY;
    *at++ = 0;
    if (is_array)
        at += bbans_put_uvarint(at, axes);
    for (i = 0; is_array && i < axes; i++)
        at += bbans_put_uvarint(at, shape[i]);
    at += bbans_put_uvarint(at, writer->blocks);
    at += put_index(writer, length, blocks, at);
    bbans_store(at,
                bbans_record_crc(writer->blocks, bytes, (size_t)(at - bytes)),
                CHECKSUM_BYTES);
    at = bbans_put_reversed(at + CHECKSUM_BYTES, n);
    (void)bbans_put_reversed(at, writer->bytes + (size_t)(at - bytes));
    return BBANS_OK;
}

bbans_status bbans_writer_end(bbans_writer *writer, const uint64_t *shape,
                              size_t axes, const size_t *block_bytes,
                              uint8_t *bytes, size_t cap, size_t *n_bytes)
{
    uint64_t i, total = 0;

    if (writer == NULL || (shape == NULL && axes > 0) || bytes == NULL ||
        n_bytes == NULL || (block_bytes == NULL && writer->blocks > 0))
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    for (i = 0; i < writer->blocks; i++)
        total += block_bytes[i];
    if (total +
            header_bytes(writer->model, writer->element, writer->has_line) !=
        writer->bytes)
        return BBANS_ERR_SIZE;
    return put_end(writer, shape, axes, block_bytes, NULL, bytes, cap, n_bytes);
}

/* ---- The whole ----------------------------------------------------------- */

size_t bbans_compress_bound(int element, size_t n, size_t block)
{
    const size_t width = bbans_element_bytes(element);
    const size_t unit = bbans_element_has_unit(element) ? UNIT_BYTES : 0;
    const size_t ends = HEADER_BYTES + unit + LINE_BYTES + END_BYTES;
    const size_t each = BLOCK_BYTES + LENGTH_BYTES; /* and its length again */

    if (width == 0 || block == 0 || n > (SIZE_MAX - ends) / (width + each))
        return 0;
    return ends + n * width + (n / block + (n % block != 0)) * each;
}

/* The axes of n elements, which end in those of a step or of a row. */
static size_t shape_of(const bbans_content *content, size_t n, uint64_t *shape)
{
    const bbans_grid *const grid = &content->grid;
    const size_t row = grid->rows > 0 ? row_elements(grid) : 0;
    size_t axes = 0;

    if (row == 0) {
        shape[axes++] = content->channels > 1 ? n / content->channels : n;
        if (content->channels > 1)
            shape[axes++] = content->channels;
        return axes;
    }
    shape[axes++] = n / row;
    if (n / row > grid->rows && n / row % grid->rows == 0) {
        shape[0] = n / row / grid->rows;
        shape[axes++] = grid->rows;
    }
    shape[axes++] = grid->columns;
    if (grid->bands > 1)
        shape[axes++] = grid->bands;
    return axes;
}

bbans_status bbans_compress(const bbans_model *model,
                            const bbans_content *content, const void *data,
                            size_t n, size_t block, int level, void *work,
                            size_t work_bytes, uint8_t *bytes, size_t cap,
                            size_t *n_bytes)
{
    bbans_content lined;
    uint64_t shape[4];
    bbans_writer writer;
    bbans_status status;
    size_t axes, width, header = 0, used, done, part;

    if (n_bytes == NULL || content == NULL || (data == NULL && n > 0))
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (block < 1)
        return BBANS_ERR_SIZE;
    width = bbans_element_bytes(content->element);
    axes = shape_of(content, n, shape);
    lined = *content;
    if (n > block) /* or there is nothing to gain */
        bbans_content_set_line(&lined, data, n);
    status =
        bbans_writer_begin(&writer, model, &lined, level, bytes, cap, &header);
    if (status == BBANS_OK && content->element == BBANS_ELEMENT_UTF8)
        status = bbans_utf8_decode((const uint8_t *)data, n, NULL, 0, &part);
    used = header;
    for (done = 0; status == BBANS_OK && done < n; done += part) {
        size_t n_block;

        part = n - done < block ? n - done : block;
        status = bbans_writer_block(
            &writer, (const uint8_t *)data + done * width, part, work,
            work_bytes, bytes + used, cap - used, &n_block);
        used += n_block;
    }
    if (status != BBANS_OK)
        return status;
    status = put_end(&writer, shape, axes, NULL, bytes + header, bytes + used,
                     cap - used, &part);
    if (status == BBANS_OK)
        *n_bytes = used + part;
    return status;
}
#endif /* BBANS_DECODER_ONLY */
