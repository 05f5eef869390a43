/* bbans: lossless compression with latent variable and state space models.
 *
 * SPDX-License-Identifier: MIT
 *
 * From frozen tables to bytes and back there are only integers: the same
 * tables and data give the same bytes on every C99 target.  docs/maths.md
 * defines every number computed here.
 *
 * Memory     The library allocates nothing.  Every array belongs to the caller
 *            and must outlive the struct that points to it.
 * Errors     Functions return a bbans_status; results go through pointers.
 *            After an error the caller's message is as it was before the call,
 *            unless the function says that it is scratch, or spent.
 * Threads    No function keeps state.  Calls on different messages may run at
 *            the same time; tables and models are only read.
 * Order      A message is a stack: what was pushed last is popped first.  Array
 *            functions push from the last element to the first, so that popping
 *            yields the first element first.
 */
#ifndef BBANS_H
#define BBANS_H

#include <stddef.h>
#include <stdint.h>

#ifndef BBANS_API
#define BBANS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
/* cffi:begin - plain declarations only; the build script reads this part. */

/* ---- Status codes: values never change ---------------------------------- */

typedef enum {
    BBANS_OK = 0,
    BBANS_ERR_NULL = -1,      /* a required pointer is NULL                  */
    BBANS_ERR_PRECISION = -2, /* precision outside [1, BBANS_PREC_MAX]       */
    BBANS_ERR_INTERVAL = -3,  /* width 0, end above the total, or an advance
                                 by an interval that does not hold the slot  */
    BBANS_ERR_CAPACITY = -4,  /* an array of the caller is too small         */
    BBANS_ERR_UNDERFLOW = -5, /* the message holds too few words             */
    BBANS_ERR_TOTAL = -6,     /* total outside [1, BBANS_TOTAL_MAX]          */
    BBANS_ERR_STATE = -7,     /* heads, lanes or lengths are not a message   */
    BBANS_ERR_TABLE = -8,     /* edges do not rise strictly from 0 to 2^r    */
    BBANS_ERR_SYMBOL = -9,    /* a symbol or row outside the table           */
    BBANS_ERR_CORRUPT = -10,  /* bytes that no encoder wrote                 */
    BBANS_ERR_SIZE = -11      /* a count outside the limits below            */
} bbans_status;

enum {
    BBANS_VERSION = 100, /* 10000 * major + 100 * minor + patch */
    BBANS_PREC_MAX = 28,
    BBANS_TOTAL_MAX = 268435456, /* 2^28 */
    BBANS_STATES_MAX = 4096,
    BBANS_SYMBOLS_MAX = 65536,
    BBANS_TAIL_MAX = 65535
};

/* The text of a status code, a constant; never NULL. */
BBANS_API const char *bbans_status_text(int status);

/* ---- Instruction sets ---------------------------------------------------- */

/* Every kernel gives the same bytes; they differ in speed alone. */
typedef enum {
    BBANS_ISA_PORTABLE = 0,
    BBANS_ISA_AVX2 = 1,
    BBANS_ISA_AVX512 = 2, /* F, BW, DQ, VL, VNNI */
    BBANS_ISA_NEON = 3,
    BBANS_ISA_BEST = 100  /* what this machine has, unless the environment
                             variable BBANS_CPU names another by its suffix
                             here in lower case                           */
} bbans_isa;

/* Choose the kernels.  Returns what is now in use: BBANS_ISA_PORTABLE if this
 * machine or build lacks the one asked for.  Without this call those are in
 * use.  Call it before threads start: it writes the library's one global. */
BBANS_API int bbans_isa_use(int isa);

/* ---- The message: a stack of rANS words --------------------------------- */

/* `lanes` rANS heads over one shared stack of words.  Heads lie in
 * [2^31, 2^63).  With one lane and an empty tail the head may be smaller. */
typedef struct {
    uint64_t *head; /* [lanes]                                       */
    uint32_t *tail; /* [tail_cap], top of stack at tail[tail_len - 1] */
    size_t lanes, tail_len, tail_cap;
} bbans_message;

