/* Blocks in pieces, on their way in: docs/format.md, "Pieces".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_files.h"

/* What a piece is, beside the container's elements; and its flags. */
enum { PLAIN = 0, CODED = 1, TABLE = 2, INT24 = 8 };

enum { BIG_ENDIAN_FLAG = 0x80, PLANAR_FLAG = 0x40 };

typedef struct {
    int code, element; /* with its flags, and without            */
    size_t n;          /* elements                               */
    size_t width;      /* bytes of one in the file               */
    size_t channels;   /* that lie one behind the other, or 1    */
    const uint8_t *data;
    size_t n_bytes; /* of data                                */
} piece;

static size_t width_of(int code)
{
    const int element = code & ~(BIG_ENDIAN_FLAG | PLANAR_FLAG);

    if (code == PLAIN || code == CODED || code == TABLE)
        return 1;
    if (element == INT24)
        return 3;
    if (bbans_element_is_float(element) ||
        (element >= BBANS_ELEMENT_UINT8 && element <= BBANS_ELEMENT_INT64))
        return bbans_element_bytes(element);
    return 0;
}

static int is_number(const piece *p)
{
    return p->element >= INT24;
}

/* The next piece, of at most `room` bytes in the file. */
static bbans_status take_piece(bbans_cursor *c, size_t room, piece *p)
{
    uint64_t n, n_bytes, channels = 1;

    p->code = (int)bbans_take(c, 1);
    n = bbans_take_number(c);
    n_bytes = bbans_take_number(c);
    p->element = p->code & ~(BIG_ENDIAN_FLAG | PLANAR_FLAG);
    p->width = width_of(p->code);
    if (c->status != BBANS_OK || p->width == 0 || n < 1 ||
        n > room / p->width || n_bytes > (size_t)(c->end - c->at))
        return BBANS_ERR_CORRUPT;
    p->n = (size_t)n;
    p->data = c->at;
    p->n_bytes = (size_t)n_bytes;
    c->at += p->n_bytes;
    if (is_number(p) && (p->code & PLANAR_FLAG) != 0) {
        bbans_cursor d = bbans_cursor_of(p->data, c->at);

        channels = bbans_take_number(&d);
        if (d.status != BBANS_OK || channels == 0 || n % channels != 0)
            return BBANS_ERR_CORRUPT;
        p->n_bytes = (size_t)(d.end - d.at);
        p->data = d.at;
    }
    p->channels = (size_t)channels;
    return BBANS_OK;
}

static size_t value_bytes(const piece *p)
{
    return p->element == INT24 ? 4 : p->width;
}

/* Numbers that are not decoded to where they go, if they are not. */
static uint64_t values_bytes(const piece *p)
{
    const int in_place = p->element != INT24 && p->channels == 1;

    return in_place ? 0 : ((uint64_t)p->n * value_bytes(p) + 7) & ~(uint64_t)7;
}

static uint64_t reading_bytes(const piece *p)
{
    return !is_number(p) ? bbans_bytes_work_bytes(p->n)
           : bbans_element_is_float(p->element)
               ? bbans_float_decoder_bytes(p->element, p->n)
               : bbans_signal_decoder_bytes(p->n);
}

bbans_status bbans_pieces_check(const uint8_t *bytes, size_t n_bytes, size_t n,
                                uint64_t *work_bytes)
{
    bbans_cursor c = bbans_cursor_of(bytes, bytes + n_bytes);
    int tables = 0;

    *work_bytes = 8;
    while (c.at < c.end) {
        uint64_t need;
        piece p;

        if (take_piece(&c, n, &p) != BBANS_OK)
            return BBANS_ERR_CORRUPT;
        need = values_bytes(&p) + reading_bytes(&p);
        if (need > *work_bytes)
            *work_bytes = need;
        tables |= p.code == TABLE;
        n -= p.n * p.width;
    }
    if (n != 0)
        return BBANS_ERR_CORRUPT;
    return tables ? BBANS_ERR_VERSION : BBANS_OK;
}

static void put_big_endian(uint8_t *to, uint64_t bits, size_t width)
{
    while (width > 0) {
        to[--width] = (uint8_t)bits;
        bits >>= 8;
    }
}

/* Values as the file has them; they may be there already. */
static bbans_status put_values(const piece *p, const uint8_t *values,
                               uint8_t *to)
{
    const size_t steps = p->n / p->channels, size = value_bytes(p);
    const int big_endian = (p->code & BIG_ENDIAN_FLAG) != 0;
    size_t channel, t;

    for (channel = 0; channel < p->channels; channel++) {
        const uint8_t *from = values + channel * size;

        for (t = 0; t < steps;
             t++, from += p->channels * size, to += p->width) {
            const uint64_t bits = bbans_element_get(from, size);

            if (p->element == INT24 && (uint32_t)(bits + 0x800000) >> 24 != 0)
                return BBANS_ERR_CORRUPT;
            if (big_endian)
                put_big_endian(to, bits, p->width);
            else
                bbans_store(to, bits, p->width);
        }
    }
    return BBANS_OK;
}

static bbans_status decode_numbers(const piece *p, uint8_t *to, uint8_t *work,
                                   size_t work_bytes)
{
    const size_t apart = (size_t)values_bytes(p);
    uint8_t *const values = apart > 0 ? work : to;
    bbans_status status;

    status =
        bbans_element_is_float(p->element)
            ? bbans_float_decompress(p->element, p->data, p->n_bytes, values,
                                     p->n, work + apart, work_bytes - apart)
            : bbans_signal_decompress(p->element == INT24 ? BBANS_ELEMENT_INT32
                                                          : p->element,
                                      NULL, p->data, p->n_bytes, values, p->n,
                                      work + apart, work_bytes - apart);
    return status == BBANS_OK ? put_values(p, values, to) : status;
}

bbans_status bbans_pieces_decode(const uint8_t *bytes, size_t n_bytes,
                                 uint8_t *to, size_t n, void *work,
                                 size_t work_bytes)
{
    bbans_cursor c = bbans_cursor_of(bytes, bytes + n_bytes);
    uint64_t need;
    bbans_status status = bbans_pieces_check(bytes, n_bytes, n, &need);

    if (status == BBANS_OK && work_bytes < need)
        status = BBANS_ERR_CAPACITY;
    while (status == BBANS_OK && c.at < c.end) {
        size_t size;
        piece p;

        (void)take_piece(&c, n, &p); /* it has been checked */
        if (is_number(&p)) {
            status = decode_numbers(&p, to, (uint8_t *)work, work_bytes);
        } else if (p.code == PLAIN) {
            if (p.n_bytes == p.n)
                memcpy(to, p.data, p.n);
            else
                status = BBANS_ERR_CORRUPT;
        } else if (bbans_bytes_size(p.data, p.n_bytes, &size) != BBANS_OK ||
                   size != p.n) {
            status = BBANS_ERR_CORRUPT;
        } else {
            status = bbans_bytes_decompress(p.data, p.n_bytes, to, p.n, &size,
                                            work, work_bytes);
        }
        to += p.n * p.width;
        n -= p.n * p.width;
    }
    return status;
}
