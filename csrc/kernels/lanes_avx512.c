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

#define INLINED AVX512 __attribute__((always_inline)) static inline

/* Two neighbouring edges are one load. */
INLINED __m128i span_pair(const uint32_t *edge, const uint32_t *symbol)
{
    const void *a = edge + symbol[0], *b = edge + symbol[1];

    return _mm_castpd_si128(
        _mm_loadh_pd(_mm_castsi128_pd(_mm_loadl_epi64((const __m128i *)a)), b));
}

INLINED __m256i span_quad(const uint32_t *edge, const uint32_t *symbol)
{
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(span_pair(edge, symbol)),
        span_pair(edge, symbol + 2), 1);
}

/* Spans i .. i + 7 of an array, or those of symbols if there are edges. */
INLINED __m512i span_8(const void *from, const uint32_t *edge, size_t i)
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
INLINED uint32_t *push_steps(uint64_t *head, const void *from,
                             const uint32_t *edge, size_t i, size_t m,
                             unsigned prec, uint32_t *top)
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

INLINED uint32_t *push_all(uint64_t *head, const void *from,
                           const uint32_t *edge, size_t n, unsigned prec,
                           uint32_t *top)
{
    for (; n % (8 * STEPS) != 0; n -= 8)
        top = push_steps(head, from, edge, n - 8, 1, prec, top);
    for (; n > 0; n -= 8 * STEPS)
        top = push_steps(head, from, edge, n - 8 * STEPS, STEPS, prec, top);
    return top;
}

AVX512 uint32_t *bbans_k_push_avx512(uint64_t *head, const bbans_span *span,
                                     size_t n, unsigned prec, uint32_t *top)
{
    const size_t odd = prec < BBANS_QUOTIENT_PREC_MIN ? n : n % 8;

    n -= odd;
    top = bbans_k_push_portable(head + n, span + n, odd, prec, top);
    return push_all(head, span, NULL, n, prec, top);
}

AVX512 uint32_t *bbans_k_push_symbols_avx512(uint64_t *head,
                                             const uint32_t *edge,
                                             const uint32_t *symbol, size_t n,
                                             unsigned prec, uint32_t *top)
{
    const size_t odd = prec < BBANS_QUOTIENT_PREC_MIN ? n : n % 8;

    n -= odd;
    if (odd > 0)
        top = bbans_k_push_symbols_portable(head + n, edge, symbol + n, odd,
                                            prec, top);
    return push_all(head, symbol, edge, n, prec, top);
}

AVX512 const uint32_t *bbans_k_advance_avx512(uint64_t *head,
                                              const bbans_span *span, size_t n,
                                              unsigned prec,
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
    return bbans_k_advance_portable(head + i, span + i, n - i, prec, top);
}

AVX512 uint32_t bbans_k_most_avx512(const uint32_t *v, size_t n)
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

AVX512 uint32_t *bbans_k_push_values_avx512(uint64_t *head,
                                            const uint32_t *value, size_t n,
                                            uint32_t total, uint32_t *top)
{
    const uint64_t q = BBANS_HEAD_MIN / total;
    const __m512i limit = _mm512_set1_epi64((long long)(q << 32));
    const __m512i all = _mm512_set1_epi64(total);
    const size_t odd = n % 8;

    n -= odd;
    top = bbans_k_push_values_portable(head + n, value + n, odd, total, top);
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

AVX512 const uint32_t *bbans_k_pop_values_avx512(uint64_t *head,
                                                 uint32_t *value, size_t n,
                                                 uint32_t total,
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
    return bbans_k_pop_values_portable(head + i, value + i, n - i, total, top);
}

/* Bits 0 .. n - 1. */
static inline uint64_t first_bits(size_t n)
{
    return n < 64 ? ((uint64_t)1 << n) - 1 : UINT64_MAX;
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

AVX512 void bbans_k_shares_avx512(const uint32_t *edge, size_t symbols,
                                  bbans_share *share)
{
    const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i last = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    size_t i;

    for (i = 0; i < symbols || i < GROUP; i += 8) {
        const __mmask8 here =
            (__mmask8)first_bits(symbols > i ? symbols - i : 0);
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
}

AVX512 static inline few_shares few_of(const bbans_share *share)
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

INLINED group group_of_few(const few_shares *few, const uint32_t *symbol)
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

INLINED __m512i low_words(__m512i a, __m512i b)
{
    return _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a),
                                                 _mm512_castsi512_ps(b), 0x88));
}

