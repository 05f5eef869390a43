/* Blocks of grids: every one comes back; what no encoder wrote is values or a
 * status.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "check.h"

#include <string.h>

int main(void)
{
    static uint8_t data[24], back[24], block[25];
    const bbans_grid grid = {2, 3, 2, 0};
    uint64_t work[64];
    size_t n_bytes, i;

    for (i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)below(256);
    CHECK(bbans_grid_bound(BBANS_ELEMENT_UINT8, 24) == 25);
    CHECK(bbans_grid_compress(BBANS_ELEMENT_UINT8, &grid, data, 24, 5, block,
                              25, &n_bytes, work, sizeof work) == BBANS_OK);
    CHECK(bbans_grid_decompress(BBANS_ELEMENT_UINT8, block, n_bytes, back, 24,
                                work, sizeof work) == BBANS_OK);
    CHECK(memcmp(data, back, 24) == 0);
    printf("test_grid: ok\n");
    return 0;
}
