/* The packed form of context mixers: docs/format.md, "The packed form".
 *
 * What the parts of all rows have in common goes to a plane of its own, and the
 * byte coder compresses each plane.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_files.h"

#define WEIGHTS (BBANS_MIXER_SETS * BBANS_MIXER_INPUTS)
#define MATCH_BYTES (2 * BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS)
#define FIXED_BYTES (BBANS_MIXER_HEADER + 2 * WEIGHTS + MATCH_BYTES)
#define HEADER_BYTES (BBANS_MIXER_HEADER + 4) /* of a packed file */
#define GAP_BYTES 4 /* of a place below 2^22, at most */

enum { ENDS = 11, FORM = 10 };

/* Planes in the order of the file. */
enum {
    WEIGHT_HIGH,
    WEIGHT_LOW,
    MATCH,
    GAP,
    CHECK_HIGH,
    CHECK_LOW,
    MASK,
    SLOT_HIGH,
    SLOT_LOW,
    PLANES
};

/* A mixer's file in either form. */
typedef struct {
    bbans_mixer_file numbers;
    size_t gap_bytes, slots; /* of all rows */
    size_t size[PLANES];
    uint8_t *plane[PLANES], *at[PLANES]; /* where it is read or written */
} file;

static unsigned ones_of(unsigned mask)
{
    unsigned n = 0;

    for (; mask != 0; mask &= mask - 1)
        n++;
    return n;
}

/* Sizes of the planes.  Returns those of all, 0: one is too large. */
static size_t size_planes(file *f)
{
    const size_t rows = f->numbers.rows;
    size_t k, sum = 0;

    f->size[WEIGHT_HIGH] = f->size[WEIGHT_LOW] = WEIGHTS;
    f->size[MATCH] = MATCH_BYTES;
    f->size[GAP] = f->gap_bytes;
    f->size[CHECK_HIGH] = f->size[CHECK_LOW] = rows;
    f->size[MASK] = 2 * rows;
    f->size[SLOT_HIGH] = f->size[SLOT_LOW] = f->slots;
    for (k = 0; k < PLANES; k++) {
        if (f->size[k] > BBANS_BYTES_MAX)
            return 0;
        sum += f->size[k];
    }
    return sum;
}

static size_t largest_plane(const file *f)
{
    size_t k, most = 0;

    for (k = 0; k < PLANES; k++)
        if (f->size[k] > most)
            most = f->size[k];
    return most;
}

static void place_planes(file *f, uint8_t *memory)
{
    size_t k;

    for (k = 0; k < PLANES; k++) {
        f->plane[k] = f->at[k] = memory;
        memory += f->size[k];
    }
}

/* Bits of a check that the row's place repeats: hashes have the check in their
 * high half, and the place in their low bits. */
static uint32_t repeated(uint64_t place)
{
    return (uint32_t)(place >> 16) & 0xFFFF;
}

static int has_left(const file *f, int k, size_t n)
{
    return (size_t)(f->plane[k] + f->size[k] - f->at[k]) >= n;
}

static int are_read(const file *f)
{
    int k;

    for (k = 0; k < PLANES; k++)
        if (has_left(f, k, 1))
            return 0;
    return 1;
}

/* ---- Unpacking -------------------------------------------------------------
 */

/* The gap at *to, which moves behind it; UINT64_MAX: there is none. */
static uint64_t join_gap(file *f, uint8_t **to)
{
    uint64_t gap = 0;
    unsigned i;

    for (i = 0; i < GAP_BYTES && has_left(f, GAP, 1); i++) {
        const uint8_t byte = *f->at[GAP]++;

        *(*to)++ = byte;
        gap |= (uint64_t)(byte & 0x7F) << 7 * i;
        if (byte < 0x80)
            return gap;
    }
    return UINT64_MAX;
}

/* All planes together have as many bytes as all rows. */
static int join_rows(file *f, uint8_t *to)
{
    uint64_t next = 0;
    size_t i;

    for (i = 0; i < f->numbers.rows; i++) {
        const uint64_t gap = join_gap(f, &to);
        uint32_t check, mask;
        unsigned n;

        if (gap == UINT64_MAX)
            return 0;
        next += gap + 1;
        check = (uint32_t)*f->at[CHECK_HIGH]++ << 8;
        check |= *f->at[CHECK_LOW]++;
        bbans_store_le16(to, check ^ repeated(next - 1));
        mask = bbans_load_le16(f->at[MASK]);
        f->at[MASK] += 2;
        bbans_store_le16(to + 2, mask);
        to += 4;
        n = ones_of(mask);
        if (!has_left(f, SLOT_HIGH, n))
            return 0;
        for (; n > 0; n--, to += 2) {
            to[0] = *f->at[SLOT_LOW]++;
            to[1] = *f->at[SLOT_HIGH]++;
        }
    }
    return are_read(f);
}

