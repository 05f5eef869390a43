"""Float networks: a graph of layers, evaluated and stored."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from bbans._arguments import as_instance, as_reals
from bbans._float_file import Arrays, read_model, write_model
from bbans.errors import BbansError, CorruptError, FormatError, ModelError
from bbans.networks import nodes as layers
from bbans.networks.nodes import Floats, Input, Node, Shape

__all__ = ["Network"]

# Layers by their names in files.
_LAYERS: dict[str, Any] = {
    name: cls
    for name in layers.__all__
    if isinstance(cls := getattr(layers, name), type)
    and issubclass(cls, Node)
    and cls not in (Node, layers.Affine)
}
_GRAPH = "graph"
# Numbers that a layer holds at a time, over all items.
_WORK = 1 << 22


class Network:
    """A network in floating point: what training makes, and `quantise` takes.

    Parameters
    ----------
    inputs : sequence of Input
        In the order in which a call takes them.
    outputs : sequence of Node
        In the order in which a call returns them.

    Raises
    ------
    ModelError
        If there are no outputs, or they depend on an `Input` that is not listed.

    Notes
    -----
    Immutable. Nothing here decides a coded bit: ``quantise(..).freeze()`` makes the
    network that codes.

    Examples
    --------
    >>> import numpy as np
    >>> from bbans import networks as nn
    >>> x = nn.Input(2)
    >>> net = nn.Network([x], [nn.Relu(nn.Dense(x, [[1, 2], [3, -4]], [0.5, 0]))])
    >>> net(np.array([[1.0, 1.0], [2.0, 0.0]]))
    array([[3.5, 0. ],
           [2.5, 6. ]])
    """

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
        if len(values) != len(self._inputs):
            raise ModelError(
                f"the network takes {len(self._inputs)} inputs, not {len(values)}"
            )
        batch: Shape = ()
        arrays = []
        for i, (value, node) in enumerate(zip(values, self._inputs, strict=True)):
            array = as_reals(value, f"input {i}")
            rank = array.ndim - len(node.shape)
            if rank < 0 or array.shape[rank:] != node.shape:
                raise ModelError(
                    f"input {i} must have shape (..., {str(node.shape)[1:]}, not "
                    f"{array.shape}"
                )
            if i and array.shape[:rank] != batch:
                raise ModelError(
                    f"input {i} has leading axes {array.shape[:rank]}, and input 0 "
                    f"{batch}"
                )
            batch = array.shape[:rank]
            arrays.append(array.reshape(-1, *node.shape))
        return batch, arrays

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

    # ---- files and copies

    def _arrays(self) -> Arrays:
        """The network as arrays, for its file or that of a model it is part of."""
        number = {node: i for i, node in enumerate(self._nodes)}
        entries, arrays = [], {}
        for node, i in number.items():
            entry: dict[str, Any] = {
                name: getattr(node, name) for name in node.SETTINGS
            }
            for name in node.ARRAYS:
                if (array := getattr(node, name)) is not None:
                    arrays[f"{i}.{name}"] = array
            entry |= {
                "layer": type(node).__name__,
                "inputs": [number[a] for a in node.inputs],
            }
            entries.append(entry)
        graph = {
            "nodes": entries,
            "inputs": [number[a] for a in self._inputs],
            "outputs": [number[a] for a in self._outputs],
        }
        text = json.dumps(graph, separators=(",", ":")).encode("ascii")
        return {_GRAPH: np.array(text), **arrays}

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> Network:
        """The network of these arrays; any error says that they are of none."""
        graph = json.loads(arrays[_GRAPH].item())
        nodes: list[Node] = []
        for i, entry in enumerate(graph["nodes"]):
            layer = _LAYERS[entry.pop("layer")]
            inputs = _chosen(nodes, entry.pop("inputs"))
            weights = {
                name: arrays[f"{i}.{name}"]
                for name in layer.ARRAYS
                if f"{i}.{name}" in arrays
            }
            nodes.append(layer(*inputs, **_tuples(entry), **weights))
        return cls(*(_chosen(nodes, graph[name]) for name in ("inputs", "outputs")))

    def save(self, path: str | os.PathLike[str] | BinaryIO) -> None:
        """Write the network to a .npz file; an existing file is replaced at once.

        Parameters
        ----------
        path : path, or binary file that is open for writing
        """
        write_model(path, type(self).__name__, self._arrays())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Network:
        """Read a network that `save` wrote.

        Raises
        ------
        TruncatedError, CorruptError, VersionError, FormatError
            If the file ends too early, was damaged, was written by another release, or
            is something else; the text says what.
        OSError
            If it cannot be read.
        """
        name, arrays = read_model(path, "a saved Network")
        if name != cls.__name__:
            raise FormatError(f"not a saved Network: {path} holds a saved {name}")
        try:
            return cls._from_arrays(arrays)
        except (
            BbansError, AttributeError, LookupError, RecursionError, TypeError,
            ValueError,
        ) as error:  # fmt: skip
            raise CorruptError(f"damaged file: {path}: {error}") from error

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Network):
            return NotImplemented
        mine, theirs = self._arrays(), other._arrays()
        return mine.keys() == theirs.keys() and all(
            array.dtype == theirs[name].dtype and np.array_equal(array, theirs[name])
            for name, array in mine.items()
        )

    def __hash__(self) -> int:
        return hash(self._arrays()[_GRAPH].item())

    def __reduce__(self) -> tuple[Any, ...]:
        return Network._from_arrays, (self._arrays(),)

    def __copy__(self) -> Network:
        return self  # it does not change

    def __deepcopy__(self, memo: Any) -> Network:
        return self

    def __repr__(self) -> str:
        number = {node: i for i, node in enumerate(self._nodes)}
        rows = [
            f"  {i}: {node}" + "".join(f" <- {number[a]}" for a in node.inputs[:1])
            + "".join(f", {number[a]}" for a in node.inputs[1:])
            for node, i in number.items()
        ]  # fmt: skip
        ends = ", ".join(str(number[node]) for node in self._outputs)
        return "\n".join([f"Network(outputs {ends}):", *rows])


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


def _chosen(nodes: Sequence[Node], numbers: Sequence[int]) -> list[Node]:
    """Nodes by their numbers; they are those before."""
    if any(i < 0 for i in numbers):
        raise ModelError("a node has a negative number")
    return [nodes[i] for i in numbers]


def _tuples(settings: Any) -> Any:
    """What JSON has as lists."""
    if isinstance(settings, dict):
        return {name: _tuples(value) for name, value in settings.items()}
    return tuple(map(_tuples, settings)) if isinstance(settings, list) else settings
