"""Codecs and functions that make them, as arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from bbans.errors import ModelError
from bbans.message.codec import Codec

__all__ = ["as_codec", "as_function"]

V = TypeVar("V")
F = TypeVar("F", bound=Callable[..., Any])


def as_codec(codec: Codec[V], name: str) -> Codec[V]:
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
    return codec


def as_function(function: F, name: str) -> F:
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
