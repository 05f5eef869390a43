"""The static coder of bytes: round trips, equal kernels, damage, plain Python."""

import json
import random
import zlib
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
    MessageError,
    ModelError,
    TruncatedError,
    VersionError,
    bytes_compress,
    bytes_decompress,
)
from bbans._lib import lib

# Written once, by this library, and read by the reference.
VECTORS = json.loads((Path(__file__).parent / "vectors/bytes_v1.json").read_text())
EXACT = settings(derandomize=True, deadline=None)


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
    packed = bytes_compress(data, order=order)
    assert bytes_decompress(packed) == data
    assert len(packed) <= n + 26


@EXACT
@given(st.binary(max_size=2000), st.integers(0, 1), st.integers(1, 600))
def test_any_bytes_in_blocks_of_any_size(data, order, block_size):
    packed = bytes_compress(data, order=order, block_size=block_size)
    assert bytes_decompress(packed) == data
    assert len(packed) <= len(data) + 13 + 13 * -(-len(data) // block_size)


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
    assert reference.decode_bytes(bytes_compress(bytes(data), order=order)) == bytes(
        data
    )


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_plain_python_reads_large_blocks(kind, order):
    data = sample(kind, 1 << 17)
    assert reference.decode_bytes(bytes_compress(data, order=order)) == data


@pytest.mark.parametrize("case", VECTORS["cases"], ids=lambda case: case["name"])
def test_the_stored_vectors(case):
    data, stream = bytes.fromhex(case["data"]), bytes.fromhex(case["stream"])
    options = {"order": case["order"], "block_size": case["block_size"]}
    assert bytes_compress(data, **options) == stream
    assert bytes_decompress(stream) == data
    assert reference.decode_bytes(stream) == data


def test_patches_occur():
    block = bytes_compress(sample("rare", 1 << 18))[8:]
    assert block[0] & 3 == 2
    assert block[0] >> 7 == 1


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
def test_every_isa_gives_the_same_bytes(kind, order, best_isa_afterwards):
    data, results = sample(kind, 300_007), set()
    for isa in ISAS.values():
        lib.bbans_isa_use(isa)
        packed = bytes_compress(data, order=order)
        assert bytes_decompress(packed) == data
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
    assert len(bytes_compress(data)) < 1.0015 * entropy(data) + 40


def test_order_1_uses_the_byte_before():
    data = sample("walk", 1 << 20)
    assert len(bytes_compress(data, order=1)) < 0.4 * len(bytes_compress(data))


@pytest.mark.parametrize("kind", KINDS)
def test_order_1_is_never_longer(kind):
    for n in [10, 1000, 50_000]:
        data = sample(kind, n)
        assert len(bytes_compress(data, order=1)) <= len(bytes_compress(data)) + 8


# ---- arguments


@pytest.mark.parametrize("order", [0, 1])
def test_threads_change_nothing(order):
    data = sample("walk", 500_000) + sample("noise", 100_000)
    one = bytes_compress(data, order=order, block_size=1 << 16)
    assert bytes_compress(data, order=order, block_size=1 << 16, threads=3) == one
    assert bytes_decompress(one, threads=3) == data


@pytest.mark.parametrize(
    "data",
    [
        b"bytes",
        bytearray(b"bytearray"),
        memoryview(b"memoryview"),
        np.arange(1000, dtype=np.float64).reshape(10, 100),
        np.empty((0, 3)),
    ],
)
def test_any_buffer(data):
    assert bytes_decompress(bytes_compress(data)) == memoryview(data).tobytes()


def test_buffers_with_gaps_are_refused():
    with pytest.raises(TypeError):
        bytes_compress(np.arange(10)[::2])
    with pytest.raises(TypeError):
        bytes_compress("text")


def test_out():
    data = sample("geometric", 100_000)
    packed, out = bytes_compress(data, block_size=30_000), bytearray(100_010)
    part = bytes_decompress(packed, out=out, threads=2)
    assert part == data
    assert out == data + bytes(10)
    array = np.zeros(25_000, np.uint32)
    assert bytes_decompress(packed, out=array).nbytes == array.nbytes
    assert array.tobytes() == data
    before = bytearray(99_999)
    with pytest.raises(MessageError, match=r"holds 99999 bytes, the data 100000"):
        bytes_decompress(packed, out=before)
    assert before == bytes(99_999)
    with pytest.raises(TypeError, match="writable"):
        bytes_decompress(packed, out=bytes(100_000))


@pytest.mark.parametrize(
    "settings",
    [
        {"order": 2},
        {"order": -1},
        {"block_size": 0},
        {"block_size": 2**24 + 1},
        {"block_size": 2.5},
        {"block_size": "a"},
        {"threads": 0},
    ],
)
def test_settings_that_there_are_not(settings):
    with pytest.raises(ModelError):
        bytes_compress(b"abc", **settings)


# ---- damage


@pytest.mark.parametrize("order", [0, 1])
def test_every_cut_is_noticed(order):
    packed = bytes_compress(sample("walk", 3000), order=order, block_size=1000)
    for n in range(len(packed)):
        with pytest.raises(FormatError):
            bytes_decompress(packed[:n])
    with pytest.raises(CorruptError, match="followed"):
        bytes_decompress(packed + b"\0")


@pytest.mark.parametrize("order", [0, 1])
def test_every_flipped_bit_is_noticed(order):
    packed = bytes_compress(sample("walk", 1500), order=order, block_size=500)
    for bit in range(8 * len(packed)):
        bad = bytearray(packed)
        bad[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(FormatError):
            bytes_decompress(bad)


def test_errors_say_what_and_where():
    packed = bytes_compress(sample("walk", 3000), block_size=1000)
    with pytest.raises(VersionError, match="version 2"):
        bytes_decompress(packed[:4] + b"\2" + packed[5:])
    with pytest.raises(FormatError, match="magic"):
        bytes_decompress(b"PK" + packed)
    with pytest.raises(TruncatedError, match="block 2"):
        bytes_decompress(packed[:-20])
    bad = bytearray(packed)
    bad[len(packed) // 2] ^= 1
    with pytest.raises(CorruptError, match=r"block 1 .*bytes 1000 to 1999"):
        bytes_decompress(bad)


def with_block(block, n):
    """A stream of one block, all checksums right."""
    record = bytes([len(block) & 127 | 128, len(block) >> 7]) + block
    record += zlib.crc32(bytes(8) + record).to_bytes(4, "little")
    end = b"\0" + bytes([n & 127 | 128, n >> 7])
    crc = zlib.crc32((1).to_bytes(8, "little") + end)
    return b"\x89bby\x01" + record + end + crc.to_bytes(4, "little")


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", ["walk", "geometric", "sixteen"])
def test_c_and_plain_python_refuse_the_same_blocks(kind, order):
    """Damage under right checksums: both refuse it, or both read the same."""
    n, draw = 2000, random.Random(order)
    stream = bytes_compress(sample(kind, n), order=order)
    block = stream[7 : 7 + (stream[5] & 127 | stream[6] << 7)]
    assert with_block(block, n) == stream
    refused = 0
    for _ in range(400):
        bad = bytearray(block)
        for _ in range(draw.choice([1, 1, 2])):
            at = draw.randrange(draw.choice([12, 80, len(bad)]))
            bad[at] ^= 1 << draw.randrange(8)
        try:
            ours = bytes_decompress(with_block(bytes(bad), n))
        except BbansError:
            ours = None
        try:
            theirs = reference.decode_bytes(with_block(bytes(bad), n))
        except (reference.Damage, IndexError):
            theirs = None
        assert ours == theirs
        refused += ours is None
    assert refused > 300


def test_objects_are_no_bytes():
    objects = np.array([None] * 100)
    with pytest.raises(TypeError, match="objects"):
        bytes_compress(objects)
    with pytest.raises(TypeError, match="objects"):
        bytes_decompress(bytes_compress(b"abc" * 100), out=objects)
