/* The byte coder: blocks on their way in, and how much workspace both ways
 * need.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_bytes_internal.h"

/* ---- Workspace ----------------------------------------------------------- */

typedef struct {
    uint32_t pad[4]; /* kernels read 3 before the first slot */
    uint32_t slot[BYTE_VALUES << PREC];
    uint8_t tokens[TOKENS_MAX];
    uint8_t spans[LANES_MAX * STRIDE];
    uint8_t packed_tokens[TOKENS_MAX / 2 + 8];
    uint8_t words[2 * (16 * LANES_MAX + SLACK)];
} decoder;

static size_t decompress_bytes(size_t n)
{
    return BBANS_ALIGNMENT + sizeof(decoder) + n / 2 + 8;
}

size_t bbans_bytes_work_bytes(size_t n)
{
    size_t most;

    if (n > BBANS_BYTES_MAX)
        return 0;
    most = decompress_bytes(n);
#ifndef BBANS_DECODER_ONLY
    if (bbans_bytes_encoder_bytes(n) > most)
        most = bbans_bytes_encoder_bytes(n);
#endif /* BBANS_DECODER_ONLY */
    return most;
}

/* ---- Header and packing -------------------------------------------------- */

/* Numbers of up to 4 bytes, in their shortest form; NULL: damaged. */
static const uint8_t *get_uvarint(const uint8_t *p, const uint8_t *end,
                                  size_t *v)
{
    uint64_t value;
    size_t n = 0;

    if (bbans_take_uvarint(p, (size_t)(end - p), &n, &value) != BBANS_OK ||
        n > 4)
        return NULL;
    *v = (size_t)value;
    return p + n;
}

static const uint8_t *get_header(const uint8_t *p, const uint8_t *end,
                                 bytes_header *h)
{
    unsigned k;

    memset(h, 0, sizeof *h);
    if (p == end)
        return NULL;
    h->method = *p & 3;
    h->log2_per = *p >> 2 & 3;
    h->log2_lanes = *p >> 4 & 7;
    h->option = *p >> 7;
    if (h->method < ORDER_0 ? *p >> 4 != 0 : h->log2_lanes < 2)
        return NULL;
    p = get_uvarint(p + 1, end, &h->n);
    if (p == NULL || h->n > BBANS_BYTES_MAX ||
        (h->n == 0 && (h->method | h->log2_per) != 0))
        return NULL;
    h->n_packed = bbans_packed_size(h->n, h->log2_per);
    if (h->log2_per == 0)
        return p;
    if (p == end)
        return NULL;
    h->n_symbols = *p++;
    if (h->n_symbols < 1 || h->n_symbols > bbans_symbols_of(h->log2_per) ||
        h->n_symbols > (size_t)(end - p))
        return NULL;
    for (k = 0; k < h->n_symbols; k++) {
        if (k > 0 && p[k] <= p[k - 1])
            return NULL;
        h->symbol[k] = p[k];
    }
    return p + h->n_symbols;
}

/* 0 if a packed byte holds what the alphabet has no symbol for. */
static int unpack(const bytes_header *h, const uint8_t *packed, uint8_t *data)
{
    const size_t whole = h->n >> h->log2_per, at = whole << h->log2_per;
    uint8_t symbol[PACKED_SYMBOLS], last[8];
    unsigned most, rank = 0;

    memset(symbol, 0, sizeof symbol);
    memcpy(symbol, h->symbol, h->n_symbols);
    most = bbans_kernel.bytes->unpack(packed, whole, h->log2_per, symbol, data);
    if (whole < h->n_packed) {
        rank = bbans_kernel.bytes->unpack(packed + whole, 1, h->log2_per,
                                          symbol, last);
        memcpy(data + at, last, h->n - at);
    }
    return most < h->n_symbols && rank < h->n_symbols;
}

/* ---- Decoding ------------------------------------------------------------ */

/* Words, of which kernels may read more than there are: near the end they move
 * to where zeros follow them. */
