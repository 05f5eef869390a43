/* The range coder: docs/maths.md, "The range coder".
 *
 * The encoder's interval is [L, L + R) 2^-k with k = 63 + 8 len: the bytes
 * written so far hold the leading 8 len bits of L, `low` its last 63.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#define WINDOW_BITS 63
#define WINDOW ((uint64_t)1 << WINDOW_BITS)
#define RANGE_MIN ((uint64_t)1 << 55)

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_range_encoder_init(bbans_range_encoder *enc, uint8_t *bytes,
                                      size_t cap)
{
    if (enc == NULL || (bytes == NULL && cap > 0))
        return BBANS_ERR_NULL;
    enc->bytes = bytes;
    enc->len = 0;
    enc->cap = cap;
    enc->low = 0;
    enc->range = WINDOW;
    return BBANS_OK;
}

/* L < 1 and L + R <= 1 always, so a carry stops inside the bytes. */
static void carry(bbans_range_encoder *enc)
{
    size_t i = enc->len;

    while (++enc->bytes[--i] == 0)
        ;
}

bbans_status bbans_range_encode_interval(bbans_range_encoder *enc,
                                         uint32_t start, uint32_t freq,
                                         uint32_t total)
{
    uint64_t unit;

    if (enc == NULL)
        return BBANS_ERR_NULL;
    if (enc->range == 0)
        return BBANS_ERR_STATE;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    if (!bbans_interval_is_valid(start, freq, total))
        return BBANS_ERR_INTERVAL;
    /* R >= 2^55 and N <= 2^28 leave R >= 2^27: four bytes restore 2^55. */
    if (enc->cap - enc->len < 4)
        return BBANS_ERR_CAPACITY;
    /* low < 2^63 and R <= 2^63: low + R cannot pass 2^64 - 1. */
    unit = enc->range / total;
    enc->low += unit * start;
    enc->range = unit * freq;
    if (enc->low >= WINDOW) {
        carry(enc);
        enc->low -= WINDOW;
    }
    while (enc->range < RANGE_MIN) {
        enc->bytes[enc->len++] = (uint8_t)(enc->low >> (WINDOW_BITS - 8));
        enc->low = enc->low << 8 & (WINDOW - 1);
        enc->range <<= 8;
    }
    return BBANS_OK;
}

/* L stays in [L, L + R) of before, R <= 2^63: all that was carried into the
 * bytes of before is 1, if their last one has changed. */
void bbans_range_rewind(bbans_range_encoder *enc,
                        const bbans_range_encoder *before, uint8_t last)
{
    size_t i = before->len;

    if (i > 0 && enc->bytes[i - 1] != last)
        while (enc->bytes[--i]-- == 0)
            ;
    *enc = *before;
}

/* The bits of the integer 2^j + v as one string of bytes, most significant
 * first: byte -1 ends with the leading 1, then come the bytes written, then the
 * window. */
static uint32_t string_byte(const bbans_range_encoder *enc, ptrdiff_t i)
{
    const ptrdiff_t in_window = i - (ptrdiff_t)enc->len;

    if (i < 0)
        return i == -1;
    if (in_window < 0)
        return enc->bytes[i];
    if (in_window >= 8)
        return 0;
    return (uint8_t)((enc->low << 1) >> (56 - 8 * in_window));
}

/* The 32 bits of the string that end before bit `end`. */
static uint32_t string_word(const bbans_range_encoder *enc, ptrdiff_t end)
{
    const ptrdiff_t stop = end < 0 ? 0 : (end + 7) / 8;
    uint64_t word = 0;
    ptrdiff_t i;

    if (end < 0)
        return 0;
    for (i = stop - 5; i < stop; i++)
        word = word << 8 | string_byte(enc, i);
    return (uint32_t)(word >> (8 * stop - end));
}

/* Replace L by the value of the shortest fraction in [L, L + R); return its
 * length j.  Multiples of 2^63, the window's size, are a whole number of
 * bytes: at most one lies in the interval, since R <= 2^63. */
static size_t shorten(bbans_range_encoder *enc)
{
    unsigned drop = WINDOW_BITS;
    uint64_t mask, value;
    size_t bits;

    for (;; drop--) {
        mask = ((uint64_t)1 << drop) - 1;
        value = (enc->low + mask) & ~mask;
        if (value - enc->low < enc->range)
            break;
    }
    enc->low = value & (WINDOW - 1);
    if (value == WINDOW)
        carry(enc);
    if (drop < WINDOW_BITS)
        return 8 * enc->len + WINDOW_BITS - drop;
    while (enc->len > 0 && enc->bytes[enc->len - 1] == 0)
        enc->len--;
    bits = 8 * enc->len;
    if (bits > 0) {
        uint8_t last = enc->bytes[enc->len - 1];

        for (; (last & 1) == 0; last >>= 1)
            bits--;
    }
    return bits;
}

