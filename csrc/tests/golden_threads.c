/* The stored vectors for test_threads.c: each thread has buffers of its own.
 *
 * SPDX-License-Identifier: MIT */
#define ROOM static __thread
#include "golden.c"
