/* rANS steps of the byte coder, portable; these define the result.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* All bits of a where the flag is 1, none where it is 0: a choice without a
 * branch, which data that does not compress would mispredict half the time. */
static inline uint32_t if_set(uint32_t flag, uint32_t a)
{
    return a & (0 - flag);
}

/* C(x) = floor(x / f) 2^r + (x mod f) + c.  Before it x < f 2^(31 - r), so the
 * new x < 2^31.  The quotient is x m >> 43 with m = floor(2^43 / f) + 1: the
 * error of m is e / f with e <= f, and x e < f 2^(31 - r) f <= 2^43, so the sum
 * never reaches the next integer; x m < 2^(74 - r) <= 2^64 for r >= 10. */
static inline uint8_t *push(uint32_t *restrict x, size_t lanes,
                            const uint32_t *entry, size_t steps, unsigned prec,
                            const uint64_t *inverse, uint8_t *restrict word)
{
    const uint32_t *e = entry + steps * lanes;
    size_t i;

    while (e > entry)
        for (i = lanes; i-- > 0;) {
            const uint32_t old = x[i], freq = *--e & 0xffff, start = *e >> 16;
            const uint32_t full = old >> (31 - prec) >= freq;
            const uint32_t v = old >> 16 * full;
            const uint32_t q = (uint32_t)(v * inverse[freq] >> 43);

            bbans_store_le16(word - 2, old); /* kept if full */
            word -= 2 * full;
            x[i] = v + q * (((uint32_t)1 << prec) - freq) + start;
        }
    return word;
}

/* With a shift that is known the compiler does better. */
uint8_t *bbans_k_bytes_push_portable(uint32_t *x, size_t lanes,
                                     const uint32_t *entry, size_t steps,
                                     unsigned prec, const uint64_t *inverse,
                                     uint8_t *word)
{
    if (prec == 12)
        return push(x, lanes, entry, steps, 12, inverse, word);
    return push(x, lanes, entry, steps, prec, inverse, word);
}

/* D(x) = f floor(x / 2^r) + (x mod 2^r) - c, then a word if that is below 2^15.
 * f <= 2^r - 1 and x < 2^31, so the new x < 2^31 whatever the words are. */
static inline uint8_t pop_one(uint32_t *restrict x, const uint32_t *slot,
                              unsigned prec, const uint8_t **word)
{
    const uint32_t old = *x;
    const uint32_t entry = slot[old & (((uint32_t)1 << prec) - 1)];
    const uint32_t y = (entry >> 20) * (old >> prec) + (entry >> 8 & 0xfff);
    const uint32_t next = bbans_load_le16(*word);
    const uint32_t dry = (y - BBANS_BYTES_STATE_MIN) >> 31; /* y < 2^31 */

    *word += 2 * dry;
    *x = y << 16 * dry | if_set(dry, next);
    return (uint8_t)entry;
}

const uint8_t *bbans_k_bytes_pop_portable(uint32_t *x, size_t lanes,
                                          const uint32_t *slot,
                                          const uint8_t *word, uint8_t *out,
                                          size_t n)
{
    size_t i, j, k;

    for (; lanes % 4 == 0 && n >= 4 * lanes; n -= 4 * lanes, out += 4 * lanes)
        for (k = 0; k < 4; k++)
            for (i = 0; i < lanes; i += 4)
                for (j = i; j < i + 4; j++)
                    out[4 * j + k] = pop_one(x + j, slot, 12, &word);
    for (; n > 0; out += 4 * lanes) {
        const size_t row = n < 4 * lanes ? n : 4 * lanes;

        for (k = 0; k < 4 && k < row; k++)
            for (i = 0; 4 * i + k < row; i++)
                out[4 * i + k] = pop_one(x + i, slot, 12, &word);
        n -= row;
    }
    return word;
}

const uint8_t *
bbans_k_bytes_pop_pairs_portable(uint32_t *x, uint32_t *row, size_t lanes,
                                 const uint32_t *slot, unsigned prec,
                                 const uint8_t *word, uint8_t *out,
                                 size_t stride, size_t steps)
{
    size_t i, k;

    for (k = 0; k < steps; k++)
        for (i = 0; i < lanes; i++) {
            const uint8_t symbol =
                pop_one(x + i, slot + ((size_t)row[i] << prec), prec, &word);

            out[i * stride + k] = symbol;
            row[i] = symbol;
        }
    return word;
}
