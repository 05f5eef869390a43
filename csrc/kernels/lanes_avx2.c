/* AVX2 kernels of messages with several lanes; equal to lanes_portable.c
 * bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2,fma,popcnt")
#define INLINED AVX2 __attribute__((always_inline))
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), v)

/* Eight lanes go as vectors of 32-bit halves, in the order 0 1 4 5 2 3 6 7 in
 * which they come out of two vectors of four 64-bit ones, and go back. */
#define GROUP 8

/* By the elements that keep their word: of the others in the order in
 * which push appends their words, the last lane first. */
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

/* By the elements that take a word of the eight below the top: which one, the
 * topmost for the first lane.  An element's lower lanes are in a mask. */
#define BIT(m, i) ((m) >> (i)&1)
#define BITS(m)                                                                \
    (BIT(m, 0) + BIT(m, 1) + BIT(m, 2) + BIT(m, 3) + BIT(m, 4) + BIT(m, 5) +   \
     BIT(m, 6))
#define AFTER(m, lower) (7 - BITS((m) & (lower)))
#define TAKEN(m)                                                               \
    {                                                                          \
        7, AFTER(m, 0x01), AFTER(m, 0x33), AFTER(m, 0x37), AFTER(m, 0x03),     \
            AFTER(m, 0x13), AFTER(m, 0x3f), AFTER(m, 0x7f)                     \
    }
#define TAKEN_4(m) TAKEN(m), TAKEN((m) + 1), TAKEN((m) + 2), TAKEN((m) + 3)
#define TAKEN_16(m)                                                            \
    TAKEN_4(m), TAKEN_4((m) + 4), TAKEN_4((m) + 8), TAKEN_4((m) + 12)
#define TAKEN_64(m)                                                            \
    TAKEN_16(m), TAKEN_16((m) + 16), TAKEN_16((m) + 32), TAKEN_16((m) + 48)
static const uint8_t taken[256][8] = {TAKEN_64(0), TAKEN_64(64), TAKEN_64(128),
                                      TAKEN_64(192)};

/* v where the sign of s is 0, w where it is 1 */
INLINED static inline __m256i by_sign(__m256i s, __m256i v, __m256i w)
{
    return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(v),
                                                _mm256_castsi256_ps(w),
                                                _mm256_castsi256_ps(s)));
}

INLINED static inline unsigned signs(__m256i v)
{
    return (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(v));
}

/* The even or odd 32-bit elements of four 64-bit ones and four others. */
#define PICK(v, w, which)                                                      \
    _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(v),              \
                                          _mm256_castsi256_ps(w), which))
#define EVEN_OF(v, w) PICK(v, w, 0x88)
#define ODD_OF(v, w) PICK(v, w, 0xdd)

/* Eight of 32 bits from the order of the lanes to that of the elements, or
 * back. */
#define REORDERED(v) _mm256_permute4x64_epi64(v, 0xd8)

typedef struct {
    __m256i low, high;
} halves;

INLINED static inline halves halves_of(__m256i x0, __m256i x1)
{
    halves x;

    x.low = EVEN_OF(x0, x1);
    x.high = ODD_OF(x0, x1);
    return x;
}

INLINED static inline void put_halves(uint64_t *to, halves x)
{
    STORE(to, _mm256_unpacklo_epi32(x.low, x.high));
    STORE(to + 4, _mm256_unpackhi_epi32(x.low, x.high));
}

/* x / 2^32 where the sign of `spill` is 1. */
INLINED static inline halves spilled_halves(halves x, __m256i spill)
{
    halves y;

    y.low = by_sign(spill, x.low, x.high);
    y.high = _mm256_andnot_si256(spill, x.high);
    return y;
}

INLINED static inline __m256i picked(__m256i words, const uint8_t *place)
{
    return _mm256_permutevar8x32_epi32(
        words, _mm256_cvtepu8_epi32(
                   _mm_loadl_epi64((const __m128i *)(const void *)place)));
}

/* The words of the elements that do not keep theirs to the top. */
INLINED static inline uint32_t *put_words(uint32_t *top, __m256i words,
                                          unsigned keep)
{
    STORE(top, picked(words, spilled[keep]));
    return top + 8 - __builtin_popcount(keep);
}

