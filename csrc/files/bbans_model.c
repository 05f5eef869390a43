/* Model files: docs/format.md, section 2.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

#define VERSION 1
#define HIDDEN_MARKOV 1
#define AUTOREGRESSIVE 2
#define HEADER_BYTES 20
#define COUNTS_BYTES 12
#define CHECKSUM_BYTES 4

static const uint8_t magic[4] = {0x89, 'b', 'b', 'm'};

/* Bytes of a symbol in the alphabet: code points, or integers with sign. */
static size_t value_bytes(int alphabet)
{
    return alphabet == BBANS_ALPHABET_CHARACTERS ? 4
           : alphabet == BBANS_ALPHABET_INTEGERS ? 8
                                                 : 0;
}

int64_t bbans_model_value(const bbans_model *model, size_t symbol)
{
    const size_t n = value_bytes(model->alphabet);

    return n == 0 ? (int64_t)symbol
                  : bbans_signed(bbans_load(model->values + n * symbol, n));
}

size_t bbans_model_symbol(const bbans_model *model, int64_t value)
{
    size_t lo = 0, hi = model->symbols;

    if (model->alphabet == BBANS_ALPHABET_INDEX)
        return (uint64_t)value < hi ? (size_t)value : hi;
    while (hi - lo > 1) { /* if the value is there, it is in [lo, hi) */
        const size_t mid = lo + (hi - lo) / 2;

        if (bbans_model_value(model, mid) <= value)
            lo = mid;
        else
            hi = mid;
    }
    return bbans_model_value(model, lo) == value ? lo : model->symbols;
}

static int alphabet_is_valid(const bbans_model *model)
{
    size_t k;

    if (model->alphabet == BBANS_ALPHABET_INDEX)
        return 1;
    for (k = 1; k < model->symbols; k++)
        if (bbans_model_value(model, k - 1) >= bbans_model_value(model, k))
            return 0;
    /* they rise, so the last is the largest */
    return model->alphabet == BBANS_ALPHABET_INTEGERS ||
           bbans_model_value(model, model->symbols - 1) <= BBANS_CODE_POINT_MAX;
}

