/* Arrays of any integer type: checked, widened and narrowed, in plain loops
 * that compilers vectorise where there is no kernel.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

/* v < limit <= 2^31, for all elements, if none has the top bit (negative ones
 * do) and each v - limit does: one OR and one AND of all of them, as every
 * vector unit has. */
#define IS_BELOW(unsigned_type)                                                \
    do {                                                                       \
        const unsigned_type *v = (const unsigned_type *)array + first;         \
        const unsigned_type top = (unsigned_type) ~((unsigned_type)-1 >> 1);   \
        unsigned_type any = 0, all = top;                                      \
        for (i = 0; i < n; i++) {                                              \
            any |= v[i];                                                       \
            all &= (unsigned_type)(v[i] - (unsigned_type)limit);               \
        }                                                                      \
        return any < top && all == top;                                        \
    } while (0)

/* The same for limits that the type may not reach. */
#define IS_BELOW_SHORT(unsigned_type)                                          \
    do {                                                                       \
        const unsigned_type *v = (const unsigned_type *)array + first;         \
        unsigned_type most = 0;                                                \
        for (i = 0; i < n; i++)                                                \
            most = v[i] > most ? v[i] : most;                                  \
        return most < limit;                                                   \
    } while (0)

int bbans_array_is_below(const void *array, int type, size_t first, size_t n,
                         uint32_t limit)
{
    size_t i;

    if (n == 0) /* then there may be no array, nor a limit above 0 */
        return 1;
    /* Values of a signed type, as unsigned, are negative from its top bit on.
     */
    if (type == BBANS_I8 && limit > 1u << 7)
        limit = 1u << 7;
    if (type == BBANS_I16 && limit > 1u << 15)
        limit = 1u << 15;
    switch (type < 0 ? -type : type) {
    case 1: IS_BELOW_SHORT(uint8_t);
    case 2: IS_BELOW_SHORT(uint16_t);
    case 4:
        return bbans_kernel.most((const uint32_t *)array + first, n) < limit;
    default: IS_BELOW(uint64_t);
    }
}

#define READ(unsigned_type)                                                    \
    do {                                                                       \
        const unsigned_type *v = (const unsigned_type *)array + first;         \
        for (i = 0; i < n; i++)                                                \
            scratch[i] = (uint32_t)v[i];                                       \
        return scratch;                                                        \
    } while (0)

const uint32_t *bbans_array_read(const void *array, int type, size_t first,
                                 size_t n, uint32_t *scratch)
{
    size_t i;

    switch (type < 0 ? -type : type) {
    case 1: READ(uint8_t);
    case 2: READ(uint16_t);
    case 4: return (const uint32_t *)array + first;
    default: READ(uint64_t);
    }
}

#define WRITE(unsigned_type)                                                   \
    do {                                                                       \
        unsigned_type *v = (unsigned_type *)array + first;                     \
        for (i = 0; i < n; i++)                                                \
            v[i] = (unsigned_type)value[i];                                    \
        return;                                                                \
    } while (0)

void bbans_array_write(void *array, int type, size_t first, size_t n,
                       const uint32_t *value)
{
    size_t i;

    switch (type < 0 ? -type : type) {
    case 1: WRITE(uint8_t);
    case 2: WRITE(uint16_t);
    case 4: WRITE(uint32_t);
    default: WRITE(uint64_t);
    }
}