/* Make *msg the empty message over the caller's arrays: head 1 for one lane,
 * heads 2^31 for more.  Returns ERR_{NULL,STATE}. */
BBANS_API bbans_status bbans_message_init(bbans_message *msg, uint64_t *head,
        size_t lanes, uint32_t *tail, size_t tail_cap);

/* BBANS_OK if *msg is a valid message, else ERR_NULL or ERR_STATE.  The other
 * functions trust a message that they or bbans_message_init made. */
BBANS_API bbans_status bbans_message_check(const bbans_message *msg);

/* Push one interval per lane.
 *   start, freq  [lanes] intervals [start, start + freq) in slots
 *   total        slots in all, 1 to BBANS_TOTAL_MAX; 2^r for an r-bit table
 * A lane moves at most one word to the tail.  Needs room for `lanes` words.
 * Returns ERR_{NULL,TOTAL,INTERVAL,CAPACITY}. */
BBANS_API bbans_status bbans_message_push(bbans_message *msg,
        const uint32_t *start, const uint32_t *freq, uint32_t total);

/* The slot that each lane would pop; the message is not changed.
 * Returns ERR_{NULL,TOTAL}. */
BBANS_API bbans_status bbans_message_peek(const bbans_message *msg,
        uint32_t *slot, uint32_t total);

/* Pop: remove from each lane the interval that holds its slot.  Exact inverse
 * of bbans_message_push.  Needs room for `lanes` words.
 * Returns ERR_{NULL,TOTAL,INTERVAL,CAPACITY,UNDERFLOW}. */
BBANS_API bbans_status bbans_message_advance(bbans_message *msg,
        const uint32_t *start, const uint32_t *freq, uint32_t total);

/* ---- Tables -------------------------------------------------------------- */

/* `rows` distributions over `symbols` symbols: the edges of row i are
 * cdf[i * (symbols + 1)] = 0 < ... < cdf[i * (symbols + 1) + symbols] = 2^prec.
 * No interval is empty. */
typedef struct {
    const uint32_t *cdf; /* [rows][symbols + 1], in slots of width 2^-prec */
    size_t rows, symbols;
    unsigned prec;
} bbans_table;

/* Check a table once, before its use; the other functions trust it.
 * Returns ERR_{NULL,PRECISION,SIZE,TABLE}. */
BBANS_API bbans_status bbans_table_check(const bbans_table *table);

/* The symbol whose interval in `row` holds `slot`.  Trusts its arguments. */
BBANS_API size_t bbans_table_find(const bbans_table *table, size_t row,
        uint32_t slot);

/* Push n symbols, last to first; symbol i goes to lane i mod lanes.
 *   row     [n] row of each symbol, or NULL: row 0 for all
 *   symbol  [n] each below table->symbols
 * Needs room for n words.  Returns ERR_{NULL,SYMBOL,CAPACITY}. */
BBANS_API bbans_status bbans_message_push_symbols(bbans_message *msg,
        const bbans_table *table, const uint32_t *row, const uint32_t *symbol,
        size_t n);

/* Pop n symbols, first to last.  Returns ERR_{NULL,SYMBOL,UNDERFLOW}; then
 * the contents of symbol[] are undefined. */
BBANS_API bbans_status bbans_message_pop_symbols(bbans_message *msg,
        const bbans_table *table, const uint32_t *row, uint32_t *symbol,
        size_t n);

/* Push and pop n values below total, all equally likely: log2(total) bits each.
 * As the functions above, with ERR_TOTAL for total; pop needs room for a word. */
BBANS_API bbans_status bbans_message_push_uniform(bbans_message *msg,
        uint32_t total, const uint32_t *value, size_t n);
BBANS_API bbans_status bbans_message_pop_uniform(bbans_message *msg,
        uint32_t total, uint32_t *value, size_t n);

