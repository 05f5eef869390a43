"""Which column of a table hangs below which: trees of the most informative pairs.

Columns are integers 0 .. M_v - 1; only which of them are equal matters here, so columns
of many values are cut into ranges first.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

__all__ = ["RANGES", "chow_liu", "neighbours", "one_hot", "preorder", "ranges"]

RANGES = 16  # of a column, at most
_CHUNK = 4096  # rows whose indicators are in memory together
_BLOCK = 1024  # indicators of columns that are counted together

_Floats = NDArray[np.float64]
_Integers = NDArray[np.int64]


def ranges(x: NDArray[np.int32], sizes: _Integers) -> NDArray[np.int32]:
    """Columns of more than 16 values, cut into 16 ranges of about as many rows each.

    Parameters
    ----------
    x : ndarray of int32, shape (N, d)
    sizes : ndarray of int64, shape (d,)
        Values M_v of each column.

    Returns
    -------
    ndarray of int32, shape (N, d)
        0 .. 15, in the order of the values.
    """
    cut = x.copy()
    for v in np.flatnonzero(sizes > RANGES):
        edges = np.quantile(x[:, v], np.arange(1, RANGES) / RANGES, method="nearest")
        cut[:, v] = np.searchsorted(np.unique(edges), x[:, v], side="right")
    return cut


def one_hot(x: NDArray[np.int32], sizes: _Integers) -> NDArray[np.float32]:
    """Indicators of all values, column after column, shape (N, sum of sizes)."""
    table = np.zeros((len(x), int(sizes.sum())), np.float32)
    table[np.arange(len(x))[:, None], x + (np.cumsum(sizes) - sizes)] = 1
    return table


def chow_liu(x: NDArray[np.int32], sizes: _Integers) -> _Integers:
    """Find the tree over columns whose pairs tell the most of each other.

    Parameters
    ----------
    x : ndarray of int32, shape (N, d)
        Of few values each: see `ranges`.
    sizes : ndarray of int64, shape (d,)

    Returns
    -------
    ndarray of int64, shape (d,)
        The parent of each column, -1 of the root, which is a centre of the tree: the
        column with the least distance to the furthest.

    References
    ----------
    Chow and Liu, Approximating discrete probability distributions with dependence
    trees (1968).
    """
    information = _mutual_information(x, sizes)
    d = len(sizes)
    # Prim: `best[v]` is the most that v has in common with a column inside, `via[v]`.
    inside = np.zeros(d, bool)
    via, best = np.zeros(d, np.int64), information[0].copy()
    edges: list[list[int]] = [[] for _ in range(d)]
    inside[0] = True
    for _ in range(d - 1):
        v = int(np.where(inside, -np.inf, best).argmax())
        inside[v] = True
        edges[v].append(int(via[v]))
        edges[via[v]].append(v)
        closer = information[v] > best
        best[closer], via[closer] = information[v][closer], v
    return _rooted(edges)


def _mutual_information(x: NDArray[np.int32], sizes: _Integers) -> _Floats:
    """Of each pair of columns, in nats, shape (d, d): what is found in the rows, less
    what is found in the mean where there is none."""
    d, starts = len(sizes), np.cumsum(sizes) - sizes
    information = np.empty((d, d))
    marginal = _frequencies(x, sizes)
    first = 0
    while first < d:
        # Columns first .. last - 1 against all.
        last = first + 1
        while last < d and starts[last] + sizes[last] - starts[first] <= _BLOCK:
            last += 1
        rows = slice(starts[first], starts[last - 1] + sizes[last - 1])
        joint = np.zeros((rows.stop - rows.start, len(marginal)))
        for n in range(0, len(x), _CHUNK):
            indicators = one_hot(x[n : n + _CHUNK], sizes)
            joint += indicators[:, rows].T @ indicators
        joint /= len(x)
        independent = marginal[rows, None] * marginal
        seen = joint > 0
        joint[seen] *= np.log(joint[seen] / independent[seen])
        by_column = np.add.reduceat(joint, starts, axis=1)
        information[first:last] = np.add.reduceat(
            by_column, starts[first:last] - starts[first]
        )
        first = last
    chance: _Floats = np.outer(sizes - 1, sizes - 1) / (2 * len(x))
    return information - chance


def _frequencies(x: NDArray[np.int32], sizes: _Integers) -> _Floats:
    starts = np.cumsum(sizes) - sizes
    counts = np.bincount((x + starts).ravel(), minlength=int(sizes.sum()))
    return counts / len(x)


def _rooted(edges: list[list[int]]) -> _Integers:
    """Parents in the tree of these edges, from its centre."""
    parents = _parents(edges, 0)
    end = _furthest(parents)  # one end of a longest path
    parents = _parents(edges, end)
    path = [_furthest(parents)]  # and the path from the other
    while path[-1] != end:
        path.append(int(parents[path[-1]]))
    return _parents(edges, path[len(path) // 2])


def _parents(edges: list[list[int]], root: int) -> _Integers:
    parents = np.full(len(edges), -1)
    reached = [root]
    for v in reached:
        for w in edges[v]:
            if w != parents[v]:
                parents[w] = v
                reached.append(w)
    return parents


def _furthest(parents: _Integers) -> int:
    """The column with the longest way to the root."""
    depth = np.zeros(len(parents), np.int64)
    above = parents
    while (above >= 0).any():
        depth += above >= 0
        above = np.where(above >= 0, parents[above], -1)
    return int(depth.argmax())


def preorder(parents: _Integers) -> _Integers:
    """Order columns so that each follows its parent, and its subtree follows it.

    Of the children of a column the one with the largest subtree is last: less is
    outstanding when the others are coded.
    """
    children: list[list[int]] = [[] for _ in parents]
    for v, parent in enumerate(parents.tolist()):
        if parent >= 0:
            children[parent].append(v)
    reached = [int(np.flatnonzero(parents < 0)[0])]
    for v in reached:
        reached += children[v]
    size = np.ones(len(parents), np.int64)
    for v in reversed(reached[1:]):
        size[parents[v]] += size[v]
    order, waiting = [], [reached[0]]
    while waiting:
        v = waiting.pop()
        order.append(v)
        waiting += sorted(children[v], key=lambda c: (-size[c], c))
    return np.array(order)


def neighbours(parents: list[int], n: int) -> Iterator[list[int]]:
    """Yield, for each node, about the `n` nearest nodes, itself first."""
    edges: list[list[int]] = [[] for _ in parents]
    for v, parent in enumerate(parents):
        if parent >= 0:
            edges[v].append(parent)
            edges[parent].append(v)
    for v in range(len(parents)):
        near = {v: None}  # in the order of distance
        queue = [v]
        for u in queue:
            if len(near) >= n:
                break
            fresh = [w for w in edges[u] if w not in near]
            near.update(dict.fromkeys(fresh))
            queue += fresh
        yield list(near)[:n]
