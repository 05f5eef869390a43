"""The container, byte by byte: what readers return, from either end, and refuse."""

import io
import json
import random
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given, settings
from hypothesis import strategies as st

from bbans.errors import (
    CorruptError,
    FormatError,
    SymbolError,
    TruncatedError,
    VersionError,
)
from bbans.formats.container import (
    BLOCK_BYTES_MAX,
    BOOL,
    DATETIME,
    FIRST_EXTENSION,
    METHODS,
    ContainerReader,
    ContainerWriter,
    Header,
    array_header,
    read_index,
)
from bbans.formats.salvage import Salvager

VECTORS = json.loads(
    (Path(__file__).parent / "vectors/container_v3.json").read_text("utf-8")
)
ERRORS = {
    "corrupt": CorruptError,
    "truncated": TruncatedError,
    "version": VersionError,
    "format": FormatError,
}
HEADER = Header(17, False, b"\0\1\2\3\xfc\xfd\xfe\xff")
BLOCKS = [
    (300, 1, b"m" * 200),
    (300, 0, b"s" * 300),
    (4, 2, b"byte"),
]  # n, method, data
SHAPE = (302, 2)  # of the 604 elements in BLOCKS
EXACT = settings(derandomize=True, deadline=None)
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]


def write(blocks=BLOCKS, shape=SHAPE, header=HEADER):
    file = io.BytesIO()
    writer = ContainerWriter(file, header)
    for block in blocks:
        writer.write(*block)
    writer.finish(shape)
    return file.getvalue()


def facts(block):
    block.check()
    return block.n, block.method, bytes(block.data)


def read(data):
    """The parts, front to back: header, blocks and shape of each."""
    reader = ContainerReader(io.BytesIO(data))
    return [
        (part.header, [facts(block) for block in part.blocks()], part.shape)
        for part in reader.parts()
    ]


def read_backwards(data):
    """The same, by the indices."""
    parts, _ = read_index(io.BytesIO(data))
    return [
        (part.header, [facts(part.block(i)) for i in range(part.n_blocks)], part.shape)
        for part in parts
    ]


def header(version=3, element=0, coder=b"\0"):
    record = b"\x89bbz" + bytes([version, element]) + coder
    return record + zlib.crc32(record).to_bytes(4, "little")


# ---- what is written comes back


@st.composite
def parts(draw):
    """A header, and blocks and a shape that go together."""
    codec = draw(st.text(max_size=40).filter(lambda s: s.isprintable()))
    fingerprint = draw(st.sampled_from([b"", bytes(range(8))]))
    if codec and not fingerprint:
        fingerprint = bytes(8)
    element = draw(st.sampled_from(sorted(ref.ELEMENT_BYTES)))
    item = ref.ELEMENT_BYTES[element]
    has_order = element >= 16 and item > 1 and element < FIRST_EXTENSION
    big = draw(st.booleans()) if has_order else False
    unit, multiplier = 0, 0
    if element in (DATETIME, DATETIME + 1):
        unit = draw(st.integers(0, 13))
        multiplier = draw(st.integers(1, 2**31 - 1)) if unit else 1
    n, n_blocks = draw(st.integers(1, 300)), draw(st.integers(0, 4))
    sizes = [n] * n_blocks
    if sizes:
        sizes[-1] = draw(st.integers(1, n))
    blocks = [
        (
            size,
            draw(st.sampled_from(sorted(METHODS))),
            draw(st.binary(max_size=size * item)),
        )
        for size in sizes
    ]
    shape, axis = draw(
        st.sampled_from(
            [((sum(sizes),), 0), ((1, sum(sizes), 1), 0), ((sum(sizes), 1, 1), 2)]
        )
    )
    axis = axis if element >= 16 else 0
    wrote = Header(element, big, fingerprint, codec, unit, multiplier, axis)
    return wrote, blocks, shape


@EXACT
@given(parts())
def test_what_is_written_is_read_from_either_end(part):
    wrote, blocks, shape = part
    data = write(blocks, shape, wrote)
    expected = [(wrote, blocks, shape if wrote.is_array else None)]
    assert read(data) == read_backwards(data) == expected


