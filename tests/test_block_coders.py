"""Coders of blocks: a codec of one's own, several parts, levels, kinds and threads."""

import copy
import io
import json
import pickle
import threading
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import random_hmm

import bbans
from bbans import codecs
from bbans.distributions import Binomial, Categorical, Table, Uniform
from bbans.formats import (
    ByteCoder,
    CodecCoder,
    ModelCoder,
    SignalCoder,
    describe,
)
from bbans.formats.container import (
    BYTE_BLOCK,
    CODEC,
    FIRST_EXTENSION,
    STORED,
    ContainerReader,
    ContainerWriter,
    Header,
)
from bbans.frozen import FrozenModel
from bbans.message.message import Message

VECTORS = json.loads(
    (Path(__file__).parent / "vectors/container_v3.json").read_text("utf-8")
)
EXACT = settings(derandomize=True, deadline=None)
MODEL = random_hmm(3, 5)


def methods(data):
    reader = ContainerReader(memoryview(data))
    return [block.method for part in reader.parts() for block in part.blocks()]


# ---- a latent variable model by bits back, as a variational autoencoder is used


class LatentCodec:
    """Images of `size` pixels, one on each lane of a message, each with a latent.

    The latent is a range of brightness. Given it the pixels are binomial, and given
    them it is near their mean. Bits back are those of other images, and of `START`.
    """

    START = bytes(range(1, 65))

    def __init__(self, size, levels=64, lanes=2):
        self.size, self.levels, self.lanes = size, levels, lanes
        self.probability = (np.arange(levels) + 0.5) / levels

    def _codec(self):
        shape = self.lanes, self.size
        far = np.subtract.outer(np.arange(self.levels), np.arange(self.levels))
        table = Table.from_masses(np.exp(-2.0 * far**2), 16)

        def likelihood(z):
            p = np.repeat(self.probability[np.asarray(z)], self.size).reshape(shape)
            return Binomial(255, p)

        def posterior(x):
            rows = (np.asarray(x).mean(axis=1) * self.levels // 256).astype(int)
            return Categorical(table, rows)

        prior = Uniform(self.levels, shape=(self.lanes,))
        return codecs.BitsBack(prior, likelihood, posterior)

    def encode(self, block):
        if block.size % (self.lanes * self.size):
            return None
        message, codec = Message.seeded(self.START, self.lanes), self._codec()
        for x in block.reshape(-1, self.lanes, self.size)[::-1].astype(np.int64):
            codec.push(message, x)
        return message.to_bytes()

    def decode(self, data, n):
        message, codec = Message.from_bytes(data, self.lanes), self._codec()
        images = [codec.pop(message) for _ in range(n // (self.lanes * self.size))]
        if message.unseed() != self.START:
            raise ValueError("the message does not end as it began")
        return np.concatenate(images).ravel()


def images(n, size, seed=0):
    rng = np.random.default_rng(seed)
    brightness = rng.random((n, 1))
    return rng.binomial(255, np.broadcast_to(brightness, (n, size))).astype(np.uint8)


VAE = CodecCoder("binomial-vae", LatentCodec(64), b"\x10\x32\x54\x76\x98\xba\xdc\xfe")


@pytest.mark.parametrize("threads", [1, 3])
def test_images_by_bits_back(threads):
    data = images(240, 64)
    options = {"block_size": 40 * 64, "threads": threads}
    packed = bbans.compress(data, VAE, **options)
    assert methods(packed) == [CODEC] * 6
    assert len(packed) < 0.85 * len(bbans.compress(data, ByteCoder(order=1)))
    got = bbans.decompress(packed, VAE, threads=threads)
    assert got.dtype == data.dtype
    assert (got == data).all()
    assert packed == bbans.compress(data, VAE, block_size=40 * 64)


def test_images_in_a_file():
    """Streams, salvage, and a part of the file without the others."""
    data, sink, found = images(120, 64), io.BytesIO(), []
    packed = bytearray(bbans.compress(data, VAE, block_size=20 * 64))
    with bbans.open(io.BytesIO(packed), VAE) as file:
        assert file.shape == (120, 64)
        assert (file[33:77] == data[33:77]).all()
        assert (file[-1] == data[-1]).all()
    packed[packed.index(VAE.encode(data[40:60])) + 9] ^= 1
    bbans.decompress_file(io.BytesIO(packed), sink, VAE, salvage=found.append)
    kept = np.frombuffer(sink.getvalue(), np.uint8).reshape(-1, 64)
    assert [str(error).split(" is")[0] for error in found] == ["block 2"]
    assert (kept == np.delete(data, slice(40, 60), axis=0)).all()
    packed = io.BytesIO()
    source = io.BytesIO(data.tobytes())
    bbans.compress_file(source, packed, VAE, dtype="uint8", channels=64)
    assert (bbans.decompress(packed.getvalue(), VAE) == data).all()


def test_a_codec_may_decline_a_block():
    data = images(45, 64)  # an odd number of images, at the end
    packed = bbans.compress(data, VAE, block_size=20 * 64)
    assert methods(packed)[:2] == [CODEC] * 2
    assert methods(packed)[2] in (STORED, BYTE_BLOCK)
    assert (bbans.decompress(packed, VAE) == data).all()


@pytest.mark.parametrize("data", [bytearray(b"data" * 9), np.arange(36)])
def test_codecs_do_not_change_what_they_encode(data):
    class Clearing(Broken):
        def encode(self, block):
            block[:] = 0

    whole = bytes(data)
    with pytest.raises(bbans.ModelError, match=r"cannot encode a block: .*read-only"):
        bbans.compress(data, CodecCoder("clearing", Clearing()))
    assert bytes(data) == whole


def test_readers_need_the_codec_of_this_name_and_fingerprint():
    packed = bbans.compress(images(4, 64), VAE)
    wanted = r"with codec 'binomial-vae' 1032547698badcfe, "
    for other, text in (
        (None, "pass it as `coder`"),
        (CodecCoder("vae", VAE.codec, VAE.fingerprint), "not with codec 'vae' 1032"),
        (CodecCoder(VAE.name, VAE.codec), "not with codec 'binomial-vae'"),
        (MODEL, f"not with model {MODEL.fingerprint.hex()}"),
        (SignalCoder(), "which SignalCoder"),
    ):
        with pytest.raises(bbans.WrongModelError, match=wanted + text):
            bbans.decompress(packed, other)
        sink = io.BytesIO()
        with pytest.raises(bbans.WrongModelError, match=wanted + text):
            bbans.decompress_file(io.BytesIO(packed), sink, other, salvage=print)
        assert sink.getvalue() == b""


class Broken:
    """A codec that fails in the way it is asked to."""

    def __init__(self, encoded=b"a", decoded=None):
        self.encoded, self.decoded = encoded, decoded

    def encode(self, block):
        return give(self.encoded)

    def decode(self, data, n):
        return give(self.decoded)


def give(value):
    if isinstance(value, Exception):
        raise value
    return value


@pytest.mark.parametrize(
    ("encoded", "text"),
    [
        (KeyError("weights"), "cannot encode a block: 'weights'"),
        ([1, 2], "cannot encode a block: what encode returned must be bytes"),
        ("text", "cannot encode a block: what encode returned must be bytes"),
    ],
)
def test_codecs_that_fail_to_encode(encoded, text):
    coder = CodecCoder("broken", Broken(encoded), b"12345678")
    with pytest.raises(bbans.ModelError, match=f"codec 'broken' 3132.*38 {text}"):
        bbans.compress(b"data" * 9, coder)


@pytest.mark.parametrize(
    ("decoded", "text"),
    [
        (ValueError("no weights"), "cannot decode it: no weights"),
        (MemoryError("none left"), "cannot decode it: none left"),
        ([1, 2], "decodes it to 2 elements of int64, not to 9 of uint8"),
        ([0.5] * 9, "decodes it to 9 elements of float64, not to 9 of uint8"),
        (None, "decodes it to 1 elements of object"),
        ([256] * 9, "decodes it to values beyond uint8"),
        ([-1] * 9, "decodes it to values beyond uint8"),
    ],
)
def test_codecs_that_fail_to_decode(decoded, text):
    coder = CodecCoder("broken", Broken(b"a", decoded))
    packed = bbans.compress(np.arange(9, dtype=np.uint8), coder)
    with pytest.raises(
        bbans.CorruptError, match=f"block 0 is damaged: codec 'broken' {text}"
    ):
        bbans.decompress(packed, coder)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: CodecCoder("", Broken()), "name must be of 1 to 255 bytes"),
        (lambda: CodecCoder("é" * 128, Broken()), "name must be of 1 to 255 bytes"),
        (lambda: CodecCoder("\ud800", Broken()), "name must be of 1 to 255 bytes"),
        (lambda: CodecCoder(5, Broken()), "name must be a str, not 5"),
        (lambda: CodecCoder("x", Broken(), b"1234567"), "8 bytes or none, not 7"),
        (lambda: CodecCoder("x", object()), "codec must have a method encode"),
        (lambda: ByteCoder(2), "order must be an integer, 0 to 1, not 2"),
        (lambda: ByteCoder(level=0), "level must be an integer, 1 to 9, not 0"),
        (lambda: SignalCoder(10), "level must be an integer, 1 to 9, not 10"),
        (lambda: ModelCoder(MODEL, level="5"), "level must be an integer"),
        (lambda: ModelCoder(bbans.HMM.random(1, 2, seed=0)), "freeze"),
        (lambda: ModelCoder("english"), "a frozen model, not"),
        (lambda: bbans.compress(b"x", ByteCoder(), level=3), "has a level of its own"),
        (lambda: bbans.compress(b"x", level=11), "level must be an integer, 1 to 9"),
        (lambda: bbans.compress(b"x", level="5"), "level must be an integer, 1 to 9"),
        (lambda: bbans.compress(b"x", "model.bbm"), "load_model"),
        (lambda: bbans.compress(b"x", threads=0), "threads must be"),
        (lambda: bbans.decompress(bbans.compress(b"x"), threads="2"), "threads must"),
    ],
)
def test_coders_that_there_are_not(make, text):
    with pytest.raises(bbans.ModelError, match=text):
        make()


