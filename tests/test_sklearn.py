"""The estimators of scikit-learn: its own checks, and hmmlearn's results."""

import copy
import itertools
import pickle
import warnings

import numpy as np
import pytest

import bbans
from bbans import HMM, ModelError

sklearn = pytest.importorskip("sklearn", minversion="1.7")
from sklearn.base import clone  # noqa: E402
from sklearn.exceptions import NotFittedError  # noqa: E402
from sklearn.model_selection import (  # noqa: E402
    GridSearchCV,
    KFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import OrdinalEncoder  # noqa: E402
from sklearn.utils.estimator_checks import parametrize_with_checks  # noqa: E402

from bbans.sklearn import CategoricalHMM, GaussianHMM, PoissonHMM  # noqa: E402

# ---- scikit-learn's checks

LENGTHS = "the second argument is lengths, as hmmlearn has it, and y only in its place"
ORDER = "rows are a sequence: a row's state depends on the rows around it"
ONE_AXIS = "the check takes columns of X, and gives one feature as an array of one axis"
EXPECTED = {
    "check_fit_score_takes_y": LENGTHS,
    "check_n_features_in_after_fitting": LENGTHS,
    "check_methods_sample_order_invariance": ORDER,
    "check_methods_subset_invariance": ORDER,
}
OF_ONE_AXIS = {
    "check_dont_overwrite_parameters": ONE_AXIS,
    "check_dtype_object": ONE_AXIS,
    "check_estimator_sparse_array": ONE_AXIS,
    "check_f_contiguous_array_estimator": ONE_AXIS,
    "check_fit2d_1sample": ONE_AXIS,
    "check_fit2d_1feature": ONE_AXIS,
    "check_dict_unchanged": ONE_AXIS,
    "check_n_features_in": ONE_AXIS,
    "check_fit2d_predict1d": ONE_AXIS,
}


class FirstColumn:
    """Takes X of any number of columns, so that the checks above say something too."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = False
        return tags

    def _read(self, X, *, reset=False):
        return super(bbans.sklearn._base.Series, self)._read(X, reset=reset)

    def _observed(self, X):
        return super()._observed(X[:, :1])


class CategoricalColumn(FirstColumn, CategoricalHMM):
    pass


def expected(estimator):
    """What fails; pytest is told that what is expected to fail must fail."""
    if isinstance(estimator, FirstColumn):
        of_the_test = "the negative value is in a column that the test leaves out"
        return EXPECTED | {"check_positive_only_tag_during_fit": of_the_test}
    return EXPECTED | (
        OF_ONE_AXIS if estimator.__sklearn_tags__().input_tags.one_d_array else {}
    )


@parametrize_with_checks(
    [
        CategoricalHMM(2),
        CategoricalColumn(2),
        PoissonHMM(2),
        GaussianHMM(2),
    ],
    expected_failed_checks=expected,
)
def test_scikit_learn_accepts(estimator, check):
    check(estimator)


# ---- data


ESTIMATORS = [CategoricalHMM, PoissonHMM, GaussianHMM]


def categories(n=400, seed=0):
    model = HMM(
        [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8]]
    )
    return model.sample(n, seed=seed)[0][:, None]


def counts(n=400, seed=0):
    rng = np.random.default_rng(seed)
    state = np.repeat(rng.integers(0, 2, n // 20), 20)
    return rng.poisson(np.where(state, 3.0, 12.0))[:, None]


def vectors(n=400, seed=0):
    rng = np.random.default_rng(seed)
    state = np.repeat(rng.integers(0, 2, n // 20), 20)
    return np.where(state[:, None], [0.0, 5.0], [7.0, 1.0]) + rng.normal(size=(n, 2))


DATA = {CategoricalHMM: categories, PoissonHMM: counts, GaussianHMM: vectors}


def fitted(kind, **settings):
    return kind(2, random_state=0, **settings).fit(DATA[kind]())


def attributes(estimator):
    return {name: getattr(estimator, name) for name in estimator._letters.values()}


each = pytest.mark.parametrize("kind", ESTIMATORS)


# ---- hmmlearn


@pytest.fixture(scope="module")
def hmm():
    return pytest.importorskip("hmmlearn.hmm", reason="hmmlearn is not installed")


def alike(kind, hmm, rng, **settings):
    """An estimator here and one of hmmlearn, with the same random attributes."""
    K = int(rng.integers(1, 6))
    values = {
        "startprob_": rng.dirichlet(np.ones(K)),
        "transmat_": rng.dirichlet(np.ones(K), K),
    }
    if kind is CategoricalHMM:
        values["emissionprob_"] = rng.dirichlet(np.ones(4), K)
    elif kind is PoissonHMM:
        values["lambdas_"] = rng.uniform(1, 20, (K, 1))
    else:
        values["means_"] = rng.normal(size=(K, 2))
        values["covars_"] = rng.uniform(0.5, 3, (K, 2))
    pair = []
    for library in (bbans.sklearn, hmm):
        made = getattr(library, kind.__name__)(K, init_params="", tol=0, **settings)
        for name, value in values.items():
            setattr(made, name, value.copy())
        pair.append(made)
    return pair


def joint(theirs, X, states):
    """ln P(X, states), by hmmlearn's rows of emissions."""
    emissions = theirs._compute_log_likelihood(X)
    with np.errstate(divide="ignore"):
        chain = np.log(theirs.startprob_), np.log(theirs.transmat_)
    return (
        chain[0][states[0]]
        + chain[1][states[:-1], states[1:]].sum()
        + emissions[np.arange(len(X)), states].sum()
    )


def observations(kind, rng, n=50):
    if kind is CategoricalHMM:
        return rng.integers(0, 4, (n, 1))
    return rng.poisson(8, (n, 1)) if kind is PoissonHMM else rng.normal(size=(n, 2))


@each
def test_analysis_is_that_of_hmmlearn(kind, hmm):
    rng = np.random.default_rng(0)
    for _ in range(100 if kind is CategoricalHMM else 30):
        ours, theirs = alike(kind, hmm, rng)
        X, lengths = observations(kind, rng), [20, 1, 29]
        np.testing.assert_allclose(ours.score(X), theirs.score(X), rtol=1e-9)
        for mine, other in zip(
            ours.score_samples(X, lengths),
            theirs.score_samples(X, lengths),
            strict=True,
        ):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9)
        value, states = ours.decode(X, lengths, "map")
        other_value, other_states = theirs.decode(X, lengths, "map")
        np.testing.assert_allclose(value, other_value, rtol=1e-9)
        assert (states == other_states).all()
        # Paths may be equally likely, as any that take the same steps in another order.
        value, states = ours.decode(X, algorithm="viterbi")
        np.testing.assert_allclose(value, theirs.decode(X)[0], rtol=1e-9)
        np.testing.assert_allclose(value, joint(theirs, X, states), rtol=1e-9)
        value, states = ours.decode(X, lengths, "viterbi")
        np.testing.assert_allclose(value, theirs.decode(X, lengths)[0], rtol=1e-9)
        parts = zip(np.split(X, [20, 21]), np.split(states, [20, 21]), strict=True)
        paths = sum(joint(theirs, *part) for part in parts)
        np.testing.assert_allclose(value, paths, rtol=1e-9)
        for name in ("aic", "bic"):
            mine, other = getattr(ours, name)(X), getattr(theirs, name)(X)
            np.testing.assert_allclose(mine, other, rtol=1e-9)
        np.testing.assert_allclose(
            ours.get_stationary_distribution(),
            theirs.get_stationary_distribution(),
            rtol=1e-9,
            atol=1e-12,
        )


