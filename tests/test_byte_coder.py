"""The coder of bytes: round trips, equal kernels, damage, plain Python."""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import ISAS

from bbans import (
    BbansError,
    CorruptError,
    FormatError,
    ModelError,
    compress,
    decompress,
)
from bbans._lib import lib
from bbans.errors import MessageError, TruncatedError, VersionError
from bbans.formats import ByteCoder
from bbans.formats.bytes import decode_bytes, encode_bytes

# Written once, by this library, and read by the reference.
VECTORS = json.loads((Path(__file__).parent / "vectors/bytes_v1.json").read_text())
EXACT = settings(derandomize=True, deadline=None)


def packed_of(data, order=0, **options):
    return compress(data, ByteCoder(order), **options)


def block_of(data, order=0):
    """A block by itself."""
    return bytes(encode_bytes(np.frombuffer(data, np.uint8), order))


def data_of(block, n):
    out = np.empty(n, np.uint8)
    decode_bytes(block, out)
    return out.tobytes()


def plain_bytes_of(packed):
    """What plain Python makes of a container."""
    return reference.decode_container(packed, None)


def sample(kind, n, seed=0):
    """Bytes that lead the coder down each of its ways."""
    rng = np.random.default_rng(seed)
    if kind == "noise":
        x = rng.integers(0, 256, n)
    elif kind == "geometric":
        x = np.minimum(rng.geometric(0.2, n), 255)
    elif kind == "rare":  # patches, and nothing to pack
        x = np.where(rng.random(n) < 2e-5, rng.integers(0, 256, n), 0)
        x += np.where(x == 0, rng.integers(40, 90, n), 0)
    elif kind == "walk":  # order 1
        x = np.cumsum(rng.integers(-2, 3, n)) % 64 + 32
    elif kind == "coin":
        x = rng.integers(0, 2, n) + 65
    elif kind == "dna":
        x = np.frombuffer(b"ACGT", np.uint8)[rng.choice(4, n, p=[0.7, 0.1, 0.1, 0.1])]
    elif kind == "sixteen":
        x = rng.binomial(15, 0.3, n)
    else:
        x = np.full(n, 7)
    return x.astype(np.uint8).tobytes()


KINDS = ["noise", "geometric", "rare", "walk", "coin", "dna", "sixteen", "run"]


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [0, 1, 2, 3, 7, 100, 4097, 70_001])
def test_what_is_decompressed_is_what_was_compressed(kind, n, order):
    data = sample(kind, n)
    packed = packed_of(data, order)
    assert decompress(packed) == data
    assert len(packed) <= n + 32


