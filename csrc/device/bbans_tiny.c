/* The integers of docs/maths.md, "The message" to "A sequence as one message"
 * for devices: one row of weights at a time, tables read where they lie, 64-bit
 * quotients from 32-bit ones.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_tiny_internal.h"

#define HEAD_MIN ((uint32_t)1 << 31)
#define START_MIN ((uint64_t)1 << 40)
#define FLAG_TOTAL 16
#define FLAG_SCHEDULE 15
#define POSTERIOR_BITS 26

/* ---- Arithmetic ---------------------------------------------------------- */

/* *x := floor(*x / d); returns the remainder.  d < 2^26, so six bits at a time
 * fit 32: rest < d gives rest 2^6 + 63 < 2^32. */
static uint32_t divide(uint64_t *x, uint32_t d)
{
    const uint32_t hi = (uint32_t)(*x >> 32), lo = (uint32_t)*x;
    uint32_t rest = hi % d, quotient = 0;
    unsigned left = 32;

    while (left > 0) {
        const unsigned step = left % 6 == 0 ? 6 : left % 6; /* 2, then 6s */

        left -= step;
        rest = rest << step | (lo >> left & ((1u << step) - 1));
        quotient = quotient << step | rest / d;
        rest %= d;
    }
    *x = (uint64_t)(hi / d) << 32 | quotient;
    return rest;
}

/* ---- The message --------------------------------------------------------- */

/* "The message", one lane.  Words go to `out` when encoding, to the spare ones
 * when decoding: what is pushed back then is the bits of one state, popped soon
 * after, so that only a damaged message needs more than two. */
typedef struct {
    bbans_tiny_stack *s;
    uint8_t *out; /* the same as s->bytes, or NULL */
    size_t cap_words;
    int failed; /* no room for a word */
} lane;

static void spill(lane *l, uint64_t limit)
{
    bbans_tiny_stack *s = l->s;
    const uint32_t word = (uint32_t)s->head;

    if (s->head >> 32 < limit)
        return;
    if (l->out != NULL && s->n_words < l->cap_words) {
        uint8_t *p = l->out + 4 * s->n_words++;

        p[0] = (uint8_t)word;
        p[1] = (uint8_t)(word >> 8);
        p[2] = (uint8_t)(word >> 16);
        p[3] = (uint8_t)(word >> 24);
    } else if (l->out == NULL && s->n_spare < BBANS_TINY_SPARE) {
        s->spare[s->n_spare++] = word;
    } else {
        l->failed = 1;
    }
    s->head >>= 32;
}

static void refill(lane *l)
{
    bbans_tiny_stack *s = l->s;

    if (s->head >= HEAD_MIN)
        return;
    if (s->n_spare > 0)
        s->head = s->head << 32 | s->spare[--s->n_spare];
    else if (s->n_words > 0)
        s->head = s->head << 32 | load_word(s->bytes + 4 * --s->n_words);
}

/* total < 2^26, freq <= total */
static void push(lane *l, uint32_t start, uint32_t freq, uint32_t total)
{
    uint32_t rest;

    spill(l, freq * (HEAD_MIN / total));
    rest = divide(&l->s->head, freq);
    l->s->head = l->s->head * total + rest + start;
    refill(l);
}

static uint32_t take_slot(lane *l, uint32_t total)
{
    spill(l, HEAD_MIN - HEAD_MIN % total);
    return divide(&l->s->head, total);
}

static void put_rest(lane *l, uint32_t slot, uint32_t start, uint32_t freq)
{
    l->s->head = l->s->head * freq + (slot - start);
    refill(l);
}

#ifndef BBANS_DECODER_ONLY
static void push_edges(lane *l, const uint16_t *row, uint32_t k, unsigned prec)
{
    push(l, row[k], (uint32_t)(row[k + 1] - row[k]), (uint32_t)1 << prec);
}

#endif

/* The k with row[k] <= slot < row[k + 1]. */
static uint32_t find(const uint16_t *row, uint32_t n, uint32_t slot)
{
    uint32_t lo = 0;

    while (n - lo > 1) {
        const uint32_t mid = lo + (n - lo) / 2;

        if (row[mid] <= slot)
            lo = mid;
        else
            n = mid;
    }
    return lo;
}

static uint32_t pop_edges(lane *l, const uint16_t *row, uint32_t n,
                          unsigned prec)
{
    const uint32_t slot = (uint32_t)l->s->head & (((uint32_t)1 << prec) - 1);
    const uint32_t k = find(row, n, slot);

    l->s->head = shifted(l->s->head, prec);
    put_rest(l, slot, row[k], (uint32_t)(row[k + 1] - row[k]));
    return k;
}

#ifndef BBANS_DECODER_ONLY
static void push_flag(lane *l, int schedule)
{
    if (schedule)
        push(l, 0, FLAG_SCHEDULE, FLAG_TOTAL);
    else
        push(l, FLAG_SCHEDULE, FLAG_TOTAL - FLAG_SCHEDULE, FLAG_TOTAL);
}

#endif

static int pop_flag(lane *l)
{
    const uint32_t slot = take_slot(l, FLAG_TOTAL);

    if (slot < FLAG_SCHEDULE)
        put_rest(l, slot, 0, FLAG_SCHEDULE);
    else
        put_rest(l, slot, FLAG_SCHEDULE, FLAG_TOTAL - FLAG_SCHEDULE);
    return slot < FLAG_SCHEDULE;
}

static int can_start(const bbans_tiny_stack *s)
{
    return s->n_words > 0 || s->n_spare > 0 || s->head >= START_MIN;
}

/* Bytes of the head that ends a message of n bytes: docs/format.md, "Message".
 */
static size_t split_head(const uint8_t *bytes, size_t n)
{
    if (n < 8)
        return n;
    if (n % 4 != 0)
        return 4 + n % 4;
    return bytes[n - 1] < 0x80 ? 8 : 4;
}

#ifndef BBANS_DECODER_ONLY
/* The head after the words; returns how many bytes there are, 0: no room. */
static size_t write_head(const bbans_tiny_stack *s, uint8_t *bytes, size_t cap)
{
    size_t n = 4 * s->n_words;
    uint64_t head;

    for (head = s->head; head != 0; head >>= 8) {
        if (n == cap)
            return 0;
        bytes[n++] = (uint8_t)head;
    }
    return n;
}
#endif

static void read_stack(bbans_tiny_stack *s, const uint8_t *bytes, size_t n)
{
    size_t i = split_head(bytes, n);

    s->bytes = bytes;
    s->n_words = (n - i) / 4;
    s->n_spare = 0;
    s->head = 0;
    while (i-- > 0)
        s->head = s->head << 8 | bytes[4 * s->n_words + i];
}

/* ---- The model ----------------------------------------------------------- */

static uint32_t mass(const uint16_t *row, uint32_t k)
{
    return (uint32_t)(row[k + 1] - row[k]);
}

static void start_filter(const bbans_tiny_hmm *hmm, uint32_t *predicted)
{
    uint32_t i;

    for (i = 0; i < hmm->states; i++)
        predicted[i] = mass(hmm->initial, i);
}

/* One step of "The frozen HMM": predicted becomes the next step's, W goes to
 * filtered. p < 2^31 and B <= 2^15: the sum is below 2^46 and at least 1. */
