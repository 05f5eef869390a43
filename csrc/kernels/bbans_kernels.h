/* Private to csrc/: the kernels, and what they have in common with their
 * callers.
 *
 * Kernels are arithmetic only: they cannot fail and check nothing.  Each group
 * is a table of functions, and each file of kernels/ defines those of one
 * instruction set, bbans_<group>_<isa>.  The portable ones define the results:
 * docs/maths.md, "The frozen HMM".  A kernel may call the portable or a
 * narrower one of its group.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_KERNELS_H
#define BBANS_KERNELS_H

#include "../bbans.h"

#include <string.h>

/* Instruction sets by function attribute, not by flags per file.  An embedded
 * build defines BBANS_PORTABLE and has the portable kernels alone. */
#if !defined(BBANS_PORTABLE) && (defined(__GNUC__) || defined(__clang__))
#ifndef BBANS_TARGET
#define BBANS_TARGET(isa) __attribute__((target(isa)))
#endif
/* Before a loop whose count is known, for arrays of vectors to be registers,
 * whatever the optimisation. */
#ifdef __clang__
#define BBANS_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define BBANS_UNROLLED _Pragma("GCC unroll 8")
#endif
#if defined(__x86_64__)
#define BBANS_HAVE_X86
#elif defined(__aarch64__)
#define BBANS_HAVE_NEON
#elif defined(__wasm_simd128__)
#define BBANS_HAVE_WASM
#endif
#endif

/* ---- Hidden Markov models ------------------------------------------------ */

#define BBANS_FILTER_BITS 32
#define BBANS_POSTERIOR_BITS 26
#define BBANS_SHORT_MAX 32767

/* A context of a symbol: its entries, b, the room 2^16 - 2^8 b and the sum G of
 * its weights.  Once a symbol x is placed, how many entries are below it,
 * whether the next one is its own, and W(x) and W(x + 1): docs/maths.md,
 * "Emissions that depend on earlier symbols". */
typedef struct {
    const uint8_t *symbol, *sum; /* [entries], as bbans_contexts has them */
    size_t entries;
    uint32_t back_off, room, whole;
    size_t before, hit;
    uint32_t below, above;
} bbans_level;

/* Those of one symbol, from the shortest to the longest, without the empty
 * one. */
typedef struct {
    bbans_level level[BBANS_ORDER_MAX];
    size_t n;
} bbans_path;

/* `stride` is a multiple of 16; arrays need no alignment. */
typedef struct {
    /* One filter step: emitting [stride], the masses below 2^29 with which the
     * states emit the symbol, 0 beyond them; predicted [stride] in and out,
     * filtered [stride] out. */
    void (*filter)(const bbans_hmm *hmm, const uint32_t *emitting,
                   uint32_t *predicted, uint32_t *filtered);
    /* Its halves, of which the second may come later, and for two sequences of
     * one model together.  Between them predicted [stride / 2] holds the
     * filtered weights in 15 bits, m_2a + 2^16 m_2a+1. */
    void (*weigh)(uint32_t *predicted, const uint32_t *emitting, size_t stride,
                  uint32_t *filtered);
    void (*predict)(const bbans_hmm *hmm, uint32_t *const *predicted, size_t n);
    /* edge[0 .. stride] = running sums of the posterior weights; into [stride]
     * is the column A_ij of the next state, or NULL.  Returns edge[stride] = N
     * < 2^26, early: the division by it need not wait for the sums. */
    uint32_t (*posterior)(const uint32_t *filtered, const uint32_t *into,
                          size_t stride, uint32_t *edge);
    /* Of these weights only state i's interval, edge[i] and edge[i + 1] -
     * edge[i]; returns N. */
    uint32_t (*interval)(const uint32_t *filtered, const uint32_t *into,
                         size_t stride, size_t i, uint32_t *start,
                         uint32_t *freq);
    /* The sum of weight[i] value[i], below 2^64. */
    uint64_t (*dot)(const uint32_t *weight, const uint32_t *value,
                    size_t stride);
    /* About which symbol holds a slot, of 2^prec, of the predictive
     * distribution of weights: how many of rows 1 .. symbols - 1 of sums
     * [symbols + 1] [stride] have sum_i h_i sums[x][i] <= that of the last row
     * times (2 slot
     * + 1) / 2^(prec + 1), with h_i = weight[i] >> 17. */
    size_t (*guess)(const uint32_t *weight, const int16_t *sums, size_t symbols,
                    size_t stride, unsigned prec, uint32_t slot);
    /* Contexts of x[t], of which x[0 .. t - 1] are read; and a symbol placed in
     * them. */
    void (*walk)(const bbans_hmm *hmm, const uint32_t *x, size_t t,
                 bbans_path *path);
    void (*place)(bbans_path *path, uint32_t x);
    /* How many of edge[0 .. n - 1], which do not fall, are <= slot < 2^28. */
    size_t (*rank)(const uint32_t *edge, size_t n, uint32_t slot);
} bbans_hmm_kernels;

