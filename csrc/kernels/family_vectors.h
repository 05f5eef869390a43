/* What the kernels of values under a family share: the steps of bbans_family.h
 * for the easy values, which are as a rule all: sigma < 2^10, the bin is well
 * in the middle and, unless S ends there, t < 8 at both edges.
 *
 * A vector V has WIDTH elements of 64 bits, one for each value; what its two
 * edges need are their halves, the lower one for the start, so that spans come
 * out as they are stored.  MUL takes lower halves.  The including file defines
 * the operations.
 *
 * SPDX-License-Identifier: MIT */

/* What exists with and without a leak, so that neither asks at each value. */
#define ALWAYS inline __attribute__((always_inline))

#define SET_HALVES(low, high) SET((int64_t)((uint64_t)(high) << 32 | (low)))
#define SET_BOTH(v) SET_HALVES((uint32_t)(v), (uint32_t)(v))
#define UPPER(v) SRL((v), 32)

/* Easy are locations below 2^61, values below 2^45 and differences of the two
 * below 2^30, in size: what is shifted to the right gets a bias and is positive
 * then. */
#define PLACE_BITS 61
#define VALUE_BITS (PLACE_BITS - 16)
#define DISTANCE_BITS 30
#define BIAS(bits) SET((int64_t)1 << (bits))
/* Not 0 where the biased number is beyond its bits. */
#define BEYOND(biased, bits) SRL((biased), (bits) + 1)

/* Blocks of values take their steps in loops of their own, so that a processor
 * sees many short chains of operations and not a few long ones. */
#define BLOCK 64

typedef struct {
    int64_t before[BLOCK];  /* from the value to the location, in 2^-16 */
    uint64_t powers[BLOCK]; /* entries of bbans_scale_powers            */
    /* Of both edges: t in units of 2^-20, the slots, all bits where the edge is
     * above the location, and the slots of their own of the bins before it. */
    uint64_t t[BLOCK], slots[BLOCK], above[BLOCK], leaks[BLOCK];
} block;

/* Constants that compilers would build anew for each vector, unless HOLD hides
 * what they are. */
typedef struct {
    V least, most, reach, whole, middle, limit, half, all_slots, around, t_end;
    V lower;
} constants;

KERNEL static ALWAYS constants hold_constants(void)
{
    constants c;

#define HELD(name, value)                                                      \
    c.name = (value);                                                          \
    HOLD(c.name)
    HELD(least, SET_BOTH(13));
    HELD(most, SET_BOTH(21));
    HELD(reach, SET_BOTH(1 << 9));
    HELD(whole, SET_BOTH(22));
    HELD(middle, SET_BOTH(1 << 12));
    HELD(limit, SET_BOTH(15 << 24));
    HELD(half, SET_BOTH((64 + 9) << BBANS_OCTAVE_BITS));
    HELD(all_slots, SET_BOTH(1 << BBANS_FAMILY_PREC));
    HELD(around, SET_HALVES(0x8000, -0x8000u));
    HELD(t_end, SET_BOTH(1 << 23));
    HELD(lower, SET(0xFFFFFFFF));
#undef HELD
    return c;
}

/* Values i .. i + WIDTH - 1 are easy no more where an element is not 0. */
KERNEL static ALWAYS void rule_out(uint8_t *easy, size_t i, V hard)
{
    const unsigned all = (1u << WIDTH) - 1;

    easy[i / 8] &= (uint8_t) ~((ZEROS(hard) ^ all) << i % 8);
}

KERNEL static ALWAYS V scales_of(const int32_t *scale)
{
    return ADD32(LOAD_TWICE(scale), SET_BOTH(-BBANS_SCALE_MIN));
}

KERNEL static ALWAYS V powers_of(V scales)
{
    return GATHER(bbans_scale_powers, AND(scales, SET(255)), 8);
}

/* The edges of values, from before and powers.  Not 0 where a value is not
 * easy: the limit is 15/16 of the middle, and 0 for scales that are not valid
 * or 2^10 and more. */
KERNEL static ALWAYS V put_edges(const constants *c, int leak, V scales,
                                 V before, V powers, block *b, size_t i)
{
    const V e12 = SRL32(scales, 8);
    const V octave = MAX32(e12, c->least); /* middle_bits + 9 */
    const V down = SUB32(c->most, octave);
    const V both = TWICE_LOWER(before);
    const V distance = ADD32(both, c->around); /* below the location */
    const V a = ABS32(distance);
    /* t is the product's upper half.  Edges beyond the reach have t >= 2^24. */
    const V x = SLLV32(MIN32(a, SLLV32(c->reach, e12)), SUB32(c->whole, e12));
    const V t = HALVES(UPPER(MUL(x, powers)), MUL(UPPER(x), powers));
    V slots = c->all_slots;

    if (leak) {
        const V half = SUB32(ADD32(SRLV32(c->middle, down), c->half),
                             SLL32(octave, BBANS_OCTAVE_BITS));

        slots = SUB32(slots, ADD32(half, half));
        STORE(b->leaks + i,
              SUB32(ADD32(half, SET_HALVES(0, 1)), SRA32(both, 16)));
    }
    STORE(b->t + i, MIN32(t, c->t_end));
    STORE(b->slots + i, slots);
    STORE(b->above + i, SRA32(distance, 31));
    return OR(BEYOND(ADD(before, BIAS(DISTANCE_BITS)), DISTANCE_BITS),
              MORE32(a, SRLV32(c->limit, down)));
}