CODERS = [ByteCoder(1), ByteCoder(level=2), SignalCoder(9), ModelCoder(MODEL), VAE]


@pytest.mark.parametrize("coder", CODERS, ids=lambda coder: type(coder).__name__)
def test_coders_are_shown_copied_and_pickled(coder):
    data = np.arange(40, dtype=np.uint8) % 5
    expected = bbans.compress(data, coder)
    for again in (
        copy.copy(coder),
        copy.deepcopy(coder),
        pickle.loads(pickle.dumps(coder)),
    ):
        assert repr(again).split(" at ")[0] == repr(coder).split(" at ")[0]
        assert bbans.compress(data, again) == expected


# ---- levels, kinds, threads


@pytest.mark.parametrize("data", [
    b"abracadabra " * 300, Path(__file__).read_text("utf-8") + "caf\u00e9",
    np.cumsum(np.random.default_rng(3).normal(size=(9000, 2)) * 9, axis=0).astype(int),
], ids=["bytes", "text", "array"])  # fmt: skip
def test_levels_go_from_large_to_small(data):
    packed = [bbans.compress(data, level=level) for level in range(1, 10)]
    assert all(len(a) >= len(b) for a, b in pairwise(packed[::4]))
    assert packed[4] == bbans.compress(data)
    for part in packed:
        assert np.array_equal(bbans.decompress(part), data)


