"""A hyperprior, as neural image codecs have it, that codes the same bytes everywhere.

    python examples/hyperprior.py [--state STATE.npz]

Such a codec rounds a transform of the image to integers y, and says in side
information z what the deviations of y are: h_s(z), a network. Encoder and decoder must
find the same deviations, bit for bit, whatever their machines and batches. So h_s
becomes integers here: from a state_dict of PyTorch, by name, and without PyTorch. By
default its weights are drawn, and so are y and z: this shows that bytes agree, not what
rate a trained codec has.

References: Balle et al., arXiv 1802.01436; Balle, Johnston, Minnen, ICLR 2019.
"""

from __future__ import annotations

import argparse

import numpy as np

import bbans
from bbans import networks as nn
from bbans.distributions import Categorical, Gaussian, Table

SIDE, LATENTS = 24, 32  # channels of z and of y
LOW, HIGH = -7, 7  # of z
IMAGES, HEIGHT, WIDTH = 7, 4, 6  # maps of z; those of y are four times as high and wide


def state_dict(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Arrays as of torch.nn.Sequential(ConvTranspose2d, ReLU, ConvTranspose2d, ReLU,
    Conv2d).state_dict()."""
    shapes = {
        "0": (SIDE, SIDE, 5, 5),  # transposed: in, out, height, width
        "2": (SIDE, SIDE, 5, 5),
        "4": (LATENTS, SIDE, 3, 3),
    }
    state = {}
    for name, shape in shapes.items():
        deviation = (4 if name != "4" else 0.5) / np.prod(shape[1:])
        state[f"{name}.weight"] = rng.normal(size=shape) * deviation**0.5
        state[f"{name}.bias"] = rng.normal(size=SIDE if name != "4" else LATENTS) / 4
    return state


def hyper_synthesis(state: dict[str, np.ndarray], z: np.ndarray) -> nn.QuantisedNetwork:
    """From z to the logarithms of deviations of y, in integers of 8 bits.

    Parameters
    ----------
    state : dict of ndarray
        Its `state_dict`.
    z : ndarray of int, shape (N, height, width, SIDE)
        On which ranges within the network are measured.
    """

    def forward(layers, x):  # the module's forward, with its settings
        twice = {"stride": 2, "padding": 2, "output_padding": 1, "transposed": True}
        x = nn.Relu(layers("0", x, **twice))
        x = nn.Relu(layers("2", x, **twice))
        return layers("4", x, padding=1)

    network = nn.from_state_dict(state, forward, (SIDE, *z.shape[1:3]))
    return network.quantise(z, inputs=[nn.grid(1, LOW, HIGH)], outputs=[nn.scale(1.0)])


def zero_mean(scales: np.ndarray) -> Gaussian:
    """The law of integers whose deviations are 2^(scales / 256)."""
    return Gaussian(np.zeros(scales.shape, np.int64), scales)


class Hyperprior:
    """A codec of (z, y): z under a histogram of each channel, y under Gaussians.

    Parameters
    ----------
    network : FrozenNetwork
    masses : ndarray of float, shape (SIDE, HIGH - LOW + 1)
    """

    def __init__(self, network, masses: np.ndarray) -> None:
        self.network, self.table = network, Table.from_masses(masses)

    def side(self, shape: tuple[int, ...]) -> Categorical:
        """The law of z - LOW."""
        return Categorical(self.table, np.broadcast_to(np.arange(SIDE), shape))

    def latents(self, z: np.ndarray) -> Gaussian:
        """The law of y given z."""
        return zero_mean(self.network(z))

    def push(self, message: bbans.Message, z: np.ndarray, y: np.ndarray) -> None:
        message.push(self.latents(z), y)
        message.push(self.side(z.shape), z - LOW)

    def pop(self, message: bbans.Message, shape: tuple[int, ...]):
        z = message.pop(self.side(shape)).astype(np.int64) + LOW
        return z, message.pop(self.latents(z))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", help="an .npz of the state_dict, by the same names")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    state = dict(np.load(options.state)) if options.state else state_dict(rng)
    masses = np.exp(-np.abs(np.arange(LOW, HIGH + 1)) / rng.uniform(0.5, 2, (SIDE, 1)))
    masses /= masses.sum(axis=1, keepdims=True)
    z = np.stack(
        [rng.choice(HIGH + 1 - LOW, (IMAGES, HEIGHT, WIDTH), p=p) for p in masses], -1
    )
    z += LOW
    quantised = hyper_synthesis(state, z)
    print(*quantised.report, sep="\n")
    codec = Hyperprior(quantised.freeze(), masses)
    deviations = np.exp2(codec.network(z) / 256)
    y = np.rint(rng.normal(size=deviations.shape) * deviations).astype(np.int64)

    # The network runs on one image at a time, then on all; each is its own message.
    alone = []
    for image in zip(z, y, strict=True):
        message = bbans.Message()
        codec.push(message, *image)
        alone.append(message.to_bytes())
    scales = codec.network(z)
    for k, data in enumerate(alone):
        message = bbans.Message()
        message.push(zero_mean(scales[k]), y[k])
        message.push(codec.side(z[k].shape), z[k] - LOW)
        assert message.to_bytes() == data
        message = bbans.Message.from_bytes(data)
        decoded = codec.pop(message, z[k].shape)
        assert all(map(np.array_equal, decoded, (z[k], y[k])))
    bits = np.array([8 * len(data) for data in alone]) / y[0].size
    print(f"{IMAGES} images, {bits.mean():.3f} bits per latent")
    print(f"the same bytes for batches of 1 and {IMAGES}")
    # All layers are convolutions, so images of any size will do.
    larger = codec.network.with_shape(2 * HEIGHT, WIDTH)
    print(f"the network, {len(codec.network.to_bytes())} bytes, takes other sizes too:")
    print(f"{larger.inputs} to {larger.outputs}")


if __name__ == "__main__":
    main()
