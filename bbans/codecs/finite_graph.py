"""Graphs of finite nodes, with exact posteriors in integers: docs/maths.md, "Finite
graphs"."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import partial
from heapq import heappop, heappush
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_instance, as_integer
from bbans._lib import lib
from bbans.codecs.base import as_nodes, node_of, value_of
from bbans.codecs.elimination import Elimination, Pass
from bbans.codecs.start import START_MIN_BITS
from bbans.distributions.categorical import Weighted
from bbans.distributions.fixed_point import as_shape
from bbans.errors import ModelError, SymbolError
from bbans.message.codec import Codec

__all__ = ["FiniteGraph"]

Integers = NDArray[np.int64]

MASS_BITS = 30  # of a conditional
ENTRY_BITS = 31  # of the largest entry of a message
LATENT_BITS = 24  # of the total of a posterior: a larger one wastes more in a message
OBSERVED_BITS = 27  # of that of an observation, for the range coder
MOST_ENTRIES = 1 << 24  # of a table
FREE = -1  # the rank of an observation whose value is open
_POWERS = 1 << np.arange(63, dtype=np.int64)
START_BITS = START_MIN_BITS + 6  # of a range code that is seldom shorter than the least


class _Masses(NamedTuple):
    """An array of weights, checked, and what is derived from it."""

    weights: NDArray[np.uint32]
    masses: Integers  # rows of sum 2^30 or so
    largest: int  # an upper bound, in 2^-30


class _Node(NamedTuple):
    parents: tuple[Any, ...]
    given: _Masses


class Factor(NamedTuple):
    """A function of latents, in integers.

    Attributes
    ----------
    scope : tuple of int
        Ranks of the latents, ascending.
    table : ndarray of int64
        An axis of sequences, of length 1 if it is the same for all; one for each
        latent.
    """

    scope: tuple[int, ...]
    table: Integers


class FiniteGraph:
    """A directed graph of nodes with finitely many values, 0 .. K - 1 each.

    A `GraphModel` whose posteriors are exact in any `Schedule`, and derived: by passing
    messages in the reverse order of the pops. Any of its nodes may be observed.

    Parameters
    ----------
    nodes : mapping
        From each node to its parents, a sequence of nodes, and its weights: an array of
        integers with an axis for each parent, in that order, and a last one for the
        values of the node. Each row has a sum of 1 to 2**28; the value of weight 0 is
        impossible. A row need not have the sum of another.
    shape : int or tuple of int
        Of each value: arrays of many sequences at once, which lanes code side by side;
        () is a single integer.

    Raises
    ------
    ModelError
        If they are none of these; if parents are no nodes, or have other numbers of
        values. From `Schedule`, if the order has a table of more than 2**24 entries.

    See Also
    --------
    Schedule.encode : A message of its own, within 10 bits of the information content.

    Notes
    -----
    Latents are summed out by tables over those that stand in the way; how large they
    get depends on the order of the pops: two axes for a chain that is popped from one
    end, for a tree from its root too, one more than it has levels for a hierarchy in
    time. Nodes that share an array share its memory. All is in integers, the same on
    every machine; what that costs is below 1e-6 bits a node. docs/maths.md,
    "Finite graphs".

    Examples
    --------
    A latent coin, and three throws of one of two dice.

    >>> from bbans.codecs import Schedule
    >>> die = [[1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 3]]
    >>> nodes = {"coin": ((), [1, 1])} | {i: (["coin"], die) for i in range(3)}
    >>> schedule = Schedule.eager(FiniteGraph(nodes), ["coin"], range(3))
    >>> data = schedule.encode({0: 5, 1: 5, 2: 4})
    >>> schedule.decode(data) == {0: 5, 1: 5, 2: 4}
    True
    """

    def __init__(
        self,
        nodes: Mapping[Any, tuple[Sequence[Hashable], ArrayLike]],
        shape: int | tuple[int, ...] = (),
    ) -> None:
        as_instance(
            nodes, Mapping, "nodes", "a mapping from nodes to their parents and weights"
        )
        self.shape = as_shape(shape)
        self._sequences = prod(self.shape)
        if self._sequences == 0:
            raise ModelError(f"a value of shape {self.shape} has no elements")
        arrays: dict[int, tuple[Any, _Masses]] = {}  # by identity, which is kept alive
        self._nodes: dict[Any, _Node] = {}
        for node, pair in nodes.items():
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise ModelError(
                    f"node {node!r} must have parents and weights, not {pair!r}"
                )
            parents, weights = pair
            if id(weights) not in arrays:
                arrays[id(weights)] = weights, _as_masses(weights, node)
            parents = as_nodes(parents, f"the parents of {node!r}")
            self._nodes[node] = _Node(parents, arrays[id(weights)][1])
        for node, (parents, given) in self._nodes.items():
            if strange := [parent for parent in parents if parent not in self._nodes]:
                raise ModelError(f"{strange[0]!r}, a parent of {node!r}, is no node")
            wanted = tuple(map(self.size, (*parents, node)))
            if len({*parents, node}) < len(wanted) or given.weights.shape != wanted:
                raise ModelError(
                    f"the weights of {node!r} must have a shape of {wanted}, of its "
                    f"parents and itself, not {given.weights.shape}"
                )

    @property
    def nodes(self) -> tuple[Any, ...]:
        """All nodes."""
        return tuple(self._nodes)

    def size(self, node: Any) -> int:
        """Number of values K of a node.

        Raises
        ------
        ModelError
            If there is no such node.
        """
        return int(node_of(node, self._nodes).given.weights.shape[-1])

    # ---- as a GraphModel

    def parents(self, node: Any) -> tuple[Any, ...]:
        """The nodes that the distribution of this one depends on.

        Raises
        ------
        ModelError
            If there is no such node.
        """
        return node_of(node, self._nodes).parents

    def conditional(self, node: Any, values: Mapping[Any, Any]) -> Weighted:
        """Distribution of a node, from the values of its parents.

        Raises
        ------
        ModelError
            If there is no such node.
        SymbolError
            If a parent has no value, or one that is none of it.
        """
        row = tuple(self.value(parent, values) for parent in self.parents(node))
        return self.law(self._nodes[node].given.weights[row])

    def posterior(self, node: Any, known: Mapping[Any, Any]) -> Codec[Any]:
        """Refuse: posteriors are those of `plan`, of which a `Schedule` makes use."""
        raise ModelError("posteriors of a FiniteGraph need an order: use a Schedule")

    def plan(self, order: Sequence[tuple[str, Any]]) -> Callable[[], _Posteriors]:
        """Prepare posteriors for an order of pops and pushes.

        Raises
        ------
        ModelError
            If a table is too large.
        """

        def check(latent: Any, others: Sequence[Any]) -> None:
            sizes = map(self.size, (latent, *others))
            _check_entries(latent, [*sizes], "Pop the latents in another order")

        elimination = Elimination(order, self.parents, check)
        return partial(_Posteriors, self, elimination)

    def start(self, pushes: Sequence[Any]) -> int:
        """Return how many of these observations start a message: the least number whose
        largest conditional masses have a product of 2**-46 or less; or all."""
        share = 1 << 2 * START_BITS
        for count, node in enumerate(pushes, 1):
            share = -(-share * self._nodes[node].given.largest >> MASS_BITS)
            if share <= 1 << START_BITS:
                return count
        return len(pushes)

    def predictive(
        self, order: Sequence[tuple[str, Any]]
    ) -> Callable[[], _Predictions]:
        """Prepare distributions of observations given others, for an order.

        Raises
        ------
        ModelError
            If values are arrays.
        """
        if self.shape:
            raise ModelError(
                "sequences side by side are pushed onto a message that has bits: for "
                "messages of their own encode them one by one"
            )
        elimination = Elimination(order, self.parents)
        pushes = [node for action, node in order if action == "push"]
        places = {node: place for place, node in enumerate(pushes)}
        return partial(_Predictions, self, elimination, places)

    def factor(
        self, node: Any, known: Mapping[Any, Any], rank: Mapping[Any, int]
    ) -> Factor:
        """The conditional of a node as a function of latents, observations put in.

        Parameters
        ----------
        node : node
            If it is neither known nor latent, its values have an axis too, the first.
        known : mapping
            Values of observations.
        rank : mapping
            Ranks of latents.
        """
        parents, given = self._nodes[node]
        values, observed, latent = [], [], []
        for axis, member in enumerate((*parents, node)):
            if member in rank:
                latent.append((rank[member], axis))
            elif member in known:
                values.append(self.value(member, known))
                observed.append(axis)
            else:
                latent.append((FREE, axis))
        latent.sort()
        axes = [*observed, *(axis for _, axis in latent)]
        table = given.masses.transpose(axes)[tuple(values)]
        if not (values and self.shape):
            table = table[None]
        return Factor(tuple(i for i, _ in latent), table)

    def value(self, node: Any, known: Mapping[Any, Any]) -> Any:
        """The value of a node: an int, or a row of those of all sequences.

        Raises
        ------
        SymbolError
            If it is none, or there is none.
        """
        name, most = f"the value of {node!r}", self.size(node) - 1
        value = value_of(node, known)
        if not self.shape:
            return as_integer(value, name, 0, most, SymbolError)
        array = as_array(value, name)
        if array.shape != self.shape or array.dtype.kind not in "iu":
            raise SymbolError(
                f"{name} must be integers of shape {self.shape}, not {array.dtype} of "
                f"shape {array.shape}"
            )
        if array.min() < 0 or array.max() > most:
            raise SymbolError(f"{name} must be integers, 0 to {most}, not {array}")
        return array.ravel()

    def law(self, weights: NDArray[Any]) -> Weighted:
        """Distribution of a value, from a row for each sequence or one for all."""
        if self.shape:
            weights = np.broadcast_to(weights, (self._sequences, weights.shape[-1]))
        return Weighted(weights.reshape(*self.shape, -1), copy=False)

    def __repr__(self) -> str:
        return f"<FiniteGraph of {len(self._nodes)} nodes>"


def _as_masses(weights: ArrayLike, node: Any) -> _Masses:
    """Check the weights of a node.

    Raises
    ------
    ModelError
        If they are no integers, or rows have no such sum.
    """
    array = as_array(weights, f"the weights of {node!r}", ModelError)
    if array.ndim < 1 or array.dtype.kind not in "iu":
        raise ModelError(
            f"the weights of {node!r} must be an array of integers with an axis for "
            f"each parent and one for its values, not {array.dtype} of shape "
            f"{array.shape}"
        )
    most = int(lib.BBANS_TOTAL_MAX)
    if array.size == 0 or array.min() < 0 or array.max() > most:
        raise ModelError(f"the weights of {node!r} must be 0 to {most}, one or more")
    weights = np.array(array, np.uint32, order="C")  # a copy: it is checked once
    weights.flags.writeable = False
    totals = weights.sum(-1, dtype=np.int64, keepdims=True)
    if totals.min() < 1 or totals.max() > most:
        at = np.argwhere((totals < 1) | (totals > most))[0, :-1].tolist()
        raise ModelError(
            f"row {at} of the weights of {node!r} must have a sum of 1 to {most}"
        )
    shares = weights.astype(np.int64) << MASS_BITS
    masses = np.maximum(shares // totals, shares > 0)
    return _Masses(weights, masses, int((-(-shares // totals)).max()))


def _check_entries(node: Any, sizes: Sequence[int], instead: str) -> None:
    entries = prod(max(2, size) for size in sizes)  # numpy's axes are few, too
    if entries > MOST_ENTRIES:
        raise ModelError(
            f"{node!r} needs a table of {entries} entries, over {len(sizes) - 1} "
            f"other latents, and {MOST_ENTRIES} is the most. {instead}"
        )


# ---- messages


def _excess(numbers: Any, bits: int) -> Any:
    """By how many bits each number is too long; an int, quickly, for one alone."""
    if numbers.size == 1:
        return max(0, int(numbers.item()).bit_length() - bits)
    return np.maximum(np.searchsorted(_POWERS, numbers, "right") - bits, 0)


def _scaled(table: Integers) -> Integers:
    """Shift down to 31 bits, no more than needed; what is possible remains so.

    Raises
    ------
    SymbolError
        If nothing is possible.
    """
    each = None if len(table) == 1 else tuple(range(1, table.ndim))
    largest = table.max(each, keepdims=each is not None)
    if not (largest > 0).all():
        raise SymbolError("these observations together have probability 0")
    shifts = _excess(largest, ENTRY_BITS)
    if isinstance(shifts, int) and shifts == 0:
        return table
    scaled: Integers = np.maximum(table >> shifts, table > 0)
    return scaled


def _product(factors: Sequence[Factor]) -> Factor:
    """The product, scaled after each factor: entries stay below 2^62."""
    scope = tuple(sorted({rank for factor in factors for rank in factor.scope}))
    product: Any = 1
    for factor in factors:
        table = factor.table
        if factor.scope != scope:
            sizes = iter(table.shape[1:])
            shape = [next(sizes) if rank in factor.scope else 1 for rank in scope]
            table = table.reshape(len(table), *shape)
        product = _scaled(product * table)
    return Factor(scope, product)


def _summed(factors: Sequence[Factor]) -> Factor:
    """The product of factors of a bucket, summed over its latent: the last axis."""
    scope, table = _product(factors)
    return Factor(scope[:-1], _scaled(table.sum(-1)))


class _Posteriors(Pass[Factor]):
    """Of latents in one pass through a schedule."""

    def __init__(self, graph: FiniteGraph, elimination: Elimination) -> None:
        super().__init__(elimination)
        self._graph = graph

    def message(self, rank: int, known: Mapping[Any, Any]) -> Factor:
        return _summed(self._factors(rank, known))

    def law(self, rank: int, known: Mapping[Any, Any]) -> Weighted:
        graph, latents = self._graph, self._elimination.latents
        product: Any = 1
        for scope, table in self._factors(rank, known):
            values = [graph.value(latents[i], known) for i in scope[:-1]]
            each = np.arange(len(table)) if values and graph.shape else slice(None)
            product = _scaled(product * table[(each, *values)])
        excess = _excess(product.sum(1, keepdims=True), LATENT_BITS)
        return graph.law(product >> excess)

    def _factors(self, rank: int, known: Mapping[Any, Any]) -> list[Factor]:
        bucket, ranks = self._elimination.buckets[rank], self._elimination.rank
        return [
            *(self._graph.factor(node, known, ranks) for node in bucket.nodes),
            *(self.messages[i] for i in bucket.inputs),
        ]


class _Predictions:
    """Of observations given others, of which there are ever more.

    Only ancestors of observations take part; a bucket's message is made again when
    something in it has changed.
    """

    def __init__(
        self, graph: FiniteGraph, elimination: Elimination, places: dict[Any, int]
    ) -> None:
        self._graph, self._elimination = graph, elimination
        self._places = places
        self._known: dict[Any, Any] = {}
        self._active: set[Any] = set()  # latents that take part
        self._nodes: dict[int, list[tuple[int, Any]]] = {}  # of each bucket
        self._inputs: dict[int, set[int]] = {}
        self._messages: dict[int, Factor] = {}
        self._changed: list[int] = []  # a heap of buckets, the highest rank first

    def observe(self, node: Any, value: Any) -> None:
        """Take the value of a node for known."""
        self._activate(node)
        self._known[node] = value
        self._add(node)

    def law(self, node: Any) -> Weighted:
        """Distribution of an observation given those that are known."""
        self._activate(node)
        self._settle()
        if not self._elimination.ranks(self._graph.parents(node)):
            return self._graph.conditional(node, self._known)
        # The factor with an axis for its values, in place of the message without one.
        carried = self._factor(node)
        replaced: set[int] = set()
        while carried.scope[-1] != FREE:
            rank = carried.scope[-1]
            factors = [*self._factors(rank, replaced), carried]
            sizes: dict[int, int] = {}
            for scope, table in factors:
                sizes.update(zip(scope, table.shape[1:], strict=True))
            _check_entries(
                node,
                [*sizes.values()],
                "Give `initial_bits`, to start without distributions of observations",
            )
            carried = _summed(factors)
            replaced.add(rank)
        (weights,) = carried.table
        excess = _excess(weights.sum(), OBSERVED_BITS)
        return Weighted(np.maximum(weights >> excess, weights > 0), copy=False)

    def _activate(self, node: Any) -> None:
        found = [*self._graph.parents(node)]
        while found:
            latent = found.pop()
            if latent in self._elimination.rank and latent not in self._active:
                self._active.add(latent)
                self._add(latent)
                found.extend(self._graph.parents(latent))

    def _add(self, node: Any) -> None:
        ranks = self._elimination.ranks((*self._graph.parents(node), node))
        if ranks:
            insort(self._nodes.setdefault(ranks[-1], []), (self._places[node], node))
            heappush(self._changed, -ranks[-1])

    def _settle(self) -> None:
        while self._changed:
            rank = -heappop(self._changed)
            if self._changed and self._changed[0] == -rank:
                continue
            before = self._messages.get(rank)
            message = self._messages[rank] = _summed(self._factors(rank))
            if before and before.scope:
                self._inputs[before.scope[-1]].discard(rank)
                heappush(self._changed, -before.scope[-1])
            if message.scope:
                self._inputs.setdefault(message.scope[-1], set()).add(rank)
                heappush(self._changed, -message.scope[-1])

    def _factor(self, node: Any) -> Factor:
        return self._graph.factor(node, self._known, self._elimination.rank)

    def _factors(self, rank: int, replaced: Collection[int] = ()) -> list[Factor]:
        inputs = sorted(self._inputs.get(rank, ()), reverse=True)
        return [
            *(self._factor(node) for _, node in self._nodes.get(rank, ())),
            *(self._messages[i] for i in inputs if i not in replaced),
        ]
