"""What a codec is, and what it may ask of a message."""

from __future__ import annotations

from typing import Any, Protocol

__all__ = ["Codec", "MessageLike"]


class MessageLike(Protocol):
    """The methods of `bbans.Message` that codecs call."""

    def push_symbols(self, table: Any, symbols: Any, rows: Any = None) -> None: ...
    def pop_symbols(self, table: Any, shape: Any = None, rows: Any = None) -> Any: ...
    def push_uniform(self, total: int, values: Any) -> None: ...
    def pop_uniform(self, total: int, shape: Any = None) -> Any: ...
    def push_weighted(self, weights: Any, symbols: Any) -> None: ...
    def pop_weighted(self, weights: Any) -> Any: ...
    def push_located(
        self, shape: Any, location: Any, scale: Any, values: Any
    ) -> None: ...
    def pop_located(
        self, shape: Any, location: Any, scale: Any, *, dtype: Any = ...
    ) -> Any: ...
    def push_sequence(self, model: Any, symbols: Any) -> None: ...
    def pop_sequence(self, model: Any, length: int) -> Any: ...


class Codec(Protocol):
    """A distribution that can be coded.

    `push` and `pop` invert each other exactly, in both orders, and change
    nothing but the message. If one raises, the caller drops the message unless
    the codec says that it is unchanged.
    """

    def push(self, message: Any, value: Any) -> None:
        """Put `value` on the message; adds its information content."""

    def pop(self, message: Any) -> Any:
        """Take a value from the message: the inverse of `push`. From a message
        of random bits this draws a sample."""
