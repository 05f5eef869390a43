"""Files by what they are: arrays, sound and tables, which come back to the byte."""

import contextlib
import gzip
import io
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import reference as ref
from hypothesis import given
from hypothesis import strategies as st

import bbans
from bbans import compress_file, decompress, decompress_file
from bbans.errors import (
    CorruptError,
    FormatError,
    LimitError,
    ModelError,
    SymbolError,
    TruncatedError,
)
from bbans.files.hint import looks_like
from bbans.files.recognise import file_coder
from bbans.formats.bytes import octets
from bbans.formats.coders import ByteCoder, PieceCoder
from bbans.formats.info import describe
from bbans.formats.mixing_coder import MixingCoder
from bbans.formats.pieces import decode_pieces, encode_pieces


def packed(data, **options):
    sink = io.BytesIO()
    compress_file(io.BytesIO(data), sink, **options)
    return sink.getvalue()


def comes_back(data, **options):
    """The container of a file, which holds its bytes by every way of reading."""
    blob = packed(data, **options)
    assert decompress(blob, kind=bytes) == data
    sink = io.BytesIO()
    decompress_file(io.BytesIO(blob), sink)
    assert sink.getvalue() == data
    return blob


def holds(blob):
    """What `info` says of the pieces: bytes by their names."""
    text = describe(io.BytesIO(blob)).get("holds", "")
    found = re.findall(r"(\d+) (?:bytes of (\w+)|other bytes)", text)
    return {name or "other": int(n) for n, name in found}


def walk(n, channels=1, scale=20.0, seed=0):
    """Samples over time that a signal codes well: shape (n, channels)."""
    rng = np.random.default_rng(seed)
    common = np.cumsum(rng.normal(size=(n, 1)) * scale, axis=0)
    return np.rint(common + rng.normal(size=(n, channels)) * scale / 4)


# ---- arrays


def npy(array, version=(1, 0)):
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # old numpy may not read it
        np.lib.format.write_array(file, array, version=version, allow_pickle=True)
    return file.getvalue()


INTEGERS = [
    f"{order}{sign}{size}" for order in "<>" for sign in "iu" for size in (2, 4, 8)
]
DTYPES = [*INTEGERS, "i1", "u1", "<M8[s]", ">M8[ns]", "<m8[us]"]


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_of_integers_are_signals(dtype, version):
    scale = 1.0 if dtype[-1] == "1" else 20.0
    values = walk(3000, scale=scale).ravel()
    if "u" in dtype[:2]:
        values -= values.min()
    if dtype[-1] == "1":
        values = np.clip(values, 0, 120)
    data = npy(values.astype("i8").astype(dtype), version)
    blob = comes_back(data)
    bits = 8 * np.dtype(dtype).itemsize
    unsigned = "u" if "u" in dtype[:2] else ""
    assert holds(blob) == {
        f"{unsigned}int{bits}": values.size * bits // 8,
        "other": len(data) - values.size * bits // 8,
    }
    assert len(blob) < len(bbans.compress(data, ByteCoder()))


