/* The byte coder: round trips, every instruction set equal, nothing touched
 * outside the buffers, damage refused.
 *
 * SPDX-License-Identifier: MIT */
#if !defined(_WIN32) && !defined(__wasi__)
#define _DEFAULT_SOURCE
#include <sys/mman.h>
#include <unistd.h>
#define HAVE_GUARDS
#endif

#include "../files/bbans_files.h"
#include "check.h"

#include <string.h>

#define N_MAX ((size_t)1 << 18)

/* A buffer whose end, or start, touches a page that may not be touched.  The
 * mappings are used again and again: making them would take most of the time.
 */
#ifdef HAVE_GUARDS
static struct {
    uint8_t *first, *given; /* NULL: not yet mapped, not in use */
} areas[8];                 /* no test has more at once */

static uint8_t *guarded(size_t n, int at_end)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t most = bbans_bytes_work_bytes(N_MAX);
    const size_t whole = (most + page - 1) / page * page;
    size_t i = 0;

    while (areas[i].given != NULL)
        CHECK(++i < sizeof areas / sizeof *areas);
    CHECK(n <= whole);
    if (areas[i].first == NULL) {
        uint8_t *p = mmap(NULL, whole + 2 * page, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        CHECK(p != MAP_FAILED);
        CHECK(mprotect(p + page, whole, PROT_READ | PROT_WRITE) == 0);
        areas[i].first = p + page;
    }
    areas[i].given = areas[i].first + (at_end ? whole - n : 0);
    return areas[i].given;
}

static void release(const uint8_t *p)
{
    size_t i = 0;

    while (areas[i].given != p)
        i++;
    areas[i].given = NULL;
}
#else
static uint8_t *guarded(size_t n, int at_end)
{
    (void)at_end;
    return malloc(n + 1);
}

static void release(uint8_t *p)
{
    free(p);
}
#endif

/* Bytes of a hostile or a plain kind. */
static void fill(uint8_t *data, size_t n, uint32_t kind)
{
    const uint32_t symbols = 1 + below(256), first = below(256);
    const uint32_t rare = 1 + below(100000);
    uint8_t value = (uint8_t)first;
    size_t i;

    for (i = 0; i < n; i++) {
        switch (kind) {
        case 0: value = (uint8_t)first; break; /* one symbol */
        case 1: value = (uint8_t)(first + below(symbols)); break;
        case 2: /* geometric */
            for (value = 0; value < 255 && below(8) != 0; value++) {
            }
            break;
        case 3: value = (uint8_t)(below(rare) == 0 ? random_bits() : 7); break;
        case 4: value = (uint8_t)(value + below(3)); break; /* a walk */
        case 5: value = (uint8_t)(below(4) < 2 ? 'A' : 'C'); break;
        case 6:
            value = (uint8_t)("ACGTN"[below(100) == 0 ? 4 : below(4)]);
            break;
        case 7: value = (uint8_t)(i * i >> 8); break;
        case 8: /* each symbol half as common */
            value = (uint8_t)(63 - bbans_bit_length(random_bits()));
            break;
        case 9: value = (uint8_t)(i / 1000); break; /* runs */
        case 10: /* what follows is sure, but for one */
            value = (uint8_t)(value + (below(rare) == 0 ? below(256) : 17));
            break;
        default: value = (uint8_t)random_bits();
        }
        data[i] = value;
    }
}

enum { KINDS = 12 };

/* In a workspace of exactly the size that is asked for, full of anything. */
static size_t compressed(const uint8_t *data, size_t n, int order, uint8_t *out)
{
    const size_t work_bytes = bbans_bytes_work_bytes(n);
    uint8_t *work = guarded(work_bytes, 1);
    size_t size = 0;

    memset(work, (int)below(256), work_bytes);
    CHECK(bbans_bytes_compress(data, n, order, out, bbans_bytes_bound(n), &size,
                               work, work_bytes) == BBANS_OK);
    CHECK(size > 0 && size <= bbans_bytes_bound(n));
    release(work);
    return size;
}

static bbans_status decompressed(const uint8_t *block, size_t size,
                                 uint8_t *out, size_t cap, size_t *n)
{
    const size_t work_bytes = bbans_bytes_work_bytes(cap);
    uint8_t *work = guarded(work_bytes, 1);
    bbans_status status;

    memset(work, (int)below(256), work_bytes);
    status = bbans_bytes_decompress(block, size, out, cap, n, work, work_bytes);
    release(work);
    return status;
}

