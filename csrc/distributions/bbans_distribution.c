/* Arrays of values under families, locations and scales: docs/maths.md,
 * "Values of a family".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_mixture.h"

/* ---- Families --------------------------------------------------------------
 */

const bbans_family *bbans_family_of(int which)
{
    static const bbans_family standard[] = {
        {bbans_gaussian_survival, bbans_gaussian_quantile, 0, 0},
        {bbans_logistic_survival, bbans_logistic_quantile, 2, 0},
        {bbans_laplace_survival, bbans_laplace_quantile, 2, 0},
    };

    return which < BBANS_GAUSSIAN || which > BBANS_LAPLACE ? NULL
                                                           : &standard[which];
}

bbans_status bbans_family_init(bbans_family *family, int which)
{
    if (family == NULL)
        return BBANS_ERR_NULL;
    if (bbans_family_of(which) == NULL)
        return BBANS_ERR_TABLE;
    *family = *bbans_family_of(which);
    return BBANS_OK;
}

static size_t cells(unsigned octaves)
{
    return 2048 + 256 * (size_t)octaves;
}

static bbans_status check_survival(const bbans_family *family)
{
    const uint32_t *s;
    size_t i;

    if (family == NULL || family->survival == NULL)
        return BBANS_ERR_NULL;
    if (family->octaves > BBANS_OCTAVES_MAX)
        return BBANS_ERR_SIZE;
    s = family->survival;
    if (s[0] != (uint32_t)1 << 31 || s[cells(family->octaves)] != 0 ||
        s[cells(family->octaves) + 1] != 0)
        return BBANS_ERR_TABLE;
    for (i = 0; i < cells(family->octaves); i++)
        if (s[i] < s[i + 1])
            return BBANS_ERR_TABLE;
    return BBANS_OK;
}

bbans_status bbans_family_check(const bbans_family *family)
{
    const bbans_status status = check_survival(family);
    const uint32_t *t;
    size_t i;

    if (status != BBANS_OK)
        return status;
    t = family->quantile;
    if (t == NULL)
        return BBANS_ERR_NULL;
    if (t[0] > (uint32_t)1 << 31)
        return BBANS_ERR_TABLE;
    for (i = 0; i + 1 < BBANS_QUANTILES; i++)
        if (t[i] < t[i + 1])
            return BBANS_ERR_TABLE;
    return BBANS_OK;
}

/* Where cell i of a survival table begins, in units of 2^-16. */
static uint64_t cell_start(size_t i)
{
    const size_t octave = i < 2048 ? 0 : (i - 2048) / 256;

    return i < 2048 ? (uint64_t)i << 8
                    : (uint64_t)(i - 1792 - 256 * octave) << (11 + octave);
}

bbans_status bbans_family_quantiles(bbans_family *family, uint32_t *quantile)
{
    const bbans_status status = check_survival(family);
    const uint32_t *s;
    size_t i, cell = 0;

    if (status != BBANS_OK)
        return status;
    if (quantile == NULL)
        return BBANS_ERR_NULL;
    s = family->survival;
    for (i = BBANS_QUANTILES; i-- > 0;) { /* as i falls, the quantile rises */
        const uint32_t p = i > 0 ? (uint32_t)i << 21 : (uint32_t)1 << 19;

        while (s[cell + 1] >= p) /* the last is 0 */
            cell++;
        quantile[i] = (uint32_t)(cell_start(cell) +
                                 (cell_start(cell + 1) - cell_start(cell)) *
                                     (s[cell] - p) / (s[cell] - s[cell + 1]));
    }
    family->quantile = quantile;
    return BBANS_OK;
}

static int32_t guess_bin(const bbans_family *family, const bbans_place *place,
                         uint32_t slot)
{
    const int64_t u = bbans_guess_distance(family, place, slot);
    const int64_t minus = bbans_sign(u);
    unsigned low_bits;
    const int32_t q =
        bbans_bin_of(place, (uint64_t)(u ^ minus) << place->width, &low_bits);

    return (int32_t)(q ^ minus);
}

