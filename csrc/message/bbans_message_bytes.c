/* Message <-> bytes.  docs/format.md, "Message".
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#ifndef BBANS_DECODER_ONLY
static size_t head_bytes(uint64_t head)
{
    size_t n = 0;

    for (; head != 0; head >>= 8)
        n++;
    return n;
}

bbans_status bbans_message_size(const bbans_message *msg, size_t *n_bytes)
{
    if (msg == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 4 * msg->tail_len +
               (msg->lanes == 1 ? head_bytes(msg->head[0]) : 8 * msg->lanes);
    return BBANS_OK;
}

bbans_status bbans_message_write(const bbans_message *msg, uint8_t *bytes,
                                 size_t cap, size_t *n_bytes)
{
    size_t i;
    const bbans_status status = bbans_message_size(msg, n_bytes);

    if (status != BBANS_OK)
        return status;
    if (*n_bytes > cap)
        return BBANS_ERR_CAPACITY;
    if (*n_bytes == 0) /* bytes may be NULL */
        return BBANS_OK;
    if (bytes == NULL)
        return BBANS_ERR_NULL;
    for (i = 0; i < msg->tail_len; i++)
        bbans_store(bytes + 4 * i, msg->tail[i], 4);
    bytes += 4 * i;
    if (msg->lanes == 1)
        bbans_store(bytes, msg->head[0], head_bytes(msg->head[0]));
    else
        for (i = 0; i < msg->lanes; i++)
            bbans_store(bytes + 8 * i, msg->head[i], 8);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

/* Bytes of the head that ends an integer of n bytes.  A head above a tail is in
 * [2^31, 2^63), 4 to 8 bytes; of 4 and 8, the last byte's top bit decides. */
static size_t split_head(const uint8_t *bytes, size_t n)
{
    if (n < 8)
        return n;
    if (n % 4 != 0)
        return 4 + n % 4;
    return bytes[n - 1] < 0x80 ? 8 : 4;
}

