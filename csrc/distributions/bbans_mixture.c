/* Values under mixtures of families, and geometric ones: docs/maths.md, section
 * 11.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_mixture.h"
#include "bbans_blend.h"

/* ---- One component ------------------------------------------------------- */

/* Distances that saturate every family, in middle bins: t >= 2^16 = 8 2^13. */
#define FAR ((uint64_t)1 << 26)

/* t counts in units of 2^-25, as fine as middle bins in 2^-16. */
#define POINT 25

/* The component's mass below a value, in 2^-32: that of "Values of a family",
 * but for t.
 */
static uint64_t component_below(const bbans_family *family,
                                const bbans_component *c, int64_t value)
{
    const bbans_place *place = &c->place;
    const int negative = value < place->origin;
    const uint64_t from = (uint64_t)place->origin;
    const uint64_t u = (uint64_t)value - from; /* of either sign */
    const uint64_t low = u & (((uint64_t)1 << place->width) - 1);
    const uint64_t bin =
        (negative ? from - 1 - (uint64_t)value : u) >> place->width;
    const int64_t q = (int64_t)(bin < FAR ? bin : FAR);
    /* floor((u 2^16 - half_way) / 2^width), and low < 2^37 */
    const int64_t at =
        (negative ? -1 - q : q) * 65536 +
        bbans_floor_shift((int64_t)(low << 16) - (int64_t)c->half_way,
                          place->width);
    /* Up to 2^42 2^16; t up to 2^63. */
    const uint64_t product = (uint64_t)(at < 0 ? -at : at) * place->down;
    const uint64_t t = place->shift >= POINT - 20
                           ? product >> (place->shift - (POINT - 20))
                           : product << (POINT - 20 - place->shift);
    const uint32_t s = bbans_survival(family, t, POINT);

    return at < 0 ? s : ((uint64_t)1 << 32) - s;
}

/* About where it has the mass slot / 2^28 below. */
static int64_t component_guess(const bbans_family *family,
                               const bbans_component *c, uint32_t slot)
{
    const int64_t most = (int64_t)1 << 25; /* 2^25 2^37 2 < 2^63 */
    int64_t u = bbans_guess_distance(family, &c->place, slot);

    u = u < -most ? -most : u > most ? most : u;
    return c->place.origin + u * ((int64_t)1 << c->place.width);
}

/* ---- Mixtures ------------------------------------------------------------ */

/* The arrays of parameters. */
enum { WEIGHT, LOCATION, SCALE };

static uint64_t mixture_below(const void *model, int64_t value)
{
    const bbans_mixture *m = (const bbans_mixture *)model;
    uint64_t sum = 0; /* up to 2^28 2^32 */
    size_t k;

    for (k = 0; k < m->components; k++)
        sum +=
            m->part[k].weight * component_below(&m->family, &m->part[k], value);
    return sum / m->total;
}

/* A quantile of a mixture is none beyond those of all its components. */
static void mixture_guess(const void *model, uint32_t slot, int64_t *from,
                          int64_t *to)
{
    const bbans_mixture *m = (const bbans_mixture *)model;
    size_t k;

    *from = INT64_MAX;
    *to = INT64_MIN;
    for (k = 0; k < m->components; k++) {
        const int64_t guess = component_guess(&m->family, &m->part[k], slot);

        if (m->part[k].weight == 0)
            continue;
        *from = guess < *from ? guess : *from;
        *to = guess > *to ? guess : *to;
    }
}

static bbans_status read_weights(bbans_mixture *m, const bbans_distribution *d,
                                 size_t first, uint32_t *weight)
{
    const size_t size = d->array[WEIGHT].type == BBANS_F64 ? 8 : 4;
    const uint64_t least = d->array[WEIGHT].type == BBANS_U32
                               ? 1
                               : (uint64_t)1 << (BBANS_WEIGHT_BITS - 1);
    size_t k;

    if (d->array[WEIGHT].data == NULL) {
        for (k = 0; k < m->components; k++)
            weight[k] = 1;
        m->total = m->components;
        return BBANS_OK;
    }
    m->total = bbans_kernel.rows->row_sum(
        (const uint8_t *)d->array[WEIGHT].data + first * size,
        d->array[WEIGHT].type, m->components, weight);
    return m->total >= least && m->total <= BBANS_TOTAL_MAX ? BBANS_OK
                                                            : BBANS_ERR_TOTAL;
}

/* Those of a distribution's locations and scales, from element `first` on, in
 * fixed point. */