@pytest.mark.parametrize(
    ("data", "kind"), [(b"x", bytes), ("x", str), (np.arange(3), np.ndarray)]
)
def test_the_kind_is_checked(data, kind):
    packed = bbans.compress(data)
    assert np.array_equal(bbans.decompress(packed, kind=kind), data)
    for other in {bytes, str, np.ndarray} - {kind}:
        with pytest.raises(bbans.FormatError, match=f"not {other.__name__}"):
            bbans.decompress(packed, kind=other)
    for other in (int, "str"):
        with pytest.raises(bbans.ModelError, match=r"kind must be str, bytes or"):
            bbans.decompress(packed, kind=other)


@pytest.mark.parametrize("coder", [None, MODEL, VAE], ids=["none", "model", "codec"])
def test_threads_change_nothing(coder):
    data = images(40, 64) % 5
    one = bbans.compress(data, coder, block_size=500)
    assert bbans.compress(data, coder, block_size=500, threads=3) == one
    for threads in (1, 4):
        assert (bbans.decompress(one, coder, threads=threads) == data).all()
        sink, back, done = io.BytesIO(), io.BytesIO(), []
        bbans.compress_file(
            io.BytesIO(data.tobytes()), sink, coder, block_size=500, threads=threads,
            dtype="u1", channels=64 if coder is None else 1, progress=done.append,
        )  # fmt: skip
        assert sum(done) == data.nbytes
        bbans.decompress_file(io.BytesIO(sink.getvalue()), back, coder, threads=threads)
        assert back.getvalue() == data.tobytes()


