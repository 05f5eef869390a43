/* One record as a message of its own: docs/maths.md, "Records".
 *
 * SPDX-License-Identifier: MIT */
#include "../models/bbans_state_space.h"

/* The first interval is [0, STORED) of 2^8, so that no code starts with that
 * byte. */
#define STORED BBANS_RECORD_STORED
#define FIRST_TOTAL 256

/* Engines see the last symbols of a record in a window that slides.  What they
 * look back at are the symbols of a context, and whether the record begins
 * before: WINDOW is far more than KEPT, so that sliding is rare. */
#define WINDOW 256
#define KEPT (BBANS_ORDER_MAX + 1)

#define LENGTH_BITS 30 /* of T + 1 <= BBANS_RECORD_MAX + 1, but the first */
#define WINDOW_BITS 63 /* of the range coder */

static int codes_records(const bbans_model *model)
{
    return model->frozen != NULL && model->symbols > 0 &&
           model->kind != BBANS_KIND_INTEGERS;
}

/* Else symbols are bytes, those of UTF-8 where it is one of text. */
static int is_of_characters(const bbans_model *model)
{
    return model->kind == BBANS_KIND_TEXT && model->values != NULL;
}

static const bbans_state_space *space_of(const bbans_model *model)
{
    return &model->frozen->space;
}

size_t bbans_record_work_bytes(const bbans_model *model)
{
    const bbans_state_space *space;

    if (model == NULL || !codes_records(model))
        return 0;
    space = space_of(model);
    return space->scratch_bytes + space->belief_bytes + space->record_bytes +
           WINDOW * sizeof(uint32_t) + (BBANS_ALIGNMENT - 1);
}

/* The belief before the first symbol. */
static bbans_status start(const bbans_model *model, void *work,
                          size_t work_bytes, bbans_stream *s)
{
    const bbans_state_space *space;
    uint8_t *at = (uint8_t *)bbans_align(work);

    if (!codes_records(model))
        return BBANS_ERR_SYMBOL;
    if (work_bytes < bbans_record_work_bytes(model))
        return BBANS_ERR_CAPACITY;
    space = space_of(model);
    s->scratch = at;
    s->belief = at += space->scratch_bytes;
    s->record = at += space->belief_bytes;
    s->x = s->out = at + space->record_bytes;
    s->t = 0;
    s->status = BBANS_OK;
    space->engine->start(space, s->belief);
    return BBANS_OK;
}

/* The place of the next symbol. */
static uint32_t *next_place(const bbans_state_space *space, bbans_stream *s)
{
    uint32_t *window = (uint32_t *)s->out;

    if (s->t == WINDOW) {
        memcpy(window, window + (WINDOW - KEPT), KEPT * sizeof *window);
        s->t = KEPT;
    }
    if (space->engine->predict != NULL)
        space->engine->predict(space, s);
    return window + s->t;
}

#ifndef BBANS_DECODER_ONLY
size_t bbans_record_bound(size_t n)
{
    return n > SIZE_MAX - BBANS_RECORD_ROOM ? 0 : n + BBANS_RECORD_ROOM;
}

/* The character at record[*at], of UTF-8. */
static uint32_t take_character(const uint8_t *record, size_t *at)
{
    const uint8_t lead = record[(*at)++];
    const unsigned more = lead < 0x80   ? 0
                          : lead < 0xE0 ? 1
                                        : 2 + (lead >= 0xF0);
    uint32_t point = more == 0 ? lead : lead & (0x3Fu >> more);
    unsigned i;

    for (i = 0; i < more; i++)
        point = point << 6 | (record[(*at)++] & 0x3Fu);
    return point;
}

/* Whether the bytes are such that the model may have symbols for them, and how
 * many symbols. */
static int count_symbols(const bbans_model *model, const uint8_t *record,
                         size_t n, size_t *count)
{
    *count = n;
    return !is_of_characters(model) ||
           bbans_utf8_decode(record, n, NULL, 0, count) == BBANS_OK;
}