@EXACT
@given(st.binary(max_size=2000), st.integers(0, 1), st.integers(1, 600))
def test_any_bytes_in_blocks_of_any_size(data, order, block_size):
    packed = packed_of(data, order, block_size=block_size)
    assert decompress(packed) == data
    assert len(packed) <= len(data) + 36 + 17 * -(-len(data) // block_size)


@EXACT
@given(
    st.integers(0, 3000), st.integers(1, 40), st.integers(0, 2**32), st.integers(0, 1)
)
def test_plain_python_reads_it(n, symbols, seed, order):
    """The reference is written from docs/format.md, and knows nothing of the C."""
    draw, before, data = random.Random(seed), 0, []
    for _ in range(n):
        before = (3 * before + draw.choice([0, 0, 0, 1, 5])) % symbols
        data.append(before)
    assert plain_bytes_of(packed_of(bytes(data), order)) == bytes(data)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_plain_python_reads_large_blocks(kind, order):
    data = sample(kind, 1 << 17)
    assert plain_bytes_of(packed_of(data, order)) == data


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_the_stored_vectors(case):
    data, size = bytes.fromhex(case["data"]), case["block_size"]
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    for part, text in zip(parts, case["blocks"], strict=True):
        block = bytes.fromhex(text)
        assert block_of(part, case["order"]) == block
        assert data_of(block, len(part)) == part
        assert reference.decode_bytes_block(block) == part


def test_patches_occur():
    block = block_of(sample("rare", 1 << 18))
    assert block[0] & 3 == 2
    assert block[0] >> 7 == 1


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_every_isa_gives_the_same_bytes(kind, order, best_isa_afterwards):
    data, results = sample(kind, 300_007), set()
    for isa in ISAS.values():
        lib.bbans_isa_use(isa)
        packed = packed_of(data, order)
        assert decompress(packed) == data
        results.add(packed)
    assert len(results) == 1


# ---- sizes


def entropy(data):
    p = np.bincount(np.frombuffer(data, np.uint8)) / len(data)
    p = p[p > 0]
    return -(p * np.log2(p)).sum() * len(data) / 8


@pytest.mark.parametrize("kind", ["geometric", "rare", "walk", "dna", "sixteen"])
def test_the_rate_is_the_entropy(kind):
    data = sample(kind, 1 << 20)
    assert len(packed_of(data)) < 1.0015 * entropy(data) + 40


def test_order_1_uses_the_byte_before():
    data = sample("walk", 1 << 20)
    assert len(packed_of(data, order=1)) < 0.4 * len(packed_of(data))


@pytest.mark.parametrize("kind", KINDS)
def test_order_1_is_never_longer(kind):
    for n in [10, 1000, 50_000]:
        data = sample(kind, n)
        assert len(packed_of(data, order=1)) <= len(packed_of(data)) + 8


# ---- arguments


@pytest.mark.parametrize("order", [0, 1])
def test_threads_change_nothing(order):
    data = sample("walk", 500_000) + sample("noise", 100_000)
    one = packed_of(data, order, block_size=1 << 16)
    assert packed_of(data, order, block_size=1 << 16, threads=3) == one
    assert decompress(one, threads=3) == data


@pytest.mark.parametrize(
    "data",
    [
        b"bytes" * 9,
        bytearray(b"bytearray" * 9),
        memoryview(b"memoryview" * 9),
        memoryview(b"m-e-m-o-r-y-v-i-e-w-" * 9)[::2],
        memoryview(np.arange(1000, dtype=np.float64).reshape(10, 100)).cast("B"),
        memoryview(np.empty((0, 3), np.uint8)),
    ],
)
def test_buffers_of_bytes(data):
    assert decompress(packed_of(data)) == bytes(data)


@pytest.mark.parametrize("dtype", ["i1", "u2", "<i4", ">i4", "u8"])
def test_integers_by_their_bytes(dtype):
    data = sample("geometric", 5000)
    array = np.frombuffer(data, np.uint8).astype(dtype).reshape(50, 100)
    packed = packed_of(array, 1)
    assert len(packed) < 5000
    got = decompress(packed)
    assert got.dtype == array.dtype
    assert (got == array).all()
    assert (
        plain_bytes_of(packed)
        == array.astype(np.dtype(dtype).newbyteorder("<")).tobytes()
    )


@pytest.mark.parametrize(
    "text", ["", "text", "caf\u00e9 \U0001f600" * 50, "lone \ud800"]
)
def test_text(text):
    assert decompress(packed_of(text)) == text
    assert decompress(packed_of(text, block_size=3)) == text


def test_the_level_decides_the_order():
    data = sample("walk", 20_000)
    orders = [packed_of(data, order) for order in (0, 1)]
    found = [compress(data, ByteCoder(level=level)) for level in range(1, 10)]
    assert found == [orders[0]] * 3 + [orders[1]] * 6
    assert [compress(data, level=level) for level in (1, 2)] == found[:2]
    assert compress(data, ByteCoder()) == orders[1]
    assert len(orders[1]) < len(orders[0])


def test_out():
    data = sample("geometric", 100_000)
    packed, out = packed_of(data, block_size=30_000), bytearray(100_010)
    part = decompress(packed, out=out, threads=2)
    assert part == data
    assert out == data + bytes(10)
    array = np.zeros(25_000, np.uint32)
    assert decompress(packed, out=array).nbytes == array.nbytes
    assert array.tobytes() == data
    values = np.frombuffer(data, ">i4").reshape(-1, 5)
    got = decompress(packed_of(values), out=out)
    assert got.dtype == values.dtype
    assert (got == values).all()
    assert np.shares_memory(got, np.frombuffer(out, np.uint8))
    assert decompress(packed_of(b""), out=b"") == b""
    before = bytearray(99_999)
    with pytest.raises(MessageError, match=r"holds 99999 bytes, the data 100000"):
        decompress(packed, out=before)
    assert before == bytes(99_999)
    with pytest.raises(TypeError, match="writable"):
        decompress(packed, out=bytes(100_000))
    with pytest.raises(TypeError, match="contiguous"):
        decompress(packed, out=np.zeros((100_000, 2), np.uint8)[:, 0])
    with pytest.raises(ModelError, match="text"):
        decompress(packed_of("text"), out=out)


@pytest.mark.parametrize(
    "settings",
    [
        {"order": 2},
        {"order": -1},
        {"order": "1"},
        {"block_size": 0},
        {"block_size": 2**24 + 1},
        {"block_size": 2.5},
        {"block_size": "a"},
        {"threads": 0},
    ],
)
def test_settings_that_there_are_not(settings):
    with pytest.raises(ModelError):
        packed_of(b"abc", **settings)


# ---- damage


@pytest.mark.parametrize("order", [0, 1])
def test_every_cut_is_noticed(order):
    packed = packed_of(sample("walk", 3000), order, block_size=1000)
    for n in range(len(packed)):
        with pytest.raises(FormatError):
            decompress(packed[:n])
    with pytest.raises(CorruptError, match="followed"):
        decompress(packed + b"\0")


@pytest.mark.parametrize("order", [0, 1])
def test_every_flipped_bit_is_noticed(order):
    packed = packed_of(sample("walk", 1500), order, block_size=500)
    for bit in range(8 * len(packed)):
        bad = bytearray(packed)
        bad[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(FormatError):
            decompress(bad)


def test_errors_say_what_and_where():
    packed = packed_of(sample("walk", 3000), block_size=1000)
    with pytest.raises(VersionError, match="version 1"):
        decompress(packed[:4] + b"\1" + packed[5:])
    with pytest.raises(FormatError, match="magic"):
        decompress(b"PK" + packed)
    with pytest.raises(TruncatedError, match="block 2"):
        decompress(packed[:-30])
    bad = bytearray(packed)
    bad[len(packed) // 2] ^= 1
    with pytest.raises(CorruptError, match=r"block 1 .*elements 1000 to 1999"):
        decompress(bad)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", ["walk", "geometric", "sixteen"])
def test_c_and_plain_python_refuse_the_same_blocks(kind, order):
    """Damage under right checksums: both refuse it, or both read the same."""
    n, draw = 2000, random.Random(order)
    block = block_of(sample(kind, n), order)
    refused = 0
    for _ in range(400):
        bad = bytearray(block)
        for _ in range(draw.choice([1, 1, 2])):
            at = draw.randrange(draw.choice([12, 80, len(bad)]))
            bad[at] ^= 1 << draw.randrange(8)
        try:
            ours = data_of(bad, n)
        except BbansError:
            ours = None
        try:
            theirs = reference.decode_bytes_block(bytes(bad))
        except (reference.Damage, IndexError):
            theirs = None
        if theirs is not None and len(theirs) != n:
            theirs = None  # as the container says
        assert ours == theirs
        refused += ours is None
    assert refused > 300


def test_objects_are_no_bytes():
    with pytest.raises(TypeError, match="objects"):
        decompress(packed_of(b"abc" * 100), out=np.array([None] * 100))
