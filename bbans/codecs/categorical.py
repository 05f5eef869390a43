"""Codecs of symbols: under frozen tables, equal masses, or integer weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans.codecs.base import MessageLike
from bbans.errors import SymbolError
from bbans.tables import Table

__all__ = ["Categorical", "Uniform", "Weighted"]

Symbols = int | NDArray[np.uint32]


def _expect(shape: tuple[int, ...], symbols: ArrayLike) -> ArrayLike:
    if np.shape(symbols) != shape:
        raise SymbolError(f"expected symbols of shape {shape}, not {np.shape(symbols)}")
    return symbols


def _result(array: NDArray[np.uint32]) -> Symbols:
    return array if array.ndim else int(array)


class Categorical:
    """Symbols under the rows of a table.

    Parameters
    ----------
    table : Table
        Frozen distributions.
    rows : int or array_like of int, optional
        The row for each symbol; its shape is the shape of the value. One row
        number, the default 0, codes one symbol.
    shape : int or tuple of int, optional
        Shape of the value when all its symbols share the single row `rows`.
    """

    def __init__(
        self,
        table: Table,
        rows: ArrayLike = 0,
        shape: int | tuple[int, ...] | None = None,
    ) -> None:
        self._table = table
        self._rows = np.asarray(rows)
        if shape is not None:
            self._rows = np.broadcast_to(self._rows, shape)

    def push(self, message: MessageLike, value: ArrayLike) -> None:
        """Push symbols, shape as constructed; a refused push changes nothing."""
        symbols = _expect(self._rows.shape, value)
        message.push_symbols(self._table, symbols, self._rows)

    def pop(self, message: MessageLike) -> Symbols:
        """Pop an int, or a uint32 array."""
        return _result(
            message.pop_symbols(self._table, self._rows.shape, self._rows)
        )  # fmt: skip


class Uniform:
    """Values 0 .. total - 1, all equally likely.

    Parameters
    ----------
    total : int
        1 to 2**28; ``2**b`` codes b raw bits.
    shape : int or tuple of int, optional
        Shape of the value; by default one int.
    """

    def __init__(self, total: int, shape: int | tuple[int, ...] = ()) -> None:
        self._total = total
        self._shape = np.empty(shape, np.bool_).shape

    def push(self, message: MessageLike, value: ArrayLike) -> None:
        """Push values; a refused push changes nothing."""
        message.push_uniform(self._total, _expect(self._shape, value))

    def pop(self, message: MessageLike) -> Symbols:
        """Pop an int, or a uint32 array."""
        return _result(message.pop_uniform(self._total, self._shape))


class Weighted:
    """Symbols under integer weights that need no normalisation.

    Parameters
    ----------
    weights : array_like of int, shape (..., K)
        Each row sums to 1 .. 2**28. A symbol of weight 0 is never popped and
        cannot be pushed. The shape of the value is that of the leading axes.
    """

    def __init__(self, weights: ArrayLike) -> None:
        self._weights = np.asarray(weights)

    def push(self, message: MessageLike, value: ArrayLike) -> None:
        """Push symbols; a refused push changes nothing."""
        message.push_weighted(self._weights, _expect(self._weights.shape[:-1], value))

    def pop(self, message: MessageLike) -> Symbols:
        """Pop an int, or a uint32 array."""
        return _result(message.pop_weighted(self._weights))
