/* The device's coder gives the bytes of the library's, both ways, and answers
 * damage with a status.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_tiny.h"
#include "check.h"

#include <string.h>

#define STATES BBANS_TINY_STATES
#define SYMBOLS 40
#define N_MAX 400

static uint16_t initial16[STATES + 1], transition16[STATES * (STATES + 1)];
static uint16_t emission16[STATES * (BBANS_TINY_SYMBOLS_MAX + 1)];
static uint32_t initial[STATES], transition[STATES * STATES];
static uint32_t emission[STATES * BBANS_TINY_SYMBOLS_MAX];

static void random_row(uint32_t *mass, uint16_t *edge, size_t n, unsigned prec)
{
    const uint32_t kind = below(4);
    uint32_t spare = ((uint32_t)1 << prec) - (uint32_t)n;
    size_t k;

    for (k = 0; k < n; k++) {
        uint32_t more = 0;

        if (kind == 1 && below(8) == 0)
            more = below(spare + 1);
        else if (kind > 1)
            more = below(spare / (uint32_t)(n - k) * 2 + 1);
        mass[k] = 1 + (more < spare ? more : spare);
        spare -= mass[k] - 1;
    }
    mass[below((uint32_t)n)] += spare;
    edge[0] = 0;
    for (k = 0; k < n; k++)
        edge[k + 1] = (uint16_t)(edge[k] + mass[k]);
}

static void test_model(size_t states, size_t symbols, unsigned prec,
                       unsigned start_length)
{
    static uint8_t x[N_MAX], y[N_MAX + 1], bytes[8 * N_MAX + 64],
        message[8 * N_MAX + 64];
    static uint32_t x32[N_MAX], tail[4 * N_MAX + 32],
        work[(2 * N_MAX + 8) * STATES];
    const size_t memory_bytes = bbans_hmm_bytes(states, symbols);
    const size_t row_bytes = 2 * states * (symbols + 1);
    void *memory = malloc(memory_bytes), *big_work;
    uint16_t *rows16 = malloc(row_bytes); /* nothing follows */
    bbans_tiny_hmm tiny;
    bbans_tiny_decoder dec;
    bbans_hmm hmm;
    size_t i, n;

    CHECK(memory != NULL && rows16 != NULL);
    random_row(initial, initial16, states, prec);
    for (i = 0; i < states; i++) {
        random_row(transition + i * states, transition16 + i * (states + 1),
                   states, prec);
        random_row(emission + i * symbols, emission16 + i * (symbols + 1),
                   symbols, prec);
    }
    memcpy(rows16, emission16, row_bytes);
    tiny.initial = initial16;
    tiny.transition = transition16;
    tiny.emission = rows16;
    tiny.states = (uint16_t)states;
    tiny.symbols = (uint16_t)symbols;
    tiny.start_length = (uint16_t)start_length;
    tiny.prec = (uint8_t)prec;
    CHECK(bbans_hmm_init(&hmm, states, symbols, prec, start_length, initial,
                         transition, emission, memory,
                         memory_bytes) == BBANS_OK);
    for (n = 0; n <= N_MAX; n = n * 3 / 2 + 1) {
        const int predictive = below(3) == 0;
        const size_t work_bytes = bbans_sequence_work_bytes(&hmm.space, n, n);
        size_t size, used, cap, least = 1, at, rows;
        bbans_message msg;
        uint64_t head;
        int damage;

        hmm.space.predictive = predictive;
        for (i = 0; i < n; i++)
            x[i] = (uint8_t)(x32[i] = below(4) ? below((uint32_t)symbols) : 0);
        big_work = malloc(work_bytes);
        CHECK(big_work != NULL);
        CHECK(bbans_message_init(&msg, &head, 1, tail,
                                 sizeof tail / sizeof *tail) == BBANS_OK);
        CHECK(bbans_sequence_encode(&hmm.space, x32, n, big_work, work_bytes,
                                    &msg) == BBANS_OK);
        CHECK(bbans_message_write(&msg, bytes, sizeof bytes, &size) ==
              BBANS_OK);
        free(big_work);

        while (least * least < n)
            least++;
        for (rows = n + 2; rows >= 2 * least + 2; rows = rows / 2 + 1) {
            memset(message, 0xa5, sizeof message);
            CHECK(bbans_tiny_encode(&tiny, x, n, predictive, work,
                                    rows * states, message, sizeof message,
                                    &used) == BBANS_OK);
            CHECK(used == size && memcmp(message, bytes, size) == 0);
            if (rows <= 4)
                break;
        }
        /* Too little room is a status, and nothing is written beyond it. */
        for (cap = 0; n < 50 && cap < size + 24; cap++) {
            memset(message, 0xa5, sizeof message);
            if (bbans_tiny_encode(&tiny, x, n, predictive, work,
                                  (n + 2) * states, message, cap,
                                  &used) == BBANS_OK)
                CHECK(used == size && memcmp(message, bytes, size) == 0);
            else
                CHECK(cap < size + 16 || predictive || n <= start_length);
            CHECK(message[cap] == 0xa5);
        }
        CHECK(bbans_tiny_encode(&tiny, x, n, predictive, work, states, message,
                                sizeof message, &used) == BBANS_ERR_CAPACITY);

        /* In any number of calls. */
        CHECK(bbans_tiny_decoder_init(&dec, &tiny, bytes, size, n,
                                      predictive) == BBANS_OK);
        for (at = 0; at < n; at += i) {
            i = 1 + below((uint32_t)(n - at));
            CHECK(bbans_tiny_decode(&dec, y + at, i) == BBANS_OK);
        }
        CHECK(memcmp(x, y, n) == 0);
        CHECK(bbans_tiny_decode(&dec, y, 1) == BBANS_ERR_SIZE);

        for (damage = 0; damage < 20; damage++) {
            const size_t cut = size - below(2);
            uint8_t *copy =
                malloc(cut > 0 ? cut : 1); /* the sanitizers watch */

            CHECK(copy != NULL);
            memcpy(copy, bytes, cut);
            if (cut > 0)
                copy[below((uint32_t)cut)] ^= (uint8_t)(1u << below(8));
            if (damage == 0) /* slots that no interval has */
                memset(copy, 0xff, cut);
            memset(y, 0xff, n); /* no symbol of the model */
            if (bbans_tiny_decoder_init(&dec, &tiny, copy, cut, n,
                                        predictive) == BBANS_OK)
                (void)bbans_tiny_decode(&dec, y, n);
            free(copy);
        }

        /* An empty packet, which decodes. */
        if (n == 0) {
            memset(message, 0xa5, 8);
            CHECK(bbans_tiny_packet_encode(&tiny, x, 0, message, 8, &used) ==
                  BBANS_OK);
            CHECK(used == 0);
            CHECK(bbans_tiny_packet_decode(&dec, &tiny, message, 8, y, &used) ==
                  BBANS_OK);
            CHECK(used == 0);
        }

        /* Packets: as many as fit, and no fewer than can be shown to. */
        for (i = 2; i <= BBANS_TINY_PACKET_MAX && n > 0; i += 1 + below(20)) {
            size_t coded, found;

            if (bbans_tiny_packet_encode(&tiny, x, n, message, i, &coded) !=
                BBANS_OK) {
                CHECK(i <= 3);
                continue;
            }
            CHECK(bbans_tiny_packet_decode(&dec, &tiny, message, i, y,
                                           &found) == BBANS_OK);
            CHECK(found == coded && coded >= 1 && memcmp(x, y, found) == 0);
            if (coded < n && coded < BBANS_TINY_PACKET_SYMBOLS) {
                CHECK(bbans_tiny_encode(&tiny, x, coded + 1, 1, work,
                                        (n + 2) * states, message,
                                        sizeof message, &used) == BBANS_OK);
                CHECK(used > i - 1);
            }
            for (damage = 0; damage < 4; damage++) {
                uint8_t *copy = malloc(i);

                CHECK(copy != NULL);
                memcpy(copy, message, i);
                copy[below((uint32_t)i)] ^= (uint8_t)(1u << below(8));
                if (damage == 0)
                    memset(copy + 1, 0xff, i - 1);
                memset(y, 0xff, sizeof y);
                (void)bbans_tiny_packet_decode(&dec, &tiny, copy, i, y, &found);
                free(copy);
            }
        }
    }
    free(memory);
    free(rows16);
}