@pytest.mark.parametrize("shape", [(900,), (300, 3), (3, 300), (30, 10, 3), (900, 1)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_shape_and_order(shape, order):
    array = np.asarray(walk(900).astype("<i4").reshape(shape), order=order)
    blob = comes_back(npy(array))
    assert holds(blob)["int32"] == 3600


def test_channels_are_found_in_any_order_of_the_axes():
    array = walk(4000, channels=6).astype("<i4")
    one = len(packed(npy(array.T.reshape(-1, 1))))
    for same in (array, array.T, array.reshape(-1, 2, 3)):
        for order in "CF" if same.ndim == 2 else "C":
            size = len(comes_back(npy(np.asarray(same, order=order))))
            assert abs(size - len(packed(npy(array)))) < 60
            assert size < 0.95 * one


def test_an_array_in_the_order_of_fortran_that_is_longer_than_a_block():
    array = np.asfortranarray(walk(600_000, channels=2).astype("<i4"))
    comes_back(npy(array), level=1)


def test_booleans():
    blob = comes_back(npy(walk(5000).ravel() > 0))
    assert holds(blob)["uint8"] == 5000


RECORD = np.dtype([("a", "<i2"), ("b", "<f4")])


@pytest.mark.parametrize(
    "array",
    [
        np.arange(0, dtype="i4"), np.array(7), np.arange(5.0),
        np.zeros((2, 0, 3), "i2"), np.array(["some", "text"] * 50),
        np.array([b"x"] * 99),
        np.zeros(50, RECORD), np.array([None, "x"], object), np.arange(4, dtype="c8"),
        np.zeros(100, [("a\u00e9", "i4")]), np.arange(9, dtype="f2"),
    ],
    ids=lambda array: f"{array.dtype}{array.shape}",
)  # fmt: skip
def test_other_arrays_are_bytes_or_few(array):
    version = (3, 0) if "é" in str(array.dtype) else None
    comes_back(npy(array, version))


@pytest.mark.parametrize("cut", [0, 5, 6, 9, 10, 50, 127, 128, 129, 131, 1000, 4127])
def test_arrays_that_end_early(cut):
    comes_back(npy(walk(1000).astype("<i4"))[:cut])


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:20] + b"\xff" * 20 + data[40:],
        lambda data: data.replace(b"'descr'", b"'scred'"),
        lambda data: data.replace(b"(1000, 1)", b"(-9, -9) "),
        lambda data: data.replace(b"'<i4'", b"'<x9'"),
        lambda data: data.replace(b"(1000, 1)", b"(1000, 1("),
        lambda data: data.replace(b"{", b"\0"),
        lambda data: data[:6] + b"\x09\x00" + data[8:],
        lambda data: data + b"and more",
        lambda data: data[:8] + b"\xff\xff" + data[10:],
    ],
)
def test_arrays_with_strange_headers(damage):
    comes_back(damage(npy(walk(1000).astype("<i4"))))


# ---- sound

PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
FLOAT_GUID = b"\3" + PCM_GUID[1:]


def chunk(name, body, order="<", size=None):
    size = len(body) if size is None else size
    return name + struct.pack(f"{order}I", size) + body + b"\0" * (len(body) % 2)


def wav(
    samples,
    width,
    *,
    order="<",
    tag=1,
    guid=None,
    magic=b"RIFF",
    before=b"",
    after=b"",
    size=None,
    channels=None,
):
    """A WAVE file of samples of shape (steps, channels)."""
    channels = samples.shape[1] if channels is None else channels
    wide = samples.astype(f"{order}i8").view("u1").reshape(-1, 8)
    if width == 1:
        wide = (samples + 128).astype(f"{order}i8").view("u1").reshape(-1, 8)
    body = (wide[:, :width] if order == "<" else wide[:, 8 - width :]).tobytes()
    step = width * channels
    form = struct.pack(
        f"{order}HHIIHH", tag, channels, 8000, 8000 * step, step, 8 * width
    )
    if guid is not None:
        form += struct.pack(f"{order}HHI", 22, 8 * width, 3) + guid
    rest = before + chunk(b"fmt ", form, order) + chunk(b"data", body, order, size)
    rest += after
    return magic + struct.pack(f"{order}I", 4 + len(rest)) + b"WAVE" + rest


NAMES = {1: "uint8", 2: "int16", 3: "int24", 4: "int32"}


def sound(width, channels=1, n=3000):
    """Samples of any width."""
    samples = walk(n, channels, scale=2.0 if width == 1 else 30.0)
    return np.clip(samples, -128, 127) if width == 1 else samples


@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("kind", ["plain", "extensible", "big-endian"])
def test_sound_of_any_pcm(width, channels, kind):
    options = {
        "plain": {},
        "extensible": {"tag": 0xFFFE, "guid": PCM_GUID},
        "big-endian": {"order": ">", "magic": b"RIFX"},
    }[kind]
    samples = sound(width, channels)
    data = wav(samples, width, **options)
    blob = comes_back(data)
    assert holds(blob)[NAMES[width]] == samples.size * width
    assert len(blob) < len(bbans.compress(data, ByteCoder()))
    assert describe(io.BytesIO(blob))["kind"].endswith("a WAVE file")


