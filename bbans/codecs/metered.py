"""Messages that are watched while codecs pop from them, and random bits to pop."""

from __future__ import annotations

from typing import Any

import numpy as np

from bbans.message.message import Message

__all__ = ["Metered", "Watched", "random_bits"]

_SPARE_WORDS = 4096  # what one value may borrow


class Watched(Message):
    """A message that calls `popped` after each pop."""

    def popped(self) -> None:
        """Look at what is left."""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name == "popped" or not name.startswith(("pop", "advance", "call")):
            return found

        def watched(*given: Any, **named: Any) -> Any:
            value = found(*given, **named)
            if given[:1] != ("message_push_intervals",):  # else `call` only pushed
                self.popped()
            return value

        return watched


class Metered(Watched):
    """A message that remembers how little was on it after a pop."""

    least: float

    def popped(self) -> None:
        self.least = min(self.least, self.bits)


def random_bits(rng: np.random.Generator, length: int = 1, lanes: int = 1) -> Metered:
    """A message of random bits from which `length` values may borrow."""
    heads = rng.integers(1 << 31, (1 << 63) - 1, lanes)
    message = Metered.from_state(
        heads, rng.integers(0, 1 << 32, _SPARE_WORDS + 4 * length + 64 * lanes)
    )
    assert isinstance(message, Metered)
    message.least = message.bits
    return message
