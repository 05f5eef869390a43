/* The packed form of context mixers: docs/format.md, "The packed form".
 *
 * What rows hold is sorted into planes, by what is known of it before: slots'
 * classes by the class that the slot above lets expect, their probabilities by
 * their classes.  The byte coder compresses each plane.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_files.h"

#define WEIGHTS (BBANS_MIXER_SETS * BBANS_MIXER_INPUTS)
#define MATCH_BYTES (2 * BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS)
#define FIXED_BYTES (BBANS_MIXER_HEADER + 2 * WEIGHTS + MATCH_BYTES)
#define SLOTS BBANS_MIXER_SLOTS
#define GAP_BYTES 4 /* of a place below 2^22, at most */
#define CLASSES 16
#define P_BITS 12
#define P_BYTES 2 /* of a probability: its high 8 bits, its low 4 */

enum { FORM = 10, ENDS = 11 };

/* Planes in the order of the file. */
enum {
    WEIGHT_HIGH,
    WEIGHT_LOW,
    MATCH,
    GAP,
    CHECK_HIGH,
    CHECK_LOW,
    EXPECTED,                  /* by the class expected: 0, or 1 + the class */
    ROOT = EXPECTED + CLASSES, /* the same of the first nodes */
    P,                         /* by class */
    PLANES = P + CLASSES
};

typedef struct {
    bbans_mixer_file numbers;
    size_t size[PLANES];
    uint8_t *plane[PLANES], *at[PLANES]; /* where it is read or written */
} file;

/* Bytes of all planes. */
static size_t sum_of(const file *f)
{
    size_t k, sum = 0;

    for (k = 0; k < PLANES; k++)
        sum += f->size[k];
    return sum;
}

static size_t largest_of(const file *f)
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

/* How often slots of a class were seen, about, and the class of a number. */
static const uint8_t seen_of[CLASSES] = {0, 1, 2,  3,  4,  5,  6,  7,
                                         8, 9, 10, 11, 12, 20, 60, 200};

static unsigned class_of(unsigned seen)
{
    return seen <= 12 ? seen : seen < 32 ? 13 : seen < 128 ? 14 : 15;
}

/* The plane of the class of node k, whose parent's slot is given. */
static unsigned plane_of(const uint16_t *row, unsigned k)
{
    const uint16_t above = row[k / 2];
    const unsigned one = above >> 4, p = k & 1 ? one : (1u << P_BITS) - 1 - one;

    if (k == 1)
        return ROOT;
    return EXPECTED +
           class_of((seen_of[above & 15] * p + (1u << (P_BITS - 1))) >> P_BITS);
}

/* Slots lie below others. */
static int has_parent(const uint16_t *row, unsigned k)
{
    return k == 1 || row[k / 2] != BBANS_MIX_NEW;
}

/* ---- Unpacking -------------------------------------------------------------
 */

static int has_left(const file *f, unsigned k, size_t n)
{
    return (size_t)(f->plane[k] + f->size[k] - f->at[k]) >= n;
}

static int are_read(const file *f)
{
    unsigned k;

    for (k = GAP; k < PLANES; k++)
        if (has_left(f, k, 1))
            return 0;
    return 1;
}

/* The gap at *to, which moves behind it. */
static int join_gap(file *f, uint8_t **to)
{
    unsigned i;

    for (i = 0; i < GAP_BYTES && has_left(f, GAP, 1); i++) {
        const uint8_t byte = *f->at[GAP]++;

        *(*to)++ = byte;
        if (byte < 0x80)
            return 1;
    }
    return 0;
}

/* Slot k, if it is one, of which the parent is.  Returns 0 for what no writer
 * writes. */
static int join_slot(file *f, uint16_t *row, unsigned k)
{
    const unsigned plane = plane_of(row, k);
    const uint8_t *p;
    unsigned class;

    row[k] = BBANS_MIX_NEW;
    if (!has_left(f, plane, 1))
        return 0;
    class = *f->at[plane]++;
    if (class == 0)
        return 1;
    if (class -- > CLASSES || !has_left(f, P + class, P_BYTES))
        return 0;
    p = f->at[P + class];
    f->at[P + class] += P_BYTES;
    row[k] = (uint16_t)((unsigned)p[0] << 8 | (p[1] & 15u) << 4 | class);
    return p[1] < 16 && row[k] != BBANS_MIX_NEW;
}

/* A row of which slots are in the planes of P as they are here: all rows
 * together have as many bytes as the file says. */
static int join_row(file *f, uint8_t **to)
{
    uint16_t row[SLOTS];
    uint32_t mask = 0;
    uint8_t *at;
    unsigned k;

    if (!join_gap(f, to))
        return 0;
    at = *to;
    at[0] = *f->at[CHECK_LOW]++;
    at[1] = *f->at[CHECK_HIGH]++;
    row[0] = 0;
    for (k = 1; k < SLOTS; k++) {
        row[k] = BBANS_MIX_NEW;
        if (has_parent(row, k) && !join_slot(f, row, k))
            return 0;
        mask |= (uint32_t)(row[k] != BBANS_MIX_NEW) << k;
    }
    bbans_store_le16(at + 2, mask);
    at += 4;
    for (k = 1; k < SLOTS; k++)
        if (mask >> k & 1) {
            bbans_store_le16(at, row[k]);
            at += 2;
        }
    *to = at;
    return 1;
}

