"""Networks, and the models that are made of them, do not depend on kernels, on what
else is in a batch, or on threads. tests/vectors has the same for other machines."""

import os
import subprocess
import sys

import numpy as np
import pytest
from shared import ISAS

from bbans import networks as nn
from bbans.frozen import Head
from bbans.models import VAE, DeepSSM
from bbans.records import decode_batch, encode_batch

N, PIXELS, LATENTS, STATE = 100, 75, 6, 20


def weights(*shape):
    """At random, of outputs of deviation 1."""
    fan_in = np.prod(shape[1:])
    return np.random.default_rng(shape).normal(size=shape) / fan_in**0.5


def dense(node, n):
    return nn.Dense(node, weights(n, node.shape[-1]))


def layers(inputs, n):
    """A layer of 33 units over these inputs, and one of n."""
    nodes = [nn.Input(size) for size in inputs]
    return nn.Network(nodes, [dense(nn.Relu(dense(nn.Concat(*nodes), 33), 4.0), n)])


def convolutions():
    x = nn.Input((9, 7, 3))
    first = nn.Relu(nn.Conv2d(x, weights(8, 3, 3, 3), stride=2, padding=1))
    second = nn.Conv2d(first, weights(12, 3, 3, 8), padding=1)
    network = nn.Network([x], [nn.PixelShuffle(second, 2), first])
    calibration = grey(10) / 255
    units = [nn.grid(1 / 255, 0, 255)], [nn.logit(), nn.grid(0.01, 0, 1000)]
    return network.quantise(calibration, inputs=units[0], outputs=units[1]).freeze()


@pytest.fixture(scope="module")
def network():
    return convolutions()


@pytest.fixture(scope="module")
def vae():
    x, z = nn.Input(PIXELS), nn.Input(LATENTS)
    encoder = nn.Network([x], [dense(nn.Relu(dense(x, 33), 4.0), 2 * LATENTS)])
    decoder = nn.Network([z], [dense(nn.Relu(dense(z, 33), 4.0), PIXELS)])
    return VAE(decoder, encoder, head=Head.bernoulli(PIXELS)).freeze(images())


@pytest.fixture(scope="module")
def deep():
    n, m = LATENTS, STATE
    model = DeepSSM(
        layers((PIXELS, m), m),
        layers((n,), 2 * n),
        layers((n, m), PIXELS),
        layers((m, n), 2 * n),
        head=Head.bernoulli(PIXELS),
    )
    return model.freeze(images().reshape(10, 10, PIXELS))


def grey(n):
    return np.random.default_rng(2).integers(0, 256, (n, 9, 7, 3))


def images():
    return np.random.default_rng(1).integers(0, 2, (N, PIXELS))


def test_outputs_of_items_do_not_depend_on_the_others(network, isa):
    x = grey(N)
    whole = network(x)
    for threads in (1, 2):
        for size in (1, 7, N):
            parts = [
                network(x[i : i + size], threads=threads) for i in range(0, N, size)
            ]
            for k, output in enumerate(whole):
                joined = np.concatenate([part[k] for part in parts])
                assert np.array_equal(joined, output)


@pytest.mark.parametrize("name", ["vae", "deep"])
@pytest.mark.parametrize("size", [1, 7, N])
def test_messages_do_not_depend_on_the_batch(name, size, isa, request):
    model, x = request.getfixturevalue(name), images()
    sequences = [x[i : i + 10] for i in range(size)]
    messages = [model.encode(part) for part in sequences]
    for threads in (1, 2):
        data, offsets = encode_batch(sequences, model, threads=threads)
        assert data == b"".join(messages)
        lengths = [len(part) for part in sequences]
        again = decode_batch(data, offsets, lengths, model, threads=threads)
        assert all(map(np.array_equal, again, sequences))


SCRIPT = """
import sys
import numpy as np
import bbans
from bbans._lib import ffi, lib
model = bbans.load_model(sys.argv[1])
x = np.random.default_rng(1).integers(0, 2, (100, model.width))
data = model.encode(x)
assert np.array_equal(model.decode(data, len(x)), x)
isa = lib.bbans_isa_use(lib.BBANS_ISA_BEST)
print(ffi.string(lib.bbans_isa_name(isa)).decode(), data.hex())
"""


@pytest.mark.parametrize("name", ["vae", "deep"])
def test_every_set_of_kernels_gives_the_same_bytes(name, request, tmp_path):
    model = request.getfixturevalue(name)
    model.save(tmp_path / "model.bbm")
    for isa in ISAS:
        done = subprocess.run(
            [sys.executable, "-I", "-c", SCRIPT, tmp_path / "model.bbm"],
            env={**os.environ, "BBANS_CPU": isa},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [isa, model.encode(images()).hex()]
