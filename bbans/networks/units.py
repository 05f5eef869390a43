"""What the integers stand for that a network takes and returns in integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer, as_real
from bbans._lib import lib
from bbans.errors import ModelError

__all__ = [
    "Units",
    "grid",
    "latents",
    "location",
    "log_rate",
    "log_weight",
    "logit",
    "mixture",
    "scale",
]

_INT32 = (-(2**31), 2**31 - 1)
# Of log2, in logits and rates; of scales; docs/maths.md, "Heads".
_LOGITS, _SCALES = 128, 256


class Units(NamedTuple):
    """What the integers of a channel stand for: ``clip(factor * real + offset)``.

    Attributes
    ----------
    factor, offset : tuple of float
    low, high : tuple of int
        A number for each channel; fewer are repeated over the channels.
    """

    factor: tuple[float, ...]
    offset: tuple[float, ...]
    low: tuple[int, ...]
    high: tuple[int, ...]

    def over(self, channels: int) -> tuple[NDArray[np.float64], ...]:
        """The four, for so many channels, as float64.

        Raises
        ------
        ModelError
            If the channels are no multiple of these.
        """
        n = len(self.factor)
        if channels % n:
            raise ModelError(f"units for {n} channels do not divide {channels}")
        return tuple(np.tile(np.array(x, np.float64), channels // n) for x in self)


def _unit(factor: float, offset: float, low: int, high: int) -> Units:
    return Units((factor,), (offset,), (low,), (high,))


def _joined(units: Sequence[Units]) -> Units:
    return Units(*(sum(parts, ()) for parts in zip(*units, strict=True)))


def _as_step(step: float) -> float:
    step = as_real(step, "step")
    if not (0 < step < math.inf):
        raise ModelError(f"step must be above 0, not {step}")
    return step


def grid(step: float, low: int, high: int) -> Units:
    """Integers that count steps: the real number is the step times the integer.

    Parameters
    ----------
    step : float
    low, high : int
        The least and the greatest integer; the values of an input that a layer with
        weights takes are within 16 bits.

    Raises
    ------
    ModelError
        If the step is not above 0, or there is no integer.
    """
    low = as_integer(low, "low", *_INT32)
    high = as_integer(high, "high", low, _INT32[1])
    return _unit(1 / _as_step(step), 0.0, low, high)


def location(step: float = 1.0) -> Units:
    """A location, in 2^-16 of a step of the values."""
    return _unit(2**16 / _as_step(step), 0.0, *_INT32)


def scale(step: float = 1.0) -> Units:
    """A scale: of the natural logarithm of a deviation, 256 log2(deviation / step)."""
    return _unit(
        _SCALES / math.log(2),
        -_SCALES * math.log2(_as_step(step)),
        lib.BBANS_SCALE_MIN,
        lib.BBANS_SCALE_MAX,
    )


def logit() -> Units:
    """Of the natural logarithm of odds, 128 log2, as far as 24 bits: Bernoulli."""
    return _unit(_LOGITS / math.log(2), 0.0, -3071, 3071)


def log_weight() -> Units:
    """Of the natural logarithm of a weight, 128 log2: categories and components."""
    return _unit(_LOGITS / math.log(2), 0.0, -32767, 32767)


def log_rate() -> Units:
    """Of the natural logarithm of a rate, 128 log2, from 2^-14 to 2^14."""
    return _unit(_LOGITS / math.log(2), 0.0, -14 * _LOGITS, 14 * _LOGITS)


def latents(n: int, step: float) -> Units:
    """Locations of n latents, then their scales: `location` and `scale`."""
    n = as_integer(n, "n", 1)
    return _joined([location(step)] * n + [scale(step)] * n)


def mixture(components: int, step: float = 1.0) -> Units:
    """The logarithms of a mixture's weights, its locations, its scales."""
    n = as_integer(components, "components", 1)
    return _joined([log_weight()] * n + [location(step)] * n + [scale(step)] * n)
