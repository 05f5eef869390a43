/* Linear prediction with AVX2.
 *
 * SPDX-License-Identifier: MIT */
#include "predict_x86.h"

#ifdef BBANS_HAVE_X86

/* The first n of 8. */
BBANS_TARGET("avx2")
static inline __m256i first_of_8(size_t n)
{
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

/* Products of 32 bits are of the lower halves of quads: first those of elements
 * 0, 2, .., then of 1, 3, .. */
BBANS_TARGET("avx2")
static inline __m256i products(__m256i a, __m256i b)
{
    return _mm256_add_epi64(
        _mm256_mul_epi32(a, b),
        _mm256_mul_epi32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32)));
}

BBANS_TARGET("avx2")
int64_t bbans_dot_avx2(const int32_t *a, const int32_t *b, size_t n)
{
    __m256i sum = _mm256_setzero_si256();
    __m128i half;
    size_t i;

    for (i = 0; i + 8 <= n; i += 8)
        sum = _mm256_add_epi64(
            sum, products(_mm256_loadu_si256((const void *)(a + i)),
                          _mm256_loadu_si256((const void *)(b + i))));
    if (i < n) {
        const __m256i mask = first_of_8(n - i);

        sum =
            _mm256_add_epi64(sum, products(_mm256_maskload_epi32(a + i, mask),
                                           _mm256_maskload_epi32(b + i, mask)));
    }
    half = _mm_add_epi64(_mm256_castsi256_si128(sum),
                         _mm256_extracti128_si256(sum, 1));
    half = _mm_add_epi64(half, _mm_unpackhi_epi64(half, half));
    return _mm_cvtsi128_si64(half);
}

BBANS_TARGET("avx2")
static void fir(const int32_t *coefficient, size_t taps, const int32_t *value,
                size_t n, int64_t *sum)
{
    size_t i, t;

    for (t = 0; t + 16 <= n; t += 16) {
        __m256i even0 = _mm256_setzero_si256(), odd0 = even0;
        __m256i even1 = even0, odd1 = even0;

        for (i = 0; i < taps; i++) {
            const __m256i c = _mm256_set1_epi32(coefficient[i]);
            const __m256i v0 =
                _mm256_loadu_si256((const void *)(value + t + i));
            const __m256i v1 =
                _mm256_loadu_si256((const void *)(value + t + i + 8));

            even0 = _mm256_add_epi64(even0, _mm256_mul_epi32(v0, c));
            odd0 = _mm256_add_epi64(
                odd0, _mm256_mul_epi32(_mm256_srli_epi64(v0, 32), c));
            even1 = _mm256_add_epi64(even1, _mm256_mul_epi32(v1, c));
            odd1 = _mm256_add_epi64(
                odd1, _mm256_mul_epi32(_mm256_srli_epi64(v1, 32), c));
        }
        for (i = 0; i < 2; i++) {
            const __m256i even = i ? even1 : even0, odd = i ? odd1 : odd0;
            const __m256i lo = _mm256_unpacklo_epi64(even, odd);
            const __m256i hi = _mm256_unpackhi_epi64(even, odd);
            __m256i *to = (__m256i *)(void *)(sum + t + 8 * i);

            _mm256_storeu_si256(
                to, _mm256_add_epi64(_mm256_loadu_si256(to),
                                     _mm256_permute2x128_si256(lo, hi, 0x20)));
            to++;
            _mm256_storeu_si256(
                to, _mm256_add_epi64(_mm256_loadu_si256(to),
                                     _mm256_permute2x128_si256(lo, hi, 0x31)));
        }
    }
    bbans_predict_portable.fir(coefficient, taps, value + t, n - t, sum + t);
}

