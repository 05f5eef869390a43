"""The mean of a law over particles, as one law: docs/maths.md, "Particle filters"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Weighted
from bbans.distributions.location_scale import LocationScale, Mixture
from bbans.errors import ModelError

__all__ = ["mean_law"]


def mean_law(law: Distribution, weights: NDArray[np.uint32]) -> Distribution:
    """Return the law of a value that is under law i with weight i.

    Parameters
    ----------
    law : Distribution
        Of shape (n,): of symbols, or of a location and a scale, and then of up to 64
        values.
    weights : ndarray of uint32, shape (n,)
        With a sum of up to 2**28.

    Raises
    ------
    ModelError
        If there is no such law.
    """
    if isinstance(law, LocationScale):
        location, scale = law._arrays
        return Mixture(law._family, weights, location, scale)
    symbols = int(law._c.limit)
    if symbols == 0:
        raise ModelError(
            f"there is no mean of {type(law).__name__}: observations of particles are "
            "under a law of symbols, or of a location and a scale"
        )
    return Weighted(_summed(law, weights, symbols))


def _summed(law: Distribution, weights: NDArray[np.uint32], symbols: int) -> Any:
    """The row of weights of a mean of symbols."""
    values = np.broadcast_to(np.arange(symbols)[:, None], (symbols, *law.shape))
    mantissa, exponent = law.masses(values)
    up = np.clip(exponent.astype(np.int64) + 32, -32, 32)
    share = mantissa.astype(np.uint64)
    share = np.where(
        up > 0,
        share << np.maximum(up, 0).astype(np.uint64),
        share >> np.maximum(-up, 0).astype(np.uint64),
    )
    share = np.where((mantissa > 0) & (share == 0), np.uint64(1), share)
    sums = (share * weights.astype(np.uint64)).sum(1, dtype=np.uint64)
    down = np.uint64(max(0, int(sums.sum(dtype=np.uint64)).bit_length() - 27))
    row = sums >> down
    return np.where((sums > 0) & (row == 0), 1, row).astype(np.uint32)
