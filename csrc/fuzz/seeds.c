/* With libFuzzer: one input in 16 is a valid one of the target's, or is crossed
 * with it; the others are changed as libFuzzer would.
 *
 * SPDX-License-Identifier: MIT */
#include "fuzz.h"

/* What libFuzzer calls, and what it has. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t cap);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t cap,
                               unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t cap,
                               unsigned seed)
{
    const size_t most = cap < fuzz_size_most ? cap : fuzz_size_most;

    if (seed % 16 == 0 && most == fuzz_size_most) {
        const size_t n = fuzz_make_seed(data, seed / 16);

        if (n > 0)
            return n;
    }
    return LLVMFuzzerMutate(data, size < most ? size : most, most);
}
