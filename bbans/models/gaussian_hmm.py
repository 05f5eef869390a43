"""Hidden Markov models that emit integers with Gaussian noise."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_generator, as_integer
from bbans.frozen.alphabet import MAX_SYMBOLS, Symbols
from bbans.frozen.base import Kind
from bbans.models._integer_hmm import (
    IntegerHMM,
    Law,
    as_law,
    check_at_least_0,
    parts_of,
)
from bbans.models._parameters import Floats
from bbans.models.hmm import HMM

__all__ = ["GaussianHMM"]

_LEAST_DEVIATION = 0.25  # below, a state emits one integer
_erfc = np.frompyfunc(math.erfc, 1, 1)


class GaussianHMM(IntegerHMM):
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

    __slots__ = ()

    _floor = 1e-9  # nothing is impossible

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
        law = as_law(means=means, deviations=deviations)
        check_at_least_0("deviations", law["deviations"])
        law["deviations"] = np.maximum(law["deviations"], _LEAST_DEVIATION)
        super().__init__(initial, transition, law, low, high, kind)

    @property
    def means(self) -> Floats:
        """Of the states, shape (K,)."""
        return self._law["means"].copy()

    @property
    def deviations(self) -> Floats:
        """Of the states, shape (K,)."""
        return self._law["deviations"].copy()

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
        return cls._fit(sequences, n_states, low, high, seed, init, options)

    @staticmethod
    def _start_laws(values: NDArray[np.int64], K: int) -> list[Law]:
        """One with a state for each K-th of the sorted data, and one with all means in
        the middle and deviations from narrow to wide."""
        parts = parts_of(values, K)
        wide = values.std() + 0.5
        return [
            {
                "means": np.array([part.mean() for part in parts]),
                "deviations": np.array([part.std() + 0.5 for part in parts]),
            },
            {
                "means": np.full(K, np.median(values)),
                "deviations": wide * np.geomspace(1 / 8, 2, K),
            },
        ]

    @staticmethod
    def _estimated(counts: Floats, values: Floats) -> Law:
        """Rounding adds 1/12 to the variance: Sheppard's correction."""
        total = np.maximum(counts.sum(axis=1), 1e-290)
        means = counts @ values / total
        spread = counts * (values - means[:, None]) ** 2
        deviations = np.sqrt(np.maximum(spread.sum(axis=1) / total - 1 / 12, 0.0))
        return {
            "means": means,
            "deviations": np.maximum(deviations, _LEAST_DEVIATION),
        }

    @staticmethod
    def _masses(law: Law, values: ArrayLike) -> Floats:
        means, deviations = law["means"], law["deviations"]
        edges = np.asarray(values)[1:] - 0.5
        t = (edges - means[:, None]) / (math.sqrt(2) * deviations[:, None])
        # Below the mean from the left, above it from the right: no mass cancels.
        below = np.array(_erfc(-np.minimum(t, 0)), dtype=np.float64) / 2
        above = np.array(_erfc(np.maximum(t, 0)), dtype=np.float64) / 2
        K = means.size
        zeros, halves = np.zeros((K, 1)), np.ones((K, 1)) / 2
        below = np.concatenate([zeros, below, halves], axis=1)
        above = np.concatenate([halves, above, zeros], axis=1)
        masses: Floats = np.diff(below, axis=1) - np.diff(above, axis=1)
        return masses
