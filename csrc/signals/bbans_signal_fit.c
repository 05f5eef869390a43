/* Linear prediction of a channel, fitted in integers.  docs/maths.md,
 * "Signals".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_signal_predict.h"

#include "bbans_fixed_point.h"

#ifndef BBANS_DECODER_ONLY

#define PIECE BBANS_SIGNAL_PIECE
#define OWN (BBANS_PREDICT_ORDER + 1) /* lag 0, the target, first */
#define WIDTH (2 * BBANS_PREDICT_REACH + 1)
#define SIZE (1 + BBANS_PREDICT_ASIDE + OWN) /* with the constant */
#define GROUPS (BBANS_PREDICT_REFS + 2)      /* constant, references, own */
#define BLOCK_MIN 16
#define BLOCK_MAX 32
#define MANY 8        /* channels */
#define VALUE_BITS 23 /* of what is multiplied */
#define BUFFER (PIECE + BBANS_PREDICT_REACH + OWN + WIDTH)

#define SOLUTION_BITS 40 /* of scaled coefficients */

typedef struct {
    unsigned order, rounds, block;
    unsigned refs, aside;
} effort;

static effort effort_of(int level)
{
    static const effort efforts[3] = {
        {16, 0, 32, 1, 5}, {32, 1, 16, 4, 20}, {32, 3, 16, 4, 20}};

    return efforts[level < 4 ? 0 : level < 7 ? 1 : 2];
}

/* Weighted sums of products of taps: [size][size], the upper half.  A weight is
 * 2^(shift of its block - scale). */
typedef struct {
    int64_t sum[SIZE * SIZE];
    int scale;
    size_t steps;
} matrix;

/* What a part of the channel is predicted with. */
typedef struct {
    int64_t cost; /* in 2^-16 bits */
    int64_t constant;
    unsigned drop, order, shift;
    int has_refs;
    int32_t coefficient[BBANS_PREDICT_TAPS];
    uint8_t precision[BBANS_PREDICT_TAPS];
    size_t piece;
} candidate;

/* Taps as they are eliminated: the constant, references', lags 1 ..; then the
 * target. */
typedef struct {
    size_t index[SIZE];
    size_t n; /* taps */
    int scale[SIZE + 1];
    int64_t row[SIZE + 1][SIZE + 1]; /* of C, by 2^-60; lower half */
    int64_t inverse[SIZE];           /* 1 / C_jj = inverse 2^(turn - 31) */
    int turn[SIZE];                  /* -1: no such tap */
    int64_t left[SIZE + 1]; /* the energy left by the first so many taps */
    int64_t pivot[SIZE + 1];
} factor;

typedef struct {
    const bbans_signal_values *x;
    bbans_prediction *p;
    size_t channel;
    effort effort;
    unsigned down[GROUPS]; /* values are halved so often */
    unsigned order, width; /* of lags, of each reference */
    size_t size;           /* 1 + refs width + order + 1 */
    size_t candidates;     /* that stand for the pieces so far */
    candidate *part;       /* [pieces + 1] */
    matrix *level;         /* [depth] */
    factor *work;
    size_t found[BBANS_PREDICT_REFS], n_found; /* references, the best first */
    int32_t *buffer; /* [1 + refs + 1][BUFFER], steps fall */
    int64_t *sum;    /* [OWN * OWN], then [PIECE] */
} fit;

/* ---- Factors of the normal equations ------------------------------------- */

static int64_t entry(const matrix *m, size_t size, size_t i, size_t j)
{
    return i <= j ? m->sum[i * size + j] : m->sum[j * size + i];
}

/* Cholesky, row by row.  Tap j is scaled by 2^-scale_j, which leaves it an
 * energy of [1/4, 1): all entries of C are at most 1, and its rounding errors
 * are as if those of the matrix were below 2^-52.  A tap with less than 2^-36
 * of its energy left says nothing new. */