def test_the_bytes_are_those_of_the_format():
    coder = b"\1" + HEADER.fingerprint
    assert write() == ref.write_part(17, coder, BLOCKS, SHAPE)
    name = Header(0, False, bytes(8), "a codec")
    coder = b"\2\7a codec" + bytes(8)
    assert write(header=name) == ref.write_part(0, coder, BLOCKS)
    many = [(3, 0, b"abc")] * 200
    assert write(many, (600,)) == ref.write_part(
        17, b"\1" + HEADER.fingerprint, many, (600,)
    )


@pytest.mark.parametrize("case", VECTORS["files"], ids=lambda case: case["name"])
def test_the_stored_vectors(case):
    data = bytes.fromhex(case["file"])
    got = read(data)
    assert got == read_backwards(data)
    assert [[list(block[:2]) for block in blocks] for _, blocks, _ in got] == (
        case["blocks"]
    )
    assert data == b"".join(
        write(blocks, shape or (), header) for header, blocks, shape in got
    )
    reader = ContainerReader(io.BytesIO(data))
    for part in reader.parts():
        list(part.blocks())
    assert reader.shape == (None if case["shape"] is None else tuple(case["shape"]))
    assert reader.n_read == len(data)
    assert [*map(reference_part, got)] == ref.read_container(data)


def reference_part(part):
    """A part as the reference returns it."""
    header, blocks, shape = part
    element = header.element | 128 * header.big_endian
    coder = header.to_bytes()[6:-4]
    return element, coder, blocks, None if shape is None else list(shape)


@pytest.mark.parametrize("case", VECTORS["damaged"], ids=lambda case: case["name"])
def test_stored_vectors_that_are_refused(case):
    """Those that only their blocks' data are wrong of, the decoders refuse."""
    data = bytes.fromhex(case["file"])
    if case["name"] in CODERS_REFUSE:
        assert read(data) == read_backwards(data)
        return
    with pytest.raises(ERRORS[case["error"]]) as caught:
        read(data)
    assert type(caught.value) is ERRORS[case["error"]]
    with pytest.raises(FormatError):
        read_backwards(data)


# tests/test_api.py has them, too.
CODERS_REFUSE = [
    "fewer data than elements",
    "a model that is not named",
    "a signal of bytes",
    "a codec that is not named",
    "bytes of another number",
    "a boolean of 2",
    *(case["name"] for case in VECTORS["damaged"] if " of element " in case["name"]),
]


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 5), (2, 0, 3), (1,) * 32])
def test_shapes_come_back(shape):
    blocks = [(1, 0, b"x")] if 0 not in shape else []
    ((_, _, got),) = read(write(blocks, shape))
    assert got == shape


def test_the_shape_is_not_known_before_the_end():
    reader = ContainerReader(io.BytesIO(write()))
    part = next(reader.parts())
    blocks = part.blocks()
    next(blocks)
    assert part.shape is None
    list(blocks)
    assert part.shape == SHAPE


def test_types_and_their_elements():
    for element, name in enumerate(TYPES, start=16):
        assert array_header(np.dtype(name)) == Header(element)
        assert Header(element).dtype == np.dtype("<" + name)
        assert Header(element, True).array_dtype == np.dtype(">" + name)
    assert array_header(np.dtype(bool)) == Header(BOOL)
    assert Header(BOOL).dtype == np.dtype("u1")
    for element, name in enumerate(("f2", "f4", "f8"), start=27):
        assert array_header(np.dtype("<" + name)) == Header(element)
        assert array_header(np.dtype(">" + name)) == Header(element, True)
        assert Header(element).dtype == np.dtype("<u" + name[1])
        assert Header(element, True).array_dtype == np.dtype(">" + name)
    for element, name in enumerate(("u2", "u1", "u1"), start=30):
        assert Header(element).dtype == np.dtype("<" + name)
    for name in ("S1", "U1", "O", "i4,i4", "c8", "V8"):
        with pytest.raises(SymbolError, match="can compress integers"):
            array_header(np.dtype(name))


