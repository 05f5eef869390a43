/* Private to csrc/: the kernel table, and the inline steps of one lane.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_INTERNAL_H
#define BBANS_INTERNAL_H

#include "bbans.h"

#include <string.h>

#define BBANS_HEAD_MIN ((uint64_t)1 << 31)
#define BBANS_HEAD_MAX (((uint64_t)1 << 63) - 1)

/* ---- Kernels ------------------------------------------------------------- */

/* Instruction sets by function attribute, not by flags per file.  An embedded
 * build defines BBANS_PORTABLE and has the portable kernels alone. */
#if !defined(BBANS_PORTABLE) && (defined(__GNUC__) || defined(__clang__))
#ifndef BBANS_TARGET
#define BBANS_TARGET(isa) __attribute__((target(isa)))
#endif
#if defined(__x86_64__)
#define BBANS_HAVE_X86
#elif defined(__aarch64__)
#define BBANS_HAVE_NEON
#endif
#endif

#define BBANS_FILTER_BITS 32
#define BBANS_POSTERIOR_BITS 26
#define BBANS_SHORT_MAX 32767

/* The interval [start, end) of a table: two neighbouring edges. */
typedef struct {
    uint32_t start, end;
} bbans_span;

/* A symbol's interval, and what its kernel divides by freq with. */
typedef struct {
    uint32_t freq, start;
    uint64_t inverse;
} bbans_share;

#ifdef BBANS_HAVE_X86
#define BBANS_SHARES_MAX 256
#else
#define BBANS_SHARES_MAX 1 /* no kernel has them */
#endif
#define BBANS_ROUND_LANES 16
#define BBANS_ROUND_PREC_MIN 13

static inline size_t bbans_row_bytes(int type, size_t symbols)
{
    return symbols * (type == BBANS_F64 ? 8 : 4);
}

/* From one row of weights as integers to the next: room for sums of the quads
 * of each 64.
 */
static inline size_t bbans_row_stride(size_t symbols)
{
    return symbols + (symbols + 63) / 64 * 16;
}

/* Rows of up to so many bytes are brought near as many before they are weighed:
 * the guesses of the machine end with a page of memory. */
#define BBANS_ROWS_AHEAD 4096

/* Probabilities count in units of 2^-27. */
#define BBANS_WEIGHT_BITS 27

/* Arithmetic only: kernels cannot fail and check nothing.  `stride` is a
 * multiple of 16; arrays need no alignment.  The portable ones define the
 * results: docs/maths.md, section 5. */
