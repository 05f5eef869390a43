/* Every kernel that this machine and build has equals the portable one bit for
 * bit, on random and hostile models and weights.
 *
 * SPDX-License-Identifier: MIT */
#include "distributions/bbans_family.h"
#include "check.h"

#include <string.h>
#if defined(BBANS_HAVE_X86) && !defined(BBANS_EMULATE)
#include <immintrin.h>
#endif

#define STATES_MAX 300
#define TRIALS SOME(3000) /* of messages, for each precision */

typedef struct {
    bbans_hmm hmm;
    void *memory;
} model;

static void random_row(uint32_t *mass, size_t n, unsigned prec)
{
    const uint32_t kind = below(5); /* near-deterministic, sparse, flat .. */
    uint32_t spare = ((uint32_t)1 << prec) - (uint32_t)n;
    size_t k;

    for (k = 0; k < n; k++) {
        uint32_t more = 0;

        if (kind == 1 && below(8) == 0)
            more = below(spare + 1);
        else if (kind == 2)
            more = spare / (uint32_t)(n - k);
        else if (kind > 2)
            more = below(spare / (uint32_t)(n - k) * 2 + 1);
        mass[k] = 1 + (more < spare ? more : spare);
        spare -= mass[k] - 1;
    }
    mass[below((uint32_t)n)] += spare;
}

static model random_model(size_t states, size_t symbols, unsigned prec)
{
    uint32_t *initial = malloc(4 * states);
    uint32_t *transition = malloc(4 * states * states);
    uint32_t *emission = malloc(4 * states * symbols);
    const size_t bytes = bbans_hmm_bytes(states, symbols);
    model m;
    size_t i;

    m.memory = malloc(bytes);
    CHECK(initial && transition && emission && m.memory);
    random_row(initial, states, prec);
    for (i = 0; i < states; i++) {
        random_row(transition + i * states, states, prec);
        random_row(emission + i * symbols, symbols, prec);
    }
    CHECK(bbans_hmm_init(&m.hmm, states, symbols, prec, 9, initial, transition,
                         emission, m.memory, bytes) == BBANS_OK);
    free(initial);
    free(transition);
    free(emission);
    return m;
}

/* Any weights that a filter could hold: a sum below 2^31 (2^32 if filtered). */
static void random_weights(uint32_t *w, size_t states, size_t stride,
                           uint64_t sum)
{
    const uint32_t kind = below(3);
    size_t i;

    memset(w, 0, 4 * stride);
    if (kind == 0) {
        w[below((uint32_t)states)] = (uint32_t)(sum - 1);
        return;
    }
    for (i = 0; i < states; i++)
        w[i] = (uint32_t)(random_bits() % (sum / states)) >>
               (kind == 1 ? 0 : below(32));
    w[below((uint32_t)states)] |= 1;
}

/* The halves of a step, whose whole is `filter`: of one sequence, or of two
 * that go on from these weights and from others of the same model. */
static void check_halves(const bbans_kernels *portable,
                         const bbans_kernels *kernels, const bbans_hmm *hmm,
                         const uint32_t *emitting, const uint32_t *predicted)
{
    const size_t stride = hmm->stride, n = 1 + below(2);
    uint32_t p[6][STATES_MAX + 16], w[3][STATES_MAX + 16];
    uint32_t *const one[2] = {p[0], p[1]}, *const other[2] = {p[2], p[3]};
    size_t q;

    memcpy(p[0], predicted, 4 * stride);
    memcpy(p[1], predicted, 4 * stride);
    if (below(2) == 0)
        random_weights(p[1], hmm->states, stride, (uint64_t)1 << 31);
    for (q = 0; q < 2; q++) {
        memcpy(p[2 + q], p[q], 4 * stride);
        memcpy(p[4 + q], p[q], 4 * stride);
        portable->hmm->weigh(p[q], emitting, stride, w[0]);
        kernels->hmm->weigh(p[2 + q], emitting, stride, w[1]);
        CHECK(memcmp(p[q], p[2 + q], 2 * stride) == 0);
        CHECK(memcmp(w[0], w[1], 4 * stride) == 0);
        portable->hmm->filter(hmm, emitting, p[4 + q], w[2]);
        CHECK(memcmp(w[0], w[2], 4 * stride) == 0);
    }
    portable->hmm->predict(hmm, one, n);
    kernels->hmm->predict(hmm, other, n);
    for (q = 0; q < n; q++) {
        CHECK(memcmp(p[q], p[4 + q], 4 * stride) == 0);
        CHECK(memcmp(p[q], p[2 + q], 4 * stride) == 0);
    }
}

static void compare(const bbans_kernels *portable, const bbans_kernels *kernels,
                    size_t states, unsigned prec)
{
    const uint32_t symbols = prec < 8 ? 5 : 150;
    model m = random_model(states, symbols, prec);
    const bbans_hmm *hmm = &m.hmm;
    const size_t stride = hmm->stride;
    uint32_t p[2][STATES_MAX + 16], w[2][STATES_MAX + 16];
    static const uint32_t none[STATES_MAX + 16];
    uint32_t edge[2][STATES_MAX + 17], start[STATES_MAX + 16];
    int step;

    for (step = 0; step < 40; step++) {
        const size_t x = below(symbols), next = below((uint32_t)states + 1);
        const uint32_t *into = next < states ? hmm->into + next * stride : NULL;
        uint32_t slot;
        size_t n;

        if (step % 8 == 0) { /* between: what the filter itself makes */
            random_weights(start, states, stride, (uint64_t)1 << 31);
            memcpy(p[0], start, 4 * stride);
            memcpy(p[1], start, 4 * stride);
        }
        portable->hmm->filter(hmm, bbans_emitting(hmm, x), p[0], w[0]);
        kernels->hmm->filter(hmm, bbans_emitting(hmm, x), p[1], w[1]);
        CHECK(memcmp(p[0], p[1], 4 * stride) == 0);
        CHECK(memcmp(w[0], w[1], 4 * stride) == 0);
        check_halves(portable, kernels, hmm, bbans_emitting(hmm, x), p[0]);
        if (step % 4 == 1)
            random_weights(w[0], states, stride, (uint64_t)1 << 32);
        CHECK(portable->hmm->posterior(w[0], into, stride, edge[0]) ==
              kernels->hmm->posterior(w[0], into, stride, edge[1]));
        CHECK(memcmp(edge[0], edge[1], 4 * (stride + 1)) == 0);
        CHECK(edge[0][stride] > 0 && edge[0][stride] < 1u << 26);
        for (n = 0; n < stride; n += 1 + below(5)) {
            uint32_t from[2], width[2];

            CHECK(portable->hmm->interval(w[0], into, stride, n, from, width) ==
                  edge[0][stride]);
            CHECK(from[0] == edge[0][n]);
            CHECK(width[0] == edge[0][n + 1] - edge[0][n]);
            CHECK(kernels->hmm->interval(w[0], into, stride, n, from + 1,
                                         width + 1) == edge[0][stride]);
            CHECK(from[0] == from[1] && width[0] == width[1]);
        }
        for (n = 0; n <= 5; n++)
            CHECK(portable->hmm->dot(p[0], hmm->emission_sums + n * stride,
                                     stride) ==
                  kernels->hmm->dot(p[0], hmm->emission_sums + n * stride,
                                    stride));
        for (n = 0; n < 9; n++) { /* and weights that are 0 at 15 bits */
            const uint32_t *weight = n == 8 ? none : p[0];

            const size_t some = 1 + below(symbols);

            slot = n == 0 ? 0 : below((uint32_t)1 << prec);
            CHECK(portable->hmm->guess(weight, hmm->short_sums, some, stride,
                                       prec, slot) ==
                  kernels->hmm->guess(weight, hmm->short_sums, some, stride,
                                      prec, slot));
        }
        slot = below(edge[0][stride] + 2);
        for (n = 0; n <= states; n += 1 + below(7))
            CHECK(portable->hmm->rank(edge[0] + 1, n, slot) ==
                  kernels->hmm->rank(edge[0] + 1, n, slot));
    }
    free(m.memory);
}

/* n numbers below the limit that rise, 16 bits each, at place `at`. */
static void put_rising(uint8_t *bytes, size_t at, uint32_t n, uint32_t limit)
{
    uint32_t next = 0, i;

    for (i = 0; i < n; i++) {
        const uint32_t left = n - i, spare = limit - next - left;
        const uint32_t more = below(2 * spare / left + 1);

        next += more < spare ? more : spare;
        bbans_store_le16(bytes + 2 * (at + i), next++);
    }
}

#define CONTEXTS_MAX 3000
#define ENTRIES_MAX 30000

/* How many children or entries: about the lengths of vectors, and many. */
static uint32_t random_count(uint32_t most)
{
    static const uint32_t count[] = {0,  1,  2,   3,   7,   8,  9,
                                     15, 16, 17,  31,  32,  33, 63,
                                     64, 65, 128, 129, 300, 999};
    const uint32_t n =
        count[below(below(2) ? 6 : sizeof count / sizeof *count)];

    return n < most ? n : most;
}

static uint8_t *exactly(size_t n)
{
    uint8_t *bytes = malloc(n > 0 ? n : 1);

    CHECK(bytes != NULL);
    return bytes;
}

static int same_paths(const bbans_path *a, const bbans_path *b, int placed)
{
    size_t k;

    if (a->n != b->n)
        return 0;
    for (k = 0; k < a->n; k++) {
        const bbans_level *u = &a->level[k], *v = &b->level[k];

        if (u->symbol != v->symbol || u->sum != v->sum ||
            u->entries != v->entries || u->back_off != v->back_off ||
            u->room != v->room || u->whole != v->whole ||
            (placed && (u->before != v->before || u->hit != v->hit ||
                        u->below != v->below || u->above != v->above)))
            return 0;
    }
    return 1;
}

