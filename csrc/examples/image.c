/* Compress images without loss, and decompress them.
 *
 *     image c IMAGE.ppm IMAGE.bbz
 *     image d IMAGE.bbz IMAGE.ppm
 *
 * Images are PGM and PPM files of 8 or 16 bits: grey or colours.  A file of
 * several images of one size, as of `cat frame*.pgm`, is a film, and each frame
 * helps to code the next.  `bbans decompress` makes arrays of the same files:
 * rows, columns, and colours, with the frames of a film in front.
 * README.md beside this file says how to build it.
 *
 * SPDX-License-Identifier: MIT */
#include <bbans.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements of a block, if they are not fewer than a frame: the memory that it
 * takes to read one. */
#define BLOCK ((size_t)1 << 20)

typedef struct {
    uint8_t *bytes;
    size_t n;
} buffer;

/* Of a film, all alike. */
typedef struct {
    size_t width, height, bands;
    unsigned long most; /* the value of white */
} format;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "image: %s: %s\n", what, why);
    exit(1);
}

static void check(bbans_status status, const char *what)
{
    if (status != BBANS_OK)
        fail(what, bbans_status_text(status));
}

/* malloc's memory is aligned to 8, as the library's needs to be. */
static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    if (memory == NULL)
        fail("memory", "there is too little");
    return memory;
}

static buffer read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    size_t cap = 1 << 16, got;
    buffer b = {NULL, 0};

    if (file == NULL)
        fail(name, "cannot be opened");
    do { /* pipes have no length: grow */
        cap *= 2;
        b.bytes = realloc(b.bytes, cap);
        if (b.bytes == NULL)
            fail(name, "too long for the memory");
        got = fread(b.bytes + b.n, 1, cap - b.n, file);
        b.n += got;
    } while (b.n == cap);
    if (ferror(file) || fclose(file) != 0)
        fail(name, "cannot be read");
    return b;
}

/* ---- PGM and PPM --------------------------------------------------------- */

/* The next number of a header, behind blanks and comments; 0 if there is none
 * that it could be. */
static size_t take_number(const buffer *file, size_t *at)
{
    size_t value = 0;

    while (*at < file->n) {
        const uint8_t byte = file->bytes[*at];

        if (byte == '#')
            while (*at < file->n && file->bytes[*at] != '\n')
                ++*at;
        else if (byte != ' ' && (byte < '\t' || byte > '\r'))
            break;
        else
            ++*at;
    }
    for (; *at < file->n && value < 100000000; ++*at) {
        const uint8_t byte = file->bytes[*at];

        if (byte < '0' || byte > '9')
            return value;
        value = 10 * value + (size_t)(byte - '0');
    }
    return 0;
}

/* The header at *at, which moves behind it. */
static format read_header(const buffer *file, size_t *at, const char *name)
{
    format f = {0, 0, 0, 0};

    if (file->n - *at < 3 || file->bytes[*at] != 'P' ||
        (file->bytes[*at + 1] != '5' && file->bytes[*at + 1] != '6'))
        fail(name, "is no PGM or PPM file of bytes (P5 or P6)");
    f.bands = file->bytes[*at + 1] == '5' ? 1 : 3;
    *at += 2;
    f.width = take_number(file, at);
    f.height = take_number(file, at);
    f.most = (unsigned long)take_number(file, at);
    if (f.width == 0 || f.height == 0 || f.most == 0 || *at == file->n)
        fail(name, "has a damaged header");
    if (f.most != 255 && f.most != 65535)
        fail(name, "white must be 255 or 65535, since arrays do not say it");
    ++*at; /* one blank */
    return f;
}

static size_t bytes_of(const format *f)
{
    return f->most > 255 ? 2 : 1;
}

static size_t row_of(const format *f)
{
    return f->width * f->bands;
}

/* All frames of a file, one behind the other, as elements: 16 bits in the order
 * of this machine. */
static buffer read_images(const char *name, format *f)
{
    const buffer file = read_file(name);
    buffer data = {allocate(file.n), 0};
    size_t at = 0, size, i;

    do {
        const format next = read_header(&file, &at, name);

        if (data.n == 0)
            *f = next;
        if (next.width != f->width || next.height != f->height ||
            next.bands != f->bands || next.most != f->most)
            fail(name, "images of several sizes or kinds are no film");
        if (row_of(f) > BBANS_BLOCK_MAX / 2 ||
            f->height > (file.n - at) / bytes_of(f) / row_of(f))
            fail(name, "ends early");
        size = f->height * row_of(f) * bytes_of(f);
        if (bytes_of(f) == 1)
            memcpy(data.bytes + data.n, file.bytes + at, size);
        for (i = 0; bytes_of(f) == 2 && i < size; i += 2) {
            const uint16_t value =
                (uint16_t)(file.bytes[at + i] << 8 | file.bytes[at + i + 1]);

            memcpy(data.bytes + data.n + i, &value, 2);
        }
        data.n += size;
        at += size;
    } while (at < file.n);
    return data;
}