static void encode_bits(bbans_range_encoder *enc, uint32_t v, unsigned n)
{
    while (n-- > 0)
        (void)bbans_range_encode_interval(enc, v >> n & 1, 1, 2);
}

/* Returns whether the code may still be of `most` bytes. */
static int encode_symbol(const bbans_state_space *space, bbans_stream *s,
                         size_t x, bbans_range_encoder *enc, size_t most)
{
    *next_place(space, s) = (uint32_t)x;
    space->engine->encode(space, s, enc);
    s->t++;
    return s->status == BBANS_OK && enc->len <= most;
}

/* Returns whether there is a code of at most n + 1 bytes.  Each interval puts
 * out four bytes at most, and the end eight: they have room. */
static int encode(const bbans_model *model, const uint8_t *record, size_t n,
                  bbans_stream *s, bbans_range_encoder *enc, size_t *n_bytes)
{
    const bbans_state_space *space = space_of(model);
    size_t at = 0, count;

    if (!count_symbols(model, record, n, &count) || count > BBANS_RECORD_MAX)
        return 0;
    (void)bbans_range_encode_interval(enc, 0, STORED, FIRST_TOTAL);
    if (!model->ends) {
        const uint32_t v = (uint32_t)count + 1;
        const unsigned bits = bbans_floor_log2(v);

        encode_bits(enc, 0, bits);
        encode_bits(enc, v, bits + 1);
    }
    while (at < n) {
        const uint32_t value = is_of_characters(model)
                                   ? take_character(record, &at)
                                   : record[at++];
        const size_t x = bbans_model_symbol(model, value);

        if (x == model->symbols || !encode_symbol(space, s, x, enc, n + 1))
            return 0;
    }
    if (model->ends && !encode_symbol(space, s, model->symbols - 1, enc, n + 1))
        return 0;
    *n_bytes = bbans_range_finish_bytes(enc);
    return *n_bytes <= n + 1;
}

