/* Values under a family, one at a time: nothing is easy here, and the caller's
 * own loop, with bbans_family.h, defines the result.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

static void locate_spans(const bbans_family *family, const int64_t *location,
                         const int32_t *scale, const int64_t *value, size_t n,
                         bbans_span *span, uint8_t *easy)
{
    (void)family, (void)location, (void)scale, (void)value, (void)span;
    memset(easy, 0, (n + 7) / 8);
}

static void find_values(const bbans_family *family, const int64_t *location,
                        const int32_t *scale, const uint64_t *head, size_t n,
                        bbans_span *span, int64_t *value, uint8_t *easy)
{
    (void)family, (void)location, (void)scale, (void)head, (void)span,
        (void)value;
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

const bbans_family_kernels bbans_family_portable = {
    .locate_spans = locate_spans,
    .find_values = find_values,
    .fix_locations = fix_locations,
    .fix_scales = fix_scales};
