/* Speeds of the C library for wasm.py, built alike for this machine and as
 * WebAssembly:
 *
 *     wasm N < DATA_AND_MODEL
 *
 * The first N bytes are data, the others a model file of bytes.  Each line:
 * what, a tab, bytes or symbols per second of processor time, the fastest of
 * several runs.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STATES = 64, SYMBOLS = 64, PREC = 16, START_LENGTH = 16, RUNS = 5 };

typedef struct {
    uint8_t *bytes;
    size_t n;
} buffer;

static void check(bbans_status status, const char *what)
{
    if (status != BBANS_OK) {
        fprintf(stderr, "wasm: %s: %s\n", what, bbans_status_text(status));
        exit(1);
    }
}

static void *allocate(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    if (memory == NULL) {
        fprintf(stderr, "wasm: there is too little memory\n");
        exit(1);
    }
    return memory;
}

/* At most n bytes of the standard input. */
static buffer read_bytes(size_t n)
{
    buffer b = {allocate(n), 0};

    b.n = fread(b.bytes, 1, n, stdin);
    return b;
}

/* Seconds of processor time. */
#ifdef __wasi__
__attribute__((import_module("host"), import_name("seconds"))) double now(void);
#else
static double now(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}
#endif

/* The fastest of RUNS, and what is done in one. */
#define FASTEST(what, n, run)                                                  \
    do {                                                                       \
        double least = 1e9;                                                    \
        int r;                                                                 \
                                                                               \
        for (r = 0; r < RUNS; r++) {                                           \
            const double start = now();                                        \
                                                                               \
            run;                                                               \
            if (now() - start < least)                                         \
                least = now() - start;                                         \
        }                                                                      \
        printf("%s\t%.0f\n", what, (double)(n) / least);                       \
    } while (0)

static void same(const void *a, const void *b, size_t n, const char *what)
{
    if (memcmp(a, b, n) != 0) {
        fprintf(stderr, "wasm: %s: not restored\n", what);
        exit(1);
    }
}

static void byte_coder(buffer data, int order)
{
    const size_t cap = bbans_bytes_bound(data.n);
    const size_t work_bytes = bbans_bytes_work_bytes(data.n);
    uint8_t *out = allocate(cap), *copy = allocate(data.n);
    void *work = allocate(work_bytes);
    size_t size, n;
    char what[40];

    sprintf(what, "byte coder, order %d, encode", order);
    FASTEST(what, data.n,
            check(bbans_bytes_compress(data.bytes, data.n, order, out, cap,
                                       &size, work, work_bytes),
                  what));
    sprintf(what, "byte coder, order %d, decode", order);
    FASTEST(what, data.n,
            check(bbans_bytes_decompress(out, size, copy, data.n, &n, work,
                                         work_bytes),
                  what));
    same(copy, data.bytes, data.n, what);
    free(out);
    free(copy);
    free(work);
}

static void mixing_coder(buffer data, int level)
{
    const size_t cap = bbans_mixing_bound(data.n);
    const size_t work_bytes = bbans_mixing_encoder_bytes(data.n, level);
    uint8_t *out = allocate(cap), *copy = allocate(data.n);
    void *work = allocate(work_bytes);
    size_t size, n;
    char what[40];

    sprintf(what, "mixing coder, level %d, encode", level);
    FASTEST(what, data.n,
            check(bbans_mixing_compress(data.bytes, data.n, level,
                                        BBANS_MIXING_LINE_FIND, out, cap, &size,
                                        work, work_bytes),
                  what));
    sprintf(what, "mixing coder, level %d, decode", level);
    FASTEST(what, data.n,
            check(bbans_mixing_decompress(out, size, copy, data.n, &n, work,
                                          work_bytes),
                  what));
    same(copy, data.bytes, data.n, what);
    free(out);
    free(copy);
    free(work);
}

