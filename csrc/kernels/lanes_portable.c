/* The portable kernels of messages with several lanes, and of rows of weights:
 * they define the results of all others.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* Docs/maths.md section 3 for N = 2^prec.  Words are always stored and loaded,
 * the top moves only if they count: no branch to mispredict. */
static inline uint32_t *push_span(uint64_t *head, uint32_t start, uint32_t end,
                                  unsigned prec, uint32_t *top)
{
    const uint32_t freq = end - start;
    uint64_t x = *head;
    const unsigned spill = x >> 32 >= (uint64_t)freq << (31 - prec);

    *top = (uint32_t)x;
    x >>= 32 * spill;
    *head = (x / freq << prec) + x % freq + start;
    return top + spill;
}

uint32_t *bbans_k_push_portable(uint64_t *head, const bbans_span *span,
                                size_t n, unsigned prec, uint32_t *top)
{
    while (n-- > 0)
        top = push_span(head + n, span[n].start, span[n].end, prec, top);
    return top;
}

uint32_t bbans_k_most_portable(const uint32_t *v, size_t n)
{
    uint32_t most = 0;
    size_t i;

    for (i = 0; i < n; i++)
        most = v[i] > most ? v[i] : most;
    return most;
}

uint32_t *bbans_k_push_symbols_portable(uint64_t *head, const uint32_t *edge,
                                        const uint32_t *symbol, size_t n,
                                        unsigned prec, uint32_t *top)
{
    while (n-- > 0)
        top = push_span(head + n, edge[symbol[n]], edge[symbol[n] + 1], prec,
                        top);
    return top;
}

const uint32_t *bbans_k_advance_portable(uint64_t *head, const bbans_span *span,
                                         size_t n, unsigned prec,
                                         const uint32_t *top)
{
    const uint64_t mask = ((uint64_t)1 << prec) - 1;
    size_t i;

    for (i = 0; i < n; i++) /* in a loop of its own: compilers vectorise it */
        head[i] = (head[i] >> prec) * (span[i].end - span[i].start) +
                  (head[i] & mask) - span[i].start;
    for (i = 0; i < n; i++) {
        const unsigned refill = head[i] < BBANS_HEAD_MIN;

        head[i] = head[i] << 32 * refill | (top[-1] & (0u - refill));
        top -= refill;
    }
    return top;
}

/* Totals that are no powers of two.  Here, in [2^31, 2^63), push takes a word
 * back only if it spilled one, its own: without a spill heads grow.  A pop that
 * spills one, too: x is in [N q, 2^31) then, and x' = x - (N - f) q - c.  So
 * each lane moves one word at most. */

/* Floor(2^31 / N). */
static inline uint32_t multiples(uint32_t total)
{
    return (uint32_t)BBANS_HEAD_MIN / total;
}

uint32_t *bbans_k_push_values_portable(uint64_t *head, const uint32_t *value,
                                       size_t n, uint32_t total, uint32_t *top)
{
    const uint32_t limit = multiples(total);

    while (n-- > 0) {
        const uint64_t x = head[n];
        const unsigned spill = x >> 32 >= limit;
        const uint64_t y = (x >> 32 * spill) * total + value[n];
        const unsigned refill = y < BBANS_HEAD_MIN;

        *top = (uint32_t)x;
        top += spill - refill;
        head[n] = y << 32 * refill | ((uint32_t)x & (0u - refill));
    }
    return top;
}

const uint32_t *bbans_k_pop_values_portable(uint64_t *head, uint32_t *value,
                                            size_t n, uint32_t total,
                                            const uint32_t *top)
{
    const uint32_t limit = total * multiples(total);
    size_t i;

    for (i = 0; i < n; i++) {
        const uint64_t x = head[i];
        const unsigned spill = x >> 32 >= limit;
        const uint64_t y = (x >> 32 * spill) / total;
        const unsigned refill = y < BBANS_HEAD_MIN;
        const uint32_t word = spill ? (uint32_t)x : top[-1];

        value[i] = (uint32_t)(x >> 32 * spill) - (uint32_t)y * total;
        top -= refill - spill;
        head[i] = y << 32 * refill | (word & (0u - refill));
    }
    return top;
}

