/* The filter over sparse transitions with AVX2; equal to sparse_portable.c bit
 * for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86
#define AVX2 BBANS_TARGET("avx2")
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))

/* Products of the even and the odd elements. */
#define EVEN(a, b) _mm256_mul_epu32((a), (b))
#define ODD(a, b)                                                              \
    _mm256_mul_epu32(_mm256_srli_epi64((a), 32), _mm256_srli_epi64((b), 32))

AVX2 static inline __m256i scaled(const uint32_t *p, const uint32_t *b,
                                  __m128i count)
{
    const __m256i x = LOAD(p), y = LOAD(b);

    return _mm256_or_si256(
        _mm256_srl_epi64(EVEN(x, y), count),
        _mm256_slli_epi64(_mm256_srl_epi64(ODD(x, y), count), 32));
}

AVX2 static void weigh(const uint32_t *predicted, const uint32_t *emitting,
                       size_t stride, uint32_t *filtered, int16_t *m)
{
    const __m256i most = _mm256_set1_epi16(BBANS_SHORT_MAX);
    const __m256i zero = _mm256_setzero_si256();
    __m256i even = zero, odd = zero;
    scaling s;
    size_t i;

    for (i = 0; i < stride; i += 8) {
        const __m256i p = LOAD(predicted + i), b = LOAD(emitting + i);

        even = _mm256_add_epi64(even, EVEN(p, b));
        odd = _mm256_add_epi64(odd, ODD(p, b));
    }
    s = scaling_of(bbans_sum_of_4(_mm256_add_epi64(even, odd)),
                   BBANS_FILTER_BITS);
    if (s.right < 0) { /* hardly ever */
        bbans_sparse_portable.weigh(predicted, emitting, stride, filtered, m);
        return;
    }
    for (i = 0; i < stride; i += 16) {
        const __m256i w0 = scaled(predicted + i, emitting + i, s.count);
        const __m256i w1 = scaled(predicted + i + 8, emitting + i + 8, s.count);
        /* Packing takes turns between the halves. */
        const __m256i high = _mm256_permute4x64_epi64(
            _mm256_packus_epi32(_mm256_srli_epi32(w0, 16),
                                _mm256_srli_epi32(w1, 16)),
            0xd8);

        STORE(filtered + i, w0);
        STORE(filtered + i + 8, w1);
        /* The average with 0 rounds up. */
        STORE(m + i, _mm256_min_epu16(_mm256_avg_epu16(high, zero), most));
    }
}

AVX2 static void predict(const bbans_sparse *sparse, const int16_t *m,
                         size_t stride, uint32_t least, uint32_t *predicted)
{
    const __m256i floor = _mm256_set1_epi32((int)least);
    const int16_t *mass = sparse->mass;
    uint32_t k = 0;
    size_t b;

    for (b = 0; b < stride / 8; b++) {
        const uint32_t end = sparse->first[b + 1];
        __m256i sum = _mm256_setzero_si256();

        for (; k < end; k++, mass += 16) {
            int32_t w; /* both weights */

            memcpy(&w, m + 2 * sparse->pair[k], sizeof w);
            sum = _mm256_add_epi32(
                sum, _mm256_madd_epi16(LOAD(mass), _mm256_set1_epi32(w)));
        }
        STORE(predicted + 8 * b, _mm256_max_epu32(sum, floor));
    }
}

const bbans_sparse_kernels bbans_sparse_avx2 = {.weigh = weigh,
                                                .predict = predict};
#endif
