/* Masses, public numbers, resampling, and particle filters of finite models and
 * of callbacks: both ways, in batches, with few records kept, from damaged
 * messages, and with callbacks that fail.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"
#include "costs.h"

#include <string.h>

#define N 37
#define PARTICLES 23
#define MANY 71 /* mixtures of them are opened in parts */
#define SEQUENCES 5
#define WORK (1 << 20)
#define WORDS (1 << 15)

static uint64_t work[WORK / 8];
static uint32_t tail[WORDS];

/* ---- Masses -------------------------------------------------------------- */

/* Floating point comes near what is exact in integers. */
static void test_masses(void)
{
    const int64_t location[4] = {0, 5 * 65536, -(1 << 20), 77};
    const int32_t scale[4] = {512, 3000, 0, -300};
    const int64_t value[4] = {3, 1000, -16, 9999999};
    uint32_t mantissa[4];
    int32_t exponent[4];
    bbans_distribution law;
    bbans_family family;
    size_t i, k;

    CHECK(bbans_family_init(&family, BBANS_GAUSSIAN) == BBANS_OK);
    CHECK(bbans_distribution_init_location_scale(
              &law, &family, bbans_array_of(location, BBANS_I64),
              bbans_array_of(scale, BBANS_I32)) == BBANS_OK);
    CHECK(bbans_distribution_masses(&law, value, BBANS_I64, 4, mantissa,
                                    exponent) == BBANS_OK);
    for (i = 0; i < 4; i++) {
        bbans_interval part[9];
        double expected = 1, mass = mantissa[i];
        bbans_distribution one = law;
        size_t n, at;
        int e;

        one.array[0] = bbans_array_of(location + i, BBANS_I64);
        one.array[1] = bbans_array_of(scale + i, BBANS_I32);
        CHECK(bbans_distribution_list(&one, value + i, BBANS_I64, 1, part, 9,
                                      &n, &at) == BBANS_OK);
        for (k = 0; k < n; k++)
            expected *= (double)part[k].freq / part[k].total;
        for (e = exponent[i]; e < 0; e++)
            mass /= 2;
        CHECK(mantissa[i] >> 31 == 1);
        CHECK(mass <= expected && mass >= expected * (1 - 1e-8));
    }
    family.leakless = 1; /* what is far out has no mass, and is no error */
    CHECK(bbans_distribution_masses(&law, value, BBANS_I64, 4, mantissa,
                                    exponent) == BBANS_OK);
    CHECK(mantissa[0] > 0 && mantissa[3] == 0 && exponent[3] == 0);
    CHECK(bbans_distribution_masses(&law, value, BBANS_I64, 0, NULL, NULL) ==
          BBANS_OK);
    CHECK(bbans_distribution_masses(&law, value, BBANS_I64, 4, NULL,
                                    exponent) == BBANS_ERR_NULL);
    CHECK(bbans_distribution_masses(&law, value, 3, 4, mantissa, exponent) ==
          BBANS_ERR_TYPE);
}

/* A row without a sum is an error, a symbol outside it is not. */
static void test_masses_of_rows(void)
{
    const uint32_t row[2][3] = {{0, 0, 0}, {1, 0, 3}};
    const uint8_t value[2] = {2, 7};
    uint32_t mantissa[2];
    int32_t exponent[2];
    bbans_distribution law;

    CHECK(bbans_distribution_init_weighted(
              &law, bbans_array_of(row[1], BBANS_U32), 3) == BBANS_OK);
    CHECK(bbans_distribution_masses(&law, value, BBANS_U8, 1, mantissa,
                                    exponent) == BBANS_OK);
    CHECK(mantissa[0] == UINT32_C(3) << 30 && exponent[0] == -32);
    CHECK(bbans_distribution_masses(&law, value + 1, BBANS_U8, 1, mantissa,
                                    exponent) == BBANS_OK);
    CHECK(mantissa[0] == 0 && exponent[0] == 0);
    law.array[0] = bbans_array_of(row, BBANS_U32);
    CHECK(bbans_distribution_masses(&law, value, BBANS_U8, 1, mantissa,
                                    exponent) == BBANS_ERR_TOTAL);
}

/* ---- Public randomness --------------------------------------------------- */

