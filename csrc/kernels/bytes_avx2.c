/* AVX2 kernels of the byte coder; equal to bytes_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "bytes_words.h"
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2,popcnt")
#define AVX2_INLINE AVX2 __attribute__((always_inline))
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))
#define LOAD_HALF(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE_HALF(p, v) _mm_storeu_si128((__m128i *)(void *)(p), (v))

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

#define VECTORS_MAX 16

/* ---- Push ---------------------------------------------------------------- */

/* Lanes that the loops below are compiled for, where floats round as they
 * need. */
static inline int has_vectors(size_t lanes)
{
    return (lanes == 16 || lanes == 32 || lanes == 64 || lanes == 128) &&
           bbans_rounds_to_nearest();
}

/* a / b, of which -ffast-math would make an estimate. */
AVX2_INLINE static inline __m256 ratio(__m256 a, __m256 b)
{
#ifdef BBANS_EMULATE
    return _mm256_div_ps(a, b);
#else
    __asm__("vdivps {%1, %0, %0|%0, %0, %1}" : "+x"(a) : "x"(b));
    return a;
#endif
}

/* C(x) for eight lanes.  With y = x / f < 2^(31 - r) <= 2^21, the quotient of
 * floats is less than 1/4 from y, as x and the quotient round by at most 2^-24
 * of themselves; so its nearest integer is less than 1 from y: floor(y), or one
 * more, where x - q f < 0 tells. */
AVX2_INLINE static inline __m256i push_8(__m256i x, __m256i e, __m128i shift,
                                         __m128i prec, uint8_t **word)
{
    const __m256i low = _mm256_set1_epi64x(0x0d0c090805040100);
    const __m256i f = _mm256_and_si256(e, _mm256_set1_epi32(0x1fff));
    const __m256i c = _mm256_srli_epi32(e, 16);
    /* x < f 2^(31 - r): it has room. */
    const __m256i room = _mm256_cmpgt_epi32(f, _mm256_srl_epi32(x, shift));
    const unsigned mask =
        (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(room));
    const __m256i words =
        _mm256_permute4x64_epi64(_mm256_shuffle_epi8(x, low), 0x08);
    __m256i q, rest, over;

    STORE_HALF(*word - 16,
               _mm_shuffle_epi8(_mm256_castsi256_si128(words),
                                LOAD_HALF(bbans_words_given[mask])));
    *word += 2 * (size_t)__builtin_popcount(mask);
    *word -= 16;
    x = _mm256_srlv_epi32(x, _mm256_andnot_si256(room, _mm256_set1_epi32(16)));
    q = _mm256_cvtps_epi32(ratio(_mm256_cvtepi32_ps(x), _mm256_cvtepi32_ps(f)));
    rest = _mm256_sub_epi32(x, _mm256_mullo_epi32(q, f));
    over = _mm256_srai_epi32(rest, 31); /* -1, or 0 */
    rest = _mm256_add_epi32(rest, _mm256_and_si256(over, f));
    q = _mm256_sll_epi32(_mm256_add_epi32(q, over), prec);
    return _mm256_add_epi32(_mm256_add_epi32(rest, c), q);
}

/* Compilers would join single stores of what they load by shuffles, which are
 * what the loop has least room for. */
#ifdef BBANS_EMULATE
#define KEEP_SCALAR(v) ((void)(v))
#else
#define KEEP_SCALAR(v) __asm__("" : "+r"(v))
#endif

/* The entries of eight lanes, for bytes or for pairs of them. */
AVX2_INLINE static inline void look_up(uint32_t *e, const uint32_t *entry,
                                       const uint8_t *at, size_t step,
                                       int pairs)
{
    size_t i;

    for (i = 0; i < 8; i++) {
        uint32_t v =
            entry[pairs ? bbans_load_le16(at + i * step) : at[i * step]];

        KEEP_SCALAR(v);
        e[i] = v;
    }
}

/* Rows of four bytes of each lane, `step` apart, from the last row to the
 * first.  Entries are looked up a row ahead, by single loads and stores: these
 * keep the units of vectors free, and by the time that vectors load what was
 * stored, it has left the store buffer. */
