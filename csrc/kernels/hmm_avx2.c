/* AVX2 kernels; equal to hmm_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2,popcnt")
#define HMM AVX2
#define V __m256i
#define WIDTH 8
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))
#define ZERO _mm256_setzero_si256()
#define SET32(v) _mm256_set1_epi32(v)
#define PLACES _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)
#define ADD32 _mm256_add_epi32
#define ADD64 _mm256_add_epi64
#define MUL _mm256_mul_epu32
#define SET64(v) _mm256_set1_epi64x(v)
#define OR _mm256_or_si256
#define MAX32 _mm256_max_epu32
#define SRL(v, n) _mm256_srli_epi64((v), (n))
#define SLL(v, n) _mm256_slli_epi64((v), (n))
#define SRL_EACH _mm256_srlv_epi64
#define SLL_EACH _mm256_sllv_epi64
#define UPPER_OF(a, b) _mm256_blend_epi32((b), (a), 0xaa)
#define SRL_BY _mm256_srl_epi64
#define SLL_BY _mm256_sll_epi64
#define SUM32 bbans_sum_of_8
#define SUM64 bbans_sum_of_4
#define LAST(v) _mm256_permutevar8x32_epi32((v), _mm256_set1_epi32(7))
/* sum + v where a > b */
#define ADD32_IF_ABOVE(a, b, sum, v)                                           \
    ADD32((sum), _mm256_and_si256((v), _mm256_cmpgt_epi32((a), (b))))

/* Packing takes turns between the halves. */
#define UPPER_HALVES(w)                                                        \
    _mm256_permute4x64_epi64(                                                  \
        _mm256_packus_epi32(_mm256_srli_epi32((w)[0], 16),                     \
                            _mm256_srli_epi32((w)[1], 16)),                    \
        0xd8)
#define ZEROS(m)                                                               \
    ((unsigned)_mm256_movemask_ps(                                             \
        _mm256_castsi256_ps(_mm256_cmpeq_epi32((m), ZERO))))

#define PAIRS __m128i
#define N_PAIRS 4
#define FIRST_PAIRS _mm_setr_epi32(0, 1, 2, 3)
#define NEXT_PAIRS(v) _mm_add_epi32((v), _mm_set1_epi32(4))
#define LOAD_PAIRS(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define STORE_PAIRS(p, v) _mm_storeu_si128((__m128i *)(void *)(p), (v))
#define ACTIVE(w)                                                              \
    (0xfu & ~(unsigned)_mm_movemask_ps(                                        \
                _mm_castsi128_ps(_mm_cmpeq_epi32((w), _mm_setzero_si128()))))
#define COMPRESS(mask, v)                                                      \
    _mm_shuffle_epi8((v), LOAD_PAIRS(bbans_compressed[mask]))

#define SHARED_STRIDE 256
#define SUMS 1
#define SUM_OF(acc, v) (acc)[0][v]
#define ADD_PRODUCTS(acc, v, a0, b0, a1, b1)                                   \
    do {                                                                       \
        (acc)[0][v] =                                                          \
            ADD32((acc)[0][v], ADD32(_mm256_madd_epi16((a0), (b0)),            \
                                     _mm256_madd_epi16((a1), (b1))));          \
        BBANS_IN_THIS_ORDER((acc)[0][v]);                                      \
    } while (0)

/* Within halves, then across. */
AVX2 static inline __m256i running_sums(__m256i v)
{
    v = ADD32(v, _mm256_slli_si256(v, 4));
    v = ADD32(v, _mm256_slli_si256(v, 8));
    return ADD32(
        v,
        _mm256_blend_epi32(
            ZERO, _mm256_permutevar8x32_epi32(v, _mm256_set1_epi32(3)), 0xf0));
}

#include "hmm_x86.h"

#define CONTEXTS AVX2
#define NUMBERS 16

/* Of 16 numbers, or as many pairs of them as the mask has: bits of those below,
 * two each; whether one is equal. */
