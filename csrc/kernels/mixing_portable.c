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

/* The bit expected at a node, and 1 if it is on the way to what is expected. */
static inline int is_expected(unsigned expected, unsigned node, unsigned below,
                              unsigned *bit)
{
    *bit = expected >> below & 1;
    return (expected | BBANS_MIX_NONE) >> (below + 1) == node &&
           expected < BBANS_MIX_NONE;
}

typedef struct {
    uint16_t slot[BBANS_MIX_MAX][BBANS_MIX_SLOTS];
    int32_t base[BBANS_MIX_MAX]; /* weights but for those by node, quartered */
    int32_t match[BBANS_MIX_MATCHES]; /* logits */
    int32_t logit[DECISIONS][BBANS_MIX_MAX];
    int32_t error[DECISIONS];
    unsigned node[DECISIONS];
} half_tree;

/* |logit| <= 1663 and |weight| < 2^15, their sum below 2^14 * 3/2: each term
 * is below 2^12 in size. */
static inline int32_t mixed_at(const bbans_mix *m, half_tree *t, unsigned d,
                               unsigned node)
{
    const unsigned contexts = m->inputs - m->matches;
    int32_t *logit = t->logit[d], mixed = 0;
    unsigned i;

    for (i = 0; i < contexts; i++)
        logit[i] = bbans_mix_logit(t->slot[i][node]);
    for (i = 0; i < m->matches; i++) {
        unsigned bit;

        logit[contexts + i] =
            !is_expected(m->expected[i], node, DECISIONS - 1 - d, &bit) ? 0
            : bit ? t->match[i]
                  : -t->match[i];
    }
    for (i = 0; i < m->inputs; i++) {
        const int32_t by_node = m->weight[1][i * BBANS_MIX_SLOTS + node];

        mixed += bbans_floor_of(
            (t->base[i] + bbans_floor_of(by_node, 2)) * logit[i] + 0x2000, 14);
    }
    return mixed;
}

/* |error| < 2^15: the sum of four of its products with logits is below 2^28. */
static void learn(bbans_mix *m, half_tree *t, unsigned half)
{
    unsigned i, d;

    for (i = 0; i < m->inputs; i++) {
        int16_t *by_node = m->weight[1] + i * BBANS_MIX_SLOTS;
        int32_t sum = 0;

        for (d = 0; d < DECISIONS; d++) {
            const int32_t step = t->error[d] * t->logit[d][i];

            by_node[t->node[d]] = moved(by_node[t->node[d]], step);
            sum += step;
        }
        m->weight[0][i] = moved(m->weight[0][i], sum);
        m->weight[2][i] = moved(m->weight[2][i], sum);
    }
    for (i = 0; i < m->inputs - m->matches; i++) {
        uint16_t *slot = t->slot[i];

        for (d = 0; d < DECISIONS; d++)
            slot[t->node[d]] = bbans_mix_learned(
                slot[t->node[d]], half >> (DECISIONS - 1 - d) & 1);
        slot[0] = m->check[i];
        memcpy(m->row[i], slot, sizeof t->slot[i]);
    }
    bbans_mix_learn_matches(m, half);
}

static inline unsigned decisions(bbans_mix *m, int decode, uint32_t given)
{
    half_tree t;
    unsigned i, d, node = 1;

    for (i = 0; i < m->inputs; i++)
        t.base[i] = bbans_floor_of(m->weight[0][i], 2) +
                    bbans_floor_of(m->weight[2][i], 2);
    for (i = 0; i < m->inputs - m->matches; i++)
        memcpy(t.slot[i], m->from[i], sizeof t.slot[i]);
    for (i = 0; i < m->matches; i++)
        t.match[i] = bbans_mix_logit(*m->match[i]);
    for (d = 0; d < DECISIONS; d++) {
        const unsigned below = DECISIONS - 1 - d;
        const uint32_t ones = bbans_mass_of_one(mixed_at(m, &t, d, node));
        const uint32_t zeros =
            bbans_zeros_of(m->left, (uint32_t)1 << (m->below + below), ones);
        const uint32_t bit =
            decode ? given - m->start >= zeros : given >> below & 1;

        bbans_take_half(&m->start, &m->left, zeros, bit);
        t.node[d] = node;
        t.error[d] = bbans_mix_error(bit, ones, m->rate);
        node = 2 * node + bit;
    }
    learn(m, &t, node - BBANS_MIX_NONE);
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

const bbans_mixing_kernels bbans_mixing_portable = {encode, decode};
