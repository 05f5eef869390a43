/* All that codes sequences, under any frozen state space model: what is encoded
 * is decoded, what decodes is what the encoder writes, what is pushed is popped
 * and what is popped is pushed back, what is refused changes nothing, and all
 * instruction sets do the same.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_FUZZ_ENGINE_H
#define BBANS_FUZZ_ENGINE_H

#include "../bbans_internal.h"
#include "../tests/costs.h"
#include "fuzz.h"

/* n observations x of a model; bytes that may be some sequence's message. */
typedef struct {
    bbans_state_space *space;
    const uint8_t *x;
    size_t n, x_bytes; /* of one observation */
    fuzz_input in;
    uint64_t digest; /* of what this instruction set has given */
} fuzz_sequence;

static inline void engine_digest(fuzz_sequence *s, const void *data, size_t n)
{
    s->digest = fuzz_digest(s->digest, data, n);
}

/* Workspace in which the records of some steps are kept at a time. */
static inline void *engine_work(fuzz_sequence *s, size_t n, size_t *work_bytes)
{
    const size_t block = 1 + fuzz_below(&s->in, (uint32_t)n + 1);

    *work_bytes = bbans_sequence_work_bytes(s->space, n > 0 ? n : 1, block);
    CHECK(*work_bytes > 0);
    return fuzz_memory(*work_bytes);
}

/* What decoding needs at least, of bytes that are a message's. */
static inline fuzz_message engine_read(const bbans_state_space *space,
                                       const uint8_t *bytes, size_t n_bytes,
                                       size_t n, bbans_status *status)
{
    fuzz_input none = fuzz_begin(NULL, 0);
    fuzz_message m =
        fuzz_message_of(&none, 1, 0, n_bytes / 4 + n * space->pop_words);

    *status = bbans_message_read(&m.msg, bytes, n_bytes);
    return m;
}

static inline bbans_status engine_decode(const bbans_state_space *space,
                                         const uint8_t *bytes, size_t n_bytes,
                                         uint8_t *x, size_t n)
{
    const size_t work_bytes = bbans_sequence_work_bytes(space, 1, 1);
    void *work = fuzz_memory(work_bytes);
    bbans_status status;
    fuzz_message m = engine_read(space, bytes, n_bytes, n, &status);

    if (status == BBANS_OK)
        status = bbans_sequence_decode(space, &m.msg, x, n, work, work_bytes);
    fuzz_message_free(&m);
    free(work);
    return status;
}

/* Returns the bytes of the message, *n_bytes of them; NULL if it is refused. */
static inline uint8_t *engine_encode(fuzz_sequence *s, const uint8_t *x,
                                     size_t n, size_t *n_bytes)
{
    const size_t words = bbans_sequence_tail_words(s->space, n);
    fuzz_input none = fuzz_begin(NULL, 0);
    fuzz_message m = fuzz_message_of(&none, 1, 0, words);
    uint8_t *bytes = fuzz_memory(4 * words + 8);
    size_t work_bytes;
    void *work = engine_work(s, n, &work_bytes);
    const bbans_status status =
        bbans_sequence_encode(s->space, x, n, work, work_bytes, &m.msg);

    if (status == BBANS_OK) {
        CHECK(bbans_message_check(&m.msg) == BBANS_OK);
        CHECK(bbans_message_write(&m.msg, bytes, 4 * words + 8, n_bytes) ==
              BBANS_OK);
    } else {
        CHECK(status == BBANS_ERR_SYMBOL);
        free(bytes);
        bytes = NULL;
    }
    free(work);
    fuzz_message_free(&m);
    return bytes;
}

static inline int engine_round_trip(fuzz_sequence *s)
{
    uint8_t *y = fuzz_memory(s->n * s->x_bytes);
    size_t n_bytes = 0;
    uint8_t *bytes = engine_encode(s, s->x, s->n, &n_bytes);
    const int coded = bytes != NULL;

    if (coded) {
        CHECK(engine_decode(s->space, bytes, n_bytes, y, s->n) == BBANS_OK);
        CHECK(fuzz_same(s->x, y, s->n * s->x_bytes));
        engine_digest(s, bytes, n_bytes);
    }
    free(bytes);
    free(y);
    return coded;
}

