"""Many values under one codec as a message that starts by itself: docs/maths.md,
"Values one after the other"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

import numpy as np

from bbans._arguments import as_instance, as_integer
from bbans.codecs.base import as_codec
from bbans.codecs.metered import Watched
from bbans.codecs.state_space import (
    DIFFER,
    START_MIN_BITS,
    damage,
    initial,
    observations,
    position,
)
from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Uniform, UniformRange
from bbans.errors import BbansError, CorruptError, MessageError
from bbans.message.codec import Codec
from bbans.message.message import Message

__all__ = ["decode_iid", "encode_iid"]

V = TypeVar("V")
MOST = 1 << 62  # values


def encode_iid(
    values: Iterable[V], codec: Codec[V], *, initial_bits: bytes | None = None
) -> Message:
    """Code values under one codec as a message of their own, without random bits.

    Parameters
    ----------
    values : iterable
        n >= 0 values.
    codec : Codec
        Of each value. What bits back pops must be popped from distributions, whose
        `mode` stands in for a draw.
    initial_bits : bytes, optional
        Bits to start from instead. They come back when the values are decoded, and cost
        their length.

    Returns
    -------
    Message
        Of one lane. It does not hold n.

    Raises
    ------
    SymbolError
        If the codec cannot code a value; the text names it and its position.
    MessageError
        If the codec draws by other means: then give `initial_bits`.

    Notes
    -----
    Values are pushed from the last to the first. While the message holds too little to
    lend, a latent is not drawn but set to the mode of its posterior. With exact
    posteriors that costs -log2 Q(mode | x) bits over the information content of such a
    value, once a message: for one image under a VAE 100 to 200 bits, for an array of
    many images as one value as much for each. How many values these are takes about 4
    bits. docs/maths.md, "Values one after another".

    Examples
    --------
    >>> from bbans.codecs import BitsBack
    >>> from bbans.distributions import Gaussian
    >>> codec = BitsBack(
    ...     Gaussian(0.0, 40.0),
    ...     lambda z: Gaussian(z, 6.0),
    ...     lambda x: Gaussian(0.98 * x, 5.9, leak=False),
    ... )
    >>> data = encode_iid([-3, 41, 17], codec).to_bytes()
    >>> decode_iid(Message.from_bytes(data), codec, 3)
    [-3, 41, 17]
    """
    as_codec(codec, "codec")
    xs = observations(values, "values")
    if initial_bits is not None:
        message, rest = initial(initial_bits), len(xs)
    else:
        message, rest = Message(), len(xs)
        while rest > 0 and not _lends(message, codec, xs[rest - 1]):
            rest -= 1
            with position(rest, xs[rest]):
                codec.push(_Pushes(message), xs[rest])
    for i in reversed(range(rest)):
        with position(i, xs[i]):
            codec.push(message, xs[i])
    if initial_bits is None:
        _push_count(message, len(xs) - rest, len(xs))
    return message


def decode_iid(
    message: Message,
    codec: Codec[V],
    length: int,
    *,
    initial_bits: bytes | None = None,
) -> list[V]:
    """Decode `length` values; the message is spent.

    Parameters
    ----------
    message : Message
        Of one lane, from `encode_iid`.
    codec : Codec
    length : int
        Number of values n. Memory and time grow with it, whatever the message is.
    initial_bits
        As they were encoded.

    Returns
    -------
    list

    Raises
    ------
    CorruptError
        If `encode_iid` writes this message for no values of this number, under this
        codec. Others may decode, to other values, if the message was damaged.
    """
    as_codec(codec, "codec")
    as_instance(message, Message, "message", "a Message, as of Message.from_bytes")
    length = as_integer(length, "length", 0, MOST)
    start = None if initial_bits is None else initial(initial_bits)
    with damage():
        plain = _pop_count(message, length) if start is None else 0
        xs = [codec.pop(message) for _ in range(length - plain)]
        if start is None and xs and not _lends(message, codec, xs[-1]):
            raise CorruptError(f"message lends too early: {DIFFER}")
        for _ in range(plain):
            xs.append(codec.pop(_Pops(message)))
            if _lends(message, codec, xs[-1]):
                raise CorruptError(f"message lends too late: {DIFFER}")
    if message != (start or Message()):
        raise CorruptError(f"message does not end as it was started: {DIFFER}")
    return xs


# ---- the start


class _Lender(Watched):
    """A message that says whether it had enough for all that was popped."""

    lends = True

    def popped(self) -> None:
        self.lends = self.lends and self.is_at_least(START_MIN_BITS)


def _lends(message: Message, codec: Codec[V], value: V) -> bool:
    """Whether the value can be pushed by bits back."""
    trial = _Lender.from_state(*message.state())
    assert isinstance(trial, _Lender)
    try:
        codec.push(trial, value)
    except BbansError:  # of what was drawn when the message was dry
        return False
    return trial.lends


def _push_count(message: Message, count: int, most: int) -> None:
    """Push a number of values: its bit length, and below that its other bits."""
    low = count.bit_length() - 1
    if low > 0:
        UniformRange(0, (1 << low) - 1).push(message, count - (1 << low))
    Uniform(most.bit_length() + 1).push(message, low + 1)


def _pop_count(message: Message, most: int) -> int:
    low = int(Uniform(most.bit_length() + 1).pop(message)) - 1
    count = 1 << low if low >= 0 else 0
    if low > 0:
        count += int(UniformRange(0, (1 << low) - 1).pop(message))
    if count > most:
        raise CorruptError(f"message starts with more values than it has: {DIFFER}")
    return count


def _refuse(*given: Any, **named: Any) -> NoReturn:
    raise MessageError(
        "a start without random bits takes modes: bits back must pop its latents by "
        "message.pop(distribution), or be given `initial_bits`"
    )


class _Pushes:
    """A message for codecs that push: what they pop on the way is a mode."""

    lanes = 1
    peek = advance = call = staticmethod(_refuse)

    def __init__(self, message: Message) -> None:
        self.push, self.push_interval = message.push, message.push_interval

    def pop(self, law: Distribution, shape: Any = None, *, out: Any = None) -> Any:
        if out is not None:
            out = np.asarray(out)
            out[...] = law.broadcast(out.shape).mode()
            return out
        return (law if shape is None else law.broadcast(shape)).mode()


class _Pops:
    """A message for codecs that pop: what they push on the way must be a mode."""

    lanes = 1
    push_interval = call = staticmethod(_refuse)

    def __init__(self, message: Message) -> None:
        self.pop, self.peek = message.pop, message.peek
        self.advance = message.advance

    def push(self, law: Distribution, values: Any) -> None:
        if not np.array_equal(law.broadcast(np.shape(values)).mode(), values):
            raise CorruptError(f"a latent is not the mode: {DIFFER}")
