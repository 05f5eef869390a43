"""Blocks of bytes under mixed contexts in C and in plain Python: all come back, and
nothing else does harm.

docs/format.md, Mixing.  Memory is guarded on both sides (tests/blocks.py).
"""

import json
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import reference
from blocks import Memory, decode_mixing, encode_mixing
from hypothesis import given, settings
from hypothesis import strategies as st
from shared import ISAS

from bbans import BbansError, CorruptError
from bbans._lib import ffi, lib, pointer

LEVELS = range(3, 10)
TEXT = b"""\
Every cut and every flipped bit is noticed, and named. Where a block has no checksum,
every cut and every flipped bit gives other bytes, or an error; and that within bounds:
in the time that as many bytes take, and in the memory that they may take.
"""


def records(n, length):
    """Lines of fixed length; some columns are as in the line before, others are not."""
    rng = random.Random(length)
    line, steps = rng.randbytes(length), rng.choices([0, 0, 0, 1, 37], k=length)
    lines = (
        bytes((v + i * step) % 256 for v, step in zip(line, steps, strict=True))
        for i in range(-(-n // length))
    )
    return b"".join(lines)[:n]


def words(n, seed=0):
    rng = random.Random(seed)
    kinds = [b"The", b"the", b"[x]", b"@@", "Überzug".encode(), b"cat's", b"\n", b"1,5"]
    return b" ".join(rng.choice(kinds) for _ in range(n))


MADE = {
    "a byte": b"\xff",
    "two bytes": b"\n\n",
    "text": TEXT,
    "text again": 3 * TEXT,
    "line feeds": b"".join(b"%d;%d;none\n" % (i, 7 * i % 50) for i in range(60)),
    "short and long lines": b"".join(b"ab" * (7 * i % 5) + b"c\n" for i in range(50)),
    "a line of 300": records(700, 300),
    "records": records(600, 12),
    "words": words(120),
    "a run": b"\0" * 700,
    "two bytes in turns": b"\xaa\x55" * 300,
    "noise": random.Random(0).randbytes(300),
    "noise, again": 2 * random.Random(1).randbytes(200),
    "no repeat is long": b"".join(b"abcdefg%c" % i for i in range(70)),
    "all bytes": bytes(range(256)),
}  # fmt: skip


def parameters(block):
    """Inputs, the bits of rows and places, and the length of lines, in its header."""
    _, rest = reference.uvarint_of(block)
    line, _ = reference.uvarint_of(rest[2:])
    return 8 << (rest[0] >> 5), rest[0] % 32, rest[1], line


# ---- the block in plain Python


@pytest.mark.parametrize("level", [3, 5, 7])
@pytest.mark.parametrize("name", MADE)
def test_blocks_are_what_the_documents_say(name, level):
    data = MADE[name]
    block = encode_mixing(data, level)
    assert reference.encode_mixing_block(data, *parameters(block)) == block
    assert decode_mixing(block, len(data)) == data


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("line", [-1, 0, 12, 65535])
def test_levels_and_lines(level, line):
    data = MADE["records"][:200]
    block = encode_mixing(data, level, line)
    assert reference.decode_mixing_block(block) == data
    assert decode_mixing(block, len(data)) == data
    inputs, row_bits, match_bits, length = parameters(block)
    assert inputs == (8 if level < 7 else 16)
    assert row_bits == (4 * 200).bit_length()
    assert match_bits == (200).bit_length()
    assert line < 0 or length == line


SIZES = {
    "rows are lost": (6, 8, 0),
    "places are lost": (10, 1, 0),
    "lines of a byte": (7, 3, 1),
    "short lines": (8, 5, 7),
    "long lines": (9, 2, 300),
    "the longest lines": (6, 1, 65535),
}


@cache
def written(name, sizes, inputs):
    data = MADE[name][:350]
    return data, reference.encode_mixing_block(data, inputs, *SIZES[sizes])


@pytest.mark.parametrize("inputs", [8, 16])
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("name", ["text again", "records", "a run"])
def test_blocks_of_any_size_of_memory(name, sizes, inputs, isa):
    """Such as no encoder of the library makes."""
    data, block = written(name, sizes, inputs)
    assert decode_mixing(block, len(data)) == data


@st.composite
def blocks(draw):
    """Few kinds of bytes, and parts that come again."""
    kinds = draw(st.lists(st.integers(0, 255), min_size=1, max_size=6))
    parts = st.lists(st.sampled_from(kinds), max_size=40).map(bytes)
    known = draw(st.lists(parts, min_size=1, max_size=4))
    data = b"".join(draw(st.lists(st.sampled_from(known), min_size=1, max_size=12)))
    n = max(len(data), 1)
    return data or b"a", (
        draw(st.sampled_from([8, 16])),
        draw(st.integers(6, max(6, (4 * n).bit_length()))),
        draw(st.integers(1, n.bit_length())),
        draw(st.sampled_from([0, 0, 1, 2, 3, 10, 65535])),
    )


@settings(max_examples=40, deadline=None)
@given(blocks())
def test_any_block_in_plain_python(case):
    data, sizes = case
    block = reference.encode_mixing_block(data, *sizes)
    assert decode_mixing(block, len(data)) == data


@pytest.mark.parametrize("level", [5, 7])
def test_what_is_refused_in_plain_python_too(level):
    """Blocks of anyone's making: the same bytes, or an error."""
    rng, data = np.random.default_rng(level), MADE["text"][:60]
    block = encode_mixing(data, level)
    for k in range(60):
        wrong = damaged(block, rng) if k else block + b"\0"
        found = outcome(wrong)
        if found is None:
            with pytest.raises(reference.Damage):
                reference.decode_mixing_block(wrong)
        else:
            assert reference.decode_mixing_block(wrong) == found


VECTORS = json.loads((Path(__file__).parent / "vectors/mixing_v1.json").read_text())


@pytest.mark.parametrize(
    "case", VECTORS["cases"], ids=lambda c: f"{c['name']} {c['inputs']}"
)
def test_stored_vectors(case, isa):
    block, data = bytes.fromhex(case["block"]), bytes.fromhex(case["data"])
    assert parameters(block) == tuple(
        case[key] for key in ("inputs", "row_bits", "match_bits", "line")
    )
    for level in case["levels"]:
        assert encode_mixing(data, level, case["line"]) == block
    assert decode_mixing(block, len(data)) == data
    assert reference.decode_mixing_block(block) == data


def test_the_vectors_are_whole():
    assert VECTORS["format"] == 1
    assert len(VECTORS["cases"]) == 42


# ---- what comes back


def test_no_bytes():
    for level in LEVELS:
        assert encode_mixing(b"", level) == b"\0"
    assert decode_mixing(b"\0", 0) == b""
    assert outcome(b"\0\0") is None
    assert outcome(b"\0\x06\1\0") is None


LONG = {
    "a match of more than 65535": b"\0" * 70_000,
    "matches of more than 65535": 2 * random.Random(2).randbytes(67_000),
    "words": words(30_000),
    "records": records(120_000, 24),
    "a line of 65535": records(3 * 65535 + 9, 65535),
}  # fmt: skip


@pytest.mark.parametrize("name", LONG)
@pytest.mark.parametrize("level", [3, 5, 7])
def test_every_isa_gives_the_same_bytes(name, level, best_isa_afterwards):
    data, line = LONG[name], 65535 if "65535" in name.split() else -1
    made = set()
    for isa in ISAS.values():
        assert lib.bbans_isa_use(isa) == isa
        made.add(encode_mixing(data, level, line))
    assert len(made) == 1
    for isa in ISAS.values():
        lib.bbans_isa_use(isa)
        assert decode_mixing(*made, len(data)) == data


def test_bytes_that_come_again_cost_little():
    for level in LEVELS:
        once, twice = (len(encode_mixing(k * MADE["noise"], level)) for k in (1, 2))
        assert once <= 320
        assert twice - once < 30
    assert len(encode_mixing(LONG["a match of more than 65535"])) < 40


def test_known_columns_cost_little():
    """Lines of a fixed length are found, and are worth it."""
    data = records(4000, 36)
    found = encode_mixing(data, 5)
    assert parameters(found)[3] == 36
    assert len(found) < 0.9 * len(encode_mixing(data, 5, 0))


# ---- what is refused


def test_too_little_room():
    """Nothing is written behind the end, and the status says it."""
    data = np.frombuffer(MADE["text"], np.uint8)
    block, n = encode_mixing(MADE["text"]), data.size
    need = lib.bbans_mixing_encoder_bytes(n, 5)
    for cap, work_bytes in (
        (len(block) - 1, need),
        (8, need),
        (len(block) + 99, need - 1),
    ):
        out, work, size = Memory(cap), Memory(work_bytes), ffi.new("size_t *")
        status = lib.bbans_mixing_compress(
            pointer(data, "uint8_t[]"), n, 5, -1, pointer(out.inside, "uint8_t[]"),
            cap, size, work.pointer, work_bytes,
        )  # fmt: skip
        out.check()
        work.check()
        assert status == lib.BBANS_ERR_CAPACITY
    need = lib.bbans_mixing_decoder_bytes(block, len(block))
    for cap, work_bytes in ((n - 1, need), (n, need - 1)):
        out, work, size = Memory(cap), Memory(work_bytes), ffi.new("size_t *")
        status = lib.bbans_mixing_decompress(
            block, len(block), out.pointer, cap, size, work.pointer, work_bytes
        )
        out.check()
        work.check()
        assert status == lib.BBANS_ERR_CAPACITY


@pytest.mark.parametrize("level", [-1, 0, 2, 10])
def test_levels_that_are_none(level):
    with pytest.raises(BbansError):
        encode_mixing(MADE["text"], level)


@pytest.mark.parametrize("line", [-2, 65536])
def test_lines_that_are_none(line):
    with pytest.raises(BbansError):
        encode_mixing(MADE["text"], 5, line)


def header(n, sizes, match_bits, line):
    return reference.uvarint(n) + bytes([sizes, match_bits]) + reference.uvarint(line)


@pytest.mark.parametrize("n", [1, 2, 15, 16, 255, 256, 2**20 - 1, 2**20, 2**24])
def test_headers(n):
    """Memory is no more than the block's bytes earn, and what asks for more is none."""
    most, places = max(6, min(22, (4 * n).bit_length())), min(20, n.bit_length())
    for inputs in 0, 32:
        for row_bits in 6, most:
            for match_bits in 1, places:
                block = header(n, inputs | row_bits, match_bits, 65535)
                assert size_of(block) == n
                need = lib.bbans_mixing_decoder_bytes(block, len(block))
                assert 32 << row_bits < need <= 280 * n + 2**16
        for row_bits, match_bits, line in [
            (5, 1, 0), (0, 1, 0), (most + 1, 1, 0), (31, 1, 0), (64 | 6, 1, 0),
            (128 | 6, 1, 0), (6, 0, 0), (6, places + 1, 0), (6, 255, 0), (6, 1, 65536),
            (6, 1, 2**32), (6, 1, 2**62),
        ]:  # fmt: skip
            block = header(n, inputs | row_bits, match_bits, line)
            assert size_of(block) is None
            assert lib.bbans_mixing_decoder_bytes(block, len(block)) == 0
            assert outcome(block + b"\1") is None


@pytest.mark.parametrize("n", [2**24 + 1, 2**32, 2**32 + 5, 2**63, 2**64 - 1])
def test_more_bytes_than_a_block_has(n):
    for block in (header(n, 6, 1, 0), header(n, 22 | 32, 20, 0)):
        assert size_of(block) is None
        assert outcome(block + b"\1") is None


def test_numbers_of_no_one_form():
    """A number has one form: no zeros in front."""
    good = header(5, 6, 1, 0)
    assert size_of(good) == 5
    for wrong in (
        b"\x85\0" + good[1:], b"\x85\x80\0" + good[1:], good[:-1] + b"\x80\0",
        b"\x85" + b"\x80" * 20, b"\x80" * 9, b"\xff" * 12, b"",
    ):  # fmt: skip
        assert size_of(wrong) is None
        assert lib.bbans_mixing_decoder_bytes(wrong, len(wrong)) == 0


def size_of(block):
    size, source = ffi.new("size_t *"), Memory(len(block), np.frombuffer(block, "u1"))
    status = lib.bbans_mixing_size(
        pointer(source.inside, "uint8_t[]"), len(block), size
    )
    assert status in (lib.BBANS_OK, lib.BBANS_ERR_CORRUPT)
    return size[0] if status == lib.BBANS_OK else None


def outcome(block):
    """The bytes, or None; short ones alone: a block may stand for many."""
    n = size_of(block)
    if n is None:
        with pytest.raises(CorruptError):
            decode_mixing(block, 100)
    if n is None or n > 2**16:
        return None
    try:
        return decode_mixing(block, n)
    except CorruptError:
        return None


def damaged(block, rng):
    out = bytearray(block)
    for _ in range(int(rng.integers(1, 4))):
        at = int(min(rng.integers(0, len(block)), rng.integers(0, len(block))))
        out[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(out)


@pytest.mark.parametrize("level", LEVELS)
def test_every_cut(level):
    """Other bytes, as many, or an error: a fraction that is shorter is one, too."""
    data = MADE["text"]
    block = encode_mixing(data, level)
    for cut in range(len(block)):
        found = outcome(block[:cut])
        assert found is None or (len(found) == len(data) and found != data)
    assert outcome(block[:2]) is None
    assert outcome(block + b"\0") is None


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", ["text", "a run", "records"])
def test_every_flipped_bit(name, level):
    """Other bytes, as many as the block says, or an error."""
    data = MADE[name][:160]
    block = encode_mixing(data, level)
    for bit in range(8 * len(block)):
        wrong = bytearray(block)
        wrong[bit >> 3] ^= 1 << (bit & 7)
        found = outcome(bytes(wrong))
        assert found != data or (bit >> 3) in range(2, 6)  # sizes may not matter
        assert found is None or len(found) == size_of(bytes(wrong))


@pytest.mark.parametrize("seed", range(8))
def test_damage_does_no_harm(seed, isa):
    """Blocks of anyone's making, under kernels of each kind."""
    rng = np.random.default_rng(seed)
    data = MADE[sorted(MADE)[seed]][:200]
    block = encode_mixing(data, 3 + seed % 7)
    for _ in range(60):
        outcome(damaged(block, rng))


def test_random_bytes_do_no_harm():
    rng = np.random.default_rng(0)
    for k in range(400):
        n = int(rng.integers(1, 400))
        sizes = int(rng.integers(0, 64)) if k % 2 else 6
        start = header(n, sizes, int(rng.integers(0, 9)), int(rng.integers(0, 99)))
        outcome(start + rng.bytes(int(rng.integers(0, 200))))
