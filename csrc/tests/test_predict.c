/* Predictions of signals: fits find what made a series, whatever its size; mu
 * is what docs/maths.md says.
 *
 * SPDX-License-Identifier: MIT */
#include "signals/bbans_signal_predict.h"
#include "check.h"

#include <string.h>

#define GUARD 64

typedef struct {
    bbans_signal_values x;
    bbans_prediction p;
    void *memory, *work, *adapt;
    int64_t *mu;
    size_t work_bytes;
} channels;

static channels start(size_t steps, size_t n)
{
    channels c;

    memset(&c, 0, sizeof c);
    c.x.steps = steps;
    c.x.channels = n;
    c.x.margin = steps < BBANS_SIGNAL_MARGIN ? steps : BBANS_SIGNAL_MARGIN;
    c.x.value = calloc((n + 1) * (steps + 2 * c.x.margin), sizeof(int32_t));
    c.memory = malloc(bbans_prediction_bytes(steps));
    c.work_bytes = bbans_prediction_fit_bytes(steps, 9);
    c.work = malloc(c.work_bytes + GUARD);
    c.adapt = malloc(bbans_predictor_bytes(NULL, BBANS_SIGNAL_LANES_MAX));
    c.mu = malloc((steps + 1) * sizeof *c.mu);
    CHECK(c.x.value && c.memory && c.work && c.adapt && c.mu);
    return c;
}

static void end(channels *c)
{
    free(c->x.value);
    free(c->memory);
    free(c->work);
    free(c->adapt);
    free(c->mu);
}

/* All that the encoder does with one channel but for the residuals. */
static void fit(channels *c, size_t channel, unsigned lanes, int level)
{
    bbans_signal_range range;
    bbans_sink sink;
    size_t i;

    range.channel = channel;
    range.low = -BBANS_SIGNAL_VALUE_MAX;
    range.high = BBANS_SIGNAL_VALUE_MAX;
    memset((uint8_t *)c->work, 0xA5, c->work_bytes + GUARD);
    bbans_prediction_init(&c->p, c->x.steps, c->memory);
    bbans_prediction_fit(&c->p, &c->x, &range, lanes, level, c->work);
    for (i = 0; i < GUARD; i++)
        CHECK(((uint8_t *)c->work)[c->work_bytes + i] == 0xA5);
    bbans_prediction_mu(&c->p, &c->x, channel, lanes, c->mu, c->adapt);
    memset(&sink, 0, sizeof sink); /* counts */
    bbans_prediction_put(&c->p, &c->x, channel, &sink);
    CHECK(sink.n <= bbans_prediction_steps(c->x.steps));
    for (i = 0; i < c->x.steps; i++)
        CHECK(c->mu[i] <= BBANS_MU_MAX && c->mu[i] >= -BBANS_MU_MAX);
}

/* mu of step t before adaptation, tap by tap. */
static int64_t slow_mu(const channels *c, size_t channel, size_t first,
                       size_t t)
{
    const bbans_prediction *p = &c->p;
    const bbans_predict_segment *s = p->segment;
    const int64_t steps = (int64_t)c->x.steps;
    int64_t sum;
    size_t i, k;

    while (s + 1 < p->segment + p->segments &&
           s[1].piece * BBANS_SIGNAL_PIECE <= t)
        s++;
    sum = s->constant * ((int64_t)1 << (s->shift - BBANS_SIGNAL_MU_BITS));
    for (i = 0; i < s->order; i++)
        if (t >= first + i + 1)
            sum += (int64_t)s->coefficient[i] *
                   (1 << (s->shift - s->precision[i])) *
                   bbans_signal_channel(&c->x, channel)[t - i - 1];
    for (k = 0; s->has_refs && k < p->refs; k++)
        for (i = 0; i < 2 * p->reach + 1; i++) {
            const size_t at = s->order + k * (2 * p->reach + 1) + i;
            const int64_t u = (int64_t)t - ((int64_t)i - (int64_t)p->reach);

            if (u >= 0 && u < steps)
                sum += (int64_t)s->coefficient[at] *
                       (1 << (s->shift - s->precision[at])) *
                       bbans_signal_channel(&c->x, p->ref[k])[u];
        }
    return bbans_mu_limited(
        bbans_floor_shift(sum, s->shift - BBANS_SIGNAL_MU_BITS));
}

static void check_mu(const channels *c, size_t channel, unsigned lanes)
{
    const size_t length = c->x.steps / lanes + (c->x.steps % lanes != 0);
    size_t t;

    if (c->p.kind == 0)
        for (t = 0; t < c->x.steps; t++)
            CHECK(c->mu[t] == slow_mu(c, channel, t / length * length, t));
}

static int32_t noise(int32_t most)
{
    return (int32_t)((int64_t)below(2 * (uint32_t)most + 1) - most);
}

static double mean_residual(const channels *c, size_t channel, size_t from)
{
    const int32_t *v = bbans_signal_channel(&c->x, channel);
    double sum = 0;
    size_t t;

    for (t = from; t < c->x.steps; t++) {
        const double r = v[t] - (double)c->mu[t] / 256;

        sum += r < 0 ? -r : r;
    }
    return sum / (double)(c->x.steps - from);
}

static double coefficient(const bbans_predict_segment *s, size_t i)
{
    return (double)s->coefficient[i] / (double)(1 << s->precision[i]);
}

/* v_t = 1.6 v_t-1 - 0.9 v_t-2 + e, |e| <= 50: what is left is e, 25.25 in the
 * mean, and a second channel of its echo and noise of 5. */
