"""Damage: every cut and every flipped bit is noticed, and named."""

import contextlib
import io
import random
import struct
import time
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import ALL_BYTES, in_mode, random_hmm

import bbans
from bbans.codecs import encode_sequence
from bbans.formats import ByteCoder, CodecCoder, SignalCoder
from bbans.formats.container import ContainerReader, ContainerWriter, Header
from bbans.frozen import FrozenModel

EXACT = settings(derandomize=True, deadline=None)


TEXT = b"Every cut and every flipped bit is noticed, and named."
MODEL = bbans.HMM.fit(TEXT, 3, n_iter=3).freeze(16)
OTHER = random_hmm(3, ALL_BYTES, seed=1)
SIZE = 12
DATA = TEXT[:36] + bytes(range(240, 252)) + TEXT[36:]  # block 3: no text
HEAD = 19  # bytes of the header
PARTS = [DATA[i : i + SIZE] for i in range(0, len(DATA), SIZE)]
WHOLE = bbans.compress(DATA, MODEL, block_size=SIZE)


def spans(data):
    """First byte, first byte of the data, and end, of each block."""
    at, out = HEAD, []
    for block in next(ContainerReader(io.BytesIO(data)).parts()).blocks():
        first = at + 3  # n and b are below 128 and take a byte each
        out.append((at, first, first + len(block.data) + 4))
        at = out[-1][2]
    return out


SPANS = spans(WHOLE)


def flipped(data, bit):
    out = bytearray(data)
    out[bit >> 3] ^= 1 << (bit & 7)
    return bytes(out)


def salvaged(data, model=MODEL):
    """What salvage writes, and the errors that it reports; raised ones too."""
    sink, errors = io.BytesIO(), []
    try:
        bbans.decompress_file(io.BytesIO(data), sink, model, salvage=errors.append)
    except bbans.BbansError as error:
        errors.append(error)
    return sink.getvalue(), errors


# ---- cuts and flips


def test_there_are_messages_and_a_stored_block():
    blocks = list(next(ContainerReader(io.BytesIO(WHOLE)).parts()).blocks())
    assert [block.method for block in blocks] == [1, 1, 1, 0, 1, 1]
    assert bbans.decompress(WHOLE, MODEL) == DATA


class Codec:
    """Of bytes: each less the one before."""

    def encode(self, block):
        return np.diff(block, prepend=np.uint8(0)).tobytes()

    def decode(self, data, n):
        return np.cumsum(np.frombuffer(data, np.uint8), dtype=np.uint8)


CODERS = {
    "model": MODEL,
    "predictive": MODEL.with_mode("predictive"),
    "bytes": ByteCoder(1),
    "signal": SignalCoder(),
    "codec": CodecCoder("differences", Codec(), b"\1\2\3\4\5\6\7\x08"),
}
SIGNAL = DATA + DATA[::-1] + bytes(sorted(DATA))
WHOLES = {
    name: bbans.compress(DATA, coder, block_size=SIZE)
    for name, coder in CODERS.items()
    if name != "signal"
}
WHOLES["signal"] = bbans.compress(np.frombuffer(SIGNAL, np.uint8), block_size=3 * SIZE)


def restored(data, name):
    return bytes(bbans.decompress(data, CODERS[name]))


@pytest.mark.parametrize("name", CODERS)
def test_every_cut_is_a_truncation(name):
    whole = WHOLES[name]
    assert restored(whole, name) == (SIGNAL if name == "signal" else DATA)
    for length in range(len(whole)):
        with pytest.raises(bbans.errors.TruncatedError):
            restored(whole[:length], name)


def test_a_cut_names_its_block():
    for i, (start, _, end) in enumerate(SPANS):
        for length in range(start, end):
            with pytest.raises(bbans.errors.TruncatedError, match=f"in block {i}$"):
                bbans.decompress(WHOLE[:length], MODEL)


@pytest.mark.parametrize("name", CODERS)
def test_every_flipped_bit_is_noticed(name):
    whole = WHOLES[name]
    for bit in range(8 * len(whole)):
        with pytest.raises(bbans.FormatError):
            restored(flipped(whole, bit), name)


@pytest.mark.parametrize("name", CODERS)
def test_salvage_for_every_coder(name):
    """Each block that is damaged is left out, and no other."""
    whole, plain = WHOLES[name], restored(WHOLES[name], name)
    blocks = [b for p in ContainerReader(memoryview(whole)).parts() for b in p.blocks()]
    for lost in blocks:
        at = whole.index(bytes(lost.data))
        sink, errors = io.BytesIO(), []
        bbans.decompress_file(
            io.BytesIO(flipped(whole, 8 * at)), sink, CODERS[name],
            salvage=errors.append, threads=2,
        )  # fmt: skip
        assert [str(e).split(" is")[0] for e in errors] == [lost.name]
        assert sink.getvalue() == plain[: lost.start] + plain[lost.start + lost.n :]


