/* CDF tables: checks, and slot -> symbol.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

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

#define ONE_ROW_BITS 10

/* Whatever the table, its K - 1 inner edges are spread over 2^bits parts, and a
 * slot of a random message is in each part with the same probability: in the
 * mean a search passes at most K 2^-bits edges beyond the first symbol of
 * its part. */
static unsigned index_bits(const bbans_table *table, unsigned bits)
{
    if (bits == 0) {
        bits = 1 + (unsigned)bbans_bit_length(table->symbols - 1);
        if (table->rows == 1) /* many rows share the cache */
            bits = bits + 3 > ONE_ROW_BITS ? bits + 3 : ONE_ROW_BITS;
    }
    return bits < table->prec ? bits : table->prec;
}

size_t bbans_table_index_words(const bbans_table *table, unsigned bits)
{
    if (table == NULL || table->symbols > (size_t)1 << 16)
        return 0;
    bits = index_bits(table, bits);
    return table->rows > SIZE_MAX / 2 >> bits ? 0 : table->rows << bits;
}

/* Four at a time: a table may be made for one symbol. */
static uint16_t *fill(uint16_t *to, size_t n, size_t symbol)
{
    const uint64_t four = symbol * UINT64_C(0x0001000100010001);

    for (; n >= 4; n -= 4, to += 4)
        memcpy(to, &four, sizeof four);
    while (n-- > 0)
        *to++ = (uint16_t)symbol;
    return to;
}

bbans_status bbans_table_index(bbans_table *table, unsigned bits,
                               uint16_t *index, size_t words)
{
    size_t row, part, symbol;
    unsigned shift;

    if (table == NULL || index == NULL)
        return BBANS_ERR_NULL;
    if (bbans_table_index_words(table, bits) == 0)
        return BBANS_ERR_SIZE;
    if (words < bbans_table_index_words(table, bits))
        return BBANS_ERR_CAPACITY;
    table->index_bits = index_bits(table, bits);
    table->index = index;
    shift = table->prec - table->index_bits;
    for (row = 0; row < table->rows; row++) {
        const uint32_t *edge = table->cdf + row * (table->symbols + 1);

        for (part = symbol = 0; symbol < table->symbols; symbol++) {
            /* Parts up to here begin below the symbol's end: 2^28 at most. */
            const size_t end =
                (edge[symbol + 1] + ((uint32_t)1 << shift) - 1) >> shift;

            index = fill(index, end - part, symbol);
            part = end;
        }
    }
    return BBANS_OK;
}

#define STEPS 8

/* Few slots of an indexed table need more than some steps; a bisection bounds
 * the work on hostile ones, and does it where there is no index. */
size_t bbans_find_from(const uint32_t *edge, size_t symbols, size_t symbol,
                       uint32_t slot)
{
    const size_t end = symbol + STEPS;
    size_t n;

    for (; symbol < end; symbol++)
        if (slot < edge[symbol + 1])
            return symbol;
    /* The edges after this symbol that are <= slot number those before the
     * slot's. */
    n = symbols - symbol;
    return symbol + bbans_bisect(edge + symbol + 1, &n, slot, 0);
}

void bbans_table_cells(const bbans_table *table, unsigned bits,
                       bbans_cells *cells)
{
    const uint32_t *edge = table->cdf;
    const unsigned to_slot = table->prec - bits;
    uint32_t i = 0, k;

    cells->bits = bits;
    for (k = 0; k < table->symbols; k++) {
        const uint32_t freq = edge[k + 1] - edge[k];
        const uint32_t next =
            k + 1 < table->symbols ? edge[k + 2] - edge[k + 1] : 0;
        const bbans_cell cell = {edge[k], freq, freq ^ next, k + 1};

        for (; i << to_slot < edge[k + 1]; i++)
            cells->cell[i] = cell;
    }
}

size_t bbans_table_find(const bbans_table *table, size_t row, uint32_t slot)
{
    return bbans_find(table, row, slot);
}
