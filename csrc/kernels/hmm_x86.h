/* A template: the kernels of hidden Markov models for vectors V of WIDTH
 * numbers of 32 bits.  hmm_avx2.c and hmm_avx512.c define the operations, and
 * HMM, the attribute of what uses them.
 *
 * SPDX-License-Identifier: MIT */

#define INLINED HMM __attribute__((always_inline))

/* The 64-bit products of the even and the odd elements. */
#define EVEN(a, b) MUL(a, b)
#define ODD(a, b) MUL(SRL(a, 32), SRL(b, 32))

#define LOAD_PAIRS8(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define STORE_PAIRS8(p, v) _mm256_storeu_si256((__m256i *)(void *)(p), (v))

/* Products of all states, even ones and odd ones in turn; returns their sum. */
INLINED static inline uint64_t multiply(const uint32_t *a, const uint32_t *b,
                                        size_t stride, V *product)
{
    V sum = ZERO;
    size_t i;

    for (i = 0; i < stride; i += WIDTH, product += 2) {
        const V u = LOAD(a + i), v = b == NULL ? SET32(1) : LOAD(b + i);

        product[0] = EVEN(u, v);
        product[1] = ODD(u, v);
        sum = ADD64(sum, ADD64(product[0], product[1]));
    }
    return SUM64(sum);
}

#define PRODUCTS (2 * BBANS_STATES_MAX / WIDTH)

/* They scaled by a power of two: even ones go right, odd ones into the upper
 * halves, by 32 bits more to the left.  `right` is in 0 .. 32, but for weights
 * that the portable kernels serve. */
typedef struct {
    V right, left;
} shifts;

HMM static inline int shifts_of(uint64_t sum, int bits, shifts *s)
{
    const uint64_t right = (uint64_t)(bbans_bit_length(sum) - bits);

    s->right = SET64((long long)right);
    s->left = SET64((long long)(32 - right));
    return right <= 32;
}

HMM static inline V scaled_products(const V *product, const shifts *s)
{
    return UPPER_OF(SLL_EACH(product[1], s->left),
                    SRL_EACH(product[0], s->right));
}

/* ---- Filter -------------------------------------------------------------- */

/* min(32767, ((w >> 16) + 1) >> 1) of 16 filtered weights: the average with 0
 * rounds up. */
HMM static inline __m256i shortened(const V *w)
{
    return _mm256_min_epu16(
        _mm256_avg_epu16(UPPER_HALVES(w), _mm256_setzero_si256()),
        _mm256_set1_epi16(BBANS_SHORT_MAX));
}

INLINED static inline void weigh_of(uint32_t *predicted,
                                    const uint32_t *emitting, size_t stride,
                                    uint32_t *filtered)
{
    V product[PRODUCTS];
    shifts s;
    size_t i, v;

    if (!shifts_of(multiply(predicted, emitting, stride, product),
                   BBANS_FILTER_BITS, &s)) {
        bbans_hmm_portable.weigh(predicted, emitting, stride, filtered);
        return;
    }
    for (i = 0; i < stride; i += 16) {
        V w[16 / WIDTH];

        BBANS_UNROLLED
        for (v = 0; v < 16 / WIDTH; v++) {
            w[v] = scaled_products(product + 2 * (i / WIDTH + v), &s);
            STORE(filtered + i + WIDTH * v, w[v]);
        }
        STORE_PAIRS8(predicted + i / 2, shortened(w));
    }
}

/* Of 64 states, here and below, with all loops unrolled: up to a quarter less
 * work. */
HMM static inline void weigh(uint32_t *predicted, const uint32_t *emitting,
                             size_t stride, uint32_t *filtered)
{
    if (stride == 64)
        weigh_of(predicted, emitting, 64, filtered);
    else
        weigh_of(predicted, emitting, stride, filtered);
}

/* Short weights in pairs of states, and which pairs they are, if not all. */
typedef struct {
    uint32_t kept[STATE_PAIRS + N_PAIRS], list[STATE_PAIRS + N_PAIRS];
    const uint32_t *weight;
    size_t pairs;
    int dense;
} short_weights;

/* Move the pairs that have a weight to the front, and list which they are;
 * weight 0 pads them to an even number. */