AVX2 static inline unsigned below_16(__m256i w, __m256i v, __m256i mask,
                                     size_t *hit)
{
    const __m256i most = _mm256_max_epu16(w, v);
    const __m256i equal = _mm256_and_si256(_mm256_cmpeq_epi16(w, v), mask);

    *hit |= _mm256_movemask_epi8(equal) != 0;
    return (unsigned)_mm256_movemask_epi8(
        _mm256_andnot_si256(_mm256_cmpeq_epi16(most, w), mask));
}

/* Of many only those that a bisection leaves. */
AVX2 static inline size_t below(const uint8_t *number, size_t n, uint32_t other,
                                size_t *hit)
{
    static const int32_t pairs[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    const __m256i v = _mm256_set1_epi16((short)other);
    __m256i mask = _mm256_set1_epi32(-1);
    size_t count = bbans_bisect_numbers(number, &n, other, 4 * NUMBERS);

    *hit = 0;
    number += 2 * count;
    for (; n >= NUMBERS; n -= NUMBERS, number += 2 * NUMBERS)
        count +=
            (size_t)__builtin_popcount(below_16(LOAD(number), v, mask, hit)) /
            2;
    mask = LOAD(pairs + 8 - n / 2);
    count += (size_t)__builtin_popcount(below_16(
                 _mm256_maskload_epi32((const int *)(const void *)number, mask),
                 v, mask, hit)) /
             2;
    if (n % 2 != 0) {
        const uint32_t last = bbans_load_le16(number + 2 * (n - 1));

        count += last < other;
        *hit |= last == other;
    }
    return count;
}

#include "contexts.h"

#define LINEAR 128

/* Of 32 edges, all < 2^31, a bit for each that is above. */
AVX2 static inline unsigned above_32(const uint32_t *edge, __m256i slot)
{
    const __m256i low =
        _mm256_packs_epi32(_mm256_cmpgt_epi32(LOAD(edge), slot),
                           _mm256_cmpgt_epi32(LOAD(edge + 8), slot));
    const __m256i high =
        _mm256_packs_epi32(_mm256_cmpgt_epi32(LOAD(edge + 16), slot),
                           _mm256_cmpgt_epi32(LOAD(edge + 24), slot));

    return (unsigned)_mm256_movemask_epi8(_mm256_packs_epi16(low, high));
}

AVX2 static size_t rank(const uint32_t *edge, size_t n, uint32_t slot)
{
    const __m256i s = _mm256_set1_epi32((int)slot);
    size_t lo, i, above = 0;

    lo = bbans_bisect(edge, &n, slot, LINEAR);
    edge += lo;
    for (i = 0; i + 32 <= n; i += 32)
        above += (size_t)__builtin_popcount(above_32(edge + i, s));
    for (; i + 8 <= n; i += 8)
        above += (size_t)__builtin_popcount((unsigned)_mm256_movemask_ps(
            _mm256_castsi256_ps(_mm256_cmpgt_epi32(LOAD(edge + i), s))));
    lo += i - above;
    for (; i < n; i++)
        lo += edge[i] <= slot;
    return lo;
}

/* The upper 15 bits of 16 weights. */
AVX2 static inline __m256i upper_weights(const uint32_t *weight)
{
    return _mm256_permute4x64_epi64(
        _mm256_packus_epi32(_mm256_srli_epi32(LOAD(weight), 17),
                            _mm256_srli_epi32(LOAD(weight + 8), 17)),
        0xd8);
}

/* The sums of eight vectors of 8. */
AVX2 static inline __m256i sums_of_8(const __m256i *v)
{
    const __m256i low = _mm256_hadd_epi32(_mm256_hadd_epi32(v[0], v[1]),
                                          _mm256_hadd_epi32(v[2], v[3]));
    const __m256i high = _mm256_hadd_epi32(_mm256_hadd_epi32(v[4], v[5]),
                                           _mm256_hadd_epi32(v[6], v[7]));

    return ADD32(_mm256_permute2x128_si256(low, high, 0x20),
                 _mm256_permute2x128_si256(low, high, 0x31));
}

#define PROBES 8

/* Eight rows at equal steps.  Those beyond lo + n are above the limit: where
 * the sum of row `symbols` is not 0, it is, and sums do not fall. */
AVX2 static size_t guess(const uint32_t *weight, const int16_t *sums,
                         size_t symbols, size_t stride, unsigned prec,
                         uint32_t slot)
{
    int16_t h[BBANS_STATES_MAX];
    const int16_t *last = sums + symbols * stride;
    size_t lo = 0, n = symbols - 1, i; /* the answer is in lo .. lo + n */
    __m256i limit = ZERO;
    uint32_t all;

    for (i = 0; i < stride; i += 16) {
        const __m256i w = upper_weights(weight + i);

        STORE(h + i, w);
        limit = ADD32(limit, _mm256_madd_epi16(w, LOAD(last + i)));
    }
    all = SUM32(limit);
    if (all == 0)
        return n;
    limit = SET32((int)bbans_guess_limit(all, prec, slot));
    while (n > 0) {
        const size_t step = n / PROBES + 1, apart = step * stride;
        const int16_t *row = sums + lo * stride + apart;
        __m256i sum[PROBES], w = LOAD(h);
        size_t count, k;

        BBANS_UNROLLED
        for (k = 0; k < PROBES; k++)
            sum[k] = _mm256_madd_epi16(w, LOAD(row + k * apart));
        for (i = 16; i < stride; i += 16) {
            w = LOAD(h + i);
            row += 16;
            BBANS_UNROLLED
            for (k = 0; k < PROBES; k++)
                sum[k] =
                    ADD32(sum[k], _mm256_madd_epi16(w, LOAD(row + k * apart)));
        }
        count = PROBES - (size_t)__builtin_popcount(
                             (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(
                                 _mm256_cmpgt_epi32(sums_of_8(sum), limit))));
        lo += step * count;
        n = n - step * count < step ? n - step * count : step - 1;
    }
    return lo;
}

const bbans_hmm_kernels bbans_hmm_avx2 = {.filter = filter,
                                          .weigh = weigh,
                                          .predict = predict,
                                          .posterior = posterior,
                                          .interval = interval,
                                          .dot = dot,
                                          .guess = guess,
                                          .walk = walk,
                                          .place = place,
                                          .rank = rank};

#define ADD_PRODUCTS16(sum, a, b)                                              \
    ((sum) = _mm256_add_epi32((sum), _mm256_madd_epi16((a), (b))))

#define OR64 bbans_or_of_4
#define STORE_LOW(p, v)                                                        \
    _mm_storeu_si128((__m128i *)(void *)(p),                                   \
                     _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(       \
                         (v), _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6))))
