"""A sample of everything that bbans stores: small, and complete.

`SAMPLES` has a function by name, "kind: what it is", that makes a `Stored`; `sample`
makes each once. tests/test_stored.py fails when the library gets a format, an element,
a coder, a method or a type of model that no sample has.
"""

import io
import json
import struct
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from shared import (
    ALL_BYTES,
    HEADS,
    random_deep_ssm,
    random_factorial,
    random_hierarchy,
    random_hmm,
    random_lgssm,
    random_mixer,
    random_network,
    random_observations,
    random_tree,
    random_vae,
    random_vectors,
)

import bbans
from bbans import Alphabet, FrozenNetwork, Message, Records, records
from bbans._records import uvarint
from bbans.codecs import decode_iid, encode_iid
from bbans.compressai import RansDecoder, RansEncoder
from bbans.distributions import Categorical
from bbans.formats import (
    BaseCoder,
    ByteCoder,
    CodecCoder,
    GridCoder,
    MixingCoder,
    ModelCoder,
    SignalCoder,
)
from bbans.formats.container import (
    BYTES,
    ContainerWriter,
    Header,
)
from bbans.formats.container import PIECES as METHOD_PIECES
from bbans.frozen import FrozenModel
from bbans.integrations.chunks import ChunkCoder
from bbans.message import RangeDecoder, RangeEncoder
from bbans.models.base import FloatModel
from bbans.records import packets


class Stored(NamedTuple):
    """Bytes, what they hold, and what reads them.

    Attributes
    ----------
    data : bytes
    value : object
        What `read` returns for them; `same` compares.
    read : callable
        Returns what any bytes hold, or raises.
    coder : object
        The model or the codec that `read` has besides, or None.
    write : callable
        Of what has no checksum: returns the bytes of any value that `read` returns.
    """

    data: bytes
    value: Any
    read: Callable[[bytes], Any]
    coder: Any = None
    write: Callable[[Any], bytes] | None = None


def same(a, b):
    """Whether two values are of the same type, and the same to the last bit."""
    if isinstance(b, np.ndarray):
        return (
            isinstance(a, np.ndarray)
            and (a.dtype, a.shape) == (b.dtype, b.shape)
            and a.tobytes() == b.tobytes()
        )
    if isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in b)
    if isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


# ---- frozen models


def learned(data, order, **options):
    return bbans.ARHMM.fit(data, 2, order=order, n_iter=1, **options)


LISTED = Alphabet([-(2**40), -1, 7, 2**63 - 1])
LETTERS = Alphabet("ab\u00e9\U0001f600")
ENDING = Alphabet(256, kind="bytes", ends=True)
UTF8 = Alphabet(256, kind="text")

#: One of each type at least, of each kind of data, with alphabets and ends.
MODELS: dict[str, Callable[[], FrozenModel]] = {
    "HMM of integers": lambda: random_hmm(3, 5, seed=1),
    "HMM of listed integers": lambda: random_hmm(2, LISTED, seed=2, prec=9),
    "HMM of bytes": lambda: random_hmm(2, ALL_BYTES, seed=3, concentration=0.1),
    "HMM of characters": lambda: random_hmm(3, LETTERS, seed=4),
    "HMM of records": lambda: bbans.HMM.fit(TEXT, 2, n_iter=1, alphabet=ENDING).freeze(
        16
    ),
    "HMM of UTF-8": lambda: random_hmm(1, UTF8, seed=6, concentration=0.1),
    "ARHMM": lambda: learned([0, 1, 1, 0, 2, 1, 1] * 9, 2).freeze(12),
    "ARHMM of characters": lambda: learned("abcabdab" * 5, 2).freeze(),
    "LGSSM": lambda: random_lgssm(2, 2, 7).freeze(),
    "LGSSM in time": lambda: random_lgssm(1, 2, 8, steps=9).freeze(),
    "VAE": lambda: random_vae(HEADS[0], [2], seed=9).freeze(
        random_observations(HEADS[0], 9, seed=9)
    ),
    "VAE of mixtures": lambda: random_vae(HEADS[3], [2, 1], "top-down", seed=10).freeze(
        random_observations(HEADS[3], 9, seed=10)
    ),
    "DeepSSM": lambda: random_deep_ssm(HEADS[1], 2, 3, seed=11).freeze(
        random_observations(HEADS[1], 30, seed=11)
    ),
    "HierarchicalHMM": lambda: random_hierarchy([2, 2], 5, seed=12),
    "LatentTree": lambda: random_tree(7, 2, [3, 2, 4], seed=13),
    "ContextMixer": lambda: random_mixer(14),
    "ContextMixer of text": lambda: random_mixer(15, end=10, kind="text"),
    "MultivariateGaussianHMM": lambda: random_vectors(2, 2, 16).freeze(),
    "MultivariateGaussianHMM, diagonal": lambda: random_vectors(
        2, 2, 17, full=False
    ).freeze(),
    "FactorialHMM": lambda: random_factorial([2, 3], 4, seed=18),
}


