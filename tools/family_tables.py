"""Write bbans_families.c of csrc/distributions: standard shapes, exactly rounded.

    python tools/family_tables.py > csrc/distributions/bbans_families.c

It needs mpmath.

docs/maths.md, "Values of a family", says what they hold.
"""

from collections.abc import Callable

import mpmath as mp

mp.mp.dps = 40

CELLS = 256  # of survival values to 1, and from 8 on in each octave
QUANTILES = 1024
POINT_BITS = 16


def points(octaves: int) -> list[mp.mpf]:
    """Where the survival function is tabled: 0 to 8 2^octaves."""
    even = [mp.mpf(i) / CELLS for i in range(8 * CELLS)]
    beyond = [
        mp.ldexp(mp.mpf(CELLS + i) / CELLS, 3 + octave)
        for octave in range(octaves)
        for i in range(CELLS)
    ]
    return [*even, *beyond, mp.ldexp(8, octaves)]


def rows(values: list[int]) -> str:
    lines, line = [], "   "
    for value in values:
        if len(line) + len(f" {value}u,") > 80:
            lines.append(line)
            line = "   "
        line += f" {value}u,"
    return "\n".join([*lines, line])


def array(name: str, values: list[int], bits: int = 32) -> None:
    head = f"const uint{bits}_t bbans_{name}[{len(values)}]"
    print(f"{head} = {{\n{rows(values)}\n}};\n")


def shape(
    name: str,
    octaves: int,
    survival: Callable[[mp.mpf], mp.mpf],
    quantile: Callable[[mp.mpf], mp.mpf],
) -> None:
    """`quantile` inverts `survival`."""
    values = [int(mp.nint(mp.ldexp(survival(t), 32))) for t in points(octaves)]
    values[-1] = 0
    array(f"{name}_survival", [*values, 0])
    masses = [mp.mpf(max(i, 0.25)) / (2 * QUANTILES) for i in range(QUANTILES + 1)]
    array(
        f"{name}_quantile",
        [int(mp.ldexp(quantile(p), POINT_BITS)) for p in masses],
    )


def main() -> None:
    print(
        "/* Made by tools/family_tables.py: "
        'docs/maths.md, "Values of a family".\n *\n'
        " * SPDX-License-Identifier: MIT */\n"
        '#include "bbans_family.h"\n\n/* clang-format off */\n'
    )
    fractions = [mp.mpf(f) / 256 for f in range(256)]
    powers = [
        power
        for f in fractions
        for power in (int(mp.nint(2 ** (16 - f))) << 10, int(mp.nint(2 ** (15 + f))))
    ]
    array("scale_powers", powers)
    half = mp.mpf(1) / 512
    above = [int(mp.floor(2 ** (31 + f + half))) for f in fractions]
    array("scale_above", [*above, 2**32 - 1, 2**32 - 1])
    guess = [sum(a < (256 + i) << 23 for a in above) for i in range(256)]
    array("scale_guess", guess)
    root = mp.sqrt(2)

    def normal(p: mp.mpf) -> mp.mpf:
        return root * mp.erfinv(1 - 2 * p)

    shape("gaussian", 0, lambda t: mp.erfc(t / root) / 2, normal)
    shape("logistic", 2, lambda t: 1 / (1 + mp.exp(t)), lambda p: mp.log(1 / p - 1))
    shape("laplace", 2, lambda t: mp.exp(-t) / 2, lambda p: -mp.log(2 * p))
    print("/* clang-format on */")


if __name__ == "__main__":
    main()