/* Words for heads y, or all of them not to be refilled: those below 2^31. */
INLINED static inline __m256i is_small(halves y)
{
    return _mm256_and_si256(_mm256_cmpgt_epi32(y.low, _mm256_set1_epi32(-1)),
                            _mm256_cmpeq_epi32(y.high, _mm256_setzero_si256()));
}

INLINED static inline void put_refilled(uint64_t *head, halves y,
                                        __m256i refill, __m256i words)
{
    halves x;

    x.low = by_sign(refill, y.low, words);
    x.high = _mm256_or_si256(y.high, _mm256_and_si256(refill, y.low));
    put_halves(head, x);
}

/* q f + rest below 2^64, for quotients in two vectors of 64 bits, whose high
 * halves are `high`: f (q mod 2^32) + (f floor(q / 2^32) 2^32 + rest). */
INLINED static inline halves products(__m256i q0, __m256i q1, __m256i high,
                                      __m256i f, __m256i rest)
{
    const __m256i up = _mm256_mullo_epi32(f, high);

    return halves_of(
        _mm256_add_epi64(_mm256_mul_epu32(q0, _mm256_unpacklo_epi32(f, f)),
                         _mm256_unpacklo_epi32(rest, up)),
        _mm256_add_epi64(_mm256_mul_epu32(q1, _mm256_unpackhi_epi32(f, f)),
                         _mm256_unpackhi_epi32(rest, up)));
}

/* ---- Quotients ---- */

/* The exponents of 2^52 and 2^84. */
#define EXPONENT_52 _mm256_set1_epi32(0x43300000)
#define EXPONENT_84 _mm256_set1_epi32(0x45300000)

/* Integers below 2^32 as doubles. */
INLINED static inline __m256d double_of(__m256i with_exponent_52)
{
    return _mm256_sub_pd(_mm256_castsi256_pd(with_exponent_52),
                         _mm256_set1_pd(0x1p52));
}

/* x from its halves, each the fraction of a number. */
INLINED static inline __m256d double_of_halves(__m256i high, __m256i low)
{
    __m256d x = _mm256_sub_pd(_mm256_castsi256_pd(high),
                              _mm256_set1_pd(0x1p84 + 0x1p52));

    BBANS_IN_THIS_ORDER(x);
    return _mm256_add_pd(x, _mm256_castsi256_pd(low));
}

/* Two vectors of four doubles, in the order of the lanes. */
typedef struct {
    __m256d v0, v1;
} doubles;

INLINED static inline doubles doubles_of(__m256i v)
{
    doubles d;

    d.v0 = double_of(_mm256_unpacklo_epi32(v, EXPONENT_52));
    d.v1 = double_of(_mm256_unpackhi_epi32(v, EXPONENT_52));
    return d;
}

INLINED static inline doubles doubles_of_halves(halves x)
{
    doubles d;

    d.v0 = double_of_halves(_mm256_unpacklo_epi32(x.high, EXPONENT_84),
                            _mm256_unpacklo_epi32(x.low, EXPONENT_52));
    d.v1 = double_of_halves(_mm256_unpackhi_epi32(x.high, EXPONENT_84),
                            _mm256_unpackhi_epi32(x.low, EXPONENT_52));
    return d;
}

/* y - 1 rounded to an integer, in the fractions of 2^52 + q: x86.h. */
typedef struct {
    __m256i q0, q1;
} quotients;

INLINED static inline quotients divided(halves x, __m256i f)
{
    const __m256d less = _mm256_set1_pd(0x1p52 - 1);
    const doubles d = doubles_of_halves(x), by = doubles_of(f);
    quotients q;

    q.q0 = _mm256_castpd_si256(_mm256_add_pd(_mm256_div_pd(d.v0, by.v0), less));
    q.q1 = _mm256_castpd_si256(_mm256_add_pd(_mm256_div_pd(d.v1, by.v1), less));
    return q;
}

