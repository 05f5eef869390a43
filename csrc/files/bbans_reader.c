/* Containers on their way in: docs/format.md, "Container".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_files.h"

#define HEADER_BYTES (START_BYTES + 2 + CHECKSUM_BYTES) /* at least */
#define ELEMENT_AT START_BYTES
#define CODER_AT (ELEMENT_AT + 1)
#define UNIT_AT (CODER_AT + 1)
#define CODER_MASK ((1 << AXIS_SHIFT) - 1)

/* ---- The header of a part ------------------------------------------------ */

static size_t unit_bytes(int code)
{
    return bbans_element_has_unit(code & ~BBANS_ELEMENT_BIG_ENDIAN) ? UNIT_BYTES
                                                                    : 0;
}

/* What there must be at least, by the bytes at hand. */
static size_t header_bytes(const uint8_t *bytes, size_t n_bytes)
{
    size_t n = HEADER_BYTES, name;

    if (n_bytes <= CODER_AT)
        return n;
    name = UNIT_AT + unit_bytes(bytes[ELEMENT_AT]);
    n += unit_bytes(bytes[ELEMENT_AT]);
    switch (bytes[CODER_AT] & CODER_MASK) {
    case BBANS_CODER_MODEL: return n + FINGERPRINT_BYTES;
    case BBANS_CODER_LINE: return n + LINE_BYTES;
    case BBANS_CODER_CODEC:
        return n + FINGERPRINT_BYTES + 1 + (n_bytes > name ? bytes[name] : 0);
    default: return n;
    }
}

/* Of the bytes behind the coder's: is a coder named as it can be? */
static bbans_status read_coder(bbans_reader *reader, int coder,
                               const uint8_t *bytes)
{
    const uint8_t *fingerprint = bytes;
    size_t n, points;

    memset(reader->name, 0, sizeof reader->name);
    memset(reader->fingerprint, 0, sizeof reader->fingerprint);
    memset(reader->line, 0, sizeof reader->line);
    reader->coder = coder;
    if (reader->coder == BBANS_CODER_NONE)
        return BBANS_OK;
    if (reader->coder == BBANS_CODER_LINE) {
        reader->line[0] = bbans_load(bytes, LINE_BYTES / 2);
        reader->line[1] = bbans_load(bytes + LINE_BYTES / 2, LINE_BYTES / 2);
        return BBANS_OK;
    }
    if (reader->coder == BBANS_CODER_CODEC) {
        n = *fingerprint++;
        if (n == 0 ||
            bbans_utf8_decode(fingerprint, n, NULL, 0, &points) != BBANS_OK)
            return BBANS_ERR_CORRUPT;
        memcpy(reader->name, fingerprint, n);
        fingerprint += n;
    }
    memcpy(reader->fingerprint, fingerprint, sizeof reader->fingerprint);
    return BBANS_OK;
}

/* What a header says of the elements. */
typedef struct {
    int code, unit;
    uint32_t multiplier;
    unsigned axis;
} element_type;

static int holds_integers(int element) /* of arrays */
{
    return element >= BBANS_ELEMENT_UINT8 && !bbans_element_is_float(element);
}

static int is_plain(int code) /* bytes, or text of either form */
{
    return code < BBANS_ELEMENT_UINT8;
}

/* Are bytes or text after such, or an array after one of its type? */
static int can_follow(const element_type *type, const bbans_reader *reader)
{
    const int before =
        reader->element | (reader->big_endian ? BBANS_ELEMENT_BIG_ENDIAN : 0);

    return (type->code == before && type->unit == reader->unit &&
            type->multiplier == reader->multiplier &&
            type->axis == reader->axis) ||
           (is_plain(type->code) && is_plain(before));
}

static bbans_status read_type(element_type *type, const uint8_t *bytes)
{
    int element;

    memset(type, 0, sizeof *type);
    type->code = bytes[ELEMENT_AT];
    type->axis = (unsigned)bytes[CODER_AT] >> AXIS_SHIFT;
    element = type->code & ~BBANS_ELEMENT_BIG_ENDIAN;
    if (bbans_element_bytes(type->code) == 0 || type->axis >= BBANS_AXES_MAX ||
        (type->axis > 0 && element < BBANS_ELEMENT_UINT8))
        return BBANS_ERR_VERSION;
    if (!bbans_element_has_unit(element))
        return BBANS_OK;
    type->unit = bytes[UNIT_AT];
    type->multiplier =
        (uint32_t)bbans_load(bytes + UNIT_AT + 1, UNIT_BYTES - 1);
    if (type->unit > BBANS_UNIT_ATTOSECOND)
        return BBANS_ERR_VERSION;
    return bbans_unit_is_valid(element, type->unit, type->multiplier)
               ? BBANS_OK
               : BBANS_ERR_CORRUPT;
}

