"""How messages start without random bits: docs/maths.md, "Values one after another"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from bbans._arguments import as_array, as_bytes
from bbans.codecs.metered import Watched
from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Uniform, UniformRange
from bbans.errors import (
    BbansError,
    CorruptError,
    MessageError,
    ModelError,
    SymbolError,
)
from bbans.message.message import Message

__all__ = [
    "DIFFER",
    "START_MIN_BITS",
    "Pops",
    "Pushes",
    "damage",
    "initial",
    "lent",
    "observations",
    "pop_count",
    "position",
    "push_count",
]

START_MIN_BITS = 40
DIFFER = "data is damaged, or length, mode or model differ"


def observations(x: Any, name: str = "x") -> list[Any]:
    """Observations as a list.

    Raises
    ------
    SymbolError
        If they are no sequence.
    """
    try:
        return list(x)
    except TypeError:
        raise SymbolError(
            f"{name} must be a sequence of observations, not {x!r}"
        ) from None


def initial(bits: bytes) -> Message:
    """The message that starts from given bits.

    Raises
    ------
    TypeError
        If they are no bytes.
    """
    # It may not end in 0.
    return Message.from_bytes(as_bytes(bits, "initial_bits") + b"\1")


@contextmanager
def position(t: int, value: Any) -> Iterator[None]:
    """Say of an error where in the sequence it was."""
    try:
        yield
    except ModelError as error:
        raise SymbolError(
            f"observation {value} at position {t} cannot be coded: {error}"
        ) from error


@contextmanager
def damage() -> Iterator[None]:
    """What a model refuses while decoding, no encoder wrote."""
    try:
        yield
    except (ModelError, MessageError) as error:
        raise CorruptError(f"{DIFFER}: {error}") from error


# ---- latents at their modes


def _refuse(*given: Any, **named: Any) -> NoReturn:
    raise MessageError(
        "a start without random bits takes modes: bits back must pop its latents by "
        "message.pop(distribution), or be given `initial_bits`"
    )


class Pushes:
    """A message for codecs that push: what they pop on the way is a mode."""

    lanes = 1
    peek = advance = call = staticmethod(_refuse)

    def __init__(self, message: Message) -> None:
        self.push, self.push_interval = message.push, message.push_interval

    def pop(self, law: Distribution, shape: Any = None, *, out: Any = None) -> Any:
        if out is not None:
            array = as_array(out, "out")
            array[...] = law.broadcast(array.shape).mode()
            return out
        return (law if shape is None else law.broadcast(shape)).mode()


class Pops:
    """A message for codecs that pop: what they push on the way must be a mode."""

    lanes = 1
    push_interval = call = staticmethod(_refuse)

    def __init__(self, message: Message) -> None:
        self.pop, self.peek = message.pop, message.peek
        self.advance = message.advance

    def push(self, law: Distribution, values: Any) -> None:
        if not np.array_equal(law.broadcast(np.shape(values)).mode(), values):
            raise CorruptError(f"a latent is not the mode: {DIFFER}")


# ---- when to begin


class _Lender(Watched):
    """A message that refuses to be popped when little is left."""

    def popped(self) -> None:
        if not self.is_at_least(START_MIN_BITS):
            raise MessageError("the message holds too little to lend")


def lent(message: Message, push: Callable[[Message], None]) -> Message | None:
    """The message after a push by bits back; None if it holds too little for that."""
    trial = _Lender.from_state(*message.state())
    try:
        push(trial)
    except BbansError:  # of what was drawn when the message was dry, too
        return None
    return trial.copy()


def push_count(message: Message, count: int, most: int) -> None:
    """Push a number of values: its bit length, and below that its other bits."""
    low = count.bit_length() - 1
    if low > 0:
        UniformRange(0, (1 << low) - 1).push(message, count - (1 << low))
    Uniform(most.bit_length() + 1).push(message, low + 1)


def pop_count(message: Message, most: int) -> int:
    """Pop a number of values, at most so many.

    Raises
    ------
    CorruptError
        If there are more.
    """
    low = int(Uniform(most.bit_length() + 1).pop(message)) - 1
    count = 1 << low if low >= 0 else 0
    if low > 0:
        count += int(UniformRange(0, (1 << low) - 1).pop(message))
    if count > most:
        raise CorruptError(f"message starts with more values than it has: {DIFFER}")
    return count
