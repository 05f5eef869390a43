/* Code each line of a file by itself, and decode some of them.
 *
 *     lines MODEL.bbm LINES [K ..]
 *
 * The model, of bytes or text, comes from Python: `RecordCodec.train(lines)`
 * and `save`, or `bbans train`.  Both sides have the model; of a record, only
 * its message is kept.  README.md beside this file says how to build this.
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
    fprintf(stderr, "lines: %s: %s\n", what, why);
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
    long size = -1;
    buffer b;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size < 0)
        fail(name, "cannot be read");
    rewind(file);
    b.n = (size_t)size;
    b.bytes = allocate(b.n);
    if (fread(b.bytes, 1, b.n, file) != b.n || fclose(file) != 0)
        fail(name, "cannot be read");
    return b;
}

/* Models of records are saved in the packed form where that is shorter. */
static buffer unpacked(buffer file, const char *name)
{
    buffer plain = {allocate(0), 0};
    size_t room;

    switch (bbans_model_unpack(file.bytes, file.n, plain.bytes, 0, &room)) {
    case BBANS_ERR_STATE: return file; /* it is plain */
    case BBANS_ERR_CAPACITY: break;
    default: fail(name, "is no model file");
    }
    plain.bytes = allocate(room);
    check(bbans_model_unpack(file.bytes, file.n, plain.bytes, room, &plain.n),
          name);
    return plain;
}

static void load_model(bbans_model *model, const char *name)
{
    const buffer file = unpacked(read_file(name), name); /* it stays */
    size_t n;

    check(bbans_model_parse(model, file.bytes, file.n), name);
    n = bbans_model_bytes(model);
    check(bbans_model_build(model, allocate(n), n), name);
}

/* The end of a line that starts at `at`. */
static size_t line_end(buffer lines, size_t at)
{
    while (at < lines.n && lines.bytes[at] != '\n')
        at++;
    return at;
}

int main(int argc, char **argv)
{
    bbans_model model;
    buffer lines, codes;
    size_t *end, at, next, n = 0, longest = 0, k, used, work_bytes;
    uint8_t *record;
    void *work;
    int i;

    if (argc < 3) {
        fprintf(stderr, "usage: lines MODEL.bbm LINES [K ..]\n");
        return 2;
    }
    (void)bbans_isa_use(BBANS_ISA_BEST);
    load_model(&model, argv[1]);
    work_bytes = bbans_record_work_bytes(&model);
    if (work_bytes == 0)
        fail(argv[1], "is no model of bytes or text");
    work = allocate(work_bytes);
    lines = read_file(argv[2]);
    /* A code has at most one byte more than its line. */
    codes.bytes = allocate(bbans_record_bound(2 * lines.n + 1));
    codes.n = 0;
    end = allocate((lines.n + 1) * sizeof *end);
    for (at = 0; at < lines.n; at = next + 1) {
        next = line_end(lines, at);
        check(bbans_record_encode(
                  &model, lines.bytes + at, next - at, codes.bytes + codes.n,
                  bbans_record_bound(next - at), &used, work, work_bytes),
              argv[2]);
        codes.n += used;
        end[n++] = codes.n;
        longest = next - at > longest ? next - at : longest;
    }
    printf("%zu records of %zu bytes in %zu\n", n, lines.n, codes.n);
    record = allocate(longest);
    for (i = 3; i < argc; i++) {
        k = (size_t)strtoul(argv[i], NULL, 10);
        if (k >= n)
            fail(argv[i], "is no number of a record");
        at = k > 0 ? end[k - 1] : 0;
        check(bbans_record_decode(&model, codes.bytes + at, end[k] - at, record,
                                  longest, &used, work, work_bytes),
              argv[i]);
        printf("%.*s\n", (int)used, (const char *)record);
    }
    return 0; /* and so all memory goes back */
}
