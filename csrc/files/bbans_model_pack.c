/* The packed form of model files: docs/format.md, "The packed form".
 *
 * One coder goes both ways: it walks through the plain file in an order in
 * which what it has seen says most about what comes, and either codes what is
 * there or puts there what it decodes.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_files.h"

#ifdef BBANS_DECODER_ONLY
#define ENCODES(c) 0
#else
#define ENCODES(c) ((c)->lane.encodes)
#endif

#define HEADER_BYTES 24
#define PLAIN_MOST 256  /* bytes of a plain file, for one of a packed one */
#define WORK_MOST 4096  /* steps, likewise */
#define FLAGS_MOST 1024 /* symbols that are asked for one by one */
#define NONE UINT32_MAX

enum { TYPE = 5, KIND = 7, PRECISION, LISTED, FORM, ENDS };

/* ---- Adaptive bits ------------------------------------------------------- */

/* Where the probabilities of each kind of bit begin. */
#define NUMBER_STATES (40 + 40 * 40)
enum {
    ENTRIES = 0,
    MEMBER = ENTRIES + 12 * 16 * 16 * 4,
    WEIGHT = MEMBER + 32 * 48,
    ALONE = WEIGHT + 16 * 32 * 16,
    SHARE_SAME = ALONE + 16,
    SHARE_NEAR = SHARE_SAME + 16,
    SHARE_BITS = SHARE_NEAR + 16,
    LABEL = SHARE_BITS + 256,
    SYMBOL_A = LABEL + 32 * 16 * 16,
    SYMBOL_B = SYMBOL_A + 16 * 16,
    ROOT = SYMBOL_B + 4 * 48,
    MASS_LENGTH = ROOT + 8,
    MASS_BITS = MASS_LENGTH + 2 * 32 * 32,
    VALUE_LENGTH = MASS_BITS + 2 * 32 * 32,
    MANY_ENTRIES = VALUE_LENGTH + 80,
    MANY_WEIGHTS = MANY_ENTRIES + NUMBER_STATES,
    LIST = MANY_WEIGHTS + NUMBER_STATES,
    FOREIGN = LIST + NUMBER_STATES,
    GAP = FOREIGN + NUMBER_STATES,
    STATES = GAP + NUMBER_STATES
};

#define ONE ((uint32_t)1 << 22) /* of a probability */
#define LEAST 16                /* of 2^16; q < ONE, so that p < 2^16 */
#define STEPS 63                /* after as many, the rate stays */

/* floor(2^17 / (2 n + 3)) */
static const uint16_t step_rates[STEPS] = {
    43690, 26214, 18724, 14563, 11915, 10082, 8738, 7710, 6898, 6241, 5698,
    5242,  4854,  4519,  4228,  3971,  3744,  3542, 3360, 3196, 3048, 2912,
    2788,  2674,  2570,  2473,  2383,  2299,  2221, 2148, 2080, 2016, 1956,
    1899,  1846,  1795,  1747,  1702,  1659,  1618, 1579, 1542, 1506, 1472,
    1440,  1409,  1379,  1351,  1323,  1297,  1272, 1248, 1224, 1202, 1180,
    1159,  1139,  1120,  1101,  1083,  1065,  1048, 1032};

/* What each bit changes: functions of many bits have a copy of their own, which
 * stays in registers. */
typedef struct {
    int encodes;
    uint64_t range;
    uint64_t value; /* of the decoder */
    const uint8_t *from, *end;
    uint32_t *state; /* [STATES] probability of a 1, and how often it changed */
} lane;

typedef struct {
    lane lane;
    int failed;
    uint64_t work, work_most;
#ifndef BBANS_DECODER_ONLY
    uint64_t low; /* of the encoder */
    uint8_t *to;
    size_t cap, n;
#endif /* BBANS_DECODER_ONLY */
} coder;

#ifndef BBANS_DECODER_ONLY
/* The highest 4 bytes of `low`, the highest first. */
static void shift_low(coder *c)
{
    int i;

    for (i = 0; i < 4; i++, c->n++, c->low <<= 8)
        if (c->n < c->cap)
            c->to[c->n] = (uint8_t)(c->low >> 56);
}

/* Add 1 to what is written. */
static void carry(coder *c)
{
    size_t i = c->n;

    if (c->n > c->cap)
        return;
    while (i > 0 && ++c->to[i - 1] == 0)
        i--;
}

/* The shortest bytes that, with zeros behind, lie in the interval. */
static void finish(coder *c)
{
    const uint64_t last = c->low + c->lane.range - 1;
    unsigned bits = 63;

    if (last < c->low) {
        carry(c);
        c->low = 0;
    }
    if (c->low > 0) {
        while (bits > 0 && last >> bits << bits < c->low)
            bits--;
        c->low = last >> bits << bits;
    }
    shift_low(c);
    shift_low(c);
    while (c->n > 0 && c->n <= c->cap && c->to[c->n - 1] == 0)
        c->n--;
}
#endif /* BBANS_DECODER_ONLY */

#ifdef BBANS_DECODER_ONLY
#define LANE_ENCODES(l) 0
#else
#define LANE_ENCODES(l) ((l)->encodes)

/* The range after a bit. */
static uint64_t encode_bit(coder *c, uint64_t range, uint64_t bound, int bit)
{
    if (!bit) {
        c->low += bound;
        if (c->low < bound)
            carry(c);
    }
    range = bit ? bound : range - bound;
    if (range >> 32 == 0) {
        range <<= 32;
        shift_low(c);
    }
    return range;
}
#endif

/* The next 4 bytes, the highest first; zeros behind the last one. */
static inline uint64_t next_word(lane *l)
{
    uint64_t word = 0;
    int i;

    if (l->end - l->from >= 4) {
        word = (uint64_t)l->from[0] << 24 | (uint64_t)l->from[1] << 16 |
               (uint64_t)l->from[2] << 8 | l->from[3];
        l->from += 4;
        return word;
    }
    for (i = 0; i < 4; i++)
        word = word << 8 | (l->from < l->end ? *l->from++ : 0u);
    return word;
}

static inline int split(coder *c, lane *l, uint64_t bound, int bit)
{
#ifdef BBANS_DECODER_ONLY
    (void)c;
#else
    if (l->encodes) {
        l->range = encode_bit(c, l->range, bound, bit);
        return bit;
    }
#endif
    bit = l->value < bound;
    if (bit) {
        l->range = bound;
    } else {
        l->range -= bound;
        l->value -= bound;
    }
    if (l->range >> 32 == 0) {
        l->range <<= 32;
        l->value = l->value << 32 | next_word(l);
    }
    return bit;
}

static inline uint32_t moved(uint32_t state, int bit)
{
    const uint32_t n = state & 1023, p = state >> 10;
    const uint32_t q = bit ? p + (((ONE - p) >> 6) * step_rates[n] >> 10)
                           : p - ((p >> 6) * step_rates[n] >> 10);

    return q << 10 | (n + (n + 1 < STEPS));
}