/* Rows of short_sums from row `symbols` on: a kernel may read them. */
#define BBANS_ROWS_AFTER 8

/* all < 2^30 */
static inline uint32_t bbans_guess_limit(uint32_t all, unsigned prec,
                                         uint32_t slot)
{
    return (uint32_t)((uint64_t)all * (2 * slot + 1) >> (prec + 1));
}

/* A tile of short_pairs: from column j on, the width of its rows, and where the
 * pair of states 2 a and 2 a + 1 lies in it. */
#define BBANS_TILE 64

static inline size_t bbans_tile_width(size_t stride, size_t j)
{
    return stride - j < BBANS_TILE ? stride - j : BBANS_TILE;
}

static inline size_t bbans_tile_row(size_t stride, size_t j, size_t a)
{
    return j * stride + 2 * a * bbans_tile_width(stride, j);
}

/* The other form of the filter, in two parts; `stride` is a multiple of 16. */
typedef struct {
    /* filtered [stride] as above, and at 15 bits m [stride]. */
    void (*weigh)(const uint32_t *predicted, const uint32_t *emitting,
                  size_t stride, uint32_t *filtered, int16_t *m);
    /* predicted [stride] = max(least, sum_i m_i Ah_ij). */
    void (*predict)(const bbans_sparse *sparse, const int16_t *m, size_t stride,
                    uint32_t least, uint32_t *predicted);
} bbans_sparse_kernels;

/* ---- Hierarchical hidden Markov models ----------------------------------- */

#define BBANS_JOINT_BITS 31

/* n and width are multiples of 8; arrays need no alignment. */
typedef struct {
    /* filtered [n] = predicted[i] emitting[i mod width], scaled to a sum of
     * JOINT_BITS bits.  The sum of predicted is below 2^32, masses below 2^29.
     */
    void (*observe)(const uint32_t *predicted, const uint32_t *emitting,
                    size_t width, size_t n, uint32_t *filtered);
    /* out[i][j] = (the sum of c[i][k] x[k][j] >> shift) + more, i < rows, k <
     * terms, j < n.  Rows of c and out are c_stride and out_stride apart.  All
     * sums are below 2^(32 + shift) and 2^63. */
    void (*contract)(const uint32_t *c, size_t c_stride, size_t rows,
                     const uint32_t *x, size_t terms, size_t n, uint32_t *out,
                     size_t out_stride, unsigned shift, uint32_t more);
    /* sum[j] = the sum of c[k] x[k][j], j < n, below 2^63. */
    void (*combine)(const uint32_t *c, const uint32_t *x, size_t terms,
                    size_t n, uint64_t *sum);
} bbans_levels_kernels;

/* ---- Factorial hidden Markov models -------------------------------------- */

/* At 15 bits two weights or masses are in a number, the first one below.  n is
 * a multiple of 8; arrays need no alignment. */
typedef struct {
    /* out [(rows + 1) / 2][n]: weights w [rows][n] below 2^31, as
     * bbans_short_weight has them, two rows in each; after the last of an odd
     * number comes 0. */
    void (*pair)(const uint32_t *w, size_t rows, size_t n, unsigned shift,
                 uint32_t *out);
    /* out [n / 2]: of w [n], two neighbours in each. */
    void (*narrow)(const uint32_t *w, size_t n, unsigned shift, uint32_t *out);
    /* out[i][j] = max(least, the sums of products of c[i][k] and x[k][j]), i <
     * rows, k < pairs, j < n, below 2^31.  x and out have rows of n. */
    void (*multiply)(const uint32_t *c, size_t rows, const uint32_t *x,
                     size_t pairs, size_t n, uint32_t least, uint32_t *out);
} bbans_factors_kernels;

/* min(32767, w 2^-shift), rounded, 1 <= shift. */
static inline uint32_t bbans_short_weight(uint32_t w, unsigned shift)
{
    const uint32_t m = (w + ((uint32_t)1 << (shift - 1))) >> shift;

    return m < BBANS_SHORT_MAX ? m : BBANS_SHORT_MAX;
}

/* ---- Latent trees -------------------------------------------------------- */

#define BBANS_UPWARD_MIN 4u
#define BBANS_MESSAGE_BITS 31

/* Weights [stride], a multiple of 16; factors f [stride] below 2^31, and
 * matrices a [states][stride] of 15 bits, whose rows sum to 2^15, are 0 beyond
 * the states. */
