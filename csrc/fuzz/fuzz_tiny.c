/* Fuzz the device's coder of sequences and packets: it writes what the library
 * writes, reads what the library reads, and takes any bytes.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_tiny.h"
#include "engine.h"

#define STATES_MOST 8
#define SYMBOLS_MOST 12
#define LENGTH_MOST 24

const size_t fuzz_size_most = 300;

typedef struct {
    bbans_tiny_hmm tiny;
    bbans_hmm hmm;
    size_t n;
    uint8_t *x;
    uint32_t *wide;
} test;

/* A row of the big model, and its edges for the small one. */
static void take_row(fuzz_input *in, uint32_t *mass, uint16_t *edge, size_t n,
                     unsigned prec)
{
    size_t k;

    fuzz_masses(in, mass, n, (uint32_t)1 << prec);
    edge[0] = 0;
    for (k = 0; k < n; k++)
        edge[k + 1] = (uint16_t)(edge[k] + mass[k]);
}

static void encode(test *t, fuzz_input *in)
{
    fuzz_sequence big;
    size_t n_bytes, used, least = 1, cap, enough, i;
    const size_t rows_most = t->n + 2, states = t->tiny.states;
    uint8_t *bytes, *small, *y = fuzz_memory(t->n);
    bbans_tiny_decoder dec;
    uint32_t *work;
    size_t rows;

    memset(&big, 0, sizeof big);
    big.space = &t->hmm.space;
    big.in = *in;
    bytes = engine_encode(&big, (const uint8_t *)t->wide, t->n, &n_bytes);
    CHECK(bytes != NULL);
    while (least * least < t->n)
        least++;
    least = 2 * least + 2;
    rows = least < rows_most
               ? least + fuzz_below(in, (uint32_t)(rows_most - least) + 1)
               : rows_most;
    enough = n_bytes + 16 > 2 * t->n + 10 ? n_bytes + 16 : 2 * t->n + 10;
    cap = fuzz_below(in, 4) == 1 ? fuzz_below(in, (uint32_t)enough) : enough;
    work = fuzz_memory(4 * rows * states);
    small = fuzz_memory(cap);
    if (bbans_tiny_encode(&t->tiny, t->x, t->n, t->hmm.space.predictive, work,
                          rows * states, small, cap, &used) == BBANS_OK)
        CHECK(used == n_bytes && fuzz_same(small, bytes, used));
    else
        CHECK(cap < enough);
    CHECK(bbans_tiny_decoder_init(&dec, &t->tiny, bytes, n_bytes, t->n,
                                  t->hmm.space.predictive) == BBANS_OK);
    for (i = 0; i < t->n;) { /* in any number of calls */
        const size_t count = 1 + fuzz_below(in, (uint32_t)(t->n - i));

        CHECK(bbans_tiny_decode(&dec, y + i, count) == BBANS_OK);
        i += count;
    }
    CHECK(fuzz_same(t->x, y, t->n));
    free(bytes);
    free(small);
    free(work);
    free(y);
}

/* What the library decodes the device does; it leaves out one check. */
static void decode(test *t, const uint8_t *data, size_t size)
{
    uint8_t *bytes = fuzz_copy(data, size), *y = fuzz_memory(t->n);
    uint32_t *wide = fuzz_memory(4 * t->n);
    bbans_tiny_decoder dec;
    bbans_status status, big;
    size_t i;

    status = bbans_tiny_decoder_init(&dec, &t->tiny, bytes, size, t->n,
                                     t->hmm.space.predictive);
    if (status == BBANS_OK)
        status = bbans_tiny_decode(&dec, y, t->n);
    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
    big = engine_decode(&t->hmm.space, bytes, size, (uint8_t *)wide, t->n);
    CHECK(status == BBANS_OK || big != BBANS_OK);
    CHECK(big == BBANS_OK || status != BBANS_OK || !t->hmm.space.predictive);
    for (i = 0; big == BBANS_OK && i < t->n; i++)
        CHECK(wide[i] == y[i]);
    free(bytes);
    free(wide);
    free(y);
}

static void packets(test *t, fuzz_input *in)
{
    const size_t size = 2 + fuzz_below(in, BBANS_TINY_PACKET_MAX - 1);
    uint8_t *packet = fuzz_memory(size);
    uint8_t *y = fuzz_memory(BBANS_TINY_PACKET_SYMBOLS);
    size_t coded, found, i;
    bbans_tiny_decoder dec;
    bbans_status status;

    status =
        bbans_tiny_packet_encode(&t->tiny, t->x, t->n, packet, size, &coded);
    CHECK(status == BBANS_OK || (status == BBANS_ERR_CAPACITY && size <= 3));
    if (status == BBANS_OK) {
        CHECK(bbans_tiny_packet_decode(&dec, &t->tiny, packet, size, y,
                                       &found) == BBANS_OK);
        CHECK(found == coded && fuzz_same(t->x, y, found));
    }
    for (i = 0; i < size; i++)
        packet[i] = (uint8_t)fuzz_bits(in, 1);
    status = bbans_tiny_packet_decode(&dec, &t->tiny, packet, size, y, &found);
    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
    free(packet);
    free(y);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_input in = fuzz_begin(data, size);
    const size_t states = 1 + fuzz_below(&in, STATES_MOST);
    const size_t symbols = 1 + fuzz_below(&in, SYMBOLS_MOST);
    const unsigned prec = 4 + fuzz_below(&in, BBANS_TINY_PREC_MAX - 3);
    const size_t start_length = 1 + fuzz_below(&in, LENGTH_MOST);
    const int predictive = (int)fuzz_below(&in, 2);
    const size_t memory_bytes = bbans_hmm_bytes(states, symbols);
    uint32_t *mass = fuzz_memory(4 * states * (1 + states + symbols));
    uint16_t *initial = fuzz_memory(2 * (states + 1));
    uint16_t *transition = fuzz_memory(2 * states * (states + 1));
    uint16_t *emission = fuzz_memory(2 * states * (symbols + 1));
    void *memory = fuzz_memory(memory_bytes);
    size_t i;
    test t;

    t.n = fuzz_below(&in, LENGTH_MOST + 1);
    t.x = fuzz_memory(t.n);
    t.wide = fuzz_memory(4 * t.n);
    for (i = 0; i < t.n; i++)
        t.wide[i] = t.x[i] = (uint8_t)fuzz_below(&in, (uint32_t)symbols);
    take_row(&in, mass, initial, states, prec);
    for (i = 0; i < states; i++) {
        take_row(&in, mass + states * (1 + i), transition + i * (states + 1),
                 states, prec);
        take_row(&in, mass + states * (1 + states) + i * symbols,
                 emission + i * (symbols + 1), symbols, prec);
    }
    t.tiny.initial = initial;
    t.tiny.transition = transition;
    t.tiny.emission = emission;
    t.tiny.states = (uint16_t)states;
    t.tiny.symbols = (uint16_t)symbols;
    t.tiny.start_length = (uint16_t)start_length;
    t.tiny.prec = (uint8_t)prec;
    CHECK(bbans_hmm_init(&t.hmm, states, symbols, prec, start_length, mass,
                         mass + states, mass + states * (1 + states), memory,
                         memory_bytes) == BBANS_OK);
    t.hmm.space.predictive = predictive;
    encode(&t, &in);
    packets(&t, &in);
    decode(&t, in.at, in.left);
    free(mass);
    free(initial);
    free(transition);
    free(emission);
    free(memory);
    free(t.x);
    free(t.wide);
    return 0;
}
