"""Hidden Markov models that emit counts by Poisson laws."""

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

__all__ = ["PoissonHMM"]

_lgamma = np.frompyfunc(math.lgamma, 1, 1)


class PoissonHMM(IntegerHMM):
    """An HMM whose states emit counts 0 .. high, around a rate each.

    Its emissions are the masses of Poisson laws, with what is beyond `high` added
    there. It codes as any HMM; training with it as `init` keeps the emissions Poisson.

    Parameters
    ----------
    initial : array_like of float, shape (K,)
    transition : array_like of float, shape (K, K)
        As for `HMM`.
    rates : array_like of float, shape (K,)
        The mean count of each state, at least 0.
    high : int
        The greatest count that there is, at most 65535. A state that often emits more
        needs a higher one: greater counts cannot be coded.
    kind : {"integers", "bytes"}
        As for `HMM`.

    Raises
    ------
    ModelError
        As for `HMM`.

    Notes
    -----
    1e-30 of each state's mass is spread evenly, so that no count is impossible.

    Examples
    --------
    >>> calls = PoissonHMM([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [0.5, 20], 100)
    >>> calls.predict([0, 1, 0, 17, 25, 19]).tolist()
    [0, 0, 0, 1, 1, 1]
    """

    __slots__ = ()

    _floor = 1e-30
    _ends = ("high",)

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        rates: ArrayLike,
        high: int,
        *,
        kind: Kind = "integers",
    ) -> None:
        law = as_law(rates=rates)
        check_at_least_0("rates", law["rates"])
        super().__init__(initial, transition, law, 0, high, kind)

    @property
    def rates(self) -> Floats:
        """Of the states, shape (K,)."""
        return self._law["rates"].copy()

    @classmethod
    def random(
        cls,
        n_states: int,
        n_symbols: int,
        *,
        concentration: float = 1.0,
        seed: int | np.random.Generator,
    ) -> PoissonHMM:
        """Draw a model of the counts 0 .. M-1.

        Parameters
        ----------
        n_states, n_symbols, concentration, seed
            As for `HMM.random`, which draws the states' chances. Rates are uniform up
            to half the greatest count.

        Raises
        ------
        ModelError
            If an argument is out of range.
        """
        rng = as_generator(seed)
        drawn = HMM.random(n_states, 1, concentration=concentration, seed=rng)
        top = as_integer(n_symbols, "n_symbols", 1, MAX_SYMBOLS) - 1
        rates = rng.uniform(0, top / 2, n_states)
        return cls(drawn.initial, drawn.transition, rates, top)

    @classmethod
    def fit(
        cls,
        sequences: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        n_states: int,
        *,
        high: int | None = None,
        seed: int | np.random.Generator = 0,
        init: HMM | None = None,
        **options: Any,
    ) -> PoissonHMM:
        """Train by expectation maximisation, from the better of two starts.

        Parameters
        ----------
        sequences, n_states, seed, init
            As for `HMM.fit`, of integers of 0 or more.
        high : int, optional
            By default the greatest integer of the data.
        **options
            As for `HMM.fit`, but `alphabet`, `ends` and `topology`.

        Raises
        ------
        ModelError, SymbolError
            As for `HMM.fit`.
        """
        return cls._fit(sequences, n_states, 0, high, seed, init, options)

    @staticmethod
    def _start_laws(values: NDArray[np.int64], K: int) -> list[Law]:
        """One with a state for each K-th of the sorted data, and one with rates from
        well below the mean to well above it. No two are equal: training would not tell
        them apart."""
        mean = values.mean() + 0.1
        parts = np.array([part.mean() for part in parts_of(values, K)])
        return [
            {"rates": 0.9 * parts + 0.1 * mean * (2 * np.arange(K) + 1) / K},
            {"rates": mean * np.geomspace(1 / 4, 4, K)},
        ]

    @staticmethod
    def _estimated(counts: Floats, values: Floats) -> Law:
        total = np.maximum(counts.sum(axis=1), 1e-290)
        return {"rates": counts @ values / total}

    @staticmethod
    def _masses(law: Law, values: ArrayLike) -> Floats:
        rates = law["rates"][:, None]
        high = len(np.asarray(values)) - 1
        # Of a rate up to `high`, next to nothing is beyond this.
        v = np.arange(high + int(12 * math.sqrt(high)) + 60)
        with np.errstate(divide="ignore", invalid="ignore"):
            powers = np.where(v > 0, v * np.log(rates), 0.0)
        mass = np.exp(powers - rates - np.array(_lgamma(v + 1.0), np.float64))
        masses = mass[:, : high + 1]
        beyond = mass[:, high:].sum(axis=1)
        missing = 1 - mass[:, :high].sum(axis=1)  # less would cancel
        masses[:, high] = np.where(law["rates"] > high, missing, beyond)
        return masses
