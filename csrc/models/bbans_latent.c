/* What models of latents whose conditionals are networks share: docs/maths.md,
 * "VAEs and deep state space models".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_latent.h"

#include "../distributions/bbans_family_value.h"

/* ---- Laws of latents ----------------------------------------------------- */

static bbans_place place_of(const bbans_latent_law *law, size_t i)
{
    return bbans_place_of(law->location[i], bbans_clipped_scale(law->scale[i]),
                          law->leak);
}

bbans_status bbans_latent_push(const bbans_latent_law *law, bbans_lane *of,
                               const int64_t *z)
{
    const bbans_family *gaussian = bbans_family_of(BBANS_GAUSSIAN);
    bbans_status status = BBANS_OK;
    bbans_lane lane = *of;
    size_t i = law->n;

    while (i-- > 0) {
        const bbans_place place = place_of(law, i);

        if (bbans_push_value(&lane, gaussian, &place, 0, BBANS_PARTS_WHOLE,
                             z[i]) != BBANS_OK)
            status = BBANS_ERR_CORRUPT;
    }
    *of = lane;
    return status;
}

bbans_status bbans_latent_pop(const bbans_latent_law *law, bbans_lane *of,
                              int64_t *z)
{
    const bbans_family *gaussian = bbans_family_of(BBANS_GAUSSIAN);
    bbans_status status = BBANS_OK;
    bbans_lane lane = *of;
    size_t i;

    for (i = 0; i < law->n; i++) {
        const bbans_place place = place_of(law, i);

        if (bbans_pop_value(&lane, gaussian, &place, 0, BBANS_PARTS_WHOLE,
                            z + i) != BBANS_OK)
            status = BBANS_ERR_CORRUPT;
    }
    *of = lane;
    return status;
}

/* v / 2^shift, rounded, halves up. */
static int64_t rounded(int64_t v, unsigned shift)
{
    return bbans_floor_shift(v + ((int64_t)1 << shift >> 1), shift);
}

void bbans_latent_mode(const bbans_latent_law *law, unsigned shift, int64_t *z)
{
    size_t i;

    for (i = 0; i < law->n; i++)
        z[i] = rounded(rounded(law->location[i], 16), shift) *
               ((int64_t)1 << shift);
}

/* On the coarse grid. */
static bbans_place coarse_place_of(const bbans_latent_law *law, size_t i,
                                   unsigned shift)
{
    const int32_t scale = bbans_clipped_scale(law->scale[i]);

    return bbans_place_of(rounded(law->location[i], shift),
                          bbans_clipped_scale(scale - 256 * (int32_t)shift),
                          law->leak);
}

#ifndef BBANS_DECODER_ONLY
void bbans_latent_encode(const bbans_latent_law *law, unsigned shift,
                         bbans_range_encoder *enc, const int64_t *z)
{
    size_t i;

    for (i = 0; i < law->n; i++) {
        const bbans_place place = coarse_place_of(law, i, shift);

        bbans_range_encode_value(enc, bbans_family_of(BBANS_GAUSSIAN), &place,
                                 BBANS_PARTS_WHOLE,
                                 bbans_floor_shift(z[i], shift));
    }
}
#endif /* BBANS_DECODER_ONLY */

bbans_status bbans_latent_decode(const bbans_latent_law *law, unsigned shift,
                                 bbans_range_decoder *dec, int64_t *z)
{
    const int64_t most = INT64_MAX >> shift;
    size_t i;

    for (i = 0; i < law->n; i++) {
        const bbans_place place = coarse_place_of(law, i, shift);
        const bbans_status status =
            bbans_range_decode_value(dec, bbans_family_of(BBANS_GAUSSIAN),
                                     &place, BBANS_PARTS_WHOLE, z + i);

        if (status != BBANS_OK)
            return status;
        if (z[i] < -most || z[i] > most)
            return BBANS_ERR_CORRUPT;
        z[i] *= (int64_t)1 << shift;
    }
    return BBANS_OK;
}

/* ---- Networks at work ---------------------------------------------------- */

uint64_t bbans_network_takes(const bbans_network *network, size_t input)
{
    return bbans_node_elements(network->node + network->input[input]);
}

uint64_t bbans_network_gives(const bbans_network *network)
{
    uint64_t n = 0;
    size_t k;

    for (k = 0; k < network->outputs; k++)
        n += bbans_node_elements(network->node + network->output[k]);
    return n;
}

static int32_t *output_of(const bbans_desk *desk)
{
    return (int32_t *)(void *)(desk->scratch + desk->model->output_at);
}

const int32_t *bbans_desk_run(const bbans_desk *desk, size_t i)
{
    const bbans_network *network = desk->model->network + i;
    int32_t *output[BBANS_NETWORK_OUTPUTS_MAX], *at = output_of(desk);
    size_t k;

    for (k = 0; k < network->outputs; k++) {
        output[k] = at;
        at += bbans_node_elements(network->node + network->output[k]);
    }
    bbans_network_forward(network, desk->input, desk->scratch, output);
    return output[0];
}

