/* Values of planes given their predictions, as decisions under mixed contexts.
 * docs/maths.md, "Grids".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_grids.h"

#include "../signals/bbans_residual_core.h"

enum {
    OCTAVES = BBANS_CLASSES / 4,
    PLACES = 4, /* in the order of bands, that have weights of their own */
    SETS = OCTAVES * PLACES,
    SCALES = 64,
    CELL_BITS = 13,
    CELLS = 1 << CELL_BITS,
    KEPT = 1024,
    SHARES = 255,
    MODE_BITS = 2,
    MEAN = 7,      /* a band's mean error takes 2^-7 of each */
    KINDS_MAX = 12 /* neighbours of 5 bits */
};

static unsigned contexts_of(int level)
{
    return level < 1   ? BBANS_MANY
           : level < 4 ? BBANS_FEW
           : level < 6 ? BBANS_SOME
                       : BBANS_MANY;
}

static bbans_residuals_size size_of(unsigned contexts)
{
    bbans_residuals_size size;

    size.contexts = contexts;
    size.sets = SETS;
    size.cells = CELLS;
    size.kept = KEPT;
    size.rows = contexts == BBANS_FEW ? 16384 : 65536;
    return size;
}

/* Of a coder of n values, which make `contexts` rows each at most. */
static size_t bytes_of(uint64_t n, unsigned contexts)
{
    bbans_residuals_size size = size_of(contexts);

    if (n < size.rows / contexts)
        size.rows = (uint32_t)n * contexts + 1;
    return (size_t)bbans_aligned(bbans_residuals_bytes(&size));
}

/* Residuals, and values of few kinds. */
size_t bbans_grid_coder_bytes(uint64_t n, int level)
{
    return 2 * bytes_of(n, contexts_of(level));
}

/* What codes the values of a block. */
typedef struct {
    bbans_residuals *residuals, *kinds;
#ifndef BBANS_DECODER_ONLY
    bbans_sink *sink;
#endif
    bbans_signal_source *source;
    bbans_grid_values *grid;
    bbans_grid_rows *rows;
    unsigned contexts, kind_bits;
} coder;

static void begin(coder *c, unsigned contexts, void *work)
{
    const bbans_grid_values *g = c->grid;
    const bbans_residuals_size size = size_of(contexts);
    const size_t bytes = bytes_of((uint64_t)g->pixels * g->bands, contexts);
    uint32_t kinds = 2;
    size_t i;

    c->contexts = contexts;
    c->residuals = (bbans_residuals *)work;
    c->kinds = (bbans_residuals *)(void *)((uint8_t *)work + bytes);
    bbans_residuals_begin(c->residuals, &size, SHARES);
    c->residuals->rate = 126;
    for (i = 0; i < g->bands; i++) {
        const bbans_signal_range *range = &g->band[i].transform.range;

        if (range->direct && bbans_range_width(range) >= kinds)
            kinds = bbans_range_width(range) + 1;
    }
    c->kind_bits = (unsigned)bbans_bit_length(kinds - 1);
    bbans_residuals_begin(c->kinds, &size, SHARES);
    bbans_residuals_forget(c->kinds, c->kind_bits);
    bbans_kinds_spread(c->kinds->kinds, c->kind_bits, kinds);
    c->kinds->rate = 126;
}

/* ---- Contexts of residuals -------------------------------------------------
 */

static inline uint64_t size_of_error(int32_t e)
{
    return (uint64_t)(e < 0 ? -(int64_t)e : e);
}

static inline int64_t median(int64_t a, int64_t b, int64_t c)
{
    const int64_t low = a < b ? a : b, high = a < b ? b : a;

    return c < low ? low : c > high ? high : c;
}

/* Magnitudes in eight steps. */
static inline uint32_t step_of(uint64_t e, unsigned down, unsigned k)
{
    const uint64_t units = ((e << down) >> k) >> 7;

    return units < 1    ? 0
           : units < 2  ? 1
           : units < 4  ? 2
           : units < 7  ? 3
           : units < 12 ? 4
           : units < 20 ? 5
           : units < 40 ? 6
                        : 7;
}

/* What a band's range and place say. */
typedef struct {
    int32_t low, high;
    unsigned wide, down;
    uint32_t place;
    unsigned row_shift, column_shift; /* to 64 places of the plane */
} setting;

