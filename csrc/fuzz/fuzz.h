/* What the fuzz targets share.  A target, fuzz_<name>.c, defines
 *
 *   LLVMFuzzerTestOneInput  one test, a function of its input alone: what it
 *                           takes at random it draws after fuzz_random(..)
 *   fuzz_size_most          bytes of an input that are of use
 *   fuzz_seed               if random bytes are seldom valid inputs
 *
 * and is linked with libFuzzer and seeds.c, or with standalone.c: make fuzz.
 * Arrays are of exactly their size, for the sanitizer to see their ends.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FUZZ_H
#define BBANS_FUZZ_H

#include "../kernels/bbans_kernels.h"
#include "../tests/check.h"

#include <string.h>

extern const size_t fuzz_size_most;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Make valid input number k, at data [cap], a function of k alone; returns its
 * size.  Weak, for targets to leave it out. */
__attribute__((weak)) size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k);

static inline size_t fuzz_make_seed(uint8_t *data, unsigned k)
{
    return fuzz_seed == NULL ? 0 : fuzz_seed(data, fuzz_size_most, k);
}

/* ---- Randomness and memory ----------------------------------------------- */

/* From here on random_bits() is a function of the seed. */
static inline void fuzz_random(uint64_t seed)
{
    check_state = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15);
    if (check_state == 0)
        check_state = 1;
    (void)random_bits();
}

static inline void *fuzz_memory(size_t n)
{
    void *memory = malloc(n > 0 ? n : 1);

    CHECK(memory != NULL);
    return memory;
}

static inline void *fuzz_copy(const void *data, size_t n)
{
    void *copy = fuzz_memory(n);

    if (n > 0)
        memcpy(copy, data, n);
    return copy;
}

static inline int fuzz_same(const void *a, const void *b, size_t n)
{
    return n == 0 || memcmp(a, b, n) == 0;
}

/* ---- Instruction sets ---------------------------------------------------- */

/* Use the kernels of instruction set number k, the portable ones first; returns
 * 0 if there are not so many.  They are kept, since to ask the CPU takes longer
 * than a test, in a virtual machine. */
static inline int fuzz_use_isa(size_t k)
{
    static bbans_kernels kernels[8];
    static size_t n;
    int isa;

    if (n == 0) {
        FOR_EACH_ISA(isa)
        {
            CHECK(n < sizeof kernels / sizeof *kernels);
            kernels[n++] = bbans_kernel;
        }
    }
    if (k < n)
        bbans_kernel = kernels[k];
    return k < n;
}

#define FUZZ_EACH_ISA(k) for ((k) = 0; fuzz_use_isa(k); (k)++)

/* The portable kernels for turn 0, and for turn 1 others: those that `choice`
 * says, of all that there are. */
static inline void fuzz_choose_isa(size_t turn, uint64_t choice)
{
    static size_t n;

    while (n == 0 || (turn == 0 && fuzz_use_isa(n)))
        n++;
    CHECK(fuzz_use_isa(turn == 0 ? 0 : (size_t)(choice % n)));
}

/* To compare what they give: FNV-1a, 64 bits. */
static inline uint64_t fuzz_digest(uint64_t digest, const void *data, size_t n)
{
    const uint8_t *byte = data;
    size_t i;

    for (i = 0; i < n; i++)
        digest = (digest ^ byte[i]) * UINT64_C(0x100000001B3);
    return digest + n;
}

/* ---- Numbers from the input ---------------------------------------------- */

/* Bytes of an input that are still to be taken; behind its end come zeros. */
typedef struct {
    const uint8_t *at;
    size_t left;
} fuzz_input;

static inline fuzz_input fuzz_begin(const uint8_t *data, size_t size)
{
    fuzz_input in;

    in.at = data;
    in.left = size;
    return in;
}

/* The next n <= 8 bytes, little-endian. */
static inline uint64_t fuzz_bits(fuzz_input *in, size_t n)
{
    uint64_t bits = 0;
    size_t i;

    for (i = 0; i < n && in->left > 0; i++, in->left--)
        bits |= (uint64_t)*in->at++ << 8 * i;
    return bits;
}

/* A number below n, by one, two or four bytes. */
static inline uint32_t fuzz_below(fuzz_input *in, uint32_t n)
{
    return (uint32_t)fuzz_bits(in, n <= 256 ? 1 : n <= 65536 ? 2 : 4) % n;
}

