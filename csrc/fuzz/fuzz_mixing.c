/* Fuzz blocks of bytes under mixed contexts: any bytes as a block, and any
 * bytes through a round trip.
 *
 * SPDX-License-Identifier: MIT */
#include "blocks.h"

#define N_MOST 600
#define HEAD 6

const size_t fuzz_size_most = 300;

typedef struct {
    int level, line;
} settings;

static size_t encode(const void *form, const uint8_t *data, size_t n,
                     uint8_t *block, size_t cap)
{
    const settings *s = form;
    const size_t work_bytes = bbans_mixing_encoder_bytes(n, s->level);
    void *work = fuzz_work(work_bytes);
    size_t n_bytes;

    CHECK(bbans_mixing_compress(data, n, s->level, s->line, block, cap,
                                &n_bytes, work, work_bytes) == BBANS_OK);
    CHECK(bbans_mixing_decoder_bytes(block, n_bytes) <= work_bytes);
    return n_bytes;
}

static bbans_status decode(const void *form, const uint8_t *block,
                           size_t n_bytes, uint8_t *data, size_t n)
{
    const size_t work_bytes = bbans_mixing_decoder_bytes(block, n_bytes);
    void *work = fuzz_work(work_bytes > 0 ? work_bytes : 8);
    size_t written;
    const bbans_status status = bbans_mixing_decompress(
        block, n_bytes, data, n, &written, work, work_bytes);

    (void)form;
    if (status == BBANS_OK)
        fuzz_fill(data, written, n);
    return status;
}

static fuzz_coder coder_of(const settings *s, size_t n)
{
    const fuzz_coder c = {1, bbans_mixing_bound(n), s, encode, decode};

    return c;
}

/* The level and the line, and then a block or data. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const int is_block = fuzz_below(&in, 4) > 0;
    const uint32_t bit = fuzz_below(&in, 65536);
    settings s;
    fuzz_coder c;
    size_t n;

    s.level = 3 + (int)fuzz_below(&in, 7);
    s.line = (int)fuzz_below(&in, 400) - 1;
    if (!is_block) {
        c = coder_of(&s, in.left);
        fuzz_round_trip(&c, in.at, in.left, bit);
    } else if (bbans_mixing_size(in.at, in.left, &n) == BBANS_OK &&
               n <= N_MOST) {
        c = coder_of(&s, n);
        fuzz_any_block(&c, in.at, in.left, n, bit);
    }
    return 0;
}

/* Of few kinds of bytes; or repeated, not quite, at a distance. */
size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    uint8_t plain[N_MOST], *block;
    uint32_t kinds, period, rare;
    size_t n, n_bytes, i;
    fuzz_coder c;
    settings s;

    fuzz_random(k);
    n = below(below(8) ? 60 : (uint32_t)(cap - HEAD) * 2 / 3);
    kinds = 1 + below(256);
    period = 1 + below(30);
    rare = 1 + below(100);
    for (i = 0; i < n; i++)
        plain[i] = i < period || below(rare) == 0 ? (uint8_t)below(kinds)
                                                  : plain[i - period];
    memset(data, 0, HEAD);
    if (k % 4 == 0) {
        data[3] = (uint8_t)k;
        memcpy(data + HEAD, plain, n);
        return HEAD + n;
    }
    data[0] = 1;
    s.level = 3 + (int)below(7);
    s.line = below(4) ? -1 : (int)below(40);
    c = coder_of(&s, n);
    block = fuzz_block(&c, plain, n, &n_bytes, k);
    CHECK(HEAD + n_bytes <= cap);
    memcpy(data + HEAD, block, n_bytes);
    free(block);
    return HEAD + n_bytes;
}
