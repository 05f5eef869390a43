/* Values whose order is free, and orders by themselves: docs/maths.md, "Sets".
 *
 * SPDX-License-Identifier: MIT */
#include "../distributions/bbans_values.h"

/* ---- An order-statistic tree -------------------------------------------- */

/* A B-tree of distinct values that counts them: at each node how many are below
 * each child.  All leaves are at one depth.  Whatever the values and their
 * order, it takes O(log n) to insert one and to find that of a given rank. */
#define FAN 64
#define HALF (FAN / 2)

typedef struct {
    int64_t key[FAN];    /* rising; no value below child i > 0 is less */
    uint32_t count[FAN]; /* of the value, or of those below the child  */
    uint32_t child[FAN]; /* by number, of inner nodes                  */
    uint32_t size;       /* values or children                         */
    uint32_t next;       /* the leaf to the right; 0: none             */
} node;

typedef struct {
    node *nodes; /* the first is the leaf of the least values */
    uint32_t n, root;
    unsigned height; /* of the root above the leaves */
} tree;

/* Nodes but the root are halves of full ones, and lose nothing. */
static size_t nodes_for(size_t n)
{
    size_t level = n, all = 0;

    do {
        level = level / HALF > 1 ? level / HALF : 1;
        all += level;
    } while (level > 1);
    return all;
}

size_t bbans_multiset_work_bytes(size_t n)
{
    const size_t nodes = nodes_for(n);

    return n > BBANS_TOTAL_MAX || nodes > SIZE_MAX / sizeof(node)
               ? 0
               : nodes * sizeof(node);
}

static uint32_t add_node(tree *t)
{
    memset(t->nodes + t->n, 0, sizeof *t->nodes);
    return t->n++;
}

static tree empty_tree(void *work)
{
    tree t;

    t.nodes = (node *)work;
    t.n = 0;
    t.height = 0;
    t.root = add_node(&t);
    return t;
}

/* How many of key[0 .. n - 1] are at most the value: halved without branches.
 */
static size_t keys_up_to(const int64_t *key, size_t n, int64_t value)
{
    const int64_t *from = key;

    if (n == 0)
        return 0;
    for (; n > 1; n -= n / 2)
        from += from[n / 2 - 1] <= value ? n / 2 : 0;
    return (size_t)(from - key) + (*from <= value);
}

static inline uint32_t sum(const uint32_t *count, size_t n)
{
    uint32_t s = 0;
    size_t i;

    for (i = 0; i < n; i++)
        s += count[i];
    return s;
}

/* Make room for entry i, of count 0. */
static void open_entry(node *at, size_t i, int64_t key)
{
    const size_t above = at->size - i;

    memmove(at->key + i + 1, at->key + i, above * sizeof *at->key);
    memmove(at->count + i + 1, at->count + i, above * sizeof *at->count);
    memmove(at->child + i + 1, at->child + i, above * sizeof *at->child);
    at->key[i] = key;
    at->count[i] = 0;
    at->size++;
}

/* Move the upper half of child i, which is full, to a new child i + 1. */
static void split(tree *t, node *parent, size_t i)
{
    const uint32_t number = add_node(t);
    node *low = t->nodes + parent->child[i], *high = t->nodes + number;

    memcpy(high->key, low->key + HALF, HALF * sizeof *high->key);
    memcpy(high->count, low->count + HALF, HALF * sizeof *high->count);
    memcpy(high->child, low->child + HALF, HALF * sizeof *high->child);
    low->size = high->size = HALF;
    high->next = low->next;
    low->next = number;
    open_entry(parent, i + 1, high->key[0]);
    parent->child[i + 1] = number;
    parent->count[i + 1] = sum(high->count, HALF);
    parent->count[i] -= parent->count[i + 1];
}

static void raise_root(tree *t, uint32_t below)
{
    const uint32_t number = add_node(t);
    node *root = t->nodes + number;

    root->size = 1;
    root->key[0] = INT64_MIN;
    root->count[0] = below;
    root->child[0] = t->root;
    t->root = number;
    t->height++;
    split(t, root, 0);
}

/* Insert a value after `before` others: *rank of these are less, and it is
 * there *multiplicity times then.  Nodes that are full are split on the way
 * down, so that their parents have room. */
