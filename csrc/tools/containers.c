/* Containers from one stream to another.
 *
 * SPDX-License-Identifier: MIT */
#include "tool.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_MODEL "english"
#define KEPT_WORK_MAX ((size_t)1 << 26) /* bytes that are worth some time */
#define BLOCK_MORE 13 /* bytes of a block besides its elements */
#define HEADER_MAX 64
#define MAGIC_BYTES 4
#define END_BYTES(blocks) (64 + 4 * (size_t)(blocks)) /* at most */
#define PYTHON "bbans in Python"

/* Of one file after the other. */
static memory work, piece, elements, lengths;

static const char *hexadecimal(const uint8_t fingerprint[8], char text[17])
{
    size_t i;

    for (i = 0; i < 8; i++)
        (void)sprintf(text + 2 * i, "%02x", fingerprint[i]);
    return text;
}

/* ---- Out ----------------------------------------------------------------- */

/* A file on its way into a container. */
typedef struct {
    source *in;
    const bbans_model *model;
    bbans_content content;
    int level;
    size_t block; /* elements, but of the last one                          */
    size_t ahead; /* bytes of the next block that the last character has    */
    const void *data; /* of this block, n elements of n_bytes in the source */
    size_t n, n_bytes;
} packing;

static size_t block_elements(const bbans_model *model, int level)
{
    size_t rows;

    if (model == NULL)
        return level < BBANS_MIXING_LEVEL_MIN ? (size_t)1 << 20
               : level <= 4                   ? (size_t)1 << 22
                                              : (size_t)BBANS_BLOCK_MAX;
    rows = BBANS_BLOCK_MAX / model->width;
    return model->width *
           (rows < BBANS_BLOCK_DEFAULT ? rows : BBANS_BLOCK_DEFAULT);
}

/* Where the n-th character ends of bytes that have so many. */
static size_t end_of_character(const uint8_t *bytes, size_t n)
{
    size_t end = 0;

    for (; n > 0; n--)
        end += bytes[end] < 0x80   ? 1
               : bytes[end] < 0xe0 ? 2
               : bytes[end] < 0xf0 ? 3
                                   : 4;
    return end;
}

static int refuse_text(const source *in, size_t at)
{
    say(in->name,
        "a model of text needs UTF-8, and byte 0x%02x at position %llu is "
        "none: take a model of bytes",
        in->at[at], (unsigned long long)(in->taken + at));
    return FAILED;
}

/* Bytes that are UTF-8; the last character may end in the next block. */
static int take_utf8(packing *p)
{
    source *const in = p->in;
    size_t points, end;

    (void)source_need(in, p->block + 3);
    p->n = p->n_bytes = in->n < p->block ? in->n : p->block;
    for (end = p->n; end < in->n && in->at[end] >> 6 == 2; end++)
        ;
    if (end > p->ahead && bbans_utf8_decode(in->at + p->ahead, end - p->ahead,
                                            NULL, 0, &points) != BBANS_OK)
        return refuse_text(in, p->ahead +
                                   end_of_character(in->at + p->ahead, points));
    p->ahead = end - p->n;
    return DONE;
}

/* Characters, each of 4 bytes at most: what is at hand ends with a whole one.
 */
static int take_characters(packing *p)
{
    uint32_t *const point = memory_of(&elements, 4 * p->block, 0);
    source *const in = p->in;
    bbans_status status;

    (void)source_need(in, 4 * p->block);
    status = bbans_utf8_decode(in->at, in->n, point, p->block, &p->n);
    p->n_bytes = end_of_character(in->at, p->n);
    p->data = point;
    return status == BBANS_ERR_SYMBOL ? refuse_text(in, p->n_bytes) : DONE;
}

static int take_block(packing *p)
{
    source *const in = p->in;
    int status = DONE;

    if (p->content.element == BBANS_ELEMENT_CHARACTERS)
        status = take_characters(p);
    else if (p->content.element == BBANS_ELEMENT_UTF8)
        status = take_utf8(p);
    else {
        (void)source_need(in, p->block);
        p->n = p->n_bytes = in->n < p->block ? in->n : p->block;
    }
    if (p->content.element != BBANS_ELEMENT_CHARACTERS)
        p->data = in->at;
    if (in->failed)
        return FAILED;
    if (status == DONE && p->model != NULL && p->n % p->model->width != 0) {
        say(in->name, "%llu bytes are no rows of %llu uint8",
            (unsigned long long)(in->taken + p->n),
            (unsigned long long)p->model->width);
        return FAILED;
    }
    return status;
}

