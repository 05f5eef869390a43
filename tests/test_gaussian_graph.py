"""Gaussian graphs: posteriors and messages are those of the reference, in any order,
and cost what a dense Gaussian says."""

import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import graph_orders, random_message

from bbans import LGSSM, CorruptError, Message, ModelError, SymbolError, check_codec
from bbans.codecs import GaussianGraph, Schedule, aligned, staircase

EXACT = settings(derandomize=True, deadline=None, max_examples=80)
VECTORS = json.loads(
    (Path(__file__).parent / "vectors/gaussian_graph_v1.json").read_text()
)


def fixed(nodes):
    """Nodes as the reference has them, in fixed point."""
    return {
        node: (
            list(parents),
            [round(w * 2**24) for w in weights],
            round(offset * 2**16),
            round(256 * math.log2(deviation)),
        )
        for node, (parents, weights, offset, deviation) in nodes.items()
    }


def real(nodes):
    """The nodes of a graph from fixed point; all is exact."""
    return {
        node: (
            parents,
            [w / 2**24 for w in weights],
            offset / 2**16,
            2 ** (scale / 256),
        )
        for node, (parents, weights, offset, scale) in nodes.items()
    }


def as_reference(message):
    plain = ref.Message()
    plain.heads, plain.tail = message.state()
    return plain


# ---- the reference


def test_the_vectors_are_whole():
    assert VECTORS["format"] == 1
    assert len(VECTORS["cases"]) == 10


@pytest.mark.parametrize("case", VECTORS["cases"])
def test_stored_messages(case):
    graph = GaussianGraph(real(dict(enumerate(case["nodes"]))))
    schedule = Schedule(graph, map(tuple, case["order"]))
    start = bytes.fromhex(case["start"])
    message, value = Message.from_bytes(start), dict(case["observed"])
    schedule.push(message, value)
    assert message.to_bytes().hex() == case["message"]
    assert schedule.pop(message) == value
    assert message.to_bytes() == start


@EXACT
@given(graph_orders(), st.integers(0, 2**32))
def test_any_order_of_any_graph_equals_the_reference(drawn, seed):
    parents, latent, order = drawn
    rng = np.random.default_rng(seed)
    nodes = {
        node: (
            above,
            (rng.normal(size=len(above)) * 10.0 ** rng.integers(-3, 4)).tolist(),
            float(rng.normal() * 100),
            float(2.0 ** rng.integers(-12, 30)),
        )
        for node, above in parents.items()
    }
    message = random_message(1, seed=seed, words=200)
    before, plain = message.copy(), as_reference(message)
    value = {node: int(rng.integers(-99, 99)) for node in parents if node not in latent}
    schedule = Schedule(GaussianGraph(nodes), order)
    schedule.push(message, value)
    ref.gaussian_graph_push(plain, fixed(nodes), order, value)
    assert message.state() == (plain.heads, plain.tail)
    assert schedule.pop(message) == value
    assert message == before


# ---- what it costs


def levels(n_levels, length, deviation=16.0):
    """Levels in time, that of the data first."""
    nodes = {}
    for t in range(1, length + 1):
        for level in range(1, n_levels + 1):
            parents, weights = [], []
            if level < n_levels:
                parents, weights = [("z", level + 1, t)], [0.6]
            if t > 1:
                parents, weights = [*parents, ("z", level, t - 1)], [*weights, 0.5]
            nodes["z", level, t] = parents, weights, 0.0, deviation
        nodes["x", t] = [("z", 1, t)], [1.0], 3.5, deviation
    return nodes


def dense(nodes):
    """Mean and covariance of the observations of levels, rounding included."""
    names = list(nodes)
    at = {node: i for i, node in enumerate(names)}
    weights = np.zeros((len(names), len(names)))
    for node, (parents, row, _, _) in nodes.items():
        weights[at[node], [at[p] for p in parents]] = row
    offset = np.array([law[2] for law in nodes.values()])
    variance = np.array([law[3] ** 2 + 1 / 12 for law in nodes.values()])
    total = np.linalg.inv(np.eye(len(names)) - weights)
    seen = [at[node] for node in names if node[0] == "x"]
    cov = total * variance @ total.T
    return (total @ offset)[seen], cov[np.ix_(seen, seen)]


def drawn_levels(nodes, count, seed):
    """Observations, with their information content in bits."""
    mean, cov = dense(nodes)
    rng = np.random.default_rng(seed)
    rounding = np.eye(len(mean)) / 12
    rows = np.rint(rng.multivariate_normal(mean, cov - rounding, count)).astype(int)
    error = rows - mean
    nats = (error * np.linalg.solve(cov, error.T).T).sum(1)
    nats += np.linalg.slogdet(2 * np.pi * cov)[1]
    values = [{("x", t): int(v) for t, v in enumerate(row, 1)} for row in rows]
    return values, nats / 2 / math.log(2)


