/* The kernels of networks, a template for vectors of any width; equal to
 * network_portable.c bit for bit.  Before it come
 *
 *   NETWORK                the instruction set, as a function attribute
 *   V, WIDTH               a vector, and how many int16_t it has
 *   ITEMS                  windows at a time: as many as there are registers
 *                          for their sums
 *   ZERO, LOAD, LOAD_BYTES, AND
 *                          LOAD_BYTES widens to int16_t
 *   ADD_PRODUCTS(sum, v, w) pairs of products, added to sums of int32_t
 *   HALF(sum)              its two halves, or more, added as a __m256i
 *
 * SPDX-License-Identifier: MIT */

#define INLINED NETWORK __attribute__((always_inline))
#define BY_ITSELF NETWORK __attribute__((noinline))
#define ROWS 4
#define WINDOWS 24 /* at a time, even and a multiple of ITEMS */
#define LOAD_128(p) _mm_loadu_si128((const __m128i *)(const void *)(p))
#define LOAD_256(p) _mm256_loadu_si256((const __m256i *)(const void *)(p))

/* R(v, shift), clipped to the range, for elements whose products v are below
 * 2^57 either side of 0: (v + 2^62 + 2^(shift - 1)) / 2^shift - 2^(62 - shift),
 * where nothing is negative.  [0] is of even elements, [1] of odd ones. */
typedef struct {
    __m256i shift[2], offset[2], back[2], low, high;
    int fits; /* results fit 32 bits before they are clipped */
} requantiser;

INLINED static inline requantiser requantiser_of(const bbans_node *node,
                                                 __m256i shift, int fits)
{
    const __m256i one = _mm256_set1_epi64x(1);
    const __m256i top = _mm256_set1_epi64x((int64_t)1 << 62);
    requantiser q;
    int i;

    q.shift[0] = _mm256_and_si256(shift, _mm256_set1_epi64x(UINT32_MAX));
    q.shift[1] = _mm256_srli_epi64(shift, 32);
    BBANS_UNROLLED
    for (i = 0; i < 2; i++) {
        q.offset[i] = _mm256_add_epi64(
            top, _mm256_sllv_epi64(one, _mm256_sub_epi64(q.shift[i], one)));
        q.back[i] = _mm256_srlv_epi64(top, q.shift[i]);
    }
    q.low = _mm256_set1_epi32(node->low);
    q.high = _mm256_set1_epi32(node->high);
    q.fits = fits;
    return q;
}

INLINED static inline __m256i clipped(const requantiser *q, __m256i v)
{
    const __m256i low = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(q->low));
    const __m256i high = _mm256_cvtepi32_epi64(_mm256_castsi256_si128(q->high));

    v = _mm256_blendv_epi8(v, low, _mm256_cmpgt_epi64(low, v));
    return _mm256_blendv_epi8(v, high, _mm256_cmpgt_epi64(v, high));
}

INLINED static inline __m256i requantised(const requantiser *q, __m256i even,
                                          __m256i odd)
{
    __m256i v[2], both;
    int i;

    v[0] = even;
    v[1] = odd;
    BBANS_UNROLLED
    for (i = 0; i < 2; i++) {
        v[i] = _mm256_add_epi64(v[i], q->offset[i]);
        v[i] = _mm256_srlv_epi64(v[i], q->shift[i]);
        v[i] = _mm256_sub_epi64(v[i], q->back[i]);
        if (!q->fits)
            v[i] = clipped(q, v[i]);
    }
    both = _mm256_blend_epi32(v[0], _mm256_slli_epi64(v[1], 32), 0xaa);
    return _mm256_min_epi32(_mm256_max_epi32(both, q->low), q->high);
}

/* Products of even elements by those of f, or of odd ones: those of a vector
 * that is shifted. */
#define TIMES _mm256_mul_epi32
#define ODD(v) _mm256_srli_epi64((v), 32)

/* Rows of an AFFINE; there are at least one, and the first stands for those
 * that there are not.  Vectors are of the rows twice, for two windows. */
typedef struct {
    const uint8_t *weight[ROWS];
    size_t length;                   /* at least WIDTH: or else           */
    uint8_t padded[ROWS][2 * WIDTH]; /* short rows, with zeros behind     */
    size_t rows;
    __m256i bias, multiplier;
    requantiser rule;
} block;

