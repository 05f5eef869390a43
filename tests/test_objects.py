"""Public objects: what they show of themselves, and their copies."""

import copy
import inspect
import io
import os
import pickle
import tempfile

import numpy as np
import pytest
from shared import (
    HEADS,
    random_deep_ssm,
    random_mixer,
    random_observations,
    random_tree,
    random_vae,
)
from test_coders import CASES

import bbans
from bbans import (
    codecs,
    compressai,
    distributions,
    formats,
    frozen,
    message,
    models,
    networks,
    particles,
    plot,
    records,
)

TABLE = distributions.Table.from_masses([[1.0, 2.0, 5.0], [1.0, 1.0, 1.0]])
FAMILY = distributions.Family.gaussian()
GAUSSIAN = distributions.Gaussian([0.5, -3.0], 2.0)
HMM = bbans.HMM.random(2, 3, seed=0)
ARHMM = bbans.ARHMM.fit(["abcabd", "abdabc"], 2, order=1, n_iter=1)
MIXER = bbans.ContextMixer.fit(["abcabd", "abdabc"], progress=False)
RECORDS = bbans.RecordCodec(ARHMM.freeze())
LEVELS = bbans.HierarchicalHMM.random([2, 3], 2, seed=0)
ROWS = np.array([[0, 1], [1, 1], [0, 0], [1, 0], [1, 1]])
TREE = bbans.LatentTree.fit(ROWS, 2, epochs=1, progress=False)
LGSSM = bbans.LGSSM([[0.5]], [[1.0]], [[1.0]], [[1.0]])
VECTORS = bbans.MultivariateGaussianHMM(
    [0.5, 0.5], [[0.9, 0.1], [0.2, 0.8]], [[0, 0], [30, -30]], [np.eye(2)] * 2
)
VAE = random_vae(HEADS[0], [3, 2], seed=0)
DEEP_SSM = random_deep_ssm(HEADS[0], 2, 3, seed=0)
BITS = random_observations(HEADS[0], 40, seed=0)
CHAIN = ([0.25, 0.75], [[0.5, 0.5], [0.125, 0.875]])


def likelihood(z):
    return distributions.Categorical(TABLE, int(z))


def posterior(x):
    return distributions.Uniform(2)


def started():
    return message.Message.seeded(bytes(range(200)), lanes=1)


def codes(*values):
    """Objects are the same if they code these values as the same bits."""

    def same(a, b):
        one, other = started(), started()
        for value in values:
            a.push(one, value)
            b.push(other, value)
        return one == other != started()

    return same


def shares(*names):
    """Objects are the same if these attributes are."""
    return lambda a, b: all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in names
    )


def compresses(data):
    """Coders are the same if they compress this to the same bytes."""
    return lambda a, b: bbans.compress(data, a) == bbans.compress(data, b)


class Reversed:
    """A codec of the user's own: blocks backwards."""

    def encode(self, block):
        return block[::-1].tobytes()

    def decode(self, data, n):
        return np.frombuffer(data, np.uint8)[::-1]

    def __repr__(self):
        return "Reversed()"


def encodes(x):
    """Models are the same if they code this sequence as the same bytes."""
    return lambda a, b: a.encode(x) == b.encode(x)


def equal(a, b):
    return a == b and hash(a) == hash(b)


def steps(model):
    return codecs.Iconoclasm(model, 3)


def level(number, above, before):
    return distributions.Uniform(2)


def level_posterior(number, t, known):
    return distributions.Uniform(2)


def codes_graph(nodes, value):
    """Models are the same if a schedule codes this value as the same bytes."""

    def same(a, b):
        one, other = (codecs.Schedule.eager(graph, *nodes) for graph in (a, b))
        return one.encode(value) == other.encode(value)

    return same


class Coin:
    """A graph of one node."""

    def parents(self, node):
        return ()

    def conditional(self, node, values):
        return distributions.Uniform(2)


class Guess:
    """A state space model of one coin after the other, with a proposal."""

    def prior(self, z):
        return distributions.Uniform(2)

    def likelihood(self, z):
        return distributions.Bernoulli(0.25 + 0.5 * z)

    def proposal(self, z, x):
        return distributions.Uniform(2)

    def __repr__(self):
        return "Guess()"


RAGGED = distributions.RaggedTable([[0, 3, 16], [0, 16]], 4, offsets=[0, -2])
ONE = [[0, 9, 65536]], [3], [5]


def repeats(a, b):
    return repr(a) == repr(b)


def buffered():
    encoder = compressai.BufferedRansEncoder()
    encoder.encode_with_indexes([5, 9], [0, 0], *ONE)
    return encoder


def decoder():
    made = compressai.RansDecoder()
    made.set_stream(buffered().flush())
    return made


