"""Bits back within the steps of a particle filter, by a proposal: docs/maths.md,
"Several samples within a step"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans._lib import lib
from bbans.codecs.importance import ImportanceSampling
from bbans.codecs.start import observations
from bbans.codecs.state_space import SequenceModel, as_sequence_model
from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Uniform, Weighted
from bbans.frozen.alphabet import Rows
from bbans.message.message import Message
from bbans.particles.mean import Mean, OfParticle
from bbans.particles.model import check_methods, law_of, size_of
from bbans.particles.public import (
    as_key,
    divide,
    multiply,
    number,
    product,
    resample,
    sample,
    weights,
)
from bbans.particles.steps import DRAW, RESAMPLE, Belief

__all__ = ["ProposalFilter"]

Latent = Any
"""A state within a step: an int, or a tuple of d of them."""


class ProposalFilter(SequenceModel):
    """A state space model whose steps are coded by bits back, with a proposal.

    `ParticleFilter` looks ahead by laws of x_t given z_t-1. This needs only a guess of
    z_t from x_t, the model's ``proposal(z, x)``, be it good or poor.

    Parameters
    ----------
    model : ParticleModel
        With `prior`, `likelihood` and `proposal`. States are under laws of symbols; or
        of a location and a scale, and then there are 64 particles at most.
    n : int
        Particles, 1 to 65536.
    key : int
        Of the public random numbers, 64 bits; both sides have the same.
    samples : int
        Of the state within a step, 1 to 2**16: the more, the less a poor proposal
        costs.
    coupled : bool
        Make all samples of one, as `ImportanceSampling` says: for a state that is one
        symbol.

    Raises
    ------
    ModelError
        If an argument is none of these. From `push` and all that codes, if laws have no
        mean.

    Notes
    -----
    In each step z_t is popped from the mean of the proposals over the particles, x_t is
    pushed, and z_t under the mean of the priors. Coded step by step in Python. A
    message starts at modes of the states, as `encode_sequence` says, which costs some
    50 to 100 bits: push many sequences to one message, if they are short.

    docs/maths.md, "Several samples within a step".
    """

    def __init__(
        self,
        model: Any,
        n: int,
        key: int = 0,
        *,
        samples: int = 1,
        coupled: bool = False,
    ) -> None:
        check_methods(model, ["prior", "likelihood", "proposal"])
        n = as_integer(n, "n", 1, lib.BBANS_PARTICLES_MAX)
        self._steps = ProposalSteps(model, n, as_key(key), samples, coupled)
        self._coder = as_sequence_model(self._steps)

    def state_space(self) -> ProposalSteps:
        """Return the model step by step."""
        return self._steps

    def observations(self, x: Any) -> list[Any]:
        """Return the observations of a sequence as `state_space` takes them: integers,
        or tuples of several.

        Raises
        ------
        SymbolError
            If they are no integers of 64 bits, or no whole rows.
        """
        width = self._steps.observed
        numbers = Rows(width).encode(observations(x))
        if width == 1:
            return list(numbers.tolist())
        return [*map(tuple, numbers.reshape(-1, width).tolist())]

    def push(self, message: Any, x: Any) -> None:
        """Push a sequence of observations over what is on the message."""
        self._coder.push(message, self.observations(x))

    def pop(self, message: Any, length: int) -> list[Any]:
        """Pop `length` observations: the inverse of `push`."""
        popped: list[Any] = self._coder.pop(message, length)
        return popped

    def encode_message(self, x: Any) -> Message:
        """Code a sequence as a message of its own."""
        return self._coder.encode_message(self.observations(x))

    def decode_message(self, message: Message, length: int) -> list[Any]:
        """Decode what `encode_message` returned; the message is spent."""
        decoded: list[Any] = self._coder.decode_message(message, length)
        return decoded

    def encode(self, x: Any) -> bytes:
        """Code a sequence of observations as a bare message.

        Raises
        ------
        SymbolError
            If one cannot be coded; the text names its position.
        """
        return self.encode_message(x).to_bytes()

    def decode(self, data: bytes, length: int) -> list[Any]:
        """Decode a bare message of `length` observations.

        Returns
        -------
        list of int, or of tuples of p

        Raises
        ------
        CorruptError
            If `encode` writes these bytes for no such sequence.
        """
        length = as_integer(length, "length", 0)
        return self.decode_message(Message.from_bytes(data), length)

    def __repr__(self) -> str:
        return f"<ProposalFilter of {self._steps.n} particles>"


class ProposalSteps:
    """The steps of a `ProposalFilter`. Between them nothing is outstanding: there is
    one state, and `likelihood_given` codes a step as a whole."""

    def __init__(
        self, model: Any, n: int, key: int, samples: int, coupled: bool
    ) -> None:
        self.n, self._model, self._key = n, model, key
        self._samples, self._coupled = samples, coupled
        self._latents = size_of(model, "latents")
        self.observed = size_of(model, "observed")
        ImportanceSampling(Uniform(1), Uniform, Uniform, samples, coupled=coupled)

    def prior(self, z: Any | None) -> Distribution:
        """The one state."""
        return Uniform(1)

    def posterior(self, belief: Belief, z_next: Any | None) -> Distribution:
        """The one state."""
        return Uniform(1)

    def likelihood(self, z: Any) -> ImportanceSampling[Any, Latent]:
        """The codec of x_1."""
        return self.likelihood_given(z, None)

    def likelihood_given(
        self, z: Any, belief: Belief | None
    ) -> ImportanceSampling[Any, Latent]:
        """The codec of x_t: of a step."""
        return ImportanceSampling(
            self._mean_prior(belief),
            self._likelihood,
            lambda x: Mean(self._proposal(belief, x)),
            self._samples,
            coupled=self._coupled,
        )

    def update(self, belief: Belief | None, x: Any) -> Belief:
        """Draw particles from the proposal, weigh them, and resample."""
        t = 0 if belief is None else belief.t
        law = self._proposal(belief, x)
        proposal, z = Mean(law), self._drawn(t, law)
        likelihood = law_of(self._model, "likelihood", z).broadcast(
            (self.observed, self.n)
        )
        masses = product(likelihood, self._column(x))
        masses = multiply(self._mean_prior(belief).masses(z), masses)
        masses = divide(masses, proposal.masses(z))
        r = number(self._key, 4 * t + RESAMPLE)
        return Belief(t + 1, z[:, resample(weights(masses), r, self.n)])

    def _drawn(self, t: int, law: Distribution) -> NDArray[np.int64]:
        if self._latents > 1 or not law._c.limit:
            return sample(self._key, 4 * t + DRAW, law)
        row = Mean(law).first
        assert isinstance(row, Weighted)
        r = number(self._key, 4 * t + DRAW)
        return resample(row._arrays[0], r, self.n).astype(np.int64)[None]

    def _mean_prior(self, belief: Belief | None) -> Mean:
        z = None if belief is None else belief.particles
        law = law_of(self._model, "prior", z)
        return Mean(law.broadcast((self._latents, self.n)))

    def _proposal(self, belief: Belief | None, x: Any) -> Distribution:
        z = None if belief is None else belief.particles
        law = law_of(self._model, "proposal", z, self._column(x)[:, 0])
        return law.broadcast((self._latents, self.n))

    def _likelihood(self, z: Latent) -> OfParticle:
        column = np.array(z, np.int64).reshape(self._latents, 1)
        law = law_of(self._model, "likelihood", column)
        return OfParticle(law.broadcast((self.observed, 1)), 0)

    def _column(self, x: Any) -> NDArray[np.int64]:
        return np.array(x, np.int64).reshape(self.observed, 1)