@pytest.mark.parametrize("order", [aligned, staircase])
@pytest.mark.parametrize(("n_levels", "length"), [(1, 12), (2, 12), (4, 6)])
def test_every_order_costs_the_information_content(order, n_levels, length):
    nodes = levels(n_levels, length)
    values, bits = drawn_levels(nodes, 40, seed=n_levels)
    schedule = Schedule(GaussianGraph(nodes), order(n_levels, length))
    message = random_message(1, seed=1)
    before = message.bits
    for value in values:
        schedule.push(message, value)
    # 40 sequences of up to 24 latents: 0.02 bits each, of 25 to 80.
    assert message.bits - before == pytest.approx(bits.sum(), abs=0.8)
    for value in reversed(values):
        assert schedule.pop(message) == value


def test_startup_depends_on_neither_length_nor_levels():
    def startup(order, n_levels, length):
        nodes = levels(n_levels, length)
        schedule = Schedule(GaussianGraph(nodes), order(n_levels, length))
        values, _ = drawn_levels(nodes, 6, seed=2)
        return max(schedule.startup(value, seed=3) for value in values)

    assert startup(aligned, 2, 40) < startup(aligned, 2, 5) + 4
    assert startup(staircase, 2, 40) < startup(staircase, 2, 5) + 4
    # Each level is a latent of some 5 bits above what the data say of it.
    assert startup(staircase, 8, 12) < startup(staircase, 2, 12) + 6
    assert startup(aligned, 8, 12) > startup(aligned, 2, 12) + 20


def test_levels_as_a_state_space_model():
    """One latent a level: the same law of the observations."""
    model = LGSSM.hierarchy(
        [0.5, 0.5, 0.5], [0.6, 0.6], [256.0] * 3, 1.0, 256.0, observation_offset=3.5
    )
    length = 12
    start = np.linalg.cholesky(model.parameters()["initial_cov"])
    nodes = levels(3, length)
    for level in (3, 2, 1):  # the first step, stationary: each given those above
        above = list(range(3, level, -1))
        cov = (start @ start.T)[::-1, ::-1]
        i = len(above)
        weights = np.linalg.solve(cov[:i, :i], cov[:i, i])
        parents = [("z", other, 1) for other in above]
        variance = cov[i, i] - weights @ cov[:i, i]
        nodes["z", level, 1] = parents, weights.tolist(), 0.0, math.sqrt(variance)
    nodes = {node: nodes[node] for node in sorted(nodes, key=lambda v: v[-1])}
    values, bits = drawn_levels(nodes, 20, seed=4)
    rows = [[value["x", t] for t in range(1, length + 1)] for value in values]
    # Latents of a state space model in floats are not rounded.
    assert sum(map(model.information_content, rows)) == pytest.approx(bits.sum(), abs=1)
    schedule = Schedule.eager(
        GaussianGraph(nodes),
        [("z", level, t) for t in range(length, 0, -1) for level in (1, 2, 3)],
        [("x", t) for t in range(1, length + 1)],
    )
    frozen, message = model.freeze(), random_message(1, seed=12)
    before = message.bits
    for value in values:
        schedule.push(message, value)
    assert message.bits - before == pytest.approx(bits.sum(), abs=1)
    # In messages of their own: whole bytes, and up to 10 bits to start.
    sizes = [8 * len(frozen.encode(row)) for row in rows]
    assert 0 <= np.mean(sizes) - bits.mean() < 10


# ---- many at a time, and long ones


def test_arrays_over_lanes():
    nodes = levels(2, 5)
    values, bits = drawn_levels(nodes, 64, seed=5)
    arrays = {node: np.array([v[node] for v in values]) for node in values[0]}
    order = staircase(2, 5)
    schedule = Schedule(GaussianGraph(nodes).batch(64), order)
    message = random_message(64, seed=6)
    before = message.copy()
    schedule.push(message, arrays)
    assert message.bits - before.bits == pytest.approx(bits.sum(), abs=2)
    found = schedule.pop(message)
    assert all((found[node] == arrays[node]).all() for node in arrays)
    assert message == before
    # One in an array is coded as one alone.
    alone, single = (
        before.copy(),
        Message.from_state([2**50 + 7], range(9**5, 9**5 + 99)),
    )
    again = single.copy()
    Schedule(GaussianGraph(nodes), order).push(single, values[0])
    one = {node: np.array([v]) for node, v in values[0].items()}
    Schedule(GaussianGraph(nodes).batch(1), order).push(again, one)
    assert single == again != alone


