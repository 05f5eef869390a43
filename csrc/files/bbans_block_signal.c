/* Blocks of signals, which carry their models: docs/format.md, "Signal".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_files.h"

#define CHANNELS_MAX 16
#define HEADER_BYTES 6
#define COEFFICIENTS_MAX ((size_t)CHANNELS_MAX * BBANS_SIGNAL_TAPS_MAX)

/* A block has at most 8 n bytes; popping needs room for a word. */
static size_t tail_words(size_t n)
{
    return 2 * n + 2;
}

/* The filters of the channels. */
static size_t coder_bytes(void)
{
    bbans_signal model;

    memset(&model, 0, sizeof model);
    model.channels = CHANNELS_MAX;
    return bbans_signal_work_bytes(&model, 0);
}

size_t bbans_block_signal_bytes(size_t n)
{
    const uint64_t bytes = 4 * (uint64_t)COEFFICIENTS_MAX + coder_bytes() +
                           8 * (uint64_t)n + 4 * (uint64_t)tail_words(n);

    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

static bbans_status pop_coefficients(bbans_message *msg, int32_t scale,
                                     int32_t *coefficient, size_t n)
{
    static const int64_t location = 0;
    bbans_distribution distribution;
    bbans_family laplace;
    bbans_status status = bbans_family_init(&laplace, BBANS_LAPLACE);
    size_t i;

    if (status == BBANS_OK)
        status = bbans_distribution_init_location_scale(
            &distribution, &laplace, bbans_array_of(&location, BBANS_I64),
            bbans_array_of(&scale, BBANS_I32));
    for (i = 0; status == BBANS_OK && i < n; i++)
        status = bbans_message_pop(msg, &distribution, coefficient + i,
                                   BBANS_I32, 1);
    return status;
}

/* Middle and value, where their sum is one of the element's type. */
static int put_sum(int element, uint64_t middle, int64_t value, uint8_t *to)
{
    const size_t width = bbans_element_bytes(element);
    const uint64_t sum = middle + (uint64_t)value;
    int fits;

    if (element == BBANS_ELEMENT_UINT64)
        fits = (sum < middle) == (value < 0);
    else if (element == BBANS_ELEMENT_INT64) /* no carry into the sign */
        fits = (bbans_signed(sum) < bbans_signed(middle)) == (value < 0);
    else
        fits = bbans_element_fits(element, bbans_signed(sum));
    bbans_element_put(to, sum, width);
    return fits;
}

bbans_status bbans_block_signal(int element, const bbans_block *block,
                                uint8_t *to, void *work, size_t work_bytes)
{
    const size_t n = block->elements, width = bbans_element_bytes(element);
    int64_t *value = (int64_t *)work;
    int32_t *coefficient = (int32_t *)(void *)(value + n), scale;
    uint8_t *filters = (uint8_t *)(coefficient + COEFFICIENTS_MAX);
    bbans_cursor c =
        bbans_cursor_of(block->bytes, block->bytes + block->n_bytes);
    const uint8_t *middle;
    uint64_t head;
    bbans_message msg;
    bbans_signal model;
    bbans_status status;
    size_t i;

    if (work_bytes < bbans_block_signal_bytes(n))
        return BBANS_ERR_CAPACITY;
    model.channels = (size_t)bbans_take(&c, 1);
    model.order = (size_t)bbans_take(&c, 1);
    model.cross = (size_t)bbans_take(&c, 1);
    model.scales = (size_t)bbans_take(&c, 1);
    scale = (int32_t)bbans_signed(bbans_element_extend(bbans_take(&c, 2), 2));
    model.coefficient = coefficient;
    middle = c.at;
    if (model.channels < 1 || model.channels > CHANNELS_MAX ||
        n % model.channels != 0 ||
        (size_t)(c.end - c.at) < model.channels * width ||
        bbans_signal_taps(&model) > BBANS_SIGNAL_TAPS_MAX)
        return BBANS_ERR_CORRUPT;
    c.at += model.channels * width;
    status = bbans_message_init(&msg, &head, 1,
                                (uint32_t *)(void *)(filters + coder_bytes()),
                                tail_words(n));
    if (status == BBANS_OK)
        status = bbans_message_read(&msg, c.at, (size_t)(c.end - c.at));
    if (status == BBANS_OK)
        status = pop_coefficients(&msg, scale, coefficient,
                                  model.channels * bbans_signal_taps(&model));
    if (status == BBANS_OK)
        status = bbans_signal_pop(&model, &msg, value, n / model.channels,
                                  filters, coder_bytes());
    /* What the signal coder refuses, no encoder wrote. */
    if (status != BBANS_OK || msg.tail_len > 0 || head != 1)
        return BBANS_ERR_CORRUPT;
    for (i = 0; i < n; i++) {
        uint64_t bits = bbans_load(middle + i % model.channels * width, width);

        if (bbans_element_is_signed(element))
            bits = bbans_element_extend(bits, width);
        if (!put_sum(element, bits, value[i], to + i * width))
            return BBANS_ERR_CORRUPT;
    }
    return BBANS_OK;
}