@pytest.mark.parametrize(
    ("first", "last", "error"),
    [
        (0, 3, bbans.FormatError),  # magic
        (4, 4, bbans.errors.VersionError),
        (5, 18, bbans.CorruptError),  # codes, fingerprint, checksum
    ],
)
def test_a_flip_in_the_header_is_named(first, last, error):
    for bit in range(8 * first, 8 * last + 8):
        with pytest.raises(bbans.FormatError) as caught:
            bbans.decompress(flipped(WHOLE, bit), MODEL)
        assert type(caught.value) is error


def test_a_flip_in_a_message_names_its_block_and_elements():
    for i, (start, first, end) in enumerate(SPANS):
        elements = f"elements {SIZE * i} to {min(SIZE * (i + 1), len(DATA)) - 1}"
        for byte in (start + 1, *range(first, end)):  # the method, data, checksum
            for bit in range(8 * byte, 8 * byte + 8):
                with pytest.raises(bbans.CorruptError, match=f"block {i} .*{elements}"):
                    bbans.decompress(flipped(WHOLE, bit), MODEL)


def test_a_flip_in_a_length_is_noticed_in_its_block_or_later():
    for start, first, _ in SPANS:
        for bit in range(8 * start, 8 * first):
            with pytest.raises((bbans.CorruptError, bbans.errors.TruncatedError)):
                bbans.decompress(flipped(WHOLE, bit), MODEL)


def test_an_inserted_or_missing_byte():
    for at in range(len(WHOLE)):
        with pytest.raises(bbans.FormatError):
            bbans.decompress(WHOLE[:at] + WHOLE[at + 1 :], MODEL)
        with pytest.raises(bbans.FormatError):
            bbans.decompress(WHOLE[:at] + b"\0" + WHOLE[at:], MODEL)


@pytest.mark.parametrize("data", [DATA, b""])
def test_another_model(data):
    whole = bbans.compress(data, MODEL)
    names = f"{MODEL.fingerprint.hex()}.*{OTHER.fingerprint.hex()}"
    with pytest.raises(bbans.WrongModelError, match=names):
        bbans.decompress(whole, OTHER)
    with pytest.raises(bbans.WrongModelError, match=MODEL.fingerprint.hex()):
        bbans.decompress(whole)


# ---- salvage


def test_salvage_of_what_is_not_damaged():
    assert salvaged(WHOLE) == (DATA, [])


def test_salvage_loses_the_damaged_blocks_and_no_other():
    for damaged in range(1, 1 << len(SPANS)):  # every set of blocks
        data, lost = WHOLE, [i for i in range(len(SPANS)) if damaged >> i & 1]
        for i in lost:
            data = flipped(data, 8 * SPANS[i][1] + 3)
        kept, errors = salvaged(data)
        assert kept == b"".join(p for i, p in enumerate(PARTS) if i not in lost)
        assert [str(e).split(" is")[0] for e in errors] == [f"block {i}" for i in lost]


def test_salvage_of_a_cut_keeps_the_blocks_before_it():
    for length in range(HEAD, len(WHOLE)):
        kept, errors = salvaged(WHOLE[:length])
        assert kept == b"".join(
            part for part, span in zip(PARTS, SPANS, strict=True) if span[2] <= length
        )
        assert [type(error) for error in errors] == [bbans.errors.TruncatedError]


def test_salvage_never_writes_what_was_not_there():
    """Whatever the flip: blocks of the original, in order, and an error."""
    for bit in range(8 * HEAD, 8 * len(WHOLE)):
        kept, errors = salvaged(flipped(WHOLE, bit))
        assert errors
        rest = iter(PARTS)
        for i in range(0, len(kept), SIZE):
            assert kept[i : i + SIZE] in rest


def test_salvage_needs_the_right_model():
    kept, errors = salvaged(WHOLE, OTHER)
    assert kept == b""
    assert [type(error) for error in errors] == [bbans.WrongModelError]


# ---- hostile input, checksums right


def forge(element, blocks, shape, model=MODEL):
    file = io.BytesIO()
    writer = ContainerWriter(file, Header(element, False, model.fingerprint))
    for block in blocks:
        writer.write(*block)
    writer.finish(shape)
    return file.getvalue()


def attempt(data, model=MODEL):
    """Decompress whatever it is; only a BbansError may come of it."""
    for restore in (bbans.decompress, salvaged):
        with contextlib.suppress(bbans.BbansError):
            restore(data, model)


@EXACT
@given(st.binary(max_size=200))
def test_garbage(data):
    attempt(data)
    attempt(b"\x89bbz\2" + data)
    attempt(WHOLE[:HEAD] + data)


MODELS = [
    MODEL,
    random_hmm(3, 5, seed=2),
    random_hmm(3, "a\u00e9\ud800\U0001f600", seed=3),
    random_hmm(3, [-(2**63), -1, 200, 0x110000, 2**63 - 1], seed=4),
]