@pytest.mark.parametrize(
    "options",
    [
        {"before": chunk(b"LIST", b"INFOISFT\x05\0\0\0Lavf\0")},
        {"before": chunk(b"bext", os.urandom(602))},
        {"after": chunk(b"id3 ", b"odd")},
        {"after": b"anything at all"},
        {"size": 0xFFFFFFFF},
        {"size": 0},
        {"size": 10**6},
        {"size": 5999},
        {"size": 100, "after": b"\1\2\3"},
        {"magic": b"RF64", "size": 0xFFFFFFFF,
         "before": chunk(b"ds64", struct.pack("<QQQI", 6100, 6000, 3000, 0))},
        {"magic": b"BW64", "size": 0xFFFFFFFF,
         "before": chunk(b"ds64", struct.pack("<QQQI", 2**63, 2**63, 0, 0))},
        {"magic": b"RF64", "size": 0xFFFFFFFF, "before": chunk(b"ds64", b"short")},
    ],
)  # fmt: skip
def test_sound_with_other_chunks_and_lengths(options):
    blob = comes_back(wav(sound(2), 2, **options))
    assert holds(blob)["int16"] >= 100


@pytest.mark.parametrize(
    "options",
    [
        {"tag": 6}, {"tag": 0xFFFE, "guid": b"\1" * 16}, {"tag": 0xFFFE},
        {"channels": 0},
    ],
)  # fmt: skip
def test_sound_that_is_no_pcm_is_bytes(options):
    assert holds(comes_back(wav(sound(4), 4, **options))) == {}
    odd = wav(sound(3), 3, tag=3)  # there are no floats of 24 bits
    assert holds(comes_back(odd)) == {}


@pytest.mark.parametrize("width", [4, 8])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["plain", "extensible", "big-endian"])
def test_sound_of_floats(width, channels, kind):
    options = {
        "plain": {"tag": 3},
        "extensible": {"tag": 0xFFFE, "guid": FLOAT_GUID},
        "big-endian": {"tag": 3, "order": ">", "magic": b"RIFX"},
    }[kind]
    values = (sound(2, channels) / 32768).astype(f"f{width}")
    data = wav(values.view(f"i{width}"), width, **options)
    blob = comes_back(data)
    assert holds(blob)[f"float{8 * width}"] == values.nbytes
    assert len(blob) < 0.8 * len(bbans.compress(data, ByteCoder()))


def test_every_cut_of_sound():
    data = wav(sound(3, 2, n=20), 3, before=chunk(b"fact", b"abc"))
    for cut in range(len(data)):
        comes_back(data[:cut])


@given(st.binary(max_size=80), st.binary(max_size=200))
def test_any_chunks(form, rest):
    comes_back(b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", form) + b"data" + rest)
    comes_back(b"RIFF\0\0\0\0WAVE" + rest)


@pytest.mark.parametrize("block_size", [1, 7, 1000, 4097])
def test_blocks_that_cut_samples(block_size):
    data = wav(sound(3, 2, n=400 if block_size < 100 else 4000), 3)
    comes_back(data, block_size=block_size)


def test_a_block_of_24_bits_whose_values_need_more_than_a_block():
    layout = file_coder(wav(sound(3, 2), 3)).layout
    data = np.empty(1 << 24, np.uint8)
    runs = replace(layout, stop=1 << 30).runs(0, data)
    assert sum(run.n_bytes for run in runs) == data.size
    assert max(run.n_bytes for run in runs) == 3 << 22


# ---- tables


def table(n=500, end="\n"):
    rng = np.random.default_rng(1)
    x = np.cumsum(rng.normal(size=n))
    when = np.datetime64("2020-02-27T22:00") + 5 * np.arange(n)
    rows = [
        f'{t},{v:.2f},{"NA" if i % 9 == 0 else i},"{"abc"[i % 3]}, d"'.replace("T", " ")
        for i, (t, v) in enumerate(zip(when, x, strict=True))
    ]
    return end.join(["when,x,count,what", *rows]).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", ["", "\n", "\r\n", "\n\n", "\n# a note", "\x1b"])
def test_tables(end, last):
    data = table(end=end) + last.encode()
    blob = comes_back(data)
    assert holds(blob)["tables"] > 0.9 * len(data)
    assert 4 * len(blob) < len(bbans.compress(data, ByteCoder()))
    assert len(blob) < len(bbans.compress(data))
    assert describe(io.BytesIO(blob))["kind"].endswith("a table of text")


def test_tables_are_cut_anywhere():
    data = table()
    for block_size in (100, 999, 5000):
        comes_back(data, block_size=block_size)


def test_a_table_of_many_short_lines():
    data = b"x\n" + b"".join(b"%d\n" % (i % 7) for i in range(300_000))
    blob = comes_back(data)
    assert len(blob) < 1000
    assert holds(blob)["tables"] == len(data) - 2


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"\n\n\n\n\n\n\n\n", b"a,b\n", b"1,2\n" * 2, b"1,2\n" * 9,
        b",,,\n" * 50, b'"\n' * 50, b'"1,2\n3",4\n' * 50,
        b"1;2\r\n" * 50 + b"3;4\n" * 50, b"1\r2\r3\r" * 50,
        b"\xff\xfe1,2\n" * 50, b"x\0y,1\n" * 50,
        b"1," + b"9" * 70000,
        b"-0,+1,1e5,.5,5.,--1,1.2.3\n" * 50, b"0x10,1_000,\xd9\xa1,\xb2\n" * 50,
        b"99999999999999999999,1\n" * 50, b"2020-02-30,1\n" * 50, b"24:60:60,1\n" * 50,
        b"0001-01-01,9999-12-31\n" * 50, b"00:00:00.000000001,1\n" * 50,
        b" 1 , 2 \n" * 50, b"-0,1\n" * 7,
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [None, "csv"])
def test_strange_tables(data, kind):
    comes_back(data, kind=kind)


CELLS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(allow_nan=True, allow_infinity=True).map(str),
    st.floats().map(repr),
    st.dates().map(str),
    st.datetimes().map(str),
    st.times().map(str),
    st.sampled_from(["", "NA", '"a,b"', '"', " 1", "a\r", "0001", "1.50", "\x1c"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)


@given(
    st.lists(st.lists(CELLS, min_size=1, max_size=3), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), min_size=8, max_size=60),
    st.sampled_from(",;\t|"),
    st.sampled_from(["\n", "\r\n"]),
    st.text(max_size=20),
)
def test_any_rows_come_back(columns, picks, delimiter, end, rest):
    rows = [
        delimiter.join(
            cells[(a + i * b) % len(cells)] for i, cells in enumerate(columns)
        )
        for a, b in picks
    ]
    text = end.join([*rows, rest])
    comes_back(text.encode("utf-8", "surrogatepass"), kind="csv")


@given(st.text())
def test_any_text_comes_back(text):
    comes_back(text.encode("utf-8", "surrogatepass"), kind="csv")


@given(st.binary())
def test_any_bytes_come_back(data):
    comes_back(data, kind="csv")
    comes_back(data)


PROSE = b"It was the best of times, it was the worst of times.\n" * 20


@pytest.mark.parametrize(
    "data",
    [PROSE, b"a = b\n" * 30, b"one, two, three,\n" * 30, b"#include <a.h>\n" * 30],
)
def test_text_without_a_column_of_values_is_no_table(data):
    assert isinstance(file_coder(data), MixingCoder)
    assert isinstance(file_coder(data, level=1), ByteCoder)
    assert packed(data) == bbans.compress(data)


@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|", b" ", b""])
def test_delimiters_are_found(delimiter):
    row = delimiter.join([b"1", b"2.5"]) + b"\n"
    coder = file_coder(b"names\n" + row * 20)
    assert isinstance(coder, PieceCoder)
    assert coder.layout.delimiter == delimiter
    comes_back(b"names\n" + row * 20)


# ---- what is said and refused


def test_the_kind_may_be_said():
    data = wav(sound(2), 2)
    assert packed(data, kind="wav") == packed(data, kind="auto") == packed(data)
    assert packed(data, kind="bytes") == bbans.compress(data)
    for kind in ("npy", "wav"):
        with pytest.raises(SymbolError, match=f"no {kind} file that holds numbers"):
            packed(PROSE, kind=kind)
    with pytest.raises(ModelError, match="kind must be one of auto, bytes, npy"):
        packed(data, kind="mp3")
    with pytest.raises(ModelError, match="without a coder"):
        compress_file(io.BytesIO(data), io.BytesIO(), ByteCoder(), kind="wav")
    with pytest.raises(ModelError, match="without a dtype"):
        packed(data, dtype="int16", kind="wav")