typedef struct {
    const uint8_t *word, *end;
    uint8_t *pad; /* [2 (2 row + SLACK)] for the largest row */
    int moved;
} word_source;

/* How many bytes can be popped now: a multiple of `row`, at least one, or the
 * `n` that are left. */
static size_t can_pop(word_source *w, size_t row, size_t n)
{
    const size_t left = (size_t)(w->end - w->word);
    size_t safe;

    if (!w->moved && left < 2 * row + SLACK) {
        memcpy(w->pad, w->word, left);
        memset(w->pad + left, 0, 2 * row + SLACK);
        w->word = w->pad;
        w->end = w->pad + left;
        w->moved = 1;
    }
    safe = w->moved ? row : (left - SLACK) / 2 / row * row;
    return safe < n ? safe : n;
}

/* A state in [2^15, 2^31): its bit length less 16, then its lower bits. */
static uint32_t get_state(bit_reader *r)
{
    const unsigned low = 15 + bbans_bits_get(r, 4);

    return ((uint32_t)1 << low) + bbans_bits_get(r, low);
}

/* The length of the tail, the states, and where words follow; 0 if there are
 * too few bits. */
static int get_states(bit_reader *r, unsigned log2_lanes, size_t *tail,
                      bytes_states *s, word_source *w, uint8_t *pad)
{
    size_t i;

    *tail = bbans_gamma_get(r) - 1;
    s->last = get_state(r);
    s->lanes = (size_t)1 << log2_lanes;
    for (i = 0; i < s->lanes; i++)
        s->x[i] = get_state(r);
    w->word = r->bytes + r->at;
    w->end = r->bytes + r->len;
    w->pad = pad;
    w->moved = 0;
    return r->at <= r->len;
}

/* The lanes end in 2^16 and a word of the tail's each. */
static int get_tail(const bytes_states *s, uint8_t *words)
{
    size_t i;

    memset(words + 2 * s->lanes, 0, 2 * 4 * LANES_MAX + SLACK);
    for (i = 0; i < s->lanes; i++) {
        if (s->x[i] >> 16 != 1)
            return 0;
        bbans_store_le16(words + 2 * i, s->x[i]);
    }
    return 1;
}

/* The tail has taken its words: those left are 0. */
static int tail_is_whole(const bytes_states *s, const uint8_t *words,
                         const uint8_t *word)
{
    const uint8_t *const end = words + 2 * s->lanes;

    if (s->last != BBANS_BYTES_STATE_MIN || word > end)
        return 0;
    for (; word < end; word++)
        if (*word != 0)
            return 0;
    return 1;
}

static int get_order_0(decoder *dec, const bytes_header *h, const uint8_t *p,
                       const uint8_t *end, uint8_t *out)
{
    const size_t lanes = (size_t)1 << h->log2_lanes, row = 4 * lanes;
    uint8_t symbol[BYTE_VALUES];
    uint16_t freq[BYTE_VALUES];
    const uint8_t *word;
    uint32_t start = 0;
    size_t i, k, n_symbols, tail, body;
    bit_reader r, patches;
    word_source w;
    bytes_states s;

    memset(&r, 0, sizeof r);
    r.bytes = p;
    r.len = (size_t)(end - p);
    n_symbols = bbans_alphabet_read(&r, symbol);
    if (n_symbols < 2 || !bbans_freq_read(&r, freq, n_symbols, PREC))
        return 0;
    patches = r;
    if (h->option && !bbans_patches_read(&r, NULL, h->n_packed))
        return 0;
    for (k = 0; k < n_symbols; k++) {
        bbans_slots_fill(dec->slot + start, freq[k], symbol[k]);
        start += freq[k];
    }
    if (!get_states(&r, h->log2_lanes, &tail, &s, &w, dec->words) ||
        tail > h->n_packed)
        return 0;
    body = h->n_packed - tail;
    for (i = 0; i < body;) {
        const size_t n = can_pop(&w, row, body - i);

        w.word =
            bbans_kernel.bytes->pop(s.x, lanes, dec->slot, w.word, out + i, n);
        if (w.word > w.end)
            return 0;
        i += n;
    }
    if (w.word != w.end || !get_tail(&s, dec->words))
        return 0;
    word = dec->words;
    while (i < h->n_packed) {
        const size_t left = h->n_packed - i, n = left < 512 ? left : 512;

        word = bbans_kernel.bytes->pop(&s.last, 1, dec->slot, word, out + i, n);
        if (word > dec->words + 2 * lanes)
            return 0;
        i += n;
    }
    if (!tail_is_whole(&s, dec->words, word))
        return 0;
    if (h->option)
        bbans_patches_read(&patches, out, h->n_packed); /* checked above */
    return 1;
}