#define ROWS 4

/* The sums of four vectors a, then of four b. */
AVX2 static inline __m256i sums_of(const __m256i *a, const __m256i *b)
{
    const __m256i first = _mm256_hadd_epi32(_mm256_hadd_epi32(a[0], a[1]),
                                            _mm256_hadd_epi32(a[2], a[3]));
    const __m256i second = _mm256_hadd_epi32(_mm256_hadd_epi32(b[0], b[1]),
                                             _mm256_hadd_epi32(b[2], b[3]));

    return _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20),
                            _mm256_permute2x128_si256(first, second, 0x31));
}

AVX2 static inline __m256i row_sums(const uint16_t *const *row, size_t stride,
                                    const uint16_t *high, const uint16_t *low)
{
    __m256i sum[4], rest[4], both;
    size_t k, r;

    BBANS_UNROLLED
    for (r = 0; r < 4; r++)
        sum[r] = rest[r] = ZERO;
    for (k = 0; k < stride; k += 16) {
        const __m256i h = LOAD(high + k), l = LOAD(low + k);

        BBANS_UNROLLED
        for (r = 0; r < 4; r++) {
            const __m256i mass = LOAD(row[r] + k);

            ADD_PRODUCTS16(sum[r], mass, h);
            ADD_PRODUCTS16(rest[r], mass, l);
        }
    }
    both = sums_of(sum, rest);
    return _mm256_add_epi64(
        _mm256_slli_epi64(_mm256_cvtepu32_epi64(_mm256_castsi256_si128(both)),
                          15),
        _mm256_cvtepu32_epi64(_mm256_extracti128_si256(both, 1)));
}

#include "tree_x86.h"

const bbans_tree_kernels bbans_tree_avx2 = {
    .absorb = absorb, .weigh = weigh_down, .up = up, .down = down};
#endif