def test_levels():
    data = npy(walk(20000, 2).astype("<i2"))
    assert len(comes_back(data, level=9)) <= len(comes_back(data, level=1))


def test_threads_do_not_change_the_bytes():
    data = wav(sound(2, 2, n=9000), 2)
    assert packed(data, threads=3, block_size=5000) == packed(data, block_size=5000)


def test_files_of_any_kinds_are_joined_and_sought_in(tmp_path):
    files = [wav(sound(2), 2), table(), npy(walk(500).astype("<i4")), b"rest"]
    path, whole = tmp_path / "all.bbz", b"".join(files)
    path.write_bytes(b"".join(packed(data, block_size=3000) for data in files))
    assert decompress(path.read_bytes()) == whole
    with bbans.open(path) as file:
        assert len(file) == len(whole)
        for start, stop in ((0, 50), (2990, 3010), (7000, 19000)):
            assert file[start:stop] == whole[start:stop]


def test_limits_hold():
    blob = packed(table())
    with pytest.raises(LimitError):
        decompress(blob, max_bytes=len(table()) - 1)
    assert decompress(blob, max_bytes=len(table())) == table()


FILES = {
    "npy": npy(walk(300, 2).astype(">i2")),
    "wav": wav(sound(3, 2, n=200), 3),
    "csv": table(60),
}


@pytest.mark.parametrize("kind", FILES)
def test_every_flip_and_every_cut_is_found(kind):
    blob = packed(FILES[kind])
    for i in range(len(blob)):
        bad = bytearray(blob)
        bad[i] ^= 1 << i % 8
        with pytest.raises(FormatError):
            decompress(bytes(bad))
        with pytest.raises((TruncatedError, FormatError)):
            decompress(blob[:i])


@pytest.mark.parametrize("kind", FILES)
def test_damage_that_the_checksums_do_not_see(kind):
    """Pieces that no writer made restore something or are refused, by one error."""
    data = FILES[kind]
    coder = file_coder(data)
    runs = coder.layout.runs(0, octets(data))
    block = encode_pieces(octets(data), runs, 5)
    rng = np.random.default_rng(0)
    out = np.empty(len(data), np.uint8)
    decode_pieces(block, out)
    assert out.tobytes() == data
    for _ in range(400):
        bad = bytearray(block)
        for i in rng.integers(min(len(bad), rng.choice([30, 120, 9999])), size=2):
            bad[i] = rng.integers(256)
        with contextlib.suppress(bbans.BbansError):
            decode_pieces(bytes(bad), out)


def test_a_piece_is_in_bytes_only():
    piece = bytes.fromhex("01 28 03 01 28 61")  # 40 bytes, by a block that is a run
    data = ref.write_part(0, b"\0", [(40, 5, piece)])
    assert decompress(data) == b"a" * 40
    for element in (1, 16):
        shape = {} if element == 1 else {"shape": (40,)}
        data = ref.write_part(element, b"\0", [(40, 5, piece)], **shape)
        with pytest.raises(CorruptError, match="method pieces cannot be in this part"):
            decompress(data)


def test_salvage_keeps_the_other_blocks():
    data, lost = wav(sound(2, 2, n=5000), 2), []
    blob = bytearray(packed(data, block_size=4000))
    blob[len(blob) // 2] ^= 1
    sink = io.BytesIO()
    decompress_file(io.BytesIO(bytes(blob)), sink, salvage=lost.append)
    assert len(lost) == 1
    assert isinstance(lost[0], CorruptError)
    kept = sink.getvalue()
    assert len(kept) == len(data) - 4000
    assert data.startswith(kept[:4000])
    assert data.endswith(kept[-4000:])


def test_salvage_of_a_cut_file_keeps_what_came_before():
    data, lost = table(2000), []
    blob = packed(data, block_size=10_000)
    sink = io.BytesIO()
    half = io.BytesIO(blob[: len(blob) // 2])
    decompress_file(half, sink, salvage=lost.append)
    assert len(lost) == 1
    assert isinstance(lost[0], TruncatedError)
    kept = sink.getvalue()
    assert len(kept) >= 10_000
    assert data.startswith(kept)


# ---- the command line


def run(*arguments, stdin=b"", cwd=None):
    """Run bbans, in a folder that has no sources of it."""
    command = [sys.executable, "-m", "bbans", *arguments]
    cwd = tempfile.gettempdir() if cwd is None else cwd
    return subprocess.run(
        command, input=stdin, capture_output=True, timeout=120, cwd=cwd
    )


@pytest.mark.parametrize("kind", FILES)
def test_the_command_line_knows_files_and_restores_them(kind, tmp_path):
    data = FILES[kind]
    (tmp_path / f"x.{kind}").write_bytes(data)
    done = run("compress", f"x.{kind}", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / f"x.{kind}.bbz").read_bytes() == packed(data)
    (tmp_path / f"x.{kind}").unlink()
    assert run("decompress", f"x.{kind}.bbz", cwd=tmp_path).returncode == 0
    assert (tmp_path / f"x.{kind}").read_bytes() == data
    done = run("compress", "--as", "bytes", "-", stdin=data)
    assert done.stdout == bbans.compress(data)
    done = run("compress", "--as", kind, "-", stdin=data)
    assert done.stdout == packed(data)
    facts = run("info", "-", stdin=done.stdout).stdout.decode()
    assert "holds:" in facts


def test_options_that_would_do_nothing(tmp_path):
    for options in (["--type", "int16"], ["-m", "english"]):
        done = run("compress", "--as", "wav", *options, "-", cwd=tmp_path)
        assert done.returncode == 2
        assert b"--as is for files without --type and -m" in done.stderr
    done = run("compress", "--as", "wav", "-", stdin=PROSE)
    assert done.returncode == 1
    assert b"standard input: this is no wav file that holds numbers" in done.stderr


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<i4", ">i4"])
@pytest.mark.parametrize("channels", [1, 2])
def test_bytes_that_look_like_samples_get_a_hint(dtype, channels, tmp_path):
    walks = [walk(20_000, scale=300.0, seed=i) + 5000 * i for i in range(channels)]
    samples = np.concatenate(walks, axis=1)
    data = samples.astype("i8").astype(dtype).tobytes()
    done = run("compress", "-", stdin=data)
    assert done.returncode == 0
    assert decompress(done.stdout) == data
    name = np.dtype(dtype).name + "be" * (dtype[0] == ">")
    option = f"--type {name}" + " --channels 2" * (channels == 2)
    text = done.stderr.decode()
    assert f"these look like {np.dtype(dtype).name} samples" in text
    assert option in text
    assert text.count("\n") == 1
    again = run("compress", *option.split(), "-", stdin=data)
    assert len(again.stdout) < len(done.stdout)
    assert len(again.stdout) < 0.8 * len(bbans.compress(data, ByteCoder()))
    assert run("decompress", "-", stdin=again.stdout).stdout == data
    for quiet in (["-q"], ["--as", "bytes"]):
        assert run("compress", *quiet, "-", stdin=data).stderr == b""


def pictures():
    """Pixels of 8 bits: of one byte to four, and of four without transparency."""
    y, x = np.mgrid[:200, :300]
    rng = np.random.default_rng(0)
    for depth in (1, 2, 3, 4):
        waves = [np.sin(x / (9 + i)) + np.cos(y / (17 - i)) for i in range(depth)]
        image = 128 + 40 * np.stack(waves, axis=-1) + 3 * rng.normal(size=(200, 300, 1))
        image = np.rint(image + rng.normal(size=image.shape)).astype("u1")
        yield image.tobytes()
    image[..., 3] = 255
    yield image.tobytes()


def no_samples():
    rng = np.random.default_rng(0)
    records = np.zeros(
        1 << 13, [("id", "<u4"), ("a", "<u2"), ("b", "<f4"), ("c", "S6")]
    )
    records["id"] = np.arange(records.size)
    records["a"] = rng.integers(0, 9, records.size)
    records["b"] = rng.normal(size=records.size)
    records["c"] = rng.choice([b"yes", b"no", b"perhaps"], records.size)
    few = rng.integers(0, 99, 1 << 16, np.uint8).tobytes()
    return {
        "random": rng.bytes(1 << 17),
        "text": PROSE * 100,
        "zeros": bytes(1 << 17),
        "python": Path(sys.executable).read_bytes()[: 1 << 18],
        "code": Path(bbans._lib.__file__).read_bytes() * 20,
        "compressed": bbans.compress(few)[40:],
        "gzip": gzip.compress(few)[40:],
        "floats": rng.normal(size=1 << 14).astype("<f4").tobytes(),
        "doubles": np.cumsum(rng.normal(size=1 << 14)).astype("<f8").tobytes(),
        "noise": rng.integers(0, 2**16, 1 << 16).astype("<u2").tobytes(),
        "records": records.tobytes(),
        **{f"picture {i}": picture for i, picture in enumerate(pictures())},
    }


@pytest.mark.parametrize("name", no_samples())
def test_no_hint_for_what_is_no_samples(name):
    assert looks_like(no_samples()[name]) is None


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((20, 30, 40), "tyx"),
        ((30, 40, 3), "yxc"),
        ((90, 70), "yx"),
        ((2, 5, 30, 40, 2), "tzyxc"),
        ((90, 64), None),
        ((900,), None),
        ((2, 2, 2, 2, 2, 9, 9), None),
    ],
)
def test_arrays_that_may_be_images_get_a_hint(shape, axes, tmp_path):
    np.save(tmp_path / "x.npy", np.zeros(shape, "u1"))
    command = [sys.executable, "-m", "bbans", "compress", "-f", "x.npy"]
    options = {"cwd": tmp_path, "capture_output": True, "text": True, "check": True}
    said = subprocess.run(command, **options).stderr
    assert (f"--axes {axes}, or" in said) == (axes is not None)
    assert "--axes" not in subprocess.run([*command, "-q"], **options).stderr
    if axes is not None:
        subprocess.run([*command, "--axes", axes], **options)
        assert bbans.load(tmp_path / "x.npy.bbz").shape == shape


def test_no_hint_for_little():
    assert looks_like(walk(1000, scale=300.0).astype("<i2").tobytes()) is None


# ---- weights


def safetensors(tensors, metadata=None, pad=8, **changed):
    """A file of arrays of bits by name, each with its type there."""
    header, data = {} if metadata is None else {"__metadata__": metadata}, b""
    for name, (dtype, array) in tensors.items():
        begin, data = len(data), data + array.tobytes()
        header[name] = {
            "dtype": dtype,
            "shape": list(array.shape),
            "data_offsets": [begin, len(data)],
        } | changed.get(name, {})
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % pad)
    return len(text).to_bytes(8, "little") + text + data


