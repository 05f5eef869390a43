/* Contexts of autoregressive models: docs/maths.md, "Emissions that depend on
 * earlier symbols".
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* Edges count in units of 2^-24, shares of contexts in 2^-16, back-offs in
 * 2^-8. */
#define UNIT_BITS BBANS_CONTEXT_BITS
#define SHARE_BITS 16
#define BACK_OFF_BITS 8
#define UNIT ((uint32_t)1 << UNIT_BITS)

static uint32_t number16(const uint8_t *number, size_t i)
{
    return bbans_load_le16(number + 2 * i);
}

static uint32_t number32(const uint8_t *number, size_t i)
{
    return bbans_load_le32(number + 4 * i);
}

/* ---- Checks -------------------------------------------------------------- */

/* Do the numbers first .. end - 1 rise, and stay below the limit? */
static int rises_below(const uint8_t *number, size_t first, size_t end,
                       size_t limit)
{
    size_t i;

    for (i = first; i + 1 < end; i++)
        if (number16(number, i) >= number16(number, i + 1))
            return 0;
    return first == end || number16(number, end - 1) < limit;
}

/* Do the numbers 0 .. n go from the first value to the last, without falling?
 */
static int leads(const uint8_t *number, size_t n, size_t first, size_t last)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (number32(number, i) > number32(number, i + 1))
            return 0;
    return number32(number, 0) == first && number32(number, n) == last;
}

/* Level by level, at most BBANS_ORDER_MAX of them below context 0: then every
 * context but that one is the child of one, and a walk ends. */
static int is_tree(const bbans_contexts *c)
{
    size_t level, end = 1;

    if (!leads(c->children, c->contexts, 1, c->contexts))
        return 0;
    for (level = 0; end < c->contexts; level++) {
        if (level == BBANS_ORDER_MAX || number32(c->children, end) == end)
            return 0;
        end = number32(c->children, end);
    }
    return 1;
}

static int context_is_valid(const bbans_contexts *c, size_t k, size_t symbols)
{
    const size_t first = number32(c->first, k);
    const size_t end = number32(c->first, k + 1);

    return (first == end) == (c->back_off[k] == UINT8_MAX) &&
           rises_below(c->symbol, first, end, symbols) &&
           rises_below(c->sum, first, end, (size_t)1 << SHARE_BITS) &&
           (first == end || number16(c->sum, first) > 0) &&
           rises_below(c->label, number32(c->children, k),
                       number32(c->children, k + 1), symbols + 1);
}

bbans_status bbans_contexts_check(const bbans_contexts *c, size_t symbols)
{
    size_t k;

    if (c == NULL || c->children == NULL || c->first == NULL ||
        c->label == NULL || c->back_off == NULL ||
        (c->entries > 0 && (c->symbol == NULL || c->sum == NULL)))
        return BBANS_ERR_NULL;
    if (c->contexts < 1 || c->contexts > BBANS_CONTEXTS_MAX ||
        c->entries > BBANS_CONTEXTS_MAX || symbols > UINT16_MAX)
        return BBANS_ERR_SIZE;
    if (!is_tree(c) || !leads(c->first, c->contexts, 0, c->entries) ||
        number32(c->first, 1) != 0 || number16(c->label, 0) != 0)
        return BBANS_ERR_TABLE;
    for (k = 0; k < c->contexts; k++)
        if (!context_is_valid(c, k, symbols))
            return BBANS_ERR_TABLE;
    return BBANS_OK;
}

/* ---- Edges --------------------------------------------------------------- */

/* e_k(x) <= 2^24 - 1, x < M: for k = 0 because c(x) < 2^r, and then e b >> 8
 * <= 2^16 b - 1 and W <= 2^16 - 2^8 b.  So e b < 2^32. */
static uint32_t mixed(uint32_t e, uint32_t back_off, uint32_t share)
{
    return (e * back_off >> BACK_OFF_BITS) +
           (share << (UNIT_BITS - SHARE_BITS));
}

/* E(x) = x + (e (2^24 - M) >> 24). */
static uint32_t spread(const bbans_hmm *hmm, size_t x, uint32_t e)
{
    return (uint32_t)x +
           (uint32_t)((uint64_t)e * (UNIT - (uint32_t)hmm->symbols) >>
                      UNIT_BITS);
}

/* E(x) and E(x + 1) of the symbol placed. */
static uint32_t edge_below(const bbans_hmm *hmm, const bbans_path *path,
                           size_t x, uint32_t edge)
{
    uint32_t e = edge << (UNIT_BITS - hmm->prec);
    size_t k;

    for (k = 0; k < path->n; k++)
        e = mixed(e, path->level[k].back_off, path->level[k].below);
    return spread(hmm, x, e);
}

static uint32_t edge_above(const bbans_hmm *hmm, const bbans_path *path,
                           size_t x, uint32_t edge)
{
    uint32_t e = edge << (UNIT_BITS - hmm->prec);
    size_t k;

    if (x + 1 == hmm->symbols)
        return UNIT;
    for (k = 0; k < path->n; k++)
        e = mixed(e, path->level[k].back_off, path->level[k].above);
    return spread(hmm, x + 1, e);
}

