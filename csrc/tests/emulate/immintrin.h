/* Stands in for the compiler's header: every intrinsic in plain C.
 *
 * SPDX-License-Identifier: MIT */
#define SIMDE_ENABLE_NATIVE_ALIASES
#define SIMDE_NO_NATIVE
#include <simde/x86/avx512.h>
typedef simde__mmask16 __mmask16;
typedef simde__mmask8 __mmask8;
