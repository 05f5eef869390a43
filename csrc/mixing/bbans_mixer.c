/* A byte under mixed contexts, either way.  docs/maths.md, "Mixing".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_mixing.h"

#include "../bbans_internal.h"

#define HASH 0x9E3779B97F4A7C15u
#define ROW_HASH 0x9E3779B1u
#define MATCH_SEEN                                                             \
    6 /* the class of a match's slot that nothing is known of                  \
       */
#define START_RATE 80
#define WORD_HASH 0x2F0B4C47u

#define MATCH_MAX 65535
#define MATCH_CHECKED 32

/* The bytes that must agree. */
static const unsigned match_least[BBANS_MIX_MATCHES] = {6, 12};

static unsigned matches_of(const bbans_mixer_size *size)
{
    return size->inputs == BBANS_MIXING_FEW ? 1 : BBANS_MIX_MATCHES;
}

/* ---- Memory ----------------------------------------------------------------
 */

static size_t rows_bytes(const bbans_mixer_size *size)
{
    return (sizeof(uint16_t) * BBANS_MIX_SLOTS) << size->row_bits;
}

static size_t weights_bytes(const bbans_mixer_size *size)
{
    return sizeof(int16_t) * BBANS_MIXING_SETS * size->inputs;
}

static size_t places_bytes(const bbans_mixer_size *size)
{
    return matches_of(size) * sizeof(uint32_t) << size->match_bits;
}

size_t bbans_mixer_bytes(const bbans_mixer_size *size)
{
    return rows_bytes(size) + weights_bytes(size) + sizeof(bbans_mix_tree) +
           places_bytes(size);
}

/* A match that is the longer is the surer. */
static void start_matches(bbans_mixer *m)
{
    unsigned i, k;

    for (i = 0; i < BBANS_MIX_MATCHES; i++)
        for (k = 0; k < BBANS_MIXING_LENGTHS; k++)
            m->expected[i][k] =
                bbans_mix_slot(2048 + (k < 18 ? 110 * k : 1980), MATCH_SEEN);
}

/* ---- Contexts --------------------------------------------------------------
 */

static uint64_t last_bytes(const bbans_mixer *m, unsigned n)
{
    return m->history & (((uint64_t)1 << 8 * n) - 1);
}

/* The byte above, and how far from the start of the line. */
static uint64_t in_line(const bbans_mixer *m, unsigned *above)
{
    const size_t column = m->n - m->line, from = m->above + column;

    *above = m->n > 0 && from < m->n && m->n - from <= m->mask
                 ? m->bytes[from & m->mask]
                 : 0;
    return column < 255 ? column : 255;
}

static void put_context(bbans_mixer *m, unsigned i, uint64_t v)
{
    m->context[i] = (uint32_t)(((v + ((uint64_t)(i + 1) << 56)) * HASH) >> 32);
}

static void find_contexts(bbans_mixer *m)
{
    static const unsigned order[] = {1, 2, 3, 4, 6};
    const uint64_t h = m->history;
    const int few = m->size.inputs == BBANS_MIXING_FEW;
    unsigned above, i;
    uint64_t column = in_line(m, &above);

    for (i = 0; i < 5; i++)
        put_context(m, i, last_bytes(m, order[i]));
    put_context(m, 5, few && m->size.line > 0 ? h >> 8 & 0xFFFF : m->word);
    put_context(m, 6, above | column << 8);
    if (few)
        return;
    put_context(m, 7, last_bytes(m, 5));
    put_context(m, 8, m->word | (uint64_t)m->word_before << 24);
    put_context(m, 9, above << 8 | (h & 0xFF));
    put_context(m, 10, h >> 8 & 0xFFFF);
    put_context(m, 11, h >> 16 & 0xFFFF);
    put_context(m, 12, h & 0xFF00FF00);
    put_context(m, 13, h & 0xF0F0F0F0F0);
}

/* ---- Rows ------------------------------------------------------------------
 */

