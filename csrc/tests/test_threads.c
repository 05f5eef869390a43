/* Many threads at once: every engine, block coder, law and kernel, models and
 * record files that all share, and the choice of kernels itself.  What a thread
 * makes is what one alone made before.  By `make tsan` under the thread
 * sanitizer, which finds what the results do not show.
 *
 * SPDX-License-Identifier: MIT */
#include "check.h"

#if defined(_WIN32) || defined(__wasm__)
int main(void)
{
    puts("test_threads: left out, there are none");
    return 0;
}
#else
#include "golden.h"
#include "record_model.h"

#include <pthread.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define THREADS 4
#define ROOM 4096 /* bytes that a piece of work makes, at most */

/* Piece k of a kind of work: makes *n bytes, which depend on k alone. */
typedef void work(size_t k, uint8_t *bytes, size_t *n);

/* The generator of check.h is one for all threads, so it makes data only
 * before they start. */
static uint8_t noise[8192];

/* ---- The stored vectors -------------------------------------------------- */

static void code_vector(size_t k, uint8_t *bytes, size_t *n)
{
    (void)bytes;
    CHECK(golden_run(k) == 0);
    *n = 0;
}

/* ---- Models, of every type, that all threads share ----------------------- */

#define MODELS_MAX 1000

static struct {
    bbans_model model;
    void *memory, *x;
    size_t n;
} given[MODELS_MAX];
static size_t n_models;

/* Symbols of numbers, or what the model takes. */
static void *observations(const bbans_model *model, const golden_sequence *s)
{
    const size_t size = s->n * model->frozen->space.observation_bytes;
    void *x = allocate(size);
    size_t t;

    if (s->numbers && model->symbols > 0)
        for (t = 0; t < s->n; t++)
            ((uint32_t *)x)[t] = (uint32_t)((const int64_t *)s->x)[t];
    else if (size > 0)
        memcpy(x, s->x, size);
    return x;
}

static void load_models(void)
{
    unsigned types = 0;
    golden_sequence s;
    size_t n;

    for (; golden_sequence_get(n_models, &s); n_models++) {
        bbans_model *model = &given[n_models].model;

        CHECK(n_models < MODELS_MAX);
        CHECK(bbans_model_parse(model, s.file, s.n_bytes) == BBANS_OK);
        n = bbans_model_bytes(model);
        given[n_models].memory = allocate(n);
        CHECK(bbans_model_build(model, given[n_models].memory, n) == BBANS_OK);
        given[n_models].x = observations(model, &s);
        given[n_models].n = s.n;
        types |= 1u << model->type;
    }
    for (n = BBANS_MODEL_HMM; n <= BBANS_MODEL_FACTORIAL; n++)
        CHECK(types >> n & 1);
}

/* There and back, and what each observation takes. */
static void code_sequence(size_t k, uint8_t *bytes, size_t *made)
{
    const bbans_state_space *space = &given[k].model.frozen->space;
    const size_t n = given[k].n, size = n * space->observation_bytes;
    const size_t words =
        bbans_sequence_tail_words(space, n) + n * space->pop_words;
    const size_t work_bytes = bbans_sequence_work_bytes(space, n, n);
    const size_t costs_bytes = bbans_sequence_costs_bytes(space);
    uint32_t *tail = allocate(4 * words);
    uint64_t *cost = allocate(8 * n), head;
    void *x = given[k].x, *back = allocate(size);
    void *room = allocate(work_bytes), *costs_room = allocate(costs_bytes);
    bbans_message msg;

    CHECK(bbans_message_init(&msg, &head, 1, tail, words) == BBANS_OK);
    CHECK(bbans_sequence_encode(space, x, n, room, work_bytes, &msg) ==
          BBANS_OK);
    CHECK(bbans_message_write(&msg, bytes, ROOM, made) == BBANS_OK);
    CHECK(bbans_sequence_decode(space, &msg, back, n, room, work_bytes) ==
          BBANS_OK);
    CHECK(size == 0 || memcmp(x, back, size) == 0);
    CHECK(bbans_sequence_costs(space, x, n, cost, costs_room, costs_bytes) ==
          BBANS_OK);
    if (n > 0)
        memcpy(bytes + *made, cost, 8 * n);
    *made += 8 * n;
    free(tail);
    free(cost);
    free(back);
    free(room);
    free(costs_room);
}

