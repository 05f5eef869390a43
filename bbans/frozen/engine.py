"""What models share that the C library's schedule codes: sequences as messages."""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_instance, as_integer
from bbans._lib import ffi, lib, pointer
from bbans._records import check_limit
from bbans.codecs.start import DIFFER
from bbans.codecs.state_space import SequenceModel, not_a_model
from bbans.errors import (
    CorruptError,
    MessageError,
    ModelError,
    SymbolError,
)
from bbans.frozen.alphabet import Alphabet, Kind, Rows, text_of, text_of_utf8
from bbans.message.message import Message

__all__ = ["MODES", "EngineModel", "Mode", "as_engine", "one_of"]

Mode: TypeAlias = Literal["iconoclasm", "predictive"]
#: By their numbers in files.
MODES: tuple[Mode, ...] = ("iconoclasm", "predictive")

# Observations that a message of unknown length is given room for at first, and the
# most that there may be by default.
FIRST_SIZE, UNTIL_DEFAULT = 1 << 12, 1 << 20

_Made = TypeVar("_Made", bound="EngineModel")


class EngineModel(SequenceModel):
    """A model with an engine in C, which codes whole sequences.

    Parameters
    ----------
    c : cdata
        The C library's struct, which begins with a ``bbans_state_space``.
    mode : {"iconoclasm", "predictive"}

    Raises
    ------
    ModelError
        If `mode` is neither.

    Notes
    -----
    Immutable; may be shared between threads.
    """

    _DTYPE: Any
    """Of an observation's integers in C."""

    _SPACE: ClassVar[tuple[str, ...]] = ("space",)
    """Where the struct of C has its ``bbans_state_space``."""

    def __init__(self, c: Any, mode: Mode) -> None:
        self.c = c
        # As C's functions of sequences take it.
        self._space = ffi.addressof(c, *self._SPACE)
        self._space.predictive = one_of(mode, MODES, "mode") == "predictive"

    # ---- what it is

    @property
    def kind(self) -> Kind:
        """What `encode` takes and `decode` returns: integers, bytes or text."""
        return self.alphabet.kind

    @property
    def mode(self) -> Mode:
        """How a sequence becomes a message: by bits back, or by the predictive
        distribution alone."""
        return "predictive" if self._space.predictive else "iconoclasm"

    @property
    @abstractmethod
    def alphabet(self) -> Alphabet | Rows:
        """What it codes."""

    @property
    def ends(self) -> bool:
        """Whether its last symbol is the end of a record: see `Alphabet`."""
        return isinstance(self.alphabet, Alphabet) and self.alphabet.ends

    @property
    def width(self) -> int:
        """Integers of an observation."""
        return 1

    @property
    def start_length(self) -> int:
        """Observations at the end of a sequence that start its message."""
        return int(self._space.start_length)

    @property
    def start_bits(self) -> int:
        """Bits that the schedule starts from."""
        return int(self._space.start_bits)

    @property
    def exact_predictive(self) -> bool:
        """Whether the predictive mode codes P(x_t | x_1 .. x_t-1), or by more bits."""
        return True

    def with_mode(self: _Made, mode: Mode) -> _Made:
        """Return this model with another mode, sharing its tables: another model, by
        its fingerprint.

        Parameters
        ----------
        mode : {"iconoclasm", "predictive"}

        Raises
        ------
        ModelError
            If `mode` is neither.
        """
        return self if one_of(mode, MODES, "mode") == self.mode else self._other

    @cached_property
    def _other(self: _Made) -> _Made:
        """This model in its other mode."""
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.__dict__.pop("fingerprint", None)  # of its file, if it has one
        other.c = ffi.new(ffi.typeof(self.c), self.c[0])
        other._space = ffi.addressof(other.c, *self._SPACE)
        other._space.predictive = not self._space.predictive
        return other

    # ---- coding

    def encode(self, x: Any) -> bytes:
        """Code one sequence as a bare message: no header, no length, no checksum.

        Parameters
        ----------
        x : str, bytes or array_like of int
            What the model's `kind` says; arrays are taken in C order.

        Returns
        -------
        bytes
            Typically 4 bits more than the information content of `x`.

        Raises
        ------
        SymbolError
            If `x` is of another kind, or a symbol is not in the alphabet; the text
            names it and its position.
        """
        return self._encode(self._symbols(x)).to_bytes()

    def decode(
        self,
        data: bytes,
        length: int | None = None,
        *,
        until: Any = None,
        max_bytes: int | None = None,
    ) -> Any:
        """Decode a bare message of `length` observations, or up to a symbol.

        Parameters
        ----------
        data : bytes
        length : int
            Number of symbols (under a model of UTF-8, of its bytes, as
            ``len(x.encode())``), or of rows of `width` integers; with `until` the most
            that there may be, by default 2**20. Memory and time grow with it, whatever
            `data` is: bound a length that comes from outside, by `max_bytes` or
            otherwise.
        until : str, bytes or int, optional
            One symbol, of the model's kind. The model's mode is predictive, and the
            message is of a sequence that has this symbol at its end and nowhere else:
            nobody needs to know how long it is.
        max_bytes : int, optional
            The most bytes that the result may take (4 for each character, or those of
            its UTF-8 if that is what the model codes); by default there is no limit.

        Returns
        -------
        str, bytes or ndarray of int64, shape (length,) or (length, width)
            What the model's `kind` says.

        Raises
        ------
        CorruptError
            If `encode` writes these bytes for no sequence of this length under this
            model. A bare message has no checksum: if it is damaged, or the length or
            the model is wrong, an eighth to two thirds decode all the same, to other
            data (docs/maths.md, "A sequence as one message").
        LimitError
            If the result would take more than `max_bytes`.
        ModelError
            If there is no sequence of this length, or no memory for one; if `until` is
            given and the mode is not predictive.
        """
        message = Message.from_bytes(data)
        if until is not None:
            most = UNTIL_DEFAULT if length is None else length
            x = self._decode_until(message, until, most, max_bytes)
        elif length is None:
            which = ", bytes of UTF-8," * self._is_utf8
            raise ModelError(
                f"decoding needs the number of symbols{which} or the last of them"
            )
        else:
            what = f"a message of length {length}"
            check_limit(length, self._itemsize, max_bytes, what)
            try:
                x = self.decode_message(message, length)
            except CorruptError as error:
                if not self._is_utf8:
                    raise
                raise CorruptError(f"{error} {_IN_BYTES}", error.status) from None
        return self._values(x)

    def cost_units(self, x: Any) -> NDArray[np.uint64]:
        """Compute what each observation takes, given those before it, in units of
        2**-16 bits; `bbans.costs` has it in bits.

        Parameters
        ----------
        x : str, bytes or array_like of int
            What `encode` takes.

        Returns
        -------
        ndarray of uint64, shape (T,)
            -log2 P(x_t | x_1 .. x_t-1); under a model of UTF-8, of each of its bytes.
            They add up to what the message takes, but for its end and, by IconoCLaSM,
            its start: a few bits.

        Raises
        ------
        SymbolError
            As of `encode`.
        ModelError
            If P is not exact, and the mode not predictive: what an observation takes
            then depends on the latents that bits back draws. `bbans.plot.steps` has
            it, step by step.

        Notes
        -----
        docs/maths.md, "What an observation takes".
        """
        if self.mode != "predictive" and not self.exact_predictive:
            raise ModelError(
                f"a {type(self).__name__} has no exact P(x_t | x_1 .. x_t-1): take "
                'bbans.plot.steps(x, model), or pass model.with_mode("predictive")'
            )
        values = self._symbols(x)
        cost = np.empty(len(values), np.uint64)
        size = lib.bbans_sequence_costs_bytes(self._space)
        work = np.empty(size // 8 + 1, np.uint64)
        self._call(
            Message(), "sequence_costs", pointer(values, "char[]"), len(values),
            pointer(cost, "uint64_t[]"), pointer(work, "uint64_t[]"), work.nbytes,
            words=0,
        )  # fmt: skip
        return cost

    def forward(self, x: Any) -> NDArray[np.uint32]:
        """Compute the exact forward messages of a sequence.

        Parameters
        ----------
        x : str, bytes or array_like of int
            What `encode` takes.

        Returns
        -------
        ndarray of uint32, shape (T, K)
            Weights of z_t given x_1 .. x_t, of several levels all together;
            unnormalised.

        Raises
        ------
        SymbolError
            As of `encode`.
        ModelError
            If the model has no finite states.
        """
        raise ModelError(f"a {type(self).__name__} has no finite number of states")

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return the integer arrays of which the model is made, by name; none, where
        there are none to look at."""
        return {}

    def push(self, message: Message, x: Any) -> None:
        """Push a sequence by IconoCLaSM, over what is on the message.

        Parameters
        ----------
        message : Message
            Of one lane.
        x : array_like of int
            Symbol numbers 0 .. M-1, shape (T,), for a model with an alphabet; else
            integers of 64 bits, shape (T, width), or (T,) for a width of 1.

        Raises
        ------
        SymbolError
            If the model cannot code a symbol; the message is unchanged.
        MessageError
            If it is no message of one lane.

        Notes
        -----
        Whatever the model's mode is: the predictive distribution codes first in, first
        out, which no stack does.
        """
        _check_message(message)
        values = self._observations(x)
        work = self._workspace(len(values))
        self._call(
            message, "sequence_push", ..., pointer(values, "char[]"), len(values),
            pointer(work, "uint64_t[]"), work.nbytes,
            words=self._push_words(len(values)),
        )  # fmt: skip

    def pop(self, message: Message, length: int) -> NDArray[Any]:
        """Pop `length` observations; inverse of `push`.

        Raises
        ------
        CorruptError
            If no encoder can have pushed them; the message is spent.
        MessageError
            If it is no message of one lane.
        """
        _check_message(message)
        values, work = self._empty(length), self._workspace(1)
        self._call(
            message, "sequence_pop", ..., pointer(values, "char[]"), length,
            pointer(work, "uint64_t[]"), work.nbytes, words=self._pop_words(length),
        )  # fmt: skip
        return values

    def encode_message(self, x: Any) -> Message:
        """Code a sequence, of what `push` takes, as a message of its own."""
        return self._encode(self._observations(x))

    def decode_message(self, message: Message, length: int) -> NDArray[Any]:
        """Decode what `encode_message` returned; the message is spent.

        Raises
        ------
        CorruptError
            As of `decode`.
        ModelError
            If it is no message, or there is no sequence of this length.
        """
        as_instance(message, Message, "message", "a Message")
        values, work = self._empty(length), self._workspace(1)
        self._call(
            message, "sequence_decode", ..., pointer(values, "char[]"), length,
            pointer(work, "uint64_t[]"), work.nbytes,
            words=self._pop_words(length),
        )  # fmt: skip
        return values

    def _encode(self, values: NDArray[Any]) -> Message:
        message, work = Message(), self._workspace(len(values))
        self._call(
            message, "sequence_encode", pointer(values, "char[]"), len(values),
            pointer(work, "uint64_t[]"), work.nbytes, ...,
            words=self._push_words(len(values)),
        )  # fmt: skip
        return message

    def _decode_until(
        self, message: Message, until: Any, limit: int, max_bytes: int | None
    ) -> NDArray[Any]:
        if self.mode != "predictive":
            raise ModelError(
                "`until` needs a model whose mode is predictive: encode and decode "
                'with model.with_mode("predictive")'
            )
        last = self._symbols([until] if self.kind == "integers" else until)
        if len(last) != 1:
            hint = f", of {len(last)} bytes of UTF-8" * self._is_utf8
            raise SymbolError(f"`until` is one symbol, not {until!r}{hint}")
        limit = as_integer(limit, "length", 1)
        check_limit(0, self._itemsize, max_bytes, "the message")
        room = limit if max_bytes is None else min(limit, max_bytes // self._itemsize)
        work, n = self._workspace(1), ffi.new("size_t *")
        size = min(room, FIRST_SIZE)
        while True:
            values = self._empty(size)
            try:
                self._call(
                    message, "sequence_decode_until", ...,
                    pointer(values, "char[]"), size, pointer(last, "char[]"), n,
                    pointer(work, "uint64_t[]"), work.nbytes, words=0,
                )  # fmt: skip
            except MessageError as error:
                if error.status != lib.BBANS_ERR_CAPACITY:
                    raise
                if size == limit:
                    raise CorruptError(
                        f"no {until!r} among the first {limit}: {DIFFER}"
                    ) from None
                if size == room:
                    check_limit(size + 1, self._itemsize, max_bytes, "the message")
                size = min(room, 8 * size)  # the message is as it was
            else:
                return values[: n[0]]

    def _call(self, message: Message, function: str, *given: Any, words: int) -> None:
        """Call ``bbans_<function>`` of this model: see `Message.call`."""
        message.call(function, self._space, *given, words=words)

    # ---- for the modules of this package: observations as C has them, and what the C
    # functions of sequences need besides

    @property
    def _itemsize(self) -> int:
        """The most bytes that an observation takes where `decode` returns it."""
        kind = self.alphabet.units.kind
        return {"bytes": 1, "text": 4, "integers": 8}[kind] * self.width

    @property
    def _is_utf8(self) -> bool:
        """Whether its symbols are the bytes of UTF-8."""
        return isinstance(self.alphabet, Alphabet) and self.alphabet.is_utf8

    @abstractmethod
    def _observations(self, x: Any) -> NDArray[Any]:
        """What `push` takes as the array that C reads.

        Raises
        ------
        SymbolError
            If an observation cannot be coded.
        """

    def _symbols(self, x: Any) -> NDArray[Any]:
        """What `encode` takes as the array that C reads.

        Raises
        ------
        SymbolError
            If it is of another kind, or one cannot be coded.
        """
        given = _kind_of(x)
        if given != self.kind:
            raise SymbolError(
                f"a model of {self.kind} codes {self.kind}, not {type(x).__name__}: "
                + _REMEDIES[self.kind, given]
            )
        return self._shaped(self.alphabet.encode(x))

    def _values(self, x: NDArray[Any]) -> Any:
        """What `decode` returns, from the array that C wrote.

        Raises
        ------
        CorruptError
            If it has the end of a record, or is no UTF-8, and the model's text is.
        """
        return self._joined(self._in_units(x))

    def _in_units(self, x: NDArray[Any]) -> NDArray[Any]:
        """What single symbols stand for: of UTF-8, its bytes.

        Raises
        ------
        CorruptError
            If one is the end of a record: no encoder puts it among data.
        """
        try:
            return self.alphabet.units.decode(x)
        except SymbolError as error:
            raise CorruptError(f"{error}: {DIFFER}") from None

    def _joined(self, units: NDArray[Any]) -> Any:
        """What `decode` returns, from units."""
        if self._is_utf8:
            try:
                return text_of_utf8(units.tobytes())
            except SymbolError as error:
                raise CorruptError(f"{error}: {DIFFER} {_IN_BYTES}") from None
        if self.kind == "bytes":
            return units.tobytes()
        return text_of(units) if self.kind == "text" else units

    def _shaped(self, numbers: NDArray[Any]) -> NDArray[Any]:
        """What the alphabet encodes to, all in one row, as observations."""
        rows: NDArray[Any] = numbers.view(self._DTYPE)
        return rows if self.width == 1 else rows.reshape(-1, self.width)

    def _empty(self, length: int) -> NDArray[Any]:
        """An array of `length` observations to decode to.

        Raises
        ------
        ModelError
            If there is none: `length` may come from outside.
        """
        length = as_integer(length, "length", 0)
        shape = (length,) if self.width == 1 else (length, self.width)
        try:
            return np.empty(shape, self._DTYPE)
        except (ValueError, OverflowError, MemoryError):
            raise ModelError(
                f"there is no memory for a sequence of length {length}"
            ) from None

    def _push_words(self, length: int) -> int:
        """Words of a message's tail that pushing `length` observations needs."""
        return int(lib.bbans_sequence_tail_words(self._space, length))

    def _pop_words(self, length: int) -> int:
        """Words of tail that popping them from damaged data may take."""
        return int(self._space.pop_words) * length

    def _workspace(
        self, length: int, copies: int = 1, limit: int = 1 << 26
    ) -> NDArray[np.uint64]:
        """Return memory for the C functions that code sequences.

        Parameters
        ----------
        length : int
            Observations of the longest sequence.
        copies : int
            Sequences that are coded at the same time.
        limit : int
            Bytes, beyond which the filter's records are not all kept: checkpoints
            are, and each record is computed twice.
        """
        block = math.isqrt(length) + 1
        least = lib.bbans_sequence_work_bytes(self._space, length, block)
        most = lib.bbans_sequence_work_bytes(self._space, length, length)
        size = max(least, min(copies * (most + 64), limit))
        return np.empty(size // 8 + 1, np.uint64)


def as_engine(model: Any) -> EngineModel:
    """Return a model that has an engine; say of anything else what it is instead.

    Raises
    ------
    ModelError
        If it has none.
    """
    if not isinstance(model, EngineModel):
        raise not_a_model(model, "a frozen model")
    return model


# ---- pieces

_IN_BYTES = "(the length counts bytes of UTF-8, not characters)"

# What to do instead, by the model's kind and that of what was given.
_REMEDIES = {
    ("bytes", "text"): 'encode it first, as with x.encode("utf-8")',
    ("bytes", "integers"): "pass bytes(x), or x.astype(np.uint8).tobytes()",
    ("text", "bytes"): 'decode them first, as with x.decode("utf-8")',
    ("text", "integers"): 'pass characters, as "".join(map(chr, x))',
    ("integers", "text"): "freeze a model that was trained on text, or give it a kind",
    ("integers", "bytes"): "pass np.frombuffer(x, np.uint8)",
}


def _kind_of(x: Any) -> Kind:
    """What `encode` was given."""
    if isinstance(x, str):
        return "text"
    if isinstance(x, memoryview):
        return "bytes" if x.format in ("B", "b", "c") else "integers"
    return "bytes" if isinstance(x, bytes | bytearray) else "integers"


def one_of(value: Any, names: tuple[Any, ...], what: str) -> Any:
    """The name that was given, if it is one of these.

    Raises
    ------
    ModelError
        If it is none.
    """
    if not (isinstance(value, str) and value in names):
        raise ModelError(f"{what} must be one of {', '.join(names)}, not {value!r}")
    return value


def _check_message(message: Any) -> None:
    if not isinstance(message, Message):
        raise MessageError(
            "IconoCLaSM pops before it pushes: it needs a Message, not "
            f"{type(message).__name__}"
        )
    if message.lanes > 1:
        raise MessageError(
            "IconoCLaSM of a frozen model needs a message of one lane, not of "
            f"{message.lanes}: push over a Message(), or step by step, with "
            "model.state_space()"
        )
