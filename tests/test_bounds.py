"""Limits: what decoding may produce, what a header may claim, what info may take."""

import io
import os
import re
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
from shared import in_mode

import bbans
from bbans import records
from bbans._records import uvarint
from bbans.cli.main import main
from bbans.formats import ByteCoder, CodecCoder
from bbans.formats.container import ContainerWriter, Header
from bbans.formats.info import describe
from bbans.records import packets

MODEL = bbans.HMM.random(2, 5, seed=1).freeze(16)
LETTERS = bbans.HMM.fit("abcab", 1, n_iter=1, alphabet="abc").freeze(12)
LINEAR = bbans.LGSSM([[0.9]], [[1.0], [0.5]], [[4.0]], np.eye(2)).freeze()
X = [4, 0, 1, 1, 2, 3, 0, 4, 4, 1] * 3
ROWS = np.arange(40).reshape(20, 2)

# Each decodes to so many bytes.
CASES = {
    "decompress": (
        lambda limit: bbans.decompress(
            bbans.compress(np.array(X, np.int16), MODEL, block_size=7),
            MODEL, max_bytes=limit,
        ),
        60,
    ),
    "decompress characters": (
        lambda limit: bbans.decompress(
            bbans.compress("abcabc", LETTERS), LETTERS, max_bytes=limit
        ),
        24,
    ),
    "decompress_file": (
        lambda limit: bbans.decompress_file(
            io.BytesIO(bbans.compress(X, MODEL, block_size=7)),
            io.BytesIO(), MODEL, max_bytes=limit,
        ),
        240,
    ),
    "decode": (
        lambda limit: bbans.decode(
            bbans.encode(X, MODEL), MODEL, np.int8(30), max_bytes=limit
        ),
        240,
    ),
    "decode characters": (
        lambda limit: bbans.decode(
            bbans.encode("abcabc", LETTERS), LETTERS, 6, max_bytes=limit
        ),
        24,
    ),
    "decode rows": (
        lambda limit: bbans.decode(
            bbans.encode(ROWS, LINEAR), LINEAR, 20, max_bytes=limit
        ),
        320,
    ),
    "decode until": (
        lambda limit: bbans.decode(
            bbans.encode([0, 1, 2, 4], in_mode(MODEL, True)),
            in_mode(MODEL, True), until=4, max_bytes=limit,
        ),
        32,
    ),
    "decode_batch": (
        lambda limit: records.decode_batch(
            *records.encode_batch([X, X], MODEL), [30, 30], MODEL, max_bytes=limit
        ),
        480,
    ),
    "decode_packed": (
        lambda limit: records.unchain(
            records.chain([X, X], MODEL), [30, 30], MODEL, max_bytes=limit
        ),
        480,
    ),
    "decode_packet": (
        lambda limit: packets.decode(
            packets.encode(X, MODEL, 64)[0], MODEL, max_bytes=limit
        ),
        240,
    ),
    "decompress signals": (
        lambda limit: bbans.decompress(
            bbans.compress(ROWS, block_size=14), max_bytes=limit
        ),
        320,
    ),
    "decompress bytes": (
        lambda limit: bbans.decompress(
            bbans.compress(bytes(500), block_size=99), max_bytes=limit
        ),
        500,
    ),
    "decompress parts": (
        lambda limit: bbans.decompress(
            bbans.compress("abc") + bbans.compress("abc", LETTERS),
            LETTERS, max_bytes=limit,
        ),
        15,
    ),
}  # fmt: skip


@pytest.fixture(params=CASES.values(), ids=CASES)
def case(request):
    return request.param


def test_a_limit_lets_pass_what_it_allows(case):
    restore, size = case
    whole = restore(None)
    for limit in (size, np.int64(size), 10**30):
        again = restore(limit)
        if isinstance(whole, list):
            assert all(map(np.array_equal, again, whole))
        else:
            assert np.array_equal(again, whole)


def test_the_error_names_the_limit_and_the_claim(case):
    restore, size = case
    for limit in (size - 1, 0):
        with pytest.raises(bbans.LimitError, match=rf"\d bytes.*max_bytes.* {limit}$"):
            restore(limit)
    with pytest.raises(bbans.LimitError, match=rf"to {size} bytes"):
        restore(size - 1)