static void filter(const bbans_tiny_hmm *hmm, uint32_t symbol,
                   uint32_t *predicted, uint32_t *filtered)
{
    const uint32_t K = hmm->states, least = floor_of(hmm->states);
    const uint16_t *row = hmm->emission + symbol;
    uint64_t sum = 0;
    uint32_t i, j;
    int right;

    for (i = 0; i < K; i++, row += hmm->symbols + 1)
        sum += (uint64_t)predicted[i] * mass(row, 0);
    right = (int)bit_length(sum) - FILTER_BITS;
    row = hmm->emission + symbol;
    for (i = 0; i < K; i++, row += hmm->symbols + 1) {
        filtered[i] = scaled((uint64_t)predicted[i] * mass(row, 0), right);
        predicted[i] = 0;
    }
    row = hmm->transition;
    for (i = 0; i < K; i++, row += K + 1) {
        uint32_t m = ((filtered[i] >> 16) + 1) >> 1;

        if (m > SHORT_MAX)
            m = SHORT_MAX;
        for (j = 0; m != 0 && j < K; j++) {
            const uint32_t a = mass(row, j) << (15 - hmm->prec);

            predicted[j] += m * (a < SHORT_MAX ? a : SHORT_MAX);
        }
    }
    for (i = 0; i < K; i++)
        if (predicted[i] < least)
            predicted[i] = least;
}

/* W_i A_i,next, or W_i without a next state (next = states) */
static uint64_t joint(const bbans_tiny_hmm *hmm, const uint32_t *filtered,
                      uint32_t i, uint32_t next)
{
    return next < hmm->states
               ? (uint64_t)filtered[i] *
                     mass(hmm->transition + i * (hmm->states + 1u), next)
               : filtered[i];
}

/* The scale of the posterior weights and their total, 2^25 - K to 2^26.  The
 * sum of W is at least 2^31 - K: the shift is to the right, by at most 47 - 26.
 */
static uint32_t posterior(const bbans_tiny_hmm *hmm, const uint32_t *filtered,
                          uint32_t next, int *right)
{
    uint64_t sum = 0;
    uint32_t i, total = 0;

    for (i = 0; i < hmm->states; i++)
        sum += joint(hmm, filtered, i, next);
    *right = (int)bit_length(sum) - POSTERIOR_BITS;
    for (i = 0; i < hmm->states; i++)
        total += scaled(joint(hmm, filtered, i, next), *right);
    return total;
}

/* z -> Q(z | x_1 .. x_t, next); 0 if no sender can have popped it. */
static int push_state(const bbans_tiny_hmm *hmm, lane *l,
                      const uint32_t *filtered, uint32_t z, uint32_t next)
{
    uint32_t i, start = 0, freq;
    int right;
    const uint32_t total = posterior(hmm, filtered, next, &right);

    for (i = 0; i < z; i++)
        start += scaled(joint(hmm, filtered, i, next), right);
    freq = scaled(joint(hmm, filtered, z, next), right);
    if (freq == 0)
        return 0;
    push(l, start, freq, total);
    return 1;
}

/* floor(sum_i p_i C_i,x / sum_i p_i): sum < 2^46, the quotient at most 2^15. */
static uint32_t predictive_edge(const bbans_tiny_hmm *hmm,
                                const uint32_t *predicted, uint32_t x)
{
    const uint16_t *edge = hmm->emission + x;
    uint64_t below = 0, unit = 0;
    uint32_t i, quotient = 0;

    for (i = 0; i < hmm->states; i++, edge += hmm->symbols + 1) {
        below += (uint64_t)predicted[i] * *edge;
        unit += predicted[i];
    }
    unit <<= 15;
    for (i = 0; i < 16; i++, unit >>= 1) {
        quotient <<= 1;
        if (below >= unit) {
            below -= unit;
            quotient |= 1;
        }
    }
    return quotient;
}

/* What the structs and the integers above have room for. */
static bbans_status check_model(const bbans_tiny_hmm *hmm)
{
    if (hmm->states < 1 || hmm->states > BBANS_TINY_STATES ||
        hmm->symbols < 1 || hmm->symbols > BBANS_TINY_SYMBOLS_MAX ||
        hmm->start_length < 1 || hmm->prec < 1 ||
        hmm->prec > BBANS_TINY_PREC_MAX)
        return BBANS_ERR_SIZE;
    return BBANS_OK;
}

