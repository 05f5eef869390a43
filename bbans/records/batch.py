"""Many sequences under a frozen HMM: each on its own, or packed into one message."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_array, as_bytes, as_integer
from bbans._lib import empty_symbols, ffi, lib, pointer
from bbans._records import check_limit
from bbans.errors import BbansError, ModelError, SymbolError
from bbans.frozen.hmm import FrozenHMM, as_frozen
from bbans.message.message import Message

__all__ = ["decode_batch", "decode_packed", "encode_batch", "encode_packed"]

# Symbols that one C call codes: the unit of work of a thread.
PART = 1 << 18

Offsets = NDArray[np.uint64]


def encode_batch(
    sequences: Sequence[Any],
    model: FrozenHMM,
    *,
    predictive: bool = False,
    threads: int = 1,
) -> tuple[bytes, Offsets]:
    """Code many sequences, each as a message of its own.

    Parameters
    ----------
    sequences : sequence of str, bytes or array_like of int
        Of any lengths; what the model's alphabet holds.
    model : FrozenHMM
    predictive : bool
        Use the range coder alone, without bits back.
    threads : int
        The result does not depend on it.

    Returns
    -------
    data : bytes
        The messages, end to end: message k is
        ``data[offsets[k] : offsets[k + 1]]``, the same bytes as
        ``encode(sequences[k], model)``.
    offsets : ndarray of uint64, shape (N + 1,)

    Raises
    ------
    SymbolError
        If a symbol is not in the alphabet; the text names it, its position and
        its sequence.
    """
    x, starts = _joined(sequences, model)
    parts = _parts(starts)
    model = model.with_mode("predictive") if predictive else model

    def encode(part: slice) -> tuple[bytes, Offsets]:
        local, symbols = _part(starts, x, part)
        longest = int(np.diff(local).max(initial=0))
        n = local.size - 1
        turns = min(n, lib.BBANS_BATCH)
        message, work = Message(), model.workspace(longest, turns)
        out = np.empty(8 * symbols.size + 40 * n, np.uint8)
        ends, failed = np.empty(n + 1, np.uint64), ffi.new("size_t *")
        message.call(
            "batch_encode", model.space, pointer(symbols, "char[]"),
            pointer(local, "uint64_t[]"), n,
            pointer(work, "uint64_t[]"), work.nbytes, ...,
            pointer(out, "uint8_t[]"), out.size, pointer(ends, "uint64_t[]"), failed,
            words=turns * model.push_words(longest),
        )  # fmt: skip
        return out[: int(ends[-1])].tobytes(), ends

    done = _run(encode, parts, threads)
    offsets = np.zeros(starts.size, np.uint64)
    for part, (_, ends) in zip(parts, done, strict=True):
        offsets[part.start + 1 : part.stop + 1] = ends[1:] + offsets[part.start]
    return b"".join(data for data, _ in done), offsets


def decode_batch(
    data: bytes,
    offsets: Sequence[int] | Offsets,
    lengths: Sequence[int] | NDArray[Any],
    model: FrozenHMM,
    *,
    predictive: bool = False,
    threads: int = 1,
    max_bytes: int | None = None,
) -> list[NDArray[Any]]:
    """Decode what `encode_batch` returned.

    Parameters
    ----------
    data, offsets
        As returned. Any run of messages decodes by itself: give
        ``offsets[a : b + 1]`` and ``lengths[a:b]``.
    lengths : sequence of int, length N
        Symbols in each sequence.
    model : FrozenHMM
    predictive : bool
        As they were encoded.
    threads : int
        The result does not depend on it.
    max_bytes : int, optional
        The most bytes that all sequences together may take; by default there is no
        limit. Memory and time grow with `lengths`, whatever `data` is.

    Returns
    -------
    list of ndarray
        As `decode` returns them.

    Raises
    ------
    LimitError
        If they would take more than `max_bytes`. Nothing was decoded.
    CorruptError
        As `decode` raises it; the text names the sequence.
    """
    as_frozen(model)
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
    _check_limit(starts, model, max_bytes)
    model = model.with_mode("predictive") if predictive else model
    x = empty_symbols(int(starts[-1]))
    source = np.frombuffer(data, np.uint8)

    def decode(part: slice) -> None:
        local, symbols = _part(starts, x, part)
        first = ends[part.start]
        byte_offsets = ends[part.start : part.stop + 1] - first
        turns = min(local.size - 1, lib.BBANS_BATCH)
        message, work = Message(), model.workspace(1, turns)
        words = np.diff(byte_offsets).max() // 4 + np.diff(local).max() + 1
        failed = ffi.new("size_t *")
        try:
            message.call(
                "batch_decode", model.space, pointer(source[int(first) :], "uint8_t[]"),
                pointer(byte_offsets, "uint64_t[]"), pointer(symbols, "char[]"),
                pointer(local, "uint64_t[]"), local.size - 1,
                pointer(work, "uint64_t[]"), work.nbytes, ..., failed,
                words=turns * int(words),
            )  # fmt: skip
        except BbansError as error:
            at = part.start + failed[0]
            raise type(error)(f"sequence {at}: {error}", error.status) from None

    _run(decode, _parts(starts), threads)
    values = model.alphabet.decode(x)
    return np.split(values, starts[1:-1].astype(np.intp)) if starts.size > 1 else []


def encode_packed(sequences: Sequence[Any], model: FrozenHMM) -> bytes:
    """Code many sequences as one message, with the least overhead.

    Parameters
    ----------
    sequences : sequence of str, bytes or array_like of int
    model : FrozenHMM

    Returns
    -------
    bytes
        About 4 bits more than the information content of all sequences together.
        None decodes without those before it.

    Notes
    -----
    docs/maths.md, section 8.
    """
    x, starts = _joined(sequences, model)
    work = model.workspace(int(np.diff(starts).max(initial=0)))
    message = Message()
    message.call(
        "packed_encode", model.space, pointer(x, "char[]"),
        pointer(starts, "uint64_t[]"), starts.size - 1,
        pointer(work, "uint64_t[]"), work.nbytes, ...,
        words=model.push_words(x.size),
    )  # fmt: skip
    return message.to_bytes()


def decode_packed(
    data: bytes,
    lengths: Sequence[int] | NDArray[Any],
    model: FrozenHMM,
    *,
    max_bytes: int | None = None,
) -> list[NDArray[Any]]:
    """Decode what `encode_packed` returned, given the sequences' lengths.

    Parameters
    ----------
    data : bytes
    lengths : sequence of int, length N
        Symbols in each sequence.
    model : FrozenHMM
    max_bytes : int, optional
        As for `decode_batch`.

    Returns
    -------
    list of ndarray
        As `decode` returns them.

    Raises
    ------
    LimitError
        If they would take more than `max_bytes`. Nothing was decoded.
    CorruptError
        If no encoder wrote these bytes for this model and these lengths.
    """
    starts = _starts(lengths)
    work = as_frozen(model).workspace(1)
    _check_limit(starts, model, max_bytes)
    x = empty_symbols(int(starts[-1]))
    message = Message.from_bytes(data)
    message.call(
        "packed_decode", model.space, ..., pointer(x, "char[]"),
        pointer(starts, "uint64_t[]"), starts.size - 1,
        pointer(work, "uint64_t[]"), work.nbytes, words=model.pop_words(x.size),
    )  # fmt: skip
    values = model.alphabet.decode(x)
    return np.split(values, starts[1:-1].astype(np.intp)) if starts.size > 1 else []


def _joined(
    sequences: Sequence[Any], model: FrozenHMM
) -> tuple[NDArray[np.uint32], Offsets]:
    """All symbols end to end, and where each sequence starts."""
    as_frozen(model)
    encoded = []
    for k, sequence in enumerate(_each(sequences)):
        try:
            encoded.append(model.alphabet.encode(sequence))
        except SymbolError as error:
            raise SymbolError(f"sequence {k}: {error}") from None
    starts = _starts([part.size for part in encoded])
    x = np.concatenate(encoded) if encoded else np.zeros(0)
    return x.astype(np.uint32), starts


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


def _check_limit(starts: Offsets, model: FrozenHMM, max_bytes: int | None) -> None:
    what = f"{starts.size - 1} sequences"
    check_limit(int(starts[-1]), model.alphabet.itemsize, max_bytes, what)


def _integers(values: Sequence[int] | NDArray[Any], what: str) -> Offsets:
    array = as_array(values, what, ModelError)
    if array.size == 0:
        return np.zeros(0, np.uint64)
    if array.ndim != 1 or array.dtype.kind not in "iu" or (array < 0).any():
        raise ModelError(f"{what} must be a row of integers, none negative")
    return np.require(array, np.uint64, ["C", "A"])


def _parts(starts: Offsets) -> list[slice]:
    """Runs of whole sequences of about PART symbols: fixed by the data alone."""
    parts, first = [], 0
    while first < starts.size - 1:
        end = int(np.searchsorted(starts, starts[first] + np.uint64(PART)))
        stop = min(max(end, first + 1), starts.size - 1)
        parts.append(slice(first, stop))
        first = stop
    return parts


def _part(
    starts: Offsets, x: NDArray[np.uint32], part: slice
) -> tuple[Offsets, NDArray[np.uint32]]:
    local = starts[part.start : part.stop + 1]
    return local - local[0], x[int(local[0]) : int(local[-1])]


def _run(work: Callable[[slice], Any], parts: list[slice], threads: int) -> list[Any]:
    threads = as_integer(threads, "threads", 1)
    if threads == 1 or len(parts) < 2:
        return [work(part) for part in parts]
    with ThreadPoolExecutor(threads) as pool:  # C calls release the GIL
        return list(pool.map(work, parts))
