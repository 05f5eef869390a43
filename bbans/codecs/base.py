"""What a codec is."""

from __future__ import annotations

from typing import Any, Protocol

from bbans.errors import ModelError

__all__ = ["Codec", "as_codec", "as_function"]


class Codec(Protocol):
    """A distribution that can be coded.

    `push` and `pop` invert each other exactly, in both orders, and change
    nothing but the message. If one raises, the caller drops the message unless
    the codec says that it is unchanged. `check_codec` tests all that.

    The message is a `Message`, or for codecs that do not pop while they push an end of
    the range coder. A codec of several values pushes first what is popped last.
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
