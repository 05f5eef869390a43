/* The byte coder: what is coded how, and blocks on their way out.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_bytes_internal.h"

#ifndef BBANS_DECODER_ONLY
#define PART 256 /* bytes that have a bit of bytes_push's `any` */
#define FEW 8
#define SAMPLE 4096 /* bytes */
#define MANY                                                                   \
    ((size_t)1 << 18)     /* bytes for which tables of pairs are little        \
                           */
#define AT_ONCE 2048      /* bytes packed, a multiple of 8 */
#define CHUNK (32 * PART) /* bytes pushed at once; 4 LANES_MAX divides it */
/* Of order 1, in bits: 129 states of up to 34, and for each pair the lower bits
 * of its frequency, at most 4 on average, as 256 of them sum to 2^12. */
#define TABLE_MAX ((BYTE_VALUES * BYTE_VALUES + (LANES_MAX + 1) * 9) / 2 + 512)

/* ---- Workspace ----------------------------------------------------------- */

typedef struct {
    const uint8_t *counted; /* the bytes whose pairs `entry` counts, or NULL */
    uint32_t pad[4];        /* kernels read 3 before the first entry */
    uint32_t entry[BYTE_VALUES * BYTE_VALUES];
    uint64_t inverse[((size_t)1 << PREC) + 1];
    uint8_t spans[LANES_MAX * STRIDE];
    uint8_t tokens[TOKENS_MAX], token_block[TOKENS_MAX + 5];
    uint8_t table[TABLE_MAX];
} encoder;

/* At most a symbol in 2^15 is a patch, for each of 255. */
static size_t patches_max(size_t n)
{
    return BYTE_VALUES * (n >> 15);
}

/* A symbol takes at most 12 bits: 3 bytes of words for two. */
static size_t words_max(size_t n)
{
    return n + n / 2 + 4 * LANES_MAX + SLACK;
}

static size_t encoder_bytes(size_t n)
{
    return BBANS_ALIGNMENT + sizeof(encoder) + n / 2 + 8 +
           4 * (patches_max(n) + 1) + words_max(n);
}

/* Order 1 compresses its table as a block. */
size_t bbans_bytes_encoder_bytes(size_t n)
{
    return encoder_bytes(n) + encoder_bytes(TOKENS_MAX);
}

size_t bbans_bytes_bound(size_t n)
{
    return n > BBANS_BYTES_MAX ? 0 : n + 5;
}

/* ---- Header and packing -------------------------------------------------- */

static uint8_t *put_header(uint8_t *p, const bytes_header *h)
{
    *p++ = (uint8_t)(h->method | h->log2_per << 2 | h->log2_lanes << 4 |
                     h->option << 7);
    p += bbans_put_uvarint(p, h->n);
    if (h->log2_per > 0) {
        *p++ = (uint8_t)h->n_symbols;
        memcpy(p, h->symbol, h->n_symbols);
        p += h->n_symbols;
    }
    return p;
}

/* How many symbols but the first are not above a byte.  By comparisons, of
 * which compilers make vectors, as of join_pairs. */
static void rank_bytes(const bytes_header *h, const uint8_t *restrict data,
                       size_t n, uint8_t *restrict rank)
{
    size_t i, k;

    memset(rank, 0, n);
    for (k = 1; k < h->n_symbols; k++) {
        const uint8_t symbol = h->symbol[k];

        for (i = 0; i < n; i++)
            rank[i] = (uint8_t)(rank[i] + (data[i] >= symbol));
    }
}

static inline void join_pairs(const uint8_t *restrict from, size_t n,
                              unsigned bits, uint8_t *restrict to)
{
    size_t i;

    for (i = 0; i < n; i++)
        to[i] = (uint8_t)(from[2 * i] | (uint8_t)(from[2 * i + 1] << bits));
}

/* Byte i of the packed ones holds symbols i per .. i per + per - 1, the first
 * in its lowest bits; what is past the end is symbol 0. */
static void pack(const bytes_header *h, const uint8_t *data, uint8_t *packed)
{
    uint8_t a[AT_ONCE + 8], b[AT_ONCE / 2 + 8];
    size_t i;

    for (i = 0; i < h->n; i += AT_ONCE) {
        const size_t part = h->n - i < AT_ONCE ? h->n - i : AT_ONCE;
        const size_t n = bbans_packed_size(part, h->log2_per);
        uint8_t *const to = packed + (i >> h->log2_per);

        rank_bytes(h, data + i, part, a);
        memset(a + part, 0, 8);
        switch (h->log2_per) {
        case 1: join_pairs(a, n, 4, to); break;
        case 2:
            join_pairs(a, 2 * n, 2, b);
            join_pairs(b, n, 4, to);
            break;
        default:
            join_pairs(a, 4 * n, 1, b);
            join_pairs(b, 2 * n, 2, a);
            join_pairs(a, n, 4, to);
        }
    }
}

/* ---- What order 0 would cost --------------------------------------------- */

typedef struct {
    const uint8_t *bytes;
    size_t n;
    uint32_t count[BYTE_VALUES]; /* 0 where patched */
    uint16_t freq[BYTE_VALUES];
    uint8_t patched[BYTE_VALUES];
    size_t n_symbols, n_patches;
    uint64_t cost; /* bytes, an estimate */
} plan;

/* Bytes of at most FEW values, by comparisons, of which compilers make vectors;
 * 0 if there are more. */
static int count_few(const uint8_t *data, size_t n, uint32_t *count)
{
    uint8_t symbol[FEW];
    size_t n_symbols = 0, i, k, counted = 0;

    for (i = 0; i < n && i < 1024; i++) {
        for (k = 0; k < n_symbols && data[i] != symbol[k]; k++)
            continue;
        if (k == FEW)
            return 0;
        if (k == n_symbols)
            symbol[n_symbols++] = data[i];
    }
    memset(count, 0, BYTE_VALUES * sizeof *count);
    for (i = 0; i < n; i += 240) {
        const size_t part = n - i < 240 ? n - i : 240;
        size_t j;

        for (k = 0; k < n_symbols; k++) {
            uint8_t c = 0;

            for (j = 0; j < part; j++)
                c = (uint8_t)(c + (data[i + j] == symbol[k]));
            count[symbol[k]] += c;
            counted += c;
        }
        if (counted != i + part)
            return 0;
    }
    return 1;
}

static void count_each(const uint8_t *data, size_t n, uint32_t *count)
{
    /* Runs of one byte would wait for each other in one table. */
    uint32_t part[8][BYTE_VALUES];
    size_t i, k;

    memset(part, 0, sizeof part);
    for (i = 0; i + 8 <= n; i += 8)
        for (k = 0; k < 8; k++)
            part[k][data[i + k]]++;
    for (; i < n; i++)
        part[0][data[i]]++;
    for (k = 0; k < BYTE_VALUES; k++)
        count[k] = part[0][k] + part[1][k] + part[2][k] + part[3][k] +
                   part[4][k] + part[5][k] + part[6][k] + part[7][k];
}

/* Where in `turns` parts of a table the j-th of pairs in turns counts. */
static size_t part_of(size_t turns, size_t j)
{
    return j % turns * (BYTE_VALUES / turns * BYTE_VALUES);
}

/* All parts in the first. */
static void add_parts(uint32_t *count, size_t turns)
{
    size_t t, i;

    for (t = 1; t < turns; t++) {
        uint32_t *const part = count + part_of(turns, t);

        for (i = 0; i < part_of(turns, 1); i++) {
            count[i] += part[i];
            part[i] = 0;
        }
    }
}

/* Which byte follows which, as count[second << 8 | first].  Where bytes are so
 * small that pairs take only a part of the table, the others count too, in
 * turns, for the reason of count_each. */
static void count_pairs(const uint8_t *bytes, size_t n, size_t turns,
                        uint32_t *count)
{
    const size_t size = (size_t)BYTE_VALUES * BYTE_VALUES;
    const size_t quarter = (n - 1) / 4;
    uint32_t *const count_b = count + part_of(turns, 1);
    uint32_t *const count_c = count + part_of(turns, 2);
    uint32_t *const count_d = count + part_of(turns, 3);
    const uint8_t *a = bytes, *b = a + quarter, *c = b + quarter,
                  *d = c + quarter;
    size_t i;

    memset(count, 0, size * sizeof *count);
    for (i = 0; i < quarter; i++) {
        count[bbans_load_le16(a + i)]++;
        count_b[bbans_load_le16(b + i)]++;
        count_c[bbans_load_le16(c + i)]++;
        count_d[bbans_load_le16(d + i)]++;
    }
    for (i = 4 * quarter; i + 1 < n; i++)
        count[bbans_load_le16(bytes + i)]++;
    add_parts(count, turns);
}

/* The same of the bytes at even places and those after them, in the first n / 8
 * * 8. */
static void count_even_pairs(const uint8_t *bytes, size_t n, size_t turns,
                             uint32_t *count)
{
    const size_t size = (size_t)BYTE_VALUES * BYTE_VALUES;
    uint32_t *const count_b = count + part_of(turns, 1);
    uint32_t *const count_c = count + part_of(turns, 2);
    uint32_t *const count_d = count + part_of(turns, 3);
    size_t i;

    memset(count, 0, size * sizeof *count);
    for (i = 0; i + 8 <= n; i += 8) {
        count[bbans_load_le16(bytes + i)]++;
        count_b[bbans_load_le16(bytes + i + 2)]++;
        count_c[bbans_load_le16(bytes + i + 4)]++;
        count_d[bbans_load_le16(bytes + i + 6)]++;
    }
    add_parts(count, turns);
}

