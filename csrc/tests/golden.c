/* The stored vectors, both ways: what one machine wrote every other reads, and
 * writes again to the same bytes.  No heap and no stdio, so that firmware runs
 * it.
 *
 *   GOLDEN_TINY   only the device's coder
 *   ROOM          how buffers are kept, "static" if not defined
 *
 * SPDX-License-Identifier: MIT */
#include "golden.h"

#include "bbans_tiny.h"

#ifndef ROOM
#define ROOM static
#endif

#ifdef GOLDEN_TINY
typedef uint16_t golden_edge;
#else
typedef uint32_t golden_edge;
#endif

typedef struct {
    const golden_edge *initial, *transition, *emission;
    uint16_t states, symbols, start_length;
    uint8_t prec;
} golden_model;

typedef struct {
    size_t model;
    const uint8_t *x;
    size_t n;
    const uint8_t *bytes[2]; /* IconoCLaSM, predictive */
    size_t n_bytes[2];
} golden_case;

typedef struct {
    const uint8_t *data;
    size_t n;
} golden_bytes;

/* The pairs of a record and its message, and what no message is. */
typedef struct {
    golden_bytes file;
    const golden_bytes *record, *refused;
    size_t records, refusals;
} golden_record_case;

#ifndef GOLDEN_TINY
typedef struct {
    const int64_t *offset;
    const int32_t *word;
    size_t latents, observed, steps, start_length;
    unsigned start_bits;
    int family;
} golden_lgssm;

typedef struct {
    size_t model;
    const int64_t *x;
    size_t n;
    const uint8_t *bytes[2];
    size_t n_bytes[2];
} golden_lgssm_case;

typedef struct {
    golden_bytes file;
    const int64_t *x; /* numbers of symbols, or rows of integers */
    size_t n;
    golden_bytes message;
} golden_model_file;

typedef struct {
    size_t model;
    const void *x; /* as the model takes it */
    size_t n;
    const uint8_t *bytes[2];
    size_t n_bytes[2];
} golden_latent_case;

typedef struct {
    golden_case coded;
    size_t particles;
    uint64_t key;
    int adapted;
} golden_finite_case;

/* Laws of Gaussians: locations are matrices, in 2^-16, times latents. */
typedef struct {
    struct {
        golden_lgssm_case coded;
        size_t particles;
        uint64_t key;
        int adapted;
    } filter;
    size_t latents, observed, start_length;
    const int32_t *move, *first, *step, *emit, *noise, *ahead, *ahead_noise,
        *pull, *pull_noise;
} golden_linear_case;

/* A block under mixed contexts; encoders make it at these levels, if at any. */
typedef struct {
    golden_bytes block, data;
    int line, level, last_level;
} golden_block;

typedef struct {
    const uint32_t *cdf, *symbols;
    const int64_t *offset;
    size_t rows;
    unsigned prec;
    int escape;
    size_t lanes;
    const uint8_t *row;
    const int64_t *value;
    size_t n;
    golden_bytes message;
} golden_ragged_case;

typedef struct {
    golden_bytes file;
    const int32_t *input, *output; /* all items of one, then of the next */
    size_t items;
} golden_network;
#endif

#include "golden_vectors.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define EXPECT(condition)                                                      \
    do {                                                                       \
        if (!(condition))                                                      \
            return __LINE__;                                                   \
    } while (0)

static int equal(const uint8_t *a, const uint8_t *b, size_t n)
{
    while (n > 0 && a[n - 1] == b[n - 1])
        n--;
    return n == 0;
}

/* ---- The device's coder -------------------------------------------------- */

#define N_MAX 10000
#define BYTES_MAX 5600
#define RECORD_MAX 1200
#define TINY_WORK 1700 /* 2 sqrt(10000) + 2 rows of 8 states */

ROOM uint8_t out[BYTES_MAX];

