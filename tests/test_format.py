"""docs/format.md, recomputed: its numbers are read from the document itself."""

import hashlib
import random
import re
import struct
import zlib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import reference
from blocks import FLOATS as FLOAT_TYPES
from blocks import encode_float, encode_grid, geometry
from shared import (
    ALL_BYTES,
    in_mode,
    random_factorial,
    random_hierarchy,
    random_vectors,
)

from bbans import (
    LGSSM,
    Alphabet,
    Message,
    compress,
    decompress,
    encode,
)
from bbans._lib import lib
from bbans.formats import ByteCoder, CodecCoder, MixingCoder, SignalCoder
from bbans.formats.container import AXES_MAX, BLOCK_BYTES_MAX, METHODS, Header
from bbans.frozen import FrozenARHMM, FrozenHMM, FrozenNetwork
from bbans.frozen.network import OPERATIONS
from bbans.models import Contexts
from bbans.models.freeze_hmm import frozen_hmm
from bbans.records import RecordCodec, Records, packets
from bbans.records.groups import RecordBytes, put_group, put_header

TEXT = (Path(__file__).parent.parent / "docs/format.md").read_text("utf-8")
SECTIONS = {
    re.match(r"[A-Za-z ]*[a-z]", section)[0]: section
    for section in re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
}
MESSAGE, MODEL, NETWORK, CONTAINER, BYTE_BLOCK, SIGNAL, GRID, FLOATS, PACKET = (
    SECTIONS[name]
    for name in (
        "Message", "Model file", "Network file", "Container", "Bytes", "Signal",
        "Grid", "Floats", "Packet",
    )
)  # fmt: skip
RECORD, RECORD_FILE = SECTIONS["Record"], SECTIONS["Record file"]

CODER = FrozenHMM([4], [[4]], [[3, 1]], prec=2, start_length=4)
SMALL = {
    "initial": [10, 6],
    "transition": [[12, 4], [1, 15]],
    "emission": [[1, 5, 10], [14, 1, 1]],
    "prec": 4,
    "start_length": 7,
}
BYTES = FrozenHMM(
    [4096], [[4096]], [[16] * 256],
    prec=12, start_length=5, alphabet=ALL_BYTES,
)  # fmt: skip


def tables(section):
    """The tables of a section: lists of rows, each a list of cells."""
    blocks = re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)
    return [
        [line.strip("| ").split(" | ") for line in block.splitlines()[2:]]
        for block in blocks
    ]


def numbers(text, *groups):
    match = re.search("".join(groups), text, flags=re.DOTALL)
    assert match, groups
    return [int(group) for group in match.groups()]


