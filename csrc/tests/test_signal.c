/* Blocks of signals: every series comes back, with the same bytes on every
 * machine; what no encoder wrote is values or a status.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

#define N_MAX 20000

static const int elements[] = {BBANS_ELEMENT_UINT8,  BBANS_ELEMENT_INT8,
                               BBANS_ELEMENT_UINT16, BBANS_ELEMENT_INT16,
                               BBANS_ELEMENT_UINT32, BBANS_ELEMENT_INT32,
                               BBANS_ELEMENT_UINT64, BBANS_ELEMENT_INT64};

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

/* FNV-1a, of a block. */
static uint64_t digest(uint64_t h, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        h = (h ^ block[i]) * UINT64_C(1099511628211);
    return h;
}

static uint64_t power(unsigned bits)
{
    return (uint64_t)1 << bits;
}

/* Of series as they occur, and as they should not. */
enum {
    CONSTANT,
    REGULAR,
    CUBIC,
    WALK,
    RESONANCE,
    MULTIPLES,
    SPARSE,
    FEW,
    JITTERED,
    WRAPPED,
    ENDS,
    NOISE,
    SWITCHING,
    SERIES
};

static void make_series(int kind, size_t width, size_t steps, size_t channels)
{
    const unsigned shift = below(64);
    const uint64_t start = random_bits(), step = random_bits() >> shift;
    const unsigned bits = 1 + below((uint32_t)(8 * width));
    uint64_t few[8], table[64];
    size_t c, t;

    for (t = 0; t < 8; t++)
        few[t] = random_bits();
    for (table[0] = start, t = 1; t < 64; t++)
        table[t] = table[t - 1] + 1 + below(9);
    for (c = 0; c < channels; c++) {
        int64_t a = 0, b = 0, x = 0;

        for (t = 0; t < steps; t++) {
            const uint64_t noise = random_bits() >> (64 - bits);
            const uint64_t sum = below(16) + below(16) + below(16);
            uint64_t v;

            switch (kind) {
            case CONSTANT: v = start; break;
            case REGULAR: v = start + t * step; break;
            case CUBIC:
                v = start + (uint64_t)t * t * t * step + t * few[0];
                break;
            case MULTIPLES: v = start + step * (sum + t / 16); break;
            case SPARSE: v = table[(sum + t) % 64]; break;
            case FEW: v = few[below(3) * below(3)]; break;
            case JITTERED: v = start + t * step + sum; break;
            case WRAPPED:
                v = (t * 97 + sum) & (UINT64_MAX >> (64 - bits));
                break;
            case ENDS: v = below(2) ? power(63) - 1 : power(63); break;
            case NOISE: v = noise; break;
            default: /* of an equation of the second order */
                x = (102 * a - 51 * b) / 64 + (int64_t)sum - 22;
                if (kind == WALK)
                    x = a + (int64_t)sum - 22;
                if (kind == SWITCHING && t % 512 < 256)
                    x = a / 2 + ((int64_t)sum - 22) * 16;
                b = a;
                a = x;
                v = start + (uint64_t)x;
            }
            put(t * channels + c, width, v);
        }
    }
}

/* With workspaces of the least size, of which nothing else is written. */
static size_t round_trip(int element, const uint64_t *line, size_t steps,
                         size_t channels, int level)
{
    const size_t width = bbans_element_bytes(element), n = steps * channels;
    const size_t need =
        bbans_signal_encoder_bytes(element, steps, channels, level);
    const size_t more = bbans_signal_decoder_bytes(n);
    const size_t bound = bbans_signal_bound(element, n);
    void *work = malloc(need);
    size_t size, again;

    CHECK(work != NULL && need > 0 && bound > 0 && bound <= sizeof block);
    CHECK(bbans_signal_compress(element, line, data, steps, channels, level,
                                block, bound, &size, work, need) == BBANS_OK);
    CHECK(size >= 1 && size <= bound);
    CHECK(bbans_signal_compress(element, line, data, steps, channels, level,
                                block, size, &again, work, need) == BBANS_OK);
    CHECK(again == size);
    free(work);
    work = malloc(more);
    CHECK(work != NULL && more > 0);
    memset(back, 0x55, sizeof back);
    CHECK(bbans_signal_decompress(element, line, block, size, back, n, work,
                                  more) == BBANS_OK);
    CHECK(memcmp(back, data, n * width) == 0);
    free(work);
    return size;
}

