"""Small input that stands for much: what it takes without a limit is bounded by what
comes of it, and with one by what was read before it is refused."""

import io
import struct
import time
import tracemalloc
import zlib
from functools import partial

import numpy as np
import pytest
from stored import in_file, model, saved
from test_damage import joined

import bbans
from bbans import FrozenNetwork, Records
from bbans.errors import FormatError, LimitError
from bbans.formats import ByteCoder, ContainerFile, GridCoder, MixingCoder, SignalCoder
from bbans.formats.container import BLOCK_BYTES_MAX, ContainerWriter, Header
from bbans.formats.info import describe
from bbans.frozen import FrozenHMM, FrozenModel

# What any reader may take besides what its data do: tables, workspaces.
BESIDES = 8 << 20
MIB = 1 << 20


def unpacked(data, limit, coder=None):
    return len(memoryview(bbans.decompress(data, coder, max_bytes=limit)).cast("B"))


def run_of(n_bytes, n_blocks=1):
    """Blocks of equal bytes, which take a few bytes each."""
    sink = io.BytesIO()
    bbans.compress_file(
        io.BytesIO(bytes(n_bytes * n_blocks)), sink, ByteCoder(), block_size=n_bytes
    )
    return sink.getvalue()


def sure_model():
    """Of two symbols, one of which it hardly expects."""
    sure = [(1 << 28) - 1, 1]
    return FrozenHMM([1 << 28], [[1 << 28]], [sure], prec=28, start_length=40)


