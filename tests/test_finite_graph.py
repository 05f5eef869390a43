"""Finite graphs: posteriors and messages are those of the reference, and cost what the
graph says, by enumeration."""

import itertools
import json
import math
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import graph_orders, random_message

from bbans import CorruptError, Message, ModelError, SymbolError
from bbans.codecs import FiniteGraph, Hierarchy, Schedule, aligned, staircase
from bbans.distributions import Gaussian, Uniform

EXACT = settings(derandomize=True, deadline=None, max_examples=60)


class Spent:
    """A message that adds up what values cost under their laws, with no rounding."""

    def __init__(self, message):
        self.message, self.bits = message, 0.0

    def pop(self, law):
        z = self.message.pop(law)
        self.bits += math.log2(self._share(law, z))
        return z

    def push(self, law, value):
        self.message.push(law, value)
        self.bits -= math.log2(self._share(law, value))

    def _share(self, law, value):
        (weights,) = law._arrays
        return int(weights[value]) / int(weights.sum())


def random_graph(parents, seed, *, zeros=True):
    """Nodes of 1 to 4 values, with weights of all sizes, rows of any sum."""
    rng = np.random.default_rng(seed)
    size = {node: int(rng.integers(1, 5)) for node in parents}
    nodes = {}
    for node, above in parents.items():
        shape = [size[v] for v in (*above, node)]
        weights = rng.integers(1, 2 ** rng.integers(1, 25, shape))
        if zeros:
            weights *= rng.random(shape) < 0.8
            weights[..., -1] += weights.sum(-1) == 0
        nodes[node] = (above, weights)
    return nodes


def draw(nodes, rng):
    """Values of all nodes, from the graph; parents come first."""
    values = {}
    for node, (parents, weights) in nodes.items():
        row = weights[tuple(values[v] for v in parents)]
        values[node] = int(rng.choice(len(row), p=row / row.sum()))
    return values


def evidence(nodes, values):
    """The probability of these values, the other nodes summed out."""
    missing = [node for node in nodes if node not in values]
    total = Fraction(0)
    for rest in itertools.product(*(range(nodes[v][1].shape[-1]) for v in missing)):
        each, joint = {**values, **dict(zip(missing, rest, strict=True))}, Fraction(1)
        for node, (parents, weights) in nodes.items():
            row = weights[tuple(each[v] for v in parents)]
            joint *= Fraction(int(row[each[node]]), int(row.sum()))
        total += joint
    return total


def reference_of(nodes, order):
    return ref.Graph({v: (above, w.tolist()) for v, (above, w) in nodes.items()}, order)


def coins(n, weights):
    """n throws of one of two coins, after each other."""
    nodes = {"coin": ((), np.array([1, 1]))}
    return nodes | {t: (("coin",), np.array(weights)) for t in range(n)}


@EXACT
@given(graph_orders(), st.integers(0, 2**32))
def test_any_order_costs_the_information_content(graph, seed):
    parents, latent, order = graph
    nodes = random_graph(parents, seed)
    values = draw(nodes, np.random.default_rng(seed))
    x = {v: values[v] for v in parents if v not in latent}
    schedule = Schedule(FiniteGraph(nodes), order)
    message = random_message(1, seed, words=50)
    state = message.state()
    spent = Spent(message)
    schedule.push(spent, x)
    assert spent.bits == pytest.approx(-math.log2(evidence(nodes, x)), abs=1e-4)
    assert schedule.pop(message) == x
    assert message.state() == state


@EXACT
@given(graph_orders(), st.integers(0, 2**32))
def test_bytes_are_those_of_the_reference(graph, seed):
    parents, latent, order = graph
    nodes = random_graph(parents, seed)
    values = draw(nodes, np.random.default_rng(seed))
    x = {v: values[v] for v in parents if v not in latent}
    schedule, plain = Schedule(FiniteGraph(nodes), order), reference_of(nodes, order)
    ours = Message.from_bytes(b"random bits, of which there are enough")
    theirs = ref.Message.from_bytes(ours.to_bytes())
    schedule.push(ours, x)
    plain.push(theirs, x)
    assert ours.to_bytes() == theirs.to_bytes()
    assert plain.pop(theirs) == x
    assert schedule.encode(x) == plain.encode(x)
    assert schedule.decode(schedule.encode(x)) == x


