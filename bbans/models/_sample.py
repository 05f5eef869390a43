"""What training holds of data: all of it, or a sample that memory has room for."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer

__all__ = ["MAX_SYMBOLS", "Sample"]

MAX_SYMBOLS = 1 << 23
# Symbols of a sequence that stay or go together, at most, and as a share of all.
_PIECE, _SHARE = 1 << 16, 64


class Sample:
    """Sequences of symbol numbers: all that came, while they fit, and a sample then.

    Parameters
    ----------
    n_symbols : int
        M.
    most : int
        Symbols that are held, at most.

    Notes
    -----
    Each sequence has a number drawn at random; those of the least numbers stay, so
    all that came, at any time, stay with the same chance. Long sequences are drawn in
    pieces. The same data give the same sample.
    """

    def __init__(self, n_symbols: int, most: int = MAX_SYMBOLS) -> None:
        self._most = as_integer(most, "max_symbols", 1)
        self._piece = max(min(_PIECE, self._most // _SHARE), 1)
        self._dtype = np.min_scalar_type(max(n_symbols - 1, 0))
        self._rng = np.random.default_rng(0)
        # (-number, sequence, offset) with the symbols beside: the first goes first.
        self._pieces: list[tuple[float, int, int]] = []
        self._symbols: dict[tuple[int, int], NDArray[np.unsignedinteger]] = {}
        self._sequences = self.n_symbols = 0

    def add(self, sequences: Iterable[NDArray[np.int32]]) -> None:
        """Take sequences in."""
        for x in sequences:
            for offset in range(0, x.size, self._piece):
                piece = x[offset : offset + self._piece].astype(self._dtype)
                key = -float(self._rng.random()), self._sequences, offset
                heapq.heappush(self._pieces, key)
                self._symbols[key[1:]] = piece
                self.n_symbols += piece.size
                while self.n_symbols > self._most and len(self._pieces) > 1:
                    gone = heapq.heappop(self._pieces)
                    self.n_symbols -= self._symbols.pop(gone[1:]).size
            self._sequences += 1

    def copy(self) -> Sample:
        """Return a sample that goes on from here by itself."""
        other = Sample(1, self._most)
        other._dtype = self._dtype
        other._rng.bit_generator.state = self._rng.bit_generator.state
        other._pieces, other._symbols = self._pieces.copy(), self._symbols.copy()
        other._sequences, other.n_symbols = self._sequences, self.n_symbols
        return other

    def sequences(self) -> list[NDArray[np.int32]]:
        """What is held, in the order in which it came."""
        found: list[list[NDArray[np.unsignedinteger]]] = []
        expected = (-1, 0)
        for key in sorted(self._symbols):
            piece = self._symbols[key]
            if key != expected:  # not the rest of the piece before
                found.append([])
            found[-1].append(piece)
            expected = key[0], key[1] + piece.size
        return [np.concatenate(parts).astype(np.int32) for parts in found]
