/* Distributions of every kind, whose parameters the input says: most of them
 * are in range.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FUZZ_LAWS_H
#define BBANS_FUZZ_LAWS_H

#include "../bbans_internal.h"
#include "fuzz.h"

#define LAW_ROWS 3
#define LAW_SYMBOLS 9
#define LAW_COMPONENTS 4
#define LAW_OWNED 8

typedef enum {
    LAW_SYMBOL,
    LAW_RAGGED,
    LAW_UNIFORM,
    LAW_BERNOULLI,
    LAW_WEIGHTED,
    LAW_LOCATION_SCALE,
    LAW_RANGE,
    LAW_RANGES,
    LAW_MIXTURE,
    LAW_GEOMETRIC,
    LAW_BINOMIAL,
    LAW_BETA_BINOMIAL,
    LAW_POISSON,
    LAW_NEGATIVE_BINOMIAL,
    LAWS
} fuzz_law_kind;

/* A law for n values, and what it points to. */
typedef struct {
    fuzz_law_kind kind;
    bbans_distribution distribution;
    bbans_table table;
    bbans_ragged ragged;
    bbans_family family;
    size_t n;
    int64_t *center;  /* [n] where values are likely                     */
    uint32_t breadth; /* and how many of them                            */
    void *owned[LAW_OWNED];
    size_t n_owned;
} fuzz_law;

static inline void *law_array(fuzz_law *law, size_t n_bytes)
{
    void *array = fuzz_memory(n_bytes);

    CHECK(law->n_owned < LAW_OWNED);
    law->owned[law->n_owned++] = array;
    return array;
}

static inline void fuzz_law_free(fuzz_law *law)
{
    while (law->n_owned > 0)
        free(law->owned[--law->n_owned]);
}

/* ---- Parameters ---------------------------------------------------------- */

/* n numbers below the limit, which may be more now and then. */
static inline bbans_array law_numbers(fuzz_law *law, fuzz_input *in, size_t n,
                                      uint32_t limit)
{
    uint32_t *number = law_array(law, 4 * n);
    const int any = fuzz_below(in, 16) == 1;
    size_t i;

    for (i = 0; i < n; i++)
        number[i] = any ? (uint32_t)fuzz_bits(in, 4) : fuzz_below(in, limit);
    return bbans_array_of(number, BBANS_U32);
}

/* n positive reals, up to 2^32 units, or any floats at all. */
static inline bbans_array law_reals(fuzz_law *law, fuzz_input *in, size_t n,
                                    double unit)
{
    const int narrow = (int)fuzz_below(in, 2), any = fuzz_below(in, 16) == 1;
    float *single = law_array(law, 4 * n);
    double *real = law_array(law, 8 * n);
    size_t i;

    for (i = 0; i < n; i++) {
        const uint64_t bits = fuzz_bits(in, any ? 8 : 4);
        const uint32_t half = (uint32_t)(bits >> 16);

        real[i] = (double)(bits & UINT32_MAX) * unit;
        single[i] = (float)real[i];
        if (any) {
            memcpy(real + i, &bits, 8);
            memcpy(single + i, &half, 4);
        }
    }
    return narrow ? bbans_array_of(single, BBANS_F32)
                  : bbans_array_of(real, BBANS_F64);
}

/* Fixed or real. */
static inline bbans_array law_parameter(fuzz_law *law, fuzz_input *in, size_t n,
                                        uint32_t limit, double unit)
{
    return fuzz_below(in, 2) ? law_numbers(law, in, n, limit)
                             : law_reals(law, in, n, unit);
}

static inline bbans_array law_locations(fuzz_law *law, fuzz_input *in, size_t n)
{
    int64_t *location = law_array(law, 8 * n);
    const size_t each = n / (law->n > 0 ? law->n : 1);
    size_t i;

    for (i = 0; i < n; i++) {
        location[i] = fuzz_value(in);
        if (fuzz_below(in, 2))
            location[i] /= (int64_t)1 << 32;
        law->center[i / each] = location[i] / 65536;
    }
    return fuzz_below(in, 4) > 0 ? bbans_array_of(location, BBANS_I64)
                                 : law_reals(law, in, n, 1. / 65536);
}