static void join_weights(file *f, uint8_t *to)
{
    size_t i, k;

    for (i = 0; i < BBANS_MIXER_INPUTS; i++)
        for (k = 0; k < BBANS_MIXER_SETS; k++) {
            uint8_t *weight = to + 2 * (BBANS_MIXER_INPUTS * k + i);

            weight[0] = *f->at[WEIGHT_LOW]++;
            weight[1] = *f->at[WEIGHT_HIGH]++;
        }
    memcpy(to + 2 * WEIGHTS, f->at[MATCH], MATCH_BYTES);
    f->at[MATCH] += MATCH_BYTES;
}

/* The blocks of the planes, which are all up to `end`. */
static bbans_status read_planes(file *f, const uint8_t *from,
                                const uint8_t *end, void *work,
                                size_t work_bytes)
{
    bbans_cursor c = bbans_cursor_of(from, end);
    int k;

    for (k = 0; k < PLANES; k++) {
        const size_t n_bytes = (size_t)bbans_take(&c, 4);
        size_t n;

        if (c.status != BBANS_OK || n_bytes > (size_t)(end - c.at))
            return BBANS_ERR_CORRUPT;
        if (bbans_bytes_size(c.at, n_bytes, &n) != BBANS_OK ||
            n != f->size[k] ||
            bbans_bytes_decompress(c.at, n_bytes, f->plane[k], n, &n, work,
                                   work_bytes) != BBANS_OK)
            return BBANS_ERR_CORRUPT;
        c.at += n_bytes;
    }
    return c.at == end ? BBANS_OK : BBANS_ERR_CORRUPT;
}

