/* A mixer with a prior, as an engine: docs/maths.md, "Mixing".
 *
 * SPDX-License-Identifier: MIT */
#include "../models/bbans_state_space.h"
#include "bbans_mixing.h"

#define TOTAL ((uint32_t)1 << BBANS_PREC_MAX)

/* Behind the byte `end`: [0, LITERAL) that the record has it, else it ends. */
#define LITERAL 1
#define END_TOTAL 64
#define END_SYMBOL 256

/* What bbans.h says of the sizes. */
typedef char sizes_are_those[BBANS_MIXER_INPUTS == BBANS_MIXING_MANY &&
                                     BBANS_MIXER_SETS == BBANS_MIXING_SETS &&
                                     BBANS_MIXER_SLOTS == BBANS_MIX_SLOTS &&
                                     BBANS_MIXER_MATCHES == BBANS_MIX_MATCHES &&
                                     BBANS_MIXER_LENGTHS == BBANS_MIXING_LENGTHS
                                 ? 1
                                 : -1];

/* What is known on the way: first this, then the mixer's memory and the bytes
 * that it looks back at.  It points to itself, and stays where it is. */
typedef struct {
    bbans_mixer mixer;
    bbans_mixing_prior prior;
    uint8_t *bytes;
} belief;

static size_t aligned(size_t n)
{
    return (n + BBANS_ALIGNMENT - 1) / BBANS_ALIGNMENT * BBANS_ALIGNMENT;
}

static const bbans_context_mixer *mixer_of(const bbans_state_space *model)
{
    return (const bbans_context_mixer *)(const void *)model;
}

static belief *belief_of(void *memory)
{
    return (belief *)bbans_align(memory);
}

static bbans_mixer_size size_of(const bbans_context_mixer *model)
{
    bbans_mixer_size size;

    size.inputs = BBANS_MIXING_MANY;
    size.row_bits = model->row_bits;
    size.match_bits = model->match_bits;
    size.line = 0;
    return size;
}

static void start(const bbans_state_space *space, void *memory)
{
    const bbans_context_mixer *model = mixer_of(space);
    const bbans_mixer_size size = size_of(model);
    belief *b = belief_of(memory);
    uint8_t *at = (uint8_t *)b + aligned(sizeof *b);

    b->prior.row_bits = model->prior_bits;
    b->prior.row = model->row;
    b->prior.weight = model->weight;
    b->prior.match = model->match;
    b->bytes = at + aligned(bbans_mixer_bytes(&size));
    bbans_mixer_start(&b->mixer, &size, &b->prior, b->bytes,
                      ((size_t)1 << model->history_bits) - 1, at);
    b->mixer.mix.rate = (int32_t)model->rate;
}

static void learn(belief *b, unsigned byte)
{
    b->bytes[b->mixer.n & b->mixer.mask] = (uint8_t)byte;
    bbans_mixer_learn(&b->mixer, byte);
}

#ifndef BBANS_DECODER_ONLY
static int accepts(const bbans_state_space *space, const void *x, size_t n)
{
    const uint32_t *symbol = (const uint32_t *)x;
    size_t i;

    for (i = 0; i < n; i++)
        if (symbol[i] >= mixer_of(space)->symbols)
            return 0;
    return 1;
}

static void encode(const bbans_state_space *space, bbans_stream *s,
                   bbans_range_encoder *enc)
{
    const int end = mixer_of(space)->end;
    const uint32_t x = ((const uint32_t *)s->x)[s->t];
    const unsigned byte = x == END_SYMBOL ? (unsigned)end : x;
    belief *b = belief_of(s->belief);
    bbans_span span;

    bbans_mixer_encode(&b->mixer, byte, &span);
    (void)bbans_range_encode_interval(enc, span.start, span.end - span.start,
                                      TOTAL);
    if (x == END_SYMBOL)
        (void)bbans_range_encode_interval(enc, LITERAL, END_TOTAL - LITERAL,
                                          END_TOTAL);
    else if ((int)byte == end)
        (void)bbans_range_encode_interval(enc, 0, LITERAL, END_TOTAL);
    learn(b, byte);
}
#endif /* BBANS_DECODER_ONLY */

static bbans_status decode_end(bbans_range_decoder *dec, int *ends)
{
    uint32_t slot;
    const bbans_status status = bbans_range_slot(dec, END_TOTAL, &slot);

    if (status != BBANS_OK)
        return status;
    *ends = slot >= LITERAL;
    return *ends ? bbans_range_advance(dec, LITERAL, END_TOTAL - LITERAL,
                                       END_TOTAL)
                 : bbans_range_advance(dec, 0, LITERAL, END_TOTAL);
}

static bbans_status decode(const bbans_state_space *space, bbans_stream *s,
                           bbans_range_decoder *dec)
{
    belief *b = belief_of(s->belief);
    bbans_status status;
    bbans_span span;
    uint32_t slot;
    unsigned byte;
    int ends = 0;

    status = bbans_range_slot(dec, TOTAL, &slot);
    if (status != BBANS_OK)
        return status;
    byte = bbans_mixer_decode(&b->mixer, slot, &span);
    status = bbans_range_advance(dec, span.start, span.end - span.start, TOTAL);
    if (status == BBANS_OK && (int)byte == mixer_of(space)->end)
        status = decode_end(dec, &ends);
    ((uint32_t *)s->out)[s->t] = ends ? END_SYMBOL : byte;
    learn(b, byte);
    return status;
}

static const bbans_engine engine = {
    .type = BBANS_MODEL_CONTEXT_MIXER,
    .start = start,
#ifndef BBANS_DECODER_ONLY
    .accepts = accepts,
    .encode = encode,
#endif /* BBANS_DECODER_ONLY */
    .decode = decode,
};

static int is_within(unsigned n, unsigned least, unsigned most)
{
    return n >= least && n <= most;
}

static int sizes_are_valid(const bbans_context_mixer *m)
{
    return is_within(m->prior_bits, BBANS_MIXER_BITS_MIN,
                     BBANS_MIXER_PRIOR_BITS_MAX) &&
           is_within(m->row_bits, BBANS_MIXER_BITS_MIN,
                     BBANS_MIXER_MEMORY_BITS_MAX) &&
           is_within(m->match_bits, BBANS_MIXER_BITS_MIN,
                     BBANS_MIXER_MEMORY_BITS_MAX) &&
           is_within(m->history_bits, BBANS_MIXER_BITS_MIN,
                     BBANS_MIXER_HISTORY_BITS_MAX) &&
           is_within(m->rate, 1, BBANS_MIXER_RATE_MAX) && m->end >= -1 &&
           m->end <= UINT8_MAX;
}

/* A byte takes 28 bits at most, the end after it 6 more.  The tail holds them
 * twice: an encoder's scratch, and its result. */
static void set_engine(bbans_context_mixer *model)
{
    const bbans_mixer_size size = size_of(model);
    bbans_state_space *space = &model->space;

    memset(space, 0, sizeof *space);
    space->engine = &engine;
    space->observation_bytes = sizeof(uint32_t);
    space->belief_bytes = BBANS_ALIGNMENT + aligned(sizeof(belief)) +
                          aligned(bbans_mixer_bytes(&size)) +
                          ((size_t)1 << model->history_bits);
    space->start_length = 1; /* of no latents */
    space->push_words = model->end < 0 ? 2 : 3;
    space->pop_words = 1;
    space->predictive = 1;
}

bbans_status bbans_context_mixer_init(
    bbans_context_mixer *model, unsigned prior_bits, const uint16_t *row,
    const int16_t *weight, const uint16_t *match, unsigned row_bits,
    unsigned match_bits, unsigned history_bits, unsigned rate, int end)
{
    bbans_context_mixer m;

    if (model == NULL || row == NULL || weight == NULL || match == NULL)
        return BBANS_ERR_NULL;
    m.prior_bits = prior_bits;
    m.row = row;
    m.weight = weight;
    m.match = match;
    m.row_bits = row_bits;
    m.match_bits = match_bits;
    m.history_bits = history_bits;
    m.rate = rate;
    m.end = end;
    m.symbols = END_SYMBOL + (size_t)(end >= 0);
    if (!sizes_are_valid(&m))
        return BBANS_ERR_SIZE;
    set_engine(&m);
    *model = m;
    return BBANS_OK;
}
