/* AVX-512 kernels of the byte coder, with VBMI and VBMI2; equal to
 * bytes_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX512                                                                 \
    BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,"                         \
                 "avx512vbmi,avx512vbmi2,popcnt")
#define AVX512_INLINE AVX512 __attribute__((always_inline))
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), (v))
#define LOAD_4(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define LOAD_8(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE_8(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))
#define VECTORS_MAX 8

/* Sixteen entries of a table: see bytes_avx2.c. */
#define ENTRY(table, k, AT) LOAD_4((table) + AT(k) - (k) % 4)
#define FOUR(table, k, AT)                                                     \
    _mm_blend_epi32(                                                           \
        _mm_blend_epi32(                                                       \
            _mm_blend_epi32(_mm_cvtsi32_si128((int)(table)[AT(k)]),            \
                            ENTRY(table, (k) + 1, AT), 2),                     \
            ENTRY(table, (k) + 2, AT), 4),                                     \
        ENTRY(table, (k) + 3, AT), 8)
#define EIGHT(table, k, AT)                                                    \
    _mm256_inserti128_si256(_mm256_castsi128_si256(FOUR(table, k, AT)),        \
                            FOUR(table, (k) + 4, AT), 1)
#define SIXTEEN(table, AT)                                                     \
    _mm512_inserti64x4(_mm512_castsi256_si512(EIGHT(table, 0, AT)),            \
                       EIGHT(table, 8, AT), 1)

/* ---- Push ---------------------------------------------------------------- */

AVX512_INLINE static inline __m512i reversed(__m512i v)
{
    return _mm512_permutexvar_epi32(
        _mm512_set_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15),
        v);
}

/* C(x) for 16 lanes, the last lane first: so words leave in the order in which
 * the stack takes them, and go below it all at once, the last of 16 where its
 * top is.  The quotient is x / f in floats, both divisions rounded down: below
 * x / f by a relative error of less than 2^-22, so by less than 2^21 2^-22 < 1,
 * and its floor is right or one too small. */
#define DOWN (_MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)

/* At most 1 / f, 1 <= f <= 2^12, and less than 2^-22 of it below.  One step of
 * Newton's makes of r = (1 - e) / f, |e| < 2^-14, the r (1 + (1 - f r)) =
 * (1 - e^2) / f.  Rounding may add 2^-38 of it before it is rounded down; but
 * the nearest float above 1 / f, if that is none, is 2^-36 of it away. */
AVX512_INLINE static inline __m512 inverse(__m512i f)
{
    const __m512 f_ = _mm512_cvtepi32_ps(f), r = _mm512_rcp14_ps(f_);

    return _mm512_fmadd_round_ps(
        r, _mm512_fnmadd_round_ps(f_, r, _mm512_set1_ps(1), DOWN), r, DOWN);
}

AVX512_INLINE static inline __m512i push_16(__m512i x, __m512i f, __m512i c,
                                            __m128i shift, __m512i slots,
                                            __m512i turned, __m128i prec,
                                            uint8_t **word)
{
    const __mmask16 full =
        _mm512_cmpge_epu32_mask(_mm512_srl_epi32(x, shift), f);
    __m512i q, rest;
    __mmask16 more;

    STORE_8(*word - 32, _mm512_castsi512_si256(_mm512_permutexvar_epi16(
                            turned, _mm512_maskz_compress_epi32(full, x))));
    *word -= 2 * (size_t)__builtin_popcount(full);
    x = _mm512_mask_srli_epi32(x, full, x, 16);
    q = _mm512_cvttps_epi32(_mm512_mul_round_ps(
        _mm512_cvt_roundepi32_ps(x, DOWN), inverse(f), DOWN));
    rest = _mm512_sub_epi32(x, _mm512_mullo_epi32(q, f));
    more = _mm512_cmpge_epu32_mask(rest, f); /* q is one too small */
    rest =
        _mm512_add_epi32(_mm512_add_epi32(rest, c), _mm512_sll_epi32(q, prec));
    return _mm512_mask_add_epi32(rest, more, rest, _mm512_sub_epi32(slots, f));
}

/* Word 15 - i of the result is the lower half of element i. */
AVX512_INLINE static inline __m512i turned_words(void)
{
    return _mm512_set_epi64(0, 0, 0, 0, 0x0000000200040006, 0x0008000a000c000e,
                            0x0010001200140016, 0x0018001a001c001e);
}

typedef struct {
    __m512i v[4];
} bytes_256;

