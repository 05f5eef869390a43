"""Hidden Markov models of vectors in floating point: training and analysis."""

import math
import pickle

import numpy as np
import pytest
from shared import random_vectors

import bbans
from bbans import ModelError, MultivariateGaussianHMM, SymbolError, distributed
from bbans.models import VectorStatistics
from bbans.models._vectors import log_cells

TYPES = ("full", "diag", "spherical", "tied")


@pytest.fixture(scope="module")
def model():
    return random_vectors(3, 4, seed=1, least=2.0)


@pytest.fixture(scope="module")
def x(model):
    return model.sample(4000, seed=2)[0]


def theirs(model):
    """The same model of hmmlearn, whose updates have no prior."""
    hmm = pytest.importorskip("hmmlearn.hmm")
    kind, cov = model.covariance_type, model.covariances
    made = hmm.GaussianHMM(
        model.n_states, kind, n_iter=1, init_params="", tol=0, min_covar=0,
        covars_prior=0, covars_weight=0,
    )  # fmt: skip
    made.startprob_, made.transmat_ = model.initial, model.transition
    made.means_ = model.means
    made.covars_ = {
        "full": cov,
        "diag": np.diagonal(cov, axis1=1, axis2=2),
        "spherical": cov[:, 0, 0],
        "tied": cov[0],
    }[kind]
    return made


def test_scores_and_posteriors_are_hmmlearns(model, x):
    other, lengths = theirs(model), [1500, 1, 2499]
    for data in (x, x + np.random.default_rng(0).random(x.shape)):
        assert math.isclose(model.score(data), other.score(data), rel_tol=1e-11)
        assert math.isclose(
            model.score(data, lengths), other.score(data, lengths), rel_tol=1e-11
        )
        expected = other.predict_proba(data, lengths)
        assert np.abs(model.posterior(data, lengths) - expected).max() < 1e-8
        assert (model.predict(data, lengths) == other.predict(data, lengths)).all()
    bits, path = model.viterbi(x)
    total, wanted = other.decode(x)
    assert math.isclose(-bits * math.log(2), total, rel_tol=1e-9) or math.isclose(
        -bits, total, rel_tol=1e-9
    )
    assert (path == wanted).all()
    assert math.isclose(model.bic(x), other.bic(x), rel_tol=1e-9)
    assert math.isclose(model.aic(x), other.aic(x), rel_tol=1e-9)


@pytest.mark.parametrize("kind", TYPES)
def test_an_update_is_hmmlearns(x, kind):
    start = MultivariateGaussianHMM.fit(x[:300], 3, covariance_type=kind, n_iter=0)
    assert start.covariance_type == kind
    ours = MultivariateGaussianHMM.fit(
        x, 3, init=start, n_iter=1, pseudo_count=0, min_covar=0
    )
    assert ours.covariance_type == kind
    assert len(ours.history) == 2
    other = theirs(start)
    other.fit(x)
    cov = other.covars_
    if kind == "spherical":
        cov = other._covars_[:, :1, None] * np.eye(4)
    assert np.abs(ours.means - other.means_).max() < 1e-8
    assert np.abs(ours.covariances - cov).max() < 1e-8
    assert np.abs(ours.transition - other.transmat_).max() < 1e-8
    assert np.abs(ours.initial - other.startprob_).max() < 1e-8


@pytest.mark.parametrize("kind", TYPES)
def test_training_climbs_and_finds_the_states(kind):
    rng = np.random.default_rng(5)
    z = np.repeat(rng.integers(0, 3, 80), 50)
    means = np.array([[0, 0], [40, 10], [-30, 60]])
    x = means[z] + rng.normal(0, 3, (len(z), 2))
    found = MultivariateGaussianHMM.fit(x, 3, covariance_type=kind)
    gains = -np.diff([at.objective for at in found.history])
    assert (gains >= 0).all()
    order = [int(np.abs(found.means - m).sum(axis=1).argmin()) for m in means]
    assert np.abs(found.means[order] - means).max() < 1
    assert np.abs(np.diagonal(found.covariances, axis1=1, axis2=2) - 9).max() < 2
    assert (found.predict(x) == np.array(order)[z]).all()
    again = MultivariateGaussianHMM.fit(x, 3, covariance_type=kind, threads=1)
    assert (again.means == found.means).all()
    assert (again.covariances == found.covariances).all()


def test_states_of_one_mean_are_told_apart():
    """Still and moving: a start by the vectors alone does not see it."""
    rng = np.random.default_rng(6)
    z = np.repeat(rng.integers(0, 2, 60), 100)
    x = rng.normal(0, np.array([1.0, 30.0])[z][:, None], (len(z), 3))
    found = MultivariateGaussianHMM.fit(x, 2)
    sizes = np.sqrt(np.trace(found.covariances, axis1=1, axis2=2) / 3)
    assert np.allclose(sorted(sizes), [1.0, 30.0], rtol=0.1)
    assert (found.predict(x) == np.argsort(np.argsort(sizes))[z]).mean() > 0.99


