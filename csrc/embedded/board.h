/* SPDX-License-Identifier: MIT */
#ifndef BBANS_EMBEDDED_BOARD_H
#define BBANS_EMBEDDED_BOARD_H

#include <stddef.h>
#include <stdint.h>

/* The program; its result ends the emulator. */
int run(void);

void print(const char *text);
void print_number(size_t n);

#endif
