/* Blocks of floats as integers: docs/format.md, "Floats".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_floats.h"

/* ---- Workspace ------------------------------------------------------------
 */

typedef struct {
    bbans_conversion *conversion; /* [BBANS_CONVERSIONS_MAX] */
    uint8_t *integer;             /* [8 n] */
    uint8_t *class_of;            /* [n] */
    uint8_t *moved;               /* [2 n] */
    uint8_t *coder;               /* of a block of integers */
    size_t coder_bytes;
} space;

static uint64_t padded(uint64_t bytes) /* to 8 */
{
    return (bytes + 7) & ~(uint64_t)7;
}

size_t bbans_integers_decoder_bytes(size_t n)
{
    const size_t signal = bbans_signal_decoder_bytes(n);
    const size_t grid = bbans_grid_decoder_bytes(BBANS_ELEMENT_INT64, n);
    uint64_t bytes;

    if (signal == 0 || grid == 0)
        return 0;
    bytes = padded(BBANS_CONVERSIONS_MAX * sizeof(bbans_conversion)) +
            8 * (uint64_t)n + padded(n) + padded(2 * (uint64_t)n) +
            (signal > grid ? signal : grid);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

static space cut(void *work, size_t work_bytes, size_t n)
{
    uint8_t *rest = (uint8_t *)work;
    space w;

    w.conversion = (bbans_conversion *)(void *)rest;
    rest += padded(BBANS_CONVERSIONS_MAX * sizeof *w.conversion);
    w.integer = rest;
    rest += 8 * n;
    w.class_of = rest;
    rest += padded(n);
    w.moved = rest;
    rest += padded(2 * (uint64_t)n);
    w.coder = rest;
    w.coder_bytes = work_bytes - (size_t)(rest - (uint8_t *)work);
    return w;
}

/* ---- What precedes the integers --------------------------------------------
 */

static void take_ratio(bbans_cursor *c, bbans_conversion *to)
{
    to->num = bbans_take_number(c);
    to->den = bbans_take_number(c);
    to->fine = bbans_take_number(c);
    if (c->status == BBANS_OK &&
        (to->num == 0 || to->den == 0 || to->fine == 0 ||
         to->den > UINT64_MAX / to->fine))
        c->status = BBANS_ERR_CORRUPT;
    if (c->status != BBANS_OK)
        return;
    to->by_den = bbans_quotient_by(to->den);
    to->by_fine =
        to->fine == 1 ? to->by_den : bbans_quotient_by(to->den * to->fine);
}

static void take_conversion(bbans_cursor *c, const bbans_float_type *type,
                            bbans_conversion *to)
{
    uint64_t e = 0;

    to->kind = (int)bbans_take(c, 1);
    to->e = 0;
    if (to->kind == BBANS_CONVERT_ORDER)
        return;
    e = bbans_take_number(c);
    if (to->kind >= BBANS_CONVERT_KINDS || e > 2 * BBANS_CONVERT_E_MAX)
        c->status = BBANS_ERR_CORRUPT;
    if (c->status != BBANS_OK)
        return;
    to->e = (e & 1) != 0 ? -(int)(e >> 1) - 1 : (int)(e >> 1);
    if (to->kind == BBANS_CONVERT_RATIO)
        take_ratio(c, to);
    else if (to->e < 1 - type->bias - type->fraction)
        c->status = BBANS_ERR_CORRUPT;
}

/* ---- Sections --------------------------------------------------------------
 */

/* Bytes, and how many they are before them. */
static const uint8_t *take_section(bbans_cursor *c, size_t *n_bytes)
{
    const uint64_t n = bbans_take_number(c);
    const uint8_t *at = c->at;

    *n_bytes = 0;
    if (c->status == BBANS_OK && n > (size_t)(c->end - at))
        c->status = BBANS_ERR_TRUNCATED;
    if (c->status != BBANS_OK)
        return at;
    *n_bytes = (size_t)n;
    c->at += n;
    return at;
}

/* Elements of a section, of a type up to `widest`; returns their type. */
static int take_integers(bbans_cursor *c, unsigned flags, int least, int most,
                         uint8_t *to, size_t n, const space *w)
{
    const int element = least == most ? least : (int)bbans_take(c, 1);
    size_t n_bytes;
    const uint8_t *block = take_section(c, &n_bytes);

    if (c->status == BBANS_OK &&
        (element < least || element > most || (element & 1) != (least & 1)))
        c->status = BBANS_ERR_CORRUPT;
    if (c->status != BBANS_OK)
        return least;
    if ((flags & BBANS_FLOAT_GRID) != 0)
        c->status = bbans_grid_decompress(element, block, n_bytes, to, n,
                                          w->coder, w->coder_bytes);
    else
        c->status = bbans_signal_decompress(element, NULL, block, n_bytes, to,
                                            n, w->coder, w->coder_bytes);
    return element;
}

/* ---- Floats ----------------------------------------------------------------
 */

typedef struct {
    bbans_float_type type;
    size_t n, groups;
    unsigned flags, patterns;
    int integers, moved; /* types of elements */
    uint8_t *data;
    const uint8_t *pattern;
    bbans_cursor more; /* of exceptions */
    bbans_raw_reader raw;
} integers;

static uint64_t integer_at(const integers *s, const space *w, size_t i)
{
    const size_t width = (size_t)1 << ((s->integers - BBANS_ELEMENT_UINT8) / 2);
    const uint64_t sign = (uint64_t)1 << (8 * width - 1);

    return (bbans_bits_load(w->integer + i * width, width) ^ sign) - sign;
}

static uint64_t moved_at(const integers *s, const space *w, size_t i)
{
    const uint64_t sign = s->moved == BBANS_ELEMENT_INT8 ? 0x80 : 0x8000;
    const size_t width = s->moved == BBANS_ELEMENT_INT8 ? 1 : 2;

    return (bbans_bits_load(w->moved + i * width, width) ^ sign) - sign;
}

/* The floats of a group, those of exceptions as far as integers say. */
static void convert_group(integers *s, const space *w, size_t group)
{
    const bbans_conversion *c =
        w->conversion + ((s->flags & BBANS_FLOAT_SHARED) != 0 ? 0 : group);
    const int has_classes = (s->flags & BBANS_FLOAT_CLASSES) != 0;
    const int is_moved = (s->flags & BBANS_FLOAT_MOVED) != 0;
    const bbans_float_type type = s->type;
    size_t i;

    for (i = group; i < s->n; i += s->groups) {
        uint64_t order = integer_at(s, w, i);

        if (c->kind == BBANS_CONVERT_RATIO)
            order = bbans_float_multiple(&type, c, &c->by_den, order);
        else if (c->kind != BBANS_CONVERT_ORDER)
            order = bbans_unrounded(
                &type, c, order,
                has_classes && w->class_of[i] != 0 ? NULL : &s->raw);
        if (is_moved)
            order += moved_at(s, w, i);
        bbans_bits_store(s->data + i * type.width,
                         bbans_float_bits(&type, order), type.width);
    }
}

static uint64_t take_signed(bbans_cursor *c)
{
    const uint64_t v = bbans_take_number(c);

    return v >> 1 ^ (0 - (v & 1));
}

/* The bits of an exception, whose float so far is at `at`. */
static uint64_t exception(integers *s, const space *w, size_t i)
{
    const size_t group = i % s->groups, width = s->type.width;
    const bbans_conversion *c =
        w->conversion + ((s->flags & BBANS_FLOAT_SHARED) != 0 ? 0 : group);
    const unsigned k = w->class_of[i];
    uint64_t order;

    if (k <= s->patterns)
        return bbans_load(s->pattern + (k - 1) * width, width);
    switch (k - s->patterns) {
    case BBANS_CLASS_BITS: return bbans_take(&s->more, width);
    case BBANS_CLASS_MOVED:
        order = bbans_float_order(&s->type,
                                  bbans_bits_load(s->data + i * width, width));
        order += take_signed(&s->more);
        return bbans_float_bits(&s->type, order);
    case BBANS_CLASS_FINE:
        if (c->kind != BBANS_CONVERT_RATIO)
            break;
        order = integer_at(s, w, i) * c->fine + take_signed(&s->more);
        return bbans_float_bits(
            &s->type, bbans_float_multiple(&s->type, c, &c->by_fine, order));
    default: break;
    }
    s->more.status = BBANS_ERR_CORRUPT;
    return 0;
}

static bbans_status put_exceptions(integers *s, const space *w)
{
    size_t i;

    for (i = 0; i < s->n && s->more.status == BBANS_OK; i++)
        if (w->class_of[i] != 0)
            bbans_bits_store(s->data + i * s->type.width, exception(s, w, i),
                             s->type.width);
    if (s->more.status != BBANS_OK || s->more.at != s->more.end)
        return BBANS_ERR_CORRUPT;
    return BBANS_OK;
}

static void take_classes(integers *s, bbans_cursor *c, const space *w)
{
    const uint8_t *at;
    size_t n_bytes;

    s->patterns = (unsigned)bbans_take(c, 1);
    if (s->patterns > BBANS_PATTERNS_MAX ||
        (size_t)(c->end - c->at) < s->patterns * s->type.width)
        c->status = BBANS_ERR_CORRUPT;
    if (c->status != BBANS_OK)
        return;
    s->pattern = c->at;
    c->at += s->patterns * s->type.width;
    (void)take_integers(c, s->flags, BBANS_ELEMENT_UINT8, BBANS_ELEMENT_UINT8,
                        w->class_of, s->n, w);
    at = take_section(c, &n_bytes);
    s->more = bbans_cursor_of(at, at + n_bytes);
}

static void take_sections(integers *s, bbans_cursor *c, const space *w)
{
    s->integers = take_integers(c, s->flags, BBANS_ELEMENT_INT8,
                                BBANS_ELEMENT_INT64, w->integer, s->n, w);
    if ((s->flags & BBANS_FLOAT_CLASSES) != 0)
        take_classes(s, c, w);
    s->raw.at = s->raw.end = c->at;
    if ((s->flags & BBANS_FLOAT_RAW) != 0) {
        size_t n_bytes;

        s->raw.at = take_section(c, &n_bytes);
        s->raw.end = s->raw.at + n_bytes;
    }
    if ((s->flags & BBANS_FLOAT_MOVED) != 0)
        s->moved = take_integers(c, s->flags, BBANS_ELEMENT_INT8,
                                 BBANS_ELEMENT_INT16, w->moved, s->n, w);
    if (c->status == BBANS_OK && c->at != c->end)
        c->status = BBANS_ERR_CORRUPT;
}

bbans_status bbans_integers_decompress(int element, const uint8_t *block,
                                       size_t n_bytes, void *data, size_t n,
                                       void *work, size_t work_bytes)
{
    bbans_cursor c = bbans_cursor_of(block, block + n_bytes);
    const space w = cut(work, work_bytes, n);
    uint64_t groups;
    size_t i, conversions;
    integers s;

    memset(&s, 0, sizeof s);
    s.type = bbans_float_type_of(element);
    s.n = n;
    s.data = (uint8_t *)data;
    s.flags = (unsigned)bbans_take(&c, 1);
    groups = bbans_take_number(&c);
    if (c.status != BBANS_OK || s.flags >= BBANS_FLOAT_FLAGS || groups < 1 ||
        groups > n || n % groups != 0)
        return BBANS_ERR_CORRUPT;
    s.groups = (size_t)groups;
    conversions = (s.flags & BBANS_FLOAT_SHARED) != 0 ? 1 : s.groups;
    if (conversions > BBANS_CONVERSIONS_MAX)
        return BBANS_ERR_CORRUPT;
    for (i = 0; i < conversions; i++)
        take_conversion(&c, &s.type, w.conversion + i);
    if (c.status == BBANS_OK)
        take_sections(&s, &c, &w);
    if (c.status != BBANS_OK)
        return BBANS_ERR_CORRUPT;
    for (i = 0; i < s.groups; i++)
        convert_group(&s, &w, i);
    if (s.raw.past || s.raw.at != s.raw.end || s.raw.bits != 0)
        return BBANS_ERR_CORRUPT;
    return (s.flags & BBANS_FLOAT_CLASSES) != 0 ? put_exceptions(&s, &w)
                                                : BBANS_OK;
}