/* S in units of 2^-32, in lower halves, `rest` after entry `cell`. */
KERNEL static ALWAYS V survival_of(const uint32_t *survival, V cell, V rest)
{
    const V pair = GATHER(survival, cell, 4);
    const V fall = MUL(SUB(pair, UPPER(pair)), rest);

    return SUB(pair, SRL(fall, 12));
}

/* Above the location slots (2^32 - S) is slots (S ^ (2^32 - 1)) + slots. */
KERNEL static ALWAYS V spans_of(const constants *c, const uint32_t *survival,
                                int leak, const block *b, size_t i)
{
    const V t = LOAD(b->t + i), slots = LOAD(b->slots + i);
    const V above = LOAD(b->above + i), more = AND(above, slots);
    const V cell = SRL32(t, 12), rest = AND(t, SET_BOTH(4095));
    const V s0 = survival_of(survival, AND(cell, c->lower), rest);
    const V s1 = survival_of(survival, UPPER(cell), UPPER(rest));
    const V start = ADD(MUL(XOR(s0, above), slots), AND(more, c->lower));
    const V end = ADD(MUL(XOR(s1, UPPER(above)), slots), UPPER(more));
    const V spans = HALVES(UPPER(start), end);

    return leak ? ADD32(spans, LOAD(b->leaks + i)) : spans;
}

/* Up to BLOCK values, a multiple of 8. */
KERNEL static ALWAYS void locate_block(const bbans_family *family, int leak,
                                       const int64_t *location,
                                       const int32_t *scale,
                                       const int64_t *value, size_t n,
                                       bbans_span *span, uint8_t *easy)
{
    const constants c = hold_constants();
    size_t i;
    block b;

    memset(easy, 0xFF, n / 8);
    for (i = 0; i < n; i += WIDTH) {
        const V v = LOAD(value + i), scales = scales_of(scale + i);
        const V before = SUB(LOAD(location + i), SLL(v, 16));
        const V hard =
            put_edges(&c, leak, scales, before, powers_of(scales), &b, i);

        rule_out(easy, i,
                 OR(hard, BEYOND(ADD(v, BIAS(VALUE_BITS)), VALUE_BITS)));
    }
    for (i = 0; i < n; i += WIDTH) {
        const V spans = spans_of(&c, family->survival, leak, &b, i);

        STORE(span + i, spans);
        if (!leak) /* bins without slots: end - start - 1 is negative */
            rule_out(
                easy, i,
                SRL(SUB(SUB(UPPER(spans), AND(spans, c.lower)), SET(1)), 63));
    }
    for (i = 0; family->octaves > 0 && i < n; i += WIDTH)
        rule_out(easy, i, AND(LOAD(b.t + i), c.t_end));
}

/* The values, before and powers of slots, by their quantiles, which may be off.
 */
KERNEL static ALWAYS void guess_values(const uint32_t *quantile,
                                       const int64_t *location,
                                       const int32_t *scale,
                                       const uint64_t *head, size_t n, block *b,
                                       int64_t *value)
{
    size_t i;

    for (i = 0; i < n; i += WIDTH) {
        const V x = LOAD(head + i), scales = scales_of(scale + i);
        const V powers = powers_of(scales);
        const V e12 = SRL32(scales, 8);
        /* All bits where the slot is of the upper half. */
        const V upper =
            SRA32(SLL32(TWICE_LOWER(x), 32 - BBANS_FAMILY_PREC), 31);
        const V tail = AND(XOR(x, upper), SET((1 << BBANS_FAMILY_PREC) - 1));
        const V pair = GATHER(quantile, SRL(tail, 17), 4);
        const V fall = MUL(SUB(pair, UPPER(pair)), AND(tail, SET(0x1FFFF)));
        const V t = SUB(pair, SRL(fall, 17));
        const V a = AND(SRLV(MUL(t, UPPER(powers)),
                             SUB(SET(27), AND(e12, SET(0xFFFFFFFF)))),
                        SET(((int64_t)1 << DISTANCE_BITS) - 1));
        const V place = ADD(LOAD(location + i), BIAS(PLACE_BITS));
        const V fraction = AND(place, SET(0xFFFF));
        /* a or -a from the location, and half a bin more */
        const V distance =
            ADD(SUB(upper, XOR(a, upper)), ADD(fraction, SET(0x8000)));
        const V u = AND(distance, SET(-0x10000));

        STORE(b->before + i, SUB(fraction, u));
        STORE(b->powers + i, powers);
        STORE(value + i,
              SUB(SRL(ADD(SUB(place, fraction), u), 16), BIAS(VALUE_BITS)));
    }
}

