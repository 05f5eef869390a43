/* Values one at a time: uniform over any range, and under any cumulative
 * distribution function.  docs/maths.md, "Mixtures, counts and ranges".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_values.h"

#include "bbans_family.h"

/* ---- Arrays of values ---------------------------------------------------- */

#define GROUP BBANS_VALUE_GROUP

static inline void push_listed(bbans_lane *lane, const bbans_intervals *list)
{
    size_t k = list->n;

    while (k-- > 0)
        bbans_lane_push(lane, list->at[k].start, list->at[k].freq,
                        list->at[k].total);
}

/* What is done on a message. */
typedef struct {
    const bbans_distribution *d;
    const struct bbans_call *call;
    const bbans_value_coder *one;
    const bbans_group_coder *group; /* or NULL */
    void *scratch;
} job;

static bbans_status push_value(const job *j, size_t i, int64_t value)
{
    bbans_message *msg = j->call->msg;
    bbans_lane lane = bbans_lane_of(msg, i % msg->lanes);
    bbans_intervals list;
    bbans_status status;

    list.n = 0;
    status = j->one->list(j->d, j->scratch, i, value, &list);
    if (status != BBANS_OK)
        return status;
    push_listed(&lane, &list);
    bbans_put_lane(msg, i % msg->lanes, &lane);
    return BBANS_OK;
}

/* Push values i - 1 .. first, or as many of these as can be; *i are left. */
static bbans_status push_group(const job *j, size_t first, size_t *i)
{
    const struct bbans_call *call = j->call;
    size_t n = *i - first, k;
    bbans_span span[GROUP];
    uint8_t easy[GROUP / 8] = {0};
    int64_t value[GROUP];

    bbans_array_read_values(call->pops ? call->to : call->from, call->type,
                            first, n, value);
    if (j->group != NULL && n > 1)
        j->group->locate(j->d, j->scratch, first, n, value, span, easy);
    for (; n > 0; n = k, *i = first + n) {
        for (k = n; k > 0 && bbans_is_easy(easy, k - 1);)
            k--;
        if (k < n) {
            bbans_push_spans(call->msg, first + k, span + k, n - k,
                             BBANS_FAMILY_PREC);
        } else {
            const bbans_status status = push_value(j, *i - 1, value[--k]);

            if (status != BBANS_OK)
                return status;
        }
    }
    return BBANS_OK;
}

/* Push values i - 1 .. 0, or as many of these as can be; *i are left. */
static bbans_status push_values(const job *j, size_t *i)
{
    bbans_status status = BBANS_OK;

    while (status == BBANS_OK && *i > 0)
        status = push_group(j, (*i - 1) / GROUP * GROUP, i);
    return status;
}

static bbans_source lane_source(const bbans_message *msg, size_t i)
{
    bbans_source from;

    from.lane = bbans_lane_of(msg, i % msg->lanes);
    from.dec = NULL;
    from.status = BBANS_OK;
    return from;
}

static bbans_status push_each(const job *j)
{
    bbans_message *msg = j->call->msg;
    size_t i = j->call->n;
    bbans_status status;

    if (i > 0 && (msg->tail_cap - msg->tail_len) / i < j->d->words)
        return BBANS_ERR_CAPACITY;
    status = push_values(j, &i);
    for (; status != BBANS_OK && i < j->call->n;
         i++) { /* undo by the inverse */
        bbans_source from = lane_source(msg, i);
        int64_t value;

        (void)j->one->find(j->d, j->scratch, i, &from, &value);
        bbans_put_lane(msg, i % msg->lanes, &from.lane);
    }
    return status;
}

/* Pop value i, or nothing. */
static bbans_status pop_value(const job *j, size_t i)
{
    const struct bbans_call *call = j->call;
    bbans_message *msg = call->msg;
    bbans_source from = lane_source(msg, i);
    int64_t value;
    bbans_status status = j->one->find(j->d, j->scratch, i, &from, &value);

    if (status != BBANS_OK)
        return status;
    if (bbans_lane_is_dry(&from.lane, msg->lanes))
        status = BBANS_ERR_UNDERFLOW;
    else if (bbans_array_write_values(call->to, call->type, i, 1, &value) < 1)
        status = BBANS_ERR_SYMBOL;
    if (status != BBANS_OK) { /* a dry lane is an integer: "The message" */
        bbans_intervals list;

        list.n = 0;
        (void)j->one->list(j->d, j->scratch, i, value, &list);
        push_listed(&from.lane, &list);
    }
    bbans_put_lane(msg, i % msg->lanes, &from.lane);
    return status;
}

