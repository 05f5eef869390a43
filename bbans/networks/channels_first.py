"""Tensors and layers of PyTorch as nodes, without PyTorch.

PyTorch has channels first, and flattens maps so; nodes have them last. Where a map is
flattened, or a vector viewed as a map, elements stay where they are: the weights after
them, or before them, take another order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bbans.errors import ModelError
from bbans.networks.nodes import (
    Add,
    Clip,
    Conv1d,
    Conv2d,
    Dense,
    Floats,
    Multiply,
    Node,
    PixelShuffle,
    Reshape,
    Scale,
    Shape,
    Subtract,
    conv_transpose2d,
)

__all__ = [
    "Value",
    "as_floats",
    "batch_norm",
    "channels_last",
    "convolution",
    "linear",
    "node_of",
    "ordered",
    "times_plus",
    "transposed_convolution",
    "value_of",
]

Order = NDArray[np.intp]


@dataclass(frozen=True)
class Value:
    """A tensor of PyTorch, as the node that computes it."""

    node: Node
    shape: Shape
    """In PyTorch, without the axis of the batch."""
    order: Order
    """Of each element of the node its number in PyTorch, both in C order."""


def _last_order(shape: Shape) -> Order:
    """The order of a map as nodes have it; of a vector its own."""
    return np.moveaxis(np.arange(math.prod(shape)).reshape(shape), 0, -1).ravel()


def value_of(node: Node) -> Value:
    """The tensor of a node that has channels last."""
    shape = node.shape[-1:] + node.shape[:-1]
    return Value(node, shape, _last_order(shape))


def node_of(value: Value) -> Node:
    """The node of a tensor, with channels last.

    Raises
    ------
    ModelError
        If its elements would have to change places.
    """
    node = ordered(value, _last_order(value.shape))
    shape = value.shape[1:] + value.shape[:1]
    return node if node.shape == shape else Reshape(node, shape)


def ordered(value: Value, order: Order) -> Node:
    """The node with its elements in another order: by the rows of the dense layers that
    they come from.

    Raises
    ------
    ModelError
        If there are none.
    """
    if np.array_equal(value.order, order):
        return value.node
    return _permuted(value.node, np.argsort(value.order)[order])


def _permuted(node: Node, chosen: Order) -> Node:
    inner = node.inputs
    if isinstance(node, Dense):
        return Dense(inner[0], node.weight[chosen], node.offset[chosen])
    if isinstance(node, Reshape):
        return _permuted(inner[0], chosen)
    if isinstance(node, (Clip, Scale, Add, Subtract, Multiply)):
        moved = (_permuted(a, chosen) for a in inner)
        settings = {name: getattr(node, name) for name in node.SETTINGS}
        layer: Any = type(node)
        return layer(*moved, **settings)  # type: ignore[no-any-return]
    raise ModelError(
        f"elements of a {type(node).__name__} would have to change places: view what "
        "Linear layers give as a map, flatten a map for Linear layers, and nothing "
        "else; an input that is a map has the shape of one"
    )


# ---- layers with weights, given as PyTorch has them


def as_floats(tensor: Any) -> Floats:
    """An array, or a tensor of PyTorch, as float64."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().double().numpy()
    return np.asarray(tensor, np.float64)


def _optional(tensor: Any) -> Floats | None:
    return None if tensor is None else as_floats(tensor)


def linear(x: Value, weight: Any, bias: Any = None) -> Value:
    """Linear: the columns of the weight take the order of the tensor.

    Raises
    ------
    ModelError
        If it is no vector of this length.
    """
    if len(x.shape) != 1:
        raise ModelError(
            f"Linear takes vectors, not tensors of shape {x.shape}: flatten before, or "
            "use a convolution with a kernel of 1"
        )
    rows = as_floats(weight)
    if rows.ndim != 2 or rows.shape[1] != len(x.order):
        raise ModelError(
            f"a weight of shape {rows.shape} takes no vector of {len(x.order)}"
        )
    return value_of(Dense(x.node, rows[:, x.order], _optional(bias)))


def _spread(weight: Floats, groups: int, dilation: Sequence[int]) -> Floats:
    """A kernel without groups and dilation: zeros in their place. The first axis is
    divided among the groups, of the second each has a part of its own."""
    rows, columns = len(weight) // groups, weight.shape[1]
    sizes = [1 + (k - 1) * d for k, d in zip(weight.shape[2:], dilation, strict=True)]
    kernel = np.zeros((len(weight), columns * groups, *sizes))
    steps = tuple(slice(None, None, d) for d in dilation)
    for g in range(groups):
        mine = slice(g * rows, (g + 1) * rows)
        theirs = slice(g * columns, (g + 1) * columns)
        kernel[(mine, theirs, *steps)] = weight[mine]
    return kernel


def _each(value: Any, rank: int) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,) * rank


def convolution(
    x: Value,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Value:
    """Conv1d or Conv2d, by the axes of the weight.

    Raises
    ------
    ModelError
        If it does not fit the tensor.
    """
    kernel = as_floats(weight)
    rank = kernel.ndim - 2
    if len(x.shape) != rank + 1:
        raise ModelError(f"Conv{rank}d takes no tensor of shape {x.shape}")
    kernel = _spread(kernel, groups, _each(dilation, rank))
    pads = _each(padding, rank)
    if padding == "valid":
        pads = (0,) * rank
    elif padding == "same":
        pads = tuple(((k - 1) // 2, k // 2) for k in kernel.shape[2:])
    settings: Any = {"stride": _each(stride, rank), "padding": pads}
    if rank == 1:
        settings = {name: each[0] for name, each in settings.items()}
    layer = Conv1d if rank == 1 else Conv2d
    kernel = np.moveaxis(kernel, 1, -1)
    return value_of(layer(node_of(x), kernel, _optional(bias), **settings))


def transposed_convolution(
    x: Value,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Value:
    """ConvTranspose2d.

    Raises
    ------
    ModelError
        If it does not fit the tensor, or has other settings for rows and columns.
    """
    kernel = as_floats(weight)
    if kernel.ndim != 4:
        raise ModelError(
            f"of transposed convolutions those over maps are supported, not "
            f"{kernel.ndim - 2}-D ones"
        )
    kernel = _spread(kernel, groups, _each(dilation, 2))
    settings = {}
    for name, value in [
        ("stride", stride), ("padding", padding), ("output_padding", output_padding)
    ]:  # fmt: skip
        across, down = _each(value, 2)
        if across != down:
            raise ModelError(
                f"{name} of ConvTranspose2d must be one number, not {value}"
            )
        settings[name] = across
    node = conv_transpose2d(
        node_of(x), kernel.transpose(0, 2, 3, 1), _optional(bias), **settings
    )
    return value_of(node)


def _scaled(node: Node, factor: Floats, offset: Floats) -> Node:
    """``factor * node + offset``, a number for each channel: in the weights of the
    layer that the node is, else in those of a new one."""
    inner = node.inputs[0] if node.inputs else node
    if isinstance(node, (Dense, Conv1d, Conv2d)):
        weight = (node.weight.T * factor).T
        settings = {name: getattr(node, name) for name in node.SETTINGS}
        return type(node)(inner, weight, node.offset * factor + offset, **settings)
    if isinstance(node, Scale):
        return _scaled(inner, factor * node.factor, offset)
    if isinstance(node, PixelShuffle):
        factor, offset = (np.repeat(x, node.factor**2) for x in (factor, offset))
        return PixelShuffle(_scaled(inner, factor, offset), node.factor)
    if isinstance(node, Reshape) and isinstance(inner, Dense):
        factor, offset = (np.tile(x, node.size // len(x)) for x in (factor, offset))
        return Reshape(_scaled(inner, factor, offset), node.shape)
    weight = np.diag(factor)
    if len(node.shape) == 1:
        return Dense(node, weight, offset)
    if len(node.shape) == 2:
        return Conv1d(node, weight[:, None], offset)
    return Conv2d(node, weight[:, None, None], offset)


def times_plus(x: Value, factor: Any, offset: Any = 0.0) -> Value:
    """The tensor times a number and plus one, or one for each channel."""
    if np.ndim(factor) == np.ndim(offset) == 0 and offset == 0:
        return replace(x, node=Scale(x.node, float(factor)))
    n = x.shape[0]
    factor, offset = np.broadcast_to(factor, n), np.broadcast_to(offset, n)
    return value_of(_scaled(node_of(x), factor, offset))


def batch_norm(
    x: Value,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = None,
    eps: float = 1e-5,
) -> Value:
    """BatchNorm by running statistics, folded into the weights before it.

    Raises
    ------
    ModelError
        If there are none.
    """
    if running_mean is None or training:
        raise ModelError("BatchNorm needs running statistics: of a batch they differ")
    factor = 1 / np.sqrt(as_floats(running_var) + eps)
    if weight is not None:
        factor = factor * as_floats(weight)
    offset = -as_floats(running_mean) * factor
    if bias is not None:
        offset = offset + as_floats(bias)
    return times_plus(x, factor, offset)


def channels_last(shape: int | Shape) -> int | Shape:
    """PyTorch's shape with channels last."""
    if isinstance(shape, tuple | list):
        return (*shape[1:], *shape[:1])
    return shape  # a number; of what is none, Input says so