/* A bit whose probability is the mean of two. */
static inline int code_bit(coder *c, lane *l, size_t a, size_t b, int bit)
{
    uint32_t *const s = l->state + a, *const t = l->state + b;
    const uint32_t u = *s, v = *t;
    const uint32_t p = ((u >> 10) + (v >> 10)) >> 7 | LEAST;

    bit = split(c, l, (l->range >> 16) * p, bit);
    *s = moved(u, bit);
    *t = moved(v, bit);
    return bit;
}

/* One whose probability is that of one state. */
static inline int code_by(coder *c, lane *l, size_t a, int bit)
{
    uint32_t *const s = l->state + a;
    const uint32_t u = *s, p = (u >> 10) >> 6 | LEAST;

    bit = split(c, l, (l->range >> 16) * p, bit);
    *s = moved(u, bit);
    return bit;
}

static int code_one(coder *c, size_t a, int bit)
{
    return code_by(c, &c->lane, a, bit);
}

/* The lowest bits, each a half. */
static uint64_t code_raw(coder *c, unsigned bits, uint64_t value)
{
    uint64_t found = 0;

    while (bits-- > 0)
        found = found << 1 | (uint64_t)split(c, &c->lane, c->lane.range >> 1,
                                             (int)(value >> bits & 1));
    return found;
}

/* A number of a few bits, each of which has a state for all above it; 2^bits is
 * added. */
static uint32_t code_tree_of_bits(coder *c, size_t at, unsigned bits,
                                  uint32_t number)
{
    uint32_t node = 1;

    while (bits-- > 0)
        node = node << 1 |
               (uint32_t)code_one(c, at + node, (int)(number >> bits & 1));
    return node;
}

/* The bits of a value below its highest, which is of 2^(length - 1). */
static uint64_t code_below(coder *c, size_t at, int length, uint64_t value)
{
    uint64_t found = 1;
    int j;

    for (j = length - 2; j >= 0; j--)
        found = found << 1 |
                (uint64_t)code_one(c, at + (size_t)j, (int)(value >> j & 1));
    return found;
}

/* A number below 2^32. */
static uint32_t code_number(coder *c, size_t at, uint32_t number)
{
    const uint64_t value = (uint64_t)number + 1;
    const int true_length = bbans_bit_length(value);
    int length = 1;

    while (length < 33 &&
           code_one(c, at + (size_t)length, true_length > length))
        length++;
    return (
        uint32_t)(code_below(c, at + 40 + 40 * (size_t)length, length, value) -
                  1);
}

/* ---- The parts of a file ------------------------------------------------- */

typedef struct {
    coder c;
    uint8_t *plain;
    size_t states, symbols, values, masses, tree, n; /* offsets; the bytes */
    size_t contexts, entries;
    uint8_t *children, *first, *label, *symbol, *sum, *back_off;
    /* Of each context: itself without its newest symbol, its rank as an entry
     * there, its newest symbol, and its own ranks. */
    uint32_t *other, *often;
    uint16_t *newest, *rank; /* ranks of weights begin at 1, of all entries */
    uint32_t *total, *owner; /* of each entry, its context */
    /* Of the entries of one parent, the likeliest first: */
    uint32_t *order, *hits;
    uint8_t *member, *around; /* of `other`: halves of its entries */
    uint8_t *quarter, *look;  /* of ranks; of contexts, 16 halves of their
                                 entries and those of their ranks' sum */
    uint32_t *chosen;
    uint16_t *list, *exact, *near,
        *saved; /* weights by rank or ranks by weight; the
           last share of such a context */
} file;

#define EXACT_BITS 14
#define NEAR_CELLS (16 * 16 * 64)

static uint32_t get32(const uint8_t *array, size_t i)
{
    return bbans_load_le32(array + 4 * i);
}

static uint32_t get16(const uint8_t *array, size_t i)
{
    return bbans_load_le16(array + 2 * i);
}

static void put32(uint8_t *array, size_t i, uint32_t value)
{
    bbans_store(array + 4 * i, value, 4);
}

/* Sizes of the parts, of the numbers in the header.  0: out of range. */
static int find_parts(file *f, const uint8_t *header)
{
    const uint64_t K = bbans_load(header + 12, 4);
    const uint64_t M = bbans_load(header + 16, 4);
    uint64_t at = HEADER_BYTES;

    if (K < 1 || K > BBANS_STATES_MAX || M <= header[ENDS] ||
        M > BBANS_SYMBOLS_MAX || header[PRECISION] < 1 ||
        header[PRECISION] > BBANS_PREC_MAX)
        return 0;
    f->states = (size_t)K;
    f->symbols = (size_t)M;
    f->values = (size_t)at;
    if (header[LISTED])
        at += (header[KIND] == BBANS_KIND_TEXT ? 4 : 8) * (M - header[ENDS]);
    f->masses = (size_t)at;
    at += 4 * K * (1 + K + M);
    f->tree = at > SIZE_MAX ? 0 : (size_t)at;
    return f->tree != 0;
}

/* Place the arrays of the contexts, whose numbers are known. */
static void place_tree(file *f)
{
    f->children = f->plain + f->tree + 8;
    f->first = f->children + 4 * (f->contexts + 1);
    f->label = f->first + 4 * (f->contexts + 1);
    f->symbol = f->label + 2 * f->contexts;
    f->sum = f->symbol + 2 * f->entries;
    f->back_off = f->sum + 2 * f->entries;
}

static uint64_t tree_bytes(uint64_t contexts, uint64_t entries)
{
    return 8 + (8 * (contexts + 1) + 3 * contexts + 4 * entries + 3) / 4 * 4;
}

/* Bytes of workspace, aligned to 8. */
static uint64_t work_bytes(const file *f)
{
    const uint64_t C = f->contexts, E = f->entries, M = f->symbols + 2;

    return 8 + 4 * (uint64_t)STATES + 16 * C + 7 * E + 13 * M +
           2 * (65536 + 2 * (1 << EXACT_BITS) + NEAR_CELLS);
}

static void place_work(file *f, uint8_t *memory)
{
    const size_t C = f->contexts, M = f->symbols + 2;
    uint32_t *word;
    uint16_t *half;
    size_t i;

    memory += (8 - (uintptr_t)memory % 8) % 8;
    f->c.lane.state = word = (uint32_t *)(void *)memory;
    f->other = word += STATES;
    f->often = word += C;
    f->total = word += C;
    f->owner = word += C;
    f->order = word += f->entries;
    f->hits = word += M;
    f->chosen = word += M;
    f->list = half = (uint16_t *)(void *)(word + M);
    f->exact = half += 65536;
    f->near = half += 1 << EXACT_BITS;
    f->saved = half += NEAR_CELLS;
    f->newest = half += 1 << EXACT_BITS;
    f->rank = half += C;
    f->member = (uint8_t *)(half + f->entries);
    f->around = f->member + M;
    f->quarter = f->around + C;
    f->look = f->quarter + f->entries;
    for (i = 0; i < STATES; i++)
        f->c.lane.state[i] = ONE / 2 << 10;
    memset(f->member, 0, M);
    memset(f->exact, 0, 2 * ((1 << EXACT_BITS) + NEAR_CELLS));
}