/* Push and pop n symbols, each under weights of its own that need no
 * normalisation.
 *   weight  [n][symbols] any integers; each row sums to 1 .. BBANS_TOTAL_MAX
 * A weight may be 0: such a symbol cannot be pushed (ERR_INTERVAL) and is never
 * popped.  Needs room for n words (push), one word (pop).
 * Returns ERR_{NULL,TOTAL,SYMBOL,INTERVAL,CAPACITY,UNDERFLOW}. */
BBANS_API bbans_status bbans_message_push_weighted(bbans_message *msg,
        const uint32_t *weight, size_t symbols, const uint32_t *symbol,
        size_t n);
BBANS_API bbans_status bbans_message_pop_weighted(bbans_message *msg,
        const uint32_t *weight, size_t symbols, uint32_t *symbol, size_t n);

/* ---- Wire format of a message ------------------------------------------- */

/* One lane: the message as an integer, little-endian, in as few bytes as it
 * needs; its last byte is never 0.  More lanes: the tail's words from the
 * bottom up, 4 bytes each, then the heads, 8 bytes each; little-endian. */

/* Bytes that bbans_wire_write will write.  Returns ERR_NULL. */
BBANS_API bbans_status bbans_wire_size(const bbans_message *msg,
        size_t *n_bytes);

/* *n_bytes is what was written, or after ERR_CAPACITY what is needed.
 * Returns ERR_{NULL,CAPACITY}. */
BBANS_API bbans_status bbans_wire_write(const bbans_message *msg,
        uint8_t *bytes, size_t cap, size_t *n_bytes);

/* Fill *msg, whose arrays and lane count the caller has set.  n_bytes / 4 words
 * of tail always suffice.  Returns ERR_{NULL,CAPACITY,CORRUPT}. */
BBANS_API bbans_status bbans_wire_read(bbans_message *msg,
        const uint8_t *bytes, size_t n_bytes);

/* ---- Range coder: first in, first out, into a message of one lane ------- */

/* Codes intervals in their natural order into the shortest integer that
 * decodes; bits back can then run over it (docs/maths.md, sections 4 and 7). */
typedef struct {
    uint8_t *bytes; /* [cap] scratch */
    size_t len, cap;
    uint64_t low, range;
} bbans_range_encoder;

BBANS_API bbans_status bbans_range_encoder_init(bbans_range_encoder *enc,
        uint8_t *bytes, size_t cap);

/* Needs room for 4 bytes; to grow, copy `bytes`, set it and `cap`.  Returns ERR_{NULL,STATE,TOTAL,INTERVAL,CAPACITY};
 * ERR_STATE after bbans_range_finish. */
BBANS_API bbans_status bbans_range_encode(bbans_range_encoder *enc,
        uint32_t start, uint32_t freq, uint32_t total);

/* Make *msg, of one lane, the integer of what was encoded.  Its former content
 * is lost.  Needs tail_cap >= (len + 11) / 4 words.  The encoder is spent.
 * Returns ERR_{NULL,STATE,CAPACITY}. */
BBANS_API bbans_status bbans_range_finish(bbans_range_encoder *enc,
        bbans_message *msg);

typedef struct {
    const uint32_t *tail;
    uint64_t head, code, range;
    size_t n_bits; /* bits of the fraction                      */
    size_t n_read; /* bits taken so far, zeros past the end too */
} bbans_range_decoder;

/* Read the integer in *msg, of one lane, which must outlive the decoder.
 * Returns ERR_{NULL,STATE,CORRUPT}. */
BBANS_API bbans_status bbans_range_decoder_init(bbans_range_decoder *dec,
        const bbans_message *msg);

/* Returns ERR_{NULL,TOTAL,CORRUPT}. */
BBANS_API bbans_status bbans_range_slot(const bbans_range_decoder *dec,
        uint32_t total, uint32_t *slot);

/* Returns ERR_{NULL,TOTAL,INTERVAL}. */
BBANS_API bbans_status bbans_range_advance(bbans_range_decoder *dec,
        uint32_t start, uint32_t freq, uint32_t total);

