/* Predictions of planes, fitted in integers.  docs/maths.md, "Grids".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_grids.h"

#include "../signals/bbans_fixed_point.h"

#ifndef BBANS_DECODER_ONLY
#define TAPS BBANS_GRID_TAPS
#define SIZE (TAPS + 2)   /* with the constant and the target */
#define VALUES (SIZE + 1) /* with what is multiplied by the weights */
#define VALUE_BITS 18     /* of what is multiplied */
#define WEIGHT_BITS 6
#define SOLUTION_BITS 40

/* Taps as they are eliminated: the constant, references', own ones; then the
 * target. */
typedef struct {
    size_t n, index[SIZE]; /* of the sums */
    int scale[SIZE];
    int64_t row[SIZE][SIZE];
    int64_t inverse[SIZE], left[SIZE], pivot[SIZE];
    int turn[SIZE];
} elimination;

typedef struct {
    bbans_grid_values *grid;
    bbans_grid_rows *rows;
    size_t band;
    unsigned down; /* values are halved so often */
    int64_t sums[BBANS_GRID_EXPERTS][SIZE * SIZE];
    int64_t *sum;   /* those in work */
    int64_t pixels; /* that were sampled, for each expert */
    uint64_t scale; /* the mean error */
    elimination factor;
    const int32_t *tap[SIZE]; /* in the row in work; the last is the target */
    int32_t *value, *weighted, *weight; /* [VALUES][columns], [columns] ..  */
    int64_t *residual;                  /* [columns] */
    uint64_t *energy, *other;           /* [columns], of errors around */
    uint8_t *expert;                    /* [columns]: which one is nearest */
} fit;

size_t bbans_grid_fit_bytes(uint64_t columns)
{
    return (size_t)bbans_aligned(sizeof(fit)) +
           (size_t)bbans_aligned((8 * 3 + 4 * (VALUES + 2) + 1) * columns);
}

/* ---- Sums of products ------------------------------------------------------
 */

/* Sums' places: 0 the constant, own taps, references', the target. */
static size_t count(const bbans_grid_model *m)
{
    size_t n = 1 + m->own, i;

    for (i = 0; i < m->refs; i++)
        n += m->round[i];
    return n;
}

static void set_taps(fit *f, const bbans_grid_model *m)
{
    bbans_grid_rows *r = f->rows;
    size_t i, k, n = 1;

    for (i = 0; i < m->own; i++)
        f->tap[n++] = r->own[bbans_grid_own[i].row] + bbans_grid_own[i].column;
    for (i = 0; i < m->refs; i++)
        for (k = 0; k < m->round[i]; k++)
            f->tap[n++] =
                r->ref[i][BBANS_GRID_AROUND + bbans_grid_round[k].row] +
                bbans_grid_round[k].column;
    f->tap[n] = r->own[0];
}

/* A row whose values are all known. */
static void begin_row(fit *f, size_t frame, size_t row,
                      const bbans_grid_model *m)
{
    const bbans_grid_values *g = f->grid;
    bbans_grid_rows *r = f->rows;
    const size_t at =
        f->band * g->pixels + (frame * g->rows + row) * g->columns;
    ptrdiff_t i;

    bbans_grid_rows_plane(r, frame, f->band);
    bbans_grid_rows_begin(r, row, m);
    memcpy(r->own[0], g->value + at, g->columns * sizeof *r->own[0]);
    for (i = 1; row == 0 && i <= BBANS_GRID_ABOVE; i++) {
        ptrdiff_t x;

        for (x = -BBANS_GRID_MARGIN;
             x < (ptrdiff_t)g->columns + BBANS_GRID_MARGIN; x++)
            r->own[i][x] = r->own[0][x < (ptrdiff_t)g->columns
                                         ? (x > -BBANS_GRID_MARGIN ? x - 1 : x)
                                         : (ptrdiff_t)g->columns - 1];
    }
    set_taps(f, m);
}

