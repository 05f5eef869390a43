"""Codecs: exact inverses, their rates, and the schedule over models of one's own."""

import itertools
import math
import random

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import random_hmm, reference_of

from bbans import HMM, Message, ModelError, SymbolError
from bbans.codecs import BitsBack, Iconoclasm, Repeat, Serial
from bbans.distributions import Categorical, Table, Uniform, Weighted
from bbans.errors import MessageError

EXACT = settings(derandomize=True, deadline=None)

HEAD = st.integers(31, 62).flatmap(lambda b: st.integers(2**b, 2 ** (b + 1) - 1))
TAIL = [random.Random(1).getrandbits(32) for _ in range(60)]
SMALL = st.tuples(st.integers(0, 2**31 - 1)).map(lambda head: (list(head), []))
STATE = SMALL | st.tuples(st.lists(HEAD, min_size=1, max_size=3), st.just(TAIL))

TABLE = Table([[0, 1, 6, 16], [0, 14, 15, 16]], 4)
PRIOR = Table([0, 5, 16], 4)
JOINT = [[5 * 1, 5 * 5, 5 * 10], [11 * 14, 11 * 1, 11 * 1]]  # p(z) p(x | z), 2^-8


def exact_posterior(x):
    return Weighted([JOINT[0][x], JOINT[1][x]])


def poor_posterior(x):
    return Weighted([1, 3])


CODECS = {
    "uniform": (Uniform(1000), 999),
    "uniform array": (Uniform(2**28, (2, 3)), [[1, 2, 3], [0, 5, 2**28 - 1]]),
    "categorical": (Categorical(TABLE), 2),
    "row": (Categorical(TABLE, 1), 2),
    "rows": (Categorical(TABLE, [[0, 1], [1, 0]]), [[2, 2], [0, 1]]),
    "shape": (Categorical(TABLE, 1, (3, 2)), [[0, 1], [2, 2], [1, 0]]),
    "rows and shape": (Categorical(TABLE, [0, 1], (3, 2)), [[0, 1], [2, 2], [1, 0]]),
    "weighted": (Weighted([0, 3, 0, 2**28 - 3]), 1),
    "weighted array": (Weighted([[[1, 0], [2, 3]]]), [[0, 1]]),
    "serial": (Serial([Categorical(TABLE), Uniform(9, 2)]), (1, [3, 8])),
    "repeat": (Repeat(Serial([Uniform(3), Uniform(4)]), 2), ((0, 1), (2, 3))),
    "no values": (Serial([]), ()),
    "no symbols": (Categorical(TABLE, shape=0), []),
    "bits back": (BitsBack(Categorical(PRIOR), lambda z: Categorical(TABLE, z),
                           exact_posterior), 2),
    "poor bits back": (BitsBack(Categorical(PRIOR), lambda z: Categorical(TABLE, z),
                                poor_posterior), 1),
}  # fmt: skip


def plain(value):
    """Arrays as lists, whatever they are in."""
    if isinstance(value, tuple):
        return tuple(plain(part) for part in value)
    return value.tolist() if isinstance(value, np.ndarray) else value


@pytest.mark.parametrize("name", CODECS)
@EXACT
@given(STATE)
def test_codecs_invert_in_both_orders(name, state):
    codec, value = CODECS[name]
    message = Message.from_state(*state)
    codec.push(message, value)
    popped = codec.pop(message)
    assert plain(popped) == value
    assert message.state() == state
    sample = codec.pop(message)
    codec.push(message, sample)
    assert message.state() == state


def test_types_of_values():
    message = Message.from_state([2**62], [7] * 20)
    for name in ("uniform", "categorical", "row", "weighted", "bits back"):
        assert type(CODECS[name][0].pop(message)) is int
    for name in ("uniform array", "rows", "shape", "weighted array"):
        array = CODECS[name][0].pop(message)
        assert array.dtype == np.uint32
        assert array.shape == np.shape(CODECS[name][1])
    assert type(CODECS["serial"][0].pop(message)) is tuple


def test_the_first_value_is_popped_first():
    message = Message()
    Serial([Uniform(10), Uniform(100)]).push(message, (3, 14))
    assert Uniform(10).pop(message) == 3
    Uniform(10).push(message, 3)
    assert Serial([Uniform(10), Uniform(100)]).pop(message) == (3, 14)


