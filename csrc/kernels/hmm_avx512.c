/* AVX-512 kernels with VNNI; equal to hmm_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX512                                                                 \
    BBANS_TARGET("avx512f,avx512bw,avx512dq,avx512vl,"                         \
                 "avx512vnni,popcnt")
#define HMM AVX512
#define V __m512i
#define WIDTH 16
#define LOAD(p) _mm512_loadu_si512((const void *)(p))
#define STORE(p, v) _mm512_storeu_si512((void *)(p), (v))
#define ZERO _mm512_setzero_si512()
#define SET32(v) _mm512_set1_epi32(v)
#define PLACES                                                                 \
    _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
#define ADD32 _mm512_add_epi32
#define ADD64 _mm512_add_epi64
#define MUL _mm512_mul_epu32
#define SET64(v) _mm512_set1_epi64(v)
#define OR _mm512_or_si512
#define MAX32 _mm512_max_epu32
#define SRL(v, n) _mm512_srli_epi64((v), (n))
#define SLL(v, n) _mm512_slli_epi64((v), (n))
#define SRL_EACH _mm512_srlv_epi64
#define SLL_EACH _mm512_sllv_epi64
#define UPPER_OF(a, b) _mm512_mask_mov_epi32((b), 0xaaaa, (a))
#define SRL_BY _mm512_srl_epi64
#define SLL_BY _mm512_sll_epi64
#define SUM32(v)                                                               \
    bbans_sum_of_8(_mm256_add_epi32(_mm512_castsi512_si256(v),                 \
                                    _mm512_extracti64x4_epi64((v), 1)))
#define SUM64(v)                                                               \
    bbans_sum_of_4(_mm256_add_epi64(_mm512_castsi512_si256(v),                 \
                                    _mm512_extracti64x4_epi64((v), 1)))
#define LAST(v) _mm512_permutexvar_epi32(_mm512_set1_epi32(15), (v))
/* sum + v where a > b */
#define ADD32_IF_ABOVE(a, b, sum, v)                                           \
    _mm512_mask_add_epi32((sum), _mm512_cmpgt_epi32_mask((a), (b)), (sum), (v))

#define UPPER_HALVES(w) _mm512_cvtepi32_epi16(_mm512_srli_epi32((w)[0], 16))
#define ZEROS(m)                                                               \
    (0xffu & ~(unsigned)_mm256_cmpneq_epi32_mask((m), _mm256_setzero_si256()))

#define PAIRS __m256i
#define N_PAIRS 8
#define FIRST_PAIRS _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)
#define NEXT_PAIRS(v) _mm256_add_epi32((v), _mm256_set1_epi32(8))
#define LOAD_PAIRS(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE_PAIRS(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))
#define ACTIVE(w)                                                              \
    ((unsigned)_mm256_cmpneq_epi32_mask((w), _mm256_setzero_si256()))
#define COMPRESS(mask, v) _mm256_maskz_compress_epi32((__mmask8)(mask), (v))

/* One for each pair, to hide latency. */
#define SHARED_STRIDE 256
#define SUMS 2
#define SUM_OF(acc, v) ADD32((acc)[0][v], (acc)[1][v])
#define ADD_PRODUCTS(acc, v, a0, b0, a1, b1)                                   \
    ((acc)[0][v] = _mm512_dpwssd_epi32((acc)[0][v], (a0), (b0)),               \
     (acc)[1][v] = _mm512_dpwssd_epi32((acc)[1][v], (a1), (b1)))

/* Elements n places before, zeros at the front. */
#define BEFORE(v, n)                                                           \
    _mm512_maskz_permutexvar_epi32(                                            \
        (__mmask16)(0xffffu << (n)),                                           \
        _mm512_sub_epi32(PLACES, _mm512_set1_epi32(n)), (v))

AVX512 static inline __m512i running_sums(__m512i v)
{
    v = ADD32(v, BEFORE(v, 1));
    v = ADD32(v, BEFORE(v, 2));
    v = ADD32(v, BEFORE(v, 4));
    return ADD32(v, BEFORE(v, 8));
}

#include "hmm_x86.h"

#define CONTEXTS AVX512
#define NUMBERS 32

/* Of many only those that a bisection leaves. */
AVX512 static inline size_t below(const uint8_t *number, size_t n,
                                  uint32_t other, size_t *hit)
{
    const __m512i v = _mm512_set1_epi16((short)other);
    size_t count = bbans_bisect_numbers(number, &n, other, 4 * NUMBERS);

    *hit = 0;
    number += 2 * count;
    while (n > 0) {
        const size_t some = n < NUMBERS ? n : NUMBERS;
        const __mmask32 there = (__mmask32)bbans_first_bits(some);
        const __m512i w = _mm512_maskz_loadu_epi16(there, number);

        count += (size_t)__builtin_popcount(
            _mm512_mask_cmplt_epu16_mask(there, w, v));
        *hit |= _mm512_mask_cmpeq_epi16_mask(there, w, v) != 0;
        number += 2 * some;
        n -= some;
    }
    return count;
}