bbans_status bbans_range_finish(bbans_range_encoder *enc, bbans_message *msg)
{
    size_t i, bits, words;

    if (enc == NULL || msg == NULL)
        return BBANS_ERR_NULL;
    if (msg->lanes != 1 || enc->range == 0)
        return BBANS_ERR_STATE;
    if (msg->tail_cap < (enc->len + 11) / 4)
        return BBANS_ERR_CAPACITY;
    bits = shorten(enc);
    enc->range = 0; /* spent */
    /* The integer has bits + 1 bits; words leave the head 32 to 63 of them. */
    words = bits < 63 ? 0 : (bits + 1 - 32) / 32;
    for (i = 0; i < words; i++)
        msg->tail[i] = string_word(enc, (ptrdiff_t)bits - 32 * (ptrdiff_t)i);
    msg->tail_len = words;
    msg->head[0] =
        string_word(enc, (ptrdiff_t)bits - 32 * (ptrdiff_t)words) |
        (uint64_t)string_word(enc, (ptrdiff_t)bits - 32 * (ptrdiff_t)words - 32)
            << 32;
    return BBANS_OK;
}

bbans_status bbans_range_tell(const bbans_range_encoder *enc,
                              bbans_range_position *position)
{
    if (enc == NULL || position == NULL)
        return BBANS_ERR_NULL;
    if (enc->range == 0)
        return BBANS_ERR_STATE;
    position->bytes = enc->len;
    position->low = enc->low;
    position->range = enc->range;
    return BBANS_OK;
}

/* 2^16 log2(v), v >= 1, digit by digit: squaring doubles a logarithm.  Of the
 * square the upper 32 bits are kept, which is below it by 2^-31 at most; this
 * grows to 2^-14 in the last of 16 squares, and so to 2^-29 of the result.  All
 * steps are monotone, and so is the result. */
static uint32_t log2_of(uint64_t v)
{
    const unsigned whole = bbans_floor_log2(v);
    uint64_t m = v << (63 - whole) >> 32; /* in [2^31, 2^32): 2^31 is 1 */
    uint32_t log2 = whole;
    int i;

    for (i = 0; i < 16; i++) {
        const unsigned is_two = (unsigned)((m = m * m >> 31) >> 32);

        m >>= is_two;
        log2 = log2 << 1 | is_two;
    }
    return log2;
}

/* R has gone down by what the intervals took, and up by a byte for each that
 * was written. From L = 0 no carry goes beyond the bytes since then, because
 * L + R <= 2^63. */
uint64_t bbans_range_take_cost(bbans_range_encoder *enc, uint32_t *log2_range)
{
    const uint32_t after = log2_of(enc->range);
    const uint64_t cost = ((uint64_t)enc->len << 19) + *log2_range - after;

    *log2_range = after;
    enc->len = 0;
    enc->low = 0;
    return cost;
}

size_t bbans_range_finish_bytes(bbans_range_encoder *enc)
{
    const size_t bits = shorten(enc);
    uint64_t rest = enc->low << 1;
    size_t i;

    for (i = enc->len; 8 * i < bits; i++, rest <<= 8)
        enc->bytes[i] = (uint8_t)(rest >> 56);
    enc->range = 0; /* spent */
    return (bits + 7) / 8;
}
#endif /* BBANS_DECODER_ONLY */

/* ---- Decoding ------------------------------------------------------------ */

/* What came since the mark has an interval [L, L + R) 2^-k of its own. The
 * integer of its code is below 2^b if the shortest fraction has fewer than b
 * bits: if a multiple of 2^(1-b) lies in the interval, in units of 2^-k one of
 * 2^u with u = k - b + 1.  L modulo 2^63 tells while u <= 63; before u grows
 * beyond, R < 2^55 < 2^u leaves at most one multiple, and the distance to it
 * from L is followed in place of L, until the interval ends below it. */
enum { UNMARKED, AT_L, AT_DISTANCE, TOO_LONG };

static uint64_t own_distance(const bbans_range_decoder *dec)
{
    return (0 - dec->own) & (((uint64_t)1 << dec->own_bits) - 1);
}

