/* Private to signals/: what its files share.  docs/format.md, "Signal", and
 * docs/maths.md, "Signals".
 *
 * A block is one message.  All of it, numbers of channels, parameters and
 * values, is popped in one order: the decoder's.  The encoder appends to a sink
 * what it will push, in that order, and pushes it backwards at the end.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_SIGNALS_H
#define BBANS_SIGNALS_H

#include "../bytes/bbans_bytes_internal.h"

#define BBANS_SIGNAL_VALUE_MAX ((int32_t)1 << 30) /* either side of 0 */
#define BBANS_SIGNAL_LANES_MAX 4
#define BBANS_SIGNAL_MARGIN 64
#define BBANS_SIGNAL_MU_BITS 8 /* predictions are in units of 2^-8 */
#define BBANS_SIGNAL_PIECE                                                     \
    4096 /* segments are of a multiple of these steps                          \
          */
#define BBANS_SIGNAL_NONE SIZE_MAX /* no channel */
#define BBANS_SIGNAL_PREC 28       /* of all steps but those of raw bits */

/* All channels, each one whole.  Those before the one in work are complete, for
 * the encoder and the decoder. */
typedef struct {
    size_t steps, channels;
    size_t margin;  /* zeros before and behind each channel's values, which may
                       be read: min(steps, BBANS_SIGNAL_MARGIN)             */
    int32_t *value; /* with margins: use bbans_signal_channel               */
} bbans_signal_values;

static inline int32_t *bbans_signal_channel(const bbans_signal_values *x,
                                            size_t channel)
{
    return x->value + x->margin + channel * (x->steps + x->margin);
}

/* Put them at *work, which moves behind them, with zeros where needed. */
void bbans_signal_lay_out(bbans_signal_values *x, size_t steps, size_t channels,
                          uint8_t **work);

/* Values with their margins: behind each channel, and before the first.  These
 * are no more than the steps, so for any number of channels: */
#define BBANS_SIGNAL_VALUES(n) (2 * (uint64_t)(n) + BBANS_SIGNAL_MARGIN)

static inline uint64_t bbans_aligned(uint64_t bytes) /* to 8 */
{
    return (bytes + 7) & ~(uint64_t)7;
}

/* The first byte of a block: log2 of the lanes; 4 (channels - 1), or where
 * these are more than CHANNELS_FEW 4 CHANNELS_FEW; or STORED. */
#define BBANS_SIGNAL_CHANNELS_FEW 63
#define BBANS_SIGNAL_STORED 3

/* What both sides know of a channel: all values lie in low .. high, either of
 * which occurs; |low|, |high| <= BBANS_SIGNAL_VALUE_MAX.  Those of few kinds
 * may be coded as they are, without a prediction. */
typedef struct {
    size_t channel;
    int32_t low, high;
    int direct;
} bbans_signal_range;

static inline uint32_t bbans_range_width(const bbans_signal_range *range)
{
    return (uint32_t)range->high - (uint32_t)range->low; /* at most 2^31 */
}

/* How an element becomes a value, and back. */
enum {
    BBANS_SIGNAL_CONSTANT = 0, /* all differences are `base`             */
    BBANS_SIGNAL_LINE = 1,     /* (base + t) steps along the part's line */
    BBANS_SIGNAL_OFFSET = 2,   /* base + divisor (v - low)               */
    BBANS_SIGNAL_RANKS = 3,    /* base + divisor rank[v - low]           */
    BBANS_SIGNAL_LOW_BITS = 4, /* base + ((v - low) << shift) + low bits */
    BBANS_SIGNAL_WRAPPED = 5,  /* base + (v - low) mod 2^shift           */
    BBANS_SIGNAL_KINDS = 6,
    BBANS_SIGNAL_DIFFERENCES = 3 /* at most */
};

typedef struct {
    int kind;
    unsigned order;                           /* of the differences         */
    uint64_t first[BBANS_SIGNAL_DIFFERENCES]; /* elements before them       */
    uint64_t base, divisor;
    unsigned shift;
    uint32_t most;   /* values are 0 .. most, less low            */
    uint64_t spread; /* the encoder's: of what ranks are given to */
    int way;         /* the encoder's, to unwrap */
    bbans_signal_range range;
} bbans_transform;

