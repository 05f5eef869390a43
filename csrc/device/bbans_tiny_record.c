/* Records under an autoregressive hidden Markov model for devices: the integers
 * of docs/maths.md, "Emissions that depend on earlier symbols", from the bytes
 * of a model file (docs/format.md, "Model file") where they lie.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_tiny_internal.h"

#define VERSION 3
#define HEADER_BYTES 24
#define CHECKSUM_BYTES 4
#define PREC_MAX 24
#define UNIT_BITS 24 /* of edges: every total is 2^24 */
#define UNIT ((uint32_t)1 << UNIT_BITS)
#define BACK_OFF_ONE 256
#define VALUE_BYTES 8 /* of a listed alphabet */
#define STORED 0xFF
#define SHARE_BITS 9
#define WEIGHT_BITS 31 /* of the sum of predicted weights */
#define LENGTH_BITS_MAX 30
#define LENGTH_MAX (UINT32_MAX / 2 - 1) /* longer records are stored */

/* Where the fields of one byte are. */
enum { TYPE = 5, MODE, KIND, PREC, LISTED, FORM, ENDS };

/* ---- The model ----------------------------------------------------------- */

static uint32_t crc32(const uint8_t *bytes, size_t n)
{
    /* Half a byte at a time. */
    static const uint32_t table[16] = {
        0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
        0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
        0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C};
    uint32_t crc = UINT32_MAX;

    for (; n > 0; n--) {
        crc ^= *bytes++;
        crc = crc >> 4 ^ table[crc & 15];
        crc = crc >> 4 ^ table[crc & 15];
    }
    return ~crc;
}

/* Values that are listed, or bytes that stand for themselves. */
static uint32_t n_values(const bbans_tiny_model *model)
{
    return model->symbols - model->ends;
}

static bbans_status read_header(bbans_tiny_model *model, const uint8_t *file,
                                size_t n)
{
    static const uint8_t magic[4] = {0x89, 'b', 'b', 'm'};
    size_t i;

    for (i = 0; i < sizeof magic && i < n; i++)
        if (file[i] != magic[i])
            return BBANS_ERR_FORMAT;
    if (n < HEADER_BYTES)
        return BBANS_ERR_TRUNCATED;
    if (file[4] != VERSION || file[TYPE] != BBANS_MODEL_ARHMM ||
        file[MODE] > 1 || file[KIND] > BBANS_KIND_TEXT || file[LISTED] > 1 ||
        file[FORM] != 0 || file[ENDS] > 1)
        return BBANS_ERR_VERSION;
    if (load_word(file + 12) < 1 || load_word(file + 12) > BBANS_STATES_MAX ||
        load_word(file + 16) < 1u + file[ENDS] ||
        load_word(file + 16) > UINT16_MAX || file[PREC] < 1 ||
        file[PREC] > PREC_MAX || load_word(file + 20) < 1 ||
        load_word(file + 20) > BBANS_START_MAX)
        return BBANS_ERR_CORRUPT;
    model->states = (uint16_t)load_word(file + 12);
    model->symbols = (uint16_t)load_word(file + 16);
    model->prec = file[PREC];
    model->ends = file[ENDS];
    if (model->states > BBANS_TINY_STATES)
        return BBANS_ERR_SIZE;
    if (file[KIND] == BBANS_KIND_INTEGERS ||
        (file[KIND] == BBANS_KIND_TEXT && file[LISTED]))
        return BBANS_ERR_SYMBOL;
    if (n_values(model) > UINT8_MAX + 1 ||
        (file[KIND] == BBANS_KIND_TEXT && n_values(model) <= UINT8_MAX))
        return BBANS_ERR_CORRUPT;
    return BBANS_OK;
}

/* Where the tables are.  K <= 4096 and M < 2^16 bound those of the states by
 * 2^31 bytes, C and E <= 2^24 those of the contexts by 2^28. */
