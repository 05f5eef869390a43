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

AVX512 static inline __m512i shifted(__m512i v, scale s, int left)
{
    return left ? _mm512_sll_epi64(v, s.count) : _mm512_srl_epi64(v, s.count);
}

/* Results are below 2^32, so odd ones move into the upper halves. */
AVX512 static inline __m512i scaled(__m512i a, __m512i b, scale s, int left)
{
    return _mm512_or_si512(shifted(EVEN(a, b), s, left),
                           _mm512_slli_epi64(shifted(ODD(a, b), s, left), 32));
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

AVX512 static inline uint32_t sum_of_16(__m512i v)
{
    const __m256i eight = _mm256_add_epi32(_mm512_castsi512_si256(v),
                                           _mm512_extracti64x4_epi64(v, 1));
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight),
                                 _mm256_extracti128_si256(eight, 1));

    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(
        _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

/* Filtered weights, and the short ones m in pairs.  Returns how many pairs are
 * 0. */
AVX512 static inline size_t weigh(const uint32_t *predicted,
                                  const uint32_t *emitting, size_t stride,
                                  scale s, int left, uint32_t *filtered,
                                  uint32_t *weights)
{
    const __m256i short_max = _mm256_set1_epi16(BBANS_SHORT_MAX);
    const __m256i zero = _mm256_setzero_si256();
    size_t i, idle = 0;

    for (i = 0; i < stride; i += 16) {
        const __m512i w =
            scaled(LOAD(predicted + i), LOAD(emitting + i), s, left);
        /* min(32767, ((w >> 16) + 1) >> 1): the average with 0 rounds up */
        const __m256i m = _mm256_min_epu16(
            _mm256_avg_epu16(_mm512_cvtepi32_epi16(_mm512_srli_epi32(w, 16)),
                             zero),
            short_max);

        STORE(filtered + i, w);
        _mm256_storeu_si256((__m256i *)(void *)(weights + i / 2), m);
        idle += 8 - (size_t)__builtin_popcount(
                        (unsigned)_mm256_cmpneq_epi32_mask(m, zero));
    }
    return idle;
}

/* Move the pairs that have a weight to the front, and list which they are;
 * weight 0 pads them to an even number.  Returns that number. */
AVX512 static size_t keep_active(uint32_t *weights, uint32_t *list,
                                 size_t pairs)
{
    __m256i pair = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    size_t i, n = 0;

    for (i = 0; i < pairs; i += 8) {
        const __m256i w =
            _mm256_loadu_si256((const __m256i *)(const void *)(weights + i));
        const __mmask8 mask =
            _mm256_cmpneq_epi32_mask(w, _mm256_setzero_si256());

        _mm256_storeu_si256((__m256i *)(void *)(weights + n),
                            _mm256_maskz_compress_epi32(mask, w));
        _mm256_storeu_si256((__m256i *)(void *)(list + n),
                            _mm256_maskz_compress_epi32(mask, pair));
        n += (size_t)__builtin_popcount(mask);
        pair = _mm256_add_epi32(pair, _mm256_set1_epi32(8));
    }
    if (n % 2 != 0) {
        weights[n] = 0;
        list[n++] = 0;
    }
    return n;
}

/* Columns j + k .. j + k + 16 n of sum_i m_i Ah_ij, in the tile of column j,
 * two pairs of states at a time into sums of their own, to hide latency;
 * PAIR(a) is the a-th pair. */
#define DENSE(a) (a)
#define LISTED(a) (list[a])
#define PREDICT(n_vectors, PAIR, n_pairs)                                      \
    do {                                                                       \
        __m512i acc[2][n_vectors];                                             \
        size_t a, v;                                                           \
        for (v = 0; v < (n_vectors); v++)                                      \
            acc[0][v] = acc[1][v] = _mm512_setzero_si512();                    \
        for (a = 0; a < (n_pairs); a += 2) {                                   \
            const int16_t *row0 = tile + 2 * (width * PAIR(a) + k);            \
            const int16_t *row1 = tile + 2 * (width * PAIR(a + 1) + k);        \
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

AVX512 void bbans_k_filter_avx512(const bbans_hmm *hmm,
                                  const uint32_t *emitting, uint32_t *predicted,
                                  uint32_t *filtered)
{
    const size_t stride = hmm->stride;
    const __m512i least = _mm512_set1_epi32((int)hmm->floor);
    const size_t pairs = stride / 2;
    uint32_t weights[STATE_PAIRS + 8], list[STATE_PAIRS + 8];
    size_t i, j, idle, n = pairs;
    int dense;
    __m512i sum = _mm512_setzero_si512();
    scale s;

    for (i = 0; i < stride; i += 16) {
        const __m512i p = LOAD(predicted + i), b = LOAD(emitting + i);

        sum = _mm512_add_epi64(sum, _mm512_add_epi64(EVEN(p, b), ODD(p, b)));
    }
    s = scale_of(sum_of_8(sum), BBANS_FILTER_BITS);
    idle = s.right < 0
               ? weigh(predicted, emitting, stride, s, 1, filtered, weights)
               : weigh(predicted, emitting, stride, s, 0, filtered, weights);
    dense = 4 * idle < pairs;
    if (!dense)
        n = keep_active(weights, list, pairs);
    for (j = 0; j < stride; j += BBANS_TILE) {
        const size_t width = bbans_tile_width(stride, j);
        const int16_t *tile = hmm->short_pairs + bbans_tile_row(stride, j, 0);
        size_t k = 0;

        if (dense && width == BBANS_TILE)
            PREDICT(4, DENSE, n);
        else if (dense)
            while (k < width)
                PREDICT(1, DENSE, n);
        else if (width == BBANS_TILE)
            PREDICT(4, LISTED, n);
        else
            while (k < width)
                PREDICT(1, LISTED, n);
    }
}

/* Elements n places before, zeros at the front. */
#define BEFORE(v, n)                                                           \
    _mm512_maskz_permutexvar_epi32(                                            \
        (__mmask16)(0xffffu << (n)),                                           \
        _mm512_sub_epi32(place, _mm512_set1_epi32(n)), v)

/* The weights v of the posterior and their running sums; returns N. */
AVX512 static inline uint32_t accumulate(const uint32_t *filtered,
                                         const uint32_t *into, size_t stride,
                                         scale s, int left, uint32_t *edge)
{
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i place =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i below = _mm512_setzero_si512(), total = below;
    size_t i;

    edge[0] = 0;
    for (i = 0; i < stride; i += 16) {
        __m512i v = scaled(LOAD(filtered + i),
                           into == NULL ? one : LOAD(into + i), s, left);

        total = _mm512_add_epi32(total, v);
        /* Running sums of sixteen: add what stands 1, 2, 4, 8 places before. */
        v = _mm512_add_epi32(v, BEFORE(v, 1));
        v = _mm512_add_epi32(v, BEFORE(v, 2));
        v = _mm512_add_epi32(v, BEFORE(v, 4));
        v = _mm512_add_epi32(v, BEFORE(v, 8));
        STORE(edge + 1 + i, _mm512_add_epi32(v, below));
        /* The chain from vector to vector is one addition. */
        below = _mm512_add_epi32(
            below, _mm512_permutexvar_epi32(_mm512_set1_epi32(15), v));
    }
    return sum_of_16(total);
}

AVX512 static inline scale posterior_scale(const uint32_t *filtered,
                                           const uint32_t *into, size_t stride)
{
    const __m512i one = _mm512_set1_epi32(1);
    __m512i sum = _mm512_setzero_si512();
    size_t i;

    for (i = 0; i < stride; i += 16) {
        const __m512i w = LOAD(filtered + i);
        const __m512i a = into == NULL ? one : LOAD(into + i);

        sum = _mm512_add_epi64(sum, _mm512_add_epi64(EVEN(w, a), ODD(w, a)));
    }
    return scale_of(sum_of_8(sum), BBANS_POSTERIOR_BITS);
}

AVX512 uint32_t bbans_k_posterior_avx512(const uint32_t *filtered,
                                         const uint32_t *into, size_t stride,
                                         uint32_t *edge)
{
    const scale s = posterior_scale(filtered, into, stride);

    return s.right < 0 ? accumulate(filtered, into, stride, s, 1, edge)
                       : accumulate(filtered, into, stride, s, 0, edge);
}

/* The sum of the weights before state n, and of all. */
AVX512 static inline uint32_t sum_before(const uint32_t *filtered,
                                         const uint32_t *into, size_t stride,
                                         scale s, int left, size_t n,
                                         uint32_t *before)
{
    const __m512i one = _mm512_set1_epi32(1), sixteen = _mm512_set1_epi32(16);
    const __m512i end = _mm512_set1_epi32((int)n);
    __m512i state =
        _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    __m512i total = _mm512_setzero_si512(), below = total;
    size_t i;

    for (i = 0; i < stride; i += 16) {
        const __m512i v = scaled(LOAD(filtered + i),
                                 into == NULL ? one : LOAD(into + i), s, left);

        total = _mm512_add_epi32(total, v);
        below = _mm512_mask_add_epi32(
            below, _mm512_cmpgt_epi32_mask(end, state), below, v);
        state = _mm512_add_epi32(state, sixteen);
    }
    *before = sum_of_16(below);
    return sum_of_16(total);
}

AVX512 uint32_t bbans_k_interval_avx512(const uint32_t *filtered,
                                        const uint32_t *into, size_t stride,
                                        size_t i, uint32_t *start,
                                        uint32_t *freq)
{
    const scale s = posterior_scale(filtered, into, stride);

    *freq = bbans_scaled((uint64_t)filtered[i] * (into == NULL ? 1 : into[i]),
                         s.right);
    return s.right < 0 ? sum_before(filtered, into, stride, s, 1, i, start)
                       : sum_before(filtered, into, stride, s, 0, i, start);
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
