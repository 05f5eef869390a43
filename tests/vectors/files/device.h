/* Frozen model 487510bd79b72462, written by bbans export:
 * 1 states, 5 symbols, 10 bits. */
#ifndef BBANS_MODEL_MODEL_H
#define BBANS_MODEL_MODEL_H

#include "bbans_tiny.h"

#if BBANS_TINY_STATES < 1
#error "define BBANS_TINY_STATES as 1 or more"
#endif

static const uint16_t model_initial[] = {
    0, 1024};

static const uint16_t model_transition[] = {
    0, 1024};

static const uint16_t model_emission[] = {
    0, 208, 412, 616, 820, 1024};

static const bbans_tiny_hmm model = {
    model_initial, model_transition, model_emission,
    1, 5,
    24, 10};

#endif
