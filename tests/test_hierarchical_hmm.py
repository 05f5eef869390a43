"""Hidden Markov models of several levels, against enumeration; training, freezing."""

import itertools
import math
import threading

import numpy as np
import pytest

import bbans
from bbans import HMM, HierarchicalHMM, Message, ModelError
from bbans.codecs import Schedule, aligned, staircase
from bbans.codecs.metered import random_bits
from bbans.distributions import Weighted
from bbans.models import Statistics, information_content
from bbans.records import decode_batch, encode_batch

SIZES = [(3,), (2, 3), (3, 2, 2), (1, 3, 2), (2, 1, 3)]


def random_model(sizes, n_symbols=4, seed=0, concentration=0.5):
    return HierarchicalHMM.random(
        list(sizes), n_symbols, concentration=concentration, seed=seed
    )


def states(sizes):
    """All states, in the order of their numbers z^1 + K_1 (z^2 + K_2 (..))."""
    return [z[::-1] for z in itertools.product(*map(range, sizes[::-1]))]


def first(model, z):
    """P(z_1), from its definition."""
    p = model.initial[-1][z[-1]]
    for i in range(len(z) - 1):
        p *= model.initial[i][z[i + 1]][z[i]]
    return p


def step(model, before, z):
    """P(z_t | z_t-1), from its definition."""
    p = model.transition[-1][before[-1]][z[-1]]
    for i in range(len(z) - 1):
        p *= model.transition[i][z[i + 1]][before[i]][z[i]]
    return p


def paths(model, x):
    """All paths with P(path, x)."""
    for path in itertools.product(states(model.n_states), repeat=len(x)):
        p = first(model, path[0])
        for before, z in itertools.pairwise(path):
            p *= step(model, before, z)
        for z, symbol in zip(path, x, strict=True):
            p *= model.emission[z[0]][symbol]
        yield path, p


@pytest.mark.parametrize("sizes", SIZES)
def test_the_joint_states_are_those_of_the_levels(sizes):
    model = random_model(sizes)
    joint = model.to_hmm()
    assert type(joint) is HMM
    assert joint.n_states == math.prod(sizes)
    for i, z in enumerate(states(sizes)):
        assert joint.initial[i] == pytest.approx(first(model, z))
        assert np.array_equal(joint.emission[i], model.emission[z[0]])
        for j, after in enumerate(states(sizes)):
            assert joint.transition[i, j] == pytest.approx(step(model, z, after))


@pytest.mark.parametrize("sizes", SIZES)
def test_information_content_sums_over_all_paths(sizes):
    model = random_model(sizes, seed=1)
    x = [0, 3, 1] if math.prod(sizes) > 6 else [0, 3, 1, 1]
    total = sum(p for _, p in paths(model, x))
    assert model.information_content(x) == pytest.approx(-math.log2(total))
    assert model.information_content([]) == 0


@pytest.mark.parametrize("sizes", SIZES)
def test_an_update_is_that_of_each_levels_own_counts(sizes):
    """Expected counts by enumeration, normalised."""
    model, x = random_model(sizes, seed=2), [0, 2, 1]
    initial = [np.zeros_like(p) for p in model.initial]
    transition = [np.zeros_like(p) for p in model.transition]
    emission = np.zeros_like(model.emission)
    total = sum(p for _, p in paths(model, x))
    for path, p in paths(model, x):
        for i in range(len(sizes)):
            initial[i][(*path[0][i + 1 : i + 2], path[0][i])] += p / total
            for before, z in itertools.pairwise(path):
                transition[i][(*z[i + 1 : i + 2], before[i], z[i])] += p / total
        for z, symbol in zip(path, x, strict=True):
            emission[z[0], symbol] += p / total
    updated = model.maximise(model.expect([x]), pseudo_count=(0.5, 0.25, 0.125))
    for found, counts, extra in zip(
        (*updated.initial, *updated.transition, updated.emission),
        (*initial, *transition, emission),
        [0.5] * len(sizes) + [0.25] * len(sizes) + [0.125],
        strict=True,
    ):
        rows = counts + extra
        np.testing.assert_allclose(found, rows / rows.sum(axis=-1, keepdims=True))


@pytest.mark.parametrize("sizes", [(4,), (3, 3), (3, 2, 2)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_training_lowers_the_objective(sizes, dtype):
    truth = random_model(sizes, 6, seed=3, concentration=0.3)
    x = [truth.sample(T, seed=T)[0] for T in (400, 30, 1, 0, 200)]
    model = HierarchicalHMM.fit(x, list(sizes), n_iter=40, tol=0, dtype=dtype, seed=4)
    objective = [entry.objective for entry in model.history]
    assert len(objective) > 20 if dtype == np.float64 else len(objective) > 5
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(objective))
    assert objective[-1] < 0.95 * objective[0]
    bits = sum(model.information_content(part) for part in x)
    rate = model.history[-1].information_content
    assert bits / 631 == pytest.approx(rate, rel=1e-9 if dtype == np.float64 else 1e-4)


def test_training_keeps_zeros():
    stay = np.eye(2)
    model = HierarchicalHMM(
        [[[0.5, 0.5], [1, 0]], [1, 0]],
        [[stay, [[0.5, 0.5]] * 2], [[0.9, 0.1], [0, 1]]],
        [[0.6, 0.4], [0.4, 0.6]],
    )
    x = [model.sample(50, seed=k)[0] for k in range(9)]
    fitted = HierarchicalHMM.fit(x, init=model, n_iter=5)
    assert fitted.initial[0][1].tolist() == [1, 0]
    assert fitted.initial[1].tolist() == [1, 0]
    assert fitted.transition[0][0].tolist() == stay.tolist()
    assert fitted.transition[1][1].tolist() == [0, 1]
    assert fitted.history[-1].objective < fitted.history[0].objective


def test_training_finds_the_levels_of_data_that_have_them():
    """A level above that changes seldom, which states of one level cannot tell."""
    truth = HierarchicalHMM(
        [np.full((2, 3), 1 / 3), [0.5, 0.5]],
        [
            [np.roll(np.eye(3), 1, axis=1), np.roll(np.eye(3), -1, axis=1)],
            [[0.98, 0.02], [0.02, 0.98]],
        ],
        np.eye(3) * 0.85 + 0.05,
    )
    x = [truth.sample(2000, seed=k)[0] for k in range(4)]
    test, _ = truth.sample(5000, seed=9)
    best = min(
        (HierarchicalHMM.fit(x, [3, 2], seed=k, n_iter=60) for k in range(4)),
        key=lambda model: model.history[-1].objective,
    )
    content = truth.information_content(test)
    assert best.information_content(test) < 1.01 * content
    flat = HMM.fit(x, 3, n_iter=60)  # as many emissions
    assert flat.information_content(test) > 1.1 * content


def test_threads_and_passes_change_no_bit():
    truth = random_model((3, 2), 5, seed=5)
    x = [truth.sample(300, seed=k)[0] for k in range(30)]
    models = [
        HierarchicalHMM.fit(data, [2, 2], n_iter=3, threads=threads)
        for data, threads in ((x, 1), (x, 3), (iter(x), 2), (lambda: iter(x), 2))
    ]
    seen = []
    HierarchicalHMM.fit(x, [2, 2], n_iter=3, callback=seen.append)
    assert len(seen) == 3
    half = HierarchicalHMM.fit(x, [2, 2], n_iter=1)
    models += [seen[-1], HierarchicalHMM.fit(x, init=half, n_iter=2)]
    for model in models[1:]:
        assert np.array_equal(model.emission, models[0].emission)
        for a, b in zip(model.transition, models[0].transition, strict=True):
            assert np.array_equal(a, b)


def test_one_level_is_an_hmm():
    model = random_model((4,), 5, seed=6)
    joint = model.to_hmm()
    x, z = model.sample(500, seed=1)
    assert z.shape == (500, 1)
    assert np.array_equal(x, joint.sample(500, seed=1)[0])
    counts = joint.expect([x])
    ours, theirs = model.maximise(counts), joint.maximise(counts)
    assert np.array_equal(ours.transition[0], theirs.transition)
    assert np.array_equal(ours.emission, theirs.emission)
    # A frozen one has the same tables, and so the same distribution.
    frozen, flat = model.freeze(), joint.freeze()
    assert np.array_equal(frozen.transition[0], flat.transition)
    assert information_content(x, frozen) == information_content(x, flat)


def test_samples_have_the_states_that_emitted_them():
    model = HierarchicalHMM(
        [np.eye(3)[[0, 2]], [0, 1]],
        [[np.roll(np.eye(3), 1, axis=1), np.eye(3)], [[0.5, 0.5], [0.5, 0.5]]],
        np.eye(3),
        alphabet="abc",
    )
    x, z = model.sample(1000, seed=0)
    assert z.dtype == np.int64
    assert z[0].tolist() == [2, 1]
    assert np.array_equal(x, z[:, 0] + ord("a"))
    moved = (z[1:, 0] - z[:-1, 0]) % 3
    assert np.array_equal(moved, 1 - z[1:, 1])  # as the level above says, now
    assert 400 < z[:, 1].sum() < 600
    assert model.sample(0, seed=0)[1].shape == (0, 2)


# ---- frozen


@pytest.mark.parametrize("sizes", [(5,), (4, 3), (3, 2, 2), (2,) * 8])
@pytest.mark.parametrize("predictive", [False, True])
def test_a_sequence_costs_what_the_model_says(sizes, predictive):
    model = random_model(sizes, 6, seed=7)
    frozen = model.freeze(predictive=predictive)
    assert frozen.n_states == model.n_states == sizes
    for T in (1, 3, 50, 3000):
        x, _ = model.sample(T, seed=T)
        data = frozen.encode(x)
        assert np.array_equal(frozen.decode(data, T), x)
        content = information_content(x, frozen)
        assert content == pytest.approx(model.information_content(x), abs=1e-4 * T)
        # docs/maths.md, "A sequence as one message"
        assert -8 <= 8 * len(data) - content <= 14 + 1e-3 * T


def test_freezing_keeps_what_was_frozen():
    model = random_model((4, 3), 6, seed=8, concentration=0.1)
    frozen = model.freeze(16)
    again = HierarchicalHMM.from_frozen(frozen)
    assert all((mass >= 1).all() for mass in frozen.transition)
    assert again.freeze(16) == frozen
    assert frozen.prec == 16
    assert model.freeze().prec == 24
    for ours, mass in zip(model.transition, frozen.transition, strict=True):
        np.testing.assert_allclose(mass / 2.0**16, ours, atol=2e-4)


def test_it_is_a_model_like_any_other(tmp_path):
    """Files, containers, batches, the kind of data."""
    text = "the cat sat on the mat; the dog sat on the log. " * 20
    model = HierarchicalHMM.fit(text, [6, 2], n_iter=15, seed=1)
    frozen = model.freeze()
    assert frozen.kind == model.kind == "text"
    path = tmp_path / "m.bbm"
    frozen.save(path)
    assert bbans.load_model(path) == frozen
    assert bbans.decompress(bbans.compress(text, frozen), frozen) == text
    rows = [text[:k] for k in (0, 1, 7, 100, 900)]
    data, offsets = encode_batch(rows, frozen)
    lengths = [len(row) for row in rows]
    assert list(decode_batch(data, offsets, lengths, frozen)) == rows
    found = []
    encode = threading.Thread(target=lambda: found.append(frozen.encode(text)))
    encode.start()
    encode.join()
    assert found == [frozen.encode(text)]


# ---- as a graph


@pytest.mark.parametrize("sizes", [(4,), (3, 2), (2, 2, 2)])
@pytest.mark.parametrize("order", [aligned, staircase])
def test_orders_over_time_and_levels_cost_what_the_model_says(sizes, order):
    model = random_model(sizes, 5, seed=9)
    frozen = model.freeze()
    for T in (1, 2, 7, 60):
        x, _ = model.sample(T, seed=T)
        values = {("x", t): int(symbol) for t, symbol in enumerate(x, 1)}
        schedule = Schedule(frozen.graph(T), order(len(sizes), T))
        content = information_content(x, frozen)
        excess = []
        for seed in range(20 if T < 60 else 5):
            message = random_bits(np.random.default_rng(seed))
            before = message.bits
            schedule.push(message, values)
            excess.append(message.bits - before - content)
            assert schedule.pop(message) == values
        # The sum telescopes (docs/maths.md, "Schedules"). What the head of a message
        # rounds is some 0.02 bits either way.
        assert abs(np.mean(excess)) < 0.03
        assert schedule.memory <= len(sizes) + 2
        data = schedule.encode(values)
        assert -8 <= 8 * len(data) - content <= 10
        assert schedule.decode(data) == values


def test_a_graph_has_the_conditionals_of_the_model():
    frozen = random_model((3, 2), 4, seed=1).freeze()
    graph = frozen.graph(2)
    assert list(graph.parents(("z", 1, 2))) == [("z", 2, 2), ("z", 1, 1)]
    assert list(graph.parents(("z", 2, 1))) == []
    for law, values, table in (
        (("z", 1, 2), {("z", 2, 2): 1, ("z", 1, 1): 2}, frozen.transition[0][1, 2]),
        (("z", 1, 1), {("z", 2, 1): 1}, frozen.initial[0][1]),
        (("x", 2), {("z", 1, 2): 2}, frozen.emission[2]),
    ):
        message = Message.from_bytes(bytes(99) + b"\1")
        graph.conditional(law, values).push(message, 1)
        same = Message.from_bytes(bytes(99) + b"\1")
        Weighted(table).push(same, 1)
        assert message == same
    with pytest.raises(ModelError, match="length"):
        frozen.graph(0)


# ---- mistakes

ROW, PAIR = [0.5, 0.5], [[0.5, 0.5]] * 2


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: HierarchicalHMM([], [], PAIR), "number of levels"),
        (lambda: HierarchicalHMM([ROW], [], PAIR), "number of levels of transition"),
        (
            lambda: HierarchicalHMM([ROW], [[PAIR] * 2, PAIR], PAIR),
            "must have 1 levels",
        ),
        (lambda: HierarchicalHMM(3, [PAIR], PAIR), "initial must be a list"),
        (lambda: HierarchicalHMM([PAIR, ROW], [PAIR, PAIR], PAIR), r"transition\[0\]"),
        (
            lambda: HierarchicalHMM([ROW, ROW], [[PAIR] * 2, PAIR], PAIR),
            r"initial\[0\]",
        ),
        (
            lambda: HierarchicalHMM([PAIR, ROW], [[PAIR] * 3, PAIR], PAIR),
            r"transition\[0\] must have shape \(2, 2, 2\), not \(3, 2, 2\)",
        ),
        (
            lambda: HierarchicalHMM([ROW], [PAIR], [ROW] * 3),
            "must have 2 rows",
        ),
        (lambda: HierarchicalHMM([[1, 1]], [PAIR], PAIR), r"initial\[0\] must be"),
        (lambda: HierarchicalHMM([ROW], [PAIR], PAIR, alphabet="abc"), "alphabet"),
        (lambda: HierarchicalHMM.random(4, 2, seed=0), "must be a list"),
        (lambda: HierarchicalHMM.random([2] * 9, 2, seed=0), "number of levels"),
        (lambda: HierarchicalHMM.random([64, 65], 2, seed=0), "4096 joint states"),
        (lambda: HierarchicalHMM.random([2, 0], 2, seed=0), "n_states"),
        (
            lambda: HierarchicalHMM.random([2], 2, concentration=0, seed=0),
            "concentration",
        ),
        (lambda: HierarchicalHMM.fit("abab"), "n_states"),
        (lambda: HierarchicalHMM.fit([[]], [2, 2]), "no data"),
        (lambda: HierarchicalHMM.fit("ab", [2, 2], init=3), "init must be"),
        (
            lambda: HierarchicalHMM.fit([0, 1], [2, 3], init=random_model((2, 2), 2)),
            r"init has \(2, 2\) states, and n_states is \(2, 3\)",
        ),
        (
            lambda: HierarchicalHMM.fit(
                [0, 2], init=random_model((2, 2), 3), alphabet=4
            ),
            r"init codes Alphabet\(3\), not Alphabet\(4\)",
        ),
        (lambda: HierarchicalHMM.fit("ab", [2, 2], tol=-1), "tol"),
        (lambda: HierarchicalHMM.from_frozen(3), "FrozenHierarchicalHMM"),
        (
            lambda: random_model((2, 2)).maximise(
                Statistics(np.ones(3), np.ones((3, 3)), np.ones((3, 4)), 1.0, 1, 1)
            ),
            "4 states and 4 symbols",
        ),
    ],
)
def test_models_that_cannot_be(make, text):
    with pytest.raises(ModelError, match=text):
        make()