static void factorise(factor *f, const matrix *m, size_t size)
{
    size_t i, j, k;

    for (i = 0; i <= f->n; i++) {
        const int64_t energy = entry(m, size, f->index[i], f->index[i]);
        int64_t *row = f->row[i], s;

        f->scale[i] = (int)(bbans_bits_of((uint64_t)energy) + 1) / 2;
        for (j = 0; j < i; j++) {
            const int64_t *other = f->row[j];

            s = bbans_shifted(entry(m, size, f->index[i], f->index[j]),
                              BBANS_ONE_BITS - f->scale[i] - f->scale[j]);
            if (f->turn[j] < 0) {
                row[j] = 0;
                continue;
            }
            for (k = 0; k < j; k++)
                s -= bbans_fixed_product(row[k], other[k]);
            s = bbans_shifted(bbans_fixed_product(s > BBANS_ONE    ? BBANS_ONE
                                                  : s < -BBANS_ONE ? -BBANS_ONE
                                                                   : s,
                                                  f->inverse[j]),
                              f->turn[j] - 1);
            row[j] = s > BBANS_ONE    ? BBANS_ONE
                     : s < -BBANS_ONE ? -BBANS_ONE
                                      : s;
        }
        s = bbans_shifted(energy, BBANS_ONE_BITS - 2 * f->scale[i]);
        if (i == f->n)
            f->left[0] = s;
        for (k = 0; k < i; k++) {
            s -= bbans_fixed_product(row[k], row[k]);
            if (i == f->n)
                f->left[k + 1] = s;
        }
        f->pivot[i] = s;
        if (i == f->n)
            break;
        if (s < BBANS_ONE >> 36) {
            f->turn[i] = -1;
            continue;
        }
        f->turn[i] = (int)(63 - bbans_bits_of((uint64_t)s)) / 2;
        f->inverse[i] = bbans_inverse_root((uint64_t)s << (2 * f->turn[i]));
    }
}

/* ---- Solutions ----------------------------------------------------------- */

/* The exponent of what tap i's solution is worth: a = solution 2^worth. */
static int worth(const fit *f, const factor *c, size_t i)
{
    const size_t own = GROUPS - 1;
    const size_t index = c->index[i];
    const size_t group = index == 0 ? 0
                         : index <= f->p->refs * f->width
                             ? 1 + (index - 1) / f->width
                             : own;
    return c->scale[c->n] - c->scale[i] + (int)f->down[own] -
           (int)f->down[group];
}

/* Taps 1 .. of c as they lie in a candidate: own ones first. */
static size_t place(const candidate *to, size_t aside, size_t i)
{
    return i <= aside ? to->order + i - 1 : i - 1 - aside;
}

/* What a coefficient of `precision` costs, about. */
static int64_t coefficient_cost(int64_t q)
{
    return ((int64_t)bbans_bits_of(bbans_size_of(q)) * 5 / 4 + 2) * 65536;
}

/* Precisions for which rounding a tap costs about 1 / n of the energy left. */
static void choose_precisions(const fit *f, const factor *c, size_t aside,
                              int64_t left, size_t steps, candidate *to,
                              int *constant)
{
    const int64_t log =
        bbans_fixed_log2((uint64_t)left) - bbans_fixed_log2(steps) + 4 * 65536;
    int own = 0, n_own = 0, others = 0, n_others = 0, most = 0;
    size_t i;

    *constant = 0;
    for (i = 0; i <= aside + to->order; i++) {
        int s = 0;

        if (c->turn[i] >= 0)
            s = (int)bbans_floor_shift(bbans_fixed_log2((uint64_t)c->pivot[i]) -
                                           log + 2 * 65536 - 1,
                                       17) -
                worth(f, c, i);
        if (i == 0) {
            *constant = s > BBANS_SIGNAL_MU_BITS ? BBANS_SIGNAL_MU_BITS : s;
            continue;
        }
        s = s < 0                         ? 0
            : s > BBANS_PREDICT_SHIFT_MAX ? BBANS_PREDICT_SHIFT_MAX
                                          : s;
        to->precision[place(to, aside, i)] = (uint8_t)s;
        if (i > aside && i - aside > BBANS_PREDICT_SPREAD) {
            own += s;
            n_own++;
        } else if (i <= aside && i > BBANS_PREDICT_SPREAD) {
            others += s;
            n_others++;
        }
        most = s > most ? s : most;
    }
    for (i = BBANS_PREDICT_SPREAD; i < to->order; i++)
        to->precision[i] = (uint8_t)((own + n_own / 2) / n_own);
    for (i = BBANS_PREDICT_SPREAD; i < aside; i++)
        to->precision[to->order + i] =
            (uint8_t)((others + n_others / 2) / n_others);
    to->shift =
        most < BBANS_SIGNAL_MU_BITS ? BBANS_SIGNAL_MU_BITS : (unsigned)most;
}

/* From the last tap to the first, each rounded, and the ones before it solved
 * for what it is: rounding costs the energy of what each adds, not its own.
 * Returns 0 if a coefficient is out of bounds. */
