"""A variational autoencoder by bits back: rate against its ELBO, and far draws.

The public VAE of 40 latents for binary MNIST, in floats, over 5000 test images of
--data, 100 a call, through 64 lanes that start from random data. Latents lie on a grid
of 2^-4 to 2^-8; the ELBO is that of the same grid, with the exact masses of its cells.
The excess of a call or a pass over the ELBO scatters with the latents it draws: the
rows are means, and say of how many. All images are also coded to a container, by a
`CodecCoder`.

Then 10^8 draws of posteriors without a leak from random bits: how many are beyond where
the law has a mass. --quick draws 2 * 10^6, and passes over the images once.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from report import Report, parser

import bbans
from bbans import BbansError, Message
from bbans.codecs import BitsBack
from bbans.distributions import (
    Bernoulli,
    Family,
    Gaussian,
    LocationScale,
    Mixture,
    Multivariate,
)
from bbans.formats import ByteCoder, CodecCoder

Floats = NDArray[np.float64]
LANES, IMAGES, PIXELS, LATENTS = 64, 100, 784, 40
DEVIATIONS = [0.1, 2.0, 16.0, 256.0]
WEIGHTS = "vae_weights/craystack_vae_params.npz"
TEST_SET = "images/mnist_t10k_first5000-images-idx3-ubyte.gz"

_erfc = np.vectorize(math.erfc, otypes=[float])


class VAE:
    """The network, with latents in units of 2^-grid."""

    def __init__(self, weights: dict[str, Floats], grid: int) -> None:
        self._weights, self.unit = weights, 2.0**-grid

    def _layer(self, x: Any, name: str) -> Floats:
        out: Floats = x @ self._weights[f"{name}.weight"].T
        return out + self._weights[f"{name}.bias"]

    def encoder(self, x: Any) -> tuple[Floats, Floats]:
        """Means and deviations of the latents, in grid units."""
        hidden = np.maximum(self._layer(x, "fc1"), 0)
        mean, deviation = self._layer(hidden, "fc21"), self._layer(hidden, "fc22")
        return mean / self.unit, np.exp(deviation) / self.unit

    def decoder(self, z: Any) -> Floats:
        """Probabilities of the pixels."""
        logit = self._layer(np.maximum(self._layer(z * self.unit, "fc3"), 0), "fc4")
        out: Floats = np.exp(-np.logaddexp(0, -logit))
        return out

    def codec(self, leak: bool) -> BitsBack:
        """Of IMAGES images, with a posterior that leaks or not."""
        prior = Gaussian(np.zeros((IMAGES, LATENTS)), 1 / self.unit)
        return BitsBack(
            prior,
            lambda z: Bernoulli(self.decoder(z)),
            lambda x: Gaussian(*self.encoder(x), leak=leak),
        )

    def elbo(self, x: Any, draws: int) -> float:
        """Bits per pixel, on the grid."""
        rng, total = np.random.default_rng(1), 0.0
        mean, deviation = self.encoder(x)
        for _ in range(draws):
            z = np.rint(rng.normal(mean, deviation))
            one = self.decoder(z)
            total -= np.log2(np.where(x, one, 1 - one)).sum()
            total += np.log2(cell_mass(z - mean, deviation)).sum()
            total -= np.log2(cell_mass(z, 1 / self.unit)).sum()
        return float(total / (draws * x.size))


def cell_mass(distance: Floats, deviation: Any) -> Floats:
    """The mass of a Gaussian within 1/2 of a distance from its mean."""
    far = np.abs(distance) / (deviation * math.sqrt(2))
    half = 0.5 / (deviation * math.sqrt(2))
    out: Floats = (_erfc(far - half) - _erfc(far + half)) / 2
    return out


def excess(codec: BitsBack, images: Any, seed: int) -> list[float]:
    """Bits per pixel of each call, beside one message."""
    data = np.random.default_rng(seed).bytes(50_000)
    message, calls = Message.seeded(data, LANES), []
    for first in range(0, len(images), IMAGES):
        before = message.bits
        codec.push(message, images[first : first + IMAGES])
        calls.append((message.bits - before) / (IMAGES * PIXELS))
    for first in reversed(range(0, len(images), IMAGES)):
        again = codec.pop(message)
        assert (again == images[first : first + IMAGES]).all()
    assert message.unseed() == data
    return calls


class Blocks:
    """Codes blocks of a container: calls of IMAGES, over data that a reader has too."""

    START = np.random.default_rng(0).bytes(5000)

    def __init__(self, codec: BitsBack) -> None:
        self._codec = codec

    def encode(self, block: Any) -> bytes:
        message = Message.seeded(self.START, LANES)
        for images in block.reshape(-1, IMAGES, PIXELS):
            self._codec.push(message, images)
        return message.to_bytes()

    def decode(self, data: bytes, n: int) -> Any:
        message = Message.from_bytes(data, LANES)
        calls = [self._codec.pop(message) for _ in range(n // (IMAGES * PIXELS))]
        assert message.unseed() == self.START
        return np.concatenate(calls[::-1])


def in_container(rows: Report, name: str, codec: BitsBack, images: Any) -> None:
    coder = CodecCoder("mnist-vae", Blocks(codec))
    packed = bbans.compress(images, coder, block_size=images.size)
    assert (bbans.decompress(packed, coder) == images).all()
    start, bits = len(Blocks.START), 8 / images.size
    rows.add(f"{name}: container", bits * len(packed), "bits/pixel")
    rows.add(f"{name}: of which it starts from", bits * start, "bits/pixel")
    plain = bbans.compress(images, ByteCoder(order=1))
    rows.add(f"{name}: container of bytes, order 1", bits * len(plain), "bits/pixel")


def digits(rows: Report, what: str, pattern: str = TEST_SET) -> NDArray[np.uint8]:
    """Grey images of --data, shape (N, PIXELS); none if they are not there."""
    found = rows.files(pattern, what)
    if not found:
        return np.empty((0, PIXELS), np.uint8)
    raw = gzip.decompress(found[0].read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, PIXELS)


def given_weights(rows: Report, what: str) -> dict[str, Floats]:
    """Those of --data; none if they are not there."""
    found = rows.files(WEIGHTS, what)
    if not found:
        return {}
    with np.load(found[0]) as loaded:
        return {name: loaded[name].astype(np.float64) for name in loaded}


def rates(rows: Report) -> None:
    weights, pixels = given_weights(rows, "the VAE"), digits(rows, "the VAE")
    if not weights or not len(pixels):
        return
    images = (pixels >= 128).astype(np.uint8)
    passes, firsts, draws = (1, 4, 2) if rows.quick else (5, 20, 8)
    for grid in (4, 6, 8):
        vae = VAE(weights, grid)
        every, first = vae.elbo(images, draws), vae.elbo(images[:IMAGES], 50 * draws)
        rows.add(f"grid 2^-{grid}: ELBO", every, "bits/pixel")
        tight = vae.codec(leak=False)
        in_container(rows, f"grid 2^-{grid}", tight, images)
        mean = np.mean([excess(tight, images, seed) for seed in range(passes)])
        rows.add(
            f"grid 2^-{grid}: {len(images)} images over the ELBO, mean of {passes}",
            100 * (float(mean) / every - 1), "%", at_most=0.2,
        )  # fmt: skip
        calls = [excess(tight, images[:IMAGES], seed)[0] for seed in range(firsts)]
        rows.add(
            f"grid 2^-{grid}: first {IMAGES} images over theirs, mean of {firsts}",
            100 * (float(np.mean(calls)) / first - 1), "%", at_most=1.5,
        )  # fmt: skip
        rows.add(
            f"grid 2^-{grid}: first {IMAGES} images over theirs, worst of {firsts}",
            100 * (max(calls) / first - 1), "%",
        )  # fmt: skip
        leaky = np.mean(
            [excess(vae.codec(leak=True), images, s) for s in range(passes)]
        )
        rows.add(
            f"grid 2^-{grid}: {len(images)} images with a leak, mean of {passes}",
            100 * (float(leaky) / every - 1), "%",
        )  # fmt: skip


def one_by_one(deviation: float) -> Any:
    return Multivariate.from_covariance([0.25], [[deviation**2]], leak=False)


def laws() -> dict[str, tuple[float, int, Callable[[int, float], Any]]]:
    """Of each: scales to where its mass ends, how slow it is, and its codec."""

    def located(family: Family) -> Callable[[int, float], Any]:
        return lambda n, sd: LocationScale(family, np.full(n, 0.25), sd)

    def mixed(n: int, sd: float) -> Any:
        at = np.tile([0.25, -0.75], (n, 1))
        return Mixture(Family.gaussian(leak=False), None, at, sd)

    student = Family.student_t(4, leak=False)
    return {
        "Gaussian": (12, 1, located(Family.gaussian(leak=False))),
        "logistic": (24, 1, located(Family.logistic(leak=False))),
        "Laplace": (24, 1, located(Family.laplace(leak=False))),
        "Student t, 4 degrees": (70_000, 1, located(student)),
        "mixture of two Gaussians": (12, 10, mixed),
        "Multivariate": (12, 400, lambda n, sd: one_by_one(sd)),
    }


def far_draws(rows: Report) -> None:
    each = 100_000 if rows.quick else 6_000_000
    for name, (reach, slower, make) in laws().items():
        far = raised = total = 0
        for i, deviation in enumerate(DEVIATIONS):
            left, block = each // slower, 100_000 // slower
            rng = np.random.default_rng(i)
            while left > 0:
                left, total = left - block, total + block
                single = name == "Multivariate"
                message = Message.seeded(rng.bytes(8 * block), 1 if single else LANES)
                codec = make(block, deviation)
                try:
                    drawn = [codec.pop(message) for _ in range(block if single else 1)]
                except BbansError:
                    raised += 1
                    continue
                off = np.abs(np.array(drawn, np.float64) - 0.25)
                far += int((off > reach * deviation + 2).sum())
        rows.add(f"{name}: draws beyond {reach} scales of {total}", far, "", at_most=0)
        rows.add(f"{name}: calls that raise", raised, "", at_most=0)


def main() -> None:
    options = parser(__doc__ or "").parse_args()
    with Report(options) as rows:
        data = bytes(range(256)) * 20
        whole = len(Message.seeded(data, LANES).to_bytes())
        rows.add(f"{LANES} lanes: message over the data", whole - len(data), "bytes")
        rates(rows)
        far_draws(rows)


if __name__ == "__main__":
    main()
