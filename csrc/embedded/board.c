/* Start-up of a bare Cortex-M, and output through an emulator's semihosting.
 *
 * SPDX-License-Identifier: MIT */
#include "board.h"

extern uint32_t data_load[], data_start[], data_end[], bss_start[], bss_end[];
extern uint32_t stack_top[];

/* Compilers call these for loops and assignments. */
void *memcpy(void *to, const void *from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    while (n-- > 0)
        *d++ = *s++;
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *d = to;
    const uint8_t *s = from;

    if (d < s)
        return memcpy(to, from, n);
    while (n-- > 0)
        d[n] = s[n];
    return to;
}

void *memset(void *to, int byte, size_t n)
{
    uint8_t *d = to;

    while (n-- > 0)
        *d++ = (uint8_t)byte;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *p = a, *q = b;

    for (; n-- > 0; p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

/* Arm's semihosting: operation in r0, argument in r1. */
#define WRITE0 0x04
#define EXIT_EXTENDED 0x20
#define APPLICATION_EXIT 0x20026

static void semihost(int operation, const void *argument)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;

    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

void print(const char *text)
{
    semihost(WRITE0, text);
}

void print_number(size_t n)
{
    char text[12];
    size_t i = sizeof text - 1;

    text[i] = '\0';
    do {
        text[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    print(text + i);
}

static void end(uint32_t code)
{
    const uint32_t block[2] = {APPLICATION_EXIT, code};

    semihost(EXIT_EXTENDED, block);
    for (;;)
        ;
}

static void fault(void)
{
    print("fault\n");
    end(2);
}

static void reset(void)
{
    memcpy(data_start, data_load,
           (size_t)((uint8_t *)data_end - (uint8_t *)data_start));
    memset(bss_start, 0, (size_t)((uint8_t *)bss_end - (uint8_t *)bss_start));
    end((uint32_t)run());
}

__attribute__((section(".vectors"), used)) const struct {
    const uint32_t *stack;
    void (*handler[3])(void); /* reset, non-maskable interrupt, hard fault */
} vectors = {stack_top, {reset, fault, fault}};