/* Any bytes, and messages of the model's own with a bit flipped. */
static inline void engine_any(fuzz_sequence *s, const uint8_t *bytes,
                              size_t size)
{
    uint8_t *x = fuzz_memory(s->n * s->x_bytes), *again;
    const bbans_status status = engine_decode(s->space, bytes, size, x, s->n);
    size_t n_bytes;

    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
    engine_digest(s, &status, sizeof status);
    if (status == BBANS_OK) {
        again = engine_encode(s, x, s->n, &n_bytes);
        CHECK(again != NULL);
        CHECK(n_bytes == size && fuzz_same(again, bytes, size));
        engine_digest(s, x, s->n * s->x_bytes);
        free(again);
    }
    free(x);
}

static inline void engine_damaged(fuzz_sequence *s)
{
    const uint32_t bit = fuzz_below(&s->in, 65536);
    size_t n_bytes;
    uint8_t *bytes = engine_encode(s, s->x, s->n, &n_bytes);

    bytes[bit / 8 % n_bytes] ^= (uint8_t)(1u << bit % 8);
    engine_any(s, bytes, n_bytes);
    free(bytes);
}

/* Over the message that is there, and out of it. */
static inline void engine_bare(fuzz_sequence *s, int coded)
{
    const size_t room =
        bbans_sequence_tail_words(s->space, s->n) + s->n * s->space->pop_words;
    uint8_t *y = fuzz_memory(s->n * s->x_bytes);
    fuzz_message m = fuzz_message_of(&s->in, 1, fuzz_below(&s->in, 30), room);
    size_t work_bytes;
    void *work = engine_work(s, s->n, &work_bytes);
    bbans_status status =
        bbans_sequence_push(s->space, &m.msg, s->x, s->n, work, work_bytes);

    CHECK((status == BBANS_OK) == (coded || status == BBANS_ERR_STATE));
    engine_digest(s, &status, sizeof status);
    if (status == BBANS_OK) {
        engine_digest(s, m.msg.tail, 4 * m.msg.tail_len);
        CHECK(bbans_sequence_pop(s->space, &m.msg, y, s->n, work, work_bytes) ==
              BBANS_OK);
        CHECK(fuzz_same(s->x, y, s->n * s->x_bytes));
    }
    CHECK(fuzz_is_kept(&m));
    status = bbans_sequence_pop(s->space, &m.msg, y, s->n, work, work_bytes);
    engine_digest(s, &status, sizeof status);
    if (status == BBANS_OK) {
        engine_digest(s, y, s->n * s->x_bytes);
        CHECK(bbans_sequence_push(s->space, &m.msg, y, s->n, work,
                                  work_bytes) == BBANS_OK);
        CHECK(fuzz_is_kept(&m));
    }
    fuzz_message_free(&m);
    free(work);
    free(y);
}

/* With less room than is asked for: refused, and nothing changes, or done. */
static inline void engine_cramped(fuzz_sequence *s)
{
    const size_t words = bbans_sequence_tail_words(s->space, s->n);
    const size_t room = words == 0 ? 0 : fuzz_below(&s->in, (uint32_t)words);
    fuzz_message m = fuzz_message_of(&s->in, 1, 3, room);
    size_t work_bytes;
    void *work = engine_work(s, s->n, &work_bytes);

    if (bbans_sequence_push(s->space, &m.msg, s->x, s->n, work, work_bytes) !=
        BBANS_OK)
        CHECK(fuzz_is_kept(&m));
    fuzz_message_free(&m);
    free(work);
}

/* The sequence cut in three. */
static inline void engine_cut(fuzz_sequence *s, uint64_t *offset)
{
    offset[0] = 0;
    offset[1] = fuzz_below(&s->in, (uint32_t)s->n + 1);
    offset[2] =
        offset[1] + fuzz_below(&s->in, (uint32_t)(s->n - offset[1]) + 1);
    offset[3] = s->n;
}

/* Whether one of the parts by itself is refused, as particles may refuse what
 * they take after others. */
static inline int engine_refuses(fuzz_sequence *s, const uint64_t *offset)
{
    size_t n_bytes, k;
    int refused = 0;

    for (k = 0; k < 3; k++) {
        uint8_t *alone =
            engine_encode(s, s->x + offset[k] * s->x_bytes,
                          (size_t)(offset[k + 1] - offset[k]), &n_bytes);

        refused |= alone == NULL;
        free(alone);
    }
    return refused;
}

