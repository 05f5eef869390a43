/* Model files: docs/format.md, "Model file".
 *
 * SPDX-License-Identifier: MIT */
#include "../models/bbans_latent.h"
#include "../models/bbans_tree.h"
#include "bbans_files.h"

#define HMM_HEADER 24 /* of hierarchical and factorial ones too */
#define LGSSM_HEADER 32
#define GAUSSIAN_HMM_HEADER 28
#define LATENT_HEADER 56
#define TREE_HEADER 32
#define COUNTS_BYTES 8
#define FROZEN_BYTES ((sizeof(bbans_frozen) + 7) / 8 * 8)

/* The types of models that a build reads, as bits 1 << BBANS_MODEL_HMM and so
 * on.  Of others it holds no code, and their files are of unknown codes. */
#ifndef BBANS_MODEL_TYPES
#define BBANS_MODEL_TYPES (~1u)
#endif

/* Where the fields of one byte are; the numbers begin at NUMBERS. */
enum { TYPE = 5, MODE, KIND, DETAIL, LISTED, FORM, ENDS, NUMBERS };

/* The numbers of models of latents and networks. */
enum {
    WIDTH,
    LAW,
    LOW,
    HIGH,
    COMPONENTS,
    FAMILY,
    GRID,
    START_LENGTH,
    START_BITS,
    START_SHIFT,
    ORDER
};

/* The numbers of a file, and where its parts begin. */
typedef struct {
    /* Of hidden Markov and linear Gaussian models: */
    size_t states, symbols; /* or latent and observed dimensions, or channels */
    size_t start_length;
    size_t start_bits, steps; /* of linear Gaussian models alone             */
    size_t full;              /* of hidden Markov models of vectors alone    */
    size_t contexts, entries; /* of autoregressive models alone  */
    size_t values, tables, tree; /* offsets; 0: there is none       */
    size_t levels, of_level[BBANS_LEVELS_MAX]; /* or chains: how many, and
                                                  states of each             */
    int side_by_side;                          /* chains                     */
    size_t nodes, table_bytes; /* of trees, whose columns are `symbols`      */
    /* Of models of latents and networks: */
    bbans_head head;
    bbans_latent_parameters latent; /* without its pointers                  */
    int order;
    const uint8_t *network[2 * BBANS_LEVELS_MAX];
    uint64_t place[2 * BBANS_LEVELS_MAX + 1]; /* where in memory they go     */
    bbans_mixer_file mixer;
} layout;

/* ---- Alphabets ----------------------------------------------------------- */

/* Bytes of a listed value: a code point, or an integer with sign. */
static size_t value_bytes(int kind)
{
    return kind == BBANS_KIND_TEXT ? 4 : 8;
}

static int64_t listed(const uint8_t *values, int kind, size_t symbol)
{
    const size_t n = value_bytes(kind);

    return bbans_signed(bbans_load(values + n * symbol, n));
}

/* Symbols that stand for values; behind them is the end of a record. */
static size_t valued(const bbans_model *model)
{
    return model->symbols - (size_t)(model->ends != 0);
}

int64_t bbans_model_value(const bbans_model *model, size_t symbol)
{
    if (symbol >= valued(model))
        return -1;
    return model->values == NULL ? (int64_t)symbol
                                 : listed(model->values, model->kind, symbol);
}

size_t bbans_model_symbol(const bbans_model *model, int64_t value)
{
    size_t lo = 0, hi = valued(model);

    if (model->values == NULL)
        return (uint64_t)value < hi ? (size_t)value : model->symbols;
    while (hi - lo > 1) { /* if the value is there, it is in [lo, hi) */
        const size_t mid = lo + (hi - lo) / 2;

        if (bbans_model_value(model, mid) <= value)
            lo = mid;
        else
            hi = mid;
    }
    return bbans_model_value(model, lo) == value ? lo : model->symbols;
}

/* Of so many symbols that stand for values.  values = NULL: they stand for
 * themselves, of text for the bytes of its UTF-8. */
static int alphabet_is_valid(const uint8_t *values, int kind, size_t symbols)
{
    const int64_t most =
        kind == BBANS_KIND_BYTES ? UINT8_MAX : BBANS_CODE_POINT_MAX;
    size_t k;

    if (symbols < 1)
        return 0;
    if (values == NULL)
        return kind == BBANS_KIND_INTEGERS ||
               (kind == BBANS_KIND_BYTES && symbols <= UINT8_MAX + 1) ||
               (kind == BBANS_KIND_TEXT && symbols == UINT8_MAX + 1);
    for (k = 1; k < symbols; k++)
        if (listed(values, kind, k - 1) >= listed(values, kind, k))
            return 0;
    /* They rise, so the first is the least and the last the largest. */
    return kind == BBANS_KIND_INTEGERS ||
           (listed(values, kind, 0) >= 0 &&
            listed(values, kind, symbols - 1) <= most);
}

/* ---- Reading ------------------------------------------------------------- */

static int is_read(int type)
{
    return (BBANS_MODEL_TYPES >> type & 1) != 0;
}

/* Whether a model is of this type; where a build does not read it, the compiler
 * sees that none is. */
static int is_of(int type, int which)
{
    return is_read(which) && type == which;
}

static int is_gaussian(int type)
{
    return is_of(type, BBANS_MODEL_LGSSM);
}

static int is_gaussian_hmm(int type)
{
    return is_of(type, BBANS_MODEL_GAUSSIAN_HMM);
}

static int has_networks(int type)
{
    return is_of(type, BBANS_MODEL_VAE) || is_of(type, BBANS_MODEL_DEEP_SSM);
}

static int is_hierarchy(int type)
{
    return is_of(type, BBANS_MODEL_HIERARCHY);
}

static int is_factorial(int type)
{
    return is_of(type, BBANS_MODEL_FACTORIAL);
}

/* Whether a state has several numbers. */
static int has_levels(int type)
{
    return is_hierarchy(type) || is_factorial(type);
}

static int is_tree(int type)
{
    return is_of(type, BBANS_MODEL_TREE);
}

static int is_mixer(int type)
{
    return is_of(type, BBANS_MODEL_CONTEXT_MIXER);
}