static inline bbans_array law_scales(fuzz_law *law, fuzz_input *in, size_t n)
{
    int32_t *scale;
    size_t i;

    if (fuzz_below(in, 4) == 1)
        return law_reals(law, in, n, 1. / 65536);
    scale = law_array(law, 4 * n);
    for (i = 0; i < n; i++)
        scale[i] = fuzz_below(in, 2)
                       ? (int32_t)fuzz_below(in, 4096)
                       : (int32_t)fuzz_below(in, 15200) + BBANS_SCALE_MIN - 10;
    return bbans_array_of(scale, BBANS_I32);
}

static inline bbans_array law_weights(fuzz_law *law, fuzz_input *in, size_t n,
                                      size_t rows)
{
    double *share = law_array(law, 8 * n * rows);
    uint32_t *mass = law_array(law, 4 * n * rows);
    const unsigned kind = fuzz_below(in, 8);
    size_t i;

    for (i = 0; i < rows; i++) {
        if (kind < 4)
            fuzz_masses(in, mass + n * i, n,
                        kind == 0 ? BBANS_TOTAL_MAX : 1 << 16);
        else
            fuzz_masses(in, mass + n * i, n, 1 << 20);
    }
    for (i = 0; i < n * rows; i++)
        share[i] = mass[i] / 1048576.;
    if (n * rows > 0 && kind % 2 == 1) { /* one may be 0, or anything */
        mass[fuzz_below(in, (uint32_t)(n * rows))] =
            kind == 1 ? 0 : (uint32_t)fuzz_bits(in, 4);
        share[fuzz_below(in, (uint32_t)(n * rows))] =
            kind == 5 ? 0 : -(double)fuzz_bits(in, 2) / 65536;
    }
    return kind < 4 ? bbans_array_of(mass, BBANS_U32)
                    : bbans_array_of(share, BBANS_F64);
}

/* ---- Tables -------------------------------------------------------------- */

/* A row for each value, or the first for all. */
static inline bbans_array law_rows(fuzz_law *law, fuzz_input *in, size_t rows)
{
    uint8_t *row = law_array(law, law->n);
    size_t i;

    for (i = 0; i < law->n; i++)
        row[i] = (uint8_t)fuzz_below(in, (uint32_t)rows);
    if (law->n > 0 && fuzz_below(in, 32) == 1)
        row[0] = (uint8_t)rows;
    return bbans_array_of(fuzz_below(in, 2) ? row : NULL, BBANS_U8);
}

static inline bbans_status law_symbols(fuzz_law *law, fuzz_input *in)
{
    const size_t rows = 1 + fuzz_below(in, LAW_ROWS);
    const size_t symbols = 1 + fuzz_below(in, LAW_SYMBOLS);
    const unsigned prec = 4 + fuzz_below(in, BBANS_PREC_MAX - 3);
    uint32_t *cdf = law_array(law, 4 * rows * (symbols + 1));
    size_t i;

    for (i = 0; i < rows; i++)
        fuzz_edges(in, cdf + i * (symbols + 1), symbols, (uint32_t)1 << prec);
    law->table.cdf = cdf;
    law->table.rows = rows;
    law->table.symbols = symbols;
    law->table.prec = prec;
    law->table.index_bits = 0;
    law->table.index = NULL;
    law->breadth = (uint32_t)symbols + 1;
    CHECK(bbans_table_check(&law->table) == BBANS_OK);
    if (fuzz_below(in, 2)) {
        const unsigned bits = fuzz_below(in, 9);
        const size_t words = bbans_table_index_words(&law->table, bits);

        if (words > 0)
            CHECK(bbans_table_index(&law->table, bits,
                                    law_array(law, 2 * words),
                                    words) == BBANS_OK);
    }
    return bbans_distribution_init_symbols(&law->distribution, &law->table,
                                           law_rows(law, in, rows));
}