/* How often each is second in a pair; and first, if those count too. */
static void count_in_pairs(const uint32_t *pairs, int firsts, uint32_t *count)
{
    uint32_t first[BYTE_VALUES];
    size_t k, j;

    memset(first, 0, sizeof first);
    for (k = 0; k < BYTE_VALUES; k++) {
        const uint32_t *row = pairs + k * BYTE_VALUES;
        uint32_t sum = 0;

        for (j = 0; j < BYTE_VALUES; j++) {
            sum += row[j];
            first[j] += row[j];
        }
        count[k] = sum;
    }
    for (k = 0; firsts && k < BYTE_VALUES; k++)
        count[k] += first[k];
}

/* In how many turns pairs of these bytes can be counted, at most 4. */
static size_t turns_of(const uint8_t *data, size_t n)
{
    uint8_t highest = 0;
    size_t i, turns;

    for (i = 0; i < n; i++)
        highest = data[i] > highest ? data[i] : highest;
    turns = BYTE_VALUES / (highest + 1u);
    return turns < 4 ? turns : 4;
}

/* Counting two bytes at once stores half as often, and stores take most of the
 * time.  But if two bytes are often the same, counts of pairs wait for each
 * other, and if they rarely are, pairs take much memory: the first bytes tell.
 * For order 1, pairs are counted anyway. */
static void count_bytes(encoder *enc, const uint8_t *data, size_t n, int order,
                        uint32_t *count)
{
    const uint64_t whole = (uint64_t)SAMPLE * SAMPLE;
    uint64_t same = 0;
    size_t k, turns = 1;

    if (count_few(data, n, count))
        return;
    if (n < MANY) {
        count_each(data, n, count);
        return;
    }
    count_each(data, SAMPLE, count);
    for (k = 0; k < BYTE_VALUES; k++)
        same += (uint64_t)count[k] * count[k];
    if (same > whole / 8)
        turns = turns_of(data, n);
    if (order == 1) {
        count_pairs(data, n, turns, enc->entry);
        enc->counted = data;
        count_in_pairs(enc->entry, 0, count);
        count[data[0]]++;
    } else if (turns == 4 || (same > whole / 64 && same < whole / 8)) {
        count_even_pairs(data, n, turns, enc->entry);
        count_in_pairs(enc->entry, 1, count);
        for (k = n / 8 * 8; k < n; k++)
            count[data[k]]++;
    } else {
        count_each(data, n, count);
    }
}

static size_t symbols_in(const uint32_t *count)
{
    size_t k, n = 0;

    for (k = 0; k < BYTE_VALUES; k++)
        n += count[k] > 0;
    return n;
}

static void write_table(bit_writer *w, const plan *p)
{
    uint16_t freq[BYTE_VALUES];
    size_t k, n = 0;

    for (k = 0; k < BYTE_VALUES; k++)
        if (p->count[k] > 0)
            freq[n++] = p->freq[k];
    bbans_alphabet_write(w, p->count);
    bbans_freq_write(w, freq, n, PREC);
}

/* Symbols so rare that a list of where they are is shorter than the slot that
 * each would take from the others: n log2(e) / 2^12 bits, and 12 bits for every
 * occurrence, against about 18 bits for every occurrence. */
static void choose_patches(plan *p)
{
    const uint32_t rare = (uint32_t)(p->n >> 15);
    size_t k, kept = 0;

    p->n_patches = 0;
    memset(p->patched, 0, sizeof p->patched);
    for (k = 0; k < BYTE_VALUES; k++)
        kept += p->count[k] > rare;
    if (kept < 2)
        return;
    for (k = 0; k < BYTE_VALUES; k++)
        if (p->count[k] > 0 && p->count[k] <= rare) {
            p->n_patches += p->count[k];
            p->count[k] = 0;
            p->patched[k] = 1;
        }
}

/* Bytes for a cost in units of 2^-16 bits. */
static uint64_t whole_bytes(uint64_t cost)
{
    return (cost >> 19) + 1;
}

static void make_plan(plan *p, const uint8_t *bytes, size_t n)
{
    bit_writer w;

    p->bytes = bytes;
    p->n = n;
    p->n_patches = 0;
    choose_patches(p);
    p->n_symbols = symbols_in(p->count);
    if (p->n_symbols == 1) {
        p->cost = 1;
        return;
    }
    memset(&w, 0, sizeof w); /* no room: it counts */
    bbans_freq_of_counts(p->count, BYTE_VALUES, PREC, p->freq);
    write_table(&w, p);
    p->cost =
        whole_bytes(bbans_freq_cost(p->count, p->freq, BYTE_VALUES, PREC)) +
        w.len + 3 * p->n_patches;
}

