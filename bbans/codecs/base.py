"""What a codec is, and what it may ask of a message."""

from __future__ import annotations

from typing import Any, Protocol

from bbans.errors import ModelError

__all__ = ["Codec", "MessageLike", "as_codec", "as_function"]


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
    def push_bernoulli(self, ones: Any, prec: int, bits: Any) -> None: ...
    def pop_bernoulli(self, ones: Any, prec: int) -> Any: ...
    def push_range(self, low: int, high: int, values: Any) -> None: ...
    def pop_range(
        self, low: int, high: int, shape: Any = (), *, dtype: Any = ...
    ) -> Any: ...
    def push_mixture(
        self,
        shape: Any,
        weights: Any,
        location: Any,
        scale: Any,
        values: Any,
        *,
        low: Any = None,
        high: Any = None,
    ) -> None: ...
    def pop_mixture(
        self,
        shape: Any,
        weights: Any,
        location: Any,
        scale: Any,
        *,
        low: Any = None,
        high: Any = None,
        dtype: Any = ...,
    ) -> Any: ...
    def push_geometric(self, scale: Any, values: Any) -> None: ...
    def pop_geometric(self, scale: Any, *, dtype: Any = ...) -> Any: ...
    def push_binomial(self, trials: Any, probability: Any, values: Any) -> None: ...
    def pop_binomial(
        self, trials: Any, probability: Any, *, dtype: Any = ...
    ) -> Any: ...
    def push_beta_binomial(
        self, trials: Any, alpha: Any, beta: Any, values: Any
    ) -> None: ...
    def pop_beta_binomial(
        self, trials: Any, alpha: Any, beta: Any, *, dtype: Any = ...
    ) -> Any: ...
    def push_poisson(self, mean: Any, values: Any) -> None: ...
    def pop_poisson(self, mean: Any, *, dtype: Any = ...) -> Any: ...
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


def as_codec(codec: Any, name: str) -> Codec:
    """The codec that was given, if it can push and pop.

    Raises
    ------
    ModelError
        If it is none.
    """
    if isinstance(codec, type) or not (
        hasattr(codec, "push") and hasattr(codec, "pop")
    ):
        raise ModelError(f"{name} must be a codec, with push and pop, not {codec!r}")
    made: Codec = codec
    return made


def as_function(function: Any, name: str) -> Any:
    """The function that was given, if it can be called.

    Raises
    ------
    ModelError
        If it cannot.
    """
    if not callable(function):
        raise ModelError(
            f"{name} must be a function that makes a codec, not {function!r}"
        )
    return function
