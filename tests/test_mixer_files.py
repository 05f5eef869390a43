"""Context mixers in C and in plain Python: what they code, their files in either form,
and what is no file of theirs.

docs/maths.md, Mixing; docs/format.md, Model file.
"""

import json
import random
from pathlib import Path

import numpy as np
import pytest
import reference as ref

from bbans import CorruptError, FormatError, Message, RecordCodec
from bbans.codecs import decode_sequence, encode_sequence
from bbans.errors import LimitError, TruncatedError
from bbans.frozen import FrozenContextMixer, FrozenModel
from bbans.frozen.base import plain_of

TEXT = b"""\
GET /index.html 200
GET /images/1.png 200
GET /images/2.png 404
error timeout user=1
GET /index.html 304
error timeout user=22
"""
FIXED = 40 + 2 * (688 * 16 + 80)  # bytes of a file before its rows
BITS = {"row_bits": 7, "match_bits": 6, "history_bits": 6}


def prior_of(data, row_bits=6):
    """What a mixer knows after some bytes."""
    mixer, prior = ref.Mixer(16, row_bits, 8), ref.Prior(16)
    for byte in data:
        mixer.encode(byte)
    prior.row_bits, prior.rows, prior.weights = row_bits, mixer.rows, mixer.weights
    prior.matches = [match.slots for match in mixer.matches]
    return prior


def wild(prior, seed):
    """Any slots and weights in the same places."""
    rng, made = random.Random(seed), ref.Prior(16)
    slots = [0, 15, 2**16 - 16, 2**16 - 1, 2**15, 2**15 + 15]
    made.row_bits = prior.row_bits
    made.rows = {
        place: [
            row[0],
            *(rng.choice([*slots, rng.randrange(2**16), s]) for s in row[1:]),
        ]
        for place, row in prior.rows.items()
    }
    ends = [-(2**15), 2**15 - 1]
    made.weights = [
        [[rng.choice([*ends, rng.randrange(*ends)]) for _ in row] for row in part]
        if part is not prior.weights[1]
        else [[[rng.choice(ends) for _ in w] for w in row] for row in part]
        for part in prior.weights
    ]
    made.matches = [[rng.randrange(2**16) for _ in range(40)] for _ in range(2)]
    return made


LEARNED, KNOWN = prior_of(TEXT), prior_of(TEXT[:90], 8)
MODELS = {
    "bytes": ref.ContextMixer(LEARNED, **BITS),
    "that end": ref.ContextMixer(LEARNED, **BITS, end_byte=10),
    "that end with a byte": ref.ContextMixer(KNOWN, **BITS, end_byte=ord("0")),
    "more rows": ref.ContextMixer(KNOWN, 9, 8, 10, rate=40, end_byte=0),
    "that learn fast": ref.ContextMixer(KNOWN, **BITS, rate=127, end_byte=255),
    "wild": ref.ContextMixer(wild(LEARNED, 1), **BITS, end_byte=10),
    "wild and fast": ref.ContextMixer(wild(KNOWN, 2), **BITS, rate=127),
}


def library(name):
    """The model, read from a file in plain Python."""
    model = FrozenModel.from_bytes(ref.mixer_file(MODELS[name]))
    assert isinstance(model, FrozenContextMixer)
    return model


RECORDS = [
    b"", b"\n", b"0", b"\0", b"\xff\xff", b"GET /index.html 200", b"user=7\nuser=8\n\n",
    bytes(range(0, 256, 3)), 5 * b"GET /images/2.png 404 ", bytes(200),
]  # fmt: skip

# ---- the models in plain Python


@pytest.mark.parametrize("name", MODELS)
def test_records(name, isa):
    model, codec = MODELS[name], RecordCodec(library(name))
    for record in RECORDS[:: 1 if isa == "portable" else 3]:
        message = ref.encode_record(
            model, record, [*record], model.end_byte is not None
        )
        assert codec.encode(record) == message
        assert codec.decode(message) == record


@pytest.mark.parametrize("name", ["that end", "bytes", "wild"])
def test_records_of_anyones_making(name):
    """The same records, or an error."""
    model, codec = MODELS[name], RecordCodec(library(name))
    rng, units = random.Random(name), [bytes([v]) for v in range(256)]
    ends, taken = model.end_byte is not None, 0
    for k in range(40):
        message = bytearray(codec.encode(RECORDS[5][: 1 + k % 19]))
        message[rng.randrange(len(message))] ^= 1 << rng.randrange(8)
        message = bytes(message[: len(message) - k % 3])
        try:
            record = codec.decode(message, max_bytes=60)
        except CorruptError:
            with pytest.raises(ref.Damage):
                ref.decode_record(model, message, units, ends, most=60)
        except LimitError:
            assert ref.decode_record(model, message, units, ends, most=60) is None
        else:
            taken += 1
            assert ref.decode_record(model, message, units, ends, most=60) == record
    assert taken > 0


