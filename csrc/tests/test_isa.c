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

/* What Linux says of the machine, whatever the compiler's builtins do. */
static void check_against_linux(void)
{
#if defined(__x86_64__) && defined(__linux__) && !defined(BBANS_PORTABLE)
    static const char *const needs[2][9] = {
        {"avx2", "fma", "pclmulqdq", "popcnt"},
        {"avx2", "fma", "pclmulqdq", "popcnt", "avx512f", "avx512dq",
         "avx512bw", "avx512vl", "avx512_vnni"}};
    static const int sets[2] = {BBANS_ISA_AVX2, BBANS_ISA_AVX512};
    static char line[1 << 14];
    FILE *file = fopen("/proc/cpuinfo", "r");
    size_t i, k;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "flags", 5) == 0) {
            line[strcspn(line, "\n")] = ' ';
            for (i = 0; i < 2; i++) {
                int all = 1;

                for (k = 0; k < 9 && needs[i][k] != NULL; k++) {
                    char word[20];

                    snprintf(word, sizeof word, " %s ", needs[i][k]);
                    all = all && strstr(line, word) != NULL;
                }
                CHECK((bbans_isa_name(sets[i]) != NULL) == all);
            }
            break;
        }
    if (file != NULL)
        fclose(file);
#endif
}

int main(void)
{
    const int best = bbans_isa_use(BBANS_ISA_BEST);
    int isa, other, n = 0;

    CHECK(bbans_isa_name(-1) == NULL);
    CHECK(bbans_isa_name(BBANS_ISA_BEST) == NULL);
    CHECK(strcmp(bbans_isa_name(BBANS_ISA_PORTABLE), "portable") == 0);
    CHECK(bbans_isa_name(best) != NULL);
    check_against_linux();
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
