/* Values under families and signals under any model: round trips with hostile
 * parameters, the same words on every machine, and messages of noise.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

#define STEPS 200
#define WORDS (4 * STEPS * 3 + 64)

static uint64_t head[1];
static uint32_t tail[WORDS];

/* FNV-1a over what a message holds. */
static uint64_t digest(const bbans_message *msg)
{
    uint64_t h = UINT64_C(14695981039346656037);
    size_t i;

    for (i = 0; i < msg->tail_len; i++)
        h = (h ^ msg->tail[i]) * UINT64_C(1099511628211);
    return (h ^ msg->head[0]) * UINT64_C(1099511628211);
}

static void random_model(bbans_signal *model, int32_t *coefficient)
{
    const uint32_t most = below(2) ? BBANS_SIGNAL_COEFFICIENT_MAX : 1 << 15;
    size_t i;

    memset(model, 0, sizeof *model);
    model->channels = 1 + below(3);
    model->order = below(5);
    model->cross = below(3);
    model->scales = 1 + below(BBANS_SIGNAL_SCALES_MAX);
    model->coefficient = coefficient;
    for (i = 0; i < model->channels * bbans_signal_taps(model); i++)
        coefficient[i] = (int32_t)below(2 * most - 1) - (int32_t)most + 1;
}

static void random_values(int64_t *value, size_t n)
{
    const uint32_t kind = below(3);
    const int64_t most = BBANS_SIGNAL_VALUE_MAX;
    size_t i;

    for (i = 0; i < n; i++)
        value[i] = kind == 0   ? (int64_t)below(7) - 3
                   : kind == 1 ? (below(2) ? most : -most)
                               : (int64_t)(random_bits() >> 32) - most - 1;
    for (i = 0; i < n; i++)
        if (value[i] < -most)
            value[i] = -most;
}

static uint64_t test_signals(void)
{
    int32_t coefficient[3 * 16];
    int64_t value[3 * STEPS], back[3 * STEPS];
    bbans_signal model;
    bbans_message msg;
    uint64_t sum = 0;
    size_t bytes;
    void *work;
    int trial;

    for (trial = 0; trial < 60; trial++) {
        random_model(&model, coefficient);
        CHECK(bbans_signal_check(&model) == BBANS_OK);
        bytes = bbans_signal_work_bytes(&model, STEPS);
        work = malloc(bytes);
        CHECK(work != NULL);
        random_values(value, model.channels * STEPS);
        CHECK(bbans_message_init(&msg, head, 1, tail, WORDS) == BBANS_OK);
        CHECK(bbans_signal_push(&model, &msg, value, STEPS, work, bytes - 1) ==
              BBANS_ERR_CAPACITY);
        CHECK(msg.tail_len == 0);
        CHECK(bbans_signal_push(&model, &msg, value, STEPS, work, bytes) ==
              BBANS_OK);
        sum = sum * 31 + digest(&msg);
        free(work);
        bytes = bbans_signal_work_bytes(&model, 0);
        work = malloc(bytes);
        CHECK(work != NULL);
        memset(back, 0, sizeof back);
        CHECK(bbans_signal_pop(&model, &msg, back, STEPS, work, bytes) ==
              BBANS_OK);
        CHECK(memcmp(back, value, model.channels * STEPS * 8) == 0);
        CHECK(msg.tail_len == 0);
        free(work);
    }
    return sum;
}

/* Words that no encoder wrote are values too, or an error. */
static void test_noise(void)
{
    int32_t coefficient[3 * 16];
    int64_t value[3 * STEPS];
    uint64_t work[1024];
    bbans_signal model;
    bbans_message msg;
    int trial;

    for (trial = 0; trial < 300; trial++) {
        bbans_status status;
        size_t i;

        random_model(&model, coefficient);
        CHECK(bbans_signal_work_bytes(&model, 0) <= sizeof work);
        CHECK(bbans_message_init(&msg, head, 1, tail, WORDS) == BBANS_OK);
        msg.tail_len = below(WORDS);
        for (i = 0; i < msg.tail_len; i++)
            tail[i] = below(9) ? (uint32_t)random_bits() : 0;
        head[0] = (uint64_t)1 << 31 | random_bits() >> 2;
        status =
            bbans_signal_pop(&model, &msg, value, STEPS, work, sizeof work);
        CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
        for (i = 0; status == BBANS_OK && i < model.channels * STEPS; i++)
            CHECK(value[i] >= -BBANS_SIGNAL_VALUE_MAX &&
                  value[i] <= BBANS_SIGNAL_VALUE_MAX);
    }
}

static void test_refusals(void)
{
    static const int32_t coefficient[2] = {65536, 0};
    const bbans_signal good = {1, 1, 0, 40, coefficient};
    bbans_signal model = good;
    uint64_t work[4096];
    int64_t value[2] = {0, (int64_t)BBANS_SIGNAL_VALUE_MAX + 1};
    bbans_message msg;

    CHECK(bbans_message_init(&msg, head, 1, tail, WORDS) == BBANS_OK);
    CHECK(bbans_signal_push(&model, &msg, value, 2, work, sizeof work) ==
          BBANS_ERR_SYMBOL);
    CHECK(bbans_signal_push(NULL, &msg, value, 1, work, sizeof work) ==
          BBANS_ERR_NULL);
    CHECK(bbans_signal_push(&model, &msg, NULL, 1, work, sizeof work) ==
          BBANS_ERR_NULL);
    CHECK(bbans_signal_push(&model, &msg, value, (size_t)-1 / 8, work,
                            sizeof work) == BBANS_ERR_CAPACITY);
    msg.tail_cap = 0;
    CHECK(bbans_signal_push(&model, &msg, value, 1, work, sizeof work) ==
          BBANS_ERR_CAPACITY);
    CHECK(msg.tail_len == 0);
    model.scales = 0;
    CHECK(bbans_signal_check(&model) == BBANS_ERR_SIZE);
    model = good;
    model.channels = (size_t)-1;
    CHECK(bbans_signal_check(&model) == BBANS_ERR_SIZE);
    CHECK(bbans_signal_work_bytes(&model, 1) == 0);
    model = good;
    model.coefficient = NULL;
    CHECK(bbans_signal_check(&model) == BBANS_ERR_NULL);
}

int main(void)
{
    /* What the integers of docs/maths.md, "Values of a family" and "Signals",
     * give anywhere. */
    CHECK(test_signals() == UINT64_C(0x3f649c9b5942d628));
    test_noise();
    test_refusals();
    printf("test_signal: ok\n");
    return 0;
}
