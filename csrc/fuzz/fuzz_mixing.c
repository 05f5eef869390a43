/* Fuzz blocks of bytes under mixed contexts: any bytes as a block, and any
 * bytes through a round trip.  With libFuzzer by -fsanitize=fuzzer, else over
 * the files it is given, or with none over blocks that it makes and damages
 * itself: make fuzz.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans.h"
#include "../tests/check.h"

#include <string.h>

#define N_MAX ((size_t)1 << 14)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every buffer is of exactly its size, for the sanitizer to see its ends. */
static void as_block(const uint8_t *block, size_t size, int isa)
{
    size_t n, written = 0;

    if (bbans_mixing_size(block, size, &n) == BBANS_OK && n <= N_MAX) {
        const size_t work_bytes = bbans_mixing_decoder_bytes(block, size);
        uint8_t *out = malloc(n + 1), *work = malloc(work_bytes);

        CHECK(out != NULL && work != NULL);
        bbans_isa_use(isa);
        if (bbans_mixing_decompress(block, size, out, n, &written, work,
                                    work_bytes) == BBANS_OK)
            CHECK(written == n);
        free(out);
        free(work);
    }
}

static size_t as_data(const uint8_t *data, size_t size, int level, int line,
                      uint8_t **block)
{
    const size_t bound = bbans_mixing_bound(size);
    const size_t work_bytes = bbans_mixing_encoder_bytes(size, level);
    uint8_t *packed = malloc(bound), *work = malloc(work_bytes);
    uint8_t *back = malloc(size + 1);
    size_t n = 0, packed_size = 0;

    CHECK(packed != NULL && work != NULL && back != NULL);
    CHECK(bbans_mixing_compress(data, size, level, line, packed, bound,
                                &packed_size, work, work_bytes) == BBANS_OK);
    CHECK(packed_size <= bound);
    CHECK(bbans_mixing_decoder_bytes(packed, packed_size) <= work_bytes);
    CHECK(bbans_mixing_decompress(packed, packed_size, back, size, &n, work,
                                  work_bytes) == BBANS_OK);
    CHECK(n == size && (n == 0 || memcmp(back, data, n) == 0));
    free(work);
    free(back);
    *block = packed;
    return packed_size;
}

/* The level and the line, and then a block or data. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *block;

    if (size < 2 || size > N_MAX)
        return 0;
    as_block(data + 2, size - 2, BBANS_ISA_PORTABLE);
    as_block(data + 2, size - 2, BBANS_ISA_BEST);
    as_data(data + 2, size - 2, 3 + data[0] % 7, data[1] - 1, &block);
    free(block);
    return 0;
}

#ifndef LIBFUZZER
/* Of few kinds of bytes; or repeated, not quite, at a distance. */
static size_t draw(uint8_t *data)
{
    const size_t n = below(below(8) == 0 ? (uint32_t)N_MAX : 1500);
    const uint32_t kinds = 1 + below(256), period = 1 + below(300);
    const uint32_t rare = 1 + below(100);
    size_t i;

    for (i = 0; i < n; i++)
        data[i] = i < period || below(rare) == 0 ? (uint8_t)below(kinds)
                                                 : data[i - period];
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
    uint8_t *data = malloc(N_MAX), *block;
    int i, k, flips;

    for (i = 1; i < argc; i++)
        file(argv[i]);
    CHECK(data != NULL);
    for (i = 0; argc == 1 && i < 60; i++) {
        const int line = (int)below(4) == 0 ? (int)below(400) : -1;
        const size_t size = as_data(data, draw(data), 3 + i % 7, line, &block);

        for (k = 0; k < 20; k++) {
            uint8_t *bad = malloc(size);

            CHECK(bad != NULL);
            memcpy(bad, block, size);
            for (flips = (int)below(4); flips >= 0; flips--)
                bad[below(below(2) == 0 && size > 8 ? 8 : (uint32_t)size)] ^=
                    (uint8_t)(1u << below(8));
            as_block(bad, size - below(k % 8 == 0 ? (uint32_t)size : 1),
                     k % 2 == 0 ? BBANS_ISA_PORTABLE : BBANS_ISA_BEST);
            free(bad);
        }
        free(block);
    }
    free(data);
    printf("fuzz_mixing: ok\n");
    return 0;
}
#endif
