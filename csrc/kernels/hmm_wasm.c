/* WebAssembly kernels, by its vectors of 128 bits; equal to hmm_portable.c bit
 * for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_WASM
#include <wasm_simd128.h>

static inline v128_t into_at(const uint32_t *into, size_t i)
{
    return into == NULL ? wasm_u32x4_const_splat(1) : wasm_v128_load(into + i);
}

static inline uint64_t product_sum(const uint32_t *a, const uint32_t *b,
                                   size_t n)
{
    v128_t sum = wasm_u64x2_const_splat(0);
    size_t i;

    for (i = 0; i < n; i += 4) {
        const v128_t u = wasm_v128_load(a + i), v = into_at(b, i);

        sum = wasm_i64x2_add(sum, wasm_u64x2_extmul_low_u32x4(u, v));
        sum = wasm_i64x2_add(sum, wasm_u64x2_extmul_high_u32x4(u, v));
    }
    return wasm_u64x2_extract_lane(sum, 0) + wasm_u64x2_extract_lane(sum, 1);
}

/* Products shifted by `right`, which is nearly always positive: so each loop
 * exists for either direction. */
static inline v128_t shifted(v128_t v, int right, int left)
{
    return left ? wasm_i64x2_shl(v, (uint32_t)-right)
                : wasm_u64x2_shr(v, (uint32_t)right);
}

static inline v128_t scaled(v128_t a, v128_t b, int right, int left)
{
    return wasm_i32x4_shuffle(
        shifted(wasm_u64x2_extmul_low_u32x4(a, b), right, left),
        shifted(wasm_u64x2_extmul_high_u32x4(a, b), right, left), 0, 2, 4, 6);
}

static inline uint32_t sum_of_4(v128_t v)
{
    v = wasm_i32x4_add(v, wasm_i32x4_shuffle(v, v, 2, 3, 0, 1));
    return wasm_u32x4_extract_lane(v, 0) + wasm_u32x4_extract_lane(v, 1);
}

/* ---- Filter -------------------------------------------------------------- */

/* Filtered weights, and the short ones m, min(32767, ((w >> 16) + 1) >> 1): the
 * average with 0 rounds up. */
static inline void weigh_by(uint32_t *predicted, const uint32_t *emitting,
                            size_t stride, int right, int left,
                            uint32_t *filtered)
{
    size_t i, v;

    for (i = 0; i < stride; i += 8) {
        v128_t w[2];

        for (v = 0; v < 2; v++) {
            w[v] = scaled(wasm_v128_load(predicted + i + 4 * v),
                          wasm_v128_load(emitting + i + 4 * v), right, left);
            wasm_v128_store(filtered + i + 4 * v, w[v]);
            w[v] = wasm_u32x4_shr(w[v], 16);
        }
        wasm_v128_store(
            predicted + i / 2,
            wasm_u16x8_min(wasm_u16x8_avgr(wasm_u16x8_narrow_i32x4(w[0], w[1]),
                                           wasm_u16x8_const_splat(0)),
                           wasm_u16x8_const_splat(BBANS_SHORT_MAX)));
    }
}

static void weigh(uint32_t *predicted, const uint32_t *emitting, size_t stride,
                  uint32_t *filtered)
{
    const int right =
        bbans_bit_length(product_sum(predicted, emitting, stride)) -
        BBANS_FILTER_BITS;

    if (right < 0)
        weigh_by(predicted, emitting, stride, right, 1, filtered);
    else
        weigh_by(predicted, emitting, stride, right, 0, filtered);
}

/* Four columns for each of `vectors` from this one of the tile on, by the pairs
 * of states that have a weight. */
