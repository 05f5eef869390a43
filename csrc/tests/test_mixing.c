/* Blocks of bytes under mixed contexts: round trips, every instruction set
 * equal, nothing touched outside the buffers, damage refused.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "check.h"

#include <string.h>

#define N_MAX ((size_t)120000)
#define GUARD 32
#define GUARD_BYTE 0xA5

/* ---- Data ---------------------------------------------------------------- */

enum {
    ONE,
    ALL,
    RANDOM,
    REPEATED,
    PERIODIC,
    RECORDS,
    LONG_LINES,
    WORDS,
    KINDS
};

static size_t put_word(uint8_t *to, size_t room)
{
    static const char *const words[] = {"alpha ", "beta ", "gamma\n",
                                        "de",     "lta\t", "epsilon ",
                                        "zeta, ", "\n\n"};
    const char *const word = words[below(8)];
    const size_t n = strlen(word) < room ? strlen(word) : room;

    memcpy(to, word, n);
    return n;
}

static void fill(uint8_t *data, size_t n, uint32_t kind)
{
    const size_t period = 2 + below(1200);
    size_t i;

    for (i = 0; i < n; i++)
        switch (kind) {
        case ONE: data[i] = 7; break;
        case ALL: data[i] = (uint8_t)i; break;
        case RANDOM: data[i] = (uint8_t)random_bits(); break;
        case REPEATED: /* what came before, with a few bytes changed */
            data[i] = i < period || below(200) == 0 ? (uint8_t)random_bits()
                                                    : data[i - period];
            break;
        case PERIODIC: data[i] = (uint8_t)(i % period * 7); break;
        case RECORDS: /* of 12 bytes, two of which are noise */
            data[i] =
                (uint8_t)(i % 12 > 9 ? random_bits() : i % 12 * 20 + below(2));
            break;
        case LONG_LINES:
            data[i] = (uint8_t)(i % 7000 == 6999 ? '\n' : 'a' + below(3));
            break;
        default: i += put_word(data + i, n - i) - 1;
        }
}

/* ---- Calls in buffers of exactly the sizes that are asked for ------------ */

static uint8_t *guarded(size_t n)
{
    uint8_t *const p = malloc(n + 2 * GUARD);

    CHECK(p != NULL);
    memset(p, GUARD_BYTE, n + 2 * GUARD);
    return p + GUARD;
}

static void release(uint8_t *p, size_t n)
{
    size_t i;

    for (i = 0; i < GUARD; i++)
        CHECK(p[-1 - (ptrdiff_t)i] == GUARD_BYTE && p[n + i] == GUARD_BYTE);
    free(p - GUARD);
}

static size_t compressed(const uint8_t *data, size_t n, int level, int line,
                         uint8_t *out, size_t cap)
{
    const size_t work_bytes = bbans_mixing_encoder_bytes(n, level);
    uint8_t *const work = guarded(work_bytes);
    size_t size = 0;

    CHECK(bbans_mixing_compress(data, n, level, line, out, cap, &size, work,
                                work_bytes) == BBANS_OK);
    CHECK(size > 0 && size <= cap);
    release(work, work_bytes);
    return size;
}

static bbans_status decompressed(const uint8_t *block, size_t size,
                                 uint8_t *out, size_t cap, size_t *n)
{
    const size_t work_bytes = bbans_mixing_decoder_bytes(block, size);
    uint8_t *const work = guarded(work_bytes);
    const bbans_status status =
        bbans_mixing_decompress(block, size, out, cap, n, work, work_bytes);

    release(work, work_bytes);
    return status;
}

/* ---- Round trips --------------------------------------------------------- */

