/* AVX2 kernels; equal to hmm_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2,popcnt")
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))

/* The 64-bit products of eight 32-bit factors: elements 0 2 4 6, and 1 3 5 7.
 */
#define EVEN(a, b) _mm256_mul_epu32(a, b)
#define ODD(a, b)                                                              \
    _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32))

AVX2 static inline uint64_t sum_of_4(__m256i v)
{
    const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(v),
                                      _mm256_extracti128_si256(v, 1));

    return (uint64_t)_mm_cvtsi128_si64(
        _mm_add_epi64(two, _mm_unpackhi_epi64(two, two)));
}

AVX2 static inline uint32_t sum_of_8(__m256i v)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v),
                                 _mm256_extracti128_si256(v, 1));

    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return (uint32_t)_mm_cvtsi128_si32(
        _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

AVX2 static inline __m256i shifted(__m256i v, scale s, int left)
{
    return left ? _mm256_sll_epi64(v, s.count) : _mm256_srl_epi64(v, s.count);
}

/* Results are below 2^32, so odd ones move into the upper halves. */
AVX2 static inline __m256i scaled(__m256i a, __m256i b, scale s, int left)
{
    return _mm256_or_si256(shifted(EVEN(a, b), s, left),
                           _mm256_slli_epi64(shifted(ODD(a, b), s, left), 32));
}

/* Byte shuffles that move the 32-bit elements of a mask's bits to the front. */
#define W(k) 4 * (k), 4 * (k) + 1, 4 * (k) + 2, 4 * (k) + 3
static const uint8_t compress[16][16] = {
    {W(0), W(0), W(0), W(0)}, {W(0), W(0), W(0), W(0)},
    {W(1), W(0), W(0), W(0)}, {W(0), W(1), W(0), W(0)},
    {W(2), W(0), W(0), W(0)}, {W(0), W(2), W(0), W(0)},
    {W(1), W(2), W(0), W(0)}, {W(0), W(1), W(2), W(0)},
    {W(3), W(0), W(0), W(0)}, {W(0), W(3), W(0), W(0)},
    {W(1), W(3), W(0), W(0)}, {W(0), W(1), W(3), W(0)},
    {W(2), W(3), W(0), W(0)}, {W(0), W(2), W(3), W(0)},
    {W(1), W(2), W(3), W(0)}, {W(0), W(1), W(2), W(3)}};

/* Move the pairs that have a weight to the front, and list which they are;
 * weight 0 pads them to an even number.  Returns that number. */
AVX2 static size_t keep_active(uint32_t *weights, uint32_t *list, size_t pairs)
{
    __m128i pair = _mm_setr_epi32(0, 1, 2, 3);
    size_t i, n = 0;

    for (i = 0; i < pairs; i += 4) {
        const __m128i w =
            _mm_loadu_si128((const __m128i *)(const void *)(weights + i));
        const int mask = 0xf & ~_mm_movemask_ps(_mm_castsi128_ps(
                                   _mm_cmpeq_epi32(w, _mm_setzero_si128())));
        const __m128i order =
            _mm_loadu_si128((const __m128i *)(const void *)compress[mask]);

        _mm_storeu_si128((__m128i *)(void *)(weights + n),
                         _mm_shuffle_epi8(w, order));
        _mm_storeu_si128((__m128i *)(void *)(list + n),
                         _mm_shuffle_epi8(pair, order));
        n += (size_t)__builtin_popcount((unsigned)mask);
        pair = _mm_add_epi32(pair, _mm_set1_epi32(4));
    }
    if (n % 2 != 0) {
        weights[n] = 0;
        list[n++] = 0;
    }
    return n;
}

/* Columns j + k .. j + k + 8 n of sum_i m_i Ah_ij, in the tile of column j, two
 * pairs of states at a time; PAIR(a) is the a-th pair. */
#define DENSE(a) (a)
#define LISTED(a) (list[a])
#define PREDICT(n_vectors, PAIR, n_pairs)                                      \
    do {                                                                       \
        __m256i acc[n_vectors];                                                \
        size_t a, v;                                                           \
        for (v = 0; v < (n_vectors); v++)                                      \
            acc[v] = _mm256_setzero_si256();                                   \
        for (a = 0; a < (n_pairs); a += 2) {                                   \
            const int16_t *row0 = tile + 2 * (width * PAIR(a) + k);            \
            const int16_t *row1 = tile + 2 * (width * PAIR(a + 1) + k);        \
            const __m256i m0 = _mm256_set1_epi32((int)weights[a]);             \
            const __m256i m1 = _mm256_set1_epi32((int)weights[a + 1]);         \
            for (v = 0; v < (n_vectors); v++)                                  \
                acc[v] = _mm256_add_epi32(                                     \
                    acc[v], _mm256_add_epi32(                                  \
                                _mm256_madd_epi16(LOAD(row0 + 16 * v), m0),    \
                                _mm256_madd_epi16(LOAD(row1 + 16 * v), m1)));  \
        }                                                                      \
        for (v = 0; v < (n_vectors); v++)                                      \
            STORE(predicted + j + k + 8 * v, _mm256_max_epu32(acc[v], least)); \
        k += 8 * (n_vectors);                                                  \
    } while (0)

/* Filtered weights, and the short ones m in pairs.  Returns how many pairs are
 * 0. */
AVX2 static inline size_t weigh(const uint32_t *predicted,
                                const uint32_t *emitting, size_t stride,
                                scale s, int left, uint32_t *filtered,
                                uint32_t *weights)
{
    const __m256i short_max = _mm256_set1_epi16(BBANS_SHORT_MAX);
    const __m256i zero = _mm256_setzero_si256();
    size_t i, idle = 0;

    for (i = 0; i < stride; i += 16) {
        const __m256i w0 =
            scaled(LOAD(predicted + i), LOAD(emitting + i), s, left);
        const __m256i w1 =
            scaled(LOAD(predicted + i + 8), LOAD(emitting + i + 8), s, left);
        /* min(32767, ((w >> 16) + 1) >> 1): the average with 0 rounds up.
         * Packing takes turns between the halves. */
        const __m256i m = _mm256_permute4x64_epi64(
            _mm256_min_epu16(
                _mm256_avg_epu16(_mm256_packus_epi32(_mm256_srli_epi32(w0, 16),
                                                     _mm256_srli_epi32(w1, 16)),
                                 zero),
                short_max),
            0xd8);

        STORE(filtered + i, w0);
        STORE(filtered + i + 8, w1);
        STORE(weights + i / 2, m);
        idle += (size_t)__builtin_popcount((unsigned)_mm256_movemask_ps(
            _mm256_castsi256_ps(_mm256_cmpeq_epi32(m, zero))));
    }
    return idle;
}

AVX2 void bbans_k_filter_avx2(const bbans_hmm *hmm, const uint32_t *emitting,
                              uint32_t *predicted, uint32_t *filtered)
{
    const size_t stride = hmm->stride;
    const __m256i least = _mm256_set1_epi32((int)hmm->floor);
    const size_t pairs = stride / 2;
    uint32_t weights[STATE_PAIRS + 4], list[STATE_PAIRS + 4];
    size_t i, j, idle, n = pairs;
    int dense;
    __m256i sum = _mm256_setzero_si256();
    scale s;

    for (i = 0; i < stride; i += 8) {
        const __m256i p = LOAD(predicted + i), b = LOAD(emitting + i);

        sum = _mm256_add_epi64(sum, _mm256_add_epi64(EVEN(p, b), ODD(p, b)));
    }
    s = scale_of(sum_of_4(sum), BBANS_FILTER_BITS);
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
            PREDICT(8, DENSE, n);
        else if (dense)
            while (k < width)
                PREDICT(2, DENSE, n);
        else if (width == BBANS_TILE)
            PREDICT(8, LISTED, n);
        else
            while (k < width)
                PREDICT(2, LISTED, n);
    }
}

