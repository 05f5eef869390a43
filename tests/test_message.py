"""The message: exact inverses, the reference's numbers, the wire, refusals."""

import contextlib
import copy
import pickle
import random
import sys
import threading
import time
from fractions import Fraction

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import ISAS

from bbans import BbansError, CorruptError, Message, ModelError, SymbolError
from bbans._lib import lib
from bbans.distributions import Bernoulli, Categorical, Table, Uniform, Weighted
from bbans.errors import MessageError
from bbans.message import RangeDecoder, RangeEncoder

EXACT = settings(derandomize=True, deadline=None)


@pytest.fixture(params=ISAS, autouse=True, scope="module")
def kernels(request):
    """All tests here run once with each kind of kernels that this machine has."""
    lib.bbans_isa_use(ISAS[request.param])
    yield request.param
    lib.bbans_isa_use(lib.BBANS_ISA_BEST)


LOW, HIGH = 2**31, 2**63
WORD = st.integers(0, 2**32 - 1)
ANY_SIZE = st.integers(31, 62).flatmap(lambda b: st.integers(2**b, 2 ** (b + 1) - 1))
HEAD = st.sampled_from([LOW, LOW + 1, 2**59, HIGH - 1]) | ANY_SIZE
SMALL = st.tuples(st.tuples(st.integers(0, LOW - 1)).map(list), st.just([]))
ONE_LANE = SMALL | st.tuples(st.tuples(HEAD).map(list), st.lists(WORD, max_size=3))
LANES = st.tuples(
    st.lists(HEAD, min_size=2, max_size=5), st.lists(WORD, min_size=5, max_size=7)
)
DRY = st.tuples(st.lists(HEAD, min_size=2, max_size=5), st.lists(WORD, max_size=1))
STATE = ONE_LANE | LANES | DRY

TOTAL = st.sampled_from([1, 2, 3, 2**16, 2**27 + 1, 2**28 - 1, 2**28]) | st.integers(
    0, 27
).flatmap(lambda b: st.integers(2**b, 2 ** (b + 1)))


@st.composite
def interval_around(draw, slot, total):
    """An interval [start, start + freq) of the total that holds the slot."""
    start = draw(st.sampled_from([0, slot]) | st.integers(0, slot))
    end = draw(st.sampled_from([slot + 1, total]) | st.integers(slot + 1, total))
    return start, end - start


@st.composite
def tables(draw):
    prec = draw(st.integers(1, 28))
    n_symbols = draw(st.integers(1, min(6, 2**prec)))
    inner = st.sets(
        st.integers(1, 2**prec - 1), min_size=n_symbols - 1, max_size=n_symbols - 1
    )
    rows = [[0, *sorted(draw(inner)), 2**prec] for _ in range(draw(st.integers(1, 3)))]
    return Table(rows, prec)


@st.composite
def weights(draw):
    """Rows of weights, many of them zero, each of a sum in 1 .. 2^28."""
    weight = st.sampled_from([0, 0, 1, 2**25]) | st.integers(0, 2**25)
    row = st.lists(weight, min_size=4, max_size=4).filter(any)
    return draw(st.lists(row, min_size=1, max_size=9))


# ---- push and pop


@EXACT
@given(STATE, TOTAL, st.data())
def test_pop_undoes_push(state, total, data):
    message = Message.from_state(*state)
    slots = [data.draw(st.integers(0, total - 1)) for _ in state[0]]
    starts, freqs = zip(
        *(data.draw(interval_around(slot, total)) for slot in slots), strict=True
    )
    message.push_interval(starts, freqs, total)
    assert Message.from_state(*message.state()) == message  # a valid state
    above = message.peek(total) - np.array(starts, np.uint32)
    assert (above < freqs).all()
    message.advance(starts, freqs, total)
    assert message.state() == state


@EXACT
@given(STATE, TOTAL, st.data())
def test_push_undoes_pop(state, total, data):
    """Bits back pops first: this order matters as much as the other."""
    message = Message.from_state(*state)
    intervals = [data.draw(interval_around(int(s), total)) for s in message.peek(total)]
    starts, freqs = zip(*intervals, strict=True)
    try:
        message.advance(starts, freqs, total)
    except MessageError:
        assert len(state[0]) > len(state[1])  # one lane, or a tail, never runs dry
        assert len(state[0]) > 1
    else:
        assert Message.from_state(*message.state()) == message
        message.push_interval(starts, freqs, total)
    assert message.state() == state


def check_both_orders(state, values, push, pop):
    """`push` takes a message and values; `pop` a message, and returns values."""
    message = Message.from_state(*state)
    push(message, values)
    popped = pop(message)
    assert popped.dtype == np.uint32
    assert popped.tolist() == list(values)
    assert message.state() == state
    try:
        push(message, pop(message))
    except MessageError:
        assert message.lanes > 1
    assert message.state() == state


@EXACT
@given(STATE, tables(), st.integers(0, 20), st.data())
def test_symbols_in_both_orders(state, table, n, data):
    symbols = data.draw(
        st.lists(st.integers(0, table.n_symbols - 1), min_size=n, max_size=n)
    )
    rows = data.draw(
        st.none() | st.lists(st.integers(0, table.n_rows - 1), min_size=n, max_size=n)
    )
    law = Categorical(table, 0 if rows is None else rows)
    check_both_orders(
        state,
        symbols,
        lambda message, values: message.push(law, values),
        lambda message: message.pop(law, n),
    )


