"""Sequences side by side: one call a step, and each as if it were alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import bbans
from bbans import Message, ModelError, SymbolError
from bbans.codecs import Iconoclasm, Serial, check_codec
from bbans.distributions import Categorical, Gaussian, Table, Uniform

EXACT = settings(derandomize=True, deadline=None, max_examples=40)


class Chain:
    """A hidden Markov model whose posterior is exact, of one sequence or of many."""

    def __init__(self, states, symbols, seed=0):
        rng = np.random.default_rng(seed)
        self.first = rng.dirichlet(np.ones(states))
        self.move = rng.dirichlet(np.ones(states), states)
        self.show = rng.dirichlet(np.ones(symbols), states)
        self.laws = [
            Table.from_masses(mass) for mass in (self.first, self.move, self.show)
        ]
        self.seen = []

    def prior(self, z):
        first, move, _ = self.laws
        return Categorical(first) if z is None else Categorical(move, z)

    def likelihood(self, z):
        return Categorical(self.laws[2], z)

    def update(self, belief, x):
        self.seen.append(np.asarray(x).dtype)
        predicted = self.first if belief is None else belief @ self.move
        joint = predicted * self.show.T[x]
        return joint / joint.sum(-1, keepdims=True)

    def posterior(self, belief, z_next):
        masses = belief if z_next is None else belief * self.move.T[z_next]
        return Categorical.from_masses(masses)


def bits_of(model, x):
    """-log2 P of one sequence."""
    bits, belief = 0.0, model.first
    for symbol in x:
        joint = belief * model.show[:, symbol]
        bits -= np.log2(joint.sum())
        belief = joint / joint.sum() @ model.move
    return bits


@EXACT
@given(
    st.integers(1, 5), st.integers(2, 6), st.integers(0, 7), st.integers(1, 70),
    st.sampled_from([1, 2, 64]), st.sampled_from(["u1", "i8", "u4"]),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_a_push_and_a_pop_are_inverse(states, symbols, T, N, lanes, dtype, seed):
    rng = np.random.default_rng(seed)
    codec = Iconoclasm(Chain(states, symbols, seed), T, N)
    message = Message.seeded(rng.bytes(31 * lanes + 8 * N), lanes)
    start = message.state()
    x = rng.integers(0, symbols, (T, N)).astype(dtype)
    codec.push(message, x)
    decoded = codec.pop(message)
    assert decoded.dtype == np.int64
    assert np.array_equal(decoded, x)
    assert message.state() == start
    codec.push(message, codec.pop(message))  # bits back pops first
    assert message.state() == start


@EXACT
@given(st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_one_alone_takes_the_bytes_of_one(T, seed):
    model, rng = Chain(3, 5), np.random.default_rng(seed)
    x, messages = rng.integers(0, 5, T), []
    for codec, value in (
        (Iconoclasm(model, T), x.tolist()),
        (Iconoclasm(model, T, 1), x[:, None]),
    ):
        messages.append(Message.seeded(bytes(range(1, 200)), 1))
        codec.push(messages[-1], value)
    assert messages[0] == messages[1]


@pytest.mark.parametrize("lanes", [1, 64])
def test_they_take_the_information_content_of_each(lanes):
    T, N = 40, 100
    model, rng = Chain(4, 6), np.random.default_rng(1)
    x = rng.integers(0, 6, (T, N))
    message = Message.seeded(rng.bytes(4000), lanes)
    before = message.bits
    Iconoclasm(model, T, N).push(message, x)
    expected = sum(bits_of(model, sequence) for sequence in x.T)
    # The last states' bits are borrowed and back; frozen tables cost 1e-5 a symbol.
    assert message.bits - before == pytest.approx(expected, abs=0.5)


def test_both_sides_see_the_same_types():
    """Else x - 1 of what was popped as uint32 would be another number."""
    model = Chain(2, 3)
    codec = Iconoclasm(model, 3, 5)
    message = Message.seeded(bytes(range(200)), 1)
    codec.push(message, np.ones((3, 5), np.uint8))
    codec.pop(message)
    assert set(model.seen) == {np.dtype(np.int64)}
    assert len(model.seen) == 6


class Vectors:
    """Two numbers a step, under laws of one value and of many; nothing is exact."""

    def prior(self, z):
        return Gaussian(0.0, 9.0) if z is None else Gaussian(0.9 * z, 4.0)

    def likelihood_given(self, z, belief):
        known = 0 if belief is None else belief
        return Gaussian(np.stack([z, z - known], 1) + 0.0, 5.0)

    def update(self, belief, x):
        return x.sum(1) / 4

    def posterior(self, belief, z_next):
        return Gaussian(belief, 6.0, leak=False)


def test_observations_may_have_axes_of_their_own():
    T, N = 9, 17
    x = np.random.default_rng(2).integers(-40, 40, (T, N, 2))
    codec = Iconoclasm(Vectors(), T, N)
    report = check_codec([x], codec, samples=1)
    assert report.bits > 0
    message = Message.seeded(bytes(range(250)) * 8, 64)
    codec.push(message, x)
    assert (codec.pop(message) == x).all()


class Pairs(Chain):
    """States that are tuples: any codec will do."""

    def __init__(self, n):
        super().__init__(3, 4)
        self.n = n

    def prior(self, z):
        return (
            Serial([super().prior(z and z[0]), Uniform(5, self.n)])
            if z
            else Serial([Categorical(self.laws[0], 0, self.n), Uniform(5, self.n)])
        )

    def likelihood(self, z):
        return super().likelihood(z[0])

    def posterior(self, belief, z_next):
        law = super().posterior(belief, z_next and z_next[0])
        return Serial([law, Uniform(5, self.n)])


def test_states_may_be_of_any_kind():
    x = np.random.default_rng(3).integers(0, 4, (6, 10))
    message = Message.seeded(bytes(range(250)), 1)
    start = message.state()
    codec = Iconoclasm(Pairs(10), 6, 10)
    codec.push(message, x)
    assert (codec.pop(message) == x).all()
    assert message.state() == start


def test_what_is_refused():
    codec = Iconoclasm(Chain(2, 3), 3, 4)
    assert repr(codec).endswith(", 3, 4)")
    for x in (np.zeros((4, 3), int), np.zeros(3, int), [[0] * 4] * 2, 7):
        with pytest.raises(SymbolError, match=r"shape \(3, 4, \.\.\.\)"):
            codec.push(Message(), x)
    with pytest.raises(SymbolError, match="round them"):
        codec.push(Message(), np.zeros((3, 4)))
    for sequences in (0, 2.5, "4"):
        with pytest.raises(ModelError, match="sequences"):
            Iconoclasm(Chain(2, 3), 3, sequences)
    frozen = bbans.HMM.random(2, 3, seed=0).freeze()
    with pytest.raises(ModelError, match="encode_batch"):
        Iconoclasm(frozen, 3, 4)


def test_a_law_of_masses_has_a_row_for_each_value():
    masses = np.random.default_rng(4).dirichlet(np.ones(6), (2, 3))
    law = Categorical.from_masses(masses, 12)
    assert law.shape == (2, 3)
    grid = np.broadcast_to(np.arange(6)[:, None, None], (6, 2, 3))
    mantissas, exponents = law.masses(grid)
    for i, k in np.ndindex(2, 3):
        one = Categorical.from_masses(masses[i, k].tolist(), 12)
        assert one.shape == ()
        mantissa, exponent = one.masses(np.arange(6))
        assert (mantissa == mantissas[:, i, k]).all()
        assert (exponent == exponents[:, i, k]).all()
    message = Message()
    message.push(law, [[0, 1, 2], [3, 4, 5]])
    assert message.pop(law).tolist() == [[0, 1, 2], [3, 4, 5]]