static bbans_status read_places(bbans_array location, bbans_array scale,
                                size_t first, size_t n, int64_t *at,
                                int32_t *by)
{
    bbans_status status = BBANS_OK;

    if (location.type != BBANS_I64)
        status = bbans_locations_fix(
            bbans_real_at(location.data, location.type, first), location.type,
            n, at);
    else
        memcpy(at, (const int64_t *)location.data + first, n * sizeof *at);
    if (status != BBANS_OK)
        return status;
    if (scale.type != BBANS_I32)
        return bbans_scales_fix(bbans_real_at(scale.data, scale.type, first),
                                scale.type, n, by);
    memcpy(by, (const int32_t *)scale.data + first, n * sizeof *by);
    return BBANS_OK;
}

bbans_status bbans_mixture_open(bbans_mixture *m, bbans_array location,
                                bbans_array scale, size_t first,
                                const uint32_t *weight, bbans_cdf *cdf)
{
    int64_t at[BBANS_COMPONENTS_MAX];
    int32_t by[BBANS_COMPONENTS_MAX];
    size_t k, n, i, heaviest = 0;

    for (k = 0; k < m->components; k += n) {
        bbans_status status;

        n = m->components - k < BBANS_COMPONENTS_MAX ? m->components - k
                                                     : BBANS_COMPONENTS_MAX;
        status = read_places(location, scale, first + k, n, at, by);
        if (status != BBANS_OK)
            return status;
        for (i = 0; i < n; i++) {
            bbans_component *c = &m->part[k + i];

            if (!bbans_location_is_valid(at[i]) || !bbans_scale_is_valid(by[i]))
                return BBANS_ERR_SYMBOL;
            c->place = bbans_place_of(at[i], by[i], 0);
            c->half_way = (uint32_t)((uint64_t)at[i] & 0xFFFF) + 0x8000;
            c->weight = weight[k + i];
            if (weight[k + i] > weight[heaviest])
                heaviest = k + i;
        }
    }
    cdf->below = mixture_below;
    cdf->pair = NULL;
    cdf->guess = mixture_guess;
    cdf->model = m;
    cdf->low = INT64_MIN;
    cdf->high = INT64_MAX;
    cdf->leak = bbans_leak(&m->family);
    cdf->origin = m->part[heaviest].place.origin;
    return BBANS_OK;
}

/* ---- Components side by side --------------------------------------------- */

/* Components whose places are fixed at once. */
#define BLOCK 256

/* A mixture, as it is, and for kernels where they take its components. */
typedef struct {
    bbans_mixture mixture;
    bbans_component part[BBANS_COMPONENTS_MAX];
    bbans_blend parts;
    int64_t low;  /* the first value                 */
    int32_t only; /* the first scale, of one component */
    /* Places of whole values, from component `begin` to `end` of n. */
    size_t begin, end, n;
    int64_t location[BLOCK];
    int32_t scale[BLOCK];
} any_mixture;

static void parts_pair(const void *model, int64_t value, uint64_t mass[2])
{
    const any_mixture *m = (const any_mixture *)model;

    BBANS_LAWS->mixture_pair(&m->parts, (uint32_t)(value - m->low), mass);
    mass[0] /= m->mixture.total;
    mass[1] /= m->mixture.total;
}

/* The quantile of one component; of more, as if a half of the mass were between
 * the first location and their mean, evenly, and the other half between that
 * and the last. */
static void parts_guess(const void *model, uint32_t slot, int64_t *from,
                        int64_t *to)
{
    const any_mixture *m = (const any_mixture *)model;
    const int64_t half = (int64_t)1 << (BBANS_FAMILY_PREC - 1);
    const int64_t above = (int64_t)slot - half;
    const int64_t end = (int64_t)1 << 28; /* the support, in 2^-16 */
    int64_t sum = 0, mean, first = end, last = 0, at;
    size_t k;

    if (m->mixture.components == 1) {
        const bbans_place place = bbans_place_of(
            bbans_signed32((uint32_t)m->parts.middle[0]) - 0x8000, m->only, 0);

        *from = *to = m->low + place.origin +
                      bbans_guess_distance(&m->parts.family, &place, slot);
        return;
    }
    for (k = 0; k < m->mixture.components; k++) {
        at = bbans_signed32((uint32_t)m->parts.middle[k]);
        at = at < 0 ? 0 : at > end ? end : at;
        sum += (int64_t)m->parts.weight[k] * at; /* 2^28 2^28 */
        first = at < first ? at : first;
        last = at > last ? at : last;
    }
    mean = sum / (int64_t)m->mixture.total;
    at = mean + (above < 0 ? mean - first : last - mean) * above / half;
    *from = *to = m->low + (at >> 16);
}

/* Whether kernels take the components; then their law is set. */
static int open_parts(any_mixture *m, const int64_t *location,
                      const int32_t *scale, const uint32_t *weight,
                      bbans_cdf *cdf)
{
    const size_t n = m->mixture.components;
    size_t k;

    for (k = 0; k < n; k++) {
        if (!bbans_location_is_valid(location[k]) ||
            !bbans_scale_is_valid(scale[k]) ||
            scale[k] >= BBANS_SCALE_MIN + BBANS_BLEND_SCALES)
            return 0;
        bbans_blend_set(&m->parts, k, location[k] - m->low * 65536, scale[k],
                        weight[k]); /* the difference is below 2^63 */
    }
    for (; k % 4 != 0; k++)
        bbans_blend_set(&m->parts, k, 0, BBANS_SCALE_MIN, 0);
    m->only = scale[0];
    cdf->below = NULL; /* not asked for where there are pairs */
    cdf->pair = parts_pair;
    cdf->guess = parts_guess;
    cdf->model = m;
    cdf->leak = bbans_leak(&m->parts.family);
    return 1;
}

/* Those of components first .. first + K - 1, which are value i's, with more of
 * the values beside it, unless one of these has none. */
static bbans_status read_block(any_mixture *m, const bbans_distribution *d,
                               size_t first)
{
    const size_t n = m->mixture.components;
    const size_t block = BLOCK / n * n;
    bbans_status status;

    if (first >= m->begin && first < m->end)
        return BBANS_OK;
    m->begin = first / block * block;
    m->end = m->n - m->begin < block ? m->n : m->begin + block;
    status = read_places(d->array[LOCATION], d->array[SCALE], m->begin,
                         m->end - m->begin, m->location, m->scale);
    if (status == BBANS_OK)
        return BBANS_OK;
    m->begin = first;
    m->end = first + n;
    status = read_places(d->array[LOCATION], d->array[SCALE], first, n,
                         m->location, m->scale);
    if (status != BBANS_OK)
        m->end = m->begin;
    return status;
}

/* The components of value i, and its law. */
static bbans_status open_value(any_mixture *m, const bbans_distribution *d,
                               size_t i, bbans_cdf *cdf)
{
    const size_t first = i * m->mixture.components;
    uint32_t weight[BBANS_COMPONENTS_MAX];
    const int64_t *at;
    const int32_t *by;
    bbans_status status = read_weights(&m->mixture, d, first, weight);

    if (status == BBANS_OK)
        status = read_block(m, d, first);
    if (status != BBANS_OK)
        return status;
    at = m->location + (first - m->begin);
    by = m->scale + (first - m->begin);
    if (m->parts.n == 0 || !open_parts(m, at, by, weight, cdf))
        status =
            bbans_mixture_open(&m->mixture, bbans_array_of(at, BBANS_I64),
                               bbans_array_of(by, BBANS_I32), 0, weight, cdf);
    if (status != BBANS_OK)
        return status;
    cdf->low = d->low;
    cdf->high = d->high;
    if (bbans_cdf_is_narrow(d->low, d->high)) /* then all bins are of one */
        cdf->origin = bbans_signed(
            (uint64_t)d->low + ((uint64_t)d->high - (uint64_t)d->low + 1) / 2);
    else if (cdf->origin < d->low)
        cdf->origin = d->low;
    else if (cdf->origin > d->high)
        cdf->origin = d->high;
    return BBANS_OK;
}

static bbans_status mixture_list(const bbans_distribution *d, void *scratch,
                                 size_t i, int64_t value, bbans_intervals *to)
{
    bbans_cdf cdf;
    const bbans_status status = open_value((any_mixture *)scratch, d, i, &cdf);

    if (status != BBANS_OK)
        return status;
    if (value < d->low || value > d->high)
        return BBANS_ERR_SYMBOL;
    return bbans_cdf_list(to, &cdf, value);
}

static bbans_status mixture_find(const bbans_distribution *d, void *scratch,
                                 size_t i, bbans_source *from, int64_t *value)
{
    bbans_cdf cdf;
    const bbans_status status = open_value((any_mixture *)scratch, d, i, &cdf);

    if (status == BBANS_OK)
        *value = bbans_cdf_find(from, &cdf);
    return status;
}

/* Its products with 2^16 are below 2^62. */
static int is_near_zero(int64_t value)
{
    return value > -((int64_t)1 << 46) && value < (int64_t)1 << 46;
}

static bbans_status mixture_code(const bbans_distribution *d,
                                 const struct bbans_call *call)
{
    static const bbans_value_coder values = {mixture_list, mixture_find};
    any_mixture m;

    m.mixture.family = *(const bbans_family *)d->form;
    m.mixture.components = d->width;
    m.mixture.part = m.part;
    m.parts.family = m.mixture.family;
    m.begin = m.end = 0;
    m.n = call->n * d->width;
    m.low = d->low;
    m.parts.n = d->width;
    if (!bbans_cdf_is_narrow(d->low, d->high) || !is_near_zero(d->low) ||
        m.mixture.family.octaves > BBANS_BLEND_OCTAVES)
        m.parts.n = 0; /* not what kernels take */
    return bbans_code_values(d, call, &values, &m);
}

