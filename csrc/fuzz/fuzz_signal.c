/* Fuzz the signal coder: any bytes as a block of integers of any type, and any
 * integers through a round trip, in channels, along a line.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "blocks.h"

#define N_MOST 256
#define HEAD 8

const size_t fuzz_size_most = 450;

typedef struct {
    int element, level;
    size_t channels;
    uint64_t line[2];
} settings;

static size_t encode(const void *form, const uint8_t *data, size_t n,
                     uint8_t *block, size_t cap)
{
    const settings *s = form;
    const size_t steps = n / s->channels;
    const size_t work_bytes =
        bbans_signal_encoder_bytes(s->element, steps, s->channels, s->level);
    void *work = fuzz_work(work_bytes);
    size_t n_bytes;

    CHECK(bbans_signal_compress(s->element, s->line, data, steps, s->channels,
                                s->level, block, cap, &n_bytes, work,
                                work_bytes) == BBANS_OK);
    return n_bytes;
}

static bbans_status decode(const void *form, const uint8_t *block,
                           size_t n_bytes, uint8_t *data, size_t n)
{
    const settings *s = form;
    const size_t work_bytes = bbans_signal_decoder_bytes(n);
    void *work = fuzz_work(work_bytes);

    return bbans_signal_decompress(s->element, s->line, block, n_bytes, data, n,
                                   work, work_bytes);
}

static fuzz_coder coder_of(const settings *s, size_t n)
{
    const fuzz_coder c = {bbans_element_bytes(s->element),
                          bbans_signal_bound(s->element, n), s, encode, decode};

    return c;
}

/* From the first HEAD bytes. */
static settings take_settings(fuzz_input *in)
{
    settings s;

    s.element = BBANS_ELEMENT_UINT8 + (int)fuzz_below(in, 8);
    s.level = fuzz_level(fuzz_below(in, 256));
    s.channels = 1 + fuzz_below(in, 5);
    s.line[0] = 0;
    s.line[1] = 1;
    if (fuzz_below(in, 4) == 1) {
        s.line[0] = (uint64_t)fuzz_value(in);
        s.line[1] = (uint64_t)fuzz_value(in);
    }
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const int is_block = fuzz_below(&in, 4) > 0;
    const size_t of = 1 + fuzz_below(&in, N_MOST);
    const uint32_t bit = fuzz_below(&in, 65536);
    const settings s = take_settings(&in);
    const size_t width = bbans_element_bytes(s.element);
    fuzz_coder c;

    if (is_block) {
        c = coder_of(&s, of);
        fuzz_any_block(&c, in.at, in.left, of, bit);
    } else if (in.left / width >= s.channels) {
        const size_t n = in.left / width / s.channels * s.channels;

        c = coder_of(&s, n);
        fuzz_round_trip(&c, in.at, n, bit);
    }
    return 0;
}

/* Waves and steps, few values, multiples, or noise; half of them coded. */
static uint64_t draw(uint64_t before, uint32_t kind, uint32_t spread)
{
    switch (kind) {
    case 0: return before + below(spread) - spread / 2;
    case 1: return (uint64_t)below(4) * 1000003 + spread;
    case 2: return before + 1000 + below(8) / 7;
    case 3: return (uint64_t)(below(spread)) * 640 + 7;
    default: return random_bits();
    }
}

size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    uint8_t plain[8 * N_MOST], *block;
    uint64_t value = 1000;
    uint32_t kind, spread;
    size_t n, n_bytes, width, i;
    fuzz_input in;
    fuzz_coder c;
    settings s;

    fuzz_random(k);
    for (i = 0; i < HEAD; i++)
        data[i] = (uint8_t)below(i < 4 ? 256 : 8);
    data[0] = k % 2;
    data[2] = data[3] = 0;
    data[7] = 0; /* no line: nothing of it is left in front of the block */
    in = fuzz_begin(data + 4, HEAD - 4);
    s = take_settings(&in);
    width = bbans_element_bytes(s.element);
    n = 1 + below(below(8) ? 60 : N_MOST);
    n = (n + s.channels - 1) / s.channels * s.channels;
    if (n * width > cap - HEAD || n > N_MOST)
        n = s.channels;
    kind = below(5);
    spread = 2 + below(below(2) ? 8 : 3000);
    for (i = 0; i < n; i++) {
        value = draw(value, kind, spread);
        bbans_store(plain + i * width, value, width);
    }
    if (k % 2 == 0) {
        memcpy(data + HEAD, plain, n * width);
        return HEAD + n * width;
    }
    data[1] = (uint8_t)(n - 1);
    c = coder_of(&s, n);
    block = fuzz_block(&c, plain, n, &n_bytes, k);
    if (n_bytes > cap - HEAD)
        n_bytes = cap - HEAD;
    memcpy(data + HEAD, block, n_bytes);
    free(block);
    return HEAD + n_bytes;
}
