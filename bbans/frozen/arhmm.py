"""Frozen autoregressive hidden Markov models: docs/maths.md, "Emissions that depend on
earlier symbols"."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_instance, as_integer
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans.distributions.categorical import Weighted
from bbans.distributions.table import edges_of
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import Alphabet
from bbans.frozen.base import Mode
from bbans.frozen.contexts import Contexts, read_contexts
from bbans.frozen.hmm import ChainSteps, HiddenMarkov

__all__ = ["ARHMMSteps", "FrozenARHMM"]

COUNTS = struct.Struct("<II")
PREC_MAX = int(lib.BBANS_CONTEXT_BITS)
UNIT = 1 << PREC_MAX  # of edges in a context


class FrozenARHMM(HiddenMarkov):
    """An autoregressive hidden Markov model in integers, ready to code.

    Parameters
    ----------
    initial, transition, emission, prec, start_length, alphabet, mode
        As for `FrozenHMM`; M is at most 65535, and the precision 24.
    contexts : Contexts

    Raises
    ------
    ModelError
        If an argument breaks a condition of `FrozenHMM` or of `Contexts`.

    Notes
    -----
    Immutable; may be shared between threads. Most models come from
    ``ARHMM.freeze()``. docs/maths.md, "Emissions that depend on earlier symbols".
    """

    TYPE = 2
    NAME = "an autoregressive hidden Markov model"
    PACKS = True

    def __init__(
        self,
        initial: ArrayLike,
        transition: ArrayLike,
        emission: ArrayLike,
        contexts: Contexts,
        *,
        prec: int,
        start_length: int,
        alphabet: Alphabet | None = None,
        mode: Mode = "iconoclasm",
    ) -> None:
        as_integer(prec, "precision", 1, PREC_MAX)
        super().__init__(
            initial, transition, emission,
            prec=prec, start_length=start_length, alphabet=alphabet, mode=mode,
        )  # fmt: skip
        as_instance(contexts, Contexts, "contexts", "Contexts")
        self._contexts = contexts
        self._tree = ffi.new("bbans_contexts *")
        self._tree.contexts = contexts.n_contexts
        self._tree.entries = contexts.n_entries
        self._keep = []
        for name, array in contexts.arrays().items():
            self._keep.append(ffi.from_buffer("uint8_t[]", array.tobytes()))
            setattr(self._tree, name, self._keep[-1])
        status = lib.bbans_hmm_set_contexts(self.c, self._tree)
        if status == lib.BBANS_ERR_TABLE:
            raise ModelError(
                f"contexts have symbols that are not below {self.n_symbols}", status
            )
        check(status)

    @cached_property
    def _contexts(self) -> Contexts:
        tree = self.c.contexts
        n, m = tree.contexts, tree.entries
        sizes = {
            "children": 4 * (n + 1), "first": 4 * (n + 1), "label": 2 * n,
            "symbol": 2 * m, "sum": 2 * m, "back_off": n,
        }  # fmt: skip
        data = b"".join(
            bytes(ffi.buffer(getattr(tree, name), size)) for name, size in sizes.items()
        )
        return read_contexts(data, n, m)

    def state_space(self) -> ARHMMSteps:
        """Return the model step by step; observations are symbol numbers 0 .. M-1."""
        return ARHMMSteps(self)

    @property
    def contexts(self) -> Contexts:
        """What the symbols before say."""
        return self._contexts

    def __repr__(self) -> str:
        return (
            f"<FrozenARHMM {self.fingerprint.hex()}: {self.n_states} states, "
            f"{self.n_symbols} symbols, {self.prec} bits, {self._contexts!r}>"
        )

    # ---- the recursions, given a context: docs/maths.md, "Emissions
    # that depend on earlier symbols"

    def longest_context(self, history: ArrayLike) -> int:
        """Number of the longest context of what follows x_1 .. x_t, which are at least
        the last `Contexts.order` symbols, or all."""
        x = np.append(as_uint32(history, "symbol").ravel(), 0).astype(np.int32)
        return int(self._contexts.find([x], self.n_symbols)[-1])

    def edges(
        self, context: int, cdf: NDArray[np.uint32], first: int = 0
    ) -> NDArray[np.uint32]:
        """Turn edges without a context into those in it.

        Parameters
        ----------
        context : int
            Number of a context.
        cdf : ndarray of uint32, shape (..., n)
            Edges of symbols `first`, `first` + 1, .., in slots of ``2**-prec``.

        Returns
        -------
        edges : ndarray of uint32, shape (..., n)
            In slots of ``2**-24``.

        Raises
        ------
        ModelError
            If there is no such context, or symbol.
        SymbolError
            If the edges are no integers of 32 bits.
        """
        cdf = np.atleast_1d(as_uint32(cdf, "edge"))
        n = cdf.shape[-1]
        first = as_integer(first, "first", 0, self.n_symbols + 1 - n)
        x = np.arange(first, first + n)
        e = cdf.astype(np.int64) << (PREC_MAX - self.prec)
        for s in self._path(context):
            e = (e * int(self._contexts.back_off[s]) >> 8) + (self._shares(s, x) << 8)
        edges: NDArray[np.uint32] = (
            x + (e * (UNIT - self.n_symbols) >> PREC_MAX)
        ).astype(np.uint32)
        return edges

    def masses(self, context: int, symbol: int) -> NDArray[np.uint32]:
        """With which the states emit a symbol in a context, for the filter; (K,).

        Raises
        ------
        ModelError
            If there is no such context.
        SymbolError
            If there is no such symbol.
        """
        symbol = as_integer(symbol, "symbol", 0, self.n_symbols - 1, SymbolError)
        mass, beta = 0, UNIT
        for s in self._path(context):
            low, high = self._shares(s, np.array([symbol, symbol + 1])).tolist()
            back_off = int(self._contexts.back_off[s])
            mass = (mass * back_off >> 8) + ((high - low) << 8)
            beta = beta * back_off >> 8
        own = beta * self._emission[:, symbol].astype(np.int64) >> self.prec
        return (mass + 1 + own).astype(np.uint32)

    def _path(self, context: int) -> list[int]:
        """A context and its parents, from the shortest, without the empty one."""
        most = self._contexts.n_contexts - 1
        context = as_integer(context, "context", 0, most)
        path: list[int] = []
        while context:
            path.append(context)
            context = int(self._parents[context])
        return path[::-1]

    def _shares(self, context: int, x: NDArray[np.int64]) -> NDArray[np.int64]:
        """W(x): what entries of symbols below x have of 2**16."""
        tree = self._contexts
        first, end = int(tree.first[context]), int(tree.first[context + 1])
        if first == end:
            return np.zeros(x.shape, np.int64)
        sums = np.concatenate([[0], np.cumsum(tree.weight[first:end], dtype=np.int64)])
        room = (1 << 16) - (int(tree.back_off[context]) << 8)
        below = sums[np.searchsorted(tree.symbol[first:end], x)]
        shares: NDArray[np.int64] = room * below // sums[-1]
        return shares

    def step(
        self, context: int, symbol: int, predicted: NDArray[np.uint32] | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Filter one symbol.

        Parameters
        ----------
        context : int
            Number of its context: `longest_context` of the symbols before.
        symbol : int
            0 .. M-1.
        predicted : ndarray of uint32, shape (K,), optional
            As the step before returned; for the first symbol None.

        Returns
        -------
        filtered, predicted : ndarray of uint32, shape (K,)
            Weights of the states at this symbol, and at the next.

        Raises
        ------
        ModelError
            If there is no such context.
        SymbolError
            If there is no such symbol.
        """
        stride, K = self.c.stride, self.n_states
        column, filtered = np.zeros(stride, np.uint32), np.empty(stride, np.uint32)
        state = np.zeros(stride, np.uint32)
        state[:K] = self._weights(predicted)
        column[:K] = self.masses(context, symbol)
        check(
            lib.bbans_hmm_filter_masses(
                self.c, pointer(column), pointer(state), pointer(filtered)
            )
        )
        return filtered[:K], state[:K]

    def forward(self, x: Any) -> NDArray[np.uint32]:
        """Compute the exact forward messages of a sequence: see `FrozenModel`."""
        symbols, steps, belief = self._symbols(x), self.state_space(), None
        filtered = np.empty((symbols.size, self.n_states), np.uint32)
        for t, symbol in enumerate(symbols.tolist()):
            belief = steps.update(belief, symbol)
            filtered[t] = belief.filtered
        return filtered

    @cached_property
    def _parents(self) -> NDArray[np.int64]:
        return self._contexts.parent


# ---- step by step


class ARBelief(NamedTuple):
    """Weights after x_t, as in `Belief`, and the symbols that contexts look at."""

    filtered: NDArray[np.uint32]
    predicted: NDArray[np.uint32]
    history: tuple[int, ...]


class ARHMMSteps(ChainSteps):
    """The conditionals of a frozen autoregressive HMM, as `HMMSteps`.

    Parameters
    ----------
    frozen : FrozenARHMM

    Notes
    -----
    docs/maths.md, "Emissions that depend on earlier symbols".
    """

    _frozen: FrozenARHMM

    def __init__(self, frozen: FrozenARHMM) -> None:
        super().__init__(frozen)
        self._emission = edges_of(frozen.emission)
        # One more than contexts reach, so that a full one does not end in the
        # beginning of the sequence.
        self._reach = frozen.contexts.order + 1

    def likelihood(self, z: int) -> Weighted:
        """P(x_1 | z_1)."""
        return self.likelihood_given(z, None)

    def likelihood_given(self, z: int, belief: ARBelief | None) -> Weighted:
        """P(x_t | z_t, x_1 .. x_t-1)."""
        return Weighted(
            np.diff(self._frozen.edges(self._context(belief), self._emission[z]))
        )

    def update(self, belief: ARBelief | None, x: Any) -> ARBelief:
        """One step of the exact integer filter."""
        predicted = None if belief is None else belief.predicted
        history = () if belief is None else belief.history
        filtered, predicted = self._frozen.step(
            self._context(belief), int(x), predicted
        )
        return ARBelief(filtered, predicted, (*history, int(x))[-self._reach :])

    def predictive(self, belief: ARBelief | None) -> Weighted:
        """P(x_t+1 | x_1 .. x_t)."""
        predicted = None if belief is None else belief.predicted
        cdf = self._frozen.predictive_cdf(predicted)
        return Weighted(np.diff(self._frozen.edges(self._context(belief), cdf)))

    def _context(self, belief: ARBelief | None) -> int:
        return self._frozen.longest_context(() if belief is None else belief.history)