/* The pixels of one expert to its sums. */
static void add_row(fit *f, size_t n, size_t expert)
{
    const size_t columns = f->grid->columns;
    int64_t *sum = f->sums[expert];
    size_t i, j, x, used = 0;

    for (x = 0; x < columns; x++)
        if (f->expert[x] == expert) {
            f->value[used] = 1;
            f->weighted[used++] = f->weight[x];
        }
    if (used == 0)
        return;
    for (i = 1; i <= n; i++) {
        int32_t *to = f->value + i * columns;

        for (x = 0; x < columns; x++)
            if (f->expert[x] == expert)
                *to++ = (int32_t)bbans_floor_shift(f->tap[i][x], f->down);
    }
    for (i = 0; i <= n; i++) {
        const int32_t *a = f->value + i * columns;
        int32_t *w = f->value + (n + 1) * columns;

        for (x = 0; x < used; x++)
            w[x] = a[x] * f->weighted[x];
        for (j = i; j <= n; j++) {
            const int32_t *b = f->value + j * columns;

            sum[i * SIZE + j] += bbans_kernel.predict->dot(w, b, used);
        }
    }
}

/* What an expert leaves of the row. */
static void set_residuals(fit *f, const bbans_grid_model *m,
                          const bbans_grid_expert *e, int64_t *residual)
{
    const size_t columns = f->grid->columns, n = count(m);
    const unsigned shift = m->shift - BBANS_SIGNAL_MU_BITS;
    size_t i, x;

    for (x = 0; x < columns; x++)
        residual[x] = e->constant * ((int64_t)1 << shift);
    for (i = 1; i < n; i++)
        if (e->coefficient[i - 1] != 0)
            bbans_kernel.predict->fir(e->coefficient + i - 1, 1, f->tap[i],
                                      columns, residual);
    for (x = 0; x < columns; x++)
        residual[x] =
            (int64_t)f->tap[n][x] * 256 - bbans_floor_shift(residual[x], shift);
}

/* The mean of |residual| around each pixel, 1 at least. */
static void smooth(const fit *f, const int64_t *residual, uint64_t *energy)
{
    const size_t columns = f->grid->columns;
    uint64_t sum = 0;
    size_t x, first = 0, end = 0;

    for (x = 0; x < columns; x++) {
        while (end < columns && end < x + 4)
            sum += bbans_size_of(residual[end++]);
        while (first + 3 < x)
            sum -= bbans_size_of(residual[first++]);
        energy[x] = sum / (end - first) + 1;
    }
}

/* The nearest expert for each pixel. */
static void set_experts(fit *f, const bbans_grid_model *m)
{
    const size_t columns = f->grid->columns;
    size_t k, x;

    memset(f->expert, 0, columns);
    for (k = 0; k < m->experts; k++) {
        set_residuals(f, m, f->grid->expert + m->first + k, f->residual);
        smooth(f, f->residual, k == 0 ? f->energy : f->other);
        for (x = 0; k > 0 && x < columns; x++)
            if (f->other[x] < f->energy[x]) {
                f->energy[x] = f->other[x];
                f->expert[x] = (uint8_t)k;
            }
    }
}

/* Near the inverses of energies, 2^WEIGHT_BITS at most. */
static void set_weights(fit *f)
{
    size_t x;

    for (x = 0; x < f->grid->columns; x++) {
        uint64_t ratio = 8 * f->energy[x] / (f->scale + 1) + 1;

        ratio = ratio > 1024 ? 1024 : ratio;
        ratio = ratio * ratio / 8;
        f->weight[x] = (int32_t)(ratio >= 512 ? 1
                                 : ratio < 8  ? 1 << WEIGHT_BITS
                                              : 512 / ratio);
    }
}

/* ---- Factors --------------------------------------------------------------
 */

static int64_t entry(const fit *f, size_t i, size_t j)
{
    return i <= j ? f->sum[i * SIZE + j] : f->sum[j * SIZE + i];
}