static int tiny_case(const bbans_tiny_hmm *hmm, const golden_case *c)
{
    ROOM uint32_t work[TINY_WORK];
    ROOM bbans_tiny_decoder dec;
    uint8_t chunk[50];
    size_t used, t, n;
    int predictive;

    for (predictive = 0; predictive < 2; predictive++) {
        const uint8_t *bytes = c->bytes[predictive];
        const size_t n_bytes = c->n_bytes[predictive];

        EXPECT(bbans_tiny_decoder_init(&dec, hmm, bytes, n_bytes, c->n,
                                       predictive) == BBANS_OK);
        for (t = 0; t < c->n; t += n) {
            n = c->n - t < sizeof chunk ? c->n - t : sizeof chunk;
            EXPECT(bbans_tiny_decode(&dec, chunk, n) == BBANS_OK);
            EXPECT(equal(chunk, c->x + t, n));
        }
        EXPECT(bbans_tiny_encode(hmm, c->x, c->n, predictive, work, TINY_WORK,
                                 out, sizeof out, &used) == BBANS_OK);
        EXPECT(used == n_bytes && equal(out, bytes, used));
    }
    return 0;
}

/* Records are written and read as stored, and what is refused is. */
static int tiny_record_case(const golden_record_case *c)
{
    ROOM uint8_t record[RECORD_MAX];
    bbans_tiny_model model;
    size_t i, n;

    EXPECT(bbans_tiny_model_init(&model, c->file.data, c->file.n) == BBANS_OK);
    for (i = 0; i < c->records; i++) {
        const golden_bytes *data = &c->record[2 * i];
        const golden_bytes *message = &c->record[2 * i + 1];

        EXPECT(bbans_tiny_record_encode(&model, data->data, data->n, out,
                                        data->n + 1, &n) == BBANS_OK);
        EXPECT(n == message->n && equal(out, message->data, n));
        EXPECT(bbans_tiny_record_decode(&model, message->data, message->n,
                                        record, data->n, &n) == BBANS_OK);
        EXPECT(n == data->n && equal(record, data->data, n));
    }
    for (i = 0; i < c->refusals; i++)
        EXPECT(bbans_tiny_record_decode(&model, c->refused[i].data,
                                        c->refused[i].n, record, sizeof record,
                                        &n) == BBANS_ERR_CORRUPT);
    return 0;
}

#ifdef GOLDEN_TINY
static int golden_case_run(const golden_model *m, const golden_case *c)
{
    bbans_tiny_hmm hmm;

    hmm.initial = m->initial;
    hmm.transition = m->transition;
    hmm.emission = m->emission;
    hmm.states = m->states;
    hmm.symbols = m->symbols;
    hmm.start_length = m->start_length;
    hmm.prec = m->prec;
    return tiny_case(&hmm, c);
}
#else

/* ---- The library --------------------------------------------------------- */

#define STATES 64
#define SYMBOLS 64

/* Masses, or the device's edges, from edges. */
static void differences(const uint32_t *edge, size_t rows, size_t n,
                        uint32_t *mass, uint16_t *edge16)
{
    size_t i, k;

    for (i = 0; i < rows; i++, edge += n + 1)
        for (k = 0; k <= n; k++) {
            *edge16++ = (uint16_t)edge[k];
            if (k < n)
                *mass++ = edge[k + 1] - edge[k];
        }
}

