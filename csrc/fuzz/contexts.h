/* Contexts of autoregressive models, valid ones.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FUZZ_CONTEXTS_H
#define BBANS_FUZZ_CONTEXTS_H

#include "../bbans_internal.h"
#include "fuzz.h"

#define CONTEXTS_MOST 24

/* Arrays of exactly their size. */
static inline uint8_t *context_numbers(const uint32_t *value, size_t n,
                                       size_t width)
{
    uint8_t *bytes = fuzz_memory(n * width);
    size_t i;

    for (i = 0; i < n; i++)
        bbans_store(bytes + i * width, value[i], width);
    return bytes;
}

/* A rising choice of numbers below the limit, by a byte of bits. */
static inline size_t choose_symbols(fuzz_input *in, uint32_t limit,
                                    uint32_t *chosen)
{
    const uint32_t bits = fuzz_below(in, 256);
    size_t n = 0;
    uint32_t k;

    for (k = 0; k < limit && k < 8; k++)
        if (bits >> k & 1)
            chosen[n++] = k + (limit > 8 ? limit - 8 : 0);
    return n;
}

/* Levels of contexts, each with children and entries. */
static inline bbans_contexts fuzz_contexts(fuzz_input *in, uint32_t symbols)
{
    uint32_t child[CONTEXTS_MOST + 1], first[CONTEXTS_MOST + 1];
    uint32_t label[CONTEXTS_MOST] = {0}, back_off[CONTEXTS_MOST], chosen[8];
    uint32_t symbol[8 * CONTEXTS_MOST], sum[8 * CONTEXTS_MOST];
    const unsigned order = fuzz_below(in, 6);
    bbans_contexts c;
    size_t end = 1, n, i, k;
    unsigned depth = 0;

    c.contexts = 1;
    c.entries = 0;
    first[0] = 0;
    for (k = 0; k < c.contexts; k++) {
        if (k == end) { /* the first of the next level */
            depth++;
            end = c.contexts;
        }
        n = k == 0 ? 0 : choose_symbols(in, symbols, chosen);
        back_off[k] = n == 0 ? 255 : fuzz_below(in, 255);
        for (i = 0; i < n; i++, c.entries++) {
            symbol[c.entries] = chosen[i];
            sum[c.entries] =
                (i == 0 ? 0 : sum[c.entries - 1]) + 1 + fuzz_below(in, 8191);
        }
        first[k + 1] = (uint32_t)c.entries;
        child[k] = (uint32_t)c.contexts;
        n = depth < order ? choose_symbols(in, symbols + 1, chosen) : 0;
        for (i = 0; i < n && c.contexts < CONTEXTS_MOST; i++)
            label[c.contexts++] = chosen[i];
    }
    child[c.contexts] = (uint32_t)c.contexts;
    c.children = context_numbers(child, c.contexts + 1, 4);
    c.first = context_numbers(first, c.contexts + 1, 4);
    c.label = context_numbers(label, c.contexts, 2);
    c.symbol = context_numbers(symbol, c.entries, 2);
    c.sum = context_numbers(sum, c.entries, 2);
    c.back_off = context_numbers(back_off, c.contexts, 1);
    return c;
}

static inline void fuzz_contexts_free(const bbans_contexts *c)
{
    const uint8_t *arrays[] = {c->children, c->first, c->label,
                               c->symbol,   c->sum,   c->back_off};
    size_t i;

    for (i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free((void *)(uintptr_t)arrays[i]);
}

#endif
