/* Predictions of a channel: parameters in and out of a block, and mu.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_signal_predict.h"

/* Orders and rates of each kind of adaptation; rates in 2^-19. */
static const struct {
    unsigned stages;
    struct {
        uint16_t order, rate;
    } stage[BBANS_ADAPT_STAGES];
} kinds[BBANS_ADAPT_KINDS] = {
    {0, {{0, 0}, {0, 0}, {0, 0}, {0, 0}}},
    {2, {{32, 24000}, {16, 32000}, {0, 0}, {0, 0}}},
    {3, {{256, 16000}, {32, 24000}, {16, 32000}, {0, 0}}},
    {4, {{1024, 16000}, {256, 16000}, {32, 24000}, {16, 32000}}},
    {4, {{1024, 2500}, {256, 2500}, {32, 2500}, {16, 2500}}},
};

/* Inputs are limited to 14 bits, so that a rate of 16 times one fits; a share
 * moves by SHARE_STEP, up to SHARE_MAX. */
#define INPUT_MAX 16383
#define SHARE_STEP 400
#define SHARE_MAX 81920

size_t bbans_prediction_bytes(size_t steps)
{
    const size_t pieces = bbans_pieces(steps) + (steps == 0);

    return pieces * (sizeof(bbans_predict_segment) + BBANS_PREDICT_TAPS * 5) +
           8;
}

void bbans_prediction_init(bbans_prediction *p, size_t steps, void *memory)
{
    const size_t pieces = bbans_pieces(steps) + (steps == 0);

    memset(p, 0, sizeof *p);
    p->steps = steps;
    p->segment = (bbans_predict_segment *)memory;
    p->coefficients = (int32_t *)(void *)(p->segment + pieces);
    p->precisions = (uint8_t *)(p->coefficients + pieces * BBANS_PREDICT_TAPS);
    /* One segment that predicts 0. */
    p->segments = 1;
    memset(p->segment, 0, sizeof *p->segment);
    p->segment->shift = BBANS_SIGNAL_MU_BITS;
    p->segment->coefficient = p->coefficients;
    p->segment->precision = p->precisions;
}

size_t bbans_prediction_beside(const bbans_prediction *p)
{
    return p->refs > 0 ? p->ref[0] : BBANS_SIGNAL_NONE;
}

static size_t taps_of(const bbans_prediction *p, const bbans_predict_segment *s)
{
    return s->order + (s->has_refs ? p->refs * (size_t)(2 * p->reach + 1) : 0);
}

/* ---- Streams ------------------------------------------------------------- */

size_t bbans_predictor_bytes(const bbans_prediction *p, unsigned lanes)
{
    (void)p;
    return lanes * sizeof(bbans_adapt);
}

void bbans_predictor_begin(bbans_predictor *q, const bbans_prediction *p,
                           const bbans_signal_values *x, size_t channel,
                           unsigned lane, unsigned lanes, void *memory)
{
    const size_t length = x->steps / lanes + (x->steps % lanes != 0);
    size_t i;

    memset(q, 0, sizeof *q);
    q->prediction = p;
    q->values = x;
    q->value = bbans_signal_channel(x, channel);
    q->first = q->next = lane * length;
    if (p->kind > 0) {
        q->adapt = (bbans_adapt *)memory + lane;
        q->adapt->stages = kinds[p->kind].stages;
        for (i = 0; i < q->adapt->stages; i++) {
            bbans_adapt_stage *s = q->adapt->stage + i;

            memset(s, 0, sizeof *s);
            s->order = s->at = kinds[p->kind].stage[i].order;
            s->share = 1 << 16;
            s->rate = kinds[p->kind].stage[i].rate;
        }
    }
}

/* The segment of step t.  |a| < 2^25 in units of 2^-shift, 104 of them: with
 * |v|
 * <= 2^30 they sum to less than 2^62; the constant is below 2^39, in units of
 * 2^-24 at most 2^55. */
