/* UTF-8 to code points and back: RFC 3629.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* The bytes of the character that starts here, 0 if none does.  The bounds of
 * the second byte exclude longer forms than needed, surrogates, and what is
 * above U+10FFFF. */
static size_t character(const uint8_t *bytes, size_t n_bytes, uint32_t *point)
{
    const uint8_t lead = bytes[0];
    const size_t n = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    size_t i;

    *point = lead;
    if (n == 1)
        return 1;
    if (lead < 0xC2 || lead > 0xF4 || n_bytes < n || bytes[1] < low ||
        bytes[1] > high)
        return 0;
    *point = lead & (0x7Fu >> n);
    for (i = 1; i < n; i++) {
        if (bytes[i] >> 6 != 2)
            return 0;
        *point = *point << 6 | (bytes[i] & 0x3Fu);
    }
    return n;
}

bbans_status bbans_utf8_decode(const uint8_t *bytes, size_t n_bytes,
                               uint32_t *point, size_t cap, size_t *n)
{
    size_t at = 0;

    if (n == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    for (*n = 0; at < n_bytes; ++*n) {
        uint32_t c;
        const size_t used = character(bytes + at, n_bytes - at, &c);

        if (used == 0)
            return BBANS_ERR_SYMBOL;
        if (point != NULL) {
            if (*n == cap)
                return BBANS_ERR_CAPACITY;
            point[*n] = c;
        }
        at += used;
    }
    return BBANS_OK;
}

bbans_status bbans_utf8_encode(const uint32_t *point, size_t n, uint8_t *bytes,
                               size_t cap, size_t *n_bytes)
{
    static const uint8_t lead[] = {0, 0xC0, 0xE0, 0xF0};
    size_t i, k;

    if (n_bytes == NULL || ((point == NULL || bytes == NULL) && n > 0))
        return BBANS_ERR_NULL;
    for (i = *n_bytes = 0; i < n; i++) {
        const uint32_t c = point[i];
        const size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

        if (c > BBANS_CODE_POINT_MAX)
            return BBANS_ERR_SYMBOL;
        if (cap - *n_bytes < more + 1)
            return BBANS_ERR_CAPACITY;
        bytes[*n_bytes] = (uint8_t)(lead[more] | c >> (6 * more));
        for (k = 1; k <= more; k++)
            bytes[*n_bytes + k] =
                (uint8_t)(0x80u | (c >> (6 * (more - k)) & 0x3Fu));
        *n_bytes += more + 1;
    }
    return BBANS_OK;
}
