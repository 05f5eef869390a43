/* Predictions of planes: the rows around one, and models in a block.
 * docs/maths.md, "Grids".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_grids.h"

#define MARGIN BBANS_GRID_MARGIN

const bbans_grid_place bbans_grid_own[BBANS_GRID_OWN] = {
    {0, -1}, {1, 0},  {1, -1}, {1, 1},  {0, -2}, {2, 0},
    {2, 1},  {2, -1}, {1, 2},  {1, -2}, {0, -3}, {3, 0},
    {2, 2},  {2, -2}, {1, 3},  {1, -3}, {3, 1},  {3, -1}};
const bbans_grid_place bbans_grid_round[BBANS_GRID_ROUND] = {
    {0, 0},  {0, -1}, {0, 1},  {-1, 0}, {1, 0},  {-1, -1}, {-1, 1},
    {1, -1}, {1, 1},  {0, -2}, {0, 2},  {-2, 0}, {2, 0}};

/* ---- Rows ----------------------------------------------------------------
 */

static int32_t *cut(uint8_t **rest, size_t columns)
{
    int32_t *row = (int32_t *)(void *)*rest + MARGIN;

    *rest += 4 * (columns + 2 * MARGIN);
    return row;
}

void bbans_grid_rows_init(bbans_grid_rows *r, const bbans_grid_values *grid,
                          void *memory)
{
    const size_t width = grid->columns + 2 * MARGIN;
    const unsigned experts = bbans_grid_experts(grid->columns);
    uint8_t *rest = (uint8_t *)memory;
    size_t i, k;

    memset(r, 0, sizeof *r);
    memset(memory, 0, (size_t)bbans_grid_row_bytes(grid->columns));
    r->grid = grid;
    r->above = (uint64_t *)(void *)rest;
    r->beside = r->above + width;
    rest = (uint8_t *)(r->beside + width);
    for (i = 0; i < experts; i++) {
        r->expert[i].sum = (int64_t *)(void *)rest;
        r->expert[i].above = (uint64_t *)(void *)(r->expert[i].sum + width);
        rest = (uint8_t *)(r->expert[i].above + width);
    }
    for (i = 0; i < experts; i++)
        for (k = 0; k < 3; k++)
            r->expert[i].error[k] = cut(&rest, grid->columns);
    for (k = 0; k <= BBANS_GRID_ABOVE; k++)
        r->own[k] = cut(&rest, grid->columns);
    for (k = 0; k < 3; k++)
        r->error[k] = cut(&rest, grid->columns);
    for (i = 0; i < BBANS_GRID_REFS; i++)
        for (k = 0; k < BBANS_GRID_WINDOW; k++)
            r->ref[i][k] = cut(&rest, grid->columns);
    for (i = 0; i < BBANS_GRID_ERRORS; i++)
        for (k = 0; k < 3; k++)
            r->ref_error[i][k] = cut(&rest, grid->columns);
}

void bbans_grid_rows_plane(bbans_grid_rows *r, size_t frame, size_t band)
{
    const bbans_grid_values *g = r->grid;

    r->frame = frame;
    r->band = band;
    r->first = frame * g->rows;
    r->rows =
        g->all_rows - r->first < g->rows ? g->all_rows - r->first : g->rows;
}

const bbans_grid_model *bbans_grid_model_of(const bbans_grid_values *grid,
                                            size_t band, size_t row)
{
    const bbans_grid_band *b = grid->band + band;
    const bbans_grid_model *model = grid->model + b->first;
    size_t i = 0;

    while (i + 1 < b->models && model[i + 1].row <= row)
        i++;
    return model + i;
}

/* What is outside is as the nearest inside. */
static void fill(int32_t *to, const int32_t *from, size_t columns)
{
    size_t i;

    memcpy(to, from, columns * sizeof *to);
    for (i = 1; i <= MARGIN; i++) {
        to[-(ptrdiff_t)i] = from[0];
        to[columns - 1 + i] = from[columns - 1];
    }
}

static void fill_with(int32_t *to, int32_t value, size_t columns)
{
    size_t i;

    for (i = 0; i < columns + 2 * MARGIN; i++)
        to[(ptrdiff_t)i - MARGIN] = value;
}

static uint64_t size_of(int32_t e)
{
    return (uint64_t)(e < 0 ? -(int64_t)e : e);
}