bbans_status bbans_range_mark(bbans_range_decoder *dec, size_t bits)
{
    if (dec == NULL)
        return BBANS_ERR_NULL;
    if (bits > BBANS_START_MAX)
        return BBANS_ERR_SIZE;
    dec->own = 0;
    dec->own_range = WINDOW;
    dec->own_bits = WINDOW_BITS + 1 - (int)bits;
    dec->own_state = bits > 0 ? AT_L : TOO_LONG;
    return BBANS_OK;
}

static void follow(bbans_range_decoder *dec, uint32_t start, uint32_t freq,
                   uint32_t total)
{
    const uint64_t unit = dec->own_range / total;

    dec->own_range = unit * freq;
    if (dec->own_state == AT_L)
        dec->own = (dec->own + unit * start) & (WINDOW - 1);
    else if (dec->own >= unit * start &&
             dec->own - unit * start < dec->own_range)
        dec->own -= unit * start;
    else
        dec->own_state = TOO_LONG;
    while (dec->own_state != TOO_LONG && dec->own_range < RANGE_MIN) {
        if (dec->own_state == AT_L && dec->own_bits > WINDOW_BITS - 8) {
            dec->own = own_distance(dec);
            dec->own_state = dec->own < dec->own_range ? AT_DISTANCE : TOO_LONG;
        }
        dec->own = dec->own << 8 & (WINDOW - 1);
        dec->own_range <<= 8;
        dec->own_bits += 8;
    }
}

static int own_is_short(const bbans_range_decoder *dec)
{
    if (dec->own_state == AT_L)
        return dec->own_bits <= 0 || own_distance(dec) < dec->own_range;
    return dec->own_state != TOO_LONG;
}

static uint32_t decoder_word(const bbans_range_decoder *dec, size_t i)
{
    /* n_bits / 32 + 1 words: the tail, then one or two of the head. */
    const size_t words = dec->n_bits / 32 + 1;
    const size_t head_words = dec->head >> 32 != 0 ? 2 : 1;
    const size_t tail_len = words - head_words;

    if (i < tail_len)
        return dec->tail[i];
    return i - tail_len < 2 ? (uint32_t)(dec->head >> 32 * (i - tail_len)) : 0;
}

/* Where the fraction is in bytes. */
static uint32_t take_bits_of_bytes(bbans_range_decoder *dec, unsigned n)
{
    const size_t n_bytes = (dec->n_bits + 7) / 8, i = dec->n_read / 8;
    const uint32_t high = i < n_bytes ? dec->bytes[i] : 0;
    const uint32_t low = n_bytes > 0 && i < n_bytes - 1 ? dec->bytes[i + 1] : 0;
    const unsigned past = (unsigned)(dec->n_read % 8) + n;

    dec->n_read += n;
    return (high << 8 | low) >> (16 - past) & ((1u << n) - 1);
}

/* The next n <= 8 bits of the fraction, zeros past its end. */
static uint32_t take_bits(bbans_range_decoder *dec, unsigned n)
{
    size_t left, low;
    unsigned have;
    uint64_t two;

    if (dec->bytes != NULL)
        return take_bits_of_bytes(dec, n);
    left = dec->n_read < dec->n_bits ? dec->n_bits - dec->n_read : 0;
    low = left > n ? left - n : 0; /* position of the last bit */
    have = (unsigned)(left - low);
    two = decoder_word(dec, low / 32) |
          (uint64_t)decoder_word(dec, low / 32 + 1) << 32;
    dec->n_read += n;
    return ((uint32_t)(two >> low % 32) & ((1u << have) - 1)) << (n - have);
}

/* The 63 bits of the fraction from bit `first` on. */
static uint64_t window_at(bbans_range_decoder *dec, size_t first)
{
    uint64_t window = 0;
    int i;

    dec->n_read = first;
    for (i = 0; i < 7; i++)
        window = window << 8 | take_bits(dec, 8);
    return window << 7 | take_bits(dec, 7);
}

/* The first window, of a fraction of dec->n_bits. */
static void start_decoding(bbans_range_decoder *dec)
{
    dec->code = window_at(dec, 0);
    dec->range = WINDOW;
    dec->own_state = UNMARKED;
}

/* F 2^k = L + code, and L ends with `low`: the window of F that ends with bit k
 * is low + code modulo 2^63, whatever was carried since. */
bbans_status bbans_range_tell_decoded(const bbans_range_decoder *dec,
                                      bbans_range_position *position)
{
    bbans_range_decoder copy;

    if (dec == NULL || position == NULL)
        return BBANS_ERR_NULL;
    copy = *dec;
    position->bytes = (dec->n_read - WINDOW_BITS) / 8;
    position->low =
        (window_at(&copy, 8 * position->bytes) - dec->code) & (WINDOW - 1);
    position->range = dec->range;
    return BBANS_OK;
}

