"""Write bbans_count_tables.c of csrc/distributions, exactly rounded.

    python tools/count_tables.py > csrc/distributions/bbans_count_tables.c

It needs mpmath.

docs/maths.md, "Mixtures, counts and ranges", says what they hold.
"""

import mpmath as mp
from family_tables import array

mp.mp.dps = 40

CELLS = 256  # of an octave
BENDS = 128  # cells of a bend for each octave, up to 8


def bend(y: mp.mpf) -> mp.mpf:
    """Peizer and Pratt's g(2^-y)."""
    u = y * mp.log(2)
    return (mp.sinh(u) - u) / (mp.cosh(u) - 1) if u else mp.mpf(0)


def main() -> None:
    print(
        "/* Made by tools/count_tables.py: "
        'docs/maths.md, "Mixtures, counts and\n * ranges".\n *\n'
        " * SPDX-License-Identifier: MIT */\n"
        '#include "bbans_near_normal.h"\n\n/* clang-format off */\n'
    )
    parts = [mp.mpf(i) / CELLS for i in range(CELLS + 1)]
    array("log2_cells", [int(mp.nint(2**24 * mp.log(1 + x, 2))) for x in parts])
    array("power_cells", [int(mp.nint(2 ** (24 + x))) for x in parts])
    bends = [bend(mp.mpf(i) / BENDS) for i in range(8 * BENDS + 1)]
    array("bend_cells", [int(mp.nint(2**23 * g)) for g in bends])
    print("/* clang-format on */")


if __name__ == "__main__":
    main()