/* Before any of the row is known: all around it. */
void bbans_grid_rows_begin(bbans_grid_rows *r, size_t row,
                           const bbans_grid_model *model)
{
    const bbans_grid_values *g = r->grid;
    const size_t columns = g->columns;
    const size_t at = r->band * g->pixels + (r->first + row) * columns;
    size_t i, k;

    /* Experts begin with nothing to say which of them is right. */
    for (i = 0; (row == 0 || model != r->model) && i < model->experts; i++)
        for (k = 0; k < 3; k++)
            fill_with(r->expert[i].error[k], 0, columns);
    r->row = row;
    r->model = model;
    for (k = 1; k <= BBANS_GRID_ABOVE; k++) {
        if (row > 0) {
            const size_t up = (k < row ? k : row) * columns;

            fill(r->own[k], g->value + at - up, columns);
            if (k < 3)
                fill(r->error[k], g->error + at - up, columns);
        }
    }
    if (row > 0) {
        fill_with(r->own[0], r->own[1][0], 0);
        fill_with(r->error[0], r->error[1][0], 0);
    } else {
        const int32_t first =
            r->frame > 0
                ? g->value[r->band * g->pixels + (r->first - g->rows) * columns]
                : 0;
        const uint64_t mean = g->band[r->band].mean >> 7;

        for (k = 0; k <= BBANS_GRID_ABOVE; k++)
            fill_with(r->own[k], first, 0);
        for (k = 0; k < 3; k++)
            fill_with(r->error[k],
                      (int32_t)(mean < INT32_MAX ? mean : INT32_MAX), 0);
    }
    for (i = 0; i < model->refs; i++) {
        const size_t band = r->band - model->ref[i].bands;
        const size_t top = r->first - model->ref[i].frames * g->rows;
        const size_t rows = model->ref[i].frames > 0 ? g->rows : r->rows;
        const size_t plane = band * g->pixels + top * columns;

        for (k = 0; k < BBANS_GRID_WINDOW; k++) {
            size_t y =
                row + k < BBANS_GRID_AROUND ? 0 : row + k - BBANS_GRID_AROUND;

            y = y < rows ? y : rows - 1;
            fill(r->ref[i][k], g->value + plane + y * columns, columns);
            if (i < BBANS_GRID_ERRORS && k >= 1 && k <= 3)
                fill(r->ref_error[i][k - 1], g->error + plane + y * columns,
                     columns);
        }
    }
}

/* Of one row of taps that are known before the row. */
static void add_row(const bbans_grid_rows *r, const int32_t *coefficient,
                    const int32_t *values, int64_t *sum)
{
    size_t first = 0, end = 2 * MARGIN + 1;

    while (first < end && coefficient[first] == 0)
        first++;
    while (end > first && coefficient[end - 1] == 0)
        end--;
    if (end > first)
        bbans_kernel.predict->fir(coefficient + first, end - first,
                                  values + first - MARGIN, r->grid->columns,
                                  sum);
}

/* In the first row of a plane those above are as the value before. */
static void add_rows(bbans_grid_rows *r, const bbans_grid_expert *e,
                     int64_t *sum, int64_t *left)
{
    const bbans_grid_model *m = r->model;
    int32_t c[BBANS_GRID_WINDOW][2 * MARGIN + 1];
    const int32_t *at = e->coefficient;
    size_t i, k, x;

    for (x = 0; x < r->grid->columns; x++)
        sum[x] =
            e->constant * ((int64_t)1 << (m->shift - BBANS_SIGNAL_MU_BITS));
    memset(c, 0, sizeof c);
    left[0] = left[1] = left[2] = 0;
    for (i = 0; i < m->own; i++) {
        const bbans_grid_place p = bbans_grid_own[i];

        if (p.row == 0)
            left[-p.column - 1] += *at++;
        else if (r->row == 0)
            left[0] += *at++;
        else
            c[p.row][p.column + MARGIN] = *at++;
    }
    for (k = 1; k <= BBANS_GRID_ABOVE && r->row > 0; k++)
        add_row(r, c[k], r->own[k], sum);
    for (i = 0; i < m->refs; i++) {
        memset(c, 0, sizeof c);
        for (k = 0; k < m->round[i]; k++) {
            const bbans_grid_place p = bbans_grid_round[k];

            c[p.row + BBANS_GRID_AROUND][p.column + MARGIN] = *at++;
        }
        for (k = 0; k < BBANS_GRID_WINDOW; k++)
            add_row(r, c[k], r->ref[i][k], sum);
    }
}

