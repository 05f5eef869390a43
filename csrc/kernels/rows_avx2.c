/* AVX2 kernels of rows of weights; equal to rows_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "x86.h"

#ifdef BBANS_HAVE_X86

#define AVX2 BBANS_TARGET("avx2,popcnt")
#define INLINED AVX2 __attribute__((always_inline))
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

/* Sums of 32 weights of at most 2^29 in eight lanes: 2^31 each. */
#define SUMMED 32

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
        const size_t end = n - k < SUMMED ? n & ~(size_t)7 : k + SUMMED;
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
        const size_t end = n - i < SUMMED ? n & ~(size_t)7 : i + SUMMED;
        const size_t left = k < i ? 0 : k < end ? k - i : SUMMED;
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

/* ---- Several rows of weights ----
 *
 * Sums are of 32 bits here, and each is in `any` before two of them could wrap:
 * if one is 2^29 or more, or a weight is none, that is known of all the rows,
 * and weighing them one by one tells of which. */

/* All bits in the first n of 64 elements: from element 64 - n on. */
#define ONES_8                                                                 \
    UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX,    \
        UINT32_MAX, UINT32_MAX
static const uint32_t first_ones[2 * BLOCK] = {ONES_8, ONES_8, ONES_8, ONES_8,
                                               ONES_8, ONES_8, ONES_8, ONES_8};

/* Weights k .. k + n - 1, n < 8, and 0 beyond them, where nothing is read. */
INLINED static inline __m256i some_weights_at(const uint8_t *row, int type,
                                              size_t k, size_t n)
{
    const __m256i some = LOAD(first_ones + BLOCK - n);
    const void *from = row + bbans_row_bytes(type, k);
    const void *from_4 = row + bbans_row_bytes(type, k + 4);
    uint64_t last[8];

    if (type != BBANS_F64) {
        STORE(last, _mm256_maskload_epi32(from, some));
        return weights_at(last, type, 0);
    }
    STORE(last, _mm256_maskload_epi64(
                    from, _mm256_cvtepi32_epi64(_mm256_castsi256_si128(some))));
    STORE(last + 4, _mm256_maskload_epi64(
                        from_4, _mm256_cvtepi32_epi64(
                                    _mm256_extracti128_si256(some, 1))));
    return weights_at(last, type, 0);
}

INLINED static inline int is_too_large(__m256i any)
{
    return !_mm256_testz_si256(any, _mm256_set1_epi32((int)0xe0000000));
}

/* Eight weights without the extra 1 to *all, and those in `below` to *before.
 */
INLINED static inline void add_8(__m256i w, const uint32_t *below, __m256i *all,
                                 __m256i *before, __m256i *any)
{
    *any = _mm256_or_si256(*any, w);
    *all = _mm256_add_epi32(*all, w);
    *before = _mm256_add_epi32(*before, _mm256_and_si256(w, LOAD(below)));
}

/* A row, and what of it is before weight k, as sums down its columns. */
INLINED static inline void add_row(const uint8_t *row, int type, size_t symbols,
                                   size_t k, __m256i *all, __m256i *before,
                                   __m256i *any)
{
    size_t i, j;

    *all = *before = _mm256_setzero_si256();
    for (i = 0; i < symbols; i += BLOCK) {
        const size_t n = symbols - i < BLOCK ? symbols - i : BLOCK;
        const size_t left = k < i ? 0 : k - i < BLOCK ? k - i : BLOCK;
        const uint32_t *below = first_ones + BLOCK - left;

        for (j = 0; j + 32 <= n; j += 32) { /* 2^29 + 4 2^29 < 2^32 */
            const uint8_t *at = row + bbans_row_bytes(type, i + j);

            add_8(weights_at(at, type, 0), below + j, all, before, any);
            add_8(weights_at(at, type, 8), below + j + 8, all, before, any);
            add_8(weights_at(at, type, 16), below + j + 16, all, before, any);
            add_8(weights_at(at, type, 24), below + j + 24, all, before, any);
            *any = _mm256_or_si256(*any, *all);
        }
        for (; j + 8 <= n; j += 8)
            add_8(weights_at(row, type, i + j), below + j, all, before, any);
        if (j < n)
            add_8(some_weights_at(row, type, i + j, n - j), below + j, all,
                  before, any);
    }
    *any = _mm256_or_si256(*any, *all);
}

/* Sums of four vectors, each below 2^29 in every element, across. */
INLINED static inline __m128i sums_across(const __m256i *v, __m256i *any)
{
    const __m256i a = _mm256_hadd_epi32(v[0], v[1]);
    const __m256i b = _mm256_hadd_epi32(v[2], v[3]);
    const __m256i c = _mm256_hadd_epi32(a, b);

    *any = _mm256_or_si256(*any, _mm256_or_si256(_mm256_or_si256(a, b), c));
    return _mm_add_epi32(_mm256_castsi256_si128(c),
                         _mm256_extracti128_si256(c, 1));
}