/* What takes time is counted, so that no file takes much more of it than its
 * bytes are worth. */
static int spend(file *f, uint64_t steps)
{
    f->c.work += steps;
    if (f->c.work > f->c.work_most)
        f->c.failed = 1;
    return !f->c.failed;
}

static int refuse(file *f)
{
    f->c.failed = 1;
    return 0;
}

/* ---- Alphabet and masses ------------------------------------------------- */

static int code_values(file *f, const uint8_t *header)
{
    const size_t width = header[KIND] == BBANS_KIND_TEXT ? 4 : 8;
    const size_t n = header[LISTED] ? f->symbols - header[ENDS] : 0;
    uint64_t below = 0;
    size_t k;

    for (k = 0; k < n; k++) {
        uint8_t *const at = f->plain + f->values + width * k;
        const uint64_t value = ENCODES(&f->c) ? bbans_load(at, width) : 0;
        int length = 1;

        if (k == 0) {
            below = code_raw(&f->c, 8 * (unsigned)width, value);
        } else { /* the gap to the one before; they rise */
            const uint64_t gap = value - below;
            const int true_length = bbans_bit_length(gap);

            while (length < 64 && code_one(&f->c, VALUE_LENGTH + (size_t)length,
                                           true_length > length))
                length++;
            below += (uint64_t)1 << (length - 1) |
                     code_raw(&f->c, (unsigned)length - 1, gap);
        }
        bbans_store(at, below, width);
    }
    return spend(f, n);
}

/* A mass, of which `near` is likely to be of the same length. */
static uint32_t code_mass(coder *c, size_t kind, uint32_t near, uint32_t mass)
{
    const size_t lengths =
        MASS_LENGTH + 32 * (32 * kind + (size_t)bbans_bit_length(near));
    const uint32_t length =
        code_tree_of_bits(c, lengths, 5, (uint32_t)bbans_bit_length(mass)) - 32;

    if (length < 1 || length > 29)
        return 0;
    return (uint32_t)code_below(c, MASS_BITS + 32 * (32 * kind + length),
                                (int)length, mass);
}

/* Rows of states; the last of each has what is left. */
static int code_states(file *f, uint32_t total)
{
    const size_t K = f->states;
    uint8_t *const mass = f->plain + f->masses;
    size_t i, j;

    for (i = 0; i <= K; i++) {
        uint32_t left = total;

        for (j = 0; j + 1 < K; j++) {
            const size_t at = i * K + j;
            const uint32_t near = i > 0   ? get32(mass, at - K)
                                  : j > 0 ? get32(mass, at - 1)
                                          : 0;
            const uint32_t given = ENCODES(&f->c) ? get32(mass, at) : 0;
            const uint32_t m = code_mass(&f->c, 0, near, given);

            if (m < 1 || m >= left || (ENCODES(&f->c) && m != given))
                return refuse(f);
            put32(mass, at, m);
            left -= m;
        }
        if (ENCODES(&f->c) && get32(mass, i * K + j) != left)
            return refuse(f);
        put32(mass, i * K + j, left);
    }
    return spend(f, K * (1 + K));
}

/* Where the mass of a symbol is, or its running sum. */
static uint8_t *emission_at(const file *f, size_t i, size_t x)
{
    const size_t K = f->states,
                 place = f->contexts > 0 ? x * K + i : i * f->symbols + x;

    return f->plain + f->masses + 4 * (K * (1 + K) + place);
}

static uint32_t emission_of(const file *f, size_t i, size_t x)
{
    const uint32_t here = bbans_load_le32(emission_at(f, i, x));

    return f->contexts == 0 || x == 0
               ? here
               : here - bbans_load_le32(emission_at(f, i, x - 1));
}

static int code_emissions(file *f, uint32_t total)
{
    const size_t K = f->states, M = f->symbols;
    size_t i, x;

    for (i = 0; i < K; i++) {
        uint32_t sum = 0, last = 0;

        for (x = 0; x < M; x++) {
            const uint32_t near = i > 0 ? emission_of(f, i - 1, x) : last;
            const uint32_t given = ENCODES(&f->c) ? emission_of(f, i, x) : 0;

            if (x + 1 < M)
                last = code_mass(&f->c, 1, near, given);
            else
                last = total - sum;
            if (last < 1 || last > total - sum ||
                (x + 1 < M && last == total - sum) ||
                (ENCODES(&f->c) && last != given))
                return refuse(f);
            sum += last;
            bbans_store(emission_at(f, i, x), f->contexts > 0 ? sum : last, 4);
        }
    }
    return spend(f, (uint64_t)K * M);
}

/* ---- Contexts ------------------------------------------------------------ */

/* Logarithms in halves and quarters of an octave. */
static inline uint32_t halves(uint32_t v)
{
    const uint32_t l = (uint32_t)bbans_bit_length(v | 1) - 1;
    const uint32_t h = 2 * l + (uint32_t)((uint64_t)v << 1 >> l & 1) + (v == 1);

    return h < 15 ? h : 15;
}

static inline int quarters(uint32_t v)
{
    const int l = bbans_bit_length(v | 1) - 1;

    return 4 * (l - (v == 0)) + (int)((uint64_t)v << 2 >> l & 3);
}

static inline uint32_t within(int v, int least, int most)
{
    return (uint32_t)(v < least ? least : v > most ? most : v);
}

static inline uint32_t at_most(uint32_t v, uint32_t most)
{
    return v < most ? v : most;
}

static uint32_t first_of(const file *f, size_t k)
{
    return get32(f->first, k);
}

/* The entry of a symbol in a context, or NONE. */
static uint32_t entry_of(const file *f, size_t k, uint32_t symbol)
{
    uint32_t lo = first_of(f, k), n = first_of(f, k + 1) - lo;

    if (n == 0)
        return NONE;
    while (n > 1) {
        const uint32_t half = n / 2;

        lo += get16(f->symbol, lo + half) <= symbol ? half : 0;
        n -= half;
    }
    return get16(f->symbol, lo) == symbol ? lo : NONE;
}

#ifndef BBANS_DECODER_ONLY
/* Ranks of the weights that contexts have, from 1; returns how many there are.
 */
static uint32_t rank_weights(file *f, size_t begin, size_t end)
{
    uint32_t n = 0, e, i;
    size_t k;

    memset(f->list, 0, 2 * 65536);
    for (k = begin; k < end; k++) {
        uint32_t below = 0;

        for (e = first_of(f, k); e < first_of(f, k + 1); e++) {
            f->rank[e] = (uint16_t)(get16(f->sum, e) - below);
            f->list[f->rank[e]] = 1;
            below = get16(f->sum, e);
        }
    }
    for (i = 1; i < 65536; i++)
        if (f->list[i] != 0)
            f->list[i] = (uint16_t)++n;
    for (e = first_of(f, begin); e < first_of(f, end); e++)
        f->rank[e] = f->list[f->rank[e]];
    return n;
}

static uint32_t gap_to_rank(const file *f, uint32_t weight, uint32_t rank)
{
    uint32_t gap = 0;

    while (f->list[weight + 1 + gap] != rank)
        gap++;
    return gap;
}
#endif /* BBANS_DECODER_ONLY */

/* The weights that a level has, in rising order; returns how many, or NONE. */
static uint32_t code_list(file *f, size_t begin, size_t end)
{
    uint32_t n = 0, weight = 0, i;

#ifdef BBANS_DECODER_ONLY
    (void)begin;
    (void)end;
#else
    if (ENCODES(&f->c))
        n = rank_weights(f, begin, end);
#endif
    n = code_number(&f->c, LIST, n);
    if (n > UINT16_MAX)
        return NONE;
    for (i = 0; i < n; i++) {
        uint32_t gap = 0;

#ifndef BBANS_DECODER_ONLY
        if (ENCODES(&f->c))
            gap = gap_to_rank(f, weight, i + 1);
#endif /* BBANS_DECODER_ONLY */
        gap = code_number(&f->c, LIST, gap);
        if (gap >= UINT16_MAX - weight)
            return NONE;
        weight += gap + 1;
        if (!ENCODES(&f->c))
            f->list[i] = (uint16_t)weight;
    }
    return spend(f, n) ? n : NONE;
}

/* Turn ranks into running sums of weights. */
static int put_sums(file *f, size_t begin, size_t end)
{
    size_t k;
    uint32_t e;

    for (k = begin; k < end; k++) {
        uint32_t sum = 0;

        for (e = first_of(f, k); e < first_of(f, k + 1); e++) {
            sum += f->list[f->rank[e] - 1];
            if (sum > UINT16_MAX)
                return refuse(f);
            bbans_store_le16(f->sum + 2 * e, sum);
        }
    }
    return 1;
}

/* What a level has. */
typedef struct {
    size_t begin, end;
    uint32_t depth, ranks;
    int foreign; /* entries that the parent lacks */
    int bounded; /* ranks are at most that of the context as an entry */
    int regular; /* contexts that look the same have the same share */
} level;

/* The entries of a parent, or all symbols below the empty context: the
 * likeliest first, entries of about the same rank in their order. */
static void sort_entries(file *f, size_t parent, uint32_t n)
{
    const uint32_t begin = first_of(f, parent);
    uint32_t start[80], i;
    int b;

    if (n <= 16) {
        for (i = 0; i < n; i++) {
            const int key = f->quarter[begin + i];
            uint32_t j = i;

            for (; j > 0 && f->quarter[begin + f->order[j - 1]] < key; j--)
                f->order[j] = f->order[j - 1];
            f->order[j] = i;
        }
        return;
    }
    memset(start, 0, sizeof start);
    for (i = 0; i < n; i++)
        start[f->quarter[begin + i]]++;
    for (i = 0, b = 79; b >= 0; b--) {
        const uint32_t count = start[b];

        start[b] = i;
        i += count;
    }
    for (i = 0; i < n; i++)
        f->order[start[f->quarter[begin + i]]++] = i;
}

/* How many entries: of at most `most`. */
static uint32_t code_count(file *f, size_t k, const level *v, uint32_t most,
                           uint32_t count)
{
    const uint32_t g = halves(f->often[k]);
    const uint32_t o = f->around[k];
    const size_t a =
        ENTRIES + 12 * (16 * (16 * at_most(v->depth - 1, 3) + g) + o);
    lane l = f->c.lane;
    uint32_t u;

    for (u = 0; u < 12 && u < most; u++)
        if (code_by(&f->c, &l, a + u, count == u)) {
            f->c.lane = l;
            return u;
        }
    f->c.lane = l;
    return u == most ? u : 12 + code_number(&f->c, MANY_ENTRIES, count - 12);
}

/* Which of all symbols, in their order, below the empty context. */
static int code_symbols(file *f, uint32_t e, uint32_t count)
{
    uint32_t left = count, sum = 0, last = 0, x, i;

    if (f->symbols > FLAGS_MOST) {
        for (x = 0, i = 0; i < count; i++, e++, x++) {
            const uint32_t given = ENCODES(&f->c) ? get16(f->symbol, e) - x : 0;

            x += at_most(code_number(&f->c, GAP, given), 65536);
            if (x >= f->symbols)
                return refuse(f);
            bbans_store_le16(f->symbol + 2 * e, x);
        }
        return 1;
    }
    for (x = 0; x < f->symbols; x++)
        sum += f->hits[x];
    for (x = 0; x < f->symbols && left > 0; x++) {
        const uint32_t w = f->hits[x];
        const uint32_t share =
            w == 0 ? 0
                   : within(quarters(w) + quarters(left) - quarters(sum) + 40,
                            1, 47);
        int in = ENCODES(&f->c) && get16(f->symbol, e) == x;

        if (left < f->symbols - x)
            in = code_bit(&f->c, &f->c.lane,
                          SYMBOL_A + 16 * halves(left) + halves(w),
                          SYMBOL_B + 48 * last + share, in);
        else
            in = 1;
        sum -= w;
        last = (last << 1 | (uint32_t)in) & 3;
        if (in) {
            bbans_store_le16(f->symbol + 2 * e++, x);
            f->hits[x]++;
            left--;
        }
    }
    return spend(f, 2 * f->symbols);
}

/* Which of the n entries of the parent, in f->order; f->hits says how many of
 * the `before` children before this one have each. */
static int code_members(file *f, size_t parent, uint32_t n, uint32_t before,
                        uint32_t count)
{
    const uint32_t begin = first_of(f, parent);
    const uint32_t siblings =
        get32(f->children, parent + 1) - get32(f->children, parent) - before;
    const int share_of = quarters(siblings);
    uint32_t left = count, sum = f->total[parent], i;
    int many = quarters(left) + 40;
    lane l = f->c.lane;

    for (i = 0; i < n && left > 0; i++) {
        const uint32_t j = f->order[i], w = f->rank[begin + j];
        int in = f->member[j];

        if (left < n - i) {
            const uint32_t p =
                within(f->quarter[begin + j] + many - quarters(sum), 0, 47);
            const uint32_t rest = w > f->hits[i] ? w - f->hits[i] : 0;
            const uint32_t r =
                rest == 0 ? 0 : within(quarters(rest) - share_of + 24, 1, 31);

            in = code_by(&f->c, &l, MEMBER + 48 * r + p, in);
        } else {
            in = 1;
        }
        sum -= w;
        f->member[j] = (uint8_t)in;
        if (in) {
            f->hits[i]++;
            f->chosen[count - left--] = j;
            many = quarters(left) + 40;
        }
    }
    f->c.lane = l;
    return spend(f, n / 16 + i);
}

