/* Frequency tables of the byte coder: from counts, to bits and back.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_bytes_internal.h"

/* ---- Bits ------------------------------------------------------------------
 */

void bbans_bits_put(bit_writer *w, uint32_t value, unsigned n)
{
    w->bits |= (uint64_t)value << w->n_bits;
    for (w->n_bits += n; w->n_bits >= 8; w->n_bits -= 8, w->bits >>= 8) {
        if (w->len < w->cap)
            w->bytes[w->len] = (uint8_t)w->bits;
        w->len++;
    }
}

void bbans_bits_flush(bit_writer *w)
{
    if (w->n_bits > 0)
        bbans_bits_put(w, 0, 8 - w->n_bits);
}

uint32_t bbans_bits_get(bit_reader *r, unsigned n)
{
    uint32_t value;

    for (; r->n_bits < n; r->n_bits += 8, r->at++)
        if (r->at < r->len)
            r->bits |= (uint64_t)r->bytes[r->at] << r->n_bits;
    value = (uint32_t)r->bits & (((uint32_t)1 << n) - 1);
    r->bits >>= n;
    r->n_bits -= n;
    return value;
}

/* n zeros, then a one. */
static void put_unary(bit_writer *w, unsigned n)
{
    for (; n >= 16; n -= 16)
        bbans_bits_put(w, 0, 16);
    bbans_bits_put(w, (uint32_t)1 << n, n + 1);
}

/* *n is how many zeros stood before the one; 0 if there are over `most`. */
static int get_unary(bit_reader *r, unsigned most, unsigned *n)
{
    for (*n = 0; bbans_bits_get(r, 1) == 0; ++*n)
        if (*n == most)
            return 0;
    return 1;
}

/* Elias gamma: v >= 1 as its bit length in unary, then its lower bits. */
void bbans_gamma_put(bit_writer *w, uint32_t v)
{
    const unsigned low = bbans_floor_log2(v);

    put_unary(w, low);
    bbans_bits_put(w, v - ((uint32_t)1 << low), low);
}

uint32_t bbans_gamma_get(bit_reader *r)
{
    unsigned low;

    if (!get_unary(r, 24, &low))
        return UINT32_MAX; /* more than any number of bytes */
    return ((uint32_t)1 << low) + bbans_bits_get(r, low);
}

/* ---- Alphabets --------------------------------------------------------------
 */

void bbans_alphabet_write(bit_writer *w, const uint32_t *count)
{
    uint32_t run = 1; /* the first may be empty: one more is written */
    int occurs = 0;
    size_t k;

    for (k = 0; k < BYTE_VALUES; k++) {
        if ((count[k] > 0) != occurs) {
            bbans_gamma_put(w, run);
            run = 0;
            occurs = !occurs;
        }
        run++;
    }
    bbans_gamma_put(w, run);
}

size_t bbans_alphabet_read(bit_reader *r, uint8_t *symbol)
{
    size_t n = 0, k = 0;
    int occurs;

    for (occurs = 0; k < BYTE_VALUES; occurs = !occurs) {
        uint32_t run = bbans_gamma_get(r);

        if (k == 0 && !occurs)
            run--;
        if (run > BYTE_VALUES - k)
            return 0;
        for (; run > 0; run--, k++)
            if (occurs)
                symbol[n++] = (uint8_t)k;
    }
    return n;
}

/* ---- Frequencies ------------------------------------------------------------
 */

/* A symbol's frequency is its bit length, as the difference to that of the
 * symbol before (signs alternate: 0 1 -1 2 -2 ..), in unary, then its lower
 * bits.  The last follows from the sum. */
static unsigned first_length(size_t n, unsigned prec)
{
    return prec + 1 - (unsigned)bbans_bit_length(n - 1);
}

void bbans_freq_write(bit_writer *w, const uint16_t *freq, size_t n,
                      unsigned prec)
{
    unsigned before = first_length(n, prec);
    size_t k;

    for (k = 0; k + 1 < n; k++) {
        const unsigned length = (unsigned)bbans_bit_length(freq[k]);

        put_unary(w, length > before ? 2 * (length - before) - 1
                                     : 2 * (before - length));
        bbans_bits_put(w, freq[k] - ((uint32_t)1 << (length - 1)), length - 1);
        before = length;
    }
}

int bbans_freq_read(bit_reader *r, uint16_t *freq, size_t n, unsigned prec)
{
    unsigned length = first_length(n, prec);
    uint32_t left = (uint32_t)1 << prec;
    size_t k;

    for (k = 0; k + 1 < n; k++) {
        unsigned step;
        uint32_t f;

        if (!get_unary(r, 2 * prec, &step))
            return 0;
        if (step % 2 != 0)
            length += step / 2 + 1;
        else if (step / 2 < length)
            length -= step / 2;
        else
            return 0;
        if (length > prec)
            return 0;
        f = ((uint32_t)1 << (length - 1)) + bbans_bits_get(r, length - 1);
        if (f >= left)
            return 0;
        left -= f;
        freq[k] = (uint16_t)f;
    }
    freq[k] = (uint16_t)left;
    return 1;
}

/* ---- Patches ------------------------------------------------------------- */

/* Rice's code fits gaps of this mean: gap / 2^k in unary, then its k lower
 * bits. */
static unsigned rice_bits(size_t n, uint32_t count)
{
    return bbans_floor_log2(n / count);
}

