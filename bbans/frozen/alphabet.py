"""Alphabets: between the user's symbols and the indices 0 .. M-1 of a model."""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_integer, not_integers
from bbans.errors import ModelError, SymbolError

__all__ = [
    "KINDS",
    "MAX_SYMBOLS",
    "Alphabet",
    "Kind",
    "Rows",
    "Symbols",
    "as_alphabet",
    "as_integers",
    "check_rows",
    "text_of",
    "text_of_utf8",
    "utf8_of",
]

Kind: TypeAlias = Literal["integers", "bytes", "text"]
#: By their numbers in files.
KINDS: tuple[Kind, ...] = ("integers", "bytes", "text")
_DTYPES = {"integers": np.int64, "bytes": np.uint8, "text": np.uint32}

MAX_SYMBOLS = 65536
_BYTES = (bytes, bytearray, memoryview)
_INT64_MIN, _INT64_MAX = -(2**63), 2**63 - 1
_CODE_POINT_MAX = 0x10FFFF
_SPAN_MAX = 1 << 21  # of a table of symbols; code points are below it

#: What an alphabet encodes: text, bytes, or integers of any shape.
Symbols: TypeAlias = str | bytes | bytearray | memoryview | ArrayLike


class Alphabet:
    """The M symbols of a model, in the order of its emission probabilities.

    Parameters
    ----------
    symbols : int, str, bytes or array_like of int
        An int N: the integers 0 .. N-1. N strictly increasing integers of 64 bits with
        sign. A str of N distinct characters in the order of their code points. N
        strictly increasing bytes.
    kind : {"integers", "bytes", "text"}, optional
        What `symbols` is, by default; integers of 0 to 255 may be "bytes". The 256 of
        kind "text" are the bytes of UTF-8: see `utf8`.
    ends : bool
        Add the end of a record as the last symbol, M - 1. No data has it.

    Attributes
    ----------
    kind : {"integers", "bytes", "text"}
    size : int
        Number of symbols M, 1 to 65536: N, and the end.
    values : None or ndarray, shape (N,)
        The integers (int64), bytes (uint8) or code points (uint32); None for
        0 .. N-1, and for UTF-8. Read-only.
    ends : bool
        Whether the last symbol is the end of a record.

    Raises
    ------
    ModelError
        If `symbols` is none of these, or not of that kind.

    Examples
    --------
    >>> Alphabet("abc").encode("cab")
    array([2, 0, 1], dtype=int32)
    >>> Alphabet([-5, 7]).decode([1, 0])
    array([ 7, -5])
    >>> Alphabet(256, kind="bytes").decode([65, 66]).tobytes()
    b'AB'
    >>> Alphabet("abc", ends=True).end
    3
    """

    kind: Kind
    size: int
    values: NDArray[Any] | None
    ends: bool

    __slots__ = ("ends", "kind", "size", "values")

    def __init__(
        self,
        symbols: int | str | ArrayLike,
        kind: Kind | None = None,
        *,
        ends: bool = False,
    ) -> None:
        values: NDArray[Any] | None
        given: Kind = "integers"
        if isinstance(symbols, (int, np.integer)) and not isinstance(symbols, bool):
            count, values = int(symbols), None
        elif isinstance(symbols, str):
            values, given = _code_points(symbols), "text"
            count = values.size
        else:
            names = as_array(symbols, "symbols")
            if names.dtype.kind in "US" and not isinstance(symbols, _BYTES):
                raise not_integers(
                    "symbols of an alphabet",
                    names,
                    "characters of one str, or integers",
                    "keep a list of the names, and code positions in it",
                )
            values = as_integers(symbols)
            if values.ndim != 1:
                raise ModelError(f"alphabet must have one axis, not {values.ndim}")
            if values.size and int(values.max()) > _INT64_MAX:
                raise ModelError("symbols of an alphabet must be below 2**63")
            given = "bytes" if isinstance(symbols, _BYTES) else "integers"
            count = values.size
        self.ends = bool(ends)
        if not 1 <= count <= MAX_SYMBOLS - self.ends:
            besides = " besides its end" * self.ends
            raise ModelError(
                f"an alphabet has 1 to {MAX_SYMBOLS - self.ends} symbols{besides}, "
                f"not {count}"
            )
        self.size = count + self.ends
        if kind is not None and kind not in KINDS:
            raise ModelError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
        self.kind = given if kind is None else kind
        utf8 = self.kind == "text" and values is None and count == 256
        known = utf8 or (self.kind, given) == ("bytes", "integers")
        if self.kind != given and not known:
            instead = ""
            if self.kind == "text":
                instead = ": list characters in a str, or take Alphabet.utf8()"
            raise ModelError(
                f"the kind of an alphabet of {given} is {given!r}, not {kind!r}"
                + instead
            )
        if self.kind == "bytes":
            low, high = 0, count - 1
            if values is not None:
                low, high = int(values.min()), int(values.max())
            if low < 0 or high > 255:
                raise ModelError(
                    f"an alphabet of bytes is of 0 to 255, not of {low} to {high}"
                )
        if values is not None:
            values = values.astype(_DTYPES[self.kind])
            unordered = np.flatnonzero(values[1:] <= values[:-1])
            if unordered.size:
                k = int(unordered[0]) + 1
                raise ModelError(
                    f"alphabet must be strictly increasing, without repeats: "
                    f"{_name(values[k], self.kind)} at position {k} is not above "
                    f"{_name(values[k - 1], self.kind)}"
                )
            values.setflags(write=False)
        self.values = values

    @classmethod
    def utf8(cls, ends: bool = False) -> Alphabet:
        """The alphabet of any text: its symbols are the 256 bytes of UTF-8.

        Lengths of what it encodes count bytes, not characters. A lone surrogate, which
        has no UTF-8, takes three bytes.

        Examples
        --------
        >>> Alphabet.utf8().encode("né")
        array([110, 195, 169], dtype=int32)
        """
        return cls(256, "text", ends=ends)

    @property
    def is_utf8(self) -> bool:
        """Whether the symbols are the bytes of UTF-8, and the data any text."""
        return self.kind == "text" and self.values is None

    @property
    def end(self) -> int | None:
        """The index M - 1 of the end of a record; None without one."""
        return self.size - 1 if self.ends else None

    @property
    def units(self) -> Alphabet:
        """What single symbols stand for: of UTF-8 bytes; else this alphabet."""
        return _all_bytes(self.ends) if self.is_utf8 else self

    def with_ends(self, ends: bool = True) -> Alphabet:
        """Return this alphabet with the end of a record, or without it."""
        if bool(ends) == self.ends:
            return self
        return Alphabet(self._listed(), self.kind, ends=ends)

    def __repr__(self) -> str:
        if self.is_utf8:
            return f"Alphabet.utf8({'ends=True' * self.ends})"
        ends = ", ends=True" * self.ends
        if self.values is None:
            kind = f", kind={self.kind!r}" if self.kind != "integers" else ""
            return f"Alphabet({self._count}{kind}{ends})"
        if self._count <= (8 if self.kind == "integers" else 128):
            return f"Alphabet({self._listed()!r}{ends})"
        low, high = self.name(0), self.name(self._count - 1)
        ends = " and the end" * self.ends
        return f"<Alphabet: {self._count} {self.kind}, {low} to {high}{ends}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alphabet) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return _alphabet, (self._listed(), self.kind, self.ends)

    @property
    def _count(self) -> int:
        """Number of symbols N that data may have."""
        return self.size - self.ends

    def _listed(self) -> int | str | bytes | list[int]:
        """The symbols as the constructor takes them."""
        if self.values is None:
            return self._count
        if self.kind == "text":
            return text_of(self.values)
        listed: list[int] = self.values.tolist()
        return self.values.tobytes() if self.kind == "bytes" else listed

    def _key(self) -> tuple[str, int, bool, bytes]:
        values = b"" if self.values is None else bytes(self.values)
        return self.kind, self.size, self.ends, values

    def encode(self, data: Symbols) -> NDArray[np.int32]:
        """Turn symbols into indices.

        Parameters
        ----------
        data : str, bytes-like or array_like of int
            A str for text, or for bytes, which code its UTF-8 form. Bytes for bytes
            and integers. Integers of any width and shape for every kind (for text:
            code points); an array is read in C order.

        Returns
        -------
        indices : ndarray of int32, shape (T,)
            In 0 .. M-1, C-contiguous; never the end. T counts the bytes of UTF-8.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet (the text names the first one and
            its position), or if `data` is of a type that it cannot hold.
        """
        values = self._symbols(data)
        if self.values is None:
            if not _below(values, self._count):
                self._refuse(values, (values < 0) | (values > self._count - 1))
            return values.astype(np.int32)
        if values.dtype.kind == "u" and values.dtype.itemsize == 8:
            # Compared with int64 these would become floats, and hit wrongly.
            outside = values > np.uint64(_INT64_MAX)
            values64 = np.where(outside, np.uint64(0), values).astype(np.int64)
        else:
            outside = np.zeros((), dtype=np.bool_)
            values64 = values.astype(np.int64, copy=False)
        known = self.values.astype(np.int64, copy=False)
        low, span = int(known[0]), int(known[-1]) - int(known[0]) + 1
        if span <= min(values64.size, _SPAN_MAX):
            index_of = np.zeros(span, np.int32)
            index_of[known - low] = np.arange(self._count)
            # Neither wraps: clipped values lie in the table.
            indices = index_of[np.clip(values64, low, low + span - 1) - low]
        else:
            indices = np.searchsorted(known[1:], values64, side="right").astype(
                np.int32
            )
        outside = outside | (known[indices] != values64)
        if outside.any():
            self._refuse(values, outside)
        return indices

    def decode(self, indices: ArrayLike) -> NDArray[Any]:
        """Turn indices back into symbols.

        Parameters
        ----------
        indices : array_like of int
            In 0 .. M-1, of any shape; the end is none of them.

        Returns
        -------
        symbols : ndarray of int64, uint8 (bytes) or uint32 (code points)
            Of the shape of `indices`; of UTF-8, a row of its code points.

        Raises
        ------
        SymbolError
            If an index is not in 0 .. M-1, or is the end; if they are no UTF-8.
        """
        if self.is_utf8:
            units = self.units.decode(indices)
            return _code_points(text_of_utf8(units.tobytes()))
        array = as_integers(indices)
        if not _below(array, self._count):
            if not _below(array, self.size):
                raise SymbolError(f"indices must be in 0 .. {self.size - 1}")
            at = int(np.flatnonzero(array == self.end)[0])
            raise SymbolError(
                f"index {self.end} at position {at} is the end of a record, which "
                "stands for no symbol"
            )
        symbols: NDArray[Any]
        if self.values is None:
            symbols = array.astype(_DTYPES[self.kind])
        else:
            symbols = self.values[array.astype(np.intp)]
        return symbols

    def name(self, index: int) -> str:
        """Describe the symbol of an index, as error messages do.

        Raises
        ------
        SymbolError
            If there is no such index.
        """
        index = as_integer(index, "index", 0, self.size - 1, SymbolError)
        if index == self.end:
            return "the end of a record"
        kind = self.units.kind
        return _name(index if self.values is None else self.values[index], kind)

    def _symbols(self, data: Symbols) -> NDArray[Any]:
        """Return the integers that `data` stands for, on one axis."""
        if isinstance(data, str):
            if self.is_utf8:
                return _utf8(data)
            if self.kind == "text":
                return _code_points(data)
            if self.kind == "bytes":
                return np.frombuffer(utf8_of(data), dtype=np.uint8)
            raise SymbolError(
                "a str needs a model of text, or of bytes; this one is of "
                f"{self._count} integers"
            )
        if isinstance(data, _BYTES) and self.kind == "text":
            raise SymbolError(
                "a model of text cannot code bytes: decode them to str first"
            )
        values = as_integers(data).ravel()
        if not self.is_utf8:
            return values
        outside = (values < 0) | (values > _CODE_POINT_MAX)
        if outside.any():
            t = int(np.flatnonzero(outside)[0])
            raise SymbolError(f"symbol {values[t]} at position {t} is no code point")
        return _utf8(text_of(values))

    def _refuse(self, values: NDArray[Any], outside: NDArray[np.bool_]) -> None:
        t = int(np.flatnonzero(outside)[0])
        noun = "characters" if self.kind == "text" else "symbols"
        raise SymbolError(
            f"symbol {_name(values[t], self.kind)} at position {t} is not in the "
            f"model's alphabet of {self._count} {noun}"
        )


