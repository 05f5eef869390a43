/* Files of records, of messages that are any bytes: what is put comes back;
 * what is cut, damaged or left by an append loses no more than it must.
 *
 * SPDX-License-Identifier: MIT */
#include "record_model.h"

#define RECORDS 400
#define ROOM (1 << 20)
#define GROUPS 512

static const uint8_t fingerprint[8] = {1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t model[5] = {9, 8, 7, 6, 5};

/* A file, and what is in it: record k is message[start[k] .. start[k + 1]]. */
typedef struct {
    uint8_t bytes[ROOM];
    size_t n_bytes;
    uint8_t message[ROOM];
    size_t start[RECORDS + 1];
    size_t n, groups;
    size_t group_at[GROUPS];
    uint64_t first[GROUPS + 1];
    int checksums;
} made;

static size_t message_size(void)
{
    switch (below(40)) {
    case 0: return 0;
    case 1: return below(5000);
    default: return below(30);
    }
}

static void begin(made *m, int checksums)
{
    size_t n_bytes;

    memset(m, 0, sizeof *m);
    m->checksums = checksums;
    CHECK(bbans_records_put_header(
              BBANS_KIND_TEXT, checksums, fingerprint, (const uint8_t *)"\r\n",
              2, model, sizeof model, m->bytes, ROOM, &n_bytes) == BBANS_OK);
    CHECK(n_bytes == bbans_records_header_bytes(2, sizeof model));
    m->n_bytes = n_bytes;
}

static void add_group(made *m, size_t n)
{
    const size_t first = m->n;
    uint32_t end[RECORDS];
    size_t i, j, n_bytes;

    for (i = 0; i < n; i++) {
        const size_t size = message_size();

        m->start[m->n + 1] = m->start[m->n] + size;
        for (j = m->start[m->n]; j < m->start[m->n + 1]; j++)
            m->message[j] = (uint8_t)random_bits();
        m->n++;
        end[i] = (uint32_t)(m->start[m->n] - m->start[first]);
    }
    m->group_at[m->groups] = m->n_bytes;
    m->first[m->groups++] = first;
    m->first[m->groups] = m->n;
    CHECK(bbans_records_put_group(m->n_bytes, first,
                                  m->message + m->start[first], end, n,
                                  m->checksums, n == 3, m->bytes + m->n_bytes,
                                  ROOM - m->n_bytes, &n_bytes) == BBANS_OK);
    CHECK(n_bytes == bbans_records_group_bytes(n, end[n - 1], m->checksums));
    m->n_bytes += n_bytes;
}

static void make(made *m, int checksums, size_t groups)
{
    begin(m, checksums);
    while (m->groups < groups)
        add_group(m, 1 + below(40));
}

/* Memory of exact size, so that the sanitizer sees its ends. */
static uint8_t *copy_of(const made *m, size_t n)
{
    uint8_t *bytes = malloc(n > 0 ? n : 1);

    CHECK(bytes != NULL);
    memcpy(bytes, m->bytes, n);
    return bytes;
}

static void open_file(bbans_records *file, const uint8_t *bytes, size_t n,
                      bbans_record_group *group)
{
    CHECK(bbans_records_open(file, bytes, n) == BBANS_OK);
    CHECK(bbans_records_scan(file, bytes, n, group, GROUPS) == BBANS_OK);
}

static int is_right(const made *m, const bbans_records *file, size_t k)
{
    size_t g, at, n;

    if (bbans_records_find(file, k, &g, &at, &n) != BBANS_OK ||
        bbans_records_check_record(file, k) != BBANS_OK)
        return 0;
    CHECK(at + n <= file->n_bytes && g < file->groups);
    return n == m->start[k + 1] - m->start[k] &&
           (n == 0 ||
            memcmp(file->bytes + at, m->message + m->start[k], n) == 0);
}

static void test_what_is_put_comes_back(const made *m)
{
    bbans_record_group group[GROUPS];
    bbans_record_place place;
    uint32_t end[RECORDS];
    uint8_t *bytes = copy_of(m, m->n_bytes);
    bbans_records file;
    size_t g, k, at, n;

    open_file(&file, bytes, m->n_bytes, group);
    CHECK(file.records == m->n && file.groups == m->groups && file.lost == 0);
    CHECK(file.end == m->n_bytes && !file.cut);
    CHECK(file.checksums == m->checksums && file.kind == BBANS_KIND_TEXT);
    CHECK(memcmp(file.fingerprint, fingerprint, 8) == 0);
    CHECK(file.model_bytes == 5 && memcmp(file.model, model, 5) == 0);
    CHECK(file.terminator_bytes == 2 &&
          memcmp(file.terminator, "\r\n", 2) == 0);
    for (k = 0; k < m->n; k++)
        CHECK(is_right(m, &file, k));
    for (g = 0; g < m->groups; g++) {
        CHECK(bbans_records_check(&file, g) == BBANS_OK);
        CHECK(bbans_records_group(&file, g, &place) == BBANS_OK);
        CHECK(place.first == m->first[g] && place.at == m->group_at[g]);
        CHECK(place.unterminated == (place.records == 3));
        CHECK(bbans_records_ends(&file, &place, end) == BBANS_OK);
        for (k = 0; k < place.records; k++)
            CHECK(end[k] ==
                  m->start[m->first[g] + k + 1] - m->start[m->first[g]]);
    }
    CHECK(bbans_records_find(&file, m->n, &g, &at, &n) == BBANS_ERR_SIZE);
    CHECK(bbans_records_group(&file, m->groups, &place) == BBANS_ERR_SIZE);
    free(bytes);
}

/* Of a file that is cut anywhere, whole groups are there, and what is appended
 * then too. */
static void test_cuts(const made *m)
{
    bbans_record_group group[GROUPS];
    bbans_records file;
    size_t n, k, g, n_bytes, header = bbans_records_header_bytes(2, 5);

    for (n = 0; n < m->n_bytes; n += n < 300 ? 1 : 1 + below(40)) {
        uint8_t *bytes = copy_of(m, n), *longer;
        const uint32_t end = 4;

        if (n < header) {
            CHECK(bbans_records_open(&file, bytes, n) == BBANS_ERR_TRUNCATED);
            free(bytes);
            continue;
        }
        open_file(&file, bytes, n, group);
        for (g = 0; g < m->groups - 1 && m->group_at[g + 1] <= n; g++)
            ;
        CHECK(file.groups == g && file.records == m->first[g] &&
              file.end == m->group_at[g]);
        CHECK(file.cut == (n - m->group_at[g] >= 24));
        for (k = 0; k < file.records; k++)
            CHECK(is_right(m, &file, k));
        longer = malloc(n + 40);
        CHECK(longer != NULL);
        memcpy(longer, bytes, n);
        if (file.cut)
            memset(longer + file.end, 0, n - file.end);
        CHECK(bbans_records_put_group(n, file.records, (const uint8_t *)"last",
                                      &end, 1, m->checksums, 0, longer + n, 40,
                                      &n_bytes) == BBANS_OK);
        /* As a reader sees it that has the file open, and one that opens it. */
        CHECK(bbans_records_scan(&file, longer, n + n_bytes, group, GROUPS) ==
              BBANS_OK);
        CHECK(file.groups == g + 1 && file.records == m->first[g] + 1);
        open_file(&file, longer, n + n_bytes, group);
        CHECK(file.groups == g + 1 && file.records == m->first[g] + 1);
        CHECK(file.end == n + n_bytes && file.lost == 0 && !file.cut);
        CHECK(bbans_records_find(&file, m->first[g], &g, &k, &n_bytes) ==
              BBANS_OK);
        CHECK(n_bytes == 4 && memcmp(longer + k, "last", 4) == 0);
        for (k = 0; k + 1 < file.records; k++)
            CHECK(is_right(m, &file, k));
        free(longer);
        free(bytes);
    }
}

/* A byte is changed: records of other groups are as they were, and with
 * checksums all but those that it is part of; no wrong one passes. */
static void test_damage(const made *m)
{
    bbans_record_group group[GROUPS];
    bbans_records file;
    uint8_t *bytes = copy_of(m, m->n_bytes);
    size_t at, k, g, n, place;
    int i;

    for (i = 0; i < 1000; i++) {
        size_t bad = 0, lost = 0;

        at = m->group_at[0] + below((uint32_t)(m->n_bytes - m->group_at[0]));
        bytes[at] ^= (uint8_t)(1 << below(8));
        open_file(&file, bytes, m->n_bytes, group);
        for (g = m->groups - 1; m->group_at[g] > at; g--)
            ;
        for (k = 0; k < m->n; k++)
            if (k >= file.records) /* of the last group, if that is lost */
                lost++;
            else if (!is_right(m, &file, k)) {
                CHECK(k >= m->first[g] && k < m->first[g + 1]);
                CHECK(bbans_records_check_record(&file, k) ==
                      BBANS_ERR_CORRUPT);
                bad++;
            } else if (!m->checksums)
                CHECK(k < m->first[g] || k >= m->first[g + 1]);
        CHECK(lost + bad > 0 || m->checksums); /* else its group's alone may */
        n = (size_t)(m->first[g + 1] - m->first[g]);
        if (at - m->group_at[g] < 24)
            CHECK(lost + bad == n && (lost > 0 || file.lost == n));
        else
            CHECK(lost == 0 && bbans_records_check(&file, g) != BBANS_OK);
        CHECK(bbans_records_find(&file, 0, &g, &place, &n) == BBANS_OK ||
              at < m->group_at[1]);
        bytes[at] = m->bytes[at];
    }
    for (at = 0; at < bbans_records_header_bytes(2, 5) - 5; at++) {
        bbans_status status;

        bytes[at] ^= 64;
        status = bbans_records_open(&file, bytes, m->n_bytes);
        CHECK(status == BBANS_ERR_FORMAT || status == BBANS_ERR_VERSION ||
              status == BBANS_ERR_CORRUPT || status == BBANS_ERR_TRUNCATED);
        bytes[at] = m->bytes[at];
    }
    free(bytes);
}

/* Any index, under a right checksum, leads nowhere outside the group. */
static void test_any_index(const made *m)
{
    bbans_record_group group[GROUPS];
    bbans_records file;
    uint8_t *bytes = copy_of(m, m->n_bytes);
    uint32_t end[RECORDS];
    bbans_record_place place;
    size_t g, k, at, n;
    int i, found = 0;

    open_file(&file, bytes, m->n_bytes, group);
    for (i = 0; i < 20000; i++) {
        g = below((uint32_t)m->groups);
        CHECK(bbans_records_group(&file, g, &place) == BBANS_OK);
        n = (m->checksums ? place.checksums : place.messages) - place.index;
        at = place.index + below((uint32_t)n);
        bytes[at] = (uint8_t)random_bits();
        if (bbans_records_ends(&file, &place, end) == BBANS_OK)
            found++;
        k = (size_t)place.first + below((uint32_t)place.records);
        if (bbans_records_find(&file, k, &g, &at, &n) == BBANS_OK)
            CHECK(at >= place.messages &&
                  at + n <= place.messages + place.message_bytes);
        if (i % 16 == 0)
            memcpy(bytes, m->bytes, m->n_bytes);
    }
    CHECK(found > 0);
    free(bytes);
}

static void test_few_groups_of_room(const made *m)
{
    bbans_record_group group[GROUPS];
    bbans_records file;
    size_t cap;

    CHECK(bbans_records_open(&file, m->bytes, m->n_bytes) == BBANS_OK);
    for (cap = 0; cap < m->groups; cap++) {
        CHECK(bbans_records_scan(&file, m->bytes, m->n_bytes, group, cap) ==
              BBANS_ERR_CAPACITY);
        CHECK(file.groups == cap && file.records == m->first[cap]);
    }
    CHECK(bbans_records_scan(&file, m->bytes, m->n_bytes, group, cap) ==
          BBANS_OK);
    CHECK(file.records == m->n);
    CHECK(bbans_records_scan(&file, m->bytes, file.end - 1, group, cap) ==
          BBANS_ERR_STATE);
    CHECK(bbans_records_scan(&file, m->bytes, m->n_bytes, group, cap - 1) ==
          BBANS_ERR_STATE);
}

/* Sizes that an index has to bear, and those that are refused. */
static void test_sizes(void)
{
    static uint32_t end[BBANS_RECORDS_GROUP_MAX + 1], back[sizeof end / 4];
    static uint8_t bytes[1 << 23], message[1 << 22];
    static const uint32_t sizes[][2] = {/* of most, and of one among them */
                                        {0, 0},       {0, 1},  {1, 1},
                                        {0, 1 << 20}, {3, 77}, {31, 1000000}};
    static const size_t counts[] = {
        1, 2, 3, 4, 16, 256, BBANS_RECORDS_GROUP_MAX};
    bbans_record_group group[1];
    bbans_record_place place;
    bbans_records file;
    size_t header, n, n_bytes, i, s, c, g, at, size;

    CHECK(bbans_records_put_header(BBANS_KIND_BYTES, 0, fingerprint, NULL, 0,
                                   NULL, 0, bytes, sizeof bytes,
                                   &header) == BBANS_OK);
    for (s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (c = 0; c < sizeof counts / sizeof *counts; c++) {
            n = counts[c];
            for (i = 0; i < n; i++)
                end[i] = (i > 0 ? end[i - 1] : 0) + sizes[s][i == n / 2];
            CHECK(bbans_records_put_group(header, 0, message, end, n, 0, 0,
                                          bytes + header, sizeof bytes - header,
                                          &n_bytes) == BBANS_OK);
            open_file(&file, bytes, header + n_bytes, group);
            CHECK(file.records == n && file.model == NULL);
            CHECK(bbans_records_group(&file, 0, &place) == BBANS_OK);
            CHECK(place.messages - place.index <= n * 5 / 2 + 8);
            CHECK(bbans_records_ends(&file, &place, back) == BBANS_OK);
            CHECK(memcmp(end, back, n * sizeof *end) == 0);
            for (i = 0; i < n; i += 1 + n / 500) {
                CHECK(bbans_records_find(&file, i, &g, &at, &size) == BBANS_OK);
                CHECK(at == place.messages + (i > 0 ? end[i - 1] : 0));
                CHECK(size == sizes[s][i == n / 2]);
            }
        }
    CHECK(bbans_records_group_bytes(0, 0, 0) == 0);
    CHECK(bbans_records_group_bytes(BBANS_RECORDS_GROUP_MAX + 1, 0, 0) == 0);
    CHECK(bbans_records_group_bytes(1, (size_t)1 << 31, 0) == 0);
    end[0] = 2;
    end[1] = 1;
    CHECK(bbans_records_put_group(0, 0, message, end, 2, 0, 0, bytes, 99, &n) ==
          BBANS_ERR_STATE);
    CHECK(bbans_records_put_group(0, 0, message, end, 0, 0, 0, bytes, 99, &n) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_records_put_group(0, 0, message, end, 1, 0, 0, bytes, 31, &n) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_records_put_header(BBANS_KIND_INTEGERS, 0, fingerprint, NULL, 0,
                                   NULL, 0, bytes, 99, &n) == BBANS_ERR_STATE);
    CHECK(bbans_records_put_header(BBANS_KIND_BYTES, 0, fingerprint, message,
                                   17, NULL, 0, bytes, 99,
                                   &n) == BBANS_ERR_SIZE);
    CHECK(bbans_records_put_header(BBANS_KIND_BYTES, 0, fingerprint, message,
                                   16, NULL, 0, bytes, 39,
                                   &n) == BBANS_ERR_CAPACITY);
}

/* Records that are coded: decoded, if they are what was written. */
static void test_get(int checksums)
{
    static const char *const records[3] = {"", "one", "the third"};
    uint8_t messages[64 + 3 * BBANS_RECORD_ROOM], bytes[512], got[9], *lent;
    bbans_record_group group[1];
    bbans_record_place place;
    bbans_records file;
    size_t header, size, n, k, at, g, end_at = 0;
    uint32_t end[3];
    record_model m;
    void *work;

    make_record_model(&m, 2, 1);
    size = bbans_record_work_bytes(&m.model);
    work = allocate(size);
    for (k = 0; k < 3; k++) {
        const size_t length = strlen(records[k]);

        CHECK(bbans_record_encode(&m.model, (const uint8_t *)records[k], length,
                                  messages + end_at, bbans_record_bound(length),
                                  &n, work, size) == BBANS_OK);
        end[k] = (uint32_t)(end_at += n);
    }
    CHECK(bbans_records_put_header(BBANS_KIND_TEXT, checksums, fingerprint,
                                   NULL, 0, NULL, 0, bytes, sizeof bytes,
                                   &header) == BBANS_OK);
    CHECK(bbans_records_put_group(header, 0, messages, end, 3, checksums, 0,
                                  bytes + header, sizeof bytes - header,
                                  &n) == BBANS_OK);
    open_file(&file, bytes, header + n, group);
#define GET(file, k, model, record, cap, n, work)                              \
    bbans_records_get(file, k, model, record, cap, n, work, size)
    for (k = 0; k < 3; k++) {
        const size_t length = strlen(records[k]);

        CHECK(GET(&file, k, &m.model, got, length, &n, work) == BBANS_OK);
        CHECK(n == length && memcmp(got, records[k], n) == 0);
    }
    CHECK(GET(&file, 2, &m.model, got, 8, &n, work) == BBANS_ERR_CAPACITY);
    CHECK(GET(&file, 3, &m.model, got, 9, &n, work) == BBANS_ERR_SIZE);
    CHECK(GET(NULL, 1, &m.model, got, 9, &n, work) == BBANS_ERR_NULL);
    CHECK(GET(&file, 1, NULL, got, 9, &n, work) == BBANS_ERR_NULL);
    CHECK(GET(&file, 1, &m.model, got, 9, NULL, work) == BBANS_ERR_NULL);
    CHECK(GET(&file, 1, &m.model, got, 9, &n, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_records_find(&file, 1, &g, &at, &n) == BBANS_OK);
    bytes[at] ^= 1;
    CHECK(GET(&file, 1, &m.model, got, 9, &n, work) == BBANS_ERR_CORRUPT);
    CHECK(GET(&file, 2, &m.model, got, 9, &n, work) ==
          (checksums ? BBANS_OK : BBANS_ERR_CORRUPT));
    bytes[at] ^= 1;
    lent = bytes + header; /* arguments that are missing */
    CHECK(bbans_records_open(NULL, bytes, 1) == BBANS_ERR_NULL);
    CHECK(bbans_records_open(&file, NULL, 1) == BBANS_ERR_NULL);
    open_file(&file, bytes, sizeof bytes, group);
    CHECK(bbans_records_scan(NULL, bytes, 99, group, 1) == BBANS_ERR_NULL);
    CHECK(bbans_records_scan(&file, NULL, 99, group, 1) == BBANS_ERR_NULL);
    CHECK(bbans_records_scan(&file, bytes, 99, NULL, 1) == BBANS_ERR_NULL);
    CHECK(bbans_records_group(NULL, 0, &place) == BBANS_ERR_NULL);
    CHECK(bbans_records_group(&file, 0, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_records_group(&file, 0, &place) == BBANS_OK);
    CHECK(bbans_records_ends(NULL, &place, end) == BBANS_ERR_NULL);
    CHECK(bbans_records_ends(&file, NULL, end) == BBANS_ERR_NULL);
    CHECK(bbans_records_ends(&file, &place, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_records_find(NULL, 0, &g, &at, &n) == BBANS_ERR_NULL);
    CHECK(bbans_records_find(&file, 0, NULL, &at, &n) == BBANS_ERR_NULL);
    CHECK(bbans_records_find(&file, 0, &g, NULL, &n) == BBANS_ERR_NULL);
    CHECK(bbans_records_find(&file, 0, &g, &at, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_records_check(NULL, 0) == BBANS_ERR_NULL);
    CHECK(bbans_records_check_record(NULL, 0) == BBANS_ERR_NULL);
#define PUT(message, end, bytes, n)                                            \
    bbans_records_put_group(header, 0, message, end, 3, 0, 0, bytes, 99, n)
    CHECK(PUT(NULL, end, lent, &n) == BBANS_ERR_NULL);
    CHECK(PUT(messages, NULL, lent, &n) == BBANS_ERR_NULL);
    CHECK(PUT(messages, end, NULL, &n) == BBANS_ERR_NULL);
    CHECK(PUT(messages, end, lent, NULL) == BBANS_ERR_NULL);
    free(work);
    free_record_model(&m);
}

/* Numbers at the limits, and beyond them. */
static void test_limits(void)
{
    uint64_t most; /* records that the bytes before a group have room for */
    bbans_record_group group[1];
    bbans_records file;
    uint8_t bytes[128];
    const uint32_t end = 0;
    size_t header, n, k;

    CHECK(bbans_records_group_bytes(1, BBANS_RECORDS_BYTES_MAX, 0) >
          BBANS_RECORDS_BYTES_MAX);
    for (k = 0; k < 2; k++) {
        CHECK(bbans_records_put_header(BBANS_KIND_BYTES, 0, fingerprint, NULL,
                                       0, NULL, 0, bytes, sizeof bytes,
                                       &header) == BBANS_OK);
        most = 8 * header;
        CHECK(bbans_records_put_group(header, most + k, NULL, &end, 1, 0, 0,
                                      bytes + header, sizeof bytes - header,
                                      &n) == BBANS_OK);
        open_file(&file, bytes, header + n, group);
        CHECK(file.groups == 1 - k && file.lost == (k ? 0 : most));
    }
    bytes[6] = BBANS_KIND_INTEGERS;
    CHECK(bbans_records_open(&file, bytes, header) == BBANS_ERR_VERSION);
    bytes[6] = BBANS_KIND_TEXT + 1;
    CHECK(bbans_records_open(&file, bytes, header) == BBANS_ERR_VERSION);
    bytes[6] = BBANS_KIND_BYTES;
    bytes[7] = BBANS_RECORDS_TERMINATOR_MAX + 1;
    CHECK(bbans_records_open(&file, bytes, header) == BBANS_ERR_VERSION);
    bytes[7] = 0;
    bytes[5] = 2;
    CHECK(bbans_records_open(&file, bytes, header) == BBANS_ERR_VERSION);
    bytes[5] = 0;
    CHECK(bbans_records_open(&file, bytes, header) == BBANS_OK);
}

/* The example of docs/format.md, byte by byte, on any machine. */
static void test_the_example(void)
{
    static const uint8_t names[8] = {0x00, 0x11, 0x22, 0x33,
                                     0x44, 0x55, 0x66, 0x77};
    static const uint8_t message[6] = {0x1f, 0x5a, 0x77, 0xc1, 0xff, 0x61};
    static const uint32_t end[3] = {4, 4, 6};
    static const uint8_t wanted[] = {
        0x89, 0x62, 0x62, 0x72, 0x01, 0x01, 0x02, 0x01, 0x00, 0x11, 0x22,
        0x33, 0x44, 0x55, 0x66, 0x77, 0x00, 0x00, 0x00, 0x00, 0x0a, 0xcd,
        0x91, 0x33, 0xa9, 0x89, 0x62, 0x62, 0x67, 0x03, 0x00, 0x00, 0x01,
        0x06, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0xd8, 0xc2, 0x4b, 0xb1, 0x00, 0x2c, 0xd7, 0x37, 0x99, 0x9e,
        0xf7, 0xdf, 0x88, 0xa9, 0xf7, 0x14, 0xee, 0x4e, 0x1f, 0x5a, 0x77,
        0xc1, 0xff, 0x61, 0xf0, 0xaf, 0xef, 0x87};
    uint8_t bytes[sizeof wanted];
    size_t header, n;

    CHECK(bbans_records_put_header(BBANS_KIND_TEXT, 1, names,
                                   (const uint8_t *)"\n", 1, NULL, 0, bytes,
                                   sizeof bytes, &header) == BBANS_OK);
    CHECK(bbans_records_put_group(header, 0, message, end, 3, 1, 1,
                                  bytes + header, sizeof bytes - header,
                                  &n) == BBANS_OK);
    CHECK(header + n == sizeof wanted);
    CHECK(memcmp(bytes, wanted, sizeof wanted) == 0);
}

int main(void)
{
    static made m;
    int checksums;

    for (checksums = 0; checksums < 2; checksums++) {
        make(&m, checksums, 9);
        test_what_is_put_comes_back(&m);
        test_cuts(&m);
        test_damage(&m);
        test_any_index(&m);
        test_few_groups_of_room(&m);
    }
    begin(&m, 0);
    test_what_is_put_comes_back(&m);
    test_sizes();
    test_get(0);
    test_get(1);
    test_limits();
    test_the_example();
    printf("test_record_file: ok\n");
    return 0;
}
