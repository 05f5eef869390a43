/* AVX-512 kernels of messages with several lanes; equal to lanes_portable.c
 * bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX512 BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,popcnt")
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), (v))
#define LOAD_8_WORDS(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))

/* Heads x as doubles, quotients y = x / f and their conversions all round
 * toward zero, whatever the mode: each loses less than 2^-52 of y.  Two of them
 * together lose less than 1 where y < 2^51, as in x86.h; so what comes out is
 * floor(y) - 1 or floor(y), and x - q f in [0, 2 f) tells which. */
#define RZ (_MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC)

AVX512 static inline __m512i quotient(__m512i x, __m512i f)
{
    return _mm512_cvttpd_epu64(_mm512_div_round_pd(
        _mm512_cvt_roundepu64_pd(x, RZ), _mm512_cvtepu64_pd(f), RZ));
}

/* a + b and a - b of the low halves, 0 in the high ones. */
AVX512 static inline __m512i add_low(__m512i a, __m512i b)
{
    return _mm512_maskz_add_epi32(0x5555, a, b);
}

AVX512 static inline __m512i sub_low(__m512i a, __m512i b)
{
    return _mm512_maskz_sub_epi32(0x5555, a, b);
}

/* f x for f < 2^32, modulo 2^64 */
AVX512 static inline __m512i product(__m512i f, __m512i x)
{
    return _mm512_add_epi64(
        _mm512_mul_epu32(f, x),
        _mm512_slli_epi64(_mm512_mul_epu32(f, _mm512_srli_epi64(x, 32)), 32));
}

AVX512 static inline __m512i from_32(const uint32_t *p)
{
    return _mm512_cvtepu32_epi64(LOAD_8_WORDS(p));
}

/* The low words of the lanes in a mask, the last lane first. */
AVX512 static inline uint32_t *put_words(uint32_t *top, __m512i x,
                                         __mmask8 from)
{
    const __m256i place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const int n_words = __builtin_popcount(from);

    _mm256_storeu_si256(
        (__m256i *)(void *)top,
        _mm256_permutevar8x32_epi32(
            _mm256_maskz_compress_epi32(from, _mm512_cvtepi64_epi32(x)),
            _mm256_sub_epi32(_mm256_set1_epi32(n_words - 1), place)));
    return top + n_words;
}

/* The words below the top, the topmost for the first lane in a mask, 0 for the
 * others. */
AVX512 static inline __m512i words_for(const uint32_t *top, __mmask8 to)
{
    const __m256i backwards = _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0);

    return _mm512_cvtepu32_epi64(_mm256_maskz_expand_epi32(
        to, _mm256_permutevar8x32_epi32(LOAD_8_WORDS(top - 8), backwards)));
}

#define INLINED AVX512 __attribute__((always_inline))

/* Two neighbouring edges are one load. */
INLINED static inline __m128i span_pair(const uint32_t *edge,
                                        const uint32_t *symbol)
{
    const void *a = edge + symbol[0], *b = edge + symbol[1];

    return _mm_castpd_si128(
        _mm_loadh_pd(_mm_castsi128_pd(_mm_loadl_epi64((const __m128i *)a)), b));
}

INLINED static inline __m256i span_quad(const uint32_t *edge,
                                        const uint32_t *symbol)
{
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(span_pair(edge, symbol)),
        span_pair(edge, symbol + 2), 1);
}

/* Spans i .. i + 7 of an array, or those of symbols if there are edges. */
INLINED static inline __m512i span_8(const void *from, const uint32_t *edge,
                                     size_t i)
{
    const uint32_t *symbol = (const uint32_t *)from + i;

    if (edge == NULL)
        return LOAD((const bbans_span *)from + i);
    return _mm512_inserti64x4(_mm512_castsi256_si512(span_quad(edge, symbol)),
                              span_quad(edge, symbol + 4), 1);
}

/* Vectors in step: a core does not look far enough ahead for the next vector to
 * fill the wait for this one's quotient. */
