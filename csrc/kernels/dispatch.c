/* The instruction sets and their kernels, and the one place that asks the CPU.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_kernels.h"

#ifndef BBANS_PORTABLE
#include <stdlib.h> /* getenv */
#define OPTIONAL                                                               \
    .residual = &bbans_residual_portable, .mixing = &bbans_mixing_portable,    \
    .levels = &bbans_levels_portable, .factors = &bbans_factors_portable,      \
    .tree = &bbans_tree_portable, .planes = &bbans_planes_portable,            \
    .checksum = &bbans_checksum_portable, .laws = &bbans_laws_portable,
#else
#define OPTIONAL /* see BBANS_RESIDUAL */
#endif

#define PORTABLE                                                               \
    {                                                                          \
        .isa = BBANS_ISA_PORTABLE, .hmm = &bbans_hmm_portable,                 \
        .sparse = &bbans_sparse_portable, .lanes = &bbans_lanes_portable,      \
        .totals = &bbans_totals_portable, .rows = &bbans_rows_portable,        \
        .bytes = &bbans_bytes_portable, .predict = &bbans_predict_portable,    \
        OPTIONAL.family = &bbans_family_portable,                              \
        .network = &bbans_network_portable                                     \
    }

bbans_kernels bbans_kernel = PORTABLE;

#ifdef BBANS_HAVE_X86
#include <cpuid.h>

/* What cpuid tells; the compilers' builtins for it need a part of their own
 * library, and say no to everything where that is not linked. */
typedef struct {
    unsigned ecx1, ebx7, ecx7, model;
    int saves_256, saves_512; /* registers, by the operating system */
    int is_intel;
} machine;

#define HAS(bits, all) (((bits) & (all)) == (all))
#define BIT(i) (1u << (i))

/* The system's choice of registers that it saves; to be asked if OSXSAVE says
 * that there is one. */