@pytest.mark.parametrize(
    ("codec", "value"),
    [
        (Uniform(10), [1]),
        (Uniform(10), 10),
        (Uniform(10), -1),
        (Uniform(10, 2), [1, 2, 3]),
        (Uniform(10, (2, 2)), [1, 2, 3, 4]),
        (Categorical(TABLE), [1]),
        (Categorical(TABLE), 3),
        (Categorical(TABLE), 1.0),
        (Categorical(TABLE, [0, 1]), [1]),
        (Categorical(TABLE, [0, 1]), 1),
        (Categorical(TABLE, np.array([0, 2]), copy=False), [1, 1]),
        (Categorical(TABLE, shape=3), [1, 1]),
        (Weighted([1, 2]), [0]),
        (Weighted([1, 2]), 2),
        (Weighted([1, 0]), 1),
        (Weighted([0, 0]), 0),
        (Weighted([[1, 2]]), 0),
        (Serial([Uniform(3)]), ()),
        (Serial([Uniform(3)]), (1, 2)),
        (Repeat(Uniform(3), 2), [1]),
        (Iconoclasm(HMM.random(2, 3, seed=0).freeze(), 2), [1]),
    ],
)
def test_values_that_cannot_be_pushed(codec, value):
    message = Message.from_state([2**50], [3])
    with pytest.raises(ModelError):
        codec.push(message, value)
    assert message.state() == ([2**50], [3])


@pytest.mark.parametrize("rows", [2, -1, [0, 2], [[0], [-1]], np.uint64(2**63)])
def test_rows_that_the_table_lacks(rows):
    with pytest.raises(ModelError, match=r"row .* is not 0 to 1"):
        Categorical(TABLE, rows)


# ---- bits back


@pytest.mark.parametrize("posterior", [exact_posterior, poor_posterior])
def test_bits_back_costs_what_the_elbo_says(posterior):
    """With the exact posterior that is -log2 p(x), for every x and every z."""
    codec = BitsBack(Categorical(PRIOR), lambda z: Categorical(TABLE, z), posterior)
    message = Message.from_state([2**40 + 12345], list(range(1, 99)))
    start, expected = message.state(), message.bits
    draw = random.Random(1)
    weights = [s + t for s, t in zip(*JOINT, strict=True)]
    xs = draw.choices(range(3), weights=weights, k=3000)
    for x in xs:
        before = message.copy()
        codec.push(message, x)
        if posterior is exact_posterior:
            expected -= math.log2((JOINT[0][x] + JOINT[1][x]) / 256)
        else:
            z = poor_posterior(x).pop(before)
            expected -= math.log2(JOINT[z][x] / 256) - math.log2([1, 3][z] / 4)
    assert abs(message.bits - expected) < 1e-4  # of 3000 symbols
    popped = [codec.pop(message) for _ in xs]
    assert popped == xs[::-1]
    assert message.state() == start


def test_bits_back_from_too_little():
    message = Message(2)
    codec = BitsBack(Uniform(2**28), lambda z: Uniform(2), lambda x: Uniform(2**28))
    with pytest.raises(MessageError):
        codec.push(message, 1)


# ---- IconoCLaSM over a frozen HMM


SIZES = [(1, 1, 1), (2, 3, 8), (7, 5, 24), (17, 20, 28)]


@pytest.mark.parametrize("T", [0, 1, 2, 30])
@pytest.mark.parametrize(("K", "M", "prec"), SIZES)
@pytest.mark.parametrize("integer", [0, 1, 2**40, 3**100])
def test_the_schedule_equals_the_reference(K, M, prec, T, integer):
    model = random_hmm(K, M, concentration=0.5, seed=K, prec=prec)
    xs = [random.Random(T).randrange(M) for _ in range(T)]
    theirs = ref.Message.from_int(integer)
    ours = Message.from_state(theirs.heads, theirs.tail)
    start = ours.state()
    codec = Iconoclasm(model.state_space(), T)
    codec.push(ours, xs)
    ref.schedule_push(reference_of(model), theirs, xs)
    assert ours.state() == (theirs.heads, theirs.tail)
    assert codec.pop(ours) == xs
    assert ours.state() == start


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_popped_sequence_is_a_sample_that_pushes_back(lanes):
    rng = np.random.default_rng(0)
    state = [2**62] * lanes, rng.integers(0, 2**32, 200).tolist()
    message = Message.from_state(*state)
    codec = Iconoclasm(random_hmm(5, 9, seed=1, prec=24).state_space(), 50)
    sample = codec.pop(message)
    assert len(set(sample)) > 1
    codec.push(message, sample)
    assert message.state() == state


def test_lengths_of_sequences():
    model = random_hmm(2, 3, prec=8).state_space()
    for value in ([], [1, 2], [1, 2, 0, 1]):
        with pytest.raises(SymbolError, match="expected 3"):
            Iconoclasm(model, 3).push(Message(), value)
    with pytest.raises(ModelError, match=r"length must be .* at least 0"):
        Iconoclasm(model, -1)
    with pytest.raises(SymbolError, match="7"):
        Iconoclasm(model, 1).push(Message(), [7])


