"""What the models in integers share: a file, and the name that they have by it."""

from __future__ import annotations

import hashlib
import math
import os
import struct
import zlib
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from bbans._files import write_file
from bbans._kinds import MODEL, START_BYTES, wrong_kind
from bbans._lib import ffi, lib
from bbans._records import CRC
from bbans.errors import CorruptError, ModelError, TruncatedError, VersionError

__all__ = ["FrozenModel"]

# docs/format.md, "Model file".
VERSION = 2
START = struct.Struct("<4s8B")
HMM_TYPE, ARHMM_TYPE, LGSSM_TYPE = 1, 2, 3
Mode: TypeAlias = Literal["iconoclasm", "predictive"]
MODES: tuple[Mode, ...] = ("iconoclasm", "predictive")
KINDS = ("integers", "bytes", "text")
_Model = TypeVar("_Model", bound="FrozenModel")

DAMAGED = "model file is damaged: its checksum does not match"


def check_start(data: bytes, header_size: int) -> None:
    """That these bytes have the header of a model file."""
    if not data.startswith(MODEL) and not MODEL.startswith(data[:4]):
        raise wrong_kind(data[:START_BYTES], "a model file")
    if len(data) > 4 and data[4] != VERSION:
        raise VersionError(f"model file has version {data[4]}, this reads {VERSION}")
    if len(data) < header_size:
        raise TruncatedError("model file ends in its header")


def check_end(data: bytes, size: int) -> None:
    """That `size` bytes and their checksum are all."""
    check_length(len(data), size)
    if zlib.crc32(data[:size]) != CRC.unpack_from(data, size)[0]:
        raise CorruptError(DAMAGED)


def check_length(n: int, size: int) -> None:
    """That a file of n bytes holds `size` bytes and their checksum, and no more."""
    whole = size + CRC.size
    if n < whole:
        raise TruncatedError(f"model file has {n} bytes of {whole}")
    if n > whole:
        raise CorruptError(f"model file has {n - whole} bytes too many")


class Start(NamedTuple):
    """The codes that all headers have, after magic and version."""

    model_type: int
    mode: int
    kind: int
    detail: int
    listed: int
    structure: int
    reserved: int


def read_start(data: bytes, header_size: int) -> Start:
    """Read what all headers begin with.

    Raises
    ------
    TruncatedError, VersionError, FormatError
        If these bytes begin no model file.
    """
    check_start(data, header_size)
    start = Start(*START.unpack_from(data)[2:])
    if (
        not HMM_TYPE <= start.model_type <= LGSSM_TYPE
        or start.mode >= len(MODES)
        or start.kind >= len(KINDS)
        or start.listed > 1
        or start.structure != 0
        or start.reserved != 0
    ):
        raise VersionError("model file has codes that this release does not know")
    return start


class FrozenModel(ABC):
    """A model in integers. Models with the same file are equal."""

    c: Any
    """The C library's struct, which begins with a ``bbans_state_space``."""

    # ---- what codes sequences

    @property
    def space(self) -> Any:
        """The model as the C functions of sequences take it."""
        return ffi.addressof(self.c, "space")

    @property
    def tail_length(self) -> int:
        """Observations at the end of a sequence that start it."""
        return int(self.space.start_length)

    @property
    def start_bits(self) -> int:
        """Bits that the schedule starts from."""
        return int(self.space.start_bits)

    @property
    def mode(self) -> Mode:
        """How a sequence becomes a message of its own: by IconoCLaSM, or by its
        predictive distribution alone, without bits back."""
        return "predictive" if self.space.predictive else "iconoclasm"

    def with_mode(self: _Model, mode: Mode) -> _Model:
        """Return this model in the given mode, sharing its tables.

        Raises
        ------
        ModelError
            If there is no such mode.
        """
        if mode not in MODES:
            raise ModelError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
        if mode == self.mode:
            return self
        other = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.c = ffi.new(ffi.typeof(self.c), self.c[0])
        other.c.space.predictive = mode == "predictive"
        other.__dict__.pop("fingerprint", None)
        return other

    @abstractmethod
    def observations(self, x: Any) -> NDArray[Any]:
        """A sequence as the array that C reads: observations of the model's kind.

        Raises
        ------
        SymbolError
            If one cannot be coded.
        """

    @abstractmethod
    def empty(self, length: int) -> NDArray[Any]:
        """An array of `length` observations to decode to.

        Raises
        ------
        ModelError
            If there is none: `length` may come from outside.
        """

    def push_words(self, length: int) -> int:
        """Words of a message's tail that pushing `length` observations needs."""
        return int(lib.bbans_sequence_tail_words(self.space, length))

    def pop_words(self, length: int) -> int:
        """Words of tail that popping them from damaged data may take."""
        return int(self.space.pop_words) * length

    def workspace(
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
        least = lib.bbans_sequence_work_bytes(self.space, length, block)
        most = lib.bbans_sequence_work_bytes(self.space, length, length)
        size = max(least, min(copies * (most + 64), limit))
        return np.empty(size // 8 + 1, np.uint64)

    # ---- its file

    @abstractmethod
    def _payload(self) -> bytes:
        """The model file but for its checksum."""

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
    @abstractmethod
    def from_bytes(cls, data: bytes) -> Any:
        """Read a model file's bytes, and check them."""

    def to_bytes(self) -> bytes:
        """Return the model file's bytes."""
        payload = self._payload()
        return payload + CRC.pack(zlib.crc32(payload))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a model file; an old one is replaced only when the new is whole."""
        write_file(path, self.to_bytes())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)
