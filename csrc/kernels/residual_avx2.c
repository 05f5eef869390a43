/* Decisions under mixed contexts with AVX2; equal to residual_portable.c bit
 * for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#include "../distributions/bbans_logits.h"

#ifdef BBANS_HAVE_X86
#define RESIDUAL BBANS_TARGET("avx2")
#define INLINED RESIDUAL __attribute__((always_inline))
#ifdef __clang__ /* unrolls loops over one vector or two by itself */
#define UNROLLED
#else
#define UNROLLED BBANS_UNROLLED
#endif

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

/* A node of which the decision is next. */
typedef struct {
    __m128i p[2];
    __m256i logit[2], weight[2];
    int32_t mixed;
} mixed_node;

INLINED static inline void load_node(mixed_node *x, const bbans_mixed *m,
                                     int vectors, uint32_t node)
{
    const __m256i zero = _mm256_set1_epi32(BBANS_LOGIT_ZERO);
    const int32_t *weight =
        m->weight + node * BBANS_MIXED_WIDTH * (uint32_t)vectors;
    int v;

    x->mixed = 0;
    UNROLLED
    for (v = 0; v < vectors; v++) {
        __m128i above;

        x->p[v] = entries(m->row + BBANS_MIXED_WIDTH * v, node, &above);
        x->logit[v] = _mm256_sub_epi32(_mm256_cvtepu16_epi32(above), zero);
        x->weight[v] = _mm256_loadu_si256(
            (const __m256i *)(const void *)(weight + BBANS_MIXED_WIDTH * v));
        x->mixed += bbans_floor_16((int32_t)bbans_sum_of_8(
            _mm256_mullo_epi32(x->weight[v], x->logit[v])));
    }
}

INLINED static inline void learn_node(const mixed_node *x, const bbans_mixed *m,
                                      int vectors, const uint16_t *share,
                                      uint32_t node, uint32_t bit,
                                      int32_t error)
{
    const __m256i rounding = _mm256_set1_epi32(0x8000);
    const __m256i most = _mm256_set1_epi32(BBANS_MIXED_LIMIT);
    const __m256i least = _mm256_set1_epi32(-BBANS_MIXED_LIMIT);
    const __m256i scaled = _mm256_set1_epi32(error * m->rate);
    const __m128i flip = _mm_set1_epi16((short)-(int)bit);
    int32_t *weight = m->weight + node * BBANS_MIXED_WIDTH * (uint32_t)vectors;
    int v;

    UNROLLED
    for (v = 0; v < vectors; v++) {
        __m128i q = _mm_xor_si128(x->p[v], flip);
        __m256i w = _mm256_add_epi32(
            x->weight[v],
            _mm256_srai_epi32(
                _mm256_add_epi32(_mm256_mullo_epi32(scaled, x->logit[v]),
                                 rounding),
                16));

        w = _mm256_max_epi32(_mm256_min_epi32(w, most), least);
        _mm256_storeu_si256((__m256i *)(void *)(weight + BBANS_MIXED_WIDTH * v),
                            w);
        q = _mm_sub_epi16(
            q,
            _mm_mulhi_epu16(
                q, _mm_loadu_si128((
                       const __m128i *)(const void *)(share +
                                                      BBANS_MIXED_WIDTH * v))));
        put_entries(m->row + BBANS_MIXED_WIDTH * v, node,
                    _mm_xor_si128(q, flip));
    }
}

/* x, or y where bit is 1. */
INLINED static inline void choose_node(mixed_node *x, const mixed_node *y,
                                       int vectors, uint32_t bit)
{
    const __m256i mask = _mm256_set1_epi32(-(int32_t)bit);
    const __m128i half = _mm256_castsi256_si128(mask);
    int v;

    UNROLLED
    for (v = 0; v < vectors; v++) {
        x->p[v] = _mm_blendv_epi8(x->p[v], y->p[v], half);
        x->logit[v] = _mm256_blendv_epi8(x->logit[v], y->logit[v], mask);
        x->weight[v] = _mm256_blendv_epi8(x->weight[v], y->weight[v], mask);
    }
    x->mixed ^= (x->mixed ^ y->mixed) & -(int32_t)bit;
}

#include "residual_vectors.h"

const bbans_residual_kernels bbans_residual_avx2 = {encode, decode};
#endif
