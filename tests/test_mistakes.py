"""Mistakes that callers make: each is refused at once, in words that help."""

import io
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from shared import HEADS, byte_hmm, random_hierarchy, random_mixer, random_vae

import bbans
from bbans import (
    ARHMM,
    HMM,
    LGSSM,
    Alphabet,
    FactorialHMM,
    GaussianHMM,
    Message,
    MultivariateGaussianHMM,
    codecs,
    compressai,
    frozen,
    networks,
    records,
)
from bbans.distributions import (
    Bernoulli,
    BetaBinomial,
    Binomial,
    Categorical,
    Family,
    Gaussian,
    Geometric,
    Laplace,
    LocationScale,
    Logistic,
    Mixture,
    Multivariate,
    Poisson,
    RaggedTable,
    StudentT,
    Table,
    Uniform,
    UniformRange,
    Weighted,
    fixed_locations,
    fixed_probabilities,
    fixed_rates,
    fixed_scales,
    quantise,
)
from bbans.errors import (
    BbansError,
    FormatError,
    MessageError,
    ModelError,
    SymbolError,
)
from bbans.formats import MixingCoder, SignalCoder
from bbans.message import RangeDecoder, RangeEncoder
from bbans.models import Contexts, Statistics, Topology
from bbans.particles import ParticleFilter
from bbans.records import packets

RNG = np.random.default_rng(0)
TABLE = Table.from_masses([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]])
COINS = HMM([0.5, 0.5], [[0.9, 0.1], [0.1, 0.9]], [[1, 0], [0.5, 0.5]])
FROZEN = COINS.freeze()
BYTES = byte_hmm(2).freeze(16)
LINEAR = LGSSM([[0.5]], [[1.0]], [[1.0]], [[1.0]])
FROZEN_LINEAR = LINEAR.freeze()
CONTEXTS = Contexts.empty()
GAUSSIAN = Family.gaussian()
STEPS = FROZEN.state_space()
FILE = io.BytesIO()
COIN = codecs.FiniteGraph({"a": ((), [1, 1])})
LINES = codecs.GaussianGraph({"a": ((), [], 0, 9), "b": (("a",), [1], 0, 1)})
LEVELS = codecs.Hierarchy(2, lambda *_: None, lambda z: None, lambda *_: None)
PAIR = Multivariate([0, 0], [0, 0], np.zeros((2, 3), int))
NODE = frozen.NetworkNode("input", (), (1, 1, 2), 0, 9)
IN_CONTEXT = ARHMM(COINS, Contexts.empty()).freeze()
VECTORS = MultivariateGaussianHMM([1], [[1]], [[0, 0]], [np.eye(2)])
MASKED = np.ma.masked_array([0, 1, 1], [False, True, False])
WIDE = np.broadcast_to(np.int64(0), (1, 5, 1 << 19))
STATISTICS = COINS.expect([[0, 1]])


class Frame:
    """A table as of pandas: two axes, an array on request, names when iterated."""

    ndim, shape = 2, (3, 2)

    def __array__(self, dtype=None, copy=None):
        return np.zeros((3, 2), dtype)

    def __iter__(self):
        return iter(["a", "b"])


def gaussian_hmm(means=(0, 0), deviations=(1, 2), low=-5, high=5):
    return GaussianHMM([0.5, 0.5], np.full((2, 2), 0.5), means, deviations, low, high)


def bits_back():
    return codecs.BitsBack(
        Gaussian(0.0, 4.0),
        lambda z: Gaussian(z, 1.0),
        lambda x: Gaussian(x / 2, 1.0),
    )


def theirs(module):
    """A model of a class that is defined in that module of another library."""
    return type("Theirs", (), {"__module__": module, "freeze": lambda self: None})()