/* Byte `k` of each of 256 entries. */
AVX512_INLINE static inline bytes_256 plane_of(const __m512i *entry, int k)
{
    const __m128i shift = _mm_cvtsi32_si128(8 * k);
    bytes_256 p;
    int i;

    for (i = 0; i < 4; i++) {
        const __m512i *e = entry + 4 * i;
        __m512i v = _mm512_castsi128_si512(
            _mm512_cvtepi32_epi8(_mm512_srl_epi32(e[0], shift)));

        v = _mm512_inserti32x4(
            v, _mm512_cvtepi32_epi8(_mm512_srl_epi32(e[1], shift)), 1);
        v = _mm512_inserti32x4(
            v, _mm512_cvtepi32_epi8(_mm512_srl_epi32(e[2], shift)), 2);
        p.v[i] = _mm512_inserti32x4(
            v, _mm512_cvtepi32_epi8(_mm512_srl_epi32(e[3], shift)), 3);
    }
    return p;
}

AVX512_INLINE static inline __m512i look_up(bytes_256 p, __m512i at)
{
    return _mm512_mask_blend_epi8(_mm512_movepi8_mask(at),
                                  _mm512_permutex2var_epi8(p.v[0], at, p.v[1]),
                                  _mm512_permutex2var_epi8(p.v[2], at, p.v[3]));
}

/* Four bytes of 16 lanes to byte 0 of four lanes, their byte 1 .. in each
 * quarter, the last lane first. */
static const uint8_t by_step[64] = {
    60, 56, 52, 48, 61, 57, 53, 49, 62, 58, 54, 50, 63, 59, 55, 51,
    44, 40, 36, 32, 45, 41, 37, 33, 46, 42, 38, 34, 47, 43, 39, 35,
    28, 24, 20, 16, 29, 25, 21, 17, 30, 26, 22, 18, 31, 27, 23, 19,
    12, 8,  4,  0,  13, 9,  5,  1,  14, 10, 6,  2,  15, 11, 7,  3};

AVX512_INLINE static inline uint8_t *push_rows(uint32_t *x, size_t vectors,
                                               const uint32_t *entry,
                                               const uint8_t *bytes, size_t n,
                                               uint8_t *word, uint32_t *any)
{
    const __m512i zero = _mm512_setzero_si512(), order = LOAD(by_step);
    const __m512i slots = _mm512_set1_epi32(1 << 12);
    const __m512i freq = _mm512_set1_epi32(0xfff), turned = turned_words();
    const __m128i shift = _mm_cvtsi32_si128(19), prec = _mm_cvtsi32_si128(12);
    __m512i e[16], x_[VECTORS_MAX], step[4][VECTORS_MAX], seen = zero;
    bytes_256 low, middle, high, flags;
    size_t i, v, k;

    for (v = 0; v < 16; v++) { /* freq | start << 12: three bytes */
        const __m512i old = LOAD(entry + 16 * v);

        seen = _mm512_or_si512(seen, old);
        e[v] =
            _mm512_or_si512(_mm512_and_si512(old, freq),
                            _mm512_slli_epi32(_mm512_srli_epi32(old, 16), 12));
    }
    low = plane_of(e, 0);
    middle = plane_of(e, 1);
    high = plane_of(e, 2);
    if (_mm512_test_epi32_mask(seen, _mm512_set1_epi32(BBANS_BYTES_FLAG))) {
        for (v = 0; v < 16; v++)
            e[v] = _mm512_srli_epi32(LOAD(entry + 16 * v), 8);
        flags = plane_of(e, 0);
        for (i = 0; i < n; i += 64) {
            const __m512i flag = look_up(flags, LOAD(bytes + i));

            *any |= (uint32_t)(_mm512_movepi8_mask(flag) != 0) << i / 256;
        }
    }
    for (v = 0; v < vectors; v++)
        x_[v] = reversed(LOAD(x + 16 * v));
    while (n > 0) {
        n -= 64 * vectors;
        for (v = 0; v < vectors; v++) {
            const __m512i at =
                _mm512_permutexvar_epi8(order, LOAD(bytes + n + 64 * v));
            const __m512i p0 = look_up(low, at), p1 = look_up(middle, at);
            const __m512i p2 = look_up(high, at);
            const __m512i a = _mm512_unpacklo_epi8(p0, p1);
            const __m512i b = _mm512_unpackhi_epi8(p0, p1);
            const __m512i c = _mm512_unpacklo_epi8(p2, zero);
            const __m512i d = _mm512_unpackhi_epi8(p2, zero);

            step[0][v] = _mm512_unpacklo_epi16(a, c);
            step[1][v] = _mm512_unpackhi_epi16(a, c);
            step[2][v] = _mm512_unpacklo_epi16(b, d);
            step[3][v] = _mm512_unpackhi_epi16(b, d);
        }
        for (k = 4; k-- > 0;)
            for (v = vectors; v-- > 0;)
                x_[v] = push_16(x_[v], _mm512_and_si512(step[k][v], freq),
                                _mm512_srli_epi32(step[k][v], 12), shift, slots,
                                turned, prec, &word);
    }
    for (v = 0; v < vectors; v++)
        STORE(x + 16 * v, reversed(x_[v]));
    return word;
}

