/* What family_avx2.c and family_avx512.c share: the steps of bbans_family.h
 * for the easy values, which are as a rule all: sigma < 2^10, the bin is in
 * the middle and, unless S ends there, t < 8 at both edges.
 *
 * A vector V has 2 HALF integers of 32 bits, of which all that an easy value
 * needs takes one, but products: value i < HALF is in the lower half of the
 * 64-bit element i, value HALF + i in the upper half, and LOWS(a, b) and
 * HIGHS(a, b) have the lower or upper halves of a and b in this order.  MUL
 * takes lower halves, GATHER them as indices.  The including file defines the
 * operations; comparisons, of signed integers, give masks M.
 *
 * SPDX-License-Identifier: MIT */

/* What exists with and without a leak, so that neither asks at each value. */
#define ALWAYS inline __attribute__((always_inline))

#define UPPER(v) SRL((v), 32)
#define SIGN(v) SRA32((v), 31)
/* v, and -1 - v for the negative ones */
#define FOLDED(v) XOR((v), SIGN(v))

typedef struct {
    V origin[2]; /* of 64 bits */
    V half_way, fraction, e12, half, slots, down, middle, a_max;
    M easy;
    int leak; /* a constant, wherever it is inlined */
} places;

KERNEL static inline places places_of(int leak, const int64_t *location,
                                      const int32_t *scale)
{
    const V at_low = LOAD(location), at_high = LOAD(location + HALF);
    const V lows = LOWS(at_low, at_high);
    const V above = SUB32(LOWS(LOAD_INT(scale), LOAD_INT(scale + HALF)),
                          SET32(BBANS_SCALE_MIN));
    V middle_bits;
    places p;

    p.origin[0] = SRA16(at_low);
    p.origin[1] = SRA16(at_high);
    p.half_way = ADD32(AND(lows, SET32(0xFFFF)), SET32(0x8000));
    p.fraction = AND(above, SET32(255));
    p.e12 = SRL32(above, 8);
    /* Scales are valid; locations too, below 2^62 - 2^32 in size. */
    p.easy = BOTH(LESS32(p.e12, SET32(22)),
                  LESS32(FOLDED(HIGHS(at_low, at_high)), SET32(0x3FFFFFFF)));
    middle_bits = SUB32(MAX32(p.e12, SET32(13)), SET32(9));
    p.middle = SLLV32(SET32(1), middle_bits);
    p.half = ADD32(SUB32(p.middle, SLL32(middle_bits, BBANS_OCTAVE_BITS)),
                   SET32(64 << BBANS_OCTAVE_BITS));
    p.leak = leak;
    p.slots = SET32(1 << BBANS_FAMILY_PREC);
    if (leak)
        p.slots = SUB32(p.slots, SLL32(p.half, 1));
    p.down = ADD32(LOOK_UP(bbans_scale_down, p.fraction), SET32(1));
    p.a_max = SLLV32(SET32(1 << 9), p.e12);
    return p;
}

/* S slots in units of 2^-32, by two entries of the table and the rest of t. */
KERNEL static inline V mass_of(V pair, V rest, V slots)
{
    const V fall = MUL(SUB(pair, UPPER(pair)), rest);

    return MUL(SUB(pair, SRL(fall, 12)), slots);
}

/* bbans_edge at a distance, in 2^-16 values, and the bins below it. */
KERNEL static inline V edges(const bbans_family *family, places *p, V distance,
                             V bins)
{
    const V last = SET32(1 << 23);
    /* a_max has t >= 2^24, and t <= 2^25 fits. */
    const V a = MIN32(ABS32(distance), p->a_max);
    const V t = LOWS(SRLV(MUL(a, p->down), AND(p->e12, SET(0xFFFFFFFF))),
                     SRLV(MUL(UPPER(a), UPPER(p->down)), UPPER(p->e12)));
    const V clamped = MIN32(t, last);
    const V cell = SRL32(clamped, 12);
    const V rest = AND(clamped, SET32(4095));
    const V m0 = mass_of(GATHER(family->survival, cell), rest, p->slots);
    const V m1 = mass_of(GATHER(family->survival, UPPER(cell)), UPPER(rest),
                         UPPER(p->slots));
    const V g = HIGHS(m0, m1);
    /* Above: slots (2^32 - s) >> 32 is slots less the quotient rounded up. */
    const V above = SUB32(SUB32(p->slots, g), MIN32(LOWS(m0, m1), SET32(1)));

    if (family->octaves > 0)
        p->easy = BOTH(p->easy, LESS32(clamped, last));
    return p->leak ? ADD32(IF_NEGATIVE(distance, g, above), bins)
                   : IF_NEGATIVE(distance, g, above);
}

