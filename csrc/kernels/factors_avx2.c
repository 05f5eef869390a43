/* Steps of chains side by side with AVX2; equal to factors_portable.c bit for
 * bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86
#define AVX2 BBANS_TARGET("avx2")
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))

typedef struct {
    __m256i half, most;
    __m128i count;
} rounding;

AVX2 static inline rounding rounding_by(unsigned shift)
{
    rounding r;

    r.half = _mm256_set1_epi32(1 << (shift - 1));
    r.most = _mm256_set1_epi32(BBANS_SHORT_MAX);
    r.count = _mm_cvtsi32_si128((int)shift);
    return r;
}

AVX2 static inline __m256i short_weights(const uint32_t *w, rounding r)
{
    return _mm256_min_epu32(
        _mm256_srl_epi32(_mm256_add_epi32(LOAD(w), r.half), r.count), r.most);
}

AVX2 static void pair(const uint32_t *w, size_t rows, size_t n, unsigned shift,
                      uint32_t *out)
{
    const rounding r = rounding_by(shift);
    size_t i, j;

    for (i = 0; i + 1 < rows; i += 2, w += 2 * n, out += n)
        for (j = 0; j < n; j += 8)
            STORE(out + j,
                  _mm256_or_si256(
                      short_weights(w + j, r),
                      _mm256_slli_epi32(short_weights(w + n + j, r), 16)));
    for (j = 0; i < rows && j < n; j += 8)
        STORE(out + j, short_weights(w + j, r));
}

AVX2 static void narrow(const uint32_t *w, size_t n, unsigned shift,
                        uint32_t *out)
{
    const rounding r = rounding_by(shift);
    size_t i;

    for (i = 0; i < n; i += 8) {
        const __m256i m = short_weights(w + i, r);
        const __m256i packed = _mm256_permute4x64_epi64(
            _mm256_packus_epi32(m, m), 0x08); /* of either half */

        _mm_storeu_si128((__m128i *)(void *)(out + i / 2),
                         _mm256_castsi256_si128(packed));
    }
}

/* `VECTORS` vectors from column j on of `ROWS` rows: a load of x serves all
 * rows, one of c all columns. */
#define MULTIPLY(ROWS, VECTORS)                                                \
    do {                                                                       \
        __m256i sum[ROWS][VECTORS];                                            \
        size_t r, v;                                                           \
        BBANS_UNROLLED                                                         \
        for (r = 0; r < (ROWS); r++)                                           \
            for (v = 0; v < (VECTORS); v++)                                    \
                sum[r][v] = _mm256_setzero_si256();                            \
        for (k = 0; k < pairs; k++) {                                          \
            __m256i p[VECTORS];                                                \
            BBANS_UNROLLED                                                     \
            for (v = 0; v < (VECTORS); v++)                                    \
                p[v] = LOAD(x + k * n + j + 8 * v);                            \
            BBANS_UNROLLED                                                     \
            for (r = 0; r < (ROWS); r++) {                                     \
                const __m256i a = _mm256_set1_epi32((int)c[r * pairs + k]);    \
                for (v = 0; v < (VECTORS); v++)                                \
                    sum[r][v] = _mm256_add_epi32(sum[r][v],                    \
                                                 _mm256_madd_epi16(p[v], a));  \
            }                                                                  \
        }                                                                      \
        BBANS_UNROLLED                                                         \
        for (r = 0; r < (ROWS); r++)                                           \
            for (v = 0; v < (VECTORS); v++)                                    \
                STORE(out + r * n + j + 8 * v,                                 \
                      _mm256_max_epu32(sum[r][v], floor));                     \
        j += 8 * (VECTORS);                                                    \
    } while (0)

AVX2 static void multiply(const uint32_t *c, size_t rows, const uint32_t *x,
                          size_t pairs, size_t n, uint32_t least, uint32_t *out)
{
    const __m256i floor = _mm256_set1_epi32((int)least);
    size_t j, k;

    for (; rows >= 4; rows -= 4, c += 4 * pairs, out += 4 * n) {
        for (j = 0; j + 16 <= n;)
            MULTIPLY(4, 2);
        if (j < n)
            MULTIPLY(4, 1);
    }
    for (; rows > 0; rows--, c += pairs, out += n)
        for (j = 0; j < n;)
            MULTIPLY(1, 1);
}

const bbans_factors_kernels bbans_factors_avx2 = {
    .pair = pair, .narrow = narrow, .multiply = multiply};
#endif