static void insert(tree *t, int64_t value, uint32_t before, uint32_t *rank,
                   uint32_t *multiplicity)
{
    unsigned level;
    node *at;
    size_t i;

    if (t->nodes[t->root].size == FAN)
        raise_root(t, before);
    at = t->nodes + t->root;
    *rank = 0;
    for (level = t->height; level > 0; level--) {
        i = keys_up_to(at->key + 1, at->size - 1, value);
        if (t->nodes[at->child[i]].size == FAN) {
            split(t, at, i);
            i += at->key[i + 1] <= value;
        }
        *rank += sum(at->count, i);
        at->count[i]++;
        at = t->nodes + at->child[i];
    }
    i = keys_up_to(at->key, at->size, value);
    if (i > 0 && at->key[i - 1] == value)
        i--;
    else
        open_entry(at, i, value);
    *rank += sum(at->count, i);
    *multiplicity = ++at->count[i];
}

#ifndef BBANS_DECODER_ONLY
/* The entry that holds the slot, which then counts from there; the entry has
 * one less.  Where groups of entries are summed, some may be beyond the last:
 * what they hold is added too late to matter, and is below 2^28. */
#define GROUP 8

static inline size_t descend(node *at, uint32_t *slot)
{
    size_t i = 0;
    uint32_t group;

    while ((group = sum(at->count + i, GROUP)) <= *slot) {
        *slot -= group;
        i += GROUP;
    }
    while (at->count[i] <= *slot)
        *slot -= at->count[i++];
    at->count[i]--;
    return i;
}

/* Remove the value that has the slot, with its interval: it is there *freq
 * times and *start are less.  Its entry stays. */
static int64_t take(tree *t, uint32_t slot, uint32_t *start, uint32_t *freq)
{
    node *at = t->nodes + t->root;
    uint32_t within = slot;
    unsigned level;
    size_t i;

    for (level = t->height; level > 0; level--)
        at = t->nodes + at->child[descend(at, &within)];
    i = descend(at, &within);
    *start = slot - within;
    *freq = at->count[i] + 1;
    return at->key[i];
}
#endif /* BBANS_DECODER_ONLY */

/* All values, rising; ERR_SYMBOL if the type does not hold one. */
static bbans_status list_values(const tree *t, void *value, int type)
{
    uint32_t number = 0, copies;
    size_t n = 0, i;

    do {
        const node *at = t->nodes + number;

        for (i = 0; i < at->size; i++)
            for (copies = at->count[i]; copies > 0; copies--)
                if (bbans_array_write_values(value, type, n++, 1, at->key + i) <
                    1)
                    return BBANS_ERR_SYMBOL;
        number = at->next;
    } while (number != 0);
    return BBANS_OK;
}

/* ---- Sets --------------------------------------------------------------- */

static bbans_status check_multiset(const bbans_message *msg,
                                   const bbans_distribution *d,
                                   const void *value, int type, size_t n,
                                   const void *work, size_t work_bytes)
{
    if (msg == NULL || d == NULL || work == NULL || (n > 0 && value == NULL))
        return BBANS_ERR_NULL;
    if (d->limit > 0 ? !bbans_type_is_valid(type)
                     : !bbans_value_type_is_valid(type))
        return BBANS_ERR_TYPE;
    if (bbans_multiset_work_bytes(n) == 0)
        return BBANS_ERR_SIZE;
    if (work_bytes < bbans_multiset_work_bytes(n))
        return BBANS_ERR_CAPACITY;
    return BBANS_OK;
}

#ifndef BBANS_DECODER_ONLY
static int64_t value_at(const void *value, int type, size_t i)
{
    int64_t v;

    bbans_array_read_values(value, type, i, 1, &v);
    return v;
}

/* A value adds 28 bits for each of its words, and slots only borrow: the tail
 * grows by fewer words than this, and a word is in use meanwhile. */
static int has_room(const bbans_message *msg, size_t n, size_t words)
{
    return n == 0 || bbans_room(msg) / n > words;
}

