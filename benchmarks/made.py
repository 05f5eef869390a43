"""Made data, for benchmarks that run without --data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def series(steps: int, channels: int) -> NDArray[np.int32]:
    """Damped oscillations whose noise is now weak, now strong: (steps, channels)."""
    rng = np.random.default_rng(1)
    loud = (rng.random((steps, 1)) < 0.005).cumsum(axis=0) % 2
    noise = rng.normal(size=(steps, channels)) * np.where(loud, 40.0, 4.0)
    x = np.zeros((steps + 2, channels))
    for t in range(steps):
        x[t + 2] = 1.8 * x[t + 1] - 0.85 * x[t] + noise[t]
    return np.rint(x[2:]).astype(np.int32)


def frames(count: int, rows: int, columns: int, *bands: int) -> NDArray[np.uint8]:
    """Discs that drift over a bright ground, with a camera's noise."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:rows, :columns]
    at = rng.uniform(0, (rows, columns), (12, 2))
    made = np.empty((count, rows, columns, *bands))
    for frame in made:
        at += rng.normal(size=at.shape)
        far = (y[..., None] - at[:, 0]) ** 2 + (x[..., None] - at[:, 1]) ** 2
        seen = 128 + x / 8 - 60 * np.exp(-far / 30).sum(axis=-1)
        for band in np.ndindex(bands):
            frame[(..., *band)] = seen * (1 + 0.1 * sum(band))
    made += rng.normal(size=made.shape)
    return np.rint(made.clip(0, 255)).astype(np.uint8)


def lines(count: int) -> list[bytes]:
    """Lines of a log."""
    rng = np.random.default_rng(1)
    verbs, things = ["GET", "GET", "GET", "POST"], ["index", "news", "logo", "login"]
    return [
        f"{rng.choice(verbs)} /{rng.choice(things)}/{rng.geometric(0.01)}.html "
        f"{rng.choice([200, 200, 304, 404])} {rng.integers(100, 20_000)}\n".encode()
        for _ in range(count)
    ]
