"""The container, byte by byte: what the reader returns, and what it refuses."""

import io
import struct
import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bbans.errors import CorruptError, FormatError, TruncatedError, VersionError
from bbans.formats.container import (
    BLOCK_MAX,
    ELEMENTS,
    METHODS,
    Block,
    ContainerReader,
    ContainerWriter,
    Header,
)

HEADER = Header(element=17, fingerprint=b"\0\1\2\3\xfc\xfd\xfe\xff")
BLOCKS = [(3, 0, b"three"), (300, 1, b"m" * 200), (1, 2, b"")]  # n, method, data
SHAPE = (16, 19)  # of the 304 symbols in BLOCKS
EXACT = settings(derandomize=True, deadline=None)


def write(blocks=BLOCKS, shape=SHAPE, header=HEADER):
    file = io.BytesIO()
    writer = ContainerWriter(file, header)
    for block in blocks:
        writer.write(*block)
    writer.finish(shape)
    return file.getvalue()


def read(data, salvage=False):
    reader = ContainerReader(io.BytesIO(data))
    return reader, list(reader.blocks(salvage))


def checked(record, index=None):
    """Append a record's checksum; that of a header counts no index."""
    prefix = b"" if index is None else struct.pack("<Q", index)
    return record + struct.pack("<I", zlib.crc32(prefix + record))


def header(version=1, element=0, reserved=(0, 0)):
    return checked(b"\x89bbz" + bytes([version, element, *reserved]) + bytes(8))


# ---- what is written comes back


@EXACT
@given(
    st.sampled_from(sorted(ELEMENTS)),
    st.binary(min_size=8, max_size=8),
    st.lists(
        st.tuples(
            st.integers(1, BLOCK_MAX),
            st.sampled_from(sorted(METHODS)),
            st.binary(max_size=40),
        ),
        max_size=5,
    ),
)
def test_header_and_blocks_come_back(element, fingerprint, blocks):
    wrote = Header(element, fingerprint)
    total = sum(block[0] for block in blocks)
    reader, got = read(write(blocks, (total,), wrote))
    assert reader.header == wrote
    assert got == [Block(i, *block) for i, block in enumerate(blocks)]
    assert reader.shape == (total,)


def test_the_bytes_are_those_of_the_format():
    expected = checked(b"\x89bbz\x01\x11\0\0" + HEADER.fingerprint)
    expected += checked(b"\x03\x00\x05three", 0)
    expected += checked(b"\xac\x02\x01\xc8\x01" + b"m" * 200, 1)
    expected += checked(b"\x01\x02\x00", 2)
    expected += checked(b"\x00\x02\x10\x13", 3)
    assert write() == expected


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 5), (2, 0, 3), (1,) * 32])
def test_shapes_come_back(shape):
    blocks = [(1, 0, b"x")] if 0 not in shape else []
    assert read(write(blocks, shape))[0].shape == shape


def test_the_shape_is_not_known_before_the_end():
    reader = ContainerReader(io.BytesIO(write()))
    blocks = reader.blocks()
    next(blocks)
    assert reader.shape is None
    list(blocks)
    assert reader.shape == SHAPE


class Drip(io.RawIOBase):
    """A file without a buffer that delivers one byte at a time, as pipes may."""

    def __init__(self, data):
        self._data = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        byte = self._data.read(min(1, len(buffer)))
        buffer[: len(byte)] = byte
        return len(byte)


@pytest.mark.parametrize("wrap", [io.BufferedReader, lambda file: file])
def test_one_byte_at_a_time(wrap):
    reader = ContainerReader(wrap(Drip(write())))
    assert [(b.n_symbols, b.method, b.data) for b in reader.blocks()] == BLOCKS
    assert reader.shape == SHAPE


# ---- what is refused


@pytest.mark.parametrize("data", [b"x", b"PK\3\4", b"\x89bbm" + bytes(40), b"\0" * 99])
def test_not_a_container(data):
    with pytest.raises(FormatError, match="not a bbans container") as caught:
        ContainerReader(io.BytesIO(data))
    assert type(caught.value) is FormatError


@pytest.mark.parametrize("version", [0, 2, 255])
def test_unknown_versions(version):
    with pytest.raises(VersionError, match=f"version {version}, .* reads 1"):
        ContainerReader(io.BytesIO(header(version=version)))