static int solve(const fit *f, const factor *c, size_t aside, candidate *to,
                 int constant, int most)
{
    const int64_t *target = c->row[c->n];
    int64_t solution[SIZE];
    size_t i, k;

    if ((int)to->shift > most)
        to->shift = (unsigned)most;
    for (i = aside + to->order + 1; i-- > 0;) {
        const int value = worth(f, c, i);
        int precision = constant, down;
        int64_t s =
            bbans_floor_shift(target[i], BBANS_ONE_BITS - SOLUTION_BITS);
        int64_t q = 0;

        if (i > 0) {
            uint8_t *own = to->precision + place(to, aside, i);

            if (*own > to->shift)
                *own = (uint8_t)to->shift;
            precision = *own;
        }
        if (c->turn[i] >= 0) {
            for (k = i + 1; k <= aside + to->order; k++)
                s -= bbans_fixed_product(c->row[k][i], solution[k]);
            if (bbans_size_of(s) >> BBANS_ONE_BITS != 0)
                return 0;
            s = bbans_shifted(bbans_fixed_product(s, c->inverse[i]),
                              c->turn[i] - 1);
            if (bbans_size_of(s) >> BBANS_ONE_BITS != 0)
                return 0;
            down = SOLUTION_BITS - value - precision;
            q = bbans_shifted(s, -(down > 0 ? down - 1 : down));
            if (down > 0)
                q = bbans_floor_shift(q + 1, 1);
        }
        if (i > 0 ? bbans_size_of(q) >> (BBANS_PREDICT_COEFFICIENT_BITS -
                                         ((int)to->shift - precision)) !=
                        0
                  : bbans_size_of(q) >> 30 != 0)
            return 0;
        solution[i] = bbans_shifted(q, SOLUTION_BITS - value - precision);
        if (bbans_size_of(solution[i]) >> BBANS_ONE_BITS != 0)
            return 0;
        if (i > 0) {
            to->coefficient[place(to, aside, i)] = (int32_t)q;
        } else {
            to->drop = (unsigned)(BBANS_SIGNAL_MU_BITS - precision);
            if (to->drop > 38 ||
                bbans_size_of(q) > (uint64_t)BBANS_MU_MAX >> to->drop)
                return 0;
            to->constant = q * ((int64_t)1 << to->drop);
        }
        to->cost += coefficient_cost(q);
    }
    return 1;
}

/* n / 2 log2 of the energy left, with what rounding values adds: 1/12 a step.
 */
static int64_t energy_cost(const fit *f, const matrix *m, int64_t left,
                           int scale)
{
    const unsigned down = f->down[GROUPS - 1];
    const int64_t rounding = m->sum[0] / 12;
    int64_t energy =
        bbans_shifted(left > 0 ? left : 0, 2 * scale - BBANS_ONE_BITS);

    energy += bbans_shifted(rounding, -2 * (int)down);
    return (int64_t)m->steps *
           (bbans_fixed_log2((uint64_t)energy + 1) +
            ((int64_t)2 * (int)down - m->scale) * 65536 -
            bbans_fixed_log2(m->steps)) /
           2;
}

/* The best order with the references, or without, if it is better than *to. */
static void consider(const fit *f, const matrix *m, int with_refs,
                     candidate *to)
{
    const size_t aside = with_refs ? f->p->refs * f->width : 0;
    const size_t own = 1 + f->p->refs * f->width; /* of lag 0 */
    factor *c = f->work;
    candidate found;
    int64_t best = 0;
    size_t i;
    int constant, most;

    for (i = 0; i <= aside; i++)
        c->index[i] = i;
    for (i = 1; i <= f->order; i++)
        c->index[aside + i] = own + i;
    c->n = aside + f->order + 1;
    c->index[c->n] = own;
    factorise(c, m, f->size);
    memset(&found, 0, sizeof found);
    for (i = 0; i <= f->order; i++) {
        const int64_t cost =
            energy_cost(f, m, c->left[1 + aside + i], c->scale[c->n]) +
            (int64_t)(aside + i) * 6 * 65536;

        if (i == 0 || cost < best) {
            best = cost;
            found.order = (unsigned)i;
        }
    }
    found.has_refs = with_refs;
    i = 1 + aside + found.order;
    best = energy_cost(f, m, c->left[i], c->scale[c->n]);
    choose_precisions(f, c, aside,
                      c->left[i] > BBANS_ONE >> 50 ? c->left[i]
                                                   : BBANS_ONE >> 50,
                      m->steps, &found, &constant);
    for (most = BBANS_PREDICT_SHIFT_MAX; most >= BBANS_SIGNAL_MU_BITS; most--) {
        found.cost = best;
        if (solve(f, c, aside, &found, constant, most)) {
            if (found.cost < to->cost)
                *to = found;
            return;
        }
    }
}

