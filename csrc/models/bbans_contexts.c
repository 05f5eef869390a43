/* Contexts of autoregressive models: docs/maths.md, "Emissions that depend on
 * earlier symbols".
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* Masses count in units of 2^-24. */
#define UNIT_BITS 24
#define BACK_OFF_BITS 8
#define WEIGHT_BITS 16

/* Do values[0 .. n - 1] rise, and stay below the limit? */
static int rises_below(const uint16_t *value, size_t n, size_t limit)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (value[i] >= limit || (i > 0 && value[i] <= value[i - 1]))
            return 0;
    return 1;
}

/* Level by level, at most BBANS_ORDER_MAX of them below context 0: then every
 * context but that one is the child of one, and a walk ends. */
static int is_tree(const bbans_contexts *c)
{
    size_t level, k, end = 1;

    if (c->children[0] != 1 || c->children[c->contexts] != c->contexts)
        return 0;
    for (k = 0; k < c->contexts; k++)
        if (c->children[k + 1] < c->children[k] ||
            c->children[k + 1] > c->contexts)
            return 0;
    for (level = 0; end < c->contexts; level++) {
        if (level == BBANS_ORDER_MAX || c->children[end] == end)
            return 0;
        end = c->children[end];
    }
    return 1;
}

static int context_is_valid(const bbans_contexts *c, size_t k, size_t symbols)
{
    uint32_t sum = (uint32_t)c->back_off[k] << (WEIGHT_BITS - BACK_OFF_BITS);
    uint32_t i;

    if (c->back_off[k] < 1 || c->back_off[k] > 1 << BACK_OFF_BITS ||
        !rises_below(c->symbol + c->first[k], c->first[k + 1] - c->first[k],
                     symbols) ||
        !rises_below(c->label + c->children[k],
                     c->children[k + 1] - c->children[k], symbols + 1))
        return 0;
    /* They rise, so there are at most 2^16 entries: the sum is below 2^32. */
    for (i = c->first[k]; i < c->first[k + 1]; i++) {
        if (c->weight[i] == 0)
            return 0;
        sum += c->weight[i];
    }
    return sum == (uint32_t)1 << WEIGHT_BITS;
}

bbans_status bbans_contexts_check(const bbans_contexts *c, size_t symbols)
{
    size_t k;

    if (c == NULL || c->children == NULL || c->first == NULL ||
        c->label == NULL || c->back_off == NULL ||
        (c->entries > 0 && (c->symbol == NULL || c->weight == NULL)))
        return BBANS_ERR_NULL;
    if (c->contexts < 1 || c->contexts > BBANS_CONTEXTS_MAX ||
        c->entries > BBANS_CONTEXTS_MAX || symbols > UINT16_MAX)
        return BBANS_ERR_SIZE;
    if (!is_tree(c) || c->first[0] != 0 || c->first[1] != 0 ||
        c->first[c->contexts] != c->entries)
        return BBANS_ERR_TABLE;
    for (k = 0; k < c->contexts; k++)
        if (c->first[k + 1] < c->first[k] || c->first[k + 1] > c->entries)
            return BBANS_ERR_TABLE;
    for (k = 0; k < c->contexts; k++)
        if (!context_is_valid(c, k, symbols))
            return BBANS_ERR_TABLE;
    return BBANS_OK;
}

/* The place of a value among those at first .. end - 1, which rise; or end.
 * Without branches that depend on values: those would be mispredicted. */
static size_t place_of(const uint16_t *value, size_t first, size_t end,
                       size_t wanted)
{
    size_t lo = first, n = end - first;

    if (n == 0)
        return end;
    while (n > 1) { /* if it is there, it is in [lo, lo + n) */
        const size_t half = n / 2;

        lo += value[lo + half] <= wanted ? half : 0;
        n -= half;
    }
    return value[lo] == wanted ? lo : end;
}

/* The contexts of x[t], from the shortest to the longest, without context 0;
 * returns how many. */
static size_t walk(const bbans_hmm *hmm, const uint32_t *x, size_t t,
                   size_t path[BBANS_ORDER_MAX])
{
    const bbans_contexts *c = hmm->contexts;
    size_t n = 0, k = 0;

    for (;;) {
        const size_t end = c->children[k + 1];
        const size_t label = n < t ? x[t - 1 - n] : hmm->symbols;

        k = place_of(c->label, c->children[k], end, label);
        if (k == end)
            return n;
        path[n++] = k;
        if (n > t) /* that was the beginning */
            return n;
    }
}

/* R and beta of the longest context.  Each R < 2^24: with the back-off b of a
 * context its weights are at most 2^16 - 2^8 b, so R b / 2^8 + 2^8 weight is
 * below 2^16 b + 2^24 - 2^16 b.  Hence R b is below 2^32, and likewise sum R +
 * beta is at most 2^24. */
