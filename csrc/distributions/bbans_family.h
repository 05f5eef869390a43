/* Private to csrc/: values under a family, a location and a scale, one at a
 * time.  docs/maths.md, "Values of a family", has the method and its bounds.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FAMILY_H
#define BBANS_FAMILY_H

#include "../bbans_internal.h"

#define BBANS_FAMILY_PREC 28

/* 2^4 bins in each octave beyond the middle. */
#define BBANS_OCTAVE_BITS 4

/* A value's low bits are coded in parts of up to so many. */
#define BBANS_PART_BITS 28

/* Distances that saturate every family: t >= 2^20 > 8 2^13. */
#define BBANS_FAR_BITS 30

/* A family of the library, with a leak; NULL if there is none. */
const bbans_family *bbans_family_of(int which);

/* 2^(16 - f / 256) in units of 2^-10, and 2^(15 + f / 256). */
extern const uint32_t bbans_scale_powers[2 * 256];

/* 2^31 2^((f + 1/2) / 256), where the scale goes from f to f + 1, padded; and
 * how many of them are below each 256th of the way from 2^31 to 2^32. */
extern const uint32_t bbans_scale_above[258];
extern const uint32_t bbans_scale_guess[256];

/* Families of the library: bbans_families.c. */
extern const uint32_t bbans_gaussian_survival[2050];
extern const uint32_t bbans_gaussian_quantile[BBANS_QUANTILES];
extern const uint32_t bbans_logistic_survival[2562];
extern const uint32_t bbans_logistic_quantile[BBANS_QUANTILES];
extern const uint32_t bbans_laplace_survival[2562];
extern const uint32_t bbans_laplace_quantile[BBANS_QUANTILES];

static inline int bbans_is_real(int type)
{
    return type == BBANS_F32 || type == BBANS_F64;
}

/* Where element i of an array of F32 or F64 is. */
static inline const void *bbans_real_at(const void *array, int type, size_t i)
{
    return (const uint8_t *)array + i * (type == BBANS_F32 ? 4 : 8);
}

/* The slots that every bin has of its own, of 2^28. */
static inline uint32_t bbans_leak(const bbans_family *family)
{
    return family->leakless ? 0 : 1;
}

static inline int bbans_location_is_valid(int64_t location)
{
    return location > -((int64_t)1 << 62) && location < (int64_t)1 << 62;
}

static inline int bbans_scale_is_valid(int32_t scale)
{
    return scale >= BBANS_SCALE_MIN && scale <= BBANS_SCALE_MAX;
}

static inline int32_t bbans_clipped_scale(int32_t scale)
{
    return scale < BBANS_SCALE_MIN   ? BBANS_SCALE_MIN
           : scale > BBANS_SCALE_MAX ? BBANS_SCALE_MAX
                                     : scale;
}

/* The bins of a distribution.  On each side of the origin there are
 * 2^middle_bits bins of 2^width values, and then octaves of 16 bins.  Bin q >=
 * 0 mirrors bin -1 - q; edge q is the lower edge of bin q. */
typedef struct {
    int64_t origin;       /* floor(mu)                                    */
    int64_t below;        /* edges lie this far below their distance from
                             the origin, in 2^-16 of a middle bin         */
    uint32_t leak, slots; /* F_q = leak (q + half) + slots G; leak 0: for
                             posteriors, no mass far out                  */
    int32_t half;         /* bins on each side                            */
    uint32_t down, up;    /* sigma in middle bins is 2^(shift - 12) times
                             up / 2^15, or 2^16 / down                    */
    unsigned shift, width, middle_bits;
} bbans_place;

/* The scale is valid: e = floor(log2(sigma)) is -12 to 46, so width <= 37,
 * shift <= 21 and 4 <= middle_bits <= 12. */
static inline bbans_place bbans_place_of(int64_t location, int32_t scale,
                                         uint32_t leak)
{
    const uint32_t above = (uint32_t)(scale - BBANS_SCALE_MIN);
    const unsigned e12 = above >> 8;
    const uint64_t half_way = ((uint64_t)location & 0xFFFF) + 0x8000;
    bbans_place place;

    place.origin = bbans_floor_shift(location, 16);
    place.width = e12 > 21 ? e12 - 21 : 0;
    place.shift = e12 - place.width;
    place.middle_bits = (place.shift < 13 ? 13 : place.shift) - 9;
    place.down = bbans_scale_powers[2 * (above & 255)] >> 10;
    place.up = bbans_scale_powers[2 * (above & 255) + 1];
    place.below = (int64_t)half_way;
    if (place.width > 0)
        place.below = (int64_t)((half_way + ((uint64_t)1 << place.width) - 1) >>
                                place.width);
    place.half = (int32_t)(((uint32_t)1 << place.middle_bits) +
                           ((64 - place.width - place.middle_bits)
                            << BBANS_OCTAVE_BITS));
    place.leak = leak;
    place.slots =
        ((uint32_t)1 << BBANS_FAMILY_PREC) - leak * 2 * (uint32_t)place.half;
    return place;
}

/* The bin of the distance u >= 0, in values, and its low bits. */
static inline int32_t bbans_bin_of(const bbans_place *place, uint64_t u,
                                   unsigned *low_bits)
{
    const uint64_t v = u >> place->width;
    unsigned octave, shift;

    if (v >> place->middle_bits == 0) {
        *low_bits = place->width;
        return (int32_t)v;
    }
    octave = bbans_floor_log2(v) - place->middle_bits;
    shift = place->middle_bits - BBANS_OCTAVE_BITS + octave;
    *low_bits = place->width + shift;
    /* 2^middle_bits + 16 octave + (v >> shift) - 16, and v >> shift < 32. */
    return (int32_t)((1u << place->middle_bits) +
                     (octave << BBANS_OCTAVE_BITS) + (uint32_t)(v >> shift) -
                     (1u << BBANS_OCTAVE_BITS));
}

/* The first distance of bin q >= 0, in middle bins as mantissa and shift. */
static inline uint32_t bbans_bin_start(const bbans_place *place, uint32_t q,
                                       unsigned *shift)
{
    const uint32_t beyond = q - (1u << place->middle_bits);

    *shift = 0;
    if (q < 1u << place->middle_bits)
        return q;
    *shift =
        place->middle_bits - BBANS_OCTAVE_BITS + (beyond >> BBANS_OCTAVE_BITS);
    return (1u << BBANS_OCTAVE_BITS) +
           (beyond & ((1u << BBANS_OCTAVE_BITS) - 1));
}

/* S(t), t in units of 2^-point, in units of 2^-32; it does not rise. */
static inline uint32_t bbans_survival(const bbans_family *family, uint64_t t,
                                      unsigned point)
{
    unsigned shift = point - 8;
    const uint32_t *s;

    if (t >> (point + 3) == 0) {
        s = family->survival + (t >> shift);
    } else { /* octave k >= 0 is [8 2^k, 16 2^k) */
        const unsigned k = (unsigned)bbans_bit_length(t) - 4 - point;

        if (k >= family->octaves)
            return 0;
        shift = point - 5 + k;
        s = family->survival + 2048 + 256 * k + ((t >> shift) - 256);
    }
    return s[0] - (uint32_t)(((uint64_t)(s[0] - s[1]) *
                              (t & (((uint64_t)1 << shift) - 1))) >>
                             shift);
}

/* G of a distance from the location, in 2^-16 of a middle bin, below 2^47; in
 * units of 2^-32. */
static inline uint64_t bbans_below(const bbans_family *family,
                                   const bbans_place *place, int64_t distance)
{
    const int64_t minus = bbans_sign(distance);
    const uint64_t a = (uint64_t)((distance ^ minus) - minus);
    const int64_t s =
        bbans_survival(family, (a * place->down) >> place->shift, 20);

    return (uint64_t)(((minus + 1) * ((int64_t)1 << 32)) +
                      ((s ^ ~minus) - ~minus));
}

/* Whether the bin of this shift begins 2^62 values or more from the origin. */
static inline int bbans_is_remote(const bbans_place *place, unsigned shift)
{
    return place->width + shift > 61 - BBANS_OCTAVE_BITS;
}

/* The distance of edge q beyond the middle from the origin, in middle bins,
 * above 0. */
static inline int64_t bbans_outer_edge(const bbans_place *place, uint32_t q)
{
    unsigned shift;
    const uint32_t start = bbans_bin_start(place, q, &shift);

    return shift > BBANS_FAR_BITS - BBANS_OCTAVE_BITS ||
                   (place->leak == 0 && bbans_is_remote(place, shift))
               ? (int64_t)1 << BBANS_FAR_BITS
               : (int64_t)start << shift;
}

/* Edge q, -half to half, in slots: 0 at the first, 2^28 at the last, and leak
 * or more apart. */
static inline uint32_t bbans_edge(const bbans_family *family,
                                  const bbans_place *place, int32_t q)
{
    const uint32_t middle = (uint32_t)1 << place->middle_bits;
    int64_t u = q;
    uint64_t g;

    if ((uint32_t)q + middle > 2 * middle) /* |q| > middle */
        u = q < 0 ? -bbans_outer_edge(place, (uint32_t)-q)
                  : bbans_outer_edge(place, (uint32_t)q);
    g = bbans_below(family, place, u * 65536 - place->below);
    return place->leak * (uint32_t)(q + place->half) +
           (uint32_t)((place->slots * g) >> 32);
}

/* A value as a bin and low bits. */
typedef struct {
    int32_t q;
    unsigned low_bits;
    uint64_t low;
} bbans_bin;

static inline bbans_bin bbans_bin_of_value(const bbans_place *place,
                                           int64_t value)
{
    const int64_t minus = -(int64_t)(value < place->origin);
    const uint64_t u =
        ((uint64_t)value - (uint64_t)place->origin) ^ (uint64_t)minus;
    bbans_bin bin;

    bin.q = bbans_bin_of(place, u, &bin.low_bits);
    bin.low = u & (((uint64_t)1 << bin.low_bits) - 1);
    bin.q = (int32_t)(bin.q ^ minus);
    return bin;
}

