"""Poisson emissions: their masses, training, and coding as any HMM."""

import itertools
import math

import numpy as np
import pytest

import bbans
from bbans import PoissonHMM
from bbans.models import information_content


def model(high=80):
    return PoissonHMM([0.5, 0.5], [[0.95, 0.05], [0.1, 0.9]], [0.75, 20.0], high)


@pytest.mark.parametrize("high", [0, 1, 5, 30, 300])
def test_masses_are_those_of_poisson_laws(high):
    rates = [0.0, 1e-5, 0.75, 20.0, 400.0]
    row = np.full(5, 0.2)
    hmm = PoissonHMM(row, np.tile(row, (5, 1)), rates, high)
    for rate, found in zip(rates, hmm.emission, strict=True):
        # Each from the one before, in order: another way than by logarithms.
        mass, rest = [math.exp(-rate)], 1 - math.exp(-rate)
        for v in range(1, high + 1):
            mass.append(mass[-1] * rate / v)
        rest = 1 - math.fsum(mass[:high])
        assert found[:high] == pytest.approx(mass[:high], rel=1e-11, abs=1e-29)
        assert found[high] == pytest.approx(rest, rel=1e-9, abs=1e-12)
        assert (found > 0).all()
    # The tail is a sum of its own: nothing cancels.
    tail = PoissonHMM([1], [[1]], [1.0], 12).emission[0, 12]
    terms = [math.exp(-1) / math.factorial(v) for v in range(12, 40)]
    assert tail == pytest.approx(math.fsum(terms), rel=1e-12)


def test_training_recovers_the_parameters():
    x, _ = model().sample(20_000, seed=1)
    found = PoissonHMM.fit(x, 2, seed=3)
    order = np.argsort(found.rates)
    assert found.rates[order] == pytest.approx([0.75, 20], rel=0.03)
    stay = np.diag(found.transition)[order]
    assert stay == pytest.approx([0.95, 0.9], abs=0.01)
    objectives = [step.objective for step in found.history]
    assert all(b <= a for a, b in itertools.pairwise(objectives))


def test_an_update_is_hmmlearns():
    hmm = pytest.importorskip("hmmlearn.hmm")
    x, _ = model().sample(2000, seed=2)
    start = PoissonHMM([0.6, 0.4], [[0.7, 0.3], [0.2, 0.8]], [2.0, 15.0], 500)
    theirs = hmm.PoissonHMM(2, n_iter=3, tol=-np.inf, init_params="")
    theirs.n_features = 1
    theirs.startprob_, theirs.transmat_ = start.initial, start.transition
    theirs.lambdas_ = start.rates[:, np.newaxis]
    assert start.score(x) == pytest.approx(theirs.score(x[:, np.newaxis]), rel=1e-12)
    assert np.array_equal(start.predict(x), theirs.predict(x[:, np.newaxis]))
    theirs.fit(x[:, np.newaxis])
    ours = PoissonHMM.fit(x, 2, init=start, n_iter=3, tol=0, pseudo_count=0)
    assert ours.rates == pytest.approx(theirs.lambdas_[:, 0], rel=1e-9)
    assert ours.transition == pytest.approx(theirs.transmat_, rel=1e-9)


def test_better_on_unseen_counts_than_free_emissions():
    train, test = model().sample(300, seed=1)[0], model().sample(5000, seed=2)[0]
    poisson = PoissonHMM.fit(train, 2, high=80)
    free = bbans.HMM.fit(train, 2, alphabet=81)
    assert poisson.information_content(test) < free.information_content(test)
    assert poisson.information_content(test) < 1.02 * model().information_content(test)


def test_codes_and_stays_poisson():
    x, _ = model().sample(3000, seed=5)
    fitted = PoissonHMM.fit([x[:1000], x[1000:]], 3, n_iter=5)
    again = PoissonHMM.fit(x, 3, n_iter=5, init=fitted)
    assert isinstance(again, PoissonHMM)
    assert again.n_symbols == x.max() + 1
    frozen = again.freeze()
    blob = bbans.compress(x, frozen)
    assert (bbans.decompress(blob, frozen) == x).all()
    bits = 8 * len(bbans.encode(x, frozen))
    assert bits < information_content(x, frozen) + 18


def test_data_with_many_equal_counts():
    x = np.zeros(500, int)
    x[100:110] = 30
    found = PoissonHMM.fit(x, 4, n_iter=20)
    assert len({*found.rates}) == 4
    apart = found.predict(x)
    assert len({*apart[:100]} & {*apart[100:110]}) == 0
    assert PoissonHMM.fit([0, 0, 0], 2, n_iter=3).score([0, 0]) == pytest.approx(0)
    assert PoissonHMM.fit(b"\0\3" * 9, 1, n_iter=1).kind == "bytes"
    assert PoissonHMM.fit(lambda: iter([[0, 1], [2]]), 1, n_iter=1).n_symbols == 3
    assert PoissonHMM.fit([3], 5, n_iter=1).n_states == 5


def test_every_count_of_the_range_can_be_coded():
    narrow = PoissonHMM([1.0], [[1.0]], [0.0], 60_000)
    x = np.array([0, 60_000, 7, 0])
    frozen = narrow.freeze()
    assert (bbans.decompress(bbans.compress(x, frozen), frozen) == x).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rates": [1.0]}, "shapes must be"),
        ({"rates": []}, r"of the same shape \(K,\)"),
        ({"rates": [np.nan, 0]}, "rates must be finite"),
        ({"rates": [-2, 0]}, "rates must be at least 0, not -2.0 for state 0"),
        ({"high": 70_000}, "symbols"),
        ({"high": -1}, "high must be .*not -1"),
    ],
)
def test_refusals(change, text):
    with pytest.raises(bbans.ModelError, match=text):
        PoissonHMM(
            [0.5, 0.5], np.full((2, 2), 0.5), **{"rates": [0, 1], "high": 5} | change
        )


def test_data_that_are_refused():
    with pytest.raises(bbans.ModelError, match="no data"):
        PoissonHMM.fit(np.zeros(0, int), 2)
    with pytest.raises(bbans.ModelError, match="another kind"):
        PoissonHMM.fit([1, 2], 1, init=bbans.HMM([1.0], [[1.0]], [[0.5, 0.5]]))
    for x in ([1, -1, 2], [-1]):
        with pytest.raises(bbans.SymbolError, match="symbol -1 at position"):
            PoissonHMM.fit(x, 1)
    with pytest.raises(bbans.SymbolError, match="symbol 9 at position 1"):
        PoissonHMM.fit([1, 9], 1, high=5)


def test_random_rates():
    found = PoissonHMM.random(3, 50, seed=0)
    assert (found.n_states, found.n_symbols) == (3, 50)
    assert ((found.rates >= 0) & (found.rates <= 24.5)).all()
