/* The stored vectors as firmware: make firmware
 *
 * SPDX-License-Identifier: MIT */
#include "board.h"
#include "golden.h"

int run(void)
{
    size_t i;

    for (i = 0; i < golden_count(); i++) {
        const int line = golden_run(i);

        if (line != 0) {
            print("golden.c:");
            print_number((size_t)line);
            print(": case ");
            print_number(i);
            print("\n");
            return 1;
        }
    }
    print("firmware: ");
    print_number(i);
    print(" cases\n");
    return 0;
}
