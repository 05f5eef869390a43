"""Hidden Markov models in floats: recursions, training, files."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from shared import byte_hmm

from bbans.errors import (
    ModelError,
    SymbolError,
)
from bbans.frozen.alphabet import Alphabet
from bbans.models import HMM, _forward, em
from bbans.models.em import expect

TEXT = (
    "“Well, Prince, so Genoa and Lucca are now just family estates of the "
    "Buonapartes. But I warn you, if you don\u2019t tell me that this means war, "
    "if you still try to defend the infamies and horrors perpetrated by that "
    "Antichrist—I really believe he is Antichrist—I will have nothing more to do "
    "with you and you are no longer my friend, no longer my "
    "\u2018faithful slave,\u2019 as you call yourself! But how do you do? I see I "
    "have frightened you—sit down and tell me all the news.”\n"
)


def joint_table(model, x):
    """Yield every path with P(x, z), as exact fractions."""
    pi, A, B = (
        np.vectorize(Fraction, otypes=[object])(p)
        for p in (model.initial, model.transition, model.emission)
    )
    for z in itertools.product(range(model.n_states), repeat=len(x)):
        p = pi[z[0]] * B[z[0], x[0]]
        for t in range(1, len(x)):
            p *= A[z[t - 1], z[t]] * B[z[t], x[t]]
        yield z, p


def log2(fraction):
    """Of any fraction, however far out of the range of floats."""
    shift = fraction.numerator.bit_length() - fraction.denominator.bit_length()
    return shift + math.log2(fraction / Fraction(2) ** shift)


def exact_bits(model, x):
    return -log2(sum(p for _, p in joint_table(model, x)))


def exact_counts(model, sequences):
    counts = [
        np.zeros(p.shape) for p in (model.initial, model.transition, model.emission)
    ]
    for x in sequences:
        table = list(joint_table(model, x))
        total = sum(p for _, p in table)
        for z, p in table:
            weight = float(p / total)
            counts[0][z[0]] += weight
            for t in range(len(x)):
                counts[2][z[t], x[t]] += weight
                if t:
                    counts[1][z[t - 1], z[t]] += weight
    return counts


def parameters(model):
    return model.initial, model.transition, model.emission


def encoded(model, sequences):
    return list(em.batches(map(model.alphabet.encode, sequences), model.n_symbols))


SHAPES = [(1, 1), (1, 3), (2, 2), (3, 4), (4, 2), (5, 3)]


@pytest.mark.parametrize(("n_states", "n_symbols"), SHAPES)
@pytest.mark.parametrize("concentration", [1.0, 0.1])
def test_information_content_is_that_of_the_joint_table(
    n_states, n_symbols, concentration
):
    model = HMM.random(n_states, n_symbols, concentration=concentration, seed=1)
    for length in range(1, 6):
        x, _ = model.sample(length, seed=length)
        assert model.information_content(x) == pytest.approx(
            exact_bits(model, x), rel=1e-12, abs=1e-12
        )
        assert model.log_likelihood(x) == pytest.approx(
            -model.information_content(x) * math.log(2), abs=0
        )


@pytest.mark.parametrize(("n_states", "n_symbols"), SHAPES)
@pytest.mark.parametrize("block", [1, 2, 3, 100])
def test_expected_counts_are_those_of_the_joint_table(n_states, n_symbols, block):
    model = HMM.random(n_states, n_symbols, concentration=0.5, seed=2)
    sequences = [model.sample(T, seed=T)[0] for T in (1, 4, 1, 2, 3)]
    data = encoded(model, sequences)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-4)):
        bits, *_, counts, fault = expect(
            data, parameters(model), dtype=dtype, block=block
        )
        assert fault is None
        assert bits == pytest.approx(
            sum(exact_bits(model, x) for x in sequences), rel=tolerance, abs=tolerance
        )
        for count, exact in zip(counts, exact_counts(model, sequences), strict=True):
            np.testing.assert_allclose(count, exact, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("block", [1, 7, 64, 499, 500])
def test_blocks_change_nothing(block):
    model = HMM.random(9, 5, seed=3)
    lengths = (130, 1, 63, 1, 1, 300, 4)
    data = encoded(model, [model.sample(T, seed=T)[0] for T in lengths])
    whole = expect(data, parameters(model))
    parts = expect(data, parameters(model), block=block)
    assert parts.bits == pytest.approx(whole.bits, rel=1e-14)
    for part, all_ in zip(parts.counts, whole.counts, strict=True):
        np.testing.assert_allclose(part, all_, rtol=1e-11)
    assert whole.counts[0].sum() == pytest.approx(len(lengths))
    assert whole.counts[1].sum() == pytest.approx(sum(lengths) - len(lengths))
    assert whole.counts[2].sum() == pytest.approx(sum(lengths))


def test_tiny_parameters_keep_their_exact_cost():
    tiny = 1e-300
    pairs = [[1.0, tiny], [tiny, 1.0]]
    sticky = HMM([1.0, tiny], pairs, pairs)
    chain = HMM(  # b needs state 1, behind two improbable steps
        [1.0, 0.0, 0.0],
        [[1.0, tiny, 0.0], [0.0, tiny, 1.0], [0.0, 0.0, 1.0]],
        [[1.0, 0.0, 0.0], [tiny, 1.0, 0.0], [0.0, 0.0, 1.0]],
    )
    same = HMM([0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]], [[tiny, 1.0], [tiny, 1.0]])
    for model, x in (
        (sticky, [0, 1, 0, 1, 1, 0]),
        (sticky, [1, 1, 1]),
        (sticky, [1, 0, 0, 0]),
        (chain, [0, 0, 1, 2]),
        (chain, [0, 0, 2]),  # P = tiny^2: not a float any more
        (chain, [0, 0, 2, 2, 2]),
        (same, [0, 0, 0, 1]),
    ):
        exact = exact_bits(model, x)
        assert exact > 900
        assert model.information_content(x) == pytest.approx(exact, rel=1e-12)
        data = encoded(model, [x])
        for dtype in (np.float32, np.float64):
            bits, *_, counts, _ = expect(data, parameters(model), dtype=dtype)
            assert bits > 900  # +inf where out of range, never NaN
            assert counts is None or all(np.isfinite(c).all() for c in counts)
            if counts is not None:
                assert counts[0].sum() == pytest.approx(1, abs=1e-5)
                assert counts[2].sum() == pytest.approx(len(x), abs=1e-5)


def test_states_dropped_on_the_way_spoil_no_count():
    """Component 1 dies out by float's range, then alone explains the data."""
    model = HMM(
        [0.5, 0.5], np.eye(2), [[0.999, 0.001 - 1e-9, 1e-9], [0.001, 0.001, 0.998]]
    )
    x = np.repeat([0, 2], [200, 2000])
    for dtype in (np.float32, np.float64):
        for block in (100, 5000):
            bits, *_, counts, fault = expect(
                encoded(model, [x]), parameters(model), dtype=dtype, block=block
            )
            assert fault is None
            assert bits > 0
            for count, total in zip(counts, (1, x.size - 1, x.size), strict=True):
                assert (count >= 0).all()
                assert count.sum() < total * 1.001
            assert counts[2].sum() == pytest.approx(x.size, rel=1e-4)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_message_is_denormal(dtype):
    S = _forward.columns(2, np.dtype(dtype).itemsize)
    alpha = np.zeros((300, S), dtype=dtype)
    start, eye, E = (np.zeros((n, S), dtype=dtype) for n in (1, 2, 1))
    start[0, :2], eye[:, :2], E[0, :2] = 0.5, np.eye(2), [1, 0.05]
    A = np.empty(2 * S, dtype=dtype)
    _forward.pack(eye, A)
    x, scale = np.zeros(300, dtype=np.int32), np.empty(300)
    runs = np.array([[1, 300]])
    assert _forward.forward(x, runs, 0, 2, start[0], A, E, 0.0, alpha, scale) == -1
    assert alpha[20, 1] > 0
    assert alpha[-1, 1] == 0
    assert (alpha[alpha > 0] >= (1e-30 if dtype == np.float32 else 1e-290)).all()


def test_impossible_data_cost_infinitely_many_bits():
    model = HMM([1, 0], [[0.5, 0.5], [0, 1]], [[1, 0, 0], [0, 1, 0]])
    assert model.information_content([0, 0, 1]) == pytest.approx(2)
    for x in ([1], [0, 1, 0], [0, 2], [0] * 50 + [2]):
        assert model.information_content(x) == math.inf
        assert model.log_likelihood(x) == -math.inf
        data = encoded(model, [[0], x])
        bits, *_, counts, fault = expect(data, parameters(model))
        assert (bits, counts) == (math.inf, None)
        assert fault == (1, len(x) - 1, x[-1])
        with pytest.raises(SymbolError, match="of sequence 1 is impossible"):
            model.expect([[0], x])
    with pytest.raises(SymbolError, match="symbol 2 at position 1 of sequence 3 is"):
        HMM.fit([[], [0], [0, 1], [0, 2, 2]], 2, init=model)
    with pytest.raises(SymbolError, match="symbol 3 at position 0"):
        model.information_content([3])
    assert model.information_content([]) == 0


def test_certain_data_cost_nothing():
    bits = HMM([1.0], [[1.0]], [[1.0]]).information_content([0] * 1000)
    assert bits == 0
    assert math.copysign(1, bits) == 1