/* A product of 16 bits by pairs of which one is 0. */
BBANS_TARGET("avx2")
uint32_t bbans_adapt_avx2(int32_t *w, const int16_t *h, size_t n, int32_t g)
{
    const __m256i rate = _mm256_set1_epi32(g & 0xFFFF);
    __m256i sum = _mm256_setzero_si256();
    __m128i half;
    size_t i;

    for (i = 0; i < n; i += 16) {
        __m256i *to = (__m256i *)(void *)(w + i);
        const __m256i h0 =
            _mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)(h + i)));
        const __m256i h1 =
            _mm256_cvtepi16_epi32(_mm_loadu_si128((const void *)(h + i + 8)));
        const __m256i w0 = _mm256_add_epi32(_mm256_loadu_si256(to),
                                            _mm256_madd_epi16(h0, rate));
        const __m256i w1 = _mm256_add_epi32(_mm256_loadu_si256(to + 1),
                                            _mm256_madd_epi16(h1, rate));
        /* in the order 0 .. 3, 8 .. 11, 4 .. 7, 12 .. 15 */
        const __m256i next = _mm256_permute4x64_epi64(
            _mm256_loadu_si256((const void *)(h + i + 1)), 0xD8);
        const __m256i high = _mm256_packs_epi32(_mm256_srai_epi32(w0, 16),
                                                _mm256_srai_epi32(w1, 16));

        _mm256_storeu_si256(to, w0);
        _mm256_storeu_si256(to + 1, w1);
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(high, next));
    }
    half = _mm_add_epi32(_mm256_castsi256_si128(sum),
                         _mm256_extracti128_si256(sum, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4E));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(half);
}

/* Rows of 9 quads: 33 and what is not wanted. */
#define QUADS ((BBANS_COVARIANCES_MAX + 3) / 4)
#define BLOCK_MAX 32

BBANS_TARGET("avx2")
static void covariances(const int32_t *x, size_t nx, const int32_t *y,
                        size_t ny, const uint8_t *shift, size_t block,
                        size_t steps, int64_t *sum)
{
    const size_t rows = nx < ny ? nx : ny, quads = (ny + 3) / 4;
    __m256i total[BBANS_COVARIANCES_MAX][QUADS];
    /* y of the block and behind it, in 64 bits each */
    int64_t wide[BLOCK_MAX + 2 * BBANS_COVARIANCES_MAX + 8];
    size_t k, i, j;

    memset(total, 0, rows * sizeof *total);
    memset(wide, 0, sizeof wide);
    for (k = 0; k < steps; k += block, shift++) {
        const size_t n = steps - k < block ? steps - k : block;
        const size_t last = n + ny;
        const __m128i count = _mm_cvtsi32_si128(*shift);
        __m256i row[QUADS];

        for (i = 0; i < last; i += 4) /* up to 3 more */
            _mm256_storeu_si256((void *)(wide + i),
                                _mm256_cvtepi32_epi64(_mm_loadu_si128(
                                    (const void *)(y + k + i))));
        for (j = 0; j < quads; j++)
            row[j] = _mm256_setzero_si256();
        for (i = 0; i < n; i++) {
            const __m256i v = _mm256_set1_epi32(x[k + i]);

            for (j = 0; j < quads; j++)
                row[j] = _mm256_add_epi64(
                    row[j],
                    _mm256_mul_epi32(v, _mm256_loadu_si256(
                                            (const void *)(wide + i + 4 * j))));
        }
        for (i = 0; i < rows; i++) {
            const __m256i gone = _mm256_set1_epi32(x[k + i]);
            const __m256i come = _mm256_set1_epi32(x[k + n + i]);
            const int64_t *before = wide + i, *after = before + n;

            for (j = 0; 4 * j + i < ny; j++) {
                total[i][j] = _mm256_add_epi64(total[i][j],
                                               _mm256_sll_epi64(row[j], count));
                row[j] = _mm256_add_epi64(
                    row[j],
                    _mm256_sub_epi64(
                        _mm256_mul_epi32(
                            come,
                            _mm256_loadu_si256((const void *)(after + 4 * j))),
                        _mm256_mul_epi32(gone,
                                         _mm256_loadu_si256(
                                             (const void *)(before + 4 * j)))));
            }
        }
    }
    for (i = 0; i < rows; i++) {
        const int64_t *from = (const int64_t *)(const void *)total[i];

        for (j = i; j < ny; j++)
            sum[i * ny + j] += from[j - i];
    }
}

const bbans_predict_kernels bbans_predict_avx2 = {
    bbans_dot_avx2, fir, bbans_adapt_avx2, covariances};
#endif
