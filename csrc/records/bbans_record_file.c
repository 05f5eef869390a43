/* Files of records: docs/format.md, "Record file".
 *
 * SPDX-License-Identifier: MIT */
#include "../files/bbans_files.h"

static const uint8_t records_magic[4] = {0x89, 'b', 'b', 'r'};
static const uint8_t group_magic[4] = {0x89, 'b', 'b', 'g'};

enum {
    FILE_VERSION = 1,
    HEADER_BYTES = 20, /* before the terminator                      */
    FILE_CHECKSUMS = 1,
    GROUP_BYTES = 24, /* header of a group, with its checksum       */
    GROUP_UNTERMINATED = 1
};

/* What a group's header leads to. */
typedef struct {
    size_t n, message_bytes;
    unsigned low_bits; /* of an end, that are not in the upper part */
    size_t low_bytes, high_bytes;
} group_shape;

/* The ends e_1 <= .. <= e_n = B, after Elias and Fano: of each its lower l bits
 * as they are, l = bl(B / n) - 1, and the rest as a one at e_i >> l zeros and
 * the i - 1 ones before.  n + (B >> l) < 3 n + 1 bits, since B / n < 2^(l+1).
 */
static group_shape shape_of(size_t n, size_t message_bytes)
{
    const size_t mean = message_bytes / n;
    group_shape s;

    s.n = n;
    s.message_bytes = message_bytes;
    s.low_bits = mean == 0 ? 0 : bbans_floor_log2(mean);
    s.low_bytes = (n * s.low_bits + 7) / 8; /* < 2^16 * 31 */
    s.high_bytes = (n + (message_bytes >> s.low_bits) + 7) / 8;
    return s;
}

/* Below 2^32: the caller has checked n and message_bytes. */
static uint64_t group_bytes(const group_shape *s, int checksums)
{
    return (uint64_t)GROUP_BYTES + s->low_bytes + s->high_bytes +
           (checksums ? (uint64_t)CHECKSUM_BYTES * s->n : 0) +
           s->message_bytes + CHECKSUM_BYTES;
}

static int counts_are_valid(uint64_t n, uint64_t message_bytes)
{
    return n >= 1 && n <= BBANS_RECORDS_GROUP_MAX &&
           message_bytes <= BBANS_RECORDS_BYTES_MAX;
}

/* ---- Reading ------------------------------------------------------------- */

/* Its bytes are here. */
static void place_at(bbans_records *file, const uint8_t *bytes, size_t n_bytes)
{
    file->bytes = bytes;
    file->n_bytes = n_bytes;
    file->terminator = bytes + HEADER_BYTES;
    file->model =
        file->model_bytes == 0
            ? NULL
            : file->terminator + file->terminator_bytes + CHECKSUM_BYTES;
}

