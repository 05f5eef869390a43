"""A model of your own: counts that follow a hidden level; a recurrent posterior."""

import numpy as np

import bbans
from bbans.codecs import Iconoclasm
from bbans.distributions import Categorical, Table

LEVELS, COUNTS, HIDDEN = 8, 10, 4


class Recurrent:
    """z_t walks among 8 levels; x_t is 0 .. 9, most likely near z_t. The posterior
    Q(z_t | x_1 .. x_t, z_t+1) is approximate: a softmax of what a recurrent state
    remembers and of z_t+1. All of it holds for arrays too, of many sequences."""

    def __init__(self):
        near = -0.8 * np.abs(np.subtract.outer(np.arange(LEVELS), np.arange(LEVELS)))
        seen = -0.5 * np.abs(np.subtract.outer(np.arange(COUNTS), np.arange(LEVELS)))
        self.near, self.seen = near, seen  # their rows: z_t+1, and x_t
        self.first = Table.from_masses(np.ones(LEVELS))
        self.walk = Table.from_masses(np.exp(near))
        self.emit = Table.from_masses(np.exp(seen.T))

    def prior(self, z):
        return Categorical(self.first) if z is None else Categorical(self.walk, z)

    def likelihood(self, z):
        return Categorical(self.emit, z)

    def update(self, h, x):  # the recurrent state: evidence that fades
        return self.seen[x] + (0 if h is None else 0.7 * h)

    def posterior(self, h, z_next):
        logits = h if z_next is None else h + self.near[z_next]
        return Categorical.from_masses(np.exp(logits))


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    level = np.clip(3 + np.cumsum(rng.integers(-1, 2, (300, 64)), 0), 0, LEVELS - 1)
    counts = np.clip(level + rng.integers(-1, 2, (300, 64)), 0, COUNTS - 1)
    one = counts[:, 0].tolist()
    print(bbans.check_model(one, Recurrent()))
    message = bbans.Message.from_bytes(rng.bytes(100) + b"\1")  # other data: start-up
    codec = Iconoclasm(Recurrent(), len(one))
    codec.push(message, one)
    assert codec.pop(message) == one

    message = bbans.Message.seeded(rng.bytes(2000), lanes=64)
    codec = Iconoclasm(Recurrent(), *counts.shape)  # 64 sequences side by side
    codec.push(message, counts)
    assert (codec.pop(message) == counts).all()
