/* A nonlinear model of one's own, coded by a particle filter.
 *
 *     particles [STEPS]
 *
 * Stochastic volatility: the logarithm z of a deviation walks, and each value x
 * is Gaussian with that deviation.  No filter of it has a closed form.  The
 * library counts logarithms of scales in integers, 256 an octave, and so does
 * z: the model has integers alone, and its messages are the same on every
 * machine.
 *
 * SPDX-License-Identifier: MIT */
#include <bbans.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTICLES = 64, STEPS = 10000, START_LENGTH = 16, KEY = 2024 };

/* z is about a deviation of 8; it keeps 31/32 of its distance, and walks by 40,
 * or at first by 160: 40 / sqrt(1 - (31 / 32)^2). */
enum { MIDDLE = 3 * 256, WALK = 1362, WIDE = 1874 /* 256 log2 */ };

typedef struct {
    bbans_family gaussian, tight; /* of x, and of z: far out z is not drawn */
} model;

/* What a callback puts where the library lets it, for n particles. */
typedef struct {
    int64_t *location;
    int32_t *scale;
} parameters;

static parameters parameters_in(void *work, size_t n)
{
    parameters p;

    p.location = (int64_t *)work;
    p.scale = (int32_t *)(p.location + n);
    return p;
}

static bbans_status law_of(const bbans_family *family, parameters p,
                           bbans_distribution *law)
{
    return bbans_distribution_init_location_scale(
        law, family, bbans_array_of(p.location, BBANS_I64),
        bbans_array_of(p.scale, BBANS_I32));
}

/* Locations are in units of 2^-16: 31/32 of them is 2048 31. */
static bbans_status prior(void *user, size_t t, const int64_t *z, size_t n,
                          void *work, bbans_distribution *law)
{
    const model *m = (const model *)user;
    const parameters p = parameters_in(work, n);
    size_t i;

    for (i = 0; i < n; i++) {
        p.location[i] = MIDDLE * 65536;
        if (t > 0)
            p.location[i] += (z[i] - MIDDLE) * 2048 * 31;
        p.scale[i] = t > 0 ? WALK : WIDE;
    }
    return law_of(&m->tight, p, law);
}

static bbans_status likelihood(void *user, size_t t, const int64_t *z, size_t n,
                               void *work, bbans_distribution *law)
{
    const model *m = (const model *)user;
    const parameters p = parameters_in(work, n);
    size_t i;

    (void)t;
    for (i = 0; i < n; i++) {
        p.location[i] = 0;
        p.scale[i] = (int32_t)(z[i] < BBANS_SCALE_MIN   ? BBANS_SCALE_MIN
                               : z[i] > BBANS_SCALE_MAX ? BBANS_SCALE_MAX
                                                        : z[i]);
    }
    return law_of(&m->gaussian, p, law);
}

static void check(bbans_status status, const char *what)
{
    if (status != BBANS_OK) {
        fprintf(stderr, "particles: %s: %s\n", what, bbans_status_text(status));
        exit(1);
    }
}

static void *allocate(size_t bytes)
{
    void *memory = malloc(bytes > 0 ? bytes : 1);

    if (memory == NULL) {
        fprintf(stderr, "particles: no memory\n");
        exit(1);
    }
    return memory;
}

/* Data of the model itself: what both sides of a code can draw, anybody can. */
static void draw(model *m, int64_t *x, size_t steps)
{
    int64_t z = 0, work[2];
    bbans_distribution law;
    uint32_t tail[16];
    uint64_t head;
    size_t t;

    for (t = 0; t < steps; t++) {
        check(prior(m, t, &z, 1, work, &law), "prior");
        check(bbans_public_draw(&law, 1, 2 * t, &z, BBANS_I64, 1, &head, tail),
              "z");
        check(likelihood(m, t, &z, 1, work, &law), "likelihood");
        check(bbans_public_draw(&law, 1, 2 * t + 1, x + t, BBANS_I64, 1, &head,
                                tail),
              "x");
    }
}

static double seconds(clock_t from)
{
    return (double)(clock() - from) / CLOCKS_PER_SEC + 1e-9;
}

int main(int argc, char **argv)
{
    const size_t steps = argc > 1 ? strtoul(argv[1], NULL, 10) : STEPS;
    int64_t *x = (int64_t *)allocate(steps * sizeof *x);
    int64_t *copy = (int64_t *)allocate(steps * sizeof *copy);
    bbans_particle_model laws = {0};
    size_t work_bytes, words, n_bytes;
    bbans_particles filter;
    bbans_message msg;
    uint64_t head;
    double rate[2];
    clock_t from;
    void *work;
    model m;

    (void)bbans_isa_use(BBANS_ISA_BEST);
    check(bbans_family_init(&m.gaussian, BBANS_GAUSSIAN), "family");
    m.tight = m.gaussian;
    m.tight.leakless = 1;
    draw(&m, x, steps);

    laws.user = &m;
    laws.latents = laws.observed = 1;
    laws.work_bytes = PARTICLES * (sizeof(int64_t) + sizeof(int32_t));
    laws.prior = prior;
    laws.likelihood = likelihood;
    check(bbans_particles_init(&filter, &laws, PARTICLES, KEY, START_LENGTH),
          "filter");
    filter.space.predictive = 1; /* nothing is borrowed: first in, first out */

    work_bytes = bbans_sequence_work_bytes(&filter.space, steps, steps);
    words = bbans_sequence_tail_words(&filter.space, steps);
    work = allocate(work_bytes);
    check(bbans_message_init(&msg, &head, 1, (uint32_t *)allocate(4 * words),
                             words),
          "message");
    from = clock();
    check(
        bbans_sequence_encode(&filter.space, x, steps, work, work_bytes, &msg),
        "encode");
    rate[0] = PARTICLES * (double)steps / seconds(from);
    check(bbans_message_size(&msg, &n_bytes), "size");

    from = clock();
    check(bbans_sequence_decode(&filter.space, &msg, copy, steps, work,
                                work_bytes),
          "decode");
    rate[1] = PARTICLES * (double)steps / seconds(from);
    if (memcmp(copy, x, steps * sizeof *x) != 0) {
        fprintf(stderr, "particles: other values came back\n");
        return 1;
    }
    printf("%zu values in %zu bytes, %.1f and back %.1f million particles/s: "
           "%.3f bits each\n",
           steps, n_bytes, rate[0] / 1e6, rate[1] / 1e6,
           8.0 * (double)n_bytes / (double)steps);
    return 0; /* and so all memory goes back */
}
