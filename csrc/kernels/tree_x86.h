/* A template, after hmm_x86.h and with its operations: the kernels of latent
 * trees.  Matrices go by vectors of 256 bits: rows are often no longer than a
 * few of them.  ADD_PRODUCTS16(sum, a, b) adds the products of 16 pairs of
 * neighbours to 8 sums.
 *
 * SPDX-License-Identifier: MIT */

#define LOAD16(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE16(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))
#define ZERO16 _mm256_setzero_si256()

/* ---- Weights ------------------------------------------------------------- */

HMM static inline void absorb_by(uint32_t *u, const uint32_t *f, size_t stride,
                                 scaling s, int left)
{
    const V least = SET32((int)BBANS_UPWARD_MIN);
    size_t i;

    for (i = 0; i < stride; i += WIDTH)
        STORE(u + i, MAX32(scaled(LOAD(u + i), LOAD(f + i), s, left), least));
}

HMM static void absorb(uint32_t *u, const uint32_t *f, size_t stride)
{
    V all = ZERO;
    scaling s;
    size_t i;

    for (i = 0; i < stride; i += WIDTH) {
        const V a = LOAD(u + i), b = LOAD(f + i);

        all = OR(all, OR(EVEN(a, b), ODD(a, b)));
    }
    s = scaling_of(OR64(all), BBANS_FILTER_BITS);
    if (s.right < 0)
        absorb_by(u, f, stride, s, 1);
    else
        absorb_by(u, f, stride, s, 0);
}

HMM static inline void weigh_by(uint32_t *g, const uint32_t *f, size_t stride,
                                scaling s, int left)
{
    size_t i;

    for (i = 0; i < stride; i += WIDTH)
        STORE(g + i, scaled(LOAD(g + i), LOAD(f + i), s, left));
}

HMM static void weigh_down(uint32_t *g, const uint32_t *f, size_t stride)
{
    V sum = ZERO;
    scaling s;
    size_t i;

    for (i = 0; i < stride; i += WIDTH) {
        const V a = LOAD(g + i), b = LOAD(f + i);

        sum = ADD64(sum, ADD64(EVEN(a, b), ODD(a, b)));
    }
    s = scaling_of(SUM64(sum), BBANS_FILTER_BITS);
    if (s.right < 0)
        weigh_by(g, f, stride, s, 1);
    else
        weigh_by(g, f, stride, s, 0);
}

/* ---- Matrices ------------------------------------------------------------ */

/* 16 words below 2^16 as such of 16 bits. */
HMM static inline __m256i packed(__m256i a, __m256i b)
{
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xd8);
}

/* Of the upper 30 bits the upper and the lower 15. */
HMM static void halve(const uint32_t *u, size_t stride, uint16_t *high,
                      uint16_t *low)
{
    const __m256i mask = _mm256_set1_epi32(BBANS_SHORT_MAX);
    size_t k;

    for (k = 0; k < stride; k += 16) {
        const __m256i a = LOAD16(u + k), b = LOAD16(u + k + 8);

        STORE16(high + k,
                packed(_mm256_srli_epi32(a, 17), _mm256_srli_epi32(b, 17)));
        STORE16(low + k,
                packed(_mm256_and_si256(_mm256_srli_epi32(a, 2), mask),
                       _mm256_and_si256(_mm256_srli_epi32(b, 2), mask)));
    }
}

/* The sums of four vectors a, then of four b. */
HMM static inline __m256i sums_of(const __m256i *a, const __m256i *b)
{
    const __m256i first = _mm256_hadd_epi32(_mm256_hadd_epi32(a[0], a[1]),
                                            _mm256_hadd_epi32(a[2], a[3]));
    const __m256i second = _mm256_hadd_epi32(_mm256_hadd_epi32(b[0], b[1]),
                                             _mm256_hadd_epi32(b[2], b[3]));

    return _mm256_add_epi32(_mm256_permute2x128_si256(first, second, 0x20),
                            _mm256_permute2x128_si256(first, second, 0x31));
}

/* Of four rows.  A mass of 2^15 is negative here, but it is that of an only
 * state, of which no weight says anything. */