bbans_status bbans_records_open(bbans_records *file, const uint8_t *bytes,
                                size_t n_bytes)
{
    bbans_status status;
    uint64_t model_bytes;
    size_t header;

    if (file == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    memset(file, 0, sizeof *file);
    status = bbans_check_start(bytes, n_bytes, records_magic, FILE_VERSION);
    if (status != BBANS_OK)
        return status;
    if (n_bytes < HEADER_BYTES)
        return BBANS_ERR_TRUNCATED;
    if ((bytes[5] & ~FILE_CHECKSUMS) != 0 ||
        (bytes[6] != BBANS_KIND_BYTES && bytes[6] != BBANS_KIND_TEXT) ||
        bytes[7] > BBANS_RECORDS_TERMINATOR_MAX)
        return BBANS_ERR_VERSION;
    header = (size_t)HEADER_BYTES + bytes[7];
    if (n_bytes < header + CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    if (!bbans_checksum_matches(bytes, header))
        return BBANS_ERR_CORRUPT;
    model_bytes = bbans_load(bytes + 16, 4);
    if (n_bytes - header - CHECKSUM_BYTES < model_bytes)
        return BBANS_ERR_TRUNCATED;
    file->checksums = (bytes[5] & FILE_CHECKSUMS) != 0;
    file->kind = bytes[6];
    memcpy(file->fingerprint, bytes + 8, sizeof file->fingerprint);
    file->terminator_bytes = bytes[7];
    file->model_bytes = (size_t)model_bytes;
    place_at(file, bytes, n_bytes);
    file->end = header + CHECKSUM_BYTES + file->model_bytes;
    return BBANS_OK;
}

typedef enum { NO_GROUP, CUT_GROUP, WHOLE_GROUP } group_state;

/* No more records than these lie in `n_bytes` bytes of groups: the upper part
 * of a group's index has a bit for each. */
static uint64_t most_records(uint64_t n_bytes)
{
    return 8 * n_bytes;
}

/* The group at file->bytes[at], which has no records before `least`. */
static group_state read_group(const bbans_records *file, size_t at,
                              uint64_t least, bbans_record_place *place)
{
    const uint8_t *header = file->bytes + at;
    const size_t room = file->n_bytes - at;
    uint64_t n, message_bytes, whole;
    group_shape shape;

    if (room < GROUP_BYTES || memcmp(header, group_magic, 4) != 0)
        return NO_GROUP;
    if (bbans_load(header + GROUP_BYTES - CHECKSUM_BYTES, CHECKSUM_BYTES) !=
        bbans_record_crc(at, header, GROUP_BYTES - CHECKSUM_BYTES))
        return NO_GROUP;
    n = bbans_load(header + 4, 3);
    message_bytes = bbans_load(header + 8, 4);
    place->first = bbans_load(header + 12, 8);
    if ((header[7] & ~GROUP_UNTERMINATED) != 0 ||
        !counts_are_valid(n, message_bytes) || place->first < least ||
        place->first > UINT64_MAX / 2 - n)
        return NO_GROUP;
    shape = shape_of((size_t)n, (size_t)message_bytes);
    whole = group_bytes(&shape, file->checksums);
    if (whole > room)
        return CUT_GROUP;
    place->records = shape.n;
    place->at = at;
    place->n_bytes = (size_t)whole;
    place->index = at + GROUP_BYTES;
    place->checksums = place->index + shape.low_bytes + shape.high_bytes;
    place->messages = place->checksums +
                      (file->checksums ? (size_t)CHECKSUM_BYTES * shape.n : 0);
    place->message_bytes = shape.message_bytes;
    place->unterminated = (header[7] & GROUP_UNTERMINATED) != 0;
    return WHOLE_GROUP;
}

bbans_status bbans_records_scan(bbans_records *file, const uint8_t *bytes,
                                size_t n_bytes, bbans_record_group *group,
                                size_t cap)
{
    size_t at;

    if (file == NULL || bytes == NULL || (group == NULL && cap > 0))
        return BBANS_ERR_NULL;
    if (n_bytes < file->end || cap < file->groups)
        return BBANS_ERR_STATE;
    place_at(file, bytes, n_bytes);
    file->group = group;
    file->cut = 0;
    /* Where no group is, one is searched, and what is between is passed over
     * only if one is found: else an append may be under way there. */
    for (at = file->end; at < n_bytes; at++) {
        bbans_record_place place;
        const group_state state = read_group(file, at, file->records, &place);
        const size_t before =
            file->groups > 0 ? (size_t)group[file->groups - 1].at : 0;

        if (state == NO_GROUP ||
            place.first - file->records > most_records(at - before))
            continue;
        if (state == CUT_GROUP) {
            file->end = at;
            file->cut = 1;
            break;
        }
        if (file->groups == cap)
            return BBANS_ERR_CAPACITY;
        group[file->groups].first = place.first;
        group[file->groups].at = at;
        file->groups++;
        file->lost += place.first - file->records;
        file->records = place.first + place.records;
        file->end = at + place.n_bytes;
        at = file->end - 1;
    }
    return BBANS_OK;
}

bbans_status bbans_records_group(const bbans_records *file, size_t g,
                                 bbans_record_place *group)
{
    if (file == NULL || group == NULL)
        return BBANS_ERR_NULL;
    if (g >= file->groups)
        return BBANS_ERR_SIZE;
    /* at < end <= n_bytes: of the scan. */
    return read_group(file, (size_t)file->group[g].at, file->group[g].first,
                      group) == WHOLE_GROUP &&
                   group->first == file->group[g].first
               ? BBANS_OK
               : BBANS_ERR_CORRUPT;
}

/* ---- The index of a group ------------------------------------------------ */

static size_t count_ones(uint64_t v)
{
    v -= v >> 1 & UINT64_C(0x5555555555555555);
    v = (v & UINT64_C(0x3333333333333333)) +
        (v >> 2 & UINT64_C(0x3333333333333333));
    v = (v + (v >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (size_t)(v * UINT64_C(0x0101010101010101) >> 56);
}

static size_t lowest_one(uint64_t v)
{
    return count_ones((v & (0 - v)) - 1);
}

/* Eight bytes from `at` on, zeros beyond the last. */
static uint64_t word_at(const uint8_t *bytes, size_t n_bytes, size_t at)
{
    const size_t rest = n_bytes - at;

    return bbans_load(bytes + at, rest < 8 ? rest : 8);
}

/* The place of one number `rank`, from 0; 8 n_bytes if there are fewer. */
static size_t find_one(const uint8_t *bits, size_t n_bytes, size_t rank)
{
    size_t at;

    for (at = 0; at < n_bytes; at += 8) {
        uint64_t word = word_at(bits, n_bytes, at);
        const size_t ones = count_ones(word);

        if (rank < ones) {
            for (; rank > 0; rank--)
                word &= word - 1;
            return 8 * at + lowest_one(word);
        }
        rank -= ones;
    }
    return 8 * n_bytes;
}

/* The next one from bit `from` on; 8 n_bytes if there is none. */
static size_t next_one(const uint8_t *bits, size_t n_bytes, size_t from)
{
    size_t at;

    for (at = from / 8; at < n_bytes; at++) {
        unsigned byte = bits[at];

        if (at == from / 8)
            byte = byte >> from % 8 << from % 8;
        if (byte != 0)
            return 8 * at + lowest_one(byte);
    }
    return 8 * n_bytes;
}

/* Read an index: its lower bits begin at `low`, the upper ones at `high`. */
typedef struct {
    group_shape shape;
    const uint8_t *low, *high;
} index_reader;

static index_reader index_of(const bbans_records *file,
                             const bbans_record_place *group)
{
    index_reader r;

    r.shape = shape_of(group->records, group->message_bytes);
    r.low = file->bytes + group->index;
    r.high = r.low + r.shape.low_bytes;
    return r;
}

/* End number i, whose one is at bit `one`: one >= i, below 2^34; at most
 * 2^34 2^30. */
static uint64_t end_at(const index_reader *r, size_t i, size_t one)
{
    const size_t bit = i * r->shape.low_bits;
    const uint64_t mask = ((uint64_t)1 << r->shape.low_bits) - 1;
    uint64_t low = 0;

    if (mask > 0)
        low = word_at(r->low, r->shape.low_bytes, bit / 8) >> bit % 8 & mask;
    return (uint64_t)(one - i) << r->shape.low_bits | low;
}

bbans_status bbans_records_ends(const bbans_records *file,
                                const bbans_record_place *group, uint32_t *end)
{
    index_reader r;
    uint64_t before = 0, value;
    size_t i, one = 0;

    if (file == NULL || group == NULL || end == NULL)
        return BBANS_ERR_NULL;
    r = index_of(file, group);
    for (i = 0; i < r.shape.n; i++, one++) {
        one = next_one(r.high, r.shape.high_bytes, one);
        if (one == 8 * r.shape.high_bytes)
            return BBANS_ERR_CORRUPT;
        value = end_at(&r, i, one);
        if (value < before || value > r.shape.message_bytes)
            return BBANS_ERR_CORRUPT;
        end[i] = (uint32_t)value;
        before = value;
    }
    return before == r.shape.message_bytes ? BBANS_OK : BBANS_ERR_CORRUPT;
}

/* The group of record k, the number in it, and its message. */
static bbans_status find(const bbans_records *file, uint64_t k, size_t *g,
                         bbans_record_place *group, size_t *at, size_t *n_bytes)
{
    size_t low = 0, high, i, one;
    uint64_t start = 0, end;
    index_reader r;
    bbans_status status;

    if (k >= file->records)
        return BBANS_ERR_SIZE;
    high = file->groups;     /* records > 0: at least 1 */
    while (high - low > 1) { /* the group is one of low .. high - 1, or none */
        const size_t middle = low + (high - low) / 2;

        if (file->group[middle].first <= k)
            low = middle;
        else
            high = middle;
    }
    *g = low;
    status = bbans_records_group(file, low, group);
    if (status != BBANS_OK)
        return status;
    if (k < group->first || k - group->first >= group->records)
        return BBANS_ERR_CORRUPT; /* lost */
    i = (size_t)(k - group->first);
    r = index_of(file, group);
    one = find_one(r.high, r.shape.high_bytes, i > 0 ? i - 1 : 0);
    if (i > 0 && one < 8 * r.shape.high_bytes) {
        start = end_at(&r, i - 1, one);
        one = next_one(r.high, r.shape.high_bytes, one + 1);
    }
    if (one >= 8 * r.shape.high_bytes)
        return BBANS_ERR_CORRUPT;
    end = end_at(&r, i, one);
    if (start > end || end > r.shape.message_bytes)
        return BBANS_ERR_CORRUPT;
    *at = group->messages + (size_t)start;
    *n_bytes = (size_t)(end - start);
    return BBANS_OK;
}

bbans_status bbans_records_find(const bbans_records *file, uint64_t k,
                                size_t *g, size_t *at, size_t *n_bytes)
{
    bbans_record_place group;

    if (file == NULL || g == NULL || at == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    return find(file, k, g, &group, at, n_bytes);
}

/* ---- Checksums ----------------------------------------------------------- */

static int group_matches(const bbans_records *file,
                         const bbans_record_place *group)
{
    const uint8_t *bytes = file->bytes + group->at;
    const size_t n = group->n_bytes - CHECKSUM_BYTES;

    return bbans_load(bytes + n, CHECKSUM_BYTES) ==
           bbans_record_crc(group->at, bytes, n);
}

bbans_status bbans_records_check(const bbans_records *file, size_t g)
{
    bbans_record_place group;
    const bbans_status status = bbans_records_group(file, g, &group);

    if (status != BBANS_OK)
        return status;
    return group_matches(file, &group) ? BBANS_OK : BBANS_ERR_CORRUPT;
}

static int record_matches(const bbans_records *file, uint64_t k,
                          const bbans_record_place *group, size_t at,
                          size_t n_bytes)
{
    if (!file->checksums)
        return group_matches(file, group);
    return bbans_load(file->bytes + group->checksums +
                          CHECKSUM_BYTES * (size_t)(k - group->first),
                      CHECKSUM_BYTES) ==
           bbans_record_crc(k, file->bytes + at, n_bytes);
}

bbans_status bbans_records_check_record(const bbans_records *file, uint64_t k)
{
    bbans_record_place group;
    bbans_status status;
    size_t g, at, n_bytes;

    if (file == NULL)
        return BBANS_ERR_NULL;
    status = find(file, k, &g, &group, &at, &n_bytes);
    if (status != BBANS_OK)
        return status;
    return record_matches(file, k, &group, at, n_bytes) ? BBANS_OK
                                                        : BBANS_ERR_CORRUPT;
}

bbans_status bbans_records_get(const bbans_records *file, uint64_t k,
                               const bbans_model *model, uint8_t *record,
                               size_t cap, size_t *n, void *work,
                               size_t work_bytes)
{
    bbans_record_place group;
    bbans_status status;
    size_t g, at, n_bytes;

    if (file == NULL || model == NULL || n == NULL || work == NULL)
        return BBANS_ERR_NULL;
    *n = 0;
    status = find(file, k, &g, &group, &at, &n_bytes);
    if (status != BBANS_OK)
        return status;
    if (!record_matches(file, k, &group, at, n_bytes))
        return BBANS_ERR_CORRUPT;
    return bbans_record_decode(model, file->bytes + at, n_bytes, record, cap, n,
                               work, work_bytes);
}

#ifndef BBANS_DECODER_ONLY
/* ---- Writing ------------------------------------------------------------- */

size_t bbans_records_header_bytes(size_t terminator_bytes, size_t model_bytes)
{
    return HEADER_BYTES + terminator_bytes + CHECKSUM_BYTES + model_bytes;
}

bbans_status
bbans_records_put_header(int kind, int checksums, const uint8_t *fingerprint,
                         const uint8_t *terminator, size_t terminator_bytes,
                         const uint8_t *model, size_t model_bytes,
                         uint8_t *bytes, size_t cap, size_t *n_bytes)
{
    const size_t header = HEADER_BYTES + terminator_bytes;

    if (fingerprint == NULL || (terminator == NULL && terminator_bytes > 0) ||
        (model == NULL && model_bytes > 0) || bytes == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (kind != BBANS_KIND_BYTES && kind != BBANS_KIND_TEXT)
        return BBANS_ERR_STATE;
    if (terminator_bytes > BBANS_RECORDS_TERMINATOR_MAX ||
        model_bytes > BBANS_RECORDS_BYTES_MAX)
        return BBANS_ERR_SIZE;
    if (cap < bbans_records_header_bytes(terminator_bytes, model_bytes))
        return BBANS_ERR_CAPACITY;
    memcpy(bytes, records_magic, sizeof records_magic);
    bytes[4] = FILE_VERSION;
    bytes[5] = checksums ? FILE_CHECKSUMS : 0;
    bytes[6] = (uint8_t)kind;
    bytes[7] = (uint8_t)terminator_bytes;
    memcpy(bytes + 8, fingerprint, FINGERPRINT_BYTES);
    bbans_store(bytes + 16, model_bytes, 4);
    if (terminator_bytes > 0)
        memcpy(bytes + HEADER_BYTES, terminator, terminator_bytes);
    bbans_store(bytes + header, bbans_crc32(0, bytes, header), CHECKSUM_BYTES);
    if (model_bytes > 0)
        memcpy(bytes + header + CHECKSUM_BYTES, model, model_bytes);
    *n_bytes = header + CHECKSUM_BYTES + model_bytes;
    return BBANS_OK;
}

size_t bbans_records_group_bytes(size_t n, size_t message_bytes, int checksums)
{
    group_shape shape;
    uint64_t whole;

    if (!counts_are_valid(n, message_bytes))
        return 0;
    shape = shape_of(n, message_bytes);
    whole = group_bytes(&shape, checksums);
    return whole > SIZE_MAX ? 0 : (size_t)whole;
}

static void put_index(const group_shape *s, const uint32_t *end, uint8_t *low)
{
    uint8_t *high = low + s->low_bytes;
    size_t i;

    memset(low, 0, s->low_bytes + s->high_bytes);
    for (i = 0; i < s->n; i++) {
        const size_t one = (end[i] >> s->low_bits) + i;
        const size_t bit = i * s->low_bits;
        /* Up to 31 bits from bit % 8 on, in five bytes. */
        uint64_t bits = (uint64_t)(end[i] & (((uint32_t)1 << s->low_bits) - 1))
                        << bit % 8;
        size_t at;

        high[one / 8] = (uint8_t)(high[one / 8] | 1u << one % 8);
        for (at = bit / 8; bits > 0; at++, bits >>= 8)
            low[at] = (uint8_t)(low[at] | (bits & 0xff));
    }
}

bbans_status bbans_records_put_group(uint64_t at, uint64_t first,
                                     const uint8_t *message,
                                     const uint32_t *end, size_t n,
                                     int checksums, int unterminated,
                                     uint8_t *bytes, size_t cap,
                                     size_t *n_bytes)
{
    size_t i, whole, message_bytes;
    group_shape shape;
    uint8_t *to = bytes;

    if (end == NULL || bytes == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (n < 1 || n > BBANS_RECORDS_GROUP_MAX)
        return BBANS_ERR_SIZE;
    for (i = 1; i < n; i++)
        if (end[i] < end[i - 1])
            return BBANS_ERR_STATE;
    message_bytes = end[n - 1];
    if (message == NULL && message_bytes > 0)
        return BBANS_ERR_NULL;
    whole = bbans_records_group_bytes(n, message_bytes, checksums);
    if (whole == 0)
        return BBANS_ERR_SIZE;
    if (cap < whole)
        return BBANS_ERR_CAPACITY;
    shape = shape_of(n, message_bytes);
    memcpy(to, group_magic, sizeof group_magic);
    bbans_store(to + 4, n, 3);
    to[7] = unterminated ? GROUP_UNTERMINATED : 0;
    bbans_store(to + 8, message_bytes, 4);
    bbans_store(to + 12, first, 8);
    to += GROUP_BYTES - CHECKSUM_BYTES;
    bbans_store(to, bbans_record_crc(at, bytes, (size_t)(to - bytes)),
                CHECKSUM_BYTES);
    to += CHECKSUM_BYTES;
    put_index(&shape, end, to);
    to += shape.low_bytes + shape.high_bytes;
    for (i = 0; checksums && i < n; i++, to += CHECKSUM_BYTES) {
        const size_t start = i > 0 ? end[i - 1] : 0;

        bbans_store(
            to,
            bbans_record_crc(first + i,
                             message_bytes > 0 ? message + start : message,
                             end[i] - start),
            CHECKSUM_BYTES);
    }
    if (message_bytes > 0)
        memcpy(to, message, message_bytes);
    to += message_bytes;
    bbans_store(to, bbans_record_crc(at, bytes, (size_t)(to - bytes)),
                CHECKSUM_BYTES);
    *n_bytes = whole;
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */
