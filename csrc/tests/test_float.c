/* Blocks of floats: every pattern of bits comes back, whatever form it takes,
 * with the same bytes on every machine; what no encoder wrote is floats or a
 * status.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"
#define BBANS_BOTH_PRODUCTS
#include "floats/bbans_floats.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define N_MAX 70000

static const int elements[] = {
    BBANS_ELEMENT_FLOAT16,     BBANS_ELEMENT_FLOAT32,
    BBANS_ELEMENT_FLOAT64,     BBANS_ELEMENT_BFLOAT16,
    BBANS_ELEMENT_FLOAT8_E4M3, BBANS_ELEMENT_FLOAT8_E5M2};

static uint8_t data[8 * N_MAX], back[8 * N_MAX], block[8 * N_MAX + 1];
static uint64_t hash = UINT64_C(14695981039346656037);
static unsigned forms;

static void put(size_t i, int element, uint64_t bits)
{
    bbans_element_put(data + i * bbans_element_bytes(element), bits,
                      bbans_element_bytes(element));
}

/* Compress data [n] and restore it; returns the bytes it took. */
static size_t round_trip(int element, size_t channels, const bbans_grid *grid,
                         size_t n, int level)
{
    const size_t width = bbans_element_bytes(element);
    const size_t bound = bbans_float_bound(element, n);
    const size_t need =
        bbans_float_encoder_bytes(element, channels, grid, n, level);
    const size_t other = bbans_float_decoder_bytes(element, n);
    uint8_t *work = malloc(need), *exact;
    size_t n_bytes, i;

    CHECK(need > 0 && other > 0 && work != NULL && bound == 1 + n * width);
    CHECK(bbans_float_compress(element, channels, grid, data, n, level, block,
                               bound, &n_bytes, work, need) == BBANS_OK);
    CHECK(n_bytes >= 1 && n_bytes <= bound);
    free(work);
    for (i = 0; i < n_bytes; i++)
        hash = (hash ^ block[i]) * UINT64_C(1099511628211);
    forms |= 1u << block[0];
    work = malloc(other);
    exact = malloc(n_bytes); /* for the sanitizer to see its end */
    CHECK(work != NULL && exact != NULL);
    memcpy(exact, block, n_bytes);
    memset(back, 0xA5, n * width);
    CHECK(bbans_float_decompress(element, exact, n_bytes, back, n, work,
                                 other) == BBANS_OK);
    CHECK(memcmp(back, data, n * width) == 0);
    /* A block does not end early, and nothing is behind it. */
    if (exact[0] != BBANS_FORM_PLANES)
        CHECK(bbans_float_decompress(element, exact, n_bytes - 1, back, n, work,
                                     other) == BBANS_ERR_CORRUPT);
    free(work);
    free(exact);
    return n_bytes;
}

static void every_way(int element, size_t n)
{
    bbans_grid grid = {5, 7, 3, 2};
    size_t rows = n / 21;

    round_trip(element, 0, NULL, n, 5);
    round_trip(element, 1, NULL, n, 1);
    round_trip(element, 1, NULL, n, 5);
    if (n % 3 == 0)
        round_trip(element, 3, NULL, n, 5);
    if (rows > 0)
        round_trip(element, 0, &grid, 21 * rows, 3);
}

/* ---- Patterns ------------------------------------------------------------ */

static void test_every_pattern(void)
{
    size_t k, i;

    for (k = 0; k < sizeof elements / sizeof *elements; k++) {
        const size_t width = bbans_element_bytes(elements[k]);
        const size_t n = width == 1 ? 256 : 65536;

        if (width > 2)
            continue;
        for (i = 0; i < n; i++)
            put(i, elements[k], i);
        every_way(elements[k], n);
        for (i = 0; i < n; i++) /* in another order */
            put(i, elements[k], i * 40503 + 7);
        every_way(elements[k], n);
    }
}

/* Bits that matter: ends of exponents, signs, NaNs, infinities, and beside. */
static uint64_t special(const bbans_float_type *type)
{
    const uint64_t sign = type->magnitudes + 1;
    const uint64_t one = (uint64_t)1 << type->fraction;
    uint64_t bits;

    switch (below(8)) {
    case 0: bits = 0; break;
    case 1: bits = type->end; break;
    case 2: bits = type->end | random_bits() % one; break;
    case 3: bits = random_bits() % one; break; /* subnormal */
    case 4: bits = one + below(3) - 1; break;
    case 5: bits = type->end - 1 - below(2); break;
    case 6: bits = type->magnitudes - below(2); break;
    default: bits = random_bits() & type->magnitudes; break;
    }
    return (bits & type->magnitudes) | (below(2) ? sign : 0);
}

static void test_random_patterns(void)
{
    size_t k, i, t;

    for (k = 0; k < sizeof elements / sizeof *elements; k++)
        for (t = 0; t < 40; t++) {
            const bbans_float_type type = bbans_float_type_of(elements[k]);
            const size_t n = 3 * (1 + below(t % 4 == 0 ? 8 : 400));
            const uint32_t rare = t % 3 == 0 ? 1 : t % 3 == 1 ? 8 : 100;
            uint64_t bits = 0;

            for (i = 0; i < n; i++) {
                if (below(rare) == 0)
                    put(i, elements[k], special(&type));
                else if (t % 2 == 0)
                    put(i, elements[k], bits += below(5));
                else
                    put(i, elements[k], random_bits() & type.magnitudes);
            }
            every_way(elements[k], n);
        }
}

/* ---- Conversions, each forced -------------------------------------------- */

/* A number without its first bits, `least` of them or more. */
static uint64_t shorter(unsigned least)
{
    const unsigned down = least + below(64 - least);

    return random_bits() >> down;
}

static void test_products(void)
{
    size_t i;

    for (i = 0; i < 20000; i++) {
        const uint64_t a = shorter(0), b = shorter(0);
        const bbans_wide one = bbans_product(a, b);
        const bbans_wide two = bbans_product_portable(a, b);

        CHECK(one.high == two.high && one.low == two.low);
        if (b > 0) {
            const bbans_quotient by = bbans_quotient_by(b);
            bbans_wide value = bbans_product_portable(by.divisor - 1, a | 1);
            const uint64_t low = value.low, rest = random_bits() % by.divisor;
            uint64_t q;

            /* (divisor - 1) (a | 1), so that high < divisor */
            CHECK(by.divisor >> 63 == 1 && by.divisor == b << by.shift);
            q = bbans_divide(&by, &value);
            CHECK(value.low < by.divisor && q * by.divisor + value.low == low);
            value = bbans_product_portable(a, by.divisor);
            value.low += rest;
            value.high += value.low < rest;
            CHECK(bbans_divide(&by, &value) == a && value.low == rest);
        }
    }
}

/* Does the machine round correctly, and once?  With -ffast-math it makes 0 of
 * what is small. */
#ifdef __FAST_MATH__
enum { ROUNDS_ONCE = 0 };
#else
enum { ROUNDS_ONCE = FLT_EVAL_METHOD == 0 };
#endif

/* Against the machine's own division. */
static void test_rounding(void)
{
    const bbans_float_type wide = bbans_float_type_of(BBANS_ELEMENT_FLOAT64);
    const bbans_float_type half = bbans_float_type_of(BBANS_ELEMENT_FLOAT32);
    size_t i;

    for (i = 0; ROUNDS_ONCE && i < 100000; i++) {
        const uint64_t d = shorter(11), den = 1 + shorter(11);
        const int e = (int)below(2400) - 1200;
        volatile double quotient = (double)d / (double)den;
        bbans_conversion c;
        uint64_t bits, word;
        float narrow;

        /* Twice rounded is right only where nothing is lost the first time. */
        bbans_conversion_set(&c, 1, den, 0);
        memcpy(&bits, (const void *)&quotient, 8);
        CHECK(bbans_float_multiple(&wide, &c, &c.by_den, d) == bits);
        CHECK(bbans_float_multiple(&wide, &c, &c.by_den, 0 - d) ==
              (d == 0 ? bits : ~bits));
        bbans_conversion_set(&c, 1, 1, e);
        quotient = ldexp((double)d, e);
        memcpy(&bits, (const void *)&quotient, 8);
        CHECK(bbans_float_multiple(&wide, &c, &c.by_den, d) == bits);
        narrow = (float)ldexp((double)(d & 0xffffffffff), e / 8);
        bbans_conversion_set(&c, 1, 1, e / 8);
        word = 0;
        {
            uint32_t w;

            memcpy(&w, &narrow, 4);
            word = w;
        }
        CHECK(bbans_float_multiple(&half, &c, &c.by_den, d & 0xffffffffff) ==
              word);
    }
}

/* What a conversion says of bits gives them back. */
static void test_conversions(void)
{
    static uint8_t raw[64];
    size_t k, i;

    for (k = 0; k < sizeof elements / sizeof *elements; k++) {
        const bbans_float_type type = bbans_float_type_of(elements[k]);
        const int least = 1 - type.bias - type.fraction;

        for (i = 0; i < 30000; i++) {
            const uint64_t bits = special(&type);
            bbans_conversion c;
            int32_t moved;
            uint64_t d;
            const uint64_t num = 1 + shorter(1), den = 1 + shorter(1);

            bbans_conversion_set(&c, num, den, (int)below(160) - 80);
            if (bbans_convert(&type, &c, bits, &d, &moved))
                CHECK(bbans_float_bits(
                          &type, bbans_float_multiple(&type, &c, &c.by_den, d) +
                                     (uint64_t)(int64_t)moved) == bits);
            c.kind = below(2) ? BBANS_CONVERT_ROUNDED : BBANS_CONVERT_ZERO;
            c.e = least + (int)below((uint32_t)(2 * type.bias));
            if (bbans_convert(&type, &c, bits, &d, &moved)) {
                bbans_raw_writer w = {raw, 0, sizeof raw, 0, 0};
                bbans_raw_reader r = {raw, raw, 0, 0, 0};

                bbans_rounded_put(&type, &c, d, bits, &w);
                CHECK(8 * w.n + (size_t)w.n_bits ==
                      (size_t)bbans_rounded_bits(&type, &c, d, bits));
                bbans_raw_flush(&w);
                r.end = raw + w.n;
                CHECK(bbans_float_bits(
                          &type, bbans_unrounded(&type, &c, d, &r)) == bits);
                CHECK(!r.past && r.at == r.end && r.bits == 0);
            }
            c.kind = BBANS_CONVERT_ORDER;
            if (bbans_convert(&type, &c, bits, &d, &moved))
                CHECK(bbans_float_bits(&type, d) == bits);
        }
    }
}

/* ---- Series -------------------------------------------------------------- */

static void put_double(size_t i, double value)
{
    memcpy(data + 8 * i, &value, 8);
}

static void put_float(size_t i, float value)
{
    memcpy(data + 4 * i, &value, 4);
}

static void test_series(void)
{
    const size_t n = 3000;
    int64_t walk = 0;
    size_t i, plain;

    for (i = 0; i < n; i++) /* decimals take what their integers do */
        put_double(i, (double)(walk += (int64_t)below(201) - 100) / 1000);
    plain = round_trip(BBANS_ELEMENT_FLOAT64, 1, NULL, n, 5);
    CHECK(plain < n && block[0] == BBANS_FORM_INTEGERS);
    for (i = 0; i < n; i += 50) { /* exceptions, and other steps */
        put_double(i, i % 100 == 0 ? NAN : -0.0);
        put_double(i + 1, (double)i / 10000);
    }
    CHECK(round_trip(BBANS_ELEMENT_FLOAT64, 1, NULL, n, 5) < 2 * plain);
    for (i = 0; i < n; i++) { /* with errors in the last place */
        walk += (int64_t)below(201) - 100;
        put_double(i, (double)walk * 0.001 + (below(10) == 0 ? 1e-15 : 0));
    }
    CHECK(round_trip(BBANS_ELEMENT_FLOAT64, 1, NULL, n, 5) < 2 * plain);
    for (i = 0; i < n; i++) /* of another step */
        put_float(i,
                  (float)(walk += (int64_t)below(201) - 100) * (3.3f / 4096));
    CHECK(round_trip(BBANS_ELEMENT_FLOAT32, 1, NULL, n, 5) < 2 * plain);
    for (i = 0; i < n; i++) { /* noise about 0, half of it cut off */
        const float noise = (float)(int32_t)random_bits();

        put_float(i, below(2) ? 0 : noise * (float)(int32_t)below(1000000));
    }
    CHECK(round_trip(BBANS_ELEMENT_FLOAT32, 3, NULL, n, 5) < 4 * n);
    for (i = 0; i < n; i++) /* columns of different kinds */
        put_float(i, i % 3 == 0   ? (float)below(100) / 10
                     : i % 3 == 1 ? (float)(int32_t)random_bits()
                                  : 7);
    CHECK(round_trip(BBANS_ELEMENT_FLOAT32, 3, NULL, n, 5) < 2 * n);
    CHECK(forms >> BBANS_FORM_INTEGERS & forms >> BBANS_FORM_STORED & 1);
}

/* ---- What no encoder wrote ----------------------------------------------- */

static void test_damage(void)
{
    const size_t n = 600;
    const bbans_grid grid = {5, 10, 2, 0};
    size_t i, k, t;

    for (k = 0; k < 6 * 4; k++) {
        const int element = elements[k / 4];
        const bbans_float_type type = bbans_float_type_of(element);
        const size_t width = type.width;
        const size_t need =
            bbans_float_encoder_bytes(element, k % 2 == 0 ? 2 : 0, &grid, n, 5);
        const size_t other = bbans_float_decoder_bytes(element, n);
        size_t least;
        uint8_t *work = malloc(need > other ? need : other), *exact;
        size_t n_bytes;
        uint64_t bits = 0;

        for (i = 0; i < n; i++) {
            bits += below(3) * (k % 4 < 2 ? 1 : (uint64_t)1 << 20);
            put(i, element, below(20) == 0 ? special(&type) : bits);
        }
        CHECK(work != NULL);
        CHECK(bbans_float_compress(element, k % 2 == 0 ? 2 : 0, &grid, data, n,
                                   5, block, sizeof block, &n_bytes, work,
                                   need) == BBANS_OK);
        exact = malloc(n_bytes);
        CHECK(exact != NULL);
        for (t = 0; t < 300; t++) {
            const size_t cut =
                below(4) == 0 ? below((uint32_t)n_bytes) : n_bytes;
            bbans_status status;

            memcpy(exact, block, n_bytes);
            for (i = below(4); i > 0; i--) {
                const size_t at =
                    below(2) ? below(24) % n_bytes : below((uint32_t)n_bytes);

                exact[at] ^= (uint8_t)(1u << below(8));
            }
            status = bbans_float_decompress(element, exact, cut, back, n, work,
                                            other);
            CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
        }
        least = bbans_float_form_bytes(element, block[0], n);
        CHECK(least <= other);
        CHECK(bbans_float_decompress(element, block, n_bytes, back, n, work,
                                     least) == BBANS_OK);
        CHECK(least == 0 ||
              bbans_float_decompress(element, block, n_bytes, back, n, work,
                                     least - 1) == BBANS_ERR_CAPACITY);
        CHECK(bbans_float_decompress(element, block, n_bytes, back, 0, work,
                                     other) == BBANS_ERR_SIZE);
        CHECK(bbans_float_decompress(element, NULL, n_bytes, back, n, work,
                                     other) == BBANS_ERR_NULL);
        CHECK(bbans_float_decompress(BBANS_ELEMENT_UINT8, block, n_bytes, back,
                                     n, work, other) == BBANS_ERR_SYMBOL);
        CHECK(bbans_float_compress(element, 1, NULL, data, n, 5, block,
                                   n * width / 64, &n_bytes, work, need) < 0);
        free(exact);
        free(work);
    }
}

static void test_refusals(void)
{
    const bbans_grid grid = {2, 3, 2, 0}, empty = {1, 0, 1, 0};
    uint64_t work[64];
    size_t n_bytes;

    CHECK(bbans_float_bound(BBANS_ELEMENT_UINT16, 5) == 0);
    CHECK(bbans_float_bound(BBANS_ELEMENT_FLOAT16, 0) == 0);
    CHECK(bbans_float_bound(BBANS_ELEMENT_FLOAT16, (size_t)1 << 25) == 0);
    CHECK(bbans_float_encoder_bytes(BBANS_ELEMENT_FLOAT16, 2, NULL, 5, 5) == 0);
    CHECK(bbans_float_encoder_bytes(BBANS_ELEMENT_FLOAT16, 1, NULL, 5, 0) == 0);
    CHECK(bbans_float_encoder_bytes(BBANS_ELEMENT_FLOAT16, 0, &grid, 8, 5) ==
          0);
    CHECK(bbans_float_encoder_bytes(BBANS_ELEMENT_FLOAT16, 0, &empty, 8, 5) ==
          0);
    CHECK(bbans_float_compress(BBANS_ELEMENT_FLOAT16, 2, NULL, data, 5, 5,
                               block, 99, &n_bytes, work,
                               sizeof work) == BBANS_ERR_SIZE);
    CHECK(bbans_float_compress(BBANS_ELEMENT_FLOAT16, 1, NULL, data, 5, 5,
                               block, 99, &n_bytes, work,
                               8) == BBANS_ERR_CAPACITY);
    CHECK(bbans_float_compress(BBANS_ELEMENT_INT16, 1, NULL, data, 5, 5, block,
                               99, &n_bytes, work,
                               sizeof work) == BBANS_ERR_SYMBOL);
}

int main(void)
{
    uint64_t patterns;

    test_products();
    test_rounding();
    check_state = 1; /* for the same blocks wherever that was left out */
    test_conversions();
    test_every_pattern();
    test_random_patterns();
    patterns = hash; /* series may be others: of a machine's own arithmetic */
    test_series();
    test_damage();
    test_refusals();
    printf("floats: blocks %016llx\n", (unsigned long long)patterns);
    return 0;
}
