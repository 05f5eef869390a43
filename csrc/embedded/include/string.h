/* For compilers that come without a C library: what bbans asks of it.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_EMBEDDED_STRING_H
#define BBANS_EMBEDDED_STRING_H

#include <stddef.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

#endif
