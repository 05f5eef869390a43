"""Frozen hidden Markov models: integers only, ready to code.

docs/maths.md, "The frozen HMM" and "The predictive distribution".
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_bytes, as_instance, as_integer
from bbans._kinds import MODEL
from bbans._lib import as_uint32, check, empty_symbols, ffi, lib, pointer
from bbans._records import uvarint
from bbans.distributions.table import _edges
from bbans.errors import (
    CorruptError,
    FormatError,
    ModelError,
    SymbolError,
)
from bbans.frozen.alphabet import Alphabet, as_alphabet
from bbans.frozen.base import (
    ARHMM_TYPE,
    HMM_TYPE,
    KINDS,
    LGSSM_TYPE,
    MODES,
    VERSION,
    FrozenModel,
    Start,
    check_end,
    read_start,
)
from bbans.frozen.contexts import Contexts

__all__ = ["FrozenARHMM", "FrozenHMM", "as_frozen"]

HEADER = struct.Struct("<4s8BIII")


class Head(NamedTuple):
    """The header of a model file, after magic and version."""

    start: Start
    n_states: int
    n_symbols: int
    tail_length: int

    @property
    def alphabet(self) -> str:
        """The kind of the alphabet."""
        listed = "characters" if self.start.kind == TEXT else "integers"
        return listed if self.start.listed else "index"

    def offsets(self) -> tuple[int, int]:
        """Where the masses begin and end."""
        width = ALPHABET_DTYPES[self.alphabet].itemsize if self.start.listed else 0
        begin = HEADER.size + self.n_symbols * width
        rows = self.n_states * (1 + self.n_states + self.n_symbols)
        return begin, begin + 4 * rows


def read_head(data: bytes) -> Head:
    """Read the header of the model file that these bytes begin.

    Raises
    ------
    TruncatedError, VersionError, FormatError
        If they begin none of a hidden Markov model.
    """
    start = read_start(data, HEADER.size)
    if start.model_type == LGSSM_TYPE:
        raise FormatError("a linear Gaussian model; load it with load_model")
    return Head(start, *HEADER.unpack_from(data)[-3:])


INTEGERS, BYTES, TEXT = range(3)
ALPHABET_DTYPES = {"integers": np.dtype("<i8"), "characters": np.dtype("<u4")}


def as_frozen(model: Any) -> FrozenHMM:
    """Return a frozen model as it is; say of anything else what it is instead."""
    if hasattr(model, "freeze"):
        kind = type(model).__name__
        raise ModelError(f"this {kind} is in floating point: code with model.freeze()")
    if not isinstance(model, FrozenHMM):
        path = isinstance(model, str | os.PathLike)
        raise ModelError(
            f"expected a FrozenHMM, not {type(model).__name__}"
            + f": load_model({str(model)!r}) reads one" * path
        )
    return model


class FrozenHMM(FrozenModel):
    """A hidden Markov model in integers, ready to code.

    Parameters
    ----------
    initial, transition, emission : array_like of int
        Masses of shape (K,), (K, K) and (K, M); each at least 1, each row
        sums to ``2**prec``.
    prec : int
        Precision r in bits, 1 to 28.
    tail_length : int
        Observations at the end of a sequence that start it, 1 to 65535.
    alphabet : Alphabet, optional
        What the symbols 0 .. M-1 stand for.

    Raises
    ------
    ModelError
        If the tables break a condition above.

    Notes
    -----
    Immutable; may be shared between threads. Most models come from
    ``HMM.freeze()``. docs/maths.md, section 5.
    """

    _type = HMM_TYPE

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        emission: ArrayLike,
        *,
        prec: int,
        tail_length: int,
        alphabet: Alphabet | None = None,
    ) -> None:
        tables = [
            as_uint32(mass, "mass").copy() for mass in (initial, transition, emission)
        ]
        self._initial, self._transition, self._emission = tables
        if self._emission.ndim != 2:
            raise ModelError("emission must have shape (K, M)")
        n_states, n_symbols = self._emission.shape
        if self._initial.shape != (n_states,):
            raise ModelError(f"initial must have shape ({n_states},)")
        if self._transition.shape != (n_states, n_states):
            raise ModelError(f"transition must have shape ({n_states}, {n_states})")
        self._alphabet = as_alphabet(n_symbols if alphabet is None else alphabet)
        if self.alphabet.size != n_symbols:
            raise ModelError(
                f"alphabet has {self.alphabet.size} symbols, emission {n_symbols}"
            )
        prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
        tail_length = as_integer(tail_length, "tail_length", 1, lib.BBANS_START_MAX)
        size = lib.bbans_hmm_bytes(n_states, n_symbols)
        if size == 0:
            raise ModelError(f"{n_states} states or {n_symbols} symbols are too many")
        for name, table in zip(
            ("initial", "transition", "emission"), tables, strict=True
        ):
            _check_masses(name, np.atleast_2d(table), prec)
            table.flags.writeable = False
        self._memory = np.empty(size // 8 + 1, np.uint64)
        self.c = ffi.new("bbans_hmm *")
        check(
            lib.bbans_hmm_init(
                self.c, n_states, n_symbols, prec, tail_length,
                *(pointer(table) for table in tables),
                pointer(self._memory, "uint64_t[]"), self._memory.nbytes,
            )
        )  # fmt: skip

    # ---- what it is

    @property
    def n_states(self) -> int:
        """Number of states K."""
        return int(self.c.states)

    @property
    def n_symbols(self) -> int:
        """Number of symbols M."""
        return int(self.c.symbols)

    @property
    def prec(self) -> int:
        """Precision r of the tables, in bits."""
        return int(self.c.prec)

    @property
    def alphabet(self) -> Alphabet:
        """What the symbols 0 .. M-1 stand for."""
        return self._alphabet

    @property
    def initial(self) -> NDArray[np.uint32]:
        """Integer masses of z_1, shape (K,)."""
        return self._initial

    @property
    def transition(self) -> NDArray[np.uint32]:
        """Integer masses of z_t given z_t-1 (row), shape (K, K)."""
        return self._transition

    @property
    def emission(self) -> NDArray[np.uint32]:
        """Integer masses of x_t given z_t (row), shape (K, M)."""
        return self._emission

    def __repr__(self) -> str:
        return (
            f"<FrozenHMM {self.fingerprint.hex()}: {self.n_states} states, "
            f"{self.n_symbols} symbols, {self.prec} bits>"
        )

    # ---- the recursions

    @property
    def initial_cdf(self) -> NDArray[np.uint32]:
        """Edges of the initial distribution, shape (1, K + 1)."""
        return _edges(self._initial[None])

    @property
    def transition_cdf(self) -> NDArray[np.uint32]:
        """Edges of the transition rows, shape (K, K + 1)."""
        return _edges(self._transition)

    @property
    def emission_cdf(self) -> NDArray[np.uint32]:
        """Edges of the emission rows, shape (K, M + 1)."""
        return _edges(self._emission)

    def filter(
        self, symbols: ArrayLike, predicted: NDArray[np.uint32] | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Compute exact forward messages.

        Parameters
        ----------
        symbols : array_like of int, shape (T,)
            Symbol numbers 0 .. M-1.
        predicted : ndarray of uint32, shape (K,), optional
            Weights of the first state given the past; by default those of z_1.

        Returns
        -------
        filtered : ndarray of uint32, shape (T, K)
            Weights of z_t given x_1 .. x_t; unnormalised.
        predicted : ndarray of uint32, shape (K,)
            Weights of z_T+1 given x_1 .. x_T.
        """
        values = self.observations(symbols)
        stride = self.c.stride
        state = np.zeros(stride, np.uint32)
        state[: self.n_states] = self._weights(predicted)
        filtered = np.empty((values.size, stride), np.uint32)
        check(
            lib.bbans_hmm_filter(
                self.c, pointer(state), pointer(values), values.size, pointer(filtered)
            )
        )
        return filtered[:, : self.n_states], state[: self.n_states]

    def posterior(
        self, filtered: NDArray[np.uint32], next_state: int | None = None
    ) -> NDArray[np.uint32]:
        """Weights of z_t given x_1 .. x_t, and z_t+1 unless it is None; shape (K,)."""
        if next_state is not None:
            next_state = as_integer(
                next_state, "next_state", 0, self.n_states - 1, SymbolError
            )
        stride = self.c.stride
        weights, edge = np.zeros(stride, np.uint32), np.empty(stride + 1, np.uint32)
        weights[: self.n_states] = self._weights(filtered)
        following = self.n_states if next_state is None else next_state
        check(
            lib.bbans_hmm_posterior(self.c, pointer(weights), following, pointer(edge))
        )
        return np.diff(edge[: self.n_states + 1])

    def predictive_cdf(
        self, predicted: NDArray[np.uint32] | None = None
    ) -> NDArray[np.uint32]:
        """Edges of P(x_t+1 | x_1 .. x_t), shape (M + 1,), from the weights of z_t+1;
        docs/maths.md, section 6."""
        # Sums of weights are below 2**32 and edges at most 2**28: nothing overflows.
        weights = self._weights(predicted).astype(np.uint64)
        below = np.zeros(self.n_symbols + 1, np.uint64)
        np.cumsum(weights @ self._emission, out=below[1:])
        edges: NDArray[np.uint32] = (below // weights.sum()).astype(np.uint32)
        return edges

    def _weights(self, values: ArrayLike | None) -> NDArray[np.uint32]:
        """Weights of the states, by default those of z_1, within the bounds that
        the kernels rely on."""
        if values is None:
            return self._initial
        weights = as_uint32(values, "weight")
        if weights.shape != (self.n_states,):
            raise ModelError(f"weights must have shape ({self.n_states},)")
        if not 0 < weights.sum(dtype=np.uint64) < 1 << 32:
            raise ModelError("weights must have a sum from 1 to 2**32 - 1")
        return weights

    def observations(self, x: ArrayLike) -> NDArray[np.uint32]:
        """Symbol numbers as a uint32 array, each below M."""
        symbols = as_uint32(x, "symbol").ravel()
        self.check_symbols(symbols)
        return symbols

    def empty(self, length: int) -> NDArray[np.uint32]:
        """An array of symbol numbers to decode to."""
        return empty_symbols(length)

    def check_symbols(self, symbols: NDArray[np.uint32]) -> None:
        """Raise `SymbolError` for the first symbol number that is not below M."""
        outside = np.flatnonzero(symbols >= self.n_symbols)
        if outside.size:
            at = int(outside[0])
            raise SymbolError(
                f"symbol {symbols[at]} at position {at} is not below {self.n_symbols}"
            )

    # ---- bytes and files: docs/format.md, "Model file"

    def _payload(self) -> bytes:
        alphabet, values = self.alphabet, b""
        if alphabet.values is not None:
            values = alphabet.values.astype(ALPHABET_DTYPES[alphabet.kind]).tobytes()
        kind = TEXT if alphabet.kind == "characters" else INTEGERS
        if alphabet.kind == "index" and alphabet.size == 256:
            kind = BYTES
        header = HEADER.pack(
            MODEL, VERSION, self._type, MODES.index(self.mode), kind, self.prec,
            alphabet.values is not None, 0, 0,
            self.n_states, self.n_symbols, self.tail_length,
        )  # fmt: skip
        tables = (self._initial, self._transition, self._emission)
        return header + values + b"".join(t.astype("<u4").tobytes() for t in tables)

    @classmethod
    def from_bytes(cls, data: bytes) -> FrozenHMM:
        """Read a model file's bytes, and check them.

        Returns
        -------
        FrozenHMM
            A `FrozenARHMM` if the file holds one, whichever class is asked.

        Raises
        ------
        TruncatedError, CorruptError, VersionError, FormatError
            If these are not the bytes of a model file.
        """
        data = as_bytes(data, "data")
        head = read_head(data)
        start, n_states, n_symbols, tail = head
        model_type, prec, mode = start.model_type, start.detail, MODES[start.mode]
        offset, masses_end = head.offsets()
        size = masses_end
        n_contexts = n_entries = 0
        if model_type == ARHMM_TYPE:
            size += COUNTS.size
            if len(data) >= size:
                n_contexts, n_entries, n_bytes = COUNTS.unpack_from(data, masses_end)
                size += n_bytes
        check_end(data, size)
        words = np.frombuffer(
            data, "<u4", offset=offset, count=(masses_end - offset) // 4
        )
        split = [n_states, n_states + n_states * n_states]
        initial, transition, emission = np.split(words.astype(np.uint32), split)
        try:
            alphabet = Alphabet(n_symbols)
            if start.listed:
                dtype = ALPHABET_DTYPES[head.alphabet]
                values = np.frombuffer(data, dtype, offset=HEADER.size, count=n_symbols)
                alphabet = Alphabet(_alphabet_of(start.kind, values))
            if not _is_of_kind(alphabet, start.kind):
                raise ModelError(f"its alphabet is not one of {KINDS[start.kind]}")
            tables = (
                initial,
                transition.reshape(n_states, n_states),
                emission.reshape(n_states, n_symbols),
            )
            if model_type == HMM_TYPE:
                return FrozenHMM(
                    *tables, prec=prec, tail_length=tail, alphabet=alphabet
                ).with_mode(mode)
            contexts = _read_contexts(
                data[masses_end + COUNTS.size : size], n_contexts, n_entries
            )
            return FrozenARHMM(
                *tables, contexts, prec=prec, tail_length=tail, alphabet=alphabet
            ).with_mode(mode)
        except ModelError as error:
            raise CorruptError(f"model file is inconsistent: {error}") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FrozenHMM:
        """Read a model file; see `from_bytes`."""
        return cls.from_bytes(Path(path).read_bytes())


COUNTS = struct.Struct("<III")
UNIT = 1 << 24  # of masses in a context


class FrozenARHMM(FrozenHMM):
    """An autoregressive hidden Markov model in integers, ready to code.

    Parameters
    ----------
    initial, transition, emission, prec, tail_length, alphabet
        As for `FrozenHMM`; M is at most 65535.
    contexts : Contexts

    Raises
    ------
    ModelError
        If the tables break a condition of `FrozenHMM` or of `Contexts`.

    Notes
    -----
    It is coded wherever a `FrozenHMM` is. Most models come from ``ARHMM.freeze()``.
    docs/maths.md, section 12.
    """

    _type = ARHMM_TYPE

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        emission: ArrayLike,
        contexts: Contexts,
        *,
        prec: int,
        tail_length: int,
        alphabet: Alphabet | None = None,
    ) -> None:
        super().__init__(
            initial, transition, emission,
            prec=prec, tail_length=tail_length, alphabet=alphabet,
        )  # fmt: skip
        as_instance(contexts, Contexts, "contexts", "Contexts")
        self._contexts = contexts
        self._tree = ffi.new("bbans_contexts *")
        self._tree.contexts = contexts.n_contexts
        self._tree.entries = contexts.n_entries
        self._keep = [
            pointer(getattr(contexts, name), f"uint{bits}_t[]")
            for name, bits in CONTEXT_ARRAYS.items()
        ]
        for name, array in zip(CONTEXT_ARRAYS, self._keep, strict=True):
            setattr(self._tree, name, array)
        status = lib.bbans_hmm_set_contexts(self.c, self._tree)
        if status == lib.BBANS_ERR_TABLE:
            raise ModelError(
                f"contexts have symbols that are not below {self.n_symbols}", status
            )
        check(status)
        self._rows: dict[int, tuple[NDArray[np.uint32], int]] = {}

    @property
    def contexts(self) -> Contexts:
        """What the symbols before say."""
        return self._contexts

    def __repr__(self) -> str:
        return (
            f"<FrozenARHMM {self.fingerprint.hex()}: {self.n_states} states, "
            f"{self.n_symbols} symbols, {self.prec} bits, {self._contexts!r}>"
        )

    # ---- the recursions, given a context: docs/maths.md, section 12

    def longest_context(self, history: ArrayLike) -> int:
        """Number of the longest context of what follows x_1 .. x_t, which are at least
        the last `Contexts.order` symbols, or all."""
        x = np.append(as_uint32(history, "symbol").ravel(), 0).astype(np.int32)
        return int(self._contexts.find([x], self.n_symbols)[-1])

    def context_row(self, context: int) -> tuple[NDArray[np.uint32], int]:
        """Masses R, shape (M,), in a context, and beta, what it leaves to the state."""
        if context == 0:
            return np.zeros(self.n_symbols, np.uint32), UNIT
        if context not in self._rows:
            tree = self._contexts
            row, beta = self.context_row(int(self._parents[context]))
            back_off = int(tree.back_off[context])
            row = (row.astype(np.uint64) * np.uint64(back_off) >> np.uint64(8)).astype(
                np.uint32
            )
            entries = slice(int(tree.first[context]), int(tree.first[context + 1]))
            row[tree.symbol[entries]] += tree.weight[entries].astype(np.uint32) << 8
            row.flags.writeable = False
            self._rows[context] = row, beta * back_off >> 8
        return self._rows[context]

    def edges(self, context: int, cdf: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Turn edges without a context, shape (M + 1,), into those in it."""
        row, beta = self.context_row(context)
        below = np.concatenate([[0], np.cumsum(row.astype(np.uint64) + np.uint64(1))])
        share = np.uint64(beta) * cdf.astype(np.uint64) >> np.uint64(self.prec)
        edges: NDArray[np.uint32] = (below.astype(np.uint64) + share).astype(np.uint32)
        return edges

    def step(
        self, context: int, symbol: int, predicted: NDArray[np.uint32] | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Filter one symbol.

        Parameters
        ----------
        context : int
            Number of its context: `longest_context` of the symbols before.
        symbol : int
            0 .. M-1.
        predicted : ndarray of uint32, shape (K,), optional
            As the step before returned; for the first symbol None.

        Returns
        -------
        filtered, predicted : ndarray of uint32, shape (K,)
            Weights of the states at this symbol, and at the next.

        Raises
        ------
        SymbolError
            If there is no such symbol.
        """
        self.check_symbols(np.array([symbol]))
        row, beta = self.context_row(context)
        stride, K = self.c.stride, self.n_states
        column, filtered = np.zeros(stride, np.uint32), np.empty(stride, np.uint32)
        state = np.zeros(stride, np.uint32)
        state[:K] = self._weights(predicted)
        share = np.uint64(beta) * self._emission[:, symbol].astype(np.uint64)
        column[:K] = (share >> np.uint64(self.prec)) + np.uint64(int(row[symbol]) + 1)
        check(
            lib.bbans_hmm_filter_by(
                self.c, pointer(column), pointer(state), pointer(filtered)
            )
        )
        return filtered[:K], state[:K]

    @cached_property
    def _parents(self) -> NDArray[np.int64]:
        return self._contexts.parent

    def _payload(self) -> bytes:
        tree = self._contexts
        data = _write_contexts(tree)
        counts = COUNTS.pack(tree.n_contexts, tree.n_entries, len(data))
        return super()._payload() + counts + data


CONTEXT_ARRAYS = {
    "children": 32,
    "first": 32,
    "label": 16,
    "back_off": 16,
    "symbol": 16,
    "weight": 16,
}


def _write_contexts(tree: Contexts) -> bytes:
    """docs/format.md, section 2."""
    out = bytearray()
    children, first = tree.children.tolist(), tree.first.tolist()
    label, symbol = tree.label.tolist(), tree.symbol.tolist()
    back_off, weight = tree.back_off.tolist(), tree.weight.tolist()
    for k in range(tree.n_contexts):
        if k > 0:
            out.append(back_off[k] - 1)
            out += uvarint(first[k + 1] - first[k])
            above = -1
            for e in range(first[k], first[k + 1]):
                out += uvarint(symbol[e] - above - 1)
                if e < first[k + 1] - 1:  # the last has the rest
                    out += weight[e].to_bytes(2, "little")
                above = symbol[e]
        out += uvarint(children[k + 1] - children[k])
        above = -1
        for child in range(children[k], children[k + 1]):
            out += uvarint(label[child] - above - 1)
            above = label[child]
    return bytes(out)


def walk_contexts(
    data: Iterator[int], n_contexts: int, n_entries: int
) -> Iterator[tuple[int, list[int], list[int], list[int]]]:
    """Read what `_write_contexts` wrote, and yield of each context its back-off, its
    symbols, their weights, and the labels of its children.

    Raises
    ------
    ModelError
        If the bytes end early or late, a number has another form, or there are not as
        many contexts and entries.
    """

    def number() -> int:
        value = shift = 0
        while True:
            byte = next(data)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                if byte == 0 and shift > 7:
                    raise ModelError("a number is not in its shortest form")
                return value
            if shift == 21:
                raise ModelError("a number of contexts is too long")

    n_labels = 1
    try:
        for k in range(n_contexts):
            back_off, symbols, weights = 256, [], []
            if k > 0:
                back_off = next(data) + 1
                left, above, n = (256 - back_off) << 8, -1, number()
                for e in range(n):
                    above += number() + 1
                    symbols.append(above)
                    weights.append(left)
                    if e < n - 1:  # the last has what is left
                        weights[e] = next(data) | next(data) << 8
                        left -= weights[e]
            labels, above = [], -1
            for _ in range(number()):
                above += number() + 1
                labels.append(above)
            n_entries -= len(symbols)
            n_labels += len(labels)
            yield back_off, symbols, weights, labels
    except StopIteration:
        raise ModelError("contexts end early") from None
    if next(data, None) is not None:
        raise ModelError("contexts are followed by other bytes")
    if n_entries != 0 or n_labels != n_contexts:
        raise ModelError("contexts are not as many as there should be")


def _read_contexts(data: bytes, n_contexts: int, n_entries: int) -> Contexts:
    """Read what `_write_contexts` wrote; all else is refused."""
    if not 1 <= n_contexts <= len(data) or n_entries > len(data):
        raise ModelError("there are too few bytes of contexts")
    children, first, back_off = [1], [0], []
    label, symbol, weight = [0], [], []
    found = walk_contexts(iter(data), n_contexts, n_entries)
    for share, symbols, weights, labels in found:
        back_off.append(share)
        symbol += symbols
        weight += weights
        label += labels
        first.append(len(symbol))
        children.append(len(label))
    return Contexts(children, first, label, back_off, symbol, weight)


def _is_of_kind(alphabet: Alphabet, kind: int) -> bool:
    if kind != BYTES:
        return (kind == TEXT) == (alphabet.kind == "characters")
    values = alphabet.decode([0, alphabet.size - 1])
    return int(values[0]) >= 0 and int(values[1]) <= 255


def _alphabet_of(kind: int, values: NDArray[Any]) -> Any:
    if kind != TEXT:
        return values.astype(np.int64)
    try:
        return "".join(map(chr, values.tolist()))
    except (ValueError, OverflowError):
        raise ModelError("alphabet holds a number that is no character") from None


def _check_masses(name: str, rows: NDArray[np.uint32], prec: int) -> None:
    for row, fault in (
        (rows.min(axis=1) < 1, "has a mass of 0"),
        (rows.sum(axis=1, dtype=np.uint64) != 1 << prec, f"does not sum to 2**{prec}"),
    ):
        if row.any():
            raise ModelError(f"{name} row {int(np.flatnonzero(row)[0])} {fault}")
