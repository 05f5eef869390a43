"""A sequence under a frozen model by the C functions alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bbans._lib import ffi, lib, pointer
from bbans.frozen import FrozenModel


class Engine:
    """The C functions on memory that is there already."""

    def __init__(self, frozen: FrozenModel, x: np.ndarray) -> None:
        self.frozen = frozen  # holds what `space` points to
        self.space, self.length = frozen._space, len(x)
        self.x = frozen._observations(x)
        self.again = np.zeros_like(self.x)
        self.work = np.zeros_like(frozen._workspace(self.length, limit=1 << 40))
        self.tail = np.zeros(2 * frozen._push_words(self.length), np.uint32)
        self.head = np.zeros(1, np.uint64)
        self.message = ffi.new("bbans_message *")

    def _memory(self) -> tuple[Any, int]:
        return pointer(self.work, "uint64_t[]"), self.work.nbytes

    def encode(self) -> None:
        lib.bbans_message_init(
            self.message, pointer(self.head, "uint64_t[]"), 1, pointer(self.tail),
            self.tail.size,
        )  # fmt: skip
        status = lib.bbans_sequence_encode(
            self.space, pointer(self.x, "char[]"), self.length, *self._memory(),
            self.message,
        )  # fmt: skip
        assert status == 0

    def decode(self) -> None:
        """What is left of the message is kept by the caller."""
        status = lib.bbans_sequence_decode(
            self.space, self.message, pointer(self.again, "char[]"), self.length,
            *self._memory(),
        )  # fmt: skip
        assert status == 0

    def timed(self, clock: Callable[..., list[float]], repeats: int) -> list[float]:
        """What `clock` says of each observation, to encode and to decode."""
        self.encode()
        kept = self.message.tail_len, self.head.copy(), self.tail.copy()

        def restored() -> None:
            self.message.tail_len = kept[0]
            self.head[:], self.tail[: kept[0]] = kept[1], kept[2][: kept[0]]
            self.decode()

        restored()
        assert (self.again == self.x).all()
        runs = self.encode, restored
        return [count / self.length for count in clock(*runs, repeats=repeats)]
