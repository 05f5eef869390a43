/* Values one at a time: uniform over any range, and under any cumulative
 * distribution function.  docs/maths.md, section 11.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_values.h"

#include "bbans_located.h"

/* ---- Arrays of values ---------------------------------------------------- */

/* A push that is refused on its way is undone by the pops that invert it. */
static void pop_back(bbans_message *msg, const bbans_each *each, size_t first,
                     size_t n)
{
    int64_t value;
    size_t i;

    for (i = first; i < n; i++) {
        bbans_lane lane = bbans_lane_of(msg, i % msg->lanes);

        (void)each->pop(each->model, i, &lane, &value);
        bbans_put_lane(msg, i % msg->lanes, &lane);
    }
}

static bbans_status push_values(bbans_message *msg, const bbans_each *each,
                                const void *array, int type, size_t n)
{
    size_t i;

    for (i = n; i-- > 0;) {
        bbans_lane lane = bbans_lane_of(msg, i % msg->lanes);
        bbans_status status;
        int64_t value;

        bbans_array_read_values(array, type, i, 1, &value);
        status = each->push(each->model, i, &lane, value);
        if (status != BBANS_OK) {
            pop_back(msg, each, i + 1, n);
            return status;
        }
        bbans_put_lane(msg, i % msg->lanes, &lane);
    }
    return BBANS_OK;
}

static bbans_status check_values(const bbans_message *msg, const void *array,
                                 int type, size_t n)
{
    if (msg == NULL || (array == NULL && n > 0))
        return BBANS_ERR_NULL;
    return bbans_value_type_is_valid(type) ? BBANS_OK : BBANS_ERR_TYPE;
}

bbans_status bbans_push_each(bbans_message *msg, const bbans_each *each,
                             const void *array, int type, size_t n)
{
    const bbans_status status = check_values(msg, array, type, n);

    if (status != BBANS_OK)
        return status;
    if (n > 0 && (msg->tail_cap - msg->tail_len) / n < each->words)
        return BBANS_ERR_CAPACITY;
    return push_values(msg, each, array, type, n);
}

bbans_status bbans_pop_each(bbans_message *msg, const bbans_each *each,
                            void *array, int type, size_t n)
{
    bbans_status status = check_values(msg, array, type, n);
    size_t i;

    if (status != BBANS_OK)
        return status;
    if (n > 0 && msg->tail_cap - msg->tail_len < 1)
        return BBANS_ERR_CAPACITY;
    for (i = 0; i < n; i++) {
        bbans_lane lane = bbans_lane_of(msg, i % msg->lanes);
        int64_t value;

        status = each->pop(each->model, i, &lane, &value);
        if (status == BBANS_OK) {
            if (bbans_lane_is_dry(&lane, msg->lanes))
                status = BBANS_ERR_UNDERFLOW;
            else if (bbans_array_write_values(array, type, i, 1, &value) < 1)
                status = BBANS_ERR_SYMBOL;
            if (status != BBANS_OK) /* a dry lane is an integer: section 3 */
                (void)each->push(each->model, i, &lane, value);
            bbans_put_lane(msg, i % msg->lanes, &lane);
        }
        if (status != BBANS_OK) { /* undo by the pushes that invert the pops */
            (void)push_values(msg, each, array, type, i);
            return status;
        }
    }
    return BBANS_OK;
}

/* ---- Uniform ------------------------------------------------------------- */

#define PART_BITS 28

static uint32_t pop_slot(bbans_lane *lane, uint32_t total)
{
    const uint32_t slot = bbans_lane_take_slot(lane, total);

    bbans_lane_put_rest(lane, slot, slot, 1);
    return slot;
}

/* The next part of u in 0 .. last, its 28 highest bits: where they are those of
 * `last`, so is what may follow. */
static unsigned part_shift(uint64_t last)
{
    const int bits = bbans_bit_length(last);

    return bits > PART_BITS ? (unsigned)bits - PART_BITS : 0;
}

static uint64_t last_of_rest(uint64_t last, unsigned shift, uint64_t part)
{
    const uint64_t mask = ((uint64_t)1 << shift) - 1;

    return part == last >> shift ? last & mask : mask;
}

