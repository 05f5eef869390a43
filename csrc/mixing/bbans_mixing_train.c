/* The prior of a context mixer, learned from samples.  docs/maths.md,
 * "Mixing: training".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_DECODER_ONLY
#include "../kernels/mixing_slots.h"
#include "bbans_mixing.h"

#define CONTEXTS (BBANS_MIXER_INPUTS - BBANS_MIXER_MATCHES)
#define NODES (BBANS_MIX_SLOTS - 1)
#define HALVES 2
#define VISITS (HALVES * CONTEXTS) /* of rows, a byte */

#define MATCH_BITS 10
#define MATCH_SHARE 6 /* 2^-6 of the way to what was right */
#define MATCH_START_SEEN 6

/* A row's own gain counts as much as this many of rows that are like it. */
#define LIKE 4
#define COUNTS_SHRUNK 8 /* below so many */

#define FACTOR_ONE ((int32_t)1 << 16)
#define FACTOR_LEAST (FACTOR_ONE / 16)
#define FACTOR_MOST (FACTOR_ONE * 8)

/* Weights while they learn, in 2^-22. */
#define WEIGHT_SHIFT 6
#define WEIGHT_MOST ((int32_t)INT16_MAX << WEIGHT_SHIFT)
#define WEIGHT_ROUNDED 256 /* a prior's weight is a multiple of it */
#define LOGIT_ROUNDED 16

/* Gains for what they cost, in steps of 2^-7 octaves. */
#define GRADES (40 << 7)

#define SPREAD 0x9E3779B1u
#define SPREAD_64 0x9E3779B97F4A7C15u

#define BUCKETS BBANS_MIXER_TRAINING_BUCKETS

/* A row, by the context's number and hash, and by 1 and the half before it. */
typedef struct {
    uint32_t context;
    uint16_t n[NODES][2]; /* zeros and ones at node k + 1 */
    uint8_t input;        /* the context's number + 1; 0: a free place */
    uint8_t node, kept;
    int32_t gain; /* in 2^-7 bits */
} counted;

typedef struct {
    bbans_mixer mixer;
    bbans_mixing_prior prior;
    size_t longest; /* sample */
    unsigned local_bits;
    counted *row;
    uint32_t *visit;      /* [longest * VISITS] places of rows */
    uint16_t *local;      /* [2^local_bits][SLOTS]: rows of one sample */
    uint32_t *local_from; /* [2^local_bits] whose they are */
    int16_t *weight;
    int32_t *exact; /* [SETS][INPUTS] */
    uint16_t *match;
    int32_t *exact_match; /* [MATCHES][LENGTHS] in 2^-28 */
    int32_t *factor;      /* [CONTEXTS][BUCKETS][BUCKETS] */
    int64_t *like;    /* [CONTEXTS][COUNTS_SHRUNK] gains of rows, by count */
    uint32_t *grades; /* [GRADES] */
    void *memory;     /* of the mixer */
} workshop;

/* ---- Memory ----------------------------------------------------------------
 */

static unsigned bits_for(size_t n)
{
    const unsigned bits = (unsigned)bbans_bit_length(n);

    return bits < BBANS_MIXING_ROW_BITS_MIN ? BBANS_MIXING_ROW_BITS_MIN : bits;
}

static size_t room(size_t n)
{
    return (n + BBANS_ALIGNMENT - 1) / BBANS_ALIGNMENT * BBANS_ALIGNMENT;
}

static bbans_mixer_size size_for(size_t longest)
{
    bbans_mixer_size size;

    size.inputs = BBANS_MIXING_MANY;
    size.row_bits = bits_for(longest * VISITS);
    size.match_bits = MATCH_BITS;
    size.line = 0;
    return size;
}

/* Room for n elements, counted, and taken if there is memory. */
static void *take(uint8_t *memory, size_t *used, size_t n, size_t bytes)
{
    uint8_t *at = memory == NULL ? NULL : memory + *used;

    *used += room(n * bytes);
    return at;
}