/* Value i of a block. */
static int64_t value_at(const packing *p, size_t i)
{
    return p->content.element == BBANS_ELEMENT_CHARACTERS
               ? ((const uint32_t *)p->data)[i]
               : ((const uint8_t *)p->data)[i];
}

/* What it is called: a character by itself and its code. */
static const char *name_of_value(const packing *p, size_t i, char name[32])
{
    const uint32_t value = (uint32_t)value_at(p, i);
    uint8_t character[5] = "";
    size_t n;

    if (p->model->kind == BBANS_KIND_TEXT &&
        bbans_utf8_encode(&value, 1, character, 4, &n) == BBANS_OK)
        (void)sprintf(name, "'%s' (U+%04lX)", (const char *)character,
                      (unsigned long)value);
    else
        (void)sprintf(name, "%lu", (unsigned long)value);
    return name;
}

/* Say which element is not for the model. */
static int refuse_block(const packing *p, uint64_t before)
{
    const bbans_model *const model = p->model;
    char where[64] = "", name[32];
    size_t i = 0;

    if (before > 0)
        (void)sprintf(where, "in the block at element %llu: ",
                      (unsigned long long)before);
    while (model->symbols > 0 && i < p->n &&
           bbans_model_symbol(model, value_at(p, i)) < model->symbols)
        i++;
    if (model->symbols == 0 || i == p->n) {
        say(p->in->name, "%sit has bytes that the model does not code", where);
        return FAILED;
    }
    say(p->in->name,
        "%ssymbol %s at position %llu is not in the model's alphabet of %llu "
        "%s",
        where, name_of_value(p, i, name), (unsigned long long)i,
        (unsigned long long)(model->symbols - (model->ends ? 1 : 0)),
        model->kind == BBANS_KIND_TEXT ? "characters" : "symbols");
    return FAILED;
}

/* Steps whose messages are kept: all, or so many that it takes little memory.
 */
static size_t work_bytes_of(const packing *p)
{
    size_t kept = p->n, n;

    do {
        n = bbans_writer_work_bytes(p->model, &p->content, p->level, p->n,
                                    kept);
        kept /= 2;
    } while (p->model != NULL && n > KEPT_WORK_MAX &&
             (uint64_t)kept * kept > p->n);
    return n;
}

static int put(sink *out, bbans_status status, const char *name, size_t n)
{
    if (status == BBANS_OK)
        return sink_write(out, piece.bytes, n);
    say(name, "%s", bbans_status_text(status));
    return FAILED;
}

/* Bytes of the blocks, for the index. */
static void keep_length(uint64_t place, size_t n)
{
    const size_t used = (size_t)place * sizeof n;

    if (lengths.cap < used + sizeof n)
        (void)memory_of(&lengths, 2 * used + 64 * sizeof n, used);
    memcpy(lengths.bytes + used, &n, sizeof n);
}

static int write_blocks(packing *p, bbans_writer *writer, sink *out)
{
    for (;;) {
        bbans_status status;
        size_t n, n_work;

        if (take_block(p) != DONE)
            return FAILED;
        if (p->n == 0)
            return DONE;
        n = p->n * bbans_element_bytes(p->content.element) + BLOCK_MORE;
        n_work = work_bytes_of(p);
        (void)memory_of(&piece, n, 0);
        (void)memory_of(&work, n_work, 0);
        status = bbans_writer_block(writer, p->data, p->n, work.bytes, n_work,
                                    piece.bytes, n, &n);
        if (status == BBANS_ERR_SYMBOL)
            return refuse_block(p, writer->elements);
        if (put(out, status, p->in->name, n) != DONE)
            return FAILED;
        keep_length(writer->blocks - 1, n);
        source_take(p->in, p->n_bytes);
    }
}

