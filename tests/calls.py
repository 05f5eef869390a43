"""Right calls of public functions, whose arguments the fuzz tests then change."""

import io
from functools import cache
from functools import partial as call
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace as Namespace

import numpy as np
from matplotlib.figure import Figure
from shared import (
    HEADS,
    convolutional_vae,
    random_deep_ssm,
    random_factorial,
    random_hierarchy,
    random_lgssm,
    random_mixer,
    random_observations,
    random_tree,
    random_vae,
)

import bbans
from bbans import (
    codecs,
    compressai,
    distributed,
    formats,
    frozen,
    models,
    networks,
    particles,
    plot,
    records,
)
from bbans import distributions as laws
from bbans import sklearn as estimators
from bbans.distributions import Gaussian, Table, Uniform
from bbans.formats import SignalCoder
from bbans.message import RangeDecoder, RangeEncoder
from bbans.records import packets

HMM = bbans.HMM([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [[0.5, 0.5], [1, 0]])
FROZEN = HMM.freeze()
TEXT = bbans.HMM.fit(["abba", "baab"], 2, n_iter=2)
LGSSM = random_lgssm(1, 1, 0)
MIXER = random_mixer()
RECORD = records.RecordCodec(MIXER)
TABLE = Table.from_masses([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]])
FAMILY = laws.Family.gaussian()
AR = bbans.ARHMM.fit([b"abracadabra" * 9], 2, order=1, n_iter=1)
FROZEN_AR = AR.freeze()
FROZEN_LGSSM = LGSSM.freeze()
IMAGE = np.arange(24).reshape(4, 6)
CDFS = [[0, 1 << 14, 1 << 15, 1 << 16]], [4], [0]


@cache
def folder():
    """Where there are models, networks, records and other files."""
    made = TemporaryDirectory()
    path = Path(made.name)
    FROZEN.save(path / "model.bbm")
    MIXER.save(path / "mixer.bbm")
    HMM.save(path / "model.npz")
    NET.save(path / "network.npz")
    INTEGERS.save(path / "network.bbn")
    records.Records.write(path / "records.bbr", [b"a", b"bc"], MIXER)
    return made


def in_folder(name):
    return str(Path(folder().name) / name)


def written(name, content):
    """A file that an earlier call may have removed."""
    Path(in_folder(name)).write_bytes(content)
    return in_folder(name)


#: Of distributed.compress_tree and decompress_tree.
OF_TREES = {
    "model": None, "suffix": ".bbz", "threads": 1, "keep": True, "force": True,
    "recursive": True, "progress": False,
}  # fmt: skip
PIXELS = random_observations(HEADS[0], 9, seed=9)
FLOAT_VAE = random_vae(HEADS[0], [2], seed=9)
VAE = FLOAT_VAE.freeze(PIXELS)
IMAGES = random_observations(frozen.Head.bernoulli(64), 9, seed=9)
PICTURES = convolutional_vae(seed=0).freeze(IMAGES)
FLOAT_DEEP = random_deep_ssm(HEADS[0], 2, 3, seed=1)
DEEP = FLOAT_DEEP.freeze(PIXELS)
TREE = random_tree(7, 2, [3, 2, 4], seed=13)
FLOAT_TREE = bbans.LatentTree.from_frozen(TREE)
FACTORIAL = random_factorial((2, 2), 3)
HIERARCHY = random_hierarchy((2, 2), 3)
FLOAT_LEVELS = bbans.HierarchicalHMM.from_frozen(HIERARCHY)
FLOAT_FACTORIAL = bbans.FactorialHMM.from_frozen(FACTORIAL)
VECTORS = bbans.MultivariateGaussianHMM(
    [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0, 0], [30, -30]], [np.eye(2)] * 2
)
ROWS = [[1, 2], [30, -30]]
GAUSSIAN_HMM = VECTORS.freeze()
FLOAT_MIXER = bbans.ContextMixer.fit(["abcabd", "abdabc"], progress=False)
#: The example of docs/format.md, "Network file".
NETWORK = (
    "8962626e010000000200000001000000ba000000"
    "01000000000000000000000001000000010000000100000000000000070000000000000000000000"
    "00000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "02000000000000000000000001000000010000000100000000000000090000000100000001000000"
    "01000000010000000000000000000000010000000000000000000000000000000000000000000000"
    "0100000001000000010000000103"
    "1e02cdd0"
)


def message(lanes=1):
    return bbans.Message.seeded(bytes(range(200)), lanes)


def decoder():
    encoder = RangeEncoder()
    encoder.encode(Uniform(9), 3)
    return RangeDecoder(encoder.finish())


def stream():
    reader = compressai.RansDecoder()
    reader.set_stream(
        compressai.RansEncoder().encode_with_indexes([1, 0], [0, 0], *CDFS)
    )
    return reader


def appended():
    """Records to append to."""
    path = in_folder("appended.bbr")
    records.Records.write(path, [b"a"], MIXER)
    return records.Records(path)


@cache
def axes():
    """Some to draw into again and again."""
    return Figure().add_subplot()


def container(data=IMAGE):
    file = io.BytesIO()
    if isinstance(data, bytes):
        file.write(bbans.compress(data))
    else:
        bbans.save(file, data)
    file.seek(0)
    return file


GRAPH = codecs.FiniteGraph({"a": ((), [1, 1]), "b": (("a",), [[1, 1], [1, 2]])})
LINEAR = codecs.GaussianGraph({"a": ((), [], 0.0, 9.0), "b": (("a",), [1.0], 0.0, 1.0)})
SCHEDULE = codecs.Schedule.eager(GRAPH, ["a"], ["b"])
ORDER = SCHEDULE.order
LEVELS = codecs.Hierarchy(
    2, lambda *_: Uniform(2), lambda z: Uniform(3), lambda *_: Uniform(2)
)
VECTOR = laws.Multivariate([0, 0], [0, 0], np.zeros((2, 3), int))
RAGGED = laws.RaggedTable([[0, 3, 16], [0, 16]], 4, offsets=[0, -2])
STATISTICS = HMM.expect([[1, 0]])
X = networks.Input(3)
NET = networks.Network([X], [networks.Relu(networks.Dense(X, np.ones((2, 3))))])
UNITS = networks.grid(0.5, -3, 3)
INTEGERS = NET.quantise(np.eye(3), inputs=[UNITS], outputs=[UNITS]).freeze()


def bits_back():
    return codecs.BitsBack(Uniform(2), lambda z: Uniform(3), lambda x: Uniform(2))


def dependent():
    return codecs.Dependent([Uniform(3), lambda x: Uniform(x + 1)])


def importance():
    return codecs.ImportanceSampling(
        Uniform(2), lambda z: Uniform(3), lambda x: Uniform(2), 2
    )


class Walk:
    """A random walk that is seen through noise."""

    def prior(self, z):
        return Gaussian(0.0, 4.0, leak=z is not None)

    def likelihood(self, z):
        return Gaussian(z.astype(float), 2.0)

    def proposal(self, z, x):
        return Gaussian(0.0, 4.0, leak=False)


FILTER = particles.ProposalFilter(Walk(), 3, 7)


def linear():
    """A module of PyTorch, where that is installed."""
    try:
        from torch.nn import Linear
    except ImportError:
        return None
    return Linear(3, 2)


COLUMN = np.array([[0], [1], [2], [1], [0], [2]])


def fitted():
    made = estimators.CategoricalHMM(2, n_iter=1, random_state=0)
    return made.fit(COLUMN)


# Models of other libraries, by what is read of them.
OURS = {"initial": HMM.initial, "transition": HMM.transition, "emission": HMM.emission}


def hmmlearn_of(initial, transition, emission):
    return Namespace(startprob_=initial, transmat_=transition, emissionprob_=emission)


def dynamax_of(initial, transition, emission):
    return Namespace(
        initial=Namespace(probs=initial),
        transitions=Namespace(transition_matrix=transition),
        emissions=Namespace(probs=emission),
    )


def pomegranate_of(initial, transition, emission):
    categorical = type("Categorical", (Namespace,), {})
    return Namespace(
        starts=initial,
        edges=transition,
        distributions=[categorical(probs=emission)] * 2,
    )


def laws_of():
    yield Uniform(9)
    yield laws.UniformRange(-5, 5)
    yield laws.Categorical(TABLE, 1)
    yield laws.Weighted([1, 2, 3])
    yield laws.Bernoulli(0.3)
    yield laws.Binomial(7, 0.3)
    yield laws.BetaBinomial(7, 1.5, 2.5)
    yield laws.Poisson(3.0)
    yield laws.Geometric(3.0)
    yield laws.NegativeBinomial(2.0, 0.4)
    yield Gaussian(0.0, 4.0)
    yield laws.Laplace(0.0, 4.0)
    yield laws.Logistic(0.0, 4.0)
    yield laws.StudentT(4.0, 0.0, 4.0)
    yield laws.LocationScale(FAMILY, 0.0, 4.0)
    yield laws.Mixture(FAMILY, [0.5, 0.5], [0.0, 9.0], 4.0)
    yield laws.Custom(lambda v, m: np.clip((v - m) / 64, 0, 1), -8, 64, 0.0)
    yield laws.Ragged(laws.RaggedTable([[0, 3, 16]], 4))


