/* NEON kernels; equal to hmm_portable.c bit for bit.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifdef BBANS_HAVE_NEON
#include <arm_neon.h>

static inline uint64_t product_sum(const uint32_t *a, const uint32_t *b,
                                   size_t n)
{
    uint64x2_t sum = vdupq_n_u64(0);
    size_t i;

    for (i = 0; i < n; i += 4) {
        const uint32x4_t u = vld1q_u32(a + i);
        const uint32x4_t v = b == NULL ? vdupq_n_u32(1) : vld1q_u32(b + i);

        sum = vmlal_u32(sum, vget_low_u32(u), vget_low_u32(v));
        sum = vmlal_high_u32(sum, u, v);
    }
    return vaddvq_u64(sum);
}

/* A left shift by a negative count is a right shift. */
static inline uint32x4_t scaled(uint32x4_t a, uint32x4_t b, int64x2_t left)
{
    const uint64x2_t low =
        vshlq_u64(vmull_u32(vget_low_u32(a), vget_low_u32(b)), left);
    const uint64x2_t high = vshlq_u64(vmull_high_u32(a, b), left);

    return vcombine_u32(vmovn_u64(low), vmovn_u64(high));
}

static void weigh(uint32_t *predicted, const uint32_t *emitting, size_t stride,
                  uint32_t *filtered)
{
    const int64x2_t left =
        vdupq_n_s64(BBANS_FILTER_BITS -
                    bbans_bit_length(product_sum(predicted, emitting, stride)));
    size_t i;

    for (i = 0; i < stride; i += 4) {
        const uint32x4_t w =
            scaled(vld1q_u32(predicted + i), vld1q_u32(emitting + i), left);
        const uint32x4_t m =
            vshrq_n_u32(vaddq_u32(vshrq_n_u32(w, 16), vdupq_n_u32(1)), 1);

        vst1q_u32(filtered + i, w);
        vst1_u32(predicted + i / 2, vreinterpret_u32_u16(vmovn_u32(vminq_u32(
                                        m, vdupq_n_u32(BBANS_SHORT_MAX)))));
    }
}

/* Weights of 15 bits, and the pairs of states that have any. */
typedef struct {
    int16_t narrow[BBANS_STATES_MAX];
    uint16_t active[BBANS_STATES_MAX / 2];
    size_t n_active;
} short_weights;

static void read_pairs(const uint32_t *pair, size_t stride, short_weights *m)
{
    size_t i;

    memcpy(m->narrow, pair, 2 * stride);
    m->n_active = 0;
    for (i = 0; i < stride / 2; i++) {
        m->active[m->n_active] = (uint16_t)i;
        m->n_active += pair[i] != 0;
    }
}

/* Sixteen columns from this one of a tile on, by the masses of a pair of
 * states, one of each in turn. */
static inline void add_products(int32x4_t *sum, const int16_t *row,
                                const int16_t *weight)
{
    size_t v;

    BBANS_UNROLLED
    for (v = 0; v < 4; v++) {
        const int16x4x2_t mass = vld2_s16(row + 8 * v);

        sum[v] = vmlal_n_s16(sum[v], mass.val[0], weight[0]);
        sum[v] = vmlal_n_s16(sum[v], mass.val[1], weight[1]);
    }
}

static void predict_one(const bbans_hmm *hmm, const short_weights *m,
                        uint32_t *predicted)
{
    const uint32x4_t least = vdupq_n_u32(hmm->floor);
    const size_t stride = hmm->stride;
    size_t j, a, v;

    for (j = 0; j < stride; j += 16) {
        const size_t k = j % BBANS_TILE; /* column within the tile */
        int32x4_t sum[4];

        BBANS_UNROLLED
        for (v = 0; v < 4; v++)
            sum[v] = vdupq_n_s32(0);
        for (a = 0; a < m->n_active; a++) {
            const size_t pair = m->active[a];

            add_products(sum,
                         hmm->short_pairs +
                             bbans_tile_row(stride, j - k, pair) + 2 * k,
                         m->narrow + 2 * pair);
        }
        BBANS_UNROLLED
        for (v = 0; v < 4; v++)
            vst1q_u32(predicted + j + 4 * v,
                      vmaxq_u32(vreinterpretq_u32_s32(sum[v]), least));
    }
}

/* Two sequences, which share the loads of the masses: worth it where these do
 * not fit the first cache, and most pairs have a weight. */
#define SHARED_STRIDE 256

static void predict_two(const bbans_hmm *hmm, const short_weights *m,
                        uint32_t *const *predicted)
{
    const uint32x4_t least = vdupq_n_u32(hmm->floor);
    const size_t stride = hmm->stride;
    size_t j, pair, v;

    for (j = 0; j < stride; j += 16) {
        const size_t k = j % BBANS_TILE;
        int32x4_t first[4], second[4];

        BBANS_UNROLLED
        for (v = 0; v < 4; v++)
            first[v] = second[v] = vdupq_n_s32(0);
        for (pair = 0; pair < stride / 2; pair++) {
            const int16_t *row =
                hmm->short_pairs + bbans_tile_row(stride, j - k, pair) + 2 * k;

            add_products(first, row, m[0].narrow + 2 * pair);
            add_products(second, row, m[1].narrow + 2 * pair);
        }
        BBANS_UNROLLED
        for (v = 0; v < 4; v++) {
            vst1q_u32(predicted[0] + j + 4 * v,
                      vmaxq_u32(vreinterpretq_u32_s32(first[v]), least));
            vst1q_u32(predicted[1] + j + 4 * v,
                      vmaxq_u32(vreinterpretq_u32_s32(second[v]), least));
        }
    }
}