int container_write(source *in, sink *out, const bbans_model *model, int level)
{
    bbans_writer writer;
    bbans_status status;
    packing p;
    size_t n;

    memset(&p, 0, sizeof p);
    p.in = in;
    p.model = model;
    p.level = level;
    p.block = block_elements(model, level);
    if (model != NULL && model->kind == BBANS_KIND_TEXT)
        p.content.element = model->values == NULL ? BBANS_ELEMENT_UTF8
                                                  : BBANS_ELEMENT_CHARACTERS;
    (void)memory_of(&piece, HEADER_MAX, 0);
    status = bbans_writer_begin(&writer, model, &p.content, level, piece.bytes,
                                piece.cap, &n);
    if (put(out, status, in->name, n) != DONE ||
        write_blocks(&p, &writer, out) != DONE)
        return FAILED;
    (void)memory_of(&piece, END_BYTES(writer.blocks), 0);
    (void)memory_of(&lengths, 1, 0);
    status = bbans_writer_end(&writer, &writer.elements, 1,
                              (const size_t *)(const void *)lengths.bytes,
                              piece.bytes, piece.cap, &n);
    return put(out, status, in->name, n);
}

/* ---- In ------------------------------------------------------------------ */

/* A container on its way out. */
typedef struct {
    source *in;
    sink *out;
    const char *model_name;   /* that -m says, or NULL     */
    const bbans_model *model; /* of this part, or NULL     */
    uint64_t before;          /* elements of other parts   */
    bbans_reader reader;
    bbans_block block;
    size_t used; /* bytes of the last record  */
} unpacking;

static const char *name_of_block(const unpacking *u, char name[64])
{
    const bbans_reader *const r = &u->reader;

    (void)sprintf(name, r->parts > 1 ? "block %llu of part %llu" : "block %llu",
                  (unsigned long long)r->blocks,
                  (unsigned long long)(r->parts - 1));
    return name;
}

/* What errors call the record that comes next, of which a byte is at hand. */
static const char *name_of_next(const unpacking *u, char name[64])
{
    if (u->reader.ended)
        return "its header";
    if (u->in->n > 0 && u->in->at[0] == 0)
        return "its end record";
    return name_of_block(u, name);
}

static int refuse_start(const unpacking *u, bbans_status status)
{
    const char *const name = u->in->name;

    switch (status) {
    case BBANS_ERR_FORMAT:
        say(name, "not a bbans container: it does not start with its magic");
        break;
    case BBANS_ERR_TRUNCATED:
        say(name, "container ends early, in its header");
        break;
    case BBANS_ERR_VERSION:
        say(name, "container has a format version or codes that this release "
                  "does not know");
        break;
    default: say(name, "header is damaged: its checksum does not match"); break;
    }
    return FAILED;
}

/* Of what follows a part. */
static int refuse_part(const unpacking *u, bbans_status status)
{
    const uint64_t number = u->reader.parts;
    bbans_reader alone;
    size_t used;

    if (status != BBANS_ERR_CORRUPT)
        return refuse_start(u, status);
    status = bbans_reader_begin(&alone, u->in->at, u->in->n, &used);
    if (status == BBANS_ERR_FORMAT)
        say(u->in->name, "container is followed by other data");
    else if (status == BBANS_OK)
        say(u->in->name, "part %llu cannot be joined to those before it",
            (unsigned long long)number);
    else
        return refuse_start(u, status);
    return FAILED;
}

static void refuse_damage(const unpacking *u, const char *name)
{
    const uint64_t end = u->reader.elements - u->before;
    const uint64_t n = u->block.elements;

    if (n > 0 && u->block.bytes == NULL)
        say(u->in->name,
            "%s is damaged: its checksum does not match (elements %llu to "
            "%llu)",
            name, (unsigned long long)(end - n), (unsigned long long)(end - 1));
    else
        say(u->in->name, "%s is damaged", name);
}

/* Of a record that is called `name`, and begins a part or does not. */
static int refuse_record(const unpacking *u, bbans_status status, int is_part,
                         const char *name)
{
    if (u->in->failed)
        return FAILED;
    if (is_part)
        return refuse_part(u, status);
    if (status == BBANS_ERR_TRUNCATED)
        say(u->in->name, "container ends early, in %s", name);
    else if (status != BBANS_ERR_VERSION)
        refuse_damage(u, name);
    else if (u->block.method == BBANS_METHOD_PIECES)
        say(u->in->name, "holds a table (.csv): " PYTHON " restores it");
    else
        say(u->in->name, "%s has a method that this release lacks", name);
    return FAILED;
}

