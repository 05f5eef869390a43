/* AVX-512 kernels with VNNI; equal to hmm_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX512                                                                 \
    BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,"                         \
                 "avx512vnni,popcnt")
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), (v))

/* The 64-bit products of sixteen 32-bit factors: even and odd elements. */
#define EVEN(a, b) _mm512_mul_epu32(a, b)
#define ODD(a, b)                                                              \
    _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32))

AVX512 static inline __m512i shifted(__m512i v, shifts s)
{
    return _mm512_sll_epi64(_mm512_srl_epi64(v, s.right), s.left);
}

/* Results are below 2^32, so odd ones move into the upper halves. */
AVX512 static inline __m512i scaled(__m512i a, __m512i b, shifts s)
{
    return _mm512_or_si512(shifted(EVEN(a, b), s),
                           _mm512_slli_epi64(shifted(ODD(a, b), s), 32));
}

AVX512 static inline uint64_t sum_of_8(__m512i v)
{
    const __m256i four = _mm256_add_epi64(_mm512_castsi512_si256(v),
                                          _mm512_extracti64x4_epi64(v, 1));
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(four),
                                      _mm256_extracti128_si256(four, 1));

    return (uint64_t)_mm_cvtsi128_si64(
        _mm_add_epi64(two, _mm_unpackhi_epi64(two, two)));
}

/* Columns j + k .. j + k + 16 n of sum_i m_i Ah_ij, in the tile of column j,
 * two pairs of states at a time into sums of their own, to hide latency. */
#define PREDICT(n_vectors)                                                     \
    do {                                                                       \
        __m512i acc[2][n_vectors];                                             \
        size_t a, v;                                                           \
        for (v = 0; v < (n_vectors); v++)                                      \
            acc[0][v] = acc[1][v] = _mm512_setzero_si512();                    \
        for (a = 0; a < n; a += 2) {                                           \
            const int16_t *row0 = tile + 2 * (width * list[a] + k);            \
            const int16_t *row1 = tile + 2 * (width * list[a + 1] + k);        \
            const __m512i m0 = _mm512_set1_epi32((int)weights[a]);             \
            const __m512i m1 = _mm512_set1_epi32((int)weights[a + 1]);         \
            for (v = 0; v < (n_vectors); v++) {                                \
                acc[0][v] =                                                    \
                    _mm512_dpwssd_epi32(acc[0][v], LOAD(row0 + 32 * v), m0);   \
                acc[1][v] =                                                    \
                    _mm512_dpwssd_epi32(acc[1][v], LOAD(row1 + 32 * v), m1);   \
            }                                                                  \
        }                                                                      \
        for (v = 0; v < (n_vectors); v++)                                      \
            STORE(predicted + j + k + 16 * v,                                  \
                  _mm512_max_epu32(_mm512_add_epi32(acc[0][v], acc[1][v]),     \
                                   least));                                    \
        k += 16 * (n_vectors);                                                 \
    } while (0)

