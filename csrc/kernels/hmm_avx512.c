/* AVX-512 kernels with VNNI; equal to hmm_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_X86
#include <immintrin.h>

#define AVX512 BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), (v))

/* The 64-bit products of sixteen 32-bit factors: even and odd elements. */
#define EVEN(a, b) _mm512_mul_epu32(a, b)
#define ODD(a, b)                                                              \
    _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32))

typedef struct {
    __m128i right, left;
} shifts;

AVX512 static inline shifts shifts_of(uint64_t sum, int bits)
{
    const int shift = bbans_bit_length(sum) - bits;
    shifts s;

    s.right = _mm_cvtsi32_si128(shift > 0 ? shift : 0);
    s.left = _mm_cvtsi32_si128(shift < 0 ? -shift : 0);
    return s;
}

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

#define PREDICT(n)                                                             \
    do {                                                                       \
        __m512i acc[n];                                                        \
        size_t a, v;                                                           \
        for (v = 0; v < (n); v++)                                              \
            acc[v] = _mm512_setzero_si512();                                   \
        for (a = 0; a < n_active; a++) {                                       \
            const int16_t *row =                                               \
                hmm->short_pairs + 2 * stride * active[a] + 2 * j;                \
            const __m512i m = _mm512_set1_epi32(pair[active[a]]);              \
            for (v = 0; v < (n); v++)                                          \
                acc[v] = _mm512_dpwssd_epi32(acc[v], LOAD(row + 32 * v), m);   \
        }                                                                      \
        for (v = 0; v < (n); v++)                                              \
            STORE(predicted + j + 16 * v, _mm512_max_epu32(acc[v], least));    \
        j += 16 * (n);                                                         \
    } while (0)

AVX512 void bbans_k_filter_avx512(const bbans_hmm *hmm, size_t symbol,
                              uint32_t *predicted, uint32_t *filtered)
{
    const size_t stride = hmm->stride;
    const uint32_t *emitting = hmm->emitting + symbol * stride;
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i short_max = _mm512_set1_epi32(BBANS_SHORT_MAX);
    const __m512i least = _mm512_set1_epi32((int)hmm->floor);
    int32_t pair[BBANS_STATES_MAX / 2];
    uint16_t active[BBANS_STATES_MAX / 2];
    size_t i, j, n_active = 0;
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

        STORE(filtered + i, w);
        _mm256_storeu_si256((__m256i *)(void *)(pair + i / 2),
                            _mm512_cvtepi64_epi32(_mm512_or_si512(
                                m, _mm512_srli_epi64(m, 16))));
    }
    for (i = 0; i < stride / 2; i++) {
        active[n_active] = (uint16_t)i;
        n_active += pair[i] != 0;
    }
    for (j = 0; j + 128 <= stride;)
        PREDICT(8);
    for (; j + 64 <= stride;)
        PREDICT(4);
    for (; j < stride;)
        PREDICT(1);
}

/* Elements n places before, zeros at the front. */
#define BEFORE(v, n)                                                           \
    _mm512_maskz_permutexvar_epi32(                                            \
        (__mmask16)(0xffffu << (n)),                                           \
        _mm512_sub_epi32(place, _mm512_set1_epi32(n)), v)

AVX512 void bbans_k_posterior_avx512(const uint32_t *filtered,
                                     const uint32_t *into, size_t stride,
                                     uint32_t *edge)
{
    const __m512i one = _mm512_set1_epi32(1);
    const __m512i place = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
                                            11, 12, 13, 14, 15);
    __m512i sum = _mm512_setzero_si512(), below = sum;
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
        __m512i v = scaled(LOAD(filtered + i),
                           into == NULL ? one : LOAD(into + i), s);

        /* Running sums of sixteen: add what stands 1, 2, 4, 8 places before. */
        v = _mm512_add_epi32(v, BEFORE(v, 1));
        v = _mm512_add_epi32(v, BEFORE(v, 2));
        v = _mm512_add_epi32(v, BEFORE(v, 4));
        v = _mm512_add_epi32(v, BEFORE(v, 8));
        STORE(edge + 1 + i, _mm512_add_epi32(v, below));
        below = _mm512_add_epi32(
            below, _mm512_permutexvar_epi32(_mm512_set1_epi32(15), v));
    }
}

#define LINEAR 256

AVX512 size_t bbans_k_rank_avx512(const uint32_t *edge, size_t n, uint32_t slot)
{
    const __m512i s = _mm512_set1_epi32((int)slot);
    size_t lo = 0, rank, i;

    while (n > LINEAR) { /* as the portable kernel */
        const size_t half = n / 2;

        if (edge[lo + half] <= slot) {
            lo += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
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
