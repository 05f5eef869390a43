/* VAEs and deep state space models: against their definition by public
 * functions, round trips, files, damage, and what is refused.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"
#include "costs.h"

#include <string.h>

#define WIDTH 6
#define LATENTS 3
#define HIDDEN 5
#define GRID 3
#define LENGTH 40
#define WORDS 40000
#define NETWORKS (2 * BBANS_LEVELS_MAX)
#define SLOTS 256 /* numbers that a network gives at most */

/* ---- Networks of random numbers ------------------------------------------ */

#define INPUTS 10

/* An INPUT for each of `inputs`, a dense layer over each, and their sum. */
typedef struct {
    bbans_node node[3 * INPUTS];
    int8_t weight[INPUTS][SLOTS * WIDTH];
    int32_t bias[INPUTS][SLOTS], multiplier[INPUTS][SLOTS];
    uint8_t shift[INPUTS][SLOTS];
} layers;

static void set_vector(bbans_node *node, size_t n, int32_t low, int32_t high)
{
    node->height = node->width = 1;
    node->channels = (uint32_t)n;
    node->low = low;
    node->high = high;
}

static void set_dense(layers *l, size_t i, uint32_t input, size_t takes,
                      size_t gives, int32_t size)
{
    bbans_node *node = l->node + input + 1;
    size_t k;

    node->op = BBANS_OP_AFFINE;
    node->input[0] = input;
    node->kernel[0] = node->kernel[1] = 1;
    node->stride[0] = node->stride[1] = 1;
    set_vector(node, gives, INT32_MIN, INT32_MAX);
    for (k = 0; k < gives * takes; k++)
        l->weight[i][k] = (int8_t)((int32_t)below(256) - 128);
    for (k = 0; k < gives; k++) {
        l->bias[i][k] = (int32_t)below(20000) - 10000;
        l->multiplier[i][k] = size;
        l->shift[i][k] = 10;
    }
    node->weight_type = BBANS_I8;
    node->weight = l->weight[i];
    node->bias = l->bias[i];
    node->multiplier = l->multiplier[i];
    node->row_shift = l->shift[i];
}

/* Numbers of some size from inputs of -100 .. 100. */
static void make_network(bbans_network *network, layers *l, const size_t *takes,
                         size_t inputs, size_t gives, int32_t size)
{
    uint32_t output = 1, n = 0;
    size_t i;

    memset(l, 0, sizeof *l);
    for (i = 0; i < inputs; i++, n += 2) {
        l->node[n].op = BBANS_OP_INPUT;
        set_vector(l->node + n, takes[i], -100, 100);
        set_dense(l, i, n, takes[i], gives, size);
        if (i == 0)
            continue;
        l->node[n + 2].op = BBANS_OP_SUM;
        l->node[n + 2].input[0] = output;
        l->node[n + 2].input[1] = n + 1;
        l->node[n + 2].factor[0] = l->node[n + 2].factor[1] = 1;
        l->node[n + 2].shift = 1;
        set_vector(l->node + n + 2, gives, INT32_MIN, INT32_MAX);
        output = n + 2;
        n++;
    }
    CHECK(bbans_network_init(network, l->node, n, &output, 1) == BBANS_OK);
}

/* ---- Models -------------------------------------------------------------- */

typedef struct {
    bbans_frozen frozen;
    bbans_network network[NETWORKS];
    layers layers[NETWORKS];
    size_t latents[BBANS_LEVELS_MAX];
} fixture;

static const bbans_head heads[] = {
    {BBANS_HEAD_BERNOULLI, WIDTH, 0, 1, 0, 0},
    {BBANS_HEAD_CATEGORICAL, WIDTH, 0, 9, 0, 0},
    {BBANS_HEAD_MIXTURE, WIDTH, -20, 200, 3, BBANS_LOGISTIC},
    {BBANS_HEAD_MIXTURE, WIDTH, INT32_MIN, INT32_MAX, 2, BBANS_GAUSSIAN},
    {BBANS_HEAD_BETA_BINOMIAL, WIDTH, 0, 30, 0, 0},
};

static size_t outputs_of(const bbans_head *head)
{
    switch (head->law) {
    case BBANS_HEAD_BERNOULLI: return head->width;
    case BBANS_HEAD_CATEGORICAL: return head->width * (size_t)(head->high + 1);
    case BBANS_HEAD_MIXTURE: return head->width * 3 * head->components;
    default: return head->width * 2;
    }
}

static void add_above(const fixture *f, size_t low, size_t end, size_t *takes,
                      size_t *inputs)
{
    while (end-- > low)
        takes[(*inputs)++] = f->latents[end];
}

