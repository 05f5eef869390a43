/* Private to the byte coder: what its files share.  docs/format.md, "Bytes".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_BYTES_INTERNAL_H
#define BBANS_BYTES_INTERNAL_H

#include "../bbans_internal.h"

#define BYTE_VALUES 256

/* ---- Bits, least significant first --------------------------------------- */

typedef struct {
    uint8_t *bytes;
    size_t len, cap; /* len > cap: it did not fit */
    uint64_t bits;
    unsigned n_bits; /* in `bits`, < 8 between calls */
} bit_writer;

typedef struct {
    const uint8_t *bytes;
    size_t len, at; /* at > len: read past the end, as zeros */
    uint64_t bits;
    unsigned n_bits;
} bit_reader;

void bbans_bits_put(bit_writer *w, uint32_t value, unsigned n); /* n <= 31 */
void bbans_bits_flush(bit_writer *w);
uint32_t bbans_bits_get(bit_reader *r, unsigned n);

/* Elias gamma: v >= 1; UINT32_MAX if it is no number of up to 25 bits. */
void bbans_gamma_put(bit_writer *w, uint32_t v);
uint32_t bbans_gamma_get(bit_reader *r);

/* ---- Frequency tables ---------------------------------------------------- */

/* log2(v) in units of 2^-16 bits, v >= 1: rounded, the same everywhere. */
uint32_t bbans_log2(uint32_t v);

/* freq[k] >= 1 where count[k] > 0, else 0, with sum 2^prec and near the least
 * cost sum count[k] * (prec - log2 freq[k]).  At most 2^prec counts are not 0,
 * at least one. */
void bbans_freq_of_counts(const uint32_t *count, size_t n, unsigned prec,
                          uint16_t *freq);

/* The cost above, in units of 2^-16 bits. */
uint64_t bbans_freq_cost(const uint32_t *count, const uint16_t *freq, size_t n,
                         unsigned prec);

/* Which bytes occur; between two and all. */
void bbans_alphabet_write(bit_writer *w, const uint32_t *count);
size_t bbans_alphabet_read(bit_reader *r, uint8_t *symbol); /* 0: damaged */

/* The frequencies of an alphabet's `n` symbols, sum 2^prec. */
void bbans_freq_write(bit_writer *w, const uint16_t *freq, size_t n,
                      unsigned prec);
int bbans_freq_read(bit_reader *r, uint16_t *freq, size_t n, unsigned prec);

/* What stands at n_at places of `bytes` [n], which are given last first. */
void bbans_patches_write(bit_writer *w, const uint32_t *at, size_t n_at,
                         const uint8_t *bytes, size_t n);

/* Put it there, or with bytes == NULL only read on.  Returns 0 if damaged. */
int bbans_patches_read(bit_reader *r, uint8_t *bytes, size_t n);

/* Slots of one symbol: freq << 20 | (slot - start) << 8 | symbol. */
void bbans_slots_fill(uint32_t *slot, uint32_t freq, uint32_t symbol);

/* ---- Blocks -------------------------------------------------------------- */

enum { STORED, RUN, ORDER_0, ORDER_1 }; /* methods */
enum { RUN_1 = 0, RUN_2 = 14 };         /* tokens: digits of runs of zeros */

#define PREC 12           /* of order 0 */
#define PREC_PAIRS 10     /* of order 1, or PREC */
#define FREQ_MAX 4095     /* of order 1: what a slot's 12 bits hold */
#define PACKED_SYMBOLS 16 /* at most: 2, 4 or 8 are packed in a byte */
#define LANES_MAX 128
#define SPAN 256           /* bytes of each lane of order 1 at once */
#define STRIDE (SPAN + 16) /* no power of 2: lanes share no cache set */
#define TOKENS_MAX (BYTE_VALUES + BYTE_VALUES * BYTE_VALUES)
#define SLACK 32 /* bytes of words that kernels may touch and not use */

typedef struct {
    unsigned method, log2_per, log2_lanes, option;
    size_t n;        /* bytes of the block, decompressed */
    size_t n_packed; /* bytes that are coded */
    uint8_t symbol[PACKED_SYMBOLS];
    unsigned n_symbols; /* of packed bytes */
} bytes_header;

/* The states of a block, and its words from the top down. */
typedef struct {
    uint32_t last, x[LANES_MAX];
    size_t lanes, n_words; /* of the tail, in the lanes' start states */
    uint8_t *word;
    unsigned prec;
} bytes_states;

static inline size_t bbans_packed_size(size_t n, unsigned log2_per)
{
    return (n >> log2_per) + ((n & (((size_t)1 << log2_per) - 1)) != 0);
}

/* Symbols that `per` in a byte leave room for. */
static inline unsigned bbans_symbols_of(unsigned log2_per)
{
    return log2_per == 1 ? 16 : log2_per == 2 ? 4 : 2;
}

/* Bytes of workspace to compress n. */
size_t bbans_bytes_encoder_bytes(size_t n);

/* Compress a block to at most `cap` bytes, in the same workspace, with order 0
 * and frequencies of a sample: for many bytes whose histogram would take half
 * the time.  Returns its size, or 0 if counting all could save much. */
size_t bbans_bytes_compress_sampled(const uint8_t *data, size_t n, uint8_t *out,
                                    size_t cap, void *work);

#endif