X, MAP = networks.Input(4), networks.Input((2, 2, 4))
KERNEL = [[[[1, 2, 3, 4]]]]
LAYERS = [
    X,
    X + X,
    X - X,
    X * X,
    0.5 * X,
    networks.Relu(X, 6),
    networks.Clip(X, -1, 1),
    networks.Concat(X, X),
    networks.Slice(X, 1, 2),
    networks.Reshape(X, (2, 2)),
    networks.Dense(X, [[1, 2, 3, 4]]),
    networks.Conv1d(networks.Reshape(X, (1, 4)), KERNEL[0], padding=1),
    networks.Conv2d(MAP, KERNEL, [1]),
    networks.PixelShuffle(MAP, 2),
]
NETWORK = networks.Network([X], [networks.Dense(X, [[1, 2, 3, 4]])])
QUANTISED = NETWORK.quantise(
    np.eye(4), inputs=[networks.grid(1, 0, 1)], outputs=[networks.logit()]
)


def computes(a, b):
    """Layers are the same if they compute the same."""
    if isinstance(a, networks.Input):
        return a.shape == b.shape
    values = [np.arange(1.0, 1 + i.size).reshape(1, *i.shape) for i in a.inputs]
    return np.array_equal(a.evaluate(*values), b.evaluate(*values))


STEPS = np.zeros((3, 1), np.int64)
PARAMETERS = shares("initial", "transition", "emission", "alphabet", "history")
# An example of each public class, and what its copies share.
EXAMPLES = [
    *(
        (case.codec, codes(case.values[0]))
        for case in CASES.values()
        if type(case.codec).__module__.startswith("bbans.distributions.")
    ),
    (FAMILY, equal),
    (TABLE, shares("cdf", "prec")),
    (
        plot.steps(b"It is a truth " * 4, bbans.default_model()),
        shares("states", "grown", "bits", "length"),
    ),
    (RAGGED, shares("prec", "offsets", "n_symbols", "escape")),
    (compressai.Tables([[0, 65536]], [2], [0]), repeats),
    (compressai.RansEncoder(), repeats),
    (buffered(), repeats),
    (decoder(), repeats),
    (started(), lambda a, b: a == b),
    (codecs.Serial([GAUSSIAN, distributions.Uniform(2)]), codes(([1, 2], 1))),
    (codecs.Repeat(distributions.Uniform(9), 2), codes((1, 2))),
    (codecs.Dependent([distributions.Uniform(9), likelihood]), codes((1, 2))),
    (codecs.Schedule(Coin(), [("push", "x")]), codes({"x": 1})),
    (
        codecs.FiniteGraph({"z": ([], [1, 2]), "x": (["z"], [[3, 4], [6, 5]])}),
        codes_graph((["z"], ["x"]), {"x": 1}),
    ),
    (
        codecs.Hierarchy(1, level, likelihood, level_posterior),
        codes_graph(([("z", 1, 1)], [("x", 1)]), {("x", 1): 2}),
    ),
    (
        codecs.GaussianGraph({"z": ([], [], 0, 4), "x": (["z"], [1], 0, 2)}),
        codes_graph((["z"], ["x"]), {"x": 1}),
    ),
    (codecs.Multiset(distributions.Uniform(9), 2), codes([1, 2])),
    (codecs.Permutation(3), codes([2, 0, 1])),
    (codecs.BitsBack(distributions.Uniform(2), likelihood, posterior), codes(2)),
    (
        codecs.ImportanceSampling(distributions.Uniform(2), likelihood, posterior, 2),
        codes(2),
    ),
    (codecs.Iconoclasm(HMM.freeze(), 3), codes([0, 1, 2])),
    (particles.ParticleFilter(HMM.freeze(), 4, 7), encodes([0, 1, 2])),
    (particles.ProposalFilter(Guess(), 4, 7), encodes([0, 1, 1])),
    (codecs.check_codec([1, -7], distributions.Laplace(0.5, 2.0)), equal),
    (codecs.check_model([0, 1, 2], HMM.freeze()), equal),
    (HMM.freeze(), equal),
    (ARHMM.freeze(), equal),
    (LEVELS.freeze(), equal),
    (bbans.FactorialHMM.random([2, 3], 2, seed=0).freeze(), equal),
    (LGSSM.freeze(), equal),
    (VECTORS.freeze(), equal),
    (TREE.freeze(), equal),
    (VAE.freeze(BITS), equal),
    (random_tree(5, 3, [2, 4], seed=0), equal),
    (random_mixer(end=10), lambda a, b: equal(a, b) and encodes(b"ab")(a, b)),
    (DEEP_SSM.freeze(BITS), equal),
    (VAE.head, equal),
    (HMM.freeze().alphabet, equal),
    (formats.ByteCoder(1, level=3), compresses(bytes(99))),
    (formats.MixingCoder(3, line=9), compresses(bytes(99))),
    (formats.BaseCoder(np.arange(99)), compresses(np.arange(99))),
    (formats.SignalCoder(3), compresses(np.arange(99))),
    (formats.GridCoder("yx", 3), compresses(np.arange(99).reshape(9, 11))),
    (formats.ModelCoder(HMM.freeze()), compresses([0, 1, 2])),
    (formats.CodecCoder("reversed", Reversed()), compresses(bytes(99))),
    (RECORDS, lambda a, b: a == b and encodes("abd")(a, b)),
    (records.SalvagedRecord(3, "line", True), equal),
    (ARHMM.contexts, lambda a, b: a == b),
    (HMM, PARAMETERS),
    (ARHMM, lambda a, b: a.freeze() == b.freeze() and a.history == b.history),
    (MIXER, lambda a, b: a.freeze() == b.freeze() and a.history == b.history),
    (TREE, lambda a, b: a.freeze() == b.freeze() and a.history == b.history),
    (VECTORS, lambda a, b: a.freeze() == b.freeze() and a.history == b.history),
    (
        VECTORS.expect([[1, 2], [30, -30]]),
        lambda a, b: a.first.tolist() == b.first.tolist(),
    ),
    (LGSSM, lambda a, b: repr(a.parameters()) == repr(b.parameters())),
    (VAE, lambda a, b: a.freeze(BITS) == b.freeze(BITS)),
    (DEEP_SSM, lambda a, b: a.freeze(BITS) == b.freeze(BITS)),
    (bbans.GaussianHMM(*CHAIN, [0, 3], [2, 1], -5, 5), PARAMETERS),
    (bbans.PoissonHMM(*CHAIN, [0, 3.5], 9), PARAMETERS),
    (bbans.FactorialHMM([CHAIN], [[0.5, 0.5], [0.25, 0.75]]), PARAMETERS),
    (LEVELS, lambda a, b: a.freeze() == b.freeze() and a.history == b.history),
    (models.Topology.left_to_right(3), shares("initial", "transition")),
    (ARHMM.history[-1], equal),
    (HMM.expect([0, 1, 2]), shares("initial", "transition", "emission", "n_symbols")),
    *((layer, computes) for layer in LAYERS),
    (NETWORK, equal),
    (networks.grid(0.5, 0, 9), equal),
    (QUANTISED, lambda a, b: a.freeze() == b.freeze() and a.report == b.report),
    (QUANTISED.report[0], equal),
    (QUANTISED.freeze(), equal),
    (frozen.NetworkNode("input", (), (1, 1, 2), 0, 9), equal),
]
COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle-{protocol}": lambda x, p=protocol: pickle.loads(pickle.dumps(x, p))
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    },
}


def unfinished():
    encoder = message.RangeEncoder()
    encoder.encode(GAUSSIAN, [1, 2])
    return encoder


def record_file():
    path = os.path.join(tempfile.mkdtemp(), "lines.bbr")
    records.Records.write(path, ["a", "b"], bbans.default_model())
    return records.Records(path)


# What has a state that two cannot go on from.
REFUSING = [
    (record_file(), "open it again"),
    (bbans.open(io.BytesIO(bbans.compress(b"abc"))), "open it again"),
    (unfinished(), "finish it, and copy the message"),
    (message.RangeDecoder(unfinished().finish()), "copy the message"),
]


def public_classes():
    for room in bbans._ROOMS:
        for name in getattr(bbans, room).__all__:
            value = getattr(getattr(bbans, room), name)
            if (
                inspect.isclass(value)
                and not issubclass(value, Exception)
                and not inspect.isabstract(value)
                and not getattr(value, "_is_protocol", False)
            ):
                yield value


def named(examples):
    return pytest.mark.parametrize(
        ("example", "same"), examples, ids=[type(x).__name__ for x, _ in examples]
    )


def test_there_is_an_example_of_each_public_class():
    assert {*public_classes()} == {type(x) for x, _ in [*EXAMPLES, *REFUSING]}


@named([*EXAMPLES, *REFUSING])
def test_an_object_shows_what_it_is(example, same):
    text = repr(example)
    assert type(example).__name__ in text
    assert " object at 0x" not in text
    assert "\n" not in text


@named(EXAMPLES)
@pytest.mark.parametrize("way", COPIES)
def test_a_copy_is_the_same(example, same, way):
    again = COPIES[way](example)
    assert type(again) is type(example)
    assert same(again, example)
    assert same(COPIES[way](again), example)  # copies of copies too
    assert repr(again) == repr(example)


@named(REFUSING)
@pytest.mark.parametrize("way", COPIES)
def test_what_is_half_done_refuses(example, same, way):
    with pytest.raises(TypeError, match=same):
        COPIES[way](example)


def test_a_copied_stream_goes_on_by_itself():
    encoder = buffered()
    copy.copy(encoder).encode_with_indexes([6], [0], *ONE)
    assert encoder.flush() == buffered().flush()
    one = decoder()
    two = copy.copy(one)
    assert one.decode_stream([0], *ONE) == two.decode_stream([0], *ONE) == [5]
    assert one.decode_stream([0], *ONE) == two.decode_stream([0], *ONE) == [9]


def test_a_copied_message_goes_on_by_itself():
    one = started()
    for way in COPIES.values():
        other = way(one)
        other.push(GAUSSIAN, [1, 2])
        assert one == started() != other
