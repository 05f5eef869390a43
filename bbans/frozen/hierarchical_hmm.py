"""Frozen hierarchical hidden Markov models: docs/maths.md, "Hierarchical hidden Markov
models"."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_integer, as_parts
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans.codecs.compose import Dependent
from bbans.codecs.finite_graph import FiniteGraph
from bbans.distributions.categorical import Categorical, Weighted
from bbans.distributions.table import Table, edges_of
from bbans.errors import CorruptError, ModelError
from bbans.frozen.alphabet import Alphabet
from bbans.frozen.base import MODES, Mode, Start, check_end, header_bytes, read_header
from bbans.frozen.hmm import (
    Belief,
    SymbolModel,
    check_masses,
    emission_alphabet,
    listed,
    listed_bytes,
    read_alphabet,
    words_of,
)

__all__ = ["LEVELS_MAX", "FrozenHierarchicalHMM", "HierarchySteps"]

NUMBERS = 3  # of the header before the states of each level: L, M, c
LEVELS_MAX = int(lib.BBANS_LEVELS_MAX)
JOINT_BITS, POSTERIOR_BITS = 31, 26  # of the sums of weights

Levels = tuple[int, ...]
"""A state of each level, the lowest first."""


class FrozenHierarchicalHMM(SymbolModel):
    """A hidden Markov model of several levels in integers, ready to code.

    Level 1 is next to the data. The next state of a level depends on the one before it
    and on the next one of the level above:
    P(z_t^l | z_t-1^l, z_t^l+1), P(z_t^L | z_t-1^L), P(x_t | z_t^1).

    Parameters
    ----------
    initial : sequence of array_like of int
        For each level, the lowest first, masses of its first state: shape (K', K), with
        a row for each state of the level above; (K,) for the last level.
    transition : sequence of array_like of int
        For each level masses of its next state: shape (K', K, K), by the state of the
        level above and the state before; (K, K) for the last level.
    emission : array_like of int, shape (K, M)
        Masses of the symbols for each state of the lowest level.
    prec : int
        Precision r in bits, 1 to 28: masses are at least 1, and rows sum to ``2**r``.
    start_length : int
        Observations at the end of a sequence that start it, 1 to 65535.
    alphabet : Alphabet, optional
        What the symbols 0 .. M-1 stand for; by default these integers.
    mode : {"iconoclasm", "predictive"}
        See `FrozenModel.mode`.

    Raises
    ------
    ModelError
        If an argument breaks a condition above, there are more than 8 levels, or more
        than 4096 combinations of their states.

    Notes
    -----
    Immutable; may be shared between threads. Most models come from
    ``HierarchicalHMM.freeze()``.
    """

    TYPE = 6
    NAME = "a hierarchical hidden Markov model"

    def __init__(
        self,
        initial: Sequence[ArrayLike],
        transition: Sequence[ArrayLike],
        emission: ArrayLike,
        *,
        prec: int,
        start_length: int,
        alphabet: Alphabet | None = None,
        mode: Mode = "iconoclasm",
    ) -> None:
        self._initial, self._transition = (
            tuple(as_uint32(mass, "mass").copy() for mass in as_parts(levels, *wanted))
            for levels, *wanted in (
                (initial, "initial", "an array of masses for each level"),
                (transition, "transition", "an array of masses for each level"),
            )
        )
        masses = as_uint32(emission, "mass").copy()
        alphabet = emission_alphabet(masses, alphabet)
        n_symbols = masses.shape[1]
        prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
        start_length = as_integer(start_length, "start_length", 1, lib.BBANS_START_MAX)
        self._n_states = _states_of(self._initial, self._transition, masses)
        states = ffi.new("size_t[]", self._n_states)
        size = lib.bbans_hierarchy_bytes(len(states), states, n_symbols)
        if size == 0:
            raise ModelError(
                f"levels of {self._n_states} states, or {n_symbols} symbols, are too "
                f"many: {LEVELS_MAX} levels, {lib.BBANS_STATES_MAX} combinations of "
                f"their states and {lib.BBANS_SYMBOLS_MAX} symbols are the most"
            )
        for name, table in _named(self._initial, self._transition, masses):
            check_masses(name, table.reshape(-1, table.shape[-1]), prec)
            table.flags.writeable = False
        tables = np.concatenate([table.ravel() for table in self._tables(masses)])
        self._memory = np.empty(size // 8 + 1, np.uint64)
        c = ffi.new("bbans_hierarchy *")
        check(
            lib.bbans_hierarchy_init(
                c, len(states), states, n_symbols, prec, start_length, pointer(tables),
                pointer(self._memory, "uint64_t[]"), self._memory.nbytes,
            )
        )  # fmt: skip
        super().__init__(c, masses, alphabet, mode)

    def _tables(self, emission: NDArray[np.uint32]) -> list[NDArray[np.uint32]]:
        """In the order of files."""
        levels = zip(self._initial, self._transition, strict=True)
        return [table for level in levels for table in level] + [emission]

    # ---- what it is

    @property
    def n_levels(self) -> int:
        """Number of levels L."""
        return len(self._n_states)

    @property
    def n_states(self) -> Levels:
        """Number of states of each level, the lowest first."""
        return self._n_states

    @property
    def initial(self) -> tuple[NDArray[np.uint32], ...]:
        """Integer masses of z_1^l given z_1^l+1 (row), for each level."""
        return self._initial

    @property
    def transition(self) -> tuple[NDArray[np.uint32], ...]:
        """Integer masses of z_t^l given z_t^l+1 and z_t-1^l, for each level."""
        return self._transition

    def state_space(self) -> HierarchySteps:
        """Return the model step by step: states are tuples, the lowest level first, and
        observations symbol numbers 0 .. M-1."""
        return HierarchySteps(self)

    def graph(self, length: int) -> FiniteGraph:
        """Return the model as a graph, for a `Schedule` over time and levels.

        Parameters
        ----------
        length : int
            T >= 1.

        Returns
        -------
        FiniteGraph
            Of latents ``("z", l, t)``, the lowest level l = 1, and of observations
            ``("x", t)``, symbol numbers 0 .. M-1, for t = 1 .. T.

        Raises
        ------
        ModelError
            If the length is out of range.

        See Also
        --------
        bbans.codecs.aligned, bbans.codecs.staircase : Orders of its nodes.
        """
        length = as_integer(length, "length", 1)
        nodes: dict[Any, tuple[list[Any], NDArray[np.uint32]]] = {}
        for t in range(1, length + 1):
            for level in range(self.n_levels, 0, -1):
                parents = [("z", level + 1, t)] if level < self.n_levels else []
                if t == 1:
                    masses = self._initial[level - 1]
                else:
                    masses = self._transition[level - 1]
                    parents.append(("z", level, t - 1))
                nodes["z", level, t] = parents, masses
            nodes["x", t] = [("z", 1, t)], self._emission
        return FiniteGraph(nodes)

    def __repr__(self) -> str:
        states = " x ".join(map(str, self.n_states))
        return (
            f"<FrozenHierarchicalHMM {self.fingerprint.hex()}: {states} states, "
            f"{self.n_symbols} symbols, {self.prec} bits>"
        )

    # ---- the recursions, over all states together: z_1 + K_1 (z_2 + K_2 (..))

    def filter(
        self, symbols: ArrayLike, predicted: NDArray[np.uint32] | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Compute exact forward messages.

        Parameters
        ----------
        symbols : array_like of int, shape (T,)
            Symbol numbers 0 .. M-1.
        predicted : ndarray of uint32, shape (S,), optional
            Weights of the first states given the past; by default those of z_1.

        Returns
        -------
        filtered : ndarray of uint32, shape (T, S)
            Weights of the states z_t, all levels together, given x_1 .. x_t;
            unnormalised. The lowest level's number counts 1, and each level's as much
            as all those below have states.
        predicted : ndarray of uint32, shape (S,)
            Weights of z_T+1 given x_1 .. x_T.
        """
        values = self._observations(symbols)
        weights = self._weights(predicted).astype(np.uint64)
        filtered = np.empty((values.size, weights.size), np.uint32)
        for t, x in enumerate(values.tolist()):
            emitted = self._emission[:, x].astype(np.uint64)
            products = weights.reshape(-1, emitted.size) * emitted
            weights = fit(products.ravel(), JOINT_BITS)
            filtered[t] = weights
            weights = self._next(weights)
        return filtered, weights.astype(np.uint32)

    def forward(self, x: Any) -> NDArray[np.uint32]:
        """Compute the exact forward messages of a sequence: see `FrozenModel`."""
        return self.filter(self._symbols(x))[0]

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return the masses, level by level, and the emissions."""
        return dict(_named(self.initial, self.transition, self.emission))

    def _next(self, weights: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Predicted weights from filtered ones: level by level, from the last."""
        for level, n in reversed([*enumerate(self.n_states)]):
            masses = self._transition[level].astype(np.uint64).reshape(-1, n, n)
            # [.., state above, before, states below]; the level above has taken its
            # step. Sums stay below 2**59.
            below = math.prod(self.n_states[:level])
            before = weights.reshape(-1, len(masses), n, below)
            weights = masses.transpose(0, 2, 1) @ before >> np.uint64(self.prec)
        return weights.reshape(-1) + np.uint64(1)

    def levels(
        self, filtered: ArrayLike, z_next: Levels | None = None
    ) -> list[NDArray[np.uint64]]:
        """Weights g of z_t and below, given x_1 .. x_t and the next state.

        Parameters
        ----------
        filtered : array_like of int, shape (S,)
        z_next : tuple of int, optional
            The state of each level at t + 1; None without one.

        Returns
        -------
        list of ndarray of uint64
            For each level l, shape (K_l, ..., K_1): states above are summed over.
        """
        weights = self._weights(filtered).astype(np.uint64)
        found = [weights.reshape(self.n_states[::-1])]
        for level in reversed(range(1, self.n_levels)):
            into, last = self.into(level, z_next), found[0]
            below = fit(into @ last.reshape(into.size, -1), JOINT_BITS)
            found.insert(0, below.reshape(last.shape[1:]))
        return found

    def into(self, level: int, z_next: Levels | None) -> NDArray[np.uint64]:
        """Masses with which the states of a level (from 0) lead to its next one, shape
        (K_l,); all 1 without one."""
        if z_next is None:
            return np.full(self.n_states[level], 1, np.uint64)
        rows = self._transition[level]
        if level + 1 < self.n_levels:
            rows = rows[z_next[level + 1]]
        return rows[:, z_next[level]].astype(np.uint64)

    def predictive_cdf(
        self, predicted: NDArray[np.uint32] | None = None
    ) -> NDArray[np.uint32]:
        """Edges of P(x_t+1 | x_1 .. x_t), shape (M + 1,), from the weights of z_t+1."""
        weights = self._weights(predicted).astype(np.uint64)
        return self._predictive_edges(weights.reshape(-1, self.n_states[0]).sum(0))

    def _weights(self, values: ArrayLike | None) -> NDArray[np.uint32]:
        """Weights of the states, by default those of z_1, within the bounds that the
        recursions rely on."""
        if values is None:
            return self._first_weights()
        weights = as_uint32(values, "weight")
        n = math.prod(self.n_states)
        if weights.shape != (n,):
            raise ModelError(f"weights must have shape ({n},)")
        if not 0 < weights.sum(dtype=np.uint64) < 1 << 32:
            raise ModelError("weights must have a sum from 1 to 2**32 - 1")
        return weights

    def _first_weights(self) -> NDArray[np.uint32]:
        """Those of z_1, from the last level down, whose axis is the first."""
        full = np.uint64(JOINT_BITS - self.prec)
        weights = self._initial[-1].astype(np.uint64) << full
        for masses in reversed(self._initial[:-1]):
            weights = weights[..., None] * masses.astype(np.uint64)
            weights >>= np.uint64(self.prec)
        return (weights.ravel() + np.uint64(1)).astype(np.uint32)

    # ---- its file: docs/format.md, "Model file"

    def _payload(self) -> bytes:
        header = self._header(
            self.prec, self.alphabet.values is not None,
            self.n_levels, self.n_symbols, self.start_length, *self.n_states,
        )  # fmt: skip
        tables = map(words_of, self._tables(self._emission))
        return b"".join([header, listed(self.alphabet), *tables])

    @classmethod
    def _read(cls, data: bytes) -> FrozenHierarchicalHMM:
        head = read_head(data)
        check_end(data, head.offsets()[1])
        begin, end = head.offsets()
        words = np.frombuffer(data[begin:end], "<u4").astype(np.uint32)
        shapes = head.shapes()
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        tables = [
            part.reshape(shape)
            for part, shape in zip(np.split(words, ends[:-1]), shapes, strict=True)
        ]
        alphabet = data[head.header_bytes : begin]
        return cls(
            tables[0:-1:2],
            tables[1:-1:2],
            tables[-1],
            prec=head.start.detail,
            start_length=head.start_length,
            alphabet=read_alphabet(alphabet, head.n_symbols, head.start),
            mode=MODES[head.start.mode],
        )


# ---- step by step


class _TopDown:
    """A codec of states of all levels, of which the last is popped first."""

    def __init__(self, parts: list[Any]) -> None:
        self._codec = Dependent(parts)

    def push(self, message: Any, z: Levels) -> None:
        self._codec.push(message, z[::-1])

    def pop(self, message: Any) -> Levels:
        return self._codec.pop(message)[::-1]

    def __repr__(self) -> str:
        return f"_TopDown({self._codec!r})"


class HierarchySteps:
    """The conditionals of a frozen hierarchical HMM; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenHierarchicalHMM

    Notes
    -----
    docs/maths.md, "Hierarchical hidden Markov models". States are tuples of a number
    for each level, the lowest first; observations are symbol numbers 0 .. M-1.
    """

    def __init__(self, frozen: FrozenHierarchicalHMM) -> None:
        self._frozen = frozen
        prec = frozen.prec
        self._initial = [_table(mass, prec) for mass in frozen.initial]
        self._transition = [_table(mass, prec) for mass in frozen.transition]
        self._emission = Table(edges_of(frozen.emission), prec)
        self.start_length = frozen.start_length
        self.start_bits = frozen.start_bits

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._frozen!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._frozen,)

    def prior(self, z: Levels | None) -> _TopDown:
        """P(z_t | z_t-1), or P(z_1): each level given the one above."""

        def given(level: int) -> Callable[..., Categorical]:
            def codec(*upper: int) -> Categorical:
                above = int(upper[-1]) if upper else 0
                if z is None:
                    return Categorical(self._initial[level], above)
                row = above * self._frozen.n_states[level] + int(z[level])
                return Categorical(self._transition[level], row)

            return codec

        return _TopDown([given(level) for level in self._down()])

    def likelihood(self, z: Levels) -> Categorical:
        """P(x_t | z_t^1)."""
        return Categorical(self._emission, z[0])

    def update(self, belief: Belief | None, x: Any) -> Belief:
        """One step of the exact integer filter."""
        predicted = None if belief is None else belief.predicted
        filtered, predicted = self._frozen.filter([x], predicted)
        return Belief(filtered[0], predicted)

    def posterior(self, belief: Belief, z_next: Levels | None) -> Dependent:
        """Q(z_t | x_1 .. x_t, z_t+1), or Q(z_T | x_1 .. x_T): each level given those
        below it."""
        weights = self._frozen.levels(belief.filtered, z_next)

        def given(level: int) -> Callable[..., Weighted]:
            into = self._frozen.into(level, z_next)

            def codec(*lower: int) -> Weighted:
                row = weights[level]  # the lowest level is the last axis
                for z in lower:
                    row = row[..., int(z)]
                return Weighted(fit(row * into, POSTERIOR_BITS))

            return codec

        return Dependent([given(level) for level in range(self._frozen.n_levels)])

    def predictive(self, belief: Belief | None) -> Categorical:
        """P(x_t+1 | x_1 .. x_t)."""
        predicted = None if belief is None else belief.predicted
        return Categorical(
            Table(self._frozen.predictive_cdf(predicted), self._frozen.prec)
        )

    def _down(self) -> range:
        return range(self._frozen.n_levels - 1, -1, -1)


def _table(masses: NDArray[np.uint32], prec: int) -> Table:
    """Of rows by the state above, and then by the one before."""
    rows = masses.reshape(-1, masses.shape[-1])
    return Table(edges_of(rows), prec)


def fit(values: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    """Scale by a power of two for the sum to be one of `bits` bits, rounding down."""
    shift = int(values.sum()).bit_length() - bits
    if shift >= 0:
        return values >> np.uint64(shift)
    return values << np.uint64(-shift)


# ---- its tables and its file


def _named(
    initial: Sequence[NDArray[np.uint32]],
    transition: Sequence[NDArray[np.uint32]],
    emission: NDArray[np.uint32],
) -> list[tuple[str, NDArray[np.uint32]]]:
    """The tables, and what they are called in errors."""
    found = [(f"initial[{i}]", table) for i, table in enumerate(initial)]
    found += [(f"transition[{i}]", table) for i, table in enumerate(transition)]
    return [*found, ("emission", emission)]


def _states_of(
    initial: Sequence[NDArray[np.uint32]],
    transition: Sequence[NDArray[np.uint32]],
    emission: NDArray[np.uint32],
) -> Levels:
    """The number of states of each level, from tables whose shapes agree.

    Raises
    ------
    ModelError
        If they do not.
    """
    levels = len(initial)
    if not 1 <= levels <= LEVELS_MAX or len(transition) != levels:
        raise ModelError(
            f"initial and transition must be lists of 1 to {LEVELS_MAX} arrays, one "
            f"for each level, not of {levels} and {len(transition)}"
        )
    states = [int(emission.shape[0])]
    for table in initial[:-1]:
        if table.ndim != 2:
            raise ModelError(
                "initial must have an array of two dimensions for each level but the "
                "last: the states above, and its own"
            )
        states.append(int(table.shape[0]))
    for name, table, shape in zip(
        [name for name, _ in _named(initial, transition, emission)],
        [*initial, *transition, emission],
        [*_shapes(states, 1), *_shapes(states, 2), emission.shape],
        strict=True,
    ):
        if table.shape != shape:
            raise ModelError(f"{name} must have shape {shape}, not {table.shape}")
    return tuple(states)


def _shapes(states: Sequence[int], own: int) -> list[Levels]:
    """Of the tables of each level, which end in so many axes of its own states."""
    above = [(n,) for n in states[1:]] + [()]
    return [(*up, *(n,) * own) for up, n in zip(above, states, strict=True)]


class Head(NamedTuple):
    """The header of a model file, after magic and version."""

    start: Start
    n_states: Levels
    n_symbols: int
    start_length: int

    @property
    def header_bytes(self) -> int:
        """Where it ends."""
        return header_bytes(NUMBERS + len(self.n_states))

    def shapes(self) -> list[Levels]:
        """Of the tables, in the order of the file."""
        pairs = zip(_shapes(self.n_states, 1), _shapes(self.n_states, 2), strict=True)
        tables = [shape for pair in pairs for shape in pair]
        return [*tables, (self.n_states[0], self.n_symbols)]

    def offsets(self) -> tuple[int, int]:
        """Where the masses begin and end."""
        begin = self.header_bytes + listed_bytes(self.n_symbols, self.start)
        return begin, begin + 4 * sum(map(math.prod, self.shapes()))


def n_levels(data: bytes) -> int:
    """The number of levels in the header that these bytes begin.

    Raises
    ------
    TruncatedError, VersionError, FormatError
        If they begin no model file.
    CorruptError
        If there can be no such number.
    """
    _, (levels, *_) = read_header(data, NUMBERS)
    return as_integer(levels, "number of levels", 1, LEVELS_MAX, CorruptError)


def read_head(data: bytes) -> Head:
    """Read the header of the model file that these bytes begin.

    Raises
    ------
    TruncatedError, VersionError, FormatError, CorruptError
        As for `n_levels`.
    """
    start, numbers = read_header(data, NUMBERS + n_levels(data))
    _, n_symbols, start_length, *n_states = numbers
    return Head(start, tuple(n_states), n_symbols, start_length)