def bfloat16(n, scale=0.02, seed=0):
    values = np.random.default_rng(seed).normal(size=n) * scale
    return (values.astype("<f4").view("<u4") >> 16).astype("<u2")


@pytest.mark.parametrize("level", [1, 5, 9])
def test_weights_are_coded_by_their_exponents(level):
    weights = bfloat16(60_000).reshape(200, 300)
    data = safetensors({"w": ("BF16", weights)}, {"format": "pt"})
    blob = comes_back(data, level=level)
    assert holds(blob) == {"bfloat16": 120_000, "other": len(data) - 120_000}
    assert len(blob) < 0.67 * len(data)
    assert len(blob) < 0.96 * len(bbans.compress(data, ByteCoder()))
    assert len(blob) < len(packed(data, kind="bytes"))


def test_tensors_of_all_types():
    rng = np.random.default_rng(3)
    normal = rng.normal(size=2000)
    tensors = {
        "f64": ("F64", normal),
        "f32": ("F32", normal.astype("<f4")),
        "f16": ("F16", normal.astype("<f2")),
        "bf16": ("BF16", bfloat16(2000)),
        "e4m3": ("F8_E4M3", rng.integers(40, 60, 2000, np.uint8)),
        "e5m2": ("F8_E5M2", rng.integers(40, 60, 2000, np.uint8)),
        "i64": ("I64", walk(2000).astype("<i8").ravel()),
        "u16": ("U16", np.arange(2000, dtype="<u2")),
        "i8": ("I8", rng.integers(-9, 9, 2000, np.int8)),
        "bool": ("BOOL", rng.integers(0, 2, 2000, np.uint8)),
        "later": ("F4_OR_SO", rng.integers(0, 2, 77, np.uint8)),
        "empty": ("F32", np.empty((0, 4), "<f4")),
        "one": ("F64", np.array(np.pi)),
    }
    found = holds(comes_back(safetensors(tensors)))
    sizes = {"float64": 16008, "float32": 8000, "float16": 4000, "bfloat16": 4000}
    sizes |= {"float8_e4m3fn": 2000, "float8_e5m2": 2000, "int64": 16000}
    sizes |= {"uint16": 4000}
    sizes["float64"] = 16000  # the last is shorter as it is
    assert {name: found.get(name) for name in sizes} == sizes