static size_t lay_out(workshop *w, size_t longest, unsigned table_bits,
                      uint8_t *memory)
{
    const bbans_mixer_size size = size_for(longest);
    const size_t weights = BBANS_MIXING_SETS * BBANS_MIXER_INPUTS;
    const size_t matches = BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS;
    const size_t local = (size_t)1 << size.row_bits;
    size_t used = room(sizeof *w);

    w->longest = longest;
    w->local_bits = size.row_bits;
    w->row =
        (counted *)take(memory, &used, (size_t)1 << table_bits, sizeof *w->row);
    w->visit =
        (uint32_t *)take(memory, &used, longest * VISITS, sizeof *w->visit);
    w->local = (uint16_t *)take(memory, &used, local * BBANS_MIX_SLOTS,
                                sizeof *w->local);
    w->local_from =
        (uint32_t *)take(memory, &used, local, sizeof *w->local_from);
    w->weight = (int16_t *)take(memory, &used, weights, sizeof *w->weight);
    w->exact = (int32_t *)take(memory, &used, weights, sizeof *w->exact);
    w->match = (uint16_t *)take(memory, &used, matches, sizeof *w->match);
    w->exact_match =
        (int32_t *)take(memory, &used, matches, sizeof *w->exact_match);
    w->factor = (int32_t *)take(memory, &used, CONTEXTS * BUCKETS * BUCKETS,
                                sizeof *w->factor);
    w->like = (int64_t *)take(memory, &used, CONTEXTS * COUNTS_SHRUNK,
                              sizeof *w->like);
    w->grades = (uint32_t *)take(memory, &used, GRADES, sizeof *w->grades);
    w->memory = take(memory, &used, 1, bbans_mixer_bytes(&size));
    return used;
}

static size_t longest_of(const size_t *ends, size_t samples)
{
    size_t longest = 1, i;

    for (i = 0; i < samples; i++) {
        const size_t n = ends[i] - (i > 0 ? ends[i - 1] : 0);

        longest = n > longest ? n : longest;
    }
    return longest;
}

static int are_samples(const uint8_t *bytes, const size_t *ends, size_t samples)
{
    size_t i;

    if (samples < 1 || bytes == NULL)
        return 0;
    for (i = 0; i < samples; i++) {
        const size_t start = i > 0 ? ends[i - 1] : 0;

        if (ends[i] < start || ends[i] - start > BBANS_MIXER_TRAINING_LONGEST)
            return 0;
    }
    return 1;
}

size_t bbans_mixer_training_bytes(size_t longest, unsigned table_bits)
{
    workshop w;

    if (longest > BBANS_MIXER_TRAINING_LONGEST ||
        table_bits < BBANS_MIXER_BITS_MIN ||
        table_bits > BBANS_MIXER_TRAINING_BITS_MAX)
        return 0;
    return lay_out(&w, longest > 0 ? longest : 1, table_bits, NULL) +
           BBANS_ALIGNMENT;
}

static workshop *workshop_of(const bbans_mixer_training *t)
{
    return (workshop *)t->workshop;
}

/* ---- Counts ----------------------------------------------------------------
 */

/* The place of a row, or where it would be; the table is never full. */
static counted *row_of(const bbans_mixer_training *t, unsigned input,
                       unsigned node)
{
    const workshop *w = workshop_of(t);
    const uint32_t context = w->mixer.context[input];
    const size_t mask = ((size_t)1 << t->table_bits) - 1;
    size_t at = (size_t)((context ^ node * (uint64_t)SPREAD) * SPREAD_64 >>
                         (64 - t->table_bits));

    while (w->row[at].input != 0 &&
           (w->row[at].context != context || w->row[at].node != node ||
            w->row[at].input != input + 1))
        at = (at + 1) & mask;
    return w->row + at;
}

static void add(counted *row, unsigned half, int up)
{
    unsigned node = 1, below = BBANS_MIX_DECISIONS;

    while (below-- > 0) {
        const unsigned bit = half >> below & 1;
        uint16_t *n = &row->n[node - 1][bit];

        if (*n < UINT16_MAX) /* there it stays: what was lost is not known */
            *n = (uint16_t)(up ? *n + 1 : *n - 1);
        node = 2 * node + bit;
    }
}

/* A mixer that is only asked for contexts. */
static void begin(workshop *w, const uint8_t *bytes)
{
    const bbans_mixer_size size = size_for(1);

    bbans_mixer_start(&w->mixer, &size, NULL, bytes, SIZE_MAX, w->memory);
}

