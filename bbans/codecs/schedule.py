"""Bits back over any directed graph: docs/maths.md, "Schedules"."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from heapq import heappop, heappush
from typing import Any, Protocol

from bbans._arguments import as_generator, as_instance
from bbans.codecs.metered import random_bits
from bbans.errors import ModelError, SymbolError
from bbans.message.codec import Codec

__all__ = ["GraphModel", "Schedule"]


class GraphModel(Protocol):
    """A directed graph of latents and observations as its conditional distributions.

    A node's name is anything that can be a key, such as ``"x"`` or ``("z", 3)``.
    """

    def parents(self, node: Any) -> Iterable[Any]:
        """The nodes that the distribution of this one depends on."""

    def conditional(self, node: Any, values: Mapping[Any, Any]) -> Codec[Any]:
        """Codec of P(node | parents), from the values of its parents."""

    def posterior(self, node: Any, known: Mapping[Any, Any]) -> Codec[Any]:
        """Codec of Q(node | known), exact or approximate; it draws the latent, so
        distributions that take `leak` need ``leak=False``. Known are the observations
        and the outstanding latents: what is popped, or given, and not pushed yet."""


class Schedule:
    """Latents and observations of a graph, in an order of pops and pushes.

    The value is a mapping from each observed node to what was observed.

    Parameters
    ----------
    model : GraphModel
    order : iterable of (str, node)
        What the sender does: ``("pop", z)`` once for each latent, ``("push", v)`` once
        for each node, latents too. A push comes after the pops of the node and of its
        parents, if they are latent, and before the pushes of its parents.

    Attributes
    ----------
    order : tuple of (str, node)
    memory : int
        The most latents that are outstanding at a time.

    Raises
    ------
    ModelError
        If this is no such order; the text names the step. From `push` and `pop`, if a
        posterior looks at a node that is pushed already, or not popped yet.

    See Also
    --------
    encode_iid : Start a message without random bits.

    Notes
    -----
    Any such order decodes and costs the negative ELBO, with exact posteriors the
    information content. Orders differ in what posteriors may look at, in `memory`, and
    in `startup`. docs/maths.md, "Schedules".

    Examples
    --------
    Bit-Swap: of two latents in a chain the second is popped when the observation is
    pushed.

    >>> from bbans import Message
    >>> from bbans.distributions import Weighted
    >>> class Chain:
    ...     above, below = {"x": "z1", "z1": "z2"}, {"z2": "z1", "z1": "x"}
    ...     rows = [[7, 1], [1, 7]]
    ...     def parents(self, node):
    ...         return [self.above[node]] if node in self.above else []
    ...     def conditional(self, node, values):
    ...         row = [1, 1] if not values else self.rows[values[self.above[node]]]
    ...         return Weighted(row)
    ...     def posterior(self, node, known):
    ...         return Weighted(self.rows[known[self.below[node]]])
    >>> schedule = Schedule.eager(Chain(), ["z1", "z2"], ["x"])
    >>> [" ".join(step) for step in schedule.order]
    ['pop z1', 'push x', 'pop z2', 'push z1', 'push z2']
    >>> message = Message.from_bytes(b"bits to start from")
    >>> schedule.push(message, {"x": 1})
    >>> schedule.pop(message)
    {'x': 1}
    """

    def __init__(self, model: GraphModel, order: Iterable[tuple[str, Any]]) -> None:
        self._model = model
        self.order = tuple(order)
        latents = {node for action, node in self.order if action == "pop"}
        popped: set[Any] = set()
        outstanding = self.memory = 0
        self._parents: dict[Any, tuple[Any, ...]] = {}  # of what is pushed, in order
        for i, (action, node) in enumerate(self.order):
            where = f"order[{i}], {action} {node!r}"
            if action == "pop":
                if node in popped:
                    raise ModelError(f"{where}: it was popped before")
                popped.add(node)
                outstanding += 1
                self.memory = max(self.memory, outstanding)
                continue
            if action != "push":
                raise ModelError(f'{where}: a step is ("pop", node) or ("push", node)')
            if node in self._parents:
                raise ModelError(f"{where}: it was pushed before")
            parents = tuple(model.parents(node))
            for needed in (node, *parents):
                if needed in latents and needed not in popped:
                    raise ModelError(f"{where}: pop {needed!r} before, which it needs")
                if needed in self._parents:
                    raise ModelError(
                        f"{where}: its parent {needed!r} was pushed before, but "
                        "children go first"
                    )
            self._parents[node] = parents
            outstanding -= node in latents
        for node, parents in self._parents.items():
            for parent in parents:
                if parent not in self._parents:
                    raise ModelError(
                        f"order: {parent!r} is not pushed, a parent of {node!r}"
                    )
        if not_pushed := [node for node in popped if node not in self._parents]:
            raise ModelError(f"order: {not_pushed[0]!r} is popped, but not pushed")
        self._observed = {node for node in self._parents if node not in latents}

    @classmethod
    def eager(
        cls, model: GraphModel, latents: Iterable[Any], observations: Iterable[Any]
    ) -> Schedule:
        """Make the schedule that pushes each node as soon as it can.

        Parameters
        ----------
        model : GraphModel
        latents : iterable of nodes
            In the order in which they are popped.
        observations : iterable of nodes

        Raises
        ------
        ModelError
            If they are not the nodes of a graph without cycles.

        Notes
        -----
        Of all orders of the same pops this one has the least start-up and memory, and
        its posteriors see least. Where several nodes can be pushed, the first of
        `latents` and then of `observations` is.

        A chain that is popped from the observation upwards gives Bit-Swap, a top-down
        hierarchy from its top BB-ANS, states from the last to the first IconoCLaSM.
        """
        pops = list(latents)
        nodes = [*pops, *observations]
        if len({*nodes}) < len(nodes):
            raise ModelError("a node of `latents` or `observations` is given twice")
        rank = {node: i for i, node in enumerate(nodes)}
        parents = {node: tuple(model.parents(node)) for node in nodes}
        children: dict[Any, list[Any]] = {node: [] for node in nodes}
        for node in nodes:
            for parent in parents[node]:
                children.setdefault(parent, []).append(node)
        # The steps before a push: the pops that it needs, the pushes of children.
        waits = {node: len(children[node]) for node in nodes}
        for z in pops:
            for node in (z, *children[z]):
                waits[node] += 1
        ready = [rank[node] for node in nodes if not waits[node]]
        upcoming = deque(pops)
        order: list[tuple[str, Any]] = []
        while ready or upcoming:
            if ready:
                node = nodes[heappop(ready)]
                order.append(("push", node))
                released = tuple(other for other in parents[node] if other in waits)
            else:
                node = upcoming.popleft()
                order.append(("pop", node))
                released = (node, *children[node])
            for other in released:
                waits[other] -= 1
                if not waits[other]:
                    heappush(ready, rank[other])
        if any(waits.values()):
            raise ModelError("the graph has a cycle")
        return cls(model, order)

    def push(self, message: Any, value: Mapping[Any, Any]) -> None:
        """Push observations. If this raises, the message is spent.

        Raises
        ------
        SymbolError
            If they are not those of the graph, or one cannot be coded.
        """
        wanted = (
            f"a mapping from {', '.join(map(repr, self._observed))} to their values"
        )
        as_instance(value, Mapping, "value", wanted)
        if value.keys() != self._observed:
            raise SymbolError(f"value must be {wanted}, not from {[*value]!r}")
        values = dict(value)
        for action, node in self.order:
            if action == "pop":
                values[node] = self._posterior(node, values).pop(message)
                continue
            conditional, x = self._conditional(node, values), values.pop(node)
            try:
                conditional.push(message, x)
            except ModelError as error:
                raise SymbolError(f"{node!r} cannot be coded: {error}") from error

    def pop(self, message: Any) -> dict[Any, Any]:
        """Pop observations: `push`, read bottom to top."""
        values: dict[Any, Any] = {}
        for action, node in reversed(self.order):
            if action == "push":
                values[node] = self._conditional(node, values).pop(message)
            else:
                z = values.pop(node)
                self._posterior(node, values).push(message, z)
        return values

    # At a push of v, as at its pop by the receiver, `values` has the parents of v; at
    # the pop of a latent it has on both sides what is outstanding or not pushed.

    def _conditional(self, node: Any, values: dict[Any, Any]) -> Codec[Any]:
        parents = {parent: values[parent] for parent in self._parents[node]}
        return self._model.conditional(node, parents)

    def _posterior(self, node: Any, values: dict[Any, Any]) -> Codec[Any]:
        return self._model.posterior(node, _Known(node, values, self._parents))

    def startup(self, value: Mapping[Any, Any], *, seed: int = 0) -> float:
        """Return the bits that must be on a message before this value is pushed: the
        most that pops have taken when pushes have given less, with latents drawn from
        random bits.

        Raises
        ------
        ModelError
            If the value cannot be coded.
        """
        message = random_bits(as_generator(seed))
        before = message.bits
        self.push(message, value)
        return before - message.least

    def __repr__(self) -> str:
        return f"<Schedule of {len(self._parents)} nodes, {self.memory} outstanding>"


class _Known(Mapping[Any, Any]):
    """What sender and receiver have when they code a latent, in an order that is the
    same for both."""

    def __init__(self, latent: Any, values: dict[Any, Any], nodes: Iterable[Any]):
        self._latent, self._values, self._nodes = latent, values, nodes

    def __getitem__(self, node: Any) -> Any:
        if node in self._values:
            return self._values[node]
        raise ModelError(
            f"the posterior of {self._latent!r} looks at {node!r}, which is pushed "
            f"before, or not popped: it may look at {[*self]!r}"
        )

    def __contains__(self, node: object) -> bool:
        return node in self._values

    def get(self, node: Any, default: Any = None) -> Any:
        return self._values.get(node, default)

    def __iter__(self) -> Iterator[Any]:
        return (node for node in self._nodes if node in self._values)

    def __len__(self) -> int:
        return len(self._values)