/* Scales of e^-4 to e^4 steps or so, logits of some doublings. */
static void make_vae(fixture *f, const bbans_head *head, size_t levels,
                     int order, unsigned start_shift)
{
    const int markov = order == BBANS_ORDER_MARKOV;
    size_t l, takes[INPUTS], inputs;

    for (l = 0; l < levels; l++)
        f->latents[l] = LATENTS + l;
    for (l = 0; l < levels; l++) {
        inputs = 0;
        if (markov && l > 0) {
            takes[inputs++] = f->latents[l - 1];
        } else {
            takes[inputs++] = head->width;
            if (!markov)
                add_above(f, l + 1, levels, takes, &inputs);
        }
        make_network(f->network + l, f->layers + l, takes, inputs,
                     2 * f->latents[l], 20);
    }
    for (l = 0; l < levels; l++) { /* the last is the likelihood */
        const size_t low = l + 1 == levels ? 0 : l + 1;

        inputs = 0;
        add_above(f, low, markov ? low + 1 : levels, takes, &inputs);
        make_network(f->network + levels + l, f->layers + levels + l, takes,
                     inputs, low == 0 ? outputs_of(head) : 2 * f->latents[l],
                     20);
    }
    CHECK(bbans_vae_init(&f->frozen.vae, head, levels, order, GRID, 3, 20,
                         start_shift, f->network) == BBANS_OK);
}

static void make_deep_ssm(fixture *f, const bbans_head *head,
                          unsigned start_shift)
{
    const size_t update[] = {head->width, HIDDEN}, prior[] = {LATENTS};
    const size_t likelihood[] = {LATENTS, HIDDEN};
    const size_t posterior[] = {HIDDEN, LATENTS};

    f->latents[0] = LATENTS;
    make_network(f->network, f->layers, update, 2, HIDDEN, 1);
    make_network(f->network + 1, f->layers + 1, prior, 1, 2 * LATENTS, 20);
    make_network(f->network + 2, f->layers + 2, likelihood, 2, outputs_of(head),
                 20);
    make_network(f->network + 3, f->layers + 3, posterior, 2, 2 * LATENTS, 20);
    CHECK(bbans_deep_ssm_init(&f->frozen.deep_ssm, head, GRID, 3, 20,
                              start_shift, f->network) == BBANS_OK);
}

static void draw(const bbans_head *head, int32_t *x, size_t n)
{
    const uint64_t values = (uint64_t)((int64_t)head->high - head->low) + 1;
    size_t i;

    for (i = 0; i < n; i++)
        x[i] = (int32_t)(head->low + (int64_t)(random_bits() % values));
}

/* ---- The definition, by public functions --------------------------------- */

/* One network, of latents of one or two levels or x: what it gives. */
static void run(const bbans_network *network, const bbans_array *input,
                int32_t *output)
{
    static uint64_t work[4000];
    int32_t clipped[INPUTS][WIDTH + BBANS_LEVELS_MAX];
    bbans_array array[INPUTS];
    size_t k, i;

    for (k = 0; k < network->inputs; k++) {
        const bbans_node *node = network->node + network->input[k];

        for (i = 0; i < node->channels; i++) {
            const int64_t v = input[k].type == BBANS_I64
                                  ? ((const int64_t *)input[k].data)[i]
                                  : ((const int32_t *)input[k].data)[i];

            clipped[k][i] = v < -100 ? -100 : v > 100 ? 100 : (int32_t)v;
        }
        array[k] = bbans_array_of(clipped[k], BBANS_I32);
    }
    CHECK(bbans_network_run(network, array, 1, work, sizeof work, &output) ==
          BBANS_OK);
}

/* What a law refers to. */
typedef struct {
    bbans_distribution distribution;
    bbans_family family;
    int64_t location[SLOTS];
    int32_t scale[SLOTS];
    uint32_t weight[SLOTS], trials[WIDTH], alpha[WIDTH], beta[WIDTH];
} law;

static int32_t scale_of(int32_t v)
{
    return v < BBANS_SCALE_MIN   ? BBANS_SCALE_MIN
           : v > BBANS_SCALE_MAX ? BBANS_SCALE_MAX
                                 : v;
}

static const bbans_distribution *latent_law(law *to, const int32_t *output,
                                            size_t n, unsigned leakless)
{
    size_t i;

    for (i = 0; i < n; i++) {
        to->location[i] = output == NULL ? 0 : output[i];
        to->scale[i] = output == NULL ? 256 * GRID : scale_of(output[n + i]);
    }
    CHECK(bbans_family_init(&to->family, BBANS_GAUSSIAN) == BBANS_OK);
    to->family.leakless = leakless;
    CHECK(bbans_distribution_init_location_scale(
              &to->distribution, &to->family,
              bbans_array_of(to->location, BBANS_I64),
              bbans_array_of(to->scale, BBANS_I32)) == BBANS_OK);
    return &to->distribution;
}

