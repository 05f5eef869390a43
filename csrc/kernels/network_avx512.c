/* AVX-512 kernels of networks; equal to network_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define NETWORK                                                                \
    BBANS_TARGET("avx2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")
#define V __m512i
#define WIDTH 32
#define ITEMS 6
#define MASKS                                                                  \
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
        0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,   \
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,    \
        -1, -1, -1
#define ZERO _mm512_setzero_si512()
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define LOAD_BYTES(p)                                                          \
    _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)(p)))
#define AND _mm512_and_si512
#define ADD_PRODUCTS(sum, v, w)                                                \
    do {                                                                       \
        (sum) = _mm512_dpwssd_epi32((sum), (v), (w));                          \
        BBANS_IN_THIS_ORDER(sum);                                              \
    } while (0)
#define HALF(sum)                                                              \
    _mm256_add_epi32(_mm512_castsi512_si256(sum),                              \
                     _mm512_extracti64x4_epi64((sum), 1))

#include "network_x86.h"

const bbans_network_kernels bbans_network_avx512 = {.affine = affine,
                                                    .combine = combine};
#endif
