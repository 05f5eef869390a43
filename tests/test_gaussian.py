"""Gaussian emissions: their masses, training, and coding as any HMM."""

import itertools
import math
import statistics

import numpy as np
import pytest

import bbans
from bbans import GaussianHMM
from bbans.models import information_content


def model(low=-60, high=60):
    return GaussianHMM(
        [0.5, 0.5], [[0.95, 0.05], [0.1, 0.9]], [-3.25, 10.0], [0.8, 15.0], low, high
    )


def test_masses_are_those_of_gaussians():
    hmm = model(-20, 30)
    edges = [-math.inf, *np.arange(-19.5, 30), math.inf]
    for mean, deviation, row in zip(
        hmm.means, hmm.deviations, hmm.emission, strict=True
    ):
        law = statistics.NormalDist(mean, deviation)
        mass = np.diff([law.cdf(edge) for edge in edges])
        assert np.abs(row - mass).max() < 1.1e-9


def test_training_recovers_the_parameters():
    x, _ = model().sample(20_000, seed=1)
    found = GaussianHMM.fit(x, 2, seed=3)
    order = np.argsort(found.deviations)
    assert np.allclose(found.means[order], [-3.25, 10.0], atol=0.5)
    assert np.allclose(found.deviations[order], [0.8, 15.0], rtol=0.05)
    stay = np.diag(found.transition)[order]
    assert np.allclose(stay, [0.95, 0.9], atol=0.01)
    objectives = [step.objective for step in found.history]
    assert all(b <= a for a, b in itertools.pairwise(objectives))


def test_better_on_unseen_values_than_free_emissions():
    """121 masses a state cannot be learnt from 400 values; 2 parameters can."""
    train, test = model().sample(400, seed=1)[0], model().sample(5000, seed=2)[0]
    gaussian = GaussianHMM.fit(train, 2, low=-60, high=60)
    free = bbans.HMM.fit(train, 2, alphabet=np.arange(-60, 61))
    assert gaussian.information_content(test) < free.information_content(test)
    assert gaussian.information_content(test) < 1.02 * model().information_content(test)


def test_codes_and_stays_gaussian(tmp_path):
    x, _ = model().sample(3000, seed=5)
    fitted = GaussianHMM.fit(x, 3, n_iter=5)
    again = GaussianHMM.fit(x, 3, n_iter=5, init=fitted)
    assert isinstance(again, GaussianHMM)
    frozen = again.freeze()
    blob = bbans.compress(x, frozen)
    assert (bbans.decompress(blob, frozen) == x).all()
    bits = 8 * len(bbans.encode(x, frozen))
    assert bits < information_content(x, frozen) + 18


def test_every_value_of_the_range_can_be_coded():
    narrow = GaussianHMM([1.0], [[1.0]], [0.0], [0.0], -500, 500)
    x = np.array([-500, 0, 500, 0])
    frozen = narrow.freeze()
    assert (bbans.decompress(bbans.compress(x, frozen), frozen) == x).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"means": [1.0]}, "same shape"),
        ({"means": [np.nan, 0]}, "means must be finite"),
        ({"deviations": [1, np.inf]}, "deviations must be finite"),
        ({"low": 0, "high": 70_000}, "symbols"),
        ({"low": 5, "high": 4}, "high must be .*not 4"),
        ({"deviations": [-2, 0]}, "deviations must be at least 0, not -2"),
    ],
)
def test_refusals(change, text):
    given = {"means": [0, 0], "deviations": [1, 2], "low": -5, "high": 5} | change
    with pytest.raises(bbans.ModelError, match=text):
        GaussianHMM([0.5, 0.5], np.full((2, 2), 0.5), **given)
    with pytest.raises(bbans.ModelError, match="no data"):
        GaussianHMM.fit(np.zeros(0, int), 2)
    with pytest.raises(bbans.ModelError, match="another kind"):
        GaussianHMM.fit([1, 2], 1, init=bbans.HMM([1.0], [[1.0]], [[0.5, 0.5]]))
    with pytest.raises(bbans.ModelError, match="at most"):
        GaussianHMM.fit([0, 10**6], 1)


def test_random_gaussians():
    model = GaussianHMM.random(3, 50, seed=0)
    assert (model.n_states, model.n_symbols) == (3, 50)
    assert ((model.means >= 0) & (model.means <= 49)).all()
