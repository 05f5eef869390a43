"""What hidden states did: likeliest paths, posteriors, scores, parameters counted."""

import itertools
import math

import numpy as np
import pytest
from shared import byte_hmm

from bbans import (
    ARHMM,
    HMM,
    FactorialHMM,
    GaussianHMM,
    HierarchicalHMM,
    ModelError,
    PoissonHMM,
)
from bbans.errors import SymbolError
from bbans.models import Topology, _states

CHAIN = ([0.25, 0.75], [[0.5, 0.5], [0.125, 0.875]])
LINES = ["abcabcabd", "abcabdabc"] * 5
MODELS = {
    "HMM": HMM.random(3, 3, seed=0),
    "sparse": HMM.random(3, 3, concentration=0.1, seed=1),
    "one state": HMM.random(1, 3, seed=2),
    "GaussianHMM": GaussianHMM(*CHAIN, [0, 2], [1, 0], 0, 2),
    "PoissonHMM": PoissonHMM(*CHAIN, [0.1, 2.5], 2),
    "FactorialHMM": FactorialHMM.random([2, 2], 3, seed=3),
    "ARHMM": ARHMM.fit([[0, 1, 2, 0, 1, 1], [2, 0, 1]] * 3, 2, order=2, alphabet=3),
}


def log_emissions(model, x):
    """ln P(x_t | z_t = k), shape (T, K), by the definitions of the models."""
    with np.errstate(divide="ignore"):
        if not isinstance(model, ARHMM):
            return np.log(model.emission[:, x].T)
        rows = []
        for t in range(len(x)):
            found = [
                HMM(one, [[1.0]], model.states.emission[[k]])
                for k, one in enumerate([[1.0]] * model.n_states)
            ]
            of_state = [
                ARHMM(state, model.contexts).information_content(x[: t + 1])
                - ARHMM(state, model.contexts).information_content(x[:t])
                for state in found
            ]
            rows.append(-np.array(of_state) * math.log(2))
        return np.array(rows).reshape(len(x), model.n_states)


def paths(model, x):
    """Every path with ln P(x, path), by its last state, the one before ..."""
    states = getattr(model, "states", model)
    with np.errstate(divide="ignore"):
        initial, A = np.log(states.initial), np.log(states.transition)
    E = log_emissions(model, x)
    for back in itertools.product(range(model.n_states), repeat=len(x)):
        z = back[::-1]
        total = initial[z[0]] + E[0, z[0]]
        for t in range(1, len(x)):
            total += A[z[t - 1], z[t]] + E[t, z[t]]
        yield z, total


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("length", [1, 2, 5])
def test_paths_and_posteriors_are_those_of_the_joint_table(name, length):
    model = MODELS[name]
    x, _ = model.sample(length, seed=length)
    table = list(paths(model, x))
    top = max(total for _, total in table)
    bits, states = model.viterbi(x)
    assert bits == pytest.approx(-top / math.log(2), rel=1e-12)
    assert dict(table)[tuple(states)] == pytest.approx(top, rel=1e-12)
    weight = np.exp(np.array([total for _, total in table]) - top)
    expected = np.zeros((length, model.n_states))
    for (z, _), w in zip(table, weight, strict=True):
        expected[range(length), z] += w / weight.sum()
    np.testing.assert_allclose(model.posterior(x), expected, atol=1e-12)
    score = math.log(weight.sum()) + top
    assert model.score(x) == pytest.approx(score, rel=1e-12, abs=1e-12)
    assert model.score(x) == pytest.approx(
        -model.information_content(x) * math.log(2), rel=1e-12, abs=1e-12
    )


@pytest.mark.parametrize("K", [1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33])
def test_the_lowest_states_win_ties(K):
    same = HMM(np.full(K, 1 / K), np.full((K, K), 1 / K), np.full((K, 2), 0.5))
    bits, states = same.viterbi([0, 1, 1, 0])
    assert states.tolist() == [0] * 4
    assert bits == pytest.approx(4 * (1 + math.log2(K)))
    # Only the upper states can be: the lowest of these wins.
    first = K // 2
    initial = np.zeros(K)
    initial[first:] = 1 / (K - first)
    A = np.tile(initial, (K, 1))
    upper = HMM(initial, A, np.full((K, 2), 0.5))
    assert upper.predict([0, 1, 1]).tolist() == [first] * 3
    # From each state to the next one, cyclic: one path, whatever the column.
    cycle = HMM(np.eye(K)[0], np.roll(np.eye(K), 1, axis=1), np.full((K, 2), 0.5))
    assert cycle.predict([0] * 2 * K).tolist() == list(range(K)) * 2


@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
def test_all_instruction_sets_find_the_same_path(isa, monkeypatch):
    from bbans._lib import lib

    number = {"portable": 0, "avx2": lib.BBANS_ISA_AVX2, "avx512": lib.BBANS_ISA_AVX512}
    model = HMM.random(21, 6, seed=4)
    x, _ = model.sample(500, seed=5)
    want, used = model.viterbi(x), lib.bbans_isa_in_use()
    posterior = model.posterior(x)
    if lib.bbans_isa_use(number[isa]) != number[isa]:
        lib.bbans_isa_use(used)
        pytest.skip("not of this processor")
    try:
        bits, states = model.viterbi(x)
        np.testing.assert_allclose(model.posterior(x), posterior, atol=1e-12)
    finally:
        lib.bbans_isa_use(used)
    assert bits == want[0]
    assert np.array_equal(states, want[1])


def test_paths_and_posteriors_are_hmmlearns():
    hmm = pytest.importorskip("hmmlearn.hmm")
    rng = np.random.default_rng(0)
    for seed in range(100):
        K, M, T = (int(n) for n in rng.integers(1, [20, 30, 300]))
        model = HMM.random(K, M, concentration=rng.choice([0.1, 1, 5]), seed=seed)
        x, _ = model.sample(T, seed=seed)
        column = x[:, np.newaxis]
        theirs = hmm.CategoricalHMM(n_components=K, n_features=M)
        theirs.startprob_, theirs.transmat_ = model.initial, model.transition
        theirs.emissionprob_ = model.emission
        log_p, path = theirs.decode(column)
        bits, states = model.viterbi(column)
        assert bits == pytest.approx(-log_p / math.log(2), rel=1e-12, abs=1e-12)
        if not np.array_equal(path, states):  # of equally likely ones theirs is another
            with np.errstate(divide="ignore"):
                first, A = np.log(model.initial), np.log(model.transition)
            E = log_emissions(model, x)

            totals = [
                first[z[0]] + A[z[:-1], z[1:]].sum() + E[range(T), z].sum()
                for z in (path, states)
            ]
            assert totals[0] == pytest.approx(totals[1], rel=1e-13)
        np.testing.assert_allclose(
            model.posterior(x), theirs.predict_proba(column), atol=1e-9
        )
        assert model.score(x) == pytest.approx(theirs.score(column), rel=1e-12)
        if M > 1:
            assert model.aic(x) == pytest.approx(theirs.aic(column), rel=1e-12)
            assert model.bic(x) == pytest.approx(theirs.bic(column), rel=1e-12)
        np.testing.assert_allclose(
            model.stationary, theirs.get_stationary_distribution(), atol=1e-9
        )


def test_sequences_end_to_end_are_each_by_itself():
    lengths = [3, 0, 1, 200, 5, 0]
    for model in (MODELS["HMM"], MODELS["ARHMM"]):
        parts = [model.sample(n, seed=n)[0] for n in lengths]
        x = np.concatenate(parts)
        states = [model.predict(part) for part in parts]
        assert np.array_equal(model.predict(x, lengths), np.concatenate(states))
        gamma = np.concatenate([model.posterior(part) for part in parts])
        np.testing.assert_allclose(model.posterior(x, lengths), gamma, atol=1e-12)
        score = sum(model.score(part) for part in parts)
        assert model.score(x, lengths) == pytest.approx(score, rel=1e-12)
        assert model.bic(x, lengths) == pytest.approx(
            -2 * score + model.n_parameters * math.log(len(x))
        )
        assert model.predict(x, np.array(lengths)).dtype == np.int64


@pytest.mark.parametrize(
    ("lengths", "text"),
    [
        ([2, 2], "add up to 4, and x has 5"),
        ([], "add up to 0"),
        ([6, -1], "0 or more"),
        ([2**62, 2**62, 2**62, 2**62, 5], "add up to 18446744073709551621"),
        ([[5]], "one a sequence"),
        ([5.0], "float64"),
        (["5"], "lengths must be integers"),
    ],
)
def test_lengths_that_are_none(lengths, text):
    for method in ("predict", "posterior", "score", "aic", "bic"):
        with pytest.raises(ModelError, match=text):
            getattr(MODELS["HMM"], method)([0, 1, 2, 0, 1], lengths)


def test_no_data_have_no_states():
    for model in MODELS.values():
        for x in ([], np.zeros((0, 1), int)):
            bits, states = model.viterbi(x)
            assert (bits, states.size, states.dtype) == (0, 0, np.int64)
            assert math.copysign(1, bits) == 1
            assert model.predict(x, [0, 0]).size == 0
            assert model.posterior(x).shape == (0, model.n_states)
            assert model.score(x) == 0
            assert model.score(x, []) == 0
            with pytest.raises(ModelError, match="no data"):
                model.bic(x)


def test_input_is_what_information_content_takes():
    text = HMM.fit(LINES, 3, n_iter=5)
    as_codes = [ord(c) for c in LINES[0]]
    assert np.array_equal(text.predict(LINES[0]), text.predict(as_codes))
    assert text.posterior(LINES[0]).shape == (9, 3)
    ends = HMM.fit(LINES, 3, n_iter=5, ends=True)
    assert ends.posterior(LINES[0]).shape == (9, 3)
    log_p = -ends.information_content(LINES[0]) * math.log(2)
    assert ends.score(LINES[0]) == pytest.approx(log_p, rel=1e-12)
    utf8 = ARHMM.fit(["é" * 9], 2, order=1, n_iter=2)
    assert utf8.predict("éé").size == 4
    model = byte_hmm(4, seed=0)
    assert np.array_equal(model.predict(b"abc"), model.predict([97, 98, 99]))
    assert np.array_equal(
        model.predict(np.array([[97], [98]], np.uint8)), model.predict(b"ab")
    )


@pytest.mark.parametrize("name", MODELS)
def test_two_features_are_refused(name):
    for x in (np.zeros((500, 2), int), [[0, 1], [1, 0]]):
        for method in ("viterbi", "predict", "posterior", "score"):
            with pytest.raises(SymbolError, match="MultivariateGaussianHMM"):
                getattr(MODELS[name], method)(x)
    two = np.zeros((500, 2), int)
    fits = {FactorialHMM: [2], HierarchicalHMM: [2]}
    for kind in (HMM, GaussianHMM, PoissonHMM, FactorialHMM, HierarchicalHMM, ARHMM):
        n_states = fits.get(kind, 2)
        with pytest.raises(SymbolError, match="MultivariateGaussianHMM"):
            kind.fit(two, n_states)
        with pytest.raises(SymbolError, match="MultivariateGaussianHMM"):
            kind.fit([two, two], n_states)


def test_one_feature_is_one_sequence():
    x = np.random.default_rng(0).integers(0, 9, 300)
    for kind in (HMM, GaussianHMM, PoissonHMM):
        flat, column = (kind.fit(a, 2, n_iter=3) for a in (x, x[:, np.newaxis]))
        assert np.array_equal(flat.emission, column.emission)
        both = kind.fit([x[:100, np.newaxis], x[100:]], 2, n_iter=3)
        assert np.array_equal(
            both.emission, kind.fit([x[:100], x[100:]], 2, n_iter=3).emission
        )


def test_what_is_impossible_is_named():
    model = HMM([1, 0], [[0.5, 0.5], [0, 1]], [[1, 0, 0], [0, 1, 0]], alphabet="abc")
    for x, t in (("b", 0), ("aba", 2), ("ac", 1), ("a" * 50 + "c" + "a" * 9, 50)):
        name = rf"symbol '{x[t]}' \(U\+00{ord(x[t]):X}\) at position {t} is impossible"
        for method in ("viterbi", "predict", "posterior"):
            with pytest.raises(SymbolError, match=name):
                getattr(model, method)(x)
        assert model.score(x) == -math.inf
        assert model.aic(x) == math.inf
        text = rf"position {t} of sequence 2 is impossible"
        for method in ("predict", "posterior"):
            with pytest.raises(SymbolError, match=text):
                getattr(model, method)("aa" + x + "a", [2, 0, len(x), 1])
    with pytest.raises(SymbolError, match="not in the model's alphabet"):
        model.viterbi("x")
    assert model.predict("aab").tolist() == [0, 0, 1]


def test_posteriors_beyond_the_range_of_floats():
    tiny = 1e-300
    # Two components that do not mix: one falls out of range, then explains the rest.
    two = HMM(
        [0.5, 0.5], np.eye(2), [[0.999, 0.001 - 1e-9, 1e-9], [0.001, 0.001, 0.998]]
    )
    for n, m in ((200, 2000), (2000, 50), (150, 49)):
        x = np.repeat([0, 2], [n, m])
        odds = n * math.log(0.999 / 0.001) + m * math.log(1e-9 / 0.998)
        first = 1 / (1 + math.exp(-odds)) if odds > -700 else 0.0
        np.testing.assert_allclose(
            two.posterior(x), np.tile([first, 1 - first], (n + m, 1)), atol=1e-9
        )
        assert two.predict(x).tolist() == [int(odds < 0)] * (n + m)
        likelier = max(
            n * math.log(0.999) + m * math.log(1e-9),
            n * math.log(0.001) + m * math.log(0.998),
        )
        assert two.viterbi(x)[0] == pytest.approx(1 - likelier / math.log(2))
    # Paths of probability tiny and tiny^2, all of them far below floats' range.
    chain = HMM(
        [1.0, 0.0, 0.0],
        [[1.0, tiny, 0.0], [0.0, tiny, 1.0], [0.0, 0.0, 1.0]],
        [[1.0, 0.0, 0.0], [tiny, 1.0, 0.0], [0.0, 0.0, 1.0]],
    )
    for x, states in (([0, 0, 1, 2], [0, 0, 1, 2]), ([0, 0, 2, 2], [0, 1, 2, 2])):
        np.testing.assert_allclose(chain.posterior(x), np.eye(3)[states], atol=1e-12)
        assert chain.predict(x).tolist() == states
        assert chain.score(x) == pytest.approx(
            -chain.information_content(x) * math.log(2), rel=1e-12
        )


def test_logarithms_and_scaled_messages_agree():
    for model in MODELS.values():
        x, _ = model.sample(300, seed=7)
        laid = model._laid(model._observed(x), [100, 0, 200])
        slow = _states._Logarithms(laid, *model._chain)
        fast = _states._Scaled(laid, *model._chain)
        np.testing.assert_allclose(slow.posterior(), fast.posterior(), atol=1e-12)
        assert slow.log_likelihood() == pytest.approx(fast.log_likelihood(), rel=1e-12)


@pytest.mark.parametrize("piece", [1, 7, 64])
@pytest.mark.parametrize("block", [1, 40, 300])
def test_pieces_change_nothing(piece, block, monkeypatch):
    model = HMM.random(5, 4, seed=8)
    x, _ = model.sample(200, seed=9)
    lengths = [60, 1, 0, 139]
    want = model.viterbi(x), model.predict(x, lengths), model.posterior(x, lengths)
    score = model.score(x, lengths)
    monkeypatch.setattr(_states, "_PIECE", piece * 5)
    monkeypatch.setattr(_states, "_BLOCK", block * 5)
    bits, states = model.viterbi(x)
    assert bits == pytest.approx(want[0][0], rel=1e-14)
    assert np.array_equal(states, want[0][1])
    assert np.array_equal(model.predict(x, lengths), want[1])
    np.testing.assert_allclose(model.posterior(x, lengths), want[2], rtol=1e-12)
    assert model.score(x, lengths) == pytest.approx(score, rel=1e-13)
    slow = _states._Logarithms(model._laid(model._observed(x), lengths), *model._chain)
    np.testing.assert_allclose(slow.posterior(), want[2], atol=1e-12)


def test_parameters_that_are_free():
    assert HMM.random(4, 7, seed=0).n_parameters == 3 + 4 * 3 + 4 * 6
    steps = Topology.left_to_right(4, jump=1)
    trained = HMM.fit(LINES, 4, n_iter=2, topology=steps)
    assert trained.n_parameters == 0 + 3 + 4 * (trained.n_symbols - 1)
    assert MODELS["GaussianHMM"].n_parameters == 1 + 2 + 4
    assert MODELS["PoissonHMM"].n_parameters == 1 + 2 + 2
    assert MODELS["FactorialHMM"].n_parameters == 2 * (1 + 2) + 4 * 2
    arhmm = MODELS["ARHMM"]
    weights = arhmm.contexts.symbol.size
    assert arhmm.n_parameters == arhmm.states.n_parameters + weights
    x, _ = arhmm.sample(50, seed=0)
    assert arhmm.aic(x) == -2 * arhmm.score(x) + 2 * arhmm.n_parameters


def test_stationary_distributions():
    for model in MODELS.values():
        pi = model.stationary
        np.testing.assert_allclose(pi @ model._chain[1], pi, atol=1e-12)
        assert pi.sum() == pytest.approx(1)
        assert (pi >= 0).all()
    emission = np.ones((3, 1))
    cycle = HMM([1, 0, 0], [[0, 1, 0], [0, 0, 1], [1, 0, 0]], emission)
    np.testing.assert_allclose(cycle.stationary, 1 / 3)
    ends = HMM([1, 0, 0], [[0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1]], emission)
    np.testing.assert_allclose(ends.stationary, [0, 0, 1], atol=1e-12)
    apart = HMM([1, 0, 0], [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]], emission)
    np.testing.assert_allclose(apart.stationary, [1 / 3, 1 / 3, 1 / 3], atol=1e-12)


def test_joint_states_of_levels():
    levels = HierarchicalHMM.random([2, 3], 4, seed=0)
    joint = levels.to_hmm()
    x, _ = levels.sample(20, seed=1)
    states = np.stack(np.unravel_index(joint.predict(x), levels.n_states, order="F"))
    assert states.shape == (2, 20)
    assert states.max(axis=1).tolist() <= [1, 2]
    chains = MODELS["FactorialHMM"]
    assert chains.posterior([0, 1]).shape == (2, 4)
