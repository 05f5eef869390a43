/* Blocks of floats on their way out: docs/maths.md, "Floats".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_floats.h"

#include "../signals/bbans_signals.h"

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
    uint64_t bytes;

    if (bbans_float_bound(element, n) == 0 || level < 1 ||
        level > BBANS_LEVEL_MAX || !is_laid_out(channels, grid, n))
        return 0;
    bytes = bbans_planes_encoder_bytes(element, n, level);
    if (bytes == 0)
        return 0;
    if (channels > 0 || grid != NULL) {
        const size_t integers =
            bbans_integers_encoder_bytes(element, channels, grid, n, level);

        if (integers == 0)
            return 0;
        bytes = bytes > integers ? bytes : integers;
        bytes += 1 + n * (uint64_t)bbans_element_bytes(element);
    }
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* ---- Forms -----------------------------------------------------------------
 */

/* The block so far, if n > 0; others must be shorter. */
typedef struct {
    uint8_t *block;
    size_t n, cap;
} shortest;

static void try_planes(shortest *best, int element, const void *data, size_t n,
                       int level, void *work, size_t work_bytes)
{
    size_t used;

    if (best->cap > 2 &&
        bbans_planes_compress(element, data, n, level, best->block + 1,
                              best->cap - 2, &used, work,
                              work_bytes) == BBANS_OK) {
        best->block[0] = BBANS_FORM_PLANES;
        best->n = 1 + used;
    }
}

/* The last bytes of the workspace have room for a block. */
static void try_integers(shortest *best, const bbans_floats *floats, void *work,
                         size_t work_bytes)
{
    const size_t stored = 1 + floats->n * floats->type.width;
    uint8_t *block = (uint8_t *)work + (work_bytes - stored);
    const size_t cap = best->n > 0 ? best->n - 1 : best->cap - 1;
    size_t used;

    if (cap > 1 && bbans_integers_compress(floats, block, cap - 1, &used, work,
                                           work_bytes - stored) == BBANS_OK) {
        best->block[0] = BBANS_FORM_INTEGERS;
        memcpy(best->block + 1, block, used);
        best->n = 1 + used;
    }
}

bbans_status bbans_float_compress(int element, size_t channels,
                                  const bbans_grid *grid, const void *data,
                                  size_t n, int level, uint8_t *block,
                                  size_t cap, size_t *n_bytes, void *work,
                                  size_t work_bytes)
{
    const size_t width = bbans_element_bytes(element);
    shortest best;
    size_t need;

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
    best.block = block;
    best.n = 0;
    best.cap = cap < 1 + n * width ? cap : 1 + n * width;
    try_planes(&best, element, data, n, level, work, work_bytes);
    if (channels > 0 || grid != NULL) {
        bbans_floats floats;

        floats.type = bbans_float_type_of(element);
        floats.element = element;
        floats.data = (const uint8_t *)data;
        floats.n = n;
        floats.channels = channels;
        floats.groups = channels > 0 ? channels : grid->bands;
        floats.grid = grid;
        floats.level = level;
        try_integers(&best, &floats, work, work_bytes);
    }
    if (best.n > 0) {
        *n_bytes = best.n;
        return BBANS_OK;
    }
    return bbans_elements_store(BBANS_FORM_STORED, (const uint8_t *)data, n,
                                width, block, cap, n_bytes);
}
#endif /* BBANS_DECODER_ONLY */
