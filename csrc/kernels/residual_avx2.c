/* Decisions under mixed contexts with AVX2: the contexts of a value are the
 * elements of a vector.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#include "../distributions/bbans_logits.h"

#ifdef BBANS_HAVE_X86
#define AVX2 BBANS_TARGET("avx2")
#define INLINED AVX2 __attribute__((always_inline))

/* 8 entries of node, and their logits + LOGIT_ZERO. */
INLINED static inline __m128i entries(uint16_t *const *row, uint32_t node,
                                      __m128i *logit)
{
    const uint32_t p0 = row[0][node], p1 = row[1][node], p2 = row[2][node],
                   p3 = row[3][node], p4 = row[4][node], p5 = row[5][node],
                   p6 = row[6][node], p7 = row[7][node];
    __m128i a = _mm_cvtsi32_si128((int)(p0 | p1 << 16));
    __m128i b = _mm_cvtsi32_si128((int)(p4 | p5 << 16));
    __m128i c = _mm_cvtsi32_si128(bbans_logit_above[p0 >> 4]);
    __m128i d = _mm_cvtsi32_si128(bbans_logit_above[p4 >> 4]);

    a = _mm_insert_epi32(a, (int)(p2 | p3 << 16), 1);
    b = _mm_insert_epi32(b, (int)(p6 | p7 << 16), 1);
    c = _mm_insert_epi16(c, bbans_logit_above[p1 >> 4], 1);
    d = _mm_insert_epi16(d, bbans_logit_above[p5 >> 4], 1);
    c = _mm_insert_epi16(c, bbans_logit_above[p2 >> 4], 2);
    d = _mm_insert_epi16(d, bbans_logit_above[p6 >> 4], 2);
    c = _mm_insert_epi16(c, bbans_logit_above[p3 >> 4], 3);
    d = _mm_insert_epi16(d, bbans_logit_above[p7 >> 4], 3);
    *logit = _mm_unpacklo_epi64(c, d);
    return _mm_unpacklo_epi64(a, b);
}

INLINED static inline void put_entries(uint16_t *const *row, uint32_t node,
                                       __m128i p)
{
    const uint64_t low = (uint64_t)_mm_cvtsi128_si64(p);
    const uint64_t high = (uint64_t)_mm_extract_epi64(p, 1);

    row[0][node] = (uint16_t)low;
    row[1][node] = (uint16_t)(low >> 16);
    row[2][node] = (uint16_t)(low >> 32);
    row[3][node] = (uint16_t)(low >> 48);
    row[4][node] = (uint16_t)high;
    row[5][node] = (uint16_t)(high >> 16);
    row[6][node] = (uint16_t)(high >> 32);
    row[7][node] = (uint16_t)(high >> 48);
}

INLINED static inline uint32_t decisions(bbans_mixed *m, unsigned depth,
                                         int vectors, int decode,
                                         uint32_t given, bbans_span *span)
{
    const __m256i zero = _mm256_set1_epi32(BBANS_LOGIT_ZERO);
    const __m256i rounding = _mm256_set1_epi32(0x8000);
    const __m256i most = _mm256_set1_epi32(BBANS_MIXED_LIMIT);
    const __m256i least = _mm256_set1_epi32(-BBANS_MIXED_LIMIT);
    uint32_t start = 0, left = (uint32_t)1 << BBANS_PREC_MAX, node = 1;
    unsigned below;
    int v;

    for (below = depth; below-- > 0;) {
        const uint16_t *share = m->share[depth - below > 2];
        int32_t *weight =
            m->weight + node * BBANS_MIXED_WIDTH * (uint32_t)vectors;
        __m128i p[2], above, flip;
        __m256i logit[2], w[2], error;
        int32_t mixed = 0;
        uint32_t ones, zeros, bit;

        for (v = 0; v < vectors; v++) {
            p[v] = entries(m->row + BBANS_MIXED_WIDTH * v, node, &above);
            logit[v] = _mm256_sub_epi32(_mm256_cvtepu16_epi32(above), zero);
            w[v] = _mm256_loadu_si256((
                const __m256i *)(const void *)(weight + BBANS_MIXED_WIDTH * v));
            mixed += bbans_floor_16(
                (int32_t)bbans_sum_of_8(_mm256_mullo_epi32(w[v], logit[v])));
        }
        ones = bbans_mass_of_one(mixed);
        zeros = bbans_zeros_of(left, (uint32_t)2 << below, ones);
        bit = decode ? given - start >= zeros : given >> below & 1;
        bbans_take_half(&start, &left, zeros, bit);
        error = _mm256_set1_epi32(
            ((int32_t)(bit << BBANS_ERROR_BITS) -
             (int32_t)((ones + BBANS_ERROR_HALF) >> BBANS_ERROR_SHIFT)) *
            m->rate);
        flip = _mm_set1_epi16((short)-(int)bit);
        for (v = 0; v < vectors; v++) {
            __m128i q = _mm_xor_si128(p[v], flip);

            w[v] = _mm256_add_epi32(
                w[v], _mm256_srai_epi32(
                          _mm256_add_epi32(_mm256_mullo_epi32(error, logit[v]),
                                           rounding),
                          16));
            w[v] = _mm256_max_epi32(_mm256_min_epi32(w[v], most), least);
            _mm256_storeu_si256(
                (__m256i *)(void *)(weight + BBANS_MIXED_WIDTH * v), w[v]);
            q = _mm_sub_epi16(
                q, _mm_mulhi_epu16(
                       q, _mm_loadu_si128((
                              const __m128i *)(const void *)(share +
                                                             BBANS_MIXED_WIDTH *
                                                                 v))));
            put_entries(m->row + BBANS_MIXED_WIDTH * v, node,
                        _mm_xor_si128(q, flip));
        }
        node = 2 * node + bit;
    }
    span->start = start;
    span->end = start + left;
    return node - ((uint32_t)1 << depth);
}

AVX2 static void encode(bbans_mixed *m, unsigned depth, uint32_t leaf,
                        bbans_span *span)
{
    if (m->vectors == 1)
        decisions(m, depth, 1, 0, leaf, span);
    else
        decisions(m, depth, 2, 0, leaf, span);
}

AVX2 static uint32_t decode(bbans_mixed *m, unsigned depth, uint32_t slot,
                            bbans_span *span)
{
    return m->vectors == 1 ? decisions(m, depth, 1, 1, slot, span)
                           : decisions(m, depth, 2, 1, slot, span);
}

const bbans_residual_kernels bbans_residual_avx2 = {encode, decode};
#endif