typedef struct {
    /* Upward weights u times f, scaled to 32 bits of the largest, UPWARD_MIN at
     * least; those beyond the states mean nothing. */
    void (*absorb)(uint32_t *u, const uint32_t *f, size_t stride);
    /* Downward weights g times f, scaled to a sum of 32 bits. */
    void (*weigh)(uint32_t *g, const uint32_t *f, size_t stride);
    /* What a child's upward weights say of its parent's states, a factor: the
     * sums of a[z][k] floor(u[k] / 4), scaled to MESSAGE_BITS of the largest.
     */
    void (*up)(const uint16_t *a, size_t states, size_t stride,
               const uint32_t *u, uint32_t *f);
    /* The weights of a child's states from its parent's downward weights:
     * max(least, the sum of h[z] a[z][k]), h being g at 15 bits; 0 beyond the
     * states. */
    void (*down)(const uint16_t *a, size_t states, size_t stride,
                 const uint32_t *g, uint32_t least, uint32_t *p);
} bbans_tree_kernels;

/* ---- Lanes of a message -------------------------------------------------- */

#define BBANS_HEAD_MIN ((uint64_t)1 << 31)

/* The interval [start, end) of a table: two neighbouring edges. */
typedef struct {
    uint32_t start, end;
} bbans_span;

/* A symbol's interval, and what its kernel divides by freq with. */
typedef struct {
    uint32_t freq, start;
    uint64_t inverse;
} bbans_coded_symbol;

#ifdef BBANS_HAVE_X86
#define BBANS_CODED_SYMBOLS_MAX 256
#else
#define BBANS_CODED_SYMBOLS_MAX 1 /* no kernel has them */
#endif
#define BBANS_ROUND_LANES 16
#define BBANS_ROUND_LANES_MAX 512
#define BBANS_ROUND_PREC_MIN 13

/* A row in 2^bits equal parts: of each, the first symbol that has slots in it,
 * and the symbol after that one, whose frequency is freq ^ other. */
#ifdef BBANS_HAVE_X86
#define BBANS_CELL_BITS_MAX 11
#else
#define BBANS_CELL_BITS_MAX 1 /* no kernel has them */
#endif
typedef struct {
    uint32_t start, freq, other, after;
} bbans_cell;

typedef struct {
    unsigned bits; /* 4 to prec - 4 */
    bbans_cell cell[1 << BBANS_CELL_BITS_MAX];
} bbans_cells;

/* Those of a table's first row. */
void bbans_table_cells(const bbans_table *table, unsigned bits,
                       bbans_cells *cells);

/* Heads are in [2^31, 2^63), as in every message of several lanes.  Push goes
 * from head[n - 1] to head[0]; its words go to `top`, where there is room for n
 * of them, and it returns the new top.  Pop goes the other way, and there are
 * at least n words below the top. */
typedef struct {
    /* Push span[i], of 2^prec slots, on head[i]. */
    uint32_t *(*push)(uint64_t *head, const bbans_span *span, size_t n,
                      unsigned prec, uint32_t *top);
    /* Pop span[i], which holds the slot of head[i]. */
    const uint32_t *(*advance)(uint64_t *head, const bbans_span *span, size_t n,
                               unsigned prec, const uint32_t *top);
    /* The largest of n, or 0. */
    uint32_t (*max_u32)(const uint32_t *v, size_t n);
    /* Push symbol[i] on head[i], under one row of edges. */
    uint32_t *(*push_symbols)(uint64_t *head, const uint32_t *edge,
                              const uint32_t *symbol, size_t n, unsigned prec,
                              uint32_t *top);
    /* The same for *left symbols, whole rounds over all the lanes, a multiple
     * of BBANS_ROUND_LANES of them up to BBANS_ROUND_LANES_MAX, for precisions
     * from BBANS_ROUND_PREC_MIN on; ends before a round in which one is not
     * below `symbols`, and says in *left how many are left.  prepare_row is for
     * BBANS_CODED_SYMBOLS_MAX symbols or fewer; returns 0 where the machine
     * does not round as the kernel needs it.  NULL where this is no faster. */
    int (*prepare_row)(const uint32_t *edge, size_t symbols,
                       bbans_coded_symbol *coded);
    uint32_t *(*push_rounds)(uint64_t *head, size_t lanes,
                             const bbans_coded_symbol *coded, uint32_t symbols,
                             const uint32_t *symbol, size_t *left,
                             unsigned prec, uint32_t *top);
    /* Pop n symbols, whole rounds as well, under the one row of a table, by its
     * cells.  NULL where this is no faster. */
    const uint32_t *(*pop_rounds)(uint64_t *head, size_t lanes,
                                  const bbans_table *table,
                                  const bbans_cells *cells, uint32_t *symbol,
                                  size_t n, const uint32_t *top);
} bbans_lanes_kernels;