static void best_of(const fit *f, const matrix *m, candidate *to)
{
    memset(to, 0, sizeof *to);
    to->shift = BBANS_SIGNAL_MU_BITS;
    to->cost = INT64_MAX;
    consider(f, m, 0, to);
    if (f->p->refs > 0)
        consider(f, m, 1, to);
    if (to->cost == INT64_MAX) { /* predicts 0 */
        const size_t own = 1 + f->p->refs * f->width;

        to->cost = energy_cost(f, m, m->sum[own * f->size + own] / 4,
                               BBANS_ONE_BITS / 2 + 1);
    }
}

/* ---- One piece ----------------------------------------------------------- */

static const int32_t *group_values(const fit *f, size_t group)
{
    return bbans_signal_channel(f->x, group <= f->p->refs ? f->p->ref[group - 1]
                                                          : f->channel);
}

/* Buffers of the piece's values, steps falling: element k of tap i is [k + i].
 */
static void fill_buffers(fit *f, size_t first, size_t n)
{
    size_t group, k;

    for (k = 0; k < n + 2; k++)
        f->buffer[k] = 1;
    for (group = 1; group <= 1 + f->p->refs; group++) {
        const int is_own = group > f->p->refs;
        int32_t *to = f->buffer + group * BUFFER;
        const int32_t *last =
            group_values(f, group) + first + n - 1 + (is_own ? 0 : f->p->reach);
        const size_t length = n + (is_own ? f->order : f->width - 1);

        for (k = 0; k < length; k++)
            to[k] = (int32_t)bbans_floor_shift(
                *(last - k), f->down[is_own ? GROUPS - 1 : group]);
        to[length] = 0;
    }
}

/* Energies of blocks, in 2^-8, counted from the piece's end. */
static void block_energies(const fit *f, const int64_t *residual, size_t n,
                           uint64_t *energy)
{
    const size_t block = f->effort.block;
    size_t k, b;

    memset(energy, 0, (PIECE / BLOCK_MIN) * sizeof *energy);
    for (b = 0; b * block < n; b++)
        for (k = b * block; k < n && k < (b + 1) * block; k++) {
            int64_t r = bbans_floor_shift(residual[n - 1 - k], 4);

            r = r > 1 << 27 ? 1 << 27 : r < -(1 << 27) ? -(1 << 27) : r;
            energy[b] += (uint64_t)(r * r); /* 32 of 2^54 */
        }
    if (n % block != 0)
        energy[n / block] = energy[n / block] / (n % block) * block;
}

/* Weights 2^-k near the inverses of the energies around a block, and as large
 * as sums of the products allow: below 2^61 in all. */
static void choose_weights(fit *f, const uint64_t *energy, size_t n,
                           uint8_t *shift, matrix *m)
{
    const size_t block = f->effort.block;
    const size_t blocks = (n + block - 1) / block;
    unsigned most[PIECE / BLOCK_MIN + 8];
    size_t group, k, b;
    int highest = 0, spare = 61;
    uint64_t floor = 0;

    memset(most, 0, sizeof most);
    for (group = 0; group <= 1 + f->p->refs; group++) {
        const int32_t *value = f->buffer + group * BUFFER;
        const size_t length = n + (group == 0            ? 0
                                   : group <= f->p->refs ? f->width - 1
                                                         : f->order);

        for (b = 0; b * block < length; b++)
            for (k = b * block; k < length && k < (b + 1) * block; k++)
                most[b] |= (uint32_t)(value[k] < 0 ? ~value[k] : value[k]);
    }
    for (b = 0; b < blocks; b++)
        floor += energy[b] / blocks;
    floor = (floor >> 20) + 26 * block; /* 0.1 a step */
    for (b = 0; b < blocks; b++) {
        const uint64_t e = energy[b] / 2 + energy[b > 0 ? b - 1 : b] / 4 +
                           energy[b + 1 < blocks ? b + 1 : b] / 4 + floor;
        const int log = (int)bbans_bits_of(e / block) - 1;

        shift[b] = (uint8_t)log; /* below 64 */
        highest = log > highest ? log : highest;
    }
    for (b = 0; b < blocks; b++) {
        uint32_t any = most[b];
        int room;

        for (k = 1; k <= (OWN + block - 1) / block; k++)
            any |= most[b + k];
        /* block n 2^(2 bits + shift) <= 2^61 */
        room = 61 - 12 - 2 * (int)bbans_bits_of(any); /* |v| <= 2^bits */
        shift[b] =
            (uint8_t)(highest - shift[b] > room ? room : highest - shift[b]);
        spare = room - shift[b] < spare ? room - shift[b] : spare;
    }
    for (b = 0; b < blocks; b++)
        shift[b] = (uint8_t)(shift[b] + spare);
    /* Energies count in 2^-8. */
    m->scale = highest + spare - 8;
}