/* Walks to contexts of up to three symbols, and symbols placed there. */
static void compare_contexts(const bbans_kernels *portable,
                             const bbans_kernels *kernels)
{
    static const uint32_t sizes[] = {2, 40, 300, 65535};
    static uint32_t children[CONTEXTS_MAX + 1], first[CONTEXTS_MAX + 1];
    static uint32_t parent[CONTEXTS_MAX];
    const uint32_t symbols = sizes[below(4)];
    uint32_t contexts = 1, entries = 0, end = 1, x[4], k, n, trial;
    unsigned depth = 0;
    size_t longest = 0;
    bbans_contexts c;
    bbans_hmm hmm;
    uint8_t *label, *symbol, *sum, *bytes;

    first[0] = 0;
    for (k = 0; k < contexts; k++) {
        if (k == end) {
            depth++;
            end = contexts;
        }
        children[k] = contexts;
        n = depth == 3 ? 0 : random_count(symbols + 1);
        for (; n > 0 && contexts < CONTEXTS_MAX; n--)
            parent[contexts++] = k;
        n = k == 0 ? 0 : random_count(symbols);
        if (n <= ENTRIES_MAX - entries)
            entries += n;
        first[k + 1] = entries;
    }
    children[contexts] = contexts;
    /* Of exactly their sizes: a sanitizer sees what reads past them. */
    c.contexts = contexts;
    c.entries = entries;
    c.children = bytes = exactly(4 * (contexts + 1));
    for (k = 0; k <= contexts; k++)
        bbans_store(bytes + 4 * k, children[k], 4);
    c.first = bytes = exactly(4 * (contexts + 1));
    for (k = 0; k <= contexts; k++)
        bbans_store(bytes + 4 * k, first[k], 4);
    c.label = label = exactly(2 * contexts);
    c.symbol = symbol = exactly(2 * entries);
    c.sum = sum = exactly(2 * entries);
    c.back_off = bytes = exactly(contexts);
    bbans_store_le16(label, 0);
    for (k = 0; k < contexts; k++) {
        n = first[k + 1] - first[k];
        put_rising(label, children[k], children[k + 1] - children[k],
                   symbols + 1);
        put_rising(symbol, first[k], n, symbols);
        put_rising(sum, first[k], n, 65535);
        for (; n-- > 0;) /* at least 1 */
            bbans_store_le16(sum + 2 * (first[k] + n),
                             bbans_load_le16(sum + 2 * (first[k] + n)) + 1);
        bytes[k] = (uint8_t)(first[k] == first[k + 1] ? 255 : below(255));
    }
    CHECK(bbans_contexts_check(&c, symbols) == BBANS_OK);
    memset(&hmm, 0, sizeof hmm);
    hmm.contexts = &c;
    hmm.symbols = symbols;
    for (trial = 0; trial < SOME(300); trial++) {
        bbans_path a, b;
        size_t t = 0, begin = 0;

        /* Symbols after which a context comes, and others before them. */
        if (below(4) == 0)
            x[t++] = below(symbols);
        for (k = below(contexts); k != 0; k = parent[k]) {
            x[t] = bbans_load_le16(label + 2 * k);
            begin = x[t++] == symbols ? t : begin; /* is no symbol */
        }
        portable->hmm->walk(&hmm, x + begin, t - begin, &a);
        kernels->hmm->walk(&hmm, x + begin, t - begin, &b);
        CHECK(same_paths(&a, &b, 0));
        longest = a.n > longest ? a.n : longest;
        for (n = 0; n < 10; n++) {
            uint32_t wanted = below(symbols);

            if (a.n > 0 && a.level[a.n - 1].entries > 0 && below(2))
                wanted = bbans_load_le16(
                    a.level[a.n - 1].symbol +
                    2 * below((uint32_t)a.level[a.n - 1].entries));
            portable->hmm->place(&a, wanted);
            kernels->hmm->place(&b, wanted);
            CHECK(same_paths(&a, &b, 1));
        }
    }
    CHECK(depth == 0 || longest > 0);
    free(label);
    free(symbol);
    free(sum);
    free(bytes);
    free((void *)(uintptr_t)c.children);
    free((void *)(uintptr_t)c.first);
}

#define WIDTH_MAX 40
#define LEVEL_MAX 20

/* Any numbers below 2^bits, a few of them large. */
static void random_numbers(uint32_t *v, size_t n, unsigned bits)
{
    size_t i;

    for (i = 0; i < n; i++)
        v[i] = (uint32_t)(random_bits() >> (64 - bits)) >> below(bits);
}

/* Weights of several levels: sums stay in the bounds of bbans_kernels.h, since
 * what 20 weights below 2^31 count is below 2^-5 of 2^shift. */
static void compare_levels(const bbans_kernels *portable,
                           const bbans_kernels *kernels)
{
    const size_t width = 8 * (1 + below(WIDTH_MAX / 8));
    const size_t n = width * (1 + below(LEVEL_MAX));
    const size_t rows = 1 + below(LEVEL_MAX), terms = 1 + below(LEVEL_MAX);
    const size_t c_stride = terms + below(4), out_stride = width + below(9);
    const unsigned shift = 1 + below(28);
    static uint32_t x[WIDTH_MAX * LEVEL_MAX], emitting[WIDTH_MAX];
    static uint32_t c[LEVEL_MAX * (LEVEL_MAX + 4)];
    static uint32_t out[2][(WIDTH_MAX + 9) * LEVEL_MAX];
    static uint64_t sum[2][WIDTH_MAX];
    const uint32_t more = below(2);
    const int little = below(4) == 0; /* a shift to the left */

    random_weights(x, n, n, little ? n : (uint64_t)1 << 31);
    random_numbers(emitting, width, little ? 4 : 28);
    memset(out, 0, sizeof out);
    portable->levels->observe(x, emitting, width, n, out[0]);
    kernels->levels->observe(x, emitting, width, n, out[1]);
    CHECK(memcmp(out[0], out[1], sizeof *out) == 0);

    random_numbers(x, WIDTH_MAX * LEVEL_MAX, 31);
    random_numbers(c, LEVEL_MAX * (LEVEL_MAX + 4), shift > 6 ? shift - 5 : 1);
    portable->levels->contract(c, c_stride, rows, x, terms, width, out[0],
                               out_stride, shift, more);
    kernels->levels->contract(c, c_stride, rows, x, terms, width, out[1],
                              out_stride, shift, more);
    CHECK(memcmp(out[0], out[1], sizeof *out) == 0);
    random_numbers(c, terms, 28);
    portable->levels->combine(c, x, terms, width, sum[0]);
    kernels->levels->combine(c, x, terms, width, sum[1]);
    CHECK(memcmp(sum[0], sum[1], 8 * width) == 0);
}

/* Rows of masses below 2^15 that sum to it, 0 from `states` on. */
static void random_matrix(uint16_t *a, size_t states, size_t stride)
{
    uint32_t mass[STATES_MAX];
    size_t z, k;

    memset(a, 0, 2 * states * stride);
    for (z = 0; z < states; z++, a += stride) {
        random_row(mass, states, 15);
        for (k = 0; k < states; k++)
            a[k] = (uint16_t)mass[k];
    }
}

static void compare_trees(const bbans_kernels *portable,
                          const bbans_kernels *kernels, size_t states)
{
    const bbans_tree_kernels *slow = portable->tree, *fast = kernels->tree;
    const size_t stride = (states + 15) / 16 * 16;
    const uint32_t least = (uint32_t)1 << below(13);
    uint16_t *a = malloc(2 * states * stride);
    uint32_t u[2][STATES_MAX + 16], g[2][STATES_MAX + 16];
    uint32_t f[2][STATES_MAX + 16];
    int step;
    size_t z;

    CHECK(a != NULL);
    random_matrix(a, states, stride);
    for (step = 0; step < 40; step++) {
        if (step % 8 == 0) {
            for (z = 0; z < stride; z++)
                u[0][z] = 4 + (uint32_t)(random_bits() >> (33 + below(31)));
            random_weights(g[0], states, stride, (uint64_t)1 << 32);
            g[0][below((uint32_t)states)] |= 1;
            memcpy(u[1], u[0], sizeof *u);
            memcpy(g[1], g[0], sizeof *g);
        }
        fast->up(a, states, stride, u[0], f[0]);
        slow->up(a, states, stride, u[1], f[1]);
        CHECK(memcmp(f[0], f[1], 4 * stride) == 0);
        for (z = 0; z < stride; z++)
            CHECK(z < states ? f[0][z] < 1u << 31 : f[0][z] == 0);
        if (below(3) == 0) { /* a column of emissions */
            for (z = 0; z < states; z++)
                f[0][z] = 1 + ((uint32_t)random_bits() >> (4 + below(28)));
            memcpy(f[1], f[0], sizeof *f);
        }
        fast->absorb(u[0], f[0], stride);
        slow->absorb(u[1], f[1], stride);
        CHECK(memcmp(u[0], u[1], 4 * stride) == 0);
        fast->weigh(g[0], f[0], stride);
        slow->weigh(g[1], f[1], stride);
        CHECK(memcmp(g[0], g[1], 4 * stride) == 0);
        if (below(2) == 0)
            continue;
        fast->down(a, states, stride, g[0], least, f[0]);
        slow->down(a, states, stride, g[1], least, f[1]);
        CHECK(memcmp(f[0], f[1], 4 * stride) == 0);
        memcpy(g[0], f[0], sizeof *g);
        memcpy(g[1], f[0], sizeof *g);
    }
    free(a);
}

static int rounds_to_nearest = 1;

/* Of the unit that vectors use: 0 to the nearest, 1 to 3 elsewhere. */
static void set_rounding(unsigned mode)
{
    rounds_to_nearest = mode == 0;
#if defined(BBANS_EMULATE)
    (void)mode;
#elif defined(BBANS_HAVE_X86)
    _mm_setcsr((_mm_getcsr() & ~0x6000u) | mode << 13);
#elif defined(BBANS_HAVE_NEON)
    uint64_t fpcr;

    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    fpcr = (fpcr & ~(uint64_t)0xc00000) | (uint64_t)mode << 22;
    __asm__ volatile("msr fpcr, %0" : : "r"(fpcr));
#else
    (void)mode;
#endif
}

#define LANES_MAX 100
#define WEIGHTS_MAX 200

/* A head at which push is at its limits for the width f, or any head. */
static uint64_t random_head(uint32_t freq, unsigned prec)
{
    const uint64_t limit = (uint64_t)freq << (63 - prec); /* 2^63 at most */
    const uint64_t any = (random_bits() >> (1 + below(32)));
    uint64_t x;

    switch (below(6)) {
    case 0: x = limit - 1 - below(3); break; /* keeps its word, just */
    case 1: x = limit + below(3); break;
    case 2: x = any / freq * freq - below(2); break; /* rest f - 1 or 0 */
    case 3: x = BBANS_HEAD_MIN + below(3); break;
    case 4: x = BBANS_HEAD_MAX - below(3); break;
    default: x = any;
    }
    x &= BBANS_HEAD_MAX;
    return x < BBANS_HEAD_MIN ? x | BBANS_HEAD_MIN : x;
}

static bbans_span random_span(unsigned prec)
{
    const uint32_t total = (uint32_t)1 << prec;
    const uint32_t widths[] = {1,
                               total,
                               total - 1,
                               1 + below(total),
                               1 + below(total),
                               1 + (below(total) >> below(28))};
    bbans_span span;
    uint32_t freq = widths[below(6)];

    freq += freq == 0;
    span.start = below(total - freq + 1);
    span.end = span.start + freq;
    return span;
}

