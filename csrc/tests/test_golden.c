/* The stored vectors with every kernel that is here.
 *
 * SPDX-License-Identifier: MIT */
#include "bbans.h"
#include "golden.h"

#include <stdio.h>

int main(void)
{
    static const char *const names[] = {"portable", "avx2", "avx512", "neon"};
    int isa;
    size_t i;

    for (isa = BBANS_ISA_PORTABLE; isa <= BBANS_ISA_NEON; isa++) {
        if (bbans_isa_use(isa) != isa)
            continue;
        for (i = 0; i < golden_count(); i++) {
            const int line = golden_run(i);

            if (line != 0) {
                fprintf(stderr, "golden.c:%d: case %lu, %s\n", line,
                        (unsigned long)i, names[isa]);
                return 1;
            }
        }
        printf("test_golden: %lu cases, %s\n", (unsigned long)i, names[isa]);
    }
    return 0;
}
