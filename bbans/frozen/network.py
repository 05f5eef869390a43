"""Networks in integers: docs/maths.md, "Networks in integers"."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import (
    as_array,
    as_batch,
    as_bytes,
    as_instance,
    as_integer,
    as_parts,
    not_integers,
)
from bbans._files import write_file
from bbans._kinds import NETWORK, START_BYTES, wrong_kind
from bbans._lib import RAISES, check, ffi, lib
from bbans._records import CRC, RecordReader
from bbans._threads import in_order
from bbans.distributions.fixed_point import c_array
from bbans.errors import CorruptError, ModelError, SymbolError

__all__ = ["OPERATIONS", "FrozenNetwork", "NetworkNode", "network_facts"]

Shape: TypeAlias = tuple[int, ...]

#: By their numbers in files, from 1 on.
OPERATIONS = (
    "input", "affine", "sum", "scale", "product", "concat", "slice", "shuffle",
    "reshape",
)  # fmt: skip

# docs/format.md, "Network file".
_HEADER = NETWORK + bytes([1, 0, 0, 0])
# Bytes of workspace, as far as these are not less than what one item takes: tensors
# of some items at a time, in the cache.
_WORK = 1 << 18


class NetworkNode(NamedTuple):
    """An operation of a network, and the tensor that it makes.

    Attributes
    ----------
    op : str
        One of `OPERATIONS`.
    inputs : tuple of int
        The nodes that it takes, by their numbers.
    shape : tuple of int
        Height, width and channels.
    low, high : int
        The range of its elements.
    stride, pad : tuple of int
        Vertical and horizontal; of an affine node, as are
    weight : ndarray of int8 or int16, shape (channels, height, width, inputs)
    bias, multiplier, row_shift : ndarray of int32, int32 and uint8, shape (channels,)
    factor : tuple of int
        Of sums two, of scales and products one, as is
    shift : int
    first : int
        The first channel of a slice, the factor of a shuffle.
    """

    op: str
    inputs: tuple[int, ...]
    shape: tuple[int, int, int]
    low: int
    high: int
    stride: tuple[int, int] = (0, 0)
    pad: tuple[int, int] = (0, 0)
    weight: NDArray[Any] | None = None
    bias: NDArray[np.int32] | None = None
    multiplier: NDArray[np.int32] | None = None
    row_shift: NDArray[np.uint8] | None = None
    factor: tuple[int, ...] = ()
    shift: int = 0
    first: int = 0


class FrozenNetwork:
    """A network in integers: the same outputs on every machine, for any batch.

    Parameters
    ----------
    nodes : sequence of NetworkNode
        Each takes those before it.
    outputs : sequence of int
        Which of them are the outputs.

    Raises
    ------
    ModelError
        If they are no network, or a sum could overflow 32 bits; the text names the
        node, and the row of its weights.

    Notes
    -----
    Immutable; may be shared between threads. Networks with the same file are equal.
    """

    c: Any
    """The ``bbans_network *`` of C."""

    def __init__(self, nodes: Sequence[NetworkNode], outputs: Sequence[int]) -> None:
        nodes = [
            as_instance(node, NetworkNode, f"node {i}", "a NetworkNode")
            for i, node in enumerate(as_parts(nodes, "nodes", "a list of NetworkNodes"))
        ]
        outputs = [
            as_integer(i, "an output", 0, (1 << 32) - 1)
            for i in as_parts(outputs, "outputs", "a list of numbers of nodes")
        ]
        rows, kept = _c_nodes(nodes)
        ends = ffi.new("uint32_t[]", outputs)
        network, n = ffi.new("bbans_network *"), ffi.new("size_t *")
        status = lib.bbans_network_init(network, rows, len(nodes), ends, len(outputs))
        if status == lib.BBANS_ERR_TABLE:
            raise ModelError(_fault(nodes, rows, ends), status)
        if status == lib.BBANS_ERR_SIZE:
            raise ModelError(_LIMITS, status)
        check(status)
        lib.bbans_network_write(network, ffi.new("uint8_t[1]"), 0, n)
        data = ffi.new("uint8_t[]", n[0])
        check(lib.bbans_network_write(network, data, n[0], n))
        del kept  # what the nodes refer to, up to here
        self._take(bytes(ffi.buffer(data)))

    def _take(self, data: bytes) -> None:
        """Become the network of a file.

        Raises
        ------
        TruncatedError, CorruptError, VersionError, FormatError
            If it is none.
        """
        file = ffi.new("bbans_network_file *")
        _check_file(lib.bbans_network_parse(file, ffi.from_buffer(data), len(data)))
        memory = np.empty(lib.bbans_network_memory_bytes(file) // 8 + 1, np.uint64)
        _check_file(
            lib.bbans_network_build(file, ffi.from_buffer(memory), memory.nbytes)
        )
        self._data, self._memory, self.c = data, memory, file.network
        self._fingerprint = bytes(file.fingerprint)
        ends = [
            [self.c.node[numbers[k]] for k in range(n)]
            for numbers, n in (
                (self.c.input, self.c.inputs),
                (self.c.output, self.c.outputs),
            )
        ]
        self._inputs, self._outputs = ends

    # ---- what it is

    @property
    def inputs(self) -> list[Shape]:
        """The shapes of the inputs; of a height or width of 1 in front nothing is
        left, as a vector is ``(n,)``."""
        return [_shape_of(node) for node in self._inputs]

    @property
    def outputs(self) -> list[Shape]:
        """The shapes of the outputs, likewise."""
        return [_shape_of(node) for node in self._outputs]

    @property
    def input_ranges(self) -> list[tuple[int, int]]:
        """The least and the greatest value of each input."""
        return [(node.low, node.high) for node in self._inputs]

    @property
    def output_ranges(self) -> list[tuple[int, int]]:
        """The least and the greatest value of each output."""
        return [(node.low, node.high) for node in self._outputs]

    @property
    def products(self) -> int:
        """Multiplications by weights that an item takes."""
        return int(self.c.products)

    @property
    def nodes(self) -> list[NetworkNode]:
        """The operations; arrays are copies."""
        return [_node_of(self.c, i) for i in range(self.c.nodes)]

    @property
    def output_nodes(self) -> list[int]:
        """Which nodes are the outputs."""
        return [self.c.output[k] for k in range(self.c.outputs)]

    # ---- running it

    def __call__(self, *values: ArrayLike, threads: int = 1) -> Any:
        """Compute the outputs.

        Parameters
        ----------
        *values : array_like of int, shape (*batch, *shape)
            One for each input, all with the same leading axes, or none; of any type of
            integers, without a copy where they are contiguous.
        threads : int
            At most so many at the items of the batch.

        Returns
        -------
        ndarray of int32, shape (*batch, *shape)
            A tuple of them, if there are several outputs. An item's do not depend on
            the others, nor on `threads`.

        Raises
        ------
        SymbolError
            If a value is no integer, or outside its input's range; the text names the
            input, the value and its position.
        ModelError
            If the inputs are not these, or there is no memory.
        """
        batch, arrays = as_batch(values, self.inputs, _as_integers)
        items, threads = math.prod(batch), as_integer(threads, "threads", 1)
        try:
            arrays = [
                np.require(array, array.dtype.newbyteorder("="), ["C", "A"])
                for array in arrays
            ]
            results = [np.empty((*batch, *shape), np.int32) for shape in self.outputs]
        except (ValueError, MemoryError):
            raise ModelError(f"there is no memory for {items} items") from None
        part = max(1, -(-items // threads))

        def run(first: int) -> None:
            self._run(arrays, results, first, min(part, items - first))

        for _ in in_order(run, range(0, items, part), threads):
            pass
        return tuple(results) if results[1:] else results[0]

    def _run(
        self, arrays: list[NDArray[Any]], results: list[NDArray[np.int32]], first: int,
        items: int,
    ) -> None:  # fmt: skip
        """Compute some of the items."""
        pointers = ffi.new("bbans_array[]", max(1, len(arrays)))
        for k, (array, node) in enumerate(zip(arrays, self._inputs, strict=True)):
            data, kind = c_array(array)
            pointers[k].data = data + first * _size_of(node) * array.itemsize
            pointers[k].type = kind
        outputs = [
            ffi.cast("int32_t *", ffi.from_buffer(array)) + first * _size_of(node)
            for array, node in zip(results, self._outputs, strict=True)
        ]
        least = lib.bbans_network_work_bytes(self.c, 1)
        most = lib.bbans_network_work_bytes(self.c, max(1, items))
        try:
            work = np.empty(max(least, min(most, _WORK)) // 8 + 1, np.uint64)
        except (ValueError, MemoryError):
            raise ModelError("there is no memory for the network's tensors") from None
        status = lib.bbans_network_run(
            self.c, pointers, items, ffi.from_buffer(work), work.nbytes, outputs
        )
        if status == lib.BBANS_ERR_SYMBOL:
            raise SymbolError(self._blame(arrays), status)
        check(status)

    def _blame(self, arrays: list[NDArray[Any]]) -> str:
        """Name the first value that is outside its input's range."""
        for k, (array, (low, high)) in enumerate(
            zip(arrays, self.input_ranges, strict=True)
        ):
            outside = np.flatnonzero((array < low) | (array > high))
            if outside.size:
                at = int(outside[0])
                return (
                    f"input {k} has {array.flat[at]} at position {at}, outside "
                    f"{low} to {high}: clip it, or quantise with a wider range"
                )
        raise AssertionError("no value is outside")

    def with_shape(self, height: int, width: int) -> FrozenNetwork:
        """Return this network for maps of another height and width, if it is made of
        convolutions: another network, by its fingerprint, of the same weights.

        Parameters
        ----------
        height, width : int
            Of the first input; other maps grow in proportion.

        Raises
        ------
        ModelError
            If a layer is of one size only, or strides do not divide the difference; the
            text names the node.
        """
        sizes = as_integer(height, "height", 1), as_integer(width, "width", 1)
        return FrozenNetwork(_resized(self.nodes, sizes), self.output_nodes)

    # ---- its file: docs/format.md, "Network file"

    @property
    def fingerprint(self) -> bytes:
        """Eight bytes that name the network: the start of the SHA-256 of its file."""
        return self._fingerprint

    def _body(self) -> memoryview:
        """What stands in a model's file: the network's own but for its header and its
        checksum."""
        return memoryview(self._data)[len(_HEADER) : -CRC.size]

    @classmethod
    def _of_body(cls, data: memoryview) -> tuple[FrozenNetwork, int]:
        """The network whose body these bytes begin with, and how many it has.

        Raises
        ------
        TruncatedError, CorruptError
            If they begin with none.
        """
        size = int.from_bytes(data[8:12], "little")
        whole = _HEADER + bytes(data[:size])
        return cls.from_bytes(whole + CRC.pack(zlib.crc32(whole))), size

    @classmethod
    def from_bytes(cls, data: bytes) -> FrozenNetwork:
        """Read a network file's bytes, and check them.

        Raises
        ------
        TruncatedError, CorruptError, VersionError, FormatError
            If these are not the bytes of a network file.
        """
        data = as_bytes(data, "data")
        if not data.startswith(NETWORK) and not NETWORK.startswith(data[:4]):
            raise wrong_kind(data[:START_BYTES], "a network file")
        made = object.__new__(cls)
        made._take(data)
        return made

    def to_bytes(self) -> bytes:
        """Return the network file's bytes."""
        return self._data

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a network file; an old one is replaced only when the new is whole."""
        write_file(path, self.to_bytes())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FrozenNetwork:
        """Read a network file; see `from_bytes`."""
        return cls.from_bytes(Path(path).read_bytes())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FrozenNetwork):
            return NotImplemented
        return self._data == other._data

    def __hash__(self) -> int:
        return hash(self._fingerprint)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenNetwork.from_bytes, (self._data,)

    def __copy__(self) -> FrozenNetwork:
        return self  # it does not change

    def __deepcopy__(self, memo: Any) -> FrozenNetwork:
        return self

    def __repr__(self) -> str:
        ends = " -> ".join(
            ", ".join(" x ".join(map(str, shape)) for shape in shapes)
            for shapes in (self.inputs, self.outputs)
        )
        return (
            f"FrozenNetwork({ends}; {self.c.nodes} nodes, {self.products} products, "
            f"{self._fingerprint.hex()})"
        )


def network_facts(file: BinaryIO) -> dict[str, Any]:
    """Say what a network file holds, and check all of it.

    Raises
    ------
    FormatError, VersionError, TruncatedError, CorruptError
        If it is none, or not whole.
    """
    reader = RecordReader(file, "network file")
    reader.magic(NETWORK)
    counts = reader.read(len(_HEADER) - len(NETWORK) + 12, "its header")
    end = len(_HEADER) + int.from_bytes(counts[-4:], "little") + CRC.size
    rest = b"".join(reader.parts(end - reader.at, "its nodes"))
    reader.end()
    network = FrozenNetwork.from_bytes(NETWORK + counts + rest)

    def shown(shapes: list[Shape], ranges: list[tuple[int, int]]) -> str:
        return ", ".join(
            f"{' x '.join(map(str, shape))} of {low} .. {high}"
            for shape, (low, high) in zip(shapes, ranges, strict=True)
        )

    nodes = network.nodes
    return {
        "kind": "network in integers",
        "inputs": shown(network.inputs, network.input_ranges) or "-",
        "outputs": shown(network.outputs, network.output_ranges),
        "nodes": len(nodes),
        "weights": sum(node.weight.size for node in nodes if node.weight is not None),
        "products": f"{network.products} an item",
        "fingerprint": network.fingerprint.hex(),
        "bytes": reader.at,
    }


# ---- nodes in C


def _size_of(node: Any) -> int:
    return int(node.height * node.width * node.channels)


def _shape_of(node: Any) -> Shape:
    shape = node.height, node.width, node.channels
    return shape[(shape[0] == 1) + (shape[:2] == (1, 1)) :]


def _c_nodes(nodes: Sequence[NetworkNode]) -> tuple[Any, list[Any]]:
    """Nodes as C has them, and what these refer to.

    Raises
    ------
    ModelError
        If a number or an array is not of its type; the text names the node.
    """
    rows, kept = ffi.new("bbans_node[]", max(1, len(nodes))), []
    for i, node in enumerate(nodes):
        c = rows[i]
        try:
            c.op = OPERATIONS.index(node.op) + 1
            c.height, c.width, c.channels = node.shape
            c.low, c.high, c.shift, c.first = (
                node.low,
                node.high,
                node.shift,
                node.first,
            )
            for name, numbers in (
                ("input", node.inputs), ("stride", node.stride), ("pad", node.pad),
                ("factor", node.factor),
            ):  # fmt: skip
                for k, number in enumerate(numbers):
                    getattr(c, name)[k] = number
            if node.weight is not None:
                n = len(node.weight)
                weight = np.array(node.weight, order="C")
                if weight.dtype not in (np.int8, np.int16) or weight.ndim != 4:
                    raise ValueError("weights are int8 or int16, of 4 axes")
                c.kernel = weight.shape[1:3]
                c.weight_type = c_array(weight)[1]
                c.weight = ffi.from_buffer(weight)
                kept.append(weight)
                for name, dtype, ctype in (
                    ("bias", np.int32, "int32_t[]"),
                    ("multiplier", np.int32, "int32_t[]"),
                    ("row_shift", np.uint8, "uint8_t[]"),
                ):
                    array = np.array(getattr(node, name))
                    if array.shape != (n,) or array.dtype != dtype:
                        raise ValueError(f"{name} is of {np.dtype(dtype)}, one a row")
                    kept.append(array)
                    setattr(c, name, ffi.from_buffer(ctype, array))
                taken = nodes[node.inputs[0]].shape[2]
                if weight.shape[0] != node.shape[2] or weight.shape[3] != taken:
                    raise ValueError(
                        f"weights of shape {weight.shape} do not make "
                        f"{node.shape[2]} channels of {taken}"
                    )
        except (IndexError, OverflowError, TypeError, ValueError) as error:
            raise ModelError(f"{_named(i, node)}: {error}") from None
    return rows, kept


def _node_of(c: Any, i: int) -> NetworkNode:
    """A node of C's."""
    row = c.node[i]
    op = OPERATIONS[row.op - 1]
    taken = {"input": 0, "sum": 2, "product": 2, "concat": 2}.get(op, 1)
    factors = {"sum": 2, "scale": 1, "product": 1}.get(op, 0)
    node = NetworkNode(
        op,
        tuple(row.input)[:taken],
        (row.height, row.width, row.channels),
        row.low,
        row.high,
        tuple(row.stride),
        tuple(row.pad),
        factor=tuple(row.factor)[:factors],
        shift=row.shift,
        first=row.first,
    )
    if op != "affine":
        return node
    dtype = np.dtype(np.int8 if row.weight_type == lib.BBANS_I8 else np.int16)
    shape = (row.channels, *row.kernel, c.node[row.input[0]].channels)

    def copied(data: Any, dtype: Any, shape: Shape) -> NDArray[Any]:
        size = math.prod(shape) * np.dtype(dtype).itemsize
        return np.frombuffer(ffi.buffer(data, size), dtype).reshape(shape).copy()

    return node._replace(
        weight=copied(row.weight, dtype, shape),
        bias=copied(row.bias, np.int32, shape[:1]),
        multiplier=copied(row.multiplier, np.int32, shape[:1]),
        row_shift=copied(row.row_shift, np.uint8, shape[:1]),
    )