static const bbans_distribution *observed_law(law *to, const bbans_head *head,
                                              const int32_t *output)
{
    const size_t p = head->width, n = head->components;
    int32_t logit[SLOTS];
    bbans_array array[3];
    bbans_status status;
    size_t i, k;

    switch (head->law) {
    case BBANS_HEAD_BERNOULLI:
        CHECK(bbans_logits_to_probabilities(output, p, to->weight) == BBANS_OK);
        for (i = 0; i < p; i++)
            to->weight[i] >>= 4;
        status = bbans_distribution_init_bernoulli(&to->distribution, 28,
                                                   to->weight);
        break;
    case BBANS_HEAD_CATEGORICAL:
        k = (size_t)head->high + 1;
        CHECK(bbans_logits_to_weights(output, p, k, to->weight) == BBANS_OK);
        status = bbans_distribution_init_weighted(
            &to->distribution, bbans_array_of(to->weight, BBANS_U32), k);
        break;
    case BBANS_HEAD_MIXTURE:
        for (i = 0; i < p; i++)
            for (k = 0; k < n; k++) {
                logit[i * n + k] = output[3 * n * i + k];
                to->location[i * n + k] = output[3 * n * i + n + k];
                to->scale[i * n + k] = scale_of(output[3 * n * i + 2 * n + k]);
            }
        CHECK(bbans_logits_to_weights(logit, p, n, to->weight) == BBANS_OK);
        CHECK(bbans_family_init(&to->family, head->family) == BBANS_OK);
        array[0] = bbans_array_of(to->weight, BBANS_U32);
        array[1] = bbans_array_of(to->location, BBANS_I64);
        array[2] = bbans_array_of(to->scale, BBANS_I32);
        status = bbans_distribution_init_mixture(
            &to->distribution, &to->family, n, array[0], array[1], array[2],
            head->low, head->high);
        break;
    default:
        for (i = 0; i < p; i++) {
            to->trials[i] = (uint32_t)head->high;
            CHECK(bbans_logs_to_rates(output + 2 * i, 1, to->alpha + i) ==
                  BBANS_OK);
            CHECK(bbans_logs_to_rates(output + 2 * i + 1, 1, to->beta + i) ==
                  BBANS_OK);
        }
        status = bbans_distribution_init_beta_binomial(
            &to->distribution, to->trials, bbans_array_of(to->alpha, BBANS_U32),
            bbans_array_of(to->beta, BBANS_U32));
    }
    CHECK(status == BBANS_OK);
    return &to->distribution;
}

static void pop_latents(bbans_message *msg, const int32_t *output, size_t n,
                        int64_t *z)
{
    law q;

    CHECK(bbans_message_pop(msg, latent_law(&q, output, n, 1), z, BBANS_I64,
                            n) == BBANS_OK);
}

static void push_latents(bbans_message *msg, const int32_t *output, size_t n,
                         const int64_t *z)
{
    law p;

    CHECK(bbans_message_push(msg, latent_law(&p, output, n, 0), z, BBANS_I64,
                             n) == BBANS_OK);
}

static void push_observed(bbans_message *msg, const bbans_head *head,
                          const int32_t *output, const int32_t *x)
{
    law p;

    CHECK(bbans_message_push(msg, observed_law(&p, head, output), x, BBANS_I32,
                             head->width) == BBANS_OK);
}

/* A sequence under a VAE of two levels, a step after the other: but for the
 * schedule's order of a posterior's pop of step t - 1, between steps. */
static void push_two_levels(const fixture *f, bbans_message *msg,
                            const int32_t *x, size_t n)
{
    const bbans_vae *m = &f->frozen.vae;
    const bbans_head *head = &m->base.head;
    const int markov = m->order == BBANS_ORDER_MARKOV;
    const size_t a = f->latents[0], b = f->latents[1];
    int64_t z[2][2][BBANS_LEVELS_MAX]; /* [step][level] */
    int32_t output[SLOTS];
    bbans_array input[3];
    size_t t, i;

    for (t = n + 1; t-- > 0;) {
        const int32_t *now = x + t * WIDTH;
        const int32_t *before = x + (t > 0 ? t - 1 : 0) * WIDTH;
        int64_t(*level)[BBANS_LEVELS_MAX] = z[t % 2];

        if (t < n) { /* likelihood */
            input[0] = bbans_array_of(level[markov ? 0 : 1], BBANS_I64);
            input[1] = bbans_array_of(level[0], BBANS_I64);
            run(f->network + 3, input, output);
            push_observed(msg, head, output, now);
        }
        for (i = markov ? 1 : 2; t > 0 && i-- > 0;) { /* posterior */
            int64_t(*old)[BBANS_LEVELS_MAX] = z[(t - 1) % 2];

            input[0] = bbans_array_of(before, BBANS_I32);
            input[1] = bbans_array_of(old[1], BBANS_I64);
            run(f->network + i, input, output);
            pop_latents(msg, output, f->latents[i], old[i]);
        }
        if (t == n)
            continue;
        if (markov) { /* prior */
            input[0] = bbans_array_of(level[0], BBANS_I64);
            run(f->network + 1, input, output);
            pop_latents(msg, output, b, level[1]);
        }
        input[0] = bbans_array_of(level[1], BBANS_I64);
        run(f->network + 2, input, output);
        push_latents(msg, output, a, level[0]);
        push_latents(msg, NULL, b, level[1]);
    }
}

