"""Networks from modules of PyTorch, which is imported on use."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bbans._arguments import as_integer
from bbans.errors import ModelError
from bbans.networks.channels_first import (
    Value,
    as_floats,
    batch_norm,
    channels_last,
    convolution,
    linear,
    node_of,
    ordered,
    times_plus,
    transposed_convolution,
    value_of,
)
from bbans.networks.network import Network
from bbans.networks.nodes import (
    Add,
    Clip,
    Concat,
    Input,
    Multiply,
    Node,
    PixelShuffle,
    Relu,
    Reshape,
    Shape,
    Slice,
    Subtract,
    flatten,
)

__all__ = ["from_torch"]

# ---- what has no counterpart

_CURVES = "is a curve, and integers have none: "
_GATE = "for a gate use Hardsigmoid, for values from -1 to 1 Hardtanh, else ReLU"
_LOGARITHM = (
    "leave it out at the output, where units take natural logarithms and logits as "
    "they are, and use ReLU elsewhere"
)
_RECURRENT = (
    "has gates by sigmoid and tanh: write one step with Linear layers, gates by "
    "Hardsigmoid, and the state as an input and an output, as networks.gated_cell"
)
_MOMENTS = (
    "divides by deviations of the data at hand: use BatchNorm, whose running "
    "statistics are folded into the weights, or none"
)
_PRODUCTS = "weighs tensors by exponentials of others: use convolutions"
_POOL = "is no layer of integer networks: use a convolution with a stride"
_LINEAR = "is a product of tensors: use Linear, or a sum or product element by element"
_RESIZE = "is no layer of integer networks: use ConvTranspose2d or PixelShuffle"

# By the names of modules and of functions, in lower case and without underscores.
_REFUSED = {
    **dict.fromkeys(["sigmoid", "tanh", "softsign"], _CURVES + _GATE),
    **dict.fromkeys(
        ["softplus", "exp", "log", "softmax", "logsoftmax", "logsigmoid"],
        _CURVES + _LOGARITHM,
    ),
    **dict.fromkeys(
        ["gelu", "silu", "mish", "elu", "selu", "celu", "leakyrelu", "prelu",
         "hardswish"],
        "is no clipped ReLU: use ReLU, and train with it",
    ),
    **dict.fromkeys(
        ["gru", "lstm", "rnn", "grucell", "lstmcell", "rnncell"], _RECURRENT
    ),
    **dict.fromkeys(
        ["layernorm", "rmsnorm", "groupnorm", "instancenorm1d", "instancenorm2d",
         "instancenorm"],
        _MOMENTS,
    ),
    **dict.fromkeys(
        ["multiheadattention", "scaleddotproductattention", "transformerencoderlayer",
         "transformerencoder", "transformer"],
        _PRODUCTS,
    ),
    **dict.fromkeys(
        ["maxpool1d", "maxpool2d", "avgpool1d", "avgpool2d", "adaptiveavgpool2d",
         "adaptiveavgpool1d", "mean"],
        _POOL,
    ),
    **dict.fromkeys(["matmul", "mm", "bmm", "einsum"], _LINEAR),
    **dict.fromkeys(["upsample", "interpolate", "convtranspose1d"], _RESIZE),
}  # fmt: skip

# ---- layers without weights


class _Batch:
    """The length of the batch, as a part of shapes."""

    def __repr__(self) -> str:
        return "the length of the batch"


_BATCH = _Batch()


def _unchanged(x: Value, *settings: Any, **named: Any) -> Value:
    return x


def _clipped(x: Value, min_val: Any = None, max_val: Any = None) -> Value:
    if min_val is None or (max_val is None and min_val != 0):
        raise ModelError("clamp needs both ends, or min=0 alone: it is a ReLU then")
    if min_val == 0:
        return replace(x, node=Relu(x.node, max_val))
    return replace(x, node=Clip(x.node, min_val, max_val))


def _hard_sigmoid(x: Value) -> Value:
    return _clipped(times_plus(x, 1 / 6, 1 / 2), 0, 1)


def _shuffled(x: Value, upscale_factor: int) -> Value:
    return value_of(PixelShuffle(node_of(x), upscale_factor))


def _by_channel(x: Value, number: Any) -> Any:
    """A number, or an array of one for each channel, as PyTorch broadcasts it."""
    if isinstance(number, _Batch):
        raise ModelError("numbers must not depend on the length of the batch")
    array = np.asarray(number, np.float64)
    if array.size == 1:
        return array.item()
    sizes = (*x.shape[:1], *(1,) * len(x.shape[1:]))
    if array.shape not in (sizes, (1, *sizes)):
        raise ModelError(
            f"an array of shape {array.shape} is no number for each channel of a "
            f"tensor of shape {x.shape}"
        )
    return array.ravel()


def _pair(layer: Any, a: Value, b: Value) -> Value:
    """A sum or product of tensors, in the order of that which cannot change it."""
    if a.shape != b.shape:
        raise ModelError(
            f"tensors of shapes {a.shape} and {b.shape} do not fit; none is broadcast"
        )
    try:
        first, second, order = a.node, ordered(b, a.order), a.order
    except ModelError:
        first, second, order = ordered(a, b.order), b.node, b.order
    if first.shape != second.shape:
        second = Reshape(second, first.shape)
    return Value(layer(first, second), a.shape, order)


def _plus(a: Any, b: Any, alpha: Any = 1) -> Any:
    if alpha != 1:
        b = _times(b, alpha)
    if isinstance(a, Value) and isinstance(b, Value):
        return _pair(Add, a, b)
    x, number = (a, b) if isinstance(a, Value) else (b, a)
    if not isinstance(x, Value):
        return a + b
    return times_plus(x, 1.0, _by_channel(x, number))


def _minus(a: Any, b: Any, alpha: Any = 1) -> Any:
    if alpha != 1:
        b = _times(b, alpha)
    if isinstance(a, Value) and isinstance(b, Value):
        return _pair(Subtract, a, b)
    if isinstance(b, Value):
        return times_plus(b, -1.0, _by_channel(b, a))
    return _plus(a, -b)


def _times(a: Any, b: Any) -> Any:
    if isinstance(a, Value) and isinstance(b, Value):
        return _pair(Multiply, a, b)
    x, number = (a, b) if isinstance(a, Value) else (b, a)
    if not isinstance(x, Value):
        return a * b
    return times_plus(x, _by_channel(x, number))


def _over(a: Any, b: Any) -> Any:
    if isinstance(b, Value):
        raise ModelError("a quotient of tensors has no counterpart in integers")
    return _times(a, 1 / b) if isinstance(a, Value) else a / b


def _axis(x: Value, dim: int) -> int:
    """An axis of the tensor, that of the batch left out."""
    axis = range(1 + len(x.shape))[dim] - 1
    if axis < 0:
        raise ModelError("the axis of the batch stays as it is")
    return axis


def _check_channels(x: Value, dim: int, what: str) -> None:
    if _axis(x, dim) != 0:
        raise ModelError(f"{what} takes the channels, dim 1, not dim {dim}")


def _concatenated(tensors: Sequence[Value], dim: int = 0) -> Value:
    for x in tensors:
        _check_channels(x, dim, "cat")
    if len(tensors[0].shape) > 1:
        return value_of(Concat(*map(node_of, tensors)))
    firsts = np.cumsum([0, *(len(x.order) for x in tensors)])
    return Value(
        Concat(*(flatten(x.node) if x.node.shape[1:] else x.node for x in tensors)),
        (int(firsts[-1]),),
        np.concatenate(
            [x.order + n for x, n in zip(tensors, firsts[:-1], strict=True)]
        ),
    )


def _channels(x: Value, first: int, channels: int) -> Value:
    whole = channels == x.shape[0]
    return x if whole else value_of(Slice(node_of(x), first, channels))


def _split(x: Value, split_size_or_sections: Any, dim: int = 0) -> list[Value]:
    _check_channels(x, dim, "split")
    sizes = split_size_or_sections
    if not isinstance(sizes, (tuple, list)):
        starts = range(0, x.shape[0], sizes)
        sizes = [min(sizes, x.shape[0] - start) for start in starts]
    firsts = np.cumsum([0, *sizes]).tolist()
    return [_channels(x, n, size) for n, size in zip(firsts, sizes, strict=False)]


def _chunks(x: Value, chunks: int, dim: int = 0) -> list[Value]:
    _check_channels(x, dim, "chunk")
    return _split(x, -(-x.shape[0] // chunks), dim)


def _item(x: Any, index: Any) -> Any:
    if not isinstance(x, Value):
        return x[index]
    parts = index if isinstance(index, tuple) else (index,)
    if (
        len(parts) > 1
        and all(isinstance(part, slice) for part in parts)
        and all(part == slice(None) for part in (parts[0], *parts[2:]))
        and parts[1].step in (None, 1)
    ):
        first, stop, _ = parts[1].indices(x.shape[0])
        return _channels(x, first, stop - first)
    raise ModelError("of a tensor only channels can be taken, as x[:, 3:7]")


def _size(x: Value, dim: int | None = None) -> Any:
    sizes = (_BATCH, *x.shape)
    return sizes if dim is None else sizes[dim]


def _shape_of(x: Any, name: str) -> Any:
    if not isinstance(x, Value):
        return getattr(x, name)
    if name != "shape":
        raise ModelError(f"the attribute {name} of a tensor is not supported")
    return _size(x)


def _viewed(x: Value, *shape: Any) -> Value:
    sizes = list(shape[0] if isinstance(shape[0], (tuple, list)) else shape)
    if sizes[0] is not _BATCH and sizes[0] != -1:
        raise ModelError(
            f"the first size must be x.shape[0] or -1, for any batch, not {sizes[0]!r}"
        )
    sizes = [as_integer(n, "a size", -1) for n in sizes[1:]]
    known = math.prod(n for n in sizes if n >= 0)
    if sizes.count(-1) == 1 and known and len(x.order) % known == 0:
        sizes[sizes.index(-1)] = len(x.order) // known
    if math.prod(sizes) != len(x.order) or -1 in sizes:
        raise ModelError(f"a tensor of shape {x.shape} has no shape {(*sizes,)}")
    return replace(x, shape=(*sizes,))


def _flattened(x: Value, start_dim: int = 0, end_dim: int = -1) -> Value:
    first, last = _axis(x, start_dim), _axis(x, end_dim)
    inner = math.prod(x.shape[first : last + 1])
    return replace(x, shape=(*x.shape[:first], inner, *x.shape[last + 1 :]))


def _unflattened(x: Value, dim: int, sizes: Sequence[int]) -> Value:
    axis = _axis(x, dim)
    return _viewed(x, -1, *x.shape[:axis], *sizes, *x.shape[axis + 1 :])


def _axes_moved(x: Value, *dims: Any) -> Value:
    axes = list(dims[0] if isinstance(dims[0], (tuple, list)) else dims)
    if axes[0] != 0:
        raise ModelError("the axis of the batch stays as it is")
    moved = [_axis(x, dim) for dim in axes[1:]]
    numbers = np.arange(len(x.order)).reshape(x.shape).transpose(moved)
    shape = tuple(x.shape[axis] for axis in moved)
    return Value(x.node, shape, np.argsort(numbers, axis=None)[x.order])


def _axes_swapped(x: Value, dim0: int, dim1: int) -> Value:
    axes = list(range(1 + len(x.shape)))
    axes[dim0], axes[dim1] = axes[dim1], axes[dim0]
    return _axes_moved(x, axes)


def _axis_added(x: Value, dim: int) -> Value:
    axis = range(2 + len(x.shape))[dim] - 1
    if axis < 0:
        raise ModelError("the axis of the batch stays as it is")
    return replace(x, shape=(*x.shape[:axis], 1, *x.shape[axis:]))


# By the names of functions of torch and operator, and of methods of tensors.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": _plus,
    "batch_norm": batch_norm,
    "cat": _concatenated,
    "chunk": _chunks,
    "clamp": lambda x, min=None, max=None: _clipped(x, min, max),
    "clone": _unchanged,
    "concat": _concatenated,
    "contiguous": _unchanged,
    "conv1d": convolution,
    "conv2d": convolution,
    "conv_transpose2d": transposed_convolution,
    "detach": _unchanged,
    "div": _over,
    "dropout": _unchanged,
    "dropout2d": _unchanged,
    "flatten": _flattened,
    "float": _unchanged,
    "getattr": _shape_of,
    "getitem": _item,
    "hardsigmoid": lambda x, inplace=False: _hard_sigmoid(x),
    "hardtanh": lambda x, min_val=-1, max_val=1, inplace=False: _clipped(
        x, min_val, max_val
    ),
    "iadd": _plus,
    "imul": _times,
    "isub": _minus,
    "linear": linear,
    "mul": _times,
    "neg": lambda x: _times(x, -1),
    "permute": _axes_moved,
    "pixel_shuffle": _shuffled,
    "relu": lambda x, inplace=False: _clipped(x, 0),
    "relu6": lambda x, inplace=False: _clipped(x, 0, 6),
    "reshape": _viewed,
    "size": _size,
    "split": _split,
    "sub": _minus,
    "transpose": _axes_swapped,
    "truediv": _over,
    "unflatten": _unflattened,
    "unsqueeze": _axis_added,
    "view": _viewed,
}


def _zeros_around(layer: Any) -> Any:
    if layer.padding_mode != "zeros":
        raise ModelError(f"padding_mode must be zeros, not {layer.padding_mode}")
    return layer.padding


def _convolution_of(m: Any, x: Value) -> Value:
    pads = _zeros_around(m)
    return convolution(x, m.weight, m.bias, m.stride, pads, m.dilation, m.groups)


def _transposed_of(m: Any, x: Value) -> Value:
    return transposed_convolution(
        x, m.weight, m.bias, m.stride, _zeros_around(m), m.output_padding, m.groups,
        m.dilation,
    )  # fmt: skip


def _norm_of(m: Any, x: Value) -> Value:
    return batch_norm(x, m.running_mean, m.running_var, m.weight, m.bias, eps=m.eps)


_MODULES: dict[str, Callable[..., Any]] = {
    "BatchNorm1d": _norm_of,
    "BatchNorm2d": _norm_of,
    "Conv1d": _convolution_of,
    "Conv2d": _convolution_of,
    "ConvTranspose2d": _transposed_of,
    "Dropout": lambda m, x: x,
    "Dropout1d": lambda m, x: x,
    "Dropout2d": lambda m, x: x,
    "Flatten": lambda m, x: _flattened(x, m.start_dim, m.end_dim),
    "Hardsigmoid": lambda m, x: _hard_sigmoid(x),
    "Hardtanh": lambda m, x: _clipped(x, m.min_val, m.max_val),
    "Identity": lambda m, x: x,
    "Linear": lambda m, x: linear(x, m.weight, m.bias),
    "PixelShuffle": lambda m, x: _shuffled(x, m.upscale_factor),
    "ReLU": lambda m, x: _clipped(x, 0),
    "ReLU6": lambda m, x: _clipped(x, 0, 6),
    "Unflatten": lambda m, x: _unflattened(x, m.dim, m.unflattened_size),
}


# ---- modules


def from_torch(module: Any, *inputs: int | Shape) -> Network:
    """Make a network of a PyTorch module.

    Parameters
    ----------
    module : torch.nn.Module
        Of Linear, Conv1d, Conv2d, ConvTranspose2d, PixelShuffle, BatchNorm, ReLU,
        ReLU6, Hardtanh, Hardsigmoid, Flatten and Unflatten, and what is nothing in
        evaluation (Dropout, Identity); in `forward` of their functions, sums, products,
        cat, chunk, split, slices of channels, reshape, view, permute, and numbers that
        are added or multiplied. It is traced by torch.fx, so `forward` must not
        depend on values.
    *inputs : int or tuple of int
        The shapes of its inputs, without the batch, as in PyTorch: n, (channels, width)
        or (channels, height, width).

    Returns
    -------
    Network
        Its maps have channels last.

    Raises
    ------
    ModelError
        If a layer has no counterpart in integers: the text names it, says why, and what
        to use instead. If the network does not give what the module gives for values
        at random.
    ModuleNotFoundError
        If there is no PyTorch: ``pip install 'bbans[torch]'``.

    See Also
    --------
    from_state_dict : Where there is no PyTorch.

    Notes
    -----
    BatchNorm is folded into the weights before it. Weights after a flattened map, and
    before a view to a map, change their order with it.
    """
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "from_torch needs PyTorch: pip install 'bbans[torch]', or pass "
            "module.state_dict() as arrays to from_state_dict"
        ) from error
    if not isinstance(module, torch.nn.Module):
        raise ModelError(f"module must be a torch.nn.Module, not {module!r}")
    module = copy.deepcopy(module).cpu().float().eval()
    if _kind(module) in _MODULES or _reason(_kind(module)):
        module = torch.nn.Sequential(module)  # a single layer has no steps to trace
    try:
        graph = torch.fx.symbolic_trace(module).graph
    except Exception as error:  # of tracing, or of the user's code
        raise ModelError(
            f"torch.fx cannot trace {type(module).__name__}.forward: {error}"
        ) from error
    nodes = [Input(channels_last(shape)) for shape in inputs]
    outputs = _Graph(module, graph).run([value_of(node) for node in nodes])
    network = Network(nodes, outputs)
    _compare(torch, module, network)
    return network


def _compare(torch: Any, module: Any, network: Network) -> None:
    """Run both on values at random."""
    generator = torch.Generator().manual_seed(0)
    given = [
        torch.randn((2, *shape[-1:], *shape[:-1]), generator=generator)
        for shape in network.inputs
    ]
    with torch.no_grad():
        wanted = _flat(module(*given))
    found = network(*(np.moveaxis(as_floats(x), 1, -1) for x in given))
    made = found if isinstance(found, tuple) else (found,)
    for i, (ours, theirs) in enumerate(zip(made, wanted, strict=True)):
        expected = np.moveaxis(as_floats(theirs), 1, -1)
        error = np.abs(ours - expected).max(initial=0.0)
        if not error <= 1e-3 * max(1e-3, np.abs(expected).max(initial=0.0)):
            raise ModelError(
                f"output {i} differs by {error:g} from that of the module: does "
                "forward depend on values, or on the size of the batch?"
            )


def _flat(values: Any) -> list[Any]:
    """Tensors in tuples, lists and dicts of such."""
    if isinstance(values, Mapping):
        values = values.values()
    elif not isinstance(values, (tuple, list)):
        return [values]
    return [x for value in values for x in _flat(value)]


class _Graph:
    """The steps of a graph of torch.fx, on nodes."""

    def __init__(self, module: Any, graph: Any) -> None:
        self._module, self._graph = module, graph

    def run(self, inputs: Sequence[Value]) -> list[Node]:
        """Return the outputs, with channels last."""
        given = list(inputs)
        found: dict[Any, Any] = {}
        outputs: list[Any] = []
        wanted = sum(step.op == "placeholder" for step in self._graph.nodes)
        if wanted != len(given):
            raise ModelError(
                f"forward takes {wanted} inputs: give the shape of each, not "
                f"{len(given)} shapes"
            )
        for step in self._graph.nodes:
            if step.op == "placeholder":
                found[step] = given.pop(0)
                continue
            arguments, settings = _with(found, (step.args, step.kwargs))
            if step.op == "output":
                outputs = _flat(arguments[0])
                break
            where, call = self._call(step)
            try:
                found[step] = call(*arguments, **settings)
            except (ModelError, TypeError, ValueError, AttributeError) as error:
                raise ModelError(f"{where}: {error}") from error
        made = []
        for i, value in enumerate(outputs):
            if not isinstance(value, Value):
                raise ModelError(f"output {i} of forward is no tensor, but {value!r}")
            try:
                made.append(node_of(value))
            except ModelError as error:
                raise ModelError(f"output {i} of forward: {error}") from error
        return made

    def _call(self, step: Any) -> tuple[str, Callable[..., Any]]:
        """What a step is, and the function that does it on nodes."""
        if step.op == "get_attr":
            return step.target, lambda: as_floats(_attribute(self._module, step.target))
        if step.op == "call_module":
            layer = self._module.get_submodule(step.target)
            kind = _kind(layer)
            where = f"{step.target} ({kind})"
            made = _MODULES.get(kind)
            if made is not None:
                return where, lambda *given: made(layer, *given)
        else:
            method = step.op == "call_method"
            kind = step.target if method else step.target.__name__
            where = f"{step.name} ({kind})"
            function = _FUNCTIONS.get(kind.rstrip("_"))
            if function is not None:
                return where, function
            numbers = not method and step.target.__module__ in ("_operator", "math")
            if numbers and _reason(kind) is None:
                return where, step.target
        raise ModelError(f"{where} {_reason(kind) or 'is not supported'}")


def _kind(module: Any) -> str:
    """The name of a module's type, if its weight is computed too, as by weight_norm."""
    return type(module).__name__.removeprefix("Parametrized")


def _reason(kind: str) -> str | None:
    """Why there is no such layer."""
    return _REFUSED.get(kind.lower().replace("_", ""))


def _with(found: Mapping[Any, Any], argument: Any) -> Any:
    """Arguments of a step, with what earlier steps found in place of these."""
    if isinstance(argument, (tuple, list)):
        return type(argument)(_with(found, part) for part in argument)
    if isinstance(argument, Mapping):
        return {name: _with(found, part) for name, part in argument.items()}
    if isinstance(argument, slice):
        parts = argument.start, argument.stop, argument.step
        return slice(*_with(found, parts))
    try:
        return found.get(argument, argument)
    except TypeError:  # cannot be a key
        return argument


def _attribute(module: Any, path: str) -> Any:
    for name in path.split("."):
        module = getattr(module, name)
    return module