static bbans_status place_tables(bbans_tiny_model *model, const uint8_t *file,
                                 size_t n)
{
    const size_t K = model->states, M = model->symbols;
    size_t at = HEADER_BYTES, C, E;

    model->values = file[LISTED] ? file + at : NULL;
    at += file[LISTED] ? VALUE_BYTES * (size_t)n_values(model) : 0;
    if (n < at + 4 * K * (1 + K + M) + 8)
        return BBANS_ERR_TRUNCATED;
    model->initial = file + at;
    model->transition = model->initial + 4 * K;
    model->emission = model->transition + 4 * K * K;
    at += 4 * K * (1 + K + M);
    C = load_word(file + at);
    E = load_word(file + at + 4);
    if (C < 1 || C > BBANS_CONTEXTS_MAX || E > BBANS_CONTEXTS_MAX)
        return BBANS_ERR_CORRUPT;
    at += 8;
    if (n - at < 8 * (C + 1) + 2 * C + 4 * E + C)
        return BBANS_ERR_TRUNCATED;
    model->contexts = (uint32_t)C;
    model->entries = (uint32_t)E;
    model->children = file + at;
    model->first = model->children + 4 * (C + 1);
    model->label = model->first + 4 * (C + 1);
    model->symbol = model->label + 2 * C;
    model->sum = model->symbol + 2 * E;
    model->back_off = model->sum + 2 * E;
    at += 8 * (C + 1) + 2 * C + 4 * E + C;
    for (; at % 4 != 0; at++)
        if (at == n || file[at] != 0)
            return at == n ? BBANS_ERR_TRUNCATED : BBANS_ERR_CORRUPT;
    if (n - at < CHECKSUM_BYTES)
        return BBANS_ERR_TRUNCATED;
    return n - at > CHECKSUM_BYTES ? BBANS_ERR_CORRUPT : BBANS_OK;
}

bbans_status bbans_tiny_model_open(bbans_tiny_model *model, const uint8_t *file,
                                   size_t n)
{
    bbans_tiny_model m;
    bbans_status status;

    if (model == NULL || (file == NULL && n > 0))
        return BBANS_ERR_NULL;
    status = read_header(&m, file, n);
    if (status == BBANS_OK)
        status = place_tables(&m, file, n);
    if (status == BBANS_OK)
        *model = m;
    return status;
}

/* Do values of 2 bytes rise, and stay from `least` to below the limit? */
static int rises(const uint8_t *value, uint32_t first, uint32_t end,
                 uint32_t least, uint32_t limit)
{
    for (; first < end; first++) {
        const uint32_t v = load_half(value + 2 * (size_t)first);

        if (v < least || v >= limit)
            return 0;
        least = v + 1;
    }
    return 1;
}

static int masses_are_valid(const bbans_tiny_model *model)
{
    const uint32_t K = model->states, total = (uint32_t)1 << model->prec;
    const uint8_t *mass = model->initial, *edge = model->emission;
    uint32_t row, i, left;

    for (row = 0; row <= K; row++) { /* the initial ones, then transitions */
        for (i = 0, left = total; i < K; i++, mass += 4) {
            if (load_word(mass) < 1 || load_word(mass) > left)
                return 0;
            left -= load_word(mass);
        }
        if (left != 0)
            return 0;
    }
    for (row = 0; row < model->symbols; row++)
        for (i = 0; i < K; i++, edge += 4) {
            const uint32_t below =
                row > 0 ? load_word(edge - 4 * (size_t)K) : 0;

            if (load_word(edge) <= below || load_word(edge) > total ||
                (row + 1 == model->symbols && load_word(edge) != total))
                return 0;
        }
    return 1;
}

static uint32_t child(const bbans_tiny_model *model, uint32_t k)
{
    return load_word(model->children + 4 * (size_t)k);
}

static uint32_t first_entry(const bbans_tiny_model *model, uint32_t k)
{
    return load_word(model->first + 4 * (size_t)k);
}

/* Level by level, at most BBANS_ORDER_MAX of them below context 0: then every
 * context but that one is the child of one, and a walk ends. */
static int is_tree(const bbans_tiny_model *model)
{
    const uint32_t C = model->contexts;
    uint32_t k, level, end = 1;

    if (child(model, 0) != 1 || child(model, C) != C ||
        first_entry(model, 0) != 0 || first_entry(model, 1) != 0 ||
        first_entry(model, C) != model->entries ||
        load_half(model->label) != 0 || model->back_off[0] != BACK_OFF_ONE - 1)
        return 0;
    for (k = 0; k < C; k++)
        if (child(model, k + 1) < child(model, k) || child(model, k + 1) > C ||
            first_entry(model, k + 1) < first_entry(model, k) ||
            first_entry(model, k + 1) > model->entries)
            return 0;
    for (level = 0; end < C; level++) {
        if (level == BBANS_ORDER_MAX || child(model, end) == end)
            return 0;
        end = child(model, end);
    }
    return 1;
}

static int contexts_are_valid(const bbans_tiny_model *model)
{
    uint32_t k;

    for (k = 0; k < model->contexts; k++) {
        const uint32_t first = first_entry(model, k);
        const uint32_t end = first_entry(model, k + 1);

        if ((first == end) != (model->back_off[k] == BACK_OFF_ONE - 1) ||
            !rises(model->symbol, first, end, 0, model->symbols) ||
            !rises(model->sum, first, end, 1, UINT16_MAX + 1) ||
            !rises(model->label, child(model, k), child(model, k + 1), 0,
                   model->symbols + 1))
            return 0;
    }
    return 1;
}

/* Listed bytes rise: 8 bytes each, of which the upper 7 are 0. */
static int values_are_valid(const bbans_tiny_model *model)
{
    const uint8_t *value = model->values;
    uint32_t k, i;

    for (k = 0; value != NULL && k < n_values(model); k++, value += VALUE_BYTES)
        for (i = 0; i < VALUE_BYTES; i++)
            if (i > 0 ? value[i] != 0
                      : k > 0 && value[0] <= value[-VALUE_BYTES])
                return 0;
    return 1;
}

bbans_status bbans_tiny_model_init(bbans_tiny_model *model, const uint8_t *file,
                                   size_t n)
{
    bbans_tiny_model m;
    bbans_status status;

    if (model == NULL)
        return BBANS_ERR_NULL;
    status = bbans_tiny_model_open(&m, file, n);
    if (status != BBANS_OK)
        return status;
    if (crc32(file, n - CHECKSUM_BYTES) !=
            load_word(file + n - CHECKSUM_BYTES) ||
        !values_are_valid(&m) || !masses_are_valid(&m) || !is_tree(&m) ||
        !contexts_are_valid(&m))
        return BBANS_ERR_CORRUPT;
    *model = m;
    return BBANS_OK;
}

/* ---- Where a record is --------------------------------------------------- */

/* A context of the next symbol. */
typedef struct {
    uint32_t first;
    uint16_t entries; /* they rise, so there are at most 65535 */
    uint16_t sum;     /* of their weights, G                   */
    uint16_t back_off;
} context;

/* What the symbols so far say of the next one.  Predicted weights are those of
 * the library times a power of two, so that their sum is from 2^30 on and below
 * 2^31: quotients by it, and what the filter makes of them, are the same. */
typedef struct {
    const bbans_tiny_model *model;
    uint32_t predicted[BBANS_TINY_STATES], filtered[BBANS_TINY_STATES];
    uint32_t total; /* of the predicted weights */
    size_t t;
    unsigned depth;
    context path[BBANS_ORDER_MAX];     /* from the shortest to the longest   */
    uint16_t history[BBANS_ORDER_MAX]; /* x_t at t mod 16, the last 16       */
} place;

static void normalise(place *at)
{
    const uint32_t K = at->model->states;
    uint32_t sum = 0, i;
    unsigned shift;

    for (i = 0; i < K; i++)
        sum += at->predicted[i];
    shift = WEIGHT_BITS - bit_length(sum);
    for (i = 0; i < K; i++)
        at->predicted[i] <<= shift;
    at->total = sum << shift;
}

/* How many of n rising values of 2 bytes are below v. */
static uint32_t count_below(const uint8_t *value, uint32_t n, uint32_t v)
{
    uint32_t lo = 0;

    while (n > lo) {
        const uint32_t mid = lo + (n - lo) / 2;

        if (load_half(value + 2 * (size_t)mid) < v)
            lo = mid + 1;
        else
            n = mid;
    }
    return lo;
}

static void enter(place *at, uint32_t k)
{
    const bbans_tiny_model *model = at->model;
    context *c = &at->path[at->depth++];
    const uint32_t end = first_entry(model, k + 1);

    c->first = first_entry(model, k);
    c->entries = (uint16_t)(end - c->first);
    c->back_off = (uint16_t)(model->back_off[k] + 1u);
    c->sum = c->entries == 0
                 ? 1
                 : (uint16_t)load_half(model->sum + 2 * (size_t)(end - 1));
}