void bbans_predictor_load(bbans_predictor *q, size_t t)
{
    const bbans_prediction *p = q->prediction;
    const bbans_predict_segment *s;
    const size_t piece = t / BBANS_SIGNAL_PIECE;
    size_t i;

    while (q->segment + 1 < p->segments &&
           p->segment[q->segment + 1].piece <= piece)
        q->segment++;
    s = p->segment + q->segment;
    q->next = q->segment + 1 < p->segments
                  ? p->segment[q->segment + 1].piece * BBANS_SIGNAL_PIECE
                  : SIZE_MAX;
    q->order = s->order;
    q->shift = s->shift;
    q->constant =
        s->constant * ((int64_t)1 << (s->shift - BBANS_SIGNAL_MU_BITS));
    for (i = 0; i < s->order; i++)
        q->own[BBANS_PREDICT_ORDER - 1 - i] =
            s->coefficient[i] * (1 << (s->shift - s->precision[i]));
    q->refs = s->has_refs ? p->refs : 0;
    q->width = 2 * p->reach + 1;
    for (i = 0; i < q->refs * q->width; i++) {
        const size_t ref = i / q->width;

        q->beside[ref] = bbans_signal_channel(q->values, p->ref[ref]);
        q->beside[ref] -= p->reach;
        /* lags rise, steps fall */
        q->aside[ref * q->width + q->width - 1 - i % q->width] =
            s->coefficient[s->order + i] *
            (1 << (s->shift - s->precision[s->order + i]));
    }
}

static inline int32_t limited(int64_t v, int32_t most)
{
    return v > most ? most : v < -most ? -most : (int32_t)v;
}

/* The normalised least mean squares rule in each stage: w += rate r h / |h|^2,
 * where r is what it left.  Of energies, at most 2^38, 2^-11 counts, so g is in
 * units of 2^-30 / h.  The sum of w h may go beyond 32 bits where w has gone
 * astray; it is the same everywhere, and no encoder chooses that. */
void bbans_adapt_seen(bbans_predictor *q, int64_t residual)
{
    int32_t r =
        limited(bbans_floor_shift(residual, q->prediction->scale), INPUT_MAX);
    int64_t left_by_all = (int64_t)r * (1 << 16);
    size_t i;

    for (i = 0; i < q->adapt->stages; i++)
        left_by_all -=
            (int64_t)q->adapt->stage[i].predicted * q->adapt->stage[i].share;
    for (i = 0; i < q->adapt->stages; i++) {
        bbans_adapt_stage *s = q->adapt->stage + i;
        const int32_t left = limited((int64_t)r - s->predicted, INPUT_MAX);
        const int32_t energy =
            (int32_t)(s->energy >> 11) + (int32_t)(s->order / 128) + 1;
        const int32_t g = limited(left * s->rate / energy, INT16_MAX);
        const int16_t *h = s->input + s->at - s->order;
        uint32_t sum;

        if (s->predicted != 0 && left_by_all != 0)
            s->share =
                limited(s->share + ((s->predicted > 0) == (left_by_all > 0)
                                        ? SHARE_STEP
                                        : -SHARE_STEP),
                        SHARE_MAX);
        if (s->share < 0)
            s->share = 0;
        s->energy += (int64_t)r * r - (int64_t)h[0] * h[0];
        s->input[s->at] = (int16_t)r;
        sum = bbans_kernel.predict->adapt(s->weight, h, s->order, g);
        s->predicted =
            limited(bbans_floor_shift(bbans_signed32(sum), 14), INT16_MAX);
        if (++s->at == s->order + BBANS_ADAPT_ROOM) {
            memmove(s->input, s->input + BBANS_ADAPT_ROOM,
                    s->order * sizeof *s->input);
            s->at = s->order;
        }
        r = left;
    }
}

/* ---- Parameters ---------------------------------------------------------- */

/* What is expected of a coefficient's magnitude, in 2^-16: less of a later lag,
 * then the mean with what was there before. */
typedef struct {
    uint32_t own[BBANS_PREDICT_ORDER], aside[BBANS_PREDICT_ASIDE];
} expected;

static void expect(expected *e)
{
    size_t i;

    for (i = 0; i < BBANS_PREDICT_ORDER; i++)
        e->own[i] = (uint32_t)(0x18000 / (i + 1)) + 0x1000;
    for (i = 0; i < BBANS_PREDICT_ASIDE; i++)
        e->aside[i] = 0x2000;
}

#define RICE_MAX 25

