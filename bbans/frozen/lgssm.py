"""Frozen linear Gaussian state space models: integers only, ready to code.

docs/maths.md, "Linear Gaussian state space models".
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_integer
from bbans._lib import check, ffi, lib, pointer
from bbans.distributions.family import Family
from bbans.distributions.multivariate import (
    RANGE_PREC,
    SCHEDULE_PREC,
    Multivariate,
    Values,
    affine_rows,
    point_of,
)
from bbans.errors import (
    CorruptError,
    FormatError,
    ModelError,
    SymbolError,
    VersionError,
)
from bbans.frozen.base import (
    MODES,
    Mode,
    Start,
    VectorModel,
    check_end,
    header_bytes,
    read_header,
)
from bbans.message.codec import Codec

__all__ = [
    "NOISES",
    "FrozenLGSSM",
    "LGSSMSteps",
    "Observed",
    "Step",
    "noise_family",
]

NUMBERS = 5  # of the header: n, p, c, start bits, S
HEADER_BYTES = header_bytes(NUMBERS)
DIMENSIONS_MAX = 64


class Head(NamedTuple):
    """The header of a model file, after magic and version."""

    start: Start
    noise: str
    n_latents: int
    n_observed: int
    start_length: int
    start_bits: int
    n_steps: int

    def offsets(self) -> tuple[int, int]:
        """Where the offsets end, which begin after the header, and the words."""
        width = int(lib.bbans_lgssm_step_words(self.n_latents, self.n_observed))
        end = HEADER_BYTES + 8 * self.n_steps * (self.n_latents + self.n_observed)
        return end, end + 4 * self.n_steps * width


def read_head(data: bytes) -> Head:
    """Read the header of the model file that these bytes begin.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If they begin none of a linear Gaussian model.
    """
    start, numbers = read_header(data, NUMBERS)
    names = {number: name for name, number in NOISES.items()}
    if start.model_type != FrozenLGSSM.TYPE:
        raise FormatError("model file is not that of a linear Gaussian model")
    if start.detail not in names:
        raise VersionError("model file has codes that this release does not know")
    n, p, tail, bits, steps = numbers
    if lib.bbans_lgssm_step_words(n, p) == 0 or steps == 0:
        raise CorruptError("model file is inconsistent: no dimensions or no steps")
    if start.kind != 0 or start.listed:
        raise CorruptError("model file is inconsistent: it has an alphabet")
    return Head(start, names[start.detail], n, p, tail, bits, steps)


TIGHT = Family.gaussian(leak=False)
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
    """The integers of one step: docs/maths.md, "Linear Gaussian state space models". Of
    a matrix with rows of 1 + columns, the first of a row is its shift."""

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


class FrozenLGSSM(VectorModel):
    """A linear Gaussian state space model in integers, ready to code.

    Parameters
    ----------
    n_latents, n_observed : int
        Latent dimensions n and observed dimensions p, 1 to 64.
    offsets : array_like of int64, shape (S, n + p)
        Of latents and observations, in 2^-16.
    words : array_like of int32, shape (S, W)
        Matrices and scales of each step, in the order of docs/format.md, "Model file".
    noise : {"gaussian", "logistic", "laplace"}
        The shape of the observation noise.
    start_length : int
        Observations at the end of a sequence that start it, 1 to 65535.
    start_bits : int
        The schedule starts from 2^start_bits or more.
    mode : {"iconoclasm", "predictive"}
        See `FrozenModel.mode`.

    Raises
    ------
    ModelError
        If a shape or a number is outside its limits.

    Notes
    -----
    Immutable; may be shared between threads. Most come from ``LGSSM.freeze()``.
    """

    TYPE = 3
    NAME = "a linear Gaussian state space model"

    def __init__(
        self,
        n_latents: int,
        n_observed: int,
        offsets: ArrayLike,
        words: ArrayLike,
        *,
        noise: str = "gaussian",
        start_length: int,
        start_bits: int,
        mode: Mode = "iconoclasm",
    ) -> None:
        n_latents = as_integer(n_latents, "n_latents", 1, DIMENSIONS_MAX)
        n_observed = as_integer(n_observed, "n_observed", 1, DIMENSIONS_MAX)
        width = int(lib.bbans_lgssm_step_words(n_latents, n_observed))
        self._offsets = _exact(offsets, np.int64, (n_latents + n_observed,), "offset")
        self._words = _exact(words, np.int32, (width,), "word")
        if len(self._offsets) != len(self._words) or len(self._words) == 0:
            raise ModelError("there must be as many rows of offsets as of words")
        start_length = as_integer(start_length, "start_length", 1, lib.BBANS_START_MAX)
        start_bits = as_integer(start_bits, "start_bits", 0, lib.BBANS_START_MAX)
        self._family = noise_family(noise)
        self._noise = noise
        c = ffi.new("bbans_lgssm *")
        self._keep = (
            pointer(self._offsets, "int64_t[]"),
            pointer(self._words, "int32_t[]"),
        )
        status = lib.bbans_lgssm_init(
            c, n_latents, n_observed, len(self._words), self._family,
            start_length, start_bits, *self._keep,
        )  # fmt: skip
        if status == lib.BBANS_ERR_TABLE:
            raise ModelError(
                "offsets must be below 2**46 either side of 0, shifts of rows -40 to "
                f"60, and scales {lib.BBANS_SCALE_MIN} to {lib.BBANS_SCALE_MAX}",
                status,
            )
        check(status)
        super().__init__(c, mode)

    # ---- what it is

    @property
    def n_latents(self) -> int:
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
    def width(self) -> int:
        """Integers of an observation: p."""
        return self.n_observed

    def state_space(self) -> LGSSMSteps:
        """Return the model step by step; observations are ints, or tuples of p."""
        return LGSSMSteps(self)

    def step(self, t: int) -> Step:
        """Return the integers of step t, counted from 0.

        Raises
        ------
        ModelError
            If there is none.
        """
        t = as_integer(t, "t", 0)
        i, n, p = min(t, self.n_steps - 1), self.n_latents, self.n_observed
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
            f"<FrozenLGSSM {self.fingerprint.hex()}: {self.n_latents} latent, "
            f"{self.n_observed} observed, {self.n_steps} steps>"
        )

    # ---- bytes and files: docs/format.md, "Model file"

    def _payload(self) -> bytes:
        header = self._header(
            self._family, False, self.n_latents, self.n_observed, self.start_length,
            self.start_bits, self.n_steps,
        )  # fmt: skip
        return (
            header
            + self._offsets.astype("<i8").tobytes()
            + self._words.astype("<i4").tobytes()
        )

    @classmethod
    def _read(cls, data: bytes) -> FrozenLGSSM:
        head = read_head(data)
        split, size = head.offsets()
        check_end(data, size)
        return cls(
            head.n_latents,
            head.n_observed,
            np.frombuffer(data[HEADER_BYTES:split], "<i8").reshape(head.n_steps, -1),
            np.frombuffer(data[split:size], "<i4").reshape(head.n_steps, -1),
            noise=head.noise,
            start_length=head.start_length,
            start_bits=head.start_bits,
            mode=MODES[head.start.mode],
        )


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


# ---- step by step


class State(NamedTuple):
    """A latent state on the grid of its step, counted from 0."""

    step: int
    grid: Values


class Belief(NamedTuple):
    """The mean of z_t after x_t, in 2^-16 of the grid of step t."""

    step: int
    filtered: list[int]


class _States(NamedTuple):
    """A codec of states of one step."""

    step: int
    codec: Multivariate

    def push(self, message: Any, value: State) -> None:
        try:
            self.codec.push(message, value.grid)
        except SymbolError as error:
            raise CorruptError("no sender can have popped this state") from error

    def pop(self, message: Any) -> State:
        return State(self.step, self.codec.pop(message))


class Observed(NamedTuple):
    """A codec of observations: an int if there is one, else a tuple."""

    codec: Codec[Any]
    single: bool

    def push(self, message: Any, value: Any) -> None:
        self.codec.push(message, np.atleast_1d(value).tolist())

    def pop(self, message: Any) -> int | Values:
        values: Values = self.codec.pop(message)
        return values[0] if self.single else values


class LGSSMSteps:
    """The conditionals of a frozen LGSSM; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenLGSSM

    Notes
    -----
    docs/maths.md, "Linear Gaussian state space models". Observations are ints, or
    tuples of p of them.
    """

    def __init__(self, frozen: FrozenLGSSM) -> None:
        self._frozen = frozen
        self.start_length = frozen.start_length
        self.start_bits = frozen.start_bits
        self._noise: Family = getattr(Family, frozen.noise)()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._frozen!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._frozen,)

    def _observed(self, *arguments: Any, prec: int = SCHEDULE_PREC) -> Observed:
        codec = Multivariate(*arguments, family=self._noise, prec=prec)
        return Observed(codec, self._frozen.n_observed == 1)

    def _predicted(self, belief: Belief | None) -> tuple[int, list[int]]:
        if belief is None:
            return 0, self._frozen.step(0).move_offset.tolist()
        step = self._frozen.step(belief.step + 1)
        mean = affine_rows(step.move_offset, step.move, belief.filtered)
        return belief.step + 1, mean

    def prior(self, z: State | None) -> _States:
        """P(z_t | z_t-1), or P(z_1)."""
        t = 0 if z is None else z.step + 1
        step = self._frozen.step(t)
        grid = (0,) * self._frozen.n_latents if z is None else z.grid
        mean = affine_rows(step.move_offset, step.move, [point_of(v) for v in grid])
        return _States(t, Multivariate(mean, step.move_scale.tolist()))

    def likelihood(self, z: State) -> Observed:
        """P(x_t | z_t)."""
        step = self._frozen.step(z.step)
        mean = affine_rows(step.emit_offset, step.emit, [point_of(v) for v in z.grid])
        return self._observed(mean, step.emit_scale.tolist(), step.emit_lower)

    def update(self, belief: Belief | None, x: Any) -> Belief:
        """One step of the filter."""
        t, mean = self._predicted(belief)
        step = self._frozen.step(t)
        expected = affine_rows(step.emit_offset, step.emit, mean)
        values = self._frozen._observations([x]).ravel().tolist()
        error = [point_of(v) - e for v, e in zip(values, expected, strict=True)]
        return Belief(t, affine_rows(mean, step.gain, error))

    def posterior(self, belief: Belief, z_next: State | None) -> _States:
        """Q(z_t | x_1 .. x_t, z_t+1), or Q(z_T | x_1 .. x_T)."""
        mean: Any = belief.filtered
        if z_next is None:
            step = self._frozen.step(belief.step)
            scale, lower = step.final_scale, step.final_lower
            codec = Multivariate(mean, scale.tolist(), lower, family=TIGHT)
            return _States(belief.step, codec)
        t, predicted = self._predicted(belief)
        step = self._frozen.step(t)
        error = [point_of(v) - p for v, p in zip(z_next.grid, predicted, strict=True)]
        mean = affine_rows(mean, step.back, error)
        scales = step.back_scale.tolist()
        return _States(belief.step, Multivariate(mean, scales, family=TIGHT))

    def predictive(self, belief: Belief | None) -> Observed:
        """P(x_t+1 | x_1 .. x_t)."""
        t, mean = self._predicted(belief)
        step = self._frozen.step(t)
        expected = affine_rows(step.emit_offset, step.emit, mean)
        scale, lower = step.predict_scale.tolist(), step.predict_lower
        return self._observed(expected, scale, lower, prec=RANGE_PREC)
