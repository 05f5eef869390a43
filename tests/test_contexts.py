"""Contexts in floating point: counted, smoothed and chosen, against plain counting."""

from collections import Counter, defaultdict
from pydoc_data.topics import topics

import numpy as np
import pytest

from bbans import ModelError
from bbans.models import Contexts
from bbans.models.contexts import Counts, _class, evaluate

TEXT = "\n".join(topics.values())


def records(n=150):
    """Lines of English, each with its end."""
    lines = TEXT.encode().splitlines()[:: len(TEXT.splitlines()) // n]
    return [np.append(np.frombuffer(line, np.uint8), 256) for line in lines]


def as_data(sequences):
    return [np.asarray(x, np.int32) for x in sequences]


def suffixes_of(contexts):
    """The symbols of each context, the last one last."""
    suffix = [()] * contexts.n_contexts
    for k in range(contexts.n_contexts):
        for child in range(contexts.children[k], contexts.children[k + 1]):
            suffix[child] = (int(contexts.label[child]), *suffix[k])
    return suffix


def occurrences(sequences, M, order, blocks=10):
    """Each symbol with all before, the beginning too, and the number of its block."""
    T, t = sum(len(x) for x in sequences), 0
    for x in sequences:
        past = (M, *(int(symbol) for symbol in x))
        for k in range(len(x)):
            yield past[max(k + 1 - order, 0) : k + 1], past[k + 1], t * blocks // T
            t += 1


def counts_of(found, kept):
    """Kneser-Ney counts in some contexts, one symbol at a time."""
    counts = defaultdict(Counter)
    for past, symbol, _ in found:
        for start in range(len(past)):
            if past[start:] in kept:
                counts[past[start:]][symbol] += 1
                if counts[past[start:]][symbol] > 1:
                    break  # shorter ones count it once
    return counts


def test_contexts_count_as_kneser_and_ney_do():
    rng = np.random.default_rng(0)
    data = as_data(rng.choice(4, (20, 60), p=[0.6, 0.2, 0.1, 0.1]))
    contexts = Counts(data, 4, 3, 1000).contexts()
    suffix = suffixes_of(contexts)
    counts = counts_of(occurrences(data, 4, 3), set(suffix[1:]))
    weights, shares = defaultdict(set), defaultdict(set)
    for k in range(1, contexts.n_contexts):
        entries = slice(contexts.first[k], contexts.first[k + 1])
        seen = counts[suffix[k]]
        assert contexts.symbol[entries].tolist() == sorted(seen)
        for e in range(entries.start, entries.stop):
            count = seen[int(contexts.symbol[e])]
            weights[len(suffix[k]), count].add(int(contexts.weight[e]))
        key = len(suffix[k]), sum(seen.values()), len(seen)
        shares[key].add(int(contexts.back_off[k]))
    assert contexts.n_contexts > 50
    assert contexts.order == 3
    # In contexts of one length the count alone makes the weight, and what a context
    # holds its back-off.
    assert all(len(found) == 1 for found in [*weights.values(), *shares.values()])
    for length in (1, 2, 3):
        rising = [min(weights[key]) for key in sorted(weights) if key[0] == length]
        assert rising == sorted(set(rising))


def test_blocks_are_left_out():
    """Against counting again without the block, with the same contexts."""
    rng = np.random.default_rng(1)
    x = np.cumsum(rng.choice(3, 400, p=[0.7, 0.2, 0.1])) % 3
    counts = Counts(as_data([x[:150], x[150:]]), 3, 3, 100)
    kept = set(suffixes_of(counts.contexts())[1:])
    assert 10 < len(kept) < 40
    found = list(occurrences([x[:150], x[150:]], 3, 3))
    rest = [
        counts_of([one for one in found if one[2] != block], kept)
        for block in range(10)
    ]
    for t, (past, symbol, block) in enumerate(found):
        own, left = 0.0, 1.0
        for start in range(len(past) - 1, -1, -1):
            seen = rest[block][past[start:]]
            if past[start:] not in kept or not seen:
                break
            level = counts._levels[len(past) - start - 1]
            total = np.array([sum(seen.values())])
            b = level.gate[_class(total, np.array([len(seen)]))][0]
            values = level.discounted(np.array(list(seen.values())))
            share = level.discounted(np.array([seen[symbol]]))[0] / values.sum()
            own, left = (1 - b) * share + b * own, b * left
        assert counts.own[t] == pytest.approx(own, abs=1e-12)
        assert counts.back_off[t] == pytest.approx(left, abs=1e-12)


def bits(counts, data, M):
    """Of other data a symbol, with frequencies in the place of states."""
    tree, x = counts.contexts(), np.concatenate(data).astype(np.int64)
    own, left = evaluate(tree, tree.find(data, M), x)
    return -np.log2(own + left * counts._frequency[x]).mean()


def test_text_takes_fewer_bits_with_more_bytes_and_longer_contexts():
    data = as_data(records(1500))
    train, test = data[:1200], data[1200:]
    found = {
        (order, size): bits(Counts(train, 257, order, size), test, 257)
        for order, size in [(0, 10**5), (1, 10**5), (3, 10**5), (6, 10**5), (6, 10**4)]
    }
    zero, one, three, six, small = found.values()
    assert zero > 1.2 * one > 1.4 * three
    assert three > 1.02 * six
    assert 1.02 * six < small < one


def test_what_looks_good_is_not_taken_for_what_is():
    """Blocks that are left out take about what other data do."""
    data = as_data(records(1500))
    train, test = data[:1200], data[1200:]
    counts = Counts(train, 257, 5, 10**5)
    x = np.concatenate(train)
    seen = -np.log2(counts.own + counts.back_off * counts._frequency[x]).mean()
    assert seen == pytest.approx(bits(counts, test, 257), rel=0.1)


def test_files_need_contexts_without_first_and_last_symbol():
    contexts = Counts(as_data(records(800)), 257, 6, 15_000).contexts()
    suffix = suffixes_of(contexts)
    entries = {
        s: set(contexts.symbol[contexts.first[k] : contexts.first[k + 1]].tolist())
        for k, s in enumerate(suffix)
    }
    assert contexts.order > 3
    assert 25_000 < contexts.n_contexts + contexts.n_entries <= 30_000
    for s, symbols in entries.items():
        if len(s) > 1:
            assert symbols <= entries[s[1:]]
            assert s[-1] in entries[s[:-1]]


@pytest.mark.parametrize("share", [0.9, 0.5, 0.01, 0])
def test_contexts_are_left_out_until_they_fit(share):
    def size(contexts):
        return 100 + contexts.n_contexts + 3 * contexts.n_entries

    counts = Counts(as_data(records()), 257, 4, 20_000)
    whole = size(counts.contexts())
    before = counts.own
    limit = int(100 + share * (whole - 100)) + 1
    contexts = counts.limit(limit, size)
    assert size(contexts) <= limit
    assert size(contexts) > 0.8 * limit or share == 0
    assert counts.n_contexts == contexts.n_contexts
    assert not np.array_equal(counts.own, before)
    assert counts.contexts() == contexts
    assert counts.limit(whole, size) == contexts


def test_long_contexts_are_chosen_where_they_tell_more():
    """Words of 12 letters, all nearly alike: which one it is shows at the end."""
    rng = np.random.default_rng(0)
    words = [[*rng.integers(0, 2, 3), *[2] * 11, k] for k in range(3, 11)]
    long = as_data(np.concatenate([words[k] for k in rng.integers(0, 8, 400)])[None])
    assert Counts(long, 11, "auto", 10**5).order == 16
    assert Counts(as_data(records()), 257, "auto", 10**5).order == 8


def test_states_that_tell_more_are_left_more():
    """A coin that is now and then exchanged: the last toss tells less than all."""
    rng = np.random.default_rng(0)
    coin = np.cumsum(rng.random(6000) < 0.02) % 2
    x = (rng.random(6000) < np.where(coin, 0.9, 0.1)).astype(np.int32)
    counts = Counts([x], 2, 1)
    before = counts.back_off
    assert not counts.refit(np.full(6000, 0.5))
    assert np.array_equal(counts.back_off, before)
    known = np.where(x == coin, 0.9, 0.1)
    assert counts.refit(known)
    assert before.mean() < 0.1
    assert counts.back_off.mean() > 0.5
    own, back_off = counts.own, counts.back_off
    assert np.log2(own + back_off * known).mean() > np.log2(own + known / 2).mean()


@pytest.mark.parametrize("T", [0, 1, 2, 3, 11])
@pytest.mark.parametrize("order", [0, 1, 16, "auto"])
@pytest.mark.parametrize("max_bytes", [None, 0, 1000])
def test_few_symbols(T, order, max_bytes):
    x = np.arange(T, dtype=np.int32) % 2
    for data in ([x], [x[:1], x[1:]], [x] * 2):
        counts = Counts(data, 2, order, max_bytes)
        contexts = counts.contexts()
        assert counts.own.shape == counts.back_off.shape == (sum(map(len, data)),)
        assert ((counts.own >= 0) & (counts.own + counts.back_off <= 1 + 1e-9)).all()
        assert counts.n_contexts == contexts.n_contexts
        if order == 0 or max_bytes == 0:
            assert contexts == Contexts.empty()
            assert (counts.back_off == 1).all()


def test_counts_without_end():
    """Weights of a context sum to 65535 at most, whatever it counts."""
    rng = np.random.default_rng(0)
    x = (rng.random(100_000) < 0.3).astype(np.int32)
    contexts = Counts([x], 2, 1, 1000).contexts()
    share = contexts.weight[1] / int(contexts.weight[:2].sum())
    assert share == pytest.approx(x[1:][x[:-1] == 0].mean(), abs=1e-3)
    every = np.arange(65535, dtype=np.int32)
    contexts = Counts([np.insert(every, every, 7)], 65535, 1, 10**6).contexts()
    assert int(np.diff(contexts.first).max()) == 65535


def test_mistakes():
    x = [np.zeros(5, np.int32)]
    for arguments in [(1, 17), (1, -1), (1, 2, -1), (0, 1), (65536, 1), (1, "all")]:
        with pytest.raises(ModelError):
            Counts(x, *arguments)
