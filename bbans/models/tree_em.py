"""Sums over the states of latent trees: expected counts, and what is made of them.

Rows go through the tree in pieces, node after node, so that each step is a product of
matrices. How rows are cut into pieces depends on nothing but the model, and pieces are
added in their order, so threads change no bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bbans._threads import in_order
from bbans.models._parameters import cumulative, normalised

__all__ = [
    "Counts",
    "Factors",
    "blend",
    "borrowed",
    "count",
    "draw",
    "maximise",
    "row_bits",
    "steps",
]

_PIECE_BYTES = 2**27  # of messages that a thread holds at a time
_PIECE_ROWS = 256  # at most: more gain little
# Up to so many multiplications OpenBLAS starts no threads for a product. Threads would
# take longer to start than the product, and those of several products at a time spin.
_ALONE = 2**18
_ALONE_ROWS = 16  # by fewer at a time products are slow: then threads are better

_DECAY = 0.7  # of the first steps
_LEAST_STEP = 2.0  # of those in the middle, in batches of an epoch
_LAST = 0.2  # of all steps, in which they fall to one batch of an epoch

_Floats = NDArray[Any]


class Factors(NamedTuple):
    """The parameters of a latent tree as they are multiplied, float32 or float64.

    Attributes
    ----------
    parents : list of int
        Of each of n nodes, in preorder; that of node 0 is -1.
    initial : ndarray, shape (K,)
        P(z of node 0).
    transitions : ndarray, shape (n - 1, K, K)
        P(z of node i + 1 | z of its parent), [parent's, own].
    emissions : ndarray, shape (R, K)
        P(x | z): for each value of each node a row; the last one is all ones, for what
        is not observed.
    """

    parents: list[int]
    initial: _Floats
    transitions: _Floats
    emissions: _Floats

    def astype(self, dtype: Any) -> Factors:
        """The same in another type."""
        arrays = (np.asarray(array, dtype) for array in self[1:])
        return Factors(self.parents, *arrays)


class Counts(NamedTuple):
    """Expected counts, of the shapes of `Factors`, and the bits of each row."""

    initial: _Floats
    transitions: _Floats
    emissions: _Floats
    bits: NDArray[np.float64]


def row_bits(
    factors: Factors, values: NDArray[np.int32], threads: int = 1
) -> NDArray[np.float64]:
    """Compute -log2 P(x) of each row.

    Parameters
    ----------
    factors : Factors
    values : ndarray of int32, shape (n, N)
        For each node and row of data, the row of emissions of what was observed.
    threads : int

    Returns
    -------
    ndarray of float64, shape (N,)
    """
    pieces = in_order(
        lambda piece: _upward(factors, piece)[0], _pieces(factors, values), threads
    )
    return np.concatenate([np.empty(0), *pieces])


def count(factors: Factors, values: NDArray[np.int32], threads: int = 1) -> Counts:
    """Count what rows are expected to have used, and compute their bits.

    Parameters
    ----------
    factors, values, threads
        As of `row_bits`.
    """
    pieces = in_order(
        partial(_piece_counts, factors), _pieces(factors, values), threads
    )
    total = next(pieces)
    bits = [total.bits]
    for part in pieces:
        for sum_, counts in zip(total[:3], part[:3], strict=True):
            sum_ += counts
        bits.append(part.bits)
    total.transitions[:] *= factors.transitions
    return total._replace(bits=np.concatenate(bits))


def _pieces(factors: Factors, values: NDArray[np.int32]) -> Iterator[NDArray[np.int32]]:
    """Columns of `values`, as many at a time as there is room for their messages."""
    row = 2 * len(values) * factors.initial.size * factors.initial.itemsize
    n = max(1, min(_PIECE_ROWS, _PIECE_BYTES // row))
    for first in range(0, values.shape[1], n):
        yield values[:, first : first + n]


def _upward(
    factors: Factors, values: NDArray[np.int32], keep: bool = False
) -> tuple[NDArray[np.float64], _Floats, _Floats]:
    """The bits of each row, and what the data say from below.

    Returns
    -------
    bits : ndarray of float64, shape (N,)
    below : ndarray, shape (n, N, K)
        P(all data of node and below | z), each row of any scale.
    to_parent : ndarray, shape (n, N, K)
        The same given the parent's z, by node, on the scale of `below`; without `keep`
        a place to work in.
    """
    below = factors.emissions.take(values, axis=0)
    to_parent = np.empty_like(below if keep else below[:1])
    scales = np.empty(values.shape, below.dtype)
    scales[0] = 1.0
    for v in range(len(values) - 1, 0, -1):
        message = to_parent[v if keep else 0]
        _product(below[v], factors.transitions[v - 1].T, message)
        above = below[factors.parents[v]]
        above *= message
        # Many children would underflow.
        np.sum(above, axis=1, out=scales[v])
        above /= np.maximum(scales[v], np.finfo(below.dtype).tiny)[:, None]
    with np.errstate(divide="ignore"):  # what is impossible has no end of bits
        bits = -np.log2(scales, dtype=np.float64).sum(axis=0)
        bits -= np.log2(below[0] @ factors.initial)
    return bits, below, to_parent


def _piece_counts(factors: Factors, values: NDArray[np.int32]) -> Counts:
    """Counts of one piece, those of transitions still to be multiplied by them."""
    bits, below, to_parent = _upward(factors, values, keep=True)
    initial, transitions, emissions = (np.zeros_like(array) for array in factors[1:])
    counts = Counts(initial, transitions, emissions, bits)
    tiny = np.finfo(below.dtype).tiny
    # P(z | all data) takes the place of the message to the parent.
    posterior = to_parent
    root = np.multiply(below[0], factors.initial, out=posterior[0])
    root /= np.maximum(root.sum(axis=1, keepdims=True), tiny)
    counts.initial[:] = root.sum(axis=0)
    _count_values(counts.emissions, values[0], root)
    for v in range(1, len(values)):
        rest = np.maximum(to_parent[v], tiny, out=to_parent[v])
        np.divide(posterior[factors.parents[v]], rest, out=rest)
        for part in _parts(rest):
            counts.transitions[v - 1] += rest[part].T @ below[v, part]
        _product(rest, factors.transitions[v - 1], posterior[v])
        posterior[v] *= below[v]
        _count_values(counts.emissions, values[v], posterior[v])
    return counts


def _parts(rows: _Floats) -> Iterator[slice]:
    """Rows that are multiplied at a time."""
    n = _ALONE // rows.shape[1] ** 2
    n = n if n >= _ALONE_ROWS else len(rows)
    return (slice(first, first + n) for first in range(0, len(rows), n))


def _product(rows: _Floats, matrix: _Floats, out: _Floats) -> None:
    """rows @ matrix."""
    for part in _parts(rows):
        np.matmul(rows[part], matrix, out=out[part])


def _count_values(
    emissions: _Floats, values: NDArray[np.int32], posterior: _Floats
) -> None:
    """Add the posteriors of a node to the emissions that its rows of data chose."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    emissions[ordered[starts]] += np.add.reduceat(posterior[order], starts)


def steps(n: int, epochs: int) -> Iterator[float]:
    """Yield the weights of batches in the running averages.

    Parameters
    ----------
    n : int
        Batches of an epoch. If there is one, all weights are 1, and that is EM.
    epochs : int

    Notes
    -----
    docs/maths.md, "Training latent trees".
    """
    last = n * epochs
    for k in range(1, last + 1):
        step = max(k**-_DECAY, min(1.0, _LEAST_STEP / n))
        left = (last - k) / (_LAST * last)
        yield max(min(left, 1.0) * step, 1 / n)


def blend(averages: Counts | None, found: Counts, step: float) -> Counts:
    """Average counts of a row: move the averages by `step` towards those of a batch.

    Both are overwritten; the first batch alone is the average that it gives.
    """
    for counts in found[:3]:
        counts /= len(found.bits)
    if averages is None:
        return found
    for average, counts in zip(averages[:3], found[:3], strict=True):
        average *= 1 - step
        counts *= step
        average += counts
    return averages


def maximise(
    averages: Counts, pseudo_count: float, previous: Factors, starts: NDArray[np.int64]
) -> Factors:
    """The parameters that counts give.

    Parameters
    ----------
    averages : Counts
    pseudo_count : float
        Added to each of them.
    previous : Factors
        Where they come from: a distribution without counts stays.
    starts : ndarray of int64
        Where each node's values begin in the emissions, those of nodes that have any.
    """
    initial, transitions, emissions = (part + pseudo_count for part in averages[:3])
    values = np.diff(starts, append=len(emissions) - 1)
    total = np.add.reduceat(emissions[:-1], starts).repeat(values, axis=0)
    alive = total > 0
    emissions[:-1] /= np.where(alive, total, 1)
    emissions[:-1][~alive] = previous.emissions[:-1][~alive]
    emissions[-1] = 1
    return Factors(
        previous.parents,
        normalised(initial, previous.initial),
        normalised(transitions, previous.transitions),
        emissions,
    )


def draw(p: _Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw from each row of probabilities, shape (N, K); shape (N,)."""
    drawn = rng.random((len(p), 1)) >= cumulative(p)
    return np.asarray(drawn.sum(axis=1))


def borrowed(
    factors: Factors, values: NDArray[np.int32], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw states given each row, and tell what bits back borrows for them on its way.

    Parameters
    ----------
    factors, values
        As of `row_bits`.
    rng : Generator

    Returns
    -------
    ndarray of float64, shape (N,)
        The most bits that the message is shorter by than it was before the row.
    """
    pieces = [_borrowed(factors, piece, rng) for piece in _pieces(factors, values)]
    return np.concatenate(pieces)


def _borrowed(
    factors: Factors, values: NDArray[np.int32], rng: np.random.Generator
) -> NDArray[np.float64]:
    parents, _, transitions, emissions = factors
    _, below, _ = _upward(factors, values)
    states = np.empty(values.shape, np.int64)
    length, least = np.zeros((2, values.shape[1]))
    every, at = np.arange(values.shape[1]), 0

    def prior(v: int) -> _Floats:
        """P(z of node v | z of its parent) of each row."""
        if v == 0:
            return np.broadcast_to(factors.initial, below[0].shape)
        row: _Floats = transitions[v - 1][states[parents[v]]]
        return row

    for v, parent in enumerate(parents):
        while v > 0 and at != parent:  # all below `at` is pushed, and then its state
            length -= np.log2(prior(at)[every, states[at]])
            at = parents[at]
        posterior = prior(v) * below[v]
        posterior /= posterior.sum(axis=1, keepdims=True)
        states[v] = draw(posterior, rng)
        length += np.log2(posterior[every, states[v]])
        least = np.minimum(least, length)
        length -= np.log2(emissions[values[v], states[v]])
        at = v
    return -least
