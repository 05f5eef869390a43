"""Frozen context mixers: docs/maths.md, "Mixing"."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_integer
from bbans._lib import check, ffi, lib, pointer
from bbans._records import CRC
from bbans.errors import ModelError
from bbans.frozen.alphabet import Alphabet
from bbans.frozen.base import (
    KINDS,
    AlphabetModel,
    CFile,
    Kind,
    Mode,
    Start,
    header_bytes,
    one_of,
    read_header,
    written,
)
from bbans.message.message import Message

__all__ = ["FrozenContextMixer"]

NUMBERS = 7  # of the header
HEADER_BYTES = header_bytes(NUMBERS)
SETS, INPUTS = int(lib.BBANS_MIXER_SETS), int(lib.BBANS_MIXER_INPUTS)
SLOTS = int(lib.BBANS_MIXER_SLOTS)
MATCHES, LENGTHS = int(lib.BBANS_MIXER_MATCHES), int(lib.BBANS_MIXER_LENGTHS)
BITS_MIN, BITS_MAX = int(lib.BBANS_MIXER_BITS_MIN), int(lib.BBANS_MIXER_PRIOR_BITS_MAX)
MEMORY_BITS_MAX = int(lib.BBANS_MIXER_MEMORY_BITS_MAX)
HISTORY_BITS_MAX = int(lib.BBANS_MIXER_HISTORY_BITS_MAX)
RATE_MAX = int(lib.BBANS_MIXER_RATE_MAX)
FIXED_BYTES = HEADER_BYTES + 2 * (SETS * INPUTS + MATCHES * LENGTHS)
NO_LATENTS = "a context mixer has no latent state"


class FrozenContextMixer(AlphabetModel):
    """A model of bytes that mixes what many contexts expect, ready to code.

    It learns from what it codes, so that it adapts to each sequence or record; what it
    knows before is its prior.

    Parameters
    ----------
    row : array_like of int, shape (2**b, 16)
        The prior's table of contexts, b from 6 to 22: a check of 16 bits, 0 where the
        place is free, and slots of 16 bits, each the probability of a 1 in
        ``2**-12``, times 16, and how sure it is, 0 to 15. More than the smallest table
        has contexts in at least a quarter of its places.
    weight : array_like of int, shape (688, 16)
        Weights of the mixture in ``2**-16``, of 16 bits with sign.
    match : array_like of int, shape (2, 40)
        Slots that say whether matches are right, by the classes of their lengths.
    row_bits, match_bits : int
        Contexts and places of matches that coding remembers: ``2**row_bits`` and
        ``2**match_bits``, 6 to 18.
    history_bits : int
        The last ``2**history_bits`` bytes can be matched, 6 to 22.
    rate : int
        How fast the weights learn, 1 to 127.
    kind : {"bytes", "text"}
        What it codes; text by the bytes of its UTF-8.
    end : int or None
        The byte, 0 to 255, behind which a record may end: one that records do not
        have, or seldom. None: the model has no end.

    Raises
    ------
    ModelError
        If an argument breaks a condition above.

    Notes
    -----
    Immutable; may be shared between threads. Its mode is always predictive: there is
    no latent state to ask for bits. docs/maths.md, "Mixing".
    """

    TYPE = 8
    NAME = "a context mixer"
    HAS_PACKED_FORM = True
    PACKS = True

    def __init__(
        self,
        row: ArrayLike,
        weight: ArrayLike,
        match: ArrayLike,
        *,
        row_bits: int = 11,
        match_bits: int = 10,
        history_bits: int = 12,
        rate: int = 80,
        kind: Kind = "bytes",
        end: int | None = None,
    ) -> None:
        rows = _integers(row, "row", 0, 0xFFFF, np.uint16)
        prior_bits = _check_rows(rows)
        weights = _integers(weight, "weight", -(2**15), 2**15 - 1, np.int16)
        _check_shape(weights, "weight", (SETS, INPUTS))
        slots = _integers(match, "match", 0, 0xFFFF, np.uint16)
        _check_shape(slots, "match", (MATCHES, LENGTHS))
        self._memory: Any = (rows, weights, slots)
        alphabet = _alphabet_of(kind, end is not None)
        c = ffi.new("bbans_context_mixer *")
        check(
            lib.bbans_context_mixer_init(
                c, prior_bits, pointer(rows, "uint16_t[]"),
                pointer(weights, "int16_t[]"), pointer(slots, "uint16_t[]"),
                as_integer(row_bits, "row_bits", BITS_MIN, MEMORY_BITS_MAX),
                as_integer(match_bits, "match_bits", BITS_MIN, MEMORY_BITS_MAX),
                as_integer(history_bits, "history_bits", BITS_MIN, HISTORY_BITS_MAX),
                as_integer(rate, "rate", 1, RATE_MAX),
                -1 if end is None else as_integer(end, "end", 0, 255),
            )
        )  # fmt: skip
        super().__init__(c, alphabet, "predictive")

    @classmethod
    def _read(cls, data: bytes) -> FrozenContextMixer:
        """See `FrozenModel`: the C library reads it."""
        file = CFile(data)
        model = object.__new__(cls)
        model._memory = file  # of which the tables are
        AlphabetModel.__init__(
            model,
            ffi.cast("bbans_context_mixer *", file.model.frozen),
            _alphabet_of(KINDS[file.model.kind], bool(file.model.ends)),
            "predictive",
        )
        return model

    # ---- what it is

    @property
    def end(self) -> int | None:
        """The byte behind which a record may end; None: the model has no end."""
        return int(self.c.end) if self.ends else None

    @property
    def row(self) -> NDArray[np.uint16]:
        """The prior's table of contexts, shape (2**b, 16). Read-only."""
        return self._table(self.c.row, np.uint16, (1 << self.c.prior_bits, SLOTS))

    @property
    def weight(self) -> NDArray[np.int16]:
        """Weights of the mixture, shape (688, 16). Read-only."""
        return self._table(self.c.weight, np.int16, (SETS, INPUTS))

    @property
    def match(self) -> NDArray[np.uint16]:
        """Slots of matches, shape (2, 40). Read-only."""
        return self._table(self.c.match, np.uint16, (MATCHES, LENGTHS))

    @property
    def row_bits(self) -> int:
        """Coding remembers ``2**row_bits`` contexts."""
        return int(self.c.row_bits)

    @property
    def match_bits(self) -> int:
        """Coding remembers ``2**match_bits`` places of each match."""
        return int(self.c.match_bits)

    @property
    def history_bits(self) -> int:
        """Coding remembers ``2**history_bits`` bytes."""
        return int(self.c.history_bits)

    @property
    def rate(self) -> int:
        """How fast the weights learn."""
        return int(self.c.rate)

    @property
    def n_contexts(self) -> int:
        """How many contexts the prior has."""
        return _n_rows(self.row)

    @property
    def memory_bytes(self) -> int:
        """Bytes of memory that coding a sequence or a record takes."""
        return int(self._space.belief_bytes)

    def _table(self, address: Any, dtype: Any, shape: tuple[int, int]) -> NDArray[Any]:
        size = shape[0] * shape[1] * np.dtype(dtype).itemsize
        # A copy: the memory there goes with the model.
        table = np.frombuffer(bytes(ffi.buffer(address, size)), dtype).reshape(shape)
        return table

    def __repr__(self) -> str:
        return (
            f"<FrozenContextMixer {self.fingerprint.hex()}: {self.n_contexts} "
            f"contexts, {self.memory_bytes} bytes to code in>"
        )

    def with_mode(self, mode: Mode) -> FrozenContextMixer:
        """Return this model: its mode is predictive.

        Raises
        ------
        ModelError
            If `mode` is another.
        """
        if one_of(mode, ("iconoclasm", "predictive"), "mode") != "predictive":
            raise ModelError(f"{NO_LATENTS}: its mode is always predictive")
        return self

    # ---- what takes latents

    def push(self, message: Message, x: Any) -> NoReturn:
        """IconoCLaSM: not of this model.

        Raises
        ------
        ModelError
            Always.
        """
        raise ModelError(f"{NO_LATENTS} to pop: code sequences with encode and decode")

    def pop(self, message: Message, length: int) -> NoReturn:
        """As `push`.

        Raises
        ------
        ModelError
            Always.
        """
        self.push(message, None)

    def state_space(self) -> NoReturn:
        """The model step by step: this one has no such steps.

        Raises
        ------
        ModelError
            Always.
        """
        self.push(Message(), None)

    # ---- its file: docs/format.md, "Model file"

    def _payload(self) -> bytes:
        return written(self, self._alphabet)[: -CRC.size]


