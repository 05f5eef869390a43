/* A sequence under a hidden Markov model, as a message without header, length
 * or checksum, for those who frame it themselves:
 *
 *     sequence
 *
 * The dishonest casino: a die is fair or loaded, and nobody sees which.  The
 * program throws it, codes the throws, and decodes them.
 *
 * SPDX-License-Identifier: MIT */
#include <bbans.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STATES = 2, SYMBOLS = 6, PREC = 16, START_LENGTH = 12, THROWS = 10000 };

/* Masses in units of 2^-16: each row sums to 2^16. */
static const uint32_t initial[STATES] = {43690, 21846};
static const uint32_t transition[STATES][STATES] = {{62260, 3276},
                                                    {6553, 58983}};
static const uint32_t emission[STATES][SYMBOLS] = {
    {10922, 10922, 10923, 10923, 10923, 10923},
    {6553, 6553, 6553, 6553, 6554, 32770}};

static void check(bbans_status status, const char *what)
{
    if (status != BBANS_OK) {
        fprintf(stderr, "sequence: %s: %s\n", what, bbans_status_text(status));
        exit(1);
    }
}

static void *allocate(size_t n)
{
    void *memory = malloc(n);

    if (memory == NULL) {
        fprintf(stderr, "sequence: there is too little memory\n");
        exit(1);
    }
    return memory;
}

/* What has these masses, at random. */
static uint32_t draw(const uint32_t *mass)
{
    static uint64_t state = 1; /* a linear congruence: Knuth's MMIX */
    uint32_t slot, k = 0;

    state =
        state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    slot = (uint32_t)(state >> (64 - PREC));
    while (slot >= mass[k])
        slot -= mass[k++];
    return k;
}

int main(void)
{
    const size_t memory_bytes = bbans_hmm_bytes(STATES, SYMBOLS);
    static uint32_t throws[THROWS], copy[THROWS];
    uint32_t z = draw(initial);
    size_t t, work_bytes, tail_words, cap, n_bytes;
    bbans_message msg;
    bbans_hmm hmm;
    uint64_t head;
    uint8_t *bytes;
    void *work;

    for (t = 0; t < THROWS; t++) {
        throws[t] = draw(emission[z]);
        z = draw(transition[z]);
    }
    (void)bbans_isa_use(BBANS_ISA_BEST);
    check(bbans_hmm_init(&hmm, STATES, SYMBOLS, PREC, START_LENGTH, initial,
                         transition[0], emission[0], allocate(memory_bytes),
                         memory_bytes),
          "model");

    /* With all forward messages kept, which is fastest. */
    work_bytes = bbans_sequence_work_bytes(&hmm.space, THROWS, THROWS);
    work = allocate(work_bytes);
    tail_words = bbans_sequence_tail_words(&hmm.space, THROWS);
    check(bbans_message_init(&msg, &head, 1, allocate(4 * tail_words),
                             tail_words),
          "message");
    check(bbans_sequence_encode(&hmm.space, throws, THROWS, work, work_bytes,
                                &msg),
          "encode");
    check(bbans_message_size(&msg, &cap), "size");
    bytes = allocate(cap);
    check(bbans_message_write(&msg, bytes, cap, &n_bytes), "write");
    printf("%d throws in %zu bytes: %.4f bits each\n", THROWS, n_bytes,
           8.0 * (double)n_bytes / THROWS);

    /* The reader knows the model and how many throws there are. */
    check(bbans_message_read(&msg, bytes, n_bytes), "read");
    check(
        bbans_sequence_decode(&hmm.space, &msg, copy, THROWS, work, work_bytes),
        "decode");
    if (memcmp(copy, throws, sizeof throws) != 0) {
        fprintf(stderr, "sequence: other throws came back\n");
        return 1;
    }
    return 0; /* and so all memory goes back */
}
