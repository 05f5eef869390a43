/* Blocks of grids on their way out: docs/maths.md, "Grids".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_grids.h"

#include "../files/bbans_files.h"

#ifndef BBANS_DECODER_ONLY
size_t bbans_grid_bound(int element, size_t n)
{
    const size_t width = bbans_element_bytes(element);

    return width == 0 || n > BBANS_BLOCK_MAX ? 0 : 1 + n * width;
}

size_t bbans_grid_encoder_bytes(int element, const bbans_grid *grid, size_t n,
                                int level)
{
    if (bbans_element_bytes(element) == 0 || grid == NULL ||
        !bbans_grid_holds(grid, n) || level < 1 || level > BBANS_LEVEL_MAX)
        return 0;
    return 8;
}

static bbans_status store_elements(const uint8_t *data, size_t n, size_t width,
                                   uint8_t *block, size_t cap, size_t *n_bytes)
{
    size_t i;

    if (cap < 1 + n * width)
        return BBANS_ERR_CAPACITY;
    block[0] = BBANS_GRID_STORED;
    for (i = 0; i < n * width; i += width)
        bbans_store(block + 1 + i, bbans_element_get(data + i, width), width);
    *n_bytes = 1 + n * width;
    return BBANS_OK;
}

bbans_status bbans_grid_compress(int element, const bbans_grid *grid,
                                 const void *data, size_t n, int level,
                                 uint8_t *block, size_t cap, size_t *n_bytes,
                                 void *work, size_t work_bytes)
{
    size_t need;

    if (grid == NULL || data == NULL || block == NULL || n_bytes == NULL ||
        work == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (element < BBANS_ELEMENT_UINT8 || element > BBANS_ELEMENT_INT64)
        return BBANS_ERR_SYMBOL;
    need = bbans_grid_encoder_bytes(element, grid, n, level);
    if (need == 0)
        return BBANS_ERR_SIZE;
    if (work_bytes < need || cap < 1)
        return BBANS_ERR_CAPACITY;
    return store_elements((const uint8_t *)data, n,
                          bbans_element_bytes(element), block, cap, n_bytes);
}
#endif /* BBANS_DECODER_ONLY */
