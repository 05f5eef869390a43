"""The message: a stack of bits that codecs push to and pop from."""

from __future__ import annotations

import operator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_bytes, as_integer
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans.errors import CorruptError, MessageError, SymbolError
from bbans.message._message import MessageArrays

__all__ = ["Message", "as_total"]


class Message(MessageArrays):
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

    See Also
    --------
    Message.seeded : Start from other data, for bits back, which pops first.

    Notes
    -----
    docs/maths.md, "The message". A message belongs to one thread at a time: another
    that uses it while C code runs without the GIL gets a `MessageError`.

    Value i of an array is on lane i mod lanes; the first is popped first. Many
    values at a time are coded fastest over 64 lanes, by vector instructions.

    Bits back pops first, and a new message has no random bits to give: one lane gives
    symbols of the lowest slots, more lanes are dry. Pushes may not help: heads start
    from 2**31, and are near 2**31 again when each lane was pushed a multiple of 32 bits
    with equal masses; then the first pop of each lane gives one of the lowest slots.
    That loses up to 31 bits a lane, once. `seeded` fills all heads with other data, and
    costs 2 bits a lane.
    """

    __slots__ = ()

    def __init__(self, lanes: int = 1) -> None:
        # Bytes are read by `from_bytes`.
        self._init(as_integer(lanes, "lanes of a message", 1, 1 << 24, MessageError))

    # ---- data to start from

    @classmethod
    def seeded(cls, data: bytes, lanes: int = 64) -> Message:
        """Make a message of other data, which later pops take as random bits.

        Parameters
        ----------
        data : bytes
            What looks random: bytes that are compressed or encrypted, and to be sent
            too, best of all. 31 bytes or more for each 4 lanes; as many as pops may
            take before pushes give back more.
        lanes : int
            As of `Message`.

        Returns
        -------
        Message
            62 bits of `data` in each head, the rest in the tail. When all that is
            pushed is popped again this message is back, and `unseed` gives `data`.

        Raises
        ------
        MessageError
            If `data` are too few, or `lanes` no number of lanes.
        TypeError
            If `data` are no bytes.

        Notes
        -----
        docs/format.md, "Message". `to_bytes` of this message has 16 bytes more than
        `data` for 64 lanes, and up to 4 for whole words.

        Examples
        --------
        >>> from bbans import Message
        >>> message = Message.seeded(bytes(range(100)), lanes=4)
        >>> message.unseed() == bytes(range(100))
        True
        """
        message, seed = cls(lanes), as_bytes(data, "data")
        least = -(-31 * message.lanes // 4)
        if len(seed) < least:
            raise MessageError(
                f"a message of {lanes} lanes starts from {least} bytes of data or "
                f"more, not {len(seed)}"
            )
        message._reserve(len(seed) // 4 + 1)
        check(lib.bbans_message_seed(message._c, ffi.from_buffer(seed), len(seed)))
        return message

    def unseed(self) -> bytes:
        """Return the data that this message was `seeded` with, once all that was pushed
        is popped; the message is unchanged.

        Raises
        ------
        CorruptError
            If `seeded` gives this message for no data: something is left to pop, or
            what was popped was pushed under other codecs.
        """
        size = ffi.new("size_t *")
        out = bytearray(8 * self.lanes + 4 * int(self._c.tail_len))
        memory = ffi.from_buffer(out)
        try:
            self.call("message_unseed", ..., memory, len(out), size, words=0)
        except CorruptError as error:
            raise CorruptError(
                "this is no message as Message.seeded makes them: pop all that was "
                "pushed, in the reverse order and under the same codecs",
                error.status,
            ) from None
        return bytes(out)[: size[0]]

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

    def rotate(self, n: int) -> None:
        """Number the lanes from lane n on, modulo their number: after n values of a
        longer array, the next value's lane becomes lane 0."""
        k = n % self.lanes
        if k:
            self._head[:] = np.concatenate([self._head[k:], self._head[:k]])

    # ---- places to come back to

    def position(self) -> tuple[int, ...]:
        """Return where the message stands: its number of words, and its heads.

        Pushes leave what is below as it is: from a message with more on top, `seek`
        goes back to where this one stands. Pops, as of bits back, may not go below.
        """
        return int(self._c.tail_len), *self._head.tolist()

    def seek(self, position: tuple[int, ...]) -> None:
        """Go down to a noted place, as if all that was pushed since had been popped.

        Parameters
        ----------
        position : tuple of int
            What `position` returned for this message, before more was pushed.

        Raises
        ------
        MessageError
            If it is no position of a message of so many lanes and words; the message is
            unchanged. Other messages' positions may not be noticed.

        Examples
        --------
        >>> from bbans import Message
        >>> from bbans.distributions import Uniform
        >>> message = Message()
        >>> message.push(Uniform(100), [1, 2, 3])
        >>> place = message.position()
        >>> message.push(Uniform(100), [4, 5])
        >>> message.seek(place)
        >>> message.pop(Uniform(100), 3)
        array([1, 2, 3], dtype=uint32)
        """
        try:
            words, *heads = map(operator.index, islice(position, self.lanes + 2))
        except (TypeError, ValueError):
            words, heads = -1, []
        if len(heads) != self.lanes or not 0 <= words <= self._c.tail_len:
            raise MessageError(
                f"position must be one of this message, as position() returned it: a "
                f"number of words up to {int(self._c.tail_len)} and {self.lanes} heads"
            )
        there = Message.from_state(heads, self._tail[:words])
        self._reserve(0)  # no other thread has it
        self._head[:] = there._head
        self._c.tail_len = words

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
        return np.array_equal(self._head, other._head) and np.array_equal(
            self._tail[: self._c.tail_len], other._tail[: other._c.tail_len]
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Message of {self.lanes} lane(s), {self.bits:.1f} bits>"

    # ---- bytes

    def to_bytes(self) -> bytes:
        """Return the message as bytes: docs/format.md, Message."""
        size = ffi.new("size_t *")
        self.call("message_size", ..., size, words=0)
        out = bytearray(size[0])
        self.call("message_write", ..., ffi.from_buffer(out), size[0], size, words=0)
        return bytes(out)

    @classmethod
    def from_bytes(cls, data: bytes, lanes: int = 1) -> Message:
        """Read a message from bytes.

        Raises
        ------
        CorruptError
            If these bytes are not a message of so many lanes. As one lane nearly all
            bytes are a message, those of one of several lanes too.
        """
        data = as_bytes(data, "data")
        message = cls(lanes)
        message._reserve(len(data) // 4 + 1)
        check(lib.bbans_message_read(message._c, ffi.from_buffer(data), len(data)))
        return message

    # ---- one interval per lane

    def push_interval(self, start: ArrayLike, freq: ArrayLike, total: int) -> None:
        """Push one interval per lane.

        Parameters
        ----------
        start, freq : array_like of int, shape (lanes,)
            Intervals ``[start, start + freq)`` in slots, inside ``[0, total)``. A
            single one is for the first lane.
        total : int
            Slots in all, 1 to 2**28; ``2**r`` for a table of precision r.

        Raises
        ------
        ModelError
            If an interval or `total` is not valid; the message is unchanged.
        """
        starts, freqs, slots = self._per_lane(start, freq, total)
        self.call(
            "message_push_intervals", ..., pointer(starts), pointer(freqs), slots,
            words=self.lanes,
        )  # fmt: skip

    def peek(self, total: int) -> NDArray[np.uint32]:
        """Return the slot that each lane would pop, shape (lanes,)."""
        slots = np.empty(self.lanes, np.uint32)
        self.call("message_peek", ..., pointer(slots), as_total(total), words=0)
        return slots

    def advance(self, start: ArrayLike, freq: ArrayLike, total: int) -> None:
        """Pop the intervals that hold the slots of `peek`.

        Parameters
        ----------
        start, freq : array_like of int, shape (lanes,)
            Intervals ``[start, start + freq)`` in slots, inside ``[0, total)``. A
            single one is for the first lane.
        total : int
            Slots in all, as given to `peek`.

        Raises
        ------
        ModelError
            If an interval does not hold its lane's slot.
        MessageError
            If the message holds too few bits. The message is unchanged.
        """
        starts, freqs, slots = self._per_lane(start, freq, total)
        self.call(
            "message_advance", ..., pointer(starts), pointer(freqs), slots,
            words=self.lanes,
        )  # fmt: skip

    def call(self, function: str, *arguments: Any, words: int) -> None:
        """Call ``bbans_<function>(*arguments)`` of the C library with this message in
        place of the argument ``...``, and room for `words` more words."""
        filled = [self._c if argument is ... else argument for argument in arguments]
        self._begin(words)
        try:
            check(getattr(lib, f"bbans_{function}")(*filled))
        finally:
            self._end()

    def _per_lane(
        self, start: ArrayLike, freq: ArrayLike, total: int
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32], int]:
        """Intervals of all lanes: a single one is the first's, others are whole."""
        starts, freqs = as_uint32(start, "slot"), as_uint32(freq, "slot")
        slots = as_total(total)
        if starts.size == freqs.size == 1 < self.lanes:
            one = starts, freqs
            starts, freqs = np.zeros((2, self.lanes), np.uint32)
            freqs[1:] = slots
            starts[:1], freqs[:1] = one
        starts, freqs = np.atleast_1d(starts), np.atleast_1d(freqs)
        if not starts.shape == freqs.shape == self._head.shape:
            raise SymbolError(f"{self.lanes} lanes need {self.lanes} intervals, or one")
        return starts, freqs, slots


def as_total(total: int) -> int:
    """The number of slots that was given, if it is one.

    Raises
    ------
    ModelError
        If it is none.
    """
    return as_integer(total, "total", 1, lib.BBANS_TOTAL_MAX)