def test_tensors_begin_anywhere_and_cross_blocks():
    tensors = {
        "odd": ("U8", np.arange(3, dtype="u1")),
        "a": ("F32", np.random.default_rng(1).normal(size=400_001).astype("<f4")),
        "b": ("BF16", bfloat16(800_000)),
        "c": ("F64", np.random.default_rng(2).normal(size=90_000)),
    }
    for pad in (1, 8):
        data = safetensors(tensors, {"x": "y"}, pad=pad)
        blob = comes_back(data, level=1)
        assert len(blob) < 0.85 * len(data)
        with bbans.open(io.BytesIO(blob)) as part:
            assert part[1_999_000:2_200_001] == data[1_999_000:2_200_001]


def test_small_tensors_of_one_type_share_their_tables():
    one = {"w": ("BF16", bfloat16(20_000))}
    many = {f"w{i}": ("BF16", bfloat16(200, seed=i)) for i in range(100)}
    sizes = [len(packed(safetensors(t))) for t in (one, many)]
    assert sizes[1] < 1.15 * sizes[0]


def test_a_long_header():
    tensors = {f"layer.{i}.weight": ("F16", np.ones(2, "<f2")) for i in range(6000)}
    data = safetensors(tensors)
    assert int.from_bytes(data[:8], "little") > 1 << 18
    assert holds(comes_back(data))["float16"] == 24_000
    cut = comes_back(data[: 1 << 18])
    assert "holds" not in describe(io.BytesIO(cut))


HEADERS = [
    b"",
    b"{}",
    b"[]",
    b"{",
    b'{"a": 3}',
    b'{"a": {}}',
    b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0]}}',
    b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [16, 0]}}',
    b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 15]}}',
    b'{"a": {"dtype": "F32", "shape": [4.0], "data_offsets": [0, 16]}}',
    b'{"a": {"dtype": "F32", "shape": [true], "data_offsets": [0, 4]}}',
    b'{"a": {"dtype": "F32", "shape": [-4], "data_offsets": [0, 16]}}',
    b'{"a": {"dtype": "F32", "shape": 4, "data_offsets": [0, 16]}}',
    b'{"a": {"dtype": 7, "shape": [4], "data_offsets": [0, 16.0]}}',
    b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "b": {"dtype": '
    b'"F32", "shape": [4], "data_offsets": [15, 31]}}',
    b'{"a": ' + b"[" * 100_000,
    b'{"a": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 4]}}',
    b'{"a": {"dtype": "F32", "shape": [' + b"9," * 50_000 + b'9], "data_offsets": []}}',
    b'{"\xff": 1}',
]


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_headers_that_are_none_are_bytes(header):
    data = len(header).to_bytes(8, "little") + header + bytes(range(64))
    assert holds(comes_back(data)) == {}
    with pytest.raises(SymbolError, match="no safetensors file"):
        packed(data, kind="safetensors")


def test_tensors_that_the_file_lacks():
    tensors = {"a": ("BF16", bfloat16(5000)), "b": ("F32", np.ones(100, "<f4"))}
    whole = safetensors(tensors)
    for n in (len(whole) - 1, len(whole) - 401, 2000, 200, 9, 8, 1):
        comes_back(whole[:n])
    far = {"data_offsets": [1 << 60, (1 << 60) + 400]}
    comes_back(safetensors(tensors, b=far))


@given(st.data())
def test_damaged_headers_come_back(data):
    tensors = {"a": ("BF16", bfloat16(40)), "b": ("F32", np.ones(10, "<f4"))}
    file = bytearray(safetensors(tensors))
    for _ in range(data.draw(st.integers(1, 3))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    comes_back(bytes(file), level=1)