void bbans_grid_rows_sums(bbans_grid_rows *r)
{
    const bbans_grid_model *m = r->model;
    const size_t columns = r->grid->columns;
    size_t i, x;

    for (i = 0; i < m->experts; i++) {
        const int32_t *a = r->expert[i].error[1];
        const int32_t *b = r->expert[i].error[2];

        add_rows(r, r->grid->expert + m->first + i, r->expert[i].sum,
                 r->expert[i].left);
        if (m->experts == 1)
            break;
        r->expert[i].error[0][-1] = a[0];
        r->expert[i].error[0][-2] = a[0];
        for (x = 0; x < columns; x++, a++, b++)
            r->expert[i].above[x] = 6 * size_of(a[0]) + 4 * size_of(a[1]) +
                                    4 * size_of(a[-1]) + 2 * size_of(a[2]) +
                                    2 * size_of(b[0]) + size_of(b[1]) +
                                    size_of(b[-1]);
    }
    for (x = 0; x < columns; x++) {
        const int32_t *a = r->error[1] + x, *b = r->error[2] + x;

        r->above[x] = r->row == 0 ? 0
                                  : 4 * size_of(a[0]) + 3 * size_of(a[1]) +
                                        2 * size_of(a[-1]) + size_of(b[0]);
    }
    if (m->refs > 0)
        for (x = 0; x < columns; x++) {
            const int32_t *a = r->ref_error[0][0] + x;
            const int32_t *b = r->ref_error[0][1] + x;
            const int32_t *d = r->ref_error[0][2] + x;

            r->beside[x] = 6 * size_of(b[0]) + 2 * size_of(b[-1]) +
                           2 * size_of(b[1]) + 2 * size_of(a[0]) +
                           2 * size_of(d[0]) + size_of(a[1]) + size_of(d[-1]);
        }
}

/* Errors of experts move up. */
void bbans_grid_rows_end(bbans_grid_rows *r)
{
    const size_t columns = r->grid->columns;
    size_t i, k;

    for (i = 0; r->model->experts > 1 && i < r->model->experts; i++) {
        int32_t *last = r->expert[i].error[2];

        for (k = 2; k > 0; k--)
            r->expert[i].error[k] = r->expert[i].error[k - 1];
        r->expert[i].error[0] = last;
        last = r->expert[i].error[1];
        for (k = 1; k <= 2; k++) {
            last[-(ptrdiff_t)k] = last[0];
            last[columns - 1 + k] = last[columns - 1];
        }
    }
}

/* ---- Experts ---------------------------------------------------------------
 */

/* 2^(16 - i / 32), rounded down. */
#define LOG_STEPS 32
#define FLOOR_ERROR 2048 /* of the errors around, 28 times */
static const uint16_t power[LOG_STEPS] = {
    65535, 64131, 62757, 61412, 60096, 58809, 57548, 56315, 55108, 53928, 52772,
    51641, 50535, 49452, 48392, 47355, 46340, 45347, 44376, 43425, 42494, 41584,
    40693, 39821, 38967, 38132, 37315, 36516, 35733, 34968, 34218, 33485};

/* 32 log2(v), linear in each octave; v >= 32. */
static inline unsigned log_of(uint64_t v)
{
    const unsigned octave = bbans_floor_log2(v);

    return LOG_STEPS * octave + (unsigned)(v >> (octave - 5) & 31);
}

/* Each counts as the fourth power of its errors' inverse. */
int64_t bbans_grid_mu(bbans_grid_rows *r, size_t x, int64_t low, int64_t high)
{
    const bbans_grid_model *m = r->model;
    const int32_t *v = r->own[0] + x;
    unsigned log[BBANS_GRID_EXPERTS], least = UINT32_MAX;
    int64_t sum = 0, base = 0, weights = 0;
    size_t i;

    for (i = 0; i < m->experts; i++) {
        const int64_t *left = r->expert[i].left;
        const int32_t *e = r->expert[i].error[0] + x;
        int64_t mu = r->expert[i].sum[x] + left[0] * v[-1] + left[1] * v[-2] +
                     left[2] * v[-3];

        mu = bbans_floor_shift(mu, m->shift - BBANS_SIGNAL_MU_BITS);
        mu = mu < low ? low : mu > high ? high : mu;
        r->expert[i].mu = mu;
        if (m->experts == 1)
            return mu;
        log[i] = log_of(r->expert[i].above[x] + 6 * size_of(e[-1]) +
                        2 * size_of(e[-2]) + FLOOR_ERROR);
        least = log[i] < least ? log[i] : least;
    }
    base = r->expert[0].mu;
    for (i = 0; i < m->experts; i++) {
        const unsigned d = 4 * (log[i] - least);
        const int64_t weight =
            d < 16 * LOG_STEPS ? power[d % LOG_STEPS] >> (d / LOG_STEPS) : 0;

        weights += weight;
        sum += weight * (r->expert[i].mu - base);
    }
    sum /= weights;
    return base + sum;
}

