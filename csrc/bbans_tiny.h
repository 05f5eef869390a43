/* bbans for devices: with models in flash and little memory, sequences and
 * packets under hidden Markov models (bbans_tiny.c), and records under
 * autoregressive ones (bbans_tiny_record.c).
 *
 * SPDX-License-Identifier: MIT
 *
 * The same bytes as bbans_sequence_encode and bbans_record_encode, from tables
 * that stay in flash as `bbans export` writes them.  No floating point, no
 * heap, no division of 64 bits, and no header but <stddef.h> and <stdint.h>.
 * This file, bbans.h for the status codes, a source file or both with
 * bbans_tiny_internal.h, and what was exported are all that a device needs.
 * Define BBANS_DECODER_ONLY to leave the encoders out.
 */
#ifndef BBANS_TINY_H
#define BBANS_TINY_H

#include "bbans.h"

/* Most states of a model: what the structs below make room for, 8 bytes
 * each. */
#ifndef BBANS_TINY_STATES
#define BBANS_TINY_STATES 32
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */

enum {
    BBANS_TINY_PREC_MAX = 15, /* edges fit 16 bits */
    BBANS_TINY_SYMBOLS_MAX = 256,
    BBANS_TINY_SPARE = 8
};

/* A frozen model of up to BBANS_TINY_STATES states, BBANS_TINY_SYMBOLS_MAX
 * symbols and BBANS_TINY_PREC_MAX bits: the edges of each row rise from 0 to
 * 2^prec.  `bbans export` writes one; the functions trust it. */
typedef struct {
    const uint16_t *initial;    /* [states + 1]          */
    const uint16_t *transition; /* [states][states + 1]  */
    const uint16_t *emission;   /* [states][symbols + 1] */
    uint16_t states, symbols, start_length;
    uint8_t prec;
} bbans_tiny_hmm;

/* A message on its way out: words[0 .. n_words - 1] in the bytes that were
 * given, which are only read, and above them what was pushed back. */
typedef struct {
    const uint8_t *bytes;
    size_t n_words;
    uint64_t head;
    uint32_t spare[BBANS_TINY_SPARE];
    uint32_t n_spare;
} bbans_tiny_stack;

typedef struct {
    uint64_t code, range;
    size_t n_bits, n_read;
} bbans_tiny_range;

/* A sequence on its way out.  All fields are private. */
typedef struct {
    const bbans_tiny_hmm *hmm;
    bbans_tiny_stack stack;
    bbans_tiny_range range;
    size_t n, body, t;
    uint32_t z;
    uint32_t predicted[BBANS_TINY_STATES], filtered[BBANS_TINY_STATES];
} bbans_tiny_decoder;

/* Start to decode a message of n symbols.
 *   bytes       [n_bytes] of the message; must stay while the decoder is used
 *   predictive  as the message was encoded: 0 for IconoCLaSM
 * Returns ERR_{NULL,SIZE,CORRUPT}; SIZE: more states or a finer table than this
 * build was made for. */
BBANS_API bbans_status bbans_tiny_decoder_init(bbans_tiny_decoder *dec,
        const bbans_tiny_hmm *hmm, const uint8_t *bytes, size_t n_bytes,
        size_t n, int predictive);

/* Decode the next `count` symbols, in as many calls as you like; the call that
 * yields the last also checks that the message is what an encoder leaves.
 * Returns ERR_{NULL,SIZE,CORRUPT}; SIZE: fewer than `count` symbols are left.
 * After ERR_CORRUPT the decoder is spent. */
BBANS_API bbans_status bbans_tiny_decode(bbans_tiny_decoder *dec,
        uint8_t *symbol, size_t count);

#ifndef BBANS_DECODER_ONLY
/* Encode n symbols as bbans_sequence_encode does.
 *   work     [n_work] scratch, in rows of `states` words: with n + 2 rows each
 *            forward message is computed once; 2 sqrt(n) + 2, rounded up,
 *            suffice for any n, and then each is computed twice
 *   bytes    [cap] out; also the message on the way: what suffices is 16 bytes
 *            more than the result, and not less than 2 n + 10.  After an error
 *            its content is undefined.
 *   n_bytes  out
 * Returns ERR_{NULL,SIZE,SYMBOL,CAPACITY}. */
