"""Bits back with several samples: the bytes of the reference, the same way back, and a
cost that vanishes as samples grow."""

import itertools
import math

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import random_message

from bbans import Message, ModelError, check_codec
from bbans.codecs import BitsBack, ImportanceSampling, Serial
from bbans.distributions import Gaussian, Uniform, Weighted
from bbans.errors import MessageError

EXACT = settings(derandomize=True, deadline=None, max_examples=60)


def finite(prior, emission, proposals, samples, coupled):
    """The codec of rows of masses."""
    return ImportanceSampling(
        Weighted(prior),
        lambda z: Weighted(emission[z]),
        lambda x: Weighted(proposals[x]),
        samples,
        coupled=coupled,
    )


@st.composite
def models(draw):
    """Masses of a latent, of an observation given it, and of poor proposals."""
    K, M = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    mass = st.integers(0, draw(st.sampled_from([3, 1 << 20])))

    def row(n):
        return draw(st.lists(mass, min_size=n, max_size=n).filter(any))

    prior = [a + 1 for a in row(K)]
    emission = [[a + 1 for a in row(M)] for _ in range(K)]
    return prior, emission, [row(K) for _ in range(M)]


@EXACT
@given(models(), st.integers(1, 20), st.booleans(), st.integers(0, 2**32), st.data())
def test_the_bytes_are_those_of_the_reference(model, samples, coupled, seed, data):
    prior, emission, proposals = model
    x = data.draw(st.integers(0, len(proposals) - 1))
    codec = finite(*model, samples, coupled)
    message = random_message(1, seed, words=60)
    plain = ref.Message()
    heads, tail = message.state()
    plain.heads, plain.tail = [int(h) for h in heads], [int(w) for w in tail]
    before = message.copy()
    codec.push(message, x)
    ref.importance_push(plain, prior, emission, proposals[x], x, samples, coupled)
    assert message.to_bytes() == plain.to_bytes()
    assert codec.pop(message) == x
    assert message == before


@pytest.mark.parametrize("coupled", [False, True])
def test_one_sample_costs_what_bits_back_does(coupled):
    prior, emission, proposals = [7, 1], [[60, 3, 1], [1, 3, 60]], [[1, 1]] * 3
    one = finite(prior, emission, proposals, 1, coupled)
    plain = BitsBack(
        Weighted(prior),
        lambda z: Weighted(emission[z]),
        lambda x: Weighted(proposals[x]),
    )
    values = [0, 1, 2, 2, 0] * 40
    rates = [check_codec(values, codec, samples=60).bits for codec in (one, plain)]
    assert abs(rates[0] - rates[1]) < 0.1


def information_content(prior, emission, x):
    P = np.array(prior) / sum(prior) @ [np.array(row) / sum(row) for row in emission]
    return -math.log2(P[x])


def exact_cost(prior, emission, proposal, x, samples):
    """The mean of what M independent samples add, by all their values."""
    P, Q = np.array(prior) / sum(prior), np.array(proposal) / sum(proposal)
    weights = P * [row[x] / sum(row) for row in emission] / Q
    return sum(
        math.prod(Q[z] for z in states)
        * -math.log2(np.mean([weights[z] for z in states]))
        for states in itertools.product(range(len(P)), repeat=samples)
    )


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_the_cost_is_the_importance_weighted_bound(samples):
    prior, emission, proposal = [7, 1], [[60, 3, 1], [1, 3, 60]], [3, 5]
    codec = finite(prior, emission, [proposal] * 3, samples, False)
    added = []
    for seed in range(2000):  # each from other bits: those of a push before are not
        message = random_message(1, seed, words=30)
        before = message.bits
        codec.push(message, 2)
        added.append(message.bits - before)
    ideal = exact_cost(prior, emission, proposal, 2, samples)
    assert abs(np.mean(added) - ideal) < 4 * np.std(added) / math.sqrt(len(added))
    assert np.std(added) / math.sqrt(len(added)) < 0.06


@pytest.mark.parametrize("coupled", [False, True])
def test_many_samples_reach_the_information_content(coupled):
    rng = np.random.default_rng(1)
    K, M = 8, 4
    prior = rng.integers(1, 1 << 16, K).tolist()
    emission = rng.integers(1, 1 << 16, (K, M)).tolist()
    proposals = rng.integers(1, 1 << 16, (M, K)).tolist()
    values = rng.integers(0, M, 30)
    ideal = np.mean([information_content(prior, emission, x) for x in values])
    over = {
        samples: check_codec(
            values.tolist(), finite(prior, emission, proposals, samples, coupled)
        ).bits
        - ideal
        for samples in (1, 64)
    }
    assert over[1] > 0.15
    assert abs(over[64]) < 0.03


def test_start_up_grows_with_samples_unless_they_are_coupled():
    model = [1] * 16, [[3, 5]] * 16, [[1 << 20] * 16] * 2
    startup = {
        (samples, coupled): check_codec(
            [0, 1], finite(*model, samples, coupled), samples=20
        ).startup
        for samples in (4, 64)
        for coupled in (False, True)
    }
    assert startup[64, False] > 250  # 63 samples of 4 bits
    assert startup[64, True] < 24 + 6 + 1  # u, which sample, and rounding
    assert startup[64, True] - startup[4, True] < 5


def test_latents_and_observations_of_any_form():
    prior = Serial([Weighted([1, 2]), Gaussian(3.0, 4.0)])
    codec = ImportanceSampling(
        prior,
        lambda z: Gaussian(z[1] + 10.0 * z[0], 2.0),
        lambda x: Serial([Weighted([1, 1]), Gaussian(x - 5.0, 3.0, leak=False)]),
        samples=8,
    )
    rng = np.random.default_rng(2)
    values = rng.integers(-5, 15, 5).tolist()
    assert check_codec(values, codec).startup > 40


def test_what_is_refused():
    def codec(**other):
        made = {
            "prior": Uniform(2),
            "likelihood": lambda z: Weighted([1, z]),
            "proposal": lambda x: Uniform(2),
            "samples": 4,
        }
        return ImportanceSampling(**{**made, **other})

    with pytest.raises(ModelError, match="samples must be"):
        codec(samples=0)
    with pytest.raises(ModelError, match="prior must be a codec"):
        codec(prior=3)
    wide = codec(
        prior=Gaussian(0, 1e9), proposal=lambda x: Gaussian(0, 1e9), coupled=True
    )
    with pytest.raises(ModelError, match="one interval"):
        wide.push(random_message(1, 0), 0)
    none = codec(proposal=lambda x: Weighted([1, 0]))
    with pytest.raises(ModelError, match="none of the 4 samples"):
        none.push(random_message(1, 0), 1)
    backwards = BitsBack(Uniform(2), lambda z: Uniform(2), lambda x: Uniform(2))
    with pytest.raises(MessageError, match="not be bits back"):
        codec(prior=backwards).push(random_message(1, 0), 0)


def test_a_message_of_its_own():
    data = Message.from_bytes(b"any bits to start from" * 4 + b"\1")
    codec = finite([7, 1], [[60, 3], [3, 60]], [[1, 1]] * 2, 16, True)
    for x in [0, 1, 1, 0]:
        codec.push(data, x)
    assert [codec.pop(data) for _ in range(4)] == [0, 1, 1, 0]
    assert data.to_bytes() == b"any bits to start from" * 4 + b"\1"
