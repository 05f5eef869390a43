/* The instruction sets and their kernels, and the one place that asks the CPU.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_kernels.h"

#ifndef BBANS_PORTABLE
#include <stdlib.h> /* getenv */
#define OPTIONAL                                                               \
    .residual = &bbans_residual_portable, .mixing = &bbans_mixing_portable,    \
    .levels = &bbans_levels_portable, .tree = &bbans_tree_portable,            \
    .planes = &bbans_planes_portable, .checksum = &bbans_checksum_portable,
#else
#define OPTIONAL /* see BBANS_RESIDUAL */
#endif

#define PORTABLE                                                               \
    {                                                                          \
        .isa = BBANS_ISA_PORTABLE, .hmm = &bbans_hmm_portable,                 \
        .lanes = &bbans_lanes_portable, .totals = &bbans_totals_portable,      \
        .rows = &bbans_rows_portable, .bytes = &bbans_bytes_portable,          \
        .predict = &bbans_predict_portable,                                    \
        OPTIONAL.family = &bbans_family_portable,                              \
        .network = &bbans_network_portable                                     \
    }

bbans_kernels bbans_kernel = PORTABLE;

static int is_always_here(void)
{
    return 1;
}

/* The compilers' builtins ask cpuid, and xgetbv whether the operating system
 * saves the registers. */
#ifdef BBANS_HAVE_X86
#include <cpuid.h>

static int has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("pclmul");
}

static int has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("pclmul");
}

static int has_avx512_vbmi(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vbmi") &&
           __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("vpclmulqdq");
}

/* Of Intel's from Sapphire Rapids on, whose gathers no microcode slows down; on
 * others single loads are faster.  Model numbers grow, but for Rocket Lake. */
