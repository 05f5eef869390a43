/* Fuzz UTF-8: any bytes, and any code points.  What decodes is encoded to the
 * same bytes, what is encoded decodes, and what is no UTF-8 is what the table
 * of the Unicode standard does not have.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "fuzz.h"

const size_t fuzz_size_most = 300;

/* Bytes of the well-formed sequence at the front, 0 if there is none: table 3-7
 * of the Unicode standard. */
static size_t well_formed(const uint8_t *b, size_t n)
{
    static const uint8_t row[][6] = {
        /* first byte, second, how many in all */
        {0x00, 0x7F, 0x00, 0xFF, 1}, {0xC2, 0xDF, 0x80, 0xBF, 2},
        {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
        {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3},
        {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4},
        {0xF4, 0xF4, 0x80, 0x8F, 4}};
    size_t i, k;

    for (i = 0; i < sizeof row / sizeof *row; i++)
        if (b[0] >= row[i][0] && b[0] <= row[i][1]) {
            if (n < row[i][4] ||
                (row[i][4] > 1 && (b[1] < row[i][2] || b[1] > row[i][3])))
                return 0;
            for (k = 2; k < row[i][4]; k++)
                if (b[k] < 0x80 || b[k] > 0xBF)
                    return 0;
            return row[i][4];
        }
    return 0;
}

static void as_bytes(const uint8_t *data, size_t size)
{
    uint8_t *bytes = fuzz_copy(data, size), *again = fuzz_memory(size);
    uint32_t *point = fuzz_memory(4 * size);
    size_t right = 0, points = 0, step, n, n_bytes;
    bbans_status status;

    while (right < size &&
           (step = well_formed(bytes + right, size - right)) > 0) {
        right += step;
        points++;
    }
    status = bbans_utf8_decode(bytes, size, point, size, &n);
    CHECK(status == (right == size ? BBANS_OK : BBANS_ERR_SYMBOL));
    CHECK(bbans_utf8_decode(bytes, size, NULL, 0, &step) == status &&
          step == n && n == points);
    CHECK(bbans_utf8_encode(point, n, again, size, &n_bytes) == BBANS_OK);
    CHECK(n_bytes == right && fuzz_same(again, bytes, right));
    if (n > 0)
        CHECK(bbans_utf8_encode(point, n, again, right - 1, &n_bytes) ==
              BBANS_ERR_CAPACITY);
    if (n > 0 && status == BBANS_OK)
        CHECK(bbans_utf8_decode(bytes, size, point, n - 1, &step) ==
              BBANS_ERR_CAPACITY);
    free(bytes);
    free(again);
    free(point);
}

static void as_points(fuzz_input in)
{
    const size_t n = in.left / 3;
    uint32_t *point = fuzz_memory(4 * n), *back = fuzz_memory(4 * n);
    uint8_t *bytes = fuzz_memory(4 * n);
    size_t i, m, n_bytes;
    int valid = 1, pairs = 0;
    bbans_status status;

    for (i = 0; i < n; i++) {
        point[i] = (uint32_t)fuzz_bits(&in, 3) >> 3;
        valid &= point[i] < 0x110000;
        pairs |= point[i] >= 0xD800 && point[i] < 0xE000;
    }
    status = bbans_utf8_encode(point, n, bytes, 4 * n, &n_bytes);
    CHECK(status == (valid ? BBANS_OK : BBANS_ERR_SYMBOL));
    if (valid && !pairs) {
        CHECK(bbans_utf8_decode(bytes, n_bytes, back, n, &m) == BBANS_OK);
        CHECK(m == n && fuzz_same(point, back, 4 * n));
    } else if (valid) {
        CHECK(bbans_utf8_decode(bytes, n_bytes, back, n, &m) ==
              BBANS_ERR_SYMBOL);
    }
    free(point);
    free(back);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0 && data[0] % 2 == 0)
        as_bytes(data + 1, size - 1);
    else if (size > 0)
        as_points(fuzz_begin(data + 1, size - 1));
    return 0;
}

size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    uint32_t point[60];
    size_t n, i, n_bytes;

    fuzz_random(k);
    n = below(60);
    for (i = 0; i < n; i++) {
        point[i] = below((uint32_t)1 << (7 + below(15)));
        if (point[i] >= 0x110000 || (point[i] >= 0xD800 && point[i] < 0xE000))
            point[i] = 'a';
    }
    data[0] = 0;
    CHECK(bbans_utf8_encode(point, n, data + 1, cap - 1, &n_bytes) == BBANS_OK);
    return 1 + n_bytes;
}
