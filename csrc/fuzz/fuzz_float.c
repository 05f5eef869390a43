/* Fuzz blocks of floats: any bytes as a block, and any bytes as floats through
 * a round trip, of any type, alone, in channels or as a grid.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"
#include "blocks.h"

#define N_MOST 256
#define HEAD 10

const size_t fuzz_size_most = 450;

typedef struct {
    int element, level;
    size_t channels; /* or 0 */
    int is_grid;
    bbans_grid grid;
} settings;

static const bbans_grid *grid_of(const settings *s)
{
    return s->is_grid ? &s->grid : NULL;
}

static size_t encode(const void *form, const uint8_t *data, size_t n,
                     uint8_t *block, size_t cap)
{
    const settings *s = form;
    const size_t work_bytes = bbans_float_encoder_bytes(
        s->element, s->channels, grid_of(s), n, s->level);
    void *work = fuzz_work(work_bytes);
    size_t n_bytes;

    CHECK(bbans_float_compress(s->element, s->channels, grid_of(s), data, n,
                               s->level, block, cap, &n_bytes, work,
                               work_bytes) == BBANS_OK);
    return n_bytes;
}

static bbans_status decode(const void *form, const uint8_t *block,
                           size_t n_bytes, uint8_t *data, size_t n)
{
    const settings *s = form;
    const size_t work_bytes = bbans_float_decoder_bytes(s->element, n);
    void *work = fuzz_work(work_bytes);

    return bbans_float_decompress(s->element, block, n_bytes, data, n, work,
                                  work_bytes);
}

static fuzz_coder coder_of(const settings *s, size_t n)
{
    const fuzz_coder c = {bbans_element_bytes(s->element),
                          bbans_float_bound(s->element, n), s, encode, decode};

    return c;
}

static settings take_settings(fuzz_input *in)
{
    settings s;
    uint32_t of;

    s.element = BBANS_ELEMENT_FLOAT16 + (int)fuzz_below(in, 6);
    s.level = fuzz_level(fuzz_below(in, 256));
    of = 1 + fuzz_below(in, 6);
    s.is_grid = (int)fuzz_below(in, 2);
    s.channels = !s.is_grid && fuzz_below(in, 2) ? of : 0;
    s.grid.columns = of;
    s.grid.bands = s.is_grid ? 1 + fuzz_below(in, 2) : 1;
    s.grid.rows = 1 + fuzz_below(in, 5);
    s.grid.period = 0;
    return s;
}

static size_t group_of(const settings *s)
{
    return s->is_grid        ? s->grid.columns * s->grid.bands
           : s->channels > 0 ? s->channels
                             : 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const int is_block = fuzz_below(&in, 4) > 0;
    const size_t of = 1 + fuzz_below(&in, N_MOST);
    const uint32_t bit = fuzz_below(&in, 65536);
    const settings s = take_settings(&in);
    const size_t width = bbans_element_bytes(s.element), group = group_of(&s);
    fuzz_coder c;

    if (is_block) {
        c = coder_of(&s, of);
        fuzz_any_block(&c, in.at, in.left, of, bit);
    } else if (in.left / width >= group) {
        const size_t n = in.left / width / group * group;

        c = coder_of(&s, n);
        fuzz_round_trip(&c, in.at, n, bit);
    }
    return 0;
}

/* Decimals and steps, with what is none of it; half of them coded. */
static void draw(uint8_t *data, size_t n, size_t width)
{
    const double step = below(2) ? 0.01 : (1 + below(50)) / 1024.0 / 3;
    const uint32_t wild = 1 + below(200), kind = below(4);
    int64_t walk = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        const double x = (double)(walk += (int64_t)below(401) - 200) *
                         (kind == 0   ? step
                          : kind == 1 ? 1e-3 * below(9000)
                                      : 1);
        const float narrow = (float)x;
        uint64_t bits = kind == 3 ? (uint64_t)walk : random_bits();
        uint32_t half;

        if (below(wild) > 0 && width == 8) {
            memcpy(&bits, &x, 8);
        } else if (below(wild) > 0 && width == 4) {
            memcpy(&half, &narrow, 4);
            bits = half;
        }
        bbans_store(data + i * width, bits, width);
    }
}

size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    uint8_t plain[8 * N_MOST], *block;
    const size_t room = cap - HEAD;
    size_t n, n_bytes, width, group, i;
    fuzz_input in;
    fuzz_coder c;
    settings s;

    fuzz_random(k);
    for (i = 0; i < HEAD; i++)
        data[i] = (uint8_t)below(12);
    data[0] = k % 2;
    in = fuzz_begin(data + 4, HEAD - 4);
    s = take_settings(&in);
    width = bbans_element_bytes(s.element);
    group = group_of(&s);
    n = group * (1 + below(below(8) ? 20 : 80));
    while (n > group && (n * width > room || n > N_MOST))
        n -= group;
    draw(plain, n, width);
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