static int golden_case_run(const golden_model *m, const golden_case *c)
{
    ROOM uint32_t initial[STATES], transition[STATES * STATES];
    ROOM uint32_t emission[STATES * SYMBOLS];
    ROOM uint16_t initial16[STATES + 1], transition16[STATES * (STATES + 1)];
    ROOM uint16_t emission16[STATES * (SYMBOLS + 1)];
    ROOM uint64_t memory[16000], work[12000];
    ROOM uint32_t tail[2 * N_MAX + 64], x[N_MAX];
    const size_t K = m->states, M = m->symbols;
    bbans_tiny_hmm tiny;
    bbans_message msg;
    bbans_hmm hmm;
    uint64_t head;
    size_t t, used;
    int predictive;

    EXPECT(K <= STATES && M <= SYMBOLS && c->n <= N_MAX);
    differences(m->initial, 1, K, initial, initial16);
    differences(m->transition, K, K, transition, transition16);
    differences(m->emission, K, M, emission, emission16);
    EXPECT(bbans_hmm_init(&hmm, K, M, m->prec, m->start_length, initial,
                          transition, emission, memory,
                          sizeof memory) == BBANS_OK);
    for (predictive = 0; predictive < 2; predictive++) {
        const size_t n_bytes = c->n_bytes[predictive];

        hmm.space.predictive = predictive;
        for (t = 0; t < c->n; t++)
            x[t] = c->x[t];
        EXPECT(bbans_message_init(&msg, &head, 1, tail, COUNT(tail)) ==
               BBANS_OK);
        EXPECT(bbans_sequence_encode(&hmm.space, x, c->n, work, sizeof work,
                                     &msg) == BBANS_OK);
        EXPECT(bbans_message_write(&msg, out, sizeof out, &used) == BBANS_OK);
        EXPECT(used == n_bytes && equal(out, c->bytes[predictive], used));
        EXPECT(bbans_message_read(&msg, c->bytes[predictive], n_bytes) ==
               BBANS_OK);
        EXPECT(bbans_sequence_decode(&hmm.space, &msg, x, c->n, work,
                                     sizeof work) == BBANS_OK);
        for (t = 0; t < c->n; t++)
            EXPECT(x[t] == c->x[t]);
    }
    if (m->prec > BBANS_TINY_PREC_MAX || K > BBANS_TINY_STATES)
        return 0;
    tiny.initial = initial16;
    tiny.transition = transition16;
    tiny.emission = emission16;
    tiny.states = m->states;
    tiny.symbols = m->symbols;
    tiny.start_length = m->start_length;
    tiny.prec = m->prec;
    return tiny_case(&tiny, c);
}

static int lgssm_case_run(const golden_lgssm *m, const golden_lgssm_case *c)
{
    ROOM uint64_t work[1000];
    ROOM uint32_t tail[8000];
    ROOM int64_t x[400];
    const size_t count = c->n * m->observed;
    bbans_lgssm model;
    bbans_message msg;
    uint64_t head;
    size_t i, used;
    int predictive;

    EXPECT(count <= COUNT(x));
    EXPECT(bbans_lgssm_init(&model, m->latents, m->observed, m->steps,
                            m->family, m->start_length, m->start_bits,
                            m->offset, m->word) == BBANS_OK);
    for (predictive = 0; predictive < 2; predictive++) {
        const size_t n_bytes = c->n_bytes[predictive];

        model.space.predictive = predictive;
        EXPECT(bbans_message_init(&msg, &head, 1, tail, COUNT(tail)) ==
               BBANS_OK);
        EXPECT(bbans_sequence_encode(&model.space, c->x, c->n, work,
                                     sizeof work, &msg) == BBANS_OK);
        EXPECT(bbans_message_write(&msg, out, sizeof out, &used) == BBANS_OK);
        EXPECT(used == n_bytes && equal(out, c->bytes[predictive], used));
        EXPECT(bbans_message_read(&msg, c->bytes[predictive], n_bytes) ==
               BBANS_OK);
        EXPECT(bbans_sequence_decode(&model.space, &msg, x, c->n, work,
                                     sizeof work) == BBANS_OK);
        for (i = 0; i < count; i++)
            EXPECT(x[i] == c->x[i]);
    }
    return 0;
}

/* A model file is read, codes in its own mode, and is written again. */
static int model_file_run(const golden_model_file *c)
{
    ROOM uint64_t memory[6000], work[6000];
    ROOM uint32_t tail[3000], symbol[60], symbol_back[60];
    ROOM int64_t value[257], back[120];
    ROOM uint8_t file[40000];
    const bbans_state_space *space;
    const void *x = c->x;
    void *y = back;
    bbans_message msg;
    bbans_model model;
    uint64_t head;
    size_t i, used;

    EXPECT(bbans_model_parse(&model, c->file.data, c->file.n) == BBANS_OK);
    EXPECT(bbans_model_build(&model, memory, sizeof memory) == BBANS_OK);
    space = &model.frozen->space;
    EXPECT(model.symbols <= COUNT(value) && c->file.n <= sizeof file);
    EXPECT(c->n * model.width <= COUNT(back));
    for (i = 0; i < model.symbols; i++)
        value[i] = bbans_model_value(&model, i);
    EXPECT(bbans_model_write(space, model.kind,
                             model.values == NULL ? NULL : value, model.ends,
                             file, sizeof file, &used) == BBANS_OK);
    EXPECT(used == c->file.n && equal(file, c->file.data, used));
    if (model.symbols > 0) {
        for (i = 0; i < c->n; i++)
            symbol[i] = (uint32_t)c->x[i];
        x = symbol;
        y = symbol_back;
    }
    EXPECT(bbans_message_init(&msg, &head, 1, tail, COUNT(tail)) == BBANS_OK);
    EXPECT(bbans_sequence_encode(space, x, c->n, work, sizeof work, &msg) ==
           BBANS_OK);
    EXPECT(bbans_message_write(&msg, out, sizeof out, &used) == BBANS_OK);
    EXPECT(used == c->message.n && equal(out, c->message.data, used));
    EXPECT(bbans_sequence_decode(space, &msg, y, c->n, work, sizeof work) ==
           BBANS_OK);
    for (i = 0; i < c->n * model.width; i++)
        EXPECT(c->x[i] ==
               (model.symbols > 0 ? (int64_t)symbol_back[i] : back[i]));
    return 0;
}

static size_t elements(const bbans_network *network, uint32_t i)
{
    const bbans_node *node = &network->node[i];

    return (size_t)node->height * node->width * node->channels;
}

/* Run a network on some of a case's items. */
static int network_items_run(const bbans_network *network,
                             const golden_network *c, size_t first, size_t n)
{
    ROOM uint64_t work[8000];
    ROOM int32_t result[BBANS_NETWORK_OUTPUTS_MAX][400];
    int32_t *output[BBANS_NETWORK_OUTPUTS_MAX];
    bbans_array input[BBANS_NETWORK_INPUTS_MAX];
    const int32_t *next = c->input;
    size_t i, k, each;

    for (k = 0; k < network->inputs; k++) {
        each = elements(network, network->input[k]);
        input[k].data = next + first * each;
        input[k].type = BBANS_I32;
        next += c->items * each;
    }
    for (k = 0; k < network->outputs; k++) {
        output[k] = result[k];
        EXPECT(n * elements(network, network->output[k]) <= COUNT(result[k]));
    }
    EXPECT(bbans_network_run(network, input, n, work, sizeof work, output) ==
           BBANS_OK);
    next = c->output;
    for (k = 0; k < network->outputs; k++) {
        each = elements(network, network->output[k]);
        for (i = 0; i < n * each; i++)
            EXPECT(result[k][i] == next[first * each + i]);
        next += c->items * each;
    }
    return 0;
}

/* A network file is read, runs on its items one by one and together, and is
 * written again. */
static int network_run(const golden_network *c)
{
    ROOM uint64_t memory[1000];
    ROOM uint8_t file[2000];
    bbans_network_file read;
    size_t i, used;

    EXPECT(bbans_network_parse(&read, c->file.data, c->file.n) == BBANS_OK);
    EXPECT(bbans_network_build(&read, memory, sizeof memory) == BBANS_OK);
    EXPECT(bbans_network_write(read.network, file, sizeof file, &used) ==
           BBANS_OK);
    EXPECT(used == c->file.n && equal(file, c->file.data, used));
    for (i = 0; i < c->items; i++)
        EXPECT(network_items_run(read.network, c, i, 1) == 0);
    EXPECT(network_items_run(read.network, c, 0, c->items) == 0);
    return 0;
}