uint32_t *bbans_k_push_shares_portable(uint64_t *head, const uint32_t *start,
                                       const uint32_t *freq,
                                       const uint32_t *total, size_t n,
                                       uint32_t *top)
{
    while (n-- > 0) {
        const uint64_t x = head[n];
        const unsigned spill = x >> 32 >= freq[n] * multiples(total[n]);
        const uint64_t rest = x >> 32 * spill;
        const uint64_t y =
            rest / freq[n] * total[n] + rest % freq[n] + start[n];
        const unsigned refill = y < BBANS_HEAD_MIN;

        *top = (uint32_t)x;
        top += spill - refill;
        head[n] = y << 32 * refill | ((uint32_t)x & (0u - refill));
    }
    return top;
}

void bbans_k_divide_portable(const uint64_t *head, const uint32_t *total,
                             size_t n, uint64_t *quotient, uint32_t *slot)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const uint32_t limit = total[i] * multiples(total[i]);
        const uint64_t x = head[i] >> 32 * (head[i] >> 32 >= limit);

        quotient[i] = x / total[i];
        slot[i] = (uint32_t)(x % total[i]);
    }
}

const uint32_t *bbans_k_join_portable(uint64_t *head, const uint64_t *quotient,
                                      const uint32_t *rest,
                                      const uint32_t *freq,
                                      const uint32_t *total, size_t n,
                                      const uint32_t *top)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const uint64_t x = head[i], y = quotient[i] * freq[i] + rest[i];
        const unsigned spill = x >> 32 >= total[i] * multiples(total[i]);
        const unsigned refill = y < BBANS_HEAD_MIN;
        const uint32_t word = spill ? (uint32_t)x : top[-1];

        top -= refill - spill;
        head[i] = y << 32 * refill | (word & (0u - refill));
    }
    return top;
}

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

uint64_t bbans_k_weigh_portable(const void *weight, int type, size_t n,
                                uint32_t *w)
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

uint64_t bbans_k_weigh_one_portable(const void *weight, int type, size_t n,
                                    size_t k, uint32_t *start, uint32_t *freq)
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

size_t bbans_k_find_portable(const uint32_t *w, size_t n, uint32_t slot,
                             uint32_t *start)
{
    size_t k = 0;

    (void)n;
    *start = 0;
    while (slot - *start >= w[k])
        *start += w[k++];
    return k;
}

/* Rows one by one, by the kernel in use. */
void bbans_k_intervals_portable(const void *weight, int type, size_t symbols,
                                size_t n, const uint32_t *k, uint32_t *start,
                                uint32_t *freq, uint32_t *total)
{
    const size_t bytes = bbans_row_bytes(type, symbols);
    const uint8_t *row = weight;
    size_t i;

    for (i = 0; i < n; i++, row += bytes) {
        uint64_t sum;

        if (bytes <= BBANS_ROWS_AHEAD)
            bbans_prefetch(row, BBANS_ROWS_AHEAD, bytes);
        sum = bbans_kernel.weigh_one(row, type, symbols, k[i], &start[i],
                                     &freq[i]);
        total[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    }
}

void bbans_k_weigh_rows_portable(const void *weight, int type, size_t symbols,
                                 size_t n, uint32_t *w, uint32_t *total)
{
    const size_t bytes = bbans_row_bytes(type, symbols);
    const uint8_t *row = weight;
    size_t i;

    for (i = 0; i < n; i++, row += bytes, w += bbans_row_stride(symbols)) {
        uint64_t sum;

        if (bytes <= BBANS_ROWS_AHEAD)
            bbans_prefetch(row, BBANS_ROWS_AHEAD, bytes);
        sum = bbans_kernel.weigh(row, type, symbols, w);
        total[i] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    }
}

size_t bbans_k_find_in_row_portable(const uint32_t *w, size_t symbols,
                                    uint32_t slot, uint32_t *start)
{
    return bbans_kernel.find(w, symbols, slot, start);
}
