/* Fuzz the device's coder of records: model files, whole and damaged ones, and
 * under them records and messages, as the library codes them.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_tiny.h"
#include "contexts.h"

#define STATES_MOST 4
#define SYMBOLS_MOST 10
#define RECORD_MOST 40
#define CAP_MOST 100

const size_t fuzz_size_most = 400;

/* A plain model file of an autoregressive model of bytes or text. */
static uint8_t *make_file(fuzz_input *in, size_t *n)
{
    const size_t states = 1 + fuzz_below(in, STATES_MOST);
    const int ends = (int)fuzz_below(in, 2), all = fuzz_below(in, 4) == 1;
    const int kind =
        all && fuzz_below(in, 2) ? BBANS_KIND_TEXT : BBANS_KIND_BYTES;
    const size_t listed = all ? 256 : 1 + fuzz_below(in, SYMBOLS_MOST);
    const size_t symbols = listed + (size_t)ends, rows = 1 + 2 * states;
    const unsigned prec = 9 + fuzz_below(in, BBANS_CONTEXT_BITS - 8);
    const size_t memory_bytes = bbans_hmm_bytes(states, symbols);
    uint32_t *mass = fuzz_memory(4 * states * (1 + states + symbols));
    uint32_t *row = mass;
    void *memory = fuzz_memory(memory_bytes);
    bbans_contexts contexts = fuzz_contexts(in, (uint32_t)symbols);
    int64_t value[256];
    uint8_t *bytes, none;
    bbans_hmm hmm;
    size_t i;

    for (i = 0; i < listed; i++)
        value[i] = all ? (int64_t)i : (int64_t)(97 + i);
    for (i = 0; i < rows; i++) {
        const size_t columns = i <= states ? states : symbols;

        fuzz_masses(in, row, columns, (uint32_t)1 << prec);
        row += columns;
    }
    CHECK(bbans_hmm_init(&hmm, states, symbols, prec, 1, mass, mass + states,
                         mass + states * (1 + states), memory,
                         memory_bytes) == BBANS_OK);
    CHECK(bbans_hmm_set_contexts(&hmm, &contexts) == BBANS_OK);
    CHECK(bbans_model_write(&hmm.space, kind, all ? NULL : value, ends, &none,
                            0, n) == BBANS_ERR_CAPACITY);
    bytes = fuzz_memory(*n);
    CHECK(bbans_model_write(&hmm.space, kind, all ? NULL : value, ends, bytes,
                            *n, n) == BBANS_OK);
    fuzz_contexts_free(&contexts);
    free(mass);
    free(memory);
    return bytes;
}

/* A record both ways, by either. */
static void encode(const bbans_tiny_model *tiny, const bbans_model *big,
                   const uint8_t *data, size_t size, void *work,
                   size_t work_bytes)
{
    const size_t cap = bbans_record_bound(size);
    uint8_t *record = fuzz_copy(data, size), *back = fuzz_memory(size);
    uint8_t *bytes = fuzz_memory(cap), *small = fuzz_memory(size + 1);
    size_t n, n_small, n_back;

    CHECK(bbans_record_encode(big, record, size, bytes, cap, &n, work,
                              work_bytes) == BBANS_OK);
    CHECK(bbans_tiny_record_encode(tiny, record, size, small, size + 1,
                                   &n_small) == BBANS_OK);
    CHECK(n == n_small && fuzz_same(bytes, small, n));
    CHECK(bbans_tiny_record_decode(tiny, small, n, back, size, &n_back) ==
          BBANS_OK);
    CHECK(n_back == size && fuzz_same(back, record, size));
    free(record);
    free(back);
    free(bytes);
    free(small);
}

static void decode(const bbans_tiny_model *tiny, const bbans_model *big,
                   const uint8_t *data, size_t size, size_t cap, void *work,
                   size_t work_bytes)
{
    uint8_t *bytes = fuzz_copy(data, size);
    uint8_t *record = fuzz_memory(cap), *other = fuzz_memory(cap);
    size_t n, n_other;
    const bbans_status status =
        bbans_tiny_record_decode(tiny, bytes, size, record, cap, &n);

    CHECK(bbans_record_decode(big, bytes, size, other, cap, &n_other, work,
                              work_bytes) == status);
    if (status == BBANS_OK)
        CHECK(n == n_other && fuzz_same(record, other, n));
    else
        CHECK(status == BBANS_ERR_CORRUPT || status == BBANS_ERR_CAPACITY);
    free(bytes);
    free(record);
    free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const size_t cap = fuzz_below(&in, CAP_MOST);
    const size_t flips = fuzz_below(&in, 4) == 1 ? 1 + fuzz_below(&in, 3) : 0;
    const size_t n_record = fuzz_below(&in, RECORD_MOST);
    uint8_t record[RECORD_MOST], *file;
    bbans_tiny_model tiny;
    bbans_status status;
    bbans_model big;
    size_t n, i;

    for (i = 0; i < n_record; i++)
        record[i] = (uint8_t)(fuzz_bits(&in, 1) % 16 + 97);
    file = make_file(&in, &n);
    for (i = 0; i < flips; i++)
        file[fuzz_below(&in, (uint32_t)n)] = (uint8_t)fuzz_bits(&in, 1);
    bbans_store(file + n - 4, bbans_crc32(0, file, n - 4), 4);
    status = bbans_tiny_model_init(&tiny, file, n);
    CHECK(status == BBANS_OK || flips > 0);
    if (bbans_model_parse(&big, file, n) == BBANS_OK) {
        const size_t memory_bytes = bbans_model_bytes(&big);
        void *memory =
            memory_bytes < 1 << 20 ? fuzz_memory(memory_bytes) : NULL;
        const int built =
            memory != NULL &&
            bbans_model_build(&big, memory, memory_bytes) == BBANS_OK;

        if (status == BBANS_OK) {
            size_t work_bytes;
            void *work;

            CHECK(built);
            work_bytes = bbans_record_work_bytes(&big);
            CHECK(work_bytes > 0);
            work = fuzz_memory(work_bytes);
            encode(&tiny, &big, record, n_record, work, work_bytes);
            decode(&tiny, &big, in.at, in.left, cap, work, work_bytes);
            free(work);
        }
        free(memory);
    } else {
        CHECK(status != BBANS_OK);
    }
    free(file);
    return 0;
}
