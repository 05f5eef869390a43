/* Private to floats/: what its files share.  docs/format.md, "Floats", and
 * docs/maths.md, "Floats".
 *
 * Floats are handled by their bits, without a unit that computes with them: a
 * *magnitude* is a float's bits without the sign, and the *order* of a float
 * is its magnitude m, or of negative ones -1 - m, so that floats and their
 * orders compare alike, and neighbours differ by 1.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FLOATS_H
#define BBANS_FLOATS_H

#include "../bytes/bbans_bytes_internal.h"
#include "../files/bbans_files.h"

/* The first byte of a block: how floats are coded. */
enum {
    BBANS_FORM_PLANES = 0,   /* planes of their bytes      */
    BBANS_FORM_INTEGERS = 1, /* integers, and what is left */
    BBANS_FORM_STORED = 4    /* the elements               */
};

/* The second byte of a block of integers: what follows. */
enum {
    BBANS_FLOAT_GRID = 1,    /* integers are a grid, not a signal     */
    BBANS_FLOAT_SHARED = 2,  /* one conversion for all groups         */
    BBANS_FLOAT_CLASSES = 4, /* there are exceptions                  */
    BBANS_FLOAT_RAW = 8,     /* there are raw bits                    */
    BBANS_FLOAT_MOVED = 16,  /* there are adjustments                 */
    BBANS_FLOAT_FLAGS = 32
};

#define BBANS_CONVERSIONS_MAX 256 /* more groups than these share one */
#define BBANS_PATTERNS_MAX 14     /* of exceptions that recur         */

/* ---- Types --------------------------------------------------------------- */

typedef struct {
    size_t width;        /* bytes                                       */
    int exponent;        /* bits of it                                  */
    int fraction;        /* and below                                   */
    int bias;            /* of the exponent                             */
    uint64_t end;        /* the first magnitude that is no number       */
    uint64_t magnitudes; /* how many there are, less 1: all bits of one */
} bbans_float_type;

bbans_float_type bbans_float_type_of(int element);

/* Of bits, their order, as a number of 64 bits; and back. */
static inline uint64_t bbans_float_order(const bbans_float_type *type,
                                         uint64_t bits)
{
    return bits > type->magnitudes ? ~(bits & type->magnitudes) : bits;
}

static inline uint64_t bbans_float_bits(const bbans_float_type *type,
                                        uint64_t order)
{
    return order >> 63 != 0
               ? (~order & type->magnitudes) | (type->magnitudes + 1)
               : order & type->magnitudes;
}

/* Elements of 1, 2, 4 and 8 bytes. */
static inline uint64_t bbans_bits_load(const uint8_t *from, size_t width)
{
    uint64_t wide;
    uint32_t word;
    uint16_t half;

    if (width == 8) {
        memcpy(&wide, from, 8);
        return wide;
    }
    if (width == 4) {
        memcpy(&word, from, 4);
        return word;
    }
    if (width == 1)
        return *from;
    memcpy(&half, from, 2);
    return half;
}

static inline void bbans_bits_store(uint8_t *to, uint64_t bits, size_t width)
{
    const uint32_t word = (uint32_t)bits;
    const uint16_t half = (uint16_t)bits;

    if (width == 8)
        memcpy(to, &bits, 8);
    else if (width == 4)
        memcpy(to, &word, 4);
    else if (width == 1)
        *to = (uint8_t)bits;
    else
        memcpy(to, &half, 2);
}

/* ---- Products and quotients ---------------------------------------------- */

typedef struct {
    uint64_t high, low;
} bbans_wide;

/* Without a type of 128 bits: what the other one must equal, for the tests to
 * see. */
#if !defined(__SIZEOF_INT128__) || defined(BBANS_BOTH_PRODUCTS)
static inline bbans_wide bbans_product_portable(uint64_t a, uint64_t b)
{
    const uint64_t mask = 0xffffffff;
    const uint64_t low = (a & mask) * (b & mask);
    const uint64_t middle = (a >> 32) * (b & mask) + (low >> 32);
    const uint64_t other = (a & mask) * (b >> 32) + (middle & mask);
    bbans_wide product;

    product.high = (a >> 32) * (b >> 32) + (middle >> 32) + (other >> 32);
    product.low = other << 32 | (low & mask);
    return product;
}
#endif

static inline bbans_wide bbans_product(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 both;
    const both wide = (both)a * b;
    bbans_wide product;

    product.high = (uint64_t)(wide >> 64);
    product.low = (uint64_t)wide;
    return product;
#else
    return bbans_product_portable(a, b);
#endif
}

/* To divide by `divisor`, shifted up by `shift` to be 2^63 or more, by a
 * multiplication: Moller and Granlund, "Improved division by invariant
 * integers", IEEE Trans. Computers 60(2), 2011. */