void bbans_context_interval(const bbans_hmm *hmm, const bbans_path *path,
                            size_t x, uint32_t *start, uint32_t *end)
{
    *start = edge_below(hmm, path, x, *start);
    *end = edge_above(hmm, path, x, *end);
}

/* m + beta <= 2^24, as for e(x + 1) - e(x): each mass is at most 2^24 + 1. */
void bbans_context_column(const bbans_hmm *hmm, const bbans_path *path,
                          size_t x, uint32_t *column)
{
    const uint32_t *emitting = bbans_emitting(hmm, x);
    uint32_t mass = 0, beta = UNIT;
    size_t i, k;

    for (k = 0; k < path->n; k++) {
        const bbans_level *level = &path->level[k];

        mass = mixed(mass, level->back_off, level->above - level->below);
        beta = (uint32_t)((uint64_t)beta * level->back_off >> BACK_OFF_BITS);
    }
    for (i = 0; i < hmm->states; i++)
        column[i] =
            mass + 1 + (uint32_t)((uint64_t)beta * emitting[i] >> hmm->prec);
    for (; i < hmm->stride; i++)
        column[i] = 0;
}

/* ---- Finding a symbol ---------------------------------------------------- */

/* Edges without contexts. */
typedef struct {
    const bbans_hmm *hmm;
    const uint32_t *edge, *predicted;
    uint64_t sum;
} states_edges;

static uint32_t edge_of(const states_edges *states, size_t x)
{
    const bbans_hmm *hmm = states->hmm;

    if (states->edge != NULL)
        return states->edge[x];
    return (uint32_t)(bbans_kernel.hmm->dot(
                          states->predicted,
                          hmm->emission_sums + x * hmm->stride, hmm->stride) /
                      states->sum);
}

/* The symbol is one of lo .. hi - 1, start = E(lo) <= slot < end = E(hi), and
 * of the entries of context k those are first[k] .. behind[k] - 1. */
typedef struct {
    size_t lo, hi, first[BBANS_ORDER_MAX], behind[BBANS_ORDER_MAX];
    uint32_t start, end;
} bounds;

static uint32_t sum_before(const bbans_level *level, size_t j)
{
    return j == 0 ? 0 : number16(level->sum, j - 1);
}

/* An entry of a context that may be the symbol's: as if its weights were spread
 * over the slots. */
static size_t guess(const bbans_level *level, const bounds *b, size_t k,
                    uint32_t slot)
{
    const uint32_t low = sum_before(level, b->first[k]);
    const uint32_t high = sum_before(level, b->behind[k]);
    const uint32_t at = low + (uint32_t)((uint64_t)(slot - b->start) *
                                         (high - low) / (b->end - b->start));
    size_t lo = b->first[k], n = b->behind[k] - lo;

    while (n > 1) { /* the first whose own sum is above is in [lo, lo + n) */
        const size_t half = n / 2;

        lo += number16(level->sum, lo + half - 1) <= at ? half : 0;
        n -= half;
    }
    return lo;
}

/* Guesses of one context before its entries are halved. */
#define GUESSES 3

void bbans_context_find(const bbans_hmm *hmm, bbans_path *path,
                        const uint32_t *edge, const uint32_t *predicted,
                        uint32_t slot, uint32_t *symbol, uint32_t *start,
                        uint32_t *freq)
{
    size_t k, n = path->n, x = hmm->symbols;
    int guesses = 0;
    states_edges states;
    bounds b;

    states.hmm = hmm;
    states.edge = edge;
    states.predicted = predicted;
    states.sum = edge == NULL ? bbans_predicted_sum(predicted, hmm->states) : 1;
    b.lo = 0;
    b.hi = hmm->symbols;
    b.start = 0;
    b.end = UNIT;
    for (k = 0; k < path->n; k++) {
        b.first[k] = 0;
        b.behind[k] = path->level[k].entries;
    }
    while (b.hi - b.lo > 1) {
        uint32_t middle;

        for (; n > 0 && b.first[n - 1] == b.behind[n - 1]; n--)
            guesses = 0;
        if (n == 0) {
            x = b.lo + (b.hi - b.lo) / 2;
        } else {
            const bbans_level *level = &path->level[n - 1];

            x = number16(level->symbol,
                         guesses++ < GUESSES
                             ? guess(level, &b, n - 1, slot)
                             : (b.first[n - 1] + b.behind[n - 1]) / 2);
        }
        bbans_kernel.hmm->place(path, (uint32_t)x);
        if (x > b.lo) {
            middle = edge_below(hmm, path, x, edge_of(&states, x));
            if (middle > slot) {
                b.hi = x;
                b.end = middle;
                for (k = 0; k < path->n; k++)
                    b.behind[k] = path->level[k].before;
                continue;
            }
            b.lo = x;
            b.start = middle;
        }
        if (x + 1 < b.hi) {
            middle = edge_above(hmm, path, x, edge_of(&states, x + 1));
            if (middle <= slot) {
                b.lo = x + 1;
                b.start = middle;
                for (k = 0; k < path->n; k++)
                    b.first[k] = path->level[k].before + path->level[k].hit;
                continue;
            }
            b.hi = x + 1;
            b.end = middle;
        }
    }
    if (x != b.lo)
        bbans_kernel.hmm->place(path, (uint32_t)b.lo);
    *symbol = (uint32_t)b.lo;
    *start = b.start;
    *freq = b.end - b.start;
}
