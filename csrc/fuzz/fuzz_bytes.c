/* Fuzz the byte coder: any bytes as a block, and any bytes through a round
 * trip; what stands at some places of any bytes, as patches.
 *
 * SPDX-License-Identifier: MIT */
#include "../bytes/bbans_bytes_internal.h"
#include "blocks.h"

#define N_MOST 2048
#define PLACES_MOST 60
#define HEAD 4

const size_t fuzz_size_most = 1000;

static size_t encode(const void *form, const uint8_t *data, size_t n,
                     uint8_t *block, size_t cap)
{
    const size_t work_bytes = bbans_bytes_work_bytes(n);
    void *work = fuzz_work(work_bytes);
    size_t n_bytes;

    CHECK(bbans_bytes_compress(data, n, *(const int *)form, block, cap,
                               &n_bytes, work, work_bytes) == BBANS_OK);
    return n_bytes;
}

static bbans_status decode(const void *form, const uint8_t *block,
                           size_t n_bytes, uint8_t *data, size_t n)
{
    const size_t work_bytes = bbans_bytes_work_bytes(n);
    void *work = fuzz_work(work_bytes);
    size_t written;
    const bbans_status status = bbans_bytes_decompress(
        block, n_bytes, data, n, &written, work, work_bytes);

    (void)form;
    if (status == BBANS_OK)
        fuzz_fill(data, written, n);
    return status;
}

static fuzz_coder coder_of(const int *order, size_t n)
{
    const fuzz_coder c = {1, bbans_bytes_bound(n), order, encode, decode};

    return c;
}

/* Places and what stands there, written and read; and any bits as such. */
static void patches(fuzz_input in)
{
    const size_t n = 1 + fuzz_below(&in, fuzz_below(&in, 2) ? N_MOST : 16);
    uint8_t *bytes = fuzz_memory(n), *back = fuzz_memory(n);
    uint32_t at[PLACES_MOST];
    uint8_t bits[4000];
    bit_writer w;
    bit_reader r;
    size_t places, i;
    uint32_t place = (uint32_t)n, flip;

    for (i = 0; i < n; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (places = 0; places < PLACES_MOST && place > 0; places++) {
        place -= 1 + fuzz_below(&in, place < 300 ? place : 300);
        at[places] = place;
        bytes[place] = (uint8_t)fuzz_bits(&in, 1);
    }
    memcpy(back, bytes, n);
    for (i = 0; i < places; i++)
        back[at[i]] ^= 1;
    memset(&w, 0, sizeof w);
    w.bytes = bits;
    w.cap = sizeof bits;
    bbans_patches_write(&w, at, places, bytes, n);
    bbans_bits_flush(&w);
    CHECK(w.len <= w.cap);
    memset(&r, 0, sizeof r);
    r.bytes = bits;
    r.len = w.len;
    CHECK(bbans_patches_read(&r, back, n));
    CHECK(r.at == w.len && fuzz_same(back, bytes, n));
    memset(&r, 0, sizeof r);
    r.bytes = bits;
    r.len = w.len;
    flip = fuzz_below(&in, 65536);
    bits[flip / 8 % w.len] ^= (uint8_t)(1u << flip % 8);
    (void)bbans_patches_read(&r, back, n);
    memset(&r, 0, sizeof r);
    r.bytes = in.at;
    r.len = in.left;
    (void)bbans_patches_read(&r, back, n);
    free(bytes);
    free(back);
}

/* The order and how often the bytes are repeated, and then a block or data. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const int order = (int)fuzz_below(&in, 2);
    const unsigned what = fuzz_below(&in, 32);
    const uint32_t bit = fuzz_below(&in, 65536);
    size_t n;

    if (what < 16) {
        if (bbans_bytes_size(in.at, in.left, &n) == BBANS_OK && n <= N_MOST) {
            const fuzz_coder c = coder_of(&order, n);

            fuzz_any_block(&c, in.at, in.left, n, bit);
        }
    } else if (what < 24) {
        /* Long blocks, for rare bytes to be patched: what is there, again. */
        const size_t times = what == 16 ? 40000 / (in.left + 1) : 1;
        uint8_t *many = fuzz_memory(in.left * times + 1);
        fuzz_coder c;

        for (n = 0; n < in.left * times; n++)
            many[n] = in.at[what == 16 ? n % (1 + in.left / 8) : n];
        if (what == 16 && n > 0)
            many[bit % n] = (uint8_t)~many[bit % n];
        c = coder_of(&order, n);
        fuzz_round_trip(&c, many, n, bit);
        free(many);
    } else {
        patches(in);
    }
    return 0;
}

/* A block, of bytes whose next is mostly their last plus one of a few. */
size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    uint8_t plain[N_MOST], *block;
    uint32_t symbols, step, value = 0;
    size_t n, n_bytes, i;
    fuzz_coder c;
    int order = (int)(k % 2);

    fuzz_random(k);
    n = below(below(4) ? 200 : 900);
    symbols = 1 + below(256);
    step = 1 + below(5);
    for (i = 0; i < n; i++) {
        value = (value + below(step) * below(2)) % symbols;
        plain[i] = (uint8_t)value;
    }
    memset(data, 0, HEAD);
    data[0] = (uint8_t)order;
    data[1] = (uint8_t)(k / 2 % 32);
    if (data[1] >= 16) {
        memcpy(data + HEAD, plain, n);
        return HEAD + n;
    }
    c = coder_of(&order, n);
    block = fuzz_block(&c, plain, n, &n_bytes, k);
    CHECK(HEAD + n_bytes <= cap);
    memcpy(data + HEAD, block, n_bytes);
    free(block);
    return HEAD + n_bytes;
}
