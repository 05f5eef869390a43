/* What no encoder writes: a mark that refuses what could have started bits
 * back; and the least room for
 * nothing.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"
#include "bbans_tiny.h"
#include "check.h"

enum { PARTS = 40, WORDS = 64 };

typedef struct {
    uint32_t start, freq, total;
} interval;

static void encode(const interval *part, size_t n, bbans_message *msg)
{
    static uint8_t scratch[4 * PARTS + 8];
    bbans_range_encoder enc;
    size_t i;

    CHECK(bbans_range_encoder_init(&enc, scratch, sizeof scratch) == BBANS_OK);
    for (i = 0; i < n; i++)
        CHECK(bbans_range_encode_interval(&enc, part[i].start, part[i].freq,
                                          part[i].total) == BBANS_OK);
    CHECK(bbans_range_finish(&enc, msg) == BBANS_OK);
}

static bbans_status decode(const interval *part, size_t n, size_t mark,
                           size_t bits, const bbans_message *msg)
{
    bbans_range_decoder dec;
    size_t i;

    CHECK(bbans_range_decoder_init(&dec, msg) == BBANS_OK);
    for (i = 0; i < n; i++) {
        if (i == mark)
            CHECK(bbans_range_mark(&dec, bits) == BBANS_OK);
        CHECK(bbans_range_advance(&dec, part[i].start, part[i].freq,
                                  part[i].total) == BBANS_OK);
    }
    return bbans_range_check(&dec);
}

/* By itself, what comes after the mark is an integer of so many bits. */
static void test_marks(void)
{
    bbans_range_decoder dec;
    int trial;

    for (trial = 0; trial < 20000; trial++) {
        const size_t n = 1 + below(PARTS - 1), mark = below((uint32_t)n);
        interval part[PARTS];
        uint32_t tail[WORDS], own_tail[WORDS];
        uint64_t head, own_head;
        bbans_message msg, own;
        size_t i, bits;

        for (i = 0; i < n; i++) {
            part[i].total = 1 + below(1u << (1 + below(28)));
            part[i].start = below(part[i].total);
            part[i].freq = below(2) ? part[i].total - part[i].start
                                    : 1 + below(part[i].total - part[i].start);
        }
        CHECK(bbans_message_init(&msg, &head, 1, tail, WORDS) == BBANS_OK);
        CHECK(bbans_message_init(&own, &own_head, 1, own_tail, WORDS) ==
              BBANS_OK);
        encode(part, n, &msg);
        encode(part + mark, n - mark, &own);
        bits = 32 * own.tail_len + (size_t)bbans_bit_length(own_head) - 1;
        for (i = 0; i <= bits; i += 1 + below(9))
            CHECK(decode(part, n, mark, bits - i, &msg) == BBANS_ERR_CORRUPT);
        for (i = 1; i < 200; i += 1 + below(50))
            CHECK(decode(part, n, mark, bits + i, &msg) == BBANS_OK);
        CHECK(decode(part, n, n, 0, &msg) == BBANS_OK); /* no mark */
    }
    CHECK(bbans_range_mark(NULL, 1) == BBANS_ERR_NULL);
    CHECK(bbans_range_mark(&dec, BBANS_START_MAX + 1) == BBANS_ERR_SIZE);
}

/* No symbols need two rows, as the header says. */
static void test_no_symbols(void)
{
    static const uint16_t edge[] = {0, 1, 2, 0, 1, 2};
    const bbans_tiny_hmm hmm = {edge, edge, edge, 2, 2, 9, 1};
    uint32_t work[4];
    uint8_t bytes[32];
    size_t n;

    CHECK(bbans_tiny_encode(&hmm, NULL, 0, 0, work, 4, bytes, sizeof bytes,
                            &n) == BBANS_OK);
    CHECK(n == 1 && bytes[0] == 1);
    CHECK(bbans_tiny_encode(&hmm, NULL, 0, 0, work, 3, bytes, sizeof bytes,
                            &n) == BBANS_ERR_CAPACITY);
}

int main(void)
{
    test_marks();
    test_no_symbols();
    printf("test_bounds: ok\n");
    return 0;
}
