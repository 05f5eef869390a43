/* AVX2 kernels of messages with several lanes; equal to lanes_portable.c
 * bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2,popcnt")
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)

/* By the lanes that keep their word: the elements of the others in the order in
 * which push appends their words, the last lane first.  The elements hold lanes
 * 0 1 4 5 2 3 6 7. */
/* clang-format off */
static const uint8_t spilled[256][8] = {
    {7,6,3,2,5,4,1,0}, {7,6,3,2,5,4,1}, {7,6,3,2,5,4,0}, {7,6,3,2,5,4},
    {7,6,3,5,4,1,0}, {7,6,3,5,4,1}, {7,6,3,5,4,0}, {7,6,3,5,4},
    {7,6,2,5,4,1,0}, {7,6,2,5,4,1}, {7,6,2,5,4,0}, {7,6,2,5,4}, {7,6,5,4,1,0},
    {7,6,5,4,1}, {7,6,5,4,0}, {7,6,5,4}, {7,6,3,2,5,1,0}, {7,6,3,2,5,1},
    {7,6,3,2,5,0}, {7,6,3,2,5}, {7,6,3,5,1,0}, {7,6,3,5,1}, {7,6,3,5,0},
    {7,6,3,5}, {7,6,2,5,1,0}, {7,6,2,5,1}, {7,6,2,5,0}, {7,6,2,5}, {7,6,5,1,0},
    {7,6,5,1}, {7,6,5,0}, {7,6,5}, {7,6,3,2,4,1,0}, {7,6,3,2,4,1},
    {7,6,3,2,4,0}, {7,6,3,2,4}, {7,6,3,4,1,0}, {7,6,3,4,1}, {7,6,3,4,0},
    {7,6,3,4}, {7,6,2,4,1,0}, {7,6,2,4,1}, {7,6,2,4,0}, {7,6,2,4}, {7,6,4,1,0},
    {7,6,4,1}, {7,6,4,0}, {7,6,4}, {7,6,3,2,1,0}, {7,6,3,2,1}, {7,6,3,2,0},
    {7,6,3,2}, {7,6,3,1,0}, {7,6,3,1}, {7,6,3,0}, {7,6,3}, {7,6,2,1,0},
    {7,6,2,1}, {7,6,2,0}, {7,6,2}, {7,6,1,0}, {7,6,1}, {7,6,0}, {7,6},
    {7,3,2,5,4,1,0}, {7,3,2,5,4,1}, {7,3,2,5,4,0}, {7,3,2,5,4}, {7,3,5,4,1,0},
    {7,3,5,4,1}, {7,3,5,4,0}, {7,3,5,4}, {7,2,5,4,1,0}, {7,2,5,4,1},
    {7,2,5,4,0}, {7,2,5,4}, {7,5,4,1,0}, {7,5,4,1}, {7,5,4,0}, {7,5,4},
    {7,3,2,5,1,0}, {7,3,2,5,1}, {7,3,2,5,0}, {7,3,2,5}, {7,3,5,1,0}, {7,3,5,1},
    {7,3,5,0}, {7,3,5}, {7,2,5,1,0}, {7,2,5,1}, {7,2,5,0}, {7,2,5}, {7,5,1,0},
    {7,5,1}, {7,5,0}, {7,5}, {7,3,2,4,1,0}, {7,3,2,4,1}, {7,3,2,4,0},
    {7,3,2,4}, {7,3,4,1,0}, {7,3,4,1}, {7,3,4,0}, {7,3,4}, {7,2,4,1,0},
    {7,2,4,1}, {7,2,4,0}, {7,2,4}, {7,4,1,0}, {7,4,1}, {7,4,0}, {7,4},
    {7,3,2,1,0}, {7,3,2,1}, {7,3,2,0}, {7,3,2}, {7,3,1,0}, {7,3,1}, {7,3,0},
    {7,3}, {7,2,1,0}, {7,2,1}, {7,2,0}, {7,2}, {7,1,0}, {7,1}, {7,0}, {7},
    {6,3,2,5,4,1,0}, {6,3,2,5,4,1}, {6,3,2,5,4,0}, {6,3,2,5,4}, {6,3,5,4,1,0},
    {6,3,5,4,1}, {6,3,5,4,0}, {6,3,5,4}, {6,2,5,4,1,0}, {6,2,5,4,1},
    {6,2,5,4,0}, {6,2,5,4}, {6,5,4,1,0}, {6,5,4,1}, {6,5,4,0}, {6,5,4},
    {6,3,2,5,1,0}, {6,3,2,5,1}, {6,3,2,5,0}, {6,3,2,5}, {6,3,5,1,0}, {6,3,5,1},
    {6,3,5,0}, {6,3,5}, {6,2,5,1,0}, {6,2,5,1}, {6,2,5,0}, {6,2,5}, {6,5,1,0},
    {6,5,1}, {6,5,0}, {6,5}, {6,3,2,4,1,0}, {6,3,2,4,1}, {6,3,2,4,0},
    {6,3,2,4}, {6,3,4,1,0}, {6,3,4,1}, {6,3,4,0}, {6,3,4}, {6,2,4,1,0},
    {6,2,4,1}, {6,2,4,0}, {6,2,4}, {6,4,1,0}, {6,4,1}, {6,4,0}, {6,4},
    {6,3,2,1,0}, {6,3,2,1}, {6,3,2,0}, {6,3,2}, {6,3,1,0}, {6,3,1}, {6,3,0},
    {6,3}, {6,2,1,0}, {6,2,1}, {6,2,0}, {6,2}, {6,1,0}, {6,1}, {6,0}, {6},
    {3,2,5,4,1,0}, {3,2,5,4,1}, {3,2,5,4,0}, {3,2,5,4}, {3,5,4,1,0}, {3,5,4,1},
    {3,5,4,0}, {3,5,4}, {2,5,4,1,0}, {2,5,4,1}, {2,5,4,0}, {2,5,4}, {5,4,1,0},
    {5,4,1}, {5,4,0}, {5,4}, {3,2,5,1,0}, {3,2,5,1}, {3,2,5,0}, {3,2,5},
    {3,5,1,0}, {3,5,1}, {3,5,0}, {3,5}, {2,5,1,0}, {2,5,1}, {2,5,0}, {2,5},
    {5,1,0}, {5,1}, {5,0}, {5}, {3,2,4,1,0}, {3,2,4,1}, {3,2,4,0}, {3,2,4},
    {3,4,1,0}, {3,4,1}, {3,4,0}, {3,4}, {2,4,1,0}, {2,4,1}, {2,4,0}, {2,4},
    {4,1,0}, {4,1}, {4,0}, {4}, {3,2,1,0}, {3,2,1}, {3,2,0}, {3,2}, {3,1,0},
    {3,1}, {3,0}, {3}, {2,1,0}, {2,1}, {2,0}, {2}, {1,0}, {1}, {0}, {0}
};
/* clang-format on */