#define BBANS_SPILLED ((uint64_t)1 << 63) /* above all quotients */

/* Of any totals, not of 2^prec slots. */
typedef struct {
    /* Push value[i], uniform below the total; and pop it. */
    uint32_t *(*push_values)(uint64_t *head, const uint32_t *value, size_t n,
                             uint32_t total, uint32_t *top);
    const uint32_t *(*pop_values)(uint64_t *head, uint32_t *value, size_t n,
                                  uint32_t total, const uint32_t *top);
    /* Push slots start[i] .. start[i] + freq[i] - 1 of total[i]. */
    uint32_t *(*push_shares)(uint64_t *head, const uint32_t *start,
                             const uint32_t *freq, const uint32_t *total,
                             size_t n, uint32_t *top);
    /* Pop them in two halves: quotient, with BBANS_SPILLED if the head moves a
     * word first, and slot of head[i] in its total, which leave the head as it
     * is; then the new heads, for rest = slot - start. */
    void (*pop_start)(const uint64_t *head, const uint32_t *total, size_t n,
                      uint64_t *quotient, uint32_t *slot);
    const uint32_t *(*pop_finish)(uint64_t *head, const uint64_t *quotient,
                                  const uint32_t *rest, const uint32_t *freq,
                                  size_t n, const uint32_t *top);
} bbans_totals_kernels;

#if defined(BBANS_HAVE_X86) || defined(BBANS_HAVE_NEON)
/* The kernel push_symbols by a kernel push: spans go through a buffer. */
static inline uint32_t *
bbans_push_in_parts(uint32_t *(*push)(uint64_t *head, const bbans_span *span,
                                      size_t n, unsigned prec, uint32_t *top),
                    uint64_t *head, const uint32_t *edge,
                    const uint32_t *symbol, size_t n, unsigned prec,
                    uint32_t *top)
{
    bbans_span span[64];
    size_t i;

    while (n > 0) {
        const size_t part = (n - 1) % 64 + 1;

        n -= part;
        for (i = 0; i < part; i++) /* two neighbouring edges at once */
            memcpy(span + i, edge + symbol[n + i], sizeof *span);
        top = push(head + n, span, part, prec, top);
    }
    return top;
}
#endif

/* ---- Linear prediction of signals ---------------------------------------- */

#define BBANS_COVARIANCES_MAX 33

typedef struct {
    /* The sum of a[i] b[i]. */
    int64_t (*dot)(const int32_t *a, const int32_t *b, size_t n);
    /* sum[t] += the sum of coefficient[i] value[t + i], t < n. */
    void (*fir)(const int32_t *coefficient, size_t taps, const int32_t *value,
                size_t n, int64_t *sum);
    /* w[i] += g h[i]; returns the sum of floor(w[i] / 2^16) h[i + 1] modulo
     * 2^32.  |g|, |h[i]| < 2^15; n is a multiple of 16. */
    uint32_t (*adapt)(int32_t *w, const int16_t *h, size_t n, int32_t g);
    /* sum[i ny + j] += over all k < steps of x[k + i] y[k + j] 2^shift, for j
     * >= i only; a shift is for `block` of the k.  i < nx, j < ny <=
     * COVARIANCES_MAX; |x|, |y| < 2^24; x[steps + nx - 1], y[steps + ny + 2]
     * and all before them may be read. */
    void (*covariances)(const int32_t *x, size_t nx, const int32_t *y,
                        size_t ny, const uint8_t *shift, size_t block,
                        size_t steps, int64_t *sum);
} bbans_predict_kernels;

/* ---- Decisions about residuals of signals -------------------------------- */

/* A node's entry in a row is the probability of 1 in 2^-16; entry 0 is the
 * caller's. */
#define BBANS_MIXED_NODES 32
#define BBANS_MIXED_WIDTH 8
#define BBANS_MIXED_MAX (2 * BBANS_MIXED_WIDTH)
#define BBANS_MIXED_LIMIT ((1 << 17) - 1)
#define BBANS_ERROR_BITS 12
#define BBANS_ERROR_SHIFT (28 - BBANS_ERROR_BITS)
#define BBANS_ERROR_HALF ((uint32_t)1 << (BBANS_ERROR_SHIFT - 1))