static void count_byte(bbans_mixer_training *t, unsigned byte)
{
    const size_t most = ((size_t)1 << t->table_bits) / 8 * 7;
    workshop *w = workshop_of(t);
    unsigned half, i;

    for (half = 0; half < HALVES; half++)
        for (i = 0; i < CONTEXTS; i++) {
            const unsigned node = half ? 16 | byte >> 4 : 1;
            counted *row = row_of(t, i, node);

            if (row->input == 0) {
                if (t->rows == most)
                    continue;
                row->context = w->mixer.context[i];
                row->node = (uint8_t)node;
                row->input = (uint8_t)(i + 1);
                row->kept = 1;
                t->rows++;
            }
            add(row, half ? byte & 15 : byte >> 4, 1);
        }
}

static const uint8_t *sample_of(const bbans_mixer_training *t, size_t s,
                                size_t *n)
{
    const size_t start = s > 0 ? t->ends[s - 1] : 0;

    *n = t->ends[s] - start;
    return t->bytes + start;
}

static void count_all(bbans_mixer_training *t)
{
    workshop *w = workshop_of(t);
    size_t s, i, n;

    for (s = 0; s < t->samples; s++) {
        const uint8_t *bytes = sample_of(t, s, &n);

        begin(w, bytes);
        for (i = 0; i < n; i++) {
            count_byte(t, bytes[i]);
            bbans_mixer_pass(&w->mixer, bytes[i]);
        }
    }
}

/* Where the rows of a sample's bytes are. */
static void find_visits(bbans_mixer_training *t, const uint8_t *bytes, size_t n)
{
    workshop *w = workshop_of(t);
    uint32_t *to = w->visit;
    unsigned half, k;
    size_t i;

    begin(w, bytes);
    for (i = 0; i < n; i++) {
        for (half = 0; half < HALVES; half++)
            for (k = 0; k < CONTEXTS; k++)
                *to++ = (uint32_t)(row_of(t, k, half ? 16 | bytes[i] >> 4 : 1) -
                                   w->row);
        bbans_mixer_pass(&w->mixer, bytes[i]);
    }
}

static void count_visits(workshop *w, const uint8_t *bytes, size_t n, int up)
{
    const uint32_t *visit = w->visit;
    unsigned half, k;
    size_t i;

    for (i = 0; i < n; i++)
        for (half = 0; half < HALVES; half++)
            for (k = 0; k < CONTEXTS; k++) {
                counted *row = w->row + *visit++;

                if (row->input != 0)
                    add(row, half ? bytes[i] & 15 : bytes[i] >> 4, up);
            }
}

/* ---- Slots -----------------------------------------------------------------
 */

static unsigned bucket_of(uint32_t n)
{
    static const uint8_t few[25] = {0, 1, 2, 3, 4, 5, 5, 5, 6, 6, 6, 6, 6,
                                    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};

    return n < 25 ? few[n] : n <= 60 ? 8 : n <= 200 ? 9 : n <= 1000 ? 10 : 11;
}

/* What counts like these are worth in this context. */
static int32_t *factor_of(const workshop *w, unsigned input, const uint16_t *n)
{
    const uint32_t least = n[0] < n[1] ? n[0] : n[1];

    return w->factor +
           (input * BUCKETS + bucket_of((uint32_t)n[0] + n[1])) * BUCKETS +
           bucket_of(least);
}

/* What is added to both counts, in 2^-6: the less the longer only one bit was
 * seen. */
static uint32_t added_to(const uint16_t *n)
{
    const uint32_t sum = (uint32_t)n[0] + n[1];

    return n[0] > 0 && n[1] > 0 ? 26 : 1 + 520 / (20 + 3 * sum);
}

/* The logit of (n1 + a) / (n + 2 a), times what it is worth: |log| < 2^12, and
 * factors are below 2^20. */
