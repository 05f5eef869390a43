/* Values under tables whose rows have lengths of their own, with escapes:
 * docs/maths.md, "Ragged tables".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_values.h"

/* ---- The table ----------------------------------------------------------- */

/* As in bbans_table.c: a search passes at most K 2^-bits edges in the mean, K
 * being the symbols of the row. */
static unsigned row_index_bits(uint32_t symbols, unsigned prec)
{
    const unsigned bits = 2 + (unsigned)bbans_bit_length(symbols - 1);

    if (symbols > (uint32_t)1 << 16) /* beyond what the index counts to */
        return 0;
    return bits < prec ? bits : prec;
}

/* Edges and parts of the index of all rows; 0 if they are too many. */
static int count_edges(const uint32_t *symbols, size_t rows, unsigned prec,
                       uint64_t *edges, uint64_t *parts)
{
    size_t i;

    *edges = *parts = 0;
    for (i = 0; i < rows; i++) {
        if (symbols[i] == 0 || symbols[i] > (uint32_t)1 << prec)
            return 0;
        *edges += (uint64_t)symbols[i] + 1;
        *parts += (uint64_t)1 << row_index_bits(symbols[i], prec);
        if (*edges > UINT32_MAX || *parts > UINT32_MAX)
            return 0;
    }
    return rows > 0;
}

