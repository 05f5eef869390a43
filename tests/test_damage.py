"""Damage of everything that is stored (tests/stored.py): cut, flipped, put together of
parts, lied in with checksums made right. Each reader gives an error of ours, or what
was stored. tests/test_corruption.py has what exactly is said of a container."""

import contextlib
import io
import random
import struct
import zipfile
import zlib
from itertools import pairwise

import pytest
import stored
from stored import SAMPLES, kind_of, same, sample

import bbans
from bbans import Records
from bbans._lib import lib
from bbans._records import uvarint
from bbans.formats.container import ContainerReader
from bbans.formats.info import describe

KINDS = [*dict.fromkeys(map(kind_of, SAMPLES))]
CONTAINERS = ("container", "pieces", "parts")
#: How many times a kind of samples is damaged: in the short form of a test, and in the
#: long.
SIZES = [
    pytest.param(200, id="short"),
    pytest.param(40_000, id="long", marks=pytest.mark.slow),
]


def of_kind(kind):
    return {name: sample(name) for name in SAMPLES if kind_of(name) == kind}


def places(n, most):
    """All numbers below n, or about `most` of them that are spread out."""
    step = n // max(most, 1)
    return range(0, n, max(step | 1, 1))  # odd: every bit of a byte has its turn


def flipped(data, bit):
    out = bytearray(data)
    out[bit >> 3] ^= 1 << (bit & 7)
    return bytes(out)


# ---- what is right


def is_part(value, whole):
    """Whether it is the beginning or the end of the whole."""
    n = len(value)
    return same(value, whole[:n]) or same(value, whole[len(whole) - n :])


#: Of one value there are several strings of bytes that readers take.
LOOSE = "message: a record", "message: a queue"


def rightly(name, one, bad):
    """Whether a reader may return this for damaged data: what was stored, or, where
    there is no checksum, what is stored as just these bytes. Record files end where
    appending was interrupted; parts are whole by themselves."""

    def right(result):
        if name.startswith(LOOSE):
            return same(one.read(one.write(result)), result)
        if one.write is not None:  # packets are filled with zeros
            return one.write(result).rstrip(b"\0") == bad.rstrip(b"\0")
        if kind_of(name) in ("records", "parts"):
            return is_part(result, one.value)
        return same(result, one.value)

    return right


