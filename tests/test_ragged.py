"""Ragged tables: the definition in plain integers gives the same words, every value
comes back, and what has no code is named."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import random_message

from bbans import Message, ModelError, SymbolError
from bbans.distributions import Categorical, Ragged, RaggedTable, Table, quantise
from bbans.errors import MessageError
from bbans.message import RangeDecoder, RangeEncoder

LEAST, MOST = ref.ALL
VECTORS = Path(__file__).parent / "vectors" / "ragged_v1.json"
CASES = json.loads(VECTORS.read_text())["cases"]
MASSES = [[1.0, 6.0, 1.0, 0.1], [5.0], [1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 0.1]]
TABLE = RaggedTable.from_masses(MASSES, 12, offsets=[-1, 7, -2])
ESCAPES = RaggedTable.from_masses(MASSES, 12, offsets=[-1, 7, -2], escape=True)


def table_of(case):
    return RaggedTable(
        case["rows"], case["prec"], offsets=case["offsets"], escape=case["escape"]
    )


def test_the_vectors_are_whole():
    assert len(CASES) == 48
    assert {len(case["values"]) for case in CASES} == {0, 1, 9, 150}


@pytest.mark.parametrize("case", CASES)
def test_stored_vectors(case):
    values = np.array(case["values"], np.int64)
    law = Ragged(table_of(case), np.array(case["indexes"], np.uint8))
    message = Message(case["lanes"])
    message.push(law, values)
    assert message.to_bytes().hex() == case["message"]
    assert message.pop(law).tolist() == case["values"]
    assert message.is_empty
    encoder, integer = RangeEncoder(), int(case["integer"], 16)
    encoder.encode(law, values)
    data = integer.to_bytes((integer.bit_length() + 7) // 8, "little")
    assert encoder.finish().to_bytes() == data
    decoder = RangeDecoder(Message.from_bytes(data))
    assert decoder.decode(law).tolist() == case["values"]
    decoder.check()


EDGES = st.lists(st.integers(1, 2**11 - 1), max_size=30, unique=True).map(
    lambda edges: [0, *sorted(edges), 2**11]
)
ANY = st.one_of(
    st.integers(LEAST, MOST), st.integers(-300, 300), st.sampled_from([LEAST, MOST])
)


@given(
    st.lists(EDGES, min_size=1, max_size=4), st.lists(st.integers(-99, 99), min_size=4),
    st.lists(ANY, max_size=70), st.sampled_from([1, 3, 64]), st.data(),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_every_integer_is_coded_as_the_reference_does(
    rows, offsets, values, lanes, data
):
    offsets = offsets[: len(rows)]
    table = RaggedTable(rows, 11, offsets=offsets, escape=True)
    draw = st.integers(0, len(rows) - 1)
    which = [data.draw(draw) for _ in values]
    law = Ragged(table, np.array(which, np.int64))
    message, twin = Message(lanes), ref.Message(lanes)
    message.push(law, np.array(values, np.int64))
    listed = [
        ref.ragged(rows[i], offsets[i], 1, v)
        for i, v in zip(which, values, strict=True)
    ]
    ref.push_each(twin, listed)
    assert message.state() == (twin.heads, twin.tail)
    assert message.pop(law).tolist() == values
    assert message.is_empty


@given(
    st.sampled_from([1, 3, 64]), st.integers(0, 999), st.integers(0, 40),
    st.lists(st.integers(0, 2), max_size=200),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_pop_then_push_restores_any_message(lanes, seed, words, rows):
    message = random_message(lanes, seed, words)
    law, before = Ragged(TABLE, np.array(rows, np.int64)), message.copy()
    try:
        values = message.pop(law)
    except MessageError:  # dry
        assert lanes > 1
    else:
        message.push(law, values)
    assert message == before


def test_rows_of_one_length_are_a_table():
    cdf = Table.from_masses(np.random.default_rng(0).random((5, 9)), 14).cdf
    rows, x = np.arange(400) % 5, np.arange(400) % 9
    one, other = Message(64), Message(64)
    one.push(Categorical(Table(cdf, 14), rows), x)
    other.push(Ragged(RaggedTable(cdf, 14), rows), x)
    assert one == other


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint32])
@pytest.mark.parametrize("lanes", [1, 5, 64])
def test_values_of_any_type(dtype, lanes):
    rows = np.arange(500) % 3
    x = np.array([[0, 7, 1], [2, 9, 100], [1, 7, 3]] * 60).ravel()[:500].astype(dtype)
    message, law = Message(lanes), Ragged(ESCAPES, rows, dtype=np.int32)
    message.push(law, x)
    out = np.zeros(500, dtype)
    assert message.copy().pop(law).dtype == np.int32
    assert (message.pop(law, out=out) == x).all()
    assert message.is_empty


def test_what_a_type_does_not_hold_is_refused_and_nothing_changes():
    for lanes in (1, 64):
        message, law = Message(lanes), Ragged(ESCAPES, np.zeros(300, np.int64))
        message.push(law, [0] * 299 + [40000])
        before = message.copy()
        with pytest.raises(SymbolError, match="too narrow"):
            message.pop(law, out=np.zeros(300, np.int16))
        assert message == before


@pytest.mark.parametrize("offset", [0, LEAST, LEAST + 1, LEAST + 1000, MOST - 4, 99])
@pytest.mark.parametrize("lanes", [1, 8])
def test_any_message_is_one_of_escapes(offset, lanes):
    """Whatever follows an escape is a value of 64 bits, as bits back needs."""
    law = Ragged(RaggedTable([[0, 3, 16]], 4, offsets=offset, escape=True))
    seen = []
    for seed in range(60):
        message = random_message(lanes, seed)
        before = message.copy()
        values = message.pop(law, 80)
        message.push(law, values)
        assert message == before
        seen += values.tolist()
    assert len({*seen}) > 100
    assert min(seen) < LEAST + 2**62 or offset == MOST - 4
    assert max(seen) > MOST - 2**62 or offset < LEAST + 2000


@pytest.mark.parametrize(("value", "row", "text"), [
    (2, 0, "row 0 holds -1 to 2"), (3, 0, "row 0 holds -1 to 2; a table with escape"),
    (6, 1, "row 1 holds 7 to 7"), (LEAST, 2, "row 2 holds -2 to 4"),
])  # fmt: skip
def test_values_outside_are_named(value, row, text):
    for lanes in (1, 64):
        message, law = Message(lanes), Ragged(TABLE, [row, 1])
        if value == 2:
            message.push(law, [value, 7])
            continue
        with pytest.raises(SymbolError, match=f"value {value} at position 0.*{text}"):
            message.push(law, [value, 7])
        assert message.is_empty


def test_masses_are_those_that_are_coded():
    values = [-(10**6), -3, -1, 0, 1, 2, 10**15]
    for table in (TABLE, ESCAPES):
        law = Ragged(table)
        mantissa, exponent = law.masses(values)
        for v, m, e in zip(values, mantissa.tolist(), exponent.tolist(), strict=True):
            listed = ref.ragged(table.row(0).tolist(), -1, table.escape, v)
            mass = math.prod(f / t for _, f, t in listed) if listed else 0
            assert m * 2.0**e == pytest.approx(mass, rel=1e-9)


def test_an_escape_takes_4_to_71_bits():
    law, bits = Ragged(ESCAPES), {}
    escape = math.log2(4096 / int(np.diff(ESCAPES.row(0))[-1]))
    for v in [2, 3, 9, 100, 10**4, 10**9, MOST, LEAST]:
        mantissa, exponent = law.masses([v])
        bits[v] = -math.log2(int(mantissa[0])) - int(exponent[0]) - escape
    assert bits[2] == pytest.approx(math.log2(512 / 40))  # about 4
    assert bits[100] == pytest.approx(6 + 6)
    assert max(bits.values()) <= 71 + 1e-6
    assert list(bits.values()) == sorted(bits.values())


def test_modes():
    assert Ragged(TABLE, [0, 1, 2]).mode().tolist() == [0, 7, 1]
    assert Ragged(ESCAPES, [0, 1, 2]).mode().tolist() == [0, 7, 1]
    assert Ragged(TABLE).mode() == 0


def test_padded_rows():
    padded = np.full((3, 9), 77, np.int32)
    for row, edges in zip(padded, map(TABLE.row, range(3)), strict=True):
        row[: edges.size] = edges
    sizes = TABLE.n_symbols + 1
    same = RaggedTable.from_padded(padded, sizes, 12, offsets=TABLE.offsets)
    assert repr(same) == repr(TABLE) == "<RaggedTable of 3 x 1 to 7, 12 bits>"
    assert all((same.row(i) == TABLE.row(i)).all() for i in range(3))
    for bad, text in [
        ((padded, [5, 1, 8]), "size 1 of row 1 is not 2 to 9"),
        ((padded, [5, 2, 10]), "size 10 of row 2"),
        ((padded, [5, 2]), r"not \(3, 9\) and \(2,\)"),
        ((padded[0], [5]), "shape"),
    ]:
        with pytest.raises(ModelError, match=text):
            RaggedTable.from_padded(*bad, 12)


@pytest.mark.parametrize(("make", "error", "text"), [
    (lambda: RaggedTable([], 4), ModelError, "a row or more"),
    (lambda: RaggedTable(3, 4), ModelError, "cdfs must be a sequence"),
    (lambda: RaggedTable([[0, 16], [16]], 4), ModelError, "row 1 of cdfs must be two"),
    (lambda: RaggedTable([[0, 16], [0, 5]], 4), ModelError, "row 1.*0 to 5, not"),
    (lambda: RaggedTable([[0, 3, 3, 16]], 4), ModelError, "not rise from edge 1 to 2"),
    (lambda: RaggedTable([[0, 3, 2, 16]], 4), ModelError, "not rise from edge 1 to 2"),
    (lambda: RaggedTable([[0, 16]], 29), ModelError, "precision"),
    (lambda: RaggedTable([[0, 1.5, 16]], 4), SymbolError, "edges must be integers"),
    (lambda: RaggedTable([[0, -1, 16]], 4), SymbolError, "edge -1"),
    (lambda: RaggedTable([[0, 16]], 4, escape=2), ModelError, "escape must be"),
    (lambda: RaggedTable([[0, 16]], 4, offsets=0.5), SymbolError, "offsets must be"),
    (lambda: RaggedTable([[0, 16]], 4, offsets=[1, 2]), ModelError, "one integer or 1"),
    (lambda: RaggedTable([[0, 16]], 4, offsets=MOST), ModelError, "offset .* of row 0"),
    (lambda: RaggedTable([[0, 16]], 4, offsets=2**63), ModelError, "offset .* row 0"),
    (
        lambda: RaggedTable([[0, 16]], 4, offsets=LEAST, escape=True),
        ModelError,
        "row 0, which is an escape alone",
    ),
    (lambda: RaggedTable.from_masses([[1, -1]]), ModelError, "masses"),
    (lambda: Ragged([[0, 16]]), ModelError, "table must be a RaggedTable"),
    (lambda: Ragged(TABLE, 3), SymbolError, "row 3 is not 0 to 2"),
    (lambda: Ragged(TABLE, [0, -1]), SymbolError, "row -1 at position 1"),
    (lambda: Ragged(TABLE, [0.0]), SymbolError, "rows must be integers"),
    (lambda: Ragged(TABLE, [0, 1], 3), SymbolError, "do not fit"),
    (lambda: Ragged(TABLE, dtype=np.float32), ModelError, "dtype"),
])  # fmt: skip
def test_mistakes_are_named(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_the_first_offset_of_an_escape_alone():
    law = Ragged(RaggedTable([[0, 16]], 4, offsets=LEAST + 1, escape=True), [0] * 4)
    message = Message()
    message.push(law, [LEAST, LEAST + 1, MOST, 0])
    assert message.pop(law).tolist() == [LEAST, LEAST + 1, MOST, 0]
    alone = Ragged(RaggedTable([[0, 16]], 4, offsets=LEAST))
    message.push(alone, [LEAST])
    assert message.pop(alone, 1).tolist() == [LEAST]


def test_the_first_and_the_last_offsets():
    for offset, inside in [(LEAST, LEAST), (MOST - 4, MOST - 2)]:
        law = Ragged(RaggedTable([[0, 3, 9, 12, 16]], 4, offsets=offset, escape=True))
        for v in [inside, LEAST, MOST, 0]:
            message = Message()
            message.push(law, v)
            assert message.pop(law) == v


def test_a_table_cannot_be_changed():
    for array in (TABLE.row(0), TABLE.offsets, TABLE.n_symbols):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    edges = [np.array([0, 5, 16]), np.array([0, 16])]
    table = RaggedTable(edges, 4)
    edges[0][1] = 6
    assert table.row(0).tolist() == [0, 5, 16]


def test_slots_are_apportioned_as_in_a_table():
    for i, masses in enumerate(MASSES):
        assert (np.diff(TABLE.row(i)) == quantise(masses, 12)).all()
