"""Contexts of autoregressive models: what the symbols before say about the next.

A context is the last few symbols of a sequence.  It gives weights to the symbols that
have followed it, and leaves the rest of the probability to the context that is one
symbol shorter; the empty context leaves all of it to the state's emission
(docs/maths.md, "Emissions that depend on earlier symbols").
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array
from bbans.errors import ModelError

__all__ = ["MAX_ORDER", "Contexts"]

MAX_ORDER = 16
BACK_OFF = 1 << 8  # what back-offs count in
WEIGHTS_MAX = (1 << 16) - 1  # the sum of a context's weights
#: The arrays of contexts, and the bits of their elements.
ARRAYS = {
    "children": 32,
    "first": 32,
    "label": 16,
    "back_off": 16,
    "symbol": 16,
    "weight": 16,
}

_Integers = NDArray[np.int64]


class Contexts:
    """A tree of contexts, level by level; number 0 is the empty one.

    Parameters
    ----------
    children : array_like of int, shape (C + 1,)
        The children of context k, one symbol longer, are
        ``children[k] .. children[k + 1] - 1``.
    first : array_like of int, shape (C + 1,)
        Its entries are ``first[k] .. first[k + 1] - 1``.
    label : array_like of int, shape (C,)
        The symbol that a context has in front of its parent's; M, the number of
        symbols, for the beginning of the sequence. Rising among the children of one
        parent. That of context 0 is not used.
    back_off : array_like of int, shape (C,)
        Weight of the parent, 1 to 256, in units of 2**-8; 256 for contexts without
        entries, and only for those.
    symbol, weight : array_like of int, shape (E,)
        Entries: symbols, rising within a context, and their weights, relative to each
        other: at least 1, with a sum of at most 65535 per context. Together they have
        ``1 - back_off / 256`` of the probability.

    Raises
    ------
    ModelError
        If they are not such a tree, or a context is longer than 16 symbols.

    Notes
    -----
    Immutable.
    """

    __slots__ = ("back_off", "children", "first", "label", "symbol", "weight")

    children: NDArray[np.uint32]
    first: NDArray[np.uint32]
    label: NDArray[np.uint16]
    back_off: NDArray[np.uint16]
    symbol: NDArray[np.uint16]
    weight: NDArray[np.uint16]

    def __init__(
        self,
        children: ArrayLike,
        first: ArrayLike,
        label: ArrayLike,
        back_off: ArrayLike,
        symbol: ArrayLike,
        weight: ArrayLike,
    ) -> None:
        given = (children, first, label, back_off, symbol, weight)
        for (name, bits), values in zip(ARRAYS.items(), given, strict=True):
            dtype = np.dtype(f"uint{bits}")
            array = as_array(values, name, ModelError)
            if array.size == 0:
                array = array.astype(dtype)
            if array.ndim != 1 or array.dtype.kind not in "iu":
                raise ModelError(f"{name} must be a row of integers")
            if array.size and not 0 <= int(array.min()) <= int(array.max()) <= int(
                np.iinfo(dtype).max
            ):
                raise ModelError(f"{name} holds a number outside {dtype}")
            array = array.astype(dtype)
            if name == "label":
                array[:1] = 0
            array.flags.writeable = False
            setattr(self, name, array)
        n = self.label.size
        if (
            n < 1
            or self.back_off.size != n
            or self.children.size != n + 1
            or self.first.size != n + 1
            or self.weight.size != self.symbol.size
        ):
            raise ModelError("contexts: the arrays' lengths do not agree")
        self._check()

    def _check(self) -> None:
        """Refuse what is no tree of distributions."""
        degree = np.diff(self.children.astype(np.int64))
        first: _Integers = self.first.astype(np.int64)
        entries = first[1:] - first[:-1]
        number = np.arange(self.n_contexts)
        if (
            int(self.children[0]) != 1
            or int(self.children[-1]) != number.size
            or (degree < 0).any()
            or not (self.parent[1:] < number[1:]).all()
        ):
            raise ModelError("contexts: children do not make a tree, level by level")
        if self.order > MAX_ORDER:
            raise ModelError(f"contexts have at most {MAX_ORDER} symbols")
        if (
            int(self.first[0]) != 0
            or int(self.first[-1]) != self.n_entries
            or (entries < 0).any()
            or entries[0] != 0
        ):
            raise ModelError("contexts: entries do not follow each other")
        owner = np.repeat(number, entries)
        for values, group, name in (
            (self.label[1:], self.parent[1:], "labels"),
            (self.symbol, owner, "symbols"),
        ):
            rises = np.diff(values.astype(np.int64)) > 0
            if not (rises | (np.diff(group) > 0)).all():
                raise ModelError(f"contexts: {name} of one context do not rise")
        if (
            (self.back_off == 0).any()
            or (self.back_off > BACK_OFF).any()
            or ((self.back_off == BACK_OFF) != (entries == 0)).any()
        ):
            raise ModelError(
                f"contexts: back-offs are 1 to 255, and {BACK_OFF} without entries"
            )
        if (self.weight == 0).any() or (np.diff(self._sums) > WEIGHTS_MAX).any():
            raise ModelError(
                "contexts: weights are at least 1, and at most "
                f"{WEIGHTS_MAX} in all for one context"
            )

    @property
    def _sums(self) -> _Integers:
        """Of the weights before the entries of each context, shape (C + 1,)."""
        total = np.concatenate([[0], np.cumsum(self.weight, dtype=np.int64)])
        before: _Integers = total[self.first]
        return before

    @property
    def sum(self) -> NDArray[np.uint16]:
        """Running sums of the weights in each context, shape (E,)."""
        total = np.cumsum(self.weight, dtype=np.int64)
        first: _Integers = self.first.astype(np.int64)
        before = np.repeat(self._sums[:-1], first[1:] - first[:-1])
        return (total - before).astype(np.uint16)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays as C and model files have them, little-endian, in their order."""
        return {
            "children": self.children.astype("<u4"),
            "first": self.first.astype("<u4"),
            "label": self.label.astype("<u2"),
            "symbol": self.symbol.astype("<u2"),
            "sum": self.sum.astype("<u2"),
            "back_off": (self.back_off - 1).astype("u1"),
        }

    @classmethod
    def empty(cls) -> Contexts:
        """The empty context alone."""
        return cls([1, 1], [0, 0], [0], [BACK_OFF], [], [])

    @property
    def n_contexts(self) -> int:
        """C."""
        return self.label.size

    @property
    def n_entries(self) -> int:
        """E."""
        return self.symbol.size

    @property
    def order(self) -> int:
        """Symbols of the longest context."""
        order, end = 0, 1
        while end < self.n_contexts and order <= MAX_ORDER:
            end = int(self.children[end])
            order += 1
        return order

    def __repr__(self) -> str:
        return (
            f"<Contexts: {self.n_contexts} of up to {self.order} symbols, "
            f"{self.n_entries} entries>"
        )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Contexts):
            return NotImplemented
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return Contexts, tuple(getattr(self, name) for name in ARRAYS)

    @property
    def parent(self) -> _Integers:
        """Number of each context's parent, shape (C,); 0 for context 0."""
        number = np.arange(self.n_contexts, dtype=np.int64)
        return np.concatenate(
            [[0], np.repeat(number, self.children[1:] - self.children[:-1])]
        )

    def find(self, sequences: Iterable[NDArray[np.int32]], n_symbols: int) -> _Integers:
        """Return the number of the longest context of each symbol, end to end."""
        data = Joined(sequences, n_symbols)
        keys = self.parent[1:] * (n_symbols + 1) + self.label[1:]  # rising
        longest = np.zeros(data.x.size, np.int64)
        at = np.arange(data.x.size)
        for depth in range(1, self.order + 1):
            label = data.label(at, depth)
            at, label = at[label >= 0], label[label >= 0]
            wanted = longest[at] * (n_symbols + 1) + label
            place = np.searchsorted(keys, wanted)
            found = place < keys.size
            found[found] = keys[place[found]] == wanted[found]
            at = at[found]
            longest[at] = place[found] + 1
        return longest


class Joined:
    """Sequences end to end."""

    def __init__(self, sequences: Iterable[NDArray[np.int32]], M: int) -> None:
        parts = list(sequences)
        self.x = np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)
        lengths = np.array([part.size for part in parts], np.int64)
        starts = np.cumsum(lengths) - lengths
        self.t = np.arange(self.x.size) - np.repeat(starts, lengths)
        self.M = M

    def label(self, at: _Integers, depth: int) -> _Integers:
        """The symbol `depth` places before `at`; M: the beginning, -1: beyond."""
        label = np.where(self.t[at] == depth - 1, self.M, -1)
        inside = self.t[at] >= depth
        label[inside] = self.x[at[inside] - depth]
        return label


# ---- in files


def contexts_bytes(n_contexts: int, n_entries: int) -> int:
    """How many bytes contexts take in a model file, without the zeros behind them."""
    return 8 * (n_contexts + 1) + 3 * n_contexts + 4 * n_entries


def read_contexts(data: bytes, n_contexts: int, n_entries: int) -> Contexts:
    """Read contexts as a model file has them; all else is refused."""
    if n_contexts < 1:
        raise ModelError("there is no context")
    at, arrays = 0, []
    for dtype, n in (
        ("<u4", n_contexts + 1), ("<u4", n_contexts + 1), ("<u2", n_contexts),
        ("<u2", n_entries), ("<u2", n_entries), ("u1", n_contexts),
    ):  # fmt: skip
        arrays.append(np.frombuffer(data, dtype, n, at))
        at += arrays[-1].nbytes
    children, first, label, symbol, sums, back_off = arrays
    if label[0] != 0:
        raise ModelError("the empty context has a label")
    if n_entries and (
        int(first[0]) != 0
        or int(first[-1]) != n_entries
        or (np.diff(first.astype(np.int64)) < 0).any()
    ):
        raise ModelError("contexts: entries do not follow each other")
    weight = np.diff(sums.astype(np.int64), prepend=0)
    start = first[first < n_entries]
    weight[start] = sums[start]
    return Contexts(
        children, first, label, back_off.astype(np.int64) + 1, symbol, weight
    )
