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
#define SEEN 201
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
    uint8_t *plane[PLANES], *end[PLANES];
    uint8_t *at[PLANES];    /* where a plane is read or written */
    uint8_t plane_of[SEEN]; /* for slots that were seen about so often */
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
        f->end[k] = memory += f->size[k];
    }
}

/* How often slots of a class were seen, about, and the class of a number. */
static const uint8_t seen_of[CLASSES] = {0, 1, 2,  3,  4,  5,  6,  7,
                                         8, 9, 10, 11, 12, 20, 60, 200};

static unsigned class_of(unsigned seen)
{
    return seen <= 12 ? seen : seen < 32 ? 13 : seen < 128 ? 14 : 15;
}

static void start(file *f)
{
    unsigned i;

    memset(f, 0, sizeof *f);
    for (i = 0; i < SEEN; i++)
        f->plane_of[i] = (uint8_t)(EXPECTED + class_of(i));
}

/* Nodes of a row below others that are there: the last of them comes next. */
typedef struct {
    uint32_t next; /* a bit for each */
    uint8_t plane[SLOTS];
} walk;

static void start_walk(walk *w)
{
    w->next = 1u << 1;
    w->plane[1] = ROOT;
}

static unsigned next_node(walk *w)
{
    const unsigned k = bbans_floor_log2(w->next);

    w->next ^= 1u << k;
    return k;
}

/* Two nodes are below one that is there, and not of the last. */
static inline void put_children(walk *w, const file *f, unsigned k,
                                unsigned slot, uint32_t is)
{
    const unsigned n = seen_of[slot & 15], one = slot >> 4;
    const unsigned half = 1u << (P_BITS - 1), most = (1u << P_BITS) - 1;

    if (k >= SLOTS / 2)
        return;
    w->plane[2 * k] = f->plane_of[(n * (most - one) + half) >> P_BITS];
    w->plane[2 * k + 1] = f->plane_of[(n * one + half) >> P_BITS];
    w->next |= (is * 3) << 2 * k;
}

/* ---- Unpacking ----------------------------------------------------------- */

static int are_read(const file *f)
{
    unsigned k;

    for (k = GAP; k < PLANES; k++)
        if (f->at[k] != f->end[k])
            return 0;
    return 1;
}

/* The gap at *to, which moves behind it. */
static int join_gap(file *f, uint8_t **to)
{
    unsigned i;

    for (i = 0; i < GAP_BYTES && f->at[GAP] < f->end[GAP]; i++) {
        const uint8_t byte = *f->at[GAP]++;

        *(*to)++ = byte;
        if (byte < 0x80)
            return 1;
    }
    return 0;
}

/* The slots of a row, without branches on what is there; returns which they
 * are.  What no writer writes is added to *bad.  Nothing is read behind a plane
 * but the bytes next to it. */
static uint32_t join_slots(file *f, uint16_t *row, unsigned *bad)
{
    uint32_t mask = 0;
    walk w;

    for (start_walk(&w); w.next != 0 && !*bad;) {
        const unsigned k = next_node(&w), plane = w.plane[k];
        unsigned class, is, of, slot;
        const uint8_t *p;

        if (f->at[plane] == f->end[plane]) {
            *bad = 1;
            return 0;
        }
        class = *f->at[plane]++;
        is = class != 0;
        class -= is;
        of = P + (class & (CLASSES - 1));
        p = f->at[of];
        slot = (unsigned)p[0] << 8 | (p[1] & 15u) << 4 | (class & 15u);
        *bad = is & ((class >= CLASSES) | (p == f->end[of]) | (p[1] > 15) |
                     (slot == BBANS_MIX_NEW));
        f->at[of] += P_BYTES * is;
        row[k] = (uint16_t)slot;
        mask |= is << k;
        put_children(&w, f, k, slot, is);
    }
    return mask;
}

/* A row.  All rows together have as many bytes as the file says, and what is
 * behind them has room for two more. */