static void push_deep_ssm(const fixture *f, bbans_message *msg,
                          const int32_t *x, size_t n)
{
    const bbans_head *head = &f->frozen.deep_ssm.base.head;
    static const int64_t none[LATENTS];
    int64_t z[2][LATENTS];
    int32_t h[LENGTH + 1][HIDDEN], output[SLOTS];
    bbans_array input[2];
    size_t t;

    memset(h, 0, sizeof h);
    for (t = 0; t < n; t++) {
        input[0] = bbans_array_of(x + t * WIDTH, BBANS_I32);
        input[1] = bbans_array_of(h[t], BBANS_I32);
        run(f->network, input, h[t + 1]);
    }
    for (t = n + 1; t-- > 0;) {
        int64_t *now = z[t % 2], *before = z[(t + 1) % 2];

        if (t < n) {
            input[0] = bbans_array_of(now, BBANS_I64);
            input[1] = bbans_array_of(h[t], BBANS_I32);
            run(f->network + 2, input, output);
            push_observed(msg, head, output, x + t * WIDTH);
        }
        if (t > 0) {
            input[0] = bbans_array_of(h[t], BBANS_I32);
            input[1] = bbans_array_of(t == n ? none : now, BBANS_I64);
            run(f->network + 3, input, output);
            pop_latents(msg, output, LATENTS, before);
        }
        if (t == n)
            continue;
        if (t > 0) {
            input[0] = bbans_array_of(before, BBANS_I64);
            run(f->network + 1, input, output);
        }
        push_latents(msg, t > 0 ? output : NULL, LATENTS, now);
    }
}

static bbans_message some_message(uint64_t *head, uint32_t *tail, size_t words)
{
    bbans_message msg;
    size_t i;

    CHECK(bbans_message_init(&msg, head, 1, tail, WORDS) == BBANS_OK);
    for (i = 0; i < words; i++)
        tail[i] = (uint32_t)(random_bits() >> 32);
    msg.tail_len = words;
    *head = (uint64_t)1 << 40 | random_bits() >> 30;
    return msg;
}

static void test_definition(const fixture *f, void *work, size_t work_bytes)
{
    const bbans_state_space *space = &f->frozen.space;
    const bbans_head *head = &f->frozen.vae.base.head;
    static uint32_t tail[WORDS], expected[WORDS];
    int32_t x[LENGTH * WIDTH];
    uint64_t heads_of[2];
    bbans_message msg = some_message(heads_of, tail, 500), by_hand = msg;

    memcpy(expected, tail, sizeof tail);
    heads_of[1] = heads_of[0];
    by_hand.head = heads_of + 1;
    by_hand.tail = expected;
    draw(head, x, LENGTH * WIDTH);
    CHECK(bbans_sequence_push(space, &msg, x, LENGTH, work, work_bytes) ==
          BBANS_OK);
    if (space->belief_bytes > 0)
        push_deep_ssm(f, &by_hand, x, LENGTH);
    else
        push_two_levels(f, &by_hand, x, LENGTH);
    CHECK(msg.tail_len == by_hand.tail_len && heads_of[0] == heads_of[1] &&
          memcmp(tail, expected, 4 * msg.tail_len) == 0);
}

/* ---- Round trips and damage ---------------------------------------------- */

static void test_round_trips(fixture *f, void *work, size_t work_bytes)
{
    bbans_state_space *space = &f->frozen.space;
    static const size_t lengths[] = {0, 1, 3, 4, 17, LENGTH};
    static int32_t x[LENGTH * WIDTH], y[LENGTH * WIDTH];
    static uint32_t tail[WORDS];
    static uint8_t bytes[4 * WORDS], again[4 * WORDS];
    size_t k, n_bytes, n_again, i, damaged = 0;
    bbans_message msg;
    uint64_t head;

    for (k = 0; k < 2 * sizeof lengths / sizeof *lengths; k++) {
        const size_t n = lengths[k / 2];

        space->predictive = k % 2;
        draw(&f->frozen.vae.base.head, x, LENGTH * WIDTH);
        CHECK(bbans_sequence_tail_words(space, n) <= WORDS / 2);
        CHECK(bbans_message_init(&msg, &head, 1, tail, WORDS) == BBANS_OK);
        CHECK(bbans_sequence_encode(space, x, n, work, work_bytes, &msg) ==
              BBANS_OK);
        CHECK(bbans_message_write(&msg, bytes, sizeof bytes, &n_bytes) ==
              BBANS_OK);
        /* With the least workspace: the same. */
        CHECK(bbans_sequence_encode(space, x, n, work,
                                    bbans_sequence_work_bytes(space, n, 1),
                                    &msg) == BBANS_OK);
        CHECK(bbans_message_write(&msg, again, sizeof again, &n_again) ==
                  BBANS_OK &&
              n_again == n_bytes && memcmp(bytes, again, n_bytes) == 0);
        memset(y, 0, sizeof y);
        CHECK(bbans_sequence_decode(space, &msg, y, n, work,
                                    bbans_sequence_work_bytes(space, 1, 1)) ==
              BBANS_OK);
        CHECK(memcmp(x, y, n * WIDTH * sizeof *x) == 0);
        for (i = 0; i < 25 && n_bytes > 0; i++) {
            bbans_status status;

            memcpy(again, bytes, n_bytes);
            again[below((uint32_t)n_bytes)] ^= (uint8_t)(1 + below(255));
            CHECK(bbans_message_init(&msg, &head, 1, tail, WORDS) == BBANS_OK);
            if (bbans_message_read(&msg, again, n_bytes) != BBANS_OK)
                continue; /* a last byte of 0 */
            status = bbans_sequence_decode(space, &msg, y, n, work, work_bytes);
            CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
            if (status != BBANS_OK) {
                damaged++;
                continue;
            }
            /* What decodes is what these observations encode to. */
            CHECK(bbans_message_init(&msg, &head, 1, tail, WORDS) == BBANS_OK);
            CHECK(bbans_sequence_encode(space, y, n, work, work_bytes, &msg) ==
                  BBANS_OK);
            CHECK(bbans_message_write(&msg, again + n_bytes, n_bytes + 16,
                                      &n_again) == BBANS_OK);
            CHECK(n_again == n_bytes &&
                  memcmp(again, again + n_bytes, n_bytes) == 0);
        }
    }
    CHECK(damaged > 0);
    check_costs(space, x, LENGTH);
    space->predictive = 0;
}

