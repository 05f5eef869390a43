"""Stochastic volatility: returns whose scale wanders. There is no exact filter; one of
particles codes them, in integers alone."""

import numpy as np

from bbans import Message
from bbans.distributions import Gaussian


class StochasticVolatility:
    """z_t = 0.97 z_t-1 + noise, x_t normal with the scale 8 * 2**(z_t / 256).

    A state is a logarithm of the volatility, to the base 2 and in units of 1/256: of
    just such numbers are the scales of bbans in fixed point. So the likelihood takes an
    addition, the prior a multiplication, and every machine computes the same.
    """

    latents = observed = 1

    DECAY = 63570  # 0.97, in 2**-16, as locations are
    STEP = np.full((1, 1), 1670, np.int32)  # 256 log2(92): 92 / 256 octaves a step
    SPREAD = np.full((1, 1), 2192, np.int32)  # 378 / 256 octaves, when all is forgotten
    BASE = 768  # 256 log2(8)

    def prior(self, z):
        if z is None:
            return Gaussian(np.zeros((1, 1), np.int64), self.SPREAD, leak=False)
        return Gaussian(self.DECAY * z, self.STEP, leak=False)

    def likelihood(self, z):
        scales = np.clip(self.BASE + z, -3072, 12031).astype(np.int32)
        return Gaussian(np.zeros((1, 1), np.int64), scales)


def sample(model, steps, seed=0):
    """Observations, shape (steps, observed): popped from random bits, so integers
    here too."""
    rng = np.random.default_rng(seed)
    z, rows = None, []
    for _ in range(steps):
        bits = Message.from_bytes(rng.bytes(100) + b"\1")
        z = bits.pop(model.prior(z), (model.latents, 1))
        rows.append(bits.pop(model.likelihood(z), (model.observed, 1))[:, 0])
    return np.array(rows)


if __name__ == "__main__":
    from bbans.particles import ParticleFilter

    model = StochasticVolatility()
    x = sample(model, 2000)
    for n in (1, 4, 16, 64):
        coder = ParticleFilter(model, n)
        data = coder.encode(x)
        assert np.array_equal(coder.decode(data, len(x)).reshape(x.shape), x)
        print(f"{n:3} particles: {8 * len(data) / len(x):.4f} bits per step")
