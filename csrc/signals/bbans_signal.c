/* Blocks of signals, which carry their models: docs/format.md, "Signal".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_signal_residual.h"

#include "../files/bbans_files.h"

/* ---- Workspace ------------------------------------------------------------
 */

/* Of the values, a table of ranks, the prediction, what adapts of it, and the
 * residual coder. */
size_t bbans_signal_decoder_bytes(size_t n)
{
    uint64_t bytes;

    if (n > BBANS_BLOCK_MAX)
        return 0;
    bytes = bbans_aligned(4 * BBANS_SIGNAL_VALUES(n)) + 8 * (uint64_t)n +
            bbans_aligned(bbans_prediction_bytes(n)) +
            bbans_aligned(bbans_predictor_bytes(NULL, BBANS_SIGNAL_LANES_MAX)) +
            bbans_residual_bytes(n, 0);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

void bbans_signal_lay_out(bbans_signal_values *x, size_t steps, size_t channels,
                          uint8_t **work)
{
    const size_t n = steps * channels;
    size_t i;

    x->steps = steps;
    x->channels = channels;
    x->margin = steps < BBANS_SIGNAL_MARGIN ? steps : BBANS_SIGNAL_MARGIN;
    x->value = (int32_t *)(void *)*work;
    memset(x->value, 0, 4 * x->margin);
    for (i = 0; i < channels; i++)
        memset(bbans_signal_channel(x, i) + steps, 0, 4 * x->margin);
    *work += bbans_aligned(4 * (n + (channels + 1) * x->margin));
}

/* ---- Decoding --------------------------------------------------------------
 */

typedef struct {
    bbans_signal_values x;
    bbans_prediction prediction;
    uint64_t *rank;
    void *adapting, *residual; /* the predictor's and the residual coder's */
    int resumed;
    bbans_transform transform; /* of the last channel */
    uint32_t same;
} decoder;

/* Does the next channel have the last one's? */
static int take_same(decoder *d, bbans_signal_source *s)
{
    const unsigned shift = BBANS_SIGNAL_PREC - BBANS_SIGNAL_SAME_BITS;
    const uint32_t all = (uint32_t)1 << BBANS_SIGNAL_PREC;
    const uint32_t end = d->same << shift;
    const int same = bbans_source_slot(s, 0) < end;

    bbans_source_advance(s, 0, same ? 0 : end, same ? end : all - end);
    d->same = bbans_signal_see_same(d->same, same);
    return same;
}

static int decode_channel(decoder *d, bbans_signal_source *s, unsigned lanes,
                          size_t channel, const bbans_line *line, int element,
                          uint8_t *to)
{
    const size_t width = bbans_element_bytes(element);
    bbans_signal_values *x = &d->x;
    bbans_transform *transform = &d->transform;

    if (channel == 0 || !take_same(d, s))
        bbans_transform_take(transform, s, x->steps, d->rank);
    transform->range.channel = channel;
    if (transform->kind >= BBANS_SIGNAL_OFFSET) {
        bbans_signal_range *range = &transform->range;

        if (!d->resumed)
            bbans_residual_resume(d->residual, s);
        d->resumed = 1;
        range->direct = bbans_residual_may_be_direct(range) &&
                        bbans_source_bits(s, 0, 1) != 0;
        if (!range->direct)
            bbans_prediction_take(&d->prediction, x, channel, s);
        bbans_residual_decode(d->residual, s, x, range, &d->prediction, lanes,
                              d->adapting);
    } else {
        memset(bbans_signal_channel(x, channel), 0, 4 * x->steps);
    }
    return bbans_transform_undo(transform, line, s, lanes,
                                bbans_signal_channel(x, channel), x->steps,
                                d->rank, element, to + channel * width,
                                x->channels * width) &&
           !s->bad;
}

bbans_status bbans_signal_decompress(int element, const uint64_t *line,
                                     const uint8_t *block, size_t n_bytes,
                                     void *data, size_t n, void *work,
                                     size_t work_bytes)
{
    const size_t width = bbans_element_bytes(element);
    bbans_line along = {0, 1};
    uint8_t *rest = (uint8_t *)work;
    uint64_t channels;
    bbans_signal_source s;
    unsigned lanes;
    decoder d;
    size_t i;

    if (block == NULL || data == NULL || work == NULL)
        return BBANS_ERR_NULL;
    if (element < BBANS_ELEMENT_UINT8 || element > BBANS_ELEMENT_INT64)
        return BBANS_ERR_SYMBOL;
    if (n < 1 || n > BBANS_BLOCK_MAX)
        return BBANS_ERR_SIZE;
    if (work_bytes < bbans_signal_decoder_bytes(n))
        return BBANS_ERR_CAPACITY;
    if (n_bytes < 1)
        return BBANS_ERR_CORRUPT;
    if (block[0] == BBANS_SIGNAL_STORED) {
        if (n_bytes != 1 + n * width)
            return BBANS_ERR_CORRUPT;
        bbans_elements_take(block + 1, n, width, (uint8_t *)data);
        return BBANS_OK;
    }
    lanes = 1u << (block[0] & 3);
    channels = (uint64_t)1 + (block[0] >> 2);
    if (lanes > BBANS_SIGNAL_LANES_MAX ||
        !bbans_source_begin(&s, lanes, block + 1, n_bytes - 1))
        return BBANS_ERR_CORRUPT;
    if (channels > BBANS_SIGNAL_CHANNELS_FEW)
        channels = bbans_source_number(&s);
    if (channels < 1 || channels > n || n % channels != 0)
        return BBANS_ERR_CORRUPT;
    if (line != NULL) {
        along.start = line[0];
        along.step = line[1];
    }
    bbans_signal_lay_out(&d.x, n / (size_t)channels, (size_t)channels, &rest);
    d.rank = (uint64_t *)(void *)rest;
    rest += 8 * d.x.steps;
    bbans_prediction_init(&d.prediction, d.x.steps, rest);
    rest += bbans_aligned(bbans_prediction_bytes(d.x.steps));
    d.adapting = rest;
    rest += bbans_aligned(bbans_predictor_bytes(NULL, BBANS_SIGNAL_LANES_MAX));
    d.residual = rest;
    d.resumed = 0;
    d.same = (uint32_t)1 << (BBANS_SIGNAL_SAME_BITS - 1);
    for (i = 0; i < d.x.channels; i++)
        if (!decode_channel(&d, &s, lanes, i, &along, element, (uint8_t *)data))
            return BBANS_ERR_CORRUPT;
    return bbans_source_is_empty(&s, lanes) ? BBANS_OK : BBANS_ERR_CORRUPT;
}