typedef struct {
    uint16_t *row[BBANS_MIXED_MAX]; /* [width] of NODES entries each   */
    /* What of the way to its bit an entry goes, in 2^-16: at depths 0 and 1,
     * and below. */
    uint16_t share[2][BBANS_MIXED_MAX];
    int32_t *weight;  /* [NODES][width] in 2^-16 */
    unsigned vectors; /* width / WIDTH: 1 or 2 */
    int32_t rate;     /* below 2^7 */
} bbans_mixed;

/* floor(v / 2^bits). */
static inline int32_t bbans_floor_of(int32_t v, unsigned bits)
{
    return v < 0 ? ~(~v >> bits) : v >> bits;
}

static inline int32_t bbans_floor_16(int32_t v)
{
    return bbans_floor_of(v, 16);
}

/* How many of `left` slots are for a 0, if `ones` of 2^28 are for a 1 and
 * either has `least` at least: 2 <= 2 least <= left. */
static inline uint32_t bbans_zeros_of(uint32_t left, uint32_t least,
                                      uint32_t ones)
{
    return least + (uint32_t)(((uint64_t)(left - 2 * least) *
                               (((uint32_t)1 << 28) - ones)) >>
                              28);
}

/* Without a branch that no processor can foretell. */
static inline void bbans_take_half(uint32_t *start, uint32_t *left,
                                   uint32_t zeros, uint32_t bit)
{
    const uint32_t mask = 0u - bit;

    *start += mask & zeros;
    *left = zeros + (mask & (*left - 2 * zeros));
}

/* In 1 .. 2^16 - 2 it stays there, if the share is below 2^16. */
static inline void bbans_learn(uint16_t *p, uint32_t share, uint32_t bit)
{
    const uint32_t mask = (0u - bit) & 0xFFFF;
    const uint32_t q = *p ^ mask;

    *p = (uint16_t)((q - (q * share >> 16)) ^ mask);
}

typedef struct {
    /* The slots of 2^28 that are left after the decisions for a leaf below
     * 2^depth, depth <= 5, at least two; and the leaf whose slots hold this
     * one.  Entries and weights learn. */
    void (*encode)(bbans_mixed *m, unsigned depth, uint32_t leaf,
                   bbans_span *span);
    uint32_t (*decode)(bbans_mixed *m, unsigned depth, uint32_t slot,
                       bbans_span *span);
} bbans_residual_kernels;

/* ---- Decisions about bytes ----------------------------------------------- */

#define BBANS_MIX_MAX 16
#define BBANS_MIX_MATCHES 2
#define BBANS_MIX_SLOTS 16 /* of a row; the first is the caller's */
#define BBANS_MIX_DECISIONS 4
#define BBANS_MIX_NONE 16 /* no half of a byte */

/* A slot: the probability of 1 in 2^-12, and a class of how often it was seen.
 * What is coded adds to the class up to MOST; a prior's may be higher. */
#define BBANS_MIX_SEEN_MOST 12
#define BBANS_MIX_NEW (2048 << 4)

static inline uint16_t bbans_mix_slot(uint32_t p, unsigned seen)
{
    return (uint16_t)(p << 4 | seen);
}

static inline unsigned bbans_mix_seen(uint16_t slot)
{
    return slot & 15;
}

/* What of the way to its bit a slot of a class goes, in 2^-8. */
extern const uint8_t bbans_mix_share[16];

/* What a half was predicted by, at its nodes, and how far it was wrong. */
typedef struct {
    uint16_t slot[BBANS_MIX_MAX][BBANS_MIX_SLOTS];
    int16_t logit[BBANS_MIX_MAX][BBANS_MIX_SLOTS];
    int16_t error[BBANS_MIX_DECISIONS];
} bbans_mix_tree;

/* A half of a byte: four decisions, at the nodes of a tree whose root is 1.
 * All are predicted by what is known before the first, then all is learned. */
typedef struct {
    const uint16_t *from[BBANS_MIX_MAX]; /* of contexts: the slots by node   */
    uint16_t *row[BBANS_MIX_MAX];        /* where they go, with this as the
                                            first; one may be there twice    */
    uint16_t check[BBANS_MIX_MAX];
    uint16_t *match[BBANS_MIX_MATCHES];   /* the slots that say whether
                                             matches are right               */
    unsigned expected[BBANS_MIX_MATCHES]; /* halves, or NONE                 */
    int16_t *weight[3]; /* [inputs]; [inputs][SLOTS], by node; [inputs]: in
                           2^-16, their sum counts                           */
    unsigned inputs, matches; /* 8 or 16; 1 or 2 of them                     */
    int32_t rate;             /* below 2^7                                   */
    unsigned below;           /* decisions after this half: 4 or 0           */
    uint32_t start, left;     /* the slots that are left of 2^28             */
    bbans_mix_tree *tree;     /* of BBANS_ALIGNMENT                          */
} bbans_mix;

