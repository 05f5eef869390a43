"""Right calls of public functions, whose arguments the fuzz tests then change."""

import io
from functools import cache
from functools import partial as call
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from shared import random_factorial, random_hierarchy, random_lgssm, random_mixer

import bbans
from bbans import codecs, compressai, formats, frozen, models, networks, records
from bbans import distributions as laws
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
AR = bbans.ARHMM.fit([b"abracadabra"], 2, order=1, n_iter=1)
IMAGE = np.arange(24).reshape(4, 6)
CDFS = [[0, 1 << 14, 1 << 15, 1 << 16]], [4], [0]


@cache
def folder():
    """Where there are a model and records."""
    made = TemporaryDirectory()
    FROZEN.save(Path(made.name) / "model.bbm")
    records.Records.write(Path(made.name) / "records.bbr", [b"a", b"bc"], MIXER)
    return made


def in_folder(name):
    return str(Path(folder().name) / name)


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


def container(data=IMAGE):
    file = io.BytesIO()
    if isinstance(data, bytes):
        file.write(bbans.compress(data))
    else:
        bbans.save(file, data)
    file.seek(0)
    return file


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
    "LGSSM.encode": lambda: call(LGSSM.freeze().encode, [[1], [0]]),
    "LGSSM.decode": lambda: (lambda f: call(f.decode, f.encode([[1], [0]]), 2))(
        LGSSM.freeze()
    ),
    "ARHMM.encode": lambda: call(AR.freeze().encode, b"abra"),
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
}
for law in laws_of():
    name = type(law).__name__
    CALLS[f"{name}.push"] = lambda law=law: call(law.push, message(), 1)
    CALLS[f"{name}.pop"] = lambda law=law: call(law.pop, message())
    CALLS[f"Message.pop {name}"] = lambda law=law: call(message().pop, law, (2,))

# Arguments that say how much there shall be: of the machine's memory and time, too.
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
    ("check_codec", "samples"),
    ("check_model", "samples"),
    ("FrozenHMM.decode", 1),
    ("FrozenHMM.pop", 1),
    ("Mixer.decode", 1),
    ("decode", 2),
    ("LGSSM.decode", 1),
}
LENGTHS |= {(name, 1) for name in CALLS if name.startswith("Message.pop")}