typedef struct {
    /* One filter step: emitting [stride], the masses below 2^29 with which the
     * states emit the symbol, 0 beyond them; predicted [stride] in and out,
     * filtered [stride] out. */
    void (*filter)(const bbans_hmm *hmm, const uint32_t *emitting,
                   uint32_t *predicted, uint32_t *filtered);
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
    /* How many of edge[0 .. n - 1], which do not fall, are <= slot < 2^28. */
    size_t (*rank)(const uint32_t *edge, size_t n, uint32_t slot);
    /* Push span[i], of 2^prec slots, on head[i] for i = n - 1 .. 0.  Words go
     * to top, where there is room for n of them; returns the new top.  Heads
     * are in [2^31, 2^63), as in every message of several lanes. */
    uint32_t *(*push)(uint64_t *head, const bbans_span *span, size_t n,
                      unsigned prec, uint32_t *top);
    /* Pop span[i], which holds the slot of head[i], for i = 0 .. n - 1.  There
     * are at least n words below top. */
    const uint32_t *(*advance)(uint64_t *head, const bbans_span *span, size_t n,
                               unsigned prec, const uint32_t *top);
    /* The largest of n, or 0. */
    uint32_t (*most)(const uint32_t *v, size_t n);
    /* Push symbol[i] on head[i] likewise, under one row of edges. */
    uint32_t *(*push_symbols)(uint64_t *head, const uint32_t *edge,
                              const uint32_t *symbol, size_t n, unsigned prec,
                              uint32_t *top);
    /* The same for *left symbols, whole rounds over all the lanes, a multiple
     * of BBANS_ROUND_LANES of them, for precisions from BBANS_ROUND_PREC_MIN
     * on; ends before a round in which one is not below `symbols`, and says in
     * *left how many are left.  `shares` prepares BBANS_SHARES_MAX or fewer.
     * NULL where this is no faster. */
    void (*shares)(const uint32_t *edge, size_t symbols, bbans_share *share);
    uint32_t *(*push_rounds)(uint64_t *head, size_t lanes,
                             const bbans_share *share, uint32_t symbols,
                             const uint32_t *symbol, size_t *left,
                             unsigned prec, uint32_t *top);
    /* Push value[i], uniform below any total, likewise; and pop it. */
    uint32_t *(*push_values)(uint64_t *head, const uint32_t *value, size_t n,
                             uint32_t total, uint32_t *top);
    const uint32_t *(*pop_values)(uint64_t *head, uint32_t *value, size_t n,
                                  uint32_t total, const uint32_t *top);
    /* Push slots start[i] .. start[i] + freq[i] - 1 of total[i], likewise. */
    uint32_t *(*push_shares)(uint64_t *head, const uint32_t *start,
                             const uint32_t *freq, const uint32_t *total,
                             size_t n, uint32_t *top);
    /* Pop them in two halves: quotient and slot of head[i] in its total, which
     * leave the head as it is; then the new heads, for rest = slot - start. */
    void (*divide)(const uint64_t *head, const uint32_t *total, size_t n,
                   uint64_t *quotient, uint32_t *slot);
    const uint32_t *(*join)(uint64_t *head, const uint64_t *quotient,
                            const uint32_t *rest, const uint32_t *freq,
                            const uint32_t *total, size_t n,
                            const uint32_t *top);
    /* A row of n weights of type U32, F32 or F64 as integers w[0 .. n - 1].
     * Returns their sum, or UINT64_MAX if one is 2^29 or more, or is none. */
    uint64_t (*weigh)(const void *weight, int type, size_t n, uint32_t *w);
    /* The same sum; and of the weights of this type, modulo 2^32, that of the
     * first k, and weight k < n. */
    uint64_t (*weigh_one)(const void *weight, int type, size_t n, size_t k,
                          uint32_t *start, uint32_t *freq);
    /* Intervals of symbols k[i] < symbols in n rows, and the sums of the rows.
     * One above BBANS_TOTAL_MAX says that the row has no total; then its
     * interval means nothing. */
    void (*intervals)(const void *weight, int type, size_t symbols, size_t n,
                      const uint32_t *k, uint32_t *start, uint32_t *freq,
                      uint32_t *total);
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

    /* The byte coder (docs/format.md, section 4): states x [lanes] in
     * [2^15, 2^31) and words of 16 bits, little-endian.  Entries to push are
     * freq | start << 16, with BBANS_BYTES_FLAG or not; slots to pop
     * freq << 20 | (slot - start) << 8 | symbol; of both tables, 3 elements
     * before the first and 2 after the last may be read. */

    /* Push n <= 2^13 bytes, the lanes' in turns of 4, from the last to the
     * first, by entry [256], at 12 bits; inverse[f] is floor(2^43 / f) + 1 for
     * each f that occurs.  Words go below `word`, where there are 2
     * bytes for each of a row of 4 lanes, and 32 more may be written; returns
     * where they begin.  If an entry has BBANS_BYTES_FLAG, *any gets
     * bit i for the bytes 256 i .. that it is of, or more bits. */
    uint8_t *(*bytes_push)(uint32_t *x, size_t lanes, const uint32_t *entry,
                           const uint64_t *inverse, const uint8_t *bytes,
                           size_t n, uint8_t *word, uint32_t *any);
    /* Pop them, by slot [2^12].  Reads up to 2 n + 32 bytes of words; returns
     * where those that it took end. */
    const uint8_t *(*bytes_pop)(uint32_t *x, size_t lanes, const uint32_t *slot,
                                const uint8_t *word, uint8_t *bytes, size_t n);
    /* Push `steps` bytes of each lane, each given the one before.  Lane i has
     * bytes[i stride + 1 ..], after bytes[i stride].  What b follows a has
     * entry[b << 8 | a], at prec 10 or 12. */
    uint8_t *(*bytes_push_pairs)(uint32_t *x, size_t lanes,
                                 const uint32_t *entry, const uint64_t *inverse,
                                 unsigned prec, const uint8_t *bytes,
                                 size_t stride, size_t steps, uint8_t *word);
    /* Pop them; what follows a has slot [a << prec ..]. */
    const uint8_t *(*bytes_pop_pairs)(uint32_t *x, size_t lanes,
                                      const uint32_t *slot, unsigned prec,
                                      const uint8_t *word, uint8_t *bytes,
                                      size_t stride, size_t steps);
    /* The symbols [16] of the ranks in n packed bytes, 2^log2_per in each, the
     * first in the lowest bits, 1 <= log2_per <= 3.  Returns the highest
     * rank. */
    unsigned (*bytes_unpack)(const uint8_t *packed, size_t n, unsigned log2_per,
                             const uint8_t *symbol, uint8_t *bytes);

    /* Spans of n values under a shape, by bbans_located.h with leak 1, where
     * bit i % 8 of easy[i / 8] is set; the others, and all whose location or
     * scale is not valid, are up to the caller.  There is room for a
     * multiple of 16 bits. */
    void (*locate)(const bbans_shape *shape, const int64_t *at,
                   const int32_t *by, const int64_t *value, size_t n,
                   bbans_span *span, uint8_t *easy);
    /* The same for the values, in bins of one, of the slots of n heads. */
    void (*find_located)(const bbans_shape *shape, const int64_t *at,
                         const int32_t *by, const uint64_t *head, size_t n,
                         bbans_span *span, int64_t *value, uint8_t *easy);
    /* F32 or F64 as locations and scales, or INT64_MIN, INT32_MIN for those
     * that are up to the caller. */
    void (*fix_locations)(const void *real, int type, size_t n,
                          int64_t *location);
    void (*fix_scales)(const void *real, int type, size_t n, int32_t *scale);

    int isa; /* of which they are; 0, portable, in tables that do not say */
} bbans_kernels;

