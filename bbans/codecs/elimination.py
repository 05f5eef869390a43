"""Posteriors by passing messages, in the reverse of the order in which latents are
popped: docs/maths.md, "Schedules"."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from bbans.message.codec import Codec

__all__ = ["Bucket", "Elimination", "Pass"]

M = TypeVar("M")


class Bucket(NamedTuple):
    """What depends on a latent, when those popped after it are summed out.

    Attributes
    ----------
    nodes : tuple of nodes
        Whose conditionals are here, in the order in which they are pushed.
    inputs : tuple of int
        Ranks of the latents whose messages come here, from the highest.
    scope : tuple of int
        Ranks of the other latents that these depend on, ascending, all popped before.
    """

    nodes: tuple[Any, ...]
    inputs: tuple[int, ...]
    scope: tuple[int, ...]


class Elimination:
    """Which message goes where, for an order of pops and pushes.

    A conditional is in the bucket of that latent, of its node and its parents, that is
    popped last. The message of a bucket, its product summed over its latent, is one of
    the factors in the bucket of the last latent that it depends on.

    Parameters
    ----------
    order : iterable of (str, node)
        As of `Schedule`.
    parents : callable
        ``parents(node)`` are the nodes that its distribution depends on.
    check : callable, optional
        ``check(latent, others)`` may refuse what a bucket depends on.

    Attributes
    ----------
    latents : tuple of nodes
        In the order of pops. The index of one is its *rank*.
    rank : dict
        From latents to their ranks.
    buckets : list of Bucket
        By rank.
    """

    def __init__(
        self,
        order: Iterable[tuple[str, Any]],
        parents: Callable[[Any], Iterable[Any]],
        check: Callable[[Any, list[Any]], None] | None = None,
    ) -> None:
        steps = list(order)
        self.latents = tuple(node for action, node in steps if action == "pop")
        self.rank = {node: rank for rank, node in enumerate(self.latents)}
        nodes: list[list[Any]] = [[] for _ in self.latents]
        scopes: list[set[int]] = [set() for _ in self.latents]
        inputs: list[list[int]] = [[] for _ in self.latents]
        for action, node in steps:
            if action == "push" and (ranks := self.ranks((*parents(node), node))):
                nodes[ranks[-1]].append(node)
                scopes[ranks[-1]].update(ranks[:-1])
        self.buckets: list[Bucket] = [Bucket((), (), ())] * len(self.latents)
        for rank in reversed(range(len(self.latents))):
            scope = tuple(sorted(scopes[rank]))
            if check is not None:
                check(self.latents[rank], [self.latents[i] for i in scope])
            if scope:
                inputs[scope[-1]].append(rank)
                scopes[scope[-1]].update(scope[:-1])
            self.buckets[rank] = Bucket(tuple(nodes[rank]), tuple(inputs[rank]), scope)

    def ranks(self, nodes: Iterable[Any]) -> tuple[int, ...]:
        """The ranks of those nodes that are latent, ascending."""
        return tuple(sorted({self.rank[node] for node in nodes if node in self.rank}))


class Pass(ABC, Generic[M]):
    """Posteriors in one pass through a schedule, in either direction.

    Each message is made once: all of them at the first latent for the sender, who has
    all observations; one by one for the receiver, as they are decoded.
    """

    def __init__(self, elimination: Elimination) -> None:
        self._elimination = elimination
        self._next = len(elimination.latents) - 1  # of the messages that are to do
        self.messages: dict[int, M] = {}

    def posterior(self, node: Any, known: Mapping[Any, Any]) -> Codec[Any]:
        """Codec of a latent given what is known, the other latents summed out."""
        rank = self._elimination.rank[node]
        while self._next > rank:
            self.messages[self._next] = self.message(self._next, known)
            self._next -= 1
        return self.law(rank, known)

    @abstractmethod
    def message(self, rank: int, known: Mapping[Any, Any]) -> M:
        """The product of a bucket, with observations put in, summed over its latent."""

    @abstractmethod
    def law(self, rank: int, known: Mapping[Any, Any]) -> Codec[Any]:
        """Codec of a bucket's latent, by its product with all that is known put in."""