typedef bbans_status next_record(bbans_reader *reader, const uint8_t *bytes,
                                 size_t n_bytes, bbans_block *block,
                                 size_t *n_used);

/* The next record, with as much at hand as it takes. */
static bbans_status get_record(unpacking *u, next_record *next)
{
    source *const in = u->in;
    bbans_status status;

    for (;;) {
        size_t need;

        status = next(&u->reader, in->at, in->n, &u->block, &u->used);
        if (status != BBANS_ERR_TRUNCATED)
            return status;
        need = u->used;
        if (need <= in->n + 1) /* it is not known: an index may be long */
            need = in->n + in->n / 2 + 1;
        if (!source_need(in, need) && (in->failed || u->used > in->n))
            return status;
    }
}

static bbans_status first_record(bbans_reader *reader, const uint8_t *bytes,
                                 size_t n_bytes, bbans_block *block,
                                 size_t *n_used)
{
    block->elements = 0;
    return bbans_reader_begin(reader, bytes, n_bytes, n_used);
}

/* Find the model or codec that a part names. */
static int find_coder(unpacking *u)
{
    const bbans_reader *const r = &u->reader;
    const char *const name = u->in->name;
    const bbans_model *given = NULL, *standard;
    char wanted[17], other[17];

    u->model = NULL;
    if (r->coder == BBANS_CODER_CODEC) {
        say(name,
            "data was compressed with codec '%s', pass it to bbans.decompress, "
            "in Python",
            r->name);
        return FAILED;
    }
    if (r->coder != BBANS_CODER_MODEL)
        return DONE;
    if (u->model_name != NULL) {
        given = model_load(u->model_name);
        if (given == NULL)
            return FAILED;
        if (memcmp(given->fingerprint, r->fingerprint,
                   sizeof given->fingerprint) == 0) {
            u->model = given;
            return DONE;
        }
    }
    standard = model_is_there(DEFAULT_MODEL) ? model_load(DEFAULT_MODEL) : NULL;
    if (standard != NULL && memcmp(standard->fingerprint, r->fingerprint,
                                   sizeof standard->fingerprint) == 0) {
        u->model = standard;
        return DONE;
    }
    (void)hexadecimal(r->fingerprint, wanted);
    if (given == NULL)
        say(name, "data was compressed with model %s, say it with -m", wanted);
    else
        say(name, "data was compressed with model %s, not with model %s",
            wanted, hexadecimal(given->fingerprint, other));
    return FAILED;
}

