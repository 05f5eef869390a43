/* Blocks of grids: every one comes back, with the same bytes on every machine;
 * what no encoder wrote is values or a status.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

#define N_MAX 6000

static const int elements[] = {BBANS_ELEMENT_UINT8,  BBANS_ELEMENT_INT8,
                               BBANS_ELEMENT_UINT16, BBANS_ELEMENT_INT16,
                               BBANS_ELEMENT_UINT32, BBANS_ELEMENT_INT32,
                               BBANS_ELEMENT_UINT64, BBANS_ELEMENT_INT64};

static const bbans_grid grids[] = {
    {40, 50, 1, 0},  {16, 16, 3, 0}, {8, 9, 1, 0},   {5, 7, 2, 3},
    {1, 1, 1, 0},    {1, 300, 1, 0}, {300, 1, 2, 0}, {3, 2, 9, 2},
    {100, 20, 1, 0}, {1, 1, 7, 0},   {2, 40, 4, 2},  {1000, 30, 1, 0}};

enum {
    CONSTANT,
    RAMP,
    SMOOTH,
    PHOTO,
    MULTIPLES,
    SPARSE,
    MASK,
    LABELS,
    ENDS,
    RARE,
    NOISE,
    PICTURES
};

static uint8_t data[8 * N_MAX], back[8 * N_MAX], block[8 * N_MAX + 1];

static void put(size_t i, size_t width, uint64_t bits)
{
    const uint8_t narrow = (uint8_t)bits;
    const uint16_t half = (uint16_t)bits;
    const uint32_t word = (uint32_t)bits;
    const void *from = width == 1   ? (const void *)&narrow
                       : width == 2 ? (const void *)&half
                       : width == 4 ? (const void *)&word
                                    : (const void *)&bits;

    memcpy(data + i * width, from, width);
}

static void draw(const bbans_grid *grid, int picture, size_t width, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const size_t band = i % grid->bands, pixel = i / grid->bands;
        const size_t x = pixel % grid->columns, y = pixel / grid->columns;
        const size_t frame = y / grid->rows, row = y % grid->rows;
        const uint64_t wide = (uint64_t)1 << (8 * width - 2);
        const size_t far = (x + frame) * (x + frame) + row * row;
        uint64_t v = 0;

        switch (picture) {
        case CONSTANT: v = 7 + band; break;
        case RAMP: v = x + 3 * row + frame + band; break;
        case SMOOTH: v = 60 + (far / 16 + 20 * band) % 128; break;
        case PHOTO:
            v = 60 + ((far / 9) & 63) + below(5) + 9 * band + below(2) * frame;
            break;
        case MULTIPLES: v = 3 * ((x * row + band) % 40); break;
        case SPARSE: v = (x + row) % 11 * (x + row) % 11 * 2; break;
        case MASK: v = far % 97 < 50; break;
        case LABELS: v = (x / 7 + row / 5 * 3 + frame) % 17; break;
        case ENDS: v = below(8) > 0 ? 0 : 0 - (uint64_t)below(2); break;
        case RARE: v = below(12) > 0 ? 0 : random_bits(); break;
        case NOISE: v = random_bits(); break;
        default: break;
        }
        if (picture == SMOOTH && width > 2)
            v = v * (wide >> 10) + below(16);
        put(i, width, v);
    }
}

/* FNV-1a, of a block. */
static uint64_t digest(uint64_t h, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        h = (h ^ block[i]) * UINT64_C(1099511628211);
    return h;
}

static size_t round_trip(int element, const bbans_grid *grid, size_t n,
                         int level)
{
    const size_t width = bbans_element_bytes(element);
    size_t need = bbans_grid_encoder_bytes(element, grid, n, level);
    const size_t bound = bbans_grid_bound(element, n);
    uint64_t *work = malloc(need);
    size_t n_bytes = 0;

    CHECK(need > 0 && work != NULL);
    CHECK(bbans_grid_compress(element, grid, data, n, level, block, bound,
                              &n_bytes, work, need) == BBANS_OK);
    CHECK(n_bytes >= 1 && n_bytes <= bound);
    free(work);
    need = bbans_grid_decoder_bytes(element, n);
    work = malloc(need);
    CHECK(need > 0 && work != NULL);
    memset(back, 0xA5, n * width);
    CHECK(bbans_grid_decompress(element, block, n_bytes, back, n, work, need) ==
          BBANS_OK);
    CHECK(memcmp(back, data, n * width) == 0);
    free(work);
    return n_bytes;
}

/* All pictures on all grids, with all kernels alike. */
static void test_round_trips(void)
{
    const size_t n_grids = sizeof grids / sizeof *grids;
    int isa, element, picture, level;
    uint64_t first = 0;
    size_t i;

    FOR_EACH_ISA(isa)
    {
        uint64_t h = UINT64_C(14695981039346656037);

        check_state = 1;
        for (i = 0; i < n_grids; i++)
            for (element = 0; element < 8; element++)
                for (picture = 0; picture < PICTURES; picture++) {
                    const bbans_grid *grid = grids + i;
                    const size_t row = grid->columns * grid->bands;
                    const size_t n = row * (1 + below((uint32_t)(2000 / row)));

                    level = 1 + (int)below(9);
                    draw(grid, picture, bbans_element_bytes(elements[element]),
                         n);
                    h = digest(h,
                               round_trip(elements[element], grid, n, level));
                }
        if (first == 0)
            first = h;
        CHECK(h == first);
    }
}

int main(void)
{
    test_round_trips();
    printf("test_grid: ok\n");
    return 0;
}
