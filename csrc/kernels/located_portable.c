/* Values under a shape, one at a time: nothing is easy here, and the caller's
 * own loop, with bbans_located.h, defines the result.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

void bbans_k_locate_portable(const bbans_shape *shape, const int64_t *at,
                             const int32_t *by, const int64_t *value, size_t n,
                             bbans_span *span, uint8_t *easy)
{
    (void)shape, (void)at, (void)by, (void)value, (void)span;
    memset(easy, 0, (n + 7) / 8);
}

void bbans_k_find_located_portable(const bbans_shape *shape, const int64_t *at,
                                   const int32_t *by, const uint64_t *head,
                                   size_t n, bbans_span *span, int64_t *value,
                                   uint8_t *easy)
{
    (void)shape, (void)at, (void)by, (void)head, (void)span, (void)value;
    memset(easy, 0, (n + 7) / 8);
}

void bbans_k_fix_locations_portable(const void *real, int type, size_t n,
                                    int64_t *location)
{
    (void)real, (void)type;
    while (n-- > 0)
        location[n] = INT64_MIN;
}

void bbans_k_fix_scales_portable(const void *real, int type, size_t n,
                                 int32_t *scale)
{
    (void)real, (void)type;
    while (n-- > 0)
        scale[n] = INT32_MIN;
}
