/* A frozen linear Gaussian state space model in the schedule: docs/maths.md,
 * "Linear Gaussian state space models".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_conditionals.h"
#include "bbans_state_space.h"

/* The words of a step, in this order: matrices, each row led by its shift, then
 * scales. */
typedef struct {
    const int64_t *move_offset, *emit_offset;
    const int32_t *move;       /* [n][1 + n] A: z_t from z_t-1               */
    const int32_t *back;       /* [n][1 + n] J: z_t-1 from z_t               */
    const int32_t *emit;       /* [p][1 + n] C: x_t from z_t                 */
    const int32_t *gain;       /* [n][1 + p] K                               */
    const int32_t *emit_lower; /* [p][1 + p] of x_t given z_t        */
    const int32_t *predict_lower; /* [p][1 + p] of x_t given the past   */
    const int32_t *final_lower;   /* [n][1 + n] of z_t given x_1 .. x_t */
    const int32_t *move_scale;    /* [n] of z_t given z_t-1             */
    const int32_t *back_scale;    /* [n] of z_t-1 given z_t             */
    const int32_t *emit_scale, *predict_scale; /* [p]                   */
    const int32_t *final_scale;                /* [n]                   */
} step;

size_t bbans_lgssm_step_words(size_t latents, size_t observed)
{
    const size_t n = latents, p = observed;

    if (n < 1 || n > BBANS_LATENTS_MAX || p < 1 || p > BBANS_LATENTS_MAX)
        return 0;
    return 3 * n * (1 + n) + p * (1 + n) + n * (1 + p) + 2 * p * (1 + p) +
           3 * n + 2 * p;
}

/* Where the arrays of a step begin in its words. */
static void set_parts(bbans_lgssm *model)
{
    const size_t n = model->latents, p = model->observed;
    const size_t words[] = {n * (1 + n),
                            n * (1 + n),
                            p * (1 + n),
                            n * (1 + p),
                            p * (1 + p),
                            p * (1 + p),
                            n * (1 + n),
                            n,
                            n,
                            p,
                            p};
    size_t i;

    model->part[0] = 0;
    for (i = 0; i < sizeof words / sizeof *words; i++)
        model->part[i + 1] = model->part[i] + words[i];
}

/* Inline, so that what is not used of it costs nothing. */
static inline step step_of(const bbans_lgssm *model, size_t t)
{
    const size_t i = t < model->steps ? t : model->steps - 1;
    const int32_t *word = model->word + i * model->step_words;
    const size_t *part = model->part;
    step s;

    s.move_offset = model->offset + i * (model->latents + model->observed);
    s.emit_offset = s.move_offset + model->latents;
    s.move = word + part[0];
    s.back = word + part[1];
    s.emit = word + part[2];
    s.gain = word + part[3];
    s.emit_lower = word + part[4];
    s.predict_lower = word + part[5];
    s.final_lower = word + part[6];
    s.move_scale = word + part[7];
    s.back_scale = word + part[8];
    s.emit_scale = word + part[9];
    s.predict_scale = word + part[10];
    s.final_scale = word + part[11];
    return s;
}

static int step_is_valid(const step *s, size_t n, size_t p)
{
    size_t i;

    for (i = 0; i < n + p; i++)
        if (s->move_offset[i] < -BBANS_LOCATION_MAX ||
            s->move_offset[i] > BBANS_LOCATION_MAX)
            return 0;
    for (i = 0; i < 3 * n + 2 * p; i++)
        if (s->move_scale[i] < BBANS_SCALE_MIN ||
            s->move_scale[i] > BBANS_SCALE_MAX)
            return 0;
    return bbans_shifts_are_valid(s->move, 2 * n + p, n) &&
           bbans_shifts_are_valid(s->gain, n, p) &&
           bbans_shifts_are_valid(s->emit_lower, 2 * p, p) &&
           bbans_shifts_are_valid(s->final_lower, n, n);
}

static inline void rows_of(const int64_t *base, const int32_t *matrix,
                           size_t rows, size_t columns, const bbans_vector *v,
                           int64_t *location)
{
    size_t i;

    for (i = 0; i < rows; i++)
        location[i] =
            bbans_affine_row(base[i], matrix + i * (1 + columns), v, columns);
}