static unsigned saved_registers(void)
{
    unsigned low, high;

    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static machine this_machine(void)
{
    const unsigned fma = BIT(12), osxsave = BIT(27), avx = BIT(28);
    machine m = {0, 0, 0, 0, 0, 0, 0};
    unsigned a, b, c, d, saved;

    if (!__get_cpuid(0, &a, &b, &c, &d))
        return m;
    m.is_intel = b == 0x756e6547 && d == 0x49656e69 && c == 0x6c65746e;
    if (!__get_cpuid(1, &a, &b, &m.ecx1, &d))
        return m;
    if ((a >> 8 & 0xf) == 6) /* the family of all Intel's since 2006 */
        m.model = (a >> 4 & 0xf) | (a >> 12 & 0xf0);
    (void)__get_cpuid_count(7, 0, &a, &m.ebx7, &m.ecx7, &d);
    if (!HAS(m.ecx1, osxsave | avx | fma))
        return m;
    saved = saved_registers();
    m.saves_256 = HAS(saved, 0x06);
#ifdef __APPLE__ /* saves them from their first use on */
    m.saves_512 = m.saves_256;
#else
    m.saves_512 = HAS(saved, 0xe6);
#endif
    return m;
}

#define PCLMULQDQ BIT(1)
#define POPCNT BIT(23)

static int has_avx2(const machine *m)
{
    const unsigned avx2 = BIT(5);

    return m->saves_256 && HAS(m->ecx1, PCLMULQDQ | POPCNT) &&
           HAS(m->ebx7, avx2);
}

static int has_avx512(const machine *m)
{
    const unsigned f = BIT(16), dq = BIT(17), bw = BIT(30), vl = BIT(31);
    const unsigned vnni = BIT(11);

    return has_avx2(m) && m->saves_512 && HAS(m->ebx7, f | dq | bw | vl) &&
           HAS(m->ecx7, vnni);
}

static int has_avx512_vbmi(const machine *m)
{
    const unsigned vbmi = BIT(1), vbmi2 = BIT(6), vpclmulqdq = BIT(10);

    return has_avx512(m) && HAS(m->ecx7, vbmi | vbmi2 | vpclmulqdq);
}

/* Of Intel's from Sapphire Rapids on, whose gathers no microcode slows down; on
 * others single loads are faster.  Model numbers grow, but for Rocket Lake. */
static int has_fast_gathers(const machine *m)
{
    return has_avx512_vbmi(m) && m->is_intel && m->model >= 0x8f &&
           m->model != 0xa7;
}
#else
typedef struct {
    int unknown;
} machine;

static machine this_machine(void)
{
    const machine m = {0};

    return m;
}
#endif

static int is_always_here(const machine *m)
{
    (void)m;
    return 1;
}

/* The best first; a later row of the same set is for machines with less of
 * it. */
static const struct {
    const char *name;
    int (*is_here)(const machine *m);
    bbans_kernels kernels;
} sets[] = {
#ifdef BBANS_HAVE_X86
    {"avx512",
     has_fast_gathers,
     {.isa = BBANS_ISA_AVX512,
      .hmm = &bbans_hmm_avx512,
      .sparse = &bbans_sparse_avx2,
      .levels = &bbans_levels_avx512,
      .factors = &bbans_factors_avx2,
      .lanes = &bbans_lanes_avx512,
      .totals = &bbans_totals_avx512,
      .rows = &bbans_rows_avx512,
      .predict = &bbans_predict_avx512,
      .residual = &bbans_residual_avx2,
      .mixing = &bbans_mixing_avx2,
      .bytes = &bbans_bytes_avx512_gathering,
      .family = &bbans_family_avx512,
      .laws = &bbans_laws_avx2,
      .network = &bbans_network_avx512,
      .tree = &bbans_tree_avx512,
      .planes = &bbans_planes_avx2,
      .checksum = &bbans_checksum_avx512}},
    {"avx512",
     has_avx512_vbmi,
     {.isa = BBANS_ISA_AVX512,
      .hmm = &bbans_hmm_avx512,
      .sparse = &bbans_sparse_avx2,
      .levels = &bbans_levels_avx512,
      .factors = &bbans_factors_avx2,
      .lanes = &bbans_lanes_avx512,
      .totals = &bbans_totals_avx512,
      .rows = &bbans_rows_avx512,
      .predict = &bbans_predict_avx512,
      .residual = &bbans_residual_avx2,
      .mixing = &bbans_mixing_avx2,
      .bytes = &bbans_bytes_avx512,
      .family = &bbans_family_avx512,
      .laws = &bbans_laws_avx2,
      .network = &bbans_network_avx512,
      .tree = &bbans_tree_avx512,
      .planes = &bbans_planes_avx2,
      .checksum = &bbans_checksum_avx512}},
    {"avx512",
     has_avx512,
     {.isa = BBANS_ISA_AVX512,
      .hmm = &bbans_hmm_avx512,
      .sparse = &bbans_sparse_avx2,
      .levels = &bbans_levels_avx512,
      .factors = &bbans_factors_avx2,
      .lanes = &bbans_lanes_avx512,
      .totals = &bbans_totals_avx512,
      .rows = &bbans_rows_avx512,
      .predict = &bbans_predict_avx512,
      .residual = &bbans_residual_avx2,
      .mixing = &bbans_mixing_avx2,
      .bytes = &bbans_bytes_avx2,
      .family = &bbans_family_avx512,
      .laws = &bbans_laws_avx2,
      .network = &bbans_network_avx512,
      .tree = &bbans_tree_avx512,
      .planes = &bbans_planes_avx2,
      .checksum = &bbans_checksum_avx2}},
    {"avx2",
     has_avx2,
     {.isa = BBANS_ISA_AVX2,
      .hmm = &bbans_hmm_avx2,
      .sparse = &bbans_sparse_avx2,
      .levels = &bbans_levels_avx2,
      .factors = &bbans_factors_avx2,
      .lanes = &bbans_lanes_avx2,
      .totals = &bbans_totals_avx2,
      .rows = &bbans_rows_avx2,
      .predict = &bbans_predict_avx2,
      .residual = &bbans_residual_avx2,
      .mixing = &bbans_mixing_avx2,
      .bytes = &bbans_bytes_avx2,
      .family = &bbans_family_avx2,
      .laws = &bbans_laws_avx2,
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
      .sparse = &bbans_sparse_neon,
      .levels = &bbans_levels_neon,
      .factors = &bbans_factors_neon,
      .lanes = &bbans_lanes_neon,
      .totals = &bbans_totals_portable,
      .rows = &bbans_rows_neon,
      .predict = &bbans_predict_neon,
      .residual = &bbans_residual_neon,
      .mixing = &bbans_mixing_portable,
      .bytes = &bbans_bytes_neon,
      .family = &bbans_family_neon,
      .laws = &bbans_laws_portable,
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
      .sparse = &bbans_sparse_portable,
      .levels = &bbans_levels_portable,
      .factors = &bbans_factors_portable,
      .lanes = &bbans_lanes_portable,
      .totals = &bbans_totals_portable,
      .rows = &bbans_rows_portable,
      .predict = &bbans_predict_portable,
      .residual = &bbans_residual_portable,
      .mixing = &bbans_mixing_portable,
      .bytes = &bbans_bytes_portable,
      .family = &bbans_family_portable,
      .laws = &bbans_laws_portable,
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

/* Several threads may choose at once: one writes, and those that want the same
 * find it in use.  So no thread writes what another one codes by. */
#if defined(BBANS_HAVE_X86) || defined(BBANS_HAVE_NEON)
static char choosing;

static void use(const bbans_kernels *chosen)
{
    while (__atomic_test_and_set(&choosing, __ATOMIC_ACQUIRE))
        continue;
    if (bbans_kernel.isa != chosen->isa)
        bbans_kernel = *chosen;
    __atomic_clear(&choosing, __ATOMIC_RELEASE);
}
#else
static void use(const bbans_kernels *chosen)
{
    bbans_kernel = *chosen;
}
#endif

int bbans_isa_use(int isa)
{
    const bbans_kernels *chosen = &sets[SETS - 1].kernels;
    const machine m = this_machine();
    size_t i;

    if (isa == BBANS_ISA_BEST)
        isa = named_isa();
    for (i = SETS; i-- > 0;) /* the best comes last */
        if ((isa == BBANS_ISA_BEST || isa == sets[i].kernels.isa) &&
            sets[i].is_here(&m))
            chosen = &sets[i].kernels;
    use(chosen);
    return chosen->isa;
}

int bbans_isa_in_use(void)
{
    return bbans_kernel.isa;
}

const char *bbans_isa_name(int isa)
{
    const machine m = this_machine();
    size_t i;

    for (i = 0; i < SETS; i++)
        if (isa == sets[i].kernels.isa && sets[i].is_here(&m))
            return sets[i].name;
    return NULL;
}
