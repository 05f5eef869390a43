"""What the scripts that train with PyTorch share: digits, layers and the loop."""

from __future__ import annotations

import argparse
import gzip
import math
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bbans import networks
from bbans.models import VAE, DeepSSM
from bbans.records import chain, unchain

__all__ = [
    "Layers",
    "arguments",
    "batches",
    "digits",
    "drawn",
    "export",
    "finish",
    "gaussian_nats",
    "mean_rate",
    "split",
    "thresholded",
    "train",
]

_FILES = {
    "train": "mnist_train-images-idx3-ubyte.gz",
    "test": "mnist_t10k_first5000-images-idx3-ubyte.gz",
}
_WARM_UP, _REPORT = 200, 1000  # steps
_RATE = 2e-3  # of learning
_SOME = 1000  # test items of a report
_BATCH = 200  # images
_SPREAD = 64  # of thresholds of a grey level, at first
_OPEN = 0.3  # the first biases of hidden units, so that most begin above 0
_LOG_DEVIATION = (-4.0, 1.0)  # of latents


def arguments(text: str, steps: int | None = None) -> argparse.ArgumentParser:
    """The options that all scripts have.

    Parameters
    ----------
    text : str
        What the script does.
    steps : int, optional
        Of the optimiser, by default.
    """
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the data")
    parser.add_argument("--out", type=Path, required=True, help="OUT.npz, OUT.bbm")
    parser.add_argument("--weights", type=Path, help="trained before: OUT.pt")
    parser.add_argument("--steps", type=int, default=steps, help="of the optimiser")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    return parser


def digits(folder: Path, which: str) -> np.ndarray:
    """MNIST, grey: uint8, shape (N, 28, 28).

    Parameters
    ----------
    folder : Path
        Holds the gzipped files of `_FILES`; of the test set the first 5000 are read.
    which : {"train", "test"}
    """
    with gzip.open(folder / _FILES[which]) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16)
    return pixels.reshape(-1, 28, 28)


def thresholded(images: np.ndarray, seed: int) -> Callable[[float], Tensor]:
    """Batches of 200 images in bits, for `train`.

    Thresholds are drawn about the middle, less and less far from it, so that strokes
    are a little thicker or thinner: it makes more of 60,000 images.
    """
    generator = torch.Generator().manual_seed(seed)
    grey = torch.from_numpy(images.copy())
    order = batches(len(images), _BATCH, generator)

    def batch(done: float) -> Tensor:
        noise = 2 * torch.rand(_BATCH, 1, 1, generator=generator) - 1
        return (grey[next(order)] >= 128 + _SPREAD * (1 - done) * noise).float()

    return batch


class Layers(nn.Module):
    """Dense layers with clipped ReLUs between them, over one input or several.

    Parameters
    ----------
    inputs : tuple of int
        Widths of the inputs; each has weights of its own in the first layer, so that a
        loop over time can apply those of an input that is known beforehand at once.
    *widths : int
        Of the layers, the last of which has no ReLU.
    """

    def __init__(self, inputs: tuple[int, ...], *widths: int) -> None:
        super().__init__()
        self.first = nn.ModuleList(
            nn.Linear(n, widths[0], bias=not i) for i, n in enumerate(inputs)
        )
        self.rest = nn.Sequential()
        for a, b in pairwise(widths):
            self.rest.extend([nn.ReLU6(), nn.Linear(a, b)])
        *hidden, _ = [*self.first, *self.rest[1::2]]
        for layer in hidden:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        with torch.no_grad():
            self.first[0].bias.fill_(_OPEN)

    def forward(self, *inputs: Tensor) -> Tensor:
        total = self.first[0](inputs[0])
        for layer, value in zip(self.first[1:], inputs[1:], strict=True):
            total = total + layer(value)
        return self.rest(total)


# ---- Gaussian latents


