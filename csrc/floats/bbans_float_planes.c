/* Floats as planes of their bytes: docs/format.md, "Floats".
 *
 * Of an element turned left by one bit the exponent is on top, what it takes of
 * the mantissa below it, and the sign is the lowest bit: a plane for each byte.
 * Weights differ little in their exponents, and not at all in the lower bits.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_floats.h"

#define WIDTH_MAX 8

#ifndef BBANS_DECODER_ONLY
#define ORDER_1_LEVEL 4 /* from which contexts are tried */
#define TRIAL_LEVEL                                                            \
    7             /* from which planes are coded whatever they look like       \
                   */
#define PIECES 16 /* of a sample, and their bytes */
#define PIECE_BYTES 512
/* Planes are stored if a byte of a sample takes more bits, in units of 2^-16:
 * what is lost is less than what the time is worth. */
#define FLAT_BITS 514000   /* 7.84 */
#define FLAT_BITS_1 520000 /* 7.93, from ORDER_1_LEVEL on */

size_t bbans_planes_bound(int element, size_t n)
{
    return (n + 1) * bbans_element_bytes(element);
}

/* The planes, a block of one, and what it takes to code it. */
size_t bbans_planes_encoder_bytes(int element, size_t n, int level)
{
    (void)level;
    return n * bbans_element_bytes(element) + bbans_bytes_bound(n) +
           bbans_bytes_work_bytes(n);
}

/* Whether the bytes of a plane seem to be as good as random. */
static int is_flat(const uint8_t *plane, size_t n, int level)
{
    const uint64_t least = level < ORDER_1_LEVEL ? FLAT_BITS : FLAT_BITS_1;
    const size_t sample = (size_t)PIECES * PIECE_BYTES;
    uint32_t count[BYTE_VALUES];
    uint64_t cost;
    size_t i, k;

    if (n < 2 * sample || level >= TRIAL_LEVEL)
        return 0;
    memset(count, 0, sizeof count);
    for (k = 0; k < PIECES; k++) {
        const uint8_t *piece = plane + n / PIECES * k;

        for (i = 0; i < PIECE_BYTES; i++)
            count[piece[i]]++;
    }
    cost = sample * (uint64_t)bbans_log2((uint32_t)sample);
    for (k = 0; k < BYTE_VALUES; k++)
        if (count[k] > 0)
            cost -= count[k] * (uint64_t)bbans_log2(count[k]);
    return cost > sample * least;
}

bbans_status bbans_planes_compress(int element, const void *data, size_t n,
                                   int level, uint8_t *block, size_t cap,
                                   size_t *n_bytes, void *work,
                                   size_t work_bytes)
{
    const size_t width = bbans_element_bytes(element);
    uint8_t *const planes = (uint8_t *)work, *const coded = planes + n * width;
    uint8_t *const rest = coded + bbans_bytes_bound(n);
    const size_t rest_bytes = work_bytes - (size_t)(rest - planes);
    uint8_t *at = block, *const end = block + cap;
    size_t k, size;

    BBANS_PLANES->split((const uint8_t *)data, width, n, planes);
    for (k = 0; k < width; k++) {
        const uint8_t *from = planes + k * n;
        uint8_t number[BBANS_UVARINT_BYTES];
        size_t digits;

        size = n;
        if (!is_flat(from, n, level)) {
            bbans_status status = BBANS_OK;

            size = level < ORDER_1_LEVEL
                       ? bbans_bytes_compress_sampled(from, n, coded, n, rest)
                       : 0;
            if (size == 0)
                status = bbans_bytes_compress(from, n, level >= ORDER_1_LEVEL,
                                              coded, bbans_bytes_bound(n),
                                              &size, rest, rest_bytes);
            if (status != BBANS_OK)
                return status;
        }
        if (size < n) {
            from = coded;
            digits = bbans_put_uvarint(number, size);
        } else {
            size = n;
            digits = bbans_put_uvarint(number, 0);
        }
        if (digits + size > (size_t)(end - at))
            return BBANS_ERR_CAPACITY; /* the elements are shorter */
        memcpy(at, number, digits);
        memcpy(at + digits, from, size);
        at += digits + size;
    }
    *n_bytes = (size_t)(at - block);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

size_t bbans_planes_decoder_bytes(int element, size_t n)
{
    return n * bbans_element_bytes(element) + bbans_bytes_work_bytes(n);
}

bbans_status bbans_planes_decompress(int element, const uint8_t *block,
                                     size_t n_bytes, void *data, size_t n,
                                     void *work, size_t work_bytes)
{
    const size_t width = bbans_element_bytes(element);
    uint8_t *const planes = (uint8_t *)work, *const rest = planes + n * width;
    const size_t rest_bytes = work_bytes - n * width;
    const uint8_t *plane[WIDTH_MAX], *at = block, *const end = block + n_bytes;
    size_t k;

    for (k = 0; k < width; k++) {
        uint64_t size;
        size_t digits = 0, n_out;

        if (bbans_take_uvarint(at, (size_t)(end - at), &digits, &size) !=
            BBANS_OK)
            return BBANS_ERR_CORRUPT;
        at += digits;
        if (size > n || (size == 0 ? n : size) > (size_t)(end - at))
            return BBANS_ERR_CORRUPT;
        if (size == 0) { /* in place */
            plane[k] = at;
            at += n;
            continue;
        }
        plane[k] = planes + k * n;
        if (bbans_bytes_size(at, (size_t)size, &n_out) != BBANS_OK ||
            n_out != n ||
            bbans_bytes_decompress(at, (size_t)size, planes + k * n, n, &n_out,
                                   rest, rest_bytes) != BBANS_OK)
            return BBANS_ERR_CORRUPT;
        at += size;
    }
    if (at != end)
        return BBANS_ERR_CORRUPT;
    BBANS_PLANES->join(plane, width, n, (uint8_t *)data);
    return BBANS_OK;
}
