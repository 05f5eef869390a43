"""Contexts of autoregressive models in floating point: counted, smoothed, evaluated.

What comes out is a tree of integers, `bbans.frozen.contexts.Contexts`: nothing is left
to quantise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans.errors import ModelError
from bbans.frozen.contexts import BACK_OFF, MAX_ORDER, WEIGHT, Contexts, Joined

__all__ = ["Counts", "evaluate", "row"]

_MAX_CONTEXTS = 1 << 24
# Bytes in a packed model file, near enough to choose by.
_CONTEXT_BYTES, _ENTRY_BYTES = 1.2, 0.9
# Entries that are counted, for each byte that they may take, and if there is no limit.
_COUNTED, _COUNTED_AT_MOST = 6, 1 << 23
# Classes of contexts that share a back-off: lower ends of counts, and of numbers of
# different symbols.
_TOTALS = np.array([1, 2, 3, 4, 5, 7, 10, 15, 25, 50, 100, 1000])
_TYPES = np.array([1, 2, 3, 4, 6, 9, 15, 30])
_CLASSES = _TOTALS.size * _TYPES.size
_ROUNDS = 6  # of EM for the back-offs of classes
_LEAST, _MOST = 1 / BACK_OFF, 1 - 1 / BACK_OFF  # of a back-off
_UNIT = 2  # the weight of what was seen once

_Integers = NDArray[np.int64]
_Floats = NDArray[np.float64]
_Bools = NDArray[np.bool_]


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
    n = contexts.n_contexts
    owner = np.repeat(np.arange(n, dtype=np.int64), np.diff(contexts.first))
    back_off = contexts.back_off / BACK_OFF
    share = contexts.weight / np.bincount(owner, contexts.weight, n)[owner]
    share *= 1 - back_off[owner]
    keys = np.append(owner * M + contexts.symbol, -1)  # rising but for the last
    own, left, node = np.zeros(x.size), np.ones(x.size), longest
    while node.any():
        place = np.searchsorted(keys[:-1], node * M + x)
        hit = keys[place] == node * M + x
        own[hit] += left[hit] * share[place[hit]]
        left = left * back_off[node]
        node = parent[node]
    return own, left


def row(contexts: Contexts, context: int, n_symbols: int) -> tuple[_Floats, float]:
    """The same for all symbols after one context: own of shape (M,)."""
    x = np.arange(n_symbols)
    own, left = evaluate(contexts, np.full(n_symbols, context), x)
    return own, float(left[0])


class Counts:
    """Contexts of data, counted, smoothed and chosen.

    Parameters
    ----------
    sequences : iterable of ndarray of int32
        Symbol numbers.
    n_symbols : int
        M, at most 65535.
    order : int
        Symbols of the longest context, 0 to 16.
    max_bytes : int, optional
        What the contexts may take in a packed model file. Those are left out that gain
        least for a byte. By default all are kept that occur twice and gain anything.

    Attributes
    ----------
    n_contexts : int
        C, with the empty one.
    own, back_off : ndarray of float64, shape (T,)
        For each symbol of the data, end to end: ``P(x | z) = own + back_off *
        P(x | z without contexts)`` where this one occurrence is not counted.

    Notes
    -----
    Modified Kneser-Ney counts: a context counts what its longer ones count once for
    each symbol, and all that they do not count; three discounts for each length.
    What contexts leave to their parents is trained by EM for classes of them, by
    length, count, and number of different symbols, with each symbol's own count taken
    out. That is done with all contexts, before some are chosen: those that are
    chosen are the ones that look good on the data. What a context gains is
    expected under its own smoothed distribution, which holds for contexts that were
    seen once as well, and times how often such contexts come back (Good-Turing).

    References
    ----------
    Chen and Goodman, An empirical study of smoothing techniques for language modeling
    (1999); Stolcke, Entropy-based pruning of backoff language models (1998); Siivola,
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
        if not 1 <= n_symbols < WEIGHT:
            raise ModelError(f"contexts are of 1 to 65535 symbols, not {n_symbols}")
        if max_bytes is not None:
            max_bytes = as_integer(max_bytes, "max_bytes", 0)
        data = Joined(sequences, n_symbols)
        self._levels, self._deepest = _counted(data, order, max_bytes)
        # The place of the state's emission is taken by the symbols' frequencies.
        frequency = np.bincount(data.x, minlength=n_symbols) + 0.5
        self._frequency = frequency / frequency.sum()
        _smooth(self._levels, self._frequency)
        _weigh(self._levels, self._frequency)
        self._keep(max_bytes)

    def _keep(self, max_bytes: int | None) -> None:
        _choose(self._levels, max_bytes)
        self.n_contexts = 1 + sum(int(level.keep.sum()) for level in self._levels)
        if self.n_contexts > _MAX_CONTEXTS:
            raise ModelError("there are too many contexts: limit max_bytes")
        _count(self._levels)
        own, back_off = _deleted(self._levels, self._frequency.size)
        self.own, self.back_off = own[self._deepest], back_off[self._deepest]

    def contexts(self) -> Contexts:
        """Round to a tree of contexts."""
        label, degree, back_off = [np.zeros(1, np.int64)], [], [np.full(1, BACK_OFF)]
        entries, symbol, weight = [np.zeros(1, np.int64)], [], []
        above = np.ones(1, bool)
        for level in self._levels:
            number = np.cumsum(level.keep) - 1
            keep = level.owns[level.owner]
            b, weights = level.rounded()
            renumbered = np.cumsum(above) - 1
            parents = renumbered[level.parent[level.keep]]
            degree.append(np.bincount(parents, minlength=int(above.sum())))
            label.append(level.label[level.keep])
            back_off.append(b[level.keep])
            owner = number[level.owner[keep]]
            entries.append(np.bincount(owner, minlength=int(level.keep.sum())))
            symbol.append(level.symbol[keep])
            weight.append(weights)
            above = level.keep
        degree.append(np.zeros(int(above.sum()), np.int64))
        return Contexts(
            np.cumsum(np.concatenate([[1], *degree])),
            np.cumsum(np.concatenate([[0], *entries])),
            np.concatenate(label),
            np.concatenate(back_off),
            np.concatenate([np.zeros(0, np.int64), *symbol]),
            np.concatenate([np.zeros(0, np.int64), *weight]),
        )


class _Level:
    """Contexts of one length, and their entries: symbols that followed them.

    Attributes
    ----------
    parent, label : ndarray of int64, shape (C,)
        In the level above, and the symbol before the parent's.
    owner, symbol, above : ndarray of int64, shape (E,)
        Of an entry: its context, its symbol, and the parent's entry of that symbol.
    times, ending : ndarray of int64, shape (E,)
        Occurrences, and those that have no longer context.
    keep, owns : ndarray of bool, shape (C,)
        Is the context in the tree, and are its entries?
    count, total, types : ndarray of int64, shape (E,), (C,), (C,)
        What an entry counts, and of a context its sum and the number of entries.
    value : ndarray of float64, shape (E,)
        `count`, discounted.
    gate : ndarray of float64, shape (classes,)
        Of each class of contexts, the back-off.
    gain, own : ndarray of float64, shape (C,), (E,)
    """

    def __init__(
        self,
        parent: _Integers,
        label: _Integers,
        owner: _Integers,
        symbol: _Integers,
        above: _Integers,
        times: _Integers,
    ) -> None:
        self.parent, self.label = parent, label
        self.owner, self.symbol, self.above = owner, symbol, above
        self.times, self.ending = times, times
        self.keep = self.owns = np.ones(parent.size, bool)
        self.types = np.bincount(owner, minlength=parent.size)
        # What is left of counts 0, 1, 2, and of more than that is taken off.
        self.left = np.zeros(3)
        self.discount = 0.0
        self.gate = np.zeros(_CLASSES)

    def set_discounts(self) -> None:
        """Chen and Goodman's, from the numbers of entries that count 1 to 4."""
        n = np.bincount(np.minimum(self.count, 5), minlength=6)[1:5]
        n = np.maximum(n, 1)
        y = n[0] / (n[0] + 2 * n[1])
        one, two, more = (j - (j + 1) * y * n[j] / n[j - 1] for j in (1, 2, 3))
        self.left = np.array(
            [0, 1 - min(max(one, 0.1), 0.95), 2 - min(max(two, 0.1), 1.7)]
        )
        self.discount = min(max(more, 0.1), 2.3)

    def discounted(self, count: _Integers) -> _Floats:
        """What is left of counts."""
        more = np.maximum(count - self.discount, 0)
        return np.where(count < 3, self.left[np.minimum(count, 2)], more)

    def set_sums(self) -> None:
        n = self.parent.size
        self.total = np.bincount(self.owner, self.count, n).astype(np.int64)
        self.value = self.discounted(self.count)
        self.sum = np.bincount(self.owner, self.value, n)

    def back_offs(self) -> _Floats:
        """Of each context."""
        return self.gate[_class(self.total, self.types)]

    def deleted(self) -> tuple[_Floats, _Integers]:
        """Of each entry: its share in its context with one occurrence taken out, and
        the context's class then, -1 if nothing is left of that."""
        less = self.count - 1
        value = self.discounted(less)
        rest = self.sum[self.owner] - self.value + value
        some = self.total[self.owner] > 1
        share = np.where(some, value / np.where(some, rest, 1), 0)
        kind = _class(self.total[self.owner] - 1, self.types[self.owner] - (less == 0))
        return share, np.where(some, kind, -1)

    def rounded(self) -> tuple[_Integers, _Integers]:
        """Back-offs of all contexts, and weights of the entries that are kept."""
        back_off = np.rint(BACK_OFF * self.back_offs()).astype(np.int64)
        back_off = np.where(self.owns, np.clip(back_off, 1, BACK_OFF - 1), BACK_OFF)
        entries = self.owns[self.owner]
        owner, value = self.owner[entries], self.value[entries]
        n = self.parent.size
        # Few different weights make a small file: what was seen once has one of 2,
        # large ones have four bits of their own, and what is alone has 1.
        value = value * (_UNIT / self.left[1])
        largest = np.zeros(n)
        np.maximum.at(largest, owner, np.bincount(owner, value, n)[owner])
        value *= np.minimum(1, (WEIGHT // 2) / np.maximum(largest, 1))[owner]
        step = 2.0 ** np.maximum(np.floor(np.log2(np.maximum(value, 1))) - 3, 0)
        weight = np.maximum(np.rint(value / step) * step, 1).astype(np.int64)
        divisor = np.zeros(n, np.int64)
        np.gcd.at(divisor, owner, weight)
        return back_off, weight // divisor[owner]


def _class(total: _Integers, types: _Integers) -> _Integers:
    """The class of contexts with such counts, at least 1."""
    n = np.searchsorted(_TOTALS, np.maximum(total, 1), "right") - 1
    m = np.searchsorted(_TYPES, np.maximum(types, 1), "right") - 1
    return n * _TYPES.size + m


def _counted(
    data: Joined, order: int, max_bytes: int | None
) -> tuple[list[_Level], _Integers]:
    """Levels of contexts, and for each symbol its entry of the longest context: its
    number among all, those of the empty context first."""
    room = _COUNTED_AT_MOST
    if max_bytes is not None:
        room = min(room, _COUNTED * max_bytes)
    M = data.M
    levels: list[_Level] = []
    at = np.arange(data.x.size)
    of = np.zeros(at.size, np.int64)
    deepest = data.x.copy()
    start = M
    before = np.zeros(0, np.int64)  # entries of the level above, for positions
    for depth in range(1, order + 1):
        label = data.label(at, depth)
        inside = label >= 0
        at = at[inside]
        keys, of = np.unique(of[inside] * (M + 1) + label[inside], return_inverse=True)
        # Contexts that occur seldom are left out where there are too many.
        times = np.bincount(of)
        least = 1 if max_bytes is not None else 2
        allowed = room // (order + 1 - depth)
        while (
            int(times[times >= least].sum()) > allowed
            and int((times >= least).sum()) * 1.2 > allowed
        ):
            least += 1
        often = times >= least
        inside = often[of]
        at, of = at[inside], (np.cumsum(often) - 1)[of[inside]]
        keys = keys[often]
        if keys.size == 0:
            break
        pairs, first, entry, times = np.unique(
            of * M + data.x[at],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        room = max(room - pairs.size, 0)
        before = deepest[at[first]] - (
            start - (levels[-1].symbol.size if levels else M)
        )
        levels.append(
            _Level(
                keys // (M + 1), keys % (M + 1), pairs // M, pairs % M, before, times
            )
        )
        deepest[at] = start + entry
        start += pairs.size
    for level, below in itertools.pairwise(levels):
        further = np.bincount(below.above, below.times, level.symbol.size)
        level.ending = level.times - further.astype(np.int64)
    return levels, deepest


def _count(levels: list[_Level]) -> None:
    """Counts of entries, from the longest contexts to the shortest."""
    below: _Level | None = None
    for level in reversed(levels):
        level.count = level.ending.copy()
        if below is not None:
            passed = np.where(below.owns[below.owner], 1, below.count)
            level.count += np.bincount(below.above, passed, level.count.size).astype(
                np.int64
            )
        level.set_sums()
        below = level


def _smooth(levels: list[_Level], frequency: _Floats) -> None:
    """Train discounts, and back-offs of classes, with all contexts."""
    below: _Level | None = None
    for level in reversed(levels):
        level.count = level.ending.copy()
        if below is not None:
            level.count += np.bincount(below.above, minlength=level.count.size)
        level.set_discounts()
        level.set_sums()
        below = level
    # At first: what discounts take.
    total, types = np.repeat(_TOTALS, _TYPES.size), np.tile(_TYPES, _TOTALS.size)
    found = [(level.deleted(), _class(level.total, level.types)) for level in levels]
    for level in levels:
        level.gate = np.clip(0.7 * types / (total + 0.3), 0.02, 0.9)
    for _ in range(_ROUNDS):
        _train(levels, found, frequency)


def _train(
    levels: list[_Level],
    found: list[tuple[tuple[_Floats, _Integers], _Integers]],
    frequency: _Floats,
) -> None:
    """One round of EM for back-offs.

    An entry has two states: a symbol's occurrence that is taken out has reached it, or
    it has not, since a longer context holds others like it.
    """
    reached: list[list[tuple[_Floats, _Floats, _Integers]]] = []
    full = out = frequency
    for level, ((share, kind), whole) in zip(levels, found, strict=True):
        states = []
        gone = level.count == 1
        for part, classes, above in (
            (
                level.value / level.sum[level.owner],
                whole[level.owner],
                full[level.above],
            ),
            (share, kind, np.where(gone, out[level.above], full[level.above])),
        ):
            b = np.where(classes >= 0, level.gate[classes], 1)
            passed = b * above
            p = (1 - b) * part + passed
            states.append((p, passed / p, classes))
        reached.append(states)
        full, out = states[0][0], states[1][0]
    through = [np.zeros(0), np.zeros(0)]
    below: _Level | None = None
    for level, states in zip(reversed(levels), reversed(reached), strict=True):
        n = level.symbol.size
        reach = [np.zeros(n), level.ending.astype(np.float64)]
        if below is not None:
            gone = below.count == 1
            reach[0] = np.bincount(
                below.above, through[0] + np.where(gone, 0, through[1]), n
            )
            reach[1] += np.bincount(below.above, np.where(gone, through[1], 0), n)
        open_, all_ = level.gate.copy(), np.ones(_CLASSES)  # as if seen once before
        for weight, (_, share, classes), k in zip(reach, states, (0, 1), strict=True):
            through[k] = weight * share
            some = classes >= 0
            open_ += np.bincount(classes[some], through[k][some], _CLASSES)
            all_ += np.bincount(classes[some], weight[some], _CLASSES)
        level.gate = np.clip(open_ / all_, _LEAST, _MOST)
        below = level


def _weigh(levels: list[_Level], frequency: _Floats) -> None:
    """What the entries of each context gain, in bits, over the parent alone."""
    above = frequency
    for level in levels:
        n = level.parent.size
        back_off = level.back_offs()
        own = ((1 - back_off) / level.sum)[level.owner] * level.value
        parent = above[level.above]
        above = own + back_off[level.owner] * parent
        gain = np.bincount(level.owner, above * np.log2(above / parent), n)
        others = np.maximum(1 - np.bincount(level.owner, parent, n), 0)
        gain += back_off * others * np.log2(back_off)
        level.gain = gain * level.total * _returning(level)


def _returning(level: _Level) -> _Floats:
    """How often contexts come back, over how often they occurred (Good-Turing)."""
    times = np.bincount(level.owner, level.times, level.parent.size).astype(np.int64)
    n = np.bincount(np.minimum(times, 7), minlength=8)[:7].astype(np.float64)
    seen = np.arange(1, 6)
    share = np.ones(7)
    share[1:6] = (seen + 1) * n[2:7] / (seen * np.maximum(n[1:6], 1))
    return np.minimum(share, 1)[np.minimum(times, 6)]


def _choose(levels: list[_Level], max_bytes: int | None) -> None:
    """Choose contexts by what they gain for a byte, the parents of each too."""
    low, high = 1e-3, 1e4  # bits for a byte
    if max_bytes is None or _chosen(levels, low) <= max_bytes:
        if max_bytes is None:
            _chosen(levels, 0)
        return
    for _ in range(24):
        price = float(np.sqrt(low * high))
        if _chosen(levels, price) > max_bytes:
            low = price
        else:
            high = price
    _chosen(levels, high)


def _chosen(levels: list[_Level], price: float) -> float:
    """Keep what gains more than it costs, and return how many bytes that takes."""
    worth: _Floats | None = None
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        net = level.gain - price * _ENTRY_BYTES * level.types
        level.owns = net > 0
        value = np.maximum(net, 0) - price * _CONTEXT_BYTES
        if worth is not None:
            value += worth
        level.keep = value > 0
        if depth:
            worth = np.bincount(
                level.parent, np.maximum(value, 0), levels[depth - 1].parent.size
            )
    size = 0.0
    above: _Bools | None = None
    for level in levels:
        if above is not None:
            level.keep &= above[level.parent]
        level.owns &= level.keep
        above = level.keep
        size += _CONTEXT_BYTES * float(level.keep.sum())
        size += _ENTRY_BYTES * float(level.types[level.owns].sum())
    return size


def _deleted(levels: list[_Level], M: int) -> tuple[_Floats, _Floats]:
    """Of all entries, those of the empty context first, what contexts give to the
    symbol and leave to the state, one occurrence taken out."""
    nothing, all_ = np.zeros(M), np.ones(M)
    owns, lefts = [nothing], [all_]
    full, out = (nothing, all_), (nothing, all_)
    for level in levels:
        share, kind = level.deleted()
        here = level.owns[level.owner]
        whole = level.back_offs()[level.owner]
        gone = ~here | (level.count == 1)
        states = []
        for part, b, above in (
            (
                level.value / level.sum[level.owner],
                np.where(here, whole, 1),
                [values[level.above] for values in full],
            ),
            (
                share,
                np.where(here & (kind >= 0), level.gate[kind], 1),
                [
                    np.where(gone, one[level.above], other[level.above])
                    for one, other in zip(out, full, strict=True)
                ],
            ),
        ):
            states.append(((1 - b) * part + b * above[0], b * above[1]))
        full, out = states
        owns.append(out[0])
        lefts.append(out[1])
    return np.concatenate(owns), np.concatenate(lefts)