#define BBANS_BYTES_STATE_MIN ((uint32_t)1 << 15)
#define BBANS_BYTES_FLAG ((uint32_t)1 << 15) /* above any freq */

extern bbans_kernels bbans_kernel;

#define BBANS_DECLARE_KERNELS(isa)                                             \
    void bbans_k_filter_##isa(const bbans_hmm *hmm, const uint32_t *emitting,  \
                              uint32_t *predicted, uint32_t *filtered);        \
    uint32_t bbans_k_posterior_##isa(const uint32_t *filtered,                 \
                                     const uint32_t *into, size_t stride,      \
                                     uint32_t *edge);                          \
    uint32_t bbans_k_interval_##isa(                                           \
        const uint32_t *filtered, const uint32_t *into, size_t stride,         \
        size_t i, uint32_t *start, uint32_t *freq);                            \
    size_t bbans_k_rank_##isa(const uint32_t *edge, size_t n, uint32_t slot);  \
    uint32_t *bbans_k_push_##isa(uint64_t *head, const bbans_span *span,       \
                                 size_t n, unsigned prec, uint32_t *top);      \
    const uint32_t *bbans_k_advance_##isa(uint64_t *head,                      \
                                          const bbans_span *span, size_t n,    \
                                          unsigned prec, const uint32_t *top); \
    uint32_t bbans_k_most_##isa(const uint32_t *v, size_t n);                  \
    uint32_t *bbans_k_push_symbols_##isa(uint64_t *head, const uint32_t *edge, \
                                         const uint32_t *symbol, size_t n,     \
                                         unsigned prec, uint32_t *top);        \
    uint64_t bbans_k_weigh_##isa(const void *weight, int type, size_t n,       \
                                 uint32_t *w);                                 \
    uint64_t bbans_k_weigh_one_##isa(const void *weight, int type, size_t n,   \
                                     size_t k, uint32_t *start,                \
                                     uint32_t *freq);                          \
    size_t bbans_k_find_##isa(const uint32_t *w, size_t n, uint32_t slot,      \
                              uint32_t *start);