static void set(setting *s, const bbans_grid_values *g, size_t band)
{
    const bbans_signal_range *range = &g->band[band].transform.range;
    const int bits = bbans_bit_length(bbans_range_width(range));
    const int rows = g->rows > 1 ? bbans_bit_length(g->rows - 1) : 0;
    const int columns = g->columns > 1 ? bbans_bit_length(g->columns - 1) : 0;

    s->low = range->low;
    s->high = range->high;
    s->wide = bits > 6 ? (unsigned)bits - 6 : 0;
    s->down = g->band[band].down;
    s->place = band < PLACES ? (uint32_t)band : PLACES - 1;
    s->row_shift = rows > 6 ? (unsigned)rows - 6 : 0;
    s->column_shift = columns > 6 ? (unsigned)columns - 6 : 0;
}

/* Before a value of the first row: those above are as the one before. */
static inline void continue_first_row(bbans_grid_rows *r, size_t x)
{
    const int32_t v = r->own[0][(ptrdiff_t)x - 1];
    const int32_t e = r->error[0][(ptrdiff_t)x - 1];
    ptrdiff_t i;

    for (i = (ptrdiff_t)x - 1; i < (ptrdiff_t)x + 3; i++)
        r->own[1][i] = r->own[2][i] = r->own[3][i] = v;
    for (i = (ptrdiff_t)x - 1; i < (ptrdiff_t)x + 2; i++)
        r->error[1][i] = r->error[2][i] = e;
    r->above[x] = 10 * size_of_error(e);
}

