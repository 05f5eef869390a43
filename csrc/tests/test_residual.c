/* Residuals of signals: whatever they are they come back, and cost what they
 * should; what no encoder wrote is values in their range.
 *
 * SPDX-License-Identifier: MIT */
#include "signals/bbans_signal_residual.h"
#include "check.h"

#include <math.h>
#include <string.h>

#define STEPS_MAX 60000
#define CHANNELS_MAX 3
#define GUARD 64

static const int levels[] = {1, 5, 9};

static struct {
    bbans_signal_values x, back;
    int32_t value[2][CHANNELS_MAX * STEPS_MAX +
                     (CHANNELS_MAX + 1) * BBANS_SIGNAL_MARGIN];
    bbans_signal_range range[CHANNELS_MAX];
    bbans_prediction p[CHANNELS_MAX];
    int64_t mu[STEPS_MAX];
    bbans_signal_step step[CHANNELS_MAX * (5 * STEPS_MAX + 8)];
    uint8_t words[CHANNELS_MAX * 5 * STEPS_MAX * 4 + 64];
    bbans_sink sink;
    bbans_signal_source source;
    size_t work_bytes;
    void *work, *adapt;
} all;

static void start(size_t steps, size_t channels)
{
    size_t i;

    CHECK(steps <= STEPS_MAX && channels <= CHANNELS_MAX);
    memset(all.value, 0, sizeof all.value);
    all.x.steps = steps;
    all.x.channels = channels;
    all.x.margin = steps < BBANS_SIGNAL_MARGIN ? steps : BBANS_SIGNAL_MARGIN;
    all.back = all.x;
    all.x.value = all.value[0];
    all.back.value = all.value[1];
    all.adapt = malloc(bbans_predictor_bytes(NULL, BBANS_SIGNAL_LANES_MAX));
    CHECK(all.adapt != NULL);
    for (i = 0; i < channels; i++) {
        void *memory = malloc(bbans_prediction_bytes(steps));

        CHECK(memory != NULL);
        bbans_prediction_init(all.p + i, steps, memory);
        all.p[i].segments = 1;
        all.p[i].refs = all.p[i].kind = 0;
        memset(all.p[i].segment, 0, sizeof *all.p[i].segment);
        all.p[i].segment[0].shift = BBANS_SIGNAL_MU_BITS;
        all.range[i].channel = i;
        all.range[i].direct = 0;
    }
}

static void end(void)
{
    size_t i;

    for (i = 0; i < all.x.channels; i++)
        free(all.p[i].segment);
    free(all.adapt);
}

/* mu is this for all of the channel. */
static void predict(size_t channel, int64_t mu)
{
    all.p[channel].segment[0].constant = mu;
}

static void find_range(size_t channel)
{
    const int32_t *v = bbans_signal_channel(&all.x, channel);
    size_t t;

    all.range[channel].low = all.range[channel].high = v[0];
    for (t = 1; t < all.x.steps; t++) {
        if (v[t] < all.range[channel].low)
            all.range[channel].low = v[t];
        if (v[t] > all.range[channel].high)
            all.range[channel].high = v[t];
    }
}

/* The steps as a message's words, of which those of each lane end with its head
 * in the source. */
static void push_all(unsigned lanes)
{
    size_t i, n = 0;
    unsigned k;

    memset(&all.source, 0, sizeof all.source);
    for (k = 0; k < lanes; k++)
        all.source.x[k] = BBANS_HEAD_MIN;
    for (i = all.sink.n; i-- > 0;) {
        const bbans_signal_step *s = all.step + i;
        const unsigned lane = s->start >> BBANS_SIGNAL_PREC;
        const uint32_t at = s->start & (((uint32_t)1 << BBANS_SIGNAL_PREC) - 1);
        const unsigned bits = s->freq & (BBANS_SIGNAL_RAW - 1);
        const int raw = s->freq >= BBANS_SIGNAL_RAW;
        const unsigned prec = raw ? bits : BBANS_SIGNAL_PREC;
        const uint64_t freq = raw ? 1 : s->freq;
        uint64_t x = all.source.x[lane];

        CHECK(lane < lanes && prec <= BBANS_SIGNAL_PREC && freq > 0 &&
              at + freq <= (uint64_t)1 << prec);
        if (x >> 32 >= freq << (31 - prec)) {
            CHECK(n + 4 <= sizeof all.words);
            bbans_store(all.words + n, x, 4);
            n += 4;
            x >>= 32;
        }
        all.source.x[lane] = (x / freq << prec) + x % freq + at;
    }
    all.source.words = all.words;
    all.source.n_words = n / 4;
}

