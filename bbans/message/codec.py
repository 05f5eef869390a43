"""What a codec is: what messages and range coders code by."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from bbans.errors import ModelError

__all__ = ["Codec", "as_codec"]

V = TypeVar("V")


class Codec(Protocol[V]):
    """A distribution that can be coded: a ``Codec[V]`` codes values of type V.

    `push` and `pop` invert each other exactly, in both orders, and change
    nothing but the message. If one raises, the caller drops the message unless
    the codec says that it is unchanged. `check_codec` tests all that.

    The message is a `Message`, or for codecs that do not pop while they push an end of
    the range coder. A codec of several values pushes first what is popped last.
    """

    def push(self, message: Any, value: V) -> None:
        """Put `value` on the message; adds its information content."""

    def pop(self, message: Any) -> V:
        """Take a value from the message: the inverse of `push`. From a message
        of random bits this draws a sample."""


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
