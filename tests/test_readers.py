"""Files of anyone's making, checksums right: what a reader refuses, and what it says
of files of another kind."""

import contextlib
import gzip
import io
import struct
import zlib

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

import bbans
from bbans._kinds import check_raw, wrong_kind
from bbans._lib import ffi, lib
from bbans._records import checked, uvarint
from bbans.cli.main import main
from bbans.distributions import Laplace, fixed_locations, fixed_scales
from bbans.formats import signals
from bbans.formats.info import describe
from bbans.frozen import FrozenModel
from bbans.message.message import Message

EXACT = settings(derandomize=True, deadline=None)
MODEL = bbans.HMM.random(2, 5, seed=1).freeze(16)
LINEAR = bbans.LGSSM([[0.9]], [[1.0]], [[4.0]], [[1.0]]).freeze()


def sealed(data):
    return data + zlib.crc32(data).to_bytes(4, "little")


# ---- byte streams


def stream(*blocks, claimed=None, tail=b"", index=0):
    """Blocks (content, bytes that they hold) with right checksums."""
    out = b"\x89bby\x01"
    for at, (block, _) in enumerate(blocks):
        out += checked(at + index, uvarint(len(block)) + block)
    total = sum(n for _, n in blocks) if claimed is None else claimed
    return out + checked(len(blocks) + index, b"\0" + uvarint(total)) + tail


STORED = (b"\0\3abc", 3)


def test_the_stream_that_the_others_are_made_from():
    assert bbans.bytes_decompress(stream(STORED, STORED)) == b"abcabc"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (stream(STORED, STORED, claimed=7), "7 bytes has blocks of 6"),
        (stream(STORED, STORED, claimed=5), "5 bytes has blocks of 6"),
        (stream(claimed=1), "1 bytes has blocks of 0"),
        (stream(STORED, tail=b"\0"), "followed by other data"),
        (stream(STORED, index=1), "its checksum does not match"),
        (stream((b"\0\x83\0abc", 3)), "its header is malformed"),
        (stream((b"\x90\3abc", 3)), "its header is malformed"),
        (stream((b"\0", 0)), "its header is malformed"),
        (stream((b"\0\4abc", 4)), "block 0 is damaged: it does not decode"),
        (stream((b"\0\2abc", 2)), "block 0 is damaged: it does not decode"),
        (stream((b"\1\3ab", 3)), "block 0 is damaged: it does not decode"),
        (b"\x89bby\x01\x83\0", "malformed"),
        (b"\x89bby\x01" + b"\xff" * 8 + b"\x80\1", "malformed"),
    ],
)
def test_streams_that_no_writer_makes(data, text):
    with pytest.raises(bbans.CorruptError, match=text):
        bbans.bytes_decompress(data)


def test_damaged_patches_are_refused_as_plain_python_refuses_them():
    """Bytes too rare for a slot of their own are patched."""
    draw, outcomes = np.random.default_rng(2), set()
    data = draw.integers(40, 62, 34_000, np.uint8)
    data[draw.integers(0, data.size, 5)] = [200, 201, 201, 230, 230]
    packed = bbans.bytes_compress(data)
    n_bytes = packed[5] & 127 | (packed[6] & 127) << 7 | packed[7] << 14
    block = packed[8 : 8 + n_bytes]
    assert (block[0] & 3, block[0] >> 7) == (2, 1)
    for _ in range(80):
        bad = bytearray(block)
        bad[draw.integers(20, 44)] ^= 1 << draw.integers(8)
        bad = stream((bytes(bad), data.size))
        try:
            ours = bbans.bytes_decompress(bad)
        except bbans.CorruptError:
            ours = None
        try:
            theirs = reference.decode_bytes(bad)
        except (reference.Damage, IndexError):
            theirs = None
        assert ours == theirs
        outcomes.add(ours is None)
    assert outcomes == {False, True}


# ---- signals


def signal_of(*bodies, shape=(4,), code=20, block_size=4, axes=None, tail=b""):
    head = b"\x89bbs\x01" + bytes([code, len(shape) if axes is None else axes])
    head += b"".join(map(uvarint, (*shape, block_size)))
    records = [checked(i, uvarint(len(b)) + b) for i, b in enumerate(bodies)]
    return sealed(head) + b"".join(records) + tail


VALUES = np.array([3, 1, 4, 1], np.uint32)
RAW = b"\1" + bbans.bytes_compress(VALUES.astype("<u4"))