class Recorder:
    """A message that notes the weights of latents, and draws the mode."""

    def __init__(self):
        self.rows = []

    def pop(self, law):
        self.rows.append(law._arrays[0])
        return law.mode()

    def push(self, law, value):
        assert np.shape(value) == law.shape


@EXACT
@given(graph_orders(), st.integers(0, 2**32), st.integers(1, 6))
def test_sequences_side_by_side(graph, seed, n):
    """On several lanes, each with the posteriors that it has by itself."""
    parents, latent, order = graph
    nodes = random_graph(parents, seed)
    rng = np.random.default_rng(seed)
    each = [draw(nodes, rng) for _ in range(n)]
    alone = [{v: x[v] for v in parents if v not in latent} for x in each]
    batch = {v: np.array([x[v] for x in alone]) for v in alone[0]}
    single = FiniteGraph(nodes)
    schedule = Schedule(FiniteGraph(nodes, n), order)
    message = random_message(n, seed, words=50 * n)
    state = message.state()
    schedule.push(message, batch)
    back = schedule.pop(message)
    assert all(np.array_equal(back[v], batch[v]) for v in batch)
    assert message.state() == state
    together = Recorder()
    schedule.push(together, batch)
    for i, x in enumerate(alone):
        recorder = Recorder()
        Schedule(single, order).push(recorder, x)
        for ours, theirs in zip(together.rows, recorder.rows, strict=True):
            assert ours[i].tolist() == theirs.tolist()


def test_values_of_a_shape():
    nodes = coins(2, [[7, 1, 1], [1, 1, 7]])
    schedule = Schedule.eager(FiniteGraph(nodes, (3, 2)), ["coin"], range(2))
    good = np.array([[0, 1], [2, 0], [1, 1]])
    message = random_message(4, 0)
    before = message.copy()
    schedule.push(message, {0: good, 1: good.astype(np.uint8)})
    back = schedule.pop(message)
    assert np.array_equal([back[0], back[1]], [good, good])
    assert message == before
    for bad in (1, [1, 2], good + 1, good - 1, good / 1, good.ravel()):
        with pytest.raises(SymbolError, match="the value of 1"):
            schedule.push(random_message(4, 0), {0: good, 1: bad})
    with pytest.raises(ModelError, match="side by side"):
        schedule.encode({0: good, 1: good})
    with pytest.raises(ModelError, match="no elements"):
        FiniteGraph(nodes, (2, 0))


def long_graph(length, seed, *, observed_parents=False):
    """Two levels in time; an observation may depend on the one before."""
    rng = np.random.default_rng(seed)
    tops, lows, emissions = (
        rng.integers(1, 2 ** rng.integers(1, 16, shape))
        for shape in ((3, 3), (3, 2, 2), (2, 4, 4))
    )
    nodes = {}
    for t in range(1, length + 1):
        high, low, x = ("z", 2, t), ("z", 1, t), ("x", t)
        nodes[high] = ([("z", 2, t - 1)], tops) if t > 1 else ([], tops[0])
        nodes[low] = ([high, ("z", 1, t - 1)], lows) if t > 1 else ([high], lows[:, 0])
        if observed_parents and t > 1:
            nodes[x] = ([low, ("x", t - 1)], emissions)
        else:
            nodes[x] = ([low], emissions[:, 0])
    return nodes


ORDERS = {"aligned": aligned, "staircase": staircase}


