/* The rANS stack: docs/maths.md, section 3.
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_values.h"

const char *bbans_status_text(int status)
{
    switch (status) {
    case BBANS_OK: return "no error";
    case BBANS_ERR_NULL: return "a required pointer is NULL";
    case BBANS_ERR_PRECISION: return "precision is outside 1 to 28 bits";
    case BBANS_ERR_INTERVAL: return "interval is empty, or not the slot's";
    case BBANS_ERR_CAPACITY: return "an array is too small";
    case BBANS_ERR_UNDERFLOW: return "message has too few bits left";
    case BBANS_ERR_TOTAL: return "total is outside 1 to 2^28";
    case BBANS_ERR_STATE: return "heads, lanes or lengths are not a message";
    case BBANS_ERR_TABLE: return "table does not rise strictly from 0 to 2^r";
    case BBANS_ERR_SYMBOL: return "symbol or row is outside the table";
    case BBANS_ERR_CORRUPT:
        return "data is damaged, or length, mode, model or lanes differ";
    case BBANS_ERR_SIZE: return "a count is outside its limits";
    case BBANS_ERR_TRUNCATED: return "data ends early";
    case BBANS_ERR_FORMAT: return "not a file of this format";
    case BBANS_ERR_VERSION: return "format version or code is not known";
    case BBANS_ERR_MODEL: return "data was coded with another model";
    case BBANS_ERR_TYPE: return "no type of elements for this array";
    default: return "unknown status code";
    }
}

bbans_status bbans_message_init(bbans_message *msg, uint64_t *head,
                                size_t lanes, uint32_t *tail, size_t tail_cap)
{
    size_t i;

    if (msg == NULL || head == NULL || (tail == NULL && tail_cap > 0))
        return BBANS_ERR_NULL;
    if (lanes == 0)
        return BBANS_ERR_STATE;
    for (i = 0; i < lanes; i++)
        head[i] = lanes == 1 ? 1 : BBANS_HEAD_MIN;
    msg->head = head;
    msg->tail = tail;
    msg->lanes = lanes;
    msg->tail_len = 0;
    msg->tail_cap = tail_cap;
    return BBANS_OK;
}

bbans_status bbans_message_check(const bbans_message *msg)
{
    size_t i;

    if (msg == NULL || msg->head == NULL ||
        (msg->tail == NULL && msg->tail_cap > 0))
        return BBANS_ERR_NULL;
    if (msg->lanes == 0 || msg->tail_len > msg->tail_cap)
        return BBANS_ERR_STATE;
    for (i = 0; i < msg->lanes; i++) {
        const int small = msg->head[i] < BBANS_HEAD_MIN;

        if (msg->head[i] > BBANS_HEAD_MAX ||
            (small && (msg->lanes > 1 || msg->tail_len > 0)))
            return BBANS_ERR_STATE;
    }
    return BBANS_OK;
}

static size_t room(const bbans_message *msg)
{
    return msg->tail_cap - msg->tail_len;
}

static void push_one(bbans_message *msg, size_t i, uint32_t start,
                     uint32_t freq, uint32_t total)
{
    bbans_lane lane = bbans_lane_of(msg, i);

    bbans_lane_push(&lane, start, freq, total);
    bbans_put_lane(msg, i, &lane);
}

/* Unchanged message and ERR_UNDERFLOW if the tail runs dry. */
static bbans_status advance_one(bbans_message *msg, size_t i, uint32_t start,
                                uint32_t freq, uint32_t total)
{
    bbans_lane lane = bbans_lane_of(msg, i);

    bbans_lane_advance(&lane, start, freq, total);
    if (bbans_lane_is_dry(&lane, msg->lanes))
        return BBANS_ERR_UNDERFLOW;
    bbans_put_lane(msg, i, &lane);
    return BBANS_OK;
}

