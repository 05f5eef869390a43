/* Instructions on Arm's boards: the emulator is told that each takes 1 ns, and
 * timer 0 of Arm's CMSDK counts down, a tick every 40.
 *
 * SPDX-License-Identifier: MIT */
#ifndef BBANS_EMBEDDED_TIMER_H
#define BBANS_EMBEDDED_TIMER_H

#include <stdint.h>

#define TIMER_CONTROL (*(volatile uint32_t *)0x40000000)
#define TIMER_VALUE (*(volatile uint32_t *)0x40000004)
#define TIMER_RELOAD (*(volatile uint32_t *)0x40000008)
#define NS_A_TICK 40

static inline void start_timer(void)
{
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CONTROL = 1;
}

static inline uint64_t instructions_since(uint32_t before)
{
    return (uint64_t)(before - TIMER_VALUE) * NS_A_TICK;
}

#endif
