"""Linear prediction of integer signals whose noise changes its scale."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Prediction", "fit_prediction"]

# Orders to choose from: lags of the channel itself, and of each other one. Each has
# the taps of those before it, and fits what BBANS_SIGNAL_TAPS_MAX allows.
CANDIDATES = ((1, 0), (2, 0), (4, 2), (8, 2), (16, 4), (32, 4))
_ROUNDS = 8  # of least squares on a part of a long series, then two on all of it
_PART, _SEGMENTS = 16384, 8  # that part's steps and pieces
_CONSTANT = 256.0
_BITS_A_COEFFICIENT = 14.0

# OpenBLAS starts threads for products of more multiplications than this. For ours,
# many and small, these mostly wait: on busy cores they take 7 to 25 times as long. So
# sums go in parts, of which only the upper triangle's tiles are computed.
_UNTHREADED = 1 << 18
_TILE = 32

_Floats = NDArray[np.float64]


def _kernel(weights: _Floats) -> _Floats:
    normed: _Floats = weights / weights.sum()
    return normed


_AROUND = _kernel(np.exp(-np.abs(np.arange(-15, 16)) / 3))
_BEFORE = _kernel(np.concatenate([np.zeros(65), np.exp(-np.arange(64) / 16)]))


class Prediction(NamedTuple):
    """What `fit_prediction` found."""

    order: int
    cross: int
    coefficients: NDArray[np.float64]
    """Shape (channels, taps), in the order of ``bbans_signal``."""

    def predict(self, values: NDArray[np.int64]) -> NDArray[np.float64]:
        """Predict each step of a series, shape (T, channels), from those before."""
        x = values.astype(np.float64)
        means = np.empty_like(x)
        for i, coefficients in enumerate(self.coefficients):
            taps = _taps(x.shape[1], i, self.order, self.cross)
            used = [_is_known(tap, i) for tap in taps]
            known = [tap for tap in taps if _is_known(tap, i)]
            means[:, i] = coefficients[used] @ _design(x, i, known)
        return means


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
    around it, again and again: the maximisation steps of a model whose noise has a
    scale that varies. The code length is estimated with the residuals' scale before
    each step, and 14 bits a coefficient.
    """
    x = values.astype(np.float64)
    steps, channels = x.shape
    candidates: list[tuple[int, int]] = []
    for order, cross in CANDIDATES:
        taps = len(_taps(channels, 0, order, cross))
        if taps <= 500 and (4 * taps <= steps or not candidates):
            candidates.append((order, cross if channels > 1 else 0))
    fits = [_fit_channel(x, i, candidates) for i in range(channels)]
    bits = np.zeros(len(candidates))
    for fit in fits:
        bits += [b + _BITS_A_COEFFICIENT * a.size for a, b in fit]
    best = int(bits.argmin())
    return Prediction(*candidates[best], np.stack([fit[best][0] for fit in fits]))


def _taps(channels: int, channel: int, order: int, cross: int) -> list[tuple[int, int]]:
    """What predicts a channel, in the order of its coefficients: a channel and a lag;
    its own lag 0 stands for the constant."""
    taps = [(channel, lag) for lag in range(1, order + 1)]
    for other in range(channels):
        if other != channel:
            taps += [(other, lag) for lag in range(cross + 1)]
    return [*taps, (channel, 0)]


def _is_known(tap: tuple[int, int], channel: int) -> bool:
    """Not so: a later channel's value of the same step."""
    other, lag = tap
    return lag > 0 or other <= channel


def _design(x: _Floats, channel: int, taps: list[tuple[int, int]]) -> _Floats:
    """What each tap saw at each step, shape (taps, T)."""
    rows = np.full((len(taps), len(x)), _CONSTANT)
    for row, (other, lag) in zip(rows, taps, strict=True):
        if (other, lag) != (channel, 0):
            row[:lag] = 0.0
            row[lag:] = x[: len(x) - lag, other]
    return rows


def _fit_channel(
    x: _Floats, channel: int, candidates: list[tuple[int, int]]
) -> list[tuple[_Floats, float]]:
    """Of each candidate the coefficients, and the code length in bits but for a
    constant. The weights are those of the last, the largest."""
    channels = x.shape[1]
    largest = _taps(channels, channel, *candidates[-1])
    known = [tap for tap in largest if _is_known(tap, channel)]
    rows = np.vstack((_design(x, channel, known), x[:, channel]))
    normal, moment = _weighted(rows)
    out = []
    for candidate in candidates:
        taps = _taps(channels, channel, *candidate)
        used = [known.index(tap) for tap in taps if tap in known]
        solution = np.zeros(len(known))
        solution[used] = np.linalg.solve(normal[np.ix_(used, used)], moment[used])
        # A Cauchy distribution's, whose scale is the geometric mean before.
        squares = _residual(rows, solution) ** 2 + 0.1
        before = _smoothed(np.log2(squares), _BEFORE)
        bits = (0.5 * before + np.log2(1 + squares * np.exp2(-before))).sum()
        coefficients = np.zeros(len(taps))
        coefficients[[tap in known for tap in taps]] = solution[used]
        out.append((coefficients, float(bits)))
    return out


def _weighted(rows: _Floats) -> tuple[_Floats, _Floats]:
    """The normal equations, weighted by the inverse variance of their solution's
    residuals; the last row is what the others predict."""
    steps = rows.shape[1]
    part = np.arange(steps)
    if steps > 2 * _PART:
        length = _PART // _SEGMENTS
        first = np.linspace(0, steps - length, _SEGMENTS).astype(int)
        part = (first[:, None] + np.arange(length)).ravel()
    some = np.ascontiguousarray(rows[:, part])
    weight = np.ones(part.size)
    for _ in range(_ROUNDS):
        solution = np.linalg.solve(*_normal(some, weight))
        weight = 1 / _variance(_residual(some, solution))
    for _ in range(2):
        weight = 1 / _variance(_residual(rows, solution))
        normal, moment = _normal(rows, weight)
        solution = np.linalg.solve(normal, moment)
    return normal, moment


def _normal(rows: _Floats, weight: _Floats) -> tuple[_Floats, _Floats]:
    weighted = rows * weight
    both = np.zeros((len(rows), len(rows)))
    for first in range(0, len(rows), _TILE):
        left, right = weighted[first : first + _TILE], rows[first:]
        part = both[first : first + _TILE, first:]
        size = _UNTHREADED // (len(left) * len(right))
        for start in range(0, weight.size, size):
            part += left[:, start : start + size] @ right[:, start : start + size].T
    both = np.triu(both) + np.triu(both, 1).T
    normal, moment = both[:-1, :-1], both[-1, :-1]
    diagonal = np.einsum("ii->i", normal)
    diagonal *= 1 + 1e-7  # series may be constant, or channels alike
    diagonal += 1e-6
    return normal, moment


def _residual(rows: _Floats, solution: NDArray[Any]) -> _Floats:
    """The last row but for what the others say of it; by einsum, which starts no
    threads."""
    residual: _Floats = np.einsum("i,ij->j", np.append(-solution, 1.0), rows)
    return residual


def _variance(residual: _Floats) -> _Floats:
    """Of a rounded value at least 1/12, and of none too far below the others."""
    squares = residual**2
    return _smoothed(squares, _AROUND) + (0.1 + 1e-6 * float(squares.mean()))


def _smoothed(series: _Floats, kernel: _Floats) -> _Floats:
    """The kernel's middle weighs the value itself."""
    middle = kernel.size // 2
    whole: _Floats = np.convolve(series, kernel)
    part: _Floats = whole[middle : middle + series.size]
    return part
