"""What models of symbols are trained on: one sequence or several, in many forms."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import (
    MAX_SYMBOLS,
    Alphabet,
    Symbols,
    as_alphabet,
    as_integers,
)

__all__ = [
    "NO_DATA",
    "NoDataError",
    "alphabet_for",
    "as_sequences",
    "check_axes",
    "encode_all",
    "encode_one",
    "frequencies_of",
    "in_memory",
    "infer_alphabet",
    "passes_of",
    "peek",
    "training_alphabet",
]

NO_DATA = "no data to train on: there are no sequences, or all of them are empty"
_BYTES = (bytes, bytearray, memoryview)


class NoDataError(ModelError):
    """Sequences without a symbol."""


def as_sequences(sequences: Any) -> Iterable[Symbols]:
    """Return an iterable of sequences, which may have been given as one alone."""
    if isinstance(sequences, np.ndarray) and sequences.dtype.kind in "STU":
        raise SymbolError(
            f"an array of dtype {sequences.dtype} is no sequence: pass x.tolist(), a "
            "list of sequences"
        )
    check_axes(sequences)
    if isinstance(sequences, (str, *_BYTES, np.ndarray)):
        several = (str, *_BYTES, list, tuple, np.ndarray)
        if (
            isinstance(sequences, np.ndarray)
            and sequences.dtype.kind == "O"
            and isinstance(next(iter(sequences), None), several)
        ):
            return list(sequences)
        return [sequences]
    if isinstance(sequences, (list, tuple)):
        if sequences and isinstance(sequences[0], (int, np.integer)):
            return [sequences]  # a list of integers is one sequence
        return sequences
    try:
        iterator = iter(sequences)
    except TypeError:
        raise ModelError(
            f"sequences must be data or a list of such, not {type(sequences).__name__}"
        ) from None
    head, items = peek(iterator)
    if isinstance(head, (int, np.integer)):
        numbers: Any = list(items)
        return [numbers]
    return items


def passes_of(sequences: Any) -> Callable[[], Iterable[Symbols]]:
    """Return a function that gives the sequences at each call."""
    held = in_memory(sequences)
    return (lambda: as_sequences(held())) if callable(held) else (lambda: held)


def in_memory(sequences: Any) -> Any:
    """Sequences in a list, unless they are given by a function."""
    if callable(sequences):
        return sequences
    items = as_sequences(sequences)
    return items if isinstance(items, (list, tuple)) else list(items)


def peek(items: Iterable[Symbols]) -> tuple[Symbols | None, Iterable[Symbols]]:
    """Return the first sequence, or None, and all of them."""
    if isinstance(items, (list, tuple)):
        return (items[0] if items else None), items
    iterator = iter(items)
    for first in iterator:
        return first, itertools.chain([first], iterator)
    return None, ()


def alphabet_for(items: Iterable[Symbols], alphabet: Alphabet) -> Alphabet:
    """An alphabet of numbers is one of bytes where the data are bytes, or text."""
    first, _ = peek(items)
    if alphabet.kind == "integers" and isinstance(first, (str, *_BYTES)):
        symbols = alphabet.size if alphabet.values is None else alphabet.values
        with suppress(ModelError):
            return Alphabet(symbols, kind="bytes", ends=alphabet.ends)
    return alphabet


def training_alphabet(
    passes: Callable[[], Iterable[Symbols]],
    alphabet: Alphabet | int | str | ArrayLike | None,
    init: Any = None,
    ends: bool = False,
    *,
    utf8: bool = False,
) -> Alphabet:
    """What a model of these sequences codes.

    Parameters
    ----------
    passes : callable
        Gives the sequences at each call.
    alphabet : optional
        What `fit` was given.
    init : float model, optional
        Where training starts: its alphabet is the next choice.
    ends : bool
        Whether sequences end; what `alphabet` and `init` say of that holds as well.
    utf8 : bool
        Whether text is coded by its UTF-8 if nothing says otherwise, or by the
        characters that occur.

    Raises
    ------
    ModelError
        If `init` does not end and sequences do; or of `infer_alphabet`.
    """
    if alphabet is not None:
        return alphabet_for(passes(), as_alphabet(alphabet, ends))
    if init is None:
        return infer_alphabet(passes(), ends, utf8=utf8)
    symbols: Alphabet = init.alphabet
    if ends and not symbols.ends:
        raise ModelError(
            "init has no end of a record: train it with ends=True too, or leave `ends` "
            "out"
        )
    return symbols


def infer_alphabet(
    items: Iterable[Symbols], ends: bool = False, *, utf8: bool = False
) -> Alphabet:
    """The characters that occur, or UTF-8; the 256 bytes; or the integers 0 .. max."""
    characters: set[str] = set()
    M, kinds = 1, dict[str, int]()  # each with its first sequence
    for n, item in enumerate(items):
        if isinstance(item, str):
            kinds.setdefault("text", n)
            if not utf8:
                characters.update(item)
            _check_kinds(kinds)
            continue
        array = _array(item, n)
        if isinstance(item, _BYTES):
            kinds.setdefault("bytes", n)
        elif array.dtype != np.uint8:
            kinds.setdefault("integers", n)
        _check_kinds(kinds)
        if array.size:
            M = max(M, int(array.max()) + 1)
            if int(array.min()) < 0:
                at = int((array < 0).argmax())
                raise SymbolError(
                    f"sequence {n}: symbol {array[at]} at position {at} is negative: "
                    "give the values that occur as `alphabet`"
                )
    if "text" in kinds:
        if utf8:
            return Alphabet.utf8(ends)
        if not characters:
            raise NoDataError(NO_DATA)
        return Alphabet("".join(sorted(characters)), ends=ends)
    if "bytes" in kinds:
        return Alphabet(256, kind="bytes", ends=ends)
    most = MAX_SYMBOLS - bool(ends)
    if most < M:
        raise ModelError(
            f"symbol {M - 1} is above {most - 1}: give the values that occur "
            "as `alphabet`"
        )
    return Alphabet(M, ends=ends)


def _check_kinds(kinds: dict[str, int]) -> None:
    if len(kinds) > 1:
        (one, m), (other, n) = kinds.items()
        raise ModelError(
            "sequences must be all text, all bytes or all integers: sequence "
            f"{m} is of {one}, sequence {n} of {other}"
        )


def _array(item: Symbols, n: int) -> NDArray[Any]:
    """The integers of sequence n, on one axis."""
    try:
        array = as_integers(item)
        check_axes(array)
    except SymbolError as error:
        raise SymbolError(f"sequence {n}: {error}") from None
    return array.ravel()


def check_axes(item: Any) -> None:
    """Refuse an array that could be several sequences as well as one, or that has
    several features; of one feature, (T, 1) is one sequence."""
    if isinstance(item, (str, *_BYTES)):
        return  # NumPy's too, which have no axis
    if getattr(item, "ndim", 1) == 0:
        raise SymbolError("a sequence has one axis, and a number has none: pass [x]")
    if getattr(item, "ndim", 1) > 1 and item.shape[1:] != (1,):
        raise SymbolError(
            f"a sequence has one axis, not shape {item.shape}: pass list(x) if each "
            "row is a sequence, x.ravel() if all are one; MultivariateGaussianHMM and "
            "LGSSM model rows of several features"
        )


def encode_all(
    items: Iterable[Symbols], alphabet: Alphabet
) -> Iterator[NDArray[np.int32]]:
    """Turn sequences into indices, with their ends if the alphabet has one; an error
    names the sequence."""
    end = np.array([alphabet.end] if alphabet.ends else [], np.int32)
    for n, item in enumerate(items):
        try:
            indices = encode_one(item, alphabet)
            yield np.concatenate([indices, end]) if alphabet.ends else indices
        except SymbolError as error:
            if isinstance(items, (list, tuple)) and len(items) == 1:
                raise
            raise SymbolError(f"sequence {n}: {error}") from None


def encode_one(item: Symbols, alphabet: Alphabet) -> NDArray[np.int32]:
    """Turn a sequence into indices, without an end."""
    if not isinstance(item, (str, *_BYTES)):
        item = as_integers(item)
    check_axes(item)
    return alphabet.encode(item)


def frequencies_of(items: Iterable[Symbols], alphabet: Alphabet) -> NDArray[np.float64]:
    """How often each symbol occurs, shape (M,)."""
    counts = np.zeros(alphabet.size)
    for x in encode_all(items, alphabet):
        counts += np.bincount(x, minlength=alphabet.size)
    if not counts.any():
        raise NoDataError(NO_DATA)
    return counts