/* Any totals and rows of weights, the byte coder, and located values, of these
 * instruction sets. */
#define BBANS_KERNELS(isa, rounds, totals, bytes, located)                     \
    {                                                                          \
        bbans_k_filter_##isa, bbans_k_posterior_##isa, bbans_k_interval_##isa, \
            bbans_k_rank_##isa, bbans_k_push_##isa, bbans_k_advance_##isa,     \
            bbans_k_most_##isa, bbans_k_push_symbols_##isa, rounds,            \
            bbans_k_push_values_##totals, bbans_k_pop_values_##totals,         \
            bbans_k_push_shares_##totals, bbans_k_divide_##totals,             \
            bbans_k_join_##totals, bbans_k_weigh_##isa,                        \
            bbans_k_weigh_one_##isa, bbans_k_intervals_##totals,               \
            bbans_k_weigh_rows_##totals, bbans_k_find_##isa,                   \
            bbans_k_find_in_row_##totals, bbans_k_bytes_push_##bytes,          \
            bbans_k_bytes_pop_##bytes, bbans_k_bytes_push_pairs_##bytes,       \
            bbans_k_bytes_pop_pairs_##bytes, bbans_k_bytes_unpack_##bytes,     \
            bbans_k_locate_##located, bbans_k_find_located_##located,          \
            bbans_k_fix_locations_##located, bbans_k_fix_scales_##located      \
    }

#define BBANS_DECLARE_TOTALS(isa)                                              \
    uint32_t *bbans_k_push_values_##isa(uint64_t *head, const uint32_t *value, \
                                        size_t n, uint32_t total,              \
                                        uint32_t *top);                        \
    const uint32_t *bbans_k_pop_values_##isa(uint64_t *head, uint32_t *value,  \
                                             size_t n, uint32_t total,         \
                                             const uint32_t *top);             \
    uint32_t *bbans_k_push_shares_##isa(                                       \
        uint64_t *head, const uint32_t *start, const uint32_t *freq,           \
        const uint32_t *total, size_t n, uint32_t *top);                       \
    void bbans_k_divide_##isa(const uint64_t *head, const uint32_t *total,     \
                              size_t n, uint64_t *quotient, uint32_t *slot);   \
    const uint32_t *bbans_k_join_##isa(                                        \
        uint64_t *head, const uint64_t *quotient, const uint32_t *rest,        \
        const uint32_t *freq, const uint32_t *total, size_t n,                 \
        const uint32_t *top);                                                  \
    void bbans_k_intervals_##isa(const void *weight, int type, size_t symbols, \
                                 size_t n, const uint32_t *k, uint32_t *start, \
                                 uint32_t *freq, uint32_t *total);             \
    void bbans_k_weigh_rows_##isa(const void *weight, int type,                \
                                  size_t symbols, size_t n, uint32_t *w,       \
                                  uint32_t *total);                            \
    size_t bbans_k_find_in_row_##isa(const uint32_t *w, size_t symbols,        \
                                     uint32_t slot, uint32_t *start);

/* Kernels `shares` and `push_rounds`. */
#define BBANS_ROUNDS(isa) bbans_k_shares_##isa, bbans_k_push_rounds_##isa
#define BBANS_NO_ROUNDS NULL, NULL

void bbans_k_shares_avx512(const uint32_t *edge, size_t symbols,
                           bbans_share *share);
uint32_t *bbans_k_push_rounds_avx512(uint64_t *head, size_t lanes,
                                     const bbans_share *share, uint32_t symbols,
                                     const uint32_t *symbol, size_t *left,
                                     unsigned prec, uint32_t *top);

