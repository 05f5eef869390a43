"""Autoregressive hidden Markov models of discrete symbols, in floating point.

Emissions depend on the state and on the symbols before: P(x_t | z_t, x_1 .. x_t-1).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_generator, as_instance, as_integer
from bbans._float_file import Arrays
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import Alphabet, Symbols
from bbans.frozen.arhmm import FrozenARHMM
from bbans.frozen.base import MODES, Kind
from bbans.frozen.contexts import Contexts
from bbans.models import em
from bbans.models._data import encode_all, passes_of, training_alphabet
from bbans.models._parameters import (
    PSEUDO_COUNTS,
    Floats,
    PseudoCounts,
    as_pseudo_counts,
)
from bbans.models._training import Iteration, check_run, climb, impossible
from bbans.models.base import FloatModel
from bbans.models.contexts import Counts, evaluate, row
from bbans.models.em import Statistics
from bbans.models.freeze_hmm import frozen_arhmm
from bbans.models.hmm import HMM, drawn, states_of

__all__ = ["ARHMM"]

_Trained = tuple[HMM, Floats]  # states, and the gates of contexts

# Symbols that are drawn to see how many bits one holds, and how these vary.
_DRAWN = 4096

# Gates: at first, and the pseudo-counts of an open and a closed one.
_GATE = 0.1
_GATE_COUNTS = np.array([0.05, 0.45])


class ARHMM(FloatModel):
    """An HMM whose emissions depend on the symbols before as well.

    ``P(x_t | z_t, x_1 .. x_t-1)`` is the weight that the longest context of x_t gives
    to x_t, and so on through its suffixes; what they leave over goes by
    ``emission[z_t]``.

    Parameters
    ----------
    states : HMM
        P(z_1), P(z_t+1 | z_t), and P(x_t | z_t) without contexts.
    contexts : Contexts
        Of symbols 0 .. M-1.

    Examples
    --------
    >>> from bbans import ARHMM
    >>> model = ARHMM.fit(["abcabcabd", "abcabdabc"], 2, order=2)
    >>> model.contexts.order, model.information_content("abcabc") < 6
    (2, True)
    """

    __slots__ = ("_contexts", "_states")

    def __init__(self, states: HMM, contexts: Contexts) -> None:
        as_instance(states, HMM, "states", "an HMM")
        as_instance(contexts, Contexts, "contexts", "Contexts")
        if max(
            int(contexts.symbol.max(initial=0)), int(contexts.label.max()) - 1
        ) >= max(states.n_symbols, 1):
            raise ModelError(
                f"contexts have symbols that are not below {states.n_symbols}"
            )
        self._states = states
        self._contexts = contexts
        self._history: tuple[Iteration, ...] = ()

    @classmethod
    def from_frozen(cls, frozen: FrozenARHMM) -> ARHMM:
        """Return the float model with a frozen model's probabilities, but for the
        rounding of masses in contexts.

        Raises
        ------
        ModelError
            If it is another kind of model.
        """
        as_instance(frozen, FrozenARHMM, "frozen", "a FrozenARHMM")
        return cls(states_of(frozen), frozen.contexts)

    @property
    def states(self) -> HMM:
        """P(z_1), P(z_t+1 | z_t), and P(x_t | z_t) without contexts."""
        return self._states

    @property
    def contexts(self) -> Contexts:
        """What the symbols before say."""
        return self._contexts

    @property
    def n_states(self) -> int:
        """K."""
        return self._states.n_states

    @property
    def n_symbols(self) -> int:
        """M."""
        return self._states.n_symbols

    @property
    def alphabet(self) -> Alphabet:
        """The M symbols."""
        return self._states.alphabet

    @property
    def kind(self) -> Kind:
        """What the frozen model encodes: integers, bytes or text."""
        return self._states.kind

    def __repr__(self) -> str:
        return (
            f"<ARHMM: {self.n_states} states, {self.n_symbols} symbols, "
            f"{self.alphabet!r}, {self._contexts!r}>"
        )

    @classmethod
    def fit(
        cls,
        sequences: Symbols | Iterable[Symbols],
        n_states: int,
        *,
        order: int = 3,
        max_bytes: int | None = None,
        n_iter: int = 100,
        tol: float = 1e-5,
        pseudo_count: PseudoCounts = PSEUDO_COUNTS,
        alphabet: Alphabet | int | str | ArrayLike | None = None,
        ends: bool = False,
        seed: int | np.random.Generator = 0,
        init: HMM | None = None,
        dtype: DTypeLike = np.float64,
        threads: int = 1,
        progress: bool | None = None,
    ) -> ARHMM:
        """Train a model: contexts by smoothed counts, then the states by EM.

        Parameters
        ----------
        sequences : str, bytes-like, ndarray of int, or an iterable of such
            As for `HMM.fit`; they are held in memory. Text is coded by the bytes of its
            UTF-8, so that the model codes characters that it has not seen: give an
            `alphabet` to code characters.
        n_states : int
            K.
        order : int
            Symbols of the longest context, 0 to 16.
        max_bytes : int, optional
            About what the contexts may take in a model file; see `Contexts.fit`.
        init : HMM, optional
            Where EM starts, with K states and the same alphabet. By default an HMM is
            trained first, with the same arguments.
        n_iter, tol, pseudo_count, alphabet, ends, seed, dtype, threads, progress
            As for `HMM.fit`.

        Returns
        -------
        model : ARHMM
            With the `history` of its training, in which each symbol's own count is
            taken out of the contexts.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet, or impossible under `init`.
        ModelError
            If there is no data, or if an argument is out of range.

        Notes
        -----
        EM sees each symbol with its own count taken out of the contexts. Otherwise
        these would explain all training data, and the states nothing. With that, a
        symbol's likelihood under state k is ``own + back_off * emission[k, x]``, and
        the state's counts are those of the second term. EM also trains a gate for
        each context: the share that goes to its parent, and in the end to the state,
        past the counts (deleted interpolation). Each update lowers the objective as
        for `HMM.fit`. Equal terms count as one symbol of the E step: memory is some
        30 K bytes for each.

        References
        ----------
        Jelinek and Mercer, Interpolated estimation of Markov source parameters from
        sparse data (1980).
        """
        check_run(dtype, threads)
        n_iter = as_integer(n_iter, "n_iter", 0)
        if init is not None:
            as_instance(init, HMM, "init", "an HMM")
        pseudo_counts = as_pseudo_counts(pseudo_count)
        held = list(passes_of(sequences)())
        symbols = training_alphabet(lambda: held, alphabet, init, ends, utf8=True)
        data = list(encode_all(held, symbols))
        counts = Counts(data, symbols.size, order, max_bytes)
        states = HMM.fit(
            held, n_states, n_iter=n_iter if init is None else 0, tol=tol,
            pseudo_count=pseudo_count, alphabet=symbols, seed=seed, init=init,
            dtype=dtype, threads=threads, progress=progress,
        )  # fmt: skip
        terms = _Terms(data, counts.number, counts.own, counts.back_off)
        gate = np.full(counts.n_contexts, _GATE)
        batches = list(em.batches(terms.sequences, terms.x.size))

        def expect(model: _Trained, counting: bool) -> em.Expectation:
            states, gate = model
            return em.expect(
                batches,
                (states.initial, states.transition, terms.likelihood(states, gate)),
                counting=counting,
                dtype=dtype,
                threads=threads,
            )

        def update(model: _Trained, found: em.Expectation) -> _Trained:
            statistics, gate = terms.split(*model, found)
            return model[0].maximise(statistics, pseudo_count=pseudo_count), gate

        def refuse(fault: em.Fault) -> SymbolError:
            symbol = int(terms.x[fault.symbol])
            return impossible(fault._replace(symbol=symbol), symbols, "init")

        (states, gate), history = climb(
            (states, gate),
            expect=expect,
            update=update,
            log2_prior=lambda model: (
                model[0]._log2_prior(pseudo_counts) + _log2_gate(model[1])
            ),
            refuse=refuse,
            n_iter=n_iter,
            tol=tol,
            progress=progress,
        )
        model = cls(states, counts.contexts(gate))
        model._history = history
        return model

    def information_content(self, x: Symbols) -> float:
        """Compute h(x) = -log2 P(x), summed over all states, in bits.

        Parameters
        ----------
        x : str, bytes-like or array_like of int
            One sequence; an array is read in C order.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet.
        """
        indices = self.alphabet.encode(x)
        if indices.size == 0:
            return 0.0
        longest = self._contexts.find([indices], self.n_symbols)
        own, back_off = evaluate(self._contexts, longest, indices.astype(np.int64))
        terms = _Terms([indices], longest[None], own[None], back_off[None])
        return em.expect(
            em.batches(terms.sequences, terms.x.size),
            (
                self._states.initial,
                self._states.transition,
                terms.likelihood(self._states, np.zeros(self._contexts.n_contexts)),
            ),
            counting=False,
        ).bits

    def sample(
        self, length: int, *, seed: int | np.random.Generator
    ) -> tuple[NDArray[np.int64] | NDArray[np.uint32], NDArray[np.int64]]:
        """Draw a sequence and its states from the model; see `HMM.sample`."""
        x, z, _ = self._draw(length, as_generator(seed), measure=False)
        return drawn(self.alphabet, x, z)

    def freeze(self, prec: int = 24, *, predictive: bool = False) -> FrozenARHMM:
        """Turn the parameters into integer tables, with which sequences are coded.

        Parameters
        ----------
        prec : int
            Precision r in bits of the states' tables, 1 to 24.
        predictive : bool
            The mode, as for `HMM.freeze`.
        """
        _, _, bits = self._draw(_DRAWN, np.random.default_rng(0), measure=True)
        return frozen_arhmm(
            self._states.initial,
            self._states.transition,
            self._states.emission,
            self._contexts,
            prec=prec,
            alphabet=self.alphabet,
            bits=bits,
        ).with_mode(MODES[bool(predictive)])

    def _arrays(self) -> Arrays:
        contexts = {
            f"contexts_{name}": getattr(self._contexts, name).astype(np.uint32)
            for name in Contexts.__slots__
        }
        return self._states._arrays() | contexts

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> ARHMM:
        states = dict(arrays)
        contexts = {name: states.pop(f"contexts_{name}") for name in Contexts.__slots__}
        return cls(HMM._from_arrays(states), Contexts(**contexts))

    def _draw(
        self, length: int, rng: np.random.Generator, measure: bool
    ) -> tuple[NDArray[np.int32], NDArray[np.int64], Floats]:
        """Symbols, states and, if wanted, -log2 P(x_t | x_1 .. x_t-1)."""
        length = as_integer(length, "length", 0)
        M, order = self.n_symbols, self._contexts.order
        E, A = self._states.emission, self._states.transition
        rows: dict[tuple[int, ...], tuple[Floats, float]] = {}
        x, z = np.empty(length, np.int32), np.empty(length, np.int64)
        bits = np.zeros(length)
        belief, chances = self._states.initial, self._states.initial
        u = rng.random((length, 2))
        for t in range(length):
            history = tuple(x[max(t - order, 0) : t].tolist())
            key = (t <= order, *history)
            if key not in rows:
                known = x[max(t - order - 1, 0) : t + 1].copy()
                known[-1] = 0
                at = self._contexts.find([known], M)[-1]
                rows[key] = row(self._contexts, int(at), M)
            own, left = rows[key]
            z[t] = _pick(chances, u[t, 0])
            x[t] = _pick(own + left * E[z[t]], u[t, 1])
            chances = A[z[t]]
            if measure:
                joint = belief * (own[x[t]] + left * E[:, x[t]])
                bits[t] = -math.log2(joint.sum())
                belief = joint @ A / joint.sum()
        return x, z, bits


def _pick(chances: Floats, u: float) -> int:
    edges = np.cumsum(chances)
    return min(int(np.searchsorted(edges, u * edges[-1], "right")), chances.size - 1)


def _log2_gate(gate: Floats) -> float:
    """The prior of gates."""
    return float(_GATE_COUNTS @ [np.log2(gate).sum(), np.log2(1 - gate).sum()])


class _Terms:
    """The symbols of data with what contexts say of them: equal ones once.

    Arrays have a row for each length of context, from the shortest.
    """

    def __init__(
        self,
        data: list[NDArray[np.int32]],
        number: NDArray[np.int64],
        own: Floats,
        back_off: Floats,
    ) -> None:
        x = np.concatenate([np.zeros(0, np.int32), *data])
        keys = [*own, *back_off, *number, x]
        order = np.lexsort(keys)
        new = np.zeros(x.size, bool)
        new[:1] = True
        for values in keys:
            new[1:] |= values[order[1:]] != values[order[:-1]]
        first = order[new]
        self.x, self.number = x[first], number[:, first]
        self.own, self.back_off = own[:, first], back_off[:, first]
        term = np.empty(x.size, np.int32)
        term[order] = np.cumsum(new) - 1
        ends = np.cumsum([part.size for part in data])[:-1]
        self.sequences = np.split(term, ends) if data else []
        self.symbols, self.starts = np.unique(self.x, return_index=True)

    def mixed(self, gate: Floats) -> tuple[Floats, Floats]:
        """``P(x | z) = own + back_off * emission[z, x]`` of each term."""
        own, back_off = np.zeros(self.x.size), np.ones(self.x.size)
        for g, a, b in zip(gate[self.number], self.own, self.back_off, strict=True):
            passed = 1 - (1 - g) * (1 - b)
            own = (1 - g) * a + passed * own
            back_off = passed * back_off
        return own, back_off

    def likelihood(self, states: HMM, gate: Floats) -> Floats:
        """Of each term under each state, shape (K, U)."""
        own, back_off = self.mixed(gate)
        return own + back_off * states.emission[:, self.x]

    def split(
        self, states: HMM, gate: Floats, found: em.Expectation
    ) -> tuple[Statistics, Floats]:
        """The counts of the states' own emissions, and the next gates."""
        assert found.counts is not None
        initial, transition, counts = found.counts
        own, back_off = self.mixed(gate)
        of_state = back_off * states.emission[:, self.x]
        total = own + of_state
        of_state = counts * (of_state / np.where(total > 0, total, 1))
        emission = np.zeros(states.emission.shape)
        emission[:, self.symbols] = np.add.reduceat(of_state, self.starts, axis=1)
        # Up to each context, and through its gate, expected counts; from the longest.
        times = counts.sum(axis=0)
        per_own = (times - of_state.sum(axis=0)) / np.where(own > 0, own, 1)
        reaching, share = times, np.ones(self.x.size)
        opened, passed_by = np.full(gate.size, 0.0), np.full(gate.size, 0.0)
        for numbers, a, b in zip(
            self.number[::-1], self.own[::-1], self.back_off[::-1], strict=True
        ):
            g = gate[numbers]
            passed = 1 - (1 - g) * (1 - b)
            further = reaching - per_own * share * (1 - g) * a
            share = share * passed
            through = np.where(numbers > 0, further * g / passed, 0)
            opened += np.bincount(numbers, through, gate.size)
            passed_by += np.bincount(numbers, reaching - through, gate.size)
            reaching = further
        opened += _GATE_COUNTS[0]
        passed_by += _GATE_COUNTS[1]
        statistics = Statistics(
            initial, transition, emission,
            found.bits, found.n_symbols, found.n_sequences,
        )  # fmt: skip
        return statistics, opened / (opened + passed_by)