static void test_resonance(void)
{
    channels c = start(20000, 2);
    int32_t *v = bbans_signal_channel(&c.x, 0);
    int32_t *w = bbans_signal_channel(&c.x, 1);
    size_t t;
    int level;

    for (t = 0; t < c.x.steps; t++) {
        const int64_t a = t > 0 ? v[t - 1] : 0, b = t > 1 ? v[t - 2] : 0;

        v[t] = (int32_t)((16 * a - 9 * b) / 10) + noise(50);
    }
    for (t = 0; t < c.x.steps; t++)
        w[t] = (t + 2 < c.x.steps ? v[t + 2] / 2 : 0) + noise(5) + 1000000;
    for (level = 1; level <= 9; level += 4) {
        const bbans_predict_segment *s = c.p.segment;
        double a, b;

        fit(&c, 0, 1, level);
        CHECK(c.p.segments == 1);
        s = c.p.segment;
        CHECK(s->order >= 2 && s->order <= 4);
        a = coefficient(s, 0);
        b = coefficient(s, 1);
        CHECK(a > 1.5 && a < 1.7 && b > -1 && b < -0.8);
        CHECK(mean_residual(&c, 0, 100) < 25.25 * 1.01);
        check_mu(&c, 0, 1);
        fit(&c, 1, 2, level);
        CHECK(c.p.refs == 1 && c.p.segment->has_refs);
        CHECK(bbans_prediction_beside(&c.p) == 0);
        CHECK(mean_residual(&c, 1, 100) < 3 * 1.1);
        check_mu(&c, 1, 2);
    }
    end(&c);
}

/* The law changes in the middle; segments follow. */
static void test_segments(void)
{
    channels c = start(16 * BBANS_SIGNAL_PIECE, 1);
    int32_t *v = bbans_signal_channel(&c.x, 0);
    size_t t;

    for (t = 0; t < c.x.steps; t++)
        v[t] = (t == 0                       ? 0
                : t < 8 * BBANS_SIGNAL_PIECE ? v[t - 1] * 15 / 16
                                             : -v[t - 1] * 15 / 16) +
               noise(100);
    fit(&c, 0, 1, 5);
    CHECK(c.p.segments == 2);
    CHECK(c.p.segment[1].piece == 8);
    CHECK(coefficient(c.p.segment, 0) > 0.85);
    CHECK(coefficient(c.p.segment + 1, 0) < -0.85);
    fit(&c, 0, 4, 9);
    check_mu(&c, 0, 4);
    end(&c);
}

/* Sums of products, coefficients and solutions stay in bounds; where there is
 * nothing to say the fit says it with few bits. */
static void test_extremes(void)
{
    size_t steps, i, t;
    int kind, level;

    for (steps = 1; steps < 9000; steps += 1 + steps / 3)
        for (kind = 0; kind < 7; kind++) {
            channels c = start(steps, 3);

            for (i = 0; i < 3; i++)
                for (t = 0; t < steps; t++) {
                    const int32_t most = BBANS_SIGNAL_VALUE_MAX;
                    int32_t v = 0;

                    if (kind == 0)
                        v = i == 0 ? most : -most;
                    else if (kind == 1)
                        v = random_bits() >> 63 ? most : -most;
                    else if (kind == 2)
                        v = t % 2 ? most : -most;
                    else if (kind == 3)
                        v = noise(most);
                    else if (kind == 4) /* channels alike */
                        v = i == 0 ? noise(1000)
                                   : bbans_signal_channel(&c.x, 0)[t];
                    else if (kind == 5) /* a ramp */
                        v = (int32_t)(t * 100000) - most;
                    else /* quiet, then loud */
                        v = t < steps / 2 ? noise(1) : noise(most);
                    bbans_signal_channel(&c.x, i)[t] = v;
                }
            for (level = 1; level <= 9; level += 4)
                for (i = 0; i < 3; i++) {
                    const unsigned lanes = 1u << below(3);

                    fit(&c, i, lanes, level);
                    check_mu(&c, i, lanes);
                    if (kind == 4 && i > 0 && steps >= 100)
                        CHECK(mean_residual(&c, i, 0) < 0.01);
                    if ((kind == 0 || kind == 2 || kind == 5) && lanes == 1 &&
                        steps >= 1000)
                        CHECK(mean_residual(&c, i, steps / 2) < 2);
                }
            end(&c);
        }
}

/* A resonance that wanders within a piece: stages that adapt leave less than a
 * filter that stands. */
static void test_adaptation(void)
{
    channels c = start(40000, 1);
    int32_t *v = bbans_signal_channel(&c.x, 0);
    double with, without;
    size_t t;

    for (t = 0; t < c.x.steps; t++) {
        const int64_t a = t > 0 ? v[t - 1] : 0, b = t > 1 ? v[t - 2] : 0;
        const int64_t turn = (int64_t)(t % 3000) - 1500;

        v[t] = (int32_t)(((turn < 0 ? -turn : turn) * a - 970 * b) / 1000) +
               noise(50);
    }
    fit(&c, 0, 1, 9);
    CHECK(c.p.kind > 0);
    with = mean_residual(&c, 0, 0);
    c.p.kind = 0;
    bbans_prediction_mu(&c.p, &c.x, 0, 1, c.mu, c.adapt);
    without = mean_residual(&c, 0, 0);
    CHECK(with < 0.9 * without);
    check_mu(&c, 0, 1);
    end(&c);
}

int main(void)
{
    test_resonance();
    test_segments();
    test_extremes();
    test_adaptation();
    return 0;
}
