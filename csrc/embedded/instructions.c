/* Instructions per symbol on a Cortex-M4, for docs/embedded.md: make
 * instructions
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_tiny.h"
#include "board.h"
#include "timer.h"

#define N 400
#define SYMBOLS 64
#define PREC 15

static uint16_t initial[BBANS_TINY_STATES + 1];
static uint16_t transition[BBANS_TINY_STATES * (BBANS_TINY_STATES + 1)];
static uint16_t emission[BBANS_TINY_STATES * (SYMBOLS + 1)];
static uint32_t work[(N + 2) * BBANS_TINY_STATES];
static uint8_t x[N], y[N], bytes[4 * N];
static uint32_t state = 1;

/* Knuth's MMIX generator would need 64 bits; the high bits of this one do. */
static uint32_t below(uint32_t n)
{
    state = state * 1664525u + 1013904223u;
    return (state >> 16) * n >> 16;
}

/* Masses that fall off by halves from a random symbol on. */
static void peaked_row(uint16_t *edge, uint32_t n)
{
    const uint32_t peak = below(n);
    uint32_t spare = ((uint32_t)1 << PREC) - n, k, share[SYMBOLS];

    for (k = 0; k < n; k++) {
        share[(peak + k) % n] = 1 + spare / 3;
        spare -= spare / 3;
    }
    share[peak] += spare;
    edge[0] = 0;
    for (k = 0; k < n; k++)
        edge[k + 1] = (uint16_t)(edge[k] + share[k]);
}

static uint32_t draw(const uint16_t *edge)
{
    const uint32_t slot = below((uint32_t)1 << PREC);
    uint32_t k = 0;

    while (edge[k + 1] <= slot)
        k++;
    return k;
}

static size_t per_symbol(uint32_t before)
{
    return (size_t)(instructions_since(before) / N);
}

int run(void)
{
    static const uint16_t states[] = {8, 16, 32};
    static bbans_tiny_decoder dec;
    size_t s;

    start_timer();
    print("| states | mode | encode | decode |\n|---:|---|---:|---:|\n");
    for (s = 0; s < sizeof states / sizeof *states; s++) {
        bbans_tiny_hmm hmm;
        uint32_t K = states[s], i, z, before;
        size_t n_bytes, encode;
        int predictive;

        peaked_row(initial, K);
        for (i = 0; i < K; i++) {
            peaked_row(transition + i * (K + 1), K);
            peaked_row(emission + i * (SYMBOLS + 1), SYMBOLS);
        }
        hmm.initial = initial;
        hmm.transition = transition;
        hmm.emission = emission;
        hmm.states = (uint16_t)K;
        hmm.symbols = SYMBOLS;
        hmm.start_length = 20;
        hmm.prec = PREC;
        for (z = draw(initial), i = 0; i < N; i++) {
            x[i] = (uint8_t)draw(emission + z * (SYMBOLS + 1));
            z = draw(transition + z * (K + 1));
        }
        for (predictive = 0; predictive < 2; predictive++) {
            before = TIMER_VALUE;
            if (bbans_tiny_encode(&hmm, x, N, predictive, work,
                                  sizeof work / sizeof *work, bytes,
                                  sizeof bytes, &n_bytes) != BBANS_OK)
                return 1;
            encode = per_symbol(before);
            before = TIMER_VALUE;
            if (bbans_tiny_decoder_init(&dec, &hmm, bytes, n_bytes, N,
                                        predictive) != BBANS_OK ||
                bbans_tiny_decode(&dec, y, N) != BBANS_OK)
                return 1;
            print("| ");
            print_number(K);
            print(predictive ? " | predictive | " : " | IconoCLaSM | ");
            print_number(encode);
            print(" | ");
            print_number(per_symbol(before));
            print(" |\n");
            for (i = 0; i < N; i++)
                if (x[i] != y[i])
                    return 1;
        }
    }
    return 0;
}
