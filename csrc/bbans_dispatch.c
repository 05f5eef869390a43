/* The kernel table, and the one place that asks the CPU.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

#ifndef BBANS_PORTABLE
#include <stdlib.h> /* getenv */
#endif

static const bbans_kernels portable =
    BBANS_KERNELS(portable, BBANS_NO_ROUNDS, portable, portable, portable);

/* The library's one mutable global. */
bbans_kernels bbans_kernel =
    BBANS_KERNELS(portable, BBANS_NO_ROUNDS, portable, portable, portable);

#ifdef BBANS_HAVE_X86
static const bbans_kernels avx2 =
    BBANS_KERNELS(avx2, BBANS_NO_ROUNDS, portable, avx2, avx2);
static const bbans_kernels avx512 =
    BBANS_KERNELS(avx512, BBANS_ROUNDS(avx512), avx512, avx2, avx512);
static const bbans_kernels avx512_vbmi =
    BBANS_KERNELS(avx512, BBANS_ROUNDS(avx512), avx512, avx512, avx512);
#endif
#ifdef BBANS_HAVE_NEON
static const bbans_kernels neon =
    BBANS_KERNELS(neon, BBANS_NO_ROUNDS, portable, portable, portable);
#endif

/* NULL where the build or the machine lacks it.  The compilers' builtins ask
 * cpuid, and xgetbv whether the operating system saves the registers. */
static const bbans_kernels *kernels_of(int isa)
{
    switch (isa) {
    case BBANS_ISA_PORTABLE: return &portable;
#ifdef BBANS_HAVE_X86
    case BBANS_ISA_AVX2:
        __builtin_cpu_init();
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
                   ? &avx2
                   : NULL;
    case BBANS_ISA_AVX512:
        __builtin_cpu_init();
        if (!__builtin_cpu_supports("avx512f") ||
            !__builtin_cpu_supports("avx512bw") ||
            !__builtin_cpu_supports("avx512dq") ||
            !__builtin_cpu_supports("avx512vl") ||
            !__builtin_cpu_supports("avx512vnni"))
            return NULL;
        return __builtin_cpu_supports("avx512vbmi") &&
                       __builtin_cpu_supports("avx512vbmi2")
                   ? &avx512_vbmi
                   : &avx512;
#endif
#ifdef BBANS_HAVE_NEON
    case BBANS_ISA_NEON: /* part of every AArch64 */ return &neon;
#endif
    default: return NULL;
    }
}

static int named_isa(void)
{
#ifndef BBANS_PORTABLE
    static const struct {
        const char *name;
        int isa;
    } names[] = {{"portable", BBANS_ISA_PORTABLE},
                 {"avx2", BBANS_ISA_AVX2},
                 {"avx512", BBANS_ISA_AVX512},
                 {"neon", BBANS_ISA_NEON}};
    const char *name = getenv("BBANS_CPU");
    size_t i;

    for (i = 0; name != NULL && i < sizeof names / sizeof *names; i++)
        if (strcmp(name, names[i].name) == 0)
            return names[i].isa;
#endif
    return BBANS_ISA_BEST;
}

int bbans_isa_use(int isa)
{
    static const int best_first[] = {BBANS_ISA_AVX512, BBANS_ISA_AVX2,
                                     BBANS_ISA_NEON, BBANS_ISA_PORTABLE};
    size_t i;

    if (isa == BBANS_ISA_BEST)
        isa = named_isa();
    for (i = 0; i < sizeof best_first / sizeof *best_first; i++) {
        const bbans_kernels *kernels = kernels_of(best_first[i]);

        if ((isa == BBANS_ISA_BEST || isa == best_first[i]) &&
            kernels != NULL) {
            bbans_kernel = *kernels;
            bbans_kernel.isa = best_first[i];
            return best_first[i];
        }
    }
    bbans_kernel = portable;
    return BBANS_ISA_PORTABLE;
}

int bbans_isa_in_use(void)
{
    return bbans_kernel.isa;
}
