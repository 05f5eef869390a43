"""Networks from arrays by name, as PyTorch's state_dict has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from bbans.errors import ModelError
from bbans.networks.channels_first import (
    Value,
    as_floats,
    batch_norm,
    channels_last,
    convolution,
    linear,
    node_of,
    transposed_convolution,
    value_of,
)
from bbans.networks.network import Network
from bbans.networks.nodes import (
    Add,
    Clip,
    Concat,
    Floats,
    Input,
    Multiply,
    Node,
    Reshape,
    Scale,
    Shape,
    Slice,
    Subtract,
)

__all__ = ["from_state_dict"]


class _Layers:
    """The layers of a state_dict, called by name: see `from_state_dict`."""

    def __init__(self, state: Mapping[str, Any]) -> None:
        self._state = state

    def __call__(
        self,
        name: str,
        a: Node,
        *,
        norm: str | None = None,
        eps: float = 1e-5,
        transposed: bool = False,
        shape: Shape | None = None,
        **settings: Any,
    ) -> Node:
        if _is_flattened(a):
            raise ModelError(
                f"{name} is given a map that was flattened, here with channels last: "
                "give it the map, which it takes as PyTorch flattens it"
            )
        x, weight, bias = value_of(a), self._of(name, "weight"), self._get(name, "bias")
        if weight.ndim == 2:
            flat = Value(a, (a.size,), x.order)
            y = linear(flat, weight, bias)
        else:
            layer = transposed_convolution if transposed else convolution
            y = layer(x, weight, bias, **settings)
        if norm is not None:
            y = batch_norm(
                y,
                self._of(norm, "running_mean"),
                self._of(norm, "running_var"),
                self._get(norm, "weight"),
                self._get(norm, "bias"),
                eps=eps,
            )
        return node_of(y if shape is None else replace(y, shape=shape))

    def _get(self, layer: str, name: str) -> Floats | None:
        key = f"{layer}.{name}"
        return as_floats(self._state[key]) if key in self._state else None

    def _of(self, layer: str, name: str) -> Floats:
        array = self._get(layer, name)
        if array is None:
            raise ModelError(
                f"the state has no {layer}.{name}: it has {', '.join(self._state)}"
            )
        return array


def _is_flattened(node: Node) -> bool:
    """Whether a vector has the order of a map."""
    if isinstance(node, Reshape):
        return len(node.shape) < len(node.inputs[0].shape)
    same = isinstance(node, (Clip, Scale, Add, Subtract, Multiply, Slice, Concat))
    return same and any(map(_is_flattened, node.inputs))


def from_state_dict(
    state: Mapping[str, Any],
    forward: Callable[..., Any],
    *inputs: int | Shape,
) -> Network:
    """Make a network of the arrays of a state_dict, without PyTorch.

    Parameters
    ----------
    state : mapping from str to array or tensor
        As ``module.state_dict()``; as an .npz file of it, opened by numpy.
    forward : callable
        ``forward(layers, x, ...)`` returns the output nodes, one or a tuple, given a
        node for each input. ``layers(name, node, **settings)`` is the layer whose
        arrays have this name: Linear, Conv1d or Conv2d, by the axes of its weight, with
        PyTorch's settings (stride, padding, dilation, groups); ConvTranspose2d with
        ``transposed=True``. ``norm="bn1"`` folds in the BatchNorm of that name that
        follows, of the given `eps`; ``shape=(32, 7, 7)`` is the view that follows a
        Linear layer. Other layers are nodes, as ``networks.Relu``.
    *inputs : int or tuple of int
        The shapes, without a batch, as in PyTorch: n, (channels, width) or (channels,
        height, width).

    Returns
    -------
    Network
        Its maps have channels last. A Linear layer takes a map, not flattened here, as
        PyTorch flattens it.

    Raises
    ------
    ModelError
        If the state has no such arrays, or shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from bbans import networks as nn
    >>> state = {
    ...     "conv.weight": np.ones((2, 1, 3, 3)),
    ...     "conv.bias": np.array([0.5, -0.5]),
    ...     "fc.weight": np.ones((1, 8)),
    ... }
    >>> def forward(layers, x):
    ...     return layers("fc", nn.Relu(layers("conv", x)))
    >>> net = nn.from_state_dict(state, forward, (1, 4, 4))
    >>> net.inputs, net(np.ones((4, 4, 1)))
    ([(4, 4, 1)], array([72.]))
    """
    nodes = [Input(channels_last(shape)) for shape in inputs]
    made = forward(_Layers(state), *nodes)
    return Network(nodes, made if isinstance(made, (tuple, list)) else [made])
