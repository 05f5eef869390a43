/* rANS steps of the byte coder, portable; these define the result.
 *
 * SPDX-License-Identifier: MIT */
#include "../bytes/bbans_bytes_internal.h"

/* C(x) = floor(x / f) 2^r + (x mod f) + c.  Before it x < f 2^(31 - r), so the
 * new x < 2^31.  The quotient is x m >> 43 with m = floor(2^43 / f) + 1: the
 * error of m is e / f with e <= f, and x e < f 2^(31 - r) f <= 2^43, so the sum
 * never reaches the next integer; x m < 2^(74 - r) <= 2^64 for r >= 10.  No
 * branch: words come as they like, and both comparisons are one to compilers,
 * `left` taking its carry.  Returns the new x, and bits above 32 of `start`. */
static inline uint64_t push_one(uint32_t *restrict x, uint32_t most,
                                uint64_t inverse, uint32_t rest, uint64_t start,
                                uint8_t *restrict words, size_t *restrict left)
{
    const uint32_t old = *x, half = old >> 16;
    uint32_t v = old, q;
    uint64_t y;

    bbans_store_le16(words + 2 * *left - 2, old); /* kept if full */
    if (most < old)                               /* most = f 2^(31 - r) - 1 */
        v = half;
    *left -= most < old;
    q = (uint32_t)(v * inverse >> 43);
    y = v + start + q * rest; /* rest = 2^r - f */
    *x = (uint32_t)y;
    return y;
}

/* All that a step needs of its byte; a flag above bit 32 of its start. */
typedef struct {
    uint64_t inverse[256], start[256];
    uint32_t most[256], rest[256];
} byte_codes;

static inline uint64_t push_byte(uint32_t *restrict x, const byte_codes *code,
                                 size_t byte, uint8_t *restrict words,
                                 size_t *restrict left)
{
    return push_one(x, code->most[byte], code->inverse[byte], code->rest[byte],
                    code->start[byte], words, left);
}

/* Four lanes, whose bytes are there; then those of the next four are loaded:
 * long before they are needed, as all else of a step waits for its byte. */
static inline uint64_t push_bytes(uint32_t *restrict x, const byte_codes *code,
                                  size_t *byte, const uint8_t *next,
                                  uint8_t *restrict words,
                                  size_t *restrict left)
{
    uint64_t seen = 0;
    size_t j;

    for (j = 4; j-- > 0;) {
        seen |= push_byte(x + j, code, byte[j], words, left);
        byte[j] = next[4 * j];
    }
    return seen;
}

static uint8_t *push(uint32_t *x, size_t lanes, const uint32_t *entry,
                     const uint64_t *inverse, const uint8_t *bytes, size_t n,
                     uint8_t *word, uint32_t *any)
{
    const size_t row = 4 * lanes;
    byte_codes code;
    size_t i, k;

    for (i = 0; i < 256; i++) {
        const uint32_t freq = entry[i] & 0x1fff;

        code.inverse[i] = inverse[freq];
        code.start[i] = entry[i] >> 16 | (uint64_t)(entry[i] & BBANS_BYTES_FLAG)
                                             << 32;
        code.most[i] = (freq << 19) - 1;
        code.rest[i] = 4096 - freq;
    }
    while (n > 0) {
        const size_t rest = (n - 1) % row + 1; /* of the last turns */
        const uint8_t *from = bytes + (n -= rest);
        uint8_t *words = word - 2 * rest;
        size_t left = rest;
        uint64_t seen = 0;

        for (k = 4; k-- > 0;)
            if (rest == row && lanes % 4 == 0) {
                const uint8_t *at = from + row - 16 + k;
                size_t byte[4] = {at[0], at[4], at[8], at[12]};

                for (i = lanes - 4; i > 0; i -= 4)
                    seen |=
                        push_bytes(x + i, &code, byte, at -= 16, words, &left);
                seen |= push_bytes(x, &code, byte, at, words, &left);
            } else {
                for (i = (rest + 3 - k) / 4; i-- > 0;)
                    seen |=
                        push_byte(x + i, &code, from[4 * i + k], words, &left);
            }
        if (seen >> 32 != 0)
            for (i = n / 256; i <= (n + rest - 1) / 256; i++)
                *any |= (uint32_t)1 << i;
        word = words + 2 * left;
    }
    return word;
}