/* The quantile of a slot of the tail, in its cell. */
KERNEL static inline V quantile_of(const bbans_family *family, V cell, V tail)
{
    const V pair = GATHER(family->quantile, cell);
    const V fall = MUL(SUB(pair, UPPER(pair)), AND(tail, SET(0x1FFFF)));

    return SUB(pair, SRL(fall, 17));
}

/* The spans of bins -middle <= u < middle, stored. */
KERNEL static inline void put_spans(const bbans_family *family, places *p, V u,
                                    V *start, V *end, bbans_span *span)
{
    const V distance = SUB32(SLL32(u, 16), p->half_way);
    const V bins = ADD32(u, p->half);

    p->easy = BOTH(p->easy, LESS32(FOLDED(u), p->middle));
    *start = edges(family, p, distance, bins);
    *end = edges(family, p, ADD32(distance, SET32(1 << 16)),
                 ADD32(bins, SET32(1)));
    STORE(span, LOWS(*start, *end));
    STORE(span + HALF, HIGHS(*start, *end));
}

/* Bits in the order of values. */
KERNEL static inline unsigned bits_of(M mask)
{
    const V v = AS_VECTOR(mask);

    return BITS(SLL(v, 32)) | BITS(v) << HALF;
}

KERNEL static ALWAYS unsigned locate(const bbans_family *family, int leak,
                                     const int64_t *location,
                                     const int32_t *scale, const int64_t *value,
                                     bbans_span *span)
{
    places p = places_of(leak, location, scale);
    const V low = SUB(LOAD(value), p.origin[0]);
    const V high = SUB(LOAD(value + HALF), p.origin[1]);
    const V u = LOWS(low, high);
    V start, end;

    p.easy = BOTH(p.easy, EQUAL32(HIGHS(low, high), SIGN(u)));
    put_spans(family, &p, u, &start, &end, span);
    if (!leak)
        p.easy = BOTH(p.easy, LESS32(start, end));
    return bits_of(p.easy);
}

KERNEL static ALWAYS unsigned find(const bbans_family *family, int leak,
                                   const int64_t *location,
                                   const int32_t *scale, const uint64_t *head,
                                   bbans_span *span, int64_t *value)
{
    const V mask = SET32((1 << BBANS_FAMILY_PREC) - 1);
    places p = places_of(leak, location, scale);
    const V x = LOWS(LOAD(head), LOAD(head + HALF));
    const V slot = AND(x, mask);
    const V upper = SIGN(SLL32(x, 32 - BBANS_FAMILY_PREC));
    const V tail = AND(XOR(x, upper), mask);
    const V up = LOOK_UP(bbans_scale_up, p.fraction);
    const V shift = SUB32(SET32(27), p.e12);
    const V t0 = quantile_of(family, SRL32(tail, 17), tail);
    const V t1 = quantile_of(family, UPPER(SRL32(tail, 17)), UPPER(tail));
    /* Whatever is lost of a larger product: the edges tell. */
    const V a = LOWS(SRLV(MUL(t0, up), AND(shift, SET(0xFFFFFFFF))),
                     SRLV(MUL(t1, UPPER(up)), UPPER(shift)));
    const V distance =
        ADD32(IF_NEGATIVE(upper, a, SUB32(SET32(0), a)), p.half_way);
    const V u = SRA32(distance, 16);
    V start, end;

    put_spans(family, &p, u, &start, &end, span);
    p.easy = BOTH(
        p.easy, BOTH(LESS32(SUB32(start, SET32(1)), slot), LESS32(slot, end)));
    STORE(value, ADD(p.origin[0], LOWS(u, SIGN(u))));
    STORE(value + HALF, ADD(p.origin[1], HIGHS(u, SIGN(u))));
    return bits_of(p.easy);
}

/* Any n: what is left for the last vector is copied, and 0 follows it. */
KERNEL static ALWAYS void locate_with(const bbans_family *family, int leak,
                                      const int64_t *location,
                                      const int32_t *scale,
                                      const int64_t *value, size_t n,
                                      bbans_span *span, uint8_t *easy)
{
    int64_t last_location[2 * HALF] = {0}, last_value[2 * HALF] = {0};
    int32_t last_scale[2 * HALF] = {0};
    bbans_span last_span[2 * HALF];
    const size_t whole = n / (2 * HALF) * (2 * HALF), rest = n - whole;
    size_t i;

    memcpy(last_location, location + whole, rest * sizeof *location);
    memcpy(last_scale, scale + whole, rest * sizeof *scale);
    memcpy(last_value, value + whole, rest * sizeof *value);
    for (i = 0; i < n; i += 2 * HALF) {
        const int is_last = i == whole;
        const unsigned bits = locate(
            family, leak, is_last ? last_location : location + i,
            is_last ? last_scale : scale + i, is_last ? last_value : value + i,
            is_last ? last_span : span + i);

        PUT_BITS(easy + i / 8, bits);
    }
    memcpy(span + whole, last_span, rest * sizeof *span);
}

