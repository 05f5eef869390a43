"""Frozen factorial hidden Markov models: docs/maths.md, "Factorial hidden Markov
models"."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.codecs.compose import Serial
from bbans.distributions.categorical import Categorical
from bbans.frozen.hmm import Belief
from bbans.frozen.levels import (
    JOINT_BITS,
    LevelModel,
    Levels,
    LevelSteps,
    Reversed,
)

__all__ = ["FactorialSteps", "FrozenFactorialHMM"]

GROUP_STATES = 32
SHORT_BITS, SHORT_MAX = 15, 32767
LEAST = 1 << 6


class FrozenFactorialHMM(LevelModel):
    """Several Markov chains side by side in integers, ready to code.

    Each chain takes its steps by itself, and all of them together emit the symbol:
    P(z_t^i | z_t-1^i), P(x_t | z_t^1, .., z_t^n).

    Parameters
    ----------
    initial : sequence of array_like of int
        For each chain the masses of its first state, shape (K_i,).
    transition : sequence of array_like of int
        For each chain the masses of its next state, given the one before (row), shape
        (K_i, K_i).
    emission : array_like of int, shape (K, M)
        Masses of the symbols for each state of all chains, K in all; the last chain's
        number runs fastest.
    prec : int
        Precision r in bits, 1 to 28: masses are at least 1, and rows sum to ``2**r``.
    start_length : int
        Observations at the end of a sequence that start it, 1 to 65535.
    alphabet : Alphabet, optional
        What the symbols 0 .. M-1 stand for; by default these integers.
    mode : {"iconoclasm", "predictive"}
        See `FrozenModel.mode`.

    Raises
    ------
    ModelError
        If an argument breaks a condition above, there are more than 8 chains, or more
        than 4096 combinations of their states.

    Notes
    -----
    Immutable; may be shared between threads. Most models come from
    ``FactorialHMM.freeze()``. A step of the filter takes ``K (K_1 + .. + K_n)``
    products, where a `FrozenHMM` of K states takes ``K**2``.
    """

    TYPE = 10
    NAME = "a factorial hidden Markov model"
    C_NAME = "bbans_factorial"
    PART = "chain"
    ORDER = -1

    # ---- what it is

    @property
    def n_chains(self) -> int:
        """Number of chains n."""
        return len(self._n_states)

    def state_space(self) -> FactorialSteps:
        """Return the model step by step: states are tuples of a number for each chain,
        and observations symbol numbers 0 .. M-1."""
        return FactorialSteps(self)

    # ---- the recursions, over all states together

    def _into(self, level: int, z_next: Levels) -> NDArray[np.uint32]:
        """See `LevelModel`."""
        return self._transition[level][:, z_next[level]]

    @cached_property
    def _groups(self) -> list[NDArray[np.uint64]]:
        groups = groups_of(self._n_states)
        return [self._short(first, end) for first, end in groups]

    def _short(self, first: int, end: int) -> NDArray[np.uint64]:
        """Transition masses of a group of chains at 15 bits."""
        unit, prec = np.uint64(1), np.uint64(self.prec)
        masses = np.full((1, 1), unit << prec)
        for matrix in reversed(self._transition[first:end]):
            step = matrix.astype(np.uint64)
            both = masses[:, None, :, None] * step[:, None] >> prec
            masses = both.reshape(len(masses) * len(step), -1)
        if self.prec <= SHORT_BITS:
            left = masses << np.uint64(SHORT_BITS - self.prec)
            return as_short(left)
        return narrow(masses, self.prec - SHORT_BITS)

    def _next(self, weights: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Predicted weights from filtered ones: group by group, from the last."""
        below, shift = weights.size, JOINT_BITS - SHORT_BITS
        for masses in reversed(self._groups):
            below //= len(masses)
            before = narrow(weights, shift).reshape(-1, len(masses), below)
            # Sums stay below 2**31.
            weights, shift = (masses.T @ before).reshape(-1), SHORT_BITS
        predicted: NDArray[np.uint64] = np.maximum(weights, np.uint64(LEAST))
        return predicted

    def _first_weights(self) -> NDArray[np.uint32]:
        """Those of z_1."""
        weights = np.full(1, 1 << JOINT_BITS, np.uint64)
        for masses in reversed(self._initial):
            products = weights[:, None] * masses.astype(np.uint64)
            weights = products.reshape(-1) >> np.uint64(self.prec)
        return (weights + np.uint64(1)).astype(np.uint32)

    # ---- its tables

    @staticmethod
    def shapes(states: Levels, n_symbols: int) -> list[Levels]:
        """Of the tables, in the order of files."""
        chains: list[Levels] = [shape for K in states for shape in ((K,), (K, K))]
        return [*chains, (math.prod(states), n_symbols)]

    def _states_of(self, emission: NDArray[np.uint32]) -> Levels:
        """See `LevelModel`."""
        return tuple(mass.size for mass in self._initial)


# ---- step by step


class FactorialSteps(LevelSteps):
    """The conditionals of a frozen factorial HMM; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenFactorialHMM

    Notes
    -----
    docs/maths.md, "Factorial hidden Markov models". States are tuples of a number for
    each chain; observations are symbol numbers 0 .. M-1.
    """

    def prior(self, z: Levels | None) -> Serial:
        """P(z_t | z_t-1), or P(z_1): each chain by itself."""
        if z is None:
            return Serial([Categorical(table) for table in self._initial[::-1]])
        tables = zip(self._transition[::-1], z, strict=True)
        return Serial([Categorical(table, int(state)) for table, state in tables])

    def likelihood(self, z: Levels) -> Categorical:
        """P(x_t | z_t)."""
        row = 0
        for state, size in zip(z, self._frozen.n_states, strict=True):
            row = row * size + int(state)
        return Categorical(self._emission, row)

    def posterior(self, belief: Belief, z_next: Levels | None) -> Any:
        """Q(z_t | x_1 .. x_t, z_t+1), or Q(z_T | x_1 .. x_T): each chain given those
        after it."""
        reverse = None if z_next is None else tuple(z_next)[::-1]
        return Reversed(self._given_lower(belief, reverse))


# ---- steps of the filter


def groups_of(states: Levels) -> list[tuple[int, int]]:
    """Where groups of chains that take their steps together begin and end, in the order
    of files."""
    groups, first = [], 0
    for end in range(1, len(states) + 1):
        last = end == len(states)
        if last or math.prod(states[first : end + 1]) > GROUP_STATES:
            groups.append((first, end))
            first = end
    return groups


def narrow(weights: NDArray[np.uint64], shift: int) -> NDArray[np.uint64]:
    """Weights, rounded, at 15 bits."""
    half = np.uint64(1 << (shift - 1))
    return as_short((weights + half) >> np.uint64(shift))


def as_short(weights: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """At most 2**15 - 1."""
    short: NDArray[np.uint64] = np.minimum(weights, np.uint64(SHORT_MAX))
    return short