CALLS = {
    # the message
    "Message": lambda: call(bbans.Message, 2),
    "Message.seeded": lambda: call(bbans.Message.seeded, bytes(99), 2),
    "Message.from_bytes": lambda: call(bbans.Message.from_bytes, b"abcd", 1),
    "Message.from_state": lambda: call(bbans.Message.from_state, [1 << 40], [3]),
    "Message.push": lambda: call(message().push, Uniform(9), 3),
    "Message.pop": lambda: call(message().pop, Uniform(9), (2,)),
    "Message.push_interval": lambda: call(message(2).push_interval, [3, 4], [2, 1], 9),
    "Message.peek": lambda: call(message().peek, 9),
    "Message.advance": lambda: call(message().advance, [0], [9], 9),
    "Message.rotate": lambda: call(message(3).rotate, 1),
    "Message.is_at_least": lambda: call(message().is_at_least, 4),
    "Message.seek": lambda: (lambda m: call(m.seek, m.position()))(message()),
    "RangeEncoder": lambda: call(RangeEncoder),
    "RangeEncoder.encode": lambda: call(RangeEncoder().encode, Uniform(9), 3),
    "RangeEncoder.encode_interval": lambda: call(
        RangeEncoder().encode_interval, 3, 2, 9
    ),
    "RangeDecoder": lambda: call(RangeDecoder, message()),
    "RangeDecoder.decode": lambda: call(decoder().decode, Uniform(9)),
    "RangeDecoder.peek": lambda: call(decoder().peek, 9),
    "RangeDecoder.advance": lambda: call(decoder().advance, 3, 1, 9),
    "RangeDecoder.seek": lambda: (lambda d: call(d.seek, d.position()))(decoder()),
    "RangeDecoder.mark": lambda: call(decoder().mark, 3),
    # laws
    "Uniform": lambda: call(laws.Uniform, 9, ()),
    "UniformRange": lambda: call(laws.UniformRange, -5, 5, (), np.int8),
    "Categorical": lambda: call(laws.Categorical, TABLE, 0, (), copy=False),
    "Categorical.from_masses": lambda: call(
        laws.Categorical.from_masses, [1.0, 2.0], 8
    ),
    "Weighted": lambda: call(laws.Weighted, [1, 2], copy=False),
    "Bernoulli": lambda: call(laws.Bernoulli, 0.5, prec=None, copy=False),
    "Binomial": lambda: call(laws.Binomial, 5, 0.5, np.int8, copy=False),
    "BetaBinomial": lambda: call(laws.BetaBinomial, 5, 1.5, 2.5, np.int8),
    "Poisson": lambda: call(laws.Poisson, 2.0, np.int8, copy=False),
    "Geometric": lambda: call(laws.Geometric, 2.0, np.int8, copy=False),
    "NegativeBinomial": lambda: call(laws.NegativeBinomial, 2.0, 0.5, np.int8),
    "Gaussian": lambda: call(Gaussian, 0.0, 1.0, np.int8, leak=False, copy=False),
    "Laplace": lambda: call(laws.Laplace, 0.0, 1.0, np.int8, leak=False),
    "Logistic": lambda: call(laws.Logistic, 0.0, 1.0, np.int8, leak=False),
    "StudentT": lambda: call(laws.StudentT, 4.0, 0.0, 1.0, np.int8, leak=False),
    "LocationScale": lambda: call(laws.LocationScale, FAMILY, 0.0, 1.0, np.int8),
    "Mixture": lambda: call(
        laws.Mixture, FAMILY, [0.5, 0.5], [0.0, 9.0], 4.0, -5, 5, np.int8
    ),
    "Custom": lambda: call(
        laws.Custom,
        lambda v, m: np.clip((v - m) / 64, 0, 1),
        -8,
        64,
        [0.0],
        prec=20,
        dtype=np.int8,
    ),
    "Family.gaussian": lambda: call(laws.Family.gaussian, leak=True),
    "Family.from_survival": lambda: call(
        laws.Family.from_survival, lambda t: 0.5 * np.exp(-t), leak=True
    ),
    "Multivariate": lambda: call(
        laws.Multivariate, [0, 0], [0, 0], np.zeros((2, 3), int), family=FAMILY, prec=26
    ),
    "Multivariate.from_covariance": lambda: call(
        laws.Multivariate.from_covariance, [0.0], [[1.0]]
    ),
    "Table": lambda: call(Table, [0, 3, 4], 2),
    "Table.from_masses": lambda: call(Table.from_masses, [1.0, 2.0], 8, indexed=True),
    "RaggedTable": lambda: call(
        laws.RaggedTable, [[0, 3, 4]], 2, offsets=0, escape=False
    ),
    "RaggedTable.from_masses": lambda: call(
        laws.RaggedTable.from_masses, [[1.0, 2.0]], 8, offsets=[1], escape=True
    ),
    "Ragged": lambda: call(
        laws.Ragged, laws.RaggedTable([[0, 3, 4]], 2), 0, (), np.int8
    ),
    "quantise": lambda: call(laws.quantise, [[1.0, 2.0]], 8),
    "fixed_locations": lambda: call(laws.fixed_locations, [1.0]),
    "fixed_scales": lambda: call(laws.fixed_scales, [1.0]),
    "fixed_rates": lambda: call(laws.fixed_rates, [1.0]),
    "fixed_probabilities": lambda: call(laws.fixed_probabilities, [0.5]),
    # codecs
    "BitsBack": lambda: call(
        codecs.BitsBack, Uniform(2), lambda z: Uniform(3), lambda x: Uniform(2)
    ),
    "Dependent": lambda: call(codecs.Dependent, [Uniform(3), lambda x: Uniform(x + 1)]),
    "Serial": lambda: call(codecs.Serial, [Uniform(3)]),
    "Serial.push": lambda: call(
        codecs.Serial([Uniform(3), Uniform(2)]).push, message(), (1, 0)
    ),
    "Repeat": lambda: call(codecs.Repeat, Uniform(3), 2),
    "Repeat.push": lambda: call(codecs.Repeat(Uniform(3), 2).push, message(), [1, 2]),
    "Permutation": lambda: call(codecs.Permutation, 4),
    "Permutation.push": lambda: call(
        codecs.Permutation(4).push, message(), [1, 0, 3, 2]
    ),
    "Multiset": lambda: call(codecs.Multiset, Uniform(3), 2, key=None),
    "Multiset.push": lambda: call(
        codecs.Multiset(Uniform(3), 2).push, message(), [1, 0]
    ),
    "ImportanceSampling": lambda: call(
        codecs.ImportanceSampling,
        Uniform(2),
        lambda z: Uniform(3),
        lambda x: Uniform(2),
        2,
        coupled=False,
    ),
    "Iconoclasm": lambda: call(codecs.Iconoclasm, FROZEN, 4, None),
    "Iconoclasm.push": lambda: call(
        codecs.Iconoclasm(FROZEN, 3).push, message(), [1, 0, 0]
    ),
    "FiniteGraph": lambda: call(
        codecs.FiniteGraph, {"a": ((), [1, 1]), "b": (("a",), [[1, 1], [1, 2]])}
    ),
    "GaussianGraph": lambda: call(
        codecs.GaussianGraph, {"a": ((), [], 0.0, 1.0), "b": (("a",), [1.0], 0.0, 1.0)}
    ),
    "Schedule.eager": lambda: call(
        codecs.Schedule.eager,
        codecs.FiniteGraph({"a": ((), [1, 1]), "b": (("a",), [[1, 1], [1, 2]])}),
        ["a"],
        ["b"],
    ),
    "staircase": lambda: call(codecs.staircase, 2, 3),
    "aligned": lambda: call(codecs.aligned, 2, 3),
    "encode_iid": lambda: call(
        codecs.encode_iid, [1, 2], Uniform(3), initial_bits=None
    ),
    "decode_iid": lambda: call(
        codecs.decode_iid,
        codecs.encode_iid([1, 2], Uniform(3)),
        Uniform(3),
        2,
        initial_bits=None,
    ),
    "encode_sequence": lambda: call(
        codecs.encode_sequence,
        [1, 0],
        FROZEN.state_space(),
        predictive=False,
        initial_bits=None,
    ),
    "decode_sequence": lambda: call(
        codecs.decode_sequence,
        codecs.encode_sequence([1, 0], FROZEN.state_space()),
        FROZEN.state_space(),
        2,
    ),
    "check_codec": lambda: call(
        bbans.check_codec, [1, 2], Uniform(3), samples=2, seed=0
    ),
    "check_model": lambda: call(
        bbans.check_model, [1, 0], FROZEN, samples=2, seed=0, reference=None
    ),
    # compress, decompress
    "compress": lambda: call(
        bbans.compress, b"abcabc", None, level=3, block_size=4, threads=1, dtype=None
    ),
    "compress array": lambda: call(bbans.compress, IMAGE, SignalCoder(), dtype=None),
    "compress model": lambda: call(bbans.compress, [1, 0, 0], FROZEN),
    "decompress": lambda: call(
        bbans.decompress,
        bbans.compress(b"abcabc"),
        None,
        kind=None,
        max_bytes=99,
        threads=1,
    ),
    "decompress out": lambda: call(
        bbans.decompress, bbans.compress(IMAGE), out=np.empty_like(IMAGE)
    ),
    "compress_file": lambda: call(
        bbans.compress_file,
        io.BytesIO(b"abcabc"),
        io.BytesIO(),
        None,
        level=3,
        block_size=4,
        threads=1,
        dtype=None,
        channels=1,
        shape=None,
        kind=None,
        progress=None,
    ),
    "compress_file array": lambda: call(
        bbans.compress_file,
        io.BytesIO(bytes(48)),
        io.BytesIO(),
        dtype="int16",
        channels=2,
    ),
    "compress_file grid": lambda: call(
        bbans.compress_file,
        io.BytesIO(bytes(48)),
        io.BytesIO(),
        dtype="int16",
        shape=(4, 6),
    ),
    "decompress_file": lambda: call(
        bbans.decompress_file,
        container(),
        io.BytesIO(),
        None,
        salvage=None,
        progress=None,
        max_bytes=1000,
        threads=1,
    ),
    "save": lambda: call(
        bbans.save,
        io.BytesIO(),
        IMAGE,
        None,
        level=3,
        block_size=10,
        threads=1,
        dtype=None,
    ),
    "load": lambda: call(bbans.load, container(), None, max_bytes=1000, threads=1),
    "open": lambda: call(bbans.open, container(), None),
    "open[]": lambda: call(bbans.open(container()).__getitem__, slice(1, 2)),
    "open[,]": lambda: call(lambda *key: bbans.open(container())[key], slice(1, 2), 2),
    "open bytes[]": lambda: call(bbans.open(container(b"abcabc")).__getitem__, 2),
    "describe": lambda: call(formats.describe, container()),
    "costs": lambda: call(bbans.costs, b"abc", None, level=3),
    "costs model": lambda: call(bbans.costs, [1, 0], FROZEN),
    "encode": lambda: call(bbans.encode, [1, 0], FROZEN),
    "encode text": lambda: call(bbans.encode, "ab", TEXT.freeze()),
    "decode": lambda: call(
        bbans.decode, FROZEN.encode([1, 0]), FROZEN, 2, until=None, max_bytes=99
    ),
    "ByteCoder": lambda: call(formats.ByteCoder, 1, level=5),
    "BaseCoder": lambda: call(formats.BaseCoder, IMAGE, level=5),
    "MixingCoder": lambda: call(formats.MixingCoder, level=5, line=None),
    "SignalCoder": lambda: call(SignalCoder, level=5, axis=0),
    "GridCoder": lambda: call(formats.GridCoder, ("y", "x"), level=5),
    "ModelCoder": lambda: call(formats.ModelCoder, FROZEN, level=5),
    "CodecCoder": lambda: call(
        formats.CodecCoder, "name", FROZEN, b"abcdefgh", level=5
    ),
    "compress grid": lambda: call(
        bbans.compress, IMAGE, formats.GridCoder(), block_size=12
    ),
    "compress float": lambda: call(
        bbans.compress, IMAGE.astype(np.uint16), level=3, dtype="bfloat16"
    ),
    "integrations.register": lambda: call(bbans.integrations.register, FROZEN),
    # frozen models
    "FrozenHMM": lambda: call(
        frozen.FrozenHMM,
        [8, 8],
        [[8, 8], [8, 8]],
        [[8, 8], [15, 1]],
        prec=4,
        start_length=5,
        alphabet=None,
        mode="iconoclasm",
    ),
    "FrozenARHMM": lambda: call(
        frozen.FrozenARHMM,
        [8, 8],
        [[8, 8], [8, 8]],
        [[8, 8], [15, 1]],
        models.Contexts.empty(),
        prec=4,
        start_length=5,
    ),
    "FrozenFactorialHMM": lambda: call(
        frozen.FrozenFactorialHMM,
        [[8, 8]],
        [[[8, 8], [8, 8]]],
        [[8, 8], [15, 1]],
        prec=4,
        start_length=5,
    ),
    "FrozenHierarchicalHMM": lambda: call(
        frozen.FrozenHierarchicalHMM,
        [[8, 8]],
        [[[8, 8], [8, 8]]],
        [[8, 8], [15, 1]],
        prec=4,
        start_length=5,
    ),
    "FrozenGaussianHMM": lambda: call(
        frozen.FrozenGaussianHMM,
        [8, 8],
        [[8, 8], [8, 8]],
        [[0], [9]],
        [[5], [6]],
        None,
        prec=4,
        start_length=5,
    ),
    "FrozenContextMixer": lambda: (
        lambda f: call(
            frozen.FrozenContextMixer,
            f.row,
            f.weight,
            f.match,
            row_bits=f.row_bits,
            match_bits=f.match_bits,
            history_bits=f.history_bits,
            rate=f.rate,
            kind=f.kind,
            end=f.end,
        )
    )(MIXER),
    "FrozenHMM.from_bytes": lambda: call(
        frozen.FrozenHMM.from_bytes, FROZEN.to_bytes()
    ),
    "FrozenHMM.to_bytes": lambda: call(FROZEN.to_bytes, True),
    "FrozenHMM.with_mode": lambda: call(FROZEN.with_mode, "predictive"),
    "FrozenHMM.encode": lambda: call(FROZEN.encode, [1, 0]),
    "FrozenHMM.decode": lambda: call(FROZEN.decode, FROZEN.encode([1, 0]), 2),
    "FrozenHMM.push": lambda: call(FROZEN.push, message(), [1, 0]),
    "FrozenHMM.pop": lambda: call(FROZEN.pop, message(), 2),
    "Factorial.encode": lambda: call(random_factorial((2, 2), 3).encode, [1, 0]),
    "Hierarchy.encode": lambda: call(random_hierarchy((2, 2), 3).encode, [1, 0]),
    "LGSSM.encode": lambda: call(FROZEN_LGSSM.encode, [[1], [0]]),
    "LGSSM.decode": lambda: (lambda f: call(f.decode, f.encode([[1], [0]]), 2))(
        FROZEN_LGSSM
    ),
    "ARHMM.encode": lambda: call(FROZEN_AR.encode, b"abra"),
    "Mixer.encode": lambda: call(MIXER.encode, b"abra"),
    "Mixer.decode": lambda: call(MIXER.decode, MIXER.encode(b"abra"), 4),
    "load_model": lambda: call(frozen.load_model, in_folder("model.bbm")),
    "shipped_model": lambda: call(frozen.shipped_model, "english"),
    "c_header": lambda: call(frozen.c_header, HMM.freeze(12), "model"),
    "Alphabet": lambda: call(frozen.Alphabet, [1, 5], None, ends=False),
    "Alphabet.encode": lambda: call(frozen.Alphabet([1, 5]).encode, [1, 5]),
    "Alphabet.decode": lambda: call(frozen.Alphabet([1, 5]).decode, np.array([0, 1])),
    "Contexts": lambda: (
        lambda c: call(
            models.Contexts,
            c.children,
            c.first,
            c.label,
            c.back_off,
            c.symbol,
            c.weight,
        )
    )(models.Contexts.empty()),
    "Head": lambda: call(
        frozen.Head, "bernoulli", 3, 0, 1, components=0, family="gaussian"
    ),
    "Head.mixture": lambda: call(frozen.Head.mixture, 2, 3, -5, 5, family="logistic"),
    "Head.beta_binomial": lambda: call(frozen.Head.beta_binomial, 2, 3),
    # records
    "RecordCodec": lambda: call(records.RecordCodec, MIXER),
    "RecordCodec.encode": lambda: call(RECORD.encode, b"abra"),
    "RecordCodec.decode": lambda: call(
        RECORD.decode, RECORD.encode(b"abra"), max_bytes=99
    ),
    "RecordCodec.encode_many": lambda: call(
        RECORD.encode_many, [b"a", b"b"], threads=1
    ),
    "RecordCodec.decode_many": lambda: call(
        RECORD.decode_many, RECORD.encode_many([b"a"]), threads=1
    ),
    "RecordCodec.train": lambda: call(records.RecordCodec.train, [b"abra", b"cadabra"]),
    "Records": lambda: call(
        records.Records, in_folder("records.bbr"), None, max_bytes=999, threads=1
    ),
    "Records[]": lambda: call(records.Records(in_folder("records.bbr")).__getitem__, 1),
    "Records.write": lambda: call(
        records.Records.write,
        in_folder("written.bbr"),
        [b"a"],
        MIXER,
        checksums=False,
        embed=True,
        terminator=b"\n",
        threads=1,
    ),
    "encode_batch": lambda: call(
        records.encode_batch, [[1, 0], [0]], FROZEN, threads=1
    ),
    "decode_batch": lambda: (
        lambda d, o: call(
            records.decode_batch, d, o, [2, 1], FROZEN, threads=1, max_bytes=99
        )
    )(*records.encode_batch([[1, 0], [0]], FROZEN)),
    "chain": lambda: call(records.chain, [[1, 0], [0]], FROZEN),
    "unchain": lambda: call(
        records.unchain,
        records.chain([[1, 0], [0]], FROZEN),
        [2, 1],
        FROZEN,
        max_bytes=99,
    ),
    "packets.encode": lambda: call(
        packets.encode, [1, 0], HMM.freeze(12), 32, checksum=1
    ),
    "packets.decode": lambda: call(
        packets.decode, packets.encode([1, 0], HMM.freeze(12))[0], HMM.freeze(12)
    ),
    # CompressAI
    "Tables": lambda: call(compressai.Tables, *CDFS),
    "RansEncoder": lambda: call(
        compressai.RansEncoder().encode_with_indexes, [1, 0], [0, 0], *CDFS
    ),
    "BufferedRansEncoder": lambda: call(
        compressai.BufferedRansEncoder().encode_with_indexes, [1, 0], [0, 0], *CDFS
    ),
    "RansDecoder": lambda: call(
        compressai.RansDecoder().decode_with_indexes,
        compressai.RansEncoder().encode_with_indexes([1, 0], [0, 0], *CDFS),
        [0, 0],
        *CDFS,
    ),
    "RansDecoder.stream": lambda: call(stream().decode_stream, [0, 0], *CDFS),
    # float models
    "HMM": lambda: call(
        bbans.HMM,
        [0.5, 0.5],
        [[0.9, 0.1], [0.1, 0.9]],
        [[0.5, 0.5], [1, 0]],
        alphabet=None,
    ),
    "HMM.random": lambda: call(bbans.HMM.random, 2, 3, concentration=1.0, seed=0),
    "HMM.freeze": lambda: call(HMM.freeze, 16),
    "HMM.fit": lambda: call(
        bbans.HMM.fit,
        [[0, 1, 1], [1]],
        2,
        n_iter=1,
        tol=1e-5,
        pseudo_count=(0.1, 0.1, 0.01),
        alphabet=None,
        ends=False,
        seed=0,
        init=None,
        topology=None,
        dtype=np.float64,
        threads=1,
        callback=None,
    ),
    "HMM.fit text": lambda: call(bbans.HMM.fit, ["ab", "ba"], 2, n_iter=1),
    "HMM.sample": lambda: call(HMM.sample, 3, seed=0),
    "HMM.information_content": lambda: call(HMM.information_content, [1, 0]),
    "HMM.posterior": lambda: call(HMM.posterior, [1, 0]),
    "HMM.viterbi": lambda: call(HMM.viterbi, [1, 0]),
    "HMM.expect": lambda: call(HMM.expect, [[1, 0]], dtype=np.float64, threads=1),
    "ARHMM.fit": lambda: call(
        bbans.ARHMM.fit,
        [[0, 1, 1], [1]],
        2,
        order=1,
        max_bytes=9999,
        n_iter=1,
        tol=1e-5,
        pseudo_count=(0.1, 0.1, 0.01),
        ends=False,
        seed=0,
    ),
    "GaussianHMM": lambda: call(
        bbans.GaussianHMM, [1.0], [[1.0]], [0.0], [1.0], -5, 5, kind="integers"
    ),
    "GaussianHMM.fit": lambda: call(
        bbans.GaussianHMM.fit, [[0, 1, 1], [1]], 2, n_iter=1, low=-2, high=5
    ),
    "PoissonHMM": lambda: call(
        bbans.PoissonHMM, [1.0], [[1.0]], [2.0], 5, kind="integers"
    ),
    "PoissonHMM.fit": lambda: call(
        bbans.PoissonHMM.fit, [[0, 1, 1], [1]], 2, n_iter=1, high=5
    ),
    "FactorialHMM": lambda: call(
        bbans.FactorialHMM, [([1.0], [[1.0]])], [[0.5, 0.5]], alphabet=None
    ),
    "FactorialHMM.fit": lambda: call(
        bbans.FactorialHMM.fit, [[0, 1, 1], [1]], (2, 2), n_iter=1, seed=0
    ),
    "HierarchicalHMM.fit": lambda: call(
        bbans.HierarchicalHMM.fit, [[0, 1, 1], [1]], (2, 2), n_iter=1, seed=0
    ),
    "MultivariateGaussianHMM": lambda: call(
        bbans.MultivariateGaussianHMM,
        [1.0],
        [[1.0]],
        [[0.0]],
        [[[1.0]]],
        covariance_type="full",
    ),
    "LGSSM": lambda: call(
        bbans.LGSSM, [[0.5]], [[1.0]], [[1.0]], [[1.0]], [0.0], [[1.0]], [0.0], [0.0]
    ),
    "LGSSM.fit": lambda: call(bbans.LGSSM.fit, np.arange(60) % 7, 1, n_iter=1),
    "LGSSM.freeze": lambda: call(LGSSM.freeze, bits=4),
    "LGSSM.sample": lambda: call(LGSSM.sample, 3, seed=0),
    "LatentTree.fit": lambda: call(
        bbans.LatentTree.fit,
        np.eye(8, dtype=int)[:, :4],
        2,
        sizes=None,
        epochs=1,
        batch=4,
        pseudo_count=0.01,
        seed=0,
    ),
    "ContextMixer.fit": lambda: call(
        bbans.ContextMixer.fit,
        [b"abra"],
        max_bytes=1 << 14,
        ends=True,
        n_iter=1,
        progress=None,
        max_symbols=99,
    ),
    "Topology.banded": lambda: call(models.Topology.banded, 3, 1, cyclic=False),
    "information_content": lambda: call(models.information_content, [1, 0], FROZEN),
    # networks
    "Input": lambda: call(networks.Input, (3,)),
    "Dense": lambda: call(
        networks.Dense, networks.Input((3,)), np.ones((2, 3)), [0.0, 1.0]
    ),
    "Conv1d": lambda: call(
        networks.Conv1d, networks.Input((5, 3)), np.ones((2, 2, 3)), stride=1, padding=0
    ),
    "Conv2d": lambda: call(
        networks.Conv2d,
        networks.Input((5, 5, 3)),
        np.ones((2, 2, 3, 3)),
        stride=1,
        padding=0,
    ),
    "Clip": lambda: call(networks.Clip, networks.Input((3,)), -1, 1),
    "Relu": lambda: call(networks.Relu, networks.Input((3,)), 6),
    "Scale": lambda: call(networks.Scale, networks.Input((3,)), 0.5),
    "Slice": lambda: call(networks.Slice, networks.Input((3,)), 1, 2),
    "Reshape": lambda: call(networks.Reshape, networks.Input((3,)), (1, 3)),
    "Concat": lambda: call(networks.Concat, networks.Input((3,)), networks.Input((2,))),
    "Add": lambda: call(networks.Add, networks.Input((3,)), networks.Input((3,))),
    "latents": lambda: call(networks.latents, 3, 0.5),
    "mixture": lambda: call(networks.mixture, 3, 0.5),
    "networks.grid": lambda: call(networks.grid, 0.5, -3, 3),
    # what is made of networks and trees
    "FrozenVAE.encode": lambda: call(VAE.encode, PIXELS),
    "FrozenVAE.decode": lambda: call(VAE.decode, VAE.encode(PIXELS), 9),
    "VAE.freeze": lambda: call(random_vae(HEADS[0], [2], seed=9).freeze, PIXELS),
    "FrozenDeepSSM.encode": lambda: call(DEEP.encode, PIXELS),
    "DeepSSM.freeze": lambda: call(
        random_deep_ssm(HEADS[0], 2, 3, seed=1).freeze, PIXELS
    ),
    "FrozenTree.encode": lambda: call(TREE.encode, [[0, 1, 3], [2, 0, 0]]),
    "FrozenNetwork.from_bytes": lambda: call(
        frozen.FrozenNetwork.from_bytes, bytes.fromhex(NETWORK)
    ),
    "Statistics": lambda: (
        lambda s: call(
            models.Statistics,
            s.initial,
            s.transition,
            s.emission,
            s.information_content,
            s.n_symbols,
            s.n_sequences,
        )
    )(HMM.expect([[1, 0]])),
    "ParticleFilter": lambda: call(particles.ParticleFilter, FROZEN, 3, 7),
    "Multiply": lambda: call(
        networks.Multiply, networks.Input((3,)), networks.Input((3,))
    ),
    "Subtract": lambda: call(
        networks.Subtract, networks.Input((3,)), networks.Input((3,))
    ),
    "PixelShuffle": lambda: call(networks.PixelShuffle, networks.Input((2, 2, 4)), 2),
    "flatten": lambda: call(networks.flatten, networks.Input((2, 2, 3))),
    "networks.location": lambda: call(networks.location, 0.5),
    "networks.scale": lambda: call(networks.scale, 0.5),
    "Network": lambda: (lambda a: call(networks.Network, [a], [networks.Relu(a)]))(
        networks.Input((3,))
    ),
    "to_hmmlearn": lambda: call(models.to_hmmlearn, HMM),
    # what pops, and what else is done with a message
    "BitsBack.push": lambda: call(bits_back().push, message(), 1),
    "BitsBack.pop": lambda: call(bits_back().pop, message()),
    "Dependent.push": lambda: call(dependent().push, message(), (1, 0)),
    "Dependent.pop": lambda: call(dependent().pop, message()),
    "Serial.pop": lambda: call(codecs.Serial([Uniform(3)]).pop, message()),
    "Iconoclasm.pop": lambda: call(codecs.Iconoclasm(FROZEN, 3).pop, message()),
    "Multiset.pop": lambda: call(codecs.Multiset(Uniform(3), 2).pop, message()),
    "Permutation.pop": lambda: call(codecs.Permutation(4).pop, message()),
    "ImportanceSampling.push": lambda: call(importance().push, message(), 1),
    "ImportanceSampling.pop": lambda: call(importance().pop, message()),
    "Multivariate.push": lambda: call(VECTOR.push, message(), (1, 0)),
    "Multivariate.pop": lambda: call(VECTOR.pop, message()),
    "RangeDecoder.pop": lambda: call(decoder().pop, Uniform(9)),
    # laws and tables
    "Family": lambda: call(laws.Family, FAMILY.survival, leak=True),
    "Family.laplace": lambda: call(laws.Family.laplace, leak=True),
    "Family.logistic": lambda: call(laws.Family.logistic, leak=True),
    "Family.student_t": lambda: call(laws.Family.student_t, 4.0, leak=True),
    "Distribution.broadcast": lambda: call(Gaussian(0.0, 4.0).broadcast, (2, 3)),
    "Distribution.masses": lambda: call(Gaussian(0.0, 4.0).masses, [1, 2]),
    "RaggedTable.from_padded": lambda: call(
        laws.RaggedTable.from_padded, *CDFS[:2], 16, offsets=0, escape=True
    ),
    "RaggedTable.of_rows": lambda: call(
        laws.RaggedTable.of_rows, np.array([[0, 3, 16]], np.uint32), 4, 0
    ),
    "RaggedTable.row": lambda: call(RAGGED.row, 1),
    # graphs, and schedules of them
    **{
        f"{type(graph).__name__}.{name}": lambda graph=graph, name=name, a=a: call(
            getattr(graph, name), *a
        )
        for graph in (GRAPH, LINEAR)
        for name, *a in (
            ("parents", "b"),
            ("conditional", "b", {"a": 1}),
            ("value", "a", {"a": 1}),
            ("plan", ORDER),
        )
    },
    "FiniteGraph.size": lambda: call(GRAPH.size, "b"),
    "FiniteGraph.predictive": lambda: call(GRAPH.predictive, ORDER),
    "GaussianGraph.batch": lambda: call(LINEAR.batch, 2),
    "Hierarchy": lambda: call(
        codecs.Hierarchy, 2, lambda *_: Uniform(2), Uniform, lambda *_: Uniform(2)
    ),
    "Hierarchy.parents": lambda: call(LEVELS.parents, ("z", 1, 2)),
    "Hierarchy.conditional": lambda: call(
        LEVELS.conditional, ("z", 1, 2), {("z", 2, 2): 1, ("z", 1, 1): 0}
    ),
    "Hierarchy.posterior": lambda: call(LEVELS.posterior, ("z", 1, 2), {("x", 2): 1}),
    "Schedule": lambda: call(codecs.Schedule, GRAPH, ORDER),
    "Schedule.iconoclasm": lambda: call(
        codecs.Schedule.iconoclasm, FROZEN.state_space(), 3
    ),
    "Schedule.encode": lambda: call(SCHEDULE.encode, {"b": 1}, initial_bits=None),
    "Schedule.decode": lambda: call(
        SCHEDULE.decode, SCHEDULE.encode({"b": 1}), initial_bits=None
    ),
    "Schedule.push": lambda: call(SCHEDULE.push, message(), {"b": 1}),
    "Schedule.pop": lambda: call(SCHEDULE.pop, message()),
    "Schedule.startup": lambda: call(SCHEDULE.startup, {"b": 1}, seed=0),
    "Schedule.walk": lambda: call(
        SCHEDULE.walk, {"b": 1}, lambda node, make: 0, lambda node, make, value: None
    ),
    # files
    "ContainerFile": lambda: call(formats.ContainerFile, container(), None),
    "MixingCoder.costs": lambda: call(formats.MixingCoder().costs, b"abc"),
    "RecordCodec.save": lambda: call(RECORD.save, in_folder("codec.bbm")),
    "RecordCodec.load": lambda: call(records.RecordCodec.load, in_folder("mixer.bbm")),
    "Records.append": lambda: call(appended().append, b"a"),
    "Records.extend": lambda: call(appended().extend, [b"a", b"bc"]),
    "Tables.of": lambda: call(
        compressai.Tables.of,
        Namespace(quantized_cdf=CDFS[0], cdf_length=CDFS[1], offset=CDFS[2]),
    ),
    "RansDecoder.set_stream": lambda: call(
        compressai.RansDecoder().set_stream,
        compressai.RansEncoder().encode_with_indexes([1, 0], [0, 0], *CDFS),
    ),
    "compress_tree": lambda: call(
        distributed.compress_tree,
        [written("plain.txt", b"abcabc")],
        None,
        level=3,
        **OF_TREES,
    ),
    "decompress_tree": lambda: call(
        distributed.decompress_tree,
        [written("packed.txt.bbz", bbans.compress(b"abcabc"))],
        None,
        **OF_TREES,
    ),
    "distributed.fit": lambda: call(
        distributed.fit,
        [[b"abab"], [b"baba"]],
        None,
        2,
        model=bbans.HMM,
        read=None,
        n_iter=1,
        tol=1e-5,
        pseudo_count=None,
        alphabet=None,
        ends=False,
        seed=0,
        init=None,
        dtype=np.float64,
        threads=1,
        retries=0,
        callback=None,
        checkpoint=None,
        resume=False,
    ),
    "distributed.sample": lambda: call(
        distributed.sample,
        [[b"one"], [b"two"]],
        None,
        max_symbols=9,
        read=None,
        seed=0,
        retries=0,
    ),
    # frozen models
    "Alphabet.name": lambda: call(frozen.Alphabet("ab").name, 1),
    "Alphabet.utf8": lambda: call(frozen.Alphabet.utf8, False),
    "Alphabet.with_ends": lambda: call(frozen.Alphabet("ab").with_ends, True),
    "Head.bernoulli": lambda: call(frozen.Head.bernoulli, 3),
    "Head.categorical": lambda: call(frozen.Head.categorical, 2, 3),
    "Head.distribution": lambda: call(HEADS[0].distribution, np.zeros(6, np.int32)),
    "Head.of_numbers": lambda: call(frozen.Head.of_numbers, HEADS[0].numbers()),
    "FrozenModel.save": lambda: call(FROZEN.save, in_folder("saved.bbm"), True),
    "FrozenModel.load": lambda: call(frozen.FrozenModel.load, in_folder("model.bbm")),
    "EngineModel.cost_units": lambda: call(FROZEN.cost_units, [1, 0]),
    "EngineModel.encode_message": lambda: call(FROZEN.encode_message, [1, 0]),
    "EngineModel.decode_message": lambda: call(
        FROZEN.decode_message, FROZEN.encode_message([1, 0]), 2
    ),
    "SequenceModel.observations": lambda: call(FROZEN.observations, [1, 0]),
    "FrozenHMM.filter": lambda: call(FROZEN.filter, [1, 0], FROZEN.initial),
    "FrozenHMM.forward": lambda: call(FROZEN.forward, [1, 0]),
    "HiddenMarkov.posterior": lambda: call(FROZEN.posterior, FROZEN.initial, 1),
    "HiddenMarkov.predictive_cdf": lambda: call(FROZEN.predictive_cdf, FROZEN.initial),
    "FrozenARHMM.forward": lambda: call(FROZEN_AR.forward, b"abra"),
    "FrozenARHMM.longest_context": lambda: call(FROZEN_AR.longest_context, [97, 98]),
    "FrozenARHMM.edges": lambda: call(
        FROZEN_AR.edges, 1, np.arange(3, dtype=np.uint32), 0
    ),
    "FrozenARHMM.masses": lambda: call(FROZEN_AR.masses, 1, 97),
    "FrozenARHMM.step": lambda: call(FROZEN_AR.step, 1, 97, None),
    "LevelModel.filter": lambda: call(FACTORIAL.filter, [1, 0], None),
    "LevelModel.forward": lambda: call(HIERARCHY.forward, [1, 0]),
    "LevelModel.predictive_cdf": lambda: call(FACTORIAL.predictive_cdf, None),
    "FrozenHierarchicalHMM.graph": lambda: call(HIERARCHY.graph, 3),
    "FrozenGaussianHMM.filter": lambda: call(GAUSSIAN_HMM.filter, ROWS, None),
    "FrozenGaussianHMM.forward": lambda: call(GAUSSIAN_HMM.forward, ROWS),
    "FrozenGaussianHMM.posterior": lambda: call(
        GAUSSIAN_HMM.posterior, np.array([3, 5], np.uint32), 1
    ),
    "FrozenContextMixer.with_mode": lambda: call(MIXER.with_mode, "predictive"),
    "FrozenLGSSM": lambda: (
        lambda f: call(
            frozen.FrozenLGSSM,
            1,
            1,
            f._offsets,
            f._words,
            noise="gaussian",
            start_length=5,
            start_bits=40,
            mode="iconoclasm",
        )
    )(FROZEN_LGSSM),
    "FrozenLGSSM.step": lambda: call(FROZEN_LGSSM.step, 1),
    "FrozenTree": lambda: call(
        frozen.FrozenTree,
        TREE.parents,
        TREE.variables,
        TREE.initial,
        TREE.transitions,
        TREE.emissions,
        prec=16,
        start_length=1,
        start_bits=40,
        kind="integers",
        mode="iconoclasm",
    ),
    "FrozenTree.marginal": lambda: call(
        TREE.marginal, [0, 2], start_length=1, start_bits=40
    ),
    "FrozenTree.observations": lambda: call(TREE.observations, [[0, 1, 3]]),
    "FrozenVAE": lambda: call(
        frozen.FrozenVAE,
        VAE.networks["likelihood"],
        [VAE.networks["posterior_1"]],
        [],
        head=HEADS[0],
        order="markov",
        grid=8,
        start_length=3,
        start_bits=40,
        start_shift=0,
        kind="integers",
        mode="iconoclasm",
    ),
    "FrozenVAE.codec": lambda: call(VAE.codec, 2),
    "FrozenVAE.sample": lambda: call(VAE.sample, message(), 2),
    "FrozenVAE.with_shape": lambda: call(PICTURES.with_shape, 8, 12),
    "FrozenDeepSSM": lambda: call(
        frozen.FrozenDeepSSM,
        *DEEP.networks.values(),
        head=HEADS[0],
        grid=4,
        start_length=3,
        start_bits=40,
        start_shift=0,
        kind="integers",
        mode="iconoclasm",
    ),
    "FrozenDeepSSM.codec": lambda: call(DEEP.codec, 2, 3),
    "NetworkModel.observations": lambda: call(VAE.observations, PIXELS),
    "FrozenNetwork": lambda: call(
        frozen.FrozenNetwork, INTEGERS.nodes, INTEGERS.output_nodes
    ),
    "FrozenNetwork()": lambda: call(INTEGERS.__call__, [1, 0, 2], threads=1),
    "FrozenNetwork.save": lambda: call(INTEGERS.save, in_folder("saved.bbn")),
    "FrozenNetwork.load": lambda: call(
        frozen.FrozenNetwork.load, in_folder("network.bbn")
    ),
    "FrozenNetwork.with_shape": lambda: call(
        PICTURES.networks["likelihood"].with_shape, 4, 8
    ),
    # float models
    "StateModel.aic": lambda: call(HMM.aic, [1, 0], [1, 1]),
    "StateModel.bic": lambda: call(HMM.bic, [1, 0], [1, 1]),
    "StateModel.predict": lambda: call(HMM.predict, [1, 0], [1, 1]),
    "StateModel.score": lambda: call(HMM.score, [1, 0], [1, 1]),
    "FloatModel.save": lambda: call(HMM.save, in_folder("saved.npz")),
    "FloatModel.load": lambda: call(models.FloatModel.load, in_folder("model.npz")),
    "FloatModel.elbo": lambda: call(HMM.elbo, [1, 0], samples=2, seed=0),
    "HMM.fit_online": lambda: call(
        bbans.HMM.fit_online,
        [[[0, 1, 1]], [[1]]],
        2,
        exponent=0.6,
        pseudo_count=(0.1, 0.1, 0.01),
        alphabet=None,
        ends=False,
        seed=0,
        init=None,
        statistics=None,
        updates=0,
        dtype=np.float64,
        threads=1,
        callback=None,
    ),
    "HMM.from_frozen": lambda: call(bbans.HMM.from_frozen, FROZEN),
    "HMM.log_likelihood": lambda: call(HMM.log_likelihood, [1, 0]),
    "HMM.maximise": lambda: call(HMM.maximise, STATISTICS, pseudo_count=0.1),
    "GaussianHMM.random": lambda: call(
        bbans.GaussianHMM.random, 2, 9, concentration=1.0, seed=0
    ),
    "PoissonHMM.random": lambda: call(
        bbans.PoissonHMM.random, 2, 9, concentration=1.0, seed=0
    ),
    "IntegerHMM.maximise": lambda: (
        lambda m: call(m.maximise, m.expect([[1, 0]]), pseudo_count=0.1)
    )(bbans.GaussianHMM([1.0], [[1.0]], [0.0], [1.0], -5, 5)),
    "ARHMM": lambda: call(bbans.ARHMM, AR.states, AR.contexts),
    "ARHMM.freeze": lambda: call(AR.freeze, 16, predictive=False),
    "ARHMM.from_frozen": lambda: call(bbans.ARHMM.from_frozen, FROZEN_AR),
    "ARHMM.information_content": lambda: call(AR.information_content, b"abra"),
    "ARHMM.partial_fit": lambda: call(
        AR.partial_fit,
        [b"abra"],
        order=1,
        max_bytes=9999,
        n_iter=1,
        tol=1e-4,
        pseudo_count=(0.1, 0.1, 0.05),
        dtype=np.float32,
        threads=1,
        progress=False,
    ),
    "ARHMM.sample": lambda: call(AR.sample, 3, seed=0),
    "FactorialHMM.freeze": lambda: call(FLOAT_FACTORIAL.freeze, 16, predictive=False),
    "FactorialHMM.from_frozen": lambda: call(bbans.FactorialHMM.from_frozen, FACTORIAL),
    "FactorialHMM.random": lambda: call(
        bbans.FactorialHMM.random, [2, 2], 3, concentration=1.0, seed=0
    ),
    "FactorialHMM.maximise": lambda: call(
        FLOAT_FACTORIAL.maximise, FLOAT_FACTORIAL.expect([[1, 0]]), pseudo_count=0.1
    ),
    "HierarchicalHMM": lambda: call(
        bbans.HierarchicalHMM,
        FLOAT_LEVELS.initial,
        FLOAT_LEVELS.transition,
        FLOAT_LEVELS.emission,
        alphabet=None,
    ),
    "HierarchicalHMM.freeze": lambda: call(FLOAT_LEVELS.freeze, 16, predictive=False),
    "HierarchicalHMM.from_frozen": lambda: call(
        bbans.HierarchicalHMM.from_frozen, HIERARCHY
    ),
    "HierarchicalHMM.random": lambda: call(
        bbans.HierarchicalHMM.random, [2, 2], 3, concentration=1.0, seed=0
    ),
    "HierarchicalHMM.sample": lambda: call(FLOAT_LEVELS.sample, 3, seed=0),
    "HierarchicalHMM.information_content": lambda: call(
        FLOAT_LEVELS.information_content, [1, 0]
    ),
    "HierarchicalHMM.expect": lambda: call(
        FLOAT_LEVELS.expect, [[1, 0]], dtype=np.float64, threads=1
    ),
    "HierarchicalHMM.maximise": lambda: call(
        FLOAT_LEVELS.maximise, FLOAT_LEVELS.expect([[1, 0]]), pseudo_count=0.1
    ),
    "MultivariateGaussianHMM.fit": lambda: call(
        bbans.MultivariateGaussianHMM.fit,
        [ROWS],
        2,
        covariance_type="diag",
        n_iter=1,
        tol=1e-5,
        min_covar=1e-3,
        pseudo_count=0.1,
        seed=0,
        init=None,
        threads=1,
        callback=None,
        progress=False,
        checkpoint=None,
        resume=False,
    ),
    "MultivariateGaussianHMM.expect": lambda: call(VECTORS.expect, [ROWS], threads=1),
    "MultivariateGaussianHMM.maximise": lambda: call(
        VECTORS.maximise, VECTORS.expect([ROWS]), pseudo_count=0.1, min_covar=1e-3
    ),
    "MultivariateGaussianHMM.freeze": lambda: call(
        VECTORS.freeze, 16, predictive=False
    ),
    "MultivariateGaussianHMM.information_content": lambda: call(
        VECTORS.information_content, ROWS
    ),
    "MultivariateGaussianHMM.log_likelihood": lambda: call(
        VECTORS.log_likelihood, ROWS
    ),
    "MultivariateGaussianHMM.sample": lambda: call(
        VECTORS.sample, 3, seed=0, rounded=True
    ),
    "VectorStatistics": lambda: call(
        models.VectorStatistics, **vars(VECTORS.expect([ROWS]))
    ),
    "VectorStatistics.centred": lambda: call(
        VECTORS.expect([ROWS]).centred, np.zeros(2)
    ),
    "VectorStatistics +": lambda: call(
        VECTORS.expect([ROWS]).__add__, VECTORS.expect([ROWS])
    ),
    "Statistics.blend": lambda: call(STATISTICS.blend, STATISTICS, 0.5),
    "Statistics +": lambda: call(STATISTICS.__add__, STATISTICS),
    "Topology": lambda: call(models.Topology, np.ones(2, bool), np.ones((2, 2), bool)),
    "Topology.left_to_right": lambda: call(models.Topology.left_to_right, 3, 1),
    "Topology.mask": lambda: call(
        models.Topology.banded(2, 1).mask, HMM.initial, HMM.transition
    ),
    "ContextMixer.freeze": lambda: call(
        FLOAT_MIXER.freeze, row_bits=10, match_bits=10, history_bits=10, rate=80
    ),
    "ContextMixer.information_content": lambda: call(
        FLOAT_MIXER.information_content, "abd"
    ),
    "LGSSM.at": lambda: call(LGSSM.at, 1),
    "LGSSM.gains": lambda: call(LGSSM.gains, 2),
    "LGSSM.filter": lambda: call(LGSSM.filter, [1, 0]),
    "LGSSM.smooth": lambda: call(LGSSM.smooth, [1, 0]),
    "LGSSM.log_likelihood": lambda: call(LGSSM.log_likelihood, [1, 0]),
    "LGSSM.information_content": lambda: call(LGSSM.information_content, [1, 0]),
    "LGSSM.expect": lambda: call(LGSSM.expect, [[1, 0]]),
    "LGSSM.maximise": lambda: call(
        LGSSM.maximise,
        LGSSM.expect([[1, 0], [2, 3]]),
        fixed=(),
        diagonal=(),
        min_noise=0.25,
    ),
    "LGSSM.spectral": lambda: call(
        bbans.LGSSM.spectral, np.arange(60) % 7, 1, lags=None, min_noise=0.25
    ),
    "LGSSM.hierarchy": lambda: call(
        bbans.LGSSM.hierarchy,
        [[[0.5]], [[0.9]]],
        [[[1.0]]],
        [[[1.0]], [[1.0]]],
        [[1.0]],
        [[1.0]],
        [0.0],
    ),
    "LatentTree": lambda: call(
        bbans.LatentTree,
        FLOAT_TREE.parents,
        FLOAT_TREE.variables,
        FLOAT_TREE.initial,
        FLOAT_TREE.transitions,
        FLOAT_TREE.emissions,
    ),
    "LatentTree.freeze": lambda: call(
        FLOAT_TREE.freeze, 16, kind="integers", predictive=False
    ),
    "LatentTree.from_frozen": lambda: call(bbans.LatentTree.from_frozen, TREE),
    "LatentTree.information_content": lambda: call(
        FLOAT_TREE.information_content, [[0, 1, 3]]
    ),
    "LatentTree.marginal": lambda: call(FLOAT_TREE.marginal, [0, 2]),
    "LatentTree.row_bits": lambda: call(FLOAT_TREE.row_bits, [[0, 1, 3]], threads=1),
    "LatentTree.sample": lambda: call(FLOAT_TREE.sample, 3, seed=0),
    "VAE": lambda: call(
        bbans.VAE,
        FLOAT_VAE.networks["likelihood"],
        [FLOAT_VAE.networks["posterior_1"]],
        [],
        head=HEADS[0],
        order="markov",
        step=1.0,
    ),
    "VAE.elbo": lambda: call(FLOAT_VAE.elbo, PIXELS, samples=2, seed=0),
    "DeepSSM": lambda: call(
        bbans.DeepSSM, *FLOAT_DEEP.networks.values(), head=HEADS[0], step=1.0
    ),
    "DeepSSM.elbo": lambda: call(FLOAT_DEEP.elbo, PIXELS, samples=2, seed=0),
    # models of other libraries
    "from_hmmlearn": lambda: call(
        models.from_hmmlearn,
        hmmlearn_of(**OURS),
        alphabet=None,
        low=None,
        high=None,
        step=1.0,
    ),
    "from_dynamax": lambda: call(
        models.from_dynamax,
        dynamax_of(**OURS | {"emission": HMM.emission[:, None]}),
        alphabet=None,
        low=None,
        high=None,
        step=1.0,
    ),
    "from_pomegranate": lambda: call(
        models.from_pomegranate,
        pomegranate_of(np.log([0.5, 0.5]), np.log(HMM.transition), HMM.emission[:1]),
        alphabet=None,
        low=None,
        high=None,
        step=1.0,
    ),
    "from_hmmlearn of": lambda: call(
        lambda **parts: models.from_hmmlearn(hmmlearn_of(**parts)), **OURS
    ),
    "from_dynamax of": lambda: call(
        lambda **parts: models.from_dynamax(dynamax_of(**parts)),
        **OURS | {"emission": HMM.emission[:, None]},
    ),
    "from_pomegranate of": lambda: call(
        lambda **parts: models.from_pomegranate(pomegranate_of(**parts)),
        initial=np.log([0.5, 0.5]),
        transition=np.log(HMM.transition),
        emission=HMM.emission[:1],
    ),
    "to_dynamax": lambda: call(models.to_dynamax, HMM),
    "to_pomegranate": lambda: call(models.to_pomegranate, HMM),
    # estimators
    "Estimator": lambda: call(
        lambda **given: estimators.CategoricalHMM(**given).fit(COLUMN),
        n_components=2,
        startprob_prior=1.0,
        transmat_prior=1.0,
        emissionprob_prior=1.0,
        n_features=None,
        algorithm="viterbi",
        random_state=0,
        n_iter=1,
        tol=1e-2,
        verbose=False,
        params="ste",
        init_params="ste",
        implementation="log",
    ),
    "Estimator of counts": lambda: call(
        lambda **given: estimators.PoissonHMM(2, n_iter=1, **given).fit(COLUMN),
        lambdas_prior=0.0,
        lambdas_weight=0.0,
        high=None,
    ),
    "Estimator of vectors": lambda: call(
        lambda **given: estimators.GaussianHMM(2, n_iter=1, **given).fit(COLUMN),
        covariance_type="diag",
        min_covar=1e-3,
        means_prior=0.0,
        means_weight=0.0,
        covars_prior=1e-2,
        covars_weight=1.0,
    ),
    **{
        f"Estimator.{name}": lambda name=name: call(
            getattr(fitted(), name), COLUMN, [2, 4]
        )
        for name in (
            "fit",
            "fit_predict",
            "score",
            "score_samples",
            "predict",
            "predict_proba",
            "aic",
            "bic",
        )
    },
    "Estimator.decode": lambda: call(fitted().decode, COLUMN, [2, 4], "map"),
    "Estimator.sample": lambda: call(fitted().sample, 3, 0, 1),
    "Estimator.freeze": lambda: call(fitted().freeze, 16, predictive=False),
    "Estimator.get_params": lambda: call(fitted().get_params, True),
    "Estimator of vectors.freeze": lambda: call(
        estimators.GaussianHMM(2, n_iter=1, random_state=0).fit(COLUMN).freeze,
        16,
        predictive=False,
        step=0.5,
    ),
    # networks
    "Node +": lambda: call(X.__add__, X),
    "Node *": lambda: call(X.__mul__, 2.0),
    "Node -": lambda: call(X.__sub__, X),
    "conv_transpose2d": lambda: call(
        networks.conv_transpose2d,
        networks.Input((2, 2, 3)),
        np.ones((3, 2, 2, 1)),
        [0.5],
        stride=2,
        padding=0,
        output_padding=0,
    ),
    "gated_cell": lambda: call(networks.gated_cell, X, X, X),
    "from_state_dict": lambda: call(
        networks.from_state_dict,
        {"fc.weight": np.ones((2, 3)), "fc.bias": np.zeros(2)},
        lambda layers, x: layers("fc", x),
        3,
    ),
    "from_torch": lambda: call(networks.from_torch, linear(), 3),
    "Network()": lambda: call(NET.__call__, np.ones(3)),
    "Network.quantise": lambda: call(
        NET.quantise,
        np.eye(3),
        inputs=[UNITS],
        outputs=[UNITS],
        weights=8,
        activations=10,
    ),
    "Network.save": lambda: call(NET.save, in_folder("saved.npz")),
    "Network.load": lambda: call(networks.Network.load, in_folder("network.npz")),
    "Graph.batched": lambda: call(NET.batched, [np.ones((2, 3))]),
    "Units": lambda: call(networks.Units, (1.0,), (0.0,), -3, 3),
    "Units.over": lambda: call(UNITS.over, 3),
    "QuantisedNetwork": lambda: call(
        networks.QuantisedNetwork, INTEGERS.nodes, INTEGERS.output_nodes, []
    ),
    # particles
    "ParticleFilter of laws": lambda: call(
        particles.ParticleFilter,
        Walk(),
        3,
        7,
        method="bootstrap",
        mode="predictive",
        start_length=5,
    ),
    "ParticleFilter.observations": lambda: call(
        particles.ParticleFilter(Walk(), 3).observations, [1, 0]
    ),
    "ProposalFilter": lambda: call(
        particles.ProposalFilter, Walk(), 3, 7, samples=1, coupled=False
    ),
    "ProposalFilter.observations": lambda: call(FILTER.observations, [1, 0]),
    "ProposalFilter.encode": lambda: call(FILTER.encode, [1, 0]),
    "ProposalFilter.decode": lambda: call(FILTER.decode, FILTER.encode([1, 0]), 2),
    "ProposalFilter.encode_message": lambda: call(FILTER.encode_message, [1, 0]),
    "ProposalFilter.decode_message": lambda: call(
        FILTER.decode_message, FILTER.encode_message([1, 0]), 2
    ),
    "ProposalFilter.push": lambda: call(FILTER.push, message(), [1, 0]),
    "ProposalFilter.pop": lambda: call(FILTER.pop, message(), 2),
    # pictures
    "plot.steps": lambda: call(plot.steps, [1, 0] * 9, FROZEN, most=None),
    "plot.rate": lambda: call(
        plot.rate, b"abc", None, level=3, window=1, label=None, ax=axes()
    ),
    "plot.bits": lambda: call(plot.bits, [1, 0], FROZEN, ax=axes()),
    "plot.posterior": lambda: call(
        plot.posterior, [1, 0], FROZEN, given="past", ax=axes()
    ),
    "plot.trellis": lambda: call(plot.trellis, [1, 0], FROZEN, length=2, ax=axes()),
    "plot.blocks": lambda: call(plot.blocks, bbans.compress(b"abc"), ax=axes()),
    "plot.tables": lambda: call(plot.tables, FROZEN, figure=Figure()),
}
# What the package itself calls, with what it has checked: methods named in these.
WITHIN = {formats.Coder, networks.Node}
# Other public callables that CALLS leaves out, by where they are defined.
EXCEPTIONS = {
    # A record, which checks nothing.
    "codecs.check.CodecReport",
    "codecs.check.ModelReport",
    "distributed.files.FileResult",
    "distributed.training.Progress",
    "frozen.network.NetworkNode",
    "models._training.Iteration",
    "networks.quantise.LayerReport",
    "plot.schedule.Steps",
    "records.file.SalvagedRecord",
    # Checks its arguments when it is fitted, as scikit-learn wants: "Estimator" does.
    "sklearn.categorical_hmm.CategoricalHMM",
    "sklearn.gaussian_hmm.GaussianHMM",
    "sklearn.poisson_hmm.PoissonHMM",
    # Refuses whatever it is given.
    "codecs.finite_graph.FiniteGraph.posterior",
    "codecs.gaussian_graph.GaussianGraph.posterior",
    "frozen.context_mixer.FrozenContextMixer.pop",
    "frozen.context_mixer.FrozenContextMixer.push",
    "frozen.engine.EngineModel.forward",
    "message.range_coder._refuse",
    "models.network_model.NetworkModel.information_content",
    # For schedules, steps, networks and files, which hand on what they have checked.
    "codecs.finite_graph.FiniteGraph.factor",
    "codecs.finite_graph.FiniteGraph.law",
    "codecs.finite_graph.FiniteGraph.start",
    "codecs.gaussian_graph.GaussianGraph.constant",
    "codecs.gaussian_graph.GaussianGraph.law",
    "frozen.contexts.Contexts.find",
    "frozen.factorial_hmm.FrozenFactorialHMM.shapes",
    "frozen.hierarchical_hmm.FrozenHierarchicalHMM.shapes",
    "frozen.levels.LevelModel.into",
    "frozen.levels.LevelModel.levels",
    "message.message.Message.call",
    "message.range_coder.RangeEncoder.push_interval",
    "networks.graph.Graph.evaluated",
    "networks.nodes.Affine.windows",
    # Is made by fit and load, of parts that are not public.
    "models.context_mixer.ContextMixer",
}
for law in laws_of():
    name = type(law).__name__
    CALLS[f"{name}.push"] = lambda law=law: call(law.push, message(), 1)
    CALLS[f"{name}.pop"] = lambda law=law: call(law.pop, message())
    CALLS[f"Message.pop {name}"] = lambda law=law: call(message().pop, law, (2,))

