/* AVX2 kernels of networks; equal to network_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define NETWORK BBANS_TARGET("avx2")
#define V __m256i
#define WIDTH 16
#define ITEMS 3
#define MASKS                                                                  \
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, -1, -1, -1, -1, -1,    \
        -1, -1, -1, -1, -1, -1, -1, -1, -1, -1
#define ZERO _mm256_setzero_si256()
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define LOAD_BYTES(p)                                                          \
    _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(p)))
#define AND _mm256_and_si256
#define ADD_PRODUCTS(sum, v, w)                                                \
    do {                                                                       \
        const __m256i pairs_ = _mm256_madd_epi16((v), (w));                    \
        BBANS_IN_THIS_ORDER(sum); /* gcc would add all of them at the end */   \
        (sum) = _mm256_add_epi32((sum), pairs_);                               \
    } while (0)
#define HALF(sum) (sum)

#include "network_x86.h"

const bbans_network_kernels bbans_network_avx2 = {.affine = affine,
                                                  .combine = combine};
#endif