/* ---- Containers ---------------------------------------------------------- */

#define ELEMENTS 600

/* Text with noise, or a rising signal. */
static void make_elements(uint8_t *data, size_t width)
{
    size_t i;

    for (i = 0; i < ELEMENTS * width; i++)
        data[i] =
            width == 1
                ? (uint8_t)("data of few letters, "[i % 21] ^ noise[i] / 86)
            : i % width == 0 ? (uint8_t)(i + noise[i] / 32)
                             : (uint8_t)(i >> 8);
}

#define LEVELS 3
static const struct {
    int element;
    size_t channels, columns;
} contents[] = {
    {BBANS_ELEMENT_BYTES, 0, 0},   {BBANS_ELEMENT_UTF8, 0, 0},
    {BBANS_ELEMENT_INT16, 1, 0},   {BBANS_ELEMENT_INT32, 3, 0},
    {BBANS_ELEMENT_UINT16, 0, 20}, {BBANS_ELEMENT_FLOAT32, 1, 0},
    {BBANS_ELEMENT_UINT32, 0, 0},
};

static void code_block(size_t k, uint8_t *bytes, size_t *n)
{
    static const int levels[LEVELS] = {1, 4, 9};
    const size_t i = k / LEVELS;
    const int element = contents[i].element, level = levels[k % LEVELS];
    const size_t width = bbans_element_bytes(element);
    bbans_content content = bbans_content_of(element);
    uint8_t *data = allocate(2 * ELEMENTS * width);
    uint8_t *back = data + ELEMENTS * width;
    size_t work_bytes, n_back;
    bbans_reader reader;
    void *room;

    content.channels = contents[i].channels;
    if (contents[i].columns > 0) {
        content.grid.rows = ELEMENTS / contents[i].columns;
        content.grid.columns = contents[i].columns;
        content.grid.bands = 1;
    }
    make_elements(data, width);
    work_bytes = bbans_writer_work_bytes(NULL, &content, level, 300, 300);
    room = allocate(work_bytes);
    CHECK(bbans_compress(NULL, &content, data, ELEMENTS, 300, level, room,
                         work_bytes, bytes, ROOM, n) == BBANS_OK);
    free(room);
    CHECK(bbans_container_check(&reader, bytes, *n) == BBANS_OK);
    work_bytes = bbans_reader_work_bytes(&reader, NULL);
    room = allocate(work_bytes);
    CHECK(bbans_decompress(NULL, bytes, *n, room, work_bytes, back, ELEMENTS,
                           &n_back) == BBANS_OK);
    CHECK(n_back == ELEMENTS && memcmp(data, back, ELEMENTS * width) == 0);
    free(room);
    free(data);
}

/* ---- Records, in a file that all threads read ---------------------------- */

#define RECORDS 60

static record_model shared;
static uint8_t record_bytes[8192];
static bbans_record_group groups[2];
static bbans_records records;

static size_t record_of(size_t k, const uint8_t **record)
{
    *record = noise + 40 * k;
    return k % 30;
}

static void encode_record(size_t k, uint8_t *bytes, size_t *n)
{
    const size_t work_bytes = bbans_record_work_bytes(&shared.model);
    void *room = allocate(work_bytes);
    const uint8_t *record;
    const size_t size = record_of(k, &record);

    CHECK(bbans_record_encode(&shared.model, record, size, bytes, ROOM, n, room,
                              work_bytes) == BBANS_OK);
    free(room);
}