static int join_rows(file *f, uint8_t *to)
{
    size_t i;

    for (i = 0; i < f->numbers.rows; i++)
        if (!join_row(f, &to))
            return 0;
    return are_read(f);
}

static void join_weights(const file *f, uint8_t *to)
{
    size_t i;

    for (i = 0; i < WEIGHTS; i++) {
        to[2 * i] = f->plane[WEIGHT_LOW][i];
        to[2 * i + 1] = f->plane[WEIGHT_HIGH][i];
    }
    memcpy(to + 2 * WEIGHTS, f->plane[MATCH], MATCH_BYTES);
}

/* Whether planes of these sizes make the rows that the header says. */
static int sizes_are_valid(const file *f)
{
    const uint64_t rows = f->numbers.rows;
    uint64_t classes = 0, slots = 0;
    unsigned k;

    for (k = EXPECTED; k <= ROOT; k++)
        classes += f->size[k];
    for (k = P; k < PLANES; k++)
        slots += f->size[k] / P_BYTES;
    return f->size[WEIGHT_HIGH] == WEIGHTS && f->size[WEIGHT_LOW] == WEIGHTS &&
           f->size[MATCH] == MATCH_BYTES && f->size[GAP] <= GAP_BYTES * rows &&
           f->size[CHECK_HIGH] == rows && f->size[CHECK_LOW] == rows &&
           classes <= (SLOTS - 1) * rows && slots <= classes &&
           f->size[GAP] + 4 * rows + 2 * slots == f->numbers.row_bytes;
}

/* The blocks of planes, with work = NULL their sizes alone. */
static bbans_status read_planes(file *f, const uint8_t *from,
                                const uint8_t *end, void *work,
                                size_t work_bytes)
{
    bbans_cursor c = bbans_cursor_of(from, end);
    unsigned k;

    for (k = 0; k < PLANES; k++) {
        const uint64_t n_bytes = bbans_take_number(&c);
        bbans_status status;
        size_t n;

        if (c.status != BBANS_OK || n_bytes > (size_t)(end - c.at))
            return BBANS_ERR_CORRUPT;
        status =
            work == NULL
                ? bbans_bytes_size(c.at, (size_t)n_bytes, f->size + k)
                : bbans_bytes_decompress(c.at, (size_t)n_bytes, f->plane[k],
                                         f->size[k], &n, work, work_bytes);
        if (status != BBANS_OK)
            return BBANS_ERR_CORRUPT;
        c.at += n_bytes;
    }
    return c.at == end && sizes_are_valid(f) ? BBANS_OK : BBANS_ERR_CORRUPT;
}

