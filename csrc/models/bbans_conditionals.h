/* Private to csrc/: vectors of integers under full covariances, by the
 * conditional of each element given those before it, in fixed point:
 * docs/maths.md, "Linear Gaussian state space models" and "Hidden Markov models
 * of vectors".
 *
 * Locations count in 2^-16 of a grid step (of 1 for observations) and stay
 * within +-BBANS_LOCATION_MAX.  Differences of two, and integers cut to +-2^31,
 * stay below 2^48: vectors that are multiplied with matrices have such
 * elements.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_CONDITIONALS_H
#define BBANS_CONDITIONALS_H

#include "../distributions/bbans_family_value.h"

#define BBANS_LOCATION_MAX (((int64_t)1 << 46) - 1)
#define BBANS_INTEGER_MAX ((int64_t)1 << 31)

/* Products are kept from here on; elements too large for one product are cut
 * here into two. */
#define BBANS_ROW_LOW_BITS 24
#define BBANS_ROW_SMALL_BITS 25

/* The schedule's intervals have 26 bits: a push or a pop of 28 wastes 4e-5 bits
 * of a head that may be as small as 2^31, one of 26 bits 3e-6.  The edges are
 * those of 28 bits, cut; a leak of 4 leaves every bin a slot. */
#define BBANS_CUT_BITS (BBANS_FAMILY_PREC - 26)
#define BBANS_CUT_LEAK (1u << BBANS_CUT_BITS)

#define BBANS_SHIFT_MIN (-40)
#define BBANS_SHIFT_MAX 60

/* A vector of elements below 2^48, and whether one has BBANS_ROW_SMALL_BITS or
 * more. */
typedef struct {
    int64_t element[BBANS_LATENTS_MAX];
    uint64_t large;
} bbans_vector;

static inline int bbans_shifts_are_valid(const int32_t *row, size_t rows,
                                         size_t columns)
{
    size_t i;

    for (i = 0; i < rows; i++, row += 1 + columns)
        if (*row < BBANS_SHIFT_MIN || *row > BBANS_SHIFT_MAX)
            return 0;
    return 1;
}

/* ---- Fixed-point arithmetic ---------------------------------------------- */

static inline int64_t bbans_cut_to(int64_t v, int64_t limit)
{
    return v < -limit ? -limit : v > limit ? limit : v;
}

static inline void bbans_put_element(bbans_vector *out, size_t i, int64_t v)
{
    out->element[i] = v;
    out->large = (i > 0 ? out->large : 0) |
                 (uint64_t)(v ^ bbans_sign(v)) >> BBANS_ROW_SMALL_BITS;
}

static inline int64_t bbans_point_of(int64_t integer)
{
    return bbans_cut_to(integer, BBANS_INTEGER_MAX) * 65536;
}

/* sum_j row_j v_j 2^-24, rounded down.  64 products of 31 by 25 bits stay below
 * 2^62; else v = high 2^24 + low, and both sums stay below 2^61. */
static inline int64_t bbans_row_times(const int32_t *row, const bbans_vector *v,
                                      size_t n)
{
    int64_t sum = 0, low_sum = 0;
    size_t j;

    if (n == 0 || v->large == 0) {
        for (j = 0; j < n; j++)
            sum += row[j] * v->element[j];
        return bbans_floor_shift(sum, BBANS_ROW_LOW_BITS);
    }
    for (j = 0; j < n; j++) {
        const int64_t high =
            bbans_floor_shift(v->element[j], BBANS_ROW_LOW_BITS);

        sum += row[j] * high;
        low_sum += row[j] *
                   (v->element[j] - high * ((int64_t)1 << BBANS_ROW_LOW_BITS));
    }
    return sum + bbans_floor_shift(low_sum, BBANS_ROW_LOW_BITS);
}

/* base + sum_j row_j v_j 2^-(24 + shift), rounded, as a location. */
static inline int64_t bbans_affine_row(int64_t base, const int32_t *row,
                                       const bbans_vector *v, size_t n)
{
    const int32_t shift = row[0];
    int64_t t = bbans_row_times(row + 1, v, n);

    if (shift > 0)
        t = bbans_floor_shift(t + ((int64_t)1 << (shift - 1)), (unsigned)shift);
    else if (shift < 0) /* 2^48 2^40 / 2^40 */
        t = bbans_cut_to(t, (int64_t)1 << (48 + shift)) *
            ((int64_t)1 << -shift);
    return bbans_cut_to(base + t, BBANS_LOCATION_MAX);
}

/* ---- Values under full covariances --------------------------------------- */

/* Each element's location is moved by those before it, times its row of
 * `lower`; NULL leaves all where they are. */
typedef struct {
    const bbans_family *family;
    const int32_t *lower, *scale;
    size_t n;
    uint32_t leak; /* BBANS_CUT_LEAK: every value has a mass; 0: for Q, none far
                      out */
} bbans_conditionals;

static inline bbans_place bbans_conditional_place(const bbans_conditionals *c,
                                                  const int64_t *location,
                                                  size_t i)
{
    return bbans_place_of(location[i], c->scale[i], c->leak);
}

/* The location of element i, given what those before it moved. */
static inline void bbans_move_one(const bbans_conditionals *c, size_t i,
                                  const bbans_vector *moved, int64_t *location)
{
    if (c->lower != NULL)
        location[i] =
            bbans_affine_row(location[i], c->lower + i * (1 + c->n), moved, i);
}

static inline void bbans_note_moved(bbans_vector *moved, size_t i,
                                    int64_t value, const int64_t *location)
{
    bbans_put_element(moved, i, bbans_point_of(value) - location[i]);
}

static inline void bbans_move_all(const bbans_conditionals *c,
                                  const int64_t *value, int64_t *location)
{
    bbans_vector moved;
    size_t i;

    if (c->lower == NULL)
        return;
    moved.large = 0; /* for compilers */
    for (i = 0; i < c->n; i++) {
        bbans_move_one(c, i, &moved, location);
        bbans_note_moved(&moved, i, value[i], location);
    }
}

/* `location` holds what the elements have before they move each other. */
static inline bbans_status bbans_pop_conditionals(bbans_lane *of,
                                                  const bbans_conditionals *c,
                                                  int64_t *location,
                                                  int64_t *value)
{
    bbans_status status = BBANS_OK;
    bbans_lane lane = *of;
    bbans_vector moved;
    size_t i;

    moved.large = 0; /* for compilers */
    for (i = 0; i < c->n; i++) {
        bbans_place place;

        bbans_move_one(c, i, &moved, location);
        place = bbans_conditional_place(c, location, i);
        if (bbans_pop_value(&lane, c->family, &place, BBANS_CUT_BITS,
                            BBANS_PARTS_SHORT, value + i) != BBANS_OK)
            status = BBANS_ERR_CORRUPT;
        if (c->lower != NULL)
            bbans_note_moved(&moved, i, value[i], location);
    }
    *of = lane;
    return status;
}

static inline bbans_status bbans_push_conditionals(bbans_lane *of,
                                                   const bbans_conditionals *c,
                                                   int64_t *location,
                                                   const int64_t *value)
{
    bbans_status status = BBANS_OK;
    bbans_lane lane = *of;
    size_t i;

    bbans_move_all(c, value, location);
    for (i = c->n; i-- > 0;) {
        const bbans_place place = bbans_conditional_place(c, location, i);

        if (bbans_push_value(&lane, c->family, &place, BBANS_CUT_BITS,
                             BBANS_PARTS_SHORT, value[i]) != BBANS_OK)
            status = BBANS_ERR_CORRUPT;
    }
    *of = lane;
    return status;
}

#endif
