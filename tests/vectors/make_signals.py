"""Write signal_v3.json beside this file, with the installed library.

Run once per format version, from the root of the checkout, before make.py:

    python tests/vectors/make_signals.py

An encoder may choose what it likes, so blocks are the library's; that they are what the
documents say tests/reference.py finds out, which decodes them. As make.py, this never
overwrites.

signal_v3.json
    cases: name; element, as in a container; channels, levels and line (null: none);
        the hex of the elements, little-endian, and that of the block.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from bbans.formats.container import array_header
from bbans.formats.signals import encode_signal

HERE = Path(__file__).parent
LEVELS = 1, 5, 9


class Draw:
    """Integers of a small generator, the same everywhere."""

    def __init__(self, seed: int) -> None:
        self.state = seed

    def below(self, n: int) -> int:
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n

    def noise(self, n: int, width: int) -> list[int]:
        return [sum(self.below(width) for _ in range(4)) - 2 * width for _ in range(n)]


def resonance(draw: Draw, n: int, width: int) -> np.ndarray[Any, Any]:
    x = [0, 0]
    for e in draw.noise(n, width):
        x.append((102 * x[-1] - 51 * x[-2]) // 64 + e)
    return np.array(x[2:])


def series(draw: Draw) -> Iterator[tuple[str, str, Any, tuple[int, int] | None]]:
    """Name, type, values by steps and channels, and line."""
    yield "a value", "u1", [[7]], None
    yield "constant", "i8", [[-(2**62)]] * 20, None
    yield "regular", "i8", [[10**18 + 10**9 * t] for t in range(50)], None
    yield "on a line", "i8", [[10**18 + 10**9 * t] for t in range(90, 150)], (
        10**18, 10**9
    )  # fmt: skip
    yield "cubic", "u8", [[(t**3 + 5) % 2**64] for t in range(30)], None
    yield "stored", "i4", [[draw.below(2**32) - 2**31] for _ in range(12)], None
    walk = resonance(draw, 300, 20)
    yield "resonance", "i2", walk[:, None], None
    yield "multiples", "i4", 12 * walk[:, None] + 5, None
    yield "ranks", "i4", walk[:, None] * 8 // 3, None
    yield "missing", "i4", [
        [-(10**6) if t % 40 == 7 else int(v)] for t, v in enumerate(walk)
    ], None  # fmt: skip
    yield "few kinds", "u1", [[int(v) % 3 * 90] for v in walk // 8], None
    yield "wide", "i8", np.cumsum(walk << 37)[:, None], None
    long = resonance(draw, 9000, 9)
    yield "wrapped", "i2", (np.cumsum(long // 4) % 512)[:500, None], None
    both = np.stack([walk, walk // 2 + 3, walk * 0, walk * 0, -walk], axis=1)
    yield "channels", "i2", both, None
    yield "many channels", "i1", np.tile(walk[:140] % 5, (3, 1)), None
    yield "two lanes, several pieces", "i1", (long // 3)[:, None], None


def main() -> None:
    path = HERE / "signal_v3.json"
    if path.exists():
        print(f"{path} is kept: a new format gets a new name")
        return
    cases = []
    for name, dtype, values, line in series(Draw(1)):
        array = np.array(values, f"<{dtype}")
        blocks: dict[bytes, list[int]] = {}
        for level in LEVELS:
            block = bytes(encode_signal(array, level, line))
            blocks.setdefault(block, []).append(level)
        for block, levels in blocks.items():
            cases.append(
                {
                    "name": name, "element": array_header(array.dtype).element,
                    "channels": array.shape[1], "levels": levels, "line": line,
                    "data": array.tobytes().hex(), "block": block.hex(),
                }
            )  # fmt: skip
    text = ",\n".join(json.dumps(case) for case in cases)
    path.write_text(f'{{"format": 3, "cases": [\n{text}\n]}}\n', encoding="ascii")


if __name__ == "__main__":
    main()
