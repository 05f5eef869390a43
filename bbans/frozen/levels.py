"""What frozen models share whose states are several numbers: docs/maths.md,
"Hierarchical hidden Markov models" and "Factorial hidden Markov models"."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_integer, as_parts
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans.codecs.compose import Dependent
from bbans.distributions.categorical import Weighted
from bbans.distributions.table import Table, edges_of
from bbans.errors import CorruptError, ModelError
from bbans.frozen.alphabet import Alphabet
from bbans.frozen.base import MODES, Mode, Start, check_end, header_bytes, read_header
from bbans.frozen.hmm import (
    Belief,
    SymbolModel,
    SymbolSteps,
    as_weights,
    check_masses,
    emission_alphabet,
    listed,
    listed_bytes,
    read_alphabet,
    words_of,
)

__all__ = ["LEVELS_MAX", "LevelModel", "LevelSteps", "Levels"]

NUMBERS = 3  # of the header before the states of each level: L, M, c
LEVELS_MAX = int(lib.BBANS_LEVELS_MAX)
JOINT_BITS, POSTERIOR_BITS = 31, 26  # of the sums of weights

Levels = tuple[int, ...]
"""A state of each level, or of each chain."""

_Made = TypeVar("_Made", bound="LevelModel")


class LevelModel(SymbolModel):
    """What models share whose states are several numbers, of levels or of chains.

    Parameters
    ----------
    initial, transition, emission, prec, start_length, alphabet, mode
        As for `FrozenHierarchicalHMM`.

    Notes
    -----
    Inside, levels are in the order of files: the first one's number runs fastest.
    `ORDER` is -1 where those outside are in the opposite order.
    """

    C_NAME: ClassVar[str]  # of the struct, before _bytes and _init
    PART: ClassVar[str]
    ORDER: ClassVar[int] = 1

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
            tuple(as_uint32(mass, "mass").copy() for mass in as_parts(levels, *wanted))[
                :: self.ORDER
            ]
            for levels, *wanted in (
                (initial, "initial", f"an array of masses for each {self.PART}"),
                (transition, "transition", f"an array of masses for each {self.PART}"),
            )
        )
        masses = as_uint32(emission, "mass").copy()
        alphabet = emission_alphabet(masses, alphabet)
        n_symbols = masses.shape[1]
        prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
        start_length = as_integer(start_length, "start_length", 1, lib.BBANS_START_MAX)
        self._n_states = self._checked_states(masses)
        states = ffi.new("size_t[]", self._n_states)
        size = getattr(lib, f"{self.C_NAME}_bytes")(len(states), states, n_symbols)
        if size == 0:
            raise ModelError(
                f"{self.PART}s of {self.n_states} states, or {n_symbols} symbols, are "
                f"too many: {LEVELS_MAX} {self.PART}s, {lib.BBANS_STATES_MAX} "
                f"combinations of their states and {lib.BBANS_SYMBOLS_MAX} symbols are "
                "the most"
            )
        for name, table in named(self.initial, self.transition, masses):
            check_masses(name, table.reshape(-1, table.shape[-1]), prec)
            table.flags.writeable = False
        tables = np.concatenate([table.ravel() for table in self._tables(masses)])
        self._memory = np.empty(size // 8 + 1, np.uint64)
        c = ffi.new(f"{self.C_NAME} *")
        check(
            getattr(lib, f"{self.C_NAME}_init")(
                c, len(states), states, n_symbols, prec, start_length, pointer(tables),
                pointer(self._memory, "uint64_t[]"), self._memory.nbytes,
            )
        )  # fmt: skip
        super().__init__(c, masses, alphabet, mode)

    def _checked_states(self, emission: NDArray[np.uint32]) -> Levels:
        """The number of states of each level, from tables whose shapes agree.

        Raises
        ------
        ModelError
            If they do not.
        """
        levels = len(self._initial)
        if not 1 <= levels <= LEVELS_MAX or len(self._transition) != levels:
            raise ModelError(
                f"initial and transition must be lists of 1 to {LEVELS_MAX} arrays, "
                f"one for each {self.PART}, not of {levels} and {len(self._transition)}"
            )
        states = self._states_of(emission)
        *pairs, emitted = self.shapes(states, emission.shape[1])
        initial, transition = pairs[::2], pairs[1::2]
        for (name, table), shape in zip(
            named(self.initial, self.transition, emission),
            [*initial[:: self.ORDER], *transition[:: self.ORDER], emitted],
            strict=True,
        ):
            if table.shape != shape:
                raise ModelError(f"{name} must have shape {shape}, not {table.shape}")
        return states

    def _tables(self, emission: NDArray[np.uint32]) -> list[NDArray[np.uint32]]:
        """In the order of files."""
        levels = zip(self._initial, self._transition, strict=True)
        return [table for level in levels for table in level] + [emission]

    # ---- what it is

    @property
    def n_states(self) -> Levels:
        """Number of states of each level, the lowest first, or of each chain."""
        return self._n_states[:: self.ORDER]

    @property
    def initial(self) -> tuple[NDArray[np.uint32], ...]:
        """Integer masses of z_1^l given z_1^l+1 (row), for each level; or of z_1, for
        each chain."""
        return self._initial[:: self.ORDER]

    @property
    def transition(self) -> tuple[NDArray[np.uint32], ...]:
        """Integer masses of z_t^l given z_t^l+1 and z_t-1^l, for each level; or of z_t
        given z_t-1 (row), for each chain."""
        return self._transition[:: self.ORDER]

    def __repr__(self) -> str:
        states = " x ".join(map(str, self.n_states))
        return (
            f"<{type(self).__name__} {self.fingerprint.hex()}: {states} states, "
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
            unnormalised. One number runs fastest, the lowest level's, or the last
            chain's, and each other as much slower as all those before have states.
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
        return dict(named(self.initial, self.transition, self.emission))

    def levels(
        self, filtered: ArrayLike, z_next: Levels | None = None
    ) -> list[NDArray[np.uint64]]:
        """Weights g of z_t and below, given x_1 .. x_t and the next state.

        Parameters
        ----------
        filtered : array_like of int, shape (S,)
        z_next : tuple of int, optional
            The state of each level at t + 1, in the order of files; None without one.

        Returns
        -------
        list of ndarray of uint64
            For each level l, in that order, shape (K_l, ..., K_1): states above are
            summed over.
        """
        weights = self._weights(filtered).astype(np.uint64)
        found = [weights.reshape(self._n_states[::-1])]
        for level in reversed(range(1, len(self._n_states))):
            into, last = self.into(level, z_next), found[0]
            below = fit(into @ last.reshape(into.size, -1), JOINT_BITS)
            found.insert(0, below.reshape(last.shape[1:]))
        return found

    def into(self, level: int, z_next: Levels | None) -> NDArray[np.uint64]:
        """Masses with which the states of a level (from 0) lead to its next one, shape
        (K_l,); all 1 without one."""
        if z_next is None:
            return np.full(self._n_states[level], 1, np.uint64)
        return self._into(level, z_next).astype(np.uint64)

    def predictive_cdf(
        self, predicted: NDArray[np.uint32] | None = None
    ) -> NDArray[np.uint32]:
        """Edges of P(x_t+1 | x_1 .. x_t), shape (M + 1,), from the weights of z_t+1."""
        weights = self._weights(predicted).astype(np.uint64)
        return self._predictive_edges(weights.reshape(-1, len(self._emission)).sum(0))

    def _weights(self, values: ArrayLike | None) -> NDArray[np.uint32]:
        """Weights of the states, by default those of z_1, within the bounds that the
        recursions rely on."""
        if values is None:
            return self._first_weights()
        return as_weights(values, math.prod(self.n_states))

    # ---- what a model says of its own

    @staticmethod
    def shapes(states: Levels, n_symbols: int) -> list[Levels]:
        """Of the tables, in the order of files: initial, transition of each level, and
        emissions."""
        raise NotImplementedError

    def _states_of(self, emission: NDArray[np.uint32]) -> Levels:
        """The number of states of each level that the tables say, in the order of
        files.

        Raises
        ------
        ModelError
            If they cannot say one.
        """
        raise NotImplementedError

    def _next(self, weights: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Predicted weights from filtered ones."""
        raise NotImplementedError

    def _into(self, level: int, z_next: Levels) -> NDArray[np.uint32]:
        """Masses with which the states of a level (from 0) lead to its next one, shape
        (K_l,)."""
        raise NotImplementedError

    def _first_weights(self) -> NDArray[np.uint32]:
        """Those of z_1."""
        raise NotImplementedError

    # ---- its file: docs/format.md, "Model file"

    def _payload(self) -> bytes:
        header = self._header(
            self.prec, self.alphabet.values is not None,
            len(self._n_states), self.n_symbols, self.start_length, *self._n_states,
        )  # fmt: skip
        tables = map(words_of, self._tables(self._emission))
        return b"".join([header, listed(self.alphabet), *tables])

    @classmethod
    def _read(cls: type[_Made], data: bytes) -> _Made:
        head = read_head(data)
        begin, end = head.offsets(cls.shapes)
        check_end(data, end)
        words = np.frombuffer(data[begin:end], "<u4").astype(np.uint32)
        shapes = cls.shapes(head.n_states, head.n_symbols)
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        tables = [
            part.reshape(shape)
            for part, shape in zip(np.split(words, ends[:-1]), shapes, strict=True)
        ]
        alphabet = data[head.header_bytes : begin]
        return cls(
            tables[0:-1:2][:: cls.ORDER],
            tables[1:-1:2][:: cls.ORDER],
            tables[-1],
            prec=head.start.detail,
            start_length=head.start_length,
            alphabet=read_alphabet(alphabet, head.n_symbols, head.start),
            mode=MODES[head.start.mode],
        )