/* Pop n easy values from *i on, or as many as can be, by which *i rises. */
static bbans_status pop_easy(const struct bbans_call *call,
                             const int64_t *value, const bbans_span *span,
                             size_t n, size_t *i)
{
    bbans_message *msg = call->msg;
    const size_t done =
        bbans_advance_run(msg, *i % msg->lanes, span, n, BBANS_FAMILY_PREC);
    const size_t written =
        bbans_array_write_values(call->to, call->type, *i, done, value);

    *i += written;
    if (written == n)
        return BBANS_OK;
    bbans_push_spans(msg, *i, span + written, done - written,
                     BBANS_FAMILY_PREC);
    return written < done ? BBANS_ERR_SYMBOL : BBANS_ERR_UNDERFLOW;
}

/* The same for n values, each from a lane of its own. */
static bbans_status pop_run(const job *j, size_t n, size_t *i)
{
    const size_t first = *i;
    const uint64_t *head = j->call->msg->head + first % j->call->msg->lanes;
    bbans_status status = BBANS_OK;
    bbans_span span[GROUP];
    uint8_t easy[GROUP / 8] = {0};
    uint32_t slot[GROUP] = {0};
    int64_t value[GROUP];
    size_t k, end;

    for (k = 0; k < n; k++)
        slot[k] = bbans_slot_bits(head[k], BBANS_FAMILY_PREC);
    j->group->search(j->d, j->scratch, first, n, slot, value, span, easy);
    for (k = 0; status == BBANS_OK && k < n; k = *i - first) {
        for (end = k; end < n && bbans_is_easy(easy, end);)
            end++;
        if (end > k) {
            status = pop_easy(j->call, value + k, span + k, end - k, i);
        } else {
            status = pop_value(j, *i);
            *i += status == BBANS_OK;
        }
    }
    return status;
}

static bbans_status pop_each(const job *j)
{
    const bbans_message *msg = j->call->msg;
    bbans_status status = BBANS_OK;
    size_t i = 0;

    if (j->call->n > 0 && msg->tail_cap - msg->tail_len < 1)
        return BBANS_ERR_CAPACITY;
    while (status == BBANS_OK && i < j->call->n) {
        const size_t left = j->call->n - i, lanes = msg->lanes - i % msg->lanes;
        const size_t run = left < lanes ? left : lanes;

        if (j->group != NULL && run > 1) {
            status = pop_run(j, run < GROUP ? run : GROUP, &i);
        } else {
            status = pop_value(j, i);
            i += status == BBANS_OK;
        }
    }
    if (status != BBANS_OK) /* undo by the pushes that invert the pops */
        (void)push_values(j, &i);
    return status;
}

#ifndef BBANS_DECODER_ONLY
static bbans_status encode_each(const bbans_distribution *d,
                                const struct bbans_call *call,
                                const bbans_value_coder *coder, void *scratch)
{
    bbans_range_encoder *enc = call->enc;
    const bbans_range_encoder before = *enc;
    const uint8_t last = enc->len > 0 ? enc->bytes[enc->len - 1] : 0;
    bbans_status status = BBANS_OK;
    size_t i, k;

    if (enc->range == 0)
        return BBANS_ERR_STATE;
    if (call->n > 0 && (enc->cap - enc->len) / 4 / call->n < d->words)
        return BBANS_ERR_CAPACITY;
    for (i = 0; status == BBANS_OK && i < call->n; i++) {
        bbans_intervals list;
        int64_t value;

        list.n = 0;
        bbans_array_read_values(call->from, call->type, i, 1, &value);
        status = coder->list(d, scratch, i, value, &list);
        for (k = 0; status == BBANS_OK && k < list.n; k++)
            status = bbans_range_encode_interval(
                enc, list.at[k].start, list.at[k].freq, list.at[k].total);
    }
    if (status != BBANS_OK)
        bbans_range_rewind(enc, &before, last);
    return status;
}
#endif /* BBANS_DECODER_ONLY */

