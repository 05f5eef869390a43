/* Decisions under mixed contexts, portable: this file defines the results.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_logits.h"

/* Decisions of one value, of which the first has node 1: `given` is the leaf,
 * or a slot.  Returns the leaf.
 *
 * |logit| <= 1664 and |weight| <= 2^17: a sum of 8 products is below 2^31.  An
 * error is at most 2^12 in size, the rate below 2^7: with a logit below 2^30.
 */
static inline uint32_t decisions(bbans_mixed *m, unsigned depth, int decode,
                                 uint32_t given, bbans_span *span)
{
    const size_t width = BBANS_MIXED_WIDTH * m->vectors;
    uint32_t start = 0, left = (uint32_t)1 << BBANS_PREC_MAX, node = 1;
    unsigned below;

    for (below = depth; below-- > 0;) {
        const uint16_t *share = m->share[depth - below > 2];
        int32_t *weight = m->weight + node * width;
        int32_t logit[BBANS_MIXED_MAX], mixed = 0, error;
        uint32_t ones, zeros, bit;
        size_t i, v;

        for (v = 0; v < width; v += BBANS_MIXED_WIDTH) {
            int32_t sum = 0;

            for (i = v; i < v + BBANS_MIXED_WIDTH; i++) {
                logit[i] = bbans_logit_above[m->row[i][node] >>
                                             (16 - BBANS_LOGIT_CELLS)] -
                           BBANS_LOGIT_ZERO;
                sum += weight[i] * logit[i];
            }
            mixed += bbans_floor_16(sum);
        }
        ones = bbans_mass_of_one(mixed);
        zeros = bbans_zeros_of(left, (uint32_t)2 << below, ones);
        bit = decode ? given - start >= zeros : given >> below & 1;
        bbans_take_half(&start, &left, zeros, bit);
        error = ((int32_t)(bit << BBANS_ERROR_BITS) -
                 (int32_t)((ones + BBANS_ERROR_HALF) >> BBANS_ERROR_SHIFT)) *
                m->rate;
        for (i = 0; i < width; i++) {
            const int32_t w =
                weight[i] + bbans_floor_16(error * logit[i] + 0x8000);

            weight[i] = bbans_limited(w, BBANS_MIXED_LIMIT);
            bbans_learn(m->row[i] + node, share[i], bit);
        }
        node = 2 * node + bit;
    }
    span->start = start;
    span->end = start + left;
    return node - ((uint32_t)1 << depth);
}

static void encode(bbans_mixed *m, unsigned depth, uint32_t leaf,
                   bbans_span *span)
{
    decisions(m, depth, 0, leaf, span);
}

static uint32_t decode(bbans_mixed *m, unsigned depth, uint32_t slot,
                       bbans_span *span)
{
    return decisions(m, depth, 1, slot, span);
}

const bbans_residual_kernels bbans_residual_portable = {encode, decode};
