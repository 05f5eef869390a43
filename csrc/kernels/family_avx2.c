/* AVX2 kernels of values under a family: family_vectors.h.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_family.h"
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2,fma")
#define KERNEL AVX2
#define WIDTH 4
#define V __m256i
#define F __m256
#define HOLD BBANS_IN_THIS_ORDER
#define SET(v) _mm256_set1_epi64x(v)
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define LOAD_TWICE(p)                                                          \
    _mm256_permutevar8x32_epi32(_mm256_castsi128_si256(_mm_loadu_si128(        \
                                    (const __m128i *)(const void *)(p))),      \
                                _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3))
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
#define ZEROS(v)                                                               \
    (unsigned)_mm256_movemask_pd(                                              \
        _mm256_castsi256_pd(_mm256_cmpeq_epi64((v), _mm256_setzero_si256())))
#define ADD32 _mm256_add_epi32
#define SUB32 _mm256_sub_epi32
#define ABS32 _mm256_abs_epi32
#define MIN32 _mm256_min_epu32
#define MAX32 _mm256_max_epu32
#define SRLV32 _mm256_srlv_epi32
#define SLLV32 _mm256_sllv_epi32
#define MORE32 _mm256_cmpgt_epi32
#define SRL32(v, n) _mm256_srli_epi32((v), (n))
#define SLL32(v, n) _mm256_slli_epi32((v), (n))
#define SRA32(v, n) _mm256_srai_epi32((v), (n))
#define TWICE_LOWER(v) _mm256_shuffle_epi32((v), 0xA0)
/* Lower halves of a, upper ones of b. */
#define HALVES(a, b) _mm256_blend_epi32((a), (b), 0xAA)
#define GATHER(p, i, size)                                                     \
    gathered((const long long *)(const void *)(p), (i), (size))

#define LESS(a, b) _mm256_cmpgt_epi64((b), (a))
#define PICK(mask, a, b) _mm256_blendv_epi8((b), (a), (mask))
#define SET32(v) _mm256_set1_epi32(v)
#define LESS32(a, b) _mm256_cmpgt_epi32((b), (a))
#define BOTH AND
#define PICK32 PICK
#define M V
#define SET_F(v) _mm256_set1_ps(v)
#define SUB_F _mm256_sub_ps
#define MUL_F _mm256_mul_ps
#define MUL_ADD_F _mm256_fmadd_ps
#define ROUNDED _mm256_cvtps_epi32
#define FLOATS _mm256_cvtepi32_ps
#define AS_F _mm256_castsi256_ps
#define AS_V _mm256_castps_si256

/* Into zeros: a gather waits for what its result is merged with.  A mask that
 * compilers know to be full would make them forget the zeros. */
AVX2 static inline __m256i gathered(const long long *p, __m256i i,
                                    const int size)
{
    __m256i all = _mm256_set1_epi64x(-1);

    BBANS_IN_THIS_ORDER(all);
    return size == 4 ? _mm256_mask_i64gather_epi64(_mm256_setzero_si256(), p, i,
                                                   all, 4)
                     : _mm256_mask_i64gather_epi64(_mm256_setzero_si256(), p, i,
                                                   all, 8);
}

#include "family_vectors.h"

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
