"""What `compressai.ans` has, by bbans: the entropy coder of CompressAI's models.

The classes have the methods of those of CompressAI 1.2, take the same lists and return
the same symbols, and take arrays as well, which are several times as quick. Their
streams are others: each side must have the same library. docs/format.md, "Streams of
indexed tables".
"""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_array, as_bytes, not_integers
from bbans._lib import as_uint32, crc32
from bbans._lists import integers, joined, listed
from bbans.distributions.ragged import Ragged, RaggedTable
from bbans.errors import (
    CorruptError,
    FormatError,
    MessageError,
    ModelError,
    SymbolError,
    TruncatedError,
)
from bbans.message.message import Message

__all__ = ["BufferedRansEncoder", "RansDecoder", "RansEncoder", "Tables"]

_PRECISION = 16
_HEADER = 5  # bytes: the lanes, and a CRC-32
# Lanes by the first byte, and the symbols from which on a stream has as many: each
# lane takes some 6 bytes, which are then less than 1 %.
_LANES = {0: 1, 4: 16, 6: 64}
_FROM = [(1 << 16, 6), (1 << 14, 4), (0, 0)]


class Tables:
    """The tables of an entropy model, prepared once for many calls.

    Goes in the place of `cdfs` in each method here, without `cdfs_sizes` and `offsets`.

    Parameters
    ----------
    cdfs : list of list of int, or array_like of int, shape (N, width)
        Edges in slots of ``2**-16``, row by row, padded to any width.
    cdfs_sizes : array_like of int, shape (N,)
        How many edges each row has: 2 more than symbols, as the last symbol stands for
        all others.
    offsets : array_like of int, shape (N,)
        The first symbol of each row.

    Raises
    ------
    ModelError
        If the edges do not rise from 0 to ``2**16``, or shapes do not fit.
    SymbolError
        If these are no integers.
    """

    def __init__(self, cdfs: Any, cdfs_sizes: Any, offsets: Any) -> None:
        self._table = _prepared(*_given(cdfs, cdfs_sizes, offsets))

    @classmethod
    def of(cls, model: Any) -> Tables:
        """Prepare the tables of one of CompressAI's entropy models, after its
        ``update()``: its `quantized_cdf`, `cdf_length` and `offset`.

        Raises
        ------
        ModelError
            If it has none of these.
        """
        names = "quantized_cdf", "cdf_length", "offset"
        for name in names:
            if not hasattr(model, name):
                raise ModelError(
                    f"model must be an entropy model of CompressAI after update(), "
                    f"which has {name}, not {type(model).__name__}"
                )
        return cls(*(getattr(model, name) for name in names))

    @property
    def table(self) -> RaggedTable:
        """What `bbans.distributions.Ragged` takes."""
        return self._table

    def __repr__(self) -> str:
        return f"Tables({self._table!r})"


class RansEncoder:
    """Codes symbols as one stream; has no state."""

    def encode_with_indexes(
        self,
        symbols: Any,
        indexes: Any,
        cdfs: Any,
        cdfs_sizes: Any = None,
        offsets: Any = None,
    ) -> bytes:
        """Code symbols, each under a row of the tables.

        Parameters
        ----------
        symbols : list of int or array_like of int
            Of 32 bits; those that their row does not hold take 4 to 41 bits more.
        indexes : list of int or array_like of int
            The row of each.
        cdfs, cdfs_sizes, offsets
            As of `Tables`, or one of these alone.

        Returns
        -------
        bytes
            For `RansDecoder`. Lanes are chosen by the number of symbols.

        Raises
        ------
        SymbolError
            If symbols or indexes are out of range, no integers, or not as many.
        ModelError
            If the tables are none.
        """
        return _stream([_call(symbols, indexes, _table_of(cdfs, cdfs_sizes, offsets))])

    def __repr__(self) -> str:
        return "RansEncoder()"


class BufferedRansEncoder:
    """Codes symbols of many calls as one stream."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def encode_with_indexes(
        self,
        symbols: Any,
        indexes: Any,
        cdfs: Any,
        cdfs_sizes: Any = None,
        offsets: Any = None,
    ) -> None:
        """Take more symbols, as `RansEncoder.encode_with_indexes`."""
        table = _table_of(cdfs, cdfs_sizes, offsets)
        call = _call(symbols, indexes, table)
        # Arrays of the caller may be other ones when all is coded.
        self._calls.append(call._replace(symbols=call.symbols.copy(),
                                         indexes=call.indexes.copy()))  # fmt: skip

    def flush(self) -> bytes:
        """Return the stream of all symbols since the last one."""
        calls, self._calls = self._calls, []
        return _stream(calls)

    def __getstate__(self) -> dict[str, Any]:
        return {"_calls": list(self._calls)}  # a copy goes on by itself

    def __repr__(self) -> str:
        n = sum(call.symbols.size for call in self._calls)
        return f"<BufferedRansEncoder: {n} symbols so far>"


class RansDecoder:
    """Reads what an encoder made: a stream at once, or symbols as they are needed."""

    def __init__(self) -> None:
        self._message: Message | None = None

    def decode_with_indexes(
        self,
        encoded: bytes,
        indexes: Any,
        cdfs: Any,
        cdfs_sizes: Any = None,
        offsets: Any = None,
    ) -> Any:
        """Decode a whole stream.

        Parameters
        ----------
        encoded : bytes
        indexes, cdfs, cdfs_sizes, offsets
            As they were encoded.

        Returns
        -------
        list of int or ndarray of int32
            The symbols: a list if `indexes` is one.

        Raises
        ------
        CorruptError
            If the stream is damaged, or one of other indexes or tables.
        TruncatedError, FormatError
            If it is none.
        """
        self.set_stream(encoded)
        symbols = self.decode_stream(indexes, cdfs, cdfs_sizes, offsets)
        self.check_end()
        return symbols

    def set_stream(self, encoded: bytes) -> None:
        """Start to read a stream.

        Raises
        ------
        CorruptError, TruncatedError, FormatError
            If it is damaged, or none, as those of compressai are.
        """
        self._message = None
        self._message = _message(as_bytes(encoded, "encoded"))

    def decode_stream(
        self, indexes: Any, cdfs: Any, cdfs_sizes: Any = None, offsets: Any = None
    ) -> Any:
        """Decode the next symbols, in any number: calls need not be the encoder's.

        Raises
        ------
        CorruptError
            If no encoder made the stream of such symbols, as far as can be told.
        MessageError
            If no stream is set.
        """
        if self._message is None:
            raise MessageError("there is no stream: call set_stream(encoded) first")
        table = _table_of(cdfs, cdfs_sizes, offsets)
        rows = _rows(indexes)
        law = Ragged(table, rows, dtype=np.int32, copy=False)
        try:
            symbols: Any = self._message.pop(law, rows.shape)
        except (SymbolError, MessageError) as error:
            law._check()  # an index that is none is the caller's
            raise CorruptError(f"{_DIFFER} ({error})") from None
        self._message.rotate(rows.size)
        return listed(symbols) if isinstance(indexes, list) else symbols

    def check_end(self) -> None:
        """After the last symbol: was exactly this encoded?

        Raises
        ------
        CorruptError
            If something is left of the stream, or was decoded under other tables.
        """
        if self._message is not None and not self._message.is_empty:
            raise CorruptError(f"the stream does not end here: {_DIFFER}")

    def __getstate__(self) -> dict[str, Any]:
        message = self._message
        return {"_message": None if message is None else message.copy()}

    def __repr__(self) -> str:
        return "<RansDecoder without a stream>" if self._message is None else (
            f"<RansDecoder of {self._message!r}>"
        )  # fmt: skip


_DIFFER = "it is damaged, or indexes or tables are not those of the encoder"


class _Call(NamedTuple):
    table: RaggedTable
    symbols: NDArray[Any]
    indexes: NDArray[Any]


def _call(symbols: Any, indexes: Any, table: RaggedTable) -> _Call:
    """The arguments of an encoder, checked."""
    values = _values(symbols, "symbol")
    rows = _rows(indexes)
    if values.shape != rows.shape:
        raise SymbolError(
            f"there must be an index for each of {values.size} symbols, not {rows.size}"
        )
    call = _Call(table, values, rows)
    if rows.size:
        least, most = int(rows.min()), int(rows.max())
        if least < 0 or most >= table.n_rows:
            Ragged(table, rows)  # names the first
        held = np.iinfo(np.int32)
        least, most = int(values.min()), int(values.max())
        if least < held.min or most > held.max:
            outside = (values < held.min) | (values > held.max)
            at = int(np.flatnonzero(outside)[0])
            raise SymbolError(
                f"symbol {values[at]} at position {at} is beyond 32 bits: "
                "bbans.distributions.Ragged codes those"
            )
    return call


def _values(values: Any, what: str) -> NDArray[Any]:
    if isinstance(values, list):
        return integers(values, what)
    array = as_array(values, f"{what}s")
    if array.size and array.dtype.kind not in "iu":
        raise not_integers(f"{what}s", array)
    native = array.dtype.newbyteorder("=") if array.size else np.int32
    return np.ascontiguousarray(array, native).reshape(-1)


def _rows(indexes: Any) -> NDArray[Any]:
    rows = _values(indexes, "index")
    return rows.astype(np.int64) if rows.dtype == np.uint64 else rows


# ---- tables


_cache: OrderedDict[tuple[bytes, ...], RaggedTable] = OrderedDict()
_CACHED = 16  # tables; a model has a few
_lock = Lock()


def _table_of(cdfs: Any, sizes: Any, offsets: Any) -> RaggedTable:
    """The table of these arguments: found again, as long as they have the same
    content."""
    if isinstance(cdfs, Tables):
        return cdfs.table
    given = _given(cdfs, sizes, offsets)
    key = tuple(array.tobytes() for array in given)
    with _lock:
        table = _cache.get(key)
        if table is not None:
            _cache.move_to_end(key)
            return table
    table = _prepared(*given)
    with _lock:
        _cache[key] = table
        while len(_cache) > _CACHED:
            _cache.popitem(last=False)
    return table


def _given(
    cdfs: Any, sizes: Any, offsets: Any
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Edges of all rows end to end, their numbers, and the offsets."""
    if sizes is None or offsets is None:
        raise ModelError(
            "cdfs_sizes and offsets are missing; Tables alone goes without them"
        )
    lengths = _values(sizes, "size").astype(np.int64, copy=False)
    first = _values(offsets, "offset").astype(np.int64, copy=False)
    if isinstance(cdfs, list) and all(isinstance(row, list) for row in cdfs):
        return joined(cdfs, lengths, "edge"), lengths, first
    edges = as_array(cdfs, "cdfs", ModelError)
    if edges.ndim != 2 or lengths.shape != edges.shape[:1]:
        raise ModelError(
            f"cdfs have shape (N, width) and N sizes, not {edges.shape} and "
            f"{lengths.size}"
        )
    outside = (lengths < 0) | (lengths > edges.shape[1])
    if outside.any():
        i = int(np.flatnonzero(outside)[0])
        raise ModelError(f"size {lengths[i]} of row {i} is not 2 to {edges.shape[1]}")
    if edges.dtype.kind not in "iu":
        raise not_integers("cdfs", edges)
    held = np.arange(edges.shape[1]) < lengths[:, None]
    return edges[held].astype(np.int64), lengths, first


def _prepared(
    edges: NDArray[Any], sizes: NDArray[Any], offsets: NDArray[Any]
) -> RaggedTable:
    if not sizes.size or (sizes < 2).any():
        at = int(np.flatnonzero(sizes < 2)[0]) if sizes.size else 0
        what = f"row {at} has {sizes[at]}" if sizes.size else "there is no row"
        raise ModelError(f"a row of cdfs has 2 edges or more: {what}")
    rows = np.split(as_uint32(edges, "edge"), np.cumsum(sizes)[:-1])
    return RaggedTable(rows, _PRECISION, offsets=offsets, escape=True)


# ---- streams


def _stream(calls: list[_Call]) -> bytes:
    n = sum(call.symbols.size for call in calls)
    code = next(code for least, code in _FROM if n >= least)
    message = Message(_LANES[code])
    for call in reversed(_merged(calls)):  # a stack: the last first
        message.rotate(-call.symbols.size)
        law = Ragged(call.table, call.indexes, copy=False)
        message.push(law, call.symbols)
    body = message.to_bytes()
    return _sealed(code, body) + body


def _merged(calls: list[_Call]) -> list[_Call]:
    """The same with as few calls as there are tables in turn."""
    merged: list[list[_Call]] = []
    for call in calls:
        if merged and merged[-1][0].table is call.table:
            merged[-1].append(call)
        else:
            merged.append([call])
    return [
        run[0] if len(run) == 1 else _Call(
            run[0].table,
            np.concatenate([call.symbols for call in run]),
            np.concatenate([call.indexes for call in run]),
        )
        for run in merged
    ]  # fmt: skip


def _sealed(code: int, body: bytes) -> bytes:
    return bytes([code]) + crc32(body, code).to_bytes(4, "little")


def _message(data: bytes) -> Message:
    """The message of a stream, checked."""
    if len(data) < _HEADER:
        raise TruncatedError(f"a stream has {_HEADER} bytes or more, not {len(data)}")
    code, body = data[0], data[_HEADER:]
    if code not in _LANES:
        raise FormatError(
            "this is no stream of bbans.compressai, whose streams are not those of "
            "compressai: encode with the library that decodes"
        )
    if _sealed(code, body) != data[:_HEADER]:
        raise CorruptError("the stream is damaged: its checksum is another")
    return Message.from_bytes(body, _LANES[code])
