/* CRC-32 by products without carries, four at a time; the equations are in
 * checksum_avx2.c.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86
#define VCLMUL BBANS_TARGET("avx512f,avx512bw,avx512vl,avx512dq,vpclmulqdq")
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define AT_ONCE 256 /* bytes */

/* For D of 2048 and 512: of L above, of H below. */
VCLMUL static inline __m512i by_2048(void)
{
    return _mm512_set4_epi64(0x03f9f86300000000, 0x7cc8e1e700000000,
                             0x03f9f86300000000, 0x7cc8e1e700000000);
}

VCLMUL static inline __m512i by_512(void)
{
    return _mm512_set4_epi64((long long)0xcad38e8f00000000, 0x653d982200000000,
                             (long long)0xcad38e8f00000000, 0x653d982200000000);
}

VCLMUL static inline __m512i folded(__m512i r, __m512i by, __m512i next)
{
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(r, by, 0x00),
                                     _mm512_clmulepi64_epi128(r, by, 0x11),
                                     next, 0x96);
}

VCLMUL static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t n)
{
    __m512i r[4];
    uint8_t last[64];
    size_t k;

    if (n < AT_ONCE)
        return bbans_checksum_avx2.crc32(crc, bytes, n);
    for (k = 0; k < 4; k++)
        r[k] = LOAD(bytes + 64 * k);
    r[0] = _mm512_xor_si512(
        r[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)crc)));
    for (bytes += AT_ONCE, n -= AT_ONCE; n >= AT_ONCE;
         bytes += AT_ONCE, n -= AT_ONCE)
        for (k = 0; k < 4; k++)
            r[k] = folded(r[k], by_2048(), LOAD(bytes + 64 * k));
    for (k = 1; k < 4; k++)
        r[0] = folded(r[0], by_512(), r[k]);
    _mm512_storeu_si512(last, r[0]);
    return bbans_checksum_avx2.crc32(bbans_checksum_avx2.crc32(0, last, 64),
                                     bytes, n);
}

const bbans_checksum_kernels bbans_checksum_avx512 = {.crc32 = crc32};
#endif
