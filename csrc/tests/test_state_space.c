/* The schedule over a model of its own kind: two latents a step, of which the
 * second depends on the first, a recurrent state that all conditionals see, and
 * conditionals that change with time.
 *
 * SPDX-License-Identifier: MIT */
#include "models/bbans_state_space.h"
#include "check.h"
#include "costs.h"

#define LATENT 7
#define SYMBOLS 11
#define N 90
#define SEQUENCES 5

typedef struct {
    uint32_t a, b;
} latents;

/* What the recurrent state was before x[t], and after it. */
typedef struct {
    uint64_t before, after;
} record;

typedef struct {
    bbans_state_space space;
    uint64_t salt;
} toy;

static uint64_t mix(uint64_t a, uint64_t b)
{
    a = (a ^ b) * UINT64_C(0x9E3779B97F4A7C15);
    return a ^ a >> 29;
}

static uint32_t weight(uint64_t seed, uint32_t k)
{
    return 1 + (uint32_t)(mix(seed, k) >> 40) % 50;
}

static uint32_t interval(uint64_t seed, uint32_t n, uint32_t k, uint32_t *freq,
                         uint32_t *total)
{
    uint32_t i, start = 0;

    *total = 0;
    for (i = 0; i < n; i++) {
        if (i == k)
            start = *total;
        *total += weight(seed, i);
    }
    *freq = weight(seed, k);
    return start;
}

static uint32_t find(uint64_t seed, uint32_t slot)
{
    uint32_t k = 0;

    for (; slot >= weight(seed, k); k++)
        slot -= weight(seed, k);
    return k;
}

static void push(bbans_lane *lane, uint64_t seed, uint32_t n, uint32_t k)
{
    uint32_t freq, total;
    const uint32_t start = interval(seed, n, k, &freq, &total);

    bbans_lane_push(lane, start, freq, total);
}

static uint32_t pop(bbans_lane *lane, uint64_t seed, uint32_t n)
{
    uint32_t freq, total, k, start;

    (void)interval(seed, n, 0, &freq, &total);
    k = find(seed, bbans_slot(lane->x, total));
    start = interval(seed, n, k, &freq, &total);
    bbans_lane_advance(lane, start, freq, total);
    return k;
}

static void push_latents(bbans_lane *lane, uint64_t seed, const latents *z)
{
    push(lane, mix(seed, z->a), LATENT, z->b);
    push(lane, seed, LATENT, z->a);
}

static void pop_latents(bbans_lane *lane, uint64_t seed, latents *z)
{
    z->a = pop(lane, seed, LATENT);
    z->b = pop(lane, mix(seed, z->a), LATENT);
}

static uint64_t code_of(const void *z)
{
    const latents *pair = (const latents *)z;

    return z == NULL ? 99 : pair->a * LATENT + pair->b;
}

static uint64_t prior(const toy *model, const bbans_stream *s)
{
    return mix(mix(model->salt + s->t, ((const record *)s->record)->before),
               code_of(s->z_before));
}

static uint64_t posterior(const toy *model, const bbans_stream *s)
{
    const record *r = (const record *)s->record_before;

    return mix(mix(model->salt + 2 * s->t, r->before ^ r->after),
               code_of(s->z));
}

static uint64_t likelihood(const toy *model, const bbans_stream *s)
{
    return mix(mix(model->salt + 3 * s->t, ((const record *)s->record)->before),
               code_of(s->z));
}

static uint64_t predictive(const toy *model, const bbans_stream *s)
{
    return mix(model->salt + 4 * s->t, ((const record *)s->record)->before);
}

static const toy *toy_of(const bbans_state_space *model)
{
    return (const toy *)(const void *)model;
}

static void start(const bbans_state_space *model, void *belief)
{
    *(uint64_t *)belief = toy_of(model)->salt;
}

static int accepts(const bbans_state_space *model, const void *x, size_t n)
{
    const uint16_t *symbol = (const uint16_t *)x;

    (void)model;
    while (n > 0 && symbol[n - 1] < SYMBOLS)
        n--;
    return n == 0;
}

static void update(bbans_stream *s)
{
    uint64_t *h = (uint64_t *)s->belief;

    *h = mix(*h + 1, ((const uint16_t *)s->x)[s->t]);
    ((record *)s->record)->after = *h;
}

static void record_belief(const toy *model, bbans_stream *s)
{
    (void)model;
    ((record *)s->record)->before = *(const uint64_t *)s->belief;
}

static void predict(const bbans_state_space *model, bbans_stream *s)
{
    record_belief(toy_of(model), s);
}

static void filter(const toy *model, bbans_stream *s)
{
    (void)model;
    update(s);
}

static void push_prior(const toy *model, bbans_stream *s)
{
    push_latents(&s->lane, prior(model, s), (const latents *)s->z);
}

