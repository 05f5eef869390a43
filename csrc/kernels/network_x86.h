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
#define LOAD_128(p) _mm_loadu_si128((const __m128i *)(const void *)(p))

/* R(v, shift) of 4 products below 2^57 either side of 0, clipped to the range:
 * (v + 2^62 + 2^(shift - 1)) / 2^shift - 2^(62 - shift), where nothing is
 * negative. */
typedef struct {
    __m256i shift, offset, back, low, high;
} requantiser;

INLINED static inline requantiser requantiser_of(const bbans_node *node,
                                                 __m256i shift)
{
    const __m256i one = _mm256_set1_epi64x(1);
    const __m256i top = _mm256_set1_epi64x((int64_t)1 << 62);
    requantiser q;

    q.shift = shift;
    q.offset = _mm256_add_epi64(
        top, _mm256_sllv_epi64(one, _mm256_sub_epi64(shift, one)));
    q.back = _mm256_srlv_epi64(top, shift);
    q.low = _mm256_set1_epi64x(node->low);
    q.high = _mm256_set1_epi64x(node->high);
    return q;
}

INLINED static inline __m128i requantised(const requantiser *q, __m256i v)
{
    v = _mm256_srlv_epi64(_mm256_add_epi64(v, q->offset), q->shift);
    v = _mm256_sub_epi64(v, q->back);
    v = _mm256_blendv_epi8(v, q->low, _mm256_cmpgt_epi64(q->low, v));
    v = _mm256_blendv_epi8(v, q->high, _mm256_cmpgt_epi64(v, q->high));
    return _mm256_castsi256_si128(_mm256_permutevar8x32_epi32(
        v, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6)));
}

/* Rows of an AFFINE; there are at least one, and the first stands for those
 * that there are not. */
typedef struct {
    const uint8_t *weight[ROWS];
    size_t length;                   /* at least WIDTH: or else           */
    uint8_t padded[ROWS][2 * WIDTH]; /* short rows, with zeros behind     */
    size_t rows;
    __m128i bias;
    __m256i multiplier;
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
    b->bias = LOAD_128(bias);
    b->multiplier = _mm256_cvtepi32_epi64(LOAD_128(multiplier));
    b->rule =
        requantiser_of(node, _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(shift)));
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

/* The rows' results for these windows. */
INLINED static inline void find_results(const block *b, int type,
                                        const int16_t *a, size_t stride,
                                        size_t items, __m128i *result)
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
        const __m128i total =
            _mm_add_epi32(_mm_add_epi32(b->bias, _mm256_castsi256_si128(rows)),
                          _mm256_extracti128_si256(rows, 1));

        result[i] =
            requantised(&b->rule, _mm256_mul_epi32(_mm256_cvtepi32_epi64(total),
                                                   b->multiplier));
    }
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

INLINED static inline void run_windows(const block *b, const bbans_node *node,
                                       const int16_t *a, size_t stride,
                                       size_t items, uint8_t *out)
{
    const int is_short = bbans_is_short(node);
    const size_t step = node->channels * (is_short ? 2 : 4);
    __m128i result[ITEMS];
    size_t i;

    if (node->weight_type == BBANS_I8)
        find_results(b, BBANS_I8, a, stride, items, result);
    else
        find_results(b, BBANS_I16, a, stride, items, result);
    BBANS_UNROLLED
    for (i = 0; i < items; i++, out += step)
        store(out, is_short, b->rows, result[i]);
}

/* By itself: what is in memory leaves the registers to the sums. */
BY_ITSELF static void run_block(const block *b, const bbans_node *node,
                                const int16_t *a, size_t stride, size_t n,
                                uint8_t *out)
{
    const size_t step = node->channels * (bbans_is_short(node) ? 2 : 4);
    size_t i;

    for (i = 0; i + ITEMS <= n; i += ITEMS)
        run_windows(b, node, a + i * stride, stride, ITEMS, out + i * step);
    for (; i < n; i++)
        run_windows(b, node, a + i * stride, stride, 1, out + i * step);
}

NETWORK static void affine(const bbans_node *node, size_t length,
                           const int16_t *a, size_t n, void *out)
{
    const size_t size =
        bbans_is_short(node) ? sizeof(int16_t) : sizeof(int32_t);
    uint8_t *to = (uint8_t *)out;
    size_t row;
    block b;

    for (row = 0; row < node->channels; row += ROWS, to += ROWS * size) {
        start_block(&b, node, row, length);
        if (n > 1)
            run_block(&b, node, a, length, n, to);
        else
            run_windows(&b, node, a, length, 1, to);
    }
}

NETWORK static void combine(const bbans_node *node, const int32_t *a,
                            const int32_t *b, size_t n, int32_t *out)
{
    const requantiser q =
        requantiser_of(node, _mm256_set1_epi64x((int64_t)node->shift));
    const __m256i f = _mm256_set1_epi64x(node->factor[0]);
    const __m256i g = _mm256_set1_epi64x(node->factor[1]);
    const int product = node->op == BBANS_OP_PRODUCT;
    size_t i;

    for (i = 0; i + 4 <= n; i += 4) {
        const __m128i u = LOAD_128(a + i), v = LOAD_128(b + i);
        const __m128i x = product ? _mm_mullo_epi32(u, v) : u;
        const __m256i y = _mm256_mul_epi32(_mm256_cvtepi32_epi64(v), g);

        _mm_storeu_si128(
            (__m128i *)(void *)(out + i),
            requantised(&q,
                        _mm256_add_epi64(
                            y, _mm256_mul_epi32(_mm256_cvtepi32_epi64(x), f))));
    }
    bbans_network_portable.combine(node, a + i, b + i, n - i, out + i);
}
