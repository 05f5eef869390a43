/* Context mixers in model files: docs/format.md, "Model file".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_files.h"

#define WEIGHTS (BBANS_MIXER_SETS * BBANS_MIXER_INPUTS)
#define MATCH_SLOTS (BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS)
#define FIXED_BYTES (BBANS_MIXER_HEADER + 2 * WEIGHTS + 2 * MATCH_SLOTS)

#define NEW BBANS_MIX_NEW
#define ROW_LEAST 5 /* bytes of a row: a gap, a check, a mask */

/* At least 1 of 2^FULL_BITS rows is there, so that a file has bytes for the
 * memory that it needs. */
#define FULL_BITS 2

/* Where the header has what. */
enum { DETAIL = 8, NUMBERS = 12 };
enum { ROW_BITS, MATCH_BITS, HISTORY_BITS, RATE, END, ROWS, ROW_BYTES };

static uint32_t number(const uint8_t *bytes, size_t i)
{
    return bbans_load_le32(bytes + NUMBERS + 4 * i);
}

static size_t prior_rows(const bbans_mixer_file *f)
{
    return (size_t)1 << f->prior_bits;
}

static int rows_suffice(size_t rows, unsigned prior_bits)
{
    return prior_bits == BBANS_MIXER_BITS_MIN ||
           rows >= (size_t)1 << prior_bits >> FULL_BITS;
}

bbans_status bbans_mixer_file_read(const uint8_t *bytes, int ends,
                                   bbans_mixer_file *f)
{
    f->prior_bits = bytes[DETAIL];
    f->row_bits = number(bytes, ROW_BITS);
    f->match_bits = number(bytes, MATCH_BITS);
    f->history_bits = number(bytes, HISTORY_BITS);
    f->rate = number(bytes, RATE);
    f->rows = number(bytes, ROWS);
    f->row_bytes = number(bytes, ROW_BYTES);
    if (number(bytes, END) > (ends ? UINT8_MAX : 0) ||
        f->prior_bits < BBANS_MIXER_BITS_MIN ||
        f->prior_bits > BBANS_MIXER_PRIOR_BITS_MAX || f->rows > prior_rows(f) ||
        f->row_bytes / ROW_LEAST < f->rows ||
        !rows_suffice(f->rows, f->prior_bits))
        return BBANS_ERR_CORRUPT;
    f->end = ends ? (int)number(bytes, END) : -1;
    return BBANS_OK;
}

uint64_t bbans_mixer_file_bytes(const bbans_mixer_file *f)
{
    return FIXED_BYTES + (uint64_t)f->row_bytes;
}

uint64_t bbans_mixer_file_memory(const bbans_mixer_file *f)
{
    return BBANS_ALIGNMENT +
           sizeof(uint16_t) * (BBANS_MIXER_SLOTS * (uint64_t)prior_rows(f) +
                               WEIGHTS + MATCH_SLOTS);
}

/* ---- Rows ---------------------------------------------------------------- */

static unsigned ones_of(unsigned mask)
{
    unsigned n = 0;

    for (; mask != 0; mask &= mask - 1)
        n++;
    return n;
}

/* A row and how many are free before it.  Returns whether it is one that a
 * writer writes.  What follows the rows of a file has room for two bytes more,
 * so that all slots are read alike. */
static int take_row(bbans_cursor *c, uint64_t *gap, uint16_t *row)
{
    unsigned k, mask;
    int bad = 0;

    *gap = bbans_take_number(c);
    row[0] = (uint16_t)bbans_take(c, 2);
    mask = (unsigned)bbans_take(c, 2);
    if (c->status != BBANS_OK || row[0] == 0 || (mask & 1) ||
        (size_t)(c->end - c->at) < 2 * ones_of(mask))
        return 0;
    for (k = 1; k < BBANS_MIXER_SLOTS; k++) {
        const unsigned is = mask >> k & 1;
        const uint16_t slot = (uint16_t)bbans_load_le16(c->at);

        bad |= is && slot == NEW;
        row[k] = is ? slot : NEW;
        c->at += 2 * is;
    }
    return !bad;
}

static int read_rows(const uint8_t *bytes, const bbans_mixer_file *f,
                     uint16_t *rows)
{
    bbans_cursor c = bbans_cursor_of(bytes, bytes + f->row_bytes);
    uint16_t row[BBANS_MIXER_SLOTS];
    size_t left = prior_rows(f), i;

    for (i = 0; i < f->rows; i++) {
        uint64_t gap;

        if (!take_row(&c, &gap, row) || gap >= left)
            return 0;
        memset(rows, 0, sizeof row * (size_t)gap);
        rows += BBANS_MIXER_SLOTS * (size_t)gap;
        memcpy(rows, row, sizeof row);
        rows += BBANS_MIXER_SLOTS;
        left -= (size_t)gap + 1;
    }
    memset(rows, 0, sizeof row * left);
    return c.at == c.end;
}

bbans_status bbans_mixer_file_build(bbans_context_mixer *model,
                                    const uint8_t *bytes,
                                    const bbans_mixer_file *f, void *memory)
{
    /* Neighbours, of which one is a context's, in one line of the cache. */
    uint16_t *rows = (uint16_t *)bbans_align(memory);
    uint16_t *match = rows + BBANS_MIXER_SLOTS * prior_rows(f);
    int16_t *weight = (int16_t *)(void *)(match + MATCH_SLOTS);
    const uint8_t *from = bytes + BBANS_MIXER_HEADER;
    bbans_status status;
    size_t i;

    for (i = 0; i < WEIGHTS; i++, from += 2) {
        const int32_t w = (int32_t)bbans_load_le16(from);

        weight[i] = (int16_t)(w < 0x8000 ? w : w - 0x10000);
    }
    for (i = 0; i < MATCH_SLOTS; i++, from += 2)
        match[i] = (uint16_t)bbans_load_le16(from);
    if (!read_rows(from, f, rows))
        return BBANS_ERR_CORRUPT;
    status = bbans_context_mixer_init(model, f->prior_bits, rows, weight, match,
                                      f->row_bits, f->match_bits,
                                      f->history_bits, f->rate, f->end);
    return status == BBANS_ERR_SIZE ? BBANS_ERR_CORRUPT : status;
}

/* ---- Writing ------------------------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
static unsigned mask_of(const uint16_t *row)
{
    unsigned k, mask = 0;

    for (k = 1; k < BBANS_MIXER_SLOTS; k++)
        mask |= (unsigned)(row[k] != NEW) << k;
    return mask;
}

/* The rows that are there, each behind the gap to the one before; returns where
 * they end, to = NULL: where they would. */
static size_t put_rows(const bbans_context_mixer *model, uint8_t *to, size_t *n)
{
    const size_t rows = (size_t)1 << model->prior_bits;
    size_t i, next = 0, at = 0;
    uint8_t gap[BBANS_UVARINT_BYTES];

    *n = 0;
    for (i = 0; i < rows; i++) {
        const uint16_t *row = model->row + BBANS_MIXER_SLOTS * i;
        const unsigned mask = mask_of(row);
        unsigned k;

        if (row[0] == 0)
            continue;
        ++*n;
        if (to != NULL) {
            at += bbans_put_uvarint(to + at, i - next);
            bbans_store_le16(to + at, row[0]);
            bbans_store_le16(to + at + 2, mask);
        } else {
            at += bbans_put_uvarint(gap, i - next);
        }
        at += 4;
        for (k = 1; k < BBANS_MIXER_SLOTS; k++) {
            if ((mask >> k & 1) == 0)
                continue;
            if (to != NULL)
                bbans_store_le16(to + at, row[k]);
            at += 2;
        }
        next = i + 1;
    }
    return at;
}

size_t bbans_mixer_bytes_in_file(const bbans_context_mixer *model)
{
    size_t rows;
    const size_t row_bytes = put_rows(model, NULL, &rows);

    return rows_suffice(rows, model->prior_bits)
               ? FIXED_BYTES - NUMBERS + row_bytes
               : 0;
}

void bbans_put_mixer(uint8_t *to, const bbans_context_mixer *model)
{
    uint8_t *const rows = to + FIXED_BYTES - NUMBERS;
    size_t i, n, row_bytes = put_rows(model, rows, &n);

    bbans_store(to + 4 * ROW_BITS, model->row_bits, 4);
    bbans_store(to + 4 * MATCH_BITS, model->match_bits, 4);
    bbans_store(to + 4 * HISTORY_BITS, model->history_bits, 4);
    bbans_store(to + 4 * RATE, model->rate, 4);
    bbans_store(to + 4 * END, model->end < 0 ? 0 : (uint64_t)model->end, 4);
    bbans_store(to + 4 * ROWS, n, 4);
    bbans_store(to + 4 * ROW_BYTES, row_bytes, 4);
    to += BBANS_MIXER_HEADER - NUMBERS;
    for (i = 0; i < WEIGHTS; i++, to += 2)
        bbans_store_le16(to, (uint16_t)model->weight[i]);
    for (i = 0; i < MATCH_SLOTS; i++, to += 2)
        bbans_store_le16(to, model->match[i]);
}
#endif /* BBANS_DECODER_ONLY */