def test_statistics_add_up(model, x):
    whole = model.expect([x[:1000], x[1000:]])
    parts = [model.expect(x[:1000]), model.expect(x[1000:])]
    both = sum(parts)
    assert both.n_vectors == both.n_symbols == whole.n_vectors == 4000
    assert both.n_sequences == whole.n_sequences == 2
    for name in ("initial", "transition", "weight", "first", "second"):
        assert np.allclose(getattr(both, name), getattr(whole, name), rtol=1e-9)
    assert math.isclose(both.information_content, whole.information_content)
    # The same from any centre.
    raw = whole.centred(np.zeros(4))
    gamma = model.posterior(x, [1000, 3000])
    assert np.allclose(raw.weight, gamma.sum(axis=0))
    assert np.allclose(raw.first, gamma.T @ x)
    assert np.allclose(raw.second, np.einsum("tk,ti,tj->kij", gamma, x, x))
    a, b = model.maximise(whole), model.maximise(raw)
    assert np.allclose(a.means, b.means)
    assert np.allclose(a.covariances, b.covariances)
    with pytest.raises(ModelError, match="do not add up"):
        whole + random_vectors(2, 4, seed=1).expect(x)
    with pytest.raises(ModelError, match="are not of a model with"):
        random_vectors(2, 4, seed=1).maximise(whole)


def test_parts_are_counted_anywhere(x):
    parts = [x[:1500], x[1500:1600], x[1600:]]
    start = MultivariateGaussianHMM.fit(parts, 3, n_iter=0)
    alone = MultivariateGaussianHMM.fit(parts, 3, init=start, n_iter=4)
    shards = [[part] for part in parts]
    model = distributed.fit(
        shards, None, 3, model=MultivariateGaussianHMM, init=start, n_iter=4
    )
    assert np.allclose(model.means, alone.means, rtol=1e-9)
    assert np.allclose(model.covariances, alone.covariances, rtol=1e-9)
    assert np.allclose(model.transition, alone.transition, rtol=1e-9)


def test_sequences_of_any_layout(model, x):
    parts = [x[:700], x[700:701], x[:0], x[701:]]
    lengths = [len(part) for part in parts]
    assert math.isclose(
        sum(model.score(part) for part in parts), model.score(x, lengths)
    )
    assert math.isclose(
        -model.expect(parts).information_content * math.log(2),
        model.score(x, lengths), rel_tol=1e-10,
    )  # fmt: skip
    one = model.expect(x[:3].tolist())
    assert (one.n_vectors, one.n_sequences) == (3, 1)
    two = model.expect([x[:3].tolist(), x[3:5].tolist()])
    assert (two.n_vectors, two.n_sequences) == (5, 2)
    single = MultivariateGaussianHMM([1.0], [[1.0]], [[0.0]], [[[4.0]]])
    assert single.score([1, 2]) == single.score(np.array([[1], [2]]))
    assert single.expect([1, 2, 3]).n_vectors == 3
    assert single.sample(5, seed=0)[0].shape == (5,)


def test_information_content_is_the_mass_of_integers():
    """Of one channel, summed by hand."""
    model = MultivariateGaussianHMM([1.0], [[1.0]], [[0.5]], [[[1.0]]])
    sigma = math.sqrt(1 - 1 / 12)
    masses = [
        0.5
        * (math.erf(hi / sigma / math.sqrt(2)) - math.erf(lo / sigma / math.sqrt(2)))
        for lo, hi in ((-1.0, 0.0), (2.0, 3.0))
    ]
    wanted = -sum(map(math.log2, masses))
    assert math.isclose(model.information_content([0, 3]), wanted, rel_tol=1e-12)
    assert model.information_content([]) == 0
    far = model.information_content([10**6])
    assert math.isclose(far, (10**6) ** 2 / (2 * sigma**2) / math.log(2), rel_tol=1e-3)
    with pytest.raises(SymbolError, match="is no integer: round"):
        model.information_content([0.5])
    # All integers together have all the mass.
    u = np.arange(-60, 61)[:, None] - 0.3
    assert math.isclose(np.exp(log_cells(u, np.array([3.0]))).sum(), 1.0)


def test_what_no_path_is_likely_to_be():
    """Densities out of the range of floats: all is done with logarithms."""
    model = MultivariateGaussianHMM(
        [1.0, 0.0], [[0.0, 1.0], [1.0, 0.0]], [[0.0], [1000.0]], [[[1.0]], [[1.0]]]
    )
    x = np.array([1000.0, 0.0, 1000.0, 0.0])
    wanted = 4 * (-0.5 * math.log(2 * math.pi) - 0.5e6)
    assert math.isclose(model.score(x), wanted, rel_tol=1e-12)
    assert (model.predict(x) == [0, 1, 0, 1]).all()
    assert np.allclose(model.posterior(x), [[1, 0], [0, 1]] * 2)
    assert np.isfinite(model.expect(x).first).all()


def test_channels_that_are_constant_or_determined():
    rng = np.random.default_rng(8)
    a = np.rint(rng.normal(0, 20, (500, 1))).astype(np.int64)
    x = np.hstack([a, 2 * a, np.full((500, 1), 7)])
    model = MultivariateGaussianHMM.fit(x, 2)
    for predictive in (False, True):
        frozen = model.freeze(predictive=predictive)
        data = frozen.encode(x)
        assert (frozen.decode(data, 500) == x).all()
        assert 8 * len(data) < 500 * 9


