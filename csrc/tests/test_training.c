/* The prior of a context mixer that samples teach: it makes lines like them
 * shorter, is the same by all kernels, and what is refused changes nothing.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"

#include <string.h>

#define SAMPLES 60
#define LINE_MOST 200
#define TABLE_BITS 16
#define PRIOR_BITS 14
#define WEIGHTS (BBANS_MIXER_SETS * BBANS_MIXER_INPUTS)
#define MATCH_SLOTS (BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS)

typedef struct {
    uint8_t bytes[SAMPLES * LINE_MOST];
    size_t end[SAMPLES];
} lines;

typedef struct {
    uint16_t row[BBANS_MIXER_SLOTS << PRIOR_BITS];
    int16_t weight[WEIGHTS];
    uint16_t match[MATCH_SLOTS];
    size_t rows;
} prior;

static void *allocate(size_t n)
{
    void *memory = malloc(n);

    CHECK(memory != NULL);
    return memory;
}

static void draw_lines(lines *l)
{
    static const char *const words[] = {"GET ",   "/index", ".html", " 200 ",
                                        " 404 ",  "user=",  "0",     "17",
                                        "error ", "timeout"};
    size_t i, n = 0;

    for (i = 0; i < SAMPLES; i++) {
        uint32_t left = below(16); /* of words; some lines are empty */

        for (; left > 0; left--) {
            const char *word = words[below(sizeof words / sizeof *words)];

            memcpy(l->bytes + n, word, strlen(word));
            n += strlen(word);
        }
        l->end[i] = n;
    }
}

static uint64_t learn_all(bbans_mixer_training *t,
                          const bbans_mixer_rates *rates)
{
    uint64_t sum = 0, bits;
    unsigned part;

    for (part = 0; part < BBANS_MIXER_TRAINING_PARTS; part++) {
        CHECK(bbans_mixer_training_learn(t, part, rates, &bits) == BBANS_OK);
        sum += bits;
    }
    return sum;
}

/* With as many rows as fit in some bytes. */
static void train(const lines *l, unsigned table_bits, size_t bytes, prior *p)
{
    const bbans_mixer_rates rates = {20, 20};
    const size_t size = bbans_mixer_training_bytes(LINE_MOST, table_bits);
    void *memory = allocate(size);
    bbans_mixer_training t;
    uint64_t untaught, taught;
    size_t kept, all;
    unsigned part;

    CHECK(bbans_mixer_training_start(&t, l->bytes, l->end, SAMPLES, table_bits,
                                     memory, size) == BBANS_OK);
    CHECK(t.rows > 0 && t.rows <= (size_t)1 << table_bits);
    untaught = learn_all(&t, NULL);
    CHECK(learn_all(&t, NULL) == untaught); /* counts are as before */
    (void)learn_all(&t, &rates);
    taught = learn_all(&t, NULL);
    CHECK(taught < untaught);
    for (part = 0; part < BBANS_MIXER_TRAINING_PARTS; part++)
        CHECK(bbans_mixer_training_weigh(&t, part) == BBANS_OK);
    CHECK(bbans_mixer_training_keep(&t, 0, &kept) == BBANS_OK && kept == 0);
    CHECK(bbans_mixer_training_keep(&t, SIZE_MAX, &all) == BBANS_OK);
    CHECK(bbans_mixer_training_keep(&t, SIZE_MAX / 16 + 1, &kept) == BBANS_OK);
    CHECK(kept == all && all <= t.rows);
    CHECK(bbans_mixer_training_keep(&t, bytes, &kept) == BBANS_OK);
    CHECK(kept <= all);
    (void)learn_all(&t, &rates);
    CHECK(bbans_mixer_training_finish(&t, PRIOR_BITS, p->row, p->weight,
                                      p->match, &p->rows) == BBANS_OK);
    CHECK(p->rows <= kept);
    free(memory);
}

