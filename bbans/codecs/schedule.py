"""Bits back over any directed graph: docs/maths.md, "Schedules"."""

from __future__ import annotations

import reprlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from heapq import heappop, heappush
from itertools import islice
from typing import Any, NamedTuple, Protocol, runtime_checkable

from bbans._arguments import (
    as_bytes,
    as_generator,
    as_instance,
    as_integer,
    as_parts,
)
from bbans.codecs.base import STEPS_MAX, as_nodes
from bbans.codecs.chain import Chain, PredictiveChain
from bbans.codecs.metered import random_bits
from bbans.codecs.start import (
    DIFFER,
    Pops,
    Pushes,
    damage,
    initial,
    lent,
    pop_count,
    push_count,
)
from bbans.codecs.state_space import (
    FLAG_PREDICTIVE,
    FLAG_SCHEDULE,
    FLAG_TOTAL,
    PredictiveModel,
    StateSpaceModel,
    start_bits,
)
from bbans.errors import CorruptError, ModelError, SymbolError
from bbans.message.codec import Codec, as_codec
from bbans.message.message import Message
from bbans.message.range_coder import RangeDecoder, RangeEncoder

__all__ = ["GraphModel", "PredictiveGraph", "Schedule"]

Order = tuple[tuple[str, Any], ...]


class GraphModel(Protocol):
    """A directed graph of latents and observations as its conditional distributions.

    A node's name is anything that can be a key, such as ``"x"`` or ``("z", 3)``.

    If posteriors are cheaper to compute one after the other, the model has another
    method, ``plan(order)``, which a `Schedule` calls once. It returns a function that
    makes an object with the method `posterior`, for one pass of the sender, who asks in
    the order of pops, or of the receiver, who asks in the reverse order.
    """

    def parents(self, node: Any) -> Iterable[Any]:
        """The nodes that the distribution of this one depends on."""

    def conditional(self, node: Any, values: Mapping[Any, Any]) -> Codec[Any]:
        """Codec of P(node | parents), from the values of its parents."""

    def posterior(self, node: Any, known: Mapping[Any, Any]) -> Codec[Any]:
        """Codec of Q(node | known), exact or approximate; it draws the latent, so
        distributions that take `leak` need ``leak=False``. Known are the observations
        and the outstanding latents: what is popped, or given, and not pushed yet."""


@runtime_checkable
class PredictiveGraph(GraphModel, Protocol):
    """A graph that can start a message by itself: `Schedule.encode`.

    As of other models, an attribute `start_bits` says from which length a schedule
    starts, if not from 40 bits, and `exact_predictive` is False if predictive
    distributions take more bits than the information content.
    """

    def start(self, pushes: Sequence[Any]) -> int:
        """How many of these observations start a message: they are given in the order
        of pushes, and the first so many should hold 46 bits or more, or all."""

    def predictive(self, order: Order) -> Callable[[], Any]:
        """A function that makes an object for one pass in the order of decoding, with
        ``observe(node, value)``, and ``law(node)``: the codec of an observation given
        those that were observed before."""


class _Start(NamedTuple):
    """The observations that start a message, in the order of decoding, and the schedule
    of what is left without them."""

    nodes: tuple[Any, ...]
    body: Schedule


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
    model : GraphModel
    order : tuple of (str, node)
    observed : tuple of node
        Those that are not popped, in the order of pushes.
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
        if not callable(getattr(model, "parents", None)):
            raise ModelError(f"model must be a GraphModel, not {reprlib.repr(model)}")
        self.model = model
        self.order = _as_order(order)
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
        self.observed = tuple(node for node in self._parents if node not in latents)
        self._n_latents = len(latents)
        plan = getattr(model, "plan", None)
        self._plan: Callable[[], Any] | None = plan(self.order) if plan else None

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
        if not hasattr(model, "parents"):
            raise ModelError(f"model must be a GraphModel, not {reprlib.repr(model)}")
        pops = as_nodes(latents, "latents")
        nodes = [*pops, *as_nodes(observations, "observations")]
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

    @classmethod
    def iconoclasm(cls, model: StateSpaceModel, length: int) -> Schedule:
        """Make the schedule of a state space model: states from the last to the first.

        Nodes are ``("z", t)`` and ``("x", t)``, t = 0 .. length - 1. It gives the bytes
        of `Iconoclasm` and `encode_sequence`.

        Parameters
        ----------
        model : StateSpaceModel
        length : int
            Number of observations T >= 0.

        Raises
        ------
        ModelError
            If observations of the model depend on earlier ones.
        """
        length = as_integer(length, "length", 0, STEPS_MAX)
        graph = (PredictiveChain if isinstance(model, PredictiveModel) else Chain)(
            model
        )
        backwards = range(length - 1, -1, -1)
        return cls.eager(
            graph, [("z", t) for t in backwards], [("x", t) for t in backwards]
        )

    def push(self, message: Any, value: Mapping[Any, Any]) -> None:
        """Push observations. If this raises, the message is spent.

        Raises
        ------
        SymbolError
            If they are not those of the graph, or one cannot be coded.
        """
        self._push(message, value)

    def pop(self, message: Any) -> dict[Any, Any]:
        """Pop observations: `push`, read bottom to top."""
        return self._pop(message)

    def _checked(self, value: Mapping[Any, Any]) -> dict[Any, Any]:
        wanted = (
            f"a mapping from the {len(self.observed)} observed nodes to their values"
        )
        as_instance(value, Mapping, "value", wanted)
        for node in self.observed:
            if node not in value:
                raise SymbolError(f"value must be {wanted}: {node!r} is missing")
        if strange := value.keys() - set(self.observed):
            raise SymbolError(
                f"value must be {wanted}: {min(strange, key=repr)!r} is none"
            )
        return dict(value)

    def walk(
        self,
        value: Mapping[Any, Any],
        pop: Callable[[Any, Callable[[], Codec[Any]]], Any],
        push: Callable[[Any, Callable[[], Codec[Any]], Any], None],
    ) -> None:
        """Go through the steps of the sender.

        Parameters
        ----------
        value : mapping
            From each observed node to what was observed.
        pop : callable
            ``pop(node, make)`` draws a latent; ``make()`` is the codec.
        push : callable
            ``push(node, make, value)`` takes a value off.

        Raises
        ------
        SymbolError
            If they are not those of the graph.
        """
        values, inference = self._checked(value), self._inference()
        for action, node in self.order:
            if action == "pop":
                make = partial(self._posterior, inference, node, values)
                values[node] = pop(node, make)
            else:
                make = partial(self._conditional, node, values)
                push(node, make, values[node])
                del values[node]

    def _inference(self) -> Any:
        """What has the posteriors of one pass."""
        return self.model if self._plan is None else self._plan()

    def _push(self, message: Any, values: Mapping[Any, Any], n_plain: int = 0) -> None:
        """The first so many latents are modes."""
        plain = iter(range(n_plain))

        def pop(node: Any, make: Callable[[], Codec[Any]]) -> Any:
            at_mode = next(plain, None) is not None
            return make().pop(Pushes(message) if at_mode else message)

        def push(node: Any, make: Callable[[], Codec[Any]], x: Any) -> None:
            codec = make()
            try:
                codec.push(message, x)
            except ModelError as error:
                raise SymbolError(f"{node!r} cannot be coded: {error}") from error

        self.walk(values, pop, push)

    def _pop(self, message: Any, n_plain: int = 0) -> dict[Any, Any]:
        values: dict[Any, Any] = {}
        inference, left = self._inference(), self._n_latents
        for action, node in reversed(self.order):
            if action == "push":
                values[node] = self._conditional(node, values).pop(message)
            else:
                left -= 1
                z = values.pop(node)
                posterior = self._posterior(inference, node, values)
                posterior.push(Pops(message) if left < n_plain else message, z)
        return values

    # At a push of v, as at its pop by the receiver, `values` has the parents of v; at
    # the pop of a latent it has on both sides what is outstanding or not pushed.

    def _conditional(self, node: Any, values: dict[Any, Any]) -> Codec[Any]:
        parents = {parent: values[parent] for parent in self._parents[node]}
        codec = self.model.conditional(node, parents)
        return as_codec(codec, "what `conditional` returns")

    def _posterior(
        self, inference: Any, node: Any, values: dict[Any, Any]
    ) -> Codec[Any]:
        codec = inference.posterior(node, _Known(node, values, self._parents))
        return as_codec(codec, "what `posterior` returns")

    # ---- a message of its own

    def encode(
        self, value: Mapping[Any, Any], *, initial_bits: bytes | None = None
    ) -> bytes:
        """Code observations as a message of their own, without random bits.

        Parameters
        ----------
        value : mapping
            From each observed node to what was observed.
        initial_bits : bytes, optional
            Bits to start from. They come back when the message is decoded, and cost
            their length.

        Raises
        ------
        SymbolError
            If they are not those of the graph, or one cannot be coded.
        MessageError
            If a model without predictive distributions draws latents from other than
            distributions, which have a mode: then give `initial_bits`.

        Notes
        -----
        Of a `PredictiveGraph`, such as a `FiniteGraph`, the observations that are
        pushed first are range coded given all others, which are pushed over the integer
        that results: with exact posteriors the message is at most about 10 bits longer
        than the information content, whole bytes counted. Of other models the latents
        that are popped first are set to the modes of their posteriors, as few as will
        do. docs/maths.md, "A graph as one message".
        """
        values = self._checked(value)
        if initial_bits is not None:
            message = initial(initial_bits)
            self._push(message, values)
        elif isinstance(self.model, PredictiveGraph):
            message = self._encode(values)
        else:
            message = self._encode_at_modes(values)
        return message.to_bytes()

    def decode(
        self, data: bytes, *, initial_bits: bytes | None = None
    ) -> dict[Any, Any]:
        """Decode what `encode` returned.

        Parameters
        ----------
        data : bytes
        initial_bits
            As it was encoded.

        Returns
        -------
        dict
            From observed nodes to values.

        Raises
        ------
        CorruptError
            If `encode` writes these bytes for no observations. Others may decode, to
            other values, if they were damaged.
        """
        message = Message.from_bytes(as_bytes(data, "data"))
        with damage():
            if initial_bits is not None:
                values = self._pop(message)
                if message != initial(initial_bits):
                    raise CorruptError(
                        "message does not end in its initial bits: others, or " + DIFFER
                    )
            elif isinstance(self.model, PredictiveGraph):
                values = self._decode(message)
            else:
                values = self._decode_at_modes(message)
        return values

    @property
    def _predictor(self) -> PredictiveGraph:
        assert isinstance(self.model, PredictiveGraph)
        return self.model

    @cached_property
    def _start(self) -> _Start:
        pushes = self.observed
        n = self._predictor.start(pushes)
        needed = set(pushes[n:])
        for node in self._parents:  # children first
            if node in needed:
                needed.update(self._parents[node])
        body = [(action, node) for action, node in self.order if node in needed]
        return _Start(pushes[:n][::-1], Schedule(self.model, body))

    @cached_property
    def _predictive(self) -> Callable[[], Any]:
        return self._predictor.predictive(self.order)

    def _encode(self, values: dict[Any, Any]) -> Message:
        start = self._start
        body = {node: values[node] for node in start.body.observed[::-1]}
        message = self._range_encode(body, start.nodes, values)
        if not body:
            return message
        if message.is_at_least(start_bits(self.model)):
            start.body._push(message, body)
            message.push_interval(*FLAG_SCHEDULE, FLAG_TOTAL)
        else:
            message = self._range_encode({}, self.observed[::-1], values)
            message.push_interval(*FLAG_PREDICTIVE, FLAG_TOTAL)
        return message

    def _decode(self, message: Message) -> dict[Any, Any]:
        start = self._start
        if not start.body.observed:
            return self._range_decode({}, start.nodes, message)
        flagged = int(message.peek(FLAG_TOTAL)[0]) >= FLAG_PREDICTIVE[0]
        message.advance(*(FLAG_PREDICTIVE if flagged else FLAG_SCHEDULE), FLAG_TOTAL)
        if flagged:
            nodes = self.observed[::-1]
            return self._range_decode({}, nodes, message, len(start.body.observed))
        body = start.body._pop(message)
        if not message.is_at_least(start_bits(self.model)):
            raise CorruptError(f"message ends early: {DIFFER}")
        return self._range_decode(body, start.nodes, message)

    def _range_encode(
        self, known: dict[Any, Any], nodes: Iterable[Any], values: dict[Any, Any]
    ) -> Message:
        encoder, predictions = RangeEncoder(), self._predictive()
        for node, x in known.items():
            predictions.observe(node, x)
        for node in nodes:
            law = predictions.law(node)
            try:
                encoder.encode(law, values[node])
            except ModelError as error:
                raise SymbolError(f"{node!r} cannot be coded: {error}") from error
            predictions.observe(node, values[node])
        return encoder.finish()

    def _range_decode(
        self,
        known: dict[Any, Any],
        nodes: Iterable[Any],
        message: Message,
        mark: int | None = None,
    ) -> dict[Any, Any]:
        """What follows from index `mark` on must be too little to start bits back."""
        decoder, predictions = RangeDecoder(message), self._predictive()
        values = dict(known)
        for node, x in known.items():
            predictions.observe(node, x)
        for i, node in enumerate(nodes):
            if i == mark:
                decoder.mark(start_bits(self.model))
            values[node] = decoder.decode(predictions.law(node))
            predictions.observe(node, values[node])
        decoder.check()
        return values

    def _encode_at_modes(self, values: dict[Any, Any]) -> Message:
        for n_plain in range(self._n_latents):
            message = lent(
                Message(), partial(self._push, values=values, n_plain=n_plain)
            )
            if message is not None:
                break
        else:
            message, n_plain = Message(), self._n_latents
            self._push(message, values, n_plain)
        push_count(message, n_plain, self._n_latents)
        return message

    def _decode_at_modes(self, message: Message) -> dict[Any, Any]:
        given = message.copy()
        values = self._pop(message, pop_count(message, self._n_latents))
        if message != Message():
            raise CorruptError(f"message does not end as it was started: {DIFFER}")
        if self._encode_at_modes(values) != given:
            raise CorruptError(f"message lends too early or too late: {DIFFER}")
        return values

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


def _as_order(order: Iterable[tuple[str, Any]]) -> Order:
    """The steps that were given.

    Raises
    ------
    ModelError
        If they are no pairs of a word and a node.
    """
    wanted = 'a step is ("pop", node) or ("push", node), each node a key'
    steps = as_parts(order, "order", f"steps, {wanted}")
    for i, step in enumerate(steps):
        if not isinstance(step, tuple | list) or len(step) != 2:
            raise ModelError(
                f"order[{i}]: {wanted}, not {reprlib.repr(step)}; from latents alone "
                "Schedule.eager makes an order"
            )
        try:
            hash(step[1])
        except TypeError as error:
            raise ModelError(f"order[{i}]: {wanted}: {error}") from None
    return tuple((action, node) for action, node in steps)


class _Known(Mapping[Any, Any]):
    """What sender and receiver have when they code a latent, in an order that is the
    same for both."""

    def __init__(self, latent: Any, values: dict[Any, Any], nodes: Iterable[Any]):
        self._latent, self._values, self._nodes = latent, values, nodes

    def __getitem__(self, node: Any) -> Any:
        if node in self._values:
            return self._values[node]
        some = ", ".join(map(repr, islice(self, 8))) + ", .." * (len(self) > 8)
        raise ModelError(
            f"the posterior of {self._latent!r} looks at {node!r}, which is pushed "
            f"before, or not popped: it may look at [{some}]"
        )

    def __contains__(self, node: object) -> bool:
        return node in self._values

    def get(self, node: Any, default: Any = None) -> Any:
        return self._values.get(node, default)

    def __iter__(self) -> Iterator[Any]:
        return (node for node in self._nodes if node in self._values)

    def __len__(self) -> int:
        return len(self._values)
