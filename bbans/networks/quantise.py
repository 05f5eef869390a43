"""From float networks to integers: docs/maths.md, "Networks in integers"."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_instance, as_integer
from bbans.errors import ModelError
from bbans.frozen.network import FrozenNetwork, NetworkNode
from bbans.networks import nodes as layers
from bbans.networks.graph import Graph
from bbans.networks.nodes import Affine, Floats, Node
from bbans.networks.units import Units

__all__ = ["LayerReport", "QuantisedNetwork", "quantised"]

_SHORT = 32767
_WIDE = 2**31 - 1
_MULTIPLIER_BITS = 24
_SHIFT_MAX = 62
# Numbers that the calibration keeps, over all layers and items.
_KEPT = 1 << 26
# The longest row of weights whose inputs' covariance is computed.
_COVARIANCE = 2048
# Of values that are not clipped by the network: how far beyond what the calibration
# saw they may go.
_MARGIN = 2.0


class LayerReport(NamedTuple):
    """What rounding did to a layer.

    Attributes
    ----------
    layer : str
    low, high : int
        The range of its integers.
    step : float
        What one of them stands for; the least, where channels differ.
    error : float
        Root mean square of what rounding changed, over that of the values, within the
        range.
    clipped : float
        The part of the values beyond the range.
    """

    layer: str
    low: int
    high: int
    step: float
    error: float
    clipped: float

    def __str__(self) -> str:
        return (
            f"error {100 * self.error:7.3f} %  clipped {100 * self.clipped:7.3f} %  "
            f"step {self.step:<9.3g} {self.low:>11} .. {self.high:<10} {self.layer}"
        )


class QuantisedNetwork:
    """A network whose numbers are rounded, with what that did.

    Attributes
    ----------
    report : tuple of LayerReport
        Layer by layer, on the calibration data; ``print(quantised)`` shows them.
    """

    def __init__(
        self, nodes: Sequence[NetworkNode], outputs: Sequence[int],
        report: Sequence[LayerReport],
    ) -> None:  # fmt: skip
        self._nodes, self._outputs = list(nodes), list(outputs)
        self.report = tuple(report)

    def freeze(self) -> FrozenNetwork:
        """Return the network that codes, with the proof that no sum overflows.

        Raises
        ------
        ModelError
            If one could; the text names the node and the row of its weights.
        """
        return FrozenNetwork(self._nodes, self._outputs)

    def __repr__(self) -> str:
        return f"QuantisedNetwork of {len(self._nodes)} nodes"

    def __str__(self) -> str:
        return "\n".join(map(str, self.report))


def quantised(
    graph: Graph,
    calibration: ArrayLike | Sequence[ArrayLike],
    *,
    inputs: Sequence[Units],
    outputs: Sequence[Units],
    weights: int,
    activations: int,
) -> QuantisedNetwork:
    """Round a network: see `Network.quantise`."""
    if weights not in (8, 16):
        raise ModelError(f"weights have 8 or 16 bits, not {weights!r}")
    activations = as_integer(activations, "activations", 2, 15)
    lowering = _Lowering(graph, calibration, inputs, outputs, weights, activations)
    ends = [
        lowering.output(node, units)
        for node, units in zip(graph.ends, outputs, strict=True)
    ]
    return QuantisedNetwork(lowering.made, ends, lowering.report)


class _Form(NamedTuple):
    """How the real numbers of a tensor become integers, by channel."""

    factor: Floats
    offset: Floats
    low: int
    high: int

    @property
    def uniform(self) -> bool:
        """Is it one factor, without an offset?"""
        return bool((self.factor == self.factor[0]).all() and not self.offset.any())

    def channels(self, chosen: Any) -> _Form:
        """The form of some of the channels, by their numbers."""
        return self._replace(factor=self.factor[chosen], offset=self.offset[chosen])

    def reals(self, integers: NDArray[np.int32] | int) -> Floats:
        """What integers stand for."""
        result: Floats = (integers - self.offset) / self.factor
        return result


def _form_of(units: Units, node: Node) -> _Form:
    factor, offset, low, high = units.over(node.volume[2])
    return _Form(np.array(factor), np.array(offset), low, high)


def _forms(units: Sequence[Units], nodes: Sequence[Node], name: str) -> list[_Form]:
    """The forms of inputs or outputs."""
    if len(units) != len(nodes):
        raise ModelError(
            f"{name} has {len(units)} units, and the network {len(nodes)} {name}"
        )
    for unit in units:
        as_instance(unit, Units, f"what {name} holds", "units, as grid()")
    return [_form_of(unit, node) for unit, node in zip(units, nodes, strict=True)]


class _Tensor(NamedTuple):
    """A tensor of the integer network, of one factor."""

    node: int
    factor: float
    low: int
    high: int

    @property
    def largest(self) -> int:
        return max(abs(self.low), abs(self.high))


class _Lowering:
    """Makes the nodes of the integer network, and runs them on the calibration."""

    def __init__(
        self, graph: Graph, calibration: Any, inputs: Sequence[Units],
        outputs: Sequence[Units], weights: int, activations: int,
    ) -> None:  # fmt: skip
        self.made: list[NetworkNode] = []
        self.report: list[LayerReport] = []
        self._values: list[NDArray[np.int32]] = []
        self._weights, self._activations = weights, activations
        self._tensors: dict[Node, _Tensor] = {}
        self._uses = Counter(a for node in graph.nodes for a in node.inputs)
        self._uses.update(graph.ends)
        starts = graph.nodes[: len(graph.inputs)]
        forms = _forms(inputs, starts, "inputs")
        _forms(outputs, graph.ends, "outputs")  # checks them
        arrays = _calibration(graph, calibration)
        # The first once more, so that there are several.
        found = Graph(starts, [*graph.nodes, graph.nodes[0]])(*arrays)
        self._floats: dict[Node, Floats] = dict(
            zip(graph.nodes, found[:-1], strict=True)
        )
        for node, form, array in zip(starts, forms, arrays, strict=True):
            if not form.uniform:
                raise ModelError("an input has one unit for all channels, as grid()")
            factor, low, high = float(form.factor[0]), form.low, form.high
            index = self._add(
                NetworkNode("input", (), node.volume, low, high),
                np.clip(np.rint(array * factor), low, high),
            )
            self._tensors[node] = _Tensor(index, factor, low, high)

    def output(self, node: Node, units: Units) -> int:
        """Lower an output to its units."""
        form = _form_of(units, node)
        index = self._bring(node, form)
        self._note(node, index, form, " -> output")
        return index

    # ---- nodes

    def _add(self, node: NetworkNode, value: Any = None) -> int:
        """Append a node, and its tensor on the calibration data."""
        if value is None:
            starts = [
                NetworkNode("input", (), a.shape, a.low, a.high)
                for a in (self.made[k] for k in node.inputs)
            ]
            alone = node._replace(inputs=tuple(range(len(starts))))
            frozen = FrozenNetwork([*starts, alone], [len(starts)])
            taken = zip(node.inputs, frozen.inputs, strict=True)
            value = frozen(*(self._values[k].reshape(-1, *shape) for k, shape in taken))
        self.made.append(node)
        self._values.append(np.asarray(value, np.int32).reshape(-1, *node.shape))
        return len(self.made) - 1

    def _note(self, node: Node, index: int, form: _Form, note: str = "") -> None:
        """Report what rounding did to a layer."""
        made = self.made[index]
        integers, floats = self._values[index], self._floats[node]
        reals = form.reals(integers)
        exact = floats.reshape(reals.shape)
        inside = np.clip(exact, form.reals(made.low), form.reals(made.high))
        size = math.sqrt(np.mean(inside**2)) or 1.0
        self.report.append(
            LayerReport(
                f"{node!r}{note}",
                made.low,
                made.high,
                float(1 / form.factor.max()),
                math.sqrt(np.mean((reals - inside) ** 2)) / size,
                float(np.mean(inside != exact)),
            )
        )

    def _tensor(self, node: Node) -> _Tensor:
        """The tensor of a layer in a form of its own, for what takes it."""
        if node not in self._tensors:
            form = self._own_form(node)
            index = self._lower(node, form)
            made = self.made[index]
            self._tensors[node] = _Tensor(
                index, float(form.factor[0]), made.low, made.high
            )
            self._note(node, index, form)
        return self._tensors[node]

    def _short(self, node: Node) -> _Tensor:
        """A tensor that is multiplied.

        Raises
        ------
        ModelError
            If it is an input beyond 16 bits: all others are within.
        """
        a = self._tensor(node)
        if a.low < -_SHORT - 1 or a.high > _SHORT:
            raise ModelError(
                f"{node} has integers from {a.low} to {a.high}, and layers multiply 16 "
                "bits: give it a grid() of a smaller range, or of a greater step"
            )
        return a

    def _own_form(self, node: Node) -> _Form:
        """A form of one factor, in 16 bits."""
        values = self._floats[node]
        match node:
            case layers.Clip():
                bits = self._activations if node.low == 0 else 15
                step = _step_of(values, node, (1 << bits) - 1)
                low = round(node.low / step)
                high = (1 << bits) - 1 if low == 0 else _SHORT
                high = high if node.high is None else min(high, round(node.high / step))
            case layers.PixelShuffle() | layers.Reshape():
                (a,) = node.inputs
                if a in self._tensors:
                    _, factor, low, high = self._tensors[a]
                else:
                    inner = self._own_form(a)
                    factor, low, high = inner.factor[0], inner.low, inner.high
                step = 1 / factor
            case _:
                step = (_MARGIN * float(abs(values).max(initial=0)) or 1.0) / _SHORT
                low, high = -_SHORT, _SHORT
        n = node.volume[2]
        return _Form(np.full(n, 1 / step), np.zeros(n), low, high)

    def _bring(self, node: Node, form: _Form) -> int:
        """A layer in some form: made so, if nothing else takes it."""
        if self._uses[node] == 1 and not isinstance(node, layers.Input):
            return self._lower(node, form)
        return self._convert(self._tensor(node), form)

    def _convert(self, a: _Tensor, form: _Form) -> int:
        """A tensor in another form."""
        shape = self.made[a.node].shape
        if form.uniform:
            ratio = float(form.factor[0]) / a.factor
            if ratio == 1 and form.low <= a.low and a.high <= form.high:
                return a.node
            (factor,), shift = _dyadic([ratio])
            return self._add(
                NetworkNode(
                    "scale", (a.node,), shape, form.low, form.high,
                    factor=(factor,), shift=shift,
                )
            )  # fmt: skip
        # Weights of 64 make the bias 64 times as fine as the tensor.
        eye = 64 * np.eye(shape[2], dtype=np.int8)[:, None, None]
        return self._add_affine(
            a, eye, np.full(shape[2], 1 / (64 * a.factor)), form.offset / form.factor,
            form, shape,
        )  # fmt: skip

    def _lower(self, node: Node, form: _Form) -> int:
        """Make a layer in some form."""
        match node:
            case Affine():
                return self._affine(node, form)
            case layers.Concat():
                ends = np.cumsum([a.volume[2] for a in node.inputs])
                index = None
                for a, end in zip(node.inputs, ends, strict=True):
                    part = slice(end - a.volume[2], end)
                    one = self._bring(a, form.channels(part))
                    index = one if index is None else self._concat(index, one)
                assert index is not None
                return index
            case layers.PixelShuffle(factor=r):
                channels = np.arange(node.inputs[0].volume[2]) // r**2
                index = self._bring(node.inputs[0], form.channels(channels))
                return self._moved("shuffle", index, node, first=r)
            case layers.Reshape() if form.uniform or len(node.inputs[0].shape) == 1:
                n = node.inputs[0].volume[2]
                channels = np.arange(n) % node.volume[2]
                index = self._bring(node.inputs[0], form.channels(channels))
                return self._moved("reshape", index, node)
            case layers.Slice(first=first):
                whole = self._tensor(node.inputs[0])
                index = self._moved("slice", whole.node, node, first=first)
                return self._convert(whole._replace(node=index), form)
        if not form.uniform:
            return self._convert(self._tensor(node), form)
        factor = float(form.factor[0])
        match node:
            case layers.Clip():
                low = max(form.low, round(node.low * factor))
                high = form.high
                if node.high is not None:
                    high = min(high, round(node.high * factor))
                clipped = form._replace(low=low, high=max(low, high))
                return self._bring(node.inputs[0], clipped)
            case layers.Scale() if node.factor > 0:
                scaled = form._replace(factor=form.factor * node.factor)
                return self._bring(node.inputs[0], scaled)
        if isinstance(node, layers.Multiply):
            tensors = [self._short(a) for a in node.inputs]
        else:
            tensors = [self._tensor(a) for a in node.inputs]
        match node:
            case layers.Scale():
                op, ratios = "scale", [factor * node.factor / tensors[0].factor]
            case layers.Multiply():
                op = "product"
                ratios = [factor / (tensors[0].factor * tensors[1].factor)]
            case _:
                op, ratios = "sum", [factor / a.factor for a in tensors]
                if isinstance(node, layers.Subtract):
                    ratios[1] = -ratios[1]
        factors, shift = _dyadic(ratios)
        return self._add(
            NetworkNode(
                op, tuple(a.node for a in tensors), node.volume, form.low, form.high,
                factor=factors, shift=shift,
            )
        )  # fmt: skip

    def _moved(self, op: str, index: int, node: Node, first: int = 0) -> int:
        """An operation that moves elements, and keeps their range."""
        a = self.made[index]
        return self._add(
            NetworkNode(op, (index,), node.volume, a.low, a.high, first=first)
        )

    def _concat(self, first: int, second: int) -> int:
        a, b = self.made[first], self.made[second]
        shape = (*a.shape[:2], a.shape[2] + b.shape[2])
        return self._add(
            NetworkNode(
                "concat", (first, second), shape, min(a.low, b.low), max(a.high, b.high)
            )
        )

    # ---- products with weights

    def _affine(self, node: Affine, form: _Form) -> int:
        """A dense layer or convolution, of each part of what it takes.

        Parts of different steps are multiplied apart, to a common step that is finer
        than that of the sum.
        """
        (a,) = node.inputs
        parts = [
            self._short(part)
            for part in (a.inputs if isinstance(a, layers.Concat) else (a,))
        ]
        sizes = [self.made[part.node].shape[2] for part in parts]
        kernels = np.split(node.kernel, np.cumsum(sizes)[:-1], axis=3)
        offset = form.offset / form.factor
        rounded, means = [], np.zeros(len(offset))
        for kernel, part in zip(kernels, parts, strict=True):
            mean, covariance = self._moments(node, part)
            weight, scale = self._rounded(
                kernel, part, node.offset + offset, covariance
            )
            rounded.append((weight, scale))
            means += weight.reshape(len(weight), -1) @ mean * scale
        # The bias makes up for what rounding changed in the mean.
        exact = self._floats[node].reshape(-1, len(node.kernel)).mean(0)
        bias = exact - means + offset
        if len(parts) == 1:
            return self._add_affine(
                parts[0], *rounded[0], bias, form, node.volume, node
            )
        # As fine as it may be with room for the greatest sum of a part.
        largest = max(
            float((abs(weight).sum((1, 2, 3)) * scale * form.factor).max())
            * part.largest
            for (weight, scale), part in zip(rounded, parts, strict=True)
        )
        bits = max(1, min(16, 30 - math.ceil(math.log2(max(1.0, largest)))))
        fine = form._replace(factor=form.factor * 2.0**bits, low=-_WIDE, high=_WIDE)
        zeros = np.zeros(len(bias))
        total = None
        for k, ((weight, scale), part) in enumerate(zip(rounded, parts, strict=True)):
            index = self._add_affine(
                part, weight, scale, zeros if k else bias, fine, node.volume, node
            )
            if total is not None:
                last = k == len(parts) - 1
                index = self._add(
                    NetworkNode(
                        "sum", (total, index), node.volume,
                        *((form.low, form.high) if last else (-_WIDE, _WIDE)),
                        factor=(1, 1) if last else (2, 2), shift=bits if last else 1,
                    )
                )  # fmt: skip
            total = index
        assert total is not None
        return total

    def _add_affine(
        self, a: _Tensor, weight: NDArray[Any], scale: Floats, bias: Floats,
        form: _Form, shape: tuple[int, int, int], node: Affine | None = None,
    ) -> int:  # fmt: skip
        """A product with weights times `scale`, and a bias of real numbers."""
        pairs = [_dyadic([m]) for m in (scale * form.factor).tolist()]
        return self._add(
            NetworkNode(
                "affine", (a.node,), shape, form.low, form.high,
                stride=node.strides if node else (1, 1),
                pad=(node.pads[0][0], node.pads[1][0]) if node else (0, 0),
                weight=weight,
                bias=np.clip(np.rint(bias / scale), -_WIDE, _WIDE).astype(np.int32),
                multiplier=np.array([m for (m,), _ in pairs], np.int32),
                row_shift=np.array([shift for _, shift in pairs], np.uint8),
            )
        )  # fmt: skip

    def _rounded(
        self, kernel: Floats, a: _Tensor, bias: Floats, covariance: Floats | None
    ) -> tuple[NDArray[Any], Floats]:
        """Weights as integers, and what one stands for in each row, times a step of
        the input: sums of a row, and the bias, are some 2^30 at most."""
        top, dtype = (127, np.int8) if self._weights == 8 else (32767, np.int16)
        rows = kernel.reshape(len(kernel), -1)
        largest = abs(rows).max(1)
        sums = abs(rows).sum(1) * a.largest + abs(bias) * a.factor
        unit = np.maximum(largest / top, sums / 2**30)
        unit[unit == 0] = 1.0
        integers = _rounded_rows(rows / unit[:, None], covariance, top)
        return integers.reshape(kernel.shape).astype(dtype), unit / a.factor

    def _moments(self, node: Affine, a: _Tensor) -> tuple[Floats, Floats | None]:
        """The mean of the windows of an input's integers, and their covariance if it is
        of a size to compute with."""
        value = self._values[a.node]
        n = node.kernel[0, :, :, 0].size * value.shape[3]
        small = n <= _COVARIANCE
        mean, products, count = np.zeros(n), np.zeros((n, n) if small else 0), 0
        items = max(1, (1 << 22) // (n * node.volume[0] * node.volume[1]))
        for first in range(0, len(value), items):
            part = value[first : first + items]
            windows = node.windows(part.astype(np.float64)).reshape(-1, n)
            mean += windows.sum(0)
            count += len(windows)
            if small:
                products += windows.T @ windows
        mean /= count
        return mean, products / count - np.outer(mean, mean) if small else None


# ---- pieces


def _rounded_rows(rows: Floats, covariance: Floats | None, top: int) -> Floats:
    """Rows of weights as integers of at most `top`.

    Column by column, those of inputs that vary most first: what rounding one changes in
    the sums, the columns that are left make up for as well as they can, by least
    squares. With the factor U of the inverse covariance, U^T U, that is a multiple of a
    row of U (Frantar et al. 2022, "GPTQ").
    """
    if covariance is None:
        return np.clip(np.rint(rows), -top, top)
    variance = np.diagonal(covariance)
    order = np.argsort(-variance, kind="stable")
    ridge = 0.1 * variance.mean() or 1.0
    inverse = np.linalg.inv(
        covariance[np.ix_(order, order)] + ridge * np.eye(len(order))
    )
    factor = np.linalg.cholesky(inverse).T
    left, rounded = rows[:, order], np.empty_like(rows)
    for k, column in enumerate(order):
        rounded[:, column] = np.clip(np.rint(left[:, k]), -top, top)
        change = (left[:, k] - rounded[:, column]) / factor[k, k]
        left[:, k + 1 :] -= np.outer(change, factor[k, k + 1 :])
    return rounded


def _calibration(graph: Graph, calibration: Any) -> list[Floats]:
    """The calibration data, one array for each input, as many items as can be kept."""
    single = not isinstance(calibration, (list, tuple)) and len(graph.inputs) == 1
    batch, arrays = graph.batched([calibration] if single else calibration)
    if not arrays or not math.prod(batch):
        raise ModelError("quantise needs calibration data: some items of each input")
    if not all(np.isfinite(array).all() for array in arrays):
        raise ModelError("the calibration data must be finite")
    kept = max(1, _KEPT // sum(2 * node.size for node in graph.nodes))
    stride = -(-len(arrays[0]) // kept)
    return [array[::stride] for array in arrays]


def _step_of(values: Floats, node: layers.Clip, levels: int) -> float:
    """The step of a clipped layer, by the greatest ceiling whose rounding and clipping
    change the values by little more than is best, or by next to nothing."""
    if node.low < 0:
        assert node.high is not None
        return max(-node.low, node.high) / _SHORT
    top = 2 * float(values.max(initial=0)) or 1.0
    if node.high is not None:
        top = min(top, node.high)
    some = values.ravel()[:: 1 + values.size // (1 << 18)]
    steps = [top * 0.97**k / levels for k in range(60)]
    changes = [
        float(np.mean((np.clip(np.rint(some / step), 0, levels) * step - some) ** 2))
        for step in steps
    ]
    allowed = max(1.1 * min(changes), float(np.mean(some**2)) / 2**24)
    return next(
        step for step, change in zip(steps, changes, strict=True) if change <= allowed
    )


def _dyadic(ratios: Sequence[float]) -> tuple[tuple[int, ...], int]:
    """Integers below 2^24, and a shift: what they stand for are the ratios.

    Raises
    ------
    ModelError
        If a ratio is too large for a shift of 1.
    """
    largest = max(map(abs, ratios))
    bits = _MULTIPLIER_BITS - math.frexp(largest)[1] if largest > 0 else 1
    shift = min(bits, _SHIFT_MAX)
    factors = tuple(round(math.ldexp(ratio, shift)) for ratio in ratios)
    if max(map(abs, factors)) >> _MULTIPLIER_BITS:
        shift -= 1  # it was rounded up
        factors = tuple(round(math.ldexp(ratio, shift)) for ratio in ratios)
    if shift < 1:
        raise ModelError(
            f"a step is {largest:.3g} times as large as that of what it becomes, and "
            "can be 2**23 times: the units are too fine for these weights"
        )
    return factors, shift
