/* AVX-512 kernels of values under a family: family_x86.h.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_family.h"
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX512 BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl")
#define KERNEL AVX512
#define HALF 8
#define V __m512i
#define M __mmask16
#define F __m512
#define SET(v) _mm512_set1_epi64(v)
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define LOAD_INT(p)                                                            \
    _mm512_cvtepi32_epi64(                                                     \
        _mm256_loadu_si256((const __m256i *)(const void *)(p)))
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
#define BITS(v) ((unsigned)_mm512_movepi64_mask(v))
#define PUT_BITS(p, bits)                                                      \
    do {                                                                       \
        const uint16_t two = (uint16_t)(bits);                                 \
        memcpy((p), &two, sizeof two);                                         \
    } while (0)

#define LOWS(a, b) _mm512_mask_shuffle_epi32((a), 0xAAAA, (b), 0xA0)
#define HIGHS(a, b) _mm512_mask_shuffle_epi32((b), 0x5555, (a), 0xF5)
#define SET32(v) _mm512_set1_epi32(v)
#define ADD32 _mm512_add_epi32
#define SUB32 _mm512_sub_epi32
#define ABS32 _mm512_abs_epi32
#define MIN32 _mm512_min_epu32
#define MAX32 _mm512_max_epu32
#define SRL32(v, n) _mm512_srli_epi32((v), (n))
#define SLL32(v, n) _mm512_slli_epi32((v), (n))
#define SRA32(v, n) _mm512_srai_epi32((v), (n))
#define SLLV32 _mm512_sllv_epi32
#define BOTH(a, b) ((__mmask16)((a) & (b)))
#define LESS32 _mm512_cmplt_epi32_mask
#define EQUAL32 _mm512_cmpeq_epi32_mask
#define PICK32(mask, a, b) _mm512_mask_mov_epi32((b), (mask), (a))
#define IF_NEGATIVE(v, a, b) PICK32(_mm512_movepi32_mask(v), (a), (b))
#define AS_VECTOR(mask) _mm512_movm_epi32(mask)
#define GATHER(p, i)                                                           \
    _mm512_i64gather_epi64(AND((i), SET(0xFFFFFFFF)), (const void *)(p), 4)
#define LOOK_UP look_up

#define SET_F(v) _mm512_set1_ps(v)
#define SUB_F _mm512_sub_ps
#define MUL_F _mm512_mul_ps
#define MUL_ADD_F _mm512_fmadd_ps
#define ROUNDED _mm512_cvtps_epi32
#define FLOATS _mm512_cvtepi32_ps
#define AS_F _mm512_castsi512_ps
#define AS_V _mm512_castps_si512

/* Entries of a table of 256 that is in eight registers. */
AVX512 static inline V look_up(const uint16_t *table, V i)
{
    const V a = _mm512_permutex2var_epi16(LOAD(table), i, LOAD(table + 32));
    const V b =
        _mm512_permutex2var_epi16(LOAD(table + 64), i, LOAD(table + 96));
    const V c =
        _mm512_permutex2var_epi16(LOAD(table + 128), i, LOAD(table + 160));
    const V d =
        _mm512_permutex2var_epi16(LOAD(table + 192), i, LOAD(table + 224));
    const M odd = _mm512_test_epi32_mask(i, SET32(64));
    const M upper = _mm512_test_epi32_mask(i, SET32(128));

    return AND(PICK32(upper, PICK32(odd, d, c), PICK32(odd, b, a)),
               SET32(0xFFFF));
}

#include "family_x86.h"

AVX512 static void locate_spans(const bbans_family *family,
                                const int64_t *location, const int32_t *scale,
                                const int64_t *value, size_t n,
                                bbans_span *span, uint8_t *easy)
{
    locate_all(family, location, scale, value, n, span, easy);
}

AVX512 static void find_values(const bbans_family *family,
                               const int64_t *location, const int32_t *scale,
                               const uint64_t *head, size_t n, bbans_span *span,
                               int64_t *value, uint8_t *easy)
{
    find_all(family, location, scale, head, n, span, value, easy);
}

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
