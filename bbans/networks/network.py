"""Float networks: what training makes, stored, and taken to integers."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike

from bbans._float_file import Arrays, read_model, write_model
from bbans.errors import BbansError, CorruptError, FormatError, ModelError
from bbans.networks import nodes as layers
from bbans.networks.graph import Graph
from bbans.networks.nodes import Node
from bbans.networks.quantise import QuantisedNetwork, quantised
from bbans.networks.units import Units

__all__ = ["Network"]

# Layers by their names in files.
_LAYERS: dict[str, Any] = {
    name: cls
    for name in layers.__all__
    # By isinstance, tuple[int] is a class too in Python 3.10.
    if issubclass(type(cls := getattr(layers, name)), type)
    and issubclass(cls, Node)
    and cls not in (Node, layers.Affine)
}
_GRAPH = "graph"


class Network(Graph):
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

    __slots__ = ()

    def quantise(
        self,
        calibration: ArrayLike | Sequence[ArrayLike],
        *,
        inputs: Sequence[Units],
        outputs: Sequence[Units],
        weights: int = 8,
        activations: int = 10,
    ) -> QuantisedNetwork:
        """Round everything to integers.

        Parameters
        ----------
        calibration : array_like of float, shape (N, *shape), or a list of them
            Data as the network will see, one array for each input.
        inputs, outputs : sequence of Units
            What the integers stand for: `grid` for an input; `grid`, `location`,
            `scale`, `logit` and so on for an output.
        weights : int
            Bits of a weight, 8 or 16.
        activations : int
            Bits of a clipped ReLU, 2 to 15; other tensors have 16.

        Returns
        -------
        QuantisedNetwork
            Its `freeze` makes the network that codes.

        Raises
        ------
        ModelError
            If an argument breaks a condition above.

        Notes
        -----
        Each row of weights has one scale, such that no sum can overflow. Ceilings are
        those by which rounding and clipping change the calibration data least; biases
        make up for what rounding changes in the mean.
        """
        return quantised(
            self, calibration, inputs=inputs, outputs=outputs, weights=weights,
            activations=activations,
        )  # fmt: skip

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
        shapes = [
            ", ".join(" x ".join(map(str, shape)) for shape in ends)
            for ends in (self.inputs, self.outputs)
        ]
        return f"Network({' -> '.join(shapes)}; {len(self._nodes)} nodes)"

    def __str__(self) -> str:
        number = {node: i for i, node in enumerate(self._nodes)}
        rows = []
        for node, i in number.items():
            taken = ", ".join(str(number[a]) for a in node.inputs)
            rows.append(f"{i}: {node}" + (f" of {taken}" if taken else ""))
        ends = ", ".join(str(number[node]) for node in self._outputs)
        return "\n".join([*rows, f"outputs: {ends}"])


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
