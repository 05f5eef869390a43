/* Blocks of bytes under mixed contexts, on their way out.  What is chosen here
 * any decoder takes: docs/format.md, "Mixing".
 *
 * SPDX-License-Identifier: MIT */
#include "../bytes/bbans_bytes_internal.h"
#include "bbans_mixing.h"

#ifndef BBANS_DECODER_ONLY
#define HEADER_MAX 9    /* bytes */
#define SCRATCH 8       /* that the range coder may touch behind its code */
#define BYTE_CODE_MAX 4 /* a byte has one slot of 2^28 at least */
#define LEVEL_FINDS_LINE 4

/* ---- Sizes --------------------------------------------------------------- */

/* By level. */
static const struct {
    uint8_t inputs, row_bits, match_bits;
} size_of_level[] = {
    {BBANS_MIXING_FEW, 16, 18},  {BBANS_MIXING_FEW, 18, 18},
    {BBANS_MIXING_FEW, 20, 18},  {BBANS_MIXING_FEW, 21, 18},
    {BBANS_MIXING_MANY, 20, 20}, {BBANS_MIXING_MANY, 21, 20},
    {BBANS_MIXING_MANY, 22, 20},
};

static int level_is_valid(size_t n, int level)
{
    return n <= BBANS_MIXING_MAX && level >= BBANS_MIXING_LEVEL_MIN &&
           level <= BBANS_LEVEL_MAX;
}

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* More rows than the bytes can fill would only cost time. */
static bbans_mixer_size size_for(size_t n, int level, uint32_t line)
{
    const int i = level - BBANS_MIXING_LEVEL_MIN;
    bbans_mixer_size size;

    size.inputs = size_of_level[i].inputs;
    size.row_bits = least(size_of_level[i].row_bits, bbans_mixing_row_bits(n));
    size.match_bits =
        least(size_of_level[i].match_bits, bbans_mixing_match_bits(n));
    size.line = line;
    return size;
}

size_t bbans_mixing_encoder_bytes(size_t n, int level)
{
    bbans_mixer_size size;

    if (!level_is_valid(n, level))
        return 0;
    size = size_for(n > 0 ? n : 1, level, 0);
    return bbans_mixing_work_bytes(&size);
}

size_t bbans_mixing_bound(size_t n)
{
    return n > BBANS_MIXING_MAX ? 0 : HEADER_MAX + BYTE_CODE_MAX * n + SCRATCH;
}

/* ---- Lines of a fixed length ----------------------------------------------
 */

#define PERIOD_MAX 1024
#define PLACES_MAX 4096
#define PLACES_MIN 32
#define BYTES_A_PLACE 8 /* of the block, at least */
#define TRIED_MAX ((size_t)1 << 15)

/* Places, spread over a block, of bytes that differ from the one before: in
 * runs all periods look alike. */
static size_t find_places(const uint8_t *data, size_t n, size_t from,
                          uint32_t *place)
{
    const size_t most = n / BYTES_A_PLACE;
    const size_t places = most < PLACES_MAX ? most : PLACES_MAX;
    const size_t step = places > 0 ? (n - from) / places : 0;
    uint32_t random = 1;
    size_t k, found = 0;

    for (k = 0; k < places && step > 0; k++) {
        const size_t end = from + (k + 1) * step;
        size_t i;

        random = random * 1664525 + 1013904223;
        i = from + k * step + (random >> 8) % step;
        while (i < end && data[i] == data[i - 1])
            i++;
        if (i < end)
            place[found++] = (uint32_t)i;
    }
    return found;
}

/* How often bytes are equal at a distance. */
static size_t count_equal(const uint8_t *data, const uint32_t *place, size_t n,
                          size_t distance)
{
    size_t i, equal = 0;

    for (i = 0; i < n; i++)
        equal += data[place[i]] == data[place[i] - distance];
    return equal;
}

/* The shortest distance at which bytes are equal about as often as at any, if
 * that is far above what is usual; else 0. */
static uint32_t find_period(const uint8_t *data, size_t n, uint32_t *place)
{
    const size_t longest = n / 4 < PERIOD_MAX ? n / 4 : PERIOD_MAX;
    const size_t places = find_places(data, n, longest, place);
    uint16_t equal[PERIOD_MAX + 1];
    size_t d, sum = 0, most = 0;

    if (places < PLACES_MIN)
        return 0;
    for (d = 2; d <= longest; d++) {
        equal[d] = (uint16_t)count_equal(data, place, places, d);
        sum += equal[d];
        most = equal[d] > most ? equal[d] : most;
    }
    if (2 * most * (longest - 1) < 3 * sum)
        return 0;
    for (d = 2; 16 * (size_t)equal[d] < 15 * most; d++)
        ;
    return (uint32_t)d;
}

/* What bytes cost, in units of 2^-16 bits. */
static uint64_t cost_of(const uint8_t *data, size_t n, int level, uint32_t line,
                        void *work)
{
    const bbans_mixer_size size = size_for(n, level, line);
    bbans_mixer *const m = bbans_mixing_start(&size, data, work);
    uint64_t cost = 0;
    size_t i;

    for (i = 0; i < n; i++) {
        bbans_span span;

        bbans_mixer_encode(m, data[i], &span);
        cost += ((uint64_t)BBANS_PREC_MAX << 16) -
                bbans_log2(span.end - span.start);
        bbans_mixer_learn(m, data[i]);
    }
    return cost;
}

