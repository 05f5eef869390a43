/* Floats of integers, and back: docs/maths.md, "Floats".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_floats.h"

bbans_float_type bbans_float_type_of(int element)
{
    bbans_float_type type;

    type.width = bbans_element_bytes(element);
    type.exponent = element == BBANS_ELEMENT_FLOAT64       ? 11
                    : element == BBANS_ELEMENT_FLOAT32     ? 8
                    : element == BBANS_ELEMENT_BFLOAT16    ? 8
                    : element == BBANS_ELEMENT_FLOAT8_E4M3 ? 4
                                                           : 5;
    type.fraction = 8 * (int)type.width - 1 - type.exponent;
    type.bias = (1 << (type.exponent - 1)) - 1;
    type.magnitudes = ((uint64_t)1 << (8 * type.width - 1)) - 1;
    type.end = element == BBANS_ELEMENT_FLOAT8_E4M3
                   ? type.magnitudes
                   : type.magnitudes >> type.fraction << type.fraction;
    return type;
}

bbans_quotient bbans_quotient_by(uint64_t divisor)
{
    bbans_quotient by;
    uint64_t rest;
    int i;

    by.shift = 64 - bbans_bit_length(divisor);
    by.divisor = divisor << by.shift;
    /* (2^128 - 1) / divisor - 2^64 = (2^128 - 1 - 2^64 divisor) / divisor, bit
     * by bit: its upper half is ~divisor, below the divisor. */
    by.reciprocal = 0;
    rest = ~by.divisor;
    for (i = 0; i < 64; i++) {
        const uint64_t top = rest >> 63;

        rest = rest << 1 | 1;
        by.reciprocal <<= 1;
        if (top != 0 || rest >= by.divisor) {
            rest -= by.divisor;
            by.reciprocal |= 1;
        }
    }
    return by;
}

uint64_t bbans_raw_take(bbans_raw_reader *r, int n)
{
    uint64_t value;

    while (r->n_bits < n) {
        if (r->at < r->end)
            r->bits |= (uint64_t)*r->at++ << r->n_bits;
        else
            r->past = 1;
        r->n_bits += 8;
    }
    value = r->bits & (((uint64_t)1 << n) - 1);
    r->bits >>= n;
    r->n_bits -= n;
    return value;
}

/* How a float lies that is t 2^e and less than 2^e more. */
typedef struct {
    int64_t biased; /* of the exponent; below 1: of no normal number */
    int length;     /* of t */
    int raw;        /* bits that are missing */
} place;

static inline place place_of(const bbans_float_type *type, int e, uint64_t t)
{
    place p;

    p.length = bbans_bit_length(t);
    p.biased = (int64_t)p.length - 1 + e + type->bias;
    p.raw = p.biased < 1 ? e + type->bias - 1 + type->fraction
                         : type->fraction + 1 - p.length;
    if (p.raw < 0)
        p.raw = 0;
    return p;
}

/* Magnitudes below that of 2^e: its exponent is `biased`, whose are how much
 * less, by ones and a zero. */
static uint64_t take_below(const bbans_float_type *type, int64_t biased,
                           bbans_raw_reader *r)
{
    int64_t ones = 0;
    uint64_t exponent;

    if (biased < 1)
        return bbans_raw_take(r, (int)(biased - 1) + type->fraction);
    while (ones < BBANS_UNARY_MAX && bbans_raw_take(r, 1) != 0)
        ones++;
    if (ones == BBANS_UNARY_MAX)
        exponent = bbans_raw_take(r, type->exponent);
    else
        exponent = biased - 1 > ones ? (uint64_t)(biased - 1 - ones) : 0;
    if (exponent >> type->exponent != 0) /* more than there is */
        exponent = (uint64_t)1 << type->exponent;
    return exponent << type->fraction | bbans_raw_take(r, type->fraction);
}

