"""Hidden Markov models that emit integers with Gaussian noise."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bbans._arguments import as_generator, as_integer, as_reals
from bbans._float_file import Arrays
from bbans.errors import ModelError
from bbans.frozen.alphabet import MAX_SYMBOLS, Alphabet, Symbols, as_integers
from bbans.frozen.base import Kind
from bbans.models._data import alphabet_for, check_axes, in_memory, passes_of
from bbans.models._parameters import (
    MAX_STATES,
    PSEUDO_COUNTS,
    Floats,
    PseudoCounts,
    check_size,
    log2_prior,
)
from bbans.models.em import Statistics
from bbans.models.hmm import HMM

__all__ = ["GaussianHMM"]

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_LEAST_DEVIATION = 0.25  # below, a state emits one integer
_FLOOR = 1e-9  # of a state's mass that is spread evenly: nothing is impossible
_erfc = np.frompyfunc(math.erfc, 1, 1)


class GaussianHMM(HMM):
    """An HMM whose states emit the integers low .. high around a mean each.

    Its emissions are the masses of Gaussians between v - 1/2 and v + 1/2, with what is
    beyond the ends added there. It codes as any HMM; training with it as `init` keeps
    the emissions Gaussian.

    Parameters
    ----------
    initial : array_like of float, shape (K,)
    transition : array_like of float, shape (K, K)
        As for `HMM`.
    means : array_like of float, shape (K,)
    deviations : array_like of float, shape (K,)
        In the integers' unit, at least 0; what is less than 1/4 counts as 1/4.
    low, high : int
        The integers that there are, both included, at most 65536.
    kind : {"integers", "bytes"}
        As for `HMM`.

    Raises
    ------
    ModelError
        As for `HMM`.

    Examples
    --------
    >>> noise = GaussianHMM(
    ...     [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [0, 0], [1, 20], -100, 100
    ... )
    >>> round(noise.information_content([0, 1, -1, 30, -25]), 1)
    24.2
    """

    __slots__ = ("_deviations", "_means")

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        means: ArrayLike,
        deviations: ArrayLike,
        low: int,
        high: int,
        *,
        kind: Kind = "integers",
    ) -> None:
        self._means = as_reals(means, "means").copy()
        self._deviations = as_reals(deviations, "deviations")
        for name, array in (("means", self._means), ("deviations", self._deviations)):
            if array.ndim != 1 or not np.isfinite(array).all():
                raise ModelError(f"{name} must be finite, one a state")
        if self._means.shape != self._deviations.shape or self._means.size == 0:
            raise ModelError("means and deviations must be of the same shape (K,)")
        if (self._deviations < 0).any():
            state = int(np.flatnonzero(self._deviations < 0)[0])
            raise ModelError(
                f"deviations must be at least 0, not {self._deviations[state]} for "
                f"state {state}"
            )
        self._deviations = np.maximum(self._deviations, _LEAST_DEVIATION)
        low = as_integer(low, "low", _LEAST, _MOST)
        high = as_integer(high, "high", low, _MOST)
        check_size(self._means.size, high - low + 1)
        values = np.arange(low, high + 1)
        super().__init__(
            initial,
            transition,
            _masses(self._means, self._deviations, values),
            alphabet=Alphabet(values if low else len(values), kind=kind),
        )

    @property
    def means(self) -> Floats:
        """Of the states, shape (K,)."""
        return self._means.copy()

    @property
    def deviations(self) -> Floats:
        """Of the states, shape (K,)."""
        return self._deviations.copy()

    @property
    def _free_emissions(self) -> int:
        return 2 * self.n_states

    @classmethod
    def random(
        cls,
        n_states: int,
        n_symbols: int,
        *,
        concentration: float = 1.0,
        seed: int | np.random.Generator,
    ) -> GaussianHMM:
        """Draw a model of the integers 0 .. M-1.

        Parameters
        ----------
        n_states, n_symbols, concentration, seed
            As for `HMM.random`, which draws the states' chances. Means are uniform on
            the integers' range, deviations up to a quarter of it.

        Raises
        ------
        ModelError
            If an argument is out of range.
        """
        rng = as_generator(seed)
        drawn = HMM.random(n_states, 1, concentration=concentration, seed=rng)
        top = as_integer(n_symbols, "n_symbols", 1, MAX_SYMBOLS) - 1
        means = rng.uniform(0, top, n_states)
        deviations = rng.uniform(0, top / 4, n_states)
        return cls(drawn.initial, drawn.transition, means, deviations, 0, top)

    @classmethod
    def fit(
        cls,
        sequences: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        n_states: int,
        *,
        low: int | None = None,
        high: int | None = None,
        seed: int | np.random.Generator = 0,
        init: HMM | None = None,
        **options: Any,
    ) -> GaussianHMM:
        """Train by expectation maximisation, from the better of two starts.

        Parameters
        ----------
        sequences, n_states, seed, init
            As for `HMM.fit`, of integers.
        low, high : int, optional
            By default the least and the greatest integer of the data.
        **options
            As for `HMM.fit`, but `alphabet`, `ends` and `topology`.

        Raises
        ------
        ModelError, SymbolError
            As for `HMM.fit`.
        """
        data = in_memory(sequences)
        n_states = as_integer(n_states, "n_states", 1, MAX_STATES)
        if init is None:
            short = options | {"n_iter": 5, "progress": False, "callback": None}
            init = min(
                (
                    HMM.fit(data, n_states, init=start, **short)
                    for start in cls._starts(passes_of(data), n_states, low, high, seed)
                ),
                key=lambda model: model.history[-1].objective,
            )
        elif not isinstance(init, GaussianHMM):
            raise ModelError(f"init is another kind of model: {init!r}")
        model = HMM.fit(data, n_states, init=init, **options)
        assert isinstance(model, GaussianHMM)
        return model

    @classmethod
    def _starts(
        cls,
        passes: Callable[[], Iterable[Symbols]],
        K: int,
        low: int | None,
        high: int | None,
        seed: int | np.random.Generator,
    ) -> list[GaussianHMM]:
        """One with a state for each K-th of the sorted data, and one with all means in
        the middle and deviations from narrow to wide."""
        parts = [np.zeros(0, np.int64)]
        for x in passes():
            check_axes(x)
            parts.append(as_integers(x).reshape(-1))
        values = np.concatenate(parts)
        if values.size == 0:
            raise ModelError("no data to train on: every sequence is empty")
        least = int(values.min()) if low is None else low
        most = int(values.max()) if high is None else high
        least = as_integer(least, "low", _LEAST, _MOST)
        most = as_integer(most, "high", least, _MOST)
        if most - least >= MAX_SYMBOLS:
            raise ModelError(
                f"integers from {least} to {most}: a model has at most {MAX_SYMBOLS}"
            )
        rng = as_generator(seed)
        initial = rng.dirichlet(np.full(K, 10.0))
        transition = rng.dirichlet(np.full(K, 10.0), K) + 4 * np.eye(K)
        transition /= transition.sum(axis=1, keepdims=True)
        values.sort()
        edges = np.linspace(0, values.size, K + 1)
        parts = [
            values[int(a) : max(int(b), int(a) + 1)]
            for a, b in itertools.pairwise(edges)
        ]
        make = partial(
            cls, initial, transition, low=least, high=most,
            kind=alphabet_for(passes(), Alphabet(sorted({least, most}))).kind,
        )  # fmt: skip
        wide = values.std() + 0.5
        apart = np.array([[part.mean(), part.std() + 0.5] for part in parts]).T
        middle = np.full(K, np.median(values))
        return [
            make(means=apart[0], deviations=apart[1]),
            make(means=middle, deviations=wide * np.geomspace(1 / 8, 2, K)),
        ]

    def maximise(
        self,
        statistics: Statistics,
        *,
        pseudo_count: PseudoCounts = PSEUDO_COUNTS,
    ) -> GaussianHMM:
        """As `HMM.maximise`, with Gaussians of the counts' moments.

        Notes
        -----
        The variance of rounded values is 1/12 larger than before rounding
        (Sheppard's correction). Moments come near the maximum, not to it: a state that
        they would make worse stays as it is, so the objective never rises. Of
        `pseudo_count` the one of emissions has no effect.
        """
        free = super().maximise(statistics, pseudo_count=pseudo_count)
        values, counts = self._values, statistics.emission
        total = np.maximum(counts.sum(axis=1), 1e-290)
        means = counts @ values / total
        spread = counts * (values - means[:, None]) ** 2
        deviations = np.sqrt(np.maximum(spread.sum(axis=1) / total - 1 / 12, 0.0))
        deviations = np.maximum(deviations, _LEAST_DEVIATION)
        new = _masses(means, deviations, values)
        gain = (counts * (np.log(new) - np.log(self.emission))).sum(axis=1)
        better = (gain >= 0) & (counts.sum(axis=1) > 1e-9)
        return self._with(
            free.initial,
            free.transition,
            np.where(better, means, self._means),
            np.where(better, deviations, self._deviations),
        )

    @property
    def _values(self) -> Floats:
        return self.alphabet.decode(np.arange(self.n_symbols)).astype(np.float64)

    @property
    def _range(self) -> list[int]:
        low_high: list[int] = self.alphabet.decode([0, self.n_symbols - 1]).tolist()
        return low_high

    def _with(
        self,
        initial: Floats,
        transition: Floats,
        means: Floats,
        deviations: Floats,
    ) -> GaussianHMM:
        low, high = self._range
        return GaussianHMM(
            initial, transition, means, deviations, low, high, kind=self.kind
        )

    def _arrays(self) -> Arrays:
        low, high = self._range
        return {
            "initial": self.initial,
            "transition": self.transition,
            "means": self._means,
            "deviations": self._deviations,
            "low": np.array(low),
            "high": np.array(high),
            "kind": np.array(self.kind.encode("ascii")),
        }

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> GaussianHMM:
        return cls(**arrays | {"kind": arrays["kind"].item().decode("ascii")})

    def _copy(self) -> GaussianHMM:
        return self._with(self.initial, self.transition, self._means, self._deviations)

    def _log2_prior(self, pseudo_counts: tuple[float, ...]) -> float:
        first, step, _ = pseudo_counts
        return log2_prior(self._parameters, (first, step, 0.0))


def _masses(means: Floats, deviations: Floats, values: ArrayLike) -> Floats:
    """Of each Gaussian at each integer, shape (K, M)."""
    edges = np.asarray(values)[1:] - 0.5
    t = (edges - means[:, None]) / (math.sqrt(2) * deviations[:, None])
    # Below the mean from the left, above it from the right: no mass cancels.
    below = np.array(_erfc(-np.minimum(t, 0)), dtype=np.float64) / 2
    above = np.array(_erfc(np.maximum(t, 0)), dtype=np.float64) / 2
    K = means.size
    below = np.concatenate([np.zeros((K, 1)), below, np.ones((K, 1)) / 2], axis=1)
    above = np.concatenate([np.ones((K, 1)) / 2, above, np.zeros((K, 1))], axis=1)
    mass = np.diff(below, axis=1) - np.diff(above, axis=1)
    masses: Floats = (1 - _FLOOR) * mass + _FLOOR / mass.shape[1]
    masses /= masses.sum(axis=1, keepdims=True)
    return masses
