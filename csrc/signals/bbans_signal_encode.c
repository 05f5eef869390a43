/* Blocks of signals on their way out: docs/maths.md, "Signals".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_signal_residual.h"

#include "../files/bbans_files.h"

#ifndef BBANS_DECODER_ONLY
#define LEVEL_TRIALS 7 /* from here on two transforms are tried */

/* ---- Workspace ------------------------------------------------------------
 */

/* What a channel's parameters and values take at most: a table of ranks two
 * steps for a gap, and two more where it is wide; low bits two for a value. */
static uint64_t steps_max(size_t steps, int level)
{
    return bbans_residual_steps(steps, level) + 4 * (uint64_t)steps +
           bbans_prediction_steps(steps) + 64;
}

/* What parts of the encoder need one after the other. */
static uint64_t turn_bytes(size_t steps, int level)
{
    const uint64_t transform = BBANS_TRANSFORM_WORK * (uint64_t)steps;
    const uint64_t fit = bbans_prediction_fit_bytes(steps, level);
    const uint64_t residual = bbans_residual_bytes(steps, level);
    const uint64_t coding = fit > residual ? fit : residual;

    /* Low bits are put last: until then the differences stay. */
    return bbans_aligned(transform) + bbans_aligned(coding);
}

size_t bbans_signal_encoder_bytes(size_t steps, size_t channels, int level)
{
    uint64_t n, bytes;

    if (steps < 1 || channels < 1 || channels > BBANS_BLOCK_MAX / steps ||
        level < 1 || level > BBANS_LEVEL_MAX)
        return 0;
    n = (uint64_t)steps * channels;
    bytes = bbans_aligned(4 * BBANS_SIGNAL_VALUES(n)) + bbans_aligned(n) +
            8 * (uint64_t)steps + bbans_aligned(bbans_prediction_bytes(steps)) +
            turn_bytes(steps, level) +
            channels * steps_max(steps, level) * sizeof(bbans_signal_step);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* ---- Channels -------------------------------------------------------------
 */

typedef struct {
    bbans_signal_values x;
    bbans_prediction prediction;
    bbans_sink sink;
    int64_t *mu;     /* [steps] */
    void *transform; /* the transform's work */
    void *work;      /* of the fit, then of the residual coder */
    const uint8_t *data;
    size_t width;
    int element, level;
    unsigned lanes;
} encoder;

/* Append a channel under a transform. */
static void put_channel(encoder *e, size_t channel, bbans_transform *transform)
{
    bbans_signal_values *x = &e->x;
    int32_t *value = bbans_signal_channel(x, channel);

    if (transform->kind < BBANS_SIGNAL_OFFSET) {
        memset(value, 0, 4 * x->steps);
        bbans_transform_put(transform, &e->sink, x->steps, e->transform);
        return;
    }
    bbans_transform_do(transform, e->data + channel * e->width, e->element,
                       x->channels * e->width, x->steps, value, e->transform);
    transform->range.channel = channel;
    bbans_transform_put(transform, &e->sink, x->steps, e->transform);
    bbans_prediction_fit(&e->prediction, x, &transform->range, e->lanes,
                         e->level, e->work);
    bbans_prediction_mu(&e->prediction, x, channel, e->lanes, e->mu);
    bbans_prediction_put(&e->prediction, x, channel, &e->sink);
    bbans_residual_encode(&e->sink, x, &transform->range, e->mu,
                          bbans_prediction_beside(&e->prediction), e->lanes,
                          e->level, e->work);
    if (transform->kind == BBANS_SIGNAL_LOW_BITS)
        bbans_transform_put_low(transform, &e->sink, e->lanes, x->steps,
                                e->transform);
}

/* Under the better one of two transforms. */
static void code_channel(encoder *e, size_t channel, const bbans_line *line)
{
    const size_t from = e->sink.n;
    bbans_transforms ways;
    uint64_t cost;

    bbans_transform_choose(&ways, e->data + channel * e->width, e->element,
                           e->x.channels * e->width, e->x.steps, line, e->level,
                           e->transform);
    if (ways.other.kind == BBANS_SIGNAL_KINDS || e->level < LEVEL_TRIALS) {
        put_channel(e, channel, &ways.best);
        return;
    }
    put_channel(e, channel, &ways.other);
    cost = bbans_sink_cost(&e->sink, from);
    e->sink.n = from;
    put_channel(e, channel, &ways.best);
    if (bbans_sink_cost(&e->sink, from) > cost) {
        e->sink.n = from;
        put_channel(e, channel, &ways.other);
    }
}

/* ---- The message ----------------------------------------------------------
 */

/* Words go up from bytes[0]; returns where the message ends, 0 if it is longer
 * than cap. */
static size_t push_all(const bbans_sink *sink, unsigned lanes, uint8_t *bytes,
                       size_t cap)
{
    uint64_t x[BBANS_SIGNAL_LANES_MAX];
    size_t i, n_bytes = 0;
    unsigned k;

    for (k = 0; k < BBANS_SIGNAL_LANES_MAX; k++)
        x[k] = lanes > 1 ? BBANS_HEAD_MIN : 1;
    for (i = sink->n; i-- > 0;) {
        const uint32_t start = sink->step[i].start;
        const uint32_t freq = sink->step[i].freq;
        const unsigned lane = start >> BBANS_SIGNAL_PREC;
        const unsigned bits = freq & (BBANS_SIGNAL_RAW - 1);
        const int raw = freq >= BBANS_SIGNAL_RAW;
        uint64_t head = x[lane];

        /* Below f 2^(63 - r), or 2^(63 - n), pushing stays below 2^63. */
        if (head >> 32 >= (raw ? (uint64_t)1 << (31 - bits)
                               : (uint64_t)freq << (31 - BBANS_SIGNAL_PREC))) {
            if (cap - n_bytes < 4)
                return 0;
            bbans_store(bytes + n_bytes, head, 4);
            n_bytes += 4;
            head >>= 32;
        }
        if (raw)
            x[lane] = head << bits | bbans_slot_bits(start, BBANS_SIGNAL_PREC);
        else
            x[lane] = (head / freq << BBANS_SIGNAL_PREC) + head % freq +
                      bbans_slot_bits(start, BBANS_SIGNAL_PREC);
    }
    for (k = 0; k < lanes; k++) {
        const size_t n =
            lanes > 1 ? 8 : ((size_t)bbans_bit_length(x[k]) + 7) / 8;

        if (cap - n_bytes < n)
            return 0;
        bbans_store(bytes + n_bytes, x[k], n);
        n_bytes += n;
    }
    return n_bytes;
}

/* ---- A block ---------------------------------------------------------------
 */

size_t bbans_signal_bound(int element, size_t n)
{
    const size_t width = bbans_element_bytes(element);

    return width == 0 || n > BBANS_BLOCK_MAX ? 0 : 1 + n * width;
}

static void start(encoder *e, size_t steps, size_t channels, void *work)
{
    uint8_t *rest = (uint8_t *)work;

    bbans_signal_lay_out(&e->x, steps, channels, &rest);
    e->mu = (int64_t *)(void *)rest;
    rest += 8 * steps;
    bbans_prediction_init(&e->prediction, steps, rest);
    rest += bbans_aligned(bbans_prediction_bytes(steps));
    e->transform = rest;
    e->work = rest + bbans_aligned(BBANS_TRANSFORM_WORK * steps);
    rest += turn_bytes(steps, e->level);
    e->sink.step = (bbans_signal_step *)(void *)rest;
    e->sink.n = 0;
    e->sink.cap = channels * (size_t)steps_max(steps, e->level);
    e->lanes = bbans_residual_lanes(steps, e->level);
}

static bbans_status store_elements(const uint8_t *data, size_t n, size_t width,
                                   uint8_t *block, size_t cap, size_t *n_bytes)
{
    size_t i;

    if (cap < 1 + n * width)
        return BBANS_ERR_CAPACITY;
    block[0] = BBANS_SIGNAL_STORED;
    for (i = 0; i < n * width; i += width)
        bbans_store(block + 1 + i, bbans_element_get(data + i, width), width);
    *n_bytes = 1 + n * width;
    return BBANS_OK;
}

bbans_status bbans_signal_compress(int element, const uint64_t *line,
                                   const void *data, size_t steps,
                                   size_t channels, int level, uint8_t *block,
                                   size_t cap, size_t *n_bytes, void *work,
                                   size_t work_bytes)
{
    bbans_line along = {0, 1};
    size_t need, i, n, most;
    encoder e;

    if (data == NULL || block == NULL || n_bytes == NULL || work == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    e.width = bbans_element_bytes(element);
    if (element < BBANS_ELEMENT_UINT8 || e.width == 0)
        return BBANS_ERR_SYMBOL;
    need = bbans_signal_encoder_bytes(steps, channels, level);
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
    block[0] = (uint8_t)bbans_bit_length(e.lanes >> 1);
    if (channels > BBANS_SIGNAL_CHANNELS_FEW)
        bbans_sink_number(&e.sink, channels);
    block[0] |= (uint8_t)(4 * (channels > BBANS_SIGNAL_CHANNELS_FEW
                                   ? BBANS_SIGNAL_CHANNELS_FEW
                                   : channels - 1));
    for (i = 0; i < channels; i++)
        code_channel(&e, i, &along);
    n = steps * channels;
    most = cap < 1 + n * e.width ? cap : 1 + n * e.width;
    if (e.sink.n <= e.sink.cap) {
        i = push_all(&e.sink, e.lanes, block + 1, most - 1);
        if (i > 0) {
            *n_bytes = 1 + i;
            return BBANS_OK;
        }
    }
    return store_elements(e.data, n, e.width, block, cap, n_bytes);
}
#endif /* BBANS_DECODER_ONLY */