static uint16_t slot_of(const workshop *w, const counted *row, unsigned node)
{
    const uint16_t *n = row->n[node - 1];
    const unsigned bucket = bucket_of((uint32_t)n[0] + n[1]);
    int32_t logit, p;

    if (bucket == 0)
        return BBANS_MIX_NEW;
    logit = bbans_mix_log(64u * n[1] + added_to(n)) -
            bbans_mix_log(64u * n[0] + added_to(n));
    logit = bbans_floor_of(
        (int32_t)((int64_t)logit * *factor_of(w, row->input - 1u, n) /
                  (FACTOR_ONE / 2)) +
            LOGIT_ROUNDED,
        5);
    p = (int32_t)(bbans_mass_of_one(logit * LOGIT_ROUNDED) >>
                  (BBANS_PREC_MAX - 12));
    return bbans_mix_slot((uint32_t)(p > 4095 ? 4095 : p), bucket);
}

static void put_slots(const workshop *w, const counted *row, uint16_t *to)
{
    unsigned k;

    to[0] = bbans_mixer_check(row->context, row->node);
    for (k = 1; k < BBANS_MIX_SLOTS; k++)
        to[k] = slot_of(w, row, k);
}

static int is_known(const counted *row)
{
    return row->input != 0 && row->kept && row->n[0][0] + row->n[0][1] > 0;
}

/* The prior of this sample: what the others say. */
static void make_local(workshop *w, size_t n)
{
    const unsigned bits = bits_for(n * VISITS);
    size_t i;
    unsigned found;

    memset(w->local, 0, (sizeof *w->local * BBANS_MIX_SLOTS) << bits);
    w->prior.row_bits = bits;
    for (i = 0; i < n * VISITS; i++) {
        const counted *row = w->row + w->visit[i];

        if (is_known(row)) {
            const size_t at = bbans_mixer_find_row(w->local, bits, row->context,
                                                   row->node, &found);

            if (!found && w->local[at] == 0) {
                put_slots(w, row, w->local + at);
                w->local_from[at / BBANS_MIX_SLOTS] = w->visit[i];
            }
        }
    }
}

/* The row of counts that an input's slots are of, if they are as they were
 * before the sample. */
static counted *counted_of(const workshop *w, unsigned i)
{
    const uint16_t *from = w->mixer.mix.from[i];
    size_t k;

    if (from < w->local ||
        from >= w->local + ((size_t)BBANS_MIX_SLOTS << w->prior.row_bits))
        return NULL;
    k = (size_t)(from - w->local) / BBANS_MIX_SLOTS;
    return w->row + w->local_from[k];
}

/* ---- What is learned from a decision ---------------------------------------
 */

typedef struct {
    int32_t logit[BBANS_MIX_MAX], weight[BBANS_MIX_MAX];
    int32_t mixed, error; /* in 2^-7; in 2^-12 */
    unsigned node, bit;
} decision;

static void predict(const workshop *w, decision *d, unsigned below)
{
    const bbans_mix *x = &w->mixer.mix;
    int64_t mixed = 0;
    unsigned i;

    for (i = 0; i < CONTEXTS; i++)
        d->logit[i] = bbans_mix_logit(x->from[i][d->node]);
    for (i = 0; i < BBANS_MIXER_MATCHES; i++) {
        const unsigned expected = x->expected[i];
        const int32_t logit = bbans_mix_logit(*x->match[i]);
        const int is = expected < BBANS_MIX_NONE &&
                       (expected | BBANS_MIX_NONE) >> (below + 1) == d->node;

        d->logit[CONTEXTS + i] = !is                     ? 0
                                 : expected >> below & 1 ? logit
                                                         : -logit;
    }
    for (i = 0; i < BBANS_MIXER_INPUTS; i++) {
        d->weight[i] = x->weight[0][i] +
                       x->weight[1][i * BBANS_MIX_SLOTS + d->node] +
                       x->weight[2][i];
        mixed += (int64_t)d->weight[i] * d->logit[i];
    }
    d->mixed = (int32_t)(mixed / FACTOR_ONE);
}

/* |error| <= 2^12, |logit| < 2^11 and rates are below 2^8. */
static void learn_weight(workshop *w, const int16_t *at, int32_t step)
{
    int32_t *exact = w->exact + (at - w->mixer.weight);

    *exact = bbans_limited(*exact + bbans_floor_of(step + 64, 7), WEIGHT_MOST);
}