typedef struct {
    /* `half` is coded; or found, by a slot.  Then it is learned. */
    void (*encode)(bbans_mix *m, unsigned half);
    unsigned (*decode)(bbans_mix *m, uint32_t slot);
    void (*learn)(bbans_mix *m, unsigned half);
} bbans_mixing_kernels;

/* ---- Rows of weights ----------------------------------------------------- */

/* Probabilities count in units of 2^-27. */
#define BBANS_WEIGHT_BITS 27

/* Rows of at most this many bytes are prefetched that far ahead: the machine's
 * own guesses end with a page of memory. */
#define BBANS_ROWS_AHEAD 4096

static inline size_t bbans_row_bytes(int type, size_t symbols)
{
    return symbols * (type == BBANS_F64 ? 8 : 4);
}

/* From one row of weights as integers to the next: room for sums of the quads
 * of each 64. */
static inline size_t bbans_row_stride(size_t symbols)
{
    return symbols + (symbols + 63) / 64 * 16;
}

/* Weights are of type U32, F32 or F64. */
typedef struct {
    /* A row of n weights as integers w[0 .. n - 1].  Returns their sum, or
     * UINT64_MAX if one is 2^29 or more, or is none. */
    uint64_t (*row_sum)(const void *weight, int type, size_t n, uint32_t *w);
    /* The same sum; and of the weights of this type, modulo 2^32, that of the
     * first k, and weight k < n. */
    uint64_t (*row_interval)(const void *weight, int type, size_t n, size_t k,
                             uint32_t *start, uint32_t *freq);
    /* Intervals of symbols k[i] < symbols in n rows, and the sums of the rows.
     * One above BBANS_TOTAL_MAX says that the row has no total; then its
     * interval means nothing. */
    void (*row_intervals)(const void *weight, int type, size_t symbols,
                          size_t n, const uint32_t *k, uint32_t *start,
                          uint32_t *freq, uint32_t *total);
    /* n rows as integers, bbans_row_stride(symbols) elements apart, with what
     * the kernel has to add behind each, and the same sums. */
    void (*weigh_rows)(const void *weight, int type, size_t symbols, size_t n,
                       uint32_t *w, uint32_t *total);
    /* The k with w[0] + .. + w[k - 1] = *start <= slot < *start + w[k]; the sum
     * of all n is at most 2^28 and above the slot. */
    size_t (*find)(const uint32_t *w, size_t n, uint32_t slot, uint32_t *start);
    /* The same in a row of weigh_rows. */
    size_t (*find_in_row)(const uint32_t *w, size_t symbols, uint32_t slot,
                          uint32_t *start);
} bbans_rows_kernels;

/* Rows one by one, by the kernels in use. */
void bbans_each_row_interval(const void *weight, int type, size_t symbols,
                             size_t n, const uint32_t *k, uint32_t *start,
                             uint32_t *freq, uint32_t *total);
void bbans_each_row_sum(const void *weight, int type, size_t symbols, size_t n,
                        uint32_t *w, uint32_t *total);
size_t bbans_find_without_sums(const uint32_t *w, size_t symbols, uint32_t slot,
                               uint32_t *start);

/* ---- The byte coder ------------------------------------------------------ */

#define BBANS_BYTES_STATE_MIN ((uint32_t)1 << 15)
#define BBANS_BYTES_FLAG ((uint32_t)1 << 15) /* above any freq */

/* Docs/format.md, "Bytes": states x [lanes] in [2^15, 2^31) and words of 16
 * bits, little-endian.  Entries to push are freq | start << 16, with
 * BBANS_BYTES_FLAG or not; slots to pop freq << 20 | (slot - start) << 8 |
 * symbol; of both tables, 3 elements before the first and 2 after the last may
 * be read. */