static bbans_status decode_each(const bbans_distribution *d,
                                const struct bbans_call *call,
                                const bbans_value_coder *coder, void *scratch)
{
    const bbans_range_decoder before = *call->dec;
    bbans_status status = BBANS_OK;
    bbans_source from;
    int64_t value;
    size_t i;

    memset(&from, 0, sizeof from);
    from.dec = call->dec;
    from.status = BBANS_OK;
    for (i = 0; status == BBANS_OK && i < call->n; i++) {
        status = coder->find(d, scratch, i, &from, &value);
        if (status == BBANS_OK)
            status = from.status;
        if (status == BBANS_OK &&
            bbans_array_write_values(call->to, call->type, i, 1, &value) < 1)
            status = BBANS_ERR_SYMBOL;
    }
    if (status != BBANS_OK)
        *call->dec = before;
    return status;
}

static bbans_status list_each(const bbans_distribution *d,
                              const struct bbans_call *call,
                              const bbans_value_coder *coder, void *scratch)
{
    size_t i, n = 0;

    for (i = 0; i < call->n; i++) {
        bbans_intervals list;
        bbans_status status;
        int64_t value;

        list.n = 0;
        bbans_array_read_values(call->from, call->type, i, 1, &value);
        status = coder->list(d, scratch, i, value, &list);
        if (status == BBANS_OK && call->list != NULL && call->cap - n < list.n)
            status = BBANS_ERR_CAPACITY;
        if (status != BBANS_OK) {
            *call->at = i;
            return status;
        }
        if (call->list != NULL)
            memcpy(call->list + n, list.at, list.n * sizeof *list.at);
        n += list.n;
    }
    *call->listed = n;
    return BBANS_OK;
}

/* The product of the shares of a value's intervals, each rounded down to 32
 * bits.  m < 2^32 and freq <= 2^28, so their product fits; shifted up to 64
 * bits and divided by 2^28 at most, it has 36. */
static void weigh(const bbans_intervals *list, uint32_t *mantissa,
                  int32_t *exponent)
{
    uint64_t m = (uint64_t)1 << 31;
    int32_t e = -31;
    size_t k;

    for (k = 0; k < list->n; k++) {
        const uint64_t product = m * list->at[k].freq;
        const int up = 64 - bbans_bit_length(product);
        const uint64_t quotient = (product << up) / list->at[k].total;
        const int down = bbans_bit_length(quotient) - 32;

        m = quotient >> down;
        e += down - up;
    }
    *mantissa = (uint32_t)m;
    *exponent = e;
}

static bbans_status weigh_each(const bbans_distribution *d,
                               const struct bbans_call *call,
                               const bbans_value_coder *coder, void *scratch)
{
    size_t i;

    for (i = 0; i < call->n; i++) {
        bbans_intervals list;
        bbans_status status;
        int64_t value;

        list.n = 0;
        bbans_array_read_values(call->from, call->type, i, 1, &value);
        status = coder->list(d, scratch, i, value, &list);
        call->mantissa[i] = 0;
        call->exponent[i] = 0;
        if (status == BBANS_OK)
            weigh(&list, call->mantissa + i, call->exponent + i);
        else if (status != BBANS_ERR_SYMBOL && status != BBANS_ERR_INTERVAL)
            return status;
    }
    return BBANS_OK;
}

bbans_status bbans_code_values(const bbans_distribution *d,
                               const struct bbans_call *call,
                               const bbans_value_coder *coder, void *scratch)
{
    return bbans_code_groups(d, call, coder, NULL, scratch);
}