static void compare_lanes(const bbans_kernels *portable,
                          const bbans_kernels *kernels, unsigned prec)
{
    const size_t n = below(LANES_MAX + 1);
    uint64_t start[LANES_MAX], head[2][LANES_MAX];
    uint32_t words[2][2 * LANES_MAX] = {{0}};
    uint32_t edge[2 * LANES_MAX], symbol[LANES_MAX];
    bbans_span span[LANES_MAX];
    const uint32_t *down[2];
    uint32_t *up[2];
    size_t i;

    for (i = 0; i < n; i++) {
        span[i] = random_span(prec);
        start[i] = random_head(span[i].end - span[i].start, prec);
    }
    memcpy(head[0], start, sizeof start);
    memcpy(head[1], start, sizeof start);
    up[0] = portable->lanes->push(head[0], span, n, prec, words[0]);
    up[1] = kernels->lanes->push(head[1], span, n, prec, words[1]);
    CHECK(up[0] - words[0] == up[1] - words[1]);
    CHECK(memcmp(words[0], words[1], 4 * (size_t)(up[0] - words[0])) == 0);
    CHECK(n == 0 || memcmp(head[0], head[1], 8 * n) == 0);
    for (i = 0; i < n; i++)
        CHECK(head[0][i] >= BBANS_HEAD_MIN && head[0][i] <= BBANS_HEAD_MAX);

    /* The same as symbols 0, 2, .. of a row, as far as a kernel can see it. */
    for (i = 0; i < n; i++) {
        edge[2 * i] = span[i].start;
        edge[2 * i + 1] = span[i].end;
        symbol[i] = (uint32_t)(2 * i);
    }
    CHECK(kernels->lanes->max_u32(edge, n) ==
          portable->lanes->max_u32(edge, n));
    CHECK(kernels->lanes->push_symbols(memcpy(head[1], start, sizeof start),
                                       edge, symbol, n, prec,
                                       words[1]) == up[1]);
    CHECK(memcmp(words[0], words[1], 4 * (size_t)(up[0] - words[0])) == 0);
    CHECK(n == 0 || memcmp(head[0], head[1], 8 * n) == 0);

    /* Pops: those that undo the pushes, then any. */
    memmove(words[1] + n, words[1], 4 * (size_t)(up[1] - words[1]));
    CHECK(kernels->lanes->advance(head[1], span, n, prec,
                                  words[1] + n + (up[1] - words[1])) ==
          words[1] + n);
    CHECK(n == 0 || memcmp(head[1], start, 8 * n) == 0);
    for (i = 0; i < 2 * LANES_MAX; i++)
        words[0][i] = words[1][i] = (uint32_t)random_bits();
    for (i = 0; i < n; i++) {
        const uint64_t slots = ((uint64_t)1 << prec) - 1;

        span[i] = random_span(prec);
        head[0][i] = (start[i] & ~slots) + span[i].start +
                     below(span[i].end - span[i].start);
        head[0][i] |= BBANS_HEAD_MIN;
        head[1][i] = head[0][i];
    }
    down[0] = portable->lanes->advance(head[0], span, n, prec, words[0] + n);
    down[1] = kernels->lanes->advance(head[1], span, n, prec, words[1] + n);
    CHECK(down[0] - words[0] == down[1] - words[1]);
    CHECK(n == 0 || memcmp(head[0], head[1], 8 * n) == 0);
}

/* A width of at least 1 in a total. */
static uint32_t random_width(uint32_t total)
{
    const uint32_t widths[] = {1, total, total - 1, 1 + below(total),
                               1 + (below(total) >> below(28))};
    const uint32_t width = widths[below(5)];

    return width == 0 ? 1 : width;
}

/* A head at which a push of width f of any total is at its limits, or a pop of
 * f = N. */
static uint64_t random_any_head(uint32_t freq, uint32_t total)
{
    const uint64_t q = BBANS_HEAD_MIN / total;
    const uint64_t limit = freq * q << 32; /* 2^63 at most */
    const uint64_t word = random_bits() & 0xffffffff;
    uint64_t x = random_bits() >> (1 + below(32));

    switch (below(7)) {
    case 0: x = limit - 1 - below(3); break;
    case 1: x = limit + below(3); break;
    case 2: x = x / freq * freq - below(2); break;
    case 3: x = BBANS_HEAD_MIN + below(3); break;
    case 4: x = BBANS_HEAD_MAX - below(3); break;
    case 5: /* the same, where the words that move are the lanes' own */
        x = (total * q + below(total + 1)) << 32 | word;
        break;
    default: break;
    }
    x &= BBANS_HEAD_MAX;
    return x < BBANS_HEAD_MIN ? x | BBANS_HEAD_MIN : x;
}

/* Rounds over several lanes under one row against symbols pushed round by
 * round, from heads at their limits for the first of them. */
#define ROUND_LANES_MAX (5 * BBANS_ROUND_LANES)
#define ROUNDS_MAX 4

static void compare_rounds(const bbans_kernels *portable,
                           const bbans_kernels *kernels, unsigned prec)
{
    const size_t lanes = BBANS_ROUND_LANES * (1 + below(5));
    const size_t n = lanes * (1 + below(ROUNDS_MAX));
    const size_t symbols = 1 + below(below(2) ? 20 : BBANS_CODED_SYMBOLS_MAX);
    bbans_coded_symbol share[BBANS_CODED_SYMBOLS_MAX];
    uint64_t head[2][ROUND_LANES_MAX];
    uint32_t words[2][ROUNDS_MAX * ROUND_LANES_MAX];
    uint32_t edge[BBANS_CODED_SYMBOLS_MAX + 1],
        symbol[ROUNDS_MAX * ROUND_LANES_MAX];
    uint32_t *top[2] = {words[0], words[1]};
    size_t i, first = 0, left = n;

    edge[0] = 0;
    random_row(edge + 1, symbols, prec);
    for (i = 0; i < symbols; i++)
        edge[i + 1] += edge[i];
    for (i = 0; i < n; i++)
        symbol[i] = below((uint32_t)symbols);
    for (i = 0; i < lanes; i++) {
        const uint32_t k = symbol[n - lanes + i];

        head[0][i] = random_head(edge[k + 1] - edge[k], prec);
        head[1][i] = head[0][i];
    }
    if (below(4) == 0) { /* no symbol: its round and those before stay */
        const size_t none = below((uint32_t)n);

        symbol[none] = (uint32_t)symbols + below(1000);
        first = none - none % lanes + lanes;
    }
    for (i = n; i > first; i -= lanes)
        top[0] = portable->lanes->push_symbols(
            head[0], edge, symbol + i - lanes, lanes, prec, top[0]);
    if (!kernels->lanes->prepare_row(edge, symbols, share)) {
        CHECK(!rounds_to_nearest);
        return;
    }
    top[1] = kernels->lanes->push_rounds(
        head[1], lanes, share, (uint32_t)symbols, symbol, &left, prec, top[1]);
    CHECK(left == first);
    CHECK(top[0] - words[0] == top[1] - words[1]);
    CHECK(memcmp(words[0], words[1], 4 * (size_t)(top[0] - words[0])) == 0);
    CHECK(memcmp(head[0], head[1], 8 * lanes) == 0);
}

/* The same for pops, from heads whose slots are at the symbols' edges, or any:
 * with few cells many slots are beyond what they tell. */
static void compare_popped_rounds(const bbans_kernels *portable,
                                  const bbans_kernels *kernels, unsigned prec)
{
    static bbans_cells cells;
    const size_t lanes = BBANS_ROUND_LANES * (1 + below(5));
    const size_t n = lanes * (1 + below(ROUNDS_MAX));
    const size_t symbols = 1 + below(BBANS_CODED_SYMBOLS_MAX);
    const unsigned most_bits =
        prec - 4 < BBANS_CELL_BITS_MAX ? prec - 4 : BBANS_CELL_BITS_MAX;
    uint64_t head[2][ROUND_LANES_MAX];
    uint32_t edge[BBANS_CODED_SYMBOLS_MAX + 1];
    uint32_t words[ROUNDS_MAX * ROUND_LANES_MAX], symbol[ROUND_LANES_MAX];
    uint32_t popped[ROUNDS_MAX * ROUND_LANES_MAX];
    bbans_span span[ROUND_LANES_MAX];
    const uint32_t *down[2] = {words + n, words + n};
    bbans_table table;
    size_t i, j;

    memset(&table, 0, sizeof table);
    table.cdf = edge;
    table.rows = 1;
    table.symbols = symbols;
    table.prec = prec;
    edge[0] = 0;
    random_row(edge + 1, symbols, prec);
    for (i = 0; i < symbols; i++)
        edge[i + 1] += edge[i];
    for (i = 0; i < n; i++)
        words[i] = (uint32_t)random_bits();
    for (i = 0; i < lanes; i++) {
        head[0][i] = random_head(1, prec);
        if (below(2))
            head[0][i] = ((head[0][i] >> prec << prec) +
                          edge[below((uint32_t)symbols + 1)] - below(2)) &
                         BBANS_HEAD_MAX;
        head[0][i] |= BBANS_HEAD_MIN;
        head[1][i] = head[0][i];
    }
    bbans_table_cells(&table, 4 + below(most_bits - 3), &cells);
    down[1] = kernels->lanes->pop_rounds(head[1], lanes, &table, &cells, popped,
                                         n, down[1]);
    for (j = 0; j < n; j += lanes) {
        for (i = 0; i < lanes; i++) {
            const uint32_t slot = bbans_slot_bits(head[0][i], prec);
            const size_t k = bbans_table_find(&table, 0, slot);

            symbol[i] = (uint32_t)k;
            span[i].start = edge[k];
            span[i].end = edge[k + 1];
        }
        down[0] = portable->lanes->advance(head[0], span, lanes, prec, down[0]);
        CHECK(memcmp(symbol, popped + j, 4 * lanes) == 0);
    }
    CHECK(down[0] == down[1]);
    CHECK(memcmp(head[0], head[1], 8 * lanes) == 0);
}

/* Any totals, against one lane's steps as well: those have their words on a
 * stack, one by one. */
