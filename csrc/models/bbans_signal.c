/* Integer signals under a switching autoregressive model, predictively:
 * docs/maths.md, "Signals".
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_family.h"

#define PREDICTORS 2 /* linear prediction, and the value before */
#define SCALES BBANS_SIGNAL_SCALES_MAX

/* Scales are 2^-4, 2^-3.25, ... */
#define SCALE_FIRST (-1024)
#define SCALE_STEP 192

/* In 2^-16: a scale stays; goes one up, one down; anywhere. */
#define STAYS 63570
#define MOVES 950
#define JUMPS 66

#define WEIGHT_BITS 16
#define FILTER_BITS 24

/* Components of less weight are left out, but for every fourth scale, so that
 * nothing takes long to reach. */
#define WEIGHT_MIN 16

#define PREDICTION_MAX ((int64_t)BBANS_SIGNAL_VALUE_MAX * 65536)

/* Edges beyond, in values, are as good as infinite. */
#define FAR ((int64_t)1 << 40)

typedef struct {
    uint32_t down;
    unsigned shift, width;
} scale;

/* What the next value of a channel is coded with. */
typedef struct {
    bbans_place frame;
    int64_t location[PREDICTORS]; /* in 2^-16, as they lie around the frame */
    size_t n;
    uint32_t weight[PREDICTORS * SCALES]; /* sum to 2^16 */
    uint8_t of[PREDICTORS * SCALES];      /* predictor + 2 scale */
} mixture;

typedef struct {
    uint32_t weight[PREDICTORS][SCALES];
} filter;

typedef struct {
    const bbans_signal *model;
    scale scales[SCALES];
    filter *filters; /* [channels] */
} coder;

/* What is pushed for a value. */
typedef struct {
    uint64_t low;
    bbans_span span;
    uint32_t low_bits, unused;
} step;

static size_t taps(const bbans_signal *model)
{
    return model->order + (model->channels - 1) * (model->cross + 1) + 1;
}

bbans_status bbans_signal_check(const bbans_signal *model)
{
    size_t i;

    if (model == NULL || model->coefficient == NULL)
        return BBANS_ERR_NULL;
    if (model->channels < 1 || model->channels > BBANS_SIGNAL_CHANNELS_MAX ||
        model->order > BBANS_SIGNAL_ORDER_MAX ||
        model->cross > BBANS_SIGNAL_ORDER_MAX || model->scales < 1 ||
        model->scales > SCALES || taps(model) > BBANS_SIGNAL_TAPS_MAX)
        return BBANS_ERR_SIZE;
    for (i = 0; i < model->channels * taps(model); i++)
        if (model->coefficient[i] <= -BBANS_SIGNAL_COEFFICIENT_MAX ||
            model->coefficient[i] >= BBANS_SIGNAL_COEFFICIENT_MAX)
            return BBANS_ERR_TABLE;
    return BBANS_OK;
}

size_t bbans_signal_taps(const bbans_signal *model)
{
    return model == NULL || model->channels == 0 ? 0 : taps(model);
}

size_t bbans_signal_work_bytes(const bbans_signal *model, size_t n)
{
    if (model == NULL || model->channels == 0 ||
        model->channels > BBANS_SIGNAL_CHANNELS_MAX ||
        n > SIZE_MAX / 64 / model->channels)
        return 0;
    return model->channels * (sizeof(filter) + n * sizeof(step));
}

static void start(coder *c, const bbans_signal *model, void *work)
{
    size_t i, k;

    c->model = model;
    c->filters = (filter *)work;
    for (k = 0; k < SCALES; k++) {
        const bbans_place place =
            bbans_place_of(0, SCALE_FIRST + SCALE_STEP * (int32_t)k, 1);

        c->scales[k].down = place.down;
        c->scales[k].shift = place.shift;
        c->scales[k].width = place.width;
    }
    for (i = 0; i < model->channels; i++)
        for (k = 0; k < SCALES; k++)
            c->filters[i].weight[0][k] = c->filters[i].weight[1][k] =
                k < model->scales;
}

/* The linear prediction of channel i at step t, in 2^-16.  |x| <= 2^31, |a| <
 * 2^21 and at most 2^9 taps: the sum stays below 2^61. */
