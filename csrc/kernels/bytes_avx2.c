/* AVX2 kernels of the byte coder; equal to bytes_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2,popcnt")
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))
#define LOAD_HALF(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE_HALF(p, v) _mm_storeu_si128((__m128i *)(void *)(p), (v))

/* Byte shuffles by the mask of the lanes that want a word: TAKE spreads words
 * from the front to those lanes, GIVE moves theirs to the back. */
#define BIT(m, k) ((m) >> (k)&1)
#define BELOW(m, k)                                                            \
    (((k) > 0 ? BIT(m, 0) : 0) + ((k) > 1 ? BIT(m, 1) : 0) +                   \
     ((k) > 2 ? BIT(m, 2) : 0) + ((k) > 3 ? BIT(m, 3) : 0) +                   \
     ((k) > 4 ? BIT(m, 4) : 0) + ((k) > 5 ? BIT(m, 5) : 0) +                   \
     ((k) > 6 ? BIT(m, 6) : 0))
#define T(m, k) 2 * BELOW(m, k), 2 * BELOW(m, k) + 1
#define TAKE(m)                                                                \
    {                                                                          \
        T(m, 0), T(m, 1), T(m, 2), T(m, 3), T(m, 4), T(m, 5), T(m, 6), T(m, 7) \
    }
#define ALL_4(f, m) f(m), f(m + 1), f(m + 2), f(m + 3)
#define ALL_16(f, m)                                                           \
    ALL_4(f, m), ALL_4(f, m + 4), ALL_4(f, m + 8), ALL_4(f, m + 12)
#define ALL_64(f, m)                                                           \
    ALL_16(f, m), ALL_16(f, m + 16), ALL_16(f, m + 32), ALL_16(f, m + 48)
#define ALL_256(f) ALL_64(f, 0), ALL_64(f, 64), ALL_64(f, 128), ALL_64(f, 192)

/* Which of the next words goes to each lane. */
static const uint8_t take[256][16] = {ALL_256(TAKE)};

/* Whether each lane in turn is in the mask m: those that are shift the others
 * forward. */
#define GIVE_8(m, a, b, c, d, e, f, g, h)                                      \
    [m] = {2 * a, 2 * a + 1, 2 * b, 2 * b + 1, 2 * c, 2 * c + 1,               \
           2 * d, 2 * d + 1, 2 * e, 2 * e + 1, 2 * f, 2 * f + 1,               \
           2 * g, 2 * g + 1, 2 * h, 2 * h + 1},
#define GIVE_7(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_8(m, a, b, c, d, e, f, g, h) GIVE_8(m + 128, b, c, d, e, f, g, h, 7)
#define GIVE_6(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_7(m, a, b, c, d, e, f, g, h) GIVE_7(m + 64, b, c, d, e, f, g, h, 6)
#define GIVE_5(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_6(m, a, b, c, d, e, f, g, h) GIVE_6(m + 32, b, c, d, e, f, g, h, 5)
#define GIVE_4(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_5(m, a, b, c, d, e, f, g, h) GIVE_5(m + 16, b, c, d, e, f, g, h, 4)
#define GIVE_3(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_4(m, a, b, c, d, e, f, g, h) GIVE_4(m + 8, b, c, d, e, f, g, h, 3)
#define GIVE_2(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_3(m, a, b, c, d, e, f, g, h) GIVE_3(m + 4, b, c, d, e, f, g, h, 2)
#define GIVE_1(m, a, b, c, d, e, f, g, h)                                      \
    GIVE_2(m, a, b, c, d, e, f, g, h) GIVE_2(m + 2, b, c, d, e, f, g, h, 1)
static const uint8_t give[256][16] = {GIVE_1(0, 0, 0, 0, 0, 0, 0, 0, 0)
                                          GIVE_1(1, 0, 0, 0, 0, 0, 0, 0, 0)};

/* Eight entries of a table.  A load that puts its entry where the result wants
 * it needs no shuffle, only a blend; gathers are slower on the cores measured.
 * AT(k) is the k-th index. */