static void compare_totals(const bbans_kernels *portable,
                           const bbans_kernels *kernels)
{
    const size_t n = 1 + below(LANES_MAX);
    const uint32_t one = 1 + (below(BBANS_TOTAL_MAX) >> below(28));
    const int same = below(2) == 0, few = below(4) == 0;
    uint64_t from[LANES_MAX], head[3][LANES_MAX], quotient[2][LANES_MAX];
    uint32_t words[3][3 * LANES_MAX], slot[2][LANES_MAX], rest[LANES_MAX];
    uint32_t start[LANES_MAX], freq[LANES_MAX], total[LANES_MAX];
    const uint32_t *down[2];
    uint32_t *up[2];
    bbans_lane lane;
    size_t i;

    for (i = 0; i < 3 * LANES_MAX; i++)
        words[0][i] = words[1][i] = words[2][i] = (uint32_t)random_bits();
    for (i = 0; i < n; i++) {
        total[i] = same ? one : 1 + below(BBANS_TOTAL_MAX);
        if (!same && few && below(16) == 0)
            total[i] >>= below(28);
        total[i] += total[i] == 0;
        freq[i] = random_width(total[i]);
        start[i] = below(total[i] - freq[i] + 1);
        from[i] = random_any_head(freq[i], total[i]);
        head[0][i] = head[1][i] = from[i];
    }
    up[0] = portable->totals->push_shares(head[0], start, freq, total, n,
                                          words[0] + n);
    up[1] = kernels->totals->push_shares(head[1], start, freq, total, n,
                                         words[1] + n);
    lane.tail = words[2];
    lane.tail_len = n;
    for (i = n; i-- > 0; head[2][i] = lane.x) {
        lane.x = from[i];
        bbans_lane_push(&lane, start[i], freq[i], total[i]);
    }
    CHECK(up[0] == words[0] + lane.tail_len);
    CHECK(up[1] == words[1] + lane.tail_len);
    CHECK(memcmp(words[0], words[2], 4 * lane.tail_len) == 0);
    CHECK(memcmp(words[1], words[2], 4 * lane.tail_len) == 0);
    CHECK(memcmp(head[0], head[2], 8 * n) == 0);
    CHECK(memcmp(head[1], head[2], 8 * n) == 0);

    /* Pops: those that undo the pushes, then any. */
    for (i = 0; i < 2; i++) {
        const int undo = i == 0;
        size_t j;

        for (j = 0; j < n && !undo; j++)
            head[0][j] = head[1][j] = from[j];
        portable->totals->pop_start(head[0], total, n, quotient[0], slot[0]);
        kernels->totals->pop_start(head[1], total, n, quotient[1], slot[1]);
        CHECK(memcmp(quotient[0], quotient[1], 8 * n) == 0);
        CHECK(memcmp(slot[0], slot[1], 4 * n) == 0);
        down[0] = words[0] + (undo ? up[0] - words[0] : 2 * (long)n);
        down[1] = words[1] + (down[0] - words[0]);
        memcpy(words[1], words[0], sizeof words[0]);
        memcpy(words[2], words[0], sizeof words[0]);
        lane.tail_len = (size_t)(down[0] - words[0]);
        for (j = 0; j < n; j++) {
            lane.x = head[0][j];
            CHECK(bbans_slot(lane.x, total[j]) == slot[0][j]);
            if (!undo) {
                freq[j] = random_width(total[j]);
                start[j] =
                    slot[0][j] -
                    below(freq[j] < slot[0][j] + 1 ? freq[j] : slot[0][j] + 1);
                if (start[j] > total[j] - freq[j])
                    freq[j] = total[j] - start[j];
            }
            rest[j] = slot[0][j] - start[j];
            CHECK(rest[j] < freq[j]);
            bbans_lane_advance(&lane, start[j], freq[j], total[j]);
            head[2][j] = lane.x;
        }
        down[0] = portable->totals->pop_finish(head[0], quotient[0], rest, freq,
                                               n, down[0]);
        down[1] = kernels->totals->pop_finish(head[1], quotient[1], rest, freq,
                                              n, down[1]);
        CHECK(down[0] == words[0] + lane.tail_len);
        CHECK(down[1] == words[1] + lane.tail_len);
        CHECK(memcmp(head[0], head[2], 8 * n) == 0);
        CHECK(memcmp(head[1], head[2], 8 * n) == 0);
        CHECK(!undo || memcmp(head[0], from, 8 * n) == 0);
    }

    /* Values below one total: intervals of one slot. */
    for (i = 0; i < n; i++) {
        start[i] = below(one);
        head[0][i] = head[1][i] = from[i] = random_any_head(1, one);
    }
    up[0] = portable->totals->push_values(head[0], start, n, one, words[0] + n);
    up[1] = kernels->totals->push_values(head[1], start, n, one, words[1] + n);
    lane.tail_len = n;
    for (i = n; i-- > 0; head[2][i] = lane.x) {
        lane.x = from[i];
        bbans_lane_push(&lane, start[i], 1, one);
    }
    CHECK(up[0] == words[0] + lane.tail_len);
    CHECK(up[1] == words[1] + lane.tail_len);
    CHECK(memcmp(words[0], words[2], 4 * lane.tail_len) == 0);
    CHECK(memcmp(words[1], words[2], 4 * lane.tail_len) == 0);
    CHECK(memcmp(head[0], head[2], 8 * n) == 0);
    CHECK(memcmp(head[1], head[2], 8 * n) == 0);
    CHECK(kernels->totals->pop_values(head[1], slot[1], n, one, up[1]) ==
          words[1] + n);
    CHECK(memcmp(slot[1], start, 4 * n) == 0);
    CHECK(memcmp(head[1], from, 8 * n) == 0);
    for (i = 0; i < n; i++)
        head[0][i] = head[1][i] = from[i] = random_any_head(one, one);
    memcpy(words[1], words[0], sizeof words[0]);
    down[0] = portable->totals->pop_values(head[0], slot[0], n, one,
                                           words[0] + 2 * n);
    down[1] =
        kernels->totals->pop_values(head[1], slot[1], n, one, words[1] + 2 * n);
    CHECK(down[0] - words[0] == down[1] - words[1]);
    CHECK(memcmp(slot[0], slot[1], 4 * n) == 0);
    CHECK(memcmp(head[0], head[1], 8 * n) == 0);
}

/* Bits of a number in or near what a probability may be. */
static uint64_t random_number(unsigned width, unsigned bias)
{
    const uint64_t fraction = random_bits() & (((uint64_t)1 << width) - 1);
    const uint64_t sign = (uint64_t)(below(16) == 0) << (width + 1);
    const uint64_t signs = sign * (bias + 1) | fraction;

    switch (below(8)) {
    case 0: return signs; /* subnormal */
    case 1: return signs | (uint64_t)(bias - 30 + below(5)) << width;
    case 2: return signs | (uint64_t)below(2 * bias + 2) << width;
    case 3: return (uint64_t)(bias + below(2)) << width; /* 1 or 2 */
    default: return fraction | (uint64_t)(bias - 1 - below(28)) << width;
    }
}

/* Weights of a type, mostly such that rows have a total. */
static void random_elements(int type, void *to, size_t n)
{
    const unsigned scale = below(32);
    const uint32_t hostile = below(4) == 0 ? 8 : 1000;
    size_t i;

    for (i = 0; i < n; i++) {
        uint32_t u = (uint32_t)random_bits() >> scale;
        uint64_t v = random_number(52, 1023);

        if (type == BBANS_U32 && below(3) == 0)
            u = 0;
        if (type == BBANS_F32)
            u = (uint32_t)random_number(23, 127);
        if (type != BBANS_U32 && below(hostile) != 0) {
            u = u % (1u << 23) | (119 - below(20)) << 23;
            v = v % ((uint64_t)1 << 52) | (uint64_t)(1015 - below(20)) << 52;
        }
        if (type == BBANS_F64)
            memcpy((uint8_t *)to + 8 * i, &v, 8);
        else
            memcpy((uint8_t *)to + 4 * i, &u, 4);
    }
}

/* Several rows in a call against one by one. */
#define ROWS_MAX 11

static void compare_rows(const bbans_kernels *portable,
                         const bbans_kernels *kernels)
{
    static const int types[] = {BBANS_U32, BBANS_F32, BBANS_F64};
    const int type = types[below(3)];
    const size_t n = below(ROWS_MAX + 1), symbols = 1 + below(WEIGHTS_MAX);
    const size_t stride = bbans_row_stride(symbols);
    uint64_t weight[ROWS_MAX * WEIGHTS_MAX];
    uint32_t w[2 * ROWS_MAX * WEIGHTS_MAX], one[WEIGHTS_MAX], k[ROWS_MAX];
    uint32_t start[ROWS_MAX], freq[ROWS_MAX], total[2][ROWS_MAX];
    size_t i;

    random_elements(type, weight, n * symbols);
    for (i = 0; i < n; i++)
        k[i] = below((uint32_t)symbols);
    kernels->rows->row_intervals(weight, type, symbols, n, k, start, freq,
                                 total[0]);
    kernels->rows->weigh_rows(weight, type, symbols, n, w, total[1]);
    for (i = 0; i < n; i++) {
        const uint8_t *row =
            (const uint8_t *)weight + i * bbans_row_bytes(type, symbols);
        const uint64_t sum = portable->rows->row_sum(row, type, symbols, one);
        uint32_t from, width, slot, found;

        if (sum > BBANS_TOTAL_MAX) {
            CHECK(total[0][i] > BBANS_TOTAL_MAX);
            CHECK(total[1][i] > BBANS_TOTAL_MAX);
            continue;
        }
        CHECK(total[0][i] == sum && total[1][i] == sum);
        CHECK(memcmp(w + i * stride, one, 4 * symbols) == 0);
        CHECK(portable->rows->row_interval(row, type, symbols, k[i], &from,
                                           &width) == sum);
        CHECK(start[i] == from && freq[i] == width);
        if (sum == 0)
            continue;
        slot = below((uint32_t)sum);
        found = (uint32_t)portable->rows->find(one, symbols, slot, &from);
        CHECK(kernels->rows->find_in_row(w + i * stride, symbols, slot,
                                         &width) == found);
        CHECK(width == from);
    }
}

static void compare_weights(const bbans_kernels *portable,
                            const bbans_kernels *kernels)
{
    static const int types[] = {BBANS_U32, BBANS_F32, BBANS_F64};
    const int type = types[below(3)];
    const size_t n = below(WEIGHTS_MAX + 1);
    uint32_t w[2][WEIGHTS_MAX], start[2], freq, before = 0;
    uint64_t weight[WEIGHTS_MAX], sum;
    size_t i, k;

    random_elements(type, weight, n);
    sum = portable->rows->row_sum(weight, type, n, w[0]);
    CHECK(kernels->rows->row_sum(weight, type, n, w[1]) == sum);
    CHECK(kernels->rows->row_interval(weight, type, n, below(WEIGHTS_MAX),
                                      &start[0], &freq) == sum);
    if (sum == UINT64_MAX || sum > BBANS_TOTAL_MAX || sum == 0)
        return;
    CHECK(memcmp(w[0], w[1], 4 * n) == 0);
    for (i = 0; i < n; i++) {
        CHECK(kernels->rows->row_interval(weight, type, n, i, &start[0],
                                          &freq) == sum);
        CHECK(start[0] == before && freq == w[0][i]);
        if (w[0][i] > 0 && below(8) == 0) {
            const uint32_t slot =
                before + (below(2) ? below(w[0][i]) : w[0][i] - 1);

            k = kernels->rows->find(w[0], n, slot, &start[0]);
            CHECK(k == i && start[0] == before);
            k = portable->rows->find(w[0], n, slot, &start[1]);
            CHECK(k == i && start[1] == before);
        }
        before += w[0][i];
    }
    CHECK(before == sum);
}

/* ---- Bytes -----------------------------------------------------------------
 */

enum { BYTES = 8192, STRIDE = 272, WORDS = 2 * BYTES + 64, SLACK = 32 };

/* A table of n symbols at a precision: entries to push, every `step`-th, slots
 * to pop, and inverses. */
static void bytes_table(const uint8_t *symbol, size_t n, unsigned prec,
                        uint32_t *entry, size_t step, uint32_t *slot,
                        uint64_t *inverse)
{
    uint32_t freq[256], start = 0, k;
    size_t i;

    random_row(freq, n, prec);
    for (i = 0; i < n; start += freq[i++]) {
        const uint32_t f = freq[i] < 4096 ? freq[i] : 4095;

        entry[symbol[i] * step] = f | start << 16;
        inverse[f] = ((uint64_t)1 << 43) / f + 1;
        for (k = 0; k < freq[i]; k++)
            slot[start + k] = f << 20 | k << 8 | symbol[i];
    }
}

static size_t random_alphabet(uint8_t *symbol, size_t most)
{
    const size_t n = 2 + below((uint32_t)most - 1);
    const uint32_t first = below(256), step = 2 * below(128) + 1;
    size_t k;

    for (k = 0; k < n; k++)
        symbol[k] = (uint8_t)(first + k * step);
    return n;
}

