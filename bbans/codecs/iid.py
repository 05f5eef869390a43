"""Many values under one codec as a message that starts by itself: docs/maths.md,
"Values one after the other"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from bbans._arguments import as_instance, as_integer
from bbans.codecs.start import (
    DIFFER,
    Pops,
    Pushes,
    damage,
    initial,
    lent,
    observations,
    pop_count,
    position,
    push_count,
)
from bbans.errors import CorruptError
from bbans.message.codec import Codec, as_codec
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
                codec.push(Pushes(message), xs[rest])
    for i in reversed(range(rest)):
        with position(i, xs[i]):
            codec.push(message, xs[i])
    if initial_bits is None:
        push_count(message, len(xs) - rest, len(xs))
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
        plain = pop_count(message, length) if start is None else 0
        xs = [codec.pop(message) for _ in range(length - plain)]
        if start is None and xs and not _lends(message, codec, xs[-1]):
            raise CorruptError(f"message lends too early: {DIFFER}")
        for _ in range(plain):
            xs.append(codec.pop(Pops(message)))
            if _lends(message, codec, xs[-1]):
                raise CorruptError(f"message lends too late: {DIFFER}")
    if message != (start or Message()):
        raise CorruptError(f"message does not end as it was started: {DIFFER}")
    return xs


def _lends(message: Message, codec: Codec[V], value: V) -> bool:
    """Whether the value can be pushed by bits back."""
    return lent(message, lambda trial: codec.push(trial, value)) is not None