#define BBANS_DECLARE_BYTES(isa)                                               \
    uint8_t *bbans_k_bytes_push_##isa(                                         \
        uint32_t *x, size_t lanes, const uint32_t *entry,                      \
        const uint64_t *inverse, const uint8_t *bytes, size_t n,               \
        uint8_t *word, uint32_t *any);                                         \
    const uint8_t *bbans_k_bytes_pop_##isa(                                    \
        uint32_t *x, size_t lanes, const uint32_t *slot, const uint8_t *word,  \
        uint8_t *bytes, size_t n);                                             \
    uint8_t *bbans_k_bytes_push_pairs_##isa(                                   \
        uint32_t *x, size_t lanes, const uint32_t *entry,                      \
        const uint64_t *inverse, unsigned prec, const uint8_t *bytes,          \
        size_t stride, size_t steps, uint8_t *word);                           \
    const uint8_t *bbans_k_bytes_pop_pairs_##isa(                              \
        uint32_t *x, size_t lanes, const uint32_t *slot, unsigned prec,        \
        const uint8_t *word, uint8_t *bytes, size_t stride, size_t steps);     \
    unsigned bbans_k_bytes_unpack_##isa(                                       \
        const uint8_t *packed, size_t n, unsigned log2_per,                    \
        const uint8_t *symbol, uint8_t *bytes);

#define BBANS_DECLARE_LOCATED(isa)                                             \
    void bbans_k_locate_##isa(const bbans_shape *shape, const int64_t *at,     \
                              const int32_t *by, const int64_t *value,         \
                              size_t n, bbans_span *span, uint8_t *easy);      \
    void bbans_k_find_located_##isa(                                           \
        const bbans_shape *shape, const int64_t *at, const int32_t *by,        \
        const uint64_t *head, size_t n, bbans_span *span, int64_t *value,      \
        uint8_t *easy);                                                        \
    void bbans_k_fix_locations_##isa(const void *real, int type, size_t n,     \
                                     int64_t *location);                       \
    void bbans_k_fix_scales_##isa(const void *real, int type, size_t n,        \
                                  int32_t *scale);

BBANS_DECLARE_KERNELS(portable)
BBANS_DECLARE_KERNELS(avx2)
BBANS_DECLARE_KERNELS(avx512)
BBANS_DECLARE_KERNELS(neon)
BBANS_DECLARE_TOTALS(portable)
BBANS_DECLARE_TOTALS(avx512)
BBANS_DECLARE_BYTES(portable)
BBANS_DECLARE_BYTES(avx2)
BBANS_DECLARE_BYTES(avx512)
BBANS_DECLARE_LOCATED(portable)
BBANS_DECLARE_LOCATED(avx2)
BBANS_DECLARE_LOCATED(avx512)

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

/* Rows of 16 words are cache lines: vector loads from them cross none. */
#define BBANS_ALIGNMENT 64

static inline void *bbans_align(void *memory)
{
    const size_t past = (size_t)((uintptr_t)memory % BBANS_ALIGNMENT);

    return (uint8_t *)memory + (past == 0 ? 0 : BBANS_ALIGNMENT - past);
}

/* Words of 16 bits, little-endian, anywhere.  Compilers see one load only where
 * it is written as one. */
static inline uint32_t bbans_load_le16(const uint8_t *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint16_t v;

    memcpy(&v, p, 2);
    return v;
#else
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
#endif
}

static inline void bbans_store_le16(uint8_t *p, uint32_t v)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    const uint16_t low = (uint16_t)v;

    memcpy(p, &low, 2);
#else
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
#endif
}

/* The least n with v < 2^n. */
static inline int bbans_bit_length(uint64_t v)
{
#if defined(__GNUC__) || defined(__clang__)
    return v == 0 ? 0 : 64 - __builtin_clzll(v);
#else
    int n = 0;

    for (; v != 0; v >>= 1)
        n++;
    return n;
#endif
}

/* floor(v / 2^shift); the result is below 2^32. */
static inline uint32_t bbans_scaled(uint64_t v, int shift)
{
    return (uint32_t)(shift >= 0 ? v >> shift : v << -shift);
}

/* Bisect edge[0 .. *n - 1] until at most `enough` remain that may be either
 * side of the slot; returns how many are surely <= slot, which come before
 * them. */