static size_t random_states(uint32_t x[2][128])
{
    const size_t lanes = (size_t)4 << below(6);
    size_t i;

    for (i = 0; i < lanes; i++) {
        const unsigned low = 15 + below(16); /* any in [2^15, 2^31) */

        x[0][i] = 1u << low | ((uint32_t)random_bits() & ((1u << low) - 1));
        if (below(20) == 0)
            x[0][i] = below(2) ? 1u << 15 : (1u << 31) - 1;
    }
    memcpy(x[1], x[0], sizeof x[0]);
    return lanes;
}

static void compare_bytes(const bbans_kernels *portable,
                          const bbans_kernels *kernels)
{
    static uint32_t tables[2][3 + 4096 + 2];
    static uint64_t inverse[4097];
    static uint8_t bytes[BYTES], back[2][BYTES], words[2][WORDS];
    uint32_t *const entry = tables[0] + 3, *const slot = tables[1] + 3;
    uint32_t x[2][128], old[128], any[2] = {0, 0}, flagged = 0, noise;
    uint8_t symbol[256], *top[2];
    const uint8_t *end[2];
    const size_t n_symbols = random_alphabet(symbol, 256);
    const size_t n = below(below(2) ? BYTES + 1 : 1500);
    const uint32_t flags = below(3) == 0 ? 1 + below(300) : 0;
    const size_t lanes = random_states(x);
    size_t i;

    memset(entry, 0, 256 * sizeof *entry);
    bytes_table(symbol, n_symbols, 12, entry, 1, slot, inverse);
    for (i = 0; i < n_symbols; i++)
        if (flags > 0 && below(flags) == 0)
            entry[symbol[i]] |= BBANS_BYTES_FLAG;
    for (i = 0; i < n; i++) {
        bytes[i] = (uint8_t)slot[below(4096)];
        if (below(10) == 0)
            bytes[i] = symbol[below((uint32_t)n_symbols)];
        if (entry[bytes[i]] & BBANS_BYTES_FLAG)
            flagged |= (uint32_t)1 << i / 256;
    }
    memcpy(old, x[0], sizeof old);
    top[0] = portable->bytes->push(x[0], lanes, entry, inverse, bytes, n,
                                   words[0] + WORDS - SLACK, &any[0]);
    top[1] = kernels->bytes->push(x[1], lanes, entry, inverse, bytes, n,
                                  words[1] + WORDS - SLACK, &any[1]);
    CHECK(memcmp(x[0], x[1], 4 * lanes) == 0);
    CHECK(top[0] - words[0] == top[1] - words[1]);
    CHECK(memcmp(top[0], top[1], (size_t)(words[0] + WORDS - SLACK - top[0])) ==
          0);
    for (i = 0; i < 2; i++)
        CHECK((flagged & ~any[i]) == 0 && (any[i] == 0) == (flagged == 0));
    noise = below(2);
    if (noise) { /* what no push wrote */
        for (i = 0; i < WORDS; i++)
            words[0][i] = (uint8_t)random_bits();
        top[0] = words[0];
    }
    end[0] = portable->bytes->pop(x[0], lanes, slot, top[0], back[0], n);
    end[1] = kernels->bytes->pop(x[1], lanes, slot, top[0], back[1], n);
    CHECK(end[0] == end[1] && memcmp(back[0], back[1], n) == 0);
    CHECK(memcmp(x[0], x[1], 4 * lanes) == 0);
    if (!noise) {
        CHECK(end[0] == words[0] + WORDS - SLACK);
        CHECK(memcmp(back[0], bytes, n) == 0);
        CHECK(memcmp(x[0], old, 4 * lanes) == 0);
    }
}

static void compare_pairs(const bbans_kernels *portable,
                          const bbans_kernels *kernels)
{
    static uint32_t entries[3 + 65536 + 2], slots[3 + (256 << 12) + 2];
    static uint64_t inverse[4097];
    static uint8_t spans[2][128 * STRIDE];
    static uint8_t words[2][2 * 128 * 256 + 2 * SLACK];
    uint32_t *const entry = entries + 3, *const slot = slots + 3;
    const unsigned prec = below(2) ? 10 : 12;
    const size_t steps = below(257);
    uint32_t x[2][128], old[128];
    uint8_t symbol[256],
        *top[2], *const bottom = words[0] + sizeof words[0] - SLACK;
    const uint8_t *end[2];
    const size_t n = random_alphabet(symbol, 20), lanes = random_states(x);
    size_t i, k;

    for (k = 0; k < n; k++) /* after the k-th, one or all of them */
        bytes_table(symbol, below(4) == 0 ? 1 : n, prec, entry + symbol[k], 256,
                    slot + ((size_t)symbol[k] << prec), inverse);
    for (i = 0; i < lanes; i++) {
        uint8_t *span = spans[0] + i * STRIDE;

        span[0] = symbol[below((uint32_t)n)];
        for (k = 0; k < steps; k++)
            span[k + 1] = (uint8_t)
                slot[((size_t)span[k] << prec) + below((uint32_t)1 << prec)];
    }
    memcpy(spans[1], spans[0], sizeof spans[0]);
    memcpy(old, x[0], sizeof old);
    for (k = 0; k < 2; k++)
        top[k] = (k == 0 ? portable : kernels)
                     ->bytes->push_pairs(x[k], lanes, entry, inverse, prec,
                                         spans[0], STRIDE, steps,
                                         words[k] + sizeof words[k] - SLACK);
    CHECK(memcmp(x[0], x[1], 4 * lanes) == 0);
    CHECK(top[0] - words[0] == top[1] - words[1]);
    CHECK(memcmp(top[0], top[1], (size_t)(bottom - top[0])) == 0);
    for (k = 0; k < 2; k++) {
        uint8_t *span = spans[k];

        for (i = 0; i < lanes; i++)
            memset(span + i * STRIDE + 1, 0, steps);
        end[k] = (k == 0 ? portable : kernels)
                     ->bytes->pop_pairs(x[k], lanes, slot, prec, top[0], span,
                                        STRIDE, steps);
    }
    CHECK(end[0] == bottom && end[1] == bottom);
    CHECK(memcmp(spans[0], spans[1], sizeof spans[0]) == 0);
    CHECK(memcmp(x[0], old, 4 * lanes) == 0);
    CHECK(memcmp(x[1], old, 4 * lanes) == 0);
}

static void compare_unpacked(const bbans_kernels *portable,
                             const bbans_kernels *kernels)
{
    const unsigned log2_per = 1 + below(3), per = 1u << log2_per;
    const unsigned bits = 8 / per, n_ranks = 1 + below(1u << bits);
    const size_t n = below(200), size = n << log2_per;
    uint8_t room[200], symbol[16], bytes[2][8 * 200 + 1];
    uint8_t *const packed = room + sizeof room - n; /* nothing follows */
    unsigned most = 0;
    size_t i, k;

    for (i = 0; i < 16; i++)
        symbol[i] = (uint8_t)below(256);
    memset(room, 0, sizeof room);
    for (i = 0; i < n; i++)
        for (k = 0; k < per; k++) { /* the highest ranks are rare */
            const unsigned rank = below(below(n_ranks) + 1);

            packed[i] |= (uint8_t)(rank << k * bits);
            most = rank > most ? rank : most;
        }
    bytes[0][size] = bytes[1][size] = 77;
    CHECK(portable->bytes->unpack(packed, n, log2_per, symbol, bytes[0]) ==
          most);
    CHECK(kernels->bytes->unpack(packed, n, log2_per, symbol, bytes[1]) ==
          most);
    for (i = 0; i < size; i++)
        CHECK(bytes[0][i] ==
              symbol[(unsigned)packed[i / per] >> i % per * bits &
                     ((1u << bits) - 1)]);
    CHECK(memcmp(bytes[0], bytes[1], size) == 0);
    CHECK(bytes[0][size] == 77 && bytes[1][size] == 77);
}

/* The largest weights that are any, which no sum of 32 bits holds. */
static void compare_largest_weights(const bbans_kernels *portable,
                                    const bbans_kernels *kernels)
{
    const uint32_t k[4] = {0, 7, 63, 64};
    double weight[4 * 100];
    uint32_t w[2][4 * 132], start[4], freq[4], total[4];
    size_t i;

    for (i = 0; i < 4 * 100; i++)
        weight[i] = 4 - 0x1p-40;
    CHECK(kernels->rows->row_sum(weight, BBANS_F64, 100, w[0]) ==
          portable->rows->row_sum(weight, BBANS_F64, 100, w[1]));
    for (i = 0; i < 4; i++)
        CHECK(kernels->rows->row_interval(weight, BBANS_F64, 100, k[i], start,
                                          freq) ==
              portable->rows->row_interval(weight, BBANS_F64, 100, k[i], start,
                                           freq));
    kernels->rows->weigh_rows(weight, BBANS_F64, 100, 4, w[0], total);
    for (i = 0; i < 4; i++)
        CHECK(total[i] > BBANS_TOTAL_MAX);
    kernels->rows->row_intervals(weight, BBANS_F64, 100, 4, k, start, freq,
                                 total);
    for (i = 0; i < 4; i++)
        CHECK(total[i] > BBANS_TOTAL_MAX);
}

static void compare_messages(const bbans_kernels *portable,
                             const bbans_kernels *kernels, int trials)
{
    unsigned prec;
    int trial;

    for (prec = 0; prec <= BBANS_PREC_MAX; prec++)
        for (trial = 0; trial < trials; trial++)
            compare_lanes(portable, kernels, prec);
    compare_largest_weights(portable, kernels);
    if (kernels->lanes->push_rounds != NULL)
        for (prec = BBANS_ROUND_PREC_MIN; prec <= BBANS_PREC_MAX; prec++)
            for (trial = 0; trial < trials; trial++)
                compare_rounds(portable, kernels, prec);
    if (kernels->lanes->pop_rounds != NULL)
        for (prec = BBANS_ROUND_PREC_MIN; prec <= BBANS_PREC_MAX; prec++)
            for (trial = 0; trial < trials; trial++)
                compare_popped_rounds(portable, kernels, prec);
    for (trial = 0; trial < 10 * trials; trial++) {
        compare_totals(portable, kernels);
        compare_weights(portable, kernels);
        compare_rows(portable, kernels);
    }
    for (trial = 0; trial < trials; trial++) {
        compare_bytes(portable, kernels);
        compare_unpacked(portable, kernels);
    }
    for (trial = 0; trial < trials / 10; trial++)
        compare_pairs(portable, kernels);
}

/* The common case of one value, of bins and slots, is the general one; ordinary
 * values are common. */
static void compare_near(const bbans_family *family, const bbans_place *place,
                         int64_t value, uint32_t slot, int ordinary)
{
    const int64_t u = bbans_signed((uint64_t)value - (uint64_t)place->origin);
    bbans_bin bin = bbans_bin_of_value(place, value);
    bbans_span near, want;
    int is_near = bbans_near_span(family, place, u, &near);

    want.start = bbans_edge(family, place, bin.q);
    want.end = bbans_edge(family, place, bin.q + 1);
    CHECK(!is_near || (bin.low_bits == 0 && bin.q == u &&
                       near.start == want.start && near.end == want.end));
    CHECK(is_near || !ordinary);
    bin.q = bbans_find_bin(family, place, slot, &near);
    CHECK(bin.q == bbans_search_bin(family, place, slot, &want));
    CHECK(near.start == want.start && near.end == want.end);
    CHECK(near.start <= slot && slot < near.end);
}

