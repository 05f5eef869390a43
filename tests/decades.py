"""The stored files of tests/vectors/files: what is in each, and how it is written.

What they hold is drawn by integers or read from the vectors, so that every machine
writes the same bytes. tests/vectors/make_files.py stores them; test_decades.py reads
them by the library and by reference_files.py, and writes them again.
"""

import io
import json
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import bbans
from bbans import Message
from bbans.codecs import (
    BitsBack,
    Dependent,
    Iconoclasm,
    ImportanceSampling,
    Multiset,
    Permutation,
    Repeat,
    Schedule,
    Serial,
)
from bbans.compressai import RansEncoder
from bbans.distributions import (
    Bernoulli,
    BetaBinomial,
    Binomial,
    Categorical,
    Custom,
    Family,
    Gaussian,
    Geometric,
    Laplace,
    LocationScale,
    Logistic,
    Mixture,
    Multivariate,
    NegativeBinomial,
    Poisson,
    Ragged,
    RaggedTable,
    StudentT,
    Table,
    Uniform,
    UniformRange,
    Weighted,
)
from bbans.formats import (
    BaseCoder,
    ByteCoder,
    CodecCoder,
    GridCoder,
    MixingCoder,
    ModelCoder,
    SignalCoder,
)
from bbans.formats.coders import PieceCoder
from bbans.formats.container import FLOAT_NAMES, Header
from bbans.formats.pieces import INT24, Run
from bbans.frozen import FrozenHMM, FrozenModel, FrozenNetwork, c_header
from bbans.integrations.chunks import ChunkCoder
from bbans.records import RecordCodec, chain, packets
from bbans.records.file import write_records

VECTORS = Path(__file__).parent / "vectors"
FOLDER = VECTORS / "files"


class Draw:
    """A 64-bit linear congruential generator (Knuth's MMIX); its high bits."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (6364136223846793005 * self.state + 1442695040888963407) % 2**64
        return (self.state >> 32) * n >> 32

    def bytes(self, n):
        return bytes(self.below(256) for _ in range(n))


class File(NamedTuple):
    """A file, what it holds, and what else reading it takes."""

    content: Any
    write: Callable[[], bytes] | None  # None: it is read, and written otherwise by now
    coder: Any = None  # for the library: a model or a coder
    model: str = ""  # for the reference: the name of a model's file


# ---- what content is, whoever reads it


def element_bytes(content):
    """The elements of a container in C order, little-endian."""
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, np.ndarray):
        if content.dtype.str[0] == ">":
            content = content.byteswap()
        return content.tobytes()
    return bytes(content)


def record_bytes(records):
    """Records, each behind its length."""
    data = [r.encode() if isinstance(r, str) else r for r in records]
    return b"".join(struct.pack("<Q", len(r)) + r for r in data)


def array_bytes(arrays):
    """Arrays as (type, shape, bytes) by name, one behind the other."""
    return b"".join(
        repr((name, kind, list(shape), data)).encode()
        for name, (kind, shape, data) in sorted(arrays.items())
    )


def described(content):
    """What kept.json says of a content."""
    if isinstance(content, FrozenModel | FrozenNetwork):
        return {"fingerprint": content.fingerprint.hex()}
    if isinstance(content, list):
        data = record_bytes(content)
        facts = {"records": len(content), "sha256": digest(data)}
        return facts | {"crc32": zlib.crc32(data)}
    if isinstance(content, dict):  # arrays
        return {"arrays": sorted(content), "sha256": digest(array_bytes(content))}
    data = element_bytes(content)
    facts = {"type": type(content).__name__, "sha256": digest(data)}
    facts |= {"elements": len(data), "crc32": zlib.crc32(data)}
    if isinstance(content, np.ndarray):
        facts["elements"] = content.size
        order = "big-endian " * (content.dtype.str[0] == ">")
        facts |= {"type": order + content.dtype.name, "shape": list(content.shape)}
    return facts


def digest(data):
    return sha256(data).hexdigest()


# ---- bytes, text, arrays


class Reversed:
    """A codec of the user: elements from last to first."""

    def encode(self, block):
        return block[::-1].tobytes()

    def decode(self, data, n):
        return np.frombuffer(data, f"<u{len(data) // n}")[::-1]


TEXT = (
    "What came before says what comes next: so it is in words, in lines,\n"
    "in numbers from 1 to 10 and from 10 to 100, and in words of words.\n"
    "Ä, π, 漢 and 😀 are characters too.\n"
)


def containers() -> Iterator[tuple[str, File]]:
    def of(content, coder=None, parts=None, **how):
        parts = parts or [content]
        return File(
            content,
            lambda: b"".join(bbans.compress(part, coder, **how) for part in parts),
            coder,
        )

    draw, text = Draw(1), (TEXT * 2).encode()
    yield "empty.bbz", of(b"")
    yield "stored.bbz", of(draw.bytes(200), ByteCoder())
    yield "order-0.bbz", of(text, ByteCoder(0, level=1))
    yield "order-1.bbz", of(text * 8, ByteCoder(level=9), block_size=1000)
    yield "mixing-8.bbz", of(text, MixingCoder(level=3))
    yield "mixing-16.bbz", of(text, MixingCoder(level=9), block_size=300)
    yield "text.bbz", of(TEXT)
    yield "parts.bbz", of(text[:90] + b"\0\1" + text, parts=[text[:90], b"\0\1", text])
    yield "text-parts.bbz", of(TEXT[:90] * 2, parts=[TEXT[:90]] * 2)
    yield "by-default-level-1.bbz", of(text, level=1)
    yield "by-default-level-9.bbz", of(text, level=9)
    codec = CodecCoder("reversed", Reversed(), bytes(range(1, 9)))
    yield "codec.bbz", of(np.arange(500, dtype="<u2") ** 2, codec)
    before = np.array([draw.below(1000) for _ in range(300)], "<i4")
    after = before + np.array([draw.below(3) for _ in range(300)], "<i4")
    yield "base.bbz", of(after, BaseCoder(before), block_size=128)
    yield "base-of.bbz", of(before)


def numbers(draw, n, width):
    """A walk in so many bits."""
    steps = np.array([draw.below(9) - 4 for _ in range(n)])
    walk = np.cumsum(steps) + (100 if width == 1 else 10_000)
    return walk & (2 ** min(8 * width - 1, 40) - 1)


def dtype_of(element, big_endian):
    header = Header(element, big_endian)
    if element in (25, 26):
        header = Header(element, big_endian, unit=8, multiplier=25)
    return header.array_dtype


def elements() -> Iterator[tuple[int, bool]]:
    """All that arrays may be of, and both byte orders where there are two."""
    for element in range(16, 33):
        yield element, False
        if element not in (16, 17, 24) and element < 30:
            yield element, True


def array_of(draw, element, big_endian, shape):
    dtype, n = dtype_of(element, big_endian), int(np.prod(shape))
    walk = numbers(draw, n, dtype.itemsize).reshape(shape)
    if element == 24:
        return walk % 7 > 3
    if element in (25, 26):
        return walk.astype(f"{dtype.str[0]}i8").view(dtype)
    if element == 27:
        return (walk % 256 / 8).astype(dtype)
    if element in (28, 29):
        return (walk / 10).astype(dtype)
    if element >= 30:  # by their bits: floats near 1
        bits = {30: 0x3F80, 31: 0x38, 32: 0x3C}[element] + walk % 16
        return bits.astype(f"<u{dtype.itemsize}").view(dtype)
    return walk.astype(dtype)


def arrays() -> Iterator[tuple[str, File]]:
    """Series and grids of all elements, and how else arrays lie."""
    draw = Draw(2)

    def of(content, coder=None, parts=None, **how):
        parts = parts or [content]
        return File(
            content,
            lambda: b"".join(bbans.compress(part, coder, **how) for part in parts),
            coder,
        )

    for element, big in elements():
        name = f"{element}{'-big-endian' if big else ''}"
        series = array_of(draw, element, big, (150,))
        yield f"series-{name}.bbz", of(series, SignalCoder(), block_size=100)
        grid = array_of(draw, element, big, (12, 16))
        yield f"grid-{name}.bbz", of(grid, GridCoder("yx"))
    channels = array_of(draw, 19, False, (4, 60))
    yield "axis-1.bbz", of(channels, SignalCoder(axis=1), block_size=80)
    yield "axis-0.bbz", of(channels.T.copy(), SignalCoder(axis=0))
    video = array_of(draw, 16, False, (6, 7, 3, 5))
    yield "grid-axes.bbz", of(video, GridCoder("yxct"))
    yield "joined.bbz", of(channels, parts=[channels[:1], channels[1:]])
    yield "no-elements.bbz", of(np.zeros((3, 0, 2), "<i2"))
    yield "scalar.bbz", of(np.array(7, "<i8"))
    line = np.arange(1000, 1000 - 7 * 300, -7)
    yield "line.bbz", of(line, block_size=100)
    times = (np.arange(200) * 300 + 1_700_000_000).astype("M8[s]")
    yield "times.bbz", of(times, block_size=90)
    yield "index.bbz", of(array_of(draw, 21, False, (700,)), block_size=5)


# ---- files that are recognised


class Runs:
    """A layout of given runs."""

    tries_bytes, block_bytes = False, 1 << 20

    def __init__(self, runs):
        self._runs = runs

    def runs(self, start, data):
        return self._runs


def pieces():
    """Numbers of every kind, one behind the other, and their runs."""
    draw, out, runs = Draw(3), [], []

    def add(data, *run):
        out.append(data)
        runs.append(Run(len(data), *run))

    add(TEXT.encode() * 3)
    for element in [INT24, *range(16, 24), *FLOAT_NAMES]:
        for big in (False, True):
            for channels, planar in ((3, False), (3, True)):
                if element == INT24:
                    walk = numbers(draw, 60, 3)
                    data = b"".join(
                        int(v).to_bytes(3, "big" if big else "little") for v in walk
                    )
                else:
                    n = 150 if element < 18 else 60  # bytes are short as they are
                    array = array_of(draw, element, False, (n,))
                    bits = array.view(f"<u{array.dtype.itemsize}")
                    data = (bits.byteswap() if big else bits).tobytes()
                add(data, element, channels, big, planar)
    add(draw.bytes(40))
    return b"".join(out), Runs(runs)


TABLE_TEXT = "time,name,value,count,note,code,constant\n" + "".join(
    f"2024-03-{1 + i // 24:02d}T{i % 24:02d}:30:00Z,"
    f"{('north', 'south', 'east')[i * i % 3]},{(i * i % 97 - 30) / 8},{5 * i + 100},"
    f"{'' if i % 5 else f'see {i * 7919 % 1000}x'},A{i % 7:03d}-{i},"
    f"{'NA' if i == 33 else '$12.50'}\n"
    for i in range(70)
)
ODD_TABLE = "a;b\r\n" + "".join(
    f"{i % 4};{10**i if i < 9 else -i / 4}\r\n" if i != 20 else "only this\n"
    for i in range(40)
)


def recognised() -> Iterator[tuple[str, File]]:
    def of(content):
        def write():
            out = io.BytesIO()
            bbans.compress_file(io.BytesIO(content), out)
            return out.getvalue()

        return File(content, write)

    data, layout = pieces()
    yield (
        "pieces.bbz",
        File(data, lambda: bbans.compress(data, PieceCoder(layout))),
    )
    yield "csv.bbz", of(TABLE_TEXT.encode())
    yield "csv-odd.bbz", of(ODD_TABLE.encode())
    draw = Draw(4)
    samples = numbers(draw, 600, 2).astype("<i2").tobytes()
    head = struct.pack("<HHIIHH", 1, 2, 8000, 32000, 4, 16)
    wav = b"WAVEfmt " + struct.pack("<I", 16) + head
    wav += b"data" + struct.pack("<I", len(samples)) + samples
    yield "wav.bbz", of(b"RIFF" + struct.pack("<I", len(wav)) + wav)
    for name, dtype, order in (("npy", "<i4", "C"), ("npy-fortran", ">f8", "F")):
        array = numbers(draw, 300, 4).reshape(100, 3).astype(dtype, order=order)
        fields = (
            f"{{'descr': '{dtype}', 'fortran_order': {order == 'F'}, "
            "'shape': (100, 3), }"
        )
        fields = fields.ljust(117) + "\n"
        header = b"\x93NUMPY\1\0" + struct.pack("<H", len(fields)) + fields.encode()
        yield f"{name}.bbz", of(header + array.tobytes(order))
    weights = {
        "w": ("F32", (numbers(draw, 256, 4) / 64).astype("<f4").tobytes(), [16, 16]),
        "b": (
            "BF16",
            (0x3F80 + numbers(draw, 64, 4) % 64).astype("<u2").tobytes(),
            [64],
        ),
    }
    tensors, at = {}, 0
    for name, (dtype, part, shape) in weights.items():
        tensors[name] = {
            "dtype": dtype, "shape": shape, "data_offsets": [at, at + len(part)],
        }  # fmt: skip
        at += len(part)
    header = json.dumps(tensors).encode()
    body = b"".join(part for _, part, _ in weights.values())
    yield "safetensors.bbz", of(struct.pack("<Q", len(header)) + header + body)


# ---- models: those of the vectors


def cases_of(vectors):
    return json.loads((VECTORS / f"{vectors}.json").read_text("utf-8"))["cases"]


def stored_model(vectors, number):
    """A model file of the vectors, and the longest of its sequences."""
    case = cases_of(vectors)[number]
    xs = case.get("xs") or max((s["xs"] for s in case["sequences"]), key=len)
    return bytes.fromhex(case["file"]), xs


#: A name, the vectors and the case of a model, by the type of its file.
MODELS = {
    1: ("hmm", "model_v3", 2),
    2: ("autoregressive", "model_v3", 12),
    3: ("linear-gaussian", "model_v3", 13),
    4: ("vae", "vae_v1", 14),
    5: ("deep-ssm", "deep_ssm_v1", 8),
    6: ("hierarchical-hmm", "hierarchy_v1", 4),
    7: ("tree", "tree_v1", 3),
    8: ("context-mixer", "context_mixer_v1", 0),
    9: ("vector-hmm", "gaussian_hmm_v1", 2),
    10: ("factorial-hmm", "factorial_v1", 3),
}
#: Others, that records are of.
TEXT_MODELS = {
    "text-records": ("records_v1", 13),
    "bytes-records": ("records_v1", 9),
    "mixer-records": ("context_mixer_v1", 1),
}


def models() -> Iterator[tuple[str, File]]:
    """Of each type in both modes, its packed form, and a container under it."""
    for name, vectors, number in MODELS.values():
        file, xs = stored_model(vectors, number)
        model = FrozenModel.from_bytes(file)
        data = content_of(model, xs)
        if model.HAS_PACKED_FORM:
            packed = File(model, partial(model.to_bytes, packed=True))
            yield f"{name}-packed.bbm", packed
        modes = ["predictive"] if model.TYPE == 8 else ["iconoclasm", "predictive"]
        for mode in modes:
            coded = model.with_mode(mode)
            stem = name if coded == model else f"{name}-{mode}"
            yield f"{stem}.bbm", File(coded, coded.to_bytes)
            write = partial(bbans.compress, data, ModelCoder(coded))
            yield f"{stem}.bbz", File(data, write, coded, f"{stem}.bbm")
    for name, (vectors, number) in TEXT_MODELS.items():
        case = cases_of(vectors)[number]
        model = FrozenModel.from_bytes(bytes.fromhex(case["file"]))
        yield f"{name}.bbm", File(model, partial(model.to_bytes, packed=True))
    case = cases_of("network_v1")[1]
    network = FrozenNetwork.from_bytes(bytes.fromhex(case["file"]))
    yield "network.bbn", File(network, network.to_bytes)
    hmm = device_model()
    yield "device.bbm", File(hmm, hmm.to_bytes)
    yield "device.h", File(b"", lambda: c_header(hmm).encode(), model="device.bbm")


def device_model():
    """A model that is small enough for devices."""
    content = json.loads((VECTORS / "hmm_v1.json").read_text("utf-8"))
    small = next(
        model
        for model in content["models"]
        if model["prec"] <= 15 and len(model["emission"][0]) > 2
    )
    tables = (small[key] for key in ("initial", "transition", "emission"))
    return FrozenHMM(*tables, prec=small["prec"], start_length=small["tail_length"])


def content_of(model, xs):
    """A sequence of the vectors, where symbols are numbers, as what the model codes."""
    if model.kind == "bytes":
        return bytes(xs)
    values = getattr(model.alphabet, "values", None)  # those that are listed
    if values is not None:
        xs = [values[x] for x in xs]
    return np.array(xs, "<i8")


# ---- records


def records() -> Iterator[tuple[str, File]]:
    def of(content, model, unterminated=False, **how):
        def write():
            out = io.BytesIO()
            loaded = RecordCodec(FrozenModel.load(FOLDER / model))
            write_records(
                out, content, loaded, threads=1, unterminated=lambda: unterminated,
                **how,
            )  # fmt: skip
            return out.getvalue()

        return File(content, write, model=model)

    def appended(content, model):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "records.bbr")
            codec = RecordCodec(FrozenModel.load(FOLDER / model))
            bbans.Records.write(path, content[:5], codec, checksums=True, threads=1)
            with bbans.Records(path, threads=1) as file:
                file.extend(content[5:9])
                file.append(content[9])
                file.extend(content[10:])
            return path.read_bytes()

    words = TEXT.split()
    lines = [" ".join(words[i : i + i % 5]) for i in range(len(words))]
    data = [line.encode() for line in lines]
    text = "text-records.bbm"
    yield "text.bbr", of(lines, text)
    yield "bytes.bbr", of(data, "bytes-records.bbm", terminator=b"", checksums=True)
    yield "without-model.bbr", of(lines, text, embed=False, terminator=b"\r\n")
    yield "unterminated.bbr", of(lines[:7], text, unterminated=True)
    yield "no-records.bbr", of([], text)
    yield "mixer.bbr", of(lines[:12], "mixer-records.bbm")
    yield "groups.bbr", File(lines, lambda: appended(lines, text), model=text)


# ---- packets, streams and chunks

#: Size and checksum of each packet, by the name of its file.
PACKETS = {"plain": (16, 0), "crc-8": (16, 1), "crc-16": (12, 2)}
#: Edges and offsets of tables, and how many symbols make each number of lanes.
TABLES = [[0, 60000, 65000, 65500, 65536], [0, 100, 65000, 65530, 65536]], [-1, 100]
LANES = {1: 400, 16: 2**14, 64: 2**16}


def symbols(lanes):
    """Symbols, and the row of each; few of them are outside of their row."""
    draw, values, rows = Draw(6), [], []
    for i in range(LANES[lanes]):
        row, far = i // 7 % 2, draw.below(2000) == 0
        place = draw.below(2**30) if far else draw.below(3) * (draw.below(400) == 0)
        values.append(TABLES[1][row] + row + place)
        rows.append(row)
    return values, rows


def tables():
    """As `RansEncoder` takes them."""
    edges, offsets = TABLES
    return edges, [len(row) for row in edges], offsets


def messages() -> Iterator[tuple[str, File]]:
    hmm = device_model()
    draw = Draw(7)
    sequence = np.array([draw.below(hmm.n_symbols) for _ in range(200)])
    for name, (size, checksum) in PACKETS.items():
        write = partial(packets.encode, sequence, hmm, size, checksum=checksum)
        joined = File(
            sequence.astype("<i8"),
            lambda write=write: b"".join(write()),
            model="device.bbm",
        )
        yield f"{name}.packets", joined
    for lanes in LANES:
        values, rows = symbols(lanes)
        write = partial(RansEncoder().encode_with_indexes, values, rows, *tables())
        yield f"lanes-{lanes}.stream", File(np.array(values, "<i4"), write)


def chained():
    """Sequences of several lengths, none among them."""
    draw, model = Draw(10), device_model()
    lengths = [0, 1, 30, 3, 90, 12, 40]
    return [[draw.below(model.n_symbols) for _ in range(n)] for n in lengths]


def chains() -> Iterator[tuple[str, File]]:
    """Many sequences as one message."""
    content = [json.dumps(xs) for xs in chained()]
    yield "sequences.chain", File(content, lambda: chain(chained(), device_model()))


def chunks() -> Iterator[tuple[str, File]]:
    """What array stores write, of each kind of data type."""
    draw = Draw(8)
    walk = numbers(draw, 240, 4)
    words = np.array([f"w{i % 7}" for i in walk], "<U4")
    pairs = np.zeros(60, [("a", "<i2"), ("b", "<f4")])
    pairs["a"], pairs["b"] = walk[:60], walk[:60] / 4
    for name, array in {
        "integers": walk.astype("<i4").reshape(60, 4),
        "complex": (walk[:120] / 4 + 1j * walk[120:]).astype("<c8"),
        "three-axes": (walk % 256).astype("u1").reshape(1, 12, 20),
        "text": words.reshape(60, 4),
        "structure": pairs,
    }.items():
        yield f"{name}.chunk", File(array, partial(ChunkCoder().encode, array))


# ---- laws and codecs, on messages: parameters are sums of powers of two, which are the
# same in fixed point everywhere

SEED = Draw(9).bytes(200)
CDF = Table([[0, 1000, 3000, 4096], [0, 3000, 3500, 4096]], 12)
RAGGED = RaggedTable(TABLES[0], 16, offsets=TABLES[1], escape=True)
FAMILY = Family.logistic()
LEAST, MOST = -(2**63), 2**63 - 1
MANY = np.arange(70) % 7


class Chain:
    """Two latents above an observation."""

    def parents(self, node):
        return {"x": ["z1"], "z1": ["z2"], "z2": []}[node]

    def conditional(self, node, values):
        return Gaussian(*values.values(), 4.0) if values else Gaussian(0.0, 8.0)

    def posterior(self, node, known):
        return Gaussian(known["x" if node == "z1" else "z1"], 4.0, leak=False)


class Walk:
    """A state space model of the user's own."""

    start_length = 2

    def prior(self, z):
        return Gaussian(np.asarray(0 if z is None else z, float), 4.0)

    def likelihood(self, z):
        return Gaussian(np.asarray(z, float), 2.0)

    def update(self, belief, x):
        return x

    def posterior(self, belief, z_next):
        return Gaussian(np.asarray(belief, float), 2.0, leak=False)


