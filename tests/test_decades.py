"""Stored files are kept for ever: this version reads them, and writes the same bytes.

tests/vectors/kept.json lists them. Where a test here fails, either the library is
wrong, or a format has changed: CONTRIBUTING.md, "When bytes change", says what to do
then. No stored file is ever changed.
"""

import fnmatch
import io
import json
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import reference as ref
import reference_files
from decades import (
    FOLDER,
    LANES,
    MODELS,
    PACKETS,
    SEED,
    TABLES,
    VECTORS,
    as_lists,
    chained,
    described,
    device_model,
    digest,
    element_bytes,
    elements,
    files,
    laws,
    record_bytes,
    symbols,
    tables,
)

import bbans
from bbans import _float_file, codecs, distributions
from bbans.compressai import RansDecoder
from bbans.files import KINDS
from bbans.formats import coders, container, pieces
from bbans.formats.container import METHODS, ContainerReader
from bbans.frozen import FrozenModel, FrozenNetwork
from bbans.frozen import base as frozen_base
from bbans.integrations.chunks import ChunkCoder
from bbans.models import FloatModel, _checkpoint
from bbans.records import packets, unchain

KEPT = json.loads((VECTORS / "kept.json").read_text("utf-8"))
FORMAT = (Path(__file__).parent.parent / "docs/format.md").read_text("utf-8")
FILES = files()
CHANGED = (
    "has changed. Stored files stay as they are: see CONTRIBUTING.md, When bytes change"
)


def stored(name):
    return (FOLDER / name).read_bytes()


def named(suffix):
    """The stored files of a suffix."""
    return sorted(name for name in KEPT["files"] if name.endswith(suffix))


# ---- the list


def test_no_stored_file_has_changed():
    names = [path.relative_to(VECTORS).as_posix() for path in FOLDER.iterdir()]
    names += [path.name for path in VECTORS.glob("*_v*.*")]
    assert sorted(names) == sorted(KEPT["stored"])
    for name, expected in KEPT["stored"].items():
        assert digest((VECTORS / name).read_bytes()) == expected, f"{name} {CHANGED}"


def test_every_format_is_stored():
    """A new section of the document, or a new version, has stored files."""
    import re

    found = re.findall(r"^## (.*?) \(version (\d+)\)", FORMAT, flags=re.MULTILINE)
    versions = {name: entry["version"] for name, entry in KEPT["formats"].items()}
    assert {name: int(version) for name, version in found} == versions
    for entry in KEPT["formats"].values():
        for pattern in entry["stored"]:
            assert fnmatch.filter(KEPT["stored"], pattern), pattern
    assert versions["Model file"] == frozen_base.VERSION
    assert versions["Container"] == container.VERSION
    assert versions["Float model"] == _float_file._VERSION
    assert versions["Checkpoint"] == _checkpoint._VERSION
    assert stored("network.bbn")[4] == versions["Network file"]
    assert stored("text.bbr")[4] == versions["Record file"]


def test_every_kind_is_stored():
    """Whatever is registered in the library has a file."""
    blocks = [blocks_of(name) for name in named(".bbz")]
    methods = {block.method for file in blocks for _, block in file}
    assert methods == set(METHODS)
    coded = {
        (header.element, header.big_endian)
        for file in blocks
        for header, block in file
        if block.method not in (container.STORED, container.MODEL)
    }
    assert coded >= {
        *elements(), (container.BYTES, False), (container.UTF8, False),
    }  # fmt: skip
    codes = {
        piece.code
        for file in blocks
        for _, block in file
        if block.method == container.PIECES
        for piece in pieces.pieces_of(block.data)
    }
    numbers = [code for code in codes if code >= pieces.INT24]
    assert {code & 63 for code in codes} == {
        pieces.PLAIN, pieces.CODED, pieces.TABLE, pieces.INT24, *pieces._DTYPES,
    }  # fmt: skip
    assert {code & 192 for code in numbers} == {0, 64, 128, 192}
    assert {*KINDS} - {"auto", "bytes"} <= {name.split(".")[0] for name in FILES}
    assert set(coder_classes(coders.Coder)) <= {
        "ByteCoder", "MixingCoder", "SignalCoder", "GridCoder", "ModelCoder",
        "CodecCoder", "PieceCoder", "BaseCoder",
    }, "a coder without a stored file"  # fmt: skip


def coder_classes(base):
    for cls in base.__subclasses__():
        if cls.__module__.startswith("bbans."):
            yield cls.__name__
        yield from coder_classes(cls)


def blocks_of(name):
    """The header and each block of a container's parts."""
    return [
        (part.header, block)
        for part in ContainerReader(io.BytesIO(stored(name))).parts()
        for block in part.blocks()
    ]


def test_every_model_is_stored():
    types = FrozenModel._types
    assert set(types) == set(MODELS)
    for kind, (name, *_) in MODELS.items():
        modes = {stored(file)[6] for file in named(".bbm") if stored(file)[5] == kind}
        assert modes == ({1} if kind == 8 else {0, 1})
        forms = {stored(file)[10] for file in named(".bbm") if stored(file)[5] == kind}
        assert forms == ({0, 1} if types[kind].HAS_PACKED_FORM else {0})
        assert {block.method for _, block in blocks_of(f"{name}.bbz")} == {1}
    classes = {
        cls.__name__
        for cls in FloatModel._classes.values()
        if cls.__module__.startswith("bbans.models.")
        and not getattr(cls, "__abstractmethods__", None)
        and not cls.__name__.startswith("_")
    }
    assert classes == {Path(name).stem for name in named(".npz")} - {"checkpoint"}


def test_every_law_and_codec_is_stored():
    tested = {name.removesuffix(".message").split("-")[0] for name in named(".message")}
    public = {
        name
        for room in (distributions, codecs)
        for name in room.__all__
        if hasattr(getattr(room, name), "push")
    }
    abstract = {
        "Codec", "Distribution", "GraphModel", "PredictiveModel", "SequenceModel",
        "StateSpaceModel",
    }  # fmt: skip
    assert public - abstract == tested


def test_every_record_file_is_stored():
    headers = [stored(name)[:20] for name in named(".bbr")]
    assert {header[5] for header in headers} == {0, 1}
    assert {header[6] for header in headers} == {1, 2}
    assert {header[7] for header in headers} == {0, 1, 2}  # terminators
    assert {any(header[16:20]) for header in headers} == {False, True}  # models
    assert {checksum for _, checksum in PACKETS.values()} == {0, 1, 2}


# ---- written again


WRITTEN = [name for name in FILES if FILES[name].write]


@pytest.mark.parametrize("name", WRITTEN)
def test_the_same_bytes_are_written(name):
    assert FILES[name].write() == stored(name), f"what is written as {name} {CHANGED}"


def test_all_kernels_write_the_same(isa):
    assert [name for name in WRITTEN if FILES[name].write() != stored(name)] == []


# ---- read by the library


def expected(name):
    return {key: fact for key, fact in KEPT["files"][name].items() if key != "axis"}


@pytest.mark.parametrize("name", named(".bbz"))
def test_containers_are_read(name):
    content = FILES[name].content
    got = bbans.decompress(stored(name), FILES[name].coder)
    assert described(got) == expected(name)
    assert type(got) is type(content)
    if isinstance(got, np.ndarray):
        assert got.dtype == content.dtype


@pytest.mark.parametrize("name", [*named(".bbm"), *named(".bbn")])
def test_models_are_read(name):
    cls = FrozenNetwork if name.endswith(".bbn") else FrozenModel
    assert described(cls.load(FOLDER / name)) == expected(name)


@pytest.mark.parametrize("name", named(".bbr"))
def test_records_are_read(name):
    model = None
    if name == "without-model.bbr":
        model = FrozenModel.load(FOLDER / FILES[name].model)
    with bbans.Records(FOLDER / name, model) as records:
        assert described([*records]) == expected(name)
        assert [*records] == FILES[name].content


def arrays_of(model):
    return {name: np.asarray(array) for name, array in model._arrays().items()}


@pytest.mark.parametrize("name", named(".npz"))
def test_float_models_are_read(name, tmp_path):
    if name == "checkpoint.npz":
        found = _checkpoint.Checkpoint(FOLDER / name, True, "HMM")
        assert found.done
        assert isinstance(found.model("best"), bbans.HMM)
        return
    model = FloatModel.load(FOLDER / name)
    assert type(model).__name__ == Path(name).stem
    model.save(tmp_path / name)
    again = reference_files.read_arrays((tmp_path / name).read_bytes())
    assert described(again) == expected(name)


def test_chains_are_read():
    lengths = [len(xs) for xs in chained()]
    got = unchain(stored("sequences.chain"), lengths, device_model())
    assert [xs.tolist() for xs in got] == chained()


def test_packets_are_read():
    hmm = device_model()
    for name, (size, checksum) in PACKETS.items():
        data, got = stored(f"{name}.packets"), []
        for at in range(0, len(data), size):
            got += [*packets.decode(data[at : at + size], hmm, checksum=checksum)]
        assert described(np.array(got, "<i8")) == expected(f"{name}.packets")


@pytest.mark.parametrize("lanes", LANES)
def test_streams_are_read(lanes):
    values, rows = symbols(lanes)
    name = f"lanes-{lanes}.stream"
    assert 1 << stored(name)[0] == lanes
    got = RansDecoder().decode_with_indexes(stored(name), rows, *tables())
    assert got == values
    assert described(np.array(got, "<i4")) == expected(name)


@pytest.mark.parametrize("name", named(".chunk"))
def test_chunks_are_read(name):
    content = FILES[name].content
    got = ChunkCoder().decode_as(stored(name), content.dtype, content.shape)
    assert described(got) == expected(name)


LAWS = laws()


@pytest.mark.parametrize("name", named(".message"))
def test_messages_are_read(name):
    codec, values, lanes = LAWS[name.removesuffix(".message")]
    message = bbans.Message.from_bytes(stored(name), lanes)
    got = [json.dumps(as_lists(codec.pop(message))) for _ in values][::-1]
    assert got == FILES[name].content
    assert described(got) == expected(name)
    assert message.unseed() == SEED


# ---- read by the program in C

# Codecs of the user, arrays whose first axis was another, and tables of text.
NOT_IN_C = ["axis-1.bbz", "base.bbz", "codec.bbz", "csv.bbz", "grid-axes.bbz"]


@pytest.mark.skipif(
    sys.platform != "linux" or not (shutil.which("cc") and shutil.which("make")),
    reason="no C compiler, or no GNU make",
)
def test_the_program_reads_containers(tool):
    refused = []
    for name in named(".bbz"):
        file = FILES[name]
        model = ["-m", FOLDER / file.model] if file.model else []
        done = subprocess.run(
            [tool, "-dc", *model, FOLDER / name], capture_output=True, timeout=60
        )
        if done.returncode == 0:
            content = file.content
            if isinstance(content, np.ndarray):
                content = content.tobytes()
            assert done.stdout == element_bytes(content), name
        else:
            assert (done.returncode, done.stdout) == (1, b"")
            refused.append(name)
    assert refused == NOT_IN_C


# ---- read by the reference, which has no line of the library


def reversed_elements(block, n, width):
    return b"".join(block[i : i + width] for i in range(0, len(block), width)[::-1])


@pytest.mark.parametrize("name", named(".bbz"))
def test_the_reference_reads_containers(name):
    model = FILES[name].model
    base = element_bytes(FILES["base-of.bbz"].content)
    codecs = {
        "reversed": reversed_elements, "base": reference_files.differences_from(base),
    }  # fmt: skip
    got = reference_files.read_elements(
        stored(name), [stored(model)] if model else [], codecs
    )
    assert digest(got) == expected(name)["sha256"]


GAUSSIAN, LAPLACE, LOGISTIC = (
    ref.SHAPES[name] for name in ("gaussian", "laplace", "logistic")
)
POINT = 2**16
#: The intervals of a value, in the order of popping.
REFERENCE = {
    "BetaBinomial": ref.beta_binomial(255, POINT // 2, 2 * POINT).intervals,
    "Binomial": ref.binomial(500, 2**30).intervals,
    "Gaussian": partial(ref.located_intervals, GAUSSIAN, 5 * POINT // 2, 512),
    "Geometric": ref.geometric(LAPLACE, 512).intervals,
    "Laplace": partial(ref.located_intervals, LAPLACE, -3 * POINT // 4, 20 * 256),
    "LocationScale": partial(ref.located_intervals, LOGISTIC, 2**36, -256),
    "Mixture": ref.mixture(
        LOGISTIC, [3, 1], [41 * POINT // 2, 90 * POINT], [768] * 2, 0, 255
    ).intervals,
    "NegativeBinomial": ref.negative_binomial(3 * POINT // 2, 2**29).intervals,
    "Poisson": ref.poisson(40 * POINT).intervals,
    "Uniform": lambda v: ref.uniform(v, 5),
    "UniformRange": lambda v: ref.uniform(v + 2**63, 2**64 - 1),
    "Weighted": lambda v: [((0, 1, 1)[v], (1, 0, 9)[v], 10)],
}


@pytest.mark.parametrize("name", REFERENCE)
def test_the_reference_writes_laws(name):
    _, values, lanes = LAWS[name]
    message = ref.seeded(SEED, lanes)
    for value in values:
        ref.push_each(message, [REFERENCE[name](value)])
    assert message.to_bytes() == stored(f"{name}.message")


@pytest.mark.parametrize("kind", ["Multiset", "Permutation"])
def test_the_reference_writes_sets(kind):
    _, (value,), lanes = LAWS[kind]
    message = ref.seeded(SEED, lanes)
    if kind == "Multiset":
        law = ref.poisson(3 * POINT)
        ref.multiset_push(
            message, value, lambda m, v: ref.push_each(m, [law.intervals(v)])
        )
    else:
        ref.permutation_push(message, value)
    assert message.to_bytes() == stored(f"{kind}.message")


@pytest.mark.parametrize("name", named(".bbm"))
def test_the_reference_reads_models(name):
    model = reference_files.Model(stored(name))
    assert model.fingerprint.hex() == expected(name)["fingerprint"]


def test_the_reference_reads_networks():
    file = stored("network.bbn")
    assert ref.network_file(ref.read_network(file)) == file


@pytest.mark.parametrize("name", named(".bbr"))
def test_the_reference_reads_records(name):
    _, got = reference_files.read_records(stored(name), stored(FILES[name].model))
    assert len(got) == expected(name)["records"]
    assert digest(record_bytes(got)) == expected(name)["sha256"]


@pytest.mark.parametrize("name", named(".npz"))
def test_the_reference_reads_float_models(name):
    assert described(reference_files.read_arrays(stored(name))) == expected(name)


def test_the_reference_writes_chains():
    model = reference_files.Model(stored("device.bbm")).model
    assert ref.encode_packed(model, chained()) == stored("sequences.chain")


def test_the_reference_reads_packets():
    model = reference_files.Model(stored("device.bbm"))
    for name, (size, checksum) in PACKETS.items():
        data, got = stored(f"{name}.packets"), []
        for at in range(0, len(data), size):
            packet = data[at : at + size]
            got += reference_files.read_packet(packet, model, checksum)
        assert digest(ref.words(got, 8)) == expected(f"{name}.packets")["sha256"]


@pytest.mark.parametrize("lanes", LANES)
def test_the_reference_reads_streams(lanes):
    name = f"lanes-{lanes}.stream"
    _, rows = symbols(lanes)
    got = reference_files.read_stream(stored(name), *TABLES, rows)
    assert digest(ref.words(got, 4)) == expected(name)["sha256"]


@pytest.mark.parametrize("name", named(".chunk"))
def test_the_reference_reads_chunks(name):
    got = reference_files.read_elements(stored(name))
    content = FILES[name].content
    if name in ("text.chunk", "structure.chunk"):  # planes of bytes, or as they are
        shape = ref.read_container(stored(name))[0][3]
        if len(shape) == 3:
            n = content.size
            got = bytes(got[i % content.itemsize * n + i // content.itemsize]
                        for i in range(len(got)))  # fmt: skip
    assert digest(got) == expected(name)["sha256"]
