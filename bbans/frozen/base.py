"""What frozen models share: the interface by which all else codes, and the file.

Everything to the right of a frozen model is exact: it holds integers only.
"""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_bytes
from bbans._files import write_file
from bbans._kinds import MODEL, START_BYTES, wrong_kind
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans._records import CRC
from bbans.codecs.state_space import not_a_model
from bbans.errors import (
    CorruptError,
    FormatError,
    ModelError,
    SymbolError,
    TruncatedError,
    VersionError,
)
from bbans.frozen.alphabet import KINDS, Alphabet, Kind, Rows, as_integers
from bbans.frozen.engine import MODES, EngineModel, Mode, one_of

__all__ = ["KINDS", "MODES", "FrozenModel", "Kind", "Mode", "as_model", "one_of"]

# docs/format.md, "Model file".
VERSION = 3
START = struct.Struct("<4s8B")
FORM = 10  # the byte of it that says so
DAMAGED = "model file is damaged: its checksum does not match"

_Made = TypeVar("_Made", bound="FrozenModel")


class FrozenModel(EngineModel):
    """A model in integers, ready to code. Models with the same file are equal.

    This is all that the rest of the package knows of a model: a new kind of model is a
    subclass with a `TYPE` of its own, and is then coded, batched, stored and read
    wherever the others are.

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

    TYPE: ClassVar[int]
    """Its number in files."""

    NAME: ClassVar[str]
    """What files of this type hold, with its article."""

    HAS_PACKED_FORM: ClassVar[bool] = False
    """Whether its files may be packed."""

    PACKS: ClassVar[bool] = False
    """Whether `save` packs its files."""

    HAS_ALPHABET: ClassVar[bool] = False
    """Whether it codes symbols of an alphabet, of which the last may be an end."""

    _types: ClassVar[dict[int, type[FrozenModel]]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "TYPE" in vars(cls):
            FrozenModel._types[cls.TYPE] = cls

    # ---- its file: docs/format.md, "Model file"

    @abstractmethod
    def _payload(self) -> bytes:
        """The model file but for its checksum."""

    def _header(self, detail: int, listed: bool, *numbers: int) -> bytes:
        """What the file begins with: codes, two of them given, and numbers."""
        codes = (
            self.TYPE, MODES.index(self.mode), KINDS.index(self.kind), detail, listed,
            0, self.ends,
        )  # fmt: skip
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        return START.pack(MODEL, VERSION, *codes) + packed

    @classmethod
    @abstractmethod
    def _read(cls: type[_Made], data: bytes) -> _Made:
        """Read a model file of this type.

        Raises
        ------
        ModelError, TruncatedError, CorruptError, VersionError
            If it is none.
        """

    @cached_property
    def fingerprint(self) -> bytes:
        """Eight bytes that name the model: the start of the SHA-256 of its file."""
        return hashlib.sha256(self._payload()).digest()[:8]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrozenModel):
            return NotImplemented
        return self._payload() == other._payload()

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @classmethod
    def from_bytes(cls: type[_Made], data: bytes) -> _Made:
        """Read a model file's bytes, of either form, and check them.

        Returns
        -------
        FrozenModel
            Of the class that the file's type says.

        Raises
        ------
        TruncatedError, CorruptError, VersionError, FormatError
            If these are not the bytes of a model file, of this class if it is not
            `FrozenModel` itself.
        """
        data = plain_of(as_bytes(data, "data"))
        made = FrozenModel._types[read_header(data, 0)[0].model_type]
        if not issubclass(made, cls):
            raise FormatError(f"model file holds {made.NAME}: load_model reads it")
        try:
            return made._read(data)
        except ModelError as error:
            raise CorruptError(f"model file is inconsistent: {error}") from error

    def to_bytes(self, packed: bool = False) -> bytes:
        """Return the model file's bytes.

        Parameters
        ----------
        packed : bool
            Pack them, where that makes them shorter: hidden Markov models take a
            fraction then, autoregressive ones a tenth, context mixers half, but are
            not read in place.
        """
        payload = self._payload()
        plain = payload + CRC.pack(zlib.crc32(payload))
        return packed_of(plain) if packed else plain

    def save(self, path: str | os.PathLike[str], packed: bool | None = None) -> None:
        """Write a model file; an old one is replaced only when the new is whole.

        Parameters
        ----------
        path : path-like
        packed : bool, optional
            As in `to_bytes`; by default autoregressive models and context mixers are.
        """
        write_file(path, self.to_bytes(self.PACKS if packed is None else packed))

    @classmethod
    def load(cls: type[_Made], path: str | os.PathLike[str]) -> _Made:
        """Read a model file; see `from_bytes`."""
        return cls.from_bytes(Path(path).read_bytes())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)

    def __copy__(self: _Made) -> _Made:
        return self  # it does not change

    def __deepcopy__(self: _Made, memo: Any) -> _Made:
        return self


class AlphabetModel(FrozenModel):
    """What models of symbols share: an alphabet, and observations that are numbers.

    Parameters
    ----------
    c : cdata
    alphabet : Alphabet
    mode : {"iconoclasm", "predictive"}
    """

    HAS_ALPHABET = True

    _DTYPE = np.uint32

    def __init__(self, c: Any, alphabet: Alphabet, mode: Mode) -> None:
        self._alphabet = alphabet
        super().__init__(c, mode)

    @property
    def n_symbols(self) -> int:
        """Number of symbols M."""
        return int(self.c.symbols)

    @property
    def alphabet(self) -> Alphabet:
        """What the symbols 0 .. M-1 stand for."""
        return self._alphabet

    def _observations(self, x: Any) -> NDArray[np.uint32]:
        if isinstance(x, str | bytes):
            raise SymbolError(
                f"symbols are numbers here, not {type(x).__name__}: pass "
                "model.alphabet.encode(x)"
            )
        symbols = as_uint32(x, "symbol").ravel()
        self._check_symbols(symbols)
        return symbols

    def _check_symbols(self, symbols: NDArray[np.uint32]) -> None:
        """Raise `SymbolError` for the first symbol number that is not below M."""
        outside = np.flatnonzero(symbols >= self.n_symbols)
        if outside.size:
            at = int(outside[0])
            raise SymbolError(
                f"symbol {symbols[at]} at position {at} is not below {self.n_symbols}"
            )


class VectorModel(FrozenModel):
    """What models share whose observations are `width` integers of 64 bits."""

    _DTYPE = np.int64

    @property
    def alphabet(self) -> Rows:
        """What it codes: all integers of 64 bits, in rows of `width`."""
        return Rows(self.width)

    def _observations(self, x: Any) -> NDArray[np.int64]:
        array, width = as_integers(x), self.width
        if array.ndim == 1 and (width == 1 or array.size == 0):
            array = array.reshape(-1, width)
        if array.ndim != 2 or array.shape[1] != width:
            raise SymbolError(
                f"observations have shape {array.shape}, not (T, {width})"
            )
        return self._shaped(self.alphabet.encode(array))


def as_model(model: Any) -> FrozenModel:
    """Return a frozen model as it is; say of anything else what it is instead.

    Raises
    ------
    ModelError
        If it is none.
    """
    if isinstance(model, FrozenModel):
        return model
    if isinstance(model, EngineModel):
        raise ModelError(
            f"this {type(model).__name__} has no file, which containers name: code "
            "bare messages, with bbans.encode(data, model)"
        )
    raise not_a_model(model, "a frozen model")


# ---- files


def plain_of(data: bytes) -> bytes:
    """The plain form of a model file in either.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If it is packed, and damaged.
    """
    if len(data) <= FORM or not data.startswith(MODEL) or data[FORM] == 0:
        return data  # what else it is shows later
    header, _ = read_header(data, 0)
    if header.form == 0:
        return data
    n, source = ffi.new("size_t *"), ffi.from_buffer("uint8_t[]", data)
    status = lib.bbans_model_unpack(source, len(data), ffi.NULL, 0, n)
    if status == lib.BBANS_ERR_CAPACITY:
        plain = np.empty(n[0], np.uint8)
        to = pointer(plain, "uint8_t[]")
        status = lib.bbans_model_unpack(source, len(data), to, plain.size, n)
    if status == lib.BBANS_ERR_CORRUPT:
        raise CorruptError("packed model file is damaged", status)
    if status == lib.BBANS_ERR_TRUNCATED:
        raise TruncatedError("packed model file ends early", status)
    check(status)
    return plain[: n[0]].tobytes()


def packed_of(plain: bytes) -> bytes:
    """The packed form of a model file, or the plain one if that is no longer."""
    n, source = ffi.new("size_t *"), ffi.from_buffer("uint8_t[]", plain)
    status = lib.bbans_model_pack(source, len(plain), ffi.NULL, 0, n)
    if status == lib.BBANS_ERR_CAPACITY:
        packed = np.empty(n[0], np.uint8)
        to = pointer(packed, "uint8_t[]")
        status = lib.bbans_model_pack(source, len(plain), to, packed.size, n)
    if status == lib.BBANS_ERR_SIZE:
        return plain
    check(status)
    return packed[: n[0]].tobytes()


class CFile:
    """A model file that the C library has read, and all that its model refers to.

    Parameters
    ----------
    data : bytes
        A whole file, in its plain form.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If it is none.

    Attributes
    ----------
    data : bytes
    model : cdata
        Its ``bbans_model``, which has been built.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._bytes = ffi.from_buffer("uint8_t[]", data)
        self.model = ffi.new("bbans_model *")
        self._check(lib.bbans_model_parse(self.model, self._bytes, len(data)))
        size = lib.bbans_model_bytes(self.model)
        self._memory = np.empty(size // 8 + 1, np.uint64)
        memory = pointer(self._memory, "uint64_t[]")
        self._check(lib.bbans_model_build(self.model, memory, size))

    def _check(self, status: int) -> None:
        if status == lib.BBANS_ERR_CORRUPT:
            check_sum(self.data)
            raise CorruptError(
                "model file is inconsistent: masses that are no distributions, an "
                "alphabet that does not rise, contexts that are no tree, or a prior "
                "that is none",
                status,
            )
        if status == lib.BBANS_ERR_TRUNCATED:
            raise TruncatedError("model file ends early", status)
        check(status)


def written(model: FrozenModel, alphabet: Alphabet | None = None) -> bytes:
    """The file of a model, of symbols if it has an alphabet, as C writes it."""
    values: Any = ffi.NULL
    ends = alphabet is not None and alphabet.ends
    if alphabet is not None and alphabet.values is not None:
        listed = alphabet.values.astype(np.int64)
        values = pointer(listed, "int64_t[]")
    n, out = ffi.new("size_t *"), bytearray(1)
    for _ in range(2):  # the first only counts them
        status = lib.bbans_model_write(
            model._space, KINDS.index(model.kind), values, ends,
            ffi.from_buffer("uint8_t[]", out), len(out), n,
        )  # fmt: skip
        if status != lib.BBANS_ERR_CAPACITY:
            break
        out = bytearray(n[0])
    check(status)
    return bytes(out)


class Start(NamedTuple):
    """The codes that all headers have, after magic and version."""

    model_type: int
    mode: int
    kind: int
    detail: int
    listed: int
    form: int
    ends: int


def header_bytes(n_numbers: int) -> int:
    """Bytes of a header of so many numbers."""
    return START.size + 4 * n_numbers


def read_header(data: bytes, n_numbers: int) -> tuple[Start, tuple[int, ...]]:
    """Read the header that these bytes begin with: its codes and its numbers.

    Raises
    ------
    TruncatedError, VersionError, FormatError
        If they begin no model file.
    """
    if not data.startswith(MODEL) and not MODEL.startswith(data[:4]):
        raise wrong_kind(data[:START_BYTES], "a model file")
    if len(data) > 4 and data[4] != VERSION:
        raise VersionError(f"model file has version {data[4]}, this reads {VERSION}")
    if len(data) < header_bytes(n_numbers):
        raise TruncatedError("model file ends in its header")
    start = Start(*START.unpack_from(data)[2:])
    if (
        start.model_type not in FrozenModel._types
        or start.mode >= len(MODES)
        or start.kind >= len(KINDS)
        or start.listed > 1
        or start.form > FrozenModel._types[start.model_type].HAS_PACKED_FORM
        or start.ends > FrozenModel._types[start.model_type].HAS_ALPHABET
    ):
        raise VersionError("model file has codes that this release does not know")
    return start, struct.unpack_from(f"<{n_numbers}I", data, START.size)


def check_end(data: bytes, size: int) -> None:
    """That `size` bytes and their checksum are all."""
    check_length(len(data), size)
    check_sum(data)


def check_sum(data: bytes) -> None:
    """That the checksum at the end of a file is right."""
    if zlib.crc32(data[: -CRC.size]) != CRC.unpack(data[-CRC.size :])[0]:
        raise CorruptError(DAMAGED)


def check_length(n: int, size: int) -> None:
    """That a file of n bytes holds `size` bytes and their checksum, and no more."""
    whole = size + CRC.size
    if n < whole:
        raise TruncatedError(f"model file has {n} bytes of {whole}")
    if n > whole:
        raise CorruptError(f"model file has {n - whole} bytes too many")
