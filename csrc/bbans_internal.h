/* Private to csrc/: what its files share, and the inline steps of one lane.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_INTERNAL_H
#define BBANS_INTERNAL_H

#include "kernels/bbans_kernels.h"

#define BBANS_HEAD_MAX (((uint64_t)1 << 63) - 1)

/* Rows of 16 words are cache lines: vector loads from them cross none. */
#define BBANS_ALIGNMENT 64

static inline void *bbans_align(void *memory)
{
    const size_t past = (size_t)((uintptr_t)memory % BBANS_ALIGNMENT);

    return (uint8_t *)memory + (past == 0 ? 0 : BBANS_ALIGNMENT - past);
}

/* Words of 16 and 32 bits, little-endian, anywhere.  Compilers see one load
 * only where it is written as one. */
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

static inline uint32_t bbans_load_le32(const uint8_t *p)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint32_t v;

    memcpy(&v, p, 4);
    return v;
#else
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
           (uint32_t)p[3] << 24;
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
    return v == 0 ? 0 : (__builtin_clzll(v) ^ 63) + 1;
#else
    int n = 0;

    for (; v != 0; v >>= 1)
        n++;
    return n;
#endif
}

/* floor(log2(v)), v > 0. */
static inline unsigned bbans_floor_log2(uint64_t v)
{
#ifdef __clang_analyzer__ /* it does not know why v is not 0 */
    if (v == 0)
        __builtin_unreachable();
#endif
    return (unsigned)bbans_bit_length(v) - 1;
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

/* The same of numbers of 16 bits, little-endian and rising: how many are surely
 * below another, with *n, at most `enough` (>= 1), that follow them; those
 * below end among these.  Without branches that depend on the numbers: those
 * would be mispredicted. */
static inline size_t bbans_bisect_numbers(const uint8_t *number, size_t *n,
                                          uint32_t other, size_t enough)
{
    size_t lo = 0;

    while (*n > enough) { /* those below end in [lo, lo + *n] */
        const size_t half = *n / 2;

        lo += bbans_load_le16(number + 2 * (lo + half - 1)) < other ? half : 0;
        *n -= half;
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

static inline int32_t bbans_signed32(uint32_t bits)
{
    return bits >> 31 == 0 ? (int32_t)bits : -(int32_t)~bits - 1;
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

/* An unsigned LEB128 number below 2^63 in its shortest form, at *at, which
 * moves past it.  Returns ERR_{TRUNCATED,CORRUPT}. */
#define BBANS_UVARINT_BYTES 9

static inline bbans_status bbans_take_uvarint(const uint8_t *bytes,
                                              size_t n_bytes, size_t *at,
                                              uint64_t *value)
{
    unsigned shift;

    *value = 0;
    for (shift = 0; shift < 7 * BBANS_UVARINT_BYTES; shift += 7) {
        uint8_t byte;

        if (*at == n_bytes)
            return BBANS_ERR_TRUNCATED;
        byte = bytes[(*at)++];
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) /* a last 0 says that a shorter form exists */
            return byte == 0 && shift > 0 ? BBANS_ERR_CORRUPT : BBANS_OK;
    }
    return BBANS_ERR_CORRUPT;
}

#ifndef BBANS_DECODER_ONLY
static inline size_t bbans_uvarint_bytes(uint64_t value)
{
    size_t n = 1;

    while ((value >>= 7) != 0)
        n++;
    return n;
}
#endif /* BBANS_DECODER_ONLY */

/* Returns how many bytes it takes. */
static inline size_t bbans_put_uvarint(uint8_t *bytes, uint64_t value)
{
    size_t n = 0;

    for (; value > 0x7F; value >>= 7)
        bytes[n++] = (uint8_t)(value | 0x80);
    bytes[n++] = (uint8_t)value;
    return n;
}

/* Whether a file begins with this magic and version, as far as it goes.
 * Returns ERR_{FORMAT,VERSION}. */
static inline bbans_status bbans_check_start(const uint8_t *bytes,
                                             size_t n_bytes,
                                             const uint8_t magic[4],
                                             unsigned version)
{
    if (n_bytes > 0 && memcmp(bytes, magic, n_bytes < 4 ? n_bytes : 4) != 0)
        return BBANS_ERR_FORMAT;
    return n_bytes > 4 && bytes[4] != version ? BBANS_ERR_VERSION : BBANS_OK;
}

/* The CRC-32 of zlib; start with 0, and go on with the result. */
uint32_t bbans_crc32(uint32_t crc, const uint8_t *bytes, size_t n);
void bbans_sha256(const uint8_t *bytes, size_t n, uint8_t digest[32]);

/* Where in a model's memory, aligned to 4, its masses may lie when
 * bbans_hmm_init makes its tables from them: in a row, initial, transition,
 * emission. */
uint32_t *bbans_hmm_masses(void *memory, size_t states, size_t symbols);

/* The same for bbans_hierarchy_init, and how many masses there are. */
uint32_t *bbans_hierarchy_masses(void *memory, size_t levels,
                                 const size_t *states, size_t symbols);
uint64_t bbans_hierarchy_mass_count(size_t levels, const size_t *states,
                                    size_t symbols);

/* The same for bbans_factorial_init. */
uint32_t *bbans_factorial_masses(void *memory, size_t chains,
                                 const size_t *states, size_t symbols);
uint64_t bbans_factorial_mass_count(size_t chains, const size_t *states,
                                    size_t symbols);

/* ---- Models -------------------------------------------------------------- */

/* The masses B_ix with which the states emit a symbol. */
static inline const uint32_t *bbans_emitting(const bbans_hmm *hmm, size_t x)
{
    return hmm->emitting + x * hmm->stride;
}

/* One filter step, as the kernels of either form of transitions have it. */
static inline void bbans_hmm_step(const bbans_hmm *hmm,
                                  const uint32_t *emitting, uint32_t *predicted,
                                  uint32_t *filtered)
{
    int16_t m[BBANS_STATES_MAX];

    if (hmm->sparse.first == NULL) {
        bbans_kernel.hmm->filter(hmm, emitting, predicted, filtered);
        return;
    }
    bbans_kernel.sparse->weigh(predicted, emitting, hmm->stride, filtered, m);
    bbans_kernel.sparse->predict(&hmm->sparse, m, hmm->stride, hmm->floor,
                                 predicted);
}

#ifndef BBANS_DECODER_ONLY
/* What the interval [*start, *end) of a symbol without contexts becomes in
 * those in which it is placed, of a total of 2^CONTEXT_BITS. */
void bbans_context_interval(const bbans_hmm *hmm, const bbans_path *path,
                            size_t x, uint32_t *start, uint32_t *end);
#endif /* BBANS_DECODER_ONLY */

/* The masses [stride] with which the states emit a symbol that is placed. */
void bbans_context_column(const bbans_hmm *hmm, const bbans_path *path,
                          size_t x, uint32_t *column);

/* Find and place the symbol whose interval holds a slot, if the states have
 * the edges `edge`, or those of the predictive distribution (NULL). */
void bbans_context_find(const bbans_hmm *hmm, bbans_path *path,
                        const uint32_t *edge, const uint32_t *predicted,
                        uint32_t slot, uint32_t *symbol, uint32_t *start,
                        uint32_t *freq);

/* sum_i p_i C_i[x], below 2^60. */
static inline uint64_t bbans_hmm_mean(const bbans_hmm *hmm,
                                      const uint32_t *predicted, size_t x)
{
    return bbans_kernel.hmm->dot(
        predicted, hmm->emission_sums + x * hmm->stride, hmm->stride);
}

/* The sum of weights of the states, whose edges all end in 2^prec. */
static inline uint64_t bbans_hmm_sum(const bbans_hmm *hmm,
                                     const uint32_t *predicted)
{
    return bbans_hmm_mean(hmm, predicted, hmm->symbols) >> hmm->prec;
}

/* floor(sum_i p_i C_i[x] / sum_i p_i), as below, by the sums of all states. */
static inline uint32_t bbans_hmm_edge(const bbans_hmm *hmm,
                                      const uint32_t *predicted, uint64_t sum,
                                      size_t x)
{
    return (uint32_t)(bbans_hmm_mean(hmm, predicted, x) / sum);
}

/* What bbans_hmm_predict_find does, of weights that come from a filter. */
void bbans_hmm_find(const bbans_hmm *hmm, const uint32_t *predicted,
                    uint32_t slot, uint32_t *symbol, uint32_t *start,
                    uint32_t *freq);

/* Sum of the weights of states. */
uint64_t bbans_predicted_sum(const uint32_t *predicted, size_t states);

/* Does each row hold masses of at least 1 that sum to 2^prec? */
int bbans_rows_are_complete(const uint32_t *mass, size_t rows, size_t columns,
                            unsigned prec);

/* Their running sums, a word more in each row; and out[column][stride] =
 * mass[row][column], zeros beyond the last row.  Both return where `out`
 * ends. */
uint32_t *bbans_put_cdf(uint32_t *out, const uint32_t *mass, size_t rows,
                        size_t columns);
uint32_t *bbans_put_transposed(uint32_t *out, const uint32_t *mass, size_t rows,
                               size_t columns, size_t stride);

/* A mass of 2^-prec at 15 bits, rounded. */
static inline uint32_t bbans_to_15_bits(uint32_t mass, unsigned prec)
{
    const uint32_t m =
        prec > 15 ? (mass + ((uint32_t)1 << (prec - 16))) >> (prec - 15)
                  : mass << (15 - prec);

    return m < BBANS_SHORT_MAX ? m : BBANS_SHORT_MAX;
}

/* out[column][stride]: running sums of mass [columns][stride], a column more;
 * returns where `out` ends. */
uint32_t *bbans_put_sums(uint32_t *out, const uint32_t *mass, size_t columns,
                         size_t stride);

/* What bbans_hmm_init does but for the engine, and the checks of
 * bbans_hmm_set_contexts. */
bbans_status bbans_hmm_fill(bbans_hmm *hmm, size_t states, size_t symbols,
                            unsigned prec, size_t start_length,
                            const uint32_t *initial, const uint32_t *transition,
                            const uint32_t *emission, void *memory,
                            size_t memory_bytes);
bbans_status bbans_contexts_check(const bbans_contexts *c, size_t symbols);

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

/* Bytes of an element of any bbans_type. */
static inline size_t bbans_type_bytes(int type)
{
    return (size_t)((type < 0 ? -type : type) % 100);
}

/* Elements first .. first + n - 1. */
static inline void bbans_array_prefetch(const void *array, int type,
                                        size_t first, size_t n)
{
    const size_t size = bbans_type_bytes(type);

    bbans_prefetch(array, first * size, n * size);
}

static inline int bbans_type_is_valid(int type)
{
    const int size = type < 0 ? -type : type;

    return size == 1 || size == 2 || size == 4 || size == 8;
}

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

/* Docs/maths.md, "The message".  The caller has checked the interval and that
 * the tail has room for one word. */
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

/* ---- Arrays over the lanes ----------------------------------------------- */

/* Words that the tail has room for. */
static inline size_t bbans_room(const bbans_message *msg)
{
    return msg->tail_cap - msg->tail_len;
}

/* Lanes of the last symbol of an array, and of those before it. */
static inline size_t bbans_lane_above(const bbans_message *msg, size_t first,
                                      size_t n)
{
    return n > 0 ? (first + n - 1) % msg->lanes + 1 : 0;
}

/* One symbol in lane i: the tail has room for a word. */
static inline void bbans_push_one(bbans_message *msg, size_t i, uint32_t start,
                                  uint32_t freq, uint32_t total)
{
    bbans_lane lane = bbans_lane_of(msg, i);

    bbans_lane_push(&lane, start, freq, total);
    bbans_put_lane(msg, i, &lane);
}

/* Unchanged message and ERR_UNDERFLOW if the tail runs dry. */
static inline bbans_status bbans_advance_one(bbans_message *msg, size_t i,
                                             uint32_t start, uint32_t freq,
                                             uint32_t total)
{
    bbans_lane lane = bbans_lane_of(msg, i);

    bbans_lane_advance(&lane, start, freq, total);
    if (bbans_lane_is_dry(&lane, msg->lanes))
        return BBANS_ERR_UNDERFLOW;
    bbans_put_lane(msg, i, &lane);
    return BBANS_OK;
}

/* Push, from the last to the first, the intervals span[0 .. n - 1], of 2^prec
 * slots, of symbols first .. first + n - 1 of an array.  There is room. */
void bbans_push_spans(bbans_message *msg, size_t first, const bbans_span *span,
                      size_t n, unsigned prec);

/* Pop the intervals, which hold their heads' slots, from the n heads from
 * `lane` on; returns how many could, fewer than n where the tail ran dry. */
size_t bbans_advance_run(bbans_message *msg, size_t lane,
                         const bbans_span *span, size_t n, unsigned prec);

/* ---- The range coder ----------------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
/* Undo what was encoded since `before`, when its last byte was `last`. */
void bbans_range_rewind(bbans_range_encoder *enc,
                        const bbans_range_encoder *before, uint8_t last);

/* Leave the shortest fraction in enc->bytes, its bits from the highest of each
 * byte on, filled with zeros; returns how many bytes that is.  Needs room for 8
 * bytes beyond enc->len.  The encoder is spent. */
size_t bbans_range_finish_bytes(bbans_range_encoder *enc);

/* In place of keeping what was encoded: what it took, in 2^-16 bits, of an
 * encoder whose len was 0, and is again.  *log2_range is BBANS_RANGE_LOG2 at
 * first and kept from call to call, so that sums are exact to a unit. */
#define BBANS_RANGE_LOG2 ((uint32_t)63 << 16)
uint64_t bbans_range_take_cost(bbans_range_encoder *enc, uint32_t *log2_range);
#endif /* BBANS_DECODER_ONLY */

/* Read what that function left.  ERR_CORRUPT for a byte of zeros at the end,
 * ERR_SIZE for more bits than there are numbers. */
bbans_status bbans_range_decoder_of_bytes(bbans_range_decoder *dec,
                                          const uint8_t *bytes, size_t n_bytes);

/* ---- What models of finite states share ---------------------------------- */

/* Elements of an array over states, as the kernels want it, and the least
 * predicted weight of one. */
static inline size_t bbans_states_stride(size_t states)
{
    return (states + 15) / 16 * 16;
}

static inline uint32_t bbans_states_floor(size_t states)
{
    return (uint32_t)1 << (states <= 64 ? 12
                                        : 18 - bbans_bit_length(states - 1));
}

/* An entry of a row of running sums [n + 1], which end in 2^prec. */
static inline size_t bbans_pop_entry(bbans_lane *lane, const uint32_t *row,
                                     size_t n, unsigned prec)
{
    const size_t k =
        bbans_kernel.hmm->rank(row + 1, n, bbans_slot_bits(lane->x, prec));

    bbans_lane_advance_bits(lane, row[k], row[k + 1] - row[k], prec);
    return k;
}

#ifndef BBANS_DECODER_ONLY
static inline void bbans_push_entry(bbans_lane *lane, const uint32_t *row,
                                    size_t k, unsigned prec)
{
    bbans_lane_push_bits(lane, row[k], row[k + 1] - row[k], prec);
}
#endif /* BBANS_DECODER_ONLY */

#endif
