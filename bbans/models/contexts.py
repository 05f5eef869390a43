"""Contexts of autoregressive models in floating point: counted, smoothed, evaluated.

What comes out is a tree of integers, `bbans.frozen.contexts.Contexts`: nothing is left
to quantise.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_integer
from bbans.errors import ModelError
from bbans.frozen.contexts import BACK_OFF, MAX_ORDER, WEIGHTS_MAX, Contexts, Joined

__all__ = ["Counts", "evaluate", "row"]

_MAX_ITEMS = 1 << 23
# Contexts and entries at most: for each byte of a packed model file; of many bytes,
# fewer, since these take time to load.
_ITEMS, _ITEMS_OF_MANY, _MANY_ITEMS = 3, 1.05, 270_000
# Parts of entries that are counted: for each of those bytes, and at least.
_COUNTED, _COUNTED_AT_LEAST = 4, 1 << 20
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
_ORDERS = 8, 16
_BETTER = 0.995  # so much less the longer order must take
_LEAST_GAIN = 0.01  # bits, for an item
_HALVINGS = 24
_REPLACED = 0.5  # of varied symbols, in copies
_MANY, _HARMLESS = 0.15, 1.1  # what part of the data they must be, and of the bits
_OTHERWISE = 0.01  # leave that much more to shorter contexts: other data differ
_OFTEN = 8  # a context that occurred as often comes back as often
_ROUNDS = 6  # of EM for the back-offs of classes
_SAMPLE = 1 << 18  # symbols that are enough for that
# Once there are states: at first no class leaves less to them; rounds; and what part
# of the bits must go for it to be worth it.
_OPEN, _ROUNDS_AGAIN, _WORTH, _SETTLED = 0.25, 100, 0.97, 0.999
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
    order : int or "auto"
        Symbols of the longest context, 0 to 16; or what is best for the last fifth of
        the data.
    max_bytes : int, optional
        What the contexts may take in a packed model file, about; see `limit`. Those are
        left out that gain least. By default all are kept that occur twice and gain
        anything.
    varied : array_like of int, optional
        Symbols that stand for each other, as digits do: the data are counted again
        with half of these replaced by others of them, so that what follows a number is
        known after others too. With order "auto" only where that is better for the
        last fifth.

    Attributes
    ----------
    order : int
    varied : bool
        Whether symbols were replaced.
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
        varied: ArrayLike = (),
    ) -> None:
        if not 1 <= n_symbols <= WEIGHTS_MAX:
            raise ModelError(f"contexts are of 1 to 65535 symbols, not {n_symbols}")
        if max_bytes is not None:
            max_bytes = as_integer(max_bytes, "max_bytes", 0)
        parts, varied = list(sequences), _symbols(varied, n_symbols)
        if order == "auto":
            order, varied = _best(parts, n_symbols, max_bytes, varied)
        self.order = as_integer(order, "order", 0, MAX_ORDER)
        self.varied = varied.size > 0
        x = Joined(parts, n_symbols).x
        block = np.arange(x.size) * _BLOCKS // max(x.size, 1)
        genuine = np.ones(x.size, bool)
        if self.varied:
            parts, block, genuine = _with_copies(parts, block, varied)
        self._frequency = _frequency(x, n_symbols)
        data = Joined(parts, n_symbols)
        self._levels, deepest = _counted(data, block, self.order, max_bytes)
        self._deepest = deepest[genuine]
        _count(self._levels, discounts=True)
        chain, at = self._chain()
        gates = [level.gate for level in self._levels]
        for _ in range(_ROUNDS):
            gates, _ = _maximised(chain, gates, self._frequency[x[at]])
        for level, gate in zip(self._levels, gates, strict=True):
            level.gate = gate + _OTHERWISE * (1 - gate)
        _weigh(self._levels, self._frequency)
        self._least_gain = 0.0 if max_bytes is None else _LEAST_GAIN
        self._keep(_most_items(max_bytes))

    def _keep(self, items: int) -> None:
        self.n_items = _choose(self._levels, items, self._least_gain)
        self.n_contexts = 1 + sum(int(level.keep.sum()) for level in self._levels)
        self._finish()

    def _finish(self) -> None:
        """With the contexts that are chosen."""
        _count(self._levels, discounts=False)
        own, back_off = _deleted(self._levels, self._frequency.size)
        self.own, self.back_off = own[self._deepest], back_off[self._deepest]

    def refit(self, base: _Floats) -> bool:
        """Train back-offs again, with what the states give to each symbol.

        Where states tell more than the symbols' frequencies do, contexts should leave
        more to them.

        Parameters
        ----------
        base : ndarray of float64, shape (T,)
            ``P(x_t | x_1 .. x_t-1)`` under the states alone, given all before.

        Returns
        -------
        changed : bool
            Whether that gains anything worth it. If so, `own` and `back_off` differ.
        """
        chosen = [level.keep for level in self._levels]
        for level in self._levels:
            level.keep = np.ones_like(level.keep)
        _count(self._levels, discounts=False)
        chain, at = self._chain()
        before = [level.gate for level in self._levels]
        _, bits = _maximised(chain, before, base[at])
        gates = [np.maximum(gate, _OPEN) for gate in before]
        last = np.inf
        for _ in range(_ROUNDS_AGAIN):
            gates, found = _maximised(chain, gates, base[at])
            if found > _SETTLED * last:
                break
            last = found
        changed = found < _WORTH * bits
        for level, keep, gate in zip(self._levels, chosen, gates, strict=True):
            level.keep = keep
            if changed:
                level.gate = gate + _OTHERWISE * (1 - gate)
        self._finish()
        return changed

    def _chain(self) -> tuple[list[_Link], _Integers]:
        """What back-offs are trained with: some symbols of the data, all if they are
        not too many, and their numbers."""
        at = np.arange(0, self._deepest.size, -(-self._deepest.size // _SAMPLE) or 1)
        number, chain = self._deepest[at], []
        sizes = [self._frequency.size, *(level.kind.size for level in self._levels)]
        starts = np.cumsum([0, *sizes]).tolist()
        for k in range(len(self._levels) - 1, -1, -1):
            level = self._levels[k]
            here = np.flatnonzero(number >= starts[k + 1])
            part = number[here] - starts[k + 1]
            number[here] = level.part_above[part] + starts[k]
            some = level.kind[part] >= 0
            part = part[some]
            chain.append(_Link(here[some], level.share[part], level.kind[part]))
        return chain[::-1], at

    def limit(self, max_bytes: int, size: Callable[[Contexts], int]) -> Contexts:
        """Leave out contexts until what holds them is as small as it must be.

        Parameters
        ----------
        max_bytes : int
        size : callable
            Of contexts, the bytes of what holds them.

        Returns
        -------
        contexts : Contexts
            As many as fit, or the empty one alone. `n_contexts`, `own` and `back_off`
            go with it.
        """
        while True:
            contexts = self.contexts()
            excess = size(contexts) - max_bytes
            if excess <= 0 or self.n_items == 0:
                return contexts
            # What is left out first takes the most bytes.
            each = max(size(contexts) - size(Contexts.empty()), 1) / self.n_items
            self._keep(max(self.n_items - int(excess / each) - 1, 0))

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
    ) -> None:
        self.parent, self.label = keys // (M + 1), keys % (M + 1)
        self.earlier = earlier
        pairs = parts // _BLOCKS
        first = np.flatnonzero(np.diff(pairs, prepend=-1))
        self.entry = np.cumsum(np.diff(pairs, prepend=-1) > 0) - 1
        self.owner, self.symbol = pairs[first] // M, pairs[first] % M
        self.cell = self.owner[self.entry] * _BLOCKS + parts % _BLOCKS
        self.part_above, self.above = above, entries_above[above[first]]
        self.part_times = self.part_ending = times
        self.times = self.ending = np.add.reduceat(times, first)
        self.keep = np.ones(keys.size, bool)
        self.count: _Integers = self.times
        self.less: _Integers = self.part_times
        self.rest: _Integers = self.part_times
        self.types = np.bincount(self.owner, minlength=keys.size)
        self.gain: _Floats = np.zeros(keys.size)
        # What is left of counts 0, 1, 2, and what of more is taken off.
        self.left, self.discount = np.zeros(3), 0.0
        total, types = np.repeat(_TOTALS, _TYPES.size), np.tile(_TYPES, _TOTALS.size)
        self.gate = np.clip(0.7 * types / (total + 0.3), 0.02, 0.9)

    def end(self, below: _Level | None) -> None:
        """Find what has no longer context."""
        self.ending, self.part_ending = self.times, self.part_times
        if below is not None:
            self.ending = self.times - _sums(below.above, below.times, self.times.size)
            self.part_ending = self.part_times - _sums(
                below.part_above, below.part_times, self.entry.size
            )

    def set_counts(self, below: _Level | None) -> None:
        """Count what longer contexts do not count, and what they count once."""
        count, less = self.ending.copy(), self.part_ending.copy()
        if below is not None:
            here = below.keep[below.owner]
            passed = np.where(here, 1, below.count)
            count += _sums(below.above, passed, count.size)
            passed = np.where(here[below.entry], below.rest == 0, below.less)
            less += _sums(below.part_above, passed, less.size)
        self.count, self.less = count, less
        self.rest = count[self.entry] - less

    def set_discounts(self) -> None:
        """Chen and Goodman's, from the numbers of entries that count 1 to 4."""
        n = np.bincount(np.minimum(self.count, 5), minlength=6)[1:5]
        n = np.maximum(n, 1)
        y = n[0] / (n[0] + 2 * n[1])
        one, two, more = (j - (j + 1) * y * n[j] / n[j - 1] for j in (1, 2, 3))
        # Few entries say little about that: at least what is left rises.
        first = 1 - min(max(one, 0.1), 0.95)
        second = 2 - min(max(two, 0.1), 1.75 - first)
        self.left = np.array([0, first, second])
        self.discount = min(max(more, 0.1), 2.75 - second)

    def discounted(self, count: _Integers) -> _Floats:
        """What is left of counts."""
        more = np.maximum(count - self.discount, 0)
        found: _Floats = np.where(count < 3, self.left[np.minimum(count, 2)], more)
        return found

    def set_values(self) -> None:
        """Values and sums, of all and with each block left out."""
        n = self.parent.size
        self.total = _sums(self.owner, self.count, n)
        self.value = self.discounted(self.count)
        self.sum = np.bincount(self.owner, self.value, n)
        value, cells = self.discounted(self.rest), n * _BLOCKS
        lost = np.bincount(self.cell, self.value[self.entry] - value, cells)[self.cell]
        context = self.owner[self.entry]
        rest = self.sum[context] - lost
        total = self.total[context] - _sums(self.cell, self.less, cells)[self.cell]
        types = _sums(self.cell, self.rest == 0, cells)[self.cell]
        types = self.types[context] - types
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
        n, blocks = self.parent.size, _BLOCKS
        there = _sums(self.cell, self.part_times, n * blocks).reshape(n, blocks)
        times = there.sum(axis=1)
        outside = np.minimum(times[:, None] - there, _OFTEN).ravel()
        again = np.bincount(outside, there.ravel(), _OFTEN + 1)
        all_ = np.bincount(outside, minlength=_OFTEN + 1)
        seen = np.maximum(np.arange(_OFTEN + 1), 1)
        share = blocks * again / (seen * np.maximum(all_, 1))
        share[_OFTEN] = 1
        found: _Floats = np.minimum(share, 1)[np.minimum(times, _OFTEN)]
        return found

    def rounded(self) -> tuple[_Integers, _Integers]:
        """Back-offs of the contexts that are kept, and weights of their entries.

        Equal counts have equal weights, and back-offs follow from the number of
        entries and their counts: so they take little in a file.
        """
        b = np.rint(BACK_OFF * self.back_offs()).astype(np.int64)
        # Rounding adds less than 1 to each; contexts of large sums have smaller units.
        excess = _UNIT * self.sum / np.maximum(WEIGHTS_MAX - self.types, 1)
        unit = _UNIT / 2.0 ** np.ceil(np.log2(np.maximum(excess, 1)))
        weight = np.maximum(np.rint(unit[self.owner] * self.value), 1).astype(np.int64)
        return b[self.keep], weight[self.keep[self.owner]]


