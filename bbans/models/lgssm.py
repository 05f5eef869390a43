"""Linear Gaussian state space models of integers, in floating point.

This is where models are trained and analysed. Nothing here decides a coded bit.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import (
    as_array,
    as_generator,
    as_instance,
    as_integer,
    as_real,
    as_reals,
    not_integers,
)
from bbans._float_file import Arrays
from bbans.distributions.fixed_gaussian import ROUNDING, cholesky, ldl, solve
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import as_integers
from bbans.frozen.base import MODES, Kind
from bbans.frozen.lgssm import FrozenLGSSM
from bbans.models import _kalman
from bbans.models._checkpoint import data_fact, floats, opened
from bbans.models.base import FloatModel
from bbans.models.freeze_lgssm import frozen_lgssm

__all__ = ["LGSSM", "Gains", "Moments"]

_Floats = NDArray[np.float64]

_CONVERGED = 1e-13
_OFFSET_MAX = 1 << 30  # of an observation, in a frozen model
_NAMES = (
    "transition",
    "observation",
    "transition_cov",
    "observation_cov",
    "initial_mean",
    "initial_cov",
    "transition_offset",
    "observation_offset",
)


class Gains(NamedTuple):
    """What the filter and the smoother need besides the data, for S steps.

    Those of a time-invariant model converge, and the last serve all steps after.
    """

    predicted: _Floats  # (S, n, n) covariance of z_t given x_1 .. x_t-1
    innovation: _Floats  # (S, p, p) of x_t given x_1 .. x_t-1
    gain: _Floats  # (S, n, p) K_t
    filtered: _Floats  # (S, n, n) of z_t given x_1 .. x_t
    back: _Floats  # (S, n, n) J_t, from z_t+1 to z_t
    posterior: _Floats  # (S, n, n) of z_t given x_1 .. x_t and z_t+1


@dataclass(frozen=True, eq=False)
class Moments:
    """Expected moments of data under a model: all that an update needs to know.

    They add up, as `Statistics` of an HMM do.

    Parameters
    ----------
    move : ndarray of float64, shape (2 n + 1, 2 n + 1)
        Sums of the outer products of (z_t-1, 1, z_t).
    emit : ndarray of float64, shape (n + 1 + p, n + 1 + p)
        Of (z_t, 1, x_t).
    first_means : ndarray of float64, shape (N, n)
        Means of z_1, of each sequence.
    first_cov : ndarray of float64, shape (n, n)
        Sum of the covariances of z_1.
    moves, emits : int
        Steps that were summed.
    information_content : float
        In bits, by the density of the innovations, under the model that found them.
    n_symbols : int
        Integers of the data.
    """

    move: _Floats
    emit: _Floats
    first_means: _Floats
    first_cov: _Floats
    moves: int
    emits: int
    information_content: float
    n_symbols: int

    @property
    def n_sequences(self) -> int:
        """N: sequences that are not empty."""
        return len(self.first_means)

    def __add__(self, other: object) -> Moments:
        """Merge with the moments of other data, under the same model."""
        if not isinstance(other, Moments):
            return NotImplemented
        return Moments(
            self.move + other.move,
            self.emit + other.emit,
            np.concatenate([self.first_means, other.first_means]),
            self.first_cov + other.first_cov,
            self.moves + other.moves,
            self.emits + other.emits,
            self.information_content + other.information_content,
            self.n_symbols + other.n_symbols,
        )

    def __radd__(self, other: object) -> Moments:
        """Let `sum` begin with its 0."""
        return self if isinstance(other, int) and other == 0 else NotImplemented


class LGSSM(FloatModel):
    """A linear Gaussian state space model, rounded to integers.

    Parameters
    ----------
    transition : array_like of float, shape (n, n) or (S, n, n)
        A: z_t = A z_t-1 + b + N(0, Q).
    observation : array_like of float, shape (p, n) or (S, p, n)
        C: x_t = round(C z_t + d + N(0, R)).
    transition_cov, observation_cov : array_like of float, shape (n, n), (p, p)
        Q and R, positive definite; or with a leading axis S.
    initial_mean, initial_cov : array_like of float, shape (n,), (n, n)
        Of z_1; by default 0 and the stationary covariance, or the identity if there
        is none.
    transition_offset, observation_offset : array_like of float, shape (n,), (p,)
        b and d, by default 0; or with a leading axis S.

    Raises
    ------
    ModelError
        If shapes do not agree, a number is not finite, or a covariance is not
        symmetric and positive definite.

    Notes
    -----
    With a leading axis S the model varies in time: entry t serves step t (entry 0 of
    A, b and Q no step at all), the last one all steps after it too.
    """

    def __init__(
        self,
        transition: ArrayLike,
        observation: ArrayLike,
        transition_cov: ArrayLike,
        observation_cov: ArrayLike,
        initial_mean: ArrayLike | None = None,
        initial_cov: ArrayLike | None = None,
        transition_offset: ArrayLike | None = None,
        observation_offset: ArrayLike | None = None,
    ) -> None:
        C = _array("observation", observation, 2)
        p, n = C.shape[-2:]
        self._shape: tuple[int, int] = n, p
        zero_z, zero_x = np.zeros(n), np.zeros(p)
        b = zero_z if transition_offset is None else transition_offset
        d = zero_x if observation_offset is None else observation_offset
        varying = {
            "transition": (_array("transition", transition, 2), (n, n)),
            "observation": (C, (p, n)),
            "transition_cov": (_covariances("transition_cov", transition_cov), (n, n)),
            "observation_cov": (
                _covariances("observation_cov", observation_cov),
                (p, p),
            ),
            "transition_offset": (_array("transition_offset", b, 1), (n,)),
            "observation_offset": (_array("observation_offset", d, 1), (p,)),
        }
        self._steps = max(
            (len(a) for a, shape in varying.values() if a.ndim > len(shape)), default=1
        )
        self._all: dict[str, _Floats] = {}
        for name, (array, shape) in varying.items():
            steps = array if array.ndim > len(shape) else array[None]
            if steps.shape[1:] != shape or len(steps) not in (1, self._steps):
                raise ModelError(f"{name} of shape {array.shape} does not fit {(n, p)}")
            array.flags.writeable = False
            self._all[name] = np.broadcast_to(steps, (self._steps, *shape))
            setattr(self, "_" + name, array)
        self._initial_mean = _array(
            "initial_mean", zero_z if initial_mean is None else initial_mean, 1
        )
        if initial_cov is None:
            initial_cov = _stationary(
                self._all["transition"][0], self._all["transition_cov"][0]
            )
        self._initial_cov = _covariances("initial_cov", initial_cov)
        if self._initial_mean.shape != (n,) or self._initial_cov.shape != (n, n):
            raise ModelError(
                f"the initial mean and covariance must have {n} dimensions"
            )
        self._history: tuple[float, ...] = ()
        self._gains: Gains | None = None
        self._reach: float = 0  # steps that these gains serve
        self._white: tuple[_Floats, _Floats] | None = None

    # ---- what it is

    @property
    def n_latents(self) -> int:
        """Latent dimensions n."""
        return self._shape[0]

    @property
    def n_observed(self) -> int:
        """Observed dimensions p."""
        return self._shape[1]

    @property
    def kind(self) -> Kind:
        """What the frozen model encodes."""
        return "integers"

    @property
    def n_steps(self) -> int:
        """Steps S that have parameters of their own; 1 if time-invariant."""
        return self._steps

    def parameters(self) -> dict[str, _Floats]:
        """Return the parameters by the names of the constructor's arguments."""
        return {name: getattr(self, "_" + name) for name in _NAMES}

    def at(self, t: int) -> dict[str, _Floats]:
        """Return the parameters of step t, counted from 0, without those of z_1.

        Raises
        ------
        ModelError
            If there is none.
        """
        t = as_integer(t, "t", 0)
        return {name: all_[min(t, self._steps - 1)] for name, all_ in self._all.items()}

    def __repr__(self) -> str:
        varying = "" if self._steps == 1 else f", {self._steps} steps"
        return f"<LGSSM: {self.n_latents} latent, {self.n_observed} observed{varying}>"

    # ---- inference

    def gains(self, length: int) -> Gains:
        """Compute covariances and gains of up to `length` steps.

        Notes
        -----
        Kalman filter and Rauch-Tung-Striebel smoother in Joseph's form: every
        covariance is a sum of products X Y X' with Y positive definite.
        """
        if self._gains is None or self._reach < length:
            self._gains = self._recurse(length)
        return Gains(*(array[:length] for array in self._gains))

    def _recurse(self, length: int) -> Gains:
        n, p = self._shape
        eye, rounding = np.eye(n), np.eye(p) * ROUNDING
        rows: list[tuple[_Floats, ...]] = []
        predicted = self._initial_cov
        then = self.at(0)
        for t in range(length):
            now, then = then, self.at(t + 1) if t < self._steps else then
            C, R = now["observation"], now["observation_cov"] + rounding
            A, Q = then["transition"], then["transition_cov"]
            innovation = _symmetric(C @ predicted @ C.T + R)
            gain = solve(innovation, C @ predicted).T
            rest = eye - gain @ C
            filtered = _symmetric(rest @ predicted @ rest.T + gain @ R @ gain.T)
            ahead = _symmetric(A @ filtered @ A.T + Q)
            back = solve(ahead, A @ filtered).T
            rest = eye - back @ A
            posterior = _symmetric(rest @ filtered @ rest.T + back @ Q @ back.T)
            rows.append((predicted, innovation, gain, filtered, back, posterior))
            steady = t >= self._steps and _distance(ahead, predicted) <= _CONVERGED
            predicted = ahead
            if steady:
                break
        self._reach = math.inf if steady else length
        columns = zip(*rows, strict=True)
        return Gains(*(np.array(column) for column in columns))

    def filter(self, x: ArrayLike) -> tuple[_Floats, _Floats, Gains]:
        """Run the Kalman filter.

        Parameters
        ----------
        x : array_like of int, shape (T, p), or (T,) for p = 1

        Returns
        -------
        predicted : ndarray of float, shape (T + 1, n)
            Means of z_t given x_1 .. x_t-1, up to t = T + 1.
        filtered : ndarray of float, shape (T, n)
            Means of z_t given x_1 .. x_t.
        gains : Gains
            With their covariances.
        """
        predicted, filtered, _, gains = self._filter(self._observations(x))
        return predicted, filtered, gains

    def _filter(self, values: _Floats) -> tuple[_Floats, _Floats, _Floats, Gains]:
        """Means as `filter` gives them, and what each observation is off by."""
        T, (n, p) = len(values), self._shape
        gains = self.gains(max(T, 1))
        predicted, filtered = np.empty((T + 1, n)), np.empty((T, n))
        errors = np.empty((T, p))
        predicted[0] = self._initial_mean
        _kalman.filter(
            np.ascontiguousarray(values),
            _transposed(self._all["transition"]),
            np.ascontiguousarray(self._all["transition_offset"]),
            _transposed(self._all["observation"]),
            np.ascontiguousarray(self._all["observation_offset"]),
            _transposed(gains.gain),
            predicted,
            filtered,
            errors,
        )
        return predicted, filtered, errors, gains

    def smooth(self, x: ArrayLike) -> tuple[_Floats, _Floats]:
        """Means and covariances of z_t given all of x: shapes (T, n), (T, n, n)."""
        predicted, means, _, gains = self._filter(self._observations(x))
        covs = np.empty((len(means), self.n_latents, self.n_latents))
        if len(means):
            _kalman.smooth(predicted, _transposed(gains.back), means)
            _smoothed_sums(gains, len(means), covs)
        return means, covs

    def log_likelihood(self, x: ArrayLike) -> float:
        """Log of the density of x, in nats, as if it were not rounded; R has 1/12
        more, the variance of rounding."""
        return self._log_density(self._filter(self._observations(x))[2])

    def _log_density(self, errors: _Floats) -> float:
        """Of observations that are off by this, in nats."""
        inverses, logs = self._whitening()
        T, S = len(errors), min(len(logs), len(errors))
        white = np.einsum("tij,tj->ti", inverses[:S], errors[:S])
        total = float((white**2).sum() + ((errors[S:] @ inverses[-1].T) ** 2).sum())
        total = -0.5 * (total + errors.size * math.log(2 * math.pi))
        return total - float(logs[:S].sum() + (T - S) * logs[-1])

    def _whitening(self) -> tuple[_Floats, _Floats]:
        """L^-1 and ln det L of each step of the gains, L L' what x_t varies by."""
        assert self._gains is not None
        cov = self._gains.innovation
        if self._white is None or len(self._white[0]) < len(cov):
            factors = cholesky(cov)
            eye = np.broadcast_to(np.eye(self.n_observed), cov.shape)
            logs = np.log(np.diagonal(factors, axis1=1, axis2=2)).sum(axis=1)
            self._white = solve(factors, eye), logs
        return self._white

    def information_content(self, x: ArrayLike) -> float:
        """-log2 P(x) in bits, of the integers under their predictive distributions:
        Gaussians whose mass in (x - 1/2, x + 1/2) is that of x."""
        values = self._observations(x)
        _, _, errors, gains = self._filter(values)
        bits = 0.0
        for t in range(min(len(gains.gain), len(errors))):
            rows = errors[t:] if t == len(gains.gain) - 1 else errors[t : t + 1]
            lower, var = ldl(gains.innovation[t])
            white = solve(lower, rows.T)  # x_i given those before it
            for u, v in zip(white, var, strict=True):
                bits += _rounded_bits(u, math.sqrt(max(v - ROUNDING, 1e-6)))
        return bits

    def sample(
        self, length: int, *, seed: int | np.random.Generator
    ) -> tuple[NDArray[np.int64], _Floats]:
        """Draw integers, shape (T, p), or (T,) for p = 1, and states, (T, n).

        Raises
        ------
        ModelError
            If an observation has more than 64 bits, as those of unstable models have
            after a while, or an argument is out of range.
        """
        length = as_integer(length, "length", 0)
        rng = as_generator(seed)
        n, p = self._shape
        z = np.empty((length, n))
        x = np.empty((length, p))
        noise_z, noise_x = (
            rng.standard_normal((length, n)),
            rng.standard_normal(x.shape),
        )
        with np.errstate(over="ignore", invalid="ignore"):
            for t in range(length):
                now = self.at(t)
                if t == 0:
                    mean, cov = self._initial_mean, self._initial_cov
                else:
                    mean = now["transition"] @ z[t - 1] + now["transition_offset"]
                    cov = now["transition_cov"]
                z[t] = mean + cholesky(cov) @ noise_z[t]
                x[t] = (
                    now["observation"] @ z[t]
                    + now["observation_offset"]
                    + cholesky(now["observation_cov"]) @ noise_x[t]
                )
        rounded = np.floor(x + 0.5)
        inside = (np.abs(rounded) < 2.0**63).all(axis=1)
        if not inside.all():
            raise ModelError(
                f"observation {int(np.flatnonzero(~inside)[0])} has more than 64 bits: "
                "the model is unstable; draw fewer"
            )
        rounded = rounded.astype(np.int64)
        return (rounded[:, 0] if p == 1 else rounded), z

    def _observations(self, x: ArrayLike) -> _Floats:
        return _integers(x, self.n_observed)

    # ---- training

    @classmethod
    def fit(
        cls,
        sequences: ArrayLike | Sequence[ArrayLike],
        n_latents: int | None = None,
        *,
        n_iter: int = 50,
        tol: float = 1e-5,
        init: LGSSM | None = None,
        fixed: Iterable[str] = (),
        diagonal: Iterable[str] = (),
        min_noise: float = 0.25,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
    ) -> LGSSM:
        """Train a time-invariant model by expectation maximisation.

        Parameters
        ----------
        sequences : ndarray of int, shape (T, p) or (T,), or a list of such arrays
            A list of integers is one sequence, a list of rows a list of sequences.
        n_latents : int
            Latent dimensions n, unless `init` has them.
        n_iter : int
            Updates, at most.
        tol : float
            Stop when an update gains less than this, in bits an integer.
        init : LGSSM, optional
            Where to start; by default what `spectral` finds.
        fixed : iterable of str
            Parameters that stay as they are, by the constructor's names.
        diagonal : iterable of str
            Covariances that are diagonal: "transition_cov", "observation_cov".
        min_noise : float
            Least standard deviation of the observation noise besides rounding. With
            much less, rounding is all the noise, which Gaussians describe badly.
        checkpoint, resume
            As for `HMM.fit`.

        Returns
        -------
        LGSSM
            Its `history` has the bits per integer before each update, by the density
            of the innovations; they do not rise, but for where `min_noise` binds.

        Raises
        ------
        SymbolError
            If a sequence is not of integers, or of another shape.
        ModelError
            If there is too little data, or an argument is out of range.

        References
        ----------
        Shumway and Stoffer, J. Time Series Analysis 3 (1982).
        """
        found = _sequences(sequences)
        n_iter = as_integer(n_iter, "n_iter", 0)
        if not as_real(min_noise, "min_noise") >= 0 or math.isnan(as_real(tol, "tol")):
            raise ModelError(
                f"min_noise must be at least 0, not {min_noise}, and tol a number"
            )
        keep, plain = _names(fixed, diagonal)
        _check_range(found)
        saved = opened(
            checkpoint, resume, cls.__name__, n_latents=n_latents, n_iter=n_iter,
            tol=tol, init=init, fixed=keep, diagonal=plain, min_noise=min_noise,
        )  # fmt: skip
        if saved is not None:
            saved.require(data=data_fact(found))
        if init is not None:
            as_instance(init, LGSSM, "init", "an LGSSM")
        if saved is not None and saved.found:
            init = saved.model("best", needed=True)
        elif init is None:
            if n_latents is None:
                raise ModelError("fit needs the number of latent dimensions, or init")
            init = cls.spectral(found, n_latents, min_noise=min_noise)
        if init.n_steps > 1:
            raise ModelError("EM trains time-invariant models only")
        data = [_integers(x, init.n_observed) for x in found if len(x) > 0]
        count = sum(x.size for x in data)
        if count == 0:
            raise ModelError("no data to train on: every sequence is empty")
        model = previous = init
        history: list[float] = []
        if saved is not None and saved.found:
            history = saved.entry("history", floats)
            model = init if saved.done else saved.model("next", needed=True)
        while saved is None or not saved.done:
            moments = model._moments(data)
            bits = moments.information_content / count
            if history and history[-1] - bits < tol:
                if bits > history[-1]:  # rounding errors, or min_noise: not better
                    model = previous
                break
            history.append(bits)
            if len(history) > n_iter:
                break
            previous, model = model, model._maximised(moments, keep, plain, min_noise)
            if saved is not None:
                models = {"best": previous, "next": model}
                saved.write(models, {"history": history})
        if saved is not None and not saved.done:
            saved.write({"best": model}, {"history": history, "done": True}, last=True)
        model._history = tuple(history)
        return model

    def expect(self, sequences: ArrayLike | Sequence[ArrayLike]) -> Moments:
        """Sum up what the latents did in data, in expectation: the E step of EM.

        Parameters
        ----------
        sequences
            As of `fit`.

        Returns
        -------
        moments : Moments
            They add up over parts of the data.

        Raises
        ------
        SymbolError, ModelError
            As `fit`.
        """
        found = _sequences(sequences)
        _check_range(found)
        data = [_integers(x, self.n_observed) for x in found if len(x) > 0]
        return self._moments(data)

    def maximise(
        self,
        moments: Moments,
        *,
        fixed: Iterable[str] = (),
        diagonal: Iterable[str] = (),
        min_noise: float = 0.25,
    ) -> LGSSM:
        """Fit the parameters to moments by regressions: the M step of EM.

        Parameters
        ----------
        moments : Moments
            Of any data, usually found by this model.
        fixed, diagonal, min_noise
            As for `fit`.

        Raises
        ------
        ModelError
            If an argument is out of range.
        """
        as_instance(moments, Moments, "moments", "Moments")
        if moments.move.shape[0] != 2 * self.n_latents + 1:
            raise ModelError(
                f"moments of shape {moments.move.shape} are not of a model with "
                f"{self.n_latents} latent dimensions"
            )
        keep, plain = _names(fixed, diagonal)
        return self._maximised(moments, keep, plain, _as_noise(min_noise))

    def _moments(self, data: list[_Floats]) -> Moments:
        """Of sequences that are not empty."""
        n, p = self._shape
        # Moments of (z_t-1, 1, z_t), and of (z_t, 1, x_t), summed over t.
        move, emit = np.zeros((2 * n + 1,) * 2), np.zeros((n + 1 + p,) * 2)
        moves = emits = 0
        nats = 0.0
        first_means, first_cov = np.zeros((len(data), n)), np.zeros((n, n))
        lengths = set(map(len, data))
        self.gains(max(lengths, default=1))  # at once
        # Sequences of one length have the same covariances.
        sums = {T: _smoothed_sums(self.gains(T), T) for T in lengths}
        for i, x in enumerate(data):
            predicted, means, errors, gains = self._filter(x)
            nats += self._log_density(errors)
            _kalman.smooth(predicted, _transposed(gains.back), means)
            all_, first, last, lag = sums[len(x)]
            ones = np.ones((len(x), 1))
            row = np.hstack((means[:-1], ones[1:], means[1:]))
            move += row.T @ row
            move[:n, :n] += all_ - last
            move[n + 1 :, n + 1 :] += all_ - first
            move[n + 1 :, :n] += lag
            move[:n, n + 1 :] += lag.T
            row = np.hstack((means, ones, x))
            emit += row.T @ row
            emit[:n, :n] += all_
            moves, emits = moves + len(x) - 1, emits + len(x)
            first_means[i] = means[0]
            first_cov += first
        bits = -nats / math.log(2)
        return Moments(
            move, emit, first_means, first_cov, moves, emits, bits, emits * p
        )

    def _maximised(
        self, moments: Moments, keep: set[str], plain: set[str], min_noise: float
    ) -> LGSSM:
        """One step of EM, from moments under the smoothed states."""
        new = self.parameters()
        if moments.moves > 0:
            self._regress(
                new, moments.move, moments.moves, keep, plain, "transition", 0.0
            )
        self._regress(
            new, moments.emit, moments.emits, keep, plain, "observation", min_noise
        )
        first_means = moments.first_means
        if "initial_mean" not in keep:
            new["initial_mean"] = np.mean(first_means, axis=0)
        if "initial_cov" not in keep and len(first_means) > self.n_latents:
            spread = first_means - new["initial_mean"]
            new["initial_cov"] = _floored(
                (moments.first_cov + spread.T @ spread) / len(first_means), 0.0
            )
        return LGSSM(**new)

    def _regress(
        self,
        new: dict[str, _Floats],
        moments: _Floats,
        count: int,
        keep: set[str],
        plain: set[str],
        name: str,
        least: float,
    ) -> None:
        """Of the moments of (z, 1, y): y = matrix z + offset + N(0, cov)."""
        n = self.n_latents
        offset, cov = f"{name}_offset", f"{name}_cov"
        zz, zy = moments[: n + 1, : n + 1], moments[: n + 1, n + 1 :]
        size = zy.shape[1]
        both = np.column_stack((new[name], new[offset]))  # rows: one output each
        free = np.array([name not in keep] * n + [offset not in keep])
        if free.any():
            target = zy - zz[:, ~free] @ both[:, ~free].T
            inside = zz[np.ix_(free, free)]
            inside = inside + np.eye(len(inside)) * 1e-12 * np.trace(inside)
            both[:, free] = solve(inside, target[free]).T
        new[name], new[offset] = both[:, :n].copy(), both[:, n].copy()
        if cov in keep:
            return
        residual = np.hstack((-both, np.eye(size)))
        found = _symmetric(residual @ moments @ residual.T) / count
        if name == "observation":
            found -= np.eye(size) * ROUNDING
        if cov in plain:
            found = np.diag(np.diag(found))
        new[cov] = _floored(found, least)

    @classmethod
    def spectral(
        cls,
        sequences: ArrayLike | Sequence[ArrayLike],
        n_latents: int,
        *,
        lags: int | None = None,
        min_noise: float = 0.25,
    ) -> LGSSM:
        """Find a first model by canonical correlations of past and future.

        Parameters
        ----------
        sequences : ndarray of int, shape (T, p) or (T,), or a list of such arrays
            As for `fit`.
        n_latents : int
            Latent dimensions n.
        lags : int, optional
            Observations of the past and of the future that are correlated.
        min_noise : float
            As for `fit`.

        Raises
        ------
        SymbolError
            If a sequence is not of integers, or of another shape.
        ModelError
            If there are too few observations, or an argument is out of range.

        References
        ----------
        Katayama, Subspace Methods for System Identification (2005), chapter 8.
        """
        data = [x.astype(np.float64) for x in _sequences(sequences)]
        p = data[0].shape[1]
        n = as_integer(n_latents, "n_latents", 1)
        min_noise = _as_noise(min_noise)
        if lags is None:
            lags = max(2 + 2 * n // p, min(8, 2 * n))
        lags = as_integer(lags, "lags", -(-n // p))
        windows = [
            np.lib.stride_tricks.sliding_window_view(x, 2 * lags, axis=0)
            for x in data
            if len(x) >= 2 * lags
        ]
        stride = max(1, sum(map(len, windows)) // 100_000)
        rows = np.vstack(
            [w[::stride].transpose(0, 2, 1) for w in windows]
            or [np.empty((0, 2 * lags, p))]
        )
        if len(rows) < 4 * lags * p:
            raise ModelError(
                f"{sum(map(len, data))} observations are too few for a spectral start "
                f"with {lags} lags of {p} channels: pass at least "
                f"{4 * lags * p + 2 * lags - 1} in one sequence, fewer lags to "
                "LGSSM.spectral, or a model to start from as init="
            )
        centre = np.vstack(data).mean(axis=0)
        rows = rows - centre
        flat = rows.reshape(len(rows), -1)
        width = lags * p
        past, future = flat[:, :width], flat[:, width:]
        next_past = flat[:, p : width + p]
        whiten_p, whiten_f = _whitening(past), _whitening(future)
        cross = whiten_f @ (future.T @ past / len(rows)) @ whiten_p.T
        _, sizes, right = np.linalg.svd(cross)
        project = np.sqrt(sizes[:n, None]) * right[:n] @ whiten_p
        z, z_next, y = past @ project.T, next_past @ project.T, rows[:, lags]
        A = np.linalg.lstsq(z, z_next, rcond=1e-10)[0].T
        C = np.linalg.lstsq(z, y, rcond=1e-10)[0].T
        radius = float(np.abs(np.linalg.eigvals(A)).max())
        A *= min(1.0, 0.999 / max(radius, 1e-9))
        spread = z.T @ z / len(rows)
        move = z_next - z @ A.T
        noise = y - z @ C.T
        Q = (
            move.T @ move / len(rows)
            + 0.02 * np.diag(np.diag(spread))
            + 1e-9 * np.eye(n)
        )
        R = 0.5 * noise.T @ noise / len(rows)
        return cls(A, C, Q, _floored(R, min_noise), observation_offset=centre)

    @classmethod
    def hierarchy(
        cls,
        transitions: Sequence[ArrayLike],
        couplings: Sequence[ArrayLike],
        transition_covs: Sequence[ArrayLike],
        observation: ArrayLike,
        observation_cov: ArrayLike,
        observation_offset: ArrayLike | None = None,
    ) -> LGSSM:
        """Join levels of latents in time, each led by the one above, to one model.

        Parameters
        ----------
        transitions, transition_covs : sequences of array_like of float
            A_l and Q_l of levels l = 1 (next to the data) .. L, shape (n_l, n_l), or
            numbers: z_t^l = A_l z_t-1^l + U_l z_t^l+1 + N(0, Q_l).
        couplings : sequence of array_like of float
            U_l of levels 1 .. L - 1, shape (n_l, n_l+1), or numbers.
        observation, observation_cov, observation_offset : array_like of float
            C, R and d: x_t = round(C z_t^1 + d + N(0, R)), shapes (p, n_1), (p, p) and
            (p,), or numbers.

        Returns
        -------
        LGSSM
            Of all latents, those of level 1 first. It starts with the stationary
            covariance, if there is one.

        Raises
        ------
        ModelError
            If shapes do not agree, or as from the constructor.

        Examples
        --------
        A slow level leads a fast one.

        >>> model = LGSSM.hierarchy([0.5, 0.99], [1.0], [4.0, 0.5], 10.0, 25.0)
        >>> model
        <LGSSM: 2 latent, 1 observed>
        """
        moves = [_matrix("transitions", A) for A in transitions]
        sizes = [len(A) for A in moves]
        levels, ends = len(moves), np.cumsum([0, *sizes])
        ups = [_matrix("couplings", U) for U in couplings]
        noises = [_matrix("transition_covs", Q) for Q in transition_covs]
        if not (levels == len(noises) == len(ups) + 1):
            raise ModelError(
                f"{levels} transitions need as many transition_covs and one coupling "
                f"less, not {len(noises)} and {len(ups)}"
            )
        n = int(ends[-1])
        own, above, cov = np.zeros((3, n, n))
        for level, (A, Q) in enumerate(zip(moves, noises, strict=True)):
            here = slice(ends[level], ends[level + 1])
            _check_shape("transitions", level, A, (sizes[level], sizes[level]))
            _check_shape("transition_covs", level, Q, A.shape)
            own[here, here], cov[here, here] = A, Q
            if level < levels - 1:
                wanted = sizes[level], sizes[level + 1]
                _check_shape("couplings", level, ups[level], wanted)
                above[here, ends[level + 1] : ends[level + 2]] = ups[level]
        down = solve(np.eye(n) - above, np.eye(n))  # what noise becomes further down
        C = _matrix("observation", observation)
        _check_shape("observation", None, C, (len(C), sizes[0]))
        return cls(
            down @ own,
            np.hstack([C, np.zeros((len(C), n - sizes[0]))]),
            _symmetric(down @ cov @ down.T),
            _matrix("observation_cov", observation_cov),
            observation_offset=None
            if observation_offset is None
            else np.atleast_1d(as_reals(observation_offset, "observation_offset")),
        )

    # ---- to integers, and to files

    def freeze(
        self,
        *,
        noise: str = "gaussian",
        bits: ArrayLike = 1,
        max_steps: int = 4096,
        predictive: bool = False,
    ) -> FrozenLGSSM:
        """Turn the model into integers, with which sequences are coded.

        Parameters
        ----------
        noise : {"gaussian", "logistic", "laplace"}
            The shape of the observation noise, and of the predictive distribution.
            Others than Gaussians, of the same variance, make outliers cheaper; then
            Q is not exact.
        bits : int or array_like of int, shape (n,)
            The standard deviation of z_t given its past and z_t+1 is at least 2^bits
            steps of the grid that prior and posterior share.
        max_steps : int
            The most steps, beside those of a time-varying model, that have gains
            of their own while these converge.
        predictive : bool
            The mode, as for `HMM.freeze`.

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
        and up to 0.02 in mode "predictive".
        """
        return frozen_lgssm(
            self, noise=noise, bits=bits, max_steps=max_steps
        ).with_mode(MODES[bool(predictive)])

    def _arrays(self) -> Arrays:
        return self.parameters()

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> LGSSM:
        return cls(**arrays)


# ---- linear algebra


def _symmetric(a: _Floats) -> _Floats:
    return 0.5 * (a + a.T)


def _distance(a: _Floats, b: _Floats) -> float:
    """Relative to the variances."""
    scale = np.sqrt(np.diag(b))
    return float(np.abs((a - b) / scale / scale[:, None]).max())


def _floored(cov: _Floats, least: float) -> _Floats:
    """The covariance with its eigenvalues at or above least^2, and positive."""
    values, vectors = np.linalg.eigh(_symmetric(cov))
    floor = max(least * least, 1e-12 * float(values[-1]), 1e-30)
    if values[0] >= floor:
        return _symmetric(cov)
    return _symmetric(vectors * np.maximum(values, floor) @ vectors.T)


def _whitening(rows: _Floats) -> _Floats:
    cov = rows.T @ rows / len(rows)
    cov += np.eye(len(cov)) * (1e-6 * np.trace(cov) / len(cov) + 1e-12)
    return np.asarray(np.linalg.inv(cholesky(cov)), np.float64)


def _stationary(A: _Floats, Q: _Floats) -> _Floats:
    """The covariance P = A P A' + Q, by doubling; the identity if there is none."""
    if np.abs(np.linalg.eigvals(A)).max() > 1 - 1e-9:
        return np.eye(len(A))
    P, power = Q, A
    for _ in range(64):
        more = power @ P @ power.T
        P, power = _symmetric(P + more), power @ power
        if np.abs(more).max() <= 1e-17 * np.abs(P).max():
            break
    return P


def _transposed(matrices: _Floats) -> _Floats:
    """Each of them, as `_kalman` reads them."""
    return np.ascontiguousarray(np.swapaxes(matrices, -1, -2))


def _smoothed_sums(
    gains: Gains, length: int, covs: _Floats | None = None
) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """Sums over t of the smoothed covariances of z_t; that of z_1, of z_T; the sum of
    Cov(z_t+1, z_t). All covariances go to `covs`, too."""
    n = gains.filtered.shape[-1]
    total, lag, ends = np.zeros((n, n)), np.zeros((n, n)), np.empty((4, n, n))
    _kalman.smooth_covs(
        gains.filtered, gains.posterior, _transposed(gains.back), length,
        _CONVERGED, total, lag, ends, covs,
    )  # fmt: skip
    return total, ends[0], ends[1], lag


def _rounded_bits(u: _Floats, sigma: float) -> float:
    """Sum of -log2 of the Gaussian masses of (u - 1/2, u + 1/2)."""
    unit = 1.0 / (sigma * math.sqrt(2.0))
    bits = 0.0
    for a in np.abs(u).tolist():
        mass = 0.5 * (math.erfc((a - 0.5) * unit) - math.erfc((a + 0.5) * unit))
        if mass > 0.0:
            bits -= math.log2(mass)
        else:  # beyond 38 deviations: the density's logarithm, of the near edge
            near = (a - 0.5) * unit
            bits += (near * near + math.log(a / sigma)) / math.log(2.0)
    return bits


# ---- arguments


def _array(name: str, values: ArrayLike, ndim: int) -> _Floats:
    array = as_reals(values, name).copy()
    if array.ndim not in (ndim, ndim + 1) or array.size == 0:
        raise ModelError(f"{name} of shape {array.shape} has not {ndim} axes")
    if not np.isfinite(array).all():
        raise ModelError(f"{name} has a number that is not finite")
    return array


def _matrix(name: str, values: ArrayLike) -> _Floats:
    """A matrix, of one element from a number."""
    array = as_reals(values, name)
    return array if array.ndim else array[None, None]


def _check_shape(
    name: str, level: int | None, matrix: _Floats, wanted: tuple[int, ...]
) -> None:
    if matrix.shape != wanted:
        at = "" if level is None else f"[{level}]"
        raise ModelError(f"{name}{at} must have shape {wanted}, not {matrix.shape}")


def _as_noise(min_noise: float) -> float:
    noise = as_real(min_noise, "min_noise")
    if not 0 <= noise < math.inf:
        raise ModelError(f"min_noise must be at least 0, not {min_noise}")
    return noise


def _names(fixed: Iterable[str], diagonal: Iterable[str]) -> tuple[set[str], set[str]]:
    """Parameters that stay, and covariances that are diagonal."""
    if isinstance(fixed, str) or isinstance(diagonal, str):
        raise ModelError("fixed and diagonal are lists of names")
    keep, plain = set(fixed), set(diagonal)
    unknown = (keep - set(_NAMES)) | (plain - {"transition_cov", "observation_cov"})
    if unknown:
        raise ModelError(f"there is no parameter {sorted(unknown)[0]}")
    return keep, plain


def _covariances(name: str, values: ArrayLike) -> _Floats:
    array = _array(name, values, 2)
    if array.shape[-1] != array.shape[-2]:
        raise ModelError(f"{name} of shape {array.shape} is not square")
    for cov in array.reshape(-1, *array.shape[-2:]):
        size = np.abs(cov).max()
        if np.abs(cov - cov.T).max() > 1e-9 * size:
            raise ModelError(f"{name} is not symmetric")
        if np.linalg.eigvalsh(cov)[0] <= 1e-15 * size:
            raise ModelError(f"{name} is not positive definite")
    return np.ascontiguousarray((array + np.swapaxes(array, -1, -2)) / 2)


def _check_range(sequences: list[NDArray[Any]]) -> None:
    """That a frozen model can hold the level of each dimension."""
    data = [x for x in sequences if x.size]
    for i in range(data[0].shape[1] if data else 0):
        least = min(int(x[:, i].min()) for x in data)
        most = max(int(x[:, i].max()) for x in data)
        middle = sum(float(x[:, i].mean()) for x in data) / len(data)
        if abs(middle) >= _OFFSET_MAX or max(-least, most) >= 1 << 53:
            raise ModelError(
                f"observations of dimension {i} are {least} to {most}, about "
                f"{middle:.6g}: models hold a mean below 2**30 and values below 2**53; "
                "subtract a constant first, or take differences"
            )


def _integers(x: ArrayLike, p: int) -> _Floats:
    """Observations, which may be floats without a fraction, as shape (T, p)."""
    array = as_array(x, "observations")
    shape = array.shape
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != p:
        raise SymbolError(f"observations of shape {shape} are not (T, {p})")
    whole = array.dtype.kind == "f" and np.isfinite(array).all()
    if array.size and not (
        array.dtype.kind in "iu" or (whole and (array == np.floor(array)).all())
    ):
        raise not_integers("observations", array)
    return array.astype(np.float64)


def _sequences(sequences: Any) -> list[NDArray[Any]]:
    """Training data as arrays of integers, shape (T, p) each."""
    if hasattr(sequences, "ndim") or isinstance(sequences, str | bytes | bytearray):
        items: list[Any] = [sequences]
    else:
        try:
            items = list(sequences)
        except TypeError:
            raise ModelError(
                "sequences must be integers or a list of arrays of them, not "
                f"{type(sequences).__name__}"
            ) from None
        if items and np.isscalar(items[0]):
            items = [items]  # a list of numbers is one sequence
    found = [_observed(x) for x in items]
    if not found or any(x.shape[1] != found[0].shape[1] for x in found):
        raise ModelError("sequences must be a list of arrays of one width")
    return found


def _observed(x: Any) -> NDArray[Any]:
    wanted = "observations must be integers of shape (T,) or (T, p)"
    try:
        array = as_integers(x)
    except SymbolError as error:
        raise SymbolError(f"{wanted}: {error}") from None
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] == 0:
        raise SymbolError(f"{wanted}, not {array.shape}")
    return array
