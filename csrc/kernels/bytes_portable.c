/* rANS steps of the byte coder, portable; these define the result.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_bytes_internal.h"

/* C(x) = floor(x / f) 2^r + (x mod f) + c.  Before it x < f 2^(31 - r), so the
 * new x < 2^31.  The quotient is x m >> 43 with m = floor(2^43 / f) + 1: the
 * error of m is e / f with e <= f, and x e < f 2^(31 - r) f <= 2^43, so the sum
 * never reaches the next integer; x m < 2^(74 - r) <= 2^64 for r >= 10.  No
 * branch: words come as they like, and `left` of 32 bits takes the comparison's
 * carry. */
static inline void push_one(uint32_t *restrict x, uint32_t most,
                            uint64_t inverse, uint32_t rest, uint32_t start,
                            uint8_t *restrict words, uint32_t *restrict left)
{
    const uint32_t old = *x, half = old >> 16;
    const uint32_t full = most < old; /* most = f 2^(31 - r) - 1 */
    const uint32_t v = full ? half : old;
    const uint32_t q = (uint32_t)(v * inverse >> 43);

    bbans_store_le16(words + 2 * (size_t)*left - 2, old); /* kept if full */
    *x = v + start + q * rest;                            /* rest = 2^r - f */
    *left -= full;
}

/* All that a step needs of its byte. */
typedef struct {
    uint64_t inverse[256];
    uint32_t most[256], rest[256], start[256];
} byte_codes;

static inline void push_byte(uint32_t *restrict x, const byte_codes *code,
                             size_t byte, uint8_t *restrict words,
                             uint32_t *restrict left)
{
    push_one(x, code->most[byte], code->inverse[byte], code->rest[byte],
             code->start[byte], words, left);
}

static inline uint8_t *push_rows(uint32_t *restrict x, size_t lanes,
                                 const byte_codes *code, const uint32_t *entry,
                                 const uint8_t *bytes, size_t n, uint8_t *word,
                                 uint32_t *any, int flags)
{
    const size_t row = 4 * lanes;
    size_t i, j, k;

    while (n > 0) {
        const size_t rest = (n - 1) % row + 1; /* of the last turns */
        uint32_t seen = 0, left = (uint32_t)rest;
        const uint8_t *from = bytes + (n -= rest);
        uint8_t *words = word - 2 * rest;

        if (rest == row && lanes % 4 == 0)
            for (k = 4; k-- > 0;)
                for (i = lanes; i > 0;)
                    for (i -= 4, j = 4; j-- > 0;) {
                        const size_t byte = from[4 * (i + j) + k];

                        push_byte(x + i + j, code, byte, words, &left);
                        if (flags)
                            seen |= entry[byte];
                    }
        else
            for (k = 4; k-- > 0;)
                for (i = (rest + 3 - k) / 4; i-- > 0;) {
                    const size_t byte = from[4 * i + k];

                    push_byte(x + i, code, byte, words, &left);
                    seen |= entry[byte];
                }
        if (seen & BBANS_BYTES_FLAG)
            for (i = n / 256; i <= (n + rest - 1) / 256; i++)
                *any |= (uint32_t)1 << i;
        word = words + 2 * (size_t)left;
    }
    return word;
}

uint8_t *bbans_k_bytes_push_portable(uint32_t *x, size_t lanes,
                                     const uint32_t *entry,
                                     const uint64_t *inverse,
                                     const uint8_t *bytes, size_t n,
                                     uint8_t *word, uint32_t *any)
{
    byte_codes code;
    uint32_t flags = 0;
    size_t i;

    for (i = 0; i < 256; i++) {
        const uint32_t freq = entry[i] & 0x1fff;

        code.inverse[i] = inverse[freq];
        code.most[i] = (freq << 19) - 1;
        code.rest[i] = 4096 - freq;
        code.start[i] = entry[i] >> 16;
        flags |= entry[i];
    }
    return flags & BBANS_BYTES_FLAG
               ? push_rows(x, lanes, &code, entry, bytes, n, word, any, 1)
               : push_rows(x, lanes, &code, entry, bytes, n, word, any, 0);
}

uint8_t *bbans_k_bytes_push_pairs_portable(uint32_t *x, size_t lanes,
                                           const uint32_t *entry,
                                           const uint64_t *inverse,
                                           unsigned prec, const uint8_t *bytes,
                                           size_t stride, size_t steps,
                                           uint8_t *word)
{
    const uint32_t slots = (uint32_t)1 << prec;
    size_t i, j;

#define PUSH_PAIR(lane)                                                        \
    do {                                                                       \
        const uint8_t *at = bytes + (lane)*stride + steps;                     \
        const uint32_t e = entry[bbans_load_le16(at)], freq = e & 0x1fff;      \
        push_one(x + (lane), (freq << (31 - prec)) - 1, inverse[freq],         \
                 slots - freq, e >> 16, words, &left);                         \
    } while (0)
    while (steps-- > 0) {
        uint8_t *words = word - 2 * lanes;
        uint32_t left = (uint32_t)lanes;

        if (lanes % 4 == 0)
            for (i = lanes; i > 0;)
                for (i -= 4, j = 4; j-- > 0;)
                    PUSH_PAIR(i + j);
        else
            for (i = lanes; i-- > 0;)
                PUSH_PAIR(i);
        word = words + 2 * (size_t)left;
    }
    return word;
}