/* The file of a model of any kind is read, and is written again; its model
 * codes a sequence, in both modes. */
static int latent_case_run(const golden_bytes *file,
                           const golden_latent_case *c)
{
    ROOM uint64_t memory[4000], work[12000];
    ROOM uint32_t tail[8000];
    ROOM uint8_t written[5000];
    ROOM int64_t x[150];
    bbans_frozen *frozen = (bbans_frozen *)(void *)memory;
    bbans_state_space *space = &frozen->space;
    bbans_message msg;
    bbans_model model;
    uint64_t head;
    size_t used;
    int predictive;

    EXPECT(bbans_model_parse(&model, file->data, file->n) == BBANS_OK);
    EXPECT(bbans_model_build(&model, memory, sizeof memory) == BBANS_OK);
    EXPECT(bbans_model_write(space, model.kind, NULL, model.ends, written,
                             sizeof written, &used) == BBANS_OK);
    EXPECT(used == file->n && equal(written, file->data, used));
    EXPECT(c->n * space->observation_bytes <= sizeof x);
    for (predictive = 0; predictive < 2; predictive++) {
        const size_t n_bytes = c->n_bytes[predictive];

        space->predictive = predictive;
        EXPECT(bbans_message_init(&msg, &head, 1, tail, COUNT(tail)) ==
               BBANS_OK);
        EXPECT(bbans_sequence_encode(space, c->x, c->n, work, sizeof work,
                                     &msg) == BBANS_OK);
        EXPECT(bbans_message_write(&msg, out, sizeof out, &used) == BBANS_OK);
        EXPECT(used == n_bytes && equal(out, c->bytes[predictive], used));
        EXPECT(bbans_message_read(&msg, c->bytes[predictive], n_bytes) ==
               BBANS_OK);
        EXPECT(bbans_sequence_decode(space, &msg, x, c->n, work, sizeof work) ==
               BBANS_OK);
        EXPECT(equal((const uint8_t *)x, (const uint8_t *)c->x,
                     c->n * space->observation_bytes));
    }
    return 0;
}

/* Both modes, to the stored bytes and back, of observations of `size` bytes. */
static int filter_run(bbans_particles *filter, const void *x, void *y, size_t n,
                      const uint8_t *const bytes[2], const size_t n_bytes[2])
{
    ROOM uint64_t work[8000];
    ROOM uint32_t tail[8000];
    bbans_message msg;
    uint64_t head;
    size_t used;
    int predictive;

    for (predictive = 0; predictive < 2; predictive++) {
        filter->space.predictive = predictive;
        EXPECT(bbans_message_init(&msg, &head, 1, tail, COUNT(tail)) ==
               BBANS_OK);
        EXPECT(bbans_sequence_encode(&filter->space, x, n, work, sizeof work,
                                     &msg) == BBANS_OK);
        EXPECT(bbans_message_write(&msg, out, sizeof out, &used) == BBANS_OK);
        EXPECT(used == n_bytes[predictive] &&
               equal(out, bytes[predictive], used));
        EXPECT(bbans_message_read(&msg, bytes[predictive],
                                  n_bytes[predictive]) == BBANS_OK);
        EXPECT(bbans_sequence_decode(&filter->space, &msg, y, n, work,
                                     sizeof work) == BBANS_OK);
        EXPECT(equal((const uint8_t *)x, (const uint8_t *)y,
                     n * filter->space.observation_bytes));
    }
    return 0;
}