INLINED __m512i high_words(__m512i a, __m512i b)
{
    return _mm512_castps_si512(_mm512_shuffle_ps(_mm512_castsi512_ps(a),
                                                 _mm512_castsi512_ps(b), 0xdd));
}

INLINED __m256i share_pair(const bbans_share *share, uint32_t k0, uint32_t k1)
{
    const void *s0 = share + k0, *s1 = share + k1;

    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)s0)),
        _mm_loadu_si128((const __m128i *)s1), 1);
}

/* Those of every fourth symbol, down from the last. */
INLINED __m512i share_quad(const bbans_share *share, const uint32_t *last)
{
    return _mm512_inserti64x4(
        _mm512_castsi256_si512(share_pair(share, last[0], last[-4])),
        share_pair(share, last[-8], last[-12]), 1);
}

INLINED group group_of(const bbans_share *share, const uint32_t *symbol)
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
INLINED uint32_t *push_groups(uint64_t *head, const few_shares *few,
                              const bbans_share *share, const uint32_t *symbol,
                              size_t m, unsigned prec, uint32_t *top)
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
INLINED uint32_t *push_round(uint64_t *head, size_t lanes,
                             const few_shares *few, const bbans_share *share,
                             const uint32_t *symbol, unsigned prec,
                             uint32_t *top)
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
INLINED void reorder(uint64_t *head, size_t lanes, __m512i a, __m512i b)
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

AVX512 uint32_t *bbans_k_push_rounds_avx512(
    uint64_t *head, size_t lanes, const bbans_share *share, uint32_t symbols,
    const uint32_t *symbol, size_t *left, unsigned prec, uint32_t *top)
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

