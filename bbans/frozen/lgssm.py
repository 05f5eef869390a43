"""Frozen linear Gaussian state space models: integers only, ready to code.

Floats come in through `FrozenLGSSM.from_model`, and go no further. docs/maths.md,
section 13.
"""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_bytes, as_instance, as_integer, as_reals
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
from bbans.models.lgssm import LGSSM, ROUNDING, check_detectable, ldl

__all__ = ["NOISES", "FrozenLGSSM", "Step", "fixed_conditionals"]

_Floats = NDArray[np.float64]

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
    names = {noise.family: name for name, noise in _FAMILIES.items()}
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


_TOO_MUCH = 1 << 46  # of a location, in 2^-16


class _Noise(NamedTuple):
    """A family: of scale 1 its standard deviation, and mean and variance of
    -log2 of the density."""

    family: int
    deviation: float
    bits: float
    variance: float


_LOG2E = math.log2(math.e)
_FAMILIES = {
    "gaussian": _Noise(
        lib.BBANS_GAUSSIAN,
        1.0,
        0.5 * math.log2(2 * math.pi * math.e),
        0.5 * _LOG2E**2,
    ),
    "logistic": _Noise(
        lib.BBANS_LOGISTIC,
        math.pi / math.sqrt(3.0),
        2 * _LOG2E,
        (4 - math.pi**2 / 3) * _LOG2E**2,
    ),
    "laplace": _Noise(
        lib.BBANS_LAPLACE, math.sqrt(2.0), math.log2(2 * math.e), _LOG2E**2
    ),
}

NOISES = tuple(_FAMILIES)

