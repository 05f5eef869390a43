"""Contexts of autoregressive models in floating point: counted, smoothed, evaluated.

What comes out is a tree of integers, `bbans.frozen.contexts.Contexts`: nothing is left
to quantise.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._arguments import as_integer
from bbans.errors import ModelError
from bbans.frozen.contexts import BACK_OFF, MAX_ORDER, WEIGHTS_MAX, Contexts, Joined

__all__ = ["Counts", "evaluate", "row"]

_MAX_CONTEXTS = 1 << 24
_ITEMS = 2  # contexts and entries at most, for each byte of a packed model file
# Entries that are counted, for each byte that they may take, and if there is no limit.
_COUNTED, _COUNTED_AT_MOST = 4, 1 << 23
# Classes of contexts that share a back-off: lower ends of counts, and of numbers of
# different symbols.
_TOTALS = np.array([1, 2, 3, 4, 5, 7, 10, 15, 25, 50, 100, 1000])
_TYPES = np.array([1, 2, 3, 4, 6, 9, 15, 30])
_CLASSES = _TOTALS.size * _TYPES.size
_TOTAL_CLASS, _TYPES_CLASS = (
    np.maximum(np.searchsorted(ends, np.arange(ends[-1] + 1), "right") - 1, 0)
    for ends in (_TOTALS, _TYPES)
)
_BLOCKS = 10  # of data, each of which is left out in turn
_NEARLY = 1.002  # of bits
_OFTEN = 8  # a context that occurred as often comes back as often
_ROUNDS = 6  # of EM for the back-offs of classes
_LEAST, _MOST = 1 / BACK_OFF, 1 - 1 / BACK_OFF  # of a back-off
_UNIT = 16  # of weights: a value of 1

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
        order: int | str,
        max_bytes: int | None = None,
    ) -> None:
        automatic = order == "auto"
        longest = MAX_ORDER if automatic else as_integer(order, "order", 0, MAX_ORDER)
        if not 1 <= n_symbols <= WEIGHTS_MAX:
            raise ModelError(f"contexts are of 1 to 65535 symbols, not {n_symbols}")
        if max_bytes is not None:
            max_bytes = as_integer(max_bytes, "max_bytes", 0)
        data = Joined(sequences, n_symbols)
        # The place of the state's emission is taken by the symbols' frequencies.
        frequency = np.bincount(data.x, minlength=n_symbols) + 0.5
        self._frequency = frequency / frequency.sum()
        room = _COUNTED_AT_MOST if max_bytes is None else _COUNTED * max_bytes
        room, least = min(room, _COUNTED_AT_MOST), 1 if max_bytes is not None else 2
        blocks = max(min(_BLOCKS, data.x.size), 1)
        if automatic:  # what does not occur in two blocks says nothing here
            longest = _best(
                _counted(data, longest, blocks, room, 2)[0], self._frequency
            )
        self.order = longest
        self._levels, self._deepest = _counted(data, longest, blocks, room, least)
        _count(self._levels, discounts=True)
        _train(self._levels, self._frequency)
        _weigh(self._levels, self._frequency)
        self._keep(max_bytes)

    def _keep(self, max_bytes: int | None) -> None:
        if max_bytes is not None:
            _choose(self._levels, _ITEMS * max_bytes)
        self.n_contexts = 1 + sum(int(level.keep.sum()) for level in self._levels)
        if self.n_contexts > _MAX_CONTEXTS:
            raise ModelError("there are too many contexts: limit max_bytes")
        _count(self._levels, discounts=False)
        own, back_off = _deleted(self._levels, self._frequency.size)
        self.own, self.back_off = own[self._deepest], back_off[self._deepest]

    def contexts(self) -> Contexts:
        """Round to a tree of contexts."""
        label, degree, back_off = [np.zeros(1, np.int64)], [], [np.full(1, BACK_OFF)]
        entries, symbol, weight = [np.zeros(1, np.int64)], [], []
        above = np.ones(1, bool)
        for level in self._levels:
            here = level.keep[level.owner]
            parents = (np.cumsum(above) - 1)[level.parent[level.keep]]
            degree.append(np.bincount(parents, minlength=int(above.sum())))
            label.append(level.label[level.keep])
            entries.append(level.types[level.keep])
            symbol.append(level.symbol[here])
            b, weights = level.rounded()
            back_off.append(b)
            weight.append(weights)
            above = level.keep
        degree.append(np.zeros(int(above.sum()), np.int64))
        nothing = np.zeros(0, np.int64)
        return Contexts(
            np.cumsum(np.concatenate([[1], *degree])),
            np.cumsum(np.concatenate([[0], *entries])),
            np.concatenate(label),
            np.concatenate(back_off),
            np.concatenate([nothing, *symbol]),
            np.concatenate([nothing, *weight]),
        )


class _Level:
    """Contexts of one length, and their entries: symbols that followed them.

    The data are in blocks. A *part* of an entry is its occurrences in one block.

    Attributes
    ----------
    parent, label, earlier : ndarray of int64, shape (C,)
        In the level above; the symbol before the parent's; and in the level above what
        is left without the last symbol.
    owner, symbol, above : ndarray of int64, shape (E,)
        Of an entry: its context, its symbol, and the parent's entry of that symbol.
    times, ending : ndarray of int64, shape (E,)
        Occurrences, and those that have no longer context.
    entry, part_above, part_ending : ndarray of int64, shape (P,)
        The same of parts; `cell` is the context's number and the block's in one.
    keep : ndarray of bool, shape (C,)
        Is the context in the tree?
    count, value : ndarray, shape (E,)
        What an entry counts, and that, discounted.
    total, types, sum : ndarray, shape (C,)
        Of a context: its counts and values in sum, and the number of entries.
    share, kind : ndarray, shape (P,)
        Of a part, with its block left out: the entry's share of its context, and the
        context's class; -1 if nothing is left of that.
    gate : ndarray of float64, shape (classes,)
        Of each class of contexts, the back-off.
    gain : ndarray of float64, shape (C,)
        What its entries gain, in bits.
    """

    def __init__(
        self,
        keys: _Integers,
        earlier: _Integers,
        parts: _Integers,
        times: _Integers,
        above: _Integers,
        entries_above: _Integers,
        M: int,
        blocks: int,
    ) -> None:
        self.blocks = blocks
        self.parent, self.label = keys // (M + 1), keys % (M + 1)
        self.earlier = earlier
        pairs = parts // blocks
        first = np.flatnonzero(np.diff(pairs, prepend=-1))
        self.entry = np.cumsum(np.diff(pairs, prepend=-1) > 0) - 1
        self.owner, self.symbol = pairs[first] // M, pairs[first] % M
        self.cell = self.owner[self.entry] * blocks + parts % blocks
        self.part_above, self.above = above, entries_above[above[first]]
        self.part_times = self.part_ending = times
        self.times = self.ending = np.add.reduceat(times, first)
        self.keep = np.ones(keys.size, bool)
        self.types = np.bincount(self.owner, minlength=keys.size)
        # What is left of counts 0, 1, 2, and what of more is taken off.
        self.left, self.discount = np.zeros(3), 0.0
        total, types = np.repeat(_TOTALS, _TYPES.size), np.tile(_TYPES, _TOTALS.size)
        self.gate = np.clip(0.7 * types / (total + 0.3), 0.02, 0.9)

    def end(self, below: _Level | None) -> None:
        """Find what has no longer context."""
        self.ending, self.part_ending = self.times, self.part_times
        if below is not None:
            further = np.bincount(below.above, below.times, self.times.size)
            self.ending = self.times - further.astype(np.int64)
            further = np.bincount(below.part_above, below.part_times, self.entry.size)
            self.part_ending = self.part_times - further.astype(np.int64)

    def set_counts(self, below: _Level | None) -> None:
        """Count what longer contexts do not count, and what they count once."""
        self.count, less = self.ending, self.part_ending
        if below is not None:
            here = below.keep[below.owner]
            passed = np.where(here, 1, below.count)
            self.count = self.count + np.bincount(
                below.above, passed, self.count.size
            ).astype(np.int64)
            passed = np.where(here[below.entry], below.rest == 0, below.less)
            less = less + np.bincount(below.part_above, passed, less.size).astype(
                np.int64
            )
        self.less, self.rest = less, self.count[self.entry] - less

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

    def set_values(self) -> None:
        """Values and sums, of all and with each block left out."""
        n = self.parent.size
        self.total = np.bincount(self.owner, self.count, n).astype(np.int64)
        self.value = self.discounted(self.count)
        self.sum = np.bincount(self.owner, self.value, n)
        value, cells = self.discounted(self.rest), n * self.blocks
        lost = np.bincount(self.cell, self.value[self.entry] - value, cells)[self.cell]
        context = self.owner[self.entry]
        rest = self.sum[context] - lost
        total = self.total[context] - np.bincount(self.cell, self.less, cells)[
            self.cell
        ].astype(np.int64)
        types = self.types[context] - np.bincount(self.cell, self.rest == 0, cells)[
            self.cell
        ].astype(np.int64)
        some = total > 0
        self.share = np.where(some, value / np.where(some, rest, 1), 0)
        self.kind = np.where(some, _class(total, types), -1)

    def back_offs(self) -> _Floats:
        """Of each context."""
        return self.gate[_class(self.total, self.types)]

    def returning(self) -> _Floats:
        """How often contexts come back, over how often they have occurred.

        That is how often those occur in a block which occur as often outside of it.
        """
        n, blocks = self.parent.size, self.blocks
        there = np.bincount(self.cell, self.part_times, n * blocks).reshape(n, blocks)
        times = there.sum(axis=1)
        outside = np.minimum(times[:, None] - there, _OFTEN).astype(np.int64).ravel()
        again = np.bincount(outside, there.ravel(), _OFTEN + 1)
        all_ = np.bincount(outside, minlength=_OFTEN + 1)
        seen = np.maximum(np.arange(_OFTEN + 1), 1)
        share = blocks * again / (seen * np.maximum(all_, 1))
        share[_OFTEN] = 1
        return np.minimum(share, 1)[np.minimum(times, _OFTEN).astype(np.int64)]

    def rounded(self) -> tuple[_Integers, _Integers]:
        """Back-offs of the contexts that are kept, and weights of their entries.

        Equal counts have equal weights, and back-offs follow from the number of
        entries and their counts: so they take little in a file.
        """
        b = np.rint(BACK_OFF * self.back_offs()).astype(np.int64)
        unit = min(_UNIT, ((WEIGHTS_MAX + 1) // 2) / self.sum.max(initial=1))
        weight = np.maximum(np.rint(unit * self.value), 1).astype(np.int64)
        return b[self.keep], weight[self.keep[self.owner]]


def _class(total: _Integers, types: _Integers) -> _Integers:
    """The class of contexts with such counts, at least 1."""
    n = _TOTAL_CLASS[np.minimum(total, _TOTALS[-1])]
    return n * _TYPES.size + _TYPES_CLASS[np.minimum(types, _TYPES[-1])]


def _counted(
    data: Joined, order: int, blocks: int, room: float, least: int
) -> tuple[list[_Level], _Integers]:
    """Levels of contexts, and for each symbol its part of the longest context: its
    number among all, the M symbols without a context first.

    Contexts that occur seldom are left out where there are more than `room` parts.
    """
    M, T = data.M, data.x.size
    levels: list[_Level] = []
    at, of = np.arange(T), np.zeros(T, np.int64)
    block = at * blocks // max(T, 1)
    deepest, begin, start = data.x.copy(), 0, M
    number = np.zeros(T, np.int64)  # of the context above, for each symbol
    entries = np.arange(M)
    for depth in range(1, order + 1):
        label = data.label(at, depth)
        inside = label >= 0
        at = at[inside]
        keys, first, of = np.unique(
            of[inside] * (M + 1) + label[inside], return_index=True, return_inverse=True
        )
        earlier = number[np.maximum(at[first] - 1, 0)]
        times = np.bincount(of)
        allowed = room // min(order + 1 - depth, 3)
        while int(times[times >= least].sum()) > 1.2 * allowed and (
            least == 1 or int((times >= least).sum()) > allowed
        ):
            least += 1
        often = times >= least
        inside = often[of]
        at, of, keys = at[inside], (np.cumsum(often) - 1)[of[inside]], keys[often]
        number[at] = of
        if keys.size == 0:
            break
        parts, first, part, times = np.unique(
            (of * M + data.x[at]) * blocks + block[at],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        above = deepest[at[first]] - begin
        levels.append(
            _Level(keys, earlier[often], parts, times, above, entries, M, blocks)
        )
        room = max(room - parts.size, 0)
        deepest[at] = start + part
        begin, start, entries = start, start + parts.size, levels[-1].entry
    for level, below in itertools.zip_longest(levels, levels[1:]):
        level.end(below)
    return levels, deepest


def _count(levels: list[_Level], discounts: bool) -> None:
    """Counts and values, from the longest contexts to the shortest."""
    for level, below in zip(
        reversed(levels), [None, *reversed(levels[1:])], strict=True
    ):
        level.set_counts(below)
        if discounts:
            level.set_discounts()
        level.set_values()


class _Step(NamedTuple):
    """Parts of one level that have something left without their block."""

    share: _Floats
    kind: _Integers
    above: _Integers
    times: _Integers
    ending: _Integers  # occurrences that have no such part in the level below


def _steps(levels: list[_Level], M: int) -> list[_Step]:
    """The data to train with. (What has nothing left has nothing below, either.)"""
    steps: list[_Step] = []
    number = np.arange(M)
    for level in levels:
        some = np.flatnonzero(level.kind >= 0)
        if some.size == 0:
            break
        above = number[level.part_above[some]]
        times = level.part_times[some]
        if steps:
            last = steps[-1]
            further = np.bincount(above, times, last.times.size)
            steps[-1] = last._replace(ending=last.times - further)
        steps.append(_Step(level.share[some], level.kind[some], above, times, times))
        number = np.zeros(level.kind.size, np.int64)
        number[some] = np.arange(some.size)
    return steps


def _train(levels: list[_Level], frequency: _Floats) -> _Floats:
    """Back-offs of classes by EM.

    Returns
    -------
    bits : ndarray of float64, shape (levels,)
        What the data take with contexts up to each length, each block left out in its
        turn.
    """
    steps = _steps(levels, frequency.size)
    for _ in range(_ROUNDS):
        above, passed = frequency, []
        for level, step in zip(levels, steps, strict=False):
            b = level.gate[step.kind]
            through = b * above[step.above]
            above = (1 - b) * step.share + through
            passed.append(through / above)
        reach: _Floats = np.zeros(0)
        below: _Step | None = None
        for k in range(len(steps) - 1, -1, -1):
            step, arriving = steps[k], steps[k].ending.astype(np.float64)
            if below is not None:
                arriving += np.bincount(below.above, reach, arriving.size)
            reach = arriving * passed[k]
            opened = np.bincount(step.kind, reach, _CLASSES)
            all_ = np.bincount(step.kind, arriving, _CLASSES)
            # As if each class had been seen once before.
            gate = (opened + levels[k].gate) / (all_ + 1)
            levels[k].gate = np.clip(gate, _LEAST, _MOST)
            below = step
    bits, ended, above = np.zeros(len(steps)), 0.0, frequency
    for k, (level, step) in enumerate(zip(levels, steps, strict=False)):
        b = level.gate[step.kind]
        above = (1 - b) * step.share + b * above[step.above]
        lengths = np.log2(above)
        bits[k] = ended - step.times @ lengths
        ended -= step.ending @ lengths
    return bits


def _best(levels: list[_Level], frequency: _Floats) -> int:
    """The least length of contexts which is nearly as good as any."""
    if not levels:
        return 0
    _count(levels, discounts=True)
    bits = _train(levels, frequency)
    print((bits / 8).astype(int))
    return int(np.argmax(bits <= _NEARLY * bits.min())) + 1


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
        level.gain = gain * level.total * level.returning()


def _choose(levels: list[_Level], max_items: float) -> None:
    """Choose contexts by what they gain for an item (a context, or an entry), and all
    that these need."""
    low, high = 1e-6, 1e4  # bits for an item
    if _chosen(levels, low) <= max_items:
        return
    for _ in range(24):
        price = float(np.sqrt(low * high))
        if _chosen(levels, price) > max_items:
            low = price
        else:
            high = price
    _chosen(levels, high)


def _chosen(levels: list[_Level], price: float) -> int:
    """Keep what gains more than it costs, and return how many items that is.

    A context is kept with its parent, and with the one that lacks the last symbol: of
    a model file's bytes, what both say is the larger part.
    """
    worth: _Floats | None = None
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        value = level.gain - price * (1 + level.types)
        if worth is not None:
            value += worth
        level.keep = value > 0
        if depth:
            worth = np.bincount(
                level.parent, np.maximum(value, 0), levels[depth - 1].parent.size
            )
    for level, above in zip(reversed(levels[1:]), reversed(levels[:-1]), strict=True):
        above.keep[level.parent[level.keep]] = True
        above.keep[level.earlier[level.keep]] = True
    return sum(int((1 + level.types[level.keep]).sum()) for level in levels)


def _deleted(levels: list[_Level], M: int) -> tuple[_Floats, _Floats]:
    """Of all parts, the symbols without a context first, what contexts give to the
    symbol and leave to the state, the block left out."""
    own, left = np.zeros(M), np.ones(M)
    owns, lefts = [own], [left]
    for level in levels:
        there = level.keep[level.owner][level.entry] & (level.kind >= 0)
        b = np.where(there, level.gate[level.kind], 1)
        own = (1 - b) * level.share + b * own[level.part_above]
        left = b * left[level.part_above]
        owns.append(own)
        lefts.append(left)
    return np.concatenate(owns), np.concatenate(lefts)
