/* Compress a text with a frozen model, and decompress it.
 *
 *     text c MODEL.bbm TEXT TEXT.bbz
 *     text d MODEL.bbm TEXT.bbz TEXT
 *
 * It trains nothing: the model file comes from `bbans train`, or is
 * bbans/data/english.bbm.  Files are those of the bbans command, both ways.
 * README.md beside this file says how to build it.
 *
 * SPDX-License-Identifier: MIT */
#include <bbans.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    uint8_t *bytes;
    size_t n;
} buffer;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "text: %s: %s\n", what, why);
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

static void write_file(const char *name, const uint8_t *bytes, size_t n)
{
    FILE *file = fopen(name, "wb");

    if (file == NULL)
        fail(name, "cannot be opened");
    if (fwrite(bytes, 1, n, file) != n || fclose(file) != 0)
        fail(name, "cannot be written");
}

static void load_model(bbans_model *model, const char *name)
{
    const buffer file = read_file(name); /* stays: the alphabet is in it */
    size_t n;

    check(bbans_model_parse(model, file.bytes, file.n), name);
    n = bbans_model_bytes(model);
    check(bbans_model_build(model, allocate(n), n), name);
}

static void compress(const bbans_model *model, const char *from, const char *to)
{
    const size_t block = BBANS_BLOCK_DEFAULT;
    const buffer text = read_file(from);
    int element = BBANS_ELEMENT_BYTES;
    void *data = text.bytes, *work;
    size_t n = text.n, work_bytes, cap, n_bytes;
    bbans_content content;
    uint8_t *bytes;

    if (model->kind == BBANS_KIND_TEXT && model->values == NULL)
        element = BBANS_ELEMENT_UTF8; /* its symbols are bytes of UTF-8 */
    else if (model->kind == BBANS_KIND_TEXT) {
        uint32_t *point = allocate(text.n * sizeof *point);

        check(bbans_utf8_decode(text.bytes, text.n, point, text.n, &n), from);
        element = BBANS_ELEMENT_CHARACTERS;
        data = point;
    }
    /* All forward messages of a block are kept, which is fastest. */
    content = bbans_content_of(element);
    work_bytes = bbans_writer_work_bytes(model, &content, BBANS_LEVEL_DEFAULT,
                                         n < block ? n : block, block);
    work = allocate(work_bytes);
    cap = bbans_compress_bound(element, n, block);
    bytes = allocate(cap);
    check(bbans_compress(model, &content, data, n, block, BBANS_LEVEL_DEFAULT,
                         work, work_bytes, bytes, cap, &n_bytes),
          from);
    write_file(to, bytes, n_bytes);
    printf("%zu bytes to %zu\n", text.n, n_bytes);
}

static void decompress(const bbans_model *model, const char *from,
                       const char *to)
{
    const buffer file = read_file(from);
    bbans_reader reader;
    size_t n, cap, work_bytes;
    uint8_t *data;

    check(bbans_container_check(&reader, file.bytes, file.n), from);
    if (reader.element >= BBANS_ELEMENT_UINT8)
        fail(from, "holds an array, not text");
    if (reader.elements > SIZE_MAX / 8)
        fail(from, "too long for the memory");
    cap = (size_t)reader.elements;
    data = allocate(cap * bbans_element_bytes(reader.element));
    work_bytes = bbans_reader_work_bytes(&reader, model);
    check(bbans_decompress(model, file.bytes, file.n, allocate(work_bytes),
                           work_bytes, data, cap, &n),
          from);
    if (reader.element == BBANS_ELEMENT_CHARACTERS) {
        uint8_t *text = allocate(4 * n);

        check(bbans_utf8_encode((uint32_t *)(void *)data, n, text, 4 * n, &n),
              from);
        data = text;
    }
    write_file(to, data, n);
}

int main(int argc, char **argv)
{
    bbans_model model;

    if (argc != 5 || (strcmp(argv[1], "c") != 0 && strcmp(argv[1], "d") != 0)) {
        fprintf(stderr, "usage: text c|d MODEL.bbm FROM TO\n");
        return 2;
    }
    (void)bbans_isa_use(BBANS_ISA_BEST);
    load_model(&model, argv[2]);
    if (argv[1][0] == 'c')
        compress(&model, argv[3], argv[4]);
    else
        decompress(&model, argv[3], argv[4]);
    return 0; /* and so all memory goes back */
}
