/* Private to csrc/: values coded one at a time, each in as many intervals as it
 * takes: docs/maths.md, section 11.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_VALUES_H
#define BBANS_VALUES_H

#include "bbans_internal.h"

/* ---- One value on one lane ----------------------------------------------- */

/* u of 0 .. last, all equally likely; room for 3 words. */
void bbans_lane_push_below(bbans_lane *lane, uint64_t u, uint64_t last);
/* Room for 1 word, as in every pop here. */
uint64_t bbans_lane_pop_below(bbans_lane *lane, uint64_t last);

/* The intervals of `last` + 1 equally likely values. */
static inline size_t bbans_below_words(uint64_t last)
{
    return ((size_t)bbans_bit_length(last) + 27) / 28;
}

/* ---- Laws: values by a cumulative distribution function ------------------ */

/* F(v), the mass below the value v, counts in units of 2^-32 and does not
 * fall; F is 0 at low, and 2^32 behind high, whatever `below` says. */
typedef struct {
    uint64_t (*below)(const void *model, int64_t value);
    /* Two values, between which that of a slot of 2^28 is likely to be. */
    void (*guess)(const void *model, uint32_t slot, int64_t *from, int64_t *to);
    const void *model;
    int64_t low, high, origin; /* low <= origin <= high */
    uint32_t leak; /* 1: each value has a mass; 0: only where F rises */
} bbans_law;

#define BBANS_LAW_WORDS 8

/* Where bins of one are all there are. */
#define BBANS_LAW_MIDDLE_BITS 11

static inline int bbans_law_is_narrow(int64_t low, int64_t high)
{
    return (uint64_t)high - (uint64_t)low < 2u << BBANS_LAW_MIDDLE_BITS;
}

/* The value is in low .. high; room for BBANS_LAW_WORDS, 1 if narrow.
 * Returns ERR_SYMBOL if it has no mass; the lane is unchanged. */
bbans_status bbans_lane_push_law(bbans_lane *lane, const bbans_law *law,
                                 int64_t value);
int64_t bbans_lane_pop_law(bbans_lane *lane, const bbans_law *law);

/* ---- Arrays of values ---------------------------------------------------- */

/* What codes value i.  Both check before they act. */
typedef struct {
    bbans_status (*push)(void *model, size_t i, bbans_lane *lane,
                         int64_t value);
    bbans_status (*pop)(void *model, size_t i, bbans_lane *lane,
                        int64_t *value);
    void *model;
    size_t words; /* that a value takes at most */
} bbans_each;

static inline int bbans_value_type_is_valid(int type)
{
    return bbans_type_is_valid(type) && type != BBANS_U64;
}

/* Check the message and the array, and push or pop all. */
bbans_status bbans_push_each(bbans_message *msg, const bbans_each *each,
                             const void *array, int type, size_t n);
bbans_status bbans_pop_each(bbans_message *msg, const bbans_each *each,
                            void *array, int type, size_t n);

#endif
