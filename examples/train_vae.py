"""Train a VAE of thresholded MNIST digits, of one level or two, and freeze it.

    python examples/train_vae.py --data DIR --out digits_vae
    python examples/train_vae.py --data DIR --out digits_two_levels --levels 2

examples/README.md has the rates and the times.
"""

from __future__ import annotations

import math
from argparse import Namespace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from training import (
    Layers,
    arguments,
    digits,
    drawn,
    export,
    finish,
    gaussian_nats,
    split,
    thresholded,
    train,
)

from bbans.frozen import Head
from bbans.models import VAE

PIXELS = 784
LATENTS = 40, 16  # of level 1, next to the image, and of level 2
HIDDEN = 140, 128  # units of the networks about level 1, and between the levels
STEPS = {1: 40_000, 2: 35_000}  # by levels: they take the same time


class Digits(nn.Module):
    """Two levels are a Markov chain: z_2, z_1 given z_2, the image given z_1."""

    def __init__(self, levels: int) -> None:
        super().__init__()
        n, m = HIDDEN
        self.likelihood = Layers((LATENTS[0],), n, n, PIXELS)
        self.posteriors = nn.ModuleList([Layers((PIXELS,), n, n, 2 * LATENTS[0])])
        self.priors = nn.ModuleList()
        if levels == 2:
            self.posteriors.append(Layers((LATENTS[0],), m, 2 * LATENTS[1]))
            self.priors.append(Layers((LATENTS[1],), m, 2 * LATENTS[0]))

    def forward(self, x: Tensor) -> Tensor:
        """Bits per dimension of each image under bits back, of latents drawn."""
        x, z, outputs = x.flatten(1), [], []
        for posterior in self.posteriors:
            outputs.append(posterior(z[-1] if z else x))
            z.append(drawn(outputs[-1], torch.randn_like(split(outputs[-1])[0])))
        # The highest level against N(0, 1): an integral that is known.
        mean, log_deviation = split(outputs[-1])
        square = mean.square() + (2 * log_deviation).exp() - 1
        nats = (0.5 * square - log_deviation).sum(1)
        for level, prior in enumerate(self.priors):
            nats = nats + gaussian_nats(z[level], prior(z[level + 1]))
            nats = nats - gaussian_nats(z[level], outputs[level])
        logits = self.likelihood(z[0])
        pixels = binary_cross_entropy_with_logits(logits, x, reduction="none")
        return (nats + pixels.sum(1)) / (PIXELS * math.log(2))

    def exported(self) -> VAE:
        """The float model that `freeze` takes."""
        return VAE(
            export(self.likelihood),
            [export(layers, latents=True) for layers in self.posteriors],
            [export(layers, latents=True) for layers in self.priors],
            head=Head.bernoulli(PIXELS),
        )


def main(options: Namespace) -> None:
    torch.manual_seed(options.seed)
    images, test = digits(options.data, "train"), digits(options.data, "test")
    test = (test >= 128).astype(np.uint8)
    model = Digits(options.levels)
    batch = thresholded(images, options.seed)
    train(model, batch, torch.from_numpy(test).float(), options)
    calibration = (images[:1000] >= 128).astype(np.uint8)
    sequence = test.reshape(1, -1, PIXELS)  # a step is an image
    finish(model.exported(), calibration, sequence, options, grid=8)


if __name__ == "__main__":
    parser = arguments(__doc__)
    parser.add_argument("--levels", type=int, choices=(1, 2), default=1)
    options = parser.parse_args()
    options.steps = options.steps or STEPS[options.levels]
    main(options)
