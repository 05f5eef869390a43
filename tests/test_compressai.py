"""The classes of compressai.ans: the same symbols from the same arguments, streams of
their own."""

import importlib
import random
import sys
import zlib

import numpy as np
import pytest

import bbans.compressai
from bbans import CorruptError, Message, ModelError, SymbolError
from bbans.compressai import BufferedRansEncoder, RansDecoder, RansEncoder, Tables
from bbans.distributions import Ragged, quantise
from bbans.errors import FormatError, MessageError, TruncatedError

rng = np.random.default_rng(5)


def make_tables(n=12):
    """What an entropy model has: Laplacians of many scales, padded to one width."""
    cdfs, sizes, offsets = [], [], []
    for scale in np.geomspace(0.2, 12, n):
        half = int(np.ceil(scale * 5)) + 1
        masses = np.exp(-np.abs(np.arange(-half, half + 1)) / scale)
        masses = np.append(masses / masses.sum(), 1e-4)
        cdfs.append([0, *np.cumsum(quantise(masses, 16)).tolist()])
        sizes.append(len(cdfs[-1]))
        offsets.append(-half)
    width = max(sizes)
    return [cdf + [0] * (width - len(cdf)) for cdf in cdfs], sizes, offsets


LISTS = CDFS, SIZES, OFFSETS = make_tables()
ARRAYS = (
    np.array(CDFS, np.int32),
    np.array(SIZES, np.int32),
    np.array(OFFSETS, np.int32),
)
TABLES = Tables(*LISTS)


def make_symbols(n, escapes):
    indexes = rng.integers(0, len(SIZES), n)
    symbols = np.rint(rng.laplace(0, np.geomspace(0.2, 12, len(SIZES))[indexes]))
    far = rng.random(n) < escapes
    symbols[far] += rng.integers(-(10**5), 10**5, int(far.sum()))
    if n > 5 and escapes:
        symbols[:2] = -(2**31), 2**31 - 1
    return symbols.astype(np.int64).tolist(), indexes.tolist()


SIZES_OF_STREAMS = [0, 1, 2, 500, 20_000, 70_000]  # of 1, 16 and 64 lanes


@pytest.mark.parametrize("n", SIZES_OF_STREAMS)
@pytest.mark.parametrize("escapes", [0, 0.01, 0.1])
def test_symbols_come_back(n, escapes):
    symbols, indexes = make_symbols(n, escapes)
    stream = RansEncoder().encode_with_indexes(symbols, indexes, *LISTS)
    assert type(stream) is bytes
    back = RansDecoder().decode_with_indexes(stream, indexes, *LISTS)
    assert type(back) is list
    assert {*map(type, back)} <= {int}
    assert back == symbols
    arrays = np.array(symbols, np.int32), np.array(indexes, np.int32)
    for tables in (LISTS, ARRAYS, (TABLES,)):
        assert RansEncoder().encode_with_indexes(*arrays, *tables) == stream
        found = RansDecoder().decode_with_indexes(stream, arrays[1], *tables)
        assert found.dtype == np.int32
        assert found.tolist() == symbols


@pytest.mark.parametrize("n", [500, 20_000, 70_000])
def test_calls_may_be_others_than_the_encoders(n):
    """As an autoregressive model decodes what it encoded at once."""
    symbols, indexes = make_symbols(n, 0.05)
    whole = RansEncoder().encode_with_indexes(symbols, indexes, *LISTS)
    encoder, at = BufferedRansEncoder(), 0
    cuts = random.Random(n)
    while at < n:
        end = at + cuts.choice([0, 1, 7, 300, 5000])
        encoder.encode_with_indexes(symbols[at:end], indexes[at:end], *LISTS)
        at = min(end, n)
    assert repr(encoder) == f"<BufferedRansEncoder: {n} symbols so far>"
    assert encoder.flush() == whole
    assert encoder.flush() == BufferedRansEncoder().flush()  # nothing is left
    decoder, at = RansDecoder(), 0
    decoder.set_stream(whole)
    while at < n:
        end = min(at + cuts.choice([0, 1, 64, 65, 3000]), n)
        assert decoder.decode_stream(indexes[at:end], TABLES) == symbols[at:end]
        at = end
    decoder.check_end()


def test_tables_may_change_between_calls():
    others = make_tables(4)
    symbols, indexes = make_symbols(70_000, 0.01)
    encoder = BufferedRansEncoder()
    parts = [(0, 999, LISTS), (999, 40_000, others), (40_000, 70_000, (TABLES,))]
    for start, end, tables in parts:
        rows = [i % 4 for i in indexes[start:end]]
        encoder.encode_with_indexes(symbols[start:end], rows, *tables)
    decoder = RansDecoder()
    decoder.set_stream(encoder.flush())
    for start, end, tables in parts:
        rows = [i % 4 for i in indexes[start:end]]
        assert decoder.decode_stream(rows, *tables) == symbols[start:end]
    decoder.check_end()


