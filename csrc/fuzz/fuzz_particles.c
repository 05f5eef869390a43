/* Fuzz particle filters: of a hidden Markov model, or of laws whose locations
 * follow the particles, blind or with a look at the next observation.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"

#define PARTICLES_MOST 6
#define STATES_MOST 4
#define LENGTH_MOST 6

const size_t fuzz_size_most = 200;

/* One latent, one observation: z' ~ f(slope z / 64, width), x ~ f(z, noise). */
typedef struct {
    bbans_family family;
    int32_t slope, width, noise;
} walk;

static bbans_status law_at(const walk *w, const int64_t *z, size_t n,
                           int64_t slope, int32_t width, void *work,
                           bbans_distribution *law)
{
    int64_t *location = work;
    int32_t *scale = (int32_t *)(void *)(location + n);
    size_t i;

    for (i = 0; i < n; i++) { /* of 16 bits behind the point */
        location[i] = z == NULL ? 0 : z[i] % (1 << 20) * slope * 1024;
        scale[i] = width;
    }
    return bbans_distribution_init_location_scale(
        law, &w->family, bbans_array_of(location, BBANS_I64),
        bbans_array_of(scale, BBANS_I32));
}

static bbans_status prior(void *user, size_t t, const int64_t *z, size_t n,
                          void *work, bbans_distribution *law)
{
    const walk *w = user;

    CHECK((z == NULL) == (t == 0));
    return law_at(w, z, n, w->slope, w->width, work, law);
}

static bbans_status likelihood(void *user, size_t t, const int64_t *z, size_t n,
                               void *work, bbans_distribution *law)
{
    const walk *w = user;

    (void)t;
    return law_at(w, z, n, 64, w->noise, work, law);
}

static bbans_status lookahead(void *user, size_t t, const int64_t *z, size_t n,
                              void *work, bbans_distribution *law)
{
    const walk *w = user;

    (void)t;
    return law_at(w, z, n, w->slope, w->noise, work, law);
}

static bbans_status proposal(void *user, size_t t, const int64_t *z,
                             const int64_t *x, size_t n, void *work,
                             bbans_distribution *law)
{
    const walk *w = user;

    (void)t;
    CHECK(x != NULL);
    return law_at(w, z, n, w->slope / 2, w->width, work, law);
}

static void of_laws(fuzz_input in)
{
    static const int laws[] = {BBANS_GAUSSIAN, BBANS_LOGISTIC, BBANS_LAPLACE};
    const size_t particles = 1 + fuzz_below(&in, PARTICLES_MOST);
    const int ahead = (int)fuzz_below(&in, 2);
    const size_t n = 1 + fuzz_below(&in, LENGTH_MOST);
    int64_t *x = fuzz_memory(8 * n), at = 0;
    bbans_particle_model model;
    bbans_particles filter;
    walk w;
    size_t i;

    CHECK(bbans_family_init(&w.family, laws[fuzz_below(&in, 3)]) == BBANS_OK);
    w.family.leakless = 1; /* with a leak, states may leave int64_t */
    w.slope = (int32_t)fuzz_below(&in, 64);
    w.width = (int32_t)fuzz_below(&in, 1500);
    w.noise = (int32_t)fuzz_below(&in, 1500);
    memset(&model, 0, sizeof model);
    model.user = &w;
    model.latents = model.observed = 1;
    model.borrows = (int)fuzz_below(&in, 2);
    model.work_bytes = 12 * (PARTICLES_MOST + 2);
    model.prior = prior;
    model.likelihood = likelihood;
    model.lookahead = ahead ? lookahead : NULL;
    model.proposal = ahead ? proposal : NULL;
    for (i = 0; i < n; i++)
        x[i] = at += (int64_t)fuzz_below(&in, 41) - 20;
    CHECK(bbans_particles_init(&filter, &model, particles, fuzz_bits(&in, 1),
                               1 + fuzz_below(&in, 9)) == BBANS_OK);
    fuzz_engine(&in, &filter.space, x, n);
    free(x);
}

static void of_hmm(fuzz_input in)
{
    const size_t states = 1 + fuzz_below(&in, STATES_MOST), symbols = 3;
    const size_t particles = 1 + fuzz_below(&in, PARTICLES_MOST);
    const int adapted = (int)fuzz_below(&in, 2);
    const size_t n = 1 + fuzz_below(&in, LENGTH_MOST);
    const size_t memory_bytes = bbans_hmm_bytes(states, symbols);
    uint32_t *mass = fuzz_memory(4 * states * (1 + states + symbols));
    uint32_t *row = mass, *x = fuzz_memory(4 * n);
    void *memory = fuzz_memory(memory_bytes);
    bbans_particles filter;
    bbans_hmm hmm;
    size_t i;

    for (i = 0; i < 1 + 2 * states; i++) {
        const size_t columns = i <= states ? states : symbols;

        fuzz_masses(&in, row, columns, 1 << 12);
        row += columns;
    }
    for (i = 0; i < n; i++)
        x[i] = fuzz_below(&in, (uint32_t)symbols);
    CHECK(bbans_hmm_init(&hmm, states, symbols, 12, 5, mass, mass + states,
                         mass + states * (1 + states), memory,
                         memory_bytes) == BBANS_OK);
    CHECK(bbans_particles_init_hmm(&filter, &hmm, particles, fuzz_bits(&in, 1),
                                   adapted,
                                   1 + fuzz_below(&in, 9)) == BBANS_OK);
    fuzz_engine(&in, &filter.space, x, n);
    free(mass);
    free(memory);
    free(x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);

    if (fuzz_below(&in, 2))
        of_laws(in);
    else
        of_hmm(in);
    return 0;
}