@pytest.mark.parametrize("observed_parents", [False, True])
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("length", [1, 5, 30, 90])
def test_a_message_of_its_own(length, order, observed_parents):
    """Some begin with a range code, followed by bits back; the short ones are range
    codes as a whole."""
    nodes = long_graph(length, length, observed_parents=observed_parents)
    steps = ORDERS[order](2, length)
    if observed_parents:
        pops = [step[1] for step in steps if step[0] == "pop"]
        backwards = [("x", t) for t in range(length, 0, -1)]
        schedule = Schedule.eager(FiniteGraph(nodes), pops, backwards)
    else:
        schedule = Schedule(FiniteGraph(nodes), steps)
    plain = reference_of(nodes, schedule.order)
    rng, overs = np.random.default_rng(length), []
    for _ in range(5):
        values = draw(nodes, rng)
        x = {v: values[v] for v in schedule.observed}
        data = schedule.encode(x)
        assert schedule.decode(data) == x
        if length <= 30:
            assert data == plain.encode(x)
            assert plain.decode(data) == x
        spent = Spent(random_message(1, 0))
        schedule.push(spent, x)
        overs.append(8 * len(data) - spent.bits)
    assert max(overs) < 10.1


def test_a_start_of_little_information_is_flagged():
    """Where the range code of the start is short by chance, all is range coded."""
    nodes = coins(140, [[7, 1, 1], [1, 1, 7]])
    schedule = Schedule.eager(FiniteGraph(nodes), ["coin"], range(140))
    plain, flags = reference_of(nodes, schedule.order), []
    assert plain.start() == 127  # each 0.36 bits or more
    for fill in (0, 2):
        for rest in range(3):
            x = dict.fromkeys(range(127), fill) | dict.fromkeys(range(127, 140), rest)
            data = schedule.encode(x)
            flags.append(int(Message.from_bytes(data).peek(16)[0]) == 15)
            assert data == plain.encode(x)
            assert plain.decode(data) == x
            assert schedule.decode(data) == x
    assert flags == [True] * 3 + [False] * 3  # the code of zeros is the fraction 0


@EXACT
@given(st.binary(min_size=0, max_size=16), st.sampled_from([8, 60]))
def test_what_decodes_is_what_was_encoded(data, length):
    """Other bytes are refused."""
    nodes = coins(length, [[7, 0, 1], [1, 1, 7]])
    schedule = Schedule.eager(FiniteGraph(nodes), ["coin"], range(length))
    try:
        values = schedule.decode(data)
    except CorruptError:
        return
    assert schedule.encode(values) == data


@pytest.mark.parametrize("order", ORDERS)
def test_damage_is_refused_or_is_another_message(order):
    nodes = long_graph(60, 3)
    schedule = Schedule(FiniteGraph(nodes), ORDERS[order](2, 60))
    values = draw(nodes, np.random.default_rng(1))
    data = schedule.encode({v: values[v] for v in schedule.observed})
    refused = 0
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit // 8] ^= 1 << bit % 8
        for damaged in (bytes(bad), data[: bit // 8]):
            try:
                decoded = schedule.decode(damaged)
            except CorruptError:
                refused += 1
            else:
                assert schedule.encode(decoded) == damaged
    assert refused > 0


def test_graphs_that_are_none():
    def refuse(nodes, text):
        with pytest.raises(ModelError, match=text):
            FiniteGraph(nodes)

    refuse([1], "nodes must be a mapping")
    refuse({"z": [1, 2, 3]}, "'z' must have parents and weights")
    refuse({"z": ((), [0.5, 0.5])}, "'z' must be an array of integers")
    refuse({"z": ((), 3)}, "'z' must be an array of integers")
    refuse({"z": ((), [1, -1])}, "'z' must be 0 to")
    refuse({"z": ((), [1, 2**28])}, r"row \[\] of the weights of 'z'")
    refuse({"z": ((), np.empty((0,), int))}, "'z' must be 0 to")
    refuse({"z": ((), [1, 1]), "x": (["z"], [[1, 1], [0, 0]])}, r"row \[1\].*'x'")
    refuse({"x": (["z"], [[1, 1], [1, 0]])}, "'z', a parent of 'x', is no node")
    nodes = {"z": ((), [1, 1, 1]), "x": (["z"], [[1, 1], [1, 0]])}
    refuse(nodes, r"'x' must have a shape of \(3, 2\).* not \(2, 2\)")
    refuse({"z": (["z"], [[1, 1], [1, 1]])}, "shape")


def test_tables_that_would_be_too_large_are_named():
    """A latent with many children is popped before them, not after."""
    nodes = {"z": ((), [1, 1])} | {i: (("z",), [[3, 1], [1, 3]]) for i in range(25)}
    graph = FiniteGraph(nodes)
    Schedule.eager(graph, ["z", *range(25)], [])
    with pytest.raises(ModelError, match=r"'z' needs a table of 67108864 .* 25 other"):
        Schedule.eager(graph, [*range(25), "z"], [])


def test_observations_of_many_values_need_a_table_too():
    nodes = {"z": ((), np.ones(2**10, int)), "x": (["z"], np.ones((2**10, 2**15), int))}
    schedule = Schedule.eager(FiniteGraph(nodes), ["z"], ["x"])
    with pytest.raises(ModelError, match=r"'x' needs a table.*Give `initial_bits`"):
        schedule.encode({"x": 7})
    data = schedule.encode({"x": 7}, initial_bits=b"some bits to start from")
    assert schedule.decode(data, initial_bits=b"some bits to start from") == {"x": 7}
    with pytest.raises(CorruptError, match="initial bits"):
        schedule.decode(data, initial_bits=b"other bits to begin with")


def test_values_that_cannot_be_coded():
    nodes = {"z": ((), [0, 1, 1]), "x": (["z"], [[1, 0, 0], [0, 1, 0], [0, 1, 1]])}
    graph = FiniteGraph(nodes)
    for schedule in (
        Schedule.eager(graph, ["z"], ["x"]),
        Schedule.eager(graph, [], ["z", "x"]),
    ):
        rest = {"z": 1} if "z" in schedule.observed else {}
        for code in (schedule.encode, lambda v, s=schedule: s.push(Message(), v)):
            for x in (0, 3, -1, 0.5, None, "1"):
                with pytest.raises(SymbolError):
                    code({**rest, "x": x})
    with pytest.raises(ModelError, match="no node 'y'"):
        Schedule.eager(graph, ["z"], ["x", "y"])
    with pytest.raises(ModelError, match="use a Schedule"):
        graph.posterior("z", {"x": 1})


def test_observations_alone_and_graphs_of_nothing():
    """Without latents all is plain range coding and stacking."""
    step = np.eye(3, dtype=int) + 1
    nodes = {0: ((), step[0])} | {t: ([t - 1], step) for t in range(1, 90)}
    schedule = Schedule.eager(FiniteGraph(nodes), [], range(90))
    x = draw(nodes, np.random.default_rng(2))
    assert schedule.encode(x) == reference_of(nodes, schedule.order).encode(x)
    assert schedule.decode(schedule.encode(x)) == x
    nothing = Schedule(FiniteGraph({}), [])
    assert nothing.decode(nothing.encode({})) == {}


def test_schedules_are_pickled():
    nodes = coins(9, [[7, 1, 1], [1, 1, 7]])
    schedule = Schedule.eager(FiniteGraph(nodes), ["coin"], range(9))
    again, x = pickle.loads(pickle.dumps(schedule)), dict.fromkeys(range(9), 1)
    assert again.encode(x) == schedule.encode(x)
    assert "10 nodes" in repr(FiniteGraph(nodes))
    assert FiniteGraph(nodes).nodes == tuple(nodes)


VECTORS = json.loads((Path(__file__).parent / "vectors/graph_v1.json").read_text())


def test_the_vectors_are_whole():
    assert VECTORS["format"] == 1
    assert len(VECTORS["cases"]) == 15


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_messages_are_the_stored_ones(case):
    """Of this version, and of the reference, which decodes them too."""
    tables, values = case["tables"], case["values"]
    nodes = {name: (above, tables[i]) for name, above, i in case["nodes"]}
    actions = {"-": "pop", "+": "push"}
    order = [(actions[step[0]], step[1:]) for step in case["order"]]
    schedule, plain = Schedule(FiniteGraph(nodes), order), ref.Graph(nodes, order)
    start, pushed = bytes.fromhex(case["start"]), bytes.fromhex(case["pushed"])
    message = Message.from_bytes(start)
    schedule.push(message, values)
    assert message.to_bytes() == pushed
    assert schedule.pop(message) == values
    assert message.to_bytes() == start
    data = bytes.fromhex(case["bytes"])
    assert schedule.encode(values) == data
    assert schedule.decode(data) == values
    if len(values) <= 40:
        assert plain.encode(values) == data
        assert plain.decode(data) == values
        theirs = ref.Message.from_bytes(pushed)
        assert plain.pop(theirs) == values
        assert theirs.to_bytes() == start


# ---- hierarchies in time


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("length", [0, 1, 2, 7])
def test_memory_of_hierarchies(levels, length):
    model = Hierarchy(levels, *[lambda *given: Uniform(2)] * 3)
    least = min(levels, 1 + (levels - 1) * (length > 0)) if length else 0
    assert Schedule(model, aligned(levels, length)).memory == (
        least + (length > 1) if length else 0
    )
    memory = Schedule(model, staircase(levels, length)).memory
    assert memory <= min(levels, length) + 2


def weak_graph(levels, length):
    """Transitions that say little, 2 states a level."""
    rng = np.random.default_rng(levels)

    def masses(*shape):
        return np.rint(rng.dirichlet(np.full(shape[-1], 5.0), shape[:-1]) * 2**24)

    firsts = [masses(2, 2) for _ in range(levels - 1)] + [masses(2)]
    steps = [masses(2, 2, 2) for _ in range(levels - 1)] + [masses(2, 2)]
    firsts, steps = ([a.astype(int) for a in arrays] for arrays in (firsts, steps))
    emission, nodes = masses(2, 32).astype(int), {}
    for t in range(1, length + 1):
        for level in range(levels, 0, -1):
            above = [("z", level + 1, t)] if level < levels else []
            before = [("z", level, t - 1)] if t > 1 else []
            weights = (steps if t > 1 else firsts)[level - 1]
            nodes["z", level, t] = (above + before, weights)
        nodes["x", t] = ([("z", 1, t)], emission)
    return nodes


@pytest.mark.parametrize(("levels", "length"), [(1, 16), (4, 16), (8, 16), (4, 300)])
def test_startup_of_a_staircase_depends_on_neither_levels_nor_steps(levels, length):
    nodes = weak_graph(levels, length)
    values = draw(nodes, np.random.default_rng(1))
    schedule = Schedule(FiniteGraph(nodes), staircase(levels, length))
    x = {v: values[v] for v in schedule.observed}
    assert schedule.startup(x) < 2
    assert schedule.memory <= levels + 2
    aligned_order = Schedule(FiniteGraph(nodes), aligned(levels, length))
    assert aligned_order.startup(x) < levels + 1


def test_a_hierarchy_of_the_users_laws():
    """Gaussian levels with posteriors that are only near."""

    def prior(level, above, before):
        known = [z for z in (above, before) if z is not None]
        return Gaussian(sum(known) / 2, 20.0 * level)

    def posterior(level, t, known):
        below = known["x", t] if level == 1 else known["z", level - 1, t]
        return Gaussian(below, 6.0 * level, leak=False)

    model = Hierarchy(3, prior, lambda z: Gaussian(z, 5.0), posterior)
    rng = np.random.default_rng(0)
    for length in (0, 1, 12):
        x = {("x", t): int(rng.integers(-50, 50)) for t in range(1, length + 1)}
        schedule = Schedule(model, aligned(3, length))
        message = random_message(1, 0)
        before = message.copy()
        schedule.push(message, x)
        net = message.bits - before.bits
        assert schedule.pop(message) == x
        assert message == before
        data = schedule.encode(x)
        assert schedule.decode(data) == x
        # Three latents a step, a few of them at their modes.
        assert 8 * len(data) < net + 6 * 12 + 16
        if length:
            for bit in range(0, 8 * len(data), 5):
                bad = bytearray(data)
                bad[bit // 8] ^= 1 << bit % 8
                try:
                    decoded = schedule.decode(bytes(bad))
                except CorruptError:
                    continue
                assert schedule.encode(decoded) == bad
    assert "3 levels" in repr(model)
