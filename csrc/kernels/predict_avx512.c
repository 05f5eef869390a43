/* Linear prediction with AVX-512, as with AVX2 but for its width.
 *
 * SPDX-License-Identifier: MIT */
#include "predict_x86.h"

#ifdef BBANS_HAVE_X86
#define ISA "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"

BBANS_TARGET(ISA)
static void fir(const int32_t *coefficient, size_t taps, const int32_t *value,
                size_t n, int64_t *sum)
{
    const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    size_t i, t;

    for (t = 0; t + 16 <= n; t += 16) {
        __m512i even = _mm512_setzero_si512(), odd = even;
        int64_t *to = sum + t;

        for (i = 0; i < taps; i++) {
            const __m512i c = _mm512_set1_epi32(coefficient[i]);
            const __m512i v = _mm512_loadu_si512(value + t + i);

            even = _mm512_add_epi64(even, _mm512_mul_epi32(v, c));
            odd = _mm512_add_epi64(
                odd, _mm512_mul_epi32(_mm512_srli_epi64(v, 32), c));
        }
        _mm512_storeu_si512(
            to, _mm512_add_epi64(_mm512_loadu_si512(to),
                                 _mm512_permutex2var_epi64(even, first, odd)));
        _mm512_storeu_si512(to + 8, _mm512_add_epi64(_mm512_loadu_si512(to + 8),
                                                     _mm512_permutex2var_epi64(
                                                         even, second, odd)));
    }
    bbans_predict_portable.fir(coefficient, taps, value + t, n - t, sum + t);
}

/* Rows of 5 times 8: 33 and what is not wanted. */
#define OCTETS ((BBANS_COVARIANCES_MAX + 7) / 8)
#define BLOCK_MAX 32

BBANS_TARGET(ISA)
static void covariances(const int32_t *x, size_t nx, const int32_t *y,
                        size_t ny, const uint8_t *shift, size_t block,
                        size_t steps, int64_t *sum)
{
    const size_t rows = nx < ny ? nx : ny, octets = (ny + 7) / 8;
    __m512i total[BBANS_COVARIANCES_MAX][OCTETS];
    /* y of the block and behind it, in 64 bits each */
    int64_t wide[BLOCK_MAX + 2 * BBANS_COVARIANCES_MAX + 16];
    size_t k, i, j;

    memset(total, 0, rows * sizeof *total);
    memset(wide, 0, sizeof wide);
    for (k = 0; k < steps; k += block, shift++) {
        const size_t n = steps - k < block ? steps - k : block;
        const size_t last = n + ny;
        const __m128i count = _mm_cvtsi32_si128(*shift);
        __m512i row[OCTETS];

        for (i = 0; i < last; i += 8) {
            const __mmask8 mask = (__mmask8)bbans_first_bits(last - i);

            _mm512_storeu_si512(wide + i,
                                _mm512_cvtepi32_epi64(
                                    _mm256_maskz_loadu_epi32(mask, y + k + i)));
        }
        for (j = 0; j < octets; j++)
            row[j] = _mm512_setzero_si512();
        for (i = 0; i < n; i++) {
            const __m512i v = _mm512_set1_epi32(x[k + i]);

            for (j = 0; j < octets; j++)
                row[j] = _mm512_add_epi64(
                    row[j],
                    _mm512_mul_epi32(v, _mm512_loadu_si512(wide + i + 8 * j)));
        }
        for (i = 0; i < rows; i++) {
            const __m512i gone = _mm512_set1_epi32(x[k + i]);
            const __m512i come = _mm512_set1_epi32(x[k + n + i]);
            const int64_t *before = wide + i, *after = before + n;

            for (j = 0; 8 * j + i < ny; j++) {
                const __m512i more =
                    _mm512_mul_epi32(come, _mm512_loadu_si512(after + 8 * j));
                const __m512i less =
                    _mm512_mul_epi32(gone, _mm512_loadu_si512(before + 8 * j));

                total[i][j] = _mm512_add_epi64(total[i][j],
                                               _mm512_sll_epi64(row[j], count));
                row[j] = _mm512_add_epi64(row[j], _mm512_sub_epi64(more, less));
            }
        }
    }
    for (i = 0; i < rows; i++) {
        const int64_t *from = (const int64_t *)(const void *)total[i];

        for (j = i; j < ny; j++)
            sum[i * ny + j] += from[j - i];
    }
}

const bbans_predict_kernels bbans_predict_avx512 = {
    bbans_dot_avx2, fir, bbans_adapt_avx2, covariances};
#endif
