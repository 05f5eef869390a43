"""Symbols: under frozen tables, integer weights, equal masses; bits, and ranges."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_array, as_instance, as_integer, not_integers
from bbans._lib import as_uint32, lib, pointer
from bbans.distributions.base import Distribution
from bbans.distributions.fixed_point import (
    PROBABILITIES,
    Integers,
    Parameter,
    as_ends,
    as_shape,
    as_weights,
    joint_shape,
    kept,
)
from bbans.distributions.table import PREC_DEFAULT, Table, as_masses
from bbans.errors import SymbolError

__all__ = ["Bernoulli", "Categorical", "Uniform", "UniformRange", "Weighted"]

Shape = int | tuple[int, ...]


def as_rows(rows: ArrayLike, n_rows: int, copy: bool) -> tuple[Parameter, ...]:
    """The parameter of rows of a table of `n_rows`; none where all are the first.

    Raises
    ------
    SymbolError
        If there is no such row.
    """
    format = Integers(0, n_rows - 1)
    if type(rows) is int and rows == 0:
        return ()
    if type(rows) is int and 0 < rows < n_rows:  # as of a Markov chain: quick
        return (Parameter("row", np.array(rows), format),)
    array = as_array(rows, "rows")
    if array.size and array.dtype.kind not in "iu":
        raise not_integers("rows", array)
    native = array.dtype.newbyteorder("=") if array.size else np.int64
    array = array.astype(native, copy=False)
    given = Parameter("row", kept(array, copy), format)
    if copy:
        given.check()
    return (given,)


class Categorical(Distribution):
    """Symbols under the rows of a table.

    Parameters
    ----------
    table : Table
        Frozen distributions.
    rows : int or array_like of int
        The row for each symbol; by default the first for all.
    shape : int or tuple of int, optional
        Of the value as a codec; by default that of `rows`.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If `rows` does not fit `shape`, or there is no such row; from `push`, if a
        symbol is not in the table.
    ModelError
        If `table` is none.

    Notes
    -----
    From an empty message of one lane a pop gives the symbol of slot 1, which is mostly
    symbol 0.

    Examples
    --------
    >>> from bbans import Message
    >>> from bbans.distributions import Table
    >>> table = Table.from_masses([[1.0, 2.0, 5.0], [6.0, 1.0, 1.0]])
    >>> message, law = Message(), Categorical(table, [0, 1])
    >>> message.push(law, [2, 0])
    >>> message.pop(law)
    array([2, 0], dtype=uint32)
    """

    _noun = "symbol"

    def __init__(
        self,
        table: Table,
        rows: ArrayLike = 0,
        shape: Shape | None = None,
        *,
        copy: bool = True,
    ) -> None:
        if type(table) is not Table:
            as_instance(
                table,
                Table,
                "table",
                "a Table, as from Table.from_masses(probabilities)",
            )
        self._table = table
        self._rows = 0
        if type(rows) is int:  # one row for all, as at a step of a model: quick
            self._rows = rows
            self._one_row(table, rows)
            if shape is not None:
                self.shape = as_shape(shape)
            return
        parameters = as_rows(rows, table.n_rows, copy)
        super().__init__(*parameters, dtype=np.uint32, shape=shape)

    @classmethod
    def from_masses(cls, masses: ArrayLike, prec: int = PREC_DEFAULT) -> Categorical:
        """Make the law of symbols that have a row of masses each.

        Parameters
        ----------
        masses : array_like of float, shape (..., K)
            As of `quantise`: of any sum. The shape of the value is that of the leading
            axes.
        prec : int
            Precision of the table in bits, 1 to 28.

        Raises
        ------
        ModelError
            As `quantise`.

        Examples
        --------
        >>> from bbans import Message
        >>> message, law = Message(), Categorical.from_masses([[1, 2, 1], [8, 0, 8]])
        >>> message.push(law, [1, 2])
        >>> message.pop(law)
        array([1, 2], dtype=uint32)
        """
        array = masses if type(masses) is np.ndarray else as_masses(masses)
        table = Table.from_masses(array, prec, indexed=array.ndim == 1)
        if array.ndim == 1:
            return cls(table)
        rows = np.arange(table.n_rows).reshape(array.shape[:-1])
        return cls(table, rows, copy=False)

    def _init(self, c: Any, rows: Any) -> Any:
        return lib.bbans_distribution_init_symbols(c, self._table.c, rows)

    def _link(self) -> None:
        if self._parameters:
            super()._link()
        else:
            self._one_row(self._table, self._rows)

    def _reason(self, value: int, at: int) -> str:
        return f"it is not below {self._table.n_symbols}"

    def _mode(self, *rows: Any) -> Any:
        modes = np.diff(self._table.cdf, axis=1).argmax(1)
        return modes[rows[0] if rows else self._rows]

    def _given(self) -> dict[str, Any]:
        given: dict[str, Any] = {"table": self._table}
        if self._parameters:
            return {**given, "rows": self._parameters[0].array}
        if self._rows:
            given["rows"] = self._rows
        return {**given, "shape": self.shape} if self.shape else given


class Weighted(Distribution):
    """Symbols under weights that need no normalisation, or under probabilities.

    Parameters
    ----------
    weights : array_like, shape (..., K)
        Of integers, each row with a sum of 1 to 2**28: a symbol of weight 0 is never
        popped and cannot be pushed. Or of floats, probabilities whose rows sum to about
        1, between 1/2 and ``2 - K 2**-27``. The shape of the value is that of the
        leading axes.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If the weights form no array of integers from 0 on, or of floats; from `push`,
        if a symbol is K or more, or its weight is 0.
    ModelError
        From `push` and `pop`, if a sum is out of range.

    Notes
    -----
    A probability p is the integer weight ``1 + floor(p * 2**27)``: exact, and the same
    everywhere for the same floats. Whether two machines compute the same floats is
    another matter; where they do not, freeze a `Table`.

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), Weighted([[1, 2, 0], [7, 0, 9]])
    >>> message.push(law, [1, 2])
    >>> message.pop(law)
    array([1, 2], dtype=uint32)
    """

    _noun = "symbol"
    _row_axes = 1

    def __init__(self, weights: ArrayLike, *, copy: bool = True) -> None:
        super().__init__(as_weights(weights, copy), dtype=np.uint32)

    def _init(self, c: Any, weights: Any) -> Any:
        return lib.bbans_distribution_init_weighted(c, weights, self._row[0])

    def _reason(self, value: int, at: int) -> str:
        symbols = self._row[0]
        inside = 0 <= value < symbols
        return "its weight is 0" if inside else f"it is not below {symbols}"

    def _mode(self, weights: Any) -> Any:
        return weights.argmax(-1)


class Uniform(Distribution):
    """Values 0 .. total - 1, all equally likely.

    Parameters
    ----------
    total : int
        1 to 2**28; ``2**b`` codes b raw bits.
    shape : int or tuple of int, optional
        Of the value as a codec; by default one int.

    Raises
    ------
    ModelError
        If `total` is out of range.
    SymbolError
        From `push`, if a value is not below `total`.

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), Uniform(6)
    >>> message.push(law, 4)
    >>> message.pop(law)
    4
    """

    def __init__(self, total: int, shape: Shape = ()) -> None:
        self._total = as_integer(total, "total", 1, lib.BBANS_TOTAL_MAX)
        super().__init__(dtype=np.uint32, shape=shape)

    def _init(self, c: Any) -> Any:
        return lib.bbans_distribution_init_uniform(c, self._total)

    def _reason(self, value: int, at: int) -> str:
        return f"it is not below {self._total}"

    def _mode(self) -> Any:
        return 0

    def _given(self) -> dict[str, Any]:
        return {"total": self._total} | ({"shape": self.shape} if self.shape else {})


class UniformRange(Distribution):
    """Integers `low` .. `high`, all equally likely.

    Parameters
    ----------
    low, high : int or array_like of int
        Of 64 bits with sign, ``low <= high``.
    shape : int or tuple of int, optional
        Of the value as a codec; by default that of `low` and `high` together.
    dtype : data-type
        Of popped integers.

    Raises
    ------
    SymbolError
        If there is no such range; from `push`, if a value is outside; from `pop`, if
        `dtype` does not hold one.

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), UniformRange(-9, [9, 90])
    >>> message.push(law, [-5, 70])
    >>> message.pop(law)
    array([-5, 70])
    """

    def __init__(
        self,
        low: ArrayLike,
        high: ArrayLike,
        shape: Shape | None = None,
        dtype: DTypeLike = np.int64,
    ) -> None:
        numbers: Any = low, high
        if all(map(_is_number, numbers)):
            self._ends: tuple[int, int] | None = as_ends(*numbers)
            super().__init__(dtype=dtype, shape=() if shape is None else shape)
            return
        self._ends = None
        ends = [_as_int64(low, "low"), _as_int64(high, "high")]
        whole = joint_shape(*ends)
        lows, highs = (np.broadcast_to(end, whole) for end in ends)
        if (lows > highs).any():
            at = int(np.flatnonzero(lows > highs)[0])
            raise SymbolError(
                f"low {lows.flat[at]} at position {at} is above high {highs.flat[at]}"
            )
        given = Integers(-(1 << 63), (1 << 63) - 1)
        super().__init__(
            Parameter("low", ends[0], given), Parameter("high", ends[1], given),
            dtype=dtype, shape=shape,
        )  # fmt: skip

    def _init(self, c: Any, *ends: Any) -> Any:
        if self._ends is None:
            return lib.bbans_distribution_init_ranges(c, *ends)
        return lib.bbans_distribution_init_range(c, *self._ends)

    def _reason(self, value: int, at: int) -> str:
        low, high = self._ends or (int(array.flat[at]) for array in self._arrays)
        return f"it is outside {low} .. {high}"

    def _mode(self, *ends: Any) -> Any:
        return ends[0] if self._ends is None else self._ends[0]

    def _given(self) -> dict[str, Any]:
        if self._ends is None:
            return super()._given()
        given = dict(zip(("low", "high"), self._ends, strict=True))
        return given | ({"shape": self.shape} if self.shape else {})


def _is_number(end: Any) -> bool:
    """Whether this is one number, not an array of any library or shape."""
    if isinstance(end, np.generic):
        return True
    exports = hasattr(end, "__array__") or hasattr(end, "__dlpack_device__")
    return not (exports or isinstance(end, list | tuple))


def _as_int64(ends: ArrayLike, name: str) -> NDArray[np.int64]:
    array = as_array(ends, name)
    if array.size and array.dtype.kind not in "iu":
        raise not_integers(name, array)
    if array.dtype == np.uint64 and (array >> np.uint64(63)).any():
        at = int(np.flatnonzero(array >> np.uint64(63))[0])
        raise SymbolError(
            f"{name} {array.flat[at]} at position {at} is not below 2**63"
        )
    return np.array(array, np.int64, order="C")


class Bernoulli(Distribution):
    """Bits, each with a probability of its own.

    Parameters
    ----------
    one : array_like of float
        Probability of 1, or the uint32 array that `fixed_probabilities` returns; the
        last 4 bits of that are dropped.
    prec : int, optional
        If it is given, 1 to 28, `one` is integers: of ``2**prec`` slots those of bit
        1, 1 to ``2**prec - 1``.
    copy : bool
        False: `Distribution`, Notes. Only integers are read where they are.

    Raises
    ------
    SymbolError
        If a parameter is out of range, is no number, or an integer of numpy that is
        not fixed point; from `push`, if a value is not 0 or 1.

    Examples
    --------
    >>> from bbans import Message
    >>> message, law = Message(), Bernoulli([0.1, 0.9])
    >>> message.push(law, [0, 1])
    >>> message.pop(law)
    array([0, 1], dtype=uint32)
    """

    _noun = "bit"

    def __init__(
        self, one: ArrayLike, *, prec: int | None = None, copy: bool = True
    ) -> None:
        self._prec = prec
        bits = 28 if prec is None else as_integer(prec, "prec", 1, lib.BBANS_PREC_MAX)
        if prec is None:
            fixed = PROBABILITIES.parameter("one", one).array
            masses, copy = np.maximum(fixed >> 4, 1), False
        else:
            masses = as_uint32(one, "mass of bit 1")
        given = Parameter("one", kept(masses, copy), Integers(1, (1 << bits) - 1))
        if copy:
            given.check()
        super().__init__(given, dtype=np.uint32)

    def _init(self, c: Any, masses: Any) -> Any:
        bits = 28 if self._prec is None else self._prec
        masses = pointer(self._arrays[0])
        return lib.bbans_distribution_init_bernoulli(c, bits, masses)

    def _reason(self, value: int, at: int) -> str:
        return "it is not 0 or 1"

    def _mode(self, masses: Any) -> Any:
        bits = 28 if self._prec is None else self._prec
        return masses > 1 << (bits - 1)

    def _given(self) -> dict[str, Any]:
        ((name, masses),) = super()._given().items()
        if self._prec is None:
            return {name: masses / 2.0**28}
        return {name: masses, "prec": self._prec}