HMM static void keep_active(const uint32_t *weight, short_weights *m)
{
    PAIRS pair = FIRST_PAIRS;
    size_t i, n = 0;

    for (i = 0; i < m->pairs; i += N_PAIRS) {
        const PAIRS w = LOAD_PAIRS(weight + i);
        const unsigned mask = ACTIVE(w);

        STORE_PAIRS(m->kept + n, COMPRESS(mask, w));
        STORE_PAIRS(m->list + n, COMPRESS(mask, pair));
        n += (size_t)__builtin_popcount(mask);
        pair = NEXT_PAIRS(pair);
    }
    if (n % 2 != 0) {
        m->kept[n] = 0;
        m->list[n++] = 0;
    }
    m->pairs = n;
}

/* All pairs, unless a quarter of them has no weight.  Where all columns are
 * predicted at once the weights are read before, and can stay where they are.
 */
HMM static inline void read_pairs(const uint32_t *weight, size_t stride,
                                  short_weights *m)
{
    const int at_once = stride == 16 || stride == BBANS_TILE;
    size_t i, idle = 0;

    m->pairs = stride / 2;
    for (i = 0; i < m->pairs; i += 8)
        idle += (size_t)__builtin_popcount(ZEROS(LOAD_PAIRS8(weight + i)));
    m->dense = 4 * idle < m->pairs;
    m->weight = m->dense && at_once ? weight : m->kept;
    if (!m->dense)
        keep_active(weight, m);
    else if (!at_once)
        memcpy(m->kept, weight, m->pairs * sizeof *weight);
}

/* So many columns of sum_i m_i Ah_ij from column k of a tile on, two pairs of
 * states at a time into SUMS sums, for n sequences that share the loads.  All
 * counts are constants. */
INLINED static inline void predict_columns(const int16_t *tile, size_t width,
                                           size_t columns, size_t n, int dense,
                                           const short_weights *m, V least,
                                           uint32_t *const *predicted, size_t j)
{
    V acc[2][SUMS][BBANS_TILE / WIDTH];
    const size_t pairs = m->pairs;
    size_t a, v, q, u;

    BBANS_UNROLLED
    for (q = 0; q < n; q++)
        BBANS_UNROLLED
    for (u = 0; u < SUMS; u++)
        BBANS_UNROLLED
    for (v = 0; v < columns / WIDTH; v++)
        acc[q][u][v] = ZERO;
    for (a = 0; a < pairs; a += 2) {
        const int16_t *row0 = tile + 2 * width * (dense ? a : m->list[a]);
        const int16_t *row1 =
            tile + 2 * width * (dense ? a + 1 : m->list[a + 1]);

        BBANS_UNROLLED
        for (v = 0; v < columns / WIDTH; v++) {
            const V r0 = LOAD(row0 + 2 * WIDTH * v);
            const V r1 = LOAD(row1 + 2 * WIDTH * v);

            BBANS_UNROLLED
            for (q = 0; q < n; q++)
                ADD_PRODUCTS(acc[q], v, r0, SET32((int)m[q].weight[a]), r1,
                             SET32((int)m[q].weight[a + 1]));
        }
    }
    BBANS_UNROLLED
    for (q = 0; q < n; q++)
        BBANS_UNROLLED
    for (v = 0; v < columns / WIDTH; v++)
        STORE(predicted[q] + j + WIDTH * v, MAX32(SUM_OF(acc[q], v), least));
}

/* The weights of n sequences, whose pairs are the same if n = 2: all. */
INLINED static inline void predict_tiles(const bbans_hmm *hmm,
                                         const short_weights *m, size_t n,
                                         int dense, uint32_t *const *predicted)
{
    const size_t stride = hmm->stride, most = BBANS_TILE / n;
    const V least = SET32((int)hmm->floor);
    size_t j, k;

    for (j = 0; j < stride; j += BBANS_TILE) {
        const size_t width = bbans_tile_width(stride, j);
        const int16_t *tile = hmm->short_pairs + bbans_tile_row(stride, j, 0);

        if (width == BBANS_TILE)
            for (k = 0; k < BBANS_TILE; k += most)
                predict_columns(tile + 2 * k, BBANS_TILE, most, n, dense, m,
                                least, predicted, j + k);
        else
            for (k = 0; k < width; k += 16)
                predict_columns(tile + 2 * k, width, 16, n, dense, m, least,
                                predicted, j + k);
    }
}

