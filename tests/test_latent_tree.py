"""Latent trees in floating point: probabilities, structure, training."""

import itertools

import numpy as np
import pytest

from bbans import LatentTree
from bbans.codecs.metered import random_bits
from bbans.errors import ModelError, SymbolError
from bbans.models.latent_tree import short_masses
from bbans.models.tree_em import Counts, borrowed, count, maximise
from bbans.models.tree_structure import chow_liu, preorder, ranges

SIZES = (2, 3, 1, 4)
PARENTS, VARIABLES = [-1, 0, 1, 1, 0], [2, -1, 0, 3, 1]


def random_tree(K=3, parents=PARENTS, variables=VARIABLES, sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    n = len(parents)
    return LatentTree(
        parents,
        variables,
        rng.dirichlet(np.ones(K)),
        rng.dirichlet(np.ones(K), (n - 1, K)),
        [rng.dirichlet(np.ones(M), K) for M in sizes],
    )


def all_rows(sizes=SIZES):
    return np.array(list(itertools.product(*map(range, sizes))))


def joint(model, x):
    """P(z, x) of all states, by the definition: {z: mass}."""
    masses = {}
    for z in itertools.product(range(model.n_states), repeat=model.n_nodes):
        p = model.initial[z[0]]
        for v in range(1, model.n_nodes):
            p *= model.transitions[v - 1][z[model.parents[v]], z[v]]
        for v, j in enumerate(model.variables):
            if j >= 0:
                p *= model.emissions[j][z[v], x[j]]
        masses[z] = p
    return masses


def table(n=2000, seed=0):
    """Columns that depend on each other: 1 - 0 - 4, 2 - 1 - 3."""
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 4, n)
    b = np.where(rng.random(n) < 0.8, a // 2, rng.integers(0, 2, n))
    c = np.where(rng.random(n) < 0.8, b, rng.integers(0, 3, n))
    d = np.where(rng.random(n) < 0.8, 1 - b, rng.integers(0, 2, n))
    e = np.where(rng.random(n) < 0.8, a, rng.integers(0, 4, n))
    return np.stack([a, b, c, d, 10 * e + rng.integers(0, 10, n)], axis=1)


# ---- probabilities


def test_the_information_content_is_that_of_the_sum_over_all_states():
    model, rows = random_tree(), all_rows()
    expected = [-np.log2(sum(joint(model, x).values())) for x in rows]
    np.testing.assert_allclose(model.row_bits(rows), expected, rtol=1e-12)
    assert model.information_content(rows) == pytest.approx(sum(expected))


@pytest.mark.parametrize("columns", [[0], [3, 1], [2], [1, 0, 3, 2]])
def test_some_columns_have_their_marginal_distribution(columns):
    model, rows = random_tree(), all_rows()
    p = 2.0 ** -model.row_bits(rows)
    for seen in np.unique(rows[:, columns], axis=0):
        same = (rows[:, columns] == seen).all(axis=1)
        bits = model.marginal(columns).information_content(seen[None])
        assert 2.0**-bits == pytest.approx(p[same].sum())


def test_what_is_impossible_has_infinitely_many_bits():
    model = LatentTree([-1], [0], [1], [], [[[1, 0]]])
    assert model.row_bits([[0], [1]]).tolist() == [0, np.inf]


def test_many_children_do_not_underflow():
    d = 5000
    star = LatentTree(
        [-1] + [0] * d, [-1, *range(d)], [0.5, 0.5], [np.eye(2)] * d,
        [[[0.99, 0.01], [0.01, 0.99]]] * d,
    )  # fmt: skip
    bits = star.row_bits(np.zeros((1, d), int))
    assert bits == pytest.approx(1 - d * np.log2(0.99))


def test_threads_and_parts_change_no_bit():
    model = random_tree(K=8)
    rows = np.random.default_rng(0).integers(0, SIZES, (1000, 4))
    bits = model.row_bits(rows)
    np.testing.assert_array_equal(model.row_bits(rows, threads=3), bits)
    assert model.row_bits(rows[:0]).shape == (0,)


def test_samples_occur_as_often_as_the_model_says():
    model = random_tree()
    drawn = model.sample(20_000, seed=1)
    np.testing.assert_array_equal(drawn, model.sample(20_000, seed=1))
    seen, counts = np.unique(drawn, axis=0, return_counts=True)
    p = 2.0 ** -model.row_bits(seen)
    assert np.abs(counts / 20_000 - p).max() < 4 * np.sqrt(0.25 / 20_000)
    # The mean of their bits is the entropy.
    rows = all_rows()
    bits = model.row_bits(rows)
    entropy = (bits * 2.0**-bits).sum()
    assert model.row_bits(drawn).mean() == pytest.approx(entropy, abs=0.05)


# ---- structure


def test_the_tree_joins_what_depends_on_each_other():
    x = table()
    sizes = x.max(axis=0) + 1
    cut = ranges(x.astype(np.int32), sizes)
    assert cut.max(axis=0).tolist() == [3, 1, 2, 1, 15]
    parents = chow_liu(cut, np.minimum(sizes, 16))
    edges = {frozenset((v, int(p))) for v, p in enumerate(parents) if p >= 0}
    assert edges == {frozenset(e) for e in [(0, 1), (1, 2), (1, 3), (0, 4)]}
    assert parents[1] == -1 or parents[0] == -1  # a centre


def test_the_largest_subtree_is_last():
    #      0: 1, 2, 3; 2: 4, 5; 4: 6
    parents = np.array([-1, 0, 0, 0, 2, 2, 4])
    assert preorder(parents).tolist() == [0, 3, 1, 2, 5, 4, 6]


# ---- training


def test_expected_counts_are_sums_over_all_states():
    model, rows = random_tree(), all_rows()[::3]
    expected = {
        "initial": np.zeros(3),
        "transitions": np.zeros((4, 3, 3)),
        "emissions": [np.zeros((3, M)) for M in SIZES],
    }
    for x in rows:
        masses = joint(model, x)
        total = sum(masses.values())
        for z, mass in masses.items():
            weight = mass / total
            expected["initial"][z[0]] += weight
            for v in range(1, 5):
                expected["transitions"][v - 1][z[PARENTS[v]], z[v]] += weight
            for v, j in enumerate(VARIABLES):
                if j >= 0:
                    expected["emissions"][j][z[v], x[j]] += weight
    found = count(model._factors(np.float64), model._values(rows), 2)
    np.testing.assert_allclose(found.initial, expected["initial"])
    np.testing.assert_allclose(found.transitions, expected["transitions"])
    by_node = np.concatenate([expected["emissions"][j].T for j in [2, 0, 3, 1]])
    np.testing.assert_allclose(found.emissions[:-1], by_node)
    np.testing.assert_allclose(found.bits, model.row_bits(rows))


def test_a_distribution_without_counts_stays():
    model = random_tree()
    factors = model._factors(np.float64)
    nothing = Counts(*(np.zeros_like(part) for part in factors[1:]), np.zeros(1))
    made = maximise(nothing, 0.0, factors, model._starts)
    for ours, theirs in zip(made[1:], factors[1:], strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_each_update_by_all_rows_lowers_the_information_content():
    x, bits = table(), []
    LatentTree.fit(
        x, 4, epochs=8, batch=len(x), pseudo_count=0, progress=False,
        callback=lambda model: bits.append(model.information_content(x)),
    )  # fmt: skip
    assert len(bits) == 8
    assert all(later < earlier for earlier, later in itertools.pairwise(bits))


def test_training_in_batches_finds_what_columns_share():
    x, held_out = table(), table(seed=1)
    model = LatentTree.fit(x, 6, epochs=20, batch=200, progress=False)
    assert model.sizes == (4, 2, 3, 2, 40)
    assert len(model.history) == 20
    independent = sum(
        float(-np.log2(np.bincount(x[:, j])[held_out[:, j]] / len(x)).mean())
        for j in range(5)
    )
    # H(a) + H(b | a) + H(c | b) + H(d | b) + H(e | a)
    ideal = 2 + _entropy(0.9, 0.1) + _entropy(0.8 + 0.2 / 3, 0.2 / 3, 0.2 / 3)
    ideal += _entropy(0.9, 0.1) + _entropy(0.85, 0.05, 0.05, 0.05) + np.log2(10)
    bits = model.row_bits(held_out).mean()
    assert ideal - 0.1 < bits < 1.03 * ideal < 0.85 * independent


def _entropy(*p):
    return float(-(np.array(p) * np.log2(p)).sum())


def test_training_is_the_same_again_and_in_threads():
    x = table()
    models = [
        LatentTree.fit(x, 4, epochs=2, batch=600, threads=n, seed=5, progress=False)
        for n in (1, 1, 3)
    ]
    for other in models[1:]:
        assert other.history == models[0].history
        for name, array in models[0]._arrays().items():
            np.testing.assert_array_equal(other._arrays()[name], array)
    other = LatentTree.fit(x, 4, epochs=2, batch=600, seed=6, progress=False)
    assert other.history != models[0].history


def test_training_goes_on_from_a_model():
    x = table()
    first = LatentTree.fit(x, 4, epochs=0, progress=False)
    assert first.history == ()
    later = LatentTree.fit(x, 4, init=first, epochs=4, progress=False)
    assert later.parents.tolist() == first.parents.tolist()
    assert later.information_content(x) < first.information_content(x)


@pytest.mark.parametrize("rows", [1, 3])
def test_fewer_rows_than_states_train(rows):
    model = LatentTree.fit(table(rows), 8, progress=False)
    assert np.isfinite(model.row_bits(table(rows))).all()


def test_images_are_rows():
    images = np.random.default_rng(0).integers(0, 2, (50, 3, 4), np.uint8)
    model = LatentTree.fit(images, 2, progress=False)
    assert model.width == 12
    assert model.row_bits(images).shape == (50,)


# ---- freezing


def test_frozen_tables_are_near_and_start_as_rows_need():
    model = LatentTree.fit(table(), 6, progress=False)
    frozen = model.freeze()
    again = LatentTree.from_frozen(frozen)
    np.testing.assert_allclose(again.initial, model.initial, atol=2**-15)
    np.testing.assert_allclose(again.transitions, model.transitions, atol=2**-15)
    for ours, theirs in zip(again.emissions, model.emissions, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2**-23)
    assert again.freeze() == frozen
    x = table(seed=1)
    bits = again.row_bits(x)
    assert bits.sum() == pytest.approx(model.information_content(x), rel=1e-3)
    # The rows that start a message hold what the schedule starts from.
    assert 40 <= frozen.start_bits < 60
    assert bits[-frozen.start_length :].sum() > frozen.start_bits
    for predictive in (False, True):
        coder = model.freeze(predictive=predictive)
        data = coder.encode(x)
        np.testing.assert_array_equal(coder.decode(data, len(x)), x)
        assert 8 * len(data) == pytest.approx(bits.sum(), abs=16)


def test_bits_are_lent_as_the_coder_borrows_them():
    model = LatentTree.fit(table(), 6, epochs=5, progress=False)
    x, rng = table(400, seed=1), np.random.default_rng(0)
    steps = model.freeze().state_space()
    measured = []
    for row in x:
        message = random_bits(rng)
        before = message.bits
        z = steps.posterior(steps.update(None, row), None).pop(message)
        steps.likelihood(z).push(message, row)
        measured.append(before - message.least)
    found = borrowed(model._factors(np.float64), model._values(x), rng)
    assert found.min() >= 0
    assert found.mean() == pytest.approx(np.mean(measured), abs=0.2)
    assert np.median(found) == pytest.approx(np.median(measured), abs=0.2)


def test_bytes_are_rows_too():
    x = table().astype(np.uint8)
    frozen = LatentTree.fit(x, 4, epochs=1, progress=False).freeze(kind="bytes")
    assert frozen.decode(frozen.encode(x.tobytes()), len(x)) == x.tobytes()


def test_transitions_round_to_zero_and_never_to_one():
    masses = short_masses(np.array([[1.0, 0, 0], [0.5, 0.5 - 1e-9, 1e-9]]))
    assert masses.tolist() == [[32767, 1, 0], [16384, 16384, 0]]
    assert short_masses(np.array([1.0])).tolist() == [1 << 15]
    rows = np.random.default_rng(0).dirichlet(np.full(50, 0.05), (7, 11))
    masses = short_masses(rows)
    assert (masses.sum(axis=2) == 1 << 15).all()
    assert np.abs(masses / 2.0**15 - rows).max() < 2**-14
    assert masses.max() < 1 << 15


def test_columns_freeze_to_the_marginal_of_the_frozen_tree():
    model = random_tree()
    for columns in ([0], [3, 1], [2], [1, 0, 3, 2]):
        ours, theirs = model.marginal(columns).freeze(), model.freeze()
        start = {"start_length": ours.start_length, "start_bits": ours.start_bits}
        assert ours == theirs.marginal(columns, **start)


# ---- what is refused


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"parents": [-1, 0, 1, 1, 2]}, "parents[4] is 2: it must be 3 or an ancestor"),
        ({"parents": [0, 0, 1, 1, 0]}, "parents[0] is 0: it must be -1"),
        ({"parents": []}, "at least one node"),
        ({"parents": [-1, 0, 1, 1, 0.5]}, "parents must be integers"),
        ({"variables": [2, -1, 0, 3]}, "variables must be of 5 nodes, not 4"),
        ({"variables": [2, -1, 0, 3, 3]}, "each of 4 columns"),
        ({"variables": [2, -1, 0, 3, 4]}, "each of 4 columns"),
        ({"initial": [0.5, 0.25, 0.5]}, "initial must be finite"),
        ({"transitions": np.full((3, 3, 3), 1 / 3)}, "must have shape (4, 3, 3)"),
        ({"emissions": [[[1.0]]] * 4}, "emissions[0] must have 3 rows"),
    ],
)
def test_parameters_of_no_tree_are_refused(change, text):
    model = random_tree()
    names = ("parents", "variables", "initial", "transitions", "emissions")
    arguments = {name: getattr(model, name) for name in names} | change
    with pytest.raises(ModelError) as error:
        LatentTree(**arguments)
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("x", "options", "error", "text"),
    [
        (np.zeros(5, int), {}, SymbolError, "have shape (N, d), not (5,)"),
        (np.zeros((0, 5), int), {}, SymbolError, "there is no row"),
        (np.zeros((5, 2)), {}, SymbolError, "must be integers"),
        ([[0, -1]], {}, SymbolError, "row 0: value -1 of column 1"),
        ([[0, 1], [0, 2]], {"sizes": 2}, SymbolError, "row 1: value 2 of column 1"),
        ([[0, 1 << 40]], {}, ModelError, "column 1 has values up to 1099511627776"),
        ([[0, 1]], {"sizes": [1, 2, 3]}, ModelError, "sizes must be integers"),
        ([[0, 1]], {"n_states": 0}, ModelError, "n_states must be an integer"),
        ([[0, 1]], {"batch": 0}, ModelError, "batch must be an integer"),
        ([[0, 1]], {"pseudo_count": -1}, ModelError, "pseudo_count must be finite"),
        ([[0, 1]], {"init": random_tree()}, ModelError, "init has 3 states, not 2"),
        ([[0, 1]], {"init": 7}, ModelError, "init must be a LatentTree"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(x, options, error, text):
    with pytest.raises(error) as raised:
        LatentTree.fit(x, **{"n_states": 2, "progress": False} | options)
    assert text in str(raised.value)


def test_rows_that_init_says_never_occur_are_refused():
    never = LatentTree([-1], [0], [1], [], [[[1, 0]]])
    with pytest.raises(SymbolError, match="impossible under init"):
        LatentTree.fit([[1]], 1, init=never, pseudo_count=0, progress=False)


def test_rows_of_other_columns_are_refused():
    with pytest.raises(SymbolError, match="rows have 3 values, and the model 4"):
        random_tree().row_bits([[0, 0, 0]])


@pytest.mark.parametrize(
    ("columns", "text"),
    [
        ([1, 1], "each once, not [1, 1]"),
        ([], "columns must be some"),
        ([4], "columns must be an integer, 0 to 3"),
    ],
)
def test_columns_that_there_are_not_are_refused(columns, text):
    with pytest.raises(ModelError) as raised:
        random_tree().marginal(columns)
    assert text in str(raised.value)