# Arguments that say how much there shall be: of the machine's memory and time, or of
# its time alone, for which no number is too large.
TIMES = {
    ("check_codec", "samples"),
    ("check_model", "samples"),
    ("VAE.elbo", "samples"),
    ("DeepSSM.elbo", "samples"),
    ("LatentTree.fit", "epochs"),
    ("ContextMixer.fit", "n_iter"),
}
LENGTHS = {
    ("Message", 0),
    ("Message.seeded", 1),
    ("Message.from_bytes", 1),
    ("Repeat", 1),
    ("staircase", 0),
    ("staircase", 1),
    ("aligned", 0),
    ("aligned", 1),
    ("decode_iid", 2),
    ("decode_sequence", 2),
    ("FrozenHMM.decode", 1),
    ("FrozenHMM.pop", 1),
    ("Mixer.decode", 1),
    ("decode", 2),
    ("LGSSM.decode", 1),
    ("LGSSM.sample", 0),
    ("HMM.sample", 0),
    ("Distribution.broadcast", 0),
    ("GaussianGraph.batch", 0),
    ("Schedule.iconoclasm", 1),
    ("EngineModel.decode_message", 1),
    ("FrozenHierarchicalHMM.graph", 0),
    ("FrozenVAE.codec", 0),
    ("FrozenVAE.sample", 1),
    ("FrozenVAE.with_shape", 0),
    ("FrozenVAE.with_shape", 1),
    ("FrozenDeepSSM.codec", 0),
    ("FrozenDeepSSM.codec", 1),
    ("FrozenNetwork.with_shape", 0),
    ("FrozenNetwork.with_shape", 1),
    ("ARHMM.sample", 0),
    ("HierarchicalHMM.sample", 0),
    ("MultivariateGaussianHMM.sample", 0),
    ("LatentTree.sample", 0),
    ("LGSSM.gains", 0),
    ("ProposalFilter.decode", 1),
    ("ProposalFilter.decode_message", 1),
    ("ProposalFilter.pop", 1),
    ("from_state_dict", 2),
    ("from_torch", 1),
    ("latents", 0),
    ("mixture", 0),
    ("Units.over", 0),
    ("Estimator.sample", 0),
}
LENGTHS |= {(name, 1) for name in CALLS if name.startswith("Message.pop")}