static int finite_case_run(const golden_model *m, const golden_finite_case *c)
{
    ROOM uint32_t initial[STATES], transition[STATES * STATES];
    ROOM uint32_t emission[STATES * SYMBOLS], x[40], y[40];
    ROOM uint16_t edge16[STATES * (STATES + 1)];
    ROOM uint64_t memory[16000];
    const size_t K = m->states, M = m->symbols, n = c->coded.n;
    bbans_particles filter;
    bbans_hmm hmm;
    size_t t;

    EXPECT(K <= STATES && M <= SYMBOLS && n <= COUNT(x));
    differences(m->initial, 1, K, initial, edge16);
    differences(m->transition, K, K, transition, edge16);
    differences(m->emission, K, M, emission, edge16);
    EXPECT(bbans_hmm_init(&hmm, K, M, m->prec, m->start_length, initial,
                          transition, emission, memory,
                          sizeof memory) == BBANS_OK);
    EXPECT(bbans_particles_init_hmm(&filter, &hmm, c->particles, c->key,
                                    c->adapted, m->start_length) == BBANS_OK);
    for (t = 0; t < n; t++)
        x[t] = c->coded.x[t];
    return filter_run(&filter, x, y, n, c->coded.bytes, c->coded.n_bytes);
}

/* Gaussians whose locations are the rows of a matrix times the latents
 * [columns] of each particle, and times `last`, if there is one. */
static bbans_status gaussians(const int32_t *matrix, const int32_t *scale,
                              size_t rows, size_t columns, const int64_t *z,
                              const int64_t *last, int leak, size_t n,
                              void *work, bbans_distribution *law)
{
    ROOM bbans_family family[2];
    int64_t *location = (int64_t *)work;
    int32_t *by = (int32_t *)(void *)(location + rows * n);
    size_t i, j, k;

    for (i = 0; i < rows; i++, matrix += columns + (last != NULL))
        for (j = 0; j < n; j++) {
            int64_t sum = last != NULL ? matrix[columns] * *last : 0;

            for (k = 0; k < columns; k++)
                sum += z == NULL ? 0 : matrix[k] * z[k * n + j];
            location[i * n + j] = sum;
            by[i * n + j] = scale[i];
        }
    (void)bbans_family_init(&family[leak], BBANS_GAUSSIAN);
    family[leak].leakless = !leak;
    return bbans_distribution_init_location_scale(
        law, &family[leak], bbans_array_of(location, BBANS_I64),
        bbans_array_of(by, BBANS_I32));
}

static bbans_status linear_prior(void *user, size_t t, const int64_t *z,
                                 size_t n, void *work, bbans_distribution *law)
{
    const golden_linear_case *c = (const golden_linear_case *)user;

    return gaussians(c->move, t == 0 ? c->first : c->step, c->latents,
                     c->latents, z, NULL, 1, n, work, law);
}

static bbans_status linear_likelihood(void *user, size_t t, const int64_t *z,
                                      size_t n, void *work,
                                      bbans_distribution *law)
{
    const golden_linear_case *c = (const golden_linear_case *)user;

    (void)t;
    return gaussians(c->emit, c->noise, c->observed, c->latents, z, NULL, 1, n,
                     work, law);
}

static bbans_status linear_lookahead(void *user, size_t t, const int64_t *z,
                                     size_t n, void *work,
                                     bbans_distribution *law)
{
    const golden_linear_case *c = (const golden_linear_case *)user;

    (void)t;
    return gaussians(c->ahead, c->ahead_noise, c->observed, c->latents, z, NULL,
                     1, n, work, law);
}

static bbans_status linear_proposal(void *user, size_t t, const int64_t *z,
                                    const int64_t *x, size_t n, void *work,
                                    bbans_distribution *law)
{
    const golden_linear_case *c = (const golden_linear_case *)user;

    (void)t;
    return gaussians(c->pull, c->pull_noise, c->latents, c->latents, z, x, 0, n,
                     work, law);
}

static int linear_case_run(const golden_linear_case *c)
{
    ROOM int64_t y[24];
    const golden_lgssm_case *coded = &c->filter.coded;
    golden_linear_case user = *c;
    bbans_particle_model model;
    bbans_particles filter;

    EXPECT(coded->n * c->observed <= COUNT(y));
    model.user = &user;
    model.latents = c->latents;
    model.observed = c->observed;
    model.symbols = 0;
    model.borrows = 0;
    model.work_bytes = 12 * c->filter.particles *
                       (c->latents > c->observed ? c->latents : c->observed);
    model.prior = linear_prior;
    model.likelihood = linear_likelihood;
    model.lookahead = c->filter.adapted ? linear_lookahead : NULL;
    model.proposal = c->filter.adapted ? linear_proposal : NULL;
    EXPECT(bbans_particles_init(&filter, &model, c->filter.particles,
                                c->filter.key, c->start_length) == BBANS_OK);
    return filter_run(&filter, coded->x, y, coded->n, coded->bytes,
                      coded->n_bytes);
}
#endif