@pytest.mark.parametrize("name", MODELS)
def test_sequences(name):
    model, theirs = MODELS[name], library(name)
    for xs in b"", b"G", (2 * TEXT)[:170], bytes(100):
        data = encode_sequence([*xs], theirs).to_bytes()
        assert data == ref.mixer_encode(model, xs)
        back = decode_sequence(Message.from_bytes(data), theirs, len(xs))
        assert back.tolist() == [*xs]
        assert ref.mixer_decode(model, data, len(xs)) == [*xs]


# ---- their files


@pytest.mark.parametrize("name", MODELS)
def test_files(name):
    file, model = ref.mixer_file(MODELS[name]), library(name)
    assert model.to_bytes(packed=False) == file
    packed = model.to_bytes(packed=True)
    assert FrozenModel.from_bytes(packed).fingerprint == model.fingerprint
    assert plain_of(packed) == file
    if packed == file:  # a slot without the one above it
        assert name.startswith("wild")
    else:
        assert len(packed) < len(file) // 2
        assert ref.unpack_model(packed) == file


CONTENT = json.loads(
    (Path(__file__).parent / "vectors/context_mixer_v1.json").read_text()
)
CASES = CONTENT["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_stored_vectors(case, isa):
    model = FrozenModel.from_bytes(bytes.fromhex(case["file"]))
    assert model.to_bytes(packed=False).hex() == case["file"]
    if case["packed"] is not None:
        packed = bytes.fromhex(case["packed"])
        assert plain_of(packed).hex() == ref.unpack_model(packed).hex() == case["file"]
    codec = RecordCodec(model)
    assert encode_sequence(case["xs"], model).to_bytes().hex() == case["message"]
    for record, message in case["records"]:
        record, message = bytes.fromhex(record), bytes.fromhex(message)
        text = record.decode() if model.kind == "text" else record
        assert codec.encode(text) == message
        assert codec.decode(message) == text
    for message in case["refused"]:
        with pytest.raises(CorruptError):
            codec.decode(bytes.fromhex(message))


def test_the_vectors_are_whole():
    assert CONTENT["format"] == 1
    assert [len(case["records"]) for case in CASES] == [8, 7, 8]


# ---- what is no file


def checked(data):
    """With the checksum that it should have."""
    return ref.with_crc(data[:-4])


def read(data):
    """The model, or None; it codes what is put to it, whatever it is."""
    try:
        model = FrozenModel.from_bytes(data)
    except FormatError:
        return None
    assert isinstance(model, FrozenContextMixer)
    codec = RecordCodec(model)
    for record in (b"GET /index.html 200\n", bytes(12)):
        assert codec.decode(codec.encode(record)) == record
    return model


@pytest.mark.parametrize("packed", [False, True])
def test_every_cut(packed):
    data = library("that end").to_bytes(packed=packed)
    step = 1 if packed else 61
    for cut in [*range(4, 60), *range(60, len(data), step), len(data) - 1]:
        with pytest.raises((TruncatedError, CorruptError)):
            FrozenModel.from_bytes(data[:cut])
        with pytest.raises(FormatError):
            FrozenModel.from_bytes(checked(data[:cut]))
    with pytest.raises(FormatError):
        FrozenModel.from_bytes(checked(data + b"\0"))


def flipped(data, bit):
    wrong = bytearray(data)
    wrong[bit >> 3] ^= 1 << (bit & 7)
    return bytes(wrong)


def test_every_flipped_bit():
    """The checksum finds it."""
    data = library("that end").to_bytes(packed=False)
    for bit in [*range(400), *range(400, 8 * len(data), 97)]:
        with pytest.raises(FormatError):
            FrozenModel.from_bytes(flipped(data, bit))


def test_every_flipped_bit_of_a_packed_file():
    """The checksum, which is that of the plain file, finds it, if it makes another."""
    model = library("that end")
    data, same = model.to_bytes(packed=True), 0
    for bit in range(8 * len(data)):
        try:
            found = FrozenModel.from_bytes(flipped(data, bit))
        except FormatError:
            continue
        same += 1
        assert found.to_bytes(packed=False) == model.to_bytes(packed=False)
    assert same < len(data) // 20


def test_every_flipped_bit_of_the_header():
    """With the right checksum: another model that codes, or an error, and no memory
    but for what its bytes earn."""
    data, found = ref.mixer_file(MODELS["that end"]), []
    for bit in range(32, 320):
        model = read(checked(flipped(data, bit)))
        if model is not None:
            found.append(bit // 8)
            assert model.memory_bytes < 2**26
    assert {*found} <= {6, 7, 8, 11, 12, 16, 20, 24, 28}  # mode, kind, numbers


def test_every_flipped_bit_of_the_rows():
    data, taken = ref.mixer_file(MODELS["that end"]), 0
    for bit in range(8 * FIXED, 8 * (len(data) - 4), 5):
        taken += read(checked(flipped(data, bit))) is not None
    assert taken > 100


def number(data, i, value):
    """With another number in the header."""
    at = 12 + 4 * i
    return checked(data[:at] + value.to_bytes(4, "little") + data[at + 4 :])


MUCH = {
    "row_bits": [0, 5, 19, 32, 2**32 - 1],
    "match_bits": [0, 5, 19, 64, 2**32 - 1],
    "history_bits": [0, 5, 23, 64, 2**32 - 1],
    "rate": [0, 128, 257, 2**31, 2**32 - 1],
    "end": [256, 2**16, 2**32 - 1],
    "rows": [0, 63, 65, 2**22, 2**32 - 1],
    "row_bytes": [0, 1, 2**22, 2**31, 2**32 - 1],
}


@pytest.mark.parametrize("name", MUCH)
@pytest.mark.parametrize("packed", [False, True])
def test_headers_that_claim_much(name, packed):
    data = library("that end").to_bytes(packed=packed)
    for value in MUCH[name]:
        with pytest.raises(FormatError):
            FrozenModel.from_bytes(number(data, [*MUCH].index(name), value))


@pytest.mark.parametrize("bits", [0, 5, 9, 12, 22, 23, 31, 32, 255])
@pytest.mark.parametrize("packed", [False, True])
def test_rows_that_their_bytes_do_not_earn(bits, packed):
    data = library("that end").to_bytes(packed=packed)
    with pytest.raises(FormatError):
        FrozenModel.from_bytes(checked(data[:8] + bytes([bits]) + data[9:]))


def rows_file(rows, row_bits=6, n=None):
    """A file with these bytes of rows."""
    model = ref.ContextMixer(ref.Prior(16), **BITS)
    model.prior.row_bits = row_bits
    data = ref.mixer_file(model)
    n = len(rows) if n is None else n
    sizes = ref.words([n, sum(map(len, rows))])
    return checked(data[:32] + sizes + data[40:-4] + b"".join(rows) + b"\0\0\0\0")


def row(gap=0, check=1, slots=None):
    slots = slots or {}
    mask = sum(1 << k for k in slots)
    return ref.uvarint(gap) + ref.words([check, mask, *slots.values()], 2)


def test_rows():
    one = row(3, 2**16 - 1, {1: 5, 15: 2**16 - 1})
    assert read(rows_file([])) is not None
    assert read(rows_file([one, row(59)])).n_contexts == 2
    assert read(rows_file([row()] * 64)).n_contexts == 64
    for rows in [
        [one, row(60)], [row(64)], [row(2**40)], [row()] * 65, [row(check=0)],
        [row(slots={1: 2**15})], [row(slots={0: 7})], [b"\x80\0" + row()[1:]],
        [b"\x80" * 12 + row()], [row()[:-1]], [row() + b"\0"],
        [row(slots={1: 3})[:-1]],
    ]:  # fmt: skip
        assert read(rows_file(rows)) is None
    assert read(rows_file([one], n=2)) is None
    assert read(rows_file([one, one], n=1)) is None
    assert read(rows_file([row()] * 31, 7)) is None
    assert read(rows_file([row()] * 32, 7)) is not None


@pytest.mark.parametrize("seed", range(4))
def test_packed_files_of_anyones_making(seed):
    """With the checksum of what they hold: the same plain file, or an error."""
    data, rng = library("that end").to_bytes(packed=True), random.Random(seed)
    taken = 0
    for _ in range(60):
        wrong = flipped(data, rng.randrange(8 * 40, 8 * (len(data) - 4)))
        try:
            plain = ref.unpack_model(wrong)
        except (ref.Damage, ValueError, IndexError):
            assert read(wrong) is None
            continue
        model = read(wrong[:-4] + plain[-4:])
        if model is not None:
            taken += 1
            assert model.to_bytes(packed=False) == plain
    assert taken > 0


@pytest.mark.parametrize("seed", range(4))
def test_damage_does_no_harm(seed, isa):
    rng = np.random.default_rng(seed)
    data = ref.mixer_file(MODELS["that end"])
    for _ in range(40):
        wrong = bytearray(data)
        for _ in range(int(rng.integers(1, 6))):
            at = int(
                rng.integers(4, 44) if rng.integers(2) else rng.integers(len(data))
            )
            wrong[at] = int(rng.choice([0, 255, rng.integers(256)]))
        read(checked(bytes(wrong)))
