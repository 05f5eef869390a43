"""docs/format.md, recomputed: its numbers are read from the document itself."""

import hashlib
import random
import re
import struct
import zlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from shared import ALL_BYTES, in_mode

from bbans import (
    LGSSM,
    Alphabet,
    Contexts,
    FrozenARHMM,
    FrozenHMM,
    Message,
    bytes_compress,
    bytes_decompress,
    compress,
    decompress,
    encode,
)
from bbans._lib import lib
from bbans.formats.container import BLOCK_MAX, ELEMENTS, METHODS
from bbans.models.freeze_hmm import frozen_hmm
from bbans.records import packets

TEXT = (Path(__file__).parent.parent / "docs/format.md").read_text("utf-8")
SECTIONS = re.split(r"^## ", TEXT, flags=re.MULTILINE)[1:]
MESSAGE, MODEL, CONTAINER, STATIC, PACKET, *_ = SECTIONS

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


# ---- 1. message


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


# ---- 2. model file


def test_contexts_in_a_model_file():
    """Worked example: the empty context, after a 0, at the beginning."""
    contexts = Contexts(
        [1, 3, 3, 3], [0, 0, 2, 3], [0, 0, 2], [256, 128, 64],
        [0, 1, 1], [16384, 16384, 49152],
    )  # fmt: skip
    tables = [4], [[4]], [[3, 1]]
    model = FrozenARHMM(*tables, contexts, prec=2, start_length=4)
    (example,) = re.findall(r"`((?:[0-9a-f]{2} ){12,}[0-9a-f]{2})`", MODEL)
    plain = FrozenHMM(*tables, prec=2, start_length=4).to_bytes()[:-4]
    other_type = int(re.search(r"; (\d) autoregressive", MODEL)[1])
    data = plain[:5] + bytes([other_type]) + plain[6:] + bytes.fromhex(example)
    assert model.to_bytes() == data + struct.pack("<I", crc32(data))


def header(model_type, mode, kind, detail, listed):
    return b"\x89bbm" + bytes([2, model_type, mode, kind, detail, listed, 0, 0])


def test_offsets_of_the_model_file():
    start, hidden, linear = tables(MODEL)
    at = 0
    for offset, size, _ in start:
        assert int(offset) == at
        at += int(size)
    for rows, fixed in ((hidden, 3), (linear, 5)):
        end = at
        for offset, size, _ in rows[:fixed]:
            assert int(offset) == end
            end += int(size)
        assert int(rows[fixed][0]) == end
    magic = bytes.fromhex(re.search(r"magic ([\w ]+)", start[0][2])[1])
    version, model_type = (int(re.search(r"\d+", start[i][2])[0]) for i in (1, 2))
    assert (magic, version, model_type) == (b"\x89bbm", 2, 1)
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


def test_model_files_of_linear_gaussian_models():
    """The header's fields are where the document has them."""
    *_, rows = tables(MODEL)
    model = LGSSM([[0.5]], [[1.0]], [[4.0]], [[4.0]]).freeze(noise="laplace")
    fields = {
        "latent dimensions": 1,
        "observed dimensions": 1,
        "tail length": model.start_length,
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
    assert limits == [[-40, 60]]
    assert numbers(MODEL, r"final \(n\), (-\d+) to (\d+)") == [
        lib.BBANS_SCALE_MIN,
        lib.BBANS_SCALE_MAX,
    ]


def test_limits_of_the_model_file():
    for low, high, make in (
        (*numbers(MODEL, r"precision r, (\d+) to (\d+)"), with_precision),
        (*numbers(MODEL, r"states K, (\d+) to (\d+)"), with_states),
        (*numbers(MODEL, r"symbols M, (\d+) to (\d+)"), with_symbols),
        (*numbers(MODEL, r"tail length c, (\d+) to (\d+)"), with_tail),
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


# ---- 3. container


def uvarint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def walk(data):
    """Read a container as the document says; return what it holds."""
    assert data[:4] == bytes.fromhex(re.search(r"magic ([\w ]+)", CONTAINER)[1])
    assert struct.unpack_from("<I", data, 16)[0] == crc32(data[:16])
    blocks, at = [], 20
    while True:
        start = at
        n, at = uvarint(data, at)
        if n == 0:
            break
        method, at = data[at], at + 1
        b, at = uvarint(data, at)
        payload, at = data[at : at + b], at + b
        checked = struct.pack("<Q", len(blocks)) + data[start:at]
        assert struct.unpack_from("<I", data, at)[0] == crc32(checked)
        at += 4
        blocks.append((n, method, payload))
    n_axes, at = uvarint(data, at)
    shape = []
    for _ in range(n_axes):
        axis, at = uvarint(data, at)
        shape.append(axis)
    checked = struct.pack("<Q", len(blocks)) + data[start:at]
    assert struct.unpack_from("<I", data, at)[0] == crc32(checked)
    assert at + 4 == len(data)
    return data[5], blocks, shape


def test_offsets_of_the_container():
    header = tables(CONTAINER)[0]
    at = 0
    for offset, size, _ in header:
        assert int(offset) == at
        at += int(size)
    assert f"Header, {at} bytes" in CONTAINER
    data = compress(b"abc", BYTES)
    version = int(re.search(r"\(version (\d+)\)", CONTAINER)[1])
    assert data[4] == version
    assert data[6:8] == bytes(2)
    assert data[8:16] == BYTES.fingerprint


def test_codes_of_elements_and_methods():
    cell = tables(CONTAINER)[0][2][2]
    integers = {int(code): name for code, name in re.findall(r"(\d+) (u?int\d+)", cell)}
    assert integers == {code: name for code, name in ELEMENTS.items() if code >= 16}
    for code, name in integers.items():
        array = np.array([[1, 2], [3, 127]], name)
        element, blocks, shape = walk(compress(array, BYTES))
        assert (element, shape) == (code, [2, 2])
        assert sum(n for n, _, _ in blocks) == 4
    text = FrozenHMM(**{**SMALL, "alphabet": Alphabet("abc")})
    for data, model, name in (
        (b"ab", BYTES, "bytes"),
        ("ab", BYTES, "text, its UTF-8 bytes"),
        ("ab", text, "text, its code points"),
    ):
        code = int(re.search(rf"(\d+) {name}", cell)[1])
        assert walk(compress(data, model))[0] == code
    methods = dict(re.findall(r"(\d) (IconoCLaSM|predictive|stored)", CONTAINER))
    assert {int(code): name for code, name in methods.items()} == METHODS


def test_blocks_are_messages_or_the_elements_themselves():
    rng = np.random.default_rng(0)
    skewed = frozen_hmm([1.0], [[1.0]], [[1e6] + [1.0] * 255], alphabet=ALL_BYTES)
    likely, unlikely = bytes(300), rng.integers(1, 256, 300).astype(np.uint8).tobytes()
    data = compress(likely + unlikely, skewed, block_size=300)
    element, blocks, shape = walk(data)
    assert (element, shape) == (0, [600])
    assert blocks == [(300, 0, encode(likely, skewed)), (300, 2, unlikely)]
    assert decompress(data, skewed) == likely + unlikely
    data = compress(likely, in_mode(skewed, True))
    assert walk(data)[1] == [(300, 1, encode(likely, in_mode(skewed, True)))]


def test_limits_of_the_container():
    (exponent,) = numbers(CONTAINER, r"symbols in the block, 1 to 2\^(\d+)")
    assert 2**exponent == BLOCK_MAX
    compress(b"a", BYTES, block_size=BLOCK_MAX)
    for size in (0, BLOCK_MAX + 1):
        with pytest.raises(ValueError, match=str(size)):
            compress(b"a", BYTES, block_size=size)


def test_overhead_of_the_container():
    whole, low, high, block, lengths, text = numbers(
        CONTAINER,
        r"Overhead: (\d+) bytes, (\d+) to (\d+) an axis, and per block (\d+) bytes "
        r"and its two lengths, at most (\d+)\s+bytes in all.*?up to 127 characters "
        r"pays (\d+) bytes",
    )
    empty = compress(np.zeros((), np.uint8), BYTES)
    _, blocks, _ = walk(empty)
    assert len(empty) - len(blocks[0][2]) - (block + 2) == whole
    assert len(compress(b"", BYTES)) == whole + low
    wide = compress(np.zeros((0, 2**62), np.uint8), BYTES)
    assert len(wide) == whole + low + high
    data = compress("x" * 127, BYTES)
    assert len(data) - len(walk(data)[1][0][2]) == text
    # The lengths of the largest block, and of 8 n + 32 bytes for it.
    sizes = [BLOCK_MAX, 8 * BLOCK_MAX + 32]
    assert block + sum(-(-size.bit_length() // 7) for size in sizes) == lengths


def test_the_worked_example_of_the_container():
    example = re.findall(r"^((?:[0-9a-f]{2} )+) ", CONTAINER, flags=re.MULTILINE)
    example = bytes.fromhex("".join(example))
    fingerprint = bytes.fromhex(re.search(r"`([0-9a-f]{16})`", CONTAINER)[1])
    element, blocks, shape = walk(example)
    assert (element, blocks, shape) == (0, [], [0])
    assert example[8:16] == fingerprint
    ours = compress(b"", BYTES)
    header = ours[:8] + fingerprint
    assert header + struct.pack("<I", crc32(header)) + ours[20:] == example


def test_the_worked_example_of_bytes():
    example = re.search(r"Worked example.*?```\n(.*?)```", STATIC, flags=re.DOTALL)[1]
    rows = re.findall(r"^((?:[0-9a-f]{2}(?: |$))+)", example, flags=re.MULTILINE)
    example = bytes.fromhex("".join(rows))
    word, times = re.search(r'bytes_compress\(b"(\w+ )" \* (\d+)\)', STATIC).groups()
    assert bytes_compress(word.encode() * int(times)) == example
    assert bytes_decompress(example) == word.encode() * int(times)


# ---- 5. packet


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