static bbans_status read_header(bbans_reader *reader, const uint8_t *bytes,
                                size_t n_bytes, size_t *n_used)
{
    const size_t n = header_bytes(bytes, n_bytes);
    bbans_status status = bbans_check_start(
        bytes, n_bytes, bbans_container_magic, CONTAINER_VERSION);
    element_type type;

    *n_used = 0;
    if (status != BBANS_OK)
        return status;
    if (n_bytes < n) {
        *n_used = n;
        return BBANS_ERR_TRUNCATED;
    }
    if (!bbans_checksum_matches(bytes, n - CHECKSUM_BYTES))
        return BBANS_ERR_CORRUPT;
    status = read_type(&type, bytes);
    if ((bytes[CODER_AT] & CODER_MASK) == BBANS_CODER_LINE &&
        !holds_integers(type.code & ~BBANS_ELEMENT_BIG_ENDIAN) &&
        status == BBANS_OK)
        status = BBANS_ERR_VERSION;
    if (status == BBANS_OK)
        status = read_coder(reader, bytes[CODER_AT] & CODER_MASK,
                            bytes + UNIT_AT + unit_bytes(type.code));
    if (status == BBANS_OK && reader->parts > 0 && !can_follow(&type, reader))
        status = BBANS_ERR_CORRUPT;
    if (status != BBANS_OK)
        return status;
    reader->element = type.code & ~BBANS_ELEMENT_BIG_ENDIAN;
    reader->big_endian = type.code != reader->element;
    reader->unit = type.unit;
    reader->multiplier = type.multiplier;
    reader->axis = type.axis;
    reader->block = 0;
    reader->blocks = 0;
    reader->own.before = reader->elements;
    reader->own.bytes = n;
    reader->own.last_bytes = 0;
    reader->own.index_crc = 0;
    reader->ended = 0;
    reader->parts++;
    *n_used = n;
    return BBANS_OK;
}

