"""The coder of bytes that learns from them, and the one of bytes by default."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans._records import Buffer
from bbans.errors import ModelError
from bbans.formats.bytes import encode_bytes, octets
from bbans.formats.coders import LEVEL_DEFAULT, LEVEL_MAX, ByteCoder, Coder, shortest_of
from bbans.formats.container import BYTE_BLOCK, MIXING, STORED
from bbans.formats.mixing import (
    LEVEL_MIN,
    LINE_MAX,
    decode_mixing,
    encode_mixing,
    mixing_costs,
)

__all__ = ["MixingCoder", "bytes_coder"]

# Blocks that may be shorter under their own frequencies, as few as there are.
_BYTES_TRIED = 1 << 15
# Bytes of a block, by default: what comes first in a block is coded by little.
_BLOCK, _SHORT_BLOCK, _SHORT_BLOCK_LEVEL = 1 << 24, 1 << 22, 4


class MixingCoder(Coder):
    """Codes the bytes of elements, each under what many contexts expect of it.

    The contexts are the bytes before, words, what is above in a line, and longer
    matches. They learn from every byte, and so do the weights that mix them: small, for
    text, logs, source and most files, and slow, in either direction. A short block, of
    2**15 bytes at most, is coded as by a `ByteCoder` where that is shorter.

    Parameters
    ----------
    level : int
        From 3, fast, to 9, small. A thread that codes a long block takes 3, 9, 33, 65,
        40, 72 or 136 MiB beside it, and as much to decode it.
    line : int, optional
        The bytes of a line, where all lines have as many, as records of a fixed size
        or rows of pixels have; 0: lines end with a line feed, or there are none. By
        default each block is looked at, from level 4 on.

    Raises
    ------
    ModelError
        If one of these is none.

    Examples
    --------
    >>> from bbans import compress
    >>> len(compress(b"tick tock " * 100, MixingCoder()))
    44
    """

    method = MIXING

    def __init__(self, level: int = LEVEL_DEFAULT, line: int | None = None) -> None:
        super().__init__(level)
        if self.level < LEVEL_MIN:
            raise ModelError(
                f"a MixingCoder has levels {LEVEL_MIN} to {LEVEL_MAX}, not "
                f"{self.level}: take ByteCoder(level={self.level}), the fast coder"
            )
        self.line = line
        if line is not None:
            self.line = as_integer(line, "line", 0, LINE_MAX)

    def __repr__(self) -> str:
        line = "" if self.line is None else f", line={self.line}"
        return f"MixingCoder(level={self.level}{line})"

    def block_size(self, itemsize: int, width: int) -> int:
        whole = _SHORT_BLOCK if self.level <= _SHORT_BLOCK_LEVEL else _BLOCK
        return whole // itemsize

    def encode(self, steps: NDArray[Any]) -> Buffer | None:
        return encode_mixing(octets(steps), self.level, self.line)

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        decode_mixing(data, octets(out))

    def costs(self, data: Any) -> NDArray[np.float64]:
        """Compute the bits that each byte takes, in blocks of the default size.

        Parameters
        ----------
        data : str, bytes-like or array
            As `elements` takes them: text is coded as UTF-8, arrays as the bytes of
            their elements.

        Returns
        -------
        ndarray of float64, shape (n bytes,)
            Multiples of 2**-16 bits. A container has them, and some bytes more for
            each block; one that a `ByteCoder` makes shorter takes less.

        Raises
        ------
        TypeError
            If it is no contiguous buffer.

        Examples
        --------
        >>> bits = MixingCoder().costs(b"tick tock " * 20)
        >>> bool(bits[:20].mean() > 4 > 0.1 > bits[-50:].mean())
        True
        """
        plain = octets(self.elements(data)[1] if isinstance(data, str) else data)
        size = self.block_size(1, 1)
        blocks = [plain[at : at + size] for at in range(0, max(plain.size, 1), size)]
        return np.concatenate(
            [mixing_costs(block, self.level, self.line) for block in blocks]
        )

    def shortest(self, steps: NDArray[Any], start: int = 0) -> tuple[int, Buffer]:
        data, plain = self.encode(steps), octets(steps)
        ways: list[tuple[int, Buffer]] = [(STORED, plain.data)]
        if data is not None:
            ways = [(self.method, data)]
        if plain.size <= _BYTES_TRIED:
            ways.append((BYTE_BLOCK, encode_bytes(plain, 1)))
        return shortest_of(ways)


def bytes_coder(level: int = LEVEL_DEFAULT) -> Coder:
    """The coder of bytes and text at a level, if nothing is said of them."""
    level = as_integer(level, "level", 1, LEVEL_MAX)
    return ByteCoder(level=level) if level < LEVEL_MIN else MixingCoder(level)