/* Which of the four words below the top each lane in a mask takes: the first
 * lane the topmost. */
static const uint32_t topmost_first[16][4] = {
    {0, 0, 0, 0}, {3, 0, 0, 0}, {0, 3, 0, 0}, {3, 2, 0, 0},
    {0, 0, 3, 0}, {3, 0, 2, 0}, {0, 3, 2, 0}, {3, 2, 1, 0},
    {0, 0, 0, 3}, {3, 0, 0, 2}, {0, 3, 0, 2}, {3, 2, 0, 1},
    {0, 0, 3, 2}, {3, 0, 2, 1}, {0, 3, 2, 1}, {3, 2, 1, 0}};

/* words[index[j]] for j = 0 .. 3 */
AVX2 static inline __m128i picked(__m128i words, const uint32_t *index)
{
    return _mm_castps_si128(_mm_permutevar_ps(
        _mm_castsi128_ps(words),
        _mm_loadu_si128((const __m128i *)(const void *)index)));
}

AVX2 static inline unsigned signs(__m256i v)
{
    return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(v));
}

/* v where the sign of s is 0, w where it is 1 */
AVX2 static inline __m256i by_sign(__m256i s, __m256i v, __m256i w)
{
    return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(v),
                                                _mm256_castsi256_ps(w),
                                                _mm256_castsi256_ps(s)));
}