static inline bbans_status law_ragged(fuzz_law *law, fuzz_input *in)
{
    const size_t rows = 1 + fuzz_below(in, LAW_ROWS);
    const unsigned prec = 4 + fuzz_below(in, BBANS_PREC_MAX - 3);
    const int escape = (int)fuzz_below(in, 2);
    uint32_t *cdf = law_array(law, 4 * LAW_ROWS * (LAW_SYMBOLS + 1)), *at = cdf;
    uint32_t *symbols = law_array(law, 4 * rows);
    int64_t *offset = law_array(law, 8 * rows);
    size_t i, n_bytes;

    for (i = 0; i < rows; i++) {
        symbols[i] = 1 + fuzz_below(in, LAW_SYMBOLS);
        offset[i] = fuzz_value(in);
        if (offset[i] > INT64_MAX - symbols[i])
            offset[i] = INT64_MAX - symbols[i];
        if (offset[i] == INT64_MIN)
            offset[i]++;
        fuzz_edges(in, at, symbols[i], (uint32_t)1 << prec);
        at += symbols[i] + 1;
    }
    for (i = 0; i < law->n; i++)
        law->center[i] = offset[i % rows];
    law->breadth = LAW_SYMBOLS + 2;
    n_bytes = bbans_ragged_bytes(symbols, rows, prec);
    CHECK(bbans_ragged_init(&law->ragged, prec, escape, cdf, symbols, offset,
                            rows, law_array(law, n_bytes),
                            n_bytes) == BBANS_OK);
    return bbans_distribution_init_ragged(&law->distribution, &law->ragged,
                                          law_rows(law, in, rows));
}

static inline bbans_status law_bernoulli(fuzz_law *law, fuzz_input *in)
{
    const unsigned prec = 1 + fuzz_below(in, BBANS_PREC_MAX);
    uint32_t *one = law_array(law, 4 * law->n);
    size_t i;

    for (i = 0; i < law->n; i++) /* at times 0, or all, which are refused */
        one[i] = fuzz_below(in, (uint32_t)1 << prec);
    law->breadth = 2;
    return bbans_distribution_init_bernoulli(&law->distribution, prec, one);
}

static inline bbans_status law_weighted(fuzz_law *law, fuzz_input *in)
{
    const size_t symbols = 1 + fuzz_below(in, LAW_SYMBOLS);

    law->breadth = (uint32_t)symbols + 1;
    return bbans_distribution_init_weighted(
        &law->distribution, law_weights(law, in, symbols, law->n), symbols);
}

/* ---- Values -------------------------------------------------------------- */

static inline void law_family(fuzz_law *law, fuzz_input *in)
{
    CHECK(bbans_family_init(&law->family, (int)fuzz_below(in, 3)) == BBANS_OK);
    law->family.leakless = fuzz_below(in, 2);
}

static inline bbans_status law_ranges(fuzz_law *law, fuzz_input *in)
{
    int64_t *low = law_array(law, 8 * law->n);
    int64_t *high = law_array(law, 8 * law->n);
    size_t i;

    for (i = 0; i < law->n; i++) {
        const int64_t a = fuzz_value(in), b = fuzz_value(in);

        low[i] = a < b || fuzz_below(in, 16) == 1 ? a : b;
        high[i] = a < b ? b : a;
        law->center[i] = low[i];
    }
    return bbans_distribution_init_ranges(&law->distribution,
                                          bbans_array_of(low, BBANS_I64),
                                          bbans_array_of(high, BBANS_I64));
}

static inline bbans_status law_mixture(fuzz_law *law, fuzz_input *in)
{
    const size_t k = 1 + fuzz_below(in, LAW_COMPONENTS);
    bbans_array weight = bbans_array_of(NULL, BBANS_U32), location, scale;
    int64_t low = INT64_MIN, high = INT64_MAX;

    law_family(law, in);
    if (fuzz_below(in, 4) > 0)
        weight = law_weights(law, in, k, law->n);
    location = law_locations(law, in, k * law->n);
    scale = law_scales(law, in, k * law->n);
    if (fuzz_below(in, 2)) {
        low = law->n > 0 ? law->center[0] : 0;
        low -= low > INT64_MIN + 256 ? fuzz_below(in, 256) : 0;
        high = low < INT64_MAX - 65536 ? low + fuzz_below(in, 65536) : low;
    }
    return bbans_distribution_init_mixture(&law->distribution, &law->family, k,
                                           weight, location, scale, low, high);
}