def test_errors_in_threads_come_in_order():
    plain = np.random.default_rng(0).bytes(1000)
    data = bytearray(bbans.compress(plain, block_size=100))
    for block in next(ContainerReader(io.BytesIO(data)).parts()).blocks():
        if block.start in (300, 700):
            data[data.index(block.data) + 5] ^= 1
    for threads in (1, 2, 8):
        sink, errors = io.BytesIO(), []
        with pytest.raises(bbans.CorruptError, match="block 3 is damaged"):
            bbans.decompress(bytes(data), threads=threads)
        with pytest.raises(bbans.CorruptError, match="block 3 is damaged"):
            bbans.decompress_file(io.BytesIO(data), sink, threads=threads)
        assert sink.getvalue() == plain[:300]
        bbans.decompress_file(
            io.BytesIO(data[:-40]), io.BytesIO(), salvage=errors.append, threads=threads
        )
        assert [str(error).split(":")[0] for error in errors[:2]] == [
            "block 3 is damaged", "block 7 is damaged",
        ]  # fmt: skip
        assert isinstance(errors[2], bbans.errors.TruncatedError)


def test_compression_in_threads_takes_little_ahead():
    """A source that is endless: what is not written is not read."""
    read, gate = [], threading.Event()

    class Source(io.RawIOBase):
        def read(self, size=-1):
            read.append(size)
            return bytes(size)

    class Sink(io.RawIOBase):
        def writable(self):
            return True

        def write(self, data):
            if len(read) > 40:
                gate.set()
                raise OSError("full")
            return memoryview(data).nbytes

    with pytest.raises(OSError, match="full"):
        bbans.compress_file(Source(), Sink(), block_size=1000, threads=3)
    assert gate.is_set()
    assert len(read) < 60


# ---- parts


@EXACT
@given(st.lists(st.binary(max_size=50), min_size=1, max_size=4))
def test_bytes_one_behind_the_other(parts):
    coders = [None, bbans.default_model(), ByteCoder(0), None]
    data = b"".join(
        bbans.compress(part, coder, block_size=20)
        for part, coder in zip(parts, coders, strict=False)
    )
    assert bbans.decompress(data) == b"".join(parts)
    sink = io.BytesIO()
    bbans.decompress_file(io.BytesIO(data), sink)
    assert sink.getvalue() == b"".join(parts)