static int join_row(file *f, uint8_t **to)
{
    uint16_t row[SLOTS] = {0};
    uint32_t mask;
    unsigned bad = 0, k;
    uint8_t *at;

    if (!join_gap(f, to))
        return 0;
    at = *to;
    at[0] = *f->at[CHECK_LOW]++;
    at[1] = *f->at[CHECK_HIGH]++;
    mask = join_slots(f, row, &bad);
    if (bad)
        return 0;
    bbans_store_le16(at + 2, mask);
    at += 4;
    for (k = 1; k < SLOTS; k++) {
        bbans_store_le16(at, row[k]);
        at += 2 * (mask >> k & 1);
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
    for (k = P; k < PLANES; k++) {
        if (f->size[k] % P_BYTES != 0)
            return 0;
        slots += f->size[k] / P_BYTES;
    }
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
    size_t bytes, rest, work_bytes;
    bbans_status status;
    uint8_t *memory;
    file f;

    if (packed[ENDS] > 1)
        return BBANS_ERR_VERSION;
    if (n < BBANS_MIXER_HEADER + CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    start(&f);
    status = bbans_mixer_file_read(packed, packed[ENDS], &f.numbers);
    if (status == BBANS_OK && f.numbers.rows > n)
        status = BBANS_ERR_CORRUPT;
    if (status == BBANS_OK)
        status = read_planes(&f, from, packed + n - CHECKSUM_BYTES, NULL, 0);
    if (status != BBANS_OK)
        return status;
    bytes = (size_t)bbans_mixer_file_bytes(&f.numbers);
    work_bytes = bbans_bytes_work_bytes(largest_of(&f));
    rest = sum_of(&f) + work_bytes;
    if (cap < bytes + CHECKSUM_BYTES + rest) {
        *n_plain = bytes + CHECKSUM_BYTES + rest;
        return BBANS_ERR_CAPACITY;
    }
    place_planes(&f, plain + bytes + CHECKSUM_BYTES);
    memory = plain + bytes + CHECKSUM_BYTES + sum_of(&f);
    status =
        read_planes(&f, from, packed + n - CHECKSUM_BYTES, memory, work_bytes);
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

/* ---- Packing ------------------------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
/* A byte to a plane; those that have no place yet are counted. */
static void put(file *f, unsigned k, unsigned byte)
{
    if (f->plane[k] == NULL)
        f->size[k]++;
    else
        *f->at[k]++ = (uint8_t)byte;
}

static void split_slots(file *f, const uint16_t *row)
{
    walk w;

    for (start_walk(&w); w.next != 0;) {
        const unsigned k = next_node(&w), class = row[k] & 15u;
        const int is = row[k] != BBANS_MIX_NEW;

        put(f, w.plane[k], is ? class + 1 : 0);
        put_children(&w, f, k, row[k], (uint32_t)is);
        if (!is)
            continue;
        put(f, P + class, row[k] >> 8);
        put(f, P + class, row[k] >> 4 & 15u);
    }
}

/* Returns 0 for a row that is none, or has a slot without one above it. */
static int split_row(file *f, bbans_cursor *c)
{
    const uint8_t *gap = c->at;
    uint16_t row[SLOTS];
    unsigned k, mask, check;

    (void)bbans_take_number(c);
    for (; gap < c->at; gap++)
        put(f, GAP, *gap);
    check = (unsigned)bbans_take(c, 2);
    put(f, CHECK_HIGH, check >> 8);
    put(f, CHECK_LOW, check & 255);
    mask = (unsigned)bbans_take(c, 2);
    for (k = 1; k < SLOTS; k++) {
        row[k] = (uint16_t)(mask >> k & 1 ? bbans_take(c, 2) : BBANS_MIX_NEW);
        if (k > 1 && row[k] != BBANS_MIX_NEW && row[k / 2] == BBANS_MIX_NEW)
            return 0;
    }
    split_slots(f, row);
    return c->status == BBANS_OK;
}

/* Into planes that have their places; else their bytes are counted. */
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
    size_t most, rest, bytes, work_bytes;
    uint8_t *memory;
    file f;

    start(&f);
    (void)bbans_mixer_file_read(plain, plain[ENDS], &f.numbers);
    f.size[WEIGHT_HIGH] = f.size[WEIGHT_LOW] = WEIGHTS;
    f.size[MATCH] = MATCH_BYTES;
    if (!split_rows(&f, rows) || largest_of(&f) > BBANS_BYTES_MAX)
        return BBANS_ERR_SIZE;
    most = BBANS_MIXER_HEADER + planes_bound(&f) + CHECKSUM_BYTES;
    work_bytes = bbans_bytes_work_bytes(largest_of(&f));
    rest = sum_of(&f) + work_bytes;
    if (cap < most + rest) {
        *n_packed = most + rest;
        return BBANS_ERR_CAPACITY;
    }
    place_planes(&f, packed + most);
    memory = packed + most + sum_of(&f);
    split_weights(&f, plain + BBANS_MIXER_HEADER);
    (void)split_rows(&f, rows);
    bytes = BBANS_MIXER_HEADER + CHECKSUM_BYTES +
            write_planes(&f, packed + BBANS_MIXER_HEADER, memory, work_bytes);
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