static void predict(const bbans_hmm *hmm, uint32_t *const *predicted, size_t n)
{
    const size_t stride = hmm->stride;
    short_weights m[2];
    size_t q;

    for (q = 0; q < n; q++)
        read_pairs(predicted[q], stride, &m[q]);
    if (n == 2 && stride >= SHARED_STRIDE && 8 * m[0].n_active >= 3 * stride &&
        8 * m[1].n_active >= 3 * stride)
        predict_two(hmm, m, predicted);
    else
        for (q = 0; q < n; q++)
            predict_one(hmm, &m[q], predicted[q]);
}

static void filter(const bbans_hmm *hmm, const uint32_t *emitting,
                   uint32_t *predicted, uint32_t *filtered)
{
    weigh(predicted, emitting, hmm->stride, filtered);
    predict(hmm, &predicted, 1);
}

static uint32_t posterior(const uint32_t *filtered, const uint32_t *into,
                          size_t stride, uint32_t *edge)
{
    const uint32x4_t zero = vdupq_n_u32(0);
    const int64x2_t left =
        vdupq_n_s64(BBANS_POSTERIOR_BITS -
                    bbans_bit_length(product_sum(filtered, into, stride)));
    uint32x4_t below = zero;
    size_t i;

    edge[0] = 0;
    for (i = 0; i < stride; i += 4) {
        uint32x4_t v =
            scaled(vld1q_u32(filtered + i),
                   into == NULL ? vdupq_n_u32(1) : vld1q_u32(into + i), left);

        v = vaddq_u32(v, vextq_u32(zero, v, 3));
        v = vaddq_u32(v, vextq_u32(zero, v, 2));
        v = vaddq_u32(v, below);
        vst1q_u32(edge + 1 + i, v);
        below = vdupq_laneq_u32(v, 3);
    }
    return edge[stride];
}

static uint32_t interval(const uint32_t *filtered, const uint32_t *into,
                         size_t stride, size_t i, uint32_t *start,
                         uint32_t *freq)
{
    static const uint32_t first_four[4] = {0, 1, 2, 3};
    const int right = bbans_bit_length(product_sum(filtered, into, stride)) -
                      BBANS_POSTERIOR_BITS;
    const int64x2_t left = vdupq_n_s64(-right);
    const uint32x4_t end = vdupq_n_u32((uint32_t)i);
    uint32x4_t state = vld1q_u32(first_four);
    uint32x4_t total = vdupq_n_u32(0), below = total;
    size_t k;

    for (k = 0; k < stride; k += 4) {
        const uint32x4_t v =
            scaled(vld1q_u32(filtered + k),
                   into == NULL ? vdupq_n_u32(1) : vld1q_u32(into + k), left);

        total = vaddq_u32(total, v);
        below = vaddq_u32(below, vandq_u32(v, vcltq_u32(state, end)));
        state = vaddq_u32(state, vdupq_n_u32(4));
    }
    *start = vaddvq_u32(below);
    *freq = bbans_scaled((uint64_t)filtered[i] * (into == NULL ? 1 : into[i]),
                         right);
    return vaddvq_u32(total);
}

static uint64_t dot(const uint32_t *weight, const uint32_t *value,
                    size_t stride)
{
    return product_sum(weight, value, stride);
}

#define CONTEXTS
#define NUMBERS 8

/* Of many only those that a bisection leaves. */
static inline size_t below(const uint8_t *number, size_t n, uint32_t other,
                           size_t *hit)
{
    const uint16x8_t v = vdupq_n_u16((uint16_t)other);
    size_t count = bbans_bisect_numbers(number, &n, other, 4 * NUMBERS);

    *hit = 0;
    number += 2 * count;
    for (; n >= NUMBERS; n -= NUMBERS, number += 2 * NUMBERS) {
        const uint8x16_t bytes = vld1q_u8(number);
        const uint16x8_t w = vreinterpretq_u16_u8(bytes);

        count += vaddvq_u16(vshrq_n_u16(vcltq_u16(w, v), 15));
        *hit |= vmaxvq_u16(vceqq_u16(w, v)) != 0;
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
    uint32x4_t count = vdupq_n_u32(0);
    size_t lo, i;

    lo = bbans_bisect(edge, &n, slot, LINEAR);
    edge += lo;
    for (i = 0; i + 4 <= n; i += 4) /* -1 for each edge that is not above */
        count =
            vsubq_u32(count, vcleq_u32(vld1q_u32(edge + i), vdupq_n_u32(slot)));
    lo += vaddvq_u32(count);
    for (; i < n; i++)
        lo += edge[i] <= slot;
    return lo;
}

static void upper_weights(const uint32_t *weight, size_t stride, int16_t *h)
{
    size_t i;

    for (i = 0; i < stride; i += 4)
        vst1_s16(h + i, vreinterpret_s16_u16(
                            vmovn_u32(vshrq_n_u32(vld1q_u32(weight + i), 17))));
}

static uint32_t short_dot(const int16_t *weight, const int16_t *value,
                          size_t stride)
{
    int32x4_t even = vdupq_n_s32(0), odd = even;
    size_t i;

    for (i = 0; i < stride; i += 8) {
        const int16x8_t w = vld1q_s16(weight + i), v = vld1q_s16(value + i);

        even = vmlal_s16(even, vget_low_s16(w), vget_low_s16(v));
        odd = vmlal_high_s16(odd, w, v);
    }
    return (uint32_t)vaddvq_s32(vaddq_s32(even, odd));
}

#include "guess.h"

const bbans_hmm_kernels bbans_hmm_neon = {.filter = filter,
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