AVX512 static uint8_t *push(uint32_t *x, size_t lanes, const uint32_t *entry,
                            const uint64_t *inverse, const uint8_t *bytes,
                            size_t n, uint8_t *word, uint32_t *any)
{
    const size_t rest = lanes % 16 != 0 ? n : n % (4 * lanes);
    uint32_t any_rest = 0;

    n -= rest;
    word = bbans_bytes_portable.push(x, lanes, entry, inverse, bytes + n, rest,
                                     word, &any_rest);
    if (any_rest != 0)
        *any |= UINT32_MAX << n / 256;
    switch (lanes) {
    case 16: return push_rows(x, 1, entry, bytes, n, word, any);
    case 32: return push_rows(x, 2, entry, bytes, n, word, any);
    case 64: return push_rows(x, 4, entry, bytes, n, word, any);
    case 128: return push_rows(x, 8, entry, bytes, n, word, any);
    default: return word;
    }
}

#define PAIR_AT(k) bbans_load_le16(at - (k)*stride)

AVX512 static uint8_t *push_pairs(uint32_t *x, size_t lanes,
                                  const uint32_t *entry,
                                  const uint64_t *inverse, unsigned prec,
                                  const uint8_t *bytes, size_t stride,
                                  size_t steps, uint8_t *word)
{
    const __m512i slots = _mm512_set1_epi32(1 << prec);
    const __m512i freq = _mm512_set1_epi32(0x1fff), turned = turned_words();
    const __m128i shift = _mm_cvtsi32_si128(31 - (int)prec);
    const __m128i r = _mm_cvtsi32_si128((int)prec);
    const size_t vectors = lanes / 16;
    __m512i x_[VECTORS_MAX];
    size_t v;

    if (lanes % 16 != 0)
        return bbans_bytes_portable.push_pairs(x, lanes, entry, inverse, prec,
                                               bytes, stride, steps, word);
    for (v = 0; v < vectors; v++)
        x_[v] = reversed(LOAD(x + 16 * v));
    while (steps-- > 0)
        for (v = vectors; v-- > 0;) {
            const uint8_t *at = bytes + (16 * v + 15) * stride + steps;
            const __m512i e = SIXTEEN(entry, PAIR_AT);

            x_[v] = push_16(x_[v], _mm512_and_si512(e, freq),
                            _mm512_srli_epi32(e, 16), shift, slots, turned, r,
                            &word);
        }
    for (v = 0; v < vectors; v++)
        STORE(x + 16 * v, reversed(x_[v]));
    return word;
}

/* ---- Pop ----------------------------------------------------------------- */

/* Indices go through memory, and from there to registers in twos or fours:
 * single loads of them would keep the load units longer. */
typedef union {
    __m256i v;
    uint64_t u64[4];
} slots_16;

typedef union {
    __m512i v;
    uint64_t u64[8];
} pairs_16;

#define SLOT_AT(k) (uint16_t)(i[(k) / 4] >> 16 * ((k) % 4))
#define PAIR_SLOT_AT(k) (uint32_t)(i[(k) / 2] >> 32 * ((k) % 2))

AVX512_INLINE static inline __m512i slots_get(const uint32_t *slot,
                                              const slots_16 *at)
{
    const uint64_t i[4] = {at->u64[0], at->u64[1], at->u64[2], at->u64[3]};

    return SIXTEEN(slot, SLOT_AT);
}

AVX512_INLINE static inline __m512i pair_slots_get(const uint32_t *slot,
                                                   const pairs_16 *at)
{
    const uint64_t i[8] = {at->u64[0], at->u64[1], at->u64[2], at->u64[3],
                           at->u64[4], at->u64[5], at->u64[6], at->u64[7]};

    return SIXTEEN(slot, PAIR_SLOT_AT);
}

/* Where a machine's gathers are faster than loads of single elements, they get
 * the slots: `gathers` is known when this is compiled. */
AVX512_INLINE static inline __m512i gathered(const uint32_t *slot, __m512i at)
{
    return _mm512_i32gather_epi32(at, (const void *)slot, 4);
}

/* D(x), and words for those below 2^15. */
AVX512_INLINE static inline __m512i pop_16(__m512i x, __m512i e, __m128i prec,
                                           const uint8_t **word)
{
    const __m512i y = _mm512_add_epi32(
        _mm512_mullo_epi32(_mm512_srli_epi32(e, 20), _mm512_srl_epi32(x, prec)),
        _mm512_and_si512(_mm512_srli_epi32(e, 8), _mm512_set1_epi32(0xfff)));
    const __mmask16 dry = _mm512_cmplt_epu32_mask(
        y, _mm512_set1_epi32((int)BBANS_BYTES_STATE_MIN));
    const __m512i next =
        _mm512_maskz_expand_epi32(dry, _mm512_cvtepu16_epi32(LOAD_8(*word)));

    *word += 2 * (size_t)__builtin_popcount(dry);
    return _mm512_or_si512(_mm512_mask_slli_epi32(y, dry, y, 16), next);
}

/* Four symbols of each lane, the oldest in its lowest byte. */
AVX512_INLINE static inline __m512i with_symbol(__m512i four, __m512i e)
{
    return _mm512_shrdi_epi32(four, e, 8);
}

#define POP_STEP                                                               \
    for (v = 0; v < vectors; v++) {                                            \
        const __m512i e = gathers                                              \
                              ? gathered(slot, _mm512_and_si512(x_[v], slots)) \
                              : slots_get(slot, &at[v]);                       \
        x_[v] = pop_16(x_[v], e, prec, &word);                                 \
        if (!gathers)                                                          \
            at[v].v = _mm512_cvtepi32_epi16(_mm512_and_si512(x_[v], slots));   \
        o_[v] = with_symbol(o_[v], e);                                         \
    }

AVX512_INLINE static inline const uint8_t *
pop_rows(uint32_t *x, size_t vectors, const uint32_t *slot, const uint8_t *word,
         uint8_t *out, size_t rows, int gathers)
{
    const __m512i slots = _mm512_set1_epi32(0xfff);
    const __m128i prec = _mm_cvtsi32_si128(12);
    slots_16 at[VECTORS_MAX];
    __m512i x_[VECTORS_MAX], o_[VECTORS_MAX];
    size_t v;

    for (v = 0; v < vectors; v++) {
        x_[v] = o_[v] = LOAD(x + 16 * v);
        at[v].v = _mm512_cvtepi32_epi16(_mm512_and_si512(x_[v], slots));
    }
    for (; rows > 0; rows--, out += 64 * vectors) {
        POP_STEP
        POP_STEP
        POP_STEP
        POP_STEP
        for (v = 0; v < vectors; v++)
            STORE(out + 64 * v, o_[v]);
    }
    for (v = 0; v < vectors; v++)
        STORE(x + 16 * v, x_[v]);
    return word;
}

AVX512_INLINE static inline const uint8_t *
pop_by(uint32_t *x, size_t lanes, const uint32_t *slot, const uint8_t *word,
       uint8_t *out, size_t n, int gathers)
{
    const size_t rows = n / (4 * lanes);

    switch (lanes) {
    case 32: word = pop_rows(x, 2, slot, word, out, rows, gathers); break;
    case 64: word = pop_rows(x, 4, slot, word, out, rows, gathers); break;
    case 128: word = pop_rows(x, 8, slot, word, out, rows, gathers); break;
    default: return bbans_bytes_avx2.pop(x, lanes, slot, word, out, n);
    }
    return bbans_bytes_portable.pop(
        x, lanes, slot, word, out + 4 * lanes * rows, n - 4 * lanes * rows);
}

AVX512 static const uint8_t *pop(uint32_t *x, size_t lanes,
                                 const uint32_t *slot, const uint8_t *word,
                                 uint8_t *out, size_t n)
{
    return pop_by(x, lanes, slot, word, out, n, 0);
}

AVX512 static const uint8_t *pop_gathering(uint32_t *x, size_t lanes,
                                           const uint32_t *slot,
                                           const uint8_t *word, uint8_t *out,
                                           size_t n)
{
    return pop_by(x, lanes, slot, word, out, n, 1);
}

/* Four bytes of each of 16 lanes, to where each lane writes. */
AVX512_INLINE static inline void scatter(uint8_t *bytes, size_t stride,
                                         __m512i v)
{
    uint32_t four[16];
    size_t i;

    STORE(four, v);
    for (i = 0; i < 16; i++)
        memcpy(bytes + i * stride, four + i, 4);
}