@EXACT
@given(STATE, TOTAL, st.data())
def test_uniform_values_in_both_orders(state, total, data):
    values = data.draw(st.lists(st.integers(0, total - 1), max_size=20))
    check_both_orders(
        state,
        values,
        lambda message, values: message.push(Uniform(total), values),
        lambda message: message.pop(Uniform(total), len(values)),
    )


@EXACT
@given(STATE, weights(), st.data())
def test_weighted_symbols_in_both_orders(state, rows, data):
    values = [
        data.draw(st.sampled_from([k for k, w in enumerate(row) if w])) for row in rows
    ]
    check_both_orders(
        state,
        values,
        lambda message, values: message.push(Weighted(rows), values),
        lambda message: message.pop(Weighted(rows)),
    )


def test_shapes_are_kept_and_read_in_c_order():
    table, message = Table([0, 3, 4, 16], 4), Message()
    symbols = np.array([[0, 1, 2], [2, 2, 0]])
    rows = np.zeros((2, 3), int)
    message.push(Categorical(table, rows.T), symbols.T)
    assert message.pop(Categorical(table), (3, 2)).tolist() == symbols.T.tolist()
    message.push(Uniform(5), symbols)
    assert message.pop(Uniform(5), 6).tolist() == [0, 1, 2, 2, 2, 0]
    message.push(Weighted(np.ones((2, 3, 4), int)), symbols)
    assert message.pop(Weighted(np.ones((6, 4), int))).tolist() == [0, 1, 2, 2, 2, 0]
    assert message.is_empty


def test_parameters_are_broadcast_to_values():
    """The same words as under parameters written out."""
    table = Table([[0, 3, 4, 16], [0, 1, 2, 16]], 4)
    values = np.array([[0, 1, 2], [2, 2, 0]])
    weights = np.array([[1, 2, 3], [9, 1, 0], [1, 1, 1]])
    for law, whole in [
        (Categorical(table, 1), Categorical(table, np.ones((2, 3), int))),
        (Categorical(table, [0, 1, 1]), Categorical(table, [[0, 1, 1]] * 2)),
        (Categorical(table, [[0], [1]]), Categorical(table, [[0] * 3, [1] * 3])),
        (Categorical(table, 1, (2, 3)), Categorical(table, np.ones((2, 3), int))),
        (Weighted([5, 1, 1]), Weighted(np.tile([5, 1, 1], (2, 3, 1)))),
        (Weighted(weights[::2, None]), Weighted(weights[::2, None].repeat(3, 1))),
        (Uniform(3), Uniform(3, (2, 3))),
    ]:
        message, expected = Message(2), Message(2)
        message.push(law, values)
        whole.push(expected, values)
        assert message == expected
        assert (message.pop(law, (2, 3)) == values).all()
        assert message.is_empty
    for law in (Categorical(table, [0, 1]), Uniform(3, 2), Weighted([[1, 2, 3]] * 2)):
        with pytest.raises(SymbolError, match=r"shape \(2,\) do not fit .* \(2, 3\)"):
            message.push(law, values)
        with pytest.raises(SymbolError, match=r"shape \(2,\) do not fit .* \(2, 3\)"):
            message.pop(law, (2, 3))
        with pytest.raises(SymbolError, match=r"expected .* of shape \(2,\)"):
            law.push(message, values)
    assert message.is_empty


def test_a_push_adds_the_information_content():
    message = Message.from_state([2**40], [1])
    before = message.bits
    message.push_interval(3, 5, 40)
    assert message.bits - before == pytest.approx(3, abs=1e-8)
    assert Message().bits == 0
    assert Message.from_state([0]).bits == 0


# ---- arrays over many lanes, of any type

TYPES = ["uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"]


def state_of(rng, lanes, n_words):
    heads = rng.integers(2**31, 2**63, lanes) >> rng.integers(0, 32, lanes)
    words = rng.integers(0, 2**32, n_words)
    return np.maximum(heads, 2**31).tolist(), words.tolist()


def any_table(rng, rows, n_symbols, prec):
    return Table.from_masses(rng.random((rows, n_symbols)) ** 8 + 1e-9, prec)


def jobs(rng, n):
    """Push and pop of arrays of each kind, and valid values for them."""
    table = any_table(rng, 5, 50, int(rng.integers(6, 29)))
    rows = rng.integers(0, 5, n).astype(rng.choice(TYPES))
    x = rng.integers(0, 50, n).astype(rng.choice(TYPES))
    yield (
        (lambda m: m.push(Categorical(table), x)),
        (lambda m: m.pop(Categorical(table), n)),
        x,
    )
    yield (
        lambda m: m.push(Categorical(table, rows), x),
        lambda m: m.pop(Categorical(table, rows), n),
        x,
    )
    for total in (64, 100, 2**20, 2**20 + 1):
        y = rng.integers(0, total, n)
        yield (
            lambda m, y=y, total=total: m.push(Uniform(total), y),
            lambda m, total=total: m.pop(Uniform(total), n),
            y,
        )
    ones, bits = rng.integers(1, 2**16, n), rng.integers(0, 2, n)
    yield (
        lambda m: m.push(Bernoulli(ones, prec=16), bits),
        lambda m: m.pop(Bernoulli(ones, prec=16)),
        bits,
    )
    weights = rng.integers(1, 2**20, (n, 70))
    z = rng.integers(0, 70, n)
    yield (
        lambda m: m.push(Weighted(weights), z),
        lambda m: m.pop(Weighted(weights)),
        z,
    )
    for dtype in (np.float32, np.float64):
        p = rng.dirichlet(np.full(70, 0.1), n).astype(dtype)
        yield (
            lambda m, p=p: m.push(Weighted(p), z),
            lambda m, p=p: m.pop(Weighted(p)),
            z,
        )