static bbans_latent_law law_of(const int32_t *output, size_t n, uint32_t leak)
{
    bbans_latent_law law;

    law.location = output;
    law.scale = output + n;
    law.n = n;
    law.leak = leak;
    return law;
}

bbans_latent_law bbans_desk_law(const bbans_desk *desk, size_t i, uint32_t leak)
{
    const size_t n = (size_t)bbans_network_gives(desk->model->network + i) / 2;

    return law_of(bbans_desk_run(desk, i), n, leak);
}

bbans_latent_law bbans_standard_law(const bbans_desk *desk, size_t n)
{
    int32_t *output = output_of(desk);
    size_t i;

    for (i = 0; i < n; i++) {
        output[i] = 0;
        output[n + i] = 256 * (int32_t)desk->model->grid;
    }
    return law_of(output, n, 1);
}

/* ---- Initialisation ------------------------------------------------------ */

bbans_status bbans_latent_check(const bbans_latent_parameters *p)
{
    const bbans_status status = bbans_head_check(p->head);

    if (status != BBANS_OK)
        return status;
    return p->grid > BBANS_GRID_MAX || p->start_shift > BBANS_GRID_MAX ||
                   p->start_length < 1 || p->start_length > BBANS_START_MAX ||
                   p->start_bits > BBANS_START_MAX
               ? BBANS_ERR_SIZE
               : BBANS_OK;
}

bbans_status bbans_latent_init(bbans_latent_model *model,
                               const bbans_latent_parameters *p)
{
    bbans_status status;

    if (p->head == NULL || p->network == NULL)
        return BBANS_ERR_NULL;
    status = bbans_latent_check(p);
    if (status != BBANS_OK)
        return status;
    model->head = *p->head;
    model->grid = p->grid;
    model->start_shift = p->start_shift;
    model->network = p->network;
    model->networks = p->networks;
    model->space.predictive = 0;
    model->space.start_length = p->start_length;
    model->space.start_bits = p->start_bits;
    return BBANS_OK;
}

static uint64_t aligned(uint64_t bytes, uint64_t to)
{
    return (bytes + to - 1) / to * to;
}

/* The words of a latent: 28 bits, and up to 64, in up to four pushes. */
#define LATENT_WORDS 4

bbans_status bbans_latent_set_space(bbans_latent_model *model,
                                    const bbans_engine *engine,
                                    uint64_t latents, uint64_t belief,
                                    uint64_t record)
{
    bbans_state_space *space = &model->space;
    const uint64_t words =
        LATENT_WORDS * latents + bbans_head_words(&model->head);
    uint64_t work = 0, output = 2 * latents, scratch;
    size_t i;

    for (i = 0; i < model->networks; i++) {
        const bbans_network *network = model->network + i;
        const uint64_t bytes = bbans_network_work_bytes(network, 1);

        if (bytes == 0)
            return BBANS_ERR_SIZE;
        if (bytes > work)
            work = bytes;
        if (bbans_network_gives(network) > output)
            output = bbans_network_gives(network);
    }
    /* Numbers are below 2^32 each, and so are fewer than 2^40 bytes. */
    work = aligned(work, BBANS_ALIGNMENT);
    output = aligned(4 * output, BBANS_ALIGNMENT);
    scratch = aligned(work + output + BBANS_STATES * sizeof(int64_t) * latents,
                      BBANS_ALIGNMENT);
    if (scratch + 8 * (latents + belief + record + words) > SIZE_MAX / 4)
        return BBANS_ERR_SIZE;
    model->output_at = (size_t)work;
    model->states_at = (size_t)(work + output);
    space->engine = engine;
    space->observation_bytes = sizeof(int32_t) * model->head.width;
    space->state_bytes = sizeof(int64_t) * (size_t)latents;
    space->belief_bytes = (size_t)aligned(sizeof(int32_t) * belief, 8);
    space->record_bytes = (size_t)aligned(sizeof(int32_t) * record, 8);
    space->scratch_bytes = (size_t)scratch;
    /* Half of it is scratch of the range coder, which may code all of an
     * observation. */
    space->push_words = 2 * (size_t)words;
    space->pop_words = LATENT_WORDS * (size_t)latents + 1;
    return BBANS_OK;
}

#ifndef BBANS_DECODER_ONLY
int bbans_latent_accepts(const bbans_state_space *model, const void *x,
                         size_t n)
{
    const bbans_latent_model *m =
        (const bbans_latent_model *)(const void *)model;

    return bbans_head_accepts(&m->head, (const int32_t *)x, n * m->head.width);
}
#endif /* BBANS_DECODER_ONLY */