/* The bracket [low, high) doubles away from the guess, then halves. */
int32_t bbans_search_bin(const bbans_family *family, const bbans_place *place,
                         uint32_t slot, bbans_span *span)
{
    int32_t low = guess_bin(family, place, slot), high = low, step = 1, middle;

    /* F(-half) = 0 <= slot < 2^28 = F(half) */
    while (low > -place->half && bbans_edge(family, place, low) > slot) {
        low = low - step > -place->half ? low - step : -place->half;
        step *= 2;
    }
    while (high < place->half && bbans_edge(family, place, high) <= slot) {
        high = high + step < place->half ? high + step : place->half;
        step *= 2;
    }
    while (high - low > 1) {
        middle = low + (high - low) / 2;
        if (bbans_edge(family, place, middle) <= slot)
            low = middle;
        else
            high = middle;
    }
    span->start = bbans_edge(family, place, low);
    span->end = bbans_edge(family, place, low + 1);
    return low;
}

/* ---- Parameters ---------------------------------------------------------- */

#define GROUP BBANS_FAMILY_GROUP

/* The bits of an F64, and of an F32 as one.  Of F32 those below 2^-126 become
 * 0: no scale, and the same location. */
static uint64_t real_bits(const void *array, int type, size_t i)
{
    uint32_t single;
    uint64_t bits;

    if (type == BBANS_F64) {
        memcpy(&bits, (const uint8_t *)array + 8 * i, sizeof bits);
        return bits;
    }
    memcpy(&single, (const uint8_t *)array + 4 * i, sizeof single);
    bits = (uint64_t)(single >> 31) << 63;
    if ((single >> 23 & 0xFF) == 0xFF)
        return bits | (uint64_t)0x7FF << 52;
    if ((single >> 23 & 0xFF) == 0)
        return bits;
    return bits | (((uint64_t)(single & 0x7FFFFFFF) << 29) +
                   ((uint64_t)(1023 - 127) << 52));
}

#define MANTISSA (((uint64_t)1 << 52) - 1)

/* x 2^point, rounded, halves away from 0; INT64_MIN if that is 2^62 or more. */
static int64_t fixed_of(uint64_t bits, unsigned point)
{
    const unsigned exponent = (unsigned)(bits >> 52) & 0x7FF;
    const unsigned unit = 1075 - point; /* x 2^point = m 2^(exponent - unit) */
    uint64_t m = (bits & MANTISSA) | (uint64_t)1 << 52;

    if (exponent >= unit + 10)
        return INT64_MIN;
    if (exponent >= unit)
        m <<= exponent - unit;
    else if (exponent >= unit - 54)
        m = (m + ((uint64_t)1 << (unit - 1 - exponent))) >> (unit - exponent);
    else
        m = 0;
    return bits >> 63 ? -(int64_t)m : (int64_t)m;
}

/* 256 log2(x), rounded; INT32_MIN unless x > 0 is finite. */
static int32_t scale_of(uint64_t bits)
{
    const int exponent = (int)(bits >> 52); /* with the sign */
    const uint32_t m = (uint32_t)((bits & MANTISSA) >> 21) | (uint32_t)1 << 31;
    const uint32_t guess = bbans_scale_guess[(m >> 23) & 255];

    if (exponent <= 0 || exponent >= 0x7FF)
        return INT32_MIN;
    return (exponent - 1023) * 256 +
           (int32_t)(guess + (m > bbans_scale_above[guess]) +
                     (m > bbans_scale_above[guess + 1]));
}

static void fix_locations(const void *real, int type, size_t n,
                          int64_t *location)
{
    size_t i;

    bbans_kernel.family->fix_locations(real, type, n, location);
    for (i = 0; i < n; i++)
        if (location[i] == INT64_MIN)
            location[i] = fixed_of(real_bits(real, type, i), 16);
}

static void fix_scales(const void *real, int type, size_t n, int32_t *scale)
{
    size_t i;

    bbans_kernel.family->fix_scales(real, type, n, scale);
    for (i = 0; i < n; i++)
        if (scale[i] == INT32_MIN)
            scale[i] = scale_of(real_bits(real, type, i));
}

bbans_status bbans_locations_fix(const void *real, int type, size_t n,
                                 int64_t *location)
{
    size_t i;

    if (n > 0 && (real == NULL || location == NULL))
        return BBANS_ERR_NULL;
    if (!bbans_is_real(type))
        return BBANS_ERR_TYPE;
    fix_locations(real, type, n, location);
    for (i = 0; i < n; i++)
        if (!bbans_location_is_valid(location[i]))
            return BBANS_ERR_SYMBOL;
    return BBANS_OK;
}

