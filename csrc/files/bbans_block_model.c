/* Blocks of containers that are the message of a model.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_files.h"

/* The workspace: the sequence, the message's tail, and what coding needs. */
typedef struct {
    void *x;
    void *rest;
    size_t rest_bytes;
} block_work;

int bbans_model_is_built(const bbans_model *model)
{
    return model->frozen != NULL;
}

static uint64_t x_bytes(const bbans_model *model, size_t n)
{
    const uint64_t steps = n / model->width;

    return (steps * model->frozen->space.observation_bytes + 7) / 8 * 8;
}

static uint64_t tail_bytes(uint64_t words)
{
    return (words + 1) / 2 * 8;
}

static size_t total_bytes(const bbans_model *model, size_t n, uint64_t words,
                          size_t rest)
{
    const uint64_t first = x_bytes(model, n) + tail_bytes(words);

    return words == 0 || rest == 0 || first > SIZE_MAX - rest
               ? 0
               : (size_t)first + rest;
}

static bbans_status cut_work(const bbans_model *model, size_t n, uint64_t words,
                             void *work, size_t work_bytes, block_work *w,
                             bbans_block_message *m)
{
    const uint64_t tail = x_bytes(model, n), rest = tail + tail_bytes(words);

    if (work_bytes < rest)
        return BBANS_ERR_CAPACITY;
    w->x = work;
    w->rest = (uint8_t *)work + rest;
    w->rest_bytes = work_bytes - (size_t)rest;
    return bbans_message_init(&m->msg, &m->head, 1,
                              (uint32_t *)(void *)((uint8_t *)work + tail),
                              (size_t)words);
}

/* Observations are rows of integers of 64 or 32 bits, or numbers in an
 * alphabet. */
static int takes_values(const bbans_model *model)
{
    return model->symbols == 0;
}

static int values_are_wide(const bbans_model *model)
{
    return model->frozen->space.observation_bytes / model->width == 8;
}

/* ---- Out ----------------------------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
int bbans_model_takes(const bbans_model *model, int element)
{
    const int text = model->kind == BBANS_KIND_TEXT;
    const int is_utf8 = text && model->values == NULL;

    switch (element) {
    case BBANS_ELEMENT_BYTES: return !text;
    case BBANS_ELEMENT_UTF8: return model->kind == BBANS_KIND_BYTES || is_utf8;
    case BBANS_ELEMENT_CHARACTERS: return text && !is_utf8;
    default:
        return bbans_element_bytes(element) > 0 &&
               !bbans_element_is_float(element & ~BBANS_ELEMENT_BIG_ENDIAN) &&
               model->kind != BBANS_KIND_TEXT;
    }
}

size_t bbans_block_encode_bytes(const bbans_model *model, size_t n, size_t kept)
{
    const bbans_state_space *space = &model->frozen->space;
    const size_t steps = n / model->width;

    return total_bytes(model, n, bbans_sequence_tail_words(space, steps),
                       bbans_sequence_work_bytes(space, steps, kept));
}

/* Value i of the model's observations; 0 if it cannot be one.  What the model
 * does not accept shows later. */
static int put_observed(const bbans_model *model, void *x, size_t i,
                        int64_t value)
{
    if (!takes_values(model)) {
        const size_t symbol = bbans_model_symbol(model, value);

        ((uint32_t *)x)[i] = (uint32_t)symbol;
        return symbol < model->symbols;
    }
    if (values_are_wide(model)) {
        ((int64_t *)x)[i] = value;
        return 1;
    }
    ((int32_t *)x)[i] = (int32_t)value;
    return value >= INT32_MIN && value <= INT32_MAX;
}

/* Elements as the model's observations. */
static bbans_status read_elements(const bbans_model *model, int element,
                                  const uint8_t *data, size_t n, void *x)
{
    const size_t width = bbans_element_bytes(element);
    const int is_signed = bbans_element_is_signed(element);
    size_t i;

    for (i = 0; i < n; i++) {
        uint64_t bits = bbans_element_get(data + i * width, width);

        if (is_signed)
            bits = bbans_element_extend(bits, width);
        else if (bits >> 63 != 0) /* what no model holds */
            return BBANS_ERR_SYMBOL;
        if (!put_observed(model, x, i, bbans_signed(bits)))
            return BBANS_ERR_SYMBOL;
    }
    return BBANS_OK;
}

bbans_status bbans_block_encode(const bbans_model *model, int element,
                                const uint8_t *data, size_t n, void *work,
                                size_t work_bytes, bbans_block_message *m)
{
    const bbans_state_space *space = &model->frozen->space;
    const size_t steps = n / model->width;
    block_work w;
    bbans_status status =
        cut_work(model, n, bbans_sequence_tail_words(space, steps), work,
                 work_bytes, &w, m);

    if (status == BBANS_OK)
        status = read_elements(model, element, data, n, w.x);
    if (status == BBANS_OK)
        status = bbans_sequence_encode(space, w.x, steps, w.rest, w.rest_bytes,
                                       &m->msg);
    return status;
}
#endif /* BBANS_DECODER_ONLY */

/* ---- In ------------------------------------------------------------------ */

/* A message is no longer than its elements, and popping one of damaged data may
 * take more.  Parts of text may be of either form. */
static uint64_t decoder_tail_words(const bbans_model *model, int element,
                                   size_t n)
{
    const size_t width = element == BBANS_ELEMENT_UTF8
                             ? sizeof(uint32_t)
                             : bbans_element_bytes(element);

    return ((uint64_t)n * width + 3) / 4 +
           (uint64_t)(n / model->width) * model->frozen->space.pop_words + 1;
}

size_t bbans_block_decode_bytes(const bbans_model *model, int element, size_t n)
{
    return total_bytes(model, n, decoder_tail_words(model, element, n),
                       bbans_sequence_work_bytes(&model->frozen->space, 1, 1));
}

/* The end of a record has no value, and no encoder writes it among elements. */
static int is_end(const bbans_model *model, const void *x, size_t i)
{
    return model->ends && ((const uint32_t *)x)[i] == model->symbols - 1;
}

static int64_t observed(const bbans_model *model, const void *x, size_t i)
{
    if (!takes_values(model))
        return bbans_model_value(model, ((const uint32_t *)x)[i]);
    return values_are_wide(model) ? ((const int64_t *)x)[i]
                                  : ((const int32_t *)x)[i];
}

bbans_status bbans_block_decode(const bbans_model *model, int element,
                                const bbans_block *block, uint8_t *to,
                                void *work, size_t work_bytes)
{
    const size_t n = block->elements, width = bbans_element_bytes(element);
    bbans_block_message m;
    bbans_status status;
    block_work w;
    size_t i;

    if (n % model->width != 0)
        return BBANS_ERR_CORRUPT;
    status = cut_work(model, n, decoder_tail_words(model, element, n), work,
                      work_bytes, &w, &m);
    if (status == BBANS_OK)
        status = bbans_message_read(&m.msg, block->bytes, block->n_bytes);
    if (status == BBANS_OK)
        status = bbans_sequence_decode(&model->frozen->space, &m.msg, w.x,
                                       n / model->width, w.rest, w.rest_bytes);
    if (status != BBANS_OK)
        return status;
    for (i = 0; i < n; i++) {
        int64_t value;

        if (is_end(model, w.x, i))
            return BBANS_ERR_CORRUPT;
        value = observed(model, w.x, i);
        if (!bbans_element_fits(element, value))
            return BBANS_ERR_CORRUPT;
        bbans_element_put(to + i * width, (uint64_t)value, width);
    }
    return BBANS_OK;
}
