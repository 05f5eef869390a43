/* Private to csrc/: observations under what a network gives: docs/maths.md,
 * "Heads".
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_HEAD_H
#define BBANS_HEAD_H

#include "../bbans_internal.h"

/* Returns ERR_{SIZE,TABLE}. */
bbans_status bbans_head_check(const bbans_head *head);

/* How many numbers a head takes, and the words that an observation may. */
uint64_t bbans_head_outputs(const bbans_head *head);
uint64_t bbans_head_words(const bbans_head *head);

/* x [width] under what a network gave, on a lane with room for its words, or a
 * word to pop, or by the range coder. */
void bbans_head_pop(const bbans_head *head, const int32_t *output,
                    bbans_lane *lane, int32_t *x);
bbans_status bbans_head_decode(const bbans_head *head, const int32_t *output,
                               bbans_range_decoder *dec, int32_t *x);
#ifndef BBANS_DECODER_ONLY
/* Whether all n values can be coded; these trust that. */
int bbans_head_accepts(const bbans_head *head, const int32_t *x, size_t n);
void bbans_head_push(const bbans_head *head, const int32_t *output,
                     bbans_lane *lane, const int32_t *x);
void bbans_head_encode(const bbans_head *head, const int32_t *output,
                       bbans_range_encoder *enc, const int32_t *x);
#endif /* BBANS_DECODER_ONLY */

#endif