/* The contexts of the next symbol. */
static void walk(place *at)
{
    const bbans_tiny_model *model = at->model;
    uint32_t k = 0, n = 0;

    for (at->depth = 0; at->depth < BBANS_ORDER_MAX && n <= at->t; n++) {
        const uint32_t first = child(model, k);
        const uint32_t count = child(model, k + 1) - first;
        const uint8_t *label = model->label + 2 * (size_t)first;
        const uint32_t wanted =
            n < at->t ? at->history[(at->t - 1 - n) % BBANS_ORDER_MAX]
                      : model->symbols;
        const uint32_t i = count_below(label, count, wanted);

        if (i == count || load_half(label + 2 * (size_t)i) != wanted)
            return;
        k = first + i;
        enter(at, k);
    }
}

static void start(place *at, const bbans_tiny_model *model)
{
    uint32_t i;

    at->model = model;
    at->t = 0;
    for (i = 0; i < model->states; i++)
        at->predicted[i] = load_word(model->initial + 4 * (size_t)i);
    normalise(at);
    walk(at);
}

/* W of the first i entries: floor(room G_i / G) with room < 2^16. */
static uint32_t weight_below(const bbans_tiny_model *model, const context *c,
                             uint32_t i)
{
    const uint32_t room = (uint32_t)(BACK_OFF_ONE - c->back_off) << 8;

    if (i == 0)
        return 0;
    return room * load_half(model->sum + 2 * (size_t)(c->first + i - 1)) /
           c->sum;
}

static uint32_t entries_below(const bbans_tiny_model *model, const context *c,
                              uint32_t x)
{
    return count_below(model->symbol + 2 * (size_t)c->first, c->entries, x);
}

static uint32_t symbol_of(const bbans_tiny_model *model, const context *c,
                          uint32_t i)
{
    return load_half(model->symbol + 2 * (size_t)(c->first + i));
}

/* C_i,x for all states, 4 bytes each, x > 0 */
static const uint8_t *emission_edges(const bbans_tiny_model *model, uint32_t x)
{
    return model->emission + 4 * (size_t)(x - 1) * model->states;
}

/* 12 bits of a quotient: floor((rest 2^12 + bits) / d) for rest < d and 2^30 <=
 * d < 2^31; rest becomes the remainder.  The first estimate is at most 1 too
 * small: its divisor is too large by less than 2^-15 of it, and what rest >> 3
 * leaves out is at most 2^-15 of a unit. */
static uint32_t digit(uint32_t *rest, uint32_t bits, uint32_t d)
{
    uint32_t q = (*rest >> 3) / ((d >> 15) + 1);

    *rest = (*rest << 12 | bits) - q * d; /* below 2 d < 2^32 */
    if (*rest >= d) {
        *rest -= d;
        q++;
    }
    return q;
}

/* floor(sum_i p_i C_i,x / sum_i p_i), 0 < x < M: the sum is below 2^31 2^24,
 * the quotient below 2^24. */
static uint32_t predictive_edge(const place *at, uint32_t x)
{
    const uint8_t *edge = emission_edges(at->model, x);
    uint64_t sum = 0;
    uint32_t i, rest, high;

    for (i = 0; i < at->model->states; i++, edge += 4)
        sum += (uint64_t)at->predicted[i] * load_word(edge);
    rest = (uint32_t)(shifted(sum, UNIT_BITS));
    high = digit(&rest, (uint32_t)sum >> 12 & 0xFFF, at->total);
    return high << 12 | digit(&rest, (uint32_t)sum & 0xFFF, at->total);
}

/* E(x).  e < 2^24 and b <= 2^8: products are below 2^32, and 2^48. */
static uint32_t edge_of(const place *at, uint32_t x)
{
    const bbans_tiny_model *model = at->model;
    uint32_t e, k;

    if (x == 0)
        return 0;
    if (x == model->symbols)
        return UNIT;
    e = predictive_edge(at, x) << (UNIT_BITS - model->prec);
    for (k = 0; k < at->depth; k++) {
        const context *c = at->path + k;

        e = (e * c->back_off >> 8) +
            (weight_below(model, c, entries_below(model, c, x)) << 8);
    }
    return x +
           (uint32_t)shifted((uint64_t)e * (UNIT - model->symbols), UNIT_BITS);
}