bbans_status bbans_message_push(bbans_message *msg, const uint32_t *start,
                                const uint32_t *freq, uint32_t total)
{
    size_t i;

    if (msg == NULL || start == NULL || freq == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    for (i = 0; i < msg->lanes; i++)
        if (!bbans_interval_is_valid(start[i], freq[i], total))
            return BBANS_ERR_INTERVAL;
    if (room(msg) < msg->lanes)
        return BBANS_ERR_CAPACITY;
    for (i = msg->lanes; i-- > 0;)
        push_one(msg, i, start[i], freq[i], total);
    return BBANS_OK;
}

bbans_status bbans_message_peek(const bbans_message *msg, uint32_t *slot,
                                uint32_t total)
{
    size_t i;

    if (msg == NULL || slot == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    for (i = 0; i < msg->lanes; i++)
        slot[i] = bbans_slot(msg->head[i], total);
    return BBANS_OK;
}

bbans_status bbans_message_advance(bbans_message *msg, const uint32_t *start,
                                   const uint32_t *freq, uint32_t total)
{
    size_t i;

    if (msg == NULL || start == NULL || freq == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    for (i = 0; i < msg->lanes; i++)
        if (!bbans_interval_is_valid(start[i], freq[i], total) ||
            bbans_slot(msg->head[i], total) - start[i] >= freq[i])
            return BBANS_ERR_INTERVAL;
    if (room(msg) < msg->lanes)
        return BBANS_ERR_CAPACITY;
    for (i = 0; i < msg->lanes; i++) {
        const bbans_status status =
            advance_one(msg, i, start[i], freq[i], total);

        if (status != BBANS_OK) {
            while (i-- > 0) /* push is the exact inverse */
                push_one(msg, i, start[i], freq[i], total);
            return status;
        }
    }
    return BBANS_OK;
}

/* ---- Arrays under totals of 2^prec --------------------------------------- */

/* Two phases for each chunk: look the intervals up, then let a kernel code
 * them, so that neither waits for the other. */
#define CHUNK 512

/* That of symbols which a kernel looks up and brings near where they are. */
#define IN_PLACE 4096

/* What the symbols of a chunk are coded with, in a few words that loops keep in
 * registers. */
typedef struct {
    bbans_table table;
    const uint32_t *part; /* rows of the table, or masses of bit 1 */
    unsigned prec;
} model;

typedef struct {
    void (*spans)(const model *m, const uint32_t *symbol, size_t n,
                  bbans_span *span);
    /* The same for what n heads would pop; `at` counts within the chunk. */
    void (*find)(const model *m, size_t at, const uint64_t *head, size_t n,
                 uint32_t *symbol, bbans_span *span);
    /* Pop n symbols from one lane. */
    void (*pop)(const model *m, bbans_lane *lane, size_t n, uint32_t *symbol);
} loops;

/* The loops, for inline functions <kind>_span and <kind>_find of one symbol. */
#define DEFINE_LOOPS(kind)                                                     \
    static void kind##_spans(const model *m, const uint32_t *symbol, size_t n, \
                             bbans_span *span)                                 \
    {                                                                          \
        const model local = *m;                                                \
        size_t i;                                                              \
                                                                               \
        for (i = 0; i < n; i++)                                                \
            span[i] = kind##_span(&local, i, symbol[i]);                       \
    }                                                                          \
                                                                               \
    static void kind##_finds(const model *m, size_t at, const uint64_t *head,  \
                             size_t n, uint32_t *symbol, bbans_span *span)     \
    {                                                                          \
        const model local = *m;                                                \
        size_t i;                                                              \
                                                                               \
        for (i = 0; i < n; i++) {                                              \
            symbol[i] = kind##_find(&local, at + i,                            \
                                    bbans_slot_bits(head[i], local.prec));     \
            span[i] = kind##_span(&local, at + i, symbol[i]);                  \
        }                                                                      \
    }                                                                          \
                                                                               \
    static void kind##_pop(const model *m, bbans_lane *lane, size_t n,         \
                           uint32_t *symbol)                                   \
    {                                                                          \
        const model local = *m;                                                \
        bbans_lane l = *lane;                                                  \
        size_t i;                                                              \
                                                                               \
        for (i = 0; i < n; i++) {                                              \
            const uint32_t k =                                                 \
                kind##_find(&local, i, bbans_slot_bits(l.x, local.prec));      \
            const bbans_span s = kind##_span(&local, i, k);                    \
                                                                               \
            bbans_lane_advance_bits(&l, s.start, s.end - s.start, local.prec); \
            symbol[i] = k;                                                     \
        }                                                                      \
        *lane = l;                                                             \
    }                                                                          \
                                                                               \
    static const loops kind##_loops = {kind##_spans, kind##_finds, kind##_pop}