bbans_status bbans_code_groups(const bbans_distribution *d,
                               const struct bbans_call *call,
                               const bbans_value_coder *coder,
                               const bbans_group_coder *group, void *scratch)
{
    const job j = {d, call, coder, group, scratch};

    if (d->limit > 0
            ? !bbans_type_is_valid(call->type) ||
                  (call->pops && !bbans_type_holds(call->type, d->limit))
            : !bbans_value_type_is_valid(call->type))
        return BBANS_ERR_TYPE;
    if (call->msg != NULL)
        return call->pops ? pop_each(&j) : push_each(&j);
#ifndef BBANS_DECODER_ONLY
    if (call->enc != NULL)
        return encode_each(d, call, coder, scratch);
#endif /* BBANS_DECODER_ONLY */
    if (call->dec != NULL)
        return decode_each(d, call, coder, scratch);
    return call->mantissa != NULL ? weigh_each(d, call, coder, scratch)
                                  : list_each(d, call, coder, scratch);
}

bbans_status bbans_distribution_code(const bbans_distribution *d,
                                     const struct bbans_call *call)
{
    size_t k;

    if (d == NULL || (call->n > 0 && call->from == NULL && call->to == NULL))
        return BBANS_ERR_NULL;
    for (k = 0; k < 3; k++)
        if (call->n > 0 && d->array[k].type != 0 && d->array[k].data == NULL)
            return BBANS_ERR_NULL;
    return d->code(d, call);
}

bbans_status bbans_message_push(bbans_message *msg,
                                const bbans_distribution *distribution,
                                const void *value, int type, size_t n)
{
    const struct bbans_call call = {
        .msg = msg, .from = value, .type = type, .n = n};

    return msg == NULL ? BBANS_ERR_NULL
                       : bbans_distribution_code(distribution, &call);
}