AVX2_INLINE static inline uint8_t *
push_rows(uint32_t *x, size_t vectors, const uint32_t *entry, unsigned prec,
          const uint8_t *bytes, size_t step, size_t row_bytes, size_t rows,
          int pairs, uint8_t *word, uint32_t *any)
{
    const __m128i shift = _mm_cvtsi32_si128(31 - (int)prec);
    const __m128i r = _mm_cvtsi32_si128((int)prec);
    const __m256i flag = _mm256_set1_epi32(BBANS_BYTES_FLAG);
    uint32_t e[2][4 * 8 * VECTORS_MAX];
    __m256i x_[VECTORS_MAX];
    size_t v, k;

    if (rows == 0)
        return word;
    bytes += rows * row_bytes;
    for (v = 0; v < vectors; v++) {
        x_[v] = LOAD(x + 8 * v);
        for (k = 0; k < 4; k++)
            look_up(&e[rows % 2][8 * (k * vectors + v)], entry,
                    bytes - row_bytes + 8 * v * step + k, step, pairs);
    }
    for (; rows > 0; rows--) {
        const uint32_t *const these = e[rows % 2];
        uint32_t *const next = e[1 - rows % 2];
        const uint8_t *before; /* of the first row: itself again */
        __m256i seen = _mm256_setzero_si256();

        bytes -= row_bytes;
        before = rows > 1 ? bytes - row_bytes : bytes;
        for (k = 4; k-- > 0;)
            for (v = vectors; v-- > 0;) {
                const size_t at = 8 * (k * vectors + v);
                const __m256i e_ = LOAD(these + at);

                look_up(next + at, entry, before + 8 * v * step + k, step,
                        pairs);
                seen = _mm256_or_si256(seen, e_);
                x_[v] = push_8(x_[v], e_, shift, r, &word);
            }
        if (!pairs && !_mm256_testz_si256(seen, flag))
            *any |= (uint32_t)(row_bytes > 256 ? 3 : 1)
                    << (rows - 1) * row_bytes / 256;
    }
    for (v = 0; v < vectors; v++)
        STORE(x + 8 * v, x_[v]);
    return word;
}

AVX2 static uint8_t *push(uint32_t *x, size_t lanes, const uint32_t *entry,
                          const uint64_t *inverse, const uint8_t *bytes,
                          size_t n, uint8_t *word, uint32_t *any)
{
    const size_t row = 4 * lanes, rows = has_vectors(lanes) ? n / row : 0;
    uint32_t any_rest = 0;

    word =
        bbans_bytes_portable.push(x, lanes, entry, inverse, bytes + rows * row,
                                  n - rows * row, word, &any_rest);
    if (any_rest != 0)
        *any |= UINT32_MAX << rows * row / 256;
#define PUSH(vectors)                                                          \
    push_rows(x, vectors, entry, 12, bytes, 4, row, rows, 0, word, any)
    switch (lanes) {
    case 16: return PUSH(2);
    case 32: return PUSH(4);
    case 64: return PUSH(8);
    case 128: return PUSH(16);
    default: return word;
    }
}

AVX2 static uint8_t *push_pairs(uint32_t *x, size_t lanes,
                                const uint32_t *entry, const uint64_t *inverse,
                                unsigned prec, const uint8_t *bytes,
                                size_t stride, size_t steps, uint8_t *word)
{
    const size_t rows = has_vectors(lanes) ? steps / 4 : 0;

    word = bbans_bytes_portable.push_pairs(x, lanes, entry, inverse, prec,
                                           bytes + 4 * rows, stride,
                                           steps - 4 * rows, word);
#define PUSH_PAIRS(vectors)                                                    \
    push_rows(x, vectors, entry, prec, bytes, stride, 4, rows, 1, word, NULL)
    switch (lanes) {
    case 16: return PUSH_PAIRS(2);
    case 32: return PUSH_PAIRS(4);
    case 64: return PUSH_PAIRS(8);
    case 128: return PUSH_PAIRS(16);
    default: return word;
    }
}

/* ---- Pop ----------------------------------------------------------------- */

/* Indices of the slots of eight lanes.  Aligned, as a union with a vector is:
 * no store to it crosses a cache line. */
typedef union {
    __m256i v;
    uint32_t u32[8];
    uint64_t u64[4];
} indices_8;

/* Single loads take indices from memory two at once: loads of each would keep
 * the load units longer. */
#define INDEX_AT(k) (uint32_t)(i[(k) / 2] >> 32 * ((k) % 2))

AVX2_INLINE static inline __m256i slots_get(const uint32_t *slot,
                                            const indices_8 *at)
{
    const uint64_t i[4] = {at->u64[0], at->u64[1], at->u64[2], at->u64[3]};

    return EIGHT(slot, INDEX_AT);
}

/* As look_up: what vectors load soon would wait in the store buffer. */
AVX2_INLINE static inline void slots_copy(uint32_t *e, const uint32_t *slot,
                                          const indices_8 *at)
{
    size_t i;

    for (i = 0; i < 8; i++) {
        uint32_t v = slot[at->u32[i]];

        KEEP_SCALAR(v);
        e[i] = v;
    }
}

/* D(x), and words for those below 2^15: as y < 2^31, the sign of y - 2^15
 * tells, and 16 of its bits are how far these go up. */
AVX2_INLINE static inline __m256i pop_8(__m256i x, __m256i e, __m128i prec,
                                        const uint8_t **word)
{
    const __m256i offset =
        _mm256_and_si256(_mm256_srli_epi32(e, 8), _mm256_set1_epi32(0xfff));
    const __m256i y = _mm256_add_epi32(
        _mm256_mullo_epi32(_mm256_srli_epi32(e, 20), _mm256_srl_epi32(x, prec)),
        offset);
    const __m256i dry =
        _mm256_sub_epi32(y, _mm256_set1_epi32((int)BBANS_BYTES_STATE_MIN));
    const unsigned mask =
        (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(dry));
    const __m256i next = _mm256_cvtepu16_epi32(
        _mm_shuffle_epi8(LOAD_HALF(*word), LOAD_HALF(bbans_words_taken[mask])));
    const __m256i up =
        _mm256_and_si256(_mm256_srli_epi32(dry, 27), _mm256_set1_epi32(16));

    *word += 2 * (size_t)__builtin_popcount(mask);
    return _mm256_or_si256(_mm256_sllv_epi32(y, up), next);
}

/* The lowest bytes of four steps' slots, the first in the lowest byte. */
AVX2_INLINE static inline __m256i four_symbols(__m256i a, __m256i b, __m256i c,
                                               __m256i d)
{
    const __m256i even = _mm256_blend_epi16(a, _mm256_slli_epi32(c, 16), 0xaa);
    const __m256i odd = _mm256_blend_epi16(b, _mm256_slli_epi32(d, 16), 0xaa);

    return _mm256_or_si256(
        _mm256_and_si256(even, _mm256_set1_epi32(0x00ff00ff)),
        _mm256_slli_epi16(odd, 8));
}

/* With most vectors, slots are copied half a step ahead; fewer follow each
 * other too soon for that. */
AVX2_INLINE static inline const uint8_t *pop_rows(uint32_t *x, size_t vectors,
                                                  const uint32_t *slot,
                                                  const uint8_t *word,
                                                  uint8_t *out, size_t rows)
{
    const int ahead = vectors == VECTORS_MAX;
    const __m256i slots = _mm256_set1_epi32(0xfff);
    const __m128i prec = _mm_cvtsi32_si128(12);
    uint32_t next[VECTORS_MAX][8];
    indices_8 at[VECTORS_MAX];
    __m256i x_[VECTORS_MAX], e[4][VECTORS_MAX];
    size_t v, k;

    for (v = 0; v < vectors; v++) {
        x_[v] = LOAD(x + 8 * v);
        at[v].v = _mm256_and_si256(x_[v], slots);
        if (ahead && v < vectors / 2)
            slots_copy(next[v], slot, &at[v]);
    }
    for (; rows > 0; rows--, out += 32 * vectors) {
        for (k = 0; k < 4; k++)
            for (v = 0; v < vectors; v++) {
                const size_t half = (v + vectors / 2) % vectors;

                e[k][v] = ahead ? LOAD(next[v]) : slots_get(slot, &at[v]);
                if (ahead)
                    slots_copy(next[half], slot, &at[half]);
                x_[v] = pop_8(x_[v], e[k][v], prec, &word);
                at[v].v = _mm256_and_si256(x_[v], slots);
            }
        for (v = 0; v < vectors; v++)
            STORE(out + 32 * v,
                  four_symbols(e[0][v], e[1][v], e[2][v], e[3][v]));
    }
    for (v = 0; v < vectors; v++)
        STORE(x + 8 * v, x_[v]);
    return word;
}

AVX2 static const uint8_t *pop(uint32_t *x, size_t lanes, const uint32_t *slot,
                               const uint8_t *word, uint8_t *out, size_t n)
{
    const size_t rows = n / (4 * lanes);
    size_t popped = 4 * lanes * rows;

    switch (lanes) {
    case 16: word = pop_rows(x, 2, slot, word, out, rows); break;
    case 32: word = pop_rows(x, 4, slot, word, out, rows); break;
    case 64: word = pop_rows(x, 8, slot, word, out, rows); break;
    case 128: word = pop_rows(x, 16, slot, word, out, rows); break;
    default: popped = 0;
    }
    return bbans_bytes_portable.pop(x, lanes, slot, word, out + popped,
                                    n - popped);
}

