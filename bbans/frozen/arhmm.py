"""Frozen autoregressive hidden Markov models: docs/maths.md, "Emissions that depend on
earlier symbols"."""

from __future__ import annotations

import struct
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bbans._arguments import as_instance, as_reals
from bbans._lib import as_uint32, check, ffi, lib, pointer
from bbans.distributions.table import PREC_DEFAULT, edges_of
from bbans.errors import ModelError
from bbans.frozen.alphabet import Alphabet
from bbans.frozen.base import Kind, Mode, check_end
from bbans.frozen.contexts import ARRAYS, Contexts, read_contexts, write_contexts
from bbans.frozen.hmm import (
    HiddenMarkov,
    _quantised,
    _tail_length,
    read_head,
    read_tables,
)
from bbans.frozen.hmm_steps import ARHMMSteps

__all__ = ["FrozenARHMM"]

COUNTS = struct.Struct("<III")
UNIT = 1 << 24  # of masses in a context


class FrozenARHMM(HiddenMarkov):
    """An autoregressive hidden Markov model in integers, ready to code.

    Parameters
    ----------
    initial, transition, emission, prec, start_length, alphabet, kind, mode
        As for `FrozenHMM`; M is at most 65535.
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
        kind: Kind | None = None,
        mode: Mode = "iconoclasm",
    ) -> None:
        super().__init__(
            initial, transition, emission,
            prec=prec, start_length=start_length, alphabet=alphabet, kind=kind,
            mode=mode,
        )  # fmt: skip
        as_instance(contexts, Contexts, "contexts", "Contexts")
        self._contexts = contexts
        self._tree = ffi.new("bbans_contexts *")
        self._tree.contexts = contexts.n_contexts
        self._tree.entries = contexts.n_entries
        self._keep = []
        for name, bits in ARRAYS.items():
            self._keep.append(pointer(getattr(contexts, name), f"uint{bits}_t[]"))
            setattr(self._tree, name, self._keep[-1])
        status = lib.bbans_hmm_set_contexts(self.c, self._tree)
        if status == lib.BBANS_ERR_TABLE:
            raise ModelError(
                f"contexts have symbols that are not below {self.n_symbols}", status
            )
        check(status)
        self._rows: dict[int, tuple[NDArray[np.uint32], int]] = {}

    @classmethod
    def from_probabilities(
        cls,
        initial: ArrayLike,
        transition: ArrayLike,
        emission: ArrayLike,
        contexts: Contexts,
        *,
        bits: ArrayLike,
        prec: int = PREC_DEFAULT,
        alphabet: Alphabet | None = None,
    ) -> FrozenARHMM:
        """Freeze float parameters; each row is quantised by `quantise`.

        Parameters
        ----------
        bits : array_like of float
            ``-log2 P(x_t | x_1 .. x_t-1)`` of symbols of the model: they tell the
            start length.
        """
        costs = as_reals(bits, "bits")
        start, steps, emissions = _quantised(initial, transition, emission, prec)
        return cls(
            start,
            steps,
            emissions,
            contexts,
            prec=prec,
            start_length=_tail_length(float(costs.mean()), float(costs.var())),
            alphabet=alphabet,
        )

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

    def context_row(self, context: int) -> tuple[NDArray[np.uint32], int]:
        """Masses R, shape (M,), in a context, and beta, what it leaves to the state."""
        if context == 0:
            return np.zeros(self.n_symbols, np.uint32), UNIT
        if context not in self._rows:
            tree = self._contexts
            row, beta = self.context_row(int(self._parents[context]))
            back_off = int(tree.back_off[context])
            row = (row.astype(np.uint64) * np.uint64(back_off) >> np.uint64(8)).astype(
                np.uint32
            )
            entries = slice(int(tree.first[context]), int(tree.first[context + 1]))
            row[tree.symbol[entries]] += tree.weight[entries].astype(np.uint32) << 8
            row.flags.writeable = False
            self._rows[context] = row, beta * back_off >> 8
        return self._rows[context]

    def edges(self, context: int, cdf: NDArray[np.uint32]) -> NDArray[np.uint32]:
        """Turn edges without a context, shape (M + 1,), into those in it."""
        row, beta = self.context_row(context)
        below = np.concatenate([[0], np.cumsum(row.astype(np.uint64) + np.uint64(1))])
        share = np.uint64(beta) * cdf.astype(np.uint64) >> np.uint64(self.prec)
        edges: NDArray[np.uint32] = (below.astype(np.uint64) + share).astype(np.uint32)
        return edges

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
        SymbolError
            If there is no such symbol.
        """
        self._check_symbols(np.array([symbol]))
        row, beta = self.context_row(context)
        stride, K = self.c.stride, self.n_states
        column, filtered = np.zeros(stride, np.uint32), np.empty(stride, np.uint32)
        state = np.zeros(stride, np.uint32)
        state[:K] = self._weights(predicted)
        share = np.uint64(beta) * self._emission[:, symbol].astype(np.uint64)
        column[:K] = (share >> np.uint64(self.prec)) + np.uint64(int(row[symbol]) + 1)
        check(
            lib.bbans_hmm_filter_by(
                self.c, pointer(column), pointer(state), pointer(filtered)
            )
        )
        return filtered[:K], state[:K]

    def information_content(self, x: Any) -> float:
        """-log2 P(x) in bits under these tables, in floating point.

        Parameters
        ----------
        x : str, bytes or array_like of int
            What `compress` takes.
        """
        from bbans.models import em

        indices = self.alphabet.encode(x)
        if indices.size == 0:
            return 0.0
        longest = self._contexts.find([indices], self.n_symbols)
        terms, number = np.unique(
            longest * self.n_symbols + indices, return_inverse=True
        )
        likelihood = np.empty((self.n_states, terms.size))
        cdf = edges_of(self._emission).astype(np.uint64)
        for at, (context, symbol) in enumerate(
            zip(terms // self.n_symbols, terms % self.n_symbols, strict=True)
        ):
            row, beta = self.context_row(int(context))
            low, high = (
                np.uint64(beta) * cdf[:, symbol : symbol + 2] >> np.uint64(self.prec)
            ).T
            total = int(row.sum(dtype=np.uint64)) + row.size + beta
            likelihood[:, at] = (int(row[symbol]) + 1 + (high - low)) / total
        unit = 2.0**-self.prec
        return em.expect(
            em.batches([number.astype(np.int32)], terms.size),
            (self._initial * unit, self._transition * unit, likelihood),
            counting=False,
        ).bits

    def to_arhmm(self) -> Any:
        """Return the float model with these probabilities, but for the rounding of
        masses in contexts."""
        from bbans.models import ARHMM, HMM

        unit = 2.0**-self.prec
        tables = (self._initial, self._transition, self._emission)
        states = HMM(*(table * unit for table in tables), alphabet=self.alphabet)
        return ARHMM(states, self._contexts)

    @cached_property
    def _parents(self) -> NDArray[np.int64]:
        return self._contexts.parent

    def _payload(self) -> bytes:
        tree = self._contexts
        data = write_contexts(tree)
        counts = COUNTS.pack(tree.n_contexts, tree.n_entries, len(data))
        return super()._payload() + counts + data

    @classmethod
    def _read(cls, data: bytes) -> FrozenARHMM:
        head = read_head(data)
        begin = head.offsets()[1]
        size = begin + COUNTS.size
        n_contexts = n_entries = 0
        if len(data) >= size:
            n_contexts, n_entries, n_bytes = COUNTS.unpack_from(data, begin)
            size += n_bytes
        check_end(data, size)
        contexts = read_contexts(
            data[begin + COUNTS.size : size], n_contexts, n_entries
        )
        return cls(**read_tables(data, head), contexts=contexts)