static inline size_t bbans_bisect(const uint32_t *edge, size_t *n,
                                  uint32_t slot, size_t enough)
{
    size_t lo = 0;

    while (*n > enough) { /* edge[lo - 1] <= slot < edge[lo + *n] */
        const size_t half = *n / 2;

        if (edge[lo + half] <= slot) {
            lo += half + 1;
            *n -= half + 1;
        } else {
            *n = half;
        }
    }
    return lo;
}

/* The symbol of a slot that is not below edge[symbol]. */
size_t bbans_find_from(const uint32_t *edge, size_t symbols, size_t symbol,
                       uint32_t slot);

/* The symbol of a slot: most are the first of their part. */
static inline size_t bbans_find(const bbans_table *table, size_t row,
                                uint32_t slot)
{
    const uint32_t *edge = table->cdf + row * (table->symbols + 1);
    size_t symbol = 0;

    if (table->index != NULL)
        symbol = table->index[row << table->index_bits |
                              slot >> (table->prec - table->index_bits)];
    if (slot < edge[symbol + 1])
        return symbol;
    return bbans_find_from(edge, table->symbols, symbol + 1, slot);
}

/* ---- Bytes of files ------------------------------------------------------ */

/* Little-endian, whatever the machine and the alignment; n <= 8. */
static inline uint64_t bbans_load(const uint8_t *bytes, size_t n)
{
    uint64_t value = 0;

    while (n-- > 0)
        value = value << 8 | bytes[n];
    return value;
}

static inline void bbans_store(uint8_t *bytes, uint64_t value, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
}

/* The number whose two's complement this is. */
static inline int64_t bbans_signed(uint64_t bits)
{
    return bits >> 63 == 0 ? (int64_t)bits : -(int64_t)~bits - 1;
}

/* floor(v / 2^shift); C99 leaves v >> shift of negative ones to the compiler.
 */
static inline int64_t bbans_floor_shift(int64_t v, unsigned shift)
{
    return v < 0 ? ~(~v >> shift) : v >> shift;
}

/* -1 if v < 0, else 0.  With m one of these, v ^ m is v or -1 - v, and
 * (v ^ m) - m is v or -v, without a branch that no processor can foretell. */
static inline int64_t bbans_sign(int64_t v)
{
    return -(int64_t)(v < 0);
}

#define BBANS_CODE_POINT_MAX 0x10FFFF

/* The CRC-32 of zlib; start with 0, and go on with the result. */
uint32_t bbans_crc32(uint32_t crc, const uint8_t *bytes, size_t n);
void bbans_sha256(const uint8_t *bytes, size_t n, uint8_t digest[32]);

/* Where in a model's memory, aligned to 4, its masses may lie when
 * bbans_hmm_init makes its tables from them: in a row, initial, transition,
 * emission. */
uint32_t *bbans_hmm_masses(void *memory, size_t states, size_t symbols);

/* ---- Models -------------------------------------------------------------- */

/* The masses B_ix with which the states emit a symbol. */
static inline const uint32_t *bbans_emitting(const bbans_hmm *hmm, size_t x)
{
    return hmm->emitting + x * hmm->stride;
}

/* What the symbols before x[t] say about it: row [symbols], the masses R(x) of
 * docs/maths.md section 12.  Returns beta. */
uint32_t bbans_context_row(const bbans_hmm *hmm, const uint32_t *x, size_t t,
                           uint32_t *row);

/* The masses with which the states emit x[t] after that row, or after what is
 * before x[t] (row = NULL): column [stride]. */
void bbans_context_column(const bbans_hmm *hmm, const uint32_t *x, size_t t,
                          const uint32_t *row, uint32_t beta, uint32_t *column);

/* Turn the interval [*start, *end) of symbol x in a row of total 2^prec into
 * that given the context; returns the total. */
uint32_t bbans_context_interval(const bbans_hmm *hmm, const uint32_t *row,
                                uint32_t beta, size_t x, uint32_t *start,
                                uint32_t *end);

