/* Kernels of linear prediction that AVX-512 shares with AVX2: their vectors are
 * few, and go through memory from step to step.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_PREDICT_X86_H
#define BBANS_PREDICT_X86_H

#include "x86.h"

#ifdef BBANS_HAVE_X86
int64_t bbans_dot_avx2(const int32_t *a, const int32_t *b, size_t n);
uint32_t bbans_adapt_avx2(int32_t *w, const int16_t *h, size_t n, int32_t g);
#endif

#endif