bbans_status bbans_multiset_push(bbans_message *msg,
                                 const bbans_distribution *distribution,
                                 const void *value, int type, size_t n,
                                 void *work, size_t work_bytes)
{
    bbans_status status =
        check_multiset(msg, distribution, value, type, n, work, work_bytes);
    uint32_t start, freq, k;
    size_t i, listed, at;
    tree t;

    for (i = 0; status == BBANS_OK && i < n; i++) {
        const int64_t v = value_at(value, type, i);

        status = bbans_distribution_list(distribution, &v, BBANS_I64, 1, NULL,
                                         0, &listed, &at);
    }
    if (status == BBANS_OK && !has_room(msg, n, distribution->words))
        status = BBANS_ERR_CAPACITY;
    if (status != BBANS_OK)
        return status;
    t = empty_tree(work);
    for (i = 0; i < n; i++)
        insert(&t, value_at(value, type, i), (uint32_t)i, &start, &freq);
    for (k = (uint32_t)n; k > 0 && status == BBANS_OK; k--) {
        bbans_lane lane = bbans_lane_of(msg, 0);
        const uint32_t slot = bbans_lane_take_slot(&lane, k);
        const int64_t v = take(&t, slot, &start, &freq);

        bbans_lane_put_rest(&lane, slot, start, freq);
        if (bbans_lane_is_dry(&lane, msg->lanes))
            return BBANS_ERR_UNDERFLOW;
        bbans_put_lane(msg, 0, &lane);
        status = bbans_message_push(msg, distribution, &v, BBANS_I64, 1);
    }
    return status;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_multiset_pop(bbans_message *msg,
                                const bbans_distribution *distribution,
                                void *value, int type, size_t n, void *work,
                                size_t work_bytes)
{
    bbans_status status =
        check_multiset(msg, distribution, value, type, n, work, work_bytes);
    uint32_t start, freq, k;
    tree t;

    if (status != BBANS_OK)
        return status;
    if (distribution->limit > 0 && !bbans_type_holds(type, distribution->limit))
        return BBANS_ERR_TYPE;
    if (bbans_room(msg) < 2 || bbans_room(msg) - 2 < n)
        return BBANS_ERR_CAPACITY;
    t = empty_tree(work);
    for (k = 1; k <= n; k++) {
        bbans_lane lane;
        int64_t v;

        status = bbans_message_pop(msg, distribution, &v, BBANS_I64, 1);
        if (status != BBANS_OK)
            return status;
        insert(&t, v, k - 1, &start, &freq);
        lane = bbans_lane_of(msg, 0);
        bbans_lane_push(&lane, start, freq, k);
        bbans_put_lane(msg, 0, &lane);
    }
    return list_values(&t, value, type);
}

/* ---- Permutations ------------------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
size_t bbans_permutation_work_bytes(size_t n)
{
    return n > BBANS_TOTAL_MAX || n > SIZE_MAX / 8 ? 0 : 8 * n;
}

/* The inverse of a permutation, if it is one. */
static bbans_status invert(const uint32_t *permutation, size_t n,
                           uint32_t *inverse)
{
    size_t i;

    for (i = 0; i < n; i++)
        inverse[i] = UINT32_MAX;
    for (i = 0; i < n; i++) {
        if (permutation[i] >= n || inverse[permutation[i]] != UINT32_MAX)
            return BBANS_ERR_SYMBOL;
        inverse[permutation[i]] = (uint32_t)i;
    }
    return BBANS_OK;
}

bbans_status bbans_permutation_push(bbans_message *msg,
                                    const uint32_t *permutation, size_t n,
                                    void *work, size_t work_bytes)
{
    uint32_t *a = (uint32_t *)work, *where; /* a[where[v]] = v */
    bbans_lane lane;
    size_t i;

    if (msg == NULL || (n > 0 && (permutation == NULL || work == NULL)))
        return BBANS_ERR_NULL;
    if (n > BBANS_TOTAL_MAX)
        return BBANS_ERR_SIZE;
    if (work_bytes < bbans_permutation_work_bytes(n) || bbans_room(msg) < n)
        return BBANS_ERR_CAPACITY;
    if (n == 0)
        return BBANS_OK;
    where = a + n;
    if (invert(permutation, n, where) != BBANS_OK)
        return BBANS_ERR_SYMBOL;
    memcpy(a, permutation, n * sizeof *a);
    lane = bbans_lane_of(msg, 0);
    for (i = n - 1; i > 0; i--) { /* undo a[i] = a[j], a[j] = i */
        const uint32_t j = where[i];

        bbans_lane_push(&lane, j, 1, (uint32_t)i + 1);
        a[j] = a[i];
        where[a[i]] = j;
    }
    bbans_put_lane(msg, 0, &lane);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_permutation_pop(bbans_message *msg, uint32_t *permutation,
                                   size_t n)
{
    bbans_lane lane;
    size_t i;

    if (msg == NULL || (n > 0 && permutation == NULL))
        return BBANS_ERR_NULL;
    if (n > BBANS_TOTAL_MAX)
        return BBANS_ERR_SIZE;
    if (n > 0 && bbans_room(msg) < 1)
        return BBANS_ERR_CAPACITY;
    lane = bbans_lane_of(msg, 0);
    for (i = 0; i < n; i++) {
        const uint32_t j = bbans_lane_take_slot(&lane, (uint32_t)i + 1);

        bbans_lane_put_rest(&lane, j, j, 1);
        permutation[i] = permutation[j]; /* j = i: overwritten */
        permutation[j] = (uint32_t)i;
    }
    if (bbans_lane_is_dry(&lane, msg->lanes))
        return BBANS_ERR_UNDERFLOW;
    bbans_put_lane(msg, 0, &lane);
    return BBANS_OK;
}