static inline bbans_span row_span(const bbans_table *table, size_t row,
                                  uint32_t symbol)
{
    bbans_span span;

    memcpy(&span, table->cdf + row * (table->symbols + 1) + symbol,
           sizeof span); /* two neighbouring edges at once */
    return span;
}

static inline bbans_span fixed_span(const model *m, size_t at, uint32_t symbol)
{
    (void)at;
    return row_span(&m->table, 0, symbol);
}

static inline uint32_t fixed_find(const model *m, size_t at, uint32_t slot)
{
    (void)at;
    return (uint32_t)bbans_find(&m->table, 0, slot);
}

static inline bbans_span indexed_span(const model *m, size_t at,
                                      uint32_t symbol)
{
    return row_span(&m->table, m->part[at], symbol);
}

static inline uint32_t indexed_find(const model *m, size_t at, uint32_t slot)
{
    return (uint32_t)bbans_find(&m->table, m->part[at], slot);
}

static inline bbans_span uniform_span(const model *m, size_t at, uint32_t value)
{
    bbans_span span;

    (void)m, (void)at;
    span.start = value;
    span.end = value + 1;
    return span;
}

static inline uint32_t uniform_find(const model *m, size_t at, uint32_t slot)
{
    (void)m, (void)at;
    return slot;
}

static inline bbans_span bernoulli_span(const model *m, size_t at, uint32_t bit)
{
    const uint32_t total = (uint32_t)1 << m->prec;
    const uint32_t zero = total - m->part[at];
    bbans_span span;

    span.start = bit ? zero : 0;
    span.end = bit ? total : zero;
    return span;
}

static inline uint32_t bernoulli_find(const model *m, size_t at, uint32_t slot)
{
    return slot >= ((uint32_t)1 << m->prec) - m->part[at];
}

DEFINE_LOOPS(fixed);
DEFINE_LOOPS(indexed);
DEFINE_LOOPS(uniform);
DEFINE_LOOPS(bernoulli);

/* Arrays are checked against limits of up to 2^28. */
static uint32_t limit_of(size_t n)
{
    return n < BBANS_TOTAL_MAX ? (uint32_t)n : BBANS_TOTAL_MAX;
}

/* An array and what its symbols are coded with. */
typedef struct {
    const loops *loops;
    model model;
    const void *row;     /* rows of the table, or NULL */
    const uint32_t *one; /* masses of bit 1, or NULL   */
    int row_type;
    const bbans_coded_symbol *share; /* of the symbols of one row, or NULL */
    uint32_t limit;                  /* of the symbols */
    uint32_t scratch[CHUNK];
} coder;

/* Whether elements first .. first + n - 1 of the model's arrays are valid; then
 * they are those of the chunk. */
static int open_chunk(coder *c, size_t first, size_t n)
{
    const uint32_t total = (uint32_t)1 << c->model.prec;
    uint32_t most = 0;
    size_t i;

    if (c->row != NULL) {
        c->model.part =
            bbans_array_read(c->row, c->row_type, first, n, c->scratch);
        return bbans_array_is_below(c->row, c->row_type, first, n,
                                    limit_of(c->model.table.rows));
    }
    if (c->one == NULL)
        return 1;
    c->model.part = c->one + first;
    for (i = 0; i < n; i++) {
        const uint32_t less_1 = c->model.part[i] - 1; /* 0 becomes the most */

        most = less_1 > most ? less_1 : most;
    }
    return most < total - 1;
}

/* Lanes of the last symbol of an array, and of those before it. */
static size_t lane_above(const bbans_message *msg, size_t first, size_t n)
{
    return n > 0 ? (first + n - 1) % msg->lanes + 1 : 0;
}

