"""Frozen hidden Markov models step by step, as state space models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.categorical import Categorical, Weighted
from bbans.distributions.table import Table, edges_of

if TYPE_CHECKING:
    from bbans.frozen.arhmm import FrozenARHMM
    from bbans.frozen.hmm import FrozenHMM

__all__ = ["ARHMMSteps", "HMMSteps"]


class Belief(NamedTuple):
    """Weights after x_t: of z_t (filtered) and of z_t+1 (predicted)."""

    filtered: NDArray[np.uint32]
    predicted: NDArray[np.uint32]


class HMMSteps:
    """The conditionals of a frozen HMM; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenHMM

    Notes
    -----
    docs/maths.md, "The frozen HMM" and "The predictive distribution". Observations are
    symbol numbers 0 .. M-1.
    """

    def __init__(self, frozen: FrozenHMM) -> None:
        self._frozen = frozen
        self._initial = Table(edges_of(frozen.initial), frozen.prec)
        self._transition = Table(edges_of(frozen.transition), frozen.prec)
        self._emission = Table(edges_of(frozen.emission), frozen.prec)
        self.start_length = frozen.start_length

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._frozen!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._frozen,)

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


class ARHMMSteps:
    """The conditionals of a frozen autoregressive HMM, as `HMMSteps`.

    Parameters
    ----------
    frozen : FrozenARHMM

    Notes
    -----
    docs/maths.md, "Emissions that depend on earlier symbols".
    """

    def __init__(self, frozen: FrozenARHMM) -> None:
        self._frozen = frozen
        self._initial = Table(edges_of(frozen.initial), frozen.prec)
        self._transition = Table(edges_of(frozen.transition), frozen.prec)
        self._emission = edges_of(frozen.emission)
        # One more than contexts reach, so that a full one does not end in the
        # beginning of the sequence.
        self._reach = frozen.contexts.order + 1
        self.start_length = frozen.start_length

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._frozen!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._frozen,)

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