def _sums(of: _Integers, values: NDArray[Any], n: int) -> _Integers:
    """Of integers, by where they belong."""
    return np.bincount(of, values, n).astype(np.int64)


def _floats(of: _Integers, values: _Floats, n: int) -> _Floats:
    """Of floats."""
    return np.asarray(np.bincount(of, values, n), np.float64)


def _class(total: _Integers, types: _Integers) -> _Integers:
    """The class of contexts with such counts, at least 1."""
    n = _TOTAL_CLASS[np.minimum(total, _TOTALS[-1])]
    found: _Integers = n * _TYPES.size + _TYPES_CLASS[np.minimum(types, _TYPES[-1])]
    return found


def _frequency(x: _Integers, M: int) -> _Floats:
    """What takes the place of the states' emission."""
    frequency: _Floats = np.bincount(x, minlength=M) / 1
    frequency += 0.5
    frequency /= frequency.sum()
    return frequency


def _symbols(varied: ArrayLike, M: int) -> _Integers:
    symbols = np.asarray(varied, np.int64).ravel()
    if symbols.size and not 0 <= int(symbols.min()) <= int(symbols.max()) < M:
        raise ModelError(f"varied symbols are not all among the {M}")
    return symbols


def _with_copies(
    parts: list[NDArray[np.int32]], block: _Integers, varied: _Integers
) -> tuple[list[NDArray[np.int32]], _Integers, NDArray[np.bool_]]:
    """Each sequence and a copy, the blocks of their symbols, and which are genuine."""
    rng = np.random.default_rng(0)
    found, blocks, genuine = [], [block[:0]], [np.zeros(0, bool)]
    start = 0
    for part in parts:
        copy = part.copy()
        at = np.flatnonzero(np.isin(part, varied))
        at = at[rng.random(at.size) < _REPLACED]
        copy[at] = rng.choice(varied, at.size)
        found += [part, copy]
        blocks += [block[start : start + part.size]] * 2
        genuine += [np.ones(part.size, bool), np.zeros(part.size, bool)]
        start += part.size
    return found, np.concatenate(blocks), np.concatenate(genuine)


