"""Tables whose rows have lengths of their own, and the values under them.

docs/maths.md, "Ragged tables".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_array, as_instance, as_integer, as_parts, not_integers
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans.distributions.base import Distribution
from bbans.distributions.categorical import Shape, as_rows
from bbans.distributions.table import PREC_DEFAULT, edges_of, quantise
from bbans.errors import ModelError

__all__ = ["Ragged", "RaggedTable"]

_MOST = (1 << 63) - 1


class RaggedTable:
    """Frozen distributions of integers, one per row, over ranges of their own.

    Parameters
    ----------
    cdfs : sequence of array_like of int
        Edges in slots: each row rises strictly from 0 to ``2**prec``.
    prec : int
        Precision r in bits, 1 to 28.
    offsets : int or array_like of int
        The value of each row's first symbol; of one for all, or of 64 bits each.
    escape : bool
        Whether the last symbol of each row stands for all other values of 64 bits: it
        is followed by 4 to 71 bits, few for values near those of the row. Otherwise
        values outside their row are refused.

    Raises
    ------
    ModelError
        If the edges, or another argument, break a condition above; the text names the
        row.
    SymbolError
        If they are no integers.

    Notes
    -----
    docs/maths.md, "Ragged tables".
    """

    def __init__(
        self,
        cdfs: Sequence[ArrayLike],
        prec: int,
        *,
        offsets: ArrayLike = 0,
        escape: bool = False,
    ) -> None:
        parts = as_parts(cdfs, "cdfs", "a sequence of rows of edges")
        rows = [as_uint32(row, "edge") for row in parts]
        for i, row in enumerate(rows):
            if row.ndim != 1 or row.size < 2:
                raise ModelError(
                    f"row {i} of cdfs must be two edges or more, not of shape "
                    f"{row.shape}"
                )
        if not rows:
            raise ModelError("cdfs must hold a row or more")
        lengths = np.array([row.size - 1 for row in rows], np.uint32)
        self._fill(np.concatenate(rows), lengths, prec, offsets, escape)

    @classmethod
    def from_masses(
        cls,
        masses: Sequence[ArrayLike],
        prec: int = PREC_DEFAULT,
        *,
        offsets: ArrayLike = 0,
        escape: bool = False,
    ) -> RaggedTable:
        """Freeze rows of float masses, each by `quantise`; with `escape` the last of a
        row is that of all values outside."""
        parts = as_parts(masses, "masses", "a sequence of rows of masses")
        rows = [edges_of(quantise(row, prec)) for row in parts]
        return cls(rows, prec, offsets=offsets, escape=escape)

    @classmethod
    def from_padded(
        cls,
        cdfs: ArrayLike,
        sizes: ArrayLike,
        prec: int,
        *,
        offsets: ArrayLike = 0,
        escape: bool = False,
    ) -> RaggedTable:
        """Make a table of a rectangle of edges, shape (N, width), of which row i counts
        up to ``sizes[i]`` edges."""
        edges, ends = as_uint32(cdfs, "edge"), as_uint32(sizes, "size")
        if edges.ndim != 2 or ends.shape != edges.shape[:1] or not ends.size:
            raise ModelError(
                f"padded cdfs have shape (N, width) and N sizes, N > 0, not "
                f"{edges.shape} and {ends.shape}"
            )
        outside = (ends < 2) | (ends > edges.shape[1])
        if outside.any():
            i = int(np.flatnonzero(outside)[0])
            raise ModelError(f"size {ends[i]} of row {i} is not 2 to {edges.shape[1]}")
        held = np.arange(edges.shape[1]) < ends[:, None]
        table: RaggedTable = object.__new__(cls)
        table._fill(edges[held], ends - np.uint32(1), prec, offsets, escape)
        return table

    @classmethod
    def of_rows(cls, edges: NDArray[np.uint32], prec: int, offset: int) -> RaggedTable:
        """Make a table of rows of one length, shape (N, K + 1), quickly; of no rows one
        that is not used.

        Raises
        ------
        ModelError
            If the edges, or another argument, break a condition of the class.
        SymbolError
            If they are no integers.
        """
        edges = as_uint32(edges, "edge")
        if edges.ndim != 2 or edges.shape[1] < 2:
            raise ModelError(
                f"edges must have shape (N, K + 1), K > 0, not {edges.shape}"
            )
        if not len(edges):
            prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
            return cls([[0, 1 << prec]], prec)
        lengths = np.full(len(edges), edges.shape[1] - 1, np.uint32)
        table: RaggedTable = object.__new__(cls)
        table._fill(edges.reshape(-1), lengths, prec, offset, False)
        return table

    def _fill(
        self,
        cdf: NDArray[np.uint32],
        lengths: NDArray[np.uint32],
        prec: int,
        offsets: ArrayLike,
        escape: bool,
    ) -> None:
        self.prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
        self.escape = bool(as_integer(escape, "escape", 0, 1))
        self._cdf, self._lengths = np.ascontiguousarray(cdf), lengths
        self.offsets = _offsets(offsets, lengths, self.escape)
        for array in (self._cdf, self._lengths, self.offsets):
            array.flags.writeable = False  # it is checked once
        n, size = lengths.size, pointer(self._lengths)
        n_bytes = lib.bbans_ragged_bytes(size, n, self.prec)
        self._memory = np.empty(n_bytes // 8 + 1, np.uint64)
        self.c = ffi.new("bbans_ragged *")
        self._keep = pointer(self._cdf), pointer(self._memory, "uint64_t[]")
        status = lib.bbans_ragged_init(
            self.c, self.prec, self.escape, self._keep[0], size,
            pointer(self.offsets, "int64_t[]"), n, self._keep[1], self._memory.nbytes,
        )  # fmt: skip
        if status != lib.BBANS_OK:
            self._blame()
        check(status)

    def _blame(self) -> None:
        """Name the first row that is none, if one is."""
        top = 1 << self.prec
        for i in range(self.n_rows):
            edges = self.row(i).astype(np.int64)
            steps = np.flatnonzero(np.diff(edges) <= 0)
            if edges[0] != 0 or edges[-1] != top:
                what = f"goes from {edges[0]} to {edges[-1]}, not from 0 to {top}"
            elif steps.size:
                k = int(steps[0])
                what = f"does not rise from edge {k} to {k + 1}: {edges[k]}"
            else:
                continue
            raise ModelError(f"row {i} of cdfs {what}", lib.BBANS_ERR_TABLE)

    @property
    def n_rows(self) -> int:
        """Number of distributions N."""
        return int(self._lengths.size)

    @property
    def n_symbols(self) -> NDArray[np.uint32]:
        """Number of symbols of each row, the escape included."""
        return self._lengths

    def row(self, i: int) -> NDArray[np.uint32]:
        """The edges of row i."""
        ends = np.cumsum(self._lengths.astype(np.int64) + 1)
        at = as_integer(i, "row", 0, self.n_rows - 1)
        return self._cdf[ends[at] - self._lengths[at] - 1 : ends[at]]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (
            *(self._cdf, self._lengths, self.prec, self.offsets, self.escape),
        )

    def __repr__(self) -> str:
        lengths = f"{self._lengths.min()} to {self._lengths.max()}"
        with_escape = ", escape" if self.escape else ""
        return (
            f"<RaggedTable of {self.n_rows} x {lengths}, {self.prec} bits{with_escape}>"
        )


def _restored(
    cdf: NDArray[np.uint32],
    lengths: NDArray[np.uint32],
    prec: int,
    offsets: NDArray[np.int64],
    escape: bool,
) -> RaggedTable:
    table: RaggedTable = object.__new__(RaggedTable)
    table._fill(cdf, lengths, prec, offsets, escape)
    return table


def _offsets(
    offsets: ArrayLike, lengths: NDArray[np.uint32], escape: bool
) -> NDArray[np.int64]:
    array = as_array(offsets, "offsets", ModelError)
    if array.dtype.kind not in "iu":
        raise not_integers("offsets", array)
    if array.shape not in ((), lengths.shape):
        raise ModelError(
            f"offsets must be one integer or {lengths.size}, not of shape {array.shape}"
        )
    given = np.broadcast_to(array, lengths.shape)
    most = _MOST - lengths.astype(np.int64)
    if given.dtype.kind == "u":  # compared with int64, some are floats to numpy
        beyond = given.astype(np.uint64) > most.astype(np.uint64)
    else:
        beyond = given > most
    if beyond.any():
        i = int(np.flatnonzero(beyond)[0])
        raise ModelError(
            f"offset {given[i]} of row {i} is not {-_MOST - 1} to {most[i]}"
        )
    alone = (given == -_MOST - 1) & (lengths == 1)
    if escape and alone.any():
        i = int(np.flatnonzero(alone)[0])
        raise ModelError(
            f"offset {given[i]} of row {i}, which is an escape alone, is not "
            f"{-_MOST} to {most[i]}"
        )
    return given.astype(np.int64)


class Ragged(Distribution):
    """Integers under the rows of a ragged table.

    Parameters
    ----------
    table : RaggedTable
        Frozen distributions.
    rows : int or array_like of int
        The row for each value; by default the first for all.
    shape : int or tuple of int, optional
        Of the value as a codec; by default that of `rows`.
    dtype : data-type
        Of popped integers.
    copy : bool
        False: `Distribution`, Notes.

    Raises
    ------
    SymbolError
        If `rows` does not fit `shape`, or there is no such row; from `push`, if a value
        is outside its row, and the table has no escape; from `pop`, if `dtype` does not
        hold a value.
    ModelError
        If `table` is none.

    Examples
    --------
    >>> from bbans import Message
    >>> from bbans.distributions import Ragged, RaggedTable
    >>> masses = [[1.0, 6.0, 1.0, 0.1], [1.0, 2.0, 3.0, 4.0, 3.0, 2.0, 0.1]]
    >>> table = RaggedTable.from_masses(masses, offsets=[-1, -2], escape=True)
    >>> message, law = Message(), Ragged(table, [0, 1, 0])
    >>> message.push(law, [-1, 3, 400])
    >>> message.pop(law)
    array([ -1,   3, 400])
    """

    def __init__(
        self,
        table: RaggedTable,
        rows: ArrayLike = 0,
        shape: Shape | None = None,
        dtype: DTypeLike = np.int64,
        *,
        copy: bool = True,
    ) -> None:
        self._table = as_instance(
            table, RaggedTable, "table", "a RaggedTable, as from its from_masses"
        )
        parameters = as_rows(rows, table.n_rows, copy)
        super().__init__(*parameters, dtype=dtype, shape=shape)

    def _init(self, c: Any, rows: Any = (ffi.NULL, 0)) -> Any:
        return lib.bbans_distribution_init_ragged(c, self._table.c, rows)

    def _reason(self, value: int, at: int) -> str:
        row = int(self._arrays[0].flat[at]) if self._arrays else 0
        first = int(self._table.offsets[row])
        last = first + int(self._table.n_symbols[row]) - 1
        return (
            f"row {row} holds {first} to {last}; a table with escape=True codes all "
            "integers"
        )

    def _mode(self, *rows: Any) -> Any:
        table, modes = self._table, []
        for i in range(table.n_rows):
            masses = np.diff(table.row(i))[: int(table.n_symbols[i]) - table.escape]
            likely = int(masses.argmax()) if masses.size else 0
            modes.append(int(table.offsets[i]) + likely)
        return np.array(modes, np.int64)[rows[0] if rows else 0]

    def _given(self) -> dict[str, Any]:
        given: dict[str, Any] = {"table": self._table}
        if self._parameters:
            return {**given, "rows": self._parameters[0].array}
        return {**given, "shape": self.shape} if self.shape else given