# ---- other sizes


def _resized(nodes: Sequence[NetworkNode], sizes: tuple[int, int]) -> list[NetworkNode]:
    """Nodes for maps of other sizes: each grows by what its input grew by."""
    made: list[NetworkNode] = []
    first = next((node.shape for node in nodes if node.op == "input"), (1, 1, 1))
    for i, node in enumerate(nodes):
        old, channels = node.shape[:2], node.shape[2]
        inputs = [(nodes[k].shape, made[k].shape) for k in node.inputs]
        new = []
        for axis in (0, 1):
            n, rest = old[axis], 0
            if node.op == "input":
                n, rest = divmod(n * sizes[axis], first[axis])
            elif node.op == "shuffle":
                n = node.first * inputs[0][1][axis]
            else:
                before, after = (shape[axis] for shape in inputs[0])
                step = node.stride[axis] if node.op == "affine" else 1
                more, rest = divmod(after - before, step)
                n += more
            if rest or n < 1:
                raise ModelError(
                    f"{_named(i, node)} has no size for {sizes[0]} x {sizes[1]}: maps "
                    f"of {first[0]} x {first[1]} grow and shrink by multiples of the "
                    "strides"
                )
            new.append(n)
        grows = any(was != now for was, now in inputs)
        if grows and (
            node.op == "reshape"
            or (node.weight is not None and node.weight.shape[1:3] == inputs[0][0][:2])
        ):
            raise ModelError(
                f"{_named(i, node)} takes a whole map, of one size: only networks of "
                "convolutions take others"
            )
        made.append(node._replace(shape=(new[0], new[1], channels)))
    return made