def test_what_was_given_may_change_before_the_flush():
    encoder, symbols, indexes = BufferedRansEncoder(), np.arange(5), np.zeros(5, int)
    encoder.encode_with_indexes(symbols, indexes, TABLES)
    symbols[:] = 9
    indexes[:] = 1
    stream = encoder.flush()
    assert RansDecoder().decode_with_indexes(stream, [0] * 5, TABLES) == [0, 1, 2, 3, 4]


def test_a_stream_is_as_its_format_says():
    symbols, indexes = make_symbols(20_000, 0.01)
    stream = RansEncoder().encode_with_indexes(symbols, indexes, TABLES)
    assert stream[0] == 4
    assert stream[1:5] == zlib.crc32(stream[5:], 4).to_bytes(4, "little")
    message = Message.from_bytes(stream[5:], lanes=16)
    assert message.pop(Ragged(TABLES.table, indexes)).tolist() == symbols
    assert message.is_empty


def test_sizes():
    """What is more than the information content: 6 bytes, and 6 a lane of many."""
    for n, lanes in [(0, 1), (16_383, 1), (16_384, 16), (65_535, 16), (65_536, 64)]:
        symbols, indexes = make_symbols(n, 0)
        stream = RansEncoder().encode_with_indexes(symbols, indexes, TABLES)
        assert 1 << stream[0] == lanes
        mantissa, exponent = Ragged(TABLES.table, indexes).masses(
            np.array(symbols, np.int64)
        )
        bits = -(np.log2(mantissa) + exponent).sum()
        assert len(stream) <= 1.001 * bits / 8 + 7 + 6 * lanes * (lanes > 1)


