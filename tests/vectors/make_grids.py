"""Write grid_v1.json beside this file, with the installed library.

Run once per format version, from the root of the checkout:

    PYTHONPATH=tests python tests/vectors/make_grids.py

As in make_signals.py, blocks are the library's, and tests/reference.py decodes them. As
make.py, this never overwrites.

grid_v1.json
    cases: name; element, as in a container; grid (rows, columns, bands, period) and
        levels; the hex of the elements, little-endian, and that of the block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from blocks import ELEMENTS, encode_grid, geometry
from make_signals import Draw

HERE = Path(__file__).parent
LEVELS = range(1, 10)

Array = np.ndarray[Any, Any]


def scene(draw: Draw, frames: int, rows: int, columns: int, bands: int) -> Array:
    """A slope, a square that moves, and noise, in integers alone; 0 to 250."""
    t, y, x, b = np.ogrid[:frames, :rows, :columns, :bands]
    square = (abs(y - rows // 2) < rows // 4) & (abs(x - columns // 3 - t) < 4)
    smooth = 40 + 3 * y + 2 * x + 5 * t + (60 + 20 * b) * square - (x * y) // 9
    noise = np.array(draw.noise(smooth.size, 3)).reshape(smooth.shape)
    return np.asarray((smooth + noise).clip(0, 250))


def arrays(draw: Draw) -> Iterator[tuple[str, str, Any, tuple[int, int, int, int]]]:
    """Name, type, elements, and how they lie."""
    yield "an element", "u1", [7], (1, 1, 1, 0)
    yield "constant", "i8", [-(2**62)] * 24, (4, 6, 1, 0)
    yield "stored", "i4", [draw.below(2**32) - 2**31 for _ in range(12)], (3, 4, 1, 0)
    yield "a row", "u1", scene(draw, 1, 1, 40, 1), (1, 40, 1, 0)
    yield "a column", "u1", scene(draw, 1, 40, 1, 1), (40, 1, 1, 0)
    image = scene(draw, 1, 20, 24, 1)
    yield "image", "u1", image, (20, 24, 1, 0)
    yield "mask", "u1", image > 80, (20, 24, 1, 0)
    yield "few kinds", "i8", image // 50 * 10**15 - 10**12, (20, 24, 1, 0)
    yield "multiples", "u2", 12 * image + 5, (20, 24, 1, 0)
    yield "deep", "u2", 150 * image + scene(draw, 1, 20, 24, 1), (20, 24, 1, 0)
    yield "wide", "i8", (image << 37) + scene(draw, 1, 20, 24, 1), (20, 24, 1, 0)
    yield "negative", "i2", -7 * image, (20, 24, 1, 0)
    yield "ends", "i8", [-(2**63), 2**63 - 1] * 32, (8, 8, 1, 0)
    yield "colours", "u1", scene(draw, 1, 12, 14, 3), (12, 14, 3, 0)
    yield "bands", "u2", scene(draw, 1, 6, 7, 9), (6, 7, 9, 0)
    yield "video", "u1", scene(draw, 4, 10, 13, 1), (10, 13, 1, 0)
    yield "colour video", "u1", scene(draw, 3, 8, 9, 3), (8, 9, 3, 0)
    turns = scene(draw, 7, 8, 9, 1)
    turns[1::2] = 250 - turns[1::2]
    yield "in turns", "u1", turns, (8, 9, 1, 2)
    yield "a part of a frame", "u1", scene(draw, 3, 8, 9, 2).ravel()[:-54], (8, 9, 2, 0)


def main() -> None:
    path = HERE / "grid_v1.json"
    if path.exists():
        print(f"{path} is kept: a new format gets a new name")
        return
    cases = []
    for name, dtype, values, grid in arrays(Draw(2)):
        array = np.ascontiguousarray(values, dtype).ravel()
        blocks: dict[bytes, list[int]] = {}
        for level in LEVELS:
            block = encode_grid(array, geometry(*grid), level)
            blocks.setdefault(block, []).append(level)
        for block, levels in blocks.items():
            cases.append(
                {
                    "name": name, "element": ELEMENTS[dtype], "grid": grid,
                    "levels": levels, "data": array.astype(f"<{dtype}").tobytes().hex(),
                    "block": block.hex(),
                }
            )  # fmt: skip
    text = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f'{{"format": 1, "cases": [\n{text}\n]}}\n', encoding="ascii")


if __name__ == "__main__":
    main()