void bbans_lane_push_below(bbans_lane *lane, uint64_t u, uint64_t last)
{
    uint32_t part[3], total[3];
    size_t n = 0;

    while (last > 0) { /* bits go 64, 36, 8, 0 */
        const unsigned shift = part_shift(last);

        part[n] = (uint32_t)(u >> shift);
        total[n++] = (uint32_t)(last >> shift) + 1;
        last = last_of_rest(last, shift, u >> shift);
        u &= ((uint64_t)1 << shift) - 1;
    }
    while (n-- > 0)
        bbans_lane_push(lane, part[n], 1, total[n]);
}

uint64_t bbans_lane_pop_below(bbans_lane *lane, uint64_t last)
{
    uint64_t u = 0;

    while (last > 0) {
        const unsigned shift = part_shift(last);
        const uint64_t part = pop_slot(lane, (uint32_t)(last >> shift) + 1);

        u |= part << shift;
        last = last_of_rest(last, shift, part);
    }
    return u;
}

typedef struct {
    int64_t low, high;
} range;

static bbans_status range_push(void *model, size_t i, bbans_lane *lane,
                               int64_t value)
{
    const range *r = (const range *)model;

    (void)i;
    if (value < r->low || value > r->high)
        return BBANS_ERR_SYMBOL;
    bbans_lane_push_below(lane, (uint64_t)value - (uint64_t)r->low,
                          (uint64_t)r->high - (uint64_t)r->low);
    return BBANS_OK;
}

static bbans_status range_pop(void *model, size_t i, bbans_lane *lane,
                              int64_t *value)
{
    const range *r = (const range *)model;

    (void)i;
    *value = bbans_signed(
        (uint64_t)r->low +
        bbans_lane_pop_below(lane, (uint64_t)r->high - (uint64_t)r->low));
    return BBANS_OK;
}

static bbans_each range_each(range *r)
{
    const bbans_each each = {
        range_push, range_pop, r,
        bbans_below_words((uint64_t)r->high - (uint64_t)r->low)};

    return each;
}

bbans_status bbans_message_push_range(bbans_message *msg, int64_t low,
                                      int64_t high, const void *value, int type,
                                      size_t n)
{
    range r = {low, high};
    const bbans_each each = range_each(&r);

    return low > high ? BBANS_ERR_SIZE
                      : bbans_push_each(msg, &each, value, type, n);
}

bbans_status bbans_message_pop_range(bbans_message *msg, int64_t low,
                                     int64_t high, void *value, int type,
                                     size_t n)
{
    range r = {low, high};
    const bbans_each each = range_each(&r);

    return low > high ? BBANS_ERR_SIZE
                      : bbans_pop_each(msg, &each, value, type, n);
}

/* ---- Laws ---------------------------------------------------------------- */

#define FULL ((uint32_t)1 << BBANS_LOCATED_PREC)

/* Bins wider than one are split into up to 2^12 parts, as long as the mean of
 * the parts' masses is 2^14 units or more, and up to 5 times. */
#define SPLIT_BITS 12
#define NOISE_BITS 15
#define SPLITS 5

/* Bins q lie about the origin as those of bbans_located.h, of width one in the
 * middle; low is in the first, high in the last. */
typedef struct {
    const bbans_law *law;
    bbans_place place;
    int32_t first, last;
} bins;

static int32_t bin_of(const bins *b, int64_t value)
{
    return bbans_bin_of_value(&b->place, value).q;
}

static bins bins_of(const bbans_law *law)
{
    bins b;

    memset(&b, 0, sizeof b);
    b.law = law;
    b.place.origin = law->origin;
    b.place.middle_bits = BBANS_LAW_MIDDLE_BITS;
    b.first = bin_of(&b, law->low);
    b.last = bin_of(&b, law->high);
    b.place.leak = law->leak;
    b.place.slots = FULL - law->leak * (uint32_t)(b.last - b.first + 1);
    return b;
}

/* The first value of bin q, which is neither the first nor behind the last. */
static int64_t bin_start(const bins *b, int32_t q)
{
    unsigned shift;
    const uint64_t start =
        bbans_bin_start(&b->place, (uint32_t)(q < 0 ? -q : q), &shift);
    const uint64_t u = start << shift, from = (uint64_t)b->law->origin;

    return bbans_signed(q < 0 ? from - u : from + u);
}

static uint32_t bin_edge(const bins *b, int32_t q)
{
    if (q <= b->first)
        return 0;
    if (q > b->last)
        return FULL;
    return b->place.leak * (uint32_t)(q - b->first) +
           (uint32_t)((b->place.slots *
                       b->law->below(b->law->model, bin_start(b, q))) >>
                      32);
}

static int64_t within(const bbans_law *law, int64_t value)
{
    return value < law->low ? law->low : value > law->high ? law->high : value;
}

static int32_t find_bin(const bins *b, uint32_t slot, bbans_span *span)
{
    int32_t low, high, step = 1;
    int64_t from, to;

    b->law->guess(b->law->model, slot, &from, &to);
    low = bin_of(b, within(b->law, from));
    high = bin_of(b, within(b->law, to)) + 1;
    span->start = bin_edge(b, low);
    span->end = bin_edge(b, high);
    while (span->start > slot) { /* not the first's, which is 0 */
        high = low;
        span->end = span->start;
        low = low - step > b->first ? low - step : b->first;
        span->start = bin_edge(b, low);
        step *= 2;
    }
    while (span->end <= slot) { /* nor behind the last, which is 2^28 */
        low = high;
        span->start = span->end;
        high = high + step < b->last + 1 ? high + step : b->last + 1;
        span->end = bin_edge(b, high);
        step *= 2;
    }
    while (high - low > 1) {
        const int32_t middle = low + (high - low) / 2;
        const uint32_t edge = bin_edge(b, middle);

        if (edge <= slot) {
            low = middle;
            span->start = edge;
        } else {
            high = middle;
            span->end = edge;
        }
    }
    return low;
}

/* Values first .. last, and F before and behind them. */
typedef struct {
    const bbans_law *law;
    int64_t first, last;
    uint64_t before, behind;
    unsigned shift; /* parts have 2^shift values */
    uint32_t parts;
} stretch;

static uint64_t mass_below(const bbans_law *law, int64_t value)
{
    return value == law->low ? 0 : law->below(law->model, value);
}

static uint64_t mass_up_to(const bbans_law *law, int64_t value)
{
    return value == law->high ? (uint64_t)1 << 32
                              : law->below(law->model, value + 1);
}

static stretch stretch_of(const bins *b, int32_t q)
{
    stretch s;

    memset(&s, 0, sizeof s);
    s.law = b->law;
    s.first = q == b->first ? b->law->low : bin_start(b, q);
    s.last = q == b->last ? b->law->high : bin_start(b, q + 1) - 1;
    if (s.first < s.last) {
        s.before = mass_below(s.law, s.first);
        s.behind = mass_up_to(s.law, s.last);
    }
    return s;
}

/* Whether the stretch is to be split: then its parts are set. */
static int is_to_split(stretch *s, int n_splits)
{
    const uint64_t most = (uint64_t)s->last - (uint64_t)s->first;
    const int width = bbans_bit_length(most);
    const int noise = bbans_bit_length(s->behind - s->before) - NOISE_BITS;
    int bits = width < SPLIT_BITS ? width : SPLIT_BITS;

    bits = noise < bits ? noise : bits;
    if (bits <= 0 || n_splits == SPLITS)
        return 0;
    s->shift = (unsigned)(width - bits);
    s->parts = (uint32_t)(most >> s->shift) + 1;
    return 1;
}

static int64_t part_start(const stretch *s, uint32_t i)
{
    return bbans_signed((uint64_t)s->first + ((uint64_t)i << s->shift));
}

static uint32_t part_edge(const stretch *s, uint32_t i)
{
    uint64_t mass;

    if (i == 0)
        return 0;
    if (i == s->parts)
        return FULL;
    /* Up to 2^32, so its product with slots is below 2^60. */
    mass = s->law->below(s->law->model, part_start(s, i)) - s->before;
    return s->law->leak * i + (uint32_t)((FULL - s->law->leak * s->parts) *
                                         mass / (s->behind - s->before));
}