static void learn_weights(workshop *w, const decision *d, unsigned rate)
{
    const bbans_mix *x = &w->mixer.mix;
    unsigned i;

    for (i = 0; i < BBANS_MIXER_INPUTS; i++) {
        const int32_t step = d->error * d->logit[i] * (int32_t)rate;

        learn_weight(w, x->weight[0] + i, step);
        learn_weight(w, x->weight[1] + i * BBANS_MIX_SLOTS + d->node, step);
        learn_weight(w, x->weight[2] + i, step);
    }
}

/* By the gradient of the logarithm of the factor. */
static void learn_factors(workshop *w, const decision *d, unsigned rate)
{
    unsigned i;

    for (i = 0; i < CONTEXTS; i++) {
        const counted *row = counted_of(w, i);

        if (row != NULL && d->logit[i] != 0) {
            int32_t *factor = factor_of(w, i, row->n[d->node - 1]);
            const int64_t step = (int64_t)d->weight[i] * d->logit[i] /
                                 FACTOR_ONE * d->error * (int32_t)rate;
            const int64_t to = *factor + *factor * step / ((int64_t)1 << 28);

            *factor = (int32_t)(to < FACTOR_LEAST  ? FACTOR_LEAST
                                : to > FACTOR_MOST ? FACTOR_MOST
                                                   : to);
        }
    }
}

/* -log2(v / 2^28) in 2^-7, about. */
static int32_t bits_of_share(uint32_t v)
{
    const unsigned shift = v >> 24 > 0 ? 4 : 0; /* logarithms are below 2^25 */

    return ((BBANS_PREC_MAX - (int32_t)shift) << BBANS_LOGIT_BITS) -
           bbans_mix_log(v >> shift);
}

/* Bits of a bit that has this logit. */
static int32_t bits_of(int32_t logit)
{
    return bits_of_share(bbans_mass_of_one(logit));
}

/* Half of what a row gains is what would be lost without it, the other half its
 * share of what all gain: rows that say the same would be worth nothing if
 * others had to be there. */
static void weigh(workshop *w, const decision *d)
{
    const int32_t sign = d->bit ? 1 : -1, bits = bits_of(sign * d->mixed);
    const int32_t all = (1 << BBANS_LOGIT_BITS) - bits;
    unsigned i;

    for (i = 0; i < CONTEXTS; i++) {
        counted *row = counted_of(w, i);

        if (row != NULL && d->logit[i] != 0) {
            const int32_t part =
                (int32_t)((int64_t)d->weight[i] * d->logit[i] / FACTOR_ONE);
            const uint32_t n = (uint32_t)row->n[0][0] + row->n[0][1];
            int32_t gain = bits_of(sign * (d->mixed - part)) - bits;

            if (d->mixed != 0)
                gain += (int32_t)((int64_t)all * part / d->mixed);
            row->gain += gain / 2;
            if (n < COUNTS_SHRUNK)
                w->like[i * COUNTS_SHRUNK + n] += gain / 2;
        }
    }
}

static void learn_match_slots(workshop *w, unsigned half)
{
    const bbans_mix *x = &w->mixer.mix;
    unsigned i;

    for (i = 0; i < BBANS_MIXER_MATCHES; i++) {
        int32_t *exact = w->exact_match + (x->match[i] - w->mixer.expected[0]);
        unsigned below = BBANS_MIX_DECISIONS;
        int right = x->expected[i] < BBANS_MIX_NONE;

        while (right && below-- > 0) {
            right = x->expected[i] >> below == half >> below;
            *exact += bbans_floor_of(
                (right ? ((int32_t)1 << 28) - 1 : 0) - *exact, MATCH_SHARE);
        }
    }
}

static void learn_half(workshop *w, const bbans_mixer_rates *rates,
                       unsigned half)
{
    unsigned below = BBANS_MIX_DECISIONS;
    decision d;

    d.node = 1;
    while (below-- > 0) {
        d.bit = half >> below & 1;
        predict(w, &d, below);
        d.error = (int32_t)(d.bit << 12) -
                  (int32_t)(bbans_mass_of_one(d.mixed) >> 16);
        if (rates == NULL) {
            weigh(w, &d);
        } else {
            learn_weights(w, &d, rates->weights);
            learn_factors(w, &d, rates->factors);
        }
        d.node = 2 * d.node + d.bit;
    }
    if (rates != NULL)
        learn_match_slots(w, half);
}

