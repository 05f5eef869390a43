/* Arrays of any integer type: checked, widened and narrowed, in plain loops
 * that compilers vectorise where there is no kernel.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

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
        return bbans_kernel.lanes->max_u32((const uint32_t *)array + first, n) <
               limit;
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

void bbans_array_read_values(const void *array, int type, size_t first,
                             size_t n, int64_t *value)
{
    size_t i;

#define READ_VALUES(c_type)                                                    \
    do {                                                                       \
        const c_type *v = (const c_type *)array + first;                       \
        for (i = 0; i < n; i++)                                                \
            value[i] = (int64_t)v[i];                                          \
        return;                                                                \
    } while (0)
    switch (type) {
    case BBANS_U8: READ_VALUES(uint8_t);
    case BBANS_U16: READ_VALUES(uint16_t);
    case BBANS_U32: READ_VALUES(uint32_t);
    case BBANS_I8: READ_VALUES(int8_t);
    case BBANS_I16: READ_VALUES(int16_t);
    case BBANS_I32: READ_VALUES(int32_t);
    default: READ_VALUES(int64_t);
    }
#undef READ_VALUES
}

/* One OR of all of them, which compilers vectorise, and a loop that ends early
 * they do not. */
static int are_of_32_bits(const int64_t *value, size_t n)
{
    uint64_t any = 0;
    size_t i;

    for (i = 0; i < n; i++)
        any |= ((uint64_t)value[i] + ((uint64_t)1 << 31)) >> 32;
    return any == 0;
}

size_t bbans_array_write_values(void *array, int type, size_t first, size_t n,
                                const int64_t *value)
{
    size_t i;

    if (type == BBANS_I32 && are_of_32_bits(value, n)) {
        int32_t *v = (int32_t *)array + first;

        for (i = 0; i < n; i++)
            v[i] = (int32_t)value[i];
        return n;
    }

#define WRITE_VALUES(c_type, low, high)                                        \
    do {                                                                       \
        c_type *v = (c_type *)array + first;                                   \
        for (i = 0; i < n && value[i] >= (low) && value[i] <= (high); i++)     \
            v[i] = (c_type)value[i];                                           \
        return i;                                                              \
    } while (0)
    switch (type) {
    case BBANS_U8: WRITE_VALUES(uint8_t, 0, UINT8_MAX);
    case BBANS_U16: WRITE_VALUES(uint16_t, 0, UINT16_MAX);
    case BBANS_U32: WRITE_VALUES(uint32_t, 0, UINT32_MAX);
    case BBANS_I8: WRITE_VALUES(int8_t, INT8_MIN, INT8_MAX);
    case BBANS_I16: WRITE_VALUES(int16_t, INT16_MIN, INT16_MAX);
    case BBANS_I32: WRITE_VALUES(int32_t, INT32_MIN, INT32_MAX);
    default: WRITE_VALUES(int64_t, INT64_MIN, INT64_MAX);
    }
#undef WRITE_VALUES
}
