/* The stored vectors with every kernel that is here.
 *
 * SPDX-License-Identifier: MIT */
#include "check.h"
#include "golden.h"

int main(void)
{
    int isa;
    size_t i;

    FOR_EACH_ISA(isa)
    {
        for (i = 0; i < golden_count(); i++) {
            const int line = golden_run(i);

            if (line != 0) {
                fprintf(stderr, "golden.c:%d: case %lu, %s\n", line,
                        (unsigned long)i, bbans_isa_name(isa));
                return 1;
            }
        }
        printf("test_golden: %lu cases, %s\n", (unsigned long)i,
               bbans_isa_name(isa));
    }
    return 0;
}