/* ---- What is learned from a sample -----------------------------------------
 */

static int16_t weight_of(int32_t exact)
{
    return (int16_t)bbans_floor_of(exact, WEIGHT_SHIFT);
}

static void make_weights(workshop *w)
{
    size_t i;

    for (i = 0; i < BBANS_MIXING_SETS * BBANS_MIXER_INPUTS; i++)
        w->weight[i] = weight_of(w->exact[i]);
    for (i = 0; i < BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS; i++)
        w->match[i] =
            bbans_mix_slot((uint32_t)w->exact_match[i] >> 16, MATCH_START_SEEN);
}

static void start_exact(workshop *w)
{
    size_t i;

    begin(w, NULL);
    for (i = 0; i < BBANS_MIXING_SETS * BBANS_MIXER_INPUTS; i++)
        w->exact[i] = w->mixer.weight[i] << WEIGHT_SHIFT;
    for (i = 0; i < BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS; i++)
        w->exact_match[i] =
            w->mixer
                .expected[i / BBANS_MIXER_LENGTHS][i % BBANS_MIXER_LENGTHS] >>
            4 << 16;
    for (i = 0; i < CONTEXTS * BUCKETS * BUCKETS; i++)
        w->factor[i] = FACTOR_ONE;
}

/* Bits of a sample whose counts are taken out, in 2^-7, roughly. */
static uint64_t learn_sample(bbans_mixer_training *t, size_t s,
                             const bbans_mixer_rates *rates)
{
    workshop *w = workshop_of(t);
    bbans_mixer_size size;
    uint64_t bits = 0;
    size_t n, i;
    const uint8_t *bytes = sample_of(t, s, &n);

    if (n == 0)
        return 0;
    size = size_for(n);
    find_visits(t, bytes, n);
    make_local(w, n);
    make_weights(w);
    bbans_mixer_start(&w->mixer, &size, &w->prior, bytes, SIZE_MAX, w->memory);
    for (i = 0; i < n; i++) {
        bbans_mixer_start_first(&w->mixer);
        learn_half(w, rates, bytes[i] >> 4);
        bbans_mixer_start_second(&w->mixer, bytes[i] >> 4);
        learn_half(w, rates, bytes[i] & 15);
        bbans_mixer_end(&w->mixer, bytes[i] & 15);
        bits += (uint64_t)bits_of_share(w->mixer.mix.left);
        bbans_mixer_learn(&w->mixer, bytes[i]);
    }
    return bits;
}

static size_t common_divisor(size_t a, size_t b)
{
    while (b > 0) {
        const size_t rest = a % b;

        a = b;
        b = rest;
    }
    return a;
}

/* In steps of this, samples come in an order in which neighbours are far apart.
 */
static size_t stride_of(size_t samples)
{
    size_t stride = (size_t)((uint64_t)samples * 618 / 1000) | 1;

    while (common_divisor(samples, stride) != 1)
        stride++;
    return stride % samples;
}

bbans_status bbans_mixer_training_start(bbans_mixer_training *t,
                                        const uint8_t *bytes,
                                        const size_t *ends, size_t samples,
                                        unsigned table_bits, void *memory,
                                        size_t memory_bytes)
{
    size_t longest, needed;
    workshop *w;

    if (t == NULL || ends == NULL || memory == NULL)
        return BBANS_ERR_NULL;
    if (!are_samples(bytes, ends, samples))
        return BBANS_ERR_SIZE;
    longest = longest_of(ends, samples);
    needed = bbans_mixer_training_bytes(longest, table_bits);
    if (needed == 0)
        return BBANS_ERR_SIZE;
    if (memory_bytes < needed)
        return BBANS_ERR_CAPACITY;
    w = (workshop *)bbans_align(memory);
    (void)lay_out(w, longest, table_bits, (uint8_t *)w);
    memset(w->row, 0, sizeof *w->row << table_bits);
    w->prior.row = w->local;
    w->prior.weight = w->weight;
    w->prior.match = w->match;
    t->bytes = bytes;
    t->ends = ends;
    t->samples = samples;
    t->table_bits = table_bits;
    t->rows = 0;
    t->workshop = w;
    start_exact(w);
    count_all(t);
    return BBANS_OK;
}