PRIORS = {
    CategoricalHMM: {"emissionprob_prior": 1.5},
    PoissonHMM: {},
    GaussianHMM: {"means_prior": 0.5, "means_weight": 2.0, "covars_prior": 0.3},
}


@each
@pytest.mark.parametrize("priors", [False, True])
def test_training_is_that_of_hmmlearn(kind, priors, hmm):
    rng = np.random.default_rng(1)
    settings = {"n_iter": 4}
    if priors:
        settings |= PRIORS[kind] | {"startprob_prior": 2.0, "transmat_prior": 1.25}
    ours, theirs = alike(kind, hmm, rng, **settings)
    X, lengths = observations(kind, rng, 120), [100, 20]
    ours.fit(X, lengths)
    theirs.fit(X, lengths)
    for name, value in attributes(ours).items():
        np.testing.assert_allclose(value, getattr(theirs, name), rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(ours.monitor_.history, theirs.monitor_.history)
    assert ours.monitor_.iter == theirs.monitor_.iter == 4


@pytest.mark.parametrize("covariance_type", ["diag", "full", "spherical", "tied"])
def test_covariances_of_each_type_are_those_of_hmmlearn(covariance_type, hmm):
    X = vectors()
    start = GaussianHMM(2, covariance_type, n_iter=1, random_state=0).fit(X)
    theirs = hmm.GaussianHMM(2, covariance_type, n_iter=4, tol=0, init_params="")
    for name in ("startprob_", "transmat_", "means_"):
        setattr(theirs, name, getattr(start, name).copy())
    compact = {
        "diag": np.diagonal(start.covars_, axis1=1, axis2=2),
        "spherical": start.covars_[:, 0, 0],
        "tied": start.covars_[0],
        "full": start.covars_,
    }[covariance_type]
    theirs.covars_ = compact
    theirs.fit(X)
    ours = clone(start).set_params(n_iter=4, tol=0, init_params="")
    for name in ("startprob_", "transmat_", "means_"):
        setattr(ours, name, getattr(start, name))
    ours.covars_ = compact
    ours.fit(X)
    np.testing.assert_allclose(ours.means_, theirs.means_, rtol=1e-8)
    if covariance_type == "spherical":  # theirs are repeated for each feature
        assert np.array_equal(theirs._covars_[:, 0], theirs._covars_[:, 1])
        covars = theirs._covars_[:, :, None] * np.eye(2)
    else:
        covars = theirs.covars_
    np.testing.assert_allclose(ours.covars_, covars, rtol=1e-8, atol=1e-12)


# ---- training


@each
def test_training_goes_up_and_says_so(kind, capsys):
    estimator = fitted(kind, n_iter=500, verbose=True)
    history = estimator.monitor_.history
    assert all(b >= a - 1e-6 for a, b in itertools.pairwise(history))
    assert estimator.score(DATA[kind]()) >= history[-1] - 1e-6
    assert estimator.monitor_.converged
    assert len(capsys.readouterr().err.splitlines()) == estimator.monitor_.iter
    assert not fitted(kind, n_iter=1).monitor_.converged


@each
def test_only_params_are_trained_and_only_init_params_are_started(kind):
    X = DATA[kind]()
    first = fitted(kind)
    for letter, name in first._letters.items():
        again = copy.deepcopy(first).set_params(params=letter, init_params="")
        again.set_params(n_iter=1).fit(DATA[kind](seed=1))
        kept = copy.deepcopy(first).set_params(init_params=letter, n_iter=0).fit(X)
        for other, value in attributes(first).items():
            same = np.array_equal(getattr(again, other), value)
            assert same == (other != name), (letter, other)
            if other != name:
                np.testing.assert_allclose(getattr(kept, other), value, rtol=1e-12)


@each
def test_zeros_stay(kind):
    others = "".join({*kind._letters} - {*"st"})
    estimator = kind(2, random_state=0, init_params=others)
    estimator.set_params(startprob_prior=3.0, transmat_prior=3.0)
    estimator.startprob_ = np.array([1.0, 0.0])
    estimator.transmat_ = np.array([[0.9, 0.1], [0.0, 1.0]])
    estimator.fit(DATA[kind]())
    assert estimator.startprob_.tolist() == [1, 0]
    assert estimator.transmat_[1].tolist() == [0, 1]


@each
def test_the_same_seed_gives_the_same_model(kind):
    X = DATA[kind]()
    for seed in (3, np.int64(3)):
        a, b = (kind(2, random_state=seed).fit(X) for _ in range(2))
        assert pickle.dumps(attributes(a)) == pickle.dumps(attributes(b))
    for make in (np.random.RandomState, np.random.default_rng):
        a, b = (kind(2, random_state=make(3)).fit(X) for _ in range(2))
        assert pickle.dumps(attributes(a)) == pickle.dumps(attributes(b))


def test_what_is_added_to_counts_of_a_state():
    X = np.full((10, 1), 6)
    estimator = PoissonHMM(1, lambdas_prior=4.0, lambdas_weight=10.0, n_iter=1).fit(X)
    assert estimator.lambdas_.item() == pytest.approx((4 + 60) / (10 + 10))


def test_attributes_that_would_be_lost():
    estimator = CategoricalHMM(2, random_state=0)
    estimator.startprob_ = [1.0, 0.0]
    with pytest.warns(UserWarning, match="startprob_ is set, .* leave 's' out of"):
        estimator.fit(categories())
    assert estimator.startprob_.tolist() != [1, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator.fit(categories())  # from a new start, as scikit-learn has it
        estimator.set_params(init_params="te").fit(categories())


# ---- lengths


@each
def test_sequences_are_apart(kind):
    X, lengths = DATA[kind](60), [20, 30, 10]
    estimator = fitted(kind)
    parts = np.split(X, [20, 50])
    assert estimator.score(X, lengths) == pytest.approx(
        sum(estimator.score(part) for part in parts)
    )
    np.testing.assert_allclose(
        estimator.predict_proba(X, lengths),
        np.concatenate([estimator.predict_proba(part) for part in parts]),
    )
    assert np.array_equal(
        estimator.predict(X, lengths),
        np.concatenate([estimator.predict(part) for part in parts]),
    )
    alone = clone(estimator).fit(X, lengths)
    assert alone.monitor_.history[0] != clone(estimator).fit(X).monitor_.history[0]
    assert np.array_equal(clone(estimator).fit_predict(X, lengths),
                          alone.predict(X, lengths))  # fmt: skip


@each
def test_a_target_is_not_lengths(kind):
    X = DATA[kind](60)
    estimator = fitted(kind)
    y = np.arange(60) % 3
    assert estimator.score(X, y) == estimator.score(X)
    assert estimator.score(X, np.ones(60, int)) != estimator.score(X)  # these are
    for wrong in ([20, 30], [60, 0], [], [[30, 30]], [30.0, 30.0], 60):
        with pytest.raises(
            ValueError, match="lengths must be integers above 0 that sum"
        ):
            estimator.score(X, wrong)


# ---- scikit-learn's tools


def test_in_a_pipeline():
    text = np.array(list("the cat sat on the mat " * 20))[:, None]
    line = make_pipeline(OrdinalEncoder(), CategoricalHMM(3, random_state=0))
    line.fit(text)
    assert line.predict(text).shape == (len(text),)
    assert np.isfinite(line.score(text))


@each
def test_in_a_grid_search(kind):
    X = DATA[kind]()
    folds = KFold(2)
    search = GridSearchCV(kind(random_state=0), {"n_components": [1, 2]}, cv=folds)
    search.fit(X)
    assert search.best_params_ == {"n_components": 2}
    scores = cross_val_score(kind(2, random_state=0), X, cv=folds)
    assert scores.mean() == pytest.approx(search.best_score_)


@each
def test_copies_are_the_same(kind):
    estimator, X = fitted(kind), DATA[kind]()
    for copied in (
        copy.copy(estimator),
        copy.deepcopy(estimator),
        pickle.loads(pickle.dumps(estimator)),
    ):
        assert np.array_equal(copied.predict_proba(X), estimator.predict_proba(X))
        assert repr(copied) == repr(estimator)
    assert repr(estimator) == f"{kind.__name__}(n_components=2, random_state=0)"
    assert not hasattr(clone(estimator), "startprob_")


def test_training_changes_no_parameter():
    estimator = CategoricalHMM(2, random_state=0)
    assert estimator.n_features is None
    estimator.fit(np.array([[0], [1], [4]] * 9))
    assert estimator.n_features == 5
    assert estimator.get_params()["n_features"] is None
    assert clone(estimator).n_features is None
    estimator.fit(np.array([[0], [1], [6]] * 9))  # what it had is no limit
    assert estimator.n_features == 7
    assert CategoricalHMM(2, n_features=9).fit([[0], [1]]).emissionprob_.shape == (2, 9)


# ---- compression


def test_categories_compress():
    X = categories()
    estimator = fitted(CategoricalHMM)
    model = estimator.freeze()
    packed = bbans.encode(X[:, 0], model)
    assert np.array_equal(bbans.decode(packed, model, length=len(X)), X[:, 0])
    assert len(packed) * 8 < -estimator.score(X) / np.log(2) + 64
    assert estimator.freeze(12, predictive=True).mode == "predictive"
    assert isinstance(estimator.model_, HMM)


def test_counts_compress():
    X = np.append(counts(), [[300]], axis=0)  # beyond what the states would have
    estimator = PoissonHMM(2, random_state=0).fit(X)
    assert estimator.high_ == 300
    model = estimator.freeze()
    packed = bbans.compress(X, model)
    assert np.array_equal(bbans.decompress(packed, model), X)
    assert np.isfinite(estimator.score([[400]]))
    with pytest.raises(ValueError, match="symbol 400"):
        estimator.set_params(high=350).score([[400]])


@pytest.mark.parametrize("covariance_type", ["diag", "full", "spherical", "tied"])
def test_vectors_compress(covariance_type):
    X = vectors()
    estimator = fitted(GaussianHMM, covariance_type=covariance_type)
    step = 0.01
    model = estimator.freeze(step=step)
    x = np.rint(X / step).astype(np.int64)
    packed = bbans.encode(x, model)
    assert np.array_equal(bbans.decode(packed, model, length=len(x)), x)
    bits = -estimator.score(X) / np.log(2) - X.size * np.log2(step)
    assert len(packed) * 8 == pytest.approx(bits, rel=0.02)


# ---- samples


@each
def test_samples(kind):
    estimator = fitted(kind)
    X, states = estimator.sample(500, random_state=1)
    assert X.shape == (500, estimator.n_features_in_)
    assert states.shape == (500,)
    again = estimator.sample(500, random_state=1)
    assert np.array_equal(again[0], X)
    assert not np.array_equal(estimator.sample(500, random_state=2)[0], X)
    _, states = estimator.sample(5000, random_state=1)
    stays = estimator.get_stationary_distribution() @ np.diag(estimator.transmat_)
    assert np.mean(states[1:] == states[:-1]) == pytest.approx(stays, abs=0.05)
    for state in (0, 1):
        assert estimator.sample(3, random_state=1, currstate=state)[1][0] == state
    assert len(estimator.sample()[0]) == 1


def test_attributes_without_training():
    estimator = CategoricalHMM(2)
    estimator.startprob_ = [0.5, 0.5]
    estimator.transmat_ = [[1, 0], [0, 1]]
    estimator.emissionprob_ = [[1, 0], [0.5, 0.5]]
    assert estimator.score([0]) == pytest.approx(np.log(0.75))
    assert estimator.n_features == 2
    estimator = PoissonHMM(1)
    estimator.startprob_, estimator.transmat_ = [1], [[1]]
    estimator.lambdas_ = [[2.5]]
    assert estimator.n_features == 1
    assert estimator.sample(3, random_state=0)[0].shape == (3, 1)


# ---- mistakes


@each
def test_before_training(kind):
    for method in ("score", "predict", "predict_proba", "decode", "aic", "bic"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(kind(), method)(DATA[kind]())
    for method in ("freeze", "sample", "get_stationary_distribution"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(kind(), method)()
    assert not hasattr(kind(), "model_")


@each
@pytest.mark.parametrize(
    ("setting", "value", "text"),
    [
        ("n_components", 0, "n_components must be an integer, 1 to 4096, not 0"),
        ("n_components", 1.5, "n_components must be an integer"),
        ("n_iter", -1, "n_iter must be an integer, at least 0"),
        ("tol", "small", "tol must be a real number"),
        ("tol", np.nan, "tol must be a number, not nan"),
        ("params", "sx", "params has 'x', and the letters are 's': startprob_, "),
        ("init_params", 3, "init_params must be a str, not 3"),
        (
            "implementation",
            "gpu",
            "implementation must be 'log' or 'scaling', not 'gpu'",
        ),
        ("algorithm", "best", "algorithm must be 'viterbi' or 'map', not 'best'"),
        ("random_state", "x", "cannot be used to seed"),
    ],
)
def test_wrong_settings(kind, setting, value, text):
    estimator = kind(2).set_params(**{setting: value})
    with pytest.raises(ValueError, match=text):
        estimator.fit(DATA[kind]())


@pytest.mark.parametrize(
    ("X", "text"),
    [
        ([[0, 1], [1, 0]], "X has 2 features, and CategoricalHMM has one"),
        ([[0.0], [0.5]], r"X must be of integers, and X\[1, 0\] is 0.5: round values"),
        ([[0], [-1]], r"Negative values in data: X\[1, 0\] is -1"),
        ([[0], [70000]], "n_features must be an integer, 1 to 65536, not 70001"),
    ],
)
def test_wrong_categories(X, text):
    with pytest.raises(ValueError, match=text):
        CategoricalHMM(2).fit(X)


def test_unknown_categories():
    with pytest.raises(ValueError, match="symbol 3"):
        fitted(CategoricalHMM).predict([[0], [3]])


@pytest.mark.parametrize(
    ("kind", "name", "value", "text"),
    [
        (CategoricalHMM, "startprob_", [0.5, 0.6], "startprob_ must be finite"),
        (CategoricalHMM, "startprob_", [1.0], "startprob_ and transmat_ must have"),
        (CategoricalHMM, "emissionprob_", [[1.0]], r"must have shape \(2, 1\)"),
        (
            PoissonHMM,
            "lambdas_",
            [[1.0, 2], [1, 2]],
            r"lambdas_ must have shape \(2, 1\)",
        ),
        (
            GaussianHMM,
            "means_",
            [[1.0, 2]],
            r"means_ must have shape \(2, n_features\)",
        ),
        (GaussianHMM, "covars_", [[1.0, 2]], r"covars_ must have shape \(2, 2\) for"),
    ],
)
def test_wrong_attributes(kind, name, value, text):
    estimator = fitted(kind)
    setattr(estimator, name, np.array(value))
    with pytest.raises(ValueError, match=text):
        estimator.score(DATA[kind]())


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (CategoricalHMM, "startprob_prior"),
        (CategoricalHMM, "transmat_prior"),
        (CategoricalHMM, "emissionprob_prior"),
        (PoissonHMM, "lambdas_prior"),
        (PoissonHMM, "lambdas_weight"),
        (GaussianHMM, "means_prior"),
        (GaussianHMM, "means_weight"),
        (GaussianHMM, "covars_prior"),
        (GaussianHMM, "covars_weight"),
    ],
)
def test_priors_are_real_numbers(kind, name):
    with pytest.raises(ModelError, match=f"{name} must be .*real number"):
        kind(2, **{name: 10**400}).fit(DATA[kind]())


def test_a_step_may_be_too_long():
    with pytest.raises(ModelError, match="covariance"):
        fitted(GaussianHMM).freeze(step=1e200)


def test_unknown_algorithms():
    with pytest.raises(ValueError, match="algorithm must be 'viterbi' or 'map'"):
        fitted(CategoricalHMM).decode(categories(), algorithm="best")
    with pytest.raises(ValueError, match="covariance_type must be 'full' or"):
        GaussianHMM(covariance_type="round").fit(vectors())