static int has_alphabet(int type)
{
    return !is_gaussian(type) && !is_gaussian_hmm(type) &&
           !has_networks(type) && !is_tree(type);
}

static int has_packed_form(int type)
{
    return type == BBANS_MODEL_HMM || type == BBANS_MODEL_ARHMM ||
           is_mixer(type);
}

static size_t header_bytes(const uint8_t *bytes)
{
    return has_networks(bytes[TYPE])      ? LATENT_HEADER
           : is_gaussian(bytes[TYPE])     ? LGSSM_HEADER
           : is_gaussian_hmm(bytes[TYPE]) ? GAUSSIAN_HMM_HEADER
           : is_tree(bytes[TYPE])         ? TREE_HEADER
           : is_mixer(bytes[TYPE])        ? BBANS_MIXER_HEADER
                                          : HMM_HEADER;
}

static int detail_is_known(const uint8_t *bytes)
{
    switch (bytes[TYPE]) {
    case BBANS_MODEL_LGSSM: return bytes[DETAIL] <= BBANS_LAPLACE;
    case BBANS_MODEL_DEEP_SSM: return bytes[DETAIL] == 0;
    default: return 1;
    }
}

static int codes_are_known(const uint8_t *bytes)
{
    return bytes[TYPE] >= BBANS_MODEL_HMM &&
           bytes[TYPE] <= BBANS_MODEL_FACTORIAL && is_read(bytes[TYPE]) &&
           bytes[MODE] <= 1 && bytes[KIND] <= BBANS_KIND_TEXT &&
           detail_is_known(bytes) && bytes[LISTED] <= 1 &&
           bytes[FORM] <= has_packed_form(bytes[TYPE]) &&
           bytes[ENDS] <= has_alphabet(bytes[TYPE]);
}

static size_t number(const uint8_t *bytes, size_t i)
{
    return (size_t)bbans_load(bytes + NUMBERS + 4 * i, 4);
}

/* Of a model of levels or chains, 0 for numbers out of range. */
static uint64_t mass_count(const layout *l)
{
    return l->side_by_side
               ? bbans_factorial_mass_count(l->levels, l->of_level, l->symbols)
               : bbans_hierarchy_mass_count(l->levels, l->of_level, l->symbols);
}

static uint64_t rows_bytes(const layout *l)
{
    return 4 * (l->levels > 0
                    ? mass_count(l)
                    : (uint64_t)l->states * (1 + l->states + l->symbols));
}

static uint64_t lgssm_bytes(const layout *l)
{
    return (uint64_t)l->steps *
           (8 * (l->states + l->symbols) +
            4 * bbans_lgssm_step_words(l->states, l->symbols));
}

/* Of each state, in files and in memory: there rows of `lower` have all their
 * zeros. */
static uint64_t gaussian_bytes(const layout *l, int in_memory)
{
    const uint64_t n = l->symbols;
    const uint64_t lower = in_memory ? n * (1 + n) : n * (1 + n) / 2;

    return l->states * (12 * n + (l->full ? 4 * lower : 0));
}

static uint64_t gaussian_hmm_bytes(const layout *l)
{
    return 4 * (uint64_t)l->states * (1 + l->states) + gaussian_bytes(l, 0);
}

/* The states of each level, which follow the numbers, as far as there are
 * bytes.  Returns whether they are within the limits. */
static int read_levels(const uint8_t *bytes, size_t n_bytes, layout *l)
{
    size_t i;

    l->levels = number(bytes, 0);
    if (l->levels < 1 || l->levels > BBANS_LEVELS_MAX)
        return 0;
    for (i = 0; i < l->levels; i++, l->tables += 4)
        l->of_level[i] = n_bytes < l->tables + 4 ? 1 : number(bytes, 3 + i);
    l->side_by_side = is_factorial(bytes[TYPE]);
    return mass_count(l) > 0;
}

/* Read a whole header.  Returns where the tables end, or 0 for numbers out of
 * range; within it, that is below 2^38. */
static uint64_t read_header(const uint8_t *bytes, size_t n_bytes, layout *l)
{
    memset(l, 0, sizeof *l);
    l->states = number(bytes, 0);
    l->symbols = number(bytes, 1);
    l->start_length = number(bytes, 2);
    l->tables = header_bytes(bytes);
    if (l->states < 1 || l->symbols < 1 || l->start_length < 1 ||
        l->start_length > BBANS_START_MAX)
        return 0;
    if (is_gaussian(bytes[TYPE])) {
        l->start_bits = number(bytes, 3);
        l->steps = number(bytes, 4);
        if (bytes[KIND] != BBANS_KIND_INTEGERS || bytes[LISTED] ||
            bbans_lgssm_step_words(l->states, l->symbols) == 0 ||
            l->start_bits > BBANS_START_MAX || l->steps < 1 ||
            l->steps > BBANS_STEPS_MAX)
            return 0;
        return l->tables + lgssm_bytes(l);
    }
    if (l->states > BBANS_STATES_MAX || l->symbols > BBANS_SYMBOLS_MAX ||
        bytes[DETAIL] < 1 || bytes[DETAIL] > BBANS_PREC_MAX)
        return 0;
    if (is_gaussian_hmm(bytes[TYPE])) {
        l->full = number(bytes, 3);
        if (bytes[KIND] != BBANS_KIND_INTEGERS || bytes[LISTED] ||
            bbans_gaussian_hmm_bytes(l->states, l->symbols) == 0 || l->full > 1)
            return 0;
        return l->tables + gaussian_hmm_bytes(l);
    }
    if (has_levels(bytes[TYPE]) && !read_levels(bytes, n_bytes, l))
        return 0;
    if (bytes[LISTED]) {
        l->values = l->tables;
        l->tables += value_bytes(bytes[KIND]) * (l->symbols - bytes[ENDS]);
    }
    return l->tables + rows_bytes(l);
}

/* Of all contexts and entries, without the zeros behind them, and with them. */
static uint64_t bare_tree_bytes(const layout *l)
{
    return 8 * ((uint64_t)l->contexts + 1) + 3 * (uint64_t)l->contexts +
           4 * (uint64_t)l->entries;
}