static bbans_status decompress(decoder *dec, const uint8_t *block,
                               size_t block_size, uint8_t *out, size_t n,
                               uint8_t *packed, int nested);

static int get_pairs_table(decoder *dec, unsigned prec, const uint8_t *p,
                           const uint8_t *end, bit_reader *r, uint32_t *first)
{
    uint8_t symbol[BYTE_VALUES];
    size_t size, n_tokens, n, k, j, t = 0;

    p = get_uvarint(p, end, &size);
    if (p == NULL || size > (size_t)(end - p) ||
        bbans_bytes_size(p, size, &n_tokens) != BBANS_OK ||
        n_tokens > TOKENS_MAX ||
        decompress(dec, p, size, dec->tokens, n_tokens, dec->packed_tokens,
                   1) != BBANS_OK)
        return 0;
    p += size;
    memset(r, 0, sizeof *r);
    r->bytes = p;
    r->len = (size_t)(end - p);
    n = bbans_alphabet_read(r, symbol);
    if (n < 1)
        return 0;
    *first = symbol[0];
    for (k = 0; k < n; k++) {
        uint32_t *row = dec->slot + ((size_t)symbol[k] << prec);
        uint32_t left, start = 0;
        unsigned bits, digit = 0;

        if (t == n_tokens)
            return 0;
        bits = dec->tokens[t++];
        if (bits == 0) { /* a byte that none follows */
            memset(row, 0, sizeof *row << prec);
            continue;
        }
        if (--bits > prec)
            return 0;
        row[((size_t)1 << prec) - 1] = 0; /* if one has all others */
        left = (uint32_t)1 << bits;
        for (j = 0; left > 0;) {
            const unsigned token = t < n_tokens ? dec->tokens[t++] : 255;
            uint32_t f;

            if (token == RUN_1 || token == RUN_2) {
                if (digit > 7)
                    return 0;
                j += (size_t)(token == RUN_1 ? 1 : 2) << digit++;
                continue;
            }
            digit = 0;
            if (j >= n || token > bits + 1)
                return 0;
            f = ((uint32_t)1 << (token - 1)) + bbans_bits_get(r, token - 1);
            if (f > left)
                return 0;
            left -= f;
            f <<= prec - bits;
            bbans_slots_fill(row + start, f < FREQ_MAX ? f : FREQ_MAX,
                             symbol[j++]);
            start += f;
        }
    }
    return t == n_tokens;
}

