/* AVX-512 kernels of rows of weights; equal to rows_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX512 BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,popcnt")
#define INLINED AVX512 __attribute__((always_inline))
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), (v))

/* As in rows_avx2.c, sixteen at a time; where the mask is 0, 0. */
AVX512 static inline __m512i weights_at(const void *weight, int type, size_t k,
                                        __mmask16 some)
{
    const uint8_t *p = (const uint8_t *)weight;

    if (type == BBANS_F32)
        return _mm512_cvttps_epi32(_mm512_mul_ps(
            _mm512_maskz_loadu_ps(some, p + 4 * k), _mm512_set1_ps(0x1p27f)));
    if (type == BBANS_F64) {
        const __m512d unit = _mm512_set1_pd(0x1p27);
        const __m256i low = _mm512_cvttpd_epi32(_mm512_mul_pd(
            _mm512_maskz_loadu_pd((__mmask8)some, p + 8 * k), unit));
        const __m256i high = _mm512_cvttpd_epi32(_mm512_mul_pd(
            _mm512_maskz_loadu_pd((__mmask8)(some >> 8), p + 8 * k + 64),
            unit));

        return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    return _mm512_maskz_loadu_epi32(some, p + 4 * k);
}

/* Of neighbouring 32-bit elements. */
AVX512 static inline __m512i pair_sums(__m512i v)
{
    return _mm512_add_epi64(_mm512_maskz_mov_epi32(0x5555, v),
                            _mm512_srli_epi64(v, 32));
}

/* Whether a weight was, from all of them or'ed. */
AVX512 static inline int is_too_large(__m512i any)
{
    return _mm512_test_epi32_mask(any, _mm512_set1_epi32((int)0xe0000000)) != 0;
}

#define BLOCK 64

/* Weights i .. i + 63, those in `here`, to w and *total: sums of four below
 * 2^29 + 1 in each element. */
INLINED static inline void weigh_to(const void *weight, int type, size_t i,
                                    uint64_t here, uint32_t *w, __m512i *total,
                                    __m512i *any)
{
    const __m512i extra = _mm512_set1_epi32(type != BBANS_U32);
    __m512i sum = _mm512_setzero_si512();
    size_t j;

    for (j = 0; j < BLOCK; j += 16) {
        const __mmask16 some = (__mmask16)(here >> j);
        const __m512i v = weights_at(weight, type, i + j, some);
        const __m512i v1 = _mm512_maskz_add_epi32(some, v, extra);

        *any = _mm512_or_si512(*any, v);
        sum = _mm512_add_epi32(sum, v1);
        if (here == UINT64_MAX)
            STORE(w + i + j, v1);
        else
            _mm512_mask_storeu_epi32(w + i + j, some, v1);
    }
    *total = _mm512_add_epi64(*total, pair_sums(sum));
}

INLINED static inline uint64_t weigh_type(const void *weight, int type,
                                          size_t n, uint32_t *w)
{
    __m512i total = _mm512_setzero_si512(), any = total;
    size_t i;

    for (i = 0; i + BLOCK <= n; i += BLOCK)
        weigh_to(weight, type, i, UINT64_MAX, w, &total, &any);
    if (i < n)
        weigh_to(weight, type, i, bbans_first_bits(n - i), w, &total, &any);
    if (is_too_large(any))
        return UINT64_MAX;
    return (uint64_t)_mm512_reduce_add_epi64(total);
}

/* Weights i .. i + 63, those in `here`, to *total, and those in `below` to
 * *before; `extra` is up to the caller. */
INLINED static inline void weigh_block(const void *weight, int type, size_t i,
                                       uint64_t here, uint64_t below,
                                       __m512i *total, __m512i *before,
                                       __m512i *any)
{
    __m512i sum = _mm512_setzero_si512();
    size_t j;

    for (j = 0; j < BLOCK; j += 16) {
        const __m512i v =
            weights_at(weight, type, i + j, (__mmask16)(here >> j));

        *any = _mm512_or_si512(*any, v);
        sum = _mm512_add_epi32(sum, v);
        *before =
            _mm512_mask_add_epi32(*before, (__mmask16)(below >> j), *before, v);
    }
    *total = _mm512_add_epi64(*total, pair_sums(sum));
}

INLINED static inline uint64_t weigh_one_type(const void *weight, int type,
                                              size_t n, size_t k,
                                              uint32_t *start)
{
    const uint64_t extra = type != BBANS_U32;
    __m512i total = _mm512_setzero_si512(), any = total, before = total, both;
    __m256i four;
    __m128i two;
    size_t i;

    for (i = 0; i + BLOCK <= n; i += BLOCK)
        weigh_block(weight, type, i, UINT64_MAX,
                    k > i ? bbans_first_bits(k - i) : 0, &total, &before, &any);
    if (i < n)
        weigh_block(weight, type, i, bbans_first_bits(n - i),
                    k > i ? bbans_first_bits(k - i) : 0, &total, &before, &any);
    before = pair_sums(before);
    both = _mm512_add_epi64(_mm512_unpacklo_epi64(total, before),
                            _mm512_unpackhi_epi64(total, before));
    four = _mm256_add_epi64(_mm512_castsi512_si256(both),
                            _mm512_extracti64x4_epi64(both, 1));
    two = _mm_add_epi64(_mm256_castsi256_si128(four),
                        _mm256_extracti128_si256(four, 1));
    *start = (uint32_t)((uint64_t)_mm_extract_epi64(two, 1) + k * extra);
    if (is_too_large(any))
        return UINT64_MAX;
    return (uint64_t)_mm_cvtsi128_si64(two) + n * extra;
}

AVX512 static uint64_t row_sum(const void *weight, int type, size_t n,
                               uint32_t *w)
{
    if (type == BBANS_F32)
        return weigh_type(weight, BBANS_F32, n, w);
    return weigh_type(weight, type, n, w);
}

AVX512 static uint64_t row_interval(const void *weight, int type, size_t n,
                                    size_t k, uint32_t *start, uint32_t *freq)
{
    if (k < n)
        *freq = (uint32_t)_mm_cvtsi128_si32(
                    _mm512_castsi512_si128(weights_at(weight, type, k, 1))) +
                (type != BBANS_U32);
    if (type == BBANS_F32)
        return weigh_one_type(weight, BBANS_F32, n, k, start);
    return weigh_one_type(weight, type, n, k, start);
}

/* ---- Several rows of weights ----
 *
 * Sums are of 32 bits here, and each is in `any` before two of them could wrap:
 * if one is 2^29 or more, or a weight is none, that is known of all the rows,
 * and weighing them one by one tells of which. */

/* Weights i .. i + 63, those in `here`, to *all, and those in `below` to
 * *before, without the extra 1. */
INLINED static inline void add_block(const uint8_t *row, int type, size_t i,
                                     uint64_t here, uint64_t below,
                                     __m512i *all, __m512i *before,
                                     __m512i *any)
{
    __m512i w[4];
    size_t v;

    for (v = 0; v < 4; v++)
        w[v] = weights_at(row, type, i + 16 * v, (__mmask16)(here >> 16 * v));
    *all =
        _mm512_add_epi32(*all, _mm512_add_epi32(_mm512_add_epi32(w[0], w[1]),
                                                _mm512_add_epi32(w[2], w[3])));
    *any = _mm512_or_si512(_mm512_or_si512(*any, *all),
                           _mm512_or_si512(_mm512_or_si512(w[0], w[1]),
                                           _mm512_or_si512(w[2], w[3])));
    for (v = 0; v < 4; v++)
        *before = _mm512_mask_add_epi32(*before, (__mmask16)(below >> 16 * v),
                                        *before, w[v]);
}

/* Four rows share the sums across.  Nothing is asked for ahead: rows come in
 * the order of memory, faster than by requests of one core. */
INLINED static inline void four_intervals(const uint8_t *row, int type,
                                          size_t symbols, const uint32_t *k,
                                          uint32_t *start, uint32_t *freq,
                                          uint32_t *total, __m512i *any)
{
    const __m512i in_order =
        _mm512_setr_epi32(0, 2, 8, 10, 1, 3, 9, 11, 0, 0, 0, 0, 0, 0, 0, 0);
    const size_t bytes = bbans_row_bytes(type, symbols);
    __m512i sums[4], pairs[2], s;
    __m128i counts, befores;
    size_t j, i;

    for (j = 0; j < 4; j++, row += bytes) {
        __m512i all = _mm512_setzero_si512(), before = all;

        for (i = 0; i + BLOCK <= symbols; i += BLOCK)
            add_block(row, type, i, UINT64_MAX,
                      bbans_first_bits(k[j] > i ? k[j] - i : 0), &all, &before,
                      any);
        if (i < symbols)
            add_block(row, type, i, bbans_first_bits(symbols - i),
                      bbans_first_bits(k[j] > i ? k[j] - i : 0), &all, &before,
                      any);
        sums[j] = _mm512_add_epi32(_mm512_unpacklo_epi32(all, before),
                                   _mm512_unpackhi_epi32(all, before));
        *any = _mm512_or_si512(*any, sums[j]);
        freq[j] = (uint32_t)_mm_cvtsi128_si32(
                      _mm512_castsi512_si128(weights_at(row, type, k[j], 1))) +
                  (type != BBANS_U32);
    }
    for (j = 0; j < 2; j++) {
        pairs[j] = _mm512_add_epi32(
            _mm512_unpacklo_epi64(sums[2 * j], sums[2 * j + 1]),
            _mm512_unpackhi_epi64(sums[2 * j], sums[2 * j + 1]));
        *any = _mm512_or_si512(*any, pairs[j]);
    }
    s = _mm512_add_epi32(_mm512_shuffle_i32x4(pairs[0], pairs[1], 0x88),
                         _mm512_shuffle_i32x4(pairs[0], pairs[1], 0xdd));
    *any = _mm512_or_si512(*any, s);
    s = _mm512_add_epi32(s, _mm512_shuffle_i32x4(s, s, 0xb1));
    *any = _mm512_or_si512(*any, s);
    s = _mm512_permutexvar_epi32(in_order, s);
    counts = _mm512_castsi512_si128(s);
    befores = _mm512_extracti32x4_epi32(s, 1);
    if (type != BBANS_U32) {
        const void *each = k;

        counts = _mm_add_epi32(counts, _mm_set1_epi32((int)symbols));
        befores =
            _mm_add_epi32(befores, _mm_loadu_si128((const __m128i *)each));
    }
    _mm_storeu_si128((__m128i *)(void *)total, counts);
    _mm_storeu_si128((__m128i *)(void *)start, befores);
}

INLINED static inline void intervals_type(const uint8_t *weight, int type,
                                          size_t symbols, size_t n,
                                          const uint32_t *k, uint32_t *start,
                                          uint32_t *freq, uint32_t *total)
{
    __m512i any = _mm512_setzero_si512();
    size_t first;

    for (first = 0; first < n; first += 4) {
        /* The last four, some of them again. */
        const size_t at = n - first < 4 ? n - 4 : first;

        four_intervals(weight + at * bbans_row_bytes(type, symbols), type,
                       symbols, k + at, start + at, freq + at, total + at,
                       &any);
    }
    if (is_too_large(any))
        bbans_rows_portable.row_intervals(weight, type, symbols, n, k, start,
                                          freq, total);
}

AVX512 static void row_intervals(const void *weight, int type, size_t symbols,
                                 size_t n, const uint32_t *k, uint32_t *start,
                                 uint32_t *freq, uint32_t *total)
{
    if (n < 4 || symbols > BBANS_TOTAL_MAX)
        bbans_rows_portable.row_intervals(weight, type, symbols, n, k, start,
                                          freq, total);
    else if (type == BBANS_F32)
        intervals_type(weight, BBANS_F32, symbols, n, k, start, freq, total);
    else
        intervals_type(weight, type, symbols, n, k, start, freq, total);
}

/* Weights i .. i + 63, those in `here`, to w, and the running sums of their 16
 * quads, four weights each, to sums; returns the last. */
INLINED static inline uint32_t weigh_quads(const uint8_t *row, int type,
                                           size_t i, uint64_t here, uint32_t *w,
                                           uint32_t *sums, __m512i *any)
{
    /* Quad j of vector v, 4 j + v where the sums across are, is quad 4 v + j.
     */
    const __m512i in_order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i extra = _mm512_set1_epi32(type != BBANS_U32);
    const __m512i zero = _mm512_setzero_si512();
    __m512i a[4], b, c, s1, s2, s4, s8, s16;
    size_t v;

    for (v = 0; v < 4; v++) {
        const __mmask16 some = (__mmask16)(here >> 16 * v);

        a[v] = weights_at(row, type, i + 16 * v, some);
        *any = _mm512_or_si512(*any, a[v]);
        a[v] = _mm512_maskz_add_epi32(some, a[v], extra);
        if (here == UINT64_MAX)
            STORE(w + i + 16 * v, a[v]);
        else
            _mm512_mask_storeu_epi32(w + i + 16 * v, some, a[v]);
    }
    b = _mm512_add_epi32(_mm512_unpacklo_epi32(a[0], a[1]),
                         _mm512_unpackhi_epi32(a[0], a[1]));
    c = _mm512_add_epi32(_mm512_unpacklo_epi32(a[2], a[3]),
                         _mm512_unpackhi_epi32(a[2], a[3]));
    s1 = _mm512_permutexvar_epi32(
        in_order, _mm512_add_epi32(_mm512_unpacklo_epi64(b, c),
                                   _mm512_unpackhi_epi64(b, c)));
    s2 = _mm512_add_epi32(s1, _mm512_alignr_epi32(s1, zero, 15));
    s4 = _mm512_add_epi32(s2, _mm512_alignr_epi32(s2, zero, 14));
    s8 = _mm512_add_epi32(s4, _mm512_alignr_epi32(s4, zero, 12));
    s16 = _mm512_add_epi32(s8, _mm512_alignr_epi32(s8, zero, 8));
    *any = _mm512_or_si512(_mm512_or_si512(*any, _mm512_or_si512(s1, s2)),
                           _mm512_or_si512(_mm512_or_si512(s4, s8), s16));
    STORE(sums, s16);
    return (uint32_t)_mm_extract_epi32(_mm512_extracti32x4_epi32(s16, 3), 3);
}

INLINED static inline void weigh_rows_type(const uint8_t *weight, int type,
                                           size_t symbols, size_t n,
                                           uint32_t *w, uint32_t *total)
{
    const size_t bytes = bbans_row_bytes(type, symbols);
    const size_t stride = bbans_row_stride(symbols);
    __m512i any = _mm512_setzero_si512();
    size_t i, j;

    for (j = 0; j < n; j++) {
        const uint8_t *row = weight + j * bytes;
        uint32_t *to = w + j * stride;
        uint64_t sum = 0;

        for (i = 0; i + BLOCK <= symbols; i += BLOCK)
            sum += weigh_quads(row, type, i, UINT64_MAX, to,
                               to + symbols + i / 4, &any);
        if (i < symbols)
            sum += weigh_quads(row, type, i, bbans_first_bits(symbols - i), to,
                               to + symbols + i / 4, &any);
        total[j] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    }
    /* The running sums of rows that have a total are right, and stay. */
    if (is_too_large(any))
        bbans_rows_portable.weigh_rows(weight, type, symbols, n, w, total);
}

AVX512 static void weigh_rows(const void *weight, int type, size_t symbols,
                              size_t n, uint32_t *w, uint32_t *total)
{
    if (type == BBANS_F32)
        weigh_rows_type(weight, BBANS_F32, symbols, n, w, total);
    else
        weigh_rows_type(weight, type, symbols, n, w, total);
}

/* The quad by the running sums, and the weight by those within it.  What is
 * beyond the row only adds to sums that are above the slot. */
AVX512 static size_t find_in_row(const uint32_t *w, size_t symbols,
                                 uint32_t slot, uint32_t *start)
{
    const uint32_t *sums = w + symbols;
    uint32_t left = slot;
    size_t first = 0, quad, k;
    __m128i v, within;

    for (; left >= sums[15]; sums += 16, first += BLOCK)
        left -= sums[15];
    quad = (size_t)__builtin_popcount(
        _mm512_cmple_epu32_mask(LOAD(sums), _mm512_set1_epi32((int)left)));
    left -= quad > 0 ? sums[quad - 1] : 0;
    v = _mm_loadu_si128((const __m128i *)(const void *)(w + first + 4 * quad));
    within = _mm_add_epi32(v, _mm_slli_si128(v, 4));
    within = _mm_add_epi32(within, _mm_slli_si128(within, 8));
    k = (size_t)__builtin_popcount(
        7 & _mm_cmple_epu32_mask(within, _mm_set1_epi32((int)left)));
    *start = slot - left +
             (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(
                 _mm_permutevar_ps(_mm_castsi128_ps(_mm_sub_epi32(within, v)),
                                   _mm_cvtsi32_si128((int)k))));
    return first + 4 * quad + k;
}

static size_t find(const uint32_t *w, size_t n, uint32_t slot, uint32_t *start)
{
    return bbans_rows_avx2.find(w, n, slot, start);
}

const bbans_rows_kernels bbans_rows_avx512 = {.row_sum = row_sum,
                                              .row_interval = row_interval,
                                              .row_intervals = row_intervals,
                                              .weigh_rows = weigh_rows,
                                              .find = find,
                                              .find_in_row = find_in_row};
#endif
