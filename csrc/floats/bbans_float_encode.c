/* Blocks of floats on their way out: docs/maths.md, "Floats".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_floats.h"

#ifndef BBANS_DECODER_ONLY
size_t bbans_float_bound(int element, size_t n)
{
    if (!bbans_element_is_float(element) || n < 1 || n > BBANS_BLOCK_MAX)
        return 0;
    return 1 + n * bbans_element_bytes(element);
}

/* Whole channels, or whole rows. */
static int is_laid_out(size_t channels, const bbans_grid *grid, size_t n)
{
    if (channels > 0)
        return n % channels == 0;
    if (grid == NULL)
        return 1;
    return grid->rows > 0 && grid->columns > 0 && grid->bands > 0 &&
           grid->columns <= BBANS_BLOCK_MAX / grid->bands &&
           n % (grid->columns * grid->bands) == 0;
}

size_t bbans_float_encoder_bytes(int element, size_t channels,
                                 const bbans_grid *grid, size_t n, int level)
{
    if (bbans_float_bound(element, n) == 0 || level < 1 ||
        level > BBANS_LEVEL_MAX || !is_laid_out(channels, grid, n))
        return 0;
    return bbans_planes_encoder_bytes(element, n, level);
}

static bbans_status store_floats(const uint8_t *data, size_t n, size_t width,
                                 uint8_t *block, size_t cap, size_t *n_bytes)
{
    size_t i;

    if (cap < 1 + n * width)
        return BBANS_ERR_CAPACITY;
    block[0] = BBANS_FORM_STORED;
    for (i = 0; i < n * width; i += width)
        bbans_store(block + 1 + i, bbans_element_get(data + i, width), width);
    *n_bytes = 1 + n * width;
    return BBANS_OK;
}

bbans_status bbans_float_compress(int element, size_t channels,
                                  const bbans_grid *grid, const void *data,
                                  size_t n, int level, uint8_t *block,
                                  size_t cap, size_t *n_bytes, void *work,
                                  size_t work_bytes)
{
    const size_t width = bbans_element_bytes(element);
    size_t need, used;
    bbans_status status;

    if (data == NULL || block == NULL || n_bytes == NULL || work == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    if (!bbans_element_is_float(element))
        return BBANS_ERR_SYMBOL;
    need = bbans_float_encoder_bytes(element, channels, grid, n, level);
    if (need == 0)
        return BBANS_ERR_SIZE;
    if (work_bytes < need || cap < 1)
        return BBANS_ERR_CAPACITY;
    status = bbans_planes_compress(element, data, n, level, block + 1, cap - 1,
                                   &used, work, work_bytes);
    if (status == BBANS_OK && used < n * width) {
        block[0] = BBANS_FORM_PLANES;
        *n_bytes = 1 + used;
        return BBANS_OK;
    }
    return store_floats((const uint8_t *)data, n, width, block, cap, n_bytes);
}
#endif /* BBANS_DECODER_ONLY */