/* As messages of their own, each that of bbans_sequence_encode, in turns or
 * not. */
static inline void engine_batch(fuzz_sequence *s)
{
    const size_t cap = bbans_sequence_tail_words(s->space, s->n) +
                       3 * bbans_sequence_tail_words(s->space, 0) + 8 +
                       s->n * s->space->pop_words;
    const size_t turns = 1 + fuzz_below(&s->in, BBANS_BATCH);
    const size_t work_bytes =
        turns * bbans_sequence_work_bytes(s->space, s->n + 1, s->n + 1);
    uint8_t *bytes = fuzz_memory(12 * cap), *y = fuzz_memory(s->n * s->x_bytes);
    void *work = fuzz_memory(work_bytes);
    fuzz_input none = fuzz_begin(NULL, 0);
    fuzz_message m = fuzz_message_of(&none, 1, 0, turns * cap);
    uint64_t offset[4], end[4];
    bbans_status status;
    size_t failed, k;

    engine_cut(s, offset);
    status = bbans_batch_encode(s->space, s->x, offset, 3, work, work_bytes,
                                &m.msg, bytes, 12 * cap, end, &failed);
    CHECK(status == BBANS_OK ||
          (status == BBANS_ERR_SYMBOL && engine_refuses(s, offset)));
    for (k = 0; k < 3 && status == BBANS_OK; k++) {
        const size_t n = (size_t)(offset[k + 1] - offset[k]);
        size_t n_bytes;
        uint8_t *alone =
            engine_encode(s, s->x + offset[k] * s->x_bytes, n, &n_bytes);

        CHECK(end[k + 1] - end[k] == n_bytes &&
              fuzz_same(alone, bytes + end[k], n_bytes));
        free(alone);
    }
    if (status == BBANS_OK) {
        CHECK(bbans_batch_decode(s->space, bytes, end, y, offset, 3, work,
                                 work_bytes, &m.msg, &failed) == BBANS_OK);
        CHECK(fuzz_same(s->x, y, s->n * s->x_bytes));
    }
    fuzz_message_free(&m);
    free(work);
    free(bytes);
    free(y);
}

/* As one message; with a bit flipped, it is refused or another one. */
static inline void engine_damage_packed(fuzz_sequence *s, bbans_message *msg,
                                        const uint64_t *offset, void *work,
                                        size_t work_bytes)
{
    const uint32_t bit = fuzz_below(&s->in, 65536);
    uint8_t *y = fuzz_memory(s->n * s->x_bytes), *bytes, *again;
    bbans_status status;
    size_t n_bytes, n;

    CHECK(bbans_message_size(msg, &n_bytes) == BBANS_OK);
    bytes = fuzz_memory(n_bytes);
    again = fuzz_memory(n_bytes);
    CHECK(bbans_message_write(msg, bytes, n_bytes, &n) == BBANS_OK);
    engine_digest(s, bytes, n_bytes);
    CHECK(bbans_packed_decode(s->space, msg, y, offset, 3, work, work_bytes) ==
          BBANS_OK);
    CHECK(fuzz_same(s->x, y, s->n * s->x_bytes));
    bytes[bit / 8 % n_bytes] ^= (uint8_t)(1u << bit % 8);
    status = bbans_message_read(msg, bytes, n_bytes);
    if (status == BBANS_OK)
        status =
            bbans_packed_decode(s->space, msg, y, offset, 3, work, work_bytes);
    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT);
    if (status == BBANS_OK) {
        CHECK(bbans_packed_encode(s->space, y, offset, 3, work, work_bytes,
                                  msg) == BBANS_OK);
        CHECK(bbans_message_write(msg, again, n_bytes, &n) == BBANS_OK);
        CHECK(n == n_bytes && fuzz_same(again, bytes, n_bytes));
    }
    free(bytes);
    free(again);
    free(y);
}