typedef struct {
    uint64_t divisor;
    uint64_t reciprocal; /* floor((2^128 - 1) / divisor) - 2^64 */
    int shift;
} bbans_quotient;

bbans_quotient bbans_quotient_by(uint64_t divisor); /* >= 1 */

/* floor(value / divisor), where value->high < divisor; value becomes what is
 * left, in its lower half. */
static inline uint64_t bbans_divide(const bbans_quotient *by, bbans_wide *value)
{
    bbans_wide q = bbans_product(by->reciprocal, value->high);
    uint64_t rest;

    q.low += value->low;
    q.high += value->high + (q.low < value->low) + 1;
    rest = value->low - q.high * by->divisor;
    if (rest > q.low) {
        q.high--;
        rest += by->divisor;
    }
    if (rest >= by->divisor) {
        q.high++;
        rest -= by->divisor;
    }
    value->high = 0;
    value->low = rest;
    return q.high;
}

/* a b / by, a, b >= 1 and a b < 2^127, as a number q 2^e, with 2^62 <= q, and
 * whether something is left. */
typedef struct {
    uint64_t q;
    int e, left;
} bbans_ratio;

static inline bbans_ratio bbans_ratio_of(uint64_t a, uint64_t b,
                                         const bbans_quotient *by)
{
    bbans_wide p = bbans_product(a, b);
    bbans_ratio ratio;
    int up; /* to 2^126 .. 2^127: then p / by is from 2^62 on, below 2^64 */

    if (p.high != 0) {
        up = 63 - bbans_bit_length(p.high);
        p.high = p.high << up | (up > 0 ? p.low >> (64 - up) : 0);
        p.low <<= up;
    } else {
        const int most = bbans_bit_length(p.low);

        up = 127 - most;
        if (most == 64) {
            p.high = p.low >> 1;
            p.low <<= 63;
        } else {
            p.high = p.low << (63 - most);
            p.low = 0;
        }
    }
    ratio.q = bbans_divide(by, &p);
    ratio.e = by->shift - up;
    ratio.left = p.low != 0;
    return ratio;
}

/* ---- Conversions --------------------------------------------------------- */

enum {
    BBANS_CONVERT_ORDER = 0,   /* integers are orders                        */
    BBANS_CONVERT_RATIO = 1,   /* multiples of num / den 2^e, rounded        */
    BBANS_CONVERT_ROUNDED = 2, /* multiples of 2^e, and raw bits             */
    BBANS_CONVERT_ZERO = 3,    /* the same, and 0 is exact                   */
    BBANS_CONVERT_KINDS = 4
};

#define BBANS_CONVERT_E_MAX 4096 /* of |e| */
#define BBANS_UNARY_MAX 16       /* exponents below that of 2^e, less 1 */

typedef struct {
    uint64_t num, den, fine; /* fine >= 1, den fine < 2^64 */
    int kind, e;
    bbans_quotient by_num, by_den, by_fine; /* the encoder's; den; den fine */
} bbans_conversion;

/* The magnitude of q 2^e, rounded to the nearest, ties to even. */
static inline uint64_t bbans_magnitude_of(const bbans_float_type *type,
                                          const bbans_ratio *ratio)
{
    const int top = bbans_bit_length(ratio->q) - 1;
    const int64_t biased = (int64_t)top + ratio->e + type->bias;
    uint64_t kept, rest, half, magnitude;
    int64_t drop = top - type->fraction;

    if (biased > (int64_t)1 << type->exponent)
        return type->end;
    if (biased < 1)
        drop += 1 - biased;
    if (drop > 64)
        return 0;
    half = (uint64_t)1 << (drop - 1);
    rest = ratio->q & (half | (half - 1));
    kept = drop == 64 ? 0 : ratio->q >> drop;
    kept += rest > half || (rest == half && (ratio->left || (kept & 1) != 0));
    /* The highest bit of `kept` counts as one in the exponent. */
    magnitude =
        biased < 1 ? kept : ((uint64_t)(biased - 1) << type->fraction) + kept;
    return magnitude < type->end ? magnitude : type->end;
}

/* The order of the float nearest to d num / by 2^e. */
static inline uint64_t bbans_float_multiple(const bbans_float_type *type,
                                            const bbans_conversion *c,
                                            const bbans_quotient *by,
                                            uint64_t d)
{
    const uint64_t size = d >> 63 != 0 ? 0 - d : d;
    uint64_t magnitude = 0;

    if (size > 0) {
        bbans_ratio ratio = bbans_ratio_of(size, c->num, by);

        ratio.e += c->e;
        magnitude = bbans_magnitude_of(type, &ratio);
    }
    return d >> 63 != 0 ? ~magnitude : magnitude;
}

/* ---- Raw bits, the lowest first ------------------------------------------ */

typedef struct {
    const uint8_t *at, *end;
    uint64_t bits;
    int n_bits; /* of them */
    int past;   /* were read past the end, as zeros */
} bbans_raw_reader;