#define ENTRY(table, k, AT) LOAD_HALF((table) + AT(k) - (k) % 4)
#define HALF(table, k, AT)                                                     \
    _mm_blend_epi32(                                                           \
        _mm_blend_epi32(                                                       \
            _mm_blend_epi32(_mm_cvtsi32_si128((int)(table)[AT(k)]),            \
                            ENTRY(table, (k) + 1, AT), 2),                     \
            ENTRY(table, (k) + 2, AT), 4),                                     \
        ENTRY(table, (k) + 3, AT), 8)
#define EIGHT(table, AT)                                                       \
    _mm256_inserti128_si256(_mm256_castsi128_si256(HALF(table, 0, AT)),        \
                            HALF(table, 4, AT), 1)

/* ---- Push ---------------------------------------------------------------- */

/* The quotient of x < f 2^(31 - r) by f, in floats: below x / f by a relative
 * error of 2^-24 to 2^-21.1 (a bias of 2^-22, and the roundings of x, of the
 * biased f and of the quotient, each up to 2^-24), so by less than
 * 2^21 2^-21.1 < 1, and its floor is right or one too small. */
#define BIAS 0x3f800002 /* 1 + 2^-22 */

AVX2 static inline uint8_t *push_8(uint32_t *x, __m256i e, unsigned prec,
                                   uint8_t *word)
{
    const __m256i low = _mm256_set1_epi32(0xffff);
    const __m256i one = _mm256_set1_epi32(1);
    const __m256i f = _mm256_and_si256(e, _mm256_set1_epi32(0x1fff));
    const __m256i c = _mm256_srli_epi32(e, 16);
    __m256i v = LOAD(x), q, rest, more;
    /* f 2^(31 - r) - 1 <= 2^31 - 1: a signed comparison will do. */
    const __m256i full = _mm256_cmpgt_epi32(
        v, _mm256_sub_epi32(_mm256_slli_epi32(f, 31 - (int)prec), one));
    const unsigned mask =
        (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(full));
    const __m256i words = _mm256_and_si256(v, low);
    const __m128i eight = _mm_packus_epi32(_mm256_castsi256_si128(words),
                                           _mm256_extracti128_si256(words, 1));

    STORE_HALF(word - 16, _mm_shuffle_epi8(eight, LOAD_HALF(give[mask])));
    word -= 2 * (size_t)__builtin_popcount(mask);
    v = _mm256_blendv_epi8(v, _mm256_srli_epi32(v, 16), full);
    q = _mm256_cvttps_epi32(_mm256_div_ps(
        _mm256_cvtepi32_ps(v),
        _mm256_mul_ps(_mm256_cvtepi32_ps(f),
                      _mm256_castsi256_ps(_mm256_set1_epi32(BIAS)))));
    rest = _mm256_sub_epi32(v, _mm256_mullo_epi32(q, f));
    more = _mm256_cmpgt_epi32(f, rest); /* -1: q is right */
    q = _mm256_add_epi32(q, _mm256_add_epi32(one, more));
    rest = _mm256_sub_epi32(rest, _mm256_andnot_si256(more, f));
    STORE(x, _mm256_add_epi32(
                 _mm256_add_epi32(_mm256_slli_epi32(q, (int)prec), c), rest));
    return word;
}

#define BYTE_AT(k) at[4 * (k)]

