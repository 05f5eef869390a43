"""Latent trees: a hidden state for each column of a table, and one tree over them."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import (
    as_array,
    as_generator,
    as_instance,
    as_integer,
    as_real,
    not_integers,
)
from bbans._float_file import Arrays
from bbans.distributions.table import quantise
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import MAX_SYMBOLS
from bbans.frozen.base import MODES, Kind
from bbans.frozen.tree import FrozenTree
from bbans.models._checkpoint import Checkpoint, data_fact, floats, opened
from bbans.models._parameters import MAX_STATES, Floats, as_distributions
from bbans.models._start_length import start_length
from bbans.models._training import progress_bar
from bbans.models.base import FloatModel
from bbans.models.tree_em import (
    Counts,
    Factors,
    blend,
    borrowed,
    count,
    draw,
    maximise,
    row_bits,
    steps,
)
from bbans.models.tree_start import first_tree

__all__ = ["LatentTree"]

_ONE = 1 << 15  # transitions in integers
_START_BITS = 40  # that bits back starts from, beside those that a row borrows
_DRAWN = 256  # rows by which the start of messages is measured
_PARTS = ("initial", "transitions", "emissions")  # of factors and counts


class LatentTree(FloatModel):
    """A table's columns as leaves of a tree of hidden states, in floating point.

    Each node of the tree has a state, one of K, given the state of its parent, and may
    emit one column. Rows of the table are independent. Sums over all states take K^2
    products for a node, so every probability is exact, of a row or of some columns.

    Parameters
    ----------
    parents : array_like of int, shape (n,)
        The parent of each node, -1 of node 0, the root. Nodes are in preorder: node i
        hangs below node i - 1 or an ancestor of it.
    variables : array_like of int, shape (n,)
        The column that a node emits, or -1. Each of the columns 0 .. d - 1 occurs once.
    initial : array_like of float, shape (K,)
        P(z_0). K is at most 4096.
    transitions : array_like of float, shape (n - 1, K, K)
        P(z_i | z of its parent) of the nodes but the root, [parent's, own].
    emissions : sequence of array_like of float, shapes (K, M_j)
        P(x_j | z of its node) of each column j, of values 0 .. M_j - 1.

    Raises
    ------
    ModelError
        If an argument is none of these.

    References
    ----------
    Liu, Mandt and Van den Broeck, Lossless compression with probabilistic circuits,
    ICLR 2022 (hidden Chow-Liu trees).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> first = rng.integers(0, 4, 500)
    >>> table = np.stack([first, first // 2, rng.integers(0, 3, 500)], axis=1)
    >>> model = LatentTree.fit(table, 4, progress=False)
    >>> model.sizes
    (4, 2, 3)
    >>> frozen = model.freeze()
    >>> data = frozen.encode(table)
    >>> bool((frozen.decode(data, 500) == table).all())
    True
    """

    __slots__ = ("_emissions", "_initial", "_parents", "_transitions", "_variables")

    def __init__(
        self,
        parents: ArrayLike,
        variables: ArrayLike,
        initial: ArrayLike,
        transitions: ArrayLike,
        emissions: Sequence[ArrayLike],
    ) -> None:
        self._parents = _as_preorder(parents)
        n = len(self._parents)
        self._initial = as_distributions(initial, "initial", 1)
        K = self._initial.size
        if K > MAX_STATES:
            raise ModelError(f"a model has 1 to {MAX_STATES} states, not {K}")
        if n > 1:
            self._transitions = as_distributions(transitions, "transitions", 3)
        else:
            self._transitions = np.empty((0, K, K))
        if self._transitions.shape != (n - 1, K, K):
            raise ModelError(
                f"transitions must have shape ({n - 1}, {K}, {K}), not "
                f"{self._transitions.shape}"
            )
        self._emissions = [
            as_distributions(table, f"emissions[{j}]", 2)
            for j, table in enumerate(emissions)
        ]
        for j, table in enumerate(self._emissions):
            if len(table) != K or table.shape[1] > MAX_SYMBOLS:
                raise ModelError(
                    f"emissions[{j}] must have {K} rows of 1 to {MAX_SYMBOLS} masses, "
                    f"not shape {table.shape}"
                )
        self._variables = _as_columns(variables, n, len(self._emissions))
        self._history = ()

    @classmethod
    def fit(
        cls,
        x: ArrayLike,
        n_states: int,
        *,
        sizes: ArrayLike | None = None,
        epochs: int = 10,
        batch: int = 500,
        pseudo_count: float = 0.01,
        seed: int | np.random.Generator = 0,
        init: LatentTree | None = None,
        threads: int = 1,
        callback: Callable[[LatentTree], object] | None = None,
        progress: bool | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
    ) -> LatentTree:
        """Find a tree over the columns of a table, and train it by EM in batches.

        Parameters
        ----------
        x : array_like of int, shape (N, d) or (N, ..)
            Rows, each of the values of its columns; images are flattened.
        n_states : int
            K. Training and coding take time K^2, and memory for d K (K + M) numbers.
        sizes : int or array_like of int, shape (d,), optional
            Values M_j of each column, 0 .. M_j - 1; by default those of `init`, or up
            to the largest that occurs. Rows with values beyond cannot be coded: say 2
            for black and white images, where a pixel may never be set.
        epochs : int
            Passes over the rows; with 0 the start is the result.
        batch : int
            Rows for an update. If there are no more, each epoch is an iteration of EM.
        pseudo_count : float
            Added to each expected count of all rows, >= 0: what leaves room for rows
            unlike these.
        seed : int or numpy.random.Generator
            For the start and the order of the rows.
        init : LatentTree, optional
            Where to start, with K states; its tree stays.
        threads : int
            Parts of a batch at a time, at most. The result does not depend on it. With
            more than 128 states, let BLAS have one thread beside them
            (``OPENBLAS_NUM_THREADS=1``).
        callback : callable, optional
            Called with the model after each epoch, for example to save it. An exception
            ends training.
        progress : bool, optional
            As for `HMM.fit`.
        checkpoint, resume
            As for `HMM.fit`; written after each epoch.

        Returns
        -------
        LatentTree
            Its `history` has, of each epoch, the bits of a row, each under the model as
            it was before it.

        Raises
        ------
        SymbolError
            If `x` has no rows of integers, or one is out of range.
        ModelError
            If an argument is out of range, or `init` has another number of states.

        Notes
        -----
        docs/maths.md, "Training latent trees".
        """
        n_states = as_integer(n_states, "n_states", 1, MAX_STATES)
        epochs, batch = as_integer(epochs, "epochs", 0), as_integer(batch, "batch", 1)
        threads = as_integer(threads, "threads", 1)
        if not 0 <= as_real(pseudo_count, "pseudo_count") < np.inf:
            raise ModelError(f"pseudo_count must be finite and >= 0: {pseudo_count}")
        rng, rows = as_generator(seed), _as_table(x)
        if len(rows) == 0:
            raise SymbolError("there is no row to train on")
        saved = opened(
            checkpoint, resume, cls.__name__, n_states=n_states, sizes=sizes,
            epochs=epochs, batch=batch, pseudo_count=pseudo_count, seed=seed, init=init,
        )  # fmt: skip
        if saved is not None:
            saved.require(data=data_fact([rows]))
        if saved is not None and saved.found:
            model = cast(LatentTree, saved.model("best", needed=True))
        elif init is None:
            sizes = _as_sizes(sizes, rows)
            _check_values(rows, sizes)
            model = cls(*first_tree(rows, sizes, n_states, rng))
        else:
            as_instance(init, LatentTree, "init", "a LatentTree")
            if init.n_states != n_states:
                raise ModelError(f"init has {init.n_states} states, not {n_states}")
            model = init
            _check_values(rows, model._sizes)
        batch = min(batch, len(rows))
        weights = steps(len(rows) // batch, epochs)
        factors, averages = model._factors(np.float32), None
        history: list[float] = []
        if saved is not None and saved.found:
            history = saved.entry("history", floats)
            factors, averages = _restored(saved, factors)
            saved.entry("rng", partial(setattr, rng.bit_generator, "state"))
            for _ in range(len(rows) // batch * len(history)):
                next(weights)
            model._history = tuple(history)
        with progress_bar(epochs, progress) as bar:
            bar.update(len(history))
            for _ in range(len(history), epochs):
                bits, n = 0.0, 0
                for part in _batches(len(rows), batch, rng):
                    found = count(factors, model._values(rows[part]), threads)
                    bits += float(found.bits.sum())
                    n += len(part)
                    averages = blend(averages, found, next(weights))
                    factors = maximise(
                        averages, pseudo_count / len(rows), factors, model._starts
                    )
                if not np.isfinite(bits):
                    raise SymbolError("a row is impossible under init")
                model = model._with(factors)
                history.append(bits / n)
                model._history = tuple(history)
                bar.set_postfix_str(f"{history[-1]:.4f} bits/row", False)
                bar.update()
                if saved is not None:
                    state = {"history": history, "rng": rng.bit_generator.state}
                    arrays = _arrays_of(factors, averages)
                    last = len(history) == epochs
                    saved.write({"best": model}, state, arrays, last=last)
                if callback is not None:
                    callback(model)
        return model

    @classmethod
    def from_frozen(cls, frozen: FrozenTree) -> LatentTree:
        """Return the float model with exactly a frozen model's probabilities.

        Raises
        ------
        ModelError
            If it is another kind of model.
        """
        as_instance(frozen, FrozenTree, "frozen", "a FrozenTree")
        return cls(
            frozen.parents,
            frozen.variables,
            frozen.initial / _ONE,
            frozen.transitions / _ONE,
            [table / 2.0**frozen.prec for table in frozen.emissions],
        )

    # ---- what it is

    @property
    def parents(self) -> NDArray[np.int64]:
        """The parent of each node, -1 of the root."""
        return self._parents

    @property
    def variables(self) -> NDArray[np.int64]:
        """The column of each node, or -1."""
        return self._variables

    @property
    def initial(self) -> Floats:
        """P(z_0)."""
        return self._initial

    @property
    def transitions(self) -> Floats:
        """P(z_i | z of its parent) of the nodes but the root, [parent's, own]."""
        return self._transitions

    @property
    def emissions(self) -> list[Floats]:
        """P(x_j | z of its node) of each column j."""
        return list(self._emissions)

    @property
    def n_states(self) -> int:
        """States K of a node."""
        return self._initial.size

    @property
    def n_nodes(self) -> int:
        """Nodes n."""
        return self._parents.size

    @property
    def width(self) -> int:
        """Columns d."""
        return len(self._emissions)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Values of each column."""
        return tuple(self._sizes.tolist())

    @property
    def kind(self) -> Kind:
        """What the frozen model encodes, if it is not said otherwise: integers."""
        return "integers"

    def __repr__(self) -> str:
        return (
            f"<LatentTree: {self.width} columns, {self.n_nodes} nodes of "
            f"{self.n_states} states>"
        )

    # ---- probabilities

    def information_content(self, x: ArrayLike) -> float:
        """Compute -log2 P(x) of all rows together, in bits.

        Parameters
        ----------
        x
            As of `row_bits`.
        """
        return float(self.row_bits(x).sum())

    def row_bits(self, x: ArrayLike, *, threads: int = 1) -> NDArray[np.float64]:
        """Compute -log2 P(x) of each row, in bits: infinite if it is impossible.

        Parameters
        ----------
        x : array_like of int, shape (N, d) or (N, ..)
        threads : int
            Parts of the rows at a time, at most.

        Returns
        -------
        ndarray of float64, shape (N,)

        Raises
        ------
        SymbolError
            If there are no rows of d values, or a value is not of its column.
        """
        rows = _as_table(x)
        _check_values(rows, self._sizes)
        return row_bits(self._factors(np.float64), self._values(rows), threads)

    def marginal(self, columns: Iterable[int]) -> LatentTree:
        """Return the exact model of some columns, without the others.

        Parameters
        ----------
        columns : iterable of int
            Which, in the order that rows of them have.

        Raises
        ------
        ModelError
            If there is no such column, one is there twice, or none is given.

        Notes
        -----
        Nodes below which nothing is observed are left out.
        """
        kept = [as_integer(j, "columns", 0, self.width - 1) for j in columns]
        if not kept or len({*kept}) < len(kept):
            raise ModelError(f"columns must be some, each once, not {kept}")
        place = np.full(self.width + 1, -1)  # the last: of no column
        place[kept] = np.arange(len(kept))
        variables = place[self._variables]
        needed = variables >= 0
        needed[0] = True
        for v in range(self.n_nodes - 1, 0, -1):
            needed[self._parents[v]] |= needed[v]
        nodes = np.flatnonzero(needed)
        number = np.append(np.cumsum(needed) - 1, -1)  # the last: of no node
        return LatentTree(
            number[self._parents[nodes]],
            variables[nodes],
            self._initial,
            self._transitions[nodes[1:] - 1],
            [self._emissions[j] for j in kept],
        )

    def sample(self, n: int, *, seed: int | np.random.Generator) -> NDArray[np.int64]:
        """Draw rows.

        Parameters
        ----------
        n : int
        seed : int or numpy.random.Generator

        Returns
        -------
        ndarray of int64, shape (n, d)
        """
        n, rng = as_integer(n, "n", 0), as_generator(seed)
        states = np.empty((self.n_nodes, n), np.int64)
        states[0] = draw(np.tile(self._initial, (n, 1)), rng)
        for v, parent in enumerate(self._parents[1:].tolist(), 1):
            states[v] = draw(self._transitions[v - 1][states[parent]], rng)
        x = np.empty((n, self.width), np.int64)
        for v, j in enumerate(self._variables.tolist()):
            if j >= 0:
                x[:, j] = draw(self._emissions[j][states[v]], rng)
        return x

    def freeze(
        self, prec: int = 24, *, kind: Kind = "integers", predictive: bool = False
    ) -> FrozenTree:
        """Turn the parameters into integers, with which rows are coded.

        Parameters
        ----------
        prec : int
            Precision r of the emissions in bits, 1 to 28; M is at most ``2**r``.
        kind : {"integers", "bytes"}
            What rows are given as: bytes, if their integers are.
        predictive : bool
            The mode: "predictive" codes each value by its distribution given those
            before it, "iconoclasm", the default, by bits back.

        Returns
        -------
        FrozenTree

        Raises
        ------
        ModelError
            If `prec` is out of range, or integers are no bytes.

        Notes
        -----
        How a message starts is measured on rows drawn from the model.
        """
        rng = np.random.default_rng(0)
        drawn = self._values(self.sample(_DRAWN, seed=rng))
        factors = self._factors(np.float64)
        bits, lent = row_bits(factors, drawn), borrowed(factors, drawn, rng)
        start_bits = _START_BITS + math.ceil(lent.max())
        return FrozenTree(
            self._parents,
            self._variables,
            short_masses(self._initial),
            short_masses(self._transitions),
            [quantise(table, prec) for table in self._emissions],
            prec=prec,
            # 6 more for shortest fractions that happen to be short
            start_length=start_length(bits.mean(), bits.var(), start_bits + 6),
            start_bits=start_bits,
            kind=kind,
            mode=MODES[bool(predictive)],
        )

    # ---- for training and files

    @property
    def _sizes(self) -> NDArray[np.int64]:
        return np.array([table.shape[1] for table in self._emissions])

    @property
    def _starts(self) -> NDArray[np.int64]:
        """Where the values of each column that a node has begin in `Factors.emissions`,
        node after node."""
        sizes = self._sizes[self._variables[self._variables >= 0]]
        return np.cumsum(sizes) - sizes

    def _values(self, rows: NDArray[Any]) -> NDArray[np.int32]:
        """Of each node and row, the row of `Factors.emissions`, shape (n, N)."""
        last = int(self._sizes.sum())  # all ones
        values = np.full((self.n_nodes, len(rows)), last, np.int32)
        emitting = self._variables >= 0
        values[emitting] = rows[:, self._variables[emitting]].T
        values[emitting] += self._starts[:, None].astype(np.int32)
        return values

    def _factors(self, dtype: Any) -> Factors:
        tables = [self._emissions[j].T for j in self._variables.tolist() if j >= 0]
        return Factors(
            self._parents.tolist(),
            self._initial.astype(dtype),
            self._transitions.astype(dtype),
            np.concatenate([*tables, np.ones((1, self.n_states))]).astype(dtype),
        )

    def _with(self, factors: Factors) -> LatentTree:
        """This tree with other parameters."""
        tables = np.split(factors.emissions[:-1].astype(np.float64), self._starts[1:])
        columns = self._variables[self._variables >= 0].tolist()
        by_column = dict(zip(columns, tables, strict=True))
        return LatentTree(
            self._parents,
            self._variables,
            _normal(factors.initial),
            _normal(factors.transitions),
            [_normal(by_column[j].T) for j in range(self.width)],
        )

    def _arrays(self) -> Arrays:
        return {
            "parents": self._parents,
            "variables": self._variables,
            "initial": self._initial,
            "transitions": self._transitions,
            "sizes": self._sizes,
            "emissions": np.concatenate(self._emissions, axis=1),
        }

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> LatentTree:
        sizes, emissions = arrays["sizes"], arrays["emissions"]
        if emissions.ndim != 2 or emissions.shape[1] != sizes.sum():
            raise ModelError("emissions do not have as many values as sizes say")
        return cls(
            arrays["parents"],
            arrays["variables"],
            arrays["initial"],
            arrays["transitions"],
            np.split(emissions, np.cumsum(sizes)[:-1], axis=1),
        )


def _normal(table: NDArray[Any]) -> Floats:
    """Rows of float32 as rows of float64, whose sums are 1 to their last digits."""
    rows = table.astype(np.float64)
    total: Floats = rows / rows.sum(axis=-1, keepdims=True)
    return total


def short_masses(table: Floats) -> NDArray[np.int64]:
    """Rows as integers of 15 bits that sum to 2^15, the largest remainders rounded up;
    where there are several, each is less than that."""
    K = table.shape[-1]
    rows = table.reshape(-1, K) * _ONE
    masses = rows.astype(np.int64)
    short = _ONE - masses.sum(axis=1, keepdims=True)
    order = np.argsort(masses - rows, axis=1, kind="stable")
    ranks = np.argsort(order, axis=1, kind="stable")
    masses += ranks < short
    if K > 1:
        whole = np.flatnonzero((masses == _ONE).any(axis=1))
        masses[whole] = np.minimum(masses[whole], _ONE - 1)
        masses[whole, np.argsort(-rows[whole], axis=1, kind="stable")[:, 1]] += 1
    return masses.reshape(table.shape)


def _arrays_of(factors: Factors, averages: Counts | None) -> Arrays:
    """What training goes on from, as a checkpoint has it: the bits of float32."""
    assert averages is not None
    return {
        f"{name}_{part}": np.ascontiguousarray(getattr(of, part)).view(np.uint32)
        for name, of in (("factors", factors), ("averages", averages))
        for part in _PARTS
    }


def _restored(saved: Checkpoint, factors: Factors) -> tuple[Factors, Counts]:
    """What `_arrays_of` made."""
    factor, average = (
        [saved.array(f"{name}_{part}").view(np.float32) for part in _PARTS]
        for name in ("factors", "averages")
    )
    return Factors(factors.parents, *factor), Counts._make([*average, np.zeros(0)])


def _batches(
    n: int, size: int, rng: np.random.Generator
) -> Iterator[NDArray[np.int64]]:
    """Whole batches of rows in random order; all rows in order, if they are one."""
    order = np.arange(n) if size == n else rng.permutation(n)
    for first in range(0, n - size + 1, size):
        yield order[first : first + size]


# ---- what callers pass


def _as_preorder(parents: ArrayLike) -> NDArray[np.int64]:
    """The parents that were given, if they are of a tree in preorder."""
    array = _as_numbers(parents, "parents")
    path: list[int] = []  # from the root to the node before
    for i, parent in enumerate(array.tolist()):
        while path and path[-1] != parent:
            path.pop()
        if (parent != -1) if i == 0 else not path:
            raise ModelError(
                f"parents[{i}] is {parent}: it must be "
                + ("-1" if i == 0 else f"{i - 1} or an ancestor of it")
            )
        path.append(i)
    if not path:
        raise ModelError("a tree has at least one node")
    return array


def _as_columns(variables: ArrayLike, n: int, d: int) -> NDArray[np.int64]:
    """The columns of nodes that were given, if each column is there once."""
    array = _as_numbers(variables, "variables")
    if len(array) != n:
        raise ModelError(f"variables must be of {n} nodes, not {len(array)}")
    found = np.sort(array[array != -1])
    if d == 0 or not np.array_equal(found, np.arange(d)):
        raise ModelError(
            f"variables must have each of {d} columns of emissions once, and -1 where "
            f"a node has none, not {array.tolist()}"
        )
    return array


def _as_numbers(values: ArrayLike, what: str) -> NDArray[np.int64]:
    array = as_array(values, what, ModelError)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ModelError(f"{what} must be integers on one axis, not {array!r}")
    numbers = array.astype(np.int64)
    numbers.setflags(write=False)
    return numbers


def _as_table(x: ArrayLike) -> NDArray[Any]:
    """The rows that were given, shape (N, d)."""
    rows = as_array(x, "rows")
    if rows.size and rows.dtype.kind not in "iu":
        raise not_integers("rows", rows)
    if rows.ndim < 2 or 0 in rows.shape[1:]:
        raise SymbolError(f"rows of a table have shape (N, d), not {rows.shape}")
    return rows.reshape(len(rows), math.prod(rows.shape[1:]))


def _as_sizes(sizes: ArrayLike | None, rows: NDArray[Any]) -> NDArray[np.int64]:
    """Values of each column: those that were given, or up to the largest."""
    if sizes is None:
        found = rows.max(axis=0).astype(object) + 1  # may be beyond 64 bits
        high = int(found.argmax())
        if found[high] > MAX_SYMBOLS:
            raise ModelError(
                f"column {high} has values up to {found[high] - 1}, and may have 0 to "
                f"{MAX_SYMBOLS - 1}: number those that occur"
            )
        return np.array(np.maximum(found, 1), np.int64)
    array = as_array(sizes, "sizes", ModelError)
    if (
        array.dtype.kind not in "iu"
        or array.shape not in ((), (rows.shape[1],))
        or array.min() < 1
        or array.max() > MAX_SYMBOLS
    ):
        raise ModelError(
            f"sizes must be integers of 1 to {MAX_SYMBOLS}, one or one for each of "
            f"{rows.shape[1]} columns, not {sizes!r}"
        )
    return np.full(rows.shape[1], array, np.int64)


def _check_values(rows: NDArray[Any], sizes: NDArray[np.int64]) -> None:
    """Refuse rows of another width, or a value that its column does not have."""
    if rows.shape[1] != len(sizes):
        raise SymbolError(
            f"rows have {rows.shape[1]} values, and the model {len(sizes)}"
        )
    wrong = (rows < 0) | (rows >= sizes)
    if wrong.any():
        n, j = np.unravel_index(int(wrong.argmax()), wrong.shape)
        raise SymbolError(
            f"row {n}: value {rows[n, j]} of column {j} is not among its 0 .. "
            f"{sizes[j] - 1}"
        )
