"""Codecs made of codecs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from bbans.codecs.base import Codec
from bbans.errors import SymbolError

__all__ = ["Repeat", "Serial"]


class Serial:
    """A tuple of values, each under a codec of its own.

    The first value is popped first; so they are pushed last to first.
    """

    def __init__(self, codecs: Iterable[Codec]) -> None:
        self._codecs = tuple(codecs)

    def push(self, message: Any, value: Sequence[Any]) -> None:
        """Push one value per codec."""
        if len(value) != len(self._codecs):
            raise SymbolError(f"expected {len(self._codecs)} values, not {len(value)}")
        for codec, part in zip(reversed(self._codecs), reversed(value), strict=True):
            codec.push(message, part)

    def pop(self, message: Any) -> tuple[Any, ...]:
        """Pop one value per codec."""
        return tuple(codec.pop(message) for codec in self._codecs)


class Repeat(Serial):
    """`count` values under one codec. Arrays of symbols need no Repeat: give
    their codec a shape, which codes them in one call."""

    def __init__(self, codec: Codec, count: int) -> None:
        super().__init__((codec,) * count)