/* The weights v of the posterior and their running sums; returns N. */
AVX2 static inline uint32_t accumulate(const uint32_t *filtered,
                                       const uint32_t *into, size_t stride,
                                       scale s, int left, uint32_t *edge)
{
    const __m256i one = _mm256_set1_epi32(1);
    __m256i below = _mm256_setzero_si256(), total = below;
    size_t i;

    edge[0] = 0;
    for (i = 0; i < stride; i += 8) {
        __m256i v = scaled(LOAD(filtered + i),
                           into == NULL ? one : LOAD(into + i), s, left);

        total = _mm256_add_epi32(total, v);
        /* Running sums of eight: within halves, then across. */
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
        v = _mm256_add_epi32(
            v, _mm256_blend_epi32(
                   _mm256_setzero_si256(),
                   _mm256_permutevar8x32_epi32(v, _mm256_set1_epi32(3)), 0xf0));
        STORE(edge + 1 + i, _mm256_add_epi32(v, below));
        /* The chain from vector to vector is one addition. */
        below = _mm256_add_epi32(
            below, _mm256_permutevar8x32_epi32(v, _mm256_set1_epi32(7)));
    }
    return sum_of_8(total);
}

AVX2 static inline scale posterior_scale(const uint32_t *filtered,
                                         const uint32_t *into, size_t stride)
{
    const __m256i one = _mm256_set1_epi32(1);
    __m256i sum = _mm256_setzero_si256();
    size_t i;

    for (i = 0; i < stride; i += 8) {
        const __m256i w = LOAD(filtered + i);
        const __m256i a = into == NULL ? one : LOAD(into + i);

        sum = _mm256_add_epi64(sum, _mm256_add_epi64(EVEN(w, a), ODD(w, a)));
    }
    return scale_of(sum_of_4(sum), BBANS_POSTERIOR_BITS);
}

