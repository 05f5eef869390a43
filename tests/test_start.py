"""Where training starts: classes of symbols and of contexts."""

import math

import numpy as np
import pytest

from bbans import HMM, ModelError
from bbans.models import Topology, _classes, _start
from bbans.models._start import DataStart


def start_of(sequences, M, K, seed=0):
    arrays = [np.asarray(x, np.int32) for x in sequences]
    return DataStart(arrays, M).classes(K, np.random.default_rng(seed))


def likelihood(C, E):
    """That of classes, as `_classes` has it, by its definition."""

    def total(a):
        return sum(n * math.log(n) for n in np.ravel(a) if n)

    return total(C) + total(E) - total(C.sum(axis=1)) - total(E.sum(axis=1))


def counts_of(found, items, symbols, K):
    C, E = np.zeros((K, K), int), np.zeros((K, symbols.max() + 1), int)
    np.add.at(C, (found[items[:-1]], found[items[1:]]), 1)
    np.add.at(E, (found[items], symbols[items]), 1)
    return C, E


@pytest.mark.parametrize("several", [False, True])
def test_an_item_moves_where_that_is_likeliest(several):
    """Against the objective computed anew for every class."""
    rng = np.random.default_rng(1)
    K, V = 3, 7
    items = rng.choice(V, 400, p=rng.dirichlet(np.ones(V))).astype(np.int64)
    items[:V] = np.arange(V)
    symbols = (np.arange(V) // 2 if several else np.arange(V)).astype(np.int32)
    found = rng.integers(0, K, V).astype(np.int32)
    weight = np.bincount(items, minlength=V).astype(np.int32)
    pairs, count = np.unique(items[:-1] * V + items[1:], return_counts=True)
    follows, first_follows = _start._lists(pairs // V, pairs % V, count, V)
    leads, first_leads = _start._lists(pairs % V, pairs // V, count, V)
    n = np.arange(items.size + 1.0)
    L = n * np.log(np.maximum(n, 1))
    C, E = counts_of(found, items, symbols, K)
    C, E = C.astype(np.int32), E.astype(np.int32)
    if not several:
        E = np.zeros((K, 0), np.int32)
    for item in [*range(V), 3, 0, 5]:
        expected = []
        for k in range(K):
            other = found.copy()
            other[item] = k
            expected.append(likelihood(*counts_of(other, items, symbols, K)))
        moved = _classes.exchange(
            np.array([item], np.int32), follows, leads, first_follows, first_leads,
            weight, symbols, L, found, C, E, np.zeros((6, K), np.int32),
        )  # fmt: skip
        assert expected[found[item]] == pytest.approx(max(expected), rel=1e-12)
        assert moved in (0, 1)
        want_C, want_E = counts_of(found, items, symbols, K)
        assert np.array_equal(C, want_C)
        assert not several or np.array_equal(E, want_E)


def test_classes_are_found():
    """Vowels and consonants that alternate; three symbols that go round."""
    rng = np.random.default_rng(2)
    x = np.where(
        np.arange(2000) % 2, rng.integers(0, 5, 2000), rng.integers(5, 9, 2000)
    )
    _, emission = start_of([x], 9, 2)
    vowels = emission[:, :5].sum(axis=1)
    assert sorted(vowels > 0.5) == [False, True]
    assert abs(vowels - 0.5).min() > 0.25
    transition, _ = start_of([np.arange(900) % 3], 3, 3)
    assert (transition.max(axis=1) > 0.6).all()


def test_contexts_of_few_symbols_are_states():
    """Four states of two symbols: 00, 01, 11, 10 follow each other."""
    x = np.tile([0, 0, 1, 1], 500)
    model = HMM.fit(x, 4, n_iter=10)
    assert model.information_content(x) < 10


def test_sequences_do_not_run_into_each_other():
    apart = [np.array([0, 0, 0]), np.array([1, 1, 1])] * 50
    transition, emission = start_of(apart, 2, 2)
    own = emission.argmax(axis=1)
    assert sorted(own) == [0, 1]
    assert (np.diag(transition) > 0.6).all()


@pytest.mark.parametrize("K", [1, 2, 5, 40, 300])
@pytest.mark.parametrize(
    "x",
    [[[0]], [[0], [], [1]], [[0] * 50], [list(range(200)) * 2], [[7, 199] * 30, [3]]],
)
def test_any_data_make_distributions(K, x):
    transition, emission = start_of(x, 256, K)
    for rows, width in ((transition, K), (emission, 256)):
        assert rows.shape == (K, width)
        assert (rows > 0).all()
        np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-12)


def test_the_same_seed_makes_the_same_start():
    text = "the same seed makes the same start " * 40
    first, again, other = (HMM.fit(text, 6, n_iter=0, seed=s) for s in (1, 1, 2))
    assert np.array_equal(first.emission, again.emission)
    assert np.array_equal(first.transition, again.transition)
    assert not np.array_equal(first.emission, other.emission)
    given = HMM.fit(lambda: iter([text[:700], text[700:]]), 6, n_iter=0, seed=1)
    held = HMM.fit([text[:700], text[700:]], 6, n_iter=0, seed=1)
    assert np.array_equal(given.emission, held.emission)


def test_a_start_takes_two_passes():
    calls = []

    def data():
        calls.append(None)
        return iter(["abcab", "bca"])

    HMM.fit(data, 2, n_iter=0)
    assert len(calls) == 3


def test_a_topology_has_no_classes():
    steps = Topology.left_to_right(3, jump=1)
    model = HMM.fit("abcabc" * 20, 3, n_iter=0, topology=steps)
    assert np.array_equal(model.transition > 0, steps.transition)


def test_much_data_are_sampled(monkeypatch):
    monkeypatch.setattr(_start, "_SYMBOLS", 1000)
    x = np.tile(np.arange(4), 5000).astype(np.int32)
    transition, _ = start_of([x], 4, 4)
    assert (transition.max(axis=1) > 0.6).all()
    data = DataStart([x], 4)
    assert data.frequencies.tolist() == [5000] * 4
    with pytest.raises(ModelError, match="no data"):
        DataStart([np.zeros(0, np.int32)], 4)


def test_ten_updates_are_worth_more_than_hmmlearns():
    hmm = pytest.importorskip("hmmlearn.hmm")
    truth = HMM.random(6, 12, concentration=0.3, seed=3)
    x, _ = truth.sample(4000, seed=4)
    ours, theirs = [], []
    for seed in range(3):
        model = hmm.CategoricalHMM(6, n_iter=10, tol=-np.inf, random_state=seed)
        theirs.append(model.fit(x[:, None]).score(x[:, None]))
        ours.append(HMM.fit(x, 6, n_iter=10, tol=0, seed=seed).score(x))
    assert min(ours) > max(theirs)
