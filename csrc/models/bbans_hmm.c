/* Frozen hidden Markov models: docs/maths.md, "The frozen HMM" and
 * "The predictive distribution".
 *
 * Why the weights can never be all zero: every predicted weight is a mass of at
 * least 1 or floored at 2^6 or more, and every emission and transition mass is
 * at least 1, so each sum of products that is scaled below is positive,
 * whatever the symbol.
 *
 * SPDX-License-Identifier: MIT */
#include "../bbans_internal.h"

/* Elements of the arrays of a model, in words: those over states come first. */
static uint64_t words_over_states(uint64_t states, uint64_t symbols)
{
    const uint64_t stride = bbans_states_stride((size_t)states);

    return stride * (stride + 1 + states + symbols + symbols + 1) +
           stride * (symbols + BBANS_ROWS_AFTER) / 2;
}

static uint64_t words_of_cdfs(uint64_t states, uint64_t symbols)
{
    return states + 1 + states * (states + 1) + states * (symbols + 1);
}

size_t bbans_hmm_bytes(size_t states, size_t symbols)
{
    uint64_t bytes;

    if (states < 1 || states > BBANS_STATES_MAX || symbols < 1 ||
        symbols > BBANS_SYMBOLS_MAX)
        return 0;
    bytes = 4 * words_over_states(states, symbols) +
            4 * words_of_cdfs(states, symbols) + (BBANS_ALIGNMENT - 1);
    return bytes > SIZE_MAX ? 0 : (size_t)bytes;
}

/* At the end of the CDFs: these have one word more than masses in each row, and
 * so, written row after row, never pass the masses that are still to be read.
 */
uint32_t *bbans_hmm_masses(void *memory, size_t states, size_t symbols)
{
    return (uint32_t *)bbans_align(memory) +
           words_over_states(states, symbols) + (1 + 2 * states);
}

int bbans_rows_are_complete(const uint32_t *mass, size_t rows, size_t columns,
                            unsigned prec)
{
    size_t i, k;

    for (i = 0; i < rows; i++) {
        uint64_t sum = 0;

        for (k = 0; k < columns; k++) {
            if (mass[i * columns + k] == 0)
                return 0;
            sum += mass[i * columns + k];
        }
        if (sum != (uint64_t)1 << prec)
            return 0;
    }
    return 1;
}

uint32_t *bbans_put_cdf(uint32_t *out, const uint32_t *mass, size_t rows,
                        size_t columns)
{
    size_t i, k;

    for (i = 0; i < rows; i++) {
        *out++ = 0;
        for (k = 0; k < columns; k++, out++)
            *out = out[-1] + *mass++;
    }
    return out;
}

uint32_t *bbans_put_transposed(uint32_t *out, const uint32_t *mass, size_t rows,
                               size_t columns, size_t stride)
{
    size_t i, k;

    for (k = 0; k < columns; k++, out += stride) {
        for (i = 0; i < rows; i++)
            out[i] = mass[i * columns + k];
        for (; i < stride; i++)
            out[i] = 0;
    }
    return out;
}

uint32_t *bbans_put_sums(uint32_t *out, const uint32_t *mass, size_t columns,
                         size_t stride)
{
    size_t i;

    memset(out, 0, stride * sizeof *out);
    for (i = 0; i < columns * stride; i++)
        out[stride + i] = out[i] + mass[i];
    return out + (columns + 1) * stride;
}

/* A block costs about four times as much here as among all of them. */
#define SPARSE_SHARE 4

/* Whether masses of two states in eight columns are not all 0 at 15 bits. */
static int has_block(const uint32_t *transition, size_t states, unsigned prec,
                     size_t pair, size_t b)
{
    const size_t end = 8 * b + 8 < states ? 8 * b + 8 : states;
    size_t i, j;

    for (i = 2 * pair; i < 2 * pair + 2 && i < states; i++)
        for (j = 8 * b; j < end; j++)
            if (bbans_to_15_bits(transition[i * states + j], prec) != 0)
                return 1;
    return 0;
}

