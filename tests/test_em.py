"""Expected counts that add up; batches, threads, streams, stepwise EM."""

import itertools
import math
import pickle

import numpy as np
import pytest
from test_hmm import TEXT, encoded, exact_bits, exact_counts, parameters

from bbans.errors import ModelError, SymbolError
from bbans.models import HMM, Statistics, _forward, em

LENGTHS = (130, 1, 63, 1, 17, 300, 4, 0, 63, 64, 65, 2, 1, 99, 5, 0, 7, 8)
DTYPES = [(np.float64, 1e-11), (np.float32, 2e-4)]


@pytest.fixture
def vectors(isa):
    """Run a test with each kind of kernels; the bytes of their vectors."""
    return {"avx2": 32, "avx512": 64}.get(isa, 16)


def arrays(statistics):
    return statistics.initial, statistics.transition, statistics.emission


def assert_close(a, b, rtol):
    assert a.n_symbols == b.n_symbols
    assert a.n_sequences == b.n_sequences
    assert a.information_content == pytest.approx(b.information_content, rel=rtol)
    for left, right in zip(arrays(a), arrays(b), strict=True):
        np.testing.assert_allclose(left, right, rtol=rtol, atol=rtol)


def same(a, b):
    return a.information_content == b.information_content and all(
        map(np.array_equal, arrays(a), arrays(b))
    )


def corpus(model, lengths=LENGTHS):
    return [model.sample(T, seed=n)[0] for n, T in enumerate(lengths)]


def textbook(model, x):
    """The scaled recursions, line by line, as one reads them (Rabiner)."""
    pi, A, B = parameters(model)
    alpha, beta = np.empty((len(x), pi.size)), np.ones((len(x), pi.size))
    scale = np.empty(len(x))
    for t in range(len(x)):
        alpha[t] = (pi if t == 0 else alpha[t - 1] @ A) * B[:, x[t]]
        scale[t] = alpha[t].sum()
        alpha[t] /= scale[t]
    emission, transition = np.zeros(B.shape), np.zeros(A.shape)
    for t in reversed(range(len(x))):
        if t < len(x) - 1:
            g = B[:, x[t + 1]] * beta[t + 1] / scale[t + 1]
            beta[t] = A @ g
            transition += alpha[t][:, None] * A * g
        emission[:, x[t]] += alpha[t] * beta[t]
    bits = -np.log2(scale).sum()
    return Statistics(alpha[0] * beta[0], transition, emission, bits, len(x), 1)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_statistics_are_those_of_the_joint_table(vectors, dtype, tolerance):
    model = HMM.random(3, 4, concentration=0.5, seed=1)
    sequences = corpus(model, (4, 1, 0, 6, 2, 1, 3, 6, 5))
    found = model.expect(sequences, dtype=dtype)
    for count, exact in zip(
        arrays(found), exact_counts(model, filter(len, sequences)), strict=True
    ):
        np.testing.assert_allclose(count, exact, rtol=tolerance, atol=tolerance)
    bits = sum(exact_bits(model, x) for x in sequences if len(x))
    assert found.information_content == pytest.approx(bits, rel=tolerance)
    assert (found.n_symbols, found.n_sequences) == (28, 8)


@pytest.mark.parametrize("K", [1, 2, 7, 16, 33, 64, 65])
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_statistics_are_those_of_the_textbook(vectors, K, dtype, tolerance):
    """All remainders of states and of sequences; ragged, in batches, in blocks."""
    model = HMM.random(K, 5, seed=K)
    for count in (1, 2, 3, 4, 5, 6, 11, len(LENGTHS)):
        sequences = corpus(model, LENGTHS[:count])
        exact = sum(textbook(model, x) for x in sequences if len(x))
        assert_close(model.expect(sequences, dtype=dtype), exact, tolerance)
    data = encoded(model, sequences)
    for block in (1, 40, 257):
        found = em.expect(data, parameters(model), dtype=dtype, block=block)
        assert_close(
            Statistics(*found.counts, found.bits, found.n_symbols, found.n_sequences),
            exact,
            tolerance,
        )


@pytest.mark.parametrize("more", range(6))
@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_statistics_of_many_states(vectors, more, dtype, tolerance):
    """Rows so far apart that products pack them: all remainders of states."""
    K = (300 if dtype == np.float64 else 600) + more
    model = HMM.random(K, 5, seed=K)
    sequences = corpus(model, (9, 7, 7, 1))
    exact = sum(textbook(model, x) for x in sequences)
    assert_close(model.expect(sequences, dtype=dtype), exact, tolerance)


def test_matrices_lie_in_panels(vectors):
    rng = np.random.default_rng(0)
    for dtype, K in itertools.product((np.float32, np.float64), (1, 3, 4, 31, 70)):
        size = np.dtype(dtype).itemsize
        S = _forward.columns(K, size)
        N = _forward.columns(1, size)
        assert N * size in (2 * vectors, 2 * size)  # the latter without vectors
        assert S % N == 0
        assert 0 <= S - K < N
        B = rng.random((K, S)).astype(dtype)
        panels = np.empty(K * S, dtype=dtype)
        _forward.pack(B, panels)
        expected = B.reshape(K, S // N, N).transpose(1, 0, 2).ravel()
        np.testing.assert_array_equal(panels, expected)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_batches_and_shards_change_nothing(monkeypatch, dtype, tolerance):
    model = HMM.random(9, 5, seed=3)
    sequences = corpus(model)
    whole = model.expect(sequences, dtype=dtype)
    alone = sum(model.expect([x], dtype=dtype) for x in sequences)
    assert_close(alone, whole, tolerance)
    shards = [model.expect(sequences[n::3], dtype=dtype) for n in range(3)]
    assert_close(shards[0] + shards[1] + shards[2], whole, tolerance)
    sent = pickle.loads(pickle.dumps(shards))
    assert same(sum(sent), sum(shards))
    assert same(model.expect(iter(sequences), dtype=dtype), whole)
    for sizes in ((1, 1, 10), (2, 30, 1000), (5, 200, 200), (500, 1, 1)):
        for name, size in zip(("SEQUENCES", "SYMBOLS"), sizes[:2], strict=True):
            monkeypatch.setattr(em, f"_BATCH_{name}", size)
        monkeypatch.setattr(em, "_WINDOW_SYMBOLS", sizes[2])
        assert_close(model.expect(sequences, dtype=dtype), whole, tolerance)


def test_many_short_sequences():
    model = HMM.random(4, 3, seed=1)
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, 3, n) for n in rng.integers(0, 6, 3000)]
    exact = sum(textbook(model, x) for x in sequences if len(x))
    assert_close(model.expect(sequences), exact, 1e-10)
    data = encoded(model, sequences)
    assert sum(batch.x.size for batch in data) == exact.n_symbols
    names = sorted(number for batch in data for number in batch.numbers)
    assert names == [n for n, x in enumerate(sequences) if len(x)]