def _best(
    parts: list[NDArray[np.int32]],
    M: int,
    max_bytes: int | None,
    varied: _Integers,
) -> tuple[int, _Integers]:
    """The order, and the symbols to replace: of few, what is best for the last fifth.

    Shorter contexts, unless others are better by much; no replacement, if it is worse.
    """
    ends = np.cumsum([0, *(part.size for part in parts)])
    T = int(ends[-1])
    n = int(np.searchsorted(ends, 0.8 * T, "right")) - 1
    known, others = parts[:n], parts[n:]
    if others and ends[n] < 0.7 * T:  # within a long one
        cut = int(0.8 * T) - int(ends[n])
        known, others = [*known, others[0][:cut]], [others[0][cut:], *others[1:]]
    x = Joined(others, M).x
    before = Joined(known, M).x
    p = _frequency(before, M)[x]

    def bits(order: int, varied: _Integers) -> float:
        tree = Counts(known, M, order, max_bytes, varied).contexts()
        own, left = evaluate(tree, tree.find(others, M), x)
        return -float(np.log2(own + left * p).sum())

    none = varied[:0]
    short, long = (bits(order, none) for order in _ORDERS)
    order, least = _ORDERS[0], short
    if long < _BETTER * short:
        order, least = _ORDERS[1], long
    # Numbers change more in data to come than in the last fifth of these.
    if (
        np.isin(before, varied).sum() > _MANY * before.size
        and bits(order, varied) < _HARMLESS * least
    ):
        return order, varied
    return order, none


def _counted(
    data: Joined, block: _Integers, order: int, max_bytes: int | None
) -> tuple[list[_Level], _Integers]:
    """Levels of contexts, and for each symbol its part of the longest context: its
    number among all, the M symbols without a context first."""
    # Contexts that occur seldom are left out where there are too many parts.
    room = _MAX_ITEMS
    if max_bytes is not None:
        room = min(room, max(_COUNTED * max_bytes, _COUNTED_AT_LEAST))
    least = 2 if max_bytes is None else 1
    M, T = data.M, data.x.size
    levels: list[_Level] = []
    at, of = np.arange(T), np.zeros(T, np.int64)
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
            (of * M + data.x[at]) * _BLOCKS + block[at],
            return_index=True,
            return_inverse=True,
            return_counts=True,
        )
        above = deepest[at[first]] - begin
        levels.append(_Level(keys, earlier[often], parts, times, above, entries, M))
        room = max(room - parts.size, 0)
        deepest[at] = start + part
        begin, start, entries = start, start + parts.size, levels[-1].entry
    for level, below in itertools.zip_longest(levels, levels[1:]):
        level.end(below)
    return levels, deepest


def _count(levels: list[_Level], discounts: bool) -> None:
    """Counts and values, from the longest contexts to the shortest."""
    below: _Level | None = None
    for level in reversed(levels):
        level.set_counts(below)
        if discounts:
            level.set_discounts()
        level.set_values()
        below = level


class _Link(NamedTuple):
    """Of symbols that have a context of some length, with their block left out."""

    where: _Integers  # among all symbols
    share: _Floats
    kind: _Integers


def _maximised(
    chain: list[_Link], gates: list[_Floats], base: _Floats
) -> tuple[list[_Floats], float]:
    """One round of EM for the back-offs of classes.

    Returns
    -------
    gates : list of ndarray of float64
    bits : float
        What the symbols take with those before.
    """
    p, passed = base.copy(), []
    for link, gate in zip(chain, gates, strict=True):
        b = gate[link.kind]
        through = b * p[link.where]
        all_ = (1 - b) * link.share + through
        passed.append(through / all_)
        p[link.where] = all_
    reach, found = np.ones(p.size), []
    for k in range(len(chain) - 1, -1, -1):
        where, kind = chain[k].where, chain[k].kind
        arriving = reach[where]
        reach[where] = through = arriving * passed[k]
        opened = _floats(kind, through, _CLASSES)
        # As if each class had been seen once before.
        gate = (opened + gates[k]) / (_floats(kind, arriving, _CLASSES) + 1)
        found.append(np.clip(gate, _LEAST, _MOST))
    return found[::-1], -float(np.log2(p).sum())


def _weigh(levels: list[_Level], frequency: _Floats) -> None:
    """What the entries of each context gain, in bits, over the parent alone."""
    above = frequency
    for level in levels:
        n = level.parent.size
        back_off = level.back_offs()
        own = ((1 - back_off) / level.sum)[level.owner] * level.value
        parent = above[level.above]
        above = own + back_off[level.owner] * parent
        gain = _floats(level.owner, above * np.log2(above / parent), n)
        others = np.maximum(1 - np.bincount(level.owner, parent, n), 0)
        gain += back_off * others * np.log2(back_off)
        level.gain = gain * level.total * level.returning()


def _most_items(max_bytes: int | None) -> int:
    if max_bytes is None:
        return _MAX_ITEMS
    return min(_ITEMS * max_bytes, max(_MANY_ITEMS, int(_ITEMS_OF_MANY * max_bytes)))


def _choose(levels: list[_Level], max_items: int, least: float) -> int:
    """Choose contexts by what they gain for an item (a context, or an entry), and all
    that these need. Returns how many items that is."""
    low, high = max(least, 1e-6), 1e6
    items = _chosen(levels, low)
    if items <= max_items:
        return items
    for _ in range(_HALVINGS):
        price = float(np.sqrt(low * high))
        if _chosen(levels, price) > max_items:
            low = price
        else:
            high = price
    return _chosen(levels, high)


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
            value = value + worth
        level.keep = value > 0
        if depth:
            worth = _floats(
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