HMM static inline void predict_one(const bbans_hmm *hmm, const short_weights *m,
                                   uint32_t *predicted)
{
    if (m->dense)
        predict_tiles(hmm, m, 1, 1, &predicted);
    else
        predict_tiles(hmm, m, 1, 0, &predicted);
}

HMM static void predict(const bbans_hmm *hmm, uint32_t *const *predicted,
                        size_t n)
{
    short_weights m[2];
    size_t q;

    for (q = 0; q < n; q++)
        read_pairs(predicted[q], hmm->stride, &m[q]);
    if (n == 2 && hmm->stride >= SHARED_STRIDE && m[0].dense && m[1].dense)
        predict_tiles(hmm, m, 2, 1, predicted);
    else
        for (q = 0; q < n; q++)
            predict_one(hmm, &m[q], predicted[q]);
}

HMM static void filter(const bbans_hmm *hmm, const uint32_t *emitting,
                       uint32_t *predicted, uint32_t *filtered)
{
    short_weights m;

    weigh(predicted, emitting, hmm->stride, filtered);
    read_pairs(predicted, hmm->stride, &m);
    predict_one(hmm, &m, predicted);
}

/* ---- Posterior ----------------------------------------------------------- */

/* The weights v of the posterior and their running sums.  N comes first: the
 * caller divides by it while these are made. */
INLINED static inline uint32_t posterior_of(const uint32_t *filtered,
                                            const uint32_t *into, size_t stride,
                                            uint32_t *edge)
{
    V product[PRODUCTS], below = ZERO, total = below;
    const size_t vectors = stride / WIDTH;
    shifts s;
    uint32_t n;
    size_t i;

    if (!shifts_of(multiply(filtered, into, stride, product),
                   BBANS_POSTERIOR_BITS, &s))
        return bbans_hmm_portable.posterior(filtered, into, stride, edge);
    for (i = 0; i < vectors; i++) {
        product[i] = scaled_products(product + 2 * i, &s);
        total = ADD32(total, product[i]);
    }
    n = SUM32(total);
    edge[0] = 0;
    for (i = 0; i < vectors; i++) {
        const V v = running_sums(product[i]);

        STORE(edge + 1 + WIDTH * i, ADD32(v, below));
        /* The chain from vector to vector is one addition. */
        below = ADD32(below, LAST(v));
    }
    return n;
}

HMM static uint32_t posterior(const uint32_t *filtered, const uint32_t *into,
                              size_t stride, uint32_t *edge)
{
    return stride == 64 ? posterior_of(filtered, into, 64, edge)
                        : posterior_of(filtered, into, stride, edge);
}

/* The sum of the weights before state i, and of all. */
INLINED static inline uint32_t interval_of(const uint32_t *filtered,
                                           const uint32_t *into, size_t stride,
                                           size_t i, uint32_t *start,
                                           uint32_t *freq)
{
    const V next = SET32(WIDTH), end = SET32((int)i);
    V product[PRODUCTS], state = PLACES, total = ZERO, below = total;
    const uint64_t sum = multiply(filtered, into, stride, product);
    shifts s;
    size_t k;

    if (!shifts_of(sum, BBANS_POSTERIOR_BITS, &s))
        return bbans_hmm_portable.interval(filtered, into, stride, i, start,
                                           freq);
    for (k = 0; k < stride; k += WIDTH) {
        const V v = scaled_products(product + 2 * (k / WIDTH), &s);

        total = ADD32(total, v);
        below = ADD32_IF_ABOVE(end, state, below, v);
        state = ADD32(state, next);
    }
    *start = SUM32(below);
    *freq = bbans_scaled((uint64_t)filtered[i] * (into == NULL ? 1 : into[i]),
                         bbans_bit_length(sum) - BBANS_POSTERIOR_BITS);
    return SUM32(total);
}

HMM static uint32_t interval(const uint32_t *filtered, const uint32_t *into,
                             size_t stride, size_t i, uint32_t *start,
                             uint32_t *freq)
{
    return stride == 64 ? interval_of(filtered, into, 64, i, start, freq)
                        : interval_of(filtered, into, stride, i, start, freq);
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
