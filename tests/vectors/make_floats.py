"""Write float_v1.json beside this file, with the installed library.

Run once per format version, from the root of the checkout:

    PYTHONPATH=tests python tests/vectors/make_floats.py

As in make_signals.py, blocks are the library's, and tests/reference.py decodes them. As
make.py, this never overwrites.

float_v1.json
    cases: name; type; channels and grid (rows, columns, bands, period; null: none), one
        of them or neither; levels; the hex of the elements, little-endian, and that of
        the block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import reference as ref
from blocks import FLOATS, encode_float, geometry
from make_signals import Draw, resonance

HERE = Path(__file__).parent
LEVELS = 1, 5, 9

Array = np.ndarray[Any, Any]
Grid = tuple[int, int, int, int] | None


def rounded(values: list[Fraction], name: str) -> list[int]:
    """The bits of the nearest floats."""
    E, M = ref.FLOATS[FLOATS[name][0]]
    return [ref.nearest_float(v, E, M, name == "float8_e4m3") for v in values]


def special(name: str) -> list[int]:
    """Zeros, the least, the largest, infinities, and NaNs with payloads."""
    E, M = ref.FLOATS[FLOATS[name][0]]
    inf, sign = (2**E - 1) << M, 1 << (E + M)
    some = [0, 1, 2**M - 1, 2**M, inf - 1, inf, inf + 1, sign - 1]
    return some + [sign | v for v in some]


def series(draw: Draw) -> Iterator[tuple[str, str, list[int], int, Grid]]:
    """Name, type, bits, channels and grid."""
    walk = [int(v) for v in resonance(draw, 240, 20)]
    for name in FLOATS:
        E, M = ref.FLOATS[FLOATS[name][0]]
        yield "an element", name, rounded([Fraction(5, 4)], name), 1, None
        yield "constant", name, rounded([Fraction(1, 3)] * 20, name), 1, None
        yield "special", name, special(name) * 3, 0, None
        yield "special in a series", name, special(name) * 3, 1, None
        noise = [draw.below(2 ** (1 + E + M)) for _ in range(40)]
        yield "stored", name, noise, 1, None
        weights = rounded([Fraction(v, 1024) for v in draw.noise(300, 200)], name)
        yield "weights", name, weights, 0, None
        tenths = rounded([Fraction(v, 10) for v in walk], name)
        yield "decimals", name, tenths, 1, None
        yield "decimals in channels", name, tenths, 3, None
        yield "decimals in a grid", name, tenths, 0, (12, 10, 1, 0)
        odd = [*tenths]
        odd[3::50] = special(name)[-5:]
        odd[7::40] = [v + 1 for v in odd[7::40]]
        yield "nearly decimals", name, odd, 1, None
        steps = rounded([Fraction(3 * v, 7) for v in walk], name)
        yield "steps", name, steps, 1, None
        fine = [Fraction(v, 7) + Fraction(draw.below(2**60), 2**60) for v in walk]
        yield "noisy", name, rounded(fine, name), 1, None
        yield "noisy in a grid", name, rounded(fine, name), 0, (12, 10, 2, 0)


def main() -> None:
    path = HERE / "float_v1.json"
    if path.exists():
        print(f"{path} is kept: a new format gets a new name")
        return
    cases = []
    for name, kind, values, channels, grid in series(Draw(3)):
        bits = np.array(values, FLOATS[kind][1])
        blocks: dict[bytes, list[int]] = {}
        lies = geometry(*grid) if grid else None
        for level in LEVELS:
            block = encode_float(bits, kind, level, channels, lies)
            blocks.setdefault(block, []).append(level)
        for block, levels in blocks.items():
            data = bits.astype(bits.dtype.newbyteorder("<")).tobytes()
            cases.append(
                {
                    "name": name, "type": kind, "channels": channels, "grid": grid,
                    "levels": levels, "data": data.hex(), "block": block.hex(),
                }
            )  # fmt: skip
    text = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f'{{"format": 1, "cases": [\n{text}\n]}}\n', encoding="ascii")


if __name__ == "__main__":
    main()