/* The block of all instruction sets, decompressed by all; returns its size. */
static size_t round_trip(const uint8_t *data, size_t n, int level, int line)
{
    const size_t bound = bbans_mixing_bound(n);
    uint8_t *const first = guarded(bound), *const other = guarded(bound);
    uint8_t *const out = guarded(n);
    size_t size = 0, length;
    int isa;

    FOR_EACH_ISA(isa)
    {
        uint8_t *block;

        if (isa == BBANS_ISA_PORTABLE) {
            size = compressed(data, n, level, line, first, bound);
        } else {
            CHECK(compressed(data, n, level, line, other, bound) == size);
            CHECK(memcmp(first, other, size) == 0);
        }
        block = guarded(size);
        memcpy(block, first, size);
        length = n + 1;
        CHECK(bbans_mixing_size(block, size, &length) == BBANS_OK);
        CHECK(length == n);
        CHECK(decompressed(block, size, out, n, &length) == BBANS_OK);
        CHECK(length == n && memcmp(out, data, n) == 0);
        release(block, size);
    }
    release(first, bound);
    release(other, bound);
    release(out, n);
    return size;
}

static void test_round_trips(uint8_t *data)
{
    static const size_t sizes[] = {0,   1,   2,   3,   4,    5,    7,   8,
                                   9,   15,  16,  17,  31,   32,   33,  100,
                                   255, 256, 257, 600, 1000, 4096, 5001};
    size_t i;
    uint32_t kind;

    for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (kind = 0; kind < KINDS; kind++) {
            fill(data, sizes[i], kind);
            round_trip(data, sizes[i], 3 + (int)(kind + i) % 7,
                       BBANS_MIXING_LINE_FIND);
        }
    for (kind = 0; kind < KINDS; kind++) {
        const size_t n = kind == WORDS ? N_MAX : 10000 + below(10000);

        fill(data, n, kind);
        round_trip(data, n, 3 + (int)kind % 7, BBANS_MIXING_LINE_FIND);
    }
    for (i = 3; i <= 9; i++) { /* lines are longer than the block, or not */
        static const int line[] = {0, 1, 2, 12, 999, 3000, 65535};

        fill(data, 3000, RECORDS);
        round_trip(data, 3000, (int)i, line[i - 3]);
    }
}

/* ---- What it is for ------------------------------------------------------ */

static void test_sizes(uint8_t *data)
{
    size_t n = 30000;

    fill(data, n, WORDS);
    CHECK(round_trip(data, n, 5, BBANS_MIXING_LINE_FIND) < n / 9);
    fill(data, n, ONE);
    CHECK(round_trip(data, n, 5, BBANS_MIXING_LINE_FIND) < 60);
    fill(data, n, RANDOM);
    CHECK(round_trip(data, n, 5, BBANS_MIXING_LINE_FIND) < n + n / 50);
}

/* The length of lines is found, and helps: but level 3 does not look. */
static void test_lines(uint8_t *data)
{
    const size_t n = 24000;
    size_t i, found, none;

    for (i = 0; i < n; i++) /* what is above is all that helps */
        data[i] = i < 37 || below(4) == 0 ? (uint8_t)below(16) : data[i - 37];
    found = round_trip(data, n, 5, BBANS_MIXING_LINE_FIND);
    none = round_trip(data, n, 5, 0);
    CHECK(found == round_trip(data, n, 5, 37));
    CHECK(found < none - none / 10);
    CHECK(round_trip(data, n, 3, BBANS_MIXING_LINE_FIND) ==
          round_trip(data, n, 3, 0));
}

