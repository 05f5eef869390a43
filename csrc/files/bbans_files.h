/* Private to files/: how files begin, how their records are checked, elements
 * of containers, and what their blocks are coded with.  docs/format.md.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FILES_H
#define BBANS_FILES_H

#include "../bbans_internal.h"

/* ---- Framing ------------------------------------------------------------- */

#define START_BYTES 5 /* magic and version */
#define CHECKSUM_BYTES 4

/* Bytes that are read to an end.  After an error all that is read is 0. */
typedef struct {
    const uint8_t *at, *end;
    bbans_status status; /* BBANS_ERR_{TRUNCATED,CORRUPT} */
} bbans_cursor;

static inline bbans_cursor bbans_cursor_of(const uint8_t *at,
                                           const uint8_t *end)
{
    bbans_cursor c;

    c.at = at;
    c.end = end;
    c.status = BBANS_OK;
    return c;
}

static inline uint64_t bbans_take(bbans_cursor *c, size_t n_bytes)
{
    uint64_t value;

    if (c->status == BBANS_OK && (size_t)(c->end - c->at) < n_bytes)
        c->status = BBANS_ERR_TRUNCATED;
    if (c->status != BBANS_OK)
        return 0;
    value = bbans_load(c->at, n_bytes);
    c->at += n_bytes;
    return value;
}

static inline uint64_t bbans_take_number(bbans_cursor *c) /* a uvarint */
{
    uint64_t value = 0;
    size_t used = 0;

    if (c->status == BBANS_OK)
        c->status =
            bbans_take_uvarint(c->at, (size_t)(c->end - c->at), &used, &value);
    c->at += used;
    return c->status == BBANS_OK ? value : 0;
}

/* Do the CHECKSUM_BYTES behind these bytes match them? */
int bbans_checksum_matches(const uint8_t *bytes, size_t n_bytes);

/* A record's checksum holds its place, so that no two can change theirs. */
uint32_t bbans_record_crc(uint64_t place, const uint8_t *bytes, size_t n_bytes);

/* A uvarint whose bytes stand in reverse order: put it; take the one that ends
 * at c->end, which moves to its front. */
uint8_t *bbans_put_reversed(uint8_t *to, uint64_t value);
uint64_t bbans_take_reversed(bbans_cursor *c);

static const uint8_t bbans_container_magic[4] = {0x89, 'b', 'b', 'z'};

enum { CONTAINER_VERSION = 3 };

static const uint8_t bbans_model_magic[4] = {0x89, 'b', 'b', 'm'};

enum { MODEL_VERSION = 3 };

/* Of a container's header: how an element's unit and a coder are written. */
#define UNIT_BYTES 5 /* the unit and its multiplier */
#define FINGERPRINT_BYTES 8
#define LINE_BYTES 16 /* in the place of a fingerprint */
#define AXIS_SHIFT 2  /* beside the coder */

/* ---- Networks ------------------------------------------------------------ */

/* A network within a file: docs/format.md, "Network file".  Take it from the
 * cursor: its bytes are checked to be there, and what it says of their number
 * to be right, but not yet to be a network; *memory_bytes, a multiple of 8, are
 * needed to read it. */
const uint8_t *bbans_take_network(bbans_cursor *c, uint64_t *memory_bytes);

/* Read it.  The network refers to `memory`, aligned to 8, and to the bytes.
 * Returns ERR_CORRUPT, if bbans_network_init refuses it. */
bbans_status bbans_read_network(bbans_network *network, const uint8_t *bytes,
                                void *memory);

#ifndef BBANS_DECODER_ONLY
/* The bytes it takes in a file, and put it there; returns where they end. */
uint64_t bbans_network_bytes(const bbans_network *network);
uint8_t *bbans_put_network(uint8_t *to, const bbans_network *network);
#endif /* BBANS_DECODER_ONLY */

/* ---- Context mixers ------------------------------------------------------ */

#define BBANS_MIXER_HEADER 40 /* bytes, with those that all models have */

/* What the numbers of a file say. */
typedef struct {
    unsigned prior_bits, row_bits, match_bits, history_bits, rate;
    int end;
    size_t rows, row_bytes;
} bbans_mixer_file;

/* Read them.  Returns ERR_CORRUPT for some that are out of range, if not only
 * bbans_context_mixer_init refuses them. */
bbans_status bbans_mixer_file_read(const uint8_t *bytes, int ends,
                                   bbans_mixer_file *f);

