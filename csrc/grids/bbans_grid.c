/* Blocks of grids, which carry their models: docs/format.md, "Grid".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_grids.h"

#include "../files/bbans_files.h"

/* ---- Workspace ------------------------------------------------------------
 */

static uint64_t at_most(uint64_t v, uint64_t limit)
{
    return v < limit ? v : limit;
}

size_t bbans_grid_values_bytes(uint64_t n)
{
    const uint64_t bands = at_most(n, BBANS_GRID_BANDS);

    return (size_t)(bbans_aligned(8 * n) +
                    bands * (sizeof(bbans_grid_band) + sizeof(size_t)) +
                    bbans_grid_models(n) *
                        (sizeof(bbans_grid_model) + sizeof(bbans_grid_expert)) +
                    bbans_aligned(
                        bbans_grid_row_bytes(at_most(n, BBANS_GRID_COLUMNS))) +
                    64);
}

void bbans_grid_lay_out(bbans_grid_values *g, bbans_grid_rows *rows,
                        uint8_t **work)
{
    const size_t n = g->pixels * g->bands;
    uint8_t *rest = *work;

    g->value = (int32_t *)(void *)rest;
    g->error = g->value + n;
    rest += 8 * n;
    memset(g->error, 0, 4 * n);
    g->band = (bbans_grid_band *)(void *)rest;
    rest += g->bands * sizeof *g->band;
    memset(g->band, 0, g->bands * sizeof *g->band);
    g->model = (bbans_grid_model *)(void *)rest;
    rest += (size_t)bbans_grid_models(n) * sizeof *g->model;
    g->expert = (bbans_grid_expert *)(void *)rest;
    rest += (size_t)bbans_grid_models(n) * sizeof *g->expert;
    g->models = g->experts = 0;
    g->order = (size_t *)(void *)rest;
    rest += bbans_aligned(g->bands * sizeof *g->order);
    bbans_grid_rows_init(rows, g, rest);
    *work = rest + bbans_aligned(bbans_grid_row_bytes(g->columns));
}

/* Errors of 31 bits; and a mean to begin with. */
void bbans_grid_band_begin(bbans_grid_band *b)
{
    const uint32_t width = bbans_range_width(&b->transform.range);
    const int bits = width > 0 ? bbans_bit_length(width) : 0;

    b->down = bits > 22 ? (unsigned)bits - 22 : 0;
    b->mean = (uint64_t)(bits < 6 ? 1 << 7 : (int64_t)1 << (bits + 3)) << 7 >>
              b->down;
}

/* ---- Decoding --------------------------------------------------------------
 */

/* Of values, ranks, and what codes values. */
size_t bbans_grid_decoder_bytes(int element, size_t n)
{
    uint64_t bytes;

    if (bbans_element_bytes(element) == 0 || n > BBANS_BLOCK_MAX)
        return 0;
    bytes = bbans_grid_values_bytes(n) + 8 * (uint64_t)n +
            bbans_grid_coder_bytes(n, 0);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* Returns 0 if n elements are no such grid. */
static int take_grid(bbans_grid_values *g, bbans_signal_source *s, size_t n)
{
    const uint64_t columns = bbans_source_number(s);
    const uint64_t bands = bbans_source_number(s);
    const uint64_t rows = bbans_source_number(s);

    if (columns < 1 || columns > at_most(n, BBANS_GRID_COLUMNS) || bands < 1 ||
        bands > at_most(n / columns, BBANS_GRID_BANDS) ||
        n % (columns * bands) != 0 || rows < 1)
        return 0;
    g->columns = (size_t)columns;
    g->bands = (size_t)bands;
    g->pixels = n / (size_t)bands;
    g->all_rows = g->pixels / (size_t)columns;
    g->rows = (size_t)at_most(rows, g->all_rows);
    return 1;
}

/* The order of bands: as they are, or any; returns 0 if it is none. */
static int take_order(bbans_grid_values *g, bbans_signal_source *s)
{
    const int any = g->bands > 1 && bbans_source_bits(s, 0, 1) != 0;
    size_t i;

    for (i = 0; i < g->bands; i++)
        g->order[i] = i;
    for (i = 0; any && i < g->bands; i++) {
        const uint64_t k = bbans_source_number(s);
        size_t other;

        if (k >= g->bands - i)
            return 0;
        other = g->order[i + (size_t)k];
        g->order[i + (size_t)k] = g->order[i];
        g->order[i] = other;
    }
    return 1;
}

/* Does the next band have the last one's transform? */
static int take_same(uint32_t *p, bbans_signal_source *s)
{
    const unsigned shift = BBANS_SIGNAL_PREC - BBANS_SIGNAL_SAME_BITS;
    const uint32_t all = (uint32_t)1 << BBANS_SIGNAL_PREC;
    const uint32_t end = *p << shift;
    const int same = bbans_source_slot(s, 0) < end;

    bbans_source_advance(s, 0, same ? 0 : end, same ? end : all - end);
    *p = bbans_signal_see_same(*p, same);
    return same;
}

static void take_bands(bbans_grid_values *g, bbans_signal_source *s,
                       uint64_t *rank)
{
    uint32_t same = (uint32_t)1 << (BBANS_SIGNAL_SAME_BITS - 1);
    size_t i;

    for (i = 0; i < g->bands; i++) {
        bbans_grid_band *b = g->band + i;
        bbans_transform *t = &b->transform;

        if (i > 0 && take_same(&same, s)) {
            *t = b[-1].transform;
            if (t->kind == BBANS_SIGNAL_RANKS) {
                s->bad = 1;
                t->kind = BBANS_SIGNAL_OFFSET;
            }
        } else {
            bbans_transform_take(t, s, g->pixels, rank + i * g->pixels);
            if (t->kind == BBANS_SIGNAL_LINE)
                s->bad = 1;
        }
        t->range.channel = i;
        t->range.direct = t->kind >= BBANS_SIGNAL_OFFSET && t->most > 0 &&
                          t->most < BBANS_GRID_KINDS &&
                          bbans_source_bits(s, 0, 1) != 0;
        bbans_grid_band_begin(b);
        if (t->kind >= BBANS_SIGNAL_OFFSET && t->most > 0)
            bbans_grid_models_take(g, i, s);
    }
}

bbans_status bbans_grid_decompress(int element, const uint8_t *block,
                                   size_t n_bytes, void *data, size_t n,
                                   void *work, size_t work_bytes)
{
    static const bbans_line line = {0, 1};
    const size_t width = bbans_element_bytes(element);
    uint8_t *rest = (uint8_t *)work;
    bbans_signal_source s;
    bbans_grid_values g;
    bbans_grid_rows rows;
    uint64_t *rank;
    size_t i;

    if (block == NULL || data == NULL || work == NULL)
        return BBANS_ERR_NULL;
    if (element < BBANS_ELEMENT_UINT8 || element > BBANS_ELEMENT_INT64)
        return BBANS_ERR_SYMBOL;
    if (n < 1 || n > BBANS_BLOCK_MAX)
        return BBANS_ERR_SIZE;
    if (work_bytes < bbans_grid_decoder_bytes(element, n))
        return BBANS_ERR_CAPACITY;
    if (n_bytes < 1)
        return BBANS_ERR_CORRUPT;
    if (block[0] == BBANS_GRID_STORED) {
        if (n_bytes != 1 + n * width)
            return BBANS_ERR_CORRUPT;
        bbans_elements_take(block + 1, n, width, (uint8_t *)data);
        return BBANS_OK;
    }
    memset(&g, 0, sizeof g);
    if (block[0] != BBANS_GRID_CODED ||
        !bbans_source_begin(&s, 1, block + 1, n_bytes - 1) ||
        !take_grid(&g, &s, n))
        return BBANS_ERR_CORRUPT;
    bbans_grid_lay_out(&g, &rows, &rest);
    rank = (uint64_t *)(void *)rest;
    rest += 8 * n;
    if (!take_order(&g, &s))
        return BBANS_ERR_CORRUPT;
    take_bands(&g, &s, rank);
    if (s.bad)
        return BBANS_ERR_CORRUPT;
    memset(g.value, 0, 4 * n);
    bbans_grid_decode_values(&g, &s, &rows, rest);
    for (i = 0; i < g.bands; i++)
        if (s.bad || !bbans_transform_undo(&g.band[i].transform, &line, &s, 1,
                                           g.value + i * g.pixels, g.pixels,
                                           rank + i * g.pixels, element,
                                           (uint8_t *)data + g.order[i] * width,
                                           g.bands * width))
            return BBANS_ERR_CORRUPT;
    return bbans_source_is_empty(&s, 1) ? BBANS_OK : BBANS_ERR_CORRUPT;
}