#define STEPS 4
#define EACH_OF(m) for (v = 0; v < (m); v++)

/* Push m <= STEPS vectors from lane i on. */
INLINED static inline uint32_t *push_steps(uint64_t *head, const void *from,
                                           const uint32_t *edge, size_t i,
                                           size_t m, unsigned prec,
                                           uint32_t *top)
{
    const __m512i total = _mm512_set1_epi64(1LL << prec);
    const __m512i to_limit = _mm512_set1_epi64(63 - (int)prec);
    const __m512i r = _mm512_set1_epi64((int)prec);
    __m512i s[STEPS], x[STEPS], f[STEPS], q[STEPS], rest[STEPS];
    __mmask8 spill[STEPS];
    size_t v;

    head += i;
    EACH_OF(m) s[v] = span_8(from, edge, i + 8 * v);
    EACH_OF(m) x[v] = LOAD(head + 8 * v);
    EACH_OF(m) f[v] = sub_low(_mm512_srli_epi64(s[v], 32), s[v]);
    EACH_OF(m)
    spill[v] = _mm512_cmpge_epu64_mask(x[v], _mm512_sllv_epi64(f[v], to_limit));
    for (v = m; v-- > 0;)
        top = put_words(top, x[v], spill[v]);
    EACH_OF(m) x[v] = _mm512_mask_srli_epi64(x[v], spill[v], x[v], 32);
    EACH_OF(m) q[v] = quotient(x[v], f[v]);
    EACH_OF(m) rest[v] = sub_low(x[v], _mm512_mul_epu32(q[v], f[v]));
    EACH_OF(m)
    {
        const __mmask8 one_less = _mm512_cmpge_epu64_mask(rest[v], f[v]);
        const __m512i low = add_low(rest[v], s[v]);

        STORE(head + 8 * v,
              _mm512_add_epi64(
                  _mm512_sllv_epi64(q[v], r),
                  _mm512_mask_add_epi64(low, one_less, low,
                                        _mm512_sub_epi64(total, f[v]))));
    }
    return top;
}

INLINED static inline uint32_t *push_all(uint64_t *head, const void *from,
                                         const uint32_t *edge, size_t n,
                                         unsigned prec, uint32_t *top)
{
    for (; n % (8 * STEPS) != 0; n -= 8)
        top = push_steps(head, from, edge, n - 8, 1, prec, top);
    for (; n > 0; n -= 8 * STEPS)
        top = push_steps(head, from, edge, n - 8 * STEPS, STEPS, prec, top);
    return top;
}

AVX512 static uint32_t *push(uint64_t *head, const bbans_span *span, size_t n,
                             unsigned prec, uint32_t *top)
{
    const size_t odd = prec < BBANS_QUOTIENT_PREC_MIN ? n : n % 8;

    n -= odd;
    top = bbans_lanes_portable.push(head + n, span + n, odd, prec, top);
    return push_all(head, span, NULL, n, prec, top);
}

AVX512 static uint32_t *push_symbols(uint64_t *head, const uint32_t *edge,
                                     const uint32_t *symbol, size_t n,
                                     unsigned prec, uint32_t *top)
{
    const size_t odd = prec < BBANS_QUOTIENT_PREC_MIN ? n : n % 8;

    n -= odd;
    if (odd > 0)
        top = bbans_lanes_portable.push_symbols(head + n, edge, symbol + n, odd,
                                                prec, top);
    return push_all(head, symbol, edge, n, prec, top);
}