static uint64_t tree_bytes_of(const layout *l)
{
    return (bare_tree_bytes(l) + 3) / 4 * 4;
}

static int ends_in_zeros(const uint8_t *bytes, const layout *l)
{
    uint64_t i;

    for (i = bare_tree_bytes(l); l->tree != 0 && i < tree_bytes_of(l); i++)
        if (bytes[l->tree + i] != 0)
            return 0;
    return 1;
}

/* The counts before the contexts, at `counts`. */
static void read_counts(const uint8_t *bytes, size_t counts, layout *l)
{
    l->contexts = (size_t)bbans_load(bytes + counts, 4);
    l->entries = (size_t)bbans_load(bytes + counts + 4, 4);
    l->tree = counts + COUNTS_BYTES;
}

static int counts_are_valid(const layout *l)
{
    return l->tree == 0 ||
           (l->contexts >= 1 && l->contexts <= BBANS_CONTEXTS_MAX &&
            l->entries <= BBANS_CONTEXTS_MAX && l->symbols <= UINT16_MAX);
}

static int32_t signed_number(const uint8_t *bytes, size_t i)
{
    return bbans_signed32((uint32_t)number(bytes, i));
}

static int is_of_bytes(const bbans_head *head)
{
    return head->low >= 0 && head->high <= UINT8_MAX;
}

/* The numbers of a model of latents and networks; 0: out of range. */
static int read_latent_numbers(const uint8_t *bytes, layout *l)
{
    const size_t order = number(bytes, ORDER);

    memset(l, 0, sizeof *l);
    l->head.width = number(bytes, WIDTH);
    l->head.law = (int)signed_number(bytes, LAW);
    l->head.low = signed_number(bytes, LOW);
    l->head.high = signed_number(bytes, HIGH);
    l->head.components = number(bytes, COMPONENTS);
    l->head.family = (int)signed_number(bytes, FAMILY);
    l->latent.head = &l->head;
    l->latent.grid = (unsigned)number(bytes, GRID);
    l->latent.start_length = number(bytes, START_LENGTH);
    l->latent.start_bits = (unsigned)number(bytes, START_BITS);
    l->latent.start_shift = (unsigned)number(bytes, START_SHIFT);
    l->order = (int)order;
    l->latent.networks = bytes[TYPE] == BBANS_MODEL_VAE
                             ? 2 * (size_t)bytes[DETAIL]
                             : BBANS_DEEP_SSM_NETWORKS;
    return l->latent.networks >= 1 &&
           l->latent.networks <= 2 * BBANS_LEVELS_MAX &&
           order <= (bytes[TYPE] == BBANS_MODEL_VAE) &&
           bbans_latent_check(&l->latent) == BBANS_OK && !bytes[LISTED] &&
           (bytes[KIND] == BBANS_KIND_INTEGERS ||
            (bytes[KIND] == BBANS_KIND_BYTES && is_of_bytes(&l->head)));
}

/* The networks themselves. */
static size_t networks_bytes(const layout *l)
{
    return (l->latent.networks * sizeof(bbans_network) + 7) / 8 * 8;
}

static bbans_status read_latent_layout(const uint8_t *bytes, size_t n_bytes,
                                       layout *l)
{
    bbans_cursor c = bbans_cursor_of(bytes + LATENT_HEADER, bytes + n_bytes);
    uint64_t memory_bytes;
    size_t i;

    if (!read_latent_numbers(bytes, l))
        return BBANS_ERR_CORRUPT;
    l->place[0] = networks_bytes(l);
    for (i = 0; i < l->latent.networks; i++) {
        l->network[i] = bbans_take_network(&c, &memory_bytes);
        l->place[i + 1] = l->place[i] + memory_bytes;
    }
    (void)bbans_take(&c, CHECKSUM_BYTES);
    return c.status == BBANS_OK && c.at != c.end ? BBANS_ERR_CORRUPT : c.status;
}

/* Are all values of a tree bytes?  Alphabets are the first of its tables. */
static int alphabets_are_of_bytes(const uint8_t *tables, size_t columns)
{
    size_t k;

    for (k = 0; k < columns; k++)
        if (bbans_load(tables + 4 * k, 4) > UINT8_MAX + 1)
            return 0;
    return 1;
}

