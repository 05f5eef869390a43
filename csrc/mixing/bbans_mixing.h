/* Private to csrc/: a model of bytes that mixes what many contexts expect, and
 * learns from each byte.  docs/maths.md, "Mixing".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_MIXING_H
#define BBANS_MIXING_H

#include "../bbans_internal.h"

/* Of the inputs, so many are contexts, the others matches. */
#define BBANS_MIXING_FEW 8
#define BBANS_MIXING_MANY BBANS_MIX_MAX

#define BBANS_MIXING_ROW_BITS_MIN 6
#define BBANS_MIXING_ROW_BITS_MAX 22
#define BBANS_MIXING_MATCH_BITS_MAX 20

/* What is known before the first byte: rows by the hashes of their contexts,
 * and what is learned besides. */
typedef struct {
    unsigned row_bits;
    const uint16_t *row;   /* [2^row_bits][BBANS_MIX_SLOTS] */
    const int16_t *weight; /* [BBANS_MIXING_SETS][inputs]   */
    const uint16_t *match; /* [BBANS_MIX_MATCHES][BBANS_MIXING_LENGTHS] */
} bbans_mixing_prior;

/* How large a mixer is, and of what. */
typedef struct {
    unsigned inputs;     /* FEW or MANY                                  */
    unsigned row_bits;   /* 2^row_bits rows are kept                     */
    unsigned match_bits; /* 2^match_bits places are, for each match      */
    uint32_t line;       /* bytes of a line; 0: a line feed ends it      */
} bbans_mixer_size;

#define BBANS_MIXING_LENGTHS 40 /* classes of a match's length */
#define BBANS_MIXING_KNOWN 5    /* how many orders are known, 0 to 4 */
#define BBANS_MIXING_STATES 16  /* of the matches: 4 of each */
/* Of weights: rows of inputs for the orders known, the half of the byte and
 * matches; for the first half and the second under each first half, a row of
 * nodes for each input; rows of inputs for the byte before. */
#define BBANS_MIXING_HALVES (BBANS_MIXING_KNOWN * 2 * BBANS_MIXING_STATES)
#define BBANS_MIXING_NODES ((1 + 16) * BBANS_MIX_SLOTS)
#define BBANS_MIXING_SETS (BBANS_MIXING_HALVES + BBANS_MIXING_NODES + 256)

typedef struct {
    size_t at;       /* the place expected next */
    uint32_t length; /* of what agrees before it; 0: no match */
} bbans_mixing_match;

typedef struct {
    uint64_t hash;
    uint32_t place; /* it may be there, or at place ^ 1 */
} bbans_mixing_sought;

/* Bytes so far lie at bytes[place & mask], the last mask + 1 of them. */
typedef struct {
    bbans_mix mix;
    bbans_mixer_size size;
    const bbans_mixing_prior *prior; /* NULL: nothing is known */
    const uint8_t *bytes;
    size_t mask, n;   /* bytes so far */
    uint64_t history; /* the last 8, the last of them lowest */
    uint32_t word, word_before;
    size_t line, above; /* where this line and the one before begin */
    uint32_t context[BBANS_MIX_MAX];
    bbans_mixing_sought sought[2][BBANS_MIX_MAX]; /* rows of either half */
    uint32_t expected_byte[BBANS_MIX_MATCHES];    /* 2^8 + it, or 0: none */
    unsigned state[BBANS_MIX_MATCHES]; /* 0 to 3, by the length; 0: none */
    bbans_mixing_match match[BBANS_MIX_MATCHES];
    uint16_t expected[BBANS_MIX_MATCHES][BBANS_MIXING_LENGTHS];
    uint16_t *row;   /* [2^row_bits][BBANS_MIX_SLOTS] */
    int16_t *weight; /* [BBANS_MIXING_SETS][inputs] */
    uint32_t *place; /* [matches][2^match_bits]: a check and a place, or 0 */
} bbans_mixer;

size_t bbans_mixer_bytes(const bbans_mixer_size *size);

/* Before the first byte; memory of BBANS_ALIGNMENT. */
void bbans_mixer_start(bbans_mixer *m, const bbans_mixer_size *size,
                       const bbans_mixing_prior *prior, const uint8_t *bytes,
                       size_t mask, void *memory);

/* The span of 2^BBANS_PREC_MAX slots that a byte has, or whose it is that has
 * a slot.  Then the byte is to be put at bytes[n & mask], and _learn called. */
#ifndef BBANS_DECODER_ONLY
void bbans_mixer_encode(bbans_mixer *m, unsigned byte, bbans_span *span);
#endif /* BBANS_DECODER_ONLY */
unsigned bbans_mixer_decode(bbans_mixer *m, uint32_t slot, bbans_span *span);
void bbans_mixer_learn(bbans_mixer *m, unsigned byte);

#ifndef BBANS_DECODER_ONLY
/* bbans_mixer_encode in parts, for training. */
void bbans_mixer_start_first(bbans_mixer *m);
void bbans_mixer_start_second(bbans_mixer *m, unsigned first);
void bbans_mixer_end(bbans_mixer *m, unsigned second);

/* Instead of coding and learning: contexts go on, nothing else. */
void bbans_mixer_pass(bbans_mixer *m, unsigned byte);

/* Where the row of a context is in a table of 2^bits, or may be put if that
 * place is free: `node` is 1 and the bits of the byte's first half, if it is
 * known; and what its first slot is. */
size_t bbans_mixer_find_row(const uint16_t *rows, unsigned bits,
                            uint32_t context, uint32_t node, unsigned *found);
uint16_t bbans_mixer_check(uint32_t context, uint32_t node);
#endif

/* ---- Blocks --------------------------------------------------------------
 */

/* The most that n bytes may have: what a block makes a decoder allocate is in
 * proportion to what it decodes to. */
static inline unsigned bbans_mixing_row_bits(size_t n)
{
    const unsigned bits = (unsigned)bbans_bit_length(4 * (uint64_t)n);

    return bits < BBANS_MIXING_ROW_BITS_MIN   ? BBANS_MIXING_ROW_BITS_MIN
           : bits < BBANS_MIXING_ROW_BITS_MAX ? bits
                                              : BBANS_MIXING_ROW_BITS_MAX;
}

static inline unsigned bbans_mixing_match_bits(size_t n)
{
    const unsigned bits = (unsigned)bbans_bit_length(n);

    return bits < BBANS_MIXING_MATCH_BITS_MAX ? bits
                                              : BBANS_MIXING_MATCH_BITS_MAX;
}

/* The workspace of a block of n > 0 bytes: a mixer and its memory. */
size_t bbans_mixing_work_bytes(const bbans_mixer_size *size);

/* Start the mixer that codes the n bytes there, in such a workspace. */
bbans_mixer *bbans_mixing_start(const bbans_mixer_size *size,
                                const uint8_t *bytes, void *work);

#endif