/* Sort the chosen entries, and put their symbols, with foreign ones between. */
static int put_members(file *f, size_t parent, uint32_t n, uint32_t e,
                       uint32_t count, uint32_t foreign)
{
    const uint32_t begin = first_of(f, parent);
    uint32_t i, j, x = 0;

    if (count > n / 16 && count > 8) {
        for (i = j = 0; j < n; j++)
            if (f->member[j])
                f->chosen[i++] = j;
    } else {
        for (i = 1; i < count; i++) {
            const uint32_t wanted = f->chosen[i];

            for (j = i; j > 0 && f->chosen[j - 1] > wanted; j--)
                f->chosen[j] = f->chosen[j - 1];
            f->chosen[j] = wanted;
        }
        if (!spend(f, (uint64_t)count * count / 16))
            return 0;
    }
    for (i = 0; i < count; i++)
        f->member[f->chosen[i]] = 0;
    if (foreign == 0) {
        for (i = 0; i < count; i++)
            bbans_store_le16(f->symbol + 2 * (e + i),
                             get16(f->symbol, begin + f->chosen[i]));
        return 1;
    }
    /* Foreign ones rise too: what is not the parent's, gap by gap. */
    for (i = j = 0; i < foreign; i++) {
        uint32_t given = 0;

        if (ENCODES(&f->c)) {
            while (j < count + foreign &&
                   entry_of(f, parent, get16(f->symbol, e + j)) != NONE)
                j++;
            given = get16(f->symbol, e + j++) - x;
        }
        x += at_most(code_number(&f->c, GAP, given), 65536);
        if (x >= f->symbols || entry_of(f, parent, x) != NONE)
            return refuse(f);
        f->order[n + i] =
            x++; /* there is room: no context has M entries more */
    }
    if (!ENCODES(&f->c)) {
        uint32_t a = 0, b = 0;

        for (i = 0; i < count + foreign; i++) {
            const uint32_t y =
                a < count ? get16(f->symbol, begin + f->chosen[a]) : NONE;
            const uint32_t z = b < foreign ? f->order[n + b] : NONE;

            bbans_store_le16(f->symbol + 2 * (e + i), y < z ? y : z);
            a += y < z;
            b += y >= z;
        }
    }
    return spend(f, count + 16 * foreign);
}

/* The ranks of the weights of a context; own: its entries are those of its
 * parent in f->chosen. */
static int code_ranks(file *f, size_t k, size_t parent, int own, const level *v)
{
    const uint32_t e0 = first_of(f, k), e1 = first_of(f, k + 1);
    const uint32_t g = f->often[k];
    const uint32_t most = v->bounded && g > 0 ? at_most(g, v->ranks) : v->ranks;
    const int scale = quarters(g == 0 ? 1 : g) -
                      quarters(f->total[parent] == 0 ? 1 : f->total[parent]) +
                      16;
    uint32_t sum = 0, e;
    lane l = f->c.lane;

    for (e = e0; e < e1; e++) {
        const uint32_t given = LANE_ENCODES(&l) ? f->rank[e] : 0;
        uint32_t u = 1;

        if (most < 1)
            return refuse(f);
        if (most == 1) {
            u = 1;
        } else if (e1 - e0 == 1 && g > 0 && g <= most &&
                   code_by(&f->c, &l, ALONE + halves(g), given == g)) {
            u = g;
        } else {
            const uint32_t of = v->depth == 1 ? NONE
                                : own
                                    ? first_of(f, parent) + f->chosen[e - e0]
                                    : entry_of(f, parent, get16(f->symbol, e));
            const uint32_t w =
                of == NONE ? 0 : within(f->quarter[of] + scale, 1, 31);
            const size_t a = WEIGHT + 16 * (16 * w + halves(g));

            while (u < most && u < 16 && !code_by(&f->c, &l, a + u, given == u))
                u++;
            if (u == 16 && u < most) {
                f->c.lane = l;
                u = code_number(&f->c, MANY_WEIGHTS, given - 16);
                l = f->c.lane;
                if (u > most - 16)
                    return refuse(f);
                u += 16;
            }
        }
        f->rank[e] = (uint16_t)u;
        f->quarter[e] = (uint8_t)quarters(u);
        f->owner[e] = (uint32_t)k;
        sum += u;
    }
    f->c.lane = l;
    f->total[k] = sum;
    f->look[k] = (uint8_t)(16 * halves(e1 - e0) + halves(sum));
    return spend(f, 4 * (e1 - e0));
}

/* The last shares of contexts that looked the same, and nearly the same. */
static uint16_t *exact_share(const file *f, size_t k, uint32_t sum,
                             const level *v)
{
    const uint32_t n = first_of(f, k + 1) - first_of(f, k);

    return f->exact +
           ((v->depth * 40503u + n * 2654435761u + sum * 2246822519u) >>
            (32 - EXACT_BITS));
}

static uint16_t *near_share(const file *f, size_t k, uint32_t sum,
                            const level *v)
{
    const uint32_t n = first_of(f, k + 1) - first_of(f, k);

    return f->near + 64 * (16 * (v->depth - 1) + halves(n)) +
           within(quarters(sum), 0, 63);
}

/* What the parent counts. */
static void code_share(file *f, size_t k, const level *v)
{
    const uint32_t n = first_of(f, k + 1) - first_of(f, k), sum = f->total[k];
    const uint32_t many = halves(n), given = f->back_off[k] + 1u;
    uint16_t *const exact = exact_share(f, k, sum, v);
    uint16_t *const near = near_share(f, k, sum, v);

    if (n == 0) {
        f->back_off[k] = 255;
        return;
    }
    if (*exact == 0 ||
        (!v->regular && !code_one(&f->c, SHARE_SAME + many, given == *exact))) {
        if (*near == 0 || *near == *exact ||
            !code_one(&f->c, SHARE_NEAR + many, given == *near))
            *near = (uint16_t)(1 + (code_tree_of_bits(&f->c, SHARE_BITS, 8,
                                                      given - 1) &
                                    255));
        *exact = *near;
    }
    *near = *exact;
    f->back_off[k] = (uint8_t)(*exact - 1);
}

/* Entries of the parent that a context has; returns how many it has that the
 * parent lacks. */
static uint32_t mark_members(file *f, size_t k, size_t parent)
{
    uint32_t e = first_of(f, k), p = first_of(f, parent), foreign = 0;
    const uint32_t begin = p, e1 = first_of(f, k + 1);
    const uint32_t p1 = first_of(f, parent + 1);

    for (; e < e1; e++) {
        const uint32_t x = get16(f->symbol, e);

        while (p < p1 && get16(f->symbol, p) < x)
            p++;
        if (p < p1 && get16(f->symbol, p) == x)
            f->member[p - begin] = 1;
        else
            foreign++;
    }
    return foreign;
}

