"""Hidden Markov models whose states emit vectors under Gaussians, in floating point.

Nothing here decides a coded bit: `freeze` makes the model that codes.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import (
    as_generator,
    as_instance,
    as_integer,
    as_real,
    as_reals,
)
from bbans._float_file import Arrays
from bbans._threads import as_threads
from bbans.distributions.fixed_gaussian import (
    deviation_of,
    fixed_covariance,
    fixed_offset,
)
from bbans.distributions.table import PREC_DEFAULT, quantise
from bbans.errors import ModelError, SymbolError
from bbans.frozen.base import MODES, Kind
from bbans.frozen.gaussian_hmm import CHANNELS_MAX, STATES_MAX, FrozenGaussianHMM
from bbans.models import _forward, em
from bbans.models._checkpoint import data_fact, opened
from bbans.models._data import NO_DATA
from bbans.models._parameters import (
    MAX_STATES,
    Floats,
    PseudoCounts,
    as_distributions,
    as_pseudo_counts,
    cumulative,
    log2_prior,
    normalised,
)
from bbans.models._start_length import start_length
from bbans.models._states import StateModel, free_parameters
from bbans.models._training import Iteration, as_stop, climb
from bbans.models._vectors import (
    COVARIANCES,
    Covariance,
    Data,
    VectorStatistics,
    clusters,
    features,
    labelled,
    laid,
    log_densities,
    log_masses,
    part_of,
    raised,
    sequences_of,
    shaped,
    statistics_of,
    vectors,
)

__all__ = ["MultivariateGaussianHMM", "VectorStatistics"]

PSEUDO_COUNT = 0.1
_BITS = 1 / math.log(2)
_RACE = 4  # updates that choose a start
_START_BITS = 46.0  # docs/maths.md, "A sequence as one message"


class MultivariateGaussianHMM(StateModel):
    """A hidden Markov model whose K states emit vectors of D numbers.

    Each state has a Gaussian of its own. Data may be floats, for analysis; what
    `freeze` makes codes integers, with rounding a part of the covariances.

    Parameters
    ----------
    initial : array_like of float, shape (K,)
        P(z_1).
    transition : array_like of float, shape (K, K)
        P(z_t+1 = j | z_t = i) in row i, column j.
    means : array_like of float, shape (K, D)
        In the data's unit.
    covariances : array_like of float, shape (K, D, D)
        Symmetric and positive definite.
    covariance_type : {"full", "diag", "spherical", "tied"}
        What they have in common, which training keeps: any; zeros beside the diagonal;
        one variance a state; all states the same.

    Raises
    ------
    ModelError
        If shapes do not agree, a row is no distribution (as for `HMM`), a number is not
        finite, or a covariance is none, or not of this type.

    Examples
    --------
    >>> still = [[1.0, 0.0], [0.0, 1.0]]
    >>> moving = [[90.0, 40.0], [40.0, 90.0]]
    >>> model = MultivariateGaussianHMM(
    ...     [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0, 0], [5, -5]], [still, moving]
    ... )
    >>> x, states = model.sample(500, seed=1)
    >>> frozen = model.freeze()
    >>> data = frozen.encode(x)
    >>> bool((frozen.decode(data, 500) == x).all())
    True
    """

    __slots__ = (
        "_covariances",
        "_factors",
        "_initial",
        "_means",
        "_transition",
        "_type",
    )

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        means: ArrayLike,
        covariances: ArrayLike,
        *,
        covariance_type: Covariance = "full",
    ) -> None:
        self._initial = as_distributions(initial, "initial", 1)
        self._transition = as_distributions(transition, "transition", 2)
        self._means = _finite(means, "means", 2)
        self._covariances = _finite(covariances, "covariances", 3)
        self._type = _one_of(covariance_type)
        self._history: tuple[Iteration, ...] = ()
        K, D = self._means.shape
        for name, array, shape in (
            ("initial", self._initial, (K,)),
            ("transition", self._transition, (K, K)),
            ("covariances", self._covariances, (K, D, D)),
        ):
            if array.shape != shape:
                raise ModelError(
                    f"{name} must have shape {shape} with means of shape {(K, D)}, not "
                    f"{array.shape}"
                )
        if not (1 <= K <= MAX_STATES and D >= 1):
            raise ModelError(f"a model has 1 to {MAX_STATES} states, not {K}")
        self._factors = _factors(self._covariances)
        _check_type(self._covariances, self._type)

    @property
    def n_states(self) -> int:
        """K."""
        return len(self._initial)

    @property
    def n_channels(self) -> int:
        """Numbers of a vector: D."""
        return int(self._means.shape[1])

    @property
    def initial(self) -> Floats:
        """P(z_1), shape (K,), read-only."""
        return self._initial

    @property
    def transition(self) -> Floats:
        """P(z_t+1 | z_t), shape (K, K), one distribution per row, read-only."""
        return self._transition

    @property
    def means(self) -> Floats:
        """Of the states, shape (K, D), read-only."""
        return self._means

    @property
    def covariances(self) -> Floats:
        """Of the states, shape (K, D, D), read-only."""
        return self._covariances

    @property
    def factors(self) -> Floats:
        """Lower triangular L with L L' the covariances, shape (K, D, D), read-only."""
        return self._factors

    @property
    def covariance_type(self) -> Covariance:
        """What the covariances have in common."""
        return self._type

    @property
    def kind(self) -> Kind:
        """What the frozen model encodes: integers."""
        return "integers"

    @property
    def n_parameters(self) -> int:
        """Numbers that training is free to choose, as `aic` and `bic` count them."""
        K, D = self.n_states, self.n_channels
        each: dict[Covariance, int] = {
            "full": K * D * (D + 1) // 2,
            "diag": K * D,
            "spherical": K,
            "tied": D * (D + 1) // 2,
        }
        return free_parameters(*self._chain) + K * D + each[self._type]

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__}: {self.n_states} states, {self.n_channels} "
            f"channels, {self._type} covariances>"
        )

    # ---- what data hold

    @property
    def _chain(self) -> tuple[Floats, Floats]:
        return self._initial, self._transition

    def _observed(self, x: Any) -> Floats:
        """Vectors, of floats or integers, as shape (T, D)."""
        return vectors(x, self.n_channels)

    def _named(self, observed: Floats, t: int) -> str:
        return f"row {observed[t].tolist()}"

    def _log_emissions(
        self, observed: Floats, lengths: NDArray[np.int64]
    ) -> Callable[[int, int], Floats]:
        """What gives ln of the densities of steps, shape (steps, K)."""

        def rows(start: int, stop: int) -> Floats:
            return log_densities(observed[start:stop], self._means, self._factors)

        return rows

    def log_likelihood(self, x: ArrayLike) -> float:
        """Compute ln of the density of x, in nats: `score` of one sequence.

        Above 0 where the density is above 1.
        """
        return self.score(x)

    def information_content(self, x: ArrayLike) -> float:
        """Compute -log2 P(x) of integers, summed over all states, in bits.

        Each channel given those before it has the mass of its Gaussian between v - 1/2
        and v + 1/2, as what `freeze` makes codes it.

        Parameters
        ----------
        x : array_like of int, shape (T, D), or (T,) for D = 1
            Floats without a fraction are integers too.

        Raises
        ------
        SymbolError
            If x has another shape, or is none of integers.
        """
        observed = self._observed(x)
        if not (observed == np.floor(observed)).all():
            t, d = np.argwhere(observed != np.floor(observed))[0].tolist()
            raise SymbolError(
                f"{observed[t, d]} at position {t}, channel {d} is no integer: round "
                "the data, or use log_likelihood, which takes floats"
            )

        def rows(start: int, stop: int) -> Floats:
            return log_masses(observed[start:stop], self._means, self._covariances)

        bits = -self._score(self._laid(observed)._replace(rows=rows)) / math.log(2)
        return max(0.0, bits)  # not -0.0

    def sample(
        self,
        length: int,
        *,
        seed: int | np.random.Generator,
        rounded: bool = True,
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Draw a sequence and its states from the model.

        Parameters
        ----------
        length : int
            T >= 0.
        seed : int or numpy.random.Generator
        rounded : bool
            To the nearest integers, which a frozen model codes; False: floats.

        Returns
        -------
        x : ndarray of int64 or float64, shape (T, D), or (T,) for D = 1
        z : ndarray of int64, shape (T,)
            States.
        """
        length = as_integer(length, "length", 0)
        rng = as_generator(seed)
        z = np.empty(length, np.int64)
        _forward.sample(
            cumulative(self._initial),
            cumulative(self._transition),
            np.ones((self.n_states, 1)),
            rng.random((length, 2)),
            np.empty(length, np.int32),
            z,
        )
        noise = rng.standard_normal((length, self.n_channels))
        x = self._means[z] + np.einsum("tij,tj->ti", self.factors[z], noise)
        found: NDArray[Any] = np.floor(x + 0.5).astype(np.int64) if rounded else x
        return (found[:, 0] if self.n_channels == 1 else found), z

    # ---- training

    def expect(self, sequences: Any, *, threads: int | None = None) -> VectorStatistics:
        """Count what the states did in data, in expectation: the E step of EM.

        Parameters
        ----------
        sequences : array_like of float or int, or a list of such
            As for `fit`.
        threads : int, optional
            At work at the same time, at most; the result does not depend on it.

        Returns
        -------
        statistics : VectorStatistics
            They add up over parts of the data.

        Raises
        ------
        SymbolError
            If a sequence has another shape, or is not finite.
        ModelError
            If an argument is out of range.
        """
        as_threads(threads)
        data = laid(sequences_of(sequences, self.n_channels), self._means.mean(axis=0))
        return statistics_of(data, self, threads)

    def maximise(
        self,
        statistics: VectorStatistics,
        *,
        pseudo_count: PseudoCounts = PSEUDO_COUNT,
        min_covar: float = 1e-3,
    ) -> MultivariateGaussianHMM:
        """Turn expected counts into a new model: the M step of EM.

        Parameters
        ----------
        statistics : VectorStatistics
            Of any data, usually counted by this model.
        pseudo_count, min_covar : float
            As for `fit`.

        Returns
        -------
        model : MultivariateGaussianHMM
            Of this model's covariance type. A state without data is that of this model,
            and initial states and transitions of probability 0 stay so.

        Raises
        ------
        ModelError
            If shapes do not agree, or an argument is out of range.
        """
        as_instance(statistics, VectorStatistics, "statistics", "VectorStatistics")
        if statistics.first.shape != self._means.shape:
            raise ModelError(
                f"statistics of shape {statistics.first.shape} are not of a model with "
                f"{self.n_states} states and {self.n_channels} channels"
            )
        counts = as_pseudo_counts(pseudo_count)
        least = _at_least_0(min_covar, "min_covar")
        weight = statistics.weight
        alive = weight > 1e-9
        safe = np.where(alive, weight, 1.0)[:, None]
        centred = statistics.first / safe  # from statistics.centre
        means = np.where(alive[:, None], centred + statistics.centre, self._means)
        spread = statistics.second / safe[:, :, None]
        spread = spread - centred[:, :, None] * centred[:, None, :]
        covariances = shaped(spread, weight, self._type)
        if self._type != "tied":
            covariances = np.where(alive[:, None, None], covariances, self._covariances)
        elif not alive.any():
            covariances = self._covariances
        return MultivariateGaussianHMM(
            normalised(
                statistics.initial + counts[0] * (self._initial > 0), self._initial
            ),
            normalised(
                statistics.transition + counts[1] * (self._transition > 0),
                self._transition,
            ),
            means,
            raised(covariances, least),
            covariance_type=self._type,
        )

    def _log2_prior(self, pseudo_count: PseudoCounts) -> float:
        """Sum of ``pseudo_count * log2(parameter)``, of the chain alone."""
        counts = (*as_pseudo_counts(pseudo_count)[:2], 0.0)
        return log2_prior((*self._chain, np.ones((1, 1))), counts)

    @classmethod
    def fit(
        cls,
        sequences: Any,
        n_states: int,
        *,
        covariance_type: Covariance = "full",
        n_iter: int = 100,
        tol: float = 1e-5,
        min_covar: float = 1e-3,
        pseudo_count: PseudoCounts = PSEUDO_COUNT,
        seed: int | np.random.Generator = 0,
        init: MultivariateGaussianHMM | None = None,
        threads: int | None = None,
        callback: Callable[[MultivariateGaussianHMM], object] | None = None,
        progress: bool | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
    ) -> MultivariateGaussianHMM:
        """Train by expectation maximisation.

        Parameters
        ----------
        sequences : array_like of float or int, shape (T, D), or a list of such
            One sequence or several; (T,) is one of D = 1.
        n_states : int
            K.
        covariance_type : {"full", "diag", "spherical", "tied"}
            See the class; that of `init` if it is given.
        n_iter : int
            Updates, at most. With 0 the model is the one to start from.
        tol : float
            Stop when an update gains less than this, in bits a vector.
        min_covar : float
            No direction of a covariance has less variance. Rounding to integers has
            1/12.
        pseudo_count : float or tuple of 3 floats
            Added to the counts of initial states and transitions that `init` has; the
            third, of emissions, adds nothing.
        seed : int or numpy.random.Generator
            Of the start.
        init : MultivariateGaussianHMM, optional
            Where to start. By default at the better of two clusterings by k-means: of
            the vectors, and of how much they move about.
        threads : int, optional
            At work at the same time, at most; the model does not depend on it.
        callback : callable, optional
            Called with each model that is better than those before.
        progress : bool, optional
            Show a bar on standard error; by default on terminals, after a second.
        checkpoint, resume
            As for `HMM.fit`.

        Returns
        -------
        model : MultivariateGaussianHMM
            Its `history` has densities: information contents below 0 are those of
            densities above 1.

        Raises
        ------
        SymbolError
            If a sequence has another shape than the first, or is not finite.
        ModelError
            If an argument is out of range, or there is no data.

        References
        ----------
        Rabiner, A tutorial on hidden Markov models (1989), sections III.C and IV.A.
        Arthur and Vassilvitskii, k-means++ (2007).
        """
        n_states = as_integer(n_states, "n_states", 1, MAX_STATES)
        n_iter = as_stop(n_iter, tol)
        counts = as_pseudo_counts(pseudo_count)
        _at_least_0(min_covar, "min_covar")
        as_threads(threads)
        kind = _one_of(covariance_type)
        if init is not None:
            as_instance(init, MultivariateGaussianHMM, "init", "such a model")
            if init.n_states != n_states:
                raise ModelError(
                    f"init has {init.n_states} states, and n_states is {n_states}: "
                    "give that"
                )
        arrays = sequences_of(sequences, None if init is None else init.n_channels)
        if not any(len(x) for x in arrays):
            raise ModelError(NO_DATA)
        data = laid(arrays)
        update = partial(
            MultivariateGaussianHMM.maximise,
            pseudo_count=pseudo_count,
            min_covar=min_covar,
        )
        saved = opened(
            checkpoint, resume, cls.__name__, n_states=n_states, covariance_type=kind,
            n_iter=n_iter, tol=tol, min_covar=min_covar, pseudo_count=counts, seed=seed,
            init=init,
        )  # fmt: skip
        if saved is not None:
            saved.require(data=data_fact(arrays))
        model: MultivariateGaussianHMM
        if saved is not None and saved.found:
            model = saved.model("best", needed=True)
        elif init is None:
            model = _start(data, n_states, kind, update, as_generator(seed), threads)
        else:
            model = init._copy()

        found: VectorStatistics

        def expect(model: MultivariateGaussianHMM, counting: bool) -> em.Expectation:
            nonlocal found
            found = statistics_of(data, model, threads)
            sums = (found.initial, found.transition, found.first)
            return em.Expectation(
                found.information_content, found.n_vectors, found.n_sequences,
                sums if counting else None, None,
            )  # fmt: skip

        def keep(
            model: MultivariateGaussianHMM, history: tuple[Iteration, ...]
        ) -> None:
            model._history = history
            if len(history) > 1 and callback is not None:
                callback(model)

        best, history = climb(
            model,
            expect=expect,
            update=lambda model, _: update(model, found),
            log2_prior=lambda model: model._log2_prior(pseudo_count),
            refuse=lambda fault: SymbolError(str(fault)),  # densities exclude nothing
            n_iter=n_iter,
            tol=tol,
            progress=progress,
            keep=keep,
            checkpoint=saved,
        )
        best._history = history
        return best

    def _copy(self) -> MultivariateGaussianHMM:
        """Return the same model without a history."""
        return MultivariateGaussianHMM(
            *self._chain, self._means, self._covariances, covariance_type=self._type
        )

    # ---- freezing and files

    def freeze(
        self, prec: int = PREC_DEFAULT, *, predictive: bool = False
    ) -> FrozenGaussianHMM:
        """Turn the parameters into integers, with which vectors of integers are coded.

        Parameters
        ----------
        prec : int
            Precision of initial states and transitions in bits, 1 to 28.
        predictive : bool
            Code by the predictive distribution alone, without bits back.

        Returns
        -------
        frozen : FrozenGaussianHMM
            It codes any integers of 64 bits.

        Raises
        ------
        ModelError
            If there are more than 64 states or channels, or a number is out of the
            range of fixed point.
        """
        K, D = self._means.shape
        if K > STATES_MAX or D > CHANNELS_MAX:
            raise ModelError(
                f"a frozen model has at most {STATES_MAX} states and {CHANNELS_MAX} "
                f"channels, not {K} and {D}"
            )
        full = self._type in ("full", "tied") and D > 1
        lower = np.zeros((K, D, 1 + D), np.int32)
        scale = np.zeros((K, D), np.int32)
        location = np.zeros((K, D), np.int64)
        for k, cov in enumerate(self._covariances):
            try:
                lower[k], scale[k], _ = fixed_covariance(cov)
                location[k] = fixed_offset(self._means[k])
            except ModelError as error:
                raise ModelError(
                    f"state {k} is out of the range of fixed point: {error}: divide "
                    "the data by a unit, or leave out values that are so far away"
                ) from None
        return FrozenGaussianHMM(
            quantise(self._initial, prec),
            quantise(self._transition, prec),
            location,
            scale,
            lower if full else None,
            prec=prec,
            start_length=self._start_length(scale),
            mode=MODES[bool(predictive)],
        )

    def _start_length(self, scale: NDArray[np.int32]) -> int:
        """Vectors that hold what the schedule starts from, of the least states."""
        bits = 0.5 * math.log2(2 * math.pi * math.e)
        content = [
            sum(max(math.log2(deviation_of(s)) + bits, 0.02) for s in row)
            for row in scale
        ]
        k = int(np.argmin(content))
        return start_length(content[k], self.n_channels * 0.5 * _BITS**2, _START_BITS)

    def _arrays(self) -> Arrays:
        return {
            "initial": self._initial,
            "transition": self._transition,
            "means": self._means,
            "covariances": self._covariances,
            "covariance_type": np.array(self._type.encode("ascii")),
        }

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> MultivariateGaussianHMM:
        return cls(
            arrays["initial"],
            arrays["transition"],
            arrays["means"],
            arrays["covariances"],
            covariance_type=arrays["covariance_type"].item().decode("ascii"),
        )


# ---- arguments


def _one_of(name: Any) -> Covariance:
    if not (isinstance(name, str) and name in COVARIANCES):
        raise ModelError(
            f"covariance_type must be one of {', '.join(COVARIANCES)}, not {name!r}"
        )
    return name


def _at_least_0(value: Any, name: str) -> float:
    number = as_real(value, name)
    if not 0 <= number < math.inf:
        raise ModelError(f"{name} must be at least 0 and finite, not {value}")
    return number


def _finite(values: ArrayLike, name: str, ndim: int) -> Floats:
    array = as_reals(values, name).copy()
    if array.ndim != ndim or array.size == 0:
        raise ModelError(f"{name} must have {ndim} axes, not shape {array.shape}")
    if not np.isfinite(array).all():
        at = tuple(np.argwhere(~np.isfinite(array))[0].tolist())
        raise ModelError(f"{name} must be finite, and is {array[at]} at {list(at)}")
    array.setflags(write=False)
    return array


def _factors(covariances: Floats) -> Floats:
    """Lower triangular L with L L' the covariances, shape (K, D, D)."""
    factors = np.empty_like(covariances)
    for k, cov in enumerate(covariances):
        size = np.abs(cov).max()
        if not np.abs(cov - cov.T).max() <= 1e-9 * size:
            raise ModelError(f"covariances[{k}] must be symmetric")
        try:
            factors[k] = np.linalg.cholesky((cov + cov.T) / 2)
        except np.linalg.LinAlgError:
            raise ModelError(
                f"covariances[{k}] must be positive definite: its least eigenvalue is "
                f"{np.linalg.eigvalsh(cov)[0]:.3g}; give `fit` a larger min_covar, or "
                "leave out channels that the others determine"
            ) from None
    factors.setflags(write=False)
    return factors


def _check_type(covariances: Floats, kind: Covariance) -> None:
    same = covariances
    if kind == "tied":
        same = np.broadcast_to(covariances[0], covariances.shape)
    elif kind != "full":
        variances = np.diagonal(covariances, axis1=1, axis2=2)
        if kind == "spherical":
            variances = np.broadcast_to(variances[:, :1], variances.shape)
        same = variances[:, :, None] * np.eye(covariances.shape[1])
    for k, (given, wanted) in enumerate(zip(covariances, same, strict=True)):
        if not np.array_equal(given, wanted):
            raise ModelError(f"covariances[{k}] is not of the type {kind!r}")


# ---- where to start


def _start(
    data: Data,
    n_states: int,
    kind: Covariance,
    update: Callable[..., MultivariateGaussianHMM],
    rng: np.random.Generator,
    threads: int | None,
) -> MultivariateGaussianHMM:
    """The best of several clusterings after a few updates, on a part of the data."""
    part = part_of(data)
    K, D = n_states, part.rows.shape[1]
    flat = MultivariateGaussianHMM(
        np.full(K, 1 / K),
        np.full((K, K), 1 / K),
        np.tile(part.centre, (K, 1)),
        np.tile(np.eye(D), (K, 1, 1)),
        covariance_type=kind,
    )
    best, least = None, math.inf
    for feature in features(part):
        labels = clusters(feature, K, rng)
        model = update(flat, labelled(part, labels, K, kind), pseudo_count=1.0)
        for _ in range(_RACE):
            model = update(model, statistics_of(part, model, threads))
        bits = statistics_of(part, model, threads).information_content
        if best is None or bits < least:
            best, least = model, bits
    assert best is not None
    return best