def test_text_one_behind_the_other():
    letters = random_hmm(2, "abc")
    data = bbans.compress("caf\u00e9") + bbans.compress("abc", letters)
    data += bbans.compress("lone \ud800")
    assert bbans.decompress(data, letters) == "caf\u00e9abclone \ud800"
    sink = io.BytesIO()
    bbans.decompress_file(io.BytesIO(data), sink, letters)
    assert sink.getvalue().decode("utf-8", "surrogatepass") == bbans.decompress(
        data, letters
    )
    halves = "caf\u00e9".encode()
    half = io.BytesIO()
    for part in (halves[:4], halves[4:]):  # a character in two parts is none
        writer = ContainerWriter(half, Header(1))
        writer.write(len(part), STORED, part)
        writer.finish()
    with pytest.raises(bbans.CorruptError, match="UTF-8"):
        bbans.decompress(half.getvalue())


def test_bytes_and_text_one_behind_the_other(tmp_path):
    """Bytes among them make them bytes: text is its UTF-8, of either form."""
    parts = ["one \U0001f600", b"\xff", "by code points \ud800", "two"]
    whole = b"".join(
        part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        for part in parts
    )
    blob = b"".join(map(bbans.compress, parts))
    assert bbans.decompress(blob) == bbans.decompress(blob, kind=bytes) == whole
    assert bbans.decompress(blob, max_bytes=200) == whole
    with pytest.raises(bbans.FormatError, match="container holds bytes, not str"):
        bbans.decompress(blob, kind=str)
    sink = io.BytesIO()
    bbans.decompress_file(io.BytesIO(blob), sink)
    assert sink.getvalue() == whole
    out = bytearray(len(whole) + 5)
    assert bytes(bbans.decompress(blob, out=out)) == whole == bytes(out[: len(whole)])
    with pytest.raises(bbans.errors.MessageError):
        bbans.decompress(blob, out=bytearray(len(whole) - 1))
    assert describe(io.BytesIO(blob))["kind"] == "bbans container of bytes"
    path = tmp_path / "x.bbz"
    path.write_bytes(blob)
    with pytest.raises(bbans.FormatError, match="two forms"):
        bbans.open(path)
    path.write_bytes(bbans.compress("text ") + bbans.compress(b"\xff"))
    with bbans.open(path) as file:
        assert (len(file), file[:], file[3:6]) == (6, b"text \xff", b"t \xff")
        assert "bytes" in repr(file)
    damaged = bytearray(path.read_bytes())
    damaged[-13] ^= 1  # its one byte
    with pytest.raises(bbans.CorruptError, match="part 1 is damaged"):
        bbans.decompress(bytes(damaged))


def test_arrays_one_behind_the_other():
    array = np.arange(60, dtype=">i4").reshape(10, 6)
    data = b"".join(bbans.compress(array[a:b]) for a, b in ((0, 3), (3, 3), (3, 10)))
    got = bbans.decompress(data)
    assert got.dtype == array.dtype
    assert (got == array).all()
    for other in (array.T, array.astype("<i4"), array.ravel(), b"x", "x"):
        with pytest.raises(bbans.CorruptError, match=r"part 1 is .*cannot be joined"):
            bbans.decompress(bbans.compress(array) + bbans.compress(other))


def test_salvage_goes_on_in_the_next_part():
    parts = [b"first part " * 30, b"second part " * 30]
    data = bytearray(b"".join(bbans.compress(p, block_size=60) for p in parts))
    data[30] ^= 1
    data[-60] ^= 1
    sink, found = io.BytesIO(), []
    bbans.decompress_file(io.BytesIO(data), sink, salvage=found.append)
    assert len(found) == 2
    assert "block 0 is damaged" in str(found[0])
    assert "of part 1 is damaged" in str(found[1])
    assert len(sink.getvalue()) == sum(map(len, parts)) - 2 * 60