bbans_status bbans_message_pop(bbans_message *msg,
                               const bbans_distribution *distribution,
                               void *value, int type, size_t n)
{
    const struct bbans_call call = {
        .msg = msg, .pops = 1, .to = value, .type = type, .n = n};

    return msg == NULL ? BBANS_ERR_NULL
                       : bbans_distribution_code(distribution, &call);
}

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_range_encode(bbans_range_encoder *enc,
                                const bbans_distribution *distribution,
                                const void *value, int type, size_t n)
{
    const struct bbans_call call = {
        .enc = enc, .from = value, .type = type, .n = n};

    return enc == NULL ? BBANS_ERR_NULL
                       : bbans_distribution_code(distribution, &call);
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_range_decode(bbans_range_decoder *dec,
                                const bbans_distribution *distribution,
                                void *value, int type, size_t n)
{
    const struct bbans_call call = {
        .dec = dec, .pops = 1, .to = value, .type = type, .n = n};

    return dec == NULL ? BBANS_ERR_NULL
                       : bbans_distribution_code(distribution, &call);
}

bbans_status bbans_distribution_list(const bbans_distribution *distribution,
                                     const void *value, int type, size_t n,
                                     bbans_interval *interval, size_t cap,
                                     size_t *n_intervals, size_t *at)
{
    struct bbans_call call = {0};

    call.from = value;
    call.type = type;
    call.n = n;
    call.list = interval;
    call.cap = cap;
    call.listed = n_intervals;
    call.at = at;
    return n_intervals == NULL || at == NULL
               ? BBANS_ERR_NULL
               : bbans_distribution_code(distribution, &call);
}

bbans_status bbans_distribution_masses(const bbans_distribution *distribution,
                                       const void *value, int type, size_t n,
                                       uint32_t *mantissa, int32_t *exponent)
{
    const struct bbans_call call = {.from = value,
                                    .type = type,
                                    .n = n,
                                    .mantissa = mantissa,
                                    .exponent = exponent};

    if (n > 0 && (mantissa == NULL || exponent == NULL))
        return BBANS_ERR_NULL;
    return n == 0 ? BBANS_OK : bbans_distribution_code(distribution, &call);
}

/* ---- Uniform ------------------------------------------------------------- */

#define PART_BITS 28

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

void bbans_list_below(bbans_intervals *to, uint64_t u, uint64_t last)
{
    while (last > 0) { /* bits go 64, 36, 8, 0 */
        const unsigned shift = part_shift(last);
        const uint64_t part = u >> shift;

        bbans_list(to, (uint32_t)part, 1, (uint32_t)(last >> shift) + 1);
        last = last_of_rest(last, shift, part);
        u &= ((uint64_t)1 << shift) - 1;
    }
}

uint64_t bbans_find_below(bbans_source *from, uint64_t last)
{
    uint64_t u = 0;

    while (last > 0) {
        const unsigned shift = part_shift(last);
        const uint32_t total = (uint32_t)(last >> shift) + 1;
        const uint32_t part = bbans_source_take(from, total);

        bbans_source_put(from, part, part, 1, total);
        u |= (uint64_t)part << shift;
        last = last_of_rest(last, shift, part);
    }
    return u;
}

/* The ends of value i's range, which are arrays, or the same for all. */
static int range_of(const bbans_distribution *d, size_t i, int64_t *low,
                    int64_t *high)
{
    const int64_t *lows = (const int64_t *)d->array[0].data;
    const int64_t *highs = (const int64_t *)d->array[1].data;

    *low = lows != NULL ? lows[i] : d->low;
    *high = highs != NULL ? highs[i] : d->high;
    return *low <= *high;
}

static bbans_status range_list(const bbans_distribution *d, void *scratch,
                               size_t i, int64_t value, bbans_intervals *to)
{
    int64_t low, high;

    (void)scratch;
    if (!range_of(d, i, &low, &high) || value < low || value > high)
        return BBANS_ERR_SYMBOL;
    bbans_list_below(to, (uint64_t)value - (uint64_t)low,
                     (uint64_t)high - (uint64_t)low);
    return BBANS_OK;
}

static bbans_status range_find(const bbans_distribution *d, void *scratch,
                               size_t i, bbans_source *from, int64_t *value)
{
    int64_t low, high;

    (void)scratch;
    if (!range_of(d, i, &low, &high))
        return BBANS_ERR_SYMBOL;
    *value = bbans_signed(
        (uint64_t)low + bbans_find_below(from, (uint64_t)high - (uint64_t)low));
    return BBANS_OK;
}

static bbans_status range_code(const bbans_distribution *d,
                               const struct bbans_call *call)
{
    static const bbans_value_coder values = {range_list, range_find};

    return bbans_code_values(d, call, &values, NULL);
}

bbans_status bbans_distribution_init_range(bbans_distribution *distribution,
                                           int64_t low, int64_t high)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (low > high)
        return BBANS_ERR_SIZE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = range_code;
    distribution->low = low;
    distribution->high = high;
    distribution->words = bbans_below_words((uint64_t)high - (uint64_t)low);
    return BBANS_OK;
}

bbans_status bbans_distribution_init_ranges(bbans_distribution *distribution,
                                            bbans_array low, bbans_array high)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (low.type != BBANS_I64 || high.type != BBANS_I64)
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = range_code;
    distribution->array[0] = low;
    distribution->array[1] = high;
    distribution->words = bbans_below_words(UINT64_MAX);
    return BBANS_OK;
}

/* ---- Laws ---------------------------------------------------------------- */

#define FULL ((uint32_t)1 << BBANS_FAMILY_PREC)

/* Bins wider than one are split into up to 2^12 parts, as long as the mean of
 * the parts' masses is 2^14 units or more, and up to 5 times. */
#define SPLIT_BITS 12
#define NOISE_BITS 15
#define SPLITS 5

/* Bins q lie about the origin as those of bbans_family.h, of width one in the
 * middle; low is in the first, high in the last. */
typedef struct {
    const bbans_cdf *cdf;
    bbans_place place;
    int32_t first, last;
} bins;

static int32_t bin_of(const bins *b, int64_t value)
{
    return bbans_bin_of_value(&b->place, value).q;
}

static inline bins bins_of(const bbans_cdf *cdf)
{
    bins b;

    memset(&b, 0, sizeof b);
    b.cdf = cdf;
    b.place.origin = cdf->origin;
    b.place.middle_bits = BBANS_CDF_MIDDLE_BITS;
    b.first = bin_of(&b, cdf->low);
    b.last = bin_of(&b, cdf->high);
    b.place.leak = cdf->leak;
    b.place.slots = FULL - cdf->leak * (uint32_t)(b.last - b.first + 1);
    return b;
}

