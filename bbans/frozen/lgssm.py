"""Frozen linear Gaussian state space models: integers only, ready to code.

docs/maths.md, "Linear Gaussian state space models".
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_bytes, as_integer
from bbans._kinds import MODEL
from bbans._lib import check, ffi, lib, pointer
from bbans.errors import (
    CorruptError,
    FormatError,
    ModelError,
    SymbolError,
    VersionError,
)
from bbans.frozen.alphabet import AllIntegers, as_integers
from bbans.frozen.base import (
    LGSSM_TYPE,
    MODES,
    VERSION,
    FrozenModel,
    Start,
    check_end,
    read_start,
)

__all__ = ["NOISES", "FrozenLGSSM", "Step", "noise_family"]

HEADER = struct.Struct("<4s8BIIIII")
DIMENSIONS_MAX = 64


class Head(NamedTuple):
    """The header of a model file, after magic and version."""

    start: Start
    noise: str
    n_states: int
    n_observed: int
    tail_length: int
    start_bits: int
    n_steps: int

    def offsets(self) -> tuple[int, int]:
        """Where the offsets end, which begin after the header, and the words."""
        width = int(lib.bbans_lgssm_step_words(self.n_states, self.n_observed))
        end = HEADER.size + 8 * self.n_steps * (self.n_states + self.n_observed)
        return end, end + 4 * self.n_steps * width


def read_head(data: bytes) -> Head:
    """Read the header of the model file that these bytes begin.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If they begin none of a linear Gaussian model.
    """
    start = read_start(data, HEADER.size)
    names = {number: name for name, number in NOISES.items()}
    if start.model_type != LGSSM_TYPE:
        raise FormatError("model file is not that of a linear Gaussian model")
    if start.detail not in names:
        raise VersionError("model file has codes that this release does not know")
    n, p, tail, bits, steps = HEADER.unpack_from(data)[-5:]
    if lib.bbans_lgssm_step_words(n, p) == 0 or steps == 0:
        raise CorruptError("model file is inconsistent: no dimensions or no steps")
    if start.kind != 0 or start.listed:
        raise CorruptError("model file is inconsistent: it has an alphabet")
    return Head(start, names[start.detail], n, p, tail, bits, steps)


NOISES = {
    "gaussian": int(lib.BBANS_GAUSSIAN),
    "logistic": int(lib.BBANS_LOGISTIC),
    "laplace": int(lib.BBANS_LAPLACE),
}
"""The families of observation noise, by name."""

# The order of the words of a step: name, rows, columns (of matrices) or "".
LAYOUT = (
    ("move", "n", "n"),
    ("back", "n", "n"),
    ("emit", "p", "n"),
    ("gain", "n", "p"),
    ("emit_lower", "p", "p"),
    ("predict_lower", "p", "p"),
    ("final_lower", "n", "n"),
    ("move_scale", "n", ""),
    ("back_scale", "n", ""),
    ("emit_scale", "p", ""),
    ("predict_scale", "p", ""),
    ("final_scale", "n", ""),
)


class Step(NamedTuple):
    """The integers of one step, docs/maths.md section 13. Of a matrix with rows of
    1 + columns, the first of a row is its shift."""

    move_offset: NDArray[np.int64]
    emit_offset: NDArray[np.int64]
    move: NDArray[np.int32]
    back: NDArray[np.int32]
    emit: NDArray[np.int32]
    gain: NDArray[np.int32]
    emit_lower: NDArray[np.int32]
    predict_lower: NDArray[np.int32]
    final_lower: NDArray[np.int32]
    move_scale: NDArray[np.int32]
    back_scale: NDArray[np.int32]
    emit_scale: NDArray[np.int32]
    predict_scale: NDArray[np.int32]
    final_scale: NDArray[np.int32]


class FrozenLGSSM(FrozenModel):
    """A linear Gaussian state space model in integers, ready to code.

    Parameters
    ----------
    n_states, n_observed : int
        Latent dimensions n and observed dimensions p, 1 to 64.
    offsets : array_like of int64, shape (S, n + p)
        Of latents and observations, in 2^-16.
    words : array_like of int32, shape (S, W)
        Matrices and scales of each step, in the order of docs/format.md, section 2.
    noise : {"gaussian", "logistic", "laplace"}
        The shape of the observation noise.
    tail_length : int
        Observations at the end of a sequence that start it, 1 to 65535.
    start_bits : int
        The schedule starts from 2^start_bits or more.

    Raises
    ------
    ModelError
        If a shape or a number is outside its limits.

    Notes
    -----
    Immutable; may be shared between threads. Most come from ``LGSSM.freeze()``.
    """

    def __init__(
        self,
        n_states: int,
        n_observed: int,
        offsets: ArrayLike,
        words: ArrayLike,
        *,
        noise: str = "gaussian",
        tail_length: int,
        start_bits: int,
    ) -> None:
        n_states = as_integer(n_states, "n_states", 1, DIMENSIONS_MAX)
        n_observed = as_integer(n_observed, "n_observed", 1, DIMENSIONS_MAX)
        width = int(lib.bbans_lgssm_step_words(n_states, n_observed))
        self._offsets = _exact(offsets, np.int64, (n_states + n_observed,), "offset")
        self._words = _exact(words, np.int32, (width,), "word")
        if len(self._offsets) != len(self._words) or len(self._words) == 0:
            raise ModelError("there must be as many rows of offsets as of words")
        tail_length = as_integer(tail_length, "tail_length", 1, lib.BBANS_START_MAX)
        start_bits = as_integer(start_bits, "start_bits", 0, lib.BBANS_START_MAX)
        self._family = noise_family(noise)
        self._noise = noise
        self.c = ffi.new("bbans_lgssm *")
        self._keep = (
            pointer(self._offsets, "int64_t[]"),
            pointer(self._words, "int32_t[]"),
        )
        check(
            lib.bbans_lgssm_init(
                self.c, n_states, n_observed, len(self._words), self._family,
                tail_length, start_bits, *self._keep,
            )
        )  # fmt: skip

    # ---- what it is

    @property
    def n_states(self) -> int:
        """Latent dimensions n."""
        return int(self.c.latents)

    @property
    def n_observed(self) -> int:
        """Observed dimensions p."""
        return int(self.c.observed)

    @property
    def n_steps(self) -> int:
        """Steps S that have numbers of their own; the last serve all steps after."""
        return int(self.c.steps)

    @property
    def noise(self) -> str:
        """The shape of the observation noise."""
        return self._noise

    @property
    def family(self) -> int:
        """The same as a number: bbans_family of the C library."""
        return self._family

    @property
    def alphabet(self) -> AllIntegers:
        """What it codes: all integers of 64 bits, in rows of p."""
        return AllIntegers(self.n_observed)

    def step(self, t: int) -> Step:
        """Return the integers of step t, counted from 0."""
        i, n, p = min(t, self.n_steps - 1), self.n_states, self.n_observed
        size, row, at = {"n": n, "p": p}, self._words[i], 0
        parts = [self._offsets[i, :n], self._offsets[i, n:]]
        for _, rows, columns in LAYOUT:
            if columns:
                count = size[rows] * (1 + size[columns])
                parts.append(row[at : at + count].reshape(size[rows], -1))
            else:
                count = size[rows]
                parts.append(row[at : at + count])
            at += count
        return Step(*parts)

    def __repr__(self) -> str:
        return (
            f"<FrozenLGSSM {self.fingerprint.hex()}: {self.n_states} latent, "
            f"{self.n_observed} observed, {self.n_steps} steps>"
        )

    def observations(self, x: Any) -> NDArray[np.int64]:
        """Observations as an int64 array of shape (T, p).

        Raises
        ------
        SymbolError
            If the shape is another, or they are no integers of 64 bits.
        """
        array = as_integers(x)
        if array.ndim == 1 and (self.n_observed == 1 or array.size == 0):
            array = array.reshape(-1, self.n_observed)
        if array.ndim != 2 or array.shape[1] != self.n_observed:
            raise SymbolError(
                f"observations have shape {array.shape}, not (T, {self.n_observed})"
            )
        return self.alphabet.encode(array).reshape(array.shape)

    def empty(self, length: int) -> NDArray[np.int64]:
        """An array to decode to; `length` may come from outside."""
        length = as_integer(length, "length", 0)
        shape = (length,) if self.n_observed == 1 else (length, self.n_observed)
        try:
            return np.empty(shape, np.int64)
        except (ValueError, OverflowError, MemoryError):
            raise ModelError(
                f"there is no memory for a sequence of length {length}"
            ) from None

    # ---- bytes and files: docs/format.md, "Model file"

    def _payload(self) -> bytes:
        header = HEADER.pack(
            MODEL, VERSION, LGSSM_TYPE, MODES.index(self.mode), 0, self._family, 0, 0, 0,
            self.n_states, self.n_observed, self.tail_length, self.start_bits,
            self.n_steps,
        )  # fmt: skip
        return (
            header
            + self._offsets.astype("<i8").tobytes()
            + self._words.astype("<i4").tobytes()
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> FrozenLGSSM:
        """Read a model file's bytes, and check them.

        Raises
        ------
        TruncatedError, CorruptError, VersionError, FormatError
            If these are not the bytes of a model file of this type.
        """
        data = as_bytes(data, "data")
        head = read_head(data)
        n, p, steps = head.n_states, head.n_observed, head.n_steps
        split, size = head.offsets()
        check_end(data, size)
        try:
            return cls(
                n,
                p,
                np.frombuffer(data[HEADER.size : split], "<i8").reshape(steps, -1),
                np.frombuffer(data[split:size], "<i4").reshape(steps, -1),
                noise=head.noise,
                tail_length=head.tail_length,
                start_bits=head.start_bits,
            ).with_mode(MODES[head.start.mode])
        except ModelError as error:
            raise CorruptError(f"model file is inconsistent: {error}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FrozenLGSSM:
        """Read a model file; see `from_bytes`."""
        return cls.from_bytes(Path(path).read_bytes())


def noise_family(name: str) -> int:
    """The number of a family of noise, bbans_family of the C library.

    Raises
    ------
    ModelError
        If there is no such family.
    """
    if not isinstance(name, str) or name not in NOISES:
        raise ModelError(f"noise must be one of {', '.join(NOISES)}, not {name!r}")
    return NOISES[name]


def _exact(values: ArrayLike, dtype: Any, tail: tuple[int], what: str) -> NDArray[Any]:
    array = as_array(values, f"{what}s", ModelError)
    if array.dtype.kind not in "iu" or array.ndim != 2 or array.shape[1:] != tail:
        raise ModelError(f"{what}s must be integers of shape (S, {tail[0]})")
    limits = np.iinfo(dtype)
    if array.size and (array.min() < limits.min or array.max() > limits.max):
        raise ModelError(f"a {what} is out of range")
    exact = array.astype(dtype, order="C")
    exact.flags.writeable = False
    return exact
