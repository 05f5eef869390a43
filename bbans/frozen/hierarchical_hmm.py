"""Frozen hierarchical hidden Markov models: docs/maths.md, "Hierarchical hidden Markov
models"."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans.codecs.base import STEPS_MAX
from bbans.codecs.finite_graph import FiniteGraph
from bbans.distributions.categorical import Categorical
from bbans.errors import ModelError
from bbans.frozen.levels import (
    JOINT_BITS,
    LEVELS_MAX,
    LevelModel,
    Levels,
    LevelSteps,
    Reversed,
)

__all__ = ["LEVELS_MAX", "FrozenHierarchicalHMM", "HierarchySteps"]


class FrozenHierarchicalHMM(LevelModel):
    """A hidden Markov model of several levels in integers, ready to code.

    Level 1 is next to the data. The next state of a level depends on the one before it
    and on the next one of the level above:
    P(z_t^l | z_t-1^l, z_t^l+1), P(z_t^L | z_t-1^L), P(x_t | z_t^1).

    Parameters
    ----------
    initial : sequence of array_like of int
        For each level, the lowest first, masses of its first state: shape (K', K), with
        a row for each state of the level above; (K,) for the last level.
    transition : sequence of array_like of int
        For each level masses of its next state: shape (K', K, K), by the state of the
        level above and the state before; (K, K) for the last level.
    emission : array_like of int, shape (K, M)
        Masses of the symbols for each state of the lowest level.
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
        If an argument breaks a condition above, there are more than 8 levels, or more
        than 4096 combinations of their states.

    Notes
    -----
    Immutable; may be shared between threads. Most models come from
    ``HierarchicalHMM.freeze()``.
    """

    TYPE = 6
    NAME = "a hierarchical hidden Markov model"
    C_NAME = "bbans_hierarchy"
    PART = "level"

    # ---- what it is

    @property
    def n_levels(self) -> int:
        """Number of levels L."""
        return len(self._n_states)

    def state_space(self) -> HierarchySteps:
        """Return the model step by step: states are tuples, the lowest level first, and
        observations symbol numbers 0 .. M-1."""
        return HierarchySteps(self)

    def graph(self, length: int) -> FiniteGraph:
        """Return the model as a graph, for a `Schedule` over time and levels.

        Parameters
        ----------
        length : int
            T >= 1.

        Returns
        -------
        FiniteGraph
            Of latents ``("z", l, t)``, the lowest level l = 1, and of observations
            ``("x", t)``, symbol numbers 0 .. M-1, for t = 1 .. T.

        Raises
        ------
        ModelError
            If the length is out of range.

        See Also
        --------
        bbans.codecs.aligned, bbans.codecs.staircase : Orders of its nodes.
        """
        length = as_integer(length, "length", 1, STEPS_MAX)
        nodes: dict[Any, tuple[list[Any], NDArray[np.uint32]]] = {}
        for t in range(1, length + 1):
            for level in range(self.n_levels, 0, -1):
                parents = [("z", level + 1, t)] if level < self.n_levels else []
                if t == 1:
                    masses = self._initial[level - 1]
                else:
                    masses = self._transition[level - 1]
                    parents.append(("z", level, t - 1))
                nodes["z", level, t] = parents, masses
            nodes["x", t] = [("z", 1, t)], self._emission
        return FiniteGraph(nodes)

    def _next(self, weights: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Predicted weights from filtered ones: level by level, from the last."""
        for level, n in reversed([*enumerate(self.n_states)]):
            masses = self._transition[level].astype(np.uint64).reshape(-1, n, n)
            # [.., state above, before, states below]; the level above has taken its
            # step. Sums stay below 2**59.
            below = math.prod(self.n_states[:level])
            before = weights.reshape(-1, len(masses), n, below)
            weights = masses.transpose(0, 2, 1) @ before >> np.uint64(self.prec)
        return weights.reshape(-1) + np.uint64(1)

    def _into(self, level: int, z_next: Levels) -> NDArray[np.uint32]:
        """See `LevelModel`."""
        rows = self._transition[level]
        if level + 1 < self.n_levels:
            rows = rows[z_next[level + 1]]
        return rows[:, z_next[level]]

    def _first_weights(self) -> NDArray[np.uint32]:
        """Those of z_1, from the last level down, whose axis is the first."""
        full = np.uint64(JOINT_BITS - self.prec)
        weights = self._initial[-1].astype(np.uint64) << full
        for masses in reversed(self._initial[:-1]):
            weights = weights[..., None] * masses.astype(np.uint64)
            weights >>= np.uint64(self.prec)
        return (weights.ravel() + np.uint64(1)).astype(np.uint32)

    @staticmethod
    def shapes(states: Levels, n_symbols: int) -> list[Levels]:
        """Of the tables, in the order of files."""
        pairs = zip(_shapes(states, 1), _shapes(states, 2), strict=True)
        return [*(shape for pair in pairs for shape in pair), (states[0], n_symbols)]

    def _states_of(self, emission: NDArray[np.uint32]) -> Levels:
        """See `LevelModel`."""
        above = self._initial[:-1]
        if any(table.ndim != 2 for table in above):
            raise ModelError(
                "initial must have an array of two dimensions for each level but the "
                "last: the states above, and its own"
            )
        return (len(emission), *(len(table) for table in above))


# ---- step by step


class HierarchySteps(LevelSteps):
    """The conditionals of a frozen hierarchical HMM; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenHierarchicalHMM

    Notes
    -----
    docs/maths.md, "Hierarchical hidden Markov models". States are tuples of a number
    for each level, the lowest first; observations are symbol numbers 0 .. M-1.
    """

    def prior(self, z: Levels | None) -> Reversed:
        """P(z_t | z_t-1), or P(z_1): each level given the one above."""

        def given(level: int) -> Callable[..., Categorical]:
            def codec(*upper: int) -> Categorical:
                above = int(upper[-1]) if upper else 0
                if z is None:
                    return Categorical(self._initial[level], above)
                row = above * self._frozen.n_states[level] + int(z[level])
                return Categorical(self._transition[level], row)

            return codec

        return Reversed(
            [given(level) for level in reversed(range(self._frozen.n_levels))]
        )

    def likelihood(self, z: Levels) -> Categorical:
        """P(x_t | z_t^1)."""
        return Categorical(self._emission, z[0])


# ---- its tables


def _shapes(states: Sequence[int], own: int) -> list[Levels]:
    """Of the tables of each level, which end in so many axes of its own states."""
    above = [(n,) for n in states[1:]] + [()]
    return [(*up, *(n,) * own) for up, n in zip(above, states, strict=True)]
