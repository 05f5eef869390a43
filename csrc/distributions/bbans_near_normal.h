/* Private to csrc/: counts whose distribution function is that of a Gaussian at
 * Peizer and Pratt's z, in integers.  docs/maths.md, "Mixtures, counts and
 * ranges", has the equations, their cost, and why z rises with the value.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_NEAR_NORMAL_H
#define BBANS_NEAR_NORMAL_H

#include "bbans_family.h"

/* 2^24 log2(1 + i / 256), 2^(24 + i / 256), and 2^23 g(2^(-i / 128)). */
extern const uint32_t bbans_log2_cells[257];
extern const uint32_t bbans_power_cells[257];
extern const uint32_t bbans_bend_cells[1025];

/* 0.02 in 2^-16. */
#define BBANS_HUNDREDTHS 1311

/* What keeps half the logarithm of U / V positive: that of 2^64, but that U
 * counts in 2^-23 and z in 2^-20, of distances in 2^-16. */
#define BBANS_POWER_ABOVE ((64 - 23 + 8) * (1 << 24))

/* The law of a value.  Logarithms are to 2, in units of 2^-24; values of the
 * window are below 2^18. */
typedef struct {
    int32_t first, last; /* the window                                     */
    uint32_t low, high;  /* 1 if there is anything below it, and above     */
    uint32_t slots;      /* those that every value has aside               */
    uint32_t p;          /* in 2^-16                                       */
    uint32_t trials;     /* 0: as many as there are                        */
    uint32_t successes;  /* of a negative binomial, in 2^-16; else 0       */
    int64_t centre;      /* where z = 0, in 2^-16                          */
    int32_t x, y, v;     /* of S or 2 S over x, of 2 T over y; of V, but for
                            what depends on the value                      */
    int32_t deviation;   /* in 2^-16, and what bends the quantile; for a   */
    int64_t skew;        /* guess                                          */
} bbans_near_normal;

/* Linear in a cell of 2^bits.  The tables rise by less than 2^(32 - bits). */
static inline uint32_t bbans_between(const uint32_t *cells, uint32_t at,
                                     unsigned bits)
{
    const uint32_t *a = cells + (at >> bits);

    return a[0] +
           (((a[1] - a[0]) * (at & (((uint32_t)1 << bits) - 1))) >> bits);
}

/* By the 24 highest bits of n > 0. */
static inline int32_t bbans_log2_24(uint64_t n)
{
    const int e = (int)bbans_floor_log2(n);
    const uint64_t m = e < 23 ? n << (23 - e) : n >> (e - 23);

    return e * (1 << 24) +
           (int32_t)bbans_between(bbans_log2_cells, (uint32_t)m & 0x7FFFFF, 15);
}

/* 1 + g of what has the logarithm y, in 2^-23. */
static inline uint32_t bbans_bend(int32_t y)
{
    const uint32_t a = (uint32_t)(y < 0 ? -y : y);
    const uint32_t most = ((uint32_t)8 << 24) - 1;
    const uint32_t g = bbans_between(bbans_bend_cells, a < most ? a : most, 17);

    return y < 0 ? ((uint32_t)1 << 23) + g : ((uint32_t)1 << 23) - g;
}

/* d of k, 0 < k <= last, in 2^-16. */
static inline int32_t bbans_near_normal_distance(const bbans_near_normal *law,
                                                 int32_t k)
{
    const int32_t a = BBANS_HUNDREDTHS / k;
    int64_t small = a;

    if (law->trials > 0)
        small = bbans_floor_shift(
            (int64_t)(65536 - law->p) * a -
                (int64_t)law->p *
                    (BBANS_HUNDREDTHS / ((int32_t)law->trials + 1 - k)),
            16);
    return (int32_t)(k * (int64_t)65536 - law->centre + small);
}

/* The mass of what is below k, 0 < k <= last, in 2^-32. */
static inline uint64_t bbans_near_normal_below(const bbans_near_normal *law,
                                               int32_t k)
{
    const int32_t d = bbans_near_normal_distance(law, k);
    const int32_t of_k = bbans_log2_24(2 * (uint32_t)k - 1);
    const bbans_family gaussian = {bbans_gaussian_survival,
                                   bbans_gaussian_quantile, 0, 0};
    uint32_t curve, power, s;
    int32_t x, y = 0, v = law->v;
    uint64_t t;

    if (law->successes > 0) { /* N depends on k */
        const uint64_t n = ((uint64_t)(k - 1) << 16) + law->successes;
        const int32_t log_n = bbans_log2_24(n);

        x = law->x - log_n;
        y = of_k - law->y - log_n;
        v += bbans_log2_24(6 * n + 65536);
    } else {
        x = of_k - law->x;
        if (law->trials > 0)
            y = bbans_log2_24(2 * (law->trials - (uint32_t)k) + 1) - law->y;
    }
    /* U = q (1 + g(S / Np)) + p (1 + g(T / Nq)): 2^-7 to 2, in 2^-23 */
    curve = (uint32_t)(((uint64_t)(65536 - law->p) * bbans_bend(x) +
                        (uint64_t)law->p * bbans_bend(y)) >>
                       16);
    power = (uint32_t)(bbans_log2_24(curve) + BBANS_POWER_ABOVE - v) >> 1;
    /* |d| (U / V)^(1/2), of less than 2^29 2^25, in 2^-20 */
    t = (uint64_t)(d < 0 ? -(int64_t)d : d) *
        bbans_between(bbans_power_cells, (power & 0xFFFFFF) >> 1, 15);
    t >>= 24 + 32 - (power >> 24);
    s = bbans_survival(&gaussian, t, 20);
    return d < 0 ? s : ((uint64_t)1 << 32) - s;
}

