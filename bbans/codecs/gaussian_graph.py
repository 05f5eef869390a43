"""Graphs of linear Gaussian nodes, with posteriors in integers: docs/maths.md,
"Gaussian graphs"."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import copy
from functools import cache, partial
from itertools import combinations_with_replacement
from math import isqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from bbans._arguments import as_array, as_instance, as_integer, as_real, as_reals
from bbans._lib import lib
from bbans.codecs.base import as_nodes, node_of, value_of
from bbans.codecs.elimination import Elimination, Pass
from bbans.distributions.fixed_point import fixed_locations, fixed_scales
from bbans.distributions.location_scale import Gaussian
from bbans.errors import ModelError, SymbolError
from bbans.message.codec import Codec

__all__ = ["GaussianGraph"]

WEIGHT_BITS = 24  # of the fraction of a weight, and of what it is multiplied with
WEIGHT_MAX = 1 << 24
LOCATION_BITS = 16
LOCATION_MAX = (1 << 46) - 1
VARIANCE_BITS = 64  # of the fraction of a variance
PRECISION_BITS = 192  # of that of a precision: variances may be 2^94
ROUNDING = (1 << VARIANCE_BITS) // 12  # variance of what rounding takes away (Sheppard)
LEAST_VARIANCE = 1 << (VARIANCE_BITS - 12)

Values = Any
"""An int, or an array of them as objects: they may be of any length."""


class _Node(NamedTuple):
    parents: tuple[Any, ...]
    weights: tuple[int, ...]  # in 2^-24
    offset: int  # in 2^-16
    scale: int  # 256 log2 of the deviation


class _Factor(NamedTuple):
    """The noise of a node, its value less its mean, as a function of latents."""

    node: Any
    precision: int  # in 2^-192
    terms: tuple[tuple[int, int], ...]  # ranks, and coefficients in 2^-24


class _Gains(NamedTuple):
    """What eliminating a latent takes besides the data."""

    factors: tuple[_Factor, ...]
    pivot: int  # the precision of the latent, in 2^-192
    row: tuple[int, ...]  # with each latent of the bucket's scope
    scale: int  # of its posterior


class GaussianGraph:
    """A directed graph of integers that are linear in others, with Gaussian noise.

    A `GraphModel` whose posteriors are exact in any `Schedule`, and derived: by passing
    messages in the reverse order of the pops. Any of its nodes may be observed.

    Parameters
    ----------
    nodes : mapping
        From each node to ``(parents, weights, offset, deviation)``: a sequence of
        nodes, a number for each of them, less than 2**24 either side of 0, and two
        numbers. The node is ``offset + sum(weights * parents)``, with normal noise of
        that deviation, rounded.

    Attributes
    ----------
    n : int
        Sequences side by side; 0 for one, whose values are plain integers: see `batch`.

    Raises
    ------
    ModelError
        If they are none of these, or parents are no nodes. From `Schedule`, if there is
        next to nothing that tells what a latent is.

    See Also
    --------
    LGSSM.hierarchy : Levels in time as one state space model, coded in C.

    Notes
    -----
    All nodes are integers, so the unit of a latent is a step of its grid: give it a
    deviation of some 2 steps or more given all others. A finer grid takes more bits to
    start from, and gives them back. Rounding adds a variance of 1/12, with which
    posteriors reckon. Arithmetic is in integers, the same on every machine.
    docs/maths.md, "Gaussian graphs".

    Examples
    --------
    A level that is measured three times.

    >>> from bbans.codecs import Schedule
    >>> nodes = {"level": ((), (), 1000, 300)}
    >>> nodes |= {i: (["level"], [1], 0, 20) for i in range(3)}
    >>> schedule = Schedule.eager(GaussianGraph(nodes), ["level"], range(3))
    >>> value = {0: 1210, 1: 1241, 2: 1188}
    >>> schedule.decode(schedule.encode(value)) == value
    True
    """

    def __init__(
        self,
        nodes: Mapping[Any, tuple[Sequence[Hashable], ArrayLike, float, float]],
    ) -> None:
        as_instance(
            nodes,
            Mapping,
            "nodes",
            "a mapping from nodes to their parents, weights, offset and deviation",
        )
        self.n = 0
        self._nodes = {node: _as_node(node, law) for node, law in nodes.items()}
        for node, law in self._nodes.items():
            for parent in law.parents:
                if parent not in self._nodes or parent == node:
                    raise ModelError(
                        f"{parent!r}, a parent of {node!r}, is no other node"
                    )

    def batch(self, n: int) -> GaussianGraph:
        """Return the graph of `n` sequences side by side.

        Each value is an array of integers, shape (n,), and one call codes them all, on
        as many lanes as the message has.
        """
        graph = copy(self)
        graph.n = as_integer(n, "n", 1)
        return graph

    @property
    def nodes(self) -> tuple[Any, ...]:
        """All nodes."""
        return tuple(self._nodes)

    # ---- as a GraphModel

    def parents(self, node: Any) -> tuple[Any, ...]:
        """The nodes that the distribution of this one depends on.

        Raises
        ------
        ModelError
            If there is no such node.
        """
        return node_of(node, self._nodes).parents

    def conditional(self, node: Any, values: Mapping[Any, Any]) -> Gaussian:
        """Distribution of a node, from the values of its parents.

        Raises
        ------
        ModelError
            If there is no such node.
        SymbolError
            If a parent has no value, or one that is none.
        """
        law = node_of(node, self._nodes)
        mean = law.offset << (WEIGHT_BITS - LOCATION_BITS)
        for parent, weight in zip(law.parents, law.weights, strict=True):
            mean = mean + weight * self.value(parent, values)
        half = 1 << (WEIGHT_BITS - LOCATION_BITS - 1)
        location = (mean + half) >> (WEIGHT_BITS - LOCATION_BITS)
        return self.law(location, law.scale, leak=True)

    def posterior(self, node: Any, known: Mapping[Any, Any]) -> Codec[Any]:
        """Refuse: posteriors are those of `plan`, of which a `Schedule` makes use."""
        raise ModelError("posteriors of a GaussianGraph need an order: use a Schedule")

    def plan(self, order: Sequence[tuple[str, Any]]) -> Callable[[], _Posteriors]:
        """Prepare posteriors for an order of pops and pushes.

        Raises
        ------
        ModelError
            If there is next to nothing that tells what a latent is.
        """
        elimination = Elimination(order, self.parents)
        return partial(_Posteriors, self, elimination, self._gains(elimination))

    # ---- what posteriors are made of

    def constant(
        self, node: Any, known: Mapping[Any, Any], rank: Mapping[Any, int]
    ) -> Values:
        """What the terms of a node's latents add up to if its noise is 0, in 2^-24."""
        law = self._nodes[node]
        total: Values = law.offset << (WEIGHT_BITS - LOCATION_BITS)
        for parent, weight in zip(law.parents, law.weights, strict=True):
            if parent not in rank:
                total = total + weight * self.value(parent, known)
        if node not in rank:
            total = total - (self.value(node, known) << WEIGHT_BITS)
        return total

    def value(self, node: Any, values: Mapping[Any, Any]) -> Values:
        """What a node is, exactly.

        Raises
        ------
        SymbolError
            If there is none, or it is no integer of 64 bits, or of a batch no such
            array.
        """
        value, name = value_of(node, values), f"the value of {node!r}"
        if not self.n:
            return as_integer(value, name, -(1 << 63), (1 << 63) - 1, SymbolError)
        array = as_array(value, name)
        if array.shape != (self.n,) or array.dtype.kind not in "iu":
            raise SymbolError(f"{name} must be {self.n} integers, not {value!r}")
        return array.astype(object)

    def law(self, location: Values, scale: int, *, leak: bool) -> Gaussian:
        """A Gaussian by its parameters in fixed point; far out they are cut off."""
        if not self.n:
            near: Values = min(max(location, -LOCATION_MAX), LOCATION_MAX)
            return Gaussian(
                np.array(near, np.int64), np.array(scale, np.int32), leak=leak
            )
        near = np.clip(location, -LOCATION_MAX, LOCATION_MAX)
        locations = np.broadcast_to(np.array(near, np.int64), self.n)
        return Gaussian(locations, np.full(self.n, scale, np.int32), leak=leak)

    def _factor(self, node: Any, rank: Mapping[Any, int]) -> _Factor:
        law = self._nodes[node]
        terms = [(node, 1 << WEIGHT_BITS)]
        terms += zip(law.parents, (-weight for weight in law.weights), strict=True)
        ranked = sorted((rank[member], a) for member, a in terms if member in rank)
        return _Factor(node, _precision(law.scale), tuple(ranked))

    def _gains(self, elimination: Elimination) -> list[_Gains]:
        """Of all buckets, by rank: Gaussian elimination of their latents."""
        latents: tuple[Any, ...] = elimination.latents
        gains: list[_Gains] = []
        messages: dict[int, dict[tuple[int, int], int]] = {}
        for rank in reversed(range(len(latents))):
            bucket = elimination.buckets[rank]
            factors = [self._factor(node, elimination.rank) for node in bucket.nodes]
            matrix: dict[tuple[int, int], int] = {}  # (i, j) with i <= j
            for _, precision, terms in factors:
                for (i, a), (j, b) in combinations_with_replacement(terms, 2):
                    part = precision * a * b >> 2 * WEIGHT_BITS
                    matrix[i, j] = matrix.get((i, j), 0) + part
            for source in bucket.inputs:
                for pair, part in messages.pop(source).items():
                    matrix[pair] = matrix.get(pair, 0) + part
            pivot = matrix.get((rank, rank), 0)
            if pivot <= 0:
                raise ModelError(
                    f"next to nothing tells what {latents[rank]!r} is: give smaller "
                    "deviations, or smaller weights"
                )
            row = {i: matrix.get((i, rank), 0) for i in bucket.scope}
            messages[rank] = {
                (i, j): matrix.get((i, j), 0) - row[i] * row[j] // pivot
                for i, j in combinations_with_replacement(bucket.scope, 2)
            }
            gains.append(
                _Gains(tuple(factors), pivot, tuple(row.values()), _scale(pivot))
            )
        return gains[::-1]

    def __repr__(self) -> str:
        return f"<GaussianGraph of {len(self._nodes)} nodes>"