/* What a kernel calls easy is what bbans_family.h has; ordinary values are. */
static void compare_spans(const bbans_kernels *kernels, int ordinary)
{
    int64_t at[64], value[64], found[64];
    int32_t by[64];
    uint64_t head[64];
    bbans_span span[64], span_found[64], want;
    uint8_t easy[8], easy_found[8];
    const size_t n = 1 + below(64);
    bbans_family family;
    size_t i;

    CHECK(bbans_family_init(&family, (int)below(3)) == BBANS_OK);
    family.leakless = below(2);
    for (i = 0; i < n; i++) {
        const unsigned odd = ordinary ? 0 : below(4);

        by[i] = odd & 1 ? (int32_t)(random_bits() >> 32) >> below(32)
                        : (int32_t)below(2550);
        at[i] = bbans_signed(random_bits()) >> (odd & 2 ? below(64) : 24);
        value[i] = (at[i] >> 16) + (int64_t)below(5) - 2;
        if (odd == 3)
            value[i] += bbans_signed(random_bits()) >> below(63);
        head[i] = random_bits() >> 1;
    }
    kernels->family->locate_spans(&family, at, by, value, n, span, easy);
    kernels->family->find_values(&family, at, by, head, n, span_found, found,
                                 easy_found);
    for (i = 0; i < n; i++) {
        const int is_easy = easy[i / 8] >> i % 8 & 1;
        const int is_found = easy_found[i / 8] >> i % 8 & 1;
        const int valid =
            bbans_location_is_valid(at[i]) && bbans_scale_is_valid(by[i]);
        bbans_place place;
        bbans_bin bin = {0, 0, 0};
        int64_t v;

        CHECK(valid || (!is_easy && !is_found));
        if (!valid)
            continue;
        place = bbans_place_of(at[i], by[i], bbans_leak(&family));
        bin = bbans_bin_of_value(&place, value[i]);
        want.start = bbans_edge(&family, &place, bin.q);
        want.end = bbans_edge(&family, &place, bin.q + 1);
        CHECK(is_easy || !ordinary || want.start == want.end);
        compare_near(&family, &place, value[i],
                     bbans_slot_bits(head[i], BBANS_FAMILY_PREC), ordinary);
        if (is_easy) {
            CHECK(bin.low_bits == 0 && want.start < want.end);
            CHECK(span[i].start == want.start && span[i].end == want.end);
        }
        if (is_found) {
            bin.q = bbans_find_bin(&family, &place,
                                   bbans_slot_bits(head[i], BBANS_FAMILY_PREC),
                                   &want);
            bin.low = 0;
            CHECK(bbans_low_bits(&place, bin.q) == 0);
            CHECK(bbans_value_of_bin(&place, bin, &v) && v == found[i]);
            CHECK(want.start == span_found[i].start &&
                  want.end == span_found[i].end);
        }
    }
}

/* Scales about where they round to another, and any; what a kernel gives is
 * what the portable code does, and it gives most. */
static void compare_scales(const bbans_kernels *portable,
                           const bbans_kernels *kernels)
{
    const size_t n = below(4) == 0 ? 64 : below(65);
    uint64_t bits[64] = {0};
    float single[64];
    int32_t scale[2][64];
    unsigned given = 0;
    size_t i;

    memset(scale, 0x77, sizeof scale); /* each is to be written */
    for (i = 0; i < n; i++) {
        bits[i] = (uint64_t)(1011 + below(59)) << 52 | random_bits() >> 12;
        if (i % 2 == 0) {
            bits[i] = bits[i] >> 52 << 52 |
                      (bbans_scale_above[below(256)] & 0x7FFFFFFFu) << 21;
            bits[i] += (random_bits() >> (12 + below(52))) - (1u << 20);
        }
        if (i % 16 == 15)
            bits[i] = random_bits();
    }
    for (i = 0; i < n; i++) {
        double v;

        memcpy(&v, bits + i, sizeof v);
        single[i] = v > 1e-37 && v < 1e37 ? (float)v : 0.0f;
    }
    bbans_kernel = *portable;
    kernels->family->fix_scales(bits, BBANS_F64, n, scale[0]);
    kernels->family->fix_scales(single, BBANS_F32, n, scale[1]);
    for (i = 0; i < n; i++) {
        int32_t want[2];

        (void)bbans_scales_fix(bits + i, BBANS_F64, 1, want);
        (void)bbans_scales_fix(single + i, BBANS_F32, 1, want + 1);
        CHECK(scale[0][i] == INT32_MIN || scale[0][i] == want[0]);
        CHECK(scale[1][i] == INT32_MIN || scale[1][i] == want[1]);
        given += scale[0][i] != INT32_MIN && i % 2 == 1;
    }
    CHECK_LIKELY(n < 64 || given > 20);
    for (; i < 64; i++)
        CHECK(scale[0][i] == 0x77777777 && scale[1][i] == 0x77777777);
}

/* What a kernel gives is what the portable code does; and it gives ordinary
 * locations. */
static void compare_locations(const bbans_kernels *portable,
                              const bbans_kernels *kernels)
{
    const size_t n = below(4) == 0 ? 64 : below(65);
    double real[64] = {0};
    float single[64];
    int64_t location[2][64];
    unsigned given = 0;
    size_t i;

    memset(location, 0x77, sizeof location); /* each is to be written */
    for (i = 0; i < n; i++) {
        const int exponent = (int)below(80) - 30;
        uint64_t bits = (uint64_t)(1023 + exponent) << 52 |
                        random_bits() >> 12 | random_bits() >> 63 << 63;

        if (i % 4 == 0) /* halves of a step: they round to even */
            bits = bits >> 30 << 30;
        if (i % 16 == 15)
            bits = random_bits();
        memcpy(real + i, &bits, sizeof bits);
        single[i] = real[i] > -1e37 && real[i] < 1e37 ? (float)real[i] : 0.0f;
    }
    bbans_kernel = *portable;
    kernels->family->fix_locations(real, BBANS_F64, n, location[0]);
    kernels->family->fix_locations(single, BBANS_F32, n, location[1]);
    for (i = 0; i < n; i++) {
        int64_t want[2];

        (void)bbans_locations_fix(real + i, BBANS_F64, 1, want);
        (void)bbans_locations_fix(single + i, BBANS_F32, 1, want + 1);
        CHECK(location[0][i] == INT64_MIN || location[0][i] == want[0]);
        CHECK(location[1][i] == INT64_MIN || location[1][i] == want[1]);
        given += location[0][i] != INT64_MIN;
    }
    CHECK_LIKELY(n < 64 || given > 20);
    for (; i < 64; i++)
        CHECK(location[0][i] == 0x7777777777777777 &&
              location[1][i] == 0x7777777777777777);
}

static void compare_families(const bbans_kernels *portable,
                             const bbans_kernels *kernels)
{
    const bbans_kernels in_use = bbans_kernel, tried = *kernels;
    int trial;

    for (trial = 0; trial < SOME(2000); trial++)
        compare_spans(&tried, trial % 2);
    for (trial = 0; trial < SOME(2000); trial++) {
        compare_scales(portable, &tried);
        compare_locations(portable, &tried);
    }
    bbans_kernel = in_use;
}

/* ---- Networks ------------------------------------------------------------ */

enum { LENGTH = 150, CHANNELS = 21, WINDOWS = 30, GUARD = 16 };

static int32_t between(int32_t low, int32_t high)
{
    return (int32_t)(low + (int64_t)(random_bits() %
                                     (uint64_t)((int64_t)high - low + 1)));
}

static bbans_node random_range(void)
{
    static const int32_t range[][2] = {{0, 255},
                                       {-128, 127},
                                       {INT16_MIN, INT16_MAX},
                                       {INT32_MIN, INT32_MAX},
                                       {0, INT32_MAX},
                                       {INT32_MIN, -70000},
                                       {-7, INT16_MAX + 1},
                                       {3, 3}};
    const uint32_t k = below(sizeof range / sizeof *range);
    bbans_node node;

    memset(&node, 0, sizeof node);
    node.low = range[k][0];
    node.high = range[k][1];
    return node;
}

static int32_t random_multiplier(void)
{
    return below(4) == 0 ? (1 << 24) - 1
                         : (int32_t)below((uint32_t)1 << below(25));
}

/* A row whose sum is at the bound of the proof for windows that have its signs,
 * the bias at one of its ends. */
static int32_t random_row_of(int type, size_t length, int32_t largest,
                             void *weight)
{
    int64_t left = INT32_MAX;
    size_t k;

    for (k = 0; k < length; k++) {
        const int64_t top = type == BBANS_I8 ? 128 : 32768;
        const int64_t room = left / largest / (below(3) ? 1 : 8);
        const int32_t most = (int32_t)(room < top ? room : top);
        const int32_t w =
            below(3) == 0 || most == 0 ? -most : between(-most, most - 1);

        if (type == BBANS_I8)
            ((int8_t *)weight)[k] = (int8_t)w;
        else
            ((int16_t *)weight)[k] = (int16_t)w;
        left -= (int64_t)(w < 0 ? -w : w) * largest;
    }
    return (int32_t)(below(2) ? left : -left);
}

/* Windows at random, or with the signs of a row or the opposite ones: their
 * sums go to both ends. */
static void random_windows(const bbans_node *node, size_t length, size_t n,
                           int32_t largest, int16_t *a)
{
    const int32_t high = largest == 32768 ? 32767 : largest;
    size_t i, k;

    for (i = 0; i < n; i++, a += length) {
        const size_t row = below(node->channels);
        const int sign = below(2) ? 1 : -1;
        const uint32_t kind = below(3);

        for (k = 0; k < length; k++) {
            const int32_t w =
                node->weight_type == BBANS_I8
                    ? ((const int8_t *)node->weight)[row * length + k]
                    : ((const int16_t *)node->weight)[row * length + k];

            a[k] = (int16_t)(kind == 0               ? between(-largest, high)
                             : (w < 0) == (sign < 0) ? high
                                                     : -largest);
        }
    }
}

static void compare_affine(const bbans_kernels *portable,
                           const bbans_kernels *kernels)
{
    static int16_t weight[CHANNELS * LENGTH];
    static uint8_t out[2][4 * WINDOWS * CHANNELS + GUARD];
    const size_t length = 1 + below(below(2) ? 40 : LENGTH);
    const size_t n = 1 + below(below(3) ? WINDOWS : 2);
    const int32_t largest = below(2) ? 32768 : 1 + (int32_t)below(300);
    const size_t a_bytes = n * length * sizeof(int16_t) + BBANS_SLACK;
    bbans_node node = random_range();
    int32_t bias[CHANNELS], multiplier[CHANNELS];
    int16_t *a = malloc(a_bytes);
    uint8_t shift[CHANNELS];
    size_t row;

    CHECK(a != NULL);
    memset(a, 0x55, a_bytes);
    node.op = BBANS_OP_AFFINE;
    node.channels = 1 + below(CHANNELS);
    node.weight_type = below(2) ? BBANS_I8 : BBANS_I16;
    node.weight = weight;
    node.bias = bias;
    node.multiplier = multiplier;
    node.row_shift = shift;
    for (row = 0; row < node.channels; row++) {
        const size_t size = node.weight_type == BBANS_I8 ? 1 : 2;

        bias[row] = random_row_of(node.weight_type, length, largest,
                                  (uint8_t *)weight + row * length * size);
        multiplier[row] = random_multiplier();
        shift[row] = (uint8_t)(1 + below(62));
    }
    random_windows(&node, length, n, largest, a);
    memset(out, 0xaa, sizeof out);
    portable->network->affine(&node, length, a, n, out[0]);
    kernels->network->affine(&node, length, a, n, out[1]);
    CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0);
    free(a);
}