class Head(NamedTuple):
    """The header of a model file, after magic and version."""

    start: Start
    row_bits: int
    match_bits: int
    history_bits: int
    rate: int
    end: int
    rows: int
    row_bytes: int

    @property
    def size(self) -> int:
        """Bytes of the file without its checksum."""
        return FIXED_BYTES + self.row_bytes

    def facts(self) -> dict[str, Any]:
        """What `info` says of it."""
        facts: dict[str, Any] = {
            "kind": "frozen context mixer",
            "contexts": f"{self.rows} in 2^{self.start.detail} places",
            "remembers": f"2^{self.row_bits} contexts, 2^{self.history_bits} bytes",
            "learning rate": self.rate,
        }
        if self.start.ends:
            facts["end"] = f"behind the byte {self.end}"
        return facts


def read_head(data: bytes) -> Head:
    """Read the header of such a model's file."""
    start, numbers = read_header(data, NUMBERS)
    return Head(start, *numbers)


# ---- pieces


def _alphabet_of(kind: Kind, ends: bool) -> Alphabet:
    if one_of(kind, ("bytes", "text"), "kind") == "text":
        return Alphabet.utf8(ends)
    return Alphabet(256, "bytes", ends=ends)


def _integers(values: ArrayLike, name: str, low: int, high: int, dtype: Any) -> Any:
    array = as_array(values, name, ModelError)
    if array.dtype.kind not in "iu":
        raise ModelError(f"{name} must be integers, not {array.dtype}")
    if array.size and not low <= int(array.min()) <= int(array.max()) <= high:
        raise ModelError(f"{name} must be integers of {low} to {high}")
    made = array.astype(dtype, order="C")
    made.flags.writeable = False
    return made


def _check_shape(array: NDArray[Any], name: str, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise ModelError(f"{name} must have shape {shape}, not {array.shape}")


def _n_rows(row: NDArray[np.uint16]) -> int:
    return int(np.flatnonzero(row[:, 0]).size)


def _check_rows(row: NDArray[np.uint16]) -> int:
    """The b of a table of 2**b places.

    Raises
    ------
    ModelError
        If it is none, or too few places are taken.
    """
    bits = max(len(row) - 1 if row.ndim else 0, 0).bit_length()
    if row.shape != (1 << bits, SLOTS) or not BITS_MIN <= bits <= BITS_MAX:
        raise ModelError(
            f"row must have shape (2**b, {SLOTS}), b from {BITS_MIN} to {BITS_MAX}, "
            f"not {row.shape}"
        )
    if bits > BITS_MIN and 4 * _n_rows(row) < len(row):
        raise ModelError(
            f"row has {_n_rows(row)} contexts in {len(row)} places: a quarter must be "
            "taken, or take fewer places"
        )
    return bits
