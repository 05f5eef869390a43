/* Floats as planes of their bytes: docs/format.md, "Floats".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_floats.h"

#ifndef BBANS_DECODER_ONLY
size_t bbans_planes_bound(int element, size_t n)
{
    return n * bbans_element_bytes(element);
}

size_t bbans_planes_encoder_bytes(int element, size_t n, int level)
{
    (void)element;
    (void)n;
    (void)level;
    return 8;
}

bbans_status bbans_planes_compress(int element, const void *data, size_t n,
                                   int level, uint8_t *block, size_t cap,
                                   size_t *n_bytes, void *work,
                                   size_t work_bytes)
{
    const size_t width = bbans_element_bytes(element);
    const uint8_t *from = (const uint8_t *)data;
    size_t i;

    (void)level;
    (void)work;
    (void)work_bytes;
    if (cap < n * width)
        return BBANS_ERR_CAPACITY;
    for (i = 0; i < n * width; i += width)
        bbans_store(block + i, bbans_element_get(from + i, width), width);
    *n_bytes = n * width;
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

size_t bbans_planes_decoder_bytes(int element, size_t n)
{
    (void)element;
    (void)n;
    return 8;
}

bbans_status bbans_planes_decompress(int element, const uint8_t *block,
                                     size_t n_bytes, void *data, size_t n,
                                     void *work, size_t work_bytes)
{
    const size_t width = bbans_element_bytes(element);
    uint8_t *to = (uint8_t *)data;
    size_t i;

    (void)work;
    (void)work_bytes;
    if (n_bytes != n * width)
        return BBANS_ERR_CORRUPT;
    for (i = 0; i < n * width; i += width)
        bbans_element_put(to + i, bbans_load(block + i, width), width);
    return BBANS_OK;
}
