"""Many sequences under a frozen model: each on its own, or chained into one message."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_array, as_bytes
from bbans._lib import ffi, lib, pointer
from bbans._records import check_limit
from bbans._threads import in_order
from bbans.errors import BbansError, CorruptError, ModelError, SymbolError
from bbans.frozen.engine import EngineModel, as_engine
from bbans.message.message import Message

__all__ = ["chain", "decode_batch", "encode_batch", "unchain"]

# Integers that one C call codes: the unit of work of a thread.
PART = 1 << 18

Offsets = NDArray[np.uint64]


def encode_batch(
    sequences: Sequence[Any], model: EngineModel, *, threads: int = 1
) -> tuple[bytes, Offsets]:
    """Code many sequences, each as a message of its own.

    Parameters
    ----------
    sequences : sequence of str, bytes or array_like of int
        Of any lengths; each is what ``model.encode`` takes.
    model : FrozenModel or ParticleFilter
    threads : int
        The result does not depend on it.

    Returns
    -------
    data : bytes
        The messages, end to end: message k is
        ``data[offsets[k] : offsets[k + 1]]``, the same bytes as
        ``model.encode(sequences[k])``.
    offsets : ndarray of uint64, shape (N + 1,)

    Raises
    ------
    SymbolError
        If a sequence is of another kind than the model, or a symbol is not in its
        alphabet; the text names the sequence, the symbol and its position.
    ModelError
        If `model` or `threads` is none of the above.
    """
    x, starts = _joined(sequences, model)
    parts = _parts(starts, model)

    def encode(part: slice) -> tuple[bytes, Offsets]:
        local, symbols = _part(starts, x, part)
        longest = int(np.diff(local).max(initial=0))
        n = local.size - 1
        turns = min(n, lib.BBANS_BATCH)
        message, work = Message(), model._workspace(longest, turns)
        # More than bbans_batch_encode asks for: as if all were one, and n empty ones.
        words = model._push_words(len(symbols)) + n * model._push_words(0)
        out = np.empty(4 * words, np.uint8)
        ends, failed = np.empty(n + 1, np.uint64), ffi.new("size_t *")
        model._call(
            message, "batch_encode", pointer(symbols, "char[]"),
            pointer(local, "uint64_t[]"), n,
            pointer(work, "uint64_t[]"), work.nbytes, ...,
            pointer(out, "uint8_t[]"), out.size, pointer(ends, "uint64_t[]"), failed,
            words=turns * model._push_words(longest),
        )  # fmt: skip
        return out[: int(ends[-1])].tobytes(), ends

    done = list(in_order(encode, parts, threads))
    offsets = np.zeros(starts.size, np.uint64)
    for part, (_, ends) in zip(parts, done, strict=True):
        offsets[part.start + 1 : part.stop + 1] = ends[1:] + offsets[part.start]
    return b"".join(data for data, _ in done), offsets


def decode_batch(
    data: bytes,
    offsets: Sequence[int] | Offsets,
    lengths: Sequence[int] | NDArray[Any],
    model: EngineModel,
    *,
    threads: int = 1,
    max_bytes: int | None = None,
) -> list[Any]:
    """Decode what `encode_batch` returned.

    Parameters
    ----------
    data, offsets
        As returned. Any run of messages decodes by itself: give
        ``offsets[a : b + 1]`` and ``lengths[a:b]``.
    lengths : sequence of int, length N
        Symbols, or rows, in each sequence; under a model of UTF-8, its bytes.
    model : FrozenModel or ParticleFilter
    threads : int
        The result does not depend on it.
    max_bytes : int, optional
        The most bytes that all sequences together may take; by default there is no
        limit. Memory and time grow with `lengths`, whatever `data` is.

    Returns
    -------
    list of str, bytes or ndarray
        As ``model.decode`` returns them.

    Raises
    ------
    LimitError
        If they would take more than `max_bytes`. Nothing was decoded.
    CorruptError
        As ``model.decode`` raises it; the text names the sequence.
    ModelError
        If `model`, `offsets`, `lengths` or `threads` is none of the above.
    """
    as_engine(model)
    data = as_bytes(data, "data")
    starts, ends = _starts(lengths), _integers(offsets, "offsets")
    if (
        ends.shape != starts.shape
        or (ends[1:] < ends[:-1]).any()
        or (ends[-1] > len(data))
    ):
        raise ModelError(
            f"{starts.size - 1} sequences need {starts.size} offsets that do not fall, "
            f"within {len(data)} bytes"
        )
    x = _empty(starts, model, max_bytes)
    source = np.frombuffer(data, np.uint8)

    def decode(part: slice) -> None:
        local, symbols = _part(starts, x, part)
        first = ends[part.start]
        byte_offsets = ends[part.start : part.stop + 1] - first
        turns = min(local.size - 1, lib.BBANS_BATCH)
        message, work = Message(), model._workspace(1, turns)
        words = int(np.diff(byte_offsets).max()) // 4 + 1
        words += model._pop_words(int(np.diff(local).max()))
        failed = ffi.new("size_t *")
        try:
            model._call(
                message, "batch_decode",
                pointer(source[int(first) :], "uint8_t[]"),
                pointer(byte_offsets, "uint64_t[]"), pointer(symbols, "char[]"),
                pointer(local, "uint64_t[]"), local.size - 1,
                pointer(work, "uint64_t[]"), work.nbytes, ..., failed,
                words=turns * words,
            )  # fmt: skip
        except BbansError as error:
            at = part.start + failed[0]
            raise type(error)(f"sequence {at}: {error}", error.status) from None

    for _ in in_order(decode, _parts(starts, model), threads):
        pass
    return _split(x, starts, model)


def chain(sequences: Sequence[Any], model: EngineModel) -> bytes:
    """Code many sequences as one message, with the least overhead.

    Parameters
    ----------
    sequences : sequence of str, bytes or array_like of int
        Each is what ``model.encode`` takes.
    model : FrozenModel or ParticleFilter

    Returns
    -------
    bytes
        About 4 bits more than the information content of all sequences together.
        None decodes without those before it.

    Raises
    ------
    SymbolError, ModelError
        As of `encode_batch`.

    Notes
    -----
    docs/maths.md, "Many sequences as one message".
    """
    x, starts = _joined(sequences, model)
    work = model._workspace(int(np.diff(starts).max(initial=0)))
    message = Message()
    model._call(
        message, "packed_encode", pointer(x, "char[]"),
        pointer(starts, "uint64_t[]"), starts.size - 1,
        pointer(work, "uint64_t[]"), work.nbytes, ...,
        words=model._push_words(len(x)),
    )  # fmt: skip
    return message.to_bytes()


def unchain(
    data: bytes,
    lengths: Sequence[int] | NDArray[Any],
    model: EngineModel,
    *,
    max_bytes: int | None = None,
) -> list[Any]:
    """Decode what `chain` returned, given the sequences' lengths.

    Parameters
    ----------
    data : bytes
    lengths : sequence of int, length N
        Symbols, or rows, in each sequence; under a model of UTF-8, its bytes.
    model : FrozenModel or ParticleFilter
    max_bytes : int, optional
        As for `decode_batch`.

    Returns
    -------
    list of str, bytes or ndarray
        As ``model.decode`` returns them.

    Raises
    ------
    LimitError
        If they would take more than `max_bytes`. Nothing was decoded.
    CorruptError
        If no encoder wrote these bytes for this model and these lengths.
    ModelError
        If `model` or `lengths` is none of the above.
    """
    as_engine(model)
    starts = _starts(lengths)
    x, work = _empty(starts, model, max_bytes), model._workspace(1)
    message = Message.from_bytes(data)
    model._call(
        message, "packed_decode", ..., pointer(x, "char[]"),
        pointer(starts, "uint64_t[]"), starts.size - 1,
        pointer(work, "uint64_t[]"), work.nbytes, words=model._pop_words(len(x)),
    )  # fmt: skip
    return _split(x, starts, model)


def _joined(
    sequences: Sequence[Any], model: EngineModel
) -> tuple[NDArray[Any], Offsets]:
    """All observations end to end, and where each sequence starts."""
    as_engine(model)
    encoded = []
    for k, sequence in enumerate(_each(sequences)):
        try:
            encoded.append(model._symbols(sequence))
        except SymbolError as error:
            raise SymbolError(f"sequence {k}: {error}") from None
    starts = _starts([len(part) for part in encoded])
    return np.concatenate(encoded) if encoded else model._empty(0), starts


def _each(sequences: Any) -> Iterable[Any]:
    """The sequences, if they are not one alone.

    Raises
    ------
    SymbolError
        If they are one, or none.
    """
    if hasattr(sequences, "__array__"):  # of a table, its rows
        sequences = as_array(sequences, "sequences")
    one = isinstance(sequences, str | bytes | bytearray | memoryview) or (
        isinstance(sequences, np.ndarray)
        and (sequences.ndim < 2 and sequences.dtype != object)
    )
    if not one:
        try:
            items = list(sequences)
        except TypeError:
            raise SymbolError(
                f"sequences must be a list of sequences, not {reprlib.repr(sequences)}"
            ) from None
        if not (items and isinstance(items[0], int | np.integer)):
            return items
    raise SymbolError(
        "sequences are one sequence: pass a list of them, [x], or encode(x)"
    )


def _starts(lengths: Sequence[int] | NDArray[Any]) -> Offsets:
    sizes = _integers(lengths, "lengths")
    starts = [0, *np.cumsum(sizes.astype(object))]  # exact, whatever the lengths
    if starts[-1] >= 1 << 60:
        raise ModelError(f"there are no sequences of {starts[-1]} symbols")
    return np.array(starts, np.uint64)


def _empty(starts: Offsets, model: EngineModel, max_bytes: int | None) -> NDArray[Any]:
    """Where all sequences are decoded to, if the caller allows so much."""
    what = f"{starts.size - 1} sequences"
    check_limit(int(starts[-1]), model._itemsize, max_bytes, what)
    return model._empty(int(starts[-1]))


def _split(x: NDArray[Any], starts: Offsets, model: EngineModel) -> list[Any]:
    spans = list(pairwise(starts.tolist()))
    try:
        units = model._in_units(x)
        if model._is_utf8:
            return [model._joined(units[a:b]) for a, b in spans]
        values = model._joined(units)
    except CorruptError:
        for k, (a, b) in enumerate(spans):
            try:
                model._values(x[a:b])
            except CorruptError as error:
                raise CorruptError(f"sequence {k}: {error}") from None
        raise
    size = model.width if isinstance(values, bytes) else 1  # of a row
    return [values[size * a : size * b] for a, b in spans]


def _integers(values: Sequence[int] | NDArray[Any], what: str) -> Offsets:
    array = as_array(values, what, ModelError)
    if array.size == 0:
        return np.zeros(0, np.uint64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array < 0).any():
        raise ModelError(f"{what} must be a row of integers, none negative")
    return np.require(array, np.uint64, ["C", "A"])


def _parts(starts: Offsets, model: EngineModel) -> list[slice]:
    """Runs of whole sequences of about PART integers: fixed by the data alone."""
    parts, first, size = [], 0, np.uint64(PART // model.width)
    while first < starts.size - 1:
        end = int(np.searchsorted(starts, starts[first] + size))
        stop = min(max(end, first + 1), starts.size - 1)
        parts.append(slice(first, stop))
        first = stop
    return parts


def _part(
    starts: Offsets, x: NDArray[Any], part: slice
) -> tuple[Offsets, NDArray[Any]]:
    local = starts[part.start : part.stop + 1]
    return local - local[0], x[int(local[0]) : int(local[-1])]