UNITS = "generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", "Mm")
@pytest.mark.parametrize("code", range(14))
def test_units(code, kind, order):
    for multiplier in (1, 25, 2**31 - 1) if code else (1,):
        unit = f"[{multiplier}{UNITS[code]}]" if code else ""
        dtype = np.dtype(f"{order}{kind}8{unit}")
        header = array_header(dtype)
        # Numpy may write it in another unit: 7 days are a week.
        assert header.array_dtype == dtype
        assert (header.array_dtype.kind, header.dtype) == (kind, np.dtype("<i8"))
        word, number = np.datetime_data(dtype)
        assert (header.unit, header.multiplier) == (UNITS.index(word), number)
        ((got, _, _),) = read(write([], (0,), header))
        assert got == header


def test_a_header_says_the_axis():
    for axis in (0, 1, 2, 31):
        shape = (2, 3, 4)[: axis + 1] + (1,) * (axis - 2)
        part = Header(17, axis=axis)
        n = int(np.prod(shape))
        data = write([(n, 0, bytes(n))], shape, part)
        for call in (read, read_backwards):
            ((got, _, stored),) = call(data)
            assert (got.axis, stored) == (axis, shape)
        whole = got.shape_of(stored)
        assert whole[axis] == stored[0]
        assert whole[:axis] + whole[axis + 1 :] == stored[1:]
        assert got.moved(np.empty(stored)).shape == whole


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
    reader = ContainerReader(wrap(Drip(write() * 2)))
    blocks = [facts(block) for part in reader.parts() for block in part.blocks()]
    assert blocks == BLOCKS * 2
    assert reader.shape == (604, 2)


def test_memory_is_not_copied():
    data = write()
    part = next(ContainerReader(memoryview(data)).parts())
    for block, (_, _, expected) in zip(part.blocks(), BLOCKS, strict=True):
        assert block.data.obj is data
        assert block.data == expected


# ---- what is refused


@pytest.mark.parametrize("data", [b"x", b"PK\3\4", b"\x89bbm" + bytes(40), b"\0" * 99])
def test_not_a_container(data):
    for call in (read, read_backwards):
        with pytest.raises(FormatError, match="not a bbans container") as caught:
            call(data)
        assert type(caught.value) is FormatError


@pytest.mark.parametrize("version", [0, 1, 2, 4, 255])
def test_unknown_versions(version):
    with pytest.raises(VersionError, match=f"version {version}, .* reads 3"):
        ContainerReader(io.BytesIO(header(version=version)))


@pytest.mark.parametrize(
    "coder", [b"\2\0" + bytes(8), b"\2\2\xff\xfe" + bytes(8), b"\2\2\xc3x" + bytes(8)]
)
def test_a_codec_without_a_name(coder):
    with pytest.raises(CorruptError, match="name"):
        ContainerReader(io.BytesIO(header(coder=coder)))


@pytest.mark.parametrize("data", [write(), write([], (0,)), write() + write()])
def test_every_cut_is_found(data):
    for cut in {*range(len(data))} - {len(write())} - {len(write([], (0,)))}:
        with pytest.raises(TruncatedError):
            read(data[:cut])
        with pytest.raises(FormatError):
            read_backwards(data[:cut])


def test_every_flipped_bit_is_found():
    data = write()
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        for call in (read, read_backwards):
            with pytest.raises(FormatError):
                call(damaged)


@pytest.mark.parametrize(
    "number",
    [b"\x80\0", b"\x81\0", b"\xff\x80\0", b"\xff" * 9 + b"\1", b"\x80" * 9],
)
def test_numbers_not_in_their_shortest_form(number):
    for front in (b"", b"\1\0", b"\0", b"\0\1", b"\0\1\0", b"\0\1\0\1"):
        with pytest.raises(CorruptError, match=r"malformed|index is of other blocks"):
            read(header(element=16) + front + number + bytes(20))


@pytest.mark.parametrize(
    "record",
    [
        b"\x81\x80\x80\x08\0\1a",  # n = 2^24 + 1
        b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0\1a",  # n = 2^63 - 1
        b"\1\0\2ab",  # b = n + 1
        b"\x80\x80\x40\0\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # b = 2^63 - 1
    ],
)
def test_impossible_lengths(record):
    data = header() + ref.with_crc(record, 0)
    tracemalloc.start()
    with pytest.raises(CorruptError, match=r"block 0 .* lengths are impossible"):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(("element", "item"), [(0, 1), (2, 4), (18, 2), (23, 8)])