/* With usual counts as constants, for loops without branches. */
static inline void affine_rows(const int64_t *base, const int32_t *matrix,
                               size_t rows, size_t columns,
                               const bbans_vector *v, int64_t *location)
{
    if (rows == 4 && columns == 4)
        rows_of(base, matrix, 4, 4, v, location);
    else if (columns == 4)
        rows_of(base, matrix, rows, 4, v, location);
    else if (columns == 1)
        rows_of(base, matrix, rows, 1, v, location);
    else
        rows_of(base, matrix, rows, columns, v, location);
}

static void put_elements(bbans_vector *out, const int64_t *value, size_t n)
{
    size_t i;

    out->large = 0; /* for compilers: n > 0 */
    for (i = 0; i < n; i++)
        bbans_put_element(out, i, value[i]);
}

static void put_points(bbans_vector *out, const int64_t *integer, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        bbans_put_element(out, i, bbans_point_of(integer[i]));
}

static void put_differences(bbans_vector *out, const int64_t *integer,
                            const int64_t *location, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++)
        bbans_put_element(out, i, bbans_point_of(integer[i]) - location[i]);
}

/* ---- The filter ---------------------------------------------------------- */

/* What is known of z_t: `predicted` by x_1 .. x_t-1, `filtered` with x_t too.
 */

static void predict(const bbans_lgssm *model, const step *s,
                    const int64_t *filtered, int64_t *predicted,
                    int64_t *belief)
{
    const size_t n = model->latents;
    bbans_vector v;
    size_t i;

    put_elements(&v, filtered, n);
    for (i = 0; i < n; i++)
        belief[i] = predicted[i] =
            bbans_affine_row(s->move_offset[i], s->move + i * (1 + n), &v, n);
}

static void predict_observed(const bbans_lgssm *model, const step *s,
                             const int64_t *predicted, int64_t *location)
{
    const size_t n = model->latents;
    bbans_vector v;

    put_elements(&v, predicted, n);
    affine_rows(s->emit_offset, s->emit, model->observed, n, &v, location);
}

static void correct(const bbans_lgssm *model, const step *s,
                    const int64_t *predicted, const int64_t *expected,
                    const int64_t *x, int64_t *filtered)
{
    bbans_vector error;

    put_differences(&error, x, expected, model->observed);
    affine_rows(predicted, s->gain, model->latents, model->observed, &error,
                filtered);
}

static bbans_conditionals of_state(const bbans_lgssm *model,
                                   const int32_t *lower, const int32_t *scale,
                                   uint32_t leak)
{
    bbans_conditionals c;

    c.family = model->gaussian;
    c.lower = lower;
    c.scale = scale;
    c.n = model->latents;
    c.leak = leak;
    return c;
}

static bbans_conditionals of_observed(const bbans_lgssm *model,
                                      const int32_t *lower,
                                      const int32_t *scale, uint32_t leak)
{
    bbans_conditionals c = of_state(model, lower, scale, leak);

    c.family = model->noise;
    c.n = model->observed;
    return c;
}

#ifndef BBANS_DECODER_ONLY
static void range_encode_values(bbans_range_encoder *enc,
                                const bbans_conditionals *c, int64_t *location,
                                const int64_t *value)
{
    size_t i;

    bbans_move_all(c, value, location);
    for (i = 0; i < c->n; i++) {
        const bbans_place place = bbans_conditional_place(c, location, i);

        bbans_range_encode_value(enc, c->family, &place, BBANS_PARTS_SHORT,
                                 value[i]);
    }
}
#endif /* BBANS_DECODER_ONLY */

static bbans_status range_decode_values(bbans_range_decoder *dec,
                                        const bbans_conditionals *c,
                                        int64_t *location, int64_t *value)
{
    bbans_vector moved;
    size_t i;

    moved.large = 0; /* for compilers */
    for (i = 0; i < c->n; i++) {
        bbans_status status;
        bbans_place place;

        bbans_move_one(c, i, &moved, location);
        place = bbans_conditional_place(c, location, i);
        status = bbans_range_decode_value(dec, c->family, &place,
                                          BBANS_PARTS_SHORT, value + i);
        if (status != BBANS_OK)
            return status;
        bbans_note_moved(&moved, i, value[i], location);
    }
    return BBANS_OK;
}

/* ---- One value, for coders of the caller's own --------------------------- */

