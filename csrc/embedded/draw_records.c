/* For the machine that builds records.c: encode records under an autoregressive
 * model of bytes, and write all as arrays.
 *
 *   draw_records HEADER               lines of a sensor that are drawn, and a
 *                                     model of other such lines
 *   draw_records HEADER MODEL LINES   the lines of a file, under a plain model
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYMBOLS 257 /* bytes and the end */
#define STATES 16
#define PREC 24
#define ORDER 5
#define LEAST 3 /* times that a context occurs */
#define TRAINED_ON 400
#define LINES 40
#define LINES_MAX 1000
#define LINE_MAX 64

typedef struct {
    uint8_t *bytes;
    size_t n;
} array;

static void fail(const char *what)
{
    fprintf(stderr, "draw_records: %s\n", what);
    exit(1);
}

static void *allocate(size_t n)
{
    void *memory = calloc(n > 0 ? n : 1, 1);

    if (memory == NULL)
        fail("no memory");
    return memory;
}

static array read_file(const char *name)
{
    FILE *file = fopen(name, "rb");
    long size = -1;
    array a;

    if (file != NULL && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    if (size < 0)
        fail("cannot read a file");
    rewind(file);
    a.n = (size_t)size;
    a.bytes = allocate(a.n);
    if (fread(a.bytes, 1, a.n, file) != a.n)
        fail("cannot read a file");
    (void)fclose(file);
    return a;
}

/* ---- Lines of a sensor --------------------------------------------------- */

/* Knuth's MMIX generator. */
static uint32_t below(uint32_t n)
{
    static uint64_t state = 1;

    state =
        state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 32) * n >> 32);
}

static array draw_lines(size_t lines)
{
    static uint32_t temperature = 215, humidity = 48;
    static const char *const states[] = {"ok", "ok", "ok", "low battery"};
    array a = {allocate(lines * LINE_MAX), 0};

    for (; lines > 0; lines--) {
        temperature += below(5) - 2u;
        humidity += below(3) - 1u;
        a.n += (size_t)sprintf((char *)a.bytes + a.n,
                               "t=%u.%u h=%u%% v=3.%u%u %s\n", temperature / 10,
                               temperature % 10, humidity % 100, below(2) + 2,
                               below(10), states[below(4)]);
    }
    return a;
}

/* ---- A model of lines ---------------------------------------------------- */

static uint32_t *symbols; /* the lines, each with the end behind */

static int is_start(size_t at)
{
    return at == 0 || symbols[at - 1] == SYMBOLS - 1;
}

/* Symbol number `back` before x[at], from 0 on; SYMBOLS: the beginning, and
 * above: nothing. */
static uint32_t before(size_t at, size_t back)
{
    for (; back > 0 && !is_start(at); back--)
        at--;
    return back > 0 ? SYMBOLS + 1 : is_start(at) ? SYMBOLS : symbols[at - 1];
}

static int compare(const void *a, const void *b)
{
    const size_t p = *(const size_t *)a, q = *(const size_t *)b;
    size_t back;

    for (back = 0; back < ORDER; back++)
        if (before(p, back) != before(q, back))
            return before(p, back) < before(q, back) ? -1 : 1;
    return p < q ? -1 : 1;
}

static void store(uint8_t *bytes, size_t i, uint32_t value, size_t width)
{
    size_t k;

    for (k = 0; k < width; k++)
        bytes[width * i + k] = (uint8_t)(value >> (8 * k));
}

/* Weights are counts; a context leaves the more to those before the fewer
 * symbols it was seen with.  Places are sorted by what is before them, so that
 * those of a context are a row. */