static inline void predict_columns(const int16_t *column, size_t width,
                                   const int16_t *narrow,
                                   const uint16_t *active, size_t n_active,
                                   v128_t least, size_t vectors,
                                   uint32_t *predicted)
{
    v128_t sum[8];
    size_t a, v;

    BBANS_UNROLLED
    for (v = 0; v < vectors; v++)
        sum[v] = wasm_u32x4_const_splat(0);
    for (a = 0; a < n_active; a++) {
        const v128_t weights = wasm_v128_load32_splat(narrow + 2 * active[a]);
        const int16_t *row = column + 2 * width * active[a];

        BBANS_UNROLLED
        for (v = 0; v < vectors; v++)
            sum[v] = wasm_i32x4_add(
                sum[v],
                wasm_i32x4_dot_i16x8(wasm_v128_load(row + 8 * v), weights));
    }
    BBANS_UNROLLED
    for (v = 0; v < vectors; v++)
        wasm_v128_store(predicted + 4 * v, wasm_u32x4_max(sum[v], least));
}

static void predict_one(const bbans_hmm *hmm, uint32_t *predicted)
{
    const v128_t least = wasm_u32x4_splat(hmm->floor);
    const size_t stride = hmm->stride;
    int16_t narrow[BBANS_STATES_MAX];
    uint16_t active[BBANS_STATES_MAX / 2];
    size_t i, j, k, n = 0;

    memcpy(narrow, predicted, 2 * stride);
    for (i = 0; i < stride / 2; i++) {
        active[n] = (uint16_t)i;
        n += (narrow[2 * i] | narrow[2 * i + 1]) != 0;
    }
    for (j = 0; j < stride; j += BBANS_TILE) {
        const size_t width = bbans_tile_width(stride, j);
        const int16_t *tile = hmm->short_pairs + bbans_tile_row(stride, j, 0);

        for (k = 0; k + 32 <= width; k += 32)
            predict_columns(tile + 2 * k, width, narrow, active, n, least, 8,
                            predicted + j + k);
        if (k < width)
            predict_columns(tile + 2 * k, width, narrow, active, n, least, 4,
                            predicted + j + k);
    }
}

static void predict(const bbans_hmm *hmm, uint32_t *const *predicted, size_t n)
{
    size_t q;

    for (q = 0; q < n; q++)
        predict_one(hmm, predicted[q]);
}

static void filter(const bbans_hmm *hmm, const uint32_t *emitting,
                   uint32_t *predicted, uint32_t *filtered)
{
    weigh(predicted, emitting, hmm->stride, filtered);
    predict_one(hmm, predicted);
}

/* ---- Posterior ----------------------------------------------------------- */

static inline void accumulate(const uint32_t *filtered, const uint32_t *into,
                              size_t stride, int right, int left,
                              uint32_t *edge)
{
    const v128_t zero = wasm_u32x4_const_splat(0);
    v128_t below = zero;
    size_t i;

    edge[0] = 0;
    for (i = 0; i < stride; i += 4) {
        v128_t v =
            scaled(wasm_v128_load(filtered + i), into_at(into, i), right, left);

        v = wasm_i32x4_add(v, wasm_i32x4_shuffle(zero, v, 0, 4, 5, 6));
        v = wasm_i32x4_add(v, wasm_i32x4_shuffle(zero, v, 0, 1, 4, 5));
        wasm_v128_store(edge + 1 + i, wasm_i32x4_add(v, below));
        /* The chain from vector to vector is one addition. */
        below = wasm_i32x4_add(below, wasm_i32x4_shuffle(v, v, 3, 3, 3, 3));
    }
}

static uint32_t posterior(const uint32_t *filtered, const uint32_t *into,
                          size_t stride, uint32_t *edge)
{
    const int right = bbans_bit_length(product_sum(filtered, into, stride)) -
                      BBANS_POSTERIOR_BITS;

    if (right < 0)
        accumulate(filtered, into, stride, right, 1, edge);
    else
        accumulate(filtered, into, stride, right, 0, edge);
    return edge[stride];
}

/* The sum of the weights before state n, and of all. */
static inline uint32_t sum_before(const uint32_t *filtered,
                                  const uint32_t *into, size_t stride,
                                  int right, int left, size_t n,
                                  uint32_t *before)
{
    const v128_t end = wasm_u32x4_splat((uint32_t)n);
    v128_t state = wasm_u32x4_const(0, 1, 2, 3);
    v128_t total = wasm_u32x4_const_splat(0), below = total;
    size_t i;

    for (i = 0; i < stride; i += 4) {
        const v128_t v =
            scaled(wasm_v128_load(filtered + i), into_at(into, i), right, left);

        total = wasm_i32x4_add(total, v);
        below =
            wasm_i32x4_add(below, wasm_v128_and(v, wasm_i32x4_lt(state, end)));
        state = wasm_i32x4_add(state, wasm_u32x4_const_splat(4));
    }
    *before = sum_of_4(below);
    return sum_of_4(total);
}