static unsigned rice_of(uint32_t mean, unsigned precision)
{
    /* mean < 2^30, precision <= 24; log2 of 0.7 of it in units, less 1 */
    const uint64_t units = (((uint64_t)mean << precision) * 3 / 4) >> 16;

    unsigned k = units < 2 ? 0 : bbans_floor_log2(units);

    return k < RICE_MAX ? k : RICE_MAX;
}

static void learn(uint32_t *mean, int32_t q, unsigned precision)
{
    const uint64_t size = (uint64_t)(q < 0 ? -(int64_t)q : q);
    const uint64_t a = ((size << 16) + 0x4000) >> precision;
    const uint64_t m = (*mean + a) / 2;

    *mean = m >> 29 > 0 ? (uint32_t)1 << 29 : (uint32_t)m;
}

/* One way for both: what is put is at hand already. */
typedef struct {
    bbans_signal_source *source;
#ifndef BBANS_DECODER_ONLY
    bbans_sink *sink;
#endif /* BBANS_DECODER_ONLY */
} pipe;

static uint32_t through_bits(const pipe *io, uint32_t v, unsigned bits)
{
#ifndef BBANS_DECODER_ONLY
    if (io->sink != NULL) {
        bbans_sink_bits(io->sink, 0, v, bits);
        return v;
    }
#endif /* BBANS_DECODER_ONLY */
    (void)v;
    return (uint32_t)bbans_source_bits(io->source, 0, bits);
}

/* floor(v / 2^k) with 2^-1, 2^-2, .. of the slots, and k bits; or if that is
 * QUOTIENT_MAX or more what is left of them, and 32 bits. */
#define QUOTIENT_MAX 16

static uint32_t through_rice(const pipe *io, uint32_t v, unsigned k)
{
    const uint32_t all = (uint32_t)1 << BBANS_SIGNAL_PREC;
    uint32_t q, left, freq;

#ifndef BBANS_DECODER_ONLY
    if (io->sink != NULL) {
        q = v >> k < QUOTIENT_MAX ? v >> k : QUOTIENT_MAX;
        left = all >> q;
        freq = q < QUOTIENT_MAX ? left / 2 : left;
        bbans_sink_step(io->sink, 0, all - left, freq);
        bbans_sink_bits(io->sink, 0, v, q < QUOTIENT_MAX ? k : 32);
        return v;
    }
#endif /* BBANS_DECODER_ONLY */
    left = all - bbans_source_slot(io->source, 0);
    for (q = 0; q < QUOTIENT_MAX && left <= all >> (q + 1); q++)
        continue;
    left = all >> q;
    freq = q < QUOTIENT_MAX ? left / 2 : left;
    bbans_source_advance(io->source, 0, all - left, freq);
    v = through_bits(io, 0, q < QUOTIENT_MAX ? k : 32);
    return q < QUOTIENT_MAX ? q << k | v : v;
}

static int64_t through_signed(const pipe *io, int64_t v, unsigned k)
{
    return bbans_signed(bbans_unzigzag(
        through_rice(io, (uint32_t)bbans_zigzag((uint64_t)v), k)));
}

/* Precisions of a group: below the highest one by rice_0, then differences; and
 * coefficients.  Returns 0 if one is out of bounds. */
static int through_group(const pipe *io, const bbans_predict_segment *s,
                         int32_t *a, uint8_t *precision, size_t n,
                         uint32_t *mean)
{
    const int64_t bound = (int64_t)1 << BBANS_PREDICT_COEFFICIENT_BITS;
    int64_t before = s->shift;
    uint32_t near = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        int64_t p = before;

        if (i <= BBANS_PREDICT_SPREAD)
            p -= through_signed(io, before - precision[i], 0);
        if (p < 0 || p > s->shift)
            return 0;
        precision[i] = (uint8_t)p;
        before = p;
    }
    for (i = 0; i < n; i++) {
        /* Neighbours in lag are alike, and the same lag's in time. */
        const uint32_t like = i > 0 ? (mean[i] + 3 * near) / 4 : mean[i];
        const int64_t v = through_signed(io, a[i], rice_of(like, precision[i]));

        if (v <= -(bound >> (s->shift - precision[i])) ||
            v >= bound >> (s->shift - precision[i]))
            return 0;
        a[i] = (int32_t)v;
        learn(mean + i, a[i], precision[i]);
        if (i == 0)
            near = mean[0];
        learn(&near, a[i], precision[i]);
    }
    return 1;
}