AVX512 void bbans_k_filter_avx512(const bbans_hmm *hmm, size_t symbol,
                                  uint32_t *predicted, uint32_t *filtered)
{
    const size_t stride = hmm->stride;
    const uint32_t *emitting = hmm->emitting + symbol * stride;
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i short_max = _mm512_set1_epi32(BBANS_SHORT_MAX);
    const __m512i least = _mm512_set1_epi32((int)hmm->floor);
    const __m256i eight = _mm256_set1_epi32(8);
    __m256i pair = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    uint32_t weights[STATE_PAIRS + 8], list[STATE_PAIRS + 8];
    size_t i, j, n = 0;
    __m512i sum = _mm512_setzero_si512();
    shifts s;

    for (i = 0; i < stride; i += 16) {
        const __m512i p = LOAD(predicted + i), b = LOAD(emitting + i);

        sum = _mm512_add_epi64(sum, _mm512_add_epi64(EVEN(p, b), ODD(p, b)));
    }
    s = shifts_of(sum_of_8(sum), BBANS_FILTER_BITS);
    for (i = 0; i < stride; i += 16) {
        const __m512i w = scaled(LOAD(predicted + i), LOAD(emitting + i), s);
        /* min(32767, ((w >> 16) + 1) >> 1), then two to a 32-bit element */
        const __m512i m = _mm512_min_epu32(
            _mm512_srli_epi32(_mm512_add_epi32(_mm512_srli_epi32(w, 16), one),
                              1),
            short_max);

        const __m256i packed =
            _mm512_cvtepi64_epi32(_mm512_or_si512(m, _mm512_srli_epi64(m, 16)));
        const __mmask8 mask =
            _mm256_cmpneq_epi32_mask(packed, _mm256_setzero_si256());

        /* Only pairs that have a weight go on the list. */
        STORE(filtered + i, w);
        _mm256_storeu_si256((__m256i *)(void *)(weights + n),
                            _mm256_maskz_compress_epi32(mask, packed));
        _mm256_storeu_si256((__m256i *)(void *)(list + n),
                            _mm256_maskz_compress_epi32(mask, pair));
        n += (size_t)__builtin_popcount(mask);
        pair = _mm256_add_epi32(pair, eight);
    }
    if (n % 2 != 0) { /* one more of weight 0 makes the number even */
        weights[n] = 0;
        list[n++] = 0;
    }
    for (j = 0; j < stride; j += BBANS_TILE) {
        const size_t width = bbans_tile_width(stride, j);
        const int16_t *tile = hmm->short_pairs + bbans_tile_row(stride, j, 0);
        size_t k = 0;

        if (width == BBANS_TILE)
            PREDICT(4);
        else
            while (k < width)
                PREDICT(1);
    }
}

/* Elements n places before, zeros at the front. */
#define BEFORE(v, n)                                                           \
    _mm512_maskz_permutexvar_epi32(                                            \
        (__mmask16)(0xffffu << (n)),                                           \
        _mm512_sub_epi32(place, _mm512_set1_epi32(n)), v)

AVX512 uint32_t bbans_k_posterior_avx512(const uint32_t *filtered,
                                         const uint32_t *into, size_t stride,
                                         uint32_t *edge)
{
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i low = _mm512_set1_epi64(0xffffffff);
    const __m512i place =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i sum = _mm512_setzero_si512(), below = sum, total = sum;
    shifts s;
    size_t i;

    for (i = 0; i < stride; i += 16) {
        const __m512i w = LOAD(filtered + i);
        const __m512i a = into == NULL ? one : LOAD(into + i);

        sum = _mm512_add_epi64(sum, _mm512_add_epi64(EVEN(w, a), ODD(w, a)));
    }
    s = shifts_of(sum_of_8(sum), BBANS_POSTERIOR_BITS);
    edge[0] = 0;
    for (i = 0; i < stride; i += 16) {
        __m512i v =
            scaled(LOAD(filtered + i), into == NULL ? one : LOAD(into + i), s);

        total =
            _mm512_add_epi64(total, _mm512_add_epi64(_mm512_and_si512(v, low),
                                                     _mm512_srli_epi64(v, 32)));
        /* Running sums of sixteen: add what stands 1, 2, 4, 8 places before. */
        v = _mm512_add_epi32(v, BEFORE(v, 1));
        v = _mm512_add_epi32(v, BEFORE(v, 2));
        v = _mm512_add_epi32(v, BEFORE(v, 4));
        v = _mm512_add_epi32(v, BEFORE(v, 8));
        STORE(edge + 1 + i, _mm512_add_epi32(v, below));
        below = _mm512_add_epi32(
            below, _mm512_permutexvar_epi32(_mm512_set1_epi32(15), v));
    }
    return (uint32_t)sum_of_8(total);
}

#define LINEAR 256

AVX512 size_t bbans_k_rank_avx512(const uint32_t *edge, size_t n, uint32_t slot)
{
    const __m512i s = _mm512_set1_epi32((int)slot);
    size_t lo, rank, i;

    lo = bbans_bisect(edge, &n, slot, LINEAR);
    edge += lo;
    rank = lo;
    for (i = 0; i + 16 <= n; i += 16)
        rank += (size_t)__builtin_popcount(
            _mm512_cmple_epu32_mask(LOAD(edge + i), s));
    for (; i < n; i++)
        rank += edge[i] <= slot;
    return rank;
}
#endif