/* Rows of a context lie in one page of memory, wherever it is: one of
 * 2^(row_bits - PAGE_BITS) by the context, a place in it by the highest bits
 * of a hash, of which bits 24 to 39 are the check. */
#define PAGE_BITS 7
#define PLACE_SHIFT (64 - PAGE_BITS)
#define CHECK_SHIFT 24

#define FRESH_4 BBANS_MIX_NEW, BBANS_MIX_NEW, BBANS_MIX_NEW, BBANS_MIX_NEW
static const uint16_t fresh[BBANS_MIX_SLOTS] = {FRESH_4, FRESH_4, FRESH_4,
                                                FRESH_4};

static uint64_t row_hash(uint32_t context, uint32_t node)
{
    return (context ^ node * (uint64_t)ROW_HASH) * HASH;
}

static uint16_t check_of(uint64_t hash)
{
    const uint16_t check = (uint16_t)(hash >> CHECK_SHIFT);

    return (uint16_t)(check + (check == 0));
}

static uint32_t place_of(uint32_t context, uint64_t hash, unsigned bits)
{
    const uint32_t in_page = ((uint32_t)1 << PAGE_BITS) - 1;
    const uint32_t place =
        (context >> (32 - bits) & ~in_page) | (uint32_t)(hash >> PLACE_SHIFT);

    return place & (((uint32_t)1 << bits) - 1);
}

/* The row of a context that has this check, or of two neighbours the one that
 * was seen less, if neither has it: an empty one was not seen at all.  Without
 * a branch: none could be foretold. */
static inline uint32_t find_row(const uint16_t *rows, uint32_t place,
                                unsigned check, unsigned *found)
{
    const uint16_t *a = rows + (size_t)BBANS_MIX_SLOTS * place;
    const uint16_t *b = rows + (size_t)BBANS_MIX_SLOTS * (place ^ 1);
    const unsigned here = a[0] == check, there = b[0] == check;
    const unsigned less = bbans_mix_seen(b[1]) < bbans_mix_seen(a[1]);

    *found = here | there;
    return place ^ ((here ^ 1) & (there | less));
}

/* A bit for each context, set if it was seen.  No row is written here. */
static inline unsigned find_rows(bbans_mixer *m, unsigned contexts,
                                 unsigned half)
{
    bbans_mix *x = &m->mix;
    unsigned known = 0, i;

    for (i = 0; i < contexts; i++) {
        const uint16_t check = check_of(m->sought[half][i].hash);
        unsigned found;
        const uint32_t place =
            find_row(m->row, m->sought[half][i].place, check, &found);

        x->row[i] = m->row + (size_t)BBANS_MIX_SLOTS * place;
        x->from[i] = found ? x->row[i] : fresh;
        x->check[i] = check;
        known |= found << i;
    }
    return known;
}

/* The rows of a prior where there are no others. */
static unsigned find_prior(bbans_mixer *m, unsigned contexts, unsigned half,
                           unsigned known)
{
    const bbans_mixing_prior *prior = m->prior;
    unsigned i, found;

    for (i = 0; i < contexts; i++) {
        if ((known >> i & 1) == 0) {
            const uint32_t place =
                find_row(prior->row,
                         place_of(m->context[i], m->sought[half][i].hash,
                                  prior->row_bits),
                         m->mix.check[i], &found);

            if (found)
                m->mix.from[i] = prior->row + (size_t)BBANS_MIX_SLOTS * place;
            known |= found << i;
        }
    }
    return known;
}

/* A prior may be large, and far away. */
static void prepare_prior(const bbans_mixer *m, unsigned half)
{
    const bbans_mixing_prior *prior = m->prior;
    unsigned i;

    for (i = 0; i < BBANS_MIXING_MANY - BBANS_MIX_MATCHES; i++)
        bbans_prefetch(prior->row + (size_t)BBANS_MIX_SLOTS *
                                        place_of(m->context[i],
                                                 m->sought[half][i].hash,
                                                 prior->row_bits),
                       0, 1);
}

/* Brings the rows of a half near: `node` is 1 and the bits before it.  Hash and
 * place are of one array: of two, GCC 12 makes one's address of the other's,
 * sees no store to *m, and drops the call. */
static void prepare_half(bbans_mixer *m, uint32_t node)
{
    const unsigned contexts = m->size.inputs - m->mix.matches;
    const unsigned bits = m->size.row_bits;
    bbans_mixing_sought *sought = m->sought[node > 1];
    unsigned i;

    for (i = 0; i < contexts; i++) {
        sought[i].hash = row_hash(m->context[i], node);
        sought[i].place = place_of(m->context[i], sought[i].hash, bits);
        bbans_prefetch(m->row + (size_t)BBANS_MIX_SLOTS * sought[i].place, 0,
                       1);
    }
    if (m->prior != NULL)
        prepare_prior(m, node > 1);
}

/* Loops of a length that compilers know. */
static unsigned find_half(bbans_mixer *m, unsigned half)
{
    const unsigned contexts = m->size.inputs - m->mix.matches;
    const unsigned known =
        m->size.inputs == BBANS_MIXING_FEW
            ? find_rows(m, BBANS_MIXING_FEW - 1, half)
            : find_rows(m, BBANS_MIXING_MANY - BBANS_MIX_MATCHES, half);

    return m->prior == NULL ? known : find_prior(m, contexts, half, known);
}

void bbans_mixer_start(bbans_mixer *m, const bbans_mixer_size *size,
                       const bbans_mixing_prior *prior, const uint8_t *bytes,
                       size_t mask, void *memory)
{
    uint8_t *at = (uint8_t *)memory;
    size_t i;

    memset(m, 0, sizeof *m);
    m->size = *size;
    m->prior = prior;
    m->bytes = bytes;
    m->mask = mask;
    m->row = (uint16_t *)(void *)at;
    m->weight = (int16_t *)(void *)(at += rows_bytes(size));
    m->mix.tree = (bbans_mix_tree *)(void *)(at += weights_bytes(size));
    m->place = (uint32_t *)(void *)(at + sizeof *m->mix.tree);
    memset(m->row, 0, rows_bytes(size));
    memset(m->place, 0, places_bytes(size));
    if (prior != NULL) {
        memcpy(m->weight, prior->weight, weights_bytes(size));
        memcpy(m->expected, prior->match, sizeof m->expected);
    } else {
        for (i = 0; i < BBANS_MIXING_SETS * (size_t)size->inputs; i++)
            m->weight[i] = (int16_t)(52429 / size->inputs);
        start_matches(m);
    }
    m->mix.inputs = size->inputs;
    m->mix.matches = matches_of(size);
    m->mix.rate = START_RATE;
    find_contexts(m);
    prepare_half(m, 1);
}

/* ---- A byte ----------------------------------------------------------------
 */

/* The class of a match's length. */
static unsigned class_of(uint32_t length)
{
    return length < 16    ? length
           : length < 32  ? 12 + length / 4
           : length < 64  ? 16 + length / 8
           : length < 512 ? 22 + length / 32
                          : 38;
}

/* A match whose first half was not that expected is none. */
static unsigned start_match(bbans_mixer *m, unsigned i, uint32_t node)
{
    const unsigned below = node == 1 ? 8 : 4;
    const int is = m->expected_byte[i] >> below == node;

    m->mix.expected[i] =
        is ? m->expected_byte[i] >> (below - 4) & 15 : BBANS_MIX_NONE;
    return is ? m->state[i] : 0;
}

/* Under the first half of the byte: `node` is 1 and its bits. */
static void start_half(bbans_mixer *m, uint32_t node)
{
    const unsigned half = node > 1, found = find_half(m, half);
    /* Of contexts 1 to 4: orders 2, 3, 4 and 6. */
    const unsigned known = (found >> 1 & 1) + (found >> 2 & 1) +
                           (found >> 3 & 1) + (found >> 4 & 1);
    unsigned i, states = 0;
    bbans_mix *x = &m->mix;

    for (i = 0; i < x->matches; i++)
        states += start_match(m, i, node) << 2 * i;
    x->below = half ? 0 : 4;
    x->weight[0] =
        m->weight + (size_t)m->size.inputs *
                        (BBANS_MIXING_STATES * (2 * known + half) + states);
    x->weight[1] = m->weight + (size_t)m->size.inputs *
                                   (BBANS_MIXING_HALVES +
                                    BBANS_MIX_SLOTS * (half ? node - 15 : 0));
}