#define DROP_MAX 38

static int through_segment(const pipe *io, const bbans_prediction *p,
                           const bbans_predict_segment *before,
                           bbans_predict_segment *s, expected *e, size_t margin)
{
    int64_t shift, drop, constant;

    s->order = through_bits(io, s->order, 6);
    if (s->order > BBANS_PREDICT_ORDER || s->order > margin)
        return 0;
    if (p->refs > 0)
        s->has_refs = (int)through_bits(io, (uint32_t)s->has_refs, 1);
    shift = before->shift +
            through_signed(io, (int64_t)s->shift - before->shift, 1);
    drop =
        before->drop + through_signed(io, (int64_t)s->drop - before->drop, 1);
    if (shift < BBANS_SIGNAL_MU_BITS || shift > BBANS_PREDICT_SHIFT_MAX ||
        drop < 0 || drop > DROP_MAX)
        return 0;
    s->shift = (unsigned)shift;
    s->drop = (unsigned)drop;
    constant = through_signed(io, s->constant / ((int64_t)1 << s->drop), 2);
    if (constant > BBANS_MU_MAX >> s->drop ||
        constant < -(BBANS_MU_MAX >> s->drop))
        return 0;
    s->constant = constant * ((int64_t)1 << s->drop);
    return through_group(io, s, s->coefficient, s->precision, s->order,
                         e->own) &&
           (!s->has_refs || through_group(io, s, s->coefficient + s->order,
                                          s->precision + s->order,
                                          taps_of(p, s) - s->order, e->aside));
}

static int through(const pipe *io, bbans_prediction *p,
                   const bbans_signal_values *x, size_t channel)
{
    const size_t pieces = bbans_pieces(x->steps), n = p->segments;
    size_t i, piece = 0, used = 0;
    bbans_predict_segment start; /* like which the first is coded */
    expected e;

    memset(&start, 0, sizeof start);
    start.shift = BBANS_SIGNAL_MU_BITS + 4;
    start.drop = 4;
    expect(&e);
    p->refs = through_rice(io, p->refs, 0);
    if (p->refs > BBANS_PREDICT_REFS)
        return 0;
    if (p->refs > 0) {
        p->reach = through_bits(io, p->reach, 4);
        if (p->reach > BBANS_PREDICT_REACH || p->reach > x->margin ||
            p->refs * (2 * p->reach + 1) > BBANS_PREDICT_ASIDE)
            return 0;
    }
    for (i = 0; i < p->refs; i++) { /* how far before */
        const size_t back =
            through_rice(io, (uint32_t)(channel - 1 - p->ref[i]), 0);

        if (back >= channel)
            return 0;
        p->ref[i] = channel - 1 - back;
    }
    p->kind = through_rice(io, p->kind, 0);
    if (p->kind >= (x->steps < BBANS_ADAPT_STEPS ? 1 : BBANS_ADAPT_KINDS))
        return 0;
    if (p->kind > 0) {
        p->scale = through_bits(io, p->scale, 5);
        if (p->scale > 30)
            return 0;
    }
    for (i = 0; piece < pieces; i++) {
        bbans_predict_segment *s = p->segment + i;
        const size_t end = i + 1 < n ? p->segment[i + 1].piece : pieces;
        const size_t length =
            (size_t)1 + through_rice(io, (uint32_t)(end - piece - 1), 1);

        if (length > pieces - piece)
            return 0;
        s->piece = piece;
        s->coefficient = p->coefficients + used;
        s->precision = p->precisions + used;
        p->segments = i + 1;
        if (!through_segment(io, p, i > 0 ? s - 1 : &start, s, &e, x->margin))
            return 0;
        used += taps_of(p, s);
        piece += length;
    }
    return 1;
}

void bbans_prediction_take(bbans_prediction *p, const bbans_signal_values *x,
                           size_t channel, bbans_signal_source *s)
{
    void *memory = p->segment;
    pipe io;

    memset(&io, 0, sizeof io);
    io.source = s;
    memset(memory, 0, bbans_prediction_bytes(x->steps));
    p->segments = 0;
    if (!through(&io, p, x, channel)) {
        s->bad = 1;
        bbans_prediction_init(p, x->steps, memory);
    }
}