/* More lanes hide latency; each costs about 5 bits more than what it codes, and
 * in order 1 a byte that none precedes. */
static unsigned log2_lanes_of(size_t n, uint64_t cost)
{
    const uint64_t lanes = cost >> 10 < n >> 12 ? cost >> 10 : n >> 12;

    return lanes < 8 ? 2 : lanes < 128 ? bbans_floor_log2(lanes) : 7;
}

/* ---- Encoding ------------------------------------------------------------ */

static void start_states(bytes_states *s, size_t lanes, unsigned prec,
                         uint8_t *word)
{
    size_t i;

    s->last = BBANS_BYTES_STATE_MIN;
    for (i = 0; i < lanes; i++)
        s->x[i] = 2 * BBANS_BYTES_STATE_MIN;
    s->lanes = lanes;
    s->n_words = 0;
    s->word = word;
    s->prec = prec;
}

/* Push to the tail; 0 if there is no room for the word that it needs. */
static int push_tail(bytes_states *s, uint32_t entry)
{
    const uint32_t freq = entry & 0x1fff, start = entry >> 16;

    if (s->last >> (31 - s->prec) >= freq) {
        if (s->n_words == s->lanes)
            return 0;
        s->x[s->n_words++] |= s->last & 0xffff;
        s->last >>= 16;
    }
    s->last = (s->last / freq << s->prec) + s->last % freq + start;
    return 1;
}

/* The tail's first word is the last that its decoder reads. */
static void finish_tail(bytes_states *s)
{
    size_t i;

    for (i = 0; 2 * i < s->n_words; i++) {
        const uint32_t x = s->x[i];

        s->x[i] = s->x[s->n_words - 1 - i];
        s->x[s->n_words - 1 - i] = x;
    }
}

static void put_state(bit_writer *w, uint32_t x)
{
    const unsigned low = bbans_floor_log2(x);

    bbans_bits_put(w, low - 15, 4);
    bbans_bits_put(w, x - ((uint32_t)1 << low), low);
}

/* The length of the tail, and the states. */
static void put_states(bit_writer *w, const bytes_states *s, size_t tail)
{
    size_t i;

    bbans_gamma_put(w, (uint32_t)tail + 1);
    put_state(w, s->last);
    for (i = 0; i < s->lanes; i++)
        put_state(w, s->x[i]);
    bbans_bits_flush(w);
}

/* `n` bytes, if they fit; NULL if not. */
static uint8_t *put_bytes(uint8_t *out, const uint8_t *bytes, size_t n,
                          const uint8_t *end)
{
    if (n > (size_t)(end - out))
        return NULL;
    memcpy(out, bytes, n);
    return out + n;
}

/* floor(2^43 / f) + 1: see the portable kernel. */
static void set_inverse(encoder *enc, uint32_t freq)
{
    enc->inverse[freq] = ((uint64_t)1 << 43) / freq + 1;
}

/* NULL too if there are more than max_patches. */
static uint8_t *put_order_0(encoder *enc, const plan *p, bytes_header *h,
                            uint32_t *patch, size_t max_patches, uint8_t *words,
                            size_t words_cap, uint8_t *out, const uint8_t *end)
{
    uint8_t *const words_end = words + words_cap;
    const uint32_t *const first = patch, *const last = patch + max_patches;
    uint32_t start = 0, most = 0;
    size_t i, k, tail;
    bytes_states s;
    bit_writer w;

    enc->counted = NULL;
    memset(enc->entry, 0, BYTE_VALUES * sizeof *enc->entry);
    for (k = 0; k < BYTE_VALUES; k++)
        if (p->count[k] > 0) {
            enc->entry[k] = p->freq[k] | start << 16;
            start += p->freq[k];
            set_inverse(enc, p->freq[k]);
            if (p->freq[k] > p->freq[most])
                most = (uint32_t)k;
        }
    for (k = 0; k < BYTE_VALUES; k++) /* patched, and coded as the commonest */
        if (p->patched[k])
            enc->entry[k] = enc->entry[most] | BBANS_BYTES_FLAG;
    set_inverse(enc, (uint32_t)1 << PREC);

    start_states(&s, (size_t)1 << h->log2_lanes, PREC, words_end - SLACK);
    for (i = p->n; i > 0; i--) {
        const uint32_t e = enc->entry[p->bytes[i - 1]];

        if (!push_tail(&s, e))
            break;
        if (e & BBANS_BYTES_FLAG) {
            if (patch == last)
                return NULL;
            *patch++ = (uint32_t)i - 1;
        }
    }
    finish_tail(&s);
    tail = p->n - i;
    while (i > 0) { /* chunks start at multiples of CHUNK */
        const size_t n = (i - 1) % CHUNK + 1;

        uint32_t any = 0;

        i -= n;
        s.word =
            bbans_kernel.bytes->push(s.x, s.lanes, enc->entry, enc->inverse,
                                     p->bytes + i, n, s.word, &any);
        for (k = any == 0 ? 0 : n; k-- > 0;)
            if ((any >> k / PART & 1) == 0)
                k -= k % PART;
            else if (enc->entry[p->bytes[i + k]] & BBANS_BYTES_FLAG) {
                if (patch == last)
                    return NULL;
                *patch++ = (uint32_t)(i + k);
            }
    }
    h->method = ORDER_0;
    h->option = patch != first;
    out = put_header(out, h);
    if (out > end)
        return NULL;
    memset(&w, 0, sizeof w);
    w.bytes = out;
    w.cap = (size_t)(end - out);
    write_table(&w, p);
    if (patch != first)
        bbans_patches_write(&w, first, (size_t)(patch - first), p->bytes, p->n);
    put_states(&w, &s, tail);
    if (w.len > w.cap)
        return NULL;
    return put_bytes(out + w.len, s.word, (size_t)(words_end - SLACK - s.word),
                     end);
}

/* ---- Order 1 ------------------------------------------------------------- */

typedef struct {
    size_t n; /* symbols of the alphabet */
    uint8_t symbol[BYTE_VALUES], bits[BYTE_VALUES];
    unsigned prec;
    uint64_t cost; /* of the coded pairs, in bytes */
} pairs;

/* Of one symbol: what follows it, and how often. */
typedef struct {
    size_t n;
    uint64_t sum;
    uint32_t count[BYTE_VALUES];
    uint16_t freq[BYTE_VALUES];
    uint8_t rank[BYTE_VALUES]; /* in the alphabet */
} pairs_row;

static void get_row(const encoder *enc, const pairs *all, size_t k,
                    pairs_row *row)
{
    size_t j;

    row->n = 0;
    row->sum = 0;
    for (j = 0; j < all->n; j++) {
        const uint32_t count =
            enc->entry[(size_t)all->symbol[j] << 8 | all->symbol[k]];

        row->rank[row->n] = (uint8_t)j;
        row->count[row->n] = count;
        row->n += count > 0;
        row->sum += count;
    }
}

/* The row's cost at sum 2^bits: coded, and the part of its table that depends
 * on that, about the bit lengths of the frequencies. */
typedef struct {
    uint64_t coded, whole;
} pairs_cost;

static pairs_cost row_cost(pairs_row *row, unsigned bits)
{
    pairs_cost cost;
    size_t j;

    bbans_freq_of_counts(row->count, row->n, bits, row->freq);
    cost.coded = cost.whole =
        bbans_freq_cost(row->count, row->freq, row->n, bits);
    for (j = 0; j < row->n; j++)
        cost.whole += (uint64_t)bbans_bit_length(row->freq[j]) << 16;
    return cost;
}

/* The sum that costs least, but no more than the counts' own; the cost rises to
 * both sides of it.  A bit more takes a bit a frequency, and saves about n^2
 * sum 2^(-2 bits) / 6 bits: that the search starts near where these are even is
 * for speed alone. */
static unsigned best_bits(pairs_row *row, unsigned prec, pairs_cost *cost)
{
    const unsigned least = (unsigned)bbans_bit_length(row->n - 1);
    const unsigned own = (unsigned)bbans_bit_length(row->sum - 1);
    const unsigned most = own < prec ? own : prec;
    unsigned bits = (own + least) / 2, tried;
    pairs_cost other;

    if (bits > most)
        bits = most;
    *cost = row_cost(row, bits);
    for (tried = bits; tried < most; *cost = other, bits = tried) {
        other = row_cost(row, ++tried);
        if (other.whole >= cost->whole)
            break;
    }
    if (tried > bits + 1)
        return bits;
    for (tried = bits; tried > least; *cost = other, bits = tried) {
        other = row_cost(row, --tried);
        if (other.whole >= cost->whole)
            break;
    }
    return bits;
}

/* Less than the pairs cost, in bytes: their entropy, and of the table 2 bits
 * for each. */
static uint64_t least_cost(const encoder *enc, const pairs *all)
{
    uint64_t cost = 0;
    pairs_row row;
    size_t k, j;

    for (k = 0; k < all->n; k++) {
        get_row(enc, all, k, &row);
        cost += (uint64_t)row.n << 17;
        if (row.n > 1) {
            const uint32_t log2_sum = bbans_log2((uint32_t)row.sum);

            for (j = 0; j < row.n; j++)
                cost += row.count[j] *
                        (uint64_t)(log2_sum - bbans_log2(row.count[j]));
        }
    }
    return whole_bytes(cost);
}

/* Choose the rows' sums, and prec; 0 if the pairs cost `limit` bytes, with 2
 * bits more for each in the table, where it takes more. */
static int choose_rows(const encoder *enc, pairs *all, uint64_t limit)
{
    uint64_t fine = 0, coarse = 0, coded = 0, coded_coarse = 0;
    pairs_row row;
    size_t k;

    for (k = 0; k < all->n; k++) {
        pairs_cost cost;

        get_row(enc, all, k, &row);
        if (row.n == 0)
            continue;
        all->bits[k] = (uint8_t)best_bits(&row, PREC, &cost);
        fine += cost.whole + ((uint64_t)row.n << 16);
        coded += cost.coded;
        if (whole_bytes(fine) >= limit)
            return 0;
        if (all->bits[k] > PREC_PAIRS)
            cost = row_cost(&row, PREC_PAIRS);
        coarse += cost.whole + ((uint64_t)row.n << 16);
        coded_coarse += cost.coded;
    }
    /* 12 bits if they save one byte in 256: their slots fill the caches. */
    all->prec = coarse > fine + fine / 256 ? PREC : PREC_PAIRS;
    all->cost = whole_bytes(all->prec == PREC ? coded : coded_coarse);
    return whole_bytes(all->prec == PREC ? fine : coarse) < limit;
}

static uint8_t *put_order_1(encoder *enc, const plan *p, bytes_header *h,
                            size_t lanes, void *work, size_t work_bytes,
                            uint8_t *words, size_t words_cap, uint8_t *out,
                            const uint8_t *end, size_t tail, uint64_t limit,
                            int *tail_fits)
{
    uint8_t *const words_end = words + words_cap;
    const size_t length = (p->n - tail) / lanes;
    uint32_t occurs[BYTE_VALUES];
    size_t i, k, j, n_tokens = 0, size;
    bit_writer w;
    bytes_states s;
    pairs_row row;
    pairs all;

    all.n = 0;
    for (k = 0; k < BYTE_VALUES; k++) { /* none is patched */
        occurs[k] = p->count[k] > 0 || p->patched[k];
        if (occurs[k])
            all.symbol[all.n++] = (uint8_t)k;
    }
    if (enc->counted != p->bytes)
        count_pairs(p->bytes, p->n, 1, enc->entry);
    enc->counted = NULL; /* they become codes below */
    if (least_cost(enc, &all) >= limit)
        return NULL;
    for (k = 0; k < lanes; k++) /* each starts after the first symbol */
        enc->entry[(size_t)p->bytes[k * length] << 8 | all.symbol[0]]++;
    if (!choose_rows(enc, &all, limit))
        return NULL;
    h->option = all.prec == PREC;
    out = put_header(out, h);
    memset(&w, 0, sizeof w);
    w.bytes = enc->table;
    w.cap = sizeof enc->table;
    bbans_alphabet_write(&w, occurs);
    for (k = 0; k < all.n; k++) {
        const unsigned bits = all.bits[k] < all.prec ? all.bits[k] : all.prec;
        uint32_t start = 0;

        get_row(enc, &all, k, &row);
        if (row.n == 0) {
            enc->tokens[n_tokens++] = 0;
            continue;
        }
        bbans_freq_of_counts(row.count, row.n, bits, row.freq);
        enc->tokens[n_tokens++] = (uint8_t)(bits + 1);
        for (i = j = 0; j < row.n; i = row.rank[j++] + 1u) {
            const unsigned low = bbans_floor_log2(row.freq[j]);
            uint32_t f = (uint32_t)row.freq[j] << (all.prec - bits);
            size_t run = row.rank[j] - i;

            for (; run > 0; run = (run - 1) / 2)
                enc->tokens[n_tokens++] = run % 2 != 0 ? RUN_1 : RUN_2;
            enc->tokens[n_tokens++] = (uint8_t)(low + 1);
            bbans_bits_put(&w, row.freq[j] - ((uint32_t)1 << low), low);
            if (f > FREQ_MAX)
                f = FREQ_MAX;
            enc->entry[(size_t)all.symbol[row.rank[j]] << 8 | all.symbol[k]] =
                f | start << (all.prec - bits) << 16;
            start += row.freq[j];
            set_inverse(enc, f);
        }
    }
    if (all.cost + w.len >= limit ||
        bbans_bytes_compress(enc->tokens, n_tokens, 0, enc->token_block,
                             sizeof enc->token_block, &size, work,
                             work_bytes) != BBANS_OK ||
        all.cost + w.len + size >= limit || (size_t)(end - out) < 4)
        return NULL;
    out += bbans_put_uvarint(out, size);
    out = put_bytes(out, enc->token_block, size, end);
    if (out == NULL)
        return NULL;

    start_states(&s, lanes, all.prec, words_end - SLACK);
    for (i = p->n; i > p->n - tail; i--)
        if (!push_tail(&s, enc->entry[bbans_load_le16(p->bytes + i - 2)])) {
            *tail_fits = 0;
            return NULL;
        }
    finish_tail(&s);
    for (i = length; i > 0;) {
        const size_t steps = (i - 1) % SPAN + 1;

        i -= steps;
        for (k = 0; k < lanes; k++) {
            uint8_t *span = enc->spans + k * STRIDE;
            const uint8_t *from = p->bytes + k * length + i;

            span[0] = i > 0 ? from[-1] : all.symbol[0];
            memcpy(span + 1, from, steps);
        }
        s.word = bbans_kernel.bytes->push_pairs(
            s.x, lanes, enc->entry, enc->inverse, all.prec, enc->spans, STRIDE,
            steps, s.word);
    }
    put_states(&w, &s, tail);
    out = put_bytes(out, enc->table, w.len, end);
    if (out == NULL)
        return NULL;
    return put_bytes(out, s.word, (size_t)(words_end - SLACK - s.word), end);
}