/* Compressed by all, decompressed by all, between guard pages on both sides. */
static void round_trip(const uint8_t *data, size_t n, int order, int at_end)
{
    const size_t bound = bbans_bytes_bound(n);
    uint8_t *in = guarded(n, at_end), *first = guarded(bound, at_end), *block;
    size_t size = 0;
    int isa;

    memcpy(in, data, n);
    FOR_EACH_ISA(isa)
    {
        uint8_t *out;
        size_t length = n + 1;

        if (isa == BBANS_ISA_PORTABLE) {
            size = compressed(in, n, order, first);
        } else {
            uint8_t *other = guarded(bound, at_end);

            CHECK(compressed(in, n, order, other) == size);
            CHECK(memcmp(first, other, size) == 0);
            release(other);
        }
        block = guarded(size, at_end);
        out = guarded(n, at_end);
        memcpy(block, first, size);
        CHECK(bbans_bytes_size(block, size, &length) == BBANS_OK);
        CHECK(length == n);
        CHECK(decompressed(block, size, out, n, &length) == BBANS_OK);
        CHECK(length == n && memcmp(out, in, n) == 0);
        release(block);
        release(out);
    }
    release(in);
    release(first);
}

/* Cut and flipped blocks: an error, or other bytes; never beyond the buffers,
 * and the same from every kernel. */
static void damage(const uint8_t *data, size_t n, int order, int trials)
{
    uint8_t *block = malloc(bbans_bytes_bound(n));
    uint8_t *out[2];
    size_t size, length[2];
    int trial, best;

    CHECK(block != NULL);
    best = bbans_isa_use(BBANS_ISA_BEST);
    size = compressed(data, n, order, block);
    for (trial = 0; trial < trials; trial++) {
        const size_t cut = trial % 4 == 0 ? below((uint32_t)size + 1) : size;
        uint8_t *bad = guarded(cut, 1);
        bbans_status status[2];
        int k;

        memcpy(bad, block, cut);
        if (cut > 0 && trial % 4 != 0)
            for (k = 1 + (int)below(3); k > 0; k--)
                bad[below(trial % 4 == 1 && cut > 64 ? 64 : (uint32_t)cut)] ^=
                    (uint8_t)(1u << below(8));
        for (k = 0; k < 2; k++) {
            bbans_isa_use(k == 0 ? BBANS_ISA_PORTABLE : best);
            out[k] = guarded(n, 1);
            length[k] = 0;
            status[k] = decompressed(bad, cut, out[k], n, &length[k]);
        }
        CHECK(status[0] == status[1]);
        if (status[0] == BBANS_OK) {
            CHECK(length[0] == length[1]);
            CHECK(memcmp(out[0], out[1], length[0]) == 0);
            CHECK(cut == size || length[0] != n ||
                  memcmp(out[0], data, n) == 0);
        }
        release(out[0]);
        release(out[1]);
        release(bad);
    }
    free(block);
}

/* Bytes that no encoder wrote. */
static void noise(int trials)
{
    const size_t work_bytes = bbans_bytes_work_bytes(N_MAX);
    uint8_t *out = guarded(N_MAX, 1), *work = guarded(work_bytes, 1);

    while (trials-- > 0) {
        const size_t n = below(300);
        uint8_t *block = guarded(n, 1);
        size_t length, i;

        for (i = 0; i < n; i++)
            block[i] = (uint8_t)random_bits();
        if (n > 3) { /* a plausible header */
            block[0] = (uint8_t)(2 + below(2) + (below(4) == 0 ? 4 : 0) +
                                 ((2 + below(4)) << 4) + (below(2) << 7));
            block[1] = (uint8_t)(128 | below(128));
            block[2] = (uint8_t)(1 + below(127));
        }
        (void)bbans_bytes_decompress(block, n, out, N_MAX, &length, work,
                                     work_bytes);
        release(block);
    }
    release(work);
    release(out);
}

/* The digits of a run of zeros, of value 1 and 2, among the tokens of a row. */
enum { RUN_1 = 0, RUN_2 = 14, RARE = 255, ALPHABET = 41 };

/* A block of order 1 whose last row, of a byte that is only the last one, says
 * that after it comes symbol number `next` of the alphabet.  Nothing asks that
 * row, so that only the reader of the table can see that there is none. */
static bbans_status with_row(const uint8_t *block, size_t size, size_t next,
                             uint8_t *out, size_t n)
{
    static uint8_t tokens[1 << 14], packed[1 << 14], made[1 << 16];
    const size_t work_bytes = bbans_bytes_work_bytes(N_MAX);
    void *work = malloc(work_bytes);
    bbans_cursor c = bbans_cursor_of(block + 1, block + size);
    bbans_status status;
    size_t n_tokens, n_packed, run, length;
    uint8_t *at = made;

    CHECK(work != NULL);
    CHECK((block[0] & 15) == 3); /* order 1, a symbol a byte */
    CHECK(bbans_take_number(&c) == n);
    memcpy(at, block, (size_t)(c.at - block));
    at += c.at - block;
    n_packed = (size_t)bbans_take_number(&c);
    CHECK(bbans_bytes_decompress(c.at, n_packed, tokens, sizeof tokens - 40,
                                 &n_tokens, work, work_bytes) == BBANS_OK);
    c.at += n_packed;
    CHECK(tokens[n_tokens - 1] == 0); /* a byte that none follows */
    tokens[n_tokens - 1] = 1;
    for (run = next; run > 0; run = (run - 1) / 2)
        tokens[n_tokens++] = run % 2 ? RUN_1 : RUN_2;
    tokens[n_tokens++] = 1;
    CHECK(bbans_bytes_compress(tokens, n_tokens, 0, packed, sizeof packed,
                               &n_packed, work, work_bytes) == BBANS_OK);
    at += bbans_put_uvarint(at, n_packed);
    memcpy(at, packed, n_packed);
    memcpy(at + n_packed, c.at, (size_t)(c.end - c.at));
    at += n_packed + (size_t)(c.end - c.at);
    status = bbans_bytes_decompress(made, (size_t)(at - made), out, n, &length,
                                    work, work_bytes);
    free(work);
    return status;
}