typedef struct {
    /* Push n <= 2^13 bytes, the lanes' in turns of 4, from the last to the
     * first, by entry [256], at 12 bits; inverse[f] is floor(2^43 / f) + 1 for
     * each f that occurs.  Words go below `word`, where there are 2
     * bytes for each of a row of 4 lanes, and 32 more may be written; returns
     * where they begin.  If an entry has BBANS_BYTES_FLAG, *any gets
     * bit i for the bytes 256 i .. that it is of, or more bits. */
    uint8_t *(*push)(uint32_t *x, size_t lanes, const uint32_t *entry,
                     const uint64_t *inverse, const uint8_t *bytes, size_t n,
                     uint8_t *word, uint32_t *any);
    /* Pop them, by slot [2^12].  Reads up to 2 n + 32 bytes of words; returns
     * where those that it took end. */
    const uint8_t *(*pop)(uint32_t *x, size_t lanes, const uint32_t *slot,
                          const uint8_t *word, uint8_t *bytes, size_t n);
    /* Push `steps` bytes of each lane, each given the one before.  Lane i has
     * bytes[i stride + 1 ..], after bytes[i stride].  What b follows a has
     * entry[b << 8 | a], at prec 10 or 12. */
    uint8_t *(*push_pairs)(uint32_t *x, size_t lanes, const uint32_t *entry,
                           const uint64_t *inverse, unsigned prec,
                           const uint8_t *bytes, size_t stride, size_t steps,
                           uint8_t *word);
    /* Pop them; what follows a has slot [a << prec ..]. */
    const uint8_t *(*pop_pairs)(uint32_t *x, size_t lanes, const uint32_t *slot,
                                unsigned prec, const uint8_t *word,
                                uint8_t *bytes, size_t stride, size_t steps);
    /* The symbols [16] of the ranks in n packed bytes, 2^log2_per in each, the
     * first in the lowest bits, 1 <= log2_per <= 3.  Returns the highest
     * rank. */
    unsigned (*unpack)(const uint8_t *packed, size_t n, unsigned log2_per,
                       const uint8_t *symbol, uint8_t *bytes);
} bbans_bytes_kernels;

/* ---- Values under a family ------------------------------------------------
 */

typedef struct {
    /* Spans of n values under a family, by bbans_family.h with leak 1, where
     * bit i % 8 of easy[i / 8] is set; the others, and all whose location or
     * scale is not valid, are up to the caller.  There is room for a
     * multiple of 16 bits. */
    void (*locate_spans)(const bbans_family *family, const int64_t *location,
                         const int32_t *scale, const int64_t *value, size_t n,
                         bbans_span *span, uint8_t *easy);
    /* The same for the values, in bins of one, of the slots of n heads. */
    void (*find_values)(const bbans_family *family, const int64_t *location,
                        const int32_t *scale, const uint64_t *head, size_t n,
                        bbans_span *span, int64_t *value, uint8_t *easy);
    /* F32 or F64 as locations and scales, or INT64_MIN, INT32_MIN for those
     * that are up to the caller. */
    void (*fix_locations)(const void *real, int type, size_t n,
                          int64_t *location);
    void (*fix_scales)(const void *real, int type, size_t n, int32_t *scale);
} bbans_family_kernels;

/* ---- Laws ---------------------------------------------------------------- */

struct bbans_near_normals;
struct bbans_blend;

typedef struct {
    /* The lower edges of n values k under laws that are near normal: first <= k
     * <= last + 1, and all or none have successes.  All arrays have room for a
     * multiple of 8. */
    void (*near_edges)(const struct bbans_near_normals *laws, const int32_t *k,
                       size_t n, uint32_t *edge);
    /* The sums of what the components have below value u from the first, times
     * their weights, and below the next, u < 2^12. */
    void (*mixture_pair)(const struct bbans_blend *parts, uint32_t u,
                         uint64_t sum[2]);
} bbans_laws_kernels;

/* ---- Networks ------------------------------------------------------------ */

/* Tensors are kept as int16_t where their range allows. */
static inline int bbans_is_short(const bbans_node *node)
{
    return node->low >= INT16_MIN && node->high <= INT16_MAX;
}

typedef struct {
    /* The rows of an AFFINE on n windows a [n][length], which BBANS_SLACK bytes
     * follow that may be read.  out [n][channels] is of int16_t or int32_t, as
     * bbans_is_short(node) says. */
    void (*affine)(const bbans_node *node, size_t length, const int16_t *a,
                   size_t n, void *out);
    /* n elements of a SUM, a SCALE (b is a) or a PRODUCT. */
    void (*combine)(const bbans_node *node, const int32_t *a, const int32_t *b,
                    size_t n, int32_t *out);
} bbans_network_kernels;

#define BBANS_SLACK 64

/* ---- Planes of bytes ------------------------------------------------------
 */

/* Elements of `width` bytes, a power of two up to 8, are turned to the left by
 * one bit, so that the sign comes last; plane k has byte k of each, from the
 * highest. */
typedef struct {
    void (*split)(const uint8_t *elements, size_t width, size_t n,
                  uint8_t *plane); /* [width][n] */
    void (*join)(const uint8_t *const *plane, size_t width, size_t n,
                 uint8_t *elements);
} bbans_planes_kernels;

/* ---- Checksums ----------------------------------------------------------- */

typedef struct {
    /* The register of a reflected CRC-32, which is neither set nor inverted,
     * after n more bytes. */
    uint32_t (*crc32)(uint32_t crc, const uint8_t *bytes, size_t n);
} bbans_checksum_kernels;

