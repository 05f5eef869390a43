"""Schedules: every valid order of any graph decodes at the model's rate; the ones that
have names give the same bytes as their own codecs."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import (
    HEADS,
    graph_orders,
    random_hmm,
    random_lgssm,
    random_message,
    random_observations,
    random_vae,
)

from bbans import (
    CorruptError,
    Message,
    ModelError,
    SymbolError,
    check_codec,
    check_model,
)
from bbans.codecs import BitsBack, Dependent, Iconoclasm, Schedule, encode_sequence
from bbans.distributions import Categorical, Gaussian, Table, Uniform, Weighted
from bbans.frozen.head import latents_law

EXACT = settings(derandomize=True, deadline=None, max_examples=60)
STATES = 3


class Finite:
    """A graph of nodes of 3 states, its posteriors exact by enumeration."""

    def __init__(self, parents, seed):
        self._parents = parents
        rng = np.random.default_rng(seed)
        self.masses = {
            node: rng.integers(20, 99, (STATES,) * (len(above) + 1))
            for node, above in parents.items()
        }

    def parents(self, node):
        return self._parents[node]

    def row(self, node, values):
        return self.masses[node][tuple(values[p] for p in self._parents[node])]

    def conditional(self, node, values):
        assert list(values) == list(self._parents[node])
        return Weighted(self.row(node, values))

    def likelihood(self, values):
        """P of all nodes, as a float."""
        rows = {node: self.row(node, values) for node in self._parents}
        return math.prod(row[values[n]] / row.sum() for n, row in rows.items())

    def evidence(self, values):
        """P of these nodes, the others summed out."""
        missing = [node for node in self._parents if node not in values]
        return sum(
            self.likelihood({**values, **dict(zip(missing, states, strict=True))})
            for states in itertools.product(range(STATES), repeat=len(missing))
        )

    def posterior(self, node, known):
        # What is pushed has no children among the rest, so it sums to 1.
        weights = [self.evidence({**known, node: z}) for z in range(STATES)]
        return Weighted([int(w / sum(weights) * 2**22) for w in weights])


@EXACT
@given(graph_orders(), st.integers(0, 2**32))
def test_any_valid_order_decodes_at_the_information_content(graph, seed):
    parents, latent, order = graph
    model = Finite(parents, seed)
    schedule = Schedule(model, order)
    rng = np.random.default_rng(seed)
    x = {v: int(rng.integers(STATES)) for v in parents if v not in latent}
    message = random_message(1, seed, words=50)
    before, state = message.bits, message.state()
    schedule.push(message, x)
    assert message.bits - before == pytest.approx(
        -math.log2(model.evidence(x)), abs=0.02
    )
    assert schedule.pop(message) == x
    assert message.state() == state


@EXACT
@given(graph_orders())
def test_no_order_of_these_pops_has_less_memory_than_the_eager_one(graph):
    parents, latent, order = graph
    model = Finite(parents, 0)
    pops = [node for action, node in order if action == "pop"]
    eager = Schedule.eager(model, pops, [v for v in parents if v not in latent])
    assert [node for action, node in eager.order if action == "pop"] == pops
    assert eager.memory <= Schedule(model, order).memory


CHAIN = {"z2": [], "z1": ["z2"], "x": ["z1"], "y": ["z1", "x"]}
ORDER = "-z1 +y +x -z2 +z1 +z2"


def steps(text):
    return [({"-": "pop", "+": "push"}[s[0]], s[1:]) for s in text.split()]


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ("-z1 +y +x +z1 -z2 +z2", r"order\[3\], push 'z1': pop 'z2' before"),
        ("+y -z1 +x -z2 +z1 +z2", r"order\[0\], push 'y': pop 'z1' before"),
        ("-z1 +x +y -z2 +z1 +z2", r"order\[2\], push 'y': its parent 'x' was pushed"),
        ("-z1 -z2 +z1 +y +x +z2", r"order\[3\], push 'y': its parent 'z1' was pushed"),
        ("-z1 +y +x -z2 +z1", "order: 'z2' is not pushed, a parent of 'z1'"),
        ("-z1 -z2 -w +y +x +z1 +z2", "order: 'w' is popped, but not pushed"),
        ("-z1 -z1 +y +x -z2 +z1 +z2", r"order\[1\], pop 'z1': it was popped before"),
        ("-z1 +y +y +x -z2 +z1 +z2", r"order\[2\], push 'y': it was pushed before"),
    ],
)
def test_orders_that_are_not_valid_are_named(order, text):
    Schedule(Finite(CHAIN, 0), steps(ORDER))
    with pytest.raises(ModelError, match=text):
        Schedule(Finite(CHAIN, 0), steps(order))


def test_steps_and_graphs_that_are_none():
    model = Finite(CHAIN, 0)
    with pytest.raises(ModelError, match=r"order\[0\].*a step is"):
        Schedule(model, [("peek", "x")])
    with pytest.raises(ModelError, match=r"order\[0\].*not 'z1'.*Schedule\.eager"):
        Schedule(model, ["z1", "z2"])
    with pytest.raises(ModelError, match="given twice"):
        Schedule.eager(model, ["z1", "z2"], ["x", "y", "x"])
    with pytest.raises(ModelError, match="'z2' is not pushed, a parent of 'z1'"):
        Schedule.eager(model, ["z1"], ["x", "y"])
    with pytest.raises(ModelError, match="cycle"):
        Schedule.eager(Finite({"a": ["b"], "b": ["a"]}, 0), ["a"], ["b"])


def test_a_posterior_sees_what_both_sides_have():
    seen = {}

    class Looks(Finite):
        def posterior(self, node, known):
            seen.setdefault(node, []).append((list(known), len(known), "x" in known))
            return Uniform(STATES)

    schedule = Schedule(Looks(CHAIN, 0), steps(ORDER))
    message = random_message(1, 0)
    schedule.push(message, {"x": 1, "y": 2})
    schedule.pop(message)
    assert seen == {  # the sender's and the receiver's
        "z1": [(["y", "x"], 2, True)] * 2,
        "z2": [(["z1"], 1, False)] * 2,
    }


def test_a_posterior_that_looks_at_what_is_pushed_is_refused():
    class Looks(Finite):
        def posterior(self, node, known):
            assert known.get("nothing", 7) == 7
            return Uniform(1 + known["x"])

    schedule = Schedule(Looks(CHAIN, 0), steps(ORDER))
    with pytest.raises(ModelError, match=r"posterior of 'z2' looks at 'x'.*\['z1'\]"):
        schedule.push(random_message(1, 0), {"x": 1, "y": 2})


def test_laws_that_are_no_codecs():
    class Pairs(Finite):
        def posterior(self, node, known):
            return 0.0, 2.0

    class Rows(Finite):
        def conditional(self, node, values):
            return self.row(node, values)

        def posterior(self, node, known):
            return Uniform(STATES)

    for model, name in ((Pairs, "posterior"), (Rows, "conditional")):
        schedule = Schedule(model(CHAIN, 0), steps(ORDER))
        with pytest.raises(ModelError, match=f"`{name}` returns must be a codec"):
            schedule.push(random_message(1, 0), {"x": 1, "y": 2})


def test_values_that_cannot_be_pushed():
    class Blind(Finite):
        def posterior(self, node, known):
            return Uniform(STATES)

    schedule = Schedule(Blind(CHAIN, 0), steps(ORDER))
    wrong = {"'y' is missing": {"x": 1}, "'z1' is none": {"x": 1, "y": 1, "z1": 0}}
    for text, value in wrong.items():
        with pytest.raises(SymbolError, match=f"the 2 observed nodes.*: {text}"):
            schedule.push(random_message(1, 0), value)
    with pytest.raises(ModelError, match="value must be a mapping"):
        schedule.push(random_message(1, 0), 3)
    with pytest.raises(SymbolError, match=r"'y' cannot be coded: symbol 9"):
        schedule.push(random_message(1, 0), {"x": 2, "y": 9})


def test_startup_and_memory_are_those_of_the_order():
    """24 fair bits in one latent, which x holds; 24 more in another."""

    class Bits:
        def parents(self, node):
            return {"x": ["z"], "z": ["w"], "w": []}[node]

        def conditional(self, node, values):
            return Uniform(2**24)

        def posterior(self, node, known):
            return Uniform(2**24)

    swap = Schedule(Bits(), steps("-z +x -w +z +w"))
    both = Schedule(Bits(), steps("-z -w +x +z +w"))
    assert (swap.memory, both.memory) == (2, 2)
    assert swap.startup({"x": 5}) == pytest.approx(24, abs=1e-3)
    assert both.startup({"x": 5}, seed=3) == pytest.approx(48, abs=1e-3)
    report = check_codec([{"x": 5}], both)
    assert report.startup == pytest.approx(48, abs=1e-3)
    assert report.bits == pytest.approx(24, abs=1e-3)
    assert "2 outstanding" in repr(swap)


# ---- orders with names


class Hierarchy:
    """Gaussians in a row, x last, with a posterior for each way to draw them."""

    def __init__(self, upwards, skip):
        self._upwards, self._skip = upwards, skip
        self._nodes = ["z3", "z2", "z1", "x"]

    def parents(self, node):
        above = self._nodes[: self._nodes.index(node)]
        return above if self._skip else above[-1:]

    def conditional(self, node, values):
        return self.prior(*values.values())

    def prior(self, *above):
        return Gaussian(sum(np.float64(z) for z in above), 9.0 / (1 + len(above)))

    def posterior(self, node, known):
        if self._upwards:
            below = self._nodes[self._nodes.index(node) + 1]
            return self.upwards(known[below])
        return self.downwards(known["x"], *(z for n, z in known.items() if n != "x"))

    def upwards(self, below):
        return Gaussian(0.5 * below, 3.0, leak=False)

    def downwards(self, x, *above):
        return Gaussian(0.25 * x - 0.1 * sum(above), 3.0, leak=False)


def test_bits_back_is_a_schedule():
    prior = Table.from_masses([0.5, 0.3, 0.2])
    emission = Table.from_masses([[8, 1, 1], [1, 1, 8], [2, 9, 1]])

    class Model:
        def parents(self, node):
            return {"x": ["z"], "z": []}[node]

        def conditional(self, node, values):
            return Categorical(emission, values["z"]) if values else Categorical(prior)

        def posterior(self, node, known):
            return Weighted([1, 1 + known["x"], 5])

    schedule = Schedule.eager(Model(), ["z"], ["x"])
    codec = BitsBack(
        Categorical(prior),
        lambda z: Categorical(emission, z),
        lambda x: Weighted([1, 1 + x, 5]),
    )
    for x in range(3):
        ours, theirs = random_message(1, x), random_message(1, x)
        schedule.push(ours, {"x": x})
        codec.push(theirs, x)
        assert ours == theirs
        assert codec.pop(ours) == x


def test_bit_swap_is_nested_bits_back():
    model = Hierarchy(upwards=True, skip=False)
    schedule = Schedule.eager(model, ["z1", "z2", "z3"], ["x"])
    codec = BitsBack(
        BitsBack(
            BitsBack(model.prior(), model.prior, model.upwards),
            model.prior,
            model.upwards,
        ),
        model.prior,
        model.upwards,
    )
    ours, theirs = random_message(1, 4), random_message(1, 4)
    schedule.push(ours, {"x": 12})
    codec.push(theirs, 12)
    assert ours == theirs
    assert schedule.memory == 2
    assert schedule.pop(ours) == {"x": 12}


def test_top_down_levels_are_bits_back_over_dependent_parts():
    """HiLLoC's order: all latents from the top, then x."""
    model = Hierarchy(upwards=False, skip=True)
    schedule = Schedule.eager(model, ["z3", "z2", "z1"], ["x"])
    codec = BitsBack(
        Dependent([model.prior()] + [model.prior] * 2),
        lambda z: model.prior(*z),
        lambda x: Dependent([lambda *above: model.downwards(x, *above)] * 3),
    )
    ours, theirs = random_message(1, 5), random_message(1, 5)
    schedule.push(ours, {"x": -7})
    codec.push(theirs, -7)
    assert ours == theirs
    assert schedule.memory == 3
    assert codec.pop(theirs) == -7


def assert_same(decoded, rows):
    """In the order of decoding."""
    assert np.array_equal(np.reshape([*decoded.values()], rows.shape), rows)


@pytest.mark.parametrize(
    ("model", "observation"),
    [
        (random_hmm(4, 5, seed=1), lambda rng: int(rng.integers(5))),
        (random_hmm(3, 2, seed=1, concentration=0.1), lambda rng: 0),
        (random_lgssm(2, 1, 3).freeze(), lambda rng: int(rng.integers(-9, 9))),
        (
            random_vae(HEADS[0], [3, 2], seed=1).freeze(
                random_observations(HEADS[0], 30, seed=1)
            ),
            lambda rng: rng.integers(0, 2, 6, np.int32),
        ),
    ],
    ids=["hmm", "little", "lgssm", "vae"],
)
@pytest.mark.parametrize("T", [0, 1, 5, 200])
def test_iconoclasm_is_a_schedule(model, observation, T):
    steps, rng = model.state_space(), np.random.default_rng(0)
    x = [observation(rng) for _ in range(T)]
    rows = np.reshape(np.array(x, np.int32), (T, *np.shape(observation(rng))))
    value = {("x", t): each for t, each in enumerate(x)}
    schedule = Schedule.iconoclasm(steps, T)
    ours, theirs, engines = (random_message(1, 6, words=3000) for _ in range(3))
    schedule.push(ours, value)
    Iconoclasm(steps, T).push(theirs, x)
    model.push(engines, rows)
    assert ours == theirs == engines
    assert schedule.memory == min(T, 2)
    assert_same(schedule.pop(ours), rows)
    data = schedule.encode(value)
    assert data == encode_sequence(rows, model).to_bytes()
    assert_same(schedule.decode(data), rows)
    if T:
        report = check_model(value, schedule, samples=2)
        assert report.message == 8 * len(data)
        other = check_model(rows, model, samples=2)
        assert report._replace(memory=None) == other


def test_models_that_look_back_are_no_small_graph():
    class LooksBack:
        def likelihood_given(self, z, belief):
            return Uniform(2)

    with pytest.raises(ModelError, match="depend on earlier ones"):
        Schedule.iconoclasm(LooksBack(), 3)


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize("order", ["markov", "top-down"])
def test_the_levels_of_a_vae_are_a_graph(order, levels):
    """Bit-Swap and HiLLoC, to the bytes of the engine."""
    head, latents = HEADS[0], [4, 3, 2][:levels]
    x = random_observations(head, 40, seed=2)
    model = random_vae(head, latents, order, seed=1).freeze(x)
    steps, markov = model.state_space(), order == "markov"
    ups = [f"z{level}" for level in range(1, levels + 1)]

    class Levels:
        def parents(self, node):
            above = ups[::-1] if node == "x" else ups[: ups.index(node) : -1]
            return above[-1:] if markov else above

        def law(self, kind, node, *given, leak):
            level = ups.index(node) + 1
            return latents_law(steps._run(f"{kind}_{level}", *given), leak=leak)

        def conditional(self, node, values):
            if node == "x":
                z = tuple(values.values())
                return steps.likelihood(z[0] if markov else z)
            if node == ups[-1]:
                return steps._standard(latents[-1])
            return self.law("prior", node, *values.values(), leak=True)

        def posterior(self, node, known):
            level = ups.index(node)
            if markov:
                below = known[ups[level - 1] if level else "x"]
                return self.law("posterior", node, below, leak=False)
            above = [known[z] for z in ups[:level:-1]]
            return self.law("posterior", node, known["x"], *above, leak=False)

    schedule = Schedule.eager(Levels(), ups if markov else ups[::-1], ["x"])
    for row in x[:5]:
        ours, theirs = random_message(1, 7), random_message(1, 7)
        schedule.push(ours, {"x": row})
        model.push(theirs, row[None])
        assert ours == theirs
        assert np.array_equal(schedule.pop(ours)["x"], row)


def test_a_graph_is_checked():
    report = check_model({"x": 1, "y": 2}, Schedule(Finite(CHAIN, 0), steps(ORDER)))
    assert report.length == report.memory == 2
    assert report.information_content is None
    assert report.elbo == pytest.approx(
        -math.log2(Finite(CHAIN, 0).evidence({"x": 1, "y": 2})), abs=0.01
    )
    assert report.message % 8 == 0
    assert "memory               2 latents" in str(report)

    class Differs(Finite):
        def __init__(self, *given):
            super().__init__(*given)
            self.asked = 0

        def posterior(self, node, known):
            self.asked += 1
            return Weighted([1, 1 + self.asked, 1])

    with pytest.raises(ModelError, match="posterior of 'z1': push after pop"):
        check_model({"x": 1, "y": 2}, Schedule(Differs(CHAIN, 0), steps(ORDER)))
    with pytest.raises(ModelError, match="a check needs an observation"):
        check_model({}, Schedule(Finite(CHAIN, 0), []))


def test_messages_of_models_without_predictive_distributions():
    """The first latents at modes; with initial bits none is."""

    class Many(Finite):
        def parents(self, node):
            return [("z", node[1])] if node[0] == "x" else []

        def conditional(self, node, values):
            return Uniform(2**20)

        def posterior(self, node, known):
            return Uniform(2**8)

    n = 12
    schedule = Schedule.eager(
        Many({}, 0), [("z", i) for i in range(n)], [("x", i) for i in range(n)]
    )
    value = {("x", i): 7 * i for i in range(n)}
    data = schedule.encode(value)
    assert schedule.decode(data) == value
    # Each adds 40 bits and borrows 8: the first two at modes leave 48 after a pop.
    assert 8 * len(data) == pytest.approx(32 * n + 2 * 8, abs=16)
    lent = schedule.encode(value, initial_bits=b"twelve bytes")
    assert 8 * len(lent) == pytest.approx(32 * n + 8 * 13, abs=8)
    assert schedule.decode(lent, initial_bits=b"twelve bytes") == value
    with pytest.raises(CorruptError):
        schedule.decode(data + b"1")
    with pytest.raises(SymbolError, match="'x', 3"):
        schedule.encode({**value, ("x", 3): 2**20})


@pytest.mark.parametrize("T", [2, 6, 12])
def test_a_hierarchy_in_time_borrows_for_one_step(T):
    """Memory of its levels and one more, whatever T."""
    L = 4

    class Grid:
        def parents(self, node):
            t, level = node
            if level == 0:
                return [(t, 1)]
            above, before = (t, level + 1), (t - 1, level)
            return [above] * (level < L) + [before] * (t > 0)

        def conditional(self, node, values):
            return Uniform(2**28 if node[1] == 0 else 2**8)

        def posterior(self, node, known):
            return Uniform(2**8)

    backwards = range(T - 1, -1, -1)
    schedule = Schedule.eager(
        Grid(),
        [(t, level) for t in backwards for level in range(1, L + 1)],
        [(t, 0) for t in backwards],
    )
    assert schedule.memory == L + 1
    x = {(t, 0): t for t in range(T)}
    # 8 bits for a latent, 28 back for x, 8 for each of the others, and for one below.
    assert schedule.startup(x) == pytest.approx(L * 8 + 8 - 28, abs=1e-2)


def test_arrays_over_several_lanes():
    """Nodes may be arrays, of many images at once."""
    model = Hierarchy(upwards=True, skip=False)
    schedule = Schedule.eager(model, ["z1", "z2", "z3"], ["x"])
    x = np.arange(-40, 40)
    model.prior = lambda *above: Gaussian(sum(above) + np.zeros(80), 9.0)
    message = Message.seeded(np.random.default_rng(0).bytes(2000), 64)
    before = message.copy()
    schedule.push(message, {"x": x})
    assert (schedule.pop(message)["x"] == x).all()
    assert message == before