@pytest.mark.parametrize("lanes", [1, 2, 3, 7, 8, 64, 1000])
def test_what_one_kernel_encodes_each_other_decodes(lanes, kernels):
    rng = np.random.default_rng(lanes)
    for n in (1, 9, 70, 1500):
        state = state_of(rng, lanes, 1000)
        for push, pop, x in jobs(rng, n):
            lib.bbans_isa_use(ISAS[kernels])
            message = Message.from_state(*state)
            push(message)
            data = message.to_bytes()
            for other in ISAS:
                lib.bbans_isa_use(ISAS[other])
                message = Message.from_state(*state)
                push(message)
                assert message.to_bytes() == data
                message = Message.from_bytes(data, lanes)
                assert pop(message).tolist() == x.tolist()
                assert message.state() == state
    lib.bbans_isa_use(ISAS[kernels])


@pytest.mark.parametrize("lanes", [1, 8, 64])
def test_many_lanes_equal_the_reference(lanes):
    rng = np.random.default_rng(lanes)
    for prec in (1, 6, 11, 12, 13, 24, 28):
        state = state_of(rng, lanes, 99)
        table = any_table(rng, 3, min(2**prec, 40), prec)
        rows, symbols = rng.integers(0, 3, 300), rng.integers(0, table.n_symbols, 300)
        ours, theirs = Message.from_state(*state), ref.Message(lanes)
        theirs.heads, theirs.tail = list(state[0]), list(state[1])
        ours.push(Categorical(table, rows), symbols)
        ref.push_symbols(
            theirs, table.cdf.tolist(), rows.tolist(), symbols.tolist(), prec
        )
        assert ours.state() == (theirs.heads, theirs.tail)


@pytest.mark.parametrize("dtype", TYPES)
def test_arrays_of_any_type_in_and_out(dtype):
    rng = np.random.default_rng(1)
    table = any_table(rng, 4, 100, 16)
    x = rng.integers(0, 100, 2000).astype(dtype)
    rows = rng.integers(0, 4, 2000).astype(dtype)
    message, expected = Message(64), Message(64)
    message.push(Categorical(table, rows), x)
    expected.push(Categorical(table, rows.tolist()), x.tolist())
    assert message == expected
    out = np.empty(2000, dtype)
    assert message.copy().pop(Categorical(table, rows), out=out) is out
    assert (out == x).all()
    assert message.pop(Categorical(table, rows.reshape(2, 1000)), (2, 1000)).shape == (
        2,
        1000,
    )
    for layout in (x[::2], x.reshape(40, 50).T, x.astype(x.dtype.newbyteorder())):
        message.push(Categorical(table), layout)
        assert (message.pop(Categorical(table), layout.shape) == layout).all()
    message.push(Uniform(128), x)
    assert (message.pop(Uniform(128), out=out) == x).all()
    message.push(Bernoulli(np.full(2000, 99), prec=8), x % 2)
    assert (message.pop(Bernoulli(np.full(2000, 99), prec=8), out=out) == x % 2).all()
    weights = rng.integers(1, 9, (2000, 100))
    message.push(Weighted(weights), x)
    assert (message.pop(Weighted(weights), out=out) == x).all()
    p = np.full((2000, 100), 0.01)
    message.push(Weighted(p), x)
    assert (message.pop(Weighted(p), out=out) == x).all()
    assert message.is_empty


def test_one_symbol_is_an_int():
    message = Message.from_state([2**60], [5] * 9)
    state = message.state()
    table = any_table(np.random.default_rng(1), 3, 9, 16)
    for symbol in (4, np.int8(4), np.array(4)):
        message.push(Categorical(table, 2), symbol)
        assert type(message.pop(Categorical(table, 2))) is int
        message.push(Categorical(table), symbol)
        assert message.pop(Categorical(table)) == 4
        message.push(Uniform(7), symbol)
        assert message.pop(Uniform(7)) == 4
        message.push(Weighted([1, 2, 3, 4, 5]), symbol)
        assert message.pop(Weighted([1, 2, 3, 4, 5])) == 4
        message.push(Weighted([0.1, 0.2, 0.3, 0.2, 0.2]), symbol)
        assert message.pop(Weighted([0.1, 0.2, 0.3, 0.2, 0.2])) == 4
    assert type(message.pop(Categorical(table), ())) is int
    message = Message.from_state(*state)
    message.push(Categorical(table), bytes([1, 2, 3]))  # any buffer will do
    assert message.pop(Categorical(table), 3).tolist() == [1, 2, 3]


def weights_by_definition(p):
    return [1 + max(0, int(Fraction(float(v)) * 2**27)) for v in p]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lanes", [1, 5])
def test_probabilities_are_weights_by_their_definition(dtype, lanes):
    rng = np.random.default_rng(2)
    p = rng.dirichlet(np.full(37, 0.1), 50)
    p = (p * rng.uniform(0.6, 1.8, (50, 1))).astype(dtype)
    p[3, :4] = [-0.0, -(2.0**-28), 1e-40, 2.0**-27]
    p[4], p[4, 8] = 0, 1.5
    x = rng.integers(0, 37, 50)
    state = state_of(rng, lanes, 50)
    ours, theirs = Message.from_state(*state), Message.from_state(*state)
    ours.push(Weighted(p), x)
    theirs.push(Weighted([weights_by_definition(row) for row in p]), x)
    assert ours.state() == theirs.state()
    assert (ours.pop(Weighted(p)) == x).all()
    assert ours.state() == state
    ours.push(Weighted(p[:, ::-1]), x)  # not contiguous
    assert (ours.pop(Weighted(p[:, ::-1].copy())) == x).all()


@pytest.mark.parametrize(
    "bad", [np.nan, np.inf, -np.inf, -1e-6, 2, 4, 1e30, 0.4, "row"]
)
def test_rows_that_are_no_probabilities(bad):
    for dtype in (np.float32, np.float64):
        for n, at in ((1, 0), (200, 0), (200, 77)):
            p = np.full((n, 19), 1 / 19, dtype)
            if bad == 0.4:
                p[at] = bad / 19  # a sum below 1/2
            elif bad == "row":
                p[at] = 2 / 19
            else:
                p[at, 5] = bad
            message = Message.from_state([2**62] * 3, [9] * 999)
            state = message.state()
            with pytest.raises(ModelError, match="total"):
                message.push(Weighted(p), np.zeros(n, int))
            with pytest.raises(ModelError, match="total"):
                message.pop(Weighted(p))
            assert message.state() == state


# ---- the reference


@pytest.mark.parametrize("lanes", [1, 2, 3, 16])
@pytest.mark.parametrize("pops_of_4", [1, 2, 3])
def test_random_walks_equal_the_reference(lanes, pops_of_4):
    draw = random.Random(lanes * pops_of_4)
    ours, theirs = Message(lanes), ref.Message(lanes)
    n_dry = 0
    for _ in range(600):
        total = draw.choice([draw.randint(1, 2**28), 2 ** draw.randint(0, 28)])
        cuts = sorted(draw.randint(0, total) for _ in range(draw.randint(0, 3)))
        edges = sorted({0, *cuts, total})
        find = ref.finder(edges)
        if draw.randrange(4) < pops_of_4:
            slots = [theirs.peek(total, lane) for lane in range(lanes)]
            assert ours.peek(total).tolist() == slots
            _, starts, freqs = zip(*map(find, slots), strict=True)
            before = list(theirs.heads), list(theirs.tail)
            try:
                for lane in range(lanes):
                    theirs.pop(total, find, lane)
            except ref.Underflow:
                n_dry += 1
                theirs.heads, theirs.tail = before
                with pytest.raises(MessageError):
                    ours.advance(starts, freqs, total)
            else:
                ours.advance(starts, freqs, total)
        else:
            symbols = [draw.randrange(len(edges) - 1) for _ in range(lanes)]
            starts, freqs = zip(
                *(ref.interval(edges, symbol) for symbol in symbols), strict=True
            )
            ours.push_interval(starts, freqs, total)
            for lane in reversed(range(lanes)):
                theirs.push(starts[lane], freqs[lane], total, lane)
        assert ours.state() == (theirs.heads, theirs.tail)
    assert ours.to_bytes() == theirs.to_bytes()
    assert (n_dry > 0) == (lanes > 1 and pops_of_4 > 1)


@EXACT
@given(STATE, tables(), st.data())
def test_arrays_equal_the_reference(state, table, data):
    symbol = st.tuples(
        st.integers(0, table.n_rows - 1), st.integers(0, table.n_symbols - 1)
    )
    pairs = data.draw(st.lists(symbol, min_size=1, max_size=20))
    rows, symbols = map(list, zip(*pairs, strict=True))
    ours, theirs = Message.from_state(*state), ref.Message(len(state[0]))
    theirs.heads, theirs.tail = list(state[0]), list(state[1])
    ours.push(Categorical(table, rows), symbols)
    ref.push_symbols(theirs, table.cdf.tolist(), rows, symbols, table.prec)
    assert ours.state() == (theirs.heads, theirs.tail)
    other = rows[::-1]
    try:
        popped = ref.pop_symbols(
            theirs, table.cdf.tolist(), other, len(other), table.prec
        )
    except ref.Underflow:
        with pytest.raises(MessageError):
            ours.pop(Categorical(table, other), len(other))
    else:
        assert ours.pop(Categorical(table, other), len(other)).tolist() == popped
        assert ours.state() == (theirs.heads, theirs.tail)


# ---- bytes


@EXACT
@given(st.binary(max_size=40))
def test_bytes_that_do_not_end_in_0_are_one_message(data):
    if data.endswith(b"\0"):
        with pytest.raises(CorruptError):
            Message.from_bytes(data)
        return
    message, integer = Message.from_bytes(data), int.from_bytes(data, "little")
    assert message.to_bytes() == data
    theirs = ref.Message.from_int(integer)
    assert message.state() == (theirs.heads, theirs.tail)


@EXACT
@given(STATE)
def test_the_wire_restores_every_state(state):
    message, theirs = Message.from_state(*state), ref.Message(len(state[0]))
    theirs.heads, theirs.tail = state
    data = message.to_bytes()
    assert data == theirs.to_bytes()
    assert Message.from_bytes(data, message.lanes).state() == state


@pytest.mark.parametrize(
    ("data", "lanes"),
    [
        (b"", 2),
        (bytes(15), 2),
        (b"\0\0\0\x80\0\0\0\0" * 2 + b"\0", 2),  # no whole number of words
        (b"\xff\xff\xff\x7f\0\0\0\0" * 2, 2),  # heads below 2^31
        (b"\0\0\0\0\0\0\0\x80" * 2, 2),  # heads of 2^63
        (b"\0", 1),
        (b"\1\0", 1),
    ],
)
def test_other_bytes_are_refused(data, lanes):
    with pytest.raises(CorruptError):
        Message.from_bytes(data, lanes)


def test_the_empty_message():
    assert Message().to_bytes() == b"\1"
    assert Message().is_empty
    assert Message(3).is_empty
    assert Message.from_bytes(b"").state() == ([0], [])
    assert not Message.from_state([2]).is_empty
    assert Message(3).to_bytes() == b"\0\0\0\x80\0\0\0\0" * 3


def test_a_copy_is_independent():
    message = Message.from_state([2**40], [7])
    copy = message.copy()
    message.push(Uniform(9), [1] * 50)
    assert copy.state() == ([2**40], [7])
    assert copy != message
    assert copy == Message.from_state([2**40], [7])


# ---- refusals

TABLE = Table([[0, 4, 16], [0, 1, 16]], 4)


@pytest.mark.parametrize(
    ("push", "error", "text"),
    [
        (
            lambda m: m.push(Categorical(TABLE), [0, 2, 3]),
            SymbolError,
            "2 at position 1",
        ),
        (
            lambda m: m.push(Categorical(TABLE), [[0], [-7]]),
            SymbolError,
            "-7 at position 1",
        ),
        (lambda m: m.push(Categorical(TABLE), [2**32]), SymbolError, f"{2**32} at"),
        (lambda m: m.push(Categorical(TABLE), [2**70]), SymbolError, "integers"),
        (lambda m: m.push(Categorical(TABLE), [0.0, 1.0]), SymbolError, "integers"),
        (lambda m: m.push(Categorical(TABLE), [True]), SymbolError, "integers"),
        (lambda m: m.push(Categorical(TABLE), ["a"]), SymbolError, "integers"),
        (lambda m: m.push(Categorical(TABLE, [0, 2]), [0, 0]), SymbolError, "row"),
        (lambda m: m.push(Categorical(TABLE, [0] * 3), [0, 0]), SymbolError, "shape"),
        (lambda m: m.push(Categorical(TABLE, [-1]), [0]), SymbolError, "row -1 at"),
        (lambda m: m.push(Categorical(TABLE, [0.0]), [0]), SymbolError, "integers"),
        (lambda m: m.pop(Categorical(TABLE, [0, 2]), 2), SymbolError, "row"),
        (lambda m: m.push(Categorical(TABLE), np.int8([0, -1])), SymbolError, "-1 at"),
        (
            lambda m: m.push(Categorical(TABLE), np.full(999, 2**32)),
            SymbolError,
            f"{2**32} at position 0 .* is not below 2",
        ),
        (
            lambda m: m.pop(Categorical(TABLE), 2, out=np.empty(3, int)),
            SymbolError,
            "shape",
        ),
        (lambda m: m.pop(Categorical(TABLE), out=np.empty(3)), SymbolError, "integers"),
        (lambda m: m.pop(Categorical(TABLE), out=b"123"), SymbolError, "writable"),
        (lambda m: m.pop(Uniform(257), out=bytearray(9)), SymbolError, "type"),
        (lambda m: m.pop(Uniform(129), out=np.empty(9, "b")), SymbolError, "type"),
        (lambda m: m.push(Bernoulli([1, 2], prec=1), [1, 1]), SymbolError, "one 2 at"),
        (lambda m: m.push(Bernoulli([1, 0], prec=4), [1, 1]), SymbolError, "one 0 at"),
        (
            lambda m: m.push(Bernoulli([1, 2], prec=4), [1, 2]),
            SymbolError,
            "2 at position 1",
        ),
        (lambda m: m.push(Bernoulli([1, 2], prec=4), [1]), SymbolError, "shape"),
        (lambda m: m.push(Bernoulli([1], prec=29), [1]), ModelError, "prec must"),
        (lambda m: m.pop(Bernoulli([16], prec=4)), SymbolError, "one 16 at"),
        (lambda m: m.push(Weighted([[0.5, 0.5]]), [2]), SymbolError, "2 at"),
        (lambda m: m.push(Weighted([[0.5, 0.5]] * 2), [1]), SymbolError, "do not fit"),
        (lambda m: m.push(Uniform(9), [0, 8, 9]), SymbolError, "9 at position 2"),
        (lambda m: m.push(Uniform(9), [-1]), SymbolError, "-1 at position 0"),
        (lambda m: m.push(Uniform(0), [0]), ModelError, "total"),
        (lambda m: m.push(Uniform(2**28 + 1), [0]), ModelError, "total"),
        (lambda m: m.push(Uniform(2**32 + 1), [0]), ModelError, "total"),
        (lambda m: m.push(Uniform(-1), [0]), ModelError, "total"),
        (lambda m: m.pop(Uniform(0), 1), ModelError, "total"),
        (lambda m: m.push(Weighted([[1, 2]] * 2), [0, 2]), SymbolError, "2 at .* 1"),
        (lambda m: m.push(Weighted([[1, 2]]), [-2]), SymbolError, "-2 at position 0"),
        (lambda m: m.push(Weighted([1, -2]), 0), SymbolError, "-2 at position 1"),
        (
            lambda m: m.push(Weighted([1, 0]), 1),
            SymbolError,
            "at position 0 cannot be coded: its weight is 0",
        ),
        (lambda m: m.push(Weighted([0, 0]), 0), ModelError, "total"),
        (lambda m: m.push(Weighted([2**28, 1]), 0), ModelError, "total"),
        (lambda m: m.push(Weighted([2**32 - 1, 2]), 0), ModelError, "total"),  # wraps
        (lambda m: m.push(Weighted([[1, 2]]), 0), SymbolError, "do not fit"),
        (lambda m: m.push(Weighted(1), 0), SymbolError, "weights"),
        (lambda m: m.pop(Weighted([0, 0])), ModelError, "total"),
        (lambda m: m.pop(Weighted([[1, 2], [2**28, 1]])), ModelError, "total"),
        (lambda m: m.pop(Weighted(1)), SymbolError, "weight"),
        (lambda m: m.push_interval(0, 0, 16), ModelError, "interval"),
        (lambda m: m.push_interval(1, 16, 16), ModelError, "interval"),
        (lambda m: m.push_interval(2**32 - 1, 2, 16), ModelError, "interval"),  # wraps
        (lambda m: m.push_interval([0, 0], [1, 1], 16), SymbolError, "lanes"),
        (lambda m: m.push_interval(0, 1, 0), ModelError, "total"),
        (lambda m: m.push_interval(0.0, 1, 16), SymbolError, "integers"),
        (lambda m: m.peek(2**28 + 1), ModelError, "total"),
        (lambda m: m.advance((m.peek(16) + 1) % 16, 1, 16), ModelError, "interval"),
    ],
)
def test_a_refused_call_names_its_cause_and_changes_nothing(push, error, text):
    state = [2**45 + 12345], [1, 2, 3]
    message = Message.from_state(*state)
    with pytest.raises(error, match=text):
        push(message)
    assert message.state() == state


@pytest.mark.parametrize("lanes", [2, 5])
def test_a_pop_that_runs_dry_changes_nothing(lanes):
    message = Message(lanes)
    message.push(Uniform(2**20), [7] * (2 * lanes))
    state = message.state()
    for pop in (
        lambda: message.pop(Uniform(2**20), 40),
        lambda: message.pop(Categorical(TABLE, [0, 1] * (20 * lanes)), 40 * lanes),
        lambda: message.pop(Weighted([[1, 0, 2]] * (60 * lanes))),
        lambda: [
            message.copy().pop(Uniform(2**28), lanes),
            message.pop(Uniform(8), 99),
        ],
    ):
        with pytest.raises(MessageError):
            pop()
        assert message.state() == state


@pytest.mark.parametrize(
    ("heads", "tail"),
    [
        ([], []),
        ([HIGH], []),
        ([2**64], []),
        ([-1], []),
        ([LOW - 1], [0]),  # small, over a tail
        ([LOW, LOW - 1], []),  # small, in one of two lanes
        ([1.0], []),
        ([[LOW]], []),
        (LOW, []),
        ([LOW], [2**32]),
        ([LOW], [-1]),
        ([LOW], [0.5]),
    ],
)
def test_states_that_are_no_message(heads, tail):
    with pytest.raises((MessageError, SymbolError)):
        Message.from_state(heads, tail)


@pytest.mark.parametrize("lanes", [0, -1, 2**24 + 1])
def test_lanes_out_of_range(lanes):
    with pytest.raises(MessageError):
        Message(lanes)


# ---- the range coder


def range_code(symbols, tables):
    """Code symbols, each under the edges at its place, with both coders."""
    ours, theirs = RangeEncoder(), ref.RangeEncoder()
    for symbol, edges in zip(symbols, tables, strict=True):
        ours.encode_interval(*ref.interval(edges, symbol), edges[-1])
        theirs.encode(*ref.interval(edges, symbol), edges[-1])
    message, integer = ours.finish(), theirs.finish()
    assert message.to_bytes() == ref.Message.from_int(integer).to_bytes()
    return integer


def range_decode(integer, tables):
    """Decode with both decoders, which must agree; None for damage."""
    message = Message.from_bytes(ref.Message.from_int(integer).to_bytes())
    symbols, damage = [], False
    try:
        theirs = ref.RangeDecoder(integer)
        for edges in tables:
            symbol, start, freq = ref.finder(edges)(theirs.slot(edges[-1]))
            theirs.advance(start, freq, edges[-1])
            symbols.append(symbol)
        theirs.check()
    except ref.Damage:
        damage = True
    try:
        ours = RangeDecoder(message)
        for symbol, edges in zip(symbols, tables, strict=False):
            found, start, freq = ref.finder(edges)(int(ours.peek(edges[-1])[0]))
            assert found == symbol
            ours.advance(start, freq, edges[-1])
        if len(symbols) < len(tables):
            ours.peek(tables[len(symbols)][-1])
        ours.check()
    except CorruptError:
        assert damage
    else:
        assert not damage
    return None if damage else symbols


@st.composite
def range_inputs(draw):
    edges = st.builds(
        lambda total, cuts: sorted({0, total, *(cut % total for cut in cuts)}),
        TOTAL,
        st.lists(st.integers(0, 2**28), max_size=3),
    )
    tables = draw(st.lists(edges, max_size=25))
    symbols = [draw(st.integers(0, len(edges) - 2)) for edges in tables]
    return symbols, tables


@EXACT
@given(range_inputs(), st.integers(0, 2**30))
def test_the_range_coder_equals_the_reference_and_decodes_one_integer(inputs, other):
    symbols, tables = inputs
    integer = range_code(symbols, tables)
    assert range_decode(integer, tables) == symbols
    neighbours = {integer - 1, integer + 1, 2 * integer, 2 * integer + 1}
    neighbours |= {integer // 2, integer << 64, 0, integer ^ other}
    for neighbour in neighbours - {integer}:
        assert range_decode(neighbour, tables) != symbols


def test_carries_run_through_many_bytes():
    tables = [[0, 1, 2**28 - 1, 2**28]] * 40
    for last in range(3):
        symbols = [1] + [2] * 38 + [last]
        assert range_decode(range_code(symbols, tables), tables) == symbols
    tables = [[0, 1, 2, 3]] * 500  # 1/3 + 1/9 + .. comes near 1/2
    for last in range(3):
        symbols = [1] * 499 + [last]
        assert range_decode(range_code(symbols, tables), tables) == symbols


def test_a_range_code_is_shorter_than_its_information_content_plus_2():
    integer = range_code([0] * 300, [[0, 3, 7, 2**20]] * 300)
    information = 300 * (20 - np.log2(3))
    assert integer.bit_length() <= information + 2
    assert range_code([0] * 300, [[0, 2**20]] * 300) == 1


@pytest.mark.parametrize(
    ("start", "freq", "total"),
    [(0, 0, 4), (4, 1, 4), (3, 2, 4), (0, 1, 0), (0, 1, 2**28 + 1), (2**32 - 1, 2, 4)],
)
def test_the_range_coder_refuses_intervals_and_stays_as_it_was(start, freq, total):
    encoder = RangeEncoder()
    encoder.encode_interval(3, 1, 4)
    with pytest.raises(ModelError):
        encoder.encode_interval(start, freq, total)
    message = encoder.finish()
    assert message.to_bytes() == b"\7"
    decoder = RangeDecoder(message)
    with pytest.raises(ModelError):
        decoder.advance(start, freq, total)
    with pytest.raises(ModelError):
        decoder.advance(0, 3, 4)  # valid, but not the slot's
    decoder.advance(3, 1, 4)
    decoder.check()


def test_a_spent_encoder_refuses():
    """The C library trusts its caller here; going on would write out of bounds."""
    encoder = RangeEncoder()
    encoder.finish()
    with pytest.raises(BbansError):
        encoder.finish()
    with pytest.raises(BbansError):
        encoder.encode_interval(0, 1, 2)


def test_a_decoder_reads_the_message_as_it_was():
    """What is pushed to the message later moves its words to another array."""
    encoder = RangeEncoder()
    for i in range(3000):
        encoder.encode_interval(i % 7, 1, 7)
    message = encoder.finish()
    decoder = RangeDecoder(message)
    message.push(Uniform(2**28), np.zeros(10**5, np.uint32))
    _junk = [np.full(500, 0xAAAAAAAA, np.uint32) for _ in range(2000)]
    for i in range(3000):
        assert decoder.peek(7) == i % 7
        decoder.advance(i % 7, 1, 7)
    decoder.check()


def test_the_range_decoder_needs_one_lane():
    with pytest.raises(MessageError):
        RangeDecoder(Message(2))


def test_a_second_thread_is_refused_while_c_codes():
    """The first has given up the GIL, and its arrays must not move."""
    table = Table.from_masses(np.ones(256))
    message = Message(lanes=8)
    symbols = np.zeros(20_000_000, np.uint8)
    refused = []

    def push_again():
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not refused:
            try:
                message.push(Categorical(table), symbols[:2000])
            except MessageError as error:
                refused.append(str(error))

    other = threading.Thread(target=push_again)
    other.start()
    for _ in range(20):
        try:
            message.push(Categorical(table), symbols)
        except MessageError as error:  # the other one was coding
            refused.append(str(error))
        if refused:
            break
    other.join()
    assert "in use by another thread" in refused[0]
    message.push(Categorical(table), [1, 2, 3])
    assert message.pop(Categorical(table), 3).tolist() == [1, 2, 3]


def test_a_message_that_grows_keeps_other_threads_out():
    """numpy gives up the GIL while it copies the words to a longer array."""
    table = Table.from_masses(np.ones(256))
    symbols = np.zeros(3_000_000, np.uint8)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for _ in range(4):
            message, pushed, done = Message(lanes=8), [0], threading.Event()

            def push_few(message=message, pushed=pushed, done=done):
                while not done.is_set():
                    with contextlib.suppress(MessageError):
                        message.push(Categorical(table), symbols[:2000])
                        pushed[0] += 2000

            other = threading.Thread(target=push_few)
            other.start()
            many = 0
            for _ in range(10):
                with contextlib.suppress(MessageError):
                    message.push(Categorical(table), symbols)
                    many += symbols.size
            done.set()
            other.join()
            assert not message.pop(Categorical(table), many + pushed[0]).any()
            assert message.state() == Message(lanes=8).state()
    finally:
        sys.setswitchinterval(interval)


@pytest.mark.parametrize("dtype", [np.uint32, np.int64, np.uint16])
def test_arrays_that_are_not_aligned_are_copied(dtype):
    def shifted(values, dtype):
        data = b"x" + np.array(values, dtype).tobytes()
        return np.frombuffer(data, dtype, offset=1)

    table = Table.from_masses(np.ones((3, 5)))
    x, rows = shifted([1, 4, 2], dtype), shifted([0, 2, 1], dtype)
    message = Message(2)
    before = message.state()
    message.push(Categorical(table, rows), x)
    assert message.pop(Categorical(table, rows), 3).tolist() == [1, 4, 2]
    message.push(Uniform(5), x)
    assert message.pop(Uniform(5), 3).tolist() == [1, 4, 2]
    weights = shifted([1, 2, 3, 4], dtype).reshape(2, 2)
    message.push(Weighted(weights), [1, 0])
    assert message.pop(Weighted(weights)).tolist() == [1, 0]
    ones = shifted([1, 100, 255], dtype)
    message.push(Bernoulli(ones, prec=8), [0, 1, 1])
    assert message.pop(Bernoulli(ones, prec=8)).tolist() == [0, 1, 1]
    for real in (np.float32, np.float64):
        p = shifted([0.5, 0.5, 0.25, 0.75], real).reshape(2, 2)
        message.push(Weighted(p), [1, 0])
        assert message.pop(Weighted(p)).tolist() == [1, 0]
    assert message.state() == before


def test_out_may_not_overlap_what_is_read():
    table = Table.from_masses(np.ones((2, 60000)), 16)
    message = Message.from_state([2**40] * 64, np.arange(5000))
    before = message.state()
    array = np.zeros(1001, np.uint32)
    for law, out in (
        (Categorical(table, array[1:], copy=False), array[:-1]),
        (Bernoulli(array, prec=10, copy=False), array),
        (Weighted(array.reshape(-1, 1), copy=False), array),
    ):
        with pytest.raises(SymbolError, match="out overlaps the parameters"):
            message.pop(law, out=out)
    assert message.state() == before


def test_a_message_without_its_init_is_refused():
    class Forgetful(Message):
        def __init__(self):
            pass

    table = Table.from_masses([1, 1])
    for use in (
        lambda m: m.push(Categorical(table), 1),
        lambda m: m.pop(Categorical(table)),
        lambda m: m.pop(Categorical(table), 2000),
        lambda m: m.push(Weighted(np.zeros((0, 5), np.uint32)), []),
        lambda m: m.pop(Bernoulli([1, 1], prec=3)),
        lambda m: m.pop(Uniform(4), 3),
    ):
        with pytest.raises(MessageError, match="__init__"):
            use(Forgetful())


def test_messages_copy_and_pickle():
    message = Message(3)
    message.push(Uniform(1000), np.arange(100))
    assert copy.copy(message) == copy.deepcopy(message) == message
    assert pickle.loads(pickle.dumps(message)) == message


def test_totals_and_precisions_are_integers():
    message = Message()
    for use in (
        lambda: message.push(Uniform(2.5), 1),
        lambda: message.pop(Uniform(2.5)),
        lambda: message.push(Bernoulli([1], prec=2.5), [1]),
    ):
        with pytest.raises(ModelError, match=r"must be an integer, .* not 2\.5"):
            use()
    with pytest.raises(SymbolError, match="real"):
        message.push(Weighted(np.array([0.5, 0.5j])), 0)


@pytest.mark.parametrize("lanes", [16, 48, 64, 256])
@pytest.mark.parametrize("n_symbols", [5, 16, 17, 250])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint32, np.int64])
def test_long_arrays_under_one_row_are_refused_whole(lanes, n_symbols, dtype, kernels):
    rng = np.random.default_rng(lanes + n_symbols)
    table = Table.from_masses(rng.dirichlet(np.ones(n_symbols)), 24)
    x = rng.integers(0, n_symbols, 9_001).astype(dtype)
    heads = rng.integers(2**31, 2**63, lanes, dtype=np.uint64)
    for at in (0, 40, 4095, 4096, 5000, 8999, 9000):
        message = Message.from_state(heads, [1, 2, 3])
        before = message.state()
        bad = x.copy()
        bad[at] = n_symbols
        with pytest.raises(SymbolError, match=f"{n_symbols} at position {at}"):
            message.push(Categorical(table), bad)
        assert message.state() == before
    expected = Message.from_state(heads, [1, 2, 3])
    for first in reversed(range(0, x.size, lanes)):  # short calls, other loops
        expected.push(Categorical(table), x[first : first + lanes])
    message.push(Categorical(table), x)
    assert message == expected
    assert (message.pop(Categorical(table), x.size) == x).all()
    assert message.state() == before