/* One weight, with the extra 1. */
INLINED static inline uint32_t weight_at(const uint8_t *row, int type, size_t k)
{
    const void *at = row + bbans_row_bytes(type, k);

    if (type == BBANS_F32)
        return 1 + (uint32_t)_mm_cvttss_si32(
                       _mm_mul_ss(_mm_load_ss(at), _mm_set_ss(0x1p27f)));
    if (type == BBANS_F64)
        return 1 + (uint32_t)_mm_cvttsd_si32(
                       _mm_mul_sd(_mm_load_sd(at), _mm_set_sd(0x1p27)));
    return *(const uint32_t *)at;
}

INLINED static inline void four_intervals(const uint8_t *row, int type,
                                          size_t symbols, const uint32_t *k,
                                          uint32_t *start, uint32_t *freq,
                                          uint32_t *total, __m256i *any)
{
    const size_t bytes = bbans_row_bytes(type, symbols);
    __m256i all[4], before[4];
    __m128i totals, starts;
    size_t j;

    for (j = 0; j < 4; j++, row += bytes) {
        if (bytes <= BBANS_ROWS_AHEAD)
            bbans_prefetch(row, BBANS_ROWS_AHEAD, bytes);
        add_row(row, type, symbols, k[j], &all[j], &before[j], any);
        freq[j] = weight_at(row, type, k[j]);
    }
    totals = sums_across(all, any);
    starts = sums_across(before, any);
    if (type != BBANS_U32) {
        totals = _mm_add_epi32(totals, _mm_set1_epi32((int)symbols));
        starts = _mm_add_epi32(
            starts, _mm_loadu_si128((const __m128i *)(const void *)k));
    }
    _mm_storeu_si128((__m128i *)(void *)total, totals);
    _mm_storeu_si128((__m128i *)(void *)start, starts);
}

INLINED static inline void intervals_type(const uint8_t *weight, int type,
                                          size_t symbols, size_t n,
                                          const uint32_t *k, uint32_t *start,
                                          uint32_t *freq, uint32_t *total)
{
    __m256i any = _mm256_setzero_si256();
    size_t first;

    for (first = 0; first < n; first += 4) {
        /* The last four, some of them again. */
        const size_t at = n - first < 4 ? n - 4 : first;

        four_intervals(weight + at * bbans_row_bytes(type, symbols), type,
                       symbols, k + at, start + at, freq + at, total + at,
                       &any);
    }
    if (is_too_large(any))
        bbans_each_row_interval(weight, type, symbols, n, k, start, freq,
                                total);
}

AVX2 static void row_intervals(const void *weight, int type, size_t symbols,
                               size_t n, const uint32_t *k, uint32_t *start,
                               uint32_t *freq, uint32_t *total)
{
    if (n < 4 || symbols > BBANS_TOTAL_MAX)
        bbans_each_row_interval(weight, type, symbols, n, k, start, freq,
                                total);
    else if (type == BBANS_F32)
        intervals_type(weight, BBANS_F32, symbols, n, k, start, freq, total);
    else
        intervals_type(weight, type, symbols, n, k, start, freq, total);
}

/* Sums of eight vectors across, in order. */
INLINED static inline __m256i eight_sums(const __m256i *a, __m256i *any)
{
    const __m256i a0 = _mm256_hadd_epi32(a[0], a[1]);
    const __m256i a1 = _mm256_hadd_epi32(a[2], a[3]);
    const __m256i a2 = _mm256_hadd_epi32(a[4], a[5]);
    const __m256i a3 = _mm256_hadd_epi32(a[6], a[7]);
    const __m256i low = _mm256_hadd_epi32(a0, a1);
    const __m256i high = _mm256_hadd_epi32(a2, a3);

    *any =
        _mm256_or_si256(*any, _mm256_or_si256(_mm256_or_si256(a3, a[7]), high));
    return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                            _mm256_permute2x128_si256(low, high, 0x31));
}

/* Weights k .. k + n - 1, n <= 64, to w, and the running sums of their eights
 * to sums; returns the last.  Sums only grow: what is of the last eight is the
 * largest, and no sum of eight wraps if that of four is below 2^29. */