/* The first numbers of splitmix64 from 0: Vigna's splitmix64.c. */
static void test_numbers(void)
{
    const uint64_t golden = UINT64_C(0x9E3779B97F4A7C15);
    const uint64_t first = UINT64_C(0xE220A8397B1DCDAF);

    /* Number 0 of stream 0 of a key that makes the stream's seed 0: mix(0) = 0.
     */
    CHECK(bbans_public_number(0 - golden, 0, 0) == first);
    CHECK(bbans_public_number(0 - golden, 0, 1) ==
          UINT64_C(0x6E789E6AA1B965F4));
    CHECK(bbans_public_number(0 - 2 * golden, 1, 0) == first);
    CHECK(bbans_public_number(1, 2, 3) != bbans_public_number(1, 3, 2));
}

static void test_draws(void)
{
    const uint32_t weight[3] = {1, 0, 3};
    uint32_t row[600][3], count[3] = {0, 0, 0};
    static uint64_t head[600];
    static uint32_t words[601];
    static uint16_t value[600];
    bbans_distribution law;
    size_t i;

    for (i = 0; i < 600; i++)
        memcpy(row[i], weight, sizeof weight);
    CHECK(bbans_distribution_init_weighted(&law, bbans_array_of(row, BBANS_U32),
                                           3) == BBANS_OK);
    CHECK(bbans_public_draw(&law, 5, 6, value, BBANS_U16, 600, head, words) ==
          BBANS_OK);
    for (i = 0; i < 600; i++)
        count[value[i]]++;
    CHECK(count[1] == 0 && count[0] > 100 && count[0] < 200);
    CHECK(bbans_public_draw(&law, 5, 6, NULL, BBANS_U16, 0, NULL, NULL) ==
          BBANS_OK);
    CHECK(bbans_public_draw(&law, 5, 6, NULL, BBANS_U16, 1, head, words) ==
          BBANS_ERR_NULL);
}

static void test_resample(void)
{
    uint32_t weight[50], ancestor[200];
    size_t n, points, i, j, k;

    for (k = 0; k < 500; k++) {
        const uint64_t r = random_bits();
        uint64_t sum = 0, u;

        n = 1 + below(50);
        points = 1 + below(200);
        for (i = 0; i < n; i++) {
            weight[i] = below(3) == 0 ? 0 : below((uint32_t)1 << below(26));
            sum += weight[i];
        }
        if (sum == 0) {
            CHECK(bbans_resample(weight, n, r, points, ancestor) ==
                  BBANS_ERR_TOTAL);
            continue;
        }
        CHECK(bbans_resample(weight, n, r, points, ancestor) == BBANS_OK);
        u = (sum * (r >> 32)) >> 32;
        for (j = 0; j < points; j++) {
            const uint64_t at = (j * sum + u) / points;
            uint64_t before = 0;

            for (i = 0; i < ancestor[j]; i++)
                before += weight[i];
            CHECK(before <= at && at < before + weight[ancestor[j]]);
        }
    }
    weight[0] = weight[1] = UINT32_MAX;
    CHECK(bbans_resample(weight, 2, 0, 1, ancestor) == BBANS_ERR_TOTAL);
    CHECK(bbans_resample(weight, 0, 0, 1, ancestor) == BBANS_ERR_TOTAL);
    CHECK(bbans_resample(weight, 1, 0, 0, NULL) == BBANS_OK);
    CHECK(bbans_resample(NULL, 1, 0, 1, ancestor) == BBANS_ERR_NULL);
}

/* ---- Models of callbacks ------------------------------------------------- */

/* Two latents: a walk, and one that stays near half of it. */
typedef struct {
    int kind;        /* of likelihoods                   */
    size_t fails_at; /* step, or SIZE_MAX               */
    int fails_in;    /* callback                        */
    bbans_family family, tight;
} toy;

enum { REAL, SYMBOLS, COUNTS };
enum { PRIOR, LIKELIHOOD, LOOKAHEAD, PROPOSAL };

static bbans_status fails(const toy *m, size_t t, int callback)
{
    return t == m->fails_at && callback == m->fails_in ? BBANS_ERR_STATE
                                                       : BBANS_OK;
}