/* Cholesky, row by row, as of signals. */
static void factorise(fit *f)
{
    elimination *c = &f->factor;
    size_t i, j, k;

    for (i = 0; i <= c->n; i++) {
        const int64_t energy = entry(f, c->index[i], c->index[i]);
        int64_t *row = c->row[i], s;

        c->scale[i] = (int)(bbans_bits_of((uint64_t)energy) + 1) / 2;
        for (j = 0; j < i; j++) {
            s = bbans_shifted(entry(f, c->index[i], c->index[j]),
                              BBANS_ONE_BITS - c->scale[i] - c->scale[j]);
            if (c->turn[j] < 0) {
                row[j] = 0;
                continue;
            }
            for (k = 0; k < j; k++)
                s -= bbans_fixed_product(row[k], c->row[j][k]);
            s = s > BBANS_ONE ? BBANS_ONE : s < -BBANS_ONE ? -BBANS_ONE : s;
            s = bbans_shifted(bbans_fixed_product(s, c->inverse[j]),
                              c->turn[j] - 1);
            row[j] = s > BBANS_ONE    ? BBANS_ONE
                     : s < -BBANS_ONE ? -BBANS_ONE
                                      : s;
        }
        s = bbans_shifted(energy, BBANS_ONE_BITS - 2 * c->scale[i]);
        if (i == c->n)
            c->left[0] = s;
        for (k = 0; k < i; k++) {
            s -= bbans_fixed_product(row[k], row[k]);
            if (i == c->n)
                c->left[k + 1] = s;
        }
        c->pivot[i] = s;
        if (i == c->n)
            break;
        c->turn[i] = -1;
        if (s >= BBANS_ONE >> 36) {
            c->turn[i] = (int)(63 - bbans_bits_of((uint64_t)s)) / 2;
            c->inverse[i] = bbans_inverse_root((uint64_t)s << (2 * c->turn[i]));
        }
    }
}

/* The exponent of what tap i's solution is worth. */
static int worth(const fit *f, size_t i)
{
    const elimination *c = &f->factor;

    return c->scale[c->n] - c->scale[i] + (c->index[i] == 0 ? (int)f->down : 0);
}

/* The precision for which rounding tap i costs 1 / n of the energy left. */
static int precision_of(const fit *f, size_t i, int64_t left, int64_t pixels)
{
    const elimination *c = &f->factor;
    const int64_t log = bbans_fixed_log2((uint64_t)left) -
                        bbans_fixed_log2((uint64_t)pixels) + 4 * 65536;

    return c->turn[i] < 0 ? 0
                          : (int)bbans_floor_shift(
                                bbans_fixed_log2((uint64_t)c->pivot[i]) - log +
                                    2 * 65536 - 1,
                                17) -
                                worth(f, i);
}

/* From the last tap to the first, each rounded and the ones before it solved
 * for what it is; returns 0 if one is out of bounds. */
static int solve(const fit *f, const bbans_grid_model *m, bbans_grid_expert *e)
{
    const elimination *c = &f->factor;
    int64_t solution[SIZE];
    size_t i, k;

    for (i = c->n; i-- > 0;) {
        const int value = worth(f, i);
        const int precision =
            c->index[i] == 0 ? BBANS_SIGNAL_MU_BITS : (int)m->shift;
        const int down = SOLUTION_BITS - value - precision;
        int64_t s =
            bbans_floor_shift(c->row[c->n][i], BBANS_ONE_BITS - SOLUTION_BITS);
        int64_t q = 0;

        if (c->turn[i] >= 0) {
            for (k = i + 1; k < c->n; k++)
                s -= bbans_fixed_product(c->row[k][i], solution[k]);
            if (bbans_size_of(s) >> BBANS_ONE_BITS != 0)
                return 0;
            s = bbans_shifted(bbans_fixed_product(s, c->inverse[i]),
                              c->turn[i] - 1);
            if (bbans_size_of(s) >> BBANS_ONE_BITS != 0)
                return 0;
            q = bbans_shifted(s, -(down > 0 ? down - 1 : down));
            if (down > 0)
                q = bbans_floor_shift(q + 1, 1);
        }
        if (bbans_size_of(q) >> (c->index[i] == 0 ? 38 : 24) != 0)
            return 0;
        solution[i] = bbans_shifted(q, SOLUTION_BITS - value - precision);
        if (bbans_size_of(solution[i]) >> BBANS_ONE_BITS != 0)
            return 0;
        if (c->index[i] == 0)
            e->constant = q;
        else
            e->coefficient[c->index[i] - 1] = (int32_t)q;
    }
    return 1;
}

/* Half the logarithm of the energy left for each of `pixels`, in 2^-16 bits. */
static int64_t cost_of(const fit *f, size_t taps, int64_t pixels)
{
    const elimination *c = &f->factor;
    const int64_t left = c->left[taps] > 0 ? c->left[taps] : 0;
    const int64_t energy =
        bbans_shifted(left, 2 * c->scale[c->n] - BBANS_ONE_BITS);
    const int64_t rounding = f->sum[0] / 12;

    return bbans_fixed_log2((uint64_t)(energy + rounding + 1)) / 2 * pixels;
}