/* All sums of products of the piece. */
static void fill_matrix(fit *f, size_t n, const uint8_t *shift, matrix *m)
{
    const size_t groups = 2 + f->p->refs;
    size_t g, h, i, j, at = 0;

    memset(m->sum, 0, f->size * f->size * sizeof *m->sum);
    m->steps = n;
    for (g = 0; g < groups; g++) {
        const size_t ng = g == 0 ? 1 : g + 1 < groups ? f->width : f->order + 1;
        const int32_t *x = f->buffer + g * BUFFER;
        size_t to = at;

        for (h = g; h < groups; h++) {
            const size_t nh = h == 0           ? 1
                              : h + 1 < groups ? f->width
                                               : f->order + 1;
            const int32_t *y = f->buffer + h * BUFFER;

            memset(f->sum, 0, ng * nh * sizeof *f->sum);
            bbans_kernel.predict->covariances(x, ng, y, nh, shift,
                                              f->effort.block, n, f->sum);
            for (i = 0; i < ng; i++)
                for (j = i; j < nh; j++)
                    m->sum[(at + i) * f->size + to + j] = f->sum[i * nh + j];
            if (h != g && ng > 1) {
                memset(f->sum, 0, ng * nh * sizeof *f->sum);
                bbans_kernel.predict->covariances(y, nh, x, ng, shift,
                                                  f->effort.block, n, f->sum);
                for (i = 0; i < nh; i++)
                    for (j = i + 1; j < ng; j++)
                        m->sum[(at + j) * f->size + to + i] =
                            f->sum[i * ng + j];
            }
            to += nh;
        }
        at += ng;
    }
}

/* What a candidate leaves of steps first .. first + n - 1, in 2^-8. */
static void residuals(const fit *f, const candidate *c, size_t first, size_t n,
                      int64_t *residual)
{
    const int32_t *value = bbans_signal_channel(f->x, f->channel) + first;
    int32_t own[BBANS_PREDICT_ORDER], aside[WIDTH];
    size_t i, k;

    for (k = 0; k < n; k++)
        residual[k] =
            c->constant * ((int64_t)1 << (c->shift - BBANS_SIGNAL_MU_BITS));
    for (i = 0; i < c->order; i++)
        own[c->order - 1 - i] =
            c->coefficient[i] * (1 << (c->shift - c->precision[i]));
    bbans_kernel.predict->fir(own, c->order, value - c->order, n, residual);
    for (k = 0; c->has_refs && k < f->p->refs; k++) {
        for (i = 0; i < f->width; i++) {
            const size_t at = c->order + k * f->width + i;

            aside[f->width - 1 - i] =
                c->coefficient[at] * (1 << (c->shift - c->precision[at]));
        }
        bbans_kernel.predict->fir(aside, f->width,
                                  group_values(f, 1 + k) + first - f->p->reach,
                                  n, residual);
    }
    for (k = 0; k < n; k++)
        residual[k] = (int64_t)value[k] * (1 << BBANS_SIGNAL_MU_BITS) -
                      bbans_mu_limited(bbans_floor_shift(
                          residual[k], c->shift - BBANS_SIGNAL_MU_BITS));
}

/* The differences that are least, of order 0 to 3, in 2^-8. */
static void differences(const fit *f, size_t first, size_t n, int64_t *residual)
{
    const int32_t *value = bbans_signal_channel(f->x, f->channel) + first;
    uint64_t size[4] = {0, 0, 0, 0};
    unsigned order, best = 0;
    size_t k;

    for (k = 3; k < n; k++) {
        const int64_t d0 = value[k], d1 = d0 - value[k - 1];
        const int64_t d2 = d1 - value[k - 1] + value[k - 2];
        const int64_t d3 =
            d2 - value[k - 1] + 2 * (int64_t)value[k - 2] - value[k - 3];

        size[0] += bbans_size_of(d0);
        size[1] += bbans_size_of(d1);
        size[2] += bbans_size_of(d2);
        size[3] += bbans_size_of(d3);
    }
    for (order = 1; order < 4; order++)
        if (size[order] < size[best])
            best = order;
    for (k = 0; k < n; k++)
        residual[k] = (int64_t)value[k] * (1 << BBANS_SIGNAL_MU_BITS);
    for (; best > 0; best--) {
        for (k = n; k-- > 1;)
            residual[k] -= residual[k - 1];
        residual[0] = n > 1 ? residual[1] : 0;
    }
}

/* The channel's first steps, which have few or none before them, do not count.
 */