/* ---- By a sample --------------------------------------------------------- */

#define SAMPLED_MIN ((size_t)1 << 17) /* bytes */
#define SAMPLED_OF 8                  /* one in so many is counted */
#define PIECE 64                      /* bytes of a sample side by side */

/* Counts of a sample, times what it is a sample of.  Pieces are at no regular
 * distance, which columns of a matrix could have too. */
static void count_sample(const uint8_t *data, size_t n, uint32_t *count)
{
    uint32_t part[4][BYTE_VALUES], random = 1;
    size_t i, j, k;

    memset(part, 0, sizeof part);
    for (i = 0; i + SAMPLED_OF * PIECE <= n; i += SAMPLED_OF * PIECE) {
        const uint8_t *piece = data + i + (size_t)(random >> 29) * PIECE;

        random = random * 1664525 + 1013904223;
        for (j = 0; j < PIECE; j += 4)
            for (k = 0; k < 4; k++)
                part[k][piece[j + k]]++;
    }
    for (k = 0; k < BYTE_VALUES; k++)
        count[k] =
            SAMPLED_OF * (part[0][k] + part[1][k] + part[2][k] + part[3][k]);
}

size_t bbans_bytes_compress_sampled(const uint8_t *data, size_t n, uint8_t *out,
                                    size_t cap, void *work)
{
    encoder *const enc = bbans_align(work);
    uint32_t *const patch = (uint32_t *)(void *)(enc + 1);
    uint8_t *const words = (uint8_t *)(patch + patches_max(n) + 1), *at;
    size_t size, k;
    bytes_header h;
    plan p;

    if (n < SAMPLED_MIN || n > BBANS_BYTES_MAX)
        return 0;
    count_sample(data, n, p.count);
    if (symbols_in(p.count) <= PACKED_SYMBOLS)
        return 0;
    make_plan(&p, data, n);
    if (p.n_symbols < 2 || p.cost >= n)
        return 0;
    for (k = 0; k < BYTE_VALUES; k++) /* such as may occur all the same */
        p.patched[k] = p.count[k] == 0;
    memset(&h, 0, sizeof h);
    h.n = h.n_packed = n;
    h.log2_lanes = log2_lanes_of(n, p.cost);
    at = put_order_0(enc, &p, &h, patch, n >> 11, words, words_max(n), out,
                     out + cap);
    size = at == NULL ? 0 : (size_t)(at - out);
    return size > p.cost + p.cost / 128 + 1024 ? 0 : size;
}

/* ---- Compress ------------------------------------------------------------ */

static void choose_packing(bytes_header *h, const uint32_t *count,
                           size_t n_symbols)
{
    size_t k;

    h->log2_per = n_symbols <= 2 ? 3 : n_symbols <= 4 ? 2 : 1;
    h->n_packed = bbans_packed_size(h->n, h->log2_per);
    for (k = 0; k < BYTE_VALUES; k++)
        if (count[k] > 0)
            h->symbol[h->n_symbols++] = (uint8_t)k;
}

/* What n bytes cost under their own frequencies, in units of 2^-16 bits. */
static uint64_t cost_alone(const uint8_t *bytes, size_t n)
{
    uint32_t count[BYTE_VALUES];
    uint16_t freq[BYTE_VALUES];

    count_each(bytes, n, count);
    bbans_freq_of_counts(count, BYTE_VALUES, PREC, freq);
    return bbans_freq_cost(count, freq, BYTE_VALUES, PREC);
}

/* Whether packing could pay: of a large block with nothing to gain by storing
 * it packed, a sixteenth tells. */
