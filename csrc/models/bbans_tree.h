/* Private to csrc/: the tables of a latent tree as model files have them,
 * docs/format.md, "Model file".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_TREE_H
#define BBANS_TREE_H

#include "../bbans_internal.h"

/* Whether the counts are within their limits. */
int bbans_tree_counts_are_valid(size_t nodes, size_t states, size_t columns);

/* The bytes that tables take, of which the first 4 `columns` are here; 0 if an
 * alphabet is outside its limits. */
uint64_t bbans_tree_table_bytes(size_t nodes, size_t states, size_t columns,
                                const uint8_t *tables);

/* Transition masses are in 2^-15. */
enum { BBANS_TREE_BITS = 15 };

/* The masses of node i's states, of its parent's state 0 on. */
static inline const uint16_t *bbans_tree_rows(const bbans_tree *tree, size_t i)
{
    return tree->transition +
           (i == 0 ? 0 : 1 + (i - 1) * tree->states) * tree->stride;
}

/* The edges of symbol x in all states [stride]. */
static inline const uint32_t *bbans_tree_edges(const bbans_tree *tree,
                                               size_t column, size_t x)
{
    return tree->edge + (tree->first[column] + x) * tree->stride;
}

#endif
