/* Transitions with few masses above 2^-16: the filter of each instruction set
 * against the equations of docs/maths.md, "The frozen HMM", by the masses.
 *
 * SPDX-License-Identifier: MIT */
#include "check.h"

#include <string.h>

#define STATES_MAX 520
#define STRIDE_MAX 528
#define PREC 24
#define SYMBOLS 3

enum { BANDED, CYCLIC, TO_THE_RIGHT, BLOCKS, FEW, ALL, KINDS };

static uint32_t transition[STATES_MAX * STATES_MAX];
static uint32_t emission[STATES_MAX * SYMBOLS];
static uint32_t initial[STATES_MAX];

static int is_allowed(int kind, size_t states, size_t i, size_t j)
{
    const size_t apart = i < j ? j - i : i - j;

    switch (kind) {
    case BANDED: return apart <= 2;
    case CYCLIC: return apart <= 1 || apart >= states - 1;
    case TO_THE_RIGHT: return j == i || j == i + 1;
    case BLOCKS: return i / 8 == j / 8;
    case FEW: return j == i * 7 % states;
    default: return 1;
    }
}

/* Masses of those that are allowed, some of them near 2^-16, the others 1. */
static void draw_row(uint32_t *mass, int kind, size_t states, size_t i)
{
    uint32_t spare = ((uint32_t)1 << PREC) - (uint32_t)states;
    size_t j, last = states;

    for (j = 0; j < states; j++) {
        uint32_t share;

        mass[j] = 1;
        if (!is_allowed(kind, states, i, j))
            continue;
        share = kind == ALL ? spare / (uint32_t)(states - j) : spare / 4;
        mass[j] += below((below(4) == 0 && share > 512 ? 512 : share) + 1);
        spare -= mass[j] - 1;
        last = j;
    }
    mass[last < states ? last : 0] += spare;
}

static void draw(int kind, size_t states)
{
    size_t i;

    for (i = 0; i < states; i++) {
        draw_row(transition + i * states, kind, states, i);
        draw_row(emission + i * SYMBOLS, ALL, SYMBOLS, i);
    }
    draw_row(initial, ALL, states, 0);
}

static int bit_length(uint64_t v)
{
    int n = 0;

    for (; v != 0; v >>= 1)
        n++;
    return n;
}

static uint64_t shifted(uint64_t v, int right)
{
    return right < 0 ? v << -right : v >> right;
}

static uint64_t at_15_bits(uint64_t v, int bits)
{
    const uint64_t m = (v + ((uint64_t)1 << (bits - 16))) >> (bits - 15);

    return m < 32767 ? m : 32767;
}

static void filter(const bbans_hmm *hmm, size_t x, uint32_t *predicted,
                   uint32_t *filtered)
{
    const size_t states = hmm->states;
    uint64_t sum = 0;
    int right;
    size_t i, j;

    for (i = 0; i < states; i++)
        sum += (uint64_t)predicted[i] * emission[i * SYMBOLS + x];
    right = bit_length(sum) - 32;
    for (i = 0; i < states; i++)
        filtered[i] = (uint32_t)shifted(
            (uint64_t)predicted[i] * emission[i * SYMBOLS + x], right);
    for (j = 0; j < states; j++) {
        sum = 0;
        for (i = 0; i < states; i++)
            sum += at_15_bits(filtered[i], 32) *
                   at_15_bits(transition[i * states + j], PREC);
        predicted[j] = (uint32_t)(sum > hmm->floor ? sum : hmm->floor);
    }
}

/* Of the filter itself, of random weights, and of one weight. */
static void draw_weights(uint32_t *p, size_t states)
{
    const uint32_t kind = below(3);
    size_t i;

    for (i = 0; i < states; i++)
        p[i] = kind == 0 ? 1 : 1 + below(UINT32_C(0x7fffff00) / STATES_MAX);
    if (kind == 0)
        p[below((uint32_t)states)] = UINT32_C(0x7ffff000);
}

static void check_filter(const bbans_hmm *hmm)
{
    const size_t bytes = 4 * hmm->states;
    uint32_t p[2][STRIDE_MAX], f[2][STRIDE_MAX];
    uint32_t step;

    memcpy(p[0], hmm->initial, 4 * hmm->stride);
    memcpy(p[1], hmm->initial, 4 * hmm->stride);
    for (step = 0; step < 12; step++) {
        const uint32_t x = below(SYMBOLS);
        size_t i;

        if (step % 4 == 3) {
            draw_weights(p[0], hmm->states);
            memcpy(p[1], p[0], bytes);
        }
        filter(hmm, x, p[0], f[0]);
        CHECK(bbans_hmm_filter(hmm, p[1], &x, 1, f[1]) == BBANS_OK);
        CHECK(memcmp(p[0], p[1], bytes) == 0);
        CHECK(memcmp(f[0], f[1], bytes) == 0);
        for (i = hmm->states; i < hmm->stride; i++)
            CHECK(f[1][i] == 0);
    }
}

static void check_model(int kind, size_t states)
{
    const size_t bytes = bbans_hmm_bytes(states, SYMBOLS);
    void *memory = malloc(bytes);
    bbans_hmm hmm;
    int isa;

    CHECK(memory != NULL);
    draw(kind, states);
    CHECK(bbans_hmm_init(&hmm, states, SYMBOLS, PREC, 1, initial, transition,
                         emission, memory, bytes) == BBANS_OK);
    CHECK((hmm.sparse.first != NULL) == (kind != ALL));
    CHECK((hmm.short_pairs == NULL) == (kind != ALL));
    FOR_EACH_ISA(isa)
    {
        check_filter(&hmm);
    }
    free(memory);
}

int main(void)
{
    static const size_t states[] = {65, 96, 127, 256, STATES_MAX};
    int kind;
    size_t i;

    for (kind = 0; kind < KINDS; kind++)
        for (i = 0; i < SOME(sizeof states / sizeof *states); i++)
            check_model(kind, states[i]);
    printf("sparse transitions: the filter equals its equations\n");
    return 0;
}
