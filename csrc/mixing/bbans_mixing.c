/* Blocks of bytes under mixed contexts, on their way in: docs/format.md,
 * "Mixing".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_mixing.h"

#define ROW_BITS_MASK 31
#define MANY_FLAG 32

/* ---- Workspace ----------------------------------------------------------- */

/* Of the mixer, so that its memory is aligned as it is. */
static size_t mixer_bytes(void)
{
    return (sizeof(bbans_mixer) + BBANS_ALIGNMENT - 1) / BBANS_ALIGNMENT *
           BBANS_ALIGNMENT;
}

size_t bbans_mixing_work_bytes(const bbans_mixer_size *size)
{
    return BBANS_ALIGNMENT + mixer_bytes() + bbans_mixer_bytes(size);
}

bbans_mixer *bbans_mixing_start(const bbans_mixer_size *size,
                                const uint8_t *bytes, void *work)
{
    bbans_mixer *const m = (bbans_mixer *)bbans_align(work);

    bbans_mixer_start(m, size, NULL, bytes, SIZE_MAX,
                      (uint8_t *)(void *)m + mixer_bytes());
    return m;
}

/* ---- Header -------------------------------------------------------------- */

typedef struct {
    size_t n, at; /* bytes of data, and where their code begins */
    bbans_mixer_size size;
} mixing_header;

static int take_number(const uint8_t *block, size_t block_size, size_t *at,
                       uint64_t most, uint64_t *value)
{
    return bbans_take_uvarint(block, block_size, at, value) == BBANS_OK &&
           *value <= most;
}

/* 0 if these are no first bytes of a block. */
static int take_header(const uint8_t *block, size_t block_size,
                       mixing_header *h)
{
    uint64_t n, line;

    memset(h, 0, sizeof *h);
    if (!take_number(block, block_size, &h->at, BBANS_MIXING_MAX, &n))
        return 0;
    h->n = (size_t)n;
    if (n == 0)
        return 1;
    if (block_size - h->at < 2)
        return 0;
    h->size.row_bits = block[h->at] & ROW_BITS_MASK;
    h->size.inputs =
        block[h->at] & MANY_FLAG ? BBANS_MIXING_MANY : BBANS_MIXING_FEW;
    h->size.match_bits = block[h->at + 1];
    if (block[h->at] > (ROW_BITS_MASK | MANY_FLAG) ||
        h->size.row_bits < BBANS_MIXING_ROW_BITS_MIN ||
        h->size.row_bits > bbans_mixing_row_bits(h->n) ||
        h->size.match_bits < 1 ||
        h->size.match_bits > bbans_mixing_match_bits(h->n))
        return 0;
    h->at += 2;
    if (!take_number(block, block_size, &h->at, BBANS_MIXING_LINE_MAX, &line))
        return 0;
    h->size.line = (uint32_t)line;
    return 1;
}

bbans_status bbans_mixing_size(const uint8_t *block, size_t block_size,
                               size_t *n)
{
    mixing_header h;

    if (block == NULL || n == NULL)
        return BBANS_ERR_NULL;
    if (!take_header(block, block_size, &h))
        return BBANS_ERR_CORRUPT;
    *n = h.n;
    return BBANS_OK;
}

size_t bbans_mixing_decoder_bytes(const uint8_t *block, size_t block_size)
{
    mixing_header h;

    if (block == NULL || !take_header(block, block_size, &h))
        return 0;
    return h.n == 0 ? BBANS_ALIGNMENT : bbans_mixing_work_bytes(&h.size);
}

/* ---- Decompress ---------------------------------------------------------- */

#define TOTAL ((uint32_t)1 << BBANS_PREC_MAX)

static bbans_status take_bytes(bbans_range_decoder *code, bbans_mixer *m,
                               uint8_t *out, size_t n)
{
    bbans_status status = BBANS_OK;
    size_t i;

    for (i = 0; i < n && status == BBANS_OK; i++) {
        uint32_t slot;
        bbans_span span;

        status = bbans_range_slot(code, TOTAL, &slot);
        if (status == BBANS_OK) {
            out[i] = (uint8_t)bbans_mixer_decode(m, slot, &span);
            status = bbans_range_advance(code, span.start,
                                         span.end - span.start, TOTAL);
            bbans_mixer_learn(m, out[i]);
        }
    }
    return status == BBANS_OK ? bbans_range_check(code) : status;
}

bbans_status bbans_mixing_decompress(const uint8_t *block, size_t block_size,
                                     uint8_t *out, size_t cap, size_t *n,
                                     void *work, size_t work_bytes)
{
    bbans_range_decoder code;
    mixing_header h;

    if (block == NULL || n == NULL || work == NULL)
        return BBANS_ERR_NULL;
    if (!take_header(block, block_size, &h))
        return BBANS_ERR_CORRUPT;
    if (out == NULL && h.n > 0)
        return BBANS_ERR_NULL;
    if (h.n > cap || work_bytes < bbans_mixing_decoder_bytes(block, block_size))
        return BBANS_ERR_CAPACITY;
    if (h.n == 0 && block_size > h.at)
        return BBANS_ERR_CORRUPT;
    if (h.n > 0 && (bbans_range_decoder_of_bytes(
                        &code, block + h.at, block_size - h.at) != BBANS_OK ||
                    take_bytes(&code, bbans_mixing_start(&h.size, out, work),
                               out, h.n) != BBANS_OK))
        return BBANS_ERR_CORRUPT;
    *n = h.n;
    return BBANS_OK;
}