/* Go on with part i alone. */
static void enter_part(stretch *s, uint32_t i)
{
    const int64_t first = part_start(s, i);

    if (i + 1 < s->parts) {
        s->last = part_start(s, i + 1) - 1;
        s->behind = mass_up_to(s->law, s->last);
    }
    s->first = first;
    if (i > 0)
        s->before = mass_below(s->law, first);
}

/* A value between two, nearer the last if there are two. */
static int64_t middle_of(int64_t first, int64_t last)
{
    const uint64_t most = (uint64_t)last - (uint64_t)first;

    return bbans_signed((uint64_t)last - most / 2);
}

/* What is left is uniform; without a leak it begins and ends where F rises. */
static void trim(stretch *s)
{
    int64_t first = s->first, last = s->last;

    if (s->law->leak > 0 || first == last)
        return;
    while (first < last) { /* the last value that all the mass is from */
        const int64_t v = middle_of(first, last);

        if (s->law->below(s->law->model, v) == s->before)
            first = v;
        else
            last = v - 1;
    }
    s->first = first;
    last = s->last;
    while (first < last) { /* the first one that all the mass is up to */
        const int64_t v = middle_of(first, last);

        if (s->law->below(s->law->model, v) == s->behind)
            last = v - 1;
        else
            first = v;
    }
    s->last = last;
}

bbans_status bbans_lane_push_law(bbans_lane *lane, const bbans_law *law,
                                 int64_t value)
{
    const bins b = bins_of(law);
    const int32_t q = bin_of(&b, value);
    stretch s = stretch_of(&b, q);
    bbans_span span[1 + SPLITS];
    int n = 1;

    span[0].start = bin_edge(&b, q);
    span[0].end = bin_edge(&b, q + 1);
    while (span[n - 1].start < span[n - 1].end && is_to_split(&s, n - 1)) {
        const uint32_t i =
            (uint32_t)(((uint64_t)value - (uint64_t)s.first) >> s.shift);

        span[n].start = part_edge(&s, i);
        span[n++].end = part_edge(&s, i + 1);
        enter_part(&s, i);
    }
    if (span[n - 1].start == span[n - 1].end)
        return BBANS_ERR_SYMBOL;
    trim(&s);
    if (value < s.first || value > s.last)
        return BBANS_ERR_SYMBOL;
    bbans_lane_push_below(lane, (uint64_t)value - (uint64_t)s.first,
                          (uint64_t)s.last - (uint64_t)s.first);
    while (n-- > 0)
        bbans_lane_push_bits(lane, span[n].start, span[n].end - span[n].start,
                             BBANS_LOCATED_PREC);
    return BBANS_OK;
}

static uint32_t find_part(const stretch *s, uint32_t slot, bbans_span *span)
{
    uint32_t low = 0, high = s->parts;

    span->start = 0;
    span->end = FULL;
    while (high - low > 1) {
        const uint32_t middle = low + (high - low) / 2;
        const uint32_t edge = part_edge(s, middle);

        if (edge <= slot) {
            low = middle;
            span->start = edge;
        } else {
            high = middle;
            span->end = edge;
        }
    }
    return low;
}

static void advance(bbans_lane *lane, bbans_span span)
{
    bbans_lane_advance_bits(lane, span.start, span.end - span.start,
                            BBANS_LOCATED_PREC);
}

int64_t bbans_lane_pop_law(bbans_lane *lane, const bbans_law *law)
{
    const bins b = bins_of(law);
    bbans_span span;
    stretch s = stretch_of(
        &b, find_bin(&b, bbans_slot_bits(lane->x, BBANS_LOCATED_PREC), &span));
    int n = 0;

    advance(lane, span);
    while (is_to_split(&s, n++)) {
        enter_part(
            &s,
            find_part(&s, bbans_slot_bits(lane->x, BBANS_LOCATED_PREC), &span));
        advance(lane, span);
    }
    trim(&s);
    return bbans_signed(
        (uint64_t)s.first +
        bbans_lane_pop_below(lane, (uint64_t)s.last - (uint64_t)s.first));
}