@settings(EXACT, max_examples=300)
@given(
    st.sampled_from(MODELS),
    st.sampled_from([0, 1, 2, 16, 17, 18, 19, 20, 21, 22, 23]),
    st.lists(
        st.tuples(st.integers(1, 40), st.integers(0, 5), st.binary(max_size=40)),
        max_size=3,
    ),
    st.lists(st.integers(0, 2**62), max_size=4),
)
def test_forged_containers(model, element, blocks, shape):
    """Any element under any model, any message, any shape."""
    total = sum(block[0] for block in blocks)
    for end in ((total,), tuple(shape)):
        attempt(forge(element, blocks, end, model), model)


@pytest.mark.parametrize(
    ("element", "x", "model"),
    [
        (17, [5, 200], MODEL),  # an int8 of 200
        (16, [-1], MODELS[3]),
        (22, [-1], MODELS[3]),  # which would wrap to 2^64 - 1
        (0, [0x110000], MODELS[3]),
        (2, [0x110000], MODELS[3]),  # beyond Unicode
        (1, [0xFF], MODEL),  # not UTF-8
    ],
)
def test_symbols_that_the_elements_cannot_hold(element, x, model):
    data = forge(
        element,
        [(len(x), 1, encode_sequence(model.alphabet.encode(x), model).to_bytes())],
        (len(x),),
        model,
    )
    with pytest.raises(bbans.CorruptError):
        bbans.decompress(data, model)


@EXACT
@given(st.sampled_from([0, 1, 2, 16, 18, 21, 23]), st.binary(max_size=64))
def test_stored_blocks_of_any_content(element, data):
    """As long as they should be, or not; code points beyond Unicode."""
    for width in (1, 2, 4, 8):
        for n in {max(1, len(data) // width), 3}:
            attempt(forge(element, [(n, 0, data)], (n,)))


@pytest.mark.parametrize("axes", [(0, 2**62), (0, 2**62, 2**62), (2**62,) * 31 + (0,)])
def test_empty_arrays_with_huge_axes(axes):
    """The product is right, but numpy has no such array."""
    attempt(forge(16, [], axes))


def test_any_bytes_as_a_message():
    """Refused, or the code of what they decode to: no two messages decode alike."""
    rng = random.Random(5)
    for n in range(1000):
        message, length = rng.randbytes(rng.randrange(30)), n % 40
        predictive = length <= MODEL.start_length or n % 80 < 40
        try:
            x = bbans.decode(message, in_mode(MODEL, predictive), length)
        except bbans.CorruptError:
            continue
        assert bbans.encode(x, in_mode(MODEL, predictive)) == message


def test_mutations_with_repaired_checksums():
    rng = random.Random(6)
    for _ in range(2000):
        data = bytearray(WHOLE)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(HEAD, len(data))] = rng.randrange(256)
        for i, (start, _, end) in enumerate(SPANS):
            crc = zlib.crc32(struct.pack("<Q", i) + data[start : end - 4])
            data[end - 4 : end] = struct.pack("<I", crc)
        attempt(bytes(data))


@pytest.mark.parametrize("method", [0, 1, 2, 3])
@pytest.mark.parametrize("message", [b"\1", b"\xff" * 40, b"\x80" * 1000])
def test_a_few_bytes_claim_a_great_block(method, message):
    data = forge(0, [(1 << 20, method, message)], (1 << 20,))
    start = time.perf_counter()
    tracemalloc.start()
    attempt(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
    assert time.perf_counter() - start < 10


def test_great_claims_over_nothing():
    """The longest block that the format has, and then the end of the file."""
    data = WHOLE[:HEAD] + b"\x80\x80\x80\x08" + b"\1" + b"\x80\x80\x80\x08" + b"m"
    tracemalloc.start()
    with pytest.raises(bbans.errors.TruncatedError, match="block 0"):
        bbans.decompress(data, MODEL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


# ---- model files


MODEL_FILE = random_hmm(2, "abc", seed=7).to_bytes()


def test_every_cut_and_flip_of_a_model_file():
    assert FrozenModel.from_bytes(MODEL_FILE).n_symbols == 3
    for length in range(len(MODEL_FILE)):
        with pytest.raises(bbans.errors.TruncatedError):
            FrozenModel.from_bytes(MODEL_FILE[:length])
    for bit in range(8 * len(MODEL_FILE)):
        with pytest.raises(bbans.FormatError):
            FrozenModel.from_bytes(flipped(MODEL_FILE, bit))


def test_mutated_model_files_with_right_checksums():
    rng = random.Random(8)
    for _ in range(3000):
        data = bytearray(MODEL_FILE[:-4])
        for _ in range(rng.randrange(1, 3)):
            data[rng.randrange(4, len(data))] = rng.choice([0, 1, 2, 3, 127, 255])
        data += struct.pack("<I", zlib.crc32(data))
        with contextlib.suppress(bbans.FormatError):
            FrozenModel.from_bytes(bytes(data))