@cache
def _all_bytes(ends: bool) -> Alphabet:
    return Alphabet(256, "bytes", ends=ends)


def _alphabet(symbols: Any, kind: Kind, ends: bool) -> Alphabet:
    return Alphabet(symbols, kind, ends=ends)


def as_alphabet(
    symbols: Alphabet | int | str | ArrayLike, ends: bool = False
) -> Alphabet:
    """An alphabet as it is, or the one that these symbols make; with an end if it is to
    end."""
    made = symbols if isinstance(symbols, Alphabet) else Alphabet(symbols)
    return made.with_ends() if ends else made


class Rows:
    """What models of numbers code: integers in rows, by default all of 64 bits.

    Parameters
    ----------
    width : int
        Integers of a row. The last axes of an array make it: one of `width`, or several
        of that size together, as those of an image.
    low, high : int
        What an integer may be.
    kind : {"integers", "bytes"}
        What they are given as, and returned; bytes are of 0 to 255.

    Raises
    ------
    ModelError
        If `kind` is neither, or the integers are no bytes.

    Attributes
    ----------
    dtype : dtype
        That a model codes them as: of 32 bits if they fit.
    """

    kind: Kind

    __slots__ = ("dtype", "high", "kind", "low", "width")

    def __init__(
        self,
        width: int,
        low: int = _INT64_MIN,
        high: int = _INT64_MAX,
        kind: Kind = "integers",
    ) -> None:
        if kind not in ("integers", "bytes"):
            raise ModelError(f"kind must be integers or bytes, not {kind!r}")
        if kind == "bytes" and not 0 <= low <= high <= 255:
            raise ModelError(f"integers of {low} to {high} are no bytes")
        self.width, self.low, self.high, self.kind = width, low, high, kind
        short = np.iinfo(np.int32)
        fits = short.min <= low <= high <= short.max
        self.dtype = np.dtype(np.int32 if fits else np.int64)

    def __repr__(self) -> str:
        if self == Rows(self.width):
            return f"Rows({self.width})"
        return f"Rows({self.width}, {self.low}, {self.high}, {self.kind!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Rows) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __reduce__(self) -> tuple[Any, ...]:
        return Rows, self._key()

    def _key(self) -> tuple[int, int, int, str]:
        return self.width, self.low, self.high, self.kind

    @property
    def units(self) -> Rows:
        """What single integers stand for: themselves."""
        return self

    def encode(self, data: Symbols) -> NDArray[Any]:
        """Turn integers of any type into those of `dtype`, on one axis.

        Raises
        ------
        SymbolError
            If one is out of range, or there are no whole rows; the text names it and
            its position.
        """
        if isinstance(data, str):
            raise SymbolError("a str needs a model of text, or of bytes")
        array = as_integers(data)
        check_rows(array.shape, self.width)
        values = array.ravel()
        if values.size and not (
            self.low <= int(values.min()) <= int(values.max()) <= self.high
        ):
            self._refuse(values)
        return np.require(values, self.dtype, ["C", "A"])

    def _refuse(self, values: NDArray[Any]) -> None:
        t = next(t for t, v in enumerate(values) if not self.low <= v <= self.high)
        where = f"integer {values[t]} at position {t}"
        if (self.low, self.high) == (_INT64_MIN, _INT64_MAX):
            raise SymbolError(f"{where} is beyond 2^63")
        row = f" (row {t // self.width}, place {t % self.width})"
        raise SymbolError(
            f"{where}{row} is not in the model's range {self.low} .. {self.high}"
        )

    def decode(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values as int64, of bytes as uint8."""
        return values.astype(_DTYPES[self.kind], copy=False)


def check_rows(shape: tuple[int, ...], width: int) -> None:
    """That an array of this shape has whole rows: its last axes make one, or it has one
    axis.

    Raises
    ------
    SymbolError
        If it has none.
    """
    whole = any(math.prod(shape[k:]) == width for k in range(1, len(shape)))
    if len(shape) > 1 and 0 not in shape:
        fits = whole or width == 1
    else:
        fits = math.prod(shape) % width == 0
    if not fits:
        raise SymbolError(
            f"an array of shape {shape} has no rows of {width}: its first axis must "
            "count them, even one"
        )


def as_integers(data: Symbols) -> NDArray[Any]:
    """Return `data` as an array of an integer type, without copying arrays.

    Parameters
    ----------
    data : bytes-like or array_like of int

    Raises
    ------
    SymbolError
        If the elements are anything but integers of at most 64 bits: floats,
        booleans, objects, text.
    """
    if isinstance(data, (bytes, bytearray)):
        return np.frombuffer(data, dtype=np.uint8)
    array = as_array(data, "symbols")
    if array.size == 0 and not isinstance(data, np.ndarray):
        return np.zeros(array.shape, dtype=np.int64)  # [] would be of floats
    if array.dtype.kind not in "iu":
        raise not_integers("symbols", array)
    return array


def _below(values: NDArray[Any], bound: int) -> bool:
    # As Python integers, whatever the widths and signs.
    return values.size == 0 or 0 <= int(values.min()) <= int(values.max()) < bound


def _utf8(text: str) -> NDArray[np.uint8]:
    # surrogatepass as below: in three bytes, as characters around them.
    return np.frombuffer(text.encode("utf-8", "surrogatepass"), dtype=np.uint8)


def _code_points(text: str) -> NDArray[np.uint32]:
    # surrogatepass: a str may hold lone surrogates, and they are symbols too.
    encoded = text.encode("utf-32-le", "surrogatepass")
    return np.frombuffer(encoded, dtype="<u4").astype(np.uint32)


def text_of(code_points: NDArray[Any]) -> str:
    """The text of these code points."""
    encoded = code_points.astype("<u4").tobytes()
    return encoded.decode("utf-32-le", "surrogatepass")


def utf8_of(text: str) -> bytes:
    """The UTF-8 of a text.

    Raises
    ------
    SymbolError
        If a character has none.
    """
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        name = _name(ord(text[error.start]), "text")
        raise SymbolError(
            f"symbol {name} at position {error.start} has no UTF-8 form"
        ) from None


def text_of_utf8(data: bytes) -> str:
    """The text that these bytes are the UTF-8 of; a lone surrogate has three.

    Raises
    ------
    SymbolError
        If they are that of none.
    """
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise SymbolError(
            f"byte {data[error.start]:#04x} at position {error.start} is no UTF-8"
        ) from None


def _name(symbol: Any, kind: str) -> str:
    value = int(symbol)
    if kind == "text" and 0 <= value <= _CODE_POINT_MAX:
        return f"{chr(value)!r} (U+{value:04X})"
    return str(value)
