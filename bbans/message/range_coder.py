"""The range coder: a queue of bits, whose end is a message."""

from __future__ import annotations

import operator
import reprlib
from typing import Any, ClassVar, NoReturn, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_instance, as_integer
from bbans._lib import check, ffi, lib, pointer
from bbans.errors import MessageError
from bbans.message._message import FIRST_IN_FIRST_OUT, DecoderArrays, EncoderArrays
from bbans.message.codec import Codec, as_codec
from bbans.message.message import Message, as_total

__all__ = ["RangeDecoder", "RangeEncoder"]

V = TypeVar("V")


def _refuse(self: Any, *given: Any) -> Any:
    """Raise: this end of the range coder does not do that."""
    raise MessageError(FIRST_IN_FIRST_OUT)


class _RangeCoder:
    """What a message has, and what either end of the range coder refuses of it."""

    __slots__ = ()

    lanes = 1
    _instead: ClassVar[str]
    push_interval = peek = advance = _refuse

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} is not copied or pickled: {self._instead}"
        )


class RangeEncoder(_RangeCoder, EncoderArrays):
    """Codes values first in, first out, into the shortest message.

    Notes
    -----
    docs/maths.md, "The range coder". Any codec goes, but for those that pop while they
    push, as bits back does: to `encode`, which hands itself to the codec as the
    message.

    Examples
    --------
    >>> from bbans.distributions import Gaussian, Poisson
    >>> encoder = RangeEncoder()
    >>> encoder.encode(Gaussian([2.5, -40.0], 3.0), [3, -38])
    >>> encoder.encode(Poisson(7.0), 5)
    >>> decoder = RangeDecoder(encoder.finish())
    >>> decoder.decode(Gaussian([2.5, -40.0], 3.0)), decoder.decode(Poisson(7.0))
    (array([  3, -38]), 5)
    """

    __slots__ = ()

    _instead = "finish it, and copy the message"

    def encode(self, codec: Codec[V], value: V) -> None:
        """Append a value; of several intervals the one that is popped first goes first.

        Parameters
        ----------
        codec : Distribution or Codec
        value : object
            As the codec takes it: under a distribution integers of its shape.

        Raises
        ------
        ModelError
            As the codec's `push`, for a value that it cannot code.
        MessageError
            If the codec pops too, or the encoder is spent. After any error the encoder
            is as it was before.
        """
        self._open()
        try:
            codec.push(self, value)
            self._encode()
        except AttributeError:
            as_codec(codec, "codec")
            raise
        finally:
            self._drop()

    def push_interval(self, start: ArrayLike, freq: ArrayLike, total: int) -> None:
        """Push an interval, as to a message of one lane; for codecs, in `encode`.

        Raises
        ------
        ModelError
            If that is no interval.
        """
        self._push_interval(*_interval(start, freq, total))

    def encode_interval(self, start: int, freq: int, total: int) -> None:
        """Append ``[start, start + freq)`` of `total` slots.

        Raises
        ------
        ModelError
            If that is no interval.
        """
        self._open()
        try:
            self.push_interval(start, freq, total)
            self._encode()
        finally:
            self._drop()

    def position(self) -> tuple[int, int, int]:
        """Return where the encoder stands, three integers, for `RangeDecoder.seek`."""
        self._open()
        try:
            return _position(lib.bbans_range_tell, self._c)
        finally:
            self._drop()

    def finish(self) -> Message:
        """Return the message; the encoder is spent."""
        self._open()
        try:
            message = Message()
            message.call(
                "range_finish", self._c, ..., words=(self._c.len + 11) // 4
            )  # fmt: skip
            return message
        finally:
            self._drop()

    def __repr__(self) -> str:
        return f"<RangeEncoder: {self._c.len} bytes so far>"


