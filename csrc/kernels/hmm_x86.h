/* A template: the kernels of hidden Markov models for vectors V of WIDTH
 * numbers of 32 bits.  hmm_avx2.c and hmm_avx512.c define the operations, and
 * HMM, the attribute of what uses them.
 *
 * SPDX-License-Identifier: MIT */

/* The 64-bit products of the even and the odd elements. */
#define EVEN(a, b) MUL(a, b)
#define ODD(a, b) MUL(SRL(a, 32), SRL(b, 32))

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

/* ---- Filter -------------------------------------------------------------- */

/* Filtered weights, and the short ones m in pairs.  Returns how many pairs are
 * 0. */
HMM static inline size_t weigh(const uint32_t *predicted,
                               const uint32_t *emitting, size_t stride,
                               scaling s, int left, uint32_t *filtered,
                               uint32_t *weights)
{
    const __m256i short_max = _mm256_set1_epi16(BBANS_SHORT_MAX);
    const __m256i zero = _mm256_setzero_si256();
    size_t i, v, idle = 0;

    for (i = 0; i < stride; i += 16) {
        V w[16 / WIDTH];
        __m256i m;

        for (v = 0; v < 16 / WIDTH; v++) {
            w[v] = scaled(LOAD(predicted + i + WIDTH * v),
                          LOAD(emitting + i + WIDTH * v), s, left);
            STORE(filtered + i + WIDTH * v, w[v]);
        }
        /* min(32767, ((w >> 16) + 1) >> 1): the average with 0 rounds up */
        m = _mm256_min_epu16(_mm256_avg_epu16(UPPER_HALVES(w), zero),
                             short_max);
        _mm256_storeu_si256((__m256i *)(void *)(weights + i / 2), m);
        idle += (size_t)__builtin_popcount(ZEROS(m));
    }
    return idle;
}

/* Move the pairs that have a weight to the front, and list which they are;
 * weight 0 pads them to an even number.  Returns that number. */
HMM static size_t keep_active(uint32_t *weights, uint32_t *list, size_t pairs)
{
    PAIRS pair = FIRST_PAIRS;
    size_t i, n = 0;

    for (i = 0; i < pairs; i += N_PAIRS) {
        const PAIRS w = LOAD_PAIRS(weights + i);
        const unsigned mask = ACTIVE(w);

        STORE_PAIRS(weights + n, COMPRESS(mask, w));
        STORE_PAIRS(list + n, COMPRESS(mask, pair));
        n += (size_t)__builtin_popcount(mask);
        pair = NEXT_PAIRS(pair);
    }
    if (n % 2 != 0) {
        weights[n] = 0;
        list[n++] = 0;
    }
    return n;
}

/* Columns j + k .. j + k + 16 - 1 or 64 - 1 of sum_i m_i Ah_ij, in the tile of
 * column j, two pairs of states at a time, into SUMS sums; PAIR(a) is the a-th
 * pair. */
#define DENSE(a) (a)
#define LISTED(a) (list[a])
#define PREDICT(columns, PAIR, n_pairs)                                        \
    do {                                                                       \
        V acc[SUMS][(columns) / WIDTH];                                        \
        size_t a, v;                                                           \
        for (v = 0; v < (columns) / WIDTH; v++)                                \
            for (a = 0; a < SUMS; a++)                                         \
                acc[a][v] = ZERO;                                              \
        for (a = 0; a < (n_pairs); a += 2) {                                   \
            const int16_t *row0 = tile + 2 * (width * PAIR(a) + k);            \
            const int16_t *row1 = tile + 2 * (width * PAIR(a + 1) + k);        \
            const V m0 = SET32((int)weights[a]);                               \
            const V m1 = SET32((int)weights[a + 1]);                           \
            for (v = 0; v < (columns) / WIDTH; v++)                            \
                ADD_PRODUCTS(acc, v, LOAD(row0 + 2 * WIDTH * v), m0,           \
                             LOAD(row1 + 2 * WIDTH * v), m1);                  \
        }                                                                      \
        for (v = 0; v < (columns) / WIDTH; v++)                                \
            STORE(predicted + j + k + WIDTH * v,                               \
                  MAX32(SUM_OF(acc, v), least));                               \
        k += (columns);                                                        \
    } while (0)