def crc32(data):
    """As the document's polynomial has it, bit by bit."""
    polynomial = int(re.search(r"polynomial (0x\w+)", TEXT)[1], 16)
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (polynomial if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_the_checksum():
    assert crc32(b"123456789") == zlib.crc32(b"123456789") == 0xCBF43926


# ---- message


def test_the_worked_example():
    (masses,) = re.findall(r"masses (\S+) and (\S+) at\s+r = (\d+), c = (\d+)", MESSAGE)
    first, second, r, c = map(Fraction, masses)
    assert [first * 2**r, second * 2**r] == CODER.emission[0].tolist()
    assert (r, c) == (CODER.prec, CODER.start_length)
    (rows,) = tables(MESSAGE)
    assert len(rows) >= 5
    for sequence, interval, fraction, integer, data in rows:
        xs = [] if sequence == "(empty)" else [int(x) for x in sequence.split()]
        low, width = Fraction(0), Fraction(1)
        for x in xs:
            low += x * first * width
            width *= [first, second][x]
        ends = [Fraction(end) for end in interval.strip("[)").split(",")]
        assert ends == [low, low + width]
        j = 0
        while (v := -(-(low * 2**j) // 1)) >= (low + width) * 2**j:
            j += 1
        assert fraction == (f"0.{v:0{j}b}" if j else "0 bits")
        assert int(integer) == 2**j + v
        assert bytes.fromhex(data.strip("`")) == encode(xs, CODER)
        assert encode(xs, CODER) == encode(xs, in_mode(CODER, True))
        assert encode(xs, CODER) == int(integer).to_bytes(1, "little")


def test_the_head_and_the_tail_of_n_bytes():
    """'n < 8 are the head; else ...'"""
    draw = random.Random(1)
    for n in range(40):
        for last in (1, 0x7F, 0x80, 0xFF):
            data = draw.randbytes(n - 1) + bytes([last]) if n else b""
            n_head = n
            if n >= 8:
                n_head = 4 + n % 4 if n % 4 else (8 if last < 0x80 else 4)
            heads, tail = Message.from_bytes(data).state()
            assert heads == [int.from_bytes(data[n - n_head :], "little")]
            words = struct.unpack(f"<{(n - n_head) // 4}I", data[: n - n_head])
            assert tail == list(words)
            assert Message.from_bytes(data).to_bytes() == data


def test_several_lanes():
    heads, tail = [2**31, 2**63 - 1, 2**40], [1, 2, 2**32 - 1]
    data = struct.pack("<3I3Q", *tail, *heads)
    assert Message.from_state(heads, tail).to_bytes() == data


# ---- model file


def test_contexts_in_a_model_file():
    """Worked example: the empty context, after a 0, at the beginning."""
    contexts = Contexts(
        [1, 3, 3, 3], [0, 0, 2, 3], [0, 0, 2], [256, 128, 64],
        [0, 1, 1], [2, 1, 5],
    )  # fmt: skip
    tables = [4], [[4]], [[3, 1]]
    model = FrozenARHMM(*tables, contexts, prec=2, start_length=4)
    (example,) = re.findall(r"`((?:[0-9a-f]{2} ){12,}[0-9a-f]{2})`", MODEL)
    hidden = FrozenHMM(*tables, prec=2, start_length=4).to_bytes()[:-12]
    other_type = int(re.search(r"; (\d) autoregressive", MODEL)[1])
    data = hidden[:5] + bytes([other_type]) + hidden[6:] + struct.pack("<2I", 3, 4)
    data += bytes.fromhex(example)
    assert model.to_bytes() == data + struct.pack("<I", crc32(data))


def header(model_type, mode, kind, detail, listed):
    return b"\x89bbm" + bytes([3, model_type, mode, kind, detail, listed, 0, 0])


def test_offsets_of_the_model_file():
    start, hidden, levels, chains, linear, *_ = tables(MODEL)
    at = 0
    for offset, size, _ in start:
        assert int(offset) == at
        at += int(size)
    for rows, fixed in ((hidden, 3), (levels, 3), (chains, 3), (linear, 5)):
        end = at
        for offset, size, _ in rows[:fixed]:
            assert int(offset) == end
            end += int(size)
        assert int(rows[fixed][0]) == end
    magic = bytes.fromhex(re.search(r"magic ([\w ]+)", start[0][2])[1])
    version, model_type = (int(re.search(r"\d+", start[i][2])[0]) for i in (1, 2))
    assert (magic, version, model_type) == (b"\x89bbm", 3, 1)
    assert f"(version {version})" in MODEL.splitlines()[0]
    assert FrozenHMM(**SMALL).to_bytes()[:at] == header(1, 0, 0, 4, 0)
    assert "mode: 0 IconoCLaSM, 1 predictive" in MODEL
    predictive = FrozenHMM(**SMALL).with_mode("predictive")
    assert predictive.to_bytes()[:at] == header(1, 1, 0, 4, 0)


@pytest.mark.parametrize(
    ("alphabet", "kind", "values"),
    [
        (None, 0, b""),
        (Alphabet([-5, 0, 2**63 - 1]), 0, struct.pack("<3q", -5, 0, 2**63 - 1)),
        (Alphabet("aπ😀"), 2, struct.pack("<3I", 0x61, 0x3C0, 0x1F600)),
    ],
)
def test_the_rest_of_the_model_file(alphabet, kind, values):
    assert "0 integers, 1 bytes, 2 text" in MODEL
    assert "0 symbols are 0 .. M-1; 1 listed" in MODEL
    model = FrozenHMM(**SMALL, alphabet=alphabet)
    start = header(1, 0, kind, 4, bool(values)) + struct.pack("<3I", 2, 3, 7)
    masses = struct.pack("<12I", 10, 6, 12, 4, 1, 15, 1, 5, 10, 14, 1, 1)
    payload = start + values + masses
    assert model.to_bytes() == payload + struct.pack("<I", crc32(payload))
    assert "first 8 bytes of the SHA-256" in MODEL
    assert model.fingerprint == hashlib.sha256(payload).digest()[:8]


def test_model_files_of_hierarchical_models():
    """The header's fields, and masses in the order that the document says."""
    rows = tables(MODEL)[2]
    names = ["levels L", "symbols M", "start length c", "states K_1 .. K_L", "listed"]
    for (_, _, text), name in zip(rows, names, strict=False):
        assert text.startswith(name)
    model = random_hierarchy((3, 2), 4)
    data = header(6, 0, 0, model.prec, 0)
    data += struct.pack("<5I", 2, 4, model.start_length, 3, 2)
    for initial, transition in zip(model.initial, model.transition, strict=True):
        data += initial.astype("<u4").tobytes() + transition.astype("<u4").tobytes()
    data += model.emission.astype("<u4").tobytes()
    assert model.to_bytes() == data + struct.pack("<I", crc32(data))
    assert re.search(r"; (\d) hierarchical", MODEL)[1] == "6"
    assert numbers(rows[0][2], r"L, (\d+) to (\d+)") == [1, lib.BBANS_LEVELS_MAX]


def test_model_files_of_factorial_models():
    """The same, of which chains come in the opposite order."""
    rows = tables(MODEL)[3]
    names = ["chains n", "symbols M", "start length c", "states K_1 .. K_n", "listed"]
    for (_, _, text), name in zip(rows, names, strict=False):
        assert text.startswith(name)
    model = random_factorial((3, 2), 4)
    data = header(10, 0, 0, model.prec, 0)
    data += struct.pack("<5I", 2, 4, model.start_length, 2, 3)
    for initial, transition in zip(
        model.initial[::-1], model.transition[::-1], strict=True
    ):
        data += initial.astype("<u4").tobytes() + transition.astype("<u4").tobytes()
    data += model.emission.astype("<u4").tobytes()
    assert model.to_bytes() == data + struct.pack("<I", crc32(data))
    assert re.search(r"; (\d+) factorial", MODEL)[1] == "10"
    assert numbers(rows[0][2], r"n, (\d+) to (\d+)") == [1, lib.BBANS_LEVELS_MAX]


def test_model_files_of_linear_gaussian_models():
    """The header's fields are where the document has them."""
    rows = tables(MODEL)[4]
    model = LGSSM([[0.5]], [[1.0]], [[4.0]], [[4.0]]).freeze(noise="laplace")
    fields = {
        "latent dimensions": 1,
        "observed dimensions": 1,
        "start length": model.start_length,
        "start bits": model.start_bits,
        "steps": model.n_steps,
    }
    data = model.to_bytes()
    at = len(header(3, 0, 0, 2, 0))
    assert data[:at] == header(3, 0, 0, 2, 0)
    assert "0 Gaussian, 1 logistic, 2 Laplace" in MODEL
    for (_, size, text), (name, value) in zip(rows, fields.items(), strict=False):
        assert text.startswith(name)
        assert int.from_bytes(data[at : at + int(size)], "little") == value
        at += int(size)
    words = lib.bbans_lgssm_step_words(1, 1)
    assert len(data) == at + model.n_steps * (8 * 2 + 4 * words) + 4
    limits = [numbers(text, r"(-\d+)\s+to (\d+)") for text in MODEL.split("shift,")[1:]]
    assert limits == [[-40, 60]] * 2  # here, and of models of vectors
    assert numbers(MODEL, r"final \(n\), (-\d+) to (\d+)") == [
        lib.BBANS_SCALE_MIN,
        lib.BBANS_SCALE_MAX,
    ]


def test_model_files_of_vectors():
    """The header's fields are where the document has them, and the numbers after."""
    rows = tables(MODEL)[5]
    model = random_vectors(3, 2, seed=1).freeze(prec=12)
    names = ["states K", "channels D", "start length c", "covariances: 0 diagonal, 1 f"]
    for (_, _, text), name in zip(rows, names, strict=False):
        assert text.startswith(name)
    data = header(9, 0, 0, 12, 0) + struct.pack("<4I", 3, 2, model.start_length, 1)
    data += model.initial.astype("<u4").tobytes()
    data += model.transition.astype("<u4").tobytes()
    data += model.location.astype("<i8").tobytes()
    data += model.scale.astype("<i4").tobytes()
    for lower in model.lower.astype("<i4"):
        data += lower[0, :1].tobytes() + lower[1, :2].tobytes()
    assert model.to_bytes() == data + struct.pack("<I", crc32(data))
    assert re.search(r"; (\d) hidden Markov model of vectors", MODEL)[1] == "9"
    assert numbers(rows[0][2], r"K, (\d+) to (\d+)") == [1, lib.BBANS_COMPONENTS_MAX]
    assert numbers(rows[1][2], r"D, (\d+) to (\d+)") == [1, lib.BBANS_LATENTS_MAX]


def test_limits_of_the_model_file():
    for low, high, make in (
        (*numbers(MODEL, r"precision r, (\d+) to (\d+)"), with_precision),
        (*numbers(MODEL, r"states K, (\d+) to (\d+)"), with_states),
        (*numbers(MODEL, r"symbols M, (\d+) to (\d+)"), with_symbols),
        (*numbers(MODEL, r"start length c, (\d+) to (\d+)"), with_tail),
    ):
        make(low)
        make(high)
        for outside in (low - 1, high + 1):
            with pytest.raises(ValueError, match=r"\d"):  # every ModelError is one
                make(outside)


def with_precision(r):
    return FrozenHMM([2**r], [[2**r]], [[2**r]], prec=r, start_length=1)


def with_states(K):
    row = np.ones(K, np.uint32)
    row[:1] = 2**13 - K + 1
    rows = np.tile(row, (K, 1))
    return FrozenHMM(row, rows, np.full((K, 1), 2**13), prec=13, start_length=1)


def with_symbols(M):
    row = np.ones(M, np.uint32)
    row[:1] = 2**17 - M + 1
    return FrozenHMM([2**17], [[2**17]], row[None], prec=17, start_length=1)


def with_tail(c):
    return FrozenHMM([2], [[2]], [[2]], prec=1, start_length=c)


# ---- container


def parts(data):
    return reference.read_container(data)


def test_offsets_of_the_container():
    header = tables(CONTAINER)[0]
    assert [row[:2] for row in header] == [
        ["0", "4"], ["4", "1"], ["5", "1"], ["6", "1"], ["7", "1 + 4"], [".", "8"],
        [".", "1 + m + 8"], [".", "16"], [".", "4"],
    ]  # fmt: skip
    magic = bytes.fromhex(re.search(r"magic ([\w ]+)", header[0][2])[1])
    version = int(re.search(r"version, (\d+)", header[1][2])[1])
    assert f"(version {version})" in CONTAINER.splitlines()[0]
    codes = re.search(
        r"named: (\d) none; (\d) a model; (\d) a codec of the user; (\d) none, but",
        header[3][2],
    )
    none, model, codec, line = (int(code) for code in codes.groups())
    start = magic + bytes([version, 0])
    fingerprint = b"\1\2\3\4\5\6\7\x08"
    for coder, expected in (
        (None, bytes([none])),
        (BYTES, bytes([model]) + BYTES.fingerprint),
        (CodecCoder("née", Codec(), fingerprint), bytes([codec, 4])
         + "née".encode() + fingerprint),
        (CodecCoder("x" * 255, Codec()), bytes([codec, 255]) + b"x" * 255 + bytes(8)),
    ):  # fmt: skip
        data = compress(b"abc", coder)
        record = start + expected
        end = len(record) + 4
        assert data[:end] == record + struct.pack("<I", crc32(record))
    shift, last = numbers(header[3][2], r"Bits (\d)-(\d), arrays only: the axis")
    most = numbers(header[4][2], r"1 to 2\^(\d+) - 1")[0]
    assert 2 ** (last - shift + 1) == AXES_MAX
    when = np.zeros((1,) * 9, f"M8[{2**most - 1}ns]")
    coder = SignalCoder(axis=7)
    code, unit = compress(when, coder)[6:8]
    assert code == none | 7 << shift
    assert re.search(rf"\b{unit} ns", CONTAINER)
    assert compress(when, coder)[8:12] == struct.pack("<I", 2**most - 1)
    ticks = np.arange(7, 7 - 3 * 90, -3)
    record = start[:-1] + bytes([23, line]) + struct.pack("<Qq", 7, -3)
    data = compress(ticks, block_size=30)
    assert data[: len(record) + 4] == record + struct.pack("<I", crc32(record))
    assert compress(ticks, block_size=90)[6] == none


class Codec:
    def encode(self, block):
        return None

    def decode(self, data, n):
        raise AssertionError


def test_elements():
    names = re.search(r"\*Elements\*.*?same\.", CONTAINER, flags=re.DOTALL)[0]
    integers = {
        int(code): name for code, name in re.findall(r"(\d+) (u?int\d+)", names)
    }
    assert sorted(integers) == [*range(16, 24)]
    low, high, first, last = numbers(
        names, r"7, only for (\d+) to (\d+) and (\d+) to (\d+)"
    )
    truth, *dates = numbers(names, r"(\d+)\s+bool.*?(\d+) dates.*?and (\d+) dur")
    floats = {
        f"float{bits}": code
        for code, bits in re.findall(r"(\d+) float(16|32|64)", names)
    }
    assert [*range(first, last + 1)] == [*dates, *map(int, floats.values())]
    for name, code in floats.items():
        for order, bit in (("<", 0), (">", 128)):
            array = np.ones(2, np.dtype(name).newbyteorder(order))
            assert parts(compress(array))[0][0] == int(code) | bit
    assert parts(compress([True]))[0][0] == truth
    for code, kind in zip(dates, "Mm", strict=True):
        for order in "<>":
            data = compress(np.zeros(1, f"{order}{kind}8[s]"))
            assert parts(data)[0][0] == code + 128 * (order == ">")
    for code, name in integers.items():
        array = np.array([[1, 2], [3, 127]], name)
        assert parts(compress(array))[0][0] == code
        swapped = array.astype(array.dtype.newbyteorder(">"))
        bit = 128 if low <= code <= high else 0
        assert parts(compress(swapped))[0][0] == code | bit
    text = FrozenHMM(**{**SMALL, "alphabet": Alphabet("abc")})
    for data, model, name in (
        (b"ab", None, "bytes"),
        ("ab", None, "text, its UTF-8 bytes"),
        ("ab", text, "text, its code points"),
    ):
        code = int(re.search(rf"(\d) {name}", names)[1])
        assert parts(compress(data, model))[0][0] == code


def test_units():
    text = re.search(r"\*Units\*: (.*?);", CONTAINER, flags=re.DOTALL)[1]
    units = dict(re.findall(r"(\d+) ([a-z ]+)", text))
    assert units.pop("0") == "not said"
    for code, name in units.items():
        unit = {"years": "Y", "months": "M", "minutes": "m"}.get(name)
        unit = unit or {"weeks": "W", "days": "D", "hours": "h"}.get(name, name)
        assert compress(np.zeros(1, f"m8[{unit}]"))[7] == int(code)
    assert compress(np.zeros(1, "m8"))[7:12] == bytes([0, 1, 0, 0, 0])
    assert len(units) == 13


def test_methods():
    rows = next(rows for rows in tables(CONTAINER) if rows[0][0] == "0, stored")
    methods = dict(row[0].split(", ") for row in rows)
    assert {int(code): name for code, name in methods.items()} == METHODS
    rng = np.random.default_rng(0)
    skewed = frozen_hmm([1.0], [[1.0]], [[1e6] + [1.0] * 255], alphabet=ALL_BYTES)
    likely, unlikely = bytes(300), rng.integers(1, 256, 300).astype(np.uint8).tobytes()
    data = compress(likely + unlikely, skewed, block_size=300)
    ((element, _, blocks, shape),) = parts(data)
    assert (element, shape) == (0, None)
    assert blocks == [(300, 1, encode(likely, skewed)), (300, 0, unlikely)]
    assert decompress(data, skewed) == likely + unlikely
    predictive = skewed.with_mode("predictive")
    ((_, _, blocks, _),) = parts(compress(likely, predictive))
    assert blocks == [(300, 1, encode(likely, predictive))]


def test_limits_of_the_container():
    (exponent,) = numbers(CONTAINER, r"they take at most 2\^(\d+) bytes")
    assert 2**exponent == BLOCK_BYTES_MAX
    for data, item in ((b"a", 1), (np.zeros(1, "i2"), 2), (np.zeros(1, "i8"), 8)):
        compress(data, block_size=BLOCK_BYTES_MAX // item)
        for size in (0, BLOCK_BYTES_MAX // item + 1):
            with pytest.raises(ValueError, match=str(size)):
                compress(data, block_size=size)


def test_overhead_of_the_container():
    whole, short, longer, limit, model, unit, line, array, low, high, block = numbers(
        CONTAINER,
        r"Overhead: (\d+) bytes, and 1 to tell the length of a part of less than "
        r"(\d+) bytes, (\d) below (\d+); (\d) for\s+the fingerprint of a model; (\d) "
        r"for a unit; (\d+) for a line; (\d) for an array and (\d) to (\d) an axis; "
        r"per block (\d+) bytes",
    )
    assert len(compress(b"")) == whole + 1
    assert len(compress(b"", BYTES)) == whole + 1 + model
    assert len(compress(np.zeros((0,), "i8"))) == whole + 1 + array + low
    assert len(compress(np.zeros((0,), "M8[s]"))) == whole + 1 + unit + array + low
    assert (
        len(compress(np.zeros((0, 2**55), "i8"))) == whole + 1 + array + low + high - 1
    )
    assert len(compress(np.zeros((0, 2**62), "i1"))) == whole + 1 + array + low + high
    assert len(compress(b"x")) == 1 + whole + 1 + block + 2
    header = Header(20, line=(3, 4)).to_bytes()
    assert len(header) == len(Header(20).to_bytes()) + line
    noise = np.random.default_rng(0).bytes(20_000)
    for n in (short - whole - block - 3, short - whole - block - 2, 8000, 20_000):
        packed = compress(noise[:n])
        assert len(packed) - n == (
            whole
            + block
            + sum(-(-v.bit_length() // 7) for v in (n, n, len(packed) - 1))
        )
    assert longer == 2
    assert len(compress(noise[: limit - 100])) < limit


def test_the_worked_example_of_the_container():
    text = re.search(r"Worked example.*?```\n(.*?)```", CONTAINER, flags=re.DOTALL)[1]
    rows = [re.match(r"(?:[0-9a-f]{2} )+", row)[0] for row in text.splitlines()]
    example = bytes.fromhex("".join(rows))
    fingerprint = bytes.fromhex(re.search(r"`([0-9a-f]{16})`", CONTAINER)[1])
    ((element, coder, blocks, shape),) = parts(example)
    assert coder == b"\1" + fingerprint
    symbols = re.search(r"the symbols ([\d ]+) of section Message", CONTAINER)[1]
    dtype = re.search(r"type `(>i2)` and shape \(3,\)", CONTAINER)[1]
    array = np.array([int(x) for x in symbols.split()], dtype)
    ours = compress(array, CODER)
    at = 7 + len(fingerprint)
    header = ours[:7] + fingerprint
    assert header + struct.pack("<I", crc32(header)) + ours[at + 4 :] == example
    assert (element, shape) == (128 + 19, [3])
    assert blocks == [(3, 1, encode(array, CODER))]


def test_the_worked_example_of_bytes():
    example = re.search(r"Worked example.*?```\n(.*?)```", BYTE_BLOCK, flags=re.DOTALL)[
        1
    ]
    rows = re.findall(r"^((?:[0-9a-f]{2}(?: |$))+)", example, flags=re.MULTILINE)
    example = bytes.fromhex("".join(rows))
    word, times, order = re.search(
        r'compress\(b"(\w+ )" \* (\d+), ByteCoder\(order=(\d)\)\)', BYTE_BLOCK
    ).groups()
    data = word.encode() * int(times)
    ((_, _, blocks, _),) = parts(compress(data, ByteCoder(int(order))))
    assert blocks == [(len(data), 2, example)]
    assert reference.decode_bytes_block(example) == data


def test_the_worked_example_of_mixing():
    mixing = SECTIONS["Mixing"]
    example = re.search(r"Worked example.*?```\n(.*?)```", mixing, flags=re.DOTALL)[1]
    rows = re.findall(r"^((?:[0-9a-f]{2}(?: |$))+)", example, flags=re.MULTILINE)
    word, times = re.search(
        r'compress\(b"(\w+ )" \* (\d+), MixingCoder\(\)\)', mixing
    ).groups()
    data = word.encode() * int(times)
    ((_, _, blocks, _),) = parts(compress(data, MixingCoder()))
    example = bytes.fromhex("".join(rows))
    assert blocks == [(len(data), 8, example)]
    assert reference.decode_mixing_block(example) == data
    assert compress(data) == compress(data, MixingCoder())


def test_the_fields_of_a_signal():
    sizes = [row[0] for row in tables(SIGNAL)[0]]
    assert sizes == ["1", "..."]
    array = np.cumsum(np.random.default_rng(0).integers(-9, 9, (500, 3)), axis=0)
    ((_, _, blocks, _),) = parts(compress(array.astype(">i4")))
    ((n, method, data),) = blocks
    assert (n, method, data[0]) == (1500, 3, 4 * (3 - 1))
    assert reference.decode_signal_block(data, n, 4, True) == array.ravel().tolist()


def test_the_kinds_of_transforms():
    """Of each, what the table says is popped."""
    popped = [row[1] for row in tables(SIGNAL)[2]]
    kinds = re.findall(r"(\d) ([a-z ]+)[;,$]?", popped[0])
    names = (
        "constant",
        "along the line",
        "multiples",
        "ranks",
        "with low bits",
        "wrapped",
    )
    assert [(int(k), name) for k, name in kinds] == [*enumerate(names)]


def example_of(section):
    """The bytes of a section's example, which begin its lines."""
    text = re.search(r"^```\n(.*?)^```", section, flags=re.M | re.S)[1]
    rows = re.findall(r"^((?:[0-9a-f]{2}(?: |$))+)", text, flags=re.MULTILINE)
    return bytes.fromhex("".join(rows))


def test_the_worked_example_of_a_grid():
    size, least, level = numbers(
        GRID,
        r"(\d+) x \d+ uint8 values that are 1 where row \+ column > (\d+), else 0, at "
        r"level (\d)",
    )
    block = re.search(r"^    ((?:[0-9a-f]{2} )+[0-9a-f]{2})$", GRID, flags=re.M)[1]
    block = bytes.fromhex(block)
    row, column = np.ogrid[:size, :size]
    values = (row + column > least).astype("u1")
    assert encode_grid(values, geometry(size, size), level) == block
    expected = values.ravel().tolist()
    assert reference.decode_grid_block(block, size**2, 1, False) == expected


def test_the_fields_of_a_grid():
    fields, popped, model = tables(GRID)[:3]
    assert [row[0] for row in fields] == ["1", "..."]
    stored = int(re.search(r"(\d+): stored", fields[0][1])[1])
    values = np.array([7, 255, 90, 1, 200, 33], "u1")
    assert encode_grid(values, geometry(2, 3), 5) == bytes([stored]) + values.tobytes()
    assert [row[0] for row in popped[:3]] == ["number"] * 3
    limits = [re.search(r"1 to (2\^)?(\d+)", row[1]).groups() for row in popped[:2]]
    most = [2 ** int(n) if power else int(n) for power, n in limits]
    for columns, bands in (
        (most[0], 1), (1, most[1]), (most[0] + 1, 1), (1, most[1] + 1),
    ):  # fmt: skip
        values = np.zeros(2 * columns * bands, "u1")
        block = encode_grid(values, geometry(1, columns, bands), 1)
        assert (block[0] == stored) == (columns > most[0] or bands > most[1])
    bits = [int(n) for row in model for n in re.findall(r"^bits\((\d)\)", row[0])]
    assert bits == [3, 5, 4, 4, 5, 3]


def test_the_worked_example_of_floats():
    count, values, level = re.search(
        r"The (\w+) float64 ([^a-z]*NaN[^a-z]*), as a signal of one channel at level "
        r"(\d)",
        FLOATS,
    ).groups()
    values = np.array([float(v) for v in values.split(", ")])
    assert (count, values.size) == ("twelve", 12)
    block, bits = example_of(FLOATS), values.view("u8")
    assert encode_float(bits, "float64", int(level), 1) == block
    assert reference.decode_float_block(block, 12, 29) == bits.tolist()


def test_the_types_of_floats():
    forms, types = tables(FLOATS)[:2]
    assert [row[0] for row in forms] == ["0, planes", "1, integers", "4, stored"]
    assert len(types) == len(FLOAT_TYPES) == 6
    for (name, *sizes), (code, (E, M)) in zip(
        types, reference.FLOATS.items(), strict=True
    ):
        assert [int(v) for v in sizes] == [1 + E + M, E, M]
        assert FLOAT_TYPES[name][0] == code


# ---- record


def test_the_records_of_the_example():
    model = FrozenHMM(
        CODER.initial, CODER.transition, CODER.emission,
        prec=CODER.prec, start_length=CODER.start_length,
        alphabet=Alphabet(2, kind="bytes"),
    )  # fmt: skip
    codec = RecordCodec(model)
    rows = tables(RECORD)[1]
    assert len(rows) == 4
    for record, length, interval, fraction, message in rows:
        xs = b"" if record == "(empty)" else bytes.fromhex(record.strip("`"))
        low, width = Fraction(0), Fraction(255, 256)
        for bit in length.split():
            width /= 2
            low += int(bit) * width
        digits = length.replace(" ", "")
        assert int(digits, 2) == len(xs) + 1
        assert digits.index("1") == len(digits) // 2
        for x in xs:
            low += x * Fraction(3, 4) * width
            width *= [Fraction(3, 4), Fraction(1, 4)][x]
        ends = [Fraction(end) for end in interval.strip("[)").split(",")]
        assert ends == [low, low + width]
        digits = fraction.removeprefix("0.")
        value = Fraction(int(digits, 2), 2 ** len(digits))
        assert low <= value < low + width
        assert not any(
            low <= Fraction(v, 2 ** (len(digits) - 1)) < low + width
            for v in range(2 ** (len(digits) - 1))
        )
        padded = digits.ljust(-(-len(digits) // 8) * 8, "0")
        data = int(padded, 2).to_bytes(len(padded) // 8, "big")
        assert bytes.fromhex(message.strip("`")) == data == codec.encode(xs)
        assert codec.decode(data) == xs
    record, stored = re.findall(r"the record `(.+)` is .* stored as `(.+)`", RECORD)[0]
    assert codec.encode(bytes.fromhex(record)) == bytes.fromhex(stored)


# ---- packet


def test_the_worked_example_of_the_packet():
    example = re.search(r"symbols ([\d ]+) in a packet of (\d+) bytes:\s`(.+)`", PACKET)
    x = [int(symbol) for symbol in example[1].split()]
    size, packet = int(example[2]), bytes.fromhex(example[3])
    assert packets.encode(x, CODER, size) == [packet]
    message = encode(x, in_mode(CODER, True))
    assert packet == (bytes([len(x)]) + message).ljust(size, b"\0")


def test_limits_of_the_packet():
    least, most, n = numbers(
        PACKET, r"bytes B, (\d+) to (\d+), .*?number of symbols, 0 to (\d+)"
    )
    for size in (least - 1, most + 1):
        with pytest.raises(ValueError, match=str(size)):
            packets.encode([0], CODER, size)
    assert [p[0] for p in packets.encode([0] * (n + 1), CODER, most)] == [n, 1]


# ---- network file


def test_the_network_of_the_example():
    (text,) = re.findall(r"rounded with halves upwards:\n\n((?:    .*\n)+)", NETWORK)
    network = FrozenNetwork.from_bytes(bytes.fromhex(text))
    assert network.inputs == network.outputs == [(1,)]
    assert network.input_ranges == [(0, 7)]
    x = np.arange(8)[:, None]
    assert network(x).tolist() == [[min(9, (3 * v + 2) // 2)] for v in range(8)]
    again = reference.read_network(bytes.fromhex(text))
    assert reference.network_file(again) == bytes.fromhex(text)


def test_the_operations_of_networks():
    words = dict(tables(NETWORK)[2])
    listed = re.findall(r"(\d) ([A-Z]+)", words["0"])
    assert listed == [(str(i), name.upper()) for i, name in enumerate(OPERATIONS, 1)]
    for i, name in listed:
        assert getattr(lib, f"BBANS_OP_{name}") == int(i)
    assert [key.split(", ")[0] for key in words][-1] == "19"


# ---- record files


def located(place, data):
    """A checksum that holds a place."""
    return crc32(struct.pack("<Q", place) + data).to_bytes(4, "little")


def bits_of(data, n):
    bits = [byte >> i & 1 for byte in data for i in range(8)]
    assert len(data) == (n + 7) // 8
    assert not any(bits[n:])
    return bits[:n]


def record_file(data):
    """Header, and of each group the first number, flag and messages; all checked."""
    magic, version, flags, kind, t, fingerprint, m = struct.unpack_from(
        "<4s4B8sI", data
    )
    assert (magic, version) == (b"\x89bbr", 1)
    terminator, at = data[20 : 20 + t], 24 + t
    assert data[20 + t : at] == crc32(data[: 20 + t]).to_bytes(4, "little")
    model, at = data[at : at + m], at + m
    groups, records = [], 0
    while at < len(data):
        start = at
        magic, n, flag, size, first = struct.unpack_from("<4s3sBIQ", data, at)
        n = int.from_bytes(n, "little")
        assert (magic, first) == (b"\x89bbg", records)
        assert data[at + 20 : at + 24] == located(at, data[at : at + 20])
        at += 24
        low = max((size // n).bit_length() - 1, 0)
        lower = bits_of(data[at : at + (n * low + 7) // 8], n * low)
        at += (n * low + 7) // 8
        high = (n + (size >> low) + 7) // 8
        upper = bits_of(data[at : at + high], n + (size >> low))
        at += high
        ones = [i for i, bit in enumerate(upper) if bit]
        assert len(ones) == n
        ends = [
            (one - i << low)
            + sum(bit << j for j, bit in enumerate(lower[i * low : (i + 1) * low]))
            for i, one in enumerate(ones)
        ]
        assert ends == sorted(ends)
        assert ends[-1] == size
        checksums = data[at : at + 4 * n * flags]
        at += 4 * n * flags
        messages = [data[at + a : at + b] for a, b in pairwise([0, *ends])]
        at += size
        if flags:
            own = (located(first + i, m) for i, m in enumerate(messages))
            assert checksums == b"".join(own)
        assert data[at : at + 4] == located(start, data[start:at])
        at, records = at + 4, records + n
        groups.append((first, flag, messages))
    return (flags, kind, fingerprint, terminator, model), groups


def test_the_example_of_a_record_file():
    lines = re.search(r"^```\n(.*?)^```", RECORD_FILE, flags=re.M | re.S)[1]
    hexadecimal = "".join(
        re.match(r"(?:[0-9a-f]{2} )*[0-9a-f]{2}\b", line)[0]
        for line in lines.splitlines()
    )
    data = bytes.fromhex(hexadecimal)
    header, groups = record_file(data)
    fingerprint = bytes.fromhex("0011223344556677")
    assert header == (1, 2, fingerprint, b"\n", b"")
    messages = [bytes.fromhex("1f5a77c1"), b"", b"\xffa"]
    assert groups == [(0, 1, messages)]
    made = put_header("text", True, fingerprint, b"\n", b"")
    assert made + put_group(len(made), 0, messages, True, True) == data
    read = RecordBytes(data, "it")
    assert read.messages(0, 3) == messages
    assert [read.message(k) for k in range(3)] == messages


@pytest.mark.parametrize("checksums", [False, True])
def test_record_files(checksums, tmp_path):
    path, rng = tmp_path / "x.bbr", random.Random(2)
    wanted = [rng.randbytes(rng.choice([0, 1, 30, 30, 3000])) for _ in range(600)]
    Records.write(path, wanted, BYTES, checksums=checksums, terminator=b"\r\n")
    with Records(path) as records:
        records.extend(wanted[:3])
    (flags, kind, fingerprint, terminator, model), groups = record_file(
        path.read_bytes()
    )
    assert (flags, kind, terminator) == (checksums, 1, b"\r\n")
    assert (fingerprint, model) == (BYTES.fingerprint, BYTES.to_bytes(packed=True))
    codec = RecordCodec(BYTES)
    messages = [message for *_, group in groups for message in group]
    assert messages == [codec.encode(record) for record in wanted + wanted[:3]]


def test_limits_of_record_files():
    (terminator,) = numbers(RECORD_FILE, r"\| t, 0 to (\d+) \|")
    assert terminator == lib.BBANS_RECORDS_TERMINATOR_MAX
    (most,) = numbers(RECORD_FILE, r"n: records, 1 to 2\^(\d+)")
    assert 2**most == lib.BBANS_RECORDS_GROUP_MAX
    (size,) = numbers(RECORD_FILE, r"bytes of their messages, below 2\^(\d+)")
    assert 2**size - 1 == lib.BBANS_RECORDS_BYTES_MAX
    (overhead,) = numbers(RECORD_FILE, r"A group has (\d+) bytes besides")
    assert len(put_group(0, 0, [b""], False)) == overhead + 1
