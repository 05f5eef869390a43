"""What the blocks of a container are coded by.

A coder makes bytes of the elements of a block, and back. Those of bytes and of signals
need nothing else to decode; a container names the model or the codec that it needs.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_bytes, as_instance, as_integer
from bbans._records import Buffer
from bbans.errors import (
    BbansError,
    CorruptError,
    ModelError,
    SymbolError,
    WrongModelError,
)
from bbans.formats.arrays import check_elements, stored
from bbans.formats.bytes import decode_bytes, encode_bytes, octets
from bbans.formats.container import (
    AXES_MAX,
    BYTE_BLOCK,
    BYTES,
    CODE_POINTS,
    CODEC,
    FINGERPRINT_BYTES,
    FIRST_FLOAT,
    FLOAT_NAMES,
    FLOATS,
    GRID,
    METHODS,
    MIXING,
    MODEL,
    NAME_MAX,
    PIECES,
    SIGNAL,
    STORED,
    UTF8,
    Block,
    Header,
    Line,
    float_element,
)

if TYPE_CHECKING:  # loaded when used: bytes need no models, and no distributions
    from bbans.formats.grids import Grid
    from bbans.formats.pieces import Layout
    from bbans.frozen.base import FrozenModel

__all__ = [
    "ByteCoder",
    "CodecCoder",
    "Coder",
    "Coders",
    "ModelCoder",
    "PieceCoder",
    "SignalCoder",
    "as_coder",
    "code_points",
    "coders_of",
    "decode_block",
    "named",
    "restored_text",
    "shortest_of",
]

LEVEL_DEFAULT, LEVEL_MAX = 5, 9
# The least level at which bytes are coded given the byte before.
_ORDER_1_LEVEL = 4
# Columns that are taken for channels if nothing is said.
_COLUMNS_MAX = 64
# Elements of a block of a signal, unless these were fewer steps.
_BLOCK, _STEPS_MIN = 1 << 18, 1 << 13


class Coder(ABC):
    """Codes the blocks of a container.

    Parameters
    ----------
    level : int
        From 1, fast, to 9, small.

    Raises
    ------
    ModelError
        If `level` is none of these.
    """

    method: ClassVar[int]
    """How the container says that this coder made a block."""
    name: str = ""
    """What a codec is called."""
    fingerprint: bytes = b""
    """That of the model or codec, which a reader needs too."""
    file_element: int | None = BYTES
    """What a file is taken for whose type is not said; None: it must be."""
    _element: int = BYTES
    """What the blocks are of, as in their header; of floats they are the bits."""

    def __init__(self, level: int = LEVEL_DEFAULT) -> None:
        self.level = as_integer(level, "level", 1, LEVEL_MAX)

    def laid_out(self, shape: tuple[int, ...], itemsize: int) -> Coder:
        """The coder of an array of this shape, of so many bytes an element.

        Raises
        ------
        SymbolError
            If it cannot be coded; the text says what to do.
        """
        return self

    def axis_of(self, shape: tuple[int, ...]) -> int:
        """The axis of an array of this shape that is first in the container.

        Raises
        ------
        SymbolError
            If it has no such axis.
        """
        return 0

    def width(self, shape: tuple[int, ...]) -> int:
        """Elements of an array that no block divides: a step.

        Parameters
        ----------
        shape : tuple of int
            With the axis of `axis_of` first.

        Raises
        ------
        SymbolError
            If such an array has no steps.
        """
        return 1

    def block_size(self, itemsize: int, width: int) -> int:
        """Elements of a block by default, of that many bytes each."""
        return 1 << 16

    def elements(self, data: str | Buffer) -> tuple[int, NDArray[Any]]:
        """The elements that text or bytes are coded as: which, and they.

        Raises
        ------
        SymbolError
            If they cannot be coded.
        """
        if not isinstance(data, str):
            return BYTES, octets(data)
        try:
            return UTF8, octets(data.encode("utf-8"))
        except UnicodeEncodeError:  # a lone surrogate
            return CODE_POINTS, code_points(data)

    @abstractmethod
    def encode(self, steps: NDArray[Any]) -> Buffer | None:
        """Code a block of elements, shape (steps, width).

        Returns
        -------
        bytes-like or None
            None if they cannot be coded, and others can.
        """

    @abstractmethod
    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        """Restore the elements of a block to `out`, which has one axis.

        Raises
        ------
        BbansError
            If these are no data of as many elements of this type.
        """

    def line_of(self, steps: NDArray[Any]) -> Line | None:
        """The line along which a part seems to go, by its first block."""
        return None

    def of(self, header: Header) -> Coder:
        """The coder of the blocks of a part with this header.

        Raises
        ------
        SymbolError
            If it codes no such elements.
        """
        coder = copy(self)
        coder._element = header.element
        return coder

    @property
    def _is_float(self) -> bool:
        return self._element >= FIRST_FLOAT

    def shortest(self, steps: NDArray[Any], start: int = 0) -> tuple[int, Buffer]:
        """Code a block by this coder, as bytes, or not: method and data.

        Parameters
        ----------
        steps : ndarray, shape (steps, width)
        start : int
            How many elements precede the block.
        """
        data = self.encode(steps)
        ways = [] if data is None else [(self.method, data)]
        return shortest_of([*ways, *self._without(steps)])

    def _floats(
        self,
        steps: NDArray[Any],
        *,
        level: int | None = None,
        channels: int = 0,
        grid: Grid | None = None,
    ) -> Buffer:
        """A block of floats, of the form that this coder knows them in."""
        from bbans.formats.floats import encode_floats

        level = self.level if level is None else level
        return encode_floats(steps, self._element, level, channels, grid)

    def _shortest_floats(self, steps: NDArray[Any]) -> tuple[int, Buffer]:
        """Code a block of floats by this coder, or not: they have a form of bytes."""
        data = self.encode(steps)
        if data is not None and len(data) <= steps.nbytes:
            return FLOATS, data
        return STORED, octets(steps).data

    def _chosen(self, steps: NDArray[Any]) -> tuple[int, Buffer]:
        """Code a block of numbers by this coder, or by what is shorter."""
        if self._is_float:
            return self._shortest_floats(steps)
        data = self.encode(steps)
        assert data is not None
        if self.level < _ORDER_1_LEVEL and len(data) <= steps.nbytes // 4 * 3:
            return self.method, data  # the bytes themselves would gain less
        return shortest_of([(self.method, data), *self._without(steps)])

    def _without(self, steps: NDArray[Any]) -> Iterator[tuple[int, Buffer]]:
        """The ways to code a block that every container has, by method and data."""
        plain = octets(steps)
        yield STORED, plain.data
        if self._is_float:
            yield FLOATS, self._floats(steps)
            return
        yield BYTE_BLOCK, encode_bytes(plain, int(self.level >= _ORDER_1_LEVEL))


class ByteCoder(Coder):
    """Codes the bytes of elements, under their own frequencies.

    For floats, the bytes of sign and exponent and those of the mantissa are coded
    separately.

    Parameters
    ----------
    order : int, optional
        0: frequencies of bytes. 1: frequencies of bytes given the byte before, where
        that is shorter: slower, and smaller for most data. By default the level
        decides: 0 up to level 3, else 1.
    level : int

    Raises
    ------
    ModelError
        If `order` or `level` is none of these.

    Examples
    --------
    >>> from bbans import compress
    >>> len(compress(b"tick tock " * 100, ByteCoder(order=0)))
    202
    """

    method = BYTE_BLOCK

    def __init__(self, order: int | None = None, level: int = LEVEL_DEFAULT) -> None:
        super().__init__(level)
        default = int(self.level >= _ORDER_1_LEVEL)
        self.order = default if order is None else as_integer(order, "order", 0, 1)

    def __repr__(self) -> str:
        return f"ByteCoder(order={self.order}, level={self.level})"

    def block_size(self, itemsize: int, width: int) -> int:
        return (1 << (21 if self._is_float else 20)) // itemsize

    def encode(self, steps: NDArray[Any]) -> Buffer:
        if self._is_float:
            return self._floats(steps, level=self._float_level)
        return encode_bytes(octets(steps), self.order)

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        decode_bytes(data, octets(out))

    @property
    def _float_level(self) -> int:
        """The level of this order: planes know levels alone."""
        below = _ORDER_1_LEVEL - 1
        return max(self.level, below + 1) if self.order else min(self.level, below)

    def shortest(self, steps: NDArray[Any], start: int = 0) -> tuple[int, Buffer]:
        if self._is_float:
            return self._shortest_floats(steps)
        plain, data = octets(steps), self.encode(steps)
        stored = len(data) >= plain.size
        return (STORED, plain.data) if stored else (self.method, data)


class SignalCoder(Coder):
    """Codes numbers that are sampled over time, each block under a model fitted to it.

    Floats are coded exactly, through integers: those of their decimals or steps if they
    have such, and the bits that are not determined by these.

    Parameters
    ----------
    level : int
    axis : int, optional
        The axis of time: all others, of any length, are channels that are sampled
        together. Negative numbers count from the last. By default, the columns of an
        array of two axes are channels, up to 64 of them, and any other array is one
        series, in C order.

    Raises
    ------
    ModelError
        If one of these is none.
    """

    method = SIGNAL
    file_element = None
    _line: Line | None = None

    def __init__(self, level: int = LEVEL_DEFAULT, axis: int | None = None) -> None:
        super().__init__(level)
        self.axis = axis
        if axis is not None:
            self.axis = as_integer(axis, "axis", -AXES_MAX, AXES_MAX - 1)

    def __repr__(self) -> str:
        axis = "" if self.axis is None else f", axis={self.axis}"
        return f"SignalCoder(level={self.level}{axis})"

    def axis_of(self, shape: tuple[int, ...]) -> int:
        if self.axis is None:
            return 0
        if not -len(shape) <= self.axis < len(shape):
            axes = f"{len(shape)} ax" + ("is" if len(shape) == 1 else "es")
            raise SymbolError(
                f"an array of {axes} has no axis {self.axis}, which {self!r} takes "
                "for time"
            )
        return self.axis % len(shape)

    def width(self, shape: tuple[int, ...]) -> int:
        if self.axis is not None or (len(shape) == 2 and shape[1] <= _COLUMNS_MAX):
            return max(math.prod(shape[1:]), 1)
        return 1

    def of_rows(self) -> SignalCoder:
        """The coder of rows that come one after the other, as in files.

        Raises
        ------
        ModelError
            If time is another axis.
        """
        if self.axis not in (None, 0):
            raise ModelError(
                f"a file has its steps one after the other, axis 0, not {self!r}"
            )
        return SignalCoder(self.level, axis=0)

    def block_size(self, itemsize: int, width: int) -> int:
        return max(_BLOCK // width, _STEPS_MIN) * width

    def line_of(self, steps: NDArray[Any]) -> Line | None:
        from bbans.formats.signals import line_of

        return None if self._is_float else line_of(steps)

    def of(self, header: Header) -> SignalCoder:
        coder = copy(self)
        coder._element, coder._line = header.element, header.line
        return coder

    def elements(self, data: str | Buffer) -> tuple[int, NDArray[Any]]:
        raise SymbolError(
            f"a signal is an array of numbers, not {type(data).__name__}: pass "
            "np.frombuffer(data, dtype), or compress it with a ByteCoder"
        )

    def encode(self, steps: NDArray[Any]) -> Buffer:
        from bbans.formats.signals import encode_signal

        if self._is_float:
            return self._floats(steps, channels=steps.shape[1])
        return encode_signal(steps, self.level, self._line)

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        from bbans.formats.signals import decode_signal

        decode_signal(data, out, self._line)

    def shortest(self, steps: NDArray[Any], start: int = 0) -> tuple[int, Buffer]:
        return self._chosen(steps)


class PieceCoder(Coder):
    """Codes a file by what its bytes are: integers, tables of text, and other bytes.

    Parameters
    ----------
    layout : Layout, optional
        What the file holds, and where; without it bytes are all there is.
    level : int
    """

    method = PIECES

    def __init__(
        self, layout: Layout | None = None, level: int = LEVEL_DEFAULT
    ) -> None:
        super().__init__(level)
        self.layout = layout

    def __repr__(self) -> str:
        return f"PieceCoder({self.layout!r}, level={self.level})"

    def block_size(self, itemsize: int, width: int) -> int:
        whole = super().block_size(itemsize, width)
        return whole if self.layout is None else self.layout.block_bytes

    def encode(self, steps: NDArray[Any], start: int = 0) -> Buffer | None:
        from bbans.formats.pieces import encode_pieces

        if self.layout is None:
            return None
        data = octets(steps)
        return encode_pieces(data, self.layout.runs(start, data), self.level)

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        from bbans.formats.pieces import decode_pieces

        decode_pieces(data, octets(out))

    def shortest(self, steps: NDArray[Any], start: int = 0) -> tuple[int, Buffer]:
        data = self.encode(steps, start)
        if data is not None and self.layout is not None:
            if not self.layout.tries_bytes and len(data) <= steps.nbytes:
                return self.method, data
            if 4 * len(data) < steps.nbytes:
                return self.method, data  # pieces are bytes where these are shorter
        ways = [] if data is None else [(self.method, data)]
        found = shortest_of([*ways, *self._without(steps)])
        return found if found[0] == self.method else self._as_bytes(steps, found)

    def _as_bytes(
        self, steps: NDArray[Any], found: tuple[int, Buffer]
    ) -> tuple[int, Buffer]:
        """A block that is bytes after all, or as it was `found` to be shorter."""
        from bbans.formats.mixing import LEVEL_MIN, encode_mixing

        if self.level < LEVEL_MIN:
            return found
        data = encode_mixing(octets(steps), self.level)
        return found if data is None else shortest_of([(MIXING, data), found])


class ModelCoder(Coder):
    """Codes elements under a frozen model. What it would make longer, bytes code.

    Parameters
    ----------
    model : FrozenModel
    level : int

    Raises
    ------
    ModelError
        If `model` is none.
    """

    method = MODEL

    def __init__(self, model: FrozenModel, level: int = LEVEL_DEFAULT) -> None:
        from bbans.frozen.base import as_model

        super().__init__(level)
        self.model = as_model(model)
        self.fingerprint = self.model.fingerprint
        if self.model.kind == "text":
            self.file_element = UTF8 if self.model._is_utf8 else CODE_POINTS

    def __repr__(self) -> str:
        return f"ModelCoder({self.model!r}, level={self.level})"

    def of(self, header: Header) -> Coder:
        if header.is_float:
            raise SymbolError(
                f"a model codes integers, not {FLOAT_NAMES[header.element]}: compress "
                "floats without a model, or round them with np.rint(x).astype(np.int64)"
            )
        return super().of(header)

    def width(self, shape: tuple[int, ...]) -> int:
        from bbans.frozen.alphabet import check_rows

        check_rows(shape, self.model.width)
        return self.model.width

    def block_size(self, itemsize: int, width: int) -> int:
        # In each the first observations pay for the start.
        return width << 16

    def elements(self, data: str | Buffer) -> tuple[int, NDArray[Any]]:
        kind = self.model.kind
        if not isinstance(data, str):
            if kind == "text":
                raise SymbolError(
                    "a model of text cannot code bytes: decode them to str first"
                )
            return super().elements(data)
        if kind == "text" and not self.model._is_utf8:
            return CODE_POINTS, code_points(data)
        if kind == "integers":
            raise SymbolError("a str needs a model of text, or of bytes")
        from bbans.frozen.alphabet import utf8_of

        return UTF8, octets(utf8_of(data))

    def encode(self, steps: NDArray[Any]) -> Buffer:
        # What the alphabet gives needs no other check.
        rows = self.model._shaped(self.model.alphabet.units.encode(steps))
        return self.model._encode(rows).to_bytes()

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        from bbans.message.message import Message

        n, rest = divmod(out.size, self.model.width)
        if rest:
            raise CorruptError(f"it has no rows of {self.model.width}")
        x = self.model.decode_message(Message.from_bytes(bytes(data)), n)
        values = self.model._in_units(x.ravel())
        out[:] = values.astype(out.dtype)
        if not np.array_equal(out, values):
            raise CorruptError(f"it holds values beyond {out.dtype.name}")

    def shortest(self, steps: NDArray[Any], start: int = 0) -> tuple[int, Buffer]:
        data = self.encode(steps)
        if len(data) <= steps.nbytes:
            return self.method, data
        return shortest_of(self._without(steps))


class CodecCoder(Coder):
    """Codes elements by a codec of your own, which a container names.

    Parameters
    ----------
    name : str
        What the codec is called: 1 to 255 bytes of UTF-8.
    codec : object
        ``codec.encode(block)`` returns bytes for a block, a read-only array of one
        axis, and ``codec.decode(data, n)`` the n elements again, to the bit. Floats
        are floats for it; those that numpy does not have are of `ml_dtypes`, and
        where it is not installed the unsigned integers of their bits. Several threads
        may call it at once if they are asked for.
    fingerprint : bytes
        8 bytes that tell its parameters, or none. Readers must have a codec of the same
        name and fingerprint.
    level : int

    Raises
    ------
    ModelError
        If one of these is none.

    Notes
    -----
    A block that the codec makes longer than a `ByteCoder` would is coded by that, so
    that a codec may decline a block by returning None.
    """

    method = CODEC

    def __init__(
        self,
        name: str,
        codec: Any,
        fingerprint: bytes = b"",
        level: int = LEVEL_DEFAULT,
    ) -> None:
        super().__init__(level)
        self.name = as_instance(name, str, "name", "a str")
        try:
            size = len(name.encode("utf-8"))
        except UnicodeEncodeError:
            size = 0
        if not 1 <= size <= NAME_MAX:
            raise ModelError(
                f"name must be of 1 to {NAME_MAX} bytes of UTF-8, not {name!r}"
            )
        fingerprint = as_bytes(fingerprint, "fingerprint")
        if len(fingerprint) not in (0, FINGERPRINT_BYTES):
            raise ModelError(
                f"fingerprint must have {FINGERPRINT_BYTES} bytes or none, not "
                f"{len(fingerprint)}"
            )
        self.fingerprint = fingerprint or bytes(FINGERPRINT_BYTES)
        for method in ("encode", "decode"):
            if not callable(getattr(codec, method, None)):
                raise ModelError(f"codec must have a method {method}: {codec!r}")
        self.codec = codec

    def __repr__(self) -> str:
        return f"CodecCoder({self.name!r}, {self.codec!r}, {self.fingerprint!r})"

    def encode(self, steps: NDArray[Any]) -> Buffer | None:
        block = steps.reshape(-1)
        if self._is_float:
            block = block.astype(block.dtype.newbyteorder("=")).view(self._float)
        block.flags.writeable = False  # it is the caller's
        try:
            data = self.codec.encode(block)
            return None if data is None else as_bytes(data, "what encode returned")
        except Exception as error:
            raise ModelError(f"{self._self} cannot encode a block: {error}") from error

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        try:
            values = np.asarray(self.codec.decode(bytes(data), out.size)).ravel()
        except Exception as error:
            raise CorruptError(f"{self._self} cannot decode it: {error}") from error
        if self._is_float and float_element(values.dtype) == self._element:
            values = stored(values, 0)  # exactly these, as their bits
        if values.shape != out.shape or values.dtype.kind not in "iu":
            wanted = FLOAT_NAMES.get(self._element) or out.dtype.name
            raise CorruptError(
                f"{self._self} decodes it to {values.size} elements of "
                f"{values.dtype}, not to {out.size} of {wanted}"
            )
        out[:] = values.astype(out.dtype)
        if not np.array_equal(out, values):
            raise CorruptError(
                f"{self._self} decodes it to values beyond {out.dtype.name}"
            )

    @property
    def _float(self) -> np.dtype[Any]:
        """What a codec sees of floats."""
        return Header(self._element).array_dtype.newbyteorder("=")

    @property
    def _self(self) -> str:
        return named(self.name, self.fingerprint)


def shortest_of(ways: Iterable[tuple[int, Buffer]]) -> tuple[int, Buffer]:
    """The first of the ways that take the fewest bytes."""
    return min(ways, key=lambda way: len(way[1]))


# ---- the coders of a part


def named(name: str, fingerprint: bytes) -> str:
    """The model or codec that a header names, in words."""
    noun = f"codec {name!r}" if name else "model"
    return f"{noun} {fingerprint.hex()}" if any(fingerprint) else noun


def as_coder(
    coder: Coder | FrozenModel | None,
    level: int | None = None,
    default: Callable[..., Coder] | None = None,
) -> Coder:
    """A coder as it is, that of a model, or the default, at this level.

    Raises
    ------
    ModelError
        If it is none of them, or a coder, which has its own level, and a level.
    """
    if isinstance(coder, Coder):
        if level is not None:
            raise ModelError(
                f"{coder!r} has a level of its own: pass level={level!r} to "
                f"{type(coder).__name__}(..) instead"
            )
        return coder
    level = LEVEL_DEFAULT if level is None else level
    if coder is None and default is not None:
        return default(level=level)
    from bbans.frozen.base import as_model

    return ModelCoder(as_model(coder), level)


class _Stored:
    """Elements as they are."""

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        if len(data) != out.nbytes:
            raise CorruptError("its length does not fit")
        octets(out)[:] = octets(data)


class _Mixing:
    """Bytes under mixed contexts."""

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        from bbans.formats.mixing import decode_mixing

        decode_mixing(data, octets(out))


class _Grids:
    """Integers of a grid, whose block says how they lie."""

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        from bbans.formats.grids import decode_grid

        decode_grid(data, out)


class _Floats:
    """Floats of any form."""

    def __init__(self, element: int) -> None:
        self._element = element

    def decode(self, data: Buffer, out: NDArray[Any]) -> None:
        from bbans.formats.floats import decode_floats

        decode_floats(data, out, self._element)


Coders: TypeAlias = dict[int, Coder | _Stored | _Mixing | _Grids | _Floats]
# What every reader has.
_FOR_ALL: Coders = {STORED: _Stored(), BYTE_BLOCK: ByteCoder(), MIXING: _Mixing()}
_FOR_ARRAYS = _FOR_ALL | {SIGNAL: SignalCoder(), GRID: _Grids()}
_FOR_BYTES = _FOR_ALL | {PIECES: PieceCoder()}


def coders_of(header: Header, coder: Coder | None) -> Coders:
    """The coders that the blocks of a part may need, by their methods.

    Parameters
    ----------
    header : Header
    coder : Coder or None
        What the caller has; the default model is always at hand.

    Raises
    ------
    WrongModelError
        If the header names another.
    """
    coders = _FOR_ARRAYS if header.is_array else _FOR_ALL
    if header.element == BYTES:
        coders = _FOR_BYTES
    if header.is_float:
        coders = _FOR_ALL | {FLOATS: _Floats(header.element)}
    if header.line is not None:
        return coders | {SIGNAL: SignalCoder().of(header)}
    if header.fingerprint:
        found = _find(header, coder)
        if header.is_float and found.method == MODEL:
            raise CorruptError("header is damaged: a model codes no floats")
        return coders | {found.method: found.of(header)}
    return coders


def _find(header: Header, coder: Coder | None) -> Coder:
    """The coder that a header names."""
    wanted = header.name, header.fingerprint
    if coder is not None and (coder.name, coder.fingerprint) == wanted:
        return coder
    from bbans.frozen.model_file import default_model

    if not header.name and default_model().fingerprint == header.fingerprint:
        return ModelCoder(default_model())
    what = named(*wanted)
    if coder is None:
        instead = "pass it as `coder`"
        if header.name == "base":
            instead = "pass BaseCoder(base), of the same base, as `coder`"
    elif coder.fingerprint:
        instead = f"not with {named(coder.name, coder.fingerprint)}"
    else:
        instead = f"which {coder!r} does not have"
    raise WrongModelError(f"data was compressed with {what}, {instead}")


def decode_block(
    block: Block, header: Header, coders: Coders, out: NDArray[Any]
) -> None:
    """Check a block, and restore its elements, of this header, to `out`.

    Raises
    ------
    CorruptError
        If it is damaged.
    VersionError
        If this release lacks its method.
    """
    block.check()
    try:
        if block.method not in coders:
            raise CorruptError(
                f"a block of method {METHODS[block.method]} cannot be in this part"
            )
        coders[block.method].decode(block.data, out)
        check_elements(out, header)
    except BbansError as error:
        raise CorruptError(f"{block.name} is damaged: {error}") from error


# ---- text


def code_points(text: str) -> NDArray[np.uint32]:
    """The characters of a text; lone surrogates too."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4")


def restored_text(elements: NDArray[Any], header: Header) -> str:
    """The text of elements."""
    utf8 = header.element == UTF8
    try:
        if utf8:
            return str(elements.data, "utf-8")
        return str(octets(elements).data, "utf-32-le", "surrogatepass")
    except UnicodeDecodeError as error:
        form = "UTF-8" if utf8 else "of code points"
        raise CorruptError(f"decoded text is not {form}: {error}") from None