bbans_status bbans_model_parse(bbans_model *model, const uint8_t *bytes,
                               size_t n_bytes)
{
    uint64_t states, symbols, size;
    uint8_t digest[32];
    bbans_model m;

    if (model == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    if (n_bytes > 0 &&
        memcmp(bytes, magic, n_bytes < sizeof magic ? n_bytes : sizeof magic) !=
            0)
        return BBANS_ERR_FORMAT;
    if (n_bytes > 4 && bytes[4] != VERSION)
        return BBANS_ERR_VERSION;
    if (n_bytes < HEADER_BYTES)
        return BBANS_ERR_TRUNCATED;
    if ((bytes[5] != HIDDEN_MARKOV && bytes[5] != AUTOREGRESSIVE) ||
        bytes[7] > BBANS_ALPHABET_CHARACTERS)
        return BBANS_ERR_VERSION;
    memset(&m, 0, sizeof m);
    m.prec = bytes[6];
    m.alphabet = bytes[7];
    states = bbans_load(bytes + 8, 4);
    symbols = bbans_load(bytes + 12, 4);
    m.tail_length = (size_t)bbans_load(bytes + 16, 4);
    if (states < 1 || states > BBANS_STATES_MAX || symbols < 1 ||
        symbols > BBANS_SYMBOLS_MAX || m.tail_length < 1 ||
        m.tail_length > BBANS_TAIL_MAX || m.prec < 1 || m.prec > BBANS_PREC_MAX)
        return BBANS_ERR_CORRUPT;
    m.states = (size_t)states;
    m.symbols = (size_t)symbols;
    /* below 2^31: nothing here overflows, and size_t holds what n_bytes holds
     */
    size = HEADER_BYTES + value_bytes(m.alphabet) * symbols +
           4 * states * (1 + states + symbols);
    if (bytes[5] == AUTOREGRESSIVE) {
        size += COUNTS_BYTES;
        if (n_bytes >= size) {
            const uint8_t *counts = bytes + size - COUNTS_BYTES;

            m.contexts = (size_t)bbans_load(counts, 4);
            m.entries = (size_t)bbans_load(counts + 4, 4);
            m.tree_bytes = (size_t)bbans_load(counts + 8, 4);
            m.tree = counts + COUNTS_BYTES;
            size += m.tree_bytes;
        }
    }
    if (n_bytes < size + CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    if (n_bytes > size + CHECKSUM_BYTES ||
        bbans_crc32(0, bytes, (size_t)size) !=
            bbans_load(bytes + size, CHECKSUM_BYTES))
        return BBANS_ERR_CORRUPT;
    m.values = bytes + HEADER_BYTES;
    m.masses = m.values + value_bytes(m.alphabet) * m.symbols;
    /* Each context takes a byte, and each entry. */
    if (!alphabet_is_valid(&m) ||
        (m.tree != NULL &&
         (m.contexts < 1 || m.contexts > m.tree_bytes ||
          m.entries > m.tree_bytes || m.contexts > BBANS_CONTEXTS_MAX ||
          m.entries > BBANS_CONTEXTS_MAX || m.symbols > UINT16_MAX)))
        return BBANS_ERR_CORRUPT;
    bbans_sha256(bytes, (size_t)size, digest);
    memcpy(m.fingerprint, digest, sizeof m.fingerprint);
    *model = m;
    return BBANS_OK;
}

/* The contexts in memory: this struct, then its arrays. */
static uint64_t contexts_bytes(const bbans_model *model)
{
    return model->tree == NULL
               ? 0
               : sizeof(bbans_contexts) + 8 * (uint64_t)(model->contexts + 1) +
                     4 * (uint64_t)(model->contexts + model->entries);
}

/* The tables, and before contexts what aligns these. */
static uint64_t hmm_bytes(const bbans_model *model)
{
    const uint64_t bytes = bbans_hmm_bytes(model->states, model->symbols);

    return model->tree == NULL ? bytes : (bytes + 7) / 8 * 8;
}

size_t bbans_model_bytes(const bbans_model *model)
{
    uint64_t bytes;

    if (model == NULL || bbans_hmm_bytes(model->states, model->symbols) == 0)
        return 0;
    bytes = hmm_bytes(model) + contexts_bytes(model);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* Bytes of the contexts, read to the end; after that `ok` is 0. */
typedef struct {
    const uint8_t *at, *end;
    int ok;
} reader;

static uint32_t take_byte(reader *r)
{
    if (r->at == r->end) {
        r->ok = 0;
        return 0;
    }
    return *r->at++;
}

/* An unsigned LEB128 number in its shortest form, of at most three bytes. */
static uint32_t take_number(reader *r)
{
    uint32_t byte, value = 0;
    unsigned shift;

    for (shift = 0; shift < 21; shift += 7) {
        byte = take_byte(r);
        value |= (byte & 0x7f) << shift;
        if (byte < 0x80) {
            if (byte == 0 && shift > 0)
                r->ok = 0;
            return value;
        }
    }
    r->ok = 0;
    return 0;
}

/* The next of some rising numbers, of which *above is the last. */
static uint16_t take_rising(reader *r, uint32_t *above)
{
    *above += take_number(r) + 1;
    if (*above > UINT16_MAX)
        r->ok = 0;
    return (uint16_t)*above;
}

static bbans_status read_contexts(const bbans_model *model, void *memory,
                                  const bbans_contexts **contexts)
{
    bbans_contexts *c = (bbans_contexts *)memory;
    uint32_t *children = (uint32_t *)(c + 1);
    uint32_t *first = children + model->contexts + 1;
    uint16_t *label = (uint16_t *)(first + model->contexts + 1);
    uint16_t *back_off = label + model->contexts;
    uint16_t *symbol = back_off + model->contexts;
    uint16_t *weight = symbol + model->entries;
    uint32_t labels = 1, entries = 0, above, left, i, n;
    reader r;
    size_t k;

    r.at = model->tree;
    r.end = model->tree + model->tree_bytes;
    r.ok = 1;
    children[0] = 1;
    first[0] = 0;
    label[0] = 0;
    for (k = 0; k < model->contexts && r.ok; k++) {
        back_off[k] = (uint16_t)(k == 0 ? 256 : take_byte(&r) + 1);
        left = (uint32_t)(256 - back_off[k]) << 8;
        n = k == 0 ? 0 : take_number(&r);
        if (n > model->entries - entries)
            return BBANS_ERR_CORRUPT;
        above = UINT32_MAX;
        for (i = 0; i < n && r.ok; i++, entries++) {
            symbol[entries] = take_rising(&r, &above);
            weight[entries] = (uint16_t)left;
            if (i + 1 < n) {
                weight[entries] = (uint16_t)take_byte(&r);
                weight[entries] =
                    (uint16_t)(weight[entries] | take_byte(&r) << 8);
            }
            /* The last has what is left; the sum is checked with the rest. */
            left -= weight[entries];
        }
        first[k + 1] = entries;
        n = take_number(&r);
        if (n > model->contexts - labels)
            return BBANS_ERR_CORRUPT;
        above = UINT32_MAX;
        for (i = 0; i < n && r.ok; i++)
            label[labels++] = take_rising(&r, &above);
        children[k + 1] = labels;
    }
    if (!r.ok || r.at != r.end || labels != model->contexts ||
        entries != model->entries)
        return BBANS_ERR_CORRUPT;
    c->contexts = model->contexts;
    c->entries = model->entries;
    c->children = children;
    c->first = first;
    c->label = label;
    c->back_off = back_off;
    c->symbol = symbol;
    c->weight = weight;
    *contexts = c;
    return BBANS_OK;
}

bbans_status bbans_model_build(bbans_model *model, void *memory,
                               size_t memory_bytes)
{
    uint32_t *initial, *transition, *emission;
    const bbans_contexts *contexts = NULL;
    bbans_status status;
    size_t i, K, M, n;

    if (model == NULL || memory == NULL)
        return BBANS_ERR_NULL;
    K = model->states;
    M = model->symbols;
    if (bbans_model_bytes(model) == 0)
        return BBANS_ERR_SIZE;
    if (memory_bytes < bbans_model_bytes(model))
        return BBANS_ERR_CAPACITY;
    initial = bbans_hmm_masses(memory, K, M);
    transition = initial + K;
    emission = transition + K * K;
    n = K * (1 + K + M);
    for (i = 0; i < n; i++)
        initial[i] = (uint32_t)bbans_load(model->masses + 4 * i, 4);
    status = bbans_hmm_init(&model->hmm, K, M, model->prec, model->tail_length,
                            initial, transition, emission, memory,
                            bbans_hmm_bytes(K, M));
    if (status == BBANS_OK && model->tree != NULL) {
        status = read_contexts(model, (uint8_t *)memory + hmm_bytes(model),
                               &contexts);
        if (status == BBANS_OK)
            status = bbans_hmm_set_contexts(&model->hmm, contexts);
        if (status != BBANS_OK) /* not built */
            memset(&model->hmm, 0, sizeof model->hmm);
    }
    return status == BBANS_ERR_TABLE ? BBANS_ERR_CORRUPT : status;
}
