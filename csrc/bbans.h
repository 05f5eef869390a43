/* bbans: lossless compression with latent variable and state space models.
 *
 * SPDX-License-Identifier: MIT
 *
 * From frozen tables to bytes and back there are only integers: the same
 * tables and data give the same bytes on every C99 target.  docs/maths.md
 * defines every number computed here.
 *
 * Files      bbans_model_parse and bbans_model_build load a model;
 *            bbans_compress and bbans_decompress do the rest: examples/text.c.
 * Sequences  bbans_hmm_init, bbans_sequence_encode, bbans_message_write:
 *            messages without length or checksum, for those who frame them
 *            themselves: examples/sequence.c.
 * Records    bbans_record_encode and its inverse: one short record each, as a
 *            message without length: examples/lines.c.  bbans_records_open
 *            reads files of records, bbans_records_put_group writes them:
 *            examples/records.c.
 * Networks   bbans_network_parse and bbans_network_build load one, and
 *            bbans_network_run runs it.
 * Codecs     A bbans_distribution, bbans_message_push and its inverse: make
 *            your own, as examples/codec.c does.
 * Particles  bbans_particles_init makes a model for sequences of your own laws,
 *            whatever they are: examples/particles.c.
 *
 * Memory     The library allocates nothing.  Every array belongs to the caller
 *            and must outlive the struct that points to it.  Functions whose
 *            names end in _bytes, _words or _bound say how much is needed.  An
 *            array of no elements may be NULL; other pointers may not.
 * Errors     Functions return a bbans_status; results go through pointers.
 *            "Returns ERR_{NULL,STATE}" means BBANS_OK, BBANS_ERR_NULL or
 *            BBANS_ERR_STATE.  After an error the caller's message is as it was
 *            before the call, unless the function says that it is scratch, or
 *            spent; other outputs are undefined.
 * Trust      Bytes and numbers may come from anywhere: whatever they are, no
 *            function reads or writes outside the arrays it was given.  Where
 *            one trusts its arguments it says so.
 * Threads    No function keeps state.  Calls on different messages may run at
 *            the same time; tables and models are only read.
 * Overlap    An array that a function writes overlaps no other that it is
 *            given.
 * Order      A message is a stack: what was pushed last is popped first.  Array
 *            functions push from the last element to the first, so that popping
 *            yields the first element first.
 */
#ifndef BBANS_H
#define BBANS_H

#include <stddef.h>
#include <stdint.h>

/* What a shared library exports.  On Windows, programs that use the DLL define
 * BBANS_DLL, and so does the build of the DLL, with BBANS_BUILD. */
#ifndef BBANS_API
#if defined(_WIN32) && defined(BBANS_DLL) && defined(BBANS_BUILD)
#define BBANS_API __declspec(dllexport)
#elif defined(_WIN32) && defined(BBANS_DLL)
#define BBANS_API __declspec(dllimport)
#elif !defined(_WIN32) && defined(__GNUC__)
#define BBANS_API __attribute__((visibility("default")))
#else
#define BBANS_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* clang-format off */
/* cffi:begin - plain declarations only; the build script reads this part, and
 * drops the lines of BBANS_DECODER_ONLY, with which what encodes is left
 * out. */

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
    BBANS_ERR_STATE = -7,     /* heads, lanes or lengths are not a message;
                                 or a step before the one it needs           */
    BBANS_ERR_TABLE = -8,     /* edges do not rise strictly from 0 to 2^r    */
    BBANS_ERR_SYMBOL = -9,    /* a symbol or row outside the table           */
    BBANS_ERR_CORRUPT = -10,  /* bytes that no encoder wrote                 */
    BBANS_ERR_SIZE = -11,     /* a count outside the limits below            */
    BBANS_ERR_TRUNCATED = -12, /* a file ends early                          */
    BBANS_ERR_FORMAT = -13,   /* not a file of this format                   */
    BBANS_ERR_VERSION = -14,  /* a format version or code unknown here       */
    BBANS_ERR_WRONG_MODEL = -15, /* data that was coded with another model   */
    BBANS_ERR_TYPE = -16      /* no bbans_type, or not one for this array    */
} bbans_status;

enum {
    BBANS_VERSION = 100, /* 10000 * major + 100 * minor + patch */
    BBANS_PREC_MAX = 28,
    BBANS_TOTAL_MAX = 268435456, /* 2^28 */
    BBANS_STATES_MAX = 4096,
    BBANS_SYMBOLS_MAX = 65536,
    BBANS_START_MAX = 65535,
    BBANS_ORDER_MAX = 16,        /* symbols of a context        */
    BBANS_CONTEXTS_MAX = 1 << 24, /* contexts, and their entries */
    BBANS_CONTEXT_BITS = 24,      /* precision with contexts     */
    BBANS_COST_BIT = 65536,       /* a bit, in units of costs    */
    BBANS_BATCH = 2 /* sequences of a batch that are coded in turns */
};

/* The text of a status code, a constant; never NULL. */
BBANS_API const char *bbans_status_text(int status);

/* ---- Instruction sets ---------------------------------------------------- */

/* Every kernel gives the same bytes; they differ in speed alone. */
typedef enum {
    BBANS_ISA_PORTABLE = 0,
    BBANS_ISA_AVX2 = 1,   /* with FMA */
    BBANS_ISA_AVX512 = 2, /* F, BW, DQ, VL, VNNI */
    BBANS_ISA_NEON = 3,
    BBANS_ISA_WASM = 4,   /* SIMD128, if compiled for it */
    BBANS_ISA_BEST = 100  /* what this machine has, unless the environment
                             variable BBANS_CPU names another             */
} bbans_isa;

/* Choose the kernels.  Returns what is now in use: BBANS_ISA_PORTABLE if this
 * machine or build lacks the one asked for.  Without this call those are in
 * use.  It writes the library's one global, unless that set is in use: several
 * threads may choose the same before they code, but not another while some do. */
BBANS_API int bbans_isa_use(int isa);

/* The instruction set in use. */
BBANS_API int bbans_isa_in_use(void);

/* The name of an instruction set, as BBANS_CPU has it: its suffix above in
 * lower case.  NULL if this machine or build lacks it, so that those below
 * BBANS_ISA_BEST with a name are all that there are. */
BBANS_API const char *bbans_isa_name(int isa);

/* ---- Structs that are defined below ------------------------------------- */

typedef struct bbans_message bbans_message;
typedef struct bbans_state_space bbans_state_space;
typedef union bbans_frozen bbans_frozen;
typedef struct bbans_family bbans_family;
typedef struct bbans_array bbans_array;
typedef struct bbans_distribution bbans_distribution;
typedef struct bbans_network bbans_network;

/* ========================================================================
 * Files
 * ===================================================================== */

/* ---- Model files --------------------------------------------------------- */

typedef enum {
    BBANS_MODEL_HMM = 1,
    BBANS_MODEL_ARHMM = 2, /* autoregressive: a bbans_hmm with contexts */
    BBANS_MODEL_LGSSM = 3,
    BBANS_MODEL_VAE = 4,
    BBANS_MODEL_DEEP_SSM = 5,
    BBANS_MODEL_HIERARCHY = 6,
    BBANS_MODEL_TREE = 7,
    BBANS_MODEL_CONTEXT_MIXER = 8,
    BBANS_MODEL_GAUSSIAN_HMM = 9, /* of vectors of integers */
    BBANS_MODEL_FACTORIAL = 10
} bbans_model_type;

/* What a model codes. */
typedef enum {
    BBANS_KIND_INTEGERS = 0, /* of 64 bits, with sign */
    BBANS_KIND_BYTES = 1,
    BBANS_KIND_TEXT = 2      /* code points; not listed: the bytes of UTF-8 */
} bbans_kind;

/* A model file.  Two steps load it, between which the caller finds
 * bbans_model_bytes(model) bytes of memory. */
typedef struct {
    int type, kind;         /* bbans_model_type, bbans_kind                */
    int predictive;         /* its mode: see bbans_state_space             */
    int ends;               /* 1: the last symbol is the end of a record,
                               which has no value; else 0                  */
    size_t width;           /* integers of an observation: 1, or p         */
    size_t symbols;         /* 0 for what has no alphabet: types 3, 4, 5, 7 */
    const uint8_t *values;  /* in the file: what the symbols stand for;
                               NULL: their numbers                         */
    const uint8_t *bytes;   /* [n_bytes] the file                          */
    size_t n_bytes;
    const bbans_frozen *frozen; /* of bbans_model_build; until then NULL   */
    int named;              /* whether bbans_model_name has been called:   */
    uint8_t fingerprint[8]; /* then what names it in containers            */
} bbans_model;

/* Step 1: check a model file (suffix .bbm) of n_bytes at `bytes`, which must
 * outlive *model, and fill all of *model but `frozen`.
 * Returns ERR_{NULL,FORMAT,TRUNCATED,VERSION,CORRUPT}, and ERR_STATE for a
 * packed one, which bbans_model_unpack makes such a file of. */
BBANS_API bbans_status bbans_model_parse(bbans_model *model,
        const uint8_t *bytes, size_t n_bytes);

/* What names a model in containers: the first bytes of the SHA-256 of a file
 * that was parsed, which reads all of it.  bbans_model_name keeps it in *model,
 * so that containers and files of records need it once and not for each block
 * or record.  Return ERR_NULL. */
BBANS_API bbans_status bbans_model_fingerprint(const bbans_model *model,
        uint8_t fingerprint[8]);
BBANS_API bbans_status bbans_model_name(bbans_model *model);

/* Packed model files take a fraction of the bytes of plain ones (types 1, 2 and
 * 8 have such a form): unpack one, then parse what comes out.
 *   plain    [cap] out: the plain file, with the workspace of unpacking behind
 *            it, which may then be used otherwise
 *   n_plain  out: bytes of the plain file; after ERR_CAPACITY, what `cap` must
 *            be: below 2^11 bytes for each packed one, and 2^23 more
 * Time is bounded as well: by some 2^12 steps for each packed byte.
 * Returns ERR_{NULL,FORMAT,TRUNCATED,VERSION,CORRUPT,SIZE,CAPACITY}, and
 * ERR_STATE for a file that is plain; then `plain` has been written to. */
BBANS_API bbans_status bbans_model_unpack(const uint8_t *packed,
        size_t n_packed, uint8_t *plain, size_t cap, size_t *n_plain);

#ifndef BBANS_DECODER_ONLY
/* The other way.  packed [cap] as above: after ERR_CAPACITY, *n_packed is what
 * `cap` must be.  Returns also ERR_SIZE, if there is no packed form, or it
 * would not be shorter. */
BBANS_API bbans_status bbans_model_pack(const uint8_t *plain, size_t n_plain,
        uint8_t *packed, size_t cap, size_t *n_packed);
#endif /* BBANS_DECODER_ONLY */

/* Bytes of memory that the model needs, 0 if they exceed SIZE_MAX. */
BBANS_API size_t bbans_model_bytes(const bbans_model *model);

/* Step 2: make *model->frozen, whose member `space` bbans_sequence_encode and
 * all that codes sequences take.
 *   memory  bbans_model_bytes(model) bytes aligned to 8; must outlive *model.
 *           No other memory is used for the tables.
 * Returns ERR_{NULL,SIZE,CAPACITY}, and ERR_CORRUPT for masses that are no
 * distributions, contexts that are no tree, steps that are out of range, or
 * networks that do not fit; then `memory` has been written to. */
BBANS_API bbans_status bbans_model_build(bbans_model *model, void *memory,
        size_t memory_bytes);

/* The number of a value in the alphabet, or model->symbols if it is not there;
 * the value of a number below model->symbols, -1 of the end of a record.  They
 * trust their arguments; not for models without an alphabet, whose observations
 * are the values. */
BBANS_API size_t bbans_model_symbol(const bbans_model *model, int64_t value);
BBANS_API int64_t bbans_model_value(const bbans_model *model, size_t symbol);

#ifndef BBANS_DECODER_ONLY
/* Write the file of a model, with its mode.
 *   model    the member `space` of any model of bbans_frozen
 *   kind     bbans_kind; of models without an alphabet integers, or bytes if
 *            all they code are some
 *   value    [symbols, less the end] what the symbols stand for, rising; NULL:
 *            their numbers, of text 256 and the bytes of its UTF-8.  Bytes are 0
 *            to 255
 *   ends     whether the last symbol is the end of a record
 *   bytes    [cap] out
 *   n_bytes  out: bytes of the file; after ERR_CAPACITY, what is needed
 * Returns ERR_{NULL,STATE,CAPACITY}, ERR_SYMBOL for another kind or other
 * values, and ERR_SIZE for a context mixer whose prior has fewer rows than a
 * quarter of its places. */
BBANS_API bbans_status bbans_model_write(const bbans_state_space *model,
        int kind, const int64_t *value, int ends, uint8_t *bytes, size_t cap,
        size_t *n_bytes);
#endif /* BBANS_DECODER_ONLY */

/* ---- Containers ---------------------------------------------------------- */

/* A container (suffix .bbz) is one part or more, end to end; a part is a
 * header, blocks, and an end record with where each block begins, all with
 * checksums (docs/format.md, "Container").  To append to a file is to write a
 * part behind it.  A part names the model that it needs, so that no other
 * decodes it.  The same data, model, level and block length give the same bytes
 * as in Python.  Elements are arrays of this machine's own types, of any
 * alignment. */
enum {
    BBANS_ELEMENT_BYTES = 0,      /* uint8_t                                 */
    BBANS_ELEMENT_UTF8 = 1,       /* text: uint8_t, UTF-8                    */
    BBANS_ELEMENT_CHARACTERS = 2, /* text: uint32_t, code points             */
    BBANS_ELEMENT_UINT8 = 16,     /* arrays: uint8_t, and so on              */
    BBANS_ELEMENT_INT8 = 17,
    BBANS_ELEMENT_UINT16 = 18,
    BBANS_ELEMENT_INT16 = 19,
    BBANS_ELEMENT_UINT32 = 20,
    BBANS_ELEMENT_INT32 = 21,
    BBANS_ELEMENT_UINT64 = 22,
    BBANS_ELEMENT_INT64 = 23,
    BBANS_ELEMENT_BOOL = 24,      /* uint8_t, 0 or 1                         */
    BBANS_ELEMENT_DATETIME = 25,  /* int64_t: a time since 1970, in a unit   */
    BBANS_ELEMENT_TIMEDELTA = 26, /* int64_t: a duration, in a unit.
                                     INT64_MIN is none, of both              */
    BBANS_ELEMENT_FLOAT16 = 27,   /* floats, by their bits: uint16_t         */
    BBANS_ELEMENT_FLOAT32 = 28,   /* uint32_t, or float                      */
    BBANS_ELEMENT_FLOAT64 = 29,   /* uint64_t, or double                     */
    BBANS_ELEMENT_BFLOAT16 = 30,  /* uint16_t: the upper half of a FLOAT32   */
    BBANS_ELEMENT_FLOAT8_E4M3 = 31, /* uint8_t, without infinities           */
    BBANS_ELEMENT_FLOAT8_E5M2 = 32, /* uint8_t                               */
    BBANS_ELEMENT_BIG_ENDIAN = 128 /* to add to those of several bytes, not to
                                      characters and BFLOAT16: says that the
                                      array was, and changes nothing else     */
};

/* Units of dates and durations. */
enum {
    BBANS_UNIT_GENERIC = 0, /* not said */
    BBANS_UNIT_YEAR = 1,
    BBANS_UNIT_MONTH = 2,
    BBANS_UNIT_WEEK = 3,
    BBANS_UNIT_DAY = 4,
    BBANS_UNIT_HOUR = 5,
    BBANS_UNIT_MINUTE = 6,
    BBANS_UNIT_SECOND = 7,
    BBANS_UNIT_MILLISECOND = 8,
    BBANS_UNIT_MICROSECOND = 9,
    BBANS_UNIT_NANOSECOND = 10,
    BBANS_UNIT_PICOSECOND = 11,
    BBANS_UNIT_FEMTOSECOND = 12,
    BBANS_UNIT_ATTOSECOND = 13
};

/* How a block is coded. */
enum {
    BBANS_METHOD_STORED = 0, /* the elements                                 */
    BBANS_METHOD_MODEL = 1,  /* a message of the model that its part names   */
    BBANS_METHOD_BYTES = 2,  /* a block of the byte coder, below             */
    BBANS_METHOD_SIGNAL = 3, /* a block of a signal, below                   */
    BBANS_METHOD_CODEC = 4,  /* what the codec made that its part names: for
                                the caller to decode                         */
    BBANS_METHOD_PIECES = 5, /* what a file is made of: bytes and numbers.
                                Tables of text are not for this library      */
    BBANS_METHOD_GRID = 6,   /* a block of a grid, below                     */
    BBANS_METHOD_FLOAT = 7,  /* a block of floats, below                     */
    BBANS_METHOD_MIXING = 8  /* a block of bytes under mixed contexts, below */
};

/* What the header of a part names. */
enum {
    BBANS_CODER_NONE = 0,
    BBANS_CODER_MODEL = 1,
    BBANS_CODER_CODEC = 2,
    BBANS_CODER_LINE = 3 /* none, but the line that signals may lie on */
};