bbans_status bbans_scales_fix(const void *real, int type, size_t n,
                              int32_t *scale)
{
    size_t i;

    if (n > 0 && (real == NULL || scale == NULL))
        return BBANS_ERR_NULL;
    if (!bbans_is_real(type))
        return BBANS_ERR_TYPE;
    fix_scales(real, type, n, scale);
    for (i = 0; i < n; i++)
        if (!bbans_scale_is_valid(scale[i]))
            return BBANS_ERR_SYMBOL;
    return BBANS_OK;
}

/* x 2^point, rounded, of 0 .. 2^32; the ends become 1 and 2^32 - 1. */
static bbans_status fix_unsigned(const void *real, int type, size_t n,
                                 unsigned point, uint32_t *fixed)
{
    const int64_t end = (int64_t)1 << 32;
    size_t i;

    if (n > 0 && (real == NULL || fixed == NULL))
        return BBANS_ERR_NULL;
    if (!bbans_is_real(type))
        return BBANS_ERR_TYPE;
    for (i = 0; i < n; i++) {
        const int64_t x = fixed_of(real_bits(real, type, i), point);

        if (x < 0 || x > end)
            return BBANS_ERR_SYMBOL;
        fixed[i] = (uint32_t)(x == 0 ? 1 : x == end ? end - 1 : x);
    }
    return BBANS_OK;
}

bbans_status bbans_rates_fix(const void *real, int type, size_t n,
                             uint32_t *rate)
{
    return fix_unsigned(real, type, n, 16, rate);
}

bbans_status bbans_probabilities_fix(const void *real, int type, size_t n,
                                     uint32_t *probability)
{
    return fix_unsigned(real, type, n, 32, probability);
}

/* What the values of a group are coded with. */
typedef struct {
    bbans_family family;
    const void *location, *scale;
    int location_type, scale_type;
    size_t first;
    const int64_t
        *locations; /* INT64_MIN and INT32_MIN: what kernels did not fix */
    const int32_t *scales;
    int64_t fixed_location[GROUP];
    int32_t fixed_scale[GROUP];
} group;

static void open_group(group *g, size_t first, size_t n)
{
    g->first = first;
    g->locations = g->fixed_location;
    g->scales = g->fixed_scale;
    if (g->location_type == BBANS_I64)
        g->locations = (const int64_t *)g->location + first;
    else
        bbans_kernel.family->fix_locations(
            bbans_real_at(g->location, g->location_type, first),
            g->location_type, n, g->fixed_location);
    if (g->scale_type == BBANS_I32)
        g->scales = (const int32_t *)g->scale + first;
    else
        bbans_kernel.family->fix_scales(
            bbans_real_at(g->scale, g->scale_type, first), g->scale_type, n,
            g->fixed_scale);
}

/* The bins of the group's i-th value; whether its parameters are valid. */
static int find_place(const group *g, size_t i, bbans_place *place)
{
    int64_t location = g->locations[i];
    int32_t scale = g->scales[i];

    if (location == INT64_MIN && g->location_type != BBANS_I64)
        location = fixed_of(
            real_bits(g->location, g->location_type, g->first + i), 16);
    if (scale == INT32_MIN && g->scale_type != BBANS_I32)
        scale = scale_of(real_bits(g->scale, g->scale_type, g->first + i));
    if (!bbans_location_is_valid(location) || !bbans_scale_is_valid(scale))
        return 0;
    *place = bbans_place_of(location, scale, bbans_leak(&g->family));
    return 1;
}

/* ---- Values -------------------------------------------------------------- */

/* What a kernel leaves of n values: the next from i on that is not easy. */
static size_t next_hard(const uint8_t *easy, size_t i, size_t n)
{
    while (i < n) {
        if (i % 8 == 0 && easy[i / 8] == 0xFF)
            i += 8;
        else if ((easy[i / 8] >> (i % 8) & 1) != 0)
            i++;
        else
            break;
    }
    return i;
}

/* The bins of the group's first n values, as spans; whether any has low bits.
 */
static bbans_status find_spans(const group *g, size_t n, const int64_t *value,
                               bbans_span *span, bbans_bin *bin, int *any)
{
    uint8_t easy[GROUP / 8];
    bbans_place place;
    bbans_bin b;
    size_t i;

    *any = 0;
    bbans_kernel.family->locate_spans(&g->family, g->locations, g->scales,
                                      value, n, span, easy);
    for (i = next_hard(easy, 0, n); i < n; i = next_hard(easy, i + 1, n)) {
        if (!find_place(g, i, &place))
            return BBANS_ERR_SYMBOL;
        b = bbans_bin_of_value(&place, value[i]);
        span[i].start = bbans_edge(&g->family, &place, b.q);
        span[i].end = bbans_edge(&g->family, &place, b.q + 1);
        if (span[i].start == span[i].end) /* no mass */
            return BBANS_ERR_SYMBOL;
        if (b.low_bits == 0)
            continue;
        if (!*any)
            memset(bin, 0, n * sizeof *bin);
        *any = 1;
        bin[i] = b;
    }
    return BBANS_OK;
}

