"""Models of hmmlearn, dynamax and pomegranate become models here, and go back."""

import sys
from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

from bbans import (
    ARHMM,
    HMM,
    Alphabet,
    FactorialHMM,
    GaussianHMM,
    MultivariateGaussianHMM,
    PoissonHMM,
    decode,
    encode,
)
from bbans.errors import ModelError
from bbans.models import (
    from_dynamax,
    from_hmmlearn,
    from_pomegranate,
    to_dynamax,
    to_hmmlearn,
    to_pomegranate,
)

RNG = np.random.default_rng(0)
K, M = 3, 5
INITIAL = RNG.dirichlet(np.ones(K))
TRANSITION = RNG.dirichlet(np.ones(K), K)
EMISSION = RNG.dirichlet(np.ones(M), K)
RATES = np.array([0.5, 4, 30])
MEANS = np.array([[-20.0, 3], [0, 0], [40, 7]])
COVARIANCES = np.array(
    [[[9, 2], [2, 4]], [[16, 0], [0, 1]], [[30, -5], [-5, 9]]], float
)
MODELS = {
    "categorical": HMM(INITIAL, TRANSITION, EMISSION),
    "text": HMM(INITIAL, TRANSITION, EMISSION, alphabet="abcde"),
    "factorial": FactorialHMM([(INITIAL, TRANSITION)], EMISSION),
    "poisson": PoissonHMM(INITIAL, TRANSITION, RATES, 90),
    "gaussian": GaussianHMM(INITIAL, TRANSITION, [-9, 0, 20], [3, 1, 5], -50, 80),
    "vectors": MultivariateGaussianHMM(INITIAL, TRANSITION, MEANS, COVARIANCES),
}


def parameters(model):
    """By name, whatever the kind."""
    names = ("initial", "transition")
    if isinstance(model, PoissonHMM):
        names += ("rates",)
    elif isinstance(model, GaussianHMM):
        names += ("means", "deviations")
    elif isinstance(model, MultivariateGaussianHMM):
        names += ("means", "covariances")
    else:
        names += ("emission",)
    return {name: np.asarray(getattr(model, name)) for name in names}


def assert_same(model, other, rtol=1e-15):
    mine, others = parameters(model), parameters(other)
    assert [*mine] == [*others]
    for name, value in mine.items():
        np.testing.assert_allclose(others[name], value, rtol=rtol, atol=1e-12)


def score(model, x):
    """ln P(x), of text by the alphabet's indices, as the others have it."""
    text = isinstance(model, HMM) and model.kind == "text"
    return model.score(model.alphabet.decode(x) if text else x)


# ---- the real libraries, where they are installed


@pytest.mark.parametrize("kind", MODELS)
def test_hmmlearn_both_ways(kind):
    pytest.importorskip("hmmlearn")
    model = MODELS[kind]
    theirs = to_hmmlearn(model)
    back = from_hmmlearn(theirs)
    assert_same(model, back)
    x = model.sample(300, seed=1)[0]
    if kind == "text":
        x = model.alphabet.encode(x)
    # Of one feature, densities at integers, and masses around them.
    rel = 1e-2 if kind == "gaussian" else 1e-9
    assert theirs.score(np.reshape(x, (300, -1))) == pytest.approx(
        score(model, x), rel=rel
    )
    theirs.n_iter = 1
    theirs.fit(theirs.sample(50, random_state=0)[0])  # goes on from there


def test_what_hmmlearn_trained_compresses():
    hmm = pytest.importorskip("hmmlearn.hmm")
    x = HMM(INITIAL, TRANSITION, EMISSION).sample(500, seed=0)[0]
    theirs = hmm.CategoricalHMM(3, random_state=0).fit(x[:, None])
    model = from_hmmlearn(theirs, alphabet="abcde")
    text = "".join("abcde"[i] for i in x)
    assert model.score(text) == pytest.approx(theirs.score(x[:, None]), rel=1e-9)
    frozen = model.freeze()
    assert decode(encode(text, frozen), frozen, length=500) == text

    y = np.random.default_rng(0).normal(size=(400, 2)) * [3, 9]
    for covariance_type in ("diag", "full", "spherical", "tied"):
        theirs = hmm.GaussianHMM(
            2, covariance_type, random_state=0, init_params="stc", n_iter=3
        )
        theirs.means_ = np.array([[-1.0, 2.0], [2.0, 1.0]])  # k-means would take longer
        theirs.fit(y)
        model = from_hmmlearn(theirs)
        assert model.score(y) == pytest.approx(theirs.score(y), rel=1e-9)
    theirs = hmm.PoissonHMM(2, random_state=0).fit(x[:, None])
    assert from_hmmlearn(theirs).score(x) == pytest.approx(
        theirs.score(x[:, None]), rel=1e-9
    )