/* What bytes take: what their block has, but for its header. */
static void test_costs(uint8_t *data)
{
    int trial;

    for (trial = 0; trial < SOME(40); trial++) {
        const size_t n = trial < 3 ? (size_t)trial : 1 + below(9000);
        const int level = BBANS_MIXING_LEVEL_MIN + (int)below(7);
        const size_t work_bytes = bbans_mixing_encoder_bytes(n, level);
        const size_t cap = bbans_mixing_bound(n);
        uint8_t *const work = guarded(work_bytes), *const out = guarded(cap);
        uint64_t *const cost = malloc((n + 1) * sizeof *cost), sum = 0;
        size_t i, header, size;

        CHECK(cost != NULL);
        fill(data, n, below(KINDS));
        cost[n] = 12345;
        CHECK(bbans_mixing_costs(data, n, level, BBANS_MIXING_LINE_FIND, cost,
                                 work, work_bytes) == BBANS_OK);
        CHECK(cost[n] == 12345);
        CHECK(bbans_mixing_compress(data, n, level, BBANS_MIXING_LINE_FIND, out,
                                    cap, &size, work, work_bytes) == BBANS_OK);
        header = bbans_put_uvarint(out, n);
        if (n > 0) { /* two bytes of sizes, then the length of a line */
            uint64_t line;

            header += 2;
            CHECK(bbans_take_uvarint(out, size, &header, &line) == BBANS_OK);
        }
        for (i = 0; i < n; i++)
            sum += cost[i];
        CHECK(8 * (uint64_t)(size - header) << 16 < sum + (8 << 16) + 1);
        CHECK(sum < 8 * (uint64_t)(size - header + 3) << 16);
        release(work, work_bytes);
        release(out, cap);
        free(cost);
    }
    {
        uint64_t cost;
        uint8_t byte = 0, work[8];

        CHECK(bbans_mixing_costs(&byte, 1, 5, 0, &cost, work, 8) ==
              BBANS_ERR_CAPACITY);
        CHECK(bbans_mixing_costs(&byte, 1, 2, 0, &cost, work, 8) ==
              BBANS_ERR_SIZE);
        CHECK(bbans_mixing_costs(&byte, 1, 5, -2, &cost, work, 8) ==
              BBANS_ERR_SIZE);
        CHECK(bbans_mixing_costs(&byte, 1, 5, 0, NULL, work, 8) ==
              BBANS_ERR_NULL);
        CHECK(bbans_mixing_costs(NULL, 1, 5, 0, &cost, work, 8) ==
              BBANS_ERR_NULL);
        CHECK(bbans_mixing_costs(&byte, 1, 5, 0, &cost, NULL, 8) ==
              BBANS_ERR_NULL);
    }
}

/* n + 8 bytes suffice for a block that gets shorter, and are not written
 * beyond for one that does not. */
static void test_little_room(uint8_t *data)
{
    const size_t n = 3000, cap = n + 8;
    const size_t work_bytes = bbans_mixing_encoder_bytes(n, 4);
    uint8_t *const work = guarded(work_bytes), *const out = guarded(cap);
    size_t size = 12345;

    fill(data, n, WORDS);
    CHECK(bbans_mixing_compress(data, n, 4, BBANS_MIXING_LINE_FIND, out, cap,
                                &size, work, work_bytes) == BBANS_OK);
    CHECK(size < n / 2);
    size = 12345;
    fill(data, n, RANDOM);
    CHECK(bbans_mixing_compress(data, n, 4, BBANS_MIXING_LINE_FIND, out, cap,
                                &size, work, work_bytes) == BBANS_ERR_CAPACITY);
    CHECK(size == 12345);
    release(out, cap);
    release(work, work_bytes);
}

/* ---- Damage -------------------------------------------------------------- */

/* Cut and flipped blocks: an error, or other bytes; never beyond the buffers,
 * and the same from every kernel. */
