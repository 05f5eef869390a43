/* Weights of states in several levels with AVX2; equal to levels_portable.c bit
 * for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86
#define AVX2 BBANS_TARGET("avx2")

/* Four numbers of 32 bits, in 64 bits each, and the low halves of eight. */
#define WIDE(p)                                                                \
    _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define SET(c) _mm256_set1_epi32((int)(c))
#define ADD(a, b) _mm256_add_epi64((a), (b))
#define MUL(a, b) _mm256_mul_epu32((a), (b))

AVX2 static inline __m256i narrow(__m256i low, __m256i high)
{
    const __m256 halves = _mm256_shuffle_ps(_mm256_castsi256_ps(low),
                                            _mm256_castsi256_ps(high), 0x88);

    return _mm256_permute4x64_epi64(_mm256_castps_si256(halves), 0xd8);
}

AVX2 static void observe(const uint32_t *predicted, const uint32_t *emitting,
                         size_t width, size_t n, uint32_t *filtered)
{
    __m256i sum0 = _mm256_setzero_si256(), sum1 = sum0;
    scaling s;
    size_t i, j;

    for (i = 0; i < n; i += width)
        for (j = 0; j < width; j += 8) {
            const uint32_t *p = predicted + i + j;

            sum0 = ADD(sum0, MUL(WIDE(p), WIDE(emitting + j)));
            sum1 = ADD(sum1, MUL(WIDE(p + 4), WIDE(emitting + j + 4)));
        }
    s = scaling_of(bbans_sum_of_4(ADD(sum0, sum1)), BBANS_JOINT_BITS);
    if (s.right < 0) { /* hardly ever */
        bbans_levels_portable.observe(predicted, emitting, width, n, filtered);
        return;
    }
    for (i = 0; i < n; i += width)
        for (j = 0; j < width; j += 8) {
            const uint32_t *p = predicted + i + j;
            const __m256i low = MUL(WIDE(p), WIDE(emitting + j));
            const __m256i high = MUL(WIDE(p + 4), WIDE(emitting + j + 4));

            _mm256_storeu_si256((__m256i *)(void *)(filtered + i + j),
                                narrow(_mm256_srl_epi64(low, s.count),
                                       _mm256_srl_epi64(high, s.count)));
        }
}

/* Columns j .. j + 7 of `ROWS` rows: a load of x serves them all. */
#define CONTRACT(ROWS)                                                         \
    do {                                                                       \
        __m256i low[ROWS], high[ROWS];                                         \
        size_t r;                                                              \
        for (r = 0; r < ROWS; r++)                                             \
            low[r] = high[r] = _mm256_setzero_si256();                         \
        for (k = 0; k < terms; k++) {                                          \
            const __m256i x0 = WIDE(x + k * n + j);                            \
            const __m256i x1 = WIDE(x + k * n + j + 4);                        \
            BBANS_UNROLLED                                                     \
            for (r = 0; r < ROWS; r++) {                                       \
                const __m256i a = SET(c[r * c_stride + k]);                    \
                low[r] = ADD(low[r], MUL(x0, a));                              \
                high[r] = ADD(high[r], MUL(x1, a));                            \
            }                                                                  \
        }                                                                      \
        for (r = 0; r < ROWS; r++)                                             \
            _mm256_storeu_si256(                                               \
                (__m256i *)(void *)(out + r * out_stride + j),                 \
                _mm256_add_epi32(narrow(_mm256_srl_epi64(low[r], count),       \
                                        _mm256_srl_epi64(high[r], count)),     \
                                 SET(more)));                                  \
    } while (0)

AVX2 static void contract(const uint32_t *c, size_t c_stride, size_t rows,
                          const uint32_t *x, size_t terms, size_t n,
                          uint32_t *out, size_t out_stride, unsigned shift,
                          uint32_t more)
{
    const __m128i count = _mm_cvtsi32_si128((int)shift);
    size_t j, k;

    for (; rows >= 4; rows -= 4, c += 4 * c_stride, out += 4 * out_stride)
        for (j = 0; j < n; j += 8)
            CONTRACT(4);
    for (; rows > 0; rows--, c += c_stride, out += out_stride)
        for (j = 0; j < n; j += 8)
            CONTRACT(1);
}

AVX2 static void combine(const uint32_t *c, const uint32_t *x, size_t terms,
                         size_t n, uint64_t *sum)
{
    size_t j, k;

    for (j = 0; j < n; j += 8) {
        __m256i low = _mm256_setzero_si256(), high = low;

        for (k = 0; k < terms; k++) {
            const __m256i a = SET(c[k]);

            low = ADD(low, MUL(WIDE(x + k * n + j), a));
            high = ADD(high, MUL(WIDE(x + k * n + j + 4), a));
        }
        _mm256_storeu_si256((__m256i *)(void *)(sum + j), low);
        _mm256_storeu_si256((__m256i *)(void *)(sum + j + 4), high);
    }
}

const bbans_levels_kernels bbans_levels_avx2 = {
    .observe = observe, .contract = contract, .combine = combine};
#endif
