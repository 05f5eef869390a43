"""Sets and permutations: the bytes of the reference, whatever codes them; what their
order takes is saved exactly; refusals."""

import json
import math
from itertools import pairwise, permutations
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import random_hmm, random_message

from bbans import CorruptError, Message, ModelError, SymbolError, check_codec
from bbans.codecs import (
    Dependent,
    Iconoclasm,
    Multiset,
    Permutation,
    Repeat,
    Serial,
    decode_iid,
    encode_iid,
)
from bbans.distributions import (
    Binomial,
    Categorical,
    Gaussian,
    Poisson,
    Table,
    Uniform,
    UniformRange,
    Weighted,
)
from bbans.errors import MessageError
from bbans.message import RangeDecoder, RangeEncoder

EXACT = settings(derandomize=True, deadline=None)
VECTORS = json.loads((Path(__file__).parent / "vectors/sets_v1.json").read_text())
IDS = UniformRange(0, 2**32 - 1)


class Slowly:
    """A codec of a distribution that is none: values are coded one by one."""

    def __init__(self, law):
        self.push, self.pop = law.push, law.pop


def log2_orders(values):
    """log2 of the number of orders of a multiset."""
    counts = np.unique(np.asarray(values), return_counts=True)[1]
    return (
        math.lgamma(len(values) + 1) - sum(map(math.lgamma, counts + 1))
    ) / math.log(2)


# ---- the same bytes


def test_the_vectors_are_whole():
    assert VECTORS["format"] == 1
    assert [len(VECTORS[key]) for key in ("multisets", "permutations")] == [25, 14]


def started(case):
    return Message.from_bytes(bytes.fromhex(case["start"]), case["lanes"])


@pytest.mark.parametrize("wrap", [lambda law: law, Slowly])
@pytest.mark.parametrize("case", VECTORS["multisets"])
def test_stored_multisets(case, wrap):
    codec = wrap(UniformRange(case["low"], case["high"]))
    message, values = started(case), case["values"]
    multiset = Multiset(codec, len(values))
    multiset.push(message, values)
    assert message.to_bytes().hex() == case["message"]
    assert list(multiset.pop(message)) == sorted(values)
    assert message == started(case)


@pytest.mark.parametrize("case", VECTORS["permutations"])
def test_stored_permutations(case):
    message, order = started(case), case["permutation"]
    Permutation(len(order)).push(message, order)
    assert message.to_bytes().hex() == case["message"]
    assert Permutation(len(order)).pop(message).tolist() == order
    assert message == started(case)


@EXACT
@given(
    st.integers(1, 40),
    st.integers(0, 5),
    st.lists(st.integers(1, 50), min_size=1, max_size=9),
)
def test_any_message_holds_a_multiset_as_the_reference_reads_it(n, words, weights):
    law = Weighted(weights)
    edges = ref.edges_of(weights)
    message = random_message(1, seed=n, words=words)
    before, plain = message.copy(), ref.Message()
    (plain.heads, plain.tail) = message.state()

    values = ref.multiset_pop(plain, n, lambda m: m.pop(edges[-1], ref.finder(edges)))
    assert Multiset(law, n).pop(message).tolist() == values
    assert message.state() == (plain.heads, plain.tail)

    def push(m, v):
        m.push(*ref.interval(edges, v), edges[-1])

    ref.multiset_push(plain, values, push)
    Multiset(law, n).push(message, values[::-1])
    assert message.state() == (plain.heads, plain.tail) == before.state()


# ---- what the order takes


def test_a_set_of_ids_takes_what_sets_take():
    ids = np.random.default_rng(0).choice(2**32, 20_000, replace=False)
    message = random_message(1, seed=1)
    before = message.bits
    Multiset(IDS, ids.size).push(message, ids)
    assert message.bits - before == pytest.approx(
        32 * ids.size - log2_orders(ids), abs=1
    )
    assert (Multiset(IDS, ids.size).pop(message) == np.sort(ids)).all()
    # From nothing, the slots of the first few are not random: about log2 n bits.
    message = Message()
    Multiset(IDS, ids.size).push(message, ids)
    lost = message.bits - (32 * ids.size - log2_orders(ids))
    assert 0 <= lost <= math.log2(ids.size) + 2


def test_repetitions_are_no_order():
    weights = np.arange(1, 30)
    values = np.random.default_rng(1).choice(29, 5000, p=weights / weights.sum())
    law, message = Weighted(weights), random_message(1, seed=2)
    in_order = -np.log2(weights / weights.sum())[values].sum()
    before = message.bits
    Multiset(law, values.size).push(message, values)
    assert message.bits - before == pytest.approx(
        in_order - log2_orders(values), abs=0.01
    )


def test_a_set_and_its_order_take_what_the_values_take():
    values = np.random.default_rng(2).choice(1000, 60, replace=False)
    law, message = UniformRange(0, 999), random_message(1, seed=3)
    before = message.bits
    order = np.argsort(np.argsort(values))
    Permutation(60).push(message, order)
    Multiset(law, 60).push(message, values)
    assert message.bits - before == pytest.approx(60 * math.log2(1000), abs=1e-3)
    found, back = Multiset(law, 60).pop(message), Permutation(60).pop(message)
    assert (found[back] == values).all()


def test_permutations_are_all_equally_likely():
    orders = dict.fromkeys(permutations(range(4)), 0)
    message = random_message(1, seed=4, words=30_000)
    for _ in range(24 * 500):
        orders[tuple(Permutation(4).pop(message).tolist())] += 1
    deviation = (np.array([*orders.values()]) - 500) / 500**0.5
    assert (deviation**2).sum() < 60  # of chi squared with 23 degrees: 4e-5 above


# ---- codecs of other values


def test_texts_rows_and_sets_of_sets():
    model = random_hmm(3, 26, seed=5)
    word = Dependent([Uniform(9), lambda n: Iconoclasm(model, n)])
    words = [(len(w), [ord(c) - 97 for c in w]) for w in ["id", "name", "at", "id"]]

    class Word:
        """Texts of up to 8 small letters."""

        def push(self, message, text):
            word.push(message, (len(text), [ord(c) - 97 for c in text]))

        def pop(self, message):
            return "".join(chr(97 + i) for i in word.pop(message)[1])

    rows = Serial([Uniform(3), Gaussian(20.0, 4.0)])
    sets = Multiset(Repeat(Uniform(9), 2), 3)
    cases = [
        (Word(), [*"cab", "name", "name", "a" * 8]),
        (rows, [(2, 18), (0, 23), (2, 17), (2, 18)]),
        (sets, [[(1, 2), (0, 8), (1, 2)], [(0, 0), (5, 4), (3, 3)]]),
    ]
    assert words[0] < words[1]  # tuples and lists are sorted as they are
    for codec, values in cases:
        message = random_message(1, seed=6)
        before = message.copy()
        Multiset(codec, len(values)).push(message, values)
        expected = sorted(sorted(v) if codec is sets else v for v in values)
        assert Multiset(codec, len(values)).pop(message) == expected
        assert message == before


def test_values_of_the_same_key_keep_their_order():
    rows = [(3, 1), (1, 5), (3, 0), (1, 4), (3, 1)]
    codec = Multiset(Repeat(Uniform(9), 2), 5, key=lambda row: row[0])
    message = random_message(1, seed=7)
    before = message.copy()
    codec.push(message, rows)
    assert codec.pop(message) == [(1, 5), (1, 4), (3, 1), (3, 0), (3, 1)]
    assert message == before


def test_a_key_of_integers():
    message, law = random_message(1, seed=8), UniformRange(-50, 50)
    codec = Multiset(law, 4, key=abs)
    codec.push(message, [-3, 40, 3, -7])
    found = codec.pop(message)
    assert [abs(v) for v in found] == [3, 3, 7, 40]
    assert sorted(found) == [-7, -3, 3, 40]


def test_collections_of_all_kinds():
    for values in [{5, 1, 3}, dict.fromkeys([5, 1, 3]), (5, 1, 3), np.uint8([5, 1, 3])]:
        message = Message()
        Multiset(Uniform(9), 3).push(message, values)
        assert Multiset(Uniform(9), 3).pop(message).tolist() == [1, 3, 5]
        assert message.is_empty


def test_types_of_what_is_popped():
    for law, dtype in [(Uniform(9), Uniform(9).dtype), (Gaussian(0.0, 1.0), np.int64)]:
        assert Multiset(law, 2).pop(random_message(1, seed=9)).dtype == dtype
        assert Multiset(law, 0).pop(Message()).shape == (0,)


def test_check_codec():
    rng = np.random.default_rng(3)
    values = [rng.integers(0, 1000, 50) for _ in range(4)]
    law = UniformRange(0, 999)
    report = check_codec([np.sort(v) for v in values], Multiset(law, 50))
    slow = check_codec([sorted(v.tolist()) for v in values], Multiset(Slowly(law), 50))
    assert report.bits == pytest.approx(slow.bits, abs=0.1)
    orders = [rng.permutation(30) for _ in range(4)]
    check_codec(orders, Permutation(30))


def test_as_values_of_a_message_of_their_own():
    values = [[3, 1, 4, 1], [5, 9, 2, 6]] * 20
    codec = Multiset(UniformRange(0, 2**40), 4)
    message = encode_iid(values, codec)
    found = decode_iid(Message.from_bytes(message.to_bytes()), codec, 40)
    assert [v.tolist() for v in found] == [sorted(v) for v in values]


@pytest.mark.parametrize("wrap", [lambda law: law, Slowly])
def test_sets_that_are_the_first_of_a_message(wrap):
    """They are too small to draw from: sorted, so that the order takes its bits."""
    codec = Multiset(wrap(Uniform(8)), 3)
    values = [[k % 8, 3, k % 5] for k in range(20)]
    data = encode_iid(values, codec).to_bytes()
    assert 8 * len(data) < 20 * 9 - 10  # all are 9 bits, but some 2 for their order
    found = decode_iid(Message.from_bytes(data), codec, 20)
    assert [list(v) for v in found] == [sorted(v) for v in values]
    refused = 0
    for i in range(8 * len(data) - 8):
        damaged = bytearray(data)
        damaged[i // 8] ^= 1 << i % 8
        try:
            other = decode_iid(Message.from_bytes(bytes(damaged)), codec, 20)
        except CorruptError:
            refused += 1
        else:
            assert [list(v) for v in other] != [sorted(v) for v in values]
    assert refused > 0


def test_permutations_under_the_range_coder():
    encoder, order = RangeEncoder(), [4, 0, 3, 1, 2]
    encoder.encode(Permutation(5), order)
    decoder = RangeDecoder(encoder.finish())
    assert decoder.decode(Permutation(5)).tolist() == order


def test_several_lanes():
    message = random_message(5, seed=10)
    before, values = message.copy(), [7, 7, 0, 999]
    Multiset(UniformRange(0, 999), 4).push(message, values)
    Permutation(4).push(message, [1, 0, 3, 2])
    assert Permutation(4).pop(message).tolist() == [1, 0, 3, 2]
    assert Multiset(UniformRange(0, 999), 4).pop(message).tolist() == sorted(values)
    assert message == before
    with pytest.raises(MessageError):
        Permutation(4000).pop(Message(2))


# ---- refusals


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ([1, 2], r"expected values of shape \(3,\), not \(2,\)"),
        ([1, 2, 10], "value 10 at position 2 cannot be coded"),
        ([1, -1, 3], "value -1 at position 1 cannot be coded"),
        ([1.0, 2.0, 3.0], "round them"),
        (np.uint64([1, 2**63, 3]), "at position 1 is not below"),
        (["a", "b", "c"], "not of dtype"),
    ],
)
def test_integers_that_cannot_be_pushed(values, error):
    message = random_message(1, seed=11)
    before = message.copy()
    with pytest.raises(SymbolError, match=error):
        Multiset(UniformRange(0, 9), 3).push(message, values)
    assert message == before


def test_other_values_that_cannot_be_pushed():
    codec = Multiset(Serial([Uniform(3), Uniform(3)]), 2)
    with pytest.raises(SymbolError, match="expected 2 values, not 1"):
        codec.push(Message(), [(1, 2)])
    with pytest.raises(SymbolError, match="sorted"):
        codec.push(Message(), [(1, 2), {}])
    with pytest.raises(SymbolError, match="sorted"):
        codec.push(Message(), 5)


def test_arguments():
    for n in [-1, 2**28 + 1, 1.5]:
        with pytest.raises(ModelError, match="n must be"):
            Multiset(Uniform(3), n)
        with pytest.raises(ModelError, match="n must be"):
            Permutation(n)
    with pytest.raises(ModelError, match="codec must be"):
        Multiset(3, 2)
    with pytest.raises(ModelError, match="key must be"):
        Multiset(Uniform(3), 2, key=3)
    assert repr(Multiset(Uniform(3), 2)) == "Multiset(Uniform(total=3), 2)"
    assert repr(Permutation(2)) == "Permutation(2)"


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ([0, 1], r"shape \(3,\), not \(2,\)"),
        ([0, 1, 3], "element 3 at position 2 is not below 3"),
        ([0, 2, 2], "element 2 occurs more than once"),
        ([0, -1, 2], "element -1 at position 1"),
        ([0.0, 1.0, 2.0], "round them"),
    ],
)
def test_what_is_no_permutation(order, error):
    with pytest.raises(SymbolError, match=error):
        Permutation(3).push(Message(), order)
    with pytest.raises(SymbolError, match=error):
        RangeEncoder().encode(Permutation(3), order)


def test_a_set_needs_what_can_be_popped():
    with pytest.raises(MessageError, match="first in, first out"):
        RangeEncoder().encode(Multiset(Uniform(9), 2), [1, 2])


def test_distributions_of_all_kinds():
    laws = [
        Categorical(Table([0, 1, 6, 16], 4)),
        Binomial(40, 0.3),
        Gaussian(5.0, 1e9),
        Poisson(1000.0),
    ]
    for law in laws:
        message = random_message(1, seed=12)
        before, plain = message.copy(), message.copy()
        values = Multiset(law, 300).pop(message)
        assert all(a <= b for a, b in pairwise(values))
        assert Multiset(Slowly(law), 300).pop(plain) == values.tolist()
        assert plain == message
        Multiset(law, 300).push(message, values)
        assert message == before


def test_values_that_no_integer_holds_are_named():
    law = Gaussian(0.0, 1e9)
    for codec in (law, Slowly(law)):
        with pytest.raises(SymbolError, match="does not hold what was popped"):
            Multiset(codec, 5).pop(Message.from_bytes(b"\1\2\3\4\5\6\7"))