/* A guess is right if its bin has the slot. */
KERNEL static ALWAYS void find_block(const bbans_family *family, int leak,
                                     const int64_t *location,
                                     const int32_t *scale, const uint64_t *head,
                                     size_t n, bbans_span *span, int64_t *value,
                                     uint8_t *easy)
{
    const constants c = hold_constants();
    size_t i;
    block b;

    memset(easy, 0xFF, n / 8);
    guess_values(family->quantile, location, scale, head, n, &b, value);
    for (i = 0; i < n; i += WIDTH) {
        const V place = ADD(LOAD(location + i), BIAS(PLACE_BITS));
        const V hard = put_edges(&c, leak, scales_of(scale + i),
                                 LOAD(b.before + i), LOAD(b.powers + i), &b, i);

        rule_out(easy, i, OR(hard, BEYOND(place, PLACE_BITS)));
    }
    for (i = 0; i < n; i += WIDTH) {
        const V spans = spans_of(&c, family->survival, leak, &b, i);
        const V slots =
            TWICE_LOWER(AND(LOAD(head + i), SET((1 << BBANS_FAMILY_PREC) - 1)));
        /* slot - start is not negative, slot - end is */
        const V signs = XOR(SUB32(slots, spans), SET_HALVES(0, 1u << 31));

        STORE(span + i, spans);
        rule_out(easy, i, AND(signs, SET_BOTH(1u << 31)));
    }
    for (i = 0; family->octaves > 0 && i < n; i += WIDTH)
        rule_out(easy, i, AND(LOAD(b.t + i), c.t_end));
}

/* A multiple of 8. */
KERNEL static void locate_eights(const bbans_family *family,
                                 const int64_t *location, const int32_t *scale,
                                 const int64_t *value, size_t n,
                                 bbans_span *span, uint8_t *easy)
{
    size_t i;

    for (i = 0; i < n; i += BLOCK) {
        const size_t part = n - i < BLOCK ? n - i : BLOCK;

        if (family->leakless)
            locate_block(family, 0, location + i, scale + i, value + i, part,
                         span + i, easy + i / 8);
        else
            locate_block(family, 1, location + i, scale + i, value + i, part,
                         span + i, easy + i / 8);
    }
}

KERNEL static void find_eights(const bbans_family *family,
                               const int64_t *location, const int32_t *scale,
                               const uint64_t *head, size_t n, bbans_span *span,
                               int64_t *value, uint8_t *easy)
{
    size_t i;

    for (i = 0; i < n; i += BLOCK) {
        const size_t part = n - i < BLOCK ? n - i : BLOCK;

        if (family->leakless)
            find_block(family, 0, location + i, scale + i, head + i, part,
                       span + i, value + i, easy + i / 8);
        else
            find_block(family, 1, location + i, scale + i, head + i, part,
                       span + i, value + i, easy + i / 8);
    }
}

/* Any n: what is left for the last eight is copied, and 0 follows it. */
KERNEL static void locate_spans(const bbans_family *family,
                                const int64_t *location, const int32_t *scale,
                                const int64_t *value, size_t n,
                                bbans_span *span, uint8_t *easy)
{
    const size_t rest = n % 8;
    int64_t last_location[8] = {0}, last_value[8] = {0};
    int32_t last_scale[8] = {0};
    bbans_span last_span[8];

    n -= rest;
    locate_eights(family, location, scale, value, n, span, easy);
    if (rest == 0)
        return;
    memcpy(last_location, location + n, rest * sizeof *location);
    memcpy(last_scale, scale + n, rest * sizeof *scale);
    memcpy(last_value, value + n, rest * sizeof *value);
    locate_eights(family, last_location, last_scale, last_value, 8, last_span,
                  easy + n / 8);
    memcpy(span + n, last_span, rest * sizeof *span);
}

KERNEL static void find_values(const bbans_family *family,
                               const int64_t *location, const int32_t *scale,
                               const uint64_t *head, size_t n, bbans_span *span,
                               int64_t *value, uint8_t *easy)
{
    const size_t rest = n % 8;
    int64_t last_location[8] = {0}, last_value[8];
    int32_t last_scale[8] = {0};
    uint64_t last_head[8] = {0};
    bbans_span last_span[8];

    n -= rest;
    find_eights(family, location, scale, head, n, span, value, easy);
    if (rest == 0)
        return;
    memcpy(last_location, location + n, rest * sizeof *location);
    memcpy(last_scale, scale + n, rest * sizeof *scale);
    memcpy(last_head, head + n, rest * sizeof *head);
    find_eights(family, last_location, last_scale, last_head, 8, last_span,
                last_value, easy + n / 8);
    memcpy(span + n, last_span, rest * sizeof *span);
    memcpy(value + n, last_value, rest * sizeof *value);
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