# The order of the words of a step: name, rows, columns (of matrices) or "".
_LAYOUT = (
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
        tail_length = as_integer(tail_length, "tail_length", 1, lib.BBANS_TAIL_MAX)
        start_bits = as_integer(start_bits, "start_bits", 0, lib.BBANS_TAIL_MAX)
        self._noise = _noise(noise)
        self._noise_name = noise
        self.c = ffi.new("bbans_lgssm *")
        self._keep = (
            pointer(self._offsets, "int64_t[]"),
            pointer(self._words, "int32_t[]"),
        )
        check(
            lib.bbans_lgssm_init(
                self.c, n_states, n_observed, len(self._words), self._noise.family,
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
        return self._noise_name

    @property
    def family(self) -> int:
        """The same as a number: bbans_family of the C library."""
        return self._noise.family

    @property
    def alphabet(self) -> AllIntegers:
        """What it codes: all integers of 64 bits, in rows of p."""
        return AllIntegers(self.n_observed)

    def step(self, t: int) -> Step:
        """Return the integers of step t, counted from 0."""
        i, n, p = min(t, self.n_steps - 1), self.n_states, self.n_observed
        size, row, at = {"n": n, "p": p}, self._words[i], 0
        parts = [self._offsets[i, :n], self._offsets[i, n:]]
        for _, rows, columns in _LAYOUT:
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

    # ---- from floats

    @classmethod
    def from_model(
        cls,
        model: LGSSM,
        *,
        noise: str = "gaussian",
        bits: ArrayLike = 1,
        max_steps: int = 4096,
    ) -> FrozenLGSSM:
        """Freeze a float model.

        Parameters
        ----------
        model : LGSSM
        noise : {"gaussian", "logistic", "laplace"}
            The shape of the observation noise, and of the predictive distribution.
            Others than Gaussians, of the same variance, make outliers cheaper; then
            Q is not exact.
        bits : int or array_like of int, shape (n,)
            The standard deviation of z_t given its past and z_t+1 is at least 2^bits
            steps of the grid that prior and posterior share.
        max_steps : int
            At most so many steps, beside those of a time-varying model, have gains
            of their own while these converge.

        Raises
        ------
        ModelError
            If a number does not fit its fixed-point format.

        Notes
        -----
        The latents get a basis in which both the noise of the transition and the
        posterior given the next state are uncorrelated. Every matrix is rounded
        first, and the covariances are those of the rounded model on its grid.

        With little observation noise beside rounding, P(x | z) is nearly a box, and
        the Gaussian Q would cost up to 20 bits a step. So P has an observation noise
        of variance ``min(0.07 * cbrt(s), 0.25)`` at least, where s is the variance of
        an observation that neither the past nor the other dimensions explain, noise
        aside. Data with less noise cost up to 0.05 bits an integer for that,
        and up to 0.02 with ``predictive=True``.
        """
        as_instance(model, LGSSM, "model", "an LGSSM")
        shape = _noise(noise)
        n, p = model.n_states, model.n_observed
        steps = as_array(bits, "bits", ModelError)
        if steps.dtype.kind not in "iu" or steps.shape not in ((), (n,)):
            raise ModelError(f"bits must be an integer, or {n} of them, not {bits!r}")
        if not ((steps >= 0) & (steps <= 23)).all():
            raise ModelError(f"bits must be 0 to 23, not {bits!r}")
        max_steps = as_integer(max_steps, "max_steps", 1)
        grid = 4.0 ** np.broadcast_to(steps, (n,)) + ROUNDING
        last_step = model.at(model.n_steps)
        check_detectable(last_step["transition"], last_step["observation"])
        rows = _rows(model, shape, grid, max_steps)
        last = rows[-1]
        gaussian = _FAMILIES["gaussian"]
        start = 40 + math.ceil(
            sum(
                max(math.log2(_deviation(s, gaussian)) + gaussian.bits, 0.0)
                for s in (*last["final_scale"], *last["back_scale"])
            )
        )
        offsets = [np.concatenate((r["move_offset"], r["emit_offset"])) for r in rows]
        words = [
            np.concatenate([r[name].ravel() for name, *_ in _LAYOUT]) for r in rows
        ]
        return cls(
            n,
            p,
            np.array(offsets),
            np.array(words),
            noise=noise,
            start_bits=min(start, lib.BBANS_TAIL_MAX),
            tail_length=_tail_length(last["predict_scale"], shape, start + 6.0),
        )

    # ---- bytes and files: docs/format.md, "Model file"

    def _payload(self) -> bytes:
        header = HEADER.pack(
            MODEL, VERSION, LGSSM_TYPE, MODES.index(self.mode), 0, self._noise.family,
            0, 0, 0,
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


# ---- freezing


def _noise(name: str) -> _Noise:
    if not isinstance(name, str) or name not in _FAMILIES:
        raise ModelError(f"noise must be one of {', '.join(_FAMILIES)}, not {name!r}")
    return _FAMILIES[name]


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


def _fixed(matrix: _Floats) -> tuple[NDArray[np.int32], _Floats]:
    """Rows of 31 bits, each led by its shift, and the matrix that they are."""
    rows, columns = matrix.shape
    fixed = np.zeros((rows, 1 + columns), np.int32)
    exact = np.zeros_like(matrix)
    for i, row in enumerate(matrix):
        size = float(np.abs(row).max(initial=0.0))
        if not size < 2.0**46:
            raise ModelError("a matrix of the frozen model has numbers of 2^46 or more")
        shift = 31 if size == 0.0 else min(30 - math.frexp(size)[1] - 24, 31)
        fixed[i, 0] = shift
        fixed[i, 1:] = np.rint(np.ldexp(row, shift + 24))
        exact[i] = np.ldexp(fixed[i, 1:].astype(np.float64), -shift - 24)
    return fixed, exact


def _offset(values: _Floats) -> NDArray[np.int64]:
    points = np.rint(values * 65536.0)
    if not (np.abs(points) < _TOO_MUCH).all():
        raise ModelError("an offset of the frozen model is 2^30 grid steps or more")
    fixed: NDArray[np.int64] = points.astype(np.int64)
    return fixed


def _scales(variances: _Floats, noise: _Noise) -> NDArray[np.int32]:
    """Scales of values whose variances, rounding included, are these."""
    inner = np.maximum(variances - ROUNDING, 2.0**-12) / noise.deviation**2
    scales = np.rint(128.0 * np.log2(inner))
    if not (scales <= lib.BBANS_SCALE_MAX).all():
        raise ModelError("a scale of the frozen model is 2^47 or more")
    scales = np.maximum(scales, lib.BBANS_SCALE_MIN)
    fixed: NDArray[np.int32] = scales.astype(np.int32)
    return fixed


def _deviation(scale: Any, noise: _Noise) -> float:
    """Of the rounded value."""
    inner = noise.deviation * 2.0 ** (float(scale) / 256.0)
    return math.sqrt(inner**2 + ROUNDING)


def _variances(scales: NDArray[np.int32], noise: _Noise) -> _Floats:
    return np.array([_deviation(scale, noise) ** 2 for scale in scales])


def _triangle(
    cov: _Floats, noise: _Noise
) -> tuple[NDArray[np.int32], NDArray[np.int32], _Floats]:
    """Conditionals of a covariance: rows of L, scales, and L D L' as rounded."""
    lower, var = ldl((cov + cov.T) / 2)
    fixed, exact = _fixed(np.tril(lower, -1))
    scales = _scales(var, noise)
    exact += np.eye(len(cov))
    return fixed, scales, exact * _variances(scales, noise) @ exact.T


def fixed_conditionals(
    mean: ArrayLike, cov: ArrayLike
) -> tuple[list[int], list[int], NDArray[np.int32]]:
    """Locations, scales and lower rows of Gaussians rounded to integers."""
    centre, spread = as_reals(mean, "mean"), as_reals(cov, "cov")
    n = centre.size
    if centre.shape != (n,) or spread.shape != (n, n) or not n:
        raise ModelError(
            f"{centre.shape} and {spread.shape} are no mean and covariance"
        )
    if not (np.isfinite(centre).all() and np.isfinite(spread).all()):
        raise ModelError("means and covariances must be finite")
    if np.linalg.eigvalsh(spread)[0] <= 0:
        raise ModelError("a covariance must be positive definite")
    lower, scales, _ = _triangle(spread, _FAMILIES["gaussian"])
    return _offset(centre).tolist(), scales.tolist(), lower


def _basis(posterior: _Floats, noise: _Floats, grid: _Floats) -> _Floats:
    """The basis in which both covariances are diagonal and at least `grid`."""
    root = np.linalg.cholesky(posterior)
    half = np.linalg.solve(root, noise)
    white = np.linalg.solve(root, half.T)
    sizes, turn = np.linalg.eigh((white + white.T) / 2)
    if sizes[0] < 1e-12 * max(1.0, sizes[-1]):
        raise ModelError(
            "next to what is known of the states, the transition noise is 10^12 times "
            "smaller in one direction than in another: give transition_cov more "
            "variance there, or observation_cov more"
        )
    basis: _Floats = root @ turn * np.sqrt(np.minimum(sizes, 1.0) / grid)
    return basis


def _near(a: _Floats, b: _Floats) -> bool:
    scale = np.sqrt(np.diag(b))
    return bool(np.abs((a - b) / scale / scale[:, None]).max() < 1e-4)


def _rows(
    model: LGSSM, noise: _Noise, grid: _Floats, max_steps: int
) -> list[dict[str, NDArray[Any]]]:
    """The integers of every step.

    Gains have converged at step `steady`; from there on the basis is the last one,
    and row steady + 1, from that basis to itself, serves all steps after.
    """
    own, n, p = model.n_steps, model.n_states, model.n_observed
    gains = model.gains(own + 20_000)
    P, V = gains.filtered, gains.posterior
    steady = len(P) - 1
    while steady > max(own - 1, 1) and (
        _near(P[steady - 1], P[-1]) and _near(V[steady - 1], V[-1])
    ):
        steady -= 1
    steady = max(1, own - 1, min(steady, own - 1 + max_steps))
    bases = [
        _basis(
            V[min(t, len(V) - 1)],
            model.at(t)["transition_cov"]
            if t > 0
            else model.parameters()["initial_cov"],
            grid,
        )
        for t in range(steady)
    ]
    final = _basis(V[-1], model.at(own)["transition_cov"], grid)
    bases += [final, final]
    gaussian = _FAMILIES["gaussian"]
    rows: list[dict[str, NDArray[Any]]] = []
    exact = []
    for t, basis in enumerate(bases):
        at = model.at(t)
        inverse = np.linalg.inv(basis)
        cov, offset = at["transition_cov"], at["transition_offset"]
        A = np.zeros((n, n))
        if t == 0:
            cov = model.parameters()["initial_cov"]
            offset = model.parameters()["initial_mean"]
        else:
            A = inverse @ at["transition"] @ bases[t - 1]
        row: dict[str, NDArray[Any]] = {}
        row["move_offset"] = _offset(inverse @ offset)
        row["emit_offset"] = _offset(at["observation_offset"])
        row["move"], A = _fixed(A)
        row["emit"], C = _fixed(at["observation"] @ basis)
        row["move_scale"] = _scales(np.diag(inverse @ cov @ inverse.T), gaussian)
        Q = np.diag(_variances(row["move_scale"], gaussian))
        i = min(t, len(P) - 1)
        own_noise = at["observation_cov"] + np.eye(p) * ROUNDING
        extra = _extra_noise(own_noise, gains.innovation[i])
        row["emit_lower"], row["emit_scale"], R = _triangle(own_noise + extra, noise)
        rows.append(row)
        exact.append(_Exact(A, C, Q, R, extra))
    _add_gains(rows, exact, noise)
    return rows


class _Exact(NamedTuple):
    """A step's model as its integers have it, and the noise that it has beyond the
    float model's."""

    transition: _Floats
    observation: _Floats
    transition_cov: _Floats
    observation_cov: _Floats
    extra: _Floats


def _extra_noise(noise: _Floats, innovation: _Floats) -> _Floats:
    """What P(x | z) needs besides its noise, rounding included, for a Gaussian Q to
    come near its posterior: docs/maths.md, section 13."""
    # Variance that the past and the other dimensions leave to C z.
    left = 1.0 / np.diag(np.linalg.inv(innovation))
    left -= 1.0 / np.diag(np.linalg.inv(noise))
    least = np.minimum(0.07 * np.cbrt(np.maximum(left, 0.0)), 0.25) + ROUNDING
    units = np.sqrt(np.outer(least, least))
    sizes, axes = np.linalg.eigh(noise / units)
    extra: _Floats = axes * np.maximum(1.0 - sizes, 0.0) @ axes.T * units
    return extra


def _add_gains(
    rows: list[dict[str, NDArray[Any]]],
    exact: list[_Exact],
    noise: _Noise,
) -> None:
    """Run the covariances of the rounded model, the last step until it is steady."""
    gaussian, last = _FAMILIES["gaussian"], len(rows) - 1
    eye = np.eye(len(exact[0].transition))
    P = exact[0].transition_cov
    rows[0]["back"] = np.zeros_like(rows[0]["move"])
    rows[0]["back_scale"] = np.zeros_like(rows[0]["move_scale"])
    for t in range(last + 20_000):
        row, (_, C, _, R, extra) = rows[min(t, last)], exact[min(t, last)]
        after, (A, _, Q, _, _) = rows[min(t + 1, last)], exact[min(t + 1, last)]
        innovation = C @ P @ C.T + R
        K = np.linalg.solve(innovation, C @ P).T
        rest = eye - K @ C
        filtered = rest @ P @ rest.T + K @ R @ K.T
        ahead = A @ filtered @ A.T + Q
        ahead = (ahead + ahead.T) / 2
        done = t > last and bool(np.abs(ahead - P).max() <= 1e-12 * np.abs(P).max())
        if t <= last or done or t == last + 19_999:
            J = np.linalg.solve(ahead, A @ filtered).T
            rest = eye - J @ A
            V = rest @ filtered @ rest.T + J @ Q @ J.T
            row["gain"] = _fixed(K)[0]
            row["predict_lower"], row["predict_scale"], _ = _triangle(
                innovation - extra, noise
            )
            row["final_lower"], row["final_scale"], _ = _triangle(filtered, gaussian)
            after["back"] = _fixed(J)[0]
            after["back_scale"] = _scales(np.diag(V), gaussian)
        P = ahead
        if done:
            break


def _tail_length(scales: NDArray[np.int32], noise: _Noise, start: float) -> int:
    """The least c for which c observations hold `start` bits but for three standard
    deviations: c H - 3 sqrt(c V) >= start."""
    mean = sum(
        max(math.log2(_deviation(s, noise) / noise.deviation) + noise.bits, 0.02)
        for s in scales
    )
    spread = 3.0 * math.sqrt(len(scales) * noise.variance)
    root = (spread + math.sqrt(spread**2 + 4 * mean * start)) / (2 * mean)
    return max(1, min(math.ceil(root**2), int(lib.BBANS_TAIL_MAX)))
