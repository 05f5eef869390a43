/* Observations under what a network gives: docs/maths.md, "Heads".
 *
 * SPDX-License-Identifier: MIT */
#include "bbans_head.h"

#include "../distributions/bbans_family.h"
#include "../distributions/bbans_logits.h"
#include "../distributions/bbans_values.h"

bbans_status bbans_head_check(const bbans_head *head)
{
    if (head->width < 1 || head->width > BBANS_VALUES_MAX)
        return BBANS_ERR_SIZE;
    if (head->law == BBANS_HEAD_MIXTURE) {
        if (head->components < 1 || head->components > BBANS_COMPONENTS_MAX)
            return BBANS_ERR_SIZE;
        return head->low < head->high && bbans_family_of(head->family) != NULL
                   ? BBANS_OK
                   : BBANS_ERR_TABLE;
    }
    if (head->components != 0 || head->family != 0 || head->low != 0 ||
        head->high < 1)
        return BBANS_ERR_TABLE;
    switch (head->law) {
    case BBANS_HEAD_BERNOULLI:
        return head->high == 1 ? BBANS_OK : BBANS_ERR_TABLE;
    case BBANS_HEAD_CATEGORICAL:
        return head->high < BBANS_CATEGORIES_MAX ? BBANS_OK : BBANS_ERR_SIZE;
    case BBANS_HEAD_BETA_BINOMIAL:
        return head->high <= BBANS_BETA_TRIALS_MAX ? BBANS_OK : BBANS_ERR_SIZE;
    default: return BBANS_ERR_TABLE;
    }
}

/* Numbers for a value. */
static size_t stride_of(const bbans_head *head)
{
    switch (head->law) {
    case BBANS_HEAD_BERNOULLI: return 1;
    case BBANS_HEAD_CATEGORICAL: return (size_t)head->high + 1;
    case BBANS_HEAD_MIXTURE: return 3 * head->components;
    default: return 2;
    }
}

static size_t words_of_value(const bbans_head *head)
{
    return head->law == BBANS_HEAD_MIXTURE &&
                   !bbans_cdf_is_narrow(head->low, head->high)
               ? BBANS_CDF_WORDS
               : 1;
}

uint64_t bbans_head_outputs(const bbans_head *head)
{
    return (uint64_t)head->width * stride_of(head);
}

uint64_t bbans_head_words(const bbans_head *head)
{
    return (uint64_t)head->width * words_of_value(head);
}

#ifndef BBANS_DECODER_ONLY
int bbans_head_accepts(const bbans_head *head, const int32_t *x, size_t n)
{
    int outside = 0;
    size_t i;

    for (i = 0; i < n; i++)
        outside |= (x[i] < head->low) | (x[i] > head->high);
    return !outside;
}
#endif /* BBANS_DECODER_ONLY */

/* ---- A value of any law -------------------------------------------------- */

/* A distribution, and what it refers to. */
typedef struct {
    bbans_distribution distribution;
    uint32_t weight[BBANS_CATEGORIES_MAX];
    int64_t location[BBANS_COMPONENTS_MAX];
    int32_t scale[BBANS_COMPONENTS_MAX];
    uint32_t one, trials, alpha, beta;
} value_law;

static void open_bit(value_law *law, const int32_t *output)
{
    law->one = bbans_mass_of_one(*output);
    (void)bbans_distribution_init_bernoulli(&law->distribution, BBANS_PREC_MAX,
                                            &law->one);
}

static void open_category(value_law *law, const bbans_head *head,
                          const int32_t *output)
{
    const size_t n = (size_t)head->high + 1;

    (void)bbans_logits_to_weights(output, 1, n, law->weight);
    (void)bbans_distribution_init_weighted(
        &law->distribution, bbans_array_of(law->weight, BBANS_U32), n);
}

static void open_mixture(value_law *law, const bbans_head *head,
                         const int32_t *output)
{
    const size_t n = head->components;
    size_t k;

    (void)bbans_logits_to_weights(output, 1, n, law->weight);
    for (k = 0; k < n; k++) {
        law->location[k] = output[n + k];
        law->scale[k] = bbans_clipped_scale(output[2 * n + k]);
    }
    (void)bbans_distribution_init_mixture(
        &law->distribution, bbans_family_of(head->family), n,
        bbans_array_of(law->weight, BBANS_U32),
        bbans_array_of(law->location, BBANS_I64),
        bbans_array_of(law->scale, BBANS_I32), head->low, head->high);
}

static void open_count(value_law *law, const bbans_head *head,
                       const int32_t *output)
{
    law->trials = (uint32_t)head->high;
    law->alpha = bbans_rate_of(output[0]);
    law->beta = bbans_rate_of(output[1]);
    (void)bbans_distribution_init_beta_binomial(
        &law->distribution, &law->trials,
        bbans_array_of(&law->alpha, BBANS_U32),
        bbans_array_of(&law->beta, BBANS_U32));
}

/* All parameters are in range, and so are the values: coding cannot fail. */
static const bbans_distribution *law_of(value_law *law, const bbans_head *head,
                                        const int32_t *output, size_t i)
{
    output += i * stride_of(head);
    switch (head->law) {
    case BBANS_HEAD_BERNOULLI: open_bit(law, output); break;
    case BBANS_HEAD_CATEGORICAL: open_category(law, head, output); break;
    case BBANS_HEAD_MIXTURE: open_mixture(law, head, output); break;
    default: open_count(law, head, output);
    }
    return &law->distribution;
}