/* A number of 64 bits: half of them small, of either sign. */
static inline int64_t fuzz_value(fuzz_input *in)
{
    const unsigned bits = fuzz_below(in, 128);
    const uint64_t value = fuzz_bits(in, bits % 64 / 8 + 1);
    const uint64_t cut = value & (UINT64_MAX >> (63 - bits % 64));

    return bits < 64 ? (int64_t)(cut >> 1) : -(int64_t)(cut >> 1) - 1;
}

/* n masses, each 1 at least, of this total >= n.  A byte says how many bits of
 * what is left an entry gets at most; the last one gets the rest. */
static inline void fuzz_masses(fuzz_input *in, uint32_t *mass, size_t n,
                               uint32_t total)
{
    uint32_t spare = total - (uint32_t)n;
    size_t k;

    for (k = 0; k + 1 < n; k++) {
        const uint32_t more =
            (uint32_t)((uint64_t)spare * fuzz_below(in, 256) >> 8);

        mass[k] = 1 + more;
        spare -= more;
    }
    mass[n - 1] = 1 + spare;
}

/* The same as edges [n + 1], from 0 to the total. */
static inline void fuzz_edges(fuzz_input *in, uint32_t *edge, size_t n,
                              uint32_t total)
{
    size_t k;

    fuzz_masses(in, edge + 1, n, total);
    edge[0] = 0;
    for (k = 0; k < n; k++)
        edge[k + 1] += edge[k];
}

/* ---- Tests that instruction sets agree in -------------------------------- */

/* Returns a digest of what the kernels gave. */
typedef uint64_t (*fuzz_test)(fuzz_input *in);

/* By the portable kernels and by others, which the input chooses. */
static inline void fuzz_two_isas(fuzz_test test, const uint8_t *data,
                                 size_t size)
{
    const uint64_t choice = fuzz_digest(0, data, size);
    uint64_t first = 0, digest;
    size_t turn;

    for (turn = 0; turn < 2; turn++) {
        fuzz_input in = fuzz_begin(data, size);

        fuzz_choose_isa(turn, choice);
        digest = test(&in);
        CHECK(turn == 0 || digest == first);
        first = digest;
    }
}

/* ---- Messages ------------------------------------------------------------ */

/* A message in arrays of its own, with `room` more words, and a copy of it. */
typedef struct {
    bbans_message msg;
    uint64_t *head;
    uint32_t *tail;
    size_t tail_len;
} fuzz_message;

static inline void fuzz_keep(fuzz_message *m)
{
    free(m->head);
    free(m->tail);
    m->head = fuzz_copy(m->msg.head, 8 * m->msg.lanes);
    m->tail = fuzz_copy(m->msg.tail, 4 * m->msg.tail_len);
    m->tail_len = m->msg.tail_len;
}

/* Of several lanes any heads of 63 bits are valid; one with an empty tail may
 * be smaller. */
static inline fuzz_message fuzz_message_of(fuzz_input *in, size_t lanes,
                                           size_t words, size_t room)
{
    fuzz_message m;
    size_t i;

    m.msg.lanes = lanes;
    m.msg.tail_len = words;
    m.msg.tail_cap = words + room;
    m.msg.head = fuzz_memory(8 * lanes);
    m.msg.tail = fuzz_memory(4 * m.msg.tail_cap);
    for (i = 0; i < lanes; i++) {
        m.msg.head[i] = fuzz_bits(in, 8) >> 1;
        if (m.msg.head[i] < (uint64_t)1 << 31 && (lanes > 1 || words > 0))
            m.msg.head[i] |= (uint64_t)1 << 31;
    }
    if (m.msg.head[0] == 0)
        m.msg.head[0] = 1;
    for (i = 0; i < words; i++)
        m.msg.tail[i] = (uint32_t)fuzz_bits(in, 4);
    m.head = NULL;
    m.tail = NULL;
    fuzz_keep(&m);
    CHECK(bbans_message_check(&m.msg) == BBANS_OK);
    return m;
}

static inline int fuzz_is_kept(const fuzz_message *m)
{
    return m->msg.tail_len == m->tail_len &&
           fuzz_same(m->msg.head, m->head, 8 * m->msg.lanes) &&
           fuzz_same(m->msg.tail, m->tail, 4 * m->tail_len);
}

static inline void fuzz_message_free(fuzz_message *m)
{
    free(m->msg.head);
    free(m->msg.tail);
    free(m->head);
    free(m->tail);
}

#endif