AVX512 static const uint32_t *advance(uint64_t *head, const bbans_span *span,
                                      size_t n, unsigned prec,
                                      const uint32_t *top)
{
    const __m512i mask = _mm512_set1_epi64((1LL << prec) - 1);
    const __m512i least = _mm512_set1_epi64(1LL << 31);
    const __m128i r = _mm_cvtsi32_si128((int)prec);
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const __m512i s = LOAD(span + i), x = LOAD(head + i);
        const __m512i f = sub_low(_mm512_srli_epi64(s, 32), s);
        const __m512i y =
            _mm512_add_epi64(product(f, _mm512_srl_epi64(x, r)),
                             sub_low(_mm512_and_si512(x, mask), s));
        const __mmask8 refill = _mm512_cmplt_epu64_mask(y, least);

        STORE(head + i,
              _mm512_mask_or_epi64(y, refill, _mm512_slli_epi64(y, 32),
                                   words_for(top, refill)));
        top -= __builtin_popcount(refill);
    }
    return bbans_lanes_portable.advance(head + i, span + i, n - i, prec, top);
}

AVX512 static uint32_t max_u32(const uint32_t *v, size_t n)
{
    __m512i most = _mm512_setzero_si512();
    size_t i;

    for (i = 0; i + 16 <= n; i += 16)
        most = _mm512_max_epu32(most, LOAD(v + i));
    most = _mm512_max_epu32(most, _mm512_maskz_loadu_epi32(
                                      (__mmask16)((1u << (n - i)) - 1), v + i));
    return _mm512_reduce_max_epu32(most);
}

/* Any totals: the words that move, as lanes_portable.c has it. */
AVX512 static inline __m512i least_head(void)
{
    return _mm512_set1_epi64(1LL << 31);
}

/* Heads after a push, x' = y before the words go; those that do, to the top. */
AVX512 static inline uint32_t *put_heads(uint64_t *head, __m512i x, __m512i y,
                                         __mmask8 spill, uint32_t *top)
{
    const __mmask8 refill = _mm512_cmplt_epu64_mask(y, least_head());

    STORE(head, _mm512_mask_or_epi64(y, refill, _mm512_slli_epi64(y, 32),
                                     _mm512_maskz_mov_epi32(0x5555, x)));
    return put_words(top, x, spill & (__mmask8)~refill);
}

/* The same after a pop. */
AVX512 static inline const uint32_t *take_heads(uint64_t *head, __m512i x,
                                                __m512i y, __mmask8 spill,
                                                const uint32_t *top)
{
    const __mmask8 refill = _mm512_cmplt_epu64_mask(y, least_head());
    const __mmask8 take = refill & (__mmask8)~spill;
    const __m512i words = _mm512_mask_mov_epi64(
        words_for(top, take), spill, _mm512_maskz_mov_epi32(0x5555, x));

    STORE(head,
          _mm512_mask_or_epi64(y, refill, _mm512_slli_epi64(y, 32), words));
    return top - __builtin_popcount(take);
}

AVX512 static uint32_t *push_values(uint64_t *head, const uint32_t *value,
                                    size_t n, uint32_t total, uint32_t *top)
{
    const uint64_t q = BBANS_HEAD_MIN / total;
    const __m512i limit = _mm512_set1_epi64((long long)(q << 32));
    const __m512i all = _mm512_set1_epi64(total);
    const size_t odd = n % 8;

    n -= odd;
    top =
        bbans_totals_portable.push_values(head + n, value + n, odd, total, top);
    while (n > 0) {
        __m512i x, y;
        __mmask8 spill;

        n -= 8;
        x = LOAD(head + n);
        spill = _mm512_cmpge_epu64_mask(x, limit);
        y = _mm512_mask_srli_epi64(x, spill, x, 32);
        y = _mm512_add_epi64(product(all, y), from_32(value + n));
        top = put_heads(head + n, x, y, spill, top);
    }
    return top;
}

/* The quotient by one total N comes from its inverse, which is too small by
 * less than 2^-51 of it; the product with it and the conversion lose less than
 * 2^-52 each, all together 2^-50 of y: less than 1 for y < 2^50, so as above it
 * is floor(y) - 1 or floor(y).  x < N q 2^32 <= 2^63, so that is all for N >=
 * 2^13.  A smaller N divides x = a 2^32 + b in two steps: q_a = a / N, which
 * may leave up to 2 N - 1, then (a - q_a N) 2^32 + b < 2^46. */
