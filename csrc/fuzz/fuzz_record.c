/* Fuzz records: the first bytes choose a model, the rest are a message, and a
 * record.  What decodes is what the encoder writes; any record comes back.
 *
 * SPDX-License-Identifier: MIT */
#include "../tests/record_model.h"
#include "fuzz.h"

#define CAP_MOST 200

const size_t fuzz_size_most = 100;

static void decode(const bbans_model *model, const uint8_t *data, size_t size,
                   void *work, size_t work_bytes)
{
    const size_t cap = below(CAP_MOST);
    uint8_t *bytes = fuzz_copy(data, size), *record = fuzz_memory(cap), *again;
    bbans_status status;
    size_t n, n_bytes;

    status = bbans_record_decode(model, bytes, size, record, cap, &n, work,
                                 work_bytes);
    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT ||
          (status == BBANS_ERR_CAPACITY && n > cap));
    if (status == BBANS_OK && (size == 0 || bytes[0] != BBANS_RECORD_STORED)) {
        again = fuzz_memory(bbans_record_bound(n));
        CHECK(bbans_record_encode(model, record, n, again,
                                  bbans_record_bound(n), &n_bytes, work,
                                  work_bytes) == BBANS_OK);
        CHECK(n_bytes == size && fuzz_same(again, bytes, size));
        free(again);
    }
    free(bytes);
    free(record);
}

static void encode(const bbans_model *model, const uint8_t *data, size_t size,
                   void *work, size_t work_bytes)
{
    const size_t cap = bbans_record_bound(size);
    uint8_t *record = fuzz_copy(data, size), *bytes = fuzz_memory(cap),
            *again = fuzz_memory(size);
    size_t n, n_bytes;

    CHECK(bbans_record_encode(model, record, size, bytes, cap, &n_bytes, work,
                              work_bytes) == BBANS_OK);
    CHECK(n_bytes <= size + 1);
    CHECK(bbans_record_decode(model, bytes, n_bytes, again, size, &n, work,
                              work_bytes) == BBANS_OK);
    CHECK(n == size && fuzz_same(again, record, n));
    free(record);
    free(bytes);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    size_t work_bytes;
    record_model m;
    unsigned kind;
    void *work;

    fuzz_random(fuzz_below(&in, 256));
    if (!fuzz_use_isa(fuzz_below(&in, 4)))
        (void)fuzz_use_isa(0);
    kind = fuzz_below(&in, 2 * RECORD_KINDS);
    make_record_model(&m, kind / 2, kind % 2);
    work_bytes = bbans_record_work_bytes(&m.model);
    work = fuzz_memory(work_bytes);
    decode(&m.model, in.at, in.left, work, work_bytes);
    encode(&m.model, in.at, in.left, work, work_bytes);
    free(work);
    free_record_model(&m);
    return 0;
}