INLINED static inline void start_block(block *b, const bbans_node *node,
                                       size_t row, size_t length)
{
    const size_t bytes = length * (node->weight_type == BBANS_I8 ? 1 : 2);
    const int32_t *bias = node->bias + row;
    const int32_t *multiplier = node->multiplier + row;
    const uint8_t *row_shift = node->row_shift + row;
    int32_t some_bias[ROWS], some_multiplier[ROWS], shift;
    uint8_t some_shift[ROWS];
    __m256i shifts, above;
    size_t i, r;

    b->rows = node->channels - row < ROWS ? node->channels - row : ROWS;
    for (i = 0; i < ROWS; i++)
        b->weight[i] = (const uint8_t *)node->weight +
                       (row + (i < b->rows ? i : 0)) * bytes;
    b->length = length;
    if (length < WIDTH) {
        memset(b->padded, 0, sizeof b->padded);
        for (i = 0; i < ROWS; i++) {
            memcpy(b->padded[i], b->weight[i], bytes);
            b->weight[i] = b->padded[i];
        }
        b->length = WIDTH;
    }
    if (b->rows < ROWS) {
        for (i = 0; i < ROWS; i++) {
            r = i < b->rows ? i : 0;
            some_bias[i] = bias[r];
            some_multiplier[i] = multiplier[r];
            some_shift[i] = row_shift[r];
        }
        bias = some_bias;
        multiplier = some_multiplier;
        row_shift = some_shift;
    }
    memcpy(&shift, row_shift, sizeof shift);
    shifts = _mm256_broadcastsi128_si256(
        _mm_cvtepu8_epi32(_mm_cvtsi32_si128(shift)));
    b->bias = _mm256_broadcastsi128_si256(LOAD_128(bias));
    b->multiplier = _mm256_broadcastsi128_si256(LOAD_128(multiplier));
    /* A sum is below 2^31, and so is its product with a factor below 1. */
    above = _mm256_srlv_epi32(b->multiplier, shifts);
    b->rule = requantiser_of(node, shifts, _mm256_testz_si256(above, above));
}

/* Add the products of WIDTH elements from k on, those that the mask has. */
INLINED static inline void add_products(V sum[ROWS][ITEMS], const block *b,
                                        int type, const int16_t *a,
                                        size_t stride, size_t items, size_t k,
                                        const V *mask)
{
    V v[ITEMS], w;
    size_t i, r;

    BBANS_UNROLLED
    for (i = 0; i < items; i++) {
        v[i] = LOAD(a + i * stride + k);
        if (mask != NULL)
            v[i] = AND(v[i], *mask);
    }
    BBANS_UNROLLED
    for (r = 0; r < ROWS; r++) {
        w = type == BBANS_I8 ? LOAD_BYTES(b->weight[r] + k)
                             : LOAD(b->weight[r] + 2 * k);
        BBANS_UNROLLED
        for (i = 0; i < items; i++)
            ADD_PRODUCTS(sum[r][i], v[i], w);
    }
}

/* Of elements 0 and 2 and of 1 and 3 of each half of v and w, by turns. */
INLINED static inline __m256i sums_of_pairs(__m256i v, __m256i w)
{
    return _mm256_add_epi32(_mm256_unpacklo_epi32(v, w),
                            _mm256_unpackhi_epi32(v, w));
}

/* The rows' sums, without bias, for these windows. */
INLINED static inline void find_sums(const block *b, int type, const int16_t *a,
                                     size_t stride, size_t items,
                                     __m128i *total)
{
    static const int16_t masks[2 * WIDTH] = {MASKS};
    const size_t rest = b->length % WIDTH, whole = b->length - rest;
    V sum[ROWS][ITEMS];
    size_t i, r, k;

    BBANS_UNROLLED
    for (r = 0; r < ROWS; r++) {
        BBANS_UNROLLED
        for (i = 0; i < items; i++)
            sum[r][i] = ZERO;
    }
    for (k = 0; k < whole; k += WIDTH)
        add_products(sum, b, type, a, stride, items, k, NULL);
    if (rest > 0) { /* the last WIDTH elements, some of which were added */
        const V mask = LOAD(masks + rest);

        add_products(sum, b, type, a, stride, items, b->length - WIDTH, &mask);
    }
    BBANS_UNROLLED
    for (i = 0; i < items; i++) {
        const __m256i two = sums_of_pairs(HALF(sum[0][i]), HALF(sum[1][i]));
        const __m256i four = sums_of_pairs(HALF(sum[2][i]), HALF(sum[3][i]));
        const __m256i rows = _mm256_add_epi32(_mm256_unpacklo_epi64(two, four),
                                              _mm256_unpackhi_epi64(two, four));

        total[i] = _mm_add_epi32(_mm256_castsi256_si128(rows),
                                 _mm256_extracti128_si256(rows, 1));
    }
}

