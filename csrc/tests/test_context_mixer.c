/* Context mixers: a prior that a mixer learned, records, sequences and files
 * with it, either form of files, and what is refused.
 *
 * SPDX-License-Identifier: MIT */
#include "mixing/bbans_mixing.h"
#include "costs.h"
#include "record_model.h"

#define PRIOR_BITS 13
#define WEIGHTS (BBANS_MIXER_SETS * BBANS_MIXER_INPUTS)
#define MATCH_SLOTS (BBANS_MIXER_MATCHES * BBANS_MIXER_LENGTHS)
#define TRAINING 6000
#define RECORD_MOST 600

/* A prior, and a model with it. */
typedef struct {
    uint16_t row[BBANS_MIXER_SLOTS << PRIOR_BITS];
    int16_t weight[WEIGHTS];
    uint16_t match[MATCH_SLOTS];
    bbans_frozen frozen;
    bbans_model model;
} mixer;

static const char *const words[] = {"GET ",     "/index", "/images", ".html",
                                    ".png",     " 200 ",  " 404 ",   "error ",
                                    "timeout ", "user=",  "0",       "1"};

/* A line like others, without its line feed. */
static size_t draw_line(uint8_t *line)
{
    size_t n = 0, i, parts = 4 + below(12);

    for (i = 0; i < parts; i++) {
        const char *word = words[below(sizeof words / sizeof *words)];

        memcpy(line + n, word, strlen(word));
        n += strlen(word);
    }
    return n;
}

/* What a mixer knows after some lines is a prior. */
static void learn_prior(mixer *m)
{
    static uint8_t bytes[1 << 14];
    const bbans_mixer_size size = {BBANS_MIXING_MANY, PRIOR_BITS, 10, 0};
    void *memory = allocate(bbans_mixer_bytes(&size) + BBANS_ALIGNMENT);
    static bbans_mixer learned;

    bbans_mixer_start(&learned, &size, NULL, bytes, sizeof bytes - 1,
                      bbans_align(memory));
    while (learned.n < TRAINING) {
        uint8_t line[200];
        const size_t n = draw_line(line);
        size_t i;

        line[n] = '\n';
        for (i = 0; i <= n; i++) {
            bbans_span span;

            bbans_mixer_encode(&learned, line[i], &span);
            bytes[learned.n] = line[i];
            bbans_mixer_learn(&learned, line[i]);
        }
    }
    memcpy(m->row, learned.row, sizeof m->row);
    memcpy(m->weight, learned.weight, sizeof m->weight);
    memcpy(m->match, learned.expected, sizeof m->match);
    free(memory);
}

/* Nothing is known but how to mix. */
static void learn_nothing(mixer *m)
{
    memset(m->row, 0, sizeof m->row);
}

static void set_up(mixer *m, int kind, int end)
{
    CHECK(bbans_context_mixer_init(&m->frozen.context_mixer, PRIOR_BITS, m->row,
                                   m->weight, m->match, 9 + below(4),
                                   6 + below(5), 6 + below(6), 1 + below(127),
                                   end) == BBANS_OK);
    memset(&m->model, 0, sizeof m->model);
    m->model.type = BBANS_MODEL_CONTEXT_MIXER;
    m->model.kind = kind;
    m->model.ends = end >= 0;
    m->model.width = 1;
    m->model.predictive = 1;
    m->model.symbols = m->frozen.context_mixer.symbols;
    m->model.frozen = &m->frozen;
}

/* ---- Records ------------------------------------------------------------- */

static size_t encode(const bbans_model *model, const uint8_t *record, size_t n,
                     uint8_t *bytes)
{
    const size_t size = bbans_record_work_bytes(model);
    void *work = allocate(size);
    size_t n_bytes;

    CHECK(bbans_record_encode(model, record, n, bytes, bbans_record_bound(n),
                              &n_bytes, work, size) == BBANS_OK);
    free(work);
    return n_bytes;
}

static bbans_status decode(const bbans_model *model, const uint8_t *bytes,
                           size_t n_bytes, uint8_t *record, size_t cap,
                           size_t *n)
{
    const size_t size = bbans_record_work_bytes(model);
    void *work = allocate(size);
    const bbans_status status =
        bbans_record_decode(model, bytes, n_bytes, record, cap, n, work, size);

    free(work);
    return status;
}

/* Lines, with bytes that no line has, the end's among them. */
static size_t draw_record(uint8_t *record)
{
    size_t n = 0, lines = below(4), i;

    for (i = 0; i < lines; i++)
        n += draw_line(record + n);
    if (n > 0 && below(3) == 0)
        record[below((uint32_t)n)] = (uint8_t)(below(2) ? '\n' : random_bits());
    return n;
}

