"""What the estimators share: scikit-learn's methods over a float model."""

from __future__ import annotations

import math
import sys
import warnings
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_instance, as_integer, as_real, as_reals
from bbans.errors import ModelError
from bbans.models._parameters import MAX_STATES, Floats, as_distributions
from bbans.sklearn._data import as_lengths, as_series, split

try:
    from sklearn.base import BaseEstimator, DensityMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "bbans.sklearn needs scikit-learn 1.7 or later: pip install 'bbans[sklearn]'"
    ) from error

__all__ = ["ConvergenceMonitor", "Estimator", "Series", "one_of"]

_ALGORITHMS = ("viterbi", "map")
_IMPLEMENTATIONS = ("log", "scaling")


@dataclass(frozen=True)
class ConvergenceMonitor:
    """The course of training.

    Attributes
    ----------
    history : tuple of float
        ln P(X) before each update, in nats.
    converged : bool
        Whether the last two differ by less than `tol`.
    """

    history: tuple[float, ...]
    converged: bool

    @property
    def iter(self) -> int:
        """Updates."""
        return len(self.history)


class Estimator(DensityMixin, BaseEstimator):  # type: ignore[misc]
    """An HMM as scikit-learn knows estimators; subclasses say what states emit."""

    # The letters of `params` and `init_params`: the attribute that each stands for.
    _letters: ClassVar[dict[str, str]]

    def __init__(
        self,
        n_components: int,
        startprob_prior: ArrayLike,
        transmat_prior: ArrayLike,
        algorithm: str,
        random_state: Any,
        n_iter: int,
        tol: float,
        verbose: bool,
        params: str,
        init_params: str,
        implementation: str,
    ) -> None:
        self.n_components = n_components
        self.startprob_prior = startprob_prior
        self.transmat_prior = transmat_prior
        self.algorithm = algorithm
        self.random_state = random_state
        self.n_iter = n_iter
        self.tol = tol
        self.verbose = verbose
        self.params = params
        self.init_params = init_params
        self.implementation = implementation

    # ---- what subclasses say

    def _observed(self, X: NDArray[Any]) -> NDArray[Any]:
        """Features as the model reads them, checked."""
        raise NotImplementedError

    def _start(self, sequences: list[NDArray[Any]], seed: np.random.Generator) -> Any:
        """A model to train, of these sequences."""
        raise NotImplementedError

    def _model(self, values: dict[str, Any], observed: NDArray[Any] | None) -> Any:
        """The model of these attributes, that has room for these observations."""
        raise NotImplementedError

    def _values(self, model: Any) -> dict[str, Floats]:
        """A model as attributes."""
        raise NotImplementedError

    def _updated(self, model: Any, statistics: Any) -> dict[str, Floats]:
        """The attributes after an M step."""
        raise NotImplementedError

    def _drawn(
        self, model: Any, n_samples: int, seed: np.random.Generator
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """A sample, and its states."""
        drawn: tuple[NDArray[Any], NDArray[np.int64]]
        drawn = model.sample(n_samples, seed=seed)
        return drawn

    def _keep(self, model: Any, observed: NDArray[Any]) -> None:
        """Set the attributes to what training found."""
        for name, value in self._values(model).items():
            setattr(self, name, np.array(value))

    # ---- parameters

    @property
    def model_(self) -> Any:
        """The float model of bbans that the attributes make."""
        return self._check()

    def freeze(self, prec: int = 24, *, predictive: bool = False) -> Any:
        """Turn the parameters into integer tables, with which data are compressed.

        Parameters
        ----------
        prec, predictive
            As for `bbans.HMM.freeze`.

        Returns
        -------
        FrozenModel

        Raises
        ------
        ModelError
            If an argument is out of range, or attributes are no model.
        """
        return self._check().freeze(prec=prec, predictive=predictive)

    def _check(self, observed: NDArray[Any] | None = None) -> Any:
        """The model of the attributes."""
        names = list(self._letters.values())
        check_is_fitted(self, names)
        return self._model({name: getattr(self, name) for name in names}, observed)

    def _chain(self, values: dict[str, Any]) -> tuple[Floats, Floats]:
        """The chances of states, checked under the names that users gave them."""
        K = as_integer(self.n_components, "n_components", 1, MAX_STATES)
        initial = as_distributions(values["startprob_"], "startprob_", 1)
        transition = as_distributions(values["transmat_"], "transmat_", 2)
        if initial.shape != (K,) or transition.shape != (K, K):
            raise ModelError(
                f"startprob_ and transmat_ must have shapes {(K,)} and {(K, K)} for "
                f"n_components={K}, not {initial.shape} and {transition.shape}"
            )
        return initial, transition

    def _settings(self) -> tuple[int, float]:
        """The settings of training, checked: scikit-learn has that done here."""
        as_integer(self.n_components, "n_components", 1, MAX_STATES)
        for name in ("params", "init_params"):
            letters = as_instance(getattr(self, name), str, name, "a str")
            unknown = sorted({*letters} - {*self._letters})
            if unknown:
                known = ", ".join(f"{k!r}: {v}" for k, v in self._letters.items())
                raise ModelError(
                    f"{name} has {unknown[0]!r}, and the letters are {known}"
                )
        one_of(self.algorithm, "algorithm", _ALGORITHMS)
        one_of(self.implementation, "implementation", _IMPLEMENTATIONS)
        tol = as_real(self.tol, "tol")
        if math.isnan(tol):
            raise ModelError("tol must be a number, not nan")
        return as_integer(self.n_iter, "n_iter", 0), tol

    def _read(self, X: Any, *, reset: bool = False) -> NDArray[Any]:
        """X, checked as scikit-learn does, and as the model reads it."""
        return self._observed(validate_data(self, X, reset=reset, dtype="numeric"))

    def _generator(self, random_state: Any) -> np.random.Generator:
        if isinstance(random_state, np.random.Generator):
            return random_state
        seed = check_random_state(random_state).randint(2**31 - 1)
        return np.random.default_rng(int(seed))

    # ---- training

    def fit(self, X: ArrayLike, lengths: ArrayLike | None = None) -> Any:
        """Train by expectation maximisation.

        Parameters
        ----------
        X : array_like, shape (n_samples, n_features)
            Sequences, end to end.
        lengths : array_like of int, shape (n_sequences,), optional
            Of the sequences; by default there is one. An array that is no lengths, but
            has an entry for each row, is scikit-learn's ``y``, and unused.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X, lengths or a parameter is not as it should be.

        Notes
        -----
        What `init_params` names, or no attribute is set for, starts as `bbans.HMM.fit`
        does. Then the parameters that `params` names are updated, `n_iter` times at
        most, until an update gains less than `tol`, in nats.
        """
        observed = self._read(X, reset=True)
        sequences = split(observed, as_lengths(lengths, len(observed)))
        n_iter, tol = self._settings()
        values = {
            name: getattr(self, name)
            for name in self._letters.values()
            if hasattr(self, name)
        }
        for letter, name in self._letters.items():
            if letter in self.init_params and name in values:
                if not hasattr(self, "monitor_"):  # set by hand, that is
                    warnings.warn(
                        f"{name} is set, and training starts from others: leave "
                        f"{letter!r} out of init_params to keep it",
                        stacklevel=2,
                    )
                del values[name]
        if len(values) < len(self._letters):
            start = self._start(sequences, self._generator(self.random_state))
            values = self._values(start) | values
        model = self._model(values, observed)
        history: list[float] = []
        converged = False
        while len(history) < n_iter and not converged:
            statistics = model.expect(sequences)
            history.append(-statistics.information_content * math.log(2))
            gain = history[-1] - history[-2] if len(history) > 1 else math.inf
            converged = gain < tol
            if self.verbose:
                print(f"{len(history):6d} {history[-1]:18.6f} {gain:+16.6f}",
                      file=sys.stderr)  # fmt: skip
            old, new = self._values(model), self._updated(model, statistics)
            values = {
                name: (new if letter in self.params else old)[name]
                for letter, name in self._letters.items()
            }
            model = self._model(values, observed)
        self._keep(model, observed)
        self.monitor_ = ConvergenceMonitor(tuple(history), converged)
        return self

    def fit_predict(self, X: ArrayLike, lengths: ArrayLike | None = None) -> Any:
        """Train, and return the states of X: `fit`, and then `predict`."""
        return self.fit(X, lengths).predict(X, lengths)

    def _counted(self, statistics: Any, model: Any) -> Any:
        """Counts of initial states and transitions with the mode of the priors added,
        which leave zeros of the model as they are."""
        return replace(
            statistics,
            initial=_added(
                statistics.initial, self._prior("startprob_prior"), model.initial
            ),
            transition=_added(
                statistics.transition, self._prior("transmat_prior"), model.transition
            ),
        )

    def _prior(self, name: str) -> Floats:
        """A parameter of numbers, checked."""
        return as_reals(getattr(self, name), name)

    # ---- analysis

    def _given(
        self, X: Any, lengths: Any
    ) -> tuple[Any, NDArray[Any], NDArray[np.int64] | None]:
        """The model, and the data that it is asked about."""
        check_is_fitted(self, list(self._letters.values()))
        observed = self._read(X)
        return self._check(observed), observed, as_lengths(lengths, len(observed))

    def score(self, X: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """Compute ln P(X), in nats, summed over the sequences.

        Parameters
        ----------
        X, lengths
            As for `fit`.

        Raises
        ------
        ValueError
            If X or lengths is not as it should be, or there is no model yet.
        """
        model, observed, lengths = self._given(X, lengths)
        return float(model.score(observed, lengths))

    def score_samples(
        self, X: ArrayLike, lengths: ArrayLike | None = None
    ) -> tuple[float, Floats]:
        """Compute ln P(X) and the states' posterior probabilities.

        Returns
        -------
        log_prob : float
            As `score`.
        posteriors : ndarray of float64, shape (n_samples, n_components)
            As `predict_proba`.
        """
        return self.score(X, lengths), self.predict_proba(X, lengths)

    def predict_proba(self, X: ArrayLike, lengths: ArrayLike | None = None) -> Floats:
        """Compute P(state of each row | its whole sequence).

        Parameters
        ----------
        X, lengths
            As for `fit`.

        Returns
        -------
        posteriors : ndarray of float64, shape (n_samples, n_components)
        """
        model, observed, lengths = self._given(X, lengths)
        posteriors: Floats = model.posterior(observed, lengths)
        return posteriors

    def decode(
        self,
        X: ArrayLike,
        lengths: ArrayLike | None = None,
        algorithm: str | None = None,
    ) -> tuple[float, NDArray[np.int64]]:
        """Find the states of X.

        Parameters
        ----------
        X, lengths
            As for `fit`.
        algorithm : {"viterbi", "map"}, optional
            "viterbi" finds the likeliest sequence of states, "map" the likeliest state
            of each row. By default the estimator's.

        Returns
        -------
        value : float
            What the states maximise: for "viterbi" ln P(X, states), summed over the
            sequences; for "map" the expected number of states that are right.
        states : ndarray of int64, shape (n_samples,)
        """
        algorithm = self.algorithm if algorithm is None else algorithm
        one_of(algorithm, "algorithm", _ALGORITHMS)
        if algorithm == "map":
            posteriors = self.predict_proba(X, lengths)
            return float(posteriors.max(axis=1).sum()), posteriors.argmax(axis=1)
        model, observed, lengths = self._given(X, lengths)
        paths = [model.viterbi(part) for part in split(observed, lengths)]
        bits = math.fsum(bits for bits, _ in paths)
        return -bits * math.log(2), np.concatenate([states for _, states in paths])

    def predict(
        self, X: ArrayLike, lengths: ArrayLike | None = None
    ) -> NDArray[np.int64]:
        """Find the states of X, by the estimator's `algorithm`.

        Parameters
        ----------
        X, lengths
            As for `fit`.

        Returns
        -------
        states : ndarray of int64, shape (n_samples,)
        """
        return self.decode(X, lengths)[1]

    def sample(
        self,
        n_samples: int = 1,
        random_state: Any = None,
        currstate: int | None = None,
    ) -> tuple[NDArray[Any], NDArray[np.int64]]:
        """Draw a sequence and its states from the model.

        Parameters
        ----------
        n_samples : int
        random_state : int, RandomState or Generator, optional
            By default the estimator's.
        currstate : int, optional
            The first state; by default it is drawn.

        Returns
        -------
        X : ndarray, shape (n_samples, n_features)
        states : ndarray of int64, shape (n_samples,)
        """
        self._check()
        values = {name: getattr(self, name) for name in self._letters.values()}
        if currstate is not None:
            K = self.n_components
            values["startprob_"] = np.eye(K)[
                as_integer(currstate, "currstate", 0, K - 1)
            ]
        seed = self.random_state if random_state is None else random_state
        model = self._model(values, None)
        x, states = self._drawn(model, n_samples, self._generator(seed))
        return x.reshape(len(x), -1), states

    def get_stationary_distribution(self) -> Floats:
        """Compute the states' chances in the long run, shape (n_components,)."""
        stationary: Floats = self._check().stationary
        return stationary

    def aic(self, X: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """Compute Akaike's information criterion of X, in nats: less is better."""
        model, observed, lengths = self._given(X, lengths)
        return float(model.aic(observed, lengths))

    def bic(self, X: ArrayLike, lengths: ArrayLike | None = None) -> float:
        """Compute the Bayesian information criterion of X, in nats: less is better."""
        model, observed, lengths = self._given(X, lengths)
        return float(model.bic(observed, lengths))


class Series(Estimator):
    """An estimator of one feature, of integers from 0."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.positive_only = True
        tags.input_tags.categorical = True  # integers, that is
        return tags

    def _read(self, X: Any, *, reset: bool = False) -> NDArray[Any]:
        return super()._read(
            np.reshape(X, (-1, 1)) if np.ndim(X) == 1 else X, reset=reset
        )

    def _observed(self, X: NDArray[Any]) -> NDArray[np.int64]:
        return as_series(X, type(self).__name__)


def one_of(value: Any, name: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ModelError(
            f"{name} must be {' or '.join(map(repr, known))}, not {value!r}"
        )


def _added(counts: Floats, prior: Floats, present: Floats) -> Floats:
    added = np.maximum(counts + (prior - 1), 0.0)
    return np.where(present > 0, added, 0.0)
