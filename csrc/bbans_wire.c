/* Message <-> bytes.  docs/format.md, section 1.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

#ifndef BBANS_DECODER_ONLY
static size_t head_bytes(uint64_t head)
{
    size_t n = 0;

    for (; head != 0; head >>= 8)
        n++;
    return n;
}

bbans_status bbans_wire_size(const bbans_message *msg, size_t *n_bytes)
{
    if (msg == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 4 * msg->tail_len +
               (msg->lanes == 1 ? head_bytes(msg->head[0]) : 8 * msg->lanes);
    return BBANS_OK;
}

bbans_status bbans_wire_write(const bbans_message *msg, uint8_t *bytes,
                              size_t cap, size_t *n_bytes)
{
    size_t i;
    const bbans_status status = bbans_wire_size(msg, n_bytes);

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

bbans_status bbans_wire_read(bbans_message *msg, const uint8_t *bytes,
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