static int code_context(file *f, size_t k, size_t parent, uint32_t before,
                        const level *v)
{
    const uint32_t e = first_of(f, k);
    const uint32_t n = first_of(f, parent + 1) - first_of(f, parent);
    const uint32_t all = v->depth == 1 || v->foreign ? (uint32_t)f->symbols : n;
    uint32_t count = ENCODES(&f->c) ? first_of(f, k + 1) - e : 0, foreign = 0;

    count = code_count(f, k, v, all, count);
    if (count > all || count > f->entries - e)
        return refuse(f);
    put32(f->first, k + 1, e + count);
    if (v->depth == 1) {
        if (!code_symbols(f, e, count))
            return 0;
    } else if (count > 0) {
        if (ENCODES(&f->c))
            foreign = mark_members(f, k, parent);
        if (v->foreign)
            foreign = code_number(&f->c, FOREIGN, foreign);
        if (foreign > count || count - foreign > n)
            return refuse(f);
        if (!code_members(f, parent, n, before, count - foreign) ||
            !put_members(f, parent, n, e, count - foreign, foreign))
            return 0;
    }
    if (!code_ranks(f, k, parent, foreign == 0, v))
        return 0;
    code_share(f, k, v);
    return 1;
}

#ifndef BBANS_DECODER_ONLY
static void look_at_level(file *f, level *v, size_t parent)
{
    size_t k;
    uint32_t e;

    v->foreign = 0;
    v->bounded = v->regular = 1;
    memcpy(f->saved, f->exact, sizeof *f->exact << EXACT_BITS);
    for (k = v->begin; k < v->end; k++) {
        uint16_t *exact;
        uint32_t sum = 0;

        while (get32(f->children, parent + 1) <= k)
            parent++;
        for (e = first_of(f, k); e < first_of(f, k + 1); e++) {
            sum += f->rank[e];
            v->bounded &= f->often[k] == 0 || f->rank[e] <= f->often[k];
            v->foreign |= v->depth > 1 &&
                          entry_of(f, parent, get16(f->symbol, e)) == NONE;
        }
        if (sum == 0)
            continue;
        exact = exact_share(f, k, sum, v);
        v->regular &= *exact == 0 || *exact == f->back_off[k] + 1u;
        *exact = (uint16_t)(f->back_off[k] + 1u);
    }
    memcpy(f->exact, f->saved, sizeof *f->exact << EXACT_BITS);
}
#endif /* BBANS_DECODER_ONLY */

/* All but the children of the contexts of a level, whose parents begin at
 * `parent`. */
static int code_level(file *f, level *v, size_t parent)
{
    size_t last = SIZE_MAX, k;

    v->ranks = code_list(f, v->begin, v->end);
    if (v->ranks == NONE)
        return refuse(f);
#ifndef BBANS_DECODER_ONLY
    if (ENCODES(&f->c))
        look_at_level(f, v, parent);
#endif /* BBANS_DECODER_ONLY */
    v->foreign = (int)code_raw(&f->c, 1, (uint64_t)v->foreign);
    v->bounded = (int)code_raw(&f->c, 1, (uint64_t)v->bounded);
    v->regular = (int)code_raw(&f->c, 1, (uint64_t)v->regular);
    if (v->depth == 1)
        memset(f->hits, 0, sizeof *f->hits * (f->symbols + 1));
    for (k = v->begin; k < v->end; k++) {
        while (get32(f->children, parent + 1) <= k)
            parent++;
        if (v->depth > 1 && parent != last) {
            const uint32_t n = first_of(f, parent + 1) - first_of(f, parent);

            sort_entries(f, parent, n);
            memset(f->hits, 0, sizeof *f->hits * n);
            if (!spend(f, 2 * n))
                return 0;
        }
        last = parent;
        if (!code_context(f, k, parent,
                          (uint32_t)(k - get32(f->children, parent)), v))
            return 0;
    }
    return ENCODES(&f->c) || put_sums(f, v->begin, v->end);
}

/* A child of context k. */
static void put_child(file *f, size_t child, size_t k, uint32_t label,
                      uint32_t other, uint32_t often)
{
    bbans_store_le16(f->label + 2 * child, label);
    f->newest[child] = (uint16_t)(k == 0 ? label : f->newest[k]);
    f->other[child] = other;
    f->often[child] = often;
    f->around[child] = (uint8_t)(other == NONE ? 0 : f->look[other] >> 4);
}

/* The next label of what is encoded, from place `at` on; or NONE. */
static uint32_t label_at(const file *f, size_t k, size_t at)
{
    return ENCODES(&f->c) && at < get32(f->children, k + 1)
               ? get16(f->label, at)
               : NONE;
}

/* Children of the empty context; *n contexts are there. */
static int code_first_level(file *f, size_t *n)
{
    const uint32_t M = (uint32_t)f->symbols;
    uint32_t last = 0, x, i, count;

    if (M > FLAGS_MOST) {
        count = ENCODES(&f->c) ? get32(f->children, 1) - 1 : 0;
        count = code_number(&f->c, FOREIGN, count);
        if (count > f->contexts - 1)
            return refuse(f);
        for (x = 0, i = 0; i < count; i++, x++) {
            x +=
                at_most(code_number(&f->c, GAP, label_at(f, 0, *n) - x), 65536);
            if (x > M)
                return refuse(f);
            put_child(f, (*n)++, 0, x, 0, 0);
        }
        return spend(f, count);
    }
    for (x = 0; x <= M; x++) {
        const int in = code_one(&f->c, ROOT + last, label_at(f, 0, *n) == x);

        last = (last << 1 | (uint32_t)in) & 7;
        if (in) {
            if (*n == f->contexts)
                return refuse(f);
            put_child(f, (*n)++, 0, x, 0, 0);
        }
    }
    return 1;
}

/* Context k has foreign children with labels that rise, in `chosen`; sort them
 * among the others, from `begin` to *n. */
static int merge_children(file *f, size_t k, size_t begin, size_t *n,
                          uint32_t foreign)
{
    size_t to, a = *n, b = foreign;

    if (foreign > f->contexts - *n)
        return refuse(f);
    *n += foreign;
    for (to = *n; b > 0; to--) {
        const uint32_t z = f->chosen[b - 1];

        if (a > begin && get16(f->label, a - 1) == z)
            return refuse(f);
        if (a > begin && get16(f->label, a - 1) > z) {
            a--;
            put_child(f, to - 1, k, get16(f->label, a), f->other[a],
                      f->often[a]);
        } else {
            b--;
            put_child(f, to - 1, k, z, NONE, 0);
        }
    }
    return 1;
}

/* Labels of what is encoded, below `label`, that code_children does not find.
 */
static uint32_t skip_foreign(file *f, size_t k, size_t *at, uint32_t label,
                             uint32_t foreign)
{
    for (; label_at(f, k, *at) < label; ++*at) {
        f->chosen[foreign++] = label_at(f, k, *at);
        put_child(f, *at, k, label_at(f, k, *at), NONE, 0);
    }
    return foreign;
}

/* The entries of a symbol in contexts q .. q1 - 1, to f->order; *n of them. */
static int find_entries(file *f, size_t q, size_t q1, uint32_t symbol,
                        uint32_t *n)
{
    const uint32_t e1 = first_of(f, q1);
    uint32_t e = first_of(f, q), found = 0;

    if ((e1 - e) / 8 > q1 - q) {
        for (; q < q1; q++) {
            e = entry_of(f, q, symbol);
            f->order[found] = e;
            found += e != NONE;
        }
    } else {
        for (; e < e1; e++) {
            f->order[found] = e;
            found += get16(f->symbol, e) == symbol;
        }
    }
    *n = found;
    return spend(f, 1 + (q1 - q));
}

/* The labels of the children of context k: mostly what stands in front of it
 * without its newest symbol, where that symbol then follows. */
static int code_children(file *f, size_t k, int any_foreign, size_t *n)
{
    const uint32_t o = f->other[k], look = f->look[k];
    const size_t begin = *n;
    uint32_t found = 0, foreign = 0, x = 0, i;
    size_t at = begin; /* of labels that are encoded */

    if (o != NONE &&
        !find_entries(f, get32(f->children, o), get32(f->children, o + 1),
                      f->newest[k], &found))
        return 0;
    for (i = 0; i < found; i++) {
        const uint32_t e = f->order[i], w = f->rank[e], q = f->owner[e];
        const uint32_t label = get16(f->label, q);
        int in;

        foreign = skip_foreign(f, k, &at, label, foreign);
        in = code_one(&f->c, LABEL + 256 * (w < 16 ? w : 16 + halves(w)) + look,
                      label_at(f, k, at) == label);
        if (!in)
            continue;
        at++;
        if (*n == f->contexts)
            return refuse(f);
        if (!ENCODES(&f->c)) {
            put_child(f, (*n)++, k, label, q, w);
        } else { /* where it is, others may lie before it */
            put_child(f, at - 1, k, label, q, w);
            (*n)++;
        }
    }
    foreign = skip_foreign(f, k, &at, NONE, foreign);
    if (!any_foreign)
        return 1;
    foreign = code_number(&f->c, FOREIGN, foreign);
    if (foreign > f->symbols + 1)
        return refuse(f);
    for (i = 0; i < foreign; i++, x++) {
        x += at_most(code_number(&f->c, GAP, f->chosen[i] - x), 65536);
        if (x > f->symbols)
            return refuse(f);
        f->chosen[i] = x;
    }
    if (!ENCODES(&f->c))
        return merge_children(f, k, begin, n, foreign) && spend(f, *n - begin);
    *n += foreign;
    return spend(f, *n - begin);
}

#ifndef BBANS_DECODER_ONLY
/* Is each child of these contexts one that code_children finds? */
static int has_foreign_children(file *f, size_t begin, size_t end)
{
    size_t k, j;

    for (k = begin; k < end; k++) {
        uint32_t q = 0, q1 = 0;

        if (f->other[k] != NONE) {
            q = get32(f->children, f->other[k]);
            q1 = get32(f->children, f->other[k] + 1);
        }
        for (j = get32(f->children, k); j < get32(f->children, k + 1); j++) {
            while (q < q1 && get16(f->label, q) < get16(f->label, j))
                q++;
            if (q == q1 || get16(f->label, q) != get16(f->label, j) ||
                entry_of(f, q, f->newest[k]) == NONE)
                return 1;
        }
    }
    return 0;
}
#endif /* BBANS_DECODER_ONLY */

static int code_tree(file *f)
{
    size_t n = 1, before = 0, begin = 1, k;
    level v;

    memset(&v, 0, sizeof v);
    put_child(f, 0, 0, 0, NONE, 0);
    f->total[0] = 0;
    f->look[0] = 0;
    f->back_off[0] = 255;
    put32(f->first, 0, 0);
    put32(f->first, 1, 0);
    put32(f->children, 0, 1);
    if (f->contexts > 1 && !code_first_level(f, &n))
        return 0;
    put32(f->children, 1, (uint32_t)n);
    while (begin < n) {
        const size_t end = n;
        int foreign = 0;

        if (v.depth == BBANS_ORDER_MAX)
            return refuse(f);
        v.depth++;
        v.begin = begin;
        v.end = end;
        if (!code_level(f, &v, before))
            return 0;
        if (n < f->contexts) {
#ifndef BBANS_DECODER_ONLY
            if (ENCODES(&f->c))
                foreign = has_foreign_children(f, begin, end);
#endif /* BBANS_DECODER_ONLY */
            foreign = (int)code_raw(&f->c, 1, (uint64_t)foreign);
            for (k = begin; k < end; k++) {
                if (!code_children(f, k, foreign, &n))
                    return 0;
                put32(f->children, k + 1, (uint32_t)n);
            }
        } else {
            for (k = begin; k < end; k++)
                put32(f->children, k + 1, (uint32_t)n);
        }
        before = begin;
        begin = end;
    }
    return (n == f->contexts && first_of(f, n) == f->entries) || refuse(f);
}

/* ---- Files --------------------------------------------------------------- */

static int code_file(file *f, const uint8_t *header)
{
    const uint32_t total = (uint32_t)1 << header[PRECISION];

    return code_values(f, header) && code_states(f, total) &&
           code_emissions(f, total) && (f->contexts == 0 || code_tree(f));
}

static int is_autoregressive(const uint8_t *header)
{
    return header[TYPE] == BBANS_MODEL_ARHMM;
}

static size_t packed_header_bytes(const uint8_t *header)
{
    return HEADER_BYTES + 4 + (is_autoregressive(header) ? 8 : 0);
}

/* The plain file without its checksum. */
static uint64_t plain_bytes(const file *f)
{
    return f->tree +
           (f->contexts > 0 ? tree_bytes(f->contexts, f->entries) : 0);
}

