/* AVX-512 kernels of messages with several lanes, and of rows of weights; equal
 * to lanes_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX512 BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,popcnt")
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), (v))
#define LOAD_8_WORDS(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))

/* As in lanes_avx2.c, where the bounds are, with eight lanes to a vector. */
AVX512 uint32_t *bbans_k_push_avx512(uint64_t *head, const bbans_span *span,
                                     size_t n, unsigned prec, uint32_t *top)
{
    const __m512i low = _mm512_set1_epi64(0xffffffff);
    const __m512i bits52 = _mm512_set1_epi64(0x4330000000000000);
    const __m512i bits84 = _mm512_set1_epi64(0x4530000000000000);
    const __m512d two52 = _mm512_set1_pd(0x1p52);
    const __m512d two52_less1 = _mm512_set1_pd(0x1p52 - 1);
    const __m512d both = _mm512_set1_pd(0x1p84 + 0x1p52);
    const __m512i total = _mm512_set1_epi64(1LL << prec);
    const __m256i place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const __m128i to_limit = _mm_cvtsi32_si128((int)(63 - prec));
    const __m128i r = _mm_cvtsi32_si128((int)prec);
    const size_t odd = n % 8;

    if (prec < BBANS_QUOTIENT_PREC_MIN || !bbans_rounds_to_nearest())
        return bbans_k_push_portable(head, span, n, prec, top);
    n -= odd;
    if (odd > 0)
        top = bbans_k_push_portable(head + n, span + n, odd, prec, top);
    while (n > 0) {
        __m512i s, start, f, x, q, rest;
        __m512d d;
        __mmask8 spill;
        int n_words;

        n -= 8;
        s = LOAD(span + n);
        start = _mm512_and_si512(s, low);
        f = _mm512_sub_epi64(_mm512_srli_epi64(s, 32), start);
        x = LOAD(head + n);

        /* The words of the lanes that spill, the last lane first. */
        spill = _mm512_cmpge_epu64_mask(x, _mm512_sll_epi64(f, to_limit));
        n_words = __builtin_popcount(spill);
        _mm256_storeu_si256(
            (__m256i *)(void *)top,
            _mm256_permutevar8x32_epi32(
                _mm256_maskz_compress_epi32(spill, _mm512_cvtepi64_epi32(x)),
                _mm256_sub_epi32(_mm256_set1_epi32(n_words - 1), place)));
        top += n_words;
        x = _mm512_mask_srli_epi64(x, spill, x, 32);

        d = _mm512_sub_pd(_mm512_castsi512_pd(_mm512_or_si512(
                              _mm512_srli_epi64(x, 32), bits84)),
                          both);
        BBANS_IN_THIS_ORDER(d);
        d = _mm512_add_pd(d, _mm512_castsi512_pd(_mm512_or_si512(
                                 _mm512_and_si512(x, low), bits52)));
        d = _mm512_div_pd(
            d, _mm512_sub_pd(_mm512_castsi512_pd(_mm512_or_si512(f, bits52)),
                             two52));
        q = _mm512_castpd_si512(_mm512_add_pd(d, two52_less1));
        rest =
            _mm512_and_si512(_mm512_sub_epi64(x, _mm512_mul_epu32(q, f)), low);
        rest = _mm512_mask_add_epi64(rest, _mm512_cmpge_epu64_mask(rest, f),
                                     rest, _mm512_sub_epi64(total, f));
        STORE(head + n, _mm512_add_epi64(_mm512_sll_epi64(q, r),
                                         _mm512_add_epi64(rest, start)));
    }
    return top;
}

AVX512 const uint32_t *bbans_k_advance_avx512(uint64_t *head,
                                              const bbans_span *span, size_t n,
                                              unsigned prec,
                                              const uint32_t *top)
{
    const __m512i low = _mm512_set1_epi64(0xffffffff);
    const __m512i mask = _mm512_set1_epi64((1LL << prec) - 1);
    const __m512i least = _mm512_set1_epi64(1LL << 31);
    const __m256i backwards = _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    const __m128i r = _mm_cvtsi32_si128((int)prec);
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const __m512i s = LOAD(span + i), x = LOAD(head + i);
        const __m512i start = _mm512_and_si512(s, low);
        const __m512i f = _mm512_sub_epi64(_mm512_srli_epi64(s, 32), start);
        const __m512i q = _mm512_srl_epi64(x, r);
        /* f q = f (q mod 2^32) + (f floor(q / 2^32)) 2^32 */
        const __m512i fq = _mm512_add_epi64(
            _mm512_mul_epu32(f, q),
            _mm512_slli_epi64(_mm512_mul_epu32(f, _mm512_srli_epi64(q, 32)),
                              32));
        const __m512i y = _mm512_add_epi64(
            fq, _mm512_sub_epi64(_mm512_and_si512(x, mask), start));
        const __mmask8 refill = _mm512_cmplt_epu64_mask(y, least);
        /* The first lane that refills takes the topmost word. */
        const __m256i words = _mm256_maskz_expand_epi32(
            refill,
            _mm256_permutevar8x32_epi32(LOAD_8_WORDS(top - 8), backwards));

        top -= __builtin_popcount(refill);
        STORE(head + i,
              _mm512_mask_or_epi64(y, refill, _mm512_slli_epi64(y, 32),
                                   _mm512_cvtepu32_epi64(words)));
    }
    return bbans_k_advance_portable(head + i, span + i, n - i, prec, top);
}

/* Rows of weights are short, and wait for shuffles more than for width. */
uint64_t bbans_k_weigh_avx512(const void *weight, int type, size_t n,
                              uint32_t *w)
{
    return bbans_k_weigh_avx2(weight, type, n, w);
}

uint32_t bbans_k_sum_avx512(const uint32_t *w, size_t n)
{
    return bbans_k_sum_avx2(w, n);
}

size_t bbans_k_find_avx512(const uint32_t *w, size_t n, uint32_t slot,
                           uint32_t *start)
{
    return bbans_k_find_avx2(w, n, slot, start);
}
#endif
