/* The list of instruction sets, and which of them BBANS_CPU chooses.
 *
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200112L /* setenv */
#include "bbans.h"
#include "check.h"

#include <string.h>

#ifdef _WIN32
#define setenv(name, value, replace) _putenv_s((name), (value))
#define unsetenv(name) _putenv_s((name), "")
#endif

int main(void)
{
    const int best = bbans_isa_use(BBANS_ISA_BEST);
    int isa, other, n = 0;

    CHECK(bbans_isa_name(-1) == NULL);
    CHECK(bbans_isa_name(BBANS_ISA_BEST) == NULL);
    CHECK(strcmp(bbans_isa_name(BBANS_ISA_PORTABLE), "portable") == 0);
    CHECK(bbans_isa_name(best) != NULL);
    for (isa = 0; isa < BBANS_ISA_BEST; isa++) {
        const char *name = bbans_isa_name(isa);

        if (name == NULL) { /* not here */
            CHECK(bbans_isa_use(isa) == BBANS_ISA_PORTABLE);
            continue;
        }
        n++;
        CHECK(bbans_isa_use(isa) == isa && bbans_isa_in_use() == isa);
        for (other = 0; other < isa; other++)
            CHECK(bbans_isa_name(other) == NULL ||
                  strcmp(bbans_isa_name(other), name) != 0);
#ifndef BBANS_PORTABLE
        CHECK(setenv("BBANS_CPU", name, 1) == 0);
        CHECK(bbans_isa_use(BBANS_ISA_BEST) == isa);
        CHECK(bbans_isa_use(BBANS_ISA_PORTABLE) == BBANS_ISA_PORTABLE);
#endif
    }
#ifndef BBANS_PORTABLE
    CHECK(unsetenv("BBANS_CPU") == 0);
#endif
    printf("test_isa: ok, %d here\n", n);
    return 0;
}