BBANS_INLINED static inline void expect(coder *c, bbans_grid_rows *r,
                                        const setting *s, size_t x,
                                        bbans_residual *q, unsigned contexts)
{
    const int32_t *v0 = r->own[0] + x, *v1 = r->own[1] + x;
    const int32_t *v2 = r->own[2] + x;
    const int32_t *e0 = r->error[0] + x, *e1 = r->error[1] + x;
    const int64_t W = v0[-1], N = v1[0], NW = v1[-1], NE = v1[1];
    const bbans_grid_model *m = r->model;
    bbans_residuals *z = c->residuals;
    uint32_t context[BBANS_MANY], class, octave, f, w, regime, phase;
    uint32_t at_w, at_n, at_other;
    uint64_t own, both, beside;
    int64_t mu, level, other;
    int scale;

    mu = bbans_grid_mu(r, x, (int64_t)s->low * 256, (int64_t)s->high * 256);
    q->mu = mu;
    own = 5 * size_of_error(e0[-1]) + size_of_error(e0[-2]) + r->above[x];
    both = own;
    beside = own;
    if (m->refs > 0) {
        beside = r->beside[x];
        both = (own * (16 - m->share) + beside * m->share) >> 4;
    }
    scale = bbans_quarters(both) - 16 + 4 * (int)s->down;
    q->k =
        scale < BBANS_CLASSES ? 0 : (unsigned)(scale - BBANS_CLASSES + 4) / 4;
    q->half = (int64_t)(((uint64_t)1 << q->k) >> 1);
    q->middle = bbans_floor_shift(mu + 128, 8);
    phase = (uint32_t)((uint64_t)(mu + 128) & 255);
    class = (uint32_t)bbans_within(scale - 4 * (int)q->k, 0, BBANS_CLASSES - 1);
    scale = 4 * (int)s->down - 16 - 4 * (int)q->k;
    f = (uint32_t)bbans_within(bbans_quarters(own) + scale, 0, SCALES - 1);
    w = (uint32_t)bbans_within(bbans_quarters(beside) + scale, 0, SCALES - 1);
    octave = class / 4;
    regime = class < 28 ? 0 : class < 40 ? 1 : 2;
    at_w = bbans_leaf_of(z, q, W - q->middle);
    at_n = bbans_leaf_of(z, q, N - q->middle);
    context[0] = f / 2 * (SCALES / 2) + w / 2;
    if (m->refs > 0) {
        const int32_t *a0 = r->ref[0][BBANS_GRID_AROUND - 1] + x;
        const int32_t *a = r->ref[0][BBANS_GRID_AROUND] + x;

        other = a[0] + bbans_floor_shift(W - a[-1] + N - a0[0], 1);
    } else {
        other = W + NE - N;
    }
    at_other = bbans_leaf_of(z, q, other - q->middle);
    context[1] = (at_w * BBANS_LEAVES + at_n) * 3 + regime;
    if (contexts >= BBANS_SOME) {
        const uint32_t at_ne = bbans_leaf_of(z, q, NE - q->middle);
        const uint32_t at_nw = bbans_leaf_of(z, q, NW - q->middle);
        const uint32_t at_m =
            bbans_leaf_of(z, q, median(W, N, W + N - NW) - q->middle);
        const int64_t back = (int64_t)1 << s->down;
        const uint32_t r_w =
            bbans_leaf_of(z, q, bbans_floor_shift(e0[-1] * back + 128, 8));
        const uint32_t r_n =
            bbans_leaf_of(z, q, bbans_floor_shift(e1[0] * back + 128, 8));
        const uint32_t s_w = step_of(size_of_error(e0[-1]), s->down, q->k);
        const uint32_t s_n = step_of(size_of_error(e1[0]), s->down, q->k);
        const uint32_t s_ne = step_of(size_of_error(e1[1]), s->down, q->k);
        uint32_t texture, r_ref;

        level = q->middle - s->low;
        texture =
            (uint32_t)((W > q->middle) | (N > q->middle) << 1 |
                       (NW > q->middle) << 2 | (NE > q->middle) << 3 |
                       (v0[-2] > q->middle) << 4 | (v2[0] > q->middle) << 5 |
                       (other > q->middle) << 6 |
                       (2 * W - v0[-2] > q->middle) << 7);
        r_ref =
            m->refs > 0
                ? bbans_leaf_of(
                      z, q,
                      bbans_floor_shift(r->ref_error[0][1][x] * back + 128, 8))
                : bbans_leaf_of(z, q, bbans_floor_shift(e1[1] * back + 128, 8));
        context[2] = (at_other * BBANS_LEAVES + at_ne) * 3 + regime;
        context[3] = (r_w * BBANS_LEAVES + r_n) * 3 + regime;
        context[4] = at_m * BBANS_CLASSES + class +
                     (phase >> 6) * BBANS_CLASSES * BBANS_LEAVES;
        context[5] = texture * OCTAVES + octave;
        context[6] = r_ref * BBANS_CLASSES + class;
        context[7] =
            (uint32_t)bbans_within(bbans_floor_shift(level, s->wide), 0, 63) *
                OCTAVES +
            octave;
        if (contexts >= BBANS_MANY) {
            uint32_t r_second, at_second;
            int64_t second;

            if (m->refs > 1) {
                const int32_t *a0 = r->ref[1][BBANS_GRID_AROUND - 1] + x;
                const int32_t *a = r->ref[1][BBANS_GRID_AROUND] + x;

                second = a[0] + bbans_floor_shift(W - a[-1] + N - a0[0], 1);
                r_second = bbans_leaf_of(
                    z, q,
                    bbans_floor_shift(r->ref_error[1][1][x] * back + 128, 8));
            } else {
                second = N + NE - v2[1];
                r_second = bbans_leaf_of(
                    z, q, bbans_floor_shift(e0[-2] * back + 128, 8));
            }
            at_second = bbans_leaf_of(z, q, second - q->middle);
            context[8] = (at_nw * BBANS_LEAVES + at_n) * 3 + regime;
            context[9] = (r_ref * BBANS_LEAVES + r_second) * 3 + regime;
            context[10] = (at_second * BBANS_LEAVES + at_other) * 3 + regime;
            context[11] = f * BBANS_CLASSES + class;
            context[12] = ((s_w * 8 + s_n) * 8 + s_ne) * OCTAVES + octave;
            context[13] =
                (bbans_leaf_of(z, q, v0[-2] - q->middle) * BBANS_LEAVES +
                 bbans_leaf_of(z, q, v2[0] - q->middle)) *
                    3 +
                regime;
            context[14] = (uint32_t)(r->row >> s->row_shift) * 64 +
                          (uint32_t)(x >> s->column_shift);
            context[15] =
                ((r_w / 2 * 16 + r_ref / 2) * 4 + (phase >> 6)) * 3 + regime;
        }
    }
    q->mixed.weight =
        z->weight + (s->place * OCTAVES + octave) * BBANS_LEAVES * contexts;
    bbans_find_rows(z, q, context, contexts, bbans_prior_of(z, class));
}

static inline int32_t error_of(const bbans_residual *q, int64_t v,
                               unsigned down)
{
    return (int32_t)bbans_floor_shift(v * 256 - q->mu, down);
}