static void rows_beyond_the_alphabet(void)
{
    enum { N = 6000 };
    static uint8_t data[N], out[N], block[2 * N];
    const size_t work_bytes = bbans_bytes_work_bytes(N);
    void *work = malloc(work_bytes);
    size_t size, i;

    CHECK(work != NULL);
    for (i = 1; i < N; i++)
        data[i] = (uint8_t)((below(30) ? 7u * data[i - 1] + 3u : below(99)) %
                            (ALPHABET - 1));
    data[N - 1] = RARE;
    CHECK(bbans_bytes_compress(data, N, 1, block, sizeof block, &size, work,
                               work_bytes) == BBANS_OK);
    free(work);
    for (i = 0; i < ALPHABET + 9; i++) {
        CHECK(with_row(block, size, i, out, N) ==
              (i < ALPHABET ? BBANS_OK : BBANS_ERR_CORRUPT));
        CHECK(i >= ALPHABET || memcmp(out, data, N) == 0);
    }
}

static void refusals(void)
{
    uint8_t data[64] = {0}, out[80];
    const size_t work_bytes = bbans_bytes_work_bytes(64);
    void *work = malloc(work_bytes);
    size_t size, n;

    CHECK(work != NULL);
    CHECK(bbans_bytes_bound((size_t)BBANS_BYTES_MAX + 1) == 0);
    CHECK(bbans_bytes_work_bytes((size_t)BBANS_BYTES_MAX + 1) == 0);
    CHECK(bbans_bytes_compress(NULL, 1, 0, out, 80, &size, work, work_bytes) ==
          BBANS_ERR_NULL);
    CHECK(bbans_bytes_compress(data, 64, 2, out, 80, &size, work, work_bytes) ==
          BBANS_ERR_SIZE);
    CHECK(bbans_bytes_compress(data, 64, 0, out, 68, &size, work, work_bytes) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_bytes_compress(data, 64, 0, out, 80, &size, work, 100) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_bytes_compress(data, 64, 0, out, 80, &size, work, work_bytes) ==
          BBANS_OK);
    CHECK(bbans_bytes_decompress(out, size, data, 63, &n, work, work_bytes) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_bytes_decompress(out, size, data, 64, &n, work, 100) ==
          BBANS_ERR_CAPACITY);
    CHECK(bbans_bytes_decompress(out, size, NULL, 64, &n, work, work_bytes) ==
          BBANS_ERR_NULL);
    CHECK(bbans_bytes_decompress(out, 0, data, 64, &n, work, work_bytes) ==
          BBANS_ERR_CORRUPT);
    free(work);
}

int main(void)
{
    static const size_t sizes[] = {0,    1,    2,     3,     4,     5,     7,
                                   8,    15,   16,    17,    63,    64,    100,
                                   255,  256,  257,   1000,  4095,  4096,  4097,
                                   5000, 9999, 16384, 40000, 65536, 100003};
    uint8_t *data = malloc(N_MAX);
    size_t i;
    uint32_t kind;
    int trial;

    CHECK(data != NULL);
    refusals();
    rows_beyond_the_alphabet();
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (kind = 0; kind < KINDS; kind++) {
            fill(data, sizes[i], kind);
            round_trip(data, sizes[i], 0, (int)(kind + i) % 2);
            round_trip(data, sizes[i], 1, (int)(kind + i) % 2);
        }
    for (trial = 0; trial < 60; trial++) {
        const size_t n = below((uint32_t)(trial % 4 == 0 ? N_MAX : 20000));

        fill(data, n, below(KINDS));
        round_trip(data, n, trial % 2, 1);
    }
    for (kind = 0; kind < KINDS; kind++) { /* the largest, all lanes */
        fill(data, N_MAX, kind);
        round_trip(data, N_MAX, (int)kind % 2, 1);
    }
    for (trial = 0; trial < 36; trial++) {
        const size_t n = 1 + below(trial % 3 == 0 ? 60000 : 3000);

        fill(data, n, (uint32_t)trial % KINDS);
        damage(data, n, trial / KINDS % 2, SOME(100));
    }
    noise(20000);
    free(data);
    printf("test_bytes: ok\n");
    return 0;
}
