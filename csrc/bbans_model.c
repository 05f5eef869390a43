/* Model files: docs/format.md, section 2.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_internal.h"

#define VERSION 1
#define HIDDEN_MARKOV 1
#define HEADER_BYTES 20
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
    if (bytes[5] != HIDDEN_MARKOV || bytes[7] > BBANS_ALPHABET_CHARACTERS)
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
    if (n_bytes < size + CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    if (n_bytes > size + CHECKSUM_BYTES ||
        bbans_crc32(0, bytes, (size_t)size) !=
            bbans_load(bytes + size, CHECKSUM_BYTES))
        return BBANS_ERR_CORRUPT;
    m.values = bytes + HEADER_BYTES;
    m.masses = m.values + value_bytes(m.alphabet) * m.symbols;
    if (!alphabet_is_valid(&m))
        return BBANS_ERR_CORRUPT;
    bbans_sha256(bytes, (size_t)size, digest);
    memcpy(m.fingerprint, digest, sizeof m.fingerprint);
    *model = m;
    return BBANS_OK;
}

bbans_status bbans_model_build(bbans_model *model, void *memory,
                               size_t memory_bytes)
{
    uint32_t *initial, *transition, *emission;
    bbans_status status;
    size_t i, K, M, n;

    if (model == NULL || memory == NULL)
        return BBANS_ERR_NULL;
    K = model->states;
    M = model->symbols;
    if (bbans_hmm_bytes(K, M) == 0)
        return BBANS_ERR_SIZE;
    if (memory_bytes < bbans_hmm_bytes(K, M))
        return BBANS_ERR_CAPACITY;
    initial = bbans_hmm_masses(memory, K, M);
    transition = initial + K;
    emission = transition + K * K;
    n = K * (1 + K + M);
    for (i = 0; i < n; i++)
        initial[i] = (uint32_t)bbans_load(model->masses + 4 * i, 4);
    status =
        bbans_hmm_init(&model->hmm, K, M, model->prec, model->tail_length,
                       initial, transition, emission, memory, memory_bytes);
    return status == BBANS_ERR_TABLE ? BBANS_ERR_CORRUPT : status;
}
