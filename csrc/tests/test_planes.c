/* Blocks of floats as planes: weights come back, at every level and on every
 * machine, and what is random is stored.
 *
 * SPDX-License-Identifier: MIT */
#include "check.h"
#include "floats/bbans_floats.h"

#include <string.h>

#define N_MAX 300000

typedef enum { WEIGHTS, ZEROS, RANDOM, FEW, TWO_SCALES, KINDS } kind;

/* Elements of `bits` bits about as trained weights have them: an exponent falls
 * off below the most, the rest is random. */
static uint64_t element_of(kind which, size_t i, unsigned bits)
{
    const uint64_t random = random_bits() >> (64 - bits);
    uint64_t exponent = 0;

    switch (which) {
    case ZEROS: return 0;
    case RANDOM: return random;
    case FEW: return (uint64_t)0x3c << (bits - 8) | below(3);
    default: break;
    }
    while (exponent < 40 && below(2) == 0)
        exponent++;
    if (which == TWO_SCALES && i > N_MAX / 2)
        exponent += 60; /* in a part of the block only */
    exponent = 100 - exponent;
    if (bits == 8)
        return (random & 0x87) | (exponent & 15) << 3;
    return (random >> 7 & ~(UINT64_C(0xff) << (bits - 9))) |
           exponent << (bits - 9) | (random & 1) << (bits - 1);
}

static void put_element(uint8_t *to, uint64_t v, size_t width)
{
    const uint8_t v8 = (uint8_t)v;
    const uint16_t v16 = (uint16_t)v;
    const uint32_t v32 = (uint32_t)v;

    memcpy(to,
           width == 1   ? (const void *)&v8
           : width == 2 ? (const void *)&v16
           : width == 4 ? (const void *)&v32
                        : (const void *)&v,
           width);
}

static void round_trip(int element, kind which, size_t n, int level)
{
    const size_t width = bbans_element_bytes(element);
    const size_t bound = bbans_planes_bound(element, n);
    const size_t work_bytes = bbans_planes_encoder_bytes(element, n, level);
    const size_t rest_bytes = bbans_planes_decoder_bytes(element, n);
    uint8_t *const data = malloc(n * width), *const back = malloc(n * width);
    uint8_t *const block = malloc(bound), *const again = malloc(bound);
    void *const work = malloc(work_bytes), *const rest = malloc(rest_bytes);
    size_t i, size = 0, other = 0;
    int isa;

    CHECK(data && back && block && again && work && rest);
    for (i = 0; i < n; i++)
        put_element(data + i * width, element_of(which, i, 8 * (unsigned)width),
                    width);
    bbans_isa_use(BBANS_ISA_PORTABLE);
    CHECK(bbans_planes_compress(element, data, n, level, block, bound, &size,
                                work, work_bytes) == BBANS_OK);
    CHECK(size > 0 && size <= bound);
    if (which == ZEROS && n > 20)
        CHECK(size < 20 * width);
    if (which == WEIGHTS && n == N_MAX && width == 2)
        CHECK(10 * size < 13 * n); /* 2 and 8 bits of 16 */
    if (which == RANDOM && n == N_MAX && level < 7)
        CHECK(size == (n + 1) * width);
    if (which == TWO_SCALES && n == N_MAX && width == 2)
        CHECK(10 * size < 14 * n);
    FOR_EACH_ISA(isa)
    {
        CHECK(bbans_planes_compress(element, data, n, level, again, bound,
                                    &other, work, work_bytes) == BBANS_OK);
        CHECK(other == size && memcmp(again, block, size) == 0);
        memset(back, 0xa5, n * width);
        CHECK(bbans_planes_decompress(element, block, size, back, n, rest,
                                      rest_bytes) == BBANS_OK);
        CHECK(memcmp(back, data, n * width) == 0);
    }
    CHECK(bbans_planes_compress(element, data, n, level, again, size - 1,
                                &other, work,
                                work_bytes) == BBANS_ERR_CAPACITY);
    for (i = 0; i < 30; i++) { /* cut anywhere */
        const size_t cut = i < 2 ? i : below((uint32_t)size);
        uint8_t *const exact = malloc(cut + 1);

        memcpy(exact + 1, block, cut);
        CHECK(bbans_planes_decompress(element, exact + 1, cut, back, n, rest,
                                      rest_bytes) == BBANS_ERR_CORRUPT);
        free(exact);
    }
    memcpy(again, block, size);
    if (size < bound) {
        again[size] = 0;
        CHECK(bbans_planes_decompress(element, again, size + 1, back, n, rest,
                                      rest_bytes) == BBANS_ERR_CORRUPT);
    }
    for (i = 0; i < 30; i++) { /* damaged: an error, or other elements */
        const size_t at = below((uint32_t)size);

        again[at] ^= (uint8_t)(1 + below(255));
        (void)bbans_planes_decompress(element, again, size, back, n, rest,
                                      rest_bytes);
        again[at] = block[at];
    }
    free(data);
    free(back);
    free(block);
    free(again);
    free(work);
    free(rest);
}

int main(void)
{
    static const int elements[] = {
        BBANS_ELEMENT_FLOAT8_E4M3, BBANS_ELEMENT_BFLOAT16,
        BBANS_ELEMENT_FLOAT32, BBANS_ELEMENT_FLOAT64};
    size_t e;
    int which, level;

    for (e = 0; e < 4; e++)
        for (which = 0; which < KINDS; which++)
            for (level = 1; level <= 9; level += 4) {
                if (e == 1 || (level == 1 && e < 3))
                    round_trip(elements[e], (kind)which, N_MAX, level);
                round_trip(elements[e], (kind)which, 1 + below(3000), level);
                round_trip(elements[e], (kind)which, 1 + below(3), level);
            }
    printf("test_planes: ok\n");
    return 0;
}
