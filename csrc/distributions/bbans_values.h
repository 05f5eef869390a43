/* Private to csrc/: values coded one at a time, each in as many intervals as it
 * takes: docs/maths.md, "Mixtures, counts and ranges".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_VALUES_H
#define BBANS_VALUES_H

#include "../bbans_internal.h"

/* ---- One value as intervals ---------------------------------------------- */

/* The intervals of one value, in the order of popping. */
#define BBANS_INTERVALS_MAX 9

typedef struct {
    bbans_interval at[BBANS_INTERVALS_MAX];
    size_t n;
} bbans_intervals;

static inline void bbans_list(bbans_intervals *to, uint32_t start,
                              uint32_t freq, uint32_t total)
{
    to->at[to->n].start = start;
    to->at[to->n].freq = freq;
    to->at[to->n++].total = total;
}

/* Where intervals are popped from: a lane of a message with room for a word, or
 * a range decoder. */
typedef struct {
    bbans_lane lane;
    bbans_range_decoder *dec; /* NULL: the lane      */
    bbans_status status;      /* of the range decoder */
} bbans_source;

/* The next slot of `total`.  From damaged data the range decoder may have none;
 * then it is 0, from here on, and the status says so. */
static inline uint32_t bbans_source_take(bbans_source *from, uint32_t total)
{
    uint32_t slot = 0;

    if (from->dec != NULL) {
        if (from->status == BBANS_OK)
            from->status = bbans_range_slot(from->dec, total, &slot);
        return from->status == BBANS_OK ? slot : 0;
    }
    if ((total & (total - 1)) != 0)
        return bbans_lane_take_slot(&from->lane, total);
    slot = (uint32_t)from->lane.x & (total - 1);
    from->lane.x >>= bbans_floor_log2(total);
    return slot;
}

/* Go on behind the interval that holds the slot. */
static inline void bbans_source_put(bbans_source *from, uint32_t slot,
                                    uint32_t start, uint32_t freq,
                                    uint32_t total)
{
    if (from->dec == NULL)
        bbans_lane_put_rest(&from->lane, slot, start, freq);
    else if (from->status == BBANS_OK)
        from->status = bbans_range_advance(from->dec, start, freq, total);
}

/* u of 0 .. last, all equally likely; 3 intervals at most. */
void bbans_list_below(bbans_intervals *to, uint64_t u, uint64_t last);
uint64_t bbans_find_below(bbans_source *from, uint64_t last);

/* The intervals of `last` + 1 equally likely values. */
static inline size_t bbans_below_words(uint64_t last)
{
    return ((size_t)bbans_bit_length(last) + 27) / 28;
}

/* ---- Laws: values by a cumulative distribution function ------------------ */

/* F(v), the mass below the value v, counts in units of 2^-32 and does not
 * fall; F is 0 at low, and 2^32 behind high, whatever `below` says. */
typedef struct {
    uint64_t (*below)(const void *model, int64_t value);
    /* Two values, between which that of a slot of 2^28 is likely to be. */
    void (*guess)(const void *model, uint32_t slot, int64_t *from, int64_t *to);
    /* Or NULL: F(v) and F(v + 1), for narrow ones. */
    void (*pair)(const void *model, int64_t value, uint64_t mass[2]);
    const void *model;
    int64_t low, high, origin; /* low <= origin <= high */
    uint32_t leak; /* 1: each value has a mass; 0: only where F rises */
} bbans_cdf;

#define BBANS_CDF_WORDS 8

/* Where bins of one are all there are. */
#define BBANS_CDF_MIDDLE_BITS 11

static inline int bbans_cdf_is_narrow(int64_t low, int64_t high)
{
    return (uint64_t)high - (uint64_t)low < 2u << BBANS_CDF_MIDDLE_BITS;
}

/* The value is in low .. high; BBANS_CDF_WORDS intervals, 1 if narrow.
 * ERR_SYMBOL if it has no mass. */
bbans_status bbans_cdf_list(bbans_intervals *to, const bbans_cdf *cdf,
                            int64_t value);
int64_t bbans_cdf_find(bbans_source *from, const bbans_cdf *cdf);

/* ---- Arrays of values ---------------------------------------------------- */

