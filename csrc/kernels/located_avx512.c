/* AVX-512 kernels of values under a shape: located_x86.h.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_located.h"
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX512 BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl")
#define LOCATED AVX512
#define V __m512i
#define SET(v) _mm512_set1_epi64(v)
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define LOAD_INT(p)                                                            \
    _mm512_cvtepi32_epi64(                                                     \
        _mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define LOAD_REALS(p)                                                          \
    _mm512_castpd_si512(_mm512_cvtps_pd(_mm256_loadu_ps((const void *)(p))))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), (v))
#define ADD _mm512_add_epi64
#define SUB _mm512_sub_epi64
#define MUL _mm512_mul_epu32
#define AND _mm512_and_si512
#define OR _mm512_or_si512
#define XOR _mm512_xor_si512
#define SRL(v, n) _mm512_srli_epi64((v), (n))
#define SLL(v, n) _mm512_slli_epi64((v), (n))
#define SRLV _mm512_srlv_epi64
#define SLLV _mm512_sllv_epi64
#define SRA16(v) _mm512_srai_epi64((v), 16)
#define LESS(a, b) _mm512_movm_epi64(_mm512_cmplt_epi64_mask((a), (b)))
#define PICK(mask, a, b) _mm512_ternarylogic_epi64((mask), (a), (b), 0xCA)
#define BITS(mask) ((unsigned)_mm512_movepi64_mask(mask))
#define GATHER_PAIRS(p, i) _mm512_i64gather_epi64((i), (const void *)(p), 4)
#define GATHER_WORDS(p, i)                                                     \
    _mm512_cvtepu32_epi64(_mm512_i64gather_epi32((i), (const void *)(p), 4))

#include "located_x86.h"

AVX512 void bbans_k_locate_avx512(const bbans_shape *shape, const int64_t *at,
                                  const int32_t *by, const int64_t *value,
                                  size_t n, bbans_span *span, uint8_t *easy)
{
    size_t i;

    for (i = 0; i < n; i += 8)
        easy[i / 8] =
            (uint8_t)locate(shape, at + i, by + i, value + i, span + i);
}

AVX512 void bbans_k_find_located_avx512(const bbans_shape *shape,
                                        const int64_t *at, const int32_t *by,
                                        const uint64_t *head, size_t n,
                                        bbans_span *span, int64_t *value,
                                        uint8_t *easy)
{
    size_t i;

    for (i = 0; i < n; i += 8)
        easy[i / 8] =
            (uint8_t)find(shape, at + i, by + i, head + i, span + i, value + i);
}

AVX512 void bbans_k_fix_locations_avx512(const void *real, int type, size_t n,
                                         int64_t *location)
{
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const V v = type == BBANS_F32 ? LOAD_REALS((const uint32_t *)real + i)
                                      : LOAD((const uint64_t *)real + i);

        STORE(location + i, fixed_locations(v));
    }
    for (; i < n; i++)
        location[i] = INT64_MIN;
}

AVX512 void bbans_k_fix_scales_avx512(const void *real, int type, size_t n,
                                      int32_t *by)
{
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const V v = type == BBANS_F32 ? LOAD_REALS((const uint32_t *)real + i)
                                      : LOAD((const uint64_t *)real + i);

        _mm256_storeu_si256((__m256i *)(void *)(by + i),
                            _mm512_cvtepi64_epi32(fixed_scales(v)));
    }
    for (; i < n; i++)
        by[i] = INT32_MIN;
}
#endif