@pytest.mark.parametrize("pseudo_count", [0, (0.1, 0.1, 0.01), 2.5])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_every_update_lowers_the_objective(pseudo_count, dtype):
    model = HMM.fit(
        TEXT, 8, n_iter=40, tol=0, pseudo_count=pseudo_count, dtype=dtype, seed=4
    )
    objective = [step.objective for step in model.history]
    # Fewer entries would mean that an update was found worse, and dropped.
    assert len(objective) == 41
    assert objective[-1] < objective[0] - 0.1
    assert all(b <= a for a, b in itertools.pairwise(objective))
    last = model.history[-1].information_content
    assert model.information_content(TEXT) / len(TEXT) == pytest.approx(last, rel=1e-5)
    if pseudo_count == 0:
        assert all(step.objective == step.information_content for step in model.history)


def test_one_update_is_the_textbook_one():
    start = HMM.random(3, 4, seed=5)
    sequences = [start.sample(T, seed=T)[0] for T in (5, 1, 4)]
    pseudo = (0.5, 0.25, 2.0)
    model = HMM.fit(sequences, 3, n_iter=1, init=start, pseudo_count=pseudo)
    prior = 0.0
    for new, old, count, extra in zip(
        parameters(model),
        parameters(start),
        exact_counts(start, sequences),
        pseudo,
        strict=True,
    ):
        expected = (count + extra) / (count + extra).sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(new, expected, rtol=1e-12)
        prior += extra * np.log2(old).sum()
    bits = sum(exact_bits(start, x) for x in sequences)
    assert model.history[0].information_content == pytest.approx(bits / 10)
    assert model.history[0].objective == pytest.approx((bits - prior) / 10)
    assert len(model.history) == 2


def test_training_stops_at_the_tolerance():
    model = HMM.fit(TEXT, 3, tol=0.02, pseudo_count=0, seed=1)
    gain = -np.diff([step.objective for step in model.history])
    assert len(gain) < 100
    assert gain[-1] < 0.02
    assert (gain[:-1] >= 0.02).all()
    untrained = HMM.fit(TEXT, 3, n_iter=0)
    assert len(untrained.history) == 1


def test_training_finds_the_model_of_its_data():
    truth = HMM(
        [1, 0], [[0.95, 0.05], [0.1, 0.9]], [[0.6, 0.4, 0, 0], [0, 0.1, 0.1, 0.8]]
    )
    x, _ = truth.sample(20000, seed=6)
    model = HMM.fit(x, 2, seed=1)
    order = np.argsort(model.emission[:, 3])
    np.testing.assert_allclose(model.emission[order], truth.emission, atol=0.02)
    transition = model.transition[np.ix_(order, order)]
    np.testing.assert_allclose(transition, truth.transition, atol=0.02)
    y, _ = truth.sample(20000, seed=7)
    assert model.information_content(y) < truth.information_content(y) * 1.001


@pytest.mark.parametrize("worse", [1e6, math.inf, math.nan])
def test_an_update_that_does_harm_is_dropped(monkeypatch, worse):
    calls = []

    def harm(*args, **options):
        calls.append(None)
        found = expect(*args, **options)
        return found._replace(bits=worse) if len(calls) == 3 else found

    good = HMM.fit(TEXT, 3, n_iter=1)
    monkeypatch.setattr(em, "expect", harm)
    model = HMM.fit(TEXT, 3, n_iter=9)
    assert len(calls) == 3
    assert model.history == good.history
    assert all(map(np.array_equal, parameters(model), parameters(good)))


def test_dead_states_keep_their_rows():
    start = HMM(
        [0.5, 0.5, 0],
        [[0.5, 0.5, 0], [0.5, 0.5, 0], [0.25, 0.25, 0.5]],
        [[0.5, 0.5, 0], [0.3, 0.7, 0], [0.125, 0.125, 0.75]],
    )
    model = HMM.fit([[0, 1, 0, 1, 1]], 3, init=start, pseudo_count=0, n_iter=50)
    np.testing.assert_array_equal(model.transition[2], start.transition[2])
    np.testing.assert_array_equal(model.emission[2], start.emission[2])
    assert model.initial[2] == 0
    # With no transition at all every row of the matrix stays.
    model = HMM.fit([[0], [1]], 3, init=start, pseudo_count=0)
    np.testing.assert_array_equal(model.transition, start.transition)
    assert np.isfinite(model.emission).all()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "sequences",
    ["a", "aaaaaaaa", b"\0", [[0]], ["ab", "", "a" * 300, "b"], TEXT[:40]],
)
def test_no_data_make_nan(sequences, dtype):
    """More states than data, no prior, until nothing moves."""
    model = HMM.fit(sequences, 30, pseudo_count=0, n_iter=200, tol=0, dtype=dtype)
    for p in parameters(model):
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(axis=-1), 1)
    assert all(math.isfinite(value) for step in model.history for value in step)


def test_float32_trains_alike():
    wide = HMM.fit(TEXT, 6, n_iter=5, seed=9)
    narrow = HMM.fit(TEXT, 6, n_iter=5, seed=9, dtype=np.float32)
    np.testing.assert_allclose(wide.history, narrow.history, rtol=1e-5)
    np.testing.assert_allclose(wide.emission, narrow.emission, atol=1e-4)
    assert narrow.emission.dtype == np.float64


def test_kinds_of_data():
    fit = {"n_states": 2, "n_iter": 2}
    assert HMM.fit(TEXT, **fit).alphabet == Alphabet("".join(sorted(set(TEXT))))
    assert HMM.fit(["ab", "", "cb"], **fit).alphabet == Alphabet("abc")
    assert HMM.fit(b"ab", **fit).alphabet == Alphabet(256, kind="bytes")
    assert [HMM.fit(x, **fit).kind for x in ("ab", b"ab", [0, 1])] == [
        "text",
        "bytes",
        "integers",
    ]
    assert HMM.fit([b"ab", bytearray(b"c"), memoryview(b"d")], **fit).n_symbols == 256
    assert HMM.fit(list(np.array([[0, 1], [4, 0]])), **fit).alphabet == Alphabet(5)
    assert HMM.fit([0, 1, 2], **fit).alphabet == Alphabet(3)
    assert HMM.fit([[0], np.array([7], dtype=np.uint8)], **fit).alphabet == Alphabet(8)
    assert HMM.fit((x for x in ("ab", "c")), **fit).n_symbols == 3
    assert HMM.fit([1, 0], alphabet=4, **fit).n_symbols == 4
    assert HMM.fit([-5, 9], alphabet=[-5, 0, 9], **fit).n_symbols == 3
    assert HMM.fit("ab", alphabet=Alphabet(256, kind="bytes"), **fit).n_symbols == 256
    unseen = HMM.fit("ab", alphabet="abc", **fit)
    assert math.isfinite(unseen.information_content("ccc"))
    array = np.array([[0, 1], [2, 0]])
    with pytest.raises(SymbolError, match=r"one axis, not shape \(2, 2\).*ravel"):
        HMM.fit(array, **fit)
    alike = [HMM.fit(data, **fit) for data in (array.ravel(), [0, 1, 2, 0])]
    assert len({model.history for model in alike}) == 1


OTHER = byte_hmm(3)


@pytest.mark.parametrize(
    ("sequences", "options", "error", "text"),
    [
        ([], {}, ModelError, "no data"),
        ("", {}, ModelError, "no data"),
        ([b"", b""], {}, ModelError, "no data"),
        ([np.zeros(0, dtype=int)], {}, ModelError, "no data"),
        (None, {}, ModelError, "NoneType"),
        (["a", b"a"], {}, ModelError, "all text"),
        ([b"a", [300]], {}, ModelError, "all text"),
        ([0.5], {}, SymbolError, "float64"),
        ([[0], [1, -1]], {}, SymbolError, "sequence 1: symbol -1 at position 1"),
        ([10**6], {}, ModelError, "alphabet"),
        ("abc", {"alphabet": "ab"}, SymbolError, r"'c' \(U\+0063\) at position 2"),
        (["a", "cb"], {"alphabet": "ab"}, SymbolError, "sequence 1: symbol 'c'"),
        ("ab", {"n_states": 0}, ModelError, "n_states"),
        ("ab", {"n_states": 4097}, ModelError, "n_states"),
        ("ab", {"n_iter": -1}, ModelError, "n_iter"),
        ("ab", {"tol": math.nan}, ModelError, "tol"),
        ("ab", {"pseudo_count": -1}, ModelError, "pseudo_count"),
        ("ab", {"pseudo_count": (1, math.inf, 1)}, ModelError, "pseudo_count"),
        ("ab", {"pseudo_count": (1, 2)}, ModelError, "pseudo_count"),
        ("ab", {"dtype": np.float16}, ModelError, "dtype"),
        ("ab", {"seed": None}, ModelError, "seed"),
        ("ab", {"init": OTHER, "alphabet": "ab"}, ModelError, "init"),
        ("ab", {"init": OTHER, "n_states": 2}, ModelError, "init"),
    ],
)
def test_what_cannot_be_fitted(sequences, options, error, text):
    with pytest.raises(error, match=text):
        HMM.fit(sequences, **{"n_states": 3, **options})


def test_the_same_seed_gives_the_same_model():
    def same(a, b):
        return all(map(np.array_equal, parameters(a), parameters(b)))

    fits = [HMM.fit(TEXT, 5, n_iter=3, seed=seed) for seed in (0, 0, 1)]
    assert same(fits[0], fits[1])
    assert not same(fits[0], fits[2])
    assert same(HMM.random(3, 4, seed=1), HMM.random(3, 4, seed=1))
    assert same(
        HMM.random(3, 4, seed=1), HMM.random(3, 4, seed=np.random.default_rng(1))
    )
    model = HMM.random(3, 4, seed=1)
    assert np.array_equal(model.sample(50, seed=1), model.sample(50, seed=1))
    assert not np.array_equal(model.sample(50, seed=1), model.sample(50, seed=2))
    for seed in (None, -1, 0.5):
        with pytest.raises(ModelError, match="seed"):
            HMM.random(3, 4, seed=seed)
    with pytest.raises(TypeError):
        model.sample(5)