def test_it_is_saved_and_copied(model, x, tmp_path):
    found = MultivariateGaussianHMM.fit(x[:500], 2, covariance_type="tied", n_iter=3)
    found.save(tmp_path / "model.npz")
    again = MultivariateGaussianHMM.load(tmp_path / "model.npz")
    assert again.covariance_type == "tied"
    assert (again.covariances == found.covariances).all()
    assert again.freeze() == found.freeze()
    other = pickle.loads(pickle.dumps(found))
    assert other.history == found.history
    assert other.freeze() == found.freeze()
    assert (
        repr(found)
        == "<MultivariateGaussianHMM: 2 states, 4 channels, tied covariances>"
    )


def test_samples(model):
    x, z = model.sample(30_000, seed=3)
    assert (x.dtype, x.shape, z.shape) == (np.int64, (30_000, 4), (30_000,))
    floats, again = model.sample(30_000, seed=3, rounded=False)
    assert (again == z).all()
    assert (np.floor(floats + 0.5) == x).all()
    for k in range(3):
        part = floats[z == k]
        assert np.allclose(part.mean(axis=0), model.means[k], atol=0.5)
        assert np.allclose(np.cov(part.T), model.covariances[k], rtol=0.2, atol=3)


@pytest.mark.parametrize("kind", TYPES)
def test_parameters_are_counted(kind):
    model = MultivariateGaussianHMM(
        [0.5, 0.5], [[1.0, 0.0], [0.5, 0.5]], np.zeros((2, 3)), [np.eye(3)] * 2,
        covariance_type=kind,
    )  # fmt: skip
    covariances = {"full": 12, "diag": 6, "spherical": 2, "tied": 6}[kind]
    assert model.n_parameters == 1 + 1 + 6 + covariances
    assert np.allclose(model.stationary, [1.0, 0.0])


def test_what_is_refused(model, x):
    chain, eye = ([1.0], [[1.0]]), [np.eye(2)]
    for wrong, text in (
        ((*chain, [[0, 0]], [np.eye(3)]), "covariances must have shape"),
        ((*chain, [[0, math.nan]], eye), "means must be finite, and is nan at"),
        ((*chain, [0, 0], eye), "means must have 2 axes"),
        ((*chain, [[0, 0]], [[[1, 2], [2, 1]]]), "positive definite"),
        ((*chain, [[0, 0]], [[[1, 0.5], [0, 1]]]), "symmetric"),
        (([0.5], [[1.0]], [[0, 0]], eye), "initial must be finite"),
    ):
        with pytest.raises(ModelError, match=text):
            MultivariateGaussianHMM(*wrong)
    full = [[[2, 1], [1, 2]]]
    for kind in ("diag", "spherical", "round"):
        with pytest.raises(ModelError, match=kind):
            MultivariateGaussianHMM(*chain, [[0, 0]], full, covariance_type=kind)
    fit = MultivariateGaussianHMM.fit
    for call, text in (
        (lambda: fit([], 2), "no data|empty"),
        (lambda: fit(x, 0), "n_states"),
        (lambda: fit(x, 2, init=model), "init has 3 states"),
        (lambda: fit(x, 2, tol=-1), "tol"),
        (lambda: fit(x, 2, min_covar=-1), "min_covar"),
        (lambda: fit(x, 2, covariance_type="round"), "covariance_type"),
        (lambda: model.freeze(prec=40), "prec"),
        (lambda: random_vectors(65, 1, seed=0).freeze(), "at most 64 states"),
        (lambda: random_vectors(1, 65, seed=0).freeze(), "at most 64 states"),
    ):
        with pytest.raises(ModelError, match=text):
            call()
    for data, text in (
        (np.zeros((5, 3)), r"shape \(5, 3\) are not \(T, 4\)"),
        (np.full((5, 4), math.inf), "inf at position 0, channel 0 is not finite"),
        ([["abc"]], "numbers"),
        (b"abc", "numbers"),
        (np.zeros((2, 5, 4)), "shape"),
    ):
        with pytest.raises(SymbolError, match=text):
            model.expect(data)
    with pytest.raises(SymbolError, match=r"sequence 1: .* are not \(T, 4\)"):
        fit([x, x[:, :2]], 2)


def test_it_is_exported():
    assert bbans.MultivariateGaussianHMM is MultivariateGaussianHMM
    assert bbans.models.VectorStatistics is VectorStatistics


@pytest.mark.parametrize(("mean", "variance"), [(2.0**50, 1.0), (1.0, 2.0**110)])
def test_a_state_that_fixed_point_does_not_hold_is_named(mean, variance):
    covariances = np.stack([np.eye(2), variance * np.eye(2)])
    chain = [0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]]
    model = MultivariateGaussianHMM(*chain, [[0, 0], [mean, 1]], covariances)
    with pytest.raises(ModelError, match=r"state 1 is out of the range.*divide"):
        model.freeze()