/* The same by the inverses of f, which are 2^-53 of them off: with that of x at
 * most 2^-52 y, which is 1/4 for y < 2^50; rounding y - 1 adds 1/2. */
INLINED static inline quotients divided_by(halves x, __m256d inverse0,
                                           __m256d inverse1)
{
    const __m256d less = _mm256_set1_pd(0x1p52 - 1);
    const doubles d = doubles_of_halves(x);
    quotients q;

    q.q0 = _mm256_castpd_si256(_mm256_fmadd_pd(d.v0, inverse0, less));
    q.q1 = _mm256_castpd_si256(_mm256_fmadd_pd(d.v1, inverse1, less));
    return q;
}

/* x - q f in [0, 2 f) */
INLINED static inline __m256i rest_of(halves x, quotients q, __m256i f)
{
    return _mm256_sub_epi32(x.low, _mm256_mullo_epi32(EVEN_OF(q.q0, q.q1), f));
}

/* Add `total` to what is in a rest that is f or more, for the one that its
 * quotient is too small by, and take f from it. */
INLINED static inline __m256i carried(__m256i rest, __m256i f, __m256i total)
{
    return _mm256_add_epi32(rest,
                            _mm256_andnot_si256(_mm256_cmpgt_epi32(f, rest),
                                                _mm256_sub_epi32(total, f)));
}

/* ---- Totals of 2^prec slots ---- */

/* Heads after a push: x' = floor(x / f) 2^r + (x mod f) + c.  q 2^r shifts the
 * bits of 2^52 out. */
INLINED static inline void put_pushed(uint64_t *head, halves x, quotients q,
                                      __m256i f, __m256i start, unsigned prec)
{
    const __m256i zero = _mm256_setzero_si256();
    const __m256i r = _mm256_set1_epi64x((int)prec);
    const __m256i rest = _mm256_add_epi32(
        carried(rest_of(x, q, f), f, _mm256_set1_epi32(1 << prec)), start);

    STORE(head, _mm256_add_epi64(_mm256_sllv_epi64(q.q0, r),
                                 _mm256_unpacklo_epi32(rest, zero)));
    STORE(head + 4, _mm256_add_epi64(_mm256_sllv_epi64(q.q1, r),
                                     _mm256_unpackhi_epi32(rest, zero)));
}

/* Load heads that keep their word where x < f 2^(63 - r), and put the words of
 * the others. */
INLINED static inline uint32_t *load_spilling(halves *x, const uint64_t *head,
                                              __m256i f, unsigned prec,
                                              uint32_t *top)
{
    const __m256i to_limit = _mm256_set1_epi32(31 - (int)prec);
    const halves old = halves_of(LOAD(head), LOAD(head + 4));
    const __m256i keep =
        _mm256_cmpgt_epi32(f, _mm256_srlv_epi32(old.high, to_limit));

    x->low = by_sign(keep, old.high, old.low);
    x->high = _mm256_and_si256(keep, old.high);
    return put_words(top, old.low, signs(keep));
}

AVX2 static uint32_t *push(uint64_t *head, const bbans_span *span, size_t n,
                           unsigned prec, uint32_t *top)
{
    const size_t odd = n % GROUP;

    if (prec < BBANS_QUOTIENT_PREC_MIN || !bbans_rounds_to_nearest())
        return bbans_lanes_portable.push(head, span, n, prec, top);
    n -= odd;
    if (odd > 0)
        top = bbans_lanes_portable.push(head + n, span + n, odd, prec, top);
    for (; n > 0; n -= GROUP) {
        const halves s = halves_of(LOAD(span + n - 8), LOAD(span + n - 4));
        const __m256i f = _mm256_sub_epi32(s.high, s.low);
        halves x;

        top = load_spilling(&x, head + n - GROUP, f, prec, top);
        put_pushed(head + n - GROUP, x, divided(x, f), f, s.low, prec);
    }
    return top;
}

static uint32_t *push_symbols(uint64_t *head, const uint32_t *edge,
                              const uint32_t *symbol, size_t n, unsigned prec,
                              uint32_t *top)
{
    return bbans_push_in_parts(push, head, edge, symbol, n, prec, top);
}