static bbans_status moves(const toy *m, const int64_t *z, size_t n, void *room,
                          int32_t scale, bbans_distribution *law)
{
    int64_t *location = (int64_t *)room;
    int32_t *by = (int32_t *)(void *)(location + 2 * n);
    size_t i;

    for (i = 0; i < n; i++) {
        location[i] = z == NULL ? 0 : z[i] * 65000;
        location[n + i] = z == NULL ? 0 : z[i] * 32768;
        by[i] = z == NULL ? 256 * 5 : scale;
        by[n + i] = 256;
    }
    return bbans_distribution_init_location_scale(
        law, &m->tight, bbans_array_of(location, BBANS_I64),
        bbans_array_of(by, BBANS_I32));
}

static bbans_status prior(void *user, size_t t, const int64_t *z, size_t n,
                          void *room, bbans_distribution *law)
{
    const toy *m = (const toy *)user;

    CHECK((z == NULL) == (t == 0));
    return fails(m, t, PRIOR) != BBANS_OK ? BBANS_ERR_STATE
                                          : moves(m, z, n, room, 900, law);
}

static bbans_status observations(const toy *m, const int64_t *z, size_t n,
                                 void *room, bbans_distribution *law)
{
    int64_t *location = (int64_t *)room;
    int32_t *by = (int32_t *)(void *)(location + 2 * n);
    uint32_t *mean = (uint32_t *)room;
    size_t i, k;

    for (i = 0; i < 2 * n; i++) {
        const int64_t at = z == NULL ? 0 : z[i];

        if (m->kind == REAL) {
            location[i] = at * 65536;
            by[i] = 300;
        } else if (m->kind == SYMBOLS) {
            for (k = 0; k < 4; k++) /* some have one symbol alone */
                mean[4 * i + k] = (at / 4 & 3) == (int64_t)k ? 1000
                                  : i % 3 == 0               ? 0
                                               : (uint32_t)(1 + 5 * k);
        } else {
            mean[i] = (uint32_t)(65536 + 6000 * (at < 0 ? -at : at));
        }
    }
    if (m->kind == REAL)
        return bbans_distribution_init_location_scale(
            law, &m->family, bbans_array_of(location, BBANS_I64),
            bbans_array_of(by, BBANS_I32));
    return m->kind == SYMBOLS ? bbans_distribution_init_weighted(
                                    law, bbans_array_of(mean, BBANS_U32), 4)
                              : bbans_distribution_init_poisson(
                                    law, bbans_array_of(mean, BBANS_U32));
}

static bbans_status likelihood(void *user, size_t t, const int64_t *z, size_t n,
                               void *room, bbans_distribution *law)
{
    const toy *m = (const toy *)user;

    CHECK(z != NULL);
    return fails(m, t, LIKELIHOOD) != BBANS_OK
               ? BBANS_ERR_STATE
               : observations(m, z, n, room, law);
}

static bbans_status lookahead(void *user, size_t t, const int64_t *z, size_t n,
                              void *room, bbans_distribution *law)
{
    const toy *m = (const toy *)user;

    return fails(m, t, LOOKAHEAD) != BBANS_OK
               ? BBANS_ERR_STATE
               : observations(m, z, n, room, law);
}

static bbans_status proposal(void *user, size_t t, const int64_t *z,
                             const int64_t *x, size_t n, void *room,
                             bbans_distribution *law)
{
    const toy *m = (const toy *)user;

    CHECK(x[0] != INT64_MIN || x[1] != 1); /* reads both */
    return fails(m, t, PROPOSAL) != BBANS_OK ? BBANS_ERR_STATE
                                             : moves(m, z, n, room, 700, law);
}

static toy toy_of(int kind)
{
    toy m;

    m.kind = kind;
    m.fails_at = SIZE_MAX;
    m.fails_in = 0;
    CHECK(bbans_family_init(&m.family, BBANS_LOGISTIC) == BBANS_OK);
    CHECK(bbans_family_init(&m.tight, BBANS_GAUSSIAN) == BBANS_OK);
    m.tight.leakless = 1;
    return m;
}

