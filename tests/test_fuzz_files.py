"""Any bytes for everything that reads: what is stored, changed in several places at
once, crossed with what another format stored, with its last checksum made right or not.
A reader says what is wrong by an error of bbans, or returns something."""

import random
import zlib

import pytest
from stored import SAMPLES, kind_of, same, sample

import bbans
from bbans.errors import BbansError
from bbans.formats import describe
from bbans.message import Message

MAGICS = [b"\x89bb" + letter for letter in (b"m", b"n", b"z", b"r", b"g")]
MAGICS += [b"\x93NUMPY", b"RIFF", b"PK\x03\x04"]
NUMBERS = [b"\0", b"\1", b"\x7f", b"\x80", b"\xff", b"\xff" * 4, b"\xff" * 8]
NUMBERS += [b"\x80" * 9, b"\0" * 8, (1 << 31).to_bytes(4, "little")]
# Whose checksums find any change; of several parts or groups some may be left out
# unnoticed, and one byte of checksum finds 255 changes in 256.
FOUND = {"model", "float model", "network", "container", "pieces", "chunk", "stream"}
READS = sorted({kind_of(name) for name in SAMPLES})


def changed(data, other, rng):
    """The bytes, changed in one to four places; crossed with other bytes."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        at, end = sorted(rng.randrange(len(out) + 1) for _ in range(2))
        few = at + rng.randrange(1, 9)
        match rng.randrange(8):
            case 0 | 1 if out:
                out[min(at, len(out) - 1)] ^= 1 << rng.randrange(8)
            case 2:
                out[at:few] = rng.choice([*NUMBERS, *MAGICS])
            case 3:
                out[at:at] = rng.choice(NUMBERS)
            case 4:
                del out[at:few]
            case 5:
                out[at + 1 : at + 1] = out[at:end]  # no file twice, which is one
            case 6:
                out[at:] = other[len(other) // 2 :]
            case _:
                del out[rng.choice([at, len(out) - 1]) :]
    return bytes(out)


def mended(data):
    """With the CRC-32 of what is before as its last four bytes."""
    return data[:-4] + zlib.crc32(data[:-4]).to_bytes(4, "little")


def anything(result):
    return True


@pytest.mark.parametrize(
    "tries", [6, pytest.param(60, marks=pytest.mark.slow)], ids=["few", "many"]
)
@pytest.mark.parametrize("kind", READS)
def test_what_is_stored_changed_in_several_places(kind, tries, tally):
    whole = tally(f"{kind}: several changes at once")
    right_sum = tally(f"{kind}: several changes under a right checksum")
    rng = random.Random(kind)
    names = [name for name in SAMPLES if kind_of(name) == kind]
    others = sorted(SAMPLES)
    for name in names if tries > 9 else rng.sample(names, min(len(names), 12)):
        stored = sample(name)
        for case in range(tries):
            other = sample(rng.choice(others)).data
            data = changed(stored.data, other, rng)
            right = anything
            if kind in FOUND:  # the data themselves, if anything
                right = lambda result, stored=stored: same(  # noqa: E731
                    result, stored.value
                )
            whole.offer(
                lambda stored=stored, data=data: stored.read(data),
                right=right,
                case=(name, case),
            )
            right_sum.offer(
                lambda stored=stored, data=data: stored.read(mended(data)),
                right=anything,
                case=(name, case),
            )


READERS = {
    "decompress": lambda file: bbans.decompress(file.read_bytes(), max_bytes=1 << 20),
    "open": lambda file: bbans.open(file)[:9],
    "load": lambda file: bbans.load(file.open("rb"), max_bytes=1 << 20),
    "describe": lambda file: describe(file.open("rb")),
    "load_model": bbans.load_model,
    "FrozenModel.from_bytes": lambda file: bbans.frozen.FrozenModel.from_bytes(
        file.read_bytes()
    ),
    "FrozenNetwork.load": bbans.FrozenNetwork.load,
    "HMM.load": bbans.HMM.load,
    "Network.load": bbans.networks.Network.load,
    "RecordCodec.load": bbans.RecordCodec.load,
    "Records": lambda file: bbans.Records(file).texts(),
    "Message.from_bytes": lambda file: Message.from_bytes(file.read_bytes(), 4),
}


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_what_other_formats_store(reader, tally, tmp_path):
    count = tally(f"{reader}: files of other formats, and none")
    rng = random.Random(reader)
    path = tmp_path / "file"
    texts = [b"", b"\0", b"a", b"[]", b"\x89", *MAGICS, rng.randbytes(99)]
    for data in [
        *texts,
        *(sample(name).data for name in rng.sample(sorted(SAMPLES), 60)),
    ]:
        for start in (data, data[:9], bytes(9) + data):
            path.write_bytes(start)
            count.offer(
                lambda: READERS[reader](path), right=anything, errors=BbansError,
                case=start[:20],
            )  # fmt: skip