/* A regular series to which constant channels may refer. */
typedef struct {
    uint64_t start, step;
} bbans_line;

/* ---- Stored blocks --------------------------------------------------------
 */

/* Elements of blocks that store them, little-endian, behind a first byte. */
void bbans_elements_take(const uint8_t *bytes, size_t n, size_t width,
                         uint8_t *to);

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_elements_store(uint8_t first, const uint8_t *data, size_t n,
                                  size_t width, uint8_t *block, size_t cap,
                                  size_t *n_bytes);
#endif /* BBANS_DECODER_ONLY */

/* ---- The decoder's message ----------------------------------------------- */

/* It never fails and always ends: where words have run out heads get small, and
 * all slots are 0.  Whether it was a message shows at its end. */
typedef struct {
    uint64_t x[BBANS_SIGNAL_LANES_MAX];
    const uint8_t *words; /* of 4 bytes each, in the block; bottom first */
    size_t n_words;       /* left: the last of them is next              */
    int bad;              /* something was popped that no encoder pushes */
} bbans_signal_source;

/* From bytes, a message of so many lanes; returns 0 if they are none.  And
 * whether all was popped that an encoder pushed. */
int bbans_source_begin(bbans_signal_source *s, unsigned lanes,
                       const uint8_t *bytes, size_t n_bytes);
int bbans_source_is_empty(const bbans_signal_source *s, unsigned lanes);

/* The next slot of 2^28, and on past the interval that holds it. */
static inline uint32_t bbans_source_slot(const bbans_signal_source *s,
                                         unsigned lane)
{
    return bbans_slot_bits(s->x[lane], BBANS_SIGNAL_PREC);
}

static inline void bbans_source_refill(bbans_signal_source *s, unsigned lane)
{
    if (s->x[lane] < BBANS_HEAD_MIN && s->n_words > 0)
        s->x[lane] =
            s->x[lane] << 32 | bbans_load(s->words + 4 * --s->n_words, 4);
}

static inline void bbans_source_advance(bbans_signal_source *s, unsigned lane,
                                        uint32_t start, uint32_t freq)
{
    const uint64_t x = s->x[lane];

    s->x[lane] = (x >> BBANS_SIGNAL_PREC) * freq +
                 bbans_slot_bits(x, BBANS_SIGNAL_PREC) - start;
    bbans_source_refill(s, lane);
}

/* Up to 28 raw bits. */
static inline uint32_t bbans_source_raw(bbans_signal_source *s, unsigned lane,
                                        unsigned bits)
{
    const uint32_t value = bbans_slot_bits(s->x[lane], bits);

    s->x[lane] >>= bits;
    bbans_source_refill(s, lane);
    return value;
}

/* Up to 64, 28 at a time, the highest first; the first are those that are left
 * over. */
static inline uint64_t bbans_source_bits(bbans_signal_source *s, unsigned lane,
                                         unsigned bits)
{
    uint64_t value = 0;

    while (bits > 0) {
        const unsigned n = (bits - 1) % BBANS_SIGNAL_PREC + 1;

        value = value << n | bbans_source_raw(s, lane, n);
        bits -= n;
    }
    return value;
}

/* Of numbers: 6 bits for the length, and what is below the highest. */
uint64_t bbans_source_number(bbans_signal_source *s);

/* floor(v / 2^k) ones and a zero, or 16 ones and 32 bits; k bits. */
uint32_t bbans_source_rice(bbans_signal_source *s, unsigned k);

/* A number and its sign in one: 0, -1, 1, -2, .. */
static inline uint64_t bbans_zigzag(uint64_t v)
{
    return v << 1 ^ (0 - (v >> 63));
}

static inline uint64_t bbans_unzigzag(uint64_t v)
{
    return v >> 1 ^ (0 - (v & 1));
}

/* Whether a channel has the transform of the one before, by how often that was
 * so: P of 2^16, which moves. */
#define BBANS_SIGNAL_SAME_BITS 16
#define BBANS_SIGNAL_SAME_LEAST 32
#define BBANS_SIGNAL_SAME_RATE 5

static inline uint32_t bbans_signal_see_same(uint32_t p, int same)
{
    const uint32_t most =
        ((uint32_t)1 << BBANS_SIGNAL_SAME_BITS) - BBANS_SIGNAL_SAME_LEAST;

    return same ? p + ((most - p) >> BBANS_SIGNAL_SAME_RATE)
                : p - ((p - BBANS_SIGNAL_SAME_LEAST) >> BBANS_SIGNAL_SAME_RATE);
}

