/* Fuzz files of context mixers: the input makes one, with a prior, and codes.
 *
 * SPDX-License-Identifier: MIT */
#include "models.h"

#define NUMBERS                                                                \
    (BBANS_MIXER_SETS * BBANS_MIXER_INPUTS +                                   \
     BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS)
#define HEAD 16
#define START 40 /* bytes of a file before the weights */
#define FILE_MOST (START + 2 * NUMBERS + 1000)

const size_t fuzz_size_most = 800;

/* What is coded, what is before the weights, rows, and a few weights that are
 * not those of the others. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[FILE_MOST], packed[4 * FILE_MOST];
    uint8_t coded[HEAD];
    fuzz_input in, rows;
    size_t n_rows, n, i;

    if (size < HEAD + START + 2)
        return 0;
    memcpy(coded, data, HEAD);
    coded[0] &= (uint8_t)~2u; /* it has no latents: no push and no pop */
    in = fuzz_begin(coded, HEAD);
    memcpy(file, data + HEAD, START);
    rows = fuzz_begin(data + HEAD + START, size - HEAD - START);
    fuzz_random(fuzz_below(&rows, 256));
    n_rows = rows.left - rows.left / 4;
    for (i = 0; i < NUMBERS; i++)
        put(file + START + 2 * i, below(4) == 0 ? random_bits() & 0xFFFF : 3000,
            2);
    memcpy(file + START + 2 * NUMBERS, rows.at, n_rows);
    rows.at += n_rows;
    rows.left -= n_rows;
    while (rows.left > 3) {
        i = fuzz_below(&rows, NUMBERS);
        put(file + START + 2 * i, fuzz_bits(&rows, 2), 2);
    }
    n = START + 2 * NUMBERS + n_rows + 4;
    if (file[10] == 0)
        put(file + 36, n_rows, 4);
    fuzz_model_file(&in, file, n);
    bbans_store(file + n - 4, bbans_crc32(0, file, n - 4), 4);
    if (bbans_model_pack(file, n, packed, sizeof packed, &n) == BBANS_OK) {
        packed[fuzz_below(&in, (uint32_t)n)] ^= (uint8_t)fuzz_bits(&in, 1);
        unpack(packed, n);
    }
    return 0;
}

/* A slot, and behind it those below, of whom some are there. */
static uint8_t *put_slots(uint8_t *at, unsigned mask)
{
    unsigned k;

    for (k = 1; k < BBANS_MIXER_SLOTS; k++)
        if (mask >> k & 1)
            at = put(at, below(1 << 16) & 0xFFF7, 2);
    return at;
}

/* A prior of 64 places, some of them free. */
size_t fuzz_seed(uint8_t *data, size_t cap, unsigned k)
{
    static const unsigned masks[] = {2, 6, 10, 14, 0x2E, 0xFFFE};
    uint32_t numbers[6];
    unsigned rows, r;
    uint8_t *at = data + HEAD, *from;
    size_t i;

    fuzz_random(k);
    rows = 1 + below(12);
    numbers[0] = 6 + below(3);
    numbers[1] = 6 + below(3);
    numbers[2] = 6 + below(3);
    numbers[3] = 1 + below(127);
    numbers[4] = 0;
    numbers[5] = rows;
    for (i = 0; i < HEAD; i++)
        data[i] = (uint8_t)random_bits();
    memcpy(at,
           "\x89"
           "bbm\3\10\1\1\6\0\0\0",
           12);
    for (at += 12, i = 0; i < 6; i++)
        at = put(at, numbers[i], 4);
    at = put(at, 0, 4);
    at = put(at, k, 1);
    for (from = at, r = 0; r < rows; r++) {
        const unsigned mask = masks[below(6)];

        at = put(at, below(3), 1);
        at = put(at, 1 + below(UINT16_MAX), 2);
        at = put_slots(put(at, mask, 2), mask);
    }
    i = (size_t)(at - from);
    memset(at, 0, (i + 2) / 3);
    at += (i + 2) / 3;
    CHECK((size_t)(at - data) <= cap);
    return (size_t)(at - data);
}
