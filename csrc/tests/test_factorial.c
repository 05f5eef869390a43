/* Factorial hidden Markov models: what models of levels have, and the filter
 * against the equations of docs/maths.md.  The stored vectors are in
 * test_golden.c.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

#define OF(end) bbans_factorial##end
#define TYPE BBANS_MODEL_FACTORIAL

static size_t rows_of_level(size_t levels, const size_t *states, size_t l)
{
    (void)levels;
    return 1 + states[l];
}

static size_t rows_of_emissions(size_t levels, const size_t *states)
{
    size_t l, all = 1;

    for (l = 0; l < levels; l++)
        all *= states[l];
    return all;
}

#include "levels.h"

int main(void)
{
    test_all();
    printf("test_factorial: ok\n");
    return 0;
}