/* What is to be done with n values: they go to a message or an encoder, or come
 * from a message or a decoder; or all are NULL, and they are only listed, or
 * weighed. */
struct bbans_call {
    bbans_message *msg;
#ifndef BBANS_DECODER_ONLY
    bbans_range_encoder *enc;
#endif /* BBANS_DECODER_ONLY */
    bbans_range_decoder *dec;
    int pops;
    const void *from; /* the values that are pushed */
    void *to;         /* where those popped go      */
    int type;
    size_t n;
    bbans_interval *list; /* [cap], or NULL                  */
    size_t cap, *listed;
    size_t *at;         /* the first that cannot be listed */
    uint32_t *mantissa; /* [n], or NULL: their masses alone are wanted */
    int32_t *exponent;  /* [n]                                         */
};

/* What codes value i, with a scratch of its own.  Both check before they act.
 */
typedef struct {
    bbans_status (*list)(const bbans_distribution *d, void *scratch, size_t i,
                         int64_t value, bbans_intervals *to);
    bbans_status (*find)(const bbans_distribution *d, void *scratch, size_t i,
                         bbans_source *from, int64_t *value);
} bbans_value_coder;

/* What codes n <= VALUE_GROUP values at once, from value i on, of those that
 * take one interval of 2^28 slots: `locate` sets their spans and their bits in
 * `easy`, which are 0 before; `search` has slots, and sets the values too.  The
 * others are left to a value coder. */
#define BBANS_VALUE_GROUP 256

typedef struct {
    void (*locate)(const bbans_distribution *d, void *scratch, size_t i,
                   size_t n, const int64_t *value, bbans_span *span,
                   uint8_t *easy);
    void (*search)(const bbans_distribution *d, void *scratch, size_t i,
                   size_t n, const uint32_t *slot, int64_t *value,
                   bbans_span *span, uint8_t *easy);
} bbans_group_coder;

static inline void bbans_set_easy(uint8_t *easy, size_t i)
{
    easy[i / 8] = (uint8_t)(easy[i / 8] | 1u << i % 8);
}

static inline int bbans_is_easy(const uint8_t *easy, size_t i)
{
    return easy[i / 8] >> i % 8 & 1;
}

static inline int bbans_value_type_is_valid(int type)
{
    return bbans_type_is_valid(type) && type != BBANS_U64;
}

/* Whether symbols 0 .. limit - 1 to be popped fit the type. */
static inline int bbans_type_holds(int type, uint32_t limit)
{
    const int bits = 8 * (type < 0 ? -type : type) - (type < 0);

    return bits >= 32 || limit <= (uint32_t)1 << bits;
}

/* Symbols and rows are checked against limits of up to 2^28. */
static inline uint32_t bbans_limit_of(size_t n)
{
    return n < BBANS_TOTAL_MAX ? (uint32_t)n : BBANS_TOTAL_MAX;
}

/* The call's type, for symbols below the limit. */
static inline bbans_status bbans_check_type(const struct bbans_call *call,
                                            uint32_t limit)
{
    return bbans_type_is_valid(call->type) &&
                   (!call->pops || bbans_type_holds(call->type, limit))
               ? BBANS_OK
               : BBANS_ERR_TYPE;
}

/* The same law, without the values before `first`. */
static inline bbans_distribution
bbans_distribution_from(const bbans_distribution *d, size_t first)
{
    const size_t row = d->width > 0 ? d->width : 1;
    bbans_distribution rest = *d;
    size_t k;

    for (k = 0; k < 3; k++)
        if (rest.array[k].data != NULL)
            rest.array[k].data =
                (const uint8_t *)rest.array[k].data +
                first * row * bbans_type_bytes(d->array[k].type);
    return rest;
}

/* Check the arrays, and do what the call says. */
bbans_status bbans_distribution_code(const bbans_distribution *d,
                                     const struct bbans_call *call);

/* Check the type and the room, and do what the call says, one by one. */
bbans_status bbans_code_values(const bbans_distribution *d,
                               const struct bbans_call *call,
                               const bbans_value_coder *coder, void *scratch);

/* The same; on messages in groups. */
bbans_status bbans_code_groups(const bbans_distribution *d,
                               const struct bbans_call *call,
                               const bbans_value_coder *coder,
                               const bbans_group_coder *group, void *scratch);

#endif