static int has_ending(const char *name, const char *ending)
{
    const size_t n = strlen(name), m = strlen(ending);

    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* Find what codes a part, whose elements are written as they come. */
static int begin_part(unpacking *u)
{
    const bbans_reader *const r = &u->reader;

    u->before = r->elements;
    if (r->element >= BBANS_ELEMENT_UINT8 && has_ending(u->out->name, ".npy")) {
        say(u->in->name, "holds an array, of which " PYTHON
                         " makes a .npy file: -o another name takes its "
                         "elements");
        return FAILED;
    }
    if (r->axis > 0) {
        say(u->in->name,
            "holds an array along its axis %u: " PYTHON " restores it",
            r->axis);
        return FAILED;
    }
    return find_coder(u);
}

static void turn(uint8_t *bytes, size_t n, size_t width)
{
    size_t i, k;

    for (i = 0; i < n * width; i += width)
        for (k = 0; k < width / 2; k++) {
            const uint8_t byte = bytes[i + k];

            bytes[i + k] = bytes[i + width - 1 - k];
            bytes[i + width - 1 - k] = byte;
        }
}

/* Elements as they are in files. */
static int write_elements(const unpacking *u, uint8_t *bytes)
{
    static const uint16_t one = 1;
    const bbans_reader *const r = &u->reader;
    const int host_is_big = *(const uint8_t *)&one == 0;
    const size_t n = u->block.elements;
    const size_t width = bbans_element_bytes(r->element);
    size_t n_bytes = n * width;

    if (r->element == BBANS_ELEMENT_CHARACTERS) {
        const uint32_t *const point = (const uint32_t *)(const void *)bytes;

        bytes = memory_of(&piece, 4 * n, 0);
        (void)bbans_utf8_encode(point, n, bytes, 4 * n, &n_bytes);
    } else if (r->big_endian != host_is_big) {
        turn(bytes, n, width);
    }
    return sink_write(u->out, bytes, n_bytes);
}

static int read_block(unpacking *u, const char *name)
{
    const size_t width = bbans_element_bytes(u->reader.element);
    const size_t n = u->block.elements;
    const size_t n_work = bbans_reader_work_bytes(&u->reader, u->model);
    uint8_t *const data = memory_of(&elements, n * width, 0);

    (void)memory_of(&work, n_work, 0);
    if (bbans_reader_decode(&u->reader, &u->block, u->model, work.bytes, n_work,
                            data, n) == BBANS_OK)
        return write_elements(u, data);
    say(u->in->name, "%s is damaged", name);
    return DAMAGED;
}

/* Say that blocks are lost, from number `first` on, which begins with element
 * `start`.  The last of a part does not say how many it has. */
static void say_lost(const unpacking *u, uint64_t first, uint64_t start)
{
    const uint64_t n = u->reader.block, behind = u->reader.blocks;
    const int is_at_end = u->in->n > 0 && u->in->at[0] == 0;
    unpacking lost = *u;

    for (; first < behind; first++, start += n) {
        char name[64], range[64];

        lost.reader.blocks = first;
        (void)sprintf(
            range,
            is_at_end && first + 1 == behind ? "from %llu on" : "%llu to %llu",
            (unsigned long long)start, (unsigned long long)(start + n - 1));
        say(u->in->name,
            "%s is damaged: its checksum does not match (elements %s)",
            name_of_block(&lost, name), range);
    }
}

/* Go on behind a record that cannot be read, with the reader as before it, and
 * say what is lost; returns whether there is more. */
static int resume(unpacking *u, bbans_status status, const char *name)
{
    const uint64_t first = u->reader.blocks;
    const uint64_t start = u->reader.elements - u->before;
    bbans_status found;
    size_t skipped;

    source_take(u->in, 1);
    for (;;) {
        const size_t n = u->in->n;

        found = bbans_reader_resume(&u->reader, u->in->at, n, u->in->ended,
                                    &skipped);
        source_take(u->in, skipped);
        if (found == BBANS_OK || u->in->ended || u->in->failed)
            break;
        (void)source_need(u->in, 2 * (n - skipped) + 1);
    }
    if (found != BBANS_OK && status == BBANS_ERR_TRUNCATED)
        say(u->in->name, "container ends early, in %s", name);
    else if (u->reader.blocks == first)
        say(u->in->name, "%s is damaged", name);
    else
        say_lost(u, first, start);
    return found == BBANS_OK;
}

static int copy(source *in, sink *out)
{
    while (source_need(in, 1)) {
        if (sink_write(out, in->at, in->n) != DONE)
            return FAILED;
        source_take(in, in->n);
    }
    return in->failed;
}

/* A record that has been read, or not. */
static int take_record(unpacking *u, bbans_status read, int is_part,
                       const char *name)
{
    int status = DONE;

    if (read != BBANS_OK) {
        (void)refuse_record(u, read, is_part, name);
        status = DAMAGED;
    } else if (is_part) {
        status = begin_part(u);
    } else if (u->block.elements > 0) {
        status = read_block(u, name);
    }
    source_take(u->in, u->used);
    return status;
}

/* All records to the end; of a file that is salvaged those that can be read. */
static int read_records(unpacking *u, int salvages)
{
    source *const in = u->in;
    int all = DONE;

    while (source_need(in, 1) || !u->reader.ended) {
        const bbans_reader before = u->reader;
        char text[64];
        const char *const name = name_of_next(u, text);
        const bbans_status read = get_record(u, bbans_reader_next);
        int status;

        if (in->failed)
            return FAILED;
        if (salvages && read != BBANS_OK && u->block.bytes == NULL) {
            all = DAMAGED;
            u->reader = before;
            if (!resume(u, read, name))
                break;
            continue;
        }
        status = take_record(u, read, before.ended, name);
        if (status == FAILED || (status == DAMAGED && !salvages))
            return FAILED;
        all |= status;
    }
    return in->failed ? FAILED : all;
}

int container_read(source *in, sink *out, const char *model, int copies,
                   int salvages)
{
    unpacking u;
    bbans_status status;

    memset(&u, 0, sizeof u);
    u.in = in;
    u.out = out;
    u.model_name = model;
    status = get_record(&u, first_record);
    if (in->failed)
        return FAILED;
    if ((status == BBANS_ERR_FORMAT || in->n < MAGIC_BYTES) && copies)
        return copy(in, out);
    if (status != BBANS_OK)
        return refuse_start(&u, status);
    if (begin_part(&u) != DONE)
        return FAILED;
    source_take(in, u.used);
    return read_records(&u, salvages);
}

/* ---- What it holds ------------------------------------------------------- */

static const char *name_of_method(int method)
{
    static const char *const names[] = {"stored", "model",  "bytes",
                                        "signal", "codec",  "pieces",
                                        "grid",   "floats", "mixing"};

    return method >= 0 && method < (int)(sizeof names / sizeof *names)
               ? names[method]
               : "unknown";
}

static void put_element_name(const bbans_reader *r, char to[32])
{
    static const char *const arrays[] = {
        "uint8",         "int8",       "uint16",  "int16",   "uint32",
        "int32",         "uint64",     "int64",   "bool",    "datetime64",
        "timedelta64",   "float16",    "float32", "float64", "bfloat16",
        "float8_e4m3fn", "float8_e5m2"};
    static const char *const units[] = {"",   "Y",  "M",  "W",  "D",
                                        "h",  "m",  "s",  "ms", "us",
                                        "ns", "ps", "fs", "as"};
    char many[16] = "";

    if (r->element < BBANS_ELEMENT_UINT8) {
        strcpy(to, r->element == BBANS_ELEMENT_BYTES ? "bytes" : "text");
        return;
    }
    strcpy(to, arrays[r->element - BBANS_ELEMENT_UINT8]);
    if (r->unit == BBANS_UNIT_GENERIC)
        return;
    if (r->multiplier > 1)
        (void)sprintf(many, "%lu", (unsigned long)r->multiplier);
    (void)sprintf(to + strlen(to), "[%s%s]", many, units[r->unit]);
}

/* Another part of the same kind; text among bytes is bytes. */
static void add_part(facts *f, const bbans_reader *r)
{
    char holds[32];

    put_element_name(r, holds);
    if (r->parts == 1)
        strcpy(f->holds, holds);
    else if (strcmp(holds, f->holds) != 0)
        strcpy(f->holds, "bytes");
    f->is_known &= r->element != BBANS_ELEMENT_CHARACTERS;
}

static void add_block(facts *f, const unpacking *u, unsigned *methods)
{
    const unsigned bit = 1u << (u->block.method & 15);

    f->blocks++;
    f->uncompressed +=
        (uint64_t)u->block.elements * bbans_element_bytes(u->reader.element);
    if ((*methods & bit) == 0)
        (void)sprintf(f->coder + strlen(f->coder), "%s%s",
                      *methods == 0 ? "" : "+",
                      name_of_method(u->block.method));
    *methods |= bit;
}

int container_list(source *in, facts *f)
{
    unsigned methods = 0;
    bbans_status status;
    unpacking u;

    memset(&u, 0, sizeof u);
    memset(f, 0, sizeof *f);
    f->is_known = 1;
    u.in = in;
    status = get_record(&u, first_record);
    if (in->failed)
        return FAILED;
    if (status != BBANS_OK)
        return refuse_start(&u, status);
    add_part(f, &u.reader);
    source_take(in, u.used);
    while (source_need(in, 1) || !u.reader.ended) {
        const int is_part = u.reader.ended;
        char text[64];
        const char *const name = name_of_next(&u, text);

        status = get_record(&u, bbans_reader_skip);
        if (status == BBANS_OK && u.block.elements > 0 &&
            !source_skip(in, u.used))
            status = BBANS_ERR_TRUNCATED;
        if (status != BBANS_OK)
            return refuse_record(&u, status, is_part, name);
        if (is_part)
            add_part(f, &u.reader);
        if (u.block.elements > 0)
            add_block(f, &u, &methods);
        else
            source_take(in, u.used);
    }
    if (methods == 0)
        strcpy(f->coder, "-");
    f->compressed = in->taken;
    return in->failed;
}