/* Transforms, of a channel with this many steps; `rank` has room for as many.
 * After take, values can be popped in transform->range whatever was read. */
void bbans_transform_take(bbans_transform *transform, bbans_signal_source *s,
                          size_t steps, uint64_t *rank);

/* Values to elements, with the bits that follow them; returns 0 if one of them
 * is not of the element's type. */
int bbans_transform_undo(const bbans_transform *transform,
                         const bbans_line *line, bbans_signal_source *s,
                         unsigned lanes, const int32_t *value, size_t steps,
                         const uint64_t *rank, int element, uint8_t *to,
                         size_t stride);

/* ---- The encoder's message ----------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
/* start: with the lane in its highest bits; freq: of 2^28, or with a flag how
 * many raw bits. */
typedef struct {
    uint32_t start, freq;
} bbans_signal_step;

#define BBANS_SIGNAL_RAW ((uint32_t)1 << 31)

typedef struct {
    bbans_signal_step *step;
    size_t n, cap; /* n > cap: they were too many, and are not all there */
} bbans_sink;

static inline void bbans_sink_any(bbans_sink *sink, unsigned lane,
                                  uint32_t start, uint32_t freq)
{
    if (sink->n < sink->cap) {
        sink->step[sink->n].start = (uint32_t)lane << BBANS_SIGNAL_PREC | start;
        sink->step[sink->n].freq = freq;
    }
    sink->n++;
}

/* 1 <= freq < 2^28: what is certain needs no step. */
static inline void bbans_sink_step(bbans_sink *sink, unsigned lane,
                                   uint32_t start, uint32_t freq)
{
    bbans_sink_any(sink, lane, start, freq);
}

static inline void bbans_sink_bits(bbans_sink *sink, unsigned lane,
                                   uint64_t value, unsigned bits)
{
    while (bits > 0) {
        const unsigned n = (bits - 1) % BBANS_SIGNAL_PREC + 1;

        bits -= n;
        bbans_sink_any(sink, lane, bbans_slot_bits(value >> bits, n),
                       BBANS_SIGNAL_RAW | n);
    }
}

void bbans_sink_number(bbans_sink *sink, uint64_t value);
void bbans_sink_rice(bbans_sink *sink, uint32_t value, unsigned k);

/* What steps from .. n - 1 cost, in 2^-8 bits. */
uint64_t bbans_sink_cost(const bbans_sink *sink, size_t from);

/* Push all.  Words go up from bytes[0]; returns where the message ends, 0 if it
 * is longer than cap. */
size_t bbans_sink_push(const bbans_sink *sink, unsigned lanes, uint8_t *bytes,
                       size_t cap);

/* log2(v) in 2^-8, v >= 1. */
static inline unsigned bbans_signal_log2(uint32_t v)
{
    return bbans_log2(v) >> 8;
}

/* The sum of n log2(total / n) over counts of at most 2^24 in all, in 2^-8
 * bits.
 */
uint64_t bbans_signal_information(const uint32_t *count, size_t n);

/* Elements to values: those of a channel lie `stride` bytes apart.  `work` has
 * room for BBANS_TRANSFORM_WORK bytes a step.  Level 0: without what helps
 * where elements follow each other in time.  The ways to do it: */
#define BBANS_TRANSFORM_WORK 24

typedef struct {
    bbans_transform best, other; /* by estimate; other.kind = KINDS: none */
} bbans_transforms;

void bbans_transform_choose(bbans_transforms *ways, const uint8_t *data,
                            int element, size_t stride, size_t steps,
                            const bbans_line *line, int level, void *work);
void bbans_transform_do(bbans_transform *transform, const uint8_t *data,
                        int element, size_t stride, size_t steps,
                        int32_t *value, void *work);
void bbans_transform_put(const bbans_transform *transform, bbans_sink *sink,
                         size_t steps, const void *work);
void bbans_transform_put_low(const bbans_transform *transform, bbans_sink *sink,
                             unsigned lanes, size_t steps, const void *work);
#endif /* BBANS_DECODER_ONLY */

#endif
