/* Kernels of the float recursions of _forward.pyx, from one text for every
 * width of vectors: _forward_recursion.h, and _viterbi_recursion.h for the
 * likeliest path.  They follow the choice of bbans_isa_use.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"

#include <string.h>

#if defined(__GNUC__) || defined(__clang__)
#define VECTOR(real, bytes)                                                    \
    real __attribute__((vector_size(bytes), aligned(sizeof(real)), may_alias))
#define INLINE static inline __attribute__((always_inline))
/* By lane, where those of a mask are all ones or all zeros. */
#define SELECT(I, mask, a, b) (((I)(a) & (mask)) | ((I)(b) & ~(mask)))
#define PREFETCH(address) __builtin_prefetch((const void *)(address))
#if defined(__x86_64__)
#define HAVE_X86
#endif
#else
#define VECTOR(real, bytes) real
#define INLINE static __inline
#define SELECT(I, mask, a, b) ((mask) ? (a) : (b))
#define PREFETCH(address) ((void)(address))
#endif

/* Rows have S columns, a multiple of `columns`, of which those from K on are 0.
 * One follows another after R numbers.
 *
 * multiply  out (+)= a B, where a_ik is a[i row + k column] and i < n, k < K.
 *           B is read by panels of `columns` columns: row k of a panel begins
 *           `step` after row k - 1, a panel `panel` after the one before.
 * pack      B [K][S] as panels that follow one another, to be read in order:
 *           `step` is `columns`, `panel` K times that.
 * pack_a    a, where a_ik is a[i + k R], tile by tile, as `multiply` reads it
 *           in order if `row` is K and `column` 0.
 * forward   One step of n sequences: alpha [n][R] comes as the prediction p and
 *           leaves as p E / scale, 0 where that is below `low`.  Returns the
 *           first row whose scale is below `normal` or `lowest`, or -1.
 * backward  Adds the step to the counts, and writes to G [n][R] what the alpha
 *           of the step before meets, at most `high`.  Sequences begin with
 *           this step where initial_count is not NULL; then G is not written.
 * viterbi   One step of one sequence, in logarithms: delta [S] becomes
 *           max_i (before_i + A_ij) + row_j, and back [K] the least such i. */
#define DEFINE_TABLE(real)                                                     \
    typedef struct {                                                           \
        ptrdiff_t columns;                                                     \
        void (*multiply)(const real *a, ptrdiff_t row, ptrdiff_t column,       \
                         ptrdiff_t n, ptrdiff_t K, const real *B,              \
                         ptrdiff_t step, ptrdiff_t panel, ptrdiff_t S,         \
                         real *out, ptrdiff_t R, int add);                     \
        void (*pack)(const real *B, ptrdiff_t K, ptrdiff_t S, real *panels);   \
        void (*pack_a)(const real *a, ptrdiff_t R, ptrdiff_t n, ptrdiff_t K,   \
                       real *tiles);                                           \
        ptrdiff_t (*forward)(const int32_t *x, ptrdiff_t n, ptrdiff_t S,       \
                             const real *E, real low, real normal,             \
                             double lowest, real *alpha, ptrdiff_t R,          \
                             double *scale);                                   \
        void (*backward)(const int32_t *x, ptrdiff_t n, ptrdiff_t S,           \
                         const real *E, const real *alpha, const real *beta,   \
                         ptrdiff_t R, const double *scale, real high,          \
                         real normal, real *G, double *emission_count,         \
                         double *initial_count);                               \
    } real##_kernels;

DEFINE_TABLE(float)
DEFINE_TABLE(double)

#define PASTE(a, b) a##_##b
#define PASTE_VALUES(a, b) PASTE(a, b)
#define NAME(name) PASTE_VALUES(PASTE_VALUES(name, REAL), BYTES)
#define OF_BYTES(name) PASTE_VALUES(name, BYTES)
#define TABLE PASTE_VALUES(REAL, kernels)

#define REAL float
#define BYTES 16
#define TARGET
#include "_forward_recursion.h"
#define REAL double
#define BYTES 16
#define TARGET
#include "_forward_recursion.h"
#define BYTES 16
#define TARGET
#include "_viterbi_recursion.h"

#ifdef HAVE_X86
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl")))
#define REAL float
#define BYTES 32
#define TARGET AVX2
#include "_forward_recursion.h"
#define REAL double
#define BYTES 32
#define TARGET AVX2
#include "_forward_recursion.h"
#define BYTES 32
#define TARGET AVX2
#include "_viterbi_recursion.h"
#define REAL float
#define BYTES 64
#define TARGET AVX512
#include "_forward_recursion.h"
#define REAL double
#define BYTES 64
#define TARGET AVX512
#include "_forward_recursion.h"
#define BYTES 64
#define TARGET AVX512
#include "_viterbi_recursion.h"
#endif

/* The kernels of an instruction set of the library. */
typedef struct {
    const float_kernels *single;
    const double_kernels *wide;
    void (*viterbi)(const double *before, ptrdiff_t K, ptrdiff_t S,
                    const double *A, const double *row, double *delta,
                    uint16_t *back);
} forward_kernels;

static forward_kernels kernels_of(int isa)
{
    static const forward_kernels portable = {&kernels_float_16,
                                             &kernels_double_16, viterbi_16};
#ifdef HAVE_X86
    static const forward_kernels avx2 = {&kernels_float_32, &kernels_double_32,
                                         viterbi_32};
    static const forward_kernels avx512 = {&kernels_float_64,
                                           &kernels_double_64, viterbi_64};

    if (isa == BBANS_ISA_AVX2)
        return avx2;
    if (isa == BBANS_ISA_AVX512)
        return avx512;
#else
    (void)isa;
#endif
    return portable;
}
