/* Planes of the bytes of elements of 16 bits, with AVX2.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86
#define AVX2 BBANS_TARGET("avx2")
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)

/* Of 16 elements to the left by one; and back. */
AVX2 static inline __m256i rotated(__m256i v)
{
    return _mm256_or_si256(_mm256_add_epi16(v, v), _mm256_srli_epi16(v, 15));
}

AVX2 static inline __m256i turned_back(__m256i v)
{
    return _mm256_or_si256(_mm256_srli_epi16(v, 1), _mm256_slli_epi16(v, 15));
}

AVX2 static void split(const uint8_t *elements, size_t width, size_t n,
                       uint8_t *plane)
{
    const __m256i low = _mm256_set1_epi16(0xff);
    size_t i = 0;

    if (width != 2) {
        bbans_planes_portable.split(elements, width, n, plane);
        return;
    }
    for (; i + 32 <= n; i += 32) {
        const __m256i a = rotated(LOAD(elements + 2 * i));
        const __m256i b = rotated(LOAD(elements + 2 * i + 32));
        const __m256i top = _mm256_packus_epi16(_mm256_srli_epi16(a, 8),
                                                _mm256_srli_epi16(b, 8));
        const __m256i rest = _mm256_packus_epi16(_mm256_and_si256(a, low),
                                                 _mm256_and_si256(b, low));

        STORE(plane + i, _mm256_permute4x64_epi64(top, 0xd8));
        STORE(plane + n + i, _mm256_permute4x64_epi64(rest, 0xd8));
    }
    for (; i < n; i++) {
        const unsigned x = bbans_load_le16(elements + 2 * i);

        plane[i] = (uint8_t)(x >> 7);
        plane[n + i] = (uint8_t)(x << 1 | x >> 15);
    }
}

AVX2 static void join(const uint8_t *const *plane, size_t width, size_t n,
                      uint8_t *elements)
{
    size_t i = 0;

    if (width != 2) {
        bbans_planes_portable.join(plane, width, n, elements);
        return;
    }
    for (; i + 32 <= n; i += 32) {
        const __m256i top = _mm256_permute4x64_epi64(LOAD(plane[0] + i), 0xd8);
        const __m256i rest = _mm256_permute4x64_epi64(LOAD(plane[1] + i), 0xd8);

        STORE(elements + 2 * i, turned_back(_mm256_unpacklo_epi8(rest, top)));
        STORE(elements + 2 * i + 32,
              turned_back(_mm256_unpackhi_epi8(rest, top)));
    }
    for (; i < n; i++) {
        const unsigned x = (unsigned)plane[0][i] << 8 | plane[1][i];

        bbans_store_le16(elements + 2 * i, x >> 1 | x << 15);
    }
}

const bbans_planes_kernels bbans_planes_avx2 = {.split = split, .join = join};
#endif