/* Of all lines, in 2^-16, each as a sequence of its own. */
static uint64_t costs(const lines *l, const prior *p)
{
    static uint32_t x[LINE_MOST];
    static uint64_t cost[LINE_MOST];
    bbans_context_mixer model;
    uint64_t sum = 0;
    void *work;
    size_t bytes, i, k, n;

    CHECK(bbans_context_mixer_init(&model, PRIOR_BITS, p->row, p->weight,
                                   p->match, 10, 8, 10, 20, -1) == BBANS_OK);
    bytes = bbans_sequence_costs_bytes(&model.space);
    work = allocate(bytes);
    for (i = 0; i < SAMPLES; i++) {
        const size_t start = i > 0 ? l->end[i - 1] : 0;

        n = l->end[i] - start;
        for (k = 0; k < n; k++)
            x[k] = l->bytes[start + k];
        CHECK(bbans_sequence_costs(&model.space, x, n, cost, work, bytes) ==
              BBANS_OK);
        for (k = 0; k < n; k++)
            sum += cost[k];
    }
    free(work);
    return sum;
}

static void test_what_is_learned(const lines *l, const lines *others)
{
    static prior all, few, none, full;
    const prior *best = &all;

    train(l, TABLE_BITS, SIZE_MAX, &all);
    train(l, TABLE_BITS, 1000, &few);
    CHECK(few.rows > 0 && few.rows < all.rows);
    train(l, BBANS_MIXER_BITS_MIN, SIZE_MAX, &full);
    CHECK(full.rows <= (size_t)1 << BBANS_MIXER_BITS_MIN);
    none = all;
    memset(none.row, 0, sizeof none.row);
    CHECK(2 * costs(others, best) < costs(others, &none));
    CHECK(costs(others, &few) < costs(others, &none));
}

static void test_kernels(const lines *l)
{
    static prior first, other;
    int isa, n = 0;

    FOR_EACH_ISA(isa)
    {
        prior *p = n++ == 0 ? &first : &other;

        train(l, TABLE_BITS, 3000, p);
        CHECK(p == &first || memcmp(&first, p, sizeof first) == 0);
    }
    bbans_isa_use(BBANS_ISA_BEST);
}