/* After the last symbol: BBANS_OK if an encoder of these symbols writes this
 * integer, else ERR_CORRUPT (or ERR_NULL). */
BBANS_API bbans_status bbans_range_check(const bbans_range_decoder *dec);

/* ---- Frozen hidden Markov models ----------------------------------------- */

/* Filled by bbans_hmm_init.  Arrays over states have `stride` elements; in the
 * model's own those from `states` on are 0. */
typedef struct {
    size_t states, symbols, stride, tail_length;
    unsigned prec;
    uint32_t floor;                 /* least predicted weight           */
    const uint32_t *initial_cdf;    /* [states + 1]                     */
    const uint32_t *transition_cdf; /* [states][states + 1]             */
    const uint32_t *emission_cdf;   /* [states][symbols + 1]            */
    const uint32_t *initial;        /* [stride] masses                  */
    const uint32_t *into;           /* [states j][stride i] masses A_ij */
    const uint32_t *emitting;       /* [symbols x][stride i] B_ix       */
    const int16_t *short_pairs;     /* A_ij at 15 bits, in tiles of up to 64
                                       columns j: [tile][stride / 2][j][2],
                                       i in pairs                       */
    const int16_t *short_columns;   /* [stride j][stride i] the same    */
} bbans_hmm;

/* Bytes of memory that a model needs, 0 if a count is outside the limits. */
BBANS_API size_t bbans_hmm_bytes(size_t states, size_t symbols);

/* Build a model's tables from its masses.
 *   prec         precision r: each row of masses sums to 2^prec
 *   tail_length  c of docs/maths.md section 7, 1 to BBANS_TAIL_MAX
 *   initial      [states], transition [states][states] (row i, next state j),
 *   emission     [states][symbols]; every mass at least 1
 *   memory       bbans_hmm_bytes(states, symbols) bytes aligned to 8; must
 *                outlive *hmm.  The masses are copied.
 * Returns ERR_{NULL,PRECISION,SIZE,TABLE,CAPACITY}. */
BBANS_API bbans_status bbans_hmm_init(bbans_hmm *hmm, size_t states,
        size_t symbols, unsigned prec, size_t tail_length,
        const uint32_t *initial, const uint32_t *transition,
        const uint32_t *emission, void *memory, size_t memory_bytes);

/* The next four functions trust weights, which come from each other: their sum
 * is 1 to 2^31 - 1 (predicted) or 2^32 - 1 (filtered), and filtered weights from
 * `states` on are 0.  Other weights give useless numbers, but no more. */

/* Forward messages, exact: n filter steps (docs/maths.md, section 5).
 *   predicted  [stride] in: weights of the first state given the past
 *              (hmm->initial at t = 1); out: those after the last symbol
 *   filtered   [n][stride] out: W, the weights of z_t given x_1 .. x_t
 * Returns ERR_{NULL,SYMBOL}. */
BBANS_API bbans_status bbans_hmm_filter(const bbans_hmm *hmm,
        uint32_t *predicted, const uint32_t *symbol, size_t n,
        uint32_t *filtered);

/* Posterior weights of a state with filtered weights `filtered` [stride], given
 * the next state; next = states: without one.
 *   edge  [stride + 1] out: running sums of the weights; state i has the
 *         interval [edge[i], edge[i + 1]) of total edge[stride] < 2^26
 * Returns ERR_{NULL,SYMBOL}. */
BBANS_API bbans_status bbans_hmm_posterior(const bbans_hmm *hmm,
        const uint32_t *filtered, size_t next, uint32_t *edge);

/* The interval of `symbol` under the predictive distribution, total 2^prec
 * (docs/maths.md, section 6).  ERR_TOTAL if all weights are 0.
 * Returns ERR_{NULL,SYMBOL,TOTAL}. */
BBANS_API bbans_status bbans_hmm_predict(const bbans_hmm *hmm,
        const uint32_t *predicted, size_t symbol, uint32_t *start,
        uint32_t *freq);