static bbans_particles filter_of(toy *m, int ahead)
{
    const size_t particles = m->kind == REAL && !ahead ? MANY : PARTICLES;
    bbans_particle_model model;
    bbans_particles filter;

    memset(&model, 0, sizeof model);
    model.user = m;
    model.latents = model.observed = 2;
    model.symbols = m->kind == SYMBOLS ? 4 : 0;
    model.borrows = m->kind == COUNTS;
    model.work_bytes = 2 * particles * 16;
    model.prior = prior;
    model.likelihood = likelihood;
    model.lookahead = ahead ? lookahead : NULL;
    model.proposal = ahead ? proposal : NULL;
    CHECK(bbans_particles_init(&filter, &model, particles, 99, 8) == BBANS_OK);
    return filter;
}

static void draw_data(int kind, int64_t *x, size_t n)
{
    int64_t z = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        z += (int64_t)below(21) - 10;
        x[2 * i] = kind == SYMBOLS ? (int64_t)below(4)
                   : kind == REAL  ? z + (int64_t)below(7)
                                   : (int64_t)below(20);
        x[2 * i + 1] = kind == SYMBOLS ? (int64_t)below(4)
                       : kind == REAL  ? z / 2
                                       : (int64_t)below(9);
    }
}

/* ---- What holds of every filter ------------------------------------------ */

static size_t element_of(const bbans_state_space *space)
{
    return space->observation_bytes;
}

static bbans_message empty(uint64_t *head)
{
    bbans_message msg;

    CHECK(bbans_message_init(&msg, head, 1, tail, WORDS) == BBANS_OK);
    return msg;
}

static size_t encoded(const bbans_state_space *space, const void *x, size_t n,
                      size_t block, uint8_t *bytes, size_t cap)
{
    const size_t need = bbans_sequence_work_bytes(space, n, block);
    uint64_t head;
    bbans_message msg = empty(&head);
    size_t n_bytes;

    CHECK(need > 0 && need <= sizeof work);
    CHECK(bbans_sequence_encode(space, x, n, work, need, &msg) == BBANS_OK);
    CHECK(bbans_message_write(&msg, bytes, cap, &n_bytes) == BBANS_OK);
    return n_bytes;
}

/* The same bytes with many records or few, both modes; over other data; in
 * batches and packed. */
static void check_filter(bbans_state_space *space, const void *x, size_t n)
{
    static uint8_t first[16384], other[16384], many[32768], copy[N * 16];
    const size_t size = element_of(space);
    const uint64_t offset[SEQUENCES + 1] = {0, 9, 9, 10, 20, N};
    uint64_t head, before, byte_offset[SEQUENCES + 1];
    size_t n_first, i, failed, words;
    bbans_message msg;
    int mode;

    for (mode = 0; mode < 2; mode++) {
        space->predictive = mode;
        n_first = encoded(space, x, n, n, first, sizeof first);
        CHECK(encoded(space, x, n, 5, other, sizeof other) == n_first);
        CHECK(memcmp(first, other, n_first) == 0);
        msg = empty(&head);
        CHECK(bbans_message_read(&msg, first, n_first) == BBANS_OK);
        CHECK(bbans_sequence_decode(space, &msg, copy, n, work, sizeof work) ==
              BBANS_OK);
        CHECK(memcmp(copy, x, n * size) == 0);

        msg = empty(&head);
        CHECK(bbans_batch_encode(space, x, offset, SEQUENCES, work, sizeof work,
                                 &msg, many, sizeof many, byte_offset,
                                 &failed) == BBANS_OK);
        for (i = 0; i < SEQUENCES; i++) {
            const size_t length = (size_t)(offset[i + 1] - offset[i]);
            const size_t bytes =
                encoded(space, (const uint8_t *)x + offset[i] * size, length,
                        length, other, sizeof other);

            CHECK(bytes == byte_offset[i + 1] - byte_offset[i]);
            CHECK(memcmp(other, many + byte_offset[i], bytes) == 0);
        }
        memset(copy, 1, sizeof copy);
        msg = empty(&head);
        CHECK(bbans_batch_decode(space, many, byte_offset, copy, offset,
                                 SEQUENCES, work, sizeof work, &msg,
                                 &failed) == BBANS_OK);
        CHECK(memcmp(copy, x, n * size) == 0);

        msg = empty(&head);
        CHECK(bbans_packed_encode(space, x, offset, SEQUENCES, work,
                                  sizeof work, &msg) == BBANS_OK);
        memset(copy, 1, sizeof copy);
        CHECK(bbans_packed_decode(space, &msg, copy, offset, SEQUENCES, work,
                                  sizeof work) == BBANS_OK);
        CHECK(memcmp(copy, x, n * size) == 0);
    }
    check_costs(space, x, n);
    msg = empty(&head);
    for (i = 0; i < 40; i++)
        tail[i] = (uint32_t)random_bits();
    before = head = (uint64_t)1 << 40 | 12345;
    msg.tail_len = words = 40;
    CHECK(bbans_sequence_push(space, &msg, x, n, work, sizeof work) ==
          BBANS_OK);
    memset(copy, 1, sizeof copy);
    CHECK(bbans_sequence_pop(space, &msg, copy, n, work, sizeof work) ==
          BBANS_OK);
    CHECK(memcmp(copy, x, n * size) == 0);
    CHECK(head == before && msg.tail_len == words);
}