/* What the contexts give to x, and in *beta what they leave to the state. */
static uint32_t context_mass(const place *at, uint32_t x, uint32_t *beta)
{
    const bbans_tiny_model *model = at->model;
    uint32_t mass = 0, k;

    *beta = UNIT;
    for (k = 0; k < at->depth; k++) {
        const context *c = at->path + k;
        const uint32_t i = entries_below(model, c, x);

        if (c->back_off == BACK_OFF_ONE) /* it has no entries */
            continue;
        mass = mass * c->back_off >> 8;
        *beta = *beta * c->back_off >> 8;
        if (i < c->entries && symbol_of(model, c, i) == x)
            mass += (weight_below(model, c, i + 1) - weight_below(model, c, i))
                    << 8;
    }
    return mass;
}

/* W = fit(p_i mass_i, 32): p < 2^31 and mass <= 2^24 + 1, and the sum is from
 * 2^30 on, since each mass is at least 1. */
static void weigh(place *at, uint32_t x)
{
    const bbans_tiny_model *model = at->model;
    const size_t K = model->states;
    const uint8_t *edge = emission_edges(model, x + 1);
    uint64_t sum = 0;
    uint32_t i, beta;
    const uint32_t mass = 1 + context_mass(at, x, &beta);
    int right;

    for (i = 0; i < K; i++, edge += 4) {
        const uint32_t width =
            load_word(edge) - (x > 0 ? load_word(edge - 4 * K) : 0);

        at->filtered[i] =
            mass + (uint32_t)shifted((uint64_t)beta * width, model->prec);
        sum += (uint64_t)at->predicted[i] * at->filtered[i];
    }
    right = (int)bit_length(sum) - FILTER_BITS;
    for (i = 0; i < K; i++)
        at->filtered[i] =
            scaled((uint64_t)at->predicted[i] * at->filtered[i], right);
}

/* p_j = sum_i m_i Ah_ij */
static void predict(place *at)
{
    const bbans_tiny_model *model = at->model;
    const uint32_t K = model->states;
    const unsigned left = model->prec < 15 ? 15u - model->prec : 0;
    const unsigned right = model->prec > 15 ? model->prec - 15u : 0;
    const uint32_t half = ((uint32_t)1 << right) >> 1;
    const uint8_t *mass = model->transition;
    uint32_t i, j;

    for (j = 0; j < K; j++)
        at->predicted[j] = 0;
    for (i = 0; i < K; i++) {
        uint32_t m = ((at->filtered[i] >> 16) + 1) >> 1;

        if (m > SHORT_MAX)
            m = SHORT_MAX;
        if (m == 0) { /* of most states, often */
            mass += 4 * (size_t)K;
            continue;
        }
        for (j = 0; j < K; j++, mass += 4) {
            const uint32_t a = ((load_word(mass) << left) + half) >> right;

            at->predicted[j] += m * (a < SHORT_MAX ? a : SHORT_MAX);
        }
    }
}

/* One step of "The frozen HMM", and the contexts of the symbol after x. */
static void filter(place *at, uint32_t x)
{
    const uint32_t K = at->model->states, least = floor_of(K);
    uint32_t i;

    weigh(at, x);
    predict(at);
    for (i = 0; i < K; i++)
        if (at->predicted[i] < least)
            at->predicted[i] = least;
    normalise(at);
    at->history[at->t++ % BBANS_ORDER_MAX] = (uint16_t)x;
    walk(at);
}

/* ---- Decoding ------------------------------------------------------------ */

/* "The range coder" from bytes: code = F - L in units of 2^-k, and k = 8 read +
 * 7. */
typedef struct {
    const uint8_t *bytes;
    size_t n_bytes, read;
    uint64_t code, range;
} decoder;

static uint32_t byte_at(const decoder *dec, size_t i)
{
    return i < dec->n_bytes ? dec->bytes[i] : 0;
}

static void start_decoder(decoder *dec, const uint8_t *bytes, size_t n)
{
    dec->bytes = bytes;
    dec->n_bytes = n;
    dec->code = 0;
    for (dec->read = 0; dec->read < 7; dec->read++)
        dec->code = dec->code << 8 | byte_at(dec, dec->read);
    dec->code = dec->code << 7 | byte_at(dec, dec->read) >> 1;
    dec->range = WINDOW - RANGE_MIN; /* 255 of 256: the first byte is below */
}