def _as_node(node: Any, law: Any) -> _Node:
    """Check the law of a node.

    Raises
    ------
    ModelError
        If it is none.
    """
    if not isinstance(law, tuple | list) or len(law) != 4:
        raise ModelError(
            f"node {node!r} must have parents, weights, offset and deviation, not "
            f"{law!r}"
        )
    parents = as_nodes(law[0], f"the parents of {node!r}")
    weights = as_reals(law[1], f"the weights of {node!r}")
    if weights.shape != (len(parents),) or len({*parents}) < len(parents):
        raise ModelError(
            f"node {node!r} must have a weight for each of its different parents, not "
            f"{weights.shape} for {len(parents)}"
        )
    if not (np.abs(weights) < WEIGHT_MAX).all():
        raise ModelError(
            f"the weights of {node!r} must be less than 2**24 either side of 0"
        )
    try:
        offset = fixed_locations([as_real(law[2], "offset")])
        scale = fixed_scales([as_real(law[3], "deviation")])
    except ModelError as error:
        raise ModelError(f"offset or deviation of {node!r}: {error}") from None
    fixed = (round(weight * 2.0**WEIGHT_BITS) for weight in weights.tolist())
    return _Node(parents, tuple(fixed), int(offset[0]), int(scale[0]))


# ---- variances


@cache
def _precision(scale: int) -> int:
    """Of a rounded Gaussian of this scale: 1 / (sigma^2 + 1/12), in 2^-192."""
    variance = 1 << (128 * VARIANCE_BITS + scale)
    for _ in range(7):  # the root of order 128: floors of floors are floors
        variance = isqrt(variance)
    return (1 << (PRECISION_BITS + VARIANCE_BITS)) // (variance + ROUNDING)


@cache
def _scale(precision: int) -> int:
    """Of a Gaussian that has this precision when it is rounded: 128 log2 of what is
    left of its variance, rounded, as log2 v = log2 v^256 / 256."""
    variance = (1 << (PRECISION_BITS + VARIANCE_BITS)) // precision
    inner = max(variance - ROUNDING, LEAST_VARIANCE)
    scale = ((inner**256 << 1).bit_length() - 1) // 2 - 128 * VARIANCE_BITS
    return min(max(scale, int(lib.BBANS_SCALE_MIN)), int(lib.BBANS_SCALE_MAX))


# ---- means


class _Posteriors(Pass[Sequence[Values]]):
    """Of latents in one pass through a schedule.

    A message is a vector of information, precision times mean, in 2^-192: an element
    for each latent of the bucket's scope.
    """

    def __init__(
        self, graph: GaussianGraph, elimination: Elimination, gains: Sequence[_Gains]
    ) -> None:
        super().__init__(elimination)
        self._graph, self._gains = graph, gains

    def message(self, rank: int, known: Mapping[Any, Any]) -> Sequence[Values]:
        information, gains = self._information(rank, known), self._gains[rank]
        own = information[rank]
        return [
            information.get(i, 0) - a * own // gains.pivot
            for i, a in zip(self._scope(rank), gains.row, strict=True)
        ]

    def law(self, rank: int, known: Mapping[Any, Any]) -> Gaussian:
        latents, gains = self._elimination.latents, self._gains[rank]
        rest = self._information(rank, known)[rank]
        for i, a in zip(self._scope(rank), gains.row, strict=True):
            rest = rest - a * self._graph.value(latents[i], known)
        location = ((rest << (LOCATION_BITS + 1)) + gains.pivot) // (2 * gains.pivot)
        return self._graph.law(location, gains.scale, leak=False)

    def _scope(self, rank: int) -> Iterable[int]:
        return self._elimination.buckets[rank].scope

    def _information(self, rank: int, known: Mapping[Any, Any]) -> dict[int, Values]:
        """Of a bucket, by rank."""
        information: dict[int, Values] = {rank: 0}
        for node, precision, terms in self._gains[rank].factors:
            scaled = precision * self._graph.constant(
                node, known, self._elimination.rank
            )
            for i, a in terms:
                part = scaled * a >> 2 * WEIGHT_BITS
                information[i] = information.get(i, 0) + part
        for source in self._elimination.buckets[rank].inputs:
            for i, part in zip(self._scope(source), self.messages[source], strict=True):
                information[i] = information.get(i, 0) + part
        return information
