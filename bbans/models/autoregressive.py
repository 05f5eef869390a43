"""Linear prediction of integer signals whose noise changes its scale."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Prediction", "fit_prediction"]

# Orders to choose from: lags of the channel itself, and of each other one.
CANDIDATES = ((1, 0), (2, 0), (4, 2), (8, 2), (16, 4), (32, 4))
_ITERATIONS = 3
_SMOOTHING = np.exp(-np.abs(np.arange(-40, 41)) / 8)
_SMOOTHING /= _SMOOTHING.sum()
_BITS_A_COEFFICIENT = 14.0
_CONSTANT = 256.0


class Prediction(NamedTuple):
    """What `fit_prediction` found."""

    order: int
    cross: int
    coefficients: NDArray[np.float64]
    """Shape (channels, taps), in the order of ``bbans_signal``."""


def fit_prediction(values: NDArray[np.int64]) -> Prediction:
    """Fit a linear prediction of each channel from the values before it.

    Parameters
    ----------
    values : ndarray of int64, shape (T, channels)

    Returns
    -------
    Prediction
        The one of the candidates' orders with the least estimated code length.

    Notes
    -----
    Least squares in which a step counts by the inverse of the residual's variance
    around it, three times over: the maximisation step of a model whose noise has a
    scale that varies. The code length is taken as ``log2`` of that deviation, summed,
    and 14 bits a coefficient.
    """
    x = values.astype(np.float64)
    steps, channels = x.shape
    best, least = None, math.inf
    for order, cross in CANDIDATES:
        cross = cross if channels > 1 else 0
        taps = order + (channels - 1) * (cross + 1) + 1
        if taps > 500 or (best is not None and 4 * taps > steps):
            break
        fits = [_fit_channel(x, i, order, cross) for i in range(channels)]
        bits = sum(cost for _, cost in fits) + _BITS_A_COEFFICIENT * taps * channels
        if bits < least:
            least = bits
            best = Prediction(order, cross, np.stack([a for a, _ in fits]))
    assert best is not None
    return best


def _fit_channel(
    x: NDArray[np.float64], channel: int, order: int, cross: int
) -> tuple[NDArray[np.float64], float]:
    """The coefficients, and the code length in bits but for a constant."""
    columns = _columns(x, channel, order, cross)
    target = x[:, channel]
    used = np.array([column is not None for column in columns])
    design = np.stack([column for column in columns if column is not None])
    weight = np.ones(target.size)
    for _ in range(_ITERATIONS):
        weighted = design * weight
        normal = weighted @ design.T
        diagonal = np.einsum("ii->i", normal)
        diagonal *= 1 + 1e-7  # series may be constant, or channels alike
        diagonal += 1e-6
        solution = np.linalg.solve(normal, weighted @ target)
        residual = target - solution @ design
        variance = np.convolve(residual**2, _SMOOTHING, "same")[: target.size]
        variance += 0.1 + 1e-6 * variance.mean()
        weight = 1 / variance
    coefficients = np.zeros(used.size)
    coefficients[used] = solution
    return coefficients, 0.5 * float(np.log2(variance).sum())


def _columns(
    x: NDArray[np.float64], channel: int, order: int, cross: int
) -> list[NDArray[np.float64] | None]:
    """What predicts a channel, in the order of its coefficients; None: nothing."""

    def lagged(other: int, lag: int) -> NDArray[np.float64]:
        return np.concatenate([np.zeros(min(lag, len(x))), x[: len(x) - lag, other]])

    out: list[NDArray[np.float64] | None] = []
    out += [lagged(channel, lag) for lag in range(1, order + 1)]
    for other in range(x.shape[1]):
        if other != channel:
            out.append(lagged(other, 0) if other < channel else None)
            out += [lagged(other, lag) for lag in range(1, cross + 1)]
    return [*out, np.full(len(x), _CONSTANT)]
