"""A frozen HMM as a state space model, step by step or in one C call."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.categorical import Categorical, Weighted
from bbans.distributions.table import Table
from bbans.errors import ModelError
from bbans.frozen.hmm import FrozenARHMM, FrozenHMM, as_frozen

__all__ = ["ARHMMStateSpace", "HMMStateSpace"]


class Belief(NamedTuple):
    """Weights after x_t: of z_t (filtered) and of z_t+1 (predicted)."""

    filtered: NDArray[np.uint32]
    predicted: NDArray[np.uint32]


class HMMStateSpace:
    """The conditionals of a frozen HMM; implements `StateSpaceModel`.

    Parameters
    ----------
    frozen : FrozenHMM

    Notes
    -----
    docs/maths.md, sections 5 and 6. Observations are symbol numbers 0 .. M-1.
    """

    def __init__(self, frozen: FrozenHMM) -> None:
        as_frozen(frozen)
        if isinstance(frozen, FrozenARHMM):
            raise ModelError("an autoregressive model is an ARHMMStateSpace")
        self._frozen = frozen
        self._initial = Table(frozen.initial_cdf, frozen.prec)
        self._transition = Table(frozen.transition_cdf, frozen.prec)
        self._emission = Table(frozen.emission_cdf, frozen.prec)
        self.tail_length = frozen.tail_length

    def prior(self, z: int | None) -> Categorical:
        """P(z_t | z_t-1), or P(z_1)."""
        if z is None:
            return Categorical(self._initial)
        return Categorical(self._transition, z)

    def likelihood(self, z: int) -> Categorical:
        """P(x_t | z_t)."""
        return Categorical(self._emission, z)

    def update(self, belief: Belief | None, x: Any) -> Belief:
        """One step of the exact integer filter."""
        predicted = None if belief is None else belief.predicted
        filtered, predicted = self._frozen.filter([x], predicted)
        return Belief(filtered[0], predicted)

    def posterior(self, belief: Belief, z_next: int | None) -> Weighted:
        """Q(z_t | x_1 .. x_t, z_t+1), or Q(z_T | x_1 .. x_T)."""
        return Weighted(self._frozen.posterior(belief.filtered, z_next))

    def predictive(self, belief: Belief | None) -> Categorical:
        """P(x_t+1 | x_1 .. x_t)."""
        predicted = None if belief is None else belief.predicted
        return Categorical(
            Table(self._frozen.predictive_cdf(predicted), self._frozen.prec)
        )


class ARBelief(NamedTuple):
    """Weights after x_t, as in `Belief`, and the symbols that contexts look at."""

    filtered: NDArray[np.uint32]
    predicted: NDArray[np.uint32]
    history: tuple[int, ...]


class ARHMMStateSpace:
    """The conditionals of a frozen autoregressive HMM, as `HMMStateSpace`.

    Parameters
    ----------
    frozen : FrozenARHMM

    Notes
    -----
    docs/maths.md, section 12. Implements `StateSpaceModel` and `AutoregressiveModel`.
    """

    def __init__(self, frozen: FrozenARHMM) -> None:
        if not isinstance(as_frozen(frozen), FrozenARHMM):
            raise ModelError("a model without contexts is an HMMStateSpace")
        self._frozen = frozen
        self._initial = Table(frozen.initial_cdf, frozen.prec)
        self._transition = Table(frozen.transition_cdf, frozen.prec)
        self._emission = frozen.emission_cdf
        # One more than contexts reach, so that a full one does not end in the
        # beginning of the sequence.
        self._reach = frozen.contexts.order + 1
        self.tail_length = frozen.tail_length

    def prior(self, z: int | None) -> Categorical:
        """P(z_t | z_t-1), or P(z_1)."""
        if z is None:
            return Categorical(self._initial)
        return Categorical(self._transition, z)

    def likelihood(self, z: int) -> Weighted:
        """P(x_1 | z_1)."""
        return self.likelihood_given(z, None)

    def likelihood_given(self, z: int, belief: ARBelief | None) -> Weighted:
        """P(x_t | z_t, x_1 .. x_t-1)."""
        return Weighted(
            np.diff(self._frozen.edges(self._context(belief), self._emission[z]))
        )

    def update(self, belief: ARBelief | None, x: Any) -> ARBelief:
        """One step of the exact integer filter."""
        predicted = None if belief is None else belief.predicted
        history = () if belief is None else belief.history
        filtered, predicted = self._frozen.step(
            self._context(belief), int(x), predicted
        )
        return ARBelief(filtered, predicted, (*history, int(x))[-self._reach :])

    def posterior(self, belief: ARBelief, z_next: int | None) -> Weighted:
        """Q(z_t | x_1 .. x_t, z_t+1), or Q(z_T | x_1 .. x_T)."""
        return Weighted(self._frozen.posterior(belief.filtered, z_next))

    def predictive(self, belief: ARBelief | None) -> Weighted:
        """P(x_t+1 | x_1 .. x_t)."""
        predicted = None if belief is None else belief.predicted
        cdf = self._frozen.predictive_cdf(predicted)
        return Weighted(np.diff(self._frozen.edges(self._context(belief), cdf)))

    def _context(self, belief: ARBelief | None) -> int:
        return self._frozen.longest_context(() if belief is None else belief.history)