static void put_block(int16_t *mass, const uint32_t *transition, size_t states,
                      unsigned prec, size_t pair, size_t b)
{
    size_t i, j;

    for (i = 0; i < 2; i++)
        for (j = 0; j < 8; j++)
            mass[2 * j + i] =
                2 * pair + i < states && 8 * b + j < states
                    ? (int16_t)bbans_to_15_bits(
                          transition[(2 * pair + i) * states + 8 * b + j], prec)
                    : 0;
}

/* The sparse form, in the place of the others, which are four times as large;
 * returns whether it is less work.  Rows are read in turn: the matrix may be
 * larger than caches. */
static int put_sparse(bbans_hmm *hmm, const uint32_t *transition, void *memory)
{
    const size_t states = hmm->states, columns = hmm->stride / 8;
    const size_t pairs = (states + 1) / 2;
    const size_t most = pairs * ((states + 7) / 8) / SPARSE_SHARE;
    uint32_t *first = (uint32_t *)memory;
    int16_t *mass = (int16_t *)(first + columns + 1);
    uint16_t *pair_of = (uint16_t *)(mass + 16 * most);
    size_t pair, b, blocks = 0;

    /* first[b + 1] counts those of b, then is where the next one of b goes. */
    memset(first, 0, (columns + 1) * sizeof *first);
    for (pair = 0; pair < pairs && blocks <= most; pair++)
        for (b = 0; b < columns; b++)
            if (has_block(transition, states, hmm->prec, pair, b)) {
                first[b + 1]++;
                blocks++;
            }
    if (blocks > most)
        return 0;
    for (b = columns; b > 0; b--) {
        blocks -= first[b];
        first[b] = (uint32_t)blocks;
    }
    for (pair = 0; pair < pairs; pair++)
        for (b = 0; b < columns; b++)
            if (has_block(transition, states, hmm->prec, pair, b)) {
                const size_t place = first[b + 1]++;

                pair_of[place] = (uint16_t)pair;
                put_block(mass + 16 * place, transition, states, hmm->prec,
                          pair, b);
            }
    hmm->sparse.first = first;
    hmm->sparse.mass = mass;
    hmm->sparse.pair = pair_of;
    return 1;
}

/* Tiles of pairs and columns of the masses at 15 bits. */
static void put_short(bbans_hmm *hmm, const uint32_t *transition, void *memory)
{
    const size_t states = hmm->states, stride = hmm->stride;
    int16_t *pairs = (int16_t *)memory, *columns = pairs + stride * stride;
    size_t i, j;

    for (i = 0; i < stride; i++)
        for (j = 0; j < stride; j++)
            pairs[bbans_tile_row(stride, j - j % BBANS_TILE, i / 2) +
                  2 * (j % BBANS_TILE) + i % 2] = columns[j * stride + i] =
                i < states && j < states
                    ? (int16_t)bbans_to_15_bits(transition[i * states + j],
                                                hmm->prec)
                    : 0;
    hmm->short_pairs = pairs;
    hmm->short_columns = columns;
}