static bbans_status check_value(const bbans_family *family, int64_t location,
                                int32_t scale, unsigned prec)
{
    if (family == NULL)
        return BBANS_ERR_NULL;
    if (prec < 24 || prec > BBANS_FAMILY_PREC)
        return BBANS_ERR_PRECISION;
    return location < -BBANS_LOCATION_MAX || location > BBANS_LOCATION_MAX ||
                   scale < BBANS_SCALE_MIN || scale > BBANS_SCALE_MAX
               ? BBANS_ERR_SYMBOL
               : BBANS_OK;
}

bbans_status bbans_family_span(const bbans_family *family, int64_t location,
                               int32_t scale, unsigned prec, int64_t value,
                               uint32_t *start, uint32_t *freq, uint64_t *low,
                               unsigned *low_bits)
{
    const bbans_status status = check_value(family, location, scale, prec);
    unsigned cut;
    bbans_place place;
    bbans_bin bin;

    if (start == NULL || freq == NULL || low == NULL || low_bits == NULL)
        return BBANS_ERR_NULL;
    if (status != BBANS_OK)
        return status;
    cut = BBANS_FAMILY_PREC - prec;
    place = bbans_place_of(location, scale, bbans_leak(family) << cut);
    bin = bbans_bin_of_value(&place, value);
    *start = bbans_edge(family, &place, bin.q) >> cut;
    *freq = (bbans_edge(family, &place, bin.q + 1) >> cut) - *start;
    *low = bin.low;
    *low_bits = bin.low_bits;
    return *freq > 0 ? BBANS_OK : BBANS_ERR_SYMBOL;
}

bbans_status bbans_family_find(const bbans_family *family, int64_t location,
                               int32_t scale, unsigned prec, uint32_t slot,
                               uint32_t *start, uint32_t *freq, int64_t *first,
                               int64_t *sign, unsigned *low_bits)
{
    const bbans_status status = check_value(family, location, scale, prec);
    unsigned cut;
    bbans_place place;
    bbans_bin bin;
    bbans_span span;

    if (start == NULL || freq == NULL || first == NULL || sign == NULL ||
        low_bits == NULL)
        return BBANS_ERR_NULL;
    if (status != BBANS_OK)
        return status;
    if (slot >> prec != 0)
        return BBANS_ERR_INTERVAL;
    cut = BBANS_FAMILY_PREC - prec;
    place = bbans_place_of(location, scale, bbans_leak(family) << cut);
    bin.q =
        bbans_find_bin(family, &place, slot << cut | ((1u << cut) - 1), &span);
    *start = span.start >> cut;
    *freq = (span.end >> cut) - *start;
    *low_bits = bin.low_bits = bbans_low_bits(&place, bin.q);
    *sign = bin.q < 0 ? -1 : 1;
    bin.low = 0;
    return bbans_value_of_bin(&place, bin, first) ? BBANS_OK : BBANS_ERR_SYMBOL;
}

/* ---- The engine ---------------------------------------------------------- */

/* States are n integers of 64 bits.  The belief is the mean of z_t given x_1 ..
 * x_t-1; the record that of z_t given x_1 .. x_t, and of z_t+1. */

static const int64_t *observed_at(const bbans_lgssm *model,
                                  const bbans_stream *s)
{
    return (const int64_t *)s->x + s->t * model->observed;
}

static void start(const bbans_state_space *model, void *belief)
{
    const bbans_lgssm *m = (const bbans_lgssm *)(const void *)model;

    memcpy(belief, step_of(m, 0).move_offset, m->latents * sizeof(int64_t));
}

/* The means after x[t], whose mean was `expected`. */
static void filter_observed(const bbans_lgssm *model, bbans_stream *s,
                            const int64_t *expected)
{
    const step now = step_of(model, s->t), next = step_of(model, s->t + 1);
    int64_t *belief = (int64_t *)s->belief, *filtered = (int64_t *)s->record;

    correct(model, &now, belief, expected, observed_at(model, s), filtered);
    predict(model, &next, filtered, filtered + model->latents, belief);
}

static inline void expect(const bbans_lgssm *model, const bbans_stream *s,
                          int64_t *expected)
{
    const step now = step_of(model, s->t);

    predict_observed(model, &now, (const int64_t *)s->belief, expected);
}

