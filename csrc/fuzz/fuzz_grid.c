/* Fuzz the coder of grids: any bytes as a block of integers of any type, and
 * any integers through a round trip, in frames of rows of pixels.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "blocks.h"

#define N_MOST 256
#define HEAD 10

const size_t fuzz_size_most = 450;

typedef struct {
    int element, level;
    bbans_grid grid;
} settings;

static size_t encode(const void *form, const uint8_t *data, size_t n,
                     uint8_t *block, size_t cap)
{
    const settings *s = form;
    const size_t work_bytes =
        bbans_grid_encoder_bytes(s->element, &s->grid, n, s->level);
    void *work = fuzz_work(work_bytes);
    size_t n_bytes;

    CHECK(bbans_grid_compress(s->element, &s->grid, data, n, s->level, block,
                              cap, &n_bytes, work, work_bytes) == BBANS_OK);
    return n_bytes;
}

static bbans_status decode(const void *form, const uint8_t *block,
                           size_t n_bytes, uint8_t *data, size_t n)
{
    const settings *s = form;
    const size_t work_bytes = bbans_grid_decoder_bytes(s->element, n);
    void *work = fuzz_work(work_bytes);

    return bbans_grid_decompress(s->element, block, n_bytes, data, n, work,
                                 work_bytes);
}

static fuzz_coder coder_of(const settings *s, size_t n)
{
    const fuzz_coder c = {bbans_element_bytes(s->element),
                          bbans_grid_bound(s->element, n), s, encode, decode};

    return c;
}

static settings take_settings(fuzz_input *in)
{
    settings s;

    s.element = BBANS_ELEMENT_UINT8 + (int)fuzz_below(in, 8);
    s.level = fuzz_level(fuzz_below(in, 256));
    s.grid.columns = 1 + fuzz_below(in, 20);
    s.grid.bands = 1 + fuzz_below(in, 3);
    s.grid.rows = 1 + fuzz_below(in, 12);
    s.grid.period = fuzz_below(in, 4);
    if (s.grid.period == 1)
        s.grid.period = 0;
    return s;
}

/* A block or data behind what it is and of how many. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const int is_block = fuzz_below(&in, 4) > 0;
    const size_t of = 1 + fuzz_below(&in, N_MOST);
    const uint32_t bit = fuzz_below(&in, 65536);
    const settings s = take_settings(&in);
    const size_t pixel = s.grid.columns * s.grid.bands;
    const size_t width = bbans_element_bytes(s.element);
    fuzz_coder c;

    if (is_block) {
        c = coder_of(&s, of);
        fuzz_any_block(&c, in.at, in.left, of, bit);
    } else if (in.left / width >= pixel) {
        const size_t n = in.left / width / pixel * pixel;

        c = coder_of(&s, n);
        fuzz_round_trip(&c, in.at, n, bit);
    }
    return 0;
}

/* Smooth, of few kinds, or noise; half of them coded. */
size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    uint8_t plain[8 * N_MOST], *block;
    const size_t room = cap - HEAD;
    uint32_t kinds, value = 0;
    size_t n, n_bytes, pixel, width, i;
    fuzz_input in;
    fuzz_coder c;
    settings s;

    fuzz_random(k);
    for (i = 0; i < HEAD; i++)
        data[i] = (uint8_t)below(12);
    data[0] = k % 2;
    in = fuzz_begin(data + 4, HEAD - 4);
    s = take_settings(&in);
    pixel = s.grid.columns * s.grid.bands;
    width = bbans_element_bytes(s.element);
    n = pixel * (1 + below(below(8) ? 6 : 24));
    while (n > pixel && (n * width > room || n > N_MOST))
        n -= pixel;
    kinds = 1 + below(below(2) == 0 ? 8 : 256);
    for (i = 0; i < n; i++) {
        value = (value + below(3)) % kinds;
        bbans_store(plain + i * width, value, width);
        if (kinds > 200)
            plain[i * width + below((uint32_t)width)] = (uint8_t)below(256);
    }
    if (k % 2 == 0) {
        memcpy(data + HEAD, plain, n * width);
        return HEAD + n * width;
    }
    data[1] = (uint8_t)(n - 1);
    c = coder_of(&s, n);
    block = fuzz_block(&c, plain, n, &n_bytes, k);
    if (n_bytes > room)
        n_bytes = room;
    memcpy(data + HEAD, block, n_bytes);
    free(block);
    return HEAD + n_bytes;
}
