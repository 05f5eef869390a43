/* Weights of states in several levels with AVX-512; equal to levels_portable.c
 * bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86
#define AVX512 BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")

/* Eight numbers of 32 bits, in 64 bits each. */
#define WIDE(p)                                                                \
    _mm512_cvtepu32_epi64(                                                     \
        _mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define SET(c) _mm512_set1_epi32((int)(c))
#define ADD(a, b) _mm512_add_epi64((a), (b))
#define MUL(a, b) _mm512_mul_epu32((a), (b))

AVX512 static inline void store_low(uint32_t *p, __m512i v, __m256i more)
{
    _mm256_storeu_si256((__m256i *)(void *)p,
                        _mm256_add_epi32(_mm512_cvtepi64_epi32(v), more));
}

AVX512 static void observe(const uint32_t *predicted, const uint32_t *emitting,
                           size_t width, size_t n, uint32_t *filtered)
{
    const __m256i zero = _mm256_setzero_si256();
    __m512i sum = _mm512_setzero_si512();
    scaling s;
    size_t i, j;

    for (i = 0; i < n; i += width)
        for (j = 0; j < width; j += 8)
            sum = ADD(sum, MUL(WIDE(predicted + i + j), WIDE(emitting + j)));
    s = scaling_of((uint64_t)_mm512_reduce_add_epi64(sum), BBANS_JOINT_BITS);
    if (s.right < 0) { /* hardly ever */
        bbans_levels_portable.observe(predicted, emitting, width, n, filtered);
        return;
    }
    for (i = 0; i < n; i += width)
        for (j = 0; j < width; j += 8)
            store_low(
                filtered + i + j,
                _mm512_srl_epi64(
                    MUL(WIDE(predicted + i + j), WIDE(emitting + j)), s.count),
                zero);
}

/* Columns j .. j + 7 of `ROWS` rows: a load of x serves them all. */
#define CONTRACT(ROWS)                                                         \
    do {                                                                       \
        __m512i sum[ROWS];                                                     \
        size_t r;                                                              \
        for (r = 0; r < ROWS; r++)                                             \
            sum[r] = _mm512_setzero_si512();                                   \
        for (k = 0; k < terms; k++) {                                          \
            const __m512i v = WIDE(x + k * n + j);                             \
            BBANS_UNROLLED                                                     \
            for (r = 0; r < ROWS; r++)                                         \
                sum[r] = ADD(sum[r], MUL(v, SET(c[r * c_stride + k])));        \
        }                                                                      \
        for (r = 0; r < ROWS; r++)                                             \
            store_low(out + r * out_stride + j,                                \
                      _mm512_srl_epi64(sum[r], count), plus);                  \
    } while (0)

AVX512 static void contract(const uint32_t *c, size_t c_stride, size_t rows,
                            const uint32_t *x, size_t terms, size_t n,
                            uint32_t *out, size_t out_stride, unsigned shift,
                            uint32_t more)
{
    const __m128i count = _mm_cvtsi32_si128((int)shift);
    const __m256i plus = _mm256_set1_epi32((int)more);
    size_t j, k;

    for (; rows >= 8; rows -= 8, c += 8 * c_stride, out += 8 * out_stride)
        for (j = 0; j < n; j += 8)
            CONTRACT(8);
    for (; rows > 0; rows--, c += c_stride, out += out_stride)
        for (j = 0; j < n; j += 8)
            CONTRACT(1);
}

AVX512 static void combine(const uint32_t *c, const uint32_t *x, size_t terms,
                           size_t n, uint64_t *sum)
{
    size_t j, k;

    for (j = 0; j < n; j += 8) {
        __m512i total = _mm512_setzero_si512();

        for (k = 0; k < terms; k++)
            total = ADD(total, MUL(WIDE(x + k * n + j), SET(c[k])));
        _mm512_storeu_si512(sum + j, total);
    }
}

const bbans_levels_kernels bbans_levels_avx512 = {
    .observe = observe, .contract = contract, .combine = combine};
#endif
