"""Structured transitions: what training keeps, and what coding them costs."""

import itertools
import math

import numpy as np
import pytest

from bbans import HMM, FactorialHMM, Message, ModelError
from bbans.codecs import decode_sequence, encode_sequence
from bbans.models import Statistics, Topology, information_content

TOPOLOGIES = {
    "left to right": Topology.left_to_right(6),
    "Bakis": Topology.left_to_right(6, jump=2),
    "banded": Topology.banded(6, 1),
    "cyclic": Topology.banded(6, 1, cyclic=True),
    "sparse": Topology(
        np.ones(6, bool), np.random.default_rng(0).random((6, 6)) < 0.3 + np.eye(6)
    ),
}


def data(seed=0, n=40):
    """Sequences whose symbols change their kind as they go on."""
    rng = np.random.default_rng(seed)
    return [
        (np.sort(rng.integers(0, 5, 60)) + (rng.random(60) < 0.2)) for _ in range(n)
    ]


@pytest.mark.parametrize("pseudo_count", [0.1, (0.0, 0.0, 0.01)])
@pytest.mark.parametrize("name", TOPOLOGIES)
def test_training_keeps_zeros_and_lowers_the_objective(name, pseudo_count):
    topology = TOPOLOGIES[name]
    model = HMM.fit(
        data(), 6, topology=topology, n_iter=25, tol=0, pseudo_count=pseudo_count
    )
    assert not model.transition[~topology.transition].any()
    assert not model.initial[~topology.initial].any()
    if pseudo_count == 0.1:  # and no other zeros come
        assert (model.transition[topology.transition] > 0).all()
    objective = [h.objective for h in model.history]
    assert len(objective) > 10
    assert all(math.isfinite(value) for value in objective)
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(objective))
    again = HMM.fit(data(1), 6, init=model, n_iter=3)
    assert not again.transition[~topology.transition].any()


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_coding_costs_what_the_tables_say(name):
    """Forbidden transitions have one slot of 2^24 each: all is codable, and data of
    the model cost no more than its frozen tables and 10 bits say."""
    model = HMM.fit(data(), 6, topology=TOPOLOGIES[name], n_iter=25)
    frozen = model.freeze()
    for y in (model.sample(20_000, seed=9)[0], model.sample(60, seed=8)[0]):
        message = encode_sequence(y, frozen)
        # docs/maths.md, "A sequence as one message"
        flag = 3.9 if message.peek(16)[0] == 15 else 0
        over = 8 * len(message.to_bytes()) - information_content(y, frozen)
        assert -15 <= over <= 10.1 + flag + 1e-4 * len(y)
        assert np.array_equal(decode_sequence(message, frozen, len(y)), y)
    # Starting anew in the middle takes forbidden transitions.
    x = np.concatenate([model.sample(60, seed=k)[0] for k in range(3)])
    message = encode_sequence(x, frozen)
    assert np.array_equal(decode_sequence(message, frozen, len(x)), x)
    y = model.sample(20_000, seed=9)[0]
    tables = information_content(y, frozen) - model.information_content(y)
    assert tables <= 2 * 1.4 * 12 * 2.0**-24 * len(y) + 1e-3


def test_topologies():
    assert Topology.left_to_right(4).transition.sum() == 10
    assert Topology.left_to_right(4, jump=1).transition.sum() == 7
    assert Topology.left_to_right(1).initial.tolist() == [True]
    assert Topology.banded(4, 0).transition.sum() == 4
    assert Topology.banded(5, 2, cyclic=True).transition.all()
    with pytest.raises(ModelError, match="1 to 4096"):
        Topology.banded(0, 1)


@pytest.mark.parametrize(
    ("topology", "text"),
    [
        (Topology.banded(5, 1), "initial has shape"),
        (Topology(np.ones(6, bool), np.ones((5, 6), bool)), "transition has shape"),
        (Topology(np.zeros(6, bool), np.ones((6, 6), bool)), "initial row 0"),
        (Topology(np.ones(6, bool), np.eye(6) - np.eye(6)), "transition row 0"),
    ],
)
def test_topologies_that_cannot_be(topology, text):
    with pytest.raises(ModelError, match=text):
        HMM.fit(data(), 6, topology=topology)


def test_a_topology_or_init():
    with pytest.raises(ModelError, match="no other"):
        HMM.fit(
            data(), 6, topology=Topology.banded(6, 1), init=HMM.random(6, 6, seed=0)
        )


# ---- factorial


def chains(rng, sizes=(2, 3)):
    return [
        (rng.dirichlet(np.ones(n)), rng.dirichlet(np.full(n, 0.3), n)) for n in sizes
    ]


def test_the_joint_states_are_those_of_the_chains():
    rng = np.random.default_rng(0)
    (a, A), (b, B) = chains(rng)
    emission = rng.dirichlet(np.ones(4), (2, 3))
    model = FactorialHMM([(a, A), (b, B)], emission)
    for i, j in itertools.product(range(2), range(3)):
        assert model.initial[3 * i + j] == pytest.approx(a[i] * b[j])
        assert np.array_equal(model.emission[3 * i + j], emission[i, j])
        for k, m in itertools.product(range(2), range(3)):
            assert model.transition[3 * i + j, 3 * k + m] == pytest.approx(
                A[i, k] * B[j, m]
            )
    same = FactorialHMM([(a, A), (b, B)], emission.reshape(6, 4))
    assert np.array_equal(same.emission, model.emission)
    # By enumeration: two chains, each with its own path.
    x, total = [0, 3, 1], 0.0
    for z, w in itertools.product(itertools.product(range(2), repeat=3),
                                  itertools.product(range(3), repeat=3)):  # fmt: skip
        p = a[z[0]] * b[w[0]]
        for t in (1, 2):
            p *= A[z[t - 1], z[t]] * B[w[t - 1], w[t]]
        total += p * math.prod(emission[z[t], w[t], x[t]] for t in range(3))
    assert model.information_content(x) == pytest.approx(-math.log2(total))


def test_training_keeps_the_chains_independent():
    rng = np.random.default_rng(1)
    emission = rng.dirichlet(np.full(8, 0.2), (2, 3, 2))
    true = FactorialHMM(chains(rng, (2, 3, 2)), emission)
    x = [true.sample(300, seed=k)[0] for k in range(8)]
    start = FactorialHMM(chains(rng, (2, 3, 2)), rng.dirichlet(np.ones(8), 12))
    model = HMM.fit(x, 12, init=start, n_iter=30, tol=0)
    assert isinstance(model, FactorialHMM)
    joint = np.kron(np.kron(model.chains[0][1], model.chains[1][1]), model.chains[2][1])
    assert np.allclose(model.transition, joint, atol=1e-15)
    objective = [h.objective for h in model.history]
    assert len(objective) > 20
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(objective))
    assert objective[-1] < 0.95 * objective[0]


def test_maximise_is_the_mean_of_the_chains_own_counts():
    rng = np.random.default_rng(2)
    model = FactorialHMM(chains(rng), rng.dirichlet(np.ones(4), 6))
    # Counts of known chains: the first always moves on, the second stays.
    first, second = np.roll(np.eye(2), 1, axis=1), np.eye(3)
    counts = Statistics(
        np.kron([1, 0], [0, 0, 5]), np.kron(first, second), np.ones((6, 4)), 0.0, 1, 1
    )
    (a, A), (b, B) = model.maximise(counts, pseudo_count=0).chains
    assert a.tolist() == [1, 0]
    assert b.tolist() == [0, 0, 1]
    assert np.array_equal(A, first)
    assert np.array_equal(B, second)


def test_it_freezes_into_the_ordinary_engine():
    rng = np.random.default_rng(3)
    model = FactorialHMM(chains(rng, (3, 4)), rng.dirichlet(np.full(5, 0.3), (3, 4)))
    frozen = model.freeze()
    x, _ = model.sample(10_000, seed=0)
    data = encode_sequence(x, frozen).to_bytes()
    content = information_content(x, frozen)
    assert -15 <= 8 * len(data) - content <= 10.1 + 1e-4 * len(x)
    message = Message.from_bytes(data)
    assert np.array_equal(decode_sequence(message, frozen, len(x)), x)


@pytest.mark.parametrize(
    ("parts", "shape", "text"),
    [
        ([], (1, 2), "at least one"),
        ([([1, 0], [[1, 0], [0, 1]])], (3, 2), "emission must have shape"),
        ([([1, 0], [[1, 0], [0, 1]])] * 2, (2, 3, 2), "emission must have shape"),
        ([([1, 0], [[1, 0], [0, 2]])], (2, 2), "transition row 1"),
        ([([1, 0], [[1]])], (2, 2), "shapes"),
        ([(np.full(64, 1 / 64), np.eye(64))] * 3, (64**3, 1), "states"),
    ],
)
def test_factorial_models_that_cannot_be(parts, shape, text):
    with pytest.raises(ModelError, match=text):
        FactorialHMM(parts, np.full(shape, 1 / shape[-1]))


def test_random_and_fitted_ones_have_their_chains():
    model = FactorialHMM.random((2, 3), 4, seed=0)
    assert [initial.size for initial, _ in model.chains] == [2, 3]
    x, _ = model.sample(3000, seed=1)
    fitted = FactorialHMM.fit(x, [2, 3], n_iter=20, seed=2)
    assert isinstance(fitted, FactorialHMM)
    assert [initial.size for initial, _ in fitted.chains] == [2, 3]
    # It has learnt something, and less than a model that is free to.
    free = HMM.fit(x, 6, n_iter=20, seed=2)
    bits = [m.history[-1].information_content for m in (free, fitted)]
    assert bits[0] < bits[1] + 0.02
    assert bits[1] < fitted.history[0].information_content - 0.005
    single = FactorialHMM.fit(iter(["abab", "ba"]), 2, n_iter=1, alphabet="abc")
    assert (len(single.chains), single.n_symbols, single.kind) == (1, 3, "text")
    again = FactorialHMM.fit(x, [2, 3], n_iter=0, init=fitted)
    assert np.array_equal(again.emission, fitted.emission)
    with pytest.raises(ModelError, match="joint states"):
        FactorialHMM.fit(x, (65, 64))
    with pytest.raises(ModelError, match="another kind"):
        FactorialHMM.fit(x, 6, init=free)
