/* Decisions about bytes, portable: this file defines the results.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_logits.h"

/* 2^15 / (n + 1.5) for the n that what is coded adds to; then those of a prior.
 */
const int16_t bbans_mix_share[16] = {21845, 13107, 9362, 7281, 5957, 5041,
                                     4369,  3855,  3449, 3121, 2849, 2621,
                                     2427,  1365,  682,  256};

static inline int32_t logit_of(uint16_t slot)
{
    return bbans_logit_above[slot >> 4] - BBANS_LOGIT_ZERO;
}

/* p + (p' - p) share, p' being that of the bit, rounded: in 0 .. 2^12 - 1. */
static inline uint16_t learned(uint16_t slot, uint32_t bit)
{
    const int32_t p = slot >> 4, to = bit ? 4095 : 0;
    const unsigned seen = bbans_mix_seen(slot);
    const int32_t step = (to - p) * bbans_mix_share[seen] + 0x4000;

    return bbans_mix_slot(
        (uint32_t)(p + (step < 0 ? ~(~step >> 15) : step >> 15)),
        seen + (seen < BBANS_MIX_SEEN_MOST));
}

/* |logit| <= 1664 and |weight| <= 3 LIMIT < 2^17: a sum of 8 products is below
 * 2^31.  An error is at most 2^12 in size, the rate below 2^7: with a logit
 * below 2^30. */
static inline void decisions(bbans_mix *m, int decode, uint32_t given)
{
    const unsigned inputs = m->inputs, contexts = inputs - m->matches;
    unsigned below = m->node == 1 ? 8 : 4, end = below - 4, node_in_row = 1;

    while (below-- > end) {
        uint16_t none = BBANS_MIX_NEW, *slot[BBANS_MIX_MAX], was[BBANS_MIX_MAX];
        uint32_t flip[BBANS_MIX_MATCHES], ones, zeros, bit;
        int32_t logit[BBANS_MIX_MAX], *w[3], mixed = 0, error;
        unsigned i, k, v, states = 0;

        for (i = 0; i < contexts; i++) {
            slot[i] = m->row[i] + node_in_row;
            was[i] = *slot[i];
            logit[i] = logit_of(was[i]);
        }
        for (k = 0; k < m->matches; k++) {
            const int is = m->expected[k] >> (below + 1) == m->node;

            flip[k] = is && (m->expected[k] >> below & 1) == 0;
            m->state[k] = is ? m->state[k] : 0;
            states += m->state[k] << 2 * k;
            slot[contexts + k] = is ? m->match[k] : &none;
            was[contexts + k] = *slot[contexts + k];
            logit[contexts + k] =
                is ? (flip[k] ? -1 : 1) * logit_of(*m->match[k]) : 0;
        }
        w[0] = m->weight[0] + (size_t)inputs * states;
        w[1] = m->weight[1] + (size_t)inputs * m->node;
        w[2] = m->weight[2];
        for (v = 0; v < inputs; v += 8) {
            int32_t sum = 0;

            for (i = v; i < v + 8; i++)
                sum += (w[0][i] + w[1][i] + w[2][i]) * logit[i];
            mixed += bbans_floor_16(sum);
        }
        ones = bbans_mass_of_one(mixed);
        zeros = bbans_zeros_of(m->left, (uint32_t)1 << below, ones);
        bit = decode ? given - m->start >= zeros : given >> (below - end) & 1;
        bbans_take_half(&m->start, &m->left, zeros, bit);
        error = ((int32_t)(bit << BBANS_ERROR_BITS) -
                 (int32_t)((ones + BBANS_ERROR_HALF) >> BBANS_ERROR_SHIFT)) *
                m->rate;
        for (i = 0; i < inputs; i++) {
            const int32_t step = bbans_floor_16(error * logit[i] + 0x8000);

            for (k = 0; k < 3; k++)
                w[k][i] = bbans_limited(w[k][i] + step, BBANS_MIX_LIMIT);
        }
        /* Two contexts may have one row: the last one's slot stays. */
        for (i = 0; i < contexts; i++)
            *slot[i] = learned(was[i], bit);
        for (k = 0; k < m->matches; k++)
            *slot[contexts + k] = learned(was[contexts + k], bit ^ flip[k]);
        m->node = 2 * m->node + bit;
        node_in_row = 2 * node_in_row + bit;
    }
}

static void encode(bbans_mix *m, uint32_t half)
{
    decisions(m, 0, half);
}

static void decode(bbans_mix *m, uint32_t slot)
{
    decisions(m, 1, slot);
}

const bbans_mixing_kernels bbans_mixing_portable = {encode, decode};
