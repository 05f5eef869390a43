"""Where training of HMMs starts: states that are classes of symbols or contexts.

docs/maths.md, "Where training starts".
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bbans.models import _classes
from bbans.models._data import NO_DATA, NoDataError
from bbans.models._parameters import Floats, random_emission
from bbans.models._sample import Sample

__all__ = ["DataStart"]

_SYMBOLS = 1 << 18  # that classes are found in, at most
_LONGEST = 8  # symbols of a context
_ITEMS = 1 << 12  # contexts that look for a class; others, which are rare, have any
_SWEEPS = 10  # through these, at most
_NOISE = 0.35  # of each distribution; docs/maths.md says what others do


class DataStart:
    """Counts symbols as they come, and holds a sample of them.

    Parameters
    ----------
    sequences : iterable of ndarray of int32
        Symbols' indices, ends included.
    n_symbols : int
        M.
    """

    def __init__(self, sequences: Iterable[NDArray[np.int32]], n_symbols: int) -> None:
        self.frequencies: Floats = np.zeros(n_symbols)
        self._sample = Sample(n_symbols, _SYMBOLS)

        def counted() -> Iterator[NDArray[np.int32]]:
            for x in sequences:
                self.frequencies += np.bincount(x, minlength=n_symbols)
                yield x

        self._sample.add(counted())
        if not self.frequencies.any():
            raise NoDataError(NO_DATA)

    def classes(self, K: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Transitions and emissions of states that are classes, found from a start at
        random, but for some noise."""
        M = self.frequencies.size
        sequences = self._sample.sequences()
        x = np.concatenate(sequences)
        goes_on = np.ones(x.size, np.bool_)  # is not the last of its sequence
        goes_on[np.cumsum([part.size for part in sequences]) - 1] = False
        state = _states_of(x, goes_on, M, K, rng)
        C, E = _counts(state, x, goes_on, M, K)
        return (
            _mixed(C, rng.dirichlet(np.full(K, 10.0), K)),
            _mixed(E, random_emission(rng, K, self.frequencies)),
        )


def _states_of(
    x: NDArray[np.int32],
    goes_on: NDArray[np.bool_],
    M: int,
    K: int,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """The class at each step: of the symbol, or of longer contexts as long as these
    make the data likelier."""
    values, items = np.unique(x, return_inverse=True)
    best, state = -math.inf, np.zeros(0, np.int32)
    for _ in range(_LONGEST):
        symbols = (values % M).astype(np.int32)
        found = _classes_of(items, symbols, goes_on, M, K, rng)[items]
        C, E = _counts(found, x, goes_on, M, K)
        likelihood = float(
            _n_log_n(C).sum() - _n_log_n(C.sum(axis=1)).sum()
            + _n_log_n(E).sum() - _n_log_n(E.sum(axis=1)).sum()
        )  # fmt: skip
        if likelihood <= best:
            break
        best, state = likelihood, found
        before = np.zeros(x.size, np.int64)
        before[1:] = np.where(goes_on[:-1], items[:-1] + 1, 0)
        values, items = np.unique(before * M + x, return_inverse=True)
    return state


def _classes_of(
    items: NDArray[np.int64],
    symbols: NDArray[np.int32],
    goes_on: NDArray[np.bool_],
    M: int,
    K: int,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """A class for each item: at first for the most frequent its own, for others any."""
    V = symbols.size
    weight = np.bincount(items, minlength=V).astype(np.int32)
    frequent = np.argsort(-weight, kind="stable")
    found = np.empty(V, np.int32)
    found[frequent] = np.concatenate(
        [np.arange(min(V, K)), rng.integers(0, K, max(V - K, 0))]
    )
    if V <= K or K == 1:
        return found
    here, then = items[:-1][goes_on[:-1]], items[1:][goes_on[:-1]]
    pairs, count = np.unique(here * V + then, return_counts=True)
    left, right = pairs // V, pairs % V
    of_symbols = np.unique(symbols).size == V  # their counts do not depend on classes
    C, E = (
        n.astype(np.int32) for n in _counts(found[items], symbols[items], goes_on, M, K)
    )
    if of_symbols:
        E = np.zeros((K, 0), np.int32)
    follows, first_follows = _lists(left, right, count, V)
    leads, first_leads = _lists(right, left, count, V)
    L = _n_log_n(np.arange(items.size + 1.0))
    work = np.zeros((6, K), np.int32)
    for _ in range(_SWEEPS):
        order = rng.permutation(frequent[:_ITEMS]).astype(np.int32)
        moved = _classes.exchange(
            order, follows, leads, first_follows, first_leads, weight, symbols, L,
            found, C, E, work,
        )  # fmt: skip
        if moved <= order.size // 100:
            break
    return found


def _lists(
    of: NDArray[np.int64], what: NDArray[np.int64], count: NDArray[np.int64], V: int
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(what, count) in rows, item by item, and where those of each item begin."""
    order = np.argsort(of, kind="stable")
    rows = np.stack([what[order], count[order]], axis=1).astype(np.int32)
    first = np.searchsorted(of[order], np.arange(V + 1)).astype(np.int32)
    return np.ascontiguousarray(rows), first


def _counts(
    state: NDArray[np.int32],
    x: NDArray[np.int32],
    goes_on: NDArray[np.bool_],
    M: int,
    K: int,
) -> tuple[Floats, Floats]:
    """Of pairs of states, and of symbols in a state."""
    rows = state.astype(np.int64)
    C = np.bincount((rows[:-1] * K + rows[1:])[goes_on[:-1]], minlength=K * K)
    E = np.bincount(rows * M + x, minlength=K * M)
    return C.reshape(K, K).astype(np.float64), E.reshape(K, M).astype(np.float64)


def _n_log_n(n: Floats) -> Floats:
    found: Floats = n * np.log(np.maximum(n, 1.0))
    return found


def _mixed(counts: Floats, noise: Floats) -> Floats:
    """Rows of counts as distributions, with some noise; of none, all noise."""
    total = counts.sum(axis=1, keepdims=True)
    share = np.where(total > 0, _NOISE, 1.0)
    rows: Floats = share * noise + (1 - share) * counts / np.maximum(total, 1)
    rows /= rows.sum(axis=1, keepdims=True)
    return rows