@pytest.mark.parametrize("kind", MODELS)
def test_dynamax_both_ways(kind):
    jax = pytest.importorskip("jax")
    pytest.importorskip("dynamax")
    jax.config.update("jax_enable_x64", True)
    model = MODELS[kind]
    hmm, params, props = to_dynamax(model)
    for given in (params, (hmm, params), (params, props)):
        assert_same(model, from_dynamax(given))
    x = model.sample(100, seed=1)[0]
    if kind == "text":
        x = model.alphabet.encode(x)
    values = np.reshape(x, (100, -1))
    if kind in ("gaussian", "vectors"):
        values = values.astype(np.float64)
    theirs = float(hmm.marginal_log_prob(params, values))
    rel = 1e-2 if kind == "gaussian" else 1e-6
    assert theirs == pytest.approx(score(model, x), rel=rel)


def test_covariances_of_dynamax():
    pytest.importorskip("jax")
    library = pytest.importorskip("dynamax.hidden_markov_model")
    for name in (
        "GaussianHMM",
        "DiagonalGaussianHMM",
        "SphericalGaussianHMM",
        "SharedCovarianceGaussianHMM",
    ):
        hmm = getattr(library, name)(2, 2)
        params, _ = hmm.initialize()
        model = from_dynamax(params)
        for k in range(2):
            law = hmm.emission_component.distribution(params.emissions, k)
            np.testing.assert_allclose(
                model.covariances[k], law.covariance(), rtol=1e-5, atol=1e-9
            )


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_pomegranate_both_ways(kind, precision):
    torch = pytest.importorskip("torch")
    pytest.importorskip("pomegranate.hmm")
    dtype, rel = (
        getattr(torch, precision),
        {"float32": 1e-5, "float64": 1e-12}[precision],
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        model = MODELS[kind]
        theirs = to_pomegranate(model)
        assert_same(model, from_pomegranate(theirs), rtol=rel)
        x = model.sample(100, seed=1)[0]
        if kind == "text":
            x = model.alphabet.encode(x)
        values = torch.tensor(np.reshape(x, (1, 100, -1)))
        if kind in ("gaussian", "vectors"):
            values = values.to(dtype)
        found = theirs.log_probability(values).item()
    finally:
        torch.set_default_dtype(before)
    rel = 1e-2 if kind == "gaussian" else max(rel, 1e-9)
    assert found == pytest.approx(score(model, x), rel=rel)


# ---- objects with the attributes of theirs, whatever is installed


def hmmlearn_like(**attributes):
    return SimpleNamespace(
        startprob_=INITIAL.copy(), transmat_=TRANSITION.copy(), **attributes
    )


Params = namedtuple("ParamsHMM", "initial transitions emissions")
Initial = namedtuple("Initial", "probs")
Transitions = namedtuple("Transitions", "transition_matrix")


def dynamax_like(dtype=np.float32, **emissions):
    values = {name: value.astype(dtype) for name, value in emissions.items()}
    return Params(
        Initial(INITIAL.astype(dtype)),
        Transitions(TRANSITION.astype(dtype)),
        namedtuple("Emissions", [*values])(**values),
    )


class Tensor:
    """What torch's tensors need before NumPy reads them."""

    def __init__(self, values, dtype=np.float32):
        self.values = np.asarray(values, dtype)

    def detach(self):
        return SimpleNamespace(cpu=lambda: self.values)


def pomegranate_like(kind, states, ends=(0.1, 0.2, 0.3)):
    law = type(kind, (SimpleNamespace,), {})
    going = TRANSITION * (1 - np.array(ends))[:, None]
    with np.errstate(divide="ignore"):
        logs = [Tensor(np.log(values)) for values in (INITIAL, going, ends)]
    return SimpleNamespace(
        starts=logs[0],
        edges=logs[1],
        ends=logs[2],
        distributions=[
            law(**{name: Tensor(value) for name, value in state.items()})
            for state in states
        ],
    )


DIAGONALS = np.diagonal(COVARIANCES, axis1=1, axis2=2)
ALIKE = {
    "hmmlearn categorical": (
        lambda: from_hmmlearn(hmmlearn_like(emissionprob_=EMISSION)),
        MODELS["categorical"],
    ),
    "hmmlearn poisson": (
        lambda: from_hmmlearn(hmmlearn_like(lambdas_=RATES[:, None]), high=90),
        MODELS["poisson"],
    ),
    "hmmlearn gaussian": (
        lambda: from_hmmlearn(
            hmmlearn_like(means_=[[-9], [0], [20]], covars_=[[[9]], [[1]], [[25]]]),
            low=-50,
            high=80,
        ),
        MODELS["gaussian"],
    ),
    "hmmlearn vectors": (
        lambda: from_hmmlearn(hmmlearn_like(means_=MEANS, covars_=COVARIANCES)),
        MODELS["vectors"],
    ),
    "hmmlearn vectors, finer": (
        lambda: from_hmmlearn(
            hmmlearn_like(means_=MEANS / 4, covars_=COVARIANCES / 16), step=0.25
        ),
        MODELS["vectors"],
    ),
    "dynamax categorical": (
        lambda: from_dynamax(dynamax_like(probs=EMISSION[:, None])),
        MODELS["categorical"],
    ),
    "dynamax poisson": (
        lambda: from_dynamax(dynamax_like(rates=RATES[:, None])),
        MODELS["poisson"],
    ),
    "dynamax full": (
        lambda: from_dynamax(dynamax_like(means=MEANS, covs=COVARIANCES)),
        MODELS["vectors"],
    ),
    "dynamax diagonal": (
        lambda: from_dynamax(dynamax_like(means=MEANS, scale_diags=DIAGONALS**0.5)),
        MultivariateGaussianHMM(
            INITIAL, TRANSITION, MEANS, DIAGONALS[:, :, None] * np.eye(2)
        ),
    ),
    "dynamax spherical": (
        lambda: from_dynamax(dynamax_like(means=MEANS, scales=np.array([1.0, 2, 3]))),
        MultivariateGaussianHMM(
            INITIAL, TRANSITION, MEANS, np.array([1.0, 4, 9])[:, None, None] * np.eye(2)
        ),
    ),
    "dynamax shared": (
        lambda: from_dynamax(dynamax_like(means=MEANS, cov=COVARIANCES[0])),
        MultivariateGaussianHMM(INITIAL, TRANSITION, MEANS, COVARIANCES[[0, 0, 0]]),
    ),
    "pomegranate categorical": (
        lambda: from_pomegranate(
            pomegranate_like("Categorical", [{"probs": [row]} for row in EMISSION])
        ),
        MODELS["categorical"],
    ),
    "pomegranate poisson": (
        lambda: from_pomegranate(
            pomegranate_like("Poisson", [{"lambdas": [rate]} for rate in RATES])
        ),
        MODELS["poisson"],
    ),
    "pomegranate full": (
        lambda: from_pomegranate(
            pomegranate_like(
                "Normal",
                [
                    {"means": m, "covs": c}
                    for m, c in zip(MEANS, COVARIANCES, strict=True)
                ],
            )
        ),
        MODELS["vectors"],
    ),
    "pomegranate diagonal": (
        lambda: from_pomegranate(
            pomegranate_like(
                "Normal",
                [
                    {"means": m, "covs": c}
                    for m, c in zip(MEANS, DIAGONALS, strict=True)
                ],
            )
        ),
        MultivariateGaussianHMM(
            INITIAL, TRANSITION, MEANS, DIAGONALS[:, :, None] * np.eye(2)
        ),
    ),
}


@pytest.mark.parametrize("name", ALIKE)
def test_attributes_are_all_it_takes(name):
    make, expected = ALIKE[name]
    model = make()
    assert type(model) is type(expected)
    assert_same(expected, model, rtol=1e-15 if "hmmlearn" in name else 1e-6)
    for rows in (model.initial, model.transition):
        np.testing.assert_allclose(rows.sum(axis=-1), 1, rtol=1e-12)


def test_symbols_get_their_names():
    model = from_hmmlearn(hmmlearn_like(emissionprob_=EMISSION), alphabet="abcde")
    assert model.alphabet == Alphabet("abcde")
    assert model.information_content("abba") > 0


def test_integers_that_there_is_room_for():
    model = from_hmmlearn(hmmlearn_like(lambdas_=RATES[:, None]))
    assert model.n_symbols > 30 + 9 * 30**0.5
    model = from_hmmlearn(
        hmmlearn_like(means_=[[-9], [0], [20]], covars_=[[[9]], [[1]], [[25]]])
    )
    assert model.alphabet.encode([-36, 65]).tolist() == [0, 101]


def test_estimators_are_as_good_as_hmmlearn_s():
    estimators = pytest.importorskip("bbans.sklearn")
    estimator = estimators.CategoricalHMM(2, random_state=0).fit([[0], [1], [2]] * 9)
    assert_same(estimator.model_, from_hmmlearn(estimator))


# ---- mistakes


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: from_hmmlearn(SimpleNamespace()),
            "SimpleNamespace has no startprob_: train it, or set it, first",
        ),
        (
            lambda: from_hmmlearn(hmmlearn_like()),
            "no emissionprob_, lambdas_ or means_",
        ),
        (lambda: from_hmmlearn(hmmlearn_like(means_=MEANS)), "has no covars_"),
        (lambda: from_hmmlearn(hmmlearn_like(n_trials=3)), "counts of several trials"),
        (lambda: from_hmmlearn(hmmlearn_like(weights_=3)), "emit mixtures"),
        (
            lambda: from_hmmlearn(hmmlearn_like(emissionprob_=EMISSION), high=3),
            "leave `high` out for a categorical model",
        ),
        (
            lambda: from_hmmlearn(hmmlearn_like(lambdas_=RATES[:, None]), low=3),
            "leave `low` out for a Poisson model",
        ),
        (
            lambda: from_hmmlearn(
                hmmlearn_like(lambdas_=RATES[:, None]), alphabet="ab"
            ),
            "leave `alphabet` out for a model of numbers",
        ),
        (
            lambda: from_hmmlearn(
                hmmlearn_like(means_=MEANS, covars_=COVARIANCES), high=3
            ),
            "leave `high` out for a model of several features",
        ),
        (
            lambda: from_hmmlearn(hmmlearn_like(emissionprob_=EMISSION), step=2),
            "step is of Gaussians",
        ),
        (
            lambda: from_hmmlearn(hmmlearn_like(emissionprob_=EMISSION), step=0),
            "step must be above 0 and finite, not 0",
        ),
        (
            lambda: from_hmmlearn(hmmlearn_like(lambdas_=[[1, 2], [1, 2], [3, 4]])),
            r"rates must have shape \(K, 1\), not \(3, 2\)",
        ),
        (
            lambda: from_hmmlearn(
                hmmlearn_like(means_=[[1], [2], [3]], covars_=[[[1]], [[1e-4]], [[1]]])
            ),
            "state 1 has a deviation of 0.01 integers, and the least is 0.25: give a",
        ),
        (
            lambda: from_hmmlearn(hmmlearn_like(emissionprob_=EMISSION * 1.01)),
            "emission row 0 must be finite, >= 0 and sum to 1",
        ),
        (lambda: from_dynamax(3), "int has no initial.probs"),
        (lambda: from_dynamax(dynamax_like(odd=MEANS)), "has no emissions.probs"),
        (
            lambda: from_dynamax(dynamax_like(probs=EMISSION)),
            r"emissions.probs must have shape \(K, 1, M\), one category at a time, not",
        ),
        (lambda: from_pomegranate(SimpleNamespace()), "SimpleNamespace has no starts"),
        (
            lambda: from_pomegranate(SimpleNamespace(_edge_idx_starts=3)),
            "a SparseHMM has no matrix of transitions",
        ),
        (
            lambda: from_pomegranate(pomegranate_like("Gamma", [{}] * 3)),
            "must all be Categorical, Poisson or Normal, not Gamma",
        ),
        (
            lambda: from_pomegranate(
                pomegranate_like("Categorical", [{"probs": EMISSION}] * 3)
            ),
            r"probs of shape \(1, M\), not \(3, 5\)",
        ),
        (
            lambda: from_pomegranate(
                pomegranate_like("Categorical", [{"probs": 1.0}] * 3)
            ),
            r"probs of shape \(1, M\), not \(\)",
        ),
        (
            lambda: from_pomegranate(
                pomegranate_like("Categorical", [{"probs": [r]} for r in ([1], [0, 1])])
            ),
            "probs must be of one shape for all states",
        ),
        (
            lambda: from_pomegranate(
                pomegranate_like("Categorical", [{"probs": [[1]]}] * 3, (1, 0, 0))
            ),
            "transition row 0 must be finite",
        ),
        (lambda: to_hmmlearn(3), "model must be an HMM for to_hmmlearn, not 3"),
        (
            lambda: to_dynamax(ARHMM.fit(["abc"], 1, order=1, n_iter=1)),
            "model must be an HMM for to_dynamax",
        ),
    ],
)
def test_mistakes(make, text):
    with pytest.raises(ModelError, match=text):
        make()


@pytest.mark.parametrize(
    ("convert", "library"),
    [
        (to_hmmlearn, "hmmlearn"),
        (to_dynamax, "dynamax"),
        (to_pomegranate, "pomegranate"),
    ],
)
def test_a_library_that_is_not_there(convert, library, monkeypatch):
    for name in [*sys.modules]:
        if name.partition(".")[0] == library:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=f"needs {library}: pip install {library}"):
        convert(MODELS["categorical"])