/* The numbers of a packed file, and sizes that they earn by its bytes. */
static bbans_status read_numbers(file *f, const uint8_t *packed, size_t n)
{
    bbans_status status;
    uint64_t others;

    if (packed[ENDS] > 1)
        return BBANS_ERR_VERSION;
    if (n < HEADER_BYTES + CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    status = bbans_mixer_file_read(packed, packed[ENDS], &f->numbers);
    if (status != BBANS_OK)
        return status;
    f->slots = bbans_load_le32(packed + BBANS_MIXER_HEADER);
    others = 4 * (uint64_t)f->numbers.rows + 2 * (uint64_t)f->slots;
    if (f->numbers.rows > n || f->numbers.row_bytes < others)
        return BBANS_ERR_CORRUPT;
    f->gap_bytes = f->numbers.row_bytes - (size_t)others;
    if (f->gap_bytes > GAP_BYTES * f->numbers.rows ||
        f->slots > (BBANS_MIXER_SLOTS - 1) * f->numbers.rows)
        return BBANS_ERR_CORRUPT;
    return BBANS_OK;
}

bbans_status bbans_mixer_unpack(const uint8_t *packed, size_t n, uint8_t *plain,
                                size_t cap, size_t *n_plain)
{
    bbans_status status;
    size_t planes, bytes, work_bytes;
    file f;

    memset(&f, 0, sizeof f);
    status = read_numbers(&f, packed, n);
    if (status != BBANS_OK)
        return status;
    planes = size_planes(&f);
    if (planes == 0)
        return BBANS_ERR_CORRUPT;
    bytes = (size_t)bbans_mixer_file_bytes(&f.numbers) + CHECKSUM_BYTES;
    work_bytes = bbans_bytes_work_bytes(largest_plane(&f));
    if (cap < bytes + planes + work_bytes) {
        *n_plain = bytes + planes + work_bytes;
        return BBANS_ERR_CAPACITY;
    }
    place_planes(&f, plain + bytes);
    status = read_planes(&f, packed + HEADER_BYTES, packed + n - CHECKSUM_BYTES,
                         plain + bytes + planes, work_bytes);
    if (status != BBANS_OK)
        return status;
    memcpy(plain, packed, BBANS_MIXER_HEADER);
    plain[FORM] = 0;
    join_weights(&f, plain + BBANS_MIXER_HEADER);
    if (!join_rows(&f, plain + FIXED_BYTES))
        return BBANS_ERR_CORRUPT;
    memcpy(plain + bytes - CHECKSUM_BYTES, packed + n - CHECKSUM_BYTES,
           CHECKSUM_BYTES);
    if (!bbans_checksum_matches(plain, bytes - CHECKSUM_BYTES))
        return BBANS_ERR_CORRUPT;
    *n_plain = bytes;
    return BBANS_OK;
}

/* ---- Packing ---------------------------------------------------------------
 */

#ifndef BBANS_DECODER_ONLY
/* Of the rows of a plain file: bytes of their gaps, and slots. */
static int measure_rows(file *f, const uint8_t *rows)
{
    bbans_cursor c = bbans_cursor_of(rows, rows + f->numbers.row_bytes);
    size_t i;

    for (i = 0; i < f->numbers.rows; i++) {
        unsigned slots;

        (void)bbans_take_number(&c);
        (void)bbans_take(&c, 2);
        slots = ones_of((unsigned)bbans_take(&c, 2));
        if (c.status != BBANS_OK || (size_t)(c.end - c.at) < 2 * slots)
            return 0;
        c.at += 2 * slots;
        f->slots += slots;
    }
    f->gap_bytes =
        f->numbers.row_bytes - 4 * f->numbers.rows - 2 * f->slots;
    return c.at == c.end;
}

static void split_rows(file *f, const uint8_t *from)
{
    uint64_t next = 0;
    size_t i;

    for (i = 0; i < f->numbers.rows; i++) {
        uint64_t gap = 0;
        uint32_t check;
        unsigned shift = 0, n;

        do {
            gap |= (uint64_t)(*from & 0x7F) << shift;
            shift += 7;
            *f->at[GAP]++ = *from;
        } while (*from++ >= 0x80);
        next += gap + 1;
        check = bbans_load_le16(from) ^ repeated(next - 1);
        *f->at[CHECK_HIGH]++ = (uint8_t)(check >> 8);
        *f->at[CHECK_LOW]++ = (uint8_t)check;
        n = ones_of(bbans_load_le16(from + 2));
        memcpy(f->at[MASK], from + 2, 2);
        f->at[MASK] += 2;
        for (from += 4; n > 0; n--, from += 2) {
            *f->at[SLOT_LOW]++ = from[0];
            *f->at[SLOT_HIGH]++ = from[1];
        }
    }
}

static void split_weights(file *f, const uint8_t *from)
{
    size_t i, k;

    for (i = 0; i < BBANS_MIXER_INPUTS; i++)
        for (k = 0; k < BBANS_MIXER_SETS; k++) {
            const uint8_t *weight = from + 2 * (BBANS_MIXER_INPUTS * k + i);

            *f->at[WEIGHT_LOW]++ = weight[0];
            *f->at[WEIGHT_HIGH]++ = weight[1];
        }
    memcpy(f->at[MATCH], from + 2 * WEIGHTS, MATCH_BYTES);
}

/* Returns the bytes written: there is room. */
static size_t write_planes(const file *f, uint8_t *to, void *work,
                           size_t work_bytes)
{
    size_t at = 0;
    int k;

    for (k = 0; k < PLANES; k++) {
        size_t n = 0;

        (void)bbans_bytes_compress(f->plane[k], f->size[k], 1, to + at + 4,
                                   bbans_bytes_bound(f->size[k]), &n, work,
                                   work_bytes);
        bbans_store(to + at, n, 4);
        at += 4 + n;
    }
    return at;
}

bbans_status bbans_mixer_pack(const uint8_t *plain, size_t n, uint8_t *packed,
                              size_t cap, size_t *n_packed)
{
    size_t planes, most, bytes, work_bytes;
    file f;

    memset(&f, 0, sizeof f);
    (void)bbans_mixer_file_read(plain, plain[ENDS], &f.numbers);
    if (!measure_rows(&f, plain + FIXED_BYTES))
        return BBANS_ERR_CORRUPT;
    planes = size_planes(&f);
    if (planes == 0)
        return BBANS_ERR_SIZE;
    most = HEADER_BYTES + planes + PLANES * (bbans_bytes_bound(0) + 4) +
           CHECKSUM_BYTES;
    work_bytes = bbans_bytes_work_bytes(largest_plane(&f));
    if (cap < most + planes + work_bytes) {
        *n_packed = most + planes + work_bytes;
        return BBANS_ERR_CAPACITY;
    }
    place_planes(&f, packed + most);
    split_weights(&f, plain + BBANS_MIXER_HEADER);
    split_rows(&f, plain + FIXED_BYTES);
    place_planes(&f, packed + most);
    bytes = HEADER_BYTES + CHECKSUM_BYTES +
            write_planes(&f, packed + HEADER_BYTES, packed + most + planes,
                         work_bytes);
    if (bytes >= n || f.numbers.rows > bytes)
        return BBANS_ERR_SIZE;
    memcpy(packed, plain, BBANS_MIXER_HEADER);
    packed[FORM] = 1;
    bbans_store(packed + BBANS_MIXER_HEADER, f.slots, 4);
    memcpy(packed + bytes - CHECKSUM_BYTES, plain + n - CHECKSUM_BYTES,
           CHECKSUM_BYTES);
    *n_packed = bytes;
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */
