"""The samples of tests/stored.py: they come back, and no kind of what is stored lacks
one. A test that fails here says what to add there."""

import inspect
import io
import re
from pathlib import Path

import pytest
import stored
from stored import SAMPLES, kind_of, same, sample

import bbans  # noqa: F401 - with all classes
from bbans.files.recognise import KINDS as FILE_KINDS
from bbans.formats import container
from bbans.formats.coders import Coder
from bbans.formats.container import ContainerReader
from bbans.formats.pieces import pieces_of
from bbans.frozen import FrozenModel, FrozenNetwork
from bbans.frozen.alphabet import KINDS
from bbans.frozen.base import MODES, START
from bbans.frozen.network import OPERATIONS
from bbans.message import Message
from bbans.models.base import FloatModel
from bbans.records import groups

FORMAT = (Path(__file__).parents[1] / "docs" / "format.md").read_text(encoding="utf-8")

#: Samples of each section of docs/format.md: kinds of them, or names.
SECTIONS = {
    "Message": ["message"],
    "Model file": ["model"],
    "Network file": ["network"],
    "Float model": ["float model"],
    "Checkpoint": ["float model: a checkpoint"],
    "Container": ["container", "parts"],
    "Differences from a base": ["container: base"],
    "Chunks of array stores": ["chunk"],
    "Bytes": ["container: bytes, order 1"],
    "Mixing": ["container: mixing"],
    "Packet": ["packet", "checked packet"],
    "Streams of indexed tables": ["stream"],
    "Record": ["message: a record", "message: a record that is stored"],
    "Record file": ["records"],
    "Signal": ["container: signal"],
    "Grid": ["container: grid"],
    "Floats": ["container: floats, planes"],
    "Pieces": ["pieces"],
    "Tables": ["pieces: csv"],
}


def of_kind(*kinds):
    return {name: sample(name) for name in SAMPLES if kind_of(name) in kinds}


def parts_of(data):
    """The header and the blocks of each part of a container."""
    for part in ContainerReader(io.BytesIO(data)).parts():
        yield part.header, [*part.blocks()]


PARTS = [
    part
    for one in of_kind("container", "pieces", "parts").values()
    for part in parts_of(one.data)
]
HEADERS = [header for header, _ in PARTS]
BLOCKS = [block for _, blocks in PARTS for block in blocks]


def own(classes):
    """Those of the library that can be made, by their names."""
    return {
        cls.__name__
        for cls in classes
        if cls.__module__.startswith("bbans.") and not inspect.isabstract(cls)
    }


def below(cls):
    """Its subclasses, and theirs."""
    for each in cls.__subclasses__():
        yield each
        yield from below(each)


@pytest.mark.parametrize("name", SAMPLES)
def test_what_is_stored_comes_back(name):
    one = sample(name)
    assert same(one.read(one.data), one.value)


def test_every_section_of_the_formats():
    assert re.findall(r"^## (.+?) \(version", FORMAT, re.MULTILINE) == [*SECTIONS]
    for names in SECTIONS.values():
        for name in names:
            assert any(name in (each, kind_of(each)) for each in SAMPLES), name


def test_every_element_of_containers():
    assert {header.element for header in HEADERS} == set(container._TYPES)
    wide = {h.element for h in HEADERS if container._has_order(h.element)}
    assert len(wide) > 5
    assert any(header.big_endian for header in HEADERS)
    assert {h.unit for h in HEADERS} == set(range(len(container._UNITS)))
    assert any(header.multiplier > 1 for header in HEADERS)
    assert any(header.axis > 0 for header in HEADERS)


def test_every_coder_that_a_header_names():
    named = {header.to_bytes()[6] & 3 for header in HEADERS}
    assert named == {
        container.NO_CODER, container.NAMES_MODEL, container.NAMES_CODEC,
        container.HAS_LINE,
    }  # fmt: skip


def test_every_method_of_blocks_and_every_coder():
    assert {block.method for block in BLOCKS} == set(container.METHODS)
    made = {type(coder).__name__ for _, coder, _ in stored.CONTAINERS.values()}
    made |= {"ModelCoder", "PieceCoder"}  # by the name of a model; by compress_file
    assert own(below(Coder)) == made - {"str", "NoneType"}


def data_of(method):
    return [bytes(block.data) for block in BLOCKS if block.method == method]


def rows(title, pattern):
    """What the rows of a section's tables have that match."""
    section = FORMAT.split(f"\n## {title} ")[1].split("\n## ")[0]
    return re.findall(pattern, section, re.MULTILINE)


def pieces(*elements):
    """The data of pieces, as if these were blocks."""
    found = [piece for data in data_of(container.PIECES) for piece in pieces_of(data)]
    return [bytes(p.data) for p in found if p.element in elements]


INTEGERS, FLOATS = range(16, 24), range(27, 33)


def test_every_form_of_blocks():
    floats = {one[0] for one in data_of(container.FLOATS) + pieces(*FLOATS)}
    assert floats == {*map(int, rows("Floats", r"^\| (\d+), \w+ \|"))} == {0, 1, 4}
    octets = [one[0] for one in data_of(container.BYTE_BLOCK) + pieces(1)]
    assert {octet & 3 for octet in octets} == {0, 1, 2, 3}
    assert any(octet >> 2 & 3 for octet in octets)
    mixed = [data for data in data_of(container.MIXING) if data]
    assert {data[1] >> 5 & 1 for data in mixed if data[0] < 128} == {0, 1}


def test_every_kind_of_signals():
    (kinds,) = rows("Signal", r"^\| bits\(3\) \| kind: (.*) \|")
    data = data_of(container.SIGNAL) + pieces(*INTEGERS)
    assert {one[0] & 3 for one in data} >= {0, 3}
    found = {
        Message.from_bytes(one[1:], 1 << (one[0] & 3)).peek(8)[0]
        for one in data
        if one[0] & 3 < 3 and one[0] >> 2 < 63
    }
    assert sorted(found) == [int(part.split()[0]) for part in kinds.split("; ")]


def test_every_kind_of_pieces():
    found = [piece for data in data_of(container.PIECES) for piece in pieces_of(data)]
    codes = {piece.element for piece in found}
    assert codes >= {0, 1, 2, 8}
    assert codes & {*INTEGERS}
    assert codes & {*FLOATS}
    assert any(piece.code & 0x80 and piece.code >= 8 for piece in found)
    assert any(piece.code & 0x40 and piece.code >= 8 for piece in found)
    kinds = {name.split()[0] for name in stored.PIECES}
    assert kinds == {*FILE_KINDS} - {"auto", "bytes"}


def test_every_type_and_form_of_models():
    starts = [START.unpack_from(one.data)[2:] for one in of_kind("model").values()]
    assert {(s[0], s[5]) for s in starts} == {
        (number, form)
        for number, cls in FrozenModel._types.items()
        for form in range(1 + cls.HAS_PACKED_FORM)
    }
    assert {(s[0], s[1]) for s in starts} >= {
        (number, mode)
        for number, cls in FrozenModel._types.items()
        for mode in range(len(MODES))
        if cls.__name__ != "FrozenContextMixer" or MODES[mode] == "predictive"
    }
    assert {s[2] for s in starts} == set(range(len(KINDS)))
    for place in (4, 6):  # listed symbols; an end
        assert {s[place] for s in starts} == {0, 1}


def test_every_float_model():
    assert {*stored.FLOAT_MODELS} == own(FloatModel._classes.values())
    for name, make in stored.FLOAT_MODELS.items():
        assert type(make()).__name__ == name


def test_every_operation_of_networks():
    nodes = [
        FrozenNetwork.from_bytes(one.data).nodes for one in of_kind("network").values()
    ]
    assert {node.op for each in nodes for node in each} == {*OPERATIONS}


def test_every_kind_of_record_files():
    starts = [one.data[:20] for one in of_kind("records").values()]
    assert {(s[6], s[5], any(s[16:20])) for s in starts} == {
        (kind, checksums, model)
        for kind in groups.KINDS
        for checksums in (0, 1)
        for model in (False, True)
    }
