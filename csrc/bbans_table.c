/* CDF tables: checks, and slot -> symbol.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

bbans_status bbans_table_check(const bbans_table *table)
{
    size_t i, k;

    if (table == NULL || table->cdf == NULL)
        return BBANS_ERR_NULL;
    if (table->prec < 1 || table->prec > BBANS_PREC_MAX)
        return BBANS_ERR_PRECISION;
    if (table->rows == 0 || table->symbols == 0 ||
        table->symbols > (size_t)1 << table->prec ||
        table->rows > SIZE_MAX / sizeof(uint32_t) / (table->symbols + 1))
        return BBANS_ERR_SIZE;
    for (i = 0; i < table->rows; i++) {
        const uint32_t *edge = table->cdf + i * (table->symbols + 1);

        if (edge[0] != 0 || edge[table->symbols] != (uint32_t)1 << table->prec)
            return BBANS_ERR_TABLE;
        for (k = 0; k < table->symbols; k++)
            if (edge[k] >= edge[k + 1])
                return BBANS_ERR_TABLE;
    }
    return BBANS_OK;
}

size_t bbans_table_find(const bbans_table *table, size_t row, uint32_t slot)
{
    const uint32_t *edge = table->cdf + row * (table->symbols + 1);
    size_t n = table->symbols;

    /* The edges after the first that are <= slot number the symbols before. */
    return bbans_bisect(edge + 1, &n, slot, 0);
}