static uint64_t test_series(void)
{
    uint64_t h = UINT64_C(14695981039346656037);
    int trial;

    for (trial = 0; trial < 120; trial++) { /* one call in each expression */
        const int element = elements[below(8)], kind = trial % SERIES;
        const uint32_t few = below(4), is_short = below(4);
        const size_t channels = 1 + below(few ? 3 : 90),
                     most = N_MAX / channels;
        const size_t steps =
            1 + below(is_short ? 300 : (uint32_t)(most < 9000 ? most : 9000));
        const unsigned shift = below(64);
        const uint64_t start = random_bits();
        const uint64_t line[2] = {start, random_bits() >> shift};
        const int level = 1 + (int)below(9), has_line = below(2) != 0;
        size_t size;

        if (steps * channels > N_MAX)
            continue;
        make_series(kind, bbans_element_bytes(element), steps, channels);
        size =
            round_trip(element, has_line ? line : NULL, steps, channels, level);
        if (kind == CONSTANT)
            CHECK(size <= 8 + 10 * channels);
        h = digest(h, size);
    }
    return h;
}

/* What is regular costs little, and along the line less. */
static void test_lines(void)
{
    const uint64_t line[2] = {UINT64_C(1577836800123456789), 1000000000};
    const size_t steps = 2048;
    size_t i, k;

    for (k = 0; k < 200; k++) {
        for (i = 0; i < steps; i++)
            put(i, 8, line[0] + (k * steps + i) * line[1]);
        CHECK(round_trip(BBANS_ELEMENT_INT64, line, steps, 1, 5) <= 6);
        CHECK(round_trip(BBANS_ELEMENT_INT64, NULL, steps, 1, 5) <= 18);
    }
    put(0, 8, line[0] + (k * steps) * line[1]);
    CHECK(round_trip(BBANS_ELEMENT_INT64, line, 1, 1, 5) <= 6);
}

/* Of 64 bits the same as of 32. */
static void test_widths(void)
{
    size_t size;
    int32_t x[4000];
    int64_t wide[4000];
    size_t i;

    make_series(RESONANCE, 4, 4000, 1);
    memcpy(x, data, sizeof x);
    size = round_trip(BBANS_ELEMENT_INT32, NULL, 4000, 1, 5);
    for (i = 0; i < 4000; i++)
        wide[i] = x[i];
    memcpy(data, wide, sizeof wide);
    CHECK(round_trip(BBANS_ELEMENT_INT64, NULL, 4000, 1, 5) <= size + 8);
}

/* A fall that wraps at 2^32 gives two values 2^31 apart, and a residual as
 * large: for the sanitizers. */
static void test_farthest(void)
{
    uint64_t t;
    int level;

    for (t = 0; t < 300; t++)
        put((size_t)t, 4, 2 * (t / 7) - 33464731 * t);
    for (level = 1; level <= 9; level++)
        round_trip(BBANS_ELEMENT_UINT32, NULL, 300, 1, level);
}

/* Bytes of anyone's making: values, or a status. */
static void test_noise(void)
{
    const size_t n = 600, need = bbans_signal_decoder_bytes(n);
    void *const work = malloc(need);
    int trial, taken = 0;

    CHECK(work != NULL);
    for (trial = 0; trial < SOME(6000); trial++) {
        const int element = elements[below(8)];
        size_t size = 1 + below(300), i;
        bbans_status status;

        if (trial % 2 == 0) { /* of one that was good */
            make_series((int)below(SERIES), bbans_element_bytes(element), 200,
                        3);
            size = round_trip(element, NULL, 200, 3, 1 + (int)below(9));
            for (i = 1 + below(3); i > 0; i--)
                block[below((uint32_t)(size < 40 ? size : 40))] ^=
                    (uint8_t)(1 << below(8));
        } else {
            for (i = 0; i < size; i++)
                block[i] = (uint8_t)(below(3) ? random_bits() >> 56 : 0);
            block[0] &= below(2) ? 3 : 0xFF;
        }
        status = bbans_signal_decompress(element, NULL, block, size, back,
                                         below(9) ? n : 1 + below((uint32_t)n),
                                         work, need);
        CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
        taken += status == BBANS_OK;
    }
    CHECK(taken > 0);
    free(work);
}

