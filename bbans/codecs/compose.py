"""Codecs made of codecs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from bbans._arguments import as_integer
from bbans.codecs.base import STEPS_MAX
from bbans.errors import ModelError, SymbolError
from bbans.message.codec import Codec, as_codec

__all__ = ["Dependent", "Repeat", "Serial"]


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
        parts = _listed(codecs, "codecs")
        self._codecs = tuple(as_codec(c, f"codecs[{i}]") for i, c in enumerate(parts))

    def push(self, message: Any, value: Sequence[Any]) -> None:
        """Push one value per codec."""
        _check_count(value, len(self._codecs))
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
        one = (as_codec(codec, "codec"),)
        super().__init__(one * as_integer(count, "count", 0, STEPS_MAX))

    def __repr__(self) -> str:
        codec = repr(self._codecs[0]) if self._codecs else "..."
        return f"Repeat({codec}, {len(self._codecs)})"


class Dependent:
    """A tuple of values, each under a codec that depends on those before it.

    The first value is popped first; so they are pushed last to first.

    Parameters
    ----------
    parts : iterable of Codec or callable
        ``parts[i]`` is the codec of value i, or a function of the i values before it
        that returns the codec: ``[p, lambda a: p_given(a), lambda a, b: ..]``.

    Raises
    ------
    ModelError
        If one is neither.

    Notes
    -----
    As a posterior of `BitsBack` this draws from the first latent to the last, as the
    top-down posteriors of hierarchical models do; as a likelihood it is an
    autoregressive model. Functions are called in another order by the receiver than by
    the sender, and must depend on their arguments alone.

    Examples
    --------
    >>> from bbans import Message
    >>> from bbans.distributions import Uniform
    >>> message = Message()
    >>> below = Dependent([Uniform(100), lambda a: Uniform(a + 1)])
    >>> below.push(message, (41, 7))
    >>> below.pop(message)
    (41, 7)
    """

    def __init__(self, parts: Iterable[Codec[Any] | Callable[..., Codec[Any]]]) -> None:
        self._parts = tuple(
            part if callable(part) else as_codec(part, f"parts[{i}]")
            for i, part in enumerate(_listed(parts, "parts"))
        )

    def _codec(self, i: int, before: Sequence[Any]) -> Codec[Any]:
        part = self._parts[i]
        return part(*before) if callable(part) else part

    def push(self, message: Any, value: Sequence[Any]) -> None:
        """Push one value per part. If this raises, the message is spent."""
        _check_count(value, len(self._parts))
        for i in reversed(range(len(value))):
            self._codec(i, value[:i]).push(message, value[i])

    def pop(self, message: Any) -> tuple[Any, ...]:
        """Pop one value per part."""
        values: list[Any] = []
        for i in range(len(self._parts)):
            values.append(self._codec(i, values).pop(message))
        return tuple(values)

    def __repr__(self) -> str:
        return f"Dependent([{', '.join(map(repr, self._parts))}])"


def _listed(codecs: Iterable[Any], name: str) -> tuple[Any, ...]:
    try:
        return tuple(codecs)
    except TypeError:
        raise ModelError(f"{name} must be a list of codecs, not {codecs!r}") from None


def _check_count(value: Any, count: int) -> None:
    if not isinstance(value, Sequence) and np.ndim(value) == 0:
        raise SymbolError(f"expected a tuple of {count} values, not {value!r}")
    if len(value) != count:
        raise SymbolError(f"expected {count} values, not {len(value)}")