/* code is in [unit start, unit end). */
static void advance(decoder *dec, uint64_t unit, uint32_t first, uint32_t end)
{
    dec->code -= unit * first;
    dec->range = unit * (end - first);
    while (dec->range < RANGE_MIN) {
        dec->code = dec->code << 8 | (byte_at(dec, dec->read) & 1) << 7 |
                    byte_at(dec, dec->read + 1) >> 1;
        dec->range <<= 8;
        dec->read++;
    }
}

/* The interval of one of 2^bits values, or what is never coded. */
static bbans_status decode_bits(decoder *dec, unsigned bits, uint32_t *value)
{
    const uint64_t unit = shifted(dec->range, bits);
    const uint32_t total = (uint32_t)1 << bits;

    if (dec->code >= unit * total)
        return BBANS_ERR_CORRUPT;
    for (*value = 0; dec->code >= unit * (*value + 1); ++*value)
        ;
    advance(dec, unit, *value, *value + 1);
    return BBANS_OK;
}

/* A search for x with E(x) <= code / unit < E(x + 1): so far first = E(lo) <=
 * code / unit < E(hi) = end. */
typedef struct {
    const place *at;
    uint64_t code, unit;
    uint32_t share; /* of the code in the range, about, in 2^-SHARE_BITS */
    uint32_t lo, hi, first, end;
} search;

/* For x in (lo, hi): is the symbol below x?  One end of the search becomes x.
 */
static int is_below(search *s, uint32_t x)
{
    const uint32_t edge = edge_of(s->at, x);

    if (s->code < s->unit * edge) {
        s->hi = x;
        s->end = edge;
        return 1;
    }
    s->lo = x;
    s->first = edge;
    return 0;
}

/* Look among the symbols of a context: first where the code is among its
 * weights, since those of a long one have nearly all of the probability, then
 * halving them. */
static void search_entries(search *s, const context *c)
{
    const uint8_t *sum = s->at->model->sum + 2 * (size_t)c->first;
    uint32_t lo = 0, hi = c->entries;
    uint32_t mid = count_below(sum, hi, (s->share * c->sum >> SHARE_BITS) + 1);

    while (lo < hi && s->hi - s->lo > 1) {
        uint32_t x;

        if (mid < lo || mid >= hi)
            mid = lo + (hi - lo) / 2;
        x = symbol_of(s->at->model, c, mid);
        if (x >= s->hi || (x > s->lo && is_below(s, x)))
            hi = mid;
        else
            lo = mid + 1;
        if (x == s->lo && s->hi - s->lo > 1)
            (void)is_below(s, x + 1);
        mid = hi;
    }
}

static bbans_status decode_symbol(decoder *dec, const place *at,
                                  uint32_t *symbol)
{
    const uint64_t unit = shifted(dec->range, UNIT_BITS);
    search s;
    uint32_t k;

    s.at = at;
    s.code = dec->code;
    s.unit = unit;
    s.share = ((uint32_t)(dec->code >> 40) << SHARE_BITS) /
              (uint32_t)(dec->range >> 40); /* code < range < 2^63 */
    s.lo = s.first = 0;
    s.hi = at->model->symbols;
    s.end = UNIT;
    if (s.code >= unit * UNIT)
        return BBANS_ERR_CORRUPT;
    for (k = at->depth; k-- > 0;)
        search_entries(&s, at->path + k);
    while (s.hi - s.lo > 1)
        (void)is_below(&s, s.lo + (s.hi - s.lo) / 2);
    advance(dec, unit, s.first, s.end);
    *symbol = s.lo;
    return BBANS_OK;
}

/* Is the fraction the one that an encoder writes for n bytes?  Its last byte is
 * not 0; its last 1 is `past` bits before what was read. */
