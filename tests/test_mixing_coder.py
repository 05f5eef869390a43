"""Blocks of bytes under mixed contexts: the default of bytes and text, from level 3."""

import io
import itertools
from pathlib import Path

import numpy as np
import pytest

import bbans
from bbans.errors import CorruptError, ModelError
from bbans.formats import ByteCoder, MixingCoder, describe
from bbans.formats.container import (
    BYTE_BLOCK,
    MIXING,
    PIECES,
    STORED,
    ContainerReader,
)
from bbans.formats.mixing import decode_mixing, encode_mixing
from bbans.formats.mixing_coder import bytes_coder

RNG = np.random.default_rng(0)
LINES = "".join(
    f"{i % 7}:{i * i % 60:02} {'GET' if i % 5 else 'PUT'} /item/{i * i % 97}\n"
    for i in range(400)
)
RECORDS = np.zeros(600, "<u4, <u2, u1, S6")
RECORDS["f0"], RECORDS["f1"] = np.arange(600) * 7, RNG.integers(0, 90, 600)
RECORDS["f2"], RECORDS["f3"] = RNG.integers(0, 3, 600), RNG.choice([b"ab", b"xyz"], 600)


def blocks(blob):
    return [
        block for part in ContainerReader(io.BytesIO(blob)).parts()
        for block in part.blocks()
    ]  # fmt: skip


def methods(blob):
    return [block.method for block in blocks(blob)]


def header(blob):
    """Of a first block of 128 bytes or more: row bits, inputs, match bits, line."""
    data = bytes(blocks(blob)[0].data)
    at = next(i for i, byte in enumerate(data) if byte < 128) + 1
    line, shift = 0, 0
    for byte in data[at + 2 :]:
        line |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            break
    return data[at] & 31, 16 if data[at] & 32 else 8, data[at + 1], line


# ---- what it codes


@pytest.mark.parametrize("level", range(3, 10))
def test_every_level_restores_bytes(level):
    data = LINES.encode() + bytes(range(256)) * 2 + RECORDS.tobytes()[:3000]
    for line in (None, 0, 13, 65535):
        blob = bbans.compress(data, MixingCoder(level, line))
        assert methods(blob) == [MIXING]
        assert bbans.decompress(blob) == data


@pytest.mark.parametrize("n", [*range(20), 31, 32, 33, 255, 256, 257, 4096, 70000])
def test_every_size(n):
    data = (LINES.encode() * 12)[:n]
    blob = bbans.compress(data, MixingCoder())
    assert bbans.decompress(blob) == data
    assert set(methods(blob)) <= {MIXING, STORED}
    assert len(blob) <= n + 27


VALUES = {
    "text": LINES + "π",
    "surrogates": "lone \udc80 " * 30,
    "int16": np.arange(-300, 300, dtype=">i2"),
    "float32": np.linspace(0, 1, 500, dtype="f4"),
    "bool": np.arange(300) % 7 < 2,
    "dates": np.arange(90).astype("M8[D]"),
    "nothing": b"",
}


@pytest.mark.parametrize("name", VALUES)
def test_all_elements_are_coded_as_bytes(name):
    value = VALUES[name]
    blob = bbans.compress(value, MixingCoder(4), block_size=1 << 12)
    back = bbans.decompress(blob)
    assert type(back) is type(value)
    assert getattr(back, "dtype", None) == getattr(value, "dtype", None)
    assert np.array_equal(back, value)
    assert set(methods(blob)) <= {MIXING, STORED}
    assert methods(blob)[:1] == [MIXING] * (len(value) > 0)


def test_what_gets_no_shorter_is_stored():
    noise = RNG.integers(0, 256, 20000, np.uint8).tobytes()
    blob = bbans.compress(noise)
    assert methods(blob) == [STORED]
    assert len(blob) <= 1.02 * len(noise)
    assert encode_mixing(np.frombuffer(noise, np.uint8), 3) is None
    assert encode_mixing(np.zeros(0, np.uint8), 5) is None


def test_short_blocks_may_be_shorter_under_their_own_frequencies():
    dna = RNG.choice(np.frombuffer(b"ACGT", np.uint8), 1 << 16).tobytes()
    for n in (100, 1000, 3000):
        blob = bbans.compress(dna[:n])
        assert blob == bbans.compress(dna[:n], ByteCoder(order=1))
        assert len(blob) < n / 3 + 40
        assert len(encode_mixing(np.frombuffer(dna[:n], np.uint8), 5)) > n / 4 + 20
    assert methods(bbans.compress(dna, block_size=1 << 15)) == [BYTE_BLOCK] * 2
    assert methods(bbans.compress(dna)) == [MIXING]


def test_blocks_are_independent_and_read_by_themselves(tmp_path):
    data = LINES.encode()
    blob = bbans.compress(data, block_size=1000)
    assert blob == bbans.compress(data, block_size=1000, threads=3)
    assert bbans.decompress(blob, threads=3) == data
    path = tmp_path / "lines.bbz"
    path.write_bytes(blob + bbans.compress(b"more"))
    with bbans.open(path) as file:
        assert len(file) == len(data) + 4
        assert file[2990:3010] == data[2990:3010]
        assert file[len(data) - 5 :] == data[-5:] + b"more"


# ---- the default