/* Pop, from heads x, intervals of f slots, in which their slots are `rest`. */
INLINED static inline const uint32_t *pop_group(uint64_t *head, __m256i x0,
                                                __m256i x1, halves x, __m256i f,
                                                __m256i rest, unsigned prec,
                                                const uint32_t *top)
{
    const __m256i r = _mm256_set1_epi64x((int)prec);
    const halves y = products(
        _mm256_srlv_epi64(x0, r), _mm256_srlv_epi64(x1, r),
        _mm256_srlv_epi32(x.high, _mm256_set1_epi32((int)prec)), f, rest);
    const __m256i refill = is_small(y);
    const unsigned refills = signs(refill);

    put_refilled(head, y, refill, picked(LOAD(top - 8), taken[refills]));
    return top - __builtin_popcount(refills);
}

AVX2 static const uint32_t *advance(uint64_t *head, const bbans_span *span,
                                    size_t n, unsigned prec,
                                    const uint32_t *top)
{
    const __m256i mask = _mm256_set1_epi32((1 << prec) - 1);
    size_t i;

    for (i = 0; i + GROUP <= n; i += GROUP) {
        const __m256i x0 = LOAD(head + i), x1 = LOAD(head + i + 4);
        const halves s = halves_of(LOAD(span + i), LOAD(span + i + 4));
        const halves x = halves_of(x0, x1);

        top = pop_group(head + i, x0, x1, x, _mm256_sub_epi32(s.high, s.low),
                        _mm256_sub_epi32(_mm256_and_si256(x.low, mask), s.low),
                        prec, top);
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

/* ---- Rounds of symbols under one row of edges ---- */

/* Symbols are read backwards, unlike what is guessed: they are asked for so
 * many bytes before. */
#define SYMBOLS_AHEAD 4096

AVX2 static int prepare_row(const uint32_t *edge, size_t symbols,
                            bbans_coded_symbol *coded)
{
    size_t k;

    for (k = 0; k < symbols; k++) {
        const uint32_t freq = edge[k + 1] - edge[k];
        const __m128d inverse = _mm_div_sd(
            _mm_set_sd(1), _mm_cvtsi32_sd(_mm_setzero_pd(), (int)freq));

        coded[k].freq = freq;
        coded[k].start = edge[k];
        coded[k].inverse =
            (uint64_t)_mm_cvtsi128_si64(_mm_castpd_si128(inverse));
    }
    return bbans_rounds_to_nearest();
}

/* Sixteen bytes each, so many from an address on. */
INLINED static inline __m256i pair_at(const void *from, uint32_t at0,
                                      uint32_t at1)
{
    const uint8_t *p = (const uint8_t *)from;

    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(
            _mm_loadu_si128((const __m128i *)(const void *)(p + at0))),
        _mm_loadu_si128((const __m128i *)(const void *)(p + at1)), 1);
}

/* Where coded symbols are, at[i] = 16 symbol[i]; returns whether all are below
 * the limit. */
AVX2 static int place_symbols(const uint32_t *symbol, size_t n, uint32_t limit,
                              uint32_t *at)
{
    const __m256i last = _mm256_set1_epi32((int)(limit - 1));
    __m256i most = last;
    size_t i;

    for (i = 0; i < n; i += GROUP) {
        const __m256i k = LOAD(symbol + i);

        _mm_prefetch((const char *)((uintptr_t)(symbol + i) - SYMBOLS_AHEAD),
                     _MM_HINT_T0);
        most = _mm256_max_epu32(most, k);
        STORE(at + i, _mm256_slli_epi32(k, 4));
    }
    return _mm256_movemask_epi8(_mm256_cmpeq_epi32(most, last)) == -1;
}

AVX2 static uint32_t *push_rounds(uint64_t *head, size_t lanes,
                                  const bbans_coded_symbol *coded,
                                  uint32_t symbols, const uint32_t *symbol,
                                  size_t *left, unsigned prec, uint32_t *top)
{
    uint32_t places[BBANS_ROUND_LANES_MAX];
    size_t n = *left, i;

    for (; n > 0 && place_symbols(symbol + n - lanes, lanes, symbols, places);
         n -= lanes)
        for (i = lanes; i > 0; i -= GROUP) {
            const uint32_t *at = places + i - GROUP;
            const __m256i s0 = pair_at(coded, at[0], at[2]);
            const __m256i s1 = pair_at(coded, at[1], at[3]);
            const __m256i s2 = pair_at(coded, at[4], at[6]);
            const __m256i s3 = pair_at(coded, at[5], at[7]);
            const halves s = halves_of(_mm256_unpacklo_epi64(s0, s1),
                                       _mm256_unpacklo_epi64(s2, s3));
            halves x;
            quotients q;

            top = load_spilling(&x, head + i - GROUP, s.low, prec, top);
            q = divided_by(x,
                           _mm256_castsi256_pd(_mm256_unpackhi_epi64(s0, s1)),
                           _mm256_castsi256_pd(_mm256_unpackhi_epi64(s2, s3)));
            put_pushed(head + i - GROUP, x, q, s.low, s.high, prec);
        }
    *left = n;
    return top;
}

/* What the cells of some slots do not tell: rests that are not in freq. */
AVX2 static __attribute__((noinline)) void
find_past_cells(const bbans_table *table, unsigned beyond, const uint32_t *slot,
                uint32_t *symbol, uint32_t *freq, uint32_t *rest)
{
    for (; beyond != 0; beyond &= beyond - 1) {
        const int i = __builtin_ctz(beyond);
        size_t n = table->symbols - symbol[i];
        const size_t k = symbol[i] + bbans_bisect(table->cdf + symbol[i] + 1,
                                                  &n, slot[i], 0);

        symbol[i] = (uint32_t)k;
        freq[i] = table->cdf[k + 1] - table->cdf[k];
        rest[i] = slot[i] - table->cdf[k];
    }
}

/* The symbols of slots, their frequencies, and rest = slot - start.  A slot is
 * mostly its cell's first symbol's or the next one's: without a branch. */
INLINED static inline __m256i find_symbols(const bbans_table *table,
                                           const bbans_cells *cells,
                                           __m256i slot, __m256i *freq,
                                           __m256i *rest)
{
    const int to_place = (int)(table->prec - cells->bits - 4);
    uint32_t at[GROUP];
    __m256i c0, c1, c2, c3, first, f, symbol;
    halves lower, upper;
    unsigned within;

    /* 16 floor(slot / 2^(r - bits)), through memory: loads cost less than
     * taking elements out. */
    STORE(at, _mm256_andnot_si256(
                  _mm256_set1_epi32(15),
                  _mm256_srlv_epi32(slot, _mm256_set1_epi32(to_place))));
    BBANS_FROM_MEMORY(at);
    c0 = pair_at(cells->cell, at[0], at[4]);
    c1 = pair_at(cells->cell, at[1], at[5]);
    c2 = pair_at(cells->cell, at[2], at[6]);
    c3 = pair_at(cells->cell, at[3], at[7]);
    lower.low = _mm256_unpacklo_epi32(c0, c1);
    lower.high = _mm256_unpacklo_epi32(c2, c3);
    upper.low = _mm256_unpackhi_epi32(c0, c1);
    upper.high = _mm256_unpackhi_epi32(c2, c3);

    f = _mm256_unpackhi_epi64(lower.low, lower.high);
    *rest =
        _mm256_sub_epi32(slot, _mm256_unpacklo_epi64(lower.low, lower.high));
    first = _mm256_cmpgt_epi32(f, *rest);
    *rest = _mm256_min_epu32(*rest, _mm256_sub_epi32(*rest, f));
    *freq = _mm256_xor_si256(
        f, _mm256_andnot_si256(first,
                               _mm256_unpacklo_epi64(upper.low, upper.high)));
    symbol =
        _mm256_add_epi32(_mm256_unpackhi_epi64(upper.low, upper.high), first);
    within = signs(_mm256_cmpgt_epi32(*freq, *rest));
    if (within != 0xff) {
        uint32_t slots[GROUP], symbols[GROUP], freqs[GROUP], rests[GROUP];

        STORE(slots, slot);
        STORE(symbols, symbol);
        STORE(freqs, *freq);
        STORE(rests, *rest);
        find_past_cells(table, within ^ 0xff, slots, symbols, freqs, rests);
        symbol = LOAD(symbols);
        *freq = LOAD(freqs);
        *rest = LOAD(rests);
    }
    return symbol;
}

AVX2 static const uint32_t *pop_rounds(uint64_t *head, size_t lanes,
                                       const bbans_table *table,
                                       const bbans_cells *cells,
                                       uint32_t *symbol, size_t n,
                                       const uint32_t *top)
{
    const __m256i mask = _mm256_set1_epi32((1 << table->prec) - 1);
    const uint32_t *end = symbol + n;
    size_t i;

    for (; symbol < end; symbol += lanes)
        for (i = 0; i < lanes; i += GROUP) {
            const __m256i x0 = LOAD(head + i), x1 = LOAD(head + i + 4);
            const halves x = halves_of(x0, x1);
            const __m256i slot = _mm256_and_si256(x.low, mask);
            __m256i k, f, rest;

            k = find_symbols(table, cells, slot, &f, &rest);
            STORE(symbol + i, REORDERED(k));
            top = pop_group(head + i, x0, x1, x, f, rest, table->prec, top);
        }
    return top;
}

/* ---- Any totals: the words that move, as lanes_portable.c has it. ---- */

/* Heads x after a push, x' = y before the words go. */
INLINED static inline uint32_t *put_heads(uint64_t *head, halves x, halves y,
                                          __m256i spill, uint32_t *top)
{
    const __m256i refill = is_small(y);

    put_refilled(head, y, refill, x.low);
    return put_words(top, x.low,
                     0xff ^ signs(_mm256_andnot_si256(refill, spill)));
}

/* The same after a pop. */
INLINED static inline const uint32_t *take_heads(uint64_t *head, halves x,
                                                 halves y, __m256i spill,
                                                 const uint32_t *top)
{
    const __m256i refill = is_small(y);
    const unsigned takes = signs(_mm256_andnot_si256(spill, refill));

    put_refilled(head, y, refill,
                 by_sign(spill, picked(LOAD(top - 8), taken[takes]), x.low));
    return top - __builtin_popcount(takes);
}

/* Where high halves of heads are not below a limit of 1 to 2^31. */
INLINED static inline __m256i are_spilled(__m256i high, __m256i limit)
{
    return _mm256_cmpgt_epi32(high,
                              _mm256_sub_epi32(limit, _mm256_set1_epi32(1)));
}

AVX2 static uint32_t *push_values(uint64_t *head, const uint32_t *value,
                                  size_t n, uint32_t total, uint32_t *top)
{
    const __m256i limit =
        _mm256_set1_epi32((int)((uint32_t)BBANS_HEAD_MIN / total));
    const __m256i all = _mm256_set1_epi32((int)total);
    const size_t odd = n % GROUP;

    n -= odd;
    top =
        bbans_totals_portable.push_values(head + n, value + n, odd, total, top);
    for (; n > 0; n -= GROUP) {
        uint64_t *at = head + n - GROUP;
        const halves old = halves_of(LOAD(at), LOAD(at + 4));
        const __m256i spill = are_spilled(old.high, limit);
        const halves x = spilled_halves(old, spill);

        top = put_heads(at, old,
                        products(_mm256_unpacklo_epi32(x.low, x.low),
                                 _mm256_unpackhi_epi32(x.low, x.low), x.high,
                                 all, REORDERED(LOAD(value + n - GROUP))),
                        spill, top);
    }
    return top;
}

/* Quotients and rests, from q. */
INLINED static inline halves whole(halves x, quotients q, __m256i f,
                                   __m256i *rest)
{
    halves y = halves_of(q.q0, q.q1);
    __m256i more;

    *rest = rest_of(x, q, f);
    more = _mm256_cmpgt_epi32(*rest, _mm256_sub_epi32(f, _mm256_set1_epi32(1)));
    *rest = _mm256_sub_epi32(*rest, _mm256_and_si256(more, f));
    y.low = _mm256_sub_epi32(y.low, more);
    y.high = _mm256_sub_epi32(
        _mm256_and_si256(y.high, _mm256_set1_epi32(0xfffff)),
        _mm256_and_si256(more,
                         _mm256_cmpeq_epi32(y.low, _mm256_setzero_si256())));
    return y;
}

/* One total N gives an inverse: x < N 2^(63 - 13) has y < 2^50.  A smaller N
 * divides x = a 2^32 + b in two steps: a, then (a mod N) 2^32 + b < 2^45.  Both
 * v are such that y = (v + 1/2) / N < 2^32 is 2^-14 or more away from an
 * integer, and off by less than 2^-19. */
#define ONE_STEP_MIN ((uint32_t)1 << 13)

/* floor(v / N) in the low halves. */
INLINED static inline __m256i floor_by(__m256d v, __m256d inverse)
{
    const __m256d half = _mm256_set1_pd(0.5);
    __m256d y = _mm256_fmsub_pd(_mm256_add_pd(v, half), inverse, half);

    BBANS_IN_THIS_ORDER(y);
    return _mm256_castpd_si256(
        _mm256_add_pd(y, _mm256_set1_pd(0x1p52 + 0x1p51)));
}

INLINED static inline __m256i floors_by(doubles d, __m256d inverse)
{
    return EVEN_OF(floor_by(d.v0, inverse), floor_by(d.v1, inverse));
}

AVX2 static const uint32_t *pop_values(uint64_t *head, uint32_t *value,
                                       size_t n, uint32_t total,
                                       const uint32_t *top)
{
    const __m256i limit =
        _mm256_set1_epi32((int)(total * ((uint32_t)BBANS_HEAD_MIN / total)));
    const __m256i all = _mm256_set1_epi32((int)total);
    const __m256d inverse =
        _mm256_div_pd(_mm256_set1_pd(1), _mm256_set1_pd(total));
    size_t i;

    if (!bbans_rounds_to_nearest())
        return bbans_totals_portable.pop_values(head, value, n, total, top);
    for (i = 0; i + GROUP <= n; i += GROUP) {
        const halves old = halves_of(LOAD(head + i), LOAD(head + i + 4));
        const __m256i spill = are_spilled(old.high, limit);
        halves x = spilled_halves(old, spill), y;
        __m256i rest;

        if (total < ONE_STEP_MIN) {
            y.high = floors_by(doubles_of(x.high), inverse);
            x.high = _mm256_sub_epi32(x.high, _mm256_mullo_epi32(y.high, all));
            y.low = floors_by(doubles_of_halves(x), inverse);
            rest = _mm256_sub_epi32(x.low, _mm256_mullo_epi32(y.low, all));
        } else {
            y = whole(x, divided_by(x, inverse, inverse), all, &rest);
        }
        STORE(value + i, REORDERED(rest));
        top = take_heads(head + i, old, y, spill, top);
    }
    return bbans_totals_portable.pop_values(head + i, value + i, n - i, total,
                                            top);
}

/* floor(2^31 / N): what is below an integer is so by 1 / N or more, and
 * division is less than 2^-22 / N off.  For N = 1 it is what does not fit. */
INLINED static inline __m256i multiples(__m256i total)
{
    const __m256d all = _mm256_set1_pd(0x1p31);
    const doubles by = doubles_of(REORDERED(total));
    /* In the order of the lanes, which is that of two vectors again. */
    const __m128i low = _mm256_cvttpd_epi32(_mm256_div_pd(all, by.v0));
    const __m128i high = _mm256_cvttpd_epi32(_mm256_div_pd(all, by.v1));

    return _mm256_set_m128i(high, low);
}

/* Quotients by totals from 2^12 on are below 2^51. */
INLINED static inline int are_small(__m256i total)
{
    return _mm256_movemask_epi8(_mm256_cmpgt_epi32(
               total, _mm256_set1_epi32((1 << 12) - 1))) != -1;
}

AVX2 static uint32_t *push_shares(uint64_t *head, const uint32_t *start,
                                  const uint32_t *freq, const uint32_t *total,
                                  size_t n, uint32_t *top)
{
    const size_t odd = bbans_rounds_to_nearest() ? n % GROUP : n;

    n -= odd;
    top = bbans_totals_portable.push_shares(head + n, start + n, freq + n,
                                            total + n, odd, top);
    while (n > 0) {
        __m256i all, f, spill, rest;
        halves old, x;
        quotients q;

        n -= GROUP;
        all = REORDERED(LOAD(total + n));
        if (are_small(all)) {
            top = bbans_totals_portable.push_shares(
                head + n, start + n, freq + n, total + n, GROUP, top);
            continue;
        }
        f = REORDERED(LOAD(freq + n));
        old = halves_of(LOAD(head + n), LOAD(head + n + 4));
        spill = are_spilled(old.high, _mm256_mullo_epi32(f, multiples(all)));
        x = spilled_halves(old, spill);
        q = divided(x, f);
        rest = _mm256_add_epi32(carried(rest_of(x, q, f), f, all),
                                REORDERED(LOAD(start + n)));
        top = put_heads(head + n, old,
                        products(q.q0, q.q1,
                                 _mm256_and_si256(ODD_OF(q.q0, q.q1),
                                                  _mm256_set1_epi32(0xfffff)),
                                 all, rest),
                        spill, top);
    }
    return top;
}

AVX2 static void pop_start(const uint64_t *head, const uint32_t *total,
                           size_t n, uint64_t *quot, uint32_t *slot)
{
    const size_t whole_n = bbans_rounds_to_nearest() ? n - n % GROUP : 0;
    size_t i;

    for (i = 0; i < whole_n; i += GROUP) {
        const __m256i all = REORDERED(LOAD(total + i));
        const halves old = halves_of(LOAD(head + i), LOAD(head + i + 4));
        __m256i spill, rest;
        halves x, y;

        if (are_small(all)) {
            bbans_totals_portable.pop_start(head + i, total + i, GROUP,
                                            quot + i, slot + i);
            continue;
        }
        spill = are_spilled(old.high, _mm256_mullo_epi32(all, multiples(all)));
        x = spilled_halves(old, spill);
        y = whole(x, divided(x, all), all, &rest);
        y.high = _mm256_or_si256(y.high, _mm256_slli_epi32(spill, 31));
        put_halves(quot + i, y);
        STORE(slot + i, REORDERED(rest));
    }
    bbans_totals_portable.pop_start(head + i, total + i, n - i, quot + i,
                                    slot + i);
}

AVX2 static const uint32_t *pop_finish(uint64_t *head, const uint64_t *quot,
                                       const uint32_t *rest,
                                       const uint32_t *freq, size_t n,
                                       const uint32_t *top)
{
    size_t i;

    for (i = 0; i + GROUP <= n; i += GROUP) {
        const __m256i q0 = LOAD(quot + i), q1 = LOAD(quot + i + 4);
        const __m256i high = ODD_OF(q0, q1);
        const halves old = halves_of(LOAD(head + i), LOAD(head + i + 4));

        top = take_heads(
            head + i, old,
            products(q0, q1,
                     _mm256_and_si256(high, _mm256_set1_epi32(0x7fffffff)),
                     REORDERED(LOAD(freq + i)), REORDERED(LOAD(rest + i))),
            _mm256_srai_epi32(high, 31), top);
    }
    return bbans_totals_portable.pop_finish(head + i, quot + i, rest + i,
                                            freq + i, n - i, top);
}

const bbans_lanes_kernels bbans_lanes_avx2 = {.push = push,
                                              .advance = advance,
                                              .max_u32 = max_u32,
                                              .push_symbols = push_symbols,
                                              .prepare_row = prepare_row,
                                              .push_rounds = push_rounds,
                                              .pop_rounds = pop_rounds};

const bbans_totals_kernels bbans_totals_avx2 = {.push_values = push_values,
                                                .pop_values = pop_values,
                                                .push_shares = push_shares,
                                                .pop_start = pop_start,
                                                .pop_finish = pop_finish};
#endif