static bbans_status check_end(const decoder *dec, size_t n)
{
    uint32_t last = dec->n_bytes > 0 ? dec->bytes[dec->n_bytes - 1] : 1;
    uint64_t step = 1;
    int past;

    if (dec->n_bytes > n + 1 || dec->read > n + 8) /* that would be stored */
        return BBANS_ERR_CORRUPT;
    if (dec->read >= dec->n_bytes + 8) /* past >= 63 */
        return BBANS_OK;
    if (dec->n_bytes > dec->read + 1)
        return BBANS_ERR_CORRUPT;
    past = 8 * (int)(dec->read + 1 - dec->n_bytes) - 1;
    for (; (last & 1) == 0; last >>= 1)
        past++;
    if (past < 0)
        return BBANS_ERR_CORRUPT;
    if (past >= WINDOW_BITS)
        return BBANS_OK;
    while (past-- > 0)
        step <<= 1;
    return dec->code < step && step >= dec->range - dec->code
               ? BBANS_OK
               : BBANS_ERR_CORRUPT;
}

/* The number of symbols, as Elias gamma of one more. */
static bbans_status decode_length(decoder *dec, uint32_t *length)
{
    uint32_t v = 1, bit = 0;
    unsigned bits = 0, i;

    for (;;) {
        if (decode_bits(dec, 1, &bit) != BBANS_OK)
            return BBANS_ERR_CORRUPT;
        if (bit == 1)
            break;
        if (++bits > LENGTH_BITS_MAX)
            return BBANS_ERR_CORRUPT;
    }
    for (i = 0; i < bits; i++) {
        if (decode_bits(dec, 1, &bit) != BBANS_OK)
            return BBANS_ERR_CORRUPT;
        v = v << 1 | bit;
    }
    *length = v - 1;
    return BBANS_OK;
}

static uint8_t value_of(const bbans_tiny_model *model, uint32_t symbol)
{
    return model->values == NULL ? (uint8_t)symbol
                                 : model->values[VALUE_BYTES * (size_t)symbol];
}

static bbans_status decode_stored(const uint8_t *bytes, size_t n_bytes,
                                  uint8_t *record, size_t cap, size_t *n)
{
    size_t i;

    *n = n_bytes - 1;
    if (*n > cap)
        return BBANS_ERR_CAPACITY;
    for (i = 0; i < *n; i++)
        record[i] = bytes[1 + i];
    return BBANS_OK;
}

bbans_status bbans_tiny_record_decode(const bbans_tiny_model *model,
                                      const uint8_t *bytes, size_t n_bytes,
                                      uint8_t *record, size_t cap, size_t *n)
{
    place at;
    decoder dec;
    bbans_status status = BBANS_OK;
    uint32_t length = LENGTH_MAX, symbol = 0;

    if (model == NULL || (bytes == NULL && n_bytes > 0) ||
        (record == NULL && cap > 0) || n == NULL)
        return BBANS_ERR_NULL;
    *n = 0;
    if (n_bytes > 0 && bytes[0] == STORED)
        return decode_stored(bytes, n_bytes, record, cap, n);
    if (n_bytes > 0 && bytes[n_bytes - 1] == 0)
        return BBANS_ERR_CORRUPT;
    start_decoder(&dec, bytes, n_bytes);
    if (!model->ends)
        status = decode_length(&dec, &length);
    start(&at, model);
    while (status == BBANS_OK && (model->ends || at.t < length)) {
        if (!model->ends && length > cap) {
            *n = length;
            return BBANS_ERR_CAPACITY;
        }
        status = decode_symbol(&dec, &at, &symbol);
        if (status != BBANS_OK || symbol == n_values(model))
            break;
        if (at.t == cap) {
            *n = cap + 1;
            return BBANS_ERR_CAPACITY;
        }
        record[at.t] = value_of(model, symbol);
        filter(&at, symbol);
    }
    if (status == BBANS_OK)
        status = check_end(&dec, at.t);
    if (status == BBANS_OK)
        *n = at.t;
    return status;
}

/* ---- Encoding ------------------------------------------------------------ */

#ifndef BBANS_DECODER_ONLY

/* The interval [L, L + R) 2^-k of "The range coder", k = 63 + 8 len: the bytes
 * so far hold the leading 8 len bits of L, `low` its last 63.  A record that
 * asks for more than `room` bytes on the way is stored. */
typedef struct {
    uint8_t *bytes;
    size_t len, room;
    uint64_t low, range;
} encoder;

/* L < 1 always, so a carry stops inside the bytes. */
static void carry(encoder *enc)
{
    size_t i = enc->len;

    while (++enc->bytes[--i] == 0)
        ;
}