static void make_records(void)
{
    static const uint8_t name[8];
    uint8_t message[RECORDS * 64];
    uint32_t end[RECORDS];
    size_t g, k, n, at = 0;

    make_record_model(&shared, 0, 1);
    CHECK(bbans_records_put_header(BBANS_KIND_BYTES, 1, name, NULL, 0, NULL, 0,
                                   record_bytes, sizeof record_bytes,
                                   &at) == BBANS_OK);
    for (g = 0; g < COUNT(groups); g++) {
        size_t used = 0;

        for (k = 0; k < RECORDS / 2; k++) {
            uint8_t bytes[ROOM];

            encode_record(g * (RECORDS / 2) + k, bytes, &n);
            memcpy(message + used, bytes, n);
            end[k] = (uint32_t)(used += n);
        }
        CHECK(bbans_records_put_group(
                  at, g * (RECORDS / 2), message, end, RECORDS / 2, 1, 0,
                  record_bytes + at, sizeof record_bytes - at, &n) == BBANS_OK);
        at += n;
    }
    CHECK(bbans_records_open(&records, record_bytes, at) == BBANS_OK);
    CHECK(bbans_records_scan(&records, record_bytes, at, groups,
                             COUNT(groups)) == BBANS_OK);
    CHECK(records.records == RECORDS);
}

static void read_record(size_t k, uint8_t *bytes, size_t *n)
{
    const size_t work_bytes = bbans_record_work_bytes(&shared.model);
    void *room = allocate(work_bytes);
    const uint8_t *record;
    const size_t size = record_of(k, &record);

    CHECK(bbans_records_check(&records, k / (RECORDS / 2)) == BBANS_OK);
    CHECK(bbans_records_get(&records, k, &shared.model, bytes, ROOM, n, room,
                            work_bytes) == BBANS_OK);
    CHECK(*n == size && memcmp(bytes, record, size) == 0);
    free(room);
}

/* ---- Laws, over the lanes of a message ----------------------------------- */

#define LANES 64
#define VALUES 200
#define LAWS 10

static bbans_family family;
static uint32_t weight[4 * VALUES], count[VALUES], part[VALUES];
static int64_t location[2 * VALUES];
static int32_t scale[2 * VALUES];

static void make_parameters(void)
{
    size_t i;

    CHECK(bbans_family_init(&family, BBANS_GAUSSIAN) == BBANS_OK);
    for (i = 0; i < 4 * VALUES; i++)
        weight[i] = 1 + below(1000);
    for (i = 0; i < 2 * VALUES; i++) {
        location[i] = (int64_t)below(1 << 24) - (1 << 23);
        scale[i] = (int32_t)below(2000);
    }
    for (i = 0; i < VALUES; i++) {
        count[i] = 1 + below(60);
        part[i] = 1 + below(1 << 20);
    }
}

static bbans_distribution law_of(size_t k)
{
    const bbans_array at = bbans_array_of(location, BBANS_I64);
    const bbans_array by = bbans_array_of(scale, BBANS_I32);
    const bbans_array w = bbans_array_of(weight, BBANS_U32);
    const bbans_array p = bbans_array_of(part, BBANS_U32);
    bbans_distribution d;
    bbans_status status = BBANS_OK;

    switch (k) {
    case 0:
        status = bbans_distribution_init_location_scale(&d, &family, at, by);
        break;
    case 1:
        status = bbans_distribution_init_mixture(&d, &family, 2, w, at, by,
                                                 INT64_MIN, INT64_MAX);
        break;
    case 2: status = bbans_distribution_init_weighted(&d, w, 4); break;
    case 3: status = bbans_distribution_init_uniform(&d, 1000); break;
    case 4: status = bbans_distribution_init_bernoulli(&d, 21, part); break;
    case 5: status = bbans_distribution_init_range(&d, -5, INT64_MAX); break;
    case 6: status = bbans_distribution_init_geometric(&d, by); break;
    case 7: status = bbans_distribution_init_binomial(&d, count, p); break;
    case 8: status = bbans_distribution_init_poisson(&d, p); break;
    default:
        status = bbans_distribution_init_beta_binomial(&d, count, p, p);
        break;
    }
    CHECK(status == BBANS_OK);
    return d;
}

