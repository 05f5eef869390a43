/* AVX2 kernels of rows of weights; equal to rows_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2,popcnt")
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))

/* The low words of v, and zeros. */
#define LOW(v) _mm256_blend_epi32(v, _mm256_setzero_si256(), 0xaa)

/* Weights less `extra`: integers, or floor(p 2^27).  Truncation gives 2^31 for
 * what is no number below 16; -1 and less are above 2^28, as unsigned. */
AVX2 static inline __m256i weights_at(const void *weight, int type, size_t k)
{
    const uint8_t *p = (const uint8_t *)weight;

    if (type == BBANS_F32)
        return _mm256_cvttps_epi32(_mm256_mul_ps(
            _mm256_castsi256_ps(LOAD(p + 4 * k)), _mm256_set1_ps(0x1p27f)));
    if (type == BBANS_F64) {
        const __m256d unit = _mm256_set1_pd(0x1p27);
        const __m128i low = _mm256_cvttpd_epi32(
            _mm256_mul_pd(_mm256_castsi256_pd(LOAD(p + 8 * k)), unit));
        const __m128i high = _mm256_cvttpd_epi32(
            _mm256_mul_pd(_mm256_castsi256_pd(LOAD(p + 8 * k + 32)), unit));

        return _mm256_set_m128i(high, low);
    }
    return LOAD(p + 4 * k);
}

#define BLOCK 64

/* Sums of 64 weights below 2^29 + 1 in eight lanes: below 2^32 each, 2^35 all.
 */
AVX2 static uint64_t row_sum(const void *weight, int type, size_t n,
                             uint32_t *w)
{
    const __m256i extra = _mm256_set1_epi32(type != BBANS_U32);
    const __m256i high = _mm256_set1_epi32((int)0xe0000000);
    const size_t size = type == BBANS_F64 ? 8 : 4;
    __m256i total = _mm256_setzero_si256(), any = total;
    __m128i two;
    uint64_t rest = 0;
    size_t k = 0;

    while (k + 8 <= n) {
        const size_t end = n - k < BLOCK ? n & ~(size_t)7 : k + BLOCK;
        __m256i sum = _mm256_setzero_si256();

        for (; k < end; k += 8) {
            const __m256i v = weights_at(weight, type, k);
            const __m256i v1 = _mm256_add_epi32(v, extra);

            any = _mm256_or_si256(any, v);
            sum = _mm256_add_epi32(sum, v1);
            STORE(w + k, v1);
        }
        total = _mm256_add_epi64(
            total, _mm256_add_epi64(LOW(sum), _mm256_srli_epi64(sum, 32)));
    }
    two = _mm_add_epi64(_mm256_castsi256_si128(total),
                        _mm256_extracti128_si256(total, 1));
    if (k < n)
        rest = bbans_rows_portable.row_sum((const uint8_t *)weight + k * size,
                                           type, n - k, w + k);
    if (!_mm256_testz_si256(any, high) || rest == UINT64_MAX)
        return UINT64_MAX;
    return rest + (uint64_t)_mm_cvtsi128_si64(two) +
           (uint64_t)_mm_extract_epi64(two, 1);
}

AVX2 static uint64_t row_interval(const void *weight, int type, size_t n,
                                  size_t k, uint32_t *start, uint32_t *freq)
{
    const __m256i extra = _mm256_set1_epi32(type != BBANS_U32);
    const __m256i high = _mm256_set1_epi32((int)0xe0000000);
    const __m256i place = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const size_t size = type == BBANS_F64 ? 8 : 4;
    __m256i total = _mm256_setzero_si256(), any = total, before = total;
    __m128i two;
    uint64_t rest = 0;
    uint32_t from = 0;
    size_t i = 0;

    while (i + 8 <= n) {
        const size_t end = n - i < BLOCK ? n & ~(size_t)7 : i + BLOCK;
        const size_t left = k < i ? 0 : k < end ? k - i : BLOCK;
        __m256i sum = _mm256_setzero_si256();
        __m256i ahead = _mm256_sub_epi32(_mm256_set1_epi32((int)left), place);

        for (; i < end; i += 8) { /* those still ahead of weight k */
            const __m256i v = weights_at(weight, type, i);
            const __m256i v1 = _mm256_add_epi32(v, extra);

            any = _mm256_or_si256(any, v);
            sum = _mm256_add_epi32(sum, v1);
            before = _mm256_add_epi32(
                before,
                _mm256_and_si256(
                    v1, _mm256_cmpgt_epi32(ahead, _mm256_setzero_si256())));
            ahead = _mm256_sub_epi32(ahead, _mm256_set1_epi32(8));
        }
        total = _mm256_add_epi64(
            total, _mm256_add_epi64(LOW(sum), _mm256_srli_epi64(sum, 32)));
    }
    two = _mm_add_epi64(_mm256_castsi256_si128(total),
                        _mm256_extracti128_si256(total, 1));
    if (i < n)
        rest =
            bbans_rows_portable.row_interval((const uint8_t *)weight + i * size,
                                             type, n - i, k - i, &from, freq);
    if (k < i)
        (void)bbans_rows_portable.row_interval(
            (const uint8_t *)weight + k * size, type, 1, 0, &from, freq);
    if (k < n)
        *start = bbans_sum_of_8(before) + from;
    if (!_mm256_testz_si256(any, high) || rest == UINT64_MAX)
        return UINT64_MAX;
    return rest + (uint64_t)_mm_cvtsi128_si64(two) +
           (uint64_t)_mm_extract_epi64(two, 1);
}

/* How many of eight sums, in order, are <= slot. */
AVX2 static inline unsigned rank_of_8(__m256i sums, uint32_t slot)
{
    return (unsigned)__builtin_popcount(
        (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(
            _mm256_cmpgt_epi32(_mm256_set1_epi32((int)(slot + 1)), sums))));
}

/* Blocks of 64 weights as eight rows of eight: sums of rows down the columns,
 * then across; the row by its last sum, and the weight by the sums within its
 * row. */
AVX2 static size_t find(const uint32_t *w, size_t n, uint32_t slot,
                        uint32_t *start)
{
    uint32_t sums[9];
    size_t k, row;

    sums[0] = 0;
    for (k = 0; k + BLOCK <= n; k += BLOCK) {
        __m256i a[8], v, low, high;
        size_t j;

        a[0] = LOAD(w + k);
        for (j = 1; j < 8; j++)
            a[j] = _mm256_add_epi32(a[j - 1], LOAD(w + k + 8 * j));
        low = _mm256_hadd_epi32(_mm256_hadd_epi32(a[0], a[1]),
                                _mm256_hadd_epi32(a[2], a[3]));
        high = _mm256_hadd_epi32(_mm256_hadd_epi32(a[4], a[5]),
                                 _mm256_hadd_epi32(a[6], a[7]));
        v = _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                             _mm256_permute2x128_si256(low, high, 0x31));
        v = _mm256_add_epi32(v, _mm256_set1_epi32((int)sums[0]));
        STORE(sums + 1, v);
        row = rank_of_8(v, slot);
        if (row == 8) {
            sums[0] = sums[8];
            continue;
        }
        k += 8 * row;
        v = LOAD(w + k);
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
        v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
        /* The sum of the low half to each of the high half. */
        v = _mm256_add_epi32(
            v,
            _mm256_shuffle_epi32(_mm256_permute2x128_si256(v, v, 0x08), 255));
        sums[0] = sums[row];
        v = _mm256_add_epi32(v, _mm256_set1_epi32((int)sums[0]));
        STORE(sums + 1, v);
        row = rank_of_8(v, slot);
        *start = sums[row];
        return k + row;
    }
    k += bbans_rows_portable.find(w + k, n - k, slot - sums[0], start);
    *start += sums[0];
    return k;
}

const bbans_rows_kernels bbans_rows_avx2 = {
    .row_sum = row_sum,
    .row_interval = row_interval,
    .find = find,
    .row_intervals = bbans_each_row_interval,
    .weigh_rows = bbans_each_row_sum,
    .find_in_row = bbans_find_without_sums};
#endif