/* Several sequences, each by itself or all in one message. */
static void test_several(const fixture *f, void *work, size_t work_bytes)
{
    static const uint64_t offset[] = {0, 0, 5, 6, 20, LENGTH - 3, LENGTH};
    const size_t n = sizeof offset / sizeof *offset - 1;
    const bbans_state_space *space = &f->frozen.space;
    static int32_t x[LENGTH * WIDTH], y[LENGTH * WIDTH];
    static uint8_t bytes[4 * WORDS], alone[4 * WORDS];
    static uint32_t tail[WORDS];
    uint64_t head, byte_offset[sizeof offset / sizeof *offset];
    size_t k, failed, n_bytes;
    bbans_message msg;

    draw(&f->frozen.vae.base.head, x, LENGTH * WIDTH);
    CHECK(bbans_message_init(&msg, &head, 1, tail, WORDS) == BBANS_OK);
    CHECK(bbans_batch_encode(space, x, offset, n, work, work_bytes, &msg, bytes,
                             sizeof bytes, byte_offset, &failed) == BBANS_OK);
    memset(y, 0, sizeof y);
    CHECK(bbans_batch_decode(space, bytes, byte_offset, y, offset, n, work,
                             work_bytes, &msg, &failed) == BBANS_OK);
    CHECK(memcmp(x, y, sizeof x) == 0);
    for (k = 0; k < n; k++) {
        const size_t length = (size_t)(byte_offset[k + 1] - byte_offset[k]);

        CHECK(bbans_sequence_encode(space, x + offset[k] * WIDTH,
                                    (size_t)(offset[k + 1] - offset[k]), work,
                                    work_bytes, &msg) == BBANS_OK);
        CHECK(bbans_message_write(&msg, alone, sizeof alone, &n_bytes) ==
                  BBANS_OK &&
              n_bytes == length &&
              memcmp(alone, bytes + byte_offset[k], n_bytes) == 0);
    }
    CHECK(bbans_packed_encode(space, x, offset, n, work, work_bytes, &msg) ==
          BBANS_OK);
    memset(y, 0, sizeof y);
    CHECK(bbans_packed_decode(space, &msg, y, offset, n, work, work_bytes) ==
          BBANS_OK);
    CHECK(memcmp(x, y, sizeof x) == 0);
}

/* ---- Files --------------------------------------------------------------- */

static void test_file(fixture *f, int kind, void *work, size_t work_bytes)
{
    static uint8_t file[100000], again[100000], bytes[20000];
    static int32_t x[LENGTH * WIDTH], y[LENGTH * WIDTH];
    static uint8_t octet[LENGTH * WIDTH];
    const bbans_head *head = &f->frozen.vae.base.head;
    size_t n_file, n_again, n_bytes, n_memory, i, n, cap;
    const int element =
        kind == BBANS_KIND_BYTES ? BBANS_ELEMENT_BYTES : BBANS_ELEMENT_INT32;
    const bbans_content content = bbans_content_of(element);
    const void *data = x;
    void *back = y;
    bbans_reader reader;
    bbans_model model;
    void *memory;

    CHECK(bbans_model_write(&f->frozen.space, BBANS_KIND_TEXT, NULL, 0, file,
                            sizeof file, &n_file) == BBANS_ERR_SYMBOL);
    CHECK(bbans_model_write(&f->frozen.space, kind, NULL, 0, file, 0,
                            &n_file) == BBANS_ERR_CAPACITY);
    cap = n_file;
    CHECK(bbans_model_write(&f->frozen.space, kind, NULL, 0, file, cap - 1,
                            &n_file) == BBANS_ERR_CAPACITY);
    CHECK(bbans_model_write(&f->frozen.space, kind, NULL, 0, file, cap,
                            &n_file) == BBANS_OK &&
          n_file == cap);
    for (i = 0; i < n_file; i++)
        CHECK(bbans_model_parse(&model, file, i) == BBANS_ERR_TRUNCATED);
    CHECK(bbans_model_parse(&model, file, n_file) == BBANS_OK);
    CHECK(model.width == head->width && model.symbols == 0 &&
          model.kind == kind);
    n_memory = bbans_model_bytes(&model);
    memory = malloc(n_memory);
    CHECK(memory != NULL);
    CHECK(bbans_model_build(&model, memory, n_memory - 1) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_model_build(&model, memory, n_memory) == BBANS_OK);
    CHECK(bbans_model_write(&model.frozen->space, kind, NULL, 0, again,
                            sizeof again, &n_again) == BBANS_OK &&
          n_again == n_file && memcmp(file, again, n_file) == 0);

    draw(head, x, LENGTH * WIDTH);
    for (i = 0; i < LENGTH * WIDTH; i++)
        octet[i] = (uint8_t)x[i];
    if (kind == BBANS_KIND_BYTES) {
        data = octet;
        back = again;
    }
    CHECK(bbans_compress(&model, &content, data, LENGTH * WIDTH, 10 * WIDTH, 5,
                         work, work_bytes, bytes, sizeof bytes,
                         &n_bytes) == BBANS_OK);
    CHECK(bbans_container_check(&reader, bytes, n_bytes) == BBANS_OK);
    /* Random values under a model of others: some cost more than they are. */
    CHECK((reader.methods & 1u << BBANS_METHOD_MODEL) != 0 ||
          kind == BBANS_KIND_BYTES || head->low == INT32_MIN);
    CHECK(bbans_decompress(&model, bytes, n_bytes, work, work_bytes, back,
                           LENGTH * WIDTH, &n) == BBANS_OK);
    CHECK(n == LENGTH * WIDTH &&
          memcmp(data, back, n * bbans_element_bytes(element)) == 0);
    if (head->high < INT32_MAX) {
        octet[7] = (uint8_t)(head->high + 1);
        x[7] = head->high + 1;
        CHECK(bbans_compress(&model, &content, data, LENGTH * WIDTH, 10 * WIDTH,
                             5, work, work_bytes, bytes, sizeof bytes,
                             &n_bytes) == BBANS_ERR_SYMBOL);
    }
    free(memory);
}