HMM static inline __m256i four_messages(const uint16_t *const *row,
                                        size_t stride, const uint16_t *high,
                                        const uint16_t *low)
{
    __m256i sum[4], rest[4], both;
    size_t k, r;

    BBANS_UNROLLED
    for (r = 0; r < 4; r++)
        sum[r] = rest[r] = ZERO16;
    for (k = 0; k < stride; k += 16) {
        const __m256i h = LOAD16(high + k), l = LOAD16(low + k);

        BBANS_UNROLLED
        for (r = 0; r < 4; r++) {
            const __m256i mass = LOAD16(row[r] + k);

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

HMM static void up(const uint16_t *a, size_t states, size_t stride,
                   const uint32_t *u, uint32_t *f)
{
    const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    uint16_t high[BBANS_STATES_MAX], low[BBANS_STATES_MAX];
    uint64_t m[BBANS_STATES_MAX];
    __m256i all = ZERO16;
    scaling s;
    size_t z, r;

    halve(u, stride, high, low);
    for (z = 0; z < states; z += 4) {
        const uint16_t *row[4];
        __m256i four;

        BBANS_UNROLLED
        for (r = 0; r < 4; r++) /* the last, where there are no more */
            row[r] = a + (z + r < states ? z + r : states - 1) * stride;
        four = four_messages(row, stride, high, low);
        all = _mm256_or_si256(all, four);
        STORE16(m + z, four);
    }
    s = scaling_of(bbans_or_of_4(all), BBANS_MESSAGE_BITS);
    for (z = 0; z < states; z += 4) {
        const __m256i v = LOAD16(m + z);
        const __m256i w = s.right < 0 ? _mm256_sll_epi64(v, s.count)
                                      : _mm256_srl_epi64(v, s.count);

        _mm_storeu_si128(
            (__m128i *)(void *)(f + z),
            _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(w, even)));
    }
    for (z = states; z < stride; z++)
        f[z] = 0;
}

/* min(32767, ((w >> 16) + 1) >> 1), as in the HMM's filter. */
HMM static void narrow(const uint32_t *w, size_t stride, uint16_t *h)
{
    const __m256i short_max = _mm256_set1_epi16(BBANS_SHORT_MAX);
    size_t k;

    for (k = 0; k < stride; k += 16) {
        const __m256i halves = packed(_mm256_srli_epi32(LOAD16(w + k), 16),
                                      _mm256_srli_epi32(LOAD16(w + k + 8), 16));

        STORE16(h + k,
                _mm256_min_epu16(_mm256_avg_epu16(halves, ZERO16), short_max));
    }
}

/* Columns k .. k + 16 n - 1 of a sum of rows, two at a time; unpacking gives
 * elements 0 to 3 and 8 to 11 of 16, and the others. */
#define SUM_ROWS(n)                                                            \
    do {                                                                       \
        __m256i low[n], high[n];                                               \
        size_t v;                                                              \
        BBANS_UNROLLED                                                         \
        for (v = 0; v < (n); v++)                                              \
            low[v] = high[v] = ZERO16;                                         \
        for (z = 0; z < states; z += 2) {                                      \
            const uint16_t *row = a + z * stride + k;                          \
            const uint16_t *next = z + 1 < states ? row + stride : row;        \
            const __m256i pair =                                               \
                _mm256_set1_epi32((int)((uint32_t)h[z + 1] << 16 | h[z]));     \
            if ((h[z] | h[z + 1]) == 0)                                        \
                continue;                                                      \
            BBANS_UNROLLED                                                     \
            for (v = 0; v < (n); v++) {                                        \
                const __m256i r = LOAD16(row + 16 * v);                        \
                const __m256i s = LOAD16(next + 16 * v);                       \
                ADD_PRODUCTS16(low[v], _mm256_unpacklo_epi16(r, s), pair);     \
                ADD_PRODUCTS16(high[v], _mm256_unpackhi_epi16(r, s), pair);    \
            }                                                                  \
        }                                                                      \
        BBANS_UNROLLED                                                         \
        for (v = 0; v < (n); v++) {                                            \
            STORE16(p + k + 16 * v,                                            \
                    _mm256_permute2x128_si256(low[v], high[v], 0x20));         \
            STORE16(p + k + 16 * v + 8,                                        \
                    _mm256_permute2x128_si256(low[v], high[v], 0x31));         \
        }                                                                      \
        k += 16 * (n);                                                         \
    } while (0)

HMM static void down(const uint16_t *a, size_t states, size_t stride,
                     const uint32_t *g, uint32_t least, uint32_t *p)
{
    uint16_t h[BBANS_STATES_MAX]; /* 0 from `states` on, as g is */
    size_t z, k = 0;

    narrow(g, stride, h);
    while (k + 64 <= stride)
        SUM_ROWS(4);
    while (k < stride)
        SUM_ROWS(1);
    for (k = 0; k < states; k++)
        if (p[k] < least)
            p[k] = least;
}