/* ---- Models ---------------------------------------------------------------
 */

#define REFS_BITS 3
#define OWN_BITS 5
#define ROUND_BITS 4
#define SHIFT_BITS 5
#define EXPERTS_BITS 3
#define SHARE_BITS 4

/* What a coefficient may be like. */
typedef struct {
    uint64_t mean;
} habit;

static unsigned habit_bits(const habit *h)
{
    const int bits = h->mean > 0 ? bbans_bit_length(h->mean) : 0;

    return bits > 1 ? (unsigned)(bits - 1 < 25 ? bits - 1 : 25) : 0;
}

static void see(habit *h, int32_t a)
{
    h->mean = (h->mean + size_of(a)) / 2;
}

static habit first_habit(const bbans_grid_model *m, size_t tap)
{
    habit h;

    h.mean = (uint64_t)1 << (m->shift - (tap < 2 ? 1 : 3));
    return h;
}

static int64_t take_signed(bbans_signal_source *s, unsigned k)
{
    return bbans_signed(bbans_unzigzag(bbans_source_rice(s, k)));
}

static size_t taps_of(const bbans_grid_model *m)
{
    size_t n = m->own, i;

    for (i = 0; i < m->refs; i++)
        n += m->round[i];
    return n;
}

static void take_expert(const bbans_grid_model *m, bbans_grid_expert *e,
                        bbans_signal_source *s)
{
    const size_t n = taps_of(m);
    habit h = {0};
    size_t i;

    e->constant = bbans_signed(bbans_unzigzag(bbans_source_number(s)));
    if (e->constant > (int64_t)1 << 38 || e->constant < -((int64_t)1 << 38)) {
        s->bad = 1;
        e->constant = 0;
    }
    for (i = 0; i < n; i++) {
        int64_t a;

        if (i < 4 || i == m->own)
            h = first_habit(m, i);
        a = take_signed(s, habit_bits(&h));
        if (a >> BBANS_GRID_COEFFICIENT_BITS != 0 &&
            a >> BBANS_GRID_COEFFICIENT_BITS != -1) {
            s->bad = 1;
            a = 0;
        }
        e->coefficient[i] = (int32_t)a;
        see(&h, e->coefficient[i]);
    }
}

/* Whatever is read, the model can be used. */
static void take_model(bbans_grid_values *grid, size_t band,
                       bbans_grid_model *m, uint64_t left,
                       bbans_signal_source *s)
{
    const size_t frame = m->row / grid->rows;
    size_t i;

    m->refs = (unsigned)bbans_source_bits(s, 0, REFS_BITS);
    if (m->refs > BBANS_GRID_REFS) {
        s->bad = 1;
        m->refs = 0;
    }
    for (i = 0; i < m->refs; i++) {
        const uint64_t frames = bbans_source_number(s);
        const uint64_t bands = bbans_source_number(s);

        m->ref[i].frames = frames <= frame ? (size_t)frames : 0;
        m->ref[i].bands = bands <= band ? (size_t)bands : 0;
        if (frames > frame || bands > band || (frames == 0 && bands == 0)) {
            s->bad = 1;
            m->refs = 0;
        }
    }
    if (grid->band[band].transform.range.direct)
        return;
    m->own = (unsigned)bbans_source_bits(s, 0, OWN_BITS);
    if (m->own > BBANS_GRID_OWN) {
        s->bad = 1;
        m->own = 0;
    }
    for (i = 0; i < m->refs; i++) {
        m->round[i] = (unsigned)bbans_source_bits(s, 0, ROUND_BITS);
        if (m->round[i] > BBANS_GRID_ROUND) {
            s->bad = 1;
            m->round[i] = 0;
        }
    }
    m->share = (unsigned)bbans_source_bits(s, 0, SHARE_BITS);
    m->shift = (unsigned)bbans_source_bits(s, 0, SHIFT_BITS);
    if (m->shift < BBANS_GRID_SHIFT_MIN || m->shift > BBANS_GRID_SHIFT_MAX) {
        s->bad = 1;
        m->shift = BBANS_GRID_SHIFT_MIN;
    }
    m->experts = 1 + (unsigned)bbans_source_bits(s, 0, EXPERTS_BITS);
    /* One is left for each band that follows. */
    if (m->experts > bbans_grid_experts(grid->columns) || m->experts > left) {
        s->bad = 1;
        m->experts = 1;
    }
    m->first = grid->experts;
    for (i = 0; i < m->experts; i++)
        take_expert(m, grid->expert + grid->experts++, s);
}