/* Bytes of such a file without its checksum, and of memory to build it. */
uint64_t bbans_mixer_file_bytes(const bbans_mixer_file *f);
uint64_t bbans_mixer_file_memory(const bbans_mixer_file *f);

/* The model of such a file, of which all bytes are there.  Returns ERR_CORRUPT.
 */
bbans_status bbans_mixer_file_build(bbans_context_mixer *model,
                                    const uint8_t *bytes,
                                    const bbans_mixer_file *f, void *memory);

#ifndef BBANS_DECODER_ONLY
/* What follows the codes that all models have: its bytes, 0 if too few rows are
 * there; and put it there. */
size_t bbans_mixer_bytes_in_file(const bbans_context_mixer *model);
void bbans_put_mixer(uint8_t *to, const bbans_context_mixer *model);

/* Pack a file that has been parsed, as bbans_model_pack does. */
bbans_status bbans_mixer_pack(const uint8_t *plain, size_t n, uint8_t *packed,
                              size_t cap, size_t *n_packed);
#endif /* BBANS_DECODER_ONLY */

/* Unpack a file that begins as one does, as bbans_model_unpack does. */
bbans_status bbans_mixer_unpack(const uint8_t *packed, size_t n, uint8_t *plain,
                                size_t cap, size_t *n_plain);

/* ---- Elements ------------------------------------------------------------ */

/* Elements are the machine's own integers, of any alignment. */
uint64_t bbans_element_get(const uint8_t *from, size_t width);
void bbans_element_put(uint8_t *to, uint64_t bits, size_t width);

int bbans_element_is_signed(int element);

/* Has it a unit?  And is this one?  Such as have none have 0 of 0. */
int bbans_element_has_unit(int element);
int bbans_unit_is_valid(int element, int unit, uint64_t multiplier);

int bbans_element_is_float(int element);

/* The integers that such elements of arrays are; of floats, their bits. */
int bbans_element_integer(int element);

/* Two's complement of `width` bytes to that of 8. */
uint64_t bbans_element_extend(uint64_t bits, size_t width);

/* Is the value one of the element's type? */
int bbans_element_fits(int element, int64_t value);

/* Are all of a type's bits elements: of characters and BOOL not all are. */
int bbans_elements_are_valid(int element, const uint8_t *data, size_t n);

/* Is the machine's order of bytes that of files? */
int bbans_element_is_native(size_t width);

/* How many elements of this width an array of this shape has. */
#define BBANS_NO_SHAPE UINT64_MAX /* there is no such array */
uint64_t bbans_shape_elements(const uint64_t *shape, size_t axes, size_t width);

/* Can the first axis of this array, in blocks of `block`, be axis `axis` of
 * another?  Then blocks are whole steps. */
int bbans_axis_is_valid(const uint64_t *shape, size_t axes, unsigned axis,
                        size_t block);

/* ---- Blocks -------------------------------------------------------------- */

/* A block of n elements under a model.  Workspaces as of the container's
 * functions; 0 if they exceed SIZE_MAX. */
typedef struct {
    uint64_t head;
    bbans_message msg;
} bbans_block_message;

int bbans_model_is_built(const bbans_model *model);

/* Is this its fingerprint? */
int bbans_model_is_named(const bbans_model *model, const uint8_t name[8]);

/* A block in pieces: whether it is one of n bytes, and the workspace (aligned
 * to 8) to decode it.  ERR_VERSION: a piece is a table; ERR_CORRUPT. */
bbans_status bbans_pieces_check(const uint8_t *bytes, size_t n_bytes, size_t n,
                                uint64_t *work_bytes);
bbans_status bbans_pieces_decode(const uint8_t *bytes, size_t n_bytes,
                                 uint8_t *to, size_t n, void *work,
                                 size_t work_bytes);

#ifndef BBANS_DECODER_ONLY
int bbans_model_takes(const bbans_model *model, int element);
size_t bbans_block_encode_bytes(const bbans_model *model, size_t n,
                                size_t kept);
bbans_status bbans_block_encode(const bbans_model *model, int element,
                                const uint8_t *data, size_t n, void *work,
                                size_t work_bytes, bbans_block_message *m);
#endif /* BBANS_DECODER_ONLY */

size_t bbans_block_decode_bytes(const bbans_model *model, int element,
                                size_t n);
bbans_status bbans_block_decode(const bbans_model *model, int element,
                                const bbans_block *block, uint8_t *to,
                                void *work, size_t work_bytes);

#endif
