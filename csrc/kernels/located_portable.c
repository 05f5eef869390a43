/* Values under a shape, one at a time: nothing is easy here, and the caller's
 * own loop, with bbans_located.h, defines the result.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

static void locate_spans(const bbans_shape *shape, const int64_t *at,
                         const int32_t *by, const int64_t *value, size_t n,
                         bbans_span *span, uint8_t *easy)
{
    (void)shape, (void)at, (void)by, (void)value, (void)span;
    memset(easy, 0, (n + 7) / 8);
}

static void find_located(const bbans_shape *shape, const int64_t *at,
                         const int32_t *by, const uint64_t *head, size_t n,
                         bbans_span *span, int64_t *value, uint8_t *easy)
{
    (void)shape, (void)at, (void)by, (void)head, (void)span, (void)value;
    memset(easy, 0, (n + 7) / 8);
}

static void fix_locations(const void *real, int type, size_t n,
                          int64_t *location)
{
    (void)real, (void)type;
    while (n-- > 0)
        location[n] = INT64_MIN;
}

static void fix_scales(const void *real, int type, size_t n, int32_t *scale)
{
    (void)real, (void)type;
    while (n-- > 0)
        scale[n] = INT32_MIN;
}

const bbans_located_kernels bbans_located_portable = {
    .locate_spans = locate_spans,
    .find_located = find_located,
    .fix_locations = fix_locations,
    .fix_scales = fix_scales};
