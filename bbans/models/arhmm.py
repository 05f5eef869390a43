"""Autoregressive hidden Markov models of discrete symbols, in floating point.

Emissions depend on the state and on the symbols before: P(x_t | z_t, x_1 .. x_t-1).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from bbans._arguments import as_generator, as_instance, as_integer
from bbans._float_file import Arrays
from bbans.errors import ModelError, SymbolError
from bbans.frozen.alphabet import Alphabet, Symbols
from bbans.frozen.arhmm import FrozenARHMM
from bbans.frozen.base import MODES, Kind
from bbans.frozen.contexts import Contexts
from bbans.models import _forward, em
from bbans.models._checkpoint import Checkpoint, data_fact, opened
from bbans.models._data import (
    encode_all,
    encode_one,
    passes_of,
    training_alphabet,
)
from bbans.models._parameters import (
    Floats,
    PseudoCounts,
    as_pseudo_counts,
    cumulative,
    log2_prior,
    logs,
)
from bbans.models._sample import MAX_SYMBOLS, Sample
from bbans.models._states import Lookup, StateModel
from bbans.models._training import (
    Iteration,
    check_init,
    check_run,
    climb,
    impossible,
)
from bbans.models.contexts import Counts, evaluate
from bbans.models.em import Statistics
from bbans.models.freeze_hmm import frozen_arhmm
from bbans.models.hmm import HMM, drawn, states_of

__all__ = ["ARHMM"]

# The arrays of contexts in a file of floats.
_CONTEXTS = ("children", "first", "label", "back_off", "symbol", "weight")

# Symbols that are drawn to see how many bits one holds, and how these vary.
_DRAWN = 4096

# In the mean for each symbol of an emission. States see few of the symbols that
# contexts leave to them, and those of other data are unlike: on 500 lines of logs this
# saves 1 to 3 % against 0.01 each, on messages nothing is lost.
_PSEUDO_COUNTS = (0.1, 0.1, 0.05)

# States that tell symbols apart without contexts do so under contexts too, and better
# than what a start at random comes to in as many updates.
_START_UPDATES, _START_TOL = 20, 1e-3
_START_SYMBOLS = 1 << 20  # of data that they see, about

# What contexts give to a symbol, relative to what they leave to states, counts in
# steps of an octave, so many of each. Above 2^12 states say nothing, below 2^-20
# contexts.
_LEVELS = 4
_LOWEST, _HIGHEST = -20, 12


class ARHMM(StateModel):
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
    >>> model = ARHMM.fit(["abcabcabd", "abcabdabc"] * 5, 2, order=2)
    >>> model.contexts.order, model.information_content("abcabc") < 6
    (2, True)
    """

    __slots__ = ("_contexts", "_sample", "_states")

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
        self._sample: Sample | None = None  # of what it was trained on

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
        sequences: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        n_states: int = 16,
        *,
        order: int | str = "auto",
        max_bytes: int | None = None,
        n_iter: int = 100,
        tol: float = 1e-4,
        pseudo_count: PseudoCounts = _PSEUDO_COUNTS,
        alphabet: Alphabet | int | str | ArrayLike | None = None,
        ends: bool = False,
        seed: int | np.random.Generator = 0,
        init: HMM | None = None,
        dtype: DTypeLike = np.float32,
        threads: int | None = None,
        progress: bool | None = None,
        max_symbols: int = MAX_SYMBOLS,
        checkpoint: str | os.PathLike[str] | None = None,
        resume: bool = False,
    ) -> ARHMM:
        """Train a model: contexts by smoothed counts, then the states by EM.

        Parameters
        ----------
        sequences : str, bytes-like, ndarray of int, an iterable of such, or a function
            As for `HMM.fit`; see `max_symbols`. By default text is coded as the bytes
            of its UTF-8, so that the model can code characters that it has not seen;
            give an `alphabet` to code characters.
        n_states : int
            K.
        order : int or "auto"
            Symbols of the longest context, 0 to 16. "auto" chooses 8 or 16, whichever
            is better on the last fifth of the data. If at least 15 % of the data are
            digits, "auto" also counts contexts in copies of the data with other digits,
            unless that is much worse on the last fifth, so that the model knows what
            follows numbers that are not in the data.
        max_bytes : int, optional
            Maximum size of the packed file of the model, frozen at the default
            precision. The contexts that gain least are left out; the states are always
            kept. By default there is no limit.
        n_iter : int
            Maximum number of updates.
        tol : float
            Stop when an update lowers the objective by less, in bits per symbol.
        pseudo_count : float or tuple of 3 floats
            Added to expected counts before rows are normalised, as for `HMM.fit`. For
            emissions it is the mean over symbols: each symbol x gets a share in
            proportion to ``sqrt(n_x + 1/4)``, where it occurs n_x times.
        init : HMM, optional
            Where EM starts, with K states and the same alphabet. By default a few
            updates of an HMM without contexts come first.
        alphabet, ends, seed, dtype, threads, progress
            As for `HMM.fit`; but float32 is the default.
        max_symbols : int
            Maximum number of symbols kept in memory. Of more data, a uniform sample of
            sequences is used, or of pieces of long ones. For data larger than memory,
            pass a function, as for `HMM.fit`; it is called twice.
        checkpoint, resume
            As for `HMM.fit`. Contexts are counted anew; the updates after them go on.

        Returns
        -------
        model : ARHMM
            Its `history` is measured with the tenth of the data around each symbol
            taken out of the contexts.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet, or impossible under `init`.
        ModelError
            If there is no data, or if an argument is out of range.

        Notes
        -----
        For EM, the contexts of each symbol leave out the tenth of the data around it.
        Otherwise the contexts would explain all training data and leave nothing to the
        states. The likelihood of symbol x under state k is then
        ``own + back_off * emission[k, x]``, and the state's expected counts are those
        of the second term. Only the ratio of the terms tells states apart: symbols
        whose ratios differ by less than a quarter of an octave are one symbol of the E
        step. So an update takes as long as for an HMM, and 4 bytes of memory per
        symbol. Each lowers the objective as for `HMM.fit`.

        Back-offs are first trained as if all states emitted symbols by their
        frequencies, which is as good where contexts say much, as in text. Where the
        states alone say nearly as much, back-offs are trained again with what the
        states predict.

        References
        ----------
        Jelinek and Mercer, Interpolated estimation of Markov source parameters from
        sparse data (1980).
        """
        check_run(dtype, threads)
        n_iter = as_integer(n_iter, "n_iter", 0)
        if init is not None:
            as_instance(init, HMM, "init", "an HMM")
        as_pseudo_counts(pseudo_count)
        passes = passes_of(sequences)
        symbols = training_alphabet(passes, alphabet, init, ends, utf8=True)
        sample = Sample(symbols.size, max_symbols)
        sample.add(encode_all(passes(), symbols))
        data = sample.sequences()
        saved = opened(
            checkpoint, resume, cls.__name__, n_states=n_states, order=order,
            max_bytes=max_bytes, seed=seed, init=init, n_iter=n_iter, tol=tol,
            pseudo_count=pseudo_count, alphabet=symbols, dtype=np.dtype(dtype),
            max_symbols=max_symbols,
        )  # fmt: skip
        if saved is not None:
            saved.require(data=data_fact(data))
        how: dict[str, Any] = {"dtype": dtype, "threads": threads, "progress": progress}
        started = None if saved is None else saved.model("start")
        if started is not None:
            states = started
        elif init is None:
            stride = -(-sample.n_symbols // _START_SYMBOLS)
            states = HMM.fit(
                data[:: max(stride, 1)], n_states,
                n_iter=min(n_iter, _START_UPDATES), tol=_START_TOL,
                pseudo_count=pseudo_count, alphabet=symbols.size, seed=seed, **how,
            )  # fmt: skip
            states = HMM(*states._parameters, alphabet=symbols)
        else:
            check_init(init, n_states, symbols)
            states = init
        if saved is not None:
            saved.keep(start=states)
        return cls._trained(
            sample, states, order, max_bytes,
            pseudo_count=pseudo_count, n_iter=n_iter, tol=tol, checkpoint=saved, **how,
        )  # fmt: skip

    def partial_fit(
        self,
        sequences: Symbols | Iterable[Symbols] | Callable[[], Iterable[Symbols]],
        *,
        order: int | str = "auto",
        max_bytes: int | None = None,
        n_iter: int = 100,
        tol: float = 1e-4,
        pseudo_count: PseudoCounts = _PSEUDO_COUNTS,
        dtype: DTypeLike = np.float32,
        threads: int | None = None,
        progress: bool | None = None,
    ) -> ARHMM:
        """Go on training with more data: a model of what this one has seen, and these.

        Parameters
        ----------
        sequences : str, bytes-like, ndarray of int, an iterable of such, or a function
            More data, of the model's alphabet.
        order, max_bytes, n_iter, tol, pseudo_count, dtype, threads, progress
            As for `fit`.

        Returns
        -------
        model : ARHMM
            This one stays as it is.

        Raises
        ------
        SymbolError
            If a symbol is not in the alphabet.
        ModelError
            If the model does not hold the data that it was trained on, or an argument
            is out of range.

        Notes
        -----
        A model that `fit` made holds its data, or the sample that it was trained on,
        as long as it is in memory; files do not. What contexts say is counted anew, as
        they may be others; states go on from where they are, so that is shorter than
        training. Of all data that came, whenever they came, as much is held as `fit`
        was told.
        """
        check_run(dtype, threads)
        if self._sample is None:
            raise ModelError(
                "the model does not hold the data that it was trained on, as none from "
                "a file does: fit(all data, init=model.states)"
            )
        sample = self._sample.copy()
        sample.add(encode_all(passes_of(sequences)(), self.alphabet))
        return self._trained(
            sample, self._states, order, max_bytes,
            pseudo_count=pseudo_count, n_iter=as_integer(n_iter, "n_iter", 0), tol=tol,
            dtype=dtype, threads=threads, progress=progress,
        )  # fmt: skip

    @classmethod
    def _trained(
        cls,
        sample: Sample,
        states: HMM,
        order: int | str,
        max_bytes: int | None,
        *,
        pseudo_count: PseudoCounts,
        n_iter: int,
        tol: float,
        dtype: DTypeLike,
        threads: int | None,
        progress: bool | None,
        checkpoint: Checkpoint | None = None,
    ) -> ARHMM:
        """Count contexts, and train states from these on."""
        symbols, data = states.alphabet, sample.sequences()
        pseudo_counts = as_pseudo_counts(pseudo_count)
        digits = _digits(symbols) if order == "auto" else ()
        counts = Counts(data, symbols.size, order, max_bytes, digits)
        if states.n_states > 1 and n_iter > 0:
            counts.refit(np.exp(em.log_predictions(data, states._parameters)))
        terms = _Terms(data, symbols.size, counts.own, counts.back_off)
        first, step, emitted = pseudo_counts
        extra = emitted * symbols.size * terms.shares

        def update(states: HMM, found: em.Expectation) -> HMM:
            statistics = terms.statistics(states, found, extra)
            return states.maximise(statistics, pseudo_count=(first, step, 0))

        def refuse(fault: em.Fault) -> SymbolError:
            symbol = int(terms.x[fault.symbol])
            return impossible(fault._replace(symbol=symbol), symbols, "init")

        states, history = climb(
            states,
            expect=lambda states, counting: terms.expect(
                states, counting=counting, dtype=dtype, threads=threads
            ),
            update=update,
            log2_prior=lambda states: log2_prior(
                states._parameters, (first, step, extra)
            ),
            refuse=refuse,
            n_iter=n_iter,
            tol=tol,
            progress=progress,
            checkpoint=checkpoint,
        )
        model = cls(states, counts.contexts())
        if max_bytes is not None:
            model = cls(states, counts.limit(max_bytes, model._packed_bytes))
        model._history, model._sample = history, sample
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
        term, likelihood = self._terms([indices])
        initial, transition, _ = self._states._parameters
        return em.expect(
            [em.Batch.of([(0, term)])],
            (initial, transition, likelihood),
            counting=False,
        ).bits

    def _terms(
        self, sequences: list[NDArray[np.int32]]
    ) -> tuple[NDArray[np.int32], Floats]:
        """What occurs in the same context is one symbol here: the numbers of these, end
        to end, and P(x | z = k) of each, shape (K, numbers)."""
        indices = np.concatenate(sequences)
        longest = self._contexts.find(sequences, self.n_symbols)
        keys, term = np.unique(longest * self.n_symbols + indices, return_inverse=True)
        symbols = keys % self.n_symbols
        own, back_off = evaluate(self._contexts, keys // self.n_symbols, symbols)
        likelihood = own + back_off * self._states.emission[:, symbols]
        return term.astype(np.int32), likelihood

    @property
    def n_parameters(self) -> int:
        """Those of `states`, and the weights of `contexts`: what these back off, and
        one less than there are in each."""
        return self._states.n_parameters + self._contexts.symbol.size

    @property
    def _chain(self) -> tuple[Floats, Floats]:
        return self._states._chain

    def _observed(self, x: Symbols) -> NDArray[np.int32]:
        return encode_one(x, self.alphabet)

    def _log_emissions(
        self, observed: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> Lookup:
        ends = np.cumsum(lengths)[:-1]
        term, likelihood = self._terms(np.split(observed, ends))
        return Lookup(logs(np.ascontiguousarray(likelihood.T)), term)

    def _named(self, observed: NDArray[np.int32], t: int) -> str:
        return self._states._named(observed, t)

    def sample(
        self, length: int, *, seed: int | np.random.Generator
    ) -> tuple[NDArray[np.int64] | NDArray[np.uint32], NDArray[np.int64]]:
        """Draw a sequence and its states from the model; see `HMM.sample`."""
        length = as_integer(length, "length", 0)
        x, z = self._draw(length, as_generator(seed))
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
        return frozen_arhmm(
            *self._states._parameters,
            self._contexts,
            prec=prec,
            alphabet=self.alphabet,
            bits=self._bits(),
        ).with_mode(MODES[bool(predictive)])

    def _packed_bytes(self, contexts: Contexts) -> int:
        """What the file takes with these contexts."""
        frozen = frozen_arhmm(
            *self._states._parameters, contexts, alphabet=self.alphabet, bits=[1.0]
        )
        return len(frozen.to_bytes(packed=True))

    def _bits(self) -> Floats:
        """-log2 P(x_t | z_t-1, x_1 .. x_t-1) of symbols that are drawn."""
        x, z = self._draw(_DRAWN, np.random.default_rng(0))
        initial, transition, emission = self._states._parameters
        step = np.vstack([initial @ emission, transition @ emission])
        before = np.concatenate([[0], z[:-1] + 1])
        sequences = [x]
        if self.alphabet.ends:  # after each a sequence begins
            begins = np.flatnonzero(x == self.alphabet.end) + 1
            before[begins[begins < x.size]] = 0
            sequences = np.split(x, begins)
        longest = self._contexts.find(sequences, self.n_symbols)
        own, back_off = evaluate(self._contexts, longest, x.astype(np.int64))
        bits: Floats = -np.log2(own + back_off * step[before, x])
        return bits

    def _draw(
        self, length: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        x, z = np.empty(length, np.int32), np.empty(length, np.int64)
        tree = self._contexts
        initial, transition, emission = map(cumulative, self._states._parameters)
        _forward.sample_contexts(
            initial,
            transition,
            emission,
            tree.children,
            tree.first,
            tree.label,
            tree.back_off,
            tree.symbol,
            tree.sum.astype(np.int64),
            -1 if self.alphabet.end is None else self.alphabet.end,
            rng.random((length, 2)),
            x,
            z,
        )
        return x, z

    def _arrays(self) -> Arrays:
        contexts = {
            f"contexts_{name}": getattr(self._contexts, name).astype(np.uint32)
            for name in _CONTEXTS
        }
        return self._states._arrays() | contexts

    @classmethod
    def _from_arrays(cls, arrays: Arrays) -> ARHMM:
        states = dict(arrays)
        contexts = {name: states.pop(f"contexts_{name}") for name in _CONTEXTS}
        return cls(HMM._from_arrays(states), Contexts(**contexts))


def _digits(symbols: Alphabet) -> NDArray[np.int32]:
    """Symbols that stand for each other: those of 0 to 9, of bytes and text."""
    digits = np.zeros(0, np.int32)
    if symbols.kind != "integers":
        for digit in "0123456789":
            with contextlib.suppress(SymbolError):
                one = digit if symbols.kind == "text" else digit.encode()
                digits = np.append(digits, symbols.encode(one)[:1])
    return digits


class _Terms:
    """The symbols of data with what contexts say of them: equal ones once.

    A term is a symbol and about the same ``ratio = own / back_off``: ``P(x | z)`` is
    ``back_off * (ratio + emission[z, x])``, whose first factor all states share.
    """

    def __init__(
        self, data: list[NDArray[np.int32]], M: int, own: Floats, back_off: Floats
    ) -> None:
        x = np.concatenate([np.zeros(0, np.int32), *data]).astype(np.int64)
        back_off = np.maximum(back_off, own * 2.0**-_HIGHEST)
        self.bits = -float(np.log2(back_off).sum())
        some = own > 0
        octaves = np.full(x.size, _LOWEST - 1.0)  # contexts give it nothing
        octaves[some] = np.maximum(np.log2(own[some] / back_off[some]), _LOWEST)
        level = np.rint((octaves - (_LOWEST - 1)) * _LEVELS).astype(np.int64)
        n_levels = (_HIGHEST - _LOWEST + 1) * _LEVELS + 1
        keys, term = np.unique(x * n_levels + level, return_inverse=True)
        self.x, level = keys // n_levels, keys % n_levels
        mean = np.bincount(term, octaves) / np.bincount(term)
        self.ratio = np.where(level > 0, 2.0**mean, 0.0)
        ends = np.cumsum([part.size for part in data])[:-1]
        sequences = np.split(term.astype(np.int32), ends) if data else []
        self.batches = list(em.batches(sequences, self.x.size))
        self.symbols, self.starts = np.unique(self.x, return_index=True)
        root = np.sqrt(np.bincount(x, minlength=M) + 0.25)
        self.shares = root / root.sum()  # of each symbol in an emission's pseudo-count

    def expect(self, states: HMM, **how: Any) -> em.Expectation:
        """The E step; its symbols are the terms."""
        initial, transition, emission = states._parameters
        parameters = initial, transition, self.ratio + emission[:, self.x]
        found = em.expect(self.batches, parameters, **how)
        return found._replace(bits=found.bits + self.bits)

    def statistics(
        self, states: HMM, found: em.Expectation, extra: Floats
    ) -> Statistics:
        """The counts of the states' own emissions, with `extra` of each symbol."""
        assert found.counts is not None
        initial, transition, counts = found.counts
        of_state = states.emission[:, self.x]
        total = self.ratio + of_state
        counts = counts * (of_state / np.where(total > 0, total, 1))
        emission = np.tile(extra, (states.n_states, 1))
        emission[:, self.symbols] += np.add.reduceat(counts, self.starts, axis=1)
        return Statistics(
            initial, transition, emission,
            found.bits, found.n_symbols, found.n_sequences,
        )  # fmt: skip