AVX2 static uint8_t *push(uint32_t *x, size_t lanes, const uint32_t *entry,
                          const uint64_t *inverse, const uint8_t *bytes,
                          size_t n, uint8_t *word, uint32_t *any)
{
    const size_t row = 4 * lanes, rest = lanes % 8 != 0 ? n : n % row;
    const __m256i flag = _mm256_set1_epi32(BBANS_BYTES_FLAG);
    uint32_t any_rest = 0;
    size_t i, k;

    n -= rest;
    word = bbans_bytes_portable.push(x, lanes, entry, inverse, bytes + n, rest,
                                     word, &any_rest);
    if (any_rest != 0)
        *any |= UINT32_MAX << n / 256;
    while (n > 0) {
        __m256i seen = _mm256_setzero_si256();

        n -= row;
        for (k = 4; k-- > 0;)
            for (i = lanes; i > 0;) {
                const uint8_t *at = bytes + n + 4 * (i -= 8) + k;
                const __m256i e = EIGHT(entry, BYTE_AT);

                seen = _mm256_or_si256(seen, e);
                word = push_8(x + i, e, 12, word);
            }
        if (!_mm256_testz_si256(seen, flag))
            *any |= (uint32_t)(row > 256 ? 3 : 1) << n / 256;
    }
    return word;
}

#define PAIR_AT(k) bbans_load_le16(at + (k)*stride)

AVX2 static uint8_t *push_pairs(uint32_t *x, size_t lanes,
                                const uint32_t *entry, const uint64_t *inverse,
                                unsigned prec, const uint8_t *bytes,
                                size_t stride, size_t steps, uint8_t *word)
{
    size_t i;

    if (lanes % 8 != 0)
        return bbans_bytes_portable.push_pairs(x, lanes, entry, inverse, prec,
                                               bytes, stride, steps, word);
    while (steps-- > 0)
        for (i = lanes; i > 0;) {
            const uint8_t *at = bytes + (i -= 8) * stride + steps;

            word = push_8(x + i, EIGHT(entry, PAIR_AT), prec, word);
        }
    return word;
}

/* ---- Pop ----------------------------------------------------------------- */

/* Indices go through memory, and from there to registers in twos: single loads
 * of them would keep the load units longer.  Aligned, as a union with a vector
 * is: no store to it crosses a cache line. */
typedef union {
    __m256i v;
    uint64_t u64[4];
} slots_8;

#define SLOT_AT(k) (uint32_t)(i[(k) / 2] >> 32 * ((k) % 2))

AVX2 static inline __m256i slots_get(const uint32_t *slot, const slots_8 *at)
{
    const uint64_t i[4] = {at->u64[0], at->u64[1], at->u64[2], at->u64[3]};

    return EIGHT(slot, SLOT_AT);
}

/* D(x), and words for those below 2^15. */
AVX2 static inline __m256i pop_8(__m256i x, __m256i e, __m128i prec,
                                 const uint8_t **word)
{
    const __m256i offset =
        _mm256_and_si256(_mm256_srli_epi32(e, 8), _mm256_set1_epi32(0xfff));
    const __m256i y = _mm256_add_epi32(
        _mm256_mullo_epi32(_mm256_srli_epi32(e, 20), _mm256_srl_epi32(x, prec)),
        offset);
    /* As y < 2^31, the sign of y - 2^15 tells. */
    const __m256 dry = _mm256_castsi256_ps(
        _mm256_sub_epi32(y, _mm256_set1_epi32((int)BBANS_BYTES_STATE_MIN)));
    const unsigned mask = (unsigned)_mm256_movemask_ps(dry);
    const __m256i next = _mm256_cvtepu16_epi32(
        _mm_shuffle_epi8(LOAD_HALF(*word), LOAD_HALF(take[mask])));

    *word += 2 * (size_t)__builtin_popcount(mask);
    return _mm256_castps_si256(_mm256_blendv_ps(
        _mm256_castsi256_ps(y),
        _mm256_castsi256_ps(_mm256_or_si256(_mm256_slli_epi32(y, 16), next)),
        dry));
}

/* The symbol of step k in byte k of each lane's four. */
AVX2 static inline __m256i with_symbol(__m256i four, __m256i e, size_t k)
{
    switch (k) {
    case 0: return e;
    case 1:
        return _mm256_blendv_epi8(four, _mm256_slli_epi32(e, 8),
                                  _mm256_set1_epi32(0xff00));
    case 2: return _mm256_blend_epi16(four, _mm256_slli_epi32(e, 16), 0xaa);
    default:
        return _mm256_blendv_epi8(four, _mm256_slli_epi32(e, 24),
                                  _mm256_set1_epi32((int)0xff000000));
    }
}