#define ONE_STEP_MIN ((uint32_t)1 << 13)

AVX512 static inline __m512i by_inverse(__m512i x, __m512d inverse)
{
    return _mm512_cvttpd_epu64(
        _mm512_mul_round_pd(_mm512_cvt_roundepu64_pd(x, RZ), inverse, RZ));
}

AVX512 static const uint32_t *pop_values(uint64_t *head, uint32_t *value,
                                         size_t n, uint32_t total,
                                         const uint32_t *top)
{
    const uint64_t q = BBANS_HEAD_MIN / total;
    const __m512i limit = _mm512_set1_epi64((long long)(total * q << 32));
    const __m512i all = _mm512_set1_epi64(total);
    const __m512d inverse =
        _mm512_div_round_pd(_mm512_set1_pd(1), _mm512_cvtepu64_pd(all), RZ);
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const __m512i head_x = LOAD(head + i);
        const __mmask8 spill = _mm512_cmpge_epu64_mask(head_x, limit);
        __m512i x = _mm512_mask_srli_epi64(head_x, spill, head_x, 32);
        __m512i y = _mm512_setzero_si512(), rest;
        __mmask8 one_less;

        if (total < ONE_STEP_MIN) {
            const __m512i a = _mm512_srli_epi64(x, 32);
            const __m512i q_a = by_inverse(a, inverse);

            y = _mm512_slli_epi64(q_a, 32);
            x = _mm512_sub_epi64(
                x, _mm512_slli_epi64(_mm512_mul_epu32(q_a, all), 32));
        }
        y = _mm512_add_epi64(y, by_inverse(x, inverse));
        rest = sub_low(x, _mm512_mul_epu32(y, all));
        one_less = _mm512_cmpge_epu64_mask(rest, all);
        y = _mm512_mask_add_epi64(y, one_less, y, _mm512_set1_epi64(1));
        rest = _mm512_mask_sub_epi64(rest, one_less, rest, all);
        _mm256_storeu_si256((__m256i *)(void *)(value + i),
                            _mm512_cvtepi64_epi32(rest));
        top = take_heads(head + i, head_x, y, spill, top);
    }
    return bbans_totals_portable.pop_values(head + i, value + i, n - i, total,
                                            top);
}

/* ---- Rounds of symbols under one row of edges ----
 *
 * A quotient comes from the inverse of f, which is too small by less than 2^-52
 * of it; the head as a double and the product lose less than 2^-52 each, all
 * together 3 2^-52 of y: less than 1 for y < 2^50, which holds for precisions
 * from 13 on.  So as above it is floor(y) - 1 or floor(y).
 *
 * Lanes go in groups of sixteen, the last first, as their words go to the tail:
 * element i of a vector of 32 bits is lane 15 - i.  In 64 bits those are two
 * vectors: a has elements 0, 1, 4, 5, 8, 9, 12 and 13, which unpacklo makes of
 * low and high words, b the others. */
#define GROUP BBANS_ROUND_LANES
#define GROUPS 2 /* in step, as STEPS */

/* Symbols are read backwards, unlike what is guessed: they are asked for so
 * many bytes before. */
#define SYMBOLS_AHEAD 4096

/* Shares of a group's symbols. */
typedef struct {
    __m512i freq, start, inverse_a, inverse_b;
} group;

/* Those of the first 16 symbols of all. */
typedef struct {
    __m512i freq, start, inverse[2];
} few_shares;

AVX512 static inline __m256i up_to_8(const uint32_t *p, __mmask8 here)
{
    return _mm512_castsi512_si256(_mm512_maskz_loadu_epi32(here, p));
}