def test_the_signals_that_the_others_are_made_from():
    assert (bbans.signal_decompress(signal_of(RAW)) == VALUES).all()
    assert bbans.signal_decompress(signal_of(shape=(0, 3))).shape == (0, 3)
    assert bbans.signal_decompress(signal_of(RAW, shape=(2, 2))).shape == (2, 2)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (signal_of(RAW, code=15), "no such type"),
        (signal_of(RAW, code=24), "no such type"),
        (signal_of(RAW, shape=(1,) * 32 + (4,)), "no such type or shape"),
        (signal_of(RAW, block_size=0), "no such block size"),
        (signal_of(RAW, block_size=(1 << 20) + 1), "no such block size"),
        (signal_of(RAW, tail=b"\0"), "followed by other data"),
        (signal_of(RAW, RAW), "followed by other data"),
        (signal_of(b""), "block 0 is damaged: it has no known method"),
        (signal_of(b"\2"), "block 0 is damaged: it has no known method"),
        (signal_of(b"\0" + bytes(7)), "it ends early"),
        (signal_of(RAW, shape=(3,)), "16 bytes, and max_bytes limits it to 12"),
        (signal_of(RAW, shape=(3, 2), block_size=3), "another number of values"),
        (signal_of(b"\1" + bbans.bytes_compress(b"")), "another number of values"),
    ],
)  # fmt: skip
def test_signals_that_no_writer_makes(data, text):
    with pytest.raises(bbans.CorruptError, match=text):
        bbans.signal_decompress(data)


def modelled(values, below=False, order=1, cross=0, scales=8):
    """A block as an encoder writes it, or one over a message that is not empty; of a
    model that cannot be, without the values."""
    channels = values.shape[1]
    taps = order + (channels - 1) * (cross + 1) + 1
    fixed = np.zeros((channels, taps), np.int32)
    message = Message()
    if below:
        message.push_interval(1, 1, 4)
    with contextlib.suppress(bbans.ModelError):
        signals._call(message, "push", fixed, (order, cross, scales), values)
    message.push(Laplace(fixed_locations(0), fixed_scales(1)), fixed)
    head = struct.pack("<BBBBh", 0, order, cross, scales, 0)
    return head + bytes(8 * channels) + message.to_bytes()


@pytest.mark.parametrize("below", [False, True])
def test_the_message_of_a_signal_is_empty_at_its_end(below):
    values = np.arange(12, dtype=np.int64).reshape(-1, 1)
    data = signal_of(modelled(values, below), shape=(12,), code=23, block_size=12)
    if below:
        with pytest.raises(bbans.CorruptError, match="does not end where it should"):
            bbans.signal_decompress(data)
    else:
        assert (bbans.signal_decompress(data) == values.ravel()).all()


@pytest.mark.parametrize(
    ("order", "cross", "scales", "channels", "text"),
    [
        (61, 29, 8, 16, None),  # 61 + 15 * 30 + 1 taps are 512
        (62, 29, 8, 16, "its model is too large"),
        (64, 64, 8, 16, "its model is too large"),
        (65, 0, 8, 1, "outside its limits"),
        (1, 65, 8, 2, "outside its limits"),
        (1, 0, 0, 1, "outside its limits"),
        (1, 0, 49, 1, "outside its limits"),
    ],
)
def test_models_beyond_their_limits(order, cross, scales, channels, text):
    values = np.zeros((2, channels), np.int64)
    data = signal_of(
        modelled(values, False, order, cross, scales),
        shape=values.shape, code=23, block_size=2,
    )  # fmt: skip
    if text is None:
        assert (bbans.signal_decompress(data) == values).all()
    else:
        with pytest.raises(bbans.CorruptError, match=text):
            bbans.signal_decompress(data)


# ---- contexts of autoregressive models


def arhmm_file(tree, n_contexts, n_entries, prec=4):
    """One state, two symbols; format.md, "Model file"."""
    head = (
        b"\x89bbm\x02\x02" + bytes([0, 0, prec, 0, 0, 0]) + struct.pack("<III", 1, 2, 7)
    )
    masses = struct.pack("<4I", 16, 16, 12, 4)
    counts = struct.pack("<III", n_contexts, n_entries, len(tree))
    return sealed(head + masses + counts + tree)


# The worked example of format.md.
EXAMPLE = bytes.fromhex("0200017f0200004000003f010100")


