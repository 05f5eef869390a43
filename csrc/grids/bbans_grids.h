/* Private to grids/: what its files share.  docs/format.md, "Grid", and
 * docs/maths.md, "Grids".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_GRIDS_H
#define BBANS_GRIDS_H

#include "../bbans_internal.h"

#define BBANS_GRID_STORED 255 /* the first byte of a block: elements follow */

#ifndef BBANS_DECODER_ONLY
/* Whether n elements are such a grid. */
static inline int bbans_grid_holds(const bbans_grid *grid, size_t n)
{
    return n >= 1 && n <= BBANS_BLOCK_MAX && grid->rows >= 1 &&
           grid->rows <= BBANS_BLOCK_MAX && grid->columns >= 1 &&
           grid->columns <= n && grid->bands >= 1 &&
           grid->bands <= n / grid->columns &&
           n % (grid->columns * grid->bands) == 0 && grid->period != 1 &&
           grid->period <= BBANS_BLOCK_MAX;
}
#endif /* BBANS_DECODER_ONLY */

#endif