#define TAP_COST (7 * 65536)

/* Of a model with all there is to the best part of it: which references, and
 * how many own taps. */
static void choose(fit *f, bbans_grid_model *m, int64_t pixels)
{
    elimination *c = &f->factor;
    const bbans_grid_model all = *m;
    unsigned use = (1u << all.refs) - 1, i;
    int64_t best = INT64_MAX;
    unsigned own = all.own, best_use = use;
    size_t at, k;

    for (;;) {
        unsigned next = use;
        int64_t next_best = INT64_MAX;

        for (i = 0; i <= all.refs; i++) {
            /* First as it is, then without one reference. */
            const unsigned tried = i == 0 ? use : use & ~(1u << (i - 1));
            int64_t least = INT64_MAX;
            unsigned n_own = 0;
            size_t taps = 0;

            if (i > 0 && (use >> (i - 1) & 1) == 0)
                continue;
            if (i == 0 && best != INT64_MAX)
                continue;
            c->n = 0;
            c->index[c->n++] = 0;
            at = 1 + all.own;
            for (k = 0; k < all.refs; at += all.round[k++])
                if (tried >> k & 1)
                    for (taps = 0; taps < all.round[k]; taps++)
                        c->index[c->n++] = at + taps;
            taps = c->n;
            for (k = 0; k < all.own; k++)
                c->index[c->n++] = 1 + k;
            c->index[c->n] = count(&all);
            factorise(f);
            for (k = 0; k <= all.own; k++) {
                const int64_t cost = cost_of(f, taps + k, pixels) +
                                     (int64_t)(taps + k) * TAP_COST;

                if (cost < least) {
                    least = cost;
                    n_own = (unsigned)k;
                }
            }
            if (i == 0) {
                best = least;
                own = n_own;
                best_use = use;
            } else if (least < next_best) {
                next_best = least;
                next = tried;
                if (least <= best) {
                    own = n_own;
                }
            }
        }
        if (next == use || next_best > best)
            break;
        best = next_best;
        use = best_use = next;
    }
    m->own = own;
    m->refs = 0;
    for (k = 0; k < all.refs; k++)
        if (best_use >> k & 1) {
            m->ref[m->refs] = all.ref[k];
            m->round[m->refs++] = all.round[k];
        }
}

static void index_taps(fit *f, const bbans_grid_model *m)
{
    elimination *c = &f->factor;
    const size_t n = count(m);
    size_t i;

    c->n = 0;
    c->index[c->n++] = 0;
    for (i = 1 + m->own; i < n; i++)
        c->index[c->n++] = i;
    for (i = 1; i <= m->own; i++)
        c->index[c->n++] = i;
    c->index[c->n] = n;
}

/* An expert from its sums. */
static void solve_expert(fit *f, bbans_grid_model *m, size_t expert,
                         int64_t pixels)
{
    bbans_grid_expert *e = f->grid->expert + m->first + expert;
    const size_t n = count(m);
    int64_t left, sum = 0, used = 0;
    size_t i;

    f->sum = f->sums[expert];
    index_taps(f, m);
    factorise(f);
    if (expert == 0) {
        left = f->factor.left[n] > BBANS_ONE >> 50 ? f->factor.left[n]
                                                   : BBANS_ONE >> 50;
        for (i = 1; i < n; i++)
            if (f->factor.turn[i] >= 0) {
                sum += precision_of(f, i, left, pixels);
                used++;
            }
        sum = used > 0 ? sum / used + 1 : 10;
        m->shift = (unsigned)(sum < 10 ? 10 : sum > 16 ? 16 : sum);
    }
    memset(e, 0, sizeof *e);
    if (!solve(f, m, e)) {
        memset(e, 0, sizeof *e);
        if (m->own > 0)
            e->coefficient[0] = 1 << m->shift;
    }
}

/* ---- Models of a band ------------------------------------------------------
 */

enum { PLAIN, NEAREST, BY_ENERGY };

#define LOGS 256

static unsigned log_of(uint64_t v) /* 4 log2 */
{
    const unsigned bits = bbans_bits_of(v);

    return 4 * bits + (bits > 2 ? (unsigned)(v >> (bits - 3) & 3) : 0);
}

