/* Blocks of grids on their way out: docs/maths.md, "Grids".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_grids.h"

#include "../files/bbans_files.h"

#ifndef BBANS_DECODER_ONLY
size_t bbans_grid_bound(int element, size_t n)
{
    const size_t width = bbans_element_bytes(element);

    return width == 0 || n > BBANS_BLOCK_MAX ? 0 : 1 + n * width;
}

/* A value takes one step or two; wide ones have low bits besides.  A block that
 * needs more than the mean of these would be stored anyway. */
static uint64_t steps_max(size_t width, uint64_t n, size_t bands)
{
    const unsigned each = width == 1 ? 2 : width < 8 ? 3 : 5;

    return each * n + 256 + 1024 * (uint64_t)bands;
}

static int is_stored(const bbans_grid *grid)
{
    return grid->columns > BBANS_GRID_COLUMNS || grid->bands > BBANS_GRID_BANDS;
}

size_t bbans_grid_encoder_bytes(int element, const bbans_grid *grid, size_t n,
                                int level)
{
    const size_t width = bbans_element_bytes(element);
    uint64_t bytes;

    if (width == 0 || grid == NULL || !bbans_grid_holds(grid, n) || level < 1 ||
        level > BBANS_LEVEL_MAX)
        return 0;
    if (is_stored(grid))
        return 8;
    bytes = (uint64_t)bbans_grid_values_bytes(n) +
            bbans_grid_coder_bytes(n, level) +
            bbans_aligned(bbans_grid_fit_bytes(grid->columns)) +
            BBANS_TRANSFORM_WORK * (uint64_t)(n / grid->bands) +
            sizeof(bbans_signal_step) * steps_max(width, n, grid->bands);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

typedef struct {
    bbans_grid_values g;
    bbans_grid_rows rows;
    bbans_sink sink;
    void *coder, *fit, *transform; /* where each one works */
    const uint8_t *data;
    size_t width;
    int element, level;
} encoder;

static void start(encoder *e, const bbans_grid *grid, size_t n, void *work)
{
    bbans_grid_values *g = &e->g;
    uint8_t *rest = (uint8_t *)work;

    memset(g, 0, sizeof *g);
    g->columns = grid->columns;
    g->bands = grid->bands;
    g->period = grid->period;
    g->pixels = n / grid->bands;
    g->all_rows = g->pixels / grid->columns;
    g->rows = grid->rows < g->all_rows ? grid->rows : g->all_rows;
    bbans_grid_lay_out(g, &e->rows, &rest);
    e->coder = rest;
    rest += bbans_grid_coder_bytes(n, e->level);
    e->fit = rest;
    rest += bbans_aligned(bbans_grid_fit_bytes(grid->columns));
    e->transform = rest;
    rest += BBANS_TRANSFORM_WORK * g->pixels;
    e->sink.step = (bbans_signal_step *)(void *)rest;
    e->sink.n = 0;
    e->sink.cap = (size_t)steps_max(e->width, n, g->bands);
}

/* ---- Bands ----------------------------------------------------------------
 */

static int is_same(const bbans_transform *a, const bbans_transform *b)
{
    return a->kind == b->kind && a->kind != BBANS_SIGNAL_RANKS &&
           a->order == b->order && a->base == b->base &&
           a->divisor == b->divisor && a->shift == b->shift &&
           a->most == b->most &&
           memcmp(a->first, b->first, a->order * sizeof *a->first) == 0;
}

static void put_order(encoder *e)
{
    bbans_grid_values *g = &e->g;
    size_t i, k;
    int any = 0;

    for (i = 0; i < g->bands; i++)
        g->order[i] = i;
    if (g->bands == 3 || g->bands == 4) {
        any = 1;
        g->order[0] = 1;
        g->order[1] = 0;
    }
    if (g->bands > 1)
        bbans_sink_bits(&e->sink, 0, (uint64_t)any, 1);
    for (i = 0; any && i < g->bands; i++) {
        k = i == 0; /* which of the bands that are left */
        bbans_sink_number(&e->sink, k);
    }
}

#define LENGTHS 34

/* Whether values of few kinds cost less as they are: given the one before, or
 * as differences from it and the one above. */
static int is_direct(const bbans_grid_values *g, size_t band)
{
    const bbans_signal_range *range = &g->band[band].transform.range;
    const int32_t *value = g->value + band * g->pixels;
    uint32_t count[BBANS_GRID_KINDS][BBANS_GRID_KINDS] = {{0}};
    uint32_t off[2 * BBANS_GRID_KINDS] = {0};
    uint64_t direct = 0, cost;
    size_t i, k, before = 0;

    if (bbans_range_width(range) < 4)
        return 1;
    for (i = 0; i < g->pixels; i++) {
        const int32_t W = i % g->columns > 0 ? value[i - 1] : range->low;
        const int32_t N = i >= g->columns ? value[i - g->columns] : W;
        const size_t kind = (size_t)(value[i] - range->low);

        count[before][kind]++;
        before = kind;
        off[value[i] - (W + N) / 2 + BBANS_GRID_KINDS]++;
    }
    cost = bbans_signal_information(off, 2 * BBANS_GRID_KINDS);
    for (i = 0; i < BBANS_GRID_KINDS; i++) {
        direct += bbans_signal_information(count[i], BBANS_GRID_KINDS);
        for (k = 0; k < BBANS_GRID_KINDS; k++)
            direct += count[i][k] > 0 ? 256 * 5 : 0;
    }
    return direct <= cost;
}

static void put_bands(encoder *e)
{
    const unsigned shift = BBANS_SIGNAL_PREC - BBANS_SIGNAL_SAME_BITS;
    const uint32_t all = (uint32_t)1 << BBANS_SIGNAL_PREC;
    uint32_t p = (uint32_t)1 << (BBANS_SIGNAL_SAME_BITS - 1);
    bbans_grid_values *g = &e->g;
    size_t i;

    for (i = 0; i < g->bands; i++) {
        bbans_grid_band *b = g->band + i;
        bbans_transform *t = &b->transform;
        const uint8_t *data = e->data + g->order[i] * e->width;
        const size_t stride = g->bands * e->width;
        const uint32_t end = p << shift;
        bbans_transforms ways;
        int same;

        bbans_transform_choose(&ways, data, e->element, stride, g->pixels, NULL,
                               0, e->transform);
        *t = ways.best;
        if (t->kind >= BBANS_SIGNAL_OFFSET)
            bbans_transform_do(t, data, e->element, stride, g->pixels,
                               g->value + i * g->pixels, e->transform);
        else
            memset(g->value + i * g->pixels, 0, 4 * g->pixels);
        same = i > 0 && is_same(t, &b[-1].transform);
        if (i > 0) {
            bbans_sink_step(&e->sink, 0, same ? 0 : end,
                            same ? end : all - end);
            p = bbans_signal_see_same(p, same);
        }
        if (!same)
            bbans_transform_put(t, &e->sink, g->pixels, e->transform);
        t->range.channel = i;
        t->range.direct = 0;
        bbans_grid_band_begin(b);
        if (t->kind < BBANS_SIGNAL_OFFSET || t->most == 0)
            continue;
        if (t->most < BBANS_GRID_KINDS) {
            t->range.direct = is_direct(g, i);
            bbans_sink_bits(&e->sink, 0, (uint64_t)t->range.direct, 1);
        }
        bbans_grid_fit(g, i, e->level, &e->rows, e->fit);
        bbans_grid_models_put(g, i, &e->sink);
    }
}

/* What is below the values. */
static void put_low(encoder *e)
{
    const bbans_grid_values *g = &e->g;
    size_t i;

    for (i = 0; i < g->bands; i++) {
        bbans_transform t = g->band[i].transform;

        if (t.kind != BBANS_SIGNAL_LOW_BITS)
            continue;
        bbans_transform_do(&t, e->data + g->order[i] * e->width, e->element,
                           g->bands * e->width, g->pixels,
                           g->value + i * g->pixels, e->transform);
        bbans_transform_put_low(&t, &e->sink, 1, g->pixels, e->transform);
    }
}

/* ---- A block ---------------------------------------------------------------
 */

bbans_status bbans_grid_compress(int element, const bbans_grid *grid,
                                 const void *data, size_t n, int level,
                                 uint8_t *block, size_t cap, size_t *n_bytes,
                                 void *work, size_t work_bytes)
{
    size_t need, most, i;
    encoder e;

    if (grid == NULL || data == NULL || block == NULL || n_bytes == NULL ||
        work == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    e.width = bbans_element_bytes(element);
    if (element < BBANS_ELEMENT_UINT8 || element > BBANS_ELEMENT_INT64)
        return BBANS_ERR_SYMBOL;
    need = bbans_grid_encoder_bytes(element, grid, n, level);
    if (need == 0)
        return BBANS_ERR_SIZE;
    if (work_bytes < need || cap < 1)
        return BBANS_ERR_CAPACITY;
    e.data = (const uint8_t *)data;
    if (is_stored(grid))
        return bbans_elements_store(BBANS_GRID_STORED, e.data, n, e.width,
                                    block, cap, n_bytes);
    e.element = element;
    e.level = level;
    start(&e, grid, n, work);
    bbans_sink_number(&e.sink, e.g.columns);
    bbans_sink_number(&e.sink, e.g.bands);
    bbans_sink_number(&e.sink, e.g.rows);
    put_order(&e);
    put_bands(&e);
    bbans_grid_encode_values(&e.g, &e.sink, &e.rows, level, e.coder);
    put_low(&e);
    block[0] = BBANS_GRID_CODED;
    most = cap < 1 + n * e.width ? cap : 1 + n * e.width;
    if (e.sink.n <= e.sink.cap) {
        i = bbans_sink_push(&e.sink, 1, block + 1, most - 1);
        if (i > 0) {
            *n_bytes = 1 + i;
            return BBANS_OK;
        }
    }
    return bbans_elements_store(BBANS_GRID_STORED, e.data, n, e.width, block,
                                cap, n_bytes);
}
#endif /* BBANS_DECODER_ONLY */