static bbans_contexts *count_contexts(size_t *place, size_t n)
{
    const size_t most = n * ORDER + 1;
    size_t *first_place = allocate(most * sizeof *first_place);
    size_t *end_place = allocate(most * sizeof *end_place);
    size_t *depth = allocate(most * sizeof *depth);
    uint8_t *children = allocate(4 * (most + 1)), *label = allocate(2 * most);
    uint8_t *first = allocate(4 * (most + 1)), *back_off = allocate(most);
    uint8_t *symbol = allocate(2 * most), *sum = allocate(2 * most);
    bbans_contexts *c = allocate(sizeof *c);
    size_t k, i, end, x;

    qsort(place, n, sizeof *place, compare);
    end_place[0] = n;
    c->contexts = 1;
    store(children, 0, 1, 4);
    for (k = 0; k < c->contexts; k++) {
        uint32_t count[SYMBOLS] = {0}, types = 0, total = 0;

        for (i = first_place[k]; i < end_place[k]; i++)
            types += count[symbols[place[i]]]++ == 0;
        for (x = 0; k > 0 && x < SYMBOLS; x++)
            if (count[x] > 0) {
                total += count[x];
                store(symbol, c->entries, (uint32_t)x, 2);
                store(sum, c->entries++, total, 2);
            }
        back_off[k] = (uint8_t)(k > 0 ? 255 * types / (types + total) : 255);
        store(first, k + 1, (uint32_t)c->entries, 4);
        for (i = first_place[k]; depth[k] < ORDER && i < end_place[k];
             i = end) {
            const uint32_t wanted = before(place[i], depth[k]);

            for (end = i;
                 end < end_place[k] && before(place[end], depth[k]) == wanted;)
                end++;
            if (wanted > SYMBOLS || end - i < LEAST)
                continue;
            store(label, c->contexts, wanted, 2);
            depth[c->contexts] = depth[k] + 1;
            first_place[c->contexts] = i;
            end_place[c->contexts++] = end;
        }
        store(children, k + 1, (uint32_t)c->contexts, 4);
    }
    c->children = children;
    c->first = first;
    c->label = label;
    c->symbol = symbol;
    c->sum = sum;
    c->back_off = back_off;
    return c;
}

/* Masses of at least 1 by weights; what is left goes to the first. */
static void weigh(uint32_t *mass, const uint32_t *weight, size_t n)
{
    const uint32_t spare = ((uint32_t)1 << PREC) - (uint32_t)n;
    uint64_t total = 0;
    uint32_t left = spare;
    size_t k;

    for (k = 0; k < n; k++)
        total += weight[k];
    for (k = 0; k < n; k++) {
        const uint32_t share = (uint32_t)(spare * (uint64_t)weight[k] / total);

        mass[k] = 1 + share;
        left -= share;
    }
    mass[0] += left;
}

/* States by chance; what a line says is in the contexts. */
static array make_model(array lines)
{
    static uint32_t initial[STATES], transition[STATES * STATES];
    static uint32_t emission[STATES * SYMBOLS];
    const size_t memory_bytes = bbans_hmm_bytes(STATES, SYMBOLS);
    uint32_t weight[SYMBOLS], count[SYMBOLS];
    size_t *place = allocate(lines.n * sizeof *place), i, k;
    bbans_contexts *contexts;
    bbans_hmm hmm;
    array file;

    symbols = allocate(lines.n * sizeof *symbols);
    for (k = 0; k < SYMBOLS; k++)
        count[k] = 1;
    for (i = 0; i < lines.n; i++) {
        symbols[i] = lines.bytes[i] == '\n' ? SYMBOLS - 1 : lines.bytes[i];
        count[symbols[i]] += 100;
        place[i] = i;
    }
    contexts = count_contexts(place, lines.n);
    for (i = 0; i < STATES; i++) {
        for (k = 0; k < STATES; k++)
            weight[k] = i == k ? 100 : 1 + below(20);
        weigh(transition + i * STATES, weight, STATES);
        weigh(initial, weight, STATES);
        for (k = 0; k < SYMBOLS; k++)
            weight[k] = count[k] * (1 + below(20));
        weigh(emission + i * SYMBOLS, weight, SYMBOLS);
    }
    if (bbans_hmm_init(&hmm, STATES, SYMBOLS, PREC, 1, initial, transition,
                       emission, allocate(memory_bytes),
                       memory_bytes) != BBANS_OK ||
        bbans_hmm_set_contexts(&hmm, contexts) != BBANS_OK)
        fail("no model");
    (void)bbans_model_write(&hmm.space, BBANS_KIND_BYTES, NULL, 1,
                            (uint8_t *)"", 0, &file.n);
    file.bytes = allocate(file.n);
    if (bbans_model_write(&hmm.space, BBANS_KIND_BYTES, NULL, 1, file.bytes,
                          file.n, &file.n) != BBANS_OK)
        fail("no model file");
    return file;
}

