/* A frozen latent tree in the schedule: docs/maths.md, "Latent trees".
 *
 * Nodes lie in preorder: those below a node follow it, and the next node is its
 * child, or one of an ancestor.  So a walk over all nodes needs no lists of
 * children, and no recursion.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_tree.h"

#include "bbans_state_space.h"

/* Rows do not depend on each other: there is nothing to believe, nor to
 * record.  The state is the root's latent, a uint32_t.  The upward weights of a
 * row stay in the scratch from where its root is popped to where its values are
 * pushed, and from where those are popped to where its root is pushed. */
typedef struct {
    uint32_t *upward;   /* [nodes][stride] u of docs/maths.md             */
    uint32_t *downward; /* [nodes][stride] g                              */
    uint32_t *factor;   /* [stride] a row, a column of masses, a message  */
    uint32_t *edge;     /* [stride + 1] aligned behind its first          */
    uint32_t *latent;   /* [nodes] z                                      */
    uint32_t *way;      /* [nodes] the child on the way down              */
} desk;

static uint64_t desk_words(uint64_t nodes, uint64_t stride)
{
    return (2 * nodes + 3) * stride + 2 * nodes;
}

static desk desk_of(const bbans_tree *m, const bbans_stream *s)
{
    desk d;

    d.upward = (uint32_t *)s->scratch;
    d.downward = d.upward + m->nodes * m->stride;
    d.factor = d.downward + m->nodes * m->stride;
    d.edge = d.factor + m->stride + 15;
    d.latent = d.factor + 3 * m->stride;
    d.way = d.latent + m->nodes;
    return d;
}

#define NO_COLUMN UINT32_MAX
#define NOT_TABLED UINT32_MAX

/* ---- Tables -------------------------------------------------------------- */

/* The masses of node i's states given that of its parent. */
static const uint16_t *row_of(const bbans_tree *m, const desk *d, size_t i)
{
    return bbans_tree_rows(m, i) + d->latent[m->parent[i]] * m->stride;
}

static const uint32_t *as_words(const bbans_tree *m, const uint16_t *row,
                                uint32_t *words)
{
    size_t k;

    for (k = 0; k < m->stride; k++)
        words[k] = row[k];
    return words;
}

/* The masses with which the states emit x. */
static const uint32_t *emitting(const bbans_tree *m, const desk *d,
                                uint32_t column, size_t x)
{
    const uint32_t *edge = bbans_tree_edges(m, column, x);
    size_t z;

    for (z = 0; z < m->stride; z++)
        d->factor[z] = edge[m->stride + z] - edge[z];
    return d->factor;
}

/* ---- Weights upward ------------------------------------------------------ */

static uint32_t *upward_of(const bbans_tree *m, const desk *d, size_t i)
{
    return d->upward + i * m->stride;
}

static void start_upward(const bbans_tree *m, const desk *d, size_t i)
{
    uint32_t *u = upward_of(m, d, i);
    size_t z;

    for (z = 0; z < m->stride; z++)
        u[z] = (uint32_t)1 << 31;
}

static void absorb(const bbans_tree *m, const desk *d, size_t i,
                   const uint32_t *factor)
{
    BBANS_TREE->absorb(upward_of(m, d, i), factor, m->stride);
}

static void absorb_value(const bbans_tree *m, const desk *d, const int32_t *x,
                         size_t i)
{
    const uint32_t column = m->column[i];

    if (column != NO_COLUMN)
        absorb(m, d, i, emitting(m, d, column, (size_t)x[column]));
}

/* What is known of node i's parent by what is at and below node i. */
static const uint32_t *message_of(const bbans_tree *m, const desk *d,
                                  const int32_t *x, size_t i)
{
    if (m->told_from[i] != NOT_TABLED)
        return m->told +
               (m->told_from[i] + (size_t)x[m->column[i]]) * m->stride;
    BBANS_TREE->up(bbans_tree_rows(m, i), m->states, m->stride,
                   upward_of(m, d, i), d->factor);
    return d->factor;
}

/* ---- Intervals ----------------------------------------------------------- */

