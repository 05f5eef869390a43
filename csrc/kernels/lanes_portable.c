/* The portable kernels of messages with several lanes, and of rows of weights:
 * they define the results of all others.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* Docs/maths.md section 3 for N = 2^prec.  Words are always stored and loaded,
 * the top moves only if they count: no branch to mispredict. */
uint32_t *bbans_k_push_portable(uint64_t *head, const bbans_span *span,
                                size_t n, unsigned prec, uint32_t *top)
{
    while (n-- > 0) {
        const uint32_t start = span[n].start, freq = span[n].end - start;
        uint64_t x = head[n];
        const unsigned spill = x >> 32 >= (uint64_t)freq << (31 - prec);

        *top = (uint32_t)x;
        top += spill;
        x >>= 32 * spill;
        head[n] = freq == 1 ? (x << prec) + start /* raw bits, often */
                            : (x / freq << prec) + x % freq + start;
    }
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

uint32_t bbans_k_sum_portable(const uint32_t *w, size_t n)
{
    uint32_t sum = 0;
    size_t k;

    for (k = 0; k < n; k++)
        sum += w[k];
    return sum;
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