@pytest.mark.parametrize(("limit", "text"), [(-1, "-1"), (2.5, "2.5")])
def test_what_is_no_limit(case, limit, text):
    with pytest.raises(bbans.ModelError, match=f"max_bytes must be .* not {text}"):
        case[0](limit)


@pytest.mark.parametrize("length", [np.int64(2**60), 2**61, np.uint64(2**61)])
def test_lengths_that_would_wrap(length):
    with pytest.raises(bbans.LimitError, match=str(int(length) * 8)):
        bbans.decode(b"\1", MODEL, length, max_bytes=10**6)


def test_a_file_is_written_as_far_as_the_limit_goes():
    sink = io.BytesIO()
    packed = bbans.compress(bytes([0, 1, 2, 3, 4]) * 4, MODEL, block_size=6)
    with pytest.raises(bbans.LimitError, match=r"up to block 2 .* 18 bytes"):
        bbans.decompress_file(
            io.BytesIO(packed), sink, MODEL, max_bytes=13, salvage=print
        )
    assert sink.getvalue() == (bytes([0, 1, 2, 3, 4]) * 4)[:12]


# ---- claims


def peak_of(function):
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


START = bbans.compress(b"")[:11]
CLAIMS = {
    "a block": START + uvarint(1 << 24) + b"\2" + uvarint(1 << 24),
    "a block beyond": START + uvarint(2**62) + b"\2" + uvarint(2**62),
    "an index": START + b"\0" + uvarint(2**62),
    "a name": b"\x89bbz\2\0\2\xff",
}


@pytest.mark.parametrize("data", CLAIMS.values(), ids=CLAIMS)
def test_a_claim_takes_no_memory(data):
    """Nor does info believe it, nor a reader from the end."""
    lengths = [uvarint(n)[::-1] for n in (2**40, 2**62, len(data))]

    def attempt():
        for restore in (
            bbans.decompress,
            lambda data: bbans.decompress_file(io.BytesIO(data), io.BytesIO()),
            lambda data: describe(io.BytesIO(data)),
            *(
                lambda data, end=end: bbans.open(io.BytesIO(data + end))
                for end in lengths
            ),
        ):
            with pytest.raises(bbans.FormatError):
                restore(data)

    assert peak_of(attempt) < 1 << 20


@pytest.mark.parametrize("array", [False, True])
def test_what_is_long_is_limited_before_it_is_decoded(array):
    """Blocks of few bytes."""
    zeros = bytes(8 << 20)
    data = bbans.compress(
        np.frombuffer(zeros, np.int64) if array else zeros, ByteCoder()
    )
    assert len(data) < 300
    assert len(bbans.decompress(data)) == len(zeros) // (8 if array else 1)

    def attempt():
        with pytest.raises(bbans.LimitError, match=f"{8 << 20} bytes"):
            bbans.decompress(data, max_bytes=(8 << 20) - 1)

    assert peak_of(attempt) < 1 << 20


EMPTY = [(0, 2**62), (2**62, 0, 2), (0, 2**31, 2**31), (0,), (0, 7), (2**60, 0)]


def container_of(shape, element):
    file = io.BytesIO()
    ContainerWriter(file, Header(element)).finish(shape)
    return file.getvalue()


@pytest.mark.parametrize("shape", EMPTY)
@pytest.mark.parametrize("element", [16, 23])
def test_all_readers_agree_about_empty_shapes(shape, element, tmp_path):
    itemsize = Header(element).dtype.itemsize
    size = np.prod([n for n in shape if n], dtype=object) * itemsize
    data, path = container_of(shape, element), tmp_path / "a.bbz"
    path.write_bytes(data)
    outcomes = []
    for action in (
        lambda: describe(io.BytesIO(data)),
        lambda: bbans.decompress(data),
        lambda: bbans.open(io.BytesIO(data)),
    ):
        try:
            outcomes.append(action() is not None)
        except bbans.CorruptError as error:
            outcomes.append("beyond any array" not in str(error))
    outcomes.append(main(["decompress", "-q", "-f", str(path)]) == 0)
    assert outcomes == [size <= sys.maxsize] * 4


@pytest.mark.parametrize("shape", [(2**59, 0), (1, 0, 2**59), (2**29, 2**30, 0)])
@pytest.mark.parametrize(
    "read",
    [
        lambda data: describe(io.BytesIO(data)),
        bbans.decompress,
        lambda data: bbans.open(io.BytesIO(data)),
        lambda data: bbans.decompress_file(io.BytesIO(data), io.BytesIO()),
    ],
)
def test_parts_that_no_array_joins(shape, read):
    part = container_of(shape, 23)
    read(part)
    with pytest.raises(bbans.CorruptError, match="beyond any array"):
        read(part * 2)


@pytest.mark.parametrize("dtype", ["u1", "i8"])
@pytest.mark.parametrize("shape", [(0, 7), (0, 2**59), (2**40, 0)])
def test_empty_arrays_come_back(shape, dtype):
    array = np.empty(shape, dtype)
    assert bbans.decompress(bbans.compress(array)).shape == shape
    assert bbans.decompress(bbans.compress(array, MODEL), MODEL).shape == shape


# ---- the command line


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("500", 500), ("1K", 1024), ("2k", 2048), ("1KiB", 1024), ("1kB", 1000),
        ("3MiB", 3 << 20), ("10M", 10 << 20), ("1GB", 10**9), ("2T", 2 << 40),
        ("7B", 7),
    ],
)  # fmt: skip
def test_sizes(text, least):
    from bbans.cli.main import parser

    options = parser("decompress").parse_args(["--max-size", text, "x"])
    assert options.max_size == least


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5M", "1Q", "K", "1 2", "1KiX"])
def test_what_is_no_size(text, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["decompress", f"--max-size={text}", "x"])
    assert caught.value.code == 2
    assert "is no size" in capsys.readouterr().err


def test_max_size(tmp_path, capsys):
    signal = bbans.compress(np.arange(600, dtype=np.int16))
    for name, data in (("text", bbans.compress(bytes(1200))), ("signal", signal)):
        file = tmp_path / f"{name}.bbz"
        file.write_bytes(data)
        assert main(["decompress", "-q", "--max-size", "1K", str(file)]) == 1
        error = capsys.readouterr().err
        assert "1200 bytes" in error
        assert "--max-size limits it to 1024" in error
        assert f"{file}: " in error
        assert sorted(os.listdir(tmp_path)) == [file.name]
        assert main(["decompress", "-q", "--max-size", "1200", str(file)]) == 0
        (tmp_path / name).unlink()
        file.unlink()


@pytest.mark.parametrize(
    ("channels", "text"),
    [
        ("0", "--channels 0: a signal has at least 1"),
        ("16777217", "a step of 16777217 elements takes 16777217 bytes"),
        ("9" * 20, "and a block at most 16777216"),
    ],
)
def test_channels_of_a_signal(tmp_path, capsys, channels, text):
    file = tmp_path / "x"
    file.write_bytes(b"")
    assert main(["compress", "--type", "int8", "--channels", channels, str(file)]) == 1
    assert text in capsys.readouterr().err


# ---- info


def great_container(file):
    writer = ContainerWriter(file, Header(23, False, bytes(8)))
    for _ in range(5):
        writer.write(1 << 21, 0, bytes(16 << 20))
    writer.finish((5 << 21,))


def great_model(file):
    states, symbols = 160, 65535
    data = b"\x89bbm\x03\x02\0\0\x18\0\0\0"
    data += np.array([states, symbols, 9], "<u4").tobytes()
    data += bytes(4 * states * (1 + states + symbols))
    data += np.array([1, 0, 1, 1, 0, 0], "<u4").tobytes() + b"\0\0\xff\0"
    file.write(data + zlib.crc32(data).to_bytes(4, "little"))


def great_linear_model(file):
    n, p, steps = 64, 64, 1000
    word = bbans._lib.lib.bbans_lgssm_step_words(n, p)
    data = b"\x89bbm\x03\x03" + bytes(6)
    data += np.array([n, p, 9, 9, steps], "<u4").tobytes()
    data += bytes(8 * steps * (n + p) + 4 * steps * word)
    file.write(data + zlib.crc32(data).to_bytes(4, "little"))


GREAT = {
    "container of an array of int64": great_container,
    "autoregressive": great_model,
    "linear Gaussian": great_linear_model,
}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", GREAT)
def test_info_of_a_great_file_takes_little_memory(kind, tmp_path):
    """Import of the package and of numpy included."""
    with open(tmp_path / "great", "wb") as file:
        GREAT[kind](file)
    assert (tmp_path / "great").stat().st_size > 38 << 20
    script = (
        "import sys; from bbans.cli.main import main; code = main(sys.argv[1:]); "
        "print(open('/proc/self/status').read()); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "info", "great"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert kind in done.stdout
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", done.stdout)
    assert int(peak) < 60 << 10


def facts_of(data):
    return describe(io.BytesIO(data))


def test_info_on_containers():
    array = np.arange(600).reshape(-1, 2)
    rng = np.random.default_rng(0)
    array[:7] = rng.integers(-(2**62), 2**62, (7, 2))
    array[7:14] = rng.integers(0, 2, 112, np.uint8).view(np.int64).reshape(7, 2)
    data = bbans.compress(array, block_size=14)
    facts = facts_of(data)
    assert facts["kind"] == "bbans container of an array of int64"
    assert facts["shape"] == "300 x 2"
    counts = [part.split() for part in facts["blocks"].split(", ")]
    assert {method for _, method in counts} == {"stored", "bytes", "signal"}
    assert sum(int(n) for n, _ in counts) == 43
    assert (facts["coder"], facts["parts"], facts["bytes"]) == ("-", 1, len(data))
    assert facts["rate"] == f"{8 * len(data) / 600:.4f} bits/element"
    codec = CodecCoder("same", Same(), b"12345678")
    data = bbans.compress("abc" * 400, ByteCoder(), block_size=500)
    data += bbans.compress("abc" * 50)
    data += bbans.compress("abc", LETTERS) + bbans.compress("ab", codec)
    facts = facts_of(data)
    assert facts["kind"] == "bbans container of text"
    assert facts["shape"] == "1355"
    assert facts["parts"] == 4
    assert facts["blocks"] == "3 bytes, 1 mixing, 1 model, 1 codec"
    names = f"model {LETTERS.fingerprint.hex()}", "codec 'same' 3132333435363738"
    assert facts["coder"] == ", ".join(names)
    assert facts_of(bbans.compress(b""))["rate"] == "-"
    assert facts_of(bbans.compress(np.int8(1)))["shape"] == "scalar"


class Same:
    """A codec that changes nothing."""

    def encode(self, block):
        return block.tobytes()

    def decode(self, data, n):
        return np.frombuffer(data, np.uint8)


def test_info_reads_models_without_building_them():
    contexts = bbans.ARHMM.fit(b"abracadabra" * 30, 2, order=3, n_iter=1).freeze()
    for model in (MODEL, LETTERS, LINEAR, contexts):
        facts = facts_of(model.to_bytes())
        assert facts["fingerprint"] == model.fingerprint.hex()
        assert facts["start length"] == model.start_length
        assert facts["bytes"] == len(model.to_bytes())
    tree = contexts.contexts
    assert facts["contexts"] == (
        f"{tree.n_contexts} of up to {tree.order} symbols, {tree.n_entries} entries"
    )
    facts = facts_of(LETTERS.with_mode("predictive").to_bytes())
    assert [facts[name] for name in ("symbols", "data", "mode")] == [
        3,
        "text",
        "predictive",
    ]


def files():
    """One of each kind, short."""
    yield bbans.compress(b"\0\1\2" * 5, MODEL, block_size=4)
    yield bbans.compress([1, 2, 3, 5], block_size=3)
    yield bbans.compress(b"some bytes", block_size=4)
    yield LINEAR.to_bytes()
    yield bbans.ARHMM.fit([0, 1, 1] * 9, 1, order=1, n_iter=1).freeze(9).to_bytes()


@pytest.mark.parametrize("data", [*files()], ids=range(5))
def test_info_finds_every_cut_and_every_flip(data):
    describe(io.BytesIO(data))
    for length in range(len(data)):
        with pytest.raises(bbans.errors.TruncatedError):
            facts_of(data[:length])
    with pytest.raises(bbans.CorruptError, match="followed by other data"):
        facts_of(data + b"\0")
    for bit in range(8 * len(data)):
        bad = bytearray(data)
        bad[bit >> 3] ^= 1 << (bit & 7)
        with pytest.raises(bbans.FormatError):
            facts_of(bytes(bad))
