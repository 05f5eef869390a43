/* The message of a block: numbers in it, and its bytes.  docs/format.md,
 * "Signal".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_signals.h"

#include "../files/bbans_files.h"

/* ---- Stored blocks --------------------------------------------------------
 */

void bbans_elements_take(const uint8_t *bytes, size_t n, size_t width,
                         uint8_t *to)
{
    size_t i;

    for (i = 0; i < n * width; i += width)
        bbans_element_put(to + i, bbans_load(bytes + i, width), width);
}

#ifndef BBANS_DECODER_ONLY
bbans_status bbans_elements_store(uint8_t first, const uint8_t *data, size_t n,
                                  size_t width, uint8_t *block, size_t cap,
                                  size_t *n_bytes)
{
    size_t i;

    if (cap < 1 + n * width)
        return BBANS_ERR_CAPACITY;
    block[0] = first;
    for (i = 0; i < n * width; i += width)
        bbans_store(block + 1 + i, bbans_element_get(data + i, width), width);
    *n_bytes = 1 + n * width;
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

/* ---- Numbers --------------------------------------------------------------
 */

#define LENGTH_BITS 6
#define LENGTH_ALL 63 /* more bits than these: all 64 */
#define QUOTIENT_MAX 16

uint64_t bbans_source_number(bbans_signal_source *s)
{
    const unsigned length = (unsigned)bbans_source_bits(s, 0, LENGTH_BITS);
    uint64_t value;

    if (length == 0)
        return 0;
    if (length < LENGTH_ALL)
        return (uint64_t)1 << (length - 1) |
               bbans_source_bits(s, 0, length - 1);
    value = bbans_source_bits(s, 0, 64);
    if (value >> (LENGTH_ALL - 1) == 0)
        s->bad = 1; /* it has a shorter form */
    return value;
}

uint32_t bbans_source_rice(bbans_signal_source *s, unsigned k)
{
    uint32_t quotient = 0;

    while (quotient < QUOTIENT_MAX && bbans_source_bits(s, 0, 1) != 0)
        quotient++;
    if (quotient == QUOTIENT_MAX)
        return (uint32_t)bbans_source_bits(s, 0, 32);
    return quotient << k | (uint32_t)bbans_source_bits(s, 0, k);
}

/* ---- The message -----------------------------------------------------------
 */

/* docs/format.md, "Message", of one lane or more. */
int bbans_source_begin(bbans_signal_source *s, unsigned lanes,
                       const uint8_t *bytes, size_t n_bytes)
{
    size_t n_heads = 8 * (size_t)lanes;
    unsigned i;

    memset(s, 0, sizeof *s);
    s->words = bytes;
    if (lanes == 1) {
        if (n_bytes == 0 || bytes[n_bytes - 1] == 0)
            return 0;
        n_heads = n_bytes < 8                 ? n_bytes
                  : n_bytes % 4 != 0          ? 4 + n_bytes % 4
                  : bytes[n_bytes - 1] < 0x80 ? 8
                                              : 4;
        s->x[0] = bbans_load(bytes + n_bytes - n_heads, n_heads);
    }
    if (n_bytes < n_heads || (n_bytes - n_heads) % 4 != 0)
        return 0;
    s->n_words = (n_bytes - n_heads) / 4;
    for (i = 0; lanes > 1 && i < lanes; i++) {
        s->x[i] = bbans_load(bytes + 4 * s->n_words + 8 * i, 8);
        if (s->x[i] < BBANS_HEAD_MIN || s->x[i] > BBANS_HEAD_MAX)
            return 0;
    }
    return 1;
}

/* All was popped that an encoder pushed. */
int bbans_source_is_empty(const bbans_signal_source *s, unsigned lanes)
{
    unsigned i;

    if (s->n_words > 0)
        return 0;
    for (i = 0; i < lanes; i++)
        if (s->x[i] != (lanes > 1 ? BBANS_HEAD_MIN : 1))
            return 0;
    return 1;
}

#ifndef BBANS_DECODER_ONLY
/* ---- Numbers on their way out ---------------------------------------------
 */

void bbans_sink_number(bbans_sink *sink, uint64_t value)
{
    const unsigned bits = (unsigned)bbans_bit_length(value);
    const unsigned length = bits < LENGTH_ALL ? bits : LENGTH_ALL;

    bbans_sink_bits(sink, 0, length, LENGTH_BITS);
    if (length == LENGTH_ALL)
        bbans_sink_bits(sink, 0, value, 64);
    else if (length > 1)
        bbans_sink_bits(sink, 0, value - ((uint64_t)1 << (length - 1)),
                        length - 1);
}

/* Bit by bit, as it is popped: heads may take words in between. */
void bbans_sink_rice(bbans_sink *sink, uint32_t value, unsigned k)
{
    const uint32_t quotient = value >> k;
    uint32_t i;

    for (i = 0; i < quotient && i < QUOTIENT_MAX; i++)
        bbans_sink_bits(sink, 0, 1, 1);
    if (i == QUOTIENT_MAX) {
        bbans_sink_bits(sink, 0, value, 32);
        return;
    }
    bbans_sink_bits(sink, 0, 0, 1);
    bbans_sink_bits(sink, 0, value, k);
}

uint64_t bbans_sink_cost(const bbans_sink *sink, size_t from)
{
    const size_t n = sink->n < sink->cap ? sink->n : sink->cap;
    uint64_t cost = 0;
    size_t i;

    for (i = from; i < n; i++) {
        const uint32_t freq = sink->step[i].freq;

        cost += freq >= BBANS_SIGNAL_RAW
                    ? 256 * (freq - BBANS_SIGNAL_RAW)
                    : 256 * BBANS_SIGNAL_PREC - bbans_signal_log2(freq);
    }
    return cost;
}

/* Words go up from bytes[0]; returns where the message ends, 0 if it is longer
 * than cap. */
size_t bbans_sink_push(const bbans_sink *sink, unsigned lanes, uint8_t *bytes,
                       size_t cap)
{
    uint64_t x[BBANS_SIGNAL_LANES_MAX];
    size_t i, n_bytes = 0;
    unsigned k;

    for (k = 0; k < BBANS_SIGNAL_LANES_MAX; k++)
        x[k] = lanes > 1 ? BBANS_HEAD_MIN : 1;
    for (i = sink->n; i-- > 0;) {
        const uint32_t start = sink->step[i].start;
        const uint32_t freq = sink->step[i].freq;
        const unsigned lane = start >> BBANS_SIGNAL_PREC;
        const unsigned bits = freq & (BBANS_SIGNAL_RAW - 1);
        const int raw = freq >= BBANS_SIGNAL_RAW;
        uint64_t head = x[lane];

        /* Below f 2^(63 - r), or 2^(63 - n), pushing stays below 2^63. */
        if (head >> 32 >= (raw ? (uint64_t)1 << (31 - bits)
                               : (uint64_t)freq << (31 - BBANS_SIGNAL_PREC))) {
            if (cap - n_bytes < 4)
                return 0;
            bbans_store(bytes + n_bytes, head, 4);
            n_bytes += 4;
            head >>= 32;
        }
        if (raw)
            x[lane] = head << bits | bbans_slot_bits(start, BBANS_SIGNAL_PREC);
        else
            x[lane] = (head / freq << BBANS_SIGNAL_PREC) + head % freq +
                      bbans_slot_bits(start, BBANS_SIGNAL_PREC);
    }
    for (k = 0; k < lanes; k++) {
        const size_t n =
            lanes > 1 ? 8 : ((size_t)bbans_bit_length(x[k]) + 7) / 8;

        if (cap - n_bytes < n)
            return 0;
        bbans_store(bytes + n_bytes, x[k], n);
        n_bytes += n;
    }
    return n_bytes;
}
#endif /* BBANS_DECODER_ONLY */
