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
