"""Layers of float networks: each is a node, made of the nodes that it takes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_instance, as_integer, as_real, as_reals
from bbans.errors import ModelError

__all__ = [
    "Add",
    "Affine",
    "Clip",
    "Concat",
    "Conv1d",
    "Conv2d",
    "Dense",
    "Floats",
    "Input",
    "Multiply",
    "Node",
    "PixelShuffle",
    "Relu",
    "Reshape",
    "Scale",
    "Shape",
    "Slice",
    "Subtract",
    "conv_transpose2d",
    "flatten",
    "gated_cell",
    "volume",
]

Floats: TypeAlias = NDArray[np.float64]
Shape: TypeAlias = tuple[int, ...]


def volume(shape: Shape) -> tuple[int, int, int]:
    """A shape as height, width and channels."""
    height, width, channels = (1,) * (3 - len(shape)) + shape
    return height, width, channels


class Node(ABC):
    """A layer, and the tensor that it computes.

    Parameters
    ----------
    inputs : sequence of Node
        What it takes.
    shape : tuple of int
        Of its tensor, channels last and without the axis of a batch: ``(n,)``,
        ``(width, channels)`` or ``(height, width, channels)``.

    Notes
    -----
    Nodes are immutable; ``a + b``, ``a - b``, ``a * b`` and ``2.0 * a`` make new ones.
    """

    SETTINGS: ClassVar[tuple[str, ...]] = ()
    """Arguments of the class, besides inputs, that are numbers: attributes too."""

    ARRAYS: ClassVar[tuple[str, ...]] = ()
    """Arguments that are arrays: attributes too, None where there is none."""

    def __init__(self, inputs: Sequence[Node], shape: Shape) -> None:
        self.inputs = tuple(inputs)
        self.shape = shape

    @abstractmethod
    def evaluate(self, *values: Floats) -> Floats:
        """Compute the tensor from those of the inputs, each of shape `(N, *shape)`."""

    @property
    def volume(self) -> tuple[int, int, int]:
        """The shape as height, width and channels."""
        return volume(self.shape)

    @property
    def size(self) -> int:
        """Elements of the tensor."""
        return math.prod(self.shape)

    @property
    def work(self) -> int:
        """Numbers that `evaluate` holds for one item."""
        return self.size

    def __add__(self, other: Any) -> Node:
        return Add(self, other) if isinstance(other, Node) else NotImplemented

    def __sub__(self, other: Any) -> Node:
        return Subtract(self, other) if isinstance(other, Node) else NotImplemented

    def __mul__(self, other: Any) -> Node:
        if isinstance(other, Node):
            return Multiply(self, other)
        return self.__rmul__(other)

    def __rmul__(self, factor: Any) -> Node:
        if isinstance(factor, (int, float, np.integer, np.floating)):
            return Scale(self, as_real(factor, "factor"))
        return NotImplemented

    def __copy__(self) -> Node:
        return self  # it does not change

    def __deepcopy__(self, memo: Any) -> Node:
        return self

    def __repr__(self) -> str:
        sizes = " x ".join(map(str, self.shape))
        settings = [f"{name}={getattr(self, name)}" for name in self.SETTINGS]
        shown = [sizes, *(text for text in settings if not text.startswith("shape="))]
        return f"{type(self).__name__}({', '.join(shown)})"


class Input(Node):
    """What the network is given.

    Parameters
    ----------
    shape : int or tuple of int
        Of one item: ``n``, ``(width, channels)`` or ``(height, width, channels)``.

    Raises
    ------
    ModelError
        If it is no shape.
    """

    SETTINGS = ("shape",)

    def __init__(self, shape: int | Shape) -> None:
        super().__init__((), _as_shape(shape))

    def evaluate(self, *values: Floats) -> Floats:
        raise AssertionError("an input has the value that it is given")


# ---- layers with weights


class Affine(Node):
    """A product with weights and a bias: dense layers and convolutions.

    Attributes
    ----------
    kernel : ndarray of float64, shape (out, height, width, channels)
        The weights, over the input as a map of `volume`.
    offset : ndarray of float64, shape (out,)
        The bias, zeros if there is none.
    strides : tuple of int
        Vertical, horizontal.
    pads : tuple of (int, int)
        Zeros before and after, vertically and horizontally.
    """

    ARRAYS = ("weight", "bias")

    def __init__(
        self,
        a: Node,
        weight: Floats,
        bias: ArrayLike | None,
        kernel: Floats,
        strides: tuple[int, int] = (1, 1),
        pads: Sequence[tuple[int, int]] = ((0, 0), (0, 0)),
    ) -> None:
        self.weight, self.kernel = weight, kernel
        rows = len(kernel)
        self.bias = None if bias is None else _as_weights(bias, "bias", 1)
        self.offset = np.zeros(rows)
        if self.bias is not None:
            if len(self.bias) != rows:
                raise ModelError(
                    f"bias has {len(self.bias)} numbers, and weight {rows} rows"
                )
            self.offset = self.bias
        self.strides, self.pads = strides, tuple(pads)
        sizes = []
        for i in (0, 1):
            room = a.volume[i] + sum(self.pads[i]) - kernel.shape[1 + i]
            if room < 0:
                raise ModelError(
                    f"a kernel of {_times(kernel.shape[1:3])} does not fit into a map "
                    f"of {_times(a.volume[:2])} with padding {self.pads}"
                )
            sizes.append(room // strides[i] + 1)
        # A vector stays one, and so does a map of one dimension.
        rank = 1 if isinstance(self, Dense) else len(a.shape)
        super().__init__((a,), (*sizes, rows)[3 - rank :])

    @property
    def work(self) -> int:
        height, width, _ = self.volume
        return max(self.size, height * width * int(self.kernel[0].size))

    def windows(self, maps: NDArray[Any]) -> NDArray[Any]:
        """What each output position multiplies with a row of the kernel.

        Parameters
        ----------
        maps : ndarray, shape (N, height, width, channels)
            The input, or some of its channels.

        Returns
        -------
        ndarray, shape (N, height, width, kernel elements)
        """
        _, rows, columns, _ = self.kernel.shape
        if any(map(any, self.pads)):
            maps = np.pad(maps, ((0, 0), *self.pads, (0, 0)))
        views = sliding_window_view(maps, (rows, columns), (1, 2))
        views = views[:, :: self.strides[0], :: self.strides[1]]
        return views.transpose(0, 1, 2, 4, 5, 3).reshape(*views.shape[:3], -1)

    def evaluate(self, *values: Floats) -> Floats:
        windows = self.windows(values[0].reshape(-1, *self.inputs[0].volume))
        rows = self.kernel.reshape(len(self.kernel), -1)
        result: Floats = windows @ rows.T + self.offset
        return result.reshape(-1, *self.shape)


class Dense(Affine):
    """A dense layer, ``weight @ a + bias``.

    Parameters
    ----------
    a : Node
        Of any shape, taken in C order.
    weight : array_like of float, shape (out, in)
        As of torch.nn.Linear.
    bias : array_like of float, shape (out,), optional

    Raises
    ------
    ModelError
        If they do not fit each other.
    """

    def __init__(self, a: Node, weight: ArrayLike, bias: ArrayLike | None = None):
        a, rows = _as_node(a), _as_weights(weight, "weight", 2)
        if rows.shape[1] != a.size:
            raise ModelError(
                f"weight has {rows.shape[1]} columns, and its input "
                f"{_times(a.shape)} elements: it needs shape (out, {a.size})"
            )
        super().__init__(a, rows, bias, rows.reshape(-1, *a.volume))


class Conv1d(Affine):
    """A convolution over the width of a map of one dimension.

    Parameters
    ----------
    a : Node
        Of shape (width, channels).
    weight : array_like of float, shape (out, kernel width, channels)
    bias : array_like of float, shape (out,), optional
    stride : int
    padding : int or tuple of int
        Zeros before and after; (n, 0) makes it causal.

    Raises
    ------
    ModelError
        If they do not fit each other.
    """

    SETTINGS = ("stride", "padding")

    def __init__(
        self,
        a: Node,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        a, rows = _as_node(a), _as_weights(weight, "weight", 3)
        _check_map(a, 2, rows.shape[-1], "(width, channels)")
        self.stride = as_integer(stride, "stride", 1)
        self.padding = _as_pads(padding)
        super().__init__(
            a, rows, bias, rows[:, None], (1, self.stride), ((0, 0), self.padding)
        )


class Conv2d(Affine):
    """A convolution over the height and width of a map.

    Parameters
    ----------
    a : Node
        Of shape (height, width, channels).
    weight : array_like of float, shape (out, kernel height, kernel width, channels)
    bias : array_like of float, shape (out,), optional
    stride : int or tuple of int
        Vertical and horizontal, if they differ.
    padding : int or tuple
        Zeros around, or (vertical, horizontal), of which each is a number or
        (before, after).

    Raises
    ------
    ModelError
        If they do not fit each other.
    """

    SETTINGS = ("stride", "padding")

    def __init__(
        self,
        a: Node,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        *,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int | tuple[int, int], int | tuple[int, int]] = 0,
    ) -> None:
        a, rows = _as_node(a), _as_weights(weight, "weight", 4)
        _check_map(a, 3, rows.shape[-1], "(height, width, channels)")
        vertical, horizontal = (
            as_integer(n, "stride", 1) for n in _as_pair(stride, "stride")
        )
        self.stride = vertical, horizontal
        up, across = map(_as_pads, _as_pair(padding, "padding"))
        self.padding = up, across
        super().__init__(a, rows, bias, rows, self.stride, self.padding)


def conv_transpose2d(
    a: Node,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: int,
    padding: int = 0,
    output_padding: int = 0,
) -> Node:
    """A transposed convolution, as a convolution and a pixel shuffle.

    Parameters
    ----------
    a : Node
        Of shape (height, width, channels).
    weight : array_like of float, shape (channels, kernel height, kernel width, out)
    bias : array_like of float, shape (out,), optional
    stride, padding, output_padding : int
        As of torch.nn.ConvTranspose2d.

    Raises
    ------
    ModelError
        If they do not fit each other, or the sizes that result are no multiples of
        the stride.

    Notes
    -----
    Output s m + i of a row takes weight k = s d + i + padding of input m - d, for each
    d that leaves k within the kernel: for each i = 0 .. s - 1 a convolution over d.
    """
    a, rows = _as_node(a), _as_weights(weight, "weight", 4)
    _check_map(a, 3, len(rows), "(height, width, channels)")
    s = as_integer(stride, "stride", 1)
    p = as_integer(padding, "padding", 0)
    extra = as_integer(output_padding, "output_padding", 0)
    first = -((s - 1 + p) // s)
    pads, lasts = [], []
    for size, n in zip(a.volume[:2], rows.shape[1:3], strict=True):
        out, last = (size - 1) * s - 2 * p + n + extra, (n - 1 - p) // s
        after = out // s - size - first
        if out < 1 or out % s or last < 0 or after < 0:
            raise ModelError(
                f"a transposed convolution of {size} to {out} positions is no "
                f"convolution to {s} channels for each: set padding and "
                f"output_padding so that {size * s} result"
            )
        pads.append((last, after))
        lasts.append(last)
    out_channels = rows.shape[3]
    kernel = np.zeros(
        (out_channels, s, s, *(last - first + 1 for last in lasts), len(rows))
    )
    for i, j, y, x in np.ndindex(kernel.shape[1:5]):
        ky = s * (lasts[0] - y) + i + p
        kx = s * (lasts[1] - x) + j + p
        if 0 <= ky < rows.shape[1] and 0 <= kx < rows.shape[2]:
            kernel[:, i, j, y, x] = rows[:, ky, kx].T
    if bias is not None:
        bias = np.repeat(_as_weights(bias, "bias", 1), s * s)
    conv = Conv2d(
        a, kernel.reshape(-1, *kernel.shape[3:]), bias, padding=(pads[0], pads[1])
    )
    return conv if s == 1 else PixelShuffle(conv, s)


# ---- layers without


class Clip(Node):
    """Values clipped to an interval: a hard tanh (-1, 1), or a gate (0, 1).

    Raises
    ------
    ModelError
        If the interval is empty, or does not hold 0.
    """

    SETTINGS: ClassVar[tuple[str, ...]] = ("low", "high")

    low: float
    high: float | None

    def __init__(self, a: Node, low: float, high: float) -> None:
        super().__init__((_as_node(a),), a.shape)
        self.low, self.high = as_real(low, "low"), as_real(high, "high")
        if not -math.inf < self.low <= 0 <= self.high < math.inf or low == high:
            raise ModelError(f"an interval is finite and holds 0, not {low} to {high}")

    def evaluate(self, *values: Floats) -> Floats:
        result: Floats = np.clip(values[0], self.low, self.high)
        return result


class Relu(Clip):
    """A clipped ReLU: values from 0 to a ceiling.

    Parameters
    ----------
    a : Node
    ceiling : float, optional
        By default there is none, until `quantise` finds one.

    Raises
    ------
    ModelError
        If the ceiling is not above 0.
    """

    SETTINGS = ("ceiling",)

    def __init__(self, a: Node, ceiling: float | None = None) -> None:
        super().__init__(a, 0.0, 1.0 if ceiling is None else ceiling)
        self.ceiling = self.high = None if ceiling is None else self.high


class _Pair(Node):
    """An operation on the elements of two tensors of the same shape."""

    def __init__(self, a: Node, b: Node) -> None:
        super().__init__((_as_node(a), _as_node(b)), a.shape)
        if a.shape != b.shape:
            raise ModelError(
                f"{type(self).__name__} takes two tensors of the same shape, not "
                f"{a.shape} and {b.shape}"
            )


class Add(_Pair):
    """The sum of two tensors: residual connections."""

    def evaluate(self, *values: Floats) -> Floats:
        return values[0] + values[1]


class Subtract(_Pair):
    """The difference of two tensors."""

    def evaluate(self, *values: Floats) -> Floats:
        return values[0] - values[1]


class Multiply(_Pair):
    """The product of two tensors, element by element: gates."""

    def evaluate(self, *values: Floats) -> Floats:
        return values[0] * values[1]


class Scale(Node):
    """A tensor times a number.

    Raises
    ------
    ModelError
        If the number is 0 or not finite.
    """

    SETTINGS = ("factor",)

    def __init__(self, a: Node, factor: float) -> None:
        super().__init__((_as_node(a),), a.shape)
        self.factor = as_real(factor, "factor")
        if self.factor == 0 or not math.isfinite(self.factor):
            raise ModelError(f"factor must be finite, and not 0, not {factor}")

    def evaluate(self, *values: Floats) -> Floats:
        return values[0] * self.factor


class Concat(Node):
    """Tensors one after the other, along the channels.

    Raises
    ------
    ModelError
        If there are none, or heights or widths differ.
    """

    def __init__(self, *inputs: Node) -> None:
        if not inputs:
            raise ModelError("Concat needs at least one node")
        first = _as_node(inputs[0])
        for node in inputs:
            if _as_node(node).shape[:-1] != first.shape[:-1]:
                raise ModelError(
                    "Concat takes tensors that differ in channels alone, not "
                    f"{first.shape} and {node.shape}"
                )
        channels = sum(node.shape[-1] for node in inputs)
        super().__init__(inputs, (*first.shape[:-1], channels))

    def evaluate(self, *values: Floats) -> Floats:
        return np.concatenate(values, -1)


class Slice(Node):
    """Some of the channels, `channels` from `first` on.

    Raises
    ------
    ModelError
        If there are no such channels.
    """

    SETTINGS = ("first", "channels")

    def __init__(self, a: Node, first: int, channels: int) -> None:
        n = _as_node(a).shape[-1]
        self.first = as_integer(first, "first", 0, n - 1)
        self.channels = as_integer(channels, "channels", 1, n - self.first)
        super().__init__((a,), (*a.shape[:-1], self.channels))

    def evaluate(self, *values: Floats) -> Floats:
        return values[0][..., self.first : self.first + self.channels]


class PixelShuffle(Node):
    """Channels become space: factor x factor positions, for as many channels.

    Channel (c factor + i) factor + j of a position becomes channel c of its row i and
    column j, as in torch.nn.PixelShuffle.

    Raises
    ------
    ModelError
        If it is no map, or the channels cannot be divided so.
    """

    SETTINGS = ("factor",)

    def __init__(self, a: Node, factor: int) -> None:
        self.factor = r = as_integer(factor, "factor", 1)
        if len(_as_node(a).shape) != 3 or a.shape[2] % r**2:
            raise ModelError(
                f"PixelShuffle by {r} takes a map of (height, width, channels), "
                f"channels a multiple of {r**2}, not {a.shape}"
            )
        height, width, channels = a.shape
        super().__init__((a,), (height * r, width * r, channels // r**2))

    def evaluate(self, *values: Floats) -> Floats:
        height, width, channels = self.inputs[0].shape
        r = self.factor
        parts = values[0].reshape(-1, height, width, channels // r**2, r, r)
        return parts.transpose(0, 1, 4, 2, 5, 3).reshape(-1, *self.shape)


class Reshape(Node):
    """The same elements, in C order, in another shape.

    Raises
    ------
    ModelError
        If that has another number of elements.
    """

    SETTINGS = ("shape",)

    def __init__(self, a: Node, shape: int | Shape) -> None:
        super().__init__((_as_node(a),), _as_shape(shape))
        if self.size != a.size:
            raise ModelError(f"{a.shape} has no shape {self.shape}: {a.size} elements")

    def evaluate(self, *values: Floats) -> Floats:
        return values[0].reshape(-1, *self.shape)


def flatten(a: Node) -> Node:
    """A tensor as a vector, in C order."""
    return Reshape(a, _as_node(a).size)


def gated_cell(h: Node, gate: Node, candidate: Node) -> Node:
    """A gated recurrent state, ``h + gate * (candidate - h)``.

    Parameters
    ----------
    h : Node
        The state before.
    gate : Node
        From 0 to 1, by `Clip`.
    candidate : Node
        What the state goes to where the gate is 1.
    """
    return Add(h, Multiply(gate, Subtract(candidate, h)))


# ---- arguments


def _times(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _as_node(node: Any) -> Node:
    made: Node = as_instance(node, Node, "a layer's input", "a node, as Input(shape)")
    return made


def _as_shape(shape: Any) -> Shape:
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    if not 1 <= len(sizes) <= 3:
        raise ModelError(
            "a shape is n, (width, channels) or (height, width, channels), not "
            f"{shape!r}"
        )
    return tuple(as_integer(n, "a size", 1) for n in sizes)


def _as_weights(values: ArrayLike, name: str, rank: int) -> Floats:
    """Weights as an array of their own."""
    array = as_reals(values, name)
    if array.ndim != rank or array.size == 0:
        raise ModelError(f"{name} must have {rank} axes, not shape {array.shape}")
    if not np.isfinite(array).all():
        raise ModelError(f"{name} must be finite")
    array = array.copy()
    array.flags.writeable = False
    return array


def _as_pair(value: Any, name: str) -> tuple[Any, Any]:
    """Vertical and horizontal, given both or one for both."""
    pair = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(pair) != 2:
        raise ModelError(f"{name} is one, or (vertical, horizontal), not {value!r}")
    return pair


def _as_pads(value: Any) -> tuple[int, int]:
    before, after = _as_pair(value, "padding")
    return as_integer(before, "padding", 0), as_integer(after, "padding", 0)


def _check_map(a: Node, rank: int, channels: int, wanted: str) -> None:
    if len(a.shape) != rank or a.shape[-1] != channels:
        raise ModelError(
            f"a kernel of {channels} channels takes {wanted} with as many, not "
            f"{a.shape}"
        )