AVX512 static int prepare_row(const uint32_t *edge, size_t symbols,
                              bbans_coded_symbol *share)
{
    const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i last = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    size_t i;

    for (i = 0; i < symbols || i < GROUP; i += 8) {
        const __mmask8 here =
            (__mmask8)bbans_first_bits(symbols > i ? symbols - i : 0);
        const __m256i start = up_to_8(edge + i, here);
        const __m512i freq = _mm512_cvtepu32_epi64(
            _mm256_sub_epi32(up_to_8(edge + i + 1, here), start));
        const __m512i both = _mm512_or_si512(
            freq, _mm512_slli_epi64(_mm512_cvtepu32_epi64(start), 32));
        const __m512i inverse = _mm512_castpd_si512(_mm512_div_round_pd(
            _mm512_set1_pd(1), _mm512_cvtepu64_pd(freq), RZ));

        STORE(share + i, _mm512_permutex2var_epi64(both, first, inverse));
        STORE(share + i + 4, _mm512_permutex2var_epi64(both, last, inverse));
    }
    return 1;
}

AVX512 static inline few_shares few_of(const bbans_coded_symbol *share)
{
    const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
    const __m512i odd = _mm512_setr_epi64(1, 3, 5, 7, 9, 11, 13, 15);
    const __m512i even_32 = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18,
                                              20, 22, 24, 26, 28, 30);
    const __m512i s0 = LOAD(share), s1 = LOAD(share + 4);
    const __m512i s2 = LOAD(share + 8), s3 = LOAD(share + 12);
    const __m512i first = _mm512_permutex2var_epi64(s0, even, s1);
    const __m512i last = _mm512_permutex2var_epi64(s2, even, s3);
    few_shares few;

    few.freq = _mm512_permutex2var_epi32(first, even_32, last);
    few.start = _mm512_permutex2var_epi32(
        first, _mm512_add_epi32(even_32, _mm512_set1_epi32(1)), last);
    few.inverse[0] = _mm512_permutex2var_epi64(s0, odd, s1);
    few.inverse[1] = _mm512_permutex2var_epi64(s2, odd, s3);
    return few;
}

INLINED static inline group group_of_few(const few_shares *few,
                                         const uint32_t *symbol)
{
    const __m512i backwards =
        _mm512_setr_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i k = _mm512_permutexvar_epi32(backwards, LOAD(symbol));
    group g;

    g.freq = _mm512_permutexvar_epi32(k, few->freq);
    g.start = _mm512_permutexvar_epi32(k, few->start);
    g.inverse_a = _mm512_permutex2var_epi64(
        few->inverse[0], _mm512_unpacklo_epi32(k, k), few->inverse[1]);
    g.inverse_b = _mm512_permutex2var_epi64(
        few->inverse[0], _mm512_unpackhi_epi32(k, k), few->inverse[1]);
    return g;
}

INLINED static inline __m512i low_words(__m512i a, __m512i b)
{
    return _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a),
                                                 _mm512_castsi512_ps(b), 0x88));
}

INLINED static inline __m512i high_words(__m512i a, __m512i b)
{
    return _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a),
                                                 _mm512_castsi512_ps(b), 0xdd));
}

INLINED static inline __m256i share_pair(const bbans_coded_symbol *share,
                                         uint32_t k0, uint32_t k1)
{
    const void *s0 = share + k0, *s1 = share + k1;

    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)s0)),
        _mm_loadu_si128((const __m128i *)s1), 1);
}

/* Those of every fourth symbol, down from the last. */
INLINED static inline __m512i share_quad(const bbans_coded_symbol *share,
                                         const uint32_t *last)
{
    return _mm512_inserti64x4(
        _mm512_castsi256_si512(share_pair(share, last[0], last[-4])),
        share_pair(share, last[-8], last[-12]), 1);
}

