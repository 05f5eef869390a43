/* AVX2 kernels of values under a shape: located_x86.h.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_located.h"
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2")
#define LOCATED AVX2
#define V __m256i
#define SET(v) _mm256_set1_epi64x(v)
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define LOAD_INT(p)                                                            \
    _mm256_cvtepi32_epi64(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define LOAD_REALS(p)                                                          \
    _mm256_castpd_si256(_mm256_cvtps_pd(_mm_loadu_ps((const void *)(p))))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))
#define ADD _mm256_add_epi64
#define SUB _mm256_sub_epi64
#define MUL _mm256_mul_epu32
#define AND _mm256_and_si256
#define OR _mm256_or_si256
#define XOR _mm256_xor_si256
#define SRL(v, n) _mm256_srli_epi64((v), (n))
#define SLL(v, n) _mm256_slli_epi64((v), (n))
#define SRLV _mm256_srlv_epi64
#define SLLV _mm256_sllv_epi64
/* |v| < 2^62: the sum is not negative. */
#define SRA16(v)                                                               \
    SUB(SRL(ADD((v), SET((int64_t)1 << 62)), 16), SET((int64_t)1 << 46))
#define LESS(a, b) _mm256_cmpgt_epi64((b), (a))
#define PICK(mask, a, b) _mm256_blendv_epi8((b), (a), (mask))
#define BITS(mask) ((unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(mask)))
#define GATHER_PAIRS(p, i)                                                     \
    _mm256_i64gather_epi64((const long long *)(const void *)(p), (i), 4)
#define GATHER_WORDS(p, i)                                                     \
    _mm256_cvtepu32_epi64(                                                     \
        _mm256_i64gather_epi32((const int *)(const void *)(p), (i), 4))

#include "located_x86.h"

AVX2 void bbans_k_locate_avx2(const bbans_shape *shape, const int64_t *at,
                              const int32_t *by, const int64_t *value, size_t n,
                              bbans_span *span, uint8_t *easy)
{
    size_t i;

    for (i = 0; i < n; i += 8) {
        const unsigned low = locate(shape, at + i, by + i, value + i, span + i);

        easy[i / 8] = (uint8_t)(low | locate(shape, at + i + 4, by + i + 4,
                                             value + i + 4, span + i + 4)
                                          << 4);
    }
}

AVX2 void bbans_k_find_located_avx2(const bbans_shape *shape, const int64_t *at,
                                    const int32_t *by, const uint64_t *head,
                                    size_t n, bbans_span *span, int64_t *value,
                                    uint8_t *easy)
{
    size_t i;

    for (i = 0; i < n; i += 8) {
        const unsigned low =
            find(shape, at + i, by + i, head + i, span + i, value + i);

        easy[i / 8] =
            (uint8_t)(low | find(shape, at + i + 4, by + i + 4, head + i + 4,
                                 span + i + 4, value + i + 4)
                                << 4);
    }
}

AVX2 void bbans_k_fix_locations_avx2(const void *real, int type, size_t n,
                                     int64_t *location)
{
    size_t i;

    for (i = 0; i + 4 <= n; i += 4) {
        const V v = type == BBANS_F32 ? LOAD_REALS((const uint32_t *)real + i)
                                      : LOAD((const uint64_t *)real + i);

        STORE(location + i, fixed_locations(v));
    }
    for (; i < n; i++)
        location[i] = INT64_MIN;
}

AVX2 void bbans_k_fix_scales_avx2(const void *real, int type, size_t n,
                                  int32_t *by)
{
    size_t i;

    for (i = 0; i + 4 <= n; i += 4) {
        const V v = type == BBANS_F32 ? LOAD_REALS((const uint32_t *)real + i)
                                      : LOAD((const uint64_t *)real + i);

        _mm_storeu_si128(
            (__m128i *)(void *)(by + i),
            _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(
                fixed_scales(v), _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6))));
    }
    for (; i < n; i++)
        by[i] = INT32_MIN;
}
#endif
