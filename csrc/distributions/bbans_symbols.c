/* Arrays of symbols under tables, of bits, and of equally likely values:
 * docs/maths.md, "The message".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_values.h"

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

/* An array and what its symbols are coded with. */
typedef struct {
    const loops *loops;
    model model;
    const void *row;     /* rows of the table, or NULL */
    const uint32_t *one; /* masses of bit 1, or NULL   */
    int row_type;
    const bbans_coded_symbol *share; /* of the symbols of one row, or NULL */
    const bbans_cells *cells;        /* of that row, or NULL            */
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
                                    bbans_limit_of(c->model.table.rows));
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

/* Push symbols under one row, which are checked on the way; there is room for n
 * words.  Returns how many are left, the last of them in a round
 * with one that is no symbol. */
static size_t push_under(bbans_message *msg, size_t first, const coder *c,
                         const uint32_t *symbol, size_t n)
{
    const unsigned prec = c->model.prec;
    uint32_t *top = msg->tail + msg->tail_len;
    size_t run, left = 0, above = bbans_lane_above(msg, first, n);

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
    const int in_place = c->share != NULL && bbans_room(msg) >= n &&
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
        if (c->loops == &fixed_loops && msg->lanes > 1 &&
            bbans_room(msg) >= count) {
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

/* Pop the whole rounds of n symbols under one row for which there are words;
 * returns how many symbols those are. */
static size_t pop_under(bbans_message *msg, const coder *c, uint32_t *symbol,
                        size_t n)
{
    const uint32_t *top = msg->tail + msg->tail_len;

    n = n < msg->tail_len ? n : msg->tail_len;
    n -= n % msg->lanes;
    top = bbans_kernel.lanes->pop_rounds(msg->head, msg->lanes, &c->model.table,
                                         c->cells, symbol, n, top);
    msg->tail_len = (size_t)(top - msg->tail);
    return n;
}

/* Symbols first .. n - 1; nowhere if symbol is NULL. */
static bbans_status pop_array(bbans_message *msg, coder *c, void *symbol,
                              int type, size_t first, size_t n)
{
    bbans_span span[CHUNK];
    uint32_t scratch[CHUNK];
    const size_t chunk = /* of whole rounds */
        c->cells != NULL ? CHUNK - CHUNK % msg->lanes : CHUNK;
    size_t i, count, run, done;

    for (; first < n; first += count) {
        bbans_status status = BBANS_OK;
        uint32_t *value = scratch;

        if (symbol != NULL && (type == BBANS_U32 || type == BBANS_I32))
            value = (uint32_t *)symbol + first; /* where they are to be */
        count = n - first < chunk ? n - first : chunk;
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

            if (c->cells != NULL && lane == 0) {
                run = pop_under(msg, c, value + i, count - i);
                if (run > 0)
                    continue;
            }
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

/* Whether rounds, which take time to prepare, are worth it. */
static int goes_in_rounds(const struct bbans_call *call,
                          const bbans_table *table, size_t prepared)
{
    return call->msg->lanes % BBANS_ROUND_LANES == 0 &&
           call->msg->lanes <= BBANS_ROUND_LANES_MAX &&
           call->n >= 4 * prepared && call->n >= 2 * call->msg->lanes &&
           table->symbols <= BBANS_CODED_SYMBOLS_MAX &&
           table->prec >= BBANS_ROUND_PREC_MIN;
}

/* So many that nearly all slots are of the first two symbols of their cell. */
static unsigned cell_bits(const bbans_table *table)
{
    unsigned bits = 4 + (unsigned)bbans_bit_length(table->symbols - 1);

    bits = bits < BBANS_CELL_BITS_MAX ? bits : BBANS_CELL_BITS_MAX;
    return bits < table->prec - 4 ? bits : table->prec - 4;
}

/* Code the array by these loops, on a message. */
static bbans_status code_array(coder *c, const struct bbans_call *call)
{
    if (call->pops)
        return pop_array(call->msg, c, call->to, call->type, 0, call->n);
    if (bbans_room(call->msg) < call->n)
        return BBANS_ERR_CAPACITY;
    return push_array(call->msg, c, call->from, call->type, call->n);
}

static bbans_status symbols_row(const bbans_distribution *d, size_t i,
                                uint32_t *row)
{
    const bbans_table *table = (const bbans_table *)d->form;

    *row = 0;
    if (d->array[0].data == NULL)
        return BBANS_OK;
    if (!bbans_array_is_below(d->array[0].data, d->array[0].type, i, 1,
                              bbans_limit_of(table->rows)))
        return BBANS_ERR_SYMBOL;
    *row = *bbans_array_read(d->array[0].data, d->array[0].type, i, 1, row);
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

static bbans_status push_in_rounds(coder *c, const struct bbans_call *call)
{
    bbans_coded_symbol coded[BBANS_CODED_SYMBOLS_MAX];

    if (bbans_kernel.lanes->prepare_row(c->model.table.cdf,
                                        c->model.table.symbols, coded))
        c->share = coded;
    return code_array(c, call);
}

static bbans_status pop_in_rounds(coder *c, const struct bbans_call *call,
                                  unsigned bits)
{
    bbans_cells cells;

    bbans_table_cells(&c->model.table, bits, &cells);
    c->cells = &cells;
    return code_array(c, call);
}

static bbans_status symbols_code(const bbans_distribution *d,
                                 const struct bbans_call *call)
{
    static const bbans_value_coder values = {symbols_list, symbols_find};
    const bbans_table *table = (const bbans_table *)d->form;
    unsigned bits;
    coder c;

    if (call->msg == NULL)
        return bbans_code_values(d, call, &values, NULL);
    if (bbans_check_type(call, d->limit) != BBANS_OK)
        return BBANS_ERR_TYPE;
    c.loops = d->array[0].data == NULL ? &fixed_loops : &indexed_loops;
    c.model.table = *table;
    c.model.prec = table->prec;
    c.row = d->array[0].data;
    c.row_type = d->array[0].type;
    c.one = NULL;
    c.share = NULL;
    c.cells = NULL;
    c.limit = d->limit;
    if (c.row != NULL)
        return code_array(&c, call);
    bits = cell_bits(table);
    if (call->pops && bbans_kernel.lanes->pop_rounds != NULL &&
        goes_in_rounds(call, table, (size_t)1 << bits))
        return pop_in_rounds(&c, call, bits);
    if (!call->pops && bbans_kernel.lanes->push_rounds != NULL &&
        bbans_room(call->msg) >= call->n &&
        goes_in_rounds(call, table, table->symbols))
        return push_in_rounds(&c, call);
    return code_array(&c, call);
}

bbans_status bbans_distribution_init_symbols(bbans_distribution *distribution,
                                             const bbans_table *table,
                                             bbans_array row)
{
    if (distribution == NULL || table == NULL)
        return BBANS_ERR_NULL;
    if (row.data != NULL && !bbans_type_is_valid(row.type))
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = symbols_code;
    distribution->form = table;
    if (row.data != NULL)
        distribution->array[0] = row;
    distribution->limit = (uint32_t)table->symbols;
    distribution->words = 1;
    return BBANS_OK;
}

/* ---- Bits ---------------------------------------------------------------- */

static bbans_status bit_mass(const bbans_distribution *d, size_t i,
                             uint32_t *one)
{
    *one = ((const uint32_t *)d->array[0].data)[i];
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
    static const bbans_value_coder values = {bernoulli_list,
                                             bernoulli_find_bit};
    coder c;

    if (call->msg == NULL)
        return bbans_code_values(d, call, &values, NULL);
    if (bbans_check_type(call, d->limit) != BBANS_OK)
        return BBANS_ERR_TYPE;
    memset(&c.model, 0, sizeof c.model);
    c.loops = &bernoulli_loops;
    c.model.prec = bbans_floor_log2(d->total);
    c.row = NULL;
    c.one = (const uint32_t *)d->array[0].data;
    c.share = NULL;
    c.cells = NULL;
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
    distribution->array[0] = bbans_array_of(one, BBANS_U32);
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
    c->model.prec = bbans_floor_log2(total);
    c->row = NULL;
    c->one = NULL;
    c->share = NULL;
    c->cells = NULL;
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
    size_t first, count, run, end, above = bbans_lane_above(msg, 0, n);

    if (!bbans_array_is_below(value, type, 0, n, total))
        return BBANS_ERR_SYMBOL;
    for (end = n; end > 0; end = first) {
        const uint32_t *v;

        first = (end - 1) / CHUNK * CHUNK;
        v = bbans_array_read(value, type, first, end - first, scratch);
        for (count = end - first; count > 0; count -= run) {
            run = above < count ? above : count;
            above -= run;
            if (msg->lanes > 1 && bbans_room(msg) >= run) {
                const uint32_t *top = bbans_kernel.totals->push_values(
                    msg->head + above, v + count - run, run, total,
                    msg->tail + msg->tail_len);

                msg->tail_len = (size_t)(top - msg->tail);
            } else { /* one lane, or undoing pops from a full tail */
                above += run - 1;
                run = 1;
                bbans_push_one(msg, above, v[count - 1], 1, total);
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

    if (n > 0 && bbans_room(msg) < 1)
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
            status = bbans_advance_one(msg, lane, *slot, 1, total);
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
    static const bbans_value_coder values = {uniform_list, uniform_find_value};

    if (call->msg == NULL)
        return bbans_code_values(d, call, &values, NULL);
    if (bbans_check_type(call, d->limit) != BBANS_OK)
        return BBANS_ERR_TYPE;
    if (call->pops)
        return pop_uniform(call->msg, d->total, call->to, call->type, call->n);
    if (bbans_room(call->msg) < call->n)
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
