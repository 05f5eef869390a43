"""Particle filters step by step: the same bytes as by the engine in C."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans.codecs.bits_back import BitsBack
from bbans.codecs.start import DIFFER
from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Categorical, Uniform, Weighted
from bbans.distributions.table import Table, edges_of
from bbans.errors import CorruptError
from bbans.frozen.hmm import FrozenHMM
from bbans.particles.mean import Mean, OfParticle
from bbans.particles.public import (
    divide,
    number,
    product,
    resample,
    sample,
    weights,
)

__all__ = ["FiniteSteps", "ParticleSteps"]

DRAW, RESAMPLE, CORRECT = 0, 1, 2


class Belief(NamedTuple):
    """How many observations there were, and the particles after them."""

    t: int
    particles: NDArray[Any]


class _Steps:
    """Between steps nothing is borrowed: there is one state, and a step is coded by
    `likelihood_given`; implements `PredictiveModel`."""

    def __init__(self, n: int, key: int, adapted: bool, start_length: int) -> None:
        self._n, self._key, self._adapted = n, key, adapted
        self.start_length = start_length
        self.start_bits = 0

    def prior(self, z: Any | None) -> Distribution:
        """The one state."""
        return Uniform(1)

    def posterior(self, belief: Belief, z_next: Any | None) -> Distribution:
        """The one state."""
        return Uniform(1)

    def _number(self, t: int, use: int) -> int:
        return number(self._key, 4 * t + use)

    def _sample(self, t: int, law: Distribution, shape: Any) -> NDArray[Any]:
        return sample(self._key, 4 * t + DRAW, law, shape)


# ---- finite models


class FiniteSteps(_Steps):
    """A particle filter of a finite model, step by step.

    Parameters
    ----------
    model : FrozenHMM
    n, key, adapted, start_length
        As of `ParticleFilter`.
    """

    def __init__(self, model: FrozenHMM, *given: Any) -> None:
        super().__init__(*given)
        self._model = model
        self.start_bits = 40 if self._adapted else 0
        self._initial = Table(edges_of(model.initial), model.prec)
        self._transition = Table(edges_of(model.transition), model.prec)
        self._emission = Table(edges_of(model.emission), model.prec)

    def predicted(self, belief: Belief | None) -> NDArray[np.uint32]:
        """Weights of the next state, shape (K,)."""
        model = self._model
        if not self._adapted:
            law = (
                Categorical(self._initial)
                if belief is None
                else Categorical(self._transition, belief.particles)
            )
            moved = self._sample(0 if belief is None else belief.t, law, self._n)
            return np.bincount(moved, minlength=model.n_states).astype(np.uint32)
        masses, n = model.initial.astype(np.uint64), 1
        if belief is not None:
            n = self._n
            rows = model.transition[belief.particles]
            masses = rows.sum(0, dtype=np.uint64)
        down = np.uint64(max(0, model.prec + n.bit_length() - 27))
        weight: NDArray[np.uint32] = np.maximum(masses >> down, 1).astype(np.uint32)
        return weight

    def _filtered(self, predicted: NDArray[np.uint32], x: Any) -> NDArray[np.uint32]:
        products = predicted.astype(np.uint64) * self._model.emission[:, int(x)]
        total = int(products.sum(dtype=np.uint64))
        down = np.uint64(max(0, total.bit_length() - 28))
        return (products >> down).astype(np.uint32)

    def likelihood_given(self, z: Any, belief: Belief | None) -> Any:
        """The codec of x_t: of a step."""
        if not self._adapted:
            return self.predictive(belief)
        weight = self.predicted(belief)
        return BitsBack(
            Weighted(weight),
            lambda z: Categorical(self._emission, z),
            lambda x: Weighted(self._filtered(weight, x)),
        )

    def likelihood(self, z: Any) -> Any:
        """The codec of x_1."""
        return self.likelihood_given(z, None)

    def predictive(self, belief: Belief | None) -> Categorical:
        """P(x_t+1 | x_1 .. x_t)."""
        edges = self._model.predictive_cdf(self.predicted(belief))
        return Categorical(Table(edges, self._model.prec))

    def update(self, belief: Belief | None, x: Any) -> Belief:
        """One step of the filter."""
        t = 0 if belief is None else belief.t
        filtered = self._filtered(self.predicted(belief), x)
        return Belief(t + 1, resample(filtered, self._number(t, RESAMPLE), self._n))


# ---- models by their laws


class ParticleSteps(_Steps):
    """A particle filter step by step.

    Parameters
    ----------
    model : ParticleModel
    n, key, adapted, start_length
        As of `ParticleFilter`.
    borrows : bool
        Whether the laws of observations have no mean: bits back chooses a particle.
    """

    def __init__(self, model: Any, *given: Any, borrows: bool) -> None:
        super().__init__(*given)
        self._model, self._borrows = model, borrows
        if borrows:
            self.start_bits, self.exact_predictive = 48, False
        self._latents = getattr(model, "latents", 1)
        self._observed = getattr(model, "observed", 1)

    def _opened(self, belief: Belief | None) -> tuple[Any, NDArray[Any] | None]:
        """The law of x_t for each particle, and these."""
        t, z = (0, None) if belief is None else belief
        if self._adapted:
            law = self._model.lookahead(z)
        else:
            z = self._sample(t, self._model.prior(z), (self._latents, self._n))
            law = self._model.likelihood(z)
        return law.broadcast((self._observed, self._n)), z

    def likelihood_given(self, z: Any, belief: Belief | None) -> Any:
        """The codec of x_t: of a step."""
        law = self._opened(belief)[0]
        if not self._borrows:
            return Mean(law)
        return BitsBack(
            Uniform(self._n),
            lambda i: OfParticle(law, i),
            lambda x: Weighted(_weights_given(law, x)),
        )

    def likelihood(self, z: Any) -> Any:
        """The codec of x_1."""
        return self.likelihood_given(z, None)

    def predictive(self, belief: Belief | None) -> Any:
        """The codec of x_t: of a step."""
        law = self._opened(belief)[0]
        return _ThroughHeaviest(law) if self._borrows else Mean(law)

    def update(self, belief: Belief | None, x: Any) -> Belief:
        """One step of the filter."""
        t = 0 if belief is None else belief.t
        law, z = self._opened(belief)
        seen = product(law, _column(x, self._observed))
        chosen = resample(weights(seen), self._number(t, RESAMPLE), self._n)
        moved = None if z is None else z[:, chosen]
        if self._adapted:
            ahead = seen[0][chosen], seen[1][chosen]
            moved = self._propose(t, moved, x, ahead)
        assert moved is not None  # there are none only before an adapted first step
        return Belief(t + 1, moved)

    def _propose(self, t: int, z: Any, x: Any, ahead: Any) -> NDArray[Any]:
        model, shape = self._model, (self._latents, self._n)
        column = _column(x, self._observed)
        proposal = model.proposal(z, column[:, 0].copy()).broadcast(shape)
        moved = self._sample(t, proposal, shape)
        masses = product(model.prior(z).broadcast(shape), moved)
        likelihood = model.likelihood(moved).broadcast((self._observed, self._n))
        masses = product(likelihood, column, masses)
        masses = divide(divide(masses, product(proposal, moved)), ahead)
        chosen = resample(weights(masses), self._number(t, CORRECT), self._n)
        return moved[:, chosen]


def _column(x: Any, observed: int) -> NDArray[np.int64]:
    return np.asarray(x, np.int64).reshape(observed, 1)


def _weights_given(law: Distribution, x: Any) -> NDArray[np.uint32]:
    """Those of the particles."""
    return weights(product(law, _column(x, law.shape[0])))


class _ThroughHeaviest:
    """x under the law of the first particle of the greatest weight given x, and this
    particle: what the range coder, which cannot borrow, codes."""

    def __init__(self, law: Distribution) -> None:
        self._law = law

    def push(self, message: Any, value: Any) -> None:
        """Push x."""
        particle = int(_weights_given(self._law, value).argmax())
        OfParticle(self._law, particle).push(message, value)
        message.push(Uniform(self._law.shape[1]), particle)

    def pop(self, message: Any) -> Any:
        """Pop x."""
        particle = int(message.pop(Uniform(self._law.shape[1])))
        value = OfParticle(self._law, particle).pop(message)
        if particle != _weights_given(self._law, value).argmax():
            raise CorruptError(f"another particle is likelier: {DIFFER}")
        return value