#define VECTORS_MAX 16

#define POP_STEP(n, k)                                                         \
    for (v = 0; v < (n); v++) {                                                \
        const __m256i e = slots_get(slot, &index[v]);                          \
        x_[v] = pop_8(x_[v], e, prec, &word);                                  \
        index[v].v = _mm256_and_si256(x_[v], slots);                           \
        o_[v] = with_symbol(o_[v], e, k);                                      \
    }

/* One row of n vectors.  The slots go through memory, a whole row ahead. */
#define POP_ROWS(n)                                                            \
    do {                                                                       \
        __m256i x_[n], o_[n];                                                  \
        for (v = 0; v < (n); v++) {                                            \
            x_[v] = LOAD(x + 8 * v);                                           \
            o_[v] = _mm256_setzero_si256();                                    \
            index[v].v = _mm256_and_si256(x_[v], slots);                       \
        }                                                                      \
        for (; rows > 0; rows--, out += 32 * (n)) {                            \
            POP_STEP(n, 0);                                                    \
            POP_STEP(n, 1);                                                    \
            POP_STEP(n, 2);                                                    \
            POP_STEP(n, 3);                                                    \
            for (v = 0; v < (n); v++)                                          \
                STORE(out + 32 * v, o_[v]);                                    \
        }                                                                      \
        for (v = 0; v < (n); v++)                                              \
            STORE(x + 8 * v, x_[v]);                                           \
    } while (0)

AVX2 static const uint8_t *pop(uint32_t *x, size_t lanes, const uint32_t *slot,
                               const uint8_t *word, uint8_t *out, size_t n)
{
    const __m256i slots = _mm256_set1_epi32(0xfff);
    const __m128i prec = _mm_cvtsi32_si128(12);
    slots_8 index[VECTORS_MAX];
    size_t rows = n / (4 * lanes), v;

    n -= 4 * lanes * rows;
    if (lanes == 64)
        POP_ROWS(8);
    else if (lanes == 32)
        POP_ROWS(4);
    else if (lanes == 128)
        POP_ROWS(16);
    else
        n += 4 * lanes * rows;
    return bbans_bytes_portable.pop(x, lanes, slot, word, out, n);
}

/* Four bytes of each of eight lanes, to where each lane writes. */
AVX2 static inline void scatter(uint8_t *bytes, size_t stride, __m256i v)
{
    uint32_t four[8];
    size_t i;

    STORE(four, v);
    for (i = 0; i < 8; i++)
        memcpy(bytes + i * stride, four + i, 4);
}

#define POP_PAIRS_STEP(n, k)                                                   \
    for (v = 0; v < (n); v++) {                                                \
        const __m256i e = slots_get(slot, &index[v]);                          \
        const __m256i symbol = _mm256_and_si256(e, _mm256_set1_epi32(0xff));   \
        x_[v] = pop_8(x_[v], e, shift, &word);                                 \
        index[v].v = _mm256_or_si256(_mm256_sll_epi32(symbol, shift),          \
                                     _mm256_and_si256(x_[v], slots));          \
        o_[v] = with_symbol(o_[v], e, k);                                      \
    }

/* As POP_ROWS, each slot in the row of the byte before. */
#define POP_PAIRS(n)                                                           \
    do {                                                                       \
        __m256i x_[n], o_[n];                                                  \
        for (v = 0; v < (n); v++) {                                            \
            x_[v] = LOAD(x + 8 * v);                                           \
            o_[v] = _mm256_setzero_si256();                                    \
            for (k = 0; k < 8; k++)                                            \
                row[k] = (uint32_t)bytes[(8 * v + k) * stride] << prec;        \
            index[v].v =                                                       \
                _mm256_or_si256(LOAD(row), _mm256_and_si256(x_[v], slots));    \
        }                                                                      \
        for (; steps >= 4; steps -= 4, bytes += 4) {                           \
            POP_PAIRS_STEP(n, 0);                                              \
            POP_PAIRS_STEP(n, 1);                                              \
            POP_PAIRS_STEP(n, 2);                                              \
            POP_PAIRS_STEP(n, 3);                                              \
            for (v = 0; v < (n); v++)                                          \
                scatter(bytes + 8 * v * stride + 1, stride, o_[v]);            \
        }                                                                      \
        for (v = 0; v < (n); v++)                                              \
            STORE(x + 8 * v, x_[v]);                                           \
    } while (0)