static void start_byte(bbans_mixer *m)
{
    bbans_mix *x = &m->mix;
    unsigned i;

    x->start = 0;
    x->left = (uint32_t)1 << BBANS_PREC_MAX;
    for (i = 0; i < x->matches; i++) {
        const bbans_mixing_match *match = m->match + i;
        const unsigned class = class_of(match->length);

        x->match[i] = m->expected[i] + class;
        m->expected_byte[i] =
            match->length > 0 ? m->bytes[match->at & m->mask] | 256u : 0;
        m->state[i] = class == 0 ? 0 : class < 16 ? 1 : class < 24 ? 2 : 3;
    }
    x->weight[2] = m->weight + (size_t)m->size.inputs *
                                   (BBANS_MIXING_HALVES + BBANS_MIXING_NODES +
                                    (m->history & 0xFF));
    start_half(m, 1);
}

#ifndef BBANS_DECODER_ONLY
void bbans_mixer_encode(bbans_mixer *m, unsigned byte, bbans_span *span)
{
    prepare_half(m, 16 | byte >> 4);
    start_byte(m);
    BBANS_MIXING->encode(&m->mix, byte >> 4);
    BBANS_MIXING->learn(&m->mix, byte >> 4);
    start_half(m, 16 | byte >> 4);
    BBANS_MIXING->encode(&m->mix, byte & 15);
    span->start = m->mix.start;
    span->end = m->mix.start + m->mix.left;
}
#endif /* BBANS_DECODER_ONLY */

/* What takes time is learned while the next rows come. */
unsigned bbans_mixer_decode(bbans_mixer *m, uint32_t slot, bbans_span *span)
{
    unsigned first, second;

    start_byte(m);
    first = BBANS_MIXING->decode(&m->mix, slot);
    prepare_half(m, 16 | first);
    BBANS_MIXING->learn(&m->mix, first);
    start_half(m, 16 | first);
    second = BBANS_MIXING->decode(&m->mix, slot);
    span->start = m->mix.start;
    span->end = m->mix.start + m->mix.left;
    return first << 4 | second;
}

/* ---- After it --------------------------------------------------------------
 */

static void learn_word(bbans_mixer *m, unsigned byte)
{
    const unsigned lower = byte | 32;

    if (byte > 127 || (lower >= 'a' && lower <= 'z')) {
        m->word = (m->word + (byte > 127 ? byte : lower) + 1) * WORD_HASH;
    } else if (m->word != 0) {
        m->word_before = m->word;
        m->word = 0;
    }
}

static void learn_line(bbans_mixer *m, unsigned byte)
{
    if (m->size.line > 0 ? m->n - m->line < m->size.line : byte != '\n')
        return;
    m->above = m->line;
    m->line = m->n;
}

/* How many bytes before two places agree. */
static uint32_t agreeing(const bbans_mixer *m, size_t place)
{
    uint32_t n = 0;

    while (n < MATCH_CHECKED && n < place && m->n - place + n < m->mask &&
           m->bytes[(place - 1 - n) & m->mask] ==
               m->bytes[(m->n - 1 - n) & m->mask])
        n++;
    return n;
}

/* A place in the low bits, and a check above, so that bytes far away are looked
 * at only if they are likely to agree. */
#define MATCH_BITS 24

/* Of the last bytes; 0 while there are too few. */
static uint64_t match_hash(const bbans_mixer *m, unsigned i)
{
    const unsigned least = match_least[i];
    uint64_t h = last_bytes(m, least < 8 ? least : 0);
    unsigned k;

    if (m->n < least)
        return 0;
    for (k = least < 8 ? least : 0; k < least; k++)
        h = h * WORD_HASH + m->bytes[(m->n - 1 - k) & m->mask] + 1;
    return h * HASH;
}

