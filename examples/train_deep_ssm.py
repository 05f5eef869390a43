"""Train a deep state space model of digits, 28 rows of 28 bits each, and freeze it.

    python examples/train_deep_ssm.py --data DIR --out digits_deep_ssm

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
    thresholded,
    train,
)

from bbans.frozen import Head
from bbans.models import DeepSSM

ROW, LATENTS, STATE, HIDDEN = 28, 12, 192, 192


class StateSpace(nn.Module):
    """The networks of a deep state space model, and its bound.

    Parameters
    ----------
    width : int
        Values of an observation.
    outputs : int
        Of the likelihood.
    latents, state, hidden : int
        Widths of z_t, of h_t, and of the networks' hidden layers.
    low : float
        States are clipped to low .. 1.
    """

    def __init__(
        self,
        width: int,
        outputs: int,
        latents: int,
        state: int,
        hidden: int,
        low: float = 0.0,
    ) -> None:
        super().__init__()
        self.low = low
        self.update = Layers((width, state), state)
        self.prior = Layers((latents,), hidden, 2 * latents)
        self.likelihood = Layers((latents, state), hidden, outputs)
        self.posterior = Layers((state, latents), hidden, 2 * latents)

    def observed(self, outputs: Tensor, x: Tensor) -> Tensor:
        """-log P(x_t | z_t, h_t-1) in nats of each observation; time first."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Bits per dimension of each sequence under bits back, of latents drawn."""
        x = x.transpose(0, 1)  # time first, here and below
        steps, items, _ = x.shape
        h = [x.new_zeros(items, self.update.first[1].in_features)]
        for seen in self.update.first[0](x):
            h.append((seen + self.update.first[1](h[-1])).clamp(self.low, 1))
        states = torch.stack(h)
        # Backwards, as the posterior of z_t is given z_t+1.
        seen = self.posterior.first[0](states[1:])
        z_next = x.new_zeros(items, self.posterior.first[1].in_features)
        noise = torch.randn(steps, *z_next.shape)
        z, posterior = [], []
        for t in reversed(range(steps)):
            first = seen[t] + self.posterior.first[1](z_next)
            posterior.append(self.posterior.rest(first))
            z_next = drawn(posterior[-1], noise[t])
            z.append(z_next)
        z, posterior = torch.stack(z[::-1]), torch.stack(posterior[::-1])
        nats = self.observed(self.likelihood(z, states[:-1]), x).sum(0)
        nats = nats + gaussian_nats(z[1:], self.prior(z[:-1])).sum(0)
        nats = nats + gaussian_nats(z[0]) - gaussian_nats(z, posterior).sum(0)
        return nats / (x[:, 0].numel() * math.log(2))

    def exported(self, head: Head, step: float = 1.0) -> DeepSSM:
        """The float model that `freeze` takes."""
        return DeepSSM(
            export(self.update, clip=(self.low, 1.0)),
            export(self.prior, latents=True),
            export(self.likelihood),
            export(self.posterior, latents=True),
            head=head,
            step=step,
        )


class Digits(StateSpace):
    """A row of bits at a time, from the top."""

    def __init__(self) -> None:
        super().__init__(ROW, ROW, LATENTS, STATE, HIDDEN)

    def observed(self, outputs: Tensor, x: Tensor) -> Tensor:
        return binary_cross_entropy_with_logits(outputs, x, reduction="none").sum(-1)


def main(options: Namespace) -> None:
    torch.manual_seed(options.seed)
    images, test = digits(options.data, "train"), digits(options.data, "test")
    test = (test >= 128).astype(np.uint8)
    model = Digits()
    batch = thresholded(images, options.seed)
    train(model, batch, torch.from_numpy(test).float(), options)
    calibration = (images[:1000] >= 128).astype(np.uint8)
    finish(model.exported(Head.bernoulli(ROW)), calibration, test, options, grid=4)


if __name__ == "__main__":
    main(arguments(__doc__, steps=6000).parse_args())