static void compare_combine(const bbans_kernels *portable,
                            const bbans_kernels *kernels)
{
    static const int op[] = {BBANS_OP_SUM, BBANS_OP_SCALE, BBANS_OP_PRODUCT};
    const size_t n = below(50);
    bbans_node node = random_range();
    int32_t v[2][50], out[2][50 + GUARD];
    size_t i, k;

    node.op = op[below(3)];
    node.shift = 1 + below(62);
    for (k = 0; k < (node.op == BBANS_OP_SUM ? 2 : 1); k++)
        node.factor[k] = (below(2) ? 1 : -1) * random_multiplier();
    for (k = 0; k < 2; k++)
        for (i = 0; i < n; i++) {
            const int is_short = node.op == BBANS_OP_PRODUCT;
            const int32_t low = is_short ? INT16_MIN : INT32_MIN;
            const int32_t high = is_short ? INT16_MAX : INT32_MAX;

            v[k][i] = below(3) == 0   ? low
                      : below(2) == 0 ? high
                                      : between(low, high);
        }
    memset(out, 0xaa, sizeof out);
    k = node.op == BBANS_OP_SCALE ? 0 : 1;
    portable->network->combine(&node, v[0], v[k], n, out[0]);
    kernels->network->combine(&node, v[0], v[k], n, out[1]);
    CHECK(memcmp(out[0], out[1], sizeof out[0]) == 0);
}

static void compare_networks(const bbans_kernels *portable,
                             const bbans_kernels *kernels, int trials)
{
    int trial;

    for (trial = 0; trial < trials; trial++) {
        compare_affine(portable, kernels);
        compare_combine(portable, kernels);
    }
}

/* ---- Planes and checksums ------------------------------------------------ */

#define PLANES_MAX 700 /* elements */

static void compare_planes(const bbans_kernels *portable,
                           const bbans_kernels *kernels)
{
    const size_t width = (size_t)1 << below(4), n = 1 + below(PLANES_MAX);
    uint8_t elements[8 * PLANES_MAX], back[8 * PLANES_MAX + 1];
    uint8_t expected[8 * PLANES_MAX], plane[8 * PLANES_MAX + 1];
    const uint8_t *planes[8];
    size_t i;

    for (i = 0; i < n * width; i++)
        elements[i] = (uint8_t)random_bits();
    plane[n * width] = back[n * width] = 77;
    portable->planes->split(elements, width, n, expected);
    kernels->planes->split(elements, width, n, plane);
    CHECK(memcmp(plane, expected, n * width) == 0 && plane[n * width] == 77);
    for (i = 0; i < width; i++)
        planes[i] = plane + i * n;
    kernels->planes->join(planes, width, n, back);
    CHECK(memcmp(back, elements, n * width) == 0 && back[n * width] == 77);
    portable->planes->join(planes, width, n, back);
    CHECK(memcmp(back, elements, n * width) == 0);
}

static void compare_checksums(const bbans_kernels *portable,
                              const bbans_kernels *kernels)
{
    uint8_t bytes[2048];
    const size_t n = below(sizeof bytes + 1), at = below((uint32_t)n + 1);
    const uint32_t crc = (uint32_t)random_bits();
    size_t i;

    for (i = 0; i < n; i++)
        bytes[i] = (uint8_t)random_bits();
    CHECK(kernels->checksum->crc32(crc, bytes, n) ==
          portable->checksum->crc32(crc, bytes, n));
    CHECK(kernels->checksum->crc32(kernels->checksum->crc32(crc, bytes, at),
                                   bytes + at, n - at) ==
          portable->checksum->crc32(crc, bytes, n));
}