@cache
def model(name):
    """A model of `MODELS`, made once."""
    return MODELS[name]()


def observations(name, n):
    """What a model of `MODELS` codes, n of them."""
    return observations_of(model(name), n)


def observations_of(made, n):
    """What any model codes, n of them."""
    rng, alphabet = np.random.default_rng(n), made.alphabet
    if isinstance(alphabet, Alphabet):
        symbols = rng.integers(0, alphabet.size - alphabet.ends, n)
        if alphabet.is_utf8:
            return "".join(map(chr, 32 + symbols % 90))
        values = alphabet.decode(symbols)
        if alphabet.kind == "text":
            return "".join(map(chr, values.tolist()))
        return values.tobytes() if alphabet.kind == "bytes" else values
    if hasattr(made, "head"):
        return random_observations(made.head, n, seed=n).astype(np.int64)
    if hasattr(made, "sizes"):
        return np.column_stack([rng.integers(0, size, n) for size in made.sizes])
    return rng.integers(-90, 90, (n, made.width))


def model_file(name, mode, packed):
    made = model(name).with_mode(mode)
    return Stored(made.to_bytes(packed), made, FrozenModel.from_bytes)


def model_samples():
    for name in MODELS:
        for mode in ("iconoclasm", "predictive"):
            if mode == "predictive" or not name.startswith("ContextMixer"):
                yield f"model: {name}, {mode}", partial(model_file, name, mode, False)
        packs = name.split()[0] in ("HMM", "ARHMM", "ContextMixer")
        if packs:
            yield (
                f"model: {name}, packed",
                partial(model_file, name, model_mode(name), True),
            )


def model_mode(name):
    return "predictive" if name.startswith("ContextMixer") else "iconoclasm"


# ---- what are files for their readers


@cache
def _folder():
    return TemporaryDirectory()


def in_file(read, data):
    """What `read` makes of the path of a file that holds these bytes."""
    path = Path(_folder().name) / "stored"
    path.write_bytes(data)
    return read(path)


def saved(save):
    path = Path(_folder().name) / "saved"
    save(path)
    return path.read_bytes()


# ---- float models, networks, checkpoints

CHAIN = ([0.25, 0.75], [[0.5, 0.5], [0.125, 0.875]])

#: One of each class.
FLOAT_MODELS: dict[str, Callable[[], FloatModel]] = {
    "HMM": lambda: bbans.HMM(*CHAIN, [[0.5, 0.25, 0.25]] * 2, alphabet="\0a\u00e9"),
    "GaussianHMM": lambda: bbans.GaussianHMM(*CHAIN, [0, 3.5], [2, 0], -5, 6),
    "PoissonHMM": lambda: bbans.PoissonHMM(*CHAIN, [0, 3.5], 9),
    "FactorialHMM": lambda: bbans.FactorialHMM([CHAIN], np.full((2, 3), 1 / 3)),
    "HierarchicalHMM": lambda: bbans.HierarchicalHMM.random([2, 1], 3, seed=4),
    "ARHMM": lambda: learned("abcabdab", 1),
    "LatentTree": lambda: bbans.LatentTree(
        [-1, 0], [1, 0], [0.25, 0.75], np.full((1, 2, 2), 0.5),
        [np.full((2, 3), 1 / 3), [[0.5, 0.5], [0.25, 0.75]]],
    ),
    "LGSSM": lambda: bbans.LGSSM([[0.5]], [[1], [2]], [[1]], np.eye(2)),
    "MultivariateGaussianHMM": lambda: random_vectors(2, 2, 1),
    "VAE": lambda: random_vae(HEADS[0], [2], seed=1),
    "DeepSSM": lambda: random_deep_ssm(HEADS[0], 1, 2, seed=2),
    "ContextMixer": lambda: bbans.ContextMixer.fit([b"one\n", b"two\n"]),
}  # fmt: skip


def float_file(name):
    made = FLOAT_MODELS[name]()
    data = saved(made.save)
    return Stored(
        data, made._arrays(), partial(in_file, lambda p: type(made).load(p)._arrays())
    )


def float_network():
    made = random_network([3], 2, np.random.default_rng(1))
    load = type(made).load
    return Stored(
        saved(made.save), made._arrays(), partial(in_file, lambda p: load(p)._arrays())
    )


def checkpoint_file():
    """Of a fit that has ended, whose model is what the file holds."""
    data, how = [0, 1, 1, 0, 1], {"n_iter": 2, "tol": 0, "seed": 1}
    fit = partial(bbans.HMM.fit, data, 2, **how)
    made = fit()
    return Stored(
        saved(lambda path: fit(checkpoint=path)),
        made._arrays(),
        partial(in_file, lambda p: fit(checkpoint=p, resume=True)._arrays()),
    )


def network_file(k):
    """Of the stored vectors, which have all operations."""
    path = Path(__file__).parent / "vectors" / "network_v1.json"
    cases = json.loads(path.read_text())["cases"]
    made = FrozenNetwork.from_bytes(bytes.fromhex(cases[k]["file"]))
    return Stored(made.to_bytes(), made, FrozenNetwork.from_bytes)


# ---- containers


class Differences:
    """A codec of bytes: each less the one before."""

    def encode(self, block):
        return np.diff(block, prepend=np.uint8(0)).tobytes()

    def decode(self, data, n):
        return np.cumsum(np.frombuffer(data, np.uint8), dtype=np.uint8)


TEXT = b"the cat sat on the mat, and the cat ate the rat. " * 2
NOISE = np.random.default_rng(0).integers(0, 256, 40, np.uint8).tobytes()
WALK = np.cumsum(np.random.default_rng(1).integers(-3, 4, 60))
IMAGE = (np.add.outer(np.arange(9), np.arange(10)) % 7 * 30).astype(np.uint8)
FLOATS = WALK.astype(np.float64)
CODEC = CodecCoder("differences", Differences(), b"\1\2\3\4\5\6\7\x08")