@pytest.mark.parametrize(
    "code",
    [{"element": 3}, {"element": 24}, {"reserved": (1, 0)}, {"reserved": (0, 128)}],
)
def test_unknown_codes_and_reserved_bits(code):
    with pytest.raises(VersionError):
        ContainerReader(io.BytesIO(header(**code)))


@pytest.mark.parametrize("method", [3, 128, 255])
def test_unknown_methods(method):
    with pytest.raises(VersionError, match="block 0"):
        read(write([(1, method, b"x")], (1,)))


@pytest.mark.parametrize("length", range(20))
def test_cut_in_the_header(length):
    with pytest.raises(TruncatedError, match="header"):
        ContainerReader(io.BytesIO(write()[:length]))


def test_a_damaged_header():
    data = bytearray(write())
    data[10] ^= 1
    with pytest.raises(CorruptError, match="header"):
        ContainerReader(io.BytesIO(data))


def test_swapped_blocks():
    front, end = header(), checked(b"\0\1\2", 2)
    blocks = [b"\1\0\1a", b"\1\0\1b"]
    right = [checked(block, i) for i, block in enumerate(blocks)]
    assert len(read(front + right[0] + right[1] + end)[1]) == 2
    with pytest.raises(CorruptError, match="block 0"):
        read(front + right[1] + right[0] + end)


def test_a_missing_block():
    front, end = header(), checked(b"\0\1\2", 2)
    with pytest.raises(CorruptError, match="end record"):
        read(front + checked(b"\1\0\1a", 0) + end)


@pytest.mark.parametrize("shape", [(), (303,), (16, 18), (16, 19, 0), (16, 19, 2)])
def test_a_shape_of_another_size(shape):
    with pytest.raises(CorruptError, match="304 symbols"):
        read(write(shape=shape))


def test_more_axes_than_the_format_has():
    with pytest.raises(CorruptError, match="too many axes"):
        read(header() + checked(b"\0\x21" + b"\1" * 33, 0))


@pytest.mark.parametrize("element", [0, 1, 2])
def test_text_and_bytes_have_one_axis(element):
    head = Header(element, bytes(8))
    assert read(write([(4, 0, b"x")], (4,), head))
    for blocks, shape in (([(4, 0, b"x")], (4, 1)), ([(1, 0, b"x")], ()), ([], (0, 2))):
        with pytest.raises(CorruptError):
            read(write(blocks, shape, head))


def test_trailing_data():
    with pytest.raises(CorruptError, match="followed by other data"):
        read(write() + b"\0")


@pytest.mark.parametrize(
    "number",
    [b"\x80\0", b"\x81\0", b"\xff\x80\0", b"\xff" * 9 + b"\1", b"\x80" * 9],
)
def test_numbers_not_in_their_shortest_form(number):
    for front in (b"", b"\1\0", b"\0", b"\0\1"):  # n, b, axes, axis
        with pytest.raises(CorruptError, match="malformed"):
            read(header() + checked(front + number, 0) + bytes(20))


@pytest.mark.parametrize(
    "record",
    [
        b"\x81\x80\x40\0\1a",  # n = 2^20 + 1
        b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0\1a",  # n = 2^63 - 1
        b"\1\0\x29" + bytes(41),  # b = 41 = 8 n + 33
        b"\x80\x80\x40\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # b = 2^63 - 1
    ],
)
def test_impossible_lengths(record):
    data = header() + checked(record, 0)
    tracemalloc.start()
    with pytest.raises(CorruptError, match=r"block 0 .* lengths are impossible"):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_the_longest_lengths_that_are_possible():
    message = bytes(8 * 5 + 32)
    assert read(write([(5, 0, message), (BLOCK_MAX, 0, b"")], (BLOCK_MAX + 5,)))[1]


# ---- salvage


def test_salvage_yields_damaged_blocks_with_their_error():
    data = bytearray(write())
    data[24] ^= 8  # in b"three"
    with pytest.raises(CorruptError, match=r"block 0 .*symbols 0 to 2"):
        read(data)
    reader, blocks = read(data, salvage=True)
    assert [b.n_symbols for b in blocks] == [3, 300, 1]
    assert [b.error is None for b in blocks] == [False, True, True]
    assert "block 0" in str(blocks[0].error)
    assert reader.shape == SHAPE
