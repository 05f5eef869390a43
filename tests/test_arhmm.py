"""Autoregressive HMMs: training against plain counting and the joint model, the C
engine against the generic schedule and the reference, files in Python and in C."""

import itertools
import pickle
import random
import struct
import zlib
from pydoc_data.topics import topics

import numpy as np
import pytest
import reference as ref
from shared import ISAS, in_mode, name_in_c

import bbans
from bbans import ARHMM, HMM, CorruptError, Message, ModelError, SymbolError, records
from bbans._lib import ffi, lib
from bbans.codecs import decode_sequence, encode_sequence
from bbans.distributions import quantise
from bbans.distributions.table import edges_of
from bbans.errors import TruncatedError
from bbans.frozen import FrozenARHMM, FrozenHMM, FrozenModel
from bbans.frozen.c_header import c_header
from bbans.models import Contexts, arhmm, information_content
from bbans.models._sample import Sample
from bbans.models.contexts import Counts, row
from bbans.models.freeze_hmm import _rounded as rounded_masses

TEXT = "".join(topics.values())


def tree(rng, M, order, sparse):
    """Contexts drawn at random: labels, entries, weights, some with no entries."""
    children, first, label, back_off, symbol, weight = [1], [0], [0], [256], [], []
    level = range(1)
    for depth in range(order + 1):
        begin = len(label)
        for k in level:
            if k > 0:
                n = rng.randint(0, min(M, 4 if sparse else M))
                back_off.append(rng.choice([1, 2, 40, 128, 254, 255]) if n else 256)
                symbol += sorted(rng.sample(range(M), n))
                most = rng.choice([1, 2, 9, 300, 65535 // max(n, 1)])
                weight += [rng.randint(1, most) for _ in range(n)]
            first.append(len(symbol))
            n = 0 if depth == order else rng.randint(1, min(M + 1, 3))
            label += sorted(rng.sample(range(M + 1), n))
            children.append(children[-1] + n)
        level = range(begin, len(label))
    return Contexts(children, first, label, back_off, symbol, weight)


def model_of(K, M, order, prec=16, c=12, seed=0, concentration=0.5, sparse=True):
    rng = np.random.default_rng(seed)
    floor = 1e-300  # hostile rows: all but one mass are slots of 1
    rows = [
        rng.dirichlet(np.full(n, concentration), k) + floor
        for k, n in ((1, K), (K, K), (K, M))
    ]
    initial, transition, emission = (quantise(row, prec) for row in rows)
    contexts = tree(random.Random(seed), M, order, sparse)
    return FrozenARHMM(
        initial[0], transition, emission, contexts, prec=prec, start_length=c
    )


def reference_of(model):
    contexts = model.contexts
    suffix, found = [()] * contexts.n_contexts, {}
    for k in range(contexts.n_contexts):
        for child in range(contexts.children[k], contexts.children[k + 1]):
            label = int(contexts.label[child])
            # Beyond the beginning there is nothing, so such contexts never occur.
            further = None if label == model.n_symbols else label
            suffix[child] = (further, *suffix[k])
        entries = slice(contexts.first[k], contexts.first[k + 1])
        weights = contexts.weight[entries].tolist()
        found[suffix[k]] = (
            int(contexts.back_off[k]),
            dict(zip(contexts.symbol[entries].tolist(), weights, strict=True)),
        )
    tables = (model.initial, model.transition, model.emission)
    return ref.ARHMM(
        *(t.tolist() for t in tables), model.prec, model.start_length, contexts=found
    )


MODELS = {
    "order 0": model_of(3, 4, 0),
    "order 1": model_of(4, 5, 1, sparse=False),
    "order 3": model_of(5, 6, 3),
    "order 7, two symbols": model_of(2, 2, 7, c=40),
    "one state": model_of(1, 7, 2),
    "one symbol": model_of(3, 1, 2),
    "17 states": model_of(17, 9, 2, prec=24),
    "1 bit": model_of(2, 2, 2, prec=1),
    "24 bits": model_of(5, 6, 2, prec=24),
    "200 symbols": model_of(3, 200, 2, prec=20, sparse=False),
    "hostile rows": model_of(6, 8, 3, concentration=0.001),
}


@pytest.fixture(params=MODELS, name="model")
def fixture_model(request):
    return MODELS[request.param]


def draw(model, T, seed=0):
    """Half from anywhere, half by the model, so that contexts are found."""
    rng = random.Random(seed)
    x = []
    for _ in range(T):
        context, tree = model.longest_context(x), model.contexts
        likely = tree.symbol[tree.first[context] : tree.first[context + 1]]
        if likely.size and rng.random() < 0.7:
            x.append(int(rng.choice(likely.tolist())))
        else:
            x.append(rng.randrange(model.n_symbols))
    return x


# ---- coding


@pytest.mark.parametrize("T", [0, 1, 2, 11, 12, 13, 60, 200])
def test_c_engine_generic_schedule_and_reference_give_the_same_bytes(model, T):
    xs = draw(model, T, T)
    theirs, generic = reference_of(model), model.state_space()
    data = encode_sequence(xs, model).to_bytes()
    assert data == encode_sequence(xs, generic).to_bytes() == ref.encode(theirs, xs)
    assert decode_sequence(Message.from_bytes(data), model, T).tolist() == xs
    assert decode_sequence(Message.from_bytes(data), generic, T) == xs
    assert ref.decode(theirs, data, T) == xs
    data = encode_sequence(xs, in_mode(model, True)).to_bytes()
    assert data == encode_sequence(xs, generic, predictive=True).to_bytes()
    assert data == ref.encode_predictive(theirs, xs)
    message = Message.from_bytes(data)
    assert decode_sequence(message, in_mode(model, True), T).tolist() == xs


def test_costs_are_those_of_the_reference(model):
    xs = draw(model, 60, seed=5)
    assert model.cost_units(xs).tolist() == ref.costs(reference_of(model), xs)


def test_contexts_are_those_of_the_reference(model):
    theirs, xs = reference_of(model), draw(model, 300)
    longest = model.contexts.find([np.array(xs, np.int32)], model.n_symbols)
    cdf = edges_of(model.emission[0])
    for t in range(300):
        k, x = int(longest[t]), xs[t]
        assert model.longest_context(xs[:t]) == k
        expected = theirs.given(cdf.tolist(), xs[:t])
        assert model.edges(k, cdf).tolist() == expected
        assert model.edges(k, cdf[x : x + 2], x).tolist() == expected[x : x + 2]
        assert model.masses(k, x).tolist() == theirs.column(x, xs[:t])


def test_batches_and_packs_are_single_messages_and_the_reference(model):
    sequences = [draw(model, T, T) for T in (5, 0, 30, 61, 2, 100)]
    lengths = [len(x) for x in sequences]
    data, offsets = records.encode_batch(sequences, model)
    for k, x in enumerate(sequences):
        assert data[offsets[k] : offsets[k + 1]] == bbans.encode(x, model)
    found = records.decode_batch(data, offsets, lengths, model)
    assert [x.tolist() for x in found] == sequences
    packed = records.chain(sequences, model)
    assert packed == ref.encode_packed(reference_of(model), sequences)
    found = records.unchain(packed, lengths, model)
    assert [x.tolist() for x in found] == sequences


def test_a_small_workspace_changes_nothing(monkeypatch):
    model, workspace = MODELS["17 states"], FrozenModel._workspace
    x = draw(model, 700)
    expected = encode_sequence(x, model).to_bytes()
    monkeypatch.setattr(
        FrozenModel,
        "_workspace",
        lambda self, length, copies=1: workspace(self, length, copies, 1),
    )
    assert encode_sequence(x, model).to_bytes() == expected


def test_every_isa_gives_the_same_bytes(best_isa_afterwards):
    model = MODELS["17 states"]
    x = draw(model, 500)
    expected = encode_sequence(x, model).to_bytes()
    for isa in ISAS.values():
        lib.bbans_isa_use(isa)
        assert encode_sequence(x, model).to_bytes() == expected
        message = Message.from_bytes(expected)
        assert decode_sequence(message, model, 500).tolist() == x


def test_over_a_message_and_in_a_container(model):
    x = draw(model, 100)
    message = Message.from_bytes(b"something that is there\1")
    before = message.copy()
    model.push(message, x)
    assert model.pop(message, 100).tolist() == x
    assert message == before
    array = np.array(x, np.uint8)
    blob = bbans.compress(array, model, block_size=30)
    assert np.array_equal(bbans.decompress(blob, model), array)
    report = bbans.check_model(x[:20], model.state_space())
    content = information_content(x[:20], model)
    # Rows that 16 bits can only round make Q inexact: the ELBO then scatters.
    assert report.elbo == pytest.approx(content, abs=0.1 + 4 * report.elbo_error)


def test_damaged_messages_are_refused_or_decode_to_something(model):
    rng, x = random.Random(0), draw(model, 60)
    data = encode_sequence(x, model).to_bytes()
    for _ in range(200):
        broken = bytearray(data)
        broken[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            y = bbans.decode(bytes(broken), model, 60)
        except CorruptError:
            continue
        assert y.size == 60
        assert not np.array_equal(y, x)


def test_messages_end_with_a_symbol():
    model = ARHMM.fit(["a line\n", "and a line\n"] * 9, 2, order=2, n_iter=5).freeze()
    model = in_mode(model, True)
    for line in ("a line\n", " \n", "and and and a line\n"):
        data = bbans.encode(line, model)
        x = bbans.decode(data, model, until="\n")
        assert x == line
        with pytest.raises(CorruptError, match="among the first"):
            bbans.decode(data, model, len(line) - 1, until="\n")
        refused = 0
        for bit in range(8 * len(data)):
            broken = bytearray(data)
            broken[bit >> 3] ^= 1 << (bit & 7)
            try:
                x = bbans.decode(bytes(broken), model, until="\n")
                assert x != line
            except CorruptError:
                refused += 1
        assert refused > 0
    with pytest.raises(ModelError, match="number of symbols"):
        bbans.decode(data, model)
    with pytest.raises(SymbolError, match="one symbol"):
        bbans.decode(data, model, until="an")
    hmm = HMM([1], [[1]], [[0.5, 0.5]]).freeze()
    long = [0] * 10_000 + [1]
    hmm = in_mode(hmm, True)
    data = bbans.encode(long, hmm)
    assert bbans.decode(data, hmm, until=1).tolist() == long


# ---- rate


def test_the_rate_is_that_of_the_frozen_model():
    """docs/maths.md, "A sequence as one message": 10 bits once, and 1e-4 a symbol."""
    fitted = ARHMM.fit([TEXT[:60_000]], 8, order=3, n_iter=10, alphabet=alphabet())
    frozen = fitted.freeze()
    x = TEXT[60_000:90_000]
    bits = 8 * len(bbans.encode(x, frozen))
    content = information_content(x, frozen)
    assert -15 <= bits - content <= 10 + 1e-4 * len(x)
    assert abs(content - fitted.information_content(x)) < 1e-3 * len(x)
    x, _ = fitted.sample(20_000, seed=1)
    x = "".join(map(chr, x))
    bits = 8 * len(bbans.encode(x, frozen))
    assert -15 <= bits - information_content(x, frozen) <= 10 + 1e-4 * len(x)


def test_information_content_is_the_sum_over_all_states():
    model = MODELS["order 3"]
    x = draw(model, 6)
    theirs, total = reference_of(model), 0.0
    for z in itertools.product(range(5), repeat=6):
        p = theirs.initial[z[0]] / 2**16
        for t in range(6):
            edges = theirs.given(theirs.emission_edges[z[t]], x[:t])
            p *= (edges[x[t] + 1] - edges[x[t]]) / edges[-1]
            if t:
                p *= theirs.transition[z[t - 1]][z[t]] / 2**16
        total += p
    assert information_content(x, model) == pytest.approx(-np.log2(total), abs=1e-9)
    floats = ARHMM.from_frozen(model)
    assert floats.information_content(x) == pytest.approx(-np.log2(total), abs=1e-3)


# ---- training


def alphabet():
    return "".join(sorted(set(TEXT)))


def test_em_never_raises_the_objective_and_states_help():
    """A coin that is now and then exchanged: the last toss tells less than all."""
    rng = np.random.default_rng(0)
    coin, x = 0, []
    for _ in range(12_000):
        coin ^= rng.random() < 0.02
        x.append(int(rng.random() < (0.9 if coin else 0.1)))
    train, test = x[:8000], x[8000:]
    model = ARHMM.fit([train], 2, order=1, n_iter=60, tol=1e-7, alphabet=2)
    objective = [h.objective for h in model.history]
    assert len(objective) > 3
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(objective))
    alone = ARHMM.fit([train], 1, order=1, n_iter=60, alphabet=2)
    states = HMM.fit([train], 2, n_iter=60, alphabet=2)
    assert model.information_content(test) < 0.85 * alone.information_content(test)
    assert model.information_content(test) < 1.02 * states.information_content(test)


def test_the_first_update_is_expectation_maximisation(monkeypatch):
    """Against the posterior of states, by enumeration."""
    monkeypatch.setattr(arhmm, "_LEVELS", 1 << 20)  # terms as they are
    monkeypatch.setattr(Counts, "refit", lambda *_: False)  # contexts as they are
    x = np.array([0, 1, 0, 0, 1, 1, 0, 0], np.int32)
    init = HMM([0.6, 0.4], [[0.7, 0.3], [0.2, 0.8]], [[0.5, 0.5], [0.1, 0.9]])
    counts = Counts([x], 2, 2)
    own, back_off = counts.own, counts.back_off
    assert (own > 0).any()
    root = np.sqrt(np.bincount(x) + 0.25)
    emission = np.tile(0.02 * root / root.sum(), (2, 1))
    transition, total = np.zeros((2, 2)), 0.0
    found = []
    for z in itertools.product(range(2), repeat=8):
        of_state = back_off * init.emission[z, x]
        steps = init.transition[z[:-1], z[1:]]
        p = init.initial[z[0]] * steps.prod() * (own + of_state).prod()
        found.append((p, z, of_state / (own + of_state)))
        total += p
    for p, z, share in found:
        np.add.at(emission, (z, x), p / total * share)
        np.add.at(transition, (z[:-1], z[1:]), p / total)
    model = ARHMM.fit(
        [x], 2, order=2, n_iter=1, tol=0, init=init, dtype=np.float64,
        pseudo_count=(0, 0, 0.01),
    )  # fmt: skip
    assert len(model.history) == 2
    assert model.history[0].information_content == pytest.approx(-np.log2(total) / 8)
    assert model.states.emission == pytest.approx(
        emission / emission.sum(axis=1, keepdims=True), rel=1e-5
    )
    assert model.states.transition == pytest.approx(
        transition / transition.sum(axis=1, keepdims=True), rel=1e-5
    )


def test_rounding_of_terms_costs_nothing(monkeypatch):
    text = TEXT[:20_000]
    coarse = ARHMM.fit([text], 4, order=3, n_iter=8, tol=0)
    monkeypatch.setattr(arhmm, "_LEVELS", 1 << 20)
    fine = ARHMM.fit([text], 4, order=3, n_iter=8, tol=0)
    assert coarse.states != fine.states
    for a, b in zip(coarse.history, fine.history, strict=True):
        assert a.information_content == pytest.approx(b.information_content, rel=1e-3)


def test_order_0_is_a_plain_hmm():
    plain = HMM.fit([TEXT[:5000]], 3, n_iter=5, tol=0)
    model = ARHMM.fit([TEXT[:5000]], 3, order=0, n_iter=5, init=plain)
    assert model.contexts == Contexts.empty()
    assert model.information_content(TEXT[:999]) <= 1.01 * plain.information_content(
        TEXT[:999]
    )
    assert model.history[0].information_content == pytest.approx(
        plain.history[-1].information_content
    )


def test_longer_contexts_and_more_bytes_are_better():
    train, test, symbols = TEXT[:100_000], TEXT[100_000:120_000], alphabet()

    def content(order, max_bytes=None):
        model = ARHMM.fit(
            [train], 1, order=order, max_bytes=max_bytes, n_iter=2, alphabet=symbols
        )
        if max_bytes is not None:
            size = len(model.freeze().to_bytes(packed=True))
            assert 0.7 * max_bytes < size <= max_bytes
        return model.information_content(test)

    first, second, third = content(1), content(2), content(3)
    assert third < 0.9 * second < 0.81 * first
    small = content(3, 9_000)
    assert third < small < first


def test_training_is_reproducible_and_takes_what_hmm_takes():
    lines = [b"one line\n", b"another line\n", b""]
    a = ARHMM.fit(lines, 2, order=2, n_iter=3)
    b = ARHMM.fit(lines, 2, order=2, n_iter=3, threads=2)
    assert a.freeze() == b.freeze()
    assert a.n_symbols == 256
    assert a.information_content(b"") == 0
    with pytest.raises(ModelError, match="order"):
        ARHMM.fit(lines, 2, order=17)
    with pytest.raises(ModelError, match="no data"):
        ARHMM.fit([b""], 2)
    with pytest.raises(ModelError, match="not below 2"):
        ARHMM(HMM([1], [[1]], [[0.5, 0.5]]), a.contexts)


def test_training_goes_on_with_more_data():
    lines = TEXT[:60_000].splitlines(keepends=True)
    first, more = lines[: len(lines) // 2], lines[len(lines) // 2 :]
    test = TEXT[60_000:80_000]
    some = ARHMM.fit(first, 2, order=3, alphabet=alphabet())
    before = some.freeze()
    both = some.partial_fit(more, order=3)
    whole = ARHMM.fit(lines, 2, order=3, alphabet=alphabet())
    assert both.contexts == whole.contexts
    content = both.information_content(test)
    assert content < 0.99 * some.information_content(test)
    assert content == pytest.approx(whole.information_content(test), rel=2e-3)
    assert some.freeze() == before
    again = both.partial_fit([], order=3)
    assert again.contexts == whole.contexts
    with pytest.raises(SymbolError, match="sequence 1"):
        some.partial_fit(["a", "\0"])
    with pytest.raises(ModelError, match="does not hold the data"):
        pickle.loads(pickle.dumps(some)).partial_fit(more)
    with pytest.raises(ModelError, match="does not hold the data"):
        ARHMM.from_frozen(some.freeze()).partial_fit(more)


def test_training_holds_a_sample_of_data_that_are_too_many():
    lines, calls = TEXT[:200_000].splitlines(keepends=True), []

    def stream():
        calls.append(1)
        return iter(lines)

    model = ARHMM.fit(stream, 1, order=2, alphabet=alphabet(), max_symbols=20_000)
    assert len(calls) <= 2
    everything = ARHMM.fit(lines, 1, order=2, alphabet=alphabet())
    assert model.contexts.n_entries < 0.8 * everything.contexts.n_entries
    test = TEXT[200_000:220_000]
    content = model.information_content(test)
    assert everything.information_content(test) < content
    # Lines of all topics are better than as many of the first.
    beginning = ARHMM.fit([TEXT[:20_000]], 1, order=2, alphabet=alphabet())
    assert content < beginning.information_content(test)
    same = ARHMM.fit(lines, 1, order=2, alphabet=alphabet(), max_symbols=20_000)
    assert same.freeze() == model.freeze()
    more = model.partial_fit([TEXT[200_000:300_000]], order=2)
    assert more.contexts != model.contexts


def test_a_sample_is_all_that_fits():
    rng = np.random.default_rng(0)
    data = [
        rng.integers(0, 300, n).astype(np.int32) for n in (5, 0, 70_000, 1, 200_000)
    ]
    sample = Sample(300)
    sample.add(data[:3])
    other = sample.copy()
    sample.add(data[3:])
    expected = [x for x in data if x.size]
    for held, parts in ((sample, expected), (other, expected[:2])):
        assert held.n_symbols == sum(x.size for x in parts)
        for found, x in zip(held.sequences(), parts, strict=True):
            assert found.dtype == np.int32
            assert np.array_equal(found, x)
    other.add(data[3:])
    for found, x in zip(other.sequences(), expected, strict=True):
        assert np.array_equal(found, x)


def test_a_sample_is_drawn_from_all_that_came():
    sample = Sample(1000, 6400)
    for start in range(0, 1000, 10):
        sample.add([np.full(100, k, np.int32) for k in range(start, start + 10)])
    found = [int(x[0]) for x in sample.sequences()]
    assert sample.n_symbols == 100 * len(found) == 6400
    assert found == sorted(set(found))
    counts = np.histogram(found, bins=5, range=(0, 1000))[0]
    assert counts.min() >= 6  # of 13 in the mean
    long = Sample(2, 200_000)
    long.add([np.arange(1_000_000, dtype=np.int32) % 2])
    assert 100_000 < long.n_symbols <= 200_000
    with pytest.raises(ModelError, match="max_symbols"):
        ARHMM.fit("abc", 1, max_symbols=0)


# ---- draws and freezing


def test_draws_follow_the_distribution_of_their_contexts():
    """Pearson's statistic of symbols after each state and context."""
    floats = ARHMM.from_frozen(MODELS["order 3"])
    x, z = floats.sample(40_000, seed=0)
    longest = floats.contexts.find([x.astype(np.int32)], 6)
    statistic, degrees = 0.0, 0
    for k in np.unique(longest):
        own, left = row(floats.contexts, int(k), 6)
        for state in range(5):
            here = x[(longest == k) & (z == state)]
            expected = here.size * (own + left * floats.states.emission[state])
            often = expected >= 5
            if often.sum() < 2:
                continue
            seen = np.bincount(here, minlength=6)
            statistic += ((seen - expected)[often] ** 2 / expected[often]).sum()
            degrees += int(often.sum()) - bool(often.all())
    assert degrees > 50
    assert statistic < degrees + 5 * (2 * degrees) ** 0.5
    steps = np.zeros((5, 5))
    np.add.at(steps, (z[:-1], z[1:]), 1)
    assert steps / steps.sum(axis=1, keepdims=True) == pytest.approx(
        floats.states.transition, abs=0.05
    )
    y, _ = floats.sample(40_000, seed=0)
    assert np.array_equal(x, y)


def test_start_lengths_hold_what_a_start_needs():
    """Against the information content of draws, a start at each place."""
    floats = ARHMM.fit([TEXT[:30_000]], 4, order=3, n_iter=5)
    frozen = floats.freeze()
    assert frozen.start_length == floats.freeze().start_length
    x, _ = floats.sample(3000, seed=1)
    text = "".join(map(chr, x))
    whole = [floats.information_content(text[:t]) for t in range(0, 3000, 30)]
    c = frozen.start_length
    begins = [floats.information_content(text[: t + c]) for t in range(0, 2900, 30)]
    held = [b - a for a, b in zip(whole, begins, strict=False)]
    assert np.mean(np.array(held) < 40) < 0.05
    assert np.mean(held) < 250


@pytest.mark.parametrize("prec", [9, 16, 24])
@pytest.mark.parametrize("concentration", [0.01, 1, 1000])
def test_masses_of_few_digits_are_near(prec, concentration):
    rng = np.random.default_rng(prec)
    rows = rng.dirichlet(np.full(257, concentration), 5) + 1e-300
    masses = quantise(rows, prec)
    rounded = rounded_masses(masses)
    assert (rounded.sum(axis=1) == 1 << prec).all()
    assert rounded.min() >= 1
    loss = (masses * np.log2(masses / rounded)).sum(axis=1) / 2**prec
    assert loss.max() < 1e-3
    for few in rounded.tolist():
        digits = [m.bit_length() - (m & -m).bit_length() + 1 for m in few]
        assert sum(n > 5 for n in digits) <= 1


# ---- frozen models that cannot be, and files


GOOD = {
    "children": [1, 3, 3, 3],
    "first": [0, 0, 1, 3],
    "label": [0, 0, 2],
    "back_off": [256, 128, 100],
    "symbol": [1, 0, 1],
    "weight": [7, 65534, 1],
}


def c_status(arrays):
    """What the C library says of the arrays of contexts, by themselves."""
    plain = FrozenHMM([16], [[16]], [[9, 7]], prec=4, start_length=9)
    tree = ffi.new("bbans_contexts *")
    tree.contexts, tree.entries = len(arrays["label"]), len(arrays["symbol"])
    first = arrays["first"]
    weight, sums = arrays["weight"], np.zeros(tree.entries, int)
    for low, high in itertools.pairwise(first):
        sums[low:high] = np.cumsum(weight[low:high])
    numbers = {
        "children": (arrays["children"], 4), "first": (first, 4),
        "label": (arrays["label"], 2), "symbol": (arrays["symbol"], 2),
        "sum": (sums.tolist(), 2), "back_off": ([b - 1 for b in arrays["back_off"]], 1),
    }  # fmt: skip
    keep = []
    for name, (values, size) in numbers.items():
        keep.append(ffi.new("uint8_t[]", ref.words(values, size)))
        setattr(tree, name, keep[-1])
    return lib.bbans_hmm_set_contexts(plain.c, tree)


def with_contexts(**change):
    return FrozenARHMM(
        [16], [[16]], [[9, 7]], Contexts(**{**GOOD, **change}), prec=4, start_length=9
    )


@pytest.mark.parametrize(
    "change",
    [
        {"children": [0, 3, 3, 3]},
        {"children": [1, 3, 2, 3]},
        {"children": [1, 1, 3, 3]},  # context 1 its own parent
        {"children": [1, 2, 2, 2]},
        {"children": [1, 4, 3, 3]},
        {"first": [0, 1, 1, 3]},  # entries of the empty context
        {"first": [0, 0, 2, 2]},
        {"first": [0, 0, 4, 3]},
        {"first": [1, 0, 1, 3]},
        {"label": [0, 2, 0]},
        {"label": [0, 1, 1]},
        {"label": [0, 0, 3]},
        {"back_off": [255, 128, 100]},
        {"back_off": [256, 0, 100]},
        {"back_off": [256, 257, 100]},
        {"symbol": [1, 1, 0]},
        {"symbol": [1, 1, 1]},
        {"symbol": [2, 0, 1]},
        {"back_off": [256, 256, 100]},  # but it has an entry
        {"first": [0, 0, 0, 3]},  # and here none
        {"weight": [7, 65535, 0]},
        {"weight": [7, 65535, 1]},
        {"weight": [0, 65534, 1]},
        {"weight": [65536, 65534, 1]},
        {"label": [0, 0]},
        {"weight": [7, 65535]},
        {"back_off": [[256, 128, 100]]},
        {"symbol": [1, 0, -1]},
        {"symbol": [1.0, 0.0, 1.0]},
    ],
)
def test_contexts_that_cannot_be(change):
    with_contexts()  # unchanged it can
    assert c_status(GOOD) == 0
    with pytest.raises(ModelError):
        with_contexts(**change)
    arrays = {**GOOD, **change}
    values = [v for a in arrays.values() for v in np.ravel(a).tolist()]
    whole = all(np.shape(arrays[name]) == np.shape(GOOD[name]) for name in GOOD)
    fits = all(type(v) is int and 0 <= v <= 1 << 16 for v in values)
    if whole and fits and max(arrays["back_off"]) <= 256:
        assert c_status(arrays) == lib.BBANS_ERR_TABLE


def test_contexts_of_too_many_symbols_in_a_row():
    deep = 17
    arrays = {
        "children": [*range(1, deep + 2), deep + 1],
        "first": [0] * (deep + 2),
        "label": [0] * (deep + 1),
        "back_off": [256] * (deep + 1),
        "symbol": [],
        "weight": [],
    }
    with pytest.raises(ModelError, match="at most 16"):
        Contexts(**arrays)
    assert c_status(arrays) == lib.BBANS_ERR_TABLE
    for name in ("children", "first"):
        del arrays[name][-2]
    arrays["children"][-1] = deep
    del arrays["label"][-1], arrays["back_off"][-1]
    assert Contexts(**arrays).order == 16
    assert c_status(arrays) == 0


def test_files_restore_the_model(model, tmp_path):
    model.save(tmp_path / "m.bbm")
    again = bbans.load_model(tmp_path / "m.bbm")
    assert isinstance(again, FrozenARHMM)
    assert again == model
    assert again.fingerprint == model.fingerprint
    assert again.contexts == model.contexts
    assert pickle.loads(pickle.dumps(model)) == model
    assert encode_sequence([0] * 50, again) == encode_sequence([0] * 50, model)


def test_the_fingerprint_sees_the_contexts():
    plain = with_contexts()
    for change in ({"back_off": [256, 127, 100]}, {"label": [0, 1, 2]},
                   {"symbol": [0, 0, 1]}, {"weight": [7, 65533, 2]}):  # fmt: skip
        assert with_contexts(**change).fingerprint != plain.fingerprint


class InC:
    """A model in C, from the bytes of its file: the status, and the engine's model."""

    def __init__(self, data):
        self.bytes = ffi.from_buffer("uint8_t[]", data)
        self.c = ffi.new("bbans_model *")
        self.status = lib.bbans_model_parse(self.c, self.bytes, len(data))
        if self.status == 0:
            size = lib.bbans_model_bytes(self.c)
            self.memory = ffi.new("uint64_t[]", size // 8 + 1)
            assert (
                lib.bbans_model_build(self.c, self.memory, size - 1)
                == lib.BBANS_ERR_CAPACITY
            )
            self.status = lib.bbans_model_build(self.c, self.memory, size)
            built = self.c.frozen != ffi.NULL
            assert built == (self.status == 0)


def test_c_reads_the_same_model(model):
    x = draw(model, 80)
    in_c = InC(model.to_bytes())
    assert in_c.status == 0
    assert name_in_c(in_c.c) == model.fingerprint
    space = ffi.addressof(in_c.c.frozen[0], "space")
    size = lib.bbans_sequence_work_bytes(space, 80, 80)
    work, message = np.empty(size // 8 + 1, np.uint64), Message()
    symbols = ffi.new("uint32_t[]", x)
    message.call(
        "sequence_encode", space, symbols, 80, ffi.from_buffer("uint64_t[]", work),
        size, ..., words=lib.bbans_sequence_tail_words(space, 80),
    )  # fmt: skip
    assert message.to_bytes() == bbans.encode(x, model)


def agree(data):
    """Python's outcome, which C shares: None, or the model."""
    try:
        model = FrozenModel.from_bytes(data)
    except bbans.FormatError:
        assert InC(data).status < 0
        return None
    in_c = InC(data)
    assert in_c.status == 0
    assert name_in_c(in_c.c) == model.fingerprint
    return model


def test_every_cut_and_flip_of_a_file():
    data = with_contexts().to_bytes()
    assert agree(data) == with_contexts()
    for length in range(len(data)):
        with pytest.raises(TruncatedError):
            FrozenModel.from_bytes(data[:length])
        assert InC(data[:length]).status == lib.BBANS_ERR_TRUNCATED
    for bit in range(8 * len(data)):
        broken = bytearray(data)
        broken[bit >> 3] ^= 1 << (bit & 7)
        assert agree(bytes(broken)) is None


def test_hostile_files_with_right_checksums():
    """Python and C refuse the same ones, and read the others alike."""
    rng, good = random.Random(8), 0
    source = MODELS["order 3"].to_bytes()[:-4]
    tables = 24 + 4 * 5 * (1 + 5 + 6)
    for _ in range(4000):
        data = bytearray(source)
        for _ in range(rng.randrange(1, 3)):
            data[rng.randrange(tables, len(data))] = rng.choice(
                [0, 1, 2, 127, 128, 255]
            )
        data += struct.pack("<I", zlib.crc32(data))
        good += agree(bytes(data)) is not None
    assert 0 < good < 4000


def test_the_precision_is_at_most_that_of_edges():
    tables = [1 << 25], [[1 << 25]], [[1, (1 << 25) - 1]]
    plain = FrozenHMM(*tables, prec=25, start_length=9)
    with pytest.raises(ModelError, match="1 to 24, not 25"):
        FrozenARHMM(*tables, Contexts.empty(), prec=25, start_length=9)
    with pytest.raises(ModelError, match="1 to 24, not 25"):
        ARHMM.fit([b"abab"], 1, order=1, n_iter=1).freeze(25)
    tree = with_contexts()._tree
    assert lib.bbans_hmm_set_contexts(plain.c, tree) == lib.BBANS_ERR_PRECISION
    data = plain.to_bytes()[:-4]
    empty = struct.pack("<IIIIIIHB", 1, 0, 1, 1, 0, 0, 0, 255)
    data = data[:5] + b"\2" + data[6:] + empty
    assert agree(data + struct.pack("<I", zlib.crc32(data))) is None


# ---- what it is not


def test_what_is_for_plain_hmms():
    model = MODELS["order 1"]
    with pytest.raises(ModelError, match="must be a FrozenHMM"):
        HMM.from_frozen(model)
    with pytest.raises(ModelError, match="records on devices are bytes"):
        c_header(model)
    fitted = ARHMM.fit(["abab"], 1, n_iter=1)
    with pytest.raises(ModelError, match="ARHMM is in floating point"):
        bbans.encode("ab", fitted)