/* The lower edge of value k, first - 1 <= k <= last + 2, in slots. */
static inline uint32_t bbans_near_normal_edge(const bbans_near_normal *law,
                                              int32_t k)
{
    if (k <= law->first)
        return k == law->first ? law->low : 0;
    if (k > law->last)
        return ((uint32_t)1 << BBANS_FAMILY_PREC) -
               (k == law->last + 1 ? law->high : 0);
    return law->low + (uint32_t)(k - law->first) +
           (uint32_t)((law->slots * bbans_near_normal_below(law, k)) >> 32);
}

/* About the value of a slot. */
static inline int32_t bbans_near_normal_guess(const bbans_near_normal *law,
                                              uint32_t slot)
{
    const int64_t lower = (int64_t)(slot >> (BBANS_FAMILY_PREC - 1)) - 1;
    const uint32_t p =
        (slot ^ ~(uint32_t)lower) & (((uint32_t)1 << BBANS_FAMILY_PREC) - 1);
    const uint32_t *t = bbans_gaussian_quantile + (p >> 17);
    const int64_t z =
        t[0] - (int64_t)(((uint64_t)(t[0] - t[1]) * (p & 0x1FFFF)) >> 17);
    const int64_t bend = (law->skew * ((z * z) >> 16)) >> 16;
    const int64_t far = (law->deviation * z) >> 16;
    const int64_t at =
        bbans_floor_shift(law->centre + bend + ((far ^ lower) - lower), 16);

    return at < law->first  ? law->first
           : at > law->last ? law->last
                            : (int32_t)at;
}

static inline bbans_span bbans_near_normal_span(const bbans_near_normal *law,
                                                int32_t k)
{
    bbans_span span;

    span.start = bbans_near_normal_edge(law, k);
    span.end = bbans_near_normal_edge(law, k + 1);
    return span;
}

/* The value of a slot below 2^28, first - 1 if it is below the window and last
 * + 1 if above, and its interval, from k and that.  The bracket [k, high)
 * doubles away from the guess, then halves. */
static inline int32_t bbans_near_normal_search(const bbans_near_normal *law,
                                               uint32_t slot, int32_t k,
                                               bbans_span *span)
{
    int32_t high = k + 1, step = 1;

    while (span->start > slot) { /* not that of first - 1, which is 0 */
        high = k;
        span->end = span->start;
        k = k - step > law->first - 1 ? k - step : law->first - 1;
        span->start = bbans_near_normal_edge(law, k);
        step *= 2;
    }
    while (span->end <= slot) { /* nor that of last + 2, which is 2^28 */
        k = high;
        span->start = span->end;
        high = high + step < law->last + 2 ? high + step : law->last + 2;
        span->end = bbans_near_normal_edge(law, high);
        step *= 2;
    }
    while (high - k > 1) {
        const int32_t middle = k + (high - k) / 2;
        const uint32_t edge = bbans_near_normal_edge(law, middle);

        if (edge <= slot) {
            k = middle;
            span->start = edge;
        } else {
            high = middle;
            span->end = edge;
        }
    }
    return k;
}
/* ---- Laws side by side --------------------------------------------------- */

/* As many as kernels take at once, and their members but for guesses; the
 * centre is 2^16 origin + rest, 0 <= rest < 2^16. */
#define BBANS_NEAR_NORMALS 64

typedef struct bbans_near_normals {
    uint32_t first[BBANS_NEAR_NORMALS], last[BBANS_NEAR_NORMALS];
    uint32_t low[BBANS_NEAR_NORMALS], high[BBANS_NEAR_NORMALS];
    uint32_t slots[BBANS_NEAR_NORMALS], p[BBANS_NEAR_NORMALS];
    uint32_t trials[BBANS_NEAR_NORMALS], successes[BBANS_NEAR_NORMALS];
    int32_t origin[BBANS_NEAR_NORMALS], rest[BBANS_NEAR_NORMALS];
    int32_t x[BBANS_NEAR_NORMALS], y[BBANS_NEAR_NORMALS], v[BBANS_NEAR_NORMALS];
} bbans_near_normals;

static inline void bbans_near_normals_set(bbans_near_normals *laws, size_t i,
                                          const bbans_near_normal *law)
{
    laws->first[i] = (uint32_t)law->first;
    laws->last[i] = (uint32_t)law->last;
    laws->low[i] = law->low;
    laws->high[i] = law->high;
    laws->slots[i] = law->slots;
    laws->p[i] = law->p;
    laws->trials[i] = law->trials;
    laws->successes[i] = law->successes;
    laws->origin[i] = (int32_t)bbans_floor_shift(law->centre, 16);
    laws->rest[i] = (int32_t)((uint64_t)law->centre & 0xFFFF);
    laws->x[i] = law->x;
    laws->y[i] = law->y;
    laws->v[i] = law->v;
}

static inline bbans_near_normal
bbans_near_normals_get(const bbans_near_normals *laws, size_t i)
{
    bbans_near_normal law;

    law.first = (int32_t)laws->first[i];
    law.last = (int32_t)laws->last[i];
    law.low = laws->low[i];
    law.high = laws->high[i];
    law.slots = laws->slots[i];
    law.p = laws->p[i];
    law.trials = laws->trials[i];
    law.successes = laws->successes[i];
    law.centre = laws->origin[i] * (int64_t)65536 + laws->rest[i];
    law.x = laws->x[i];
    law.y = laws->y[i];
    law.v = laws->v[i];
    law.deviation = 0;
    law.skew = 0;
    return law;
}

#endif