/* The first sample of a part. */
static size_t first_of(const bbans_mixer_training *t, unsigned part)
{
    const size_t parts = BBANS_MIXER_TRAINING_PARTS;

    return t->samples / parts * part + t->samples % parts * part / parts;
}

/* Take the counts of samples out, or put them back. */
static void count_samples(bbans_mixer_training *t, size_t from, size_t to,
                          int up)
{
    size_t s, n;

    for (s = from; s < to; s++) {
        const uint8_t *bytes = sample_of(t, s, &n);

        find_visits(t, bytes, n);
        count_visits(workshop_of(t), bytes, n, up);
    }
}

bbans_status bbans_mixer_training_learn(bbans_mixer_training *t, unsigned part,
                                        const bbans_mixer_rates *rates,
                                        uint64_t *bits)
{
    size_t from, n, stride, i;

    if (t == NULL || bits == NULL)
        return BBANS_ERR_NULL;
    if (part >= BBANS_MIXER_TRAINING_PARTS ||
        (rates != NULL && (rates->weights > BBANS_MIXER_TRAINING_RATE_MAX ||
                           rates->factors > BBANS_MIXER_TRAINING_RATE_MAX)))
        return BBANS_ERR_SIZE;
    from = first_of(t, part);
    n = first_of(t, part + 1) - from;
    stride = stride_of(n > 0 ? n : 1);
    *bits = 0;
    count_samples(t, from, from + n, 0);
    for (i = 0; i < n; i++)
        *bits +=
            learn_sample(t, from + (size_t)((uint64_t)i * stride % n), rates);
    count_samples(t, from, from + n, 1);
    return BBANS_OK;
}

/* ---- Which rows stay -------------------------------------------------------
 */

static uint32_t count_of(const counted *row)
{
    return (uint32_t)row->n[0][0] + row->n[0][1];
}

/* What a row takes in a packed file, in 2^-4 bytes, about. */
static int32_t cost_of(const counted *row)
{
    unsigned k, nodes = 0, both = 0;

    for (k = 0; k < NODES; k++) {
        nodes += row->n[k][0] + row->n[k][1] > 0;
        both += row->n[k][0] > 0 && row->n[k][1] > 0;
    }
    return both == 0 ? 56 : 44 + 12 * (int32_t)nodes;
}

/* A row that is in one sample gains nothing without it; what it is worth for
 * others is what rows gain that are in one other sample. */
static int64_t worth_of(const workshop *w, const counted *row,
                        const uint32_t *like)
{
    const uint32_t n = count_of(row);
    const unsigned input = row->input - 1u;
    int64_t mean;

    if (n == 0 || n >= COUNTS_SHRUNK)
        return row->gain;
    mean = w->like[input * COUNTS_SHRUNK + n] /
           (int64_t)(like[input * COUNTS_SHRUNK + n] + 1);
    return ((int64_t)row->gain * (n - 1) + LIKE * mean) /
           (int64_t)(n - 1 + LIKE);
}

/* 0: it is worth nothing. */
static unsigned grade_of(const workshop *w, const counted *row,
                         const uint32_t *like)
{
    const int64_t worth =
        row->input == 0 ? 0 : worth_of(w, row, like) * 1024 / cost_of(row);

    if (worth < 1)
        return 0;
    return (unsigned)bbans_mix_log(
               (uint32_t)(worth > INT32_MAX ? INT32_MAX : worth)) +
           1;
}

static void count_like(const bbans_mixer_training *t, uint32_t *like)
{
    const workshop *w = workshop_of(t);
    size_t i;

    memset(like, 0, sizeof *like * CONTEXTS * COUNTS_SHRUNK);
    for (i = 0; i < (size_t)1 << t->table_bits; i++)
        if (w->row[i].input != 0 && count_of(w->row + i) < COUNTS_SHRUNK)
            like[(w->row[i].input - 1u) * COUNTS_SHRUNK +
                 count_of(w->row + i)]++;
}