AVX512 uint32_t *bbans_k_push_shares_avx512(uint64_t *head,
                                            const uint32_t *start,
                                            const uint32_t *freq,
                                            const uint32_t *total, size_t n,
                                            uint32_t *top)
{
    const size_t odd = n % 8;

    n -= odd;
    top = bbans_k_push_shares_portable(head + n, start + n, freq + n, total + n,
                                       odd, top);
    while (n > 0) {
        __m512i x, f, all, old, q, rest;
        __mmask8 spill, one_less;

        n -= 8;
        if (totals_are_small(total + n)) {
            top = bbans_k_push_shares_portable(head + n, start + n, freq + n,
                                               total + n, 8, top);
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

AVX512 void bbans_k_divide_avx512(const uint64_t *head, const uint32_t *total,
                                  size_t n, uint64_t *quot, uint32_t *slot)
{
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const __m512i old = LOAD(head + i), all = from_32(total + i);
        __m512i x, q, rest;
        __mmask8 one_less;

        if (totals_are_small(total + i)) {
            bbans_k_divide_portable(head + i, total + i, 8, quot + i, slot + i);
            continue;
        }
        x = _mm512_mask_srli_epi64(
            old,
            _mm512_cmpge_epu64_mask(
                old,
                _mm512_slli_epi64(_mm512_mul_epu32(all, multiples(all)), 32)),
            old, 32);
        q = quotient(x, all);
        rest = sub_low(x, _mm512_mul_epu32(q, all));
        one_less = _mm512_cmpge_epu64_mask(rest, all);
        STORE(quot + i,
              _mm512_mask_add_epi64(q, one_less, q, _mm512_set1_epi64(1)));
        _mm256_storeu_si256((__m256i *)(void *)(slot + i),
                            _mm512_cvtepi64_epi32(_mm512_mask_sub_epi64(
                                rest, one_less, rest, all)));
    }
    bbans_k_divide_portable(head + i, total + i, n - i, quot + i, slot + i);
}

AVX512 const uint32_t *bbans_k_join_avx512(uint64_t *head, const uint64_t *quot,
                                           const uint32_t *rest,
                                           const uint32_t *freq,
                                           const uint32_t *total, size_t n,
                                           const uint32_t *top)
{
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const __m512i x = LOAD(head + i), all = from_32(total + i);
        const __m512i y = _mm512_add_epi64(
            product(from_32(freq + i), LOAD(quot + i)), from_32(rest + i));
        const __mmask8 spill = _mm512_cmpge_epu64_mask(
            x, _mm512_slli_epi64(_mm512_mul_epu32(all, multiples(all)), 32));

        top = take_heads(head + i, x, y, spill, top);
    }
    return bbans_k_join_portable(head + i, quot + i, rest + i, freq + i,
                                 total + i, n - i, top);
}

/* As in lanes_avx2.c, sixteen at a time; where the mask is 0, 0. */
AVX512 static inline __m512i weights_at(const void *weight, int type, size_t k,
                                        __mmask16 some)
{
    const uint8_t *p = (const uint8_t *)weight;

    if (type == BBANS_F32)
        return _mm512_cvttps_epi32(_mm512_mul_ps(
            _mm512_maskz_loadu_ps(some, p + 4 * k), _mm512_set1_ps(0x1p27f)));
    if (type == BBANS_F64) {
        const __m512d unit = _mm512_set1_pd(0x1p27);
        const __m256i low = _mm512_cvttpd_epi32(_mm512_mul_pd(
            _mm512_maskz_loadu_pd((__mmask8)some, p + 8 * k), unit));
        const __m256i high = _mm512_cvttpd_epi32(_mm512_mul_pd(
            _mm512_maskz_loadu_pd((__mmask8)(some >> 8), p + 8 * k + 64),
            unit));

        return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
    }
    return _mm512_maskz_loadu_epi32(some, p + 4 * k);
}

/* Of neighbouring 32-bit elements. */
AVX512 static inline __m512i pair_sums(__m512i v)
{
    return _mm512_add_epi64(_mm512_maskz_mov_epi32(0x5555, v),
                            _mm512_srli_epi64(v, 32));
}

/* Whether a weight was, from all of them or'ed. */
AVX512 static inline int is_too_large(__m512i any)
{
    return _mm512_test_epi32_mask(any, _mm512_set1_epi32((int)0xe0000000)) != 0;
}

#define BLOCK 64

/* Weights i .. i + 63, those in `here`, to w and *total: sums of four below
 * 2^29 + 1 in each element. */
INLINED void weigh_to(const void *weight, int type, size_t i, uint64_t here,
                      uint32_t *w, __m512i *total, __m512i *any)
{
    const __m512i extra = _mm512_set1_epi32(type != BBANS_U32);
    __m512i sum = _mm512_setzero_si512();
    size_t j;

    for (j = 0; j < BLOCK; j += 16) {
        const __mmask16 some = (__mmask16)(here >> j);
        const __m512i v = weights_at(weight, type, i + j, some);
        const __m512i v1 = _mm512_maskz_add_epi32(some, v, extra);

        *any = _mm512_or_si512(*any, v);
        sum = _mm512_add_epi32(sum, v1);
        if (here == UINT64_MAX)
            STORE(w + i + j, v1);
        else
            _mm512_mask_storeu_epi32(w + i + j, some, v1);
    }
    *total = _mm512_add_epi64(*total, pair_sums(sum));
}

INLINED uint64_t weigh_type(const void *weight, int type, size_t n, uint32_t *w)
{
    __m512i total = _mm512_setzero_si512(), any = total;
    size_t i;

    for (i = 0; i + BLOCK <= n; i += BLOCK)
        weigh_to(weight, type, i, UINT64_MAX, w, &total, &any);
    if (i < n)
        weigh_to(weight, type, i, first_bits(n - i), w, &total, &any);
    if (is_too_large(any))
        return UINT64_MAX;
    return (uint64_t)_mm512_reduce_add_epi64(total);
}

/* Weights i .. i + 63, those in `here`, to *total, and those in `below` to
 * *before; `extra` is up to the caller. */
INLINED void weigh_block(const void *weight, int type, size_t i, uint64_t here,
                         uint64_t below, __m512i *total, __m512i *before,
                         __m512i *any)
{
    __m512i sum = _mm512_setzero_si512();
    size_t j;

    for (j = 0; j < BLOCK; j += 16) {
        const __m512i v =
            weights_at(weight, type, i + j, (__mmask16)(here >> j));

        *any = _mm512_or_si512(*any, v);
        sum = _mm512_add_epi32(sum, v);
        *before =
            _mm512_mask_add_epi32(*before, (__mmask16)(below >> j), *before, v);
    }
    *total = _mm512_add_epi64(*total, pair_sums(sum));
}

INLINED uint64_t weigh_one_type(const void *weight, int type, size_t n,
                                size_t k, uint32_t *start)
{
    const uint64_t extra = type != BBANS_U32;
    __m512i total = _mm512_setzero_si512(), any = total, before = total, both;
    __m256i four;
    __m128i two;
    size_t i;

    for (i = 0; i + BLOCK <= n; i += BLOCK)
        weigh_block(weight, type, i, UINT64_MAX, k > i ? first_bits(k - i) : 0,
                    &total, &before, &any);
    if (i < n)
        weigh_block(weight, type, i, first_bits(n - i),
                    k > i ? first_bits(k - i) : 0, &total, &before, &any);
    before = pair_sums(before);
    both = _mm512_add_epi64(_mm512_unpacklo_epi64(total, before),
                            _mm512_unpackhi_epi64(total, before));
    four = _mm256_add_epi64(_mm512_castsi512_si256(both),
                            _mm512_extracti64x4_epi64(both, 1));
    two = _mm_add_epi64(_mm256_castsi256_si128(four),
                        _mm256_extracti128_si256(four, 1));
    *start = (uint32_t)((uint64_t)_mm_extract_epi64(two, 1) + k * extra);
    if (is_too_large(any))
        return UINT64_MAX;
    return (uint64_t)_mm_cvtsi128_si64(two) + n * extra;
}

AVX512 uint64_t bbans_k_weigh_avx512(const void *weight, int type, size_t n,
                                     uint32_t *w)
{
    if (type == BBANS_F32)
        return weigh_type(weight, BBANS_F32, n, w);
    return weigh_type(weight, type, n, w);
}

AVX512 uint64_t bbans_k_weigh_one_avx512(const void *weight, int type, size_t n,
                                         size_t k, uint32_t *start,
                                         uint32_t *freq)
{
    if (k < n)
        *freq = (uint32_t)_mm_cvtsi128_si32(
                    _mm512_castsi512_si128(weights_at(weight, type, k, 1))) +
                (type != BBANS_U32);
    if (type == BBANS_F32)
        return weigh_one_type(weight, BBANS_F32, n, k, start);
    return weigh_one_type(weight, type, n, k, start);
}

/* ---- Several rows of weights ----
 *
 * Sums are of 32 bits here, and each is in `any` before two of them could wrap:
 * if one is 2^29 or more, or a weight is none, that is known of all the rows,
 * and weighing them one by one tells of which. */

/* Weights i .. i + 63, those in `here`, to *all, and those in `below` to
 * *before, without the extra 1. */
INLINED void add_block(const uint8_t *row, int type, size_t i, uint64_t here,
                       uint64_t below, __m512i *all, __m512i *before,
                       __m512i *any)
{
    __m512i w[4];
    size_t v;

    for (v = 0; v < 4; v++)
        w[v] = weights_at(row, type, i + 16 * v, (__mmask16)(here >> 16 * v));
    *all =
        _mm512_add_epi32(*all, _mm512_add_epi32(_mm512_add_epi32(w[0], w[1]),
                                                _mm512_add_epi32(w[2], w[3])));
    *any = _mm512_or_si512(_mm512_or_si512(*any, *all),
                           _mm512_or_si512(_mm512_or_si512(w[0], w[1]),
                                           _mm512_or_si512(w[2], w[3])));
    for (v = 0; v < 4; v++)
        *before = _mm512_mask_add_epi32(*before, (__mmask16)(below >> 16 * v),
                                        *before, w[v]);
}

/* Four rows share the sums across.  Nothing is asked for ahead: rows come in
 * the order of memory, faster than by requests of one core. */
INLINED void four_intervals(const uint8_t *row, int type, size_t symbols,
                            const uint32_t *k, uint32_t *start, uint32_t *freq,
                            uint32_t *total, __m512i *any)
{
    const __m512i in_order =
        _mm512_setr_epi32(0, 2, 8, 10, 1, 3, 9, 11, 0, 0, 0, 0, 0, 0, 0, 0);
    const size_t bytes = bbans_row_bytes(type, symbols);
    __m512i sums[4], pairs[2], s;
    __m128i counts, befores;
    size_t j, i;

    for (j = 0; j < 4; j++, row += bytes) {
        __m512i all = _mm512_setzero_si512(), before = all;

        for (i = 0; i + BLOCK <= symbols; i += BLOCK)
            add_block(row, type, i, UINT64_MAX,
                      first_bits(k[j] > i ? k[j] - i : 0), &all, &before, any);
        if (i < symbols)
            add_block(row, type, i, first_bits(symbols - i),
                      first_bits(k[j] > i ? k[j] - i : 0), &all, &before, any);
        sums[j] = _mm512_add_epi32(_mm512_unpacklo_epi32(all, before),
                                   _mm512_unpackhi_epi32(all, before));
        *any = _mm512_or_si512(*any, sums[j]);
        freq[j] = (uint32_t)_mm_cvtsi128_si32(
                      _mm512_castsi512_si128(weights_at(row, type, k[j], 1))) +
                  (type != BBANS_U32);
    }
    for (j = 0; j < 2; j++) {
        pairs[j] = _mm512_add_epi32(
            _mm512_unpacklo_epi64(sums[2 * j], sums[2 * j + 1]),
            _mm512_unpackhi_epi64(sums[2 * j], sums[2 * j + 1]));
        *any = _mm512_or_si512(*any, pairs[j]);
    }
    s = _mm512_add_epi32(_mm512_shuffle_i32x4(pairs[0], pairs[1], 0x88),
                         _mm512_shuffle_i32x4(pairs[0], pairs[1], 0xdd));
    *any = _mm512_or_si512(*any, s);
    s = _mm512_add_epi32(s, _mm512_shuffle_i32x4(s, s, 0xb1));
    *any = _mm512_or_si512(*any, s);
    s = _mm512_permutexvar_epi32(in_order, s);
    counts = _mm512_castsi512_si128(s);
    befores = _mm512_extracti32x4_epi32(s, 1);
    if (type != BBANS_U32) {
        const void *each = k;

        counts = _mm_add_epi32(counts, _mm_set1_epi32((int)symbols));
        befores =
            _mm_add_epi32(befores, _mm_loadu_si128((const __m128i *)each));
    }
    _mm_storeu_si128((__m128i *)(void *)total, counts);
    _mm_storeu_si128((__m128i *)(void *)start, befores);
}

INLINED void intervals_type(const uint8_t *weight, int type, size_t symbols,
                            size_t n, const uint32_t *k, uint32_t *start,
                            uint32_t *freq, uint32_t *total)
{
    __m512i any = _mm512_setzero_si512();
    size_t first;

    for (first = 0; first < n; first += 4) {
        /* The last four, some of them again. */
        const size_t at = n - first < 4 ? n - 4 : first;

        four_intervals(weight + at * bbans_row_bytes(type, symbols), type,
                       symbols, k + at, start + at, freq + at, total + at,
                       &any);
    }
    if (is_too_large(any))
        bbans_k_intervals_portable(weight, type, symbols, n, k, start, freq,
                                   total);
}

AVX512 void bbans_k_intervals_avx512(const void *weight, int type,
                                     size_t symbols, size_t n,
                                     const uint32_t *k, uint32_t *start,
                                     uint32_t *freq, uint32_t *total)
{
    if (n < 4 || symbols > BBANS_TOTAL_MAX)
        bbans_k_intervals_portable(weight, type, symbols, n, k, start, freq,
                                   total);
    else if (type == BBANS_F32)
        intervals_type(weight, BBANS_F32, symbols, n, k, start, freq, total);
    else
        intervals_type(weight, type, symbols, n, k, start, freq, total);
}

/* Weights i .. i + 63, those in `here`, to w, and the running sums of their 16
 * quads, four weights each, to sums; returns the last. */
INLINED uint32_t weigh_quads(const uint8_t *row, int type, size_t i,
                             uint64_t here, uint32_t *w, uint32_t *sums,
                             __m512i *any)
{
    /* Quad j of vector v, 4 j + v where the sums across are, is quad 4 v + j.
     */
    const __m512i in_order =
        _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i extra = _mm512_set1_epi32(type != BBANS_U32);
    const __m512i zero = _mm512_setzero_si512();
    __m512i a[4], b, c, s1, s2, s4, s8, s16;
    size_t v;

    for (v = 0; v < 4; v++) {
        const __mmask16 some = (__mmask16)(here >> 16 * v);

        a[v] = weights_at(row, type, i + 16 * v, some);
        *any = _mm512_or_si512(*any, a[v]);
        a[v] = _mm512_maskz_add_epi32(some, a[v], extra);
        if (here == UINT64_MAX)
            STORE(w + i + 16 * v, a[v]);
        else
            _mm512_mask_storeu_epi32(w + i + 16 * v, some, a[v]);
    }
    b = _mm512_add_epi32(_mm512_unpacklo_epi32(a[0], a[1]),
                         _mm512_unpackhi_epi32(a[0], a[1]));
    c = _mm512_add_epi32(_mm512_unpacklo_epi32(a[2], a[3]),
                         _mm512_unpackhi_epi32(a[2], a[3]));
    s1 = _mm512_permutexvar_epi32(
        in_order, _mm512_add_epi32(_mm512_unpacklo_epi64(b, c),
                                   _mm512_unpackhi_epi64(b, c)));
    s2 = _mm512_add_epi32(s1, _mm512_alignr_epi32(s1, zero, 15));
    s4 = _mm512_add_epi32(s2, _mm512_alignr_epi32(s2, zero, 14));
    s8 = _mm512_add_epi32(s4, _mm512_alignr_epi32(s4, zero, 12));
    s16 = _mm512_add_epi32(s8, _mm512_alignr_epi32(s8, zero, 8));
    *any = _mm512_or_si512(_mm512_or_si512(*any, _mm512_or_si512(s1, s2)),
                           _mm512_or_si512(_mm512_or_si512(s4, s8), s16));
    STORE(sums, s16);
    return (uint32_t)_mm_extract_epi32(_mm512_extracti32x4_epi32(s16, 3), 3);
}

INLINED void weigh_rows_type(const uint8_t *weight, int type, size_t symbols,
                             size_t n, uint32_t *w, uint32_t *total)
{
    const size_t bytes = bbans_row_bytes(type, symbols);
    const size_t stride = bbans_row_stride(symbols);
    __m512i any = _mm512_setzero_si512();
    size_t i, j;

    for (j = 0; j < n; j++) {
        const uint8_t *row = weight + j * bytes;
        uint32_t *to = w + j * stride;
        uint64_t sum = 0;

        for (i = 0; i + BLOCK <= symbols; i += BLOCK)
            sum += weigh_quads(row, type, i, UINT64_MAX, to,
                               to + symbols + i / 4, &any);
        if (i < symbols)
            sum += weigh_quads(row, type, i, first_bits(symbols - i), to,
                               to + symbols + i / 4, &any);
        total[j] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    }
    /* The running sums of rows that have a total are right, and stay. */
    if (is_too_large(any))
        bbans_k_weigh_rows_portable(weight, type, symbols, n, w, total);
}

AVX512 void bbans_k_weigh_rows_avx512(const void *weight, int type,
                                      size_t symbols, size_t n, uint32_t *w,
                                      uint32_t *total)
{
    if (type == BBANS_F32)
        weigh_rows_type(weight, BBANS_F32, symbols, n, w, total);
    else
        weigh_rows_type(weight, type, symbols, n, w, total);
}

/* The quad by the running sums, and the weight by those within it.  What is
 * beyond the row only adds to sums that are above the slot. */
AVX512 size_t bbans_k_find_in_row_avx512(const uint32_t *w, size_t symbols,
                                         uint32_t slot, uint32_t *start)
{
    const uint32_t *sums = w + symbols;
    uint32_t left = slot;
    size_t first = 0, quad, k;
    __m128i v, within;

    for (; left >= sums[15]; sums += 16, first += BLOCK)
        left -= sums[15];
    quad = (size_t)__builtin_popcount(
        _mm512_cmple_epu32_mask(LOAD(sums), _mm512_set1_epi32((int)left)));
    left -= quad > 0 ? sums[quad - 1] : 0;
    v = _mm_loadu_si128((const __m128i *)(const void *)(w + first + 4 * quad));
    within = _mm_add_epi32(v, _mm_slli_si128(v, 4));
    within = _mm_add_epi32(within, _mm_slli_si128(within, 8));
    k = (size_t)__builtin_popcount(
        7 & _mm_cmple_epu32_mask(within, _mm_set1_epi32((int)left)));
    *start = slot - left +
             (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(
                 _mm_permutevar_ps(_mm_castsi128_ps(_mm_sub_epi32(within, v)),
                                   _mm_cvtsi32_si128((int)k))));
    return first + 4 * quad + k;
}

size_t bbans_k_find_avx512(const uint32_t *w, size_t n, uint32_t slot,
                           uint32_t *start)
{
    return bbans_k_find_avx2(w, n, slot, start);
}
#endif