/* What a number of the header is refused as, under a right checksum. */
static bbans_status status_with(const uint8_t *file, size_t n_file, size_t at,
                                size_t n, uint64_t value)
{
    static uint8_t changed[100000];
    const size_t end = n_file - 4;
    bbans_status status;
    bbans_model model;
    size_t memory_bytes;
    void *memory;

    memcpy(changed, file, n_file);
    bbans_store(changed + at, value, n);
    bbans_store(changed + end, bbans_crc32(0, changed, end), 4);
    status = bbans_model_parse(&model, changed, n_file);
    if (status != BBANS_OK)
        return status;
    memory_bytes = bbans_model_bytes(&model);
    memory = malloc(memory_bytes);
    CHECK(memory != NULL);
    status = bbans_model_build(&model, memory, memory_bytes);
    free(memory);
    return status;
}

static void test_fields(fixture *f)
{
    static const struct {
        size_t at, n;
        uint64_t value;
        bbans_status status;
    } cases[] = {
        {6, 1, 1, BBANS_OK}, /* predictive */
        {7, 1, BBANS_KIND_BYTES, BBANS_OK},
        {7, 1, BBANS_KIND_TEXT, BBANS_ERR_CORRUPT},
        {8, 1, 0, BBANS_ERR_CORRUPT}, /* levels */
        {8, 1, 1, BBANS_ERR_CORRUPT},
        {8, 1, 3, BBANS_ERR_TRUNCATED},
        {8, 1, 9, BBANS_ERR_CORRUPT},
        {9, 1, 1, BBANS_ERR_CORRUPT}, /* an alphabet */
        {10, 1, 1, BBANS_ERR_VERSION},
        {11, 1, 1, BBANS_ERR_VERSION},
        {12, 4, 0, BBANS_ERR_CORRUPT}, /* the head */
        {12, 4, WIDTH + 1, BBANS_ERR_CORRUPT},
        {12, 4, UINT32_MAX, BBANS_ERR_CORRUPT},
        {16, 4, 1, BBANS_ERR_CORRUPT},
        {16, 4, 4, BBANS_ERR_CORRUPT},
        {16, 4, UINT32_MAX, BBANS_ERR_CORRUPT},
        {20, 4, 1, BBANS_ERR_CORRUPT},
        {24, 4, 2, BBANS_ERR_CORRUPT},
        {28, 4, 1, BBANS_ERR_CORRUPT},
        {32, 4, 1, BBANS_ERR_CORRUPT},
        {36, 4, 15, BBANS_OK}, /* the grid */
        {36, 4, 16, BBANS_ERR_CORRUPT},
        {40, 4, 0, BBANS_ERR_CORRUPT}, /* the start */
        {40, 4, 65535, BBANS_OK},
        {40, 4, 65536, BBANS_ERR_CORRUPT},
        {44, 4, 65535, BBANS_OK},
        {44, 4, 65536, BBANS_ERR_CORRUPT},
        {48, 4, 15, BBANS_OK},
        {48, 4, 16, BBANS_ERR_CORRUPT},
        {52, 4, 1, BBANS_ERR_CORRUPT}, /* the order: networks do not fit */
        {52, 4, 2, BBANS_ERR_CORRUPT},
        {56, 4, 0, BBANS_ERR_CORRUPT}, /* the first network */
        {56, 4, 1025, BBANS_ERR_CORRUPT},
    };
    static uint8_t file[100000];
    size_t n_file, i;

    make_vae(f, &heads[0], 2, BBANS_ORDER_MARKOV, 0);
    CHECK(bbans_model_write(&f->frozen.space, BBANS_KIND_INTEGERS, NULL, 0,
                            file, sizeof file, &n_file) == BBANS_OK);
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK(status_with(file, n_file, cases[i].at, cases[i].n,
                          cases[i].value) == cases[i].status);
    make_vae(f, &heads[1], 1, BBANS_ORDER_MARKOV, 0);
    CHECK(bbans_model_write(&f->frozen.space, BBANS_KIND_INTEGERS, NULL, 0,
                            file, sizeof file, &n_file) == BBANS_OK);
    CHECK(status_with(file, n_file, 24, 4, 256) == BBANS_ERR_CORRUPT);
    make_deep_ssm(f, &heads[2], 0);
    CHECK(bbans_model_write(&f->frozen.space, BBANS_KIND_INTEGERS, NULL, 0,
                            file, sizeof file, &n_file) == BBANS_OK);
    CHECK(status_with(file, n_file, 7, 1, BBANS_KIND_BYTES) ==
          BBANS_ERR_CORRUPT); /* from -20 on */
    CHECK(status_with(file, n_file, 8, 1, 1) == BBANS_ERR_VERSION);
    CHECK(status_with(file, n_file, 20, 4, 0) == BBANS_OK);
    CHECK(status_with(file, n_file, 28, 4, 65) == BBANS_ERR_CORRUPT);
    CHECK(status_with(file, n_file, 32, 4, 3) == BBANS_ERR_CORRUPT);
    CHECK(status_with(file, n_file, 52, 4, 1) == BBANS_ERR_CORRUPT);
}

