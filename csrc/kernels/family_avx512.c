/* AVX-512 kernels of values under a family: family_vectors.h.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_family.h"
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX512 BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl")
#define KERNEL AVX512
#define WIDTH 8
#define V __m512i
#define M __mmask16
#define F __m512
#define HOLD(v) ((void)(v)) /* there are registers for all */
#define SET(v) _mm512_set1_epi64(v)
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define LOAD_TWICE(p)                                                          \
    _mm512_permutexvar_epi32(                                                  \
        _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7),     \
        _mm512_castsi256_si512(                                                \
            _mm256_loadu_si256((const __m256i *)(const void *)(p))))
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
#define ZEROS(v) ((unsigned)_mm512_testn_epi64_mask((v), (v)))
#define ADD32 _mm512_add_epi32
#define SUB32 _mm512_sub_epi32
#define ABS32 _mm512_abs_epi32
#define MIN32 _mm512_min_epu32
#define MAX32 _mm512_max_epu32
#define SRLV32 _mm512_srlv_epi32
#define SLLV32 _mm512_sllv_epi32
#define MORE32(a, b) _mm512_movm_epi32(_mm512_cmpgt_epi32_mask((a), (b)))
#define SRL32(v, n) _mm512_srli_epi32((v), (n))
#define SLL32(v, n) _mm512_slli_epi32((v), (n))
#define SRA32(v, n) _mm512_srai_epi32((v), (n))
#define TWICE_LOWER(v) _mm512_shuffle_epi32((v), 0xA0)
#define HALVES(a, b) _mm512_mask_mov_epi32((a), 0xAAAA, (b))
#define GATHER(p, i, size) gathered((const void *)(p), (i), (size))

#define LESS(a, b) _mm512_movm_epi64(_mm512_cmplt_epi64_mask((a), (b)))
#define PICK(mask, a, b) _mm512_ternarylogic_epi64((mask), (a), (b), 0xCA)
#define SET32(v) _mm512_set1_epi32(v)
#define LESS32 _mm512_cmplt_epi32_mask
#define BOTH(a, b) ((__mmask16)((a) & (b)))
#define PICK32(mask, a, b) _mm512_mask_mov_epi32((b), (mask), (a))
#define SET_F(v) _mm512_set1_ps(v)
#define SUB_F _mm512_sub_ps
#define MUL_F _mm512_mul_ps
#define MUL_ADD_F _mm512_fmadd_ps
#define ROUNDED _mm512_cvtps_epi32
#define FLOATS _mm512_cvtepi32_ps
#define AS_F _mm512_castsi512_ps
#define AS_V _mm512_castps_si512

/* Into zeros: a gather waits for what its result is merged with.  A mask that
 * compilers know to be full would make them forget the zeros. */
AVX512 static inline V gathered(const void *p, V i, const int size)
{
    V none = _mm512_setzero_si512();

    BBANS_IN_THIS_ORDER(none);
    return size == 4 ? _mm512_mask_i64gather_epi64(none, 0xFF, i, p, 4)
                     : _mm512_mask_i64gather_epi64(none, 0xFF, i, p, 8);
}

#include "family_vectors.h"

AVX512 static void fix_locations(const void *real, int type, size_t n,
                                 int64_t *location)
{
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const V v = type == BBANS_F32
                        ? _mm512_castpd_si512(_mm512_cvtps_pd(_mm256_loadu_ps(
                              (const void *)((const uint32_t *)real + i))))
                        : LOAD((const uint64_t *)real + i);

        STORE(location + i, fixed_locations(v));
    }
    for (; i < n; i++)
        location[i] = INT64_MIN;
}

AVX512 static void fix_scales(const void *real, int type, size_t n,
                              int32_t *scale)
{
    const uint64_t *wide = (const uint64_t *)real;
    size_t i;

    for (i = 0; i + 16 <= n; i += 16) {
        const F v =
            type == BBANS_F32
                ? _mm512_loadu_ps((const void *)((const uint32_t *)real + i))
                : _mm512_insertf32x8(
                      _mm512_castps256_ps512(_mm512_cvtpd_ps(
                          _mm512_loadu_pd((const void *)(wide + i)))),
                      _mm512_cvtpd_ps(
                          _mm512_loadu_pd((const void *)(wide + i + 8))),
                      1);

        STORE(scale + i, fixed_scales(AS_V(v)));
    }
    for (; i < n; i++)
        scale[i] = INT32_MIN;
}

const bbans_family_kernels bbans_family_avx512 = {.locate_spans = locate_spans,
                                                  .find_values = find_values,
                                                  .fix_locations =
                                                      fix_locations,
                                                  .fix_scales = fix_scales};
#endif
