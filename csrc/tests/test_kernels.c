/* Every kernel that this machine and build has equals the portable one bit for
 * bit, on random and hostile models and weights.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "check.h"

#include <string.h>

#define STATES_MAX 300

typedef struct {
    bbans_hmm hmm;
    void *memory;
} model;

static void random_row(uint32_t *mass, size_t n, unsigned prec)
{
    const uint32_t kind = below(5); /* near-deterministic, sparse, flat .. */
    uint32_t spare = ((uint32_t)1 << prec) - (uint32_t)n;
    size_t k;

    for (k = 0; k < n; k++) {
        uint32_t more = 0;

        if (kind == 1 && below(8) == 0)
            more = below(spare + 1);
        else if (kind == 2)
            more = spare / (uint32_t)(n - k);
        else if (kind > 2)
            more = below(spare / (uint32_t)(n - k) * 2 + 1);
        mass[k] = 1 + (more < spare ? more : spare);
        spare -= mass[k] - 1;
    }
    mass[below((uint32_t)n)] += spare;
}

static model random_model(size_t states, size_t symbols, unsigned prec)
{
    uint32_t *initial = malloc(4 * states);
    uint32_t *transition = malloc(4 * states * states);
    uint32_t *emission = malloc(4 * states * symbols);
    const size_t bytes = bbans_hmm_bytes(states, symbols);
    model m;
    size_t i;

    m.memory = malloc(bytes);
    CHECK(initial && transition && emission && m.memory);
    random_row(initial, states, prec);
    for (i = 0; i < states; i++) {
        random_row(transition + i * states, states, prec);
        random_row(emission + i * symbols, symbols, prec);
    }
    CHECK(bbans_hmm_init(&m.hmm, states, symbols, prec, 9, initial, transition,
                         emission, m.memory, bytes) == BBANS_OK);
    free(initial);
    free(transition);
    free(emission);
    return m;
}

/* Any weights that a filter could hold: a sum below 2^31 (2^32 if filtered). */
static void random_weights(uint32_t *w, size_t states, size_t stride,
                           uint64_t sum)
{
    const uint32_t kind = below(3);
    size_t i;

    memset(w, 0, 4 * stride);
    if (kind == 0) {
        w[below((uint32_t)states)] = (uint32_t)(sum - 1);
        return;
    }
    for (i = 0; i < states; i++)
        w[i] = (uint32_t)(random_bits() % (sum / states)) >>
               (kind == 1 ? 0 : below(32));
    w[below((uint32_t)states)] |= 1;
}

static void compare(const bbans_kernels *portable, const bbans_kernels *kernels,
                    size_t states, unsigned prec)
{
    model m = random_model(states, 5, prec);
    const bbans_hmm *hmm = &m.hmm;
    const size_t stride = hmm->stride;
    uint32_t p[2][STATES_MAX + 16], w[2][STATES_MAX + 16];
    uint32_t edge[2][STATES_MAX + 17], start[STATES_MAX + 16];
    int step;

    for (step = 0; step < 40; step++) {
        const size_t x = below(5), next = below((uint32_t)states + 1);
        const uint32_t *into = next < states ? hmm->into + next * stride : NULL;
        uint32_t slot;
        size_t n;

        if (step % 8 == 0) { /* between: what the filter itself makes */
            random_weights(start, states, stride, (uint64_t)1 << 31);
            memcpy(p[0], start, 4 * stride);
            memcpy(p[1], start, 4 * stride);
        }
        portable->filter(hmm, x, p[0], w[0]);
        kernels->filter(hmm, x, p[1], w[1]);
        CHECK(memcmp(p[0], p[1], 4 * stride) == 0);
        CHECK(memcmp(w[0], w[1], 4 * stride) == 0);
        if (step % 4 == 1)
            random_weights(w[0], states, stride, (uint64_t)1 << 32);
        CHECK(portable->posterior(w[0], into, stride, edge[0]) ==
              kernels->posterior(w[0], into, stride, edge[1]));
        CHECK(memcmp(edge[0], edge[1], 4 * (stride + 1)) == 0);
        CHECK(edge[0][stride] > 0 && edge[0][stride] < 1u << 26);
        slot = below(edge[0][stride] + 2);
        for (n = 0; n <= states; n += 1 + below(7))
            CHECK(portable->rank(edge[0] + 1, n, slot) ==
                  kernels->rank(edge[0] + 1, n, slot));
    }
    free(m.memory);
}

int main(void)
{
    static const char *const names[] = {"portable", "avx2", "avx512", "neon"};
    bbans_kernels portable;
    int isa, trial, tested = 0;

#ifdef BBANS_EMULATE /* intrinsics in plain C: make emulate */
    static const bbans_kernels avx512 = BBANS_KERNELS(avx512);

    portable = bbans_kernel;
    for (trial = 0; trial < 100; trial++)
        compare(&portable, &avx512, 1 + below(STATES_MAX), 9 + below(20));
    printf("test_kernels: avx512, emulated, equals portable\n");
    return 0;
#endif
    bbans_isa_use(BBANS_ISA_PORTABLE);
    portable = bbans_kernel;
    for (isa = BBANS_ISA_AVX2; isa <= BBANS_ISA_NEON; isa++) {
        if (bbans_isa_use(isa) != isa) {
            printf("test_kernels: %s is not here\n", names[isa]);
            continue;
        }
        for (trial = 0; trial < 300; trial++)
            compare(&portable, &bbans_kernel, 1 + below(STATES_MAX),
                    9 + below(20));
        printf("test_kernels: %s equals portable\n", names[isa]);
        tested++;
    }
    printf("test_kernels: ok, %d compared\n", tested);
    return 0;
}