def test_samples_have_the_frequencies_of_the_model():
    model = HMM(
        [0.25, 0, 0.75],
        [[0.5, 0.5, 0], [0, 0, 1], [0.2, 0, 0.8]],
        [[0.1, 0.9, 0, 0], [0, 0, 1, 0], [0, 0.5, 0.5, 0]],
        alphabet="abcd",
    )
    T = 200_000
    x, z = model.sample(T, seed=8)
    assert x.dtype == np.uint32
    index = model.alphabet.encode(x)
    emission, transition = np.zeros((3, 4)), np.zeros((3, 3))
    np.add.at(emission, (z, index), 1)
    np.add.at(transition, (z[:-1], z[1:]), 1)
    assert (emission[model.emission == 0] == 0).all()
    assert (transition[model.transition == 0] == 0).all()
    for count, p in ((emission, model.emission), (transition, model.transition)):
        np.testing.assert_allclose(count / count.sum(1, keepdims=True), p, atol=0.01)
    start = [model.sample(1, seed=n)[1][0] for n in range(2000)]
    counts = np.bincount(start, minlength=3)
    np.testing.assert_allclose(counts / 2000, model.initial, atol=0.04)
    assert [a.size for a in model.sample(0, seed=0)] == [0, 0]
    with pytest.raises(ModelError, match="length"):
        model.sample(-1, seed=0)


def test_a_state_of_probability_zero_is_never_drawn():
    x, z = np.empty(2, dtype=np.int32), np.empty(2, dtype=np.int64)
    u = np.array([[0.0, 0.0], [1 - 2**-53, 1 - 2**-53]])
    edges = np.array([0.0, 1.0, 1.0])  # cumulative: all in the middle one
    _forward.sample(edges, np.tile(edges, (3, 1)), np.tile(edges, (3, 1)), u, x, z)
    assert x.tolist() == z.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"initial": [0.5, 0.4]}, "initial must"),
        ({"initial": [1.5, -0.5]}, "initial must"),
        ({"initial": [[0.5, 0.5]]}, "initial must have 1 axes"),
        ({"initial": [1.0]}, "shapes"),
        ({"transition": [[1, 0], [0.5, 0.6]]}, "transition row 1"),
        ({"transition": [[1, 0], [math.nan, 0.6]]}, "transition row 1"),
        ({"transition": [[math.inf, 0], [0, 1]]}, "transition row 0"),
        ({"transition": [[1, 0]]}, "shapes"),
        ({"emission": [[0, 1, 0], [1e308, 1e308, 1e308]]}, "emission row 1"),
        ({"emission": [[1, 0], [1]]}, "emission must"),
        ({"emission": "ab"}, "emission must"),
        ({"emission": np.zeros((2, 0))}, "emission must have"),
        ({"alphabet": "ab"}, "alphabet has 2 symbols"),
        ({"alphabet": "cba"}, "increasing"),
    ],
)
def test_what_is_no_model(change, text):
    good = {
        "initial": [0.5, 0.5],
        "transition": [[1, 0], [0.5, 0.5]],
        "emission": [[0.5, 0.5, 0], [0, 0, 1]],
    }
    HMM(**good)
    with pytest.raises(ModelError, match=text):
        HMM(**{**good, **change})


def test_rows_are_normalised_once_and_read_only():
    rows = np.full((2, 3), 1 / 3)
    model = HMM([0.5 + 4e-7, 0.5], [[0.5, 0.5], [0.5, 0.5]], rows)
    assert model.initial.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_array_equal(model.emission, rows)
    rows[0, 0] = 5
    assert model.emission[0, 0] == 1 / 3
    for p in parameters(model):
        with pytest.raises(ValueError, match="read-only"):
            p[..., 0] = 1
    with pytest.raises(AttributeError):
        model.initial = None
    assert (model.n_states, model.n_symbols, model.history) == (2, 3, ())
    assert repr(model) == "<HMM: 2 states, 3 symbols, Alphabet(3)>"


def test_sizes_are_limited():
    with pytest.raises(ModelError, match="65537"):
        HMM.random(1, 65537, seed=0)
    with pytest.raises(ModelError, match="4097"):
        HMM.random(4097, 1, seed=0)
    assert HMM.random(1, 65536, seed=0).n_symbols == 65536


def test_progress_goes_to_standard_error_only_when_asked(capsys):
    HMM.fit(TEXT, 2, n_iter=2)
    HMM.fit(TEXT, 2, n_iter=2, progress=False)
    assert capsys.readouterr() == ("", "")
    HMM.fit(TEXT, 2, n_iter=2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "training" in err