/* ---- The choice ---------------------------------------------------------- */

typedef struct {
    int isa;
    const bbans_hmm_kernels *hmm;
    const bbans_sparse_kernels *sparse;
    const bbans_levels_kernels *levels;
    const bbans_factors_kernels *factors;
    const bbans_lanes_kernels *lanes;
    const bbans_totals_kernels *totals;
    const bbans_rows_kernels *rows;
    const bbans_predict_kernels *predict;
    const bbans_residual_kernels *residual;
    const bbans_mixing_kernels *mixing;
    const bbans_bytes_kernels *bytes;
    const bbans_family_kernels *family;
    const bbans_laws_kernels *laws;
    const bbans_network_kernels *network;
    const bbans_tree_kernels *tree;
    const bbans_planes_kernels *planes;
    const bbans_checksum_kernels *checksum;
} bbans_kernels;

/* Those in use, the library's one mutable global: portable until
 * bbans_isa_use. */
extern bbans_kernels bbans_kernel;

extern const bbans_hmm_kernels bbans_hmm_portable, bbans_hmm_avx2,
    bbans_hmm_avx512, bbans_hmm_neon, bbans_hmm_wasm;
extern const bbans_sparse_kernels bbans_sparse_portable, bbans_sparse_avx2,
    bbans_sparse_neon;
extern const bbans_levels_kernels bbans_levels_portable, bbans_levels_avx2,
    bbans_levels_avx512, bbans_levels_neon;
extern const bbans_factors_kernels bbans_factors_portable, bbans_factors_avx2,
    bbans_factors_neon;
extern const bbans_lanes_kernels bbans_lanes_portable, bbans_lanes_avx2,
    bbans_lanes_avx512, bbans_lanes_neon;
extern const bbans_totals_kernels bbans_totals_portable, bbans_totals_avx2,
    bbans_totals_avx512;
extern const bbans_predict_kernels bbans_predict_portable, bbans_predict_avx2,
    bbans_predict_avx512, bbans_predict_neon;
extern const bbans_mixing_kernels bbans_mixing_portable, bbans_mixing_avx2;
extern const bbans_residual_kernels bbans_residual_portable,
    bbans_residual_avx2, bbans_residual_neon;
extern const bbans_planes_kernels bbans_planes_portable, bbans_planes_avx2;
extern const bbans_checksum_kernels bbans_checksum_portable,
    bbans_checksum_avx2, bbans_checksum_avx512;

/* Where there is no choice of kernels, only what needs those of residuals,
 * which have tables of 20 KB, of levels, factors, trees, planes, laws or
 * checksums refers to them, so that firmware without is linked without them. */
#ifdef BBANS_PORTABLE
#define BBANS_RESIDUAL (&bbans_residual_portable)
#define BBANS_MIXING (&bbans_mixing_portable)
#define BBANS_LEVELS (&bbans_levels_portable)
#define BBANS_FACTORS (&bbans_factors_portable)
#define BBANS_TREE (&bbans_tree_portable)
#define BBANS_PLANES (&bbans_planes_portable)
#define BBANS_CHECKSUM (&bbans_checksum_portable)
#define BBANS_LAWS (&bbans_laws_portable)
#else
#define BBANS_RESIDUAL (bbans_kernel.residual)
#define BBANS_MIXING (bbans_kernel.mixing)
#define BBANS_LEVELS (bbans_kernel.levels)
#define BBANS_FACTORS (bbans_kernel.factors)
#define BBANS_TREE (bbans_kernel.tree)
#define BBANS_PLANES (bbans_kernel.planes)
#define BBANS_CHECKSUM (bbans_kernel.checksum)
#define BBANS_LAWS (bbans_kernel.laws)
#endif
extern const bbans_rows_kernels bbans_rows_portable, bbans_rows_avx2,
    bbans_rows_avx512, bbans_rows_neon;
extern const bbans_bytes_kernels bbans_bytes_portable, bbans_bytes_avx2,
    bbans_bytes_avx512, bbans_bytes_avx512_gathering, bbans_bytes_neon;
extern const bbans_family_kernels bbans_family_portable, bbans_family_avx2,
    bbans_family_avx512, bbans_family_neon;
extern const bbans_laws_kernels bbans_laws_portable, bbans_laws_avx2;
extern const bbans_network_kernels bbans_network_portable, bbans_network_avx2,
    bbans_network_avx512, bbans_network_neon;

extern const bbans_tree_kernels bbans_tree_portable, bbans_tree_avx2,
    bbans_tree_avx512;

#endif