KERNEL static ALWAYS void find_with(const bbans_family *family, int leak,
                                    const int64_t *location,
                                    const int32_t *scale, const uint64_t *head,
                                    size_t n, bbans_span *span, int64_t *value,
                                    uint8_t *easy)
{
    int64_t last_location[2 * HALF] = {0}, last_value[2 * HALF];
    int32_t last_scale[2 * HALF] = {0};
    uint64_t last_head[2 * HALF] = {0};
    bbans_span last_span[2 * HALF];
    const size_t whole = n / (2 * HALF) * (2 * HALF), rest = n - whole;
    size_t i;

    memcpy(last_location, location + whole, rest * sizeof *location);
    memcpy(last_scale, scale + whole, rest * sizeof *scale);
    memcpy(last_head, head + whole, rest * sizeof *head);
    for (i = 0; i < n; i += 2 * HALF) {
        const int is_last = i == whole;
        const unsigned bits = find(
            family, leak, is_last ? last_location : location + i,
            is_last ? last_scale : scale + i, is_last ? last_head : head + i,
            is_last ? last_span : span + i, is_last ? last_value : value + i);

        PUT_BITS(easy + i / 8, bits);
    }
    memcpy(span + whole, last_span, rest * sizeof *span);
    memcpy(value + whole, last_value, rest * sizeof *value);
}

KERNEL static inline void locate_all(const bbans_family *family,
                                     const int64_t *location,
                                     const int32_t *scale, const int64_t *value,
                                     size_t n, bbans_span *span, uint8_t *easy)
{
    if (family->leakless)
        locate_with(family, 0, location, scale, value, n, span, easy);
    else
        locate_with(family, 1, location, scale, value, n, span, easy);
}

KERNEL static inline void find_all(const bbans_family *family,
                                   const int64_t *location,
                                   const int32_t *scale, const uint64_t *head,
                                   size_t n, bbans_span *span, int64_t *value,
                                   uint8_t *easy)
{
    if (family->leakless)
        find_with(family, 0, location, scale, head, n, span, value, easy);
    else
        find_with(family, 1, location, scale, head, n, span, value, easy);
}

/* fixed_of of bbans_distribution.c for F64, given as bits. */
KERNEL static inline V fixed_locations(V bits)
{
    const V mantissa = SET(((int64_t)1 << 52) - 1);
    const V m = OR(AND(bits, mantissa), SET((int64_t)1 << 52));
    const V shift = SUB(SET(1059), AND(SRL(bits, 52), SET(0x7FF)));
    const V half = SLLV(SET(1), SUB(shift, SET(1)));
    const V size = SRLV(ADD(m, half), shift); /* shifts from 64 on give 0 */
    const V sign = LESS(bits, SET(0));
    const V value = SUB(XOR(size, sign), sign);

    return PICK(LESS(shift, SET(1)), SET(INT64_MIN), value);
}

/* scale_of of bbans_distribution.c for F32 or for F64 rounded to it, given as
 * bits: 256 e + 256 log2(1 + x) with sqrt(1/2) <= 1 + x < sqrt(2).  The
 * polynomial is off by 2.2e-4, its arithmetic and the rounding of x and of the
 * portable code's thresholds by less than 2e-4 more, so what is further than
 * 2^-10 from a half is known. */
KERNEL static inline V fixed_scales(V bits)
{
    const V e = SRA32(SUB32(bits, SET32(0x3F3504F3)), 23);
    const F x = SUB_F(AS_F(SUB32(bits, SLL32(e, 23))), SET_F(1.0f));
    F y = SET_F(43.055767f);
    V nearest, rest;
    M sure;

    y = MUL_ADD_F(y, x, SET_F(-68.598747f));
    y = MUL_ADD_F(y, x, SET_F(75.806610f));
    y = MUL_ADD_F(y, x, SET_F(-92.038261f));
    y = MUL_ADD_F(y, x, SET_F(123.036957f));
    y = MUL_ADD_F(y, x, SET_F(-184.668213f));
    y = MUL_ADD_F(y, x, SET_F(369.330322f));
    y = MUL_F(y, x);
    nearest = ROUNDED(y);
    rest = AS_V(SUB_F(y, FLOATS(nearest)));
    /* 0x3EFF8000 is 0.5 - 2^-10; the others are positive, normal and finite. */
    sure = BOTH(
        LESS32(AND(rest, SET32(0x7FFFFFFF)), SET32(0x3EFF8000)),
        BOTH(LESS32(SET32(0x7FFFFF), bits), LESS32(bits, SET32(0x7F800000))));
    return PICK32(sure, ADD32(SLL32(e, 8), nearest), SET32(INT32_MIN));
}