#: Data, coder or the name of a model, and options of `compress`.
CONTAINERS = {
    # coders
    "default of bytes": (TEXT, None, {}),
    "default of few bytes": (b"ab", None, {}),
    "stored": (NOISE, ByteCoder(), {}),
    "bytes, a run": (b"a" * 90, ByteCoder(), {"block_size": 50}),
    "bytes, order 0": (TEXT * 4, ByteCoder(0), {"block_size": 300}),
    "bytes, order 1": (b"abbcaab" * 70, ByteCoder(1), {}),
    "bytes, packed": (b"\0\1" * 9 + b"\1\0\0" * 30, ByteCoder(), {}),
    "mixing": (TEXT, MixingCoder(), {"block_size": 60}),
    "mixing of lines": (b"1,2\n3,4\n" * 9, MixingCoder(9, 4), {}),
    "model": (TEXT, "HMM of bytes", {"block_size": 40}),
    "model of characters": ("ab\u00e9\U0001f600a" * 9, "HMM of characters", {}),
    "model of UTF-8": ("caf\u00e9" * 9, "HMM of UTF-8", {"block_size": 8}),
    "model of listed integers": (
        [7, -1, -1, 2**63 - 1] * 9, "HMM of listed integers", {},
    ),
    "model of rows": (WALK.reshape(30, 2), "LGSSM", {"block_size": 24}),
    "model of records": (TEXT, "ContextMixer", {}),
    "codec": (TEXT, CODEC, {"block_size": 40}),
    "base": (FLOATS * 1.0000001, BaseCoder(FLOATS), {"block_size": 32}),
    "signal": (WALK.astype(np.int16), SignalCoder(), {"block_size": 25}),
    "signal, constant": (np.full(30, -7), SignalCoder(), {}),
    "signal along a line": (
        np.arange(90) * 5000 + 10**12, SignalCoder(), {"block_size": 30},
    ),
    "signal of multiples": (WALK * 1000, SignalCoder(), {}),
    "signal of ranks": (np.array([3, 10**6, 77, 10**12])[WALK % 4], SignalCoder(), {}),
    "signal with low bits": (
        (WALK << 40) + np.random.default_rng(2).integers(0, 2**39, 60),
        SignalCoder(), {},
    ),
    "signal, wrapped": ((np.arange(300) * 900).astype(np.uint16), SignalCoder(), {}),
    "signal, stored": (np.frombuffer(NOISE, np.int64), SignalCoder(), {}),
    "signal of channels": (
        np.column_stack([WALK, WALK + 1, 3 - WALK]), SignalCoder(), {},
    ),
    "signal, time last": (
        WALK.reshape(3, 20), SignalCoder(axis=1), {"block_size": 24},
    ),
    "grid": (IMAGE, GridCoder(), {}),
    "grid of frames and bands": (
        np.stack([IMAGE, IMAGE + 1, IMAGE]).reshape(3, 9, 5, 2),
        GridCoder("tyxc"), {"block_size": 90},
    ),
    "grid, bands first": (np.stack([IMAGE, IMAGE + 1], 2), GridCoder("xct"), {}),
    "grid of floats": (IMAGE / 8, GridCoder(), {}),
    "floats, planes": (np.sqrt(FLOATS + 99), ByteCoder(), {}),
    "floats, integers": (FLOATS / 10, SignalCoder(), {"block_size": 25}),
    "floats, stored": (np.frombuffer(NOISE, np.float64), ByteCoder(), {}),
    # elements
    "text": ("na\u00efve", ByteCoder(), {}),
    "code points": ("a\ud800b", ByteCoder(), {}),
    "no bytes": (b"", None, {}),
    "no elements": (np.zeros((0, 3), np.int16), None, {}),
    "a scalar": (np.int8(-5), None, {}),
    **{
        name: (WALK.astype(name), ByteCoder(), {"block_size": 32})
        for name in ("u1", "i1", "<u2", ">i2", "<u4", ">i4", ">u8", "<i8")
    },
    "bool": (WALK % 3 == 0, None, {}),
    **{
        f"{kind} in {unit}": (WALK[:9].astype(f"{kind}8[{unit}]"), None, {})
        for kind, units in (
            ("<M", "Y M W D h m s ms us 25ns ps fs as"), (">m", "Y 3W D s ns")
        )
        for unit in units.split()
    },
    "durations without a unit": (WALK[:9].astype("m8"), None, {}),
    "float16": (FLOATS.astype("<f2"), None, {}),
    "float32": (FLOATS.astype(">f4"), None, {}),
    **{
        name: (WALK.astype(bits), None, {"dtype": name})
        for name, bits in (
            ("bfloat16", "u2"), ("float8_e4m3fn", "u1"), ("float8_e5m2", "u1"),
        )
    },
}  # fmt: skip


def container(name):
    data, coder, options = CONTAINERS[name]
    if isinstance(coder, str):
        coder = ModelCoder(model(coder))
    packed = bbans.compress(data, coder, **options)
    read = partial(bbans.decompress, coder=coder)
    wanted = data if isinstance(data, str | bytes) else np.asarray(data)
    if "dtype" in options:  # which numpy may not have
        wanted = read(packed)
        assert wanted.view(data.dtype).tolist() == data.tolist()
    return Stored(packed, wanted, read, coder)


def parts(*names):
    """Containers one behind the other."""
    found = [container(name) for name in names]
    first, *rest = (one.value for one in found)
    value = np.concatenate([first, *rest]) if len(np.shape(first)) else None
    if value is None:
        value = b"".join(
            v.encode() if isinstance(v, str) else v for v in [first, *rest]
        )
    coder = next((one.coder for one in found if one.coder is not None), None)
    read = partial(bbans.decompress, coder=coder)
    return Stored(b"".join(one.data for one in found), value, read, coder)


def wave(samples, width):
    """A file of sound: one channel, of so many bytes a sample."""
    data = samples.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width].tobytes()
    form = struct.pack("<IHHIIHH", 16, 1, 1, 8000, 8000 * width, width, 8 * width)
    rest = b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(rest)) + rest


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def weights(array):
    """A file of safetensors, with one tensor."""
    tensor = {
        "dtype": "F32",
        "shape": [array.size],
        "data_offsets": [0, 4 * array.size],
    }
    head = json.dumps({"w": tensor}).encode().ljust(80)
    return len(head).to_bytes(8, "little") + head + array.astype("<f4").tobytes()


