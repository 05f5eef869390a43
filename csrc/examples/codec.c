/* A codec of one's own: bits back with a latent variable.
 *
 *     codec
 *
 * Integers come from one of three Gaussians, each a cluster.  Which one is the
 * latent variable z; the message codes x and z, and gets back the bits that
 * choose z under its posterior q(z | x).  What is pushed is popped in the
 * reverse order, and the data that the message started from come back too.
 *
 * SPDX-License-Identifier: MIT */
#include <bbans.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLUSTERS = 3, N = 1000, WORDS = 4000, SEED_BYTES = 64 };

/* Weights of the clusters; locations in units of 2^-16; 256 log2 of the scales.
 */
static const uint32_t prior[CLUSTERS] = {5, 3, 2};
static const int64_t location[CLUSTERS] = {-20 * 65536, 0, 300 * 65536};
static const int32_t scale[CLUSTERS] = {2 * 256, 3 * 256, 5 * 256};

static bbans_family gaussian;

static void check(bbans_status status, const char *what)
{
    if (status != BBANS_OK) {
        fprintf(stderr, "codec: %s: %s\n", what, bbans_status_text(status));
        exit(1);
    }
}

/* q(z | x): any will do that sender and receiver make alike, the better the
 * more it resembles the true posterior.  Here, the cluster whose location is
 * near. */
static bbans_distribution posterior(int64_t x, uint32_t weight[CLUSTERS])
{
    bbans_distribution q;
    int k;

    for (k = 0; k < CLUSTERS; k++) {
        const int64_t far = llabs(x - location[k] / 65536) / (4 << k);

        weight[k] = (prior[k] << 16 >> (far < 16 ? far : 16)) + 1;
    }
    check(bbans_distribution_init_weighted(
              &q, bbans_array_of(weight, BBANS_U32), CLUSTERS),
          "posterior");
    return q;
}

static bbans_distribution likelihood(uint32_t z)
{
    bbans_distribution p;

    check(bbans_distribution_init_location_scale(
              &p, &gaussian, bbans_array_of(&location[z], BBANS_I64),
              bbans_array_of(&scale[z], BBANS_I32)),
          "likelihood");
    return p;
}

static bbans_distribution prior_of_z(void)
{
    bbans_distribution p;

    check(bbans_distribution_init_weighted(&p, bbans_array_of(prior, BBANS_U32),
                                           CLUSTERS),
          "prior");
    return p;
}

static void push(bbans_message *msg, int64_t x)
{
    uint32_t weight[CLUSTERS], z;
    const bbans_distribution q = posterior(x, weight), p = prior_of_z();
    bbans_distribution p_x;

    check(bbans_message_pop(msg, &q, &z, BBANS_U32, 1), "z by q(z | x)");
    p_x = likelihood(z);
    check(bbans_message_push(msg, &p_x, &x, BBANS_I64, 1), "x");
    check(bbans_message_push(msg, &p, &z, BBANS_U32, 1), "z");
}

static int64_t pop(bbans_message *msg) /* push, from its end to its start */
{
    uint32_t weight[CLUSTERS], z;
    const bbans_distribution p = prior_of_z();
    bbans_distribution p_x, q;
    int64_t x;

    check(bbans_message_pop(msg, &p, &z, BBANS_U32, 1), "z");
    p_x = likelihood(z);
    check(bbans_message_pop(msg, &p_x, &x, BBANS_I64, 1), "x");
    q = posterior(x, weight);
    check(bbans_message_push(msg, &q, &z, BBANS_U32, 1), "z by q(z | x)");
    return x;
}

int main(void)
{
    static uint32_t tail[WORDS];
    uint8_t seed[SEED_BYTES], back[SEED_BYTES];
    int64_t data[N];
    uint64_t head, state = 1;
    bbans_message msg;
    size_t i, n_bytes, n_back;

    check(bbans_family_init(&gaussian, BBANS_GAUSSIAN), "family");
    for (i = 0; i < N; i++) { /* a linear congruence: Knuth's MMIX */
        state = state * UINT64_C(6364136223846793005) +
                UINT64_C(1442695040888963407);
        data[i] = (int64_t)(state >> 60) - 8 +
                  (state >> 40 & 7 ? (state >> 40 & 1 ? -20 : 0) : 300);
    }
    /* Bits to start from: any that look random, as compressed data do. */
    for (i = 0; i < SEED_BYTES; i++)
        seed[i] = (uint8_t)((state += state >> 29) >> 24);
    check(bbans_message_init(&msg, &head, 1, tail, WORDS), "message");
    check(bbans_message_seed(&msg, seed, SEED_BYTES), "seed");

    for (i = N; i-- > 0;)
        push(&msg, data[i]);
    check(bbans_message_size(&msg, &n_bytes), "size");
    printf("%d integers in %zu bytes, which give back %d: %.3f bits each\n", N,
           n_bytes, SEED_BYTES, 8.0 * (double)(n_bytes - SEED_BYTES) / N);

    for (i = 0; i < N; i++)
        if (pop(&msg) != data[i]) {
            fprintf(stderr, "codec: another integer came back\n");
            return 1;
        }
    check(bbans_message_unseed(&msg, back, SEED_BYTES, &n_back), "unseed");
    if (n_back != SEED_BYTES || memcmp(back, seed, SEED_BYTES) != 0) {
        fprintf(stderr, "codec: another seed came back\n");
        return 1;
    }
    return 0;
}