def test_the_longest_lengths_that_are_possible(element, item):
    n = BLOCK_BYTES_MAX // item
    bare = Header(element)
    blocks = [(n, 0, bytes(n * item)), (3, 2, bytes(3 * item))]
    ((_, got, _),) = read(write(blocks, (n + 3,), bare))
    assert got == blocks
    with pytest.raises(CorruptError, match="impossible"):
        read(write([(n + 1, 2, b"x")], (n + 1,), bare))
    with pytest.raises(CorruptError, match="impossible"):
        read(write([(3, 2, bytes(3 * item + 1))], (3,), bare))


def test_a_claim_takes_no_memory():
    """A block that says it is long, and is not there."""
    data = header() + b"\x80\x80\x80\x08\0\x80\x80\x80\x08" + bytes(100)
    tracemalloc.start()
    with pytest.raises(TruncatedError, match="block 0"):
        read(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 << 20


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (Header(0), Header(16)),
        (Header(1), Header(16)),
        (Header(2), Header(20)),
        (Header(19), Header(18)),
        (Header(19), Header(19, True)),
        (Header(19), Header(19, axis=1)),
        (Header(23), Header(25, unit=7, multiplier=1)),
        (Header(26, unit=7, multiplier=1), Header(25, unit=7, multiplier=1)),
        (Header(25, unit=7, multiplier=1), Header(25, unit=8, multiplier=1)),
        (Header(25, unit=7, multiplier=1), Header(25, unit=7, multiplier=60)),
        (Header(24), Header(16)),
    ],
)
def test_parts_of_two_kinds(one, two):
    for first, second in ((one, two), (two, one)):
        data = write([], (0, 1), first) + write([], (0, 1), second)
        for call in (read, read_backwards):
            with pytest.raises(CorruptError, match=r"part 1 is .*cannot be joined"):
                call(data)


def test_parts_that_name_other_coders():
    other = Header(17, False, bytes(range(8)), "a codec")
    data = write() + write(header=Header(17)) + write(header=other)
    assert [part[0] for part in read(data)] == [HEADER, Header(17), other]
    assert read(data) == read_backwards(data)


@pytest.mark.parametrize(
    ("one", "two", "whole"),
    [
        ((2, 3), (1, 3), (3, 3)),
        ((0, 3), (4, 3), (4, 3)),
        ((5,), (0,), (5,)),
        ((2, 3), (3, 2), None),
        ((2, 3), (6,), None),
        ((2, 0), (2, 1), None),
        ((), (), None),
        ((), (1,), None),
        ((1,), (), None),
    ],
)
def test_arrays_are_joined_along_their_first_axis(one, two, whole):
    n = [int(np.prod(shape)) for shape in (one, two)]
    data = b"".join(
        write([(n, 0, bytes(n))] if n else [], shape, Header(16))
        for n, shape in zip(n, (one, two), strict=True)
    )
    if whole is None:
        for call in (read, read_backwards):
            with pytest.raises(CorruptError, match=r"part 1 .*cannot be joined"):
                call(data)
        return
    reader = ContainerReader(io.BytesIO(data))
    for part in reader.parts():
        list(part.blocks())
    assert reader.shape == read_index(io.BytesIO(data))[1] == whole


def test_an_index_of_other_blocks():
    """Each block is good, and not where the index has it."""
    blocks = [(3, 0, b"abc"), (3, 0, b"def"), (3, 0, b"ghi")]
    records = [
        ref.with_crc(bytes([n, m, 3]) + d, i) for i, (n, m, d) in enumerate(blocks)
    ]
    whole = header() + b"".join(records)
    for sizes in ([10, 11], [9, 10], [10, 20], [2**62, 1], [0, 10]):
        end = b"\0\3" + b"".join(map(ref.uvarint, sizes))
        end = ref.with_crc(end, 3)
        end += bytes([len(end)])
        data = whole + end
        data += ref.uvarint(len(data))[::-1]
        for call in (read, read_backwards):
            with pytest.raises(FormatError):
                call(data)


# ---- plain Python