def laws():
    """A codec of each class by its name, the values of a message, and its lanes."""
    guessed = Uniform(5), lambda z: Poisson(1.0 + z), lambda x: Uniform(5)
    return {
        "Bernoulli": (Bernoulli([0.25, 0.5, 0.125]), [[0, 1, 1], [1, 0, 0]], 4),
        "BetaBinomial": (BetaBinomial(255, 0.5, 2.0), [0, 9, 255], 4),
        "Binomial": (Binomial(500, 0.25), [0, 120, 500], 4),
        "Categorical": (Categorical(CDF, [0, 1, 1]), [[0, 1, 2], [2, 2, 0]], 4),
        "Custom": (Custom(lambda x: (x + 1) / 64, 0, 63), [0, 7, 63], 4),
        "Gaussian": (Gaussian(2.5, 4.0), [2, -9, LEAST, MOST], 4),
        "Geometric": (Geometric(4.0), [0, 5, MOST], 4),
        "Laplace": (Laplace(-0.75, 2.0**20), [0, -(10**7)], 4),
        "LocationScale": (LocationScale(FAMILY, 2.0**20, 0.5), [2**20, 0], 4),
        "Logistic": (Logistic(np.arange(70) / 4, 2.0), [MANY, MANY * 10**17], 4),
        "Mixture": (
            Mixture(FAMILY, [3, 1], [20.5, 90.0], 8.0, 0, 255), [0, 21, 255], 4
        ),
        "Multivariate": (
            Multivariate([1 << 16, -(5 << 16)], [512, 768]), [(3, -12), (LEAST, 0)], 4
        ),
        "NegativeBinomial": (NegativeBinomial(1.5, 0.125), [0, 14, MOST], 4),
        "Poisson": (Poisson(40.0), [40, 0, MOST], 4),
        "Ragged": (Ragged(RAGGED, [0, 1]), [[0, 100], [LEAST, MOST]], 4),
        "StudentT": (StudentT(3, -4.0, 1.0), [-3, 10**7], 4),
        "Uniform": (Uniform(6), [0, 5, 3], 4),
        "UniformRange": (UniformRange(LEAST, MOST), [LEAST, 0, MOST], 4),
        "Weighted": (Weighted([1, 0, 9]), [0, 2, 2], 4),
        "BitsBack": (BitsBack(*guessed), [0, 3], 4),
        "Dependent": (
            Dependent([Uniform(5), lambda a: Gaussian(a, 2.0)]), [(4, 2), (0, -7)], 4
        ),
        "Iconoclasm": (Iconoclasm(Walk(), 4), [[0, 3, -5, 9]], 1),
        "Iconoclasm-of-many": (
            Iconoclasm(Walk(), 3, 5), [np.arange(15).reshape(3, 5)], 4
        ),
        "Iconoclasm-of-a-model": (Iconoclasm(device_model(), 5), [[0, 1, 2, 1, 0]], 1),
        "ImportanceSampling": (ImportanceSampling(*guessed, samples=3), [0, 3], 4),
        "ImportanceSampling-coupled": (
            ImportanceSampling(*guessed, samples=5, coupled=True), [0, 3], 4
        ),
        "Multiset": (Multiset(Poisson(3.0), 4), [[0, 2, 2, 7]], 4),
        "Permutation": (Permutation(4), [[2, 0, 3, 1]], 4),
        "Repeat": (Repeat(Geometric(2.0), 3), [(0, 1, 9)], 4),
        "Schedule": (Schedule.eager(Chain(), ["z1", "z2"], ["x"]), [{"x": 5}], 4),
        "Serial": (Serial([Uniform(5), Poisson(4.0)]), [(4, 2), (0, 9)], 4),
    }  # fmt: skip


def as_lists(value):
    """A value of a codec as JSON has it."""
    if isinstance(value, dict):
        return {name: as_lists(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_lists(each) for each in value]
    return np.asarray(value).tolist()


def coded() -> Iterator[tuple[str, File]]:
    """Values on a message that starts from data."""

    def write(codec, values, lanes):
        message = Message.seeded(SEED, lanes)
        for value in values:
            codec.push(message, value)
        return message.to_bytes()

    for name, (codec, values, lanes) in laws().items():
        content = [json.dumps(as_lists(value)) for value in values]
        yield f"{name}.message", File(content, partial(write, codec, values, lanes))


GROUPS = [
    containers, arrays, recognised, models, records, messages, chains, chunks, coded,
]  # fmt: skip


def files() -> dict[str, File]:
    """All of them by name."""
    found: dict[str, File] = {}
    for group in GROUPS:
        for name, file in group():
            assert name not in found, name
            found[name] = file
    return found