void bbans_patches_write(bit_writer *w, const uint32_t *at, size_t n_at,
                         const uint8_t *bytes, size_t n)
{
    uint32_t count[BYTE_VALUES], kinds = 0;
    size_t i, k;

    memset(count, 0, sizeof count);
    for (i = 0; i < n_at; i++)
        kinds += count[bytes[at[i]]]++ == 0;
    bbans_gamma_put(w, kinds);
    for (k = 0; k < BYTE_VALUES; k++) {
        uint32_t before = 0;

        if (count[k] == 0)
            continue;
        bbans_bits_put(w, (uint32_t)k, 8);
        bbans_gamma_put(w, count[k]);
        for (i = n_at; i-- > 0;)
            if (bytes[at[i]] == k) {
                const unsigned low = rice_bits(n, count[k]);
                const uint32_t gap = at[i] - before;

                put_unary(w, gap >> low);
                bbans_bits_put(w, gap & (((uint32_t)1 << low) - 1), low);
                before = at[i];
            }
    }
}

int bbans_patches_read(bit_reader *r, uint8_t *bytes, size_t n)
{
    uint32_t kinds = bbans_gamma_get(r), count;

    for (; kinds > 0; kinds--) {
        const uint8_t symbol = (uint8_t)bbans_bits_get(r, 8);
        size_t at = 0;
        unsigned low, high;

        count = bbans_gamma_get(r);
        if (count > n)
            return 0;
        low = rice_bits(n, count);
        for (; count > 0; count--) {
            if (r->at > r->len || !get_unary(r, (unsigned)(n >> low), &high))
                return 0;
            at += ((size_t)high << low) + bbans_bits_get(r, low);
            if (at >= n)
                return 0;
            if (bytes != NULL)
                bytes[at] = symbol;
        }
    }
    return 1;
}

/* 2^16 log2(1 + i / 64) */
static const uint32_t log2_of[65] = {
    0,     1466,  2909,  4331,  5732,  7112,  8473,  9814,  11136, 12440, 13727,
    14996, 16248, 17484, 18704, 19909, 21098, 22272, 23433, 24579, 25711, 26830,
    27936, 29029, 30109, 31178, 32234, 33279, 34312, 35334, 36346, 37346, 38336,
    39316, 40286, 41246, 42196, 43137, 44068, 44990, 45904, 46809, 47705, 48593,
    49472, 50344, 51207, 52063, 52911, 53751, 54584, 55410, 56229, 57040, 57845,
    58643, 59434, 60219, 60997, 61769, 62534, 63294, 64047, 64794, 65536};

uint32_t bbans_log2(uint32_t v)
{
    const unsigned whole = bbans_floor_log2(v);
    /* v = 2^whole (1 + rest / 2^22), between two entries 2^16 rests apart. */
    const uint32_t rest =
        (uint32_t)(((uint64_t)v << 22 >> whole) - ((uint32_t)1 << 22));
    const uint32_t i = rest >> 16, part = rest & 0xffff;

    return ((uint32_t)whole << 16) + log2_of[i] +
           ((log2_of[i + 1] - log2_of[i]) * part >> 16);
}

/* Webster's apportionment, at least one seat each (docs/maths.md, "From float
 * masses to tables"): what gets one by that leaves the others the rest to
 * share; the seats that are then over go, or come, where count / (freq +- 1/2)
 * says that it costs least, or helps most. */
void bbans_freq_of_counts(const uint32_t *count, size_t n, unsigned prec,
                          uint16_t *freq)
{
    const uint32_t total = (uint32_t)1 << prec;
    uint64_t sum = 0, rest, per_count;
    uint32_t share = total, seats = 0;
    size_t k;

    for (k = 0; k < n; k++)
        sum += count[k];
    rest = sum;
    for (k = 0; k < n; k++)
        if (2 * (uint64_t)count[k] * total < sum) {
            share -= count[k] > 0; /* not all: the mean is sum / total */
            rest -= count[k];
        }
    /* count <= rest < 2^24, so the product is at most share 2^28 <= 2^40, and
     * less than 1/16 below what it stands for. */
    per_count = ((uint64_t)share << 28) / rest;
    for (k = 0; k < n; k++) {
        uint64_t f = (count[k] * per_count + ((uint32_t)1 << 27)) >> 28;

        if (count[k] > 0 && (f == 0 || 2 * (uint64_t)count[k] * total < sum))
            f = 1;
        freq[k] = (uint16_t)f;
        seats += freq[k];
    }
    while (seats > total) { /* some freq > 1, as at most 2^prec are not 0 */
        size_t best = n;

        for (k = 0; k < n; k++)
            if (freq[k] > 1 &&
                (best == n || (uint64_t)count[k] * (2u * freq[best] - 1) <
                                  (uint64_t)count[best] * (2u * freq[k] - 1)))
                best = k;
        freq[best]--;
        seats--;
    }
    while (seats < total) {
        size_t best = 0;

        for (k = 1; k < n; k++)
            if ((uint64_t)count[k] * (2u * freq[best] + 1) >
                (uint64_t)count[best] * (2u * freq[k] + 1))
                best = k;
        freq[best]++;
        seats++;
    }
}

uint64_t bbans_freq_cost(const uint32_t *count, const uint16_t *freq, size_t n,
                         unsigned prec)
{
    uint64_t cost = 0; /* < 2^24 symbols of < 2^20 units */
    size_t k;

    for (k = 0; k < n; k++)
        if (count[k] > 0)
            cost += (uint64_t)count[k] *
                    (((uint32_t)prec << 16) - bbans_log2(freq[k]));
    return cost;
}

void bbans_slots_fill(uint32_t *slot, uint32_t freq, uint32_t symbol)
{
    const uint32_t entry = freq << 20 | symbol;
    uint32_t k;

    for (k = 0; k < freq; k++)
        slot[k] = entry | k << 8;
}
