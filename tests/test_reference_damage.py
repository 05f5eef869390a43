"""Blocks of the stored containers, damaged under checksums that are right: the library
and plain Python refuse the same ones, and find the same in the others."""

import json
import random
import re

import pytest
import reference as ref
import reference_files
from decades import FOLDER, VECTORS, element_bytes
from tally import Hang, limited

import bbans

# Blocks of all coders but the mixing one, whose every code is that of some bytes.
KINDS = r"(series|grid|csv|order|line|times|npy|index|axis|pieces|wav).*\.bbz"
NAMES = [
    name
    for name in json.loads((VECTORS / "kept.json").read_text("utf-8"))["files"]
    if re.fullmatch(KINDS, name)
]


def damaged(draw, file):
    """The file with another block of as many elements."""
    parts, whole = ref.read_container(file), b""
    chosen = draw.randrange(len(parts))
    for i, (element, coder, blocks, shape) in enumerate(parts):
        blocks = [*blocks]
        if i == chosen:
            k = draw.randrange(len(blocks))
            n, method, data = blocks[k]
            blocks[k] = n, method, mutated(draw, bytearray(data))
        whole += ref.write_part(element, coder, blocks, shape or ())
    return whole


def mutated(draw, data):
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        at, byte = draw.randrange(len(data) + 1), draw.randrange(256)
        how = draw.randrange(4)
        if how == 0:
            del data[at:]
        elif how == 1:
            data.insert(at, byte)
        elif how == 2:  # near the beginning, which says how all is coded
            data[at % 12 : at % 12 + 1] = bytes([byte])
        elif at < len(data):
            data[at] ^= 1 << byte % 8
    return bytes(data)


def by_reference(file):
    """The elements, or None where it refuses the file."""
    try:
        return reference_files.read_elements(file)
    except Exception:
        return None


def outcome(file, expected):
    try:
        got = element_bytes(bbans.decompress(file, max_bytes=1 << 20))
    except bbans.BbansError:
        return "named" if expected is None else "wrong"
    except Exception:
        return "crash"
    return "correct" if got == expected else "wrong"


@pytest.mark.parametrize(
    ("n", "seconds"), [(60, 0.5), pytest.param(600, 1, marks=pytest.mark.slow)]
)
def test_both_readers_agree(n, seconds, tally):
    counts = tally("containers: blocks damaged, checksums right, against plain Python")
    draw = random.Random(n)
    for _ in range(n):
        name = draw.choice(NAMES)
        file = damaged(draw, (FOLDER / name).read_bytes())
        try:
            with limited(seconds):
                expected = by_reference(file)
        except Hang:  # it counts, without a bound, where the library looks at sizes
            continue
        counts.count(outcome(file, expected), (name, file.hex()))