/* A sequence under a model, either way. */
static void sequence(const char *name, const bbans_state_space *model,
                     const uint32_t *x, size_t n)
{
    const size_t tail_words = bbans_sequence_tail_words(model, n);
    const size_t work_bytes = bbans_sequence_work_bytes(model, n, n);
    uint32_t *tail = allocate(tail_words * sizeof *tail);
    uint32_t *copy = allocate(n * sizeof *copy);
    void *work = allocate(work_bytes);
    uint64_t head;
    bbans_message msg;
    uint8_t *bytes;
    size_t size;
    char what[80];

    check(bbans_message_init(&msg, &head, 1, tail, tail_words), name);
    snprintf(what, sizeof what, "%s, encode", name);
    FASTEST(what, n,
            check(bbans_sequence_encode(model, x, n, work, work_bytes, &msg),
                  name));
    check(bbans_message_size(&msg, &size), name);
    bytes = allocate(size);
    check(bbans_message_write(&msg, bytes, size, &size), name);
    snprintf(what, sizeof what, "%s, decode", name);
    FASTEST(what, n, {
        check(bbans_message_read(&msg, bytes, size), name);
        check(bbans_sequence_decode(model, &msg, copy, n, work, work_bytes),
              name);
    });
    same(copy, x, n * sizeof *x, name);
    free(tail);
    free(copy);
    free(work);
    free(bytes);
}

/* Masses that sum to 2^PREC, at random. */
static void draw(uint32_t *mass, size_t n)
{
    static uint64_t state = 1; /* a linear congruence: Knuth's MMIX */
    uint32_t left = ((uint32_t)1 << PREC) - (uint32_t)n;
    size_t k;

    for (k = 0; k < n; k++) {
        const uint32_t most = left / (uint32_t)(n - k) * 2;
        uint32_t more;

        state = state * UINT64_C(6364136223846793005) +
                UINT64_C(1442695040888963407);
        more = (uint32_t)((state >> 32) * most >> 32);
        mass[k] = 1 + (k + 1 == n ? left : more);
        left -= mass[k] - 1;
    }
}

static void random_hmm(const uint32_t *x, size_t n)
{
    static uint32_t initial[STATES], transition[STATES][STATES];
    static uint32_t emission[STATES][SYMBOLS];
    const size_t memory_bytes = bbans_hmm_bytes(STATES, SYMBOLS);
    bbans_hmm hmm;
    size_t i;

    draw(initial, STATES);
    for (i = 0; i < STATES; i++) {
        draw(transition[i], STATES);
        draw(emission[i], SYMBOLS);
    }
    check(bbans_hmm_init(&hmm, STATES, SYMBOLS, PREC, START_LENGTH, initial,
                         transition[0], emission[0], allocate(memory_bytes),
                         memory_bytes),
          "model");
    sequence("HMM, K = M = 64", &hmm.space, x, n);
}

int main(int argc, char **argv)
{
    buffer data, file;
    bbans_model model;
    uint32_t *x;
    size_t n, i;

    if (argc != 2) {
        fprintf(stderr, "wasm N < DATA_AND_MODEL\n");
        return 2;
    }
    (void)bbans_isa_use(BBANS_ISA_BEST);
    data = read_bytes((size_t)atol(argv[1]));
    file = read_bytes((size_t)1 << 24);
    byte_coder(data, 0);
    byte_coder(data, 1);
    if (data.n > 1 << 18)
        data.n = 1 << 18;
    mixing_coder(data, 5);
    x = allocate(data.n * sizeof *x);
    n = data.n;
    for (i = 0; i < n; i++)
        x[i] = data.bytes[i] % SYMBOLS;
    random_hmm(x, n);
    check(bbans_model_parse(&model, file.bytes, file.n), "model");
    n = bbans_model_bytes(&model);
    check(bbans_model_build(&model, allocate(n), n), "model");
    for (i = 0; i < data.n; i++)
        x[i] = (uint32_t)bbans_model_symbol(&model, data.bytes[i]);
    sequence("English, K = 64, M = 256", &model.frozen->space, x, data.n);
    return 0;
}
