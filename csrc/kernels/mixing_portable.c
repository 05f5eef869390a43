/* Decisions about bytes, portable: this file defines the results.
 *
 * SPDX-License-Identifier: MIT */
#include "mixing_slots.h"

#define DECISIONS BBANS_MIX_DECISIONS

/* 2^8 / (n + 3/2) for the n that what is coded adds to; then those of a prior.
 */
const uint8_t bbans_mix_share[16] = {170, 102, 73, 56, 46, 39, 34, 30,
                                     26,  24,  22, 20, 18, 11, 5,  2};

static inline int16_t saturated(int32_t v)
{
    return (int16_t)(v < INT16_MIN ? INT16_MIN : v > INT16_MAX ? INT16_MAX : v);
}

static inline int16_t moved(int16_t weight, int32_t sum)
{
    return saturated(weight + bbans_floor_of(sum + 0x4000, 15));
}

/* A match says something on the way to what it expects. */
static inline int32_t logit_of_match(const bbans_mix *m, unsigned k, unsigned d,
                                     unsigned node)
{
    const unsigned expected = m->expected[k] | BBANS_MIX_NONE;
    const int32_t logit = bbans_mix_logit(*m->match[k]);

    if (m->expected[k] == BBANS_MIX_NONE || expected >> (DECISIONS - d) != node)
        return 0;
    return expected >> (DECISIONS - 1 - d) & 1 ? logit : -logit;
}

/* |logit| <= 1663 and |weight| < 2^15, their sum below 2^14 * 3/2: each term
 * is below 2^12 in size. */
static inline int32_t mixed_at(const bbans_mix *m, const int32_t *base,
                               unsigned d, unsigned node)
{
    const unsigned contexts = m->inputs - m->matches;
    int32_t mixed = 0;
    unsigned i;

    for (i = 0; i < m->inputs; i++) {
        const int32_t by_node = m->weight[1][i * BBANS_MIX_SLOTS + node];
        int16_t *logit = m->tree->logit[i] + node;

        *logit =
            (int16_t)(i < contexts ? bbans_mix_logit(m->tree->slot[i][node])
                                   : logit_of_match(m, i - contexts, d, node));
        mixed += bbans_floor_of(
            (base[i] + bbans_floor_of(by_node, 2)) * *logit + 0x2000, 14);
    }
    return mixed;
}

static inline unsigned decisions(bbans_mix *m, int decode, uint32_t given)
{
    int32_t base[BBANS_MIX_MAX]; /* weights but for those by node, quartered */
    unsigned i, d, node = 1;

    for (i = 0; i < m->inputs; i++)
        base[i] = bbans_floor_of(m->weight[0][i], 2) +
                  bbans_floor_of(m->weight[2][i], 2);
    for (i = 0; i < m->inputs - m->matches; i++)
        memcpy(m->tree->slot[i], m->from[i], sizeof m->tree->slot[i]);
    for (d = 0; d < DECISIONS; d++) {
        const unsigned below = DECISIONS - 1 - d;
        const uint32_t ones = bbans_mass_of_one(mixed_at(m, base, d, node));
        const uint32_t zeros =
            bbans_zeros_of(m->left, (uint32_t)1 << (m->below + below), ones);
        const uint32_t bit =
            decode ? given - m->start >= zeros : given >> below & 1;

        bbans_take_half(&m->start, &m->left, zeros, bit);
        m->tree->error[d] = (int16_t)bbans_mix_error(bit, ones, m->rate);
        node = 2 * node + bit;
    }
    return node - BBANS_MIX_NONE;
}

static void encode(bbans_mix *m, unsigned half)
{
    decisions(m, 0, half);
}

static unsigned decode(bbans_mix *m, uint32_t slot)
{
    return decisions(m, 1, slot);
}

/* |error| < 2^15: the sum of four of its products with logits is below 2^28. */
static void learn_weights(const bbans_mix *m, unsigned half)
{
    unsigned i, d;

    for (i = 0; i < m->inputs; i++) {
        int16_t *by_node = m->weight[1] + i * BBANS_MIX_SLOTS;
        int32_t sum = 0;

        for (d = 0; d < DECISIONS; d++) {
            const unsigned node = (BBANS_MIX_NONE | half) >> (DECISIONS - d);
            const int32_t step = m->tree->error[d] * m->tree->logit[i][node];

            by_node[node] = moved(by_node[node], step);
            sum += step;
        }
        m->weight[0][i] = moved(m->weight[0][i], sum);
        m->weight[2][i] = moved(m->weight[2][i], sum);
    }
}

static void learn(bbans_mix *m, unsigned half)
{
    unsigned i, d;

    learn_weights(m, half);
    for (i = 0; i < m->inputs - m->matches; i++) {
        uint16_t *slot = m->tree->slot[i];

        for (d = 0; d < DECISIONS; d++) {
            const unsigned node = (BBANS_MIX_NONE | half) >> (DECISIONS - d);

            slot[node] =
                bbans_mix_learned(slot[node], half >> (DECISIONS - 1 - d) & 1);
        }
        slot[0] = m->check[i];
        memcpy(m->row[i], slot, sizeof m->tree->slot[i]);
    }
    bbans_mix_learn_matches(m, half);
}

const bbans_mixing_kernels bbans_mixing_portable = {encode, decode, learn};
