/* Blocks of signals on their way out: docs/maths.md, "Signals".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_signal_residual.h"

#include "../files/bbans_files.h"

#ifndef BBANS_DECODER_ONLY
#define LEVEL_TRIALS 7 /* from here on two transforms are tried */

/* ---- Workspace ------------------------------------------------------------
 */

/* A value takes one step or two; wide ones have low bits besides.  A channel
 * that needs more than the mean of these would be stored anyway. */
static uint64_t steps_max(size_t width, size_t steps, size_t channels)
{
    const unsigned each = width == 1 ? 2 : width < 8 ? 3 : 5;

    return each * (uint64_t)steps * channels +
           channels * ((uint64_t)bbans_prediction_steps(steps) + 64);
}

/* High levels code residuals as their own level does, and as the default: with
 * fewer contexts, which are known sooner. */
#define OUTPUTS 2

static unsigned outputs_of(int level)
{
    return level < LEVEL_TRIALS ? 1 : OUTPUTS;
}

static int level_of(int level, unsigned output)
{
    return output == 0 ? level : BBANS_LEVEL_DEFAULT;
}

size_t bbans_signal_encoder_bytes(int element, size_t steps, size_t channels,
                                  int level)
{
    const size_t width = bbans_element_bytes(element);
    uint64_t n, bytes;
    unsigned k;

    if (width == 0 || steps < 1 || channels < 1 ||
        channels > BBANS_BLOCK_MAX / steps || level < 1 ||
        level > BBANS_LEVEL_MAX)
        return 0;
    n = (uint64_t)steps * channels;
    bytes = bbans_aligned(4 * BBANS_SIGNAL_VALUES(n)) + 8 * (uint64_t)steps +
            bbans_aligned(bbans_prediction_bytes(steps)) +
            bbans_aligned(bbans_predictor_bytes(NULL, BBANS_SIGNAL_LANES_MAX)) +
            BBANS_TRANSFORM_WORK * (uint64_t)steps +
            bbans_aligned(bbans_prediction_fit_bytes(steps, level));
    for (k = 0; k < outputs_of(level); k++)
        bytes += bbans_aligned(bbans_residual_bytes(n, level_of(level, k))) +
                 sizeof(bbans_signal_step) * steps_max(width, steps, channels);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* ---- Channels --------------------------------------------------------------
 */

typedef struct {
    bbans_sink sink;
    void *residual; /* where the residual coder works */
} output;

typedef struct {
    bbans_signal_values x;
    bbans_prediction prediction;
    output out[OUTPUTS];
    unsigned outputs;
    int64_t *mu;                      /* [steps] */
    void *adapting, *transform, *fit; /* where each one works */
    const uint8_t *data;
    size_t width;
    int element, level;
    unsigned lanes;
    int begun;              /* some channel has values */
    bbans_transform before; /* the last channel's */
    uint32_t same;
} encoder;

static void start(encoder *e, size_t steps, size_t channels, void *work)
{
    uint8_t *rest = (uint8_t *)work;
    unsigned k;

    bbans_signal_lay_out(&e->x, steps, channels, &rest);
    e->mu = (int64_t *)(void *)rest;
    rest += 8 * steps;
    bbans_prediction_init(&e->prediction, steps, rest);
    rest += bbans_aligned(bbans_prediction_bytes(steps));
    e->adapting = rest;
    rest += bbans_aligned(bbans_predictor_bytes(NULL, BBANS_SIGNAL_LANES_MAX));
    e->transform = rest;
    rest += BBANS_TRANSFORM_WORK * steps;
    e->fit = rest;
    rest += bbans_aligned(bbans_prediction_fit_bytes(steps, e->level));
    e->outputs = outputs_of(e->level);
    for (k = 0; k < e->outputs; k++) {
        output *out = e->out + k;

        out->residual = rest;
        rest += bbans_aligned(
            bbans_residual_bytes(steps * channels, level_of(e->level, k)));
        out->sink.step = (bbans_signal_step *)(void *)rest;
        out->sink.n = 0;
        out->sink.cap = (size_t)steps_max(e->width, steps, channels);
        rest += sizeof(bbans_signal_step) * out->sink.cap;
    }
    e->lanes = bbans_residual_lanes(steps, e->level);
    e->begun = 0;
    e->same = (uint32_t)1 << (BBANS_SIGNAL_SAME_BITS - 1);
}

static void fit_channel(encoder *e, const bbans_signal_range *range)
{
    bbans_prediction_fit(&e->prediction, &e->x, range, e->lanes, e->level,
                         e->fit);
    bbans_prediction_mu(&e->prediction, &e->x, range->channel, e->lanes, e->mu,
                        e->adapting);
}

/* Elements of a channel to values. */
static void set_values(encoder *e, size_t channel, bbans_transform *transform)
{
    bbans_transform_do(transform, e->data + channel * e->width, e->element,
                       e->x.channels * e->width, e->x.steps,
                       bbans_signal_channel(&e->x, channel), e->transform);
    transform->range.channel = channel;
}

static int is_same(const bbans_transform *a, const bbans_transform *b)
{
    return a->kind == b->kind && a->kind != BBANS_SIGNAL_RANKS &&
           a->order == b->order && a->base == b->base &&
           a->divisor == b->divisor && a->shift == b->shift &&
           a->most == b->most &&
           memcmp(a->first, b->first, a->order * sizeof *a->first) == 0;
}

/* The parameters of a transform: that it is the last channel's, or they. */
static void put_transform(encoder *e, bbans_sink *sink, size_t channel,
                          const bbans_transform *transform)
{
    const unsigned shift = BBANS_SIGNAL_PREC - BBANS_SIGNAL_SAME_BITS;
    const uint32_t all = (uint32_t)1 << BBANS_SIGNAL_PREC;
    const uint32_t end = e->same << shift;
    const int same = channel > 0 && is_same(transform, &e->before);

    if (channel > 0)
        bbans_sink_step(sink, 0, same ? 0 : end, same ? end : all - end);
    if (!same)
        bbans_transform_put(transform, sink, e->x.steps, e->transform);
}

static void see_transform(encoder *e, size_t channel,
                          const bbans_transform *transform)
{
    if (channel > 0)
        e->same =
            bbans_signal_see_same(e->same, is_same(transform, &e->before));
    e->before = *transform;
}

#define LENGTHS 34      /* |r| <= 2^31: zigzag at most 2^32 */
#define KINDS_CERTAIN 4 /* fewer are coded as they are without a trial */

/* Of residuals of some steps, by their lengths and then their bits. */
static uint64_t residual_cost(const int32_t *value, const int64_t *mu, size_t n)
{
    uint32_t count[LENGTHS] = {0};
    uint64_t cost;
    size_t i;

    for (i = 0; i < n; i++) {
        const int64_t r = value[i] - bbans_floor_shift(mu[i] + 128, 8);

        count[bbans_bit_length(bbans_zigzag((uint64_t)r))]++;
    }
    cost = bbans_signal_information(count, LENGTHS);
    for (i = 2; i < LENGTHS; i++)
        cost += 256 * (uint64_t)count[i] * (i - 1);
    return cost;
}

/* Of values of few kinds, given the one before, each pair of which takes so
 * much to be learned. */
#define PAIR_COST (256 * 5)

static uint64_t kinds_cost(const bbans_signal_range *range,
                           const int32_t *value, size_t n)
{
    uint32_t count[BBANS_DIRECT_KINDS][BBANS_DIRECT_KINDS] = {{0}};
    uint64_t cost = 0;
    size_t i, k, before = 0;

    for (i = 0; i < n; i++) {
        const size_t kind = (size_t)(value[i] - range->low);

        count[before][kind]++;
        before = kind;
    }
    for (i = 0; i < BBANS_DIRECT_KINDS; i++) {
        cost += bbans_signal_information(count[i], BBANS_DIRECT_KINDS);
        for (k = 0; k < BBANS_DIRECT_KINDS; k++)
            cost += count[i][k] > 0 ? PAIR_COST : 0;
    }
    return cost;
}

/* The same of a channel's values, and whether they are coded as they are;
 * unless they are, the prediction is fitted. */
static uint64_t values_cost(encoder *e, bbans_signal_range *range)
{
    const int32_t *value = bbans_signal_channel(&e->x, range->channel);
    const size_t steps = e->x.steps;
    uint64_t cost = 0, direct;
    size_t t, n;

    range->direct = 0;
    if (bbans_residual_may_be_direct(range)) {
        direct = kinds_cost(range, value, steps);
        range->direct = bbans_range_width(range) < KINDS_CERTAIN;
        if (range->direct)
            return direct;
    } else {
        direct = UINT64_MAX;
    }
    fit_channel(e, range);
    for (t = 0; t < steps; t += n) {
        n = steps - t < BBANS_SIGNAL_PIECE ? steps - t : BBANS_SIGNAL_PIECE;
        cost += residual_cost(value + t, e->mu + t, n);
    }
    range->direct = direct < cost;
    return range->direct ? direct : cost;
}

/* Append a channel's parameters and values, which are fitted. */
static void put_values(encoder *e, unsigned k, const bbans_transform *transform)
{
    const bbans_signal_range *range = &transform->range;
    bbans_sink *sink = &e->out[k].sink;

    if (!e->begun)
        bbans_residual_begin(e->out[k].residual, level_of(e->level, k), sink);
    if (bbans_residual_may_be_direct(range))
        bbans_sink_bits(sink, 0, range->direct != 0, 1);
    if (!range->direct)
        bbans_prediction_put(&e->prediction, &e->x, range->channel, sink);
    bbans_residual_encode(e->out[k].residual, sink, &e->x, range, e->mu,
                          e->lanes);
    if (transform->kind == BBANS_SIGNAL_LOW_BITS)
        bbans_transform_put_low(transform, sink, e->lanes, e->x.steps,
                                e->transform);
}

/* Append a channel under a transform. */
static void put_channel(encoder *e, size_t channel, bbans_transform *transform)
{
    bbans_signal_range *range = &transform->range;
    const int has_values = transform->kind >= BBANS_SIGNAL_OFFSET;
    unsigned k;

    if (has_values) {
        set_values(e, channel, transform);
        range->direct = 0;
        if (bbans_residual_may_be_direct(range))
            (void)values_cost(e, range);
        else
            fit_channel(e, range);
    } else {
        memset(bbans_signal_channel(&e->x, channel), 0, 4 * e->x.steps);
    }
    for (k = 0; k < e->outputs; k++) {
        put_transform(e, &e->out[k].sink, channel, transform);
        if (has_values)
            put_values(e, k, transform);
    }
    e->begun |= has_values;
    see_transform(e, channel, transform);
}

/* ---- Trials ----------------------------------------------------------------
 */

/* About what a channel takes, in 2^-8 bits. */
static uint64_t estimate(encoder *e, size_t channel, bbans_transform *transform)
{
    bbans_sink *sink = &e->out[0].sink;
    const size_t from = sink->n;
    uint64_t cost;

    set_values(e, channel, transform);
    bbans_transform_put(transform, sink, e->x.steps, e->transform);
    cost = values_cost(e, &transform->range);
    if (!transform->range.direct)
        bbans_prediction_put(&e->prediction, &e->x, channel, sink);
    cost += bbans_sink_cost(sink, from);
    sink->n = from;
    return cost;
}

/* Under the better one of two transforms. */
static void code_channel(encoder *e, size_t channel, const bbans_line *line)
{
    bbans_transforms ways;
    int best = 1;

    bbans_transform_choose(&ways, e->data + channel * e->width, e->element,
                           e->x.channels * e->width, e->x.steps, line, e->level,
                           e->transform);
    if (ways.other.kind != BBANS_SIGNAL_KINDS && e->level >= LEVEL_TRIALS) {
        const uint64_t other = estimate(e, channel, &ways.other);

        best = estimate(e, channel, &ways.best) <= other;
    }
    put_channel(e, channel, best ? &ways.best : &ways.other);
}

/* ---- A block ---------------------------------------------------------------
 */

size_t bbans_signal_bound(int element, size_t n)
{
    const size_t width = bbans_element_bytes(element);

    return width == 0 || n > BBANS_BLOCK_MAX ? 0 : 1 + n * width;
}

static const bbans_sink *shortest(const encoder *e)
{
    const bbans_sink *best = &e->out[0].sink;
    unsigned k;

    for (k = 1; k < e->outputs; k++) {
        const bbans_sink *sink = &e->out[k].sink;

        if (sink->n <= sink->cap &&
            (best->n > best->cap ||
             bbans_sink_cost(sink, 0) < bbans_sink_cost(best, 0)))
            best = sink;
    }
    return best;
}

bbans_status bbans_signal_compress(int element, const uint64_t *line,
                                   const void *data, size_t steps,
                                   size_t channels, int level, uint8_t *block,
                                   size_t cap, size_t *n_bytes, void *work,
                                   size_t work_bytes)
{
    bbans_line along = {0, 1};
    size_t need, i, n, most;
    const bbans_sink *sink;
    unsigned k;
    encoder e;

    if (data == NULL || block == NULL || n_bytes == NULL || work == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    e.width = bbans_element_bytes(element);
    if (element < BBANS_ELEMENT_UINT8 || element > BBANS_ELEMENT_INT64)
        return BBANS_ERR_SYMBOL;
    need = bbans_signal_encoder_bytes(element, steps, channels, level);
    if (need == 0)
        return BBANS_ERR_SIZE;
    if (work_bytes < need || cap < 1)
        return BBANS_ERR_CAPACITY;
    if (line != NULL) {
        along.start = line[0];
        along.step = line[1];
    }
    e.data = (const uint8_t *)data;
    e.element = element;
    e.level = level;
    start(&e, steps, channels, work);
    for (k = 0; channels > BBANS_SIGNAL_CHANNELS_FEW && k < e.outputs; k++)
        bbans_sink_number(&e.out[k].sink, channels);
    for (i = 0; i < channels; i++)
        code_channel(&e, i, &along);
    if (!e.begun)
        e.lanes = 1; /* parameters are in the first */
    block[0] = (uint8_t)((size_t)bbans_bit_length(e.lanes >> 1) +
                         4 * (channels > BBANS_SIGNAL_CHANNELS_FEW
                                  ? BBANS_SIGNAL_CHANNELS_FEW
                                  : channels - 1));
    n = steps * channels;
    most = cap < 1 + n * e.width ? cap : 1 + n * e.width;
    sink = shortest(&e);
    if (sink->n <= sink->cap) {
        i = bbans_sink_push(sink, e.lanes, block + 1, most - 1);
        if (i > 0) {
            *n_bytes = 1 + i;
            return BBANS_OK;
        }
    }
    return bbans_elements_store(BBANS_SIGNAL_STORED, e.data, n, e.width, block,
                                cap, n_bytes);
}
#endif /* BBANS_DECODER_ONLY */