AVX2 static inline __m256i by_sign_of_64(__m256i s, __m256i v, __m256i w)
{
    return _mm256_castpd_si256(_mm256_blendv_pd(_mm256_castsi256_pd(v),
                                                _mm256_castsi256_pd(w),
                                                _mm256_castsi256_pd(s)));
}

/* The low words of v, and zeros. */
#define LOW(v) _mm256_blend_epi32(v, _mm256_setzero_si256(), 0xaa)

/* The even or odd 32-bit elements of four 64-bit ones and four others. */
#define PICK(v, w, which)                                                      \
    _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(v),              \
                                          _mm256_castsi256_ps(w), which))
#define EVEN_OF(v, w) PICK(v, w, 0x88)
#define ODD_OF(v, w) PICK(v, w, 0xdd)

/* y - 1 rounded, for four lanes, in the fraction of 2^52 + q: x as its halves,
 * each the fraction of a number. */
AVX2 static inline __m256i quotients(__m256i high, __m256i low, __m256i f)
{
    const __m256d two52 = _mm256_set1_pd(0x1p52);
    __m256d x = _mm256_sub_pd(_mm256_castsi256_pd(high),
                              _mm256_set1_pd(0x1p84 + 0x1p52));

    BBANS_IN_THIS_ORDER(x);
    x = _mm256_add_pd(x, _mm256_castsi256_pd(low));
    return _mm256_castpd_si256(_mm256_add_pd(
        _mm256_div_pd(x, _mm256_sub_pd(_mm256_castsi256_pd(f), two52)),
        _mm256_set1_pd(0x1p52 - 1)));
}

/* Eight lanes at a time as vectors of 32-bit halves, in the order 0 1 4 5 2 3 6
 * 7 in which they come out of two vectors of four, and go back. */
AVX2 static uint32_t *push(uint64_t *head, const bbans_span *span, size_t n,
                           unsigned prec, uint32_t *top)
{
    const __m256i exponent52 = _mm256_set1_epi32(0x43300000);
    const __m256i exponent84 = _mm256_set1_epi32(0x45300000);
    const __m256i zero = _mm256_setzero_si256();
    const __m256i total = _mm256_set1_epi32(1 << prec);
    const __m128i to_limit = _mm_cvtsi32_si128((int)(31 - prec));
    const __m128i r = _mm_cvtsi32_si128((int)prec);
    const size_t odd = n % 8;

    if (prec < BBANS_QUOTIENT_PREC_MIN || !bbans_rounds_to_nearest())
        return bbans_lanes_portable.push(head, span, n, prec, top);
    n -= odd;
    if (odd > 0)
        top = bbans_lanes_portable.push(head + n, span + n, odd, prec, top);
    while (n > 0) {
        __m256i s0, s1, x0, x1, start, f, low, high, d, q0, q1, rest;
        unsigned keep;

        n -= 8;
        s0 = LOAD(span + n);
        s1 = LOAD(span + n + 4);
        x0 = LOAD(head + n);
        x1 = LOAD(head + n + 4);
        start = EVEN_OF(s0, s1);
        f = _mm256_sub_epi32(ODD_OF(s0, s1), start);
        low = EVEN_OF(x0, x1);
        high = ODD_OF(x0, x1);

        /* high - f 2^(31 - r) is negative where x keeps its word: high < 2^31,
         * and the difference is right modulo 2^32 if the limit is 2^31. */
        d = _mm256_sub_epi32(high, _mm256_sll_epi32(f, to_limit));
        keep = (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(d));
        STORE(top,
              _mm256_permutevar8x32_epi32(
                  low, _mm256_cvtepu8_epi32(_mm_loadl_epi64(
                           (const __m128i *)(const void *)(spilled[keep])))));
        top += 8 - __builtin_popcount(keep);
        low = by_sign(d, high, low);
        high = by_sign(d, zero, high);

        q0 = quotients(_mm256_unpacklo_epi32(high, exponent84),
                       _mm256_unpacklo_epi32(low, exponent52),
                       _mm256_unpacklo_epi32(f, exponent52));
        q1 = quotients(_mm256_unpackhi_epi32(high, exponent84),
                       _mm256_unpackhi_epi32(low, exponent52),
                       _mm256_unpackhi_epi32(f, exponent52));
        /* x' = floor(x / f) 2^r + (x mod f) + c.  If q is one too small, the
         * rest is f too large: add 2^r - f.  q 2^r shifts the bits of 2^52 out.
         */
        rest = _mm256_sub_epi32(low, _mm256_mullo_epi32(EVEN_OF(q0, q1), f));
        rest =
            _mm256_add_epi32(_mm256_add_epi32(rest, start),
                             _mm256_andnot_si256(_mm256_cmpgt_epi32(f, rest),
                                                 _mm256_sub_epi32(total, f)));
        STORE(head + n, _mm256_add_epi64(_mm256_sll_epi64(q0, r),
                                         _mm256_unpacklo_epi32(rest, zero)));
        STORE(head + n + 4,
              _mm256_add_epi64(_mm256_sll_epi64(q1, r),
                               _mm256_unpackhi_epi32(rest, zero)));
    }
    return top;
}