static uint32_t interval(const uint32_t *filtered, const uint32_t *into,
                         size_t stride, size_t i, uint32_t *start,
                         uint32_t *freq)
{
    const int right = bbans_bit_length(product_sum(filtered, into, stride)) -
                      BBANS_POSTERIOR_BITS;

    *freq = bbans_scaled((uint64_t)filtered[i] * (into == NULL ? 1 : into[i]),
                         right);
    return right < 0 ? sum_before(filtered, into, stride, right, 1, i, start)
                     : sum_before(filtered, into, stride, right, 0, i, start);
}

static uint64_t dot(const uint32_t *weight, const uint32_t *value,
                    size_t stride)
{
    return product_sum(weight, value, stride);
}

/* ---- Contexts ------------------------------------------------------------ */

#define CONTEXTS
#define NUMBERS 8

/* Of many only those that a bisection leaves. */
static inline size_t below(const uint8_t *number, size_t n, uint32_t other,
                           size_t *hit)
{
    const v128_t v = wasm_u16x8_splat((uint16_t)other);
    size_t count = bbans_bisect_numbers(number, &n, other, 4 * NUMBERS);

    *hit = 0;
    number += 2 * count;
    for (; n >= NUMBERS; n -= NUMBERS, number += 2 * NUMBERS) {
        const v128_t w = wasm_v128_load(number);

        count +=
            (size_t)__builtin_popcount(wasm_i16x8_bitmask(wasm_u16x8_lt(w, v)));
        *hit |= wasm_v128_any_true(wasm_i16x8_eq(w, v));
    }
    for (; n > 0; n--, number += 2) {
        const uint32_t w = bbans_load_le16(number);

        count += w < other;
        *hit |= w == other;
    }
    return count;
}

#include "contexts.h"

#define LINEAR 64

static size_t rank(const uint32_t *edge, size_t n, uint32_t slot)
{
    const v128_t s = wasm_u32x4_splat(slot);
    v128_t count = wasm_u32x4_const_splat(0);
    size_t lo, i;

    lo = bbans_bisect(edge, &n, slot, LINEAR);
    edge += lo;
    for (i = 0; i + 4 <= n; i += 4) /* -1 for each that is not above; < 2^31 */
        count =
            wasm_i32x4_sub(count, wasm_i32x4_le(wasm_v128_load(edge + i), s));
    lo += sum_of_4(count);
    for (; i < n; i++)
        lo += edge[i] <= slot;
    return lo;
}

static void upper_weights(const uint32_t *weight, size_t stride, int16_t *h)
{
    size_t i;

    for (i = 0; i < stride; i += 8)
        wasm_v128_store(
            h + i, wasm_u16x8_narrow_i32x4(
                       wasm_u32x4_shr(wasm_v128_load(weight + i), 17),
                       wasm_u32x4_shr(wasm_v128_load(weight + i + 4), 17)));
}

static uint32_t short_dot(const int16_t *weight, const int16_t *value,
                          size_t stride)
{
    v128_t sum = wasm_i32x4_const_splat(0);
    size_t i;

    for (i = 0; i < stride; i += 8)
        sum = wasm_i32x4_add(sum,
                             wasm_i32x4_dot_i16x8(wasm_v128_load(weight + i),
                                                  wasm_v128_load(value + i)));
    return sum_of_4(sum);
}

#include "guess.h"

const bbans_hmm_kernels bbans_hmm_wasm = {.filter = filter,
                                          .weigh = weigh,
                                          .predict = predict,
                                          .posterior = posterior,
                                          .interval = interval,
                                          .dot = dot,
                                          .guess = guess,
                                          .walk = walk,
                                          .place = place,
                                          .rank = rank};
#endif