#include "contexts.h"

#define LINEAR 256

AVX512 static size_t rank(const uint32_t *edge, size_t n, uint32_t slot)
{
    const __m512i s = _mm512_set1_epi32((int)slot);
    size_t lo, at_most, i;

    lo = bbans_bisect(edge, &n, slot, LINEAR);
    edge += lo;
    at_most = lo;
    for (i = 0; i + 16 <= n; i += 16)
        at_most += (size_t)__builtin_popcount(
            _mm512_cmple_epu32_mask(LOAD(edge + i), s));
    for (; i < n; i++)
        at_most += edge[i] <= slot;
    return at_most;
}

static size_t guess(const uint32_t *weight, const int16_t *sums, size_t symbols,
                    size_t stride, unsigned prec, uint32_t slot)
{
    return bbans_hmm_avx2.guess(weight, sums, symbols, stride, prec, slot);
}

const bbans_hmm_kernels bbans_hmm_avx512 = {.filter = filter,
                                            .weigh = weigh,
                                            .predict = predict,
                                            .posterior = posterior,
                                            .interval = interval,
                                            .dot = dot,
                                            .guess = guess,
                                            .walk = walk,
                                            .place = place,
                                            .rank = rank};

#define ADD_PRODUCTS16(sum, a, b) ((sum) = _mm256_dpwssd_epi32((sum), (a), (b)))
#define OR64(v)                                                                \
    bbans_or_of_4(_mm256_or_si256(_mm512_castsi512_si256(v),                   \
                                  _mm512_extracti64x4_epi64((v), 1)))

#define STORE_LOW(p, v)                                                        \
    _mm256_storeu_si256((__m256i *)(void *)(p), _mm512_cvtepi64_epi32(v))
#define ROWS 8

/* The sums of 16 vectors: of 0 to 3, 8 to 11, 4 to 7, 12 to 15. */
AVX512 static inline __m512i sums_of(const __m512i *v)
{
    __m512i w[8], x[4], y[2];
    size_t i;

#define QUARTERS(a, b)                                                         \
    ADD32(_mm512_shuffle_i64x2((a), (b), 0x88),                                \
          _mm512_shuffle_i64x2((a), (b), 0xdd))
    BBANS_UNROLLED
    for (i = 0; i < 8; i++)
        w[i] = QUARTERS(v[i], v[i + 8]);
    BBANS_UNROLLED
    for (i = 0; i < 4; i++)
        x[i] = QUARTERS(w[i], w[i + 4]);
    BBANS_UNROLLED
    for (i = 0; i < 2; i++)
        y[i] = ADD32(_mm512_unpacklo_epi32(x[2 * i], x[2 * i + 1]),
                     _mm512_unpackhi_epi32(x[2 * i], x[2 * i + 1]));
    return ADD32(_mm512_unpacklo_epi64(y[0], y[1]),
                 _mm512_unpackhi_epi64(y[0], y[1]));
}

AVX512 static inline __m512i row_sums(const uint16_t *const *row, size_t stride,
                                      const uint16_t *high, const uint16_t *low)
{
    __m512i sum[16];
    size_t k, r;

    BBANS_UNROLLED
    for (r = 0; r < 8; r++)
        sum[r] = sum[r + 8] = ZERO;
    for (k = 0; k < stride; k += 32) { /* 16 at the end, or 32 */
        const __mmask16 there = k + 16 < stride ? 0xffff : 0x00ff;
        const __m512i h = _mm512_maskz_loadu_epi32(there, high + k);
        const __m512i l = _mm512_maskz_loadu_epi32(there, low + k);

        BBANS_UNROLLED
        for (r = 0; r < 8; r++) {
            const __m512i mass = _mm512_maskz_loadu_epi32(there, row[r] + k);

            sum[r] = _mm512_dpwssd_epi32(sum[r], mass, h);
            sum[r + 8] = _mm512_dpwssd_epi32(sum[r + 8], mass, l);
        }
    }
    sum[0] = sums_of(sum);
    return ADD64(SLL(_mm512_cvtepu32_epi64(_mm512_castsi512_si256(
                         _mm512_shuffle_i64x2(sum[0], sum[0], 0xd8))),
                     15),
                 _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(
                     _mm512_shuffle_i64x2(sum[0], sum[0], 0xd8), 1)));
}

#include "tree_x86.h"

const bbans_tree_kernels bbans_tree_avx512 = {
    .absorb = absorb, .weigh = weigh_down, .up = up, .down = down};
#endif