static double bits_of_steps(void)
{
    double bits = 0;
    size_t i;

    for (i = 0; i < all.sink.n; i++)
        bits += all.step[i].freq >= BBANS_SIGNAL_RAW
                    ? all.step[i].freq - BBANS_SIGNAL_RAW
                    : 28 - log2(all.step[i].freq);
    return bits;
}

static void begin_work(int level)
{
    all.work_bytes =
        bbans_residual_bytes((uint64_t)all.x.steps * all.x.channels, level);
    all.work = malloc(all.work_bytes + GUARD);
    CHECK(all.work != NULL);
    memset(all.work, 0xA5, all.work_bytes + GUARD);
}

static void end_work(void)
{
    size_t i;

    for (i = 0; i < GUARD; i++)
        CHECK(((uint8_t *)all.work)[all.work_bytes + i] == 0xA5);
    free(all.work);
}

static void encode(int level, unsigned lanes)
{
    size_t i;

    begin_work(level);
    memset(&all.sink, 0, sizeof all.sink);
    all.sink.step = all.step;
    all.sink.cap = sizeof all.step / sizeof *all.step;
    bbans_residual_begin(all.work, level, &all.sink);
    for (i = 0; i < all.x.channels; i++) {
        const size_t before = all.sink.n;

        bbans_prediction_mu(all.p + i, &all.x, i, lanes, all.mu, all.adapt);
        bbans_residual_encode(all.work, &all.sink, &all.x, all.range + i,
                              all.mu, lanes);
        CHECK(all.sink.n - before <= bbans_residual_steps(all.x.steps));
    }
    CHECK(all.sink.n <= all.sink.cap);
    end_work();
}

static void decode(unsigned lanes)
{
    size_t i;

    begin_work(0);
    bbans_residual_resume(all.work, &all.source);
    for (i = 0; i < all.x.channels; i++)
        bbans_residual_decode(all.work, &all.source, &all.back, all.range + i,
                              all.p + i, lanes, all.adapt);
    end_work();
}

/* Returns the bits that all channels took. */
static double check_both_ways(int level, unsigned lanes)
{
    size_t i;

    encode(level, lanes);
    push_all(lanes);
    decode(lanes);
    CHECK(!all.source.bad && all.source.n_words == 0);
    for (i = 0; i < lanes; i++)
        CHECK(all.source.x[i] == BBANS_HEAD_MIN);
    for (i = 0; i < all.x.channels; i++)
        CHECK(memcmp(bbans_signal_channel(&all.x, i),
                     bbans_signal_channel(&all.back, i),
                     all.x.steps * sizeof(int32_t)) == 0);
    return bits_of_steps();
}

static int32_t noise(uint32_t most)
{
    return (int32_t)((int64_t)below(2 * most + 1) - most);
}

/* Sums of 12 are Gaussian enough: of a variance of ((2 most + 1)^2 - 1) / 12
 * each. */
static int32_t gaussian(uint32_t most)
{
    int32_t sum = 0;
    int i;

    for (i = 0; i < 12; i++)
        sum += noise(most);
    return sum;
}

enum { SMALL, WIDE, SPIKES, LOUDER, ENDS, KINDS, ONE, ANYTHING, SHAPES };

static int32_t value_of(int shape, size_t t)
{
    switch (shape) {
    case SMALL: return noise(2);
    case WIDE: return noise((uint32_t)1 << 20);
    case SPIKES:
        return below(50) > 0 ? noise(3) : noise(BBANS_SIGNAL_VALUE_MAX);
    case LOUDER: return noise((uint32_t)1 << (t / 64 % 30));
    case ENDS:
        return noise(1) < 0 ? -BBANS_SIGNAL_VALUE_MAX : BBANS_SIGNAL_VALUE_MAX;
    case KINDS: return (int32_t)(t / 3 % 7 + below(2));
    case ONE: return 7;
    default: return noise((uint32_t)1 << below(31));
    }
}

static void test_both_ways(void)
{
    static const int64_t middles[] = {0, 77, -300000, BBANS_MU_MAX,
                                      -BBANS_MU_MAX};
    int trial;

    for (trial = 0; trial < SOME(400); trial++) {
        const size_t steps = 1 + below(trial % 20 > 0 ? 300 : 9000);
        const unsigned lanes = 1u << below(2);
        size_t i, t;

        start(steps, 1 + below(CHANNELS_MAX));
        for (i = 0; i < all.x.channels; i++) {
            const int shape = (int)below(SHAPES);

            for (t = 0; t < steps; t++)
                bbans_signal_channel(&all.x, i)[t] = value_of(shape, t);
            predict(i, middles[below(5)]);
            find_range(i);
            all.range[i].direct =
                bbans_residual_may_be_direct(all.range + i) && below(2);
        }
        for (i = 0; i < 3; i++)
            check_both_ways(levels[i], lanes);
        end();
    }
}

