/* SPDX-License-Identifier: MIT */
#ifndef BBANS_TESTS_GOLDEN_H
#define BBANS_TESTS_GOLDEN_H

#include <stddef.h>
#include <stdint.h>

/* How many stored cases there are; test case i: 0, or the line that failed. */
size_t golden_count(void);
int golden_run(size_t i);

/* A model file, and n observations that are coded under it. */
typedef struct {
    const uint8_t *file;
    size_t n_bytes;
    const void *x; /* as the model takes them; or `numbers`, int64_t */
    size_t n;
    int numbers;
} golden_sequence;

/* Fills *s with sequence i; returns 0 after the last. */
int golden_sequence_get(size_t i, golden_sequence *s);

#endif