#: Files of a kind that is recognised, which become blocks in pieces.
PIECES = {
    "npy": lambda: npy(WALK),
    "npy of floats": lambda: npy(FLOATS.astype(">f8")),
    "npy of columns": lambda: npy(np.asfortranarray(np.tile(WALK, (3, 5)).T)),
    "wav of 16 bits": lambda: wave(np.tile(WALK, 9), 2),
    "wav of 24 bits": lambda: wave(np.tile(WALK, 9) << 9, 3),
    "safetensors": lambda: weights(np.tile(FLOATS, 4)),
    "csv": lambda: b"".join(b"%d,%d,x\n" % (k, k * k) for k in range(80)),
}


def pieces(name):
    sink, data = io.BytesIO(), PIECES[name]()
    bbans.compress_file(io.BytesIO(data), sink, kind=name.split()[0])
    return Stored(sink.getvalue(), data, bbans.decompress)


def stored_pieces():
    """Pieces whose blocks are stored, which no writer makes; behind a run of bytes, as
    a block is no longer than what it restores."""
    signal, floats, plain = NOISE[:8], NOISE[8:24], NOISE[24:]
    block = b"".join(
        bytes([code]) + uvarint(n) + uvarint(len(data)) + data
        for code, n, data in (
            (1, 90, b"\1" + uvarint(90) + b"a"),
            (19, 4, b"\3" + signal),
            (28, 4, b"\4" + floats),
            (1, len(plain), b"\0" + uvarint(len(plain)) + plain),
        )
    )
    sink, value = io.BytesIO(), b"a" * 90 + NOISE
    writer = ContainerWriter(sink, Header(BYTES))
    writer.write(len(value), METHOD_PIECES, block)
    writer.finish()
    return Stored(sink.getvalue(), value, bbans.decompress)


# ---- record files

RECORDS = ["one", "", "two, and three", "\u00e9\U0001f600", "one"] * 3


def record_file(kind, checksums, embed, terminator=b"\n"):
    """Of three groups, as files have that were appended to."""
    made = model("HMM of records")
    wanted = RECORDS if kind == "text" else [r.encode() for r in RECORDS]

    def write(path):
        Records.write(
            path, wanted[:5], made,
            checksums=checksums, embed=embed, terminator=terminator,
        )  # fmt: skip
        with Records(path, made) as file:
            file.extend(wanted[5:10])
            file.extend(wanted[10:])

    def read(path):
        # A few damaged bytes may be a message of very many.
        with Records(path, None if embed else made, max_bytes=1 << 16) as file:
            return file[:]

    return Stored(saved(write), wanted, partial(in_file, read), made)


# ---- what has no frame of its own


def bare(name, mode):
    """The message of a sequence."""
    made = model(name).with_mode(mode)
    x = observations(name, 12)
    read = lambda data: made.decode(data, len(x))  # noqa: E731
    return Stored(made.encode(x), x, read, made, made.encode)


def batch():
    made = model("HMM of integers")
    x = [observations("HMM of integers", n) for n in (5, 0, 9)]
    data, offsets = records.encode_batch(x, made)
    read = partial(records.decode_batch, offsets=offsets, lengths=[5, 0, 9], model=made)
    write = lambda x: records.encode_batch(x, made)[0]  # noqa: E731
    return Stored(data, x, read, made, write)


def chained():
    made = model("HMM of integers")
    x = [observations("HMM of integers", n) for n in (5, 0, 9)]
    read = partial(records.unchain, lengths=[5, 0, 9], model=made)
    write = partial(records.chain, model=made)
    return Stored(write(x), x, read, made, write)


def record(text):
    codec = bbans.RecordCodec(model("HMM of records"))
    return Stored(codec.encode(text), text, codec.decode, codec, codec.encode)


def packet(checksum):
    made = model("HMM of integers")
    x = observations("HMM of integers", 9)

    def write(x):
        return b"".join(packets.encode(x, made, 12, checksum=checksum))

    read = partial(packets.decode, model=made, checksum=checksum)
    return Stored(write(x), x, read, made, None if checksum else write)


LAW = Categorical.from_masses([1.0, 2.0, 5.0])


def iid():
    x = [0, 1, 2, 2, 1, 2]

    def write(x):
        return encode_iid(x, LAW).to_bytes()

    def read(data):
        return [*map(int, decode_iid(Message.from_bytes(data), LAW, len(x)))]

    return Stored(write(x), x, read, None, write)


