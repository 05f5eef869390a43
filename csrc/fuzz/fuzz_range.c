/* Fuzz the range coder: values under laws of any kind come back, from any place
 * between them too; any message decodes to what encodes to it, or is refused.
 *
 * SPDX-License-Identifier: MIT */
#include "laws.h"

#define VALUES_MOST 16
#define INTERVALS_MOST 20
#define WORDS_MOST 40

const size_t fuzz_size_most = 500;

/* The message of what was encoded so far; the encoder is spent. */
static fuzz_message finish(bbans_range_encoder *enc)
{
    fuzz_input none = fuzz_begin(NULL, 0);
    fuzz_message m = fuzz_message_of(&none, 1, 0, (enc->len + 11) / 4);

    CHECK(bbans_range_finish(enc, &m.msg) == BBANS_OK);
    CHECK(bbans_message_check(&m.msg) == BBANS_OK);
    return m;
}

static int same(const bbans_message *a, const bbans_message *b)
{
    return a->head[0] == b->head[0] && a->tail_len == b->tail_len &&
           fuzz_same(a->tail, b->tail, 4 * a->tail_len);
}

static void decode(bbans_range_decoder *dec, const bbans_interval *v)
{
    uint32_t slot;

    CHECK(bbans_range_slot(dec, v->total, &slot) == BBANS_OK);
    CHECK(slot >= v->start && slot - v->start < v->freq);
    CHECK(bbans_range_advance(dec, v->start, v->freq, v->total) == BBANS_OK);
}

/* Positions of any numbers are refused, and change nothing, or are some place.
 */
static void go_anywhere(fuzz_input *in, bbans_range_decoder *dec)
{
    const bbans_range_decoder before = *dec;
    const uint32_t total = 1 + fuzz_below(in, BBANS_TOTAL_MAX);
    bbans_range_position place, again;
    uint32_t slot;

    place.bytes = (size_t)fuzz_value(in);
    place.low = (uint64_t)fuzz_value(in);
    place.range = (uint64_t)fuzz_value(in);
    if (fuzz_below(in, 2)) { /* those that could be */
        place.bytes %= 64;
        place.low >>= 1;
        place.range = (place.range >> 1) | (uint64_t)1 << 55;
    }
    if (bbans_range_seek(dec, &place) != BBANS_OK) {
        CHECK(memcmp(dec, &before, sizeof before) == 0);
        return;
    }
    CHECK(bbans_range_tell_decoded(dec, &again) == BBANS_OK);
    CHECK(memcmp(&again, &place, sizeof place) == 0);
    CHECK(bbans_range_mark(dec, fuzz_below(in, 65536)) == BBANS_OK);
    if (bbans_range_slot(dec, total, &slot) == BBANS_OK) {
        CHECK(slot < total);
        CHECK(bbans_range_advance(dec, slot, 1, total) == BBANS_OK);
    }
    (void)bbans_range_check(dec);
}

/* Intervals, each of a total of its own; the decoder goes back to one of them.
 */
static void intervals(fuzz_input *in)
{
    const size_t n = fuzz_below(in, INTERVALS_MOST + 1);
    const size_t back = fuzz_below(in, (uint32_t)n + 1);
    bbans_interval *v = fuzz_memory(n * sizeof *v);
    uint8_t *scratch = fuzz_memory(4 * n);
    bbans_range_position place = {0, 0, 0}, decoded;
    bbans_range_encoder enc;
    bbans_range_decoder dec;
    fuzz_message m;
    size_t i;

    CHECK(bbans_range_encoder_init(&enc, scratch, 4 * n) == BBANS_OK);
    for (i = 0; i < n; i++) {
        v[i].total = 1 + fuzz_below(in, BBANS_TOTAL_MAX);
        v[i].start = fuzz_below(in, v[i].total);
        v[i].freq = 1 + fuzz_below(in, v[i].total - v[i].start);
        if (i == back)
            CHECK(bbans_range_tell(&enc, &place) == BBANS_OK);
        CHECK(bbans_range_encode_interval(&enc, v[i].start, v[i].freq,
                                          v[i].total) == BBANS_OK);
    }
    if (back == n)
        CHECK(bbans_range_tell(&enc, &place) == BBANS_OK);
    m = finish(&enc);
    memset(&dec, 0, sizeof dec); /* it is compared byte by byte */
    CHECK(bbans_range_decoder_init(&dec, &m.msg) == BBANS_OK);
    for (i = 0; i < n; i++) {
        if (i == back) {
            CHECK(bbans_range_tell_decoded(&dec, &decoded) == BBANS_OK);
            CHECK(memcmp(&decoded, &place, sizeof place) == 0);
        }
        decode(&dec, v + i);
    }
    CHECK(bbans_range_check(&dec) == BBANS_OK);
    go_anywhere(in, &dec);
    CHECK(bbans_range_seek(&dec, &place) == BBANS_OK);
    for (i = back; i < n; i++)
        decode(&dec, v + i);
    CHECK(bbans_range_check(&dec) == BBANS_OK);
    fuzz_message_free(&m);
    free(v);
    free(scratch);
}

/* Values of a law: encode, decode; and what any message decodes to. */
static void values(fuzz_input *in)
{
    const size_t n = fuzz_below(in, VALUES_MOST + 1);
    int64_t *value, *back = fuzz_memory(8 * n);
    bbans_range_encoder enc, before;
    bbans_range_decoder dec;
    bbans_status status;
    fuzz_message m, again;
    uint8_t *scratch;
    fuzz_law law;
    size_t cap;

    fuzz_law_make(&law, in, n);
    value = fuzz_law_values(&law, in);
    cap = 4 * n * law.distribution.words;
    scratch = fuzz_memory(cap);
    CHECK(bbans_range_encoder_init(&enc, scratch, cap) == BBANS_OK);
    before = enc;
    status = bbans_range_encode(&enc, &law.distribution, value, BBANS_I64, n);
    CHECK(status != BBANS_ERR_CAPACITY);
    if (status == BBANS_OK) {
        m = finish(&enc);
        CHECK(bbans_range_decoder_init(&dec, &m.msg) == BBANS_OK);
        CHECK(bbans_range_decode(&dec, &law.distribution, back, BBANS_I64, n) ==
              BBANS_OK);
        CHECK(fuzz_same(value, back, 8 * n));
        CHECK(bbans_range_check(&dec) == BBANS_OK);
        fuzz_message_free(&m);
    } else {
        CHECK(memcmp(&enc, &before, sizeof enc) == 0);
    }
    m = fuzz_message_of(in, 1, fuzz_below(in, WORDS_MOST), 0);
    CHECK(bbans_range_decoder_init(&dec, &m.msg) == BBANS_OK);
    if (bbans_range_decode(&dec, &law.distribution, back, BBANS_I64, n) ==
        BBANS_OK) {
        status = bbans_range_check(&dec);
        CHECK(bbans_range_encoder_init(&enc, scratch, cap) == BBANS_OK);
        CHECK(bbans_range_encode(&enc, &law.distribution, back, BBANS_I64, n) ==
              BBANS_OK);
        again = finish(&enc);
        CHECK((status == BBANS_OK) == same(&again.msg, &m.msg));
        fuzz_message_free(&again);
    }
    fuzz_message_free(&m);
    fuzz_law_free(&law);
    free(value);
    free(back);
    free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t isa;

    FUZZ_EACH_ISA(isa)
    {
        fuzz_input in = fuzz_begin(data, size);

        if (fuzz_below(&in, 4) == 0)
            intervals(&in);
        else
            values(&in);
    }
    return 0;
}