def test_long_sequences_and_their_messages():
    length = 1500
    nodes = levels(1, length)
    value = drawn_levels(levels(1, 50), 30, seed=7)[0]
    value = {("x", t): value[t // 50]["x", t % 50 + 1] for t in range(length)}
    value = {("x", t + 1): v for (_, t), v in value.items()}
    schedule = Schedule(GaussianGraph(nodes), staircase(1, length))
    schedule = pickle.loads(pickle.dumps(schedule))
    data = schedule.encode(value)
    assert schedule.decode(data) == value
    damaged = bytearray(data)
    damaged[len(data) // 2] ^= 16
    with pytest.raises(CorruptError):
        schedule.decode(bytes(damaged))


def test_check_codec():
    nodes = levels(2, 3)
    values, bits = drawn_levels(nodes, 10, seed=8)
    schedule = Schedule(GaussianGraph(nodes), aligned(2, 3))
    report = check_codec(values, schedule)
    assert report.bits == pytest.approx(bits.mean(), abs=0.1)


def test_values_and_posteriors_far_out():
    """Locations are cut off; the data come back all the same."""
    nodes = {"z": ((), (), 0, 1e6), "x": (["z"], [1e6], 2**45, 1e3)}
    schedule = Schedule.eager(GaussianGraph(nodes), ["z"], ["x"])
    for x in [2**63 - 1, -(2**63), 0, 10**15]:
        message = random_message(1, seed=9)
        before = message.copy()
        schedule.push(message, {"x": x})
        assert schedule.pop(message) == {"x": x}
        assert message == before


# ---- refusals


@pytest.mark.parametrize(
    ("nodes", "error"),
    [
        (3, "nodes must be a mapping"),
        ({"a": ((), ())}, "'a' must have parents, weights, offset and deviation"),
        ({"a": (["b"], [1.0], 0, 1)}, "'b', a parent of 'a', is no other node"),
        ({"a": (["a"], [1.0], 0, 1)}, "'a', a parent of 'a', is no other node"),
        ({"a": ((), [1.0], 0, 1)}, "a weight for each of its different parents"),
        (
            {"a": ((), (), 0, 1), "b": (["a", "a"], [1, 1], 0, 1)},
            "a weight for each of its different parents",
        ),
        ({"a": ((), (), 0, 1), "b": (["a"], [2**24], 0, 1)}, "less than"),
        ({"a": ((), (), 0, 1), "b": (["a"], [math.nan], 0, 1)}, "less than"),
        ({"a": ((), (), 2.0**50, 1)}, "offset or deviation of 'a': location"),
        ({"a": ((), (), 0, 0)}, "offset or deviation of 'a': scale"),
    ],
)
def test_what_is_no_graph(nodes, error):
    with pytest.raises(ModelError, match=error):
        GaussianGraph(nodes)


def test_what_cannot_be_coded():
    nodes = {"z": ((), (), 0, 30), "x": (["z"], [1], 0, 9)}
    graph = GaussianGraph(nodes)
    with pytest.raises(ModelError, match="no node 'y'"):
        Schedule.eager(graph, ["y"], ["x"])
    with pytest.raises(ModelError, match="use a Schedule"):
        graph.posterior("z", {"x": 3})
    schedule = Schedule.eager(graph, ["z"], ["x"])
    for x in [1.5, 2**63, [1]]:
        with pytest.raises(SymbolError, match="the value of 'x'"):
            schedule.push(random_message(1, seed=10), {"x": x})
    schedule = Schedule.eager(GaussianGraph(nodes).batch(3), ["z"], ["x"])
    with pytest.raises(SymbolError, match="must be 3 integers"):
        schedule.push(random_message(1, seed=11), {"x": np.arange(4)})
    assert repr(graph) == "<GaussianGraph of 2 nodes>"
    assert graph.nodes == ("z", "x")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (([0.5], [1.0], [1.0], 1.0, 1.0), "1 transitions need as many"),
        (([0.5, 0.5], [1.0], [1.0], 1.0, 1.0), "not 1 and 1"),
        (([[[0.5, 0]], 0.5], [1.0], [1.0, 1.0], 1.0, 1.0), r"transitions\[0\]"),
        (([0.5, 0.5], [[[1.0, 2.0]]], [1.0, 1.0], 1.0, 1.0), r"couplings\[0\]"),
        (([0.5, 0.5], [1.0], [1.0, np.eye(2)], 1.0, 1.0), r"transition_covs\[1\]"),
        (([0.5, 0.5], [1.0], [1.0, 1.0], [[1.0, 2.0]], 1.0), "observation must have"),
    ],
)
def test_what_is_no_hierarchy(arguments, error):
    with pytest.raises(ModelError, match=error):
        LGSSM.hierarchy(*arguments)