static void test_refusals(const lines *l)
{
    const size_t size = bbans_mixer_training_bytes(LINE_MOST, TABLE_BITS);
    const size_t longer[1] = {BBANS_MIXER_TRAINING_LONGEST + 1};
    const size_t falling[2] = {2, 1};
    const bbans_mixer_rates fast = {BBANS_MIXER_TRAINING_RATE_MAX + 1, 1};
    const bbans_mixer_rates faster = {1, BBANS_MIXER_TRAINING_RATE_MAX + 1};
    static prior p;
    void *memory = allocate(size);
    bbans_mixer_training t, before;
    uint64_t bits;
    size_t n;

    CHECK(bbans_mixer_training_bytes(BBANS_MIXER_TRAINING_LONGEST + 1,
                                     TABLE_BITS) == 0);
    CHECK(bbans_mixer_training_bytes(1, BBANS_MIXER_BITS_MIN - 1) == 0);
    CHECK(bbans_mixer_training_bytes(1, BBANS_MIXER_TRAINING_BITS_MAX + 1) ==
          0);
    CHECK(bbans_mixer_training_bytes(0, BBANS_MIXER_BITS_MIN) ==
          bbans_mixer_training_bytes(1, BBANS_MIXER_BITS_MIN));
    memset(&t, 7, sizeof t);
    memcpy(&before, &t, sizeof t);
#define START(t, bytes, ends, samples, bits, memory, n)                        \
    bbans_mixer_training_start(t, bytes, ends, samples, bits, memory, n)
    CHECK(START(NULL, l->bytes, l->end, SAMPLES, TABLE_BITS, memory, size) ==
          BBANS_ERR_NULL);
    CHECK(START(&t, l->bytes, NULL, SAMPLES, TABLE_BITS, memory, size) ==
          BBANS_ERR_NULL);
    CHECK(START(&t, l->bytes, l->end, SAMPLES, TABLE_BITS, NULL, size) ==
          BBANS_ERR_NULL);
    CHECK(START(&t, NULL, l->end, SAMPLES, TABLE_BITS, memory, size) ==
          BBANS_ERR_SIZE);
    CHECK(START(&t, l->bytes, l->end, 0, TABLE_BITS, memory, size) ==
          BBANS_ERR_SIZE);
    CHECK(START(&t, l->bytes, longer, 1, TABLE_BITS, memory, size) ==
          BBANS_ERR_SIZE);
    CHECK(START(&t, l->bytes, falling, 2, TABLE_BITS, memory, size) ==
          BBANS_ERR_SIZE);
    CHECK(START(&t, l->bytes, l->end, SAMPLES, 5, memory, size) ==
          BBANS_ERR_SIZE);
    n = l->end[0];
    CHECK(START(&t, l->bytes, &n, 1, TABLE_BITS, memory,
                bbans_mixer_training_bytes(n, TABLE_BITS) - 1) ==
          BBANS_ERR_CAPACITY);
    CHECK(memcmp(&before, &t, sizeof t) == 0);
    CHECK(START(&t, l->bytes, l->end, SAMPLES, TABLE_BITS, memory, size) ==
          BBANS_OK);
    CHECK(bbans_mixer_training_learn(NULL, 0, NULL, &bits) == BBANS_ERR_NULL);
    CHECK(bbans_mixer_training_learn(&t, 0, NULL, NULL) == BBANS_ERR_NULL);
    CHECK(bbans_mixer_training_learn(&t, BBANS_MIXER_TRAINING_PARTS, NULL,
                                     &bits) == BBANS_ERR_SIZE);
    CHECK(bbans_mixer_training_learn(&t, 0, &fast, &bits) == BBANS_ERR_SIZE);
    CHECK(bbans_mixer_training_learn(&t, 0, &faster, &bits) == BBANS_ERR_SIZE);
    CHECK(bbans_mixer_training_weigh(NULL, 0) == BBANS_ERR_NULL);
    CHECK(bbans_mixer_training_weigh(&t, BBANS_MIXER_TRAINING_PARTS) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_mixer_training_keep(NULL, 1, &n) == BBANS_ERR_NULL);
    CHECK(bbans_mixer_training_keep(&t, 1, NULL) == BBANS_ERR_NULL);
#define FINISH(t, bits, row, weight, match, rows)                              \
    bbans_mixer_training_finish(t, bits, row, weight, match, rows)
    CHECK(FINISH(NULL, PRIOR_BITS, p.row, p.weight, p.match, &n) ==
          BBANS_ERR_NULL);
    CHECK(FINISH(&t, PRIOR_BITS, NULL, p.weight, p.match, &n) ==
          BBANS_ERR_NULL);
    CHECK(FINISH(&t, PRIOR_BITS, p.row, NULL, p.match, &n) == BBANS_ERR_NULL);
    CHECK(FINISH(&t, PRIOR_BITS, p.row, p.weight, NULL, &n) == BBANS_ERR_NULL);
    CHECK(FINISH(&t, PRIOR_BITS, p.row, p.weight, p.match, NULL) ==
          BBANS_ERR_NULL);
    CHECK(FINISH(&t, BBANS_MIXER_BITS_MIN - 1, p.row, p.weight, p.match, &n) ==
          BBANS_ERR_SIZE);
    CHECK(FINISH(&t, BBANS_MIXER_PRIOR_BITS_MAX + 1, p.row, p.weight, p.match,
                 &n) == BBANS_ERR_SIZE);
    free(memory);
}

int main(void)
{
    static lines l, others;

    draw_lines(&l);
    draw_lines(&others);
    test_what_is_learned(&l, &others);
    test_kernels(&l);
    test_refusals(&l);
    puts("test_training: ok");
    return 0;
}