/* P(z_t | z_t-1), or P(z_1). */
static inline bbans_conditionals prior(const bbans_lgssm *model,
                                       const bbans_stream *s, int64_t *location)
{
    static const int64_t none[BBANS_LATENTS_MAX];
    const step now = step_of(model, s->t);
    const size_t n = model->latents;
    bbans_vector v;

    put_points(&v, s->z_before == NULL ? none : (const int64_t *)s->z_before,
               n);
    affine_rows(now.move_offset, now.move, n, n, &v, location);
    return of_state(model, NULL, now.move_scale, BBANS_CUT_LEAK);
}

/* Q(z_t-1 | x_1 .. x_t-1, z_t), or without z_t. */
static inline bbans_conditionals
posterior(const bbans_lgssm *model, const bbans_stream *s, int64_t *location)
{
    const size_t n = model->latents;
    const int64_t *filtered = (const int64_t *)s->record_before;
    bbans_vector v;
    step near;

    if (s->z == NULL) {
        near = step_of(model, s->t - 1);
        memcpy(location, filtered, n * sizeof *location);
        return of_state(model, near.final_lower, near.final_scale, 0);
    }
    near = step_of(model, s->t);
    put_differences(&v, (const int64_t *)s->z, filtered + n, n);
    affine_rows(filtered, near.back, n, n, &v, location);
    return of_state(model, NULL, near.back_scale, 0);
}

/* P(x_t | z_t). */
static inline bbans_conditionals
likelihood(const bbans_lgssm *model, const bbans_stream *s, int64_t *location)
{
    const step now = step_of(model, s->t);
    bbans_vector v;

    put_points(&v, (const int64_t *)s->z, model->latents);
    affine_rows(now.emit_offset, now.emit, model->observed, model->latents, &v,
                location);
    return of_observed(model, now.emit_lower, now.emit_scale, BBANS_CUT_LEAK);
}

/* P(x_t | x_1 .. x_t-1). */
static bbans_conditionals predictive(const bbans_lgssm *model,
                                     const bbans_stream *s)
{
    const step now = step_of(model, s->t);

    return of_observed(model, now.predict_lower, now.predict_scale, 1);
}

static void pop_prior(const bbans_lgssm *model, bbans_stream *s)
{
    int64_t location[BBANS_LATENTS_MAX];
    const bbans_conditionals c = prior(model, s, location);

    if (bbans_pop_conditionals(&s->lane, &c, location, (int64_t *)s->z) !=
        BBANS_OK)
        s->status = BBANS_ERR_CORRUPT;
}

static void push_posterior(const bbans_lgssm *model, bbans_stream *s)
{
    int64_t location[BBANS_LATENTS_MAX];
    const bbans_conditionals c = posterior(model, s, location);

    if (bbans_push_conditionals(&s->lane, &c, location,
                                (const int64_t *)s->z_before) != BBANS_OK)
        s->status = BBANS_ERR_CORRUPT;
}

static void pop_likelihood(const bbans_lgssm *model, bbans_stream *s)
{
    int64_t location[BBANS_LATENTS_MAX], expected[BBANS_LATENTS_MAX];
    const bbans_conditionals c = likelihood(model, s, location);
    int64_t *x = (int64_t *)s->out + s->t * model->observed;

    if (bbans_pop_conditionals(&s->lane, &c, location, x) != BBANS_OK)
        s->status = BBANS_ERR_CORRUPT;
    expect(model, s, expected);
    filter_observed(model, s, expected);
}

static bbans_status decode(const bbans_state_space *model, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    const bbans_lgssm *m = (const bbans_lgssm *)(const void *)model;
    int64_t location[BBANS_LATENTS_MAX], expected[BBANS_LATENTS_MAX];
    bbans_status status;
    bbans_conditionals c;

    expect(m, s, expected);
    memcpy(location, expected, m->observed * sizeof *location);
    c = predictive(m, s);
    status = range_decode_values(dec, &c, location,
                                 (int64_t *)s->out + s->t * m->observed);
    if (status == BBANS_OK)
        filter_observed(m, s, expected);
    return status;
}

#ifndef BBANS_DECODER_ONLY
static void filter(const bbans_lgssm *model, bbans_stream *s)
{
    int64_t expected[BBANS_LATENTS_MAX];

    expect(model, s, expected);
    filter_observed(model, s, expected);
}

/* Nothing here fails: without a leak, Q has no values beyond 8 2^47 from a
 * location, and with it P has them all. */
static void push_prior(const bbans_lgssm *model, bbans_stream *s)
{
    int64_t location[BBANS_LATENTS_MAX];
    const bbans_conditionals c = prior(model, s, location);

    (void)bbans_push_conditionals(&s->lane, &c, location,
                                  (const int64_t *)s->z);
}

static void pop_posterior(const bbans_lgssm *model, bbans_stream *s)
{
    int64_t location[BBANS_LATENTS_MAX];
    const bbans_conditionals c = posterior(model, s, location);

    (void)bbans_pop_conditionals(&s->lane, &c, location,
                                 (int64_t *)s->z_before);
}

static void push_likelihood(const bbans_lgssm *model, bbans_stream *s)
{
    int64_t location[BBANS_LATENTS_MAX];
    const bbans_conditionals c = likelihood(model, s, location);

    (void)bbans_push_conditionals(&s->lane, &c, location,
                                  observed_at(model, s));
}

static void encode(const bbans_state_space *model, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const bbans_lgssm *m = (const bbans_lgssm *)(const void *)model;
    int64_t expected[BBANS_LATENTS_MAX];
    bbans_conditionals c;

    expect(m, s, expected);
    filter_observed(m, s, expected); /* of x[t], which is known */
    c = predictive(m, s);
    range_encode_values(enc, &c, expected, observed_at(m, s));
}
#endif /* BBANS_DECODER_ONLY */

#define MODEL bbans_lgssm
#include "bbans_steps.h"
#undef MODEL

static const bbans_engine engine = {
    .type = BBANS_MODEL_LGSSM,
    .start = start,
#ifndef BBANS_DECODER_ONLY
    .filter_all = filter_all,
    .push_all = push_all,
    .encode = encode,
#endif /* BBANS_DECODER_ONLY */
    .pop_all = pop_all,
    .decode = decode,
};

/* A value takes at most 28 + 64 bits, in up to four pushes: 4 words, also of
 * scratch. */
static size_t words_of(const bbans_lgssm *model)
{
    return model->latents > model->observed
               ? 4 * (model->latents + model->observed)
               : 8 * model->observed;
}

static void set_engine(bbans_lgssm *model)
{
    bbans_state_space *space = &model->space;

    space->engine = &engine;
    space->observation_bytes = sizeof(int64_t) * model->observed;
    space->state_bytes = sizeof(int64_t) * model->latents;
    space->belief_bytes = sizeof(int64_t) * model->latents;
    space->record_bytes = 2 * sizeof(int64_t) * model->latents;
    space->scratch_bytes = 0;
    space->push_words = words_of(model);
    space->pop_words = words_of(model);
}

bbans_status bbans_lgssm_init(bbans_lgssm *model, size_t latents,
                              size_t observed, size_t steps, int noise,
                              size_t start_length, unsigned start_bits,
                              const int64_t *offset, const int32_t *word)
{
    const size_t step_words = bbans_lgssm_step_words(latents, observed);
    bbans_lgssm m;
    size_t t;

    if (model == NULL || offset == NULL || word == NULL)
        return BBANS_ERR_NULL;
    if (step_words == 0 || steps < 1 || steps > BBANS_STEPS_MAX ||
        start_length < 1 || start_length > BBANS_START_MAX ||
        start_bits > BBANS_START_MAX)
        return BBANS_ERR_SIZE;
    m.gaussian = bbans_family_of(BBANS_GAUSSIAN);
    m.noise = bbans_family_of(noise);
    if (m.noise == NULL)
        return BBANS_ERR_TABLE;
    m.latents = latents;
    m.noise_family = noise;
    m.observed = observed;
    m.steps = steps;
    m.step_words = step_words;
    m.space.predictive = 0;
    m.space.start_length = start_length;
    m.space.start_bits = start_bits;
    set_engine(&m);
    set_parts(&m);
    m.offset = offset;
    m.word = word;
    for (t = 0; t < steps; t++) {
        const step s = step_of(&m, t);

        if (!step_is_valid(&s, latents, observed))
            return BBANS_ERR_TABLE;
    }
    *model = m;
    return BBANS_OK;
}