bbans_status bbans_range_seek(bbans_range_decoder *dec,
                              const bbans_range_position *position)
{
    bbans_range_decoder moved;

    if (dec == NULL || position == NULL)
        return BBANS_ERR_NULL;
    if (position->range < RANGE_MIN || position->range > WINDOW ||
        position->low >= WINDOW || position->bytes > SIZE_MAX / 8 - 8)
        return BBANS_ERR_STATE;
    moved = *dec;
    moved.code =
        (window_at(&moved, 8 * position->bytes) - position->low) & (WINDOW - 1);
    moved.range = position->range;
    moved.own_state = UNMARKED;
    if (moved.code >= moved.range)
        return BBANS_ERR_CORRUPT;
    *dec = moved;
    return BBANS_OK;
}

bbans_status bbans_range_decoder_init(bbans_range_decoder *dec,
                                      const bbans_message *msg)
{
    uint64_t head;

    if (dec == NULL || msg == NULL)
        return BBANS_ERR_NULL;
    if (msg->lanes != 1)
        return BBANS_ERR_STATE;
    if (msg->head[0] == 0) /* an encoder's integer has its leading 1 */
        return BBANS_ERR_CORRUPT;
    dec->bytes = NULL;
    dec->tail = msg->tail;
    dec->head = msg->head[0];
    dec->n_bits = 32 * msg->tail_len;
    for (head = msg->head[0] >> 1; head != 0; head >>= 1)
        dec->n_bits++;
    start_decoding(dec);
    return BBANS_OK;
}

bbans_status bbans_range_decoder_of_bytes(bbans_range_decoder *dec,
                                          const uint8_t *bytes, size_t n_bytes)
{
    static const uint8_t none[1];
    uint8_t last;

    if (n_bytes > SIZE_MAX / 8)
        return BBANS_ERR_SIZE;
    if (n_bytes > 0 && bytes[n_bytes - 1] == 0)
        return BBANS_ERR_CORRUPT;
    dec->bytes = n_bytes > 0 ? bytes : none;
    dec->tail = NULL;
    dec->head = 0;
    dec->n_bits = 8 * n_bytes;
    if (n_bytes > 0)
        for (last = bytes[n_bytes - 1]; (last & 1) == 0; last >>= 1)
            dec->n_bits--;
    start_decoding(dec);
    return BBANS_OK;
}

bbans_status bbans_range_slot(const bbans_range_decoder *dec, uint32_t total,
                              uint32_t *slot)
{
    uint64_t s;

    if (dec == NULL || slot == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    s = dec->code / (dec->range / total);
    if (s >= total) /* what the division by N left over is never coded */
        return BBANS_ERR_CORRUPT;
    *slot = (uint32_t)s;
    return BBANS_OK;
}

bbans_status bbans_range_advance(bbans_range_decoder *dec, uint32_t start,
                                 uint32_t freq, uint32_t total)
{
    uint64_t unit;

    if (dec == NULL)
        return BBANS_ERR_NULL;
    if (!bbans_total_is_valid(total))
        return BBANS_ERR_TOTAL;
    unit = dec->range / total;
    if (!bbans_interval_is_valid(start, freq, total) ||
        dec->code < unit * start || dec->code - unit * start >= unit * freq)
        return BBANS_ERR_INTERVAL;
    dec->code -= unit * start; /* code < range stays true */
    dec->range = unit * freq;
    if (dec->own_state == AT_L || dec->own_state == AT_DISTANCE)
        follow(dec, start, freq, total);
    while (dec->range < RANGE_MIN) {
        dec->code = dec->code << 8 | take_bits(dec, 8);
        dec->range <<= 8;
    }
    return BBANS_OK;
}

bbans_status bbans_range_check(const bbans_range_decoder *dec)
{
    uint64_t step;

    if (dec == NULL)
        return BBANS_ERR_NULL;
    /* The shortest fraction ends with a 1; the integer 1 is the empty one. */
    if ((dec->bytes == NULL && (decoder_word(dec, 0) & 1) == 0) ||
        dec->n_bits > dec->n_read || !own_is_short(dec))
        return BBANS_ERR_CORRUPT;
    if (dec->n_read - dec->n_bits >= WINDOW_BITS)
        return BBANS_OK;
    /* F is the first multiple of 2^(k-j) at or above L, and as it is an odd
     * one, multiples of 2^(k-j+1) are its neighbours: neither is inside. */
    step = (uint64_t)1 << (dec->n_read - dec->n_bits);
    return dec->code < step && step >= dec->range - dec->code
               ? BBANS_OK
               : BBANS_ERR_CORRUPT;
}
