"""Linear Gaussian models in floats, against dense Gaussians."""

import itertools
import math

import numpy as np
import pytest
from shared import random_lgssm

from bbans import LGSSM, ModelError, SymbolError
from bbans.errors import FormatError


def dense(model, T):
    """Mean and covariance of all z, and of all z with all x."""
    n, p = model.n_latents, model.n_observed
    mean, cov = np.zeros(T * n), np.zeros((T * n, T * n))
    C, d, R = np.zeros((T * p, T * n)), np.zeros(T * p), np.zeros((T * p, T * p))
    first = model.parameters()
    for t in range(T):
        at, now, before = model.at(t), slice(t * n, t * n + n), slice(0, t * n)
        if t == 0:
            mean[now], cov[now, now] = first["initial_mean"], first["initial_cov"]
        else:
            A, last = at["transition"], slice(t * n - n, t * n)
            mean[now] = A @ mean[last] + at["transition_offset"]
            cov[now, before] = A @ cov[last, before]
            cov[before, now] = cov[now, before].T
            cov[now, now] = A @ cov[last, last] @ A.T + at["transition_cov"]
        here = slice(t * p, t * p + p)
        C[here, now], d[here] = at["observation"], at["observation_offset"]
        R[here, here] = at["observation_cov"] + np.eye(p) / 12
    return mean, cov, C, C @ mean + d, C @ cov @ C.T + R


CASES = [(1, 1, None), (2, 1, None), (3, 2, None), (2, 3, None), (2, 2, 7), (3, 1, 40)]


@pytest.mark.parametrize(("n", "p", "steps"), CASES)
@pytest.mark.parametrize("T", [1, 2, 30])
def test_inference_equals_dense_gaussians(n, p, steps, T):
    model = random_lgssm(n, p, seed=n + 10 * p, steps=steps)
    x, _ = model.sample(T, seed=1)
    mean, cov, C, x_mean, x_cov = dense(model, T)
    error = x.ravel() - x_mean
    gain = cov @ C.T @ np.linalg.inv(x_cov)
    smoothed, smoothed_cov = model.smooth(x)
    assert np.allclose(smoothed.ravel(), mean + gain @ error, rtol=1e-9, atol=1e-9)
    exact = cov - gain @ C @ cov
    for t in range(T):
        block = slice(t * n, t * n + n)
        assert np.allclose(smoothed_cov[t], exact[block, block], rtol=1e-8, atol=1e-10)
    logdet = np.linalg.slogdet(2 * np.pi * x_cov)[1]
    expected = -0.5 * (logdet + error @ np.linalg.solve(x_cov, error))
    assert model.log_likelihood(x) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(("n", "p"), [(1, 1), (3, 2), (2, 3)])
def test_expected_moments_equal_dense_gaussians(n, p):
    """Of short sequences, and of long ones, whose gains become constant."""
    model = random_lgssm(n, p, seed=60 + n)
    data = [model.sample(T, seed=T)[0].reshape(T, p) for T in (1, 2, 30, 30, 300)]
    move, emit = np.zeros((2 * n + 1,) * 2), np.zeros((n + 1 + p,) * 2)
    firsts, first_cov, bits = [], np.zeros((n, n)), 0.0
    for x in data:
        mean, cov, C, x_mean, x_cov = dense(model, len(x))
        gain = cov @ C.T @ np.linalg.inv(x_cov)
        mean += gain @ (x.ravel() - x_mean)
        cov -= gain @ C @ cov
        second = cov + np.outer(mean, mean)
        z = mean.reshape(-1, n)
        for t in range(len(x)):
            now = slice(t * n, t * n + n)
            row = np.concatenate([z[t], [1.0], x[t]])
            moments = np.outer(row, row)
            moments[:n, :n] = second[now, now]
            emit += moments
            if t == 0:
                continue
            both = np.r_[t * n - n : t * n + n]
            row = np.concatenate([z[t - 1], [1.0], z[t]])
            moments = np.outer(row, row)
            around = np.r_[:n, n + 1 : 2 * n + 1]
            moments[np.ix_(around, around)] = second[np.ix_(both, both)]
            move += moments
        firsts.append(z[0])
        first_cov += cov[:n, :n]
        bits -= model.log_likelihood(x) / math.log(2)
    found = model.expect(data)
    assert np.allclose(found.move, move, rtol=1e-9, atol=1e-7)
    assert np.allclose(found.emit, emit, rtol=1e-9, atol=1e-7)
    assert np.allclose(found.first_means, firsts, rtol=1e-9, atol=1e-9)
    assert np.allclose(found.first_cov, first_cov, rtol=1e-9, atol=1e-9)
    assert found.information_content == pytest.approx(bits, rel=1e-12)
    assert (found.moves, found.emits) == (358, 363)
    assert found.n_symbols == 363 * p


def test_constant_gains_serve_long_sequences():
    model = random_lgssm(3, 2, seed=5)
    x, _ = model.sample(3000, seed=2)
    predicted, filtered, gains = model.filter(x)
    assert len(gains.gain) < 1000
    mean, at, parameters = None, model.at(0), model.parameters()
    mean = parameters["initial_mean"]
    for t in range(3000):
        assert np.allclose(predicted[t], mean, rtol=1e-9, atol=1e-9)
        error = x[t] - at["observation"] @ mean - at["observation_offset"]
        mean = mean + gains.gain[min(t, len(gains.gain) - 1)] @ error
        assert np.allclose(filtered[t], mean, rtol=1e-9, atol=1e-9)
        mean = at["transition"] @ mean + at["transition_offset"]
    means, covs = model.smooth(x)
    mean, cov = filtered[-1], gains.filtered[-1]
    for t in reversed(range(2999)):
        i = min(t, len(gains.back) - 1)
        J = gains.back[i]
        mean = filtered[t] + J @ (mean - predicted[t + 1])
        cov = gains.posterior[i] + J @ cov @ J.T
        assert np.allclose(means[t], mean, rtol=1e-9, atol=1e-9)
        assert np.allclose(covs[t], cov, rtol=1e-10, atol=1e-12)


def test_information_content_is_that_of_the_rounded_masses():
    # Wide noise: the mass of an integer is its density.
    model = random_lgssm(2, 2, seed=6, scale=200.0)
    x, _ = model.sample(500, seed=3)
    bits = -model.log_likelihood(x) / math.log(2)
    assert model.information_content(x) == pytest.approx(bits, rel=1e-5)
    # All masses of one observation sum to 1.
    model = random_lgssm(1, 1, seed=7, scale=0.3)
    centre = round(float(model.at(0)["observation_offset"][0]))
    total = sum(
        2.0 ** -model.information_content([x]) for x in range(centre - 30, centre + 31)
    )
    assert total == pytest.approx(1.0, abs=1e-9)


def test_never_loses_positive_definiteness():
    # Noise variances 14 orders of magnitude apart, a state nearly not observed.
    model = LGSSM(
        [[1.0, 1.0], [0.0, 1.0]],
        [[1.0, 0.0]],
        np.diag([1e-9, 1e-9]),
        [[1e-4]],
        initial_cov=np.eye(2) * 1e10,
    )
    x = np.arange(5000) ** 2
    gains = model.filter(x)[2]
    for name in ("predicted", "filtered", "posterior", "innovation"):
        for cov in getattr(gains, name):
            assert np.linalg.eigvalsh(cov)[0] > 0
    assert math.isfinite(model.information_content(x))


def test_far_out_no_logarithm_overflows():
    model = LGSSM([[0.5]], [[1.0]], [[1.0]], [[1.0]])
    assert model.information_content([1e308]) == math.inf


@pytest.mark.parametrize(("n", "p"), [(1, 1), (2, 1), (3, 2)])
def test_em_never_lowers_the_likelihood(n, p):
    truth = random_lgssm(n, p, seed=20 + n)
    data = [truth.sample(T, seed=T)[0] for T in (1, 2, 200, 300, 1500)]
    start = random_lgssm(n, p, seed=40 + n)
    model, values = start, []
    for _ in range(15):
        values.append(sum(map(model.log_likelihood, data)))
        model = LGSSM.fit(data, init=model, n_iter=1, tol=-np.inf)
    assert all(b > a - 1e-7 * abs(a) for a, b in itertools.pairwise(values))
    assert values[-1] > values[0] + 100


def test_fit_finds_the_rate_of_the_truth():
    truth = random_lgssm(3, 2, seed=30)
    train, test = (truth.sample(20000, seed=seed)[0] for seed in (1, 2))
    model = LGSSM.fit(train, 3, n_iter=30)
    assert all(b <= a + 1e-9 for a, b in itertools.pairwise(model.history))
    ideal = truth.information_content(test) / test.size
    assert model.information_content(test) / test.size < ideal + 0.005


def test_constraints_of_fit():
    truth = random_lgssm(2, 2, seed=31)
    x = truth.sample(2000, seed=1)[0]
    kept = ("transition", "observation_offset", "initial_mean")
    model = LGSSM.fit(
        x, init=truth, n_iter=5, tol=-np.inf, fixed=kept, diagonal=["observation_cov"]
    )
    old, new = truth.parameters(), model.parameters()
    for name in kept:
        assert (old[name] == new[name]).all()
    assert new["observation_cov"][0, 1] == 0
    assert (old["observation"] != new["observation"]).all()
    assert new["transition_cov"][0, 1] != 0


def test_constant_data_trains():
    model = LGSSM.fit(np.full(500, 7), 2)
    assert model.information_content(np.full(100, 7)) < 40


def test_files(tmp_path):
    model = random_lgssm(2, 3, seed=8, steps=4)
    model.save(tmp_path / "m.npz")
    again = LGSSM.load(tmp_path / "m.npz")
    for name, value in model.parameters().items():
        assert (again.parameters()[name] == value).all()
    (tmp_path / "x").write_bytes(b"no model")
    with pytest.raises(FormatError):
        LGSSM.load(tmp_path / "x")


@pytest.mark.parametrize(
    "change",
    [
        {"transition": np.eye(3)},
        {"transition": [[np.nan, 0], [0, 1]]},
        {"observation": np.ones(2)},
        {"transition_cov": [[1.0, 2.0], [2.0, 1.0]]},
        {"transition_cov": [[1.0, 0.5], [0.0, 1.0]]},
        {"observation_cov": np.eye(2)},
        {"initial_mean": [0.0]},
        {"transition": np.zeros((3, 2, 2)), "observation": np.ones((2, 1, 2))},
    ],
)
def test_refused_models(change):
    good = {
        "transition": np.eye(2),
        "observation": np.ones((1, 2)),
        "transition_cov": np.eye(2),
        "observation_cov": [[1.0]],
    }
    LGSSM(**good)
    with pytest.raises(ModelError):
        LGSSM(**{**good, **change})


def test_refused_data():
    model = random_lgssm(2, 2, seed=9)
    for x in ([1, 2, 3], np.ones((3, 3), int), np.full((4, 2), 0.5), [["a", "b"]]):
        with pytest.raises(SymbolError):
            model.information_content(x)
    with pytest.raises(ModelError):
        LGSSM.fit(np.arange(5), 2)


def test_a_list_of_integers_is_one_sequence():
    x, _ = random_lgssm(1, 1, seed=1).sample(300, seed=2)
    for fit in (lambda data: LGSSM.fit(data, 1, n_iter=2),
                lambda data: LGSSM.spectral(data, 1)):  # fmt: skip
        expected = fit(x).parameters()
        for data in (x.tolist(), tuple(x), iter(x.tolist()), [x], [x.tolist()],
                     x[:, None], [x[:, None].astype(np.int32)]):  # fmt: skip
            for name, values in fit(data).parameters().items():
                assert (values == expected[name]).all(), name


@pytest.mark.parametrize("data", [
    [0.5, 1.5], np.zeros(50), [np.zeros((50, 2))], "text", [[1, 2], [3, [4]]],
    np.zeros((2, 50, 1), int), [np.zeros((2, 50, 1), int)], np.zeros((50, 0), int),
    [None], [True, False], np.array(5),
])  # fmt: skip
def test_fit_says_what_observations_are(data):
    text = r"observations must be integers of shape \(T,\) or \(T, p\)"
    with pytest.raises(SymbolError, match=text):
        LGSSM.fit(data, 1)
    with pytest.raises(SymbolError, match=text):
        LGSSM.spectral(data, 1)


@pytest.mark.parametrize("data", [None, 5, 0.5, object()])
def test_fit_takes_sequences(data):
    with pytest.raises(ModelError, match=f"not {type(data).__name__}"):
        LGSSM.fit(data, 2)


def test_singular_data_and_bad_options():
    ramp = np.arange(300)[:, None] * np.ones((1, 3), int) * 10**6
    with pytest.raises(ModelError, match="singular"):
        LGSSM.fit(ramp, 2)
    for bad in ({"n_iter": -1}, {"tol": math.nan}, {"min_noise": -1.0}):
        with pytest.raises(ModelError, match="at least 0"):
            LGSSM.fit(ramp[:, :1], 1, **bad)
    with pytest.raises(ModelError, match=r"2\^47"):
        LGSSM([[1.0]], [[1.0]], [[1e300]], [[1.0]]).freeze()
