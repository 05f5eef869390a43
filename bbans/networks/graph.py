"""A graph of layers, and its evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from bbans._arguments import as_batch, as_instance, as_reals
from bbans.errors import ModelError
from bbans.networks.nodes import Floats, Input, Node, Shape

__all__ = ["Graph"]

# Numbers that a layer holds at a time, over all items.
_WORK = 1 << 22


class Graph:
    """Layers from inputs to outputs: what `Network` says of itself, but for its files
    and its integers."""

    __slots__ = ("_inputs", "_nodes", "_outputs")

    def __init__(self, inputs: Sequence[Node], outputs: Sequence[Node]) -> None:
        self._inputs = tuple(
            as_instance(node, Input, "a network's input", "an Input") for node in inputs
        )
        self._outputs = tuple(
            as_instance(node, Node, "a network's output", "a node") for node in outputs
        )
        if not self._outputs:
            raise ModelError("a network needs at least one output")
        if len({*map(id, self._inputs)}) < len(self._inputs):
            raise ModelError("an input is listed twice")
        self._nodes = _ordered(self._inputs, self._outputs)
        for node in self._nodes:
            if isinstance(node, Input) and node not in self._inputs:
                raise ModelError(f"the outputs depend on {node}, which is not listed")

    @property
    def inputs(self) -> list[Shape]:
        """The shapes of the inputs."""
        return [node.shape for node in self._inputs]

    @property
    def outputs(self) -> list[Shape]:
        """The shapes of the outputs."""
        return [node.shape for node in self._outputs]

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes: inputs first, each after those that it takes."""
        return self._nodes

    @property
    def ends(self) -> tuple[Node, ...]:
        """The nodes that are the outputs."""
        return self._outputs

    def __call__(self, *values: ArrayLike) -> Any:
        """Compute the outputs.

        Parameters
        ----------
        *values : array_like of float, shape (*batch, *shape)
            One for each input, all with the same leading axes, or none.

        Returns
        -------
        ndarray of float64, shape (*batch, *shape)
            A tuple of them, if there are several outputs.

        Raises
        ------
        ModelError
            If the inputs are not these.
        """
        batch, arrays = self.batched(values)
        items = len(arrays[0]) if arrays else 1
        step = max(1, _WORK // max(node.work for node in self._nodes))
        results = [np.empty((items, *shape)) for shape in self.outputs]
        for first in range(0, items, step):
            part = slice(first, first + step)
            found = dict(self.evaluated([array[part] for array in arrays]))
            for result, node in zip(results, self._outputs, strict=True):
                result[part] = found[node]
        shaped = [array.reshape(*batch, *array.shape[1:]) for array in results]
        return tuple(shaped) if shaped[1:] else shaped[0]

    def batched(self, values: Sequence[ArrayLike]) -> tuple[Shape, list[Floats]]:
        """The leading axes of a call's inputs, and these with one axis in their place.

        Raises
        ------
        ModelError
            If the inputs are not those of this network.
        """
        shapes = [node.shape for node in self._inputs]
        batch, arrays = as_batch(values, shapes, as_reals)
        return batch, [
            array.reshape(-1, *shape)
            for array, shape in zip(arrays, shapes, strict=True)
        ]

    def evaluated(self, arrays: Sequence[Floats]) -> Iterator[tuple[Node, Floats]]:
        """Yield each node and its tensor, of what `batched` returns."""
        items = len(arrays[0]) if arrays else 1
        last = {a: node for node in self._nodes for a in node.inputs}
        found = dict(zip(self._inputs, arrays, strict=True))
        for node in self._nodes:
            if node not in found:
                value = node.evaluate(*(found[a] for a in node.inputs))
                # Without inputs nothing has the axis of a batch.
                found[node] = np.broadcast_to(value, (items, *node.shape))
            yield node, found[node]
            for a in {*node.inputs}:
                if last[a] is node:
                    del found[a]  # its last use


def _ordered(inputs: Sequence[Node], outputs: Sequence[Node]) -> tuple[Node, ...]:
    """All nodes that the outputs depend on, each after those that it takes."""
    found = dict.fromkeys(inputs)
    stack = list(reversed(outputs))
    while stack:
        node = stack[-1]
        missing = [a for a in node.inputs if a not in found]
        if missing:
            stack += reversed(missing)
        else:
            found[stack.pop()] = None
    return tuple(found)