static void test_records(mixer *m)
{
    int trial;

    for (trial = 0; trial < SOME(200); trial++) {
        uint8_t record[RECORD_MOST], again[RECORD_MOST];
        uint8_t bytes[RECORD_MOST + BBANS_RECORD_ROOM];
        const size_t n = draw_record(record);
        size_t n_bytes, decoded;

        set_up(m, below(2) ? BBANS_KIND_BYTES : BBANS_KIND_TEXT,
               below(2) ? '\n' : -1);
        if (m->model.kind == BBANS_KIND_TEXT)
            m->model.kind = BBANS_KIND_BYTES; /* any bytes; UTF-8 is one */
        n_bytes = encode(&m->model, record, n, bytes);
        CHECK(n_bytes <= n + 1);
        CHECK(decode(&m->model, bytes, n_bytes, again, n, &decoded) ==
              BBANS_OK);
        CHECK(decoded == n && memcmp(record, again, n) == 0);
        if (n > 0)
            CHECK(decode(&m->model, bytes, n_bytes, again, n - 1, &decoded) ==
                  BBANS_ERR_CAPACITY);
    }
}

/* A prior is worth more than half of what lines take. */
static void test_prior_is_used(mixer *m)
{
    static mixer none;
    size_t with = 0, without = 0;
    int trial;

    memcpy(&none, m, sizeof none);
    learn_nothing(&none);
    for (trial = 0; trial < 50; trial++) {
        uint8_t line[200], bytes[200 + BBANS_RECORD_ROOM];
        const size_t n = draw_line(line);

        check_state = 7;
        set_up(m, BBANS_KIND_BYTES, '\n');
        check_state = 7;
        set_up(&none, BBANS_KIND_BYTES, '\n');
        check_state = (uint64_t)trial + 1;
        with += encode(&m->model, line, n, bytes);
        without += encode(&none.model, line, n, bytes);
    }
    CHECK(2 * with < without);
}

/* Any bytes are refused, or what decodes is coded so. */
static void test_any_bytes(mixer *m)
{
    unsigned refused = 0, taken = 0;
    int trial;

    set_up(m, BBANS_KIND_BYTES, '\n');
    for (trial = 0; trial < SOME(2000); trial++) {
        uint8_t bytes[RECORD_MOST + BBANS_RECORD_ROOM], record[RECORD_MOST];
        size_t n_bytes = below(12), n, i;
        bbans_status status;

        for (i = 0; i < n_bytes; i++)
            bytes[i] = (uint8_t)random_bits();
        status = decode(&m->model, bytes, n_bytes, record, sizeof record, &n);
        CHECK(status == BBANS_OK || status == BBANS_ERR_CORRUPT ||
              status == BBANS_ERR_CAPACITY);
        refused += status != BBANS_OK;
        if (status != BBANS_OK || (n_bytes > 0 && bytes[0] == 0xFF))
            continue;
        CHECK(encode(&m->model, record, n, bytes) == n_bytes);
        taken++;
    }
    CHECK(refused > SOME(100) && taken > SOME(100));
}

/* ---- Sequences ----------------------------------------------------------- */

#define STEPS 3000

static void draw_symbols(const mixer *m, uint32_t *x, size_t n)
{
    uint8_t line[200];
    size_t i, k, length = 0;

    for (i = k = 0; i < n; i++, k++) {
        if (k >= length) {
            length = draw_line(line);
            k = 0;
        }
        x[i] = below(50) == 0 ? below((uint32_t)m->model.symbols) : line[k];
    }
}

