/* Blocks of grids, which carry their models: docs/format.md, "Grid".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_grids.h"

#include "../files/bbans_files.h"

size_t bbans_grid_decoder_bytes(int element, size_t n)
{
    return bbans_element_bytes(element) == 0 || n > BBANS_BLOCK_MAX ? 0 : 8;
}

static void take_elements(const uint8_t *bytes, size_t n, size_t width,
                          uint8_t *to)
{
    size_t i;

    for (i = 0; i < n * width; i += width)
        bbans_element_put(to + i, bbans_load(bytes + i, width), width);
}

bbans_status bbans_grid_decompress(int element, const uint8_t *block,
                                   size_t n_bytes, void *data, size_t n,
                                   void *work, size_t work_bytes)
{
    const size_t width = bbans_element_bytes(element);

    if (block == NULL || data == NULL || work == NULL)
        return BBANS_ERR_NULL;
    if (element < BBANS_ELEMENT_UINT8 || element > BBANS_ELEMENT_INT64)
        return BBANS_ERR_SYMBOL;
    if (n < 1 || n > BBANS_BLOCK_MAX)
        return BBANS_ERR_SIZE;
    if (work_bytes < bbans_grid_decoder_bytes(element, n))
        return BBANS_ERR_CAPACITY;
    if (n_bytes != 1 + n * width || block[0] != BBANS_GRID_STORED)
        return BBANS_ERR_CORRUPT;
    take_elements(block + 1, n, width, (uint8_t *)data);
    return BBANS_OK;
}