static int64_t predict(const bbans_signal *model, const int64_t *value,
                       size_t t, size_t i)
{
    const size_t channels = model->channels;
    const int32_t *a = model->coefficient + i * taps(model);
    const int64_t *now = value + t * channels;
    const size_t order = t < model->order ? t : model->order;
    const size_t cross = t < model->cross ? t : model->cross;
    int64_t sum = 0;
    size_t d, lag;

    for (lag = 1; lag <= order; lag++)
        sum += a[lag - 1] * *(now + i - lag * channels);
    a += model->order;
    for (d = 0; d < channels; d++) {
        if (d == i)
            continue;
        if (d < i)
            sum += a[0] * now[d];
        for (lag = 1; lag <= cross; lag++)
            sum += a[lag] * *(now + d - lag * channels);
        a += model->cross + 1;
    }
    sum += (int64_t)a[0] * 256;
    return sum > PREDICTION_MAX    ? PREDICTION_MAX
           : sum < -PREDICTION_MAX ? -PREDICTION_MAX
                                   : sum;
}

/* The mixture of the components that matter. */
static void mix(const coder *c, const filter *f, int64_t predicted,
                int64_t before, mixture *m)
{
    const size_t scales = c->model->scales;
    const uint64_t unit = (uint64_t)1 << WEIGHT_BITS;
    uint64_t total = 0, inverse, rest = unit;
    size_t k, j, most = 0, widest = 0;

    for (k = 0; k < scales; k++)
        total += (uint64_t)f->weight[0][k] + f->weight[1][k];
    inverse = ((uint64_t)1 << (40 + WEIGHT_BITS)) / total;
    m->n = 0;
    for (k = 0; k < scales; k++) {
        for (j = 0; j < PREDICTORS; j++) {
            uint32_t w = (uint32_t)((f->weight[j][k] * inverse) >> 40);

            if (w < WEIGHT_MIN) {
                if (k % 4 != 0 || j != 0)
                    continue;
                w = w > 0 ? w : 1;
            }
            /* Of 2^16 at most 1 is added for every fourth scale. */
            if (w > rest)
                w = (uint32_t)rest;
            if (w == 0)
                continue;
            m->weight[m->n] = w;
            m->of[m->n] = (uint8_t)(j + PREDICTORS * k);
            rest -= w;
            if (w > m->weight[most])
                most = m->n;
            if (w >= unit / 64)
                widest = k;
            m->n++;
        }
    }
    m->weight[most] += (uint32_t)rest;
    m->location[0] = predicted;
    m->location[1] = before * 65536;
    m->frame = bbans_place_of(predicted,
                              SCALE_FIRST + SCALE_STEP * (int32_t)widest, 1);
}

/* Edge q of the frame, in values from its origin. */
static int64_t edge_value(const bbans_place *frame, int32_t q)
{
    unsigned shift;
    const int64_t first =
        bbans_bin_start(frame, (uint32_t)(q < 0 ? -q : q), &shift);
    const int64_t u =
        shift + frame->width > 36 ? FAR : first << (shift + frame->width);

    return q < 0 ? -u : u;
}

/* G of component i below v - 1/2, in units of 2^-32. */
static uint64_t component(const coder *c, const mixture *m, size_t i, int64_t v)
{
    static const bbans_family gaussian = {bbans_gaussian_survival,
                                          bbans_gaussian_quantile, 0, 0};
    const int64_t far = ((int64_t)1 << 47) - 1;
    const scale *s = c->scales + m->of[i] / PREDICTORS;
    const int64_t location = m->location[m->of[i] % PREDICTORS];
    /* |v| <= 2^40 + 2^31, |location| < 2^47: below 2^57. */
    const int64_t d = v * 65536 - 0x8000 - location;
    const int64_t scaled = bbans_floor_shift(d, s->width);
    const int64_t at = scaled > far ? far : scaled < -far ? -far : scaled;
    const uint64_t a = (uint64_t)(at < 0 ? -at : at);
    const uint32_t g = bbans_survival(&gaussian, (a * s->down) >> s->shift, 20);

    return at < 0 ? g : ((uint64_t)1 << 32) - g;
}

/* Edge q in slots, and G of each component there. */
static uint32_t edge(const coder *c, const mixture *m, int32_t q,
                     uint64_t *below)
{
    const bbans_place *frame = &m->frame;
    const int64_t v = frame->origin + edge_value(frame, q);
    uint64_t g = 0;
    size_t i;

    for (i = 0; i < m->n; i++) {
        below[i] = q <= -frame->half  ? 0
                   : q >= frame->half ? (uint64_t)1 << 32
                                      : component(c, m, i, v);
        g += m->weight[i] * below[i];
    }
    g >>= WEIGHT_BITS; /* the weights sum to 2^16: at most 2^32 */
    return (uint32_t)(q + frame->half) + (uint32_t)((frame->slots * g) >> 32);
}