void bbans_push_spans(bbans_message *msg, size_t first, const bbans_span *span,
                      size_t n, unsigned prec)
{
    size_t above = lane_above(msg, first, n);

    if (msg->lanes == 1) {
        bbans_lane lane = bbans_lane_of(msg, 0);

        while (n-- > 0)
            bbans_lane_push_bits(&lane, span[n].start,
                                 span[n].end - span[n].start, prec);
        bbans_put_lane(msg, 0, &lane);
        return;
    }
    while (n > 0) {
        const size_t run = above < n ? above : n;
        const uint32_t *top;

        if (room(msg) < run) { /* undoing pops from a full tail */
            n--;
            above--;
            push_one(msg, above, span[n].start, span[n].end - span[n].start,
                     (uint32_t)1 << prec);
        } else {
            n -= run;
            above -= run;
            top = bbans_kernel.lanes->push(msg->head + above, span + n, run,
                                           prec, msg->tail + msg->tail_len);
            msg->tail_len = (size_t)(top - msg->tail);
        }
        if (above == 0)
            above = msg->lanes;
    }
}

/* The same for symbols under one row, which are checked on the way; there is
 * room for n words.  Returns how many are left, the last of them in a round
 * with one that is no symbol. */
static size_t push_under(bbans_message *msg, size_t first, const coder *c,
                         const uint32_t *symbol, size_t n)
{
    const unsigned prec = c->model.prec;
    uint32_t *top = msg->tail + msg->tail_len;
    size_t run, left = 0, above = lane_above(msg, first, n);

    for (; n > 0 && left == 0; n -= run, above = msg->lanes) {
        run = above < n ? above : n;
        if (c->share != NULL && run == msg->lanes) {
            run = left = n - n % run;
            top = bbans_kernel.lanes->push_rounds(
                msg->head, msg->lanes, c->share, c->limit, symbol + n - run,
                &left, prec, top);
            run -= left;
        } else if (c->share == NULL || bbans_kernel.lanes->max_u32(
                                           symbol + n - run, run) < c->limit) {
            top = bbans_kernel.lanes->push_symbols(
                msg->head + above - run, c->model.table.cdf, symbol + n - run,
                run, prec, top);
        } else {
            break;
        }
    }
    msg->tail_len = (size_t)(top - msg->tail);
    return n;
}

static bbans_status pop_array(bbans_message *msg, coder *c, void *symbol,
                              int type, size_t first, size_t n);

/* Whether what is no symbol is none as 32 bits either. */
static int check_may_wait(int type)
{
    return type == BBANS_U8 || type == BBANS_U16 || type == BBANS_U32 ||
           type == BBANS_I32;
}

/* Every array is read once: a push that is refused on its way is undone by the
 * pops that invert it. */
static bbans_status push_array(bbans_message *msg, coder *c, const void *symbol,
                               int type, size_t n)
{
    bbans_span span[CHUNK];
    uint32_t scratch[CHUNK];
    const int in_place = c->share != NULL && room(msg) >= n &&
                         (type == BBANS_U32 || type == BBANS_I32);
    const size_t chunk = in_place ? IN_PLACE : CHUNK;
    size_t first, count, left, end;

    for (end = n; end > 0; end = first) {
        first = (end - 1) / chunk * chunk;
        left = count = end - first;
        if (first > 0 && !in_place) { /* backwards, unlike what is guessed */
            bbans_array_prefetch(symbol, type, first - CHUNK, CHUNK);
            if (c->row != NULL)
                bbans_array_prefetch(c->row, c->row_type, first - CHUNK, CHUNK);
        }
        if (c->loops == &fixed_loops && msg->lanes > 1 && room(msg) >= count) {
            if ((c->share != NULL && check_may_wait(type)) ||
                bbans_array_is_below(symbol, type, first, count, c->limit))
                left = push_under(
                    msg, first, c,
                    bbans_array_read(symbol, type, first, count, scratch),
                    count);
        } else if (open_chunk(c, first, count) &&
                   bbans_array_is_below(symbol, type, first, count, c->limit)) {
            c->loops->spans(
                &c->model,
                bbans_array_read(symbol, type, first, count, scratch), count,
                span);
            bbans_push_spans(msg, first, span, count, c->model.prec);
            left = 0;
        }
        if (left > 0) {
            (void)pop_array(msg, c, NULL, 0, first + left, n);
            return BBANS_ERR_SYMBOL;
        }
    }
    return BBANS_OK;
}