#define POP_PAIRS_STEP                                                         \
    for (v = 0; v < vectors; v++) {                                            \
        const __m512i e =                                                      \
            gathers ? gathered(slot, at[v].v) : pair_slots_get(slot, &at[v]);  \
        const __m512i symbol = _mm512_and_si512(e, _mm512_set1_epi32(0xff));   \
        x_[v] = pop_16(x_[v], e, shift, &word);                                \
        at[v].v = _mm512_or_si512(_mm512_sll_epi32(symbol, shift),             \
                                  _mm512_and_si512(x_[v], slots));             \
        o_[v] = with_symbol(o_[v], e);                                         \
    }

/* As pop_rows, each slot in the row of the byte before. */
AVX512_INLINE static inline const uint8_t *
pop_pair_rows(uint32_t *x, size_t vectors, const uint32_t *slot, unsigned prec,
              const uint8_t *word, uint8_t *bytes, size_t stride, size_t fours,
              int gathers)
{
    const __m512i slots = _mm512_set1_epi32((1 << prec) - 1);
    const __m128i shift = _mm_cvtsi32_si128((int)prec);
    pairs_16 at[VECTORS_MAX];
    __m512i x_[VECTORS_MAX], o_[VECTORS_MAX];
    uint32_t row[16];
    size_t v, k;

    for (v = 0; v < vectors; v++) {
        x_[v] = o_[v] = LOAD(x + 16 * v);
        for (k = 0; k < 16; k++)
            row[k] = (uint32_t)bytes[(16 * v + k) * stride] << prec;
        at[v].v = _mm512_or_si512(LOAD(row), _mm512_and_si512(x_[v], slots));
    }
    for (; fours > 0; fours--, bytes += 4) {
        POP_PAIRS_STEP
        POP_PAIRS_STEP
        POP_PAIRS_STEP
        POP_PAIRS_STEP
        for (v = 0; v < vectors; v++)
            scatter(bytes + 16 * v * stride + 1, stride, o_[v]);
    }
    for (v = 0; v < vectors; v++)
        STORE(x + 16 * v, x_[v]);
    return word;
}

AVX512_INLINE static inline const uint8_t *
pop_pairs_by(uint32_t *x, size_t lanes, const uint32_t *slot, unsigned prec,
             const uint8_t *word, uint8_t *bytes, size_t stride, size_t steps,
             int gathers)
{
    const size_t fours = steps / 4;

#define POP_PAIRS(n)                                                           \
    pop_pair_rows(x, n, slot, prec, word, bytes, stride, fours, gathers)
    switch (lanes) {
    case 32: word = POP_PAIRS(2); break;
    case 64: word = POP_PAIRS(4); break;
    case 128: word = POP_PAIRS(8); break;
    default:
        return bbans_bytes_avx2.pop_pairs(x, lanes, slot, prec, word, bytes,
                                          stride, steps);
    }
    return bbans_bytes_portable.pop_pairs(x, lanes, slot, prec, word,
                                          bytes + 4 * fours, stride,
                                          steps - 4 * fours);
}

AVX512 static const uint8_t *pop_pairs(uint32_t *x, size_t lanes,
                                       const uint32_t *slot, unsigned prec,
                                       const uint8_t *word, uint8_t *bytes,
                                       size_t stride, size_t steps)
{
    return pop_pairs_by(x, lanes, slot, prec, word, bytes, stride, steps, 0);
}

AVX512 static const uint8_t *
pop_pairs_gathering(uint32_t *x, size_t lanes, const uint32_t *slot,
                    unsigned prec, const uint8_t *word, uint8_t *bytes,
                    size_t stride, size_t steps)
{
    return pop_pairs_by(x, lanes, slot, prec, word, bytes, stride, steps, 1);
}

static unsigned unpack(const uint8_t *packed, size_t n, unsigned log2_per,
                       const uint8_t *symbol, uint8_t *bytes)
{
    return bbans_bytes_avx2.unpack(packed, n, log2_per, symbol, bytes);
}

const bbans_bytes_kernels bbans_bytes_avx512 = {.push = push,
                                                .pop = pop,
                                                .push_pairs = push_pairs,
                                                .pop_pairs = pop_pairs,
                                                .unpack = unpack};

const bbans_bytes_kernels bbans_bytes_avx512_gathering = {
    .push = push,
    .pop = pop_gathering,
    .push_pairs = push_pairs,
    .pop_pairs = pop_pairs_gathering,
    .unpack = unpack};
#endif