/* Damaged messages decode to something, or are refused. */
static void check_hostile(bbans_state_space *space)
{
    static uint8_t bytes[200], copy[N * 16];
    uint64_t head;
    size_t i, k, n;

    for (k = 0; k < 300; k++) {
        bbans_message msg = empty(&head);
        bbans_status status;

        n = 1 + below(sizeof bytes - 1);
        for (i = 0; i < n; i++)
            bytes[i] = (uint8_t)(below(4) == 0 ? 255 : random_bits());
        bytes[n - 1] |= 1;
        CHECK(bbans_message_read(&msg, bytes, n) == BBANS_OK);
        space->predictive = (int)(k % 2);
        status = bbans_sequence_decode(space, &msg, copy, N, work, sizeof work);
        CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT ||
              status == BBANS_ERR_SYMBOL);
    }
}

static void test_laws(void)
{
    static int64_t x[N][2];
    int kind, ahead;

    for (kind = REAL; kind <= COUNTS; kind++)
        for (ahead = 0; ahead < 2; ahead++) {
            toy m = toy_of(kind);
            bbans_particles filter = filter_of(&m, ahead);

            draw_data(kind, x[0], N);
            check_filter(&filter.space, x, N);
            check_hostile(&filter.space);
        }
}

/* What a callback returns is what the caller gets; a push that fails before it
 * pushes leaves the message alone. */
static void test_failures(void)
{
    static uint8_t bytes[16384];
    static int64_t x[N][2], copy[N][2];
    uint64_t head;
    int kind, ahead, callback;
    size_t n_bytes, t;

    for (kind = REAL; kind <= COUNTS; kind++)
        for (ahead = 0; ahead < 2; ahead++) {
            toy m = toy_of(kind);
            bbans_particles filter = filter_of(&m, ahead);
            const bbans_state_space *space = &filter.space;
            bbans_message msg;

            draw_data(kind, x[0], N);
            n_bytes = encoded(space, x, N, N, bytes, sizeof bytes);
            for (callback = PRIOR; callback <= (ahead ? PROPOSAL : LIKELIHOOD);
                 callback++)
                for (t = 0; t < N; t += 12) {
                    m.fails_in = callback;
                    m.fails_at = t;
                    msg = empty(&head);
                    CHECK(bbans_sequence_encode(space, x, N, work, sizeof work,
                                                &msg) == BBANS_ERR_STATE);
                    msg = empty(&head);
                    CHECK(bbans_sequence_push(space, &msg, x, N, work,
                                              sizeof work) == BBANS_ERR_STATE);
                    CHECK(head == 1 && msg.tail_len == 0);
                    msg = empty(&head);
                    CHECK(bbans_message_read(&msg, bytes, n_bytes) == BBANS_OK);
                    CHECK(bbans_sequence_decode(space, &msg, copy, N, work,
                                                sizeof work) ==
                          BBANS_ERR_STATE);
                }
        }
}