bbans_status bbans_message_read(bbans_message *msg, const uint8_t *bytes,
                                size_t n_bytes)
{
    size_t i, n_head;

    if (msg == NULL || msg->head == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    if (msg->lanes == 1) {
        if (n_bytes > 0 && bytes[n_bytes - 1] == 0)
            return BBANS_ERR_CORRUPT;
        n_head = split_head(bytes, n_bytes);
    } else {
        if (msg->lanes == 0 || n_bytes / 8 < msg->lanes)
            return BBANS_ERR_CORRUPT;
        n_head = 8 * msg->lanes;
        if ((n_bytes - n_head) % 4 != 0)
            return BBANS_ERR_CORRUPT;
        for (i = 0; i < msg->lanes; i++) {
            const uint64_t head =
                bbans_load(bytes + n_bytes - n_head + 8 * i, 8);

            if (head < BBANS_HEAD_MIN || head > BBANS_HEAD_MAX)
                return BBANS_ERR_CORRUPT;
        }
    }
    if ((n_bytes - n_head) / 4 > msg->tail_cap)
        return BBANS_ERR_CAPACITY;
    msg->tail_len = (n_bytes - n_head) / 4;
    if (n_bytes == 0) { /* bytes may be NULL */
        msg->head[0] = 0;
        return BBANS_OK;
    }
    for (i = 0; i < msg->tail_len; i++)
        msg->tail[i] = (uint32_t)bbans_load(bytes + 4 * i, 4);
    bytes += 4 * i;
    if (msg->lanes == 1)
        msg->head[0] = bbans_load(bytes, n_head);
    else
        for (i = 0; i < msg->lanes; i++)
            msg->head[i] = bbans_load(bytes + 8 * i, 8);
    return BBANS_OK;
}

/* ---- Messages that start from data --------------------------------------- */

/* A head is 2^62 and 62 bits of the data. */
#define SEED_HEAD ((uint64_t)1 << 62)
#define HALF_BITS 31

#ifndef BBANS_DECODER_ONLY
typedef struct {
    const uint8_t *bytes;
    size_t n, i;
    uint64_t bits;
    unsigned n_bits;
} bit_reader;

/* Up to 32 bits; a one follows the data, and zeros. */
static uint32_t take_bits(bit_reader *in, unsigned width)
{
    const uint64_t mask = ((uint64_t)1 << width) - 1;
    uint32_t taken;

    for (; in->n_bits < width; in->n_bits += 8, in->i++)
        in->bits |=
            (uint64_t)(in->i < in->n ? in->bytes[in->i] : in->i == in->n)
            << in->n_bits;
    taken = (uint32_t)(in->bits & mask);
    in->bits >>= width;
    in->n_bits -= width;
    return taken;
}

bbans_status bbans_message_seed(bbans_message *msg, const uint8_t *bytes,
                                size_t n_bytes)
{
    bit_reader in = {0};
    uint64_t left;
    size_t i;

    if (msg == NULL || msg->head == NULL || (bytes == NULL && n_bytes > 0) ||
        (msg->tail == NULL && msg->tail_cap > 0))
        return BBANS_ERR_NULL;
    if (msg->lanes == 0)
        return BBANS_ERR_STATE;
    /* 8 n_bytes >= 62 lanes, and neither overflows */
    if (n_bytes / 31 < msg->lanes / 4 ||
        (n_bytes / 31 == msg->lanes / 4 &&
         4 * (n_bytes % 31) < 31 * (msg->lanes % 4)))
        return BBANS_ERR_UNDERFLOW;
    left = 8 * (uint64_t)n_bytes - 2 * HALF_BITS * (uint64_t)msg->lanes;
    if (left / 32 + 1 > msg->tail_cap)
        return BBANS_ERR_CAPACITY;
    in.bytes = bytes;
    in.n = n_bytes;
    for (i = 0; i < msg->lanes; i++) {
        msg->head[i] = SEED_HEAD | take_bits(&in, HALF_BITS);
        msg->head[i] |= (uint64_t)take_bits(&in, HALF_BITS) << HALF_BITS;
    }
    msg->tail_len = (size_t)(left / 32 + 1);
    for (i = msg->tail_len; i-- > 0;)
        msg->tail[i] = take_bits(&in, 32);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */

typedef struct {
    uint8_t *bytes;
    size_t n, i;
    uint64_t bits;
    unsigned n_bits;
} bit_writer;

/* Up to 32 bits; what is beyond the n bytes is dropped. */
static void put_bits(bit_writer *out, uint32_t bits, unsigned width)
{
    out->bits |= (uint64_t)bits << out->n_bits;
    for (out->n_bits += width; out->n_bits >= 8; out->n_bits -= 8) {
        if (out->i < out->n)
            out->bytes[out->i++] = (uint8_t)out->bits;
        out->bits >>= 8;
    }
}

bbans_status bbans_message_unseed(const bbans_message *msg, uint8_t *bytes,
                                  size_t cap, size_t *n_bytes)
{
    const uint64_t half = ((uint64_t)1 << HALF_BITS) - 1;
    bit_writer out = {0};
    uint64_t n_bits;
    size_t i;

    if (msg == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    for (i = 0; i < msg->lanes; i++)
        if (msg->head[i] < SEED_HEAD || msg->head[i] > BBANS_HEAD_MAX)
            return BBANS_ERR_CORRUPT;
    if (msg->tail_len == 0 || msg->tail[0] == 0)
        return BBANS_ERR_CORRUPT;
    /* All bits below the last one */
    n_bits = 2 * HALF_BITS * (uint64_t)msg->lanes +
             32 * ((uint64_t)msg->tail_len - 1) +
             bbans_floor_log2(msg->tail[0]);
    if (n_bits % 8 != 0)
        return BBANS_ERR_CORRUPT;
    *n_bytes = (size_t)(n_bits / 8);
    if (*n_bytes > cap)
        return BBANS_ERR_CAPACITY;
    if (bytes == NULL)
        return BBANS_ERR_NULL;
    out.bytes = bytes;
    out.n = *n_bytes;
    for (i = 0; i < msg->lanes; i++) {
        put_bits(&out, (uint32_t)(msg->head[i] & half), HALF_BITS);
        put_bits(&out, (uint32_t)(msg->head[i] >> HALF_BITS & half), HALF_BITS);
    }
    for (i = msg->tail_len; i-- > 0;)
        put_bits(&out, msg->tail[i], 32);
    return BBANS_OK;
}