static uint32_t pop_latent(bbans_lane *lane, const uint16_t *row)
{
    const uint32_t slot = bbans_slot_bits(lane->x, BBANS_TREE_BITS);
    uint32_t start = 0, z = 0;

    while (slot - start >= row[z])
        start += row[z++];
    bbans_lane_advance_bits(lane, start, row[z], BBANS_TREE_BITS);
    return z;
}

/* Under Q, with the weights `upward`. */
static void push_choice(const bbans_tree *m, bbans_stream *s, const desk *d,
                        const uint16_t *row, const uint32_t *upward, size_t z)
{
    uint32_t start, freq;
    const uint32_t total = bbans_kernel.hmm->interval(
        upward, as_words(m, row, d->factor), m->stride, z, &start, &freq);

    if (freq == 0) /* no sender can have popped it */
        s->status = BBANS_ERR_CORRUPT;
    else
        bbans_lane_push(&s->lane, start, freq, total);
}

/* The symbol x whose interval in state z holds the slot. */
static size_t find_value(const bbans_tree *m, uint32_t column, size_t z,
                         uint32_t slot)
{
    size_t lo = 0, hi = m->symbols[column];

    while (hi - lo > 1) { /* edge(lo) <= slot < edge(hi) */
        const size_t mid = lo + (hi - lo) / 2;

        if (bbans_tree_edges(m, column, mid)[z] <= slot)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static void pop_value(const bbans_tree *m, bbans_stream *s, const desk *d,
                      int32_t *x, size_t i)
{
    const uint32_t column = m->column[i], z = d->latent[i];
    const uint32_t *edge;

    if (column == NO_COLUMN)
        return;
    x[column] =
        (int32_t)find_value(m, column, z, bbans_slot_bits(s->lane.x, m->prec));
    edge = bbans_tree_edges(m, column, (size_t)x[column]) + z;
    bbans_lane_advance_bits(&s->lane, edge[0], edge[m->stride] - edge[0],
                            m->prec);
}

/* ---- Weights downward ---------------------------------------------------- */

static uint32_t *downward_of(const bbans_tree *m, const desk *d, size_t i)
{
    return d->downward + i * m->stride;
}

/* sum p < 2^31 and C <= 2^28. */
static uint64_t sum_of(const bbans_tree *m, const uint32_t *p,
                       const uint32_t *edge)
{
    uint64_t sum = 0;
    size_t z;

    for (z = 0; z < m->stride; z++)
        sum += (uint64_t)p[z] * (edge == NULL ? 1 : edge[z]);
    return sum;
}

/* An edge of P(x | the values that were visited), where p are the weights of
 * its node, with that sum. */
static uint32_t predictive_edge(const bbans_tree *m, uint32_t column,
                                const uint32_t *p, uint64_t sum, size_t x)
{
    if (x == 0)
        return 0;
    if (x == m->symbols[column])
        return (uint32_t)1 << m->prec;
    return (uint32_t)(sum_of(m, p, bbans_tree_edges(m, column, x)) / sum);
}

/* On from node i - 1 to node i, by way of its parent: what is below the nodes
 * on the way up has been visited. */
static void enter(const bbans_tree *m, const desk *d, const int32_t *x,
                  size_t i)
{
    size_t at = i - 1;

    start_upward(m, d, i);
    if (i == 0) {
        (void)as_words(m, bbans_tree_rows(m, 0), downward_of(m, d, 0));
        return;
    }
    for (; at != m->parent[i]; at = m->parent[at]) {
        const uint32_t *message = message_of(m, d, x, at);

        absorb(m, d, m->parent[at], message);
        BBANS_TREE->weigh(downward_of(m, d, m->parent[at]), message, m->stride);
    }
    BBANS_TREE->down(bbans_tree_rows(m, i), m->states, m->stride,
                     downward_of(m, d, at), m->floor, downward_of(m, d, i));
}

/* What node i's value says, if it has one, of its weights either way. */
static void see_value(const bbans_tree *m, const desk *d, const int32_t *x,
                      size_t i)
{
    const uint32_t column = m->column[i];
    size_t z;

    if (column != NO_COLUMN)
        absorb(m, d, i, emitting(m, d, column, (size_t)x[column]));
    else
        for (z = 0; z < m->stride; z++)
            d->factor[z] = 1;
    BBANS_TREE->weigh(downward_of(m, d, i), d->factor, m->stride);
}

/* ---- The engine ---------------------------------------------------------- */

static void start(const bbans_state_space *model, void *belief)
{
    (void)model, (void)belief;
}

static void pop_prior(const bbans_tree *m, bbans_stream *s)
{
    *(uint32_t *)s->z = pop_latent(&s->lane, bbans_tree_rows(m, 0));
}

/* Down from node `at` to node `to` below it. */
static void pop_latents(const bbans_tree *m, bbans_stream *s, const desk *d,
                        size_t at, size_t to)
{
    size_t i;

    for (i = to; i != at; i = m->parent[i])
        d->way[m->parent[i]] = (uint32_t)i;
    while (at != to) {
        at = d->way[at];
        d->latent[at] = pop_latent(&s->lane, row_of(m, d, at));
        start_upward(m, d, at);
    }
}

/* The inverse of push_likelihood: what was said of its lines, from the last to
 * the first. */
static void pop_likelihood(const bbans_tree *m, bbans_stream *s)
{
    int32_t *x = (int32_t *)s->out + s->t * m->columns;
    const desk d = desk_of(m, s);
    size_t i;

    d.latent[0] = *(const uint32_t *)s->z;
    start_upward(m, &d, 0);
    pop_latents(m, s, &d, 0, m->nodes - 1);
    for (i = m->nodes - 1; i > 0; i--) {
        pop_value(m, s, &d, x, i);
        absorb_value(m, &d, x, i);
        push_choice(m, s, &d, row_of(m, &d, i), upward_of(m, &d, i),
                    d.latent[i]);
        absorb(m, &d, m->parent[i], message_of(m, &d, x, i));
        pop_latents(m, s, &d, m->parent[i], i - 1);
    }
    pop_value(m, s, &d, x, 0);
    absorb_value(m, &d, x, 0);
}

/* Of step t - 1, whose upward weights are at hand. */
static void push_posterior(const bbans_tree *m, bbans_stream *s)
{
    const desk d = desk_of(m, s);

    push_choice(m, s, &d, bbans_tree_rows(m, 0), upward_of(m, &d, 0),
                *(const uint32_t *)s->z_before);
}

/* The symbol of the slot under P(x | the values that were visited), where p are
 * the weights of its node. */
static size_t find_predicted(const bbans_tree *m, uint32_t column,
                             const uint32_t *p, uint32_t slot, uint32_t *start,
                             uint32_t *end)
{
    const uint64_t sum = sum_of(m, p, NULL);
    size_t lo = 0, hi = m->symbols[column];

    *start = 0;
    *end = (uint32_t)1 << m->prec;
    while (hi - lo > 1) { /* start = edge(lo) <= slot < edge(hi) = end */
        const size_t mid = lo + (hi - lo) / 2;
        const uint32_t edge = predictive_edge(m, column, p, sum, mid);

        if (edge <= slot) {
            lo = mid;
            *start = edge;
        } else {
            hi = mid;
            *end = edge;
        }
    }
    return lo;
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const bbans_tree *m = (const bbans_tree *)(const void *)model;
    const uint32_t total = (uint32_t)1 << m->prec;
    int32_t *x = (int32_t *)s->out + s->t * m->columns;
    const desk d = desk_of(m, s);
    size_t i;

    for (i = 0; i < m->nodes; i++) {
        const uint32_t column = m->column[i];
        bbans_status status = BBANS_OK;
        uint32_t slot, start, end;

        enter(m, &d, x, i);
        if (column != NO_COLUMN)
            status = bbans_range_slot(dec, total, &slot);
        if (column != NO_COLUMN && status == BBANS_OK) {
            x[column] = (int32_t)find_predicted(
                m, column, downward_of(m, &d, i), slot, &start, &end);
            status = bbans_range_advance(dec, start, end - start, total);
        }
        if (status != BBANS_OK)
            return status;
        see_value(m, &d, x, i);
    }
    return BBANS_OK;
}

#ifndef BBANS_DECODER_ONLY
static const int32_t *observed(const bbans_tree *m, const bbans_stream *s,
                               size_t t)
{
    return (const int32_t *)s->x + t * m->columns;
}

static int accepts(const bbans_state_space *model, const void *x, size_t n)
{
    const bbans_tree *m = (const bbans_tree *)(const void *)model;
    const int32_t *value = (const int32_t *)x;
    size_t t, k;

    for (t = 0; t < n; t++, value += m->columns)
        for (k = 0; k < m->columns; k++)
            if (value[k] < 0 || (uint32_t)value[k] >= m->symbols[k])
                return 0;
    return 1;
}

static void filter(const bbans_tree *m, bbans_stream *s)
{
    (void)m, (void)s;
}

static void push_latent(bbans_lane *lane, const uint16_t *row, size_t z)
{
    uint32_t start = 0;
    size_t k;

    for (k = 0; k < z; k++)
        start += row[k];
    bbans_lane_push_bits(lane, start, row[z], BBANS_TREE_BITS);
}

static uint32_t pop_choice(const bbans_tree *m, bbans_stream *s, const desk *d,
                           const uint16_t *row, const uint32_t *upward)
{
    const uint32_t total = bbans_kernel.hmm->posterior(
        upward, as_words(m, row, d->factor), m->stride, d->edge);
    const uint32_t slot = bbans_lane_take_slot(&s->lane, total);
    const size_t z = bbans_kernel.hmm->rank(d->edge + 1, m->states, slot);

    bbans_lane_put_rest(&s->lane, slot, d->edge[z],
                        d->edge[z + 1] - d->edge[z]);
    return (uint32_t)z;
}

static void push_value(const bbans_tree *m, bbans_stream *s, const desk *d,
                       const int32_t *x, size_t i)
{
    const uint32_t column = m->column[i];
    const uint32_t *edge;

    if (column == NO_COLUMN)
        return;
    edge = bbans_tree_edges(m, column, (size_t)x[column]) + d->latent[i];
    bbans_lane_push_bits(&s->lane, edge[0], edge[m->stride] - edge[0], m->prec);
}

static void push_prior(const bbans_tree *m, bbans_stream *s)
{
    push_latent(&s->lane, bbans_tree_rows(m, 0), *(uint32_t *)s->z);
}

/* Of step t - 1, whose upward weights are found here. */
static void pop_posterior(const bbans_tree *m, bbans_stream *s)
{
    const int32_t *x = observed(m, s, s->t - 1);
    const desk d = desk_of(m, s);
    size_t i;

    for (i = 0; i < m->nodes; i++)
        start_upward(m, &d, i);
    for (i = m->nodes - 1; i > 0; i--) {
        absorb_value(m, &d, x, i);
        absorb(m, &d, m->parent[i], message_of(m, &d, x, i));
    }
    absorb_value(m, &d, x, 0);
    *(uint32_t *)s->z_before =
        pop_choice(m, s, &d, bbans_tree_rows(m, 0), upward_of(m, &d, 0));
}

/* Up from node `at` to node `to` above it. */
static void push_latents(const bbans_tree *m, bbans_stream *s, const desk *d,
                         size_t at, size_t to)
{
    for (; at != to; at = m->parent[at])
        push_latent(&s->lane, row_of(m, d, at), d->latent[at]);
}

static void push_likelihood(const bbans_tree *m, bbans_stream *s)
{
    const int32_t *x = observed(m, s, s->t);
    const desk d = desk_of(m, s);
    size_t i;

    d.latent[0] = *(const uint32_t *)s->z;
    push_value(m, s, &d, x, 0);
    for (i = 1; i < m->nodes; i++) {
        push_latents(m, s, &d, i - 1, m->parent[i]);
        d.latent[i] =
            pop_choice(m, s, &d, row_of(m, &d, i), upward_of(m, &d, i));
        push_value(m, s, &d, x, i);
    }
    push_latents(m, s, &d, m->nodes - 1, 0);
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_tree *m = (const bbans_tree *)(const void *)model;
    const int32_t *x = observed(m, s, s->t);
    const desk d = desk_of(m, s);
    size_t i;

    for (i = 0; i < m->nodes; i++) {
        const uint32_t *p = downward_of(m, &d, i), column = m->column[i];
        uint32_t start, end;
        uint64_t sum;

        enter(m, &d, x, i);
        if (column != NO_COLUMN) {
            sum = sum_of(m, p, NULL);
            start = predictive_edge(m, column, p, sum, (size_t)x[column]);
            end = predictive_edge(m, column, p, sum, (size_t)x[column] + 1);
            (void)bbans_range_encode_interval(enc, start, end - start,
                                              (uint32_t)1 << m->prec);
        }
        see_value(m, &d, x, i);
    }
}
#endif /* BBANS_DECODER_ONLY */

#define MODEL bbans_tree
#include "bbans_steps.h"
#undef MODEL

static const bbans_engine engine = {
    .type = BBANS_MODEL_TREE,
    .start = start,
#ifndef BBANS_DECODER_ONLY
    .accepts = accepts,
    .filter_all = filter_all,
    .push_all = push_all,
    .encode = encode,
#endif /* BBANS_DECODER_ONLY */
    .pop_all = pop_all,
    .decode = decode,
};

/* ---- Initialisation ------------------------------------------------------ */

int bbans_tree_counts_are_valid(size_t nodes, size_t states, size_t columns)
{
    return nodes >= 1 && nodes <= BBANS_TREE_NODES_MAX && states >= 1 &&
           states <= BBANS_STATES_MAX && columns >= 1 && columns <= nodes;
}

/* The symbols of all columns together, below 2^36; 0 if an alphabet is outside
 * its limits. */
static uint64_t symbols_of(size_t columns, const uint8_t *tables)
{
    uint64_t all = 0;
    size_t k;

    for (k = 0; k < columns; k++) {
        const uint64_t symbols = bbans_load(tables + 4 * k, 4);

        if (symbols < 1 || symbols > BBANS_SYMBOLS_MAX)
            return 0;
        all += symbols;
    }
    return all;
}

uint64_t bbans_tree_table_bytes(size_t nodes, size_t states, size_t columns,
                                const uint8_t *tables)
{
    const uint64_t symbols = symbols_of(columns, tables), K = states;

    return symbols == 0 ? 0
                        : 4 * (uint64_t)columns + 8 * (uint64_t)nodes +
                              2 * K * (1 + (nodes - 1) * K) + 4 * K * symbols;
}

/* The symbols of which it is tabled what node i says of its parent: of a node
 * without children all, if the table is no larger than its matrix. */
static size_t tabled_symbols(size_t nodes, size_t states, size_t columns,
                             const uint8_t *tables, size_t i)
{
    const uint8_t *parent = tables + 4 * columns, *column = parent + 4 * nodes;
    const uint64_t own = bbans_load(column + 4 * i, 4);
    uint64_t symbols;

    if (i == 0 || own >= columns ||
        (i + 1 < nodes && bbans_load(parent + 4 * (i + 1), 4) == i))
        return 0;
    symbols = bbans_load(tables + 4 * own, 4);
    return 2 * symbols <= states ? (size_t)symbols : 0;
}

static uint64_t tabled_rows(size_t nodes, size_t states, size_t columns,
                            const uint8_t *tables)
{
    uint64_t rows = 0;
    size_t i;

    for (i = 0; i < nodes; i++)
        rows += tabled_symbols(nodes, states, columns, tables, i);
    return rows;
}

size_t bbans_tree_bytes(size_t nodes, size_t states, size_t columns,
                        const uint8_t *tables, size_t n_bytes)
{
    const uint64_t stride = bbans_states_stride(states), n = nodes, d = columns;
    uint64_t rows, bytes;

    if (tables == NULL ||
        !bbans_tree_counts_are_valid(nodes, states, columns) ||
        n_bytes / 4 < columns ||
        n_bytes != bbans_tree_table_bytes(nodes, states, columns, tables))
        return 0;
    rows = symbols_of(columns, tables) + d + /* of edges */
           tabled_rows(nodes, states, columns, tables);
    bytes = 2 * stride * (1 + (n - 1) * states) + 4 * stride * rows + 12 * n +
            8 * d + (BBANS_ALIGNMENT - 1);
    return rows > UINT32_MAX || bytes > SIZE_MAX / 2 ||
                   4 * desk_words(n, stride) > SIZE_MAX / 2
               ? 0
               : (size_t)bytes;
}

/* Nodes in preorder, each column at one of them. */
static int shape_is_valid(const bbans_tree *m, uint32_t *seen)
{
    size_t i, columns = 0;

    for (i = 0; i < m->columns; i++)
        seen[i] = 0;
    for (i = 0; i < m->nodes; i++) {
        const uint32_t column = m->column[i];
        size_t at = i - 1;

        if (i == 0 ? m->parent[0] != UINT32_MAX : m->parent[i] >= i)
            return 0;
        /* Node i - 1 or one above it; those that are passed are done with. */
        while (i > 0 && at > m->parent[i])
            at = m->parent[at];
        if (i > 0 && at != m->parent[i])
            return 0;
        if (column == NO_COLUMN)
            continue;
        if (column >= m->columns || seen[column])
            return 0;
        seen[column] = 1;
        columns++;
    }
    return columns == m->columns;
}

/* A row of masses below 2^15 that sum to 2^15; or of one, where only it is
 * left: then no weights say anything, whatever kernels make of it. */
static int read_transition(const bbans_tree *m, const uint8_t *from,
                           uint16_t *row)
{
    uint32_t sum = 0;
    size_t k;

    for (k = 0; k < m->states; k++) {
        row[k] = (uint16_t)bbans_load_le16(from + 2 * k);
        if (row[k] > BBANS_SHORT_MAX && m->states > 1)
            return 0;
        sum += row[k];
    }
    for (; k < m->stride; k++)
        row[k] = 0;
    return sum == (uint32_t)1 << BBANS_TREE_BITS;
}

/* The rows of a column: masses of at least 1 that sum to 2^prec. */
static int read_emissions(const bbans_tree *m, const uint8_t *from,
                          size_t symbols, uint32_t *edge)
{
    size_t z, x;

    for (z = 0; z < m->stride; z++) {
        uint64_t sum = 0;

        edge[z] = 0;
        for (x = 0; x < symbols; x++) {
            const uint64_t mass = z < m->states ? bbans_load(from, 4) : 0;

            if (z < m->states)
                from += 4;
            if (z < m->states && mass == 0)
                return 0;
            sum += mass;
            if (sum > (uint64_t)1 << m->prec)
                return 0;
            edge[(x + 1) * m->stride + z] = (uint32_t)sum;
        }
        if (z < m->states && sum != (uint64_t)1 << m->prec)
            return 0;
    }
    return 1;
}

/* What node i says of its parent, for each of its symbols. */
static void table_messages(const bbans_tree *m, size_t i, uint32_t *told)
{
    const uint32_t column = m->column[i];
    uint32_t u[BBANS_STATES_MAX];
    size_t x, z;

    for (x = 0; x < m->symbols[column]; x++, told += m->stride) {
        const uint32_t *edge = bbans_tree_edges(m, column, x);

        for (z = 0; z < m->stride; z++) {
            u[z] = (uint32_t)1 << 31;
            told[z] = edge[m->stride + z] - edge[z];
        }
        BBANS_TREE->absorb(u, told, m->stride);
        BBANS_TREE->up(bbans_tree_rows(m, i), m->states, m->stride, u, told);
    }
}

/* Fill *space, but for its mode. */
static void set_engine(bbans_tree *m)
{
    bbans_state_space *space = &m->space;

    space->engine = &engine;
    space->observation_bytes = sizeof(int32_t) * m->columns;
    space->state_bytes = sizeof(uint64_t); /* aligned to 8 */
    space->belief_bytes = 0;
    space->record_bytes = 0;
    space->scratch_bytes =
        (size_t)(4 * desk_words(m->nodes, m->stride) + BBANS_ALIGNMENT - 1) /
        BBANS_ALIGNMENT * BBANS_ALIGNMENT;
    space->push_words = m->columns + m->nodes; /* values and latents */
    space->pop_words = m->nodes;
}

bbans_status bbans_tree_init(bbans_tree *tree, size_t nodes, size_t states,
                             size_t columns, unsigned prec, size_t start_length,
                             unsigned start_bits, const uint8_t *tables,
                             size_t n_bytes, void *memory, size_t memory_bytes)
{
    const size_t bytes =
        bbans_tree_bytes(nodes, states, columns, tables, n_bytes);
    uint32_t *parent, *column, *symbols, *first, *edge, *told, *told_from;
    const uint8_t *const all = tables;
    uint16_t *transition;
    size_t i, rows = 0;
    bbans_tree m;

    if (tree == NULL || tables == NULL || memory == NULL)
        return BBANS_ERR_NULL;
    if (prec < 1 || prec > BBANS_PREC_MAX)
        return BBANS_ERR_PRECISION;
    if (bytes == 0 || start_length < 1 || start_length > BBANS_START_MAX ||
        start_bits > BBANS_START_MAX)
        return BBANS_ERR_SIZE;
    if (memory_bytes < bytes)
        return BBANS_ERR_CAPACITY;
    memset(&m, 0, sizeof m);
    m.nodes = nodes;
    m.states = states;
    m.columns = columns;
    m.stride = bbans_states_stride(states);
    m.prec = prec;
    m.floor = bbans_states_floor(states);
    m.space.start_length = start_length;
    m.space.start_bits = start_bits;
    set_engine(&m);

    m.transition = transition = (uint16_t *)bbans_align(memory);
    transition += (1 + (nodes - 1) * states) * m.stride;
    m.edge = edge = (uint32_t *)(void *)transition;
    edge += (size_t)(symbols_of(columns, tables) + columns) * m.stride;
    m.told = told = edge;
    edge += (size_t)tabled_rows(nodes, states, columns, tables) * m.stride;
    m.parent = parent = edge;
    m.column = column = parent + nodes;
    m.symbols = symbols = column + nodes;
    m.first = first = symbols + columns;
    m.told_from = told_from = first + columns;

    for (i = 0; i < columns; i++, tables += 4) {
        symbols[i] = (uint32_t)bbans_load(tables, 4);
        first[i] = (uint32_t)rows;
        rows += symbols[i] + 1;
    }
    for (i = 0; i < nodes; i++, tables += 4)
        parent[i] = (uint32_t)bbans_load(tables, 4);
    for (i = 0; i < nodes; i++, tables += 4)
        column[i] = (uint32_t)bbans_load(tables, 4);
    /* Where tables come later there is room. */
    if (!shape_is_valid(&m, (uint32_t *)bbans_align(memory)))
        return BBANS_ERR_TABLE;
    transition = (uint16_t *)bbans_align(memory);
    for (i = 0; i < 1 + (nodes - 1) * states; i++) {
        if (!read_transition(&m, tables, transition))
            return BBANS_ERR_TABLE;
        tables += 2 * states;
        transition += m.stride;
    }
    edge = (uint32_t *)(void *)transition;
    for (i = 0; i < columns; i++) {
        if (!read_emissions(&m, tables, symbols[i], edge))
            return BBANS_ERR_TABLE;
        tables += 4 * states * symbols[i];
        edge += (symbols[i] + 1) * m.stride;
    }
    for (i = rows = 0; i < nodes; i++) {
        const size_t n = tabled_symbols(nodes, states, columns, all, i);

        told_from[i] = n > 0 ? (uint32_t)rows : NOT_TABLED;
        if (n > 0)
            table_messages(&m, i, told + rows * m.stride);
        rows += n;
    }
    *tree = m;
    return BBANS_OK;
}