@pytest.mark.parametrize("n", [40, 20_000])
def test_damage_is_an_error(n):
    symbols, indexes = make_symbols(n, 0.01)
    stream = RansEncoder().encode_with_indexes(symbols, indexes, TABLES)
    for _ in range(300):
        at = int(rng.integers(0, 8 * len(stream)))
        bad = bytearray(stream)
        bad[at // 8] ^= 1 << at % 8
        with pytest.raises((CorruptError, FormatError)):
            RansDecoder().set_stream(bytes(bad))
    for cut in [0, 1, 4, 5, 20, len(stream) - 1]:
        with pytest.raises((CorruptError, TruncatedError)):
            RansDecoder().set_stream(stream[:cut])
    with pytest.raises(FormatError, match="not those of compressai"):
        RansDecoder().set_stream(b"\x91" + stream)
    with pytest.raises(TypeError, match="encoded must be bytes"):
        RansDecoder().set_stream("text")


def test_other_tables_and_indexes_are_an_error():
    symbols, indexes = make_symbols(5000, 0.01)
    stream = RansEncoder().encode_with_indexes(symbols, indexes, TABLES)
    other = [(i + 1) % len(SIZES) for i in indexes]
    for rows, tables in [
        (other, LISTS), (indexes[:-1], LISTS), (indexes[1:], LISTS),
        (indexes, (CDFS[::-1], SIZES[::-1], OFFSETS)),
    ]:  # fmt: skip
        with pytest.raises(CorruptError, match="indexes or tables"):
            RansDecoder().decode_with_indexes(stream, rows, *tables)
    decoder = RansDecoder()
    decoder.set_stream(stream)
    decoder.decode_stream(indexes[:9], TABLES)
    with pytest.raises(CorruptError, match="does not end here"):
        decoder.check_end()


def changed(which, value):
    tables = [list(map(list, CDFS)), list(SIZES), list(OFFSETS)]
    tables[which] = value
    return tables


@pytest.mark.parametrize(("call", "error", "text"), [
    (lambda e: e([1, 2], [0], *LISTS), SymbolError, "for each of 2 symbols, not 1"),
    (lambda e: e([1.5], [0], *LISTS), SymbolError, "symbol 1.5 at position 0 is no"),
    (lambda e: e([2**31], [0], *LISTS), SymbolError, "2147483648 .* beyond 32 bits"),
    (lambda e: e([2**64], [0], *LISTS), SymbolError, "beyond 64 bits"),
    (lambda e: e(np.array([0, -(2**40)]), [0, 1], TABLES), SymbolError, "position 1"),
    (lambda e: e([1], [99], *LISTS), SymbolError, "row 99 at position 0"),
    (lambda e: e([1], [-1], *LISTS), SymbolError, "row -1 at position 0"),
    (lambda e: e(["a"], [0], *LISTS), SymbolError, "'a' at position 0 is no integer"),
    (lambda e: e([1], [0], CDFS), ModelError, "cdfs_sizes and offsets are missing"),
    (lambda e: e([1], [0], CDFS, SIZES[1:], OFFSETS), SymbolError, "as many sizes"),
    (lambda e: e([1], [0], *changed(1, [1, *SIZES[1:]])), ModelError, "row 0 has 1"),
    (lambda e: e([1], [0], *changed(1, [999, *SIZES[1:]])), SymbolError, "999 or more"),
    (lambda e: e([1], [0], *changed(2, [0])), ModelError, "one integer or 12"),
    (lambda e: e([1], [0], [[0, 65535]], [2], [0]), ModelError, "0 to 65535"),
    (lambda e: e([1], [0], [[0, 9, 9, 65536]], [4], [0]), ModelError, "edge 1 to 2"),
    (lambda e: e([1], [0], [[0, -1, 65536]], [3], [0]), SymbolError, "edge -1"),
    (lambda e: e([1], [0], [], [], []), ModelError, "there is no row"),
    (lambda e: e([1], [0], ARRAYS[0][0], [3], [0]), ModelError, "shape"),
    (lambda e: e([1], [0], ARRAYS[0] * 1.0, SIZES, OFFSETS), SymbolError, "cdfs must"),
    (lambda e: e([1], [0], ARRAYS[0], [999] * 12, OFFSETS), ModelError, "999 of row 0"),
])  # fmt: skip
def test_mistakes_are_named(call, error, text):
    with pytest.raises(error, match=text):
        call(RansEncoder().encode_with_indexes)
    with pytest.raises(error, match=text):
        call(BufferedRansEncoder().encode_with_indexes)


def test_the_decoders_mistakes_are_named():
    decoder = RansDecoder()
    with pytest.raises(MessageError, match="set_stream"):
        decoder.decode_stream([0], TABLES)
    decoder.set_stream(RansEncoder().encode_with_indexes([3, 4], [1, 1], TABLES))
    with pytest.raises(SymbolError, match="row 99 at position 1"):
        decoder.decode_stream([1, 99], TABLES)
    assert decoder.decode_stream([1, 1], TABLES) == [3, 4]  # nothing was lost


def test_tables_are_found_again_by_content():
    cache = bbans.compressai._cache
    cache.clear()
    symbols, indexes = make_symbols(10, 0)
    for tables in (LISTS, [list(part) for part in LISTS], ARRAYS):
        RansEncoder().encode_with_indexes(symbols, indexes, *tables)
        assert len(cache) == 1
    mine = changed(2, list(OFFSETS))
    first = RansEncoder().encode_with_indexes(symbols, indexes, *mine)
    mine[0][0][1] += 1  # the same lists with another content
    mine[2][0] -= 1
    assert RansEncoder().encode_with_indexes([-2] * 4, [0] * 4, *mine) != (
        RansEncoder().encode_with_indexes([-2] * 4, [0] * 4, *LISTS)
    )
    assert RansDecoder().decode_with_indexes(first, indexes, *LISTS) == symbols
    for k in range(40):  # as many as are kept
        RansEncoder().encode_with_indexes(
            symbols, indexes, CDFS, SIZES, [offset - k for offset in OFFSETS]
        )
    assert len(cache) == bbans.compressai._CACHED


class EntropyModel:
    """What compressai.entropy_models.EntropyModel has after its update()."""

    quantized_cdf, cdf_length, offset = ARRAYS


def test_tables_of_an_entropy_model():
    tables = Tables.of(EntropyModel())
    symbols, indexes = make_symbols(900, 0.01)
    stream = RansEncoder().encode_with_indexes(symbols, indexes, tables)
    assert stream == RansEncoder().encode_with_indexes(symbols, indexes, *LISTS)
    assert repr(tables) == "Tables(<RaggedTable of 12 x 6 to 124, 16 bits, escape>)"


PACKAGE = {
    "__init__": "",
    "entropy": "from compressai import ans\nencoder = ans.RansEncoder()\n",
    "models": "from compressai.ans import BufferedRansEncoder, RansDecoder\n",
}


def test_it_takes_the_place_of_the_module(tmp_path, monkeypatch):
    (tmp_path / "compressai").mkdir()
    for name, text in PACKAGE.items():
        (tmp_path / "compressai" / f"{name}.py").write_text(text)
    for name in [name for name in sys.modules if name.split(".")[0] == "compressai"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "compressai.ans", bbans.compressai)
    entropy = importlib.import_module("compressai.entropy")
    models = importlib.import_module("compressai.models")
    assert type(entropy.encoder) is RansEncoder
    assert models.RansDecoder is RansDecoder
    for name in [name for name in sys.modules if name.split(".")[0] == "compressai"]:
        monkeypatch.delitem(sys.modules, name)


def test_symbols_are_those_of_compressai():
    theirs = pytest.importorskip("compressai.ans")
    symbols, indexes = make_symbols(3000, 0.05)
    stream = theirs.RansEncoder().encode_with_indexes(symbols, indexes, *LISTS)
    assert theirs.RansDecoder().decode_with_indexes(stream, indexes, *LISTS) == symbols
    mine = RansEncoder().encode_with_indexes(symbols, indexes, *LISTS)
    assert RansDecoder().decode_with_indexes(mine, indexes, *LISTS) == symbols
    assert len(mine) <= len(stream) + 400
    public = {name for name in dir(theirs) if not name.startswith("_")}
    assert public <= {*bbans.compressai.__all__}