INLINED static inline group group_of(const bbans_coded_symbol *share,
                                     const uint32_t *symbol)
{
    const uint32_t *last = symbol + GROUP - 1;
    const __m512i s0 = share_quad(share, last);
    const __m512i s1 = share_quad(share, last - 1);
    const __m512i s2 = share_quad(share, last - 2);
    const __m512i s3 = share_quad(share, last - 3);
    const __m512i a = _mm512_unpacklo_epi64(s0, s1);
    const __m512i b = _mm512_unpacklo_epi64(s2, s3);
    group g;

    g.freq = low_words(a, b);
    g.start = high_words(a, b);
    g.inverse_a = _mm512_unpackhi_epi64(s0, s1);
    g.inverse_b = _mm512_unpackhi_epi64(s2, s3);
    return g;
}

/* Push m <= GROUPS groups, whose heads are a and b each. */
INLINED static inline uint32_t *push_groups(uint64_t *head,
                                            const few_shares *few,
                                            const bbans_coded_symbol *share,
                                            const uint32_t *symbol, size_t m,
                                            unsigned prec, uint32_t *top)
{
    const __m512i total = _mm512_set1_epi32(1 << prec);
    const __m512i zero = _mm512_setzero_si512();
    const __m128i to_limit = _mm_cvtsi32_si128(31 - (int)prec);
    const __m128i r = _mm_cvtsi32_si128((int)prec);
    __m512i a[GROUPS], b[GROUPS], low[GROUPS], high[GROUPS];
    __mmask16 spill[GROUPS];
    group g[GROUPS];
    size_t v;

    EACH_OF(m)
    {
        const uint32_t *k = symbol + GROUP * v;

        _mm_prefetch((const char *)((uintptr_t)k - SYMBOLS_AHEAD), _MM_HINT_T0);
        g[v] = few != NULL ? group_of_few(few, k) : group_of(share, k);
    }
    EACH_OF(m)
    {
        const uint64_t *x = head + GROUP * v;

        low[v] = low_words(LOAD(x), LOAD(x + 8));
        high[v] = high_words(LOAD(x), LOAD(x + 8));
        spill[v] = _mm512_cmpge_epu32_mask(
            high[v], _mm512_sll_epi32(g[v].freq, to_limit));
    }
    for (v = m; v-- > 0;) {
        STORE(top, _mm512_maskz_compress_epi32(spill[v], low[v]));
        top += __builtin_popcount(spill[v]);
    }
    EACH_OF(m)
    {
        low[v] = _mm512_mask_mov_epi32(low[v], spill[v], high[v]);
        high[v] = _mm512_mask_mov_epi32(high[v], spill[v], zero);
        a[v] = _mm512_unpacklo_epi32(low[v], high[v]);
        b[v] = _mm512_unpackhi_epi32(low[v], high[v]);
    }
    EACH_OF(m)
    {
        a[v] = by_inverse(a[v], _mm512_castsi512_pd(g[v].inverse_a));
        b[v] = by_inverse(b[v], _mm512_castsi512_pd(g[v].inverse_b));
    }
    EACH_OF(m)
    low[v] = _mm512_sub_epi32(
        low[v], _mm512_mullo_epi32(low_words(a[v], b[v]), g[v].freq));
    EACH_OF(m)
    {
        const __mmask16 one_less = _mm512_cmpge_epu32_mask(low[v], g[v].freq);

        low[v] = _mm512_add_epi32(low[v], g[v].start);
        low[v] = _mm512_mask_add_epi32(low[v], one_less, low[v],
                                       _mm512_sub_epi32(total, g[v].freq));
    }
    EACH_OF(m)
    {
        uint64_t *x = head + GROUP * v;

        STORE(x, _mm512_add_epi64(_mm512_sll_epi64(a[v], r),
                                  _mm512_unpacklo_epi32(low[v], zero)));
        STORE(x + 8, _mm512_add_epi64(_mm512_sll_epi64(b[v], r),
                                      _mm512_unpackhi_epi32(low[v], zero)));
    }
    return top;
}