def _as_integers(values: ArrayLike, what: str) -> NDArray[Any]:
    array = as_array(values, what)
    if array.dtype.kind not in "iu":
        raise not_integers(what, array)
    return array


def _named(i: int, node: NetworkNode) -> str:
    return f"node {i} ({node.op})"


_LIMITS = (
    f"a network has 1 to {lib.BBANS_NODES_MAX} nodes, of them at most "
    f"{lib.BBANS_NETWORK_INPUTS_MAX} inputs, 1 to {lib.BBANS_NETWORK_OUTPUTS_MAX} "
    f"outputs, tensors of {lib.BBANS_TENSORS_BYTES_MAX} bytes at a time, and "
    f"2**{lib.BBANS_PRODUCTS_BITS_MAX} multiplications"
)


def _fault(nodes: Sequence[NetworkNode], rows: Any, outputs: Any) -> str:
    """What C refuses nodes for: the first that makes them no network."""
    made, last = ffi.new("bbans_network *"), ffi.new("uint32_t *")
    for i, node in enumerate(nodes):
        last[0] = i
        if lib.bbans_network_init(made, rows, i + 1, last, 1) != lib.BBANS_OK:
            if node.op == "affine":
                return f"{_named(i, node)}: {_row_fault(node, nodes[node.inputs[0]])}"
            return (
                f"{_named(i, node)}: its shape, range or numbers do not fit those of "
                f"its inputs {node.inputs} (docs/format.md, 'Network file')"
            )
    return f"an output is not among the {len(nodes)} nodes: {list(outputs)}"


def _row_fault(node: NetworkNode, a: NetworkNode) -> str:
    """Why a product with weights is refused."""
    assert node.weight is not None
    assert node.bias is not None
    largest = max(abs(a.low), abs(a.high))
    if largest > 1 << 15 or a.high > (1 << 15) - 1:
        return f"its input is within {a.low} to {a.high}, not within 16 bits"
    sums = abs(node.weight.astype(np.int64)).sum((1, 2, 3)) * largest
    sums += abs(node.bias.astype(np.int64))
    over = np.flatnonzero(sums >= 1 << 31)
    if over.size:
        row = int(over[0])
        return (
            f"row {row}: a sum can reach {sums[row]}, and must stay below 2**31 = "
            f"{1 << 31}: take smaller weights, or inputs of a smaller range"
        )
    return (
        "its kernel, padding, multipliers or shifts are out of range (docs/format.md, "
        "'Network file')"
    )


def _check_file(status: int) -> None:
    """Raise what a status says of a network file."""
    if status == lib.BBANS_ERR_CORRUPT:
        raise CorruptError(
            "network file is damaged, or its nodes are no network", status
        )
    if status != lib.BBANS_OK:
        text = ffi.string(lib.bbans_status_text(status)).decode("ascii")
        raise RAISES[status](f"network file: {text}", status)