def split(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Means, and logarithms of deviations within bounds that the grid resolves."""
    mean, log_deviation = outputs.chunk(2, -1)
    return mean, log_deviation.clamp(*_LOG_DEVIATION)


def drawn(outputs: Tensor, noise: Tensor) -> Tensor:
    """Latents, of standard normal noise."""
    mean, log_deviation = split(outputs)
    return torch.addcmul(mean, log_deviation.exp(), noise)


def gaussian_nats(z: Tensor, outputs: Tensor | None = None) -> Tensor:
    """-log of the density of latents, by default under N(0, 1), without the constant
    that P and Q share; shape (...)."""
    if outputs is None:
        return 0.5 * z.square().sum(-1)
    mean, log_deviation = split(outputs)
    distance = (z - mean) * (-log_deviation).exp()
    return (0.5 * distance.square() + log_deviation).sum(-1)


# ---- to bbans


def export(
    layers: Layers, *, latents: bool = False, clip: tuple[float, float] | None = None
) -> networks.Network:
    """The layers as a float network of bbans.

    Parameters
    ----------
    layers : Layers
    latents : bool
        The outputs are means and logarithms of deviations, as of `split`.
    clip : tuple of float, optional
        Of the outputs.
    """

    def dense(node: networks.Node, layer: nn.Linear) -> networks.Node:
        bias = None if layer.bias is None else layer.bias.detach().numpy()
        return networks.Dense(node, layer.weight.detach().numpy(), bias)

    inputs = [networks.Input(layer.in_features) for layer in layers.first]
    node, *others = map(dense, inputs, layers.first)
    for other in others:
        node = node + other
    for layer in layers.rest:
        relu = isinstance(layer, nn.ReLU6)
        node = networks.Relu(node, 6.0) if relu else dense(node, layer)
    if latents:
        n = node.shape[0] // 2
        log_deviation = networks.Clip(networks.Slice(node, n, n), *_LOG_DEVIATION)
        return networks.Network(inputs, [networks.Slice(node, 0, n), log_deviation])
    return networks.Network(inputs, [networks.Clip(node, *clip) if clip else node])


# ---- the loop


def batches(n: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Endless indices of batches, each of the n items once an epoch."""
    while True:
        order = torch.randperm(n, generator=generator)
        for first in range(0, n - size + 1, size):
            yield order[first : first + size]


def mean_rate(model: nn.Module, x: Tensor, size: int = 500) -> float:
    """The mean of `model`, which gives the rate of each item, with fixed noise."""
    model.eval()
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(1)
        rate = torch.cat([model(part) for part in x.split(size)]).mean().item()
    model.train()
    return rate


def train(
    model: nn.Module,
    batch: Callable[[float], Tensor],
    test: Tensor,
    options: argparse.Namespace,
) -> None:
    """Train, unless there are weights of before, and print what the model takes.

    Parameters
    ----------
    model : Module
        Gives of a batch the bits per dimension that bits back takes, an item each.
    batch : callable
        Gives a batch, of the part of the training that is done.
    test : Tensor
        For reports, which decide nothing.
    options : Namespace
        Of `arguments`: weights trained before are loaded in place of training; else
        OUT.pt keeps those of the last report.
    """
    torch.set_num_threads(options.threads)
    if options.weights:
        model.load_state_dict(torch.load(options.weights))
    else:
        _optimise(model, batch, test[:_SOME], options)
    print(f"test, {len(test)} items in floats: {mean_rate(model, test):.5f} bits/dim")


def _optimise(
    model: nn.Module,
    batch: Callable[[float], Tensor],
    test: Tensor,
    options: argparse.Namespace,
) -> None:
    """AdamW, whose rate falls to 0 as a cosine."""
    steps = options.steps
    optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda step: (
            min(1, (step + 1) / _WARM_UP)
            * (0.5 + 0.5 * math.cos(math.pi * min(step / steps, 1)))
        ),
    )
    weights = sum(p.numel() for p in model.parameters())
    print(f"{weights} weights, {steps} steps", flush=True)
    start, mean = time.monotonic(), math.nan
    for step in range(steps):
        loss = model(batch(step / steps)).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        mean = loss.item() if math.isnan(mean) else 0.98 * mean + 0.02 * loss.item()
        if (step + 1) % _REPORT == 0 or step + 1 == steps:
            seconds, tested = time.monotonic() - start, mean_rate(model, test)
            print(
                f"step {step + 1}, {seconds:.0f} s: training {mean:.5f}, "
                f"test {tested:.5f} bits/dim",
                flush=True,
            )
            torch.save(model.state_dict(), options.out.with_suffix(".pt"))


def finish(
    float_model: VAE | DeepSSM,
    calibration: np.ndarray,
    sequences: np.ndarray,
    options: argparse.Namespace,
    grid: int,
) -> None:
    """Store the model in floats and frozen; code the test set as one message.

    Parameters
    ----------
    float_model : VAE or DeepSSM
        As trained.
    calibration : ndarray of int
        Of the training data, for `freeze`.
    sequences : ndarray of int, shape (N, T, width)
        The test set.
    options : Namespace
        Of `arguments`.
    grid : int
        Latents are integers, in steps of ``2**-grid``.
    """
    float_model.save(options.out.with_suffix(".npz"))
    frozen = float_model.freeze(calibration, grid=grid)
    frozen.save(options.out.with_suffix(".bbm"))
    size = options.out.with_suffix(".bbm").stat().st_size
    start = time.monotonic()
    n, length, _ = sequences.shape
    data = chain(sequences, frozen) if n > 1 else frozen.encode(sequences[0])
    middle = time.monotonic()
    if n > 1:
        decoded = unchain(data, [length] * n, frozen)
    else:
        decoded = [frozen.decode(data, length)]
    end = time.monotonic()
    assert np.array_equal(decoded, sequences)
    print(
        f"frozen, {size} bytes; the test set in one message of {len(data)} bytes: "
        f"{8 * len(data) / sequences.size:.5f} bits/dim, {middle - start:.1f} s to "
        f"encode and {end - middle:.1f} s to decode"
    )