/* The mode that the caller sets makes no difference. */
static void test_sequences(mixer *m)
{
    static uint32_t x[STEPS], y[STEPS], tail[3 * STEPS + 64];
    bbans_state_space *space = &m->frozen.space;
    bbans_message msg;
    size_t size, n, i;
    uint64_t head, other = 0;
    void *work;

    set_up(m, BBANS_KIND_BYTES, '\n');
    CHECK(space->predictive == 1);
    draw_symbols(m, x, STEPS);
    size = bbans_sequence_work_bytes(space, STEPS, 10);
    CHECK(size == bbans_sequence_work_bytes(space, 1, 1));
    work = allocate(size);
    CHECK(bbans_sequence_tail_words(space, STEPS) <= sizeof tail / 4);
    CHECK(bbans_message_init(&msg, &head, 1, tail, sizeof tail / 4) ==
          BBANS_OK);
    for (i = 0; i < 2; i++) {
        space->predictive = i == 0;
        CHECK(bbans_sequence_encode(space, x, STEPS, work, size, &msg) ==
              BBANS_OK);
        CHECK(i == 0 || head == other);
        other = head;
        memset(y, 0, sizeof y);
        CHECK(bbans_sequence_decode(space, &msg, y, STEPS, work, size) ==
              BBANS_OK);
        CHECK(memcmp(x, y, sizeof x) == 0);
    }
    check_costs(space, x, STEPS);
    x[STEPS - 1] = 256; /* the end */
    for (n = 0; x[n] != 256; n++)
        ;
    CHECK(bbans_sequence_encode(space, x, n + 1, work, size, &msg) == BBANS_OK);
    CHECK(bbans_sequence_decode_until(space, &msg, y, STEPS, x + n, &i, work,
                                      size) == BBANS_OK);
    CHECK(i == n + 1 && memcmp(x, y, 4 * i) == 0);
    CHECK(bbans_sequence_push(space, &msg, x, 1, work, size) ==
          BBANS_ERR_STATE);
    CHECK(bbans_sequence_pop(space, &msg, y, 1, work, size) == BBANS_ERR_STATE);
    x[1] = 257;
    CHECK(bbans_sequence_encode(space, x, 2, work, size, &msg) ==
          BBANS_ERR_SYMBOL);
    free(work);
}

static void test_many_sequences(mixer *m)
{
    static const uint64_t offset[] = {0, 40, 40, 500, 501, 900};
    static uint32_t x[900], y[900], tail[3 * 1800 + 128];
    static uint8_t bytes[4 * sizeof tail];
    bbans_state_space *space = &m->frozen.space;
    const size_t size = BBANS_BATCH * bbans_sequence_work_bytes(space, 1, 1);
    uint64_t head, byte_offset[6];
    bbans_message msg;
    size_t failed;
    void *work;

    set_up(m, BBANS_KIND_BYTES, below(2) ? '\n' : -1);
    work = allocate(size);
    draw_symbols(m, x, 900);
    CHECK(bbans_message_init(&msg, &head, 1, tail, sizeof tail / 4) ==
          BBANS_OK);
    CHECK(bbans_batch_encode(space, x, offset, 5, work, size, &msg, bytes,
                             sizeof bytes, byte_offset, &failed) == BBANS_OK);
    CHECK(bbans_batch_decode(space, bytes, byte_offset, y, offset, 5, work,
                             size, &msg, &failed) == BBANS_OK);
    CHECK(memcmp(x, y, sizeof x) == 0);
    memset(y, 0, sizeof y);
    CHECK(bbans_packed_encode(space, x, offset, 5, work, size, &msg) ==
          BBANS_OK);
    CHECK(bbans_packed_decode(space, &msg, y, offset, 5, work, size) ==
          BBANS_OK);
    CHECK(memcmp(x, y, sizeof x) == 0);
    free(work);
}

/* ---- Files --------------------------------------------------------------- */

static uint8_t *write_file(const mixer *m, size_t *n)
{
    uint8_t *file, none;

    CHECK(bbans_model_write(&m->frozen.space, m->model.kind, NULL,
                            m->model.ends, &none, 0, n) == BBANS_ERR_CAPACITY);
    file = allocate(*n);
    CHECK(bbans_model_write(&m->frozen.space, m->model.kind, NULL,
                            m->model.ends, file, *n, n) == BBANS_OK);
    return file;
}