static inline void push_pair(uint32_t *restrict x, uint32_t entry,
                             const uint64_t *inverse, unsigned prec,
                             uint8_t *restrict words, size_t *restrict left)
{
    const uint32_t freq = entry & 0x1fff;

    push_one(x, (freq << (31 - prec)) - 1, inverse[freq],
             ((uint32_t)1 << prec) - freq, entry >> 16, words, left);
}

/* As push_bytes. */
static inline void push_four_pairs(uint32_t *restrict x, const uint32_t *entry,
                                   const uint64_t *inverse, unsigned prec,
                                   uint32_t *e, const uint8_t *next,
                                   size_t stride, uint8_t *restrict words,
                                   size_t *restrict left)
{
    size_t j;

    for (j = 4; j-- > 0;) {
        push_pair(x + j, e[j], inverse, prec, words, left);
        e[j] = entry[bbans_load_le16(next + j * stride)];
    }
}

static uint8_t *push_pairs(uint32_t *x, size_t lanes, const uint32_t *entry,
                           const uint64_t *inverse, unsigned prec,
                           const uint8_t *bytes, size_t stride, size_t steps,
                           uint8_t *word)
{
    size_t i, j;

    while (steps-- > 0) {
        uint8_t *words = word - 2 * lanes;
        size_t left = lanes;

        if (lanes % 4 == 0) {
            const uint8_t *at = bytes + (lanes - 4) * stride + steps;
            uint32_t e[4];

            for (j = 0; j < 4; j++)
                e[j] = entry[bbans_load_le16(at + j * stride)];
            for (i = lanes - 4; i > 0; i -= 4)
                push_four_pairs(x + i, entry, inverse, prec, e,
                                at -= 4 * stride, stride, words, &left);
            push_four_pairs(x, entry, inverse, prec, e, at, stride, words,
                            &left);
        } else {
            for (i = lanes; i-- > 0;)
                push_pair(x + i,
                          entry[bbans_load_le16(bytes + i * stride + steps)],
                          inverse, prec, words, &left);
        }
        word = words + 2 * left;
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

static const uint8_t *pop(uint32_t *x, size_t lanes, const uint32_t *slot,
                          const uint8_t *word, uint8_t *bytes, size_t n)
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

static const uint8_t *pop_pairs(uint32_t *x, size_t lanes, const uint32_t *slot,
                                unsigned prec, const uint8_t *word,
                                uint8_t *bytes, size_t stride, size_t steps)
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

/* ---- Unpack -------------------------------------------------------------- */

/* A function of its own: so compilers make few wide stores of it. */
static inline void unpack_by(size_t per, uint8_t of_byte[256][8],
                             const uint8_t *packed, size_t n, uint8_t *bytes)
{
    size_t i;

    for (i = 0; i < n; i++)
        memcpy(bytes + per * i, of_byte[packed[i]], per);
}

static unsigned unpack(const uint8_t *packed, size_t n, unsigned log2_per,
                       const uint8_t *symbol, uint8_t *bytes)
{
    const unsigned per = 1u << log2_per, bits = 8 / per;
    const unsigned ranks = (1u << bits) - 1;
    uint8_t of_byte[256][8];
    unsigned most = 0, shift, k;
    size_t i;

    for (shift = 0; shift < 8; shift += bits) {
        const uint8_t mask = (uint8_t)(ranks << shift);
        uint8_t highest = 0;

        for (i = 0; i < n; i++) {
            const uint8_t rank = packed[i] & mask;

            highest = rank > highest ? rank : highest;
        }
        if ((unsigned)highest >> shift > most)
            most = (unsigned)highest >> shift;
    }
    for (i = 0; i < 256; i++)
        for (k = 0; k < per; k++)
            of_byte[i][k] = symbol[i >> k * bits & ranks];
    switch (per) {
    case 2: unpack_by(2, of_byte, packed, n, bytes); break;
    case 4: unpack_by(4, of_byte, packed, n, bytes); break;
    default: unpack_by(8, of_byte, packed, n, bytes);
    }
    return most;
}

const bbans_bytes_kernels bbans_bytes_portable = {.push = push,
                                                  .pop = pop,
                                                  .push_pairs = push_pairs,
                                                  .pop_pairs = pop_pairs,
                                                  .unpack = unpack};
