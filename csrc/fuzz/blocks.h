/* What all coders of blocks hold to: data come back, and two instruction sets
 * write the same block and read the same of any bytes.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FUZZ_BLOCKS_H
#define BBANS_FUZZ_BLOCKS_H

#include "fuzz.h"

#define FUZZ_WORK_MOST ((size_t)1 << 23)

/* Workspace that ends where an array ends, for the sanitizer to see that; used
 * again by the next call, as coders need no other. */
static inline void *fuzz_work(size_t n)
{
    static uint64_t work[FUZZ_WORK_MOST / 8];

    CHECK(n > 0 && n <= FUZZ_WORK_MOST);
    return work + (FUZZ_WORK_MOST - n) / 8;
}

/* A level; high ones, which take longest, seldom. */
static inline int fuzz_level(uint32_t byte)
{
    return 1 + (int)(byte % 32 < 28 ? byte % 3 : byte % BBANS_LEVEL_MAX);
}

/* A coder of n elements in n * width bytes; `form` is what else it is told. */
typedef struct {
    size_t width, bound; /* bytes that a block of n never exceeds */
    const void *form;
    size_t (*encode)(const void *form, const uint8_t *data, size_t n,
                     uint8_t *block, size_t cap);
    bbans_status (*decode)(const void *form, const uint8_t *block,
                           size_t n_bytes, uint8_t *data, size_t n);
} fuzz_coder;

/* Behind what a damaged block holds, which may be fewer bytes than n. */
static inline void fuzz_fill(uint8_t *data, size_t written, size_t n)
{
    CHECK(written <= n);
    memset(data + written, 0xA5, n - written);
}

/* Any bytes as a block of n elements. */
static inline void fuzz_any_block(const fuzz_coder *c, const uint8_t *block,
                                  size_t n_bytes, size_t n, uint32_t choice)
{
    uint8_t *exact = fuzz_copy(block, n_bytes);
    uint64_t first = 0, digest;
    size_t turn;

    for (turn = 0; turn < 2; turn++) {
        uint8_t *data = fuzz_memory(n * c->width);
        bbans_status status;

        fuzz_choose_isa(turn, choice);
        status = c->decode(c->form, exact, n_bytes, data, n);
        CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT ||
              status == BBANS_ERR_CAPACITY); /* it says that it is of more */
        digest = fuzz_digest((uint64_t)(status + 1000), data,
                             status == BBANS_OK ? n * c->width : 0);
        CHECK(turn == 0 || digest == first);
        first = digest;
        free(data);
    }
    free(exact);
}

/* Returns the block of n elements, *n_bytes of them. */
static inline uint8_t *fuzz_block(const fuzz_coder *c, const uint8_t *data,
                                  size_t n, size_t *n_bytes, uint32_t choice)
{
    uint8_t *exact = fuzz_copy(data, n * c->width);
    uint8_t *block = fuzz_memory(c->bound), *again = fuzz_memory(c->bound);
    uint8_t *back = fuzz_memory(n * c->width);
    size_t size;

    fuzz_choose_isa(0, choice);
    *n_bytes = c->encode(c->form, exact, n, block, c->bound);
    CHECK(*n_bytes <= c->bound);
    fuzz_choose_isa(1, choice);
    size = c->encode(c->form, exact, n, again, c->bound);
    CHECK(size == *n_bytes && fuzz_same(again, block, size));
    CHECK(c->decode(c->form, again, size, back, n) == BBANS_OK);
    CHECK(fuzz_same(back, data, n * c->width));
    free(exact);
    free(again);
    free(back);
    return block;
}

/* There and back, and back again with a bit of the block flipped. */
static inline void fuzz_round_trip(const fuzz_coder *c, const uint8_t *data,
                                   size_t n, uint32_t bit)
{
    size_t n_bytes;
    uint8_t *block = fuzz_block(c, data, n, &n_bytes, bit / 7);

    block[bit / 8 % n_bytes] ^= (uint8_t)(1u << bit % 8);
    fuzz_any_block(c, block, n_bytes, n, bit / 5);
    free(block);
}

#endif