bbans_status bbans_mixer_training_weigh(bbans_mixer_training *t, unsigned part)
{
    uint64_t bits;

    if (t == NULL)
        return BBANS_ERR_NULL;
    if (part == 0) {
        workshop *w = workshop_of(t);
        size_t i;

        memset(w->like, 0, sizeof *w->like * CONTEXTS * COUNTS_SHRUNK);
        for (i = 0; i < (size_t)1 << t->table_bits; i++)
            w->row[i].gain = 0;
    }
    return bbans_mixer_training_learn(t, part, NULL, &bits);
}

bbans_status bbans_mixer_training_keep(bbans_mixer_training *t, size_t bytes,
                                       size_t *kept)
{
    uint32_t like[CONTEXTS * COUNTS_SHRUNK];
    const size_t places = (size_t)1 << (t == NULL ? 0 : t->table_bits);
    uint64_t left = (bytes < UINT32_MAX ? (uint64_t)bytes : UINT32_MAX) * 16;
    unsigned grade = GRADES;
    workshop *w;
    size_t i;

    if (t == NULL || kept == NULL)
        return BBANS_ERR_NULL;
    w = workshop_of(t);
    count_like(t, like);
    memset(w->grades, 0, sizeof *w->grades * GRADES);
    for (i = 0; i < places; i++)
        if (w->row[i].input != 0)
            w->grades[grade_of(w, w->row + i, like)] +=
                (uint32_t)cost_of(w->row + i);
    while (--grade > 0 && w->grades[grade] <= left)
        left -= w->grades[grade];
    *kept = 0;
    for (i = 0; i < places; i++) {
        counted *row = w->row + i;
        const unsigned is = grade_of(w, row, like);
        const uint32_t cost = is == grade ? (uint32_t)cost_of(row) : 0;

        row->kept = is > 0 && is >= grade && cost <= left;
        left -= row->kept ? cost : 0;
        *kept += row->kept;
    }
    return BBANS_OK;
}

/* ---- The prior -------------------------------------------------------------
 */

/* Rows that gain more come first: who comes late may find no place. */
static size_t put_rows(const bbans_mixer_training *t, unsigned prior_bits,
                       uint16_t *rows)
{
    const workshop *w = workshop_of(t);
    unsigned low = 32;
    size_t put = 0, i;
    unsigned found;

    memset(rows, 0, (sizeof *rows * BBANS_MIX_SLOTS) << prior_bits);
    while (low-- > 0)
        for (i = 0; i < (size_t)1 << t->table_bits; i++) {
            const counted *row = w->row + i;
            const uint32_t gain = row->gain > 0 ? (uint32_t)row->gain : 0;
            size_t at;

            if (!is_known(row) || (unsigned)bbans_bit_length(gain) != low)
                continue;
            at = bbans_mixer_find_row(rows, prior_bits, row->context, row->node,
                                      &found);
            if (!found && rows[at] == 0) {
                put_slots(w, row, rows + at);
                put++;
            }
        }
    return put;
}

static int16_t rounded(int32_t exact)
{
    const int32_t unit = WEIGHT_ROUNDED << WEIGHT_SHIFT;
    const int32_t most = INT16_MAX / WEIGHT_ROUNDED * WEIGHT_ROUNDED;
    const int32_t units = bbans_floor_of(exact + unit / 2, WEIGHT_SHIFT + 8);

    return (int16_t)bbans_limited(units * WEIGHT_ROUNDED, most);
}

bbans_status bbans_mixer_training_finish(bbans_mixer_training *t,
                                         unsigned prior_bits, uint16_t *row,
                                         int16_t *weight, uint16_t *match,
                                         size_t *rows)
{
    workshop *w;
    size_t i;

    if (t == NULL || row == NULL || weight == NULL || match == NULL ||
        rows == NULL)
        return BBANS_ERR_NULL;
    if (prior_bits < BBANS_MIXER_BITS_MIN ||
        prior_bits > BBANS_MIXER_PRIOR_BITS_MAX)
        return BBANS_ERR_SIZE;
    w = workshop_of(t);
    make_weights(w);
    for (i = 0; i < BBANS_MIXING_SETS * BBANS_MIXER_INPUTS; i++)
        weight[i] = rounded(w->exact[i]);
    memcpy(match, w->match,
           sizeof *match * BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS);
    *rows = put_rows(t, prior_bits, row);
    return BBANS_OK;
}
#endif /* BBANS_DECODER_ONLY */
