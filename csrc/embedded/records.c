/* Records under an autoregressive model, decoded and encoded on a board whose
 * flash holds the model file: make records
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_tiny.h"
#include "board.h"
#include "record_vectors.h"

#ifdef COUNT_INSTRUCTIONS
#include "timer.h"
#else
#define TIMER_VALUE 0u
#define start_timer()
#define instructions_since(before) ((uint64_t)(before))
#endif

#define PAINT 0x5AA5C33Cu

extern uint32_t bss_end[];

static uint8_t record[RECORD_MAX], bytes[RECORD_MAX + 1];
static bbans_tiny_model model;

/* Stack that is not in use, but for what calls in this file need. */
static uint32_t *stack_limit(void)
{
    uint8_t here;

    return (uint32_t *)(((uintptr_t)&here - 128) & ~(uintptr_t)3);
}

static void paint(void)
{
    uint32_t *word;

    for (word = bss_end; word < stack_limit(); word++)
        *word = PAINT;
}

/* Bytes below `limit` that were written since. */
static size_t painted_over(const uint32_t *limit)
{
    const uint32_t *word = bss_end;

    while (word < limit && *word == PAINT)
        word++;
    return (size_t)((const uint8_t *)limit - (const uint8_t *)word) + 128;
}

static void report(const char *what, size_t n)
{
    print("| ");
    print(what);
    print(" | ");
    print_number(n);
    print(" |\n");
}

static int fail(const char *what, size_t i)
{
    print("records: ");
    print(what);
    print(" ");
    print_number(i);
    print("\n");
    return 1;
}

static int equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    while (n > 0 && *a == *b) {
        n--;
        a++;
        b++;
    }
    return n == 0;
}

/* All records, one way; the stack and the instructions that it took. */
static int run_all(int encode, size_t *stack, uint64_t *instructions)
{
    uint32_t *const limit = stack_limit();
    size_t i, n;

    paint();
    *instructions = 0;
    for (i = 0; i < RECORDS; i++) {
        const uint8_t *plain = record_data + record_start[i];
        const uint8_t *coded = record_codes + code_start[i];
        const size_t n_plain = record_start[i + 1] - record_start[i];
        const size_t n_coded = code_start[i + 1] - code_start[i];
        const uint32_t before = TIMER_VALUE;
        const bbans_status status =
            encode ? bbans_tiny_record_encode(&model, plain, n_plain, bytes,
                                              sizeof bytes, &n)
                   : bbans_tiny_record_decode(&model, coded, n_coded, record,
                                              sizeof record, &n);

        *instructions += instructions_since(before);
        if (status != BBANS_OK)
            return fail(encode ? "not encoded:" : "not decoded:", i);
        if (encode ? n != n_coded || !equal(bytes, coded, n)
                   : n != n_plain || !equal(record, plain, n))
            return fail(encode ? "other bytes:" : "another record:", i);
    }
    *stack = painted_over(limit);
    return 0;
}

int run(void)
{
    uint64_t checking, decoding, encoding;
    size_t to_decode, to_encode;
    uint32_t before;
    bbans_status status;

    start_timer();
    before = TIMER_VALUE;
    status = bbans_tiny_model_init(&model, model_file, sizeof model_file);
    if (status != BBANS_OK)
        return fail("no model:", (size_t)-status);
    report("records", RECORDS);
    report("bytes of them", sizeof record_data);
    report("bytes of their codes", sizeof record_codes);
    report("bytes of flash: the model file", sizeof model_file);
    checking = instructions_since(before);
    if (run_all(0, &to_decode, &decoding) || run_all(1, &to_encode, &encoding))
        return 1;
    report("bytes of RAM: the model", sizeof model);
    report("bytes of stack to decode", to_decode);
    report("bytes of stack to encode", to_encode);
    if (decoding == 0) /* they were not counted */
        return 0;
    report("instructions to check the model file", (size_t)checking);
    report("instructions to decode a byte",
           (size_t)(decoding / sizeof record_data));
    report("instructions to encode a byte",
           (size_t)(encoding / sizeof record_data));
    return 0;
}