/* The symbol whose predictive interval holds `slot`, and the interval.
 * Returns ERR_{NULL,INTERVAL,TOTAL}. */
BBANS_API bbans_status bbans_hmm_predict_find(const bbans_hmm *hmm,
        const uint32_t *predicted, uint32_t slot, uint32_t *symbol,
        uint32_t *start, uint32_t *freq);

/* ---- Sequences under a frozen HMM: IconoCLaSM ---------------------------- */

/* Words of tail that hold any sequence of n symbols, and serve as scratch. */
BBANS_API size_t bbans_sequence_tail_words(size_t n);

/* Bytes of workspace (aligned to 8) for n symbols when the forward messages of
 * `block` symbols at a time are kept: block = n is fastest, block near sqrt(n)
 * smallest (each message is then computed twice).  0 if it exceeds SIZE_MAX. */
BBANS_API size_t bbans_sequence_work_bytes(const bbans_hmm *hmm, size_t n,
        size_t block);

/* Code x_1 .. x_n as a message of its own; docs/maths.md, section 7.
 *   msg         of one lane; its former content is lost.  Its tail needs
 *               bbans_sequence_tail_words(n) words.
 *   predictive  0: IconoCLaSM; else the range coder alone
 *   work        at least bbans_sequence_work_bytes(hmm, n, some block); more is
 *               used for larger blocks, and the result is the same
 * Returns ERR_{NULL,STATE,SYMBOL,CAPACITY}. */
BBANS_API bbans_status bbans_sequence_encode(const bbans_hmm *hmm,
        const uint32_t *symbol, size_t n, int predictive, void *work,
        size_t work_bytes, bbans_message *msg);

/* Decode n symbols.  The message is spent, whatever the outcome.  Workspace as
 * for one symbol; the tail needs room for n more words.
 * Returns ERR_{NULL,STATE,CAPACITY,CORRUPT}. */
BBANS_API bbans_status bbans_sequence_decode(const bbans_hmm *hmm,
        bbans_message *msg, uint32_t *symbol, size_t n, int predictive,
        void *work, size_t work_bytes);

/* The bare schedule of docs/maths.md section 1 over what the message of one
 * lane already holds, for those who compose codecs.  Push needs room for
 * 2 n + 2 words and a workspace as for encode; pop one as for decode.  Pop's
 * message is spent if it fails.
 * Returns ERR_{NULL,STATE,SYMBOL,CAPACITY}; pop ERR_CORRUPT too. */
BBANS_API bbans_status bbans_sequence_push(const bbans_hmm *hmm,
        bbans_message *msg, const uint32_t *symbol, size_t n, void *work,
        size_t work_bytes);
BBANS_API bbans_status bbans_sequence_pop(const bbans_hmm *hmm,
        bbans_message *msg, uint32_t *symbol, size_t n, void *work,
        size_t work_bytes);

/* ---- Many sequences ------------------------------------------------------ */

/* Sequence k of a batch is symbol[offset[k] .. offset[k + 1] - 1], its message
 * bytes[byte_offset[k] .. byte_offset[k + 1] - 1] in wire format, so each can be
 * decoded by itself.  Offsets start at 0 and do not fall (else ERR_SIZE).  Split
 * a batch to use threads: no message depends on another.  Workspace: to encode,
 * for the longest sequence; to decode, for one symbol.  After an error *failed is
 * the sequence, 0 before the first, and the outputs are undefined. */

/* Encode n sequences, each as bbans_sequence_encode does.
 *   work         for the longest sequence, as for bbans_sequence_encode
 *   msg          of one lane: scratch, with the tail of the longest sequence
 *   bytes        [cap] out; 8 * offset[n] + 40 * n bytes always suffice
 *   byte_offset  [n + 1] out
 * Returns ERR_{NULL,STATE,SYMBOL,CAPACITY,SIZE}. */