uint64_t bbans_unrounded(const bbans_float_type *type,
                         const bbans_conversion *c, uint64_t q,
                         bbans_raw_reader *r)
{
    const uint64_t t = q >> 63 != 0 ? ~q : q;
    uint64_t magnitude = 0;

    if (t > 0) {
        const place p = place_of(type, c->e, t);

        if (p.biased > (int64_t)1 << type->exponent) {
            magnitude = type->end;
        } else {
            const uint64_t low = r == NULL ? 0 : bbans_raw_take(r, p.raw);
            const int down = p.length - 1 - type->fraction;

            if (p.biased < 1)
                magnitude = t << p.raw | low;
            else
                magnitude = ((uint64_t)(p.biased - 1) << type->fraction) +
                            (down > 0 ? t >> down : t << p.raw | low);
        }
    } else if (r != NULL && !(c->kind == BBANS_CONVERT_ZERO && q == 0)) {
        magnitude = take_below(type, (int64_t)c->e + type->bias, r);
    }
    if (magnitude > type->end)
        magnitude = type->end;
    return q >> 63 != 0 ? ~magnitude : magnitude;
}

#ifndef BBANS_DECODER_ONLY
void bbans_conversion_set(bbans_conversion *c, uint64_t num, uint64_t den,
                          int e)
{
    c->kind = BBANS_CONVERT_RATIO;
    c->num = num;
    c->den = den;
    c->fine = 1;
    c->e = e;
    c->by_num = bbans_quotient_by(num);
    c->by_den = bbans_quotient_by(den);
    c->by_fine = c->by_den;
}

/* q 2^e to the nearest integer below 2^63, ties to even; UINT64_MAX if it is
 * not below. */
static uint64_t nearest_of(const bbans_ratio *ratio)
{
    const int drop = -ratio->e;
    uint64_t kept, rest, half;

    if (drop < 1) /* q is 2^62 or more */
        return drop == 0 && ratio->q >> 63 == 0 ? ratio->q : UINT64_MAX;
    if (drop > 64)
        return 0;
    half = (uint64_t)1 << (drop - 1);
    rest = ratio->q & (half | (half - 1));
    kept = drop == 64 ? 0 : ratio->q >> drop;
    kept += rest > half || (rest == half && (ratio->left || (kept & 1) != 0));
    return kept >> 63 != 0 ? UINT64_MAX : kept;
}

int bbans_float_parts(const bbans_float_type *type, uint64_t magnitude,
                      uint64_t *m)
{
    const uint64_t one = (uint64_t)1 << type->fraction;
    const int biased = (int)(magnitude >> type->fraction);

    *m = (magnitude & (one - 1)) | (biased > 0 ? one : 0);
    return (biased > 0 ? biased : 1) - type->bias - type->fraction;
}

/* The multiple of num / den 2^e that is nearest to a float; 0 if there is none
 * below 2^63. */
static int multiple_of(const bbans_float_type *type, const bbans_conversion *c,
                       uint64_t den, uint64_t bits, uint64_t *d)
{
    const uint64_t magnitude = bits & type->magnitudes;
    uint64_t m, n = 0;
    int e;

    *d = 0;
    if (magnitude >= type->end)
        return 0;
    e = bbans_float_parts(type, magnitude, &m);
    if (m > 0) { /* m den < 2^(53 + 64) */
        bbans_ratio ratio = bbans_ratio_of(m, den, &c->by_num);

        ratio.e += e - c->e;
        n = nearest_of(&ratio);
        if (n == UINT64_MAX)
            return 0;
    }
    *d = bits > type->magnitudes ? 0 - n : n;
    return 1;
}

/* floor(|x| / 2^e), or of negative x one's complement of it. */
static int rounded_of(const bbans_float_type *type, const bbans_conversion *c,
                      uint64_t bits, uint64_t *q)
{
    const uint64_t magnitude = bits & type->magnitudes;
    const uint64_t sign = bits > type->magnitudes ? UINT64_MAX : 0;
    uint64_t m;
    int up;

    *q = 0;
    if (magnitude >= type->end)
        return 0;
    up = bbans_float_parts(type, magnitude, &m) - c->e;
    if (up > 0) {
        if (up + bbans_bit_length(m) > 63)
            return 0;
        m <<= up;
    } else {
        m = up > -64 ? m >> -up : 0;
    }
    *q = m ^ sign;
    /* Of those below 2^e, 0 alone is exact. */
    return c->kind != BBANS_CONVERT_ZERO || *q != 0 || magnitude == 0;
}

