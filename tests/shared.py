"""What test files share: the kernels of this machine, models and messages at random,
and frozen models as the reference has them."""

import importlib.util
import io
import math
import sys
from pathlib import Path

import numpy as np
import reference as ref
from hypothesis import strategies as st

from bbans import LGSSM, VAE, Alphabet, DeepSSM, Message, MultivariateGaussianHMM
from bbans import networks as nn
from bbans._lib import ffi, lib
from bbans._records import uvarint
from bbans.distributions import quantise
from bbans.frozen import (
    FrozenContextMixer,
    FrozenFactorialHMM,
    FrozenHierarchicalHMM,
    FrozenTree,
    Head,
)
from bbans.models import HMM
from bbans.models.freeze_hmm import frozen_hmm

ROOT = Path(__file__).resolve().parents[1]


def program(path):
    """A program of the checkout, which is no part of the package, as a module."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look
    spec.loader.exec_module(module)
    return module


# The instruction sets that this machine and build have.
ISAS = {
    ffi.string(name).decode(): isa
    for isa in range(lib.BBANS_ISA_BEST)
    if (name := lib.bbans_isa_name(isa))
}


def random_parameters(K, M, concentration=1.0, seed=0):
    """The initial, transition and emission probabilities of an HMM."""
    hmm = HMM.random(K, M, concentration=concentration, seed=seed)
    return hmm.initial, hmm.transition, hmm.emission


ALL_BYTES = Alphabet(256, kind="bytes")


def byte_hmm(K, seed=0):
    """A float HMM of bytes."""
    return HMM(*random_parameters(K, 256, seed=seed), alphabet=ALL_BYTES)


def random_hmm(K, symbols, *, concentration=1.0, seed=0, prec=16):
    """A frozen HMM; `symbols` is all that `Alphabet` takes: how many, or which."""
    alphabet = symbols if isinstance(symbols, Alphabet) else Alphabet(symbols)
    return frozen_hmm(
        *random_parameters(K, alphabet.size, concentration, seed),
        prec=prec,
        alphabet=alphabet,
    )


def random_hierarchy(sizes, n_symbols, *, concentration=1.0, seed=0, prec=16):
    """A frozen model of levels with so many states, the lowest first."""
    rng = np.random.default_rng(seed)

    def rows(*shape):
        n = shape[-1]
        mass = rng.dirichlet(np.full(n, concentration), shape[:-1]) + 1e-12
        return quantise(mass.reshape(-1, n), prec).reshape(shape)

    above = [(n,) for n in sizes[1:]] + [()]
    return FrozenHierarchicalHMM(
        [rows(*up, n) for up, n in zip(above, sizes, strict=True)],
        [rows(*up, n, n) for up, n in zip(above, sizes, strict=True)],
        rows(sizes[0], n_symbols),
        prec=prec,
        start_length=40,
    )


def random_factorial(sizes, n_symbols, *, concentration=1.0, seed=0, prec=16):
    """A frozen model of chains with so many states."""
    rng = np.random.default_rng(seed)

    def rows(*shape):
        mass = rng.dirichlet(np.full(shape[-1], concentration), shape[:-1]) + 1e-12
        return quantise(mass, prec)

    return FrozenFactorialHMM(
        [rows(n) for n in sizes],
        [rows(n, n) for n in sizes],
        rows(math.prod(sizes), n_symbols),
        prec=prec,
        start_length=40,
    )


def random_vectors(K, D, seed, full=True, least=1.0):
    """A hidden Markov model of vectors, whose states last a while."""
    rng = np.random.default_rng(seed)
    roots = rng.standard_normal((K, D, D)) * full
    cov = 9 * roots @ roots.transpose(0, 2, 1)
    cov += np.eye(D) * least**2 * rng.uniform(1, 4, (K, 1, D))
    return MultivariateGaussianHMM(
        rng.dirichlet(np.ones(K)),
        0.9 * np.eye(K) + 0.1 * rng.dirichlet(np.ones(K), K),
        rng.normal(0, 30, (K, D)),
        cov,
        covariance_type="full" if full else "diag",
    )


def random_lgssm(n, p, seed, steps=None, scale=3.0):
    rng = np.random.default_rng(seed)

    def each(make):
        return make() if steps is None else np.array([make() for _ in range(steps)])

    def covariance(size):
        root = rng.normal(size=(size, size))
        return root @ root.T + 0.1 * np.eye(size)

    def transition():
        A = rng.normal(size=(n, n))
        return A * (0.95 / np.abs(np.linalg.eigvals(A)).max())

    return LGSSM(
        each(transition),
        each(lambda: rng.normal(size=(p, n)) * scale),
        each(lambda: covariance(n)),
        each(lambda: covariance(p) * scale**2),
        rng.normal(size=n),
        covariance(n),
        each(lambda: rng.normal(size=n)),
        each(lambda: rng.normal(size=p) * 10),
    )


def in_mode(model, predictive):
    """A frozen model in one of its two modes."""
    return model.with_mode("predictive" if predictive else "iconoclasm")


def reference_of(model):
    """A frozen HMM as the reference has it."""
    tables = (model.initial, model.transition, model.emission)
    return ref.HMM(*(t.tolist() for t in tables), model.prec, model.start_length)


def random_message(lanes, seed, words=1000):
    rng = np.random.default_rng(seed)
    heads = rng.integers(1 << 31, 1 << 63, lanes, np.uint64)
    return Message.from_state(heads, rng.integers(0, 1 << 32, words, np.uint64))


# ---- latent trees


def integer_masses(probabilities, total, least):
    """Rows of integers of that sum, near the probabilities, none below `least`."""
    free = total - least * probabilities.shape[-1]
    masses = least + np.floor(probabilities * free).astype(np.int64)
    largest = probabilities.argmax(-1)[..., None]
    rest = total - masses.sum(-1, keepdims=True)
    values = np.take_along_axis(masses, largest, -1) + rest
    np.put_along_axis(masses, largest, values, -1)
    return masses


def random_tree(n, K, sizes, *, seed, concentration=0.3, prec=16, **options):
    """A frozen tree of n nodes whose columns have alphabets of these sizes."""
    rng = np.random.default_rng(seed)
    parents, way = [-1], [0]
    for i in range(1, n):
        way = way[: len(way) - rng.integers(len(way))]
        parents.append(int(way[-1]))
        way.append(i)
    variables = np.full(n, -1)
    variables[rng.permutation(n)[: len(sizes)]] = np.arange(len(sizes))

    def rows(*shape, total=1 << 15, least=1):
        alpha = np.full(shape[-1], concentration)
        return integer_masses(rng.dirichlet(alpha, shape[:-1]), total, least)

    transitions = rows(n - 1, K, K)
    if K > 2:  # some without mass
        last, first = transitions[..., -1], transitions[..., 0]
        moved = np.where(first + last < 1 << 14, last, 0)
        transitions[..., 0] += moved
        transitions[..., -1] -= moved
    emissions = [rows(K, M, total=1 << prec) for M in sizes]
    return FrozenTree(
        parents, variables, rows(K), transitions, emissions, prec=prec, **options
    )


def random_mixer(seed=0, places=64, full=0.6, **options):
    """A context mixer whose prior knows nothing of any data."""
    rng = np.random.default_rng(seed)
    row = np.full((places, 16), 2048 << 4)
    seen = rng.random((places, 16)) < 0.6
    for k in range(1, 16):  # nodes below others
        seen[:, k] &= k == 1 or seen[:, k // 2]
    slots = rng.integers(0, 4096, row.shape) << 4 | rng.integers(1, 16, row.shape)
    row[seen] = slots[seen]
    row[:, 0] = rng.integers(1, 2**16, places)
    row[rng.random(places) >= full] = 0
    return FrozenContextMixer(
        row,
        rng.integers(1000, 5000, (688, 16)),
        slots.ravel()[:80].reshape(2, 40),
        **options,
    )


# ---- models made of networks

# One head of each law, and one of a single integer.
HEADS = [
    Head.bernoulli(6),
    Head.categorical(3, 5),
    Head.mixture(4, 2, -20, 300),
    Head.mixture(2, 3, 0, 255, "laplace"),
    Head.beta_binomial(3, 20),
    Head.bernoulli(1),
]


def random_network(inputs, outputs, rng):
    """A float network of one hidden layer, from and to vectors."""
    given = [nn.Input(n) for n in inputs]
    joined = nn.Concat(*given) if given[1:] else given[0]
    n = sum(inputs)
    hidden = nn.Relu(nn.Dense(joined, rng.normal(size=(12, n)) / n**0.5))
    weight = rng.normal(size=(outputs, 12)) / 12
    return nn.Network(given, [nn.Dense(hidden, weight, rng.normal(size=outputs) / 9)])


def random_vae(head, latents, order="markov", *, seed):
    """A float VAE with so many latents on each level."""
    rng, levels, n = np.random.default_rng(seed), len(latents), latents
    markov, p = order == "markov", head.width
    return VAE(
        random_network(n[:1] if markov else n[::-1], head.outputs, rng),
        [
            random_network(
                ([p, *n][i : i + 1] if markov else [p, *n[:i:-1]]), 2 * n[i], rng
            )
            for i in range(levels)
        ],
        [
            random_network(n[i + 1 : i + 2] if markov else n[:i:-1], 2 * n[i], rng)
            for i in range(levels - 1)
        ],
        head=head,
        order=order,
        step=1 / head.high,
    )


def convolutional_vae(*, seed):
    """A float VAE of images of 8 x 8 bits: maps of 4 x 4 x 2 latents, and 2 x 2 x 1."""
    rng = np.random.default_rng(seed)

    def conv(a, channels, size, **how):
        weight = rng.normal(size=(channels, size, size, a.shape[2])) / 3
        return nn.Conv2d(a, weight, rng.normal(size=channels) / 9, **how)

    def down(shape, channels):
        x = nn.Input(shape)
        h = nn.Relu(conv(x, 5, 3, stride=2, padding=1))
        return nn.Network([x], [conv(h, channels, 1), conv(h, channels, 1)])

    def up(shape, channels):
        z = nn.Input(shape)
        h = nn.PixelShuffle(nn.Relu(conv(z, 12, 3, padding=1)), 2)
        return nn.Network([z], [conv(h, n, 1) for n in channels])

    return VAE(
        up((4, 4, 2), [1]),
        [down((8, 8, 1), 2), down((4, 4, 2), 1)],
        [up((2, 2, 1), [2, 2])],
        head=Head.bernoulli(64),
    )


def random_deep_ssm(head, n, m, *, seed):
    """A float deep state space model of n latents and m numbers of recurrent state."""
    rng, p = np.random.default_rng(seed), head.width
    return DeepSSM(
        random_network([p, m], m, rng),
        random_network([n], 2 * n, rng),
        random_network([n, m], head.outputs, rng),
        random_network([m, n], 2 * n, rng),
        head=head,
        step=1 / head.high,
    )


def random_observations(head, n, *, seed):
    """Rows of integers, all alike."""
    rng = np.random.default_rng(seed)
    return rng.integers(head.low, head.high + 1, (n, head.width), np.int32)


class Counting(io.BytesIO):
    """A file that counts what is read of it."""

    n_read = 0

    def read(self, size=-1):
        data = super().read(size)
        self.n_read += len(data)
        return data


# ---- graphs


@st.composite
def graph_orders(draw):
    """A graph of up to 6 nodes, and a valid order of its pops and pushes."""
    size = draw(st.integers(1, 6))
    parents = {
        i: draw(st.lists(st.integers(0, i - 1), unique=True, max_size=2)) if i else []
        for i in range(size)
    }
    latent = [i for i in range(size) if draw(st.booleans())]
    unpopped, unpushed, order = set(latent), set(range(size)), []
    while unpushed:
        steps = [("pop", z) for z in sorted(unpopped)] + [
            ("push", v)
            for v in sorted(unpushed)
            if not unpopped & {v, *parents[v]}
            and not any(v in parents[child] for child in unpushed)
        ]
        action, node = draw(st.sampled_from(steps))
        order.append((action, node))
        (unpopped if action == "pop" else unpushed).discard(node)
    return parents, latent, order


def name_in_c(model):
    """The fingerprint of a ``bbans_model``."""
    name = ffi.new("uint8_t[8]")
    assert lib.bbans_model_fingerprint(model, name) == 0
    return bytes(name)


def too_long_a_table():
    """The bytes of a table, and its block: columns that are each no longer than it, and
    together are, before one of a form that is not known."""
    rows, size = 10, 1000
    word = b"w" * 99 + b"\n"
    words = uvarint(1) + 2 * uvarint(len(word)) + word
    same = b"\2" + uvarint(1) + b"\4" + uvarint(0) + b"\4" + uvarint(2 * rows)
    head = uvarint(rows) + uvarint(3) + b",\0" + 2 * uvarint(0)
    return size, head + 2 * (b"\1" + words + same) + b"\xff"