def offer_all(count, kind, most, damages):
    """Damage each sample of a kind; `damages(data, most)` yields what and the data."""
    samples = of_kind(kind)
    for name, one in samples.items():
        for what, bad in damages(one.data, most // len(samples)):
            if bad != one.data:
                count.offer(
                    lambda bad=bad, one=one: one.read(bad),
                    right=rightly(name, one, bad),
                    case=f"{name}: {what}",
                )


def cuts(data, most):
    for n in places(len(data), most):
        yield f"cut to {n} bytes", data[:n]


def flips(data, most):
    for bit in places(8 * len(data), most):
        yield f"bit {bit}", flipped(data, bit)


def slips(data, most):
    """Bytes that are put in, left out, zeroed, or the beginning lost."""
    rng = random.Random(0)
    for at in places(len(data), most // 4):
        n = rng.choice([1, 1, 1, 2, 4, 16])
        rest = data[at + n :]
        yield f"{n} bytes more at {at}", data[:at] + rng.randbytes(n) + data[at:]
        yield f"{n} bytes less at {at}", data[:at] + rest
        yield f"{n} zeros at {at}", (data[:at] + bytes(n) + rest)[: len(data)]
        yield f"from {at} on", data[at:]


@pytest.mark.parametrize("most", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_cut(kind, most, tally):
    offer_all(tally(f"{kind}: cut at every byte"), kind, most, cuts)


@pytest.mark.parametrize("most", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_flipped_bit(kind, most, tally):
    offer_all(tally(f"{kind}: every bit flipped"), kind, most, flips)


@pytest.mark.parametrize("most", SIZES)
@pytest.mark.parametrize("kind", KINDS)
def test_bytes_put_in_left_out_and_zeroed(kind, most, tally):
    count = tally(f"{kind}: bytes put in, left out, zeroed")
    offer_all(count, kind, most, slips)


# ---- other readers of containers


def in_one_pass(data, coder):
    sink = io.BytesIO()
    bbans.decompress_file(io.BytesIO(data), sink, coder)
    return sink.getvalue()


def by_the_index(data, coder):
    with bbans.open(io.BytesIO(data), coder) as file:
        return file[...] if file.shape == () else file[:]


def described(data, coder):
    return describe(io.BytesIO(data))


@contextlib.contextmanager
def little_memory(more=512 << 20):
    """A reader that takes much more than its data has a MemoryError."""
    import resource

    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (now + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def of_containers():
    """Samples, and with them chunks, that every reader of containers reads."""
    for kind in CONTAINERS:
        for name, one in of_kind(kind).items():
            if "code points" not in name:
                yield name, one


@pytest.mark.parametrize("most", SIZES)
@pytest.mark.parametrize("read", [in_one_pass, by_the_index, described])
def test_the_other_readers_of_containers(read, most, tally):
    count = tally(f"containers, {read.__name__.replace('_', ' ')}: cuts and flips")
    samples = [*of_containers()]
    for name, one in samples:
        wanted = read(one.data, one.coder)

        def right(result, name=name, wanted=wanted):
            if name.startswith("parts"):
                return read is described or is_part(result, wanted)
            return same(result, wanted)

        for damages in (cuts, flips):
            for what, bad in damages(one.data, most // len(samples)):
                count.offer(
                    lambda bad=bad, one=one: read(bad, one.coder),
                    right=right,
                    case=f"{name}: {what}",
                )


# ---- fields that lie, with checksums made right


def fields_of(data):
    """A container as a list of fields: bytes, numbers, checksums and lengths.

    Raw bytes are themselves, and numbers ints. ("crc", n) is the checksum of record n,
    or of a header for None, and ("length", k) one of the two at the end of a part: of
    the end record, 0, or of the part, 1.
    """
    fields, reader = [], ContainerReader(io.BytesIO(data))
    for part in reader.parts():
        blocks = [*part.blocks()]
        fields += [part.header.to_bytes()[:-4], ("crc", None)]
        for k, block in enumerate(blocks):
            fields += [block.n, bytes([block.method]), block.n_bytes]
            fields += [bytes(block.data), ("crc", k)]
        fields.append(b"\0")
        if part.shape is not None:
            fields += [len(part.shape), *part.shape]
        sizes = (
            len(uvarint(block.n) + uvarint(block.n_bytes)) + 5 + block.n_bytes
            for block in blocks[:-1]
        )
        fields += [len(blocks), *sizes, ("crc", len(blocks))]
        fields += [("length", 0), ("length", 1)]
    return fields


def joined(fields):
    """The container of such fields, whatever they say."""
    out, record, start = b"", 0, 0
    for field in fields:
        if isinstance(field, bytes):
            out += field
        elif isinstance(field, int):
            out += uvarint(field)
        elif field[0] == "crc":
            place = b"" if field[1] is None else struct.pack("<Q", field[1])
            out += struct.pack("<I", zlib.crc32(out[record:], zlib.crc32(place)))
            last, record = record, len(out)
        else:  # backwards
            n = len(out) - (start if field[1] else last)
            out += uvarint(n if len(field) == 2 else field[2])[::-1]
            if field[1]:
                record = start = len(out)
    return out


def is_crc(field):
    return isinstance(field, tuple) and field[0] == "crc"


def is_length(field):
    return isinstance(field, tuple) and field[0] == "length"


LIES = [0, 1, 2, 3, 127, 128, 2**14, 2**24, 2**24 + 1, 2**31, 2**32, 2**62, 2**63 - 1]


def lies(data):
    """A container in which one field says something else, and all checksums fit."""
    fields = fields_of(data)
    assert joined(fields) == data
    for i, field in enumerate(fields):
        others = []
        if isinstance(field, int):
            others = [*LIES, field + 1, max(field - 1, 0), 2 * field]
        elif isinstance(field, bytes):
            at = range(len(field)) if len(field) < 40 else range(0, len(field), 7)
            others = [
                field[:k] + bytes([byte]) + field[k + 1 :]
                for k in at
                for byte in {0, 1, 2, 255, field[k] ^ 0x80, (field[k] + 1) % 256}
            ]
        elif field[0] == "length":
            others = [(*field, lie) for lie in LIES]
        for other in others:
            if other != field:
                told = [*fields[:i], other, *fields[i + 1 :]]
                yield f"field {i}, {field!r:.20} as {other!r:.40}", joined(told)


def readers_of(one):
    yield "decompress", one.read
    for read in (in_one_pass, by_the_index, described):
        yield read.__name__, lambda data, read=read: read(data, one.coder)
    yield "salvage", lambda data: salvaged(data, one.coder)


def salvaged(data, coder):
    """What is written, and the errors."""
    sink, errors = io.BytesIO(), []
    bbans.decompress_file(io.BytesIO(data), sink, coder, salvage=errors.append)
    return sink.getvalue(), errors


@pytest.mark.parametrize("most", SIZES)
@pytest.mark.parametrize("kind", CONTAINERS)
def test_fields_of_containers_that_lie(kind, most, tally):
    """Of a wrong field with a right checksum a reader may make other data, but nothing
    else, and no more of it than blocks may hold."""
    count = tally(f"{kind}: every field lied in, checksums right")
    samples = of_kind(kind)
    rng = random.Random(kind)
    for name, one in samples.items():
        told = [*lies(one.data)]
        rng.shuffle(told)
        for what, bad in told[: max(most // len(samples), 4)]:
            for reader, read in readers_of(one):
                with little_memory():
                    count.offer(
                        lambda read=read, bad=bad: read(bad),
                        right=lambda result: True,
                        case=f"{name}, {reader}: {what}",
                    )


def sealed(data, crc):
    """With the checksum of all at its end."""
    return data[:-4] + struct.pack("<I", crc(data[:-4]))


def of_models(data):
    return sealed(data, zlib.crc32)


def of_streams(data):
    return data[:1] + struct.pack("<I", zlib.crc32(data[:1] + data[5:])) + data[5:]


def of_records(data, spans):
    """A record file whose groups are where they were."""
    header, groups = spans
    out = bytearray(data)
    out[header - 4 : header] = struct.pack("<I", zlib.crc32(out[: header - 4]))
    for first, last in groups:
        place = struct.pack("<Q", first)
        out[first + 20 : first + 24] = struct.pack(
            "<I", zlib.crc32(out[first : first + 20], zlib.crc32(place))
        )
        out[last - 4 : last] = struct.pack(
            "<I", zlib.crc32(out[first : last - 4], zlib.crc32(place))
        )
    return bytes(out)


def groups_of(data):
    """Where the header of a record file ends, and its groups begin and end."""
    header = 24 + data[7]
    at, groups = header + int.from_bytes(data[16:20], "little"), []
    while at < len(data):
        n = int.from_bytes(data[at + 4 : at + 7], "little")
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        end = at + lib.bbans_records_group_bytes(n, size, data[5])
        groups.append((at, end))
        at = end
    return header, groups


def of_archives(data, at, byte):
    """A .npz file with another byte in what its members are together."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    out, place = io.BytesIO(), at % sum(len(content) for _, content in members)
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members:
            if 0 <= place < len(content):
                content = content[:place] + bytes([byte]) + content[place + 1 :]
            place -= len(content)
            archive.writestr(name, content)
    return out.getvalue()


def mutated(kind, data, rng):
    """Another byte, or two, with right checksums."""
    if kind == "float model":
        return of_archives(data, rng.randrange(len(data)), rng.randrange(256))
    out = bytearray(data)
    first = 5 if kind in ("model", "network") else 0
    for _ in range(rng.randrange(1, 3)):
        # What the beginning says decides what the rest is.
        n = len(data) if rng.random() < 0.5 else min(len(data), 64)
        out[rng.randrange(first, n)] = rng.choice(
            [0, 1, 2, 127, 128, 255, rng.randrange(256)]
        )
    if kind == "records":
        return of_records(bytes(out), groups_of(data))
    return {"model": of_models, "network": of_models, "stream": of_streams}[kind](
        bytes(out)
    )


def packs(name):
    return name.startswith("model") and name.endswith("packed")


@pytest.mark.parametrize("most", SIZES)
@pytest.mark.parametrize(
    "kind", ["model", "network", "records", "stream", "float model"]
)
def test_bytes_that_lie(kind, most, tally):
    count = tally(f"{kind}: bytes changed, checksums right")
    samples = {k: v for k, v in of_kind(kind).items() if not packs(k)}
    rng = random.Random(kind)
    with little_memory():
        for name, one in samples.items():
            for _ in range(max(most // len(samples), 4)):
                bad = mutated(kind, one.data, rng)
                count.offer(
                    lambda bad=bad, one=one: one.read(bad),
                    right=lambda result: True,
                    case=f"{name}: {bad.hex() if len(bad) < 300 else '..'}",
                )


# ---- blocks that are moved


def blocks_of(data):
    """The header, the blocks and the end record of a part, as bytes."""
    fields = fields_of(data)
    ends = [i + 1 for i, field in enumerate(fields) if is_crc(field)]
    bounds = [0, *(len(joined(fields[:end])) for end in ends)]
    header, *blocks, _ = (data[a:b] for a, b in pairwise(bounds))
    return header, blocks, data[bounds[-2] :]


def moved(data, other):
    """Blocks exchanged, doubled, left out, and put in from another file."""
    header, blocks, end = blocks_of(data)
    _, strange, _ = blocks_of(other)
    n = len(blocks)
    for i in range(n):
        yield f"without {i}", header + b"".join(blocks[:i] + blocks[i + 1 :]) + end
        yield f"{i} twice", header + b"".join(blocks[: i + 1] + blocks[i:]) + end
        for j in range(i):
            order = [*range(n)]
            order[i], order[j] = j, i
            yield f"{i} and {j}", header + b"".join(blocks[k] for k in order) + end
        for j, block in enumerate(strange):
            if j != i:
                there = [*blocks[:i], block, *blocks[i + 1 :]]
                yield f"{j} of another for {i}", header + b"".join(there) + end
    yield "the end first", header + end + b"".join(blocks)
    yield "two headers", header + header + b"".join(blocks) + end
    yield "two ends", header + b"".join(blocks) + end + end
    yield "another's end", header + b"".join(blocks) + blocks_of(other)[2]


LONG = {
    "model": (stored.TEXT, "HMM of bytes", 12),
    "bytes": (stored.TEXT * 9, None, 100),
    "signal": (stored.WALK, None, 9),
    "codec": (stored.TEXT, stored.CODEC, 12),
}


def test_blocks_that_are_moved(tally):
    count = tally("container: blocks exchanged, doubled, left out, put in")
    for name, (data, coder, size) in LONG.items():
        if isinstance(coder, str):
            coder = stored.model(coder)
        whole = bbans.compress(data, coder, level=None, block_size=size)
        other = bbans.compress(data[::-1], coder, block_size=size)
        for what, bad in moved(whole, other):
            if bad == whole:
                continue
            for read in (bbans.decompress, in_one_pass, by_the_index):
                count.offer(
                    lambda read=read, bad=bad, coder=coder: read(bad, coder),
                    case=f"{name}, {read.__name__}: {what}",
                )


# ---- what is salvaged


def spans_of(data):
    """Of each block of a container: where it begins and ends there, and where its
    elements do in what is restored; and the same of headers, with those of the part."""
    fields, out, spans, headers = fields_of(data), 0, [], []
    upto = [len(joined(fields[:i])) for i in range(len(fields) + 1)]
    reader = ContainerReader(io.BytesIO(data))
    widths = iter(
        [(part.header.itemsize, *part.blocks())[0] for part in reader.parts()]
    )
    for i, field in enumerate(fields):
        if field == ("crc", None):
            width = next(widths)
            headers.append((upto[i - 1], upto[i + 1], out))
        elif is_crc(field) and not is_length(fields[i + 1]):
            n = fields[i - 4] * width
            spans.append((upto[i - 4], upto[i + 1], out, out + n))
            out += n
    ends = [first for *_, first in headers[1:]] + [out]
    parts = [(*head, end) for head, end in zip(headers, ends, strict=True)]
    return spans, parts


def left(plain, spans, at):
    """What is left where the block, or the part by its header, that has byte `at` is
    lost; all if it is in none."""
    for start, end, first, last in (*spans[0], *spans[1]):
        if start <= at < end:
            return plain[:first] + plain[last:]
    return plain


def to_salvage():
    """Containers of several blocks, whose blocks restore bytes in their order."""
    for name, one in of_containers():
        n = sum(
            len([*p.blocks()]) for p in ContainerReader(io.BytesIO(one.data)).parts()
        )
        is_in_order = "axis" not in name and "last" not in name and "first" not in name
        if n > 1 and is_in_order and "characters" not in name:
            yield name, one


@pytest.mark.parametrize("most", SIZES)
def test_salvage_keeps_all_other_blocks(most, tally):
    """Whichever bit is flipped, in the lengths of a block too."""
    count = tally("container: salvage, every bit flipped")
    samples = [*to_salvage()]
    assert len(samples) > 9
    for name, one in samples:
        plain, spans = in_one_pass(one.data, one.coder), spans_of(one.data)
        assert spans[0][-1][3] == len(plain)
        for bit in places(8 * len(one.data), most // len(samples)):
            wanted = left(plain, spans, bit // 8)
            count.offer(
                lambda bit=bit, one=one: salvaged(flipped(one.data, bit), one.coder),
                right=lambda found, wanted=wanted: (
                    found[0] == wanted and len(found[1]) == 1
                ),
                case=f"{name}: bit {bit}",
            )


def test_salvage_keeps_blocks_behind_bytes_put_in_and_left_out(tally):
    count = tally("container: salvage, bytes put in and left out")
    for name, one in to_salvage():
        plain, spans = in_one_pass(one.data, one.coder), spans_of(one.data)
        for at in places(len(one.data), 9):
            wanted = left(plain, spans, at), plain  # between blocks none is lost
            for bad in (
                one.data[:at] + b"\3\0" + one.data[at:],
                one.data[:at] + one.data[at + 1 :],
            ):
                count.offer(
                    lambda bad=bad, one=one: salvaged(bad, one.coder),
                    right=lambda found, wanted=wanted: found[0] in wanted and found[1],
                    case=f"{name}: at {at}",
                )


def test_salvage_keeps_what_is_behind_a_hole():
    """Of many blocks some are lost together; the numbers of all are said."""
    data = bytes(range(256)) * 20
    whole = bbans.compress(data, stored.CODEC, block_size=16)
    spans, _ = spans_of(whole)
    bad = bytearray(whole)
    bad[spans[7][0] + 1 : spans[190][0] + 3] = bytes(
        spans[190][0] + 3 - spans[7][0] - 1
    )
    kept, errors = salvaged(bytes(bad), stored.CODEC)
    assert kept == data[: 16 * 7] + data[16 * 191 :]
    assert [str(e).split(" is")[0] for e in errors] == [
        f"block {k}" for k in range(7, 191)
    ]


def test_salvage_keeps_no_workspace_of_blocks_that_are_lost():
    """However many there are, and whoever keeps the errors."""
    bad = bytearray(bbans.compress(bytes(range(256)), stored.CODEC, block_size=16))
    spans, _ = spans_of(bytes(bad))
    for _, stop, *_ in spans:
        bad[stop - 1] ^= 1
    kept, errors = salvaged(bytes(bad), stored.CODEC)
    assert kept == b""
    assert len(errors) == len(spans) == 16
    assert all(error.__traceback__ is None for error in errors)


def test_salvage_of_the_last_block_and_the_end():
    data = bytes(range(100))
    whole = bbans.compress(data, stored.CODEC, block_size=16)
    first, *_, last = spans_of(whole)[0]
    kept, errors = salvaged(flipped(whole, 8 * last[0] + 8), stored.CODEC)
    assert kept == data[:96]
    assert [str(e) for e in errors] == [
        "block 6 is damaged: its checksum does not match (elements from 96 on)"
    ]
    both = flipped(flipped(whole, 8 * first[0]), 8 * last[1] + 9) + whole
    kept, errors = salvaged(both, stored.CODEC)
    assert kept == data[16:] + data
    assert [str(e) for e in errors] == [
        "block 0 is damaged: its checksum does not match (elements 0 to 15)",
        "its end record is damaged",
    ]
    kept, errors = salvaged(whole + b"other data", stored.CODEC)
    assert kept == data
    assert [str(e) for e in errors] == ["its header is damaged"]


def salvaged_records(name, data):
    def read(path):
        one = sample(name)
        with Records(path, one.coder, max_bytes=1 << 16) as file:
            return [*file.salvage()], file.unfinished

    return stored.in_file(read, data)


def rightly_salvaged(one, found, group):
    """All records but those of the damaged group are intact, and as they were."""
    records, unfinished = found
    intact = {r.number: r.record for r in records if r.intact}
    wanted = {k: v for k, v in enumerate(one.value) if k not in group}
    is_told = unfinished or not all(r.intact for r in records)
    return (
        all(same(intact.get(k), v) for k, v in wanted.items())
        and all(k < len(one.value) and same(v, one.value[k]) for k, v in intact.items())
        and (is_told or len(intact) == len(one.value))
    )


@pytest.mark.parametrize("most", SIZES)
def test_records_that_are_salvaged(most, tally):
    count = tally("records: salvage, every bit flipped")
    samples = of_kind("records")
    for name, one in samples.items():
        _, groups = groups_of(one.data)
        for bit in places(8 * len(one.data), most // len(samples)):
            lost = [k for k, g in enumerate(groups) if g[0] <= bit // 8 < g[1]]
            numbers = range(5 * lost[0], 5 * lost[0] + 5) if lost else range(0)
            count.offer(
                lambda name=name, one=one, bit=bit: salvaged_records(
                    name, flipped(one.data, bit)
                ),
                right=lambda found, one=one, numbers=numbers: rightly_salvaged(
                    one, found, numbers
                ),
                case=f"{name}: bit {bit}",
            )
