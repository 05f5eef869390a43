/* How files begin and how their records are checked; what elements are.
 * docs/format.md.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_files.h"

int bbans_checksum_matches(const uint8_t *bytes, size_t n_bytes)
{
    return bbans_crc32(0, bytes, n_bytes) ==
           bbans_load(bytes + n_bytes, CHECKSUM_BYTES);
}

uint32_t bbans_record_crc(uint64_t place, const uint8_t *bytes, size_t n_bytes)
{
    uint8_t number[8];

    bbans_store(number, place, sizeof number);
    return bbans_crc32(bbans_crc32(0, number, sizeof number), bytes, n_bytes);
}

uint8_t *bbans_put_reversed(uint8_t *to, uint64_t value)
{
    uint8_t bytes[BBANS_UVARINT_BYTES];
    size_t n = bbans_put_uvarint(bytes, value);

    while (n > 0)
        *to++ = bytes[--n];
    return to;
}

uint64_t bbans_take_reversed(bbans_cursor *c)
{
    uint8_t bytes[BBANS_UVARINT_BYTES];
    size_t n = 0, used = 0;
    uint64_t value = 0;

    while (n < sizeof bytes && n < (size_t)(c->end - c->at)) {
        bytes[n] = *(c->end - n - 1);
        n++;
    }
    if (c->status == BBANS_OK)
        c->status = bbans_take_uvarint(bytes, n, &used, &value);
    c->end -= used;
    return c->status == BBANS_OK ? value : 0;
}

/* ---- Elements ------------------------------------------------------------ */

size_t bbans_element_bytes(int element)
{
    const int type = element & ~BBANS_ELEMENT_BIG_ENDIAN;

    if (type != element && type < BBANS_ELEMENT_UINT16)
        return 0;
    switch (type) {
    case BBANS_ELEMENT_BYTES:
    case BBANS_ELEMENT_UTF8:
    case BBANS_ELEMENT_UINT8:
    case BBANS_ELEMENT_INT8: return 1;
    case BBANS_ELEMENT_BOOL: /* bytes have no order */
    case BBANS_ELEMENT_FLOAT8_E4M3:
    case BBANS_ELEMENT_FLOAT8_E5M2: return type == element;
    case BBANS_ELEMENT_UINT16:
    case BBANS_ELEMENT_INT16:
    case BBANS_ELEMENT_FLOAT16: return 2;
    case BBANS_ELEMENT_BFLOAT16: return type == element ? 2 : 0;
    case BBANS_ELEMENT_CHARACTERS:
    case BBANS_ELEMENT_UINT32:
    case BBANS_ELEMENT_INT32:
    case BBANS_ELEMENT_FLOAT32: return 4;
    case BBANS_ELEMENT_UINT64:
    case BBANS_ELEMENT_INT64:
    case BBANS_ELEMENT_FLOAT64:
    case BBANS_ELEMENT_DATETIME:
    case BBANS_ELEMENT_TIMEDELTA: return 8;
    default: return 0;
    }
}

uint64_t bbans_element_get(const uint8_t *from, size_t width)
{
    uint16_t half;
    uint32_t word;
    uint64_t wide;

    switch (width) {
    case 1: return *from;
    case 2: memcpy(&half, from, width); return half;
    case 4: memcpy(&word, from, width); return word;
    default: memcpy(&wide, from, width); return wide;
    }
}

void bbans_element_put(uint8_t *to, uint64_t bits, size_t width)
{
    const uint16_t half = (uint16_t)bits;
    const uint32_t word = (uint32_t)bits;

    switch (width) {
    case 1: *to = (uint8_t)bits; break;
    case 2: memcpy(to, &half, width); break;
    case 4: memcpy(to, &word, width); break;
    default: memcpy(to, &bits, width); break;
    }
}