#define FULL ((uint32_t)1 << BBANS_FAMILY_PREC)

/* The k-th part of the low bits of n values. */
static void part_spans(const bbans_bin *bin, size_t n, unsigned k,
                       bbans_span *span)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const unsigned bits = bbans_part_bits(bin[i].low_bits, k);
        const uint32_t part =
            bits == 0 ? 0
                      : (uint32_t)(bin[i].low >> (k * BBANS_PART_BITS)) &
                            (((uint32_t)1 << bits) - 1);

        span[i].start = part << (BBANS_FAMILY_PREC - bits);
        span[i].end = span[i].start + (FULL >> bits);
    }
}

static unsigned n_parts(const bbans_bin *bin, size_t n)
{
    unsigned most = 0;
    size_t i;

    for (i = 0; i < n; i++)
        most = bin[i].low_bits > most ? bin[i].low_bits : most;
    return (most + BBANS_PART_BITS - 1) / BBANS_PART_BITS;
}

/* Push the lowest n_low parts of a run's low bits. */
static void push_parts(bbans_message *msg, size_t lane, const bbans_bin *bin,
                       size_t n, unsigned n_low)
{
    bbans_span span[GROUP];
    unsigned k;

    for (k = 0; k < n_low; k++) {
        part_spans(bin, n, k, span);
        bbans_push_spans(msg, lane, span, n, BBANS_FAMILY_PREC);
    }
}

/* The run of values up to `end`, of one group and one turn of the lanes, which
 * share the order of their low bits. */
static size_t run_before(const bbans_message *msg, size_t end, size_t first)
{
    const size_t lanes = (end - 1) % msg->lanes + 1;

    return lanes < end - first ? lanes : end - first;
}

/* Push the first n values of the group that is open, or nothing. */
static bbans_status push_group(bbans_message *msg, const group *g, size_t n,
                               const int64_t *value)
{
    const size_t first = g->first;
    bbans_span span[GROUP];
    bbans_bin bin[GROUP];
    size_t run;
    int any;

    if (find_spans(g, n, value, span, bin, &any) != BBANS_OK)
        return BBANS_ERR_SYMBOL;
    if (!any)
        bbans_push_spans(msg, first, span, n, BBANS_FAMILY_PREC);
    for (; any && n > 0; n -= run) {
        run = run_before(msg, first + n, first);
        push_parts(msg, (first + n - run) % msg->lanes, bin + n - run, run,
                   n_parts(bin + n - run, run));
        bbans_push_spans(msg, first + n - run, span + n - run, run,
                         BBANS_FAMILY_PREC);
    }
    return BBANS_OK;
}

/* Pop the low bits of a run, or nothing. */
static bbans_status pop_parts(bbans_message *msg, size_t lane, bbans_bin *bin,
                              size_t n)
{
    const unsigned parts = n_parts(bin, n);
    bbans_span span[GROUP];
    unsigned k;
    size_t i, done;

    for (k = parts; k-- > 0;) {
        for (i = 0; i < n; i++) {
            const unsigned bits = bbans_part_bits(bin[i].low_bits, k);
            const uint64_t slot =
                bbans_slot_bits(msg->head[lane + i], BBANS_FAMILY_PREC) >>
                (BBANS_FAMILY_PREC - bits);

            bin[i].low |= slot << (k * BBANS_PART_BITS);
        }
        part_spans(bin, n, k, span);
        done = bbans_advance_run(msg, lane, span, n, BBANS_FAMILY_PREC);
        if (done == n)
            continue;
        /* Undo this part of some, and the parts above it. */
        bbans_push_spans(msg, lane, span, done, BBANS_FAMILY_PREC);
        while (++k < parts) {
            part_spans(bin, n, k, span);
            bbans_push_spans(msg, lane, span, n, BBANS_FAMILY_PREC);
        }
        return BBANS_ERR_UNDERFLOW;
    }
    return BBANS_OK;
}

