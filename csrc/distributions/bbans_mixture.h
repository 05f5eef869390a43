/* Private to csrc/: mixtures of one family, of any number of components:
 * docs/maths.md, "Mixtures, counts and ranges".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_MIXTURE_H
#define BBANS_MIXTURE_H

#include "bbans_family.h"
#include "bbans_values.h"

typedef struct {
    bbans_place place;
    uint32_t half_way; /* from the origin to the location, and 1/2, in 2^-16 */
    uint32_t weight;
} bbans_component;

/* The components of one value. */
typedef struct {
    bbans_family family;
    size_t components;
    bbans_component *part; /* [components] */
    uint64_t total;        /* of the weights, up to BBANS_TOTAL_MAX */
} bbans_mixture;

/* Set the components, from element `first` of locations and scales on, and make
 * *cdf the law of any int64_t.  The other members of *m are set.  ERR_SYMBOL: a
 * parameter is out of range. */
bbans_status bbans_mixture_open(bbans_mixture *m, bbans_array location,
                                bbans_array scale, size_t first,
                                const uint32_t *weight, bbans_cdf *cdf);

/* Whether a law is of a location and a scale: then these are its arrays 0 and
 * 1, and its form is their family. */
int bbans_is_location_scale(const bbans_distribution *d);

#endif