#ifndef BBANS_DECODER_ONLY
void bbans_prediction_put(const bbans_prediction *p,
                          const bbans_signal_values *x, size_t channel,
                          bbans_sink *sink)
{
    bbans_prediction copy = *p; /* its arrays are written as they are */
    pipe io;

    memset(&io, 0, sizeof io);
    io.sink = sink;
    (void)through(&io, &copy, x, channel);
}

/* A number takes 3 steps at most, of which one is its quotient. */
size_t bbans_prediction_steps(size_t steps)
{
    const size_t margin =
        steps < BBANS_SIGNAL_MARGIN ? steps : BBANS_SIGNAL_MARGIN;
    const size_t own =
        margin < BBANS_PREDICT_ORDER ? margin : BBANS_PREDICT_ORDER;
    const size_t each = 3 + 2 + 9 + 3 * (own + BBANS_PREDICT_SPREAD + 1);

    return 2 + 3 * BBANS_PREDICT_REFS + 5 + bbans_pieces(steps) * each +
           (margin < BBANS_SIGNAL_MARGIN
                ? 0
                : bbans_pieces(steps) * 3 *
                      (BBANS_PREDICT_ASIDE + BBANS_PREDICT_SPREAD + 1));
}

/* mu before adaptation of steps first .. first + n - 1, before which the stream
 * has as many as there are lags. */
static void standing_mu(bbans_predictor *q, size_t first, size_t n, int64_t *mu)
{
    size_t i, k;

    while (n > 0) {
        size_t part;

        if (first >= q->next)
            bbans_predictor_load(q, first);
        part = q->next - first < n ? q->next - first : n;
        for (i = 0; i < part; i++)
            mu[i] = q->constant;
        bbans_kernel.predict->fir(q->own + BBANS_PREDICT_ORDER - q->order,
                                  q->order, q->value + first - q->order, part,
                                  mu);
        for (k = 0; k < q->refs; k++)
            bbans_kernel.predict->fir(q->aside + k * q->width, q->width,
                                      q->beside[k] + first, part, mu);
        for (i = 0; i < part; i++)
            mu[i] = bbans_mu_limited(
                bbans_floor_shift(mu[i], q->shift - BBANS_SIGNAL_MU_BITS));
        mu += part;
        first += part;
        n -= part;
    }
}

static void stream_mu(bbans_predictor *q, size_t first, size_t n, int64_t *mu)
{
    const size_t seen = first - q->first;
    size_t early = seen < BBANS_PREDICT_ORDER ? BBANS_PREDICT_ORDER - seen : 0;
    size_t t;

    if (early > n)
        early = n;
    for (t = 0; t < early; t++) {
        mu[t] = bbans_predict_at(q, first + t);
        bbans_predict_seen(q, first + t, q->value[first + t]);
    }
    standing_mu(q, first + early, n - early, mu + early);
    for (t = early; q->adapt != NULL && t < n; t++) {
        q->mu = mu[t];
        mu[t] = bbans_adapted(q);
        bbans_predict_seen(q, first + t, q->value[first + t]);
    }
}

void bbans_prediction_part(const bbans_prediction *p,
                           const bbans_signal_values *x, size_t channel,
                           size_t first, size_t n, int64_t *mu, void *memory)
{
    bbans_predictor q;

    bbans_predictor_begin(&q, p, x, channel, 0, 1, memory);
    q.next = first;
    stream_mu(&q, first, n, mu);
}

void bbans_prediction_mu(const bbans_prediction *p,
                         const bbans_signal_values *x, size_t channel,
                         unsigned lanes, int64_t *mu, void *memory)
{
    const size_t length = x->steps / lanes + (x->steps % lanes != 0);
    unsigned lane;

    for (lane = 0; lane < lanes && lane * length < x->steps; lane++) {
        const size_t first = lane * length, rest = x->steps - first;
        bbans_predictor q;

        bbans_predictor_begin(&q, p, x, channel, lane, lanes, memory);
        stream_mu(&q, first, rest < length ? rest : length, mu + first);
    }
}
#endif /* BBANS_DECODER_ONLY */