ELEMENTS = [0, 1, 2, 3, 16, 17, 18, 19, 20, 23, 0x90, 0x92, 0x93, 0x97]
ELEMENTS += [24, 0x98, 25, 26, 0x99, 27, 0x9D, 30, 0x9E, 32, 33]


def some_part(draw, element):
    """One that is as the format has it, or nearly so."""
    item = ref.ELEMENT_BYTES.get(element & 127, 1)
    coders = [b"\0", b"\1" + bytes(8), b"\2\1x" + bytes(8), b"\2\0" + bytes(8)]
    coder = draw.choice(coders[: draw.choice([1, 3, 3, 4])])
    is_float = element & 127 >= 27
    if is_float and coder[0] == 1:  # its coders refuse it
        coder = b"\0"
    n, n_blocks = draw.randint(1, 6), draw.randint(0, 3)
    sizes = [n] * max(n_blocks - 1, 0) + [draw.randint(1, n)] * (n_blocks > 0)
    if sizes and draw.random() < 0.1:
        sizes[draw.randrange(n_blocks)] = draw.randint(1, 8)
    own = [7] if is_float else [3, 6] if element & 127 >= 16 else []
    methods = [0, 2, *own, *{1: [1], 2: [4]}.get(coder[0], [])]
    blocks = []
    for size in sizes:
        method = draw.choice(methods)
        length = draw.randint(0, size * item) + (draw.random() < 0.02)
        blocks.append((size, method, draw.randbytes(length)))
    total, axis = sum(sizes), draw.choice([0, 0, 0, 1]) * draw.choice([1, 1, 2, 32])
    shape = draw.choice([[total], [total, 1], [1, total], [draw.randint(0, 9)]])
    unit = b""
    if element & 127 in (25, 26):
        unit = bytes([draw.choice([0, 7, 7, 13, 14]), draw.choice([1, 1, 1, 2, 0])])
        unit += bytes([0, 0, draw.choice([0] * 5 + [128])])
    first = bytes([coder[0] | axis * 4]) + unit
    return ref.write_part(element, first + coder[1:], blocks, shape)


def taken(read, data):
    try:
        return read(data)
    except (FormatError, ref.Damage):
        return None


@pytest.mark.parametrize("seed", range(4))
def test_plain_python_takes_the_same_files(seed):
    """Front to back, from the end and by the reference, damaged ones too."""
    draw, outcomes = random.Random(seed), []
    for _ in range(500):
        element = draw.choice(ELEMENTS)
        data = b"".join(
            some_part(draw, element if draw.random() < 0.9 else draw.choice(ELEMENTS))
            for _ in range(draw.choice([1, 1, 2, 3]))
        )
        at, damage = draw.randrange(len(data)), draw.random()
        if damage < 0.1:
            data = (
                data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
            )
        elif damage < 0.15:
            data = data[:at]
        elif damage < 0.2:
            data += draw.randbytes(draw.randint(1, 4))
        got, theirs = taken(read, data), taken(ref.read_container, data)
        assert (None if got is None else [*map(reference_part, got)]) == theirs
        if got is not None:
            assert read_backwards(data) == got
        outcomes.append(got is None)
    assert 100 < sum(outcomes) < 450


# ---- salvage


def test_a_damaged_block_is_the_only_one_that_salvage_loses():
    data = bytearray(write())
    data[25] ^= 8  # in the first block
    with pytest.raises(CorruptError, match=r"block 0 .*elements 0 to 299"):
        read(data)
    salvager = Salvager(io.BytesIO(data))
    lost, *found = salvager.blocks()
    assert isinstance(lost, CorruptError)
    assert "block 0" in str(lost)
    assert [facts(block) for _, block in found] == BLOCKS[1:]
    assert salvager.shape == SHAPE


def test_a_damaged_length_does_not_hide_other_blocks():
    data = bytearray(write())
    data[len(HEADER.to_bytes())] ^= 1  # 301 elements of 300
    lost, *found = Salvager(io.BytesIO(data)).blocks()
    assert "block 0" in str(lost)
    assert [facts(block) for _, block in found] == BLOCKS[1:]


def test_names_of_blocks_in_later_parts():
    data = bytearray(write() * 2)
    data[len(write()) + 30] ^= 1
    with pytest.raises(CorruptError, match="block 0 of part 1 is damaged"):
        read(data)