bbans_status bbans_hmm_fill(bbans_hmm *hmm, size_t states, size_t symbols,
                            unsigned prec, size_t start_length,
                            const uint32_t *initial, const uint32_t *transition,
                            const uint32_t *emission, void *memory,
                            size_t memory_bytes)
{
    const size_t stride = bbans_states_stride(states);
    int16_t *sums;
    size_t i;
    uint32_t *word;

    if (hmm == NULL || initial == NULL || transition == NULL ||
        emission == NULL || memory == NULL)
        return BBANS_ERR_NULL;
    if (prec < 1 || prec > BBANS_PREC_MAX)
        return BBANS_ERR_PRECISION;
    if (bbans_hmm_bytes(states, symbols) == 0 || start_length < 1 ||
        start_length > BBANS_START_MAX)
        return BBANS_ERR_SIZE;
    if (memory_bytes < bbans_hmm_bytes(states, symbols))
        return BBANS_ERR_CAPACITY;
    if (!bbans_rows_are_complete(initial, 1, states, prec) ||
        !bbans_rows_are_complete(transition, states, states, prec) ||
        !bbans_rows_are_complete(emission, states, symbols, prec))
        return BBANS_ERR_TABLE;

    hmm->contexts = NULL;
    hmm->states = states;
    hmm->symbols = symbols;
    hmm->stride = stride;
    hmm->prec = prec;
    hmm->floor = bbans_states_floor(states);
    /* First the arrays over states: their rows are whole cache lines. */
    memory = bbans_align(memory);
    hmm->short_pairs = hmm->short_columns = NULL;
    memset(&hmm->sparse, 0, sizeof hmm->sparse);
    if (!put_sparse(hmm, transition, memory))
        put_short(hmm, transition, memory);
    hmm->short_sums = sums = (int16_t *)memory + 2 * stride * stride;
    hmm->initial = word = (uint32_t *)memory + stride * stride +
                          stride * (symbols + BBANS_ROWS_AFTER) / 2;
    hmm->into = word = bbans_put_transposed(word, initial, states, 1, stride);
    hmm->emitting = word =
        bbans_put_transposed(word, transition, states, states, stride);
    hmm->emission_sums = word =
        bbans_put_transposed(word, emission, states, symbols, stride);
    hmm->initial_cdf = word =
        bbans_put_sums(word, hmm->emitting, symbols, stride);
    for (i = 0; i < (symbols + BBANS_ROWS_AFTER) * stride; i++)
        sums[i] = i / stride > symbols
                      ? sums[i - stride]
                      : (int16_t)bbans_to_15_bits(hmm->emission_sums[i], prec);
    /* Last, and in the order of the masses: see bbans_hmm_masses. */
    hmm->transition_cdf = word = bbans_put_cdf(word, initial, 1, states);
    hmm->emission_cdf = word = bbans_put_cdf(word, transition, states, states);
    (void)bbans_put_cdf(word, emission, states, symbols);
    hmm->space.predictive = 0;
    hmm->space.start_length = start_length;
    return BBANS_OK;
}

bbans_status bbans_hmm_filter(const bbans_hmm *hmm, uint32_t *predicted,
                              const uint32_t *symbol, size_t n,
                              uint32_t *filtered)
{
    size_t t;

    if (hmm == NULL || predicted == NULL ||
        ((symbol == NULL || filtered == NULL) && n > 0))
        return BBANS_ERR_NULL;
    for (t = 0; t < n; t++)
        if (symbol[t] >= hmm->symbols)
            return BBANS_ERR_SYMBOL;
    for (t = 0; t < n; t++)
        bbans_hmm_step(hmm, bbans_emitting(hmm, symbol[t]), predicted,
                       filtered + t * hmm->stride);
    return BBANS_OK;
}

bbans_status bbans_hmm_filter_masses(const bbans_hmm *hmm,
                                     const uint32_t *emitting,
                                     uint32_t *predicted, uint32_t *filtered)
{
    if (hmm == NULL || emitting == NULL || predicted == NULL ||
        filtered == NULL)
        return BBANS_ERR_NULL;
    bbans_hmm_step(hmm, emitting, predicted, filtered);
    return BBANS_OK;
}

bbans_status bbans_hmm_posterior(const bbans_hmm *hmm, const uint32_t *filtered,
                                 size_t next, uint32_t *edge)
{
    if (hmm == NULL || filtered == NULL || edge == NULL)
        return BBANS_ERR_NULL;
    if (next > hmm->states)
        return BBANS_ERR_SYMBOL;
    (void)bbans_kernel.hmm->posterior(filtered, bbans_into(hmm, next),
                                      hmm->stride, edge);
    return BBANS_OK;
}

uint64_t bbans_predicted_sum(const uint32_t *predicted, size_t states)
{
    uint64_t sum = 0;
    size_t i;

    for (i = 0; i < states; i++)
        sum += predicted[i];
    return sum;
}

