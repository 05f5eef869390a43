"""Files of anyone's making, checksums right: what a reader refuses, and what it says
of files of another kind."""

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
from bbans.cli.main import main
from bbans.formats import signals
from bbans.formats.bytes import decode_bytes, encode_bytes
from bbans.formats.info import describe
from bbans.frozen import FrozenARHMM, FrozenModel
from bbans.frozen.contexts import read_contexts

EXACT = settings(derandomize=True, deadline=None)
MODEL = bbans.HMM.random(2, 5, seed=1).freeze(16)
LINEAR = bbans.LGSSM([[0.9]], [[1.0]], [[4.0]], [[1.0]]).freeze()


def sealed(data):
    return data + zlib.crc32(data).to_bytes(4, "little")


# ---- blocks of bytes


def container_of(*blocks, element=0, shape=(), coder=b"\0"):
    """Blocks (n, method, data) with right checksums."""
    return reference.write_part(element, coder, blocks, shape)


@pytest.mark.parametrize(
    ("n", "block", "text"),
    [
        (9, b"\0\x83\0abc", "no block of 9 bytes"),
        (9, b"\x90\x09abc", "no block of 9 bytes"),
        (9, b"\0", "no block of 9 bytes"),
        (9, b"", "no block of 9 bytes"),
        (9, b"\0\0", "no block of 9 bytes"),
        (9, b"\1\x0aa", "no block of 9 bytes"),
        (9, b"\0\x09abc", "block 0 is damaged"),
        (9, b"\1\x09ab", "block 0 is damaged"),
        (9, b"\3\x09abcdef", "block 0 is damaged"),
    ],
)
def test_blocks_of_bytes_that_no_writer_makes(n, block, text):
    assert bbans.decompress(container_of((9, 2, b"\1\x09a"))) == b"a" * 9
    data = container_of((n, 2, block))
    with pytest.raises(bbans.CorruptError, match=text):
        bbans.decompress(data)
    with pytest.raises(reference.Damage):
        reference.decode_container(data, None)


def test_damaged_patches_are_refused_as_plain_python_refuses_them():
    """Bytes too rare for a slot of their own are patched."""
    draw, outcomes = np.random.default_rng(2), set()
    data = draw.integers(40, 62, 34_000, np.uint8)
    data[draw.integers(0, data.size, 5)] = [200, 201, 201, 230, 230]
    block, out = bytes(encode_bytes(data, 0)), np.empty_like(data)
    assert (block[0] & 3, block[0] >> 7) == (2, 1)
    for _ in range(80):
        bad = bytearray(block)
        bad[draw.integers(20, 44)] ^= 1 << draw.integers(8)
        try:
            decode_bytes(bytes(bad), out)
            ours = out.tobytes()
        except bbans.CorruptError:
            ours = None
        try:
            theirs = reference.decode_bytes_block(bytes(bad))
        except (reference.Damage, IndexError):
            theirs = None
        assert ours == theirs
        outcomes.add(ours is None)
    assert outcomes == {False, True}


# ---- signals


def signal_of(block, n=40, element=20):
    return container_of((n, 3, block), element=element, shape=(n,))


VALUES = np.array([[3], [1], [4], [1], [90]] * 8, "<u4")
BLOCK = bytes(signals.encode_signal(VALUES, 5))


def test_the_signal_that_the_others_are_made_from():
    assert len(BLOCK) <= VALUES.nbytes
    assert (bbans.decompress(signal_of(BLOCK)) == VALUES.ravel()).all()


STORED_SIGNAL = b"\3" + VALUES.tobytes()


@pytest.mark.parametrize(
    "data",
    [
        signal_of(b""),
        signal_of(BLOCK[:9]),
        signal_of(BLOCK[:1]),
        signal_of(BLOCK + b"\1"),
        signal_of(bytes([BLOCK[0] + 4 * 6]) + BLOCK[1:]),  # 7 channels
        signal_of(bytes([BLOCK[0] + 1]) + BLOCK[1:]),  # two lanes
        signal_of(bytes([BLOCK[0] + 3]) + BLOCK[1:]),  # stored
        signal_of(STORED_SIGNAL[:-1]),
        signal_of(BLOCK, 39),
        signal_of(BLOCK, 30),
    ],
)
def test_signals_that_no_writer_makes(data):
    with pytest.raises(bbans.CorruptError, match="block 0 is damaged: it is no signal"):
        bbans.decompress(data)


def test_stored_signals():
    """No writer of containers makes them: they are a byte longer than the elements."""
    out = np.empty(40, "<u4")
    signals.decode_signal(STORED_SIGNAL, out)
    assert (out == VALUES.ravel()).all()
    noise = np.random.default_rng(0).integers(0, 2**63, (9, 1))
    assert bytes(signals.encode_signal(noise, 9)) == b"\3" + noise.tobytes()


def test_the_message_of_a_signal_is_empty_at_its_end():
    """Below what is popped there may be no more."""
    source = reference.SignalSource(BLOCK[1:], 1)
    source.message.tail[:0] = [7]
    block = BLOCK[:1] + source.message.to_bytes()
    with pytest.raises(bbans.CorruptError, match="it is no signal"):
        bbans.decompress(signal_of(block))


def test_lines_are_of_arrays():
    line = b"\3" + struct.pack("<QQ", 5, 7)
    along = bytes(signals.encode_signal(12 + 7 * np.arange(3)[:, None], 5, (5, 7)))
    data = container_of((3, 3, along), element=20, shape=(3,), coder=line)
    assert bbans.decompress(data).tolist() == [12, 19, 26]
    assert reference.read_container(data)
    with pytest.raises(bbans.errors.VersionError):
        bbans.decompress(container_of((3, 0, b"abc"), element=0, coder=line))


# ---- contexts of autoregressive models


def arhmm_file(tree, prec=4):
    """One state, two symbols; format.md, "Model file"."""
    head = (
        b"\x89bbm\x03\x02" + bytes([0, 0, prec, 0, 0, 0]) + struct.pack("<III", 1, 2, 7)
    )
    masses = struct.pack("<4I", 16, 16, 12, 16)  # emissions as running sums
    return sealed(head + masses + tree)


# The worked example of format.md.
EXAMPLE = struct.pack(
    "<II 4I 4I 3H 3H 3H 3B3x",
    3, 3, 1, 3, 3, 3, 0, 0, 2, 3, 0, 0, 2, 0, 1, 1, 2, 3, 5, 255, 127, 63,
)  # fmt: skip


def in_c(data):
    model = ffi.new("bbans_model *")
    status = lib.bbans_model_parse(model, data, len(data))
    if status == lib.BBANS_OK:
        size = lib.bbans_model_bytes(model)
        memory = ffi.new("uint64_t[]", size // 8 + 1)
        status = lib.bbans_model_build(model, memory, size)
    return status


def test_the_contexts_of_the_worked_example():
    data = arhmm_file(EXAMPLE)
    assert FrozenModel.from_bytes(data).contexts.n_contexts == 3
    assert in_c(data) == lib.BBANS_OK
    assert describe(io.BytesIO(data))["contexts"] == "3 of up to 1 symbols, 3 entries"


def test_each_byte_of_contexts():
    """Python and C take the same trees."""
    taken = 0
    for at in range(8, len(EXAMPLE) - 3):
        for value in range(256):
            tree = EXAMPLE[:at] + bytes([value]) + EXAMPLE[at + 1 :]
            data = arhmm_file(tree)
            try:
                contexts = read_contexts(tree[8:], 3, 3)
                FrozenARHMM([16], [[16]], [[12, 4]], contexts, prec=4, start_length=7)
            except bbans.ModelError:
                assert in_c(data) < 0
                with pytest.raises(bbans.CorruptError, match="inconsistent"):
                    FrozenModel.from_bytes(data)
            else:
                assert in_c(data) == lib.BBANS_OK
                assert FrozenModel.from_bytes(data).contexts == contexts
                taken += 1
    assert len(EXAMPLE) < taken < 2000


def test_counts_and_zeros_of_contexts():
    for at in (*range(8), -3, -2, -1):
        for bit in range(8):
            tree = bytearray(EXAMPLE)
            tree[at] ^= 1 << bit
            data = arhmm_file(bytes(tree))
            assert in_c(data) in (lib.BBANS_ERR_CORRUPT, lib.BBANS_ERR_TRUNCATED)
            for read in (FrozenModel.from_bytes, lambda x: describe(io.BytesIO(x))):
                with pytest.raises(bbans.FormatError):
                    read(data)


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
                (None, lambda p, W: lib.bbans_hmm_filter_masses(
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
        bbans.load_model, bbans.frozen.FrozenHMM.load, bbans.frozen.FrozenARHMM.load,
        bbans.frozen.FrozenLGSSM.load,
    ],
    "container": [
        lambda path: bbans.decompress(path.read_bytes()), bbans.open,
    ],
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


@pytest.mark.parametrize("kind", [*KINDS][2:])
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