def test_each_row_is_named(monkeypatch):
    model = HMM.random(2, 1000, seed=0)
    sequences = [np.arange(100 * n, 100 * n + T) for n, T in enumerate((5, 9, 0, 9, 1))]
    for short in (em._BATCH_SEQUENCES, 1):  # both ways to arrange them
        monkeypatch.setattr(em, "_BATCH_SEQUENCES", short)
        for batch in encoded(model, sequences):
            for row, index in enumerate(batch.x.tolist()):
                fault = batch.fault(row)
                assert fault == (index // 100, index % 100, index)


def test_blocks_are_whole_steps():
    model = HMM.random(2, 5, seed=0)
    (batch,) = encoded(model, corpus(model, (9, 7, 7, 1)))
    assert batch.runs.tolist() == [[4, 1], [3, 6], [1, 2]]
    for rows in range(1, 30):
        blocks = [block.tolist() for block in batch.blocks(rows)]
        steps = [n for block in blocks for n, size in block for _ in range(size)]
        assert steps == [4, 3, 3, 3, 3, 3, 3, 1, 1]
        for block in blocks:
            total = sum(n * size for n, size in block)
            assert total <= rows or block in ([[4, 1]], [[3, 1]])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_change_no_bit(monkeypatch, dtype):
    monkeypatch.setattr(em, "_BATCH_SYMBOLS", 1)
    model = HMM.random(20, 5, seed=1)
    sequences = corpus(model, range(1, 120))
    assert len(encoded(model, sequences)) > 5
    one = model.expect(sequences, dtype=dtype)
    for threads in (2, 3, 16):
        assert same(model.expect(sequences, dtype=dtype, threads=threads), one)
        assert same(model.expect(iter(sequences), dtype=dtype, threads=threads), one)
    fits = [
        HMM.fit(sequences, 4, n_iter=3, dtype=dtype, threads=threads)
        for threads in (1, 4)
    ]
    assert all(map(np.array_equal, parameters(fits[0]), parameters(fits[1])))
    assert fits[0].history == fits[1].history
    wrong = [*sequences, [4, 4], [5]]
    with pytest.raises(SymbolError, match="sequence 120"):
        model.expect(wrong, threads=2)
    never = HMM([1.0], [[1.0]], [[0.5, 0.5, 0]])
    with pytest.raises(SymbolError, match="symbol 2 at position 1 of sequence 50 is"):
        never.expect([[0, 1]] * 50 + [[0, 2, 0]] + [[1]] * 50, threads=2)


def test_a_stream_is_read_piece_by_piece(monkeypatch):
    monkeypatch.setattr(em, "_BATCH_SYMBOLS", 1)
    monkeypatch.setattr(em, "_WINDOW_SYMBOLS", 1000)
    model = HMM.random(2, 3, seed=1)
    read, counted = [], []
    count = em._count

    def spy(batch, *args, **named):
        counted.append(batch.x.size)
        assert sum(read) - sum(counted) <= 4000
        return count(batch, *args, **named)

    def stream():
        for n in range(2000):
            read.append(20)
            yield model.sample(20, seed=n)[0]

    monkeypatch.setattr(em, "_count", spy)
    for threads in (1, 2):
        read.clear()
        counted.clear()
        assert model.expect(stream(), threads=threads).n_symbols == 40000
        assert len(counted) > 100


def test_statistics_check_what_they_are_given():
    a = HMM.random(2, 3, seed=0).expect([0, 1, 2])
    for shape in ((3, 3), (2, 4)):
        other = HMM.random(*shape, seed=0)
        with pytest.raises(ModelError, match="add up"):
            a + other.expect([0, 1])
        with pytest.raises(ModelError, match="statistics of shape"):
            other.maximise(a)
    with pytest.raises(TypeError):
        a + 1
    with pytest.raises(TypeError):
        1 + a
    with pytest.raises(ModelError, match="shapes"):
        Statistics(a.initial, a.transition, a.emission[:1], 0.0, 0, 0)
    bad = Statistics(a.initial * np.nan, a.transition, a.emission, 0.0, 3, 1)
    with pytest.raises(ModelError, match="finite"):
        HMM.random(2, 3, seed=0).maximise(bad)
    assert repr(a).startswith("<Statistics: 2 states, 3 symbols; 1 sequences, 3 sy")
    with pytest.raises(AttributeError):
        a.n_symbols = 5
    nothing = HMM.random(2, 3, seed=0).expect([])
    assert nothing.n_symbols == nothing.information_content == 0
    assert same(a + nothing, a)
    for step in (0, 1.5, math.nan):
        with pytest.raises(ModelError, match="step"):
            a.blend(a, step)


@pytest.mark.parametrize("pseudo_count", [0, (0.5, 0.25, 2.0)])
def test_fit_is_expect_and_maximise(pseudo_count):
    start = HMM.random(3, 4, seed=5)
    sequences = corpus(start)
    model = start
    for _ in range(3):
        model = model.maximise(model.expect(sequences), pseudo_count=pseudo_count)
    fitted = HMM.fit(
        sequences, 3, n_iter=3, tol=0, init=start, pseudo_count=pseudo_count
    )
    assert all(map(np.array_equal, parameters(model), parameters(fitted)))
    bits = model.expect(sequences).information_content
    total = sum(map(len, sequences))
    assert fitted.history[-1].information_content == pytest.approx(bits / total)
    assert start.history == ()  # init is left as it was


def test_training_goes_on_where_it_stopped():
    whole = HMM.fit(TEXT, 4, n_iter=8, tol=0, seed=2)
    seen = []
    half = HMM.fit(TEXT, 4, n_iter=5, tol=0, seed=2, callback=seen.append)
    again = HMM.fit(TEXT, 4, n_iter=3, tol=0, init=half)
    assert all(map(np.array_equal, parameters(again), parameters(whole)))
    assert half.history + again.history[1:] == whole.history
    assert [len(model.history) for model in seen] == [2, 3, 4, 5, 6]
    assert seen[-1] is half

    def stop(model):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        HMM.fit(TEXT, 4, callback=stop)


def test_training_from_a_function_that_gives_iterators(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(TEXT[n : n + 37] for n in range(0, len(TEXT), 37)))
    calls = []

    def lines():
        calls.append(None)
        with path.open() as file:
            yield from (line.rstrip("\n") for line in file)

    held = HMM.fit(list(lines()), 3, n_iter=3, tol=0)
    calls.clear()
    streamed = HMM.fit(lines, 3, n_iter=3, tol=0)
    assert all(map(np.array_equal, parameters(held), parameters(streamed)))
    assert held.history == streamed.history
    assert len(calls) == 4 + 2  # the alphabet, and the frequencies to start from
    calls.clear()
    HMM.fit(lines, 3, n_iter=3, tol=0, init=held)
    assert len(calls) == 4
    with pytest.raises(ModelError, match="no data"):
        HMM.fit(lambda: iter([]), 3, alphabet="ab")
    with pytest.raises(ModelError, match="no data"):
        HMM.fit(lambda: ["", ""], 3, init=held)
    data = iter([["ab"], ["ab"], ["ab"], ["abb"]])
    with pytest.raises(ModelError, match="3 symbols, and had 2 before"):
        HMM.fit(lambda: next(data), 2)


@pytest.mark.parametrize("threads", [0, -1, 1.5])
def test_threads_are_a_number(threads):
    with pytest.raises(ModelError, match="threads"):
        HMM.fit("ab", 1, threads=threads)
    with pytest.raises(ModelError, match="threads"):
        HMM.random(1, 1, seed=0).expect([[0]], threads=threads)


@pytest.mark.parametrize(("dtype", "tolerance"), DTYPES)
def test_extreme_parameters_make_no_nan(vectors, dtype, tolerance):
    rng = np.random.default_rng(0)
    for tiny in (1e-12, 1e-40, 1e-150, 1e-290, 0.0):
        pairs = np.where(np.eye(5, dtype=bool), 1.0, tiny)
        pairs /= pairs.sum(axis=1, keepdims=True)
        model = HMM(pairs[0], pairs, pairs)
        for x in rng.integers(0, 5, (8, 40)):
            found = em.expect(
                encoded(model, [x, x[:20], x[:7]]), parameters(model), dtype=dtype
            )
            assert found.bits > 0
            if found.counts is not None:
                assert all(np.isfinite(c).all() for c in found.counts)
                assert all((c >= 0).all() for c in found.counts)
                assert found.counts[2].sum() == pytest.approx(67, rel=1e-4)


# ---- stepwise


TRUTH = HMM(
    [1, 0, 0],
    [[0.9, 0.1, 0], [0, 0.9, 0.1], [0.1, 0, 0.9]],
    [[0.8, 0.1, 0.1, 0], [0, 0.1, 0.1, 0.8], [0.1, 0.4, 0.4, 0.1]],
)


def stream(n_batches, seed=0):
    for n in range(n_batches):
        yield [TRUTH.sample(50, seed=1000 * seed + 20 * n + m)[0] for m in range(20)]


def test_online_training_finds_the_model():
    x, _ = TRUTH.sample(20000, seed=1)
    best = TRUTH.information_content(x)
    seen = []
    model = HMM.fit_online(
        stream(200), 3, alphabet=4, callback=lambda model, *_: seen.append(model)
    )
    assert len(seen) == 200
    assert seen[-1] is model
    assert seen[0].information_content(x) > best * 1.05
    assert model.information_content(x) < best * 1.01
    assert model.history == ()
    again = HMM.fit_online(stream(200), 3, alphabet=4, threads=2)
    assert all(map(np.array_equal, parameters(model), parameters(again)))


def test_online_training_goes_on_where_it_stopped():
    saved = []

    def stop(*state):
        saved.append(state)
        return len(saved) == 4

    whole = HMM.fit_online(stream(10), 3, alphabet=4)
    half = HMM.fit_online(stream(10), 3, alphabet=4, callback=stop)
    assert len(saved) == 4
    model, statistics, updates = saved[-1]
    assert model is half
    assert updates == 4
    again = HMM.fit_online(
        itertools.islice(stream(10), 4, None),
        3,
        init=model,
        statistics=pickle.loads(pickle.dumps(statistics)),
        updates=updates,
    )
    assert all(map(np.array_equal, parameters(again), parameters(whole)))


def test_stepwise_statistics_are_averages_per_symbol():
    batches = list(stream(3))
    model = HMM.random(3, 4, seed=0)
    seen = []
    HMM.fit_online(
        batches, 3, init=model, callback=lambda *s: seen.append(s), exponent=1
    )
    parts, current = [], model
    for batch, (after, statistics, n) in zip(batches, seen, strict=True):
        parts.append(current.expect(batch))
        merged = sum(parts)  # with exponent 1 all batches count alike
        assert_close(statistics, merged, 1e-12)
        assert n == len(parts)
        current = current.maximise(statistics)
        for a, b in zip(parameters(current), parameters(after), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("pseudo_count", [0, (0.1, 0.1, 0.01)])
def test_online_training_makes_no_nan(dtype, pseudo_count):
    batches = [["ab"], ["", ""], [], ["a" * 300, "b"], "abba", ["a"], ["b"]] * 20
    model = HMM.fit_online(
        [[""], *batches], 12, dtype=dtype, pseudo_count=pseudo_count, exponent=0.51
    )
    for p in parameters(model):
        assert np.isfinite(p).all()
        np.testing.assert_allclose(p.sum(axis=-1), 1)
    assert model.alphabet.size == 2
    kinds = HMM.fit_online([b"ab", [b"c", b"d"]], 2)
    assert kinds.n_symbols == 256


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_states": 0}, "n_states"),
        ({"exponent": 0.5}, "exponent"),
        ({"exponent": 1.1}, "exponent"),
        ({"updates": -1}, "updates"),
        ({"pseudo_count": -1}, "pseudo_count"),
        ({"dtype": np.float16}, "dtype"),
        ({"threads": 0}, "threads"),
        ({"init": TRUTH, "n_states": 2}, "init"),
        ({"alphabet": "ab"}, "not in the"),
        ({"batches": []}, "no data"),
        ({"batches": ["", []]}, "no data"),
    ],
)
def test_what_cannot_be_fitted_online(options, text):
    with pytest.raises(ModelError, match=text):
        HMM.fit_online(
            **{"batches": [np.array([0, 1, 2, 3])], "n_states": 3, **options}
        )