static int may_pack(const bytes_header *h, const uint8_t *data,
                    uint64_t plain_cost, uint8_t *packed)
{
    bytes_header part = *h;
    uint64_t plain;

    if (h->log2_per > 1 || h->n < (1 << 17) || h->n_packed < plain_cost)
        return 1;
    part.n = h->n / 32 * 2;
    part.n_packed = part.n / 2;
    pack(&part, data, packed);
    plain = cost_alone(data, part.n);
    return cost_alone(packed, part.n_packed) < plain - plain / 512;
}

bbans_status bbans_bytes_compress(const uint8_t *data, size_t n, int order,
                                  uint8_t *out, size_t cap, size_t *out_size,
                                  void *work, size_t work_bytes)
{
    encoder *enc;
    uint8_t *packed, *words, *end, *at, *stored_end, *rest;
    uint32_t *patch;
    size_t n_symbols, stored;
    plan plain, dense, *best = &plain;
    bytes_header h;

    if (out == NULL || out_size == NULL || work == NULL ||
        (data == NULL && n > 0))
        return BBANS_ERR_NULL;
    if (n > BBANS_BYTES_MAX || order < 0 || order > 1)
        return BBANS_ERR_SIZE;
    if (cap < bbans_bytes_bound(n) ||
        work_bytes < encoder_bytes(n) + (order ? encoder_bytes(TOKENS_MAX) : 0))
        return BBANS_ERR_CAPACITY;
    enc = bbans_align(work);
    patch = (uint32_t *)(void *)(enc + 1);
    words = (uint8_t *)(patch + patches_max(n) + 1);
    packed = words + words_max(n);
    rest = packed + n / 2 + 8; /* the workspace that is left */

    memset(&h, 0, sizeof h);
    h.n = h.n_packed = n;
    if (n == 0) {
        *out_size = (size_t)(put_header(out, &h) - out);
        return BBANS_OK;
    }
    enc->counted = NULL;
    count_bytes(enc, data, n, order, plain.count);
    n_symbols = symbols_in(plain.count);
    if (n_symbols >= 2 && n_symbols <= PACKED_SYMBOLS) {
        bytes_header try = h;

        choose_packing(&try, plain.count, n_symbols);
        make_plan(&plain, data, n);
        if (may_pack(&try, data, plain.cost, packed)) {
            pack(&try, data, packed);
            count_bytes(enc, packed, try.n_packed, order, dense.count);
            make_plan(&dense, packed, try.n_packed);
            dense.cost += 1 + n_symbols;
            if (dense.cost <= plain.cost ||
                (dense.n < plain.cost && dense.n < dense.cost)) {
                h = try;
                best = &dense;
            }
        }
    } else {
        make_plan(&plain, data, n);
    }

    /* Nothing longer than the packed bytes themselves. */
    stored_end = out + cap;
    h.method = STORED;
    stored = (size_t)(put_header(out, &h) - out) + best->n;
    if (stored > bbans_bytes_bound(n)) { /* packing few bytes */
        h.log2_per = h.n_symbols = 0;
        h.n_packed = n;
        best = &plain;
        stored = (size_t)(put_header(out, &h) - out) + n;
    }
    end = out + stored;
    at = NULL;
    if (best->n_symbols == 1 && best->n_patches == 0) {
        h.method = RUN;
        at = put_header(out, &h);
        if (at + 1 <= stored_end) {
            *at++ = best->bytes[0];
        }
    } else {
        const unsigned log2_lanes = log2_lanes_of(best->n, best->cost);

        if (order == 1) {
            const unsigned log2_pairs =
                log2_lanes_of(best->n / 4, best->cost / 2);
            const size_t lanes = (size_t)1 << log2_pairs;
            int tail_fits;
            size_t tail =
                best->n % lanes + (size_t)(2 * best->n / best->cost) * lanes;

            h.method = ORDER_1;
            h.log2_lanes = log2_pairs;
            /* A tail that fills the start states, if bytes take what order 0
             * has them take; else the shortest, fewer than `lanes` words. */
            for (;; tail %= lanes) {
                tail_fits = tail < best->n;
                if (tail_fits)
                    at = put_order_1(enc, best, &h, lanes, rest,
                                     encoder_bytes(TOKENS_MAX), words,
                                     words_max(n), out, end, tail, best->cost,
                                     &tail_fits);
                if (tail_fits || tail < lanes)
                    break;
            }
        }
        if (at == NULL && best->cost < stored) {
            h.log2_lanes = log2_lanes;
            at = put_order_0(enc, best, &h, patch, patches_max(n), words,
                             words_max(n), out, end);
        }
    }
    if (at == NULL) {
        h.method = STORED;
        h.log2_lanes = h.option = 0;
        at = put_header(out, &h);
        memcpy(at, best->bytes, best->n);
        at += best->n;
    }
    *out_size = (size_t)(at - out);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */
