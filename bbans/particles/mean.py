"""The mean of a law over particles, as one law: docs/maths.md, "Particle filters"."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Weighted
from bbans.distributions.location_scale import LocationScale, Mixture
from bbans.errors import ModelError
from bbans.particles.public import Masses, multiply, ones, weights

__all__ = ["Mean", "OfParticle", "mean_law"]


def mean_law(law: Distribution, shares: NDArray[np.uint32]) -> Distribution:
    """Return the law of a value that is under law i with weight i.

    Parameters
    ----------
    law : Distribution
        Of shape (n,): of symbols, or of a location and a scale, and then of up to 64
        values.
    shares : ndarray of uint32, shape (n,)
        Weights, with a sum of up to 2**28.

    Raises
    ------
    ModelError
        If there is no such law.
    """
    if isinstance(law, LocationScale):
        location, scale = law._arrays
        return Mixture(law._family, shares, location, scale)
    symbols = int(law._c.limit)
    if symbols == 0:
        raise ModelError(
            f"there is no mean of {type(law).__name__}: observations of particles are "
            "under a law of symbols, or of a location and a scale"
        )
    return Weighted(_summed(law, shares, symbols))


def _summed(law: Distribution, shares: NDArray[np.uint32], symbols: int) -> Any:
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
    sums = (share * shares.astype(np.uint64)).sum(1, dtype=np.uint64)
    down = np.uint64(max(0, int(sums.sum(dtype=np.uint64)).bit_length() - 27))
    row = sums >> down
    return np.where((sums > 0) & (row == 0), 1, row).astype(np.uint32)


class Mean:
    """Values x_1 .. x_p under the mean of n laws of vectors: each number of them under
    the mean of its laws, for which those before it weigh the particles.

    Parameters
    ----------
    law : Distribution
        Of shape (p, n).
    """

    def __init__(self, law: Distribution) -> None:
        self._law = law

    def __repr__(self) -> str:
        return f"<Mean of laws of shape {self._law.shape}>"

    @cached_property
    def first(self) -> Distribution:
        """The law of x_1."""
        return mean_law(self._law._row_at(0), weights(ones(self._law.shape[1])))

    def push(self, message: Any, value: Any) -> None:
        """Push x, a number or p of them."""
        rows, _ = self._law.shape
        values = np.asarray(value, np.int64).reshape(rows).tolist()
        laws: list[Distribution] = []

        def known(k: int, law: Distribution) -> int:
            laws.append(law)
            return int(values[k])

        self._walk(known)
        for law, x in zip(laws[::-1], values[::-1], strict=True):
            message.push(law, x)

    def pop(self, message: Any) -> Any:
        """Pop a number, or a tuple of p."""
        values = self._walk(lambda k, law: int(message.pop(law)))
        return values[0] if len(values) == 1 else tuple(values)

    def masses(self, values: NDArray[np.int64]) -> Masses:
        """Return the masses of m vectors, an array of shape (p, m)."""
        if len(values) == 1:
            return self.first.masses(values[0])
        mantissa, exponent = ones(values.shape[1])
        for j, column in enumerate(values.T.tolist()):
            total = ones(1)

            def known(k: int, law: Distribution, column: list[int] = column) -> int:
                nonlocal total
                m, e = law.masses(column[k])
                total = multiply(total, (m.reshape(1), e.reshape(1)))
                return column[k]

            self._walk(known)
            mantissa[j], exponent[j] = total[0][0], total[1][0]
        return mantissa, exponent

    def _walk(self, code: Callable[[int, Distribution], int]) -> list[int]:
        """Code number by number: `code` is given the law of each, and says what it
        is."""
        rows, n = self._law.shape
        values, total = [code(0, self.first)], ones(n)
        for k in range(1, rows):
            before = np.full(n, values[-1], np.int64)
            total = multiply(total, self._law._row_at(k - 1).masses(before))
            values.append(code(k, mean_law(self._law._row_at(k), weights(total))))
        return values


class OfParticle:
    """Values x_1 .. x_p under the law of one particle.

    Parameters
    ----------
    law : Distribution
        Of shape (p, n).
    particle : int
    """

    def __init__(self, law: Distribution, particle: int) -> None:
        self._laws = [law._row_at(k)._row_at(particle) for k in range(law.shape[0])]

    def push(self, message: Any, value: Any) -> None:
        """Push x, a number or p of them."""
        values = np.asarray(value, np.int64).reshape(len(self._laws))
        for law, x in zip(self._laws[::-1], values[::-1].tolist(), strict=True):
            message.push(law, x)

    def pop(self, message: Any) -> Any:
        """Pop a number, or a tuple of p."""
        values = [int(message.pop(law)) for law in self._laws]
        return values[0] if len(values) == 1 else tuple(values)
