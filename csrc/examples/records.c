/* Keep short texts in a record file, and read any of them by its number.
 *
 *     records new FILE.bbr MODEL.bbm      an empty file, with its model
 *     records append FILE.bbr TEXT        one more record
 *     records get FILE.bbr K              record K, from 0
 *
 * `bbans get` and bbans.Records read these files, and this reads theirs.  The
 * model is of bytes or text, such as bbans/data/english.bbm.  A program that is
 * not the only writer locks the file while it appends, and one that reads many
 * records maps it instead of reading it whole.  README.md beside this file says
 * how to build this.
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
    fprintf(stderr, "records: %s: %s\n", what, why);
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
    do {
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

/* Write bytes at a place of a file that is there, or of a new one. */
static void write_at(const char *name, const char *mode, size_t at,
                     const uint8_t *bytes, size_t n)
{
    FILE *file = fopen(name, mode);

    if (file == NULL)
        fail(name, "cannot be opened");
    if (fseek(file, (long)at, SEEK_SET) != 0 ||
        fwrite(bytes, 1, n, file) != n || fclose(file) != 0)
        fail(name, "cannot be written");
}

/* Of a file in either form.  The bytes stay: tables are in them. */
static void load_model(bbans_model *model, buffer file, const char *name)
{
    buffer plain = {NULL, 0};
    size_t n = 0;
    bbans_status status = bbans_model_unpack(file.bytes, file.n, NULL, 0, &n);

    if (status == BBANS_ERR_CAPACITY) {
        plain.bytes = allocate(n);
        status =
            bbans_model_unpack(file.bytes, file.n, plain.bytes, n, &plain.n);
    }
    if (status == BBANS_ERR_STATE) /* it is plain */
        plain = file;
    else
        check(status, name);
    check(bbans_model_parse(model, plain.bytes, plain.n), name);
    n = bbans_model_bytes(model);
    check(bbans_model_build(model, allocate(n), n), name);
}

static void open_file(bbans_records *file, const char *name)
{
    const buffer b = read_file(name);
    bbans_record_group *group = NULL;
    bbans_status status;
    size_t cap = 0;

    check(bbans_records_open(file, b.bytes, b.n), name);
    do { /* the file does not say how many groups it has */
        cap = 2 * cap + 64;
        group = realloc(group, cap * sizeof *group);
        if (group == NULL)
            fail(name, "has too many groups for the memory");
        status = bbans_records_scan(file, b.bytes, b.n, group, cap);
    } while (status == BBANS_ERR_CAPACITY);
    check(status, name);
}

static void model_of(bbans_model *model, const bbans_records *file,
                     const char *name)
{
    buffer b;

    if (file->model == NULL)
        fail(name, "does not contain its model");
    b.n = file->model_bytes;
    b.bytes = allocate(b.n);
    memcpy(b.bytes, file->model, b.n);
    load_model(model, b, name);
}

static void new_file(const char *name, const char *model_name)
{
    const buffer b = read_file(model_name);
    const size_t cap = bbans_records_header_bytes(1, b.n);
    uint8_t *bytes = allocate(cap), fingerprint[8];
    bbans_model model;
    size_t n;

    load_model(&model, b, model_name);
    check(bbans_model_fingerprint(&model, fingerprint), model_name);
    check(bbans_records_put_header(BBANS_KIND_TEXT, 0, fingerprint,
                                   (const uint8_t *)"\n", 1, b.bytes, b.n,
                                   bytes, cap, &n),
          name);
    write_at(name, "wb", 0, bytes, n);
}

static void append(const char *name, const char *text)
{
    const size_t length = strlen(text);
    const size_t room = bbans_record_bound(length);
    uint8_t *message = allocate(room), *group;
    bbans_records file;
    bbans_model model;
    size_t n_bytes, work_bytes, cap;
    uint32_t end;

    open_file(&file, name);
    model_of(&model, &file, name);
    work_bytes = bbans_record_work_bytes(&model);
    check(bbans_record_encode(&model, (const uint8_t *)text, length, message,
                              room, &n_bytes, allocate(work_bytes), work_bytes),
          text);
    end = (uint32_t)n_bytes;
    cap = bbans_records_group_bytes(1, n_bytes, file.checksums);
    group = allocate(cap);
    check(bbans_records_put_group(file.n_bytes, file.records, message, &end, 1,
                                  file.checksums, 0, group, cap, &n_bytes),
          text);
    if (file.cut) { /* by a writer that was stopped */
        const size_t rest = file.n_bytes - file.end;

        write_at(name, "r+b", file.end, memset(allocate(rest), 0, rest), rest);
    }
    write_at(name, "r+b", file.n_bytes, group, n_bytes);
    printf("record %llu: %lu bytes to %lu\n", (unsigned long long)file.records,
           (unsigned long)length, (unsigned long)end);
}

static void get(const char *name, const char *number)
{
    bbans_records file;
    bbans_model model;
    uint8_t *record = NULL;
    size_t n = 0, work_bytes;
    bbans_status status;
    void *work;

    open_file(&file, name);
    model_of(&model, &file, name);
    work_bytes = bbans_record_work_bytes(&model);
    work = allocate(work_bytes);
    do { /* a message's length says little about that of its record */
        const size_t cap = n > 0 ? n : 256;

        free(record);
        record = allocate(cap);
        status = bbans_records_get(&file, strtoull(number, NULL, 10), &model,
                                   record, cap, &n, work, work_bytes);
    } while (status == BBANS_ERR_CAPACITY);
    if (status == BBANS_ERR_SIZE)
        fail(number, "there is no such record");
    check(status, number);
    printf("%.*s\n", (int)n, (const char *)record);
}

int main(int argc, char **argv)
{
    (void)bbans_isa_use(BBANS_ISA_BEST);
    if (argc == 4 && strcmp(argv[1], "new") == 0)
        new_file(argv[2], argv[3]);
    else if (argc == 4 && strcmp(argv[1], "append") == 0)
        append(argv[2], argv[3]);
    else if (argc == 4 && strcmp(argv[1], "get") == 0)
        get(argv[2], argv[3]);
    else {
        fprintf(stderr, "usage: records new|append|get FILE.bbr WHAT\n");
        return 2;
    }
    return 0; /* which frees all memory */
}