uint64_t bbans_raw_take(bbans_raw_reader *r, int n); /* n <= 52 */

/* The order of the float whose t is of the integer q, with its raw bits; of an
 * exception (r = NULL) these are 0. */
uint64_t bbans_unrounded(const bbans_float_type *type,
                         const bbans_conversion *c, uint64_t q,
                         bbans_raw_reader *r);

/* ---- Blocks of integers -------------------------------------------------- */

/* Classes of exceptions are 0: none, 1 .. patterns: bits that recur, and behind
 * these: */
enum {
    BBANS_CLASS_BITS = 1,  /* the float's bits                              */
    BBANS_CLASS_MOVED = 2, /* how far its order is from the integer's float */
    BBANS_CLASS_FINE = 3   /* its integer in finer steps                    */
};

size_t bbans_integers_decoder_bytes(size_t n);
bbans_status bbans_integers_decompress(int element, const uint8_t *block,
                                       size_t n_bytes, void *data, size_t n,
                                       void *work, size_t work_bytes);

#ifndef BBANS_DECODER_ONLY
/* How floats lie: those of a group, a channel or a band, are `groups` apart. */
typedef struct {
    bbans_float_type type;
    int element;
    const uint8_t *data;
    size_t n, groups;
    size_t channels; /* 0: a grid */
    const bbans_grid *grid;
    int level;
} bbans_floats;

size_t bbans_integers_encoder_bytes(int element, size_t channels,
                                    const bbans_grid *grid, size_t n,
                                    int level);

/* A block from its second byte on; ERR_CAPACITY where it is not likely to be
 * of `cap` bytes at most. */
bbans_status bbans_integers_compress(const bbans_floats *floats, uint8_t *block,
                                     size_t cap, size_t *n_bytes, void *work,
                                     size_t work_bytes);

/* ---- Conversions of floats ----------------------------------------------- */

void bbans_conversion_set(bbans_conversion *c, uint64_t num, uint64_t den,
                          int e);

/* The integer of a float, and its adjustment; returns 0 if it has none, and
 * then *d is as near as it gets. */
#define BBANS_MOVED_MAX 32767
int bbans_convert(const bbans_float_type *type, const bbans_conversion *c,
                  uint64_t bits, uint64_t *d, int32_t *moved);

/* The same in finer steps. */
int bbans_convert_fine(const bbans_float_type *type, const bbans_conversion *c,
                       uint64_t bits, uint64_t *d);

typedef struct {
    uint8_t *bytes;
    size_t n, cap; /* n > cap: they were too many, and are not all there */
    uint64_t bits;
    int n_bits;
} bbans_raw_writer;

/* How many raw bits a float has under a conversion to q, and put them. */
int bbans_rounded_bits(const bbans_float_type *type, const bbans_conversion *c,
                       uint64_t q, uint64_t bits);
void bbans_rounded_put(const bbans_float_type *type, const bbans_conversion *c,
                       uint64_t q, uint64_t bits, bbans_raw_writer *w);
void bbans_raw_flush(bbans_raw_writer *w);

/* What a finite magnitude counts: *m times 2 to what is returned. */
int bbans_float_parts(const bbans_float_type *type, uint64_t magnitude,
                      uint64_t *m);

/* The conversion of each kind that seems to take least of a group's floats,
 * without `fine`; and about how much, in 2^-8 bits.  ROUNDED is that or ZERO,
 * and so is COARSE, which leaves more to raw bits. */
#define BBANS_FOUND_COARSE 3
#define BBANS_FOUND 4
#define BBANS_FOUND_NONE (UINT64_MAX / 2)

typedef struct {
    bbans_conversion c;
    uint64_t bits;
} bbans_found;

size_t bbans_float_find_bytes(void);
void bbans_float_find(bbans_found found[BBANS_FOUND],
                      const bbans_floats *floats, size_t group, void *work);
#endif /* BBANS_DECODER_ONLY */

/* ---- Planes: what follows the first byte --------------------------------- */

#ifndef BBANS_DECODER_ONLY
size_t bbans_planes_bound(int element, size_t n);
size_t bbans_planes_encoder_bytes(int element, size_t n, int level);
bbans_status bbans_planes_compress(int element, const void *data, size_t n,
                                   int level, uint8_t *block, size_t cap,
                                   size_t *n_bytes, void *work,
                                   size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

size_t bbans_planes_decoder_bytes(int element, size_t n);
bbans_status bbans_planes_decompress(int element, const uint8_t *block,
                                     size_t n_bytes, void *data, size_t n,
                                     void *work, size_t work_bytes);

/* Workspace to decompress n elements of a form, which may be much less than
 * bbans_float_decoder_bytes. */
size_t bbans_float_form_bytes(int element, int form, size_t n);

#endif