/* A row has a byte of the packed file at least: so that it earns its memory. */
bbans_status bbans_mixer_unpack(const uint8_t *packed, size_t n, uint8_t *plain,
                                size_t cap, size_t *n_plain)
{
    const uint8_t *const from = packed + BBANS_MIXER_HEADER;
    size_t planes, bytes, work_bytes;
    bbans_status status;
    file f;

    if (packed[ENDS] > 1)
        return BBANS_ERR_VERSION;
    if (n < BBANS_MIXER_HEADER + CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    status = bbans_mixer_file_read(packed, packed[ENDS], &f.numbers);
    if (status == BBANS_OK && f.numbers.rows > n)
        status = BBANS_ERR_CORRUPT;
    if (status == BBANS_OK)
        status = read_planes(&f, from, packed + n - CHECKSUM_BYTES, NULL, 0);
    if (status != BBANS_OK)
        return status;
    bytes = (size_t)bbans_mixer_file_bytes(&f.numbers);
    planes = sum_of(&f);
    work_bytes = bbans_bytes_work_bytes(largest_of(&f));
    if (cap < bytes + CHECKSUM_BYTES + planes + work_bytes) {
        *n_plain = bytes + CHECKSUM_BYTES + planes + work_bytes;
        return BBANS_ERR_CAPACITY;
    }
    place_planes(&f, plain + bytes + CHECKSUM_BYTES);
    status = read_planes(&f, from, packed + n - CHECKSUM_BYTES,
                         plain + bytes + CHECKSUM_BYTES + planes, work_bytes);
    if (status != BBANS_OK)
        return status;
    memcpy(plain, packed, BBANS_MIXER_HEADER);
    plain[FORM] = 0;
    join_weights(&f, plain + BBANS_MIXER_HEADER);
    if (!join_rows(&f, plain + FIXED_BYTES))
        return BBANS_ERR_CORRUPT;
    memcpy(plain + bytes, packed + n - CHECKSUM_BYTES, CHECKSUM_BYTES);
    if (!bbans_checksum_matches(plain, bytes))
        return BBANS_ERR_CORRUPT;
    *n_plain = bytes + CHECKSUM_BYTES;
    return BBANS_OK;
}

/* ---- Packing ---------------------------------------------------------------
 */

#ifndef BBANS_DECODER_ONLY
/* A byte to a plane; those that have no place yet are counted. */
static void put(file *f, unsigned k, unsigned byte)
{
    if (f->plane[k] == NULL)
        f->size[k]++;
    else
        *f->at[k]++ = (uint8_t)byte;
}

static void split_slot(file *f, const uint16_t *row, unsigned k)
{
    const unsigned class = row[k] & 15u;

    if (row[k] == BBANS_MIX_NEW) {
        put(f, plane_of(row, k), 0);
        return;
    }
    put(f, plane_of(row, k), class + 1);
    put(f, P + class, row[k] >> 8);
    put(f, P + class, row[k] >> 4 & 15u);
}

/* Returns 0 for a row that is none, or has a slot without a parent. */
static int split_row(file *f, bbans_cursor *c)
{
    const uint8_t *gap = c->at;
    uint16_t row[SLOTS];
    uint64_t check;
    unsigned k, mask;

    (void)bbans_take_number(c);
    for (; gap < c->at; gap++)
        put(f, GAP, *gap);
    check = bbans_take(c, 2);
    put(f, CHECK_HIGH, (unsigned)(check >> 8));
    put(f, CHECK_LOW, check & 255);
    mask = (unsigned)bbans_take(c, 2);
    for (k = 1; k < SLOTS; k++)
        row[k] = (uint16_t)(mask >> k & 1 ? bbans_take(c, 2) : BBANS_MIX_NEW);
    for (k = 1; k < SLOTS; k++)
        if (has_parent(row, k))
            split_slot(f, row, k);
        else if (row[k] != BBANS_MIX_NEW)
            return 0;
    return c->status == BBANS_OK;
}

static int split_rows(file *f, const uint8_t *from)
{
    bbans_cursor c = bbans_cursor_of(from, from + f->numbers.row_bytes);
    size_t i;

    for (i = 0; i < f->numbers.rows; i++)
        if (!split_row(f, &c))
            return 0;
    return c.at == c.end;
}

static void split_weights(file *f, const uint8_t *from)
{
    size_t i;

    for (i = 0; i < WEIGHTS; i++) {
        f->plane[WEIGHT_LOW][i] = from[2 * i];
        f->plane[WEIGHT_HIGH][i] = from[2 * i + 1];
    }
    memcpy(f->plane[MATCH], from + 2 * WEIGHTS, MATCH_BYTES);
}

/* Bytes that the planes never take together. */
static size_t planes_bound(const file *f)
{
    return sum_of(f) + PLANES * (bbans_bytes_bound(0) + BBANS_UVARINT_BYTES);
}

/* Returns the bytes written: there is room. */
static size_t write_planes(const file *f, uint8_t *to, void *work,
                           size_t work_bytes)
{
    uint8_t length[BBANS_UVARINT_BYTES];
    size_t at = 0;
    unsigned k;

    for (k = 0; k < PLANES; k++) {
        uint8_t *const block = to + at + BBANS_UVARINT_BYTES;
        size_t n = 0, used;

        (void)bbans_bytes_compress(f->plane[k], f->size[k], 1, block,
                                   bbans_bytes_bound(f->size[k]), &n, work,
                                   work_bytes);
        used = bbans_put_uvarint(length, n);
        memmove(to + at + used, block, n);
        memcpy(to + at, length, used);
        at += used + n;
    }
    return at;
}

bbans_status bbans_mixer_pack(const uint8_t *plain, size_t n, uint8_t *packed,
                              size_t cap, size_t *n_packed)
{
    const uint8_t *const rows = plain + FIXED_BYTES;
    size_t most, bytes, work_bytes;
    file f;

    memset(&f, 0, sizeof f);
    (void)bbans_mixer_file_read(plain, plain[ENDS], &f.numbers);
    f.size[WEIGHT_HIGH] = f.size[WEIGHT_LOW] = WEIGHTS;
    f.size[MATCH] = MATCH_BYTES;
    if (!split_rows(&f, rows) || largest_of(&f) > BBANS_BYTES_MAX)
        return BBANS_ERR_SIZE;
    most = BBANS_MIXER_HEADER + planes_bound(&f) + CHECKSUM_BYTES;
    work_bytes = bbans_bytes_work_bytes(largest_of(&f));
    if (cap < most + sum_of(&f) + work_bytes) {
        *n_packed = most + sum_of(&f) + work_bytes;
        return BBANS_ERR_CAPACITY;
    }
    place_planes(&f, packed + most);
    split_weights(&f, plain + BBANS_MIXER_HEADER);
    (void)split_rows(&f, rows);
    bytes = BBANS_MIXER_HEADER + CHECKSUM_BYTES +
            write_planes(&f, packed + BBANS_MIXER_HEADER,
                         packed + most + sum_of(&f), work_bytes);
    if (bytes >= n || f.numbers.rows > bytes)
        return BBANS_ERR_SIZE;
    memcpy(packed, plain, BBANS_MIXER_HEADER);
    packed[FORM] = 1;
    memcpy(packed + bytes - CHECKSUM_BYTES, plain + n - CHECKSUM_BYTES,
           CHECKSUM_BYTES);
    *n_packed = bytes;
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */
