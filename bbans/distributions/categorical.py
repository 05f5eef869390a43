"""Codecs of symbols: under frozen tables, equal masses, or integer weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_instance, as_integer
from bbans.distributions.family import spread
from bbans.distributions.table import Table
from bbans.errors import SymbolError
from bbans.message._values import ValueArrays

__all__ = ["Categorical", "Uniform", "Weighted"]

Symbols = int | NDArray[np.uint32]


def _expect(shape: tuple[int, ...], symbols: ArrayLike) -> ArrayLike:
    if np.shape(symbols) != shape:
        raise SymbolError(f"expected symbols of shape {shape}, not {np.shape(symbols)}")
    return symbols


def _result(popped: Symbols) -> Symbols:
    return popped if type(popped) is int or np.ndim(popped) else int(popped)


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

    Raises
    ------
    SymbolError
        If `rows` does not fit `shape`; from `push` and `pop`, if there is no such row;
        from `push`, if a symbol is not in the table or the shape is another.
    ModelError
        If `table` is none.

    Notes
    -----
    From an empty message of one lane a pop gives the symbol of slot 1, which is mostly
    symbol 0.

    Examples
    --------
    >>> from bbans import Message, Table
    >>> table = Table.from_masses([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]])
    >>> message, codec = Message(), Categorical(table, [0, 1])
    >>> codec.push(message, [2, 0])
    >>> codec.pop(message)
    array([2, 0], dtype=uint32)
    """

    def __init__(
        self,
        table: Table,
        rows: ArrayLike = 0,
        shape: int | tuple[int, ...] | None = None,
    ) -> None:
        self._table = as_instance(
            table, Table, "table", "a Table, as from Table.from_masses(probabilities)"
        )
        self._rows: Any = rows  # an int stays one: such calls are quick
        self._shape: tuple[int, ...] | None = None
        if shape is not None or type(rows) is not int:
            array = as_array(rows, "rows")
            self._rows = spread(array, array.shape if shape is None else shape)
            self._shape = self._rows.shape

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push symbols, shape as constructed; a refused push changes nothing."""
        if type(value) is not int or self._shape is not None:
            _expect(self._shape or (), value)
        message.push_symbols(self._table, value, self._rows)

    def pop(self, message: ValueArrays) -> Symbols:
        """Pop an int, or a uint32 array."""
        return _result(message.pop_symbols(self._table, self._shape, self._rows))


class Uniform:
    """Values 0 .. total - 1, all equally likely.

    Parameters
    ----------
    total : int
        1 to 2**28; ``2**b`` codes b raw bits.
    shape : int or tuple of int, optional
        Shape of the value; by default one int.

    Raises
    ------
    ModelError
        If `total` is out of range.
    SymbolError
        From `push`, if a value is not below `total` or the shape is another.

    Examples
    --------
    >>> from bbans import Message
    >>> message, codec = Message(), Uniform(6)
    >>> codec.push(message, 4)
    >>> codec.pop(message)
    4
    """

    def __init__(self, total: int, shape: int | tuple[int, ...] = ()) -> None:
        self._total = as_integer(total, "total", 1, 1 << 28)
        self._shape = np.empty(shape, np.bool_).shape or None

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push values; a refused push changes nothing."""
        if type(value) is not int or self._shape is not None:
            _expect(self._shape or (), value)
        message.push_uniform(self._total, value)

    def pop(self, message: ValueArrays) -> Symbols:
        """Pop an int, or a uint32 array."""
        return _result(message.pop_uniform(self._total, self._shape))


class Weighted:
    """Symbols under integer weights that need no normalisation.

    Parameters
    ----------
    weights : array_like of int, shape (..., K)
        Each row sums to 1 .. 2**28. A symbol of weight 0 is never popped and
        cannot be pushed. The shape of the value is that of the leading axes.

    Raises
    ------
    SymbolError
        If the weights form no array; from `push` and `pop`, if they are no integers
        from 0 on; from `push`, if a symbol is K or more, its weight is 0, or the shape
        is another.
    ModelError
        From `push` and `pop`, if a sum is out of range.

    Examples
    --------
    >>> from bbans import Message
    >>> message, codec = Message(), Weighted([[1, 2, 0], [7, 0, 9]])
    >>> codec.push(message, [1, 2])
    >>> codec.pop(message)
    array([1, 2], dtype=uint32)
    """

    def __init__(self, weights: ArrayLike) -> None:
        self._weights = as_array(weights, "weights")
        if self._weights.ndim < 1:
            raise SymbolError("weights must have an axis of symbols")
        if self._weights.dtype.kind in "iu" and self._weights.size > 0:
            low, high = self._weights.min(), self._weights.max()
            if low >= 0 and high <= 0xFFFFFFFF:  # else a push says what is wrong
                self._weights = self._weights.astype(np.uint32)

    def push(self, message: ValueArrays, value: ArrayLike) -> None:
        """Push symbols; a refused push changes nothing."""
        if type(value) is not int or self._weights.ndim != 1:
            _expect(self._weights.shape[:-1], value)
        message.push_weighted(self._weights, value)

    def pop(self, message: ValueArrays) -> Symbols:
        """Pop an int, or a uint32 array."""
        return _result(message.pop_weighted(self._weights))