static int has_fast_gathers(void)
{
    unsigned a, b, c, d, model;

    if (!has_avx512_vbmi() || !__builtin_cpu_is("intel") ||
        !__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    model = (a >> 4 & 0xf) | (a >> 12 & 0xf0);
    return (a >> 8 & 0xf) == 6 && model >= 0x8f && model != 0xa7;
}
#endif

/* The best first; a later row of the same set is for machines with less of
 * it. */
static const struct {
    const char *name;
    int (*is_here)(void);
    bbans_kernels kernels;
} sets[] = {
#ifdef BBANS_HAVE_X86
    {"avx512",
     has_fast_gathers,
     {.isa = BBANS_ISA_AVX512,
      .hmm = &bbans_hmm_avx512,
      .levels = &bbans_levels_avx512,
      .lanes = &bbans_lanes_avx512,
      .totals = &bbans_totals_avx512,
      .rows = &bbans_rows_avx512,
      .predict = &bbans_predict_avx512,
      .residual = &bbans_residual_avx2,
      .mixing = &bbans_mixing_avx2,
      .bytes = &bbans_bytes_avx512_gathering,
      .family = &bbans_family_avx512,
      .network = &bbans_network_avx512,
      .tree = &bbans_tree_avx512,
      .planes = &bbans_planes_avx2,
      .checksum = &bbans_checksum_avx512}},
    {"avx512",
     has_avx512_vbmi,
     {.isa = BBANS_ISA_AVX512,
      .hmm = &bbans_hmm_avx512,
      .levels = &bbans_levels_avx512,
      .lanes = &bbans_lanes_avx512,
      .totals = &bbans_totals_avx512,
      .rows = &bbans_rows_avx512,
      .predict = &bbans_predict_avx512,
      .residual = &bbans_residual_avx2,
      .mixing = &bbans_mixing_avx2,
      .bytes = &bbans_bytes_avx512,
      .family = &bbans_family_avx512,
      .network = &bbans_network_avx512,
      .tree = &bbans_tree_avx512,
      .planes = &bbans_planes_avx2,
      .checksum = &bbans_checksum_avx512}},
    {"avx512",
     has_avx512,
     {.isa = BBANS_ISA_AVX512,
      .hmm = &bbans_hmm_avx512,
      .levels = &bbans_levels_avx512,
      .lanes = &bbans_lanes_avx512,
      .totals = &bbans_totals_avx512,
      .rows = &bbans_rows_avx512,
      .predict = &bbans_predict_avx512,
      .residual = &bbans_residual_avx2,
      .mixing = &bbans_mixing_avx2,
      .bytes = &bbans_bytes_avx2,
      .family = &bbans_family_avx512,
      .network = &bbans_network_avx512,
      .tree = &bbans_tree_avx512,
      .planes = &bbans_planes_avx2,
      .checksum = &bbans_checksum_avx2}},
    {"avx2",
     has_avx2,
     {.isa = BBANS_ISA_AVX2,
      .hmm = &bbans_hmm_avx2,
      .levels = &bbans_levels_avx2,
      .lanes = &bbans_lanes_avx2,
      .totals = &bbans_totals_portable,
      .rows = &bbans_rows_avx2,
      .predict = &bbans_predict_avx2,
      .residual = &bbans_residual_avx2,
      .mixing = &bbans_mixing_avx2,
      .bytes = &bbans_bytes_avx2,
      .family = &bbans_family_avx2,
      .network = &bbans_network_avx2,
      .tree = &bbans_tree_avx2,
      .planes = &bbans_planes_avx2,
      .checksum = &bbans_checksum_avx2}},
#endif
#ifdef BBANS_HAVE_NEON /* part of every AArch64 */
    {"neon",
     is_always_here,
     {.isa = BBANS_ISA_NEON,
      .hmm = &bbans_hmm_neon,
      .levels = &bbans_levels_neon,
      .lanes = &bbans_lanes_neon,
      .totals = &bbans_totals_portable,
      .rows = &bbans_rows_neon,
      .predict = &bbans_predict_neon,
      .residual = &bbans_residual_neon,
      .mixing = &bbans_mixing_portable,
      .bytes = &bbans_bytes_neon,
      .family = &bbans_family_portable,
      .network = &bbans_network_neon,
      .tree = &bbans_tree_portable,
      .planes = &bbans_planes_portable,
      .checksum = &bbans_checksum_portable}},
#endif
#ifdef BBANS_HAVE_WASM /* known when the module is compiled */
    {"wasm",
     is_always_here,
     {.isa = BBANS_ISA_WASM,
      .hmm = &bbans_hmm_wasm,
      .levels = &bbans_levels_portable,
      .lanes = &bbans_lanes_portable,
      .totals = &bbans_totals_portable,
      .rows = &bbans_rows_portable,
      .predict = &bbans_predict_portable,
      .residual = &bbans_residual_portable,
      .mixing = &bbans_mixing_portable,
      .bytes = &bbans_bytes_portable,
      .family = &bbans_family_portable,
      .network = &bbans_network_portable,
      .tree = &bbans_tree_portable,
      .planes = &bbans_planes_portable,
      .checksum = &bbans_checksum_portable}},
#endif
    {"portable", is_always_here, PORTABLE}};

#define SETS (sizeof sets / sizeof *sets)

static int named_isa(void)
{
#ifndef BBANS_PORTABLE
    const char *name = getenv("BBANS_CPU");
    size_t i;

    for (i = 0; name != NULL && i < SETS; i++)
        if (strcmp(name, sets[i].name) == 0)
            return sets[i].kernels.isa;
#endif
    return BBANS_ISA_BEST;
}

int bbans_isa_use(int isa)
{
    const bbans_kernels *chosen = &sets[SETS - 1].kernels;
    size_t i;

    if (isa == BBANS_ISA_BEST)
        isa = named_isa();
    for (i = SETS; i-- > 0;) /* the best comes last */
        if ((isa == BBANS_ISA_BEST || isa == sets[i].kernels.isa) &&
            sets[i].is_here())
            chosen = &sets[i].kernels;
    bbans_kernel = *chosen;
    return bbans_kernel.isa;
}

int bbans_isa_in_use(void)
{
    return bbans_kernel.isa;
}

const char *bbans_isa_name(int isa)
{
    size_t i;

    for (i = 0; i < SETS; i++)
        if (isa == sets[i].kernels.isa && sets[i].is_here())
            return sets[i].name;
    return NULL;
}