BBANS_API bbans_status bbans_batch_encode(const bbans_hmm *hmm,
        const uint32_t *symbol, const uint64_t *offset, size_t n,
        int predictive, void *work, size_t work_bytes, bbans_message *msg,
        uint8_t *bytes, size_t cap, uint64_t *byte_offset, size_t *failed);

/* Decode n sequences, whose offsets the caller knows.
 *   msg  of one lane: scratch; its tail needs, for any one sequence, a word for
 *        every 4 bytes of its message and one for every symbol
 * Returns ERR_{NULL,STATE,CAPACITY,CORRUPT,SIZE}. */
BBANS_API bbans_status bbans_batch_decode(const bbans_hmm *hmm,
        const uint8_t *bytes, const uint64_t *byte_offset, uint32_t *symbol,
        const uint64_t *offset, size_t n, int predictive, void *work,
        size_t work_bytes, bbans_message *msg, size_t *failed);

/* Encode n sequences as one message: less than a bit for each after the first
 * few, but none decodes alone.  docs/maths.md, section 8.
 *   msg  of one lane; its tail needs bbans_sequence_tail_words(offset[n]) words
 * Returns ERR_{NULL,STATE,SYMBOL,CAPACITY,SIZE}. */
BBANS_API bbans_status bbans_packed_encode(const bbans_hmm *hmm,
        const uint32_t *symbol, const uint64_t *offset, size_t n, void *work,
        size_t work_bytes, bbans_message *msg);

/* The message is spent; its tail needs room for offset[n] more words.
 * Returns ERR_{NULL,STATE,CAPACITY,CORRUPT,SIZE}. */
BBANS_API bbans_status bbans_packed_decode(const bbans_hmm *hmm,
        bbans_message *msg, uint32_t *symbol, const uint64_t *offset, size_t n,
        void *work, size_t work_bytes);

/* ---- Bytes: a static coder for blocks ------------------------------------ */

/* A block of bytes under the frequencies of its own bytes, which it carries:
 * fast, for any bytes, with no model to share (docs/format.md, section 4).
 * Blocks are independent.  Blocks of few different bytes are packed first. */
enum { BBANS_BYTES_MAX = 16777216 }; /* in a block: 2^24 */

/* Bytes that a compressed block of n never exceeds; 0 if n is over the limit.
 * Blocks that would grow are stored. */
BBANS_API size_t bbans_bytes_bound(size_t n);

/* Bytes of workspace for blocks of up to n bytes, either way.  It needs no
 * initialisation, and keeps nothing from one call to the next. */
BBANS_API size_t bbans_bytes_work_bytes(size_t n);

/* Compress a block.
 *   data      [n]
 *   order     0: frequencies of bytes; 1: or of bytes given the one before,
 *             where that is shorter
 *   out       [cap] with cap >= bbans_bytes_bound(n); overlaps neither data
 *             nor work
 *   out_size  out: the bytes written
 * Returns ERR_{NULL,SIZE,CAPACITY}; then nothing of interest was written. */
BBANS_API bbans_status bbans_bytes_compress(const uint8_t *data, size_t n,
        int order, uint8_t *out, size_t cap, size_t *out_size, void *work,
        size_t work_bytes);

/* The bytes that a block decompresses to, by its first 5 bytes.
 * Returns ERR_{NULL,CORRUPT}. */
BBANS_API bbans_status bbans_bytes_size(const uint8_t *block,
        size_t block_size, size_t *n);

/* Decompress a block.  A block has no checksum: of damage that alters a stored
 * block or an alphabet nothing shows; in coded bytes it shows with near certainty.
 *   out   [cap] with cap >= what bbans_bytes_size says.  After an error its
 *         contents are undefined.
 *   n     out: the bytes written
 * Returns ERR_{NULL,CAPACITY,CORRUPT}. */
BBANS_API bbans_status bbans_bytes_decompress(const uint8_t *block,
        size_t block_size, uint8_t *out, size_t cap, size_t *n, void *work,
        size_t work_bytes);

/* cffi:end */
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