class RangeDecoder(_RangeCoder, DecoderArrays):
    """Reads what `RangeEncoder` wrote, first value first.

    Codecs take it for a message of one lane, from which they pop.

    Raises
    ------
    CorruptError
        From each method: if no encoder wrote this message. The decoder is as it was
        before, but where a codec had popped a part of its value.
    SymbolError
        From `decode`: if the codec's data type does not hold a value, as when the
        message is damaged.
    """

    __slots__ = ()

    _instead = "copy the message, and decode it from its start"

    def __init__(self, message: Message) -> None:
        as_instance(message, Message, "message", "a Message")
        self._init(message.copy())  # the decoder reads its arrays

    def decode(self, codec: Codec[V]) -> V:
        """Return the next value; inverse of `RangeEncoder.encode`."""
        try:
            return codec.pop(self)
        except (AttributeError, LookupError):
            as_codec(codec, "codec")
            raise

    def peek(self, total: int) -> NDArray[np.uint32]:
        """Return the next slot, shape (1,), as from a message of one lane."""
        slot = np.empty(1, np.uint32)
        check(lib.bbans_range_slot(self._c, as_total(total), pointer(slot)))
        return slot

    def advance(self, start: ArrayLike, freq: ArrayLike, total: int) -> None:
        """Remove the interval that holds the slot."""
        check(lib.bbans_range_advance(self._c, *_interval(start, freq, total)))

    def position(self) -> tuple[int, int, int]:
        """Return where the decoder stands, as `RangeEncoder.position`."""
        return _position(lib.bbans_range_tell_decoded, self._c)

    def seek(self, position: tuple[int, int, int]) -> None:
        """Go on from a noted place, forward or back; what was marked is forgotten.

        Parameters
        ----------
        position : tuple of int
            What `position` returned, of the encoder or of a decoder of this message.

        Raises
        ------
        MessageError
            If it is none.
        CorruptError
            If it is one of another message, where that can be told. After either the
            decoder is as it was before.

        Examples
        --------
        >>> from bbans.distributions import Uniform
        >>> encoder = RangeEncoder()
        >>> encoder.encode(Uniform(100, 3), [1, 2, 3])
        >>> place = encoder.position()
        >>> encoder.encode(Uniform(100), 4)
        >>> decoder = RangeDecoder(encoder.finish())
        >>> decoder.seek(place)
        >>> decoder.decode(Uniform(100))
        4
        """
        c = ffi.new("bbans_range_position *")
        try:
            c.bytes, c.low, c.range = map(operator.index, position)
        except (TypeError, ValueError, OverflowError):
            raise MessageError(
                "position must be one that position() returned, three integers, not "
                f"{reprlib.repr(position)}"
            ) from None
        check(lib.bbans_range_seek(self._c, c))

    def mark(self, bits: int) -> None:
        """Before an interval: an encoder would have started bits back from here, if
        the code of what follows alone were an integer of ``2**bits`` or more. Then
        `check` refuses it.

        Raises
        ------
        ModelError
            If `bits` is not 0 to 65535.
        """
        most = lib.BBANS_START_MAX
        check(lib.bbans_range_mark(self._c, as_integer(bits, "bits", 0, most)))

    def check(self) -> None:
        """After the last value: was exactly this encoded?"""
        check(lib.bbans_range_check(self._c))

    def __repr__(self) -> str:
        return f"<RangeDecoder of {self._c.n_bits} bits>"


def _position(tell: Any, coder: Any) -> tuple[int, int, int]:
    """Where a coder stands, by the function of C that tells it."""
    c = ffi.new("bbans_range_position *")
    check(tell(coder, c))
    return c.bytes, c.low, c.range


def _interval(start: Any, freq: Any, total: int) -> tuple[int, int, int]:
    """One interval, from numbers or from arrays of one."""
    total = as_total(total)
    start, freq = (
        part.item() if isinstance(part, np.ndarray) and part.size == 1 else part
        for part in (start, freq)
    )
    start = as_integer(start, "start of an interval", 0, total - 1)
    freq = as_integer(freq, "freq of an interval", 1, total - start)
    return start, freq, total
