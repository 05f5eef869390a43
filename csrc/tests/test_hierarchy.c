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
    static const struct {
        size_t levels, states[BBANS_LEVELS_MAX];
    } cases[] = {{1, {1}},          {1, {5}},     {2, {8, 8}},
                 {2, {3, 17}},      {2, {17, 3}}, {3, {2, 3, 4}},
                 {4, {1, 2, 1, 3}}, {2, {64, 2}}, {8, {2, 2, 2, 2, 2, 2, 2, 2}},
                 {3, {16, 1, 3}}};
    static const unsigned precs[] = {10, 24, 28};
    size_t i, k;

    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        for (k = 0; k < sizeof precs / sizeof *precs; k++)
            test_model(cases[i].levels, cases[i].states, precs[k]);
    test_refused();
    test_file(1, cases[1].states);
    test_file(3, cases[5].states);
    printf("test_hierarchy: ok\n");
    return 0;
}