static void fit_piece(fit *f, size_t piece, matrix *m, candidate *to)
{
    const size_t end =
        f->x->steps / PIECE > piece ? (piece + 1) * PIECE : f->x->steps;
    const size_t few = end / 4 < f->order ? end / 4 : f->order;
    const size_t first = piece > 0 ? piece * PIECE : few;
    const size_t n = end - first;
    uint64_t energy[PIECE / BLOCK_MIN];
    uint8_t shift[PIECE / BLOCK_MIN];
    const unsigned refs = f->p->refs;
    unsigned round;

    differences(f, first, n, f->sum);
    for (round = 0;; round++) {
        f->p->refs = round < f->effort.rounds ? 0 : refs;
        f->size = 1 + f->p->refs * f->width + f->order + 1;
        if (round == 0 || (refs > 0 && round == f->effort.rounds))
            fill_buffers(f, first, n);
        block_energies(f, f->sum, n, energy);
        choose_weights(f, energy, n, shift, m);
        fill_matrix(f, n, shift, m);
        best_of(f, m, to);
        if (round == f->effort.rounds)
            break;
        residuals(f, to, first, n, f->sum);
    }
    to->piece = piece;
}

/* ---- Segments ------------------------------------------------------------ */

/* Pieces first .. first + n - 1 in as many segments as cost least; their sums
 * go to level[0].  Returns the cost; candidates are on the stack. */
static int64_t split(fit *f, size_t first, size_t n, matrix *level)
{
    const size_t before = f->candidates;
    candidate *to = f->part + before;
    matrix *m = level, *right = level + 1;
    size_t half = 1, i;
    int64_t cost;
    int scale;

    if (n == 1) {
        f->candidates++;
        fit_piece(f, first, m, to);
        return to->cost;
    }
    while (2 * half < n)
        half *= 2;
    cost = split(f, first, half, level);
    cost += split(f, first + half, n - half, right);
    scale = (m->scale < right->scale ? m->scale : right->scale) - 1;
    for (i = 0; i < f->size * f->size; i++)
        m->sum[i] = bbans_shifted(m->sum[i], scale - m->scale) +
                    bbans_shifted(right->sum[i], scale - right->scale);
    m->scale = scale;
    m->steps += right->steps;
    to = f->part + f->candidates;
    best_of(f, m, to);
    if (to->cost <= cost) {
        cost = to->cost;
        f->part[before] = *to;
        f->part[before].piece = first;
        f->candidates = before + 1;
    }
    return cost;
}

/* ---- Channels ------------------------------------------------------------ */

static unsigned depth_of(size_t pieces)
{
    return 2 + bbans_bits_of(pieces);
}

#define ALIGNED(bytes) (((bytes) + 7) & ~(size_t)7)

/* Adaptation is tried on up to TRIALS parts of this many steps. */
#define TRIALS 4
#define LONG 8192 /* steps for the longest stages */

static size_t trial_of(size_t steps, int level)
{
    const size_t part = level < 7 ? 8192 : 16384;

    return steps < (level < 7 ? part : 2 * part) ? steps : part;
}

size_t bbans_prediction_fit_bytes(size_t steps, int level)
{
    const size_t pieces = bbans_pieces(steps) + 1;

    return (pieces + 1) * ALIGNED(sizeof(candidate)) +
           depth_of(pieces) * sizeof(matrix) + sizeof(factor) +
           ALIGNED(GROUPS * BUFFER * sizeof(int32_t)) +
           (PIECE + OWN * OWN) * sizeof(int64_t) +
           BBANS_SIGNAL_LANES_MAX * sizeof(bbans_adapt) +
           trial_of(steps, level) * sizeof(int64_t);
}

static unsigned down_of(const bbans_signal_values *x, size_t channel)
{
    const int32_t *value = bbans_signal_channel(x, channel);
    uint32_t any = 0;
    size_t t;
    unsigned bits;

    for (t = 0; t < x->steps; t++)
        any |= (uint32_t)bbans_size_of(value[t]);
    bits = bbans_bits_of(any);
    return bits > VALUE_BITS ? bits - VALUE_BITS : 0;
}

/* References are those of the NEAR channels before, the nearest first among
 * equals, whose differences are most like the channel's in a few parts, at a
 * lag of at most LIKE_LAG. */
#define NEAR 16
#define LIKE_LAG 2
#define LIKE_PARTS 8
#define LIKE_STEPS 256
#define LIKE_LEAST (-6 * 65536) /* a part in 64 */

/* Differences of up to 2^20 of LIKE_STEPS + 2 LIKE_LAG steps before end. */
static void like_differences(const fit *f, size_t channel, size_t end,
                             int64_t *d)
{
    const int32_t *value = bbans_signal_channel(f->x, channel) + end;
    uint64_t any = 0;
    size_t i;
    unsigned down;

    for (i = 0; i < LIKE_STEPS + 2 * LIKE_LAG; i++) {
        d[i] = (int64_t) * (value - i - 1) - *(value - i - 2);
        any |= bbans_size_of(d[i]);
    }
    down = bbans_bits_of(any) > 20 ? bbans_bits_of(any) - 20 : 0;
    for (i = 0; i < LIKE_STEPS + 2 * LIKE_LAG; i++)
        d[i] = bbans_floor_shift(d[i], down);
}