/* ---- Decoding ------------------------------------------------------------ */

/* Word i of the integer, zeros above. */
static uint32_t stack_word(const bbans_tiny_stack *s, size_t i)
{
    if (i < s->n_words)
        return load_word(s->bytes + 4 * i);
    i -= s->n_words;
    if (i < s->n_spare)
        return s->spare[i];
    i -= s->n_spare;
    return i == 0 ? (uint32_t)s->head : i == 1 ? (uint32_t)(s->head >> 32) : 0;
}

/* Bit `at` of the integer. */
static uint32_t stack_bit(const bbans_tiny_stack *s, size_t at)
{
    return stack_word(s, at / 32) >> at % 32 & 1;
}

/* The next n bits of the fraction, zeros past its end. */
static void read_bits(bbans_tiny_decoder *dec, unsigned n)
{
    bbans_tiny_range *r = &dec->range;

    for (; n > 0; n--, r->n_read++)
        r->code = r->code << 1 |
                  (r->n_read < r->n_bits
                       ? stack_bit(&dec->stack, r->n_bits - 1 - r->n_read)
                       : 0);
}

static bbans_status start_range(bbans_tiny_decoder *dec)
{
    bbans_tiny_range *r = &dec->range;

    if (dec->stack.head == 0) /* an encoder's integer has its leading 1 */
        return BBANS_ERR_CORRUPT;
    r->n_bits = 32 * (dec->stack.n_words + dec->stack.n_spare) +
                bit_length(dec->stack.head) - 1;
    r->n_read = 0;
    r->code = 0;
    r->range = WINDOW;
    read_bits(dec, WINDOW_BITS);
    return BBANS_OK;
}

/* "The range coder"'s slot is the symbol x with g edge(x) <= code < g edge(x +
 * 1). */
static bbans_status range_symbol(bbans_tiny_decoder *dec, uint8_t *symbol)
{
    const bbans_tiny_hmm *hmm = dec->hmm;
    bbans_tiny_range *r = &dec->range;
    const uint64_t unit = shifted(r->range, hmm->prec);
    uint32_t lo = 0, hi = hmm->symbols, start = 0;
    uint32_t end = (uint32_t)1 << hmm->prec;

    if (r->code >= unit * end) /* what the division left over is never coded */
        return BBANS_ERR_CORRUPT;
    while (hi - lo > 1) {
        const uint32_t mid = lo + (hi - lo) / 2;
        const uint32_t edge = predictive_edge(hmm, dec->predicted, mid);

        if (r->code >= unit * edge) {
            lo = mid;
            start = edge;
        } else {
            hi = mid;
            end = edge;
        }
    }
    r->code -= unit * start;
    r->range = unit * (end - start);
    while (r->range < RANGE_MIN) {
        read_bits(dec, 8);
        r->range <<= 8;
    }
    *symbol = (uint8_t)lo;
    return BBANS_OK;
}

/* Is the fraction the one that an encoder writes?  "The range coder". */
static bbans_status check_range(const bbans_tiny_decoder *dec)
{
    const bbans_tiny_range *r = &dec->range;
    uint64_t step = 1;
    size_t past;

    if ((stack_word(&dec->stack, 0) & 1) == 0 || r->n_bits > r->n_read)
        return BBANS_ERR_CORRUPT;
    past = r->n_read - r->n_bits;
    if (past >= WINDOW_BITS)
        return BBANS_OK;
    while (past-- > 0)
        step <<= 1;
    return r->code < step && step >= r->range - r->code ? BBANS_OK
                                                        : BBANS_ERR_CORRUPT;
}

static lane lane_of(bbans_tiny_stack *s, uint8_t *out, size_t cap)
{
    lane l;

    l.s = s;
    l.out = out;
    l.cap_words = cap / 4;
    l.failed = 0;
    return l;
}