size_t bbans_advance_run(bbans_message *msg, size_t lane,
                         const bbans_span *span, size_t n, unsigned prec)
{
    const uint32_t *top = msg->tail + msg->tail_len;
    size_t i;

    if (msg->tail_len >= n) {
        top = bbans_kernel.lanes->advance(msg->head + lane, span, n, prec, top);
        msg->tail_len = (size_t)(top - msg->tail);
        return n;
    }
    for (i = 0; i < n; i++)
        if (advance_one(msg, lane + i, span[i].start,
                        span[i].end - span[i].start,
                        (uint32_t)1 << prec) != BBANS_OK)
            break;
    return i;
}

/* Symbols first .. n - 1; nowhere if symbol is NULL. */
static bbans_status pop_array(bbans_message *msg, coder *c, void *symbol,
                              int type, size_t first, size_t n)
{
    bbans_span span[CHUNK];
    uint32_t scratch[CHUNK];
    size_t i, count, run, done;

    for (; first < n; first += count) {
        bbans_status status = BBANS_OK;
        uint32_t *value = scratch;

        if (symbol != NULL && (type == BBANS_U32 || type == BBANS_I32))
            value = (uint32_t *)symbol + first; /* where they are to be */
        count = n - first < CHUNK ? n - first : CHUNK;
        if (!open_chunk(c, first, count)) {
            status = BBANS_ERR_SYMBOL;
            count = 0;
        }
        if (msg->lanes == 1) {
            bbans_lane lane = bbans_lane_of(msg, 0);

            c->loops->pop(&c->model, &lane, count, value);
            bbans_put_lane(msg, 0, &lane);
        }
        for (i = 0; msg->lanes > 1 && i < count; i += run) {
            const size_t lane = (first + i) % msg->lanes;

            run = msg->lanes - lane < count - i ? msg->lanes - lane : count - i;
            c->loops->find(&c->model, i, msg->head + lane, run, value + i,
                           span);
            done = bbans_advance_run(msg, lane, span, run, c->model.prec);
            if (done < run) {
                status = BBANS_ERR_UNDERFLOW;
                count = i + done;
            }
        }
        if (symbol == NULL && status == BBANS_OK)
            continue;
        if (symbol == NULL)
            return status;
        if (value == scratch)
            bbans_array_write(symbol, type, first, count, value);
        if (status != BBANS_OK) { /* undo by the pushes that invert the pops */
            (void)push_array(msg, c, symbol, type, first + count);
            return status;
        }
    }
    return BBANS_OK;
}

/* Whether that is worth the shares of the symbols. */
static int goes_in_rounds(const bbans_message *msg, const bbans_table *table,
                          size_t n)
{
    return bbans_kernel.lanes->push_rounds != NULL &&
           msg->lanes % BBANS_ROUND_LANES == 0 && msg->lanes <= CHUNK &&
           n >= 4 * table->symbols && n >= 2 * msg->lanes &&
           table->symbols <= BBANS_CODED_SYMBOLS_MAX &&
           table->prec >= BBANS_ROUND_PREC_MIN;
}

/* Symbols and rows of any type, one of the call's checks. */
static bbans_status check_type(const struct bbans_call *call, uint32_t limit)
{
    return bbans_type_is_valid(call->type) &&
                   (!call->pops || bbans_type_holds(call->type, limit))
               ? BBANS_OK
               : BBANS_ERR_TYPE;
}

/* Code the array by these loops, on a message. */
static bbans_status code_array(coder *c, const struct bbans_call *call)
{
    if (call->pops)
        return pop_array(call->msg, c, call->to, call->type, 0, call->n);
    if (room(call->msg) < call->n)
        return BBANS_ERR_CAPACITY;
    return push_array(call->msg, c, call->from, call->type, call->n);
}

static bbans_status symbols_row(const bbans_distribution *d, size_t i,
                                uint32_t *row)
{
    const bbans_table *table = (const bbans_table *)d->form;

    *row = 0;
    if (d->array[0] == NULL)
        return BBANS_OK;
    if (!bbans_array_is_below(d->array[0], d->type[0], i, 1,
                              limit_of(table->rows)))
        return BBANS_ERR_SYMBOL;
    *row = *bbans_array_read(d->array[0], d->type[0], i, 1, row);
    return BBANS_OK;
}

static bbans_status symbols_list(const bbans_distribution *d, void *scratch,
                                 size_t i, int64_t value, bbans_intervals *to)
{
    const bbans_table *table = (const bbans_table *)d->form;
    uint32_t row;
    bbans_span span;

    (void)scratch;
    if (symbols_row(d, i, &row) != BBANS_OK || value < 0 || value >= d->limit)
        return BBANS_ERR_SYMBOL;
    span = row_span(table, row, (uint32_t)value);
    bbans_list(to, span.start, span.end - span.start,
               (uint32_t)1 << table->prec);
    return BBANS_OK;
}

static bbans_status symbols_find(const bbans_distribution *d, void *scratch,
                                 size_t i, bbans_source *from, int64_t *value)
{
    const bbans_table *table = (const bbans_table *)d->form;
    const uint32_t total = (uint32_t)1 << table->prec;
    uint32_t row, slot;
    bbans_span span;

    (void)scratch;
    if (symbols_row(d, i, &row) != BBANS_OK)
        return BBANS_ERR_SYMBOL;
    slot = bbans_source_take(from, total);
    *value = (int64_t)bbans_find(table, row, slot);
    span = row_span(table, row, (uint32_t)*value);
    bbans_source_put(from, slot, span.start, span.end - span.start, total);
    return BBANS_OK;
}

static bbans_status symbols_code(const bbans_distribution *d,
                                 const struct bbans_call *call)
{
    static const bbans_each each = {symbols_list, symbols_find};
    bbans_coded_symbol share[BBANS_CODED_SYMBOLS_MAX];
    coder c;

    if (call->msg == NULL)
        return bbans_code_each(d, call, &each, NULL);
    if (check_type(call, d->limit) != BBANS_OK)
        return BBANS_ERR_TYPE;
    c.loops = d->array[0] == NULL ? &fixed_loops : &indexed_loops;
    c.model.table = *(const bbans_table *)d->form;
    c.model.prec = c.model.table.prec;
    c.row = d->array[0];
    c.row_type = d->type[0];
    c.one = NULL;
    c.share = NULL;
    c.limit = d->limit;
    if (!call->pops && c.row == NULL && room(call->msg) >= call->n &&
        goes_in_rounds(call->msg, &c.model.table, call->n)) {
        bbans_kernel.lanes->prepare_row(c.model.table.cdf,
                                        c.model.table.symbols, share);
        c.share = share;
    }
    return code_array(&c, call);
}

bbans_status bbans_distribution_init_symbols(bbans_distribution *distribution,
                                             const bbans_table *table,
                                             const void *row, int row_type)
{
    if (distribution == NULL || table == NULL)
        return BBANS_ERR_NULL;
    if (row != NULL && !bbans_type_is_valid(row_type))
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = symbols_code;
    distribution->form = table;
    distribution->array[0] = row;
    distribution->type[0] = row == NULL ? 0 : row_type;
    distribution->limit = (uint32_t)table->symbols;
    distribution->words = 1;
    return BBANS_OK;
}

/* ---- Bits ---------------------------------------------------------------- */

static bbans_status bit_mass(const bbans_distribution *d, size_t i,
                             uint32_t *one)
{
    *one = ((const uint32_t *)d->array[0])[i];
    return *one >= 1 && *one < d->total ? BBANS_OK : BBANS_ERR_SYMBOL;
}

static bbans_status bernoulli_list(const bbans_distribution *d, void *scratch,
                                   size_t i, int64_t value, bbans_intervals *to)
{
    uint32_t one;

    (void)scratch;
    if (bit_mass(d, i, &one) != BBANS_OK || value < 0 || value > 1)
        return BBANS_ERR_SYMBOL;
    if (value)
        bbans_list(to, d->total - one, one, d->total);
    else
        bbans_list(to, 0, d->total - one, d->total);
    return BBANS_OK;
}

static bbans_status bernoulli_find_bit(const bbans_distribution *d,
                                       void *scratch, size_t i,
                                       bbans_source *from, int64_t *value)
{
    uint32_t one, slot;

    (void)scratch;
    if (bit_mass(d, i, &one) != BBANS_OK)
        return BBANS_ERR_SYMBOL;
    slot = bbans_source_take(from, d->total);
    *value = slot >= d->total - one;
    bbans_source_put(from, slot, *value ? d->total - one : 0,
                     *value ? one : d->total - one, d->total);
    return BBANS_OK;
}

static bbans_status bernoulli_code(const bbans_distribution *d,
                                   const struct bbans_call *call)
{
    static const bbans_each each = {bernoulli_list, bernoulli_find_bit};
    coder c;

    if (call->msg == NULL)
        return bbans_code_each(d, call, &each, NULL);
    if (check_type(call, d->limit) != BBANS_OK)
        return BBANS_ERR_TYPE;
    memset(&c.model, 0, sizeof c.model);
    c.loops = &bernoulli_loops;
    c.model.prec = (unsigned)bbans_bit_length(d->total) - 1;
    c.row = NULL;
    c.one = (const uint32_t *)d->array[0];
    c.share = NULL;
    c.limit = d->limit;
    return code_array(&c, call);
}

bbans_status bbans_distribution_init_bernoulli(bbans_distribution *distribution,
                                               unsigned prec,
                                               const uint32_t *one)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (prec < 1 || prec > BBANS_PREC_MAX)
        return BBANS_ERR_PRECISION;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = bernoulli_code;
    distribution->array[0] = one;
    distribution->type[0] = BBANS_U32;
    distribution->total = (uint32_t)1 << prec;
    distribution->limit = 2;
    distribution->words = 1;
    return BBANS_OK;
}

/* ---- Uniform values ------------------------------------------------------ */

static void uniform_coder(coder *c, uint32_t total)
{
    memset(&c->model, 0, sizeof c->model);
    c->loops = &uniform_loops;
    c->model.prec = (unsigned)bbans_bit_length(total) - 1;
    c->row = NULL;
    c->one = NULL;
    c->share = NULL;
    c->limit = total;
}

static int is_power_of_two(uint32_t total)
{
    return (total & (total - 1)) == 0;
}

static bbans_status push_uniform(bbans_message *msg, uint32_t total,
                                 const void *value, int type, size_t n)
{
    uint32_t scratch[CHUNK];
    size_t first, count, run, end, above = lane_above(msg, 0, n);

    if (!bbans_array_is_below(value, type, 0, n, total))
        return BBANS_ERR_SYMBOL;
    for (end = n; end > 0; end = first) {
        const uint32_t *v;

        first = (end - 1) / CHUNK * CHUNK;
        v = bbans_array_read(value, type, first, end - first, scratch);
        for (count = end - first; count > 0; count -= run) {
            run = above < count ? above : count;
            above -= run;
            if (msg->lanes > 1 && room(msg) >= run) {
                const uint32_t *top = bbans_kernel.totals->push_values(
                    msg->head + above, v + count - run, run, total,
                    msg->tail + msg->tail_len);

                msg->tail_len = (size_t)(top - msg->tail);
            } else { /* one lane, or undoing pops from a full tail */
                above += run - 1;
                run = 1;
                push_one(msg, above, v[count - 1], 1, total);
            }
            if (above == 0)
                above = msg->lanes;
        }
    }
    return BBANS_OK;
}

static bbans_status pop_uniform(bbans_message *msg, uint32_t total, void *value,
                                int type, size_t n)
{
    uint32_t slot[CHUNK];
    size_t i, run, lane = 0;

    if (n > 0 && room(msg) < 1)
        return BBANS_ERR_CAPACITY;
    if (is_power_of_two(total)) {
        coder c;

        uniform_coder(&c, total);
        return pop_array(msg, &c, value, type, 0, n);
    }
    for (i = 0; i < n; i += run) {
        run = n - i < CHUNK ? n - i : CHUNK;
        run = msg->lanes - lane < run ? msg->lanes - lane : run;
        if (msg->lanes > 1 && msg->tail_len >= run) {
            const uint32_t *top = bbans_kernel.totals->pop_values(
                msg->head + lane, slot, run, total, msg->tail + msg->tail_len);

            msg->tail_len = (size_t)(top - msg->tail);
        } else {
            bbans_status status;

            run = 1;
            *slot = bbans_slot(msg->head[lane], total);
            status = advance_one(msg, lane, *slot, 1, total);
            if (status != BBANS_OK) {
                (void)push_uniform(msg, total, value, type, i);
                return status;
            }
        }
        bbans_array_write(value, type, i, run, slot);
        lane = lane + run < msg->lanes ? lane + run : 0;
    }
    return BBANS_OK;
}

static bbans_status uniform_list(const bbans_distribution *d, void *scratch,
                                 size_t i, int64_t value, bbans_intervals *to)
{
    (void)scratch, (void)i;
    if (value < 0 || value >= d->total)
        return BBANS_ERR_SYMBOL;
    bbans_list(to, (uint32_t)value, 1, d->total);
    return BBANS_OK;
}

static bbans_status uniform_find_value(const bbans_distribution *d,
                                       void *scratch, size_t i,
                                       bbans_source *from, int64_t *value)
{
    const uint32_t slot = bbans_source_take(from, d->total);

    (void)scratch, (void)i;
    bbans_source_put(from, slot, slot, 1, d->total);
    *value = slot;
    return BBANS_OK;
}

static bbans_status uniform_code(const bbans_distribution *d,
                                 const struct bbans_call *call)
{
    static const bbans_each each = {uniform_list, uniform_find_value};

    if (call->msg == NULL)
        return bbans_code_each(d, call, &each, NULL);
    if (check_type(call, d->limit) != BBANS_OK)
        return BBANS_ERR_TYPE;
    if (call->pops)
        return pop_uniform(call->msg, d->total, call->to, call->type, call->n);
    if (room(call->msg) < call->n)
        return BBANS_ERR_CAPACITY;
    return push_uniform(call->msg, d->total, call->from, call->type, call->n);
}

bbans_status bbans_distribution_init_uniform(bbans_distribution *distribution,
                                             uint32_t total)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = uniform_code;
    distribution->total = distribution->limit = total;
    distribution->words = 1;
    return BBANS_OK;
}

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
    size_t run, above = lane_above(msg, first, n);

    while (n > 0) {
        run = above < n ? above : n;
        if (msg->lanes > 1 && room(msg) >= run) {
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
            push_one(msg, above, start[n], freq[n], total[n]);
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
                                              freq, r->total + at, n, top);
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

    w.weight = (const uint8_t *)d->array[0];
    w.type = d->type[0];
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
    static const bbans_each each = {weighted_list, weighted_find};
    uint32_t part[PART];

    return bbans_code_each(d, call, &each, part);
}

static bbans_status weighted_code(const bbans_distribution *d,
                                  const struct bbans_call *call)
{
    const weights w = weights_of(d);
    bbans_message *msg = call->msg;

    if (check_type(call, d->limit) != BBANS_OK)
        return BBANS_ERR_TYPE;
    if (msg == NULL)
        return weighted_code_each(d, call);
    if (call->pops && call->n > 0 && room(msg) < 1)
        return BBANS_ERR_CAPACITY;
    if (call->pops)
        return pop_weighted(msg, &w, call->to, call->type, 0, call->n);
    if (!bbans_array_is_below(call->from, call->type, 0, call->n, d->limit))
        return BBANS_ERR_SYMBOL;
    if (room(msg) < call->n)
        return BBANS_ERR_CAPACITY;
    return push_weighted(msg, &w, call->from, call->type, call->n);
}

bbans_status bbans_distribution_init_weighted(bbans_distribution *distribution,
                                              const void *weight,
                                              int weight_type, size_t symbols)
{
    if (distribution == NULL)
        return BBANS_ERR_NULL;
    if (weight_type != BBANS_U32 && weight_type != BBANS_F32 &&
        weight_type != BBANS_F64)
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = weighted_code;
    distribution->array[0] = weight;
    distribution->type[0] = weight_type;
    distribution->width = symbols;
    distribution->limit = limit_of(symbols);
    distribution->words = 1;
    return BBANS_OK;
}