/* The log of the share of the channel's differences that a channel's say. */
static int64_t likeness(const fit *f, size_t channel)
{
    int64_t own[LIKE_STEPS + 2 * LIKE_LAG], other[LIKE_STEPS + 2 * LIKE_LAG];
    int64_t score = 0;
    size_t part, lag, i;

    for (part = 0; part < LIKE_PARTS; part++) {
        const size_t end = f->x->steps / LIKE_PARTS * (part + 1);
        int64_t square = 1, own_square = 1, most = 0;

        like_differences(f, f->channel, end, own);
        like_differences(f, channel, end, other);
        for (i = 0; i < LIKE_STEPS; i++) {
            square += other[i + LIKE_LAG] * other[i + LIKE_LAG];
            own_square += own[i + LIKE_LAG] * own[i + LIKE_LAG];
        }
        for (lag = 0; lag <= 2 * LIKE_LAG; lag++) {
            int64_t both = 0;

            for (i = 0; i < LIKE_STEPS; i++)
                both += own[i + LIKE_LAG] * other[i + lag];
            most = both > most ? both : -both > most ? -both : most;
        }
        score += 2 * bbans_fixed_log2((uint64_t)most + 1) -
                 bbans_fixed_log2((uint64_t)square) -
                 bbans_fixed_log2((uint64_t)own_square);
    }
    return score / LIKE_PARTS;
}

static void find_refs(fit *f)
{
    const size_t near = f->channel < NEAR ? f->channel : NEAR;
    int64_t scores[BBANS_PREDICT_REFS];
    size_t i, k;

    f->n_found = 0;
    if (f->x->steps < 64)
        return;
    for (i = 1; i <= near; i++) {
        const int choose = near > f->effort.refs &&
                           f->x->steps >= LIKE_PARTS * (LIKE_STEPS + 8);
        const int64_t score = choose ? likeness(f, f->channel - i) : 0;

        for (k = f->n_found; k > 0 && score > scores[k - 1]; k--)
            if (k < f->effort.refs) {
                scores[k] = scores[k - 1];
                f->found[k] = f->found[k - 1];
            }
        if (k < f->effort.refs && score > LIKE_LEAST) {
            scores[k] = score;
            f->found[k] = f->channel - i;
            f->n_found += f->n_found < f->effort.refs;
        }
    }
}

/* Those found, with as many lags as there is room for. */
static void use_refs(fit *f)
{
    size_t i;

    f->p->refs = (unsigned)f->n_found;
    f->p->reach = f->p->refs > 0 ? BBANS_PREDICT_REACH : 0;
    while (f->p->refs * (2 * f->p->reach + 1) > f->effort.aside)
        f->p->reach /= 2;
    f->width = f->p->refs > 0 ? 2 * f->p->reach + 1 : 0;
    f->size = 1 + f->p->refs * f->width + f->order + 1;
    for (i = 0; i < f->p->refs; i++) {
        f->p->ref[i] = f->found[i];
        f->down[1 + i] = down_of(f->x, f->found[i]);
    }
}

/* The segments that cost least with these references go to the prediction. */
static void fit_segments(fit *f)
{
    bbans_prediction *p = f->p;
    size_t i, k, used = 0;

    f->candidates = 0;
    (void)split(f, 0, bbans_pieces(f->x->steps), f->level);
    p->segments = f->candidates;
    for (i = 0; i < f->candidates; i++) {
        const candidate *c = f->part + i;
        bbans_predict_segment *s = p->segment + i;
        const size_t n = c->order + (c->has_refs ? p->refs * f->width : 0);

        s->piece = c->piece;
        s->constant = c->constant;
        s->drop = c->drop;
        s->order = c->order;
        s->shift = c->shift;
        s->has_refs = c->has_refs;
        s->coefficient = p->coefficients + used;
        s->precision = p->precisions + used;
        for (k = 0; k < n; k++) {
            s->coefficient[k] = c->coefficient[k];
            s->precision[k] = c->precision[k];
        }
        used += n;
    }
}

