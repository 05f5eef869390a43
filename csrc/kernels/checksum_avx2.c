/* CRC-32 by products without carries, which machines with AVX2 have.
 *
 * A register of 128 bits holds 16 bytes of the message, whose lowest bit is the
 * highest power of x.  With its halves H x^64 + L, D bits later it counts as
 *     (H x^64 + L) x^D = H (x^(D + 64) mod P) + L (x^D mod P)  modulo P,
 * two products, added to what is there.  A product of reflected numbers has one
 * factor x more than theirs, so that the constants are x^(D + 63) mod P and
 * x^(D - 1) mod P, reflected in 64 bits.  What is left at last are bytes with
 * the checksum of the message.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86
#define CLMUL BBANS_TARGET("avx2,pclmul")
#define LOAD(p) _mm_loadu_si128((const __m128i *)(const void *)(p))

/* For D of 512 and 128: of L above, of H below. */
CLMUL static inline __m128i by_512(void)
{
    return _mm_set_epi64x((long long)0xcad38e8f00000000, 0x653d982200000000);
}

CLMUL static inline __m128i by_128(void)
{
    return _mm_set_epi64x((long long)0x9ba54c6f00000000, 0x65673b4600000000);
}

CLMUL static inline __m128i folded(__m128i r, __m128i by, __m128i next)
{
    const __m128i high = _mm_clmulepi64_si128(r, by, 0x00);
    const __m128i low = _mm_clmulepi64_si128(r, by, 0x11);

    return _mm_xor_si128(_mm_xor_si128(high, low), next);
}

CLMUL static uint32_t crc32(uint32_t crc, const uint8_t *bytes, size_t n)
{
    __m128i r[4];
    uint8_t last[16];
    size_t k;

    if (n < 64)
        return bbans_checksum_portable.crc32(crc, bytes, n);
    for (k = 0; k < 4; k++)
        r[k] = LOAD(bytes + 16 * k);
    r[0] = _mm_xor_si128(r[0], _mm_cvtsi32_si128((int)crc));
    for (bytes += 64, n -= 64; n >= 64; bytes += 64, n -= 64)
        for (k = 0; k < 4; k++)
            r[k] = folded(r[k], by_512(), LOAD(bytes + 16 * k));
    for (k = 1; k < 4; k++)
        r[0] = folded(r[0], by_128(), r[k]);
    _mm_storeu_si128((__m128i *)(void *)last, r[0]);
    return bbans_checksum_portable.crc32(
        bbans_checksum_portable.crc32(0, last, 16), bytes, n);
}

const bbans_checksum_kernels bbans_checksum_avx2 = {.crc32 = crc32};
#endif