static bbans_status start_unpacking(file *f, const uint8_t *packed, size_t n,
                                    size_t cap, size_t *n_plain)
{
    bbans_status status =
        bbans_check_start(packed, n, bbans_model_magic, MODEL_VERSION);
    uint64_t bytes;

    if (status != BBANS_OK)
        return status;
    if (n < HEADER_BYTES)
        return BBANS_ERR_TRUNCATED;
    if (packed[FORM] != 1)
        return BBANS_ERR_STATE;
    if ((packed[TYPE] != BBANS_MODEL_HMM && !is_autoregressive(packed)) ||
        packed[LISTED] > 1 || packed[ENDS] > 1)
        return BBANS_ERR_VERSION;
    if (n < packed_header_bytes(packed) + CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    if (!find_parts(f, packed))
        return BBANS_ERR_CORRUPT;
    if (is_autoregressive(packed)) {
        f->contexts = (size_t)bbans_load(packed + HEADER_BYTES + 4, 4);
        f->entries = (size_t)bbans_load(packed + HEADER_BYTES + 8, 4);
        if (f->contexts < 1 || f->contexts > BBANS_CONTEXTS_MAX ||
            f->entries > BBANS_CONTEXTS_MAX || f->symbols > UINT16_MAX)
            return BBANS_ERR_CORRUPT;
    }
    bytes = plain_bytes(f) + CHECKSUM_BYTES;
    if (bytes != bbans_load(packed + HEADER_BYTES, 4) ||
        bytes > PLAIN_MOST * (uint64_t)n)
        return BBANS_ERR_CORRUPT;
    bytes += work_bytes(f);
    if (bytes > SIZE_MAX)
        return BBANS_ERR_SIZE;
    f->n = (size_t)plain_bytes(f);
    *n_plain = (size_t)bytes;
    return cap < bytes ? BBANS_ERR_CAPACITY : BBANS_OK;
}

/* A packed file of a context mixer, as far as it is one of this version. */
static int is_mixer(const uint8_t *packed, size_t n)
{
    return bbans_check_start(packed, n, bbans_model_magic, MODEL_VERSION) ==
               BBANS_OK &&
           n >= HEADER_BYTES && packed[TYPE] == BBANS_MODEL_CONTEXT_MIXER &&
           packed[FORM] == 1;
}

bbans_status bbans_model_unpack(const uint8_t *packed, size_t n, uint8_t *plain,
                                size_t cap, size_t *n_plain)
{
    bbans_status status;
    file f;

    if ((packed == NULL && n > 0) || (plain == NULL && cap > 0) ||
        n_plain == NULL)
        return BBANS_ERR_NULL;
    *n_plain = 0;
    if (is_mixer(packed, n))
        return bbans_mixer_unpack(packed, n, plain, cap, n_plain);
    memset(&f, 0, sizeof f);
    status = start_unpacking(&f, packed, n, cap, n_plain);
    if (status != BBANS_OK)
        return status;
    *n_plain = 0;
    f.plain = plain;
    place_work(&f, plain + f.n + CHECKSUM_BYTES);
    f.c.lane.from = packed + packed_header_bytes(packed);
    f.c.lane.end = packed + n - CHECKSUM_BYTES;
    f.c.lane.range = UINT64_MAX;
    f.c.work_most = WORK_MOST * (uint64_t)n;
    f.c.lane.value = next_word(&f.c.lane) << 32;
    f.c.lane.value |= next_word(&f.c.lane);
    memcpy(plain, packed, HEADER_BYTES);
    plain[FORM] = 0;
    if (f.contexts > 0) {
        place_tree(&f);
        bbans_store(plain + f.tree, f.contexts, 4);
        bbans_store(plain + f.tree + 4, f.entries, 4);
        memset(plain + f.n - 4, 0, 4);
    }
    if (!code_file(&f, packed) || f.c.lane.from != f.c.lane.end)
        return BBANS_ERR_CORRUPT;
    memcpy(plain + f.n, f.c.lane.end, CHECKSUM_BYTES);
    if (!bbans_checksum_matches(plain, f.n))
        return BBANS_ERR_CORRUPT;
    *n_plain = f.n + CHECKSUM_BYTES;
    return BBANS_OK;
}

#ifndef BBANS_DECODER_ONLY
static bbans_status check_plain(file *f, const uint8_t *plain, size_t n)
{
    bbans_contexts tree;
    bbans_model model;
    bbans_status status = bbans_model_parse(&model, plain, n);

    if (status != BBANS_OK)
        return status;
    if (model.type == BBANS_MODEL_CONTEXT_MIXER)
        return BBANS_OK;
    if (model.type != BBANS_MODEL_HMM && model.type != BBANS_MODEL_ARHMM)
        return BBANS_ERR_SIZE;
    (void)find_parts(f, plain); /* it was parsed */
    f->n = n - CHECKSUM_BYTES;
    if (model.type == BBANS_MODEL_HMM)
        return BBANS_OK;
    f->contexts = (size_t)bbans_load(plain + f->tree, 4);
    f->entries = (size_t)bbans_load(plain + f->tree + 4, 4);
    f->plain = (uint8_t *)(uintptr_t)plain;
    place_tree(f);
    tree.contexts = f->contexts;
    tree.entries = f->entries;
    tree.children = f->children;
    tree.first = f->first;
    tree.label = f->label;
    tree.symbol = f->symbol;
    tree.sum = f->sum;
    tree.back_off = f->back_off;
    status = bbans_contexts_check(&tree, f->symbols);
    return status == BBANS_ERR_TABLE ? BBANS_ERR_CORRUPT : status;
}

bbans_status bbans_model_pack(const uint8_t *plain, size_t n, uint8_t *packed,
                              size_t cap, size_t *n_packed)
{
    bbans_status status;
    uint64_t bytes;
    size_t header;
    file f;

    if ((plain == NULL && n > 0) || (packed == NULL && cap > 0) ||
        n_packed == NULL)
        return BBANS_ERR_NULL;
    *n_packed = 0;
    memset(&f, 0, sizeof f);
    status = check_plain(&f, plain, n);
    if (status != BBANS_OK)
        return status;
    if (plain[TYPE] == BBANS_MODEL_CONTEXT_MIXER)
        return bbans_mixer_pack(plain, n, packed, cap, n_packed);
    bytes = 2 * (uint64_t)n + work_bytes(&f);
    if (bytes > SIZE_MAX || n > UINT32_MAX)
        return BBANS_ERR_SIZE;
    *n_packed = (size_t)bytes;
    if (cap < bytes)
        return BBANS_ERR_CAPACITY;
    *n_packed = 0;
    header = packed_header_bytes(plain);
    f.plain = packed + n;
    memcpy(f.plain, plain, n);
    place_work(&f, f.plain + n);
    if (f.contexts > 0)
        place_tree(&f);
    f.c.lane.encodes = 1;
    f.c.lane.range = UINT64_MAX;
    f.c.work_most = UINT64_MAX;
    f.c.to = packed + header;
    f.c.cap = n > header + CHECKSUM_BYTES ? n - header - CHECKSUM_BYTES : 0;
    if (!code_file(&f, plain))
        return BBANS_ERR_CORRUPT;
    finish(&f.c);
    if (f.c.n >= f.c.cap) /* no shorter */
        return BBANS_ERR_SIZE;
    bytes = header + f.c.n + CHECKSUM_BYTES;
    if (n > PLAIN_MOST * bytes || f.c.work > WORK_MOST * bytes)
        return BBANS_ERR_SIZE;
    memcpy(packed, plain, HEADER_BYTES);
    packed[FORM] = 1;
    bbans_store(packed + HEADER_BYTES, n, 4);
    if (f.contexts > 0)
        memcpy(packed + HEADER_BYTES + 4, plain + f.tree, 8);
    memcpy(packed + bytes - CHECKSUM_BYTES, plain + f.n, CHECKSUM_BYTES);
    *n_packed = (size_t)bytes;
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */
