"""Alphabets: symbols to indices and back, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import ALL_BYTES

from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import MAX_SYMBOLS, Alphabet

INTEGER_TYPES = ["i1", "u1", ">i2", "<u2", "i4", "u4", ">i8", "u8"]
INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.sets(st.characters(exclude_categories=[]), min_size=1), st.data())
def test_text_comes_back(characters, data):
    """Lone surrogates, code points above 2^16 and NUL included."""
    alphabet = Alphabet("".join(sorted(characters)))
    text = "".join(data.draw(st.lists(st.sampled_from(sorted(characters)))))
    indices = alphabet.encode(text)
    assert indices.dtype == np.int32
    assert indices.flags.c_contiguous
    assert indices.tolist() == [sorted(characters).index(c) for c in text]
    assert [chr(c) for c in alphabet.decode(indices)] == list(text)


@given(st.sets(INT64, min_size=1), st.lists(st.integers(-(2**63), 2**64 - 1)))
def test_integers_hit_their_own_index_and_no_other(values, others):
    known = sorted(values)
    alphabet = Alphabet(known)
    assert alphabet.encode(known).tolist() == list(range(len(known)))
    assert alphabet.decode(np.arange(len(known))).tolist() == known
    for value in [*others, *(v + 1 for v in known), *(v - 1 for v in known)]:
        dtype = np.uint64 if value >= 2**63 else np.int64
        if value < -(2**63):
            continue
        array = np.array([value], dtype=dtype)
        if value in values:
            assert alphabet.encode(array) == known.index(value)
        else:
            with pytest.raises(SymbolError, match=f"symbol {value} at position 0"):
                alphabet.encode(array)


def test_neighbours_that_are_one_float_stay_apart():
    alphabet = Alphabet([2**62, 2**62 + 1, 2**63 - 1])
    wide = np.array([2**63 - 1, 2**62 + 1, 2**62], dtype=np.uint64)
    assert alphabet.encode(wide).tolist() == [2, 1, 0]
    for value in (2**63, 2**64 - 1, 2**62 + 2):
        with pytest.raises(SymbolError, match=f"symbol {value} at position 1"):
            alphabet.encode(np.array([2**62, value], dtype=np.uint64))


@pytest.mark.parametrize("dtype", INTEGER_TYPES)
@pytest.mark.parametrize("alphabet", [Alphabet(60000), Alphabet([0, 5, 100, 70000])])
def test_every_integer_type_and_shape(alphabet, dtype):
    array = np.array([[0, 5, 100], [5, 5, 0]], dtype=dtype)
    expected = alphabet.encode([0, 5, 100, 5, 5, 0])
    assert alphabet.encode(array).tolist() == expected.tolist()
    assert alphabet.encode(np.asfortranarray(array)).tolist() == expected.tolist()
    assert alphabet.encode(array[::-1, ::-1]).tolist() == expected[::-1].tolist()
    assert alphabet.encode(memoryview(array)).tolist() == expected.tolist()


@pytest.mark.parametrize("dtype", INTEGER_TYPES)
@pytest.mark.parametrize("size", [1, 100, 65536])
def test_indices_out_of_range_are_named(size, dtype):
    info = np.iinfo(dtype)
    for bad in (info.min, -1, size, info.max):
        if info.min <= bad <= info.max and not 0 <= bad < size:
            with pytest.raises(SymbolError, match=f"symbol {bad} at position 2 "):
                Alphabet(size).encode(np.array([0, 0, bad, bad], dtype=dtype))


def test_first_bad_symbol_is_named():
    with pytest.raises(SymbolError) as error:
        Alphabet("abc").encode("abcé\u2019")
    assert str(error.value) == (
        "symbol 'é' (U+00E9) at position 3 is not in the model's alphabet "
        "of 3 characters"
    )
    with pytest.raises(SymbolError) as error:
        Alphabet(7).encode([-3, 9])
    assert str(error.value) == (
        "symbol -3 at position 0 is not in the model's alphabet of 7 symbols"
    )
    beyond = np.array([6, 2**63, 4], dtype=np.uint64)
    with pytest.raises(SymbolError, match="symbol 6 at position 0"):
        Alphabet([4, 5]).encode(beyond)


def test_bytes_and_text():
    every = bytes(range(256))
    for data in (every, bytearray(every), memoryview(every), memoryview(every)[::-1]):
        for alphabet in (Alphabet(256), ALL_BYTES):
            assert alphabet.encode(data).tolist() == list(data)
    assert bytes(ALL_BYTES.encode("é—").tolist()).decode() == "é—"
    assert ALL_BYTES.decode([65, 255]).tobytes() == b"A\xff"
    assert Alphabet(b"\n\xff").decode([1, 0]).tobytes() == b"\xff\n"
    assert Alphabet([10, 97]).encode(b"a\n").tolist() == [1, 0]
    with pytest.raises(SymbolError, match="symbol 98 at position 1"):
        Alphabet(98).encode(b"ab")
    with pytest.raises(SymbolError, match="cannot code bytes"):
        Alphabet("ab").encode(b"ab")
    with pytest.raises(SymbolError, match="cannot code bytes"):
        Alphabet("ab").encode(memoryview(b"ab"))
    for alphabet in (Alphabet(256), Alphabet([97, 98])):
        with pytest.raises(SymbolError, match="str"):
            alphabet.encode("ab")
    with pytest.raises(SymbolError, match=r"U\+D800\) at position 1 has no UTF-8"):
        ALL_BYTES.encode("a\ud800")


@pytest.mark.parametrize("alphabet", [Alphabet(3), Alphabet([1, 2]), Alphabet("\1\2")])
def test_other_types_are_refused(alphabet):
    for data in (
        np.array([1.0]),
        np.zeros(0),
        [1.0, 2],
        [True, False],
        [2**64],
        [2**63, -1],
        [None],
        ["a"],
        [[1], [1, 2]],
        None,
        1j,
    ):
        with pytest.raises(SymbolError):
            alphabet.encode(data)
        with pytest.raises(SymbolError):
            alphabet.decode(data)
    for bad in ([-1], [alphabet.size], np.array([2**64 - 1], dtype=np.uint64)):
        with pytest.raises(SymbolError):
            alphabet.decode(bad)


@pytest.mark.parametrize("alphabet", [ALL_BYTES, Alphabet([1, 2]), Alphabet("ab")])
def test_nothing_is_nothing(alphabet):
    empties = [[], np.zeros((0, 3), dtype=np.int16)]
    empties += ["" if alphabet.kind == "text" else b""]
    for data in empties:
        assert alphabet.encode(data).shape == (0,)
    assert alphabet.decode([]).shape == (0,)


@pytest.mark.parametrize(
    "symbols",
    [
        "",
        "ba",
        "aab",
        [],
        [2, 1],
        [1, 1],
        [[1, 2]],
        [0.5],
        [0, 2**63],
        0,
        -1,
        MAX_SYMBOLS + 1,
        np.arange(MAX_SYMBOLS + 1),
        True,
        None,
    ],
)
def test_what_is_no_alphabet(symbols):
    with pytest.raises(ModelError):
        Alphabet(symbols)


def test_equality_and_immutability():
    ways = [Alphabet(2), Alphabet([0, 1]), Alphabet("\0\1"), Alphabet("\0\2")]
    assert len(set(ways)) == 4
    assert Alphabet(np.array([0, 1], dtype=np.uint8)) == ways[1]
    assert ways[0] != 2
    with pytest.raises(ValueError, match="read-only"):
        ways[1].values[0] = 5
    values = np.array([3, 4])
    alphabet = Alphabet(values)
    values[0] = 9
    assert alphabet.values.tolist() == [3, 4]


def test_repr_is_short():
    assert repr(Alphabet(7)) == "Alphabet(7)"
    assert repr(Alphabet("\nab")) == r"Alphabet('\nab')"
    assert repr(Alphabet([-1, 4])) == "Alphabet([-1, 4])"
    assert repr(ALL_BYTES) == "Alphabet(256, kind='bytes')"
    assert repr(Alphabet(b"\0a")) == r"Alphabet(b'\x00a')"
    assert len(repr(Alphabet(range(5000)))) < 80
    assert len(repr(Alphabet("".join(map(chr, range(5000)))))) < 80


@given(
    st.sets(st.integers(-40, 40), min_size=1),
    st.lists(st.integers(-60, 60), min_size=100, max_size=300),
)
def test_many_symbols_of_a_narrow_alphabet(values, others):
    """They go through a table; few or far ones do not."""
    known = sorted(values)
    alphabet = Alphabet(known)
    inside = [v for v in others if v in values] * 100
    assert alphabet.encode(np.array(inside, np.int16)).tolist() == [
        known.index(v) for v in inside
    ]
    strangers = [v for v in others if v not in values]
    for stranger in [*strangers[:3], 2**62, -(2**63)]:
        array = np.array([known[0]] * 200 + [stranger] + [known[0]] * 20)
        with pytest.raises(SymbolError, match=rf"symbol {stranger} at position 200 "):
            alphabet.encode(array)


def test_kinds():
    kinds = {"integers": Alphabet(7), "bytes": ALL_BYTES, "text": Alphabet("ab")}
    for kind, alphabet in kinds.items():
        assert alphabet.kind == kind
    assert Alphabet([1, 97], kind="bytes") == Alphabet(b"\1a") != Alphabet([1, 97])
    assert Alphabet(7, kind="bytes") != Alphabet(7)
    assert (Alphabet("ab", kind="text"), Alphabet(7, kind="integers")) == (
        Alphabet("ab"),
        Alphabet(7),
    )
    for symbols in (257, [-1, 0], [0, 256], [0, 300, 5], range(1000)):
        with pytest.raises(ModelError, match="alphabet of bytes is of 0 to 255, not"):
            Alphabet(symbols, kind="bytes")
    for symbols, kind in (("ab", "bytes"), (7, "text"), (b"ab", "integers")):
        with pytest.raises(ModelError, match=f"not '{kind}'"):
            Alphabet(symbols, kind=kind)
    with pytest.raises(ModelError, match="kind must be one of integers, bytes, text"):
        Alphabet(7, kind="words")