/* The total, and what the edges [symbols + 1] have without the states' part;
 * with it, the interval of a slot where the states' part has those edges, or
 * is the predictive distribution (edge = NULL). */
uint32_t bbans_context_total(const bbans_hmm *hmm, const uint32_t *row,
                             uint32_t beta, uint32_t *below);
void bbans_context_find(const bbans_hmm *hmm, const uint32_t *edge,
                        const uint32_t *predicted, const uint32_t *below,
                        uint32_t beta, uint32_t slot, uint32_t *symbol,
                        uint32_t *start, uint32_t *freq);

/* The sum of predicted weights, and an edge of the predictive distribution of
 * the states alone. */
uint64_t bbans_predicted_sum(const bbans_hmm *hmm, const uint32_t *predicted);
uint32_t bbans_predictive_edge(const bbans_hmm *hmm, const uint32_t *predicted,
                               uint64_t sum, size_t x);

/* The column A_ij of the next state, NULL without one. */
static inline const uint32_t *bbans_into(const bbans_hmm *hmm, size_t next)
{
    return next < hmm->states ? hmm->into + next * hmm->stride : NULL;
}

/* ---- Arrays of any integer type ------------------------------------------ */

/* Whether elements first .. first + n - 1 are below the limit <= 2^28. */
int bbans_array_is_below(const void *array, int type, size_t first, size_t n,
                         uint32_t limit);

/* Elements first .. first + n - 1 as 32-bit words: where they are, or copied
 * to scratch [n]. */
const uint32_t *bbans_array_read(const void *array, int type, size_t first,
                                 size_t n, uint32_t *scratch);
void bbans_array_write(void *array, int type, size_t first, size_t n,
                       const uint32_t *value);

/* Values of any type but U64.  Returns how many of them the type holds, all n
 * as a rule; those are written. */
void bbans_array_read_values(const void *array, int type, size_t first,
                             size_t n, int64_t *value);
size_t bbans_array_write_values(void *array, int type, size_t first, size_t n,
                                const int64_t *value);

/* Bring n bytes from p + offset on near, if the compiler can say so; they need
 * not be there. */
static inline void bbans_prefetch(const void *p, size_t offset, size_t n)
{
#if defined(__GNUC__) || defined(__clang__)
    const uintptr_t at = (uintptr_t)p + offset;
    size_t i;

    for (i = 0; i < n; i += 64)
        __builtin_prefetch((const void *)(at + i));
#else
    (void)p, (void)offset, (void)n;
#endif
}

/* Elements first .. first + n - 1 of any bbans_type. */
static inline void bbans_array_prefetch(const void *array, int type,
                                        size_t first, size_t n)
{
    const size_t size = (size_t)((type < 0 ? -type : type) % 100);

    bbans_prefetch(array, first * size, n * size);
}

static inline int bbans_type_is_valid(int type)
{
    const int size = type < 0 ? -type : type;

    return size == 1 || size == 2 || size == 4 || size == 8;
}

/* ---- Arrays over the lanes ----------------------------------------------- */

/* Push, from the last to the first, the intervals span[0 .. n - 1], of 2^prec
 * slots, of symbols first .. first + n - 1 of an array.  There is room. */
void bbans_push_spans(bbans_message *msg, size_t first, const bbans_span *span,
                      size_t n, unsigned prec);

/* Pop the intervals, which hold their heads' slots, from the n heads from
 * `lane` on; returns how many could, fewer than n where the tail ran dry. */
size_t bbans_advance_run(bbans_message *msg, size_t lane,
                         const bbans_span *span, size_t n, unsigned prec);

/* ---- One lane ------------------------------------------------------------ */

/* A head of its own, the tail by reference: what one lane's steps change. */
typedef struct {
    uint64_t x;
    uint32_t *tail;
    size_t tail_len;
} bbans_lane;

static inline bbans_lane bbans_lane_of(const bbans_message *msg, size_t i)
{
    bbans_lane lane;

    lane.x = msg->head[i];
    lane.tail = msg->tail;
    lane.tail_len = msg->tail_len;
    return lane;
}