#ifndef GOLDEN_TINY
/* Then its symbols are characters, which the device does not code. */
static int is_of_characters(const bbans_model *model)
{
    return model->kind == BBANS_KIND_TEXT && model->values != NULL;
}

static int record_case_run(const golden_record_case *c)
{
    ROOM uint64_t memory[6000], work[6000];
    ROOM uint8_t record[RECORD_MAX];
    bbans_model model;
    size_t i, n;

    EXPECT(bbans_model_parse(&model, c->file.data, c->file.n) == BBANS_OK);
    EXPECT(bbans_model_build(&model, memory, sizeof memory) == BBANS_OK);
    EXPECT(bbans_record_work_bytes(&model) <= sizeof work);
    for (i = 0; i < c->records; i++) {
        const golden_bytes *data = &c->record[2 * i];
        const golden_bytes *message = &c->record[2 * i + 1];

        EXPECT(bbans_record_encode(&model, data->data, data->n, out, sizeof out,
                                   &n, work, sizeof work) == BBANS_OK);
        EXPECT(n == message->n && equal(out, message->data, n));
        EXPECT(bbans_record_decode(&model, message->data, message->n, record,
                                   sizeof record, &n, work,
                                   sizeof work) == BBANS_OK);
        EXPECT(n == data->n && equal(record, data->data, n));
    }
    for (i = 0; i < c->refusals; i++)
        EXPECT(bbans_record_decode(&model, c->refused[i].data, c->refused[i].n,
                                   record, sizeof record, &n, work,
                                   sizeof work) == BBANS_ERR_CORRUPT);
    return model.type == BBANS_MODEL_ARHMM && !is_of_characters(&model)
               ? tiny_record_case(c)
               : 0;
}
#endif

#ifndef GOLDEN_TINY
static int block_run(const golden_block *c)
{
    ROOM uint64_t work[24000];
    ROOM uint8_t data[600];
    const uint8_t *block = c->block.data;
    int level;
    size_t n;

    EXPECT(c->data.n <= sizeof data);
    EXPECT(bbans_mixing_size(block, c->block.n, &n) == BBANS_OK);
    EXPECT(n == c->data.n);
    EXPECT(bbans_mixing_decompress(block, c->block.n, data, n, &n, work,
                                   sizeof work) == BBANS_OK);
    EXPECT(n == c->data.n && equal(data, c->data.data, n));
    for (level = c->level; level <= c->last_level; level++) {
        EXPECT(bbans_mixing_compress(data, n, level, c->line, out, sizeof out,
                                     &n, work, sizeof work) == BBANS_OK);
        EXPECT(n == c->block.n && equal(out, block, n));
        n = c->data.n;
    }
    return 0;
}

static int ragged_case_run(const golden_ragged_case *c)
{
    ROOM uint64_t memory[400], head[64];
    ROOM uint32_t tail[800];
    ROOM int64_t value[150];
    bbans_ragged ragged;
    bbans_distribution d;
    bbans_message msg;
    size_t n;

    EXPECT(bbans_ragged_init(&ragged, c->prec, c->escape, c->cdf, c->symbols,
                             c->offset, c->rows, memory,
                             sizeof memory) == BBANS_OK);
    EXPECT(bbans_distribution_init_ragged(
               &d, &ragged, bbans_array_of(c->row, BBANS_U8)) == BBANS_OK);
    EXPECT(bbans_message_init(&msg, head, c->lanes, tail, COUNT(tail)) ==
           BBANS_OK);
    EXPECT(bbans_message_push(&msg, &d, c->value, BBANS_I64, c->n) == BBANS_OK);
    EXPECT(bbans_message_write(&msg, out, sizeof out, &n) == BBANS_OK);
    EXPECT(n == c->message.n && equal(out, c->message.data, n));
    EXPECT(bbans_message_read(&msg, c->message.data, c->message.n) == BBANS_OK);
    EXPECT(bbans_message_pop(&msg, &d, value, BBANS_I64, c->n) == BBANS_OK);
    for (n = 0; n < c->n; n++)
        EXPECT(value[n] == c->value[n]);
    return 0;
}
#endif