/* More contexts than there is room for. */
static void test_many_contexts(void)
{
    size_t t;

    start(STEPS_MAX, 1);
    for (t = 0; t < STEPS_MAX; t++)
        bbans_signal_channel(&all.x, 0)[t] = value_of(ANYTHING, t);
    find_range(0);
    check_both_ways(9, 1);
    check_both_ways(5, 1);
    end();
}

/* Gaussian residuals of many scales cost their entropy and 1 to 3 %. */
static void test_rate(void)
{
    static const uint32_t mosts[] = {1, 4, 40, 4000};
    const double worst[] = {1.03, 1.02, 1.02};
    size_t i, k, t;

    for (i = 0; i < sizeof mosts / sizeof *mosts; i++) {
        const double width = 2.0 * mosts[i] + 1;
        const double entropy = /* log2(sqrt(2 pi e) deviation) */
            log2(4.1327313541224930 * sqrt(width * width - 1));

        start(STEPS_MAX, 1);
        for (t = 0; t < STEPS_MAX; t++)
            bbans_signal_channel(&all.x, 0)[t] = gaussian(mosts[i]);
        find_range(0);
        predict(0, 20); /* of 256 */
        for (k = 0; k < 3; k++) {
            const double bits = check_both_ways(
                levels[k], bbans_residual_lanes(STEPS_MAX, levels[k]));

            CHECK(bits > 0.995 * entropy * STEPS_MAX);
            CHECK(bits < (worst[k] * entropy + 0.02) * STEPS_MAX);
        }
        end();
    }
}

/* Values of few kinds, each of which follows from the two before but for one in
 * 16, cost the surprise: H(1/16) + log2(4) / 16 bits. */
static void test_kinds(void)
{
    const double surprise = 0.3373 + 2.0 / 16;
    int32_t *v;
    size_t k, t;

    start(STEPS_MAX, 1);
    v = bbans_signal_channel(&all.x, 0);
    for (t = 2; t < STEPS_MAX; t++)
        v[t] = (v[t - 1] * 3 + v[t - 2] + 1 +
                (below(16) > 0 ? 0 : 1 + (int32_t)below(4))) %
               5;
    find_range(0);
    all.range[0].direct = 1;
    for (k = 0; k < 3; k++) {
        const double bits = check_both_ways(levels[k], 1);

        CHECK(bits > 0.98 * surprise * STEPS_MAX);
        CHECK(bits < 1.1 * surprise * STEPS_MAX);
    }
    end();
}

/* Heads and words of no message. */
static void test_damage(void)
{
    int trial;

    for (trial = 0; trial < SOME(3000); trial++) {
        const unsigned lanes = 1u << below(2);
        size_t i, t;

        start(1 + below(200), CHANNELS_MAX);
        memset(&all.source, 0, sizeof all.source);
        for (i = 0; i < lanes; i++)
            all.source.x[i] = random_bits() >> below(64);
        for (i = 0; i < 400; i++)
            all.words[i] = (uint8_t)below(below(2) ? 256 : 2);
        all.source.words = all.words;
        all.source.n_words = below(101);
        for (i = 0; i < CHANNELS_MAX; i++) {
            all.range[i].low = noise(BBANS_SIGNAL_VALUE_MAX / 2);
            all.range[i].high =
                all.range[i].low + (int32_t)below((uint32_t)1 << below(30));
            all.range[i].direct =
                bbans_residual_may_be_direct(all.range + i) && below(2);
            predict(i, (int64_t)(random_bits() >> 25) - BBANS_MU_MAX);
        }
        decode(lanes);
        for (i = 0; i < CHANNELS_MAX; i++)
            for (t = 0; t < all.x.steps; t++) {
                const int32_t v = bbans_signal_channel(&all.back, i)[t];

                CHECK(v >= all.range[i].low && v <= all.range[i].high);
            }
        end();
    }
}

int main(void)
{
    int isa;

    FOR_EACH_ISA(isa)
    {
        test_both_ways();
        test_many_contexts();
        test_rate();
        test_kinds();
        test_damage();
    }
    printf("test_residual: ok\n");
    return 0;
}