uint64_t bbans_element_extend(uint64_t bits, size_t width)
{
    const uint64_t sign = (uint64_t)1 << (8 * width - 1);

    return ((bits & (sign | (sign - 1))) ^ sign) - sign;
}

int bbans_element_is_signed(int element)
{
    return element >= BBANS_ELEMENT_UINT8 &&
           (bbans_element_integer(element) & 1) != 0;
}

int bbans_element_has_unit(int element)
{
    return element == BBANS_ELEMENT_DATETIME ||
           element == BBANS_ELEMENT_TIMEDELTA;
}

int bbans_unit_is_valid(int element, int unit, uint64_t multiplier)
{
    if (!bbans_element_has_unit(element))
        return unit == 0 && multiplier == 0;
    return multiplier >= 1 &&
           multiplier <= (unit == BBANS_UNIT_GENERIC ? 1 : INT32_MAX);
}

int bbans_element_is_float(int element)
{
    return element >= BBANS_ELEMENT_FLOAT16 &&
           element <= BBANS_ELEMENT_FLOAT8_E5M2;
}

int bbans_element_integer(int element)
{
    switch (element) {
    case BBANS_ELEMENT_BOOL:
    case BBANS_ELEMENT_FLOAT8_E4M3:
    case BBANS_ELEMENT_FLOAT8_E5M2: return BBANS_ELEMENT_UINT8;
    case BBANS_ELEMENT_FLOAT16:
    case BBANS_ELEMENT_BFLOAT16: return BBANS_ELEMENT_UINT16;
    case BBANS_ELEMENT_FLOAT32: return BBANS_ELEMENT_UINT32;
    case BBANS_ELEMENT_FLOAT64: return BBANS_ELEMENT_UINT64;
    default:
        return bbans_element_has_unit(element) ? BBANS_ELEMENT_INT64 : element;
    }
}

int bbans_element_fits(int element, int64_t value)
{
    const size_t width = bbans_element_bytes(element);

    if (bbans_element_is_signed(element))
        return bbans_element_extend((uint64_t)value, width) == (uint64_t)value;
    if (element == BBANS_ELEMENT_CHARACTERS)
        return value >= 0 && value <= BBANS_CODE_POINT_MAX;
    if (element == BBANS_ELEMENT_BOOL)
        return value >= 0 && value <= 1;
    return value >= 0 && (width == 8 || (uint64_t)value >> (8 * width) == 0);
}

int bbans_elements_are_valid(int element, const uint8_t *data, size_t n)
{
    size_t i;

    for (i = 0; element == BBANS_ELEMENT_CHARACTERS && i < n; i++)
        if (bbans_element_get(data + 4 * i, 4) > BBANS_CODE_POINT_MAX)
            return 0;
    for (i = 0; element == BBANS_ELEMENT_BOOL && i < n; i++)
        if (data[i] > 1)
            return 0;
    return 1;
}

uint64_t bbans_shape_elements(const uint64_t *shape, size_t axes, size_t width)
{
    uint64_t room = (((uint64_t)1 << 63) - 1) / width, product = 1;
    size_t i;

    if (axes > BBANS_AXES_MAX)
        return BBANS_NO_SHAPE;
    for (i = 0; i < axes; i++) {
        if (shape[i] == 0) {
            product = 0;
            continue;
        }
        if (shape[i] > room) /* an empty array too has axes */
            return BBANS_NO_SHAPE;
        room /= shape[i];
        product *= shape[i];
    }
    return product;
}

int bbans_axis_is_valid(const uint64_t *shape, size_t axes, unsigned axis,
                        size_t block)
{
    uint64_t step = 1; /* of a shape that bbans_shape_elements has passed */
    size_t i;

    for (i = 1; i < axes; i++)
        step *= shape[i];
    return axis == 0 || (axis < axes && (step == 0 || block % step == 0));
}

int bbans_element_is_native(size_t width)
{
    uint8_t bytes[8] = {1};

    return bbans_element_get(bytes, width) == 1;
}