/* D(x) = f floor(x / 2^r) + (x mod 2^r) - c, then a word if that is below 2^15.
 * f < 2^12 and x < 2^31 with r = 12, or f <= 2^r: the new x < 2^31 whatever the
 * words are. */
static inline uint8_t pop_one(uint32_t *restrict x, const uint32_t *slot,
                              unsigned prec, const uint8_t **word)
{
    const uint32_t old = *x;
    const uint32_t entry = slot[old & (((uint32_t)1 << prec) - 1)];
    const uint32_t y = (entry >> 20) * (old >> prec) + (entry >> 8 & 0xfff);
    const uint32_t next = bbans_load_le16(*word);
    const uint32_t dry = (y - BBANS_BYTES_STATE_MIN) >> 31; /* y < 2^31 */

    *word += 2 * dry;
    *x = y << 16 * dry | (next & (0 - dry));
    return (uint8_t)entry;
}

/* D(x) for many lanes, in turns of two loops: of words and tables, and of
 * arithmetic, which compilers turn into vectors.  No branch here either. */
static inline const uint8_t *pop_many(uint32_t *restrict x, size_t lanes,
                                      const uint32_t *restrict slot,
                                      unsigned prec, const uint8_t *word,
                                      uint8_t *bytes, size_t stride,
                                      size_t steps, int pairs)
{
    const uint32_t slots = ((uint32_t)1 << prec) - 1;
    uint32_t entry[LANES_MAX], row[LANES_MAX], dry[LANES_MAX], taken = 0;
    size_t i, j, k;

    for (i = 0; i < lanes; i++) {
        row[i] = pairs ? (uint32_t)bytes[i * stride] << prec : 0;
        dry[i] = 0;
    }
    for (k = 0; k < steps; k++) {
        uint8_t *to = bytes + (pairs ? k + 1 : k / 4 * stride * lanes + k % 4);

        for (i = 0; i < lanes; i += 4)
            for (j = i; j < i + 4; j++, to += stride) {
                const uint32_t next = bbans_load_le16(word + 2 * (size_t)taken);
                const uint32_t v = x[j] | (next & dry[j]);

                taken -= dry[j];
                x[j] = v;
                entry[j] = slot[(pairs ? row[j] : 0) + (v & slots)];
                *to = (uint8_t)entry[j];
            }
        for (i = 0; i < lanes; i++) {
            const uint32_t e = entry[i];
            const uint32_t y = (e >> 20) * (x[i] >> prec) + (e >> 8 & 0xfff);
            const uint32_t mask = 0 - (uint32_t)(y < BBANS_BYTES_STATE_MIN);

            dry[i] = mask; /* all bits, or none */
            x[i] = (y << 16 & mask) | (y & ~mask);
            if (pairs)
                row[i] = (e & 0xff) << prec;
        }
    }
    for (i = 0; i < lanes; i++) {
        x[i] |= bbans_load_le16(word + 2 * (size_t)taken) & dry[i];
        taken -= dry[i];
    }
    return word + 2 * (size_t)taken;
}

static inline int are_many(size_t lanes)
{
    return lanes >= 16 && lanes <= LANES_MAX && lanes % 4 == 0;
}

const uint8_t *bbans_k_bytes_pop_portable(uint32_t *x, size_t lanes,
                                          const uint32_t *slot,
                                          const uint8_t *word, uint8_t *bytes,
                                          size_t n)
{
    size_t i, k;

    if (are_many(lanes)) {
        const size_t rows = n / (4 * lanes);

        word = pop_many(x, lanes, slot, 12, word, bytes, 4, 4 * rows, 0);
        bytes += 4 * lanes * rows;
        n -= 4 * lanes * rows;
    }
    for (; n > 0; bytes += 4 * lanes) {
        const size_t row = n < 4 * lanes ? n : 4 * lanes;

        for (k = 0; k < 4 && k < row; k++)
            for (i = 0; 4 * i + k < row; i++)
                bytes[4 * i + k] = pop_one(x + i, slot, 12, &word);
        n -= row;
    }
    return word;
}

const uint8_t *bbans_k_bytes_pop_pairs_portable(
    uint32_t *x, size_t lanes, const uint32_t *slot, unsigned prec,
    const uint8_t *word, uint8_t *bytes, size_t stride, size_t steps)
{
    size_t i, k;

    if (are_many(lanes))
        return pop_many(x, lanes, slot, prec, word, bytes, stride, steps, 1);
    for (k = 0; k < steps; k++)
        for (i = 0; i < lanes; i++) {
            uint8_t *at = bytes + i * stride + k;

            at[1] = pop_one(x + i, slot + ((size_t)*at << prec), prec, &word);
        }
    return word;
}
