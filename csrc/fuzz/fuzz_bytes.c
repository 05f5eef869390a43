/* Fuzz the byte coder: any bytes as a block, and any bytes through a round
 * trip. With libFuzzer by -fsanitize=fuzzer, else over the files it is given,
 * or with none over blocks that it makes and damages itself: make fuzz.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans.h"
#include "../tests/check.h"

#include <string.h>

#define N_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every buffer is of exactly its size, for the sanitizer to see its ends. */
static void as_block(const uint8_t *data, size_t size, int isa)
{
    size_t n, written;

    if (bbans_bytes_size(data, size, &n) == BBANS_OK && n <= N_MAX) {
        const size_t work_bytes = bbans_bytes_work_bytes(n);
        uint8_t *out = malloc(n + 1), *work = malloc(work_bytes);

        CHECK(out != NULL && work != NULL);
        bbans_isa_use(isa);
        if (bbans_bytes_decompress(data, size, out, n, &written, work,
                                   work_bytes) == BBANS_OK)
            CHECK(written == n);
        free(out);
        free(work);
    }
}

static size_t as_data(const uint8_t *data, size_t size, int order,
                      uint8_t **block)
{
    const size_t bound = bbans_bytes_bound(size);
    const size_t work_bytes = bbans_bytes_work_bytes(size);
    uint8_t *packed = malloc(bound), *work = malloc(work_bytes);
    uint8_t *back = malloc(size + 1);
    size_t n = 0, packed_size = 0;

    CHECK(packed != NULL && work != NULL && back != NULL);
    CHECK(bbans_bytes_compress(data, size, order, packed, bound, &packed_size,
                               work, work_bytes) == BBANS_OK);
    CHECK(packed_size <= bound);
    CHECK(bbans_bytes_decompress(packed, packed_size, back, size, &n, work,
                                 work_bytes) == BBANS_OK);
    CHECK(n == size && (n == 0 || memcmp(back, data, n) == 0));
    free(work);
    free(back);
    *block = packed;
    return packed_size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int order;

    if (size > N_MAX)
        return 0;
    as_block(data, size, BBANS_ISA_PORTABLE);
    as_block(data, size, BBANS_ISA_BEST);
    for (order = 0; order <= 1; order++) {
        uint8_t *block;

        as_data(data, size, order, &block);
        free(block);
    }
    return 0;
}

#ifndef LIBFUZZER
/* Bytes whose next is mostly their last plus one of a few. */
static size_t walk(uint8_t *data)
{
    const size_t n = below(below(8) == 0 ? 60000 : 3000);
    const uint32_t symbols = 1 + below(256), step = 1 + below(5);
    uint32_t value = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        value = (value + below(step) * below(2)) % symbols;
        data[i] = (uint8_t)value;
    }
    for (i = 0; n > 30000 && i < 3; i++) /* too rare for a slot: patched */
        data[below((uint32_t)n)] = (uint8_t)below(256);
    return n;
}

static void file(const char *name)
{
    FILE *f = fopen(name, "rb");
    uint8_t *data = malloc(N_MAX);

    CHECK(f != NULL && data != NULL);
    LLVMFuzzerTestOneInput(data, fread(data, 1, N_MAX, f));
    fclose(f);
    free(data);
}

int main(int argc, char **argv)
{
    uint8_t *data = malloc(60000), *block;
    int i, k, flips, patched = 0;

    for (i = 1; i < argc; i++)
        file(argv[i]);
    CHECK(data != NULL);
    for (i = 0; argc == 1 && i < 300; i++) {
        const size_t size = as_data(data, walk(data), i % 2, &block);

        patched += (block[0] & 3) == 2 && block[0] >> 7 != 0;
        for (k = 0; k < 100; k++) {
            uint8_t *bad = malloc(size);

            CHECK(bad != NULL);
            memcpy(bad, block, size);
            for (flips = (int)below(4); flips >= 0; flips--)
                bad[below(below(2) == 0 && size > 40 ? 40 : (uint32_t)size)] ^=
                    (uint8_t)(1u << below(8));
            as_block(bad, size - below(k % 8 == 0 ? (uint32_t)size : 1),
                     k % 2 == 0 ? BBANS_ISA_PORTABLE : BBANS_ISA_BEST);
            free(bad);
        }
        free(block);
    }
    free(data);
    CHECK(argc > 1 || patched > 0);
    printf("fuzz_bytes: ok\n");
    return 0;
}
#endif
