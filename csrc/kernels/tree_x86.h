/* A template, after hmm_x86.h and with its operations: the kernels of latent
 * trees.  Matrices go by vectors of 256 bits: rows are often no longer than a
 * few of them.  ADD_PRODUCTS16(sum, a, b) adds the products of 16 pairs of
 * neighbours to 8 sums.
 *
 * SPDX-License-Identifier: MIT */

#define LOAD16(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define ZERO16 _mm256_setzero_si256()

/* ---- Weights ------------------------------------------------------------- */

HMM static inline void absorb_by(uint32_t *u, const uint32_t *f, size_t stride,
                                 scaling s, int left)
{
    const V one = SET32(1);
    size_t i;

    for (i = 0; i < stride; i += WIDTH)
        STORE(u + i, MAX32(scaled(LOAD(u + i), LOAD(f + i), s, left), one));
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

/* min(32767, ((w >> 16) + 1) >> 1), as in the HMM's filter. */
HMM static inline __m256i narrowed(const uint32_t *w)
{
    const __m256i halves = _mm256_permute4x64_epi64(
        _mm256_packus_epi32(_mm256_srli_epi32(LOAD16(w), 16),
                            _mm256_srli_epi32(LOAD16(w + 8), 16)),
        0xd8);

    return _mm256_min_epu16(_mm256_avg_epu16(halves, ZERO16),
                            _mm256_set1_epi16(BBANS_SHORT_MAX));
}

HMM static void narrow(const uint32_t *w, size_t stride, int least, uint16_t *h)
{
    const __m256i floor = _mm256_set1_epi16((short)least);
    size_t k;

    for (k = 0; k < stride; k += 16)
        _mm256_storeu_si256((__m256i *)(void *)(h + k),
                            _mm256_max_epi16(narrowed(w + k), floor));
}

/* ---- Matrices ------------------------------------------------------------ */

/* sum[i] of each becomes element i of one. */
HMM static inline __m256i sums_of(const __m256i *sum)
{
    const __m256i low = _mm256_hadd_epi32(_mm256_hadd_epi32(sum[0], sum[1]),
                                          _mm256_hadd_epi32(sum[2], sum[3]));
    const __m256i high = _mm256_hadd_epi32(_mm256_hadd_epi32(sum[4], sum[5]),
                                           _mm256_hadd_epi32(sum[6], sum[7]));

    return _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                            _mm256_permute2x128_si256(low, high, 0x31));
}

HMM static void up(const uint16_t *a, size_t states, size_t stride,
                   const uint32_t *u, uint32_t *m)
{
    uint16_t h[BBANS_STATES_MAX];
    size_t z, k, r;

    narrow(u, stride, 1, h);
    for (z = 0; z + 8 <= states; z += 8, a += 8 * stride) {
        __m256i sum[8];

        BBANS_UNROLLED
        for (r = 0; r < 8; r++)
            sum[r] = ZERO16;
        for (k = 0; k < stride; k += 16) {
            const __m256i v = LOAD16(h + k);

            BBANS_UNROLLED
            for (r = 0; r < 8; r++)
                ADD_PRODUCTS16(sum[r], LOAD16(a + r * stride + k), v);
        }
        _mm256_storeu_si256((__m256i *)(void *)(m + z), sums_of(sum));
    }
    for (; z < states; z++, a += stride) {
        __m256i sum = ZERO16;

        for (k = 0; k < stride; k += 16)
            ADD_PRODUCTS16(sum, LOAD16(a + k), LOAD16(h + k));
        m[z] = bbans_sum_of_8(sum);
    }
    for (; z < stride; z++)
        m[z] = 0;
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
            _mm256_storeu_si256(                                               \
                (__m256i *)(void *)(p + k + 16 * v),                           \
                _mm256_permute2x128_si256(low[v], high[v], 0x20));             \
            _mm256_storeu_si256(                                               \
                (__m256i *)(void *)(p + k + 16 * v + 8),                       \
                _mm256_permute2x128_si256(low[v], high[v], 0x31));             \
        }                                                                      \
        k += 16 * (n);                                                         \
    } while (0)

HMM static void down(const uint16_t *a, size_t states, size_t stride,
                     const uint32_t *g, uint32_t least, uint32_t *p)
{
    uint16_t h[BBANS_STATES_MAX]; /* 0 from `states` on, as g is */
    size_t z, k = 0;

    narrow(g, stride, 0, h);
    while (k + 64 <= stride)
        SUM_ROWS(4);
    while (k < stride)
        SUM_ROWS(1);
    for (k = 0; k < states; k++)
        if (p[k] < least)
            p[k] = least;
}