static void test_refusals(void)
{
    const size_t need =
        bbans_signal_encoder_bytes(BBANS_ELEMENT_INT16, 10, 2, 5);
    const size_t more = bbans_signal_decoder_bytes(20);
    void *const work = malloc(need > more ? need : more);
    const int element = BBANS_ELEMENT_INT16;
    size_t size = 7, i;

    CHECK(work != NULL);
    make_series(WALK, 2, 10, 2);
    CHECK(bbans_signal_compress(element, NULL, NULL, 10, 2, 5, block, 99, &size,
                                work, need) == BBANS_ERR_NULL);
    CHECK(bbans_signal_compress(element, NULL, data, 10, 2, 5, block, 99, &size,
                                work, need - 1) == BBANS_ERR_CAPACITY);
    CHECK(size == 0);
    CHECK(bbans_signal_compress(element, NULL, data, 10, 2, 5, block, 4, &size,
                                work, need) == BBANS_ERR_CAPACITY);
    CHECK(bbans_signal_compress(BBANS_ELEMENT_BYTES, NULL, data, 10, 2, 5,
                                block, 99, &size, work,
                                need) == BBANS_ERR_SYMBOL);
    CHECK(bbans_signal_compress(99, NULL, data, 10, 2, 5, block, 99, &size,
                                work, need) == BBANS_ERR_SYMBOL);
    for (i = 0; i < 4; i++)
        CHECK(bbans_signal_compress(
                  element, NULL, data, i == 0 ? 0 : 10, i == 1 ? 0 : 2,
                  i == 2   ? 0
                  : i == 3 ? 10
                           : 5,
                  block, 99, &size, work, need) == BBANS_ERR_SIZE);
    CHECK(bbans_signal_encoder_bytes(16, (size_t)-1, 2, 5) == 0);
    CHECK(bbans_signal_encoder_bytes(16, 1 << 20, 1 << 20, 5) == 0);
    CHECK(bbans_signal_decoder_bytes((size_t)-1) == 0);
    CHECK(bbans_signal_bound(element, (size_t)-1) == 0);
    CHECK(bbans_signal_bound(99, 1) == 0);
    size = round_trip(element, NULL, 10, 2, 5);
    CHECK(bbans_signal_decompress(element, NULL, block, size, back, 20, NULL,
                                  more) == BBANS_ERR_NULL);
    CHECK(bbans_signal_decompress(element, NULL, block, size, back, 20, work,
                                  more - 1) == BBANS_ERR_CAPACITY);
    CHECK(bbans_signal_decompress(element, NULL, block, size, back, 0, work,
                                  more) == BBANS_ERR_SIZE);
    CHECK(bbans_signal_decompress(BBANS_ELEMENT_UTF8, NULL, block, size, back,
                                  20, work, more) == BBANS_ERR_SYMBOL);
    CHECK(bbans_signal_decompress(element, NULL, block, 0, back, 20, work,
                                  more) == BBANS_ERR_CORRUPT);
    for (i = 1; i < size; i++)
        CHECK(bbans_signal_decompress(element, NULL, block, i, back, 20, work,
                                      more) == BBANS_ERR_CORRUPT);
    free(work);
}

int main(void)
{
    int isa;

    FOR_EACH_ISA(isa)
    {
        check_state = 1;
        /* What the integers of docs/maths.md, "Signals", give anywhere. */
        CHECK(test_series() == UINT64_C(0x6a41da6b5277a4d9));
    }
    test_lines();
    test_widths();
    test_farthest();
    test_noise();
    test_refusals();
    printf("test_signal: ok\n");
    return 0;
}