static bbans_status read_tree_layout(const uint8_t *bytes, size_t n_bytes,
                                     layout *l)
{
    const size_t rest = n_bytes - TREE_HEADER;
    uint64_t size;

    memset(l, 0, sizeof *l);
    l->nodes = number(bytes, 0);
    l->states = number(bytes, 1);
    l->symbols = number(bytes, 2);
    l->start_length = number(bytes, 3);
    l->start_bits = number(bytes, 4);
    l->tables = TREE_HEADER;
    if (!bbans_tree_counts_are_valid(l->nodes, l->states, l->symbols) ||
        l->start_length < 1 || l->start_length > BBANS_START_MAX ||
        l->start_bits > BBANS_START_MAX || bytes[DETAIL] < 1 ||
        bytes[DETAIL] > BBANS_PREC_MAX || bytes[LISTED] ||
        bytes[KIND] == BBANS_KIND_TEXT)
        return BBANS_ERR_CORRUPT;
    if (rest / 4 < l->symbols)
        return BBANS_ERR_TRUNCATED;
    size = bbans_tree_table_bytes(l->nodes, l->states, l->symbols,
                                  bytes + TREE_HEADER);
    if (size == 0 || (bytes[KIND] == BBANS_KIND_BYTES &&
                      !alphabets_are_of_bytes(bytes + TREE_HEADER, l->symbols)))
        return BBANS_ERR_CORRUPT;
    if (rest < size + CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    l->table_bytes = (size_t)size;
    return rest > size + CHECKSUM_BYTES ? BBANS_ERR_CORRUPT : BBANS_OK;
}

static bbans_status read_mixer_layout(const uint8_t *bytes, size_t n_bytes,
                                      layout *l)
{
    bbans_status status;
    uint64_t size;

    memset(l, 0, sizeof *l);
    status = bbans_mixer_file_read(bytes, bytes[ENDS], &l->mixer);
    if (status != BBANS_OK)
        return status;
    if (bytes[MODE] != 1 || bytes[LISTED] || bytes[KIND] == BBANS_KIND_INTEGERS)
        return BBANS_ERR_CORRUPT;
    l->symbols = UINT8_MAX + 1 + (size_t)bytes[ENDS];
    size = bbans_mixer_file_bytes(&l->mixer) + CHECKSUM_BYTES;
    return n_bytes < size   ? BBANS_ERR_TRUNCATED
           : n_bytes > size ? BBANS_ERR_CORRUPT
                            : BBANS_OK;
}

/* Find the parts of a file, and check that they are all. */
static bbans_status read_layout(const uint8_t *bytes, size_t n_bytes, layout *l)
{
    uint64_t size;

    if (has_networks(bytes[TYPE]))
        return read_latent_layout(bytes, n_bytes, l);
    if (is_tree(bytes[TYPE]))
        return read_tree_layout(bytes, n_bytes, l);
    if (is_mixer(bytes[TYPE]))
        return read_mixer_layout(bytes, n_bytes, l);
    size = read_header(bytes, n_bytes, l);
    if (size == 0)
        return BBANS_ERR_CORRUPT;
    if (bytes[TYPE] == BBANS_MODEL_ARHMM) {
        size += COUNTS_BYTES;
        if (n_bytes >= size) {
            read_counts(bytes, (size_t)size - COUNTS_BYTES, l);
            size += tree_bytes_of(l);
        }
    }
    if (n_bytes < size + CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    return n_bytes > size + CHECKSUM_BYTES ? BBANS_ERR_CORRUPT : BBANS_OK;
}

bbans_status bbans_model_parse(bbans_model *model, const uint8_t *bytes,
                               size_t n_bytes)
{
    bbans_status status;
    bbans_model m;
    layout l;

    if (model == NULL || (bytes == NULL && n_bytes > 0))
        return BBANS_ERR_NULL;
    status =
        bbans_check_start(bytes, n_bytes, bbans_model_magic, MODEL_VERSION);
    if (status != BBANS_OK)
        return status;
    if (n_bytes < NUMBERS)
        return BBANS_ERR_TRUNCATED;
    if (!codes_are_known(bytes))
        return BBANS_ERR_VERSION;
    if (bytes[FORM] != 0) /* packed: bbans_model_pack.c */
        return BBANS_ERR_STATE;
    if (n_bytes < header_bytes(bytes))
        return BBANS_ERR_TRUNCATED;
    status = read_layout(bytes, n_bytes, &l);
    if (status != BBANS_OK)
        return status;
    memset(&m, 0, sizeof m);
    m.type = bytes[TYPE];
    m.kind = bytes[KIND];
    m.predictive = bytes[MODE];
    m.ends = bytes[ENDS];
    m.width = has_networks(bytes[TYPE])   ? l.head.width
              : has_alphabet(bytes[TYPE]) ? 1
                                          : l.symbols;
    m.symbols = has_alphabet(bytes[TYPE]) ? l.symbols : 0;
    m.values = l.values == 0 ? NULL : bytes + l.values;
    m.bytes = bytes;
    m.n_bytes = n_bytes;
    if (!bbans_checksum_matches(bytes, n_bytes - CHECKSUM_BYTES) ||
        !counts_are_valid(&l) || !ends_in_zeros(bytes, &l) ||
        (has_alphabet(bytes[TYPE]) &&
         !alphabet_is_valid(m.values, m.kind, valued(&m))))
        return BBANS_ERR_CORRUPT;
    *model = m;
    return BBANS_OK;
}

bbans_status bbans_model_fingerprint(const bbans_model *model,
                                     uint8_t fingerprint[8])
{
    uint8_t digest[32];

    if (model == NULL || model->bytes == NULL || fingerprint == NULL)
        return BBANS_ERR_NULL;
    if (model->named) {
        memcpy(fingerprint, model->fingerprint, sizeof model->fingerprint);
        return BBANS_OK;
    }
    bbans_sha256(model->bytes, model->n_bytes - CHECKSUM_BYTES, digest);
    memcpy(fingerprint, digest, sizeof model->fingerprint);
    return BBANS_OK;
}

bbans_status bbans_model_name(bbans_model *model)
{
    const bbans_status status =
        model == NULL ? BBANS_ERR_NULL
                      : bbans_model_fingerprint(model, model->fingerprint);

    if (status == BBANS_OK)
        model->named = 1;
    return status;
}

int bbans_model_is_named(const bbans_model *model, const uint8_t name[8])
{
    uint8_t fingerprint[8];

    return bbans_model_fingerprint(model, fingerprint) == BBANS_OK &&
           memcmp(fingerprint, name, sizeof fingerprint) == 0;
}

/* ---- Building ------------------------------------------------------------ */

/* The contexts in memory: this struct, which points into the file. */
static uint64_t contexts_bytes(const layout *l)
{
    return l->tree == 0 ? 0 : sizeof(bbans_contexts);
}

/* The tables, and before contexts what aligns these. */
static uint64_t hmm_bytes(const layout *l)
{
    const uint64_t bytes = bbans_hmm_bytes(l->states, l->symbols);

    return l->tree == 0 ? bytes : (bytes + 7) / 8 * 8;
}

static size_t tree_bytes(const uint8_t *bytes, const layout *l)
{
    return bbans_tree_bytes(l->nodes, l->states, l->symbols, bytes + l->tables,
                            l->table_bytes);
}

/* The layout of a file that has been parsed, and the memory that it needs. */
static size_t need(const bbans_model *model, layout *l)
{
    uint64_t bytes;

    (void)read_layout(model->bytes, model->n_bytes, l);
    if (has_networks(model->bytes[TYPE]))
        bytes = l->place[l->latent.networks];
    else if (is_gaussian(model->bytes[TYPE]))
        bytes = lgssm_bytes(l);
    else if (is_gaussian_hmm(model->bytes[TYPE]))
        bytes = gaussian_bytes(l, 1) +
                bbans_gaussian_hmm_bytes(l->states, l->symbols);
    else if (is_hierarchy(model->bytes[TYPE]))
        bytes = bbans_hierarchy_bytes(l->levels, l->of_level, l->symbols);
    else if (is_factorial(model->bytes[TYPE]))
        bytes = bbans_factorial_bytes(l->levels, l->of_level, l->symbols);
    else if (is_tree(model->bytes[TYPE]))
        bytes = tree_bytes(model->bytes, l);
    else if (is_mixer(model->bytes[TYPE]))
        bytes = bbans_mixer_file_memory(&l->mixer);
    else if (hmm_bytes(l) == 0)
        bytes = 0;
    else
        bytes = hmm_bytes(l) + contexts_bytes(l);
    if (bytes > 0)
        bytes += FROZEN_BYTES;
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

size_t bbans_model_bytes(const bbans_model *model)
{
    layout l;

    return model == NULL || model->bytes == NULL ? 0 : need(model, &l);
}

static void read_contexts(const uint8_t *bytes, const layout *l,
                          bbans_contexts *c)
{
    c->contexts = l->contexts;
    c->entries = l->entries;
    c->children = bytes + l->tree;
    c->first = c->children + 4 * (l->contexts + 1);
    c->label = c->first + 4 * (l->contexts + 1);
    c->symbol = c->label + 2 * l->contexts;
    c->sum = c->symbol + 2 * l->entries;
    c->back_off = c->sum + 2 * l->entries;
}

static void read_masses(const uint8_t *bytes, const layout *l, uint32_t *mass)
{
    const size_t n = (size_t)(rows_bytes(l) / 4);
    size_t i;

    for (i = 0; i < n; i++)
        mass[i] = bbans_load_le32(bytes + l->tables + 4 * i);
}

/* Emission masses, row by row, of their running sums, symbol by symbol.  Where
 * these do not rise they are 0, which no mass is. */
static void read_sums(const uint8_t *bytes, const layout *l, uint32_t *mass)
{
    const size_t K = l->states, M = l->symbols;
    const uint8_t *sums = bytes + l->tables + 4 * K * (1 + K);
    size_t i, x;

    for (i = 0; i < K; i++) {
        uint32_t below = 0;

        for (x = 0; x < M; x++) {
            const uint32_t sum = bbans_load_le32(sums + 4 * (x * K + i));

            *mass++ = sum > below ? sum - below : 0;
            below = sum;
        }
    }
}

static bbans_status build_hmm(bbans_hmm *hmm, const uint8_t *bytes,
                              const layout *l, void *memory)
{
    const size_t K = l->states, M = l->symbols;
    uint32_t *initial = bbans_hmm_masses(memory, K, M);
    bbans_contexts *contexts;
    bbans_status status;

    read_masses(bytes, l, initial);
    if (l->tree != 0)
        read_sums(bytes, l, initial + K + K * K);
    status = bbans_hmm_init(hmm, K, M, bytes[DETAIL], l->start_length, initial,
                            initial + K, initial + K + K * K, memory,
                            bbans_hmm_bytes(K, M));
    if (status != BBANS_OK || l->tree == 0)
        return status;
    contexts = (bbans_contexts *)(void *)((uint8_t *)memory + hmm_bytes(l));
    read_contexts(bytes, l, contexts);
    return bbans_hmm_set_contexts(hmm, contexts);
}

static bbans_status build_hierarchy(bbans_hierarchy *model,
                                    const uint8_t *bytes, const layout *l,
                                    void *memory)
{
    uint32_t *mass =
        bbans_hierarchy_masses(memory, l->levels, l->of_level, l->symbols);

    read_masses(bytes, l, mass);
    return bbans_hierarchy_init(
        model, l->levels, l->of_level, l->symbols, bytes[DETAIL],
        l->start_length, mass, memory,
        bbans_hierarchy_bytes(l->levels, l->of_level, l->symbols));
}

static bbans_status build_factorial(bbans_factorial *model,
                                    const uint8_t *bytes, const layout *l,
                                    void *memory)
{
    uint32_t *mass =
        bbans_factorial_masses(memory, l->levels, l->of_level, l->symbols);

    read_masses(bytes, l, mass);
    return bbans_factorial_init(
        model, l->levels, l->of_level, l->symbols, bytes[DETAIL],
        l->start_length, mass, memory,
        bbans_factorial_bytes(l->levels, l->of_level, l->symbols));
}

static bbans_status build_lgssm(bbans_lgssm *lgssm, const uint8_t *bytes,
                                const layout *l, void *memory)
{
    const size_t n_offsets = l->steps * (l->states + l->symbols);
    const size_t n_words =
        l->steps * bbans_lgssm_step_words(l->states, l->symbols);
    const uint8_t *from = bytes + l->tables;
    int64_t *offset = (int64_t *)memory;
    int32_t *word = (int32_t *)(void *)(offset + n_offsets);
    size_t i;

    for (i = 0; i < n_offsets; i++, from += 8)
        offset[i] = bbans_signed(bbans_load(from, 8));
    for (i = 0; i < n_words; i++, from += 4)
        word[i] = bbans_signed32((uint32_t)bbans_load(from, 4));
    return bbans_lgssm_init(lgssm, l->states, l->symbols, l->steps,
                            bytes[DETAIL], l->start_length,
                            (unsigned)l->start_bits, offset, word);
}

/* Rows of lower matrices, without their zeros. */
static void read_lower(const uint8_t *from, size_t rows, size_t n, int32_t *to)
{
    size_t i, j;

    for (i = 0; i < rows; i++)
        for (j = 0; j < 1 + n; j++, to++) {
            *to = 0;
            if (j > i % n)
                continue;
            *to = bbans_signed32((uint32_t)bbans_load(from, 4));
            from += 4;
        }
}

static bbans_status build_gaussian_hmm(bbans_gaussian_hmm *model,
                                       const uint8_t *bytes, const layout *l,
                                       void *memory)
{
    const size_t K = l->states, n = l->symbols;
    const uint8_t *from = bytes + l->tables;
    int64_t *location = (int64_t *)memory;
    int32_t *scale = (int32_t *)(void *)(location + K * n);
    int32_t *lower = l->full ? scale + K * n : NULL;
    /* Aligned to 4 at least, which is all that tables need. */
    void *tables = (uint8_t *)memory + gaussian_bytes(l, 1);
    uint32_t *initial = bbans_hmm_masses(tables, K, 1);
    size_t i;

    for (i = 0; i < K * (1 + K); i++, from += 4)
        initial[i] = bbans_load_le32(from);
    for (i = 0; i < K * n; i++, from += 8)
        location[i] = bbans_signed(bbans_load(from, 8));
    for (i = 0; i < K * n; i++, from += 4)
        scale[i] = bbans_signed32((uint32_t)bbans_load(from, 4));
    if (lower != NULL)
        read_lower(from, K * n, n, lower);
    return bbans_gaussian_hmm_init(model, K, n, bytes[DETAIL], l->start_length,
                                   initial, initial + K, location, scale, lower,
                                   tables, bbans_gaussian_hmm_bytes(K, n));
}

static bbans_status build_latent(bbans_frozen *frozen, const uint8_t *bytes,
                                 const layout *l, void *memory)
{
    const bbans_latent_parameters *p = &l->latent;
    bbans_network *network = (bbans_network *)memory;
    bbans_status status = BBANS_OK;
    size_t i;

    for (i = 0; i < p->networks && status == BBANS_OK; i++)
        status = bbans_read_network(network + i, l->network[i],
                                    (uint8_t *)memory + l->place[i]);
    if (status != BBANS_OK)
        return status;
    if (bytes[TYPE] == BBANS_MODEL_VAE)
        return bbans_vae_init(&frozen->vae, &l->head, bytes[DETAIL], l->order,
                              p->grid, p->start_length, p->start_bits,
                              p->start_shift, network);
    return bbans_deep_ssm_init(&frozen->deep_ssm, &l->head, p->grid,
                               p->start_length, p->start_bits, p->start_shift,
                               network);
}

static bbans_status build_tree(bbans_tree *tree, const uint8_t *bytes,
                               const layout *l, void *memory)
{
    return bbans_tree_init(tree, l->nodes, l->states, l->symbols, bytes[DETAIL],
                           l->start_length, (unsigned)l->start_bits,
                           bytes + l->tables, l->table_bytes, memory,
                           tree_bytes(bytes, l));
}

bbans_status bbans_model_build(bbans_model *model, void *memory,
                               size_t memory_bytes)
{
    bbans_frozen *const frozen = (bbans_frozen *)memory;
    uint8_t *rest;
    bbans_status status;
    size_t bytes;
    layout l;

    if (model == NULL || memory == NULL || model->bytes == NULL)
        return BBANS_ERR_NULL;
    bytes = need(model, &l);
    if (bytes == 0)
        return BBANS_ERR_SIZE;
    if (memory_bytes < bytes)
        return BBANS_ERR_CAPACITY;
    rest = (uint8_t *)memory + FROZEN_BYTES;
    if (has_networks(model->bytes[TYPE]))
        status = build_latent(frozen, model->bytes, &l, rest);
    else if (is_gaussian(model->bytes[TYPE]))
        status = build_lgssm(&frozen->lgssm, model->bytes, &l, rest);
    else if (is_gaussian_hmm(model->bytes[TYPE]))
        status =
            build_gaussian_hmm(&frozen->gaussian_hmm, model->bytes, &l, rest);
    else if (is_hierarchy(model->bytes[TYPE]))
        status = build_hierarchy(&frozen->hierarchy, model->bytes, &l, rest);
    else if (is_factorial(model->bytes[TYPE]))
        status = build_factorial(&frozen->factorial, model->bytes, &l, rest);
    else if (is_tree(model->bytes[TYPE]))
        status = build_tree(&frozen->tree, model->bytes, &l, rest);
    else if (is_mixer(model->bytes[TYPE]))
        status = bbans_mixer_file_build(&frozen->context_mixer, model->bytes,
                                        &l.mixer, rest);
    else
        status = build_hmm(&frozen->hmm, model->bytes, &l, rest);
    if (status != BBANS_OK)
        return status == BBANS_ERR_TABLE ? BBANS_ERR_CORRUPT : status;
    frozen->space.predictive = model->predictive;
    model->frozen = frozen;
    return BBANS_OK;
}

/* ---- Writing ------------------------------------------------------------- */

#ifndef BBANS_DECODER_ONLY
/* Bytes that are written where there is room, and counted where there is none.
 */
typedef struct {
    uint8_t *bytes;
    size_t cap, at;
} writer;

static void put(writer *w, uint64_t value, size_t n)
{
    if (w->at <= w->cap && n <= w->cap - w->at)
        bbans_store(w->bytes + w->at, value, n);
    w->at += n;
}

/* The masses of rows of edges. */
static void put_masses(writer *w, const uint32_t *edge, size_t rows, size_t n)
{
    size_t i, k;

    for (i = 0; i < rows; i++, edge += n + 1)
        for (k = 0; k < n; k++)
            put(w, edge[k + 1] - edge[k], 4);
}

static void put_bytes(writer *w, const uint8_t *bytes, size_t n)
{
    if (n > 0 && w->at <= w->cap && n <= w->cap - w->at)
        memcpy(w->bytes + w->at, bytes, n);
    w->at += n;
}

static void put_contexts(writer *w, const bbans_contexts *c)
{
    put(w, c->contexts, 4);
    put(w, c->entries, 4);
    put_bytes(w, c->children, 4 * (c->contexts + 1));
    put_bytes(w, c->first, 4 * (c->contexts + 1));
    put_bytes(w, c->label, 2 * c->contexts);
    put_bytes(w, c->symbol, 2 * c->entries);
    put_bytes(w, c->sum, 2 * c->entries);
    put_bytes(w, c->back_off, c->contexts);
    put(w, 0, (4 - w->at % 4) % 4);
}

/* The first symbols of an alphabet, which have values. */
static void put_values(writer *w, int kind, const int64_t *value, size_t n)
{
    size_t k;

    for (k = 0; value != NULL && k < n; k++)
        put(w, (uint64_t)value[k], value_bytes(kind));
}

static void put_hmm(writer *w, const bbans_hmm *hmm, int kind,
                    const int64_t *value, int ends)
{
    const size_t K = hmm->states, M = hmm->symbols;
    size_t i, x;

    put(w, K, 4);
    put(w, M, 4);
    put(w, hmm->space.start_length, 4);
    put_values(w, kind, value, M - (size_t)ends);
    put_masses(w, hmm->initial_cdf, 1, K);
    put_masses(w, hmm->transition_cdf, K, K);
    if (hmm->contexts == NULL) {
        put_masses(w, hmm->emission_cdf, K, M);
        return;
    }
    for (x = 1; x <= M; x++)
        for (i = 0; i < K; i++)
            put(w, hmm->emission_cdf[i * (M + 1) + x], 4);
    put_contexts(w, hmm->contexts);
}

/* What models of levels and of chains begin with. */
static void put_levels(writer *w, size_t levels, const size_t *states,
                       size_t symbols, size_t start_length)
{
    size_t l;

    put(w, levels, 4);
    put(w, symbols, 4);
    put(w, start_length, 4);
    for (l = 0; l < levels; l++)
        put(w, states[l], 4);
}

static void put_factorial(writer *w, const bbans_factorial *m, int kind,
                          const int64_t *value, int ends)
{
    size_t l, all = 1;

    put_levels(w, m->levels, m->states, m->symbols, m->space.start_length);
    put_values(w, kind, value, m->symbols - (size_t)ends);
    for (l = 0; l < m->levels; l++) {
        put_masses(w, m->initial_cdf[l], 1, m->states[l]);
        put_masses(w, m->transition_cdf[l], m->states[l], m->states[l]);
        all *= m->states[l];
    }
    put_masses(w, m->emission_cdf, all, m->symbols);
}

static void put_hierarchy(writer *w, const bbans_hierarchy *m, int kind,
                          const int64_t *value, int ends)
{
    size_t l;

    put_levels(w, m->levels, m->states, m->symbols, m->space.start_length);
    put_values(w, kind, value, m->symbols - (size_t)ends);
    for (l = 0; l < m->levels; l++) {
        const size_t rows = l + 1 < m->levels ? m->states[l + 1] : 1;

        put_masses(w, m->initial_cdf[l], rows, m->states[l]);
        put_masses(w, m->transition_cdf[l], rows * m->states[l], m->states[l]);
    }
    put_masses(w, m->emission_cdf, m->states[0], m->symbols);
}

static void put_lgssm(writer *w, const bbans_lgssm *m)
{
    size_t i;

    put(w, m->latents, 4);
    put(w, m->observed, 4);
    put(w, m->space.start_length, 4);
    put(w, m->space.start_bits, 4);
    put(w, m->steps, 4);
    for (i = 0; i < m->steps * (m->latents + m->observed); i++)
        put(w, (uint64_t)m->offset[i], 8);
    for (i = 0; i < m->steps * m->step_words; i++)
        put(w, (uint32_t)m->word[i], 4);
}

static void put_gaussian_hmm(writer *w, const bbans_gaussian_hmm *m)
{
    const size_t K = m->chain.states, n = m->channels;
    size_t i, j;

    put(w, K, 4);
    put(w, n, 4);
    put(w, m->space.start_length, 4);
    put(w, m->lower != NULL, 4);
    put_masses(w, m->chain.initial_cdf, 1, K);
    put_masses(w, m->chain.transition_cdf, K, K);
    for (i = 0; i < K * n; i++)
        put(w, (uint64_t)m->location[i], 8);
    for (i = 0; i < K * n; i++)
        put(w, (uint32_t)m->scale[i], 4);
    for (i = 0; m->lower != NULL && i < K * n; i++)
        for (j = 0; j <= i % n; j++)
            put(w, (uint32_t)m->lower[i * (1 + n) + j], 4);
}

static void put_latent(writer *w, const bbans_latent_model *m, int order)
{
    size_t i;

    put(w, m->head.width, 4);
    put(w, (uint32_t)m->head.law, 4);
    put(w, (uint32_t)m->head.low, 4);
    put(w, (uint32_t)m->head.high, 4);
    put(w, m->head.components, 4);
    put(w, (uint32_t)m->head.family, 4);
    put(w, m->grid, 4);
    put(w, m->space.start_length, 4);
    put(w, m->space.start_bits, 4);
    put(w, m->start_shift, 4);
    put(w, (uint32_t)order, 4);
    for (i = 0; i < m->networks; i++) {
        const size_t n = (size_t)bbans_network_bytes(m->network + i);

        if (w->at <= w->cap && n <= w->cap - w->at)
            (void)bbans_put_network(w->bytes + w->at, m->network + i);
        w->at += n;
    }
}

static void put_tree(writer *w, const bbans_tree *m)
{
    const uint16_t *row = m->transition;
    size_t i, k, x;

    put(w, m->nodes, 4);
    put(w, m->states, 4);
    put(w, m->columns, 4);
    put(w, m->space.start_length, 4);
    put(w, m->space.start_bits, 4);
    for (k = 0; k < m->columns; k++)
        put(w, m->symbols[k], 4);
    for (i = 0; i < m->nodes; i++)
        put(w, m->parent[i], 4);
    for (i = 0; i < m->nodes; i++)
        put(w, m->column[i], 4);
    for (i = 0; i < 1 + (m->nodes - 1) * m->states; i++, row += m->stride)
        for (k = 0; k < m->states; k++)
            put(w, row[k], 2);
    for (k = 0; k < m->columns; k++)
        for (i = 0; i < m->states; i++)
            for (x = 0; x < m->symbols[k]; x++)
                put(w,
                    bbans_tree_edges(m, k, x + 1)[i] -
                        bbans_tree_edges(m, k, x)[i],
                    4);
}

/* Returns whether the model has as many rows as files need. */
static int put_mixer(writer *w, const bbans_context_mixer *m)
{
    const size_t n = bbans_mixer_bytes_in_file(m);

    if (w->at <= w->cap && n <= w->cap - w->at && n > 0)
        bbans_put_mixer(w->bytes + w->at, m);
    w->at += n;
    return n > 0;
}

/* Whether the alphabet that was written is one, and reads as it was given. */
static int alphabet_was_written(const uint8_t *values, int kind,
                                const int64_t *value, size_t symbols)
{
    size_t k;

    if (value == NULL)
        return alphabet_is_valid(NULL, kind, symbols);
    for (k = 0; k < symbols; k++)
        if (listed(values, kind, k) != value[k])
            return 0;
    return alphabet_is_valid(values, kind, symbols);
}

static int tree_is_of_bytes(const bbans_tree *m)
{
    size_t k;

    for (k = 0; k < m->columns; k++)
        if (m->symbols[k] > UINT8_MAX + 1)
            return 0;
    return 1;
}

static int codes_bytes(const bbans_frozen *frozen, int type)
{
    return is_tree(type)
               ? tree_is_of_bytes(&frozen->tree)
               : has_networks(type) && is_of_bytes(&frozen->vae.base.head);
}

static int kind_is_valid(const bbans_frozen *frozen, int type, int kind,
                         const int64_t *value)
{
    if (is_mixer(type))
        return value == NULL &&
               (kind == BBANS_KIND_BYTES || kind == BBANS_KIND_TEXT);
    if (has_alphabet(type))
        return kind >= BBANS_KIND_INTEGERS && kind <= BBANS_KIND_TEXT;
    return value == NULL &&
           (kind == BBANS_KIND_INTEGERS ||
            (kind == BBANS_KIND_BYTES && codes_bytes(frozen, type)));
}

static size_t symbols_of(const bbans_frozen *frozen, int type)
{
    switch (type) {
    case BBANS_MODEL_HMM: return frozen->hmm.symbols;
    case BBANS_MODEL_HIERARCHY: return frozen->hierarchy.symbols;
    case BBANS_MODEL_FACTORIAL: return frozen->factorial.symbols;
    case BBANS_MODEL_CONTEXT_MIXER: return frozen->context_mixer.symbols;
    default: return 0;
    }
}

static size_t levels_of(const bbans_frozen *frozen, int type)
{
    return is_hierarchy(type)   ? frozen->hierarchy.levels
           : is_factorial(type) ? frozen->factorial.levels
                                : 0;
}

static unsigned detail_of(const bbans_frozen *frozen, int type)
{
    switch (type) {
    case BBANS_MODEL_LGSSM: return (unsigned)frozen->lgssm.noise_family;
    case BBANS_MODEL_VAE: return (unsigned)frozen->vae.levels;
    case BBANS_MODEL_DEEP_SSM: return 0;
    case BBANS_MODEL_HIERARCHY: return frozen->hierarchy.prec;
    case BBANS_MODEL_FACTORIAL: return frozen->factorial.prec;
    case BBANS_MODEL_TREE: return frozen->tree.prec;
    case BBANS_MODEL_GAUSSIAN_HMM: return frozen->gaussian_hmm.chain.prec;
    case BBANS_MODEL_CONTEXT_MIXER: return frozen->context_mixer.prior_bits;
    default: return frozen->hmm.prec;
    }
}

bbans_status bbans_model_write(const bbans_state_space *model, int kind,
                               const int64_t *value, int ends, uint8_t *bytes,
                               size_t cap, size_t *n_bytes)
{
    const bbans_frozen *frozen = (const bbans_frozen *)(const void *)model;
    size_t symbols;
    writer w;
    int type;

    if (model == NULL || bytes == NULL || n_bytes == NULL)
        return BBANS_ERR_NULL;
    *n_bytes = 0;
    type = model->engine == NULL ? 0 : model->engine->type;
    if (type == 0)
        return BBANS_ERR_STATE;
    symbols = symbols_of(frozen, type);
    ends = ends != 0;
    if (!kind_is_valid(frozen, type, kind, value) || (size_t)ends > symbols ||
        (is_mixer(type) && ends != (frozen->context_mixer.end >= 0)))
        return BBANS_ERR_SYMBOL;
    if (type == BBANS_MODEL_HMM && frozen->hmm.contexts != NULL)
        type = BBANS_MODEL_ARHMM;
    w.bytes = bytes;
    w.cap = cap;
    w.at = 0;
    put_bytes(&w, bbans_model_magic, sizeof bbans_model_magic);
    put(&w, MODEL_VERSION, 1);
    put(&w, (uint64_t)type, 1);
    put(&w, model->predictive != 0 || is_mixer(type), 1);
    put(&w, (uint64_t)kind, 1);
    put(&w, detail_of(frozen, type), 1);
    put(&w, value != NULL, 1);
    put(&w, 0, 1); /* the plain form */
    put(&w, (uint64_t)ends, 1);
    if (has_networks(type))
        put_latent(&w, &frozen->vae.base,
                   type == BBANS_MODEL_VAE ? frozen->vae.order : 0);
    else if (is_gaussian(type))
        put_lgssm(&w, &frozen->lgssm);
    else if (is_gaussian_hmm(type))
        put_gaussian_hmm(&w, &frozen->gaussian_hmm);
    else if (is_hierarchy(type))
        put_hierarchy(&w, &frozen->hierarchy, kind, value, ends);
    else if (is_factorial(type))
        put_factorial(&w, &frozen->factorial, kind, value, ends);
    else if (is_tree(type))
        put_tree(&w, &frozen->tree);
    else if (is_mixer(type)) {
        if (!put_mixer(&w, &frozen->context_mixer))
            return BBANS_ERR_SIZE;
    } else
        put_hmm(&w, &frozen->hmm, kind, value, ends);
    *n_bytes = w.at + CHECKSUM_BYTES;
    if (cap < *n_bytes)
        return BBANS_ERR_CAPACITY;
    if (has_alphabet(type) && !is_mixer(type) &&
        !alphabet_was_written(bytes + HMM_HEADER + 4 * levels_of(frozen, type),
                              kind, value, symbols - (size_t)ends))
        return BBANS_ERR_SYMBOL;
    put(&w, bbans_crc32(0, bytes, w.at), CHECKSUM_BYTES);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */
