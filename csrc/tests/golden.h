/* SPDX-License-Identifier: MIT */
#ifndef BBANS_TESTS_GOLDEN_H
#define BBANS_TESTS_GOLDEN_H

#include <stddef.h>

/* How many stored cases there are; test case i: 0, or the line that failed. */
size_t golden_count(void);
int golden_run(size_t i);

#endif