/* The first value of bin q, which is neither the first nor behind the last. */
static int64_t bin_start(const bins *b, int32_t q)
{
    unsigned shift;
    const uint64_t start =
        bbans_bin_start(&b->place, (uint32_t)(q < 0 ? -q : q), &shift);
    const uint64_t u = start << shift, from = (uint64_t)b->cdf->origin;

    return bbans_signed(q < 0 ? from - u : from + u);
}

static inline uint32_t bin_edge(const bins *b, int32_t q)
{
    if (q <= b->first)
        return 0;
    if (q > b->last)
        return FULL;
    return b->place.leak * (uint32_t)(q - b->first) +
           (uint32_t)((b->place.slots *
                       b->cdf->below(b->cdf->model, bin_start(b, q))) >>
                      32);
}

static int64_t within(const bbans_cdf *cdf, int64_t value)
{
    return value < cdf->low ? cdf->low : value > cdf->high ? cdf->high : value;
}

/* Whether values have bins of their own, and F of neighbours comes in pairs. */
static int is_paired(const bbans_cdf *cdf)
{
    return cdf->pair != NULL && bbans_cdf_is_narrow(cdf->low, cdf->high);
}

/* That of a value. */
static bbans_span paired_span(const bins *b, int64_t value)
{
    const bbans_cdf *cdf = b->cdf;
    const uint32_t before = b->place.leak * (uint32_t)(value - cdf->low);
    uint64_t mass[2];
    bbans_span span;

    cdf->pair(cdf->model, value, mass);
    span.start = value == cdf->low
                     ? 0
                     : before + (uint32_t)((b->place.slots * mass[0]) >> 32);
    span.end = value == cdf->high
                   ? FULL
                   : before + b->place.leak +
                         (uint32_t)((b->place.slots * mass[1]) >> 32);
    return span;
}

/* The value of a slot, from where the slope at one value leads: that is the
 * next, or if it is known not to be there, one on the line between the ends;
 * every fourth is their middle. */
static int64_t find_paired(const bins *b, uint32_t slot, bbans_span *span)
{
    int64_t low = b->cdf->low, high = b->cdf->high, v, to;
    uint32_t before = 0, behind = FULL; /* edges of low, and behind high */
    unsigned n;

    b->cdf->guess(b->cdf->model, slot, &v, &to);
    v = within(b->cdf, v);
    for (n = 1;; n++) {
        int64_t width, more;

        *span = paired_span(b, v);
        width = (int64_t)span->end - span->start;
        more = (int64_t)slot - span->start;
        if (more >= 0 && more < width)
            return v;
        if (more < 0) {
            high = v - 1;
            behind = span->start;
            v -= width > 0 ? (width - 1 - more) / width : FULL;
        } else {
            low = v + 1;
            before = span->end;
            v += width > 0 ? more / width : FULL;
        }
        if (n % 4 == 0)
            v = low + (high - low) / 2;
        else if (v < low || v > high)
            v = low + (high - low + 1) * ((int64_t)slot - before) /
                          ((int64_t)behind - before);
    }
}

static int32_t find_bin(const bins *b, uint32_t slot, bbans_span *span)
{
    int32_t low, high, step = 1;
    int64_t from, to;

    b->cdf->guess(b->cdf->model, slot, &from, &to);
    low = bin_of(b, within(b->cdf, from));
    high = bin_of(b, within(b->cdf, to)) + 1;
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
    const bbans_cdf *cdf;
    int64_t first, last;
    uint64_t before, behind;
    unsigned shift; /* parts have 2^shift values */
    uint32_t parts;
} stretch;

static uint64_t mass_below(const bbans_cdf *cdf, int64_t value)
{
    return value == cdf->low ? 0 : cdf->below(cdf->model, value);
}

static uint64_t mass_up_to(const bbans_cdf *cdf, int64_t value)
{
    return value == cdf->high ? (uint64_t)1 << 32
                              : cdf->below(cdf->model, value + 1);
}

