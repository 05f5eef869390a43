/* What located_avx2.c and located_avx512.c share: the steps of bbans_located.h
 * on vectors of 64-bit integers, LANES to a vector V, for the easy values,
 * which are as a rule all: sigma < 2^10, the bin is in the middle and, unless S
 * ends there, t < 8 at both edges.  The including file defines the operations,
 * with comparisons that give masks of whole elements.
 *
 * SPDX-License-Identifier: MIT */

typedef struct {
    V origin, below, e12, half, slots, down, up, middle;
    V easy;
} places;

LOCATED static inline places places_of(const int64_t *at, const int32_t *by)
{
    const V above = SUB(LOAD_INT(by), SET(BBANS_SCALE_MIN));
    const V f = AND(above, SET(255));
    const V location = LOAD(at);
    const V half_way = ADD(AND(location, SET(0xFFFF)), SET(0x8000));
    V middle_bits, octaves;
    places p;

    p.e12 = SRL(above, 8);
    p.easy = LESS(p.e12, SET(22));
    p.e12 = PICK(p.easy, p.e12, SET(21));
    middle_bits = SUB(PICK(LESS(p.e12, SET(13)), SET(13), p.e12), SET(9));
    p.middle = SLLV(SET(1), middle_bits);
    octaves = SUB(SET(64), middle_bits);
    p.half = ADD(p.middle, SLL(octaves, BBANS_OCTAVE_BITS));
    p.slots = SUB(SET((int64_t)1 << BBANS_LOCATED_PREC), SLL(p.half, 1));
    p.origin = SRA16(location);
    p.below = half_way;
    p.down = GATHER_WORDS(bbans_scale_down, f);
    p.up = f;
    return p;
}

/* bbans_edge at a distance, in 2^-16 values, and the bins below it. */
LOCATED static inline V edges(const bbans_shape *shape, places *p, V distance,
                              V bins)
{
    const V last = SET((int64_t)1 << 23);
    const V low = SET(0xFFFFFFFF);
    const V is_below = LESS(distance, SET(0));
    const V is_above = XOR(is_below, SET(-1));
    const V a = SUB(XOR(distance, is_below), is_below);
    const V t = SRLV(MUL(a, p->down), p->e12);
    const V near = LESS(t, last);
    const V clamped = PICK(near, t, last);
    const V pair = GATHER_PAIRS(shape->survival, SRL(clamped, 12));
    const V s0 = AND(pair, low);
    const V fall = MUL(SUB(s0, SRL(pair, 32)), AND(clamped, SET(4095)));
    const V mass = MUL(SUB(s0, SRL(fall, 12)), p->slots);
    /* Above: slots (2^32 - s) >> 32 is slots less the quotient rounded up. */
    const V part = SRL(ADD(mass, AND(is_above, low)), 32);
    const V g =
        ADD(SUB(XOR(part, is_above), is_above), AND(is_above, p->slots));

    if (shape->octaves > 0)
        p->easy = AND(p->easy, near);
    return ADD(g, bins);
}

LOCATED static inline V spans(const bbans_shape *shape, places *p, V u,
                              V *start)
{
    const V distance = SUB(SLL(u, 16), p->below);
    const V bins = ADD(u, p->half);
    V end;

    /* -middle <= u < middle */
    p->easy = AND(p->easy, LESS(u, p->middle));
    p->easy = AND(p->easy, LESS(SUB(SET(-1), p->middle), u));
    *start = edges(shape, p, distance, bins);
    end = edges(shape, p, ADD(distance, SET(65536)), ADD(bins, SET(1)));
    return end;
}

LOCATED static inline unsigned locate(const bbans_shape *shape,
                                      const int64_t *at, const int32_t *by,
                                      const int64_t *value, bbans_span *span)
{
    places p = places_of(at, by);
    const V u = SUB(LOAD(value), p.origin);
    V start;
    const V end = spans(shape, &p, u, &start);

    STORE(span, OR(AND(start, SET(0xFFFFFFFF)), SLL(end, 32)));
    return BITS(p.easy);
}

LOCATED static inline unsigned find(const bbans_shape *shape, const int64_t *at,
                                    const int32_t *by, const uint64_t *head,
                                    bbans_span *span, int64_t *value)
{
    places p = places_of(at, by);
    const V slot = AND(LOAD(head), SET(((int64_t)1 << BBANS_LOCATED_PREC) - 1));
    const V lower = LESS(slot, SET((int64_t)1 << (BBANS_LOCATED_PREC - 1)));
    const V upper = XOR(lower, SET(-1));
    const V p_slot =
        XOR(slot, AND(upper, SET(((int64_t)1 << BBANS_LOCATED_PREC) - 1)));
    const V pair = GATHER_PAIRS(shape->quantile, SRL(p_slot, 17));
    const V t0 = AND(pair, SET(0xFFFFFFFF));
    const V fall = MUL(SUB(t0, SRL(pair, 32)), AND(p_slot, SET(0x1FFFF)));
    const V t = SUB(t0, SRL(fall, 17));
    const V up = GATHER_WORDS(bbans_scale_up, p.up);
    const V a = SRLV(MUL(t, up), SUB(SET(27), p.e12));
    const V signed_a = SUB(XOR(a, lower), lower);
    /* Shifted as unsigned, so that it is a floor: |a| < 2^47. */
    const V u = SUB(SRL(ADD(ADD(signed_a, p.below), SET((int64_t)1 << 62)), 16),
                    SET((int64_t)1 << 46));
    V start;
    const V end = spans(shape, &p, u, &start);

    p.easy = AND(p.easy, AND(LESS(SUB(start, SET(1)), slot), LESS(slot, end)));
    STORE(span, OR(AND(start, SET(0xFFFFFFFF)), SLL(end, 32)));
    STORE(value, ADD(p.origin, u));
    return BITS(p.easy);
}

/* location_of and scale_of of bbans_distribution.c for F64, given as bits. */
LOCATED static inline V fixed_locations(V bits)
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

LOCATED static inline V fixed_scales(V bits)
{
    const V exponent = SRL(bits, 52); /* with the sign */
    const V m = OR(AND(SRL(bits, 21), SET(0x7FFFFFFF)), SET((int64_t)1 << 31));
    const V guess = GATHER_WORDS(bbans_scale_guess, AND(SRL(m, 23), SET(255)));
    const V pair = GATHER_PAIRS(bbans_scale_above, guess);
    const V f = SUB(SUB(guess, LESS(AND(pair, SET(0xFFFFFFFF)), m)),
                    LESS(SRL(pair, 32), m));
    const V value = ADD(SLL(SUB(exponent, SET(1023)), 8), f);
    const V valid = AND(LESS(SET(0), exponent), LESS(exponent, SET(0x7FF)));

    return PICK(valid, value, SET(INT32_MIN));
}