AVX2 uint32_t bbans_k_posterior_avx2(const uint32_t *filtered,
                                     const uint32_t *into, size_t stride,
                                     uint32_t *edge)
{
    const scale s = posterior_scale(filtered, into, stride);

    return s.right < 0 ? accumulate(filtered, into, stride, s, 1, edge)
                       : accumulate(filtered, into, stride, s, 0, edge);
}

/* The sum of the weights before state n, and of all. */
AVX2 static inline uint32_t sum_before(const uint32_t *filtered,
                                       const uint32_t *into, size_t stride,
                                       scale s, int left, size_t n,
                                       uint32_t *before)
{
    const __m256i one = _mm256_set1_epi32(1), eight = _mm256_set1_epi32(8);
    const __m256i end = _mm256_set1_epi32((int)n);
    __m256i state = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    __m256i total = _mm256_setzero_si256(), below = total;
    size_t i;

    for (i = 0; i < stride; i += 8) {
        const __m256i v = scaled(LOAD(filtered + i),
                                 into == NULL ? one : LOAD(into + i), s, left);

        total = _mm256_add_epi32(total, v);
        below = _mm256_add_epi32(
            below, _mm256_and_si256(v, _mm256_cmpgt_epi32(end, state)));
        state = _mm256_add_epi32(state, eight);
    }
    *before = sum_of_8(below);
    return sum_of_8(total);
}

AVX2 uint32_t bbans_k_interval_avx2(const uint32_t *filtered,
                                    const uint32_t *into, size_t stride,
                                    size_t i, uint32_t *start, uint32_t *freq)
{
    const scale s = posterior_scale(filtered, into, stride);

    *freq = bbans_scaled((uint64_t)filtered[i] * (into == NULL ? 1 : into[i]),
                         s.right);
    return s.right < 0 ? sum_before(filtered, into, stride, s, 1, i, start)
                       : sum_before(filtered, into, stride, s, 0, i, start);
}

#define LINEAR 128

AVX2 size_t bbans_k_rank_avx2(const uint32_t *edge, size_t n, uint32_t slot)
{
    const __m256i s = _mm256_set1_epi32((int)slot);
    __m256i above = _mm256_setzero_si256();
    size_t lo, i;

    lo = bbans_bisect(edge, &n, slot, LINEAR);
    edge += lo;
    for (i = 0; i + 8 <= n; i += 8) /* -1 for each edge above; all < 2^31 */
        above = _mm256_add_epi32(above, _mm256_cmpgt_epi32(LOAD(edge + i), s));
    lo += i;
    for (; i < n; i++)
        lo += edge[i] <= slot;
    return lo - (uint32_t)-sum_of_8(above);
}
#endif