static void test_damage(uint8_t *data, size_t n, uint32_t kind, int trials)
{
    const size_t bound = bbans_mixing_bound(n);
    uint8_t *const block = malloc(bound);
    const int best = bbans_isa_use(BBANS_ISA_BEST);
    size_t size;
    int trial, k;

    CHECK(block != NULL);
    fill(data, n, kind);
    size = compressed(data, n, 3 + trials % 7, BBANS_MIXING_LINE_FIND, block,
                      bound);
    for (trial = 0; trial < trials; trial++) {
        const size_t cut = trial % 4 == 0 ? below((uint32_t)size) : size;
        uint8_t *const bad = guarded(cut), *out[2];
        bbans_status status[2];
        size_t length[2] = {0, 0};

        memcpy(bad, block, cut);
        if (cut > 0 && trial % 4 != 0)
            for (k = 1 + (int)below(3); k > 0; k--)
                bad[below(trial % 4 == 1 && cut > 6 ? 6 : (uint32_t)cut)] ^=
                    (uint8_t)(1u << below(8));
        for (k = 0; k < 2; k++) {
            bbans_isa_use(k == 0 ? BBANS_ISA_PORTABLE : best);
            out[k] = guarded(n);
            status[k] = decompressed(bad, cut, out[k], n, &length[k]);
        }
        CHECK(status[0] == status[1] && length[0] == length[1]);
        CHECK(status[0] == BBANS_OK || status[0] == BBANS_ERR_CORRUPT ||
              status[0] == BBANS_ERR_CAPACITY);
        CHECK(memcmp(out[0], out[1], length[0]) == 0);
        if (cut < size) /* the code is whole, or no code */
            CHECK(status[0] != BBANS_OK || length[0] != n ||
                  memcmp(out[0], data, n) != 0);
        for (k = 0; k < 2; k++)
            release(out[k], n);
        release(bad, cut);
    }
    free(block);
}

/* Bytes that no encoder wrote. */
static void test_noise(int trials)
{
    uint8_t *const out = guarded(N_MAX);

    while (trials-- > 0) {
        const size_t size = below(60);
        uint8_t *const block = guarded(size);
        size_t n, i;

        for (i = 0; i < size; i++)
            block[i] = (uint8_t)random_bits();
        if (size > 5) { /* a plausible header */
            block[0] = (uint8_t)(128 | below(128));
            block[1] = (uint8_t)(1 + below(4)); /* of few bytes: fast */
            block[2] = (uint8_t)(6 + below(8) + 32 * below(2));
            block[3] = (uint8_t)(1 + below(8));
            block[4] = (uint8_t)below(128);
        }
        (void)decompressed(block, size, out, N_MAX, &n);
        release(block, size);
    }
    release(out, N_MAX);
}

/* ---- Headers ------------------------------------------------------------- */

static int is_block(const uint8_t *block, size_t size)
{
    uint8_t out[256];
    size_t n = 0;
    const int good = bbans_mixing_size(block, size, &n) == BBANS_OK;

    CHECK((bbans_mixing_decoder_bytes(block, size) > 0) == good);
    if (!good)
        CHECK(decompressed(block, size, out, sizeof out, &n) ==
              BBANS_ERR_CORRUPT);
    return good;
}