static uint32_t *match_place(const bbans_mixer *m, unsigned i, uint64_t hash)
{
    return m->place + ((size_t)i << m->size.match_bits) +
           (hash >> (64 - m->size.match_bits));
}

/* The place kept, if it is likely that the same bytes are before it. */
static void find_match(const bbans_mixer *m, bbans_mixing_match *match,
                       uint32_t kept, uint32_t entry, unsigned least)
{
    const uint32_t places = ((uint32_t)1 << MATCH_BITS) - 1;
    const size_t back = ((uint32_t)m->n - kept) & places;
    uint32_t n;

    if ((kept ^ entry) >> MATCH_BITS != 0 || (kept & places) == 0 || back == 0)
        return;
    n = agreeing(m, m->n - back);
    if (n >= least) {
        match->at = m->n - back;
        match->length = n;
    }
}

static void learn_match(bbans_mixer *m, unsigned i, unsigned byte,
                        uint64_t hash)
{
    const uint32_t check = (uint32_t)hash >> MATCH_BITS;
    const uint32_t places = ((uint32_t)1 << MATCH_BITS) - 1;
    const uint32_t entry = check << MATCH_BITS | ((uint32_t)m->n & places);
    bbans_mixing_match *match = m->match + i;
    uint32_t *place = match_place(m, i, hash);

    if (match->length > 0 && m->bytes[match->at & m->mask] != byte)
        match->length = 0;
    if (match->length > 0) {
        match->at++;
        match->length += match->length < MATCH_MAX;
    }
    if (m->n < match_least[i])
        return;
    if (match->length == 0)
        find_match(m, match, *place, entry, match_least[i]);
    *place = entry;
}

static void learn_contexts(bbans_mixer *m, unsigned byte)
{
    m->history = m->history << 8 | byte;
    m->n++;
    learn_word(m, byte);
    learn_line(m, byte);
    find_contexts(m);
}

/* What is needed next is sought first, and comes while the half is learned. */
void bbans_mixer_learn(bbans_mixer *m, unsigned byte)
{
    uint64_t hash[BBANS_MIX_MATCHES];
    unsigned i;

    learn_contexts(m, byte);
    prepare_half(m, 1);
    for (i = 0; i < m->mix.matches; i++) {
        hash[i] = match_hash(m, i);
        bbans_prefetch(match_place(m, i, hash[i]), 0, 1);
    }
    BBANS_MIXING->learn(&m->mix, byte & 15);
    for (i = 0; i < m->mix.matches; i++)
        learn_match(m, i, byte, hash[i]);
}

/* ---- In parts --------------------------------------------------------------
 */

#ifndef BBANS_DECODER_ONLY
void bbans_mixer_start_first(bbans_mixer *m)
{
    start_byte(m);
}

void bbans_mixer_start_second(bbans_mixer *m, unsigned first)
{
    prepare_half(m, 16 | first);
    BBANS_MIXING->encode(&m->mix, first);
    BBANS_MIXING->learn(&m->mix, first);
    start_half(m, 16 | first);
}

void bbans_mixer_end(bbans_mixer *m, unsigned second)
{
    BBANS_MIXING->encode(&m->mix, second);
}

void bbans_mixer_pass(bbans_mixer *m, unsigned byte)
{
    learn_contexts(m, byte);
}

uint16_t bbans_mixer_check(uint32_t context, uint32_t node)
{
    return check_of(row_hash(context, node));
}

size_t bbans_mixer_find_row(const uint16_t *rows, unsigned bits,
                            uint32_t context, uint32_t node, unsigned *found)
{
    const uint64_t hash = row_hash(context, node);

    return (size_t)BBANS_MIX_SLOTS *
           find_row(rows, place_of(context, hash, bits), check_of(hash), found);
}
#endif /* BBANS_DECODER_ONLY */