size_t bbans_ragged_bytes(const uint32_t *symbols, size_t rows, unsigned prec)
{
    uint64_t edges, parts, bytes;

    if (symbols == NULL || prec < 1 || prec > BBANS_PREC_MAX ||
        !count_edges(symbols, rows, prec, &edges, &parts))
        return 0;
    /* Rows are fewer than edges: all below 2^38. */
    bytes = rows * sizeof(bbans_ragged_row) + parts * sizeof(uint16_t);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

static int rises(const uint32_t *edge, uint32_t symbols, unsigned prec)
{
    uint32_t k;

    if (edge[0] != 0 || edge[symbols] != (uint32_t)1 << prec)
        return 0;
    for (k = 0; k < symbols; k++)
        if (edge[k] >= edge[k + 1])
            return 0;
    return 1;
}

bbans_status bbans_ragged_init(bbans_ragged *ragged, unsigned prec, int escape,
                               const uint32_t *cdf, const uint32_t *symbols,
                               const int64_t *offset, size_t rows, void *memory,
                               size_t memory_bytes)
{
    bbans_ragged_row *row = (bbans_ragged_row *)memory;
    uint32_t edges = 0, parts = 0, part, k;
    uint16_t *index;
    size_t i;

    if (ragged == NULL || cdf == NULL || symbols == NULL || memory == NULL)
        return BBANS_ERR_NULL;
    if (prec < 1 || prec > BBANS_PREC_MAX)
        return BBANS_ERR_PRECISION;
    if (bbans_ragged_bytes(symbols, rows, prec) == 0)
        return BBANS_ERR_SIZE;
    if (memory_bytes < bbans_ragged_bytes(symbols, rows, prec))
        return BBANS_ERR_CAPACITY;
    for (i = 0; i < rows; edges += symbols[i++] + 1) {
        if (!rises(cdf + edges, symbols[i], prec))
            return BBANS_ERR_TABLE;
        if (offset != NULL && offset[i] > INT64_MAX - symbols[i])
            return BBANS_ERR_SIZE;
        /* All 2^64 values would be above: their number has 65 bits. */
        if (escape && offset != NULL && offset[i] == INT64_MIN &&
            symbols[i] == 1)
            return BBANS_ERR_SIZE;
    }
    index = (uint16_t *)(void *)(row + rows);
    for (i = edges = 0; i < rows; edges += symbols[i++] + 1) {
        const unsigned bits = row_index_bits(symbols[i], prec);

        row[i].offset = offset != NULL ? offset[i] : 0;
        row[i].edges = edges;
        row[i].index = parts;
        row[i].symbols = symbols[i];
        row[i].shift = prec - bits;
        row[i].last = cdf[edges + symbols[i] - 1];
        for (part = k = 0; part >> bits == 0; part++) {
            while (bits > 0 && cdf[edges + k + 1] <= part << row[i].shift)
                k++;
            index[parts++] = (uint16_t)k;
        }
    }
    ragged->cdf = cdf;
    ragged->row = row;
    ragged->index = index;
    ragged->rows = rows;
    ragged->prec = prec;
    ragged->escape = escape != 0;
    return BBANS_OK;
}

/* The symbol of a slot.  The last one is an escape more often than its few
 * slots say, and far from the first symbol of their part: it is seen at once,
 * as one step is made, without a branch that nothing foretells. */
static inline uint32_t ragged_find(const bbans_ragged *ragged,
                                   const bbans_ragged_row *row, uint32_t slot,
                                   bbans_span *span)
{
    const uint32_t *edge = ragged->cdf + row->edges;
    const uint32_t is_last = 0u - (uint32_t)(slot >= row->last);
    uint32_t k = ragged->index[row->index + (slot >> row->shift)];

    k ^= (k ^ (row->symbols - 1)) & is_last;
    k += slot >= edge[k + 1];
    if (slot >= edge[k + 1])
        k = (uint32_t)bbans_find_from(edge, row->symbols, k + 1, slot);
    memcpy(span, edge + k, sizeof *span);
    return k;
}

/* ---- Values outside ------------------------------------------------------ */

/* m >= 0 steps beyond one end: n = bit_length(m + 1), of 1 .. 64, and the end
 * as one interval of 2^9 slots, then the n - 1 low bits of m + 1.  Of 2^8 slots
 * n has 40, 24, 8 each for 3 .. 19, 2 each for 20 .. 30, 1 each beyond. */
#define ESCAPE_BITS 9
#define ESCAPE_TOTAL ((uint32_t)1 << ESCAPE_BITS)
#define ESCAPE_WORDS 4

typedef struct {
    uint64_t m;
    int below;
} beyond;

static void length_share(unsigned n, uint32_t *start, uint32_t *freq)
{
    if (n <= 2) {
        *start = n == 1 ? 0 : 40;
        *freq = n == 1 ? 40 : 24;
    } else if (n < 20) {
        *start = 64 + 8 * (n - 3);
        *freq = 8;
    } else if (n < 31) {
        *start = 200 + 2 * (n - 20);
        *freq = 2;
    } else {
        *start = 222 + (n - 31);
        *freq = 1;
    }
}

static unsigned length_at(uint32_t slot)
{
    if (slot < 64)
        return slot < 40 ? 1 : 2;
    if (slot < 200)
        return 3 + (slot - 64) / 8;
    return slot < 222 ? 20 + (slot - 200) / 2 : 31 + (slot - 222);
}

/* The values of a row that its table holds. */
static inline uint32_t held(const bbans_ragged *ragged,
                            const bbans_ragged_row *row)
{
    return row->symbols - (uint32_t)ragged->escape;
}

/* offset + K <= INT64_MAX: no difference of another value wraps to below K. */
static inline uint64_t steps_from(const bbans_ragged_row *row, int64_t value)
{
    return (uint64_t)value - (uint64_t)row->offset;
}

/* Without branches that nothing foretells: with w = -1 below and 0 above, x ^ w
 * is -1 - x or x. */
static beyond beyond_of(const bbans_ragged *ragged, const bbans_ragged_row *row,
                        int64_t value)
{
    const int below = value < row->offset;
    const uint64_t w = 0 - (uint64_t)below;
    beyond b;

    b.below = below;
    b.m = (steps_from(row, value) - (held(ragged, row) & ~w)) ^ w;
    return b;
}

static int64_t value_beyond(const bbans_ragged *ragged,
                            const bbans_ragged_row *row, beyond b)
{
    const uint64_t w = 0 - (uint64_t)b.below;
    const uint64_t end = (uint64_t)row->offset + (held(ragged, row) & ~w);

    return bbans_signed(end + (b.m ^ w));
}

/* Whatever is popped is a value: m ends where 64 bits do.  So many values are
 * beyond an end, and so many bits their number m + 1 has. */
typedef struct {
    uint64_t count[2]; /* above, below */
    unsigned bits[2], least, most;
} far_ends;

static far_ends ends_of(const bbans_ragged *ragged, const bbans_ragged_row *row)
{
    const uint64_t offset = (uint64_t)row->offset;
    far_ends f;

    f.count[0] = (uint64_t)INT64_MAX + 1 - (offset + held(ragged, row));
    f.count[1] = offset - (uint64_t)INT64_MIN;
    f.bits[0] = (unsigned)bbans_bit_length(f.count[0]);
    f.bits[1] = (unsigned)bbans_bit_length(f.count[1]);
    f.least = f.bits[f.bits[0] > f.bits[1]];
    f.most = f.bits[f.bits[0] < f.bits[1]];
    return f;
}

/* A length that one end alone has is all its own, and the last one takes the
 * slots of those that none has. */
static void share_of(const far_ends *f, unsigned n, int below, uint32_t *start,
                     uint32_t *freq)
{
    length_share(n, start, freq);
    if (n == f->most)
        *freq = ESCAPE_TOTAL / 2 - *start;
    *start *= 2;
    if (n > f->least)
        *freq *= 2;
    else if (below)
        *start += *freq;
}

static uint64_t last_of(const far_ends *f, unsigned n, int below)
{
    const uint64_t least = (uint64_t)1 << (n - 1);
    const uint64_t rest = f->count[below] - least;

    return rest < least - 1 ? rest : least - 1;
}

static void list_beyond(bbans_intervals *to, const bbans_ragged *ragged,
                        const bbans_ragged_row *row, beyond b)
{
    const unsigned n = (unsigned)bbans_bit_length(b.m + 1);
    const far_ends f = ends_of(ragged, row);
    uint32_t start, freq;

    share_of(&f, n, b.below, &start, &freq);
    bbans_list(to, start, freq, ESCAPE_TOTAL);
    bbans_list_below(to, b.m + 1 - ((uint64_t)1 << (n - 1)),
                     last_of(&f, n, b.below));
}

static beyond find_beyond(bbans_source *from, const bbans_ragged *ragged,
                          const bbans_ragged_row *row)
{
    const uint32_t slot = bbans_source_take(from, ESCAPE_TOTAL);
    const far_ends f = ends_of(ragged, row);
    unsigned n = length_at(slot / 2);
    uint32_t start, freq;
    beyond b;

    n = n < f.most ? n : f.most;
    b.below = n > f.least && f.bits[1] > f.bits[0];
    share_of(&f, n, b.below, &start, &freq);
    if (slot - start >= freq) { /* behind those above are those below */
        b.below = 1;
        start += freq;
    }
    bbans_source_put(from, slot, start, freq, ESCAPE_TOTAL);
    b.m = ((uint64_t)1 << (n - 1)) - 1;
    b.m += bbans_find_below(from, last_of(&f, n, b.below));
    return b;
}

/* Lengths up to here are of both ends, and all their bits are free: rows that
 * are not within 2^30 of the ends of 64 bits. */
#define PLAIN_LENGTH (BBANS_PREC_MAX + 1)

static inline int is_plain(const bbans_ragged *ragged,
                           const bbans_ragged_row *row)
{
    const int64_t margin = (int64_t)1 << (PLAIN_LENGTH + 1);

    return row->offset >= INT64_MIN + margin &&
           row->offset <= INT64_MAX - margin - (int64_t)held(ragged, row);
}

/* ---- One by one ---------------------------------------------------------- */

static const bbans_ragged_row *row_of(const bbans_distribution *d, size_t i)
{
    const bbans_ragged *ragged = (const bbans_ragged *)d->form;
    const bbans_array *row = &d->array[0];
    uint32_t scratch;

    if (row->data == NULL)
        return ragged->row;
    if (!bbans_array_is_below(row->data, row->type, i, 1,
                              bbans_limit_of(ragged->rows)))
        return NULL;
    return ragged->row +
           *bbans_array_read(row->data, row->type, i, 1, &scratch);
}

static bbans_status list_value(const bbans_ragged *ragged,
                               const bbans_ragged_row *row, int64_t value,
                               bbans_intervals *to)
{
    const uint32_t inside = held(ragged, row);
    const uint64_t steps = steps_from(row, value);
    const uint32_t k = steps < inside ? (uint32_t)steps : inside;
    const uint32_t *edge = ragged->cdf + row->edges + k;

    if (k == row->symbols)
        return BBANS_ERR_SYMBOL;
    bbans_list(to, edge[0], edge[1] - edge[0], (uint32_t)1 << ragged->prec);
    if (k == inside)
        list_beyond(to, ragged, row, beyond_of(ragged, row, value));
    return BBANS_OK;
}

static int64_t find_value(const bbans_ragged *ragged,
                          const bbans_ragged_row *row, bbans_source *from)
{
    const uint32_t total = (uint32_t)1 << ragged->prec;
    const uint32_t slot = bbans_source_take(from, total);
    bbans_span span;
    const uint32_t k = ragged_find(ragged, row, slot, &span);

    bbans_source_put(from, slot, span.start, span.end - span.start, total);
    if (k == held(ragged, row))
        return value_beyond(ragged, row, find_beyond(from, ragged, row));
    return bbans_signed((uint64_t)row->offset + k);
}

static bbans_status ragged_list(const bbans_distribution *d, void *scratch,
                                size_t i, int64_t value, bbans_intervals *to)
{
    const bbans_ragged_row *row = row_of(d, i);

    (void)scratch;
    return row == NULL
               ? BBANS_ERR_SYMBOL
               : list_value((const bbans_ragged *)d->form, row, value, to);
}

static bbans_status ragged_find_value(const bbans_distribution *d,
                                      void *scratch, size_t i,
                                      bbans_source *from, int64_t *value)
{
    const bbans_ragged_row *row = row_of(d, i);

    (void)scratch;
    if (row == NULL)
        return BBANS_ERR_SYMBOL;
    *value = find_value((const bbans_ragged *)d->form, row, from);
    return BBANS_OK;
}

/* ---- Arrays on a message ------------------------------------------------- */

/* The same intervals in the same order: value by value.  No lane waits for
 * another but for the order of their words, so the symbols of all lanes are
 * coded by kernels, and the words of values outside go between. */
#define GROUP 256
#define RUN 64 /* lanes at a time */

typedef struct {
    bbans_ragged ragged;
    const void *rows; /* NULL: row 0 */
    int rows_type;
    size_t first; /* of the group that is open */
    const uint32_t *row;
    uint32_t scratch[GROUP];
} group;

/* Whether there are rows for values first .. first + n - 1. */
static int open_rows(group *g, size_t first, size_t n)
{
    g->first = first;
    if (g->rows == NULL)
        return 1;
    if (!bbans_array_is_below(g->rows, g->rows_type, first, n,
                              bbans_limit_of(g->ragged.rows)))
        return 0;
    g->row = bbans_array_read(g->rows, g->rows_type, first, n, g->scratch);
    return 1;
}

static inline const bbans_ragged_row *row_at(const group *g, size_t i)
{
    return g->ragged.row + (g->rows != NULL ? g->row[i] : 0);
}

/* Push m, which is behind its symbol: before that. */
static void push_beyond(bbans_lane *lane, const bbans_ragged *ragged,
                        const bbans_ragged_row *row, beyond b)
{
    bbans_intervals list;

    list.n = 0;
    list_beyond(&list, ragged, row, b);
    while (list.n-- > 0)
        bbans_lane_push(lane, list.at[list.n].start, list.at[list.n].freq,
                        list.at[list.n].total);
}

/* A push whose word goes to `top`, where there is room for one whether it goes
 * or not: nothing foretells. */
static inline uint32_t *push_bits(uint64_t *head, uint32_t start, uint32_t freq,
                                  unsigned prec, uint32_t *top)
{
    uint64_t x = *head;
    const unsigned spill = x >> 32 >= (uint64_t)freq << (31 - prec);

    *top = (uint32_t)x;
    x >>= 32 * spill;
    *head = (x / freq << prec) + x % freq + start;
    return top + spill;
}

/* The same of a plain one, whose words, two at most, go to `own`. */
static size_t push_plain(uint64_t *head, beyond b, uint32_t *own)
{
    const unsigned n = (unsigned)bbans_bit_length(b.m + 1);
    uint32_t start, freq, *top;

    length_share(n, &start, &freq);
    top = push_bits(head, (uint32_t)(b.m + 1) - ((uint32_t)1 << (n - 1)), 1,
                    n - 1, own);
    top = push_bits(head, 2 * start + (freq & (0u - (uint32_t)b.below)), freq,
                    ESCAPE_BITS, top);
    return (size_t)(top - own);
}

/* Where in a run of values those outside are, and what they are. */
typedef struct {
    size_t n;
    int plain;           /* whether all are */
    uint8_t at[RUN + 1]; /* one more is written, and does not count */
    beyond b[RUN];
} outside;

/* Push values n - 1 .. 0, n <= RUN, those outside plain, on the lanes from
 * `lane` on. */
static void push_run(bbans_message *msg, size_t lane, const bbans_span *span,
                     size_t n, unsigned prec, const outside *out)
{
    uint64_t *head = msg->head + lane;
    uint32_t own[RUN][2] = {{0}}, of_symbols[RUN + 1];
    uint32_t words[3 * RUN + 2], *top = words;
    const uint32_t *word = of_symbols;
    uint8_t n_own[RUN] = {0}, spill[RUN];
    size_t i;

    for (i = 0; i < out->n; i++) { /* before their symbols */
        const size_t at = out->at[i];

        n_own[at] = (uint8_t)push_plain(head + at, out->b[i], own[at]);
    }
    for (i = 0; i < n; i++) /* of 32 bits, as x < 2^63 and f <= 2^prec */
        spill[i] = (uint32_t)(head[i] >> 32) >= (span[i].end - span[i].start)
                                                    << (31 - prec);
    (void)bbans_kernel.lanes->push(head, span, n, prec, of_symbols);
    for (i = n; i-- > 0;) { /* words that do not count are overwritten */
        memcpy(top, own[i], sizeof own[i]);
        top += n_own[i];
        *top = *word;
        top += spill[i];
        word += spill[i];
    }
    memcpy(msg->tail + msg->tail_len, words,
           (size_t)(top - words) * sizeof *top);
    msg->tail_len += (size_t)(top - words);
}

/* The same, one by one. */
static void push_each(bbans_message *msg, size_t lane_of, const group *g,
                      size_t at, const bbans_span *span, size_t n,
                      const int64_t *value)
{
    while (n-- > 0) {
        const size_t i = msg->lanes > 1 ? lane_of + n : 0;
        const bbans_ragged_row *row = row_at(g, at + n);
        bbans_lane lane = bbans_lane_of(msg, i);

        if (g->ragged.escape &&
            steps_from(row, value[n]) >= held(&g->ragged, row))
            push_beyond(&lane, &g->ragged, row,
                        beyond_of(&g->ragged, row, value[n]));
        bbans_lane_push_bits(&lane, span[n].start, span[n].end - span[n].start,
                             g->ragged.prec);
        bbans_put_lane(msg, i, &lane);
    }
}

/* Push the first n values of the group that is open, or nothing. */
static bbans_status push_group(bbans_message *msg, const group *g, size_t n,
                               const int64_t *value)
{
    const uint32_t escape = (uint32_t)g->ragged.escape;
    bbans_span span[GROUP];
    uint8_t is_out[GROUP], any = 0;
    size_t i, run;

    for (i = 0; i < n; i++) {
        const bbans_ragged_row *row = row_at(g, i);
        const uint32_t inside = row->symbols - escape;
        const uint64_t steps = steps_from(row, value[i]);
        const uint32_t k = steps < inside ? (uint32_t)steps : inside;

        any |= is_out[i] = k == inside;
        /* Without escapes k may be one too many, which is refused below. */
        memcpy(&span[i], g->ragged.cdf + row->edges + k - (k == row->symbols),
               sizeof *span);
    }
    if (!any) {
        bbans_push_spans(msg, g->first, span, n, g->ragged.prec);
        return BBANS_OK;
    }
    if (!escape)
        return BBANS_ERR_SYMBOL;
    if (msg->lanes == 1) {
        push_each(msg, 0, g, 0, span, n, value);
        return BBANS_OK;
    }
    for (; n > 0; n -= run) {
        const size_t above = bbans_lane_above(msg, g->first, n);
        outside out;
        size_t at;

        run = above < n ? above : n;
        run = run < RUN ? run : RUN;
        at = n - run;
        for (i = out.n = 0; i < run; i++) {
            out.at[out.n] = (uint8_t)i;
            out.n += is_out[at + i];
        }
        out.plain = 1;
        for (i = 0; i < out.n; i++) {
            const size_t k = at + out.at[i];
            const bbans_ragged_row *row = row_at(g, k);

            out.b[i] = beyond_of(&g->ragged, row, value[k]);
            out.plain &= is_plain(&g->ragged, row) &&
                         out.b[i].m + 1 < (uint64_t)1 << PLAIN_LENGTH;
        }
        if (out.plain)
            push_run(msg, above - run, span + at, run, g->ragged.prec, &out);
        else
            push_each(msg, above - run, g, at, span + at, run, value + at);
    }
    return BBANS_OK;
}

static int64_t pop_beyond(bbans_lane *lane, const bbans_ragged *ragged,
                          const bbans_ragged_row *row)
{
    bbans_source from;
    beyond b;

    from.lane = *lane;
    from.dec = NULL;
    from.status = BBANS_OK;
    b = find_beyond(&from, ragged, row);
    *lane = from.lane;
    return value_beyond(ragged, row, b);
}

/* Pop the value whose span holds the slot of a lane, or nothing if that runs
 * dry; if it is outside, *value is the escape's. */
static bbans_status pop_one(bbans_message *msg, size_t lane_of, const group *g,
                            size_t at, const bbans_span *span, int64_t *value)
{
    const bbans_ragged_row *row = row_at(g, at);
    bbans_lane lane = bbans_lane_of(msg, lane_of);

    bbans_lane_advance_bits(&lane, span->start, span->end - span->start,
                            g->ragged.prec);
    if (*value - row->offset >= held(&g->ragged, row))
        *value = pop_beyond(&lane, &g->ragged, row);
    if (bbans_lane_is_dry(&lane, msg->lanes))
        return BBANS_ERR_UNDERFLOW;
    bbans_put_lane(msg, lane_of, &lane);
    return BBANS_OK;
}

/* A head with a word from the top, if it needs one: there is one. */
static inline uint64_t refilled(uint64_t x, const uint32_t **top)
{
    const unsigned refill = x < BBANS_HEAD_MIN;

    x = x << 32 * refill | ((*top)[-1] & (0u - refill));
    *top -= refill;
    return x;
}

/* Pop_beyond of n <= PLAIN_LENGTH, with two words or more below the top. */
static beyond pop_plain(uint64_t *head, unsigned n, const uint32_t **top)
{
    uint32_t start, freq, behind;
    beyond b;

    length_share(n, &start, &freq);
    behind = bbans_slot_bits(*head, ESCAPE_BITS) - 2 * start;
    b.below = behind >= freq;
    behind -= freq & (0u - (uint32_t)b.below);
    *head = refilled((*head >> ESCAPE_BITS) * freq + behind, top);
    b.m = bbans_slot_bits(*head, n - 1) + ((uint32_t)1 << (n - 1)) - 1;
    *head = refilled(*head >> (n - 1), top);
    return b;
}

/* Pop *n <= RUN values of the group from `at` on, from the lanes from `lane`
 * on; after an error *n is how many were. */
static bbans_status pop_run(bbans_message *msg, const group *g, size_t at,
                            size_t lane, int64_t *value, size_t *n)
{
    const unsigned prec = g->ragged.prec;
    uint64_t *head = msg->head + lane, x[RUN];
    bbans_span span[RUN];
    uint8_t out[RUN + 1];
    size_t i, n_out = 0, done = 0;

    for (i = 0; i < *n; i++) {
        const bbans_ragged_row *row = row_at(g, at + i);
        const uint32_t k = ragged_find(
            &g->ragged, row, bbans_slot_bits(head[i], prec), &span[i]);

        value[i] = bbans_signed((uint64_t)row->offset + k);
        out[n_out] = (uint8_t)i;
        n_out += k == held(&g->ragged, row);
    }
    if (n_out == 0 && msg->tail_len >= *n) {
        (void)bbans_advance_run(msg, lane, span, *n, prec);
        return BBANS_OK;
    }
    if (msg->tail_len < *n + ESCAPE_WORDS * n_out) { /* it may run dry */
        for (i = 0; i < *n; i++) {
            if (pop_one(msg, lane + i, g, at + i, &span[i], &value[i]) ==
                BBANS_OK)
                continue;
            *n = i;
            return BBANS_ERR_UNDERFLOW;
        }
        return BBANS_OK;
    }
    for (i = 0; i < *n; i++)
        x[i] = (head[i] >> prec) * (span[i].end - span[i].start) +
               bbans_slot_bits(head[i], prec) - span[i].start;
    out[n_out] = (uint8_t)*n;
    for (i = 0; i <= n_out; i++) {
        const uint32_t *top = msg->tail + msg->tail_len;
        const size_t k = out[i], end = k + (i < n_out);

        for (; done < end; done++)
            head[done] = refilled(x[done], &top);
        if (i < n_out) {
            const bbans_ragged_row *row = row_at(g, at + k);
            const unsigned bits =
                length_at(bbans_slot_bits(head[k], ESCAPE_BITS) / 2);

            if (bits <= PLAIN_LENGTH && is_plain(&g->ragged, row)) {
                value[k] = value_beyond(&g->ragged, row,
                                        pop_plain(head + k, bits, &top));
            } else {
                bbans_lane one;

                msg->tail_len = (size_t)(top - msg->tail);
                one = bbans_lane_of(msg, lane + k);
                value[k] = pop_beyond(&one, &g->ragged, row);
                bbans_put_lane(msg, lane + k, &one);
                top = msg->tail + msg->tail_len;
            }
        }
        msg->tail_len = (size_t)(top - msg->tail);
    }
    return BBANS_OK;
}

/* The same from the only lane, which never runs dry. */
static void pop_lane(bbans_message *msg, const group *g, int64_t *value,
                     size_t n)
{
    const bbans_ragged ragged = g->ragged;
    bbans_lane lane = bbans_lane_of(msg, 0);
    size_t i;

    for (i = 0; i < n; i++) {
        const bbans_ragged_row *row = row_at(g, i);
        bbans_span span;
        const uint32_t k = ragged_find(
            &ragged, row, bbans_slot_bits(lane.x, ragged.prec), &span);

        bbans_lane_advance_bits(&lane, span.start, span.end - span.start,
                                ragged.prec);
        value[i] = bbans_signed((uint64_t)row->offset + k);
        if (k == held(&ragged, row))
            value[i] = pop_beyond(&lane, &ragged, row);
    }
    bbans_put_lane(msg, 0, &lane);
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
        if (!open_rows(g, first, count)) {
            status = BBANS_ERR_SYMBOL;
            count = 0;
        }
        for (done = 0; status == BBANS_OK && done < count; done += run) {
            const size_t lane = (first + done) % msg->lanes;

            run = msg->lanes - lane < count - done ? msg->lanes - lane
                                                   : count - done;
            if (msg->lanes > 1) {
                run = run < RUN ? run : RUN;
                status = pop_run(msg, g, done, lane, value + done, &run);
            } else {
                run = count;
                pop_lane(msg, g, value, run);
            }
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
    size_t first, end;

    for (end = n; end > 0; end = first) {
        first = (end - 1) / GROUP * GROUP;
        if (first > 0) { /* backwards, unlike what is guessed */
            bbans_array_prefetch(array, type, first - GROUP, GROUP);
            if (g->rows != NULL)
                bbans_array_prefetch(g->rows, g->rows_type, first - GROUP,
                                     GROUP);
        }
        bbans_array_read_values(array, type, first, end - first, value);
        if (!open_rows(g, first, end - first) ||
            push_group(msg, g, end - first, value) != BBANS_OK) {
            (void)pop_values(msg, g, NULL, 0, end, n);
            return BBANS_ERR_SYMBOL;
        }
    }
    return BBANS_OK;
}

static bbans_status ragged_code(const bbans_distribution *d,
                                const struct bbans_call *call)
{
    static const bbans_value_coder values = {ragged_list, ragged_find_value};
    bbans_message *msg = call->msg;
    group g;

    if (!bbans_value_type_is_valid(call->type))
        return BBANS_ERR_TYPE;
    if (msg == NULL)
        return bbans_code_values(d, call, &values, NULL);
    g.ragged = *(const bbans_ragged *)d->form;
    g.rows = d->array[0].data;
    g.rows_type = d->array[0].type;
    g.row = NULL;
    if (call->pops && call->n > 0 && bbans_room(msg) < 1)
        return BBANS_ERR_CAPACITY; /* which what is beyond may need */
    if (call->pops)
        return pop_values(msg, &g, call->to, call->type, 0, call->n);
    if (bbans_room(msg) / d->words < call->n)
        return BBANS_ERR_CAPACITY;
    return push_values(msg, &g, call->from, call->type, call->n);
}

bbans_status bbans_distribution_init_ragged(bbans_distribution *distribution,
                                            const bbans_ragged *ragged,
                                            bbans_array row)
{
    if (distribution == NULL || ragged == NULL)
        return BBANS_ERR_NULL;
    if (row.data != NULL && !bbans_type_is_valid(row.type))
        return BBANS_ERR_TYPE;
    memset(distribution, 0, sizeof *distribution);
    distribution->code = ragged_code;
    distribution->form = ragged;
    if (row.data != NULL)
        distribution->array[0] = row;
    distribution->words = ragged->escape ? 1 + ESCAPE_WORDS : 1;
    return BBANS_OK;
}