bbans_status bbans_reader_begin(bbans_reader *reader, const uint8_t *bytes,
                                size_t n_bytes, size_t *n_used)
{
    if (reader == NULL || n_used == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    memset(reader, 0, sizeof *reader);
    return read_header(reader, bytes, n_bytes, n_used);
}

/* ---- The end record ------------------------------------------------------ */

typedef struct {
    size_t axes;
    uint64_t shape[BBANS_AXES_MAX];
    uint64_t blocks;
    uint32_t index_crc; /* of the lengths in the index                 */
    uint64_t before;    /* bytes of the blocks before a certain one,   */
    uint64_t last;      /* and of the last of them;                    */
    uint32_t crc;       /* of the lengths of those before the last one */
} end_record;

/* From its 0 to its checksum; `block` is the certain one.  More than `most`
 * blocks are an error. */
static bbans_status take_end(bbans_cursor *c, int element, uint64_t block,
                             uint64_t most, end_record *end)
{
    const uint8_t *const start = c->at, *index, *last;
    uint32_t crc;
    uint64_t i;

    memset(end, 0, sizeof *end);
    (void)bbans_take(c, 1);
    if (element >= BBANS_ELEMENT_UINT8) {
        const uint64_t axes = bbans_take_number(c);

        if (axes > BBANS_AXES_MAX)
            return BBANS_ERR_CORRUPT;
        end->axes = (size_t)axes;
        for (i = 0; i < axes; i++)
            end->shape[i] = bbans_take_number(c);
    }
    end->blocks = bbans_take_number(c);
    if (end->blocks > most)
        return BBANS_ERR_CORRUPT;
    index = last = c->at;
    for (i = 0; i + 1 < end->blocks && c->status == BBANS_OK; i++) {
        const uint8_t *const at = c->at;
        const uint64_t n_bytes = bbans_take_number(c);

        if (i < block) {
            end->before += n_bytes;
            end->last = n_bytes;
            last = at;
        }
    }
    if (c->status != BBANS_OK)
        return c->status;
    end->index_crc = bbans_crc32(0, index, (size_t)(c->at - index));
    end->crc = bbans_crc32(0, index, (size_t)(last - index));
    crc = bbans_record_crc(end->blocks, start, (size_t)(c->at - start));
    if (bbans_take(c, CHECKSUM_BYTES) != crc && c->status == BBANS_OK)
        c->status = BBANS_ERR_CORRUPT;
    return c->status;
}

/* The shape of what was read, with one more part along the first axis. */
static int join_shapes(bbans_reader *reader, const end_record *end)
{
    const size_t width = bbans_element_bytes(reader->element);
    const uint64_t elements =
        bbans_shape_elements(end->shape, end->axes, width);
    size_t i;

    if (elements == BBANS_NO_SHAPE ||
        (elements != reader->elements - reader->own.before &&
         !reader->damaged) ||
        (!bbans_axis_is_valid(end->shape, end->axes, reader->axis,
                              reader->block) &&
         !reader->damaged))
        return 0;
    if (reader->parts == 1 || (reader->damaged && reader->axes == 0)) {
        reader->axes = end->axes;
        memcpy(reader->shape, end->shape, sizeof reader->shape);
        return 1;
    }
    if (end->axes == 0 || end->axes != reader->axes)
        return 0;
    for (i = 1; i < end->axes; i++)
        if (end->shape[i] != reader->shape[i])
            return 0;
    reader->shape[0] += end->shape[0]; /* below 2^63 each */
    return bbans_shape_elements(reader->shape, reader->axes, width) !=
           BBANS_NO_SHAPE;
}

/* Bytes of the length of a part whose lost blocks took nobody knows how many:
 * up to another header, or the end. */
static size_t length_bytes(const uint8_t *bytes, size_t n_bytes)
{
    const size_t magic = sizeof bbans_container_magic;
    size_t n = 1;

    while (n < n_bytes && n < BBANS_UVARINT_BYTES && bytes[n] >= 0x80 &&
           (n_bytes - n < magic ||
            memcmp(bytes + n, bbans_container_magic, magic) != 0))
        n++;
    return n;
}

static bbans_status read_end(bbans_reader *reader, const uint8_t *bytes,
                             size_t n_bytes, size_t *n_used)
{
    bbans_cursor c = bbans_cursor_of(bytes, bytes + n_bytes);
    uint8_t lengths[2 * BBANS_UVARINT_BYTES], *at;
    end_record end;
    size_t n, n_first, n_lengths, n_known;
    bbans_status status = take_end(&c, reader->element, 0, UINT64_MAX, &end);

    if (status == BBANS_ERR_TRUNCATED)
        *n_used = n_bytes + 1;
    if (status != BBANS_OK)
        return status;
    n = (size_t)(c.at - bytes);
    at = bbans_put_reversed(lengths, n);
    n_first = (size_t)(at - lengths);
    at = bbans_put_reversed(at, reader->own.bytes + n + n_first);
    n_lengths = n_known = (size_t)(at - lengths);
    if (reader->damaged && n_bytes - n > n_first) {
        n_lengths =
            n_first + length_bytes(c.at + n_first, n_bytes - n - n_first);
        n_known = n_first;
    }
    if (n_bytes - n < n_lengths) {
        *n_used = n + n_lengths;
        return BBANS_ERR_TRUNCATED;
    }
    if (reader->element < BBANS_ELEMENT_UINT8) {
        end.axes = 1;
        end.shape[0] = reader->elements - reader->own.before;
    }
    if (end.blocks != reader->blocks ||
        (end.index_crc != reader->own.index_crc && !reader->damaged) ||
        memcmp(c.at, lengths, n_known) != 0 || !join_shapes(reader, &end))
        return BBANS_ERR_CORRUPT;
    *n_used = n + n_lengths;
    reader->ended = 1;
    return BBANS_OK;
}

/* ---- Blocks -------------------------------------------------------------- */

/* The lengths of a block; n = 0: there is none, but the end record. */
static void take_lengths(bbans_cursor *c, uint64_t *n, int *method,
                         uint64_t *n_bytes)
{
    *n = bbans_take_number(c);
    *method = 0;
    *n_bytes = 0;
    if (*n == 0)
        return;
    *method = (int)bbans_take(c, 1);
    *n_bytes = bbans_take_number(c);
}

/* Can blocks of such elements be of the method? */
static int method_is_for(int element, int method)
{
    switch (method) {
    case BBANS_METHOD_MODEL: return !bbans_element_is_float(element);
    case BBANS_METHOD_SIGNAL:
    case BBANS_METHOD_GRID: return holds_integers(element);
    case BBANS_METHOD_FLOAT: return bbans_element_is_float(element);
    case BBANS_METHOD_PIECES: return element == BBANS_ELEMENT_BYTES;
    default: return 1;
    }
}

/* What the header and the blocks before leave room for. */
static bbans_status check_block(const bbans_reader *reader, int method,
                                uint64_t n, uint64_t n_bytes)
{
    const size_t width = bbans_element_bytes(reader->element);
    const uint64_t before = reader->elements - reader->own.before;

    if (method > BBANS_METHOD_MIXING)
        return BBANS_ERR_VERSION;
    if ((method == BBANS_METHOD_STORED && n_bytes != n * width) ||
        (method == BBANS_METHOD_MODEL && reader->coder != BBANS_CODER_MODEL) ||
        (method == BBANS_METHOD_CODEC && reader->coder != BBANS_CODER_CODEC) ||
        !method_is_for(reader->element, method) ||
        (reader->blocks > 0 && !reader->damaged &&
         (n > reader->block || before != reader->blocks * reader->block)))
        return BBANS_ERR_CORRUPT;
    return BBANS_OK;
}

/* Of blocks that say themselves what they need to be decoded: do they decode to
 * n bytes, and with how much? */
static bbans_status check_need(bbans_reader *reader, int method,
                               const uint8_t *bytes, size_t n_bytes, size_t n)
{
    uint64_t need = 0;
    bbans_status status = BBANS_OK;

    if (method == BBANS_METHOD_PIECES) {
        status = bbans_pieces_check(bytes, n_bytes, n, &need);
    } else if (method == BBANS_METHOD_MIXING) {
        size_t size;

        status = bbans_mixing_size(bytes, n_bytes, &size);
        if (status == BBANS_OK && size != n)
            status = BBANS_ERR_CORRUPT;
        need = bbans_mixing_decoder_bytes(bytes, n_bytes);
    }
    if (status == BBANS_OK && need > reader->need)
        reader->need = need;
    return status;
}

/* Past a block, good or bad, of n_bytes in all. */
static void count_block(bbans_reader *reader, size_t n, size_t n_bytes)
{
    uint8_t length[BBANS_UVARINT_BYTES];

    if (reader->blocks > 0)
        reader->own.index_crc =
            bbans_crc32(reader->own.index_crc, length,
                        bbans_put_uvarint(length, reader->own.last_bytes));
    else
        reader->block = n;
    reader->own.last_bytes = n_bytes;
    reader->own.bytes += n_bytes;
    reader->blocks++;
    reader->elements += n;
    if (n > reader->longest)
        reader->longest = n;
}

/* What a block says before its data, which begin at bytes[*at]; *n_used is what
 * all of it takes, or 0.  No elements: it is another record. */
static bbans_status read_head(const bbans_reader *reader, const uint8_t *bytes,
                              size_t n_bytes, bbans_block *block, size_t *at,
                              size_t *n_used)
{
    const size_t width = bbans_element_bytes(reader->element);
    bbans_cursor c = bbans_cursor_of(bytes, bytes + n_bytes);
    uint64_t n, length;

    take_lengths(&c, &n, &block->method, &length);
    if (c.status != BBANS_OK)
        return c.status;
    /* A block that would be longer is stored. */
    if (n > BBANS_BLOCK_MAX / width || length > n * width)
        return BBANS_ERR_CORRUPT;
    *at = (size_t)(c.at - bytes);
    block->elements = (size_t)n;
    block->n_bytes = (size_t)length;
    *n_used = n == 0 ? 0 : *at + block->n_bytes + CHECKSUM_BYTES;
    return BBANS_OK;
}

/* has_data: those of a block are there, and checked. */
static bbans_status read_record(bbans_reader *reader, const uint8_t *bytes,
                                size_t n_bytes, int has_data,
                                bbans_block *block, size_t *n_used)
{
    bbans_status status;
    size_t at = 0;

    if (reader == NULL || block == NULL || n_used == NULL ||
        (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    *n_used = 0;
    memset(block, 0, sizeof *block);
    if (reader->ended) { /* another part, or nothing, or what must not be */
        status = read_header(reader, bytes, n_bytes, n_used);
        return status == BBANS_ERR_FORMAT ? BBANS_ERR_CORRUPT : status;
    }
    if (n_bytes == 0) { /* bytes may be NULL */
        *n_used = 1;
        return BBANS_ERR_TRUNCATED;
    }
    status = read_head(reader, bytes, n_bytes, block, &at, n_used);
    if (status == BBANS_ERR_TRUNCATED)
        *n_used = n_bytes + 1;
    if (status == BBANS_OK && block->elements == 0)
        return read_end(reader, bytes, n_bytes, n_used);
    if (status == BBANS_OK && has_data && n_bytes < *n_used)
        status = BBANS_ERR_TRUNCATED;
    if (status != BBANS_OK) {
        memset(block, 0, sizeof *block);
        return status;
    }
    status =
        check_block(reader, block->method, block->elements, block->n_bytes);
    if (has_data) {
        const size_t end = at + block->n_bytes;

        if (bbans_record_crc(reader->blocks, bytes, end) ==
            bbans_load(bytes + end, CHECKSUM_BYTES))
            block->bytes = bytes + at;
        else
            status = BBANS_ERR_CORRUPT;
        if (status == BBANS_OK)
            status = check_need(
                reader, block->method, block->bytes, block->n_bytes,
                block->elements * bbans_element_bytes(reader->element));
    }
    if (status == BBANS_OK)
        reader->methods |= 1u << block->method;
    else
        reader->damaged = 1;
    count_block(reader, block->elements, *n_used);
    return status;
}

bbans_status bbans_reader_next(bbans_reader *reader, const uint8_t *bytes,
                               size_t n_bytes, bbans_block *block,
                               size_t *n_used)
{
    return read_record(reader, bytes, n_bytes, 1, block, n_used);
}

bbans_status bbans_reader_skip(bbans_reader *reader, const uint8_t *bytes,
                               size_t n_bytes, bbans_block *block,
                               size_t *n_used)
{
    return read_record(reader, bytes, n_bytes, 0, block, n_used);
}

/* ---- Behind damage ------------------------------------------------------- */

/* Of lost blocks: each number that is thought of lets one in 2^32 of what is no
 * block pass for one. */
#define LOST_MOST 4096
/* Bytes that are looked at in vain for each byte that is skipped, and before
 * any is: files that are made to look like blocks everywhere end so in time
 * that grows with their bytes. */
#define LOOKS_MOST 64
#define DEBT_MOST ((uint64_t)1 << 26)

/* What begins somewhere: nothing that is known, a record, or perhaps one, if
 * more bytes were at hand. */
typedef enum { NOTHING, RECORD, PERHAPS } sighting;

/* Polynomials over GF(2) modulo that of CRC-32: the coefficient of x^k is bit
 * 31 - k, as bits of bytes come lowest first. */
#define CRC_ONE UINT32_C(0x80000000)
#define CRC_X UINT32_C(0x40000000)
#define CRC_POLYNOMIAL UINT32_C(0xEDB88320)

static uint32_t crc_product(uint32_t a, uint32_t b)
{
    uint32_t product = 0;

    for (; a != 0; a <<= 1) {
        if ((a & CRC_ONE) != 0)
            product ^= b;
        b = (b & 1) != 0 ? b >> 1 ^ CRC_POLYNOMIAL : b >> 1;
    }
    return product;
}

static uint32_t crc_power(uint64_t exponent) /* of x */
{
    uint32_t power = CRC_ONE, square = CRC_X;

    for (; exponent > 0; exponent >>= 1) {
        if ((exponent & 1) != 0)
            power = crc_product(power, square);
        square = crc_product(square, square);
    }
    return power;
}

/* Is there a block of n_bytes before its checksum, of what number?  A CRC is
 * linear: another number, whose low 32 bits alone differ, changes it by the
 * difference of both times x^(64 + 8 n_bytes), for the number's bits and those
 * of what follows.  x has the order 2^32 - 1, so its inverse powers are powers.
 */
static int find_number(const uint8_t *bytes, size_t n_bytes, uint64_t *number)
{
    const uint64_t order = UINT32_MAX;
    const uint64_t shift = 8 * ((uint64_t)n_bytes % order + 8) % order;
    const uint32_t difference =
        bbans_record_crc(*number, bytes, n_bytes) ^
        (uint32_t)bbans_load(bytes + n_bytes, CHECKSUM_BYTES);
    const uint32_t low =
        (uint32_t)*number ^ crc_product(difference, crc_power(order - shift));
    const uint64_t found = (*number & ~(uint64_t)UINT32_MAX) | low;

    if (found < *number || found - *number > LOST_MOST)
        return 0;
    *number = found;
    return 1;
}

/* A block has as many elements as the first, or it is the last. */
static sighting look_for_block(bbans_reader *reader, const uint8_t *bytes,
                               size_t n_bytes, int is_all)
{
    uint64_t number = reader->blocks;
    bbans_block block;
    size_t at, used;
    bbans_status status = read_head(reader, bytes, n_bytes, &block, &at, &used);

    if (status == BBANS_ERR_TRUNCATED)
        return is_all ? NOTHING : PERHAPS;
    if (status != BBANS_OK || block.elements == 0 ||
        (reader->block > 0 && block.elements > reader->block) ||
        block.method > BBANS_METHOD_MIXING ||
        !method_is_for(reader->element, block.method))
        return NOTHING;
    if (n_bytes <= used && !is_all)
        return PERHAPS;
    if (n_bytes < used ||
        (block.elements < reader->block && n_bytes > used && bytes[used] != 0))
        return NOTHING;
    reader->own.debt += used;
    if (!find_number(bytes, used - CHECKSUM_BYTES, &number))
        return NOTHING;
    if (reader->block == 0)
        reader->block = block.elements;
    reader->elements += (number - reader->blocks) * reader->block;
    reader->blocks = number;
    return RECORD;
}

static sighting look_for_end(bbans_reader *reader, const uint8_t *bytes,
                             size_t n_bytes, int is_all)
{
    bbans_cursor c = bbans_cursor_of(bytes, bytes + n_bytes);
    bbans_status status;
    end_record end;

    if (bytes[0] != 0)
        return NOTHING;
    status = take_end(&c, reader->element, 0, reader->blocks + LOST_MOST, &end);
    reader->own.debt += (size_t)(c.at - bytes);
    switch (status) {
    case BBANS_OK: break;
    case BBANS_ERR_TRUNCATED: return is_all ? NOTHING : PERHAPS;
    default: return NOTHING;
    }
    if (end.blocks < reader->blocks)
        return NOTHING;
    reader->blocks = end.blocks;
    return RECORD;
}

static sighting look_for_part(const bbans_reader *reader, const uint8_t *bytes,
                              size_t n_bytes, int is_all)
{
    bbans_reader next = *reader;
    size_t used;

    switch (read_header(&next, bytes, n_bytes, &used)) {
    case BBANS_OK: return RECORD;
    case BBANS_ERR_TRUNCATED: return is_all ? NOTHING : PERHAPS;
    default: return NOTHING;
    }
}

static sighting look_for_record(bbans_reader *reader, const uint8_t *bytes,
                                size_t n_bytes, int is_all)
{
    sighting what = look_for_part(reader, bytes, n_bytes, is_all);

    if (what == RECORD)
        reader->ended = 1;
    if (what == NOTHING && !reader->ended && reader->own.debt <= DEBT_MOST)
        what = look_for_block(reader, bytes, n_bytes, is_all);
    if (what == NOTHING && !reader->ended && reader->own.debt <= DEBT_MOST)
        what = look_for_end(reader, bytes, n_bytes, is_all);
    if (what == NOTHING)
        reader->own.debt -=
            reader->own.debt < LOOKS_MOST ? reader->own.debt : LOOKS_MOST;
    return what;
}

bbans_status bbans_reader_resume(bbans_reader *reader, const uint8_t *bytes,
                                 size_t n_bytes, int is_all, size_t *n_skipped)
{
    if (reader == NULL || n_skipped == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    reader->damaged = 1;
    for (*n_skipped = 0; *n_skipped < n_bytes; ++*n_skipped)
        switch (look_for_record(reader, bytes + *n_skipped,
                                n_bytes - *n_skipped, is_all)) {
        case RECORD: return BBANS_OK;
        case PERHAPS: return BBANS_ERR_TRUNCATED;
        case NOTHING: break;
        }
    return BBANS_ERR_TRUNCATED;
}

/* ---- Elements ------------------------------------------------------------ */

size_t bbans_reader_work_bytes(const bbans_reader *reader,
                               const bbans_model *model)
{
    size_t bytes = 8, n, most;

    if (reader == NULL)
        return 0;
    n = reader->longest;
    if ((reader->methods & 1u << BBANS_METHOD_MODEL) != 0 && model != NULL &&
        bbans_model_is_built(model)) {
        most = bbans_block_decode_bytes(model, reader->element, n);
        if (most == 0)
            return 0;
        bytes = most > bytes ? most : bytes;
    }
    if ((reader->methods & 1u << BBANS_METHOD_BYTES) != 0) {
        most = bbans_bytes_work_bytes(n * bbans_element_bytes(reader->element));
        bytes = most > bytes ? most : bytes;
    }
    if ((reader->methods & 1u << BBANS_METHOD_SIGNAL) != 0) {
        most = bbans_signal_decoder_bytes(n);
        if (most == 0)
            return 0;
        bytes = most > bytes ? most : bytes;
    }
    if ((reader->methods & 1u << BBANS_METHOD_GRID) != 0) {
        most =
            bbans_grid_decoder_bytes(bbans_element_integer(reader->element), n);
        if (most == 0)
            return 0;
        bytes = most > bytes ? most : bytes;
    }
    if ((reader->methods & 1u << BBANS_METHOD_FLOAT) != 0) {
        most = bbans_float_decoder_bytes(reader->element, n);
        if (most == 0)
            return 0;
        bytes = most > bytes ? most : bytes;
    }
    if (reader->need > SIZE_MAX)
        return 0;
    most = (size_t)reader->need;
    return most > bytes ? most : bytes;
}

/* From their order in files to the machine's. */
static void make_native(uint8_t *data, size_t n, size_t width)
{
    size_t i;

    if (bbans_element_is_native(width))
        return;
    for (i = 0; i < n * width; i += width)
        bbans_element_put(data + i, bbans_load(data + i, width), width);
}

static bbans_status decode_bytes(const bbans_block *block, size_t size,
                                 uint8_t *to, void *work, size_t work_bytes)
{
    size_t n;

    if (block->method == BBANS_METHOD_STORED) {
        if (block->n_bytes != size)
            return BBANS_ERR_CORRUPT;
        memcpy(to, block->bytes, size);
        return BBANS_OK;
    }
    if (block->method == BBANS_METHOD_MIXING) {
        if (bbans_mixing_size(block->bytes, block->n_bytes, &n) != BBANS_OK ||
            n != size)
            return BBANS_ERR_CORRUPT;
        return bbans_mixing_decompress(block->bytes, block->n_bytes, to, size,
                                       &n, work, work_bytes);
    }
    if (bbans_bytes_size(block->bytes, block->n_bytes, &n) != BBANS_OK ||
        n != size)
        return BBANS_ERR_CORRUPT;
    return bbans_bytes_decompress(block->bytes, block->n_bytes, to, size, &n,
                                  work, work_bytes);
}

bbans_status bbans_reader_decode(const bbans_reader *reader,
                                 const bbans_block *block,
                                 const bbans_model *model, void *work,
                                 size_t work_bytes, void *data, size_t cap)
{
    uint8_t *const to = (uint8_t *)data;
    bbans_status status;
    size_t width;

    if (reader == NULL || block == NULL || work == NULL ||
        block->bytes == NULL || data == NULL)
        return BBANS_ERR_NULL;
    if (cap < block->elements)
        return BBANS_ERR_CAPACITY;
    width = bbans_element_bytes(reader->element);
    if (!method_is_for(reader->element, block->method))
        return BBANS_ERR_CORRUPT;
    switch (block->method) {
    case BBANS_METHOD_MODEL:
        if (model != NULL && !bbans_model_is_built(model))
            return BBANS_ERR_STATE;
        if (model == NULL || !bbans_model_is_named(model, reader->fingerprint))
            return BBANS_ERR_WRONG_MODEL;
        return bbans_block_decode(model, reader->element, block, to, work,
                                  work_bytes);
    case BBANS_METHOD_SIGNAL:
        status = bbans_signal_decompress(
            bbans_element_integer(reader->element),
            reader->coder == BBANS_CODER_LINE ? reader->line : NULL,
            block->bytes, block->n_bytes, data, block->elements, work,
            work_bytes);
        break;
    case BBANS_METHOD_GRID:
        status = bbans_grid_decompress(bbans_element_integer(reader->element),
                                       block->bytes, block->n_bytes, data,
                                       block->elements, work, work_bytes);
        break;
    case BBANS_METHOD_FLOAT:
        return bbans_float_decompress(reader->element, block->bytes,
                                      block->n_bytes, data, block->elements,
                                      work, work_bytes);
    case BBANS_METHOD_PIECES:
        return bbans_pieces_decode(block->bytes, block->n_bytes, to,
                                   block->elements, work, work_bytes);
    case BBANS_METHOD_CODEC: return BBANS_ERR_WRONG_MODEL;
    default:
        status =
            decode_bytes(block, block->elements * width, to, work, work_bytes);
        if (status == BBANS_OK)
            make_native(to, block->elements, width);
        break;
    }
    if (status != BBANS_OK)
        return status;
    return bbans_elements_are_valid(reader->element, to, block->elements)
               ? BBANS_OK
               : BBANS_ERR_CORRUPT;
}

/* ---- The whole ----------------------------------------------------------- */

bbans_status bbans_container_check(bbans_reader *reader, const uint8_t *bytes,
                                   size_t n_bytes)
{
    size_t at, used;
    bbans_status status = bbans_reader_begin(reader, bytes, n_bytes, &at);

    while (status == BBANS_OK && (at < n_bytes || !reader->ended)) {
        bbans_block block;

        status =
            bbans_reader_next(reader, bytes + at, n_bytes - at, &block, &used);
        at += used;
    }
    return status;
}

/* The part's own header names no coder that is not there. */
static bbans_status check_coder(const bbans_reader *reader,
                                const bbans_model *model)
{
    if (model != NULL && !bbans_model_is_built(model))
        return BBANS_ERR_STATE;
    if (reader->coder == BBANS_CODER_NONE ||
        reader->coder == BBANS_CODER_LINE ||
        (reader->coder == BBANS_CODER_MODEL && model != NULL &&
         bbans_model_is_named(model, reader->fingerprint)))
        return BBANS_OK;
    return BBANS_ERR_WRONG_MODEL;
}

bbans_status bbans_decompress(const bbans_model *model, const uint8_t *bytes,
                              size_t n_bytes, void *work, size_t work_bytes,
                              void *data, size_t cap, size_t *n)
{
    uint8_t *const to = (uint8_t *)data;
    bbans_reader reader;
    bbans_status status;
    size_t at, width;

    if (n == NULL || (data == NULL && cap > 0))
        return BBANS_ERR_NULL;
    *n = 0;
    status = bbans_reader_begin(&reader, bytes, n_bytes, &at);
    if (status != BBANS_OK)
        return status;
    status = check_coder(&reader, model);
    width = bbans_element_bytes(reader.element);
    while (status == BBANS_OK && (at < n_bytes || !reader.ended)) {
        const size_t done = (size_t)reader.elements;
        bbans_block block;
        size_t used;

        status =
            bbans_reader_next(&reader, bytes + at, n_bytes - at, &block, &used);
        at += used;
        if (status != BBANS_OK)
            break;
        if (block.elements > 0) {
            status =
                bbans_reader_decode(&reader, &block, model, work, work_bytes,
                                    to + done * width, cap - done);
        } else if (!reader.ended) {
            status = bbans_element_bytes(reader.element) == width
                         ? check_coder(&reader, model)
                         : BBANS_ERR_TYPE; /* code points, or not */
        } else if (reader.element == BBANS_ELEMENT_UTF8) {
            const size_t before = (size_t)reader.own.before;
            size_t points;

            if (bbans_utf8_decode(to + before, done - before, NULL, 0,
                                  &points) != BBANS_OK)
                status = BBANS_ERR_CORRUPT;
        }
    }
    if (status == BBANS_OK)
        *n = (size_t)reader.elements;
    return status;
}

/* ---- Seeking ------------------------------------------------------------- */

typedef struct {
    size_t start, blocks, end; /* where they begin */
    uint64_t elements;
} part_place;

/* The elements of the block at bytes[at], 0 if there is none before `end`. */
static size_t block_elements(const uint8_t *bytes, uint64_t at, size_t end)
{
    bbans_cursor c = bbans_cursor_of(bytes + end, bytes + end);

    if (at < end)
        c.at = bytes + at;
    return (size_t)bbans_take_number(&c);
}

/* The part that ends at bytes[n_bytes]; reader: before its first block. */
static bbans_status find_part(bbans_reader *reader, const uint8_t *bytes,
                              size_t n_bytes, part_place *part)
{
    bbans_cursor c = bbans_cursor_of(bytes, bytes + n_bytes), e;
    const uint64_t n_part = bbans_take_reversed(&c);
    const size_t end = (size_t)(c.end - bytes);
    const uint64_t n_end = bbans_take_reversed(&c);
    const size_t end_end = (size_t)(c.end - bytes);
    end_record record;
    bbans_status status;
    size_t last;

    if (c.status != BBANS_OK || n_part > end || end - n_part > end_end ||
        n_end > end_end - (end - n_part))
        return BBANS_ERR_CORRUPT;
    part->start = end - (size_t)n_part;
    part->end = end_end - (size_t)n_end;
    memset(reader, 0, sizeof *reader);
    status = read_header(reader, bytes + part->start, part->end - part->start,
                         &part->blocks);
    if (status != BBANS_OK)
        return status == BBANS_ERR_VERSION ? status : BBANS_ERR_CORRUPT;
    part->blocks += part->start;
    e = bbans_cursor_of(bytes + part->end, bytes + end_end);
    if (take_end(&e, reader->element, UINT64_MAX, UINT64_MAX, &record) !=
            BBANS_OK ||
        e.at != e.end)
        return BBANS_ERR_CORRUPT;
    part->elements = 0;
    if (record.blocks > 0) {
        reader->block = block_elements(bytes, part->blocks, part->end);
        last = block_elements(bytes, part->blocks + record.before, part->end);
        if (last < 1 || last > reader->block || reader->block > BBANS_BLOCK_MAX)
            return BBANS_ERR_CORRUPT;
        part->elements = (record.blocks - 1) * reader->block + last;
    }
    if (reader->element >= BBANS_ELEMENT_UINT8 &&
        (bbans_shape_elements(record.shape, record.axes,
                              bbans_element_bytes(reader->element)) !=
             part->elements ||
         !bbans_axis_is_valid(record.shape, record.axes, reader->axis,
                              reader->block)))
        return BBANS_ERR_CORRUPT;
    return BBANS_OK;
}

bbans_status bbans_container_find(bbans_reader *reader, const uint8_t *bytes,
                                  size_t n_bytes, uint64_t element,
                                  size_t *offset)
{
    uint64_t before = 0, block;
    size_t end = n_bytes;
    bbans_status status;
    end_record record;
    bbans_cursor c;
    part_place part;

    if (reader == NULL || offset == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    *offset = 0;
    status = bbans_check_start(bytes, n_bytes, bbans_container_magic,
                               CONTAINER_VERSION);
    if (status == BBANS_OK && n_bytes < START_BYTES)
        status = BBANS_ERR_TRUNCATED;
    for (; status == BBANS_OK && end > 0; end = part.start) {
        status = find_part(reader, bytes, end, &part);
        before += part.elements;
    }
    if (status != BBANS_OK)
        return status;
    reader->elements = before;
    if (element >= before)
        return BBANS_ERR_SIZE;
    for (end = n_bytes; element < before; end = part.start) { /* and again */
        (void)find_part(reader, bytes, end, &part);
        before -= part.elements;
    }
    block = (element - before) / reader->block;
    c = bbans_cursor_of(bytes + part.end, bytes + n_bytes);
    (void)take_end(&c, reader->element, block, UINT64_MAX, &record);
    if (record.before >= part.end - part.blocks)
        return BBANS_ERR_CORRUPT;
    *offset = part.blocks + (size_t)record.before;
    reader->blocks = block;
    reader->elements = before + block * reader->block;
    reader->own.before = before;
    reader->own.bytes = *offset - part.start;
    reader->own.last_bytes = (size_t)record.last;
    reader->own.index_crc = record.crc;
    return BBANS_OK;
}
