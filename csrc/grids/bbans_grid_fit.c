/* Predictions of planes, fitted in integers.  docs/maths.md, "Grids".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_grids.h"

#include "../signals/bbans_fixed_point.h"

#ifndef BBANS_DECODER_ONLY
#define TAPS BBANS_GRID_TAPS
#define SIZE (TAPS + 2) /* with the constant and the target */
#define VALUE_BITS 18   /* of what is multiplied */
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
} factor;

typedef struct {
    bbans_grid_values *grid;
    bbans_grid_rows *rows;
    size_t band;
    unsigned down; /* values are halved so often */
    int64_t sum[SIZE * SIZE];
    int64_t pixels; /* that were sampled */
    factor factor;
    const int32_t *tap[SIZE]; /* in the row in work; the last is the target */
    int32_t *value, *weighted, *weight; /* [TAPS + 1][columns], [columns] .. */
    int64_t *residual;                  /* [columns] */
} fit;

size_t bbans_grid_fit_bytes(uint64_t columns)
{
    return (size_t)bbans_aligned(sizeof(fit)) +
           (size_t)bbans_aligned(4 * (TAPS + 3) * columns) +
           (size_t)(8 * columns);
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

static void add_row(fit *f, size_t n, int weigh)
{
    const size_t columns = f->grid->columns;
    size_t i, j, x;

    for (i = 1; i <= n; i++)
        for (x = 0; x < columns; x++)
            f->value[i * columns + x] =
                (int32_t)bbans_floor_shift(f->tap[i][x], f->down);
    for (x = 0; x < columns; x++) {
        f->value[x] = 1;
        if (!weigh)
            f->weight[x] = 1;
    }
    for (i = 0; i <= n; i++) {
        const int32_t *a = f->value + i * columns;

        for (x = 0; x < columns; x++)
            f->weighted[x] = a[x] * f->weight[x];
        for (j = i; j <= n; j++) {
            const int32_t *b = f->value + j * columns;
            int64_t s = 0;

            for (x = 0; x < columns; x++)
                s += (int64_t)f->weighted[x] * b[x];
            f->sum[i * SIZE + j] += s;
        }
    }
    f->pixels += (int64_t)columns;
}

/* What a model leaves of the row. */
static void set_residuals(fit *f, const bbans_grid_model *m)
{
    const size_t columns = f->grid->columns, n = count(m);
    size_t i, x;

    for (x = 0; x < columns; x++)
        f->residual[x] =
            m->constant * ((int64_t)1 << (m->shift - BBANS_SIGNAL_MU_BITS));
    for (i = 1; i < n; i++)
        for (x = 0; x < columns; x++)
            f->residual[x] += (int64_t)m->coefficient[i - 1] * f->tap[i][x];
    for (x = 0; x < columns; x++)
        f->residual[x] =
            (int64_t)f->tap[n][x] * 256 -
            bbans_floor_shift(f->residual[x], m->shift - BBANS_SIGNAL_MU_BITS);
}

/* Near the inverses of energies around, 2^WEIGHT_BITS at most. */
static void set_weights(fit *f, uint64_t floor)
{
    const size_t columns = f->grid->columns;
    size_t x, i;

    for (x = 0; x < columns; x++) {
        const size_t first = x < 3 ? 0 : x - 3;
        const size_t end = x + 4 < columns ? x + 4 : columns;
        uint64_t sum = 0, ratio;

        for (i = first; i < end; i++)
            sum += bbans_size_of(f->residual[i]);
        sum = sum / (end - first) + 1;
        ratio = 8 * sum / (floor + 1) + 1; /* 8: as most are */
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
    factor *c = &f->factor;
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
    const factor *c = &f->factor;

    return c->scale[c->n] - c->scale[i] + (c->index[i] == 0 ? (int)f->down : 0);
}

/* The precision for which rounding tap i costs 1 / n of the energy left. */
static int precision_of(const fit *f, size_t i, int64_t left, int64_t pixels)
{
    const factor *c = &f->factor;
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
static int solve(const fit *f, bbans_grid_model *m)
{
    const factor *c = &f->factor;
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
            m->constant = q;
        else
            m->coefficient[c->index[i] - 1] = (int32_t)q;
    }
    return 1;
}

/* Half the logarithm of the energy left for each of `pixels`, in 2^-16 bits. */
static int64_t cost_of(const fit *f, size_t taps, int64_t pixels)
{
    const factor *c = &f->factor;
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
    factor *c = &f->factor;
    const bbans_grid_model all = *m;
    unsigned use = (1u << all.refs) - 1, i;
    int64_t best = INT64_MAX;
    unsigned own = all.own, best_use = use;
    size_t at, k;

    for (;;) {
        unsigned tried = use, next = use;
        int64_t next_best = INT64_MAX;

        for (i = 0; i <= all.refs; i++) {
            int64_t least = INT64_MAX;
            unsigned n_own = 0;
            size_t taps = 0;

            /* First as it is, then without one reference. */
            if (i > 0 && (use >> (i - 1) & 1) == 0)
                continue;
            if (i == 0 && best != INT64_MAX)
                continue;
            tried = i == 0 ? use : use & ~(1u << (i - 1));
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

/* The sums have the model's taps; returns half the logarithm, as cost_of. */
static int64_t solve_model(fit *f, bbans_grid_model *m, int64_t pixels)
{
    factor *c = &f->factor;
    const size_t n = count(m);
    int64_t left, sum = 0, used = 0;
    size_t i;

    c->n = 0;
    c->index[c->n++] = 0;
    for (i = 1 + m->own; i < n; i++)
        c->index[c->n++] = i;
    for (i = 1; i <= m->own; i++)
        c->index[c->n++] = i;
    c->index[c->n] = n;
    factorise(f);
    left = c->left[n] > BBANS_ONE >> 50 ? c->left[n] : BBANS_ONE >> 50;
    for (i = 1; i < n; i++)
        if (c->turn[i] >= 0) {
            sum += precision_of(f, i, left, pixels);
            used++;
        }
    sum = used > 0 ? sum / used + 1 : 10;
    m->shift = (unsigned)(sum < 10 ? 10 : sum > 18 ? 18 : sum);
    memset(m->coefficient, 0, sizeof m->coefficient);
    for (;; m->shift--) {
        if (solve(f, m))
            break;
        if (m->shift == BBANS_GRID_SHIFT_MIN) {
            memset(m->coefficient, 0, sizeof m->coefficient);
            m->constant = 0;
            if (m->own > 0)
                m->coefficient[0] = 1 << BBANS_GRID_SHIFT_MIN;
            break;
        }
    }
    return cost_of(f, n, pixels);
}

/* ---- Models of a band ------------------------------------------------------
 */

/* Sums of rows first .. end - 1 of all, so many of them. */
static void sample(fit *f, const bbans_grid_model *m, size_t first, size_t end,
                   size_t pixels, const bbans_grid_model *weigh)
{
    const bbans_grid_values *g = f->grid;
    const size_t want = pixels / g->columns + 1;
    const size_t step = (end - first) / want + 1;
    const size_t n = count(m);
    uint64_t floor = 0;
    size_t y, x;
    int pass;

    f->pixels = 0;
    memset(f->sum, 0, sizeof f->sum);
    for (pass = weigh == NULL; pass < 2; pass++) {
        uint64_t seen = 0;

        for (y = first + (step - 1) / 2; y < end; y += step) {
            begin_row(f, y / g->rows, y % g->rows, m);
            if (weigh != NULL) {
                set_taps(f, weigh);
                set_residuals(f, weigh);
                set_taps(f, m);
                if (pass == 0) {
                    for (x = 0; x < g->columns; x++)
                        floor += bbans_size_of(f->residual[x]);
                    seen += g->columns;
                    continue;
                }
                set_weights(f, floor);
            }
            add_row(f, n, weigh != NULL);
        }
        if (pass == 0)
            floor = seen > 0 ? floor / seen : 0;
    }
}

/* A band's last model, from `row` to `end`, with the references given. */
static int64_t fit_model(fit *f, bbans_grid_model *m, size_t row, size_t end,
                         int level)
{
    const bbans_grid_values *g = f->grid;
    const size_t most = level < 4   ? (size_t)1 << 15
                        : level < 7 ? (size_t)1 << 17
                                    : (size_t)1 << 19;
    const int64_t pixels = (int64_t)((end - row) * g->columns);
    unsigned i;
    int64_t cost;

    m->row = row;
    m->own = level < 4 ? 6 : level < 7 ? 12 : 18;
    for (i = 0; i < m->refs; i++)
        m->round[i] = level < 4 ? 5 : level < 7 ? 9 : 13;
    m->share = m->refs > 0 ? 6 : 0;
    sample(f, m, row, end, most / 4, NULL);
    choose(f, m, pixels);
    sample(f, m, row, end, most, NULL);
    cost = solve_model(f, m, pixels);
    if (level >= 4) {
        bbans_grid_model before = *m;

        sample(f, m, row, end, most, &before);
        (void)solve_model(f, m, pixels);
    }
    return cost;
}

static void add_ref(bbans_grid_model *m, size_t frames, size_t bands)
{
    if (m->refs < BBANS_GRID_REFS) {
        m->ref[m->refs].frames = frames;
        m->ref[m->refs++].bands = bands;
    }
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
    size_t i, first = 0;

    f->grid = grid;
    f->rows = rows;
    f->band = band;
    f->residual = (int64_t *)(void *)rest;
    f->value = (int32_t *)(void *)(rest + 8 * grid->columns);
    f->weighted = f->value + (TAPS + 1) * grid->columns;
    f->weight = f->weighted + grid->columns;
    for (i = 0; i <= band; i++) {
        const uint32_t width =
            bbans_range_width(&grid->band[i].transform.range);

        most = width > most ? width : most;
    }
    f->down = (unsigned)bbans_bit_length(most) > VALUE_BITS + 1
                  ? (unsigned)bbans_bit_length(most) - VALUE_BITS - 1
                  : 0;
    b->first = grid->models;
    b->models = 1;
    memset(m, 0, sizeof *m);
    m->shift = BBANS_GRID_SHIFT_MIN;
    if (grid->all_rows > grid->rows) {
        bbans_grid_model *next = m + 1;

        memset(next, 0, sizeof *next);
        next->shift = BBANS_GRID_SHIFT_MIN;
        next->row = grid->rows;
        add_ref(next, 1, 0);
        for (i = 1; i <= 2 && i <= band; i++)
            add_ref(next, 0, i);
        if (direct || (fit_model(f, next, grid->rows, grid->all_rows, level),
                       next->refs > 0 && next->ref[0].frames > 0))
            first = grid->rows;
    }
    for (i = 1; i <= 2 && i <= band; i++)
        add_ref(m, 0, i);
    if (!direct)
        fit_model(f, m, 0, first > 0 ? first : grid->all_rows, level);
    if (first > 0)
        b->models = 2;
    grid->models += b->models;
}
#endif /* BBANS_DECODER_ONLY */