static void pop_prior(const toy *model, bbans_stream *s)
{
    pop_latents(&s->lane, prior(model, s), (latents *)s->z);
}

static void push_posterior(const toy *model, bbans_stream *s)
{
    push_latents(&s->lane, posterior(model, s), (const latents *)s->z_before);
}

static void pop_posterior(const toy *model, bbans_stream *s)
{
    pop_latents(&s->lane, posterior(model, s), (latents *)s->z_before);
}

static void push_likelihood(const toy *model, bbans_stream *s)
{
    push(&s->lane, likelihood(model, s), SYMBOLS,
         ((const uint16_t *)s->x)[s->t]);
}

static void pop_likelihood(const toy *model, bbans_stream *s)
{
    ((uint16_t *)s->out)[s->t] =
        (uint16_t)pop(&s->lane, likelihood(model, s), SYMBOLS);
    update(s);
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    uint32_t freq, total;
    const uint32_t first =
        interval(predictive(toy_of(model), s), SYMBOLS,
                 ((const uint16_t *)s->x)[s->t], &freq, &total);

    CHECK(bbans_range_encode_interval(enc, first, freq, total) == BBANS_OK);
    update(s);
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const uint64_t seed = predictive(toy_of(model), s);
    uint32_t freq, total, slot, first;
    bbans_status status;

    (void)interval(seed, SYMBOLS, 0, &freq, &total);
    status = bbans_range_slot(dec, total, &slot);
    if (status != BBANS_OK)
        return status;
    ((uint16_t *)s->out)[s->t] = (uint16_t)find(seed, slot);
    first =
        interval(seed, SYMBOLS, ((const uint16_t *)s->x)[s->t], &freq, &total);
    status = bbans_range_advance(dec, first, freq, total);
    update(s);
    return status;
}

#define MODEL toy
#define PREDICT record_belief
#include "models/bbans_steps.h"

static const bbans_engine engine = {
    .start = start,
    .accepts = accepts,
    .predict = predict,
    .filter_all = filter_all,
    .push_all = push_all,
    .pop_all = pop_all,
    .encode = encode,
    .decode = decode,
};

static toy make_toy(void)
{
    toy model;

    model.space.engine = &engine;
    model.space.observation_bytes = sizeof(uint16_t);
    model.space.state_bytes = sizeof(latents);
    model.space.belief_bytes = sizeof(uint64_t);
    model.space.record_bytes = sizeof(record);
    model.space.scratch_bytes = 0;
    model.space.start_length = 1 + below(30);
    model.space.start_bits = 70;
    model.space.push_words = 3;
    model.space.pop_words = 2;
    model.salt = random_bits();
    return model;
}

/* ---- Tests --------------------------------------------------------------- */

enum { WORDS = 3 * SEQUENCES * N + 16, BYTES = 4 * WORDS };

static uint16_t x[SEQUENCES * N], y[SEQUENCES * N];
static uint32_t tail[2 * BBANS_BATCH * WORDS];
static uint64_t work[8000];
static uint8_t bytes[BYTES], again[BYTES];

static bbans_message new_message(uint64_t *head)
{
    bbans_message msg;

    CHECK(bbans_message_init(&msg, head, 1, tail, sizeof tail / sizeof *tail) ==
          BBANS_OK);
    return msg;
}

/* Encode x[0 .. n - 1] to `to`; every block size gives the same. */
static size_t encode_bytes(const toy *model, const uint16_t *values, size_t n,
                           uint8_t *to)
{
    uint64_t head;
    size_t block, size = 0, length = 0;

    for (block = n > 0 ? n : 1; block > 0; block /= 2) {
        bbans_message msg = new_message(&head);
        const size_t bytes_needed =
            bbans_sequence_work_bytes(&model->space, n, block);

        CHECK(bytes_needed <= sizeof work);
        CHECK(bbans_sequence_encode(&model->space, values, n, work,
                                    bytes_needed, &msg) == BBANS_OK);
        CHECK(bbans_message_write(&msg, again, BYTES, &length) == BBANS_OK);
        CHECK(size == 0 || (size == length && memcmp(to, again, size) == 0));
        memcpy(to, again, length);
        size = length;
    }
    return size;
}

static void test_one(toy *model, size_t n)
{
    const size_t small = bbans_sequence_work_bytes(&model->space, 1, 1);
    uint64_t head;
    bbans_message msg;
    int predictive;

    for (predictive = 0; predictive < 2; predictive++) {
        size_t size;

        model->space.predictive = predictive;
        size = encode_bytes(model, x, n, bytes);
        msg = new_message(&head);
        CHECK(bbans_message_read(&msg, bytes, size) == BBANS_OK);
        CHECK(bbans_sequence_decode(&model->space, &msg, y, n, work, small) ==
              BBANS_OK);
        CHECK(memcmp(x, y, n * sizeof *x) == 0);
        if (size > 4) { /* damage: an answer or a status */
            bytes[below((uint32_t)size)] ^= (uint8_t)(1u << below(8));
            msg = new_message(&head);
            if (bbans_message_read(&msg, bytes, size) == BBANS_OK)
                (void)bbans_sequence_decode(&model->space, &msg, y, n, work,
                                            small);
        }
    }
    check_costs(&model->space, x, n);
    msg = new_message(&head);
    tail[0] = (uint32_t)random_bits();
    tail[1] = (uint32_t)random_bits();
    msg.tail_len = 2;
    head = random_bits() >> 1 | BBANS_HEAD_MIN;
    {
        const uint64_t before[] = {head, tail[0], tail[1]};
        const size_t need = bbans_sequence_work_bytes(&model->space, n, 4);

        CHECK(bbans_sequence_push(&model->space, &msg, x, n, work, need) ==
              BBANS_OK);
        CHECK(bbans_sequence_pop(&model->space, &msg, y, n, work, small) ==
              BBANS_OK);
        CHECK(memcmp(x, y, n * sizeof *x) == 0);
        CHECK(msg.tail_len == 2 && head == before[0] && tail[0] == before[1] &&
              tail[1] == before[2]);
    }
}

static void test_until(toy *model)
{
    const size_t small = bbans_sequence_work_bytes(&model->space, 1, 1);
    const uint16_t last = SYMBOLS - 1;
    bbans_message msg;
    uint64_t head;
    size_t n, size, found;

    for (n = 0; n + 1 < N && x[n] != last;)
        n++;
    x[n++] = last;
    model->space.predictive = 1;
    size = encode_bytes(model, x, n, bytes);
    msg = new_message(&head);
    CHECK(bbans_message_read(&msg, bytes, size) == BBANS_OK);
    CHECK(bbans_sequence_decode_until(&model->space, &msg, y, N, &last, &found,
                                      work, small) == BBANS_OK);
    CHECK(found == n && memcmp(x, y, n * sizeof *x) == 0);
}

/* Sequences in turns are coded as each by itself; packed ones come back. */
static void test_many(toy *model)
{
    const size_t small = bbans_sequence_work_bytes(&model->space, 1, 1);
    uint64_t offset[SEQUENCES + 1] = {0}, ends[SEQUENCES + 1], head;
    static uint8_t all[BYTES];
    bbans_message msg = new_message(&head);
    size_t k, failed, full;
    int predictive;

    for (k = 0; k < SEQUENCES; k++)
        offset[k + 1] = offset[k] + below(N);
    full = bbans_sequence_work_bytes(&model->space, N, N);
    CHECK((full + 64) * BBANS_BATCH <= sizeof work);
    for (predictive = 0; predictive < 2; predictive++) {
        model->space.predictive = predictive;
        CHECK(bbans_batch_encode(&model->space, x, offset, SEQUENCES, work,
                                 sizeof work, &msg, all, BYTES, ends,
                                 &failed) == BBANS_OK);
        for (k = 0; k < SEQUENCES; k++) {
            const size_t size =
                encode_bytes(model, x + offset[k],
                             (size_t)(offset[k + 1] - offset[k]), bytes);

            CHECK(size == ends[k + 1] - ends[k]);
            CHECK(memcmp(bytes, all + ends[k], size) == 0);
        }
        memset(y, 0xFF, sizeof y);
        CHECK(bbans_batch_decode(&model->space, all, ends, y, offset, SEQUENCES,
                                 work, sizeof work, &msg, &failed) == BBANS_OK);
        CHECK(memcmp(x, y, (size_t)offset[SEQUENCES] * sizeof *x) == 0);
        CHECK(
            bbans_packed_encode(&model->space, x, offset, SEQUENCES, work,
                                bbans_sequence_work_bytes(&model->space, N, 5),
                                &msg) == BBANS_OK);
        memset(y, 0xFF, sizeof y);
        CHECK(bbans_packed_decode(&model->space, &msg, y, offset, SEQUENCES,
                                  work, small) == BBANS_OK);
        CHECK(memcmp(x, y, (size_t)offset[SEQUENCES] * sizeof *x) == 0);
    }
    x[offset[SEQUENCES] / 2] = SYMBOLS;
    CHECK(bbans_batch_encode(&model->space, x, offset, SEQUENCES, work,
                             sizeof work, &msg, all, BYTES, ends,
                             &failed) == BBANS_ERR_SYMBOL ||
          offset[SEQUENCES] == 0);
}

int main(void)
{
    size_t n, i;

    for (n = 0; n < N; n++) {
        toy model = make_toy();

        for (i = 0; i < SEQUENCES * N; i++)
            x[i] = (uint16_t)below(SYMBOLS);
        test_one(&model, n);
        test_until(&model);
        test_many(&model);
    }
    printf("test_state_space: ok\n");
    return 0;
}