/* ---- The arrays ---------------------------------------------------------- */

static void put_bytes(FILE *out, const char *name, array a)
{
    size_t i;

    fprintf(out, "static const uint8_t %s[] = {", name);
    for (i = 0; i < a.n; i++)
        fprintf(out, "%s%u",
                i == 0        ? ""
                : i % 20 == 0 ? ",\n"
                              : ",",
                a.bytes[i]);
    fprintf(out, "};\n");
}

static void put_numbers(FILE *out, const char *name, const size_t *number,
                        size_t n)
{
    size_t i;

    fprintf(out, "static const uint32_t %s[] = {", name);
    for (i = 0; i < n; i++)
        fprintf(out, "%s%lu", i == 0 ? "" : ",\n", (unsigned long)number[i]);
    fprintf(out, "};\n");
}

int main(int argc, char **argv)
{
    static size_t record_start[LINES_MAX + 1], code_start[LINES_MAX + 1];
    array file, lines, data, codes;
    size_t longest = 0, memory_bytes, work_bytes, records = 0, at = 0;
    bbans_model model;
    void *work;
    FILE *out;

    if (argc == 2) {
        file = make_model(draw_lines(TRAINED_ON));
        lines = draw_lines(LINES);
    } else if (argc == 4) {
        file = read_file(argv[2]);
        lines = read_file(argv[3]);
    } else {
        fail("HEADER [MODEL LINES]");
    }
    if (bbans_model_parse(&model, file.bytes, file.n) != BBANS_OK)
        fail("no plain model file");
    memory_bytes = bbans_model_bytes(&model);
    if (bbans_model_build(&model, allocate(memory_bytes), memory_bytes) !=
        BBANS_OK)
        fail("no model");
    work_bytes = bbans_record_work_bytes(&model);
    if (work_bytes == 0)
        fail("a model of bytes or text is needed");
    work = allocate(work_bytes);
    data.bytes = allocate(lines.n);
    codes.bytes = allocate(2 * lines.n + BBANS_RECORD_ROOM);
    data.n = codes.n = 0;
    while (at < lines.n && records < LINES_MAX) {
        const uint8_t *line = lines.bytes + at;
        size_t n = 0, used;

        while (at + n < lines.n && line[n] != '\n')
            n++;
        at += n + 1;
        if (bbans_record_encode(&model, line, n, codes.bytes + codes.n,
                                bbans_record_bound(n), &used, work,
                                work_bytes) != BBANS_OK)
            fail("cannot encode");
        memcpy(data.bytes + data.n, line, n);
        data.n += n;
        codes.n += used;
        longest = n > longest ? n : longest;
        record_start[++records] = data.n;
        code_start[records] = codes.n;
    }
    out = fopen(argv[1], "w");
    if (out == NULL)
        fail("cannot write");
    fprintf(out, "#define RECORDS %luu\n#define RECORD_MAX %luu\n",
            (unsigned long)records, (unsigned long)longest);
    put_bytes(out, "model_file", file);
    put_bytes(out, "record_data", data);
    put_bytes(out, "record_codes", codes);
    put_numbers(out, "record_start", record_start, records + 1);
    put_numbers(out, "code_start", code_start, records + 1);
    return fclose(out) == 0 ? 0 : 1;
}