# ---- stored vectors


class Reversed:
    """The codec of the vectors: elements from last to first."""

    def encode(self, block):
        return block[::-1].tobytes()

    def decode(self, data, n):
        return np.frombuffer(data, f"<u{len(data) // n}")[::-1]


def coder_of(case):
    """The model or codec that a stored file names."""
    for number in case["models"]:
        return FrozenModel.from_bytes(bytes.fromhex(VECTORS["models"][number]["file"]))
    for name in case["codecs"]:
        fingerprint = b"" if "without" in case["name"] else bytes(range(1, 9))
        return CodecCoder(name, Reversed(), fingerprint)
    return None


class AlongSecond(ByteCoder):
    """The byte coder, of an array whose second axis comes first."""

    def axis_of(self, shape):
        return 1


UNITS = "generic", "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as"


def type_of(case):
    """Of a stored array, in numpy."""
    order, code = "<>"[case["element"] // 128], case["element"] % 128
    if code in (25, 26):
        unit = f"[{case['multiplier']}{UNITS[case['unit']]}]" if case["unit"] else ""
        return np.dtype(f"{order}{'Mm'[code - 25]}8{unit}")
    if code >= FIRST_EXTENSION:  # where there is ml_dtypes
        return Header(code).array_dtype
    if code >= 27:
        return np.dtype(f"{order}f{2 << code - 27}")
    return np.dtype(
        "?" if code == 24 else f"{order}{'ui'[code % 2]}{1 << code // 2 - 8}"
    )


def elements_of(data, axis):
    """What decompress returned as the bytes of its elements in the file."""
    if isinstance(data, np.ndarray):
        data = np.moveaxis(data, axis, 0) if axis else data
        if data.dtype.kind in "Mm":
            data = data.view(f"{data.dtype.str[0]}i8")
        elif data.dtype.kind in "fV":
            order = "<" if data.dtype.kind == "V" else data.dtype.str[0]
            data = data.view(f"{order}u{data.dtype.itemsize}")
        return data.astype(data.dtype.newbyteorder("<")).tobytes()
    return data


@pytest.mark.parametrize("case", VECTORS["files"], ids=lambda case: case["name"])
def test_the_stored_vectors(case):
    file, data = bytes.fromhex(case["file"]), bytes.fromhex(case["data"])
    coder = coder_of(case)
    got = bbans.decompress(file, coder)
    if case["name"] == "text in both forms":
        assert got == data[:-8].decode() + data[-8:].decode("utf-32-le")
    elif isinstance(got, str):
        assert got == data.decode("utf-8" if case["element"] == 1 else "utf-32-le")
    else:
        assert elements_of(got, case["axis"]) == data
    if isinstance(got, np.ndarray):
        shape = list(case["shape"])
        shape[case["axis"] : case["axis"]] = [shape.pop(0)] if case["axis"] else []
        assert got.shape == tuple(shape)
        assert got.dtype.str[0] in "|<>"[1 + case["element"] // 128] + "|"
        assert got.dtype == type_of(case)
    if case["write"] is not None:
        coder = coder or ByteCoder()
        if case["axis"]:
            coder = AlongSecond()
        assert bbans.compress(got, coder, block_size=case["write"]) == file


@pytest.mark.parametrize("case", VECTORS["damaged"], ids=lambda case: case["name"])
def test_stored_vectors_that_are_refused(case):
    error = {
        "corrupt": bbans.CorruptError,
        "truncated": bbans.errors.TruncatedError,
        "version": bbans.errors.VersionError,
        "format": bbans.FormatError,
    }[case["error"]]
    file = bytes.fromhex(case["file"])
    for restore in (
        bbans.decompress,
        lambda data: bbans.decompress_file(io.BytesIO(data), io.BytesIO()),
    ):
        with pytest.raises(error) as caught:
            restore(file)
        assert type(caught.value) is error