static inline bbans_status law_counts(fuzz_law *law, fuzz_input *in)
{
    const size_t n = law->n;
    bbans_distribution *d = &law->distribution;
    bbans_array trials, a, b;

    switch (law->kind) {
    case LAW_BINOMIAL:
        trials = law_numbers(law, in, n, fuzz_below(in, 2) ? 200 : 262144);
        a = law_parameter(law, in, n, UINT32_MAX, 1. / 4294967296);
        return bbans_distribution_init_binomial(d, trials.data, a);
    case LAW_BETA_BINOMIAL:
        trials = law_numbers(law, in, n, 200);
        a = law_parameter(law, in, n, 1 << 22, 1. / 65536);
        b = law_parameter(law, in, n, 1 << 22, 1. / 65536);
        return bbans_distribution_init_beta_binomial(d, trials.data, a, b);
    case LAW_POISSON:
        return bbans_distribution_init_poisson(
            d, law_parameter(law, in, n, 1 << 24, 1. / 65536));
    default:
        a = law_parameter(law, in, n, 1 << 22, 1. / 65536);
        b = law_parameter(law, in, n, UINT32_MAX, 1. / 4294967296);
        return bbans_distribution_init_negative_binomial(d, a, b);
    }
}

static inline bbans_status law_init(fuzz_law *law, fuzz_input *in)
{
    bbans_distribution *d = &law->distribution;
    bbans_array location;
    int64_t low, high;

    switch (law->kind) {
    case LAW_SYMBOL: return law_symbols(law, in);
    case LAW_RAGGED: return law_ragged(law, in);
    case LAW_UNIFORM:
        law->breadth = 1 + fuzz_below(in, BBANS_TOTAL_MAX);
        return bbans_distribution_init_uniform(d, law->breadth);
    case LAW_BERNOULLI: return law_bernoulli(law, in);
    case LAW_WEIGHTED: return law_weighted(law, in);
    case LAW_LOCATION_SCALE:
        law_family(law, in);
        location = law_locations(law, in, law->n);
        return bbans_distribution_init_location_scale(
            d, &law->family, location, law_scales(law, in, law->n));
    case LAW_RANGE:
        low = fuzz_value(in);
        high = fuzz_value(in);
        law->breadth = 300;
        return bbans_distribution_init_range(d, low < high ? low : high,
                                             low < high ? high : low);
    case LAW_RANGES: return law_ranges(law, in);
    case LAW_MIXTURE: return law_mixture(law, in);
    case LAW_GEOMETRIC:
        return bbans_distribution_init_geometric(d,
                                                 law_scales(law, in, law->n));
    default: return law_counts(law, in);
    }
}

static inline void fuzz_law_make(fuzz_law *law, fuzz_input *in, size_t n)
{
    size_t i;

    law->kind = (fuzz_law_kind)fuzz_below(in, LAWS);
    law->n = n;
    law->n_owned = 0;
    law->breadth = 64;
    law->center = law_array(law, 8 * n);
    for (i = 0; i < n; i++)
        law->center[i] = 0;
    CHECK(law_init(law, in) == BBANS_OK);
}

/* Values, most of them likely. */
static inline int64_t *fuzz_law_values(const fuzz_law *law, fuzz_input *in)
{
    int64_t *value = fuzz_memory(8 * law->n);
    size_t i;

    for (i = 0; i < law->n; i++) {
        const uint32_t more = fuzz_below(in, law->breadth);
        const int64_t center = law->center[i];

        value[i] = center < INT64_MAX - (int64_t)more ? center + more : center;
    }
    if (law->n > 0 && fuzz_below(in, 4) == 1)
        value[fuzz_below(in, (uint32_t)law->n)] = fuzz_value(in);
    return value;
}

#endif
