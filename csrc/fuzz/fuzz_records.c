/* Fuzz record files: any bytes as a file, with the checksums of its header and
 * of the groups' made right, so that what they say is believed; and records of
 * any bytes, appended behind any of that.
 *
 * SPDX-License-Identifier: MIT */
#include "../files/bbans_files.h"
#include "fuzz.h"

#define GROUPS 64
#define RECORDS_MOST 65536
#define HEADER 20
#define GROUP 24

const size_t fuzz_size_most = 1500;

/* Right checksums of the header, and of what begins like groups. */
static void mend(uint8_t *file, size_t size)
{
    size_t at = 0;

    if (size > HEADER && file[7] <= 16 && size >= HEADER + 4u + file[7]) {
        at = HEADER + (size_t)file[7];
        bbans_store(file + at, bbans_crc32(0, file, at), 4);
    }
    for (; at + GROUP <= size; at++)
        if (memcmp(file + at,
                   "\x89"
                   "bbg",
                   4) == 0)
            bbans_store(file + at + 20, bbans_record_crc(at, file + at, 20), 4);
}

/* All that can be asked of a file: answers are within it. */
static void ask(const bbans_records *file)
{
    static uint32_t end[RECORDS_MOST];
    bbans_record_place place;
    uint64_t k, before = 0;
    size_t g, group, at, n, i;

    for (g = 0; g < file->groups; g++) {
        CHECK(bbans_records_group(file, g, &place) == BBANS_OK);
        CHECK(place.first >= before);
        CHECK(place.at + place.n_bytes <= file->end);
        CHECK(place.messages + place.message_bytes + 4 ==
              place.at + place.n_bytes);
        before = place.first + place.records;
        (void)bbans_records_check(file, g);
        if (bbans_records_ends(file, &place, end) == BBANS_OK)
            for (i = 0; i < place.records; i += 1 + place.records / 50) {
                CHECK(bbans_records_find(file, place.first + i, &group, &at,
                                         &n) == BBANS_OK);
                CHECK(group == g);
                CHECK(at == place.messages + (i > 0 ? end[i - 1] : 0));
                CHECK(at + n == place.messages + end[i]);
            }
        for (i = 0; i < 40; i++) {
            k = place.first + below((uint32_t)place.records + 3);
            if (bbans_records_find(file, k, &group, &at, &n) == BBANS_OK) {
                CHECK(at + n <= file->n_bytes);
                (void)bbans_records_check_record(file, k);
            }
        }
    }
    CHECK(before == file->records);
    CHECK(bbans_records_find(file, file->records, &group, &at, &n) ==
          BBANS_ERR_SIZE);
}

/* A record behind it is the next, whatever is before. */
static void append(const bbans_records *file, const uint8_t *bytes)
{
    static const uint32_t end[2] = {3, 3};
    bbans_record_group group[GROUPS];
    bbans_records longer;
    uint8_t *copy = fuzz_memory(file->n_bytes + 64);
    size_t n_bytes, g, at, n;

    memcpy(copy, bytes, file->n_bytes);
    if (file->cut)
        memset(copy + file->end, 0, file->n_bytes - file->end);
    CHECK(bbans_records_put_group(file->n_bytes, file->records,
                                  (const uint8_t *)"abc", end, 2,
                                  file->checksums, 0, copy + file->n_bytes, 64,
                                  &n_bytes) == BBANS_OK);
    CHECK(bbans_records_open(&longer, copy, file->n_bytes + n_bytes) ==
          BBANS_OK);
    if (bbans_records_scan(&longer, copy, longer.n_bytes, group, GROUPS) ==
        BBANS_OK) {
        CHECK(longer.records == file->records + 2);
        CHECK(bbans_records_find(&longer, file->records, &g, &at, &n) ==
              BBANS_OK);
        CHECK(n == 3 && memcmp(copy + at, "abc", 3) == 0);
        CHECK(bbans_records_check_record(&longer, file->records + 1) ==
              BBANS_OK);
    }
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bbans_record_group group[GROUPS];
    bbans_records file;
    uint8_t *copy;

    fuzz_random(size);
    copy = fuzz_copy(data, size);
    mend(copy, size);
    if (bbans_records_open(&file, copy, size) == BBANS_OK) {
        CHECK(file.end <= size);
        CHECK(file.model == NULL ||
              file.model + file.model_bytes == copy + file.end);
        if (bbans_records_scan(&file, copy, size, group, GROUPS) == BBANS_OK) {
            ask(&file);
            append(&file, copy);
        }
    }
    free(copy);
    return 0;
}

size_t fuzz_seed(uint8_t *file, size_t cap, unsigned k)
{
    static const uint8_t fingerprint[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    uint8_t message[1500];
    uint32_t end[99];
    const int checksums = (int)(k % 2);
    size_t size, n_bytes, first = 0, i, n, groups;

    fuzz_random(k);
    groups = below(5);
    for (i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)random_bits();
    CHECK(bbans_records_put_header(1 + (int)below(2), checksums, fingerprint,
                                   message, below(17), message, below(50), file,
                                   cap, &size) == BBANS_OK);
    for (; groups > 0; groups--) {
        n = 1 + below(20);
        for (i = 0; i < n; i++)
            end[i] =
                (i > 0 ? end[i - 1] : 0) + below(below(10) == 0 ? 200 : 20);
        if (bbans_records_put_group(size, first, message, end, n, checksums,
                                    (int)below(2), file + size, cap - size,
                                    &n_bytes) != BBANS_OK)
            break;
        size += n_bytes;
        first += n;
    }
    return size;
}
