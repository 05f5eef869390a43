"""Files that are a header and numbers sampled over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bbans.formats.container import BLOCK_BYTES_MAX, BYTES
from bbans.formats.pieces import INT24, Run

__all__ = ["ENDLESS", "Samples", "element_of"]

#: The end of what goes on to the end of the file.
ENDLESS = 1 << 62
_BLOCK_BYTES, _BLOCK_VALUES = 1 << 20, 1 << 18
# Values of a signal at the most: 24 bits become 32.
_RUN_VALUES = BLOCK_BYTES_MAX // 4


@dataclass(frozen=True)
class Samples:
    """Numbers between two places of a file, and other bytes around them.

    Parameters
    ----------
    start, stop : int
        Where the numbers begin and end, in bytes; the file may end before.
    element : int
        As of a `Run`.
    width : int
        Bytes of a number.
    channels : int
        How many are sampled together.
    big_endian : bool
    planar : bool
        Channels lie one behind the other: the rest of the file must fit into a block.
    """

    tries_bytes: ClassVar[bool] = True

    start: int
    stop: int
    element: int
    width: int
    channels: int = 1
    big_endian: bool = False
    planar: bool = False

    @property
    def block_bytes(self) -> int:
        if self.planar:
            return min(self.stop, BLOCK_BYTES_MAX)
        step = self.width * self.channels
        size = max(_BLOCK_BYTES, _BLOCK_VALUES * self.width)
        return max(size // step, 1) * step

    def runs(self, start: int, data: NDArray[np.uint8]) -> list[Run]:
        """Whole steps in the middle, and what is left at the ends."""
        end, first, stop = start + data.size, self.start, self.stop
        planar = self.planar and start <= first and stop <= end
        channels = self.channels if planar or not self.planar else 1
        step = self.width * channels
        low = first + max(-(-(start - first) // step), 0) * step
        high = first + (min(end, stop) - first) // step * step
        if low >= high or low >= end:
            return [Run(data.size, BYTES)]
        runs = [Run(low - start, BYTES)]
        most = max(_RUN_VALUES // channels, 1) * step
        while low < high:
            n = high - low if planar else min(high - low, most)
            runs.append(Run(n, self.element, channels, self.big_endian, planar))
            low += n
        return [*runs, Run(end - high, BYTES)]


def element_of(width: int, signed: bool) -> int | None:
    """The element of integers of so many bytes, if there is one."""
    if width == 3 and signed:
        return INT24
    places = {1: 0, 2: 1, 4: 2, 8: 3}
    return None if width not in places else 16 + 2 * places[width] + signed