AVX2 static const uint8_t *pop_pairs(uint32_t *x, size_t lanes,
                                     const uint32_t *slot, unsigned prec,
                                     const uint8_t *word, uint8_t *bytes,
                                     size_t stride, size_t steps)
{
    const __m256i slots = _mm256_set1_epi32((1 << prec) - 1);
    const __m128i shift = _mm_cvtsi32_si128((int)prec);
    slots_8 index[VECTORS_MAX];
    uint32_t row[8];
    size_t k, v;

    if (lanes == 64)
        POP_PAIRS(8);
    else if (lanes == 32)
        POP_PAIRS(4);
    else if (lanes == 128)
        POP_PAIRS(16);
    return bbans_bytes_portable.pop_pairs(x, lanes, slot, prec, word, bytes,
                                          stride, steps);
}

/* ---- Unpack -------------------------------------------------------------- */

/* The upper half of each field of v to a field of its own. */
#define SPLIT(v, shift, mask)                                                  \
    _mm256_and_si256(_mm256_or_si256(v, _mm256_slli_epi64(v, shift)),          \
                     _mm256_set1_epi64x(mask))

/* 32 ranks, in bytes of their own. */
AVX2 static inline __m256i ranks_of(const uint8_t *packed, unsigned log2_per)
{
    __m256i v;
    int four;

    switch (log2_per) {
    case 1:
        v = _mm256_cvtepu8_epi16(LOAD_HALF(packed));
        return SPLIT(v, 4, 0x0f0f0f0f0f0f0f0f);
    case 2:
        v = _mm256_cvtepu8_epi32(
            _mm_loadl_epi64((const __m128i *)(const void *)packed));
        v = SPLIT(v, 12, 0x000f000f000f000f);
        return SPLIT(v, 6, 0x0303030303030303);
    default:
        memcpy(&four, packed, 4);
        v = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
        v = SPLIT(v, 28, 0x0000000f0000000f);
        v = SPLIT(v, 14, 0x0003000300030003);
        return SPLIT(v, 7, 0x0101010101010101);
    }
}

AVX2 static unsigned unpack(const uint8_t *packed, size_t n, unsigned log2_per,
                            const uint8_t *symbol, uint8_t *bytes)
{
    const __m256i symbols = _mm256_broadcastsi128_si256(LOAD_HALF(symbol));
    const size_t at_once = (size_t)32 >> log2_per;
    __m256i most = _mm256_setzero_si256();
    uint8_t highest[32];
    unsigned all;
    size_t i, k;

#define UNPACK(per)                                                            \
    for (i = 0; i + at_once <= n; i += at_once) {                              \
        const __m256i ranks = ranks_of(packed + i, per);                       \
        most = _mm256_max_epu8(most, ranks);                                   \
        STORE(bytes + (i << (per)), _mm256_shuffle_epi8(symbols, ranks));      \
    }
    switch (log2_per) {
    case 1: UNPACK(1) break;
    case 2: UNPACK(2) break;
    default: UNPACK(3)
    }
    all = bbans_bytes_portable.unpack(packed + i, n - i, log2_per, symbol,
                                      bytes + (i << log2_per));
    STORE(highest, most);
    for (k = 0; k < 32; k++)
        all = highest[k] > all ? highest[k] : all;
    return all;
}

const bbans_bytes_kernels bbans_bytes_avx2 = {.push = push,
                                              .pop = pop,
                                              .push_pairs = push_pairs,
                                              .pop_pairs = pop_pairs,
                                              .unpack = unpack};
#endif
