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