def queue():
    x = [0, 1, 2, 2, 1, 2]

    def write(x):
        encoder = RangeEncoder()
        for value in x:
            encoder.encode(LAW, value)
        return encoder.finish().to_bytes()

    def read(data):
        decoder = RangeDecoder(Message.from_bytes(data))
        return [int(decoder.decode(LAW)) for _ in x]

    return Stored(write(x), x, read, None, write)


def lanes(n):
    """The state of a message, heads and tail."""
    read = lambda data: Message.from_bytes(data, n).unseed()  # noqa: E731
    write = lambda data: Message.seeded(data, n).to_bytes()  # noqa: E731
    return Stored(write(NOISE), NOISE, read, None, write)


def chunk(array, **settings):
    """Of an array store."""
    coder = ChunkCoder(**settings)
    read = partial(coder.decode_as, dtype=array.dtype, shape=array.shape)
    return Stored(coder.encode_little(array), array, read, coder)


CHUNKS = {
    "integers": lambda: chunk(WALK.reshape(6, 10)),
    "floats along an axis": lambda: chunk(FLOATS.reshape(6, 10), axis=1),
    "an image": lambda: chunk(IMAGE, axes=("y", "x")),
    "complex numbers": lambda: chunk(FLOATS + 1j),
    "dates": lambda: chunk(WALK.astype("M8[s]")),
    "text": lambda: chunk(np.array(["ab", "cd", "ab"] * 9)),
    "structures": lambda: chunk(np.zeros(20, [("a", "i4"), ("b", "f8")])),
    "three axes from 1 on": lambda: chunk(IMAGE[None]),
}


def stream():
    """Under tables, of symbols that some of them do not hold."""
    tables = [[0, 30000, 65000, 65536], [0, 40000, 65536, 0]], [4, 3], [-1, 5]
    x, rows = [-1, 0, 5, 5, 900, 0, -1, 5], [0, 0, 1, 1, 1, 0, 0, 1]

    def read(data):
        return RansDecoder().decode_with_indexes(data, rows, *tables)

    return Stored(RansEncoder().encode_with_indexes(x, rows, *tables), x, read)


SAMPLES: dict[str, Callable[[], Stored]] = {
    **dict(model_samples()),
    **{f"float model: {name}": partial(float_file, name) for name in FLOAT_MODELS},
    "float model: a network": float_network,
    "float model: a checkpoint": checkpoint_file,
    **{f"network: case {k}": partial(network_file, k) for k in range(5)},
    **{f"container: {name}": partial(container, name) for name in CONTAINERS},
    **{f"pieces: {name}": partial(pieces, name) for name in PIECES},
    "pieces: stored": stored_pieces,
    "parts: bytes and text": partial(parts, "bytes, a run", "text", "no bytes"),
    "parts: bytes under a model": partial(parts, "model", "stored", "mixing"),
    "parts: arrays": partial(parts, "signal of channels", "signal of channels"),
    **{
        f"records: {kind}{sums * checksums}{alone * embed}":
        partial(record_file, kind, checksums, embed)
        for sums, alone in ((", checksums", ", with the model"),)
        for kind in ("bytes", "text") for checksums in (False, True)
        for embed in (False, True)
    },
    "records: no terminator": partial(record_file, "bytes", True, False, b""),
    **{f"chunk: {name}": make for name, make in CHUNKS.items()},
    "checked packet: 1 byte": partial(packet, 1),
    "checked packet: 2 bytes": partial(packet, 2),
    "stream: indexed tables": stream,
    "packet: without a checksum": partial(packet, 0),
    **{
        f"message: {name}, {mode}": partial(bare, name, mode)
        for name in MODELS for mode in ("iconoclasm", "predictive")
        if (name, mode) not in [
            ("ContextMixer", "iconoclasm"), ("ContextMixer of text", "iconoclasm")
        ]
    },
    "message: a batch": batch,
    "message: a chain": chained,
    "message: a record": partial(record, TEXT[:30]),
    "message: a record that is stored": partial(record, b"\xff\0"),
    "message: values one after another": iid,
    "message: a queue": queue,
    "message: one lane": partial(lanes, 1),
    "message: five lanes": partial(lanes, 5),
}  # fmt: skip


@cache
def sample(name):
    """A sample, made once."""
    return SAMPLES[name]()


def kind_of(name):
    """What a sample is: its name up to the colon."""
    return name.split(":")[0]