/* A length of lines by which a part of the block takes fewer bytes, or 0.  The
 * workspace is large enough for the places: its rows take 64 bytes for each of
 * n, or 2 MiB. */
static uint32_t find_line(const uint8_t *data, size_t n, int level, void *work)
{
    const size_t tried = n / 2 < TRIED_MAX ? n / 2 : TRIED_MAX;
    const uint8_t *const part = data + (n - tried) / 2;
    const uint32_t period = find_period(data, n, (uint32_t *)bbans_align(work));

    return period > 0 && cost_of(part, tried, level, period, work) <
                             cost_of(part, tried, level, 0, work)
               ? period
               : 0;
}

/* The mixer of a block whose lines have this length, or any. */
static bbans_mixer_size size_of_block(const uint8_t *data, size_t n, int level,
                                      int line, void *work)
{
    if (line == BBANS_MIXING_LINE_FIND)
        line =
            level < LEVEL_FINDS_LINE ? 0 : (int)find_line(data, n, level, work);
    return size_for(n, level, (uint32_t)line);
}

static int line_is_valid(int line)
{
    return line >= BBANS_MIXING_LINE_FIND && line <= BBANS_MIXING_LINE_MAX;
}

/* ---- Compress ------------------------------------------------------------ */

static uint8_t *put_header(uint8_t *to, size_t n, const bbans_mixer_size *size)
{
    to += bbans_put_uvarint(to, n);
    *to++ = (uint8_t)(size->row_bits |
                      (size->inputs == BBANS_MIXING_MANY ? 32u : 0));
    *to++ = (uint8_t)size->match_bits;
    return to + bbans_put_uvarint(to, size->line);
}

static bbans_status put_byte(bbans_range_encoder *code, bbans_mixer *m,
                             uint8_t byte)
{
    bbans_status status;
    bbans_span span;

    bbans_mixer_encode(m, byte, &span);
    status = bbans_range_encode_interval(
        code, span.start, span.end - span.start, (uint32_t)1 << BBANS_PREC_MAX);
    bbans_mixer_learn(m, byte);
    return status;
}

/* ERR_CAPACITY: they do not fit. */
static bbans_status put_bytes(bbans_range_encoder *code, bbans_mixer *m,
                              const uint8_t *data, size_t n)
{
    bbans_status status = BBANS_OK;
    size_t i;

    for (i = 0; i < n && status == BBANS_OK; i++)
        status = put_byte(code, m, data[i]);
    return status == BBANS_OK && code->cap - code->len < SCRATCH
               ? BBANS_ERR_CAPACITY
               : status;
}

bbans_status bbans_mixing_compress(const uint8_t *data, size_t n, int level,
                                   int line, uint8_t *out, size_t cap,
                                   size_t *out_size, void *work,
                                   size_t work_bytes)
{
    bbans_range_encoder code;
    bbans_mixer_size size;
    bbans_status status;
    uint8_t *at;

    if (out == NULL || out_size == NULL || work == NULL ||
        (data == NULL && n > 0))
        return BBANS_ERR_NULL;
    if (!level_is_valid(n, level) || !line_is_valid(line))
        return BBANS_ERR_SIZE;
    if (cap < HEADER_MAX + SCRATCH ||
        work_bytes < bbans_mixing_encoder_bytes(n, level))
        return BBANS_ERR_CAPACITY;
    if (n == 0) {
        *out_size = bbans_put_uvarint(out, 0);
        return BBANS_OK;
    }
    size = size_of_block(data, n, level, line, work);
    at = put_header(out, n, &size);
    (void)bbans_range_encoder_init(&code, at, cap - (size_t)(at - out));
    status = put_bytes(&code, bbans_mixing_start(&size, data, work), data, n);
    if (status == BBANS_OK)
        *out_size = (size_t)(at - out) + bbans_range_finish_bytes(&code);
    return status;
}

bbans_status bbans_mixing_costs(const uint8_t *data, size_t n, int level,
                                int line, uint64_t *cost, void *work,
                                size_t work_bytes)
{
    uint32_t log2_range = BBANS_RANGE_LOG2;
    uint8_t scratch[BYTE_CODE_MAX];
    bbans_range_encoder code;
    bbans_mixer_size size;
    bbans_mixer *m;
    size_t i;

    if (work == NULL || ((data == NULL || cost == NULL) && n > 0))
        return BBANS_ERR_NULL;
    if (!level_is_valid(n, level) || !line_is_valid(line))
        return BBANS_ERR_SIZE;
    if (work_bytes < bbans_mixing_encoder_bytes(n, level))
        return BBANS_ERR_CAPACITY;
    if (n == 0)
        return BBANS_OK;
    size = size_of_block(data, n, level, line, work);
    m = bbans_mixing_start(&size, data, work);
    (void)bbans_range_encoder_init(&code, scratch, sizeof scratch);
    for (i = 0; i < n; i++) {
        (void)put_byte(&code, m, data[i]);
        cost[i] = bbans_range_take_cost(&code, &log2_range);
    }
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */
