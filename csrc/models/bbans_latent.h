/* Private to csrc/: what models of latents whose conditionals are networks
 * share: docs/maths.md, "VAEs and deep state space models".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_LATENT_H
#define BBANS_LATENT_H

#include "bbans_head.h"
#include "bbans_network.h"
#include "bbans_state_space.h"

/* ---- Laws of latents ----------------------------------------------------- */

/* Gaussian; leak 1: every value has a mass; 0: for posteriors. */
typedef struct {
    const int32_t *location, *scale; /* [n] */
    size_t n;
    uint32_t leak;
} bbans_latent_law;

/* ERR_CORRUPT: what no sender can have pushed, or popped. */
bbans_status bbans_latent_push(const bbans_latent_law *law, bbans_lane *of,
                               const int64_t *z);
bbans_status bbans_latent_pop(const bbans_latent_law *law, bbans_lane *of,
                              int64_t *z);

/* By the range coder multiples of 2^shift, such as this one at the mode. */
void bbans_latent_mode(const bbans_latent_law *law, unsigned shift, int64_t *z);
bbans_status bbans_latent_decode(const bbans_latent_law *law, unsigned shift,
                                 bbans_range_decoder *dec, int64_t *z);
#ifndef BBANS_DECODER_ONLY
void bbans_latent_encode(const bbans_latent_law *law, unsigned shift,
                         bbans_range_encoder *enc, const int64_t *z);
#endif /* BBANS_DECODER_ONLY */

/* ---- Networks at work ---------------------------------------------------- */

uint64_t bbans_network_takes(const bbans_network *network, size_t input);
uint64_t bbans_network_gives(const bbans_network *network);

/* Inputs of a network, and what it runs in. */
typedef struct {
    const bbans_latent_model *model;
    uint8_t *scratch;
    bbans_array input[BBANS_NETWORK_INPUTS_MAX];
    size_t inputs;
} bbans_desk;

static inline bbans_desk bbans_desk_of(const bbans_latent_model *model,
                                       const bbans_stream *s)
{
    bbans_desk desk;

    desk.model = model;
    desk.scratch = (uint8_t *)s->scratch;
    desk.inputs = 0;
    return desk;
}

/* Add an input: of numbers as networks give them, or of latents.  Networks clip
 * them to the ranges of their INPUTs. */
static inline void bbans_desk_add(bbans_desk *desk, const int32_t *input)
{
    desk->input[desk->inputs++] = bbans_array_of(input, BBANS_I32);
}

static inline void bbans_desk_add_latents(bbans_desk *desk, const int64_t *z)
{
    desk->input[desk->inputs++] = bbans_array_of(z, BBANS_I64);
}

/* What network i gives for the inputs: it stays until the next one runs. */
const int32_t *bbans_desk_run(const bbans_desk *desk, size_t i);
bbans_latent_law bbans_desk_law(const bbans_desk *desk, size_t i,
                                uint32_t leak);

/* n latents under a standard Gaussian. */
bbans_latent_law bbans_standard_law(const bbans_desk *desk, size_t n);

/* States in the scratch, for what is coded plainly. */
enum { BBANS_STATE_CODED, BBANS_STATE_MODE, BBANS_STATE_NONE, BBANS_STATES };

static inline int64_t *bbans_state_in(const bbans_latent_model *model,
                                      const bbans_stream *s, size_t which)
{
    return (int64_t *)(void *)((uint8_t *)s->scratch + model->states_at +
                               which * model->space.state_bytes);
}

/* ---- Initialisation ------------------------------------------------------ */

enum { BBANS_DEEP_SSM_NETWORKS = 4 };

/* What init functions are given. */
typedef struct {
    const bbans_head *head;
    unsigned grid;
    size_t start_length;
    unsigned start_bits, start_shift;
    const bbans_network *network; /* [networks] */
    size_t networks;
} bbans_latent_parameters;

/* All but the networks.  Returns ERR_{SIZE,TABLE}. */
bbans_status bbans_latent_check(const bbans_latent_parameters *p);

/* Fill the model, but for its space.  Returns ERR_{NULL,SIZE,TABLE}. */
bbans_status bbans_latent_init(bbans_latent_model *model,
                               const bbans_latent_parameters *p);

/* Then that, for this many latents, with beliefs and records of this many
 * numbers; observations are then accepted or not.  Returns ERR_SIZE. */
bbans_status bbans_latent_set_space(bbans_latent_model *model,
                                    const bbans_engine *engine,
                                    uint64_t latents, uint64_t belief,
                                    uint64_t record);

/* ---- Observations -------------------------------------------------------- */

static inline const int32_t *bbans_observed(const bbans_latent_model *model,
                                            const bbans_stream *s, size_t t)
{
    return (const int32_t *)s->x + t * model->head.width;
}

static inline int32_t *bbans_popped(const bbans_latent_model *model,
                                    const bbans_stream *s)
{
    return (int32_t *)s->out + s->t * model->head.width;
}

#ifndef BBANS_DECODER_ONLY
/* Of bbans_engine. */
int bbans_latent_accepts(const bbans_state_space *model, const void *x,
                         size_t n);
#endif /* BBANS_DECODER_ONLY */

#endif