/* Pop values, and push them back. */
static void code_values(size_t k, uint8_t *bytes, size_t *n)
{
    const bbans_distribution d = law_of(k);
    const size_t cap = 2000 + VALUES * d.words;
    uint32_t *tail = allocate(4 * cap);
    uint64_t head[LANES];
    int64_t value[VALUES];
    bbans_message msg;

    CHECK(bbans_message_init(&msg, head, LANES, tail, cap) == BBANS_OK);
    CHECK(bbans_message_seed(&msg, noise, sizeof noise - 200) == BBANS_OK);
    CHECK(bbans_message_pop(&msg, &d, value, BBANS_I64, VALUES) == BBANS_OK);
    CHECK(bbans_message_push(&msg, &d, value, BBANS_I64, VALUES) == BBANS_OK);
    CHECK(bbans_message_unseed(&msg, bytes, 2 * ROOM, n) == BBANS_OK);
    CHECK(*n == sizeof noise - 200 && memcmp(bytes, noise, *n) == 0);
    memcpy(bytes, value, *n = sizeof value);
    free(tail);
}

/* ---- All of it ----------------------------------------------------------- */

static struct {
    const char *name;
    work *run;
    size_t count;
    uint8_t (*bytes)[ROOM]; /* [count] what one thread alone makes */
    size_t *n;              /* [count] */
} works[] = {
    {"stored vectors", code_vector, 0, NULL, NULL},
    {"sequences", code_sequence, 0, NULL, NULL},
    {"containers", code_block, COUNT(contents) * LEVELS, NULL, NULL},
    {"records", encode_record, RECORDS, NULL, NULL},
    {"records of a file", read_record, RECORDS, NULL, NULL},
    {"laws", code_values, LAWS, NULL, NULL},
};

/* Run all pieces, those of each kind from another place on. */
static void run_all(size_t thread, int first)
{
    uint8_t *bytes = allocate(2 * ROOM);
    size_t i, j, n;

    for (i = 0; i < COUNT(works); i++)
        for (j = 0; j < works[i].count; j++) {
            const size_t k =
                (j + thread * works[i].count / THREADS) % works[i].count;

            works[i].run(k, bytes, &n);
            CHECK(n <= ROOM);
            if (first) {
                works[i].n[k] = n;
                memcpy(works[i].bytes[k], bytes, n);
            }
            CHECK(n == works[i].n[k] &&
                  memcmp(bytes, works[i].bytes[k], n) == 0);
        }
    free(bytes);
}

static pthread_mutex_t start = PTHREAD_MUTEX_INITIALIZER;
static int isa_of_all;

static void *run(void *number)
{
    CHECK(pthread_mutex_lock(&start) == 0); /* until all are there */
    CHECK(pthread_mutex_unlock(&start) == 0);
    CHECK(bbans_isa_use(isa_of_all) == isa_of_all);
    run_all(*(const size_t *)number, 0);
    return NULL;
}

int main(void)
{
    pthread_t thread[THREADS];
    size_t number[THREADS], i;

    for (i = 0; i < sizeof noise; i++)
        noise[i] = (uint8_t)random_bits();
    load_models();
    make_parameters();
    make_records();
    works[0].count = golden_count();
    works[1].count = n_models;
    for (i = 0; i < COUNT(works); i++) {
        works[i].bytes = allocate(works[i].count * ROOM);
        works[i].n = allocate(works[i].count * sizeof(size_t));
    }
    run_all(0, 1);
    for (isa_of_all = 0; isa_of_all < BBANS_ISA_BEST; isa_of_all++) {
        if (bbans_isa_name(isa_of_all) == NULL)
            continue;
        /* Those of another set are in use: all threads choose at once. */
        CHECK(pthread_mutex_lock(&start) == 0);
        for (i = 0; i < THREADS; i++) {
            number[i] = i;
            CHECK(pthread_create(&thread[i], NULL, run, &number[i]) == 0);
        }
        CHECK(pthread_mutex_unlock(&start) == 0);
        for (i = 0; i < THREADS; i++)
            CHECK(pthread_join(thread[i], NULL) == 0);
        printf("test_threads: %d threads, %s\n", THREADS,
               bbans_isa_name(isa_of_all));
    }
    for (i = 0; i < n_models; i++) {
        free(given[i].memory);
        free(given[i].x);
    }
    for (i = 0; i < COUNT(works); i++) {
        free(works[i].bytes);
        free(works[i].n);
    }
    free_record_model(&shared);
    return 0;
}
#endif