@pytest.mark.parametrize("level", range(1, 10))
def test_the_default_of_bytes_text_and_files(level):
    expected = ByteCoder(level=level) if level < 3 else MixingCoder(level)
    assert repr(bytes_coder(level)) == repr(expected)
    data = b"\x01no table " * 40
    for value in (data, bytearray(data), memoryview(data), data.decode()):
        assert bbans.compress(value, level=level) == bbans.compress(value, expected)
    file = io.BytesIO()
    bbans.compress_file(io.BytesIO(data), file, level=level)
    assert file.getvalue() == bbans.compress(data, expected)


def test_arrays_do_not_take_it_by_default():
    array = np.frombuffer(LINES.encode(), np.uint8)
    for value in (array, array[: 8 * 800].reshape(8, 800), RECORDS["f1"]):
        assert MIXING not in methods(bbans.compress(value))


def test_files_that_hold_text_between_their_numbers():
    """Blocks that hold none are coded as other files."""
    table = "id,name\n" + "".join(f"{i},{i * i % 10}\n" for i in range(300))
    data, found = table.encode() + Path(__file__).read_bytes(), {}
    for level in (1, 5):
        file = io.BytesIO()
        bbans.compress_file(
            io.BytesIO(data), file, level=level, kind="csv", block_size=len(table)
        )
        assert bbans.decompress(file.getvalue()) == data
        found[level] = methods(file.getvalue())
    assert found[5][:2] == [PIECES, MIXING]
    assert MIXING not in found[1]


def test_info_names_it():
    facts = describe(io.BytesIO(bbans.compress(LINES)))
    assert facts["blocks"] == "1 mixing"


# ---- how it is chosen


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (3, (16, 8, 18)), (4, (18, 8, 18)), (5, (20, 8, 18)), (6, (21, 8, 18)),
        (7, (20, 16, 20)), (8, (21, 16, 20)), (9, (22, 16, 20)),
    ],
)  # fmt: skip
def test_the_sizes_of_levels(level, expected):
    """Up to what the bytes can fill."""
    for n in (130, 5000, 100_000):
        rows, inputs, places = expected
        bits = n.bit_length()
        wanted = min(rows, bits + 2), inputs, min(places, bits), 0
        data = (LINES.encode() * 20)[:n]
        assert header(bbans.compress(data, MixingCoder(level, line=0))) == wanted


def test_the_length_of_lines():
    data = RECORDS.tobytes()
    sizes = {}
    for level, line in itertools.product((3, 5), (None, 0, 13)):
        blob = bbans.compress(data, MixingCoder(level, line))
        sizes[level, line] = len(blob)
        found = {None: 0 if level == 3 else 13}.get(line, line)
        assert header(blob)[3] == found
    assert sizes[5, None] == sizes[5, 13] < sizes[5, 0]
    assert header(bbans.compress(LINES))[3] == 0


def test_it_is_shorter_than_the_byte_coder():
    data = (LINES + RECORDS.tobytes().hex()).encode()
    assert len(bbans.compress(data)) < 0.5 * len(bbans.compress(data, ByteCoder()))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: MixingCoder(2), r"levels 3 to 9, not 2: take ByteCoder\(level=2\)"),
        (lambda: MixingCoder(0), "level must be an integer, 1 to 9, not 0"),
        (lambda: MixingCoder("5"), "level must be an integer"),
        (lambda: MixingCoder(line=-1), "line must be an integer, 0 to 65535, not -1"),
        (lambda: MixingCoder(line=65536), "line must be an integer, 0 to 65535"),
        (lambda: MixingCoder(line=1.5), "line must be an integer"),
        (lambda: bbans.compress(b"x", MixingCoder(), level=3), "level of its own"),
    ],
)
def test_coders_that_there_are_not(make, text):
    with pytest.raises(ModelError, match=text):
        make()


# ---- damage


def test_damaged_blocks_are_refused_or_decode_to_other_bytes():
    """A code has no checksum, and nearly all are those of some bytes."""
    data = np.frombuffer(LINES.encode()[:600], np.uint8)
    block = bytes(encode_mixing(data, 5))
    out = np.empty_like(data)
    decode_mixing(block, out)
    assert np.array_equal(out, data)
    headers = 0
    for trial in range(300):
        bad = bytearray(block)
        for at in RNG.integers(0, len(bad) if trial % 2 else 5, RNG.integers(1, 4)):
            bad[at] ^= 1 << RNG.integers(0, 8)
        if bad == block:
            continue
        try:
            decode_mixing(bytes(bad), out)
        except CorruptError:
            headers += trial % 2 == 0
        else:
            assert not np.array_equal(out, data)
    assert headers > 100
    for bad in (*(block[:size] for size in range(5)), block + b"\0"):
        with pytest.raises(CorruptError):
            decode_mixing(bad, out)
    for size in range(5, len(block)):
        try:
            decode_mixing(block[:size], out)
        except CorruptError:
            pass
        else:
            assert not np.array_equal(out, data)
    for n in (0, 599, 601):
        with pytest.raises(CorruptError, match=f"it is no block of {n} bytes"):
            decode_mixing(block, np.empty(n, np.uint8))


def test_a_damaged_block_is_named_and_the_others_are_salvaged():
    blob = bytearray(bbans.compress(LINES.encode(), block_size=2000))
    second = blocks(blob)[1]
    at = blob.index(bytes(second.data))
    blob[at + 20] ^= 1
    with pytest.raises(CorruptError, match="block 1"):
        bbans.decompress(bytes(blob))
    sink, errors = io.BytesIO(), []
    bbans.decompress_file(io.BytesIO(blob), sink, salvage=errors.append)
    assert sink.getvalue() == (LINES[:2000] + LINES[4000:]).encode()
    assert len(errors) == 1