static uint32_t *push_symbols(uint64_t *head, const uint32_t *edge,
                              const uint32_t *symbol, size_t n, unsigned prec,
                              uint32_t *top)
{
    return bbans_push_in_parts(push, head, edge, symbol, n, prec, top);
}

AVX2 static const uint32_t *advance(uint64_t *head, const bbans_span *span,
                                    size_t n, unsigned prec,
                                    const uint32_t *top)
{
    const __m256i mask = _mm256_set1_epi64x((1LL << prec) - 1);
    const __m256i least = _mm256_set1_epi64x(1LL << 31);
    const __m128i r = _mm_cvtsi32_si128((int)prec);
    size_t i;

    for (i = 0; i + 4 <= n; i += 4) {
        const __m256i s = LOAD(span + i), x = LOAD(head + i), start = LOW(s);
        const __m256i f = _mm256_sub_epi32(_mm256_srli_epi64(s, 32), start);
        const __m256i q = _mm256_srl_epi64(x, r);
        /* f q = f (q mod 2^32) + (f floor(q / 2^32)) 2^32 */
        const __m256i fq = _mm256_add_epi64(
            _mm256_mul_epu32(f, q),
            _mm256_slli_epi64(_mm256_mul_epu32(f, _mm256_srli_epi64(q, 32)),
                              32));
        const __m256i y = _mm256_add_epi64(
            fq, _mm256_sub_epi64(_mm256_and_si256(x, mask), start));
        const __m256i d = _mm256_sub_epi64(y, least); /* negative: refill */
        const unsigned refill = signs(d);
        const __m256i words = _mm256_cvtepu32_epi64(
            picked(_mm_loadu_si128((const __m128i *)(const void *)(top - 4)),
                   topmost_first[refill]));

        top -= __builtin_popcount(refill);
        STORE(head + i,
              by_sign_of_64(d, y,
                            _mm256_or_si256(_mm256_slli_epi64(y, 32), words)));
    }
    return bbans_lanes_portable.advance(head + i, span + i, n - i, prec, top);
}

AVX2 static uint32_t max_u32(const uint32_t *v, size_t n)
{
    __m256i most = _mm256_setzero_si256();
    uint32_t some[8];
    size_t i;

    for (i = 0; i + 8 <= n; i += 8)
        most = _mm256_max_epu32(most, LOAD(v + i));
    STORE(some, most);
    some[0] = bbans_lanes_portable.max_u32(some, 8);
    some[1] = bbans_lanes_portable.max_u32(v + i, n - i);
    return bbans_lanes_portable.max_u32(some, 2);
}

const bbans_lanes_kernels bbans_lanes_avx2 = {.push = push,
                                              .advance = advance,
                                              .max_u32 = max_u32,
                                              .push_symbols = push_symbols};
#endif
