"""Codecs made of codecs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from bbans._arguments import as_integer
from bbans.codecs.base import as_codec
from bbans.errors import ModelError, SymbolError
from bbans.message.codec import Codec

__all__ = ["Repeat", "Serial"]


class Serial:
    """A tuple of values, each under a codec of its own.

    The first value is popped first; so they are pushed last to first.

    Parameters
    ----------
    codecs : iterable of Codec

    Raises
    ------
    ModelError
        If one is no codec.
    """

    def __init__(self, codecs: Iterable[Codec[Any]]) -> None:
        try:
            parts = tuple(codecs)
        except TypeError:
            raise ModelError(
                f"codecs must be a list of codecs, not {codecs!r}"
            ) from None
        self._codecs = tuple(as_codec(c, f"codecs[{i}]") for i, c in enumerate(parts))

    def push(self, message: Any, value: Sequence[Any]) -> None:
        """Push one value per codec."""
        if not isinstance(value, Sequence | np.ndarray):
            raise SymbolError(
                f"expected a tuple of {len(self._codecs)} values, not {value!r}"
            )
        if len(value) != len(self._codecs):
            raise SymbolError(f"expected {len(self._codecs)} values, not {len(value)}")
        for codec, part in zip(reversed(self._codecs), reversed(value), strict=True):
            codec.push(message, part)

    def pop(self, message: Any) -> tuple[Any, ...]:
        """Pop one value per codec."""
        return tuple(codec.pop(message) for codec in self._codecs)

    def __repr__(self) -> str:
        return f"Serial([{', '.join(map(repr, self._codecs))}])"


class Repeat(Serial):
    """`count` values under one codec. Arrays of symbols need no Repeat: give
    their codec a shape, which codes them in one call.

    Parameters
    ----------
    codec : Codec
    count : int
        0 or more.

    Raises
    ------
    ModelError
        If they are not.
    """

    def __init__(self, codec: Codec[Any], count: int) -> None:
        super().__init__((as_codec(codec, "codec"),) * as_integer(count, "count", 0))

    def __repr__(self) -> str:
        codec = repr(self._codecs[0]) if self._codecs else "..."
        return f"Repeat({codec}, {len(self._codecs)})"
