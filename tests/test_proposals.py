"""Proposals within the steps of a particle filter: the bytes of the reference, and poor
proposals that many samples make good."""

import numpy as np
import pytest
import reference as ref
from shared import random_hmm, random_message
from test_particles import Plainly, Rows, Walk

from bbans import ModelError, SymbolError, check_model
from bbans.codecs.metered import random_bits
from bbans.distributions import Gaussian, Weighted
from bbans.models import HMM
from bbans.particles import ProposalFilter


class Guessed:
    """A frozen HMM by its weights, and a guess that looks at the symbol alone."""

    latents = observed = 1

    def __init__(self, frozen):
        self.frozen = frozen

    def prior(self, z):
        return Weighted(self.frozen.initial if z is None else self.frozen.transition[z])

    def likelihood(self, z):
        return Weighted(self.frozen.emission[z])

    def proposal(self, z, x):
        return Weighted(self.frozen.emission[:, x[0]])


class Guess(Walk):
    """States and observations that are vectors, and a guess of a few bits."""

    def proposal(self, z, x):
        return Gaussian(super().proposal(z, x)._arrays[0], self.step + 600, leak=False)

    def prior(self, z):
        law = super().prior(z)
        return Gaussian(*law._arrays)


@pytest.mark.parametrize("n", [1, 7])
@pytest.mark.parametrize("M", [1, 5])
@pytest.mark.parametrize("coupled", [False, True])
def test_the_bytes_of_the_reference(n, M, coupled):
    model = Guessed(random_hmm(5, 4, prec=12))
    plain = ref.ProposalParticles(Plainly(model, False), n, 3, M, coupled)
    x = np.random.default_rng(0).integers(0, 4, 20).tolist()
    message, other = random_message(1, 0, words=400), ref.Message()
    other.heads, other.tail = ([int(v) for v in part] for part in message.state())
    before = message.copy()
    coder = ProposalFilter(model, n, 3, samples=M, coupled=coupled)
    coder.push(message, x)
    ref.particles_push(plain, other, [[v] for v in x])
    assert message.to_bytes() == other.to_bytes()
    assert coder.pop(message, 20) == x
    assert message == before


@pytest.mark.parametrize("coupled", [False, True])
def test_messages_of_their_own(coupled):
    model = Guessed(random_hmm(5, 4, prec=12))
    coder = ProposalFilter(model, 9, samples=4, coupled=coupled)
    for T in (0, 1, 5, 60):
        x = np.random.default_rng(T).integers(0, 4, T).tolist()
        assert coder.decode(coder.encode(x), T) == x


@pytest.mark.parametrize(("d", "p"), [(1, 1), (2, 1), (2, 3)])
def test_vectors(d, p):
    rng = np.random.default_rng(1)
    x = rng.normal(0, 20, (12, p)).round().astype(int).tolist()
    x = [row[0] if p == 1 else tuple(row) for row in x]
    coder = ProposalFilter(Guess(d, p, 0), 6, samples=3)
    message = random_message(1, 0, words=2000)
    before = message.copy()
    coder.push(message, x)
    assert coder.pop(message, 12) == x
    assert message == before
    check_model(x[:4], coder, samples=2)


def test_samples_make_a_poor_proposal_good():
    hmm = HMM.random(8, 8, concentration=0.2, seed=3)
    frozen = hmm.freeze(prec=24)
    x = hmm.sample(400, seed=0)[0].tolist()
    h = HMM.from_frozen(frozen).information_content(x)
    over, startup = {}, {}
    for M in (1, 16):
        coder = ProposalFilter(Guessed(frozen), 64, samples=M, coupled=True)
        message = random_bits(np.random.default_rng(0), 400)
        before = message.bits
        coder.push(message, x)
        over[M] = (message.bits - before) / h - 1
        startup[M] = before - message.least
    assert over[1] > 0.08
    assert abs(over[16]) < 0.02
    assert startup[16] < startup[1] + 6 < 40


def test_what_is_refused():
    model = Guessed(random_hmm(3, 3))
    with pytest.raises(ModelError, match="no method proposal"):
        ProposalFilter(Rows(0), 3)
    with pytest.raises(ModelError, match="samples must be"):
        ProposalFilter(model, 3, samples=0)
    wide = ProposalFilter(Guess(2, 1, 0), 3, samples=3, coupled=True)
    with pytest.raises(ModelError, match="one interval"):
        wide.push(random_message(1, 0), [1, 2])

    class Odd(Guessed):
        latents = "one"

    with pytest.raises(ModelError, match="latents must be an integer"):
        ProposalFilter(Odd(None), 3)
    with pytest.raises(ModelError, match="must return a Distribution, not list"):
        ProposalFilter(Plain(), 3).encode([1])


class Plain:
    def prior(self, z):
        return [1, 2]

    likelihood = prior

    def proposal(self, z, x):
        return Weighted([1, 2])


@pytest.mark.parametrize("x", [[1.5], [True], [None], ["1"], "12", [2**63], [2**70], 5])
def test_what_is_no_integer_is_refused(x):
    coder = ProposalFilter(Guessed(random_hmm(3, 3)), 3)
    with pytest.raises(SymbolError):
        coder.encode(x)
    with pytest.raises(SymbolError):
        coder.push(random_message(1, 0), x)


def test_arrays_are_as_lists():
    x = np.random.default_rng(0).normal(0, 20, (5, 3)).round().astype(np.int16)
    coder = ProposalFilter(Guess(2, 3, 0), 6)
    assert coder.decode(coder.encode(x), 5) == [*map(tuple, x.tolist())]
    assert coder.encode(x) == coder.encode(x.tolist())