INLINED static inline void find_any_sums(const block *b, int type,
                                         const int16_t *a, size_t stride,
                                         size_t items, __m128i *total)
{
    if (type == BBANS_I8)
        find_sums(b, BBANS_I8, a, stride, items, total);
    else
        find_sums(b, BBANS_I16, a, stride, items, total);
}

/* The results of two windows. */
INLINED static inline __m256i results(const block *b, __m256i total)
{
    const __m256i v = _mm256_add_epi32(total, b->bias);

    return requantised(&b->rule, TIMES(v, b->multiplier),
                       TIMES(ODD(v), ODD(b->multiplier)));
}

INLINED static inline void store(uint8_t *out, int is_short, size_t rows,
                                 __m128i v)
{
    int32_t value[ROWS];
    const size_t size = is_short ? sizeof(int16_t) : sizeof(int32_t);

    if (is_short)
        v = _mm_packs_epi32(v, v);
    if (rows < ROWS) {
        _mm_storeu_si128((__m128i *)(void *)value, v);
        memcpy(out, value, rows * size);
    } else if (is_short) {
        _mm_storel_epi64((__m128i *)(void *)out, v);
    } else {
        _mm_storeu_si128((__m128i *)(void *)out, v);
    }
}

/* By itself: what is in memory leaves the registers to the sums. */
BY_ITSELF static void run_windows(const block *b, const bbans_node *node,
                                  const int16_t *a, size_t stride, size_t n,
                                  uint8_t *out)
{
    const int is_short = bbans_is_short(node), type = node->weight_type;
    const size_t step = node->channels * (is_short ? 2 : 4);
    __m128i total[WINDOWS];
    size_t i;

    for (i = 0; i + ITEMS <= n; i += ITEMS)
        find_any_sums(b, type, a + i * stride, stride, ITEMS, total + i);
    for (; i < n; i++)
        find_any_sums(b, type, a + i * stride, stride, 1, total + i);
    if (n % 2 != 0)
        total[n] = _mm_setzero_si128();
    for (i = 0; i < n; i += 2, out += 2 * step) {
        const __m256i v = results(b, LOAD_256(total + i));

        store(out, is_short, b->rows, _mm256_castsi256_si128(v));
        if (i + 1 < n)
            store(out + step, is_short, b->rows,
                  _mm256_extracti128_si256(v, 1));
    }
}

INLINED static inline void run_window(const block *b, const bbans_node *node,
                                      const int16_t *a, uint8_t *out)
{
    __m128i total;

    find_any_sums(b, node->weight_type, a, 0, 1, &total);
    store(
        out, bbans_is_short(node), b->rows,
        _mm256_castsi256_si128(results(b, _mm256_broadcastsi128_si256(total))));
}

NETWORK static void affine(const bbans_node *node, size_t length,
                           const int16_t *a, size_t n, void *out)
{
    const size_t size =
        bbans_is_short(node) ? sizeof(int16_t) : sizeof(int32_t);
    const size_t step = node->channels * size;
    size_t row, i, count;
    block b;

    for (row = 0; row < node->channels; row += ROWS) {
        uint8_t *to = (uint8_t *)out + row * size;

        start_block(&b, node, row, length);
        if (n == 1)
            run_window(&b, node, a, to);
        for (i = 0; n > 1 && i < n; i += count) {
            count = n - i < WINDOWS ? n - i : WINDOWS;
            run_windows(&b, node, a + i * length, length, count, to + i * step);
        }
    }
}

NETWORK static void combine(const bbans_node *node, const int32_t *a,
                            const int32_t *b, size_t n, int32_t *out)
{
    const requantiser q =
        requantiser_of(node, _mm256_set1_epi32((int32_t)node->shift), 0);
    const __m256i f = _mm256_set1_epi32(node->factor[0]);
    const __m256i g = _mm256_set1_epi32(node->factor[1]);
    const int product = node->op == BBANS_OP_PRODUCT;
    size_t i;

    for (i = 0; i + 8 <= n; i += 8) {
        const __m256i u = LOAD_256(a + i), v = LOAD_256(b + i);
        const __m256i x = product ? _mm256_mullo_epi32(u, v) : u;
        const __m256i even = _mm256_add_epi64(TIMES(x, f), TIMES(v, g));
        const __m256i odd =
            _mm256_add_epi64(TIMES(ODD(x), f), TIMES(ODD(v), g));

        _mm256_storeu_si256((__m256i *)(void *)(out + i),
                            requantised(&q, even, odd));
    }
    bbans_network_portable.combine(node, a + i, b + i, n - i, out + i);
}