/* Of one bit, by the definition. */
static void test_checksum(void)
{
    uint32_t crc = ~(uint32_t)0;
    size_t i;

    for (i = 0; i < 9; i++) {
        unsigned k;

        crc ^= (uint8_t) "123456789"[i];
        for (k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
    CHECK(~crc == 0xcbf43926);
    CHECK(bbans_crc32(0, (const uint8_t *)"123456789", 9) == 0xcbf43926);
}

#if defined(BBANS_HAVE_X86) && !defined(BBANS_EMULATE)
/* Words popped by gathers and by single loads: a machine uses one of them. */
static void compare_pops(void)
{
    static uint32_t pad[4 + (1 << 18) + 2], *const slot = pad + 4;
    static uint8_t words[2 * 8192 + 64], bytes[2][128 * 80];
    const bbans_bytes_kernels *const pop[] = {&bbans_bytes_avx512,
                                              &bbans_bytes_avx512_gathering};
    const size_t lanes = (size_t)16 << below(4), n = 4 * lanes * below(17);
    const unsigned prec = below(2) ? 12 : 10;
    uint32_t x[2][128], first[128];
    const uint8_t *end[2];
    size_t i, k;

    for (i = 0; i < (size_t)1 << 18; i++)
        slot[i] = (1 + below(4095)) << 20 | (below(4096) << 8) | below(64);
    for (i = 0; i < sizeof words; i++)
        words[i] = (uint8_t)random_bits();
    for (i = 0; i < lanes; i++)
        first[i] = BBANS_BYTES_STATE_MIN + below(1 << 20);
    for (k = 0; k < 2; k++) {
        memcpy(x[k], first, sizeof first);
        memset(bytes[k], 5, sizeof bytes[k]);
        end[k] = pop[k]->pop(x[k], lanes, slot, words, bytes[k], n);
    }
    CHECK(end[0] == end[1] && memcmp(bytes[0], bytes[1], n) == 0 &&
          memcmp(x[0], x[1], 4 * lanes) == 0);
    for (k = 0; k < 2; k++)
        end[k] = pop[k]->pop_pairs(x[k], lanes, slot, prec, words, bytes[k], 80,
                                   n / lanes + 3);
    CHECK(end[0] == end[1] &&
          memcmp(bytes[0], bytes[1], sizeof bytes[0]) == 0 &&
          memcmp(x[0], x[1], 4 * lanes) == 0);
}
#endif

/* ---- Decisions about residuals of signals -------------------------------- */

#define MIXED_STEPS 40 /* of one set of rows and weights */

typedef struct {
    uint16_t rows[BBANS_MIXED_MAX][BBANS_MIXED_NODES];
    int32_t weight[BBANS_MIXED_NODES * BBANS_MIXED_MAX];
    bbans_mixed mixed;
} decisions;

/* Anything that rows and weights can be; the ends of it now and then. */
static void random_decisions(decisions *d, unsigned vectors)
{
    const uint32_t kind = below(4);
    size_t i, k;

    for (i = 0; i < BBANS_MIXED_MAX; i++) {
        for (k = 0; k < BBANS_MIXED_NODES; k++)
            d->rows[i][k] = (uint16_t)(kind == 0   ? 1 + below(2) * 65533
                                       : kind == 1 ? 30000 + below(5000)
                                                   : 1 + below(65534));
        for (k = 0; k < 2; k++)
            d->mixed.share[k][i] =
                (uint16_t)(kind == 0 ? 65535 - below(2) : 500 + below(43191));
        d->mixed.row[i] = d->rows[i];
    }
    for (i = 0; i < BBANS_MIXED_NODES * BBANS_MIXED_MAX; i++)
        d->weight[i] =
            kind == 0 ? BBANS_MIXED_LIMIT * (1 - 2 * (int32_t)below(2))
            : kind == 1
                ? (int32_t)below(16384)
                : (int32_t)below(2 * BBANS_MIXED_LIMIT + 1) - BBANS_MIXED_LIMIT;
    d->mixed.weight = d->weight;
    d->mixed.vectors = vectors;
    d->mixed.rate = (int32_t)below(128);
}

static void copy_decisions(decisions *to, const decisions *from)
{
    size_t i;

    *to = *from;
    to->mixed.weight = to->weight;
    for (i = 0; i < BBANS_MIXED_MAX; i++)
        to->mixed.row[i] = to->rows[i];
}

static void check_same_decisions(const decisions *a, const decisions *b)
{
    CHECK(memcmp(a->rows, b->rows, sizeof a->rows) == 0);
    CHECK(memcmp(a->weight, b->weight, sizeof a->weight) == 0);
}

static void compare_decisions(const bbans_kernels *portable,
                              const bbans_kernels *kernels, int trials)
{
    static decisions a, b, c;
    int trial, step;

    for (trial = 0; trial < trials; trial++) {
        const unsigned depth = 1 + below(5);

        random_decisions(&a, 1 + below(2));
        copy_decisions(&b, &a);
        copy_decisions(&c, &a);
        for (step = 0; step < MIXED_STEPS; step++) {
            const uint32_t leaf = below((uint32_t)1 << depth);
            bbans_span one, another, third;
            uint32_t slot;

            portable->residual->encode(&a.mixed, depth, leaf, &one);
            kernels->residual->encode(&b.mixed, depth, leaf, &another);
            CHECK(one.start == another.start && one.end == another.end);
            CHECK(one.end - one.start >= 2 && one.end <= (uint32_t)1 << 28);
            check_same_decisions(&a, &b);
            slot = one.start + below(one.end - one.start);
            CHECK(kernels->residual->decode(&c.mixed, depth, slot, &third) ==
                  leaf);
            CHECK(one.start == third.start && one.end == third.end);
            check_same_decisions(&a, &c);
        }
    }
}

/* ---- Decisions about bytes ----------------------------------------------- */

#define MIX_STEPS 40  /* of one set of rows and weights */
#define MIX_PLACES 24 /* of rows: contexts share some */

typedef struct {
    bbans_mix_tree tree;
    uint16_t rows[MIX_PLACES][BBANS_MIX_SLOTS];
    uint16_t match[BBANS_MIX_MATCHES];
    int16_t weight[BBANS_MIX_SLOTS + 2][BBANS_MIX_MAX];
    bbans_mix mix;
} mixing;

/* Slots, all or those at the ends, or at one of them. */
static uint16_t random_slot(uint32_t kind)
{
    return kind == 4   ? bbans_mix_slot(4095, below(16))
           : kind == 0 ? bbans_mix_slot(4095 * below(2), below(16))
                       : (uint16_t)below(1 << 16);
}

/* Anything that rows and weights can be; the ends of it now and then. */
static void random_mixing(mixing *d)
{
    const uint32_t kind = below(5);
    int16_t *weight = d->weight[0];
    size_t i, k;

    for (i = 0; i < MIX_PLACES; i++)
        for (k = 0; k < BBANS_MIX_SLOTS; k++)
            d->rows[i][k] = random_slot(kind);
    for (i = 0; i < BBANS_MIX_MATCHES; i++)
        d->match[i] = random_slot(kind);
    for (i = 0; i < sizeof d->weight / sizeof *weight; i++)
        weight[i] = kind == 4   ? 32767
                    : kind == 0 ? (int16_t)(below(2) ? 32767 : -32768)
                    : kind == 1 ? (int16_t)below(13108)
                                : (int16_t)((int32_t)below(1 << 16) - 32768);
    d->mix.inputs = BBANS_MIX_MAX >> below(2);
    d->mix.matches = d->mix.inputs / 8;
    d->mix.rate = (int32_t)below(128);
}

/* Where a half's rows are, whether they are fresh, and what matches say. */
static void random_half(mixing *d)
{
    const unsigned contexts = d->mix.inputs - d->mix.matches;
    const uint32_t left = (uint32_t)1 << 28;
    unsigned i;

    for (i = 0; i < contexts; i++) {
        d->mix.row[i] = d->rows[below(MIX_PLACES)];
        d->mix.from[i] = below(3) ? d->mix.row[i] : d->rows[below(MIX_PLACES)];
        d->mix.check[i] = (uint16_t)below(1 << 16);
    }
    for (i = 0; i < d->mix.matches; i++)
        d->mix.expected[i] = below(BBANS_MIX_NONE + 1);
    d->mix.below = 4 * below(2);
    d->mix.left = below(2) ? left : left - below(left - 256);
    d->mix.start = below(left - d->mix.left + 1);
}

static void copy_mixing(mixing *to, const mixing *from)
{
    const uint16_t *const base = from->rows[0];
    uint16_t *const rows = to->rows[0];
    size_t i;

    *to = *from;
    to->mix.tree = &to->tree;
    for (i = 0; i < from->mix.inputs - from->mix.matches; i++) {
        to->mix.row[i] = rows + (from->mix.row[i] - base);
        to->mix.from[i] = rows + (from->mix.from[i] - base);
    }
    for (i = 0; i < BBANS_MIX_MATCHES; i++)
        to->mix.match[i] = to->match + i;
    to->mix.weight[0] = to->weight[0];
    to->mix.weight[1] = to->weight[1];
    to->mix.weight[2] = to->weight[BBANS_MIX_SLOTS + 1];
}

static void check_same_mixing(const mixing *a, const mixing *b)
{
    CHECK(a->mix.start == b->mix.start && a->mix.left == b->mix.left);
    CHECK(memcmp(a->rows, b->rows, sizeof a->rows) == 0);
    CHECK(memcmp(a->match, b->match, sizeof a->match) == 0);
    CHECK(memcmp(a->weight, b->weight, sizeof a->weight) == 0);
}

static void compare_mixing(const bbans_kernels *portable,
                           const bbans_kernels *kernels, int trials)
{
    static mixing next, a, b, c;
    int trial, step;

    for (trial = 0; trial < trials; trial++) {
        random_mixing(&next);
        for (step = 0; step < MIX_STEPS; step++) {
            uint32_t slot, half;

            random_half(&next);
            half = below(2) ? next.mix.expected[0] : BBANS_MIX_NONE;
            half = half < BBANS_MIX_NONE ? half : below(BBANS_MIX_NONE);
            copy_mixing(&a, &next);
            copy_mixing(&b, &next);
            copy_mixing(&c, &next);
            portable->mixing->encode(&a.mix, half);
            slot = a.mix.start + below(a.mix.left);
            portable->mixing->learn(&a.mix, half);
            kernels->mixing->encode(&b.mix, half);
            kernels->mixing->learn(&b.mix, half);
            check_same_mixing(&a, &b);
            CHECK(kernels->mixing->decode(&c.mix, slot) == half);
            kernels->mixing->learn(&c.mix, half);
            check_same_mixing(&a, &c);
            CHECK(a.mix.left >= (uint32_t)1 << a.mix.below);
            copy_mixing(&next, &a);
        }
    }
}

/* docs/maths.md, "The frozen HMM": 2^min(12, 18 - bl(K - 1)). */
static void test_floor(void)
{
    static const struct {
        size_t states;
        uint32_t floor;
    } cases[] = {{1, 4096},   {63, 4096},  {64, 4096},  {65, 2048},
                 {128, 2048}, {129, 1024}, {256, 1024}, {300, 512}};
    size_t i;

    for (i = 0; i < sizeof cases / sizeof *cases; i++) {
        model m = random_model(cases[i].states, 2, 12);

        CHECK(m.hmm.floor == cases[i].floor);
        free(m.memory);
    }
}

/* ---- Predictions of signals ---------------------------------------------- */

#define LONG 1024

/* |value| <= most */
static int32_t noise(int32_t most)
{
    return (int32_t)((int64_t)below(2 * (uint32_t)most + 1) - most);
}

static void compare_predictions(const bbans_kernels *portable,
                                const bbans_kernels *kernels, int trials)
{
    const bbans_predict_kernels *slow = portable->predict;
    const bbans_predict_kernels *fast = kernels->predict;
    static int32_t a[LONG], b[2 * LONG], w[2][LONG];
    static int64_t sums[2][33 * 33 + LONG];
    static int16_t h[LONG + 1];
    static uint8_t shift[LONG];
    int trial;

    for (trial = 0; trial < trials; trial++) {
        const unsigned bits = 1 + below(30), few = 1 + below(25);
        const size_t n = below(70), steps = below(600);
        const size_t block = (size_t)16 << below(2),
                     order = 16 * (1 + below(LONG / 16));
        const size_t nx = 1 + below(33), ny = 1 + below(33);
        const int32_t g = noise(INT16_MAX);
        size_t i;

        for (i = 0; i < LONG; i++)
            a[i] = below(8) == 0 ? (int32_t)1 << few : noise((1 << few) - 1);
        for (i = 0; i < 2 * LONG; i++)
            b[i] =
                below(8) == 0 ? -((int32_t)1 << bits) : noise((1 << bits) - 1);
        CHECK(fast->dot(a, b, n) == slow->dot(a, b, n));
        memset(sums, 0, sizeof sums);
        fast->fir(a, n, b, steps, sums[0]);
        slow->fir(a, n, b, steps, sums[1]);
        CHECK(memcmp(sums[0], sums[1], sizeof *sums) == 0);
        for (i = 0; i <= LONG; i++)
            h[i] = (int16_t)noise(16383);
        for (i = 0; i < LONG; i++)
            w[0][i] = w[1][i] = bbans_signed32((uint32_t)random_bits());
        for (i = 0; i < 2; i++)
            CHECK(fast->adapt(w[0], h, order, g) ==
                  slow->adapt(w[1], h, order, g));
        CHECK(memcmp(w[0], w[1], sizeof *w) == 0);
        for (i = 0; i < LONG; i++) {
            a[i] = noise((1 << (few < 23 ? few : 23)) - 1);
            shift[i] = (uint8_t)below(61 - 10 - 2 * (few < 23 ? few : 23));
        }
        memset(sums, 0, sizeof sums);
        fast->covariances(a, nx, a + n, ny, shift, block, steps, sums[0]);
        slow->covariances(a, nx, a + n, ny, shift, block, steps, sums[1]);
        CHECK(memcmp(sums[0], sums[1], sizeof *sums) == 0);
    }
}

int main(void)
{
    bbans_kernels portable;
    unsigned mode;
    int isa, trial, tested = 0;

#ifdef BBANS_EMULATE /* intrinsics in plain C: make emulate */
    static const bbans_kernels avx512 = {.isa = BBANS_ISA_AVX512,
                                         .hmm = &bbans_hmm_avx512,
                                         .levels = &bbans_levels_avx512,
                                         .lanes = &bbans_lanes_avx512,
                                         .totals = &bbans_totals_avx512,
                                         .rows = &bbans_rows_avx512,
                                         .predict = &bbans_predict_avx512,
                                         .bytes = &bbans_bytes_avx512,
                                         .family = &bbans_family_avx512,
                                         .network = &bbans_network_avx512,
                                         .tree = &bbans_tree_avx512};

    portable = bbans_kernel;
    for (trial = 0; trial < SOME(100); trial++)
        compare(&portable, &avx512, 1 + below(STATES_MAX), 9 + below(20));
    for (trial = 0; trial < SOME(100); trial++)
        compare_contexts(&portable, &avx512);
    for (trial = 0; trial < SOME(1000); trial++)
        compare_levels(&portable, &avx512);
    for (trial = 0; trial < SOME(100); trial++)
        compare_trees(&portable, &avx512, 2 + below(STATES_MAX - 1));
    compare_messages(&portable, &avx512, TRIALS);
    compare_families(&portable, &avx512);
    compare_networks(&portable, &avx512, SOME(1000));
    compare_predictions(&portable, &avx512, SOME(300));
    printf("test_kernels: avx512, emulated, equals portable\n");
    return 0;
#endif
    test_floor();
    bbans_isa_use(BBANS_ISA_PORTABLE);
    portable = bbans_kernel;
    /* Of a build without others, the table leaves these out. */
    portable.residual = &bbans_residual_portable;
    portable.mixing = &bbans_mixing_portable;
    compare_messages(&portable, &portable, TRIALS);
    compare_decisions(&portable, &portable, SOME(2000));
    compare_mixing(&portable, &portable, SOME(500));
    test_checksum();
    FOR_EACH_ISA(isa)
    {
        if (isa == BBANS_ISA_PORTABLE)
            continue;
        for (trial = 0; trial < SOME(300); trial++)
            compare(&portable, &bbans_kernel, 1 + below(STATES_MAX),
                    9 + below(20));
        for (trial = 0; trial < SOME(300); trial++)
            compare_contexts(&portable, &bbans_kernel);
        for (trial = 0; trial < SOME(3000); trial++)
            compare_levels(&portable, &bbans_kernel);
        for (trial = 0; trial < SOME(300); trial++)
            compare_trees(&portable, &bbans_kernel, 2 + below(STATES_MAX - 1));
        for (mode = 0; mode < 4; mode++) {
            set_rounding(mode);
            compare_messages(&portable, &bbans_kernel,
                             mode == 0 ? TRIALS : TRIALS / 10);
        }
        set_rounding(0);
        compare_networks(&portable, &bbans_kernel, SOME(5000));
        compare_decisions(&portable, &bbans_kernel, SOME(5000));
        compare_mixing(&portable, &bbans_kernel, SOME(2000));
        for (trial = 0; trial < SOME(2000); trial++) {
            compare_planes(&portable, &bbans_kernel);
            compare_checksums(&portable, &bbans_kernel);
        }
#ifdef BBANS_HAVE_X86
        if (bbans_kernel.bytes == &bbans_bytes_avx512 ||
            bbans_kernel.bytes == &bbans_bytes_avx512_gathering)
            for (trial = 0; trial < 50; trial++)
                compare_pops();
#endif
        compare_predictions(&portable, &bbans_kernel, SOME(2000));
        if (bbans_kernel.family != portable.family) /* to it nothing is easy */
            compare_families(&portable, &bbans_kernel);
        printf("test_kernels: %s equals portable\n", bbans_isa_name(isa));
        tested++;
    }
    printf("test_kernels: ok, %d compared\n", tested);
    return 0;
}