/* About what residuals cost: blocks of a scale each. */
static int64_t residual_cost(const int32_t *value, const int64_t *mu, size_t n)
{
    int64_t cost = 0;
    size_t k;

    while (n > 0) {
        const size_t part = n < 16 ? n : 16;
        uint64_t sum = 64 * part; /* a quarter */

        for (k = 0; k < part; k++)
            sum += bbans_size_of(
                (int64_t)value[k] * (1 << BBANS_SIGNAL_MU_BITS) - mu[k]);
        cost +=
            (int64_t)part * (bbans_fixed_log2(sum) - bbans_fixed_log2(part));
        value += part;
        mu += part;
        n -= part;
    }
    return cost;
}

/* What residuals cost in parts that lie evenly, but for a quarter of each in
 * which stages learn, and their mean size. */
static int64_t trial_cost(const fit *f, int level, int64_t *mu, void *memory,
                          uint64_t *sum)
{
    const int32_t *value = bbans_signal_channel(f->x, f->channel);
    const size_t steps = f->x->steps, n = trial_of(steps, level);
    const size_t share = steps / (level < 7 ? 4 : 2) / n;
    const size_t parts = share < 1 ? 1 : share > TRIALS ? TRIALS : share;
    const size_t skipped = n < steps ? n / 4 : 0;
    int64_t cost = 0;
    size_t i, t;

    *sum = 0;
    for (i = 0; i < parts; i++) {
        const size_t first = (steps - n) / (2 * parts) * (2 * i + 1);

        bbans_prediction_part(f->p, f->x, f->channel, first, n, mu, memory);
        cost +=
            residual_cost(value + first + skipped, mu + skipped, n - skipped);
        for (t = 0; t < n; t++)
            *sum += bbans_size_of((int64_t)value[first + t] *
                                      (1 << BBANS_SIGNAL_MU_BITS) -
                                  mu[t]);
    }
    *sum /= n * parts;
    return cost;
}

/* The kind of adaptation that makes residuals cost less by 1/512 or more, if
 * there is one. */
static void choose_adaptation(fit *f, int level, int64_t *mu, void *memory)
{
    static const unsigned kinds[] = {2, 1, 3, 4};
    unsigned i, chosen = 0;
    uint64_t size;
    int64_t best;

    if (level < 4 || f->x->steps < BBANS_ADAPT_STEPS)
        return;
    best = trial_cost(f, level, mu, memory, &size);
    best -= best / 512;
    f->p->scale =
        bbans_bits_of(size) > 9 ? bbans_bits_of(size) - 9 : 0; /* to 2^8 */
    for (i = 0; i < (level < 7 ? 2 : 4); i++) {
        int64_t cost;

        if (i >= 2 && f->x->steps < LONG) /* has not the time to learn */
            break;
        if (i == 3 && chosen > 0) /* slow ones: if the others do not help */
            break;
        f->p->kind = kinds[i];
        cost = trial_cost(f, level, mu, memory, &size);
        if (cost < best) {
            best = cost;
            chosen = kinds[i];
        }
    }
    f->p->kind = chosen;
}

void bbans_prediction_fit(bbans_prediction *p, const bbans_signal_values *x,
                          const bbans_signal_range *range, unsigned lanes,
                          int level, void *work)
{
    const size_t pieces = bbans_pieces(x->steps);
    uint8_t *memory = (uint8_t *)work;
    int64_t *mu;
    fit f;

    memset(&f, 0, sizeof f);
    p->kind = p->refs = 0;
    p->segments = 1;
    if (x->steps == 0)
        return;
    (void)lanes;
    f.x = x;
    f.p = p;
    f.channel = range->channel;
    f.effort = effort_of(level);
    if (level >= 4 && level < 6 && x->channels >= MANY) {
        /* Their sums would take most of the time. */
        f.effort.block = BLOCK_MAX;
        f.effort.refs = 2;
        f.effort.aside = 10;
    }
    f.order = f.effort.order;
    if (f.order > x->margin / 2)
        f.order = (unsigned)(x->margin / 2);
    f.part = (candidate *)(void *)memory;
    memory += (pieces + 2) * ALIGNED(sizeof(candidate));
    f.level = (matrix *)(void *)memory;
    memory += depth_of(pieces + 1) * sizeof(matrix);
    f.work = (factor *)(void *)memory;
    memory += sizeof(factor);
    f.buffer = (int32_t *)(void *)memory;
    memory += ALIGNED(GROUPS * BUFFER * sizeof(int32_t));
    f.sum = (int64_t *)(void *)memory;
    memory += (PIECE + OWN * OWN) * sizeof(int64_t);
    mu = (int64_t *)(void *)memory;
    memory += trial_of(x->steps, level) * sizeof *mu;
    f.down[GROUPS - 1] = down_of(x, f.channel);
    find_refs(&f);
    use_refs(&f);
    fit_segments(&f);
    choose_adaptation(&f, level, mu, memory);
}

#endif /* BBANS_DECODER_ONLY */