/* Pop a run of n values on lanes from `lane` on, or nothing. */
static bbans_status pop_run(bbans_message *msg, const group *g, size_t at,
                            size_t lane, size_t n, int64_t *value)
{
    uint8_t easy[GROUP / 8];
    bbans_status status = BBANS_OK;
    bbans_span span[GROUP];
    bbans_bin bin[GROUP], b;
    bbans_place place;
    int any = 0, beyond = 0;
    size_t i, done;

    bbans_kernel.family->find_values(&g->family, g->locations + at,
                                     g->scales + at, msg->head + lane, n, span,
                                     value, easy);
    for (i = next_hard(easy, 0, n); i < n; i = next_hard(easy, i + 1, n)) {
        if (!find_place(g, at + i, &place))
            return BBANS_ERR_SYMBOL;
        b.q = bbans_find_bin(
            &g->family, &place,
            bbans_slot_bits(msg->head[lane + i], BBANS_FAMILY_PREC), span + i);
        b.low_bits = bbans_low_bits(&place, b.q);
        b.low = 0;
        if (b.low_bits == 0) {
            beyond |= !bbans_value_of_bin(&place, b, value + i);
            continue;
        }
        if (!any)
            memset(bin, 0, n * sizeof *bin);
        any = 1;
        bin[i] = b;
    }
    done = bbans_advance_run(msg, lane, span, n, BBANS_FAMILY_PREC);
    if (done < n) {
        bbans_push_spans(msg, lane, span, done, BBANS_FAMILY_PREC);
        return BBANS_ERR_UNDERFLOW;
    }
    if (any)
        status = pop_parts(msg, lane, bin, n);
    for (i = 0; any && status == BBANS_OK && i < n; i++)
        if (bin[i].low_bits > 0 && find_place(g, at + i, &place))
            beyond |= !bbans_value_of_bin(&place, bin[i], value + i);
    if (beyond && status == BBANS_OK) {
        if (any)
            push_parts(msg, lane, bin, n, n_parts(bin, n));
        status = BBANS_ERR_SYMBOL;
    }
    if (status != BBANS_OK)
        bbans_push_spans(msg, lane, span, n, BBANS_FAMILY_PREC);
    return status;
}

static bbans_status push_values(bbans_message *msg, group *g, const void *array,
                                int type, size_t n);

/* Values first .. n - 1, of groups from their start; nowhere if array is NULL.
 */
static bbans_status pop_values(bbans_message *msg, group *g, void *array,
                               int type, size_t first, size_t n)
{
    int64_t value[GROUP];
    size_t count, done, run;

    for (; first < n; first += count) {
        bbans_status status = BBANS_OK;

        count = n - first < GROUP ? n - first : GROUP;
        open_group(g, first, count);
        for (done = 0; status == BBANS_OK && done < count; done += run) {
            const size_t lane = (first + done) % msg->lanes;

            run = msg->lanes - lane < count - done ? msg->lanes - lane
                                                   : count - done;
            status = pop_run(msg, g, done, lane, run, value + done);
            if (status != BBANS_OK)
                run = 0;
        }
        if (status == BBANS_OK && array != NULL &&
            bbans_array_write_values(array, type, first, count, value) < count)
            status = BBANS_ERR_SYMBOL;
        if (status != BBANS_OK) { /* undo by the pushes that invert the pops */
            (void)push_group(msg, g, done, value);
            (void)push_values(msg, g, array, type, first);
            return status;
        }
    }
    return BBANS_OK;
}

static bbans_status push_values(bbans_message *msg, group *g, const void *array,
                                int type, size_t n)
{
    int64_t value[GROUP];
    size_t first, end, ahead;

    for (end = n; end > 0; end = first) {
        first = (end - 1) / GROUP * GROUP;
        /* Groups go backwards, unlike what is guessed.  What is loaded ahead is
         * spread over the work, which would wait for all of it at once. */
        ahead = first > 0 ? GROUP : 0;
        bbans_array_prefetch(g->location, g->location_type, first - ahead,
                             ahead);
        open_group(g, first, end - first);
        bbans_array_prefetch(array, type, first - ahead, ahead);
        bbans_array_read_values(array, type, first, end - first, value);
        bbans_array_prefetch(g->scale, g->scale_type, first - ahead, ahead);
        if (push_group(msg, g, end - first, value) != BBANS_OK) {
            (void)pop_values(msg, g, NULL, 0, end, n);
            return BBANS_ERR_SYMBOL;
        }
    }
    return BBANS_OK;
}