#define STORE_LOW(p, v) _mm_storel_epi64((__m128i *)(void *)(p), v)
#define STORE_HIGH(p, v)                                                       \
    _mm_storeh_pi((__m64 *)(void *)(p), _mm_castsi128_ps(v))

/* Four bytes of a, then four of b, of each of eight lanes. */
AVX2_INLINE static inline void put_eights(uint8_t *bytes, size_t stride,
                                          __m256i a, __m256i b)
{
    const __m256i low = _mm256_unpacklo_epi32(a, b);
    const __m256i high = _mm256_unpackhi_epi32(a, b);
    const __m128i low_4 = _mm256_extracti128_si256(low, 1);
    const __m128i high_4 = _mm256_extracti128_si256(high, 1);

    STORE_LOW(bytes, _mm256_castsi256_si128(low));
    STORE_HIGH(bytes + stride, _mm256_castsi256_si128(low));
    STORE_LOW(bytes + 2 * stride, _mm256_castsi256_si128(high));
    STORE_HIGH(bytes + 3 * stride, _mm256_castsi256_si128(high));
    STORE_LOW(bytes + 4 * stride, low_4);
    STORE_HIGH(bytes + 5 * stride, low_4);
    STORE_LOW(bytes + 6 * stride, high_4);
    STORE_HIGH(bytes + 7 * stride, high_4);
}

/* As pop_rows, each slot in the row of the byte before. */
AVX2_INLINE static inline const uint8_t *
pop_pairs_rows(uint32_t *x, size_t vectors, const uint32_t *slot, unsigned prec,
               const uint8_t *word, uint8_t *bytes, size_t stride,
               size_t eights)
{
    const __m256i slots = _mm256_set1_epi32((1 << prec) - 1);
    const __m256i symbol = _mm256_set1_epi32(0xff);
    const __m128i shift = _mm_cvtsi32_si128((int)prec);
    indices_8 at[VECTORS_MAX];
    __m256i x_[VECTORS_MAX], e[4][VECTORS_MAX], four[2][VECTORS_MAX];
    uint32_t row[8];
    size_t v, k, half;

    for (v = 0; v < vectors; v++) {
        x_[v] = LOAD(x + 8 * v);
        for (k = 0; k < 8; k++)
            row[k] = (uint32_t)bytes[(8 * v + k) * stride] << prec;
        at[v].v = _mm256_or_si256(LOAD(row), _mm256_and_si256(x_[v], slots));
    }
    for (; eights > 0; eights--, bytes += 8) {
        for (half = 0; half < 2; half++) {
            for (k = 0; k < 4; k++)
                for (v = 0; v < vectors; v++) {
                    e[k][v] = slots_get(slot, &at[v]);
                    x_[v] = pop_8(x_[v], e[k][v], shift, &word);
                    at[v].v = _mm256_or_si256(
                        _mm256_sll_epi32(_mm256_and_si256(e[k][v], symbol),
                                         shift),
                        _mm256_and_si256(x_[v], slots));
                }
            for (v = 0; v < vectors; v++)
                four[half][v] =
                    four_symbols(e[0][v], e[1][v], e[2][v], e[3][v]);
        }
        for (v = 0; v < vectors; v++)
            put_eights(bytes + 8 * v * stride + 1, stride, four[0][v],
                       four[1][v]);
    }
    for (v = 0; v < vectors; v++)
        STORE(x + 8 * v, x_[v]);
    return word;
}

AVX2 static const uint8_t *pop_pairs(uint32_t *x, size_t lanes,
                                     const uint32_t *slot, unsigned prec,
                                     const uint8_t *word, uint8_t *bytes,
                                     size_t stride, size_t steps)
{
    const size_t eights = steps / 8;
    size_t popped = 8 * eights;

#define POP_PAIRS(vectors)                                                     \
    pop_pairs_rows(x, vectors, slot, prec, word, bytes, stride, eights)
    switch (lanes) {
    case 16: word = POP_PAIRS(2); break;
    case 32: word = POP_PAIRS(4); break;
    case 64: word = POP_PAIRS(8); break;
    case 128: word = POP_PAIRS(16); break;
    default: popped = 0;
    }
    return bbans_bytes_portable.pop_pairs(
        x, lanes, slot, prec, word, bytes + popped, stride, steps - popped);
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