# ---- IconoCLaSM over a model of one's own: latents and observations are arrays


class Rows:
    """Rows of bits, coded as the number of the row in a list."""

    def __init__(self, codec):
        self._codec = codec

    def push(self, message, row):
        self._codec.push(message, int(row @ [2, 1]))

    def pop(self, message):
        return STATES[self._codec.pop(message)]


STATES = [np.array(bits) for bits in itertools.product([0, 1], repeat=2)]
FLIP = Table.from_masses([[0.9, 0.1], [0.2, 0.8]], prec=8)  # each bit by itself
PIXEL = Table.from_masses([[0.9, 0.1], [0.5, 0.5], [0.02, 0.98]], prec=8)


def probability(table, rows, values):
    """Of independent symbols, in units of 2^-8 each."""
    p = 1
    for row, value in zip(rows, values, strict=True):
        p *= int(np.diff(table.cdf[row])[value])
    return p


class FactorialChain:
    """Two hidden bits, each a Markov chain; three pixels that depend on their sum.

    A belief is a list of integers, P(z_t, x_1..t) for each of the 4 states, scaled.
    """

    start_length = 30

    def __init__(self, exact):
        self._exact = exact

    def prior(self, z):
        return Categorical(FLIP, [0, 0] if z is None else z)

    def likelihood(self, z):
        return Categorical(PIXEL, int(z.sum()), 3)

    def update(self, belief, x):
        predicted = self._predicted(belief)
        likelihoods = [probability(PIXEL, [z.sum()] * 3, x) for z in STATES]
        weights = [p * q for p, q in zip(predicted, likelihoods, strict=True)]
        return [w * 2**24 // sum(weights) + 1 for w in weights]

    def posterior(self, belief, z_next):
        weights = belief
        if z_next is not None and self._exact:
            weights = [
                w * probability(FLIP, z, z_next)
                for w, z in zip(belief, STATES, strict=True)
            ]
            weights = [w * 2**24 // sum(weights) + 1 for w in weights]
        return Rows(Weighted(weights))  # if not exact: blind for z_t+1

    def predictive(self, belief):
        predicted = self._predicted(belief)
        joint = [
            sum(
                p * probability(PIXEL, [z.sum()] * 3, x)
                for p, z in zip(predicted, STATES, strict=True)
            )
            for x in PIXELS
        ]
        return PixelsOf(Weighted([w * 2**24 // sum(joint) + 1 for w in joint]))

    def _predicted(self, belief):
        if belief is None:
            return [probability(FLIP, [0, 0], z) for z in STATES]
        return [
            sum(
                w * probability(FLIP, last, z)
                for w, last in zip(belief, STATES, strict=True)
            )
            for z in STATES
        ]


PIXELS = [np.array(bits) for bits in itertools.product([0, 1], repeat=3)]


class PixelsOf:
    """Three pixels, coded as their number."""

    def __init__(self, codec):
        self._codec = codec

    def push(self, message, x):
        self._codec.push(message, int(x @ [4, 2, 1]))

    def pop(self, message):
        return PIXELS[self._codec.pop(message)]


def sample_of_the_chain(T):
    model, rng = FactorialChain(exact=True), np.random.default_rng(1)
    message = Message.from_state([2**62], rng.integers(0, 2**32, 2 * T).tolist())
    return Iconoclasm(model, T).pop(message)


def bits_of(x):
    """-log2 P(x), by the predictive distributions."""
    model, belief, bits = FactorialChain(exact=True), None, 0.0
    for value in x:
        weights = model.predictive(belief)._codec._given()["weights"]
        bits -= math.log2(weights[int(value @ [4, 2, 1])] / weights.sum())
        belief = model.update(belief, value)
    return bits


def test_a_model_of_ones_own_round_trips_and_a_poor_posterior_costs_more():
    T = 500
    x = sample_of_the_chain(T)
    start = [2**40], list(range(1, 20))
    net = {}
    for exact in (True, False):
        codec = Iconoclasm(FactorialChain(exact), T)
        message = Message.from_state(*start)
        before = message.bits
        codec.push(message, x)
        net[exact] = message.bits - before
        decoded = codec.pop(message)
        assert np.array_equal(decoded, x)
        assert message.state() == start
    assert net[True] == pytest.approx(bits_of(x), abs=0.01)
    assert net[True] + 0.05 * T < net[False] < net[True] + 2 * T


def test_shapes_of_a_model_of_ones_own():
    model = FactorialChain(exact=True)
    for x in ([0, 1], [[0, 1, 1]], 0):
        with pytest.raises(SymbolError):
            model.likelihood(STATES[1]).push(Message(), x)