bbans_status bbans_hmm_predict(const bbans_hmm *hmm, const uint32_t *predicted,
                               size_t symbol, uint32_t *start, uint32_t *freq)
{
    uint64_t sum;

    if (hmm == NULL || predicted == NULL || start == NULL || freq == NULL)
        return BBANS_ERR_NULL;
    if (symbol >= hmm->symbols)
        return BBANS_ERR_SYMBOL;
    sum = bbans_hmm_sum(hmm, predicted);
    if (sum == 0)
        return BBANS_ERR_TOTAL;
    *start = bbans_hmm_edge(hmm, predicted, sum, symbol);
    *freq = bbans_hmm_edge(hmm, predicted, sum, symbol + 1) - *start;
    return BBANS_OK;
}

/* The symbol x with sum(x) < limit <= sum(x + 1), and these sums, which rise
 * from 0 to more than the limit: sum(x) = sum_i p_i C_i[x].  The guess is right
 * or next to it but for symbols of few slots, of which there may be many. */
static size_t find(const bbans_hmm *hmm, const uint32_t *predicted,
                   uint32_t slot, uint64_t limit, uint64_t sum[2])
{
    size_t lo = bbans_kernel.hmm->guess(
        predicted, hmm->short_sums, hmm->symbols, hmm->stride, hmm->prec, slot);
    size_t hi = lo + 1, step = 1;

    sum[0] = bbans_hmm_mean(hmm, predicted, lo);
    sum[1] = bbans_hmm_mean(hmm, predicted, hi);
    for (; sum[0] >= limit; step *= 2) {
        hi = lo;
        sum[1] = sum[0];
        lo = lo > step ? lo - step : 0;
        sum[0] = bbans_hmm_mean(hmm, predicted, lo);
    }
    for (; sum[1] < limit; step *= 2) {
        lo = hi;
        sum[0] = sum[1];
        hi = hmm->symbols - hi > step ? hi + step : hmm->symbols;
        sum[1] = bbans_hmm_mean(hmm, predicted, hi);
    }
    while (hi - lo > 1) {
        const size_t mid = lo + (hi - lo) / 2;
        const uint64_t middle = bbans_hmm_mean(hmm, predicted, mid);

        if (middle < limit) {
            lo = mid;
            sum[0] = middle;
        } else {
            hi = mid;
            sum[1] = middle;
        }
    }
    return lo;
}

/* floor(v / sum) <= slot where v < (slot + 1) sum, which is below 2^60. */
void bbans_hmm_find(const bbans_hmm *hmm, const uint32_t *predicted,
                    uint32_t slot, uint32_t *symbol, uint32_t *start,
                    uint32_t *freq)
{
    const uint64_t sum = bbans_hmm_sum(hmm, predicted);
    uint64_t edge[2];

    *symbol = (uint32_t)find(hmm, predicted, slot, (slot + 1) * sum, edge);
    *start = (uint32_t)(edge[0] / sum);
    *freq = (uint32_t)(edge[1] / sum) - *start;
}

/* Sums that wrap around would lead a search out of its table. */
bbans_status bbans_hmm_predict_find(const bbans_hmm *hmm,
                                    const uint32_t *predicted, uint32_t slot,
                                    uint32_t *symbol, uint32_t *start,
                                    uint32_t *freq)
{
    uint64_t sum;

    if (hmm == NULL || predicted == NULL || symbol == NULL || start == NULL ||
        freq == NULL)
        return BBANS_ERR_NULL;
    if (slot >> hmm->prec != 0)
        return BBANS_ERR_INTERVAL;
    sum = bbans_predicted_sum(predicted, hmm->states);
    if (sum == 0 || sum > INT32_MAX)
        return BBANS_ERR_TOTAL;
    bbans_hmm_find(hmm, predicted, slot, symbol, start, freq);
    return BBANS_OK;
}