/* As many pixels for each expert, by their logarithms. */
static void set_ranks(const uint32_t *seen, uint64_t pixels, unsigned experts,
                      uint32_t *rank)
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < LOGS; i++) {
        rank[i] = (uint32_t)((sum + seen[i] / 2) * experts / (pixels + 1));
        sum += seen[i];
    }
}

/* Sums of rows first .. end - 1 of all, of about so many pixels: alike; or of
 * each expert where it is nearest, or by how large errors of the first are,
 * with weights. */
static void sample(fit *f, const bbans_grid_model *m, size_t first, size_t end,
                   size_t pixels, int way)
{
    const bbans_grid_values *g = f->grid;
    const size_t want = pixels / g->columns + 1;
    const size_t step = (end - first - 1) / want + 1;
    const size_t n = count(m);
    uint32_t seen[LOGS] = {0}, rank[LOGS];
    uint64_t sum = 0, pixel = 0;
    size_t y, x, k;
    int pass;

    memset(f->sums, 0, m->experts * sizeof *f->sums);
    for (pass = way == BY_ENERGY ? 0 : 1; pass < 2; pass++) {
        if (pass == 1)
            set_ranks(seen, pixel, m->experts, rank);
        for (y = first + (step - 1) / 2; y < end; y += step) {
            begin_row(f, y / g->rows, y % g->rows, m);
            if (way == PLAIN) {
                memset(f->expert, 0, g->columns);
                for (x = 0; x < g->columns; x++)
                    f->weight[x] = 1;
            } else {
                bbans_grid_model one = *m;

                if (way == BY_ENERGY)
                    one.experts = 1;
                set_experts(f, &one);
                for (x = 0; x < g->columns; x++)
                    sum += f->energy[x];
                pixel += g->columns;
                if (pass == 0) {
                    for (x = 0; x < g->columns; x++)
                        seen[log_of(f->energy[x])]++;
                    continue;
                }
                if (way == BY_ENERGY)
                    for (x = 0; x < g->columns; x++)
                        f->expert[x] = (uint8_t)rank[log_of(f->energy[x])];
                set_weights(f);
            }
            for (k = 0; k < m->experts; k++)
                add_row(f, n, k);
        }
    }
    if (way != PLAIN)
        f->scale = sum / (pixel + 1);
}

#define PARTS 3 /* the first frame, those after it, those a period after it */

/* For so many experts, one for each other part of the band, and one for each
 * band that follows. */
static int have_room(const fit *f, unsigned experts)
{
    const bbans_grid_values *g = f->grid;

    return g->experts + experts + PARTS - 1 + (g->bands - f->band - 1) <=
           bbans_grid_models((uint64_t)g->pixels * g->bands);
}

/* A band's last model, from `row` to `end`, with the references given. */
static void fit_model(fit *f, bbans_grid_model *m, size_t row, size_t end,
                      int level)
{
    bbans_grid_values *g = f->grid;
    const size_t pixels = (end - row) * g->columns;
    const size_t share = level < 7 ? pixels / 4 : pixels;
    const size_t limit = (size_t)1 << (level < 4   ? 15
                                       : level < 7 ? 16
                                       : level < 9 ? 17
                                                   : 18);
    const size_t most = share < limit ? share : limit;
    unsigned i, k, experts;

    m->row = row;
    m->first = g->experts;
    m->experts = 1;
    m->own = level < 4 ? 6 : level < 7 ? 12 : 18;
    for (i = 0; i < m->refs; i++)
        m->round[i] = level < 4 ? 5 : level < 7 ? 9 : 13;
    m->share = m->refs > 0 ? 4 : 0;
    sample(f, m, row, end, most / 2, PLAIN);
    f->sum = f->sums[0];
    choose(f, m, (int64_t)pixels);
    sample(f, m, row, end, most, PLAIN);
    solve_expert(f, m, 0, (int64_t)pixels);
    if (level < 4)
        return;
    sample(f, m, row, end, most, NEAREST); /* for its scale */
    sample(f, m, row, end, most, NEAREST);
    solve_expert(f, m, 0, (int64_t)pixels);
    experts = level < 7 ? 4 : 8;
    if (experts > 1 + pixels / 4096)
        experts = 1 + (unsigned)(pixels / 4096);
    if (experts > bbans_grid_experts(g->columns))
        experts = bbans_grid_experts(g->columns);
    if (!have_room(f, experts))
        experts = 1;
    if (experts == 1)
        return;
    m->experts = experts;
    sample(f, m, row, end, most, BY_ENERGY);
    for (k = 0; k < experts; k++)
        solve_expert(f, m, k, (int64_t)pixels);
    for (i = 0; i < (level < 7 ? 3 : 6); i++) {
        sample(f, m, row, end, most, NEAREST);
        for (k = 0; k < experts; k++)
            solve_expert(f, m, k, (int64_t)pixels);
    }
}