uint32_t bbans_context_row(const bbans_hmm *hmm, const uint32_t *x, size_t t,
                           uint32_t *row)
{
    const bbans_contexts *c = hmm->contexts;
    const size_t M = hmm->symbols;
    size_t path[BBANS_ORDER_MAX], i, k, n = walk(hmm, x, t, path);
    uint32_t beta = (uint32_t)1 << UNIT_BITS;

    memset(row, 0, M * sizeof *row);
    for (i = 0; i < n; i++) {
        const uint32_t b = c->back_off[path[i]];
        size_t e;

        beta = (uint32_t)((uint64_t)beta * b >> BACK_OFF_BITS);
        if (i > 0)
            for (k = 0; k < M; k++)
                row[k] = row[k] * b >> BACK_OFF_BITS;
        for (e = c->first[path[i]]; e < c->first[path[i] + 1]; e++)
            row[c->symbol[e]] += (uint32_t)c->weight[e]
                                 << (UNIT_BITS - WEIGHT_BITS);
    }
    return beta;
}

/* The same for x[t] alone. */
static uint32_t context_mass(const bbans_hmm *hmm, const uint32_t *x, size_t t,
                             uint32_t *beta)
{
    const bbans_contexts *c = hmm->contexts;
    size_t path[BBANS_ORDER_MAX], i, n = walk(hmm, x, t, path);
    uint32_t mass = 0;

    *beta = (uint32_t)1 << UNIT_BITS;
    for (i = 0; i < n; i++) {
        const uint32_t b = c->back_off[path[i]];
        const size_t end = c->first[path[i] + 1];
        const size_t e = place_of(c->symbol, c->first[path[i]], end, x[t]);

        *beta = (uint32_t)((uint64_t)*beta * b >> BACK_OFF_BITS);
        mass = mass * b >> BACK_OFF_BITS;
        if (e < end)
            mass += (uint32_t)c->weight[e] << (UNIT_BITS - WEIGHT_BITS);
    }
    return mass;
}

void bbans_context_column(const bbans_hmm *hmm, const uint32_t *x, size_t t,
                          const uint32_t *row, uint32_t beta, uint32_t *column)
{
    const uint32_t *emitting = bbans_emitting(hmm, x[t]);
    const uint32_t mass =
        1 + (row != NULL ? row[x[t]] : context_mass(hmm, x, t, &beta));
    size_t i;

    for (i = 0; i < hmm->states; i++)
        column[i] =
            mass + (uint32_t)((uint64_t)beta * emitting[i] >> hmm->prec);
    for (; i < hmm->stride; i++)
        column[i] = 0;
}

/* beta <= 2^24 and edge <= 2^28. */
static uint32_t share(const bbans_hmm *hmm, uint32_t beta, uint32_t edge)
{
    return (uint32_t)((uint64_t)beta * edge >> hmm->prec);
}

uint32_t bbans_context_interval(const bbans_hmm *hmm, const uint32_t *row,
                                uint32_t beta, size_t x, uint32_t *start,
                                uint32_t *end)
{
    uint32_t below = 0, above = 0;
    size_t k;

    for (k = 0; k < x; k++)
        below += row[k] + 1;
    for (; k < hmm->symbols; k++)
        above += row[k] + 1;
    *start = below + share(hmm, beta, *start);
    *end = below + row[x] + 1 + share(hmm, beta, *end);
    return below + above + beta;
}

uint32_t bbans_context_total(const bbans_hmm *hmm, const uint32_t *row,
                             uint32_t beta, uint32_t *below)
{
    uint32_t sum = 0;
    size_t k;

    for (k = 0; k < hmm->symbols; k++) {
        below[k] = sum;
        sum += row[k] + 1;
    }
    below[k] = sum;
    return sum + beta;
}

/* Edges rise strictly, since each symbol adds 1; the last is at most
 * 2^24 + 2^16. */
void bbans_context_find(const bbans_hmm *hmm, const uint32_t *edge,
                        const uint32_t *predicted, const uint32_t *below,
                        uint32_t beta, uint32_t slot, uint32_t *symbol,
                        uint32_t *start, uint32_t *freq)
{
    const uint64_t sum =
        edge == NULL ? bbans_predicted_sum(predicted, hmm->states) : 0;
    size_t lo = 0, hi = hmm->symbols;
    uint32_t first = 0, end = below[hi] + beta;

    while (hi - lo > 1) { /* edge(lo) = first <= slot < end = edge(hi) */
        const size_t mid = lo + (hi - lo) / 2;
        const uint32_t states =
            edge == NULL
                ? bbans_predictive_edge(predicted, hmm->states, sum,
                                        hmm->emission_cdf, hmm->symbols, mid)
                : edge[mid];
        const uint32_t middle = below[mid] + share(hmm, beta, states);

        if (middle <= slot) {
            lo = mid;
            first = middle;
        } else {
            hi = mid;
            end = middle;
        }
    }
    *symbol = (uint32_t)lo;
    *start = first;
    *freq = end - first;
}