def in_c(data):
    model = ffi.new("bbans_model *")
    status = lib.bbans_model_parse(model, data, len(data))
    if status == lib.BBANS_OK:
        size = lib.bbans_model_bytes(model)
        memory = ffi.new("uint64_t[]", size // 8 + 1)
        status = lib.bbans_model_build(model, memory, size)
    return status


def test_the_contexts_of_the_worked_example():
    data = arhmm_file(EXAMPLE, 3, 3)
    assert FrozenModel.from_bytes(data).contexts.n_contexts == 3
    assert in_c(data) == lib.BBANS_OK
    assert describe(io.BytesIO(data))["contexts"] == "3 of up to 1 symbols, 3 entries"


def longer(at):
    """The number at byte `at` of the example in two bytes."""
    number = bytes([EXAMPLE[at] | 0x80, 0])
    return EXAMPLE[:at] + number + EXAMPLE[at + 1 :]


COUNTS = [0, 1, 2, 4, 14, 15, 2**24 + 1, 2**32 - 1]
NUMBERS = [0, 1, 2, 4, 5, 8, 9, 11, 12, 13]


@pytest.mark.parametrize(
    "data",
    [
        *(arhmm_file(longer(at), 3, 3) for at in NUMBERS),
        *(arhmm_file(EXAMPLE + tail, 3, 3) for tail in (b"\0", b"\1", bytes(40))),
        *(arhmm_file(EXAMPLE[:n], 3, 3) for n in range(len(EXAMPLE))),
        *(arhmm_file(EXAMPLE, n, 3) for n in COUNTS),
        *(arhmm_file(EXAMPLE, 3, n) for n in COUNTS),
        arhmm_file(b"\xff\xff\xff\1" + EXAMPLE, 3, 3),
    ],
)  # fmt: skip
def test_contexts_that_no_writer_makes(data):
    """Numbers not in their shortest form, bytes left over or missing, other counts."""
    for read in (FrozenModel.from_bytes, lambda data: describe(io.BytesIO(data))):
        with pytest.raises(bbans.CorruptError, match="inconsistent: "):
            read(data)
    assert in_c(data) == lib.BBANS_ERR_CORRUPT


def test_each_byte_of_contexts():
    """Python and C take the same."""
    taken = 0
    for at in range(len(EXAMPLE)):
        for value in range(256):
            tree = EXAMPLE[:at] + bytes([value]) + EXAMPLE[at + 1 :]
            data = arhmm_file(tree, 3, 3)
            try:
                FrozenModel.from_bytes(data)
            except bbans.CorruptError:
                assert in_c(data) == lib.BBANS_ERR_CORRUPT
            else:
                assert in_c(data) == lib.BBANS_OK
                taken += 1
    assert len(EXAMPLE) < taken < 1000


# ---- filters and posteriors, any weights


def weights(n, most):
    return st.lists(st.integers(0, most // n), min_size=n, max_size=n).filter(any)


@EXACT
@given(st.data(), st.integers(1, 20), st.integers(0, 2**32), st.integers(9, 28))
def test_filters_and_posteriors_of_any_weights(data, K, seed, prec):
    """The kernels of each instruction set, and plain Python."""
    floats = bbans.HMM.random(K, 3, concentration=0.1, seed=seed)
    model = floats.freeze(prec)
    plain = reference.HMM(
        *(t.tolist() for t in (model.initial, model.transition, model.emission)),
        prec, model.start_length,
    )  # fmt: skip
    predicted = data.draw(weights(K, 2**31 - 1))
    filtered = data.draw(weights(K, 2**32 - 1))
    column = data.draw(weights(K, K << 28))
    x, z = data.draw(st.integers(0, 2)), data.draw(st.integers(0, K))
    stride = model.c.stride

    def row(values, n=stride):
        return ffi.new("uint32_t[]", values + [0] * (n - len(values)))

    plain.column = lambda x, past: (
        column if x is None else [r[x] for r in plain.emission]
    )
    try:
        for isa in (lib.BBANS_ISA_PORTABLE, lib.BBANS_ISA_BEST):
            lib.bbans_isa_use(isa)
            for symbol, call in (
                (x, lambda p, W: lib.bbans_hmm_filter(
                    model.c, p, ffi.new("uint32_t *", x), 1, W)),
                (None, lambda p, W: lib.bbans_hmm_filter_by(
                    model.c, row(column), p, W)),
            ):  # fmt: skip
                p, W = row(predicted), row([])
                if any(reference.products(predicted, plain.column(symbol, ()))):
                    assert call(p, W) == lib.BBANS_OK
                    expected = reference.filter_step(plain, predicted, symbol, ())
                    assert (list(W)[:K], list(p)[:K]) == expected
            edge = ffi.new("uint32_t[]", stride + 1)
            assert lib.bbans_hmm_posterior(model.c, row(filtered), z, edge) == 0
            expected = reference.posterior(plain, filtered, None if z == K else z)
            assert np.diff(list(edge))[:K].tolist() == expected
    finally:
        lib.bbans_isa_use(lib.BBANS_ISA_BEST)
    assert lib.bbans_hmm_posterior(model.c, row(filtered), K + 1, edge) < 0


# ---- files of another kind


def npz():
    file = io.BytesIO()
    np.savez(file, x=np.arange(3))
    return file.getvalue()


def npy():
    file = io.BytesIO()
    np.save(file, np.arange(300, dtype=np.int16))
    return file.getvalue()


WAVE = b"RIFF\x24\x08\0\0WAVEfmt \x10\0\0\0\1\0\1\0" + bytes(40)
KINDS = {
    "model file": MODEL.to_bytes(),
    "container": bbans.compress([0, 1], MODEL),
    "byte stream": bbans.bytes_compress(b"abc"),
    "signal": bbans.signal_compress([1, 2, 3]),
    "zip archive": npz(),
    "numpy array": npy(),
    "WAVE file": WAVE,
    "gzip file": gzip.compress(b"text"),
    "zstd file": b"\x28\xb5\x2f\xfd" + bytes(20),
    "xz file": b"\xfd7zXZ\0" + bytes(20),
    "bzip2 file": b"BZh91AY&SY" + bytes(20),
    "HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(20),
}
OPENERS = {
    "model file": [
        bbans.load_model, bbans.FrozenHMM.load, bbans.FrozenARHMM.load,
        bbans.FrozenLGSSM.load,
    ],
    "container": [lambda path: bbans.decompress(path.read_bytes(), MODEL)],
    "byte stream": [lambda path: bbans.bytes_decompress(path.read_bytes())],
    "signal": [lambda path: bbans.signal_decompress(path.read_bytes())],
    "zip archive": [bbans.HMM.load, bbans.GaussianHMM.load, bbans.LGSSM.load],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wanted", OPENERS)
def test_errors_say_what_a_file_is(kind, wanted, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(KINDS[kind])
    if kind == wanted:
        return
    for load in OPENERS[wanted]:
        with pytest.raises(bbans.FormatError, match=f"this is an? .*{kind}"):
            load(path)


@pytest.mark.parametrize("kind", [*KINDS][4:])
def test_info_and_decompress_say_what_a_file_is(kind, tmp_path, capsys):
    path = tmp_path / "file.bbz"
    path.write_bytes(KINDS[kind])
    for command in (["info"], ["decompress", "-q"]):
        assert main([*command, str(path)]) == 1
        assert kind in capsys.readouterr().err
    assert not (tmp_path / "file").exists()


def test_what_no_one_knows():
    for data in (b"?", b"", bytes(16), b"PK", b"text, and more of it"):
        assert str(wrong_kind(data, "a file")) == (
            "not a file: it does not start with its magic"
        )
        check_raw(data, "int16")


@pytest.mark.parametrize("kind", KINDS)
def test_bare_integers_have_no_header(kind, tmp_path, capsys):
    """In all the ways that files of integers are read."""
    path, out = tmp_path / "data", tmp_path / "out"
    path.write_bytes(KINDS[kind] + bytes(-len(KINDS[kind]) % 2))
    model = tmp_path / "m.bbm"
    LINEAR.save(model)
    typed = ["--type", "int16", str(path), "-o", str(out), "-q"]
    for command in (
        ["compress", *typed],
        ["compress", "-m", str(model), *typed],
        ["compress", "-m", str(model), "--block-size", "1", *typed],
        ["train", "--latents", "1", *typed],
        ["train", "--latents", "1", str(path), "-o", str(out), "-q"],
    ):
        assert main(command) == 1
        error = capsys.readouterr().err
        assert kind in error
        assert "header would be coded" in error
        assert not out.exists()
    with pytest.raises(bbans.SymbolError, match=kind):
        bbans.compress_file(io.BytesIO(KINDS[kind]), io.BytesIO(), LINEAR, dtype="u1")


@pytest.mark.parametrize("block_size", [1, 3, 7, 16, 100])
def test_bare_integers_are_all_coded(block_size):
    """What was read to know the kind is part of the data."""
    for n in (0, 1, 7, 8, 9, 40):
        data, sink, back = np.arange(n, dtype="<i2"), io.BytesIO(), io.BytesIO()
        bbans.compress_file(
            io.BytesIO(data.tobytes()), sink, LINEAR, dtype="i2", block_size=block_size
        )
        bbans.decompress_file(io.BytesIO(sink.getvalue()), back, LINEAR)
        assert back.getvalue() == data.tobytes()
