/* A template: contexts of a symbol, walked to and placed in.  What includes it
 * defines CONTEXTS, the attribute of its functions, and before it
 *
 *   static size_t below(const uint8_t *number, size_t n, uint32_t other,
 *                       size_t *hit)
 *
 * how many of n numbers of 16 bits, little-endian and rising, are below
 * another; *hit: whether it is the next of them, 1 or 0.
 *
 * SPDX-License-Identifier: MIT */

#define SHARE_BITS 16
#define BACK_OFF_BITS 8

CONTEXTS static inline size_t children_of(const bbans_contexts *c, size_t k)
{
    return bbans_load_le32(c->children + 4 * k);
}

CONTEXTS static inline void put_level(const bbans_contexts *c, size_t k,
                                      bbans_level *level)
{
    const size_t first = bbans_load_le32(c->first + 4 * k);
    const size_t n = bbans_load_le32(c->first + 4 * (k + 1)) - first;
    const uint32_t back_off = c->back_off[k] + 1u;

    level->symbol = c->symbol + 2 * first;
    level->sum = c->sum + 2 * first;
    level->entries = n;
    level->back_off = back_off;
    level->room = ((uint32_t)1 << SHARE_BITS) - (back_off << BACK_OFF_BITS);
    level->whole = n == 0 ? 0 : bbans_load_le16(level->sum + 2 * (n - 1));
}

CONTEXTS static void walk(const bbans_hmm *hmm, const uint32_t *x, size_t t,
                          bbans_path *path)
{
    const bbans_contexts *c = hmm->contexts;
    size_t n = 0, k = 0, hit;

    for (;;) {
        const size_t first = children_of(c, k);
        const uint32_t label = n < t ? x[t - 1 - n] : (uint32_t)hmm->symbols;

        k = first + below(c->label + 2 * first, children_of(c, k + 1) - first,
                          label, &hit);
        if (!hit)
            break;
        put_level(c, k, &path->level[n++]);
        if (n > t) /* that was the beginning */
            break;
    }
    path->n = n;
}

/* W behind the first j entries.  room < 2^16 and sums are below 2^16.  Whether
 * j is 0 no processor can foretell. */
CONTEXTS static inline uint32_t share(const bbans_level *level, size_t j)
{
    const size_t some = j > 0;
    const uint32_t sum = bbans_load_le16(level->sum + 2 * (j - some));

    return level->room * (sum & (0u - (uint32_t)some)) / level->whole;
}

CONTEXTS static void place(bbans_path *path, uint32_t x)
{
    size_t k;

    for (k = 0; k < path->n; k++) {
        bbans_level *level = &path->level[k];
        size_t hit = 0, j = 0;

        level->below = level->above = 0;
        if (level->entries > 0) {
            j = below(level->symbol, level->entries, x, &hit);
            level->below = share(level, j);
            level->above = share(level, j + hit);
        }
        level->before = j;
        level->hit = hit;
    }
}

#undef SHARE_BITS
#undef BACK_OFF_BITS