/* ---- What is refused ----------------------------------------------------- */

static void test_refusals(fixture *f)
{
    static const bbans_head wrong[] = {
        {BBANS_HEAD_BERNOULLI, WIDTH, 0, 2, 0, 0},
        {BBANS_HEAD_BERNOULLI, WIDTH, -1, 1, 0, 0},
        {BBANS_HEAD_BERNOULLI, WIDTH, 0, 1, 1, 0},
        {BBANS_HEAD_BERNOULLI, 0, 0, 1, 0, 0},
        {BBANS_HEAD_BERNOULLI, BBANS_VALUES_MAX + 1, 0, 1, 0, 0},
        {BBANS_HEAD_CATEGORICAL, WIDTH, 0, BBANS_CATEGORIES_MAX, 0, 0},
        {BBANS_HEAD_CATEGORICAL, WIDTH, 0, 0, 0, 0},
        {BBANS_HEAD_MIXTURE, WIDTH, 5, 5, 2, 0},
        {BBANS_HEAD_MIXTURE, WIDTH, 0, 5, 0, 0},
        {BBANS_HEAD_MIXTURE, WIDTH, 0, 5, BBANS_COMPONENTS_MAX + 1, 0},
        {BBANS_HEAD_MIXTURE, WIDTH, 0, 5, 1, 3},
        {BBANS_HEAD_BETA_BINOMIAL, WIDTH, 0, BBANS_BETA_TRIALS_MAX + 1, 0, 0},
        {4, WIDTH, 0, 1, 0, 0},
        {-1, WIDTH, 0, 1, 0, 0},
    };
    const bbans_head *good = &heads[0];
    bbans_head wider = *good;
    bbans_network others[4], other;
    layers *l = (layers *)malloc(sizeof *l);
    const size_t takes[] = {LATENTS, HIDDEN};
    bbans_deep_ssm d;
    bbans_vae v;
    size_t i;

    CHECK(l != NULL);
    make_vae(f, good, 2, BBANS_ORDER_MARKOV, 0);
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const bbans_status status = bbans_vae_init(
            &v, wrong + i, 2, BBANS_ORDER_MARKOV, GRID, 3, 20, 0, f->network);

        CHECK(status == BBANS_ERR_TABLE || status == BBANS_ERR_SIZE);
    }
    CHECK(bbans_vae_init(NULL, good, 2, 0, 0, 1, 0, 0, f->network) ==
          BBANS_ERR_NULL);
    CHECK(bbans_vae_init(&v, NULL, 2, 0, 0, 1, 0, 0, f->network) ==
          BBANS_ERR_NULL);
    CHECK(bbans_vae_init(&v, good, 2, 0, 0, 1, 0, 0, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_vae_init(&v, good, 0, 0, 0, 1, 0, 0, f->network) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_vae_init(&v, good, BBANS_LEVELS_MAX + 1, 0, 0, 1, 0, 0,
                         f->network) == BBANS_ERR_SIZE);
    CHECK(bbans_vae_init(&v, good, 2, 2, 0, 1, 0, 0, f->network) ==
          BBANS_ERR_TABLE);
    CHECK(bbans_vae_init(&v, good, 2, 0, 16, 1, 0, 0, f->network) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_vae_init(&v, good, 2, 0, 0, 0, 0, 0, f->network) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_vae_init(&v, good, 2, 0, 0, 65536, 0, 0, f->network) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_vae_init(&v, good, 2, 0, 0, 1, 65536, 0, f->network) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_vae_init(&v, good, 2, 0, 0, 1, 0, 16, f->network) ==
          BBANS_ERR_SIZE);
    /* Networks in another order, of another model, or of another width. */
    CHECK(bbans_vae_init(&v, good, 2, BBANS_ORDER_TOP_DOWN, 0, 1, 0, 0,
                         f->network) == BBANS_ERR_TABLE);
    CHECK(bbans_vae_init(&v, &heads[1], 2, 0, 0, 1, 0, 0, f->network) ==
          BBANS_ERR_TABLE);
    wider.width++;
    CHECK(bbans_vae_init(&v, &wider, 2, 0, 0, 1, 0, 0, f->network) ==
          BBANS_ERR_TABLE);
    for (i = 0; i < 4; i++) {
        memcpy(others, f->network, sizeof others);
        others[i] = f->network[(i + 1) % 4];
        CHECK(bbans_vae_init(&v, good, 2, 0, 0, 1, 0, 0, others) ==
              BBANS_ERR_TABLE);
    }
    CHECK(bbans_vae_init(&v, good, 2, 0, 0, 1, 0, 0, f->network) == BBANS_OK);

    make_deep_ssm(f, good, 0);
    CHECK(bbans_deep_ssm_init(&d, &wider, 0, 1, 0, 0, f->network) ==
          BBANS_ERR_TABLE);
    make_network(&other, l, takes, 2, HIDDEN, 1);
    for (i = 0; i < 4; i++) {
        memcpy(others, f->network, sizeof others);
        others[i] = other;
        CHECK(bbans_deep_ssm_init(&d, good, 0, 1, 0, 0, others) ==
              BBANS_ERR_TABLE);
    }
    CHECK(bbans_deep_ssm_init(&d, good, 0, 1, 0, 0, f->network) == BBANS_OK);
    CHECK(bbans_deep_ssm_init(&d, good, 0, 1, 0, 16, f->network) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_deep_ssm_init(NULL, good, 0, 1, 0, 0, f->network) ==
          BBANS_ERR_NULL);
    free(l);
}