static void write_images(const char *name, const format *f, uint8_t *data,
                         size_t frames)
{
    const size_t size = f->height * row_of(f) * bytes_of(f);
    FILE *file = fopen(name, "wb");
    int good = file != NULL;
    size_t i;

    if (!good)
        fail(name, "cannot be opened");
    for (; frames > 0 && good; frames--, data += size) {
        for (i = 0; bytes_of(f) == 2 && i < size; i += 2) {
            uint16_t value;

            memcpy(&value, data + i, 2);
            data[i] = (uint8_t)(value >> 8);
            data[i + 1] = (uint8_t)value;
        }
        good = fprintf(file, "P%c\n%zu %zu\n%lu\n", f->bands == 1 ? '5' : '6',
                       f->width, f->height, f->most) > 0 &&
               fwrite(data, 1, size, file) == size;
    }
    if (fclose(file) != 0 || !good)
        fail(name, "cannot be written");
}

/* ---- Containers ---------------------------------------------------------- */

/* Whole frames, or of long ones whole rows. */
static size_t block_of(const format *f)
{
    const size_t most = BBANS_BLOCK_MAX / bytes_of(f) / row_of(f); /* rows */
    const size_t frames = BLOCK / row_of(f) / f->height;

    return (f->height > most ? most : (frames > 0 ? frames : 1) * f->height) *
           row_of(f);
}

static void compress(const char *from, const char *to)
{
    const int level = BBANS_LEVEL_DEFAULT;
    format f = {0, 0, 0, 0};
    const buffer data = read_images(from, &f);
    const size_t n = data.n / bytes_of(&f), block = block_of(&f);
    bbans_content content = bbans_content_of(
        bytes_of(&f) == 1 ? BBANS_ELEMENT_UINT8 : BBANS_ELEMENT_UINT16);
    size_t work_bytes, cap, n_bytes;
    uint8_t *bytes;
    FILE *file;

    if (f.bands == 1 && f.width == 3 && n > f.height * row_of(&f))
        fail(from, "a grey film of 3 columns would come back as colours");
    content.grid.rows = f.height;
    content.grid.columns = f.width;
    content.grid.bands = f.bands;
    work_bytes = bbans_writer_work_bytes(NULL, &content, level,
                                         n < block ? n : block, 1);
    cap = bbans_compress_bound(content.element, n, block);
    bytes = allocate(cap);
    check(bbans_compress(NULL, &content, data.bytes, n, block, level,
                         allocate(work_bytes), work_bytes, bytes, cap,
                         &n_bytes),
          from);
    file = fopen(to, "wb");
    if (file == NULL)
        fail(to, "cannot be opened");
    if (fwrite(bytes, 1, n_bytes, file) != n_bytes || fclose(file) != 0)
        fail(to, "cannot be written");
    printf("%zu bytes to %zu\n", data.n, n_bytes);
}

/* What images the array of a container is; how many of them are returned. */
static size_t images_of(const bbans_reader *reader, format *f, const char *name)
{
    size_t axes = reader->axes, frames = 1;

    f->most = reader->element == BBANS_ELEMENT_UINT8 ? 255 : 65535;
    if ((reader->element != BBANS_ELEMENT_UINT8 &&
         reader->element != BBANS_ELEMENT_UINT16) ||
        reader->axis != 0 || axes < 2 || axes > 4)
        fail(name, "holds no images of 8 or 16 bits");
    f->bands = axes > 2 && reader->shape[axes - 1] == 3 ? 3 : 1;
    axes -= f->bands == 3;
    if (axes == 4 || reader->elements > SIZE_MAX / 4 || reader->elements == 0)
        fail(name, "holds no images of grey or of colours");
    f->width = (size_t)reader->shape[axes - 1];
    f->height = (size_t)reader->shape[axes - 2];
    if (axes == 3)
        frames = (size_t)reader->shape[0];
    return frames;
}

static void decompress(const char *from, const char *to)
{
    const buffer file = read_file(from);
    bbans_reader reader;
    format f;
    size_t n, frames, work_bytes;
    uint8_t *data;

    check(bbans_container_check(&reader, file.bytes, file.n), from);
    frames = images_of(&reader, &f, from);
    n = (size_t)reader.elements;
    data = allocate(n * bytes_of(&f));
    work_bytes = bbans_reader_work_bytes(&reader, NULL);
    check(bbans_decompress(NULL, file.bytes, file.n, allocate(work_bytes),
                           work_bytes, data, n, &n),
          from);
    write_images(to, &f, data, frames);
}

int main(int argc, char **argv)
{
    if (argc != 4 || (strcmp(argv[1], "c") != 0 && strcmp(argv[1], "d") != 0)) {
        fprintf(stderr, "usage: image c|d FROM TO\n");
        return 2;
    }
    (void)bbans_isa_use(BBANS_ISA_BEST);
    if (argv[1][0] == 'c')
        compress(argv[2], argv[3]);
    else
        decompress(argv[2], argv[3]);
    return 0; /* and so all memory goes back */
}