int bbans_convert(const bbans_float_type *type, const bbans_conversion *c,
                  uint64_t bits, uint64_t *d, int32_t *moved)
{
    uint64_t apart;

    *moved = 0;
    if (c->kind == BBANS_CONVERT_ORDER) {
        *d = bbans_float_order(type, bits);
        return (bits & type->magnitudes) < type->end;
    }
    if (c->kind != BBANS_CONVERT_RATIO)
        return rounded_of(type, c, bits, d);
    if (!multiple_of(type, c, c->den, bits, d))
        return 0;
    apart = bbans_float_order(type, bits) -
            bbans_float_multiple(type, c, &c->by_den, *d);
    if (apart + BBANS_MOVED_MAX > 2 * BBANS_MOVED_MAX)
        return 0;
    *moved = (int32_t)bbans_signed(apart);
    return 1;
}

int bbans_convert_fine(const bbans_float_type *type, const bbans_conversion *c,
                       uint64_t bits, uint64_t *d)
{
    return multiple_of(type, c, c->den * c->fine, bits, d) &&
           bbans_float_multiple(type, c, &c->by_fine, *d) ==
               bbans_float_order(type, bits);
}

/* t and the raw bits of a magnitude. */
int bbans_rounded_bits(const bbans_float_type *type, const bbans_conversion *c,
                       uint64_t q, uint64_t bits)
{
    const uint64_t t = q >> 63 != 0 ? ~q : q;
    const int64_t least = (int64_t)c->e + type->bias;
    int64_t ones;

    if (t > 0)
        return place_of(type, c->e, t).raw;
    if (c->kind == BBANS_CONVERT_ZERO && q == 0)
        return 0;
    if (least < 1)
        return (int)(least - 1) + type->fraction;
    ones = least - 1 - (int64_t)((bits & type->magnitudes) >> type->fraction);
    return type->fraction + (ones < BBANS_UNARY_MAX
                                 ? (int)ones + 1
                                 : BBANS_UNARY_MAX + type->exponent);
}

static void put_raw(bbans_raw_writer *w, uint64_t value, int n)
{
    w->bits |= value << w->n_bits;
    w->n_bits += n;
    while (w->n_bits >= 8) {
        if (w->n < w->cap)
            w->bytes[w->n] = (uint8_t)w->bits;
        w->n++;
        w->bits >>= 8;
        w->n_bits -= 8;
    }
}

void bbans_rounded_put(const bbans_float_type *type, const bbans_conversion *c,
                       uint64_t q, uint64_t bits, bbans_raw_writer *w)
{
    const int raw = bbans_rounded_bits(type, c, q, bits);
    const uint64_t magnitude = bits & type->magnitudes;
    const uint64_t fraction = magnitude & (((uint64_t)1 << type->fraction) - 1);
    const int64_t least = (int64_t)c->e + type->bias;

    if ((q != 0 && ~q != 0) || least < 1) {
        put_raw(w, magnitude & (((uint64_t)1 << raw) - 1), raw);
    } else if (raw > 0) {
        const int64_t ones = least - 1 - (int64_t)(magnitude >> type->fraction);
        const int unary = ones < BBANS_UNARY_MAX ? (int)ones : BBANS_UNARY_MAX;

        put_raw(w, ((uint64_t)1 << unary) - 1, unary);
        if (unary == BBANS_UNARY_MAX)
            put_raw(w, magnitude >> type->fraction, type->exponent);
        else
            put_raw(w, 0, 1);
        put_raw(w, fraction, type->fraction);
    }
}

void bbans_raw_flush(bbans_raw_writer *w)
{
    if (w->n_bits > 0)
        put_raw(w, 0, 8 - w->n_bits);
}
#endif /* BBANS_DECODER_ONLY */