static inline void engine_packed(fuzz_sequence *s)
{
    const size_t cap =
        bbans_sequence_tail_words(s->space, s->n) + s->n * s->space->pop_words;
    fuzz_input none = fuzz_begin(NULL, 0);
    fuzz_message m = fuzz_message_of(&none, 1, 0, cap);
    size_t work_bytes;
    void *work = engine_work(s, s->n, &work_bytes);
    bbans_status status;
    uint64_t offset[4];

    engine_cut(s, offset);
    status = bbans_packed_encode(s->space, s->x, offset, 3, work, work_bytes,
                                 &m.msg);
    CHECK(status == BBANS_OK ||
          (status == BBANS_ERR_SYMBOL && engine_refuses(s, offset)));
    if (status == BBANS_OK)
        engine_damage_packed(s, &m.msg, offset, work, work_bytes);
    fuzz_message_free(&m);
    free(work);
}

/* Up to the first observation that is as the last; and of any bytes. */
static inline void engine_until(fuzz_sequence *s)
{
    const uint8_t *last = s->x + (s->n - 1) * s->x_bytes;
    uint8_t *y = fuzz_memory(s->n * s->x_bytes), *bytes, *again;
    size_t first = 0, n, n_bytes, n_again, work_bytes;
    void *work = engine_work(s, 1, &work_bytes);
    bbans_status status;
    fuzz_message m;

    while (!fuzz_same(s->x + first * s->x_bytes, last, s->x_bytes))
        first++;
    bytes = engine_encode(s, s->x, first + 1, &n_bytes);
    m = engine_read(s->space, bytes, n_bytes, first + 1, &status);
    CHECK(status == BBANS_OK);
    CHECK(bbans_sequence_decode_until(s->space, &m.msg, y, first + 1, last, &n,
                                      work, work_bytes) == BBANS_OK);
    CHECK(n == first + 1 && fuzz_same(s->x, y, n * s->x_bytes));
    fuzz_message_free(&m);
    bytes[fuzz_below(&s->in, (uint32_t)n_bytes)] ^=
        (uint8_t)fuzz_bits(&s->in, 1);
    m = engine_read(s->space, bytes, n_bytes, s->n, &status);
    if (status == BBANS_OK)
        status = bbans_sequence_decode_until(s->space, &m.msg, y, s->n, last,
                                             &n, work, work_bytes);
    CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT ||
          status == BBANS_ERR_CAPACITY);
    if (status == BBANS_OK) {
        CHECK(n <= s->n &&
              fuzz_same(y + (n - 1) * s->x_bytes, last, s->x_bytes));
        again = engine_encode(s, y, n, &n_again);
        CHECK(n_again == n_bytes && fuzz_same(again, bytes, n_bytes));
        free(again);
    }
    fuzz_message_free(&m);
    free(work);
    free(bytes);
    free(y);
}

/* Whether x could be coded; only then all else is tried with it. */
static inline int engine_once(fuzz_sequence *s)
{
    const unsigned what = fuzz_below(&s->in, 256);
    int coded;

    s->space->predictive = (int)(what & 1);
    coded = engine_round_trip(s);
    if (what & 2)
        engine_bare(s, coded);
    if (coded && what & 4)
        engine_batch(s);
    if (coded && what & 128)
        engine_packed(s);
    if (coded && what & 8)
        engine_cramped(s);
    if (coded && what & 16)
        engine_damaged(s);
    if (coded && what & 32 && s->n > 0 && s->space->predictive)
        engine_until(s);
    if (coded && what & 64)
        check_costs(s->space, s->x, s->n);
    engine_any(s, s->in.at, s->in.left);
    return coded;
}

/* n observations x, by the portable kernels and by others; what is left of the
 * input says which, what is tried, and is bytes to decode. */
static inline void fuzz_engine(const fuzz_input *in, bbans_state_space *space,
                               const void *x, size_t n)
{
    const uint64_t choice = fuzz_digest(0, in->at, in->left);
    uint64_t digest = 0;
    size_t turn;

    for (turn = 0; turn < 2; turn++) {
        fuzz_sequence s;

        fuzz_choose_isa(turn, choice);

        s.space = space;
        s.x = x;
        s.n = n;
        s.x_bytes = space->observation_bytes;
        s.in = *in;
        s.digest = 0;
        (void)engine_once(&s);
        CHECK(turn == 0 || s.digest == digest);
        digest = s.digest;
    }
}

#endif