/* ---- Bits ---------------------------------------------------------------- */

/* The steps of bbans_lane_push_bits and bbans_lane_advance_bits, with less of
 * them on the way from one head to the next: an observation is many bits. */

#define TOTAL ((uint32_t)1 << BBANS_PREC_MAX)

#ifndef BBANS_DECODER_ONLY
#ifdef __SIZEOF_INT128__
/* floor(x / f) for x < 2^63, by an inverse that does not wait for x.  With m =
 * floor((2^64 - 1) / f), 2^64 - m f <= f, so x m / 2^64 is below x / f by less
 * than x / 2^64 < 1/2, and its floor by 1 at most. */
static inline uint64_t quotient_of(uint64_t x, uint32_t f)
{
    const uint64_t m = UINT64_MAX / f;
    const uint64_t q =
        (uint64_t)((__extension__(unsigned __int128) x * m) >> 64);

    return q + (x - q * f >= f);
}
#else
static inline uint64_t quotient_of(uint64_t x, uint32_t f)
{
    return x / f;
}
#endif

static void push_bits(const int32_t *logit, size_t n, bbans_lane *of,
                      const int32_t *x)
{
    bbans_lane lane = *of;

    while (n-- > 0) {
        const uint32_t one = bbans_mass_of_one(logit[n]), zero = TOTAL - one;
        const uint32_t bit = 0u - (uint32_t)x[n]; /* no branch on it */
        const uint32_t start = zero & bit, freq = zero ^ ((zero ^ one) & bit);

        bbans_lane_spill(&lane, (uint64_t)freq << (31 - BBANS_PREC_MAX));
        /* floor(x / f) N + x mod f + c */
        lane.x += quotient_of(lane.x, freq) * (TOTAL - freq) + start;
    }
    *of = lane;
}
#endif /* BBANS_DECODER_ONLY */

static void pop_bits(const int32_t *logit, size_t n, bbans_lane *of, int32_t *x)
{
    bbans_lane lane = *of;
    size_t i;

    /* Most bits of images are foretold: by a branch the next head does not wait
     * for this one's comparison. */
    for (i = 0; i < n; i++) {
        const uint32_t one = bbans_mass_of_one(logit[i]), zero = TOTAL - one;
        const uint32_t slot = bbans_slot_bits(lane.x, BBANS_PREC_MAX);
        const uint64_t rest = lane.x >> BBANS_PREC_MAX;
        const uint64_t if_zero = rest * zero + slot;
        const uint64_t if_one = rest * one + slot - zero;

        x[i] = slot >= zero;
        lane.x = slot >= zero ? if_one : if_zero;
        bbans_lane_refill(&lane);
    }
    *of = lane;
}

/* ---- Observations -------------------------------------------------------- */

/* A message of the lane, with room for this many words. */
static bbans_message message_of(bbans_lane *lane, size_t words)
{
    bbans_message msg;

    msg.head = &lane->x;
    msg.tail = lane->tail;
    msg.lanes = 1;
    msg.tail_len = lane->tail_len;
    msg.tail_cap = lane->tail_len + words;
    return msg;
}

void bbans_head_pop(const bbans_head *head, const int32_t *output,
                    bbans_lane *lane, int32_t *x)
{
    value_law law;
    size_t i;

    if (head->law == BBANS_HEAD_BERNOULLI) {
        pop_bits(output, head->width, lane, x);
        return;
    }
    for (i = 0; i < head->width; i++) {
        bbans_message msg = message_of(lane, 1);

        (void)bbans_message_pop(&msg, law_of(&law, head, output, i), x + i,
                                BBANS_I32, 1);
        lane->tail_len = msg.tail_len;
    }
}

bbans_status bbans_head_decode(const bbans_head *head, const int32_t *output,
                               bbans_range_decoder *dec, int32_t *x)
{
    bbans_status status = BBANS_OK;
    value_law law;
    size_t i;

    for (i = 0; i < head->width && status == BBANS_OK; i++)
        status = bbans_range_decode(dec, law_of(&law, head, output, i), x + i,
                                    BBANS_I32, 1);
    return status;
}

#ifndef BBANS_DECODER_ONLY
void bbans_head_push(const bbans_head *head, const int32_t *output,
                     bbans_lane *lane, const int32_t *x)
{
    value_law law;
    size_t i = head->width;

    if (head->law == BBANS_HEAD_BERNOULLI) {
        push_bits(output, head->width, lane, x);
        return;
    }
    while (i-- > 0) {
        bbans_message msg = message_of(lane, words_of_value(head));

        (void)bbans_message_push(&msg, law_of(&law, head, output, i), x + i,
                                 BBANS_I32, 1);
        lane->tail_len = msg.tail_len;
    }
}

void bbans_head_encode(const bbans_head *head, const int32_t *output,
                       bbans_range_encoder *enc, const int32_t *x)
{
    value_law law;
    size_t i;

    for (i = 0; i < head->width; i++)
        (void)bbans_range_encode(enc, law_of(&law, head, output, i), x + i,
                                 BBANS_I32, 1);
}
#endif /* BBANS_DECODER_ONLY */
