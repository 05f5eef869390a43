/* Hierarchical hidden Markov models.  The stored vectors are in test_golden.c.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

#define OF(end) bbans_hierarchy##end
#define TYPE BBANS_MODEL_HIERARCHY

static size_t rows_of_level(size_t levels, const size_t *states, size_t l)
{
    return (l + 1 < levels ? states[l + 1] : 1) * (1 + states[l]);
}

static size_t rows_of_emissions(size_t levels, const size_t *states)
{
    (void)levels;
    return states[0];
}

#include "levels.h"

int main(void)
{
    test_all();
    printf("test_hierarchy: ok\n");
    return 0;
}