def even_model(K=16, M=2048, odd=30):
    """Nearly all of whose masses are alike, so that it packs well."""
    rng, rows = np.random.default_rng(0), np.full((K, M), 2**16 // M)
    for row in rows:
        places = rng.permutation(M)
        row[places[:odd]] += 1
        row[places[odd : 2 * odd]] -= 1
    chain = [2**16 // K] * K
    return FrozenHMM(chain, [chain] * K, rows, prec=16, start_length=40)


def endless_records():
    """A file with a message that decodes to bytes without end."""
    made = model("HMM of records")
    data = saved(lambda path: Records.write(path, [b"a"], made, embed=False))
    head, group = data[:25], bytearray(data[25:])
    group = b"\x89bbg\1\0\0\0" + bytes(12)
    group += struct.pack("<I", zlib.crc32(group, zlib.crc32(struct.pack("<Q", 25))))
    group += b"\1"  # no message at all: its one end is at 0
    return (
        head
        + group
        + struct.pack("<I", zlib.crc32(group, zlib.crc32(struct.pack("<Q", 25))))
    )


def record_length(data, limit):
    def read(path):
        with Records(path, model("HMM of records"), max_bytes=limit) as file:
            return len(file[0])

    return in_file(read, data)


#: What decompresses to how many bytes; how it is made, and what reads it.
BOMBS = {
    "a block of equal bytes": (lambda: run_of(BLOCK_BYTES_MAX), unpacked, 16 * MIB),
    "many blocks of equal bytes": (lambda: run_of(MIB, 40), unpacked, 40 * MIB),
    "mixed contexts": (
        lambda: bbans.compress(bytes(MIB), MixingCoder(3)), unpacked, MIB,
    ),
    "a constant signal": (
        lambda: bbans.compress(np.zeros(1 << 20), SignalCoder()), unpacked, 8 * MIB,
    ),
    "a line": (
        lambda: bbans.compress(np.arange(1 << 20), SignalCoder()), unpacked, 8 * MIB,
    ),
    "a constant image": (
        lambda: bbans.compress(np.zeros((512, 512), "u2"), GridCoder()),
        unpacked, MIB // 2,
    ),
    "constant floats": (
        lambda: bbans.compress(np.ones(1 << 20, "f4"), ByteCoder()), unpacked, 4 * MIB,
    ),
    "a sure model": (
        lambda: bbans.compress(np.zeros(1 << 18, "u1"), sure_model()),
        lambda data, limit: unpacked(data, limit, sure_model()), MIB // 4,
    ),
    "a bare message": (
        lambda: bbans.encode(np.zeros(1 << 18, int), sure_model()),
        lambda data, limit: bbans.decode(
            data, sure_model(), 1 << 18, max_bytes=limit
        ).nbytes, 2 * MIB,
    ),
    "a table": (lambda: in_pieces(b"1,2\n" * (MIB // 4)), unpacked, MIB),
    "a record without end": (endless_records, record_length, None),
}  # fmt: skip


def in_pieces(data):
    sink = io.BytesIO()
    bbans.compress_file(io.BytesIO(data), sink, kind="csv")
    return sink.getvalue()


def peak_of(act):
    """What an act returns, or its error, its memory at the most, and its seconds."""
    begun = time.perf_counter()
    tracemalloc.start()
    try:
        result = act()
    except (bbans.BbansError, IndexError) as error:
        result = error
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return result, peak, time.perf_counter() - begun


@pytest.mark.parametrize("name", BOMBS)
def test_a_limit_refuses_it_before_it_is_decoded(name, tally):
    make, read, _ = BOMBS[name]
    data = make()
    found, peak, _ = peak_of(partial(read, data, 100_000))
    count = tally(f"bomb, with a limit: {name}", input_bytes=len(data), peak_bytes=peak)
    count.offer(lambda: read(data, 100_000), errors=LimitError)
    assert isinstance(found, LimitError)
    assert peak < 2 * MIB


@pytest.mark.parametrize("name", [name for name in BOMBS if BOMBS[name][2]])
def test_without_a_limit_it_takes_what_comes_of_it(name, tally):
    make, read, n_bytes = BOMBS[name]
    data = make()
    found, peak, _ = peak_of(partial(read, data, None))
    count = tally(
        f"bomb: {name}", input_bytes=len(data), peak_bytes=peak, output_bytes=n_bytes
    )
    count.offer(lambda: read(data, None), right=lambda found: found == n_bytes)
    assert found == n_bytes
    assert len(data) < n_bytes / 100
    assert peak < 4 * n_bytes + BESIDES


# ---- claims with nothing behind them


def claims(*fields, element=0):
    """A container's header, and fields as `joined` takes them."""
    head = Header(element).to_bytes()[:-4]
    return joined([head, ("crc", None), *fields])


def model_claims(model_type, *numbers):
    head = b"\x89bbm\3" + bytes([model_type, 0, 0, 16, 0, 0, 0])
    head += struct.pack(f"<{len(numbers)}I", *numbers) + bytes(64)
    return head + struct.pack("<I", zlib.crc32(head))


def network_claims():
    nodes = [[1, 0, 0, 4096, 4096, 1, 0, 1, *[0] * 12]] * 16
    words = [len(nodes), 1, 12 + 80 * len(nodes) + 4]
    words += [word for node in nodes for word in node] + [0]
    data = b"\x89bbn\1\0\0\0" + struct.pack(f"<{len(words)}I", *words)
    return data + struct.pack("<I", zlib.crc32(data))


def many_claims(n):
    """Blocks that each claim 2**24 bytes."""
    sink = io.BytesIO()
    writer = ContainerWriter(sink, Header(0))
    for _ in range(n):
        writer.write(BLOCK_BYTES_MAX, 2, b"\1\x80\x80\x80\x08a")
    writer.finish()
    return sink.getvalue()


def by_index(data):
    with ContainerFile(io.BytesIO(data), None) as file:
        return file.shape


def info(data):
    return describe(io.BytesIO(data))


def salvage(data):
    errors = []
    bbans.decompress_file(io.BytesIO(data), io.BytesIO(), salvage=errors.append)
    if errors:
        raise errors[0]


def group_claims(n, n_bytes, first):
    data = endless_records()[:25]
    group = b"\x89bbg" + struct.pack("<IIQ", n, n_bytes, first)
    crc = zlib.crc32(group, zlib.crc32(struct.pack("<Q", len(data))))
    return data + group + struct.pack("<I", crc) + bytes(40)


def npz_claims():
    data = io.BytesIO(saved(bbans.HMM.random(2, 3, seed=1).save)).getvalue()
    shape = b"'shape': (2,)"
    assert shape in data
    return data.replace(shape, b"'shape': (9" + b"9" * 60 + b",)", 1)


FOUR = [bbans.decompress, by_index, info, salvage]
MODELS = [FrozenModel.from_bytes, info]
END = ("crc", 0), ("length", 0), ("length", 1)


def first_record(path):
    return Records(path, model("HMM of records"))[0]


CLAIMS = {
    "a block": (claims(BLOCK_BYTES_MAX, b"\1", BLOCK_BYTES_MAX, b"m"), FOUR),
    "a block of 2^62": (claims(2**62, b"\1", 2**62, b"m"), FOUR),
    "blocks in the end record": (
        claims(b"\0", 2**62, *END), FOUR,
    ),
    "blocks in the index": (
        claims(b"\0", 2**20, b"\xff\x7f" * 99, *END), FOUR,
    ),
    "axes": (
        claims(b"\0", 3, 0, 2**62, 2**62, 0, *END, element=16), FOUR,
    ),
    "an end record": (
        claims(b"\0", 0, ("crc", 0), ("length", 0, 2**62), ("length", 1)), FOUR,
    ),
    "a part": (claims(b"\0", 0, ("crc", 0), ("length", 0), ("length", 1, 2**62)), FOUR),
    "states and symbols": (model_claims(1, 4096, 65536, 99), MODELS),
    "contexts": (model_claims(2, 1, 2, 9, *[2**24] * 9), MODELS),
    "steps": (model_claims(3, 64, 64, 9, 0, 2**20), MODELS),
    "vectors": (model_claims(9, 64, 64, 9, 1), MODELS),
    "levels": (model_claims(6, 8, 65536, 9, *[2] * 8), MODELS),
    "chains": (model_claims(10, 8, 65536, 9, *[2] * 8), MODELS),
    "nodes of a tree": (
        model_claims(7, 2**20, 4096, 2**20, 9, 0), MODELS,
    ),
    "a mixer": (model_claims(8, 6, 6, 6, 1, 0, 2**22, 2**31), MODELS),
    "a network": (network_claims(), [FrozenNetwork.from_bytes, info]),
    "records": (
        group_claims(2**16, 2**31 - 1, 0),
        [partial(in_file, first_record)],
    ),
    "records before": (
        group_claims(1, 0, 2**62),
        [partial(in_file, first_record)],
    ),
    "a float model": (npz_claims(), [partial(in_file, bbans.HMM.load)]),
}  # fmt: skip


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_take_no_memory(name, tally):
    data, readers = CLAIMS[name]
    for read in readers:
        peak_of(partial(read, data))  # what is imported on use
    peaks = [peak_of(partial(read, data))[1] for read in readers]
    count = tally(f"claim: {name}", input_bytes=len(data), peak_bytes=max(peaks))
    for read in readers:
        count.offer(
            lambda read=read: read(data),
            right=lambda found: name == "a network",  # which is one, of large tensors
            errors=(FormatError, IndexError),
            case=read,
        )
    assert max(peaks) < MIB + 20 * len(data)


def test_many_blocks_that_claim_much(tally):
    """Each 16 MiB for 17 bytes: refused before anything is allocated."""
    data = many_claims(5000)
    found, peak, seconds = peak_of(lambda: bbans.decompress(data, max_bytes=MIB))
    assert isinstance(found, LimitError)
    assert peak < MIB
    count = tally("claim: 80 GB", input_bytes=len(data), peak_bytes=peak)
    count.offer(lambda: bbans.decompress(data, max_bytes=MIB), errors=LimitError)
    assert seconds < 20


def test_a_packed_model_takes_what_its_file_says(tally):
    """A byte of it is 256 of its plain form at most."""
    made = even_model()
    packed, plain = made.to_bytes(packed=True), made.to_bytes()
    assert len(packed) < len(plain) / 100
    found, peak, _ = peak_of(lambda: FrozenModel.from_bytes(packed))
    assert found == made
    assert peak < 8 * len(plain) + MIB
    count = tally("bomb: a packed model", input_bytes=len(packed), peak_bytes=peak)
    count.offer(lambda: FrozenModel.from_bytes(packed), right=made.__eq__)
    longer = bytearray(packed)
    longer[16:20] = struct.pack("<I", 65536)  # more symbols than its bytes may have
    found, peak, _ = peak_of(lambda: FrozenModel.from_bytes(bytes(longer)))
    assert isinstance(found, FormatError)
    assert peak < 256 * len(packed) + MIB


def test_salvage_of_much_that_looks_like_blocks(tally):
    """Time that grows with the bytes, however many might be lengths."""
    head = Header(0).to_bytes()
    looks = [b"\x0b\2\x0b" * 50_000, bytes(150_000), b"\xff\xff\xff\7\0" * 20_000]
    # Each third byte, or fifth, begins what would be a block of half of all bytes; or
    # an end of thousands of blocks.
    looks += [b"\x0b\0\xf0\xc1\1" * 200_000, b"\0\xff\x1f" + b"\1" * 4000]
    count = tally("salvage: bytes that look like blocks")
    for noise in looks:
        found, peak, seconds = peak_of(lambda noise=noise: salvage(head + noise))
        assert isinstance(found, FormatError)
        assert peak < 4 * MIB
        assert seconds < 30
        count.offer(lambda noise=noise: salvage(head + noise))
