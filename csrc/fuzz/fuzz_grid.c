/* Fuzz the coder of grids: any bytes as a block.  With libFuzzer by
 * -fsanitize=fuzzer, else over the files it is given, or with none over blocks
 * that it makes and damages itself: make fuzz.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans.h"
#include "../tests/check.h"

#include <string.h>

#define N_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every buffer is of exactly its size, for the sanitizer to see its ends. */
static void as_block(const uint8_t *block, size_t size, int element, size_t n)
{
    const size_t width = bbans_element_bytes(element);
    const size_t need = bbans_grid_decoder_bytes(element, n);
    uint8_t *out = malloc(n * width), *work = malloc(need);

    CHECK(out != NULL && work != NULL);
    (void)bbans_grid_decompress(element, block, size, out, n, work, need);
    free(out);
    free(work);
}

/* The element and how many there are, and then the block. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    as_block(data + 3, size - 3, BBANS_ELEMENT_UINT8 + data[0] % 8,
             1 + (data[1] + 256u * data[2]) % N_MAX);
    return 0;
}

#ifndef LIBFUZZER
/* Smooth, of few kinds, or noise. */
static size_t draw(uint8_t *data, bbans_grid *grid, size_t width)
{
    const uint32_t kinds = 1 + below(below(2) == 0 ? 8 : 256);
    uint32_t value = 0;
    size_t n, i;

    grid->columns = 1 + below(40);
    grid->bands = 1 + below(3);
    grid->rows = 1 + below(12);
    grid->period = below(3);
    n = grid->columns * grid->bands * (1 + below(24));
    for (i = 0; i < n; i++) {
        value = (value + below(3)) % kinds;
        memset(data + i * width, 0, width);
        data[i * width] = (uint8_t)value;
        if (kinds > 200)
            data[i * width + below((uint32_t)width)] = (uint8_t)below(256);
    }
    return n;
}

static void file(const char *name)
{
    FILE *f = fopen(name, "rb");
    uint8_t *data = malloc(1 << 20);

    CHECK(f != NULL && data != NULL);
    LLVMFuzzerTestOneInput(data, fread(data, 1, 1 << 20, f));
    fclose(f);
    free(data);
}

int main(int argc, char **argv)
{
    uint8_t *data = malloc(8 * N_MAX), *block = malloc(8 * N_MAX + 1);
    int i, k, flips;

    for (i = 1; i < argc; i++)
        file(argv[i]);
    CHECK(data != NULL && block != NULL);
    for (i = 0; argc == 1 && i < 60; i++) {
        const int element = BBANS_ELEMENT_UINT8 + (int)below(8);
        bbans_grid grid;
        const size_t n = draw(data, &grid, bbans_element_bytes(element));
        const int level = 1 + (int)below(9);
        const size_t need = bbans_grid_encoder_bytes(element, &grid, n, level);
        uint8_t *work = malloc(need);
        size_t size = 0;

        CHECK(work != NULL);
        CHECK(bbans_grid_compress(element, &grid, data, n, level, block,
                                  bbans_grid_bound(element, n), &size, work,
                                  need) == BBANS_OK);
        free(work);
        for (k = 0; k < 40; k++) {
            uint8_t *bad = malloc(size);

            CHECK(bad != NULL);
            memcpy(bad, block, size);
            for (flips = (int)below(4); flips >= 0; flips--)
                bad[below(2) == 0 && size > 40 ? size - 1 - below(40)
                                               : below((uint32_t)size)] ^=
                    (uint8_t)(1u << below(8));
            bbans_isa_use(k % 2 == 0 ? BBANS_ISA_PORTABLE : BBANS_ISA_BEST);
            as_block(bad, size - below(k % 8 == 0 ? (uint32_t)size : 1),
                     element, n);
            free(bad);
        }
    }
    free(data);
    free(block);
    printf("fuzz_grid: ok\n");
    return 0;
}
#endif