static void test_refusals(void)
{
    static int64_t x[N][2];
    toy m = toy_of(SYMBOLS);
    bbans_particles filter = filter_of(&m, 0);
    bbans_particle_model model = filter.model;
    uint64_t head;
    bbans_message msg = empty(&head);

    draw_data(SYMBOLS, x[0], N);
    x[20][1] = 4;
    CHECK(bbans_sequence_encode(&filter.space, x, N, work, sizeof work, &msg) ==
          BBANS_ERR_SYMBOL);
    model.symbols = 3; /* the laws have more */
    x[20][1] = 0;
    CHECK(bbans_particles_init(&filter, &model, PARTICLES, 0, 8) == BBANS_OK);
    CHECK(bbans_sequence_encode(&filter.space, x, N, work, sizeof work, &msg) ==
          BBANS_ERR_SIZE);
    model.symbols = 0; /* they are not of a location and a scale */
    CHECK(bbans_particles_init(&filter, &model, PARTICLES, 0, 8) == BBANS_OK);
    CHECK(bbans_sequence_encode(&filter.space, x, N, work, sizeof work, &msg) ==
          BBANS_ERR_TYPE);
    CHECK(bbans_particles_init(&filter, &model, 0, 0, 8) == BBANS_ERR_SIZE);
    CHECK(bbans_particles_init(&filter, &model, BBANS_PARTICLES_MAX + 1, 0,
                               8) == BBANS_ERR_SIZE);
    CHECK(bbans_particles_init(&filter, &model, 1, 0, 0) == BBANS_ERR_SIZE);
    model.lookahead = lookahead;
    CHECK(bbans_particles_init(&filter, &model, 1, 0, 8) == BBANS_ERR_NULL);
    model.proposal = proposal;
    model.latents = 0;
    CHECK(bbans_particles_init(&filter, &model, 1, 0, 8) == BBANS_ERR_SIZE);
    model.latents = 1;
    model.observed = BBANS_DIMENSIONS_MAX + 1;
    CHECK(bbans_particles_init(&filter, &model, 1, 0, 8) == BBANS_ERR_SIZE);
}

/* ---- Finite models ------------------------------------------------------- */

#define STATES 6
#define LETTERS 5
#define PREC 20

static void fill_row(uint32_t *mass, size_t n)
{
    uint32_t left = (uint32_t)1 << PREC;
    size_t i;

    for (i = 0; i + 1 < n; i++) {
        mass[i] = 1 + below(left / 2);
        left -= mass[i];
    }
    mass[i] = left;
}

static void test_hmm(void)
{
    static uint64_t memory[20000];
    static uint32_t initial[STATES], transition[STATES][STATES],
        emission[STATES][LETTERS], x[N], damaged[N];
    const size_t count[] = {1, 4, 64, 300};
    bbans_particles filter;
    bbans_hmm hmm;
    uint64_t head;
    bbans_message msg = empty(&head);
    size_t i;
    int adapted;

    fill_row(initial, STATES);
    for (i = 0; i < STATES; i++) {
        fill_row(transition[i], STATES);
        fill_row(emission[i], LETTERS);
    }
    CHECK(bbans_hmm_bytes(STATES, LETTERS) <= sizeof memory);
    CHECK(bbans_hmm_init(&hmm, STATES, LETTERS, PREC, 9, initial, transition[0],
                         emission[0], memory, sizeof memory) == BBANS_OK);
    for (i = 0; i < N; i++)
        x[i] = below(LETTERS);
    for (adapted = 0; adapted < 2; adapted++)
        for (i = 0; i < sizeof count / sizeof *count; i++) {
            CHECK(bbans_particles_init_hmm(&filter, &hmm, count[i], 3, adapted,
                                           9) == BBANS_OK);
            check_filter(&filter.space, x, N);
            check_hostile(&filter.space);
        }
    memcpy(damaged, x, sizeof x);
    damaged[30] = LETTERS;
    CHECK(bbans_sequence_encode(&filter.space, damaged, N, work, sizeof work,
                                &msg) == BBANS_ERR_SYMBOL);
    CHECK(bbans_particles_init_hmm(&filter, NULL, 1, 3, 0, 9) ==
          BBANS_ERR_NULL);
    CHECK(bbans_particles_init_hmm(&filter, &hmm, 0, 3, 0, 9) ==
          BBANS_ERR_SIZE);
}

int main(void)
{
    int isa;

    FOR_EACH_ISA(isa)
    {
        test_masses();
        test_masses_of_rows();
        test_numbers();
        test_draws();
        test_resample();
        test_laws();
        test_failures();
        test_refusals();
        test_hmm();
    }
    puts("test_particles: ok");
    return 0;
}