/* Observations outside the head's range. */
static void test_values(const fixture *f, void *work, size_t work_bytes)
{
    const bbans_head *head = &f->frozen.vae.base.head;
    static uint32_t tail[WORDS];
    int32_t x[4 * WIDTH];
    uint64_t lane;
    bbans_message msg;

    CHECK(bbans_message_init(&msg, &lane, 1, tail, WORDS) == BBANS_OK);
    draw(head, x, 4 * WIDTH);
    if (head->low == INT32_MIN)
        return;
    x[4 * WIDTH - 1] = head->high + 1;
    CHECK(bbans_sequence_encode(&f->frozen.space, x, 4, work, work_bytes,
                                &msg) == BBANS_ERR_SYMBOL);
    x[4 * WIDTH - 1] = head->high;
    x[0] = head->low - 1;
    CHECK(bbans_sequence_encode(&f->frozen.space, x, 4, work, work_bytes,
                                &msg) == BBANS_ERR_SYMBOL);
    x[0] = head->low;
    CHECK(bbans_sequence_encode(&f->frozen.space, x, 4, work, work_bytes,
                                &msg) == BBANS_OK);
}

/* ---- All ----------------------------------------------------------------- */

static void test_model(fixture *f, void *work, size_t work_bytes)
{
    const bbans_head *head = &f->frozen.vae.base.head;

    test_round_trips(f, work, work_bytes);
    test_several(f, work, work_bytes);
    test_values(f, work, work_bytes);
    test_file(f, BBANS_KIND_INTEGERS, work, work_bytes);
    if (head->low >= 0)
        test_file(f, BBANS_KIND_BYTES, work, work_bytes);
}

int main(void)
{
    const size_t work_bytes = 1 << 21;
    fixture *f = (fixture *)malloc(sizeof *f);
    void *work = malloc(work_bytes);
    unsigned shift;
    size_t i;
    int isa;

    CHECK(f != NULL && work != NULL);
    test_fields(f);
    test_refusals(f);
    FOR_EACH_ISA(isa)
    for (i = 0; i < sizeof heads / sizeof *heads; i++) {
        shift = (unsigned)i % 3;
        make_vae(f, heads + i, 1, BBANS_ORDER_MARKOV, shift);
        test_model(f, work, work_bytes);
        make_vae(f, heads + i, 2, BBANS_ORDER_MARKOV, shift);
        test_definition(f, work, work_bytes);
        test_model(f, work, work_bytes);
        make_vae(f, heads + i, 2, BBANS_ORDER_TOP_DOWN, shift);
        test_definition(f, work, work_bytes);
        test_model(f, work, work_bytes);
        make_vae(f, heads + i, 4, BBANS_ORDER_TOP_DOWN, shift);
        test_model(f, work, work_bytes);
        make_vae(f, heads + i, 3, BBANS_ORDER_MARKOV, shift);
        test_model(f, work, work_bytes);
        make_deep_ssm(f, heads + i, shift);
        test_definition(f, work, work_bytes);
        test_model(f, work, work_bytes);
    }
    free(work);
    free(f);
    printf("test_latent: ok\n");
    return 0;
}