# ---- step by step


class Reversed:
    """A `Dependent` of which the last value is popped first."""

    def __init__(self, parts: list[Any]) -> None:
        self._codec = Dependent(parts)

    def push(self, message: Any, z: Levels) -> None:
        self._codec.push(message, z[::-1])

    def pop(self, message: Any) -> Levels:
        return self._codec.pop(message)[::-1]

    def __repr__(self) -> str:
        return f"Reversed({self._codec!r})"


class LevelSteps(SymbolSteps):
    """The conditionals of a frozen model of levels or chains; implements, with a prior
    and a likelihood, `PredictiveModel`.

    Parameters
    ----------
    frozen : LevelModel
    """

    def __init__(self, frozen: Any) -> None:
        super().__init__(frozen)
        prec = frozen.prec
        self._initial = [_table(mass, prec) for mass in frozen._initial]
        self._transition = [_table(mass, prec) for mass in frozen._transition]
        self.start_bits = frozen.start_bits

    def posterior(self, belief: Belief, z_next: Levels | None) -> Any:
        """Q(z_t | x_1 .. x_t, z_t+1), or Q(z_T | x_1 .. x_T): each level given those
        below it."""
        return Dependent(self._given_lower(belief, z_next))

    def _given_lower(
        self, belief: Belief, z_next: Levels | None
    ) -> list[Callable[..., Weighted]]:
        """Codecs of each level in the order of files, of which `z_next` is, too."""
        weights = self._frozen.levels(belief.filtered, z_next)

        def given(level: int) -> Callable[..., Weighted]:
            into = self._frozen.into(level, z_next)

            def codec(*lower: int) -> Weighted:
                row = weights[level]  # the lowest level is the last axis
                for z in lower:
                    row = row[..., int(z)]
                return Weighted(fit(row * into, POSTERIOR_BITS))

            return codec

        return [given(level) for level in range(len(weights))]


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


def named(
    initial: Sequence[NDArray[np.uint32]],
    transition: Sequence[NDArray[np.uint32]],
    emission: NDArray[np.uint32],
) -> list[tuple[str, NDArray[np.uint32]]]:
    """The tables, and what they are called in errors."""
    found = [(f"initial[{i}]", table) for i, table in enumerate(initial)]
    found += [(f"transition[{i}]", table) for i, table in enumerate(transition)]
    return [*found, ("emission", emission)]


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

    def offsets(self, shapes: Callable[[Levels, int], list[Levels]]) -> tuple[int, int]:
        """Where the masses begin and end, of tables of these shapes."""
        begin = self.header_bytes + listed_bytes(self.n_symbols, self.start)
        found = shapes(self.n_states, self.n_symbols)
        return begin, begin + 4 * sum(map(math.prod, found))


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
