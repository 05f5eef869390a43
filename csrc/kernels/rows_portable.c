/* The portable kernels of rows of weights: they define the results of all
 * others.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* 1 + floor(p 2^27) from the bits of an IEEE 754 number p, in integers.  Its
 * exponent e and its fraction of `width` bits, with the implied one, say
 * p = fraction 2^(e - bias - width).  UINT32_MAX unless -2^-27 < p < 4. */
static uint32_t weight_of(uint64_t bits, unsigned width, unsigned bias)
{
    const uint64_t one = (uint64_t)1 << width;
    const unsigned e = (unsigned)(bits >> width) & (2 * bias + 1);
    const int negative = bits >> width > 2 * bias + 1;
    const uint64_t fraction = (bits & (one - 1)) | one;
    const unsigned right = bias + width - BBANS_WEIGHT_BITS - e;

    if (e + BBANS_WEIGHT_BITS < bias) /* p below 2^-27, subnormals too */
        return 1;
    if (e > bias + 1 || negative)
        return UINT32_MAX;
    if (e + BBANS_WEIGHT_BITS > bias + width) /* right < 0 */
        return 1 + (uint32_t)(fraction << (0u - right));
    return 1 + (uint32_t)(fraction >> right);
}

static uint32_t weight_at(const void *weight, int type, size_t k)
{
    uint32_t u;
    uint64_t v;

    switch (type) {
    case BBANS_F32:
        memcpy(&u, (const uint8_t *)weight + 4 * k, 4);
        return weight_of(u, 23, 127);
    case BBANS_F64:
        memcpy(&v, (const uint8_t *)weight + 8 * k, 8);
        return weight_of(v, 52, 1023);
    default: return ((const uint32_t *)weight)[k];
    }
}

static uint64_t row_sum(const void *weight, int type, size_t n, uint32_t *w)
{
    const uint32_t extra = type != BBANS_U32; /* the 1 does not count */
    uint64_t sum = 0;
    uint32_t any = 0;
    size_t k;

    for (k = 0; k < n; k++) {
        w[k] = weight_at(weight, type, k);
        any |= w[k] - extra;
        sum += w[k];
    }
    return any >> 29 == 0 ? sum : UINT64_MAX;
}

static uint64_t row_interval(const void *weight, int type, size_t n, size_t k,
                             uint32_t *start, uint32_t *freq)
{
    const uint32_t extra = type != BBANS_U32;
    uint64_t sum = 0;
    uint32_t any = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        const uint32_t w = weight_at(weight, type, i);

        if (i == k) {
            *start = (uint32_t)sum;
            *freq = w;
        }
        any |= w - extra;
        sum += w;
    }
    return any >> 29 == 0 ? sum : UINT64_MAX;
}

static size_t find(const uint32_t *w, size_t n, uint32_t slot, uint32_t *start)
{
    size_t k = 0;

    (void)n;
    *start = 0;
    while (slot - *start >= w[k])
        *start += w[k++];
    return k;
}

/* Rows one by one, by the kernel in use. */
void bbans_each_row_interval(const void *weight, int type, size_t symbols,
                             size_t n, const uint32_t *k, uint32_t *start,
                             uint32_t *freq, uint32_t *total)
{
    const bbans_rows_kernels *rows = bbans_kernel.rows;
    const size_t bytes = bbans_row_bytes(type, symbols);
    const uint8_t *row = weight;
    size_t i;

    for (i = 0; i < n; i++, row += bytes) {
        uint64_t sum;

        if (bytes <= BBANS_ROWS_AHEAD)
            bbans_prefetch(row, BBANS_ROWS_AHEAD, bytes);
        sum = rows->row_interval(row, type, symbols, k[i], &start[i], &freq[i]);
        total[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    }
}

void bbans_each_row_sum(const void *weight, int type, size_t symbols, size_t n,
                        uint32_t *w, uint32_t *total)
{
    const bbans_rows_kernels *rows = bbans_kernel.rows;
    const size_t bytes = bbans_row_bytes(type, symbols);
    const uint8_t *row = weight;
    size_t i;

    for (i = 0; i < n; i++, row += bytes, w += bbans_row_stride(symbols)) {
        uint64_t sum;

        if (bytes <= BBANS_ROWS_AHEAD)
            bbans_prefetch(row, BBANS_ROWS_AHEAD, bytes);
        sum = rows->row_sum(row, type, symbols, w);
        total[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    }
}

size_t bbans_find_without_sums(const uint32_t *w, size_t symbols, uint32_t slot,
                               uint32_t *start)
{
    return bbans_kernel.rows->find(w, symbols, slot, start);
}

const bbans_rows_kernels bbans_rows_portable = {
    .row_sum = row_sum,
    .row_interval = row_interval,
    .row_intervals = bbans_each_row_interval,
    .weigh_rows = bbans_each_row_sum,
    .find = find,
    .find_in_row = bbans_find_without_sums};