static inline stretch stretch_of(const bins *b, int32_t q)
{
    stretch s;

    memset(&s, 0, sizeof s);
    s.cdf = b->cdf;
    s.first = q == b->first ? b->cdf->low : bin_start(b, q);
    s.last = q == b->last ? b->cdf->high : bin_start(b, q + 1) - 1;
    if (s.first < s.last) {
        s.before = mass_below(s.cdf, s.first);
        s.behind = mass_up_to(s.cdf, s.last);
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
    mass = s->cdf->below(s->cdf->model, part_start(s, i)) - s->before;
    return s->cdf->leak * i + (uint32_t)((FULL - s->cdf->leak * s->parts) *
                                         mass / (s->behind - s->before));
}

/* Go on with part i alone. */
static void enter_part(stretch *s, uint32_t i)
{
    const int64_t first = part_start(s, i);

    if (i + 1 < s->parts) {
        s->last = part_start(s, i + 1) - 1;
        s->behind = mass_up_to(s->cdf, s->last);
    }
    s->first = first;
    if (i > 0)
        s->before = mass_below(s->cdf, first);
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

    while (first < last) { /* the last value that all the mass is from */
        const int64_t v = middle_of(first, last);

        if (s->cdf->below(s->cdf->model, v) == s->before)
            first = v;
        else
            last = v - 1;
    }
    s->first = first;
    last = s->last;
    while (first < last) { /* the first one that all the mass is up to */
        const int64_t v = middle_of(first, last);

        if (s->cdf->below(s->cdf->model, v) == s->behind)
            last = v - 1;
        else
            first = v;
    }
    s->last = last;
}

bbans_status bbans_cdf_list(bbans_intervals *to, const bbans_cdf *cdf,
                            int64_t value)
{
    const bins b = bins_of(cdf);
    int32_t q;
    stretch s;
    uint32_t start, end;
    int n = 0;

    if (is_paired(cdf)) {
        const bbans_span span = paired_span(&b, value);

        bbans_list(to, span.start, span.end - span.start, FULL);
        return span.start == span.end ? BBANS_ERR_SYMBOL : BBANS_OK;
    }
    q = bin_of(&b, value);
    s = stretch_of(&b, q);
    start = bin_edge(&b, q);
    end = bin_edge(&b, q + 1);
    bbans_list(to, start, end - start, FULL);
    while (start < end && is_to_split(&s, n++)) {
        const uint32_t i =
            (uint32_t)(((uint64_t)value - (uint64_t)s.first) >> s.shift);

        start = part_edge(&s, i);
        end = part_edge(&s, i + 1);
        bbans_list(to, start, end - start, FULL);
        enter_part(&s, i);
    }
    if (start == end)
        return BBANS_ERR_SYMBOL;
    if (cdf->leak == 0)
        trim(&s);
    if (value < s.first || value > s.last)
        return BBANS_ERR_SYMBOL;
    bbans_list_below(to, (uint64_t)value - (uint64_t)s.first,
                     (uint64_t)s.last - (uint64_t)s.first);
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

int64_t bbans_cdf_find(bbans_source *from, const bbans_cdf *cdf)
{
    const bins b = bins_of(cdf);
    uint32_t slot = bbans_source_take(from, FULL);
    bbans_span span;
    stretch s;
    int n = 0;

    if (is_paired(cdf)) {
        const int64_t value = find_paired(&b, slot, &span);

        bbans_source_put(from, slot, span.start, span.end - span.start, FULL);
        return value;
    }
    s = stretch_of(&b, find_bin(&b, slot, &span));
    bbans_source_put(from, slot, span.start, span.end - span.start, FULL);
    while (is_to_split(&s, n++)) {
        slot = bbans_source_take(from, FULL);
        enter_part(&s, find_part(&s, slot, &span));
        bbans_source_put(from, slot, span.start, span.end - span.start, FULL);
    }
    if (cdf->leak == 0)
        trim(&s);
    return bbans_signed(
        (uint64_t)s.first +
        bbans_find_below(from, (uint64_t)s.last - (uint64_t)s.first));
}