void bbans_grid_models_take(bbans_grid_values *grid, size_t band,
                            bbans_signal_source *s)
{
    bbans_grid_band *b = grid->band + band;
    const uint64_t limit =
        bbans_grid_models((uint64_t)grid->pixels * grid->bands);
    uint64_t models = bbans_source_number(s), i, row = 0;

    /* One is left for each band that follows. */
    if (models < 1 ||
        models > limit - grid->models - (grid->bands - band - 1) ||
        models > limit - grid->experts - (grid->bands - band - 1)) {
        s->bad = 1;
        models = 1;
    }
    b->first = grid->models;
    b->models = (size_t)models;
    for (i = 0; i < models; i++) {
        bbans_grid_model *m = grid->model + grid->models++;

        memset(m, 0, sizeof *m);
        m->shift = BBANS_GRID_SHIFT_MIN;
        if (i > 0) {
            const uint64_t more = bbans_source_number(s);

            if (more >= grid->all_rows - 1 - row)
                s->bad = 1;
            else
                row += 1 + more;
        }
        m->row = (size_t)row;
        take_model(grid, band, m,
                   limit - grid->experts -
                       (grid->bands - band - 1 + (size_t)(models - 1 - i)),
                   s);
    }
}

#ifndef BBANS_DECODER_ONLY
static void put_signed(bbans_sink *sink, int64_t v, unsigned k)
{
    bbans_sink_rice(sink, (uint32_t)bbans_zigzag((uint64_t)v), k);
}

static void put_expert(const bbans_grid_model *m, const bbans_grid_expert *e,
                       bbans_sink *sink)
{
    const size_t n = taps_of(m);
    habit h = {0};
    size_t i;

    bbans_sink_number(sink, bbans_zigzag((uint64_t)e->constant));
    for (i = 0; i < n; i++) {
        if (i < 4 || i == m->own)
            h = first_habit(m, i);
        put_signed(sink, e->coefficient[i], habit_bits(&h));
        see(&h, e->coefficient[i]);
    }
}

void bbans_grid_models_put(const bbans_grid_values *grid, size_t band,
                           bbans_sink *sink)
{
    const bbans_grid_band *b = grid->band + band;
    size_t i, k;

    bbans_sink_number(sink, b->models);
    for (k = 0; k < b->models; k++) {
        const bbans_grid_model *m = grid->model + b->first + k;

        if (k > 0)
            bbans_sink_number(sink, m->row - m[-1].row - 1);
        bbans_sink_bits(sink, 0, m->refs, REFS_BITS);
        for (i = 0; i < m->refs; i++) {
            bbans_sink_number(sink, m->ref[i].frames);
            bbans_sink_number(sink, m->ref[i].bands);
        }
        if (b->transform.range.direct)
            continue;
        bbans_sink_bits(sink, 0, m->own, OWN_BITS);
        for (i = 0; i < m->refs; i++)
            bbans_sink_bits(sink, 0, m->round[i], ROUND_BITS);
        bbans_sink_bits(sink, 0, m->share, SHARE_BITS);
        bbans_sink_bits(sink, 0, m->shift, SHIFT_BITS);
        bbans_sink_bits(sink, 0, m->experts - 1, EXPERTS_BITS);
        for (i = 0; i < m->experts; i++)
            put_expert(m, grid->expert + m->first + i, sink);
    }
}
#endif /* BBANS_DECODER_ONLY */