INLINED static inline uint32_t weigh_eights(const uint8_t *row, int type,
                                            size_t k, size_t n, uint32_t *w,
                                            uint32_t *sums, __m256i *any)
{
    const __m256i extra = _mm256_set1_epi32(type != BBANS_U32);
    __m256i a[8], sum = _mm256_setzero_si256();
    size_t j;

    BBANS_UNROLLED
    for (j = 0; j < 8; j++) {
        const size_t at = 8 * j;

        if (at + 8 <= n) {
            const __m256i v = weights_at(row, type, k + at);

            *any = _mm256_or_si256(*any, v);
            STORE(w + k + at, _mm256_add_epi32(v, extra));
            sum = _mm256_add_epi32(sum, _mm256_add_epi32(v, extra));
        } else if (at < n) {
            const __m256i some = LOAD(first_ones + BLOCK - (n - at));
            const __m256i v = some_weights_at(row, type, k + at, n - at);
            const __m256i v1 =
                _mm256_add_epi32(v, _mm256_and_si256(extra, some));

            *any = _mm256_or_si256(*any, v);
            _mm256_maskstore_epi32((int *)(void *)(w + k + at), some, v1);
            sum = _mm256_add_epi32(sum, v1);
        }
        a[j] = sum;
    }
    sum = eight_sums(a, any);
    STORE(sums, sum);
    return (uint32_t)_mm256_extract_epi32(sum, 7);
}

INLINED static inline void weigh_rows_type(const uint8_t *weight, int type,
                                           size_t symbols, size_t n,
                                           uint32_t *w, uint32_t *total)
{
    const size_t bytes = bbans_row_bytes(type, symbols);
    const size_t stride = bbans_row_stride(symbols);
    __m256i any = _mm256_setzero_si256();
    size_t k, j;

    for (j = 0; j < n; j++) {
        const uint8_t *row = weight + j * bytes;
        uint32_t *to = w + j * stride;
        uint64_t sum = 0;

        if (bytes <= BBANS_ROWS_AHEAD)
            bbans_prefetch(row, BBANS_ROWS_AHEAD, bytes);
        for (k = 0; k + BLOCK <= symbols; k += BLOCK)
            sum += weigh_eights(row, type, k, BLOCK, to, to + symbols + k / 4,
                                &any);
        if (k < symbols)
            sum += weigh_eights(row, type, k, symbols - k, to,
                                to + symbols + k / 4, &any);
        total[j] = sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
    }
    /* The running sums of rows that have a total are right, and stay. */
    if (is_too_large(any))
        bbans_each_row_sum(weight, type, symbols, n, w, total);
}

AVX2 static void weigh_rows(const void *weight, int type, size_t symbols,
                            size_t n, uint32_t *w, uint32_t *total)
{
    if (type == BBANS_F32)
        weigh_rows_type(weight, BBANS_F32, symbols, n, w, total);
    else
        weigh_rows_type(weight, type, symbols, n, w, total);
}

/* How many of eight sums are <= slot, as unsigned. */
INLINED static inline unsigned count_of_8(__m256i sums, uint32_t slot)
{
    const __m256i s = _mm256_set1_epi32((int)slot);

    return (unsigned)__builtin_popcount(
        (unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(
            _mm256_cmpeq_epi32(_mm256_min_epu32(sums, s), sums))));
}

/* Sums of the first 1 to 8 of eight. */
INLINED static inline __m256i running_sums(__m256i v)
{
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 4));
    v = _mm256_add_epi32(v, _mm256_slli_si256(v, 8));
    /* The sum of the low half to each of the high half. */
    return _mm256_add_epi32(
        v, _mm256_shuffle_epi32(_mm256_permute2x128_si256(v, v, 0x08), 255));
}

/* The eight by the running sums, and the weight by those within it.  What is
 * beyond the row only adds to sums that are above the slot: eight of them are
 * below 2^32. */
AVX2 static size_t find_in_row(const uint32_t *w, size_t symbols, uint32_t slot,
                               uint32_t *start)
{
    const uint32_t *sums = w + symbols;
    uint32_t left = slot, within[9] = {0};
    size_t first = 0, eight, k;
    __m256i v;

    for (; left >= sums[7]; sums += 16, first += BLOCK)
        left -= sums[7];
    eight = count_of_8(LOAD(sums), left);
    left -= eight > 0 ? sums[eight - 1] : 0;
    v = running_sums(LOAD(w + first + 8 * eight));
    STORE(within + 1, v);
    k = count_of_8(v, left);
    *start = slot - left + within[k];
    return first + 8 * eight + k;
}

const bbans_rows_kernels bbans_rows_avx2 = {.row_sum = row_sum,
                                            .row_interval = row_interval,
                                            .find = find,
                                            .row_intervals = row_intervals,
                                            .weigh_rows = weigh_rows,
                                            .find_in_row = find_in_row};
#endif
