"""Gaussians rounded to integers, from floats to fixed point.

Matrices become rows of 31 bits with a shift each, covariances the conditionals of each
number given those before it. docs/maths.md, "Linear Gaussian state space models".
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_reals
from bbans._lib import lib
from bbans.errors import ModelError

__all__ = [
    "ROUNDING",
    "cholesky",
    "deviation_of",
    "fixed_conditionals",
    "fixed_covariance",
    "fixed_matrix",
    "fixed_offset",
    "fixed_scales",
    "ldl",
    "matrix_of",
    "solve",
    "variances_of",
]

_Floats = NDArray[np.float64]

ROUNDING = 1.0 / 12.0
"""Variance of what rounding to integers takes away (Sheppard)."""

_TOO_FAR = 1 << 46  # for a location, in 2^-16
_SINGULAR = (
    "a covariance is singular to the precision of floats: fewer channels or latent "
    "dimensions, smaller numbers, or more noise"
)


def solve(a: _Floats, b: _Floats) -> _Floats:
    """Solve a x = b.

    Raises
    ------
    ModelError
        If a is singular.
    """
    try:
        x = np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        raise ModelError(_SINGULAR) from None
    return np.asarray(x, np.float64)


def cholesky(cov: _Floats) -> _Floats:
    """cov = L L', L lower triangular.

    Raises
    ------
    ModelError
        If cov is not positive definite.
    """
    try:
        factor = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        raise ModelError(_SINGULAR) from None
    return np.asarray(factor, np.float64)


def ldl(cov: _Floats) -> tuple[_Floats, _Floats]:
    """cov = L diag(d) L', L unit lower triangular: (L, d)."""
    factor = cholesky(cov)
    scale: _Floats = np.diag(factor)
    return factor / scale, scale * scale


def fixed_matrix(matrix: _Floats) -> tuple[NDArray[np.int32], _Floats]:
    """Rows of 31 bits, each led by its shift, and the matrix that they are.

    Raises
    ------
    ModelError
        If a number is 2^46 or more.
    """
    rows, columns = matrix.shape
    fixed = np.zeros((rows, 1 + columns), np.int32)
    for i, row in enumerate(matrix):
        size = float(np.abs(row).max(initial=0.0))
        if not size < 2.0**46:
            raise ModelError("a matrix of the frozen model has numbers of 2^46 or more")
        shift = 31 if size == 0.0 else min(30 - math.frexp(size)[1] - 24, 31)
        fixed[i, 0] = shift
        fixed[i, 1:] = np.rint(np.ldexp(row, shift + 24))
    return fixed, matrix_of(fixed)


def matrix_of(fixed: NDArray[np.int32]) -> _Floats:
    """The matrix that rows of fixed point are."""
    exact: _Floats = np.ldexp(fixed[:, 1:].astype(np.float64), -fixed[:, :1] - 24)
    return exact


def fixed_offset(values: _Floats) -> NDArray[np.int64]:
    """Numbers in units of 2^-16.

    Raises
    ------
    ModelError
        If one is 2^30 or more.
    """
    points = np.rint(values * 65536.0)
    if not (np.abs(points) < _TOO_FAR).all():
        raise ModelError("an offset of the frozen model is 2^30 grid steps or more")
    fixed: NDArray[np.int64] = points.astype(np.int64)
    return fixed


def fixed_scales(variances: _Floats, deviation: float = 1.0) -> NDArray[np.int32]:
    """Scales of values whose variances, rounding included, are these.

    Parameters
    ----------
    variances : ndarray of float
    deviation : float
        The standard deviation of the family's law of scale 1.

    Raises
    ------
    ModelError
        If one is 2^47 or more.
    """
    inner = np.maximum(variances - ROUNDING, 2.0**-12) / deviation**2
    scales = np.rint(128.0 * np.log2(inner))
    if not (scales <= lib.BBANS_SCALE_MAX).all():
        raise ModelError("a scale of the frozen model is 2^47 or more")
    scales = np.maximum(scales, lib.BBANS_SCALE_MIN)
    fixed: NDArray[np.int32] = scales.astype(np.int32)
    return fixed


def deviation_of(scale: Any, deviation: float = 1.0) -> float:
    """Standard deviation of a rounded value of this scale."""
    inner = deviation * 2.0 ** (float(scale) / 256.0)
    return math.sqrt(inner**2 + ROUNDING)


def variances_of(scales: NDArray[np.int32], deviation: float = 1.0) -> _Floats:
    """Variances of rounded values of these scales."""
    return np.array([deviation_of(scale, deviation) ** 2 for scale in scales])


def fixed_covariance(
    cov: _Floats, deviation: float = 1.0
) -> tuple[NDArray[np.int32], NDArray[np.int32], _Floats]:
    """Conditionals of a covariance: rows of L, scales, and L D L' as rounded."""
    lower, var = ldl((cov + cov.T) / 2)
    fixed, exact = fixed_matrix(np.tril(lower, -1))
    scales = fixed_scales(var, deviation)
    exact += np.eye(len(cov))
    return fixed, scales, exact * variances_of(scales, deviation) @ exact.T


def fixed_conditionals(
    mean: ArrayLike, cov: ArrayLike
) -> tuple[list[int], list[int], NDArray[np.int32]]:
    """Locations, scales and lower rows of Gaussians rounded to integers.

    Raises
    ------
    ModelError
        If these are no mean and covariance, or beyond the range of fixed point.
    """
    centre, spread = as_reals(mean, "mean"), as_reals(cov, "cov")
    n = centre.size
    if centre.shape != (n,) or spread.shape != (n, n) or not n:
        raise ModelError(
            f"{centre.shape} and {spread.shape} are no mean and covariance"
        )
    if not (np.isfinite(centre).all() and np.isfinite(spread).all()):
        raise ModelError("means and covariances must be finite")
    if np.linalg.eigvalsh(spread)[0] <= 0:
        raise ModelError("a covariance must be positive definite")
    lower, scales, _ = fixed_covariance(spread)
    return fixed_offset(centre).tolist(), scales.tolist(), lower