/* [first, end) of 2^bits; returns whether there was room. */
static int encode_interval(encoder *enc, uint32_t first, uint32_t end,
                           unsigned bits)
{
    const uint64_t unit = shifted(enc->range, bits);

    enc->low += unit * first;
    enc->range = unit * (end - first);
    if (enc->low >= WINDOW) {
        carry(enc);
        enc->low -= WINDOW;
    }
    for (; enc->range < RANGE_MIN; enc->range <<= 8) {
        if (enc->len == enc->room)
            return 0;
        enc->bytes[enc->len++] = (uint8_t)(enc->low >> (WINDOW_BITS - 8));
        enc->low = enc->low << 8 & (WINDOW - 1);
    }
    return 1;
}

/* Write the shortest fraction in the interval; returns whether there was room.
 */
static int finish(encoder *enc, size_t *n_bytes)
{
    uint64_t mask = WINDOW - 1, value;
    size_t i, n;
    unsigned bits = 0; /* of the fraction behind the bytes */

    for (;; bits++, mask >>= 1) {
        value = (enc->low + mask) & ~mask;
        if (value - enc->low < enc->range)
            break;
    }
    if (value == WINDOW) /* a multiple of it, so bits = 0 */
        carry(enc);
    n = enc->len + (bits + 7) / 8;
    if (n > enc->room)
        return 0;
    for (i = enc->len, value <<= 1; i < n; i++, value <<= 8)
        enc->bytes[i] = (uint8_t)(value >> 56);
    while (n > 0 && enc->bytes[n - 1] == 0)
        n--;
    *n_bytes = n;
    return 1;
}

static int encode_length(encoder *enc, uint32_t length)
{
    const uint32_t v = length + 1;
    unsigned left = 2 * bit_length(v) - 1; /* the zeros before v are of it */
    int ok = 1;

    while (ok && left-- > 0) {
        const uint32_t bit = left < 32 ? v >> left & 1 : 0;

        ok = encode_interval(enc, bit, bit + 1, 1);
    }
    return ok;
}

/* The symbol of a byte; n_values: none. */
static uint32_t symbol_for(const bbans_tiny_model *model, uint8_t byte)
{
    uint32_t lo = 0, hi = n_values(model);

    if (model->values == NULL)
        return byte < hi ? byte : hi;
    while (hi > lo) {
        const uint32_t mid = lo + (hi - lo) / 2;

        if (value_of(model, mid) < byte)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < n_values(model) && value_of(model, lo) == byte
               ? lo
               : n_values(model);
}

static int encode_symbol(encoder *enc, const place *at, uint32_t x)
{
    return encode_interval(enc, edge_of(at, x), edge_of(at, x + 1), UNIT_BITS);
}

/* Returns whether the record has a code that fits. */
static int encode_coded(const bbans_tiny_model *model, const uint8_t *record,
                        size_t n, encoder *enc, size_t *n_bytes)
{
    place at;
    size_t i;
    int ok = n <= LENGTH_MAX;

    enc->len = 0;
    enc->low = 0;
    enc->range = WINDOW - RANGE_MIN; /* 255 of 256 */
    if (ok && !model->ends)
        ok = encode_length(enc, (uint32_t)n);
    start(&at, model);
    for (i = 0; ok && i < n; i++) {
        const uint32_t x = symbol_for(model, record[i]);

        ok = x < n_values(model) && encode_symbol(enc, &at, x);
        if (ok)
            filter(&at, x);
    }
    if (ok && model->ends)
        ok = encode_symbol(enc, &at, n_values(model));
    return ok && finish(enc, n_bytes);
}

bbans_status bbans_tiny_record_encode(const bbans_tiny_model *model,
                                      const uint8_t *record, size_t n,
                                      uint8_t *bytes, size_t cap,
                                      size_t *n_bytes)
{
    encoder enc;
    size_t i;

    if (model == NULL || (record == NULL && n > 0) || bytes == NULL ||
        n_bytes == NULL)
        return BBANS_ERR_NULL;
    if (cap <= n)
        return BBANS_ERR_CAPACITY;
    enc.bytes = bytes;
    enc.room = n + 1;
    if (encode_coded(model, record, n, &enc, n_bytes))
        return BBANS_OK;
    bytes[0] = STORED;
    for (i = 0; i < n; i++)
        bytes[1 + i] = record[i];
    *n_bytes = n + 1;
    return BBANS_OK;
}
#endif
