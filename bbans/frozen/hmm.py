"""Frozen hidden Markov models: docs/maths.md, "The frozen HMM"."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_integer
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans._records import CRC
from bbans.distributions.categorical import Categorical, Weighted
from bbans.distributions.table import Table, edges_of
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import Alphabet, as_alphabet
from bbans.frozen.base import (
    KINDS,
    MODES,
    AlphabetModel,
    CFile,
    Kind,
    Mode,
    Start,
    header_bytes,
    read_header,
    written,
)
from bbans.frozen.engine import EngineModel

__all__ = ["ChainSteps", "FrozenHMM", "HMMSteps", "HiddenMarkov"]

NUMBERS = 3  # of the header: K, M, c
HEADER_BYTES = header_bytes(NUMBERS)

_Made = TypeVar("_Made", bound="HiddenMarkov")


class Head(NamedTuple):
    """The header of a model file, after magic and version."""

    start: Start
    n_states: int
    n_symbols: int
    start_length: int

    @property
    def kind(self) -> Kind:
        """The kind of the model."""
        return KINDS[self.start.kind]

    def offsets(self) -> tuple[int, int]:
        """Where the masses begin and end."""
        begin = HEADER_BYTES + listed_bytes(self.n_symbols, self.start)
        rows = self.n_states * (1 + self.n_states + self.n_symbols)
        return begin, begin + 4 * rows


def read_head(data: bytes) -> Head:
    """Read the header of the model file that these bytes begin, of either type.

    Raises
    ------
    TruncatedError, VersionError, FormatError
        If they begin none of a hidden Markov model.
    """
    start, numbers = read_header(data, NUMBERS)
    return Head(start, *numbers)


def listed_bytes(n_symbols: int, start: Start) -> int:
    """Bytes of the alphabet that a file lists."""
    if not start.listed:
        return 0
    return max(n_symbols - start.ends, 0) * value_dtype(KINDS[start.kind]).itemsize


def value_dtype(kind: Kind) -> np.dtype[Any]:
    """Of the symbols that a file lists."""
    return np.dtype("<u4" if kind == "text" else "<i8")


class SymbolModel(AlphabetModel):
    """What models of hidden states that emit symbols share: their predictive
    distribution.

    Parameters
    ----------
    c : cdata
    emission : ndarray of uint32, shape (K, M)
        Masses of the symbols for each state that emits one.
    alphabet : Alphabet
    mode : {"iconoclasm", "predictive"}
    """

    def __init__(
        self, c: Any, emission: NDArray[np.uint32], alphabet: Alphabet, mode: Mode
    ) -> None:
        self._emission = emission
        super().__init__(c, alphabet, mode)

    @property
    def prec(self) -> int:
        """Precision r of the tables, in bits."""
        return int(self.c.prec)

    @property
    def emission(self) -> NDArray[np.uint32]:
        """Integer masses of x_t given the state that emits it (row), shape (K, M)."""
        return self._emission

    def _predictive_edges(self, weights: NDArray[Any]) -> NDArray[np.uint32]:
        """Edges of the mean of the emissions under these weights, shape (M + 1,)."""
        # Sums of weights are below 2**32 and edges at most 2**28: nothing overflows.
        weights = weights.astype(np.uint64)
        below = np.zeros(self.n_symbols + 1, np.uint64)
        np.cumsum(weights @ self._emission, out=below[1:])
        edges: NDArray[np.uint32] = (below // weights.sum()).astype(np.uint32)
        return edges


class HiddenMarkov(SymbolModel):
    """What hidden Markov models share: tables, and the weights of states.

    Parameters
    ----------
    initial, transition, emission : array_like of int
        Masses of shape (K,), (K, K) and (K, M); each at least 1, each row
        sums to ``2**prec``.
    prec : int
        Precision r in bits, 1 to 28.
    start_length : int
        Observations at the end of a sequence that start it, 1 to 65535.
    alphabet : Alphabet, optional
        What the symbols 0 .. M-1 stand for; by default these integers.
    mode : {"iconoclasm", "predictive"}
        See `FrozenModel.mode`.

    Raises
    ------
    ModelError
        If an argument breaks a condition above.
    """

    HAS_PACKED_FORM = True

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        emission: ArrayLike,
        *,
        prec: int,
        start_length: int,
        alphabet: Alphabet | None = None,
        mode: Mode = "iconoclasm",
    ) -> None:
        tables = [
            as_uint32(mass, "mass").copy() for mass in (initial, transition, emission)
        ]
        self._initial, self._transition, emission = tables
        alphabet = emission_alphabet(emission, alphabet)
        n_states, n_symbols = emission.shape
        if self._initial.shape != (n_states,):
            raise ModelError(f"initial must have shape ({n_states},)")
        if self._transition.shape != (n_states, n_states):
            raise ModelError(f"transition must have shape ({n_states}, {n_states})")
        prec = as_integer(prec, "precision", 1, lib.BBANS_PREC_MAX)
        start_length = as_integer(start_length, "start_length", 1, lib.BBANS_START_MAX)
        size = lib.bbans_hmm_bytes(n_states, n_symbols)
        if size == 0:
            raise ModelError(f"{n_states} states or {n_symbols} symbols are too many")
        for name, table in zip(
            ("initial", "transition", "emission"), tables, strict=True
        ):
            check_masses(name, np.atleast_2d(table), prec)
            table.flags.writeable = False
        self._memory = np.empty(size // 8 + 1, np.uint64)
        c = ffi.new("bbans_hmm *")
        check(
            lib.bbans_hmm_init(
                c, n_states, n_symbols, prec, start_length,
                *(pointer(table) for table in tables),
                pointer(self._memory, "uint64_t[]"), self._memory.nbytes,
            )
        )  # fmt: skip
        super().__init__(c, emission, alphabet, mode)
        self._file: CFile | None = None

    @classmethod
    def _read(cls: type[_Made], data: bytes) -> _Made:
        """See `FrozenModel`. The C library reads it; arrays are made when they are
        asked for."""
        file = CFile(data)
        model = object.__new__(cls)
        model._file = file
        EngineModel.__init__(
            model,
            ffi.cast("bbans_hmm *", file.model.frozen),
            MODES[file.model.predictive],
        )
        return model

    @cached_property
    def _initial(self) -> NDArray[np.uint32]:
        return self._masses(self.c.initial_cdf, 1, self.n_states).reshape(-1)

    @cached_property
    def _transition(self) -> NDArray[np.uint32]:
        return self._masses(self.c.transition_cdf, self.n_states, self.n_states)

    # Of a model from a file; one that is made of arrays has them already.
    @cached_property
    def _emission(self) -> NDArray[np.uint32]:  # type: ignore[override]
        return self._masses(self.c.emission_cdf, self.n_states, self.n_symbols)

    @cached_property
    def _alphabet(self) -> Alphabet:  # type: ignore[override]
        assert self._file is not None
        head = read_head(self._file.data)
        listed = self._file.data[HEADER_BYTES : head.offsets()[0]]
        return read_alphabet(listed, head.n_symbols, head.start)

    def _masses(self, edges: Any, rows: int, n: int) -> NDArray[np.uint32]:
        """Rows of masses, of edges that C has."""
        size = 4 * rows * (n + 1)
        of = np.frombuffer(ffi.buffer(edges, size), np.uint32).reshape(rows, n + 1)
        masses = np.diff(of)
        masses.flags.writeable = False
        return masses

    # ---- what it is

    @property
    def n_states(self) -> int:
        """Number of states K."""
        return int(self.c.states)

    @property
    def initial(self) -> NDArray[np.uint32]:
        """Integer masses of z_1, shape (K,)."""
        return self._initial

    @property
    def transition(self) -> NDArray[np.uint32]:
        """Integer masses of z_t given z_t-1 (row), shape (K, K)."""
        return self._transition

    # ---- the recursions

    def posterior(
        self, filtered: NDArray[np.uint32], next_state: int | None = None
    ) -> NDArray[np.uint32]:
        """Weights of z_t given x_1 .. x_t, and z_t+1 unless it is None; shape (K,)."""
        weights = self._weights(filtered)
        return posterior_weights(self.c, weights, next_state)

    def predictive_cdf(
        self, predicted: NDArray[np.uint32] | None = None
    ) -> NDArray[np.uint32]:
        """Edges of P(x_t+1 | x_1 .. x_t), shape (M + 1,), from the weights of z_t+1;
        docs/maths.md, "The predictive distribution"."""
        return self._predictive_edges(self._weights(predicted))

    def tables(self) -> dict[str, NDArray[Any]]:
        """Return the masses: initial, transition and emission."""
        return {
            "initial": self.initial,
            "transition": self.transition,
            "emission": self.emission,
        }

    def _weights(self, values: ArrayLike | None) -> NDArray[np.uint32]:
        """Weights of the states, by default those of z_1, within the bounds that
        the kernels rely on."""
        if values is None:
            return self._initial
        return as_weights(values, self.n_states)

    # ---- its file: docs/format.md, "Model file"

    def _payload(self) -> bytes:
        file = self._file
        if file is not None and file.model.predictive == self._space.predictive:
            return file.data[: -CRC.size]
        return written(self, self.alphabet)[: -CRC.size]


class FrozenHMM(HiddenMarkov):
    """A hidden Markov model in integers, ready to code.

    Parameters
    ----------
    initial, transition, emission : array_like of int
        Masses of shape (K,), (K, K) and (K, M); each at least 1, each row
        sums to ``2**prec``.
    prec : int
        Precision r in bits, 1 to 28.
    start_length : int
        Observations at the end of a sequence that start it, 1 to 65535.
    alphabet : Alphabet, optional
        What the symbols 0 .. M-1 stand for; by default these integers.
    mode : {"iconoclasm", "predictive"}
        See `FrozenModel.mode`.

    Raises
    ------
    ModelError
        If an argument breaks a condition above.

    Notes
    -----
    Immutable; may be shared between threads. Most models come from ``HMM.freeze()``.
    """

    TYPE = 1
    NAME = "a hidden Markov model"

    def state_space(self) -> HMMSteps:
        """Return the model step by step; observations are symbol numbers 0 .. M-1."""
        return HMMSteps(self)

    def __repr__(self) -> str:
        return (
            f"<FrozenHMM {self.fingerprint.hex()}: {self.n_states} states, "
            f"{self.n_symbols} symbols, {self.prec} bits>"
        )

    def filter(
        self, symbols: ArrayLike, predicted: NDArray[np.uint32] | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Compute exact forward messages.

        Parameters
        ----------
        symbols : array_like of int, shape (T,)
            Symbol numbers 0 .. M-1.
        predicted : ndarray of uint32, shape (K,), optional
            Weights of the first state given the past; by default those of z_1.

        Returns
        -------
        filtered : ndarray of uint32, shape (T, K)
            Weights of z_t given x_1 .. x_t; unnormalised.
        predicted : ndarray of uint32, shape (K,)
            Weights of z_T+1 given x_1 .. x_T.
        """
        values = self._observations(symbols)
        stride = self.c.stride
        state = np.zeros(stride, np.uint32)
        state[: self.n_states] = self._weights(predicted)
        filtered = np.empty((values.size, stride), np.uint32)
        check(
            lib.bbans_hmm_filter(
                self.c, pointer(state), pointer(values), values.size, pointer(filtered)
            )
        )
        return filtered[:, : self.n_states], state[: self.n_states]

    def forward(self, x: Any) -> NDArray[np.uint32]:
        """Compute the exact forward messages of a sequence: see `FrozenModel`."""
        return self.filter(self._symbols(x))[0]


# ---- step by step


class Belief(NamedTuple):
    """Weights after x_t: of z_t (filtered) and of z_t+1 (predicted)."""

    filtered: NDArray[np.uint32]
    predicted: NDArray[np.uint32]


class Steps:
    """What the conditionals of all models with hidden states have.

    Parameters
    ----------
    frozen : FrozenModel
        With `start_length`.
    """

    def __init__(self, frozen: Any) -> None:
        self._frozen = frozen
        self.start_length = frozen.start_length

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._frozen!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._frozen,)


class SymbolSteps(Steps):
    """What the conditionals of models that filter symbols in integers have.

    Parameters
    ----------
    frozen : SymbolModel
        With `filter` and `predictive_cdf`.
    """

    def __init__(self, frozen: Any) -> None:
        super().__init__(frozen)
        self._emission = Table(edges_of(frozen.emission), frozen.prec)

    def update(self, belief: Belief | None, x: Any) -> Belief:
        """One step of the exact integer filter."""
        predicted = None if belief is None else belief.predicted
        filtered, predicted = self._frozen.filter([x], predicted)
        return Belief(filtered[0], predicted)

    def predictive(self, belief: Belief | None) -> Categorical:
        """P(x_t+1 | x_1 .. x_t)."""
        predicted = None if belief is None else belief.predicted
        return Categorical(
            Table(self._frozen.predictive_cdf(predicted), self._frozen.prec)
        )


class ChainSteps(Steps):
    """What the conditionals of all models with a chain of hidden states have.

    Parameters
    ----------
    frozen : FrozenModel
        With `initial`, `transition`, `prec`, `start_length` and `posterior`.
    """

    def __init__(self, frozen: Any) -> None:
        super().__init__(frozen)
        self._initial = Table(edges_of(frozen.initial), frozen.prec)
        self._transition = Table(edges_of(frozen.transition), frozen.prec)

    def prior(self, z: int | None) -> Categorical:
        """P(z_t | z_t-1), or P(z_1)."""
        if z is None:
            return Categorical(self._initial)
        return Categorical(self._transition, z)

    def posterior(self, belief: Any, z_next: int | None) -> Weighted:
        """Q(z_t | x_1 .. x_t, z_t+1), or Q(z_T | x_1 .. x_T)."""
        return Weighted(self._frozen.posterior(belief.filtered, z_next))


class HMMSteps(ChainSteps, SymbolSteps):
    """The conditionals of a frozen HMM; implements `PredictiveModel`.

    Parameters
    ----------
    frozen : FrozenHMM

    Notes
    -----
    docs/maths.md, "The frozen HMM" and "The predictive distribution". Observations are
    symbol numbers 0 .. M-1.
    """

    def likelihood(self, z: int) -> Categorical:
        """P(x_t | z_t)."""
        return Categorical(self._emission, z)


# ---- its file


def words_of(table: NDArray[np.uint32]) -> bytes:
    """Masses as files have them."""
    return table.astype("<u4").tobytes()


def listed(alphabet: Alphabet) -> bytes:
    """The symbols that a file lists: none, where they are 0 .. M-1."""
    if alphabet.values is None:
        return b""
    return alphabet.values.astype(value_dtype(alphabet.kind)).tobytes()


def read_alphabet(data: bytes, n_symbols: int, start: Start) -> Alphabet:
    """Read what `listed` wrote, in a file that begins with these codes.

    Raises
    ------
    ModelError
        If it is no alphabet.
    """
    kind: Kind = KINDS[start.kind]
    symbols: Any = n_symbols - start.ends
    if start.listed:
        symbols = np.frombuffer(data, value_dtype(kind))
        if kind == "text":
            symbols = _characters(symbols)
    return Alphabet(symbols, kind=kind, ends=bool(start.ends))


def _characters(values: Any) -> str:
    try:
        return "".join(map(chr, values.tolist()))
    except (ValueError, OverflowError):
        raise ModelError("text lists its characters, by their code points") from None


# ---- its tables


def emission_alphabet(
    emission: NDArray[np.uint32], alphabet: Alphabet | None
) -> Alphabet:
    """The alphabet of a model with these emissions, by default 0 .. M-1.

    Raises
    ------
    ModelError
        If `emission` is not two-dimensional, or has another number of symbols.
    """
    if emission.ndim != 2:
        raise ModelError("emission must have shape (K, M)")
    n_symbols = emission.shape[1]
    made = as_alphabet(n_symbols if alphabet is None else alphabet)
    if made.size != n_symbols:
        raise ModelError(f"alphabet has {made.size} symbols, emission {n_symbols}")
    return made


def check_masses(name: str, rows: NDArray[np.uint32], prec: int) -> None:
    """That each row has masses of at least 1 that sum to ``2**prec``.

    Raises
    ------
    ModelError
        If one does not; the text names it.
    """
    for row, fault in (
        (rows.min(axis=1) < 1, "has a mass of 0"),
        (rows.sum(axis=1, dtype=np.uint64) != 1 << prec, f"does not sum to 2**{prec}"),
    ):
        if row.any():
            raise ModelError(f"{name} row {int(np.flatnonzero(row)[0])} {fault}")


def posterior_weights(
    chain: Any, weights: NDArray[np.uint32], next_state: int | None
) -> NDArray[np.uint32]:
    """Weights (K,) of a state given the next one, if there is one; `chain` is the
    bbans_hmm that has the transitions."""
    K, stride = weights.size, chain.stride
    following = K
    if next_state is not None:
        following = as_integer(next_state, "next_state", 0, K - 1, SymbolError)
    padded, edge = np.zeros(stride, np.uint32), np.empty(stride + 1, np.uint32)
    padded[:K] = weights
    check(lib.bbans_hmm_posterior(chain, pointer(padded), following, pointer(edge)))
    return np.diff(edge[: K + 1])


def as_weights(values: ArrayLike, n_states: int) -> NDArray[np.uint32]:
    """Weights of the states, within the bounds that the kernels rely on.

    Raises
    ------
    ModelError
        If they are not.
    """
    weights = as_uint32(values, "weight")
    if weights.shape != (n_states,):
        raise ModelError(f"weights must have shape ({n_states},)")
    if not 0 < weights.sum(dtype=np.uint64) < 1 << 32:
        raise ModelError("weights must have a sum from 1 to 2**32 - 1")
    return weights
