/* The portable kernels of messages with several lanes: they define the results
 * of all others.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* Docs/maths.md, "The message" for N = 2^prec.  Words are always stored and
 * loaded, the top moves only if they count: no branch to mispredict. */
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

static uint32_t *push(uint64_t *head, const bbans_span *span, size_t n,
                      unsigned prec, uint32_t *top)
{
    while (n-- > 0)
        top = push_span(head + n, span[n].start, span[n].end, prec, top);
    return top;
}

static uint32_t max_u32(const uint32_t *v, size_t n)
{
    uint32_t most = 0;
    size_t i;

    for (i = 0; i < n; i++)
        most = v[i] > most ? v[i] : most;
    return most;
}

static uint32_t *push_symbols(uint64_t *head, const uint32_t *edge,
                              const uint32_t *symbol, size_t n, unsigned prec,
                              uint32_t *top)
{
    while (n-- > 0)
        top = push_span(head + n, edge[symbol[n]], edge[symbol[n] + 1], prec,
                        top);
    return top;
}

static const uint32_t *advance(uint64_t *head, const bbans_span *span, size_t n,
                               unsigned prec, const uint32_t *top)
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

static uint32_t *push_values(uint64_t *head, const uint32_t *value, size_t n,
                             uint32_t total, uint32_t *top)
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

static const uint32_t *pop_values(uint64_t *head, uint32_t *value, size_t n,
                                  uint32_t total, const uint32_t *top)
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

static uint32_t *push_shares(uint64_t *head, const uint32_t *start,
                             const uint32_t *freq, const uint32_t *total,
                             size_t n, uint32_t *top)
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

static void pop_start(const uint64_t *head, const uint32_t *total, size_t n,
                      uint64_t *quotient, uint32_t *slot)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const uint32_t limit = total[i] * multiples(total[i]);
        const unsigned spill = head[i] >> 32 >= limit;
        const uint64_t x = head[i] >> 32 * spill;

        quotient[i] = x / total[i] | (spill ? BBANS_SPILLED : 0);
        slot[i] = (uint32_t)(x % total[i]);
    }
}

static const uint32_t *pop_finish(uint64_t *head, const uint64_t *quotient,
                                  const uint32_t *rest, const uint32_t *freq,
                                  size_t n, const uint32_t *top)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const unsigned spill = quotient[i] >= BBANS_SPILLED;
        const uint64_t x = head[i];
        const uint64_t y = (quotient[i] & ~BBANS_SPILLED) * freq[i] + rest[i];
        const unsigned refill = y < BBANS_HEAD_MIN;
        const uint32_t word = spill ? (uint32_t)x : top[-1];

        top -= refill - spill;
        head[i] = y << 32 * refill | (word & (0u - refill));
    }
    return top;
}

const bbans_lanes_kernels bbans_lanes_portable = {.push = push,
                                                  .advance = advance,
                                                  .max_u32 = max_u32,
                                                  .push_symbols = push_symbols};

const bbans_totals_kernels bbans_totals_portable = {.push_values = push_values,
                                                    .pop_values = pop_values,
                                                    .push_shares = push_shares,
                                                    .pop_start = pop_start,
                                                    .pop_finish = pop_finish};
