/* Fuzz kernels: each instruction set against the portable one, by the
 * comparisons of tests/test_kernels.c, whose random numbers are the input.
 *
 * SPDX-License-Identifier: MIT */
#define CHECK_INPUT
#define main compare_all
#include "../tests/test_kernels.c"
#undef main
#include "fuzz.h"

const size_t fuzz_size_most = 400;

static unsigned some_prec(unsigned least)
{
    return least + below(BBANS_PREC_MAX + 1 - least);
}

static void compare_some(const bbans_kernels *portable,
                         const bbans_kernels *kernels, unsigned which)
{
    switch (which) {
    case 0: compare(portable, kernels, 1 + below(20), 5 + below(3)); break;
    case 1: compare_levels(portable, kernels); break;
    case 2: compare_trees(portable, kernels, 2 + below(20)); break;
    case 3: compare_lanes(portable, kernels, below(BBANS_PREC_MAX + 1)); break;
    case 4:
        if (kernels->lanes->push_rounds != NULL)
            compare_rounds(portable, kernels, some_prec(BBANS_ROUND_PREC_MIN));
        break;
    case 5:
        if (kernels->lanes->pop_rounds != NULL)
            compare_popped_rounds(portable, kernels,
                                  some_prec(BBANS_ROUND_PREC_MIN));
        break;
    case 6: compare_totals(portable, kernels); break;
    case 7: compare_weights(portable, kernels); break;
    case 8: compare_rows(portable, kernels); break;
    case 9: compare_unpacked(portable, kernels); break;
    case 10: compare_affine(portable, kernels); break;
    case 11: compare_combine(portable, kernels); break;
    case 12: compare_planes(portable, kernels); break;
    case 13: compare_checksums(portable, kernels); break;
    case 14: compare_decisions(portable, kernels, 1); break;
    case 15: compare_mixing(portable, kernels, 1); break;
    case 16: compare_predictions(portable, kernels, 1); break;
    case 17: compare_bytes(portable, kernels); break;
    case 18: compare_contexts(portable, kernels); break;
    default:
        if (kernels->family != portable->family) { /* to it nothing is easy */
            compare_spans(kernels, (int)below(2));
            compare_scales(portable, kernels);
            compare_locations(portable, kernels);
            bbans_kernel = *kernels;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bbans_kernels portable;
    size_t isa;

    if (size < 1)
        return 0;
    FUZZ_EACH_ISA(isa)
    {
        const bbans_kernels kernels = bbans_kernel;

        if (isa == 0) {
            portable = kernels;
            continue;
        }
        fuzz_random(0);
        check_input = data + 1;
        check_left = size - 1;
        compare_some(&portable, &kernels, data[0] % 20);
        check_left = 0;
    }
    return 0;
}
