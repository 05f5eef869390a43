/* Decisions under mixed contexts, a template for vectors of 8 contexts.  Before
 * it come
 *
 *   RESIDUAL, INLINED  the instruction set, as function attributes
 *   mixed_node         a node of which the decision is next; its `mixed` is the
 *                      logit
 *   load_node, learn_node
 *                      with all entries and weights of a node, and back
 *   choose_node        the first node, or the second where a bit is 1
 *
 * SPDX-License-Identifier: MIT */

/* To decode, both nodes that may be next are loaded while the bit that chooses
 * between them is not known. */
INLINED static inline uint32_t decisions(bbans_mixed *m, unsigned depth,
                                         int vectors, int decode,
                                         uint32_t given, bbans_span *span)
{
    uint32_t start = 0, left = (uint32_t)1 << BBANS_PREC_MAX, node = 1;
    mixed_node x, next, other;
    unsigned below;

    load_node(&x, m, vectors, node);
    for (below = depth; below-- > 0;) {
        uint32_t ones, zeros, bit;

        if (below > 0 && decode) {
            load_node(&next, m, vectors, 2 * node);
            load_node(&other, m, vectors, 2 * node + 1);
        }
        ones = bbans_mass_of_one(x.mixed);
        zeros = bbans_zeros_of(left, (uint32_t)2 << below, ones);
        bit = decode ? given - start >= zeros : given >> below & 1;
        bbans_take_half(&start, &left, zeros, bit);
        learn_node(
            &x, m, vectors, m->share[depth - below > 2], node, bit,
            (int32_t)(bit << BBANS_ERROR_BITS) -
                (int32_t)((ones + BBANS_ERROR_HALF) >> BBANS_ERROR_SHIFT));
        node = 2 * node + bit;
        if (below > 0 && decode) {
            choose_node(&next, &other, vectors, bit);
            x = next;
        } else if (below > 0) {
            load_node(&x, m, vectors, node);
        }
    }
    span->start = start;
    span->end = start + left;
    return node - ((uint32_t)1 << depth);
}

RESIDUAL static void encode(bbans_mixed *m, unsigned depth, uint32_t leaf,
                            bbans_span *span)
{
    if (m->vectors == 1)
        decisions(m, depth, 1, 0, leaf, span);
    else
        decisions(m, depth, 2, 0, leaf, span);
}

RESIDUAL static uint32_t decode(bbans_mixed *m, unsigned depth, uint32_t slot,
                                bbans_span *span)
{
    return m->vectors == 1 ? decisions(m, depth, 1, 1, slot, span)
                           : decisions(m, depth, 2, 1, slot, span);
}
