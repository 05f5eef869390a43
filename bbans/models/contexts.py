"""Contexts of autoregressive models in floating point: counted, smoothed, evaluated.

What comes out is a tree of integers, `bbans.frozen.contexts.Contexts`: nothing is left
to quantise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans.errors import ModelError
from bbans.frozen.contexts import BACK_OFF, MAX_ORDER, WEIGHTS_MAX, Contexts, Joined

__all__ = ["Counts", "evaluate", "row"]

_MAX_CONTEXTS = 1 << 24
# Bytes in a model file, near enough to compare contexts by.
_CONTEXT_BYTES, _ENTRY_BYTES = 11, 4

_Integers = NDArray[np.int64]
_Floats = NDArray[np.float64]


def evaluate(
    contexts: Contexts, longest: _Integers, x: _Integers
) -> tuple[_Floats, _Floats]:
    """Return what contexts give to symbols, and what they leave to the state.

    Parameters
    ----------
    contexts : Contexts
    longest, x : ndarray of int64, shape (N,)
        Numbers of contexts, and a symbol after each.

    Returns
    -------
    own, back_off : ndarray of float64, shape (N,)
        ``P(x | z, context) = own + back_off * P(x | z)``.
    """
    M, parent = int(x.max(initial=0)) + 1, contexts.parent
    M = max(M, int(contexts.symbol.max(initial=0)) + 1)
    owner = np.repeat(
        np.arange(contexts.n_contexts, dtype=np.int64), np.diff(contexts.first)
    )
    keys = np.append(owner * M + contexts.symbol, -1)  # rising but for the last
    own, left, node = np.zeros(x.size), np.ones(x.size), longest
    sums = np.bincount(owner, contexts.weight, contexts.n_contexts)
    while node.any():
        place = np.searchsorted(keys[:-1], node * M + x)
        hit = keys[place] == node * M + x
        back_off = contexts.back_off[node] / BACK_OFF
        share = contexts.weight[place[hit]] / sums[node[hit]]
        own[hit] += left[hit] * (1 - back_off[hit]) * share
        left = left * back_off
        node = parent[node]
    return own, left


def row(contexts: Contexts, context: int, n_symbols: int) -> tuple[_Floats, float]:
    """The same for all symbols after one context: own of shape (M,)."""
    x = np.arange(n_symbols)
    own, left = evaluate(contexts, np.full(n_symbols, context), x)
    return own, float(left[0])


class Counts:
    """Contexts of data, counted and smoothed.

    Parameters
    ----------
    sequences : iterable of ndarray of int32
        Symbol numbers.
    n_symbols : int
        M, at most 65535.
    order : int
        Symbols of the longest context, 0 to 16.
    max_bytes : int, optional
        About what the contexts may take in a model file. Those are left out that gain
        least for a byte; in any case those that gain nothing.

    Attributes
    ----------
    n_contexts : int
        C, with the empty one.
    number : ndarray of int64, shape (order, T)
        For each symbol of the data, end to end, its contexts from the shortest; 0
        where there is none.
    own, back_off : ndarray of float64, shape (order, T)
        What each context gives to the symbol, and to its parent's distribution, when
        this one occurrence is not counted; 0 and 1 where there is none.

    Notes
    -----
    Interpolated Kneser-Ney smoothing, one discount for each order. What a context
    gains is measured with each symbol's own count taken out (leaving one out). A
    context counts what its longer ones count once for each symbol, and all that they
    do not count.

    References
    ----------
    Kneser and Ney, Improved backing-off for m-gram language modeling (1995); Siivola,
    Hirsimäki and Virpioja, On growing and pruning Kneser-Ney smoothed n-gram models
    (2007).
    """

    def __init__(
        self,
        sequences: Iterable[NDArray[np.int32]],
        n_symbols: int,
        order: int,
        max_bytes: int | None = None,
    ) -> None:
        order = as_integer(order, "order", 0, MAX_ORDER)
        if not 1 <= n_symbols <= WEIGHTS_MAX:
            raise ModelError(f"contexts are of 1 to 65535 symbols, not {n_symbols}")
        if max_bytes is not None:
            max_bytes = as_integer(max_bytes, "max_bytes", 0)
        data = Joined(sequences, n_symbols)
        levels = _levels(data, order)
        _keep(levels, data, max_bytes)
        self._levels = [level.kept() for level in levels if level.keep.any()]
        for level, below in itertools.pairwise(self._levels):
            below.parent = level.renumbered[below.parent]
        _count(self._levels, data)
        shape = (len(self._levels), data.x.size)
        self.number = np.zeros(shape, np.int64)
        self.own, self.back_off = np.zeros(shape), np.ones(shape)
        self.n_contexts = 1
        for k, (level, (at, own, back_off)) in enumerate(
            zip(self._levels, _deleted(self._levels), strict=True)
        ):
            self.number[k, at] = self.n_contexts + level.of
            self.own[k, at], self.back_off[k, at] = own, back_off
            self.n_contexts += level.parent.size
        if self.n_contexts > _MAX_CONTEXTS:
            raise ModelError("there are too many contexts: limit max_bytes")

    def contexts(self, gate: _Floats | None = None) -> Contexts:
        """Round to a tree of contexts.

        Parameters
        ----------
        gate : ndarray of float64, shape (C,), optional
            From each context, the share that goes to its parent past the counts.
        """
        levels = self._levels
        gate = np.zeros(self.n_contexts) if gate is None else gate
        label: list[NDArray[Any]] = [np.zeros(1)]
        back_off: list[NDArray[Any]] = [np.full(1, BACK_OFF)]
        degree = [np.array([levels[0].parent.size if levels else 0])]
        entries: list[NDArray[Any]] = [np.zeros(1)]
        symbol: list[NDArray[Any]] = [np.zeros(0)]
        weight: list[NDArray[Any]] = [np.zeros(0)]
        start = 1
        for depth, level in enumerate(levels):
            n = level.parent.size
            following = np.zeros(0, np.int64)
            if depth + 1 < len(levels):
                following = levels[depth + 1].parent
            label.append(level.label)
            degree.append(np.bincount(following, minlength=n)[:n])
            b, owner, symbols, weights = level.quantised(gate[start : start + n])
            start += n
            back_off.append(b)
            entries.append(np.bincount(owner, minlength=n))
            symbol.append(symbols)
            weight.append(weights)
        return Contexts(
            np.cumsum(np.concatenate([[1], *degree])),
            np.cumsum(np.concatenate([[0], *entries])).astype(np.int64),
            np.concatenate(label).astype(np.int64),
            np.concatenate(back_off).astype(np.int64),
            np.concatenate(symbol).astype(np.int64),
            np.concatenate(weight).astype(np.int64),
        )


class _Level:
    """Contexts of one length, and the counts of their entries."""

    def __init__(
        self, parent: _Integers, label: _Integers, at: _Integers, of: _Integers
    ) -> None:
        self.parent, self.label = parent, label  # [C] in the level above; the symbol
        self.at, self.of = at, of  # symbols that have such a context, and which
        self.keep = np.ones(parent.size, bool)

    def kept(self) -> _Level:
        self.renumbered = np.cumsum(self.keep) - 1
        stays = self.keep[self.of]
        level = _Level(
            self.parent[self.keep],
            self.label[self.keep],
            self.at[stays],
            self.renumbered[self.of[stays]],
        )
        level.renumbered = self.renumbered
        return level

    def set_counts(self, x: _Integers, M: int, entry_count: _Floats | None) -> None:
        """Count the entries (context, symbol); by default each occurrence."""
        keys, self.entry = np.unique(self.of * M + x[self.at], return_inverse=True)
        self.owner, self.symbol = keys // M, keys % M
        if entry_count is None:
            entry_count = np.ones(self.at.size)
        self.count = np.bincount(self.entry, entry_count, keys.size)
        n = self.parent.size
        self.total = np.bincount(self.owner, self.count, n)
        self.types = np.bincount(self.owner, self.count > 0, n)
        ones, twos = (self.count == 1).sum(), (self.count == 2).sum()
        self.discount = min(max(ones / max(ones + 2 * twos, 1), 0.1), 0.95)

    def quantised(self, gate: _Floats) -> tuple[_Floats, _Integers, _Integers, _Floats]:
        """Back-offs, and the entries that have a weight: owner, symbol, weight."""
        n = self.parent.size
        total = np.where(self.total > 0, self.total, 1)
        back_off = 1 - (1 - gate) * (1 - self.discount * self.types / total)
        b = np.round(BACK_OFF * back_off)
        b = np.where(self.types > 0, np.clip(b, 1, BACK_OFF - 1), BACK_OFF)
        own = np.maximum(self.count - self.discount, 0)
        sums = np.bincount(self.owner, own, n)
        scale = (WEIGHTS_MAX - self.types) / np.where(sums > 0, sums, 1)
        # Each is rounded up by less than 1.
        weight = np.ceil(own * scale[self.owner])
        some = weight > 0
        owner, symbol, weight = self.owner[some], self.symbol[some], weight[some]
        bare = np.bincount(owner, minlength=n) == 0
        return np.where(bare, BACK_OFF, b), owner, symbol, weight


def _levels(data: Joined, order: int) -> list[_Level]:
    levels: list[_Level] = []
    at, of = np.arange(data.x.size), np.zeros(data.x.size, np.int64)
    for depth in range(1, order + 1):
        label = data.label(at, depth)
        inside = label >= 0
        at = at[inside]
        keys, number = np.unique(
            of[inside] * (data.M + 1) + label[inside], return_inverse=True
        )
        if keys.size == 0:
            break
        # What occurs once says nothing that the data could confirm.
        times = np.bincount(number)
        often = times > 1
        of = (np.cumsum(often) - 1)[number]
        at, of = at[often[number]], of[often[number]]
        keys = keys[often]
        if keys.size == 0:
            break
        levels.append(_Level(keys // (data.M + 1), keys % (data.M + 1), at, of))
    return levels


def _count(levels: list[_Level], data: Joined) -> None:
    """Counts, from the longest contexts to the shortest."""
    below: _Level | None = None
    for level in reversed(levels):
        counted = np.ones(data.x.size)
        if below is not None:  # of each entry below, its first occurrence alone
            counted[below.at] = 0
            counted[below.at[np.unique(below.entry, return_index=True)[1]]] = 1
        level.set_counts(data.x, data.M, counted[level.at])
        below = level


def _deleted(levels: list[_Level]) -> Iterable[tuple[_Integers, _Floats, _Floats]]:
    """For each level, from the shortest contexts: which symbols, their own weight and
    the back-off, each symbol's own count taken out."""
    found: list[tuple[_Integers, _Floats, _Floats]] = []
    size = max((int(level.at.max()) + 1 for level in levels), default=0)
    remove = np.ones(size, bool)  # has a longer context nothing left of it?
    for level in reversed(levels):
        minus = remove[level.at].astype(np.float64)
        count = level.count[level.entry] - minus
        total = level.total[level.of] - minus
        types = level.types[level.of] - ((minus > 0) & (count == 0))
        some = np.where(total > 0, total, 1)
        own = np.where(total > 0, np.maximum(count - level.discount, 0) / some, 0)
        back_off = np.where(total > 0, level.discount * types / some, 1)
        found.append((level.at, own, back_off))
        remove[level.at] &= count == 0
    return reversed(found)


def _keep(levels: list[_Level], data: Joined, max_bytes: int | None) -> None:
    """Choose contexts by what they gain for a byte, the parents of each too."""
    _count(levels, data)
    # The place of the state's emission is taken by the symbols' frequencies.
    p = (np.bincount(data.x, minlength=data.M) + 0.5)[data.x]
    p = p / (data.x.size + data.M / 2)
    gains, sizes = [], []
    for level, (at, own, back_off) in zip(levels, _deleted(levels), strict=True):
        better = own + back_off * p[at]
        gain = np.bincount(level.of, np.log2(better / p[at]), level.parent.size)
        p[at] = better
        entries = np.bincount(level.owner, minlength=level.parent.size)
        size = _CONTEXT_BYTES + _ENTRY_BYTES * entries
        gains.append(gain / size)
        sizes.append(size)
    for depth in range(len(levels) - 1, 0, -1):  # a parent has its best child's
        np.maximum.at(gains[depth - 1], levels[depth].parent, gains[depth])
    if not levels:
        return
    gain, size = np.concatenate(gains), np.concatenate(sizes)
    order = np.argsort(-gain, kind="stable")
    fits = np.cumsum(size[order]) <= (np.inf if max_bytes is None else max_bytes)
    keep = np.zeros(gain.size, bool)
    keep[order[fits & (gain[order] > 0)]] = True
    start = 0
    for depth, level in enumerate(levels):
        level.keep = keep[start : start + level.parent.size]
        start += level.parent.size
        if depth:  # one child at the limit may stand without its parent
            level.keep &= levels[depth - 1].keep[level.parent]