/* Rows, places and lines as n bytes allow. */
static void test_headers(void)
{
    static const uint8_t good[][6] = {
        {100, 9, 7, 0},           {100, 6, 1, 0},      {100, 9 | 32, 7, 0},
        {100, 9, 7, 127},         {100, 9, 7, 255, 1}, {1, 6, 1, 0},
        {100, 9, 7, 255, 255, 3},
    };
    static const uint8_t bad[][6] = {
        {100, 10, 7, 0},
        {100, 5, 7, 0},
        {100, 9, 8, 0},
        {100, 9, 0, 0},
        {100, 9 | 64, 7, 0},
        {100, 9 | 128, 7, 0},
        {100, 9, 7, 128, 128, 4},
        {100, 9, 7, 128, 0},
        {128, 0, 9, 7, 0},
        {1, 7, 1, 0},
        {1, 6, 2, 0},
    };
    static const uint8_t long_n[] = {129, 128, 128, 8, 22, 20, 0};
    static const uint8_t none[] = {0, 0};
    size_t n = 1, i;

    for (i = 0; i < sizeof good / sizeof *good; i++)
        CHECK(is_block(good[i], sizeof good[i]));
    for (i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK(!is_block(bad[i], sizeof bad[i]));
    for (i = 0; i < 4; i++)
        CHECK(!is_block(good[0], i)); /* cut */
    CHECK(!is_block(long_n, sizeof long_n));
    CHECK(is_block(none, 1));
    CHECK(decompressed(none, 1, NULL, 0, &n) == BBANS_OK && n == 0);
    CHECK(decompressed(none, 2, NULL, 0, &n) == BBANS_ERR_CORRUPT);
}

static void test_refusals(void)
{
    uint8_t data[64] = {0}, out[300];
    const size_t work_bytes = bbans_mixing_encoder_bytes(64, 5);
    uint8_t *const work = guarded(work_bytes);
    size_t size, n = 0;
    int level;

    for (level = -1; level < 12; level++)
        CHECK((bbans_mixing_encoder_bytes(64, level) > 0) ==
              (level >= 3 && level <= 9));
    CHECK(bbans_mixing_encoder_bytes((size_t)BBANS_MIXING_MAX + 1, 5) == 0);
    CHECK(bbans_mixing_bound((size_t)BBANS_MIXING_MAX + 1) == 0);
    CHECK(bbans_mixing_bound(64) <= sizeof out);
    CHECK(bbans_mixing_compress(NULL, 1, 5, 0, out, 300, &size, work,
                                work_bytes) == BBANS_ERR_NULL);
    CHECK(bbans_mixing_compress(data, 64, 5, 0, NULL, 300, &size, work,
                                work_bytes) == BBANS_ERR_NULL);
    CHECK(bbans_mixing_compress(data, 64, 2, 0, out, 300, &size, work,
                                work_bytes) == BBANS_ERR_SIZE);
    CHECK(bbans_mixing_compress(data, 64, 10, 0, out, 300, &size, work,
                                work_bytes) == BBANS_ERR_SIZE);
    CHECK(bbans_mixing_compress(data, 64, 5, -2, out, 300, &size, work,
                                work_bytes) == BBANS_ERR_SIZE);
    CHECK(bbans_mixing_compress(data, 64, 5, 65536, out, 300, &size, work,
                                work_bytes) == BBANS_ERR_SIZE);
    CHECK(bbans_mixing_compress(data, 64, 5, 0, out, 16, &size, work,
                                work_bytes) == BBANS_ERR_CAPACITY);
    CHECK(bbans_mixing_compress(data, 64, 5, 0, out, 300, &size, work,
                                work_bytes - 1) == BBANS_ERR_CAPACITY);
    CHECK(bbans_mixing_compress(data, 64, 5, 0, out, 300, &size, work,
                                work_bytes) == BBANS_OK);
    CHECK(bbans_mixing_decoder_bytes(out, size) == work_bytes);
    CHECK(bbans_mixing_decompress(out, size, data, 63, &n, work, work_bytes) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_mixing_decompress(out, size, data, 64, &n, work,
                                  work_bytes - 1) == BBANS_ERR_CAPACITY);
    CHECK(bbans_mixing_decompress(out, size, NULL, 64, &n, work, work_bytes) ==
          BBANS_ERR_NULL);
    CHECK(bbans_mixing_decompress(NULL, size, data, 64, &n, work, work_bytes) ==
          BBANS_ERR_NULL);
    CHECK(bbans_mixing_size(NULL, 1, &n) == BBANS_ERR_NULL);
    CHECK(n == 0);
    release(work, work_bytes);
}

int main(void)
{
    uint8_t *const data = malloc(N_MAX);
    uint32_t kind;

    CHECK(data != NULL);
    test_refusals();
    test_headers();
    test_round_trips(data);
    test_sizes(data);
    test_lines(data);
    test_costs(data);
    test_little_room(data);
    for (kind = 0; kind < KINDS; kind++) {
        test_damage(data, 1 + below(400), kind, SOME(60));
        test_damage(data, 3000, kind, SOME(8));
    }
    test_noise(SOME(2000));
    free(data);
    printf("test_mixing: ok\n");
    return 0;
}