static inline unsigned bbans_low_bits(const bbans_place *place, int32_t q)
{
    unsigned shift;

    (void)bbans_bin_start(place, (uint32_t)(q ^ bbans_sign(q)), &shift);
    return place->width + shift;
}

/* Whether the bin has this value: some of the last bins lie beyond int64_t. */
static inline int bbans_value_of_bin(const bbans_place *place, bbans_bin bin,
                                     int64_t *value)
{
    const int64_t minus = bbans_sign(bin.q);
    unsigned shift;
    const uint64_t start =
        bbans_bin_start(place, (uint32_t)(bin.q ^ minus), &shift);
    const uint64_t u = (start << (place->width + shift)) | bin.low;

    *value = bbans_signed((uint64_t)place->origin + (u ^ (uint64_t)minus));
    return (*value < place->origin) == (bin.q < 0);
}

/* About where the slot lies: its quantile, in middle bins from the origin. */
static inline int64_t bbans_guess_distance(const bbans_family *family,
                                           const bbans_place *place,
                                           uint32_t slot)
{
    const int64_t lower = (int64_t)(slot >> (BBANS_FAMILY_PREC - 1)) - 1;
    const uint32_t p =
        (slot ^ ~(uint32_t)lower) & (((uint32_t)1 << BBANS_FAMILY_PREC) - 1);
    const uint32_t *t = family->quantile + (p >> 17);
    const uint64_t at =
        t[0] - (((uint64_t)(t[0] - t[1]) * (p & 0x1FFFF)) >> 17);
    const int64_t a = (int64_t)((at * place->up) >> (27 - place->shift));

    return bbans_floor_shift((a ^ lower) - lower + place->below, 16);
}

/* The bin of a slot below 2^28 and its interval. */
int32_t bbans_search_bin(const bbans_family *family, const bbans_place *place,
                         uint32_t slot, bbans_span *span);

/* ---- The common case ----------------------------------------------------- */

/* Bins of one value in the middle, whose edges have t < 8: the same as above,
 * in fewer steps that wait for one another. */

/* t in units of 2^-20. */
static inline uint64_t bbans_near_t(const bbans_place *place, int64_t distance)
{
    const int64_t minus = bbans_sign(distance);

    return ((uint64_t)((distance ^ minus) - minus) * place->down) >>
           place->shift;
}

/* slots G in units of 2^-32; slots (2^32 - S) is slots (S ^ (2^32 - 1)) +
 * slots.
 */
static inline uint64_t bbans_near_slots(const bbans_family *family,
                                        const bbans_place *place,
                                        int64_t distance, uint64_t t)
{
    const uint32_t *s = family->survival + (t >> 12);
    const uint32_t above = (uint32_t)~bbans_sign(distance);
    const uint32_t fall =
        (uint32_t)(((uint64_t)(s[0] - s[1]) * (t & 4095)) >> 12);

    return (uint64_t)((s[0] - fall) ^ above) * place->slots +
           (place->slots & above);
}

/* The interval of bin u, or 0 if that is not so easy. */
static inline int bbans_near_span(const bbans_family *family,
                                  const bbans_place *place, int64_t u,
                                  bbans_span *span)
{
    const uint32_t middle = (uint32_t)1 << place->middle_bits;
    int64_t start, end; /* distances */
    uint64_t t0, t1;
    uint32_t before;

    if ((uint64_t)u + middle >= 2 * middle || place->width > 0)
        return 0;
    start = u * 65536 - place->below;
    end = start + 65536;
    t0 = bbans_near_t(place, start);
    t1 = bbans_near_t(place, end);
    if ((t0 | t1) >> 23 != 0)
        return 0;
    before = place->leak * (uint32_t)(u + place->half);
    span->start =
        before + (uint32_t)(bbans_near_slots(family, place, start, t0) >> 32);
    span->end = before + place->leak +
                (uint32_t)(bbans_near_slots(family, place, end, t1) >> 32);
    return 1;
}

/* The bin of a slot, with its interval, if that is easy; it is `u` then. */
static inline int bbans_near_find(const bbans_family *family,
                                  const bbans_place *place, uint32_t slot,
                                  int64_t *u, bbans_span *span)
{
    *u = bbans_guess_distance(family, place, slot);
    return bbans_near_span(family, place, *u, span) &&
           slot - span->start < span->end - span->start;
}

static inline int32_t bbans_find_bin(const bbans_family *family,
                                     const bbans_place *place, uint32_t slot,
                                     bbans_span *span)
{
    bbans_place far_place; /* a copy: that of the others is in registers */
    int64_t u;

    if (bbans_near_find(family, place, slot, &u, span))
        return (int32_t)u;
    far_place = *place;
    return bbans_search_bin(family, &far_place, slot, span);
}

/* Of the low bits' parts, the k-th from the lowest: its bits. */
static inline unsigned bbans_part_bits(unsigned low_bits, unsigned k)
{
    const unsigned before = k * BBANS_PART_BITS;

    if (low_bits <= before)
        return 0;
    return low_bits - before < BBANS_PART_BITS ? low_bits - before
                                               : BBANS_PART_BITS;
}

#endif