static int get_order_1(decoder *dec, const bytes_header *h, const uint8_t *p,
                       const uint8_t *end, uint8_t *out)
{
    const size_t lanes = (size_t)1 << h->log2_lanes;
    const unsigned prec = h->option ? PREC : PREC_PAIRS;
    uint32_t first;
    const uint8_t *word;
    size_t i, k, length, tail;
    bit_reader r;
    word_source w;
    bytes_states s;

    if (!get_pairs_table(dec, prec, p, end, &r, &first) ||
        !get_states(&r, h->log2_lanes, &tail, &s, &w, dec->words) ||
        tail >= h->n_packed || (h->n_packed - tail) % lanes != 0)
        return 0;
    length = (h->n_packed - tail) / lanes;
    for (k = 0; k < lanes; k++)
        dec->spans[k * STRIDE] = (uint8_t)first;
    for (i = 0; i < length;) {
        const size_t left = length - i < SPAN ? length - i : SPAN;
        const size_t steps = can_pop(&w, 8 * lanes, left * lanes) / lanes;

        w.word = bbans_kernel.bytes->pop_pairs(
            s.x, lanes, dec->slot, prec, w.word, dec->spans, STRIDE, steps);
        if (w.word > w.end)
            return 0;
        for (k = 0; k < lanes; k++) {
            uint8_t *span = dec->spans + k * STRIDE;

            memcpy(out + k * length + i, span + 1, steps);
            span[0] = span[steps];
        }
        i += steps;
    }
    if (w.word != w.end || !get_tail(&s, dec->words))
        return 0;
    word = dec->words;
    for (i = length * lanes; i < h->n_packed;) {
        const size_t left = h->n_packed - i, n = left < 512 ? left : 512;

        word = bbans_kernel.bytes->pop_pairs(&s.last, 1, dec->slot, prec, word,
                                             out + i - 1, 0, n);
        if (word > dec->words + 2 * lanes)
            return 0;
        i += n;
    }
    return tail_is_whole(&s, dec->words, word);
}

/* ---- Decompress ---------------------------------------------------------- */

bbans_status bbans_bytes_size(const uint8_t *block, size_t block_size,
                              size_t *n)
{
    bytes_header h;
    const uint8_t *p;

    if (block == NULL || n == NULL)
        return BBANS_ERR_NULL;
    p = get_header(block, block + block_size, &h);
    if (p == NULL)
        return BBANS_ERR_CORRUPT;
    *n = h.n;
    return BBANS_OK;
}

/* `packed` holds what is unpacked to `out`.  A nested block is no order 1. */
static bbans_status decompress(decoder *dec, const uint8_t *block,
                               size_t block_size, uint8_t *out, size_t n,
                               uint8_t *packed, int nested)
{
    const uint8_t *const end = block + block_size;
    const uint8_t *p;
    uint8_t *to;
    bytes_header h;

    p = get_header(block, end, &h);
    if (p == NULL || h.n != n)
        return BBANS_ERR_CORRUPT;
    to = h.log2_per > 0 ? packed : out;
    switch (h.method) {
    case STORED:
        if ((size_t)(end - p) != h.n_packed)
            return BBANS_ERR_CORRUPT;
        if (h.n_packed > 0)
            memcpy(to, p, h.n_packed);
        break;
    case RUN:
        if (end - p != 1)
            return BBANS_ERR_CORRUPT;
        memset(to, *p, h.n_packed);
        break;
    case ORDER_0:
        if (!get_order_0(dec, &h, p, end, to))
            return BBANS_ERR_CORRUPT;
        break;
    default:
        if (nested || !get_order_1(dec, &h, p, end, to))
            return BBANS_ERR_CORRUPT;
    }
    if (h.log2_per > 0 && !unpack(&h, packed, out))
        return BBANS_ERR_CORRUPT;
    return BBANS_OK;
}

bbans_status bbans_bytes_decompress(const uint8_t *block, size_t block_size,
                                    uint8_t *out, size_t cap, size_t *n,
                                    void *work, size_t work_bytes)
{
    decoder *dec;
    bbans_status status;
    size_t size;

    if (block == NULL || n == NULL || work == NULL)
        return BBANS_ERR_NULL;
    status = bbans_bytes_size(block, block_size, &size);
    if (status != BBANS_OK)
        return status;
    if (out == NULL && size > 0)
        return BBANS_ERR_NULL;
    if (size > cap || work_bytes < decompress_bytes(size))
        return BBANS_ERR_CAPACITY;
    dec = bbans_align(work);
    status =
        decompress(dec, block, block_size, out, size, (uint8_t *)(dec + 1), 0);
    if (status == BBANS_OK)
        *n = size;
    return status;
}