bbans_status
bbans_distribution_init_mixture(bbans_distribution *distribution,
                                const bbans_family *family, size_t components,
                                bbans_array weight, bbans_array location,
                                bbans_array scale, int64_t low, int64_t high)
{
    if (distribution == NULL || family == NULL)
        return BBANS_ERR_NULL;
    if ((weight.data != NULL && !bbans_is_real(weight.type) &&
         weight.type != BBANS_U32) ||
        (!bbans_is_real(location.type) && location.type != BBANS_I64) ||
        (!bbans_is_real(scale.type) && scale.type != BBANS_I32))
        return BBANS_ERR_TYPE;
    if (components < 1 || components > BBANS_COMPONENTS_MAX || low > high)
        return BBANS_ERR_SIZE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = mixture_code;
    distribution->form = family;
    if (weight.data != NULL)
        distribution->array[WEIGHT] = weight;
    distribution->array[LOCATION] = location;
    distribution->array[SCALE] = scale;
    distribution->width = components;
    distribution->low = low;
    distribution->high = high;
    distribution->words = bbans_cdf_is_narrow(low, high) ? 1 : BBANS_CDF_WORDS;
    return BBANS_OK;
}

/* ---- Geometric ----------------------------------------------------------- */

/* P(X < v) = 1 - e^(-v / s) = 1 - 2 S(v / s) of the Laplace family. */
typedef struct {
    bbans_family laplace;
    bbans_component part; /* at 0, without the half */
} geometric;

static uint64_t geometric_below(const void *model, int64_t value)
{
    const geometric *g = (const geometric *)model;

    /* What is below v on the one side, less all of the other, twice. */
    return 2 * component_below(&g->laplace, &g->part, value) -
           ((uint64_t)1 << 32);
}

static void geometric_guess(const void *model, uint32_t slot, int64_t *from,
                            int64_t *to)
{
    const geometric *g = (const geometric *)model;
    const uint32_t half = (uint32_t)1 << (BBANS_FAMILY_PREC - 1);

    *from = *to = component_guess(&g->laplace, &g->part, half + slot / 2);
}

static bbans_status open_rate(geometric *g, const bbans_distribution *d,
                              size_t i, bbans_cdf *cdf)
{
    const void *scale = d->array[SCALE].data;
    const int type = d->array[SCALE].type;
    bbans_status status = BBANS_OK;
    int32_t by;

    if (type == BBANS_I32)
        by = ((const int32_t *)scale)[i];
    else
        status = bbans_scales_fix(bbans_real_at(scale, type, i), type, 1, &by);
    if (status != BBANS_OK)
        return status;
    if (!bbans_scale_is_valid(by))
        return BBANS_ERR_SYMBOL;
    g->part.place = bbans_place_of(0, by, 0);
    g->part.place.below = 0;
    cdf->below = geometric_below;
    cdf->pair = NULL;
    cdf->guess = geometric_guess;
    cdf->model = g;
    cdf->leak = 1;
    cdf->low = cdf->origin = 0;
    cdf->high = INT64_MAX;
    return BBANS_OK;
}

static bbans_status geometric_list(const bbans_distribution *d, void *scratch,
                                   size_t i, int64_t value, bbans_intervals *to)
{
    bbans_cdf cdf;
    const bbans_status status = open_rate((geometric *)scratch, d, i, &cdf);

    if (status != BBANS_OK)
        return status;
    if (value < 0)
        return BBANS_ERR_SYMBOL;
    return bbans_cdf_list(to, &cdf, value);
}

static bbans_status geometric_find(const bbans_distribution *d, void *scratch,
                                   size_t i, bbans_source *from, int64_t *value)
{
    bbans_cdf cdf;
    const bbans_status status = open_rate((geometric *)scratch, d, i, &cdf);

    if (status == BBANS_OK)
        *value = bbans_cdf_find(from, &cdf);
    return status;
}

static bbans_status geometric_code(const bbans_distribution *d,
                                   const struct bbans_call *call)
{
    static const bbans_value_coder values = {geometric_list, geometric_find};
    geometric g;

    memset(&g, 0, sizeof g);
    (void)bbans_family_init(&g.laplace, BBANS_LAPLACE);
    return bbans_code_values(d, call, &values, &g);
}

bbans_status bbans_distribution_init_geometric(bbans_distribution *distribution,
                                               bbans_array scale)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_is_real(scale.type) && scale.type != BBANS_I32)
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = geometric_code;
    distribution->array[SCALE] = scale;
    distribution->words = BBANS_CDF_WORDS;
    return BBANS_OK;
}