/* The weights after a value between these edges, for the next. */
static void update(const coder *c, filter *f, const mixture *m,
                   const uint64_t *below, const uint64_t *above)
{
    const size_t scales = c->model->scales;
    uint64_t seen[PREDICTORS * SCALES], most = 0, total = 0;
    uint64_t after[PREDICTORS][SCALES + 2];
    size_t i, j, k;
    int shift;

    for (i = 0; i < m->n; i++) { /* below 2^49 */
        seen[i] = m->weight[i] * (above[i] - below[i] + 1);
        most = seen[i] > most ? seen[i] : most;
    }
    shift = bbans_bit_length(most) - FILTER_BITS;
    memset(after, 0, sizeof after);
    for (i = 0; i < m->n; i++) {
        const uint32_t w = bbans_scaled(seen[i], shift);

        after[m->of[i] % PREDICTORS][1 + m->of[i] / PREDICTORS] = w;
        total += w;
    }
    total = total * JUMPS / (PREDICTORS * scales);
    for (k = 1; k <= scales; k++) {
        uint64_t w[PREDICTORS], half;

        for (j = 0; j < PREDICTORS; j++)
            w[j] = (after[j][k] * STAYS +
                    (after[j][k - 1] + after[j][k + 1]) * MOVES + total) >>
                   16;
        half = (w[0] + w[1]) / 2;
        for (j = 0; j < PREDICTORS; j++) /* one in 64 changes the predictor */
            f->weight[j][k - 1] = (uint32_t)(w[j] - w[j] / 64 + half / 64);
    }
}

static void next_mixture(const coder *c, const int64_t *value, size_t t,
                         size_t i, mixture *m)
{
    const size_t channels = c->model->channels;

    mix(c, c->filters + i, predict(c->model, value, t, i),
        t > 0 ? value[(t - 1) * channels + i] : 0, m);
}

static bbans_status check_call(const bbans_signal *model,
                               const bbans_message *msg, const void *value,
                               size_t n, const void *work)
{
    if (msg == NULL || work == NULL || (value == NULL && n > 0))
        return BBANS_ERR_NULL;
    return msg->lanes == 1 ? bbans_signal_check(model) : BBANS_ERR_STATE;
}

#ifndef BBANS_DECODER_ONLY
/* A bin and its value's low bits, which lie below it.  Room for 4 words. */
static inline void bbans_lane_push_bin(bbans_lane *lane, bbans_span span,
                                       uint64_t low, unsigned low_bits)
{
    unsigned k, bits;

    for (k = 0; (bits = bbans_part_bits(low_bits, k)) > 0; k++)
        bbans_lane_push_bits(lane,
                             (uint32_t)(low >> (k * BBANS_PART_BITS)) &
                                 (((uint32_t)1 << bits) - 1),
                             1, bits);
    bbans_lane_push_bits(lane, span.start, span.end - span.start,
                         BBANS_FAMILY_PREC);
}