#ifdef GOLDEN_TINY
size_t golden_count(void)
{
    return COUNT(golden_cases) + COUNT(golden_record_cases);
}

int golden_run(size_t i)
{
    if (i >= COUNT(golden_cases))
        return tiny_record_case(&golden_record_cases[i - COUNT(golden_cases)]);
    return golden_case_run(&golden_models[golden_cases[i].model],
                           &golden_cases[i]);
}
#else
int golden_sequence_get(size_t i, golden_sequence *s)
{
    const size_t n_files = COUNT(golden_model_files);
    const int numbers = i < n_files;
    const golden_bytes *file;

    if (i >= n_files + COUNT(golden_latent_cases))
        return 0;
    file = numbers ? &golden_model_files[i].file
                   : &golden_latents[golden_latent_cases[i - n_files].model];
    s->file = file->data;
    s->n_bytes = file->n;
    s->numbers = numbers;
    s->x =
        numbers ? golden_model_files[i].x : golden_latent_cases[i - n_files].x;
    s->n =
        numbers ? golden_model_files[i].n : golden_latent_cases[i - n_files].n;
    return 1;
}

size_t golden_count(void)
{
    return COUNT(golden_cases) + COUNT(golden_lgssm_cases) +
           COUNT(golden_model_files) + COUNT(golden_networks) +
           COUNT(golden_latent_cases) + COUNT(golden_finite_cases) +
           COUNT(golden_linear_cases) + COUNT(golden_record_cases) +
           COUNT(golden_blocks) + COUNT(golden_ragged_cases);
}

int golden_run(size_t i)
{
    const golden_latent_case *latent;
    const golden_finite_case *finite;
    const golden_lgssm_case *c;

    if (i < COUNT(golden_cases))
        return golden_case_run(&golden_models[golden_cases[i].model],
                               &golden_cases[i]);
    i -= COUNT(golden_cases);
    if (i < COUNT(golden_lgssm_cases)) {
        c = &golden_lgssm_cases[i];
        return lgssm_case_run(&golden_lgssms[c->model], c);
    }
    i -= COUNT(golden_lgssm_cases);
    if (i < COUNT(golden_model_files))
        return model_file_run(&golden_model_files[i]);
    i -= COUNT(golden_model_files);
    if (i < COUNT(golden_networks))
        return network_run(&golden_networks[i]);
    i -= COUNT(golden_networks);
    if (i < COUNT(golden_latent_cases)) {
        latent = &golden_latent_cases[i];
        return latent_case_run(&golden_latents[latent->model], latent);
    }
    i -= COUNT(golden_latent_cases);
    if (i < COUNT(golden_finite_cases)) {
        finite = &golden_finite_cases[i];
        return finite_case_run(&golden_finite_models[finite->coded.model],
                               finite);
    }
    i -= COUNT(golden_finite_cases);
    if (i < COUNT(golden_linear_cases))
        return linear_case_run(&golden_linear_cases[i]);
    i -= COUNT(golden_linear_cases);
    if (i < COUNT(golden_record_cases))
        return record_case_run(&golden_record_cases[i]);
    i -= COUNT(golden_record_cases);
    if (i < COUNT(golden_blocks))
        return block_run(&golden_blocks[i]);
    return ragged_case_run(&golden_ragged_cases[i - COUNT(golden_blocks)]);
}
#endif
