/* A template, after hmm_x86.h and with its operations: the kernels of latent
 * trees.  Beside those, what includes it defines
 *
 *   OR64(v)       the bits of all numbers of 64 bits
 *   STORE_LOW(p, v)
 *                 the lower halves of these numbers
 *   ADD_PRODUCTS16(sum, a, b)
 *                 adds the products of 16 pairs of numbers of 16 bits, by twos,
 *                 to 8 sums
 *   ROWS, row_sums(row, stride, high, low)
 *                 the products of so many rows with the numbers of 30 bits
 *                 whose halves these are.  A mass of 2^15 is negative there,
 *                 but it is that of an only state, of which no weight says
 *                 anything
 *
 * SPDX-License-Identifier: MIT */

#define LOAD16(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE16(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))
#define ZERO16 _mm256_setzero_si256()

/* ---- Weights ------------------------------------------------------------- */

HMM static inline V shifted(V v, scaling s, int left)
{
    return left ? SLL_BY(v, s.count) : SRL_BY(v, s.count);
}

/* Results are below 2^32, so odd ones move into the upper halves. */
HMM static inline V scaled(V a, V b, scaling s, int left)
{
    return OR(shifted(EVEN(a, b), s, left),
              SLL(shifted(ODD(a, b), s, left), 32));
}

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

/* Matrices are too many for a cache, and come from the last to the first: that
 * of the node before is brought near. */
HMM static void up(const uint16_t *a, size_t states, size_t stride,
                   const uint32_t *u, uint32_t *f)
{
    uint16_t high[BBANS_STATES_MAX], low[BBANS_STATES_MAX];
    uint64_t m[BBANS_STATES_MAX];
    V all = ZERO;
    scaling s;
    size_t z, r;

    halve(u, stride, high, low);
    for (z = 0; z < states; z += ROWS) {
        const uint16_t *row[ROWS];
        V sums;

        BBANS_UNROLLED
        for (r = 0; r < ROWS; r++) { /* the last, where there are no more */
            row[r] = a + (z + r < states ? z + r : states - 1) * stride;
            bbans_prefetch(row[r], 0 - 2 * states * stride, 2 * stride);
        }
        sums = row_sums(row, stride, high, low);
        all = OR(all, sums);
        STORE(m + z, sums);
    }
    s = scaling_of(OR64(all), BBANS_MESSAGE_BITS);
    for (z = 0; z < states; z += ROWS) {
        const V v = LOAD(m + z);

        STORE_LOW(f + z, s.right < 0 ? SLL_BY(v, s.count) : SRL_BY(v, s.count));
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
