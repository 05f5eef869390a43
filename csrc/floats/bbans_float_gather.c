/* Blocks of floats as integers, on their way out: docs/maths.md, "Floats".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_floats.h"

#ifndef BBANS_DECODER_ONLY
/* ---- Workspace ------------------------------------------------------------
 */

/* Of each group the best of all; the best but orders; orders; the best, but
 * what is rounded is coarse. */
enum { BEST, NO_ORDERS, ORDERS, COARSE, CHOICES };

typedef struct {
    bbans_conversion *conversion; /* CHOICES times for all groups */
    uint64_t *integer;            /* [n], then as elements */
    uint8_t *class_of;            /* [n] */
    int16_t *moved;               /* [n] */
    uint8_t *raw, *more;          /* [n * width] each: raw bits; exceptions */
    uint8_t *coder;               /* of integers, and of what finds */
    size_t coder_bytes;
} gather_space;

static uint64_t to_eight(uint64_t bytes)
{
    return (bytes + 7) & ~(uint64_t)7;
}

size_t bbans_integers_encoder_bytes(int element, size_t channels,
                                    const bbans_grid *grid, size_t n, int level)
{
    const int most = BBANS_ELEMENT_INT64;
    const size_t coder =
        channels > 0
            ? bbans_signal_encoder_bytes(most, n / channels, channels, level)
            : bbans_grid_encoder_bytes(most, grid, n, level);
    uint64_t bytes = coder;

    if (coder == 0)
        return 0;
    if (bytes < bbans_float_find_bytes())
        bytes = bbans_float_find_bytes();
    bytes +=
        to_eight(CHOICES * BBANS_CONVERSIONS_MAX * sizeof(bbans_conversion)) +
        8 * (uint64_t)n + to_eight(n) + to_eight(2 * (uint64_t)n) +
        2 * to_eight(bbans_element_bytes(element) * (uint64_t)n);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

static gather_space cut_gather(void *work, size_t n, size_t width,
                               size_t work_bytes)
{
    uint8_t *rest = (uint8_t *)work;
    gather_space w;

    w.conversion = (bbans_conversion *)(void *)rest;
    rest += to_eight(CHOICES * BBANS_CONVERSIONS_MAX * sizeof *w.conversion);
    w.integer = (uint64_t *)(void *)rest;
    rest += 8 * n;
    w.class_of = rest;
    rest += to_eight(n);
    w.moved = (int16_t *)(void *)rest;
    rest += to_eight(2 * (uint64_t)n);
    w.raw = rest;
    rest += to_eight(width * (uint64_t)n);
    w.more = rest;
    rest += to_eight(width * (uint64_t)n);
    w.coder = rest;
    w.coder_bytes = work_bytes - (size_t)(rest - (uint8_t *)work);
    return w;
}

/* ---- Integers --------------------------------------------------------------
 */

typedef struct {
    const bbans_floats *floats;
    gather_space w;
    int shared;
    size_t exceptions;
    unsigned flags, patterns;
    uint64_t pattern[BBANS_PATTERNS_MAX];
    bbans_raw_writer raw;
    size_t n_more;
} gather;

static bbans_conversion *conversion_of(const gather *g, size_t i)
{
    return g->w.conversion + (g->shared ? 0 : i % g->floats->groups);
}

static uint64_t bits_at(const gather *g, size_t i)
{
    const size_t width = g->floats->type.width;

    return bbans_bits_load(g->floats->data + i * width, width);
}

#define EXCEPTION 255 /* for the moment */

/* The integers of all floats; exceptions have that before them in their group,
 * unless theirs is near. */
static void gather_integers(gather *g)
{
    const bbans_floats *floats = g->floats;
    const bbans_float_type type = floats->type;
    size_t group, i;

    for (group = 0; group < floats->groups; group++) {
        const bbans_conversion *c = conversion_of(g, group);
        uint64_t before = 0;

        for (i = group; i < floats->n; i += floats->groups) {
            const uint64_t bits = bits_at(g, i);
            uint64_t d;
            int32_t moved;

            if (bbans_convert(&type, c, bits, &d, &moved)) {
                g->w.class_of[i] = 0;
                g->w.moved[i] = (int16_t)moved;
                if (moved != 0)
                    g->flags |= BBANS_FLOAT_MOVED;
            } else {
                g->w.class_of[i] = EXCEPTION;
                g->w.moved[i] = 0;
                g->exceptions++;
                if (c->kind != BBANS_CONVERT_RATIO ||
                    (bits & type.magnitudes) >= type.end)
                    d = before;
            }
            g->w.integer[i] = before = d;
        }
    }
}

/* ---- Exceptions ------------------------------------------------------------
 */

/* Those that recur most, by Misra and Gries' count: what is more than a
 * fifteenth of all is found. */
static void find_patterns(gather *g)
{
    size_t count[BBANS_PATTERNS_MAX] = {0};
    const size_t n = g->floats->n;
    unsigned k, kept = 0;
    size_t i;

    for (i = 0; i < n; i++)
        if (g->w.class_of[i] != 0) {
            const uint64_t bits = bits_at(g, i);
            unsigned empty = BBANS_PATTERNS_MAX;

            for (k = 0; k < BBANS_PATTERNS_MAX; k++) {
                if (count[k] > 0 && g->pattern[k] == bits)
                    break;
                if (count[k] == 0)
                    empty = k;
            }
            if (k < BBANS_PATTERNS_MAX) {
                count[k]++;
            } else if (empty < BBANS_PATTERNS_MAX) {
                g->pattern[empty] = bits;
                count[empty] = 1;
            } else {
                for (k = 0; k < BBANS_PATTERNS_MAX; k++)
                    count[k]--;
            }
        }
    for (k = 0; k < BBANS_PATTERNS_MAX; k++)
        if (count[k] > 1)
            g->pattern[kept++] = g->pattern[k];
    g->patterns = kept;
}

static const uint64_t fines[] = {10, 100, 1000, 10000, 2, 3, 4, 60};

/* How much finer a group's steps are for most of its exceptions. */
static void find_fine(gather *g, size_t group)
{
    bbans_conversion *c = conversion_of(g, group);
    const size_t stride = g->shared ? 1 : g->floats->groups;
    uint64_t best = 1;
    size_t most = 0, k;

    for (k = 0; k < sizeof fines / sizeof *fines; k++) {
        size_t good = 0, seen = 0, i;

        if (c->den > (UINT64_MAX >> 1) / fines[k])
            continue;
        c->fine = fines[k];
        c->by_fine = bbans_quotient_by(c->den * c->fine);
        for (i = group; i < g->floats->n && seen < 256; i += stride)
            if (g->w.class_of[i] == EXCEPTION) {
                uint64_t d;

                seen++;
                good += (size_t)bbans_convert_fine(&g->floats->type, c,
                                                   bits_at(g, i), &d);
            }
        if (good > most) {
            most = good;
            best = c->fine;
        }
    }
    c->fine = best;
    c->by_fine = bbans_quotient_by(c->den * c->fine);
}

static uint64_t zigzag(uint64_t v)
{
    return v << 1 ^ (0 - (v >> 63));
}

/* The class of an exception that does not recur, and what goes with it, to
 * *more. */
static unsigned class_exception(const gather *g, size_t i, uint64_t *more)
{
    const bbans_conversion *c = conversion_of(g, i);
    const bbans_float_type *type = &g->floats->type;
    const uint64_t bits = bits_at(g, i), d = g->w.integer[i];
    uint64_t order, fine;

    if (c->kind == BBANS_CONVERT_RATIO && c->fine > 1 &&
        bbans_convert_fine(type, c, bits, &fine)) {
        *more = zigzag(fine - d * c->fine);
        if (*more >> 63 == 0 && bbans_uvarint_bytes(*more) <= type->width)
            return BBANS_CLASS_FINE;
    }
    order = c->kind == BBANS_CONVERT_ORDER ? d
            : c->kind == BBANS_CONVERT_RATIO
                ? bbans_float_multiple(type, c, &c->by_den, d)
                : bbans_unrounded(type, c, d, NULL);
    order = bbans_float_order(type, bbans_float_bits(type, order));
    *more = zigzag(bbans_float_order(type, bits) - order);
    if (*more >> 63 == 0 && bbans_uvarint_bytes(*more) < type->width)
        return BBANS_CLASS_MOVED;
    *more = bits;
    return BBANS_CLASS_BITS;
}

/* Classes and what goes with them; returns 0 if that is longer than the
 * floats. */
static int put_classes(gather *g)
{
    const size_t width = g->floats->type.width;
    const size_t cap = g->floats->n * width;
    size_t i, group;
    unsigned k;

    find_patterns(g);
    for (i = 0; i < g->floats->n; i++)
        if (g->w.class_of[i] == EXCEPTION)
            for (k = 0; k < g->patterns; k++)
                if (g->pattern[k] == bits_at(g, i))
                    g->w.class_of[i] = (uint8_t)(k + 1);
    for (group = 0; group < (g->shared ? 1 : g->floats->groups); group++)
        if (conversion_of(g, group)->kind == BBANS_CONVERT_RATIO)
            find_fine(g, group);
    for (i = 0; i < g->floats->n; i++)
        if (g->w.class_of[i] == EXCEPTION) {
            uint64_t more;

            k = class_exception(g, i, &more);
            g->w.class_of[i] = (uint8_t)(g->patterns + k);
            if (cap - g->n_more < 9)
                return 0;
            if (k == BBANS_CLASS_BITS) {
                bbans_store(g->w.more + g->n_more, more, width);
                g->n_more += width;
            } else {
                g->n_more += bbans_put_uvarint(g->w.more + g->n_more, more);
            }
        }
    return 1;
}

static void put_raw_bits(gather *g)
{
    const bbans_floats *floats = g->floats;
    size_t group, i;

    g->raw.bytes = g->w.raw;
    g->raw.cap = floats->n * floats->type.width;
    for (group = 0; group < floats->groups; group++) {
        const bbans_conversion *c = conversion_of(g, group);

        if (c->kind < BBANS_CONVERT_ROUNDED)
            continue;
        for (i = group; i < floats->n; i += floats->groups)
            if (g->w.class_of[i] == 0)
                bbans_rounded_put(&floats->type, c, g->w.integer[i],
                                  bits_at(g, i), &g->raw);
    }
    bbans_raw_flush(&g->raw);
}

/* ---- Blocks ----------------------------------------------------------------
 */

typedef struct {
    uint8_t *bytes;
    size_t n, cap; /* n > cap: it does not fit */
} out_bytes;

static void put_bytes(out_bytes *out, const uint8_t *bytes, size_t n)
{
    if (out->n <= out->cap && out->cap - out->n >= n) {
        if (n > 0)
            memcpy(out->bytes + out->n, bytes, n);
        out->n += n;
    } else {
        out->n = out->cap + 1;
    }
}

static void put_value(out_bytes *out, uint64_t value, size_t n)
{
    uint8_t bytes[8];

    bbans_store(bytes, value, sizeof bytes); /* the lowest n come first */
    put_bytes(out, bytes, n);
}

static void put_number(out_bytes *out, uint64_t value)
{
    uint8_t bytes[BBANS_UVARINT_BYTES];

    put_bytes(out, bytes, bbans_put_uvarint(bytes, value));
}

static void put_conversion(out_bytes *out, const bbans_conversion *c)
{
    put_value(out, (uint64_t)c->kind, 1);
    if (c->kind == BBANS_CONVERT_ORDER)
        return;
    put_number(out, zigzag((uint64_t)(int64_t)c->e));
    if (c->kind == BBANS_CONVERT_RATIO) {
        put_number(out, c->num);
        put_number(out, c->den);
        put_number(out, c->fine);
    }
}

/* A block of integers behind its length. */
static void put_integers(const gather *g, out_bytes *out, int element,
                         const void *data)
{
    const bbans_floats *floats = g->floats;
    const size_t room = BBANS_UVARINT_BYTES;
    bbans_status status;
    uint8_t *block;
    size_t n_bytes, cap;

    if (out->n > out->cap || out->cap - out->n <= room) {
        out->n = out->cap + 1;
        return;
    }
    block = out->bytes + out->n + room;
    cap = out->cap - out->n - room;
    if (floats->channels > 0)
        status = bbans_signal_compress(
            element, NULL, data, floats->n / floats->channels, floats->channels,
            floats->level, block, cap, &n_bytes, g->w.coder, g->w.coder_bytes);
    else
        status = bbans_grid_compress(element, floats->grid, data, floats->n,
                                     floats->level, block, cap, &n_bytes,
                                     g->w.coder, g->w.coder_bytes);
    if (status != BBANS_OK) {
        out->n = out->cap + 1;
        return;
    }
    put_number(out, n_bytes);
    memmove(out->bytes + out->n, block, n_bytes);
    out->n += n_bytes;
}

/* The narrowest type that has all of the integers, as which they are put. */
static void put_narrowed(gather *g, out_bytes *out)
{
    uint8_t *to = (uint8_t *)g->w.integer;
    uint64_t any = 0;
    size_t i, width;

    for (i = 0; i < g->floats->n; i++)
        any |= zigzag(g->w.integer[i]);
    width = any >> 8 == 0 ? 1 : any >> 16 == 0 ? 2 : any >> 32 == 0 ? 4 : 8;
    for (i = 0; width < 8 && i < g->floats->n; i++)
        bbans_bits_store(to + i * width, g->w.integer[i], width);
    i = width == 1 ? 0 : width == 2 ? 1 : width == 4 ? 2 : 3;
    put_value(out, BBANS_ELEMENT_INT8 + 2 * i, 1);
    put_integers(g, out, (int)(BBANS_ELEMENT_INT8 + 2 * i), to);
}

static void put_moved(gather *g, out_bytes *out)
{
    int8_t *to = (int8_t *)g->w.moved;
    int element = BBANS_ELEMENT_INT8;
    size_t i;

    for (i = 0; i < g->floats->n; i++)
        if (g->w.moved[i] < INT8_MIN || g->w.moved[i] > INT8_MAX)
            element = BBANS_ELEMENT_INT16;
    for (i = 0; element == BBANS_ELEMENT_INT8 && i < g->floats->n; i++)
        to[i] = (int8_t)g->w.moved[i];
    put_value(out, (uint64_t)element, 1);
    put_integers(g, out, element, to);
}

static bbans_status put_block(gather *g, out_bytes *out)
{
    const size_t conversions = g->shared ? 1 : g->floats->groups;
    size_t i;

    if (g->raw.n > 0)
        g->flags |= BBANS_FLOAT_RAW;
    put_value(out, g->flags, 1);
    put_number(out, g->floats->groups);
    for (i = 0; i < conversions; i++)
        put_conversion(out, g->w.conversion + i);
    put_narrowed(g, out);
    if ((g->flags & BBANS_FLOAT_CLASSES) != 0) {
        put_value(out, g->patterns, 1);
        for (i = 0; i < g->patterns; i++)
            put_value(out, g->pattern[i], g->floats->type.width);
        put_integers(g, out, BBANS_ELEMENT_UINT8, g->w.class_of);
        put_number(out, g->n_more);
        put_bytes(out, g->w.more, g->n_more);
    }
    if ((g->flags & BBANS_FLOAT_RAW) != 0) {
        put_number(out, g->raw.n);
        put_bytes(out, g->w.raw, g->raw.n);
    }
    if ((g->flags & BBANS_FLOAT_MOVED) != 0)
        put_moved(g, out);
    return out->n > out->cap ? BBANS_ERR_CAPACITY : BBANS_OK;
}

static int is_same_conversion(const bbans_conversion *a,
                              const bbans_conversion *b)
{
    return a->kind == b->kind && a->e == b->e &&
           (a->kind != BBANS_CONVERT_RATIO ||
            (a->num == b->num && a->den == b->den));
}

/* ---- Which conversions -----------------------------------------------------
 */

/* What orders must gain, in 2^-4: integers that are proportional to floats are
 * predicted better than samples show. */
#define ORDERS_GAIN 15

/* Part that others than the best must gain in a trial: a block of more has more
 * to learn from. */
#define OTHERS_GAIN 64

/* Choices of all groups, and what they may take in 2^-8 bits. */
typedef struct {
    bbans_conversion *conversion[CHOICES];
    uint64_t bits[CHOICES];
    int shared[CHOICES];
} choices;

static void choose_group(choices *to, size_t i,
                         const bbans_found found[BBANS_FOUND])
{
    const bbans_found *order = found + BBANS_CONVERT_ORDER;
    const bbans_found *ratio = found + BBANS_CONVERT_RATIO;
    const bbans_found *rounded = found + BBANS_CONVERT_ROUNDED;
    const bbans_found *chosen[CHOICES];
    size_t k;

    chosen[ORDERS] = order;
    chosen[NO_ORDERS] = ratio->bits <= rounded->bits ? ratio : rounded;
    if (chosen[NO_ORDERS]->bits >= BBANS_FOUND_NONE)
        chosen[NO_ORDERS] = order;
    chosen[BEST] =
        order->bits / 16 < chosen[NO_ORDERS]->bits / 16 / 16 * ORDERS_GAIN
            ? order
            : chosen[NO_ORDERS];
    chosen[COARSE] =
        chosen[BEST] == rounded ? found + BBANS_FOUND_COARSE : chosen[BEST];
    for (k = 0; k < CHOICES; k++) {
        to->conversion[k][i] = chosen[k]->c;
        to->bits[k] += chosen[k]->bits;
        if (!is_same_conversion(to->conversion[k], to->conversion[k] + i))
            to->shared[k] = 0;
    }
}

/* For each group, or one for all. */
static void find_choices(choices *to, const bbans_floats *floats, void *work)
{
    bbans_found found[BBANS_FOUND];
    bbans_floats all = *floats;
    size_t i;

    memset(to->bits, 0, sizeof to->bits);
    for (i = 0; i < CHOICES; i++)
        to->shared[i] = 1;
    if (floats->groups > BBANS_CONVERSIONS_MAX)
        all.groups = 1;
    for (i = 0; i < all.groups; i++) {
        bbans_float_find(found, &all, i, work);
        choose_group(to, i, found);
    }
}

static bbans_status code(const bbans_floats *floats, const gather_space *w,
                         int shared, uint8_t *block, size_t cap,
                         size_t *n_bytes)
{
    bbans_status status;
    out_bytes out;
    gather g;

    memset(&g, 0, sizeof g);
    g.floats = floats;
    g.w = *w;
    g.shared = shared;
    g.flags = (floats->channels == 0 ? BBANS_FLOAT_GRID : 0) |
              (shared ? BBANS_FLOAT_SHARED : 0);
    gather_integers(&g);
    if (g.exceptions > 0) {
        g.flags |= BBANS_FLOAT_CLASSES;
        if (!put_classes(&g))
            return BBANS_ERR_CAPACITY;
    }
    put_raw_bits(&g);
    if (g.raw.n > g.raw.cap)
        return BBANS_ERR_CAPACITY;
    out.bytes = block;
    out.n = 0;
    out.cap = cap;
    status = put_block(&g, &out);
    *n_bytes = out.n;
    return status;
}

/* Floats from the middle on that are enough to compare conversions by: a
 * quarter, or of high levels a half, but not few and not too many. */
#define TRIAL_FEW 2048
#define TRIAL 8192
#define TRIAL_HIGH 32768 /* from level 7 on */

static bbans_floats trial_of(const bbans_floats *floats)
{
    const int high = floats->level >= 7;
    const size_t most = high ? TRIAL_HIGH : TRIAL;
    const size_t part = floats->n / (high ? 2 : 4);
    const size_t want = part < TRIAL_FEW ? TRIAL_FEW
                        : part < most    ? part
                                         : most;
    const size_t step = floats->channels > 0
                            ? floats->channels
                            : floats->grid->columns * floats->grid->bands;
    const size_t steps = floats->n / step;
    const size_t few = want / step > 0 ? want / step : 1;
    bbans_floats trial = *floats;

    if (few < steps) {
        trial.n = few * step;
        trial.data += (steps - few) / 2 * step * floats->type.width;
    }
    return trial;
}

/* The best choice, by blocks of some of the floats where samples do not tell.
 */
static size_t choose(const choices *to, const bbans_floats *floats,
                     gather_space *w, uint8_t *block, size_t cap)
{
    const bbans_floats trial = trial_of(floats);
    size_t k, others = 0, best = BEST, least = SIZE_MAX;
    int tried[CHOICES];

    for (k = 0; k < CHOICES; k++) { /* much worse, or the same, is none */
        tried[k] = to->bits[k] / 2 <= to->bits[BEST] &&
                   (k == BEST || to->bits[k] != to->bits[BEST]);
        others += k != BEST && tried[k];
    }
    for (k = 0; k < CHOICES && others > 0; k++) {
        size_t n_bytes;

        w->conversion = to->conversion[k];
        if (tried[k] &&
            code(&trial, w, to->shared[k], block, cap, &n_bytes) == BBANS_OK &&
            n_bytes < least - (k != BEST ? least / OTHERS_GAIN : 0)) {
            least = n_bytes;
            best = k;
        }
    }
    return best;
}

bbans_status bbans_integers_compress(const bbans_floats *floats, uint8_t *block,
                                     size_t cap, size_t *n_bytes, void *work,
                                     size_t work_bytes)
{
    gather_space w =
        cut_gather(work, floats->n, floats->type.width, work_bytes);
    choices to;
    size_t k;

    for (k = 0; k < CHOICES; k++)
        to.conversion[k] = w.conversion + k * BBANS_CONVERSIONS_MAX;
    find_choices(&to, floats, w.coder);
    if (to.bits[BEST] >> 11 > (uint64_t)cap + cap / 8)
        return BBANS_ERR_CAPACITY;
    k = choose(&to, floats, &w, block, cap);
    w.conversion = to.conversion[k];
    return code(floats, &w, to.shared[k], block, cap, n_bytes);
}
#endif /* BBANS_DECODER_ONLY */
