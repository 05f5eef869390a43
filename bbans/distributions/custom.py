"""Any distribution function, as a table of integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_integer, as_reals
from bbans._lib import lib
from bbans.distributions.fixed_point import joint_shape
from bbans.distributions.ragged import Ragged, RaggedTable
from bbans.distributions.table import PREC_DEFAULT
from bbans.errors import ModelError

__all__ = ["Custom"]

_FALL = 1e-9  # that rounding may make


class Custom(Ragged):
    """Integers `low` .. `high` under a cumulative distribution function of your own.

    Parameters
    ----------
    cdf : callable
        ``cdf(x, *parameters)`` is P(X <= x) of an array of floats x: called once, for
        all values and parameters. Those of ``scipy.stats`` will do.
    low, high : int
        The support; at most ``2**prec`` values.
    *parameters : array_like of float
        What `cdf` takes behind x; their shape together is that of the value. They come
        with an axis more, along which the points x are.
    prec : int
        Precision of the table in bits, 1 to 28.
    dtype : data-type
        Of popped integers.

    Raises
    ------
    ModelError
        If `cdf` is none: it falls, is not finite, has no mass from `low` to `high`, or
        gives another shape; if the support is none.
    SymbolError
        If parameters do not fit; from `push`, if a value is outside the support.

    Notes
    -----
    Value v has the mass between ``v - 1/2`` and ``v + 1/2``, relative to that between
    the ends, and a slot: docs/maths.md, "Ragged tables". Only integers are coded by,
    but they come from the floats of `cdf`: a message is only as portable as these.
    Where both sides are to be different machines, send a `RaggedTable`, or use a
    distribution of this library. Each value of an array of parameters takes a row of
    ``high - low + 2`` numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from bbans import Message
    >>> def cauchy(x, location, scale):
    ...     return np.arctan((x - location) / scale) / np.pi + 0.5
    >>> message, law = Message(), Custom(cauchy, -100, 100, [2.5, -7.0], 3.0)
    >>> message.push(law, [4, -100])
    >>> message.pop(law)
    array([   4, -100])
    """

    def __init__(
        self,
        cdf: Callable[..., ArrayLike],
        low: int,
        high: int,
        *parameters: ArrayLike,
        prec: int = PREC_DEFAULT,
        dtype: DTypeLike = np.int64,
    ) -> None:
        if not callable(cdf):
            raise ModelError(f"cdf must be a function of arrays, not {cdf!r}")
        prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
        low = as_integer(low, "low", -(1 << 62), 1 << 62)
        high = as_integer(high, "high", low, low + (1 << prec) - 1)
        arrays = [as_reals(p, f"parameter {k}") for k, p in enumerate(parameters)]
        shape = joint_shape(*arrays)
        rows = _edges(cdf, low, high, arrays, shape, prec)
        table = RaggedTable.of_rows(rows, prec, low)
        self._name = getattr(cdf, "__qualname__", type(cdf).__name__)
        self._low, self._high, self._shown = low, high, arrays
        which = np.arange(math.prod(shape)).reshape(shape) if shape else 0
        super().__init__(table, which, dtype=dtype)

    def _given(self) -> dict[str, Any]:
        given: dict[str, Any] = {
            "cdf": self._name,
            "low": self._low,
            "high": self._high,
        }
        return given | {f"p{k}": array for k, array in enumerate(self._shown)}


def _edges(
    cdf: Callable[..., ArrayLike],
    low: int,
    high: int,
    parameters: list[NDArray[np.float64]],
    shape: tuple[int, ...],
    prec: int,
) -> NDArray[np.uint32]:
    """A row of edges for each value of this shape."""
    points = np.arange(high - low + 2) + (low - 0.5)
    whole = (*shape, points.size)
    values = as_reals(cdf(points, *(p[..., None] for p in parameters)), "cdf(x)")
    try:
        values = np.broadcast_to(values, whole)
    except ValueError:
        raise ModelError(
            f"cdf(x) must have shape {whole}, that of x behind the parameters', not "
            f"{values.shape}"
        ) from None
    wrong = ~(np.diff(values, axis=-1) >= -_FALL)  # NaN too
    if wrong.any():
        *row, k = (int(i) for i in np.argwhere(wrong)[0])
        where = f" of value {tuple(row)}" if row else ""
        raise ModelError(
            f"cdf(x){where} must not fall: it is {values[(*row, k)]} at {points[k]}, "
            f"and {values[(*row, k + 1)]} at {points[k + 1]}"
        )
    rows = np.maximum.accumulate(values.reshape(-1, points.size), axis=1)
    below, mass = rows[:, :1], rows[:, -1:] - rows[:, :1]
    if not ((mass > 0) & np.isfinite(mass)).all():
        raise ModelError(f"cdf(x) has no mass from {low} to {high}")
    # Each value has a slot, the others go by F.
    slots = (1 << prec) - (points.size - 1)
    edges: NDArray[np.float64] = np.floor((rows - below) / mass * slots)
    return (edges + np.arange(points.size)).astype(np.uint32)
