/* Stands in for the compiler's header: every intrinsic in plain C.
 *
 * SPDX-License-Identifier: MIT */
#define SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_NO_NATIVE
#include <simde/x86/avx512.h>
typedef simde__mmask16 __mmask16;
typedef simde__mmask8 __mmask8;

/* What SIMDe lacks. */
static inline simde__m256i _mm512_cvtepi32_epi16(simde__m512i a)
{
    const simde__m512i_private wide = simde__m512i_to_private(a);
    simde__m256i_private narrow;
    int i;

    for (i = 0; i < 16; i++)
        narrow.u16[i] = (uint16_t)wide.u32[i];
    return simde__m256i_from_private(narrow);
}
#define _mm512_mask_srli_epi64(v, mask, w, n)                                  \
    simde_mm512_mask_mov_epi64(v, mask, simde_mm512_srli_epi64(w, n))
#define _mm512_cmplt_epu64_mask(v, w)                                          \
    ((simde__mmask8)~simde_mm512_cmpge_epu64_mask(v, w))
#define _mm512_cvtepu32_epi64(v)                                               \
    simde_mm512_inserti64x4(                                                   \
        simde_mm512_castsi256_si512(                                           \
            simde_mm256_cvtepu32_epi64(simde_mm256_castsi256_si128(v))),       \
        simde_mm256_cvtepu32_epi64(simde_mm256_extracti128_si256(v, 1)), 1)
#ifndef _MM_FROUND_NO_EXC
#define _MM_FROUND_NO_EXC 8
#endif
#define _mm512_mask_srli_epi32(v, mask, w, n)                                  \
    simde_mm512_mask_mov_epi32(v, mask, simde_mm512_srli_epi32(w, n))
#define _mm512_mask_slli_epi32(v, mask, w, n)                                  \
    simde_mm512_mask_mov_epi32(v, mask, simde_mm512_slli_epi32(w, n))
#define _mm512_shrdi_epi32(v, w, n)                                            \
    simde_mm512_or_si512(simde_mm512_srli_epi32(v, n),                         \
                         simde_mm512_slli_epi32(w, 32 - (n)))
#define _mm512_cmplt_epu32_mask(v, w)                                          \
    ((simde__mmask16)~simde_mm512_cmpge_epu32_mask(v, w))

static inline simde__m128i _mm512_cvtepi32_epi8(simde__m512i a)
{
    const simde__m512i_private wide = simde__m512i_to_private(a);
    simde__m128i_private narrow;
    int i;

    for (i = 0; i < 16; i++)
        narrow.u8[i] = (uint8_t)wide.u32[i];
    return simde__m128i_from_private(narrow);
}

static inline simde__m512i _mm512_cvtepu16_epi32(simde__m256i a)
{
    const simde__m256i_private narrow = simde__m256i_to_private(a);
    simde__m512i_private wide;
    int i;

    for (i = 0; i < 16; i++)
        wide.u32[i] = narrow.u16[i];
    return simde__m512i_from_private(wide);
}

static inline simde__m512i _mm512_maskz_expand_epi32(simde__mmask16 mask,
                                                     simde__m512i a)
{
    const simde__m512i_private from = simde__m512i_to_private(a);
    simde__m512i_private to;
    int i, k = 0;

    for (i = 0; i < 16; i++)
        to.u32[i] = mask >> i & 1 ? from.u32[k++] : 0;
    return simde__m512i_from_private(to);
}

/* Rounded toward zero, of what is not negative. */
static inline float simde_down(double v)
{
    const float f = (float)v;

    return f > v ? simde_math_nextafterf(f, 0) : f;
}

static inline simde__m512 _mm512_cvt_roundepi32_ps(simde__m512i a, int rounding)
{
    const simde__m512i_private from = simde__m512i_to_private(a);
    simde__m512_private to;
    int i;

    (void)rounding;
    for (i = 0; i < 16; i++)
        to.f32[i] = simde_down(from.i32[i]);
    return simde__m512_from_private(to);
}

static inline simde__m512 _mm512_div_round_ps(simde__m512 a, simde__m512 b,
                                              int rounding)
{
    const simde__m512_private x = simde__m512_to_private(a);
    const simde__m512_private y = simde__m512_to_private(b);
    simde__m512_private to;
    int i;

    (void)rounding; /* a double tells on which side of a float x / y is */
    for (i = 0; i < 16; i++)
        to.f32[i] = y.f32[i] == 0 ? 0 : simde_down((double)x.f32[i] / y.f32[i]);
    return simde__m512_from_private(to);
}
#define _mm512_cvtepi32_ps(a)                                                  \
    _mm512_cvt_roundepi32_ps(a, 0) /* exact, as used */

static inline simde__m512i _mm512_cvttps_epi32(simde__m512 a)
{
    const simde__m512_private from = simde__m512_to_private(a);
    simde__m512i_private to;
    int i;

    for (i = 0; i < 16; i++)
        to.i32[i] = (int32_t)from.f32[i];
    return simde__m512i_from_private(to);
}
