/* AVX2 kernels of values under a family: family_x86.h.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_family.h"
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2")
#define KERNEL AVX2
#define HALF 4
#define V __m256i
#define M __m256i
#define F __m256
#define SET(v) _mm256_set1_epi64x(v)
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define LOAD_INT(p)                                                            \
    _mm256_cvtepi32_epi64(_mm_loadu_si128((const __m128i *)(const void *)(p)))
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
#define BITS(v) ((unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(v)))
#define PUT_BITS(p, bits) (*(p) = (uint8_t)(bits))

#define LOWS(a, b) _mm256_blend_epi32((a), SLL((b), 32), 0xAA)
#define HIGHS(a, b) _mm256_blend_epi32(SRL((a), 32), (b), 0xAA)
#define SET32(v) _mm256_set1_epi32(v)
#define ADD32 _mm256_add_epi32
#define SUB32 _mm256_sub_epi32
#define ABS32 _mm256_abs_epi32
#define MIN32 _mm256_min_epu32
#define MAX32 _mm256_max_epu32
#define SRL32(v, n) _mm256_srli_epi32((v), (n))
#define SLL32(v, n) _mm256_slli_epi32((v), (n))
#define SRA32(v, n) _mm256_srai_epi32((v), (n))
#define SLLV32 _mm256_sllv_epi32
#define BOTH AND
#define LESS32(a, b) _mm256_cmpgt_epi32((b), (a))
#define EQUAL32 _mm256_cmpeq_epi32
#define PICK32 PICK
#define IF_NEGATIVE(v, a, b) AS_V(_mm256_blendv_ps(AS_F(b), AS_F(a), AS_F(v)))
#define AS_VECTOR(mask) (mask)
#define GATHER(p, i)                                                           \
    _mm256_i64gather_epi64((const long long *)(const void *)(p),               \
                           AND((i), SET(0xFFFFFFFF)), 4)
#define LOOK_UP(table, i)                                                      \
    AND(_mm256_i32gather_epi32((const int *)(const void *)(table), (i), 2),    \
        SET32(0xFFFF))

#define SET_F(v) _mm256_set1_ps(v)
#define SUB_F _mm256_sub_ps
#define MUL_F _mm256_mul_ps
#define MUL_ADD_F(a, b, c) _mm256_add_ps(_mm256_mul_ps((a), (b)), (c))
#define ROUNDED _mm256_cvtps_epi32
#define FLOATS _mm256_cvtepi32_ps
#define AS_F _mm256_castsi256_ps
#define AS_V _mm256_castps_si256

#include "family_x86.h"

AVX2 static void locate_spans(const bbans_family *family,
                              const int64_t *location, const int32_t *scale,
                              const int64_t *value, size_t n, bbans_span *span,
                              uint8_t *easy)
{
    locate_all(family, location, scale, value, n, span, easy);
}

AVX2 static void find_values(const bbans_family *family,
                             const int64_t *location, const int32_t *scale,
                             const uint64_t *head, size_t n, bbans_span *span,
                             int64_t *value, uint8_t *easy)
{
    find_all(family, location, scale, head, n, span, value, easy);
}

AVX2 static void fix_locations(const void *real, int type, size_t n,
                               int64_t *location)
{
    size_t i;

    for (i = 0; i + 4 <= n; i += 4) {
        const V v = type == BBANS_F32
                        ? _mm256_castpd_si256(_mm256_cvtps_pd(_mm_loadu_ps(
                              (const void *)((const uint32_t *)real + i))))
                        : LOAD((const uint64_t *)real + i);

        STORE(location + i, fixed_locations(v));
    }
    for (; i < n; i++)
        location[i] = INT64_MIN;
}

AVX2 static void fix_scales(const void *real, int type, size_t n,
                            int32_t *scale)
{
    const uint64_t *wide = (const uint64_t *)real;
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const F v =
            type == BBANS_F32
                ? _mm256_loadu_ps((const void *)((const uint32_t *)real + i))
                : _mm256_set_m128(_mm256_cvtpd_ps(_mm256_loadu_pd(
                                      (const void *)(wide + i + 4))),
                                  _mm256_cvtpd_ps(_mm256_loadu_pd(
                                      (const void *)(wide + i))));

        STORE(scale + i, fixed_scales(AS_V(v)));
    }
    for (; i < n; i++)
        scale[i] = INT32_MIN;
}

const bbans_family_kernels bbans_family_avx2 = {.locate_spans = locate_spans,
                                                .find_values = find_values,
                                                .fix_locations = fix_locations,
                                                .fix_scales = fix_scales};
#endif
