"""What the integers stand for that a network takes and returns in integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

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
    """What an integer stands for, for each channel: ``factor * real + offset``,
    rounded and clipped.

    Attributes
    ----------
    factor, offset : tuple of float
        For each channel; a shorter pattern is repeated over the channels.
    low, high : int
        The range of all.
    """

    factor: tuple[float, ...]
    offset: tuple[float, ...]
    low: int
    high: int

    def over(self, channels: int) -> Units:
        """The units of so many channels.

        Raises
        ------
        ModelError
            If the pattern does not divide them, or there are no such channels.
        """
        channels = as_integer(channels, "channels", 1, _INT32[1])
        n = len(self.factor)
        if channels % n:
            raise ModelError(
                f"units for {n} channels do not divide {channels} channels"
            )
        times = channels // n
        return self._replace(factor=self.factor * times, offset=self.offset * times)


def _joined(units: Sequence[Units]) -> Units:
    """The units of several groups of channels, one after the other."""
    factors, offsets, lows, highs = zip(*units, strict=True)
    factor, offset = (tuple(chain.from_iterable(all_)) for all_ in (factors, offsets))
    return Units(factor, offset, min(lows), max(highs))


def _of_one(factor: float, offset: float, low: int, high: int) -> Units:
    return Units((factor,), (offset,), low, high)


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
    return _of_one(1 / _as_step(step), 0.0, low, high)


def location(step: float = 1.0) -> Units:
    """A location, in 2^-16 of a step of the values."""
    return _of_one(2**16 / _as_step(step), 0.0, *_INT32)


def scale(step: float = 1.0) -> Units:
    """A scale: of the natural logarithm of a deviation, 256 log2(deviation / step)."""
    return _of_one(
        _SCALES / math.log(2),
        -_SCALES * math.log2(_as_step(step)),
        lib.BBANS_SCALE_MIN,
        lib.BBANS_SCALE_MAX,
    )


def logit() -> Units:
    """Of the natural logarithm of odds, 128 log2, as far as 24 bits: Bernoulli."""
    return _of_one(_LOGITS / math.log(2), 0.0, -3071, 3071)


def log_weight() -> Units:
    """Of the natural logarithm of a weight, 128 log2: categories and components."""
    return _of_one(_LOGITS / math.log(2), 0.0, -32767, 32767)


def log_rate() -> Units:
    """Of the natural logarithm of a rate, 128 log2, from 2^-14 to 2^14."""
    return _of_one(_LOGITS / math.log(2), 0.0, -14 * _LOGITS, 14 * _LOGITS)


def latents(n: int, step: float) -> Units:
    """Locations of n latents, then their scales: `location` and `scale`."""
    n = as_integer(n, "n", 1, _INT32[1])
    return _joined([location(step)] * n + [scale(step)] * n)


def mixture(components: int, step: float = 1.0) -> Units:
    """The logarithms of a mixture's weights, its locations, its scales."""
    n = as_integer(components, "components", 1, _INT32[1])
    return _joined([log_weight()] * n + [location(step)] * n + [scale(step)] * n)