bbans_status bbans_record_encode(const bbans_model *model,
                                 const uint8_t *record, size_t n,
                                 uint8_t *bytes, size_t cap, size_t *n_bytes,
                                 void *work, size_t work_bytes)
{
    bbans_range_encoder enc;
    bbans_stream s;
    bbans_status status;

    if (model == NULL || (record == NULL && n > 0) || bytes == NULL ||
        n_bytes == NULL || work == NULL)
        return BBANS_ERR_NULL;
    status = start(model, work, work_bytes, &s);
    if (status != BBANS_OK)
        return status;
    if (bbans_record_bound(n) == 0 || cap < bbans_record_bound(n))
        return BBANS_ERR_CAPACITY;
    (void)bbans_range_encoder_init(&enc, bytes, cap);
    if (encode(model, record, n, &s, &enc, n_bytes))
        return BBANS_OK;
    bytes[0] = STORED;
    if (n > 0)
        memcpy(bytes + 1, record, n);
    *n_bytes = n + 1;
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

static bbans_status decode_stored(const uint8_t *bytes, size_t n_bytes,
                                  uint8_t *record, size_t cap, size_t *n)
{
    *n = n_bytes - 1;
    if (*n > cap)
        return BBANS_ERR_CAPACITY;
    if (*n > 0)
        memcpy(record, bytes + 1, *n);
    return BBANS_OK;
}

static uint32_t decode_bit(bbans_range_decoder *dec)
{
    uint32_t bit;

    (void)bbans_range_slot(dec, 2, &bit); /* of an even range: below 2 */
    (void)bbans_range_advance(dec, bit, 1, 2);
    return bit;
}

/* How many symbols follow. */
static bbans_status decode_length(bbans_range_decoder *dec, size_t *count)
{
    uint32_t v = 1;
    unsigned bits = 0;

    while (decode_bit(dec) == 0)
        if (++bits > LENGTH_BITS)
            return BBANS_ERR_CORRUPT;
    for (; bits > 0; bits--)
        v = v << 1 | decode_bit(dec);
    *count = v - 1;
    return BBANS_OK;
}

static bbans_status decode_symbol(const bbans_state_space *space,
                                  bbans_stream *s, bbans_range_decoder *dec,
                                  size_t *x)
{
    const uint32_t *place = next_place(space, s);
    const bbans_status status = space->engine->decode(space, s, dec);

    if (status != BBANS_OK || s->status != BBANS_OK)
        return BBANS_ERR_CORRUPT;
    *x = *place;
    s->t++;
    return BBANS_OK;
}

/* Put a symbol behind the *n bytes that are there, if they have room. */
static bbans_status put_symbol(const bbans_model *model, size_t x,
                               uint8_t *record, size_t cap, size_t *n)
{
    const uint32_t value = (uint32_t)bbans_model_value(model, x);
    uint8_t character[4];
    size_t k = 1;

    if (!is_of_characters(model))
        character[0] = (uint8_t)value;
    else if (value >> 11 == 0xD800 >> 11 || /* a surrogate has no UTF-8 */
             bbans_utf8_encode(&value, 1, character, 4, &k) != BBANS_OK)
        return BBANS_ERR_CORRUPT;
    if (k > cap - *n) {
        *n += k;
        return BBANS_ERR_CAPACITY;
    }
    memcpy(record + *n, character, k);
    *n += k;
    return BBANS_OK;
}

/* Whether an encoder writes so many bytes for a record of n bytes. */
static int check(const bbans_range_decoder *dec, size_t n_bytes, size_t n)
{
    return bbans_range_check(dec) == BBANS_OK && n_bytes <= n + 1 &&
           (dec->n_read - WINDOW_BITS) / 8 <= n + 1;
}

static bbans_status decode(const bbans_model *model, const uint8_t *bytes,
                           size_t n_bytes, uint8_t *record, size_t cap,
                           size_t *n, bbans_stream *s)
{
    const bbans_state_space *space = space_of(model);
    bbans_range_decoder dec;
    size_t left = SIZE_MAX, x;
    bbans_status status = bbans_range_decoder_of_bytes(&dec, bytes, n_bytes);

    if (status != BBANS_OK)
        return BBANS_ERR_CORRUPT;
    (void)bbans_range_advance(&dec, 0, STORED, FIRST_TOTAL);
    if (!model->ends)
        status = decode_length(&dec, &left);
    if (status != BBANS_OK)
        return status;
    *n = left;
    if (!model->ends && left > cap) /* a symbol has a byte, or more */
        return BBANS_ERR_CAPACITY;
    for (*n = 0; left > 0; left--) {
        status = decode_symbol(space, s, &dec, &x);
        if (status != BBANS_OK)
            return status;
        if (model->ends && x == model->symbols - 1)
            break;
        status = put_symbol(model, x, record, cap, n);
        if (status != BBANS_OK)
            return status;
    }
    return check(&dec, n_bytes, *n) ? BBANS_OK : BBANS_ERR_CORRUPT;
}

bbans_status bbans_record_decode(const bbans_model *model, const uint8_t *bytes,
                                 size_t n_bytes, uint8_t *record, size_t cap,
                                 size_t *n, void *work, size_t work_bytes)
{
    bbans_stream s;
    bbans_status status;

    if (model == NULL || (bytes == NULL && n_bytes > 0) ||
        (record == NULL && cap > 0) || n == NULL || work == NULL)
        return BBANS_ERR_NULL;
    *n = 0;
    status = start(model, work, work_bytes, &s);
    if (status != BBANS_OK)
        return status;
    if (n_bytes > 0 && bytes[0] == STORED)
        return decode_stored(bytes, n_bytes, record, cap, n);
    return decode(model, bytes, n_bytes, record, cap, n, &s);
}