static void add_ref(bbans_grid_model *m, size_t frames, size_t bands)
{
    if (m->refs < BBANS_GRID_REFS) {
        m->ref[m->refs].frames = frames;
        m->ref[m->refs++].bands = bands;
    }
}

/* References in the model's own frame. */
static unsigned helpers(const bbans_grid_model *m)
{
    unsigned n = 0, i;

    for (i = 0; i < m->refs; i++)
        n += m->ref[i].frames == 0;
    return n;
}

/* Whether there may be another model, from a frame on. */
static int may_follow(const fit *f, const bbans_grid_model *before,
                      size_t frames)
{
    const bbans_grid_values *g = f->grid;
    const size_t used = (size_t)(before - g->model) + 1;

    return have_room(f, 1) && frames > 0 &&
           frames <= (g->all_rows - 1) / g->rows &&
           frames * g->rows > before->row &&
           used + 2 * (g->bands - f->band) <
               bbans_grid_models((uint64_t)g->pixels * g->bands);
}

void bbans_grid_fit(bbans_grid_values *grid, size_t band, int level,
                    bbans_grid_rows *rows, void *work)
{
    fit *f = (fit *)work;
    bbans_grid_band *b = grid->band + band;
    const int direct = b->transform.range.direct;
    bbans_grid_model *m = grid->model + grid->models;
    uint32_t most = 1;
    uint8_t *rest = (uint8_t *)work + bbans_aligned(sizeof(fit));
    size_t i, end;

    f->grid = grid;
    f->rows = rows;
    f->band = band;
    f->scale = 0;
    f->residual = (int64_t *)(void *)rest;
    f->energy = (uint64_t *)(void *)(f->residual + grid->columns);
    f->other = f->energy + grid->columns;
    f->value = (int32_t *)(void *)(f->other + grid->columns);
    f->weighted = f->value + VALUES * grid->columns;
    f->weight = f->weighted + grid->columns;
    f->expert = (uint8_t *)(f->weight + grid->columns);
    for (i = 0; i <= band; i++) {
        const uint32_t width =
            bbans_range_width(&grid->band[i].transform.range);

        most = width > most ? width : most;
    }
    f->down = (unsigned)bbans_bit_length(most) > VALUE_BITS + 1
                  ? (unsigned)bbans_bit_length(most) - VALUE_BITS - 1
                  : 0;
    b->first = grid->models;
    for (b->models = 0; b->models < PARTS; b->models++) {
        const bbans_grid_model *before = m + b->models - 1;
        const size_t frames = b->models == 0   ? 0
                              : b->models == 1 ? 1
                                               : grid->period;
        bbans_grid_model *next = m + b->models;

        if (b->models > 0 && !may_follow(f, before, frames))
            break;
        memset(next, 0, sizeof *next);
        next->shift = BBANS_GRID_SHIFT_MIN;
        next->row = frames * grid->rows;
        if (b->models > 0)
            add_ref(next, 1, 0);
        if (b->models > 1)
            add_ref(next, frames, 0);
        for (i = 1; i <= 2 && i <= band; i++)
            add_ref(next, 0, i);
    }
    /* The last one first: those before it end where it helps to begin. */
    end = grid->all_rows;
    for (i = b->models; i-- > 0;) {
        bbans_grid_model *part = m + i;

        if (!direct)
            fit_model(f, part, part->row, end, level);
        if (i > 0 && !direct && part->refs == helpers(part)) {
            memmove(part, part + 1, (b->models - i - 1) * sizeof *part);
            b->models--;
            continue;
        }
        grid->experts += part->experts;
        end = part->row;
    }
    grid->models += b->models;
}
#endif /* BBANS_DECODER_ONLY */