bbans_status bbans_tiny_decoder_init(bbans_tiny_decoder *dec,
                                     const bbans_tiny_hmm *hmm,
                                     const uint8_t *bytes, size_t n_bytes,
                                     size_t n, int predictive)
{
    lane l;

    if (dec == NULL || hmm == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    if (check_model(hmm) != BBANS_OK)
        return BBANS_ERR_SIZE;
    if (n_bytes > 0 && bytes[n_bytes - 1] == 0)
        return BBANS_ERR_CORRUPT;
    dec->hmm = hmm;
    dec->n = n;
    dec->t = dec->body = 0;
    read_stack(&dec->stack, bytes, n_bytes);
    start_filter(hmm, dec->predicted);
    if (!predictive && n > hmm->start_length) {
        l = lane_of(&dec->stack, NULL, 0);
        if (pop_flag(&l)) {
            dec->body = n - hmm->start_length;
            dec->z = pop_edges(&l, hmm->initial, hmm->states, hmm->prec);
            return BBANS_OK;
        }
    }
    if (start_range(dec) != BBANS_OK)
        return BBANS_ERR_CORRUPT;
    return n > 0 ? BBANS_OK : check_range(dec);
}

/* The receiver's step of the schedule. */
static bbans_status pop_symbol(bbans_tiny_decoder *dec, uint8_t *symbol)
{
    const bbans_tiny_hmm *hmm = dec->hmm;
    const uint32_t K = hmm->states, M = hmm->symbols, z = dec->z;
    lane l = lane_of(&dec->stack, NULL, 0);

    *symbol = (uint8_t)pop_edges(&l, hmm->emission + z * (M + 1), M, hmm->prec);
    filter(hmm, *symbol, dec->predicted, dec->filtered);
    dec->z = dec->t + 1 < dec->body
                 ? pop_edges(&l, hmm->transition + z * (K + 1), K, hmm->prec)
                 : K;
    if (!push_state(hmm, &l, dec->filtered, z, dec->z) || l.failed)
        return BBANS_ERR_CORRUPT;
    if (dec->t + 1 == dec->body) /* the range coder goes on with the rest */
        return can_start(&dec->stack) ? start_range(dec) : BBANS_ERR_CORRUPT;
    return BBANS_OK;
}

bbans_status bbans_tiny_decode(bbans_tiny_decoder *dec, uint8_t *symbol,
                               size_t count)
{
    bbans_status status = BBANS_OK;

    if (dec == NULL || (symbol == NULL && count > 0))
        return BBANS_ERR_NULL;
    if (count > dec->n - dec->t)
        return BBANS_ERR_SIZE;
    for (; count > 0 && status == BBANS_OK; count--, symbol++) {
        if (dec->t < dec->body) {
            status = pop_symbol(dec, symbol);
        } else {
            status = range_symbol(dec, symbol);
            if (status == BBANS_OK)
                filter(dec->hmm, *symbol, dec->predicted, dec->filtered);
        }
        dec->t++;
        if (dec->t == dec->n && status == BBANS_OK)
            status = check_range(dec);
    }
    return status;
}

bbans_status bbans_tiny_packet_decode(bbans_tiny_decoder *dec,
                                      const bbans_tiny_hmm *hmm,
                                      const uint8_t *packet, size_t size,
                                      uint8_t *symbol, size_t *n)
{
    bbans_status status;
    size_t n_bytes = size;

    if (packet == NULL || symbol == NULL || n == NULL)
        return BBANS_ERR_NULL;
    if (size < 2 || size > BBANS_TINY_PACKET_MAX)
        return BBANS_ERR_SIZE;
    while (n_bytes > 1 && packet[n_bytes - 1] == 0)
        n_bytes--;
    status = bbans_tiny_decoder_init(dec, hmm, packet + 1, n_bytes - 1,
                                     packet[0], 1);
    if (status == BBANS_OK)
        status = bbans_tiny_decode(dec, symbol, packet[0]);
    *n = status == BBANS_OK ? packet[0] : 0;
    return status;
}

/* ---- Encoding ------------------------------------------------------------ */

#ifndef BBANS_DECODER_ONLY

/* The interval [L, L + R) 2^-k of "The range coder", k = 63 + 8 len: `bytes`
 * hold the leading 8 len bits of L, `low` its last 63. */
typedef struct {
    uint8_t *bytes;
    size_t len, cap;
    uint64_t low, range;
} range_encoder;

static void start_encoder(range_encoder *enc, uint8_t *bytes, size_t cap)
{
    enc->bytes = bytes;
    enc->len = 0;
    enc->cap = cap;
    enc->low = 0;
    enc->range = WINDOW;
}

/* L < 1 always, so a carry stops inside the bytes. */
static void carry(range_encoder *enc)
{
    size_t i = enc->len;

    while (++enc->bytes[--i] == 0)
        ;
}

/* 0 if there is no room: prec <= 15 leaves R >= 2^40, two bytes restore 2^55,
 * and 8 more are for the window at the end. */
static int range_encode(const bbans_tiny_hmm *hmm, range_encoder *enc,
                        const uint32_t *predicted, uint32_t symbol)
{
    const uint32_t start = predictive_edge(hmm, predicted, symbol);
    const uint32_t end = predictive_edge(hmm, predicted, symbol + 1);
    const uint64_t unit = shifted(enc->range, hmm->prec);

    if (enc->cap - enc->len < 2 + 8)
        return 0;
    enc->low += unit * start;
    enc->range = unit * (end - start);
    if (enc->low >= WINDOW) {
        carry(enc);
        enc->low -= WINDOW;
    }
    while (enc->range < RANGE_MIN) {
        enc->bytes[enc->len++] = (uint8_t)(enc->low >> (WINDOW_BITS - 8));
        enc->low = enc->low << 8 & (WINDOW - 1);
        enc->range <<= 8;
    }
    return 1;
}

/* Turn the bytes into the integer 2^j + v of the shortest fraction v 2^-j,
 * least significant byte first; returns how many there are. */
static size_t finish_encoder(range_encoder *enc)
{
    uint8_t *bytes = enc->bytes;
    uint64_t mask = WINDOW - 1, value;
    size_t i, j, n;
    unsigned drop = WINDOW_BITS, s;

    for (;; drop--, mask >>= 1) {
        value = (enc->low + mask) & ~mask;
        if (value - enc->low < enc->range)
            break;
    }
    if (value == WINDOW)
        carry(enc);
    value = (value & (WINDOW - 1)) << 1;
    for (i = 0; i < 8; i++, value <<= 8)
        bytes[enc->len + i] = (uint8_t)(value >> 56);
    j = 8 * enc->len + WINDOW_BITS - drop;
    while (j > 0 && (bytes[(j - 1) / 8] >> (7 - (j - 1) % 8) & 1) == 0)
        j--;
    /* A 1 and then j bits, in n bytes, the most significant first. */
    n = j / 8 + 1;
    s = j % 8;
    for (i = n; i-- > 1;)
        bytes[i] = (uint8_t)(bytes[i - 1] << s | bytes[i] >> (8 - s));
    bytes[0] = (uint8_t)((1u << s) | ((unsigned)bytes[0] >> (8 - s)));
    for (i = 0; i < n / 2; i++) {
        const uint8_t byte = bytes[i];

        bytes[i] = bytes[n - 1 - i];
        bytes[n - 1 - i] = byte;
    }
    return n;
}

/* Forward messages of `block` symbols at a time, and the predicted weights at
 * the start of each block. */
typedef struct {
    uint32_t *predicted, *spare, *checkpoints, *filtered;
    size_t block;
} rows;

/* The largest block for which 2 + block + ceil(n / block) rows fit, or 2 + n
 * for a block of all; 0: none. */
static rows cut_rows(const bbans_tiny_hmm *hmm, size_t n, uint32_t *work,
                     size_t n_work)
{
    const size_t K = hmm->states, all = n_work / K;
    rows r;

    for (r.block = n > 0 ? n : 1; r.block > 0; r.block--)
        if (2 + (r.block < n ? r.block + (n - 1) / r.block + 1 : n) <= all)
            break;
    r.predicted = work;
    r.spare = work + K;
    r.filtered = r.spare + K;
    r.checkpoints = r.filtered + r.block * K;
    return r;
}

/* Range code x[0 .. n - 1] from the predicted weights on; 0: no room. */
static size_t encode_range(const bbans_tiny_hmm *hmm, const uint8_t *x,
                           size_t n, const rows *r, uint8_t *bytes, size_t cap)
{
    range_encoder enc;
    size_t t;

    if (cap < 8)
        return 0;
    start_encoder(&enc, bytes, cap);
    for (t = 0; t < n; t++) {
        if (!range_encode(hmm, &enc, r->predicted, x[t]))
            return 0;
        filter(hmm, x[t], r->predicted, r->spare);
    }
    return finish_encoder(&enc);
}

/* z <- Q(z | x_1 .. x_t, next) */
static uint32_t pop_state(const bbans_tiny_hmm *hmm, lane *l,
                          const uint32_t *filtered, uint32_t next)
{
    int right;
    const uint32_t total = posterior(hmm, filtered, next, &right);
    const uint32_t slot = take_slot(l, total);
    uint32_t z = 0, start = 0, freq;

    while (freq = scaled(joint(hmm, filtered, z, next), right),
           slot - start >= freq) {
        start += freq;
        z++;
    }
    put_rest(l, slot, start, freq);
    return z;
}

static void copy(uint32_t *to, const uint32_t *from, size_t n)
{
    while (n-- > 0)
        *to++ = *from++;
}

static void filter_block(const bbans_tiny_hmm *hmm, const rows *r,
                         const uint8_t *x, size_t n)
{
    size_t t;

    for (t = 0; t < n; t++)
        filter(hmm, x[t], r->predicted, r->filtered + t * hmm->states);
}

/* The sender's schedule over x[0 .. n - 1], n > 0; the last block's messages
 * are there. */
static void push_sequence(const bbans_tiny_hmm *hmm, const rows *r, lane *l,
                          const uint8_t *x, size_t n)
{
    const uint32_t K = hmm->states, M = hmm->symbols;
    size_t first = (n - 1) / r->block * r->block, t = n - 1;
    uint32_t z = pop_state(hmm, l, r->filtered + (t - first) * K, K), next;

    for (; t > 0 && !l->failed; t--) {
        push_edges(l, hmm->emission + z * (M + 1), x[t], hmm->prec);
        if (t == first) {
            first -= r->block;
            copy(r->predicted, r->checkpoints + first / r->block * K, K);
            filter_block(hmm, r, x + first, r->block);
        }
        next = z;
        z = pop_state(hmm, l, r->filtered + (t - 1 - first) * K, next);
        push_edges(l, hmm->transition + z * (K + 1), next, hmm->prec);
    }
    push_edges(l, hmm->emission + z * (M + 1), x[0], hmm->prec);
    push_edges(l, hmm->initial, z, hmm->prec);
}

bbans_status bbans_tiny_encode(const bbans_tiny_hmm *hmm, const uint8_t *symbol,
                               size_t n, int predictive, uint32_t *work,
                               size_t n_work, uint8_t *bytes, size_t cap,
                               size_t *n_bytes)
{
    const int flagged = !predictive && hmm != NULL && n > hmm->start_length;
    bbans_tiny_stack stack;
    size_t body, t, used;
    lane l;
    rows r;

    if (hmm == NULL || (symbol == NULL && n > 0) || work == NULL ||
        bytes == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    if (check_model(hmm) != BBANS_OK)
        return BBANS_ERR_SIZE;
    for (t = 0; t < n; t++)
        if (symbol[t] >= hmm->symbols)
            return BBANS_ERR_SYMBOL;
    body = flagged ? n - hmm->start_length : 0;
    r = cut_rows(hmm, body, work, n_work);
    if (r.block == 0)
        return BBANS_ERR_CAPACITY;
    start_filter(hmm, r.predicted);
    for (t = 0; t < body; t += r.block) {
        if (r.block < body)
            copy(r.checkpoints + t / r.block * hmm->states, r.predicted,
                 hmm->states);
        filter_block(hmm, &r, symbol + t,
                     body - t < r.block ? body - t : r.block);
    }
    /* NULL + 0 is undefined. */
    used = encode_range(hmm, body > 0 ? symbol + body : symbol, n - body, &r,
                        bytes, cap);
    if (used > 0 && flagged) {
        read_stack(&stack, bytes, used);
        if (!can_start(&stack)) {
            start_filter(hmm, r.predicted);
            body = 0;
            used = encode_range(hmm, symbol, n, &r, bytes, cap);
            if (used == 0)
                return BBANS_ERR_CAPACITY;
            read_stack(&stack, bytes, used);
        }
        l = lane_of(&stack, bytes, cap);
        if (body > 0)
            push_sequence(hmm, &r, &l, symbol, body);
        push_flag(&l, body > 0);
        used = l.failed ? 0 : write_head(&stack, bytes, cap);
    }
    *n_bytes = used;
    return used > 0 ? BBANS_OK : BBANS_ERR_CAPACITY;
}

bbans_status bbans_tiny_packet_encode(const bbans_tiny_hmm *hmm,
                                      const uint8_t *symbol, size_t n,
                                      uint8_t *packet, size_t size,
                                      size_t *n_coded)
{
    uint32_t predicted[BBANS_TINY_STATES], filtered[BBANS_TINY_STATES];
    uint8_t bytes[BBANS_TINY_PACKET_MAX + 16],
        ended[BBANS_TINY_PACKET_MAX + 16];
    range_encoder enc, end;
    size_t t, i;

    if (hmm == NULL || (symbol == NULL && n > 0) || packet == NULL ||
        n_coded == NULL)
        return BBANS_ERR_NULL;
    if (check_model(hmm) != BBANS_OK || size < 2 ||
        size > BBANS_TINY_PACKET_MAX)
        return BBANS_ERR_SIZE;
    for (t = 0; t < n && t < BBANS_TINY_PACKET_SYMBOLS; t++)
        if (symbol[t] >= hmm->symbols)
            return BBANS_ERR_SYMBOL;
    start_filter(hmm, predicted);
    start_encoder(&enc, bytes, sizeof bytes);
    *n_coded = 0;
    for (i = 0; i < size; i++)
        packet[i] = i == 1; /* no symbols: the integer 1 */
    /* Intervals are nested, so lengths do not fall: stop at the first that is
     * too long. */
    for (t = 0; t < n && t < BBANS_TINY_PACKET_SYMBOLS; t++) {
        size_t used;

        if (!range_encode(hmm, &enc, predicted, symbol[t]))
            break;
        filter(hmm, symbol[t], predicted, filtered);
        end = enc;
        end.bytes = ended;
        for (i = 0; i < sizeof ended; i++)
            ended[i] = bytes[i];
        used = finish_encoder(&end);
        if (used > size - 1)
            break;
        for (i = 0; i < size - 1; i++)
            packet[1 + i] = i < used ? ended[i] : 0;
        packet[0] = (uint8_t)(t + 1);
        *n_coded = t + 1;
    }
    return *n_coded > 0 || n == 0 ? BBANS_OK : BBANS_ERR_CAPACITY;
}
#endif
