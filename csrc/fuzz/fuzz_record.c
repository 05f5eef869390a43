/* Fuzz records: the first bytes choose a model, the rest are a message, and a
 * record.  With libFuzzer by -fsanitize=fuzzer, else over the files it is
 * given, or with none over messages that it makes and damages itself: make
 * fuzz.
 *
 * SPDX-License-Identifier: MIT */
#include "../tests/record_model.h"

#define SIZE_MOST 400
#define CAP_MOST 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned decoded;

/* In arrays of their own, so that the sanitizer sees what is beyond. */
static void decode(const bbans_model *model, const uint8_t *data, size_t size,
                   void *work, size_t work_bytes)
{
    const size_t cap = below(CAP_MOST);
    uint8_t *bytes = allocate(size), *record = allocate(cap), *again;
    bbans_status status;
    size_t n, n_bytes;

    memcpy(bytes, data, size);
    status = bbans_record_decode(model, bytes, size, record, cap, &n, work,
                                 work_bytes);
    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT ||
          (status == BBANS_ERR_CAPACITY && n > cap));
    if (status == BBANS_OK && (size == 0 || bytes[0] != BBANS_RECORD_STORED)) {
        decoded++;
        again = allocate(bbans_record_bound(n));
        CHECK(bbans_record_encode(model, record, n, again,
                                  bbans_record_bound(n), &n_bytes, work,
                                  work_bytes) == BBANS_OK);
        CHECK(n_bytes == size && memcmp(again, bytes, size) == 0);
        free(again);
    }
    free(bytes);
    free(record);
}

static void encode(const bbans_model *model, const uint8_t *data, size_t size,
                   void *work, size_t work_bytes)
{
    const size_t cap = bbans_record_bound(size);
    uint8_t *record = allocate(size), *bytes = allocate(cap),
            *again = allocate(size);
    size_t n, n_bytes;

    memcpy(record, data, size);
    CHECK(bbans_record_encode(model, record, size, bytes, cap, &n_bytes, work,
                              work_bytes) == BBANS_OK);
    CHECK(n_bytes <= size + 1);
    CHECK(bbans_record_decode(model, bytes, n_bytes, again, size, &n, work,
                              work_bytes) == BBANS_OK);
    CHECK(n == size && memcmp(again, record, n) == 0);
    free(record);
    free(bytes);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t work_bytes;
    record_model m;
    void *work;

    if (size < 2 || size > SIZE_MOST)
        return 0;
    check_state = 1 + data[0]; /* the model is a function of the data */
    make_record_model(&m, data[1] % RECORD_KINDS, data[1] / RECORD_KINDS % 2);
    work_bytes = bbans_record_work_bytes(&m.model);
    work = allocate(work_bytes);
    decode(&m.model, data + 2, size - 2, work, work_bytes);
    encode(&m.model, data + 2, size - 2, work, work_bytes);
    free(work);
    free_record_model(&m);
    return 0;
}

#ifndef LIBFUZZER
static void over_file(const char *name)
{
    static uint8_t data[SIZE_MOST];
    FILE *file = fopen(name, "rb");

    CHECK(file != NULL);
    (void)LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    int i;

    for (i = 1; i < argc; i++)
        over_file(argv[i]);
    for (i = 0; argc == 1 && i < 25000; i++) {
        uint8_t data[SIZE_MOST];
        const size_t size = 2 + below(i % 10 == 0 ? SIZE_MOST - 2 : 12);
        const uint64_t state = random_bits();
        size_t k;

        check_state = state | 1;
        for (k = 0; k < size; k++)
            data[k] = below(3) == 0 ? (uint8_t) "\0\1\x7f\x80\xff ab"[below(8)]
                                    : (uint8_t)random_bits();
        (void)LLVMFuzzerTestOneInput(data, size);
        check_state = state ^ (uint64_t)i << 8 ^ 1;
        if (check_state == 0)
            check_state = 1;
    }
    CHECK(argc > 1 || decoded > 1000);
    printf("fuzz_record: ok, %u records\n", decoded);
    return 0;
}
#endif
