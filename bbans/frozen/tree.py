"""Frozen latent trees: docs/maths.md, "Latent trees"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_array, as_integer, as_parts
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans.distributions.categorical import Weighted
from bbans.errors import CorruptError, ModelError, SymbolError, TruncatedError
from bbans.frozen.alphabet import Kind, Rows
from bbans.frozen.base import (
    KINDS,
    MODES,
    FrozenModel,
    Mode,
    Start,
    check_end,
    header_bytes,
    read_header,
)

__all__ = ["FrozenTree", "TreeSteps"]

BITS = 15  # of transition masses

NUMBERS = 5  # of the header: nodes, K, columns, c, start bits
HEADER_BYTES = header_bytes(NUMBERS)

_Integers = NDArray[Any]


class Head(NamedTuple):
    """The header of a model file, after magic and version."""

    start: Start
    n_nodes: int
    n_states: int
    n_columns: int
    start_length: int
    start_bits: int

    def sizes_end(self) -> int:
        """Where the sizes of the alphabets end."""
        return HEADER_BYTES + 4 * self.n_columns

    def end(self, symbols: int) -> int:
        """Where the tables end, for so many symbols of all columns."""
        n, K = self.n_nodes, self.n_states
        rows = 8 * n + 2 * K * (1 + (n - 1) * K)
        return self.sizes_end() + rows + 4 * K * symbols

    def facts(self) -> dict[str, Any]:
        """What `bbans info` says of it."""
        return {
            "kind": "frozen latent tree",
            "nodes": self.n_nodes,
            "states": self.n_states,
            "observed": f"{self.n_columns} columns",
            "precision": f"{self.start.detail} bits",
        }


def read_head(data: bytes) -> Head:
    """Read the header of the model file that these bytes begin.

    Raises
    ------
    TruncatedError, CorruptError, VersionError, FormatError
        If they begin none of a latent tree.
    """
    start, numbers = read_header(data, NUMBERS)
    head = Head(start, *numbers)
    if start.listed or KINDS[start.kind] == "text":
        raise CorruptError("model file is inconsistent: it has an alphabet")
    for name, value, low, high in (
        ("nodes", head.n_nodes, 1, lib.BBANS_TREE_NODES_MAX),
        ("states", head.n_states, 1, lib.BBANS_STATES_MAX),
        ("columns", head.n_columns, 1, head.n_nodes),
        ("start length", head.start_length, 1, lib.BBANS_START_MAX),
        ("start bits", head.start_bits, 0, lib.BBANS_START_MAX),
        ("precision", start.detail, 1, lib.BBANS_PREC_MAX),
    ):
        if not low <= value <= high:
            raise CorruptError(f"model file is inconsistent: {name} {value}")
    return head


class FrozenTree(FrozenModel):
    """A tree of latents that explain the columns of rows, in integers, ready to code.

    Each node has a latent of K states, which depends on that of its parent, and may
    have one column of the rows as its observation. Rows do not depend on each other;
    in a sequence they are chained: each borrows from the message what those after it
    left.

    Parameters
    ----------
    parents : array_like of int, shape (n,)
        The parent of each node, -1 of the root. Nodes are in preorder: the root comes
        first, and the parent of node i is i - 1 or a node above that.
    variables : array_like of int, shape (n,)
        The column that is each node's observation, or -1. Each of the columns
        0 .. d-1 is that of one node.
    initial : array_like of int, shape (K,)
        Masses of the root's states, in 2^-15.
    transitions : array_like of int, shape (n - 1, K, K)
        Masses of the states of nodes 1 .. n-1 given their parent's (row), in 2^-15.
        Zeros are allowed; each row sums to 2^15, and no mass is that unless K is 1.
    emissions : sequence of array_like of int, shapes (K, M_j)
        Masses of each column's symbols 0 .. M_j-1 given the state of its node (row),
        each at least 1; rows sum to ``2**prec``.
    prec : int
        Precision r of the emissions in bits, 1 to 28.
    start_length : int
        Rows at the end of a sequence that start it, 1 to 65535.
    start_bits : int
        The schedule starts from ``2**start_bits`` or more: 40 and what a row borrows.
    kind : {"integers", "bytes"}
        What rows are given as: bytes, if all symbols are.
    mode : {"iconoclasm", "predictive"}
        See `FrozenModel.mode`.

    Raises
    ------
    ModelError
        If an argument breaks a condition above.

    Notes
    -----
    Immutable; may be shared between threads. Most come from ``LatentTree.freeze()``.
    """

    TYPE = 7
    NAME = "a latent tree"

    _DTYPE = np.int32

    def __init__(
        self,
        parents: ArrayLike,
        variables: ArrayLike,
        initial: ArrayLike,
        transitions: ArrayLike,
        emissions: Iterable[ArrayLike],
        *,
        prec: int = 24,
        start_length: int = 1,
        start_bits: int = 40,
        kind: Kind = "integers",
        mode: Mode = "iconoclasm",
    ) -> None:
        self._parents, self._variables = check_shape(parents, variables)
        self._initial = _masses(initial, "initial")
        if self._initial.ndim != 1 or self._initial.size == 0:
            raise ModelError("initial must have shape (K,), with K 1 or more")
        n, K = self.n_nodes, self._initial.size
        self._transitions = _masses(transitions, "transitions").reshape(-1, K, K)
        if len(self._transitions) != n - 1:
            raise ModelError(f"transitions must have shape ({n - 1}, {K}, {K})")
        columns = as_parts(emissions, "emissions", "an array of masses for each column")
        self._emissions = tuple(_masses(rows, "emissions") for rows in columns)
        width = int(self._variables.max()) + 1
        if len(self._emissions) != width:
            raise ModelError(
                f"emissions must be of {width} columns, not {len(self._emissions)}"
            )
        self._prec = as_integer(prec, "prec", 1, lib.BBANS_PREC_MAX)
        self._check_masses()
        start_length = as_integer(start_length, "start_length", 1, lib.BBANS_START_MAX)
        start_bits = as_integer(start_bits, "start_bits", 0, lib.BBANS_START_MAX)
        high = int(self._sizes.max()) - 1
        self._alphabet = Rows(width, 0, high, kind)
        c, tables = ffi.new("bbans_tree *"), self._tables()
        shape = n, K, width
        size = lib.bbans_tree_bytes(*shape, tables, len(tables))
        if size == 0:
            raise ModelError(
                f"no tree of {n} nodes of {K} states: at most {lib.BBANS_STATES_MAX} "
                f"states, {lib.BBANS_TREE_NODES_MAX} nodes and "
                f"{lib.BBANS_SYMBOLS_MAX} symbols"
            )
        self._memory = np.empty(size // 8 + 1, np.uint64)
        check(
            lib.bbans_tree_init(
                c, *shape, self._prec, start_length, start_bits, tables, len(tables),
                pointer(self._memory, "uint64_t[]"), self._memory.nbytes,
            )
        )  # fmt: skip
        super().__init__(c, mode)

    def _check_masses(self) -> None:
        whole = 1 << BITS
        K = self.n_states
        for name, rows in (
            ("initial", self._initial[None]),
            ("transitions", self._transitions),
        ):
            _refuse_rows(name, rows.sum(-1, dtype=np.uint64) != whole, f"2**{BITS}")
            if K > 1 and rows.size and rows.max() >= whole:
                raise ModelError(f"{name} have a mass of 2**{BITS}: at most one less")
        for column, rows in enumerate(self._emissions):
            name = f"emissions of column {column}"
            if rows.ndim != 2 or rows.shape[0] != K or rows.shape[1] == 0:
                raise ModelError(f"{name} must have shape ({K}, M), not {rows.shape}")
            if rows.min() == 0:
                raise ModelError(f"{name} have a mass of 0")
            sums = rows.sum(-1, dtype=np.uint64)
            _refuse_rows(name, sums != 1 << self._prec, f"2**{self._prec}")

    # ---- what it is

    @property
    def n_nodes(self) -> int:
        """Number of nodes n."""
        return int(self._parents.size)

    @property
    def n_states(self) -> int:
        """Number of states K of each node."""
        return int(self._initial.size)

    @property
    def prec(self) -> int:
        """Precision r of the emissions, in bits."""
        return self._prec

    @property
    def parents(self) -> NDArray[np.int64]:
        """The parent of each node, -1 of the root, shape (n,)."""
        return self._parents

    @property
    def variables(self) -> NDArray[np.int64]:
        """The column that each node observes, or -1, shape (n,)."""
        return self._variables

    @property
    def initial(self) -> NDArray[np.uint32]:
        """Integer masses of the root's states, shape (K,)."""
        return self._initial

    @property
    def transitions(self) -> NDArray[np.uint32]:
        """Integer masses of the states of nodes 1 .. n-1 given their parent's (row),
        shape (n - 1, K, K)."""
        return self._transitions

    @property
    def emissions(self) -> tuple[NDArray[np.uint32], ...]:
        """Integer masses of each column's symbols given the state (row), shapes
        (K, M_j)."""
        return self._emissions

    @property
    def sizes(self) -> tuple[int, ...]:
        """Symbols M_j of each column."""
        return tuple(self._sizes.tolist())

    @property
    def _sizes(self) -> NDArray[np.int64]:
        return np.array([rows.shape[1] for rows in self._emissions], np.int64)

    @property
    def alphabet(self) -> Rows:
        """What it codes: rows of integers, each below its column's size."""
        return self._alphabet

    @property
    def width(self) -> int:
        """Columns d."""
        return len(self._emissions)

    def state_space(self) -> TreeSteps:
        """Return the model step by step; observations are arrays of `width`
        integers, the state is that of the root."""
        return TreeSteps(self)

    def marginal(
        self,
        columns: Sequence[int],
        *,
        start_length: int | None = None,
        start_bits: int | None = None,
    ) -> FrozenTree:
        """Return the tree of some columns: the exact marginal of this one.

        Parameters
        ----------
        columns : sequence of int
            Which, in the order that rows of them have.
        start_length, start_bits : int, optional
            By default those of this tree; fewer columns hold fewer bits, so that
            more rows should start a sequence.

        Raises
        ------
        ModelError
            If there is no such column, it is there twice, or none is given.

        Notes
        -----
        Nodes that neither observe one of them nor have a node below that does are
        left out, the root apart.
        """
        kept = [
            as_integer(column, "column", 0, self.width - 1)
            for column in as_parts(columns, "columns", "numbers of columns")
        ]
        if not kept or len({*kept}) < len(kept):
            raise ModelError(f"columns must be some, each once, not {list(columns)}")
        place = np.full(self.width + 1, -1, np.int64)  # the last: of no column
        place[kept] = np.arange(len(kept))
        variables = place[self._variables]
        needed = variables >= 0
        needed[0] = True
        for i in range(self.n_nodes - 1, 0, -1):
            needed[self._parents[i]] |= needed[i]
        nodes = np.flatnonzero(needed)
        number = np.full(self.n_nodes + 1, -1, np.int64)  # the last: of no node
        number[nodes] = np.arange(nodes.size)
        return FrozenTree(
            number[self._parents[nodes]],
            variables[nodes],
            self._initial,
            self._transitions[nodes[1:] - 1],
            [self._emissions[column] for column in kept],
            prec=self._prec,
            start_length=self.start_length if start_length is None else start_length,
            start_bits=self.start_bits if start_bits is None else start_bits,
            kind=self.kind,
            mode=self.mode,
        )

    def __repr__(self) -> str:
        return (
            f"<FrozenTree {self.fingerprint.hex()}: {self.width} columns, "
            f"{self.n_nodes} nodes of {self.n_states} states, {self.prec} bits>"
        )

    # ---- rows

    def observations(self, x: Any) -> NDArray[np.int32]:
        """Return the observations of a sequence as `state_space` takes them: in rows.

        Raises
        ------
        SymbolError
            If one is out of range, or there are no whole rows.
        """
        return self._observations(x)

    def _observations(self, x: Any) -> NDArray[np.int32]:
        return self._shaped(self._alphabet.encode(x))

    def _shaped(self, numbers: _Integers) -> _Integers:
        rows = super()._shaped(numbers)
        outside = rows.reshape(-1, self.width) >= self._sizes
        if outside.any():
            row, column = divmod(int(np.flatnonzero(outside)[0]), self.width)
            raise SymbolError(
                f"integer {rows.reshape(-1, self.width)[row, column]} in column "
                f"{column} of row {row} is not below {self.sizes[column]}"
            )
        return rows

    # ---- its file: docs/format.md, "Model file"

    def _tables(self) -> bytes:
        parts: list[tuple[Any, str]] = [
            (self._sizes, "<u4"),
            (self._parents, "<i4"),
            (self._variables, "<i4"),
            (self._initial, "<u2"),
            (self._transitions, "<u2"),
            *((rows, "<u4") for rows in self._emissions),
        ]
        return b"".join(table.astype(dtype).tobytes() for table, dtype in parts)

    def _payload(self) -> bytes:
        header = self._header(
            self.prec, False,
            self.n_nodes, self.n_states, self.width, self.start_length,
            self.start_bits,
        )  # fmt: skip
        return header + self._tables()

    @classmethod
    def _read(cls, data: bytes) -> FrozenTree:
        head = read_head(data)
        n, K, at = head.n_nodes, head.n_states, head.sizes_end()
        if len(data) < at:
            raise TruncatedError("model file ends within its tables")
        sizes = np.frombuffer(data[HEADER_BYTES:at], "<u4").astype(np.int64)
        end = head.end(int(sizes.sum()))
        check_end(data, end)
        parents = np.frombuffer(data, "<i4", n, at)
        variables = np.frombuffer(data, "<i4", n, at + 4 * n)
        at += 8 * n
        short = np.frombuffer(data, "<u2", K * (1 + (n - 1) * K), at)
        emissions = np.frombuffer(data[at + short.nbytes : end], "<u4")
        return cls(
            parents,
            variables,
            short[:K],
            short[K:].reshape(n - 1, K, K),
            [
                rows.reshape(K, -1)
                for rows in np.split(emissions, K * np.cumsum(sizes)[:-1])
            ],
            prec=head.start.detail,
            start_length=head.start_length,
            start_bits=head.start_bits,
            kind=KINDS[head.start.kind],
            mode=MODES[head.start.mode],
        )