static inline void bbans_put_lane(bbans_message *msg, size_t i,
                                  const bbans_lane *lane)
{
    msg->head[i] = lane->x;
    msg->tail_len = lane->tail_len;
}

static inline int bbans_total_is_valid(uint32_t total)
{
    return total >= 1 && total <= BBANS_TOTAL_MAX;
}

static inline int bbans_interval_is_valid(uint32_t start, uint32_t freq,
                                          uint32_t total)
{
    return freq >= 1 && freq <= total && start <= total - freq;
}

/* N floor(2^31 / N): heads in [this, this 2^32) code total N without loss. */
static inline uint32_t bbans_multiple(uint32_t total)
{
    return (uint32_t)BBANS_HEAD_MIN - (uint32_t)BBANS_HEAD_MIN % total;
}

static inline void bbans_lane_spill(bbans_lane *lane, uint64_t limit)
{
    if (lane->x >> 32 >= limit) {
        lane->tail[lane->tail_len++] = (uint32_t)lane->x;
        lane->x >>= 32;
    }
}

static inline void bbans_lane_refill(bbans_lane *lane)
{
    if (lane->x < BBANS_HEAD_MIN && lane->tail_len > 0)
        lane->x = lane->x << 32 | lane->tail[--lane->tail_len];
}

/* Docs/maths.md section 3.  The caller has checked the interval and that the
 * tail has room for one word. */
static inline void bbans_lane_push(bbans_lane *lane, uint32_t start,
                                   uint32_t freq, uint32_t total)
{
    bbans_lane_spill(lane, freq * (BBANS_HEAD_MIN / total)); /* x >= f q 2^32 */
    /* x < f q 2^32, so floor(x / f) N < q 2^32 N <= 2^63. */
    lane->x = lane->x / freq * total + lane->x % freq + start;
    bbans_lane_refill(lane);
}

static inline uint32_t bbans_slot(uint64_t x, uint32_t total)
{
    if (x >> 32 >= bbans_multiple(total))
        x >>= 32;
    return (uint32_t)(x % total);
}

/* Pop in two halves, with one division: first the slot, then its interval.  The
 * tail has room for one word. */
static inline uint32_t bbans_lane_take_slot(bbans_lane *lane, uint32_t total)
{
    uint32_t slot;

    bbans_lane_spill(lane, bbans_multiple(total)); /* x >= N q 2^32 */
    slot = (uint32_t)(lane->x % total);
    lane->x /= total;
    return slot;
}

static inline void bbans_lane_put_rest(bbans_lane *lane, uint32_t slot,
                                       uint32_t start, uint32_t freq)
{
    lane->x = lane->x * freq + (slot - start);
    bbans_lane_refill(lane);
}

static inline void bbans_lane_advance(bbans_lane *lane, uint32_t start,
                                      uint32_t freq, uint32_t total)
{
    const uint32_t slot = bbans_lane_take_slot(lane, total);

    bbans_lane_put_rest(lane, slot, start, freq);
}

/* The same for N = 2^prec: N q = 2^31, and heads below that occur only with an
 * empty tail, so pop never spills and push never refills. */
static inline void bbans_lane_push_bits(bbans_lane *lane, uint32_t start,
                                        uint32_t freq, unsigned prec)
{
    bbans_lane_spill(lane, (uint64_t)freq << (31 - prec));
    lane->x = (lane->x / freq << prec) + lane->x % freq + start;
}

static inline uint32_t bbans_slot_bits(uint64_t x, unsigned prec)
{
    return (uint32_t)x & (((uint32_t)1 << prec) - 1);
}

static inline void bbans_lane_advance_bits(bbans_lane *lane, uint32_t start,
                                           uint32_t freq, unsigned prec)
{
    lane->x = (lane->x >> prec) * freq + bbans_slot_bits(lane->x, prec) - start;
    bbans_lane_refill(lane);
}

/* One lane keeps a small head; in more lanes it means that the tail ran dry. */
static inline int bbans_lane_is_dry(const bbans_lane *lane, size_t lanes)
{
    return lanes > 1 && lane->x < BBANS_HEAD_MIN;
}

#endif