bbans_status bbans_signal_push(const bbans_signal *model, bbans_message *msg,
                               const int64_t *value, size_t n, void *work,
                               size_t work_bytes)
{
    const bbans_status status = check_call(model, msg, value, n, work);
    uint64_t below[PREDICTORS * SCALES], above[PREDICTORS * SCALES];
    bbans_lane lane;
    step *steps;
    coder c;
    size_t i, t, total;

    if (status != BBANS_OK)
        return status;
    if (bbans_signal_work_bytes(model, n) == 0 ||
        work_bytes < bbans_signal_work_bytes(model, n))
        return BBANS_ERR_CAPACITY;
    total = n * model->channels;
    for (i = 0; i < total; i++)
        if (value[i] < -BBANS_SIGNAL_VALUE_MAX ||
            value[i] > BBANS_SIGNAL_VALUE_MAX)
            return BBANS_ERR_SYMBOL;
    if ((msg->tail_cap - msg->tail_len) / 4 < total)
        return BBANS_ERR_CAPACITY;
    start(&c, model, work);
    steps = (step *)(void *)(c.filters + model->channels);
    for (t = 0; t < n; t++) {
        for (i = 0; i < model->channels; i++) {
            step *s = steps + t * model->channels + i;
            mixture m;
            bbans_bin bin;

            next_mixture(&c, value, t, i, &m);
            bin = bbans_bin_of_value(&m.frame, value[t * model->channels + i]);
            s->low = bin.low;
            s->low_bits = bin.low_bits;
            s->span.start = edge(&c, &m, bin.q, below);
            s->span.end = edge(&c, &m, bin.q + 1, above);
            update(&c, c.filters + i, &m, below, above);
        }
    }
    lane = bbans_lane_of(msg, 0);
    while (total-- > 0)
        bbans_lane_push_bin(&lane, steps[total].span, steps[total].low,
                            steps[total].low_bits);
    bbans_put_lane(msg, 0, &lane);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

/* The bin of a slot, its interval, and the components' G at its edges. */
static int32_t search(const coder *c, const mixture *m, uint32_t slot,
                      bbans_span *span, uint64_t *below, uint64_t *above)
{
    static const bbans_family gaussian = {bbans_gaussian_survival,
                                          bbans_gaussian_quantile, 0, 0};
    const int32_t half = m->frame.half;
    int32_t low = bbans_guess_bin(&gaussian, &m->frame, slot);
    int32_t high, reach = 1;

    /* F(-half) = 0 <= slot < 2^28 = F(half): the bracket [low, high) doubles
     * away from the guess, then halves. */
    span->start = edge(c, m, low, below);
    if (span->start <= slot) {
        high = low + 1;
        for (;;) {
            span->end = edge(c, m, high, above);
            if (span->end > slot)
                break;
            low = high;
            span->start = span->end;
            memcpy(below, above, m->n * sizeof *below);
            reach *= 2;
            high = high + reach < half ? high + reach : half;
        }
    } else {
        high = low;
        span->end = span->start;
        memcpy(above, below, m->n * sizeof *above);
        for (;;) {
            low = high - reach > -half ? high - reach : -half;
            span->start = edge(c, m, low, below);
            if (span->start <= slot)
                break;
            high = low;
            span->end = span->start;
            memcpy(above, below, m->n * sizeof *above);
            reach *= 2;
        }
    }
    while (high - low > 1) {
        const int32_t middle = low + (high - low) / 2;
        uint64_t g[PREDICTORS * SCALES];
        const uint32_t at = edge(c, m, middle, g);

        if (at <= slot) {
            low = middle;
            span->start = at;
            memcpy(below, g, m->n * sizeof *below);
        } else {
            high = middle;
            span->end = at;
            memcpy(above, g, m->n * sizeof *above);
        }
    }
    return low;
}

/* Returns the low bits. */
static inline uint64_t bbans_lane_pop_bin(bbans_lane *lane, bbans_span span,
                                          unsigned low_bits)
{
    uint64_t low = 0;
    unsigned k;

    bbans_lane_advance_bits(lane, span.start, span.end - span.start,
                            BBANS_FAMILY_PREC);
    for (k = 3; k-- > 0;) {
        const unsigned bits = bbans_part_bits(low_bits, k);
        const uint32_t part = bbans_slot_bits(lane->x, bits);

        if (bits == 0)
            continue;
        bbans_lane_advance_bits(lane, part, 1, bits);
        low |= (uint64_t)part << (k * BBANS_PART_BITS);
    }
    return low;
}

bbans_status bbans_signal_pop(const bbans_signal *model, bbans_message *msg,
                              int64_t *value, size_t n, void *work,
                              size_t work_bytes)
{
    const bbans_status status = check_call(model, msg, value, n, work);
    uint64_t below[PREDICTORS * SCALES], above[PREDICTORS * SCALES];
    bbans_lane lane;
    coder c;
    size_t i, t;

    if (status != BBANS_OK)
        return status;
    if (work_bytes < bbans_signal_work_bytes(model, 0))
        return BBANS_ERR_CAPACITY;
    start(&c, model, work);
    lane = bbans_lane_of(msg, 0);
    for (t = 0; t < n; t++) {
        for (i = 0; i < model->channels; i++) {
            int64_t *x = value + t * model->channels + i;
            mixture m;
            bbans_span span;
            bbans_bin bin;

            next_mixture(&c, value, t, i, &m);
            bin.q = search(&c, &m, bbans_slot_bits(lane.x, BBANS_FAMILY_PREC),
                           &span, below, above);
            bin.low_bits = bbans_low_bits(&m.frame, bin.q);
            bin.low = bbans_lane_pop_bin(&lane, span, bin.low_bits);
            if (!bbans_value_of_bin(&m.frame, bin, x) ||
                *x < -BBANS_SIGNAL_VALUE_MAX || *x > BBANS_SIGNAL_VALUE_MAX)
                return BBANS_ERR_CORRUPT;
            update(&c, c.filters + i, &m, below, above);
        }
    }
    bbans_put_lane(msg, 0, &lane);
    return BBANS_OK;
}
