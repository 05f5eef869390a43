"""A tracker: something moves, and a radar tells how far away it is and in which
direction. The model is not linear, and all its numbers are integers."""

import numpy as np
from volatility import sample

from bbans.distributions import Gaussian

TURN = 1 << 16  # units of angle in a turn

# Angles atan(2**-i) in 2**-32 turns, and the product of their cosines in 2**-32.
ANGLES = [
    536870912, 316933406, 167458907, 85004756, 42667331, 21354465, 10679838, 5340245,
    2670163, 1335087, 667544, 333772, 166886, 83443, 41722, 20861,
]  # fmt: skip
COSINES = 2608131497


def polar(ahead, aside):
    """Range and bearing of points, by CORDIC: additions and shifts alone.

    Parameters
    ----------
    ahead, aside : ndarray of int64
        Below 2**24 either side of 0.

    Returns
    -------
    distance, bearing : ndarray of int64
        In units of 2**-16 of theirs, and of 2**-16 of 1/65536 of a turn, from -1/2 to
        1/2, positive for positive `aside`.
    """
    behind = ahead < 0
    side = np.where(aside < 0, -1, 1)  # a quarter turn brings these to the front
    u = np.where(behind, side * aside, ahead) << 22
    v = np.where(behind, -side * ahead, aside) << 22
    bearing = np.where(behind, side << 30, 0)
    for i, angle in enumerate(ANGLES):
        turn = np.where(v < 0, -1, 1)
        u, v = u + turn * (v >> i), v - turn * (u >> i)
        bearing += turn * angle
    return (u >> 16) * COSINES >> 22, bearing


class Tracker:
    """A target in a plane, in metres and metres per step, and a radar at the origin.

    The target is drawn towards a point 4000 metres ahead; its speed changes at random.
    """

    latents, observed = 4, 2  # aside, ahead, their speeds; range, bearing

    HOME = 4000
    START = np.array([[0], [HOME], [20], [-8]], np.int64) << 16
    # Scales are 256 log2 of 200 and 10; of 2; of 128 metres, and 128 / 65536 turns.
    FIRST = np.array([[1957], [1957], [850], [850]], np.int32)
    STEP = np.full((4, 1), 256, np.int32)
    NOISE = np.full((2, 1), 1792, np.int32)

    def prior(self, z):
        if z is None:
            return Gaussian(self.START, self.FIRST, leak=False)
        aside, ahead, right, forward = z
        means = [
            (aside + right) << 16,
            (ahead + forward) << 16,
            (right << 16) - (right << 11) - (aside << 8),
            (forward << 16) - (forward << 11) - ((ahead - self.HOME) << 8),
        ]
        return Gaussian(np.stack(means), self.STEP, leak=False)

    def likelihood(self, z):
        aside, ahead, _, _ = np.clip(z, -(1 << 20), 1 << 20)
        return Gaussian(np.stack(polar(ahead, aside)), self.NOISE)


if __name__ == "__main__":
    from bbans.particles import ParticleFilter

    model = Tracker()
    x = sample(model, 1000)
    for n in (16, 64, 256):
        coder = ParticleFilter(model, n)
        data = coder.encode(x)
        assert np.array_equal(coder.decode(data, len(x)).reshape(x.shape), x)
        print(f"{n:3} particles: {8 * len(data) / len(x):.4f} bits per step")