BBANS_API bbans_status bbans_tiny_encode(const bbans_tiny_hmm *hmm,
        const uint8_t *symbol, size_t n, int predictive, uint32_t *work,
        size_t n_work, uint8_t *bytes, size_t cap, size_t *n_bytes);
#endif

/* ---- Packets: a fixed number of bytes, each decodable alone -------------- */

/* One byte, the number of symbols, then their range code (predictive coding) as
 * bytes, filled up with zeros: docs/format.md, "Packet". */
enum { BBANS_TINY_PACKET_MAX = 64, BBANS_TINY_PACKET_SYMBOLS = 255 };

#ifndef BBANS_DECODER_ONLY
/* Put as many of the n symbols into a packet as fit.
 *   packet   [size] out; size is 2 to BBANS_TINY_PACKET_MAX
 *   n_coded  out: how many were coded; the next packet goes on from there
 * Returns ERR_{NULL,SIZE,SYMBOL}; ERR_CAPACITY if not one fits. */
BBANS_API bbans_status bbans_tiny_packet_encode(const bbans_tiny_hmm *hmm,
        const uint8_t *symbol, size_t n, uint8_t *packet, size_t size,
        size_t *n_coded);
#endif

/* Decode a packet.
 *   symbol  [BBANS_TINY_PACKET_SYMBOLS] out
 *   n       out: how many there are
 * Returns ERR_{NULL,SIZE,CORRUPT}. */
BBANS_API bbans_status bbans_tiny_packet_decode(bbans_tiny_decoder *dec,
        const bbans_tiny_hmm *hmm, const uint8_t *packet, size_t size,
        uint8_t *symbol, size_t *n);

/* ---- Records: bytes that decode alone, under an autoregressive model ----- */

/* A model file (docs/format.md, "Model file") of an autoregressive hidden
 * Markov model of bytes or of UTF-8 text, in its plain form, as `bbans export`
 * writes it; it stays where it is, at any alignment, and is read there.  All
 * fields are private. */
typedef struct {
    const uint8_t *values; /* NULL: symbols are bytes */
    const uint8_t *initial, *transition, *emission;
    const uint8_t *children, *first, *label, *symbol, *sum, *back_off;
    uint32_t contexts, entries;
    uint16_t states, symbols;
    uint8_t prec, ends;
} bbans_tiny_model;

/* Find the parts of a file and check all of it: header, checksum, tables and
 * contexts.  The functions below trust what was checked: a file that changes
 * later can make them read beyond its end.
 * Returns ERR_{NULL,FORMAT,TRUNCATED,CORRUPT}; VERSION: another version or type
 * of model, or the packed form; SIZE: more than BBANS_TINY_STATES states;
 * SYMBOL: a model of integers, or of characters that are listed. */
BBANS_API bbans_status bbans_tiny_model_init(bbans_tiny_model *model,
        const uint8_t *file, size_t n);

/* The same for a file that is known to be whole: the header and sizes alone
 * are checked, which takes no time. */
BBANS_API bbans_status bbans_tiny_model_open(bbans_tiny_model *model,
        const uint8_t *file, size_t n);

/* Decode a record that bbans_record_encode, Python's RecordCodec or
 * bbans_tiny_record_encode wrote.  Messages have no checksum: some damaged
 * ones decode, to other records.
 *   record  [cap] out; after an error its content is undefined
 *   n       out: bytes of the record; after ERR_CAPACITY, how many it has at
 *           least
 * Returns ERR_{NULL,CORRUPT}; CAPACITY: the record has more than `cap` bytes.
 */
BBANS_API bbans_status bbans_tiny_record_decode(const bbans_tiny_model *model,
        const uint8_t *bytes, size_t n_bytes, uint8_t *record, size_t cap,
        size_t *n);

#ifndef BBANS_DECODER_ONLY
/* Encode a record of n bytes as bbans_record_encode does.
 *   bytes    [cap] out; cap is n + 1 or more, and the result no longer
 *   n_bytes  out
 * Returns ERR_NULL; CAPACITY: cap is less than n + 1. */
BBANS_API bbans_status bbans_tiny_record_encode(const bbans_tiny_model *model,
        const uint8_t *record, size_t n, uint8_t *bytes, size_t cap,
        size_t *n_bytes);
#endif

/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