def check_shape(
    parents: ArrayLike, variables: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The nodes' parents and columns, if nodes are in preorder and each column is that
    of one.

    Raises
    ------
    ModelError
        If that is not so; the text names the node.
    """
    p, v = _numbers(parents, "parents"), _numbers(variables, "variables")
    if p.ndim != 1 or p.size == 0 or p.shape != v.shape:
        raise ModelError("parents and variables must have the shape (n,) of one tree")
    if p[0] != -1:
        raise ModelError("node 0 must be the root, whose parent is -1")
    above = p.tolist()
    for i in range(1, len(above)):
        at = i - 1
        while at > above[i] >= 0:
            at = above[at]
        if at != above[i]:
            raise ModelError(
                f"nodes must be in preorder: the parent of node {i} is node {i - 1} or "
                f"one above it, not {above[i]}"
            )
    columns = sorted(v[v != -1].tolist())
    if not columns or columns != [*range(len(columns))]:
        raise ModelError(
            "variables must have each of the columns 0 .. d-1 once, and -1 for nodes "
            "without one"
        )
    return p, v


def _numbers(values: ArrayLike, name: str) -> NDArray[np.int64]:
    array = as_array(values, name, ModelError)
    if array.dtype.kind not in "iu":
        raise ModelError(f"{name} must be integers, not {array.dtype}")
    return array.astype(np.int64)


def _masses(values: ArrayLike, name: str) -> NDArray[np.uint32]:
    masses = as_uint32(values, name.removesuffix("s")).copy()
    masses.flags.writeable = False
    return masses


def _refuse_rows(name: str, faults: NDArray[np.bool_], total: str) -> None:
    if faults.any():
        row = int(np.flatnonzero(faults)[0])
        raise ModelError(f"{name}: row {row} does not sum to {total}")


# ---- step by step


class TreeSteps:
    """The conditionals of a frozen tree; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenTree

    Notes
    -----
    A state is that of the root, an integer; the codec of a row borrows the states of
    the other nodes from the message and returns them. What is known of a row is the
    row.
    """

    def __init__(self, frozen: FrozenTree) -> None:
        self._frozen = frozen
        self.start_length = frozen.start_length
        self.start_bits = frozen.start_bits
        self.parents = frozen.parents.tolist()
        self.variables = frozen.variables.tolist()
        self.matrices = [frozen.initial[None], *frozen.transitions]
        self.floor = 1 << min(12, 18 - (frozen.n_states - 1).bit_length())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._frozen!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._frozen,)

    def prior(self, z: int | None) -> Weighted:
        """P of the root, whatever the row before."""
        return self.latent(0, 0)

    def likelihood(self, z: int) -> _Row:
        """P of a row given the root."""
        return _Row(self, int(z))

    def update(self, belief: Any | None, x: Any) -> NDArray[np.int32]:
        """What is known after a row: the row."""
        row: NDArray[np.int32] = self._frozen.observations(x).reshape(-1)
        if row.size != self._frozen.width:
            raise SymbolError(
                f"a row has {self._frozen.width} integers, not {row.size}"
            )
        return row

    def posterior(self, belief: NDArray[np.int32], z_next: int | None) -> Weighted:
        """Q of the root given a row."""
        return self.choice(0, 0, self.upward(belief)[0])

    def predictive(self, belief: Any | None) -> _Predicted:
        """P of a row, exactly, value after value."""
        return _Predicted(self)

    # ---- for the codecs below

    def row(self, x: NDArray[np.int32]) -> Any:
        """A row as the model's functions of sequences give it."""
        return x if x.size > 1 else x[0]

    def latent(self, i: int, above: int) -> Weighted:
        """P of node i's state given that of its parent."""
        return Weighted(self.matrices[i][above])

    def choice(self, i: int, above: int, upward: _Integers) -> Weighted:
        """Q of node i's state given that of its parent and what is below."""
        weights = self.matrices[i][above] * upward
        return Weighted(_scaled(weights, int(weights.sum()), 26).astype(np.uint32))

    def value(self, i: int, z: int) -> Weighted:
        """P of node i's observation given its state."""
        return Weighted(self._frozen.emissions[self.variables[i]][z])

    def unknown(self) -> _Integers:
        """Upward weights of a node of which nothing is known."""
        return np.full(self._frozen.n_states, 1 << 31, np.int64)

    def emitting(self, i: int, x: _Integers) -> _Integers:
        """The masses with which node i's states emit what the row has."""
        column = self.variables[i]
        masses: _Integers = self._frozen.emissions[column][:, x[column]]
        return masses.astype(np.int64)

    def message(self, i: int, upward: _Integers) -> _Integers:
        """What node i says of its parent."""
        factor = self.matrices[i].astype(np.int64) @ (upward >> 2)
        return _scaled(factor, int(factor.max()), 31)

    def upward(self, x: _Integers) -> list[_Integers]:
        """Upward weights of all nodes."""
        upward = [self.unknown() for _ in self.parents]
        for i in range(len(upward) - 1, -1, -1):
            if self.variables[i] >= 0:
                upward[i] = absorb(upward[i], self.emitting(i, x))
            if i > 0:
                above, message = self.parents[i], self.message(i, upward[i])
                upward[above] = absorb(upward[above], message)
        return upward

    def climb(self, at: int, to: int) -> Iterator[int]:
        """The nodes from `at` up to below `to`."""
        while at != to:
            yield at
            at = self.parents[at]


class _Row:
    """A row given the state of the root.

    Parameters
    ----------
    steps : TreeSteps
    z : int
    """

    def __init__(self, steps: TreeSteps, z: int) -> None:
        self._steps, self._z = steps, z

    def push(self, message: Any, value: Any) -> None:
        """Push a row: depth first, each state between a pop and a push."""
        s = self._steps
        x = s.update(None, value)
        upward, z, at = s.upward(x), {0: self._z}, 0
        for i, above in enumerate(s.parents):
            if i > 0:
                self._push_states(message, z, at, above)
                z[i] = int(s.choice(i, z[above], upward[i]).pop(message))
            if s.variables[i] >= 0:
                s.value(i, z[i]).push(message, x[s.variables[i]])
            at = i
        self._push_states(message, z, at, 0)

    def _push_states(self, message: Any, z: dict[int, int], at: int, to: int) -> None:
        for i in self._steps.climb(at, to):
            self._steps.latent(i, z[self._steps.parents[i]]).push(message, z[i])

    def pop(self, message: Any) -> Any:
        """Pop a row: `push`, read bottom to top."""
        s = self._steps
        x = np.zeros(s._frozen.width, np.int32)
        upward, z, to = [s.unknown() for _ in s.parents], {0: self._z}, 0
        for i in range(len(s.parents) - 1, -1, -1):
            for node in reversed([*s.climb(i, to)]):
                z[node] = int(s.latent(node, z[s.parents[node]]).pop(message))
            if s.variables[i] >= 0:
                x[s.variables[i]] = s.value(i, z[i]).pop(message)
                upward[i] = absorb(upward[i], s.emitting(i, x))
            if i > 0:
                to = s.parents[i]
                s.choice(i, z[to], upward[i]).push(message, z[i])
                upward[to] = absorb(upward[to], s.message(i, upward[i]))
        return s.row(x)


class _Predicted:
    """A row without its states: each value given those of the nodes before.

    Parameters
    ----------
    steps : TreeSteps
    """

    def __init__(self, steps: TreeSteps) -> None:
        self._steps = steps

    def push(self, message: Any, value: Any) -> None:
        """Push a row, its last value first."""
        x = self._steps.update(None, value)
        for column, law in reversed([*self._laws(x)]):
            law.push(message, x[column])

    def pop(self, message: Any) -> Any:
        """Pop a row."""
        x = np.zeros(self._steps._frozen.width, np.int32)
        for column, law in self._laws(x):
            x[column] = law.pop(message)
        return self._steps.row(x)

    def _laws(self, x: NDArray[np.int32]) -> Iterator[tuple[int, Weighted]]:
        """Columns and their laws; between them, x gets what was coded."""
        s = self._steps
        n = len(s.parents)
        upward, downward = [s.unknown() for _ in range(n)], [s.unknown()] * n
        downward[0] = s.matrices[0][0].astype(np.int64)
        for i, (above, column) in enumerate(zip(s.parents, s.variables, strict=True)):
            if i > 0:
                for node in s.climb(i - 1, above):
                    factor, to = s.message(node, upward[node]), s.parents[node]
                    upward[to] = absorb(upward[to], factor)
                    downward[to] = weigh(downward[to], factor)
                given = _narrow(downward[above]) @ s.matrices[i].astype(np.int64)
                downward[i] = np.clip(given, s.floor, None)
            factor = np.array([1])
            if column >= 0:
                yield column, self._law(column, downward[i])
                factor = s.emitting(i, x)
                upward[i] = absorb(upward[i], factor)
            downward[i] = weigh(downward[i], factor)

    def _law(self, column: int, weights: _Integers) -> Weighted:
        masses = self._steps._frozen.emissions[column].astype(np.int64)
        edges = np.cumsum(weights @ masses) // weights.sum()
        return Weighted(np.diff(edges, prepend=0).astype(np.uint32))


def _scaled(v: _Integers, measure: int, bits: int) -> _Integers:
    """v scaled by the power of two that gives `measure` that bit length."""
    shift = measure.bit_length() - bits
    scaled: _Integers = v >> shift if shift >= 0 else v << -shift
    return scaled


def absorb(upward: _Integers, factor: _Integers) -> _Integers:
    """Upward weights times a factor."""
    product = upward * factor
    weights: _Integers = np.clip(_scaled(product, int(product.max()), 32), 4, None)
    return weights


def weigh(downward: _Integers, factor: _Integers) -> _Integers:
    """Downward weights times a factor."""
    product = downward * factor
    return _scaled(product, int(product.sum()), 32)


def _narrow(weights: _Integers) -> _Integers:
    """Weights at 15 bits."""
    short: _Integers = np.clip((weights + (1 << 16)) >> 17, None, (1 << 15) - 1)
    return short