enum {
    BBANS_BLOCK_MAX = 16777216, /* bytes of a block's elements: 2^24 */
    BBANS_BLOCK_DEFAULT = 65536, /* elements; for mixed contexts 2^22 bytes at
                                    levels 3 and 4, and BBANS_BLOCK_MAX above:
                                    longer blocks have learned more         */
    BBANS_LEVEL_DEFAULT = 5,
    BBANS_LEVEL_MAX = 9,
    BBANS_AXES_MAX = 32
};

/* Bytes of an element, 0 if there is no such code. */
BBANS_API size_t bbans_element_bytes(int element);

/* How elements lie that have neighbours in more dimensions than one: rows of
 * `columns` pixels of `bands` values each; every `rows` rows are a frame, the
 * last of which may have fewer.  A plane is one band of one frame. */
typedef struct {
    size_t rows, columns, bands; /* 1 at least; rows may be more than there are */
    size_t period; /* 0; or p > 1: the frame p before helps to predict too, as
                      where p bands come as frames                           */
} bbans_grid;

#ifndef BBANS_DECODER_ONLY
/* What a part holds; bbans_content_of(element) is the usual, the rest 0. */
typedef struct {
    int element;         /* BBANS_ELEMENT_...                               */
    int unit;            /* of dates and durations: BBANS_UNIT_...          */
    uint32_t multiplier; /* of the unit: 25 seconds, say; from 1 to 2^31 - 1,
                            and for GENERIC 1                               */
    unsigned axis;       /* where the array has the axis that comes first in
                            the container, as times come before channels;
                            below its axes                                  */
    size_t channels;     /* elements of a step, which no block divides: for
                            an axis above 0 those of all other axes.  Arrays
                            without a model are coded as signals of so many
                            channels; with 0, which is as 1 otherwise, by
                            the byte coder, and floats by planes of bytes   */
    int has_line;        /* is there a line, below?                         */
    uint64_t line[2];    /* its start and step, modulo 2^64                 */
    bbans_grid grid;     /* with rows > 0 arrays without a model are coded as
                            grids, channels are 0, and no block divides a
                            row                                             */
} bbans_content;

/* Look whether a signal begins with a line, as of time stamps that are equally
 * far apart: the blocks behind the first then cost next to nothing.
 *   data  the first n elements, three steps or more */
BBANS_API void bbans_content_set_line(bbans_content *content, const void *data,
        size_t n);

/* Bytes that hold what n elements become in blocks of `block`, whatever they
 * are: 69, 17 a block, and the elements; 5 for a unit.  0 if that exceeds
 * SIZE_MAX. */
BBANS_API size_t bbans_compress_bound(int element, size_t n, size_t block);

/* Bytes of workspace (aligned to 8) to write blocks of up to `block` elements.
 *   model  or NULL
 *   kept   steps whose forward messages are kept at a time: kept = block is
 *          fastest, kept near sqrt(block) smallest
 * 0 if it exceeds SIZE_MAX, or a block BBANS_BLOCK_MAX, or if the model is not
 * built. */
BBANS_API size_t bbans_writer_work_bytes(const bbans_model *model,
        const bbans_content *content, int level, size_t block, size_t kept);

/* Compress an array of n elements to a container of one part, with one axis or
 * with two: n / channels, and the channels if they are more than 1.  A grid has
 * rows, columns, and bands if they are more than 1; and frames before them, if
 * all have as many rows and they are more than 1.
 *   model    what codes the blocks; those that it would make longer than the
 *            elements are left to the byte coder, or stored.  NULL: arrays are
 *            signals, for content->channels > 0, or a grid, for
 *            content->grid.rows > 0, and where that is shorter the byte coder
 *            codes them; bytes and text are coded under mixed contexts, from
 *            BBANS_MIXING_LEVEL_MIN on, else, or where short blocks get
 *            shorter by it, by the byte coder
 *   content  what the elements are; axis 0.  Its line is set if there are more
 *            blocks than one
 *   block    elements in a block, whole steps, or rows of a grid; best whole
 *            frames
 *   level    of the coders, 1 to BBANS_LEVEL_MAX: from fast to small
 *   work     at least bbans_writer_work_bytes(model, content, level, min(n,
 *            block), kept) for some kept; more is used to keep more, and the
 *            result is the same
 *   bytes    [cap] out; bbans_compress_bound(content->element, n, block)
 *            suffice
 *   n_bytes  out: bytes of the container; 0 after an error
 * Returns ERR_{NULL,STATE,SIZE,CAPACITY}, and ERR_SYMBOL for an element that is
 * not in the model's alphabet, or data that it is not for: models of bytes take
 * them and UTF-8, models of text its characters, or UTF-8 if they list none, and
 * bytes and arrays are for all but these; and UTF-8 must be valid. */
BBANS_API bbans_status bbans_compress(const bbans_model *model,
        const bbans_content *content, const void *data, size_t n, size_t block,
        int level, void *work, size_t work_bytes, uint8_t *bytes, size_t cap,
        size_t *n_bytes);

/* The same in pieces, for streams and for arrays of several axes: begin, block
 * by block, end.  Each writes its piece to bytes [cap], *n_bytes of them; after
 * ERR_CAPACITY *n_bytes is what is needed, or 0 if it is the workspace that is
 * too small.  After an error *writer is as it was before the call. */
typedef struct {
    const bbans_model *model;
    int element, level;
    unsigned axis;
    size_t channels;
    int has_line;
    uint64_t line[2];
    bbans_grid grid;
    size_t block;                     /* elements of the first block */
    uint64_t blocks, elements, bytes; /* written so far              */
} bbans_writer;

/* Writes 11 bytes, with a unit 5 more, with a model 8, with a line 16 more.
 * The model must outlive *writer.
 * Returns ERR_{NULL,STATE,SIZE,SYMBOL,CAPACITY}. */
BBANS_API bbans_status bbans_writer_begin(bbans_writer *writer,
        const bbans_model *model, const bbans_content *content, int level,
        uint8_t *bytes, size_t cap, size_t *n_bytes);

/* A block of n elements: at most 13 bytes more than they are.  All blocks have
 * the same length; the last may be shorter.  That text is UTF-8 is for the
 * caller to see to; a BOOL above 1 is an ERR_SYMBOL.
 *   work  at least bbans_writer_work_bytes(model, content, level, n, kept) for
 *         some kept
 * Returns ERR_{NULL,SIZE,SYMBOL,CAPACITY}. */
BBANS_API bbans_status bbans_writer_block(bbans_writer *writer,
        const void *data, size_t n, void *work, size_t work_bytes,
        uint8_t *bytes, size_t cap, size_t *n_bytes);

/* At most 33 bytes, 9 an axis and 4 a block.
 *   shape        [axes] whose product is the number of elements written, in C
 *                order, so that content->axis comes first; up to
 *                BBANS_AXES_MAX, one for text and bytes
 *   block_bytes  [blocks] what each bbans_writer_block wrote, in order
 * Returns ERR_{NULL,SIZE,CAPACITY}. */
BBANS_API bbans_status bbans_writer_end(bbans_writer *writer,
        const uint64_t *shape, size_t axes, const size_t *block_bytes,
        uint8_t *bytes, size_t cap, size_t *n_bytes);
#endif /* BBANS_DECODER_ONLY */

/* What is known of a container that has been read up to some record. */
typedef struct {
    /* Of its last part: */
    int element, big_endian; /* BBANS_ELEMENT_..., and whether the array was */
    int unit;                /* BBANS_UNIT_... of dates and durations, else 0 */
    uint32_t multiplier;     /* how many of it, else 0                       */
    unsigned axis;           /* where the array has the axis of shape[0]: the
                                others, in their order, are around it        */
    int coder;               /* BBANS_CODER_...                              */
    uint8_t fingerprint[8];  /* of the model or codec                        */
    char name[256];          /* of the codec: UTF-8 with a 0 behind          */
    uint64_t line[2];        /* of CODER_LINE                                */
    size_t block;            /* elements of a block                          */
    uint64_t blocks;
    /* Of all that was read: */
    uint64_t elements, parts;
    size_t longest;   /* elements of the longest block                     */
    unsigned methods; /* 1 << BBANS_METHOD_... of those that occurred      */
    int ended;        /* a part has ended: another may follow; only then:  */
    size_t axes;      /* the shape of all parts, joined along axis 0       */
    uint64_t shape[BBANS_AXES_MAX];
    int damaged;      /* some block is: the numbers above are its claims   */
    uint64_t need;    /* workspace of the blocks that say theirs           */
    struct {
        uint64_t before, bytes;
        size_t last_bytes;
        uint32_t index_crc;
        uint64_t debt;
    } own;            /* the reader's                                      */
} bbans_reader;

/* Bytes of workspace (aligned to 8) to decode each of the blocks that *reader
 * has read; 0 if it exceeds SIZE_MAX.
 *   model  or NULL: for blocks that need none */
BBANS_API size_t bbans_reader_work_bytes(const bbans_reader *reader,
        const bbans_model *model);

/* Check a container of n_bytes, whole: every length and checksum, without
 * decoding.  Then reader->elements of type reader->element are in it.  A block
 * of a few bytes can hold BBANS_BLOCK_MAX: look before you allocate.
 * Returns ERR_{NULL,FORMAT,VERSION,TRUNCATED,CORRUPT}. */
BBANS_API bbans_status bbans_container_check(bbans_reader *reader,
        const uint8_t *bytes, size_t n_bytes);

/* Decompress a container of n_bytes, checking all of it.
 *   model  or NULL: if none is named
 *   work   at least bbans_reader_work_bytes(reader, model) after
 *          bbans_container_check
 *   data   [cap] elements out; its contents are undefined after an error
 *   n      out: elements; 0 after an error
 * ERR_WRONG_MODEL: it names another model, or a codec.  ERR_TYPE: some of its
 * parts are code points, and others are not.  What these refuse can be read by
 * blocks.  Bytes and UTF-8 may be parts of one file.
 * Returns ERR_{NULL,STATE,FORMAT,VERSION,WRONG_MODEL,TYPE,TRUNCATED,CAPACITY,
 * CORRUPT}. */
BBANS_API bbans_status bbans_decompress(const bbans_model *model,
        const uint8_t *bytes, size_t n_bytes, void *work, size_t work_bytes,
        void *data, size_t cap, size_t *n);

/* The same in pieces, for streams: begin; then next, and decode each block,
 * until reader->ended and no bytes are left.  `bytes` starts where the record
 * does, and n_bytes of it are at hand.  *n_used is the length of the record.
 * After ERR_TRUNCATED it is instead what must at least be at hand: who has more
 * to come reads up to that and calls again. */

/* The first header.  Returns ERR_{NULL,FORMAT,VERSION,TRUNCATED,CORRUPT}. */
BBANS_API bbans_status bbans_reader_begin(bbans_reader *reader,
        const uint8_t *bytes, size_t n_bytes, size_t *n_used);

typedef struct {
    size_t elements;      /* 0: no block but the end of a part, if
                             reader->ended, or the header of the next */
    int method;           /* BBANS_METHOD_...                         */
    const uint8_t *bytes; /* [n_bytes] in the container               */
    size_t n_bytes;
} bbans_block;

/* The next record.  After ERR_CORRUPT or ERR_VERSION (of tables, say) of a block
 * whose lengths are possible, *n_used is not 0, and *reader is past it: who wants
 * what else can be saved goes on from there.  block->bytes is NULL then if it is
 * the block's checksum that does not match.
 * Returns ERR_{NULL,VERSION,TRUNCATED,CORRUPT}. */
BBANS_API bbans_status bbans_reader_next(bbans_reader *reader,
        const uint8_t *bytes, size_t n_bytes, bbans_block *block,
        size_t *n_used);

/* The same by what blocks say before their data, which need not be at hand: of a
 * block some 10 bytes suffice, *n_used may exceed n_bytes, block->bytes is NULL,
 * and its checksum is not looked at.  For those who list what is in a file, and
 * can seek. */
BBANS_API bbans_status bbans_reader_skip(bbans_reader *reader,
        const uint8_t *bytes, size_t n_bytes, bbans_block *block,
        size_t *n_used);

/* Behind damage: find the next record whose checksum matches, at bytes[0] or
 * later.  *reader is as it was before the record that could not be read, and then
 * as before the one that was found, which bbans_reader_next reads: a block, whose
 * number is reader->blocks, so that those from the number before on are lost; the
 * end of the part; or the header of the next.
 *   is_all     no bytes follow these
 *   n_skipped  out: bytes before the record
 * ERR_TRUNCATED: there is none; or one may begin at bytes[*n_skipped], of which
 * more must be at hand, at most BBANS_BLOCK_MAX and some: who has more to come
 * drops those before, and calls again.  It looks at 2^26 bytes and 64 for each
 * that is skipped, so that time grows with the bytes: where all are made to look
 * like blocks, some that are may be missed.  Returns ERR_{NULL,TRUNCATED}. */
BBANS_API bbans_status bbans_reader_resume(bbans_reader *reader,
        const uint8_t *bytes, size_t n_bytes, int is_all, size_t *n_skipped);

/* Decode a block of bbans_reader_next to data [cap] elements, whose contents
 * are undefined after an error.  Blocks do not depend on each other, and may be
 * decoded by several threads, each with a workspace.  UTF-8 is not checked.
 *   model  the one that the part names; NULL for other methods
 *   work   at least bbans_reader_work_bytes(reader, model)
 * Returns ERR_{NULL,STATE,WRONG_MODEL,CAPACITY,CORRUPT}. */
BBANS_API bbans_status bbans_reader_decode(const bbans_reader *reader,
        const bbans_block *block, const bbans_model *model, void *work,
        size_t work_bytes, void *data, size_t cap);

/* Find the block with a certain element, of a container in memory whose blocks
 * need not all be read: it goes from the end of the file from part to part.
 * Then bbans_reader_next reads the block at bytes[*offset], and from there on;
 * the block's first element is number reader->elements.
 * ERR_SIZE: there are only reader->elements.  A file that ends early is
 * corrupt.  Returns ERR_{NULL,FORMAT,VERSION,TRUNCATED,CORRUPT,SIZE}. */
BBANS_API bbans_status bbans_container_find(bbans_reader *reader,
        const uint8_t *bytes, size_t n_bytes, uint64_t element, size_t *offset);

/* ---- Text ---------------------------------------------------------------- */

/* UTF-8 to code points.  point [cap] is large enough with cap = n_bytes; NULL
 * counts, and so checks, only.  *n is how many were found, all unless there is
 * an error.  Returns ERR_{NULL,CAPACITY}, and ERR_SYMBOL if it is not UTF-8. */
BBANS_API bbans_status bbans_utf8_decode(const uint8_t *bytes, size_t n_bytes,
        uint32_t *point, size_t cap, size_t *n);

/* Code points to UTF-8.  4 n bytes suffice.  Lone surrogates, which text in
 * Python may hold, are written as if they were characters.
 * Returns ERR_{NULL,SYMBOL,CAPACITY}. */
BBANS_API bbans_status bbans_utf8_encode(const uint32_t *point, size_t n,
        uint8_t *bytes, size_t cap, size_t *n_bytes);

/* ---- Records: one by one ------------------------------------------------- */

/* A record is bytes, or text in UTF-8.  Under a model of bytes or text it is
 * coded as a self-contained message: with the model, the message's bytes
 * determine the record and its length (docs/maths.md, "Records").  Any record
 * can be coded: one with bytes or characters that the model does not know, or
 * that would not get shorter, is stored, in one byte more than its length.  The
 * model's mode makes no difference.  Messages have no checksum, and most damage
 * goes unnoticed: where that matters, keep a checksum with them. */
enum {
    BBANS_RECORD_MAX = 2147483646, /* symbols; longer ones are stored */
    BBANS_RECORD_ROOM = 16,        /* bytes beside the record's       */
    BBANS_RECORD_STORED = 255      /* the first byte of a stored one  */
};

/* Bytes of workspace (aligned to 8) for records of any length, either way.  0
 * if the model is not built, or not one of bytes or text with an alphabet. */
BBANS_API size_t bbans_record_work_bytes(const bbans_model *model);

#ifndef BBANS_DECODER_ONLY
/* The room in `bytes` that bbans_record_encode asks for: n + BBANS_RECORD_ROOM,
 * some of it scratch; 0 if it exceeds SIZE_MAX. */
BBANS_API size_t bbans_record_bound(size_t n);

/* Code a record of n bytes.
 *   bytes    [cap] out; cap is bbans_record_bound(n) or more
 *   n_bytes  out: bytes of the message, 0 to n + 1
 * Returns ERR_{NULL,CAPACITY}, and ERR_SYMBOL if the model is not built, or not
 * one of bytes or text. */
BBANS_API bbans_status bbans_record_encode(const bbans_model *model,
        const uint8_t *record, size_t n, uint8_t *bytes, size_t cap,
        size_t *n_bytes, void *work, size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

/* Decode a message.  A few bytes may decode to a very long record: cap is the
 * limit.
 *   record  [cap] out
 *   n       out: bytes of the record.  After ERR_CAPACITY, a lower bound of
 *           them: call again with a cap of at least that.  Damage further on is
 *           not found then
 * Returns ERR_{NULL,CAPACITY,CORRUPT}, and ERR_SYMBOL as encoding does. */
BBANS_API bbans_status bbans_record_decode(const bbans_model *model,
        const uint8_t *bytes, size_t n_bytes, uint8_t *record, size_t cap,
        size_t *n, void *work, size_t work_bytes);

/* ---- Record files -------------------------------------------------------- */

/* Many records in one file, suffix .bbr, each read by its number, from 0.  The
 * model is in the file, or named there by its fingerprint.  Records are in
 * groups, which have an index and a checksum; appending is writing a group
 * after the last.  docs/format.md, "Record file".
 *
 * The caller maps the file, or reads it; nothing here opens files.  First
 * bbans_records_open reads the header; then bbans_records_scan finds the
 * groups, by their headers alone; then bbans_records_get reads any record. */

enum {
    BBANS_RECORDS_GROUP_MAX = 65536,      /* records of a group              */
    BBANS_RECORDS_BYTES_MAX = 2147483647, /* bytes of its messages: 2^31 - 1 */
    BBANS_RECORDS_TERMINATOR_MAX = 16
};

/* A group: the number of its first record, and where it begins. */
typedef struct {
    uint64_t first, at;
} bbans_record_group;

typedef struct {
    int kind;      /* BBANS_KIND_BYTES, or TEXT: then records are UTF-8     */
    int checksums; /* whether each record has a checksum of its own         */
    uint8_t fingerprint[8];    /* of the model                              */
    const uint8_t *model;      /* [model_bytes] its file, or NULL           */
    size_t model_bytes;
    const uint8_t *terminator; /* [terminator_bytes] what follows each record
                                  where all are written as one text         */
    size_t terminator_bytes;
    const uint8_t *bytes;      /* [n_bytes] the file                        */
    size_t n_bytes;
    const bbans_record_group *group; /* [groups] what the scan has found    */
    size_t groups;
    uint64_t records; /* all: the number of the next                        */
    uint64_t lost;    /* of these, those of groups with damaged headers     */
    size_t end;       /* where the last group ends; bytes after it are left
                         from an interrupted append, or damaged             */
    int cut;          /* whether an incomplete group begins there           */
} bbans_records;

/* Read the header of a file; no group is found yet.  `bytes` must outlive
 * *file, or be replaced by bbans_records_scan.
 * Returns ERR_{NULL,FORMAT,VERSION,TRUNCATED,CORRUPT}. */
BBANS_API bbans_status bbans_records_open(bbans_records *file,
        const uint8_t *bytes, size_t n_bytes);

/* Find the groups from file->end on: all of them in a file that was just
 * opened, or those appended since the last scan.  A group whose header is
 * damaged is left out, and so are its records.
 *   bytes  the file, at least as long as before; it may have moved
 *   group  [cap] the groups; it begins with those found before
 * ERR_CAPACITY: there are more than cap groups.  Those found so far are valid;
 * call again with more room for the others.
 * Returns ERR_{NULL,STATE,CAPACITY}. */
BBANS_API bbans_status bbans_records_scan(bbans_records *file,
        const uint8_t *bytes, size_t n_bytes, bbans_record_group *group,
        size_t cap);

/* A group, and where things are in the file. */
typedef struct {
    uint64_t first;     /* number of its first record        */
    size_t records;
    size_t at, n_bytes; /* the group                         */
    size_t index;       /* of the ends of its messages       */
    size_t checksums;   /* of its records, if they have some */
    size_t messages, message_bytes;
    int unterminated;   /* nothing follows the last record   */
} bbans_record_place;

/* Group number g.  Returns ERR_{NULL,SIZE}, and ERR_CORRUPT where the bytes are
 * not those that bbans_records_scan saw. */
BBANS_API bbans_status bbans_records_group(const bbans_records *file, size_t g,
        bbans_record_place *group);

/* Where in the messages of a group each of them ends: end [group->records].
 * Returns ERR_{NULL,CORRUPT}. */
BBANS_API bbans_status bbans_records_ends(const bbans_records *file,
        const bbans_record_place *group, uint32_t *end);

/* Where the message of record k is.  Checksums are not checked.
 *   g  out: its group
 * ERR_SIZE: there is no record k.  ERR_CORRUPT: the header or the index of its
 * group is damaged.  Returns ERR_{NULL,SIZE,CORRUPT}. */
BBANS_API bbans_status bbans_records_find(const bbans_records *file, uint64_t k,
        size_t *g, size_t *at, size_t *n_bytes);

/* Check a group against its checksum.  Returns ERR_{NULL,SIZE,CORRUPT}. */
BBANS_API bbans_status bbans_records_check(const bbans_records *file, size_t g);

/* Check the message of record k against its own checksum, or if records have
 * none, its group against the group's.  Returns ERR_{NULL,SIZE,CORRUPT}. */
BBANS_API bbans_status bbans_records_check_record(const bbans_records *file,
        uint64_t k);

/* Find, check and decode record k; the other arguments are those of
 * bbans_record_decode.
 *   model  the one whose fingerprint is file->fingerprint
 * Returns ERR_{NULL,SIZE,SYMBOL,CORRUPT,CAPACITY}. */
BBANS_API bbans_status bbans_records_get(const bbans_records *file, uint64_t k,
        const bbans_model *model, uint8_t *record, size_t cap, size_t *n,
        void *work, size_t work_bytes);

#ifndef BBANS_DECODER_ONLY
/* Bytes of a file's header, its model included. */
BBANS_API size_t bbans_records_header_bytes(size_t terminator_bytes,
        size_t model_bytes);

/* Write the header of a file, which is a file without records.
 *   kind         BBANS_KIND_BYTES or TEXT
 *   checksums    whether each record has one
 *   fingerprint  [8] of the model
 *   terminator   [terminator_bytes] at most BBANS_RECORDS_TERMINATOR_MAX
 *   model        [model_bytes] the model's file, or NULL: reading then
 *                requires it
 *   bytes        [cap] bbans_records_header_bytes suffice
 *   n_bytes      out: bytes of the header
 * Returns ERR_{NULL,STATE,SIZE,CAPACITY}. */
BBANS_API bbans_status bbans_records_put_header(int kind, int checksums,
        const uint8_t *fingerprint, const uint8_t *terminator,
        size_t terminator_bytes, const uint8_t *model, size_t model_bytes,
        uint8_t *bytes, size_t cap, size_t *n_bytes);

/* Bytes of a group of n records whose messages take message_bytes; 0 if there
 * is no such group, or it exceeds SIZE_MAX. */
BBANS_API size_t bbans_records_group_bytes(size_t n, size_t message_bytes,
        int checksums);

/* Write a group, which the caller puts at the end of the file.  To append, lock
 * the file against other writers and scan it to its end.  If file->cut, first
 * overwrite it from file->end on with zeros, lest the new group be taken for
 * the rest of the incomplete one.
 *   at            its offset: the length of the file
 *   first         number of its first record: file->records
 *   message       [end[n - 1]] the messages, one after the other
 *   end           [n] where each of them ends
 *   checksums     as in the file's header
 *   unterminated  whether nothing follows the last record
 *   bytes         [cap] bbans_records_group_bytes suffice
 *   n_bytes       out: bytes of the group
 * Returns ERR_{NULL,CAPACITY}, ERR_SIZE for too many records or bytes, and
 * ERR_STATE for ends that decrease. */
BBANS_API bbans_status bbans_records_put_group(uint64_t at, uint64_t first,
        const uint8_t *message, const uint32_t *end, size_t n, int checksums,
        int unterminated, uint8_t *bytes, size_t cap, size_t *n_bytes);
#endif /* BBANS_DECODER_ONLY */

/* ---- Bytes: a static coder for blocks ------------------------------------ */

/* A block of bytes under the frequencies of its own bytes, which it carries:
 * fast, for any bytes, with no model to share (docs/format.md, "Bytes").
 * Blocks are independent.  Blocks of few different bytes are packed first. */
enum { BBANS_BYTES_MAX = 16777216 }; /* in a block: 2^24 */

/* Bytes of workspace for blocks of up to n bytes, either way.  It needs no
 * initialisation, and keeps nothing from one call to the next. */
BBANS_API size_t bbans_bytes_work_bytes(size_t n);

#ifndef BBANS_DECODER_ONLY
/* Bytes that a compressed block of n never exceeds; 0 if n is over the limit.
 * Blocks that would grow are stored. */
BBANS_API size_t bbans_bytes_bound(size_t n);

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
#endif /* BBANS_DECODER_ONLY */

/* The bytes that a block decompresses to, by its first 5 bytes.
 * Returns ERR_{NULL,CORRUPT}. */
BBANS_API bbans_status bbans_bytes_size(const uint8_t *block,
        size_t block_size, size_t *n);

/* Decompress a block.  A block has no checksum: of damage that alters a stored
 * block or an alphabet nothing shows; in coded bytes it shows with near
 * certainty.
 *   out   [cap] with cap >= what bbans_bytes_size says.  After an error its
 *         contents are undefined.
 *   n     out: the bytes written
 * Returns ERR_{NULL,CAPACITY,CORRUPT}. */
BBANS_API bbans_status bbans_bytes_decompress(const uint8_t *block,
        size_t block_size, uint8_t *out, size_t cap, size_t *n, void *work,
        size_t work_bytes);

/* ---- Mixing: an adaptive coder for blocks of bytes ----------------------- */

/* A block of bytes, each under what many contexts expect of it, mixed by
 * weights that adapt: small, for text, logs, code and most files, with no model
 * to share, and some 100 times slower than the byte coder, either way
 * (docs/format.md, "Mixing").  Blocks are independent. */
enum {
    BBANS_MIXING_MAX = 16777216,   /* bytes of a block: 2^24                 */
    BBANS_MIXING_LEVEL_MIN = 3,    /* up to BBANS_LEVEL_MAX                  */
    BBANS_MIXING_LINE_MAX = 65535, /* bytes of a line of fixed length        */
    BBANS_MIXING_LINE_FIND = -1    /* look whether lines have such a length  */
};

#ifndef BBANS_DECODER_ONLY
/* Bytes of workspace to compress a block of n bytes; 0 if there is no such
 * level, or n is over the limit.  For long blocks some 3, 9, 33, 65, 40, 72 and
 * 136 MiB at levels 3 to 9, and less for short ones. */
BBANS_API size_t bbans_mixing_encoder_bytes(size_t n, int level);

/* Room in which any block of n bytes can be compressed, some of it scratch; 0
 * if n is over the limit. */
BBANS_API size_t bbans_mixing_bound(size_t n);

/* Compress a block.
 *   data      [n]
 *   level     BBANS_MIXING_LEVEL_MIN, fast, to BBANS_LEVEL_MAX, small
 *   line      the bytes of a line, where all lines have as many, as records or
 *             rows of pixels have; 0: lines end with a line feed, or there are
 *             none; BBANS_MIXING_LINE_FIND: find it, from level 4 on
 *   out       [cap] overlaps neither data nor work.  Its last 8 bytes are
 *             scratch.  bbans_mixing_bound(n) always suffices; n + 8 suffices
 *             for those who store what would not get shorter
 *   out_size  out: the bytes written
 * ERR_CAPACITY: the block does not fit, or the workspace is too small.
 * Returns ERR_{NULL,SIZE,CAPACITY}; then nothing of interest was written. */
BBANS_API bbans_status bbans_mixing_compress(const uint8_t *data, size_t n,
        int level, int line, uint8_t *out, size_t cap, size_t *out_size,
        void *work, size_t work_bytes);

/* What each byte of the block takes that the same arguments compress to;
 * BBANS_COST_BIT is a bit, and the sum is exact to a unit.  The header, of 9
 * bytes at most, comes on top.
 *   cost  [n] out
 *   work  [work_bytes] at least bbans_mixing_encoder_bytes(n, level)
 * Returns ERR_{NULL,SIZE,CAPACITY}. */
BBANS_API bbans_status bbans_mixing_costs(const uint8_t *data, size_t n,
        int level, int line, uint64_t *cost, void *work, size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

/* The bytes that a block decompresses to, by its first 9 bytes.
 * Returns ERR_{NULL,CORRUPT}. */
BBANS_API bbans_status bbans_mixing_size(const uint8_t *block,
        size_t block_size, size_t *n);

/* Bytes of workspace to decompress a block, by its first 9 bytes: as many as its
 * level took; 0 if they are not those of a block. */
BBANS_API size_t bbans_mixing_decoder_bytes(const uint8_t *block,
        size_t block_size);

/* Decompress a block.  A block has no checksum: most damage shows only as bytes
 * that are wrong from some place on.  A few bytes may decompress to
 * BBANS_MIXING_MAX, and take as long: look at bbans_mixing_size first.
 *   out   [cap] with cap >= what bbans_mixing_size says.  After an error its
 *         contents are undefined.
 *   n     out: the bytes written
 *   work  [work_bytes] at least bbans_mixing_decoder_bytes(block, block_size)
 * Returns ERR_{NULL,CAPACITY,CORRUPT}. */
BBANS_API bbans_status bbans_mixing_decompress(const uint8_t *block,
        size_t block_size, uint8_t *out, size_t cap, size_t *n, void *work,
        size_t work_bytes);

/* ========================================================================
 * Networks
 * ===================================================================== */

/* A network in integers: its outputs are the same on every machine, for every
 * instruction set, and for an item alone or in a batch (docs/maths.md,
 * "Networks in integers").
 *
 * A tensor is an array [height][width][channels] of int32_t; a vector has
 * height and width 1.  A network is a list of nodes, each of which makes one
 * tensor out of those of nodes before it, here a and b.  With
 *
 *   R(v, s) = floor((v + 2^(s - 1)) / 2^s), and clip to low .. high,
 *
 * a node's elements are, 1 <= s = shift <= 62 and factors below 2^24 either
 * side of 0:
 *
 *   INPUT    the network's next input, within low .. high
 *   AFFINE   for row c of the weights, at (y, x): clip(R(m v, s)) where m =
 *            multiplier[c] < 2^24, s = row_shift[c], and v is bias[c] and the
 *            sum, over i < kernel[0], j < kernel[1] and the channels k of a, of
 *            weight[c][i][j][k] times element k of a at (y stride[0] - pad[0] +
 *            i, x stride[1] - pad[1] + j), which is 0 beyond the edge; each
 *            window must have a part of a.  Dense layers have one window, all
 *            of a
 *   SUM      clip(R(factor[0] a + factor[1] b, s)), a and b of one shape
 *   SCALE    clip(R(factor[0] a, s)): by itself, or as a clipped ReLU
 *   PRODUCT  clip(R(factor[0] a b, s)), a and b of one shape
 *   CONCAT   the channels of a, then those of b, of one height and width
 *   SLICE    channels first, first + 1, .. of a
 *   SHUFFLE  for r = first, at (r y + i, r x + j) of channel c: a at (y, x) of
 *            channel (c r + i) r + j
 *   RESHAPE  the elements of a, in their order
 *
 * AFFINE and PRODUCT take tensors whose range is within int16_t.  The range of
 * SLICE, SHUFFLE and RESHAPE is that of a, of CONCAT the least that has those
 * of a and b. */
typedef enum {
    BBANS_OP_INPUT = 1,
    BBANS_OP_AFFINE = 2,
    BBANS_OP_SUM = 3,
    BBANS_OP_SCALE = 4,
    BBANS_OP_PRODUCT = 5,
    BBANS_OP_CONCAT = 6,
    BBANS_OP_SLICE = 7,
    BBANS_OP_SHUFFLE = 8,
    BBANS_OP_RESHAPE = 9
} bbans_op;

enum {
    BBANS_NODES_MAX = 1024,
    BBANS_NETWORK_INPUTS_MAX = 16,
    BBANS_NETWORK_OUTPUTS_MAX = 16,
    BBANS_TENSOR_MAX = 16777216,      /* elements: 2^24                   */
    BBANS_AFFINE_LENGTH_MAX = 1048576, /* weights of a row: 2^20          */
    BBANS_TENSORS_BYTES_MAX = 268435456, /* of an item at a time: 2^28    */
    BBANS_PRODUCTS_BITS_MAX = 36      /* multiplications of an item: 2^36 */
};

/* What a node has no use for is 0. */
typedef struct {
    int op;                           /* bbans_op                         */
    uint32_t input[2];                /* the nodes of a and b             */
    uint32_t height, width, channels; /* of what it makes                 */
    int32_t low, high;                /* its range                        */
    uint32_t kernel[2], stride[2], pad[2]; /* vertical, horizontal        */
    int weight_type;                  /* BBANS_I8 or BBANS_I16            */
    int32_t factor[2];
    uint32_t shift, first;
    /* Of AFFINE, a row for each of its channels: */
    const void *weight;               /* [channels][kernel[0]][kernel[1]]
                                         [channels of a]                  */
    const int32_t *bias;              /* [channels]                       */
    const int32_t *multiplier;        /* [channels] 0 to 2^24 - 1         */
    const uint8_t *row_shift;         /* [channels] 1 to 62               */
    struct {                          /* set by bbans_network_init        */
        uint64_t place;
        uint32_t root, last, next;
    } own;
} bbans_node;

/* Filled by bbans_network_init. */
struct bbans_network {
    const bbans_node *node;
    size_t nodes, inputs, outputs;
    uint32_t input[16], output[16]; /* nodes: their shapes and ranges are
                                       those of inputs and outputs          */
    uint64_t products;              /* multiplications of an item's AFFINEs */
    uint64_t tensor_bytes, patch_bytes; /* of workspace                     */
};

/* Check nodes, and make a network of them: *network refers to them and to their
 * arrays.  No sum can overflow, since for each row of weights
 *   |bias| + (|low| or |high|, the larger, of a) times the sum of |weight|
 * must be below 2^31.
 *   node    [nodes]; their members `own` are set
 *   output  [outputs] which nodes are the outputs, in order
 * Returns ERR_{NULL,SIZE}, and ERR_TABLE for a node that is not as said.  SIZE:
 * a limit above, so that a small file cannot ask for all memory, or for days. */
BBANS_API bbans_status bbans_network_init(bbans_network *network,
        bbans_node *node, size_t nodes, const uint32_t *output,
        size_t outputs);

/* Bytes of workspace for this many items at a time, 0 if they exceed SIZE_MAX.
 * For one it is least; some 10 to 100 are fastest. */
BBANS_API size_t bbans_network_work_bytes(const bbans_network *network,
        size_t items);

/* Run a network on this many items.
 *   input   [inputs] arrays of any integer type, input k [items][its height]
 *           [its width][its channels]
 *   work    at least bbans_network_work_bytes(network, 1) bytes, aligned to 8
 *   output  [outputs] arrays likewise
 * ERR_SYMBOL: an element is outside the range of its INPUT.
 * Returns ERR_{NULL,TYPE,SYMBOL,CAPACITY}. */
BBANS_API bbans_status bbans_network_run(const bbans_network *network,
        const bbans_array *input, size_t items, void *work, size_t work_bytes,
        int32_t *const *output);

/* A network file.  Two steps load it, as a model's. */
typedef struct {
    uint8_t fingerprint[8];
    const uint8_t *bytes; /* [n_bytes] the file                              */
    size_t n_bytes;
    const bbans_network *network; /* of bbans_network_build; until then NULL */
} bbans_network_file;

/* Step 1: check a network file (suffix .bbn) of n_bytes at `bytes`, which must
 * outlive *file.  Returns ERR_{NULL,FORMAT,TRUNCATED,VERSION,CORRUPT}. */
BBANS_API bbans_status bbans_network_parse(bbans_network_file *file,
        const uint8_t *bytes, size_t n_bytes);

/* Bytes of memory that the network needs, 0 if they exceed SIZE_MAX.  Weights
 * of 8 bits are used where they lie in the file. */
BBANS_API size_t bbans_network_memory_bytes(const bbans_network_file *file);

/* Step 2: make *file->network.
 *   memory  bbans_network_memory_bytes(file) bytes aligned to 8; must outlive
 *           *file
 * Returns ERR_{NULL,SIZE,CAPACITY}, and ERR_CORRUPT for what
 * bbans_network_init refuses; then `memory` has been written to. */
BBANS_API bbans_status bbans_network_build(bbans_network_file *file,
        void *memory, size_t memory_bytes);

#ifndef BBANS_DECODER_ONLY
/* Write the file of a network.
 *   bytes    [cap] out
 *   n_bytes  out: bytes of the file; after ERR_CAPACITY, what is needed
 * Returns ERR_{NULL,SIZE,CAPACITY}; ERR_SIZE if it takes 2^32 bytes or more. */
BBANS_API bbans_status bbans_network_write(const bbans_network *network,
        uint8_t *bytes, size_t cap, size_t *n_bytes);
#endif /* BBANS_DECODER_ONLY */

/* ========================================================================
 * Sequences
 * ===================================================================== */

/* ---- The message: a stack of rANS words --------------------------------- */

/* `lanes` rANS heads over one shared stack of words.  Heads lie in
 * [2^31, 2^63).  With one lane and an empty tail the head may be smaller. */
struct bbans_message {
    uint64_t *head; /* [lanes]                                       */
    uint32_t *tail; /* [tail_cap], top of stack at tail[tail_len - 1] */
    size_t lanes, tail_len, tail_cap;
};

/* Make *msg the empty message over the caller's arrays: head 1 for one lane,
 * heads 2^31 for more.  Returns ERR_{NULL,STATE}. */
BBANS_API bbans_status bbans_message_init(bbans_message *msg, uint64_t *head,
        size_t lanes, uint32_t *tail, size_t tail_cap);

/* BBANS_OK if *msg is a valid message, else ERR_NULL or ERR_STATE.  The other
 * functions trust a message that they or bbans_message_init made. */
BBANS_API bbans_status bbans_message_check(const bbans_message *msg);

/* ---- Messages as bytes --------------------------------------------------- */

/* One lane: the message as an integer, little-endian, in as few bytes as it
 * needs; its last byte is never 0.  More lanes: the tail's words from the
 * bottom up, 4 bytes each, then the heads, 8 bytes each; little-endian. */

#ifndef BBANS_DECODER_ONLY
/* Bytes that bbans_message_write will write.  Returns ERR_NULL. */
BBANS_API bbans_status bbans_message_size(const bbans_message *msg,
        size_t *n_bytes);

/* *n_bytes is what was written, or after ERR_CAPACITY what is needed.
 * Returns ERR_{NULL,CAPACITY}. */
BBANS_API bbans_status bbans_message_write(const bbans_message *msg,
        uint8_t *bytes, size_t cap, size_t *n_bytes);
#endif /* BBANS_DECODER_ONLY */

/* Fill *msg, whose arrays and lane count the caller has set.  n_bytes / 4 words
 * of tail always suffice.  Returns ERR_{NULL,CAPACITY,CORRUPT}. */
BBANS_API bbans_status bbans_message_read(bbans_message *msg,
        const uint8_t *bytes, size_t n_bytes);

/* ---- Frozen state space models ------------------------------------------- */

/* What every frozen state space model begins with: how wide its states z, its
 * observations x and what is known of them are, and what codes them.  Filled by
 * the model's own init function, and read by bbans_sequence_encode and all that
 * codes sequences. */
struct bbans_state_space {
    const struct bbans_engine *engine; /* the library's own                   */
    size_t observation_bytes; /* of x_t: sequences are arrays of these        */
    size_t state_bytes;       /* of z_t                                       */
    size_t belief_bytes;      /* what is known after x_1 .. x_t               */
    size_t record_bytes;      /* what is kept of a step for bits back         */
    size_t scratch_bytes;
    size_t start_length;      /* c of docs/maths.md, "A sequence as one
                                 message"                                     */
    size_t start_bits;        /* bits back starts from 2^start_bits or more   */
    size_t push_words;        /* of tail that an observation may take         */
    size_t pop_words;         /* that popping one from damaged data may take  */
    int predictive;           /* the mode of messages of their own, the caller's
                                 to change: 0, as init functions leave it,
                                 IconoCLaSM; else the range coder alone       */
};

/* ---- Frozen hidden Markov models ----------------------------------------- */

/* The contexts of an autoregressive model, a tree of suffixes of what was
 * coded: docs/maths.md, "Emissions that depend on earlier symbols".  Context 0
 * is the empty one; others are their parent with one symbol more, further back.
 * They lie level by level, children of one parent in a row, those of earlier
 * parents first.  Numbers are bytes in little-endian order, of any alignment:
 * contexts are used where they lie in a file. */
typedef struct {
    size_t contexts, entries;
    const uint8_t *children; /* [contexts + 1] 32 bits: first child of each    */
    const uint8_t *first;    /* [contexts + 1] 32 bits: first entry of each    */
    const uint8_t *label;    /* [contexts] 16 bits: the symbol further back,
                                rising in the children of a context; `symbols`:
                                the beginning.  Of context 0 it is 0           */
    const uint8_t *symbol;   /* [entries] 16 bits: rising in a context         */
    const uint8_t *sum;      /* [entries] 16 bits: the running sums of weights
                                in a context, each weight at least 1           */
    const uint8_t *back_off; /* [contexts] 8 bits: 1 less than the weight of
                                the parent in 2^-8, 1 to 256; 256 without
                                entries, as context 0 is, and only then        */
} bbans_contexts;

/* Transitions of which most are 0 at 15 bits, by their blocks that are not: two
 * states by eight columns j.  Those of columns 8 b .. 8 b + 7 are blocks
 * first[b] .. first[b + 1] - 1. */
typedef struct {
    const uint32_t *first; /* [stride / 8 + 1]; NULL: most are not 0     */
    const uint16_t *pair;  /* [blocks]: of states 2 pair and 2 pair + 1  */
    const int16_t *mass;   /* [blocks][j][2]: A_ij at 15 bits            */
} bbans_sparse;

/* Filled by bbans_hmm_init.  Arrays over states have `stride` elements; in the
 * model's own those from `states` on are 0. */
typedef struct {
    bbans_state_space space; /* observations: uint32_t, symbol numbers */
    size_t states, symbols, stride;
    unsigned prec;
    uint32_t floor;                 /* least predicted weight           */
    const uint32_t *initial_cdf;    /* [states + 1]                     */
    const uint32_t *transition_cdf; /* [states][states + 1]             */
    const uint32_t *emission_cdf;   /* [states][symbols + 1]            */
    const uint32_t *initial;        /* [stride] masses                  */
    const uint32_t *into;           /* [states j][stride i] masses A_ij */
    const uint32_t *emitting;       /* [symbols x][stride i] B_ix       */
    const uint32_t *emission_sums;  /* [symbols + 1][stride] C_i,x      */
    const int16_t *short_pairs;     /* A_ij at 15 bits, in tiles of up to 64
                                       columns j: [tile][stride / 2][j][2],
                                       i in pairs                       */
    const int16_t *short_columns;   /* [stride j][stride i] the same    */
    const int16_t *short_sums;      /* [symbols + 8][stride i] C_i,x at 15
                                       bits, the last ones all alike    */
    bbans_sparse sparse;            /* instead of both, where it is
                                       less work                        */
    const bbans_contexts *contexts; /* NULL but for autoregressive ones */
} bbans_hmm;

/* Bytes of memory that a model needs, 0 if a count is outside the limits. */
BBANS_API size_t bbans_hmm_bytes(size_t states, size_t symbols);

/* Build a model's tables from its masses.
 *   prec         precision r: each row of masses sums to 2^prec
 *   start_length  c of docs/maths.md, "A sequence as one message", 1 to
 *                 BBANS_START_MAX
 *   initial      [states], transition [states][states] (row i, next state j),
 *   emission     [states][symbols]; every mass at least 1
 *   memory       bbans_hmm_bytes(states, symbols) bytes aligned to 8; must
 *                outlive *hmm.  The masses are copied.
 * Returns ERR_{NULL,PRECISION,SIZE,TABLE,CAPACITY}. */
BBANS_API bbans_status bbans_hmm_init(bbans_hmm *hmm, size_t states,
        size_t symbols, unsigned prec, size_t start_length,
        const uint32_t *initial, const uint32_t *transition,
        const uint32_t *emission, void *memory, size_t memory_bytes);

/* Make a model autoregressive: emissions depend on the symbols before.  What
 * codes sequences then does so; the four functions after the next know no
 * contexts.  The contexts are checked; they and their arrays must outlive *hmm,
 * of a precision up to BBANS_CONTEXT_BITS.
 * Returns ERR_{NULL,PRECISION,SIZE,TABLE}. */
BBANS_API bbans_status bbans_hmm_set_contexts(bbans_hmm *hmm,
        const bbans_contexts *contexts);

/* One filter step by the masses [stride] with which the states emit the symbol,
 * at most 2^28, 0 from `states` on, of which one at least is not 0.  Else as
 * bbans_hmm_filter.  Returns ERR_NULL. */
BBANS_API bbans_status bbans_hmm_filter_masses(const bbans_hmm *hmm,
        const uint32_t *emitting, uint32_t *predicted, uint32_t *filtered);

/* The next four functions trust weights, which come from each other: their sum
 * is 1 to 2^31 - 1 (predicted) or 2^32 - 1 (filtered), and filtered weights
 * from `states` on are 0.  Other weights give useless numbers, or ERR_TOTAL, but
 * no more. */

/* Forward messages, exact: n filter steps (docs/maths.md, "The frozen HMM").
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
 * (docs/maths.md, "The predictive distribution").  ERR_TOTAL if all weights are
 * 0.  Returns ERR_{NULL,SYMBOL,TOTAL}. */
BBANS_API bbans_status bbans_hmm_predict(const bbans_hmm *hmm,
        const uint32_t *predicted, size_t symbol, uint32_t *start,
        uint32_t *freq);

/* The symbol whose predictive interval holds `slot`, and the interval.
 * ERR_TOTAL for other weights.  Returns ERR_{NULL,INTERVAL,TOTAL}. */
BBANS_API bbans_status bbans_hmm_predict_find(const bbans_hmm *hmm,
        const uint32_t *predicted, uint32_t slot, uint32_t *symbol,
        uint32_t *start, uint32_t *freq);

/* ---- Hierarchical hidden Markov models ----------------------------------- */

/* Chains of states one above the other, level 0 next to the data: the next
 * state of a level depends on its own last one and on the next one of the level
 * above.  docs/maths.md, "Hierarchical hidden Markov models". */
enum { BBANS_LEVELS_MAX = 8 };

/* Filled by bbans_hierarchy_init.  Weights are those of all states together,
 * z[0] + stride (z[1] + states[1] (z[2] + ..)). */
typedef struct {
    bbans_state_space space; /* observations: uint32_t, symbol numbers */
    size_t levels, symbols;
    size_t states[BBANS_LEVELS_MAX];
    size_t place[BBANS_LEVELS_MAX + 1]; /* of weights: what a state of a level
                                           counts, and at the end how many
                                           there are                       */
    size_t stride;                      /* place[1]: states[0], up to 8s   */
    unsigned prec;
    const uint32_t *initial_cdf[BBANS_LEVELS_MAX];    /* [above][states + 1] */
    const uint32_t *transition_cdf[BBANS_LEVELS_MAX]; /* [above][before]
                                                         [states + 1]        */
    const uint32_t *emission_cdf; /* [states[0]][symbols + 1]                */
    const uint32_t *into[BBANS_LEVELS_MAX]; /* [above][next][before] masses  */
    const uint32_t *lowest;   /* of level 0: [above][before][stride next]    */
    const uint32_t *initial;  /* [weights] before the first observation      */
    const uint32_t *emitting; /* [symbols][stride]                           */
    const uint32_t *ones;     /* [most states of a level]                    */
} bbans_hierarchy;

/* Bytes of memory that a model of this many levels, states of each level and
 * symbols needs, 0 if a number is outside the limits: levels 1 to
 * BBANS_LEVELS_MAX, the product of their states up to BBANS_STATES_MAX, symbols
 * up to BBANS_SYMBOLS_MAX. */
BBANS_API size_t bbans_hierarchy_bytes(size_t levels, const size_t *states,
        size_t symbols);

/* Build a model's tables from its masses, each at least 1.
 *   states       [levels] how many each has
 *   prec         precision r: each row of masses sums to 2^prec
 *   start_length  c of docs/maths.md, "A sequence as one message", 1 to
 *                 BBANS_START_MAX
 *   mass         of each level the initial ones [above][states] and those of
 *                transitions [above][before][states], `above` the state of the
 *                level above (of the last level there is one row, or matrix);
 *                then of emissions [states[0]][symbols]
 *   memory       bbans_hierarchy_bytes(levels, states, symbols) bytes aligned to
 *                8; must outlive *model.  The masses are copied.
 * Returns ERR_{NULL,PRECISION,SIZE,TABLE,CAPACITY}. */
BBANS_API bbans_status bbans_hierarchy_init(bbans_hierarchy *model,
        size_t levels, const size_t *states, size_t symbols, unsigned prec,
        size_t start_length, const uint32_t *mass, void *memory,
        size_t memory_bytes);

/* ---- Factorial hidden Markov models -------------------------------------- */

/* Chains of states side by side, each of which takes its steps by itself; all of
 * them together emit the symbol.  Chain 0 runs fastest: the state of all is
 * z[0] + states[0] (z[1] + states[1] (z[2] + ..)).  docs/maths.md, "Factorial
 * hidden Markov models".
 *
 * Filled by bbans_factorial_init.  Weights are those of all states together;
 * filters step by groups of neighbouring chains, of which the first's is
 * padded. */
typedef struct {
    bbans_state_space space; /* observations: uint32_t, symbol numbers */
    size_t levels, symbols;  /* levels: how many chains                */
    size_t states[BBANS_LEVELS_MAX];
    size_t place[BBANS_LEVELS_MAX + 1]; /* of weights: what a state of a chain
                                           counts, and at the end how many
                                           there are                       */
    size_t stride;                      /* the same, up to 16s             */
    size_t groups;
    size_t first[BBANS_LEVELS_MAX + 1]; /* of each group, and at the end
                                           `levels`                        */
    unsigned prec;
    const uint32_t *initial_cdf[BBANS_LEVELS_MAX];    /* [states + 1]     */
    const uint32_t *transition_cdf[BBANS_LEVELS_MAX]; /* [before][states + 1] */
    const uint32_t *emission_cdf;      /* [all states][symbols + 1]       */
    const uint32_t *into[BBANS_LEVELS_MAX]; /* [next][before] masses      */
    const uint32_t *pairs[BBANS_LEVELS_MAX]; /* of groups, at 15 bits, two
                                          states before in a number: [pair]
                                          [place[first[1]] next] of group 0,
                                          of others [next][pair]          */
    const uint32_t *initial;       /* [stride] before the first observation */
    const uint32_t *emitting;      /* [symbols][stride]                   */
    const uint32_t *emission_sums; /* [symbols + 1][stride]               */
    const uint32_t *ones;          /* [most states of a chain]            */
} bbans_factorial;

/* Bytes of memory that a model of this many chains, states of each chain and
 * symbols needs, 0 if a number is outside the limits: chains 1 to
 * BBANS_LEVELS_MAX, the product of their states up to BBANS_STATES_MAX, symbols
 * up to BBANS_SYMBOLS_MAX. */
BBANS_API size_t bbans_factorial_bytes(size_t chains, const size_t *states,
        size_t symbols);

/* Build a model's tables from its masses, each at least 1.
 *   states       [chains] how many each has
 *   prec         precision r: each row of masses sums to 2^prec
 *   start_length  c of docs/maths.md, "A sequence as one message", 1 to
 *                 BBANS_START_MAX
 *   mass         of each chain the initial ones [states] and those of transitions
 *                [before][states]; then of emissions [all states][symbols]
 *   memory       bbans_factorial_bytes(chains, states, symbols) bytes aligned to
 *                8; must outlive *model.  The masses are copied.
 * Returns ERR_{NULL,PRECISION,SIZE,TABLE,CAPACITY}. */
BBANS_API bbans_status bbans_factorial_init(bbans_factorial *model,
        size_t chains, const size_t *states, size_t symbols, unsigned prec,
        size_t start_length, const uint32_t *mass, void *memory,
        size_t memory_bytes);

/* ---- Linear Gaussian state space models ---------------------------------- */

/* A frozen model of n latent and p observed dimensions: what one step needs is
 * a row of fixed-point matrices, `steps` of them, of which the last serves all
 * steps after it.  Covariances do not occur: gains do not depend on the data.
 * docs/maths.md, "Linear Gaussian state space models". */
enum { BBANS_LATENTS_MAX = 64, BBANS_STEPS_MAX = 1048576 };

typedef struct {
    bbans_state_space space; /* observations: int64_t [observed] */
    size_t latents, observed, steps, step_words;
    int noise_family;        /* BBANS_GAUSSIAN, ... */
    const bbans_family *gaussian, *noise;
    const int64_t *offset;   /* of bbans_lgssm_init */
    const int32_t *word;
    size_t part[12];         /* where a step's arrays begin in its words */
} bbans_lgssm;

/* Words of 32 bits of a step, 0 if a dimension is not 1 to
 * BBANS_LATENTS_MAX. */
BBANS_API size_t bbans_lgssm_step_words(size_t latents, size_t observed);

/* Fill *model, which refers to the arrays.
 *   noise        family of the observation noise: BBANS_GAUSSIAN, ...
 *   start_length  c of docs/maths.md, "A sequence as one message", in
 *                 observations
 *   start_bits   the schedule starts from at least 2^start_bits
 *   offset       [steps][n + p] of latents and observations, in 2^-16
 *   word         [steps][bbans_lgssm_step_words(n, p)] in the order of
 *                docs/format.md, "Model file"
 * Every int64_t can be coded.  Returns ERR_{NULL,SIZE,TABLE}. */
BBANS_API bbans_status bbans_lgssm_init(bbans_lgssm *model, size_t latents,
        size_t observed, size_t steps, int noise, size_t start_length,
        unsigned start_bits, const int64_t *offset, const int32_t *word);

/* ---- Hidden Markov models of vectors ------------------------------------- */

/* K states, each of which emits D integers of 64 bits, under Gaussians of full
 * or diagonal covariance: docs/maths.md, "Hidden Markov models of vectors". */
typedef struct {
    bbans_state_space space; /* observations: int64_t [channels] */
    bbans_hmm chain;         /* of the states, with one symbol   */
    size_t channels;
    const bbans_family *family;
    const int64_t *location; /* of bbans_gaussian_hmm_init */
    const int32_t *scale, *lower;
} bbans_gaussian_hmm;

/* Bytes of memory that a model needs, 0 if a count is outside the limits:
 * states 1 to BBANS_COMPONENTS_MAX, channels 1 to BBANS_LATENTS_MAX. */
BBANS_API size_t bbans_gaussian_hmm_bytes(size_t states, size_t channels);

/* Fill *model, which refers to location, scale and lower.
 *   prec         precision r: each row of masses sums to 2^prec
 *   start_length  c of docs/maths.md, "A sequence as one message", in vectors, 1
 *                 to BBANS_START_MAX
 *   initial      [states], transition [states][states] (row i, next state j);
 *                every mass at least 1.  They are copied.
 *   location     [states][channels] means in 2^-16, below 2^46 either side of 0
 *   scale        [states][channels] of each element given those before it, 256
 *                log2 of its standard deviation, BBANS_SCALE_MIN to
 *                BBANS_SCALE_MAX
 *   lower        [states][channels][1 + channels] how each depends on those
 *                before it: a shift, -40 to 60, and by how much its location
 *                moves for each unit that an element is off its own, in
 *                2^-(24 + shift); 0 from the element itself on.  NULL: they are
 *                independent
 *   memory       bbans_gaussian_hmm_bytes(states, channels) bytes aligned to 8;
 *                must outlive *model
 * Every int64_t can be coded.  Returns ERR_{NULL,PRECISION,SIZE,TABLE,CAPACITY}.
 */
BBANS_API bbans_status bbans_gaussian_hmm_init(bbans_gaussian_hmm *model,
        size_t states, size_t channels, unsigned prec, size_t start_length,
        const uint32_t *initial, const uint32_t *transition,
        const int64_t *location, const int32_t *scale, const int32_t *lower,
        void *memory, size_t memory_bytes);

/* As bbans_hmm_filter, of vectors x [n][channels]: arrays over states have
 * model->chain.stride elements.  bbans_hmm_posterior takes the weights, and
 * &model->chain.  Returns ERR_NULL. */
BBANS_API bbans_status bbans_gaussian_hmm_filter(
        const bbans_gaussian_hmm *model, uint32_t *predicted, const int64_t *x,
        size_t n, uint32_t *filtered);

/* ---- Models made of networks --------------------------------------------- */

/* VAEs and deep state space models: docs/maths.md, "VAEs and deep state space
 * models".  What networks give are the parameters of distributions: of p values
 * of an observation, by a *head*, and of latents, which are integers in steps
 * of 2^-grid.  Networks take an observation, or the latents of a level, as one
 * tensor of any shape.
 *
 * What a network takes is clipped to the range of its INPUT.  What it gives,
 * all outputs one after the other, is
 *
 *   of priors and posteriors  the locations of n latents in 2^-16 of a step,
 *                             then their scales, 256 log2(sigma in steps)
 *   of a likelihood           what its head takes, below
 *
 * Logits are in units of 2^-7 of log2, as of bbans_logits_to_probabilities. */
typedef enum {
    BBANS_HEAD_BERNOULLI = 0,    /* takes [p] logits of 1                     */
    BBANS_HEAD_CATEGORICAL = 1,  /* [p][high + 1] logits                      */
    BBANS_HEAD_MIXTURE = 2,      /* [p][3][components]: logits of the weights,
                                    then locations, then scales               */
    BBANS_HEAD_BETA_BINOMIAL = 3 /* [p][2] log2(alpha), log2(beta), in 2^-7   */
} bbans_head_law;

typedef struct {
    int law;           /* bbans_head_law                                      */
    size_t width;      /* p, values of an observation                         */
    int32_t low, high; /* of a value: 0 and 1 of bits, the last category, the
                          trials; of mixtures any                             */
    size_t components; /* of mixtures, else 0                                 */
    int family;        /* of mixtures: BBANS_GAUSSIAN, ..; else 0             */
} bbans_head;

enum {
    BBANS_GRID_MAX = 15,        /* of a start_shift too     */
    BBANS_VALUES_MAX = 16777216 /* of an observation: 2^24 */
};

/* What VAEs and deep state space models begin with. */
typedef struct {
    bbans_state_space space; /* observations: int32_t [head.width] */
    bbans_head head;
    unsigned grid, start_shift;
    const bbans_network *network; /* [networks] */
    size_t networks;
    size_t output_at, states_at; /* bytes into the scratch */
} bbans_latent_model;

/* A VAE: each step has latents of its own, on levels of which the first is at
 * the data: z_1 .. z_L. */
enum {
    BBANS_ORDER_MARKOV = 0,  /* level l depends on level l + 1 alone, and is
                                inferred from level l - 1 alone         */
    BBANS_ORDER_TOP_DOWN = 1 /* on all above, and from them and the data */
};

typedef struct {
    bbans_latent_model base;
    size_t levels;
    int order;
    size_t first[BBANS_LEVELS_MAX + 1]; /* where in a state a level begins */
} bbans_vae;

/* Fill *model, which refers to the networks.
 *   grid          latents are in steps of 2^-grid, and P of the highest level
 *                 is a standard Gaussian
 *   start_length  c of docs/maths.md, "A sequence as one message", in
 *                 observations
 *   start_bits    the schedule starts from at least 2^start_bits
 *   start_shift   the latents of a start are multiples of 2^start_shift
 *   network       [2 levels] which take, and give laws as said above:
 *                 BBANS_ORDER_MARKOV: posteriors (x), (z_1), .. (z_L-1); priors
 *                 (z_2), .. (z_L) of the levels below; the likelihood (z_1)
 *                 BBANS_ORDER_TOP_DOWN: posteriors of levels l = 1 .. L (x,
 *                 z_L, .. z_l+1); priors of levels 1 .. L - 1 (z_L, .. z_l+1);
 *                 the likelihood (z_L, .. z_1)
 * Returns ERR_{NULL,SIZE}, and ERR_TABLE for what does not fit together. */
BBANS_API bbans_status bbans_vae_init(bbans_vae *model, const bbans_head *head,
        size_t levels, int order, unsigned grid, size_t start_length,
        unsigned start_bits, unsigned start_shift,
        const bbans_network *network);

/* A deep state space model: latents z_t, and a recurrent state h_t, which is
 * made of x_t and h_t-1, from h_0 = 0 on. */
typedef struct {
    bbans_latent_model base;
    size_t hidden; /* elements of h */
} bbans_deep_ssm;

/* Fill *model, as bbans_vae_init.
 *   network  [4] the update (x_t, h_t-1), which gives h_t; the prior (z_t-1);
 *            the likelihood (z_t, h_t-1); the posterior (h_t, z_t+1, or zeros
 *            behind the last step)
 * Returns ERR_{NULL,SIZE,TABLE}. */
BBANS_API bbans_status bbans_deep_ssm_init(bbans_deep_ssm *model,
        const bbans_head *head, unsigned grid, size_t start_length,
        unsigned start_bits, unsigned start_shift,
        const bbans_network *network);

/* ---- Latent trees -------------------------------------------------------- */

/* A tree of latents of K states each, which explain the columns of rows: a
 * column is the observation of one node; a node has one or none.  Rows are
 * independent of each other.  docs/maths.md, "Latent trees". */
enum { BBANS_TREE_NODES_MAX = 1048576 };

/* Filled by bbans_tree_init.  Nodes are in preorder: parent[i] is i - 1 or a
 * node above that.  Arrays over states have `stride` elements, 0 from `states`
 * on. */
typedef struct {
    bbans_state_space space; /* observations: int32_t [columns], of column k
                                0 .. symbols[k] - 1                         */
    size_t nodes, states, columns, stride;
    unsigned prec;
    uint32_t floor;            /* least weight of a state given the others    */
    const uint16_t *transition; /* [stride] of the root, then [nodes - 1][state
                                   of the parent][stride]; sums of 2^15       */
    const uint32_t *edge;       /* [rows][stride] C of the maths; column k has
                                   symbols[k] + 1 rows from first[k] on       */
    const uint32_t *parent;     /* [nodes] UINT32_MAX: the root               */
    const uint32_t *column;     /* [nodes] UINT32_MAX: none                   */
    const uint32_t *symbols, *first; /* [columns] */
    const uint32_t *told;       /* [rows][stride] what nodes without children
                                   say of their parent's states, by symbol    */
    const uint32_t *told_from;  /* [nodes] first row; UINT32_MAX: not tabled  */
} bbans_tree;

/* Tables are as in a model file, docs/format.md: little-endian, at any address.
 * Bytes of memory that the model needs; 0 if a count is outside the limits, or
 * n_bytes is not what the tables take. */
BBANS_API size_t bbans_tree_bytes(size_t nodes, size_t states, size_t columns,
        const uint8_t *tables, size_t n_bytes);

/* Fill *tree.
 *   prec          precision r of the emissions, whose rows sum to 2^prec
 *   start_length  c of docs/maths.md, "A sequence as one message", in rows
 *   start_bits    the schedule starts from at least 2^start_bits
 *   tables        [n_bytes] are copied
 *   memory        bbans_tree_bytes(..) bytes aligned to 8; must outlive *tree
 * Returns ERR_{NULL,PRECISION,SIZE,CAPACITY}, and ERR_TABLE for what is no tree
 * or no distribution; then `memory` has been written to. */
BBANS_API bbans_status bbans_tree_init(bbans_tree *tree, size_t nodes,
        size_t states, size_t columns, unsigned prec, size_t start_length,
        unsigned start_bits, const uint8_t *tables, size_t n_bytes,
        void *memory, size_t memory_bytes);

/* ---- Context mixers ------------------------------------------------------ */

/* A model of bytes that mixes what many contexts expect, and learns as it goes:
 * docs/maths.md, "Mixing".  What it knows before the first byte is its prior:
 * a table of contexts, weights of the mixture, and how far matches with earlier
 * bytes are to be trusted.  There are no latents: its mode is predictive, and
 * bbans_sequence_push and _pop refuse it. */
enum {
    BBANS_MIXER_INPUTS = 16,
    BBANS_MIXER_SETS = 688,   /* of weights                                  */
    BBANS_MIXER_SLOTS = 16,   /* of a row: a check, and 15 nodes             */
    BBANS_MIXER_MATCHES = 2,
    BBANS_MIXER_LENGTHS = 40, /* classes of a match's length                 */
    BBANS_MIXER_RATE_MAX = 127,
    BBANS_MIXER_BITS_MIN = 6,
    BBANS_MIXER_PRIOR_BITS_MAX = 22,
    BBANS_MIXER_MEMORY_BITS_MAX = 18,
    BBANS_MIXER_HISTORY_BITS_MAX = 22
};

/* Filled by bbans_context_mixer_init. */
typedef struct {
    bbans_state_space space; /* observations: uint32_t, symbol numbers        */
    size_t symbols;          /* 256 bytes; and the end of a record, number 256 */
    int end;                 /* the byte behind which a record may end; -1:
                                there is no end                               */
    unsigned rate;           /* at which the weights learn                    */
    unsigned row_bits, match_bits, history_bits; /* what coding remembers:
                                2^row_bits contexts, 2^match_bits places for
                                matches, the last 2^history_bits bytes        */
    unsigned prior_bits;
    const uint16_t *row;     /* [2^prior_bits][SLOTS] the prior               */
    const int16_t *weight;   /* [SETS][INPUTS] in 2^-16                       */
    const uint16_t *match;   /* [MATCHES][LENGTHS]                            */
} bbans_context_mixer;

/* Fill *model.  The arrays are referred to, and must outlive it.
 *   prior_bits    BBANS_MIXER_BITS_MIN to _PRIOR_BITS_MAX
 *   row           a row whose first slot is 0 is free
 *   row_bits, match_bits      BBANS_MIXER_BITS_MIN to _MEMORY_BITS_MAX
 *   history_bits  BBANS_MIXER_BITS_MIN to _HISTORY_BITS_MAX
 *   rate          1 to BBANS_MIXER_RATE_MAX
 *   end           0 to 255, or -1.  A byte that data seldom have costs least
 * Returns ERR_{NULL,SIZE}. */
BBANS_API bbans_status bbans_context_mixer_init(bbans_context_mixer *model,
        unsigned prior_bits, const uint16_t *row, const int16_t *weight,
        const uint16_t *match, unsigned row_bits, unsigned match_bits,
        unsigned history_bits, unsigned rate, int end);

/* ---- Training context mixers --------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
/* A prior from samples, which are learned from in parts of neighbours, each as
 * if the other parts were all that is known: docs/maths.md, "Mixing: training".
 * In order: start, learn some times all parts; if rows are too many, weigh all
 * parts, keep, and learn again; finish.  Not in builds of the decoder alone. */
enum {
    BBANS_MIXER_TRAINING_BUCKETS = 12, /* of counts                          */
    BBANS_MIXER_TRAINING_PARTS = 10,   /* of the samples                     */
    BBANS_MIXER_TRAINING_BITS_MAX = 24,
    BBANS_MIXER_TRAINING_LONGEST = 8192, /* bytes of a sample                */
    BBANS_MIXER_TRAINING_RATE_MAX = 255
};

/* Filled by bbans_mixer_training_start. */
typedef struct {
    const uint8_t *bytes;
    const size_t *ends;
    size_t samples;
    unsigned table_bits;
    size_t rows;    /* that were counted */
    void *workshop; /* in the caller's memory */
} bbans_mixer_training;

/* In 2^-10: how far weights go, and the factors by which counts count. */
typedef struct {
    unsigned weights, factors;
} bbans_mixer_rates;

/* Memory for training, or 0 if a number is out of range.
 *   longest     bytes of the longest sample, up to _LONGEST
 *   table_bits  rows are counted in a table of 2^table_bits, from
 *               BBANS_MIXER_BITS_MIN to _BITS_MAX; when it is full, no more
 *               of them.  A byte has 28 rows, one in eight or so its own */
BBANS_API size_t bbans_mixer_training_bytes(size_t longest,
        unsigned table_bits);

/* Count the contexts of samples.
 *   bytes   all samples, one after the other; they and `ends` must outlive *t
 *   ends    [samples] where each ends in `bytes`
 *   memory  bbans_mixer_training_bytes(..) bytes; must outlive *t
 * Returns ERR_{NULL,SIZE,CAPACITY}. */
BBANS_API bbans_status bbans_mixer_training_start(bbans_mixer_training *t,
        const uint8_t *bytes, const size_t *ends, size_t samples,
        unsigned table_bits, void *memory, size_t memory_bytes);

/* Learn from one part of the samples.
 *   part   below BBANS_MIXER_TRAINING_PARTS
 *   rates  NULL: nothing is learned
 *   bits   what these samples take under all other parts, in 2^-7 bits, about
 * Returns ERR_{NULL,SIZE}. */
BBANS_API bbans_status bbans_mixer_training_learn(bbans_mixer_training *t,
        unsigned part, const bbans_mixer_rates *rates, uint64_t *bits);

/* Find what each row saves in one part: all parts, the first at first.
 * Returns ERR_{NULL,SIZE}. */
BBANS_API bbans_status bbans_mixer_training_weigh(bbans_mixer_training *t,
        unsigned part);

/* Keep the rows that save most per byte that they take in a packed file, as far
 * as `bytes` go, by a rough estimate; of all that were counted.
 * Returns ERR_NULL. */
BBANS_API bbans_status bbans_mixer_training_keep(bbans_mixer_training *t,
        size_t bytes, size_t *kept);

/* Write what bbans_context_mixer_init takes.
 *   rows  how many found a place: among twice as many places nearly all
 * Returns ERR_{NULL,SIZE}. */
BBANS_API bbans_status bbans_mixer_training_finish(bbans_mixer_training *t,
        unsigned prior_bits, uint16_t *row, int16_t *weight, uint16_t *match,
        size_t *rows);
#endif /* BBANS_DECODER_ONLY */

/* Any frozen model. */
union bbans_frozen {
    bbans_state_space space;
    bbans_hmm hmm;
    bbans_hierarchy hierarchy;
    bbans_factorial factorial;
    bbans_lgssm lgssm;
    bbans_vae vae;
    bbans_deep_ssm deep_ssm;
    bbans_tree tree;
    bbans_context_mixer context_mixer;
    bbans_gaussian_hmm gaussian_hmm;
};

/* ---- Sequences under a state space model: IconoCLaSM --------------------- */

/* x_1 .. x_n are an array of n observations of the model's kind.  `model` is
 * the member `space` of any model of bbans_frozen. */

/* Words of tail that hold any sequence of n observations, and serve as scratch;
 * 0 if they exceed SIZE_MAX. */
BBANS_API size_t bbans_sequence_tail_words(const bbans_state_space *model,
        size_t n);

/* Bytes of workspace (aligned to 8) for n observations when the records of
 * `block` steps at a time are kept: block = n is fastest, block near sqrt(n)
 * smallest (each record is then computed twice).  0 if it exceeds SIZE_MAX. */
BBANS_API size_t bbans_sequence_work_bytes(const bbans_state_space *model,
        size_t n, size_t block);

#ifndef BBANS_DECODER_ONLY
/* Code x_1 .. x_n as a message of its own; docs/maths.md, "A sequence as one
 * message".
 *   msg   of one lane; its former content is lost.  Its tail needs
 *         bbans_sequence_tail_words(model, n) words.
 *   work  at least bbans_sequence_work_bytes(model, n, some block); more is
 *         used for larger blocks, and the result is the same
 * Returns ERR_{NULL,STATE,SYMBOL,CAPACITY}. */
BBANS_API bbans_status bbans_sequence_encode(const bbans_state_space *model,
        const void *x, size_t n, void *work, size_t work_bytes,
        bbans_message *msg);

/* What each observation takes, given those before it; BBANS_COST_BIT is a bit:
 * -log2 P(x_t | x_1 .. x_t-1), as the range coder codes it in the predictive
 * mode (docs/maths.md, "What an observation takes").  IconoCLaSM takes as much
 * altogether, and a few bits more, where that P is exact.  Models made of
 * networks have no exact one: theirs is P(x_t, z_t) at the mode z_t, which is
 * what the start of a message takes, and more than the schedule does.
 *   cost  [n] out; their sum is exact to a unit
 *   work  (aligned to 8) at least bbans_sequence_costs_bytes(model), which is 0
 *         if it exceeds SIZE_MAX
 * Returns ERR_{NULL,SYMBOL,CAPACITY}. */
BBANS_API size_t bbans_sequence_costs_bytes(const bbans_state_space *model);
BBANS_API bbans_status bbans_sequence_costs(const bbans_state_space *model,
        const void *x, size_t n, uint64_t *cost, void *work, size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

/* Decode n observations.  The message is spent, whatever the outcome.
 * Workspace as for one observation; the tail needs room for n model->pop_words
 * more words.  Returns ERR_{NULL,STATE,CAPACITY,CORRUPT}. */
BBANS_API bbans_status bbans_sequence_decode(const bbans_state_space *model,
        bbans_message *msg, void *x, size_t n, void *work, size_t work_bytes);

/* Under a model of the predictive mode (else ERR_STATE), decode up to and with
 * the observation *last, at most `cap`: what ends with an observation that does
 * not occur before needs no length.  *n is how many; after ERR_CAPACITY, there
 * was no *last.
 * Returns ERR_{NULL,STATE,CAPACITY,CORRUPT}. */
BBANS_API bbans_status bbans_sequence_decode_until(
        const bbans_state_space *model, bbans_message *msg, void *x, size_t cap,
        const void *last, size_t *n, void *work, size_t work_bytes);

/* The bare schedule of docs/maths.md, "What is coded" over what the message of
 * one lane already holds, for those who compose codecs; whatever the mode.
 * Push needs room for bbans_sequence_tail_words(model, n) more words and a
 * workspace as for encode; pop both as for decode.  Pop's message is spent if
 * it fails.  Returns ERR_{NULL,STATE,SYMBOL,CAPACITY}; pop ERR_CORRUPT too.
 * STATE: a message of several lanes, or a model without latents. */
#ifndef BBANS_DECODER_ONLY
BBANS_API bbans_status bbans_sequence_push(const bbans_state_space *model,
        bbans_message *msg, const void *x, size_t n, void *work,
        size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */
BBANS_API bbans_status bbans_sequence_pop(const bbans_state_space *model,
        bbans_message *msg, void *x, size_t n, void *work, size_t work_bytes);

/* ---- Many sequences ------------------------------------------------------ */

/* Sequence k of a batch is x[offset[k]] .. x[offset[k + 1] - 1], its message
 * bytes[byte_offset[k] .. byte_offset[k + 1] - 1], as of bbans_message_write:
 * each can be decoded by itself.  Offsets start at 0 and do not fall (else
 * ERR_SIZE).  Split a batch to use threads: no message depends on another.
 * With BBANS_BATCH times the workspace and the tail that one sequence needs,
 * that many are coded in turns, which is faster; the result is the same.  After
 * an error *failed is the sequence, 0 before the first. */

#ifndef BBANS_DECODER_ONLY
/* Encode n sequences, each as bbans_sequence_encode does.
 *   work         for the longest sequence, as for bbans_sequence_encode;
 *                sequences take turns if it has room for all records of each
 *   msg          of one lane: scratch, with the tail of the longest sequence
 *   bytes        [cap] out; 4 bytes for each of the words of tail that each
 *                sequence needs always suffice
 *   byte_offset  [n + 1] out
 * Returns ERR_{NULL,STATE,SYMBOL,CAPACITY,SIZE}. */
BBANS_API bbans_status bbans_batch_encode(const bbans_state_space *model,
        const void *x, const uint64_t *offset, size_t n, void *work,
        size_t work_bytes, bbans_message *msg, uint8_t *bytes, size_t cap,
        uint64_t *byte_offset, size_t *failed);
#endif /* BBANS_DECODER_ONLY */

/* Decode n sequences, whose offsets the caller knows.
 *   work  as for one observation
 *   msg   of one lane: scratch; its tail needs a word for every 4 bytes of the
 *         longest message, model->pop_words for every observation of the
 *         longest sequence, and one
 * Returns ERR_{NULL,STATE,CAPACITY,CORRUPT,SIZE}. */
BBANS_API bbans_status bbans_batch_decode(const bbans_state_space *model,
        const uint8_t *bytes, const uint64_t *byte_offset, void *x,
        const uint64_t *offset, size_t n, void *work, size_t work_bytes,
        bbans_message *msg, size_t *failed);

#ifndef BBANS_DECODER_ONLY
/* Encode n sequences as one message: less than a bit for each after the first
 * few, but none decodes alone.  docs/maths.md, "Many sequences as one message".
 *   msg  of one lane; its tail needs bbans_sequence_tail_words(model,
 *        offset[n]) words
 * Returns ERR_{NULL,STATE,SYMBOL,CAPACITY,SIZE}. */
BBANS_API bbans_status bbans_packed_encode(const bbans_state_space *model,
        const void *x, const uint64_t *offset, size_t n, void *work,
        size_t work_bytes, bbans_message *msg);
#endif /* BBANS_DECODER_ONLY */

/* The message is spent; its tail needs room for offset[n] model->pop_words more
 * words.  Returns ERR_{NULL,STATE,CAPACITY,CORRUPT,SIZE}. */
BBANS_API bbans_status bbans_packed_decode(const bbans_state_space *model,
        bbans_message *msg, void *x, const uint64_t *offset, size_t n,
        void *work, size_t work_bytes);

/* ========================================================================
 * Codecs
 * ===================================================================== */

/* ---- Intervals ---------------------------------------------------------- */

/* Push one interval per lane.
 *   start, freq  [lanes] intervals [start, start + freq) in slots
 *   total        slots in all, 1 to BBANS_TOTAL_MAX; 2^r for an r-bit table
 * A lane moves at most one word to the tail.  Needs room for `lanes` words.
 * Returns ERR_{NULL,TOTAL,INTERVAL,CAPACITY}. */
BBANS_API bbans_status bbans_message_push_intervals(bbans_message *msg,
        const uint32_t *start, const uint32_t *freq, uint32_t total);

/* The slot that each lane would pop; the message is not changed.
 * Returns ERR_{NULL,TOTAL}. */
BBANS_API bbans_status bbans_message_peek(const bbans_message *msg,
        uint32_t *slot, uint32_t total);

/* Pop: remove from each lane the interval that holds its slot.  Exact inverse
 * of bbans_message_push_intervals.  Needs room for `lanes` words.
 * Returns ERR_{NULL,TOTAL,INTERVAL,CAPACITY,UNDERFLOW}. */
BBANS_API bbans_status bbans_message_advance(bbans_message *msg,
        const uint32_t *start, const uint32_t *freq, uint32_t total);

/* ---- Arrays -------------------------------------------------------------- */

/* Types of elements: for integers the size in bytes, negative if signed. */
typedef enum {
    BBANS_U8 = 1, BBANS_U16 = 2, BBANS_U32 = 4, BBANS_U64 = 8,
    BBANS_I8 = -1, BBANS_I16 = -2, BBANS_I32 = -4, BBANS_I64 = -8,
    BBANS_F32 = 104, BBANS_F64 = 108 /* IEEE 754; parameters alone */
} bbans_type;

/* An array that is only read, and the bbans_type of its elements. */
struct bbans_array {
    const void *data;
    int type;
};

/* A distribution of integers, one for each value of an array: made by a
 * function bbans_distribution_init_<law>, then read only.  It points to the
 * arrays of its parameters, element i of which (or row i) is that of value i,
 * and to its table or family. */
struct bbans_call;
struct bbans_distribution {
    bbans_status (*code)(const bbans_distribution *distribution,
                         const struct bbans_call *call);
    const void *form;     /* a bbans_table, bbans_ragged or bbans_family     */
    bbans_array array[3]; /* data NULL: none                                 */
    size_t width;         /* elements of a row                               */
    size_t words;         /* that a value may need room for                  */
    int64_t low, high;
    uint32_t total, limit; /* symbols are below the limit; 0 for other values */
};

/* Push and pop n values, value i on lane i mod lanes, whatever the law.
 * Several lanes are fast: 64 are a good number.
 *
 * Push goes from last to first, and needs room for n distribution->words words.
 * ERR_SYMBOL: a value is outside the support, or a parameter out of range.
 *
 * Pop goes from first to last, and needs room for a word.  After an error the
 * contents of value[] are undefined.  ERR_TYPE: the type does not hold all
 * symbols.  ERR_SYMBOL: a parameter is out of range; or, of no valid message,
 * the type does not hold a value.
 *
 * Types are those of integers, but U64 for symbols below a limit alone.
 * Returns ERR_{NULL,TYPE,SYMBOL,CAPACITY}, pop ERR_UNDERFLOW too, and what the
 * law adds.
 */
BBANS_API bbans_status bbans_message_push(bbans_message *msg,
        const bbans_distribution *distribution, const void *value, int type,
        size_t n);
BBANS_API bbans_status bbans_message_pop(bbans_message *msg,
        const bbans_distribution *distribution, void *value, int type,
        size_t n);

/* [start, start + freq) of `total` slots. */
typedef struct {
    uint32_t start, freq, total;
} bbans_interval;

/* List the intervals of n values, those of the first first, as they would be
 * popped: for coders of the caller's own, and to find a value at fault.
 *   interval     [cap], room for n distribution->words; or NULL: only count
 *   n_intervals  how many there are
 *   at           after an error, the first value that has none
 * Returns as bbans_message_push. */
BBANS_API bbans_status bbans_distribution_list(
        const bbans_distribution *distribution, const void *value, int type,
        size_t n, bbans_interval *interval, size_t cap, size_t *n_intervals,
        size_t *at);

/* The masses of n values, each under its own law, as mantissa 2^exponent with a
 * mantissa of 32 bits, rounded down (docs/maths.md, "Masses"): the same on every
 * machine, to compare and to weigh by.  A value without a mass, or one whose
 * parameters are out of range, has mantissa and exponent 0.
 *   mantissa, exponent  [n] out
 * Returns ERR_{NULL,TYPE}, and what the law adds but ERR_INTERVAL. */
BBANS_API bbans_status bbans_distribution_masses(
        const bbans_distribution *distribution, const void *value, int type,
        size_t n, uint32_t *mantissa, int32_t *exponent);

/* ---- Tables -------------------------------------------------------------- */

/* `rows` distributions over `symbols` symbols: the edges of row i are
 * cdf[i * (symbols + 1)] = 0 < ... < cdf[i * (symbols + 1) + symbols] = 2^prec.
 * No interval is empty. */
typedef struct {
    const uint32_t *cdf; /* [rows][symbols + 1], in slots of width 2^-prec */
    size_t rows, symbols;
    unsigned prec;
    unsigned index_bits;   /* set by bbans_table_index                     */
    const uint16_t *index; /* NULL, or [rows][2^index_bits]: the symbol of the
                              first slot of each of as many equal parts    */
} bbans_table;

/* Check a table once, before its use; the other functions trust it.
 * Returns ERR_{NULL,PRECISION,SIZE,TABLE}. */
BBANS_API bbans_status bbans_table_check(const bbans_table *table);

/* The symbol whose interval in `row` holds `slot`.  Trusts its arguments. */
BBANS_API size_t bbans_table_find(const bbans_table *table, size_t row,
        uint32_t slot);

/* Words of 16 bits that an index of 2^bits parts a row needs; 0 if none can be
 * made.  bits = 0 chooses, so that few searches go beyond one step, whatever
 * the table, and that the index of many rows stays small. */
BBANS_API size_t bbans_table_index_words(const bbans_table *table,
        unsigned bits);

/* Give a checked table an index, which makes its pops fast.  `index` must
 * outlive the table.  Returns ERR_{NULL,SIZE,CAPACITY}. */
BBANS_API bbans_status bbans_table_index(bbans_table *table, unsigned bits,
        uint16_t *index, size_t words);

/* Symbols of a table.
 *   row  [n] the row for each symbol, or NULL: row 0 for all
 * Returns ERR_{NULL,TYPE}. */
BBANS_API bbans_status bbans_distribution_init_symbols(
        bbans_distribution *distribution, const bbans_table *table,
        bbans_array row);

/* `rows` distributions of integers, each over symbols of its own number: row i
 * has the edges 0 < ... < 2^prec of symbols[i] symbols, and its symbol k is the
 * value offset[i] + k.  With escapes the last symbol of each row says that the
 * value is none of those of the others: 4 to 71 bits follow, which say which one
 * of 64 bits it is (docs/maths.md, "Ragged tables"). */
typedef struct {
    int64_t offset;
    uint32_t edges, index; /* where they begin                 */
    uint32_t symbols;
    uint32_t last;         /* the first slot of the last one   */
    uint32_t shift;        /* from slots to parts of the index */
} bbans_ragged_row;

typedef struct {
    const uint32_t *cdf;         /* the edges of all rows, end to end        */
    const bbans_ragged_row *row; /* [rows]                                   */
    const uint16_t *index;       /* as that of a bbans_table, for each row   */
    size_t rows;
    unsigned prec;
    int escape;                  /* whether the last symbols are escapes     */
} bbans_ragged;

/* Memory that a ragged table needs beside its edges; 0 if it cannot be made. */
BBANS_API size_t bbans_ragged_bytes(const uint32_t *symbols, size_t rows,
        unsigned prec);

/* Check the rows and make the table, which is only read from then on.
 *   escape   0, or 1: with escapes
 *   cdf      the edges of all rows, end to end: symbols[i] + 1 of row i; they
 *            must outlive the table
 *   symbols  [rows] 1 to 2^prec, escapes included
 *   offset   [rows] up to INT64_MAX - symbols[i], or NULL: 0 for all; not
 *            INT64_MIN where a row is an escape alone
 *   memory   aligned to 8 bytes; must outlive the table
 * Returns ERR_{NULL,PRECISION,SIZE,CAPACITY,TABLE}. */
BBANS_API bbans_status bbans_ragged_init(bbans_ragged *ragged, unsigned prec,
        int escape, const uint32_t *cdf, const uint32_t *symbols,
        const int64_t *offset, size_t rows, void *memory, size_t memory_bytes);

/* Values of a ragged table.  Without escapes ERR_SYMBOL says that a value is
 * outside its row.
 *   row  [n] the row for each value, or NULL: row 0 for all
 * A word a value, 5 with escapes.  Returns ERR_{NULL,TYPE}. */
BBANS_API bbans_status bbans_distribution_init_ragged(
        bbans_distribution *distribution, const bbans_ragged *ragged,
        bbans_array row);

/* Values below total, all equally likely: log2(total) bits each.  Fast for
 * powers of two.  Returns ERR_{NULL,TOTAL}. */
BBANS_API bbans_status bbans_distribution_init_uniform(
        bbans_distribution *distribution, uint32_t total);

/* Bits, each with a probability of its own.
 *   one  [n] mass of bit 1 in slots of width 2^-prec, 1 to 2^prec - 1; bit 0
 *        has the slots below
 * Returns ERR_{NULL,PRECISION}. */
BBANS_API bbans_status bbans_distribution_init_bernoulli(
        bbans_distribution *distribution, unsigned prec, const uint32_t *one);

/* Symbols, each under a row of weights of its own, which need no normalisation.
 *   weight  [n][symbols], aligned to its type
 *           U32: any integers; each row sums to 1 .. BBANS_TOTAL_MAX.  A weight
 *           may be 0: such a symbol is never popped, and cannot be pushed
 *           F32, F64: probabilities p > -2^-27 as weights 1 + floor(p 2^27),
 *           p < 0 as 0; each row of those sums to 2^26 .. BBANS_TOTAL_MAX, so
 *           the p to about 1.  Only as portable as the numbers are
 * Returns ERR_{NULL,TYPE}.  Coding may return ERR_TOTAL, and push ERR_INTERVAL
 * for a weight of 0. */
BBANS_API bbans_status bbans_distribution_init_weighted(
        bbans_distribution *distribution, bbans_array weight, size_t symbols);

/* ---- Values under a family, a location and a scale ----------------------- */

/* A distribution of integers: value v has the mass that a continuous one,
 * symmetric about its location mu and stretched by its scale sigma, has between
 * v - 1/2 and v + 1/2.  The mass is exact in integers (docs/maths.md, section
 * 9), at 28 bits.
 *
 * Every int64_t can be coded, however far away: some 1e-5 of the mass leaks to
 * values far out.  That is right for priors and likelihoods.  A posterior, from
 * which bits back pops, would now and then draw such a value, which costs
 * much under any prior: set `leakless` in its family. */

/* A standardised distribution as a table of its survival function S(t) = P(T >
 * t), t >= 0, in units of 2^-32: 256 cells for each 1 up to 8, and 256 for each
 * octave from there to 8 2^octaves, where it ends with 0, twice. */
struct bbans_family {
    const uint32_t *survival; /* [2050 + 256 octaves], from 2^31 to 0        */
    const uint32_t *quantile; /* [1025]: t with S(t) = i / 2048, in units of
                                 2^-16; for speed alone                      */
    unsigned octaves;         /* 0 to BBANS_OCTAVES_MAX                      */
    unsigned leakless;        /* 0: every int64_t can be coded; else a value
                                 whose mass rounds to 0 cannot              */
};

enum {
    BBANS_OCTAVES_MAX = 13,
    BBANS_QUANTILES = 1025,
    BBANS_SCALE_MIN = -3072, /* sigma = 2^-12             */
    BBANS_SCALE_MAX = 12031, /* sigma = just below 2^47   */
    BBANS_FAMILY_GROUP = 256
};

enum { /* the library's families */
    BBANS_GAUSSIAN = 0, /* sigma is the standard deviation             */
    BBANS_LOGISTIC = 1, /* S(t) = 1 / (1 + e^t)                        */
    BBANS_LAPLACE = 2   /* S(t) = e^-t / 2                             */
};

/* A family of the library, with a leak.  Returns ERR_{NULL,TABLE}; ERR_TABLE
 * for no family. */
BBANS_API bbans_status bbans_family_init(bbans_family *family, int which);

/* Check a family of the caller's own once, before its use.
 * Returns ERR_{NULL,SIZE,TABLE}. */
BBANS_API bbans_status bbans_family_check(const bbans_family *family);

/* Make the quantiles [BBANS_QUANTILES] of a survival table, which sets
 * family->quantile.  Returns ERR_{NULL,SIZE,TABLE}. */
BBANS_API bbans_status bbans_family_quantiles(bbans_family *family,
        uint32_t *quantile);

/* Round real numbers, F32 or F64, to locations and scales, exactly alike on
 * every machine: x 2^16, halves away from 0, |x| < 2^46; and 256 log2(x), from
 * 2^-12 to below 2^47.  Returns ERR_{NULL,TYPE}, and ERR_SYMBOL for numbers out
 * of range. */
BBANS_API bbans_status bbans_locations_fix(const void *real, int type,
        size_t n, int64_t *location);
BBANS_API bbans_status bbans_scales_fix(const void *real, int type, size_t n,
        int32_t *scale);

/* Values, each with a location and a scale of its own.
 *   location  [n] of I64: in units of 2^-16, less than 2^46 either side of 0;
 *             or F32, F64: rounded as by bbans_locations_fix
 *   scale     [n] of I32: 256 log2(sigma), BBANS_SCALE_MIN to BBANS_SCALE_MAX;
 *             or F32, F64: rounded as by bbans_scales_fix
 * A value takes one interval of 2^28 slots, and where sigma >= 2^10, or it is
 * far out, low bits of their own: 4 words.  Under a leakless family values far
 * out have no mass: they are refused, and never popped.  Returns
 * ERR_{NULL,TYPE}. */
BBANS_API bbans_status bbans_distribution_init_location_scale(
        bbans_distribution *distribution, const bbans_family *family,
        bbans_array location, bbans_array scale);

/* One value under a location and a scale as LGSSMs code it, for coders of the
 * caller's own: an interval of 2^prec slots, prec 24 to 28, and *low_bits raw
 * bits, *low, pushed before it, 28 at a time from the lowest on.
 * ERR_SYMBOL: a number is out of range, or the value has no mass.  Found from a
 * slot, the value is *first + *sign * low.
 * Returns ERR_{NULL,PRECISION,SYMBOL}, find ERR_INTERVAL too. */
BBANS_API bbans_status bbans_family_span(const bbans_family *family,
        int64_t location, int32_t scale, unsigned prec, int64_t value,
        uint32_t *start, uint32_t *freq, uint64_t *low, unsigned *low_bits);
BBANS_API bbans_status bbans_family_find(const bbans_family *family,
        int64_t location, int32_t scale, unsigned prec, uint32_t slot,
        uint32_t *start, uint32_t *freq, int64_t *first, int64_t *sign,
        unsigned *low_bits);

/* ---- Mixtures, counts and ranges ----------------------------------------- */

/* More distributions of integers, exact likewise (docs/maths.md, "Mixtures,
 * counts and ranges").  A value takes a few intervals, of up to 2^28 slots.
 *
 * Parameters are arrays, one for each value, of integers in the units stated,
 * or of F32 or F64, which are rounded as by the function that is named. */

/* x 2^16, halves up, 0 <= x <= 2^16; and x 2^32, 0 <= x <= 1.  What becomes 0
 * is raised to 1, and 2^32 lowered to 2^32 - 1.  Returns as
 * bbans_scales_fix. */
BBANS_API bbans_status bbans_rates_fix(const void *real, int type, size_t n,
        uint32_t *rate);
BBANS_API bbans_status bbans_probabilities_fix(const void *real, int type,
        size_t n, uint32_t *probability);

/* Logits and logarithms, in units of 2^-7 of log2, as such parameters, exactly
 * alike on every machine (docs/maths.md, "Heads").
 *   logit        [n] of 1; clipped to 3071 either side of 0
 *   probability  [n] out: in units of 2^-32, of which the last 4 bits are 0
 *   logit        [rows][n], n up to BBANS_CATEGORIES_MAX
 *   weight       [rows][n] out, of bbans_distribution_init_weighted: 2^20 for
 *                the greatest logit, 1 at least
 *   log          [n] of a rate; clipped to 1792 either side of 0
 *   rate         [n] out: in units of 2^-16
 * Returns ERR_NULL, of rows ERR_SIZE too. */
BBANS_API bbans_status bbans_logits_to_probabilities(const int32_t *logit,
        size_t n, uint32_t *probability);
BBANS_API bbans_status bbans_logits_to_weights(const int32_t *logit,
        size_t rows, size_t n, uint32_t *weight);
BBANS_API bbans_status bbans_logs_to_rates(const int32_t *log, size_t n,
        uint32_t *rate);

enum {
    BBANS_CATEGORIES_MAX = 256,
    BBANS_COMPONENTS_MAX = 64,
    BBANS_TRIALS_MAX = 262143,    /* 2^18 - 1 */
    BBANS_BETA_TRIALS_MAX = 4095
};

/* Values low .. high, all equally likely: a word for each 28 bits of high -
 * low.  Returns ERR_{NULL,SIZE}; ERR_SIZE for low > high. */
BBANS_API bbans_status bbans_distribution_init_range(
        bbans_distribution *distribution, int64_t low, int64_t high);

/* The same, each with a range of its own: 3 words a value.
 *   low, high  [n] of I64, low <= high
 * Returns ERR_{NULL,TYPE}. */
BBANS_API bbans_status bbans_distribution_init_ranges(
        bbans_distribution *distribution, bbans_array low, bbans_array high);

/* Mixtures of one family, 1 to BBANS_COMPONENTS_MAX components a value.
 *   weight           [n][components], as of bbans_distribution_init_weighted;
 *                    or NULL: all alike
 *   location, scale  [n][components], as of
 *                    bbans_distribution_init_location_scale; a leakless family
 *                    leaves values without mass here too
 *   low, high        the support; its ends take what lies beyond.  INT64_MIN
 *                    and INT64_MAX: all
 * 8 words a value; 1 if high - low < 4096.
 * Returns ERR_{NULL,TYPE,SIZE}.  Coding may return ERR_TOTAL. */
BBANS_API bbans_status bbans_distribution_init_mixture(
        bbans_distribution *distribution, const bbans_family *family,
        size_t components, bbans_array weight, bbans_array location,
        bbans_array scale, int64_t low, int64_t high);

/* Geometric values v >= 0: P(V >= v) = e^(-v / scale).
 *   scale  [n] as of bbans_distribution_init_location_scale
 * 8 words a value.  Returns ERR_{NULL,TYPE}. */
BBANS_API bbans_status bbans_distribution_init_geometric(
        bbans_distribution *distribution, bbans_array scale);

/* Successes of this many trials.
 *   trials       [n] up to BBANS_TRIALS_MAX; values are 0 .. trials
 *   probability  [n] of success: U32 in units of 2^-32, not 0; or F32, F64:
 *                bbans_probabilities_fix
 * Near normal ones, with 4 successes and 4 failures in the mean or more, take
 * constant time.  Of others, weights are made for each value whose parameters
 * differ from those of the one beside it, some 10 ns for each value within 8
 * standard deviations or more; they take 33 KB of stack, as those of the other
 * counts.
 * 5 words a value.  Returns ERR_{NULL,TYPE}. */
BBANS_API bbans_status bbans_distribution_init_binomial(
        bbans_distribution *distribution, const uint32_t *trials,
        bbans_array probability);

/* The same of a probability that is Beta(alpha, beta).
 *   trials       [n] up to BBANS_BETA_TRIALS_MAX
 *   alpha, beta  [n] U32 in units of 2^-16, not 0; or F32, F64: bbans_rates_fix
 * All trials + 1 weights are made.  A word a value.  Returns
 * ERR_{NULL,TYPE}. */
BBANS_API bbans_status bbans_distribution_init_beta_binomial(
        bbans_distribution *distribution, const uint32_t *trials,
        bbans_array alpha, bbans_array beta);

/* Poisson values v >= 0, in constant time from a mean of 4 on.
 *   mean  [n] U32 in units of 2^-16, not 0; or F32, F64: bbans_rates_fix
 * 5 words a value.  Returns ERR_{NULL,TYPE}. */
BBANS_API bbans_status bbans_distribution_init_poisson(
        bbans_distribution *distribution, bbans_array mean);

/* Failures v >= 0 before the r-th success, for real r > 0.
 *   successes    [n] r: U32 in units of 2^-16, not 0; or F32, F64:
 *                bbans_rates_fix
 *   probability  [n] of success: U32 in units of 2^-32, not 0; or F32, F64:
 *                bbans_probabilities_fix
 * Constant time if r >= 4 and the mean is 8 or more.  ERR_SYMBOL if the
 * variance is 2^16 or more, or 6 standard deviations on each side of the mean,
 * or 8 with the weights of others, and 12 / p are more than 4121 values.  5
 * words a value.  Returns ERR_{NULL,TYPE}. */
BBANS_API bbans_status bbans_distribution_init_negative_binomial(
        bbans_distribution *distribution, bbans_array successes,
        bbans_array probability);

/* ---- Sets and permutations ----------------------------------------------- */

/* Values whose order is free take log2(n! / (m_1! m_2! ..)) bits less than in
 * an order, m_i the multiplicities of the distinct ones: exactly what their
 * order would take (docs/maths.md, "Sets").  Which value comes next is popped
 * from the message, so that one that starts empty loses about log2(n) bits.
 *
 * All of it is on lane 0.  n is at most BBANS_TOTAL_MAX, else ERR_SIZE. */

/* Bytes of workspace, 33 or fewer for each value of many; 0: n is too large. */
BBANS_API size_t bbans_multiset_work_bytes(size_t n);

#ifndef BBANS_DECODER_ONLY
/* Push n values in any order, each under the distribution of an array's first.
 * Whatever the values, it takes O(n log n).
 *   msg   needs room for n (distribution->words + 1) words.  After
 *         ERR_UNDERFLOW, of several lanes, it is spent
 *   type  as of bbans_message_push
 *   work  (aligned to 8) bbans_multiset_work_bytes(n)
 * Returns ERR_{SIZE,UNDERFLOW} and as bbans_message_push. */
BBANS_API bbans_status bbans_multiset_push(bbans_message *msg,
        const bbans_distribution *distribution, const void *value, int type,
        size_t n, void *work, size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

/* Pop them, rising.  The message needs room for n + 2 words, and is spent after
 * ERR_{UNDERFLOW,SYMBOL}.  Returns ERR_SIZE and as bbans_message_pop. */
BBANS_API bbans_status bbans_multiset_pop(bbans_message *msg,
        const bbans_distribution *distribution, void *value, int type,
        size_t n, void *work, size_t work_bytes);

#ifndef BBANS_DECODER_ONLY
/* Push an order of n things, log2(n!) bits.
 *   msg          needs room for n words
 *   permutation  [n] of 0 .. n - 1, each once, else ERR_SYMBOL
 *   work         (aligned to 4) bbans_permutation_work_bytes(n): 8 n, 0 if n is
 *                too large
 * Returns ERR_{NULL,SIZE,CAPACITY,SYMBOL}. */
BBANS_API size_t bbans_permutation_work_bytes(size_t n);
BBANS_API bbans_status bbans_permutation_push(bbans_message *msg,
        const uint32_t *permutation, size_t n, void *work, size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

/* Pop it: of random bits all orders are equally likely.  Needs room for a word;
 * after ERR_UNDERFLOW the message is spent.
 * Returns ERR_{NULL,SIZE,CAPACITY,UNDERFLOW}. */
BBANS_API bbans_status bbans_permutation_pop(bbans_message *msg,
        uint32_t *permutation, size_t n);

/* ---- Messages that start from data --------------------------------------- */

/* Bits back pops first, and a new message has no random bits to pop: each lane
 * would give the symbol of slot 0.  So it starts from other data, which should
 * look random (compressed, or encrypted): they fill 62 bits of each head, first
 * lane first, and then words from the top of the stack down, so that they are
 * popped about in their order.  Below them a bit 1 tells where they end.  What
 * was pushed is popped again, and then the data come back: 2 bits a lane and up
 * to 4 bytes are all that this costs (docs/format.md, "Message"). */

#ifndef BBANS_DECODER_ONLY
/* Fill *msg, whose arrays and lane count the caller has set.  n_bytes / 4 + 1
 * words of tail always suffice.  ERR_UNDERFLOW: fewer than 31 bytes for each 4
 * lanes.  Returns ERR_{NULL,STATE,CAPACITY,UNDERFLOW}. */
BBANS_API bbans_status bbans_message_seed(bbans_message *msg,
        const uint8_t *bytes, size_t n_bytes);
#endif /* BBANS_DECODER_ONLY */

/* The bytes from which bbans_message_seed makes this message, which is not
 * changed.  *n_bytes is their number, or after ERR_CAPACITY what is needed.
 * Returns ERR_{NULL,CAPACITY}; ERR_CORRUPT if no bytes give this message. */
BBANS_API bbans_status bbans_message_unseed(const bbans_message *msg,
        uint8_t *bytes, size_t cap, size_t *n_bytes);

/* ---- Range coder: first in, first out, into a message of one lane ------- */

/* Codes intervals in their natural order into the shortest integer that
 * decodes; bits back can then run over it (docs/maths.md, "The range coder" and
 * "A sequence as one message"). */
/* A place between two intervals, to go on decoding from: where an encoder or a
 * decoder stands.  Any decoder of the same message may go there, in any order. */
typedef struct {
    size_t bytes;        /* that are behind it                         */
    uint64_t low, range; /* its interval, in units of 2^-(63 + 8 bytes) */
} bbans_range_position;

#ifndef BBANS_DECODER_ONLY
typedef struct {
    uint8_t *bytes; /* [cap] scratch */
    size_t len, cap;
    uint64_t low, range;
} bbans_range_encoder;

/* Start with nothing coded.  bytes [cap] is scratch until bbans_range_finish.
 * Returns ERR_NULL. */
BBANS_API bbans_status bbans_range_encoder_init(bbans_range_encoder *enc,
        uint8_t *bytes, size_t cap);

/* Code the interval [start, start + freq) of `total` slots, after those before.
 * Writes up to 4 bytes, and needs room for them: to grow, copy `bytes` to a
 * larger array, and set it and `cap`.
 * Returns ERR_{NULL,STATE,TOTAL,INTERVAL,CAPACITY}; ERR_STATE after
 * bbans_range_finish. */
BBANS_API bbans_status bbans_range_encode_interval(bbans_range_encoder *enc,
        uint32_t start, uint32_t freq, uint32_t total);

/* Code n values, the first first, each as the intervals that a message of one
 * lane would pop.  Writes up to 4 bytes for each word that bbans_message_push
 * needs, and needs room for these.  After an error *enc is as it was before.
 * Returns as that function, and ERR_STATE after bbans_range_finish. */
BBANS_API bbans_status bbans_range_encode(bbans_range_encoder *enc,
        const bbans_distribution *distribution, const void *value, int type,
        size_t n);

/* Where the encoder stands.  Returns ERR_{NULL,STATE}; ERR_STATE after
 * bbans_range_finish. */
BBANS_API bbans_status bbans_range_tell(const bbans_range_encoder *enc,
        bbans_range_position *position);

/* Make *msg, of one lane, the integer of what was encoded.  Its former content
 * is lost.  Needs tail_cap >= (len + 11) / 4 words.  The encoder is spent.
 * Returns ERR_{NULL,STATE,CAPACITY}. */
BBANS_API bbans_status bbans_range_finish(bbans_range_encoder *enc,
        bbans_message *msg);
#endif /* BBANS_DECODER_ONLY */

typedef struct {
    const uint32_t *tail;
    const uint8_t *bytes; /* of a record: the fraction, in place of the tail */
    uint64_t head, code, range;
    size_t n_bits; /* bits of the fraction                      */
    size_t n_read; /* bits taken so far, zeros past the end too */
    uint64_t own, own_range; /* of what came since a mark, by itself */
    int own_bits, own_state;
} bbans_range_decoder;

/* Read the integer in *msg, of one lane, which must outlive the decoder.
 * Returns ERR_{NULL,STATE,CORRUPT}. */
BBANS_API bbans_status bbans_range_decoder_init(bbans_range_decoder *dec,
        const bbans_message *msg);

/* The slot of the next interval, of `total`; the decoder is not changed.
 * Returns ERR_{NULL,TOTAL,CORRUPT}. */
BBANS_API bbans_status bbans_range_slot(const bbans_range_decoder *dec,
        uint32_t total, uint32_t *slot);

/* Move on past the interval that holds the slot.
 * Returns ERR_{NULL,TOTAL,INTERVAL}. */
BBANS_API bbans_status bbans_range_advance(bbans_range_decoder *dec,
        uint32_t start, uint32_t freq, uint32_t total);

/* Before an interval: from here on an encoder would have started bits back, if
 * the range code of these intervals alone were an integer of 2^bits or more.
 * Then bbans_range_check refuses them.  Returns ERR_{NULL,SIZE}; SIZE: more
 * than BBANS_START_MAX bits. */
BBANS_API bbans_status bbans_range_mark(bbans_range_decoder *dec, size_t bits);

/* Decode n values.  After an error *dec is as it was before, and the contents
 * of value[] undefined.  Returns as bbans_message_pop, and ERR_CORRUPT where no
 * encoder of such values wrote this. */
BBANS_API bbans_status bbans_range_decode(bbans_range_decoder *dec,
        const bbans_distribution *distribution, void *value, int type,
        size_t n);

/* Where the decoder stands.  Returns ERR_NULL. */
BBANS_API bbans_status bbans_range_tell_decoded(const bbans_range_decoder *dec,
        bbans_range_position *position);

/* Go on from there; a mark is forgotten.  ERR_STATE for numbers that are no
 * position, ERR_CORRUPT for those of another message, where that can be told;
 * then *dec is as it was before.  Returns ERR_{NULL,STATE,CORRUPT}. */
BBANS_API bbans_status bbans_range_seek(bbans_range_decoder *dec,
        const bbans_range_position *position);

/* After the last symbol: BBANS_OK if an encoder of these symbols writes this
 * integer, else ERR_CORRUPT (or ERR_NULL). */
BBANS_API bbans_status bbans_range_check(const bbans_range_decoder *dec);

/* ---- Public randomness --------------------------------------------------- */

/* Both sides of a code can draw the same numbers, without sending any: number j
 * of a stream of a key, equal on every machine (docs/maths.md, "Public
 * randomness").  To sample from a law is to pop from a message of such numbers.
 */
BBANS_API uint64_t bbans_public_number(uint64_t key, uint64_t stream,
        uint64_t number);

/* Draw n values, value i from lane i of the stream's message.
 *   head  [n], tail [n distribution->words + 1]: scratch
 * Returns ERR_{NULL,TYPE,SYMBOL}, and what the law adds. */
BBANS_API bbans_status bbans_public_draw(
        const bbans_distribution *distribution, uint64_t key, uint64_t stream,
        void *value, int type, size_t n, uint64_t *head, uint32_t *tail);

/* Draw this many points from n weights, evenly (systematic resampling).
 *   weight    [n], which sum to 1 .. 2^32 - 1
 *   number    the only random number that it takes
 *   ancestor  [points] out: which weight each point has come from, rising
 * Returns ERR_{NULL,SIZE,TOTAL}. */
BBANS_API bbans_status bbans_resample(const uint32_t *weight, size_t n,
        uint64_t number, size_t points, uint32_t *ancestor);

/* ---- Particle filters ---------------------------------------------------- */

/* A state space model whose filter has no closed form is coded by a particle
 * filter that both sides run, on public randomness: x_t is coded under the mean
 * of P(x_t | z_t) over n particles z_t, which come from x_1 .. x_t-1 and a key
 * alone (docs/maths.md, "Particle filters").  The rate tends to the information
 * content as 1 / n.  The member `space` goes where that of a model does; no file
 * holds it.
 *
 * Particles are arrays [dimension][particle], and so are the laws of their
 * values.  Whatever makes these laws has to give the same integers on every
 * machine that shall read the messages.
 *
 * A callback fills *law, whose parameters it may put into `work`, and returns
 * BBANS_OK; or another status, which the caller of the library gets.  Where
 * several threads code, it is called by them all.  What codes also returns
 * ERR_SYMBOL for an x_t that no particle's law has, and for states drawn that
 * leave int64_t, as those of laws with a leak may; ERR_{TYPE,SIZE} for laws that
 * are not as said.  bbans_sequence_push refuses all that before it pushes.
 *   t     the step, from 0 on
 *   z     [latents][n] particles; NULL: there are none before step 0
 *   work  [work_bytes], aligned to 8, until the next callback */
typedef bbans_status (*bbans_particle_law)(void *user, size_t t,
        const int64_t *z, size_t n, void *work, bbans_distribution *law);

typedef struct {
    void *user;
    size_t latents, observed; /* d and p                                     */
    size_t symbols;    /* 0: likelihood and lookahead are laws of a location
                          and a scale; else of symbols, no more than these   */
    int borrows;       /* else of any kind: which particle's law codes x_t is
                          borrowed, as bits back does                        */
    size_t work_bytes;
    bbans_particle_law prior;      /* of [d][n] values z_t, given z_t-1      */
    bbans_particle_law likelihood; /* of [p][n] values x_t, given z_t        */
    /* NULL, or both: then particles look at x_t before they move.            */
    bbans_particle_law lookahead;  /* of [p][n] values x_t, given z_t-1      */
    bbans_status (*proposal)(void *user, size_t t, const int64_t *z,
                             const int64_t *x, size_t n, void *work,
                             bbans_distribution *law);
                                    /* of [d][n] values z_t, given z_t-1, and
                                       x_t [p]                               */
} bbans_particle_model;

enum { BBANS_PARTICLES_MAX = 65536, BBANS_DIMENSIONS_MAX = 4096 };

typedef struct {
    bbans_state_space space; /* observations: int64_t [observed]; of a
                                bbans_hmm uint32_t, symbol numbers */
    bbans_particle_model model;
    const bbans_hmm *hmm;    /* or NULL */
    int adapted;
    size_t particles;
    uint64_t key;
} bbans_particles;

/* Fill *filter, which copies *model.
 *   particles     n, up to BBANS_PARTICLES_MAX
 *   key           both sides have the same
 *   start_length  as of bbans_lgssm_init
 * Returns ERR_{NULL,SIZE}. */
BBANS_API bbans_status bbans_particles_init(bbans_particles *filter,
        const bbans_particle_model *model, size_t particles, uint64_t key,
        size_t start_length);

/* The same for a finite model, without contexts, to which *filter refers.
 *   adapted  0: particles are moved blindly; else their transitions are summed,
 *            and each step borrows a state */
BBANS_API bbans_status bbans_particles_init_hmm(bbans_particles *filter,
        const bbans_hmm *hmm, size_t particles, uint64_t key, int adapted,
        size_t start_length);

/* ---- Signals ------------------------------------------------------------- */

/* A block of integers that are sampled over time, in channels: each is
 * predicted from its past and from the channels before it, by a model that is
 * fitted to the block and in it (docs/maths.md, "Signals").  Containers are made of such
 * blocks, with lengths and checksums; alone they have neither.
 *   element   BBANS_ELEMENT_UINT8 to BBANS_ELEMENT_INT64
 *   line      [2] a start and a step that both sides know, modulo 2^64: what is
 *             regular along it takes least; NULL: 0 and 1
 *   data      [steps][channels], at most BBANS_BLOCK_MAX elements
 *   level     1 to BBANS_LEVEL_MAX: from fast to small
 *   block     [cap] out; bbans_signal_bound suffices
 *   work      (aligned to 8) at least bbans_signal_encoder_bytes
 * Returns ERR_{NULL,SYMBOL,SIZE,CAPACITY}; ERR_SYMBOL: there is no such
 * element. */
#ifndef BBANS_DECODER_ONLY
BBANS_API size_t bbans_signal_bound(int element, size_t n);
BBANS_API size_t bbans_signal_encoder_bytes(int element, size_t steps,
        size_t channels, int level);
BBANS_API bbans_status bbans_signal_compress(int element, const uint64_t *line,
        const void *data, size_t steps, size_t channels, int level,
        uint8_t *block, size_t cap, size_t *n_bytes, void *work,
        size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

/* Restore data [n], all channels.  The block says how many these are.
 *   work  (aligned to 8) at least bbans_signal_decoder_bytes(n)
 * Returns ERR_{NULL,SYMBOL,SIZE,CAPACITY,CORRUPT}; data are undefined then. */
BBANS_API size_t bbans_signal_decoder_bytes(size_t n);
BBANS_API bbans_status bbans_signal_decompress(int element,
        const uint64_t *line, const uint8_t *block, size_t n_bytes, void *data,
        size_t n, void *work, size_t work_bytes);

/* ---- Grids --------------------------------------------------------------- */

/* A block of integers that have neighbours in more dimensions than one: images,
 * video, volumes, masks, maps.  Each value is predicted from its neighbours in
 * its plane, and from all those around it in planes that come before: of the
 * bands before in its frame, of the frame before, and of the one a period before
 * (docs/maths.md, "Grids").  A block says itself what its grid is.
 *   element   BBANS_ELEMENT_UINT8 to BBANS_ELEMENT_INT64
 *   grid      how `data` lie
 *   data      [n], at most BBANS_BLOCK_MAX elements, a multiple of columns *
 *             bands
 *   level     1 to BBANS_LEVEL_MAX: from fast to small
 *   block     [cap] out; bbans_grid_bound suffices
 *   work      (aligned to 8) at least bbans_grid_encoder_bytes
 * Returns ERR_{NULL,SYMBOL,SIZE,CAPACITY}; ERR_SYMBOL: there is no such
 * element; ERR_SIZE: n elements are no such grid. */
#ifndef BBANS_DECODER_ONLY
BBANS_API size_t bbans_grid_bound(int element, size_t n);
BBANS_API size_t bbans_grid_encoder_bytes(int element, const bbans_grid *grid,
        size_t n, int level);
BBANS_API bbans_status bbans_grid_compress(int element, const bbans_grid *grid,
        const void *data, size_t n, int level, uint8_t *block, size_t cap,
        size_t *n_bytes, void *work, size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

/* Restore data [n].
 *   work  (aligned to 8) at least bbans_grid_decoder_bytes(element, n)
 * Returns ERR_{NULL,SYMBOL,SIZE,CAPACITY,CORRUPT}; data are undefined then. */
BBANS_API size_t bbans_grid_decoder_bytes(int element, size_t n);
BBANS_API bbans_status bbans_grid_decompress(int element, const uint8_t *block,
        size_t n_bytes, void *data, size_t n, void *work, size_t work_bytes);

/* ---- Floats -------------------------------------------------------------- */

/* A block of floats, which come back bit by bit: as integers, where they are
 * multiples of a step or decimals, which are coded as a signal or a grid; or
 * as planes of their bytes (docs/maths.md, "Floats").  Blocks carry their
 * geometry, and no lengths and checksums.
 *   element   BBANS_ELEMENT_FLOAT16 to BBANS_ELEMENT_FLOAT8_E5M2
 *   channels  > 0: data are a signal, [n / channels][channels]
 *   grid      where channels is 0, how data lie; NULL: in no way, and they are
 *             coded as planes of bytes
 *   data      [n], 1 to BBANS_BLOCK_MAX elements, by their bits; n a multiple
 *             of channels, or of a grid's columns * bands
 *   level     1 to BBANS_LEVEL_MAX: from fast to small
 *   block     [cap] out; bbans_float_bound suffices
 *   work      (aligned to 8) at least bbans_float_encoder_bytes
 * Returns ERR_{NULL,SYMBOL,SIZE,CAPACITY}; ERR_SYMBOL: there is no such
 * element. */
#ifndef BBANS_DECODER_ONLY
BBANS_API size_t bbans_float_bound(int element, size_t n);
BBANS_API size_t bbans_float_encoder_bytes(int element, size_t channels,
        const bbans_grid *grid, size_t n, int level);
BBANS_API bbans_status bbans_float_compress(int element, size_t channels,
        const bbans_grid *grid, const void *data, size_t n, int level,
        uint8_t *block, size_t cap, size_t *n_bytes, void *work,
        size_t work_bytes);
#endif /* BBANS_DECODER_ONLY */

/* Restore data [n].  The block says how they lie.
 *   work  (aligned to 8) at least bbans_float_decoder_bytes
 * Returns ERR_{NULL,SYMBOL,SIZE,CAPACITY,CORRUPT}; data are undefined then. */
BBANS_API size_t bbans_float_decoder_bytes(int element, size_t n);
BBANS_API bbans_status bbans_float_decompress(int element,
        const uint8_t *block, size_t n_bytes, void *data, size_t n, void *work,
        size_t work_bytes);

/* cffi:end */

#ifndef BBANS_DECODER_ONLY
static inline bbans_content bbans_content_of(int element)
{
    bbans_content content;

    content.element = element;
    content.unit = 0;
    content.multiplier = 0;
    content.axis = 0;
    content.channels = 0;
    content.has_line = 0;
    content.line[0] = content.line[1] = 0;
    content.grid.rows = content.grid.columns = 0;
    content.grid.bands = content.grid.period = 0;
    return content;
}
#endif /* BBANS_DECODER_ONLY */

static inline bbans_array bbans_array_of(const void *data, int type)
{
    bbans_array array;

    array.data = data;
    array.type = type;
    return array;
}
/* clang-format on */

#ifdef __cplusplus
}
#endif
#endif
