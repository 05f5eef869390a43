/* Fuzz blocks of floats: any bytes as a block, and any bytes as floats through
 * a round trip.  With libFuzzer by -fsanitize=fuzzer, else over the files it is
 * given, or with none over blocks that it makes and damages itself: make fuzz.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans.h"
#include "../tests/check.h"

#include <string.h>

#define N_MAX ((size_t)1 << 14)
#define HEAD 4 /* bytes of the input that say what the rest is */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int element_of(uint8_t byte)
{
    return BBANS_ELEMENT_FLOAT16 + byte % 6;
}

/* Every buffer is of exactly its size, for the sanitizer to see its ends. */
static void decompress(int element, const uint8_t *block, size_t n_bytes,
                       size_t n, const uint8_t *expected)
{
    const size_t width = bbans_element_bytes(element);
    const size_t work_bytes = bbans_float_decoder_bytes(element, n);
    uint8_t *exact = malloc(n_bytes + 1), *work = malloc(work_bytes);
    uint8_t *out = malloc(n * width);
    bbans_status status;

    CHECK(exact != NULL && work != NULL && out != NULL && work_bytes > 0);
    memcpy(exact + 1, block, n_bytes);
    status = bbans_float_decompress(element, exact + 1, n_bytes, out, n, work,
                                    work_bytes);
    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
    if (expected != NULL)
        CHECK(status == BBANS_OK && memcmp(out, expected, n * width) == 0);
    free(exact);
    free(work);
    free(out);
}

/* Compress floats and restore them; returns the block and its size. */
static uint8_t *compress(int element, size_t channels, const bbans_grid *grid,
                         const uint8_t *data, size_t n, int level,
                         size_t *n_bytes)
{
    const size_t bound = bbans_float_bound(element, n);
    const size_t work_bytes =
        bbans_float_encoder_bytes(element, channels, grid, n, level);
    uint8_t *block = malloc(bound), *work = malloc(work_bytes);

    CHECK(block != NULL && work != NULL && work_bytes > 0);
    CHECK(bbans_float_compress(element, channels, grid, data, n, level, block,
                               bound, n_bytes, work, work_bytes) == BBANS_OK);
    CHECK(*n_bytes <= bound);
    free(work);
    decompress(element, block, *n_bytes, n, data);
    return block;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > HEAD) {
        const int element = element_of(data[0]);
        const size_t width = bbans_element_bytes(element);
        const int level = 1 + data[1] % BBANS_LEVEL_MAX;
        const size_t of = 1 + data[2] % 8u;
        const size_t some = 1 + data[3] % 64u + 64u * data[2];
        size_t n = (size - HEAD) / width, n_bytes;

        decompress(element, data + HEAD, size - HEAD, some * of, NULL);
        n = n > N_MAX ? N_MAX / of * of : n / of * of;
        if (n > 0) {
            uint8_t *floats = malloc(n * width);
            bbans_grid grid = {1 + data[3] % 5u, 1, 1, data[3] % 4u / 2 * 2};

            CHECK(floats != NULL);
            memcpy(floats, data + HEAD, n * width);
            if (data[3] % 2 == 0)
                grid.columns = of;
            else
                grid.bands = of;
            free(compress(element, of, NULL, floats, n, level, &n_bytes));
            free(compress(element, 0, &grid, floats, n, level, &n_bytes));
            free(compress(element, 0, NULL, floats, n, level, &n_bytes));
            free(floats);
        }
    }
    return 0;
}

#ifndef LIBFUZZER
/* Decimals, steps, noise, with what is none of it. */
static size_t series(int element, uint8_t *data)
{
    const size_t width = bbans_element_bytes(element);
    const size_t n = 6 * (1 + below(below(4) == 0 ? 1000 : 60));
    const double step = below(2) ? 0.01 : (1 + below(50)) / 1024.0 / 3;
    const uint32_t wild = 1 + below(200), kind = below(4);
    int64_t walk = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        const double x = (double)(walk += (int64_t)below(401) - 200) *
                         (kind == 0   ? step
                          : kind == 1 ? 1e-3 * below(9000)
                                      : 1);
        const float narrow = (float)x;
        uint64_t bits = random_bits();

        if (below(wild) > 0 && width == 8)
            memcpy(&bits, &x, 8);
        else if (below(wild) > 0 && width == 4)
            memcpy(data + width * i, &narrow, 4);
        else
            bits = (uint64_t)walk;
        if (width != 4 || below(wild) == 0)
            memcpy(data + width * i, &bits, width == 8 ? 8 : width);
    }
    return n;
}

static void damage_blocks(void)
{
    static uint8_t data[8 * 6000], input[8 * 6000 + HEAD + 1];
    size_t t, k;

    for (t = 0; t < 300; t++) {
        const int element = element_of((uint8_t)below(6));
        const size_t n = series(element, data);
        const size_t channels = 1 + below(3) % 3;
        const bbans_grid grid = {2, 3, 2, 0};
        size_t n_bytes;
        uint8_t *block = compress(element, below(2) ? channels : 0, &grid, data,
                                  n, 1 + (int)below(6), &n_bytes);

        for (k = 0; k < 30; k++) {
            size_t flips = 1 + below(3);

            memcpy(input, block, n_bytes);
            while (flips-- > 0)
                input[below(2) ? below((uint32_t)n_bytes)
                               : below(30) % n_bytes] ^=
                    (uint8_t)(1u << below(8));
            decompress(element, input, n_bytes - below(2), n, NULL);
        }
        free(block);
        memcpy(input + HEAD, data, n * bbans_element_bytes(element));
        for (k = 0; k < HEAD; k++)
            input[k] = (uint8_t)random_bits();
        LLVMFuzzerTestOneInput(input,
                               HEAD + n * bbans_element_bytes(element) / 4);
    }
}

int main(int n_files, char **files)
{
    static uint8_t data[1 << 20];
    int i;

    if (n_files < 2) {
        damage_blocks();
        printf("fuzz_float: ok\n");
    }
    for (i = 1; i < n_files; i++) {
        FILE *file = fopen(files[i], "rb");

        CHECK(file != NULL);
        LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof data, file));
        fclose(file);
    }
    return 0;
}
#endif