# A call, the error, and words of its text.
MISTAKES = [
    # ---- the message
    (lambda: Message("abc"), MessageError,
     "lanes .* integer, 1 to 16777216, not 'abc'"),
    (lambda: Message(b"abc"), MessageError, "lanes"),
    (lambda: Message(1.5), MessageError, "lanes .* not 1.5"),
    (lambda: Message(0), MessageError, "lanes"),
    (lambda: Message.from_bytes("abc"), TypeError, "bytes, not 'abc'"),
    (lambda: Message.from_bytes(5), TypeError, "bytes, not int"),
    (lambda: Message.from_bytes(Path("x")), TypeError, "of a file, pass what it holds"),
    (lambda: Message.from_bytes(np.arange(3)), TypeError, "items of 8 bytes"),
    (lambda: Message.from_bytes(b"\1", "2"), MessageError, "lanes"),
    (lambda: Message.from_state("x"), MessageError, "row of integers"),
    (lambda: Message.from_state([[1], [1, 2]]), MessageError, "must form an array"),
    (lambda: Message().push_interval("a", 1, 2), SymbolError, "slots must be integers"),
    (lambda: Message().push_interval(0, 1, "a"), ModelError,
     "total must be an integer"),
    (lambda: Message().push_interval(0, 1, 2.0), ModelError,
     "total must be an integer"),
    (lambda: Message().peek(None), ModelError, "total must be an integer"),
    (lambda: FROZEN.pop(Message(), 1.5), ModelError, "length .* not 1.5"),
    (lambda: FROZEN_LINEAR.pop(Message(), "2"), ModelError, "length"),
    (lambda: Message().push(Categorical(TABLE), MASKED), SymbolError, "masked"),
    (lambda: Message().push(Categorical(TABLE), [0.0, 1.0]), SymbolError, "rint"),
    (lambda: Message().push(Categorical(TABLE), [True]), SymbolError, "uint8"),
    (lambda: Message().push(Categorical(TABLE), np.array([0], object)), SymbolError,
     "astype"),
    (lambda: Message().push(Weighted([[7, np.nan]]), [0]), ModelError, "total nan"),
    (lambda: Message().push(Weighted([[0.5, 0.5], [0.5, np.nan]]), [0, 0]),
     ModelError, "row 1 .*total nan"),
    (lambda: Message().push(Weighted([7.0, 3.0]), 0), ModelError, "total 10.0"),
    (lambda: Message.from_bytes(bytes(range(1, 99))).pop(Weighted([[0.5, 0.5], [3,
     4]])), ModelError, "row 1 .*total 7"),
    (lambda: Message().push(Weighted([1j, 0]), 0), SymbolError, "real"),
    (lambda: Message().push(LocationScale("x", 0.0, 1.0), 0), ModelError,
     "Family.gaussian"),
    (lambda: Message().push(LocationScale(GAUSSIAN, MASKED, 1.0), [0, 1, 1]),
     SymbolError,
     "masked"),
    (lambda: Message().push(LocationScale(GAUSSIAN, 0.0, 1.0), MASKED), SymbolError,
     "masked"),
    (lambda: Message().push(UniformRange("a", 9), 1), SymbolError,
     "low must be an integer"),
    (lambda: Message().push(UniformRange(9, 1), 1), SymbolError,
     "high .* at least|9 to"),
    (lambda: Message().push(Poisson(1.0), [1.5]), SymbolError,
     "values must be integers"),
    (lambda: Message().push(Poisson(1.0), MASKED), SymbolError, "masked"),
    (lambda: Message().push(Binomial(2.5, 0.5), 1), SymbolError, "trials"),
    (lambda: Message().push(Mixture(GAUSSIAN, [7.0, 3.0], [0.0, 1.0], 1.0), 0),
     ModelError, "sum to 1; .*total 10.0"),
    (lambda: RangeEncoder().encode_interval("a", 1, 2), ModelError,
     "start of an interval"),
    (lambda: RangeEncoder().encode_interval(0, 3, 2), ModelError,
     "freq of an interval"),
    (lambda: RangeEncoder().encode_interval(0, 1, 1 << 29), ModelError, "total"),
    (lambda: RangeDecoder(b"abc"), ModelError, "must be a Message"),
    (lambda: RangeDecoder(Message()).peek("a"), ModelError, "total"),
    # ---- the message is empty
    (lambda: Gaussian(0.0, 1.0, leak="no"), ModelError, "leak must be"),
    (lambda: Multivariate.from_covariance([0], [[1]], leak=[True, False]), ModelError,
     "leak must be"),
    (lambda: Gaussian(0.0, 1.0).pop(Message()), MessageError,
     "empty: push first, or start it"),
    (lambda: bits_back().push(Message(), 3), MessageError, "empty: push first"),
    (lambda: StudentT(3, 0.0, 1.0).pop(Message()), MessageError, "empty"),
    (lambda: Message().pop(LocationScale(GAUSSIAN, 0.0, 1.0)), MessageError, "empty"),
    (lambda: Multivariate([0], [0]).pop(Message()), MessageError, "empty"),
    # ---- the message runs out: its lowest slots are far out under a leak
    (lambda: Gaussian(np.zeros(99), 1.0).pop(Message.from_bytes(b"abcde")),
     SymbolError, r"ran out of bits .*Message\.seeded"),
    (lambda: RangeDecoder(Message()).decode(Gaussian(0.0, 1.0)), SymbolError,
     "message is damaged"),
    (lambda: UniformRange(999, 999, 1, np.int8).pop(Message()),
     MessageError, "empty"),
    (lambda: UniformRange(999, 999, 1, np.int8).pop(Message.from_bytes(b"a")),
     SymbolError, "type does not hold what was popped: it is too narrow"),
    # ---- no message, no codec
    (lambda: Uniform(3).push(Uniform(4), 1), ModelError, "message must be a Message"),
    (lambda: Uniform(3).pop(Uniform(4)), ModelError, "message must be a Message"),
    (lambda: Gaussian(0.0, 1.0).push(None, 1), ModelError, "message must be"),
    (lambda: Poisson(3.0).pop({}), ModelError, "message must be"),
    (lambda: codecs.Repeat(Uniform(3), 2).push(Uniform(4), [1, 2]), ModelError,
     "message must be"),
    (lambda: codecs.Permutation(3).push(None, [0, 2, 1]), ModelError, "message must"),
    (lambda: codecs.Multiset(Uniform(3), 2).push(FROZEN, [0, 2]), ModelError,
     "message must be"),
    (lambda: RangeEncoder().encode(None, 1), ModelError, "codec must be a codec"),
    (lambda: RangeDecoder(Message()).decode({}), ModelError, "codec must be a codec"),
    (lambda: codecs.Serial([Uniform(2)]).push(Message(), np.array(1)), SymbolError,
     "tuple of 1 values"),
    (lambda: codecs.Schedule.eager(None, ["a"], []), ModelError, "a GraphModel"),
    (lambda: Uniform(2, b"\1" * 70), ModelError, "shape must be one of an array"),
    (lambda: Message().seek(range(1 << 62)), MessageError, "position must be one of"),
    # ---- numbers and fixed point
    (lambda: Gaussian(np.array([100, 200]), 3.0), SymbolError,
     r"mean .* fixed point.*astype\(float\)"),
    (lambda: Gaussian(np.array([1, 2]), np.array([3, 4])), SymbolError,
     "fixed_scales"),
    (lambda: Laplace(0.0, np.array([3], np.int32)), SymbolError,
     "scale .* fixed"),
    (lambda: Logistic(np.array([3], np.int16), 1.0), SymbolError, "fixed_loc"),
    (lambda: Mixture(GAUSSIAN, None, np.array([20, 90]), 8.0), SymbolError,
     "fixed point"),
    (lambda: Message().push(LocationScale(GAUSSIAN, np.array([20]), 8.0), [20]),
     SymbolError,
     "fixed point"),
    (lambda: Message().push(Mixture(GAUSSIAN, None, np.array([20]), 8.0), 20),
     SymbolError, "fixed point"),
    (lambda: Poisson(np.array([4])), SymbolError, "fixed_rates"),
    (lambda: Geometric(np.array([4])), SymbolError, "fixed_scales"),
    (lambda: Bernoulli(np.array([1])), SymbolError, "fixed_probabilities"),
    (lambda: Binomial(3, np.array([1])), SymbolError, "fixed_probabilities"),
    (lambda: BetaBinomial(3, np.array([1]), 1.0), SymbolError, "fixed_rates"),
    (lambda: Gaussian(None, 1.0), SymbolError, "real numbers"),
    (lambda: Gaussian(True, 1.0), SymbolError, "real numbers"),
    (lambda: Gaussian(MASKED, 1.0), SymbolError, "masked"),
    (lambda: StudentT("3", 0.0, 1.0), SymbolError, "real numbers"),
    (lambda: StudentT(0.1, 0.0, 1.0), ModelError, "0.5 to 1000"),
    (lambda: LocationScale(0.0, 1.0, GAUSSIAN), ModelError, "Family.gaussian"),
    (lambda: Gaussian(0.0, 1.0).push(Message(), 1.5), SymbolError, "integers"),
    (lambda: Gaussian(0.0, 1.0).push(Message(), "1"), SymbolError, "integers"),
    (lambda: fixed_locations("a"), SymbolError, "real numbers"),
    (lambda: fixed_scales(-1.0), SymbolError, "scale"),
    (lambda: fixed_rates(MASKED), SymbolError, "masked"),
    (lambda: fixed_probabilities([0.5, 2]), SymbolError, "0 to 1"),
    (lambda: Family([1, 2]), ModelError, "2050"),
    (lambda: Family.from_survival(lambda t: "a"), ModelError, "real numbers"),
    (lambda: Family.from_survival(lambda t: t), ModelError, "falls"),
    # ---- codecs
    (lambda: Categorical([0.5, 0.5]), ModelError, "Table.from_masses"),
    (lambda: Categorical(TABLE, [[0], [0, 1]]), SymbolError, "array"),
    (lambda: Uniform("6"), ModelError, "total"),
    (lambda: Uniform(0), ModelError, "total"),
    (lambda: Uniform(6.0), ModelError, "total"),
    (lambda: Weighted(3), SymbolError, "axis of symbols"),
    (lambda: Weighted([7.0, 3.0]).push(Message(), 0), ModelError, "total 10"),
    (lambda: Weighted(MASKED), SymbolError, "masked"),
    (lambda: codecs.BitsBack(1, 2, 3), ModelError, "prior must be a codec"),
    (lambda: codecs.BitsBack(Uniform(2), Uniform(2), len), ModelError,
     "likelihood must be a function"),
    (lambda: codecs.BitsBack(Uniform, len, len), ModelError, "prior"),
    (lambda: codecs.Serial(3), ModelError, "list of codecs"),
    (lambda: codecs.Serial([Uniform(2), 3]), ModelError, r"codecs\[1\]"),
    (lambda: codecs.Serial([Uniform(2)]).push(Message(), 1), SymbolError,
     "tuple"),
    (lambda: codecs.Repeat(3, Uniform(2)), ModelError, "codec must be a codec"),
    (lambda: codecs.Repeat(Uniform(2), -1), ModelError, "count"),
    (lambda: codecs.Repeat(Uniform(2), 1.5), ModelError, "count"),
    (lambda: codecs.Iconoclasm(COINS, 3), ModelError, "freeze"),
    (lambda: codecs.Iconoclasm("m.bbm", 3), ModelError, "load_model"),
    (lambda: codecs.Iconoclasm(3, FROZEN), ModelError, "StateSpaceModel"),
    (lambda: codecs.Iconoclasm(FROZEN, -1), ModelError, "length"),
    (lambda: codecs.Iconoclasm(FROZEN, 1.5), ModelError, "length"),
    (lambda: Multivariate([0.5], [1.0]), ModelError, "from_covariance"),
    (lambda: Multivariate(0, 1), ModelError, "row"),
    (lambda: Multivariate([0], [0], family=7), ModelError, "Family.gaussian"),
    (lambda: Multivariate([0], [0], prec=30), ModelError, "precision"),
    (lambda: Multivariate([0], [0]).push(Message(), (1.5,)), SymbolError,
     "integers"),
    (lambda: Multivariate.from_covariance("a", [[1]]), ModelError, "mean"),
    (lambda: Multivariate.from_covariance([0.0], [[-1.0]]), ModelError,
     "positive"),
    (lambda: UniformRange(9, 1), SymbolError, "high"),
    (lambda: UniformRange("a", 1), SymbolError, "low"),
    (lambda: Mixture(GAUSSIAN, [7.0, 3.0], [0.0, 1.0], 1.0), ModelError,
     "total 10.0"),
    (lambda: Mixture(GAUSSIAN, [np.nan, 1.0], [0.0, 1.0], 1.0), ModelError,
     "total nan"),
    (lambda: Mixture(GAUSSIAN, [[0.5, 0.5], [0.1, 0.1]], [0.0, 1.0], 1.0),
     ModelError, "row 1 of the weights"),
    (lambda: Mixture([0.5, 0.5], GAUSSIAN, [0.0, 1.0], 1.0), ModelError,
     "Family.gaussian"),
    (lambda: Mixture(GAUSSIAN, "ab", [0.0, 1.0], 1.0), SymbolError, "real"),
    # ---- tables and frozen models
    (lambda: Table("abc", 8), SymbolError, "edges must be integers"),
    (lambda: Table([0, 4], "2"), ModelError, "precision"),
    (lambda: Table(MASKED, 1), SymbolError, "masked"),
    (lambda: Table.from_masses([1.0, 2.0], 1.5), ModelError, "1 to 28, not 1.5"),
    (lambda: Table.from_masses([1.0, 2.0], 29), ModelError, "1 to 28, not 29"),
    (lambda: Table.from_masses([[1.0, 2.0], [1.0, np.nan]]), ModelError,
     "row 1: .*sum nan"),
    (lambda: Table.from_masses([1.0, 1j]), ModelError, "real numbers"),
    (lambda: Table.from_masses("ab"), ModelError, "real numbers"),
    (lambda: Table.from_masses(MASKED), ModelError, "masked"),
    (lambda: quantise([True, False], 4), ModelError, "real numbers"),
    (lambda: bbans.frozen.FrozenHMM([16], [[16]], [[16]], prec="4", start_length=1),
     ModelError, "precision"),
    (lambda: bbans.frozen.FrozenHMM.from_bytes("abc"), TypeError, "bytes"),
    (lambda: bbans.frozen.FrozenLGSSM.from_bytes(3), TypeError, "bytes"),
    (lambda: bbans.frozen.FrozenLGSSM("1", 1, [[0, 0]], [[0]], start_length=1,
                                      start_bits=1), ModelError, "n_latents"),
    (lambda: bbans.frozen.FrozenARHMM([16], [[16]], [[16]], None, prec=4,
                                      start_length=1), ModelError, "contexts"),
    (lambda: random_mixer(places=32), ModelError, "b from 6 to 22, not"),
    (lambda: random_mixer(places=128, full=0.1), ModelError, "take fewer places"),
    (lambda: random_mixer(rate=128), ModelError, "rate must be .*1 to 127, not 128"),
    (lambda: random_mixer(row_bits=19), ModelError, "row_bits must be .*6 to 18"),
    (lambda: random_mixer(end=256), ModelError, "end must be .*0 to 255, not 256"),
    (lambda: random_mixer(kind="integers"), ModelError, "kind must be one of bytes"),
    (lambda: random_mixer().with_mode("iconoclasm"), ModelError, "no latent state"),
    (lambda: random_mixer().push(Message(), [1]), ModelError, "encode and decode"),
    (lambda: random_mixer().pop(Message(), 1), ModelError, "encode and decode"),
    (lambda: bbans.check_model(b"a", random_mixer()), ModelError, "no latent state"),
    (lambda: bbans.encode([1], random_mixer()), SymbolError, "pass bytes"),
    (lambda: COINS.freeze(29), ModelError, "integer, 1 to 28, not 29"),
    (lambda: COINS.freeze(1.5), ModelError, "integer, 1 to 28, not 1.5"),
    (lambda: COINS.freeze("8"), ModelError, "integer, 1 to 28"),
    (lambda: ARHMM(COINS, CONTEXTS).freeze(1.5), ModelError, "1 to 28, not 1.5"),
    (lambda: gaussian_hmm().freeze(0), ModelError, "1 to 28, not 0"),
    (lambda: LINEAR.freeze(bits=1.5), ModelError, "bits must be an integer"),
    (lambda: LINEAR.freeze(bits=24), ModelError, "0 to 23"),
    (lambda: LINEAR.freeze(noise=3), ModelError, "noise must be one of"),
    (lambda: LINEAR.freeze(max_steps="a"), ModelError, "max_steps"),
    # ---- models
    (lambda: HMM.random("3", 2, seed=0), ModelError, "n_states"),
    (lambda: HMM.random(3, 2.5, seed=0), ModelError, "n_symbols"),
    (lambda: HMM.random(3, 2, seed=None), ModelError, "seed"),
    (lambda: HMM.random(3, 2, concentration="a", seed=0), ModelError, "concentration"),
    (lambda: HMM("a", "b", "c"), ModelError, "initial must be real"),
    (lambda: HMM([1.0], [[1.0]], [[0.5, 1j]]), ModelError, "emission must be real"),
    (lambda: HMM([True], [[1.0]], [[1.0]]), ModelError, "initial must be real"),
    (lambda: HMM([1.0], [[1.0]], [[0.5, np.nan]]), ModelError, "emission row 0"),
    (lambda: COINS.sample(-1, seed=0), ModelError, "length"),
    (lambda: COINS.sample(1.5, seed=0), ModelError, "length"),
    (lambda: COINS.information_content("ab"), SymbolError, "model of text"),
    (lambda: COINS.maximise(3), ModelError, "Statistics"),
    (lambda: COINS.expect([[0]], threads="2"), ModelError, "threads"),
    (lambda: COINS.expect([[0]], dtype="x"), ModelError, "float32"),
    (lambda: HMM.fit([-1, 0, 1], 2), SymbolError, "symbol -1 .* negative: .*alphabet"),
    (lambda: HMM.fit("abc", "8"), ModelError, "n_states must be an integer"),
    (lambda: HMM.fit(2, "abc"), ModelError, "sequences|n_states"),
    (lambda: HMM.fit(np.zeros((5, 2), int), 2), SymbolError,
     r"one axis.*\(5, 2\).*ravel"),
    (lambda: HMM.fit([np.zeros((5, 2), int)], 2), SymbolError, "one axis"),
    (lambda: HMM.fit(Frame(), 2), SymbolError, "one axis"),
    (lambda: HMM.fit(MASKED, 2), SymbolError, "masked"),
    (lambda: HMM.fit([0.5, 1.5], 2), SymbolError, "rint"),
    (lambda: HMM.fit(np.array([True, False]), 2), SymbolError, "uint8"),
    (lambda: HMM.fit(np.array([0, 1j]), 2), SymbolError, "integers"),
    (lambda: HMM.fit(np.array([0, 1], object), 2), SymbolError, "astype"),
    (lambda: HMM.fit([0, 1], 2, n_iter=1.5), ModelError, "n_iter"),
    (lambda: HMM.fit([0, 1], 2, tol="a"), ModelError, "tol"),
    (lambda: HMM.fit([0, 1], 2, init="m.npz"), ModelError, "init must be an HMM"),
    (lambda: HMM.fit([0, 1], 2, topology="left"), ModelError, "Topology"),
    (lambda: HMM.fit([0, 1], 2, topology=Topology("a", "b")), ModelError, "topology"),
    (lambda: HMM.fit([0, 1], 1, topology=Topology([0.5], [[0.5]])), ModelError,
     "True or False"),
    (lambda: HMM.fit([0, 1], 2, pseudo_count="a"), ModelError, "pseudo_count"),
    (lambda: HMM.fit_online([[[0, 1]]], "2"), ModelError, "n_states"),
    (lambda: HMM.fit_online([[[0, 1]]], 2, exponent="a"), ModelError, "exponent"),
    (lambda: ARHMM.fit(["ab"], 2, order="3"), ModelError, "order"),
    (lambda: ARHMM.fit(["ab"], 2, max_bytes=-1), ModelError, "max_bytes"),
    (lambda: ARHMM.fit(np.zeros((5, 2), int), 2), SymbolError, "one axis"),
    (lambda: ARHMM(CONTEXTS, COINS), ModelError, "states must be an HMM"),
    (lambda: ARHMM(COINS, CONTEXTS).sample(1.5, seed=0), ModelError, "length"),
    (lambda: gaussian_hmm(deviations=[-2, 0]), ModelError, "at least 0, not -2.0 for"),
    (lambda: gaussian_hmm(means="ab"), ModelError, "means must be real"),
    (lambda: gaussian_hmm(low="a"), ModelError, "low must be an integer"),
    (lambda: gaussian_hmm(low=-0.5), ModelError, "low must be an integer"),
    (lambda: gaussian_hmm(high=-6), ModelError, "high must be an integer"),
    (lambda: GaussianHMM.fit(np.zeros((5, 2), int), 2), SymbolError, "one axis"),
    (lambda: GaussianHMM.fit([1, 2, 3], "2"), ModelError, "n_states"),
    (lambda: GaussianHMM.fit([1, 2, 3], 2, low=1.5), ModelError, "low"),
    (lambda: FactorialHMM(3, [[1.0]]), ModelError, "pairs"),
    (lambda: FactorialHMM([], [[1.0]]), ModelError, "at least one chain"),
    (lambda: FactorialHMM([([1.0], [[1.0]])], "ab"), ModelError, "emission"),
    (lambda: Topology.left_to_right("a"), ModelError, "n_states"),
    (lambda: Topology.left_to_right(3, -1), ModelError, "jump"),
    (lambda: Topology.banded(3, -1), ModelError, "width"),
    (lambda: Topology.banded(3, 0.5), ModelError, "width"),
    (lambda: Contexts("a", [0], [0], [256], [], []), ModelError, "children"),
    (lambda: Statistics("a", "b", "c", 0.0, 0, 0), ModelError, "initial"),
    (lambda: STATISTICS.blend(3, 0.5), ModelError, "Statistics"),
    (lambda: STATISTICS.blend(STATISTICS, "a"), ModelError, "step"),
    (lambda: Alphabet(0), ModelError, "1 to 65536"),
    (lambda: Alphabet([0.5, 1.5]), SymbolError, "integers"),
    (lambda: Alphabet("ab").encode(b"ab"), SymbolError, "decode them to str"),
    # ---- linear Gaussian models
    (lambda: LGSSM("a", [[1.0]], [[1.0]], [[1.0]]), ModelError,
     "transition must be real"),
    (lambda: LGSSM([[1j]], [[1.0]], [[1.0]], [[1.0]]), ModelError, "real numbers"),
    (lambda: LGSSM([[0.5]], [[1.0]], [[-1.0]], [[1.0]]), ModelError,
     "positive definite"),
    (lambda: LGSSM([[1.5]], [[1.0]], [[1.0]], [[1.0]]).sample(200, seed=0), ModelError,
     "more than 64 bits: the model is unstable"),
    (lambda: LGSSM([[3.0]], [[0.0]], [[1.0]], [[1.0]]).sample(2000, seed=0), ModelError,
     "more than 64 bits"),
    (lambda: LINEAR.sample(1.5, seed=0), ModelError, "length"),
    (lambda: LINEAR.sample(5, seed="a"), ModelError, "seed"),
    (lambda: LGSSM(np.diag([0.9, 1.2]), [[10.0, 0]], np.eye(2), [[1.0]]).freeze(),
     ModelError, "grows by 1.2 at each step is not observed"),
    (lambda: LGSSM.fit(RNG.integers(0, 9, (1000, 40)), 5), ModelError,
     "8 lags of 40 channels: pass at least 1295 .*init="),
    (lambda: LGSSM.fit(RNG.integers(0, 9, 500) + (1 << 40), 1), ModelError,
     r"mean below 2\*\*30.*subtract"),
    (lambda: LGSSM.fit(RNG.integers(-9, 9, 500) << 59, 1), ModelError,
     r"below 2\*\*53"),
    (lambda: LGSSM.fit([1, 2, 3], "2"), ModelError, "n_latents"),
    (lambda: LGSSM.fit([1, 2, 3]), ModelError, "latent dimensions, or init"),
    (lambda: LGSSM.fit([0.5, 1.5], 1), SymbolError, "integers"),
    (lambda: LGSSM.fit(MASKED, 1), SymbolError, "masked"),
    (lambda: LGSSM(np.eye(2) * 0.9, [[1e6, 0]], np.eye(2) * 10, [[1.0]]).freeze(),
     ModelError, "10.12 times smaller .*transition_cov .*observation_cov"),
    (lambda: LGSSM([[0.9, 1], [0, 0.9]], [[1.0, 0]], np.diag([1e-13, 1]),
                   [[1.0]]).freeze(), ModelError, "10.12 times smaller"),
    (lambda: LGSSM.fit([1, 2, 3], 1, init=COINS), ModelError, "init must be an LGSSM"),
    (lambda: LGSSM.fit([1, 2, 3], 1, n_iter="a"), ModelError, "n_iter"),
    (lambda: LGSSM.fit([1, 2, 3], 1, min_noise=-1), ModelError, "min_noise"),
    (lambda: LGSSM.fit([1, 2, 3], 1, fixed="transition"), ModelError, "lists of names"),
    (lambda: LGSSM.spectral(np.arange(99), 1, lags=0), ModelError, "lags"),
    (lambda: LINEAR.filter([np.inf]), SymbolError, "integers"),
    (lambda: LINEAR.smooth([np.nan]), SymbolError, "integers"),
    (lambda: LINEAR.information_content([[1, 2]]), SymbolError, r"\(T, 1\)"),
    (lambda: LINEAR.maximise(LINEAR.expect([[1, 2]]), min_noise=10**400), ModelError,
     "min_noise"),
    (lambda: LGSSM.spectral(np.arange(99), 1, min_noise=-1), ModelError, "min_noise"),
    (lambda: LINEAR.at(-1), ModelError, "t must be .* at least 0, not -1"),
    (lambda: FROZEN_LINEAR.step(-1), ModelError, "t must be .* at least 0, not -1"),
    # ---- what is given of a graph, a network or a context
    (lambda: COIN.size("b"), ModelError, "no node 'b'"),
    (lambda: COIN.value("a", {}), SymbolError, "no value of 'a'"),
    (lambda: LINES.conditional("c", {}), ModelError, "no node 'c'"),
    (lambda: LINES.conditional("b", {}), SymbolError, "no value of 'a'"),
    (lambda: LEVELS.parents("z"), ModelError, r'\("z", level, t\) .*, not \'z\''),
    (lambda: LEVELS.parents(("z", 0, 1)), ModelError, r"not \('z', 0, 1\)"),
    (lambda: LEVELS.conditional(("z", 1, 1), None), ModelError, "values .* mapping"),
    (lambda: LEVELS.conditional(("x", 1), {}), SymbolError,
     r"no value of \('z', 1, 1\)"),
    (lambda: codecs.Permutation(3).pop([1]), ModelError, "message must be"),
    (lambda: PAIR.push(None, (0, 0)), ModelError, "message must be"),
    (lambda: PAIR.pop(None), ModelError, "message must be"),
    (lambda: codecs.ImportanceSampling(Uniform(2), lambda z: Uniform(3), lambda x:
                                       Uniform(2), 2).push(Message(), 1 << 63),
     ModelError, "9223372036854775808 cannot be coded"),
    (lambda: codecs.Repeat(Uniform(2), 1 << 63), ModelError, "count must be"),
    (lambda: codecs.aligned(2, 1 << 40), ModelError, "length must be .* to 4294967296"),
    (lambda: codecs.staircase(1 << 40, 2), ModelError, "levels must be"),
    (lambda: codecs.Schedule.iconoclasm(STEPS, 1 << 40), ModelError, "length"),
    (lambda: random_hierarchy((2, 2), 3).graph(1 << 40), ModelError, "length"),
    (lambda: frozen.FrozenNetwork(["input"], [0]), ModelError,
     "node 0 must be a NetworkNode, not 'input'"),
    (lambda: frozen.FrozenNetwork([NODE], [1 << 70]), ModelError, "an output must be"),
    (lambda: frozen.Head.bernoulli(2).distribution([0.5, 1]), ModelError,
     r"integers of shape \(.., 2\), not float64"),
    (lambda: IN_CONTEXT.step(0, -1), SymbolError, "symbol must be .* 0 to 1, not -1"),
    (lambda: IN_CONTEXT.masses(9, 0), ModelError, "context must be .* not 9"),
    (lambda: IN_CONTEXT.edges(0, [0, 4], 9), ModelError, "first must be .* not 9"),
    (lambda: RaggedTable.of_rows([0, 4], 2, 0), ModelError, r"\(N, K \+ 1\)"),
    (lambda: codecs.decode_sequence(codecs.encode_sequence([1], STEPS), STEPS, 1 << 40),
     ModelError, "length must be"),
    (lambda: networks.grid(1, 0, 9).over(1 << 40), ModelError, "channels must be"),
    (lambda: networks.latents(1 << 63, 1), ModelError, "n must be"),
    (lambda: networks.mixture(1 << 63), ModelError, "components must be"),
    (lambda: networks.Input(2) * 10**400, ModelError, "factor must be a real number"),
    (lambda: networks.from_state_dict({}, lambda layers, x: x, np.dtype("V8")),
     ModelError, "a size must be"),
    (lambda: Alphabet("ab").name(2), SymbolError, "index must be .* 0 to 1, not 2"),
    (lambda: FROZEN.decode_message(b"", 2), ModelError, "message must be a Message"),
    # ---- what training goes by
    (lambda: HMM.fit_online([[[0, 1]]], 2, statistics=True), ModelError,
     "statistics must be Statistics, not True"),
    (lambda: HMM.fit_online([[[0, 1]]], 2, updates=10**400), ModelError, "updates"),
    (lambda: VECTORS.expect([[[1, 2]]]).centred([0]), ModelError, r"centre .* \(2,\)"),
    (lambda: Topology.banded(2, 1).mask("a", COINS.transition), ModelError,
     "initial must be real"),
    (lambda: random_vae(HEADS[0], [2], seed=0).elbo(np.eye(6, dtype=int), seed=None),
     ModelError, "seed"),
    (lambda: codecs.check_codec([1], Uniform(3), seed=None), ModelError, "seed"),
    (lambda: bbans.check_model([1], FROZEN, seed=[1]), ModelError, "seed"),
    (lambda: HMM.load(1 << 20), TypeError, "PathLike"),
    (lambda: compressai.Tables.of(None), ModelError,
     "of CompressAI after .*quantized_cdf, not NoneType"),
    # ---- data and files
    (lambda: bbans.compress(["a", "b"]), SymbolError, "join text to one str"),
    (lambda: bbans.compress([b"a", b"b"]), SymbolError, "join bytes"),
    (lambda: bbans.compress(["a", "b"]), SymbolError, "RecordCodec"),
    (lambda: bbans.compress({"a": 1}), SymbolError, "a table column by column"),
    (lambda: bbans.compress("x", theirs("hmmlearn.hmm")), ModelError,
     r"not a Theirs of hmmlearn: pass models\.from_hmmlearn\(model\)\.freeze\(\)"),
    (lambda: bbans.compress("x", theirs("pomegranate.hmm.dense_hmm")), ModelError,
     r"models\.from_pomegranate\(model\)\.freeze\(\)"),
    (lambda: Alphabet(["sun", "rain"]), SymbolError,
     "characters of one str, or integers, not of dtype <U4: keep a list of the names"),
    (lambda: records.RecordCodec.train("abc"), SymbolError, r"a single one as \[x\]"),
    (lambda: records.RecordCodec.train([]), ModelError, "there are no sequences"),
    (lambda: HMM.fit([], 2), ModelError, "there are no sequences"),
    (lambda: bbans.compress("x", "m.bbm"), ModelError, r"load_model\('m.bbm'\)"),
    (lambda: bbans.compress("x", Path("m.bbm")), ModelError, r"load_model\('m.bbm'\)"),
    (lambda: bbans.compress("x", COINS), ModelError, "freeze"),
    (lambda: bbans.compress("x", LINEAR), ModelError, "freeze"),
    (lambda: bbans.compress(FROZEN, "x"), ModelError, "frozen model, not a str"),
    (lambda: bbans.compress(MASKED, FROZEN), SymbolError, "masked"),
    (lambda: bbans.compress(None), SymbolError, "integers"),
    (lambda: bbans.compress(Path("x")), SymbolError, "integers"),
    (lambda: bbans.compress("x", block_size="a"), ModelError, "block_size"),
    (lambda: bbans.decompress("x"), TypeError, "bytes"),
    (lambda: bbans.decompress(b"x"), FormatError, "container"),
    (lambda: bbans.decompress(Path("x.bbz")), TypeError, "of a file"),
    (lambda: bbans.compress_file(io.StringIO("x"), io.BytesIO()), TypeError,
     "source is a text file: open it in binary mode"),
    (lambda: bbans.compress_file(io.BytesIO(b"x"), io.StringIO()), TypeError, "sink"),
    (lambda: bbans.compress_file("x", "x.bbz"), TypeError, "open paths first"),
    (lambda: bbans.decompress_file(Path("x"), io.BytesIO()), TypeError, "open paths"),
    (lambda: bbans.decompress_file(io.BytesIO(), io.StringIO()), TypeError, "binary"),
    (lambda: bbans.encode([0.5], FROZEN), SymbolError, "rint"),
    (lambda: bbans.encode(FROZEN, [0]), ModelError, r"frozen model, not \[0\]"),
    (lambda: bbans.decode("x", FROZEN, 1), TypeError, "bytes"),
    (lambda: bbans.decode(b"\1", FROZEN, "1"), ModelError, "length"),
    (lambda: bbans.decode(b"\1", FROZEN), ModelError, "number of symbols"),
    (lambda: bbans.load_model(5), TypeError, "PathLike"),
    (lambda: records.encode_batch("hello", BYTES), SymbolError, "one sequence"),
    (lambda: records.encode_batch(b"hello", BYTES), SymbolError, "one sequence"),
    (lambda: records.encode_batch([1, 2, 3], BYTES), SymbolError, "one sequence"),
    (lambda: records.encode_batch(np.arange(5), BYTES), SymbolError, "one sequence"),
    (lambda: records.encode_batch(5, BYTES), SymbolError, "list of sequences"),
    (lambda: records.encode_batch([MASKED], FROZEN), SymbolError, "masked"),
    (lambda: records.encode_batch(["a"], "m.bbm"), ModelError, "load_model"),
    (lambda: records.encode_batch(["a"], FROZEN_LINEAR), SymbolError, "integers"),
    (lambda: records.encode_batch([b"a"], BYTES, threads=0), ModelError, "threads"),
    (lambda: records.chain("hello", BYTES), SymbolError, "one sequence"),
    (lambda: records.decode_batch("x", [0, 1], [1], BYTES), TypeError, "bytes"),
    (lambda: records.decode_batch(b"x", "ab", [1], BYTES), ModelError, "offsets"),
    (lambda: records.decode_batch(b"x", [0, 1], [1.5], BYTES), ModelError, "lengths"),
    (lambda: records.unchain("x", [1], BYTES), TypeError, "bytes"),
    (lambda: records.unchain(b"x", [-1], BYTES), ModelError, "lengths"),
    (lambda: packets.encode("x", BYTES, "32"), ModelError, "2 to 64"),
    (lambda: packets.decode("xx", BYTES), TypeError, "bytes"),
    (lambda: codecs.encode_sequence([0], COINS), ModelError, "freeze"),
    (lambda: codecs.encode_sequence(5, STEPS), SymbolError, "sequence of observations"),
    (lambda: codecs.encode_sequence([0], "m.bbm"), ModelError, "load_model"),
    (lambda: codecs.decode_sequence(b"\1", FROZEN, 1), ModelError, "from_bytes"),
    (lambda: codecs.decode_sequence(Message(), FROZEN, None), ModelError, "length"),
    (lambda: bbans.check_model([0], 5), ModelError, "StateSpaceModel"),
    (lambda: bbans.check_model(5, STEPS), ModelError, "needs an observation"),
    (lambda: bbans.check_model([0], STEPS, samples="a"), ModelError, "samples"),
    (lambda: bbans.compress([0.5j]), SymbolError, "view"),
    (lambda: bbans.compress(MASKED), SymbolError, "masked"),
    (lambda: bbans.compress([1j]), SymbolError, "real and imaginary"),
    (lambda: bbans.compress([1], SignalCoder(axis=1)), SymbolError, "1 axis .* axis 1"),
    (lambda: bbans.compress(5, SignalCoder(axis=0)), SymbolError, "0 axes .* axis 0"),
    (lambda: SignalCoder(axis=1.5), ModelError, "axis must be an integer"),
    (lambda: SignalCoder(axis=32), ModelError, "axis"),
    (lambda: MixingCoder(1), ModelError, "ByteCoder.level=1., the fast coder"),
    (lambda: bbans.compress(WIDE, SignalCoder(axis=0)), SymbolError, "of 2621440 el"),
    (lambda: bbans.save("x", "text"), SymbolError, "compress"),
    (lambda: bbans.save("x", [0.5j]), SymbolError, "view"),
    (lambda: bbans.save(io.StringIO(), [1]), TypeError, "binary"),
    (lambda: bbans.save(5, [1]), TypeError, "binary file"),
    (lambda: bbans.load(io.StringIO()), TypeError, "binary"),
    (lambda: bbans.load(io.BytesIO(bbans.compress("a"))), FormatError, "holds text"),
    (lambda: bbans.compress("abc", SignalCoder()), SymbolError, "numbers, not str"),
    (lambda: bbans.compress(b"abc", SignalCoder()), SymbolError, "ByteCoder"),
    (lambda: bbans.compress([1], block_size=1.5), ModelError, "block_size"),
    (lambda: bbans.compress([1], level="9"), ModelError, "level"),
    (lambda: bbans.compress([1], threads="2"), ModelError, "threads"),
    (lambda: bbans.decompress("x"), TypeError, "bytes"),
    (lambda: bbans.decompress(5), TypeError, "bytes"),
    (lambda: bbans.compress_file(FILE, FILE, channels=2), ModelError, "dtype"),
    (lambda: bbans.compress_file(FILE, FILE, channels="2", dtype="u1"), ModelError,
     "channels"),
    (lambda: bbans.compress_file(FILE, FILE, SignalCoder(axis=1), dtype="i2"),
     ModelError, "axis 0"),
    (lambda: bbans.compress_file(FILE, FILE, SignalCoder()), ModelError, "dtype"),
    (lambda: bbans.compress_file(FILE, FILE, dtype="c8"), SymbolError, "complex64"),
    (lambda: bbans.open("x", "y"), ModelError, "load_model"),
    # ---- graphs and sets
    (lambda: codecs.FiniteGraph({"a": (3, [1, 2])}), ModelError,
     "parents of 'a' must be nodes, .* not 3"),
    (lambda: codecs.FiniteGraph({"a": ([[]], [1, 2])}), ModelError, "parents of 'a'"),
    (lambda: codecs.GaussianGraph({"a": (None, (), 0, 1)}), ModelError, "parents"),
    (lambda: codecs.GaussianGraph({"a": ((), (), [0], 1)}), ModelError,
     "of 'a': offset must be a real number"),
    (lambda: codecs.GaussianGraph({"a": ((), (), 0, "1")}), ModelError,
     "of 'a': deviation must be a real number"),
    (lambda: codecs.Schedule(COIN, ["push"]), ModelError, "a step is"),
    (lambda: codecs.Schedule(COIN, None), ModelError, "order must be steps"),
    (lambda: codecs.Schedule(None, []), ModelError, "must be a GraphModel"),
    (lambda: frozen.FrozenHierarchicalHMM(None, None, [[1]], prec=1, start_length=1),
     ModelError, "initial must be an array of masses for each level, not None"),
    (lambda: frozen.FrozenTree([-1], [0], [2**15], np.zeros((0, 1, 1), int), None),
     ModelError, "emissions must be an array of masses for each column, not None"),
    (lambda: bbans.compress([0], ParticleFilter(FROZEN, 4)), ModelError, "has no file"),
    (lambda: codecs.Schedule(COIN, [("push", [])]), ModelError, "each node a key"),
    (lambda: codecs.Schedule.eager(COIN, None, ["a"]), ModelError, "latents must be"),
    (lambda: codecs.Schedule.eager(COIN, [], [{}]), ModelError, "observations must be"),
    (lambda: codecs.Multiset(Uniform(9), 2).push(Message(), 5), SymbolError,
     "values must be a sequence .* not 5"),
]  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("call", "error", "words"), MISTAKES, ids=[str(i) for i in range(len(MISTAKES))]
)
def test_mistakes_are_named(call, error, words):
    with pytest.raises(error, match=words) as caught:
        call()
    assert isinstance(caught.value, BbansError | TypeError)