static void test_files(mixer *m)
{
    uint8_t *file, *packed, *plain, bytes[200 + BBANS_RECORD_ROOM];
    uint8_t line[200], again[200];
    size_t n, n_packed, cap, n_plain, length, n_bytes, decoded;
    bbans_model read;
    void *memory;

    set_up(m, below(2) ? BBANS_KIND_BYTES : BBANS_KIND_TEXT,
           below(2) ? '\n' : -1);
    file = write_file(m, &n);
    CHECK(bbans_model_pack(file, n, NULL, 0, &cap) == BBANS_ERR_CAPACITY);
    packed = allocate(cap);
    CHECK(bbans_model_pack(file, n, packed, cap, &n_packed) == BBANS_OK);
    CHECK(n_packed < n / 2);
    CHECK(bbans_model_parse(&read, packed, n_packed) == BBANS_ERR_STATE);
    CHECK(bbans_model_unpack(packed, n_packed, NULL, 0, &cap) ==
          BBANS_ERR_CAPACITY);
    plain = allocate(cap);
    CHECK(bbans_model_unpack(packed, n_packed, plain, cap, &n_plain) ==
          BBANS_OK);
    CHECK(n_plain == n && memcmp(plain, file, n) == 0);
    CHECK(bbans_model_parse(&read, plain, n) == BBANS_OK);
    CHECK(read.type == BBANS_MODEL_CONTEXT_MIXER && read.predictive == 1 &&
          read.symbols == m->model.symbols && read.kind == m->model.kind);
    cap = bbans_model_bytes(&read);
    memory = allocate(cap);
    CHECK(bbans_model_build(&read, memory, cap - 1) == BBANS_ERR_CAPACITY);
    CHECK(bbans_model_build(&read, memory, cap) == BBANS_OK);
    length = draw_line(line);
    n_bytes = encode(&m->model, line, length, bytes);
    CHECK(decode(&read, bytes, n_bytes, again, length, &decoded) == BBANS_OK);
    CHECK(decoded == length && memcmp(line, again, length) == 0);
    free(memory);
    free(plain);
    free(packed);
    free(file);
}

/* A file with a number changed, and its checksum right. */
static bbans_status read_changed(const uint8_t *file, size_t n, size_t at,
                                 uint64_t value, size_t width)
{
    uint8_t *changed = allocate(n);
    bbans_status status;
    bbans_model read;

    memcpy(changed, file, n);
    bbans_store(changed + at, value, width);
    bbans_store(changed + n - 4, bbans_crc32(0, changed, n - 4), 4);
    status = bbans_model_parse(&read, changed, n);
    if (status == BBANS_OK) {
        const size_t cap = bbans_model_bytes(&read);
        void *memory = allocate(cap);

        CHECK(cap <= (32u << PRIOR_BITS) + (1u << 16));
        status = bbans_model_build(&read, memory, cap);
        free(memory);
    }
    free(changed);
    return status;
}

static void test_files_that_are_refused(mixer *m)
{
    const size_t rows = 40 + 2 * (WEIGHTS + MATCH_SLOTS);
    static const uint32_t wrong[][3] = {
        {6, 0, 1},              /* mode                     */
        {7, 0, 1},              /* kind                     */
        {8, 5, 1},              /* places of the prior      */
        {8, 23, 1},             /*                          */
        {8, PRIOR_BITS + 3, 1}, /* too many for its rows    */
        {9, 1, 1},              /* alphabet                 */
        {12, 5, 4},             /* contexts remembered      */
        {12, 19, 4},            /*                          */
        {16, 5, 4},             /* places                   */
        {16, 19, 4},            /*                          */
        {20, 5, 4},             /* bytes                    */
        {20, 23, 4},            /*                          */
        {24, 0, 4},             /* rate                     */
        {24, 128, 4},           /*                          */
        {28, 256, 4},           /* end                      */
        {32, 1, 4},             /* rows                     */
        {32, UINT32_MAX, 4},    /*                          */
        {36, 7, 4}};            /* bytes of rows            */
    uint8_t *file;
    size_t n, i;

    set_up(m, BBANS_KIND_BYTES, '\n');
    file = write_file(m, &n);
    CHECK(read_changed(file, n, 28, 13, 1) == BBANS_OK); /* another end */
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(read_changed(file, n, wrong[i][0], wrong[i][1], wrong[i][2]) !=
              BBANS_OK);
    CHECK(read_changed(file, n, rows, 0xFFFFFFFF, 4) == BBANS_ERR_CORRUPT);
    CHECK(read_changed(file, n, rows + 1, 0, 2) == BBANS_ERR_CORRUPT);
    CHECK(read_changed(file, n, rows + 3, file[rows + 3] | 1u, 1) ==
          BBANS_ERR_CORRUPT);
    CHECK(read_changed(file, n, rows + 5, BBANS_MIX_NEW, 2) ==
          BBANS_ERR_CORRUPT);
    for (i = 12; i < n; i += 1 + n / 50) {
        bbans_model read;

        CHECK(bbans_model_parse(&read, file, i) == BBANS_ERR_TRUNCATED);
    }
    free(file);
}

/* Damage to the packed form is found, if not before, by the checksum. */
static void test_damaged_packed_files(mixer *m)
{
    unsigned refused = 0;
    uint8_t *file, *packed, *plain;
    size_t n, n_packed, cap, n_plain, i;

    set_up(m, BBANS_KIND_BYTES, -1);
    file = write_file(m, &n);
    CHECK(bbans_model_pack(file, n, NULL, 0, &cap) == BBANS_ERR_CAPACITY);
    packed = allocate(cap);
    CHECK(bbans_model_pack(file, n, packed, cap, &n_packed) == BBANS_OK);
    CHECK(bbans_model_unpack(packed, n_packed, NULL, 0, &cap) ==
          BBANS_ERR_CAPACITY);
    plain = allocate(cap);
    for (i = 0; i < 300; i++) {
        const size_t at = i < 100 ? 11 + i : below((uint32_t)n_packed);
        const uint8_t was = packed[at];
        bbans_status status;

        packed[at] = (uint8_t)(was ^ (1u << below(8)));
        status = bbans_model_unpack(packed, n_packed, plain, cap, &n_plain);
        CHECK(status != BBANS_OK || memcmp(plain, file, n) == 0);
        refused += status != BBANS_OK;
        status = bbans_model_unpack(packed, at, plain, cap, &n_plain);
        CHECK(status != BBANS_OK);
        packed[at] = was;
    }
    CHECK(refused > 290); /* bits that fill a byte tell nothing */
    free(plain);
    free(packed);
    free(file);
}

/* A slot whose parent is not there has no packed form; few rows have no file.
 */
static void test_priors_without_a_file(mixer *m)
{
    uint8_t *file, none;
    size_t n, cap, i;

    for (i = 0; m->row[BBANS_MIXER_SLOTS * i] == 0; i++)
        ;
    set_up(m, BBANS_KIND_BYTES, -1);
    m->row[BBANS_MIXER_SLOTS * i + 1] = BBANS_MIX_NEW;
    m->row[BBANS_MIXER_SLOTS * i + 2] = 77;
    file = write_file(m, &n);
    CHECK(bbans_model_pack(file, n, NULL, 0, &cap) == BBANS_ERR_SIZE);
    free(file);
    learn_nothing(m);
    CHECK(bbans_model_write(&m->frozen.space, BBANS_KIND_BYTES, NULL, 0, &none,
                            0, &n) == BBANS_ERR_SIZE);
}

static void test_refusals(mixer *m)
{
    static const unsigned wrong[][5] = {{5, 8, 8, 8, 1},  {23, 8, 8, 8, 1},
                                        {13, 5, 8, 8, 1}, {13, 19, 8, 8, 1},
                                        {13, 8, 5, 8, 1}, {13, 8, 19, 8, 1},
                                        {13, 8, 8, 5, 1}, {13, 8, 8, 23, 1},
                                        {13, 8, 8, 8, 0}, {13, 8, 8, 8, 128}};
    bbans_context_mixer model;
    size_t i, n;
    uint8_t none;

#define INIT(m, row, weight, match, n, end)                                    \
    bbans_context_mixer_init(m, (n)[0], row, weight, match, (n)[1], (n)[2],    \
                             (n)[3], (n)[4], end)
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(INIT(&model, m->row, m->weight, m->match, wrong[i], 0) ==
              BBANS_ERR_SIZE);
    for (i = 0; i < 4; i++) {
        static const unsigned right[] = {13, 8, 8, 8, 1};

        CHECK(INIT(i == 0 ? NULL : &model, i == 1 ? NULL : m->row,
                   i == 2 ? NULL : m->weight, i == 3 ? NULL : m->match, right,
                   0) == BBANS_ERR_NULL);
        CHECK(INIT(&model, m->row, m->weight, m->match, right,
                   i % 2 ? 256 : -2) == BBANS_ERR_SIZE);
    }
    set_up(m, BBANS_KIND_BYTES, '\n');
    CHECK(bbans_model_write(&m->frozen.space, BBANS_KIND_INTEGERS, NULL, 1,
                            &none, 0, &n) == BBANS_ERR_SYMBOL);
    CHECK(bbans_model_write(&m->frozen.space, BBANS_KIND_BYTES, NULL, 0, &none,
                            0, &n) == BBANS_ERR_SYMBOL);
}

int main(void)
{
    static mixer m;
    int isa;

    learn_prior(&m);
    FOR_EACH_ISA(isa)
    {
        test_records(&m);
        test_any_bytes(&m);
    }
    test_prior_is_used(&m);
    test_sequences(&m);
    test_many_sequences(&m);
    test_files(&m);
    test_files_that_are_refused(&m);
    test_damaged_packed_files(&m);
    test_refusals(&m);
    test_priors_without_a_file(&m);
    printf("test_context_mixer: ok\n");
    return 0;
}