/* ---- One by one ---------------------------------------------------------- */

/* The arrays of parameters. */
enum { LOCATION, SCALE };

/* The intervals of the low bits, from the highest part on. */
static void list_parts(bbans_intervals *to, bbans_bin bin)
{
    unsigned k = n_parts(&bin, 1);
    bbans_span span;

    while (k-- > 0) {
        part_spans(&bin, 1, k, &span);
        bbans_list(to, span.start, span.end - span.start, FULL);
    }
}

static bbans_status location_scale_list(const bbans_distribution *d,
                                        void *scratch, size_t i, int64_t value,
                                        bbans_intervals *to)
{
    group *g = (group *)scratch;
    bbans_place place;
    bbans_bin bin;
    uint32_t start, end;

    (void)d;
    open_group(g, i, 1);
    if (!find_place(g, 0, &place))
        return BBANS_ERR_SYMBOL;
    bin = bbans_bin_of_value(&place, value);
    start = bbans_edge(&g->family, &place, bin.q);
    end = bbans_edge(&g->family, &place, bin.q + 1);
    if (start == end) /* no mass */
        return BBANS_ERR_SYMBOL;
    bbans_list(to, start, end - start, FULL);
    list_parts(to, bin);
    return BBANS_OK;
}

static bbans_status location_scale_find(const bbans_distribution *d,
                                        void *scratch, size_t i,
                                        bbans_source *from, int64_t *value)
{
    group *g = (group *)scratch;
    bbans_place place;
    bbans_bin bin;
    bbans_span span;
    uint32_t slot;
    unsigned k;

    (void)d;
    open_group(g, i, 1);
    if (!find_place(g, 0, &place))
        return BBANS_ERR_SYMBOL;
    slot = bbans_source_take(from, FULL);
    bin.q = bbans_find_bin(&g->family, &place, slot, &span);
    bin.low_bits = bbans_low_bits(&place, bin.q);
    bin.low = 0;
    bbans_source_put(from, slot, span.start, span.end - span.start, FULL);
    for (k = n_parts(&bin, 1); k-- > 0;) {
        const unsigned bits = bbans_part_bits(bin.low_bits, k);

        slot = bbans_source_take(from, FULL);
        bin.low |= (uint64_t)(slot >> (BBANS_FAMILY_PREC - bits))
                   << (k * BBANS_PART_BITS);
        part_spans(&bin, 1, k, &span);
        bbans_source_put(from, slot, span.start, span.end - span.start, FULL);
    }
    return bbans_value_of_bin(&place, bin, value) ? BBANS_OK : BBANS_ERR_SYMBOL;
}

static bbans_status location_scale_code(const bbans_distribution *d,
                                        const struct bbans_call *call)
{
    static const bbans_value_coder values = {location_scale_list,
                                             location_scale_find};
    bbans_message *msg = call->msg;
    group g;

    if (!bbans_value_type_is_valid(call->type))
        return BBANS_ERR_TYPE;
    g.family = *(const bbans_family *)d->form;
    g.location = d->array[LOCATION].data;
    g.location_type = d->array[LOCATION].type;
    g.scale = d->array[SCALE].data;
    g.scale_type = d->array[SCALE].type;
    if (msg == NULL)
        return bbans_code_values(d, call, &values, &g);
    if (call->pops)
        return pop_values(msg, &g, call->to, call->type, 0, call->n);
    if ((msg->tail_cap - msg->tail_len) / d->words < call->n)
        return BBANS_ERR_CAPACITY;
    return push_values(msg, &g, call->from, call->type, call->n);
}

bbans_status
bbans_distribution_init_location_scale(bbans_distribution *distribution,
                                       const bbans_family *family,
                                       bbans_array location, bbans_array scale)
{
    if (distribution == NULL || family == NULL)
        return BBANS_ERR_NULL;
    if ((!bbans_is_real(location.type) && location.type != BBANS_I64) ||
        (!bbans_is_real(scale.type) && scale.type != BBANS_I32))
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = location_scale_code;
    distribution->form = family;
    distribution->array[LOCATION] = location;
    distribution->array[SCALE] = scale;
    distribution->words = 4;
    return BBANS_OK;
}

int bbans_is_location_scale(const bbans_distribution *d)
{
    return d->code == location_scale_code;
}