# ---- one rule for plain numbers and fixed point


def bits(codec, values):
    message = Message.from_bytes(bytes(range(1, 200)))
    before = message.bits
    codec.push(message, values)
    return message.bits - before


@pytest.mark.parametrize("make", [
    Gaussian, Laplace, Logistic,
    lambda at, by: StudentT(3, at, by),
    lambda at, by: LocationScale(GAUSSIAN, at, by),
    lambda at, by: Mixture(GAUSSIAN, None, at[:, None], by[:, None]),
])  # fmt: skip
def test_fixed_point_means_the_same_everywhere(make):
    at, by = np.array([100.25, -7.0, 3e6]), np.array([2.0, 0.5, 1e4])
    fixed = fixed_locations(at), fixed_scales(by)
    values = [101, -7, 3_000_123]
    assert bits(make(*fixed), values) == bits(make(at, by), values)


@pytest.mark.parametrize(("make", "number", "value", "fixed"), [
    (Poisson, 4, 4, np.uint32), (Geometric, 4, 3, np.int32),
    (Bernoulli, 1, 1, np.uint32), (lambda p: Binomial(9, p), 1, 9, np.uint32),
    (lambda a: BetaBinomial(9, a, a), 3, 4, np.uint32),
    (lambda m: Gaussian(m, m), 4, 5, None), (lambda m: Laplace(m, m), 4, 5, None),
])  # fmt: skip
def test_scalars_of_numpy_are_plain_numbers(make, number, value, fixed):
    """But for those that may be elements of an array in fixed point."""
    plain = bits(make(number), value)
    for kind in (np.uint8, np.int32, np.uint32, np.int64, np.uint64, np.float32):
        if kind == fixed:
            with pytest.raises(SymbolError, match=r"neither .* through fixed_"):
                make(kind(number))
        else:
            assert bits(make(kind(number)), value) == plain
        assert bits(make([kind(number)]), [value]) == plain


def test_elements_of_arrays_in_fixed_point_are_refused():
    at, by = fixed_locations([3.0, 4.0]), fixed_scales([1.0, 2.0])
    with pytest.raises(SymbolError, match=r"mean .* through fixed_locations"):
        Gaussian(at[0], by[0])
    with pytest.raises(SymbolError, match="fixed point"):
        Gaussian(at, by[0])
    assert bits(Gaussian(at[:1], by[:1]), [3]) == bits(Gaussian([3], [1]), [3])


# ---- importing where it cannot be


@pytest.mark.parametrize(("error", "words"), [
    ('ImportError("no subinterpreters")', "cannot be loaded here: no subinterpreters"),
    ('ModuleNotFoundError("x", name="bbans._core")', "not built here"),
    ('ModuleNotFoundError("No module named \'numpy\'", name="numpy")', "named 'numpy'"),
])  # fmt: skip
def test_an_import_that_fails_says_why(error, words):
    code = f"""
        import sys

        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name == "bbans._core":
                    raise {error}

        sys.meta_path.insert(0, Finder())
        import bbans
        bbans.compress
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert words in done.stderr.splitlines()[-1]
