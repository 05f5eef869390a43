/* Arrays of symbols, each under a row of weights of its own: docs/maths.md,
 * "The message".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_values.h"

/* ---- Rows of weights ----------------------------------------------------- */

/* Weights that are in hand at once, of as many rows as that holds; a longer row
 * goes in parts. */
#define WEIGHTS 2048
#define ROWS 256
#define PUSHED 1024 /* rows; of these intervals alone are in hand */

/* As many weights with what bbans_row_stride adds. */
#define PART (WEIGHTS + WEIGHTS / 64 * 16)

typedef struct {
    const uint8_t *weight;
    int type;
    size_t symbols, size;
} weights;

/* Weights k .. k + n - 1 of a row. */
static uint64_t weigh(const weights *w, size_t row, size_t k, size_t n,
                      uint32_t *out)
{
    return bbans_kernel.rows->row_sum(
        w->weight + (row * w->symbols + k) * w->size, w->type, n, out);
}

static size_t part_of(const weights *w, size_t k)
{
    return w->symbols - k < WEIGHTS ? w->symbols - k : WEIGHTS;
}

/* 0 if a sum is no valid total. */
static uint32_t valid_total(const weights *w, uint64_t sum)
{
    const uint32_t least =
        w->type == BBANS_U32 ? 1 : (uint32_t)1 << (BBANS_WEIGHT_BITS - 1);

    return sum >= least && sum <= BBANS_TOTAL_MAX ? (uint32_t)sum : 0;
}

/* The symbol of a slot in a row that goes in parts, and its interval. */
static uint32_t find_in_parts(const weights *w, size_t row, uint32_t slot,
                              uint32_t *start, uint32_t *freq)
{
    uint32_t part[WEIGHTS], before = 0;
    size_t k, n, found;

    for (k = 0;; k += n) {
        uint32_t sum;

        n = part_of(w, k);
        sum = (uint32_t)weigh(w, row, k, n, part);
        if (slot - before < sum)
            break;
        before += sum;
    }
    found = bbans_kernel.rows->find(part, n, slot - before, start);
    *start += before;
    *freq = part[found];
    return (uint32_t)(k + found);
}

static bbans_status pop_weighted(bbans_message *msg, const weights *w,
                                 void *symbol, int type, size_t first,
                                 size_t n);

static void push_shares(bbans_message *msg, size_t first, const uint32_t *start,
                        const uint32_t *freq, const uint32_t *total, size_t n)
{
    size_t run, above = bbans_lane_above(msg, first, n);

    while (n > 0) {
        run = above < n ? above : n;
        if (msg->lanes > 1 && bbans_room(msg) >= run) {
            const uint32_t *top;

            above -= run;
            n -= run;
            top = bbans_kernel.totals->push_shares(msg->head + above, start + n,
                                                   freq + n, total + n, run,
                                                   msg->tail + msg->tail_len);
            msg->tail_len = (size_t)(top - msg->tail);
        } else { /* one lane, or undoing pops from a full tail */
            above--;
            n--;
            bbans_push_one(msg, above, start[n], freq[n], total[n]);
        }
        if (above == 0)
            above = msg->lanes;
    }
}

/* Many rows are read in the order of memory, which it is good at, then pushed
 * backwards. A push that is refused on its way is undone by pops. */
static bbans_status push_weighted(bbans_message *msg, const weights *w,
                                  const void *symbol, int type, size_t n)
{
    uint32_t start[PUSHED], freq[PUSHED], total[PUSHED], scratch[PUSHED];
    size_t first, i, end;

    for (end = n; end > 0; end = first) {
        const uint32_t *k;

        first = (end - 1) / PUSHED * PUSHED;
        k = bbans_array_read(symbol, type, first, end - first, scratch);
        bbans_kernel.rows->row_intervals(
            w->weight + first * w->symbols * w->size, w->type, w->symbols,
            end - first, k, start, freq, total);
        for (i = 0; i < end - first; i++)
            if (valid_total(w, total[i]) == 0 || freq[i] == 0) {
                (void)pop_weighted(msg, w, NULL, 0, end, n);
                return valid_total(w, total[i]) == 0 ? BBANS_ERR_TOTAL
                                                     : BBANS_ERR_INTERVAL;
            }
        push_shares(msg, first, start, freq, total, end - first);
    }
    return BBANS_OK;
}

/* Rows of which the weights are in hand, as `part` if they are whole. */
typedef struct {
    const weights *w;
    const uint32_t *part, *total;
    size_t first; /* row */
} rows;

/* The symbol of a slot, and its interval. */
static uint32_t symbol_in_row(const rows *r, size_t j, uint32_t slot,
                              uint32_t *start, uint32_t *freq)
{
    const size_t symbols = r->w->symbols;
    const uint32_t *row = r->part + j * bbans_row_stride(symbols);
    size_t k;

    if (symbols > WEIGHTS)
        return find_in_parts(r->w, r->first + j, slot, start, freq);
    k = bbans_kernel.rows->find_in_row(row, symbols, slot, start);
    *freq = row[k];
    return (uint32_t)k;
}

/* Pop symbols at .. at + n - 1 of these rows from as many lanes from `lane` on;
 * returns how many could, fewer than n where the tail ran dry. */
static size_t pop_run(bbans_message *msg, size_t lane, const rows *r, size_t at,
                      size_t n, uint32_t *k)
{
    uint64_t quotient[ROWS];
    uint32_t slot[ROWS], freq[ROWS], start;
    size_t i;

    if (msg->lanes > 1 && msg->tail_len >= n) {
        const uint32_t *top = msg->tail + msg->tail_len;

        bbans_kernel.totals->pop_start(msg->head + lane, r->total + at, n,
                                       quotient, slot);
        for (i = 0; i < n; i++) {
            k[i] = symbol_in_row(r, at + i, slot[i], &start, &freq[i]);
            slot[i] -= start;
        }
        top = bbans_kernel.totals->pop_finish(msg->head + lane, quotient, slot,
                                              freq, n, top);
        msg->tail_len = (size_t)(top - msg->tail);
        return n;
    }
    for (i = 0; i < n; i++) {
        bbans_lane l = bbans_lane_of(msg, lane + i);

        slot[0] = bbans_lane_take_slot(&l, r->total[at + i]);
        k[i] = symbol_in_row(r, at + i, slot[0], &start, freq);
        bbans_lane_put_rest(&l, slot[0], start, freq[0]);
        if (bbans_lane_is_dry(&l, msg->lanes))
            break;
        bbans_put_lane(msg, lane + i, &l);
    }
    return i;
}

/* Rows that are in hand at once, whole vectors of heads if many fit. */
static size_t rows_at_once(const weights *w)
{
    const size_t stride = bbans_row_stride(w->symbols);
    const size_t fit = w->symbols > WEIGHTS || stride == 0 ? 1 : PART / stride;

    return fit < 16 ? fit : fit < ROWS ? fit - fit % 16 : ROWS;
}

/* Sums of rows first .. first + n - 1, which are weighed but for one that goes
 * in parts. */
static void weigh_rows(const weights *w, size_t first, size_t n, uint32_t *part,
                       uint32_t *total)
{
    const uint8_t *weight = w->weight + first * w->symbols * w->size;
    const uint32_t k = 0;
    uint32_t start, freq;

    if (w->symbols <= WEIGHTS)
        bbans_kernel.rows->weigh_rows(weight, w->type, w->symbols, n, part,
                                      total);
    else
        bbans_kernel.rows->row_intervals(weight, w->type, w->symbols, 1, &k,
                                         &start, &freq, total);
}

/* Rows first .. n - 1.  Several are weighed before the heads need them: heads
 * wait for divisions, weights for memory. */
static bbans_status pop_weighted(bbans_message *msg, const weights *w,
                                 void *symbol, int type, size_t first, size_t n)
{
    const size_t at_once = rows_at_once(w);
    uint32_t part[PART], total[ROWS], k[ROWS];
    bbans_status status = BBANS_OK;
    size_t i, j, count, run, lane = first % msg->lanes;
    rows r;

    r.w = w;
    r.part = part;
    r.total = total;
    for (i = first; i < n && status == BBANS_OK; i += j) {
        count = n - i < at_once ? n - i : at_once;
        weigh_rows(w, i, count, part, total);
        for (j = 0; j < count; j++)
            if (valid_total(w, total[j]) == 0) {
                status = BBANS_ERR_TOTAL;
                count = j;
            }
        r.first = i;
        for (j = 0; j < count; j += run) {
            const size_t most = msg->lanes > 1 ? msg->lanes - lane : 1;
            size_t done;

            run = most < count - j ? most : count - j;
            done = pop_run(msg, lane, &r, j, run, k + j);
            if (done < run) {
                status = BBANS_ERR_UNDERFLOW;
                count = j + done;
            }
            lane = lane + run < msg->lanes ? lane + run : 0;
        }
        j = count;
        if (symbol != NULL)
            bbans_array_write(symbol, type, i, count, k);
    }
    if (status != BBANS_OK && symbol != NULL)
        (void)push_weighted(msg, w, symbol, type, i);
    return status;
}

static weights weights_of(const bbans_distribution *d)
{
    weights w;

    w.weight = (const uint8_t *)d->array[0].data;
    w.type = d->array[0].type;
    w.symbols = d->width;
    w.size = w.type == BBANS_F64 ? 8 : 4;
    return w;
}

static bbans_status weighted_list(const bbans_distribution *d, void *scratch,
                                  size_t i, int64_t value, bbans_intervals *to)
{
    const weights w = weights_of(d);
    uint32_t k, start, freq, total;

    (void)scratch;
    if (value < 0 || value >= d->limit)
        return BBANS_ERR_SYMBOL;
    k = (uint32_t)value;
    bbans_kernel.rows->row_intervals(w.weight + i * w.symbols * w.size, w.type,
                                     w.symbols, 1, &k, &start, &freq, &total);
    if (valid_total(&w, total) == 0)
        return BBANS_ERR_TOTAL;
    if (freq == 0)
        return BBANS_ERR_INTERVAL;
    bbans_list(to, start, freq, total);
    return BBANS_OK;
}

static bbans_status weighted_find(const bbans_distribution *d, void *scratch,
                                  size_t i, bbans_source *from, int64_t *value)
{
    const weights w = weights_of(d);
    uint32_t *part = (uint32_t *)scratch, start, freq, total, slot;
    rows r;

    weigh_rows(&w, i, 1, part, &total);
    if (valid_total(&w, total) == 0)
        return BBANS_ERR_TOTAL;
    r.w = &w;
    r.part = part;
    r.total = &total;
    r.first = i;
    slot = bbans_source_take(from, total);
    *value = symbol_in_row(&r, 0, slot, &start, &freq);
    bbans_source_put(from, slot, start, freq, total);
    return BBANS_OK;
}

static bbans_status weighted_code_each(const bbans_distribution *d,
                                       const struct bbans_call *call)
{
    static const bbans_value_coder values = {weighted_list, weighted_find};
    uint32_t part[PART];

    return bbans_code_values(d, call, &values, part);
}

static bbans_status weighted_code(const bbans_distribution *d,
                                  const struct bbans_call *call)
{
    const weights w = weights_of(d);
    bbans_message *msg = call->msg;

    if (bbans_check_type(call, d->limit) != BBANS_OK)
        return BBANS_ERR_TYPE;
    if (msg == NULL)
        return weighted_code_each(d, call);
    if (call->pops && call->n > 0 && bbans_room(msg) < 1)
        return BBANS_ERR_CAPACITY;
    if (call->pops)
        return pop_weighted(msg, &w, call->to, call->type, 0, call->n);
    if (!bbans_array_is_below(call->from, call->type, 0, call->n, d->limit))
        return BBANS_ERR_SYMBOL;
    if (bbans_room(msg) < call->n)
        return BBANS_ERR_CAPACITY;
    return push_weighted(msg, &w, call->from, call->type, call->n);
}

bbans_status bbans_distribution_init_weighted(bbans_distribution *distribution,
                                              bbans_array weight,
                                              size_t symbols)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (weight.type != BBANS_U32 && weight.type != BBANS_F32 &&
        weight.type != BBANS_F64)
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = weighted_code;
    distribution->array[0] = weight;
    distribution->width = symbols;
    distribution->limit = bbans_limit_of(symbols);
    distribution->words = 1;
    return BBANS_OK;
}