BBANS_INLINED static inline void code_plane(coder *c, bbans_grid_rows *r,
                                            int decode, unsigned contexts)
{
    bbans_grid_values *g = c->grid;
    bbans_grid_band *band = g->band + r->band;
    const size_t columns = g->columns;
    size_t y, x;
    setting s;

    set(&s, g, r->band);
    for (y = 0; y < r->rows; y++) {
        const size_t at = r->band * g->pixels + (r->first + y) * columns;
        int32_t *value = g->value + at, *error = g->error + at;
        uint64_t mean = band->mean;

        bbans_grid_rows_begin(r, y,
                              bbans_grid_model_of(g, r->band, r->first + y));
        bbans_grid_rows_sums(r);
        for (x = 0; x < columns; x++) {
            bbans_residual q;
            int32_t v, e;

            if (y == 0)
                continue_first_row(r, x);
            expect(c, r, &s, x, &q, contexts);
            if (decode) {
                const uint32_t slot = bbans_source_slot(c->source, 0);

                bbans_decide_all(&q, 1, BBANS_DEPTH, contexts, 1, &slot);
                value[x] = bbans_take_rest(c->residuals, &q, c->source, 0,
                                           &band->transform.range);
            }
#ifndef BBANS_DECODER_ONLY
            if (!decode) {
                q.leaf = bbans_leaf_of(c->residuals, &q, value[x] - q.middle);
                bbans_decide_all(&q, 1, BBANS_DEPTH, contexts, 0, NULL);
                bbans_put_rest(c->residuals, &q, c->sink, 0,
                               value[x] - q.middle);
            }
#endif
            v = value[x];
            e = error_of(&q, v, s.down);
            error[x] = e;
            bbans_grid_seen(r, x, v, s.down);
            r->own[0][x] = v;
            r->error[0][x] = e;
            mean += size_of_error(e) - (mean >> MEAN);
            bbans_residuals_seen(c->residuals);
        }
        band->mean = mean;
        bbans_grid_rows_end(r);
    }
}

/* ---- Few kinds -------------------------------------------------------------
 */

/* Neighbours, in the order of what they say.  Context 0 has at most 10 bits of
 * them: its rows are kept. */
BBANS_INLINED static inline void expect_kind(coder *c, const bbans_grid_rows *r,
                                             const setting *s, size_t x,
                                             bbans_residual *q,
                                             unsigned contexts)
{
    static const uint8_t lengths[BBANS_MANY] = {1, 2,  3,  4,  5,  6,  7,  8,
                                                9, 10, 11, 12, 14, 16, 18, 20};
    const unsigned bits = c->kind_bits;
    const bbans_grid_model *m = r->model;
    const int32_t *v0 = r->own[0] + x, *v1 = r->own[1] + x;
    const int32_t *v2 = r->own[2] + x;
    int32_t near[24];
    uint32_t context[BBANS_MANY];
    uint64_t word = 0;
    unsigned n = 0, i, k, most;

    near[n++] = v0[-1];
    near[n++] = v1[0];
    if (m->refs > 0) {
        const int32_t *a = r->ref[0][BBANS_GRID_AROUND] + x;

        near[n++] = a[0];
        near[n++] = v1[1];
        near[n++] = v1[-1];
        near[n++] = a[1];
        near[n++] = r->ref[0][BBANS_GRID_AROUND + 1][x];
        near[n++] = v0[-2];
        near[n++] = v2[0];
        near[n++] = a[-1];
        near[n++] = r->ref[0][BBANS_GRID_AROUND - 1][x];
    } else {
        near[n++] = v1[1];
        near[n++] = v1[-1];
        near[n++] = v0[-2];
        near[n++] = v2[0];
    }
    if (m->refs > 1)
        near[n++] = r->ref[1][BBANS_GRID_AROUND][x];
    near[n++] = v2[1];
    near[n++] = v2[-1];
    near[n++] = v1[2];
    near[n++] = v1[-2];
    near[n++] = v0[-3];
    near[n++] = r->own[3][x];
    near[n++] = v2[2];
    near[n++] = v2[-2];
    most = 60 / bits < n ? 60 / bits : n;
    for (i = k = 0; i < contexts; i++) {
        const unsigned want = contexts != BBANS_FEW ? lengths[i]
                              : i > 0               ? 10
                              : bits < 3            ? 4
                                                    : 10 / bits;
        uint64_t hash;

        for (; k < want && k < most; k++)
            word |=
                (uint64_t)((uint32_t)(near[k] - s->low) & ((1u << bits) - 1))
                << (bits * k);
        if (k * bits <= CELL_BITS) {
            context[i] = (uint32_t)word;
        } else {
            hash = word * 0x9E3779B97F4A7C15u;
            context[i] = (uint32_t)(hash >> (64 - CELL_BITS));
        }
    }
    q->mixed.weight =
        c->kinds->weight + (s->place * OCTAVES) * BBANS_LEAVES * contexts;
    bbans_find_rows(c->kinds, q, context, contexts, c->kinds->kinds);
}

BBANS_INLINED static inline void code_kinds(coder *c, bbans_grid_rows *r,
                                            int decode, unsigned contexts)
{
    bbans_grid_values *g = c->grid;
    const bbans_signal_range *range = &g->band[r->band].transform.range;
    const uint32_t kinds = bbans_range_width(range) + 1;
    const size_t columns = g->columns;
    size_t y, x;
    setting s;

    set(&s, g, r->band);
    for (y = 0; y < r->rows; y++) {
        int32_t *value =
            g->value + r->band * g->pixels + (r->first + y) * columns;

        bbans_grid_rows_begin(r, y,
                              bbans_grid_model_of(g, r->band, r->first + y));
        for (x = 0; x < columns; x++) {
            bbans_residual q;

            if (y == 0)
                continue_first_row(r, x);
            expect_kind(c, r, &s, x, &q, contexts);
            if (decode) {
                const uint32_t slot = bbans_source_slot(c->source, 0);

                bbans_decide_all(&q, 1, c->kind_bits, contexts, 1, &slot);
                bbans_source_advance(c->source, 0, q.span.start,
                                     q.span.end - q.span.start);
                if (q.leaf >= kinds) {
                    c->source->bad = 1;
                    q.leaf = kinds - 1;
                }
                value[x] = range->low + (int32_t)q.leaf;
            }
#ifndef BBANS_DECODER_ONLY
            if (!decode) {
                q.leaf = (uint32_t)(value[x] - range->low);
                bbans_decide_all(&q, 1, c->kind_bits, contexts, 0, NULL);
                bbans_sink_step(c->sink, 0, q.span.start,
                                q.span.end - q.span.start);
            }
#endif
            r->own[0][x] = value[x];
            bbans_residuals_seen(c->kinds);
        }
    }
}

/* ---- All -------------------------------------------------------------------
 */

BBANS_INLINED static inline void code_all(coder *c, int decode,
                                          unsigned contexts)
{
    bbans_grid_values *g = c->grid;
    size_t frame, band;

    for (frame = 0; frame * g->rows < g->all_rows; frame++)
        for (band = 0; band < g->bands; band++) {
            const bbans_transform *t = &g->band[band].transform;

            if (t->kind < BBANS_SIGNAL_OFFSET || t->most == 0)
                continue;
            bbans_grid_rows_plane(c->rows, frame, band);
            if (t->range.direct)
                code_kinds(c, c->rows, decode, contexts);
            else
                code_plane(c, c->rows, decode, contexts);
        }
}

static void code(coder *c, int decode)
{
    if (c->contexts == BBANS_FEW)
        code_all(c, decode, BBANS_FEW);
    else if (c->contexts == BBANS_SOME)
        code_all(c, decode, BBANS_SOME);
    else
        code_all(c, decode, BBANS_MANY);
}

void bbans_grid_decode_values(bbans_grid_values *grid, bbans_signal_source *s,
                              bbans_grid_rows *rows, void *work)
{
    const uint32_t mode = bbans_source_raw(s, 0, MODE_BITS);
    coder c;

    memset(&c, 0, sizeof c);
    s->bad |= mode > 2;
    c.grid = grid;
    c.rows = rows;
    c.source = s;
    begin(&c,
          mode == 0   ? BBANS_FEW
          : mode == 1 ? BBANS_SOME
                      : BBANS_MANY,
          work);
    code(&c, 1);
}

#ifndef BBANS_DECODER_ONLY
void bbans_grid_encode_values(bbans_grid_values *grid, bbans_sink *sink,
                              bbans_grid_rows *rows, int level, void *work)
{
    const unsigned contexts = contexts_of(level);
    coder c;

    memset(&c, 0, sizeof c);
    bbans_sink_bits(sink, 0,
                    contexts == BBANS_FEW    ? 0
                    : contexts == BBANS_SOME ? 1
                                             : 2,
                    MODE_BITS);
    c.grid = grid;
    c.rows = rows;
    c.sink = sink;
    begin(&c, contexts, work);
    code(&c, 0);
}
#endif /* BBANS_DECODER_ONLY */