HMM static void filter(const bbans_hmm *hmm, const uint32_t *emitting,
                       uint32_t *predicted, uint32_t *filtered)
{
    const size_t stride = hmm->stride;
    const V least = SET32((int)hmm->floor);
    const size_t pairs = stride / 2;
    uint32_t weights[STATE_PAIRS + N_PAIRS], list[STATE_PAIRS + N_PAIRS];
    size_t i, j, idle, n = pairs;
    int dense;
    V sum = ZERO;
    scaling s;

    for (i = 0; i < stride; i += WIDTH) {
        const V p = LOAD(predicted + i), b = LOAD(emitting + i);

        sum = ADD64(sum, ADD64(EVEN(p, b), ODD(p, b)));
    }
    s = scaling_of(SUM64(sum), BBANS_FILTER_BITS);
    idle = s.right < 0
               ? weigh(predicted, emitting, stride, s, 1, filtered, weights)
               : weigh(predicted, emitting, stride, s, 0, filtered, weights);
    dense = 4 * idle < pairs;
    if (!dense)
        n = keep_active(weights, list, pairs);
    for (j = 0; j < stride; j += BBANS_TILE) {
        const size_t width = bbans_tile_width(stride, j);
        const int16_t *tile = hmm->short_pairs + bbans_tile_row(stride, j, 0);
        size_t k = 0;

        if (dense && width == BBANS_TILE)
            PREDICT(BBANS_TILE, DENSE, n);
        else if (dense)
            while (k < width)
                PREDICT(16, DENSE, n);
        else if (width == BBANS_TILE)
            PREDICT(BBANS_TILE, LISTED, n);
        else
            while (k < width)
                PREDICT(16, LISTED, n);
    }
}

/* ---- Posterior ----------------------------------------------------------- */

HMM static inline scaling posterior_scale(const uint32_t *filtered,
                                          const uint32_t *into, size_t stride)
{
    const V one = SET32(1);
    V sum = ZERO;
    size_t i;

    for (i = 0; i < stride; i += WIDTH) {
        const V w = LOAD(filtered + i);
        const V a = into == NULL ? one : LOAD(into + i);

        sum = ADD64(sum, ADD64(EVEN(w, a), ODD(w, a)));
    }
    return scaling_of(SUM64(sum), BBANS_POSTERIOR_BITS);
}

/* The weights v of the posterior and their running sums; returns N. */
HMM static inline uint32_t accumulate(const uint32_t *filtered,
                                      const uint32_t *into, size_t stride,
                                      scaling s, int left, uint32_t *edge)
{
    const V one = SET32(1);
    V below = ZERO, total = below;
    size_t i;

    edge[0] = 0;
    for (i = 0; i < stride; i += WIDTH) {
        V v = scaled(LOAD(filtered + i), into == NULL ? one : LOAD(into + i), s,
                     left);

        total = ADD32(total, v);
        v = running_sums(v);
        STORE(edge + 1 + i, ADD32(v, below));
        /* The chain from vector to vector is one addition. */
        below = ADD32(below, LAST(v));
    }
    return SUM32(total);
}

HMM static uint32_t posterior(const uint32_t *filtered, const uint32_t *into,
                              size_t stride, uint32_t *edge)
{
    const scaling s = posterior_scale(filtered, into, stride);

    return s.right < 0 ? accumulate(filtered, into, stride, s, 1, edge)
                       : accumulate(filtered, into, stride, s, 0, edge);
}

/* The sum of the weights before state n, and of all. */
HMM static inline uint32_t sum_before(const uint32_t *filtered,
                                      const uint32_t *into, size_t stride,
                                      scaling s, int left, size_t n,
                                      uint32_t *before)
{
    const V one = SET32(1), next = SET32(WIDTH), end = SET32((int)n);
    V state = PLACES, total = ZERO, below = total;
    size_t i;

    for (i = 0; i < stride; i += WIDTH) {
        const V v = scaled(LOAD(filtered + i),
                           into == NULL ? one : LOAD(into + i), s, left);

        total = ADD32(total, v);
        below = ADD32_IF_ABOVE(end, state, below, v);
        state = ADD32(state, next);
    }
    *before = SUM32(below);
    return SUM32(total);
}

HMM static uint32_t interval(const uint32_t *filtered, const uint32_t *into,
                             size_t stride, size_t i, uint32_t *start,
                             uint32_t *freq)
{
    const scaling s = posterior_scale(filtered, into, stride);

    *freq = bbans_scaled((uint64_t)filtered[i] * (into == NULL ? 1 : into[i]),
                         s.right);
    return s.right < 0 ? sum_before(filtered, into, stride, s, 1, i, start)
                       : sum_before(filtered, into, stride, s, 0, i, start);
}

HMM static uint64_t dot(const uint32_t *weight, const uint32_t *value,
                        size_t stride)
{
    V sum = ZERO;
    size_t i;

    for (i = 0; i < stride; i += WIDTH) {
        const V w = LOAD(weight + i), v = LOAD(value + i);

        sum = ADD64(sum, ADD64(EVEN(w, v), ODD(w, v)));
    }
    return SUM64(sum);
}