/* One round. */
INLINED static inline uint32_t *push_round(uint64_t *head, size_t lanes,
                                           const few_shares *few,
                                           const bbans_coded_symbol *share,
                                           const uint32_t *symbol,
                                           unsigned prec, uint32_t *top)
{
    while (lanes % (GROUP * GROUPS) != 0) {
        lanes -= GROUP;
        top =
            push_groups(head + lanes, few, share, symbol + lanes, 1, prec, top);
    }
    while (lanes > 0) {
        lanes -= GROUP * GROUPS;
        top = push_groups(head + lanes, few, share, symbol + lanes, GROUPS,
                          prec, top);
    }
    return top;
}

/* Lanes as a and b, or back. */
INLINED static inline void reorder(uint64_t *head, size_t lanes, __m512i a,
                                   __m512i b)
{
    size_t i;

    for (i = 0; i < lanes; i += GROUP) {
        const __m512i x = LOAD(head + i), y = LOAD(head + i + 8);

        STORE(head + i, _mm512_permutex2var_epi64(x, a, y));
        STORE(head + i + 8, _mm512_permutex2var_epi64(x, b, y));
    }
}

AVX512 static inline int are_below(const uint32_t *symbol, size_t n,
                                   uint32_t limit)
{
    __m512i most = LOAD(symbol);
    size_t i;

    for (i = GROUP; i < n; i += GROUP)
        most = _mm512_max_epu32(most, LOAD(symbol + i));
    return _mm512_cmpge_epu32_mask(most, _mm512_set1_epi32((int)limit)) == 0;
}

AVX512 static uint32_t *push_rounds(uint64_t *head, size_t lanes,
                                    const bbans_coded_symbol *share,
                                    uint32_t symbols, const uint32_t *symbol,
                                    size_t *left, unsigned prec, uint32_t *top)
{
    const few_shares few = few_of(share);
    const uint32_t *last = symbol + *left;

    reorder(head, lanes, _mm512_setr_epi64(15, 14, 11, 10, 7, 6, 3, 2),
            _mm512_setr_epi64(13, 12, 9, 8, 5, 4, 1, 0));
    if (symbols <= GROUP)
        for (; last > symbol && are_below(last - lanes, lanes, symbols);
             last -= lanes)
            top = push_round(head, lanes, &few, NULL, last - lanes, prec, top);
    else
        for (; last > symbol && are_below(last - lanes, lanes, symbols);
             last -= lanes)
            top = push_round(head, lanes, NULL, share, last - lanes, prec, top);
    *left = (size_t)(last - symbol);
    reorder(head, lanes, _mm512_setr_epi64(15, 14, 7, 6, 13, 12, 5, 4),
            _mm512_setr_epi64(11, 10, 3, 2, 9, 8, 1, 0));
    return top;
}

/* Floor(2^31 / N), which no rounding toward zero can miss. */
AVX512 static inline __m512i multiples(__m512i total)
{
    return quotient(_mm512_set1_epi64(1LL << 31), total);
}

/* Quotients by totals from 2^12 on are below 2^51. */
AVX512 static inline int totals_are_small(const uint32_t *total)
{
    return _mm256_cmplt_epu32_mask(LOAD_8_WORDS(total),
                                   _mm256_set1_epi32(1 << 12)) != 0;
}

AVX512 static uint32_t *push_shares(uint64_t *head, const uint32_t *start,
                                    const uint32_t *freq, const uint32_t *total,
                                    size_t n, uint32_t *top)
{
    const size_t odd = n % 8;

    n -= odd;
    top = bbans_totals_portable.push_shares(head + n, start + n, freq + n,
                                            total + n, odd, top);
    while (n > 0) {
        __m512i x, f, all, old, q, rest;
        __mmask8 spill, one_less;

        n -= 8;
        if (totals_are_small(total + n)) {
            top = bbans_totals_portable.push_shares(
                head + n, start + n, freq + n, total + n, 8, top);
            continue;
        }
        old = LOAD(head + n);
        f = from_32(freq + n);
        all = from_32(total + n);
        spill = _mm512_cmpge_epu64_mask(
            old, _mm512_slli_epi64(_mm512_mul_epu32(f, multiples(all)), 32));
        x = _mm512_mask_srli_epi64(old, spill, old, 32);
        q = quotient(x, f);
        rest = sub_low(x, _mm512_mul_epu32(q, f));
        one_less = _mm512_cmpge_epu64_mask(rest, f);
        q = _mm512_mask_add_epi64(q, one_less, q, _mm512_set1_epi64(1));
        rest = _mm512_mask_sub_epi64(rest, one_less, rest, f);
        rest = _mm512_add_epi64(rest, from_32(start + n));
        top = put_heads(head + n, old, _mm512_add_epi64(product(all, q), rest),
                        spill, top);
    }
    return top;
}

AVX512 static void pop_start(const uint64_t *head, const uint32_t *total,
                             size_t n, uint64_t *quot, uint32_t *slot)
{
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const __m512i old = LOAD(head + i), all = from_32(total + i);
        __m512i x, q, rest;
        __mmask8 spill, one_less;

        if (totals_are_small(total + i)) {
            bbans_totals_portable.pop_start(head + i, total + i, 8, quot + i,
                                            slot + i);
            continue;
        }
        spill = _mm512_cmpge_epu64_mask(
            old, _mm512_slli_epi64(_mm512_mul_epu32(all, multiples(all)), 32));
        x = _mm512_mask_srli_epi64(old, spill, old, 32);
        q = quotient(x, all);
        rest = sub_low(x, _mm512_mul_epu32(q, all));
        one_less = _mm512_cmpge_epu64_mask(rest, all);
        q = _mm512_mask_add_epi64(q, one_less, q, _mm512_set1_epi64(1));
        STORE(quot + i,
              _mm512_mask_or_epi64(
                  q, spill, q, _mm512_set1_epi64((long long)BBANS_SPILLED)));
        _mm256_storeu_si256((__m256i *)(void *)(slot + i),
                            _mm512_cvtepi64_epi32(_mm512_mask_sub_epi64(
                                rest, one_less, rest, all)));
    }
    bbans_totals_portable.pop_start(head + i, total + i, n - i, quot + i,
                                    slot + i);
}

AVX512 static const uint32_t *pop_finish(uint64_t *head, const uint64_t *quot,
                                         const uint32_t *rest,
                                         const uint32_t *freq, size_t n,
                                         const uint32_t *top)
{
    const __m512i spilled = _mm512_set1_epi64((long long)BBANS_SPILLED);
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const __m512i q = LOAD(quot + i);
        const __m512i y = _mm512_add_epi64(
            product(from_32(freq + i), _mm512_andnot_si512(spilled, q)),
            from_32(rest + i));

        top = take_heads(head + i, LOAD(head + i), y, _mm512_movepi64_mask(q),
                         top);
    }
    return bbans_totals_portable.pop_finish(head + i, quot + i, rest + i,
                                            freq + i, n - i, top);
}

static const uint32_t *pop_rounds(uint64_t *head, size_t lanes,
                                  const bbans_table *table,
                                  const bbans_cells *cells, uint32_t *symbol,
                                  size_t n, const uint32_t *top)
{
    return bbans_lanes_avx2.pop_rounds(head, lanes, table, cells, symbol, n,
                                       top);
}

const bbans_lanes_kernels bbans_lanes_avx512 = {.push = push,
                                                .advance = advance,
                                                .max_u32 = max_u32,
                                                .push_symbols = push_symbols,
                                                .prepare_row = prepare_row,
                                                .push_rounds = push_rounds,
                                                .pop_rounds = pop_rounds};

const bbans_totals_kernels bbans_totals_avx512 = {.push_values = push_values,
                                                  .pop_values = pop_values,
                                                  .push_shares = push_shares,
                                                  .pop_start = pop_start,
                                                  .pop_finish = pop_finish};
#endif