/* Once there was no room for a word, the rest may fit again: here what is
 * popped next is now and then a state that is rare, but likely to start with.
 */
static void test_no_room(void)
{
    static const uint16_t start[] = {0, 64, 1 << 15};
    static const uint16_t steps[] = {0, (1 << 15) - 64, 1 << 15,
                                     0, (1 << 15) - 64, 1 << 15};
    static const uint16_t coins[] = {0, 1 << 14, 1 << 15, 0, 1 << 14, 1 << 15};
    static const bbans_tiny_hmm hmm = {start, steps, coins, 2, 2, 50, 15};
    uint8_t x[250], bytes[28]; /* 30 bytes or more are needed */
    uint32_t work[2 * 252];
    size_t used, i;
    int trial;

    for (trial = 0; trial < SOME(8000); trial++) {
        for (i = 0; i < sizeof x; i++)
            x[i] = (uint8_t)below(2);
        CHECK(bbans_tiny_encode(&hmm, x, sizeof x, 0, work, 2 * 252, bytes,
                                15 + 4 * below(4),
                                &used) == BBANS_ERR_CAPACITY);
    }
}

int main(void)
{
    int trial;

    test_no_room();

    for (trial = 0; trial < 20; trial++) {
        const unsigned prec = 6 + below(10);
        const size_t states = 1 + below(STATES), symbols = 1 + below(SYMBOLS);

        test_model(states, symbols, prec, 1 + below(30));
    }
    test_model(STATES, BBANS_TINY_SYMBOLS_MAX, 15, 9);
    test_model(1, 2, 1, 46);
    test_model(2, 2, 15, 60);
    printf("test_tiny: ok\n");
    return 0;
}
