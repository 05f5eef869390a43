/* Private to grids/: what its files share.  docs/format.md, "Grid", and
 * docs/maths.md, "Grids".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_GRIDS_H
#define BBANS_GRIDS_H

#include "../signals/bbans_signals.h"

#define BBANS_GRID_STORED 255 /* the first byte of a block: elements follow */
#define BBANS_GRID_CODED 0

/* What is larger is stored. */
#define BBANS_GRID_COLUMNS ((size_t)1 << 16)
#define BBANS_GRID_BANDS 1024

#define BBANS_GRID_KINDS 32 /* at most, to be coded as they are */

#define BBANS_GRID_OWN 18   /* taps in the plane, at most          */
#define BBANS_GRID_REFS 4   /* planes before it that help          */
#define BBANS_GRID_ROUND 13 /* taps of each, at most               */
#define BBANS_GRID_TAPS (BBANS_GRID_OWN + BBANS_GRID_REFS * BBANS_GRID_ROUND)
#define BBANS_GRID_EXPERTS                                                     \
    8 /* predictors, of which local errors say how much                        \
         each counts; of wide rows so many that */
#define BBANS_GRID_EXPERT_COLUMNS ((size_t)1 << 16)
#define BBANS_GRID_MARGIN 4 /* columns on either side of a row */
#define BBANS_GRID_ABOVE 3  /* rows above that are seen */
#define BBANS_GRID_AROUND 2 /* rows above and below, of a reference */
#define BBANS_GRID_WINDOW (2 * BBANS_GRID_AROUND + 1)
#define BBANS_GRID_ERRORS 2 /* references of which errors count */

#define BBANS_GRID_SHIFT_MIN BBANS_SIGNAL_MU_BITS
#define BBANS_GRID_SHIFT_MAX 20
#define BBANS_GRID_COEFFICIENT_BITS 25

#ifndef BBANS_DECODER_ONLY
/* Whether n elements are such a grid. */
static inline int bbans_grid_holds(const bbans_grid *grid, size_t n)
{
    return n >= 1 && n <= BBANS_BLOCK_MAX && grid->rows >= 1 &&
           grid->columns >= 1 && grid->columns <= n && grid->bands >= 1 &&
           grid->bands <= n / grid->columns &&
           n % (grid->columns * grid->bands) == 0;
}
#endif /* BBANS_DECODER_ONLY */

/* Where a tap lies: so many rows above, columns to the right; of references so
 * many rows below. */
typedef struct {
    int8_t row, column;
} bbans_grid_place;

extern const bbans_grid_place bbans_grid_own[BBANS_GRID_OWN];
extern const bbans_grid_place bbans_grid_round[BBANS_GRID_ROUND];

/* A plane that helps: so many frames before, and so many bands in the order of
 * coding; one of both is not 0. */
typedef struct {
    size_t frames, bands;
} bbans_grid_ref;

/* How a band is predicted from a row on, of all frames' rows. */
typedef struct {
    size_t row;
    unsigned refs, own;
    unsigned round[BBANS_GRID_REFS]; /* taps of each reference */
    bbans_grid_ref ref[BBANS_GRID_REFS];
    unsigned shift;   /* coefficients are in 2^-shift */
    unsigned share;   /* of references in the scale, in 1/16 */
    unsigned experts; /* with coefficients each */
    size_t first;     /* of them */
} bbans_grid_model;

typedef struct {
    int64_t constant; /* in 2^-8 */
    int32_t coefficient[BBANS_GRID_TAPS];
} bbans_grid_expert;

/* A band: its place in the order, models and values. */
typedef struct {
    bbans_transform transform;
    size_t first, models; /* of the models of all */
    unsigned down;        /* errors are in 2^(down - 8) */
    uint64_t mean;        /* of |errors|, 2^7 times */
} bbans_grid_band;

/* Values and what was wrong with their predictions, band by band in the order
 * of coding. */
typedef struct {
    size_t rows, columns, bands, period; /* rows of a frame */
    size_t all_rows, pixels;             /* of all frames, of a band */
    int32_t *value, *error;              /* [bands][pixels] */
    bbans_grid_band *band;               /* [bands] */
    size_t *order;                       /* [bands] of elements */
    bbans_grid_model *model;
    bbans_grid_expert *expert;
    size_t models, experts;
} bbans_grid_values;

/* How many models and experts there may be. */
static inline uint64_t bbans_grid_models(uint64_t n)
{
    return 2 * (n < BBANS_GRID_BANDS ? n : BBANS_GRID_BANDS) + 64;
}

/* How many experts a model may have. */
static inline unsigned bbans_grid_experts(size_t columns)
{
    const size_t most = BBANS_GRID_EXPERT_COLUMNS / columns;

    return most < 1                    ? 1
           : most < BBANS_GRID_EXPERTS ? (unsigned)most
                                       : BBANS_GRID_EXPERTS;
}

struct bbans_grid_rows;
size_t bbans_grid_values_bytes(uint64_t n);

/* g->rows .. g->pixels are set; *work moves behind all that is laid out. */
void bbans_grid_lay_out(bbans_grid_values *g, struct bbans_grid_rows *rows,
                        uint8_t **work);
void bbans_grid_band_begin(bbans_grid_band *b);

/* ---- Rows ---------------------------------------------------------------- */

/* The rows around one in work, with margins: [k] lies k rows above; of
 * references [AROUND + k] k rows below. */
typedef struct bbans_grid_rows {
    const bbans_grid_values *grid;
    const bbans_grid_model *model;
    size_t band, frame, first, rows; /* of the plane: its first row of all */
    size_t row;                      /* in the plane */
    int32_t *own[BBANS_GRID_ABOVE + 1], *error[3];
    int32_t *ref[BBANS_GRID_REFS][BBANS_GRID_WINDOW];
    int32_t *ref_error[BBANS_GRID_ERRORS][3];
    uint64_t *above, *beside; /* errors of the rows above, of references */
    struct {
        int64_t *sum;    /* of what is known before the row */
        uint64_t *above; /* errors of the rows above */
        int32_t *error[3];
        int64_t left[3]; /* coefficients of the row itself */
        int64_t mu;
    } expert[BBANS_GRID_EXPERTS];
} bbans_grid_rows;

static inline uint64_t bbans_grid_row_bytes(uint64_t columns)
{
    const uint64_t experts = columns < BBANS_GRID_EXPERT_COLUMNS
                                 ? BBANS_GRID_EXPERT_COLUMNS
                                 : columns;
    const uint64_t margins = 2 * BBANS_GRID_MARGIN * BBANS_GRID_EXPERTS;
    const uint64_t all = columns * BBANS_GRID_EXPERTS < experts
                             ? columns * BBANS_GRID_EXPERTS
                             : experts;

    return (4 * (uint64_t)(BBANS_GRID_ABOVE + 1 + 3 +
                           BBANS_GRID_REFS * BBANS_GRID_WINDOW +
                           BBANS_GRID_ERRORS * 3) +
            2 * 8) *
               (columns + 2 * BBANS_GRID_MARGIN) +
           (2 * 8 + 3 * 4) * (all + margins);
}

void bbans_grid_rows_init(bbans_grid_rows *r, const bbans_grid_values *grid,
                          void *memory);

/* The plane of a frame and a band; then its rows in turn, each under its
 * model. */
void bbans_grid_rows_plane(bbans_grid_rows *r, size_t frame, size_t band);
void bbans_grid_rows_begin(bbans_grid_rows *r, size_t row,
                           const bbans_grid_model *model);
void bbans_grid_rows_sums(bbans_grid_rows *r);
void bbans_grid_rows_end(bbans_grid_rows *r);

/* What the models expect at x, in 2^-8, within 2^8 low .. 2^8 high; and then
 * what was there. */
int64_t bbans_grid_mu(bbans_grid_rows *r, size_t x, int64_t low, int64_t high);

static inline void bbans_grid_seen(bbans_grid_rows *r, size_t x, int32_t v,
                                   unsigned down)
{
    size_t i;

    for (i = 0; r->model->experts > 1 && i < r->model->experts; i++)
        r->expert[i].error[0][x] = (int32_t)bbans_floor_shift(
            (int64_t)v * 256 - r->expert[i].mu, down);
}

/* The model of a row. */
const bbans_grid_model *bbans_grid_model_of(const bbans_grid_values *grid,
                                            size_t band, size_t row);

/* ---- Models in a block --------------------------------------------------- */

void bbans_grid_models_take(bbans_grid_values *grid, size_t band,
                            bbans_signal_source *s);
#ifndef BBANS_DECODER_ONLY
void bbans_grid_models_put(const bbans_grid_values *grid, size_t band,
                           bbans_sink *sink);
size_t bbans_grid_fit_bytes(uint64_t columns);
void bbans_grid_fit(bbans_grid_values *grid, size_t band, int level,
                    bbans_grid_rows *rows, void *work);
#endif /* BBANS_DECODER_ONLY */

/* ---- Values -------------------------------------------------------------- */

/* What codes values of n elements; level 0: any. */
size_t bbans_grid_coder_bytes(uint64_t n, int level);
void bbans_grid_decode_values(bbans_grid_values *grid, bbans_signal_source *s,
                              bbans_grid_rows *rows, void *work);
#ifndef BBANS_DECODER_ONLY
void bbans_grid_encode_values(bbans_grid_values *grid, bbans_sink *sink,
                              bbans_grid_rows *rows, int level, void *work);
#endif /* BBANS_DECODER_ONLY */

#endif
