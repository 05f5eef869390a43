"""The message: a stack of bits that codecs push to and pop from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_bytes, as_instance, as_integer
from bbans._lib import as_uint32, check, empty_symbols, ffi, lib, pointer
from bbans._values import ValueArrays
from bbans.errors import MessageError, SymbolError
from bbans.frozen import FrozenModel
from bbans.lgssm import FrozenLGSSM

if TYPE_CHECKING:
    from bbans.tables import FrozenHMM

__all__ = ["Message", "RangeDecoder", "RangeEncoder"]


class Message(ValueArrays):
    """A stack of rANS words with one or more lanes.

    Popping inverts pushing exactly, in both orders: what a pop takes from any
    message, the push of the same symbol under the same table restores.

    Parameters
    ----------
    lanes : int
        Number of rANS states over the one stack of words. A message of one lane
        is an integer and starts as 1; it never runs dry (a pop from little, as from
        the empty message, gives the lowest symbols, which are not random, or a
        `MessageError` if there is no lowest value). More lanes start with 31 bits each
        and raise `MessageError` when they run dry.

    Notes
    -----
    docs/maths.md, section 3. A message belongs to one thread at a time: another
    that uses it while C code runs without the GIL gets a `MessageError`.

    Array methods put symbol i on lane i mod lanes; the first is popped first. Many
    symbols at a time are coded fastest over 64 lanes, by vector instructions.
    """

    __slots__ = ()

    def __init__(self, lanes: int = 1) -> None:
        # Bytes are read by `from_bytes`.
        self._init(as_integer(lanes, "lanes of a message", 1, 1 << 24, MessageError))

    # ---- state

    @classmethod
    def from_state(cls, heads: ArrayLike, tail: ArrayLike = ()) -> Message:
        """Make a message from its heads and its words.

        Parameters
        ----------
        heads : array_like of int, shape (lanes,)
            Each in [2**31, 2**63); a single one may be smaller if `tail` is empty.
        tail : array_like of int, shape (n,)
            32-bit words, top of the stack last.

        Raises
        ------
        MessageError
            If this is not a valid state.
        """
        head_array = as_array(heads, "heads", MessageError)
        if head_array.ndim != 1 or head_array.dtype.kind not in "iu":
            raise MessageError("heads must be a row of integers")
        if (head_array < 0).any():
            raise MessageError("a head is negative")
        words = as_uint32(tail, "word")
        message = cls(lanes=head_array.size)
        message._reserve(words.size)
        message._head[:] = head_array
        message._tail[: words.size] = words
        message._c.tail_len = words.size
        check(lib.bbans_message_check(message._c))
        return message

    def state(self) -> tuple[list[int], list[int]]:
        """Return the heads and the words, top of the stack last."""
        return self._head.tolist(), self._tail[: self._c.tail_len].tolist()

    def copy(self) -> Message:
        """Return an independent copy."""
        return Message.from_state(self._head, self._tail[: self._c.tail_len])

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_state, self.state()

    @property
    def lanes(self) -> int:
        """Number of lanes."""
        return int(self._head.size)

    @property
    def is_empty(self) -> bool:
        """Whether this is the message that `Message(lanes)` makes."""
        start = 1 if self.lanes == 1 else 1 << 31
        return self._c.tail_len == 0 and bool((self._head == start).all())

    @property
    def bits(self) -> float:
        """Length in bits: log2 of the integer for one lane, the sum over heads
        and words for more."""
        heads = np.log2(np.maximum(self._head.astype(np.float64), 1)).sum()
        return float(heads) + 32.0 * int(self._c.tail_len)

    def is_at_least(self, bits: int) -> bool:
        """Whether a message of one lane is an integer of 2**bits or more."""
        return 32 * int(self._c.tail_len) + int(self._head[0]).bit_length() > bits

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self.state() == other.state()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Message of {self.lanes} lane(s), {self.bits:.1f} bits>"

    # ---- bytes

    def to_bytes(self) -> bytes:
        """Return the wire format: docs/format.md, section 1."""
        size = ffi.new("size_t *")
        self.call("wire_size", ..., size, words=0)
        out = bytearray(size[0])
        self.call("wire_write", ..., ffi.from_buffer(out), size[0], size, words=0)
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes, lanes: int = 1) -> Message:
        """Read the wire format.

        Raises
        ------
        CorruptError
            If these bytes are not a message of so many lanes. As one lane nearly all
            bytes are a message, those of one of several lanes too.
        """
        data = as_bytes(data, "data")
        message = cls(lanes)
        message._reserve(len(data) // 4 + 1)
        check(lib.bbans_wire_read(message._c, ffi.from_buffer(data), len(data)))
        return message

    # ---- one interval per lane

    def push(self, start: ArrayLike, freq: ArrayLike, total: int) -> None:
        """Push one interval per lane.

        Parameters
        ----------
        start, freq : array_like of int, shape (lanes,)
            Intervals ``[start, start + freq)`` in slots, inside ``[0, total)``.
        total : int
            Slots in all, 1 to 2**28; ``2**r`` for a table of precision r.

        Raises
        ------
        ModelError
            If an interval or `total` is not valid; the message is unchanged.
        """
        starts, freqs = self._per_lane(start), self._per_lane(freq)
        self.call(
            "message_push", ..., pointer(starts), pointer(freqs), _total(total),
            words=self.lanes,
        )  # fmt: skip

    def peek(self, total: int) -> NDArray[np.uint32]:
        """Return the slot that each lane would pop, shape (lanes,)."""
        slots = np.empty(self.lanes, np.uint32)
        self.call("message_peek", ..., pointer(slots), _total(total), words=0)
        return slots

    def advance(self, start: ArrayLike, freq: ArrayLike, total: int) -> None:
        """Pop the intervals that hold the slots of `peek`.

        Parameters
        ----------
        start, freq : array_like of int, shape (lanes,)
            Intervals ``[start, start + freq)`` in slots, inside ``[0, total)``.
        total : int
            Slots in all, as given to `peek`.

        Raises
        ------
        ModelError
            If an interval does not hold its lane's slot.
        MessageError
            If the message holds too few bits. The message is unchanged.
        """
        starts, freqs = self._per_lane(start), self._per_lane(freq)
        self.call(
            "message_advance", ..., pointer(starts), pointer(freqs), _total(total),
            words=self.lanes,
        )  # fmt: skip

    # ---- whole sequences in one C call

    def push_sequence(self, model: FrozenHMM | FrozenLGSSM, x: ArrayLike) -> None:
        """Push a sequence under a frozen model by IconoCLaSM, over what is there.

        Parameters
        ----------
        model : FrozenHMM or FrozenLGSSM
        x : array_like of int
            Of an HMM symbol numbers 0 .. M-1, shape (T,); of an LGSSM integers,
            shape (T, p), or (T,) for p = 1.

        Raises
        ------
        SymbolError
            If the model cannot code a symbol; the message is unchanged.
        MessageError
            If the message has more than one lane.
        """
        if isinstance(model, FrozenLGSSM):
            values = model.observations(x)
            work = model.workspace(len(values))
            self.call(
                "lgssm_push", model.c, ..., pointer(values, "int64_t[]"), len(values),
                pointer(work, "uint64_t[]"), work.nbytes,
                words=model.tail_words(len(values)),
            )  # fmt: skip
            return
        as_instance(model, FrozenModel, "model", "a FrozenHMM or FrozenLGSSM")
        symbols = as_uint32(x, "symbol").ravel()
        model.check_symbols(symbols)
        work = model.workspace(symbols.size)
        self.call(
            "sequence_push", model.c, ..., pointer(symbols), symbols.size,
            pointer(work, "uint64_t[]"), work.nbytes, words=2 * symbols.size + 2,
        )  # fmt: skip

    def pop_sequence(self, model: FrozenHMM | FrozenLGSSM, length: int) -> NDArray[Any]:
        """Pop `length` observations; inverse of `push_sequence`.

        Raises
        ------
        CorruptError
            If no encoder can have pushed them; the message is spent.
        """
        as_instance(model, FrozenModel, "model", "a FrozenHMM or FrozenLGSSM")
        work = model.workspace(1)
        if isinstance(model, FrozenLGSSM):
            values = model.empty(length)
            self.call(
                "lgssm_pop", model.c, ..., pointer(values, "int64_t[]"), length,
                pointer(work, "uint64_t[]"), work.nbytes,
                words=model.tail_words(length),
            )  # fmt: skip
            return values
        symbols = empty_symbols(length)
        self.call(
            "sequence_pop", model.c, ..., pointer(symbols), length,
            pointer(work, "uint64_t[]"), work.nbytes, words=length,
        )  # fmt: skip
        return symbols

    def call(self, function: str, *arguments: Any, words: int) -> None:
        """Call ``bbans_<function>(*arguments)`` of the C library with this message in
        place of the argument ``...``, and room for `words` more words."""
        filled = [self._c if argument is ... else argument for argument in arguments]
        self._begin(words)
        try:
            check(getattr(lib, f"bbans_{function}")(*filled))
        finally:
            self._end()

    def _per_lane(self, values: ArrayLike) -> NDArray[np.uint32]:
        array = np.atleast_1d(as_uint32(values, "slot"))
        if array.shape != self._head.shape:
            raise SymbolError(f"{self.lanes} lanes need {self.lanes} intervals")
        return array


class RangeEncoder:
    """Codes intervals first in, first out, into the shortest message.

    Notes
    -----
    docs/maths.md, section 4.
    """

    def __init__(self) -> None:
        self._c = ffi.new("bbans_range_encoder *")
        self._bytes = np.empty(256, np.uint8)
        check(
            lib.bbans_range_encoder_init(
                self._c, pointer(self._bytes, "uint8_t[]"), self._bytes.size
            )
        )

    def encode(self, start: int, freq: int, total: int) -> None:
        """Append ``[start, start + freq)`` of `total` slots.

        Raises
        ------
        ModelError
            If that is no interval.
        """
        start, freq, total = _interval(start, freq, total)
        if self._bytes.size - self._c.len < 4:
            grown = np.empty(2 * self._bytes.size, np.uint8)
            grown[: self._c.len] = self._bytes[: self._c.len]
            self._bytes = grown
            self._c.bytes = pointer(grown, "uint8_t[]")
            self._c.cap = grown.size
        check(lib.bbans_range_encode(self._c, start, freq, total))

    def finish(self) -> Message:
        """Return the message; the encoder is spent."""
        message = Message()
        message.call(
            "range_finish", self._c, ..., words=(self._c.len + 11) // 4
        )  # fmt: skip
        return message


class RangeDecoder:
    """Reads what `RangeEncoder` wrote, first symbol first.

    Raises
    ------
    CorruptError
        From each method: if no encoder wrote this message.
    """

    def __init__(self, message: Message) -> None:
        as_instance(message, Message, "message", "a Message")
        self._message = message.copy()  # the decoder reads its arrays
        self._c = ffi.new("bbans_range_decoder *")
        check(lib.bbans_range_decoder_init(self._c, self._message._c))
        self._slot = ffi.new("uint32_t *")

    def peek(self, total: int) -> int:
        """Return the next symbol's slot."""
        check(lib.bbans_range_slot(self._c, _total(total), self._slot))
        return int(self._slot[0])

    def advance(self, start: int, freq: int, total: int) -> None:
        """Remove the interval that holds the slot."""
        start, freq, total = _interval(start, freq, total)
        check(lib.bbans_range_advance(self._c, start, freq, total))

    def mark(self, bits: int) -> None:
        """Before an interval: an encoder would have started bits back from here, if
        the code of what follows alone were an integer of ``2**bits`` or more. Then
        `check` refuses it.

        Raises
        ------
        ModelError
            If `bits` is not 0 to 65535.
        """
        most = lib.BBANS_TAIL_MAX
        check(lib.bbans_range_mark(self._c, as_integer(bits, "bits", 0, most)))

    def check(self) -> None:
        """After the last symbol: was exactly this encoded?"""
        check(lib.bbans_range_check(self._c))


def _total(total: int) -> int:
    return as_integer(total, "total", 1, lib.BBANS_TOTAL_MAX)


def _interval(start: int, freq: int, total: int) -> tuple[int, int, int]:
    total = _total(total)
    start = as_integer(start, "start of an interval", 0, total - 1)
    freq = as_integer(freq, "freq of an interval", 1, total - start)
    return start, freq, total
